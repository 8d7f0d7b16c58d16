"""True visits to zones by plain geometry, and which observed visit is which: shares no code with the package."""

import numpy as np
import pandas as pd
import shapely

FINE = 0.02  # seconds between two looks at a true way


def true_zone_visits(tracks: pd.DataFrame, zones: dict, bridged: float = 0.0) -> pd.DataFrame:
    """Every stretch in which the straight way from row to row is inside: person, zone, enter, leave, whole, depth...

    Parameters
    ----------
    bridged : float, seconds
        Absences from the zone that are shorter do not count.
    """
    rows = []
    for person, way in tracks.groupby("visit"):
        moments = np.arange(way["time"].iloc[0], way["time"].iloc[-1] + FINE / 2, FINE)
        x, y = (np.interp(moments, way["time"], way[axis]) for axis in ("x", "y"))
        for zone, corners in zones.items():
            shape = shapely.Polygon(corners)
            inside = shapely.contains_xy(shape, x, y)
            depth = np.zeros(len(x))
            depth[inside] = shapely.distance(shape.exterior, shapely.points(x[inside], y[inside]))
            edges = np.flatnonzero(np.diff(np.concatenate([[0], inside.astype(int), [0]])))
            stays = [[begin, end - 1] for begin, end in edges.reshape(-1, 2)]
            for before, after in zip(stays[-2::-1], stays[:0:-1], strict=True):
                if (after[0] - before[1]) * FINE < bridged:
                    before[1] = after[1]
                    stays.remove(after)
            for begin, end in stays:
                whole, most = begin > 0 and end < len(moments) - 1, depth[begin : end + 1].max()
                rows.append((person, zone, moments[begin], moments[end], whole, most))
    found = pd.DataFrame(rows, columns=["person", "zone", "enter", "leave", "whole", "depth"])
    return found.assign(dwell=found["leave"] - found["enter"])


def with_person(zone_visits: pd.DataFrame, seen: pd.DataFrame) -> pd.DataFrame:
    """Who most of the rows of an observed visit are of; `seen` has visit, time and person."""
    pairs = zone_visits.assign(number=range(len(zone_visits))).merge(seen[["visit", "time", "person"]], on="visit")
    pairs = pairs[pairs["time"].between(pairs["enter"] - 1e-9, pairs["leave"] + 1e-9)]
    most = pairs.groupby("number")["person"].agg(lambda people: people.mode().iloc[0])
    return zone_visits.assign(person=most.reindex(range(len(zone_visits))).to_numpy())


def match(zone_visits: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """True visits with the observed one of the same person and zone that overlaps most: dwell_seen, nan where none."""
    truth = truth.reset_index(drop=True).assign(number=range(len(truth)))
    pairs = truth.merge(zone_visits, on=["person", "zone"], suffixes=("", "_seen"))
    pairs["common"] = pairs[["leave", "leave_seen"]].min(axis=1) - pairs[["enter", "enter_seen"]].max(axis=1)
    best = pairs[pairs["common"] > 0].sort_values("common").drop_duplicates("number", keep="last")
    return truth.merge(best[["number", "dwell_seen", "stopped", "censored"]], on="number", how="left")
