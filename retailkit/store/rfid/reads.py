"""Tag reads at the door: as readers write them, checked, and what cannot be is set aside and counted.

    raw = read_llrp("reads.csv")               # CSV or JSON records, under a reader's names for things or ours
    reads, wrong = check_reads(raw, antennas=[1, 2, 3, 4])
    count_problems(wrong)

A reads frame has a row for each time that a tag answered: time (seconds), epc (a category: hexadecimal, upper case),
antenna and channel (whole numbers), rssi (dBm) and phase (radians, 0 to 2 pi; nan where the reader does not tell it).
"""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

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
    raw = pd.read_csv(path, dtype={"EPC-96": str, "EPC": str, "epc": str}) if path.suffix == ".csv" else _records(path)
    found: dict[str, pd.Series] = {}
    for theirs, (ours, unit) in _NAMES.items():
        if theirs in raw and ours not in found:
            column = raw[theirs]
            found[ours] = column if ours == "epc" else pd.to_numeric(column, errors="coerce") * unit
    if missing := [name for name in ("time", "epc") if name not in found]:
        raise ValueError(
            f"{path} has no column for {' and '.join(missing)}; it has {', '.join(map(str, raw))}. Known names are "
            f"{', '.join(_NAMES)}"
        )
    missing_as = {"antenna": 0.0, "channel": 0.0, "rssi": np.nan, "phase": np.nan}
    return pd.DataFrame({name: found.get(name, missing_as.get(name)) for name in COLUMNS}, index=raw.index)


def _records(path: Path) -> pd.DataFrame:
    text = path.read_text(encoding="utf-8")
    try:
        if text.lstrip().startswith("["):
            return _frame(json.loads(text), path)
        rows = []
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                rows.append(_record(line, number))
        return _frame(rows, path)
    except json.JSONDecodeError as error:
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
        A row for each read that was set aside: row (from 1, as recorded), time, epc, problem (a category): no time, a
        code that is none, an unknown antenna, an rssi out of range, a clock that steps by over a second and back,
        repeats. Each read is told once, with the first of these.

    Raises
    ------
    ValueError
        A column is missing or not of numbers.
    """
    frame = _columns(raw)
    codes = np.full(len(frame), -1, dtype=np.int16)
    kinds: list[str] = []

    def tell(rows: NDArray[np.bool_], what: str) -> None:
        rows = rows & (codes < 0)
        if rows.any():
            codes[rows] = len(kinds)
            kinds.append(what)

    time, rssi = frame["time"].to_numpy(), frame["rssi"].to_numpy()
    tell(~np.isfinite(time), "no time")
    names = frame["epc"].cat
    for number, what in enumerate(code_problems(names.categories)):
        if what:
            tell(names.codes.to_numpy() == number, what)
    if antennas is not None:
        known = sorted(int(one) for one in antennas)
        for one in pd.unique(frame["antenna"][~frame["antenna"].isin(known)]):
            tell(frame["antenna"].to_numpy() == one, f"antenna {one}: there are {', '.join(map(str, known))}")
    tell((rssi < weakest) | (rssi > strongest), f"an rssi outside of {weakest:g} to {strongest:g} dBm")
    good = np.flatnonzero(codes < 0)
    tell(_placed(good[_steps(time[good])], len(frame)), f"the clock steps by over {_SLACK:g} s and back")
    good = np.flatnonzero(codes < 0)
    order = good[np.argsort(time[good], kind="stable")] if (np.diff(time[good]) < 0).any() else good
    again = order[_repeats(frame, order)]
    tell(_placed(again, len(frame)), "a second read of this tag, antenna and moment")
    kept = frame.take(order[codes[order] < 0]).reset_index(drop=True)
    rows = np.flatnonzero(codes >= 0)
    problem = pd.Categorical.from_codes(codes[rows].tolist(), categories=pd.Index(kinds, dtype="str"))
    wrong = pd.DataFrame({"row": rows + 1, "time": time[rows], "epc": frame["epc"].array[rows], "problem": problem})
    return kept, wrong


def count_problems(wrong: pd.DataFrame) -> pd.DataFrame:
    """Count reads that were set aside: problem, reads, tags, and the first row; most frequent first."""
    told = wrong.groupby("problem", observed=True).agg(
        reads=("row", "size"), tags=("epc", "nunique"), first_row=("row", "min")
    )
    return told.sort_values(["reads", "first_row"], ascending=[False, True]).reset_index()


def _columns(raw: pd.DataFrame) -> pd.DataFrame:
    """The columns of a reads frame, of one kind each, whatever a file had."""
    if missing := [name for name in ("time", "epc", "antenna") if name not in raw]:
        raise ValueError(f"reads have no column {', '.join(missing)}; they have {', '.join(map(str, raw))}")
    numbers = {}
    for name, fill in (("time", np.nan), ("antenna", 0), ("channel", 0), ("rssi", np.nan), ("phase", np.nan)):
        column = raw[name] if name in raw else pd.Series(fill, index=raw.index)
        if not pd.api.types.is_numeric_dtype(column):
            raise ValueError(f"reads: {name} holds {column.dtype}; numbers are needed")
        numbers[name] = column.to_numpy(dtype=float, na_value=np.nan)
    whole = {
        name: np.nan_to_num(numbers[name], nan=-1).clip(-1, 32767).astype(np.int16) for name in ("antenna", "channel")
    }
    told = raw["epc"]
    if not isinstance(told.dtype, pd.CategoricalDtype):
        told = normalise_epcs(told).astype("category")
    return pd.DataFrame(
        {
            "time": numbers["time"],
            "epc": told.array,
            **whole,
            "rssi": numbers["rssi"].astype(np.float32),
            "phase": np.mod(numbers["phase"], 2 * np.pi).astype(np.float32),
        }
    )


def _placed(rows: NDArray[np.intp], length: int) -> NDArray[np.bool_]:
    found = np.zeros(length, dtype=bool)
    found[rows] = True
    return found


def _steps(time: NDArray[np.float64]) -> NDArray[np.intp]:
    """Rows whose clock is out of step with those around them, taking the fewest out.

    A clock that jumps ahead makes all that follows look late, and one that jumps back all before it early.
    """
    left = np.arange(len(time))
    while len(left):
        here = time[left]
        late = np.maximum.accumulate(here) - here > _SLACK
        if not late.any():
            break
        early = here - np.minimum.accumulate(here[::-1])[::-1] > _SLACK
        left = left[~(late if late.sum() <= early.sum() else early)]
    return np.setdiff1d(np.arange(len(time)), left, assume_unique=True)


def _repeats(frame: pd.DataFrame, order: NDArray[np.intp]) -> NDArray[np.intp]:
    """Places in `order`, which is by time, that hold a tag, antenna and moment again."""
    time = frame["time"].to_numpy()[order]
    same = np.append(False, time[1:] == time[:-1])
    rows = np.flatnonzero(same | np.append(same[1:], False))  # few share a moment: only these are compared
    keys = [frame[name].to_numpy()[order[rows]] for name in ("time", "antenna")]
    table = pd.DataFrame({"time": keys[0], "antenna": keys[1], "epc": frame["epc"].cat.codes.to_numpy()[order[rows]]})
    return rows[table.duplicated().to_numpy()]
