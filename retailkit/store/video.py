"""Films from a store's cameras: read frame by frame, looked at, and let go.

    film = open_film("video/store-aisle-detection.gif")   # by its path, or by its place below RETAILKIT_DATA
    found = detect_video(film, detector)                   # a row for each box: frame, time, x1, y1, x2, y2, confidence
    tracks = track_boxes(found)
    walks, unseen = to_floor(tracks, film.plan.homography(), height=film.height)

Frames pass through memory one batch at a time; none is written anywhere. Beside a film may lie what people know of it:
``NAME.plan.json`` (marks on the floor, a line, zones) and ``NAME.counted.csv`` (some frames with everybody boxed by
hand). They are looked for next to the film, then in the project's ``datasets``, then in those that retailkit brings.
"""

import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.datasets import DataError, card
from retailkit.lab import project
from retailkit.store.counted import name_frame, read_counted
from retailkit.store.floor import Plan, read_plan

if TYPE_CHECKING:
    from retailkit.store.detect import Detector

_RATE = 10.0  # frames per second where a film does not say


@dataclass(frozen=True)
class Film:
    """A film and what is known of it; `retailkit.lab.runs.Run.input` records it by its digest.

    Attributes
    ----------
    path : Path
    width, height : int, pixels
    times : array (frames,), seconds
        When each frame begins.
    licence : str
        Of the card of the folder that it lies in, or as its plan says; empty where nobody has said.
    shareable : bool
        May its frames be shown to others? Where nobody has said so, they may not.
    """

    path: Path
    width: int
    height: int
    times: NDArray[np.float64] = field(repr=False)
    licence: str = ""
    shareable: bool = False

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def source(self) -> str:
        """Where it was read."""
        return project.place(self.path)

    @property
    def seconds(self) -> float:
        """Its length, the last frame included."""
        return float(self.times[-1] + (np.median(np.diff(self.times)) if len(self.times) > 1 else 0))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the file."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    @cached_property
    def plan(self) -> Plan:
        """Where the picture lies on the floor; a DataError where nobody has said so."""
        path = _beside(self.path, ".plan.json", "marks on the floor, in pixels and metres, a line and zones")
        return read_plan(path, self.width, self.height)

    @cached_property
    def counted(self) -> pd.DataFrame:
        """Frames counted by hand; a DataError where nobody has."""
        return read_counted(_beside(self.path, ".counted.csv", "frames counted by hand"), len(self.times))

    @property
    def least(self) -> int:
        """How many people a cell of a table must hold to be shown: 11, or 1 where all may see the film itself."""
        return 1 if self.shareable else 11

    def profile(self) -> dict[str, Any]:
        """Give plain facts for the record."""
        size = {"width": self.width, "height": self.height}
        return {"frames": len(self.times), "seconds": round(self.seconds, 2), **size, "licence": self.licence}


def open_film(name: str | Path) -> Film:
    """Open a film, without keeping any of it.

    Parameters
    ----------
    name : str or Path
        A path (GIF, or what OpenCV reads: AVI, MP4, ...), or the place of a film below a folder of ``RETAILKIT_DATA``.

    Raises
    ------
    DataError
        No such film, or nothing in it can be read.
    """
    path, folder = Path(name).expanduser(), str(name).split("/")[0]
    home = project.find_data(folder) if not path.is_file() else None
    if home is not None:
        path = home.joinpath(*Path(name).parts[1:])
    if not path.is_file():
        raise DataError(f"there is no film {str(name)!r}: give a path, or FOLDER/FILE below RETAILKIT_DATA")
    times, size = _times(path)
    if not len(times):
        raise DataError(f"{path} holds no frame that can be read")
    return Film(path, *size, times, *_terms(path))


def read_frames(film: Film | Path | str, frames: Iterable[int] | None = None) -> Iterator[NDArray[np.uint8]]:
    """Read a film's pictures in order, one at a time: arrays (height, width, 3), RGB.

    Parameters
    ----------
    film : Film or path
    frames : whole numbers, optional
        Those wanted, from 0; all if not given.

    Raises
    ------
    DataError
        A frame is asked for that the film has not, or the film ends before it should.
    """
    film = film if isinstance(film, Film) else open_film(film)
    wanted = set(range(len(film.times)) if frames is None else frames)
    if strange := sorted(wanted - set(range(len(film.times)))):
        raise DataError(f"{film.name} has no frame {strange[0]}: it has {len(film.times)}, from 0")
    for number, picture in enumerate(_pictures(film.path)):
        if number in wanted:
            wanted.discard(number)
            yield picture
        if not wanted:
            return
    raise DataError(f"{film.path} ends before frame {min(wanted)}: is the file whole?")


def detect_video(
    film: Film, detector: "Detector", confidence: float | None = None, batch: int = 16, progress: bool = True
) -> pd.DataFrame:
    """Find boxes in every frame.

    Parameters
    ----------
    film : Film
    detector : Detector
        Trained or loaded by `retailkit.store.detect`.
    confidence : float, optional
        Boxes below are left out; the detector's own threshold if not given. Trackers make use of doubtful boxes: give
        0.1 where they follow.
    batch : int
        Frames held in memory at a time.
    progress : bool
        Show a bar where this takes over two seconds.

    Returns
    -------
    DataFrame
        frame (from 0), time (seconds), class_name, x1, y1, x2, y2 (pixels), confidence.
    """
    from tqdm import tqdm

    boxes = detector.watch(read_frames(film), confidence, batch=batch)
    shown = tqdm(boxes, "watching", len(film.times), unit="frame", delay=2, leave=False, disable=not progress)
    found = [one.drop(columns="photo").assign(frame=number) for number, one in enumerate(shown)]
    table = pd.concat(found, ignore_index=True)
    table.insert(0, "time", film.times[table["frame"]])
    table.insert(0, "frame", table.pop("frame"))
    return table


def count_people(film: Film, found: pd.DataFrame, confidence: float = 0.0) -> pd.DataFrame:
    """Count boxes in every frame, those without any included: frame, time (seconds), people."""
    sure = found[found["confidence"] >= confidence] if "confidence" in found else found
    people = np.bincount(sure["frame"].to_numpy(dtype=int), minlength=len(film.times))
    return pd.DataFrame({"frame": np.arange(len(film.times)), "time": film.times, "people": people})


def compare_counts(film: Film, **boxes: pd.DataFrame) -> pd.DataFrame:
    """Count several tables of boxes side by side: time (seconds), people, who (the table's name).

    Parameters
    ----------
    film : Film
    **boxes : DataFrame with frame
        By name, for example ``detector=found, by_hand=film.counted``. Of a table with `person` only its own frames are
        counted, and a row without a person is nobody.
    """
    parts = []
    for name, table in boxes.items():
        there = table.dropna(subset=["person"]) if "person" in table else table
        counts = count_people(film, there)
        looked = counts["frame"].isin(table["frame"]) | ("person" not in table)
        parts.append(counts[looked].assign(who=name.replace("_", " ")))
    return pd.concat(parts, ignore_index=True)[["time", "people", "who"]]


def show_frames(film: Film, frames: Iterable[int]) -> pd.DataFrame:
    """Take frames for `retailkit.charts.photo_sheet`, in memory: photo, path, width, height, caption."""
    from PIL import Image

    chosen = sorted(set(map(int, frames)))
    rows = []
    for number, picture in zip(chosen, read_frames(film, chosen), strict=True):
        stored = io.BytesIO()
        Image.fromarray(picture).save(stored, format="png")
        facts = {"photo": name_frame(number), "path": stored, "width": film.width, "height": film.height}
        rows.append(facts | {"caption": f"frame {number}, {film.times[number]:.1f} s"})
    return pd.DataFrame(rows)


def _beside(path: Path, suffix: str, what: str) -> Path:
    """A file about a film: next to it, in the project's datasets, or in those that retailkit brings."""
    homes = [path.parent, project.root() / "datasets", Path(__file__).resolve().parents[2] / "datasets"]
    for home in homes:
        if (found := home / (path.stem + suffix)).is_file():
            return found
    raise DataError(f"nobody has written down {what} for {path.name}: put {path.stem}{suffix} next to it")


def _terms(path: Path) -> tuple[str, bool]:
    """Licence, and leave to show frames: by the card of the folder, or else by the plan that lies next to the film."""
    try:
        known = card(path.parent.name)
        if project.find_data(known.name) == path.parent.resolve():
            return known.licence, known.shareable
    except DataError:
        pass
    try:
        told = json.loads(path.with_name(path.stem + ".plan.json").read_text(encoding="utf-8"))
        return str(told.get("licence", "")), told.get("shareable") is True
    except (OSError, ValueError, AttributeError):
        return "", False


def _times(path: Path) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """When each frame begins, and the picture's width and height."""
    return _gif_times(path) if path.suffix.lower() == ".gif" else _film_times(path)


def _gif_times(path: Path) -> tuple[NDArray[np.float64], tuple[int, int]]:
    from PIL import Image, UnidentifiedImageError

    lengths = []
    try:
        with Image.open(path) as picture:
            for number in range(getattr(picture, "n_frames", 1)):
                picture.seek(number)
                lengths.append((picture.info.get("duration") or 1000 / _RATE) / 1000)
            size = picture.size
    except (
        UnidentifiedImageError,
        OSError,
        EOFError,
        ImportError,
    ) as error:  # Import: ultralytics
        raise DataError(f"{path} cannot be read: {error}") from error
    return np.concatenate([[0.0], np.cumsum(lengths)[:-1]]), size


def _film_times(path: Path) -> tuple[NDArray[np.float64], tuple[int, int]]:
    import cv2

    film = cv2.VideoCapture(str(path))
    width, height = (int(film.get(what)) for what in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    rate, frames = film.get(cv2.CAP_PROP_FPS) or _RATE, 0
    while film.grab():  # the number in a file's head is a guess
        frames += 1
    film.release()
    return np.arange(frames) / rate, (width, height)


def _pictures(path: Path) -> Iterator[NDArray[np.uint8]]:
    if path.suffix.lower() == ".gif":
        from PIL import Image

        with Image.open(path) as picture:
            for number in range(getattr(picture, "n_frames", 1)):
                picture.seek(number)
                yield np.asarray(picture.convert("RGB"))
        return
    import cv2

    film = cv2.VideoCapture(str(path))
    while (read := film.read())[0]:
        yield np.asarray(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
    film.release()
