"""Figures put right by labels: as the formula of a mean says, unbiased, and holding the truth."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some
from scipy import stats

from retailkit.lab.clustered import clustered_mean, clustered_share
from retailkit.lab.intervals import Estimate, coverage
from retailkit.lab.rectified import rectify

COLUMNS = ["quantity", "value", "low", "high", "of"]


def describe(rows: pd.DataFrame) -> pd.DataFrame:
    """A mean and a share by day, as the verbs of visits tell them."""
    mean, share = clustered_mean(rows["wait"], rows["day"]), clustered_share(rows["left"], rows["day"])
    told = [("mean wait", mean), ("share who left", share)]
    return pd.DataFrame([(name, one.value, one.low, one.high, len(rows)) for name, one in told], columns=COLUMNS)


def people(rng: np.random.Generator, number: int, left: float = 0.06, days: int = 30) -> pd.DataFrame:
    """Waits and who left; those of one day resemble each other."""
    day = rng.integers(days, size=number)
    wait = rng.exponential(20, number) + rng.exponential(20, days)[day]
    return pd.DataFrame({"day": day, "block": day, "wait": wait, "left": rng.random(number) < left})


def through_a_camera(true: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Waits a tenth too long, one in thirty of those who stayed told as having left, and one in fifty not seen."""
    seen = true.assign(wait=true["wait"] * 1.1, left=true["left"] | (rng.random(len(true)) < 1 / 30))
    return seen[rng.random(len(true)) > 0.02]


def test_the_mean_is_that_of_the_formula():
    """For a mean of blocks of one size the jackknife is exact: s / sqrt(n) of the blocks' differences."""
    rng = np.random.default_rng(0)
    truth = pd.DataFrame({"day": np.repeat(range(12), 5), "wait": rng.exponential(60, 60), "left": False})
    truth["block"] = truth["day"]
    labelled = truth.assign(wait=truth["wait"] + rng.normal(8, 3, 60))
    seen = pd.DataFrame({"day": range(400), "wait": rng.exponential(68, 400), "left": False})
    row = rectify(describe, seen, labelled, truth).iloc[0]
    off = (truth["wait"] - labelled["wait"]).groupby(truth["day"]).mean()
    low, high = stats.t.interval(0.95, 11, off.mean(), off.sem())
    assert (row["shift"], row["shift_low"], row["shift_high"]) == pytest.approx((off.mean(), low, high))
    alone = clustered_mean(seen["wait"], seen["day"])
    assert row["value"] == pytest.approx(alone.value + off.mean())
    assert row["value"] - row["low"] == pytest.approx(np.hypot(alone.value - alone.low, off.mean() - low))


@given(some.integers(0, 50))
def test_a_camera_that_makes_no_mistake_is_left_as_it_is(seed):
    rng = np.random.default_rng(seed)
    truth, seen = people(rng, 60, days=8), people(rng, 300)
    told, plain = rectify(describe, seen, truth, truth), describe(seen)
    assert told["value"].to_numpy() == pytest.approx(plain["value"].to_numpy()) and (told["shift"] == 0).all()
    assert (told["high"] >= plain["high"] - 1e-12).all() and told["low"].between(0, plain["low"] + 1e-12).all()
    assert (told["shift_high"] > 0).tolist() == [False, True], "a share's mistakes may still come"


def test_corrected_figures_hold_the_truth_and_uncorrected_ones_do_not():
    """300 cameras, each seen on 1,500 people and labelled for 400."""
    rng = np.random.default_rng(3)
    told = []
    for _ in range(300):
        truth, other = people(rng, 400), people(rng, 1500)
        labelled, seen = through_a_camera(truth, rng), through_a_camera(other, rng)
        told += [rectify(describe, seen, labelled, truth).assign(how="corrected"), describe(seen).assign(how="as seen")]
    rows, true = pd.concat(told), {"mean wait": 40.0, "share who left": 0.06}
    held = {}
    for (how, quantity), each in rows.groupby(["how", "quantity"]):
        share, _ = coverage([Estimate(*row) for row in each[["value", "low", "high"]].to_numpy()], true[quantity])
        held[how, quantity] = share.value
        print(f"{how}, {quantity}: mean {each['value'].mean():.3f}, {share} of 300 intervals hold {true[quantity]}")
    corrected = rows[rows["how"] == "corrected"].groupby("quantity")["value"].mean()
    assert corrected["share who left"] == pytest.approx(0.06, abs=0.003)
    assert corrected["mean wait"] == pytest.approx(40, abs=1.0)
    assert 0.92 <= held["corrected", "share who left"] <= 0.985 and 0.91 <= held["corrected", "mean wait"] <= 0.98
    assert held["as seen", "share who left"] < 0.2


def test_ends_of_shares_stay_within_0_and_1_and_unknown_figures_are_unknown():
    rng = np.random.default_rng(1)
    truth, seen = people(rng, 40, left=0.0, days=6), people(rng, 50, left=0.0)
    told = rectify(describe, seen, truth.assign(left=rng.random(40) < 0.5), truth).set_index("quantity")
    assert told.loc["share who left", ["value", "low"]].tolist() == [0.0, 0.0]
    some_figures = rectify(lambda rows: describe(rows).iloc[: 1 + (len(rows) == 50)], seen, truth, truth)
    assert some_figures["value"].notna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("labelled", "message"),
    [
        (pd.DataFrame({"day": [1], "wait": [3.0], "left": [False]}), "labelled has no column 'block'"),
        (people(np.random.default_rng(0), 20, days=3), "has 3 blocks by 'block': at least 5"),
    ],
)
def test_what_cannot_be_corrected_is_refused(labelled, message):
    rows = people(np.random.default_rng(0), 20, days=3)
    with pytest.raises(ValueError, match=message):
        rectify(describe, rows, labelled, rows)
