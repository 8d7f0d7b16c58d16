"""What a run stands on, and whether that is still so.

A run's result holds as long as its notebook, its parameters and these stay as they were: the source of the
retailkit modules that it imported, the data that it read, the runs that it read, and the pinned packages.

    stands_on(...)      # {'modules': {...}, 'data': {...}, 'reads': {...}, 'constraints': '...'}
    changed(then)       # ['retailkit.store.detect', 'data shelf_gaps']: what is different today; [] where nothing is
"""

import base64
import contextlib
import functools
import hashlib
import json
import os
import re
import sys
import time
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from retailkit.lab import project, safe

TAG = "stands_on"  # of a run
MEANWHILE = "changed while it ran"
SHORT = 16  # hexadecimal figures of a digest that are kept: 64 bits, for telling versions apart
_LONGEST = 8000  # characters of a tag of MLflow
Facts = dict[str, Any]

_data: dict[str, dict[str, str]] = {}  # what this process said that it reads
_reads: dict[str, str] = {}
_folders: dict[tuple[str, str], str] = {}


def note_data(name: str, folder: Path | None) -> None:
    """Remember that this process reads a dataset."""
    if folder and folder.is_dir():
        _data[name] = {"folder": str(folder), "digest": folder_digest(folder)}


def note_reads(query: str, run_ids: Iterable[str]) -> None:
    """Remember which runs this process was given for a query."""
    _reads[query] = ids_digest(run_ids)


def ids_digest(run_ids: Iterable[str]) -> str:
    """Digest of a set of runs."""
    return _short("\n".join(sorted(run_ids)))


def begin(parameters: Mapping[str, Any]) -> Facts:
    """Start afresh, since a new run begins in this process, and say what it stands on at its start."""
    _data.clear()
    _reads.clear()
    return {**stands_on(parameters), "time": time.time_ns()}


def since(then: Facts, parameters: Mapping[str, Any] | None = None, modules: Iterable[str] | None = None) -> Facts:
    """Say what a run that ends now stands on, given what it stood on at its start.

    What was another meanwhile is marked so that it is never as it was: nobody knows which of the two was used.
    """
    now = stands_on(parameters, modules)
    for kind in ("modules", "data"):
        for name, known in now[kind].items():
            if name in then[kind] and then[kind][name] != known:
                now[kind][name] = {**known, "digest": MEANWHILE} if kind == "data" else MEANWHILE
    for name in set(now["modules"]) - set(then["modules"]):
        if "time" in then and _written(name) > then["time"]:
            now["modules"][name] = MEANWHILE
    if then["constraints"] != now["constraints"]:
        now["constraints"] = MEANWHILE
    return now


def stands_on(parameters: Mapping[str, Any] | None = None, modules: Iterable[str] | None = None) -> Facts:
    """Say what a run that ends now stands on.

    Parameters
    ----------
    parameters : mapping, optional
        Those whose value names a dataset or a file count as data too.
    modules : iterable of str, optional
        Names; by default the modules of retailkit that this process has imported.
    """
    if modules is None:
        modules = [name for name in sys.modules if name.partition(".")[0] == "retailkit"]
    named = {
        value: {"folder": str(place.resolve()), "digest": folder_digest(place)}
        for value in safe.texts_of(parameters or {})
        if (place := _named(value))
    }
    return {
        "modules": {name: module_digest(name) for name in sorted(modules)},
        "data": {**named, **_data},
        "reads": dict(_reads),
        "constraints": constraints_digest(),
    }


def changed(then: Facts, reads_now: Mapping[str, str] | None = None) -> list[str]:
    """List what is not as it was, in words; empty where a run's result still stands.

    Parameters
    ----------
    then : dict
        What `stands_on` said.
    reads_now : mapping, optional
        By query, what `note_reads` would remember today; a query that is not in it is not compared.
    """
    if "unknown" in then:
        return ["what it stood on is not recorded"]
    found = [name for name, digest in then.get("modules", {}).items() if module_digest(name) != digest]
    for name, data in then.get("data", {}).items():
        found += [f"data {name}"] if _data_today(name, data) != data["digest"] else []
    for query, digest in then.get("reads", {}).items():
        found += [f"the runs of {query} that it read"] if (reads_now or {}).get(query, digest) != digest else []
    if then.get("constraints", "") != constraints_digest():
        found.append("constraints.txt")
    return found


def to_text(facts: Facts) -> str:
    """Write facts for a tag of MLflow, which holds 8,000 characters; packed where they would be too long."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    if len(text) <= _LONGEST:
        return text
    packed = json.dumps({"packed": base64.b64encode(zlib.compress(text.encode(), 9)).decode()})
    return packed if len(packed) <= _LONGEST else json.dumps({"too_long": _short(text)})


def from_text(text: str) -> Facts:
    """Read what `to_text` wrote; facts that are never as they were where it is not there, or was too long."""
    with contextlib.suppress(ValueError, TypeError, zlib.error):
        found = json.loads(text)
        if isinstance(found, dict) and "packed" in found:
            found = json.loads(zlib.decompress(base64.b64decode(found["packed"])))
        if isinstance(found, dict) and "too_long" not in found:
            return found
    return {"unknown": True}


def key(notebook_digest: str, parameters: Mapping[str, Any]) -> str:
    """Name what was asked for: a notebook, as written, with these values of its parameters."""
    text = json.dumps([notebook_digest, sorted(parameters.items())], default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _data_today(name: str, data: Mapping[str, str]) -> str:
    """Digest of a dataset where it is found by name now, else where it lay.

    One that was made here and cleaned away counts as unchanged: it is made again by modules that are compared.
    """
    for place in (_named(name), Path(data["folder"])):
        if place and place.exists():
            return folder_digest(place)
    return data["digest"] if _within(Path(data["folder"]), project.root() / "datasets") else ""


def _within(path: Path, folder: Path) -> bool:
    return folder in path.parents


def _named(value: str) -> Path | None:
    """The dataset, folder or file that a parameter's value names, if it names one."""
    if not value or len(value) > 500 or "\n" in value:
        return None
    if "/" in value or re.search(r"\.\w{2,7}$", value):
        path = Path(value).expanduser()
        return path if path.exists() else None
    found = project.find_data(value)
    return None if not found or _made_here(found) else found


def _made_here(folder: Path) -> bool:
    """A simulated dataset's folder: it has a folder for every way in which it was made, and grows."""
    return all(re.fullmatch(r"[0-9a-f]{16}|\..*", path.name) for path in folder.iterdir())


def module_digest(name: str) -> str:
    """Digest of a module's source as it is now; empty where it is gone."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        return _file_digest(*_look(_source_of(name)))
    return ""


def _source_of(name: str) -> Path:
    path = Path(__file__).resolve().parents[1].joinpath(*name.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _written(name: str) -> int:
    """When a module's source was written, in nanoseconds since 1970."""
    return _look(_source_of(name))[2]


@functools.lru_cache(maxsize=1000)
def _file_digest(path: str, size: int, time: int) -> str:
    return _short(Path(path).read_bytes())


def every_module() -> list[str]:
    """List all modules of retailkit, for a notebook of which it is not known what it imported."""
    home = Path(__file__).resolve().parents[1]
    return [".".join(["retailkit", *file.relative_to(home).with_suffix("").parts]) for file in home.rglob("*.py")]


def constraints_digest() -> str:
    """Digest of the pinned packages; empty where none are pinned."""
    with contextlib.suppress(OSError):
        return _file_digest(*_look(project.root() / "constraints.txt"))
    return ""


def folder_digest(place: Path) -> str:
    """Digest over names and contents of a folder's files (or of one file), caches and hidden files aside.

    It is worked out again only where a name, size or time of change is another.
    """
    files = [place] if place.is_file() else _files(place)
    looks = _short("\n".join(f"{path}\t{size}\t{time}" for path, size, time in map(_look, files)))
    known = (str(place), looks)
    if known not in _folders:
        _folders[known] = _remembered(place, looks) or _content(place, files, looks)
    return _folders[known]


def _files(folder: Path) -> list[Path]:
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(place, name) for name in sorted(names) if not name.startswith(".") and name[-6:] != ".cache"]
    return found


def _look(path: Path) -> tuple[str, int, int]:
    with contextlib.suppress(OSError):
        known = path.stat()
        return str(path), known.st_size, known.st_mtime_ns
    return str(path), -1, -1


def _note(place: Path) -> Path:
    return project.root() / ".cache" / "digests" / _short(str(place))


def _remembered(place: Path, looks: str) -> str:
    with contextlib.suppress(OSError, ValueError):
        then, digest = _note(place).read_text().split()
        return digest if then == looks else ""
    return ""


def _content(place: Path, files: list[Path], looks: str) -> str:
    total = hashlib.sha256()
    for path in files:
        content = "unreadable"
        with contextlib.suppress(OSError), path.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        total.update(f"{path.relative_to(place.parent if place.is_file() else place).as_posix()}\t{content}\n".encode())
    digest = total.hexdigest()[:SHORT]
    with contextlib.suppress(OSError):  # remembering saves time, no more
        note = _note(place)
        note.parent.mkdir(parents=True, exist_ok=True)
        scratch = note.with_suffix(f".{os.getpid()}")
        scratch.write_text(f"{looks} {digest}")
        scratch.replace(note)
    return digest


def _short(content: str | bytes) -> str:
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()[:SHORT]
