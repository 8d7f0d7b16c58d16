"""Where a detector's figures come from: recall by the size of what is to be found, and alarms where there is nothing.

    recall_by_size(score, test.photos)        # how small may a person be?
    false_alarms(score)                       # what does it see in photographs without anybody?

Both work on a `Score`, at its confidence and at overlap 0.5, with intervals over groups of photographs.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from retailkit.lab import intervals
from retailkit.lab.intervals import Estimate
from retailkit.store.match import CORNERS, box_iou
from retailkit.store.score import Score

EDGES = (0, 16, 32, 64, 128, 256)
OVERLAP = 0.5


def recall_by_size(
    score: Score, photos: pd.DataFrame, size: int = 256, edges: Sequence[float] = EDGES, level: float = 0.95
) -> pd.DataFrame:
    """Tabulate how many of the true boxes are found, by their height.

    >>> recall_by_size(score, test.photos)                                         # doctest: +SKIP
              height  boxes  value    low   high  units
    0    0 to 16 px     31  0.065  0.016  0.226     11
    1   16 to 32 px     40  0.400  0.245  0.577     19

    Parameters
    ----------
    score : Score
        Its boxes, its confidence and its resamples are used; all classes together.
    photos : DataFrame with photo, width, height (pixels)
        The photographs that were scored.
    size : int
        Heights are pixels of a photograph whose longer side is `size`, which is how the detector sees it.
    edges : ascending numbers
        Ends of the bins in those pixels, the lower one included. Boxes outside of all bins are not counted.
    level : float

    Returns
    -------
    DataFrame
        height (the bin in words), from, to (pixels), boxes (how many true ones), value, low, high (recall with its
        interval), units (groups with such a box). A bin without a box has no figure (nan).

    Raises
    ------
    ValueError
        Edges that do not ascend, or a scored photograph that is not listed.
    """
    if list(edges) != sorted(set(edges)) or len(edges) < 2:
        raise ValueError(f"edges={list(edges)}: two or more ascending numbers are needed")
    truth = _with_heights(score, photos, size)
    row = pd.Index(score.matches.photos).get_indexer(pd.Index(truth["photo"]))
    hits = found_truths(score)[truth.index]
    rows = []
    for low, high in pairwise(edges):
        inside = ((truth["seen"] >= low) & (truth["seen"] < high)).to_numpy()
        recall = _recall(score, row[inside], hits[inside], level)
        label = {"height": f"{low:g} to {high:g} px", "from": low, "to": high, "boxes": int(inside.sum())}
        rows.append(label | recall.row())
    return pd.DataFrame(rows).drop(columns=["level", "unit_name"])


def false_alarms(score: Score, level: float = 0.95) -> Estimate:
    """Count the boxes found per photograph on those photographs that show nothing to find.

    Returns
    -------
    Estimate
        Boxes per photograph at the score's confidence. The interval is over groups, on the logarithm of the rate: of
        six populations (0.02 to 2 alarms a photograph, 15 to 60 groups, 1,500 samples each) such intervals held the
        truth 95 to 98 % of the time, the bootstrap's percentiles 92 to 99.7 %. Where nothing was found, its end is the
        highest rate at which that happens (1 - level) / 2 of the time (Garwood 1936), a group counting once.
        Without a photograph that shows nothing, undefined (nan).
    """
    empty = score.matches.truths.sum(axis=1) == 0
    units = len(np.unique(score.groups[empty]))
    if not units:
        return Estimate(np.nan, np.nan, np.nan, level, 0, "groups without a box")
    counts = score.matches.counts(score.confidence).sum(axis=1)[empty]
    if not counts.any():
        high = float(stats.chi2.ppf((1 + level) / 2, 2) / 2 / units)
        return Estimate(0.0, 0.0, high, level, units, "groups without a box")
    rate = float(counts.mean())
    replicates = _ratio(score.weights[:, empty], counts, np.ones(len(counts)))
    spread = np.nanstd(np.log(np.maximum(replicates, rate / 10)), ddof=1)  # a resample without alarms has no logarithm
    reach = intervals.student(level, units) * np.sqrt(units / (units - 1)) * spread if units > 1 else np.nan
    low, high = rate * np.exp([-reach, reach])
    return Estimate(rate, float(low), float(high), level, units, "groups without a box")


def found_truths(score: Score) -> NDArray[np.bool_]:
    """Say of each row of `score.truth` whether it was found, at overlap 0.5 and the score's confidence.

    Detections take turns, the most confident first, as in `retailkit.store.match.match`.
    """
    truth, found = score.truth, score.found[score.found["confidence"] >= score.confidence]
    result = np.zeros(len(truth), dtype=bool)
    places = truth.reset_index(drop=True).groupby(["photo", "class_name"]).indices
    for key, seen in found.sort_values("confidence", ascending=False, kind="stable").groupby(["photo", "class_name"]):
        if key in places:
            rows = places[key]
            overlap = box_iou(*(frame[CORNERS].to_numpy(np.float32) for frame in (truth.iloc[rows], seen)))
            result[rows] = _claimed(overlap)
    return result


def _claimed(overlap: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which truths (rows) are claimed by detections (columns, the most confident first)."""
    taken = np.zeros(len(overlap), dtype=bool)
    for column in overlap.T:
        best = int(np.where(taken, -1, column).argmax())
        if not taken[best] and column[best] >= OVERLAP:
            taken[best] = True
    return taken


def _with_heights(score: Score, photos: pd.DataFrame, size: int) -> pd.DataFrame:
    """Add to the truths their height as the detector sees it."""
    longer = photos.set_index("photo")[["width", "height"]].max(axis=1)
    if unknown := set(score.matches.photos) - set(longer.index):
        raise ValueError(f"photo {min(unknown)!r} was scored but is not listed ({len(unknown)} such photographs)")
    truth = score.truth.reset_index(drop=True)
    return truth.assign(seen=(truth["y2"] - truth["y1"]) * size / truth["photo"].map(longer))


def _recall(score: Score, row: NDArray[np.intp], hits: NDArray[np.bool_], level: float) -> Estimate:
    """Recall of some true boxes, given the row of their photographs."""
    if not len(row):
        return Estimate(np.nan, np.nan, np.nan, level, 0, "groups")
    units = len(np.unique(score.groups[row]))
    replicates = _ratio(score.weights[:, row], hits, np.ones(len(hits)))
    return intervals.interval(float(hits.mean()), replicates, level, "share", units, "groups")


def _ratio(weights: NDArray, part: NDArray, whole: NDArray) -> NDArray[np.float64]:
    """Weighted sum of `part` over that of `whole` in every resample (repetitions,); nan where nothing was drawn."""
    above, below = weights @ part.astype(float), weights @ whole.astype(float)
    return np.divide(above, below, out=np.full(len(below), np.nan), where=below > 0)
