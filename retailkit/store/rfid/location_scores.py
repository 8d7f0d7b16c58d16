"""How often tags are found on their fixture: by tag and by walk, beside a baseline and a placebo.

compare_locators(reads, known)          # a row for each method: share right, calibration, what it is behind
without = leave_out_walks(reads, known) # the same share without each of the walks
by_tag_and_walk(share, without)         # the share for other tags and other walks
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from retailkit.lab.intervals import Estimate, interval, paired, resample, wilson
from retailkit.store.rfid.location import Locator, nearest_neighbour, read_density

OURS, BASELINE, PLACEBO = "read density", "nearest neighbour", "shuffled labels"


def found_right(probabilities: pd.DataFrame, known: pd.Series) -> NDArray[np.bool_]:
    """Say of each tag whether its most probable place is the one where it is (tags,).

    >>> chances = pd.DataFrame({"door": [0.9, 0.4], "wall": [0.1, 0.6]}, index=["a", "b"])
    >>> found_right(chances, pd.Series({"a": "door", "b": "door"})).tolist()
    [True, False]
    """
    places = probabilities.columns.to_numpy()[probabilities.to_numpy().argmax(axis=1)]
    return places == known.reindex(probabilities.index).to_numpy()


def cross_locate(locate: Locator, known: pd.Series, folds: int = 5, seed: int = 0) -> pd.DataFrame:
    """Locate each known tag without its own label, from any walk: five folds over tags, each place in all of them.

    Parameters
    ----------
    locate : function of known and tags
        As `read_density` and `nearest_neighbour` prepare it.
    known : Series
        Place of each tag; index epc.
    folds, seed : int

    Returns
    -------
    DataFrame (tags, places)
        Probabilities, in the order of `known`; 0 where a place had no tag in the other folds.

    Raises
    ------
    ValueError
        There are fewer than two folds, or more than tags.
    """
    if not 2 <= folds <= len(known):
        raise ValueError(f"folds is {folds!r}; 2 to {len(known)} are possible with {len(known)} tags")
    part = deal_folds(known.to_numpy(), folds, seed)
    found = [locate(known[part != fold], known.index[part == fold]) for fold in range(folds)]
    places = pd.Index(sorted(known.unique()), name=known.name or "place")
    return pd.concat(found).reindex(index=known.index, columns=places).fillna(0.0)


def deal_folds(places: ArrayLike, folds: int, seed: int = 0) -> NDArray[np.int_]:
    """Deal tags to folds like cards, place by place, so that each fold has its share of every place.

    >>> deal_folds(["door", "door", "wall", "wall"], folds=2).tolist()
    [0, 1, 0, 1]

    Parameters
    ----------
    places : array (tags,)
    folds, seed : int

    Returns
    -------
    array of int (tags,)
        The fold of each tag, from 0.
    """
    values = np.asarray(places)
    order = np.random.default_rng(seed).permutation(len(values))
    order = order[np.argsort(values[order], kind="stable")]
    part = np.empty(len(values), dtype=int)
    part[order] = np.arange(len(values)) % folds
    return part


def compare_locators(
    reads: pd.DataFrame, known: pd.Series, folds: int = 5, seed: int = 0, level: float = 0.95
) -> pd.DataFrame:
    """Locate every known tag without its label, by reads, by the nearest neighbour, and from shuffled labels.

    Parameters
    ----------
    reads : DataFrame with walk, time (seconds), epc, rssi (dBm)
    known : Series
        Place of each tag; index epc. A tag that was never read counts too.
    folds, seed : int
        Of `cross_locate`; the placebo deals the places to the tags anew by the same seed.
    level : float

    Returns
    -------
    DataFrame
        method, places and tags (how many), value, low, high (share of tags found; Wilson 1927, by tag), behind,
        behind_low, behind_high (what it finds less than `read density`, on the same tags), calibration,
        calibration_low, calibration_high and calibration_by_chance (see `calibration_error`).
    """
    ours = read_density(reads)
    shuffled = pd.Series(np.random.default_rng(seed).permutation(known.to_numpy()), index=known.index, name=known.name)
    trials: list[tuple[str, Locator, pd.Series]] = [
        (OURS, ours, known), (BASELINE, nearest_neighbour(reads), known), (PLACEBO, ours, shuffled),
    ]  # fmt: skip
    counts = resample(np.arange(len(known)), seed=seed)
    rows, best = [], np.empty(0)
    for method, locate, truth in trials:
        chances = cross_locate(locate, truth, folds, seed)
        right = found_right(chances, truth).astype(float)
        best = right if method == OURS else best
        rows.append({"method": method, "places": truth.nunique()} | _row(chances, truth, right, best, counts, level))
    return pd.DataFrame(rows)


def _row(
    chances: pd.DataFrame, truth: pd.Series, right: NDArray, best: NDArray, counts: NDArray, level: float
) -> dict[str, float]:
    tags = len(right)
    share = wilson(int(right.sum()), tags, level, "tags")
    behind = paired(best.mean(), counts @ best / tags, right.mean(), counts @ right / tags, level, tags, "tags")
    error, chance = calibration_error(chances, truth, level=level)
    return {
        "tags": tags,
        **{name: getattr(share, name) for name in ("value", "low", "high")},
        **{"behind": behind.value, "behind_low": behind.low, "behind_high": behind.high},
        **{"calibration": error.value, "calibration_low": error.low, "calibration_high": error.high},
        "calibration_by_chance": chance,
    }


def calibration_error(
    probabilities: pd.DataFrame, known: pd.Series, bins: int = 10, seed: int = 0, level: float = 0.95
) -> tuple[Estimate, float]:
    """Measure how far the probability of the most probable place is from how often it is right.

    The expected calibration error over bins with equally many tags (Naeini, Cooper & Hauskrecht 2015; equal mass:
    Nguyen & O'Connor 2015): the mean over bins of the distance between mean probability and share right.

    Parameters
    ----------
    probabilities : DataFrame (tags, places)
    known : Series
        Place of each tag; index epc.
    bins, seed : int
    level : float

    Returns
    -------
    Estimate
        0 to 1, resampled by tag.
    float
        What probabilities that are just right would show in so many tags by chance: the upper end of `level`.
    """
    sure = probabilities.to_numpy().max(axis=1)
    right = found_right(probabilities, known).astype(float)
    order = np.argsort(sure, kind="stable")
    part = np.empty(len(sure), dtype=int)
    part[order] = np.arange(len(sure)) * bins // len(sure)
    counts = resample(np.arange(len(sure)), seed=seed)
    value = float(_error(sure, right, part, bins))
    replicates = [_error(sure, right, part, bins, weight) for weight in counts]
    rng = np.random.default_rng(seed)
    chance = [_error(sure, rng.random(len(sure)) < sure, part, bins) for _ in range(len(counts))]
    found = interval(value, replicates, level, "normal", len(sure), "tags")
    least = Estimate(value, max(found.low, 0.0), found.high, level, len(sure), "tags")
    return least, float(np.quantile(chance, level))


def _error(sure: NDArray, right: NDArray, part: NDArray, bins: int, weight: NDArray | None = None) -> float:
    weight = np.ones(len(sure)) if weight is None else weight
    return float(np.abs(np.bincount(part, weight * (sure - right), minlength=bins)).sum() / weight.sum())


def leave_out_walks(reads: pd.DataFrame, known: pd.Series, folds: int = 5, seed: int = 0) -> pd.DataFrame:
    """Share of tags found when one of the walks is not there: walk, value, low, high (95 %, by tag).

    Parameters
    ----------
    reads, known, folds, seed
        As in `compare_locators`.
    """
    rows = []
    for walk in sorted(reads["walk"].unique()):
        chances = cross_locate(read_density(reads[reads["walk"] != walk]), known, folds, seed)
        share = wilson(int(found_right(chances, known).sum()), len(known), unit_name="tags")
        rows.append((walk, share.value, share.low, share.high))
    return pd.DataFrame(rows, columns=["walk", "value", "low", "high"])


def by_tag_and_walk(right: NDArray, without: pd.DataFrame, level: float = 0.95) -> Estimate:
    """Give the share of tags found with an interval for other tags on other walks of the same number.

    The variance by tag and that by walk are added, in log-odds. The latter is the jackknife's (Efron & Stein 1981), so
    it needs walks that are alike; Student's t has the degrees of freedom that Satterthwaite (1946) gives the sum.

    Parameters
    ----------
    right : array (tags,)
        Whether each tag was found, with all walks.
    without : DataFrame with value
        As `leave_out_walks` gives it: the share without each walk.
    level : float

    Raises
    ------
    ValueError
        There are fewer than two walks.
    """
    tags, walks = len(right), len(without)
    if walks < 2:
        raise ValueError(f"{walks} walk; two or more are needed to say how much walks differ")
    share = float(np.mean(right))
    odds = special.logit(np.clip([share, *without["value"]], 0.5 / tags, 1 - 0.5 / tags))
    spread = special.expit(odds[0]) * special.expit(-odds[0])
    parts = 1 / (tags * spread), (walks - 1) ** 2 / walks * float(np.var(odds[1:], ddof=1))
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (tags - 1) + parts[1] ** 2 / (walks - 1))
    reach = stats.t.ppf((1 + level) / 2, freedom) * np.sqrt(sum(parts))
    low, high = special.expit(odds[0] + np.array([-reach, reach]))
    return Estimate(share, float(low), float(high), level, tags, f"tags on {walks} walks")
