"""Clocks of readers that jump and come back: which reads carry a time that cannot be."""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

_FEW = 10_000  # rows for which compiling takes longer than it saves


def clock_steps(time: NDArray[np.float64], slack: float) -> NDArray[np.intp]:
    """Find rows whose clock is out of step with those around them, as few as may be.

    The longest run of rows whose clock never falls is believed, and with it all rows that fit in but for the slack.

    >>> clock_steps(np.array([1.0, 2.0, 900.0, 2.9, 2.8, -900.0, 4.0]), slack=1.0)
    array([2, 5])

    Parameters
    ----------
    time : array (reads,), seconds
        In the order in which reads were recorded.
    slack : float, seconds
        By how much rows of one bunch may be out of order.

    Returns
    -------
    array of int
        Rows, from 0, rising.
    """
    if not (np.maximum.accumulate(time) - time > slack).any():
        return np.empty(0, dtype=np.intp)
    believed = _longest_rise(time)
    late = _behind(time, believed, slack)
    early = _behind(-time[::-1], len(time) - 1 - believed, slack)[::-1]
    return np.flatnonzero(late | early)


def _behind(time: NDArray[np.float64], believed: NDArray[np.int64], slack: float) -> NDArray[np.bool_]:
    """Whether a row is further behind a believed one before it than the slack allows."""
    latest = np.full(len(time), -np.inf)
    latest[believed] = time[believed]
    np.maximum.accumulate(latest, out=latest)
    return latest - time > slack


def _longest_rise(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rows of a longest run of values, not all adjacent, that never falls."""
    return (_patience if len(values) < _FEW else _compiled_patience())(values)


def _patience(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Each value is laid on the first pile whose top exceeds it (Schensted 1961; Fredman 1975)."""
    tops, rows = np.empty(len(values)), np.empty(len(values), np.int64)
    before, length = np.full(len(values), -1), 0
    for row in range(len(values)):
        pile = length
        if length and tops[length - 1] > values[row]:
            pile = int(np.searchsorted(tops[:length], values[row], side="right"))
        if pile:
            before[row] = rows[pile - 1]
        tops[pile], rows[pile] = values[row], row
        length = max(length, pile + 1)
    for pile in range(length - 1, 0, -1):  # from the last pile back
        rows[pile - 1] = before[rows[pile]]
    return rows[:length]


@cache
def _compiled_patience() -> Callable[[NDArray[np.float64]], NDArray[np.int64]]:
    from numba import njit

    return njit(_patience)
