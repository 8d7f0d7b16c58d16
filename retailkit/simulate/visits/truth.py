"""What is true of a way: when it passes a line, and when it is in which zone, from its geometry alone."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

GAP = 2.0  # seconds: who is back in a zone sooner has not left it
_STAY = {"visit": int, "enter": float, "leave": float, "censored": str, "depth": float}
DEEP, LONG = 0.3, 2.0  # metres into a zone, or seconds in it, from which on it is a visit; less is a graze


def cross_lines(ways: pd.DataFrame, doors: Mapping[str, Sequence[Sequence[float]]]) -> pd.DataFrame:
    """Find every passing of a door's line: visit, time, x, y, direction, door, by visit and time."""
    place, visit, time = ways[["x", "y"]].to_numpy(), ways["visit"].to_numpy(), ways["time"].to_numpy()
    tables = []
    for name, line in doors.items():
        start, along = np.asarray(line[0], dtype=float), np.subtract(line[1], line[0]).astype(float)
        right = (place - start) @ np.array([along[1], -along[0]]) / np.hypot(*along)
        step = np.flatnonzero((visit[1:] == visit[:-1]) & ((right[1:] > 0) != (right[:-1] > 0)))
        share = right[step] / (right[step] - right[step + 1])
        where = place[step] + share[:, None] * (place[step + 1] - place[step])
        on = (where - start) @ along / (along @ along)
        moment = time[step] + share * (time[step + 1] - time[step])
        found = pd.DataFrame({"visit": visit[step], "time": moment, "x": where[:, 0], "y": where[:, 1]})
        found = found.assign(direction=np.where(right[step + 1] > 0, "in", "out"), door=name)
        tables.append(found[(on >= 0) & (on <= 1)])
    return pd.concat(tables).sort_values(["visit", "time"], kind="stable").reset_index(drop=True)


def stay_in_zones(ways: pd.DataFrame, zones: Mapping[str, Sequence[Sequence[float]]]) -> pd.DataFrame:
    """Find every stay in a zone.

    Times are those at which the way cuts the zone's edge. Somebody back within 2 s (`GAP`) has not left; a stay both
    shorter than 2 s (`LONG`) and never 0.3 m (`DEEP`) inside is a graze and left out.

    Returns
    -------
    DataFrame
        By visit and time: visit, zone, enter, leave, dwell (seconds), again (earlier stays of this visit in this zone),
        censored (``start`` or ``end``, or ``both``: the way begins or ends inside), depth (metres from the edge, the
        most).
    """
    tables = [_stays(ways, shapely.Polygon(points)).assign(zone=name) for name, points in zones.items()]
    found = pd.concat(tables).sort_values(["visit", "enter"], kind="stable").reset_index(drop=True)
    found["dwell"] = found["leave"] - found["enter"]
    found = found[(found["dwell"] >= LONG) | (found["depth"] >= DEEP)].reset_index(drop=True)
    found["again"] = found.groupby(["visit", "zone"]).cumcount()
    return found[["visit", "zone", "enter", "leave", "dwell", "again", "censored", "depth"]]


def _stays(ways: pd.DataFrame, zone: shapely.Polygon) -> pd.DataFrame:
    """Stretches of ways inside one zone, those parted by less than the gap joined."""
    shapely.prepare(zone)
    visit, time, place = ways["visit"].to_numpy(), ways["time"].to_numpy(), ways[["x", "y"]].to_numpy()
    row, low, high = _pieces(visit, place, zone)
    if not len(row):
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in _STAY.items()})
    seconds = time[row + 1] - time[row]
    enter, leave = time[row] + low * seconds, time[row] + high * seconds
    apart = np.append(True, (visit[row[1:]] != visit[row[:-1]]) | (enter[1:] - leave[:-1] > GAP))
    start = np.flatnonzero(apart)
    end = np.append(start[1:], len(row)) - 1
    ends = np.flatnonzero(np.append(visit[1:] != visit[:-1], True))
    begins = np.append(0, ends[:-1] + 1)
    cut_start = np.isin(row[start], begins) & (low[start] == 0)
    cut_end = np.isin(row[end] + 1, ends) & (high[end] == 1)
    deep = _depths(place[row], place[row + 1], low, high, zone)
    return pd.DataFrame(
        {
            "visit": visit[row[start]], "enter": enter[start], "leave": leave[end],
            "censored": np.select([cut_start & cut_end, cut_start, cut_end], ["both", "start", "end"], ""),
            "depth": np.maximum.reduceat(deep, start),
        }
    )  # fmt: skip


def _depths(
    one: NDArray[np.float64], other: NDArray[np.float64], low: NDArray, high: NDArray, zone: shapely.Polygon
) -> NDArray[np.float64]:
    """Metres from the zone's edge, the most at the ends, quarters and middle of each piece."""
    corners = shapely.get_coordinates(zone.exterior)
    edge = np.diff(corners, axis=0)
    deepest = np.zeros(len(one))
    for part in np.linspace(0, 1, 5):
        where = one + (low + part * (high - low))[:, None] * (other - one)
        away = where[:, None] - corners[:-1]
        along = np.clip((away * edge).sum(axis=2) / (edge**2).sum(axis=1), 0, 1)
        gap = away - along[..., None] * edge
        deepest = np.maximum(deepest, np.hypot(gap[..., 0], gap[..., 1]).min(axis=1))
    return deepest


def _pieces(
    visit: NDArray, place: NDArray[np.float64], zone: shapely.Polygon
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Pieces of the steps between knots that lie inside: the row of each step, from and to as shares of it."""
    low, high = np.array(zone.bounds[:2]), np.array(zone.bounds[2:])
    one, other = place[:-1], place[1:]
    near = (np.minimum(one, other) <= high).all(axis=1) & (np.maximum(one, other) >= low).all(axis=1)
    row = np.flatnonzero(near & (visit[1:] == visit[:-1]))
    cuts = np.sort(np.c_[np.zeros(len(row)), _cuts(one[row], other[row], zone), np.ones(len(row))], axis=1)
    middle = (cuts[:, 1:] + cuts[:, :-1]) / 2
    where = one[row][:, None] + middle[..., None] * (other[row] - one[row])[:, None]
    inside = shapely.contains_xy(zone, where[..., 0], where[..., 1]) & (cuts[:, 1:] > cuts[:, :-1])
    step, piece = np.nonzero(inside)
    return row[step], cuts[step, piece], cuts[step, piece + 1]


def _cuts(one: NDArray[np.float64], other: NDArray[np.float64], zone: shapely.Polygon) -> NDArray[np.float64]:
    """Shares of each step at which it cuts each edge of a zone, 0 where it does not: (steps, edges)."""
    corners = shapely.get_coordinates(zone.exterior)
    edge, from_corner = np.diff(corners, axis=0), corners[:-1]
    way = (other - one)[:, None]
    cross = way[..., 0] * edge[:, 1] - way[..., 1] * edge[:, 0]
    gap = from_corner - one[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (gap[..., 0] * edge[:, 1] - gap[..., 1] * edge[:, 0]) / cross
        along = (gap[..., 0] * way[..., 1] - gap[..., 1] * way[..., 0]) / cross
    return np.where((np.abs(cross) > 1e-12) & (share > 0) & (share < 1) & (along >= 0) & (along <= 1), share, 0.0)
