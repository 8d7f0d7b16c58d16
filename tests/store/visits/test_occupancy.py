"""How many are inside: never below zero, not away over a day, and the interval holds."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from retailkit.store.visits import find_occupancy

DAY = 12 * 3600.0


def shop_day(rng: np.random.Generator, people: int = 600) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Crossings of a day, and when each came and went."""
    came = np.sort(DAY * 0.97 * rng.beta(2, 2, people))
    went = np.minimum(came + rng.lognormal(np.log(1500), 0.6, people), DAY - 1)
    time, direction = np.concatenate([came, went]), np.repeat(["in", "out"], people)
    return pd.DataFrame({"time": time, "direction": direction}), came, went


def inside(came: np.ndarray, went: np.ndarray, moments: pd.Series) -> np.ndarray:
    return np.searchsorted(np.sort(came), moments, "right") - np.searchsorted(np.sort(went), moments, "right")


def test_nothing_missed_is_known_exactly():
    crossings, came, went = shop_day(np.random.default_rng(0), 50)
    day = find_occupancy(crossings, 0, DAY, missed=0)
    for column in ("value", "low", "high", "counted"):
        assert day[column].to_numpy() == pytest.approx(inside(came, went, day["time"]))


def test_a_day_with_5_percent_missed_is_held_and_bounded():
    rng = np.random.default_rng(1)
    held, off, drift = [], [], []
    for _ in range(15):
        crossings, came, went = shop_day(rng)
        day = find_occupancy(crossings[rng.random(len(crossings)) >= 0.05], 0, DAY, missed=0.05)
        true = inside(came, went, day["time"])
        held.append(((day["low"] <= true) & (true <= day["high"])).mean())
        off.append(np.abs(day["value"] - true).mean())
        drift.append(np.abs(day["counted"] - true).mean())
    assert 0.92 <= np.mean(held) <= 0.99  # whole numbers: an interval cannot be cut finer
    assert np.mean(off) < 0.7 * np.mean(drift)


@given(some.integers(0, 10_000), some.floats(0.01, 0.4), some.floats(0.01, 0.4))
@settings(max_examples=8, deadline=None)
def test_nobody_is_never_fewer_than_nobody(seed, missed_in, missed_out):
    rng = np.random.default_rng(seed)
    crossings, *_ = shop_day(rng, 80)
    missed = np.where(crossings["direction"] == "in", missed_in, missed_out)
    day = find_occupancy(crossings[rng.random(len(crossings)) >= missed], 0, DAY, missed=(missed_in, missed_out))
    assert (day["low"] >= 0).all() and (day["low"] <= day["high"]).all()
    assert day["value"].iloc[-1] == pytest.approx(0)
    assert (day["value"] >= day["low"] - 1).all() and (day["value"] <= day["high"] + 1).all()


def test_doors_that_miss_one_direction_do_not_fill_the_shop():
    rng = np.random.default_rng(5)
    crossings, came, went = shop_day(rng)
    lost = (crossings["direction"] == "out") & (rng.random(len(crossings)) < 0.2)
    day = find_occupancy(crossings[~lost], 0, DAY, missed=(0.0, 0.2))
    true = inside(came, went, day["time"])
    assert day["counted"].iloc[-1] > 80 and np.abs(day["value"] - true).max() < 20


def test_who_stays_overnight_is_known_from_before_and_after():
    crossings = pd.DataFrame({"time": [100.0], "direction": ["out"]})
    day = find_occupancy(crossings, 0, 600, missed=0, before=3, after=2)
    assert day["value"].tolist() == [3, 2, 2, 2, 2, 2, 2, 2, 2, 2]
    unknown = find_occupancy(crossings, 0, 600, missed=0.1, before=3, after=None)
    assert unknown["low"].iloc[-1] <= 2 <= unknown["high"].iloc[-1]


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        ([(1, "up")], {}, "'up'"),
        ([(1, "in")], {"missed": 1.0}, "missed is 1.0"),
        ([(99, "in")], {}, "outside of 0 to 60"),
        ([(1, "in"), (2, "in")], {"missed": 0.0}, "cannot be reconciled"),
    ],
)
def test_what_cannot_be_is_refused(rows, settings, message):
    with pytest.raises(ValueError, match=message):
        find_occupancy(pd.DataFrame(rows, columns=["time", "direction"]), 0, 60, **settings)


def test_a_day_must_end_after_it_begins():
    with pytest.raises(ValueError, match="closing must come after"):
        find_occupancy(pd.DataFrame({"time": [], "direction": []}), 10, 10)
