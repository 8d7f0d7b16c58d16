"""Probabilities put right: they keep their order, sum to at most one, and are as often so as they say."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scored_days import a_day, guessing, knowing

from retailkit.store.fusion.attribution import charge_expected
from retailkit.store.fusion.calibration import calibrate, label_beliefs
from retailkit.store.fusion.recalibration import Curves, correct, fit_curves, fit_recalibration, recalibrate
from retailkit.store.fusion.truth import check_beliefs


def boastful(seed: int, number: int = 4000) -> pd.DataFrame:
    """Rows that say p and are so with chance p squared."""
    rng = np.random.default_rng(seed)
    said = rng.random(number).clip(0.03)
    item = np.char.add(np.where(rng.random(number) < 0.5, "seen ", "30"), np.arange(number).astype(str))
    return pd.DataFrame({
        "item": item, "product": "tea", "shopper": rng.integers(0, 9, number), "probability": said,
        "true": rng.random(number) < said**2, "told": True, "day": np.arange(number) % 20,
    })  # fmt: skip


def test_boasts_are_put_right_on_days_not_seen():
    curves, other = fit_curves(boastful(0)), boastful(1)
    put = other.assign(probability=correct(other, curves)["probability"].to_numpy())
    before, after = (
        calibrate(rows, repetitions=50).set_index("measure")["value"]["expected calibration error"]
        for rows in (other, put)
    )
    assert before > 0.1 and after < 0.03
    assert np.abs(put["probability"] - other["probability"] ** 2).mean() < 0.04


def test_right_probabilities_stay():
    rows = boastful(2)
    rows["true"] = np.random.default_rng(3).random(len(rows)) < rows["probability"]
    assert np.abs(correct(rows, fit_curves(rows))["probability"] - rows["probability"]).mean() < 0.04


def test_truths_dealt_anew_leave_nothing_but_the_share():
    rows = boastful(4)
    placebo = rows.assign(true=np.random.default_rng(5).permutation(rows["true"]))
    put = correct(rows, fit_curves(placebo))["probability"]
    assert put.std() < 0.1 * rows["probability"].std() + 0.03
    assert put.mean() == pytest.approx(rows["true"].mean(), abs=0.03)


@settings(max_examples=5, deadline=None)
@given(seed=some.integers(0, 10_000))
def test_curves_never_fall_and_sums_stay_below_one(seed):
    days = [(guessing(a_day(one), one), a_day(one)) for one in range(seed, seed + 6)]
    curves = fit_recalibration(days)
    for said, true in curves.knots.values():
        assert (np.diff(said) > 0).all() and (np.diff(true) >= 0).all() and true.min() > 0 and true.max() < 1
    found = recalibrate(days[0][0], curves)
    check_beliefs(found.beliefs)
    pd.testing.assert_frame_equal(found.receipts, charge_expected(found.beliefs))
    pd.testing.assert_frame_equal(found.events, days[0][0].events)


def test_who_knows_everything_stays_sure():
    days = [(knowing(a_day(seed)), a_day(seed)) for seed in range(12)]
    put = recalibrate(days[0][0], fit_recalibration(days))
    assert put.beliefs["probability"].min() > 0.99
    pd.testing.assert_frame_equal(put.receipts, days[0][0].receipts, check_dtype=False)


def test_kinds_have_curves_of_their_own():
    """Tags that are always so and things seen that never are, all said with the same probability."""
    rows = boastful(6).assign(probability=0.5)
    rows["true"] = ~rows["item"].str.startswith("seen ")
    put = correct(rows, fit_curves(rows))
    seen = put["item"].str.startswith("seen ")
    assert put.loc[seen, "probability"].max() < 0.01 and put.loc[~seen, "probability"].min() > 0.99


def test_sums_over_one_are_scaled():
    rows = pd.DataFrame({"item": "A", "product": "tea", "shopper": [1, 2, 3], "probability": [0.5, 0.3, 0.2]})
    flat = Curves({kind: np.array([[0.0, 1.0], [0.8, 0.8]]) for kind in ("tag, first", "tag, other")})
    assert correct(rows, flat)["probability"].tolist() == pytest.approx([1 / 3] * 3)


def test_nothing_believed_teaches_nothing():
    with pytest.raises(ValueError, match="nothing is believed of any day"):
        fit_recalibration([])
    empty = guessing(a_day(0))._replace(beliefs=guessing(a_day(0)).beliefs.iloc[:0])
    with pytest.raises(ValueError, match="nothing is believed"):
        fit_curves(label_beliefs(empty.beliefs, a_day(0).receipts).assign(day=0))


def test_items_of_one_name_on_two_days_are_two():
    """Each day has its own "seen 1", which are most probable both, whatever the other day says."""
    labelled = pd.concat([boastful(7).assign(day=0), boastful(8).assign(day=1)], ignore_index=True)
    labelled["item"] = np.where(labelled["item"].str.startswith("seen "), "seen ", "30")
    labelled["item"] += (labelled.groupby("day").cumcount()).astype(str)
    apart = labelled.assign(item=labelled["item"] + " of " + labelled["day"].astype(str))
    for one, other in zip(fit_curves(labelled).knots.values(), fit_curves(apart).knots.values(), strict=True):
        np.testing.assert_array_equal(one, other)
    days = [(guessing(a_day(1), 1), a_day(1))] * 4
    told = pd.concat([label_beliefs(found.beliefs, truth.receipts).assign(day=3 * n) for n, (found, truth) in
                      enumerate(days)])  # fmt: skip
    for one, other in zip(fit_recalibration(days).knots.values(), fit_curves(told).knots.values(), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match="day"):
        fit_curves(labelled.drop(columns="day"))
