"""Tracks at the door: what cannot be is set aside.

A camera's day has millions of rows, so whole columns are worked on at once: what is in order is not sorted again, and
only visits with a fault are looked at one by one.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.datasets.tables import need_columns

COLUMNS = ["visit", "time", "x", "y"]
FASTEST = 10.0  # metres per second: nobody runs faster through a shop
_FEW = 100  # rows for each that is set aside: then what lies between is copied in stretches
_BLOCK = 16384  # rows at once: few enough that what they need stays in the processor's cache


def check_tracks(tracks: pd.DataFrame, fastest: float = FASTEST) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Set aside what cannot be: rows without a place or time, twice the same moment, clocks that step back, jumps.

    >>> raw = pd.DataFrame({"visit": [1, 1, 1], "time": [0.0, 0.4, 0.8], "x": [0.0, 40.0, 0.8], "y": [0.0, 0.0, 0.0]})
    >>> tracks, wrong = check_tracks(raw)
    >>> wrong["problem"].tolist()
    ['moved 40.0 m in 0.400 s, faster than 10 m/s']

    Parameters
    ----------
    tracks : DataFrame with visit, time (seconds), x, y (metres)
        In the order in which it was recorded; further columns are carried along.
    fastest : float, metres per second
        A row that could not be reached at this speed from the last good one of its visit is a jump.

    Returns
    -------
    tracks : DataFrame
        What is left, by visit and time; the index counts from 0.
    quarantine : DataFrame
        Columns row (from 1, as recorded), visit, time, problem.

    Raises
    ------
    ValueError
        A column is missing, or is not of numbers.
    """
    _check_columns(tracks)
    frame = tracks.reset_index(drop=True)
    problems = _find_gaps(frame)
    kept = by_visit(frame.drop(index=list(problems)) if problems else frame)
    kept = _set_aside(kept, _find_repeats(kept), problems)
    kept = _set_aside(kept, _find_jumps(kept, fastest), problems)
    rows = sorted(problems)
    wrong = frame.loc[rows, ["visit", "time"]].assign(problem=pd.Series(problems, dtype="str"))
    wrong.insert(0, "row", np.array(rows, dtype=np.int64) + 1)
    return kept.reset_index(drop=True), wrong.reset_index(drop=True)


def _check_columns(tracks: pd.DataFrame) -> None:
    need_columns(tracks, COLUMNS, "tracks")
    for name in COLUMNS[1:]:
        if not pd.api.types.is_numeric_dtype(tracks[name]):
            raise ValueError(f"tracks: {name} holds {tracks[name].dtype}; numbers are needed")


def _find_gaps(frame: pd.DataFrame) -> dict[int, str]:
    """Rows without a visit, time or place, and what they lack first."""
    problems: dict[int, str] = {}
    for name in reversed(COLUMNS[1:]):
        rows = np.flatnonzero(~np.isfinite(frame[name].to_numpy(dtype=float)))
        problems |= dict.fromkeys(rows.tolist(), f"{name} is not a number")
    return problems | dict.fromkeys(np.flatnonzero(frame["visit"].isna()).tolist(), "no visit")


def by_visit(frame: pd.DataFrame) -> pd.DataFrame:
    """Sort rows by visit, those of a visit as they were; the index is kept."""
    codes = number_visits(frame["visit"])
    if (codes[1:] >= codes[:-1]).all():
        return frame
    rows = np.argsort(codes.astype(np.uint16), kind="stable")  # a radix sort, which numpy has for 16 bits only
    if codes.max() >= 2**16:
        rows = rows[np.argsort((codes >> 16).astype(np.uint16)[rows], kind="stable")]
    return take_rows(frame, rows)


def take_rows(frame: pd.DataFrame, rows: NDArray[np.intp] | list[slice]) -> pd.DataFrame:
    """Take rows (from 0 up) in any order, or stretches of them one after the other: as ``iloc``, in half the time."""
    columns = {number: _taken(frame.iloc[:, number].array, rows) for number in range(frame.shape[1])}
    counted = isinstance(rows, np.ndarray) and frame.index.equals(pd.RangeIndex(len(frame)))
    index = rows if counted else _taken(frame.index.to_numpy(), rows)
    taken = pd.DataFrame(columns, index=index, copy=False)
    return taken.set_axis(frame.columns, axis=1)


def _taken(values: Any, rows: NDArray[np.intp] | list[slice]) -> Any:
    values = values.to_numpy() if isinstance(values, pd.arrays.NumpyExtensionArray) else values
    if not isinstance(rows, list):
        return np.take(values, rows, mode="clip") if isinstance(values, np.ndarray) else values[rows]
    if isinstance(values, np.ndarray):
        return np.concatenate([values[:0], *(values[row] for row in rows)])
    return values[np.concatenate([np.arange(0), *(np.arange(row.start, row.stop) for row in rows)])]


def number_visits(visit: pd.Series) -> NDArray[np.signedinteger]:
    """Number visits in the order of their keys, from 0 on: (rows,). Numbers may be left out; -1 is for no key."""
    if isinstance(visit.dtype, pd.CategoricalDtype):
        return np.asarray(visit.cat.codes)
    if isinstance(visit.dtype, np.dtype) and visit.dtype.kind in "iu" and len(visit):
        keys = visit.to_numpy()
        if int(keys.max()) - int(keys.min()) < 2**31:  # no need to look up key after key
            return (keys - keys.min()).astype(np.int32)
    return pd.factorize(visit, sort=True)[0].astype(np.int32)


def first_rows(visit: pd.Series) -> NDArray[np.intp]:
    """Where each visit begins in tracks by visit: (visits,)."""
    keys = (visit.cat.codes if isinstance(visit.dtype, pd.CategoricalDtype) else visit).array
    new = np.asarray(keys[1:] != keys[:-1], dtype=bool)
    return np.flatnonzero(np.concatenate([np.ones(min(len(keys), 1), dtype=bool), new]))


def spread(first: NDArray[np.intp], length: NDArray[np.intp]) -> NDArray[np.intp]:
    """All rows of stretches, one stretch after the other, from where each begins and how long it is.

    >>> spread(np.array([5, 0]), np.array([2, 3]))
    array([5, 6, 0, 1, 2])
    """
    starts = np.cumsum(length) - length
    return np.arange(length.sum()) + np.repeat(first - starts, length)


def _set_aside(kept: pd.DataFrame, found: dict[int, str], problems: dict[int, str]) -> pd.DataFrame:
    """Leave out what was found at places of `kept`, and tell of it by row of the recording."""
    if not found:
        return kept
    places = np.fromiter(found, dtype=np.intp)
    problems |= dict(zip(kept.index[places].tolist(), found.values(), strict=True))
    good = np.ones(len(kept), dtype=bool)
    good[places] = False
    if len(found) * _FEW > len(kept):
        return kept[good]
    cuts = np.sort(places)
    return take_rows(kept, list(map(slice, np.append(0, cuts + 1), np.append(cuts, len(kept)))))


def _find_repeats(kept: pd.DataFrame) -> dict[int, str]:
    """Find moments that a visit has had already, and clocks that step back."""
    time, first = kept["time"].to_numpy(dtype=float), first_rows(kept["visit"])
    late = time[1:] > time[:-1]
    late[first[1:] - 1] = True
    last = np.append(first[1:], len(time))
    found: dict[int, str] = {}
    for visit in np.unique(np.searchsorted(first, np.flatnonzero(~late), side="right") - 1):
        rows = np.arange(first[visit], last[visit])
        repeated = pd.Series(time[rows]).duplicated().to_numpy()
        found |= dict.fromkeys(rows[repeated].tolist(), "a second row of this visit and time")
        rows = rows[~repeated]
        back = np.maximum.accumulate(time[rows]) - time[rows]
        for row, seconds in zip(rows[back > 0].tolist(), back[back > 0].tolist(), strict=True):
            found[row] = f"the clock steps back by {seconds:.3f} s"
    return found


def _find_jumps(kept: pd.DataFrame, fastest: float) -> dict[int, str]:
    """Find rows out of reach of the last good one of their visit, in all visits side by side."""
    way = tuple(kept[name].to_numpy(dtype=float) for name in COLUMNS[1:])
    first = first_rows(kept["visit"])
    suspects = _fast_steps(way, first, fastest)
    one = suspects[np.unique(np.searchsorted(first, suspects, side="right"), return_index=True)[1]]
    end = np.append(first, len(kept))[np.searchsorted(first, one, side="right")]
    other, found = one + 1, {}
    while len(one):
        metres, seconds = _apart(way, one, other)
        far = metres > fastest * seconds
        for row, length, time in zip(other[far].tolist(), metres[far].tolist(), seconds[far].tolist(), strict=True):
            found[row] = f"moved {length:.1f} m in {time:.3f} s, faster than {fastest:g} m/s"
        onward = np.append(suspects, len(kept))[np.searchsorted(suspects, other)]  # good up to the next suspect
        one = np.where(far, one, onward)
        other = np.where(far, other, onward) + 1
        left = other < end
        one, other, end = one[left], other[left], end[left]
    return found


def _fast_steps(way: tuple[NDArray, ...], first: NDArray[np.intp], fastest: float) -> NDArray[np.intp]:
    """Rows from which the next of the visit is out of reach; most are ruled out without taking a root."""
    found = []
    for start in range(0, len(way[0]) - 1, _BLOCK):
        limit, dx, dy = (np.diff(values[start : start + _BLOCK + 1]) for values in way)
        limit *= fastest
        found.append(start + np.flatnonzero(dx * dx + dy * dy >= limit * np.abs(limit) * (1 - 1e-9)))
    rows = np.setdiff1d(np.concatenate([np.empty(0, np.intp), *found]), first - 1, assume_unique=True)
    metres, seconds = _apart(way, rows, rows + 1)
    return rows[metres > fastest * seconds]


def _apart(way: tuple[NDArray, ...], one: NDArray[np.intp], other: NDArray[np.intp]) -> tuple[NDArray, NDArray]:
    """Metres and seconds from one row to another."""
    time, x, y = way
    return np.hypot(x[other] - x[one], y[other] - y[one]), time[other] - time[one]
