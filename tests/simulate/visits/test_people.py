"""People come, walk, stand and work as the habits say."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from retailkit.lab.intervals import wilson
from retailkit.simulate.visits import Habits, default_plan, simulate_store_day
from retailkit.simulate.visits.parties import arrival_rate, draw_arrivals


def test_arrivals_are_poisson_with_the_rate_of_the_hour():
    habits, hours, rng = Habits(), 12, np.random.default_rng(0)
    days = [draw_arrivals(300, hours * 3600.0, habits, rng) for _ in range(400)]
    counts = np.array([np.histogram(day, bins=24, range=(0, hours * 3600))[0] for day in days])
    share = np.linspace(0, 1, 24 * 100 + 1)
    rate = arrival_rate((share[1:] + share[:-1]) / 2, habits).reshape(24, 100).mean(axis=1)
    expected = 300 * rate / rate.sum() * len(days)
    assert stats.chisquare(counts.sum(axis=0), expected * counts.sum() / expected.sum()).pvalue > 0.001
    assert counts.sum(axis=1).var() / counts.sum(axis=1).mean() == pytest.approx(1, abs=0.25)  # Poisson


def test_without_rushes_arrivals_are_even():
    even = Habits(peaks=())
    times = draw_arrivals(20_000, 1.0, even, np.random.default_rng(1))
    assert (np.diff(times) >= 0).all() and stats.kstest(times, "uniform").pvalue > 0.001


def test_groups_have_their_share_and_walk_more_slowly(day):
    sizes = day.visitors[day.visitors["kind"] == "shopper"].drop_duplicates("group")["size"]
    share = wilson(int((sizes > 1).sum()), len(sizes), level=0.999)
    assert share.low < 0.3 < share.high
    speeds = walking_speeds(day).groupby("size")["speed"].median()
    assert 0.9 < speeds[1] < 1.3 and speeds[1] > speeds[2] > speeds[3]


def walking_speeds(day) -> pd.DataFrame:
    """Each visit's usual speed when it walks (over 0.5 m/s), with the size of its party."""
    step = day.ways.groupby("visit")[["time", "x", "y"]].diff()
    speed = np.hypot(step["x"], step["y"]) / step["time"]
    mine = speed[speed > 0.5].groupby(day.ways["visit"]).median().rename("speed")
    return day.visitors[day.visitors["kind"] == "shopper"].merge(mine, on="visit")


def test_pairs_walk_side_by_side(day):
    """Up to 0.8 m apart (Moussaid et al. 2010), less at turns and gates, and across the direction of walking."""
    apart, across = [], []
    for one, other in (pair for pair in day.groups if len(pair) == 2):
        both = [day.tracks[day.tracks["visit"] == visit].set_index("time")[["x", "y"]] for visit in (one, other)]
        way, gap = both[0].diff().to_numpy(), (both[1] - both[0]).to_numpy()
        length = np.hypot(*way.T)
        walks = length > 0.25
        apart += [np.hypot(*gap[walks].T)]
        across += [np.abs((way[walks] * gap[walks]).sum(axis=1)) / length[walks] / apart[-1]]
    assert 0.6 < np.median(np.concatenate(apart)) < 0.8 < np.quantile(np.concatenate(apart), 0.9) < 0.95
    assert np.median(np.concatenate(across)) < 0.35  # of the gap along the way


def test_staff_stay_and_shoppers_go(day):
    present = (day.visitors["last"] - day.visitors["first"]).groupby(day.visitors["kind"]).median()
    assert present["staff"] > 5 * 3600 and 60 < present["shopper"] < 600
    cashiers = day.visitors["visit"][day.visitors["role"] == "cashier"]
    desks = day.plan.checkouts
    for visit, desk in zip(cashiers, desks.itertuples(), strict=True):
        rows = day.tracks[day.tracks["visit"] == visit]
        near = [np.hypot(rows["x"] - d.staff_x, rows["y"] - d.staff_y) < 0.5 for d in desks.itertuples()]
        assert max(part.mean() for part in near) > 0.8, desk.checkout
    fillers = day.hands[day.hands["visit"].isin(day.visitors["visit"][day.visitors["role"] == "filler"])]
    assert len(fillers) > 100 and set(fillers["kind"]) == {"return"}


def test_stops_last_as_long_as_the_habits_say():
    """With nothing to reach for and one zone to see, a stop is the log-normal of the habits."""
    habits = Habits(touch=0, put_back=0, stop=1, come_back=0, appeal=0, dwell=30.0, dwell_spread=0.5)
    plan = default_plan()
    plan.preference["none"] = 50.0
    day = simulate_store_day(plan, shoppers=300, groups=0, staff=0, recording=(0, 14), step=30, habits=habits, seed=4)
    stood = day.zone_visits[day.zone_visits["stopped"]]
    assert len(stood) == len(day.visitors)
    ways = day.ways.merge(stood[["visit", "enter", "leave"]], on="visit").query("enter <= time <= leave")
    moved = np.hypot(*ways.groupby("visit")[["x", "y"]].diff().to_numpy().T)
    seconds = ways.groupby("visit")["time"].diff()
    still = seconds.where(moved < 0.15 * seconds).groupby(ways["visit"]).sum()
    assert still.median() == pytest.approx(30, rel=0.12) and np.log(still).std() == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"stop": 1.5}, "stop is 1.5: a rate from 0 to 1"),
        ({"dwell": -1.0}, "dwell is -1.0"),
        ({"speed": 5.0}, "speed is 5.0"),
        ({"sizes": (1.0,)}, "three shares"),
    ],
)
def test_habits_that_nobody_has_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        Habits(**wrong)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"shoppers": -1}, "shoppers is -1"),
        ({"hours": 0}, "hours is 0"),
        ({"step": 0.0}, "step is 0.0"),
        ({"groups": 1.2}, "groups is 1.2"),
        ({"staff": -2}, "staff is -2"),
        ({"recording": (3, 2)}, "recording is"),
    ],
)
def test_days_that_cannot_be_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        simulate_store_day(**wrong)


def test_an_empty_day_is_empty():
    day = simulate_store_day(shoppers=0, hours=1, staff=0)
    for name in ("tracks", "ways", "visitors", "crossings", "zone_visits", "hands", "funnel", "queue", "choices"):
        assert len(getattr(day, name)) == 0, name
    assert day.groups == () and day.inside(100.0) == 0
