"""Tag reads at the door: as readers write them, checked, and what cannot be is set aside and counted.

    raw = read_llrp("reads.csv")               # CSV or JSON records, under a reader's names for things or ours
    reads, wrong = check_reads(raw, antennas=[1, 2, 3, 4])
    count_problems(wrong)

A reads frame has a row for each time that a tag answered: time (seconds), epc (a category: hexadecimal, upper case),
antenna and channel (whole numbers), rssi (dBm) and phase (radians, 0 to 2 pi; nan where the reader does not tell it).
"""

import json
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.store.rfid.clocks import clock_steps
from retailkit.store.rfid.epc import code_problems, normalise_epcs

COLUMNS = ["time", "epc", "antenna", "channel", "rssi", "phase"]
_NAMES = {  # a reader's name: ours, and what a unit of it is in ours (LLRP 1.1 and Impinj's extensions, rev. 3.0)
    "EPC-96": ("epc", 1.0), "EPC": ("epc", 1.0), "epc": ("epc", 1.0),
    "AntennaID": ("antenna", 1.0), "antenna": ("antenna", 1.0),
    "ChannelIndex": ("channel", 1.0), "channel": ("channel", 1.0),
    "FirstSeenTimestampUTC": ("time", 1e-6), "time": ("time", 1.0),
    "ImpinjPeakRSSI": ("rssi", 0.01), "PeakRSSI": ("rssi", 1.0), "rssi": ("rssi", 1.0),
    "ImpinjRFPhaseAngle": ("phase", 2 * np.pi / 4096), "phase": ("phase", 1.0),
}  # fmt: skip
WEAKEST, STRONGEST = -110.0, 0.0  # dBm: no reader hears less, and no tag sends back more
_MOST = np.iinfo(np.int16).max  # of antennas and channels
_SLACK = 1.0  # seconds: readers report in bunches, the rows of one in any order


def read_llrp(path: Path | str) -> pd.DataFrame:
    """Read what a reader's client wrote: a CSV file, a JSON array of records, or one record in each line.

    Parameters
    ----------
    path : Path
        Names of columns are those of LLRP reports as clients write them (``EPC-96``, ``AntennaID``, ``ChannelIndex``,
        ``FirstSeenTimestampUTC`` in microseconds, ``PeakRSSI`` in dBm or ``ImpinjPeakRSSI`` in hundredths of one,
        ``ImpinjRFPhaseAngle`` in 4096ths of a turn), or those of a reads frame. Others are left aside: the Doppler
        frequency that readers tell is noise at the speed of walking.

    Returns
    -------
    DataFrame
        Columns of a reads frame in the order of the file, not yet checked; antenna and channel are 0, rssi and phase
        nan, where the file does not tell them.

    Raises
    ------
    ValueError
        The file is neither, a record is no object, or there is no column for time or code.
    """
    path = Path(path)
    raw = _table(path) if path.suffix.lower() == ".csv" else _records(path)
    found: dict[str, pd.Series] = {}
    for theirs, (ours, unit) in _NAMES.items():
        if theirs in raw:
            column = _codes(raw[theirs]) if ours == "epc" else _scaled(raw[theirs], unit)
            found[ours] = found[ours].where(found[ours].notna(), column) if ours in found else column
    if missing := [name for name in ("time", "epc") if name not in found]:
        raise ValueError(
            f"{path} has no column for {' and '.join(missing)}; it has {', '.join(map(str, raw))}. Known names are "
            f"{', '.join(_NAMES)}"
        )
    missing_as = {"antenna": 0.0, "channel": 0.0, "rssi": np.nan, "phase": np.nan}
    return pd.DataFrame({name: found.get(name, missing_as.get(name)) for name in COLUMNS}, index=raw.index)


def _codes(column: pd.Series) -> pd.Series:
    return column.map(str, na_action="ignore") if column.dtype == object else column


def _scaled(column: pd.Series, unit: float) -> pd.Series:
    """Numbers in our unit; what is no number stays as it is told, for `check_reads` to set aside."""
    numbers = _numbers(column) * unit
    return numbers.where(numbers.notna() | column.isna(), column)


def _numbers(column: pd.Series) -> pd.Series:
    """Numbers, nan where something else stands."""
    if pd.api.types.is_numeric_dtype(column):
        return column
    known = column.map(_may_be_number).astype(bool)
    return pd.to_numeric(column.where(known), errors="coerce").astype(float)


def _may_be_number(value: object) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool) and value.bit_length() < 1000
    return whole or isinstance(value, str | float | np.number)


def _table(path: Path) -> pd.DataFrame:
    try:
        with warnings.catch_warnings():  # rows longer than the header, which pandas would cut
            warnings.simplefilter("error", pd.errors.ParserWarning)
            kinds = {"EPC-96": str, "EPC": str, "epc": str}
            return pd.read_csv(path, dtype=kinds, index_col=False, low_memory=False)
    except (ValueError, pd.errors.ParserWarning) as error:
        raise ValueError(f"{path}: {error}; a table with a header and as many values in each row is needed") from error


def _records(path: Path) -> pd.DataFrame:
    try:
        text = path.read_text(encoding="utf-8")
        if text.lstrip().startswith("["):
            rows = json.loads(text)
        else:
            rows = [_record(line, number) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
        if "\\ud" in text or "\\uD" in text:  # may be half a character: a question mark in its place
            rows = json.loads(json.dumps(rows, ensure_ascii=False).encode("utf-8", "replace"))
        return _frame(rows, path)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: {error}; CSV, a JSON array, or a JSON object in each line is needed") from error


def _record(line: str, number: int) -> object:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise json.JSONDecodeError(f"line {number}: {error.msg}", error.doc, error.pos) from error


def _frame(rows: list[object], path: Path) -> pd.DataFrame:
    wrong = next((number for number, row in enumerate(rows, 1) if not isinstance(row, dict)), None)
    if wrong is not None:
        raise ValueError(f"{path}, record {wrong}: {str(rows[wrong - 1])[:60]!r} is no object with names and values")
    return pd.DataFrame(rows)


def check_reads(
    raw: pd.DataFrame,
    antennas: Iterable[int] | None = None,
    weakest: float = WEAKEST,
    strongest: float = STRONGEST,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Set aside reads that cannot be, and bring the others into the order of time.

    >>> raw = pd.DataFrame({"time": [0.0, 0.1, 0.1, 0.2], "epc": ["3074257BF7194E4000001A85"] * 3 + ["30XY"],
    ...                     "antenna": 1, "channel": 4, "rssi": -61.5, "phase": 0.3})
    >>> reads, wrong = check_reads(raw)
    >>> len(reads), wrong["problem"].tolist()
    (2, ['a second read of this tag, antenna and moment', "'X' is no hexadecimal digit"])

    Parameters
    ----------
    raw : DataFrame
        A reads frame in the order in which it was recorded; without channel, rssi or phase they are unknown.
    antennas : whole numbers, optional
        Those that there are.
    weakest, strongest : float, dBm
        What can be received.

    Returns
    -------
    reads : DataFrame
        Columns of a reads frame by time; phases are brought to 0 to 2 pi.
    quarantine : DataFrame
        A row for each read that was set aside: row (from 1, as recorded), time, epc, problem (a category): a word in
        place of a number, an antenna or channel that is no whole number, no time, a code that is none, an antenna that
        there is not, an rssi or phase out of range, a clock that steps by over a second and back, repeats. Each read is
        told once, with the first of these.

    Raises
    ------
    ValueError
        A column is missing, or of dates or the like.
    """
    found = _Problems(len(raw))
    frame = _columns(raw, found)
    time, rssi, phase = (frame[name].to_numpy() for name in ("time", "rssi", "phase"))
    found.tell(~np.isfinite(time), "no time")
    wrong_codes = code_problems(frame["epc"].cat.categories)
    found.tell_each(frame["epc"].cat.codes.to_numpy(), [*wrong_codes, "no code"])  # -1, the last, where there is none
    if antennas is not None:
        known = sorted(int(one) for one in antennas)
        places, ones = pd.factorize(frame["antenna"].to_numpy())
        told = f": there are {', '.join(map(str, known))}"
        found.tell_each(places, ["" if one in known else f"antenna {one}{told}" for one in ones])
    found.tell((rssi < weakest) | (rssi > strongest), f"an rssi outside of {weakest:g} to {strongest:g} dBm")
    found.tell(np.isinf(phase), "a phase without end")
    good = found.good()
    found.tell(
        _placed(good[clock_steps(time[good], _SLACK)], len(frame)), f"the clock steps by over {_SLACK:g} s and back"
    )
    good = found.good()
    order = good[np.argsort(time[good], kind="stable")] if (np.diff(time[good]) < 0).any() else good
    found.tell(_placed(order[_repeats(frame, order)], len(frame)), "a second read of this tag, antenna and moment")
    kept = frame.take(order[found.codes[order] < 0]).reset_index(drop=True)
    kept["epc"] = kept["epc"].cat.remove_categories(frame["epc"].cat.categories[wrong_codes != ""])
    return kept, found.table(frame)


class _Problems:
    """Which reads were set aside, and why: the first reason counts."""

    def __init__(self, length: int) -> None:
        self.codes = np.full(length, -1, dtype=np.int32)
        self.kinds: dict[str, int] = {}

    def tell(self, rows: NDArray[np.bool_], what: str) -> None:
        if rows.any():
            self.codes[rows & (self.codes < 0)] = self._kind(what)

    def tell_each(self, places: NDArray, whats: Sequence[str]) -> None:
        """Tell of each row what stands at its place of a list: nothing where that is empty."""
        if any(whats):
            told = np.array([self._kind(what) if what else -1 for what in whats], dtype=np.int32)[places]
            self.codes = np.where(self.codes < 0, told, self.codes)

    def good(self) -> NDArray[np.intp]:
        return np.flatnonzero(self.codes < 0)

    def table(self, frame: pd.DataFrame) -> pd.DataFrame:
        rows = np.flatnonzero(self.codes >= 0)
        used, codes = np.unique(self.codes[rows], return_inverse=True)
        kinds = pd.Index(np.array(list(self.kinds), dtype=object)[used], dtype="str")
        problem = pd.Categorical.from_codes(codes, categories=kinds)  # type: ignore[arg-type]
        told = {name: frame[name].array[rows] for name in ("time", "epc")}
        return pd.DataFrame({"row": rows + 1, **told, "problem": problem})

    def _kind(self, what: str) -> int:
        return self.kinds.setdefault(what, len(self.kinds))


def count_problems(wrong: pd.DataFrame) -> pd.DataFrame:
    """Count reads that were set aside: problem, reads, tags, and the first row; most frequent first."""
    groups = wrong.groupby("problem", observed=True)
    told = groups.agg(reads=("row", "size"), tags=("epc", "nunique"), first_row=("row", "min"))
    return told.sort_values(["reads", "first_row"], ascending=[False, True]).reset_index()


def _columns(raw: pd.DataFrame, found: _Problems) -> pd.DataFrame:
    """The columns of a reads frame, of one kind each, whatever a file had."""
    if missing := [name for name in ("time", "epc", "antenna") if name not in raw]:
        raise ValueError(f"reads have no column {', '.join(missing)}; they have {', '.join(map(str, raw))}")
    numbers = {name: _told_numbers(raw, name, found) for name in COLUMNS if name != "epc"}
    found.tell(np.isnan(numbers["antenna"]), "no antenna")
    for name in ("antenna", "channel"):
        whole = np.nan_to_num(numbers[name], nan=0)
        wrong = (whole < 0) | (whole > _MOST) | (whole != np.floor(whole))
        found.tell(wrong, f"{name} is no whole number from 0 to {_MOST}")
        numbers[name] = np.where(wrong, 0, whole).astype(np.int16)
    with np.errstate(over="ignore"):
        changed = {"time": numbers["time"].astype(float, copy=False), "rssi": numbers["rssi"].astype(np.float32)}
    changed["phase"] = _turned(numbers["phase"])
    return pd.DataFrame({**numbers, **changed, "epc": _categories(raw["epc"])})[COLUMNS]


def _told_numbers(raw: pd.DataFrame, name: str, found: _Problems) -> NDArray:
    """A column's numbers, nan where there is none; what numpy holds stays as narrow as it is."""
    if name not in raw:
        return np.full(len(raw), np.nan)
    column = raw[name]
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iuf" and column.dtype.itemsize <= 8:
        return column.to_numpy()
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=float, na_value=np.nan)
    if not (column.dtype == object or pd.api.types.is_string_dtype(column)):
        raise ValueError(f"reads: {name} holds {column.dtype}; numbers are needed")
    numbers = _numbers(column)
    wrong = (numbers.isna() & column.notna()).to_numpy()
    places, values = pd.factorize(column.map(lambda value: repr(value)[:40]).where(wrong))
    found.tell_each(places, [*(f"{name} {value} is no number" for value in values), ""])
    return numbers.to_numpy(dtype=float, na_value=np.nan)


def _categories(told: pd.Series) -> pd.Categorical:
    """Codes written alike, as categories."""
    if not isinstance(told.dtype, pd.CategoricalDtype):
        return pd.Categorical(normalise_epcs(told))
    alike, names = pd.factorize(normalise_epcs(told.cat.categories))
    return pd.Categorical.from_codes(np.append(alike, -1)[told.cat.codes], categories=pd.Index(names, dtype="str"))


def _turned(phase: NDArray) -> NDArray[np.float32]:
    """Phases from 0 to 2 pi, the latter left out after rounding too; those without end stay so."""
    most = np.nextafter(np.float32(2 * np.pi), np.float32(0))
    if np.fmin.reduce(phase, initial=0) >= 0 and np.fmax.reduce(phase, initial=0) <= most:
        return phase.astype(np.float32)
    phase = phase.astype(float, copy=False)
    with np.errstate(invalid="ignore"):
        turned = np.mod(phase, 2 * np.pi).astype(np.float32)
    turned[turned >= np.float32(2 * np.pi)] = 0
    turned[np.isinf(phase)] = np.inf
    return turned


def _placed(rows: NDArray[np.intp], length: int) -> NDArray[np.bool_]:
    found = np.zeros(length, dtype=bool)
    found[rows] = True
    return found


def _repeats(frame: pd.DataFrame, order: NDArray[np.intp]) -> NDArray[np.intp]:
    """Places in `order`, which is by time, that hold a tag, antenna and moment again."""
    time = frame["time"].to_numpy()[order]
    same = np.append(False, time[1:] == time[:-1])
    rows = np.flatnonzero(same | np.append(same[1:], False))  # few share a moment: only these are compared
    keys = [frame[name].to_numpy()[order[rows]] for name in ("time", "antenna")]
    table = pd.DataFrame({"time": keys[0], "antenna": keys[1], "epc": frame["epc"].cat.codes.to_numpy()[order[rows]]})
    return rows[table.duplicated().to_numpy()]
