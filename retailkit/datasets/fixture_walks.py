"""Walks through a store with a handheld reader, where it is known on which fixture each tag hangs; and lab layouts.

walks = read_fixture_walks("rfid_detego")
walks.reads        # walk, time (s), epc, rssi (dBm), session
walks.fixtures     # epc, fixture
walks.places       # fixture, x, y (m)
layouts = read_tag_layouts("rfid_detego")
layouts.reads      # experiment, setup, motion, rounds, time (s), tag, rssi (dBm)
layouts.places     # setup, tag, x, y (m)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from retailkit.datasets import places as whereabouts
from retailkit.datasets.catalogue import DataError
from retailkit.datasets.tables import need_columns

SESSIONS = ("S0", "S1", "S2", "S3")  # of EPC Gen2: how long a tag that has answered keeps silent
SETUPS = {"2d": "2d.npy", "2da": "2d_asymmetric.npy", "3d": "3d.npy"}
MOTIONS = ("walking", "random")
_WEAKEST, _STRONGEST = -110.0, 0.0  # dBm
_LONGEST = 3600.0  # seconds: no walk takes more
_QUARANTINE = ["file", "line", "problem"]
_Check = Callable[[pd.DataFrame], pd.Series]


@dataclass(frozen=True, eq=False)
class FixtureWalks:
    """A store that was walked through several times.

    Attributes
    ----------
    name : str
    reads : DataFrame
        walk (number), time (seconds since the first read of the walk), epc (text), rssi (dBm), session (of Gen2: S0
        to S3; a tag that has answered in S1 keeps silent for a while), by walk and time. Tags without a fixture are
        in it too.
    fixtures : DataFrame
        epc (text), fixture (number): one row for each tag whose fixture somebody wrote down, read or not.
    places : DataFrame
        fixture, x, y (metres). Several fixtures may share a place.
    quarantine : DataFrame
        Columns file, line (the header is line 1), problem: what was set aside.
    """

    name: str
    reads: pd.DataFrame
    fixtures: pd.DataFrame
    places: pd.DataFrame
    quarantine: pd.DataFrame

    @property
    def positions(self) -> pd.Series:
        """Name of the distinct place of each fixture, as text such as '4.10, 2.10' (metres); index fixture."""
        names = [f"{x:.2f}, {y:.2f}" for x, y in zip(self.places["x"], self.places["y"], strict=True)]
        return pd.Series(names, index=pd.Index(self.places["fixture"], name="fixture"), name="position", dtype="str")


@dataclass(frozen=True, eq=False)
class TagLayouts:
    """Tags laid out in a laboratory, read in many experiments.

    Attributes
    ----------
    name : str
    reads : DataFrame
        experiment (number), setup (a key of `SETUPS`), motion (of the reader: ``walking`` round the tags or
        ``random``), rounds (how many), time (seconds since the first read of the experiment), tag (number), rssi
        (dBm), by experiment and time.
    places : DataFrame
        setup, tag, x, y (metres from tag 0, on the floor plan: of the setup 3d too the height is not told).
    quarantine : DataFrame
        Columns file, line (the header is line 1), problem: what was set aside.
    """

    name: str
    reads: pd.DataFrame
    places: pd.DataFrame
    quarantine: pd.DataFrame


def read_fixture_walks(name: str | Path = "rfid_detego", seed: int = 0) -> FixtureWalks:
    """Read the walks of a set by its name below ``RETAILKIT_DATA``, or of a folder of one's own.

    The folder holds ``dataset.csv`` (milliseconds, epc, rssi, session, experiment_nr), ``panels_epc_mapping.csv``
    (epc, panel) and ``panels_ground_truth.csv`` (panel, x, y in centimetres). Other columns are left aside.

    Parameters
    ----------
    name : str or Path
        A set, or the folder itself.
    seed : int
        Of a simulated set.

    Raises
    ------
    DataError
        No such set or file, a file that is no table, lacks a column or holds no row that can be used. Single rows
        that cannot be used are set aside in the quarantine.
    """
    known = whereabouts.card_of(name)
    if known and known.simulator:
        made: FixtureWalks = whereabouts.simulate(known, seed=seed)
        return made
    home = whereabouts.place(name, known)
    reads, wrong = _walks(home / "dataset.csv")
    places, unplaced = _places(home / "panels_ground_truth.csv")
    fixtures, unknown = _fixtures(home / "panels_epc_mapping.csv", places)
    quarantine = pd.concat([wrong, unplaced, unknown], ignore_index=True)
    return FixtureWalks(known.name if known else home.name, reads, fixtures, places, quarantine)


def _walks(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    table = _table(path, ["milliseconds", "epc", "rssi", "session", "experiment_nr"])
    checks = {
        "epc {epc!r} is no code of a tag": lambda rows: rows["epc"] != "",
        "session {session!r} is none of Gen2's: " + ", ".join(SESSIONS): lambda rows: rows["session"].isin(SESSIONS),
    }
    rows, wrong = _sift(path, table, ["milliseconds", "rssi"], ["experiment_nr"], checks)
    rows, repeated = _timed(path, rows, "experiment_nr", "epc")
    columns = {"experiment_nr": "walk", "time": "time", "epc": "epc", "rssi": "rssi", "session": "session"}
    return rows[list(columns)].rename(columns=columns), pd.concat([wrong, repeated], ignore_index=True)


def _places(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    checks = {"panel {panel} stands in a line above too": lambda rows: ~rows["panel"].duplicated()}
    rows, wrong = _sift(path, _table(path, ["panel", "x", "y"]), ["x", "y"], ["panel"], checks)
    rows[["x", "y"]] /= 100
    return rows[["panel", "x", "y"]].rename(columns={"panel": "fixture"}), wrong


def _fixtures(path: Path, places: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    checks: dict[str, _Check] = {
        "epc {epc!r} is no code of a tag": lambda rows: rows["epc"] != "",
        "tag {epc} has a fixture in two lines": lambda rows: ~rows["epc"].duplicated(keep=False),
        "panel {panel} has no place in panels_ground_truth.csv": lambda rows: rows["panel"].isin(places["fixture"]),
    }
    rows, wrong = _sift(path, _table(path, ["epc", "panel"]), [], ["panel"], checks)
    return rows[["epc", "panel"]].rename(columns={"panel": "fixture"}), wrong


def read_tag_layouts(name: str | Path = "rfid_detego") -> TagLayouts:
    """Read the laboratory's experiments of a set by its name below ``RETAILKIT_DATA``, or of a folder of one's own.

    The folder ``dataset`` in it holds ``dataset.csv`` (experiment_nr, setup, experiment, iterations, milliseconds,
    serial, rssi) and for each setup in it an array (tags, 2) of places in centimetres, as `SETUPS` names them.

    Parameters
    ----------
    name : str or Path
        A set, or the folder that holds ``dataset``.

    Raises
    ------
    DataError
        No such set or file, a file that is no table or array, lacks a column or holds no row that can be used. Single
        rows that cannot be used are set aside in the quarantine.
    """
    known = whereabouts.card_of(name)
    home = whereabouts.place(name, known)
    path = home / "dataset" / "dataset.csv"
    needed = ["experiment_nr", "setup", "experiment", "iterations", "milliseconds", "serial", "rssi"]
    checks: dict[str, _Check] = {
        "setup {setup!r} is unknown; there are " + ", ".join(SETUPS): lambda rows: rows["setup"].isin(SETUPS),
        "experiment {experiment!r} is neither " + " nor ".join(MOTIONS): lambda rows: rows["experiment"].isin(MOTIONS),
    }
    whole = ["experiment_nr", "iterations", "serial"]
    rows, wrong = _sift(path, _table(path, needed), ["milliseconds", "rssi"], whole, checks)
    places = pd.concat([_layout(path.parent, setup) for setup in rows["setup"].unique()], ignore_index=True)
    rows, unplaced = _placed(path, rows, places)
    rows, repeated = _timed(path, rows, "experiment_nr", "serial")
    names = {"experiment_nr": "experiment", "experiment": "motion", "iterations": "rounds", "serial": "tag"}
    reads = rows.rename(columns=names)[["experiment", "setup", "motion", "rounds", "time", "tag", "rssi"]]
    quarantine = pd.concat([wrong, unplaced, repeated], ignore_index=True)
    return TagLayouts(known.name if known else home.name, reads, places, quarantine)


def _layout(folder: Path, setup: str) -> pd.DataFrame:
    path = folder / SETUPS[setup]
    try:
        numbers = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} is no array that can be read: {error}") from error
    if numbers.ndim != 2 or numbers.shape[1] != 2 or numbers.dtype.kind not in "fiu" or not np.isfinite(numbers).all():
        raise DataError(f"{path} is an array {numbers.shape} of {numbers.dtype}; (tags, 2) finite numbers are needed")
    x, y = numbers.astype(float).T / 100
    return pd.DataFrame({"setup": setup, "tag": np.arange(len(numbers)), "x": x, "y": y})


def _placed(path: Path, rows: pd.DataFrame, places: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of tags that have a place in their setup, and the others."""
    known = pd.MultiIndex.from_frame(rows[["setup", "serial"]]).isin(pd.MultiIndex.from_frame(places[["setup", "tag"]]))
    good = pd.Series(known, index=rows.index)
    return _part(path, rows, good, "tag {serial} has no place in setup {setup}")


def _table(path: Path, columns: list[str]) -> pd.DataFrame:
    """Read the columns of a table as text, with the line of each row."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, skip_blank_lines=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(f"{path} is no table that can be read: {error}") from error
    need_columns(table, columns, path, error=DataError)
    table = table[columns].apply(lambda column: column.fillna("").str.strip())
    return table.assign(line=np.arange(len(table)) + 2)


def _sift(
    path: Path, table: pd.DataFrame, numbers: list[str], whole: list[str], checks: dict[str, _Check]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Turn columns of text into numbers; set aside the rows that cannot be used, each with its first problem."""
    wrong = []
    for name in [*numbers, *whole]:
        value = pd.to_numeric(table[name], errors="coerce")
        good = np.isfinite(value) & ((value % 1 == 0) & (value.abs() < 1e9) if name in whole else True)
        wanted = "a whole number" if name in whole else "a number"
        table, found = _part(path, table, good, f"{name} {{{name}!r}} is not {wanted}")
        table = table.assign(**{name: value[good].astype(int if name in whole else float)})
        wrong.append(found)
    if "rssi" in numbers:
        range_ = f"rssi {{rssi:g}} dBm is not between {_WEAKEST:g} and {_STRONGEST:g}"
        checks = {range_: lambda rows: rows["rssi"].between(_WEAKEST, _STRONGEST), **checks}
    for problem, check in checks.items():
        table, found = _part(path, table, check(table), problem)
        wrong.append(found)
    quarantine = pd.concat(wrong, ignore_index=True)
    if table.empty:
        first = f"; line {quarantine['line'][0]}: {quarantine['problem'][0]}" if len(quarantine) else ""
        raise DataError(f"{path} holds no row that can be used{first}")
    return table.reset_index(drop=True), quarantine


def _part(path: Path, rows: pd.DataFrame, good: pd.Series, problem: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Part the good rows from the others, which become rows of the quarantine."""
    wrong = [(path.name, row["line"], problem.format_map(row)) for row in rows[~good].to_dict("records")]
    return rows[good], pd.DataFrame(wrong, columns=_QUARANTINE)


def _timed(path: Path, rows: pd.DataFrame, walk: str, tag: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Count time from the first read of each walk, in its order; nothing an hour off, and no read twice."""
    off = (rows["milliseconds"] - rows.groupby(walk)["milliseconds"].transform("median")).abs() / 1000
    problem = f"{{milliseconds:.0f}} ms is over {_LONGEST:g} s from the middle of its walk"
    rows, strange = _part(path, rows, off <= _LONGEST, problem)
    again = pd.Series(rows.duplicated([walk, tag, "milliseconds"]))
    rows, repeated = _part(path, rows, ~again, "a second read of tag {" + tag + "} in this millisecond")
    start = rows.groupby(walk)["milliseconds"].transform("min")
    rows = rows.assign(time=np.round((rows["milliseconds"] - start) / 1000, 6))
    rows = rows.sort_values([walk, "time"], kind="stable", ignore_index=True)
    return rows, pd.concat([strange, repeated], ignore_index=True)
