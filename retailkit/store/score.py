"""How well a detector finds boxes, and how sure that is: every metric with its bootstrap interval."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.lab import intervals
from retailkit.lab.intervals import Estimate
from retailkit.store.average_precision import GRID, METRICS, class_precision, mean_present, measure
from retailkit.store.match import IOUS, Matches, box_iou, claim, match

__all__ = [
    "IOUS",
    "METRICS",
    "Matches",
    "Score",
    "box_iou",
    "choose_confidence",
    "claim",
    "compare_scores",
    "match",
    "mean_score",
    "score_boxes",
]

SHARES = ["ap", "ap50", "ap75", "precision", "recall"]  # between 0 and 1; the others are numbers of boxes
EVERY = "all"


@dataclass(frozen=True, eq=False)
class Score:
    """What `score_boxes` gives: matches, and as many of their resamples as one asks for.

    Attributes
    ----------
    matches : Matches
        Every detection with its verdict, every photograph with its number of truths.
    groups : array (photos,)
        The near-duplicate group of each photograph in `matches.photos`.
    confidence : float
        Threshold for precision, recall and counts.
    repetitions, seed : int
        Resamples of the groups, and the seed that draws them.
    truth, found : DataFrame
        The boxes that were compared.
    """

    matches: Matches
    groups: NDArray[np.object_]
    confidence: float = 0.25
    repetitions: int = 1000
    seed: int = 0
    truth: pd.DataFrame = field(default_factory=pd.DataFrame, compare=False)
    found: pd.DataFrame = field(default_factory=pd.DataFrame, compare=False)

    def __repr__(self) -> str:
        return f"Score of {len(self.groups)} photographs in {self.units} groups: ap50 {self.estimate('ap50')}"

    @property
    def units(self) -> int:
        """Number of groups, which are what is resampled."""
        return len(np.unique(self.groups))

    @cached_property
    def weights(self) -> NDArray[np.float32]:
        """How often each resample draws each photograph: (repetitions, photos)."""
        return intervals.resample(self.groups, self.repetitions, self.seed)

    @cached_property
    def values(self) -> dict[str, NDArray[np.float64]]:
        """Each metric on the photographs themselves: (1 + classes,), 'all' first."""
        whole = np.ones((1, len(self.groups)))
        return {metric: values[0] for metric, values in measure(self.matches, whole, self.confidence).items()}

    @cached_property
    def replicates(self) -> dict[str, NDArray[np.float64]]:
        """Each metric on every resample: (repetitions, 1 + classes)."""
        return measure(self.matches, self.weights, self.confidence)

    def column(self, metric: str, class_name: str = EVERY) -> int:
        """Find a class among the columns of `values`; an unknown metric or class is an error."""
        classes = [EVERY, *self.matches.names]
        for what, given, known in (("metric", metric, METRICS), ("class", class_name, classes)):
            if given not in known:
                raise ValueError(f"{what} {given!r} is not one of {', '.join(known)}")
        return classes.index(class_name)

    def estimate(self, metric: str = "ap50", class_name: str = EVERY, level: float = 0.95) -> Estimate:
        """Give one metric with its interval over groups of photographs.

        Parameters
        ----------
        metric : {"ap", "ap50", "ap75", "precision", "recall", "count_error", "count_bias"}
            As in `table`.
        class_name : str
            A class, or "all".
        """
        column = self.column(metric, class_name)
        method = "share" if metric in SHARES else "percentile"
        value, replicates = self.values[metric][column], self.replicates[metric][:, column]
        return intervals.interval(value, replicates, level, method, self.units, "groups")

    def table(self) -> pd.DataFrame:
        """Tabulate all metrics: class, metric, value, low, high, units.

        `ap`: average precision, mean over overlaps 0.50 to 0.95 (COCO; Lin et al. 2014), `ap50` and `ap75`: at
        one overlap (Everingham et al. 2010), each as ultralytics 8.4 computes it; `precision` and `recall`: at
        overlap 0.5 and the score's confidence. For 'all' these five are the mean over the classes that have truths.
        `count_error` and `count_bias`: boxes found at that confidence minus true boxes, per photograph, without
        and with the sign; for 'all', boxes of every class counted together.
        """
        rows = [
            {"class": class_name, "metric": metric, **self.estimate(metric, class_name).row()}
            for class_name in (EVERY, *self.matches.names)
            for metric in METRICS
        ]
        return pd.DataFrame(rows).drop(columns=["level", "unit_name"])

    def metrics(self) -> dict[str, Estimate]:
        """Name every estimate as a run records it: map50, map75, map, recall, ... and map50_empty for a class."""
        names = {"ap": "map", "ap50": "map50", "ap75": "map75"}
        return {
            names.get(metric, metric) + ("" if class_name == EVERY else f"_{class_name}"): self.estimate(
                metric, class_name
            )
            for class_name in (EVERY, *self.matches.names)
            for metric in METRICS
        }

    def placebo(self, seed: int = 0) -> "Score":
        """Judge the same boxes on somebody else's photographs: what is left is luck, and should be near zero.

        The groups stand in a random circle, and every photograph gets the boxes found as many places further on as
        the largest group has photographs: always those of another group, unless one holds over half of them all. Then
        there are no strangers, no boxes are moved, and every figure is undefined (nan) in place of a false comfort.
        """
        codes, number = intervals.group_codes(self.groups)
        largest = int(np.bincount(codes).max())
        if 2 * largest > len(codes):
            return replace(self, matches=replace(self.matches, truths=np.zeros_like(self.matches.truths)))
        rng = np.random.default_rng(seed)
        order = np.lexsort([rng.random(len(codes)), rng.permutation(number)[codes]])
        photos = np.array(self.matches.photos, dtype=object)[order]
        elsewhere = dict(zip(photos, np.roll(photos, largest), strict=True))
        swapped = self.found.assign(photo=self.found["photo"].map(elsewhere))
        listed = pd.DataFrame({"photo": self.matches.photos, "group": self.groups})
        names = list(self.matches.names)
        return score_boxes(self.truth, swapped, listed, names, self.confidence, self.repetitions, self.seed)

    def curve(self, level: float = 0.95) -> pd.DataFrame:
        """Draw the precision-recall curve at overlap 0.5: class, recall, precision, low, high.

        The band holds point by point, not for the curve as a whole.
        """
        names = self.matches.names
        whole = np.ones((1, len(self.groups)))
        lines = [class_precision(self.matches, label, whole, levels=1)[0, 0] for label in range(len(names))]
        clouds = [class_precision(self.matches, label, self.weights, levels=1)[:, 0] for label in range(len(names))]
        line = mean_present(np.stack(lines, axis=-1).astype(float))
        cloud = mean_present(np.stack(clouds, axis=-1).astype(float))
        pieces = [
            _band(name, line, cloud, level)
            for name, line, cloud in zip([EVERY, *names], [line, *lines], [cloud, *clouds], strict=True)
        ]
        return pd.concat(pieces, ignore_index=True)

    def photos(self) -> pd.DataFrame:
        """List the photographs, those with most mistakes first: photo, group, truths, found, hits, missed, false."""
        truths = self.matches.truths.sum(axis=1)
        found = self.matches.counts(self.confidence).sum(axis=1)
        hits = self.matches.counts(self.confidence, hits=True).sum(axis=1)
        frame = pd.DataFrame(
            {
                "photo": self.matches.photos,
                "group": self.groups,
                "truths": truths,
                "found": found,
                "hits": hits,
                "missed": truths - hits,
                "false": found - hits,
            }
        )
        order = np.lexsort([frame["photo"], -(frame["missed"] + frame["false"])])
        return frame.iloc[order].reset_index(drop=True)


def _band(name: str, line: NDArray, cloud: NDArray, level: float) -> pd.DataFrame:
    known = cloud[~np.isnan(cloud).any(axis=1)]
    edges = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(known, edges, axis=0) if len(known) else np.full((2, len(GRID)), np.nan)
    return pd.DataFrame({"class": name, "recall": GRID, "precision": line, "low": low, "high": high})


def score_boxes(
    truth: pd.DataFrame,
    found: pd.DataFrame,
    photos: pd.DataFrame,
    names: list[str],
    confidence: float = 0.25,
    repetitions: int = 1000,
    seed: int = 0,
) -> Score:
    """Score detections against the truth, with an interval over groups of photographs for every figure.

    >>> score = score_boxes(truth, found, photos, names=["empty", "disorganized"])    # doctest: +SKIP
    >>> print(score.estimate("ap50"))                                                 # doctest: +SKIP
    0.412 (95 % interval 0.380 to 0.447)

    Parameters
    ----------
    truth : frame with photo, class_name, x1, y1, x2, y2 (pixels)
    found : the same and confidence (0 to 1)
        With *all* detections, from a confidence of 0.001 or so up: average precision needs the doubtful ones.
    photos : frame with photo, group
        Every photograph that the detector saw, those without a box included.
    names : list of str
        Class names.
    confidence : float, 0 to 1
        Threshold for precision, recall and counts. Choose it on other photographs (`choose_confidence`).
    repetitions, seed : int
        Resamples, and the seed that draws them.

    Raises
    ------
    ValueError
        A photograph is listed twice, or a box is of a photograph or class that is not listed.
    """
    if (twice := photos["photo"].duplicated()).any():
        raise ValueError(f"photo {photos['photo'][twice].iloc[0]!r} is listed twice")
    photos = photos.sort_values("photo")
    matches = match(truth, found, list(names), list(photos["photo"]))
    groups = photos["group"].astype(str).to_numpy(dtype=object)
    return Score(matches, groups, confidence, repetitions, seed, truth, found)


def choose_confidence(score: Score, by: str = "f1") -> float:
    """Choose the threshold that serves best, on photographs that are *not* those reported on.

    Chosen and judged on the same photographs, a threshold flatters itself: use training or calibration photographs.

    Parameters
    ----------
    score : Score
    by : {"f1", "count"}
        `f1`: highest mean over classes of 2 · hits / (found + truths) at overlap 0.5. `count`: smallest mean absolute
        count error. Of equally good thresholds the highest.

    Returns
    -------
    float, one of 0.01, 0.02, ... 0.99
    """
    thresholds = np.arange(99, 0, -1) / 100
    if by == "count":
        return float(min(thresholds, key=lambda level: _count_loss(score.matches, level)))
    if by == "f1":
        return float(max(thresholds, key=lambda level: _f1(score.matches, level)))
    raise ValueError(f"by={by!r} is neither 'f1' nor 'count'")


def _count_loss(matches: Matches, confidence: float) -> float:
    return float(np.abs(matches.counts(confidence) - matches.truths).sum())


def _f1(matches: Matches, confidence: float) -> float:
    truths = matches.truths.sum(axis=0)
    hits = matches.counts(confidence, hits=True).sum(axis=0)
    boxes = matches.counts(confidence).sum(axis=0) + truths
    return float(np.mean(2 * hits[truths > 0] / boxes[truths > 0])) if truths.any() else 0.0


def mean_score(scores: Sequence[Score], metric: str = "ap50", class_name: str = EVERY, level: float = 0.95) -> Estimate:
    """Estimate a metric's mean over training seeds; the interval knows of other photographs and other seeds."""
    column = _same_photos(scores)[0].column(metric, class_name)
    values, replicates = _over_seeds(scores, metric, column)
    return intervals.crossed(values, replicates, level=level, units=scores[0].units, unit_name="groups")


def compare_scores(
    first: Score | Sequence[Score],
    second: Score | Sequence[Score],
    metric: str = "ap50",
    class_name: str = EVERY,
    level: float = 0.95,
) -> Estimate:
    """Estimate by how much the first detector is ahead of the second, on the same photographs.

    Both are measured on the same resamples, so that hard and easy photographs cancel. Two scores: the
    interval is about these two trained models. Two lists of scores, one per training seed: it is about the two
    ways of training, and allows for other seeds (`retailkit.lab.intervals.crossed`).

    Parameters
    ----------
    first, second : Score, or several (two or more training seeds each)
    metric, class_name, level
        As in `Score.estimate`.

    Raises
    ------
    ValueError
        The scores are of different photographs, groups, repetitions or seeds.
    """
    sides = [[side] if isinstance(side, Score) else list(side) for side in (first, second)]
    scores = _same_photos([*sides[0], *sides[1]])
    column, units = scores[0].column(metric, class_name), scores[0].units
    a, a_replicates = _over_seeds(sides[0], metric, column)
    b, b_replicates = _over_seeds(sides[1], metric, column)
    if isinstance(first, Score) and isinstance(second, Score):
        return intervals.paired(a[0], a_replicates[0], b[0], b_replicates[0], level, units, "groups")
    return intervals.crossed(a, a_replicates, b, b_replicates, level, units, "groups")


def _over_seeds(scores: Sequence[Score], metric: str, column: int) -> tuple[NDArray, NDArray]:
    """Collect a metric's value (scores,) and replicates (scores, repetitions)."""
    values = np.array([score.values[metric][column] for score in scores])
    return values, np.stack([score.replicates[metric][:, column] for score in scores])


def _same_photos(scores: Sequence[Score]) -> Sequence[Score]:
    """Refuse scores that cannot be compared photograph by photograph."""
    first = scores[0]
    for score in scores[1:]:
        same = (
            score.matches.photos == first.matches.photos
            and np.array_equal(score.groups, first.groups)
            and (score.repetitions, score.seed) == (first.repetitions, first.seed)
        )
        if not same:
            raise ValueError(
                f"scores differ in their photographs, groups, repetitions or seed: {len(first.matches.photos)} "
                f"photographs resampled {first.repetitions} times with seed {first.seed}, and "
                f"{len(score.matches.photos)} resampled {score.repetitions} times with seed {score.seed}"
            )
    return scores
