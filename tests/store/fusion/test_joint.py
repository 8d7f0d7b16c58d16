"""Who took what, on small days: every method gives what it should, and ours finds most."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from retailkit.simulate.radio import Setting, sense_day
from retailkit.store.fusion.acts import Acts, find_acts
from retailkit.store.fusion.arms import ARMS, rfid_only
from retailkit.store.fusion.joint import Options, fuse_scene, keep_takes
from retailkit.store.fusion.scoring import score_day
from retailkit.store.fusion.sensors import prepare, sensors_of
from retailkit.store.fusion.truth import TrueDay, check_beliefs, truth_of

SMALL = Setting(
    shoppers=14.0, hours=0.12, aisles=2, cells=5, cameras={"missed": 0.1, "jitter": 0.1, "hand_confused": 0.1}
)


def share(found, truth: TrueDay, measure: str = "attribution") -> tuple[float, float]:
    [row] = score_day(found, truth).query("measure == @measure").itertuples()
    return row.numerator, row.denominator


@pytest.fixture(scope="module")
def days():
    return [sense_day(SMALL, seed) for seed in (1, 2, 3)]


@pytest.fixture(scope="module")
def scenes(days):
    return [prepare(sensors_of(day)) for day in days]


def test_ours_finds_most_and_more_than_cameras_or_the_door(days, scenes):
    totals = {}
    for name, arm in {**ARMS, "ours": fuse_scene}.items():
        right = np.array([share(arm(scene), truth_of(day)) for day, scene in zip(days, scenes, strict=True)]).sum(
            axis=0
        )
        totals[name] = right[0] / right[1]
    print({name: round(value, 3) for name, value in totals.items()})
    assert totals["ours"] > 0.85 and totals["ours"] >= max(totals["vision only"], totals["RFID only"]) - 0.01


@pytest.mark.parametrize("name", [*ARMS, "ours", "without reads"])
def test_beliefs_can_be(days, scenes, name):
    arm = {**ARMS, "ours": fuse_scene, "without reads": lambda scene: fuse_scene(scene, Options(reads=False))}[name]
    found = arm(scenes[0])
    check_beliefs(found.beliefs)
    assert set(found.beliefs["shopper"]) <= set(days[0].truth.day.visitors["visit"])
    assert (found.receipts["quantity"] >= 1).all() and not found.receipts.duplicated(["shopper", "product"]).any()


def test_shuffled_reads_name_nobody(days, scenes):
    """The placebo: each tag's reads under another tag's code of another product."""
    scene, truth = scenes[0], truth_of(days[0])
    codes = scene.sensors.reads["epc"].cat.categories
    turned = scene.sensors.reads["epc"].cat.rename_categories(dict(zip(codes, np.roll(codes, 40), strict=True)))
    reads = scene.sensors.reads.assign(epc=turned.cat.reorder_categories(codes))
    placebo = scene._replace(sensors=scene.sensors._replace(reads=reads))
    right, total = share(rfid_only(placebo), truth)
    real, _ = share(rfid_only(scene), truth)
    assert right < 0.4 * total and real > right + 5


def test_the_door_does_not_look_at_cameras(scenes):
    blind = scenes[0]._replace(hands=scenes[0].hands.iloc[:0])
    pd.testing.assert_frame_equal(rfid_only(blind).beliefs, rfid_only(scenes[0]).beliefs)


def test_acts_are_found_with_their_clocks_set():
    """Plates whose clock is five seconds off: acts are still those of hands."""
    day = sense_day(replace(SMALL, skew=5.0, cameras={"hand_missed": 0.0, "hand_confused": 0.0}), seed=5)
    scene = prepare(sensors_of(day))
    table = find_acts(scene).table
    hands = day.truth.goods.hands.query("piece >= 0")
    near = np.abs(table["time"].to_numpy()[:, None] - hands["time"].to_numpy()[None]).min(axis=0)
    assert np.mean(near < 1.0) > 0.9 and (table["hand"] >= 0).mean() > 0.8
    right = find_acts(scene).products.argmax(axis=1)
    weights = scene.sensors.products["weight"].to_numpy()[right]
    known = table["grams"].notna()
    assert np.median(np.abs(weights[known] - table.loc[known, "grams"].abs())) < 5


def test_an_empty_day_has_no_beliefs():
    day = sense_day(replace(SMALL, shoppers=1.0, hours=0.02), seed=4)
    quiet = sensors_of(day)
    scene = prepare(quiet._replace(plates=quiet.plates.iloc[:0], hands=quiet.hands.iloc[:0]))
    assert len(fuse_scene(scene).receipts) == 0


@pytest.mark.parametrize("lost", ["faces", "tracks", "reads", "plates and hands"])
def test_a_day_without_one_of_its_devices_is_no_error(days, lost):
    sensors = sensors_of(days[0])
    gone = {
        "faces": {"entries": sensors.entries.iloc[:0], "exits": sensors.exits.iloc[:0]},
        "tracks": {"tracks": sensors.tracks.iloc[:0], "hands": sensors.hands.iloc[:0]},
        "reads": {"reads": sensors.reads.iloc[:0]},
        "plates and hands": {"plates": sensors.plates.iloc[:0], "hands": sensors.hands.iloc[:0]},
    }[lost]
    found = fuse_scene(prepare(sensors._replace(**gone)))
    check_beliefs(found.beliefs)
    assert (len(found.receipts) > 0) == (lost == "reads"), "plates and cameras alone still tell something"


@pytest.mark.parametrize(
    ("signs", "hands", "kept"),
    [
        ([-1, 1], [0.97, 0.5], [0.02, 0.0]),  # only one can have been put back, whoever's hand it was
        ([-1, 1], [1.0, 1.0], [0.0, 0.0]),
        ([-1, 1], [1.0, 0.0], [1.0, 0.0]),  # somebody else, who surely took none: it was taken unseen
        ([-1, -1, 1], [1.0, 1.0, 1.0], [0.5, 0.5, 0.0]),  # either of two
        ([-1, -1, 1, 1], [1.0] * 4, [0.0] * 4),
        ([-1] * 3 + [1] * 3, [1.0] * 6, [0.0] * 6),
        ([1, -1], [1.0, 1.0], [0.0, 1.0]),  # what is put back was taken before
    ],
)
def test_what_was_put_back_was_taken_before(signs, hands, kept):
    """Acts of one product, of whom the first shopper's hand it was so probably; the other is the second."""
    table = pd.DataFrame({"sign": signs, "real": 1.0})
    found = keep_takes(
        Acts(table, np.ones((len(signs), 1)), np.empty((len(signs), 0))),
        np.column_stack([hands, 1 - np.array(hands)]),
        np.ones(len(signs)),
    )
    np.testing.assert_allclose(found, kept, atol=0.05)
