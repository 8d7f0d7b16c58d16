"""Tables of choices: what could have been taken, and what was, one row for each alternative of each choice.

table = read_choices("yogurt")
table.choices        # situation, household, alternative, chosen, and the attributes
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from retailkit.datasets import places
from retailkit.datasets.catalogue import DataError
from retailkit.datasets.reading import digest

# As the R package logitr (Helveston 2023) names them; a table may use our names as well.
_NAMES = {"obsID": "situation", "id": "household", "brand": "alternative", "choice": "chosen"}
_NEEDED = ("situation", "alternative", "chosen")


@dataclass(frozen=True, eq=False)
class ChoiceTable:
    """A table of choices, and where it comes from.

    Attributes
    ----------
    name : str
    choices : DataFrame
        situation, alternative, chosen (0 or 1), household where it is known, and an attribute in each other column.
    folder : Path
        Where it was found.
    digest, source : str
    """

    name: str
    choices: pd.DataFrame
    folder: Path
    digest: str
    source: str

    def profile(self) -> dict[str, Any]:
        """Count what is in it: situations, alternatives, households (0 where nobody says whose a choice was)."""
        kinds = {"situations": "situation", "alternatives": "alternative", "households": "household"}
        return {told: self.choices[name].nunique() if name in self.choices else 0 for told, name in kinds.items()}


def read_choices(name: str | Path) -> ChoiceTable:
    """Read a table of choices by its name below ``RETAILKIT_DATA``, or from a folder of one's own.

    The folder holds one table, ``.rda`` (of R) or ``.csv``, with the columns situation, alternative and chosen, or, as
    logitr names them, obsID, brand and choice; household (id) if known.

    Raises
    ------
    DataError
        There is no such folder, no table in it or several, or not these columns.
    """
    known = places.card_of(name)
    folder = places.place(name, known)
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".rda", ".csv"))
    if len(files) != 1:
        raise DataError(f"{folder} holds {len(files)} tables (.rda, .csv); one is needed")
    frame = _read_rda(files[0]) if files[0].suffix.lower() == ".rda" else _read_csv(files[0])
    frame = frame.rename(columns={old: new for old, new in _NAMES.items() if new not in frame}).reset_index(drop=True)
    if missing := [column for column in _NEEDED if column not in frame]:
        raise DataError(f"{files[0]} has no column {', '.join(missing)}; it has {', '.join(map(str, frame))}")
    first = [column for column in ("situation", "household", "alternative", "chosen") if column in frame]
    frame = frame[[*first, *frame.columns.difference([*first, "alt"], sort=False)]]
    source = known.source if known else str(files[0])
    return ChoiceTable(known.name if known else folder.name, _whole(frame), folder, digest(folder), source)


def _read_rda(path: Path) -> pd.DataFrame:
    import rdata

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Missing constructor for R class")  # a tibble is a data frame
            tables = [table for table in rdata.read_rda(path).values() if isinstance(table, pd.DataFrame)]
    except Exception as error:  # its parser raises whatever the bytes lead it to
        raise DataError(f"{path} is no file of R's that can be read: {error}") from error
    if len(tables) != 1:
        raise DataError(f"{path} holds {len(tables)} tables; one is needed")
    return tables[0]


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(f"{path} is no table that can be read: {error}") from error


def _whole(frame: pd.DataFrame) -> pd.DataFrame:
    """Numbers that are whole as whole numbers: R keeps counts and keys as 1.0, 2.0."""
    keys = [name for name in ("situation", "household", "chosen") if name in frame]
    whole = {name: int for name in keys if pd.api.types.is_numeric_dtype(frame[name]) and (frame[name] % 1 == 0).all()}
    return frame.astype(whole)
