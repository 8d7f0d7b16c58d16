"""A camera's faults come at the rates that were asked for, and the truth stays beside them."""

import numpy as np
import pandas as pd
import pytest

from retailkit.simulate.camera import degrade_tracks, meetings


@pytest.fixture(scope="module")
def crowd() -> pd.DataFrame:
    """Sixty people who walk to and fro across a square."""
    rng = np.random.default_rng(0)
    times = np.arange(0, 40, 0.4)
    ways = [
        pd.DataFrame({"visit": who, "time": times, "x": x + speed[0] * times, "y": y + speed[1] * times})
        for who, (x, y) in enumerate(rng.uniform(0, 20, (60, 2)))
        for speed in [rng.normal(0, 0.7, 2)]
    ]
    return pd.concat(ways, ignore_index=True)


def test_without_faults_nothing_changes(crowd):
    seen = degrade_tracks(crowd, missed=0, jitter=0, broken=0, swapped=0)
    assert seen.drop(columns="person").equals(crowd) and (seen["person"] == seen["visit"]).all()


def test_misses_and_jitter_have_their_rates(crowd):
    seen = degrade_tracks(crowd, missed=0.2, jitter=0.3, broken=0, swapped=0, seed=1)
    assert len(seen) / len(crowd) == pytest.approx(0.8, abs=0.015)
    both = seen.merge(crowd, on=["visit", "time"], suffixes=("", "_true"))
    assert (both["x"] - both["x_true"]).std() == pytest.approx(0.3, rel=0.05)
    assert abs((both["y"] - both["y_true"]).mean()) < 0.02


def test_broken_makes_names_and_swapped_makes_none(crowd):
    met = len(meetings(crowd))
    assert met > 50
    broken = degrade_tracks(crowd, missed=0, jitter=0, broken=1, swapped=0)
    assert 60 + 0.8 * met <= broken["visit"].nunique() <= 60 + 2 * met
    swapped = degrade_tracks(crowd, missed=0, jitter=0, broken=0, swapped=1)
    assert set(swapped["visit"]) == set(crowd["visit"]) and (swapped["visit"] != swapped["person"]).mean() > 0.3
    for seen in (broken, swapped):
        assert not seen.duplicated(["visit", "time"]).any() and len(seen) == len(crowd)


def test_an_approach_counts_once():
    times = np.arange(0, 4, 0.4)
    still = pd.DataFrame({"visit": 1, "time": times, "x": 0.0, "y": 0.0})
    passing = pd.DataFrame({"visit": 2, "time": times, "x": times - 2, "y": 0.2})
    found = meetings(pd.concat([still, passing]))
    assert found[["one", "other"]].values.tolist() == [[1, 2]] and found["time"].item() == pytest.approx(1.6)


def test_same_seed_same_faults(crowd):
    assert degrade_tracks(crowd, seed=3).equals(degrade_tracks(crowd, seed=3, met=meetings(crowd)))
    assert not degrade_tracks(crowd, seed=3).equals(degrade_tracks(crowd, seed=4))


@pytest.mark.parametrize("wrong", [{"missed": 1.2}, {"broken": -0.1}, {"broken": 0.7, "swapped": 0.7}])
def test_rates_that_are_none_are_refused(crowd, wrong):
    with pytest.raises(ValueError, match="a rate from 0 to 1"):
        degrade_tracks(crowd, **wrong)
