"""What is wrong with a store is told as such, on small days; and nothing is where nothing is."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from retailkit.simulate.radio import Habit, Setting, sense_day
from retailkit.store.fusion.acts import find_acts
from retailkit.store.fusion.antennas import check_antennas
from retailkit.store.fusion.departures import find_departures, hear_bins
from retailkit.store.fusion.health import check_store
from retailkit.store.fusion.planogram import find_contents, mend_planogram, seen_takes
from retailkit.store.fusion.sensors import prepare, sensors_of
from retailkit.store.fusion.untagged import check_tags, share_untagged

SMALL = Setting(
    shoppers=30.0, hours=0.2, aisles=2, cells=6, cameras={"missed": 0.1, "jitter": 0.1}, goods=Habit(untagged=0.0)
)


@pytest.fixture(scope="module")
def day():
    return sense_day(SMALL, seed=1)


@pytest.fixture(scope="module")
def scene(day):
    return prepare(sensors_of(day))


@pytest.fixture(scope="module")
def health(scene):
    return check_store(scene)


def without(scene, kept):
    """The scene with some of its reads."""
    return scene._replace(sensors=scene.sensors._replace(reads=scene.sensors.reads[kept]))


def planned(scene, products):
    """The scene with another plan."""
    plan = scene.sensors.planogram.assign(product=products)
    return scene._replace(sensors=scene.sensors._replace(planogram=plan))


def test_nothing_is_wrong_where_nothing_is(health):
    """The placebo: all antennas live, the plan is right, and hardly a thing lacks its tag."""
    assert (health.antennas["verdict"] == "ok").all() and health.antennas["since"].isna().all()
    assert not (health.planogram["verdict"] == "wrong").any()
    summary = health.summary.set_index("what")
    assert summary.loc[["dead antennas", "wrong cells", "clocks off"], "verdict"].eq("ok").all()
    assert summary.loc["untagged", "low"] < 0.05 and summary.loc["untagged", "value"] < 0.12
    assert summary.loc["untagged", "low"] <= summary.loc["untagged", "value"] <= summary.loc["untagged", "high"]
    assert summary.drop(index="untagged")[["low", "high"]].isna().all(axis=None)


def test_rates_are_those_of_the_reads(scene, health):
    minutes = hear_bins(scene).bins / 60
    per_minute = scene.sensors.reads.groupby("antenna").size().to_numpy() / minutes
    assert health.antennas["reads_per_minute"].to_numpy() == pytest.approx(per_minute)
    assert health.antennas["reads_per_minute"].between(health.antennas["low"], health.antennas["high"]).all()
    ratio = health.antennas["expected"] / health.antennas["reads_per_minute"]
    assert ratio.between(0.2, 5).all()


@pytest.mark.parametrize("antenna", [2, 5])
def test_a_dead_antenna_is_named(antenna):
    found = check_antennas(prepare(sensors_of(sense_day(replace(SMALL, dead=(antenna,)), seed=2))))
    assert found.loc[found["verdict"] == "dead", "antenna"].tolist() == [antenna]
    assert (found["verdict"] != "cannot tell").all()


def test_an_antenna_that_falls_silent_is_named_with_the_moment(scene):
    reads = scene.sensors.reads
    found = check_antennas(without(scene, ~((reads["antenna"] == 3) & (reads["time"] > 400))))
    [row] = found[found["verdict"] == "dead"].itertuples()
    assert row.antenna == 3 and row.since_low - 1 <= 400 <= row.since_high + 1 and row.since_high - row.since_low < 60


def test_an_antenna_far_from_all_tags_is_not_called_dead(scene):
    far = scene.sensors.antennas.iloc[:1].assign(antenna=90, x=300.0)
    hung = pd.concat([scene.sensors.antennas, far], ignore_index=True)
    found = check_antennas(scene._replace(sensors=scene.sensors._replace(antennas=hung))).set_index("antenna")
    assert found.loc[90, "verdict"] == "cannot tell" and found.loc[90, "expected"] == 0
    assert (found.drop(index=90)["verdict"] == "ok").all()


def test_a_store_that_closes_has_no_dead_antenna(scene):
    """All fall silent together: what would there be to hear?"""
    found = check_antennas(without(scene, scene.sensors.reads["time"] < 500))
    assert (found["verdict"] == "ok").all()


def test_a_clock_that_is_off_is_named(scene):
    time = scene.sensors.tracks["time"]
    first, half = time.min(), np.ptp(time) / 2
    fast = 3e6 / half  # parts per million: in time at noon, 3 s behind at first and 3 s ahead at last
    clocks = pd.DataFrame(
        {"device": ["hands", "plates", "reader 1", "reader 2", "reader 3", "reader 4"], "moment": first + half,
         "offset": [0.1, 4.0, 0.0, -3.0, 0.0, 0.0], "low": [-0.2, 3.6, -8.0, -5.5, -0.3, -0.3],
         "high": [0.4, 4.4, 8.0, -0.5, 0.3, 0.3], "drift": [0.0, 0.0, 0.0, 0.0, fast, fast],
         "low_drift": [-9.0, -9.0, -200.0, -9.0, 0.6 * fast, 0.1 * fast],
         "high_drift": [9.0, 9.0, 200.0, 9.0, 1.4 * fast, 1.9 * fast], "events": [50, 60, 0, 9, 40, 40]}
    )  # fmt: skip
    found = check_store(scene._replace(clocks=clocks))
    assert found.clocks["verdict"].tolist() == ["ok", "off", "cannot tell", "ok", "off", "ok"]
    row = found.summary.set_index("what").loc["clocks off"]
    words = "plates by 4.0 s at first and 4.0 s at last, reader 3 by -3.0 s at first and 3.0 s at last"
    assert row["verdict"] == f"off: {words}" and (row["of"], row["cannot_tell"]) == (5, 1)


def test_tags_that_left_are_found_when_they_left(day, scene):
    takes = seen_takes(find_acts(scene))
    left = find_departures(scene, takes["time"])
    sold = day.truth.receipts.query("epc != ''")
    assert np.isin(left.table["epc"], sold["epc"]).mean() > 0.97
    assert np.isin(sold["epc"], left.table["epc"]).mean() > 0.8
    hands = (
        day.truth.goods.hands.query("kind == 'take'").drop_duplicates("piece", keep="last").set_index("piece")["time"]
    )
    true = left.table["epc"].map(sold.assign(time=hands.reindex(sold["piece"]).to_numpy()).set_index("epc")["time"])
    best = takes["time"].to_numpy()[left.score.argmax(axis=1)]
    assert np.mean(np.abs(best - true) < 15) > 0.7
    assert (left.score <= left.table["best"].to_numpy()[:, None] + 1e-9).all()


def test_things_without_tags_are_counted(scene, health):
    """Tags are taken off a known share of what was sold: nothing else changes, and the share rises by so much."""
    left = find_departures(scene, seen_takes(find_acts(scene))["time"]).table
    rng = np.random.default_rng(3)
    off = left["epc"][rng.random(len(left)) < 0.3]
    bare = without(scene, ~scene.sensors.reads["epc"].isin(off))
    found, share = check_tags(bare)
    before = health.summary.set_index("what").loc["untagged"]
    rise = len(off) / health.untagged["taken"].sum()
    assert share.value - before["value"] == pytest.approx(rise, abs=0.08)
    assert share.low > 0.05 and share.low <= share.value <= share.high
    assert share_untagged(found) == share
    twice = share_untagged(pd.concat([found, found], ignore_index=True))
    assert twice.value == pytest.approx(share.value) and twice.units == share.units


def test_a_product_that_nobody_hears_is_not_called_untagged(scene, health):
    """Readers hear none of its tags at all: there may be none, or metal."""
    product = health.untagged.query("verdict != 'cannot tell'").sort_values("taken")["product"].iloc[-1]
    epcs = scene.tags.query("product == @product")["epc"]
    found, share = check_tags(without(scene, ~scene.sensors.reads["epc"].isin(epcs)))
    row = found.set_index("product").loc[product]
    assert row["verdict"] == "cannot tell" and np.isnan(row["share"])
    assert share.value < 0.15


@pytest.fixture(scope="module")
def exchanged(scene, health):
    """A plan in which two cells have each other's product, which differ in weight, and were taken from."""
    weight = scene.sensors.products.set_index("product")["weight"]
    known = health.planogram[health.planogram["takes"] >= 2]
    one = known.index[0]
    other = (known["planned"].map(weight) - weight[known.loc[one, "planned"]]).abs().idxmax()
    products = scene.sensors.planogram["product"].to_numpy().copy()
    products[[one, other]] = products[[other, one]]
    return planned(scene, products), [one, other]


def test_a_wrong_plan_is_told_and_mended(scene, exchanged):
    wrong, cells = exchanged
    found = find_contents(wrong)
    assert found.index[found["verdict"] == "wrong"].tolist() == sorted(cells)
    true = scene.sensors.planogram["product"]
    assert (found["product"] == true)[cells].all() and (found["probability"][cells] > 0.8).all()
    mended = mend_planogram(wrong, found)
    pd.testing.assert_frame_equal(mended.sensors.planogram, scene.sensors.planogram)
    assert find_contents(mended)["verdict"].ne("wrong").all()


def test_a_wrong_plan_changes_nothing_else(exchanged, health):
    """What plates weighed is another number of pieces by the wrong plan: the rest is told by the mended one."""
    wrong, cells = exchanged
    found = check_store(wrong)
    assert found.summary.set_index("what").loc["wrong cells", "value"] == len(cells) / found.summary["of"].iloc[2]
    pd.testing.assert_frame_equal(found.untagged, health.untagged)
    pd.testing.assert_frame_equal(found.antennas, health.antennas)


def test_by_exclusion_a_cell_that_nothing_was_taken_from_is_mended_too(scene, exchanged):
    """Only one of the two cells that were exchanged is told; its product must have come from the other."""
    wrong, [_, other] = exchanged
    found = find_contents(wrong)
    found.loc[other, ["product", "takes", "grams", "verdict"]] = found.loc[other, "planned"], 0, np.nan, "cannot tell"
    mended = mend_planogram(wrong, found)
    pd.testing.assert_frame_equal(mended.sensors.planogram, scene.sensors.planogram)


def test_a_plan_is_left_alone_where_nothing_is_sure(scene, exchanged, health):
    pd.testing.assert_frame_equal(mend_planogram(scene, health.planogram).sensors.planogram, scene.sensors.planogram)
    wrong, _ = exchanged
    found = find_contents(wrong).assign(probability=0.89)
    pd.testing.assert_frame_equal(mend_planogram(wrong, found, least=0.9).sensors.planogram, wrong.sensors.planogram)
    with pytest.raises(ValueError, match="least is 7: a probability from 0 to 1"):
        mend_planogram(scene, found, least=7)


def test_a_cell_of_an_unknown_product_is_told_like_any_other(scene, health):
    """Its plan names what nobody sells: what lies there is found all the same, and the other cells stay as they are."""
    cell = int(health.planogram["takes"].argmax())
    products = scene.sensors.planogram["product"].to_numpy().copy()
    true, products[cell] = products[cell], "nobody sells this"
    found = find_contents(planned(scene, products))
    assert found.loc[cell, ["product", "verdict", "wrong"]].tolist() == [true, "wrong", 1.0]
    others = found.index != cell
    assert found["verdict"][others].ne("wrong").all()
    assert (found["product"] == health.planogram["product"])[others & (found["verdict"] == "ok")].all()
    assert mend_planogram(planned(scene, products), found).sensors.planogram["product"].iloc[cell] == true


def test_nobody_can_tell_of_a_cell_that_nothing_was_taken_from(scene):
    quiet = scene._replace(
        sensors=scene.sensors._replace(plates=scene.sensors.plates.iloc[:0]), hands=scene.hands.iloc[:0]
    )
    found = check_store(quiet)
    assert (found.planogram["verdict"] == "cannot tell").all() and not found.planogram["takes"].any()
    summary = found.summary.set_index("what")
    assert summary.loc[["untagged", "wrong cells"], "verdict"].eq("cannot tell").all()
    assert summary.loc["dead antennas", "verdict"] == "ok"


def test_a_store_without_reads_says_so(scene):
    found = check_store(without(scene, slice(0, 0)))
    assert (found.antennas["verdict"] == "cannot tell").all()
    assert found.summary.set_index("what").loc[["untagged", "dead antennas"], "verdict"].eq("cannot tell").all()
    assert not (found.planogram["verdict"] == "wrong").any()
