"""Crossings of a line: both directions, once each time, and a graze is none."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.store.visits.tracks import first_rows, spread

Line = Sequence[Sequence[float]]
Right = Callable[[slice | NDArray[np.intp]], NDArray[np.float64]]  # how far rows lie right of a line
_BLOCK = 16384  # rows looked at at once: what they need stays in the processor's cache


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
    start, end = line_points(line)
    if not band >= 0:
        raise ValueError(f"band is {band!r}: metres from 0 up are needed")
    length = np.hypot(*(end - start))
    along = (end - start) / length
    x, y, time = (tracks[name].to_numpy(float) for name in ("x", "y", "time"))

    def right(rows: slice | NDArray[np.intp]) -> NDArray[np.float64]:
        return (x[rows] - start[0]) * along[1] - (y[rows] - start[1]) * along[0]  # metres

    side = _sides(right, len(time), band)
    before, after = _changes(side, first_rows(tracks["visit"]))
    last = _last_before(right, before, after)
    share = right(last) / (right(last) - right(last + 1))  # of the step from there to the next row
    found = pd.DataFrame(
        {
            "visit": tracks["visit"].array[last],
            **{
                name: values[last] + share * (values[last + 1] - values[last])
                for name, values in (("time", time), ("x", x), ("y", y))
            },
            "direction": np.where(side[after] > 0, "in", "out"),
        }
    )
    position = (found["x"] - start[0]) * along[0] + (found["y"] - start[1]) * along[1]
    return found[position.between(0, length)].reset_index(drop=True)


def line_points(line: Line) -> NDArray[np.float64]:
    """Check that a line is two points (x, y) apart from each other; give them as an array (2, 2)."""
    points = np.asarray(line, dtype=float)
    if points.shape != (2, 2) or not np.isfinite(points).all():
        raise ValueError(f"line is {line!r}: two points (x, y) in metres are needed")
    if np.hypot(*(points[1] - points[0])) < 1e-9:
        raise ValueError(f"line is {line!r}: its two points are one")
    return points


def _sides(right: Right, number: int, band: float) -> NDArray[np.int8]:
    """1 right of the line, -1 left of it, and 0 on it, for each row."""
    side = np.empty(number, dtype=np.int8)
    for start in range(0, number, _BLOCK):
        rows = slice(start, start + _BLOCK)
        distance = right(rows)
        np.subtract((distance >= band).view(np.int8), (distance <= -band).view(np.int8), out=side[rows])
    return side


def _changes(side: NDArray[np.int8], first: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows before and after each change of side; those on the line are passed over."""
    new = np.flatnonzero(side[1:] != side[:-1]) + 1
    heads = np.union1d(first, new)  # of stretches on one side: few, next to the rows
    tails = np.append(heads[1:], len(side)) - 1
    clear = np.flatnonzero(side[heads])
    visit, where = np.searchsorted(first, heads[clear], side="right"), side[heads[clear]]
    changed = np.flatnonzero((visit[1:] == visit[:-1]) & (where[1:] != where[:-1]))
    return tails[clear[changed]], heads[clear[changed + 1]]


def _last_before(right: Right, before: NDArray[np.intp], after: NDArray[np.intp]) -> NDArray[np.intp]:
    """The last row on the old side, between the rows before and after each change."""
    length = after - before
    rows = spread(before, length)
    still = np.where(np.sign(right(rows)) == np.repeat(np.sign(right(before)), length), rows, -1)
    return np.maximum.reduceat(still, np.cumsum(length) - length) if len(length) else before
