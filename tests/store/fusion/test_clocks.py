"""Clocks: set where the day tells that they are off, left where it does not."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retailkit.simulate.radio import Setting, sense_day
from retailkit.store.fusion.clocks import COLUMNS, find_clocks, set_clocks
from retailkit.store.fusion.sensors import name_products, prepare, sensors_of

SMALL = Setting(
    shoppers=22.0, hours=0.2, aisles=2, cells=5, cameras={"missed": 0.1, "jitter": 0.1, "hand_confused": 0.1}
)
DELAY = SMALL.scales.late  # of plates, which counts as part of their offset


def clocks_of(sensors) -> pd.DataFrame:
    tags = name_products(sensors.reads["epc"].cat.categories, sensors.products)
    return find_clocks(sensors, tags).set_index("device")


@pytest.fixture(scope="module")
def still():
    """A day of devices whose clocks are right."""
    return sensors_of(sense_day(replace(SMALL, skew=0.0, drift=0.0), seed=5))


@pytest.mark.parametrize("seed", [5, 7])
def test_offsets_are_found_and_set(seed):
    day = sense_day(replace(SMALL, skew=5.0, drift=100.0), seed)
    scene = prepare(sensors_of(day))
    found, true = scene.clocks.set_index("device"), day.truth.clocks.set_index("device")
    offset = (true["offset"] + true["drift"] * 1e-6 * found["moment"]).reindex(found.index)
    offset["plates"] += DELAY
    assert ((found["offset"] - offset).abs() < 0.5).all()
    assert offset.between(found["low"], found["high"]).all()
    plain = sense_day(replace(SMALL, skew=0.0, drift=0.0), seed)
    for name in ("reads", "plates"):
        before, after = (np.sort(frame["time"]) for frame in (getattr(plain, name), getattr(scene.sensors, name)))
        assert np.abs(before - after).max() < 0.6
    assert scene.sensors.reads["time"].is_monotonic_increasing


def test_clocks_that_are_right_are_left(still):
    found = prepare(still)
    assert (found.clocks["events"] > 0).sum() >= 3
    pd.testing.assert_frame_equal(found.sensors.hands, still.hands)
    np.testing.assert_array_equal(found.sensors.reads["time"], still.reads["time"])
    assert np.abs(found.sensors.plates["time"] - still.plates["time"]).max() < 2 * DELAY


def test_shuffled_reads_tell_nothing(still):
    """Each read of another tag: nothing ceases to lie when it is taken, nothing is loudest when it leaves."""
    rng = np.random.default_rng(3)
    codes = still.reads["epc"].cat.codes.to_numpy()
    mixed = pd.Categorical.from_codes(rng.permutation(codes), dtype=still.reads["epc"].dtype)
    placebo = still._replace(reads=still.reads.assign(epc=mixed))
    found = clocks_of(placebo)
    readers = found.loc[["reader 1", "reader 2"]]
    assert (readers["events"] == 0).all() and (readers["offset"] == 0).all() and (readers["drift"] == 0).all()
    assert (readers["low"] < -7).all() and (readers["high"] > 7).all()
    assert set_clocks(placebo, found.reset_index()).reads is placebo.reads


def test_faces_of_other_moments_tell_nothing_of_the_door(still):
    rng = np.random.default_rng(1)
    low, high = still.tracks["time"].agg(["min", "max"])
    faces = still.exits.assign(time=np.sort(rng.uniform(low, high, len(still.exits))))
    bare = still._replace(exits=faces, hands=still.hands.iloc[:0], plates=still.plates.iloc[:0])
    assert (clocks_of(bare)["events"] == 0).all()


def test_hands_that_are_late_are_set_to_tracks(still):
    late = still._replace(hands=still.hands.assign(time=still.hands["time"] + 2.5))
    found = clocks_of(late)
    assert abs(found.loc["hands", "offset"] - 2.5) < 0.6 and found.loc["hands", "low"] > 0
    again = set_clocks(late, found.reset_index())
    assert np.abs(again.hands["time"] - still.hands["time"]).max() < 0.6


@settings(max_examples=10, deadline=None)
@given(shift=st.floats(-5, 5))
def test_the_offset_moves_with_the_clock(still, shift):
    few = still._replace(reads=still.reads.iloc[:0])
    before = clocks_of(few).loc["plates"]
    after = clocks_of(few._replace(plates=few.plates.assign(time=few.plates["time"] + shift))).loc["plates"]
    assert after["offset"] - before["offset"] == pytest.approx(shift, abs=0.1)


def long_day(still, seed: int):
    """Twelve hours of hands, and of plates whose clock is a second behind and runs 80 parts per million fast."""
    rng = np.random.default_rng(seed)
    time = np.sort(rng.uniform(0, 12 * 3600, 600))
    cell = rng.choice(still.planogram["cell"], len(time))
    hands = pd.DataFrame({"visit": -1, "time": time, "cell": cell, "kind": "take", "probability": 1.0})
    clock = time * (1 + 80e-6) - 1.0 + rng.normal(0, 0.3, len(time))
    plates = pd.DataFrame({"time": clock, "cell": cell, "grams": -100.0})
    tracks = still.tracks.iloc[:2].assign(time=[0.0, 12 * 3600.0])
    return still._replace(reads=still.reads.iloc[:0], hands=hands, plates=plates, tracks=tracks)


def test_a_long_day_tells_drift(still):
    days = [long_day(still, seed) for seed in range(20)]
    found = pd.DataFrame([clocks_of(day).loc["plates"] for day in days])
    assert (found["drift"] - 80).abs().max() < 5
    assert found["low_drift"].lt(80).mul(found["high_drift"].gt(80)).sum() >= 17
    assert (found["offset"] - (80e-6 * 6 * 3600 - 1.0)).abs().max() < 0.1
    again = set_clocks(days[0], clocks_of(days[0]).reset_index())
    assert np.median(np.abs(again.plates["time"] - days[0].hands["time"])) < 0.4


def test_too_little_is_no_clock(still):
    empty = {name: getattr(still, name).iloc[:0] for name in ("reads", "hands", "plates", "exits")}
    found = clocks_of(still._replace(**empty))
    assert list(found.reset_index().columns) == COLUMNS
    assert (found[["offset", "drift", "events"]] == 0).all(axis=None) and (found["low"] < 0).all()
