"""Tracks at the door, and smoothed."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some
from walkers import straight, walk

from benchmarks import plain_visits
from retailkit.store.visits import check_tracks, clean_tracks, smooth_tracks


@pytest.mark.parametrize(
    ("row", "column", "value", "problem"),
    [
        (1, "x", np.nan, "x is not a number"),
        (2, "time", np.inf, "time is not a number"),
        (3, "visit", None, "no visit"),
        (2, "time", 0.4, "a second row of this visit and time"),
        (2, "time", 0.1, "the clock steps back by 0.300 s"),
        (2, "x", 40.0, "moved 39.4 m in 0.400 s, faster than 10 m/s"),
    ],
)
def test_a_row_that_cannot_be_is_set_aside_and_said(row, column, value, problem):
    raw = walk((0, 0), (0.6, 0), (1.2, 0), (1.8, 0), (2.4, 0), visit="a")
    raw[column] = raw[column].astype(object if column == "visit" else float)
    raw.loc[row, column] = value
    tracks, wrong = check_tracks(raw)
    assert (len(tracks), wrong["row"].tolist()) == (4, [row + 1])
    assert wrong["problem"].item() == problem


def test_a_long_way_off_is_walked_off_in_time():
    there = walk(*[(0.5 * step, 0.0) for step in range(30)])
    there.loc[10:12, "y"] = 60.0
    tracks, wrong = check_tracks(there)
    assert wrong["row"].tolist() == [11, 12, 13] and len(tracks) == 27


def test_rows_come_out_by_visit_and_time_with_all_their_columns():
    raw = pd.concat([walk((0, 0), (1, 0), visit="b"), walk((5, 5), (5, 6), visit="a")], ignore_index=True)
    tracks, wrong = check_tracks(raw.assign(camera=3))
    assert tracks["visit"].tolist() == ["a", "a", "b", "b"] and set(tracks["camera"]) == {3} and wrong.empty


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw.drop(columns="y"), "no column y; it has visit, time, x"),
        (lambda raw: raw.assign(time="noon"), "time holds str; numbers are needed"),
    ],
)
def test_what_are_no_tracks_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        check_tracks(change(walk((0, 0), (1, 0))))


@given(some.integers(0, 10_000))
def test_nothing_is_lost(seed):
    rng = np.random.default_rng(seed)
    raw = pd.DataFrame({"visit": rng.integers(0, 4, 40), "time": rng.choice([0.0, 0.4, 0.8, np.nan], 40)})
    raw[["x", "y"]] = rng.normal(0, 5, (40, 2))
    tracks, wrong = check_tracks(raw)
    assert len(tracks) + len(wrong) == 40
    again, none = check_tracks(tracks)
    assert none.empty and again.equals(tracks)


def test_a_straight_way_stays_as_it_is():
    tracks = pd.concat([straight((0, 0), (9, 4), visit=visit, begin=50_000 * visit) for visit in range(3)])
    smooth = smooth_tracks(tracks)
    assert np.allclose(smooth[["x", "y"]], tracks[["x", "y"]], atol=1e-9)


def test_jitter_becomes_less_and_ends_stay_where_they_are():
    rng = np.random.default_rng(0)
    true = pd.concat([straight((0, 0), (12, 0), visit=visit) for visit in range(200)], ignore_index=True)
    seen = true.assign(x=true["x"] + rng.normal(0, 0.2, len(true)), y=true["y"] + rng.normal(0, 0.2, len(true)))
    smooth = smooth_tracks(seen)
    assert (smooth["x"] - true["x"]).std() < 0.12 and (smooth["y"] - true["y"]).std() < 0.12
    last = true.groupby("visit").tail(1).index
    assert abs((smooth["x"] - true["x"])[last].mean()) < 0.05, "a mean of neighbours would be 0.4 m short"


def test_it_is_the_least_squares_line():
    rng = np.random.default_rng(1)
    tracks = walk(*rng.normal(0, 1, (9, 2)))
    moments = tracks["time"].to_numpy()
    smooth = smooth_tracks(tracks, window=1.7)
    for row in range(9):
        near = np.abs(moments - moments[row]) <= 0.85
        line = np.polyfit(moments[near], tracks["x"].to_numpy()[near], 1)
        assert smooth["x"][row] == pytest.approx(np.polyval(line, moments[row]))


def test_a_wrong_unit_of_time_is_said():
    with pytest.raises(ValueError, match=r"holds over 100 moments of these tracks.*is time in seconds"):
        smooth_tracks(straight((0, 0), (90, 0), step=0.01))
    with pytest.raises(ValueError, match="window is 0: seconds above 0"):
        smooth_tracks(walk((0, 0), (1, 0)), window=0)


@pytest.mark.parametrize("step", [0.05, 0.1, 0.4])
@pytest.mark.parametrize("rows", [1, 2, 3, 7, 12, 17, 18, 19, 36, 37])
def test_short_recordings_are_smoothed_as_by_plain_pandas(rows, step):
    """Fewer rows than a window holds, exactly as many, and one or two more; of one visit and of two."""
    rng = np.random.default_rng(rows)
    way = pd.DataFrame({"visit": 1, "time": step * np.arange(rows), "x": rng.normal(0, 1, rows), "y": 0.0})
    for tracks in (way, pd.concat([way, way.assign(visit=2)], ignore_index=True)):
        ours, plain = smooth_tracks(tracks), plain_visits.smooth(tracks)
        np.testing.assert_allclose(ours[["x", "y"]], plain[["x", "y"]], atol=1e-6)
        clean_tracks(tracks)
