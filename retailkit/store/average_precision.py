"""Precision, recall and average precision of many resamples of the photographs at once, each computed exactly."""

import numpy as np
from numpy.typing import NDArray

from retailkit.store.match import Matches

GRID = np.linspace(0, 1, 101)  # recalls at which COCO, and so ultralytics, reads the curve
METRICS = ["ap", "ap50", "ap75", "precision", "recall", "count_error", "count_bias"]
BLOCK = 4_000_000  # detections x resamples held at a time: some 100 MB


def measure(matches: Matches, weights: NDArray[np.floating], confidence: float) -> dict[str, NDArray[np.float64]]:
    """Measure a detector on several resamples: for each metric an array (resamples, 1 + classes), 'all' first.

    Parameters
    ----------
    matches : Matches
    weights : array (resamples, photos)
        How often each photograph occurs in each resample; a row of ones is the sample itself.
    confidence : float
        Threshold for precision, recall and counts.
    """
    rows = max(1, BLOCK // max(len(matches.photo), len(matches.photos), 1))
    blocks = [_measure(matches, weights[start : start + rows], confidence) for start in range(0, len(weights), rows)]
    return {metric: np.concatenate([block[metric] for block in blocks]) for metric in METRICS}


def _measure(matches: Matches, weights: NDArray[np.floating], confidence: float) -> dict[str, NDArray[np.float64]]:
    precision = [class_precision(matches, label, weights) for label in range(len(matches.names))]
    ap = np.stack([average(curves) for curves in precision], axis=-1)  # resamples, levels, classes
    fine = {"ap": ap.mean(axis=1), "ap50": at_overlap(ap, matches, 0.5), "ap75": at_overlap(ap, matches, 0.75)}
    fine |= hit_rates(matches, weights, confidence)
    result = {metric: np.column_stack([mean_present(values), values]) for metric, values in fine.items()}
    return result | count_errors(matches, weights, confidence)


def at_overlap(ap: NDArray[np.float64], matches: Matches, overlap: float) -> NDArray[np.float64]:
    """Pick one overlap from (resamples, levels, classes); nan where the matches were not made at it."""
    place = np.flatnonzero(np.isclose(matches.ious, overlap))
    return ap[:, place[0]] if len(place) else np.full_like(ap[:, 0], np.nan)


def mean_present(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average over the classes (last axis) that occur; nan where none does."""
    present = ~np.isnan(values)
    total = np.where(present, values, 0).sum(axis=-1)
    return np.divide(total, present.sum(axis=-1), out=np.full(total.shape, np.nan), where=present.any(axis=-1))


def average(curves: NDArray[np.floating]) -> NDArray[np.float64]:
    """Turn precision at the 101 recalls (last axis) into average precision, by the trapezoid rule."""
    return np.trapezoid(curves.astype(float), GRID, axis=-1)


def class_precision(
    matches: Matches, label: int, weights: NDArray[np.floating], levels: int | None = None
) -> NDArray[np.floating]:
    """Read the precision-recall curve of one class at 101 recalls, in each resample and at each overlap.

    Precision at a recall is the highest precision at that or any higher recall (Everingham et al. 2010), read at
    101 recalls (COCO; Lin et al. 2014) as ultralytics 8.4 reads it: 0 beyond the last recall reached. Detections
    of equal confidence enter together, so that the order of the rows cannot matter.

    The detections are sorted once. In a resample a detection counts as often as its photograph does, so that
    the curve of each resample is a running sum of weights; only hits can be a corner of the curve.

    Returns
    -------
    array (resamples, levels, 101)
        nan where the class has no truth in the resample.
    """
    rows = matches.by_class[label]
    found = weights[:, matches.photo[rows]]
    seen = np.cumsum(found, axis=1)
    truths = weights.astype(float) @ matches.truths[:, label].astype(float)
    needed = hits_needed(truths)
    ties = np.searchsorted(-matches.confidence[rows], -matches.confidence[rows], side="right") - 1
    curves = []
    for hit in matches.correct[rows, :levels].T:
        corners = np.flatnonzero(hit)
        last = np.searchsorted(corners, ties[corners], side="right") - 1
        hits = np.cumsum(found[:, corners], axis=1)[:, last]
        curves.append(envelope_at(hits, seen[:, ties[corners]], needed))
    result = np.stack(curves, axis=1)
    result[truths == 0] = np.nan
    return result


def hits_needed(truths: NDArray[np.float64]) -> NDArray[np.int64]:
    """Give the least number of hits whose recall exceeds each of the 101 recalls: (resamples, 101).

    Recalls like 7/100 and 0.07 differ in their last bit; as ultralytics compares them, so do we.
    """
    truths = np.maximum(truths, 1)[:, None]
    needed = np.floor(GRID * truths)
    for _ in range(2):
        needed += needed / truths <= GRID
    return needed.astype(np.int64)


def envelope_at(
    hits: NDArray[np.floating], seen: NDArray[np.floating], needed: NDArray[np.int64]
) -> NDArray[np.floating]:
    """Give the highest precision from the first corner with enough hits onwards: (resamples, 101).

    Parameters
    ----------
    hits, seen : arrays (resamples, corners)
        Hits and detections up to each corner of the curve, ascending.
    needed : int array (resamples, 101)
    """
    repetitions, corners = hits.shape
    precision = np.divide(hits, seen, out=np.zeros_like(hits), where=seen > 0)
    best = np.zeros((repetitions, corners + 1), dtype=hits.dtype)  # a last column of 0: recall not reached
    best[:, :corners] = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    # One search for all resamples: lift each row above the one before it.
    lift = np.arange(repetitions)[:, None] * (int(needed.max(initial=0)) + int(hits.max(initial=0)) + 1)
    place = np.searchsorted((hits.astype(np.int64) + lift).ravel(), (needed + lift).ravel())
    columns = place.reshape(needed.shape) - np.arange(repetitions)[:, None] * corners
    return np.take_along_axis(best, columns, axis=1)


def hit_rates(matches: Matches, weights: NDArray[np.floating], confidence: float) -> dict[str, NDArray[np.float64]]:
    """Measure precision and recall at a confidence, at the lowest overlap: (resamples, classes).

    Recall is nan where the class has no truth. So is precision, and where nothing was found.
    """
    exact = weights.astype(float)
    truths = exact @ matches.truths
    found = exact @ matches.counts(confidence)
    hits = exact @ matches.counts(confidence, hits=True)
    unknown = np.full_like(hits, np.nan)
    return {
        "precision": np.divide(hits, found, out=unknown.copy(), where=(found > 0) & (truths > 0)),
        "recall": np.divide(hits, truths, out=unknown.copy(), where=truths > 0),
    }


def count_errors(matches: Matches, weights: NDArray[np.floating], confidence: float) -> dict[str, NDArray[np.float64]]:
    """Measure by how much the number of boxes per photograph is off: (resamples, 1 + classes).

    The first column compares all boxes of a photograph, whatever their class.
    """
    excess = matches.counts(confidence) - matches.truths
    excess = np.column_stack([excess.sum(axis=1), excess])
    shares = weights.astype(float) / weights.sum(axis=1, keepdims=True, dtype=float)
    return {"count_error": shares @ np.abs(excess), "count_bias": shares @ excess}
