"""Panels of dots, ways on a plan and shares over time: what is drawn, what is said, what is refused."""

import pandas as pd
import pytest

from retailkit.lab.charts import band, dot_panels, stacked, ways


@pytest.fixture
def figures():
    rows = [(arm, case, value) for case, shift in (("pairs", 0.0), ("queue", 0.1)) for arm, value in
            (("ours", 0.7 + shift), ("door", 0.4 + shift), ("oracle", 0.85))]  # fmt: skip
    table = pd.DataFrame(rows, columns=["arm", "stratum", "value"])
    return table.assign(low=table["value"] - 0.1, high=table["value"] + 0.1)


def test_a_panel_for_each_case_with_the_reference_as_a_line(figures):
    chart = dot_panels(figures, "Right (share)", label="arm", panel="stratum", reference="oracle", strong=["ours"])
    panels = [axes for axes in chart.figure.axes if axes.get_visible()]
    assert [axes.get_title("left") for axes in panels] == ["pairs", "queue"]
    assert [tick.get_text() for tick in panels[0].get_yticklabels()] == ["ours", "door"]
    upright = [line for line in panels[0].lines if list(line.get_xdata()) == [0.85, 0.85]]
    assert len(upright) == 1
    assert "Right in queue: ours 0.80 (0.70 to 0.90)" in chart.alt and "oracle, a line, 0.85" in chart.alt


@pytest.mark.parametrize("number", [1, 4, 7])
def test_any_number_of_panels_is_drawn(figures, number):
    many = pd.concat([figures.query("stratum == 'pairs'").assign(stratum=f"case {place}") for place in range(number)])
    chart = dot_panels(many, "Right (share)", label="arm", panel="stratum")
    assert sum(axes.get_visible() for axes in chart.figure.axes) == number
    assert chart.png().startswith(b"\x89PNG")


def test_panels_need_rows_and_columns(figures):
    with pytest.raises(ValueError, match="no column 'case'"):
        dot_panels(figures, "Right", label="arm", panel="case")
    with pytest.raises(ValueError, match="no rows"):
        dot_panels(figures.iloc[:0], "Right", label="arm", panel="stratum")


@pytest.fixture
def walked():
    rows = {"way": [1, 1, 2, 2], "x": [0.0, 4, 1, 1], "y": [0.0, 3, 0, 2], "what": ["Ann"] * 2 + ["others"] * 2}
    return pd.DataFrame(rows), pd.DataFrame({"x": [2.0, 3.0], "y": [1.0, 1.0], "reads": [7, 0]})


def test_ways_and_spots_are_drawn_and_told(walked):
    chart = ways(*walked, {"shelf": [(0, 0), (1, 0), (1, 1), (0, 1)]}, value="reads", spot="antennas")
    [axes] = chart.figure.axes
    assert {text.get_text() for text in axes.texts} == {"shelf", "7"}
    assert "2 ways" in chart.alt and "1 have a reads above 0" in chart.alt and "the most is 7" in chart.alt
    assert chart.png().startswith(b"\x89PNG")


def test_ways_need_their_columns(walked):
    data, spots = walked
    with pytest.raises(ValueError, match="no column 'count'"):
        ways(data, spots)
    with pytest.raises(ValueError, match="no rows"):
        ways(data.iloc[:0], spots, value="reads")


def test_shares_are_stacked_to_one_with_moments_marked():
    said = pd.DataFrame({"seconds": [0, 5] * 2, "who": ["shelf"] * 2 + ["Ann"] * 2, "share": [1, 0.25, 0, 0.75]})
    marks = pd.DataFrame({"seconds": [1.0, 1.2], "what": ["taken by Ann", "looked at"]})
    labels = {"xlabel": "Time (seconds)", "ylabel": "Belief (share)"}
    chart = stacked(said, "seconds", "share", "who", marks, quiet="shelf", **labels)
    [axes] = chart.figure.axes
    heights = {text.get_text(): text.xy[1] for text in axes.texts}
    assert heights["looked at"] > heights["taken by Ann"]  # words that would run into each other
    assert "Ann 0.00 at first and 0.75 at last" in chart.alt
    with pytest.raises(ValueError, match=r"shares at seconds 5 sum to 0.85"):
        stacked(said.assign(share=[1, 0.1, 0, 0.75]), "seconds", "share", "who", **labels)


def test_a_diagonal_says_where_both_axes_agree():
    rows = pd.DataFrame({"said": [0.1, 0.9], "true": [0.2, 0.8], "low": [0.1, 0.7], "high": [0.3, 0.9]})
    labels = {"xlabel": "Said", "ylabel": "True"}
    plain, crossed = (band(rows, "said", "true", shares=True, diagonal=one, **labels) for one in (False, True))
    assert len(crossed.figure.axes[0].lines) == len(plain.figure.axes[0].lines) + 1


def test_names_of_two_near_curves_do_not_lie_on_each_other():
    flat = {"ours": 0.83, "plates": 0.80, "cameras": 0.66, "door": 0.3}
    rows = pd.DataFrame([(name, x, y) for name, y in flat.items() for x in (0.0, 1.0)], columns=["arm", "x", "value"])
    chart = band(
        rows.assign(low=0.0, high=1.0), "x", "value", hue="arm", xlabel="Change (share)", ylabel="Right (share)"
    )
    side = {text.get_text(): text.get_va() for text in chart.figure.axes[0].texts}
    assert side == {"ours": "bottom", "plates": "top", "cameras": "bottom", "door": "top"}
