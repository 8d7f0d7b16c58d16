"""Tags are found on the fixture whose tags are heard when they are, and chance finds none."""

import numpy as np
import pandas as pd
import pytest

from retailkit.datasets.fixture_walks import read_fixture_walks
from retailkit.lab.intervals import wilson
from retailkit.store.rfid.location import (
    Reach,
    locate_tags,
    nearest_neighbour,
    read_density,
)
from retailkit.store.rfid.location_scores import (
    by_tag_and_walk,
    calibration_error,
    compare_locators,
    cross_locate,
    deal_folds,
    found_right,
    leave_out_walks,
)


def a_store(fixtures=5, tags=12, walks=3, spread=0.3, seed=0):
    """Fixtures passed once a walk, in an order of its own, 2 s apart; each tag is read about three times."""
    rng = np.random.default_rng(seed)
    known = pd.Series(np.repeat(np.arange(fixtures), tags), index=[f"t{n}" for n in range(fixtures * tags)])
    rows = []
    for walk in range(walks):
        passed = rng.permutation(fixtures) * 2.0
        for epc, fixture in known.items():
            for _ in range(1 + rng.poisson(2)):
                off = rng.normal(0, spread)
                rows.append((walk, passed[fixture] + off + 5, epc, -57 - 3 * abs(off) + rng.normal(0, 4)))
    return pd.DataFrame(rows, columns=["walk", "time", "epc", "rssi"]), known.rename("fixture")


@pytest.fixture(scope="module")
def store():
    return a_store(spread=2.5, walks=2)


def by_hand(reads, known, tag, reach):
    """The log density of a tag's reads at each place, read by read."""
    places = sorted(known.unique())
    scores = dict.fromkeys(places, 0.0)
    others = reads[reads["epc"] != tag]
    for read in reads[reads["epc"] == tag].itertuples():
        same = others[(others["walk"] == read.walk) & ((others["time"] - read.time).abs() <= 3 * reach.seconds)]
        apart = ((same["time"] - read.time) / reach.seconds) ** 2 + ((same["rssi"] - read.rssi) / reach.decibels) ** 2
        near = np.exp(-apart / 2)
        for place in places:
            mine = known.index[known == place]
            number = ((others["walk"] == read.walk) & others["epc"].isin(mine)).sum()
            density = near[same["epc"].isin(mine)].sum() / max(number, 1)
            anywhere = near.sum() / (reads["walk"] == read.walk).sum()
            scores[place] += np.log((1 - reach.background) * density + reach.background * anywhere + 1e-12)
    return np.array([scores[place] for place in places])


def test_probabilities_are_those_of_the_formula(store):
    reads, known = store
    reach = Reach(0.3, 4.0)
    found = locate_tags(reads, known.drop(["t3", "t40"]), reaches=[reach])
    assert found.attrs["reach"] == reach and 0 < found.attrs["temper"] < 1
    for tag in ("t3", "t40"):
        scores = found.attrs["temper"] * by_hand(reads, known.drop(["t3", "t40"]), tag, reach)
        wanted = np.exp(scores - scores.max())
        assert found.loc[tag].to_numpy() == pytest.approx(wanted / wanted.sum(), abs=1e-9)


def test_tags_are_found_without_their_label():
    reads, known = a_store()
    chances = cross_locate(read_density(reads), known)
    assert chances.index.equals(known.index) and chances.sum(axis=1).to_numpy() == pytest.approx(1)
    assert found_right(chances, known).mean() > 0.95


def test_labels_of_the_tested_tags_do_not_matter(store):
    """Whatever is written on the tags of a fold, they get the same probabilities."""
    reads, known = store
    part = deal_folds(known.to_numpy(), 5, seed=3)
    locate = read_density(reads)
    before = locate(known[part != 0], known.index[part == 0])
    found = cross_locate(locate, known, folds=5, seed=3)[part == 0]
    pd.testing.assert_frame_equal(before, found, check_names=False)


@pytest.mark.parametrize("prepare", [read_density, nearest_neighbour])
def test_neither_order_nor_start_of_the_clock_matters(store, prepare):
    reads, known = store
    later = reads.assign(time=reads["time"] + 1024.0).sample(frac=1, random_state=1)
    tags = known.index[:4]
    one, other = (prepare(table)(known.drop(tags), tags) for table in (reads, later))
    pd.testing.assert_frame_equal(one, other, atol=1e-6)


@pytest.mark.parametrize("prepare", [read_density, nearest_neighbour])
def test_a_tag_that_was_never_read_may_be_anywhere(store, prepare):
    reads, known = store
    silent = pd.concat([known, pd.Series({"silent": 2, "mute": 3})])
    chances = prepare(reads)(silent.drop(["silent", "t1"]), pd.Index(["silent", "t1"]))
    assert chances.loc["silent"].tolist() == [0.2] * 5 and chances.loc["t1"].max() > 0.3


def test_a_place_of_one_tag_is_not_found_but_counts(store):
    reads, known = store
    chances = cross_locate(read_density(reads), known.replace({0: 1}).where(known.index != "t9", 99))
    assert 99 in chances and chances.loc["t9", 99] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda reads, known: (reads.drop(columns="rssi"), known), "reads has no column rssi; it has walk, time, epc"),
        (lambda reads, known: (reads.assign(time=np.nan), known), "row 0 has time nan"),
        (lambda reads, known: (reads, pd.concat([known, known[:1]])), "tag 't0' stands there twice"),
        (lambda reads, known: (reads, known[known == 1]), "1 places; two or more are needed"),
        (lambda reads, known: (reads[reads["epc"] == "t0"], known.drop("t0")), "none of these tags was ever read"),
    ],
)
def test_what_cannot_be_used_is_refused(store, change, message):
    with pytest.raises(ValueError, match=message):
        locate_tags(*change(*store))


def test_what_is_known_is_not_asked_for(store):
    with pytest.raises(ValueError, match="the place of 't5' is known"):
        locate_tags(*store, tags=["t5"])
    with pytest.raises(ValueError, match="folds is 61; 2 to 60 are possible"):
        cross_locate(read_density(store[0]), store[1], folds=61)


def test_folds_hold_as_many_tags_of_each_place():
    places = np.repeat(["a", "b", "c"], [10, 25, 6])
    part = deal_folds(places, 5, seed=1)
    counts = pd.crosstab(places, part)
    assert (counts.max(axis=1) - counts.min(axis=1)).max() <= 1 and (deal_folds(places, 5, seed=2) != part).any()


def test_methods_stand_beside_a_baseline_and_a_placebo(store):
    reads, known = store
    table = compare_locators(reads, known).set_index("method")
    ours, nearest, placebo = table.loc["read density"], table.loc["nearest neighbour"], table.loc["shuffled labels"]
    assert ours["low"] < ours["value"] < ours["high"] and ours["behind"] == 0
    assert nearest["behind_low"] < nearest["behind"] == pytest.approx(ours["value"] - nearest["value"])
    assert nearest["behind_low"] > 0, "where tags of a fixture are heard seconds apart, one neighbour tells little"
    assert placebo["low"] < 0.2 < placebo["high"], "one fixture of five is found by chance"
    assert (table["calibration_low"] <= table["calibration"]).all()


def test_calibration_error_is_what_was_put_in():
    rng = np.random.default_rng(5)
    sure = rng.uniform(0.5, 1, 4000)
    chances = pd.DataFrame({"here": sure, "there": 1 - sure})
    right = pd.Series(np.where(rng.random(4000) < sure, "here", "there"))
    error, chance = calibration_error(chances, right)
    assert error.value < chance < 0.03
    wrong = pd.Series(np.where(rng.random(4000) < sure - 0.1, "here", "there"))
    error, _ = calibration_error(chances, wrong)
    assert error.low < 0.1 < error.high and error.width < 0.04


def test_walks_add_to_the_interval():
    right = np.arange(200) < 180
    alike, unlike = (pd.DataFrame({"value": values}) for values in ([0.9] * 4, [0.85, 0.95, 0.85, 0.95]))
    narrow, broad = by_tag_and_walk(right, alike), by_tag_and_walk(right, unlike)
    by_tag = wilson(180, 200)
    assert narrow.value == broad.value == 0.9 and narrow.width == pytest.approx(by_tag.width, rel=0.05)
    assert broad.low < narrow.low and broad.high > narrow.high
    with pytest.raises(ValueError, match="1 walk; two or more"):
        by_tag_and_walk(right, alike[:1])


def test_each_walk_is_left_out_once(store):
    table = leave_out_walks(*store)
    assert table["walk"].tolist() == [0, 1] and table["value"].between(0.2, 1).all()
    assert (table["low"] < table["value"]).all()


def test_real_tags_are_found_on_their_place(real_data):
    walks = read_fixture_walks("rfid_detego")
    fixture = walks.fixtures.set_index("epc")["fixture"]
    place = fixture.map(walks.positions)
    table = compare_locators(walks.reads, place).set_index("method")
    assert table.loc["read density", "value"] >= 0.9
    assert table.loc["nearest neighbour", "behind_low"] > 0.1
    assert table.loc["shuffled labels", "high"] < 0.1
    assert table.loc["read density", "calibration"] < 0.05
