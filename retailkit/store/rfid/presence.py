"""Where and when tags answered, and where they did not although somebody asked: reads in bins of time.

    presence = find_presence(reads)            # half a second to a bin
    presence.table                             # a row for each tag, antenna and bin with a read
    presence.dense(tag).reads                  # all bins and antennas: 0 where the tag was silent
    presence.listening                         # for how much of each bin an antenna heard anything at all

That a tag is silent while its antenna hears others is evidence; while the antenna hears nothing, it is none.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_MOST_CELLS = 200_000_000  # bins times antennas: one clock gone wild asks for more
_PARTS = 5  # of a bin, in which an antenna is said to listen or not


class Dense(NamedTuple):
    """One tag in all bins.

    Attributes
    ----------
    reads : array (bins, antennas) of int
    rssi : array (bins, antennas), dBm
        Mean; nan where there is no read, or none that tells it.
    strongest : array (bins, antennas), dBm
    """

    reads: NDArray[np.int32]
    rssi: NDArray[np.float32]
    strongest: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Presence:
    """Reads in bins.

    Attributes
    ----------
    table : DataFrame
        By epc, antenna and bin, those with a read only: epc, antenna, bin (from 0), reads (their number), rssi (mean)
        and strongest (dBm; nan where no read tells it).
    start : float, seconds
        When bin 0 begins.
    width : float, seconds
        Of a bin.
    bins : int
    tags : Index
        All that there are, with or without reads: the categories of the reads' epc.
    antennas : array of int
    listening : array (bins, antennas), 0 to 1
        For how much of a bin the antenna read any tag, in steps of a fifth. The less there is to be read, the less it
        tells: 0 is an antenna that was off, or one with no tag around.
    outside : int
        Reads before the start or after the end, which are in no bin.
    """

    table: pd.DataFrame
    start: float
    width: float
    bins: int
    tags: pd.Index
    antennas: NDArray[np.int16]
    listening: NDArray[np.float32]
    outside: int

    @property
    def times(self) -> NDArray[np.floating]:
        """When each bin begins, seconds."""
        return self.start + self.width * np.arange(self.bins, dtype=float)

    @property
    def silent(self) -> list[int]:
        """Antennas that read nothing: off, broken, or with no tag around."""
        return self.antennas[~self.listening.any(axis=0)].tolist()

    def dense(self, tag: str) -> Dense:
        """Spread one tag over all bins and antennas.

        Raises
        ------
        ValueError
            There is no such tag.
        """
        code = self.tags.get_indexer(pd.Index([tag]))[0]
        if code < 0:
            raise ValueError(f"tag {tag!r} is none of the {len(self.tags)} there are")
        first, last = np.searchsorted(self.table["epc"].cat.codes.to_numpy(), [code, code + 1])
        rows = self.table.iloc[first:last]
        cells = rows["bin"].to_numpy(), np.searchsorted(self.antennas, rows["antenna"].to_numpy())
        shape = self.bins, len(self.antennas)
        found = Dense(np.zeros(shape, np.int32), *(np.full(shape, np.nan, np.float32) for _ in range(2)))
        for name, spread in zip(Dense._fields, found, strict=True):
            spread[cells] = rows[name]
        return found


def find_presence(
    reads: pd.DataFrame,
    bin: float = 0.5,
    start: float | None = None,
    end: float | None = None,
    antennas: Iterable[int] | None = None,
) -> Presence:
    """Count reads by tag, antenna and bin of time; cost grows in proportion to their number.

    >>> reads = pd.DataFrame({"time": [0.1, 0.2, 1.7], "epc": pd.Categorical(["a", "a", "b"]), "antenna": [1, 1, 2],
    ...                       "rssi": [-60.0, -50.0, -70.0]})
    >>> presence = find_presence(reads)
    >>> presence.table["reads"].tolist(), presence.table["rssi"].tolist()
    ([2, 1], [-55.0, -70.0])
    >>> presence.dense("a").reads[:, 0]
    array([2, 0, 0, 0], dtype=int32)

    Parameters
    ----------
    reads : DataFrame with time (seconds), epc (a category), antenna, rssi (dBm)
        As `check_reads` returns them.
    bin : float, seconds
        Width of a bin.
    start, end : float, optional, seconds
        By default the bins that hold the first and the last read, of a grid on which a bin begins at 0, so that
        those of two recordings meet.
    antennas : whole numbers, optional
        All that there are, so that one which read nothing is told of; by default those that read something.

    Raises
    ------
    ValueError
        A column or a code is missing, a time is not finite, an antenna is not among those told, the end does not
        follow the start, or there are too many bins.
    """
    reads = in_order(reads, ["time", "epc", "antenna", "rssi"])
    codes, times = reads["epc"].cat.codes.to_numpy(), reads["time"].to_numpy(float)
    known, places = _antennas(reads["antenna"].to_numpy(), antennas)
    start, bins = _grid(times, bin, start, end, len(known))
    offset = (times - start) / bin
    inside = slice(*np.searchsorted(offset, [0, bins]))
    offset, places, codes = offset[inside], places[inside], codes[inside]
    slots = offset.astype(np.int32)
    table = _count(codes, places, slots, reads["rssi"].to_numpy(np.float32)[inside], len(known))
    listening = _listening(places, slots, offset, bins, len(known))
    table["epc"] = pd.Categorical.from_codes(table["epc"].to_numpy(), reads["epc"].cat.categories)
    table["antenna"] = known[table["antenna"]]
    outside = len(reads) - len(offset)
    return Presence(table, start, bin, bins, reads["epc"].cat.categories, known, listening, outside)


def in_order(reads: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    """Bring reads into the order of time, where they are not, and their codes into a category.

    Raises
    ------
    ValueError
        A column or a code is missing, or a time is not finite.
    """
    if missing := [name for name in columns if name not in reads]:
        raise ValueError(f"reads have no column {', '.join(missing)}; they have {', '.join(map(str, reads))}")
    time = reads["time"].to_numpy(float)
    reads = reads.astype({"epc": "category"})
    for name, wrong in (("time", ~np.isfinite(time)), ("epc", reads["epc"].cat.codes.to_numpy() < 0)):
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise ValueError(f"reads: {name} of row {row + 1} is {reads[name].iloc[row]}; check_reads sets such aside")
    return reads if (time[1:] >= time[:-1]).all() else reads.sort_values("time", kind="stable")


def order_by(key: NDArray) -> NDArray[np.intp]:
    """Sort whole numbers from 0, keeping the order of equal ones: 16 bits at a time, which numpy does by counting.

    >>> order_by(np.array([70000, 3, 70000, 1]))
    array([3, 1, 0, 2])
    """
    order = np.argsort(key.astype(np.uint16), kind="stable")  # the lowest 16 bits
    for shift in range(16, int(key.max(initial=0)).bit_length(), 16):
        digits = (key >> shift).astype(np.uint16)
        order = order[np.argsort(digits[order], kind="stable")]
    return order


def _antennas(told: NDArray, antennas: Iterable[int] | None) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """All antennas, rising, and the place among them of each read's."""
    places, names = pd.factorize(told)
    known = np.unique(names if antennas is None else np.array(list(antennas), dtype=np.int16)).astype(np.int16)
    if strange := sorted(set(names.tolist()) - set(known.tolist())):
        raise ValueError(f"reads: antenna {strange[0]} is none of {', '.join(map(str, known))}")
    return known, np.searchsorted(known, names).astype(np.int16)[places]


def _grid(times: NDArray, bin: float, start: float | None, end: float | None, antennas: int) -> tuple[float, int]:
    """When the first bin begins, and how many there are."""
    if not (np.isfinite(bin) and bin > 0):
        raise ValueError(f"bin is {bin!r}: a number of seconds above 0 is needed")
    if start is None:
        start = min(float(np.floor(times[0] / bin) * bin), float(times[0])) if len(times) else 0.0
    if end is not None:
        bins = int(np.ceil(round((end - start) / bin, 6)))
    else:
        bins = int(np.floor((times[-1] - start) / bin)) + 1 if len(times) else 0
    nothing = end is None and not len(times)
    if bins < 1 - nothing or bins * max(antennas, 1) > _MOST_CELLS:
        raise ValueError(
            f"from {start:.2f} s there are {bins} bins of {bin:g} s for {antennas} antennas: 1 to "
            f"{_MOST_CELLS} in all are needed; give another start, end or bin"
        )
    return start, bins


def _count(codes: NDArray, places: NDArray, slots: NDArray, rssi: NDArray[np.float32], antennas: int) -> pd.DataFrame:
    """A row for each tag, antenna and bin with a read: reads are by time, so only tag and antenna are sorted."""
    small = np.min_scalar_type((int(codes.max(initial=0)) + 1) * antennas)  # what fits the cache sorts fast
    group = codes.astype(small) * small.type(antennas) + places.astype(small)
    order = order_by(group)
    group, slots, rssi = group[order], slots[order], rssi[order]
    first = np.flatnonzero(np.append(True, (group[1:] != group[:-1]) | (slots[1:] != slots[:-1]))[: len(group)])
    reads = np.diff(np.append(first, len(group))).astype(np.int32)
    told = ~np.isnan(rssi)
    numbers = reads if told.all() else np.add.reduceat(told, first, dtype=np.int32)
    with np.errstate(invalid="ignore"):
        mean = np.add.reduceat(np.where(told, rssi, 0), first, dtype=float) / numbers if len(first) else rssi
    strongest = np.fmax.reduceat(rssi, first) if len(first) else rssi
    found = {"epc": group[first] // antennas if antennas else group, "antenna": group[first] % max(antennas, 1)}
    found |= {"bin": slots[first], "reads": reads, "rssi": mean.astype(np.float32), "strongest": strongest}
    return pd.DataFrame(found)


def _listening(places: NDArray, slots: NDArray, offset: NDArray, bins: int, antennas: int) -> NDArray[np.float32]:
    """The share of a bin's parts in which an antenna read any tag."""
    heard = np.zeros((bins, antennas, _PARTS), dtype=bool)
    parts = np.minimum((offset - slots) * _PARTS, _PARTS - 1).astype(np.int8)
    heard[slots, places, parts] = True
    return heard.mean(axis=2, dtype=np.float32)
