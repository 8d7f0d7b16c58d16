"""What cameras make of a day has the rates that were asked for, with the truth beside it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from retailkit.lab.intervals import wilson
from retailkit.simulate.visits import default_plan, make_plan, observe, simulate_store_day
from retailkit.simulate.visits.sight import hidden

CLEAR = {"missed": 0.0, "jitter": 0.0, "broken": 0.0, "swapped": 0.0, "occlusion": False, "memory": 1e9}
SURE = {"hand_missed": 0.0, "hand_confused": 0.0}


def test_without_faults_nothing_changes(day):
    seen = observe(day, **CLEAR, **SURE)
    pd.testing.assert_frame_equal(seen.tracks.drop(columns="person"), day.tracks)
    both = seen.hands.sort_values(["visit", "time"], kind="stable").reset_index(drop=True)
    pd.testing.assert_frame_equal(
        both[["visit", "time", "cell", "kind", "probability"]], day.hands.drop(columns="product")
    )
    assert (both["person"] == both["visit"]).all() and (both["true_cell"] == both["cell"]).all()


def test_hands_are_missed_and_confused_at_their_rates(day):
    seen = observe(day, **CLEAR, hand_missed=0.2, hand_confused=0.3, seed=3).hands
    kept = wilson(len(seen), len(day.hands), level=0.999)
    assert kept.low < 0.8 < kept.high
    wrong = wilson(int((seen["cell"] != seen["true_cell"]).sum()), len(seen), level=0.9999)
    assert wrong.low < 0.3 < wrong.high
    place = day.plan.cells.set_index("cell")[["x", "y"]]
    away = place.loc[seen["cell"]].to_numpy() - place.loc[seen["true_cell"]].to_numpy()
    assert np.hypot(*away.T).max() < 1.01


@pytest.mark.parametrize("false", [0.0, 0.5])
def test_probabilities_are_calibrated(day, false):
    """In each tenth of probability the share that is true is as told."""
    seen = pd.concat([observe(day, **CLEAR, hand_confused=0.3, hand_false=false, seed=seed).hands for seed in range(4)])
    tenth = seen.assign(right=seen["cell"] == seen["true_cell"]).groupby(seen["probability"].mul(10).astype(int))
    for _, rows in tenth:
        share = wilson(int(rows["right"].sum()), len(rows), level=0.9999)
        assert share.low < rows["probability"].mean() < share.high
    ghosts = seen["true_cell"] == ""
    assert ghosts.sum() / (~ghosts).sum() == pytest.approx(false, abs=0.05)


def test_a_shelf_hides_whoever_is_behind_it():
    """One camera over the left aisle: it sees that aisle, and not what is low behind the shelf."""
    plan = replace(default_plan(), cameras=pd.DataFrame({"camera": ["one"], "x": [1.0], "y": [5.7], "z": [2.0]}))
    rows = pd.DataFrame({"visit": [0, 1, 2], "time": [0.0, 1.0, 2.0], "x": [2.5, 5.0, 2.5], "y": [5.7, 5.7, 8.2]})
    assert hidden(rows, plan).tolist() == [False, True, False]
    high = replace(plan, cameras=plan.cameras.assign(z=9.0))
    assert not hidden(rows, high).any()


def test_a_person_hides_whoever_is_behind():
    plan = replace(default_plan(), cameras=pd.DataFrame({"camera": ["one"], "x": [1.0], "y": [8.5], "z": [2.5]}))
    rows = pd.DataFrame({"visit": [0, 1, 2], "time": 0.0, "x": [6.0, 7.0, 7.0], "y": [8.5, 8.5, 7.6]})
    assert hidden(rows, plan).tolist() == [False, True, False]
    assert not hidden(rows.assign(time=[0.0, 1.0, 2.0]), plan).any()  # at different moments nobody hides anybody


def test_whoever_is_hidden_for_long_gets_a_new_name():
    one = make_plan(2, checkouts=0)
    one = replace(one, cameras=one.cameras.iloc[:1])
    day = simulate_store_day(one, shoppers=30, hours=1, staff=0, seed=1)
    seen = observe(day, missed=0, jitter=0, broken=0, swapped=0, memory=2.0).tracks
    assert 0.1 < 1 - len(seen) / len(day.tracks) < 0.9
    gaps = seen.groupby("visit")["time"].diff().max()
    assert gaps <= 2.0 and seen["visit"].nunique() > seen["person"].nunique()
    assert (seen.groupby("visit")["person"].nunique() == 1).all()
    assert not seen.duplicated(["visit", "time"]).any()


def test_hands_go_by_the_name_of_the_track(day):
    seen = observe(day, seed=5)
    names = seen.tracks.groupby("visit")["time"].agg(["min", "max"])
    told = seen.hands.join(names, on="visit")
    assert ((told["time"] >= told["min"] - 2) & (told["time"] <= told["max"] + 2)).all()
    assert seen.tracks["visit"].nunique() > day.tracks["visit"].nunique()
    again = day.observe(seed=5)
    pd.testing.assert_frame_equal(seen.tracks, again.tracks)
    pd.testing.assert_frame_equal(seen.hands, again.hands)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"hand_missed": 1.2}, "hand_missed is 1.2"),
        ({"hand_confused": -0.1}, "hand_confused is -0.1"),
        ({"hand_false": -1.0}, "hand_false is -1.0"),
        ({"memory": 0.0}, "memory 0.0"),
        ({"missed": 2.0}, "missed is 2.0"),
    ],
)
def test_faults_that_cannot_be_are_refused(day, wrong, says):
    with pytest.raises(ValueError, match=says):
        observe(day, **wrong)


def test_without_cameras_nobody_is_hidden_from_them(day):
    blind = replace(day, plan=replace(day.plan, cameras=day.plan.cameras.iloc[:0]))
    with pytest.raises(ValueError, match="has no cameras"):
        observe(blind)
    assert len(observe(blind, **CLEAR).tracks) == len(day.tracks)
