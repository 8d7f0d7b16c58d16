"""Jitter is taken out of tracks without shortening the way."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.store.visits.tracks import COLUMNS, first_rows

_MOST_NEIGHBOURS = 50  # moments on each side that smoothing looks at: more cost time and mean a wrong unit
_BLOCK = 16384  # rows smoothed at once: few enough that what they need stays in the processor's cache


def smooth_tracks(tracks: pd.DataFrame, window: float = 1.7, where: NDArray[np.bool_] | None = None) -> pd.DataFrame:
    """Take jitter out: each place becomes that of a straight line fitted to the moments around it.

    A line, and not a mean, since a mean would pull both ends of a way inwards (local linear regression; Fan 1992).

    Parameters
    ----------
    tracks : DataFrame with visit, time (seconds), x, y (metres)
        By visit and time, as `check_tracks` gives it.
    window : float, seconds
        Length of the stretch that a line is fitted to, half of it on each side.
    where : array (rows,), optional
        The others stay as they are, and are neighbours all the same.

    Returns
    -------
    DataFrame
        The same rows with new x and y; a row without neighbours stays as it is.

    Raises
    ------
    ValueError
        The window is not above 0, or holds over 100 moments.
    """
    if not window > 0:
        raise ValueError(f"window is {window!r}: seconds above 0 are needed")
    time, x, y = (tracks[name].to_numpy(dtype=float) for name in COLUMNS[1:])
    half = window / 2 + 1e-9  # so that rounding does not decide who is just within
    steps = np.diff(time, prepend=0.0)
    steps[first_rows(tracks["visit"])] = np.inf
    _check_window(steps, half)
    pace = float(np.median(steps[:: len(steps) // 1000 + 1])) if len(steps) else 0.0
    np.minimum(steps, 2 * half, out=steps)  # from the last of a visit to the first of the next is too far, too
    smooth = np.empty((2, len(time)))
    for start in range(0, len(time), _BLOCK):
        low, high = max(start - _MOST_NEIGHBOURS - 1, 0), min(start + _BLOCK, len(time))
        rows = slice(low, high + _MOST_NEIGHBOURS + 1)
        wanted = None if where is None else where[rows]
        block = _smooth_block(steps[rows], (x[rows], y[rows]), half, pace, wanted)
        smooth[:, start:high] = [place[start - low : high - low] for place in block]
    return tracks.assign(x=smooth[0], y=smooth[1])


def _check_window(steps: NDArray, half: float) -> None:
    """Refuse a window that usually holds too many moments; steps from visit to visit are infinite."""
    if not len(steps) or half <= _MOST_NEIGHBOURS * steps.min():
        return
    known = steps[np.isfinite(steps)]
    if half > _MOST_NEIGHBOURS * np.quantile(known, 0.05):
        raise ValueError(
            f"a window of {2 * half:g} s holds over {2 * _MOST_NEIGHBOURS} moments of these tracks, which have one "
            f"every {np.median(known):.4g} s: is time in seconds?"
        )


def _smooth_block(
    steps: NDArray, places: tuple[NDArray, ...], half: float, pace: float, wanted: NDArray[np.bool_] | None
) -> list[NDArray[np.float64]]:
    """Smooth rows that lie next to each other: by the mean of the window where its moments are evenly spaced.

    There the line's value in the middle is the mean, a difference of two sums. Lines are fitted to the other rows,
    with enough neighbours to be exact.
    """
    reach = int(min(half / max(steps.min(), 1e-9), _MOST_NEIGHBOURS))
    side = min(int(half / pace), reach) if pace > 0 else 0
    even = _even_rows(steps, pace, side)
    uneven = ~even if wanted is None else wanted & ~even
    near = _around(uneven, reach)
    fitted = _fitted(np.cumsum(steps)[near], tuple(place[near] for place in places), reach, half)
    means = even if wanted is None else wanted & even
    smooth = [place.copy() for place in places]
    for place, mine, line in zip(places, smooth, fitted, strict=True):
        mine[uneven] = line[uneven[near]]
        if not means.any():  # as where there are fewer rows than a window holds
            continue
        sums = np.cumsum(np.append(0.0, place - place[0]))
        mean = place[0] + (sums[2 * side + 1 :] - sums[: len(sums) - 2 * side - 1]) / (2 * side + 1)
        np.copyto(mine[side : len(mine) - side], mean, where=means[side : len(mine) - side])
    return smooth


def _around(rows: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Rows, and those up to `reach` beside them."""
    count = np.cumsum(np.concatenate([np.zeros(reach + 1, np.int32), rows, np.zeros(reach, np.int32)]))
    return count[2 * reach + 1 :] > count[: len(count) - 2 * reach - 1]


def _even_rows(steps: NDArray, pace: float, side: int) -> NDArray[np.bool_]:
    """Rows with the same pace from one before their window to one after it."""
    odd = np.cumsum(np.append(0, np.abs(steps - pace) > 1e-9))
    even = np.zeros(len(steps), dtype=bool)
    even[side + 1 : len(steps) - side - 1] = odd[2 * side + 3 :] == odd[1 : -2 * side - 2]
    return even


def _fitted(time: NDArray, places: tuple[NDArray, ...], reach: int, half: float) -> list[NDArray[np.float64]]:
    """Value at each moment of the least-squares lines through its neighbours, one for each of x and y."""
    number, first, second, *sums = (np.zeros_like(time) for _ in range(3 + 2 * len(places)))
    for step in range(1, reach + 1):
        seconds = time[step:] - time[:-step]
        near = (seconds <= half).astype(float)
        seconds *= near
        _add(number, near, step)
        _add(first, seconds, step, turned=True)
        for place, total, tilted in zip(places, sums[::2], sums[1::2], strict=True):
            way = (place[step:] - place[:-step]) * near
            _add(total, way, step, turned=True)
            _add(tilted, np.multiply(way, seconds, out=way), step)
        _add(second, np.square(seconds, out=seconds), step)
    number += 1
    spread = number * second - first * first
    fit = spread > 1e-9
    spread[~fit] = 1.0
    return [
        place + np.where(fit, (second * total - first * tilted) / spread, total / number)
        for place, total, tilted in zip(places, sums[::2], sums[1::2], strict=True)
    ]


def _add(sums: NDArray, values: NDArray, step: int, turned: bool = False) -> None:
    """Add what lies between two rows to the sum of the first, and of the second: there with its sign turned."""
    sums[:-step] += values
    if turned:
        sums[step:] -= values
    else:
        sums[step:] += values
