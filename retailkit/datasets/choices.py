"""Tables of choices: what could have been taken, and what was, one row for each alternative of each choice.

table = read_choices("yogurt")
table.choices        # situation, household, alternative, chosen, and the attributes
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from retailkit.datasets import places
from retailkit.datasets.catalogue import DataError
from retailkit.datasets.reading import digest
from retailkit.datasets.tables import need_columns

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
    folder : Path or None
        Where it was found.
    digest, source : str
    mistaken : float
        Share of the choices that were put down to another alternative, as far as that is known.
    """

    name: str
    choices: pd.DataFrame
    folder: Path | None
    digest: str
    source: str
    mistaken: float = 0.0

    @property
    def cluster(self) -> str | None:
        """Whose choices hang together: the column household, or visit; None where nobody says whose they are."""
        return next((name for name in ("household", "visit") if name in self.choices), None)

    @property
    def attributes(self) -> list[str]:
        """What alternatives differ in: columns of numbers, and themselves where all of them are in each set."""
        keys = ("situation", "household", "visit", "chosen")
        numbers = [str(name) for name in self.choices.select_dtypes("number") if name not in keys]
        sizes = self.choices.groupby("situation").size()
        same = len(sizes) > 0 and (sizes == self.choices["alternative"].nunique()).all()
        return [*numbers, *(["alternative"] if same else [])]

    def profile(self) -> dict[str, Any]:
        """Count what is in it: situations, alternatives, households (0 where nobody says whose a choice was)."""
        kinds = {"situations": "situation", "alternatives": "alternative", "households": "household"}
        return {told: self.choices[name].nunique() if name in self.choices else 0 for told, name in kinds.items()}


def read_choices(name: str | Path, otherwise: pd.DataFrame | None = None, mistaken: float = 0.0) -> ChoiceTable:
    """Read a table of choices by its name below ``RETAILKIT_DATA``, or from a folder of one's own.

    The folder holds one table, ``.rda`` (of R) or ``.csv``, with the columns situation, alternative and chosen, or, as
    logitr names them, obsID, brand and choice; household (id) if known.

    Parameters
    ----------
    name : str or Path
    otherwise : DataFrame, optional
        What to take where the name is empty: choices that are at hand already.
    mistaken : float
        Share of those that were put down to another alternative.

    Raises
    ------
    DataError
        There is no such folder, no table in it or several, or not these columns.
    """
    if not str(name) and otherwise is not None:
        content = pd.util.hash_pandas_object(otherwise, index=False).to_numpy().tobytes()
        digest_ = hashlib.sha256(content).hexdigest()
        return ChoiceTable("this store", otherwise, None, digest_, "what was kept here", mistaken)
    known = places.card_of(name)
    folder = places.place(name, known)
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".rda", ".csv"))
    if len(files) != 1:
        raise DataError(f"{folder} holds {len(files)} tables (.rda, .csv); one is needed")
    frame = _read_rda(files[0]) if files[0].suffix.lower() == ".rda" else _read_csv(files[0])
    frame = frame.rename(columns={old: new for old, new in _NAMES.items() if new not in frame}).reset_index(drop=True)
    need_columns(frame, _NEEDED, files[0], error=DataError)
    first = [column for column in ("situation", "household", "alternative", "chosen") if column in frame]
    frame = frame[[*first, *frame.columns.difference([*first, "alt"], sort=False)]]
    source = known.source if known else str(files[0])
    return ChoiceTable(known.name if known else folder.name, _whole(frame), folder, digest(folder), source)


def _read_rda(path: Path) -> pd.DataFrame:
    import rdata

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a tibble is a data frame; what is no file of R's ends as an error below
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


def describe_choices(name: str | Path) -> str:
    """Read a table of choices and say what is in it, as text to print."""
    table = read_choices(name)
    facts = {
        "folder": table.folder,
        **table.profile(),
        "attributes": ", ".join(table.attributes),
        "digest": table.digest,
    }
    return "\n".join(f"{key:24}{value}" for key, value in facts.items())
