"""Where a dataset lies: a folder of one's own, or by a card's name below ``RETAILKIT_DATA`` or the project."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

from retailkit.datasets.catalogue import Card, DataError, card, card_files
from retailkit.lab import project
from retailkit.lab.project import find_data as find


def card_of(name: str | Path) -> Card | None:
    """Give the card of a name; None for a path, and for a folder below ``RETAILKIT_DATA`` that has no card."""
    if _is_path(name):
        return None
    # A folder of one's own below RETAILKIT_DATA needs no card.
    return None if str(name) not in card_files() and find(str(name)) else card(str(name))


def _is_path(name: str | Path) -> bool:
    return isinstance(name, Path) or os.sep in name or "/" in name or name.startswith((".", "~"))


def place(name: str | Path, known: Card | None) -> Path:
    """Find the folder of a dataset.

    Parameters
    ----------
    name : str or Path
    known : Card or None
        As `card_of` gives it for the name.

    Raises
    ------
    DataError
        It is nowhere; the message says how to get it.
    """
    if known is None:
        folder = Path(name).expanduser().resolve() if _is_path(name) else find(str(name))
        if folder is None or not folder.is_dir():
            raise DataError(f"'{name}' is no folder")
        return folder
    if (found := find(known.name)) is None:
        how = f"`retailkit data get {known.name}` fetches it" if known.url else known.obtain.strip()
        raise DataError(
            f"{known.name} is not on this machine: {how.rstrip('.')}. Looked in RETAILKIT_DATA "
            f"({os.environ.get('RETAILKIT_DATA') or 'not set'}) and {project.root() / 'datasets'}."
        )
    return found


def simulate(known: Card, **options: Any) -> Any:
    """Call the simulator that a card names.

    Raises
    ------
    DataError
        It does not take these options.
    """
    module, _, function = known.simulator.partition(":")
    try:
        return getattr(importlib.import_module(module), function)(**options)
    except TypeError as error:
        raise DataError(f"the simulator of {known.name}: {error}") from error
