"""The benchmark of counts under a camera's faults: its tables say what its copies say."""

import os

import numpy as np
import pandas as pd
import pytest

from benchmarks.camera_faults import FAULTS, answer, one_copy, summaries
from retailkit.datasets.by_rule import draw_boxes
from retailkit.datasets.recordings import read_recordings


def copies(scene: str, passed: int, values: list[float], keys: int = 150) -> pd.DataFrame:
    """Copies at one rate, each counted within ±5; 100 people under some keys, of whom 98 or 104 are found."""
    number = len(values)
    return pd.DataFrame(
        {
            "scene": scene, "missed": 0.1, "jitter": 0.2, "broken": 0.25, "swapped": 0.25, "seed": range(number),
            "passed": passed, "value": values, "low": np.array(values) - 5, "high": np.array(values) + 5,
            "people": 100, "keys": keys, "visitors": [98.0, 104.0] * (number // 2), "fewest": 90.0, "most": 103.0,
            "ratio": 0.2, "with_lost": 0.3, "lost": 0.1,
        }
    )  # fmt: skip


def test_tables_say_what_the_copies_say():
    both = pd.concat([copies("square", 100, [98, 102, 104, 108]), copies("street", 200, [200, 190], keys=110)])
    tables = summaries(both)
    passed = tables["crossings"].set_index("scene", append=True)
    assert passed.xs("square", level=1)["bias"].tolist() == pytest.approx([0.03, 0.03])
    assert passed.xs("street", level=1)["bias"].tolist() == pytest.approx([-0.025, -0.025])
    assert passed.xs("all", level=1)[["passed", "held", "copies"]].values.tolist() == [[300, pytest.approx(4 / 6), 6]]
    assert passed.xs("street", level=1)["width"].tolist() == pytest.approx([0.05, 0.05])
    people = tables["visitors"].set_index("scene")
    assert people.loc["square", ["keys too many", "off", "worst", "held"]].tolist() == pytest.approx(
        [0.5, 0.01, 0.04, 1.0]
    )
    assert (people["off_low"] < people["off"]).all() and (people["off"] < people["off_high"]).all()
    assert tables["dwell"]["ratio"].tolist() == pytest.approx([0.2, 0.2])
    said = answer(tables)
    assert "at most 0.0300" in said and "(square)" in said and "within 0.010 in the 1 cells" in said and "0.20" in said


def test_a_real_scene_is_counted_as_promised():
    if not os.environ.get("RETAILKIT_DATA"):
        pytest.skip("real data is absent: set RETAILKIT_DATA to its folder")
    scene = next(scene for scene in read_recordings("tracks_ucy") if len(scene.tracks))
    row = one_copy(("tracks_ucy", scene.name, 0, 1, 4))
    assert (row["missed"], row["jitter"]) == FAULTS[0][:2]
    assert row["low"] <= row["passed"] <= row["high"] and row["keys"] > row["people"]
    assert abs(row["visitors"] / row["people"] - 1) < 0.1 and row["ratio"] < row["with_lost"] < 0.5


def test_boxes_touch_and_lie_along_the_longer_side():
    rng = np.random.default_rng(0)
    places = pd.DataFrame({"x": rng.uniform(0, 10, 2000), "y": rng.uniform(0, 4, 2000)})
    drawn = draw_boxes(places)
    assert list(drawn) == ["box 1.1", "box 1.2", "box 2.1", "box 2.2", "box 3.1", "box 3.2"]
    assert drawn["box 1.1"][1] == drawn["box 2.1"][0] and drawn["box 1.1"][0] == pytest.approx((1, 0.4), abs=0.2)
