"""Exchanged identities are put right where motion tells, and nowhere else."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy.spatial import cKDTree
from walkers import straight

from retailkit.store.visits import camera_error, untangle_tracks
from retailkit.store.visits.untangling import BEAT, _peaks, close_pairs, find_meetings


def passing(step: float = 0.4, gap: float = 0.4) -> pd.DataFrame:
    """Two who meet head on, half-way along 12 metres, `gap` metres apart."""
    ways = [straight((0, 0), (12, 0), visit=1, step=step), straight((12, gap), (0, gap), visit=2, step=step)]
    return pd.concat(ways, ignore_index=True)


def exchanged(tracks: pd.DataFrame, moment: float) -> pd.DataFrame:
    """What a tracker says that takes one for the other from a moment on."""
    seen = tracks.assign(person=tracks["visit"])
    late = seen["time"] > moment
    seen.loc[late, "visit"] = 3 - seen.loc[late, "visit"]
    return seen.sort_values(["visit", "time"], ignore_index=True)


@pytest.mark.parametrize("step", [0.1, 0.4])
@pytest.mark.parametrize("jitter", [0.0, 0.1, 0.2])
def test_who_goes_on_as_the_other_came_is_the_other(step, jitter):
    seen = exchanged(passing(step), moment=5.0)
    seen[["x", "y"]] += np.random.default_rng(1).normal(0, jitter, (len(seen), 2))
    right = untangle_tracks(seen)
    wrong = right.groupby("visit")["person"].agg(lambda who: (who != who.mode()[0]).mean())
    assert wrong.max() < 0.1


@given(some.integers(0, 10_000), some.sampled_from([0.0, 0.1, 0.3]))
@settings(max_examples=25, deadline=None)
def test_who_was_not_exchanged_stays(seed, jitter):
    """At three to one in log-likelihood, at most one in twenty would be wrong; these ways are clear."""
    rng = np.random.default_rng(seed)
    seen = passing(gap=rng.uniform(0, 0.8))
    seen[["x", "y"]] += rng.normal(0, jitter, (len(seen), 2))
    pd.testing.assert_frame_equal(untangle_tracks(seen), seen)


def test_two_side_by_side_give_no_evidence():
    ways = [straight((0, row), (12, row), visit=1 + 2 * row) for row in (0, 0.5)]
    seen = pd.concat(ways, ignore_index=True)
    pd.testing.assert_frame_equal(untangle_tracks(seen), seen)


def test_three_in_a_row_are_sorted_out_in_the_order_of_time():
    """The one who walks against two others is taken for each of them in turn."""
    ways = {1: ((0, 0), (14, 0)), 2: ((12, 0.4), (0, 0.4)), 3: ((18, 0.4), (2, 0.4))}
    true = pd.concat([straight(*way, visit=visit) for visit, way in ways.items()], ignore_index=True)
    seen, holder = true.assign(person=true["visit"]), {1: 1, 2: 2, 3: 3}
    for moment, other in ((5.0, 2), (7.6, 3)):
        holder[1], holder[other] = holder[other], holder[1]
        for person in (1, other):
            seen.loc[(seen["person"] == person) & (seen["time"] > moment), "visit"] = holder[person]
    right = untangle_tracks(seen.sort_values(["visit", "time"], ignore_index=True))
    assert right.groupby("visit")["person"].agg(lambda who: (who == who.mode()[0]).mean()).min() > 0.9


def test_the_cameras_error_is_read_from_its_tracks():
    rng = np.random.default_rng(3)
    ways = [straight((0, row), (20, row + rng.normal()), visit=row, speed=rng.uniform(0.8, 1.5)) for row in range(60)]
    true = pd.concat(ways, ignore_index=True)
    assert camera_error(true).jitter < 0.01 and camera_error(true).missed == 0
    for missed, jitter in ((0.05, 0.1), (0.2, 0.3)):
        seen = true[rng.random(len(true)) >= missed].reset_index(drop=True)
        seen[["x", "y"]] += rng.normal(0, jitter, (len(seen), 2))
        error = camera_error(seen)
        assert error.step == pytest.approx(0.4)
        assert error.jitter == pytest.approx(jitter, rel=0.1) and error.missed == pytest.approx(missed, abs=0.02)


@given(some.integers(0, 10_000), some.integers(2, 60))
@settings(max_examples=30, deadline=None)
def test_close_pairs_are_those_of_a_tree(seed, rows):
    rng = np.random.default_rng(seed)
    crowd = pd.DataFrame(
        {"visit": range(rows), "time": rng.integers(0, 3, rows) * BEAT, "x": rng.uniform(0, 4, rows), "y": 0.0}
    ).assign(y=rng.uniform(0, 4, rows))
    found = set(zip(*map(list, close_pairs(crowd, 0.9)), strict=True))
    apart = crowd[["x", "y"]].assign(time=crowd["time"] * 1000)
    assert found == {tuple(sorted(pair)) for pair in cKDTree(apart).query_pairs(0.9)}


def test_nobody_and_one():
    nobody = straight((0, 0), (3, 0))[:0]
    assert untangle_tracks(nobody).empty and camera_error(nobody).jitter == 0
    alone = straight((0, 0), (3, 0))
    pd.testing.assert_frame_equal(untangle_tracks(alone), alone)


def test_of_beats_that_say_the_same_the_first_is_the_moment():
    gains = {1: [0, 5, 5, 0, 0, 6], 2: [4, 4, 4, 4, 1, 0], 3: [2, 3, 2, 3, 1, 0]}
    found = pd.DataFrame(
        [(meeting, gain) for meeting, row in gains.items() for gain in row], columns=["meeting", "gain"]
    )
    peaks = _peaks(found).reshape(3, 6)
    assert [np.flatnonzero(row).tolist() for row in peaks] == [[1, 5], [0], [1]]


def test_two_who_walk_together_may_be_exchanged_twice_in_one_meeting():
    """Side by side for 24 s, one meeting; the keys are exchanged after 8 s and again after 16."""
    ways = [straight((0, 0), (24, 0), visit=1, step=0.2), straight((0, 0.8), (24, 0.8), visit=2, step=0.2)]
    seen = pd.concat(ways, ignore_index=True)
    length = seen["time"].max()
    seen["visit"] = np.where(seen["time"].between(length / 3, 2 * length / 3), 3 - seen["visit"], seen["visit"])
    seen = seen.sort_values(["visit", "time"], ignore_index=True)
    seen[["x", "y"]] += np.random.default_rng(2).normal(0, 0.03, (len(seen), 2))
    assert len(find_meetings(seen)) == 1
    every = find_meetings(seen, doubtful=3.0)
    assert len(every) == 2 and (every["gain"] > 3).all()
    np.testing.assert_allclose(every["time"], [length / 3, 2 * length / 3], atol=2 * BEAT)
