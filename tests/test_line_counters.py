"""The peers that count lines run as they are: their own classes, and what they get wrong."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("supervision")

import walkers

from benchmarks import line_counters
from benchmarks.line_counters import CASES, compare_cases, compare_counters, count_ours, each

LINE = ((0.0, -2.0), (0.0, 2.0))


def crowd(number: int = 40, seed: int = 0) -> pd.DataFrame:
    """People who walk along x, in both directions, one after the other."""
    rng = np.random.default_rng(seed)
    ways = [
        walkers.straight((-4, y), (4, y), visit=visit, begin=2.0 * visit, step=0.4)
        for visit, y in enumerate(rng.uniform(-1, 1, number))
    ]
    turned = [way.assign(x=-way["x"]) if number % 3 else way for number, way in enumerate(ways)]
    return pd.concat(turned, ignore_index=True)


@pytest.mark.parametrize("name", list(line_counters.COUNTERS))
def test_straight_ways_are_counted_alike_by_all(name):
    count, _ = line_counters.COUNTERS[name]
    tracks = crowd(15)
    for line in (LINE, LINE[::-1], ((-1, -2), (1, 2))):
        assert count(tracks, [line]) == pytest.approx(each(count_ours, tracks, [line]), abs=0.5)


def test_directions_of_ultralytics_are_those_of_the_picture():
    """On a line at 45 degrees whoever walks level goes out, whichever way."""
    counts = line_counters.count_ultralytics(crowd(15), ((-2.0, -2.0), (2.0, 2.0)))
    assert 0 in counts.values() and sum(counts.values()) == 15


def test_who_gets_which_case_right():
    wrong = compare_cases().query("not right").groupby("counter")["case"].apply(set)
    assert "retailkit" not in wrong
    ways_back, grazes = {"in and back out", "in, out and in again"}, {"a graze", "a longer graze"}
    assert wrong["ultralytics ObjectCounter"] == ways_back | grazes
    assert wrong["supervision LineZone"] == grazes | {"through, dithering on the line"}
    assert wrong["supervision LineZone, threshold 2"] == {"a longer graze"}
    assert len(compare_cases()) == 4 * len(CASES)


def test_what_is_shown_to_ultralytics_is_what_its_own_process_sees(monkeypatch):
    """The whole class, picture and all, with the tracks put where its tracker's answer would be."""
    tracks = crowd(6).assign(x=lambda rows: 100 + 10 * rows["x"], y=lambda rows: 100 + 10 * rows["y"])
    line = ((100.0, 80.0), (100.0, 120.0))
    counter = line_counters._object_counter(line)
    counter.region_initialized = True
    for visits, feet in line_counters._moments(tracks):
        import torch

        def give(picture, visits=visits, feet=feet):
            counter.boxes = torch.tensor(np.hstack([feet - 0.01, feet + 0.01]))
            counter.track_ids, counter.clss, counter.confs = visits.tolist(), [0] * len(visits), [0.9] * len(visits)

        monkeypatch.setattr(counter, "extract_tracks", give)
        counter.process(np.zeros((200, 200, 3), dtype=np.uint8))
    ours = line_counters.count_ultralytics(tracks, line)
    assert {counter.in_count, counter.out_count} == set(ours.values()) and sum(ours.values()) == 6


def test_a_table_has_each_counter_and_direction_with_its_interval():
    settings = {"broken": 0.0, "swapped": 0.0, "progress": False}
    table = compare_counters({"corridor": crowd(20)}, seeds=range(3), **settings)
    assert len(table) == 3 * len(line_counters.COUNTERS)
    assert ((table["low"] <= table["bias"]) & (table["bias"] <= table["high"])).all()
    ours = table[(table["counter"] == "retailkit") & (table["direction"] == "both")].iloc[0]
    assert ours["truth"] == 60 and abs(ours["bias"]) < 0.05
    alone = compare_counters({"corridor": crowd(20)}, seeds=[1], counters=["retailkit"], **settings)
    assert alone["low"].isna().all(), "one copy has no interval"
