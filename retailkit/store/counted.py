"""Frames of a film that somebody counted by hand, and how a detector does on them.

counted = read_counted("store-aisle-detection.counted.csv")      # frame, person, x1, y1, x2, y2
score = score_frames(found, counted, confidence=0.4, times=film.times)
score.estimate("recall"), false_boxes(score)
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.datasets import DataError
from retailkit.lab.intervals import Estimate, bootstrap
from retailkit.store.identity import score_identities
from retailkit.store.match import CORNERS
from retailkit.store.score import Score, score_boxes
from retailkit.store.tracking import TRACKERS, track_boxes

PERSON = "person"
COLUMNS = ["frame", "person", *CORNERS]


def read_counted(path: Path | str, frames: int | None = None) -> pd.DataFrame:
    """Read frames that were counted by hand: frame, person, x1, y1, x2, y2 (pixels), a row for each person.

    A frame without anybody has one row, with its number alone.

    Raises
    ------
    DataError
        A column is missing, a box has no area, or a frame is not in the film; the message names the row.
    """
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is no table of counted frames: {error}") from error
    if missing := [name for name in COLUMNS if name not in table]:
        raise DataError(f"{path} has no column {', '.join(missing)}; it needs {', '.join(COLUMNS)}")
    someone = table["person"].notna()
    area = (table["x2"] > table["x1"]) & (table["y2"] > table["y1"])
    in_film = table["frame"].between(0, np.inf if frames is None else frames - 1)
    for wrong, problem in ((someone & ~area, "its box has no area"), (~in_film, "the film has no such frame")):
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise DataError(f"{path}, line {row + 2}: {problem}: {table.iloc[row].to_dict()}")
    return table[COLUMNS]


def score_frames(
    found: pd.DataFrame,
    counted: pd.DataFrame,
    confidence: float,
    *,
    times: NDArray[np.float64],
    stretch: float = 1.0,
    seed: int = 0,
) -> Score:
    """Score what was found on the frames that were counted by hand.

    Parameters
    ----------
    found : DataFrame with frame, x1, y1, x2, y2 (pixels), confidence
        On all frames, also what is below the threshold.
    counted : DataFrame with frame, person, x1, y1, x2, y2 (pixels)
        Frames without anybody have one row without a person.
    confidence : float
        The threshold in use.
    times : array (frames,), seconds
        Of the film.
    stretch : float, seconds
        Frames that follow each other look alike, and who is missed once is missed again: stretches of time are
        resampled for the intervals, not frames.

    Returns
    -------
    Score
        ``estimate("recall")``, ``estimate("precision")`` and so on, with intervals over stretches of this film. They
        speak of other moments of it, not of other people or stores.
    """
    frames = np.unique(counted["frame"])
    boxes = counted.dropna(subset=["person"])
    tables = [table[table["frame"].isin(frames)] for table in (boxes, found)]
    truth, seen = (table.assign(photo=name_frames(table["frame"]), class_name=PERSON) for table in tables)
    photos = pd.DataFrame({"photo": name_frames(frames), "group": np.floor(times[frames] / stretch).astype(int)})
    return score_boxes(truth, seen, photos, [PERSON], confidence, seed=seed)


def false_boxes(score: Score, seed: int = 0) -> Estimate:
    """Estimate the boxes in a frame that hold nobody, with an interval over the score's groups."""
    found, right = (score.matches.counts(score.confidence, hits=hits).sum(axis=1) for hits in (False, True))
    table = pd.DataFrame({"false": found - right, "group": score.groups})
    return bootstrap(table, lambda rows: float(rows["false"].mean()), by="group", seed=seed)


def score_trackers(
    found: pd.DataFrame,
    counted: pd.DataFrame,
    trackers: Iterable[str] = TRACKERS,
    stretches: int = 5,
    **settings: Any,
) -> pd.DataFrame:
    """Score trackers on frames where somebody wrote down who is who.

    Parameters
    ----------
    found : DataFrame
        Boxes of all frames, as `retailkit.store.tracking.track_boxes` takes them.
    counted : DataFrame
        As in `score_frames`; `person` is the same for the same person in all frames.
    trackers : names
    stretches : int
        Stretches of the counted frames that are left out in turn for the intervals.
    **settings
        Of the trackers.

    Returns
    -------
    DataFrame
        tracker, metric (hota, idf1, mota, switches), value, low, high.
    """
    truth = counted.dropna(subset=["person"]).rename(columns={"person": "visit"})
    rows = []
    for name in trackers:
        tracks = track_boxes(found, name, **settings)
        score = score_identities(
            tracks[tracks["frame"].isin(counted["frame"])], truth, stretches=stretches, progress=False
        )
        for metric in ("hota", "idf1", "mota", "switches"):
            figure = score[metric]
            rows.append((name, metric, figure.value, figure.low, figure.high))
    return pd.DataFrame(rows, columns=["tracker", "metric", "value", "low", "high"])


def as_photos(boxes: pd.DataFrame) -> pd.DataFrame:
    """Name boxes' frames as `show_frames` does, so that they are drawn on them: photo and class_name are added."""
    return boxes.dropna(subset=["x1"]).assign(photo=lambda rows: name_frames(rows["frame"]), class_name=PERSON)


def name_frame(frame: int) -> str:
    """Name a frame as if it were a photograph.

    >>> name_frame(7)
    'frame-000007'
    """
    return f"frame-{frame:06d}"


def name_frames(frames: Iterable[int]) -> list[str]:
    """Name several; see `name_frame`."""
    return [name_frame(int(frame)) for frame in frames]
