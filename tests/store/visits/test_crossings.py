"""Crossings: both ways, each time, no graze; on real tracks with and without a camera's faults."""

import os
from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some
from walkers import straight, walk

from retailkit.datasets.by_rule import draw_gates
from retailkit.datasets.recordings import read_recordings
from retailkit.simulate.camera import degrade_tracks, meetings
from retailkit.store.visits import check_tracks, find_crossings, smooth_tracks, stitch_tracks

DOOR = ((0.0, 0.0), (4.0, 0.0))


@pytest.mark.parametrize(
    ("way", "directions"),
    [
        ([(2, -1), (2, 1)], ["out"]),
        ([(2, 1), (2, -1)], ["in"]),
        ([(2, -1), (2, 1), (2, -1)], ["out", "in"]),
        ([(2, -1), (2, 0.1), (2, -1)], []),  # a graze
        ([(2, -1), (2, 0.1), (2, -0.2), (2, 0.2), (2, 1)], ["out"]),  # dithering on the line
        ([(2, -1), (2, 0), (2, 1)], ["out"]),
        ([(5, -1), (5, 1)], []),  # past its end
        ([(5, -1), (3, -1), (3, 1), (5, 1)], ["out"]),
        ([(2, -1), (2, -5)], []),
        ([(2, 0), (2, 1)], []),  # it was never on the other side
    ],
)
def test_each_way_has_its_crossings(way, directions):
    assert find_crossings(walk(*way), DOOR)["direction"].tolist() == directions


def test_when_and_where():
    found = find_crossings(walk((1, -1), (2, -0.5), (3, 0.5), visit="anna"), DOOR).iloc[0]
    assert (found["visit"], found["time"], found["x"], found["y"]) == ("anna", pytest.approx(0.6), 2.5, 0.0)


@given(some.integers(0, 10_000), some.floats(0, 6.28), some.floats(-50, 50))
def test_turning_and_moving_the_floor_changes_nothing(seed, angle, shift):
    rng = np.random.default_rng(seed)
    tracks = pd.concat([walk(*rng.normal((2, 0), 2, (30, 2)), visit=visit) for visit in range(3)])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = tracks.assign(**dict(zip("xy", turn @ tracks[["x", "y"]].to_numpy().T + shift, strict=True)))
    line = [tuple(turn @ point + shift) for point in np.array(DOOR)]
    here, there = find_crossings(tracks, DOOR), find_crossings(moved, line)
    assert here[["visit", "direction"]].equals(there[["visit", "direction"]])
    turned_round = find_crossings(tracks, DOOR[::-1])
    assert (turned_round["direction"] != here["direction"]).all() and len(turned_round) == len(here)


@given(some.integers(0, 10_000))
def test_whoever_goes_in_twice_came_out_between_on_an_endless_line(seed):
    rng = np.random.default_rng(seed)
    tracks = walk(*np.cumsum(rng.normal(0, 0.5, (80, 2)), axis=0))
    directions = find_crossings(tracks, ((-1000, 0), (1000, 0)))["direction"]
    assert (directions != directions.shift()).all()


@pytest.mark.parametrize(
    ("line", "band", "message"),
    [
        (((0, 0), (0, 0)), 0.3, "its two points are one"),
        (((0, 0), (np.nan, 1)), 0.3, "two points"),
        ((0, 1), 0.3, "two points"),
        (DOOR, -1, "band is -1"),
    ],
)
def test_what_is_no_line_is_refused(line, band, message):
    with pytest.raises(ValueError, match=message):
        find_crossings(walk((0, 0), (1, 1)), line, band)


def test_nobody_crosses_where_nobody_is():
    assert find_crossings(straight((0, 0), (1, 0))[:0], DOOR).empty


@pytest.fixture(scope="module")
def recordings():
    if not os.environ.get("RETAILKIT_DATA"):
        pytest.skip("real data is absent: set RETAILKIT_DATA to its folder")
    return [scene for name in ("tracks_ucy", "tracks_eth") for scene in read_recordings(name) if len(scene.tracks)]


def test_identities_seen_once_and_no_hysteresis_are_both_worse(recordings):
    """What the counters in use do wrong, on real ways that a camera has spoilt: errors summed over scenes."""
    ours = once = bare = 0
    for scene in recordings:
        lines = list(draw_gates(scene.tracks).values())
        truth = sum(len(find_crossings(scene.tracks, line)) for line in lines)
        for seed in range(1, 4):
            seen = degrade_tracks(scene.tracks, missed=0.1, jitter=0.2, seed=seed)
            flickering = [find_crossings(seen, line, band=0)["visit"] for line in lines]
            ours += abs(_count(seen, lines) - truth)
            once += abs(sum(visits.nunique() for visits in flickering) - truth)
            bare += abs(sum(map(len, flickering)) - truth)
    assert ours < min(once, bare)


@pytest.mark.slow
@pytest.mark.parametrize(("missed", "jitter"), [(0.05, 0.1), (0.1, 0.2), (0.2, 0.3)])
def test_spoilt_copies_of_each_scene_are_counted_without_bias(recordings, missed, jitter):
    for scene in recordings:
        tracks, _ = check_tracks(scene.tracks)
        lines = list(draw_gates(tracks).values())
        truth = sum(len(find_crossings(tracks, line)) for line in lines)
        spoil = partial(degrade_tracks, tracks, missed=missed, jitter=jitter, met=meetings(tracks))
        counts = [_count(spoil(seed=seed), lines) for seed in range(25)]
        bias, error = np.mean(counts) / truth - 1, np.std(counts, ddof=1) / truth / 25**0.5
        print(
            f"{scene.name}, {missed:.0%} missed, {jitter} m: {truth} crossings, bias {bias:+.2%} ± {1.96 * error:.2%}"
        )
        assert abs(bias) <= 0.02, scene.name


def _count(seen: pd.DataFrame, lines: list) -> int:
    tracks = smooth_tracks(stitch_tracks(check_tracks(seen)[0]))
    return sum(len(find_crossings(tracks, line)) for line in lines)
