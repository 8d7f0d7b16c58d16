"""Long days in stretches: nobody twice, nobody lost, and nearly what the day as a whole says."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from retailkit.simulate.radio import SETTINGS, Setting, sense_day
from retailkit.store.fusion.attribution import BELIEFS, attribute
from retailkit.store.fusion.disk import TIMED, read_sensors, write_sensors
from retailkit.store.fusion.joint import Options, fuse
from retailkit.store.fusion.scoring import score_day
from retailkit.store.fusion.sensors import sensors_of
from retailkit.store.fusion.stretches import (
    Stretch,
    Told,
    cut_sensors,
    find_owners,
    fuse_long,
    fuse_stretch,
    join_stretches,
    plan_stretches,
)
from retailkit.store.fusion.truth import check_beliefs, truth_of

SMALL = Setting(
    shoppers=16.0, hours=0.2, aisles=2, cells=5, cameras={"missed": 0.1, "jitter": 0.1, "hand_confused": 0.1}
)
CUT = {"core": 240.0, "before": 150.0, "after": 60.0}


@pytest.fixture(scope="module")
def day():
    return sense_day(SMALL, seed=5)


@pytest.fixture(scope="module")
def sensors(day):
    return sensors_of(day)


@pytest.fixture(scope="module")
def told(sensors):
    return [fuse_stretch(sensors, stretch) for stretch in plan_stretches(sensors, **CUT)]


@pytest.fixture(scope="module")
def folder(sensors, tmp_path_factory):
    place = tmp_path_factory.mktemp("day")
    write_sensors(sensors, place)
    return place


def same_receipts(one: pd.DataFrame, other: pd.DataFrame) -> float:
    """Share of pieces charged that both charge alike (Dice 1945)."""
    both = one.merge(other, on=["shopper", "product"], how="outer", suffixes=("", "_other")).fillna(0)
    alike = np.minimum(both["quantity"], both["quantity_other"]).sum()
    return float(2 * alike / (both["quantity"] + both["quantity_other"]).sum())


def test_a_short_day_is_what_it_is_whole(sensors):
    whole, long = fuse(sensors), fuse_long(sensors)
    for one, other in zip(whole, long, strict=True):
        pd.testing.assert_frame_equal(one, other)


def test_stretches_add_up_to_the_day(day, sensors, told):
    assert len(told) >= 4
    found, whole = join_stretches(told), fuse(sensors)
    check_beliefs(found.beliefs)
    assert set(found.beliefs["shopper"]) <= set(day.truth.day.visitors["visit"])
    assert not found.receipts.duplicated(["shopper", "product"]).any()
    assert len(found.events) == len(whole.events)  # none twice, none lost
    assert found.events["time"].is_monotonic_increasing
    assert same_receipts(found.receipts, whole.receipts) > 0.9
    pd.testing.assert_frame_equal(fuse_long(sensors, **CUT).beliefs, found.beliefs)


def test_each_shopper_is_in_one_stretch(sensors, told):
    owners = find_owners(told)
    faces = pd.concat([sensors.entries, sensors.exits])["shopper"]
    assert owners.index.is_unique and set(owners.index) == set(faces)
    assert owners.nunique() > 1
    for row in sensors.exits.itertuples():
        stretch = told[owners[row.shopper]].stretch
        assert stretch.begin <= row.time < stretch.end
    beliefs = join_stretches(told).beliefs
    said = [one.found.beliefs[one.found.beliefs["shopper"].map(owners) == number] for number, one in enumerate(told)]
    tags = pd.concat([rows[~rows["item"].str.startswith("seen ")].assign(stretch=n) for n, rows in enumerate(said)])
    twice = tags[tags.groupby("item")["stretch"].transform("nunique") > 1]["item"]
    for number, rows in enumerate(said):  # what a stretch says of others is left aside, and tags are given away once
        kept = beliefs[beliefs["shopper"].map(owners) == number]
        assert (~kept["item"].isin(twice)).sum() == (~rows["item"].isin(twice)).sum()
    assert set(twice) <= set(beliefs["item"])


def test_things_without_a_tag_keep_apart(told):
    found = join_stretches(told).beliefs
    owners = find_owners(told)
    seen = found[found["item"].str.startswith("seen ")]
    assert len(seen) and seen.groupby("item")["shopper"].agg(lambda who: who.map(owners).nunique()).max() == 1


def test_from_disk_it_is_the_same(sensors, folder, told):
    pd.testing.assert_frame_equal(fuse_long(folder, **CUT).receipts, join_stretches(told).receipts)


@pytest.mark.slow
def test_processes_give_the_same(sensors, folder, told):
    expected = join_stretches(told)
    for source in (sensors, folder):
        for one, other in zip(fuse_long(source, workers=2, **CUT), expected, strict=True):
            pd.testing.assert_frame_equal(one, other)


def test_without_reads_cameras_and_plates_count(sensors):
    found = fuse_long(sensors, Options(reads=False), **CUT)
    check_beliefs(found.beliefs)
    assert found.beliefs["item"].str.startswith("seen ").all() and len(found.receipts)


@settings(deadline=None, max_examples=40)
@given(some.floats(30, 2000), some.floats(0, 500), some.floats(0, 500))
def test_cores_cover_the_day_once(sensors, core, before, after):
    plan = plan_stretches(sensors, core, before, after)
    assert plan[0].begin == -np.inf and plan[-1].end == np.inf
    assert all(one.end == other.begin for one, other in pairwise(plan))
    assert all(one.begin < one.end for one in plan)
    assert all(one.first == one.begin - before and one.last == one.end + after for one in plan)
    acts = pd.concat([sensors.hands["time"], sensors.plates["time"]])
    assert sum(((acts >= one.begin) & (acts < one.end)).sum() for one in plan) == len(acts)


def test_a_border_lies_where_hands_rest(sensors):
    acts = pd.concat([sensors.hands["time"], sensors.plates["time"]]).to_numpy()
    for stretch in plan_stretches(sensors, 300.0)[1:]:
        assert np.abs(acts - stretch.begin).min() > 0.5


def empty(sensors, *names):
    return sensors._replace(**{name: getattr(sensors, name).iloc[:0] for name in names})


@pytest.mark.parametrize(
    "lacking", [("reads",), ("tracks", "hands", "plates"), ("entries", "exits"), ("hands", "plates")]
)
def test_a_stretch_in_which_nothing_is_told(sensors, lacking):
    """The middle of the day has no reads, nobody in sight, nobody known, or no acts: the rest is as it was."""
    plan = plan_stretches(sensors, **CUT)
    quiet = empty(cut_sensors(sensors, plan[1]), *lacking)
    found = join_stretches(
        [fuse_stretch(quiet if number == 1 else sensors, stretch) for number, stretch in enumerate(plan)]
    )
    check_beliefs(found.beliefs)
    assert len(found.receipts)


def test_a_night_between_two_days_is_empty(sensors):
    later = {name: getattr(sensors, name).assign(time=getattr(sensors, name)["time"] + 5000.0) for name in TIMED}
    for name in ("tracks", "hands"):
        later[name]["visit"] += 10_000
    for name in ("entries", "exits"):
        later[name]["shopper"] += 10_000
    both = {name: pd.concat([getattr(sensors, name), later[name]], ignore_index=True) for name in TIMED}
    found = fuse_long(sensors._replace(**both), core=800.0, before=300.0, after=100.0)
    check_beliefs(found.beliefs)
    first, second = (found.receipts[(found.receipts["shopper"] >= 10_000) == late] for late in (False, True))
    assert len(first) and len(second)


def left(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["shopper", "time", "sure"])


def says(begin: float, end: float, *rows) -> Told:
    return Told(Stretch(begin, end, begin - 5, end + 5), attribute(pd.DataFrame(columns=BELIEFS)), left(*rows))


@pytest.mark.parametrize(
    ("first", "second", "owner"),
    [
        ((1, 8.0, True), (1, 9.0, True), 0),  # by the face at the exit
        ((1, 12.0, False), (1, 11.0, True), 1),
        ((1, 8.0, True), (1, 15.0, False), 0),  # a face is more than a track
        ((1, 8.0, False), (1, 15.0, False), 1),  # both think so: the later
        ((1, 12.0, False), (1, 9.0, False), 0),  # none does: who saw them last
    ],
)
def test_who_owns_whom(first, second, owner):
    assert find_owners([says(0, 10, first), says(10, 20, second)]).to_dict() == {1: owner}


def test_of_a_tag_given_away_twice_the_surer_stretch_is_believed():
    beliefs = [
        pd.DataFrame([("a", "tea", who, sure), (f"seen {who}", "tea", who, 1.0)], columns=BELIEFS)
        for who, sure in ((1, 0.8), (2, 0.7))
    ]
    parts = [
        says(0, 10, (1, 5.0, True))._replace(found=attribute(beliefs[0])),
        says(10, 20, (2, 15.0, True))._replace(found=attribute(beliefs[1])),
    ]
    found = join_stretches(parts)
    assert found.beliefs["probability"].tolist() == pytest.approx([0.8, 1.0, 1.0])
    assert found.receipts["quantity"].tolist() == [2, 1]


def test_parts_of_a_day_on_disk(sensors, folder):
    plan = plan_stretches(folder, **CUT)
    assert plan == plan_stretches(sensors, **CUT)
    part, expected = read_sensors(folder, *plan[1][2:]), cut_sensors(sensors, plan[1])
    for name in TIMED:
        one, other = getattr(part, name), getattr(expected, name).reset_index(drop=True)
        pd.testing.assert_frame_equal(one, other, check_categorical=False, check_dtype=False)
    assert {name: np.asarray(at).tolist() for name, at in sensors.zones.items()} == part.zones


def test_reads_that_no_part_would_hold_are_refused(sensors, tmp_path):
    time = sensors.reads["time"].to_numpy(float).copy()
    time[7] = np.nan
    with pytest.raises(ValueError, match="time of read 8 is nan"):
        write_sensors(sensors._replace(reads=sensors.reads.assign(time=time)), tmp_path)
    time[7] = 9000.0
    with pytest.raises(ValueError, match="time of read 8 is 9000"):
        write_sensors(sensors._replace(reads=sensors.reads.assign(time=time)), tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"workers": 0}, "workers is 0"), ({"core": 0}, "are 0, 600 and 120 s"), ({"before": -1}, "are 3600, -1 and")],
)
def test_what_cannot_be_is_refused(sensors, settings, message):
    with pytest.raises(ValueError, match=message):
        fuse_long(sensors, **settings)


def test_a_folder_without_a_day(tmp_path):
    with pytest.raises(FileNotFoundError):
        fuse_long(tmp_path / "nowhere")


@pytest.mark.slow
def test_a_day_of_seventy_minutes_is_nearly_the_same():
    """Three days in the setting 'strangers', in three stretches and whole."""
    alike, right = [], []
    for seed in (1000, 1001, 1002):
        day = sense_day(replace(SETTINGS["strangers"], hours=1.2, shoppers=96.0), seed)
        sensors, truth = sensors_of(day), truth_of(day)
        whole, long = fuse(sensors), fuse_long(sensors, core=1600.0)
        check_beliefs(long.beliefs)
        assert abs(len(whole.events) - len(long.events)) <= 1
        alike.append(same_receipts(whole.receipts, long.receipts))
        rows = [score_day(found, truth).query("measure == 'attribution'").iloc[0] for found in (whole, long)]
        right.append([row["numerator"] / row["denominator"] for row in rows])
    print(np.round(alike, 3), np.round(right, 3).tolist())
    assert np.mean(alike) > 0.94
    assert np.diff(np.mean(right, axis=0))[0] > -0.03
