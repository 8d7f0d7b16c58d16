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
    length = np.hypot(*(end - start))
    along = (end - start) / length
    x, y, time = (tracks[name].to_numpy(float) for name in ("x", "y", "time"))
    distance = (x - start[0]) * along[1] - (y - start[1]) * along[0]  # right of the line is above 0
    before, after = _changes(distance, pd.factorize(tracks["visit"])[0], band)
    last = _last_before(distance, before, after)
    share = distance[last] / (distance[last] - distance[last + 1])  # of the step from there to the next row
    found = pd.DataFrame(
        {
            "visit": tracks["visit"].to_numpy()[last],
            **{
                name: values[last] + share * (values[last + 1] - values[last])
                for name, values in (("time", time), ("x", x), ("y", y))
            },
            "direction": np.where(distance[after] > 0, "in", "out"),
        }
    )
    position = (found["x"] - start[0]) * along[0] + (found["y"] - start[1]) * along[1]
    return found[position.between(0, length)].reset_index(drop=True)


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


def _last_before(distance: NDArray, before: NDArray[np.intp], after: NDArray[np.intp]) -> NDArray[np.intp]:
    """The last row on the old side, between the rows before and after each change."""
    length = after - before
    starts = np.cumsum(length) - length
    rows = np.arange(length.sum()) + np.repeat(before - starts, length)
    side = np.sign(distance)
    still = np.where(side[rows] == np.repeat(side[before], length), rows, -1)
    return np.maximum.reduceat(still, starts)
