"""Where a way was and how fast, just before or after a moment: lines fitted to a second or two of it."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.store.visits.tracks import COLUMNS, first_rows

LOOK = 1.4  # seconds that a line is fitted to: long enough to know the speed, short enough not to turn
_BLOCK = 16384  # ends at once: what they need stays in the processor's cache


def fit_ends(
    tracks: pd.DataFrame, rows: NDArray[np.intp], side: int, step: float, at: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Fit lines to the moments that end (side -1) or begin (side 1) with given rows, and read them there.

    Parameters
    ----------
    tracks : DataFrame with visit, time (seconds), x, y (metres)
        By visit and time.
    rows : array (ends,)
        Positions of rows; -1 and len(tracks) stand for none.
    side : int
        -1: the row and those before it; 1: the row and those after it; of the same visit.
    step : float, seconds
        Between two moments of the camera.
    at : array (ends,), optional
        Moments at which the lines are read; by default those of the rows.

    Returns
    -------
    array (ends, 6)
        x, y, their speeds (metres per second), and the variances of a place and of a speed, in units of the variance
        of one row's place. A single row stands still, with a speed that nobody knows (infinite variance).
    """
    time, x, y = (tracks[name].to_numpy(float) for name in COLUMNS[1:])
    known = np.clip(rows, 0, max(len(time) - 1, 0))
    moments = time[known] if at is None else at
    first = first_rows(tracks["visit"])
    edges = first if side < 0 else np.append(first[1:], len(time))[: len(first)] - 1
    edge = edges[np.searchsorted(first, known, side="right") - 1] if len(first) else known
    edge = np.where((rows >= 0) & (rows < len(time)), edge, known - 2 * side)  # of no row: behind it
    result = np.empty((6, len(rows))).T  # by columns, as it is used
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        sums = _sums(time, (x, y), known[block], edge[block], side, int(np.ceil(LOOK / step)), moments[block])
        result[block] = _lines(*sums).T
    return result


def _sums(
    time: NDArray, places: tuple[NDArray, ...], rows: NDArray, edge: NDArray, side: int, reach: int, at: NDArray
) -> list[NDArray[np.float64]]:
    """Sums over each row and its neighbours: how many, seconds, their squares; x, x times seconds; y the same."""
    sums = [np.zeros(len(rows)) for _ in range(3 + 2 * len(places))]
    for step in range(reach + 1):
        near = np.clip(rows + side * step, 0, len(time) - 1)
        weight = (side * (edge - rows) >= step) & (np.abs(time[near] - time[rows]) <= LOOK)
        if not weight.any():
            break
        seconds = (time[near] - at) * weight
        for total, values in zip(sums, (weight, seconds, seconds * seconds), strict=False):
            total += values
        for number, place in enumerate(places):
            value = place[near] * weight
            sums[3 + 2 * number] += value
            sums[4 + 2 * number] += value * seconds
    return sums


def _lines(number: NDArray, first: NDArray, second: NDArray, *sums: NDArray) -> NDArray[np.float64]:
    """Least-squares lines, read where seconds are 0: (6, ends)."""
    number = np.maximum(number, 1)
    middle = first / number
    spread = second - number * middle**2
    moving = spread > 1e-9
    divisor = np.where(moving, spread, 1.0)
    means = [total / number for total in sums[::2]]
    speeds = [
        np.where(moving, (tilted - mean * first) / divisor, 0.0) for mean, tilted in zip(means, sums[1::2], strict=True)
    ]
    places = [mean - speed * middle for mean, speed in zip(means, speeds, strict=True)]
    variance = 1 / number + np.where(moving, middle**2 / divisor, 0)
    return np.stack([*places, *speeds, variance, np.where(moving, 1 / divisor, np.inf)])
