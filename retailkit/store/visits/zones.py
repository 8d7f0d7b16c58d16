"""Visits to zones: who entered which part of the floor, when they left it, and whether they stopped there.

    find_zone_visits(tracks, zones={"milk": [(0, 0), (2, 0), (2, 1), (0, 1)]})

A track's way within zones is a row of stays and absences. Jitter at an edge makes many short, shallow ones. So a stay
has to be long or deep to count, an absence has to be long, and whatever is neither belongs to what was before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from retailkit.datasets.tables import need_columns

Zones = Mapping[str, Sequence[Sequence[float]]]
OUTSIDE = -1
_TOUCH = 1e-6  # m2 by which neighbours may overlap, since corners are rounded
_BLOCK = 1 << 13  # places looked up at a time
_BETWEEN = (0.0, 0.25, 0.5, 0.75)  # shares of a step at which depth is looked at
_TICKS = 8  # looks in the time of a stop
_BEGINNING = 256  # rows of a stay that are looked at first
_COLUMNS = ("visit", "time", "x", "y")


def check_zones(zones: Zones) -> dict[str, NDArray[np.float64]]:
    """Check that zones have an area each and none in common; give their corners as arrays.

    >>> check_zones({"milk": [(0, 0), (2, 0), (2, 1), (0, 1)], "tea": [(1, 0), (3, 0), (3, 1), (1, 1)]})
    Traceback (most recent call last):
    ValueError: zones 'milk' and 'tea' overlap by 1 m2: a place can be in one zone only; touching edges are fine

    Parameters
    ----------
    zones : mapping of names to corners (x, y), metres
        Polygons in either direction; the first corner need not be repeated at the end.

    Returns
    -------
    dict of arrays (corners, 2)

    Raises
    ------
    ValueError
        There is no zone, or one has no name, fewer than three corners, a corner that is not a place, edges that cross
        or no area, or two overlap.
    """
    if not len(zones):
        raise ValueError("zones is empty: give one polygon at least, as {'milk': [(0, 0), (2, 0), (2, 1), (0, 1)]}")
    corners = {name: _corners(name, points) for name, points in zones.items()}
    shapes = {name: shapely.Polygon(points) for name, points in corners.items()}
    for name, shape in shapes.items():
        if not shape.is_valid:
            raise ValueError(f"zone {name!r} crosses or touches itself: {shapely.is_valid_reason(shape)}")
        if shape.area < _TOUCH:
            raise ValueError(f"zone {name!r} has an area of {shape.area:g} m2: are its corners on one line?")
    names = list(shapes)
    for one, other in shapely.STRtree(list(shapes.values())).query(list(shapes.values()), "intersects").T:
        common = shapes[names[one]].intersection(shapes[names[other]]).area if one < other else 0.0
        if common > _TOUCH:
            raise ValueError(
                f"zones {names[one]!r} and {names[other]!r} overlap by {common:.3g} m2: "
                "a place can be in one zone only; touching edges are fine"
            )
    return corners


def _corners(name: str, points: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    if not isinstance(name, str) or not name:
        raise ValueError(f"a zone is called {name!r}: a name in letters is needed")
    try:
        corners = np.asarray(points, dtype=float)
    except (TypeError, ValueError):
        corners = np.empty(0)
    if corners.ndim != 2 or corners.shape[1] != 2 or not np.isfinite(corners).all():
        raise ValueError(f"zone {name!r} is {points!r}: corners (x, y) in metres are needed")
    if len(corners) > 1 and (corners[0] == corners[-1]).all():
        corners = corners[:-1]
    if len(corners) < 3:
        raise ValueError(f"zone {name!r} has {len(corners)} corners: three at least are needed")
    return corners


def find_zone_visits(
    tracks: pd.DataFrame,
    zones: Zones,
    *,
    slow: float = 0.3,
    stop: float = 3.0,
    gap: float = 2.0,
    margin: float = 0.3,
) -> pd.DataFrame:
    """Find who was in which zone, from when to when, and who stopped there.

    >>> time = np.arange(0, 9, 0.5)
    >>> way = pd.DataFrame({"visit": 1, "time": time, "x": np.minimum(time, 3), "y": 0.5})
    >>> find_zone_visits(way, {"milk": [(1.25, 0), (5, 0), (5, 1), (1.25, 1)]}).drop(columns="again")
       visit  zone  enter  leave  dwell  stopped censored
    0      1  milk   1.25    8.5   7.25     True      end

    Parameters
    ----------
    tracks : DataFrame with visit, time (seconds), x, y (metres)
        By visit and time, as `check_tracks` gives it; smoothed where the camera jitters.
    zones : mapping of names to corners (x, y), metres
        As `check_zones` takes them.
    slow : float, metres per second
        Somebody who moves on less than this walks no longer.
    stop : float, seconds
        How long one has to be slow to have stopped. It is the distance from the place at its start that counts, half
        of it later and all of it later, so that jitter does not add up to a walk and a U-turn is no stop.
    gap : float, seconds
        Whoever is back sooner has not left.
    margin : float, metres
        Whoever does not come this far into a zone, and does not stay there for `gap` either, has only grazed it.

    Returns
    -------
    DataFrame
        A row for each visit to a zone, by visit and time: visit, zone, enter and leave (seconds, where the way between
        two rows cuts the edge), dwell (their difference), stopped, again (how often this visit had been in the zone
        before), and censored: ``start`` and ``end`` where the track begins or ends inside, so that the dwell was
        longer, ``both``, or nothing.

    Raises
    ------
    ValueError
        What `check_zones` raises; or a limit is below 0; or the tracks lack a column, hold something that is no number,
        or are not by visit and time.

    Notes
    -----
    As in `find_crossings`, the edge counts when it is last passed before the change is sure, on the way in and out:
    what jitter adds to the one it adds to the other.
    """
    for name, limit in (("slow", slow), ("stop", stop), ("gap", gap), ("margin", margin)):
        if not limit >= 0:
            raise ValueError(f"{name} is {limit!r}: a number from 0 up is needed")
    corners, way = check_zones(zones), way_of(tracks)
    runs = _runs(way, list(corners.values()))
    first, last = _stays(runs, _is_sure(runs, way, list(corners.values()), gap, margin))
    rows = runs.first[first], runs.last[last]
    enter, leave = runs.begin[first], runs.end[last]
    cut = runs.opens[first].astype(int) + 2 * runs.closes[last]
    found = pd.DataFrame(
        {
            "visit": tracks["visit"].array[rows[0]],
            "zone": np.array(list(corners), dtype=object)[runs.zone[first]],
            "enter": enter,
            "leave": leave,
            "dwell": leave - enter,
            "stopped": _has_stopped(way, *rows, slow, stop),
        }
    )
    found["zone"] = found["zone"].astype("str")
    found["again"] = found.groupby(["visit", "zone"], sort=False).cumcount()
    found["censored"] = pd.array(np.array(["", "start", "end", "both"], dtype=object)[cut], dtype="str")
    return found


@dataclass(frozen=True, eq=False)
class Way:
    """Rows of tracks as arrays, by visit and time."""

    visit: NDArray
    time: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    leap: NDArray[np.bool_]  # (rows - 1,): another visit begins after this row


def way_of(tracks: pd.DataFrame) -> Way:
    """Take tracks apart, and make sure that nothing in them would go wrong unseen."""
    need_columns(tracks, _COLUMNS, "tracks")
    visit, (time, x, y) = tracks["visit"].to_numpy(), (tracks[name].to_numpy(float) for name in _COLUMNS[1:])
    for name, values in zip(_COLUMNS[1:], (time, x, y), strict=True):
        if not np.isfinite(values.sum()):  # one pass; only then a second to find where
            row = int(np.flatnonzero(~np.isfinite(values))[0])
            raise ValueError(f"tracks, row {row + 1}: {name} is {values[row]}; `check_tracks` sets such rows aside")
    leap = np.asarray(visit[1:] != visit[:-1])
    back = np.flatnonzero((time[1:] < time[:-1]) & ~leap)
    apart = pd.Series(visit[np.append(True, leap)] if len(visit) else visit).duplicated()
    if len(back) or apart.any():
        row = int(back[0]) + 2 if len(back) else int(np.flatnonzero(np.append(True, leap))[apart][0]) + 1
        raise ValueError(f"tracks, row {row}: not by visit and time, as `check_tracks` gives them")
    return Way(visit, time, x, y, leap)


@dataclass(frozen=True, eq=False)
class _Runs:
    """Stretches of rows of one visit in one zone, or outside of all."""

    first: NDArray[np.intp]
    last: NDArray[np.intp]
    zone: NDArray[np.intp]
    opens: NDArray[np.bool_]  # a visit begins with it
    closes: NDArray[np.bool_]
    begin: NDArray[np.float64]  # seconds, at the edge where there is one
    end: NDArray[np.float64]


def locate(x: NDArray, y: NDArray, corners: Sequence[NDArray]) -> NDArray[np.int16]:
    """Number of the zone that each place is in, -1 outside of all.

    Even-odd rule (Shimrat 1962), left and lower edges included, so that a place on a common edge has one zone.
    """
    found = np.full(len(x), OUTSIDE, dtype=np.int16)
    edges = [(points.min(axis=0), points.max(axis=0), _is_box(points)) for points in corners]
    for begin in range(0, len(x), _BLOCK):  # a block stays in the processor's cache, and is near few zones
        block = slice(begin, begin + _BLOCK)
        x_here, y_here, place = x[block], y[block], found[block]
        west, east, south, north = x_here.min(), x_here.max(), y_here.min(), y_here.max()
        for number, ((left, low), (right, high), box) in enumerate(edges):
            if east >= left and west < right and north >= low and south < high:
                near = np.flatnonzero((x_here >= left) & (x_here < right) & (y_here >= low) & (y_here < high))
                inside = near if box else near[_is_inside(x_here[near], y_here[near], corners[number])]
                place[inside] = number
    return found


def _is_box(points: NDArray) -> bool:
    return len(points) == 4 and all(len(set(axis)) == 2 for axis in points.T)


def _is_inside(x: NDArray, y: NDArray, points: NDArray) -> NDArray[np.bool_]:
    inside = np.zeros(len(x), dtype=bool)
    for (x_one, y_one), (x_two, y_two) in zip(points, np.roll(points, -1, axis=0), strict=True):
        if y_one != y_two:
            slope = (x_two - x_one) / (y_two - y_one)
            inside ^= ((y_one <= y) != (y_two <= y)) & (x >= x_one + (y - y_one) * slope)
    return inside


def _runs(way: Way, corners: list[NDArray]) -> _Runs:
    number = len(way.time)
    zone = locate(way.x, way.y, corners)
    cuts = np.flatnonzero(way.leap | (zone[1:] != zone[:-1])) + 1
    first = np.concatenate([[0], cuts])[: len(cuts) + (number > 0)].astype(np.intp)
    last = np.concatenate([cuts - 1, [number - 1]])[: len(first)].astype(np.intp)
    opens, closes = np.ones((2, len(first)), dtype=bool)
    opens[1:] = closes[:-1] = way.leap[cuts - 1]
    begin, end = way.time[first], way.time[last]
    for code, points in enumerate(corners):
        there = zone[first] == code
        entered, left = np.flatnonzero(there & ~opens), np.flatnonzero(there & ~closes)
        begin[entered] = _cut(way, first[entered], first[entered] - 1, points)
        end[left] = _cut(way, last[left], last[left] + 1, points)
    out = np.flatnonzero(zone[first] == OUTSIDE)
    before, after = out[~opens[out]], out[~closes[out]]
    begin[before], end[after] = end[before - 1], begin[after + 1]
    return _Runs(first, last, zone[first].astype(np.intp), opens, closes, begin, end)


def _cut(way: Way, inside: NDArray[np.intp], outside: NDArray[np.intp], points: NDArray) -> NDArray[np.float64]:
    """When the straight way from a row inside to one outside first cuts the edge."""
    start = np.stack([way.x[inside], way.y[inside]], axis=1)[:, None]
    step = np.stack([way.x[outside], way.y[outside]], axis=1)[:, None] - start
    edge = np.roll(points, -1, axis=0) - points
    away = points - start  # (rows, edges, 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        across = step[..., 0] * edge[:, 1] - step[..., 1] * edge[:, 0]
        share = (away[..., 0] * edge[:, 1] - away[..., 1] * edge[:, 0]) / across  # of the step
        place = (away[..., 0] * step[..., 1] - away[..., 1] * step[..., 0]) / across  # along the edge
    hit = (place >= -1e-9) & (place <= 1 + 1e-9) & (share >= -1e-9) & (share <= 1 + 1e-9)
    found = np.where(hit, share, np.inf).min(axis=1, initial=1.0).clip(0, 1)
    return way.time[inside] + found * (way.time[outside] - way.time[inside])


def _is_sure(runs: _Runs, way: Way, corners: list[NDArray], gap: float, margin: float) -> NDArray[np.bool_]:
    """Whether a run is long or deep enough, or an absence with which a visit begins or ends."""
    sure = runs.end - runs.begin >= gap
    sure |= (runs.zone == OUTSIDE) & (runs.opens | runs.closes)
    for code, points in enumerate(corners):
        short = np.flatnonzero(~sure & (runs.zone == code))
        before, after = runs.first[short] - ~runs.opens[short], runs.last[short] + ~runs.closes[short]
        rows, starts = _rows(before, after)
        steps = np.ones(len(rows), dtype=bool)
        steps[starts[1:] - 1] = steps[-1:] = False  # none from one run to the next
        deepest = np.zeros(len(rows))
        for share in _BETWEEN:  # people are deepest between two rows
            x, y = (at[rows] + share * steps * (at[rows + steps] - at[rows]) for at in (way.x, way.y))
            inside = np.flatnonzero(_is_inside(x, y, points))
            deepest[inside] = np.maximum(deepest[inside], _depth(x[inside], y[inside], points))
        if len(short):
            sure[short] = np.maximum.reduceat(deepest, starts) >= margin
    return sure


def _depth(x: NDArray, y: NDArray, points: NDArray) -> NDArray[np.float64]:
    """Distance from each place to the nearest edge."""
    nearest = np.full(len(x), np.inf)
    for one, (east, north) in zip(points, np.roll(points, -1, axis=0) - points, strict=True):
        along = (((x - one[0]) * east + (y - one[1]) * north) / (east**2 + north**2)).clip(0, 1)
        nearest = np.minimum(nearest, (x - one[0] - along * east) ** 2 + (y - one[1] - along * north) ** 2)
    return np.sqrt(nearest)


def _rows(first: NDArray[np.intp], last: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """All rows of runs, one run after the other, and where each begins among them."""
    length = last - first + 1
    starts = np.cumsum(length) - length
    return np.arange(length.sum()) + np.repeat(first - starts, length), starts


def _stays(runs: _Runs, sure: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and last run of every stay in a zone."""
    who = np.cumsum(runs.opens)
    known = np.flatnonzero(sure)
    new = np.ones(len(known), dtype=bool)
    new[1:] = (np.diff(runs.zone[known]) != 0) | (np.diff(who[known]) != 0)
    state = np.cumsum(new) - 1  # of each sure run; a state is one zone, or outside, until another is sure
    heads = known[new]
    latest = state[np.searchsorted(known, np.arange(len(sure)), side="right") - 1] if len(known) else state
    coming = np.append(state, len(heads))[np.searchsorted(known, np.arange(len(sure)))]
    first, last = heads.copy(), heads.copy()
    back = np.flatnonzero(_belongs(runs, who, heads, latest))
    last[latest[back]] = back  # ascending: the last one stays
    barrier = np.append(-1, last[:-1])  # a new state begins after the old one's last run
    on = np.flatnonzero(_belongs(runs, who, heads, coming))
    on = on[on > barrier[coming[on]]][::-1]
    first[coming[on]] = on
    inside = runs.zone[heads] != OUTSIDE
    return first[inside], last[inside]


def _belongs(runs: _Runs, who: NDArray, heads: NDArray[np.intp], state: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Whether each run has the zone and the visit of a state."""
    if not len(heads):
        return np.zeros(len(who), dtype=bool)
    head = heads[state.clip(max=len(heads) - 1)]
    return (state < len(heads)) & (runs.zone == runs.zone[head]) & (who == who[head])


def _has_stopped(way: Way, first: NDArray[np.intp], last: NDArray[np.intp], slow: float, stop: float) -> NDArray:
    """Whether anybody stayed near one place for long enough between the first and the last row."""
    stopped = np.zeros(len(first), dtype=bool)
    for most in (_BEGINNING, len(way.time)):  # the first rows settle most stays, and staff stay all day
        open_yet = np.flatnonzero(~stopped & (way.time[last] - way.time[first] >= stop - 1e-6) & (last > first))
        until = np.minimum(last[open_yet], first[open_yet] + most)
        stopped[open_yet] = _is_still(way, first[open_yet], until, slow * stop, stop)
    return stopped


def _is_still(way: Way, first: NDArray[np.intp], last: NDArray[np.intp], near: float, stop: float) -> NDArray[np.bool_]:
    """Whether, from some moment on, a stay is near its place both half a stop and a whole stop later."""
    rows, starts = _rows(first, last)
    stay = np.repeat(np.arange(len(first)), np.diff(np.append(starts, len(rows))))
    span = way.time[last] - way.time[first] + stop + 1
    clock = way.time[rows] + (np.cumsum(span) - span - way.time[first])[stay]  # one stay after the other, with pauses
    begin = np.flatnonzero(np.diff(np.floor(clock / (max(stop, 1e-3) / _TICKS)), prepend=-1.0))
    still = np.ones(len(begin), dtype=bool)
    for seconds in (stop / 2 - 1e-6, stop - 1e-6):
        then = np.searchsorted(clock, clock[begin] + seconds).clip(max=max(len(rows) - 1, 0))
        here, there = rows[begin], rows[then]
        far = (way.x[there] - way.x[here]) ** 2 + (way.y[there] - way.y[here]) ** 2
        still &= (stay[then] == stay[begin]) & (clock[then] >= clock[begin] + seconds) & (far <= near**2)
    found = np.zeros(len(first), dtype=bool)
    found[stay[begin[still]]] = True
    return found
