"""From a folder of photographs and label files to checked tables.

Every photograph is decoded once (a truncated file shows nowhere else) and fingerprinted on the way; both are
remembered below the project's ``.cache`` under the digest of the photographs, never in the data folder.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from retailkit.datasets import lookalikes
from retailkit.datasets.catalogue import Card, DataError
from retailkit.datasets.labels import read_labels
from retailkit.datasets.photos import BOXES, PHOTOS, QUARANTINE, SMALLEST, SUFFIXES, ImageSet, find_photos, walk
from retailkit.lab import project

CONTENT = SUFFIXES | {".txt", ".csv", ".tsv", ".json", ".parquet", ".npy", ".rda", ".gif", ".mp4"}
DRAFT = 128  # a JPEG is decoded at the smallest scale above this: an eighth of the time for large photographs
_VERSION = 1  # of the remembered fingerprints


def digest(folder: Path | str, suffixes: Set[str] = CONTENT) -> str:
    """SHA-256 over the names and contents of photographs, labels and tables; caches and notes do not count.

    Parameters
    ----------
    folder : Path or str
    suffixes : set of str, optional
        Which files count, by how their names end in small letters.

    Returns
    -------
    str
        64 hexadecimal figures; the same for the same content whatever its place, dates and order.
    """
    folder = Path(folder)
    return _digest(folder, [path for path in walk(folder) if path.suffix.lower() in suffixes])


def _digest(folder: Path, files: Sequence[Path]) -> str:
    total = hashlib.sha256()
    for path in files:
        try:
            with path.open("rb") as stream:
                content = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            content = f"unreadable: {error.strerror}"  # reading the photograph reports it with its name
        total.update(f"{path.relative_to(folder).as_posix()}\t{content}\n".encode())
    return total.hexdigest()


def read_folder(name: str, folder: Path, card: Card | None = None, progress: bool = True) -> ImageSet:
    """Read and check a whole folder; what is wrong with it ends up in ``quarantine``.

    Raises
    ------
    DataError
        Nothing usable: no photographs, two of one name, or every photograph set aside.
    """
    photos, strangers = find_photos(folder)
    names = card.names if card else names_in(folder)
    looks, prints = inspect(folder, photos, progress)
    problems = [(_inside(folder, path), 0, "not a photograph", path.suffix, "file") for path in strangers]
    rows, boxes, cut = [], [], 0
    for path, look in zip(photos, looks.itertuples(), strict=True):
        label = label_of(folder, path)
        found, kept = _read_one(folder, path, label, look, names)
        problems += found
        if kept is None:
            continue
        rows.append((path.name, str(path), str(label), look.width, look.height, look.Index))
        cut += sum(box.rounded for _, box in kept)
        boxes += [
            (path.name, box.class_id, names[box.class_id], box.x1 * look.width, box.y1 * look.height,
             box.x2 * look.width, box.y2 * look.height, _inside(folder, label), line)
            for line, box in kept
        ]  # fmt: skip
    problems += _orphans(folder, photos)
    quarantine = pd.DataFrame(problems, columns=QUARANTINE)
    if not rows:
        raise DataError(f"no photograph of {folder} can be used; the first problem: {_sentence(quarantine)}")
    table = pd.DataFrame(rows, columns=PHOTOS)
    prints = prints.take(table["group"].to_numpy(int))  # so far the row of the photograph
    table["group"] = _groups(table, prints, card)
    result = ImageSet(
        name, folder, card, tuple(names), table, pd.DataFrame(boxes, columns=BOXES), quarantine,
        digest=digest(folder), prints=prints,
    )  # fmt: skip
    check_tables(result)
    return _with_note(result, cut)


def _read_one(
    folder: Path, path: Path, label: Path, look: Any, names: Sequence[str]
) -> tuple[list[tuple[str, int, str, str, str]], list[Any] | None]:
    """Problems of one photograph, and its boxes; None in their place where the photograph is set aside."""
    here = _inside(folder, path)
    if look.problem:
        return [(here, 0, look.problem, look.value, "photo")], None
    if not label.is_file():
        return [(here, 0, "photo without label file", _inside(folder, label), "photo")], None
    content = read_labels(label, names, look.width, look.height)
    # A photograph that misses one of its boxes would teach that there is nothing: it is set aside whole.
    found = [
        (_inside(folder, label), line, problem, value, "photo" if condemns else "line")
        for line, problem, value, condemns in content.problems
    ]
    return found, None if any(condemns for *_, condemns in content.problems) else content.boxes


def label_of(folder: Path, photo: Path) -> Path:
    """Where the labels of a photograph are: the same place below ``labels``, with ``.txt``."""
    return (folder / "labels" / photo.relative_to(folder / "images")).with_suffix(".txt")


def names_in(folder: Path) -> tuple[str, ...]:
    """Class names of a folder without a card: its ``data.yaml`` says them.

    Raises
    ------
    DataError
        No ``data.yaml``, or one without names.
    """
    path = folder / "data.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        names = content["names"]
        if isinstance(names, dict):
            names = [names[number] for number in range(len(names))]
        if isinstance(names, list) and names:
            return tuple(str(name) for name in names)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} does not say the class names ({type(error).__name__}: {error}); "
            "a line like 'names: [empty, disorganized]' is needed"
        ) from error
    raise DataError(f"{path}: names is {names!r}; a list like [empty, disorganized] is needed")


def inspect(folder: Path, photos: Sequence[Path], progress: bool = True) -> tuple[pd.DataFrame, lookalikes.Prints]:
    """Decode every photograph once: a table of width, height (as displayed), problem, value; fingerprints."""
    key = hashlib.sha256(f"{_VERSION}:{_digest(folder, photos)}".encode()).hexdigest()[:32]
    store = project.root() / ".cache" / "photos" / f"{key}.npz"
    if (known := _remembered(store, len(photos))) is not None:
        return known
    from tqdm import tqdm

    bar = tqdm(photos, desc="reading photographs", disable=None if progress and len(photos) > 1000 else True)
    seen = [inspect_photo(path) for path in bar]
    table = pd.DataFrame([row[:4] for row in seen], columns=["width", "height", "problem", "value"])
    prints = lookalikes.Prints.stack([row[4] for row in seen])
    _remember(store, table, prints)
    return table, prints


_NOTHING = (np.zeros(8, np.uint64), np.zeros(8, np.uint64), np.zeros(lookalikes.THUMBNAIL**2, np.uint8))


def inspect_photo(path: Path) -> tuple[int, int, str, str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Decode one photograph: width and height as displayed, problem and its value (or ''), fingerprint."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as picture:
            width, height = picture.size
            if picture.getexif().get(274) in (5, 6, 7, 8):  # the camera was held upright
                width, height = height, width
            if min(width, height) < SMALLEST:
                return width, height, f"photo under {SMALLEST} pixels", f"{width} × {height}", _NOTHING
            picture.draft("L", (DRAFT, DRAFT))
            picture.load()  # a truncated file raises here
            return width, height, "", "", lookalikes.fingerprint(ImageOps.exif_transpose(picture))
    except Exception as error:  # decoders raise nearly anything on damaged bytes, SyntaxError and struct.error too
        if isinstance(error, ImportError) and isinstance(error.__context__, Exception):
            error = error.__context__  # ultralytics, once loaded, lets Pillow ask for a HEIF plugin in vain
        return 0, 0, "photo cannot be read", f"{type(error).__name__}: {_without_path(error)}"[:120], _NOTHING


def _without_path(error: Exception) -> str:
    return (error.strerror or "") if isinstance(error, OSError) and error.strerror else str(error).split(" '")[0]


def _remembered(store: Path, count: int) -> tuple[pd.DataFrame, lookalikes.Prints] | None:
    try:
        with np.load(store, allow_pickle=False) as kept:
            table = pd.DataFrame({name: kept[name] for name in ("width", "height", "problem", "value")})
            prints = lookalikes.Prints(kept["bits"], kept["mirrored"], kept["thumbnails"])
    except Exception:  # absent, or damaged in any way: the photographs are read again
        return None
    return (table, prints) if len(table) == count else None


def _remember(store: Path, table: pd.DataFrame, prints: lookalikes.Prints) -> None:
    """Write whole or not at all; a project folder that cannot be written only costs time."""
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=store.parent, suffix=".npz", delete=False) as stream:
            np.savez_compressed(
                stream, bits=prints.bits, mirrored=prints.mirrored, thumbnails=prints.thumbnails,
                width=table["width"].to_numpy(int), height=table["height"].to_numpy(int),
                problem=table["problem"].to_numpy(str), value=table["value"].to_numpy(str),
            )  # fmt: skip
        os.replace(stream.name, store)
    except OSError:
        pass


def _groups(photos: pd.DataFrame, prints: lookalikes.Prints, card: Card | None) -> np.ndarray:
    labels = None
    if card and card.group_by:
        stems = [Path(photo).stem for photo in photos["photo"]]
        matches = [re.search(card.group_by, stem) for stem in stems]
        labels = [match.group(1) if match else f"{stem}\0" for match, stem in zip(matches, stems, strict=True)]
    if card and card.kind == "simulated":  # drawn one by one: alike by chance at most
        return pd.factorize(np.asarray(labels or photos["photo"], dtype=object))[0]
    return lookalikes.groups(prints, labels)


def _orphans(folder: Path, photos: Sequence[Path]) -> list[tuple[str, int, str, str, str]]:
    known = {label_of(folder, path) for path in photos}
    return [
        (_inside(folder, path), 0, "label file without photo", path.stem, "file")
        for path in walk(folder / "labels")
        if path not in known and path.name != "classes.txt"  # labelling tools leave that one
    ]


def _inside(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _sentence(quarantine: pd.DataFrame) -> str:
    row = quarantine.iloc[0]
    place = f"{row['file']}, line {row['line']}" if row["line"] else row["file"]
    return f"{place}: {row['problem']} ({row['value']})"


def _with_note(images: ImageSet, cut: int) -> ImageSet:
    notes = []
    if images.card and images.card.digest and images.card.digest != images.digest:
        notes.append(f"This copy of {images.name} is not the one of its card (digest {images.digest[:12]}).")
    if aside := images.profile()["photos_set_aside"]:
        notes.append(f"{aside} of {aside + len(images)} photographs were set aside: see the quarantine table.")
    if cut:
        notes.append(f"{cut} boxes stood out of their photograph by a rounding error and were cut to it.")
    largest = int(images.photos["group"].value_counts().max())
    if len(images) > 1 and largest > len(images) / 2:
        notes.append(f"{largest} of {len(images)} photographs show the same scene or video.")
    return replace(images, note=" ".join(notes))


def check_tables(images: ImageSet) -> None:
    """The tables' own contract, checked at the door with pandera.

    Raises
    ------
    DataError
        Naming the column, the first bad value and the rule; a defect of retailkit, not of the data.
    """
    import pandera.pandas as pa

    text, whole, real = pa.Column(str), pa.Column(int, pa.Check.ge(0)), pa.Column(float, pa.Check.ge(0))
    photos = pa.DataFrameSchema({
        "photo": pa.Column(str, unique=True), "path": text, "label_path": text,
        "width": pa.Column(int, pa.Check.ge(SMALLEST)), "height": pa.Column(int, pa.Check.ge(SMALLEST)),
        "group": whole,
    }, strict=True, coerce=False)  # fmt: skip
    boxes = pa.DataFrameSchema({
        "photo": pa.Column(str, pa.Check.isin(set(images.photos["photo"]))), "class_id": whole,
        "class_name": pa.Column(str, pa.Check.isin(images.names)), "x1": real, "y1": real, "x2": real, "y2": real,
        "label_file": text, "line": pa.Column(int, pa.Check.ge(1)),
    }, checks=[
        pa.Check(lambda frame: frame["x2"] > frame["x1"], name="x2 above x1"),
        pa.Check(lambda frame: frame["y2"] > frame["y1"], name="y2 above y1"),
    ], strict=True)  # fmt: skip
    try:
        photos.validate(images.photos)
        if len(images.boxes):
            boxes.validate(images.boxes)
    except pa.errors.SchemaError as error:
        raise DataError(f"tables of {images.name} broke their contract: {error}") from error
