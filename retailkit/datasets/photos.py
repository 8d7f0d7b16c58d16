"""Photographs with boxes: read, checked one by one, set aside where they are wrong, never written into."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import yaml

from retailkit.datasets.catalogue import Card, DataError

if TYPE_CHECKING:
    from retailkit.datasets.lookalikes import Prints

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}
SMALLEST = 10  # pixels; ultralytics refuses smaller photographs
PHOTOS = ["photo", "path", "label_path", "width", "height", "group"]
BOXES = ["photo", "class_id", "class_name", "x1", "y1", "x2", "y2", "label_file", "line"]
QUARANTINE = ["file", "line", "problem", "value", "set_aside"]


@dataclass(frozen=True)
class ImageSet:
    """Checked photographs with their boxes.

    Attributes
    ----------
    name : str
        The dataset's name.
    folder : Path
        Where the photographs are. Nothing is ever written there.
    card : Card or None
        What is known about the dataset; None for a folder of one's own.
    names : tuple of str
        Class names, in the order of the class numbers.
    photos : DataFrame
        photo (file name, unique), path, label_path, width, height (pixels, as displayed),
        group (number; photographs that show the same share it).
    boxes : DataFrame
        photo, class_id, class_name, x1, y1, x2, y2 (pixels), label_file, line (of the label file, from 1).
    quarantine : DataFrame
        What is wrong with the folder: file, line (0: the whole file), problem, value, and what was
        set aside for it: the whole ``photo``, only the ``line``, or a ``file`` that belongs to no photograph.
    digest : str
        SHA-256 of the content; a part of a set has a digest of its own.
    note : str
        A sentence for the page where something about the data needs saying; may be empty.
    """

    name: str
    folder: Path
    card: Card | None
    names: tuple[str, ...]
    photos: pd.DataFrame = field(repr=False)
    boxes: pd.DataFrame = field(repr=False)
    quarantine: pd.DataFrame = field(repr=False)
    digest: str = ""
    note: str = ""
    prints: Prints | None = field(default=None, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.photos)

    @property
    def source(self) -> str:
        """Whose data it is: the card's word, else the folder's name."""
        return self.card.source if self.card else self.folder.name

    @property
    def shareable(self) -> bool:
        """Whether a page may show the photographs; without a card that is the reader's own to decide: no."""
        return self.card.shareable if self.card else False

    def subset(self, photos: Iterable[str]) -> ImageSet:
        """Keep the named photographs, in the set's own order.

        Raises
        ------
        DataError
            A name that the set does not hold.
        """
        wanted = set(photos)
        if unknown := wanted - set(self.photos["photo"]):
            raise DataError(f"{self.name} has no photograph '{min(unknown)}' ({len(unknown)} unknown names)")
        keep = self.photos["photo"].isin(wanted).to_numpy()
        kept = self.photos[keep].reset_index(drop=True)
        if keep.all():
            return self
        text = "\n".join([self.digest, *sorted(wanted)])
        return replace(
            self,
            photos=kept,
            boxes=self.boxes[self.boxes["photo"].isin(wanted)].reset_index(drop=True),
            digest=hashlib.sha256(text.encode()).hexdigest(),
            prints=self.prints.take(np.flatnonzero(keep)) if self.prints else None,
        )

    def sample(self, n: int, seed: int = 0) -> ImageSet:
        """Draw n photographs at random; the same seed draws the same ones whatever the order of the files."""
        if not 0 < n <= len(self.photos):
            raise DataError(f"cannot draw {n} of the {len(self.photos)} photographs of {self.name}")
        order = sorted(self.photos["photo"], key=lambda photo: chance(seed, photo))
        return self.subset(order[:n])

    def counts(self) -> pd.DataFrame:
        """Count the boxes of each class on each photograph, zeros included: photo, class_name, boxes."""
        table = pd.crosstab(self.boxes["photo"], self.boxes["class_name"])
        table = table.reindex(index=list(self.photos["photo"]), columns=list(self.names), fill_value=0)
        return table.rename_axis("photo").reset_index().melt("photo", var_name="class_name", value_name="boxes")

    def profile(self) -> dict[str, Any]:
        """Count what is there: photographs, groups, boxes, boxes per class, and what was set aside."""
        aside = self.quarantine["set_aside"] == "photo"
        return {
            "photos": len(self.photos),
            "groups": int(self.photos["group"].nunique()),
            "boxes": len(self.boxes),
            **{f"boxes_{name}": int((self.boxes["class_name"] == name).sum()) for name in self.names},
            "photos_without_boxes": len(self.photos) - int(self.boxes["photo"].nunique()),
            "photos_set_aside": int(self.quarantine.loc[aside, "file"].nunique()),
            "quarantine_rows": len(self.quarantine),
        }

    def write_yolo(self, folder: Path | str) -> Path:
        """Lay the set out as ultralytics reads it, in a folder of its own, and return its ``data.yaml``.

        Photographs are linked (copied where links are not possible); labels are written anew from the checked
        boxes. ultralytics puts its cache beside them, so the source folder stays as it is.

        Raises
        ------
        DataError
            The folder is not empty, or lies within the source folder.
        """
        target = Path(folder).expanduser().resolve()
        for source in {self.folder, *(Path(str(path)).parent for path in self.photos["path"])}:  # of a joined set: two
            if target.is_relative_to(source.resolve()):
                raise DataError(f"{target} lies in the data folder {source}: nothing is written there")
        if target.exists() and any(target.iterdir()):
            raise DataError(f"{target} is not empty: give a new folder")
        for part in ("images", "labels"):
            (target / part).mkdir(parents=True)
        boxes = {str(photo): rows for photo, rows in self.boxes.groupby("photo")}
        for row in self.photos.itertuples():
            photo = str(row.photo)
            place_photo(Path(str(row.path)), target / "images" / photo)
            text = label_text(boxes[photo], row.width, row.height) if photo in boxes else ""
            (target / "labels" / f"{Path(photo).stem}.txt").write_text(text, encoding="utf-8")
        content = {
            "path": str(target),
            "train": "images",
            "val": "images",
            "names": dict(enumerate(self.names)),
        }
        (target / "data.yaml").write_text(
            yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8"
        )
        return target / "data.yaml"


def chance(seed: int, text: str) -> float:
    """A number from 0 to 1 that depends on the seed and the text alone, not on what else is drawn."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{text}".encode()).digest()[:8]) / 2**64


def label_text(boxes: pd.DataFrame, width: Any, height: Any) -> str:
    """Write boxes in pixels as label lines: class, centre and size as shares of the photograph."""
    corners = boxes[["x1", "y1", "x2", "y2"]].to_numpy(float) / [width, height, width, height]
    centre, size = (corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]
    lines = zip(boxes["class_id"], np.hstack([centre, size]).tolist(), strict=True)
    return "".join(f"{number} " + " ".join(f"{value:.8f}" for value in values) + "\n" for number, values in lines)


def place_photo(source: Path, target: Path) -> None:
    """Link a photograph, or copy it where a link is not possible or not safe.

    Versions of ultralytics write a JPEG anew, through the link, when bytes follow its end mark.
    """
    if _ends_clean(source):
        try:
            target.symlink_to(source.resolve())
            return
        except OSError:  # Windows without the right, file systems without links
            pass
    shutil.copyfile(source, target)


def _ends_clean(path: Path) -> bool:
    if path.suffix.lower() not in {".jpg", ".jpeg"}:
        return True
    with path.open("rb") as stream:
        stream.seek(-2, os.SEEK_END)
        return stream.read() == b"\xff\xd9"


def find_photos(folder: Path) -> tuple[list[Path], list[Path]]:
    """List the photographs below ``images``, and the files there that are none, both sorted.

    Raises
    ------
    DataError
        No ``images`` or ``labels`` folder, no photograph, or two photographs with one name.
    """
    for part in ("images", "labels"):
        if not (folder / part).is_dir():
            raise DataError(
                f"{folder} has no folder '{part}': images/NAME.jpg and labels/NAME.txt are needed, "
                "an empty .txt for a photograph with nothing to find"
            )
    files = [path for path in walk(folder / "images") if path.name != "Thumbs.db"]
    photos = [path for path in files if path.suffix.lower() in SUFFIXES]
    if not photos:
        raise DataError(f"{folder / 'images'} holds no photograph ({', '.join(sorted(SUFFIXES))} are accepted)")
    _refuse_same_names(photos)
    return photos, [path for path in files if path.suffix.lower() not in SUFFIXES]


def walk(folder: Path) -> list[Path]:
    """List the files below a folder in one order on every machine, without hidden files and caches."""
    found = []
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path.suffix != ".cache" and path.is_file():
            found.append(path)
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def _refuse_same_names(photos: Sequence[Path]) -> None:
    """`a.jpg` and `a.png` would share the label file `a.txt`, and results could not tell them apart."""
    first: dict[str, Path] = {}
    for path in photos:
        other = first.setdefault(path.stem.casefold(), path)
        if other is not path:
            raise DataError(f"two photographs with one name: {other} and {path}; rename one and its label file")
