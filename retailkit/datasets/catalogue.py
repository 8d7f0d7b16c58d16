"""Cards: one short YAML file per dataset says whose it is, what it holds and how to get it."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from retailkit.lab import project

KINDS = ("yolo", "simulated", "tracks", "video", "choices", "reads", "receipts")
SIMULATORS = "retailkit.simulate."  # a card must not be able to import and run anything else
_REQUIRED = ("name", "title", "kind", "source", "licence", "shareable")
_PHOTOGRAPHS = ("yolo", "simulated")
_TYPES = {"names": list, "quirks": list, "shareable": bool}


class DataError(ValueError):
    """Data that cannot be used as it is; the sentence says where, what was found, and what is accepted."""


@dataclass(frozen=True)
class Card:
    """What is known about a dataset before it is opened.

    Attributes
    ----------
    name, title : str
        The name that `load` takes, and a line for people.
    kind : str
        ``yolo`` (folders ``images`` and ``labels``), ``simulated``, ``tracks`` (people who walk), ``video``,
        ``choices`` (a table of what could be had and what was taken), ``reads`` (what a reader heard of tags) or
        ``receipts`` (who took what in a store, and what was charged).
    names : tuple of str
        Class names; class 0 of a label file is the first. Of photographs only.
    source, licence : str
        Who made it, and what may be done with it.
    shareable : bool
        Whether a page may show its photographs.
    url, sha256 : str
        Address of an archive and its checksum; empty where retailkit cannot fetch the data.
    inside : str
        The folder within the archive that holds ``images`` and ``labels``.
    digest : str
        Digest of the copy that published figures were measured with (`retailkit.datasets.digest`).
    obtain : str
        How a person gets the data where there is no address.
    group_by : str
        Regular expression on the file name without suffix; photographs with the same first bracket are one group.
    simulator : str
        ``module:function`` under ``retailkit.simulate``.
    quirks : tuple of str
        What whoever uses the data must know.
    """

    name: str
    title: str
    kind: str
    source: str
    licence: str
    shareable: bool
    names: tuple[str, ...] = ()
    url: str = ""
    sha256: str = ""
    inside: str = ""
    digest: str = ""
    obtain: str = ""
    group_by: str = ""
    simulator: str = ""
    quirks: tuple[str, ...] = ()


def card(name: str) -> Card:
    """Read the card of a dataset.

    >>> card("shelf_gaps").names
    ('empty', 'disorganized')

    Raises
    ------
    DataError
        No such card (the nearest name is suggested), or a card that cannot be read.
    """
    files = card_files()
    if name not in files:
        near = get_close_matches(name, files, n=1, cutoff=0.5)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise DataError(f"there is no dataset '{name}'.{hint} There are cards for {', '.join(sorted(files))}.")
    return read_card(files[name])


def card_files() -> dict[str, Path]:
    """Find every card: the project's own come before those that retailkit brings."""
    found: dict[str, Path] = {}
    for folder in (project.root() / "datasets", Path(__file__).resolve().parents[2] / "datasets"):
        for path in sorted(folder.glob("*.yaml")):
            found.setdefault(path.stem, path)
    return found


def read_card(path: Path) -> Card:
    """Read one card and check every field.

    Raises
    ------
    DataError
        Naming the file, the field, what it says and what it should say.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"{path}: no readable YAML: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: a card is a list of 'field: value' lines, found {content!r}")
    _check_fields(path, content)
    given: dict[str, Any] = {
        key: tuple(map(str, value)) if isinstance(value, list) else value for key, value in content.items()
    }
    result = Card(**given)
    _check_values(path, result)
    return result


def _check_fields(path: Path, content: dict[str, Any]) -> None:
    known = [field.name for field in fields(Card)]
    for key, value in content.items():
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"a card may have {', '.join(known)}"
            raise DataError(f"{path}: unknown field '{key}': {hint}")
        wanted = _TYPES.get(key, str)
        if not isinstance(value, wanted):
            raise DataError(f"{path}: {key} is {value!r}, a {type(value).__name__}; {wanted.__name__} is needed")
    needed = (*_REQUIRED, *(["names"] if content.get("kind") in _PHOTOGRAPHS else []))
    if missing := [key for key in needed if key not in content]:
        raise DataError(f"{path}: the card lacks {', '.join(missing)}")


def _check_values(path: Path, given: Card) -> None:
    """Refuse what could lead outside: a name that is a path, an address that is a file, foreign code."""
    problems = {
        f"name is {given.name!r}; small letters, figures and _ are accepted": not re.fullmatch(
            r"[a-z0-9][a-z0-9_]*", given.name
        ),
        f"name is {given.name!r} but the file is called {path.name}": given.name != path.stem,
        f"kind is {given.kind!r}; accepted are {', '.join(KINDS)}": given.kind not in KINDS,
        "names is empty; one name per class is needed": given.kind in _PHOTOGRAPHS and not given.names,
        f"names holds a name twice: {list(given.names)}": len(set(given.names)) < len(given.names),
        f"url is {given.url!r}; an http or https address is needed": bool(given.url)
        and not re.match(r"https?://[^/]", given.url),
        f"url needs a sha256 of 64 hexadecimal figures, found {given.sha256!r}": bool(given.url)
        and not re.fullmatch(r"[0-9a-fA-F]{64}", given.sha256),
        f"inside is {given.inside!r}; a folder within the archive is needed": given.inside.startswith(("/", "\\"))
        or ".." in re.split(r"[/\\]", given.inside),
        f"simulator is {given.simulator!r}; '{SIMULATORS}<module>:<function>' is needed": (
            given.kind == "simulated" or bool(given.simulator)
        )
        and not re.fullmatch(re.escape(SIMULATORS) + r"\w+(\.\w+)*:\w+", given.simulator),
        f"group_by is {given.group_by!r}; a regular expression with one bracket is needed": bool(given.group_by)
        and not _has_bracket(given.group_by),
    }
    for problem, found in problems.items():
        if found:
            raise DataError(f"{path}: {problem}")


def _has_bracket(expression: str) -> bool:
    try:
        return re.compile(expression).groups >= 1
    except re.error:
        return False
