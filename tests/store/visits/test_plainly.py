"""Our tables against the same ones in plain pandas, written down anew: on simulated days and on real ways."""

import os
from dataclasses import replace

import pytest

from benchmarks.store_days import check_same, contests, draw, see
from retailkit.datasets.by_rule import draw_boxes, draw_gates
from retailkit.datasets.recordings import read_recordings
from retailkit.simulate.visits import simulate_store_day
from retailkit.store.visits.layout import Layout

FAULTS = [(0.0, 0.0), (0.1, 0.1), (0.2, 0.3)]  # share of moments missed, jitter in metres


def compare(tracks, layout, without=()):
    sizes = {}
    for name, ours, plain, columns in contests(tracks, layout):
        if name in without:
            continue
        answer = ours()
        check_same(name, answer, plain(), columns.split())
        sizes[name] = len(answer)
    return sizes


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("missed", "jitter"), FAULTS)
def test_a_simulated_day_is_told_alike(seed, missed, jitter):
    day = simulate_store_day(shoppers=25, hours=1, step=0.2, seed=seed)
    seen = see(day.tracks, missed, jitter, seed)
    seen.loc[len(seen) // 2, "x"] += 40  # a jump for the quarantine
    seen.loc[len(seen) // 3, "y"] = float("nan")
    sizes = compare(seen, replace(draw(day), missed=max(missed, 0.05)))
    assert min(sizes.values()) >= 1 and sizes["check"] >= 2, "nothing is agreed on where there is nothing"


@pytest.mark.parametrize(("missed", "jitter"), FAULTS)
def test_real_ways_are_told_alike(missed, jitter):
    if not os.environ.get("RETAILKIT_DATA"):
        pytest.skip("real data is absent: set RETAILKIT_DATA to its folder")
    scene = next(scene for name in ("tracks_ucy", "tracks_eth") for scene in read_recordings(name) if len(scene.tracks))
    tracks = scene.tracks[["visit", "time", "x", "y"]]
    gate, zones = draw_gates(tracks)["gate 2"], draw_boxes(tracks)
    queue, *service = zones
    layout = Layout(lines={"gate": gate}, zones=zones, queue=queue, service=service)
    street = ["occupancy"]  # a street is not empty in the morning
    sizes = compare(see(tracks, missed, jitter, seed=1), layout, without=street)
    assert sizes["zone visits"] > 100 and sizes["groups"] > 50
