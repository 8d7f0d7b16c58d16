"""A count of crossings has an interval for what the camera does, and both are right on real recordings."""

import os

import numpy as np
import pandas as pd
import pytest
from walkers import straight

from retailkit.datasets.by_rule import draw_gates
from retailkit.datasets.recordings import read_recordings
from retailkit.lab.intervals import wilson
from retailkit.simulate.camera import degrade_tracks, meetings
from retailkit.store.visits import camera_error, check_tracks, clean_tracks, count_crossings, find_crossings
from retailkit.store.visits.counts import SpoiltAgain, beyond_the_ends, fill_gaps

DOOR = ((10.0, 5.0), (0.0, 5.0))  # in is upwards


def crowd(people: int = 40, seed: int = 0, far: float = 5.0) -> pd.DataFrame:
    """Walkers up and down through the door, one after the other, from and to so many metres from it."""
    rng = np.random.default_rng(seed)
    ways = []
    for visit in range(people):
        x, side = rng.uniform(1, 9), far if visit % 2 else -far
        ways.append(straight((x, 5 - side), (x, 5 + side), visit=visit, begin=visit * 3.0))
    return pd.concat(ways, ignore_index=True)


def test_a_perfect_camera_counts_without_error():
    table = count_crossings(crowd(), {"door": DOOR}, repetitions=5, progress=False).set_index(["line", "direction"])
    assert table.loc[("door", "in"), "found"] == table.loc[("door", "out"), "found"] == 20
    assert table.loc[("all", "both"), "value"] == pytest.approx(40)
    assert (table["high"] - table["low"] < 3).all()


def test_directions_add_up_and_a_worse_camera_is_less_sure():
    widths = []
    for missed, jitter in ((0.05, 0.1), (0.3, 0.3)):
        seen = degrade_tracks(crowd(far=1.0), missed=missed, jitter=jitter, seed=1).drop(columns="person")
        table = count_crossings(seen, {"door": DOOR}, repetitions=8, progress=False).set_index(["line", "direction"])
        assert table.loc["door", "value"]["both"] == pytest.approx(table.loc["door", "value"][["in", "out"]].sum())
        widths.append(table.loc[("all", "both"), "high"] - table.loc[("all", "both"), "low"])
    assert widths[1] > widths[0]


def test_ends_on_their_way_over_the_line_count_by_the_chance_that_they_were_missed():
    """One walker of 1 metre per second, seen until 0.5 m before the line: two more moments would have shown it."""
    way = straight((5, 0), (5, 4.6), speed=1.0)
    error = camera_error(way)
    ahead = int(np.ceil((5 + 0.3 - way["y"].iloc[-1]) / 0.4 - 1e-9))
    for missed in (0.1, 0.3):
        inwards, outwards = beyond_the_ends(way, DOOR, type(error)(0.4, missed, 0.0))
        assert inwards == pytest.approx(missed**ahead) and outwards == 0
    back = way.assign(y=10 - way["y"])
    assert beyond_the_ends(back, DOOR, type(error)(0.4, 0.3, 0.0)) == pytest.approx((0, 0.3**ahead))
    late = way.assign(y=way["y"] + 5.4)  # began beyond the line, came from below
    assert beyond_the_ends(late, DOOR, type(error)(0.4, 0.3, 0.0))[0] > 0
    aside = way.assign(x=20.0)  # passes where there is no line
    assert beyond_the_ends(aside, DOOR, type(error)(0.4, 0.3, 0.0)) == (0, 0)


def test_gaps_are_filled_with_straight_ways():
    way = straight((0, 0), (8, 4))
    gaps = way[np.arange(len(way)) % 3 != 1].reset_index(drop=True)
    filled = fill_gaps(gaps, 0.4)
    last = way["time"] <= gaps["time"].max() + 1e-9
    assert filled[["time", "x", "y"]].to_numpy() == pytest.approx(way.loc[last, ["time", "x", "y"]].to_numpy())


def test_what_is_spoilt_again_is_spoilt_as_much():
    true = pd.concat([crowd(60, seed) .assign(visit=lambda rows, seed=seed: rows["visit"] + 100 * seed)
                      for seed in range(2)], ignore_index=True)  # fmt: skip
    seen = degrade_tracks(true, missed=0.15, jitter=0.2, seed=3).drop(columns="person")
    again = SpoiltAgain(seen)
    first, second = camera_error(seen), camera_error(again(1))
    assert second.jitter == pytest.approx(first.jitter, rel=0.1)
    assert second.missed == pytest.approx(first.missed, abs=0.03)
    pd.testing.assert_frame_equal(again(5), again(5))


@pytest.mark.parametrize(
    ("settings", "message"), [({"repetitions": 1}, "2 or more"), ({"lines": {}}, "lines is empty")]
)
def test_what_cannot_be_counted_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        count_crossings(crowd(4), **({"lines": {"door": DOOR}} | settings), progress=False)


@pytest.mark.slow
def test_intervals_on_real_recordings_hold_the_count():
    """Four scenes, three rates of faults each; `benchmarks.camera_faults` does a hundred seeds of this."""
    if not os.environ.get("RETAILKIT_DATA"):
        pytest.skip("real data is absent: set RETAILKIT_DATA to its folder")
    held = []
    for scene in [scene for name in ("tracks_ucy", "tracks_eth") for scene in read_recordings(name)]:
        true, _ = check_tracks(scene.tracks)
        lines = draw_gates(true)
        people = sum(len(find_crossings(true, line)) for line in lines.values())
        met = meetings(true)
        for seed, (missed, jitter) in enumerate([(0.05, 0.1), (0.1, 0.2), (0.2, 0.3)] * 2):
            seen = degrade_tracks(true, missed=missed, jitter=jitter, met=met, seed=seed).drop(columns="person")
            table = count_crossings(seen, lines, repetitions=8, progress=False).set_index(["line", "direction"])
            low, high = table.loc[("all", "both"), ["low", "high"]]
            held.append(low <= people <= high)
    share = wilson(sum(held), len(held), unit_name="recordings")
    print(f"{share} of the intervals hold the true count")
    assert share.high > 0.95 and share.value >= 0.85


def test_cleaning_keeps_every_row():
    seen = degrade_tracks(crowd(), missed=0.1, jitter=0.2, seed=4)
    clean = clean_tracks(seen)
    assert len(clean) == len(seen) and set(clean["piece"]) == set(seen["visit"])
    assert clean["visit"].nunique() <= seen["visit"].nunique()


def test_who_stands_is_held_still():
    """Jitter of 0.2 m around one place for two minutes: cleaned, it is below a third of that."""
    rng = np.random.default_rng(5)
    stands = pd.DataFrame({"visit": 1, "time": np.arange(300) * 0.4, "x": 3.0, "y": 2.0})
    seen = stands.assign(x=3 + rng.normal(0, 0.2, 300), y=2 + rng.normal(0, 0.2, 300))
    clean = clean_tracks(seen)
    assert clean["x"].std() < 0.07 and clean["y"].std() < 0.07
