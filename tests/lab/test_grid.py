"""Grids: what is written becomes parameters of runs, or a sentence that names what is wrong and where."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from notebook_files import write

from retailkit.lab import grid
from retailkit.lab.parameters import ParameterError, ParameterTypeError
from retailkit.lab.source import Source, read

PARAMETERS = "seed: int = 0\nsize: int = 1\ndata: str = 'a'\nminutes: float = 1.0"


@pytest.fixture
def source(tmp_path) -> Source:
    return read(write(tmp_path, "10-tiny.ipynb", "pass", parameters=PARAMETERS))


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("seed: [0, 1]", [{"seed": 0}, {"seed": 1}]),
        ("product: {seed: [0, 1], size: [2]}", [{"seed": 0, "size": 2}, {"seed": 1, "size": 2}]),
        ("zip: {seed: [0, 1], data: [x, y]}", [{"seed": 0, "data": "x"}, {"seed": 1, "data": "y"}]),
        ("rows: [{seed: 3}, {size: 4, minutes: 2}]", [{"seed": 3}, {"size": 4, "minutes": 2.0}]),
        ("[{seed: 3}, {seed: 4}]", [{"seed": 3}, {"seed": 4}]),
        ("{zip: {seed: [5, 6]}, product: {size: [7]}}", [{"seed": 5, "size": 7}, {"seed": 6, "size": 7}]),
        ("csv: stores.csv", [{"data": "north", "size": 3}, {"data": "007"}]),
    ],
)
def test_every_way_to_write_a_grid(tmp_path, source, text, rows):
    (tmp_path / "stores.csv").write_text("data,size\nnorth,3\n007,\n\n")
    file = tmp_path / "grid.yaml"
    file.write_text(text)
    assert grid.expand(file, source) == rows


def test_a_table_of_stores_and_frames_are_grids_too(tmp_path, source):
    (tmp_path / "stores.csv").write_text("data,minutes\nnorth,3\nsouth,\n")
    rows = [{"data": "north", "minutes": 3.0}, {"data": "south"}]
    assert grid.expand(tmp_path / "stores.csv", source) == rows
    assert grid.expand(pd.DataFrame({"data": ["north", "south"], "minutes": [3, None]}), source) == rows


@pytest.mark.parametrize(
    ("given_grid", "kind", "message"),
    [
        (
            {"sead": [1]},
            ParameterError,
            "'product' of the grid: 10-tiny.ipynb has no parameter 'sead'; did you mean 'seed'",
        ),
        (
            {"seed": ["one"]},
            ParameterTypeError,
            "'product' of the grid: 10-tiny.ipynb: parameter 'seed' is 'one' (str)",
        ),
        ([{"seed": 1}, {"size": 0.5}], ParameterTypeError, "row 2 of the grid: 10-tiny.ipynb: parameter 'size' is 0.5"),
        ({}, ParameterError, "The grid is empty: it wants at least one run, with values for seed, size, data, minutes"),
        ([], ParameterError, "The grid is empty"),
        ({"seed": []}, ParameterError, "The grid is empty"),
        (None, ParameterError, "The grid is empty"),
        ({"seed": range(1000), "size": range(1000)}, ParameterError, "The grid has 1,000,000 runs; say --yes"),
        ({"seed": 3}, ParameterError, "'seed' of the grid is 3: a list is wanted, as [3]"),
        ({"zip": {"seed": [1, 2], "size": [1]}}, ParameterError, "lists of one length, and seed has 2, size has 1"),
        ([{"minutes": 1}, {}], ParameterError, "The grid has a run twice"),
        ({"seed": [0, 1, 0]}, ParameterError, "The grid has a run twice: seed=0"),
        ([{"seed": 0}, {}], ParameterError, "The grid has a run twice: the defaults (row 1 of the grid, and row 2"),
        ({"zip": {"seed": [1]}, "product": {"seed": [2]}}, ParameterError, "sets 'seed', which another section"),
        (7, ParameterError, "The grid is a int"),
        ("no-such.yaml", ParameterError, "There is no grid 'no-such.yaml'"),
        ([3], ParameterError, "row 1 of the grid is 3: a mapping"),
    ],
)
def test_what_is_wrong_is_quoted_before_anything_runs(source, given_grid, kind, message):
    with pytest.raises(kind) as caught:
        grid.expand(given_grid, source)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("data,size\nnorth,three\n", "stores.csv, line 2: 10-tiny.ipynb: parameter 'size' is 'three' (str): an int"),
        ("data,syze\nnorth,3\n", "stores.csv, line 2: 10-tiny.ipynb has no parameter 'syze'; did you mean 'size'?"),
        ("data,size\nnorth\n", "stores.csv, line 2, has 1 cells; the head has 2"),
        ("data,data\nnorth,south\n", "names a column twice"),
        ("data,size\nnorth,3\nnorth,3\n", "stores.csv, line 2, and "),
    ],
)
def test_a_bad_table_is_named_with_its_line(tmp_path, source, table, message):
    (tmp_path / "stores.csv").write_text(table)
    with pytest.raises(ParameterError) as caught:
        grid.expand(tmp_path / "stores.csv", source)
    assert message in str(caught.value)


def test_yaml_that_is_none_is_refused(tmp_path, source):
    (tmp_path / "grid.yaml").write_text("seed: [1, 2")
    with pytest.raises(ParameterError, match=r"grid\.yaml is no YAML"):
        grid.expand(tmp_path / "grid.yaml", source)


def test_where_chooses_with_defaults_known(source):
    rows = grid.expand({"seed": [0, 1, 2], "size": [1, 2]}, source, where="seed > 0 and data == 'a' and size == 2")
    assert rows == [{"seed": 1, "size": 2}, {"seed": 2, "size": 2}]
    with pytest.raises(ParameterError, match="leaves none of the grid's 2 runs"):
        grid.expand({"seed": [0, 1]}, source, where="seed > 5")
    with pytest.raises(ParameterError, match="cannot be worked out over seed, size, data, minutes"):
        grid.expand({"seed": [0, 1]}, source, where="sead > 5")


def test_a_million_runs_may_be_meant(source):
    rows = grid.expand({"seed": range(200), "size": range(100)}, source, many=True)
    assert len(rows) == 20_000 and rows[-1] == {"seed": 199, "size": 99}


@given(st.lists(st.integers(0, 50), unique=True, min_size=1, max_size=6), st.sets(st.integers(0, 50), min_size=1))
def test_a_product_has_every_combination_once(tmp_path_factory, seeds, sizes):
    source = read(write(tmp_path_factory.mktemp("grid"), "a.ipynb", "pass", parameters=PARAMETERS))
    rows = grid.expand({"seed": seeds, "size": sorted(sizes)}, source)
    assert {(row["seed"], row["size"]) for row in rows} == {(seed, size) for seed in seeds for size in sizes}
    assert len(rows) == len(seeds) * len(sizes)
