"""Plain pandas says the same of reads: the peer of the benchmark, on a small day."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.read_streams import find_ours, plainly, ready
from retailkit.simulate.radio import Setting, sense_day
from retailkit.store.fusion.sensors import sensors_of

SMALL = Setting(shoppers=10.0, hours=0.08, aisles=2, cells=5, cameras={"missed": 0.1, "jitter": 0.1})


@pytest.fixture(scope="module")
def both():
    case = ready(sensors_of(sense_day(SMALL, seed=3)))
    return find_ours(case), plainly(case)


@pytest.mark.parametrize("name", ["presence", "listening", "lying", "shelf", "carried"])
def test_plain_pandas_says_the_same(both, name):
    by = {"presence": ["epc", "antenna", "bin"], "listening": ["bin", "antenna"], "lying": ["epc", "antenna"],
          "shelf": ["epc", "bin"], "carried": ["epc", "bin", "piece"]}[name]  # fmt: skip
    ours, plain = (getattr(side, name).sort_values(by, ignore_index=True) for side in both)
    assert len(ours) > 50
    pd.testing.assert_frame_equal(ours, plain[list(ours)], check_dtype=False, rtol=1e-5, atol=1e-5)


def test_moved_tags_have_all_bins_and_people(both):
    ours, _ = both
    assert ours.carried["epc"].nunique() == ours.shelf["epc"].nunique() > 5
    bins = ours.shelf.groupby("epc")["bin"]
    assert (bins.size() == bins.max() - bins.min() + 1).all() and bins.max().nunique() == 1
    assert np.isfinite(ours.carried["told"]).all() and ours.carried["told"].std() > 0.1
