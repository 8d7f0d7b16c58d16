"""Train, apply, keep and bring back a detector of things on photographs, for shelves and for customers alike.

    train, test = rk.split(rk.load("shelf_gaps"))
    detector = rk.train_detector(train, minutes=4, run=run)   # its weights are now in the run
    score = detector.score(test)                              # every figure with its interval
    rk.load_detector(run.id).detect(test)                     # the same detector, another day

ultralytics trains and predicts; this room adds the budget in minutes, the record, and the honest score.
"""

import hashlib
import json
import shutil
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import islice
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.datasets import ImageSet
from retailkit.lab import project
from retailkit.lab.runs import Run, artifact_path
from retailkit.store.fitting import suppression_overlap, working_size
from retailkit.store.score import Score, choose_confidence, score_boxes

BOXES = ["photo", "class_name", "x1", "y1", "x2", "y2", "confidence"]
COURSE = ["epoch", "minutes", "photos", "size", "rate"]  # of a training curve, all but the parts of the loss
LOOKS: dict[str, dict[str, Any]] = {  # how a detector looks at photographs; "stock" as ultralytics does
    "small-data": {"overlap": 0.5, "careful": True},
    "stock": {"overlap": 0.7, "careful": False},
}
LOWEST_CONFIDENCE = 0.001  # where a precision-recall curve starts; the same as in ultralytics' own validation


class TooManyDetectionsWarning(UserWarning):
    """Detections were cut off at `max_det`, so recall and counts of these photographs are too low."""


@dataclass(frozen=True)
class Detector:
    """A trained detector: a weights file and what is needed to use it as it was scored.

    Attributes
    ----------
    weights : Path
        The file that ultralytics loads.
    names : tuple of str
        Class names, in the order of the class numbers.
    size : int
        Long side of a photograph, pixels, in training and in use.
    confidence : float
        Threshold at which the detector speaks up, chosen on its training photographs.
    recipe : str
        How it was trained.
    minutes : float
        Time that training took, minutes.
    overlap : float
        Two boxes of one class that overlap more (intersection over union) count as one.
    careful : bool
        Look at each photograph up to six times, at three sizes and mirrored, and let boxes vote on where one is.
    curve : DataFrame
        The course of training, a row an epoch.
    """

    weights: Path
    names: tuple[str, ...]
    size: int = 256
    confidence: float = 0.25
    recipe: str = "small-data"
    minutes: float = float("nan")
    overlap: float = 0.5
    careful: bool = True
    curve: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False, compare=False)

    def detect(
        self,
        images: ImageSet | Iterable[Path | str],
        confidence: float | None = None,
        max_det: int = 1000,
        batch: int = 16,
        progress: bool = True,
    ) -> pd.DataFrame:
        """Find boxes on photographs.

        Parameters
        ----------
        images : ImageSet or paths
            Photographs to look at.
        confidence : float, optional
            Boxes below are left out; the detector's own threshold if not given.
        max_det : int
            Most boxes on one photograph. A photograph that reaches it raises a loud warning.
        batch : int
            Photographs at a time.
        progress : bool
            Show a bar where this takes over two seconds.

        Returns
        -------
        DataFrame
            photo, class_name, x1, y1, x2, y2 (pixels of the photograph as displayed), confidence; best first.
        """
        from tqdm import tqdm

        paths = _paths(images)
        results = self._results(map(str, paths), confidence, max_det, batch)
        shown = tqdm(results, "detecting", len(paths), unit="photo", delay=2, leave=False, disable=not progress)
        found = [_boxes(result, self.names) for result in shown]
        _warn_if_cut(found, max_det)
        return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=BOXES)

    def watch(
        self,
        pictures: Iterable[NDArray[np.uint8]],
        confidence: float | None = None,
        max_det: int = 1000,
        batch: int = 16,
    ) -> Iterator[pd.DataFrame]:
        """Find boxes on pictures in memory, such as a film's frames: a frame as `detect` gives it for each, in order.

        Parameters
        ----------
        pictures : arrays (height, width, 3), RGB
            Read a batch at a time and let go.
        confidence, max_det, batch
            As in `detect`.
        """
        turned = (np.ascontiguousarray(picture[..., ::-1]) for picture in pictures)  # BGR, as OpenCV has it
        for result in self._results(turned, confidence, max_det, batch):
            found = _boxes(result, self.names)
            _warn_if_cut([found], max_det)
            yield found

    def score(self, images: ImageSet, repetitions: int = 1000, seed: int = 0, **detecting: Any) -> Score:
        """Detect on labelled photographs and compare with the truth; see `retailkit.store.score.Score`."""
        found = self.detect(images, confidence=LOWEST_CONFIDENCE, **detecting)
        return score_boxes(
            images.boxes,
            found,
            images.photos,
            list(self.names),
            confidence=self.confidence,
            repetitions=repetitions,
            seed=seed,
        )

    def export(self, format: str = "onnx", folder: Path | str | None = None) -> Path:
        """Write the detector for another runtime by ultralytics' exporter, ONNX unless another is named.

        The file looks once at a photograph; what `careful` does is for its user to add.

        Parameters
        ----------
        format : str
            Any format of ultralytics: "onnx", "torchscript", "openvino"…
        folder : path, optional
            Where the file goes; beside the weights if not given.

        Returns
        -------
        Path
            The exported file.
        """
        with tempfile.TemporaryDirectory() as scratch:
            copy = Path(shutil.copy(self.weights, Path(scratch) / self.weights.name))
            made = Path(_yolo(copy).export(format=format, imgsz=self.size, verbose=False))
            target = Path(folder or self.weights.parent) / made.name
            target.parent.mkdir(parents=True, exist_ok=True)
            return Path(shutil.move(made, target))

    def log(self, run: Run, name: str = "detector") -> "Detector":
        """Put weights, settings and the training curve into a run; return the detector that lives there."""
        with tempfile.TemporaryDirectory() as scratch:
            run.artifact(shutil.copy(self.weights, Path(scratch) / f"{name}.pt"), folder="weights")
            settings = Path(scratch) / f"{name}.json"
            settings.write_text(json.dumps(self._settings(), indent=1))
            run.artifact(settings, folder="weights")
        if len(self.curve):
            run.history(self.curve, step="epoch", name=name)
        return replace(self, weights=artifact_path(run.id, f"weights/{name}.pt"))

    def losses(self) -> pd.DataFrame:
        """Give the course of training as a tidy frame: minutes, part (of the loss), loss."""
        parts = [column for column in self.curve if column not in COURSE]
        return self.curve.melt("minutes", parts, "part", "loss")

    def _settings(self) -> dict[str, Any]:
        kept = {key: value for key, value in asdict(self).items() if key not in ("weights", "curve")}
        return kept | {"curve": self.curve.to_dict("records")}

    def _results(self, pictures: Iterable[Any], confidence: float | None, max_det: int, batch: int) -> Iterator[Any]:
        """Look at a batch at a time, of paths or of BGR arrays: given a whole list, ultralytics decodes all at once."""
        from retailkit.store.predicting import CarefulPredictor, EveryClassPredictor

        model = _yolo(self.weights)
        limit = self.confidence if confidence is None else confidence
        settings = {"imgsz": self.size, "conf": limit, "iou": self.overlap, "max_det": max_det, "verbose": False}
        look = CarefulPredictor if self.careful else EveryClassPredictor
        pictures = iter(pictures)
        while ahead := list(islice(pictures, batch)):
            yield from model.predict(ahead, predictor=look, **settings)


def train_detector(
    images: ImageSet,
    *,
    minutes: float | None = None,
    epochs: int | None = None,
    recipe: str = "small-data",
    start: "Detector | Path | str | None" = None,
    size: int = 256,
    seed: int = 0,
    run: Run | None = None,
    name: str = "detector",
    progress: bool = True,
) -> Detector:
    """Train a detector within a budget of minutes, of epochs, or of whichever ends first.

    Parameters
    ----------
    images : ImageSet
        Photographs to learn from; see `retailkit.load` and `retailkit.split`.
    minutes, epochs : float, int
        Budget: wall-clock minutes, passes over the photographs, or both as caps.
    recipe : str
        "small-data", made for hundreds of photographs and minutes, or "stock", ultralytics' own defaults.
    start : Detector, path or run id, optional
        Weights to go on from: a detector, a file (`yolo11n.pt`), a blank model (`yolo11n.yaml`, the default)
        or the id of a run that trained one, for example on simulated shelves.
    size : int
        Long side of a photograph, pixels; "small-data" makes it less, down to three quarters, where things are large
        (`retailkit.store.fitting.working_size`), and the detector then looks at that size.
    seed : int
        Same seed, same epochs, same machine: same weights.
    run : Run, optional
        Weights, settings and the course of training go into this run.
    name : str
        The detector's name inside the run.
    progress : bool
        Show one bar with the time left.

    Returns
    -------
    Detector

    Raises
    ------
    ValueError
        No budget, an impossible one, an unknown recipe, or nothing to learn from.
    TypeError
        A budget that is not a number.
    """
    _check_budget(minutes, epochs)
    _check_images(images)
    project.quiet()
    from retailkit.store import recipe as recipes

    model, look = str(_start(start)), LOOKS.get(recipe, {})
    if recipe == "small-data":
        size, look = working_size(images, size), {**look, "overlap": suppression_overlap(images)}
    with tempfile.TemporaryDirectory(prefix="training-", dir=project.folder(".cache")) as scratch:
        weights, curve = recipes.train(
            images.write_yolo(Path(scratch) / "photos"),
            model=model, recipe=recipe, minutes=minutes, epochs=epochs, size=size, seed=seed,
            folder=Path(scratch) / "training", progress=progress,
        )  # fmt: skip
        minutes_taken = float(curve["minutes"].iloc[-1])
        detector = Detector(
            _keep(weights), images.names, size, recipe=recipe, minutes=minutes_taken, curve=curve, **look
        )
    detector = replace(detector, confidence=_working_confidence(detector, images, seed))
    return detector.log(run, name) if run else detector


def load_detector(run_id: str, name: str = "detector") -> Detector:
    """Bring a run's detector back, ready to detect or to train further.

    Parameters
    ----------
    run_id : str
        The run's id, printed on its page.
    name : str
        The detector's name inside the run.

    Returns
    -------
    Detector

    Raises
    ------
    FileNotFoundError
        The run holds no such detector.
    """
    weights = artifact_path(run_id, f"weights/{name}.pt")
    settings = json.loads(artifact_path(run_id, f"weights/{name}.json").read_text())
    known = {field.name for field in fields(Detector)}  # a run may be older than this version
    kept = {"names": tuple(settings["names"]), "curve": pd.DataFrame(settings["curve"])}
    return Detector(weights=weights, **{name: value for name, value in {**settings, **kept}.items() if name in known})


def _paths(images: ImageSet | Iterable[Path | str]) -> list[Path]:
    """The photographs to look at; two with one name could not be told apart in what is found."""
    if isinstance(images, (str, Path)):
        raise TypeError(f"{images!r} is one path: give a list of photographs, or rk.load(...) for a folder")
    paths = [Path(path) for path in (images.photos["path"] if isinstance(images, ImageSet) else images)]
    seen: dict[str, Path] = {}
    for path in paths:
        if (other := seen.setdefault(path.name, path)) is not path:
            raise ValueError(f"two photographs with one name: {other} and {path}; look at them apart, or rename one")
    return paths


def _check_budget(minutes: float | None, epochs: int | None) -> None:
    if minutes is None and epochs is None:
        raise ValueError("training needs a budget: minutes=4, epochs=20, or both as caps")
    for label, value in (("minutes", minutes), ("epochs", epochs)):
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, Real):
            raise TypeError(f"{label}={value!r} is a {type(value).__name__}; a number above 0 is needed, for example 4")
        if not 0 < float(value) < float("inf"):
            raise ValueError(f"{label}={value!r}: a finite number above 0 is needed, for example 4")


def _check_images(images: ImageSet) -> None:
    if images.photos.empty or images.boxes.empty:
        raise ValueError(
            f"{images.name} has {len(images.photos)} photographs and {len(images.boxes)} boxes: nothing to learn from"
        )
    if (images.quarantine["set_aside"] == "photo").any():
        files = images.quarantine.loc[images.quarantine["set_aside"] == "photo", "file"].nunique()
        warnings.warn(
            f"{files} files of {images.name} were set aside and are not trained on: see images.quarantine",
            stacklevel=3,
        )


def _start(start: Detector | Path | str | None) -> Path | str:
    """The file or blank model that training starts from; a bare word that is no file is a run id."""
    if isinstance(start, Detector):
        return start.weights
    if start is None or str(start) == "":
        return "yolo11n.yaml"
    if Path(start).suffix in (".pt", ".yaml", ".yml"):
        return start
    return load_detector(str(start)).weights


def _keep(weights: Path) -> Path:
    """Move trained weights out of the scratch folder, under the digest of their content."""
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()[:16]
    folder = project.folder(".cache") / "detectors"
    folder.mkdir(exist_ok=True)
    return Path(shutil.move(weights, folder / f"{digest}.pt"))


def _working_confidence(detector: Detector, images: ImageSet, seed: int, photos: int = 100) -> float:
    """The threshold of best F1 on (at most 100) training photographs, never on those scored later."""
    sample = images.sample(min(photos, len(images.photos)), seed=seed)
    found = detector.detect(sample, confidence=LOWEST_CONFIDENCE, progress=False)
    return choose_confidence(score_boxes(sample.boxes, found, sample.photos, list(detector.names), repetitions=2))


def _yolo(weights: Path) -> Any:
    project.quiet()
    from ultralytics import YOLO

    return YOLO(str(weights), task="detect")


def _boxes(result: Any, names: tuple[str, ...]) -> pd.DataFrame:
    corners = result.boxes.xyxy.cpu().numpy().astype(float)
    return pd.DataFrame(
        {
            "photo": Path(result.path).name,
            "class_name": [names[int(number)] for number in result.boxes.cls.tolist()],
            **{column: corners[:, place] for place, column in enumerate(("x1", "y1", "x2", "y2"))},
            "confidence": result.boxes.conf.cpu().numpy().astype(np.float64),
        },
        columns=BOXES,
    )


def _warn_if_cut(found: list[pd.DataFrame], max_det: int) -> None:
    full = [frame for frame in found if len(frame) >= max_det]
    if full:
        warnings.warn(
            f"{len(full)} of {len(found)} photographs reached max_det={max_det} detections, the first is "
            f"{full[0]['photo'].iloc[0]}: boxes were cut off, recall and counts are too low. Raise max_det.",
            TooManyDetectionsWarning,
            stacklevel=3,
        )
