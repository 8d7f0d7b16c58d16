"""The frames of a simulated day agree with one another and with the true ways."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import shapely

from retailkit.simulate.visits import make_plan, simulate_store_day, simulate_stores
from retailkit.simulate.visits.routes import is_free


def test_nobody_walks_through_shelves_or_out_of_the_picture(day):
    place = day.tracks[["x", "y"]].to_numpy()
    assert is_free(place, day.plan.walls, 0.05).all()
    assert (place >= 0).all() and (place <= day.plan.outline).all()


def test_nobody_runs(day):
    step = day.ways.groupby("visit")[["time", "x", "y"]].diff().dropna()
    assert (step["time"] > 0).all()
    assert (np.hypot(step["x"], step["y"]) / step["time"]).max() < 2.5


def hands_of_shoppers(day):
    return day.hands[day.hands["visit"].isin(day.visitors["visit"][day.visitors["kind"] == "shopper"])]


def test_every_take_follows_a_reach_for_the_same_cell(day):
    hands = hands_of_shoppers(day)
    before = hands.shift()
    takes = hands[hands["kind"] == "take"]
    assert len(takes) > 100 and (before.loc[takes.index, "kind"] == "reach").all()
    assert (before.loc[takes.index, ["visit", "cell"]] == takes[["visit", "cell"]]).all(axis=None)
    assert (hands[hands["kind"] == "return"]["cell"] == before.loc[hands["kind"] == "return", "cell"]).all()


def test_hands_are_within_reach_of_their_cell(day):
    hands = day.hands.merge(day.plan.cells[["cell", "x", "y"]], on="cell")
    for visit, rows in hands.groupby("visit"):
        way = day.ways[day.ways["visit"] == visit]
        where = [np.interp(rows["time"], way["time"], way[axis]) for axis in ("x", "y")]
        assert np.hypot(where[0] - rows["x"], where[1] - rows["y"]).max() < 0.8


@pytest.mark.parametrize("recording", [None, (0.7, 1.6)])
def test_the_funnel_narrows_and_kept_is_takes_less_returns(recording):
    day = simulate_store_day(shoppers=250, hours=2, groups=0.6, recording=recording, step=5.0, seed=5)
    stages = day.funnel[["passed", "stopped", "reached", "took", "kept", "bought"]].to_numpy(int)
    assert (np.diff(stages, axis=1) <= 0).all() and stages.sum(axis=0)[-1] > 30
    assert not day.funnel.duplicated(["visit", "cell"]).any()
    counts = day.hands.groupby(["visit", "cell"])["kind"].agg(
        lambda kinds: (kinds == "take").sum() - (kinds == "return").sum()
    )
    kept = day.funnel[day.funnel["kept"]]
    assert (counts.loc[list(zip(kept["visit"], kept["cell"], strict=True))] > 0).all()


def stays_by_sampling(time, inside, depth):
    """Stays as their definition says, from places every twentieth of a second; none where a threshold is too near."""
    edges = np.flatnonzero(np.diff(np.r_[0, inside.astype(int), 0]))
    runs = [[start, end] for start, end in zip(edges[::2], edges[1::2] - 1, strict=True)]
    stays = runs[:1]
    for start, end in runs[1:]:
        if time[start] - time[stays[-1][1]] <= 2.0:
            stays[-1][1] = end
        else:
            stays.append([start, end])
    told = [(time[start], time[end], depth[start : end + 1].max()) for start, end in stays]
    gaps = [time[start] - time[end] for (_, end), (start, _) in pairwise(runs)]
    near = [abs(gap - 2) < 0.11 for gap in gaps]
    near += [abs(end - start - 2) < 0.11 or abs(deep - 0.3) < 0.02 for start, end, deep in told]
    kept = [(start, end) for start, end, deep in told if end - start >= 2.0 or deep >= 0.3]
    return None if any(near) else np.array(kept).reshape(-1, 2)


def test_zone_visits_are_the_geometry_of_the_way():
    fine = simulate_store_day(shoppers=20, hours=0.4, step=0.05, staff=1, seed=3)
    points, compared, unclear = shapely.points(fine.tracks[["x", "y"]].to_numpy()), 0, 0
    for name, corners in fine.plan.zones.items():
        zone = shapely.Polygon(corners)
        inside = shapely.contains(zone, points)
        rows = fine.tracks.assign(inside=inside, depth=np.where(inside, shapely.distance(points, zone.exterior), 0))
        for visit, mine in rows[rows["inside"].groupby(rows["visit"]).transform("any")].groupby("visit"):
            found = stays_by_sampling(*mine[["time", "inside", "depth"]].to_numpy().T)
            if found is None:
                unclear += 1
                continue
            stays = fine.zone_visits.query("visit == @visit and zone == @name")
            np.testing.assert_allclose(stays[["enter", "leave"]], found, rtol=0, atol=0.06, err_msg=f"{visit} {name}")
            compared += 1
    assert compared > 60 and unclear < compared / 3


def test_occupancy_is_never_below_nobody_and_ends_with_who_is_inside(day):
    change = day.crossings.sort_values("time")["direction"].map({"in": 1, "out": -1}).cumsum()
    assert day.inside(0.0) == 0 and (change >= 0).all() and change.iloc[-1] == day.inside(day.recording[1]) > 0


def test_a_recording_within_the_day_cuts_both_ends():
    day = simulate_store_day(shoppers=250, hours=2, recording=(0.5, 1.5), seed=2)
    assert {"start", "end", "both", ""} >= set(day.visitors["censored"]) >= {"start", "end"}
    assert day.tracks["time"].between(1800, 5400).all() and day.crossings["time"].between(1800, 5400).all()
    change = day.crossings["direction"].map({"in": 1, "out": -1}).sum()
    assert day.inside(1800.0) + change == day.inside(5400.0)
    stays = day.zone_visits[day.zone_visits["enter"] == 1800]
    assert len(stays) and stays["censored"].isin(["start", "both"]).all()


def test_queue_times_are_in_order():
    day = simulate_store_day(shoppers=300, hours=3, step=5.0, seed=6)
    queue = day.queue
    done = queue.dropna(subset=["served"])
    assert len(done) > 100 and (done["wait"] == done["served"] - done["join"]).all() and (done["wait"] > 0).all()
    assert (done["left"].dropna() > done["served"][done["left"].notna()]).all()
    assert (queue["left"].dropna() > queue["join"][queue["left"].notna()]).all()
    assert queue["payer"].sum() == queue["visit"].map(day.visitors.set_index("visit")["group"]).nunique()
    gone = queue[queue["abandoned"]]
    assert len(gone) and (gone["wait"] == gone["left"] - gone["join"]).all()
    assert gone["served"].isna().all() and (gone["checkout"] == "").all()


def test_truth_does_not_depend_on_the_step():
    day, other = (simulate_store_day(shoppers=60, hours=1, step=step, seed=1) for step in (0.5, 2.0))
    for name in ("ways", "visitors", "crossings", "zone_visits", "hands", "funnel", "queue", "choices"):
        pd.testing.assert_frame_equal(getattr(day, name), getattr(other, name))
    assert day.groups == other.groups
    both = day.tracks.merge(other.tracks, on=["visit", "time"])
    assert len(both) > 3000 and np.allclose(both["x_x"], both["x_y"])


def test_each_store_has_a_day_of_its_own_in_whatever_order():
    settings = {"plan": make_plan(2, cells=3, checkouts=1), "shoppers": 10, "hours": 0.5, "staff": 1}
    days = dict(simulate_stores(3, seed=5, **settings))
    alone = simulate_store_day(seed=(5, 2), **settings)
    pd.testing.assert_frame_equal(days[2].tracks, alone.tracks)
    assert not days[0].tracks.equals(days[1].tracks)


def test_places_at_any_time_lie_on_the_way(day):
    rng = np.random.default_rng(0)
    who = rng.choice(day.visitors["visit"], 4000)
    ends = day.visitors.set_index("visit").loc[who]
    rows = pd.DataFrame({"visit": who, "time": rng.uniform(ends["first"], ends["last"])})
    placed = day.place(rows)
    for visit, mine in placed.groupby("visit"):
        way = day.ways[day.ways["visit"] == visit]
        for axis in ("x", "y"):
            np.testing.assert_allclose(mine[axis], np.interp(mine["time"], way["time"], way[axis]), atol=1e-6)
    pd.testing.assert_frame_equal(day.place(day.ways[["visit", "time"]]), day.ways)
    lost = day.place(pd.DataFrame({"visit": [0, 0, 10**6], "time": [-5.0, 1e7, 0.0]}))
    assert lost[["x", "y"]].isna().all(axis=None)
