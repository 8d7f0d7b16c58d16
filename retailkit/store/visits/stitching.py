"""Broken tracks, joined: where one ends and another begins soon after, about where the first was going."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linear_sum_assignment
from scipy.sparse.csgraph import connected_components

SLACK = 0.3  # metres per second: how much surer a short gap is than a long one
TURN = 0.6  # seconds: a velocity that differs by 1 metre per second counts as this many metres of distance
_ROWS = 4  # of an end, from which speed and direction are read


def stitch_tracks(tracks: pd.DataFrame, gap: float = 2.5, reach: float = 1.2) -> pd.DataFrame:
    """Join tracks that one person's camera track broke into, by motion and time.

    An end and a beginning are joined where walking on from the one, and back from the other, meet within `reach`, and
    speed and direction agree: who leaves by a door is not who comes in by it a second later. Of all ways to pair them
    the one is taken that joins most and costs least (Kuhn 1955).

    Parameters
    ----------
    tracks : DataFrame with visit, time (seconds), x, y (metres)
        By visit and time, as `check_tracks` gives it.
    gap : float, seconds
        The longest pause between an end and a beginning.
    reach : float, metres
        The longest distance between where both are expected half-way; 0.6 s times the difference of their velocities
        is added at a right angle.

    Returns
    -------
    DataFrame
        The same rows by visit and time; visit is that of the first piece, and the new column `piece` the old visit.
    """
    ends, starts = _tips(tracks, "last"), _tips(tracks, "first")
    one, other, cost = _candidates(ends, starts, gap, reach)
    pairs = _assign(one, other, cost, len(ends))
    follows = np.arange(len(ends))
    for end, start in pairs[np.argsort(starts["time"].to_numpy()[pairs[:, 1]])]:  # a piece before its successor
        follows[start] = follows[end]
    names = ends.index.to_numpy()
    codes = ends.index.get_indexer(pd.Index(tracks["visit"]))
    joined = tracks.assign(piece=tracks["visit"], visit=names[follows[codes]])
    return joined.sort_values(["visit", "time"], kind="stable").reset_index(drop=True)


def _tips(tracks: pd.DataFrame, which: str) -> pd.DataFrame:
    """First or last row of each visit with its speed: index visit; time, x, y, speed_x, speed_y."""
    groups = tracks.groupby("visit", sort=True)
    near = (groups.head(_ROWS) if which == "first" else groups.tail(_ROWS)).groupby("visit", sort=True)
    columns = ["time", "x", "y"]
    way = near[columns].last() - near[columns].first()
    seconds = way["time"].replace(0.0, np.inf)
    tip = near[columns].first() if which == "first" else near[columns].last()
    return tip.assign(speed_x=way["x"] / seconds, speed_y=way["y"] / seconds)


def _candidates(
    ends: pd.DataFrame, starts: pd.DataFrame, gap: float, reach: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Pairs that may be one person: positions among ends and starts, and their cost in metres."""
    order = np.argsort(starts["time"].to_numpy(), kind="stable")
    begins = starts["time"].to_numpy()[order]
    low = np.searchsorted(begins, ends["time"].to_numpy(), side="right")
    high = np.searchsorted(begins, ends["time"].to_numpy() + gap, side="right")
    number = high - low
    one = np.repeat(np.arange(len(ends)), number)
    other = order[np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number) + np.repeat(low, number)]
    seconds = starts["time"].to_numpy()[other] - ends["time"].to_numpy()[one]
    squares = np.zeros(len(one))
    for axis in ("x", "y"):
        before, after = ends[f"speed_{axis}"].to_numpy()[one], starts[f"speed_{axis}"].to_numpy()[other]
        off = ends[axis].to_numpy()[one] - starts[axis].to_numpy()[other] + (before + after) * seconds / 2
        squares += off**2 + (TURN * (before - after)) ** 2
    distance = np.sqrt(squares)
    kept = distance < reach
    return one[kept], other[kept], (distance + SLACK * seconds)[kept]


def _assign(one: NDArray[np.intp], other: NDArray[np.intp], cost: NDArray[np.float64], number: int) -> NDArray[np.intp]:
    """Pair each end with one beginning at most, in every group of candidates that hang together: (pairs, 2)."""
    if not len(one):
        return np.empty((0, 2), dtype=np.intp)
    graph = sparse.coo_array((np.ones(len(one)), (one, other + number)), shape=(2 * number, 2 * number))
    _, group = connected_components(graph, directed=False)
    order = np.argsort(group[one], kind="stable")
    cuts = np.flatnonzero(np.diff(group[one][order])) + 1
    found = [_assign_group(one[rows], other[rows], cost[rows]) for rows in np.split(order, cuts)]
    return np.concatenate(found)


def _assign_group(one: NDArray[np.intp], other: NDArray[np.intp], cost: NDArray[np.float64]) -> NDArray[np.intp]:
    left, rows = np.unique(one, return_inverse=True)
    right, columns = np.unique(other, return_inverse=True)
    far = 1e6  # not allowed; any allowed pair is better than none
    matrix = np.full((len(left), len(right)), far)
    matrix[rows, columns] = cost
    chosen, taken = linear_sum_assignment(matrix)
    allowed = matrix[chosen, taken] < far
    return np.stack([left[chosen[allowed]], right[taken[allowed]]], axis=1)
