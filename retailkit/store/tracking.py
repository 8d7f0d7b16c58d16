"""Boxes become visits: one of ultralytics' trackers says which boxes of successive frames are one person.

    found = detect_video(film, detector)              # or boxes from anywhere: frame, x1, y1, x2, y2, confidence
    tracks = track_boxes(found, "bytetrack")          # the same boxes with a visit each
    left_over = found.drop(index=tracks.index)        # boxes that no track took: nothing vanishes

The trackers are ultralytics' own, called on boxes alone, so that boxes of any detector, or of a person with a mouse,
can be tracked. The camera stands still: their compensation for a moving one gets no pictures and rests.
"""

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.datasets.tables import need_columns
from retailkit.lab import project

TRACKERS = ("bytetrack", "botsort", "ocsort", "deepocsort", "fasttrack", "tracktrack")  # of ultralytics 8.4
CORNERS = ["x1", "y1", "x2", "y2"]
COLUMNS = ["frame", *CORNERS, "confidence"]
_SHAPE = (1, 1)  # of the picture: trackers pass it on and compute nothing from it


class NoTrackStartsWarning(UserWarning):
    """Every box is below the confidence from which the tracker starts a track, so there are none."""


def track_boxes(
    boxes: pd.DataFrame,
    tracker: str = "bytetrack",
    frames: Iterable[int] | None = None,
    *,
    progress: bool = True,
    **settings: Any,
) -> pd.DataFrame:
    """Say which boxes of successive frames are one person.

    >>> boxes = pd.DataFrame({"frame": range(4), "x1": [0.0, 2, 4, 6], "y1": 0.0, "x2": [20.0, 22, 24, 26], "y2": 40.0})
    >>> track_boxes(boxes.assign(confidence=0.9))["visit"].tolist()
    [1, 1, 1, 1]

    Parameters
    ----------
    boxes : DataFrame with frame (whole numbers), x1, y1, x2, y2 (pixels), confidence (0 to 1)
        Of one class; further columns (such as `time`, seconds) are carried along.
    tracker : str
        "bytetrack" (Zhang et al. 2022), "botsort" (Aharon et al. 2022), "ocsort" (Cao et al. 2023), "deepocsort"
        (Maggiolino et al. 2023), "fasttrack" (Hashempoor & Hwang 2025) or "tracktrack" (Shim et al. 2025).
    frames : whole numbers, optional
        All frames that the detector looked at, those without a box as well; by default every one from the first box to
        the last. A track that is not seen ages with them.
    progress : bool
        Show a bar where this takes over two seconds.
    **settings
        In place of the tracker's own from ultralytics' file, such as ``new_track_thresh=0.4`` (a track starts at this
        confidence; 0.7 for tracktrack, else 0.25 or 0.3) or ``track_buffer=50`` (frames that a lost track is kept).

    Returns
    -------
    DataFrame
        Rows of `boxes` that belong to a track, by visit and frame, under their own index; visit (whole numbers from 1,
        anew in each call) stands after frame. The boxes are those given, not the tracker's filtered ones, which lag
        behind. A tracker confirms a track with its second box, so a box that nothing follows is not in one.

    Raises
    ------
    ValueError
        No such tracker or setting, a column is missing, or a row holds what is no box.

    Warns
    -----
    NoTrackStartsWarning
        No box is as confident as a track needs to start.
    """
    frame = check_boxes(boxes)
    follow, start = _tracker(tracker, settings)
    if len(frame) and frame["confidence"].max() < start:
        warnings.warn(
            f"{tracker} starts a track at confidence {start:g}, and the highest of {len(frame)} boxes is "
            f"{frame['confidence'].max():.2f}: no tracks. Give new_track_thresh, or another tracker.",
            NoTrackStartsWarning,
            stacklevel=2,
        )
    rows, visits = _follow(frame, follow, _frames(frame, frames), progress)
    tracks = boxes.iloc[rows].copy()
    tracks.insert(list(tracks).index("frame") + 1, "visit", visits)
    return tracks.sort_values(["visit", "frame"], kind="stable")


def describe_tracks(boxes: pd.DataFrame, tracks: pd.DataFrame) -> pd.DataFrame:
    """Tell what a tracker made of its boxes: a table of one row.

    Returns
    -------
    DataFrame
        boxes, in_tracks and left_over (numbers of boxes), visits, and frames_each (median number of boxes of a visit).
    """
    each = tracks.groupby("visit").size()
    facts = {"boxes": len(boxes), "in_tracks": len(tracks), "left_over": len(boxes.index.difference(tracks.index))}
    return pd.DataFrame([{**facts, "visits": len(each), "frames_each": each.median() if len(each) else 0.0}])


def check_boxes(boxes: pd.DataFrame, columns: Iterable[str] = COLUMNS) -> pd.DataFrame:
    """Refuse what are no boxes, naming the row; give the columns asked for as numbers."""
    columns = list(columns)
    need_columns(boxes, columns, "boxes")
    if "class_name" in boxes and boxes["class_name"].nunique() > 1:
        kinds = ", ".join(sorted(map(str, boxes["class_name"].unique())))
        raise ValueError(f"boxes are of several classes ({kinds}): track one class at a time")
    frame = boxes[columns].astype(float).reset_index(drop=True)
    wrong = [
        (~np.isfinite(frame).all(axis=1), "holds a number that is not finite"),
        (frame["frame"] % 1 != 0, "has a frame that is no whole number"),
        ((frame["x2"] <= frame["x1"]) | (frame["y2"] <= frame["y1"]), "has no area: x1 < x2 and y1 < y2 are needed"),
    ]
    if "confidence" in frame:
        wrong.append((~frame["confidence"].between(0, 1), "has a confidence outside 0 to 1"))
    for rows, problem in wrong:
        if rows.any():
            row = int(np.flatnonzero(rows)[0])
            raise ValueError(f"boxes, row {row + 1} of {len(frame)} {problem}: {boxes.iloc[row].to_dict()}")
    return frame


def _tracker(name: str, settings: dict[str, Any]) -> tuple[Any, float]:
    """A tracker without a past, and the confidence from which it starts a track."""
    if name not in TRACKERS:
        raise ValueError(f"tracker is {name!r}; there are {', '.join(TRACKERS)}")
    project.quiet()
    from ultralytics.trackers.track import TRACKER_MAP
    from ultralytics.utils import YAML, IterableSimpleNamespace
    from ultralytics.utils.checks import check_yaml

    known = YAML.load(check_yaml(f"{name}.yaml"))
    if strange := sorted(settings.keys() - known.keys()):
        raise ValueError(f"{name} has no setting {', '.join(strange)}; it has {', '.join(sorted(known))}")
    chosen = known | settings
    return TRACKER_MAP[name](args=IterableSimpleNamespace(**chosen)), float(chosen["new_track_thresh"])


def _frames(frame: pd.DataFrame, frames: Iterable[int] | None) -> NDArray[np.int64]:
    """The frames to go through, in order; each box must be on one of them."""
    numbers = frame["frame"].to_numpy(dtype=np.int64)
    if frames is None:
        return np.arange(numbers.min(), numbers.max() + 1) if len(numbers) else numbers
    looked = np.unique(np.fromiter(frames, dtype=np.int64))
    if len(strange := np.setdiff1d(numbers, looked)):
        raise ValueError(f"there are boxes on frame {strange[0]}, which is not among the {len(looked)} frames given")
    return looked


def _follow(
    frame: pd.DataFrame, tracker: Any, frames: NDArray[np.int64], progress: bool
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Show the tracker frame after frame: rows that belong to a track, and their visits."""
    from tqdm import tqdm
    from ultralytics.engine.results import Boxes

    order = np.argsort(frame["frame"].to_numpy(), kind="stable")
    numbers = frame["frame"].to_numpy()[order]
    table = np.column_stack([frame[[*CORNERS, "confidence"]].to_numpy(), np.zeros(len(frame))])[order]
    first, last = np.searchsorted(numbers, frames, "left"), np.searchsorted(numbers, frames, "right")
    found = [(np.empty(0, dtype=np.intp), np.empty(0, dtype=np.int64))]
    for start, end in tqdm(
        zip(first, last, strict=True), "tracking", len(frames), delay=2, leave=False, unit="frame", disable=not progress
    ):
        told = np.asarray(tracker.update(Boxes(table[start:end].astype(np.float32), _SHAPE))).reshape(-1, 8)
        visits, places = told[:, 4].astype(np.int64), told[:, 7].astype(np.intp)
        known = (visits > 0) & (places >= 0)  # -1 stands for no identity, and for no box
        found.append((order[start + places[known]], visits[known]))
    rows, visits = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return rows, visits
