"""Zones, dwell and lines on simulated days whose truth is exact, from true tracks and from what cameras see."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.camera_days import DESKS, compare_days, day_of, one_day, told_of, zones_of
from benchmarks.zone_truth import match
from retailkit.lab.intervals import Estimate, coverage
from retailkit.simulate.visits import StoreDay
from retailkit.store.visits.queues import find_queue


def truth_of(day: StoreDay, longer: float = 0.0) -> pd.DataFrame:
    """True visits of shoppers to zones, seen whole."""
    shoppers = day.visitors["visit"][day.visitors["kind"] == "shopper"]
    stays = day.zone_visits[day.zone_visits["visit"].isin(shoppers) & (day.zone_visits["censored"] == "")]
    return stays[stays["dwell"] > longer].rename(columns={"visit": "person"}).drop(columns=["stopped", "censored"])


def test_true_tracks_give_the_truth():
    day = day_of(0, shoppers=40, hours=1)
    found = match(zones_of(day, None), truth_of(day, longer=2.0))
    assert found["dwell_seen"].isna().mean() < 0.02 and (found["dwell_seen"] - found["dwell"]).abs().median() < 0.02
    queue, truth = find_queue(zones_of(day, None), "queue", DESKS), day.queue.set_index("visit")
    waits = queue.merge(truth, left_on="visit", right_index=True, suffixes=("", "_true"))
    assert len(waits) == len(truth) > 10 and (waits["wait"] - waits["wait_true"]).abs().median() < 0.02


@pytest.mark.parametrize(("missed", "jitter"), [(0.05, 0.1), (0.2, 0.3)])
def test_long_dwell_is_told_better_than_by_a_guess(missed, jitter):
    day = day_of(1, shoppers=60, hours=1.5)
    truth = truth_of(day, longer=10.0)
    found = match(zones_of(day, 1, missed, jitter), truth)
    error = (found["dwell_seen"] - found["dwell"]).abs().fillna(found["dwell"])
    assert error.median() <= 0.5 * (truth["dwell"] - truth["dwell"].median()).abs().median()


@pytest.mark.slow
def test_days_as_they_are_and_as_cameras_see_them():
    """Twenty days: errors of dwell over 10 s, and what is told of dwell and waits against the mean of all days."""
    told: dict[str, list[pd.DataFrame]] = {"truth": [], "true tracks": [], "cameras": []}
    ratios = []
    for seed in range(20):
        day = day_of(seed)
        people = truth_of(day)["person"].unique()
        seen = {"true tracks": zones_of(day, None), "cameras": zones_of(day, seed)}
        long = truth_of(day, longer=10.0)
        error = (
            match(seen["cameras"], long).eval("abs(dwell_seen - dwell)").fillna(long["dwell"].reset_index(drop=True))
        )
        ratios.append(error.median() / (long["dwell"] - long["dwell"].median()).abs().median())
        true = day.zone_visits[day.zone_visits["visit"].isin(people)]
        told["truth"].append(told_of(true, day.queue.assign(spell=range(len(day.queue))), day.groups))
        for name, stays in seen.items():
            shoppers = stays[stays["person"].isin(people)]
            told[name].append(
                told_of(shoppers, find_queue(stays, "queue", DESKS), day.groups if name != "cameras" else ())
            )
    print(f"dwell over 10 s: median error {np.mean(ratios):.3f} of a guess's, at most {np.max(ratios):.3f}")
    assert max(ratios) <= 0.5
    truth = pd.concat(told["truth"]).groupby("quantity")["value"].mean()
    true = pd.concat(told["truth"], keys=range(20)).set_index("quantity", append=True)["value"].droplevel(1)
    for name in ("true tracks", "cameras"):
        rows = pd.concat(told[name], keys=range(20)).set_index("quantity", append=True).droplevel(1)
        for quantity, days in rows.groupby("quantity"):
            off = days["value"] - true[days.index]
            bias, error = off.mean(), off.std() / 20**0.5
            estimates = [Estimate(*day) for day in days[["value", "low", "high"]].to_numpy()]
            share, width = coverage(estimates, truth[quantity])
            print(
                f"{name}, {quantity} {truth[quantity]:.3f}: bias {bias:+.3f} ± {2.1 * error:.3f}, "
                f"{share.value:.2f} of 20 intervals hold it, median width {width:.3f}"
            )
            assert abs(bias) < ALLOWED[name][quantity]


def test_long_days_are_made_of_short_ones_and_parties_of_their_visits():
    day = one_day(0, observed=True)
    visits = set(day["stays"]["visit"])
    assert {visit for party in day["groups"] for visit in party} <= visits and len(day["groups"]) > 5
    assert (day["stays"]["person"].nunique() > 30) and set(day["true stays"]["visit"]) & visits
    told = compare_days(observed=False, days=8, samples=2).set_index("quantity")
    assert told["truth"].gt(0).all() and told["samples"].eq(2).all()
    assert told.loc["share abandoned", "bias"] == pytest.approx(0, abs=1e-9), "all days are every day"


@pytest.mark.slow
def test_intervals_of_a_day_hold_what_all_days_say():
    """Days of 12 hours, made of 8 short ones out of 240 seen without error: 500 of them against all together.

    Between rows 0.4 s apart one in a hundred stays is a little too shallow to count: short ones, so dwell looks longer.
    Who returns does so for a moment, more often than not: that share is 8 % too low, printed and not asserted.
    """
    told = compare_days(observed=False).set_index("quantity").drop("share returned")
    assert told["bias"].abs().max() <= 0.03
    assert told["held"].between(0.90, 0.98).all() and (told["held_high"] >= 0.92).all()


@pytest.mark.slow
def test_labels_put_right_what_cameras_make_of_days():
    """100 days of 12 hours as cameras see them, with 6 hours labelled each: 96 short days against all together."""
    told = compare_days(observed=True, days=96, samples=100, labelled=4).set_index(["told", "quantity"])
    print(told.round(3))
    assert told.loc[("as seen", "share abandoned"), "bias"] > 0.25, "exchanged people seem to give up"
    corrected = told.loc["corrected"]
    assert corrected["bias"].abs().max() < 0.06 and (corrected["held_high"] > 0.92).all()


# Cameras lose short passes (dwell and stops look longer, more frequent), and exchange people near the line.
ALLOWED = {
    "true tracks": {"mean dwell": 0.4, "median dwell": 0.4, "share stopped": 0.02, "share returned": 0.02,
                    "mean wait": 1.0, "median wait": 0.3, "mean wait of those served": 1.0, "share abandoned": 0.015},
    "cameras": {"mean dwell": 1.5, "median dwell": 1.5, "share stopped": 0.05, "share returned": 0.05,
                "mean wait": 2.0, "median wait": 1.0, "mean wait of those served": 3.0, "share abandoned": 0.05},
}  # fmt: skip
