"""Tables from files, with keys as they are: a key of 62 bits is no float, also where another one is missing.

Whoever takes a frame asks here for the columns that it needs (`need_columns`).
"""

import hashlib
from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

SUFFIXES = (".parquet", ".feather", ".arrow", ".csv")


def read_table(path: Path, columns: Collection[str] | None = None) -> pd.DataFrame:
    """Read a table whose column `visit`, if it has one, holds keys.

    Parameters
    ----------
    path : Path
        A file whose name ends as one of `SUFFIXES`.
    columns : names, optional
        Those wanted of the ones that are there; by default all.

    Raises
    ------
    ValueError
        The file's name ends otherwise.
    OSError
        It cannot be read.
    """
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path}: tracks are read from {', '.join(SUFFIXES[:-1])} and {SUFFIXES[-1]}")
    return _from_csv(path, columns) if path.suffix == ".csv" else _from_arrow(path, columns)


def _from_csv(path: Path, columns: Collection[str] | None) -> pd.DataFrame:
    table = pd.read_csv(path, usecols=None if columns is None else lambda name: name in columns)
    if "visit" in table and pd.api.types.is_float_dtype(table["visit"]) and table["visit"].isna().any():
        table["visit"] = pd.read_csv(path, usecols=["visit"], dtype_backend="numpy_nullable")["visit"]
    return table


def _from_arrow(path: Path, columns: Collection[str] | None) -> pd.DataFrame:
    """On one core: who reads many files has a process for each of the others."""
    from pyarrow import feather, parquet

    if path.suffix == ".parquet":
        there = parquet.read_schema(path).names
        table = parquet.read_table(path, columns=_wanted(there, columns), use_threads=False)
    else:
        table = feather.read_table(path, use_threads=False)
        table = table.select(_wanted(table.column_names, columns))
    frame: pd.DataFrame = table.to_pandas(types_mapper=_whole(table).get, split_blocks=True)
    return frame


def _wanted(there: list[str], columns: Collection[str] | None) -> list[str]:
    return [name for name in there if columns is None or name in columns]


def _whole(table: Any) -> dict[Any, Any]:
    """The kind of the keys, if they are whole numbers of which some are missing; pandas' own way is to floats."""
    import pyarrow

    if "visit" not in table.column_names or not table["visit"].null_count:
        return {}
    kind = table.schema.field("visit").type
    return {kind: pd.Int64Dtype()} if pyarrow.types.is_integer(kind) else {}


def need_columns(
    frame: pd.DataFrame, columns: Iterable[Hashable], name: object, *, error: type[Exception] = ValueError
) -> None:
    """Refuse a frame that lacks a column.

    Parameters
    ----------
    frame : DataFrame
    columns : names
        Those that must be there.
    name : object
        What the frame is called where it is refused: a parameter, or the path of a file.
    error : type of exception
        What is raised.

    Raises
    ------
    ValueError
        Or `error`: naming the frame, the columns that are missing, and those that it has.
    """
    if missing := [str(column) for column in columns if column not in frame]:
        raise error(f"{name} has no column {', '.join(missing)}; it has {', '.join(map(str, frame)) or 'none'}")


@dataclass(frozen=True, eq=False)
class InputTables:
    """Tables that a page reads, with a digest, so that a run can tell what it was made from.

    Attributes
    ----------
    name : str
        Of the dataset.
    frames : dict of str to DataFrame
    source : str
        Where they come from.
    """

    name: str
    frames: Mapping[str, pd.DataFrame]
    source: str = ""

    @property
    def digest(self) -> str:
        """Digest of all rows of all tables."""
        total = hashlib.sha256()
        for name, frame in self.frames.items():
            total.update(name.encode())
            total.update(pd.util.hash_pandas_object(frame.reset_index(drop=True)).to_numpy().tobytes())
        return total.hexdigest()

    def profile(self) -> dict[str, int]:
        """Rows of each table."""
        return {name: len(frame) for name, frame in self.frames.items()}
