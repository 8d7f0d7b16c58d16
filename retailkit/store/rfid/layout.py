"""Where tags lie on a floor, from the moments at which they answer and a few tags whose places are known.

    place_tags(reads, anchors)                # x, y of each other tag
    errors = score_layouts(reads, places)     # experiment by experiment, beside baselines without a model
    summarise_layouts(errors)                 # centimetres with intervals, for each setup and motion

Tags that answer at the same moments are near each other: that is all that is used (the problem of Hasler, Wölbitsch,
Goller & Walk 2019, "Estimating Relative Tag Locations based on Time-Differences in Read Events"). What comes of it is
near and far, without centimetres, direction or mirror image; the anchors bring these. The widths below were chosen on
the laboratory's experiments 9 to 49, where they matter little beside what any method gains over none.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from retailkit.lab.intervals import interval, paired, resample

_CLOSE, _WIDE = 0.3, 1.0  # seconds: to tell neighbours apart, and to compare what is far
_STEPS = 5  # of time in such a width
_LEAST_ANCHORS = 3  # fewer leave the mirror image open
_DOUBT = 0.1  # of an anchor's correction, as a share of how much corrections differ
_Placer = Callable[[NDArray, NDArray, NDArray, NDArray], NDArray]  # close, plan, which are anchors, theirs: places


def nearness(reads: pd.DataFrame, seconds: float) -> pd.DataFrame:
    """Say how alike the moments are at which tags answer: 1 for the same, 0 for never near each other.

    The cosine between the numbers of reads over time, smoothed by a Gaussian.

    >>> reads = pd.DataFrame({"time": [0.0, 0.3, 9.0], "tag": [1, 2, 3]})
    >>> nearness(reads, 0.3).round(2).loc[1].tolist()
    [1.0, 0.78, 0.0]

    Parameters
    ----------
    reads : DataFrame with time (seconds), tag
        Of one experiment.
    seconds : float
        Standard deviation of the Gaussian.

    Returns
    -------
    DataFrame (tags, tags)
        By tag, in order.
    """
    tags, row = np.unique(reads["tag"].to_numpy(), return_inverse=True)
    time = reads["time"].to_numpy(float)
    column = np.floor((time - time.min()) / seconds * _STEPS).astype(int)
    margin = 4 * _STEPS  # on both sides, so that nothing of the Gaussian is cut off
    profile = np.zeros((len(tags), column.max() + 1 + 2 * margin))
    np.add.at(profile, (row, column + margin), 1.0)
    profile = ndimage.gaussian_filter1d(profile, _STEPS, axis=1, mode="constant")
    profile /= np.linalg.norm(profile, axis=1, keepdims=True)
    return pd.DataFrame(profile @ profile.T, index=tags, columns=tags)


def scale_distances(distances: NDArray, rounds: int = 100) -> NDArray[np.float64]:
    """Lay points on a plane so that their distances are as given, as nearly as can be (points, 2).

    Multidimensional scaling: classical (Torgerson 1952), then made better by majorising the squared error (SMACOF: de
    Leeuw 1977).

    Parameters
    ----------
    distances : array (points, points)
        Symmetric, 0 on the diagonal, in any unit.
    rounds : int
        Of majorising; 0 leaves the classical solution.
    """
    size = len(distances)
    centre = np.eye(size) - 1 / size
    values, vectors = np.linalg.eigh(-centre @ distances**2 @ centre / 2)
    points = vectors[:, -2:] * np.sqrt(np.clip(values[-2:], 0, None))
    for _ in range(rounds):
        apart = np.linalg.norm(points[:, None] - points, axis=2)
        ratio = -np.divide(distances, apart, out=np.zeros_like(apart), where=apart > 1e-12)
        np.fill_diagonal(ratio, 0)
        np.fill_diagonal(ratio, -ratio.sum(axis=1))
        points = ratio @ points / size
    return points


def align(points: NDArray, anchors: NDArray, places: NDArray) -> NDArray[np.float64]:
    """Turn, mirror, stretch and shift points so that the anchors among them come to their places, by least squares.

    Parameters
    ----------
    points : array (points, 2)
    anchors : array of int (anchors,)
        Which of the points; the others have no say.
    places : array (anchors, 2)

    Returns
    -------
    array (points, 2)
        In the unit of `places`.

    Notes
    -----
    Procrustes' problem with a scale (Schönemann & Carroll 1970).
    """
    given = points[anchors]
    off, there = given - given.mean(axis=0), places - places.mean(axis=0)
    left, values, right = np.linalg.svd(off.T @ there)
    stretch = values.sum() / max((off**2).sum(), 1e-12)
    return stretch * (points - given.mean(axis=0)) @ left @ right + places.mean(axis=0)


def _by_scaling(close: NDArray, plan: NDArray, anchors: NDArray, places: NDArray) -> NDArray:
    return align(plan, anchors, places)


def _by_corrected(close: NDArray, plan: NDArray, anchors: NDArray, places: NDArray) -> NDArray:
    """The aligned map, moved as the anchors nearby must be moved (simple kriging of what is left: Matheron 1963)."""
    aligned = align(plan, anchors, places)
    doubt = close[np.ix_(anchors, anchors)] + _DOUBT * np.eye(len(anchors))
    return aligned + close[:, anchors] @ np.linalg.solve(doubt, places - aligned[anchors])


def _by_nearest(close: NDArray, plan: NDArray, anchors: NDArray, places: NDArray) -> NDArray:
    return places[close[:, anchors].argmax(axis=1)]


def _at_centre(close: NDArray, plan: NDArray, anchors: NDArray, places: NDArray) -> NDArray:
    return np.tile(places.mean(axis=0), (len(close), 1))


def _at_random(close: NDArray, plan: NDArray, anchors: NDArray, places: NDArray) -> NDArray:
    return places[np.random.default_rng(len(close)).integers(0, len(anchors), len(close))]


METHODS: dict[str, _Placer] = {
    "corrected": _by_corrected,  # a map by multidimensional scaling, moved where the anchors say so
    "scaling": _by_scaling,  # the map alone
    "nearest anchor": _by_nearest,  # the place of the anchor that answers most at the same time
    "centre": _at_centre,  # of the anchors: no model
    "random": _at_random,  # the place of any anchor: no model
}


def place_tags(reads: pd.DataFrame, anchors: pd.DataFrame, method: str = "corrected") -> pd.DataFrame:
    """Estimate where tags lie from the moments at which they and a few known ones answer.

    Parameters
    ----------
    reads : DataFrame with time (seconds), tag
        Of one experiment.
    anchors : DataFrame with tag, x, y (metres)
        Three or more tags whose places are known.
    method : str
        A key of `METHODS`. Where one tag in four or more is known, ``nearest anchor`` does as well or better.

    Returns
    -------
    DataFrame
        tag, x, y (metres): each tag that was read and is no anchor.

    Raises
    ------
    ValueError
        An unknown method, or fewer than three anchors that were read.
    """
    if method not in METHODS:
        raise ValueError(f"method {method!r} is not one of {', '.join(METHODS)}")
    heard = anchors[anchors["tag"].isin(reads["tag"])]
    _check_anchors(heard)
    close = nearness(reads, _CLOSE)
    which = close.index.get_indexer(pd.Index(heard["tag"]))
    found = METHODS[method](close.to_numpy(), _plan(reads), which, heard[["x", "y"]].to_numpy(float))
    placed = pd.DataFrame({"tag": close.index, "x": found[:, 0], "y": found[:, 1]})
    return placed[~placed["tag"].isin(heard["tag"])].reset_index(drop=True)


def _plan(reads: pd.DataFrame) -> NDArray[np.float64]:
    """All tags on a plane (tags, 2), by the angles between the moments at which they answer; in no unit."""
    angles = np.arccos(np.clip(nearness(reads, _WIDE).to_numpy(), 0, 1))
    np.fill_diagonal(angles, 0)
    return scale_distances(angles)


def _check_anchors(heard: pd.DataFrame) -> None:
    if heard["tag"].nunique() < _LEAST_ANCHORS:
        raise ValueError(f"{heard['tag'].nunique()} anchors were read; {_LEAST_ANCHORS} or more are needed")
    if len(again := heard["tag"][heard["tag"].duplicated()]):
        raise ValueError(f"anchors: tag {again.iloc[0]} stands there twice; once is needed")


def score_layouts(
    reads: pd.DataFrame, places: pd.DataFrame, anchors: int = 10, draws: int = 10, seed: int = 0
) -> pd.DataFrame:
    """Place the tags of each experiment from anchors drawn at random, by each method, and measure how far off they are.

    Parameters
    ----------
    reads : DataFrame with experiment, setup, motion, time (seconds), tag
    places : DataFrame with setup, tag, x, y (metres)
    anchors : int
        How many of the tags that were read have a known place; they are not scored.
    draws : int
        Sets of anchors, over which errors are averaged; the same for all methods.
    seed : int

    Returns
    -------
    DataFrame
        experiment, setup, motion, method, anchors, tags (scored in each draw), unread (with a place, but never read:
        not scored), error (centimetres, mean over tags and draws).

    Raises
    ------
    ValueError
        An experiment has read no more tags than there are to be anchors, or fewer than three are to be.
    """
    rows = []
    for (experiment, setup, motion), part in reads.groupby(["experiment", "setup", "motion"]):
        truth = places[places["setup"] == setup]
        heard = truth[truth["tag"].isin(part["tag"])]
        if not _LEAST_ANCHORS <= anchors < len(heard):
            raise ValueError(
                f"anchors is {anchors!r}; experiment {experiment} with {len(heard)} tags takes {_LEAST_ANCHORS} to "
                f"{len(heard) - 1}"
            )
        sorted_ = heard.sort_values("tag")[["x", "y"]].to_numpy(float)
        errors = _errors(part[part["tag"].isin(heard["tag"])], sorted_, anchors, draws, seed)
        first = (experiment, setup, motion)
        size = (anchors, len(heard) - anchors, len(truth) - len(heard))
        rows += [(*first, method, *size, error) for method, error in errors.items()]
    columns = ["experiment", "setup", "motion", "method", "anchors", "tags", "unread", "error"]
    return pd.DataFrame(rows, columns=columns)


def _errors(reads: pd.DataFrame, truth: NDArray, anchors: int, draws: int, seed: int) -> dict[str, float]:
    """Mean error of each method in centimetres; `truth` (tags, 2) by tag, in order."""
    close, plan = nearness(reads, _CLOSE).to_numpy(), _plan(reads)
    rng = np.random.default_rng(seed)
    chosen = [np.split(rng.permutation(len(truth)), [anchors]) for _ in range(draws)]
    return {
        method: 100 * float(np.mean([_off(place(close, plan, own, truth[own]), truth)[rest] for own, rest in chosen]))
        for method, place in METHODS.items()
    }


def _off(found: NDArray, truth: NDArray) -> NDArray[np.float64]:
    return np.hypot(*(found - truth).T)


def summarise_layouts(errors: pd.DataFrame, level: float = 0.95, seed: int = 0) -> pd.DataFrame:
    """Average errors over experiments, with intervals that resample experiments.

    Parameters
    ----------
    errors : DataFrame
        As `score_layouts` gives it.
    level : float
    seed : int

    Returns
    -------
    DataFrame
        setup, motion, method, anchors, experiments, value, low, high (centimetres), ahead, ahead_low, ahead_high (how
        many centimetres less than with all tags at the centre, on the same experiments).
    """
    rows = []
    for (setup, motion, anchors), part in errors.groupby(["setup", "motion", "anchors"]):
        wide = part.pivot(index="experiment", columns="method", values="error")
        units, counts = len(wide), resample(wide.index, seed=seed)
        for method in part["method"].unique():
            ours, centre = wide[method].to_numpy(), wide["centre"].to_numpy()
            drawn, without = counts @ ours / units, counts @ centre / units
            mean = interval(ours.mean(), drawn, level, "normal", units, "experiments")
            ahead = paired(centre.mean(), without, ours.mean(), drawn, level, units, "experiments")
            figures = (mean.value, mean.low, mean.high, ahead.value, ahead.low, ahead.high)
            rows.append((setup, motion, method, anchors, units, *figures))
    names = ["setup", "motion", "method", "anchors", "experiments", "value", "low", "high"]
    return pd.DataFrame(rows, columns=[*names, "ahead", "ahead_low", "ahead_high"])
