"""Broken tracks, joined: where one ends and another begins soon after, about where the first was going."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from retailkit.store.pairing import pair_up
from retailkit.store.visits.ends import fit_ends
from retailkit.store.visits.tracks import first_rows, take_rows
from retailkit.store.visits.untangling import CameraError, camera_error

SLACK = 0.3  # metres per second: how much surer a short gap is than a long one
TURN = 0.6  # seconds: velocities that differ by 1 metre per second count as this many metres of distance


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
    error = camera_error(tracks)
    first = first_rows(tracks["visit"])
    last = np.append(first[1:], len(tracks))[: len(first)] - 1
    one, other, cost = _candidates(tracks, first, last, error, gap, reach)
    pairs = _assign(one, other, cost, len(first))
    follows = np.arange(len(first))
    for end, start in pairs[np.argsort(tracks["time"].to_numpy()[first][pairs[:, 1]])]:  # a piece before its successor
        follows[start] = follows[end]
    joined = tracks.assign(piece=tracks["visit"]).reset_index(drop=True)
    if not len(pairs):
        return joined
    order = np.lexsort([joined["time"].to_numpy()[first], follows])  # joined pieces follow one another
    length = np.diff(first, append=len(joined))
    names = joined["visit"].array[first].take(np.repeat(follows[order], length[order]))
    rows = list(map(slice, first[order], (first + length)[order]))
    return take_rows(joined, rows).assign(visit=names).reset_index(drop=True)


def _candidates(
    tracks: pd.DataFrame, first: NDArray[np.intp], last: NDArray[np.intp], error: CameraError, gap: float, reach: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Pairs that may be one person: positions among visits that end and that begin, and their cost in metres."""
    time = tracks["time"].to_numpy(float)
    order = np.argsort(time[first], kind="stable")
    low = np.searchsorted(time[first][order], time[last], side="right")
    high = np.searchsorted(time[first][order], time[last] + gap, side="right")
    number = high - low
    one = np.repeat(np.arange(len(last)), number)
    other = order[np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number) + np.repeat(low, number)]
    seconds = time[first][other] - time[last][one]
    before = fit_ends(tracks, last, -1, error.step)[one]
    after = fit_ends(tracks, first, 1, error.step)[other]
    off = before[:, :2] - after[:, :2] + (before[:, 2:4] + after[:, 2:4]) * seconds[:, None] / 2
    turn = ((before[:, 2:4] - after[:, 2:4]) ** 2).sum(axis=1)
    by_chance = 2 * error.jitter**2 * (before[:, 5] + after[:, 5])  # jitter alone makes velocities differ as much
    distance = np.sqrt((off**2).sum(axis=1) + TURN**2 * np.maximum(turn - by_chance, 0))
    kept = distance < reach
    return one[kept], other[kept], (distance + SLACK * seconds)[kept]


def _assign(one: NDArray[np.intp], other: NDArray[np.intp], cost: NDArray[np.float64], number: int) -> NDArray[np.intp]:
    """Pair each end with one beginning at most, in every group of candidates that hang together: (pairs, 2)."""
    if not len(one):
        return np.empty((0, 2), dtype=np.intp)
    graph = sparse.coo_array((np.ones(len(one)), (one, other + number)), shape=(2 * number, 2 * number))
    _, group = connected_components(graph, directed=False)
    alone = np.bincount(group[one])[group[one]] == 1  # most have no choice
    order = np.flatnonzero(~alone)[np.argsort(group[one][~alone], kind="stable")]
    cuts = np.flatnonzero(np.diff(group[one][order])) + 1
    found = [_assign_group(one[rows], other[rows], cost[rows]) for rows in np.split(order, cuts) if len(rows)]
    return np.concatenate([np.stack([one[alone], other[alone]], axis=1), *found])


def _assign_group(one: NDArray[np.intp], other: NDArray[np.intp], cost: NDArray[np.float64]) -> NDArray[np.intp]:
    left, rows = np.unique(one, return_inverse=True)
    right, columns = np.unique(other, return_inverse=True)
    matrix = np.full((len(left), len(right)), np.inf)
    matrix[rows, columns] = cost
    chosen, taken = pair_up(matrix)
    return np.stack([left[chosen], right[taken]], axis=1)
