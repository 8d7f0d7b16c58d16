"""From zone to zone, over the floor, along which ways, and when."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from walkers import straight, walk

from retailkit.lab.intervals import Estimate, coverage, wilson
from retailkit.store.visits.flow import common_paths, heat_map, peak_hours, zone_flow

MATRIX = {"a": {"b": 0.5, "c": 0.2, "(out)": 0.3}, "b": {"a": 0.4, "(out)": 0.6}, "c": {"b": 0.9, "(out)": 0.1}}


def journeys(rng: np.random.Generator, people: int) -> pd.DataFrame:
    """Draw people who go from zone to zone by chance, as a Markov chain."""
    rows = []
    for visit in range(people):
        zone, time = "a", 0.0
        while zone != "(out)":
            rows.append((visit, zone, time))
            zone, time = rng.choice(list(MATRIX[zone]), p=list(MATRIX[zone].values())), time + rng.uniform(5, 50)
    return pd.DataFrame(rows, columns=["visit", "zone", "enter"])


def test_the_order_of_rows_does_not_matter():
    ways = journeys(np.random.default_rng(0), 30)
    assert zone_flow(ways.sample(frac=1, random_state=1)).equals(zone_flow(ways))


def test_all_who_come_to_a_zone_leave_it():
    flow = zone_flow(journeys(np.random.default_rng(1), 200))
    came, left = flow.groupby("end")["count"].sum(), flow.groupby("start")["count"].sum()
    for zone in MATRIX:
        assert came[zone] == left[zone]
    assert came["(out)"] == left["(in)"] == 200
    assert np.allclose(flow.groupby("start")["share"].sum(), 1)
    assert (flow["low"] <= flow["share"]).all() and (flow["share"] <= flow["high"]).all()
    assert (flow["visits"] <= flow["count"]).all()


def test_shares_of_a_chain_are_held():
    """100 samples of 100 people."""
    rng, held = np.random.default_rng(2), []
    for _ in range(100):
        flow = zone_flow(journeys(rng, 100)).set_index(["start", "end"])
        for start, end in (("a", "b"), ("b", "a"), ("c", "b")):
            low, high = flow.loc[(start, end), ["low", "high"]]
            held.append(low <= MATRIX[start][end] <= high)
    share = wilson(sum(held), len(held))
    print(f"{share} of {len(held)} intervals")
    assert 0.92 <= share.value <= 0.98


def test_one_who_goes_round_and_round_is_one():
    ways = pd.DataFrame(
        {"visit": [1] * 40 + [2, 2, 3, 3], "zone": ["a", "b"] * 20 + ["a", "c"] * 2, "enter": range(44)}
    )
    flow = zone_flow(ways).set_index(["start", "end"]).loc[("a", "b")]
    assert (flow["count"], flow["visits"]) == (20, 1) and flow["low"] < 0.4


def test_paths_are_counted_once_a_person():
    ways = journeys(np.random.default_rng(3), 400)
    paths = common_paths(ways, steps=2, top=20).set_index("path")
    sequence = ways.groupby("visit")["zone"].agg(" > ".join)
    for path, row in paths.iterrows():
        assert row["visits"] == sequence.str.contains(f"(?:^|> ){path}(?:$| >)").sum()
        assert row["low"] < row["share"] == row["visits"] / 400 < row["high"]
    assert paths["visits"].is_monotonic_decreasing
    assert common_paths(ways, steps=2, top=1).shape[0] == 1 and common_paths(ways[:0]).empty


def test_pieces_of_floor_share_out_all_the_time():
    tracks = pd.concat([straight((0, 0), (9, 4), visit=1), straight((3, 5), (3, -5), visit=2)], ignore_index=True)
    heat = heat_map(tracks, cell=0.5)
    spent = tracks.groupby("visit")["time"].agg(np.ptp).sum()
    assert heat["seconds"].sum() == pytest.approx(spent) and np.allclose(heat["density"], heat["seconds"] / 0.25)
    assert heat["visits"].max() == 2 and (heat["low"] <= heat["density"]).all()
    assert (heat["density"] <= heat["high"]).all()
    assert not heat.duplicated(["x", "y"]).any() and np.allclose(heat["x"] % 0.5, 0.25)


@settings(max_examples=40, deadline=None)
@given(some.integers(0, 10_000))
def test_it_is_a_plain_sum(seed):
    rng = np.random.default_rng(seed)
    tracks = pd.concat([walk(*rng.uniform(-3, 3, (20, 2)), visit=visit) for visit in range(4)], ignore_index=True)
    heat = heat_map(tracks, cell=1.0, extent=(-2, -1, 2, 3))
    step = tracks.groupby("visit")["time"].diff()
    tracks["seconds"] = (
        step.fillna(0) + step.shift(-1).where(tracks["visit"] == tracks["visit"].shift(-1)).fillna(0)
    ) / 2
    assert len(heat) == 16
    for row in heat.itertuples():
        here = tracks[(np.floor(tracks["x"]) + 0.5 == row.x) & (np.floor(tracks["y"]) + 0.5 == row.y)]
        assert row.seconds == pytest.approx(here["seconds"].sum()) and row.visits == here["visit"].nunique()


def test_a_group_is_one_where_it_is_known():
    together = pd.concat([walk(*[(0.2, 0.2)] * 10, visit=visit) for visit in range(6)], ignore_index=True)
    alone, paired = heat_map(together), heat_map(together, groups=[(0, 1, 2), (3, 4, 5)])
    assert np.allclose(alone["seconds"], paired["seconds"]) and alone["visits"].equals(paired["visits"])
    assert (paired["high"] > alone["high"]).all() and (paired["low"] < alone["low"]).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": 0}, "cell is 0"),
        ({"cell": 0.0001}, "over four million: are x and y in metres"),
        ({"extent": (0, 0, 0, 1)}, "extent is .0, 0, 0, 1."),
    ],
)
def test_what_is_no_grid_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        heat_map(straight((0, 0), (9, 9)), **options)


def test_nobody_leaves_no_trace():
    nobody = straight((0, 0), (1, 0))[:0]
    assert heat_map(nobody).empty and (heat_map(nobody, cell=1, extent=(0, 0, 2, 2))["seconds"] == 0).all()
    assert peak_hours(nobody).empty and zone_flow(journeys(np.random.default_rng(0), 1)[:0]).empty


def test_arrivals_are_counted_by_the_hour():
    came = pd.DataFrame({"visit": [1, 1, 2, 3, 4], "time": [9.5, 99.0, 10.2, 9.9, 33.5]})
    hours = peak_hours(came.assign(time=came["time"] * 3600), days=2)
    assert hours["start"].tolist() == [9 * 3600, 10 * 3600] and hours["count"].tolist() == [3, 1]
    assert hours["arrivals"].tolist() == [1.5, 0.5] and hours["busiest"].sum() == pytest.approx(1)
    assert (hours["low"] <= hours["arrivals"]).all() and (hours["arrivals"] <= hours["high"]).all()
    crossings = pd.DataFrame({"time": [0.0, 1.0, 9.0], "direction": ["in", "out", "in"]})
    assert peak_hours(crossings)["count"].tolist() == [2]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"period": 5000}, "period is 5000"), ({"days": 1}, "days is 1, but there are .* on 2 days")],
)
def test_days_and_periods_must_fit(options, message):
    with pytest.raises(ValueError, match=message):
        peak_hours(pd.DataFrame({"visit": [1, 2], "time": [0.0, 90_000.0]}), **options)


@pytest.mark.parametrize("swing", [0.0, 0.5], ids=["days alike", "days that differ"])
def test_hours_are_held(swing):
    """300 weeks; 12 parties of 1 to 3 an hour are expected, and twice as many in the third hour."""
    rng, held = np.random.default_rng(5), []
    mean = np.array([12, 12, 24, 12]) * 1.4
    for _ in range(300):
        factor = rng.gamma(1 / swing**2, swing**2, 7) if swing else np.ones(7)
        parties = rng.poisson(np.array([12, 12, 24, 12]) * factor[:, None])
        start = np.repeat(np.arange(7) * 86_400, parties.sum(axis=1)) + 3600 * np.repeat(
            np.tile(range(4), 7), parties.ravel()
        )
        begin = start + rng.uniform(0, 3600, len(start))
        time = np.repeat(begin, rng.choice([1, 2, 3], len(begin), p=[0.7, 0.2, 0.1]))
        hours = peak_hours(pd.DataFrame({"visit": range(len(time)), "time": time}))
        held += [Estimate(*row) for row in hours[["arrivals", "low", "high"]].to_numpy()]
        assert hours["busiest"].idxmax() == 2
    share = wilson(int(sum(coverage(held[hour::4], mean[hour])[0].value * 300 for hour in range(4)) + 0.5), 1200)
    print(f"swing {swing}: {share} of 1,200 intervals")
    assert 0.92 <= share.value <= 0.985
