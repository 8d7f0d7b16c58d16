"""Crossings of a line: both directions, once each time, and a graze is none."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Line = Sequence[Sequence[float]]


def find_crossings(tracks: pd.DataFrame, line: Line, band: float = 0.3) -> pd.DataFrame:
    """Find every time that somebody passed a line, in either direction.

    A crossing is seen when a visit has been at least `band` away from the line on one side and then is on the other.
    Whoever comes nearer than that and turns round has only grazed it; whoever goes through and comes back has crossed
    twice. (Counters that look at each identity once miss the way back, those without a band count jitter.)

    >>> way = pd.DataFrame({"visit": 1, "time": [0.0, 1.0, 2.0, 3.0], "x": 0.0, "y": [-1.0, 0.1, -0.5, 1.5]})
    >>> find_crossings(way, line=((2, 0), (-2, 0)))[["visit", "time", "direction"]].to_dict("records")
    [{'visit': 1, 'time': 2.25, 'direction': 'in'}]

    Parameters
    ----------
    tracks : DataFrame with visit, time (seconds), x, y (metres)
        By visit and time, as `check_tracks` gives it.
    line : two points (x, y), metres
        Seen from the first point towards the second, ``in`` is from its left to its right.
    band : float, metres
        How far on both sides counts as on the line.

    Returns
    -------
    DataFrame
        Columns visit, time (seconds; when the line itself was last passed), x, y (where), and direction, ``in`` or
        ``out``.

    Raises
    ------
    ValueError
        The line has no length or is not of numbers, or the band is below 0.
    """
    start, end = _line(line)
    if not band >= 0:
        raise ValueError(f"band is {band!r}: metres from 0 up are needed")
    along = (end - start) / np.hypot(*(end - start))
    away = np.stack([tracks["x"].to_numpy(float), tracks["y"].to_numpy(float)], axis=1) - start
    distance = away[:, 0] * along[1] - away[:, 1] * along[0]  # right of the line is above 0
    visit = pd.factorize(tracks["visit"])[0]
    before, after = _changes(distance, visit, band)
    last, share = _passing(distance, before, after)
    places = away[last] + share[:, None] * (away[np.minimum(last + 1, len(away) - 1)] - away[last])
    found = pd.DataFrame(
        {
            "visit": tracks["visit"].to_numpy()[last],
            "time": _between(tracks["time"].to_numpy(float), last, share),
            "x": places[:, 0] + start[0],
            "y": places[:, 1] + start[1],
            "direction": np.where(distance[after] > 0, "in", "out"),
        }
    )
    position = places @ along
    inside = (position >= 0) & (position <= np.hypot(*(end - start)))
    return found[inside].reset_index(drop=True)


def _line(line: Line) -> NDArray[np.float64]:
    points = np.asarray(line, dtype=float)
    if points.shape != (2, 2) or not np.isfinite(points).all():
        raise ValueError(f"line is {line!r}: two points (x, y) in metres are needed")
    if np.hypot(*(points[1] - points[0])) < 1e-9:
        raise ValueError(f"line is {line!r}: its two points are one")
    return points


def _changes(distance: NDArray, visit: NDArray, band: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows before and after each change of side; those on the line are passed over."""
    clear = np.flatnonzero((np.abs(distance) >= band) & (distance != 0))
    side = distance[clear] > 0
    changed = np.flatnonzero((visit[clear][1:] == visit[clear][:-1]) & (side[1:] != side[:-1]))
    return clear[changed], clear[changed + 1]


def _passing(
    distance: NDArray, before: NDArray[np.intp], after: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The last row before the line was passed for good, and how much of the step from it to the next was needed."""
    length = after - before
    starts = np.cumsum(length) - length
    rows = np.arange(length.sum()) + np.repeat(before - starts, length)
    side = np.sign(distance)
    still = np.where(side[rows] == np.repeat(side[before], length), rows, -1)
    last = np.maximum.reduceat(still, starts) if len(starts) else before
    share = distance[last] / (distance[last] - distance[last + 1]) if len(last) else np.empty(0)
    return last, share


def _between(values: NDArray, row: NDArray[np.intp], share: NDArray) -> NDArray[np.float64]:
    if not len(row):
        return np.empty(0)
    return values[row] + share * (values[row + 1] - values[row])
