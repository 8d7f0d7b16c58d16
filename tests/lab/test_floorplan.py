"""Charts on a plan: in metres, with a sentence, nothing shown that is not to be."""

import numpy as np
import pandas as pd
import pytest

from retailkit.lab.floorplan import heat, paths
from retailkit.lab.style import Chart

ROOM = {"milk": [(0, 0), (1, 0), (1, 3), (0, 3)], "tea": [(3, 0), (5, 0), (5, 1), (3, 1)]}


def squares(**columns) -> pd.DataFrame:
    x, y = np.meshgrid(np.arange(0.25, 5, 0.5), np.arange(0.25, 3, 0.5))
    return pd.DataFrame({"x": x.ravel(), "y": y.ravel(), "density": np.arange(60.0), **columns})


def test_a_metre_is_a_metre_both_ways_and_the_sentence_says_where_most_is():
    chart = heat(squares(), ROOM, title="Where")
    axes = chart.figure.axes[0]
    assert isinstance(chart, Chart) and axes.get_aspect() == 1 and axes.get_xlabel() == "x (metres)"
    assert {text.get_text() for text in axes.texts} == {"milk", "tea"}
    assert (
        chart.alt
        == "Person-seconds per m² on a plan of 5.0 x 3.0 m: most, 59, at x 4.75, y 2.75 m; 0 to 59 over 60 squares."
    )
    assert chart.png().startswith(b"\x89PNG")


def test_squares_lie_where_they_are():
    data = squares()
    image = heat(data.sample(frac=0.8, random_state=0)).figure.axes[0].images[0]
    left, right, low, high = image.get_extent()
    table = image.get_array()
    for row in data.sample(frac=0.8, random_state=0).itertuples():
        column, line = (
            int((row.x - left) / (right - left) * table.shape[1]),
            int((row.y - low) / (high - low) * table.shape[0]),
        )
        assert table[line, column] == row.density
    assert table.mask.sum() == 60 - 48


def test_what_is_blank_is_hatched_and_said():
    data = squares()
    data.loc[[3, 7], "density"] = np.nan
    chart = heat(data)
    assert chart.alt.endswith("over 58 squares; 2 more are hatched, since they may not be shown.")
    assert len(chart.figure.axes[0].collections[0].get_paths()) == 2


def test_one_great_square_does_not_make_all_others_pale():
    from matplotlib.colors import LogNorm

    data = squares()
    assert not isinstance(heat(data).figure.axes[0].images[0].norm, LogNorm)
    data.loc[0, "density"] = 1e5
    assert isinstance(heat(data).figure.axes[0].images[0].norm, LogNorm)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (squares().drop(columns="y"), "no column 'y'"),
        (squares()[:0], "no rows: nothing to draw"),
        (squares(density=np.nan), "density holds no number"),
        (squares().assign(x=lambda rows: rows["x"] + 0.03 * (rows.index == 7)), "no middles of squares on a grid"),
        (pd.concat([squares(), squares()]), "no middles of squares on a grid of 0.5 m, one row each"),
    ],
)
def test_what_is_no_heat_is_refused(data, message):
    with pytest.raises(ValueError, match=message):
        heat(data)


def ways() -> pd.DataFrame:
    return pd.DataFrame({"start": ["milk", "tea", "(in)"], "end": ["tea", "milk", "milk"], "count": [30.0, 12.0, 50.0]})


def test_wider_ways_are_more_frequent():
    chart = paths(ways(), ROOM)
    narrow, wide = (patch.get_arrowstyle().tail_width for patch in chart.figure.axes[0].patches)
    assert narrow < wide
    said = "People between 2 areas on a plan of 5.0 x 3.0 m: 30 from milk to tea, 12 from tea to milk"
    assert chart.alt == f"{said}; 1 more in the table are not drawn."


@pytest.mark.parametrize(
    ("data", "room", "options", "message"),
    [
        (ways(), {}, {}, "outlines is empty"),
        (ways(), ROOM, {"least": 99}, "no way between milk, tea has a count of 99 or more"),
        (ways().drop(columns="end"), ROOM, {}, "no column 'end'"),
    ],
)
def test_what_are_no_ways_is_refused(data, room, options, message):
    with pytest.raises(ValueError, match=message):
        paths(data, room, **options)
