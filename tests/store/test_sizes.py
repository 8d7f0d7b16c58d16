"""Recall by size and alarms on empty photographs, beside counting by hand and in worlds with a known truth."""

import numpy as np
import pandas as pd
import pytest

from retailkit.lab.intervals import coverage
from retailkit.store.match import IOUS, Matches
from retailkit.store.score import Score, score_boxes
from retailkit.store.sizes import false_alarms, found_truths, recall_by_size


def boxes(rows: list[tuple], confidence: bool = False) -> pd.DataFrame:
    columns = ["photo", "x1", "y1", "x2", "y2", *(["confidence"] if confidence else [])]
    return pd.DataFrame(rows, columns=columns).assign(class_name="person")


def listed(names: str, width: int = 512, height: int = 256) -> pd.DataFrame:
    return pd.DataFrame({"photo": list(names), "width": width, "height": height, "group": range(len(names))})


TRUTH = boxes([("a", 0, 0, 20, 40), ("a", 100, 0, 200, 200), ("b", 0, 0, 30, 60), ("b", 50, 0, 90, 180)])
FOUND = boxes(
    [("a", 1, 0, 20, 40, 0.9), ("a", 100, 0, 200, 190, 0.1), ("b", 50, 0, 90, 170, 0.8), ("c", 0, 0, 9, 9, 0.7)], True
)


def test_sizes_are_pixels_as_the_detector_sees_them_and_recall_counts_what_is_sure_enough():
    score = score_boxes(TRUTH, FOUND, listed("abc"), ["person"], confidence=0.5)
    table = recall_by_size(score, listed("abc"), size=256, edges=(0, 25, 50, 95, 110, 200))
    assert list(table["boxes"]) == [1, 1, 1, 1, 0]  # heights of 40, 60, 180 and 200 pixels are 20, 30, 90 and 100
    np.testing.assert_array_equal(table["value"], [1.0, 0.0, 1.0, 0.0, np.nan])
    assert table["height"][0] == "0 to 25 px" and list(table["units"]) == [1, 1, 1, 1, 0]
    surer = recall_by_size(score_boxes(TRUTH, FOUND, listed("abc"), ["person"], confidence=0.05), listed("abc"))
    assert (surer["value"] * surer["boxes"]).sum() == 3


def test_each_truth_is_found_once_as_in_the_score():
    rng = np.random.default_rng(0)
    spots = rng.uniform(0, 60, (60, 2))
    rows = [(f"{n % 12:02}", x, y, x + 30, y + 40) for n, (x, y) in enumerate(spots)]
    near = [(p, *(np.array(box) + rng.normal(0, 4, 4)), rng.random()) for p, *box in rows * 2]
    photos = pd.DataFrame({"photo": [f"{n:02}" for n in range(12)], "width": 100, "height": 100, "group": range(12)})
    score = score_boxes(boxes(rows), boxes(near, True), photos, ["person"], confidence=0.3)
    found = found_truths(score)
    assert 0 < found.sum() < len(rows)
    by_photo = pd.Series(found).groupby(score.truth["photo"].to_numpy()).sum()
    np.testing.assert_array_equal(by_photo, score.matches.counts(0.3, hits=True).sum(axis=1))
    total = recall_by_size(score, photos, edges=(0, 1000))
    assert total["value"][0] == pytest.approx(score.estimate("recall").value)
    assert (total["low"][0], total["high"][0]) == pytest.approx(
        (score.estimate("recall").low, score.estimate("recall").high)
    )


def test_alarms_are_counted_on_photographs_without_truths_alone():
    score = score_boxes(TRUTH, FOUND, listed("abcd"), ["person"], confidence=0.5)
    alarms = false_alarms(score)
    assert (alarms.value, alarms.units) == (0.5, 2) and alarms.low <= 0.5 <= alarms.high
    quiet = false_alarms(score_boxes(TRUTH, FOUND, listed("abcd"), ["person"], confidence=0.75))
    assert (quiet.value, quiet.low) == (0, 0) and quiet.high == pytest.approx(-np.log(0.025) / 2)
    nowhere = false_alarms(score_boxes(TRUTH, FOUND[:3], listed("ab"), ["person"]))
    assert np.isnan(nowhere.value) and nowhere.units == 0


@pytest.mark.parametrize(("rate", "groups"), [(0.02, 60), (0.3, 40), (2.0, 20)])
def test_intervals_of_alarms_hold_the_truth_as_often_as_they_say(rate, groups):
    """500 samples; at a rate of 0.02 most hold no alarm or one, and the interval may only be too wide."""
    estimates = []
    for seed in range(500):
        rng = np.random.default_rng(seed)
        counts = rng.poisson(rate * rng.gamma(4, 0.25, groups))
        photo = np.repeat(np.arange(groups), counts)
        none = np.zeros(len(photo), dtype=int)
        correct = np.zeros((len(photo), len(IOUS)), dtype=bool)
        names, truths = [f"{n:03}" for n in range(groups)], np.zeros((groups, 1), dtype=int)
        matches = Matches(names, ["person"], IOUS, photo, none, np.ones(len(photo)), correct, truths)
        estimates.append(false_alarms(Score(matches, np.arange(groups).astype(object), 0.5, 200, seed)))
    held, width = coverage(estimates, rate)
    print(f"rate {rate}: {held} of intervals hold it, median width {width:.2f}")
    assert held.high >= 0.95


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"edges": (0, 0, 5)}, "ascending"), ({"edges": (5,)}, "ascending"), ({"photos": listed("ab")}, "'c'")],
)
def test_what_cannot_be_told_is_refused(settings, words):
    score = score_boxes(TRUTH, FOUND, listed("abc"), ["person"])
    with pytest.raises(ValueError, match=words):
        recall_by_size(**{"score": score, "photos": listed("abc"), **settings})
