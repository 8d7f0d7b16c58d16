"""Walks and layouts are read as they lie in their files; what cannot be used is named with file and line."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some

from retailkit.datasets import DataError, card
from retailkit.datasets.fixture_walks import read_fixture_walks, read_tag_layouts

READS = """,milliseconds,epc,rssi,session,experiment_nr
0,1556630144391,0,-63,S0,1
1,1556630144414,07,-67,S0,1
2,1556630144402,9,-71.5,S0,1
0,1556630469863,9,-60,S1,2
"""
FIXTURES = ",epc,panel\n0,07,1\n1,9,2\n2,11,2\n"
PLACES = "panel,x,y\n1,70,400\n2,70,400\n3,-10,0\n"
LAYOUT = """experiment_nr,group,setup,experiment,tags,iterations,milliseconds,serial,rssi
9,3,2d,walking,69,1,890,1,-69
9,3,2d,walking,69,1,859,0,-69
40,12,2da,random,79,2,1000,1,-70
"""


@pytest.fixture
def shop(tmp_path):
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset.csv").write_text(READS)
    (tmp_path / "panels_epc_mapping.csv").write_text(FIXTURES)
    (tmp_path / "panels_ground_truth.csv").write_text(PLACES)
    (tmp_path / "dataset" / "dataset.csv").write_text(LAYOUT)
    np.save(tmp_path / "dataset" / "2d.npy", [[0.0, 0.0], [7.5, -20.0]])
    np.save(tmp_path / "dataset" / "2d_asymmetric.npy", [[0, 0], [100, 0]])
    return tmp_path


def test_walks_are_read_in_seconds_and_metres(shop):
    walks = read_fixture_walks(shop)
    assert walks.reads.values.tolist() == [
        [1, 0.0, "0", -63.0, "S0"], [1, 0.011, "9", -71.5, "S0"], [1, 0.023, "07", -67.0, "S0"],
        [2, 0.0, "9", -60.0, "S1"],
    ]  # fmt: skip
    assert walks.fixtures.values.tolist() == [["07", 1], ["9", 2], ["11", 2]], "a tag that was never read counts too"
    assert walks.places.values.tolist() == [[1, 0.7, 4.0], [2, 0.7, 4.0], [3, -0.1, 0.0]]
    assert walks.positions.to_dict() == {1: "0.70, 4.00", 2: "0.70, 4.00", 3: "-0.10, 0.00"}
    assert walks.quarantine.empty and walks.name == shop.name


def test_layouts_are_read_in_seconds_and_metres(shop):
    layouts = read_tag_layouts(shop)
    assert layouts.reads.values.tolist() == [
        [9, "2d", "walking", 1, 0.0, 0, -69.0], [9, "2d", "walking", 1, 0.031, 1, -69.0],
        [40, "2da", "random", 2, 0.0, 1, -70.0],
    ]  # fmt: skip
    assert layouts.places.values.tolist() == [
        ["2d", 0, 0.0, 0.0], ["2d", 1, 0.075, -0.2], ["2da", 0, 0.0, 0.0], ["2da", 1, 1.0, 0.0],
    ]  # fmt: skip
    assert layouts.quarantine.empty


@pytest.mark.parametrize(
    ("file", "row", "problem"),
    [
        ("dataset.csv", "3,soon,9,-60,S1,2", "milliseconds 'soon' is not a number"),
        ("dataset.csv", "3,1556630469864,9,,S1,2", "rssi '' is not a number"),
        ("dataset.csv", "3,1556630469864,9,inf,S1,2", "rssi 'inf' is not a number"),
        ("dataset.csv", "3,1556630469864,9,12,S1,2", "rssi 12 dBm is not between -110 and 0"),
        ("dataset.csv", "3,1556630469864,,-60,S1,2", "epc '' is no code of a tag"),
        ("dataset.csv", "3,1556630469864,9,-60,S7,2", "session 'S7' is none of Gen2's: S0, S1, S2, S3"),
        ("dataset.csv", "3,1556630469864,9,-60,S1,2.5", "experiment_nr '2.5' is not a whole number"),
        ("dataset.csv", "3,1556630469863,9,-61,S1,2", "a second read of tag 9 in this millisecond"),
        ("dataset.csv", "3,1556630469864,9", "rssi '' is not a number"),
        ("dataset.csv", "", "milliseconds '' is not a number"),
        ("panels_epc_mapping.csv", "3,12,", "panel '' is not a whole number"),
        ("panels_epc_mapping.csv", "3,12,44", "panel 44 has no place in panels_ground_truth.csv"),
        ("panels_ground_truth.csv", "3,0,0", "panel 3 stands in a line above too"),
        ("panels_ground_truth.csv", "4,left,0", "x 'left' is not a number"),
        ("dataset/dataset.csv", "9,3,2d,walking,69,1,900,2,-60", "tag 2 has no place in setup 2d"),
        ("dataset/dataset.csv", "9,3,4d,walking,69,1,900,1,-60", "setup '4d' is unknown; there are 2d, 2da, 3d"),
        ("dataset/dataset.csv", "9,3,2d,flying,69,1,900,1,-60", "experiment 'flying' is neither walking nor random"),
    ],
)
def test_a_row_that_cannot_be_used_is_set_aside(shop, file, row, problem):
    read = read_tag_layouts if "/" in file else read_fixture_walks
    before = read(shop)
    path = shop / file
    lines = len(path.read_text().splitlines())
    path.write_text(path.read_text() + row + "\n")
    after = read(shop)
    assert after.quarantine.values.tolist() == [[path.name, lines + 1, problem]]
    pd.testing.assert_frame_equal(after.reads, before.reads)
    pd.testing.assert_frame_equal(after.places, before.places)


def test_a_tag_with_two_fixtures_has_none(shop):
    path = shop / "panels_epc_mapping.csv"
    path.write_text(path.read_text() + "3,9,1\n")
    walks = read_fixture_walks(shop)
    assert walks.fixtures["epc"].tolist() == ["07", "11"]
    assert walks.quarantine.values.tolist() == [
        [path.name, line, "tag 9 has a fixture in two lines"] for line in (3, 5)
    ]


def test_a_clock_that_stands_at_nought_does_not_move_its_walk(shop):
    path = shop / "dataset.csv"
    path.write_text(path.read_text() + "3,0,9,-60,S0,1\n")
    walks = read_fixture_walks(shop)
    assert walks.reads["time"].max() == 0.023
    assert walks.quarantine["problem"].tolist() == ["0 ms is over 3600 s from the middle of its walk"]


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("dataset.csv", "", r"dataset\.csv is no table that can be read"),
        (
            "dataset.csv",
            "epc,rssi\n1,-60\n",
            r"dataset\.csv has no column milliseconds, session, experiment_nr; it has",
        ),
        ("dataset.csv", READS.split("\n")[0] + "\n", r"dataset\.csv holds no row that can be used$"),
        ("panels_ground_truth.csv", "panel,x,y\nA,1,1\n", r"no row that can be used; line 2: panel 'A' is not a whole"),
        ("panels_ground_truth.csv", None, r"panels_ground_truth\.csv is no table that can be read"),
        ("dataset/2d.npy", "no array", r"2d\.npy is no array that can be read"),
        ("dataset/2d.npy", None, r"2d\.npy is no array that can be read"),
        ("dataset/dataset.csv", None, r"dataset\.csv is no table that can be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(shop, file, content, message):
    (shop / file).unlink()
    if content is not None:
        (shop / file).write_text(content)
    with pytest.raises(DataError, match=message):
        (read_tag_layouts if "/" in file else read_fixture_walks)(shop)


@pytest.mark.parametrize("array", [np.zeros((3, 3)), np.zeros(4), np.full((2, 2), np.nan), np.array([["a", "b"]])])
def test_an_array_of_other_things_is_refused(shop, array):
    np.save(shop / "dataset" / "2d.npy", array)
    with pytest.raises(DataError, match=r"2d\.npy is an array \(.*\(tags, 2\) finite numbers are needed"):
        read_tag_layouts(shop)


WORD = some.one_of(
    some.sampled_from(["1", "2", "-60", "S0", "1556630144391", "nan", "1e400", "", "{x}", "True"]),
    some.text(some.characters(exclude_categories=["C"], exclude_characters=',"\n\r\v\f'), max_size=6),
)


@given(some.lists(some.lists(WORD, min_size=6, max_size=6), max_size=8))
def test_every_row_is_kept_or_counted(tmp_path_factory, rows):
    shop = tmp_path_factory.mktemp("shop")
    (shop / "panels_epc_mapping.csv").write_text(FIXTURES)
    (shop / "panels_ground_truth.csv").write_text(PLACES)
    (shop / "dataset.csv").write_text(READS + "".join(",".join(row) + "\n" for row in rows), encoding="utf-8")
    walks = read_fixture_walks(shop)
    assert len(walks.reads) + len(walks.quarantine) == 4 + len(rows)
    assert np.isfinite(walks.reads[["time", "rssi"]]).all(axis=None) and (walks.reads["time"] >= 0).all()


def test_the_real_set_is_as_its_card_says(real_data):
    walks, layouts = read_fixture_walks("rfid_detego"), read_tag_layouts("rfid_detego")
    for table in (walks.reads, walks.fixtures, walks.places, layouts.reads, layouts.places):
        assert len(table) and not table.isna().any(axis=None)
    assert walks.reads.groupby("walk")["session"].nunique().eq(1).all()
    assert walks.positions.nunique() < len(walks.places) and "research" in card("rfid_detego").licence
    assert layouts.quarantine["problem"].str.contains("a second read of tag").all()
    assert set(layouts.reads["motion"]) <= {"walking", "random"}
