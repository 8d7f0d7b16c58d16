"""Datasets by name: found or made, checked on arrival, split by what shows the same.

    >>> images = load("simulated_shelves", photos=200)                            # doctest: +SKIP
    >>> train, test = split(images, test=0.3)                                     # doctest: +SKIP
    >>> len(leakage(train, test))                                                 # doctest: +SKIP
    0

The parts: `catalogue` (cards: whose data it is), `download`, `labels` (one line, one box), `reading` (folder to
tables), `photos` (`ImageSet`), `lookalikes` (near-duplicates) and `splits`; `recordings` and `splines` (people who
walk), `joining` (two sets as one), `inventory` (what else there is) and `places` (where it lies).
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
import tempfile
from collections.abc import Callable
from difflib import get_close_matches
from functools import reduce
from pathlib import Path
from typing import Any

import pandas as pd

from retailkit.datasets import places
from retailkit.datasets.catalogue import Card, DataError, card, card_files, read_card
from retailkit.datasets.joining import join
from retailkit.datasets.photos import ImageSet
from retailkit.datasets.reading import digest, read_folder
from retailkit.datasets.splits import describe_split, leakage, split
from retailkit.lab import project
from retailkit.lab.project import find_data as find

__all__ = [
    "Card", "DataError", "ImageSet", "card", "cards", "check", "describe_split", "digest", "find", "get", "join",
    "leakage", "load", "split",
]  # fmt: skip

OPENED_BY = {
    "tracks": "retailkit.datasets.recordings.read_recordings reads it",
    "video": "its files are films, to be opened by their paths below `find(name)`",
    "choices": "retailkit.datasets.choices.read_choices reads it",
    "reads": "retailkit.datasets.tagged_people and retailkit.datasets.fixture_walks read such sets",
    "receipts": "retailkit.datasets.checkouts.read_checkouts reads it",
}


def load(
    name: str | Path,
    photos: int | None = None,
    seed: int = 0,
    bad: str = "quarantine",
    progress: bool = True,
    **simulator_options: Any,
) -> ImageSet:
    """Load photographs with boxes by the dataset's name, or from a folder of one's own.

    Real sets are looked for in the folders of ``RETAILKIT_DATA``, then under the project's ``datasets``.
    Simulated ones are made on first use and kept there.

    Parameters
    ----------
    name : str or Path
        A card's name, several with a plus between them (``persons_pennfudan+persons_coco``, see `join`), or a folder
        with ``images``, ``labels`` and ``data.yaml`` (for the class names).
    photos : int, optional
        Simulated: how many to make (the simulator's default if not given). Real: draw so many at random. Of several
        sets: so many of each.
    seed : int
        Of the simulator, or of the draw.
    bad : str
        ``quarantine`` sets wrong photographs aside and lists them in the result's table; ``raise`` refuses them.
    progress : bool
        Show a bar where over 1,000 photographs are read for the first time.
    **simulator_options
        Passed on to the simulator.

    Raises
    ------
    DataError
        An unknown name, data that is nowhere, nothing usable in it, or (``bad="raise"``) anything wrong in it.
    """
    if len(parts := str(name).split("+")) > 1 and set(parts) <= set(card_files()):
        return reduce(join, (load(part, photos, seed, bad, progress, **simulator_options) for part in parts))
    if bad not in ("quarantine", "raise"):
        raise DataError(f"bad is {bad!r}; 'quarantine' or 'raise' is needed")
    if photos is not None and (isinstance(photos, bool) or not isinstance(photos, int) or photos < 1):
        raise DataError(f"photos is {photos!r}; a whole number above 0 is needed")
    known = places.card_of(name)
    if known and known.kind not in ("yolo", "simulated"):
        raise DataError(f"{name} holds no photographs with boxes but {known.kind}: {OPENED_BY[known.kind]}")
    simulated = known is not None and known.kind == "simulated"
    if simulator_options and not simulated:
        raise DataError(f"{name} is not simulated and takes no {', '.join(sorted(simulator_options))}")
    if known and simulated:
        wanted = {**simulator_options, "seed": seed} | ({} if photos is None else {"photos": photos})
        folder = _simulate(known, wanted, progress)
    else:
        folder = places.place(name, known)
    images = read_folder(known.name if known else folder.name, folder, known, progress)
    if bad == "raise" and len(images.quarantine):
        raise DataError(f"{folder} holds {len(images.quarantine)} problems:\n{_first_rows(images.quarantine)}")
    return images if simulated or photos is None or photos >= len(images) else images.sample(photos, seed)


def _simulate(known: Card, wanted: dict[str, Any], progress: bool) -> Path:
    """Make the photographs of a simulated set once per options and version of the simulator."""
    module_name, _, function_name = known.simulator.partition(":")
    module = importlib.import_module(module_name)
    simulator = getattr(module, function_name)
    taken = inspect.signature(simulator).parameters
    wanted = _check_options(known, simulator, wanted)
    text = json.dumps({"options": wanted, "code": _code_digest(module)}, sort_keys=True, default=repr)
    home = project.folder("datasets") / known.name
    target = home / hashlib.sha256(text.encode()).hexdigest()[:16]
    if target.is_dir():  # it got its name when it was complete
        return target
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=home, ignore_cleanup_errors=True) as scratch:
        work = Path(scratch) / "photographs"  # one below: the scratch folder itself is closed to other users
        work.mkdir()
        simulator(work, **wanted, **({"progress": progress} if "progress" in taken else {}))
        try:
            work.rename(target)
        except OSError:
            if not target.is_dir():  # otherwise another process was faster with the same photographs
                raise
    return target


def _check_options(known: Card, simulator: Callable[..., Any], given: dict[str, Any]) -> dict[str, Any]:
    """The options with the simulator's defaults filled in, so that 'none' and 'the default' are one set."""
    first, *rest = inspect.signature(simulator).parameters.values()
    taken = {one.name: one.default for one in rest if one.name != "progress"}
    for option in given:
        if option not in taken:
            near = get_close_matches(option, taken, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"it takes {', '.join(taken)}"
            raise DataError(f"the simulator of {known.name} takes no '{option}': {hint}")
    return {name: default for name, default in taken.items() if default is not first.empty} | given


def _code_digest(module: Any) -> str:
    """Digest of the simulator's source and its neighbours': another version makes other photographs."""
    total = hashlib.sha256()
    for path in sorted(Path(module.__file__).parent.glob("*.py")):
        total.update(path.read_bytes())
    return total.hexdigest()


def cards() -> pd.DataFrame:
    """List every card: name, title, kind, licence, shareable, and where its data was found ('' if nowhere)."""
    rows = [read_card(path) for _, path in sorted(card_files().items())]
    return pd.DataFrame(
        [(one.name, one.title, one.kind, one.licence, one.shareable, _whereabouts(one)) for one in rows],
        columns=["name", "title", "kind", "licence", "shareable", "found"],
    )


def _whereabouts(one: Card) -> str:
    return "made on first use" if one.simulator else str(find(one.name) or "")


def check(name: str | Path) -> str:
    """Read a dataset whole and say what is in it and what is wrong with it, as text to print."""
    known = places.card_of(name)
    if known and known.simulator and known.kind in OPENED_BY:
        return f"{known.name} is simulated when it is loaded: {OPENED_BY[known.kind]}"
    if known and known.kind == "choices":
        from retailkit.datasets.choices import describe_choices

        return describe_choices(known.name)
    if known and known.kind in OPENED_BY:
        from retailkit.datasets.inventory import describe

        return describe(known, places.place(name, known))
    images = load(name)
    largest = images.photos["group"].value_counts().iloc[0]
    facts = {"folder": images.folder, **images.profile(), "largest_group": largest, "digest": images.digest}
    lines = [f"{key.replace('_', ' '):24}{value}" for key, value in facts.items()]
    if images.note:
        lines.append(images.note)
    if len(images.quarantine):
        lines += ["", _first_rows(images.quarantine)]
    return "\n".join(lines)


def _first_rows(quarantine: pd.DataFrame, limit: int = 20) -> str:
    text = quarantine.head(limit).to_string(index=False)
    return text + (f"\n... and {len(quarantine) - limit} more" if len(quarantine) > limit else "")


def get(name: str, progress: bool = True) -> Path:
    """Download a dataset whose card has an address and a checksum, and install it under ``datasets``.

    Returns
    -------
    Path
        The folder; where the data already is on this machine, that one, and nothing is downloaded.

    Raises
    ------
    DataError
        No address (with how to get it by hand), no connection, wrong checksum, or an archive that is unsafe.
    """
    from retailkit.datasets.download import fetch, unpack

    known = card(name)
    if known.simulator:
        raise DataError(f"{name} is simulated: it is made on first use, there is nothing to download")
    if found := find(name):
        return found
    if not known.url:
        raise DataError(f"{name} has no address to download from. {known.obtain.strip() or known.source}")
    home = project.folder("datasets")
    archive = fetch(known.url, known.sha256, project.folder(".cache") / "downloads", progress)
    with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=home) as scratch:
        content = Path(scratch) / "content"
        content.mkdir()
        unpack(archive, content)
        _content_of(content, known).rename(home / name)
    archive.unlink()
    return home / name


def _content_of(folder: Path, known: Card) -> Path:
    """The unpacked folder that holds the photographs: the card's ``inside``, else the nearest with ``images``."""
    if known.inside:
        places = [folder / known.inside]
    else:
        below = sorted((path.parent for path in folder.rglob("images") if path.is_dir()), key=lambda p: len(p.parts))
        places = [place for place in below if (place / "labels").is_dir()]
    if not places or not (places[0] / "images").is_dir():
        raise DataError(f"{known.url}: the archive holds no folders 'images' and 'labels' side by side")
    return places[0]
