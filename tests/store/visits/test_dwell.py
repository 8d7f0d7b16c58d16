"""Dwell: unbiased though some of it is cut short, with intervals that hold what they say."""

import numpy as np
import pandas as pd
import pytest

from retailkit.lab.intervals import Estimate, coverage
from retailkit.store.visits.dwell import dwell_curve, dwell_times, party_of


def stays_of(dwell, visit=None, **columns) -> pd.DataFrame:
    table = {"visit": range(len(dwell)) if visit is None else visit, "zone": "milk", "dwell": dwell, "stopped": True}
    return pd.DataFrame({**table, "again": 0, "censored": "", **columns})


def figures(zone_visits: pd.DataFrame, **options) -> pd.DataFrame:
    return dwell_times(zone_visits, **options).set_index("quantity")


def test_whole_stays_give_plain_figures():
    told = figures(stays_of([2.0, 4.0, 9.0], visit=[1, 2, 2], stopped=[True, False, False], again=[0, 0, 1]))
    assert told["value"].to_dict() == pytest.approx(
        {"mean dwell": 5.0, "median dwell": 4.0, "share stopped": 1 / 3, "share returned": 0.5}
    )
    assert told.loc["share returned", ["count", "of"]].tolist() == [1, 2]
    assert (told["units"] == 2).all() and set(told["unit_name"]) == {"people"}
    assert (told["low"] <= told["value"]).all() and (told["value"] <= told["high"]).all()


def test_zones_come_by_name_and_nobody_gives_no_rows():
    both = pd.concat([stays_of([1.0, 2.0]).assign(zone="tea"), stays_of([3.0, 4.0])])
    assert dwell_times(both)["zone"].drop_duplicates().tolist() == ["milk", "tea"]
    empty = dwell_times(both[:0])
    assert empty.empty and empty.columns.equals(dwell_times(both).columns)


def test_stays_without_a_beginning_are_left_out_of_the_times_only():
    told = figures(stays_of([2.0, 4.0, 100.0], censored=["", "", "start"], stopped=[True, True, False]))
    assert told["value"]["mean dwell"] == 3.0 and told["value"]["share stopped"] == pytest.approx(2 / 3)
    assert told.loc["mean dwell", ["count", "of"]].tolist() == [2, 3]


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda stays: stays.drop(columns="again"), {}, "zone_visits has no column again"),
        (lambda stays: stays, {"horizon": 0}, "horizon is 0: seconds above 0"),
    ],
)
def test_what_cannot_be_told_is_refused(change, options, message):
    with pytest.raises(ValueError, match=message):
        dwell_times(change(stays_of([1.0, 2.0])), **options)


def test_who_walks_together_counts_once():
    assert party_of(pd.Series(["a", "b", "c", "a"]), [("c", "a"), ("x", "y")]).tolist() == [0, 1, 0, 0]
    stays = stays_of(np.repeat([2.0, 5.0, 9.0, 30.0], 3))
    pairs = [tuple(range(three, three + 3)) for three in range(0, 12, 3)]
    alone, together = figures(stays), figures(stays, groups=pairs)
    assert (together["high"] - together["low"])["mean dwell"] > 1.5 * (alone["high"] - alone["low"])["mean dwell"]
    assert together["units"]["mean dwell"] == 4 and together["unit_name"]["mean dwell"] == "parties"


def test_the_curve_falls_from_one():
    rng = np.random.default_rng(0)
    curve = dwell_curve(stays_of(rng.exponential(9, 50), censored=rng.choice(["", "end"], 50)))
    assert curve["value"].iloc[0] == 1 and (curve["value"].diff().dropna() <= 0).all()
    assert (curve["low"] <= curve["value"]).all() and (curve["value"] <= curve["high"]).all()


def shop(rng: np.random.Generator, number: int, hours: float = 1.0) -> tuple[pd.DataFrame, list[tuple[int, ...]]]:
    """Draw stays of parties that stop together; a recording cuts them at both ends, trackers lose people at random."""
    size = rng.choice([1, 2, 3], number, p=[0.7, 0.2, 0.1])
    party = np.repeat(np.arange(number), size)
    dwell = rng.lognormal(2.5, 0.8, number)[party] * rng.uniform(0.9, 1.1, len(party))
    enter = rng.uniform(-600, hours * 3600, number)[party] + rng.uniform(0, 1, len(party))
    leave, lost = enter + dwell, enter + rng.exponential(60, len(party))
    end = np.minimum(np.minimum(leave, lost), hours * 3600)
    start = np.maximum(enter, 0)
    table = stays_of(end - start, visit=np.arange(len(party)), stopped=dwell > 8)
    table["censored"] = np.select(
        [(start > enter) & (end < leave), start > enter, end < leave], ["both", "start", "end"], ""
    )
    parties = pd.Series(np.arange(len(party))).groupby(party).agg(tuple)
    return table[end > start], [members for members in parties if len(members) > 1]


def told_of(shops: int, seed: int) -> tuple[pd.DataFrame, dict[str, float], float]:
    """What is told of hours of 120 parties, the truth, and the mean of stays as they were seen."""
    rng = np.random.default_rng(seed)
    whole = np.minimum(rng.lognormal(2.5, 0.8, 400_000) * rng.uniform(0.9, 1.1, 400_000), 60)
    seen = [shop(rng, 120) for _ in range(shops)]
    told = pd.concat([dwell_times(stays, groups, horizon=60) for stays, groups in seen])
    naive = float(np.mean([np.minimum(stays["dwell"], 60).mean() for stays, _ in seen]))
    return told, {"mean dwell": whole.mean(), "median dwell": float(np.median(whole))}, naive


def test_dwell_is_unbiased_where_plain_means_are_not():
    told, truth, naive = told_of(40, 0)
    mean = told[told["quantity"] == "mean dwell"]["value"]
    assert naive < 0.9 * truth["mean dwell"] and abs(mean.mean() - truth["mean dwell"]) < 4 * mean.std() / 40**0.5


@pytest.mark.slow
def test_dwell_is_held():
    """500 hours of 120 parties; dwell is log-normal, a fifth is lost by the tracker, and both ends are cut."""
    told, truth, _ = told_of(500, 4)
    for quantity, true in truth.items():
        rows = told[told["quantity"] == quantity]
        share, width = coverage([Estimate(*row) for row in rows[["value", "low", "high"]].to_numpy()], true)
        print(f"{quantity} {true:.2f} s: mean of 500 {rows['value'].mean():.2f}, {share}, median width {width:.2f}")
        middle = (
            rows["value"].median() if quantity == "median dwell" else rows["value"].mean()
        )  # a median is so unbiased
        assert abs(middle / true - 1) < 0.015 and 0.92 <= share.value <= 0.98
