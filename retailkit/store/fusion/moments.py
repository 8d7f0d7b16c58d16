"""Moments that more than one device tells of: when hands are at shelves, tags cease to lie, and goods pass a gate.

    stops, visit = find_stops(tracks, planogram)         # when somebody stood before a cell
    lifted, reader = find_liftings(reads, antennas)      # when each tag's strength says that it lies no more
    left = find_leavings(reads, antennas, gates)         # when tags never heard again were loudest at a gate

`retailkit.store.fusion.clocks` compares them. Each moment has a number of what it is of, and how uncertain it is.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_STEADY, _MOST = 3.0, 10.0  # dB about its median: what a tag that lies varies by, and the most that one read tells
_ODD, _FEW = 5.0, 0.01  # dB, and share of reads off by more below which a tag has lain all day
_RISE = 15.0  # dB, summed over reads, by which a tag must have lain before and not after
_STRAY = 0.1  # share of a tag's reads below which an antenna is none that hears it lie
_LEVELS = 100  # dBm below 0 in steps of which medians are told
_QUIET, _LAST = 20.0, 6.0  # seconds without a read at the day's end, and those before it whose loudest moment counts
_BASKET = 1.0  # seconds between goods that leave together
_BESIDE, _HIGH = 1.5, 2.0  # metres from a door's middle, and height below which an antenna hangs beside it
_REACH, _SLOW = 0.9, 0.4  # metres from a cell and metres per second of somebody who stands there
_ROWS, _PAUSE = 3, 1.0  # rows before and after that speed is told by, and seconds away that end a stop


class Moments(NamedTuple):
    """When something happened.

    Attributes
    ----------
    time : array, seconds
    what : array of int
        Of what; only moments of the same can be one event. Below 0 it is of nothing known.
    gap : array, seconds
        It happened within half of this before or after, at any moment alike.
    """

    time: NDArray[np.float64]
    what: NDArray[np.int64]
    gap: NDArray[np.float64]

    def of(self, rows: NDArray[np.bool_]) -> "Moments":
        """Some of them."""
        return Moments(self.time[rows], self.what[rows], self.gap[rows])


def moments(time: Any, what: Any, gap: Any = 0.0) -> Moments:
    """Put moments together; `gap` may be one number for all."""
    when = np.asarray(time, dtype=float)
    return Moments(when, np.asarray(what, dtype=np.int64), np.broadcast_to(np.asarray(gap, dtype=float), when.shape))


def by_cell(time: pd.Series, cell: pd.Series, taken: pd.Series, planogram: pd.DataFrame) -> Moments:
    """Moments of acts, by cell and direction: its row in the planogram, doubled, and 1 more if something was taken."""
    row = pd.Index(planogram["cell"]).get_indexer(pd.Index(cell))
    return moments(time, np.where(row >= 0, 2 * row + taken.to_numpy(int), -1))


def find_stops(tracks: pd.DataFrame, planogram: pd.DataFrame) -> tuple[Moments, NDArray[np.int64]]:
    """Find when somebody stood before a cell: the middle of each stop, by row of the planogram, and whose it was."""
    visit, time, x, y = (tracks[name].to_numpy() for name in ("visit", "time", "x", "y"))
    slow = np.flatnonzero(_speeds(visit, time, x, y) < _SLOW)
    away = np.hypot(x[slow, None] - planogram["x"].to_numpy(), y[slow, None] - planogram["y"].to_numpy())
    cell, place = np.nonzero(away.T < _REACH)
    row = slow[place]
    fresh = np.flatnonzero((np.diff(cell, prepend=-1) != 0) | _pauses(visit[row], time[row]))
    begin, end = time[row[fresh]], time[row[np.append(fresh[1:], len(row)) - 1]] if len(row) else time[:0]
    return moments((begin + end) / 2, cell[fresh], end - begin), visit[row[fresh]]


def _pauses(visit: NDArray, time: NDArray) -> NDArray[np.bool_]:
    other = np.append(True, visit[1:] != visit[:-1])[: len(visit)]
    return np.asarray(other | (np.diff(time, prepend=-np.inf) > _PAUSE))


def _speeds(visit: NDArray, time: NDArray, x: NDArray, y: NDArray) -> NDArray[np.float64]:
    """Metres per second about each row; inf at the ends of a track."""
    speed, many = np.full(len(x), np.inf), 2 * _ROWS
    if len(x) > many:
        length = np.hypot(x[many:] - x[:-many], y[many:] - y[:-many])
        took = np.maximum(time[many:] - time[:-many], 1e-3)
        speed[_ROWS:-_ROWS] = np.where(visit[many:] == visit[:-many], length / took, np.inf)
    return speed


def find_liftings(reads: pd.DataFrame, antennas: pd.DataFrame) -> tuple[Moments, NDArray[np.int64]]:
    """Find when tags ceased to lie, as each reader heard it: by row of the tags, and the reader's number from 0.

    The cumulative sum of how steady a tag's strengths are is greatest when it was lifted (Page 1954); it happened
    between that read and the next.

    Parameters
    ----------
    reads : DataFrame
        As `check_reads` gives it.
    antennas : DataFrame with antenna, reader
    """
    if reads.empty:
        return moments([], []), np.empty(0, dtype=np.int64)
    owner, off = _strangeness(reads, antennas)
    readers = antennas["reader"].nunique()
    odd = np.bincount(owner, off > _ODD) / np.maximum(np.bincount(owner), 1)
    kept = np.flatnonzero((odd > _FEW)[owner])
    order = kept[np.argsort(_narrow(owner[kept]), kind="stable")]
    owner, time = owner[order], reads["time"].to_numpy(float)[order]
    at = _turns(owner, _STEADY - off[order])
    gap = time[at + 1] - time[at]
    return moments(time[at] + gap / 2, owner[at] // readers, gap), owner[at] % readers


def _narrow(numbers: NDArray[np.int64]) -> NDArray:
    """Numbers in two bytes where they fit, which sort faster."""
    return numbers.astype(np.int16) if len(numbers) and numbers.max() < 2**15 else numbers


def _turns(owner: NDArray[np.int64], steady: NDArray) -> NDArray[np.intp]:
    """Rows at which each owner's sum is greatest, where it rises before and falls after."""
    if not len(owner):
        return np.empty(0, dtype=np.intp)
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    last = np.append(first[1:], len(owner)) - 1
    total = np.cumsum(steady)
    best = np.maximum.reduceat(total, first)
    rows = np.flatnonzero(total == np.repeat(best, last - first + 1))
    rows = rows[np.diff(owner[rows], prepend=-1) != 0]
    clear = (best - np.append(0.0, total)[first] > _RISE) & (best - total[last] > _RISE)
    return rows[clear]


def _strangeness(reads: pd.DataFrame, antennas: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Tag and reader of each read (one number), and how far (dB) its strength is from that of the tag as it lies."""
    number, readers = pd.factorize(antennas["reader"])
    ear = _places(antennas)[reads["antenna"].to_numpy()]
    tag, rssi = reads["epc"].cat.codes.to_numpy().astype(np.int64), reads["rssi"].to_numpy(np.float32)
    pair, pairs = tag * len(antennas) + ear, len(reads["epc"].cat.categories) * len(antennas)
    level = np.clip(-rssi, 0, _LEVELS - 1).astype(np.int64)
    counts = np.bincount(pair * _LEVELS + level, minlength=pairs * _LEVELS).reshape(pairs, _LEVELS).cumsum(axis=1)
    usual = -(np.argmax(2 * counts >= counts[:, -1:], axis=1) + 0.5).astype(np.float32)
    every = counts[:, -1].reshape(-1, len(antennas))
    share = np.column_stack([every[:, number == one].sum(axis=1) for one in range(len(readers))])[:, number]
    usual[(every <= _STRAY * share).ravel()] = np.inf
    off = np.minimum(np.abs(rssi - usual[pair]), np.float32(_MOST))
    return tag * len(readers) + number[ear], off


def _places(antennas: pd.DataFrame) -> NDArray[np.int64]:
    """The row of each antenna, by its number."""
    places = np.full(int(antennas["antenna"].max()) + 1, -1)
    places[antennas["antenna"].to_numpy()] = np.arange(len(antennas))
    return places


def find_leavings(reads: pd.DataFrame, antennas: pd.DataFrame, gates: NDArray[np.int64]) -> Moments:
    """Find when tags, or baskets of them, that a reader never hears again were loudest at its gates; what is 0.

    Parameters
    ----------
    reads, antennas, gates
        As in `find_loudest`.
    """
    loud = find_loudest(reads, antennas, gates)["time"]
    together = (loud.sort_values().diff() > _BASKET).cumsum()  # of one basket: one moment, since they share an error
    passed = loud.groupby(together).median()
    return moments(passed, np.zeros(len(passed)))


def find_loudest(reads: pd.DataFrame, antennas: pd.DataFrame, gates: NDArray[np.int64]) -> pd.DataFrame:
    """Find when each tag that some antennas never hear again was loudest at those of them that are gates.

    Parameters
    ----------
    reads : DataFrame
        As `check_reads` gives it.
    antennas : DataFrame with antenna
        Those that are listened to: all, or those of one reader.
    gates : array of int
        Antennas that hang beside a door.

    Returns
    -------
    DataFrame
        epc, time (seconds), by strength.
    """
    names = np.unique(antennas["antenna"])
    gates = np.intersect1d(names, gates)
    mine = np.flatnonzero(_among(reads["antenna"].to_numpy(), names)) if len(gates) else np.empty(0, dtype=np.intp)
    if not len(mine):
        return reads[["epc", "time"]].iloc[:0]
    tag, time = reads["epc"].cat.codes.to_numpy()[mine], reads["time"].to_numpy(float)[mine]
    last = np.full(len(reads["epc"].cat.categories), np.inf)
    last[tag] = time  # of a tag's reads, which are by time, the last
    late = (time > last[tag] - _LAST) & (last < time[-1] - _QUIET)[tag]
    rows = mine[late & _among(reads["antenna"].to_numpy()[mine], gates)]
    return reads.iloc[rows].sort_values("rssi", kind="stable").drop_duplicates("epc", keep="last")[["epc", "time"]]


def _among(antenna: NDArray, names: NDArray[np.int64]) -> NDArray[np.bool_]:
    table = np.zeros(int(max(antenna.max(initial=0), names.max(initial=0))) + 1, dtype=bool)
    table[names] = True
    return np.asarray(table[antenna])


def gate_antennas(antennas: pd.DataFrame, doors: Any) -> NDArray[np.int64]:
    """Find the antennas that hang beside a door, not above anything."""
    middles = [np.asarray(line, dtype=float).mean(axis=0) for line in doors.values()]
    x, y, z, name = (antennas[column].to_numpy() for column in ("x", "y", "z", "antenna"))
    near = np.array([np.hypot(x - middle[0], y - middle[1]) < _BESIDE for middle in middles]).reshape(-1, len(x))
    return np.asarray(name[near.any(axis=0) & (z < _HIGH)], dtype=np.int64)
