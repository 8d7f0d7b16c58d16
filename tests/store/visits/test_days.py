"""A day to all tables, and many days to files: nothing is lost, one that fails costs the others nothing."""

import os
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from walkers import straight

from retailkit.store.visits import (
    Layout,
    check_tracks,
    clean_tracks,
    find_crossings,
    find_zone_visits,
    peak_hours,
    read_days,
    summaries,
    summarise_day,
    summarise_days,
    zone_flow,
)
from retailkit.store.visits.day import TABLES

DOOR = ((1.0, -2.0), (1.0, 2.0))
ZONES = {
    "milk": [(2, -2), (4, -2), (4, 2), (2, 2)],
    "line": [(5, -2), (7, -2), (7, 2), (5, 2)],
    "till": [(7, -2), (8, -2), (8, 2), (7, 2)],
}
LAYOUT = Layout(lines={"door": DOOR}, zones=ZONES, queue="line", service="till")


def shop(people: int = 6, seed: int = 0, step: float = 0.2) -> pd.DataFrame:
    """People who walk through all zones, one after the other, in the order of time."""
    rng = np.random.default_rng(seed)
    ways = [
        straight((0, y), (10, y), speed=0.5, visit=visit, begin=25.0 * visit, step=step)
        for visit, y in enumerate(rng.uniform(-1, 1, people))
    ]
    return pd.concat(ways).sort_values("time", kind="stable").reset_index(drop=True)


def short(path: Path) -> pd.DataFrame:
    return pd.read_csv(path).head(200)


def die() -> pd.DataFrame:
    os._exit(3)


def fail() -> pd.DataFrame:
    raise RuntimeError("the camera's disk is gone")


def test_a_day_has_the_tables_of_its_verbs():
    tracks = shop()
    tables = summarise_day(tracks, LAYOUT)
    assert tuple(tables) == TABLES and not len(tables["quarantine"])
    ways = clean_tracks(check_tracks(tracks)[0])
    stays, passed = find_zone_visits(ways, ZONES), find_crossings(ways, DOOR)
    pd.testing.assert_frame_equal(tables["zone_visits"], stays)
    pd.testing.assert_frame_equal(tables["crossings"].drop(columns="line"), passed, check_dtype=False)
    pd.testing.assert_frame_equal(tables["flow"], zone_flow(stays))
    pd.testing.assert_frame_equal(tables["hours"], peak_hours(passed))
    assert tables["visits"]["rows"].sum() == len(tracks) and (tables["visits"]["pieces"] == 1).all()
    assert len(tables["queue"]) == 6 and tables["waiting"]["length"].sum() > 0
    assert tables["occupancy"]["counted"].max() >= 1 and tables["heat"]["seconds"].sum() > 60
    assert set(tables["groups"]["visit"]) == set(range(6))


@pytest.mark.parametrize(
    "name",
    [lambda visit: f"w-{visit:02d}", lambda visit: visit + 2**61, lambda visit: visit / 2, lambda visit: visit - 3],
    ids=["words", "long numbers", "halves", "below zero"],
)
def test_visits_keep_the_names_that_they_came_with(name):
    tracks = shop()
    named = tracks.assign(visit=tracks["visit"].map(name))
    here, there = summarise_day(tracks, LAYOUT), summarise_day(named, LAYOUT)
    for table in ("visits", "crossings", "zone_visits", "groups", "queue"):
        assert here[table]["visit"].map(name).tolist() == there[table]["visit"].tolist()
        rest = [column for column in here[table] if column != "visit"]
        pd.testing.assert_frame_equal(here[table][rest], there[table][rest])


def test_what_cannot_be_is_in_the_quarantine_under_its_own_name():
    tracks = shop().assign(visit=lambda rows: "w" + rows["visit"].astype(str))
    tracks.loc[7, "x"] = np.inf
    wrong = summarise_day(tracks, LAYOUT)["quarantine"]
    assert wrong[["row", "visit", "problem"]].values.tolist() == [[8, "w0", "x is not a number"]]


@pytest.mark.parametrize(
    ("layout", "empty"),
    [
        (Layout(), {"quarantine", "crossings", "zone_visits", "flow", "occupancy", "queue", "waiting"}),
        (Layout(zones=ZONES), {"quarantine", "crossings", "occupancy", "queue", "waiting"}),
        (Layout(lines={"door": DOOR}), {"quarantine", "zone_visits", "flow", "queue", "waiting"}),
        (Layout(lines={"far": ((90, 0), (90, 1))}, zones={"far": [(90, 0), (91, 0), (91, 1)]}, queue="far"),
         {"quarantine", "crossings", "zone_visits", "flow", "hours", "occupancy", "queue", "waiting"}),
    ],
)  # fmt: skip
def test_what_the_layout_lacks_is_empty(layout, empty):
    tables = summarise_day(shop(), layout)
    assert {name for name, table in tables.items() if not len(table)} == empty


def test_one_door_may_be_named_without_a_list():
    one, several = (summarise_day(shop(), Layout(lines={"door": DOOR}, doors=doors)) for doors in ("door", ["door"]))
    pd.testing.assert_frame_equal(one["occupancy"], several["occupancy"])
    assert len(one["hours"]) and not len(summarise_day(shop(), Layout(lines={"door": DOOR}, doors=[]))["occupancy"])


def test_a_category_without_a_key_is_set_aside_like_any_other():
    tracks = shop().assign(visit=lambda rows: rows["visit"].astype("category"))
    tracks.loc[3, "visit"] = None
    tables = summarise_day(tracks, LAYOUT)
    assert tables["quarantine"]["problem"].tolist() == ["no visit"] and len(tables["visits"]) == 6


def test_a_day_without_anybody_has_empty_tables():
    assert all(not len(table) for table in summarise_day(shop()[:0], LAYOUT).values())


def test_a_day_that_cannot_be_read_says_why():
    with pytest.raises(ValueError, match="tracks has no column y; it has visit, time, x"):
        summarise_day(shop().drop(columns="y"), LAYOUT)


@pytest.mark.parametrize("workers", [1, 2])
def test_days_go_to_files_and_come_back(tmp_path, workers):
    shop(4).to_csv(tmp_path / "monday.csv", index=False)
    shop(5).to_parquet(tmp_path / "tuesday.parquet")
    shop(6).to_feather(tmp_path / "tuesday.feather")
    days = [
        ("Bonn/1", "Monday", tmp_path / "monday.csv"),
        ("Bonn/1", "Tuesday", str(tmp_path / "tuesday.parquet")),
        ("Köln", "Tuesday", tmp_path / "tuesday.feather"),
        ("Köln", "Monday", shop(3)),
        ("Köln", "Sunday", partial(short, tmp_path / "monday.csv")),
    ]
    told = summarise_days(days, LAYOUT, tmp_path / "out", workers=workers, progress=False)
    assert (told["problem"] == "").all() and not told["kept"].any()
    visits = told.set_index(["store", "day"])["visits"].to_dict()
    assert visits == {
        ("Bonn/1", "Monday"): 4, ("Bonn/1", "Tuesday"): 5, ("Köln", "Tuesday"): 6, ("Köln", "Monday"): 3,
        ("Köln", "Sunday"): 2,
    }  # fmt: skip
    stays = read_days(tmp_path / "out", "zone_visits")
    assert list(stays)[:3] == ["store", "day", "visit"] and len(stays) == len(
        stays.drop_duplicates(["store", "day", "visit", "enter"])
    )
    alone = summarise_day(shop(5), LAYOUT)["zone_visits"]
    kept = stays[(stays["store"] == "Bonn/1") & (stays["day"] == "Tuesday")].drop(columns=["store", "day"])
    pd.testing.assert_frame_equal(kept.reset_index(drop=True), alone)
    assert read_days(tmp_path / "out", "days")["points"].sum() == told["points"].sum()


def test_one_that_fails_costs_the_others_nothing(tmp_path):
    drawn = {"here": LAYOUT, "ends": LAYOUT, "fails": LAYOUT, "short": LAYOUT, "odd": LAYOUT}
    days = [
        ("here", 1, shop(3)),
        ("ends", 1, die),
        ("fails", 1, fail),
        ("short", 1, shop(3).drop(columns="x")),
        ("odd", 1, tmp_path / "tracks.xlsx"),
        ("gone", 1, shop(3)),
        ("here", 1, shop(4)),
        ("here", 2, shop(2)),
    ]
    told = summarise_days(days, drawn, tmp_path, workers=2, progress=False)
    problems = {(row.store, row.day, row.points): row.problem for row in told.itertuples()}
    good = {key for key, problem in problems.items() if problem == ""}
    assert {key[:2] for key in good} == {("here", 1), ("here", 2)} and len(told) == len(days)
    text = " | ".join(told["problem"])
    for part in (
        "its process was ended: was memory short?",
        "RuntimeError: the camera's disk is gone",
        "quarantine: ValueError: tracks has no column x",
        "tracks are read from .parquet, .feather, .arrow and .csv",
        "there is no layout of store 'gone'",
        "store 'here' and day 1 were given before",
    ):
        assert part in text
    assert set(read_days(tmp_path, "visits")["store"]) == {"here"}


def test_a_second_call_goes_on_where_the_first_was_stopped(tmp_path):
    shop(3).to_csv(tmp_path / "a.csv", index=False)
    shop(4).to_csv(tmp_path / "b.csv", index=False)
    days = [("a", 1, tmp_path / "a.csv"), ("b", 1, tmp_path / "b.csv"), ("c", 1, fail)]

    def again(layout: Layout = LAYOUT, **options: bool) -> list[bool]:
        told = summarise_days(days, layout, tmp_path / "out", progress=False, **options)
        return told.set_index("store")["kept"].loc[["a", "b", "c"]].tolist()

    assert again() == [False, False, False]
    assert again() == [True, True, False], "what failed is tried again"
    assert again(again=True) == [False, False, False]
    shop(5).to_csv(tmp_path / "b.csv", index=False)
    assert again() == [True, False, False]
    assert again(Layout(lines={"door": DOOR})) == [False, False, False]
    assert not len(read_days(tmp_path / "out", "zone_visits")), "no table of the former drawing is left"


@pytest.mark.parametrize("left", [None, b"", b"half a ta"])
def test_what_was_cut_off_in_the_middle_is_left_out_and_done_anew(tmp_path, left):
    days = [("a", 1, shop(3)), ("b", 1, shop(2))]
    summarise_days(days, LAYOUT, tmp_path, progress=False)
    mark = tmp_path / "days" / "a__1.parquet"
    mark.unlink() if left is None else mark.write_bytes(left)
    (tmp_path / "visits" / "a__1.parquet").with_suffix(".77.partial").write_text("half a ta")
    if left is None:
        assert read_days(tmp_path, "visits")["store"].tolist() == ["b"] * 2
    assert summarise_days(days, LAYOUT, tmp_path, progress=False)["kept"].sum() == 1
    assert sorted(read_days(tmp_path, "visits")["store"]) == ["a"] * 3 + ["b"] * 2


def test_tables_stay_where_tracks_are_gone(tmp_path):
    shop(3).to_csv(tmp_path / "a.csv", index=False)
    days = [("a", 1, tmp_path / "a.csv")]
    summarise_days(days, LAYOUT, tmp_path / "out", progress=False)
    (tmp_path / "a.csv").unlink()
    (told,) = summarise_days(days, LAYOUT, tmp_path / "out", progress=False)["problem"]
    assert told.startswith("FileNotFoundError") and len(read_days(tmp_path / "out", "visits")) == 3


def test_a_file_that_changes_meanwhile_is_done_anew(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    shop(3).to_csv(path, index=False)
    read = summaries._read

    def slow(source):
        tracks = read(source)
        shop(4).to_csv(path, index=False)
        return tracks

    monkeypatch.setattr(summaries, "_read", slow)
    assert summarise_days([("a", 1, path)], LAYOUT, tmp_path / "out", progress=False)["visits"].tolist() == [3]
    monkeypatch.undo()
    (again,) = summarise_days([("a", 1, path)], LAYOUT, tmp_path / "out", progress=False).itertuples()
    assert not again.kept and again.visits == 4


def test_no_two_store_days_share_a_file(tmp_path):
    names = [("a__b", "c"), ("a", "b__c"), ("a/b", "c"), ("a%2Fb", "c"), ("a_", "_b")]
    for number, (store, day) in enumerate(names, start=1):
        told = summarise_days([(store, day, shop(number))], LAYOUT, tmp_path, progress=False)
        assert told["visits"].tolist() == [number] and not told["kept"].any()
    assert len(read_days(tmp_path, "days")) == len(names)


@pytest.mark.parametrize("kind", ["csv", "parquet", "feather"])
def test_long_keys_stay_apart_where_one_is_missing(tmp_path, kind):
    tracks = shop(2).assign(visit=lambda rows: (rows["visit"] + 2**61).astype("Int64"))
    tracks.loc[5, "visit"] = pd.NA
    path = tmp_path / f"a.{kind}"
    tracks.to_csv(path, index=False) if kind == "csv" else getattr(tracks, f"to_{kind}")(path)
    told = summarise_days([("a", 1, path)], LAYOUT, tmp_path / "out", progress=False)
    assert told[["problem", "visits", "set_aside"]].values.tolist() == [["", 2, 1]]
    assert read_days(tmp_path / "out", "visits")["visit"].tolist() == [2**61, 2**61 + 1]


def test_a_store_that_was_closed_is_no_problem(tmp_path):
    shop(2)[:0].to_csv(tmp_path / "a.csv", index=False)
    told = summarise_days([("a", 1, tmp_path / "a.csv")], LAYOUT, tmp_path / "out", progress=False)
    assert told[["problem", "points", "visits"]].values.tolist() == [["", 0, 0]]


class Breaks(ThreadPoolExecutor):
    """An executor whose second task takes it down."""

    handed = 0

    def submit(self, *task, **options):
        self.handed += 1
        if self.handed == 2:
            future = Future()
            future.set_exception(BrokenExecutor("gone"))
            return future
        return super().submit(*task, **options)


def test_an_executor_that_breaks_leaves_a_row_for_each(tmp_path):
    days = [(number, 1, shop(2)) for number in range(6)]
    with Breaks(1) as threads:
        told = summarise_days(days, LAYOUT, tmp_path, executor=threads, progress=False)
    assert sorted(told["store"]) == list(range(6))
    assert told["problem"].value_counts().to_dict() == {
        "": 1, "its process was ended: was memory short?": 1, "not begun, since the executor broke before": 4
    }  # fmt: skip
    assert summarise_days(days, LAYOUT, tmp_path, progress=False)["kept"].sum() == 1


def test_no_more_days_are_fetched_than_are_worked_on(tmp_path):
    """Memory stays flat, however many there are."""
    fetched = []

    def days():
        for number in range(12):
            done = len(list((tmp_path / "days").glob("*.parquet")))
            fetched.append(number + 1 - done)
            yield number, 1, shop(2)

    with ThreadPoolExecutor(2) as threads:
        told = summarise_days(days(), LAYOUT, tmp_path, workers=2, executor=threads, progress=False)
    assert len(told) == 12 and max(fetched) <= 2 + 1 + 1  # two at work, one waiting, one in the hand


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda folder: summarise_days([], LAYOUT, folder, workers=0), "workers is 0: 1 or more are needed"),
        (lambda folder: read_days(folder, "purchases"), "there is no table 'purchases'; there are quarantine, visits"),
    ],
)
def test_what_cannot_be_asked_is_refused(tmp_path, call, message):
    with pytest.raises(ValueError, match=message):
        call(tmp_path)


@settings(max_examples=25, deadline=None)
@given(some.integers(0, 10_000))
def test_any_small_day_has_its_tables_and_loses_no_row(seed):
    """A few people of a few moments each, at any pace: shorter than every window there is."""
    rng = np.random.default_rng(seed)
    step, ways = rng.choice([0.05, 0.1, 0.4, 3.0]), []
    for visit in range(rng.integers(1, 6)):
        moments = np.arange(rng.integers(1, 9))
        begin, place = step * rng.integers(0, 9), rng.uniform(0, 8) + np.cumsum(rng.normal(0, step, len(moments)))
        ways.append(pd.DataFrame({"visit": visit, "time": begin + step * moments, "x": place, "y": 0.5}))
    tables = summarise_day(pd.concat(ways).sort_values("time", kind="stable"), replace(LAYOUT, missed=0.5))
    assert tables["visits"]["rows"].sum() + len(tables["quarantine"]) == sum(map(len, ways))
