"""Attention from body motion alone, for stores where nobody marks heads, and how far it is from what heads say.

    motion = describe_motion(tracks, window)           # a row for each visit that came near
    score_motion(motion, looks, groups)                # areas under the curve, with intervals, baselines and a placebo
    compare_looks(find_looks(find_headings(tracks), window), looks)

On ``tracks_ucy`` these figures are upper bounds: its marks of heads mostly repeat the direction of walking
(`gaze.find_marks`), so that bodies and heads agree more than they would under a better record.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.lab.intervals import Estimate, interval, resample, wilson
from retailkit.store.visits.gaze import SLOW, Line, distance, ends_of, find_headings, find_looks, in_front, seconds_each

# What a look should do to a body; said beforehand, so that a single feature is judged without a fit.
SIGNS = {"seconds": 1, "nearest": -1, "slowest": -1, "closing": 1, "facing": 1}


def describe_motion(tracks: pd.DataFrame, window: Line, reach: float = 6.0) -> pd.DataFrame:
    """Describe how each body moved near a window, without a look at heads.

    Parameters
    ----------
    tracks : DataFrame with visit, time (seconds), x, y (metres)
        By visit and time; smoothed (`smooth_tracks`) where they come from a camera.
    window : two points (x, y), metres
    reach : float, metres

    Returns
    -------
    DataFrame
        visit, seconds (near), nearest (metres), slowest (least speed near the window over the visit's middle speed),
        closing (fastest approach to the window, metres per second), facing (seconds in which the way led to the window,
        give or take 10 degrees); only visits that came near.
    """
    headings, ends = find_headings(tracks), ends_of(window)
    place = headings["x"].to_numpy() + 1j * headings["y"].to_numpy()
    frame = headings.assign(nearest=distance(place, ends), seconds=seconds_each(headings))
    frame["closing"] = -(frame.groupby("visit")["nearest"].diff() / frame.groupby("visit")["time"].diff()).fillna(0.0)
    near = frame[in_front(place, ends) & (frame["nearest"] < reach)].groupby("visit")
    table = near.agg({"seconds": "sum", "nearest": "min", "speed": "min", "closing": "max"})
    usual = frame.groupby("visit")["speed"].median().reindex(table.index)
    table.insert(2, "slowest", table.pop("speed") / usual.clip(lower=SLOW))
    facing = find_looks(headings, window, reach=reach).set_index("visit")["seconds_looking"]
    return table.assign(facing=facing.reindex(table.index)).reset_index()


def score_motion(
    motion: pd.DataFrame,
    looks: pd.DataFrame,
    groups: Iterable[Sequence[object]] = (),
    column: str = "looked",
    repetitions: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Score how well body motion tells who looked: the area under the curve of each feature and of all together.

    Features alone count by the sign that a look should give them. Together they are weighed by logistic regression,
    each visit judged by a fit to the others (ten folds; who walks together stays in one). The placebo gives each visit
    the score of another.

    Parameters
    ----------
    motion : DataFrame, as `describe_motion` gives it
    looks : DataFrame with visit and `column` (bool), as `find_looks` gives it
    groups : sequences of visits
        Who walks together, and so is no independent evidence; resampled as one.

    Returns
    -------
    DataFrame
        predictor, value (area under the curve), low, high, positives, visits.

    Raises
    ------
    ValueError
        Nobody looked, or everybody.
    """
    table = motion.merge(looks[["visit", column]], on="visit").rename(columns={column: "answer"})
    positives = int(table["answer"].sum())
    if not 0 < positives < len(table):
        raise ValueError(f"{positives} of {len(table)} visits are '{column}': both kinds are needed to tell them apart")
    table["group"] = _group_of(table["visit"], groups)
    bodies = [name for name in SIGNS if name != "facing"]
    together = _held_out(table, list(SIGNS))
    scores = {name: sign * table[name].to_numpy() for name, sign in SIGNS.items()} | {
        "all but facing": _held_out(table, bodies),
        "all": together,
        "placebo: another visit's motion": np.random.default_rng(seed).permutation(together),
    }
    rows = []
    for name, score in scores.items():
        found = area_under_curve(table.assign(score=score), repetitions, seed)
        rows.append((name, found.value, found.low, found.high, positives, len(table)))
    return pd.DataFrame(rows, columns=["predictor", "value", "low", "high", "positives", "visits"])


def _group_of(visits: pd.Series, groups: Iterable[Sequence[object]]) -> NDArray[np.intp]:
    leader = {member: group[0] for group in groups for member in group}
    return pd.factorize(visits.map(lambda visit: leader.get(visit, visit)))[0]


def _held_out(table: pd.DataFrame, features: list[str]) -> NDArray[np.float64]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x = table[features].assign(**{name: np.log1p(table[name]) for name in ("seconds", "facing") if name in features})
    model = make_pipeline(StandardScaler(), LogisticRegression())
    folds = GroupKFold(min(10, table["group"].nunique()))
    told = cross_val_predict(model, x, table["answer"], groups=table["group"], cv=folds, method="predict_proba")
    return np.asarray(told[:, 1])


def area_under_curve(table: pd.DataFrame, repetitions: int = 1000, seed: int = 0) -> Estimate:
    """Estimate the chance that somebody who looked gets a higher score than somebody who did not (ties count half).

    >>> told = pd.DataFrame({"answer": [True, True, False, False], "score": [3.0, 1.0, 2.0, 0.0], "group": range(4)})
    >>> area_under_curve(told).value
    0.75

    Parameters
    ----------
    table : DataFrame with answer (bool), score and group
        Whole groups are resampled.

    Notes
    -----
    The statistic of Mann & Whitney (1947), over its number of pairs.
    """
    answer, score = table["answer"].to_numpy(bool), table["score"].to_numpy(float)
    ahead = np.sign(score[answer][:, None] - score[~answer][None, :]) / 2 + 0.5  # (looked, did not)
    weights = np.vstack([np.ones(len(table)), resample(table["group"], repetitions, seed)])
    ones, others = weights[:, answer], weights[:, ~answer]
    with np.errstate(invalid="ignore"):  # a draw without one of both kinds tells nothing
        areas = ((ones @ ahead) * others).sum(axis=1) / (ones.sum(axis=1) * others.sum(axis=1))
    return interval(areas[0], areas[1:], method="share", units=table["group"].nunique(), unit_name="groups of people")


def compare_looks(guessed: pd.DataFrame, looks: pd.DataFrame, column: str = "looked") -> pd.DataFrame:
    """Compare looks told from body motion with those that heads tell, over the visits that came near.

    Returns
    -------
    DataFrame
        what ("found" of those who looked, "rightly left out" of those who did not, "alike" of all), value, low, high
        (Wilson 1927), visits.
    """
    both = looks.merge(guessed, on="visit", suffixes=("", "_guessed"))
    both = both[both["near"]]
    truth, guess = both[column].to_numpy(bool), both[f"{column}_guessed"].to_numpy(bool)
    cases = {"found": (truth, guess), "rightly left out": (~truth, ~guess), "alike": (truth | True, truth == guess)}
    rows = []
    for what, (among, right) in cases.items():
        if among.any():
            found = wilson(int((among & right).sum()), int(among.sum()))
            rows.append((what, found.value, found.low, found.high, int(among.sum())))
    return pd.DataFrame(rows, columns=["what", "value", "low", "high", "visits"])
