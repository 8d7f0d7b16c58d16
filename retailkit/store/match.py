"""Which detection found which truth: boxes in, hits out, as ultralytics' validator decides it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

IOUS = np.linspace(0.5, 0.95, 10, dtype=np.float32)
CORNERS = ["x1", "y1", "x2", "y2"]


@dataclass(frozen=True, eq=False)
class Matches:
    """Detections with their verdicts, and the number of truths beside them.

    Attributes
    ----------
    photos : list of str
        Names of all photographs, sorted; photographs without any box included.
    names : list of str
        Class names.
    ious : array (levels,)
        Overlaps (intersection over union) at which a detection counts as a hit.
    photo, label : int arrays (detections,)
        Position of each detection's photograph in `photos` and of its class in `names`.
    confidence : float array (detections,)
    correct : bool array (detections, levels)
        Is this detection a hit at this overlap?
    truths : int array (photos, classes)
        Number of true boxes.
    """

    photos: list[str]
    names: list[str]
    ious: NDArray[np.float32]
    photo: NDArray[np.intp]
    label: NDArray[np.intp]
    confidence: NDArray[np.float64]
    correct: NDArray[np.bool_]
    truths: NDArray[np.int64]

    def __repr__(self) -> str:
        return f"Matches: {len(self.photo)} detections and {self.truths.sum()} truths on {len(self.photos)} photographs"

    @cached_property
    def by_class(self) -> list[NDArray[np.intp]]:
        """Detections of each class, the most confident first; equal confidences in no particular order."""
        order = np.argsort(-self.confidence, kind="stable")
        return [order[self.label[order] == label] for label in range(len(self.names))]

    def counts(self, confidence: float, hits: bool = False) -> NDArray[np.int64]:
        """Count detections (or hits at the lowest overlap) at or above a confidence: (photos, classes)."""
        keep = self.confidence >= confidence
        if hits:
            keep = keep & self.correct[:, 0]
        counts = np.zeros_like(self.truths)
        np.add.at(counts, (self.photo[keep], self.label[keep]), 1)
        return counts


def match(
    truth: pd.DataFrame,
    found: pd.DataFrame,
    names: list[str],
    photos: list[str] | None = None,
    ious: NDArray[np.float32] = IOUS,
) -> Matches:
    """Decide for each detection whether it is a hit, at every overlap.

    In each photograph the detections take turns, the most confident first. Each claims, of the truths of its
    class that no other has claimed, the one that it overlaps most, if they overlap enough. This is what
    `ultralytics` 8.4 does in `BaseValidator.match_predictions`, in the same arithmetic (32-bit).

    >>> shelf = pd.DataFrame({"photo": "a", "class_name": "empty", "x1": [0], "y1": 0, "x2": 10, "y2": 10})
    >>> match(shelf, shelf.assign(confidence=0.9, x2=8), ["empty"]).correct[0].sum()  # overlap 0.8: 0.50 to 0.80
    np.int64(7)

    Parameters
    ----------
    truth : frame with photo, class_name, x1, y1, x2, y2 (pixels)
    found : the same and confidence (0 to 1)
    names : list of str
        Class names; a box of any other class is an error.
    photos : list of str, optional
        All photographs that the detector saw; by default those with a box. Give it where some have none.
    ious : float32 array, ascending

    Raises
    ------
    ValueError
        A column is missing, a number is not finite, or a class or photograph is not in the list.
    """
    if photos is None:
        photos = list({*truth["photo"], *found["photo"]})
    photos = sorted(photos)
    true = _positions(truth, "truth", photos, names)
    seen = _positions(found, "found", photos, names)
    true_rows = np.searchsorted(true["photo"], np.arange(len(photos) + 1))
    seen_rows = np.searchsorted(seen["photo"], np.arange(len(photos) + 1))
    true_boxes, seen_boxes = (frame[CORNERS].to_numpy(np.float32) for frame in (true, seen))
    true_labels, seen_labels = true["label"].to_numpy(), seen["label"].to_numpy()
    correct = np.zeros((len(seen), len(ious)), dtype=bool)
    for t, t_end, s, s_end in zip(true_rows, true_rows[1:], seen_rows, seen_rows[1:], strict=False):
        if t < t_end and s < s_end:
            overlap = box_iou(true_boxes[t:t_end], seen_boxes[s:s_end])
            overlap *= true_labels[t:t_end, None] == seen_labels[s:s_end]
            correct[s:s_end] = claim(overlap, ious)
    truths = np.zeros((len(photos), len(names)), dtype=np.int64)
    np.add.at(truths, (true["photo"].to_numpy(), true_labels), 1)
    confidence = seen["confidence"].to_numpy(float)
    return Matches(photos, names, ious, seen["photo"].to_numpy(), seen_labels, confidence, correct, truths)


def claim(overlap: NDArray[np.float32], ious: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Let detections (columns, the most confident first) claim truths (rows): hits (detections, levels)."""
    hits = np.zeros((overlap.shape[1], len(ious)), dtype=bool)
    claimed = np.zeros((overlap.shape[0], len(ious)), dtype=bool)
    levels = np.arange(len(ious))
    for detection in np.flatnonzero((overlap >= ious[0]).any(axis=0)):
        free = np.where(claimed, 0, overlap[:, detection, None])
        best = free.argmax(axis=0)
        hits[detection] = free[best, levels] >= ious
        claimed[best, levels] |= hits[detection]
    return hits


def box_iou(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give the intersection over union of every pair of boxes: (first, second), as ultralytics does."""
    a, b = first[:, None], second[None]
    sides = np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0, None)
    inside = sides[..., 0] * sides[..., 1]
    area_a, area_b = ((box[..., 2] - box[..., 0]) * (box[..., 3] - box[..., 1]) for box in (a, b))
    return inside / (area_a + area_b - inside + np.float32(1e-7))


def _positions(boxes: pd.DataFrame, which: str, photos: list[str], names: list[str]) -> pd.DataFrame:
    """Check boxes and put positions in place of names, in an order that does not depend on that of the rows."""
    numbers = [*CORNERS, "confidence"] if which == "found" else CORNERS
    if missing := [column for column in ["photo", "class_name", *numbers] if column not in boxes]:
        raise ValueError(f"{which}: no column {', '.join(missing)}; there are {', '.join(map(str, boxes.columns))}")
    result = boxes[numbers].astype(float)
    result.insert(0, "label", pd.Index(names).get_indexer(pd.Index(boxes["class_name"])))
    result.insert(0, "photo", pd.Index(photos).get_indexer(pd.Index(boxes["photo"])))
    for column, name, known in (("photo", "photo", photos), ("label", "class_name", names)):
        if (result[column] < 0).any():
            stranger = boxes[name][(result[column] < 0).to_numpy()].iloc[0]
            raise ValueError(f"{which}: {name} {stranger!r} is not among {', '.join(known[:10])}")
    if not (finite := np.isfinite(result[numbers]).all(axis=1)).all():
        row = int(np.flatnonzero(~finite)[0])
        raise ValueError(f"{which}: row {row} ({boxes['photo'].iloc[row]}) holds a number that is not finite")
    ranks = {"confidence": -result["confidence"]} if which == "found" else {}
    keys = result.assign(**ranks)[["photo", *ranks, "label", *CORNERS]]
    return result.iloc[np.lexsort(keys.to_numpy().T[::-1])].reset_index(drop=True)
