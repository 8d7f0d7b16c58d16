"""Acts at shelves: which product it was, by the plan, by weight, and by what people hold."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from retailkit.simulate.radio import Setting, sense_day
from retailkit.store.fusion import acts
from retailkit.store.fusion.acts import find_acts
from retailkit.store.fusion.joint import Options, fuse_scene
from retailkit.store.fusion.sensors import prepare, sensors_of

SMALL = Setting(shoppers=6.0, hours=0.06, aisles=2, cells=4)


@pytest.fixture(scope="module")
def scene():
    return prepare(sensors_of(sense_day(SMALL, seed=2)))


def told(scene, moved: list[tuple[float, str, float]]):
    """The scene with these acts on plates (seconds, cell, grams), and two products that weigh alike."""
    plates = pd.DataFrame(moved, columns=["time", "cell", "grams"]).astype({"time": float, "cell": str, "grams": float})
    products = scene.sensors.products.assign(weight=100.0 + 40.0 * np.arange(len(scene.sensors.products)))
    sensors = scene.sensors._replace(plates=plates, products=products)
    return scene._replace(sensors=sensors, hands=scene.hands.iloc[:0])


def moment_and_cells(scene) -> tuple[float, str, str]:
    """When somebody reached into a cell, that cell, and the nearest one of another product."""
    hand = scene.hands.iloc[0]
    plan = scene.sensors.planogram
    one = plan.set_index("cell").loc[hand["cell"]]
    others = plan[plan["product"] != one["product"]]
    near = others.iloc[np.hypot(others["x"] - one["x"], others["y"] - one["y"]).argmin()]
    return float(hand["time"]), hand["cell"], near["cell"]


def weight_of(scene, cell: str) -> tuple[int, float]:
    product = scene.sensors.planogram.set_index("cell")["product"][cell]
    row = int(np.flatnonzero(scene.sensors.products["product"] == product)[0])
    return row, 100.0 + 40.0 * row


def test_a_thing_put_back_in_another_place_is_what_was_held_and_lies_there(scene):
    time, one, other = moment_and_cells(scene)
    row, weight = weight_of(scene, one)
    acts = [(time, one, -weight), (time + 2, other, weight), (time + 4, other, -weight)]
    found = find_acts(told(scene, acts))
    assert found.products.argmax(axis=1).tolist() == [row, row, row]
    assert found.products[1:, row].min() > 0.9


def test_what_weighs_like_its_own_place_is_that_when_nobody_holds_anything(scene):
    time, one, _ = moment_and_cells(scene)
    row, weight = weight_of(scene, one)
    found = find_acts(told(scene, [(time, one, weight)]))
    assert found.products[0, row] > 0.9 and found.table["pieces"].tolist() == [1]


def test_three_pieces_at_once(scene):
    time, one, _ = moment_and_cells(scene)
    row, weight = weight_of(scene, one)
    found = find_acts(told(scene, [(time, one, -3 * weight)]))
    assert found.products.argmax(axis=1).tolist() == [row] * 3 and found.table["pieces"].tolist() == [3] * 3
    charged = fuse_scene(told(scene, [(time, one, -3 * weight)]), Options(reads=False)).receipts
    assert charged["quantity"].sum() == 3, "each is a thing of its own"


@pytest.mark.parametrize("alike", [True, False])
def test_what_two_hands_took_and_a_plate_weighed_as_one_is_parted(scene, alike):
    time, one, other = moment_and_cells(scene)
    other = one if alike else other
    (row, weight), (second, more) = weight_of(scene, one), weight_of(scene, other)
    hand = scene.hands.iloc[0]
    pieces = scene.hands["piece"].drop_duplicates().iloc[:2].tolist()
    hands = pd.DataFrame([{**hand, "kind": "take", "cell": cell, "piece": piece, "time": time + late}
                          for cell, piece, late in ((one, pieces[0], 0.0), (other, pieces[1], 0.7))])  # fmt: skip
    weighed = told(scene, [(time, one, -weight - more)])
    found = find_acts(weighed._replace(hands=hands))
    assert found.products.argmax(axis=1).tolist() == [row, second] and found.products.max(axis=1).min() > 0.9
    assert found.table["hand"].tolist() == [0, 1] and (found.table["real"] == 1).all()
    assert found.tracks[[0, 1], pieces].min() > 0.9, "each is of its own hand"
    assert found.table["grams"].sum() == pytest.approx(-weight - more)
    assert found.table["parted"].all()


@pytest.mark.parametrize("why", ["one hand", "one piece", "late", "far"])
def test_what_one_hand_may_have_taken_is_left_whole(scene, why):
    time, one, _ = moment_and_cells(scene)
    _, weight = weight_of(scene, one)
    plan = scene.sensors.planogram.set_index("cell")
    away = np.hypot(plan["x"] - plan.at[one, "x"], plan["y"] - plan.at[one, "y"])
    cell = away.idxmax() if why == "far" else one
    hands = pd.DataFrame([{**scene.hands.iloc[0], "kind": "take", "cell": place, "time": time + late}
                          for place, late in ((one, 0.0), (cell, 2.5 if why == "late" else 0.7))])  # fmt: skip
    weighed = told(scene, [(time, one, -weight if why == "one piece" else -2 * weight)])
    found = find_acts(weighed._replace(hands=hands.iloc[:1] if why == "one hand" else hands)).table
    assert not found["parted"].any() and (found["hand"][found["grams"].notna()] == 0).all()


def test_of_things_that_weigh_alike_the_latest_is_put_back(scene, monkeypatch):
    monkeypatch.setattr(acts, "_FRESH", 1.0)  # seconds: nobody in this scene stands still for half a minute
    time, one, other = moment_and_cells(scene)
    (row, weight), (late, _) = weight_of(scene, one), weight_of(scene, other)
    alike = told(scene, [(time - 1, one, -weight), (time, other, -weight), (time + 1, "nowhere", weight)])
    heavy = np.full(len(alike.sensors.products), 5000.0)
    heavy[[row, late]] = weight
    strange = alike.sensors.planogram.set_index("cell").loc[[one]].reset_index().assign(cell="nowhere", product="")
    sensors = alike.sensors._replace(
        products=alike.sensors.products.assign(weight=heavy), planogram=pd.concat([alike.sensors.planogram, strange])
    )
    found = find_acts(alike._replace(sensors=sensors))
    assert found.products[2].argmax() == late and found.products[2, [row, late]].sum() > 0.99


@settings(deadline=None, max_examples=25)
@given(some.lists(some.tuples(some.integers(0, 60), some.integers(0, 7), some.floats(-900, 900)), max_size=8))
def test_products_of_an_act_are_probabilities(scene, moved):
    time, *_ = moment_and_cells(scene)
    cells = scene.sensors.planogram["cell"].tolist()
    rows = sorted((time + after, cells[cell % len(cells)], grams) for after, cell, grams in moved if abs(grams) > 8)
    found = find_acts(told(scene, rows))
    assert len(rows) <= len(found.table) <= 3 * len(rows)
    assert found.products.sum(axis=1) == pytest.approx(1.0) and (found.products >= 0).all()
