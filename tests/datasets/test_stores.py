"""A store's recording by name: simulated, a scene of a recording, or a folder of one's own; each mistake is named."""

import json
import os

import numpy as np
import pandas as pd
import pytest

from retailkit.datasets import DataError
from retailkit.datasets.stores import load_store
from retailkit.lab.intervals import Estimate
from retailkit.store.visits import as_estimate, beside_truth, check_tracks, check_zones

PLAN = {
    "lines": {"door": [[0, 0], [2, 0]]}, "zones": {"bay": [[0, 1], [2, 1], [2, 3], [0, 3]]},
    "queue": "bay", "checkouts": [], "opens": 0, "closes": 600, "counted_until": 200,
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """A folder of one's own: two who walk, one of whom is noted, a plan."""
    rows = [(visit, step * 0.4, 1.0, step * 0.3 - 2) for visit in (1, 2) for step in range(20)]
    pd.DataFrame(rows, columns=["visit", "time", "x", "y"]).to_csv(tmp_path / "tracks.csv", index=False)
    pd.DataFrame({"time": [0.0]}).to_csv(tmp_path / "counted.csv", index=False)
    (tmp_path / "plan.json").write_text(json.dumps(PLAN))
    return tmp_path


def test_a_simulated_day_is_the_same_for_the_same_seed():
    small = {"visits": 12, "hours": 0.5}
    one, same, other = (load_store(seed=seed, simulated=small) for seed in (1, 1, 2))
    assert one.digest == same.digest != other.digest
    assert {"visit", "time", "x", "y"} <= set(one.tracks) and one.profile()["hours"] == 0.5
    assert set(one.truth) >= {"crossings", "zone_visits", "queue", "visitors"} and len(one.counted)
    check_zones(one.zones)
    assert len(check_tracks(one.tracks)[0])


def test_figures_stand_beside_the_truth_where_somebody_knows_it(folder):
    day = load_store(seed=1, simulated={"visits": 12, "hours": 0.5})
    ways_in = float((day.truth["crossings"]["direction"] == "in").sum())
    found = {"ways in": Estimate(ways_in, ways_in - 1, ways_in + 1), "of no kind": Estimate(1, 0, 2)}
    table = beside_truth(found, day).set_index("figure")
    assert table.loc["ways in", "held"] == "yes" and table.loc["ways in", "truth"] == ways_in
    assert table.loc["of no kind", "held"] == ""
    wrong = beside_truth({"ways in": Estimate(ways_in + 5, ways_in + 4, ways_in + 6)}, day)
    assert wrong["held"].tolist() == ["no"]
    assert beside_truth(found, load_store(folder))["held"].tolist() == ["", ""]


def test_a_row_of_a_table_is_an_estimate():
    table = pd.DataFrame({"line": ["a", "b"], "value": [1.0, 2.0], "low": [0.0, 1.0], "high": [2.0, 3.0]})
    assert as_estimate(table, line="b") == Estimate(2.0, 1.0, 3.0)
    assert np.isnan(as_estimate(table, line="c").value)
    with pytest.raises(ValueError, match="2 rows"):
        as_estimate(table)


def test_a_folder_of_ones_own(folder):
    store = load_store(folder)
    assert store.lines["door"] == ((0.0, 0.0), (2.0, 0.0)) and store.zones["bay"][2] == (2.0, 3.0)
    assert (store.opens, store.closes, store.counted, store.counted_until) == (0.0, 600.0, (0.0,), 200)
    assert not store.truth and store.hands.empty and store.queue == "bay"
    tracks = store.tracks
    (folder / "tracks.csv").unlink()
    tracks.to_parquet(folder / "tracks.parquet")
    assert load_store(folder).digest == store.digest


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda home: (home / "plan.json").unlink(), "has no plan.json"),
        (lambda home: (home / "plan.json").write_text("{"), "plan.json: JSONDecodeError"),
        (lambda home: (home / "plan.json").write_text('{"lines": {}}'), "lines and zones is needed"),
        (lambda home: (home / "tracks.csv").unlink(), "neither tracks.csv nor"),
        (lambda home: (home / "tracks.csv").write_text("visit,time,x\n1,2,3\n"), "no column y; it has visit, time, x"),
    ],
)
def test_a_folder_that_is_not_what_it_should_be_is_named(folder, break_it, message):
    break_it(folder)
    with pytest.raises(DataError, match=message):
        load_store(folder)


def test_unknown_settings_and_names_are_refused():
    with pytest.raises(DataError, match=r"simulator of simulated_store.*'shops'"):
        load_store(simulated={"shops": 3})
    with pytest.raises(DataError, match="simulated_stor"):
        load_store("simulated_stor")


def test_a_scene_gets_gates_and_boxes_by_rule():
    if not os.environ.get("RETAILKIT_DATA"):
        pytest.skip("real data is absent: set RETAILKIT_DATA to its folder")
    store = load_store("tracks_ucy/zara01")
    assert list(store.lines) == ["gate 1", "gate 2", "gate 3"] and len(store.zones) == 6
    check_zones(store.zones)
    assert "drawn by rule" in store.note and 0 < len(store.counted) < store.tracks["visit"].nunique()


def test_long_keys_stay_apart_where_one_is_missing(folder):
    tracks = pd.read_csv(folder / "tracks.csv").assign(visit=lambda rows: (rows["visit"] + 2**61).astype("Int64"))
    tracks.loc[3, "visit"] = pd.NA
    tracks.to_csv(folder / "tracks.csv", index=False)
    good, wrong = check_tracks(load_store(folder).tracks)
    assert set(good["visit"]) == {2**61 + 1, 2**61 + 2} and wrong["problem"].tolist() == ["no visit"]
