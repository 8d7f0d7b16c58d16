"""Visits to zones: in, out, stopped, back again; on real and simulated ways with and without a camera's faults."""

import os

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as some
from walkers import straight, walk

from benchmarks.zone_truth import match, true_zone_visits, with_person
from retailkit.datasets.by_rule import draw_boxes
from retailkit.datasets.recordings import read_recordings
from retailkit.simulate.camera import degrade_tracks, meetings
from retailkit.store.visits.cleaning import clean_tracks
from retailkit.store.visits.tracks import check_tracks
from retailkit.store.visits.zones import check_zones, find_zone_visits, locate

MILK = [(0.0, 0.0), (4.0, 0.0), (4.0, 2.0), (0.0, 2.0)]
TEA = [(4.0, 0.0), (8.0, 0.0), (8.0, 2.0), (4.0, 2.0)]
CORNER = [(0, 0), (3, 0), (3, 1), (1, 1), (1, 3), (0, 3)]


@pytest.mark.parametrize(
    ("zones", "message"),
    [
        ({}, "zones is empty"),
        ({"milk": MILK, "tea": [(3, 1), (5, 1), (5, 3), (3, 3)]}, "zones 'milk' and 'tea' overlap by 1 m2"),
        ({"milk": MILK, "all": [(-9, -9), (9, -9), (9, 9), (-9, 9)]}, "zones 'milk' and 'all' overlap by 8 m2"),
        ({"milk": [(0, 0), (1, 1)]}, "zone 'milk' has 2 corners: three at least"),
        ({"milk": [(0, 0), (1, 1), (0, 0)]}, "zone 'milk' has 2 corners: three at least"),
        ({"milk": [(0, 0), (1, 1), (2, 2)]}, "zone 'milk' .*(area|touches itself)"),
        ({"milk": [(0, 0), (1, 1), (1, 0), (0, 1)]}, "zone 'milk' crosses or touches itself: Self-intersection"),
        ({"milk": [(0, 0), (1, np.nan), (1, 0)]}, "zone 'milk' is .*corners .x, y. in metres"),
        ({"milk": [(0, 0, 0), (1, 1, 0), (1, 0, 0)]}, "zone 'milk' is"),
        ({"milk": "a square"}, "zone 'milk' is 'a square'"),
        ({"": MILK}, "a zone is called ''"),
    ],
)
def test_what_are_no_zones_is_refused(zones, message):
    with pytest.raises(ValueError, match=message):
        check_zones(zones)


def test_zones_may_touch_and_repeat_their_first_corner():
    zones = check_zones({"milk": [*MILK, MILK[0]], "tea": TEA[::-1]})
    assert zones["milk"].tolist() == [list(point) for point in MILK] and zones["tea"].shape == (4, 2)


@pytest.mark.parametrize(
    ("way", "visits"),
    [
        ([(-2, 1), (2, 1), (6, 1)], [("milk", 0, "")]),
        ([(2, -1), (2, 0.1), (2, -1)], []),  # a graze
        ([(2, -1), (2, 0.2), (2, 0.2), (2, 0.2), (2, -1)], [("milk", 0, "")]),  # shallow and long
        ([(-1, 1), (1, 1), (-0.2, 1), (0.2, 1), (-0.1, 1), (1, 1), (-1, 1)], [("milk", 0, "")]),  # jitter at the edge
        ([(-1, 1), (1, 1), (-2, 1), (1, 1), (-1, 1)], [("milk", 0, "")]),  # out and in again, soon
        ([(-1, 1), (1, 1), (-2, 1), (-3, 1), (-2, 1), (1, 1), (-1, 1)], [("milk", 0, ""), ("milk", 1, "")]),
        ([(1, 1), (2, 1), (-1, 1)], [("milk", 0, "start")]),
        ([(-1, 1), (2, 1), (1, 1)], [("milk", 0, "end")]),
        ([(1, 1), (2, 1)], [("milk", 0, "both")]),
        ([(-5, 1), (-5, 2)], []),
    ],
)
def test_each_stay_is_one_visit(way, visits):
    found = find_zone_visits(walk(*way, step=1.0), {"milk": MILK})
    assert list(found[["zone", "again", "censored"]].itertuples(index=False, name=None)) == visits


def test_times_are_those_of_the_edges():
    found = find_zone_visits(walk((-1, 1), (1, 1), (3, 1), (5, 1), visit="anna", start=100.0), {"milk": MILK}).iloc[0]
    assert (found["visit"], found["zone"]) == ("anna", "milk")
    assert [found[name] for name in ("enter", "leave", "dwell")] == pytest.approx([100.2, 101.0, 0.8])


def test_a_slanting_edge_is_cut_where_it_is():
    triangle = {"corner": [(0, 0), (4, 0), (0, 4)]}
    found = find_zone_visits(walk((1, 1), (1, 2), (1, 6), (1, 7), step=1.0), triangle).iloc[0]
    assert found["leave"] == pytest.approx(1.25) and found["censored"] == "start"


def test_from_one_zone_into_the_next_no_time_is_lost_or_counted_twice():
    tracks = walk((-1, 1), (1, 1), (3, 1), (4.1, 1), (3.9, 1), (4.1, 1), (5, 1), (7, 1), (9, 1), step=0.5)
    found = find_zone_visits(tracks, {"milk": MILK, "tea": TEA})
    assert found["zone"].tolist() == ["milk", "tea"] and found["leave"][0] == pytest.approx(found["enter"][1])


def test_a_zone_visited_inside_of_an_absence_is_told():
    tracks = walk((1, 1), (3, 1), (5, 1), (3, 1), (1, 1), step=1.0)  # tea for a second, a metre deep
    found = find_zone_visits(tracks, {"milk": MILK, "tea": TEA})
    assert found["zone"].tolist() == ["milk", "tea", "milk"] and found["again"].tolist() == [0, 0, 1]
    assert (found["enter"][1:].to_numpy() >= found["leave"][:-1].to_numpy() - 1e-9).all()


@pytest.mark.parametrize("step", [0.04, 0.1, 0.4])
@pytest.mark.parametrize(
    ("pause", "stopped"),
    [(0.0, False), (1.0, False), (4.0, True), (60.0, True)],
)
def test_who_stands_has_stopped_and_who_walks_has_passed(step, pause, stopped):
    there = straight((-2, 1), (2, 1), step=step)
    stay = walk(*[(2.0, 1.0)] * max(int(pause / step), 1), start=there["time"].iloc[-1] + step, step=step)
    back = straight((2, 1), (6, 1), begin=stay["time"].iloc[-1] + step, step=step)
    found = find_zone_visits(pd.concat([there, stay, back], ignore_index=True), {"milk": MILK})
    assert found["stopped"].tolist() == [stopped]


def test_a_turn_is_no_stop():
    turned = pd.concat([straight((2, -3), (2, 1.9)), straight((2, 1.9), (2, -3), begin=4.4)], ignore_index=True)
    assert find_zone_visits(turned, {"milk": MILK})["stopped"].tolist() == [False]


def test_jitter_does_not_set_anybody_in_motion():
    rng = np.random.default_rng(0)
    still = pd.concat([walk(*rng.normal((2, 1), 0.2, (50, 2)), visit=visit, step=0.1) for visit in range(100)])
    assert find_zone_visits(still.reset_index(drop=True), {"milk": MILK})["stopped"].all()


@given(some.integers(0, 10_000))
def test_places_are_found_as_shapely_finds_them(seed):
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 9)))
    star = np.stack([np.cos(angles), np.sin(angles)], axis=1) * rng.uniform(0.5, 3, (len(angles), 1))
    zones = [np.array(CORNER, dtype=float) + 4, star]
    if not shapely.Polygon(star).is_valid:
        return
    x, y = rng.uniform(-4, 8, (2, 500))
    inside = [shapely.contains_xy(shapely.Polygon(points), x, y) for points in zones]
    assert (locate(x, y, zones) == np.where(inside[0], 0, np.where(inside[1], 1, -1))).all()


def test_a_place_on_a_common_edge_is_in_one_zone():
    x, y = np.array([4.0, 0.0, 8.0]), np.array([1.0, 1.0, 1.0])
    assert locate(x, y, [np.array(MILK), np.array(TEA)]).tolist() == [1, 0, -1]


def wander(seed: int, visits: int = 3) -> pd.DataFrame:
    """Draw people who walk from place to place and stand at some of them for up to 4 s, with jitter."""
    rng = np.random.default_rng(seed)
    ways = []
    for visit in range(visits):
        places = rng.uniform((-1, -1), (9, 6), (8, 2)).repeat(rng.integers(1, 3, 8), axis=0)
        way = np.stack([np.interp(np.arange(0, len(places) - 1, 0.1), range(len(places)), axis) for axis in places.T])
        ways.append(walk(*(way.T + rng.normal(0, 0.05, way.T.shape)), visit=visit))
    return pd.concat(ways, ignore_index=True)


@settings(max_examples=25, deadline=None)
@given(some.integers(0, 10_000))
def test_visits_of_one_person_follow_one_another(seed):
    tracks = wander(seed)
    found = find_zone_visits(tracks, {"milk": MILK, "tea": TEA, "corner": [(x, y + 2) for x, y in CORNER]})
    assert (found["dwell"] >= 0).all() and np.allclose(found["leave"] - found["enter"], found["dwell"])
    for _, stays in found.groupby("visit"):
        assert (stays["enter"].to_numpy()[1:] >= stays["leave"].to_numpy()[:-1] - 1e-9).all()
    assert (found.groupby(["visit", "zone"]).cumcount() == found["again"]).all()
    same = found["visit"].diff().eq(0) & (found["zone"] == found["zone"].shift())
    assert ((found["enter"] - found["leave"].shift())[same] >= 2.0 - 1e-9).all(), "who is back sooner has not left"


@settings(max_examples=25, deadline=None)
@given(some.integers(0, 10_000), some.floats(0, 6.28), some.floats(-50, 50))
def test_turning_and_moving_the_floor_changes_nothing(seed, angle, shift):
    tracks, zones = wander(seed), {"milk": MILK, "tea": TEA}
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = tracks.assign(**dict(zip("xy", turn @ tracks[["x", "y"]].to_numpy().T + shift, strict=True)))
    there = find_zone_visits(
        moved, {name: [tuple(turn @ corner + shift) for corner in zone] for name, zone in zones.items()}
    )
    here = find_zone_visits(tracks, zones)
    assert here[["visit", "zone", "stopped", "censored"]].equals(there[["visit", "zone", "stopped", "censored"]])
    assert np.allclose(here[["enter", "leave"]], there[["enter", "leave"]], atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(some.integers(0, 10_000))
def test_without_hysteresis_it_is_plain_geometry(seed):
    tracks = wander(seed, visits=2)
    found = find_zone_visits(tracks, {"corner": CORNER}, gap=0, margin=0)
    truth = true_zone_visits(tracks, {"corner": CORNER})
    for visit, stays in found.groupby("visit"):
        there = truth[truth["person"] == visit]
        for edge in ("enter", "leave"):
            off = np.abs(np.subtract.outer(stays[edge].to_numpy(), there[edge].to_numpy())).min(axis=1)
            assert off.max() < 0.03, "geometry is looked at every 0.02 s"


def test_years_counted_in_seconds_and_names_of_any_kind():
    tracks = wander(5)
    plain = find_zone_visits(tracks, {"milk": MILK, "tea": TEA})
    late = tracks.assign(time=tracks["time"] + 1.9e9, visit="visit " + tracks["visit"].astype(str))
    found = find_zone_visits(late, {"milk": MILK, "tea": TEA})
    assert len(plain) > 3 and found["stopped"].equals(plain["stopped"])
    assert np.allclose(found["dwell"], plain["dwell"], atol=1e-5) and found["visit"].str.startswith("visit ").all()


def test_nobody_and_one():
    empty = pd.DataFrame({"visit": [], "time": [], "x": [], "y": []}, dtype=float)
    assert find_zone_visits(empty, {"milk": MILK}).empty
    one = find_zone_visits(walk((1, 1)), {"milk": MILK})
    assert one[["dwell", "stopped", "censored"]].values.tolist() == [[0.0, False, "both"]] or one.empty


@pytest.mark.parametrize(
    ("change", "message"),
    [({"gap": -1}, "gap is -1"), ({"margin": np.nan}, "margin is nan"), ({"slow": -0.1}, "slow is -0.1")],
)
def test_limits_below_nothing_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        find_zone_visits(wander(1), {"milk": MILK}, **change)
    with pytest.raises(ValueError, match="no column y; it has visit, time, x"):
        find_zone_visits(wander(1).drop(columns="y"), {"milk": MILK})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.assign(x=rows["x"].mask(rows.index == 6)), "tracks, row 7: x is nan; `check_tracks` sets"),
        (lambda rows: rows.assign(time=rows["time"].mask(rows.index == 6, np.inf)), "tracks, row 7: time is inf"),
        (lambda rows: rows[::-1], "tracks, row 2: not by visit and time"),
        (lambda rows: pd.concat([rows, rows]), "tracks, row [0-9]+: not by visit and time"),
        (lambda rows: rows.assign(visit=rows["visit"] % 2), "tracks, row [0-9]+: not by visit and time"),
    ],
)
def test_tracks_that_were_not_checked_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        find_zone_visits(change(wander(1)), {"milk": MILK})


CAMERAS = [(0.05, 0.1), (0.1, 0.2), (0.2, 0.3)]  # moments missed, jitter in metres


@pytest.fixture(scope="module")
def recordings():
    if not os.environ.get("RETAILKIT_DATA"):
        pytest.skip("real data is absent: set RETAILKIT_DATA to its folder")
    return [scene for name in ("tracks_ucy", "tracks_eth") for scene in read_recordings(name) if len(scene.tracks)]


def dwell_errors(tracks: pd.DataFrame, missed: float, jitter: float, seeds: range) -> pd.DataFrame:
    """Median absolute errors of dwell in boxes fixed by rule, and of the best constant guess, for each seed.

    Of all true visits that were found; and of those that are no graze (0.3 m deep or 2 s long), where one that was not
    found was told as 0 s.
    """
    tracks, _ = check_tracks(tracks)
    zones, met = draw_boxes(tracks), meetings(tracks)
    truth = true_zone_visits(tracks, zones, bridged=2.0)
    truth = truth[truth["whole"]].assign(real=(truth["depth"] >= 0.3) | (truth["dwell"] >= 2.0))
    rows = []
    for seed in seeds:
        seen = clean_tracks(degrade_tracks(tracks, missed=missed, jitter=jitter, met=met, seed=seed))
        found = match(with_person(find_zone_visits(seen, zones), seen), truth)
        error = (found["dwell_seen"] - found["dwell"]).abs()
        real = found["real"].astype(bool)
        rows.append(
            {
                "error": error.median(), "guess": (found["dwell"] - found["dwell"].median()).abs().median(),
                "error with lost": error.fillna(found["dwell"])[real].median(), "lost": error[real].isna().mean(),
                "guess of real": (found["dwell"] - found["dwell"][real].median()).abs()[real].median(),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def test_dwell_on_real_ways_is_told_better_than_by_a_guess(recordings):
    for scene in [scene for scene in recordings if scene.name in ("zara01", "seq_hotel")]:
        told = dwell_errors(scene.tracks, 0.1, 0.2, range(1)).iloc[0]
        assert told["error"] <= 0.5 * told["guess"], scene.name


@pytest.mark.slow
@pytest.mark.parametrize(("missed", "jitter"), CAMERAS)
def test_dwell_on_many_spoilt_copies_of_each_scene(recordings, missed, jitter):
    for scene in recordings:
        told = dwell_errors(scene.tracks, missed, jitter, range(1, 11))
        ratio, spread = (told["error"] / told["guess"]).mean(), (told["error"] / told["guess"]).std()
        with_lost = (told["error with lost"] / told["guess of real"]).mean()
        print(
            f"{scene.name}, {missed:.0%} missed, {jitter} m: median error {told['error'].mean():.3f} s, {ratio:.2f} "
            f"(± {2.26 * spread / 10**0.5:.3f}) of a guess's; without grazes, lost ones as 0: {with_lost:.2f}, "
            f"{told['lost'].mean():.1%} lost"
        )
        assert ratio <= 0.5, scene.name
        assert with_lost <= 0.6, scene.name  # 0.53 at the Hotel with 0.3 m, below 0.46 elsewhere
