"""Probabilities beside what happened: as scikit-learn counts, and calibrated where they were drawn so."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scored_days import a_day, guessing, knowing
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss

from retailkit.store.fusion.calibration import FLOOR, calibrate, label_beliefs, most_probable, reliability

ERROR = "expected calibration error"


def drawn(seed: int = 0, days: int = 20, items: int = 60, bend: float = 1.0) -> pd.DataFrame:
    """Labelled days; probabilities are right where `bend` is 1, and too sure above (log-odds times `bend`)."""
    rng = np.random.default_rng(seed)
    true = rng.uniform(0.02, 0.98, days * items)
    odds = bend * np.log(true / (1 - true))
    return pd.DataFrame({
        "day": np.repeat(np.arange(days), items), "item": [f"{item}" for item in range(days * items)],
        "probability": 1 / (1 + np.exp(-odds)), "true": rng.random(days * items) < true, "told": True,
    })  # fmt: skip


def figure(labelled: pd.DataFrame, measure: str, **settings) -> pd.Series:
    return calibrate(labelled, **settings).set_index("measure").loc[measure]


@pytest.mark.parametrize("bend", [1.0, 2.0])
def test_losses_are_scikit_learns(bend):
    labelled = drawn(bend=bend)
    true, said = labelled["true"], labelled["probability"]
    assert figure(labelled, "brier")["value"] == pytest.approx(brier_score_loss(true, said))
    assert figure(labelled, "log-loss")["value"] == pytest.approx(log_loss(true, said))


def test_a_certain_mistake_is_not_infinite():
    labelled = drawn().assign(probability=1.0, true=False)
    assert figure(labelled, "log-loss")["value"] == pytest.approx(-np.log(FLOOR))
    assert figure(labelled, ERROR)["value"] == figure(labelled, "brier")["value"] == 1.0


def test_the_calibration_error_is_the_weighted_gap_of_scikit_learns_curve():
    labelled = drawn(bend=2.0)
    table = reliability(labelled, bins=8)
    true, said = calibration_curve(labelled["true"], labelled["probability"], n_bins=8, strategy="quantile")
    np.testing.assert_allclose(table[["true", "said"]], np.column_stack([true, said]))
    gap = (table["rows"] * (table["true"] - table["said"]).abs()).sum() / table["rows"].sum()
    assert figure(labelled, ERROR, bins=8)["value"] == pytest.approx(gap)


def test_bins_hold_equally_many():
    table = reliability(drawn(), bins=10)
    assert table["bin"].tolist() == list(range(1, 11))
    assert (table["rows"] - 120).abs().max() <= 1
    assert ((table["low"] < table["true"]) & (table["true"] < table["high"])).all()


def test_equal_probabilities_share_a_bin():
    labelled = drawn(days=10, items=10)
    labelled["probability"] = np.repeat([0.0, 0.3, 1.0], [80, 10, 10])
    table = reliability(labelled, bins=10)
    assert table["said"].tolist() == pytest.approx([0.0, 0.3, 1.0])
    assert table["rows"].tolist() == [80, 10, 10]


@pytest.mark.parametrize("bend", [1.0, 2.0])
def test_intervals_of_the_calibration_error_hold_the_truth(bend):
    """500 samples of 20 days: of right probabilities, whose error is 0, and of some that are too sure."""
    truth = figure(drawn(999, days=2000, bend=bend), ERROR, repetitions=2)["value"] if bend > 1 else 0.0
    found = [figure(drawn(seed, bend=bend), ERROR, repetitions=200) for seed in range(500)]
    held = np.mean([one["low"] <= truth <= one["high"] for one in found])
    width = np.median([one["high"] - one["low"] for one in found])
    assert held >= 0.94
    assert width < 0.08


def test_chance_is_what_right_probabilities_show():
    found = pd.DataFrame([figure(drawn(seed), ERROR, repetitions=200) for seed in range(50)])
    assert found["value"].mean() == pytest.approx(found["chance"].mean(), rel=0.1)
    assert figure(drawn(bend=2.0), ERROR)["chance"] == pytest.approx(found["chance"].mean(), rel=0.4)


def test_too_sure_is_told_from_right():
    right, sure = figure(drawn(), ERROR), figure(drawn(bend=2.5), ERROR)
    assert right["low"] < 0.02 and right["value"] < 0.05
    assert sure["low"] > 0.05


def test_days_are_what_is_resampled():
    """What goes wrong on whole days makes wider intervals than the same mistakes strewn over all."""
    labelled = drawn(3)
    bad = labelled.assign(true=labelled["true"] & (labelled["day"] % 2 == 0))
    strewn = bad.assign(day=np.random.default_rng(0).permutation(bad["day"]))
    for measure in ("brier", "log-loss", ERROR):
        wide, narrow = figure(bad, measure), figure(strewn, measure)
        assert wide["value"] == pytest.approx(narrow["value"])
        assert wide["high"] - wide["low"] > 1.5 * (narrow["high"] - narrow["low"])


def test_labels_by_hand():
    sold = pd.DataFrame({
        "piece": [0, 1, 2, 3, 4, 5], "epc": ["A", "B", "", "", "F", "G"],
        "product": ["tea", "tea", "rice", "rice", "tea", "soap"], "shopper": [1, 2, 1, 1, 2, 3],
    })  # fmt: skip
    beliefs = pd.DataFrame(
        [("A", "tea", 1, 0.8), ("A", "tea", 2, 0.2),  # right
         ("B", "tea", 1, 0.5),  # its shopper is not told: a row of 0 is added
         ("C", "tea", 1, 0.4),  # did not leave
         ("seen 1", "rice", 1, 0.3), ("seen 2", "rice", 1, 0.6), ("seen 3", "rice", 1, 0.5),  # two of three are true
         ("seen 4", "tea", 2, 0.7),  # a tag that was never heard
         ("seen 5", "rice", 2, 0.9)],  # Ben bought no rice
        columns=["item", "product", "shopper", "probability"],
    )  # fmt: skip
    found = label_beliefs(beliefs, sold).set_index(["item", "shopper"])
    right = {("A", 1), ("B", 2), ("seen 2", 1), ("seen 3", 1), ("seen 4", 2), ("piece 5", 3)}
    assert set(found.index[found["true"]]) == right
    assert found.loc[("B", 2), ["probability", "told", "product"]].tolist() == [0.0, True, "tea"]
    assert found.loc[("piece 5", 3), ["probability", "told", "product"]].tolist() == [0.0, False, "soap"]
    assert len(found) == len(beliefs) + 2
    assert found["told"].sum() == len(beliefs) + 1


def test_each_piece_and_each_item_is_matched_once():
    """`seen 1` fits both pieces; each is worth more with the other's help than alone."""
    sold = pd.DataFrame({"piece": [0, 1], "epc": "", "product": "tea", "shopper": [1, 2]})
    beliefs = pd.DataFrame(
        [("seen 1", "tea", 1, 0.6), ("seen 1", "tea", 2, 0.4), ("seen 2", "tea", 1, 0.5)],
        columns=["item", "product", "shopper", "probability"],
    )
    found = label_beliefs(beliefs, sold)
    assert found.loc[found["true"], ["item", "shopper"]].values.tolist() == [["seen 1", 2], ["seen 2", 1]]


@settings(max_examples=40, deadline=None)
@given(seed=some.integers(0, 10_000))
def test_every_sold_piece_is_labelled_once(seed):
    truth = a_day(seed)
    found = guessing(truth, seed)
    labelled = label_beliefs(found.beliefs.sample(frac=0.7, random_state=seed), truth.receipts)
    assert labelled["true"].sum() == len(truth.receipts)
    assert not labelled.duplicated(["item", "shopper"]).any()
    assert labelled.loc[labelled["true"], "item"].is_unique


@settings(max_examples=20, deadline=None)
@given(seed=some.integers(0, 10_000))
def test_who_knows_everything_is_calibrated(seed):
    truth = a_day(seed, facings=6)
    labelled = label_beliefs(knowing(truth).beliefs, truth.receipts).assign(day=0)
    assert labelled["true"].all() and labelled["told"].all()
    if len(labelled):
        assert calibrate(labelled, repetitions=10)["value"].max() <= 2 * FLOOR


def test_what_is_never_told_is_counted_and_not_measured():
    labelled = drawn()
    more = pd.concat([labelled, labelled.iloc[:7].assign(probability=0.0, true=True, told=False)])
    found = calibrate(more)
    assert found["missed"].tolist() == [7] * 3
    pd.testing.assert_frame_equal(found.drop(columns="missed"), calibrate(labelled).drop(columns="missed"))
    pd.testing.assert_frame_equal(reliability(more), reliability(labelled))


def test_the_most_probable_of_each_item_and_day():
    labelled = pd.DataFrame({
        "day": [1, 1, 1, 2], "item": ["a", "a", "b", "a"], "shopper": [1, 2, 1, 1], "probability": [0.2, 0.7, 0.1, 0.4],
    })  # fmt: skip
    assert most_probable(labelled)["probability"].tolist() == [0.7, 0.1, 0.4]


def test_nothing_told_is_an_error():
    with pytest.raises(ValueError, match="there must be rows; got 0 rows"):
        calibrate(drawn().assign(told=False))
