"""Plans hold together, ways through them are clear, and what cannot be is refused with its reason."""

from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import Phase, given, settings
from hypothesis import strategies as some

from retailkit.simulate.visits import default_plan, make_plan, simulate_store_day
from retailkit.simulate.visits.plan import standing_places
from retailkit.simulate.visits.routes import is_free

PLAN = default_plan()


def test_the_default_plan_is_small_and_complete():
    assert PLAN.outline == (12.0, 9.0) and len(PLAN.shelf_zones) == 6 and len(PLAN.cells) == 30
    assert {"entrance", "queue", "checkout 1", "checkout 2", "staff area"} < set(PLAN.zones)
    assert PLAN.cells["product"].is_unique and len(PLAN.cameras) == 8


def test_one_stands_inside_the_zone_within_reach_of_the_cell():
    places = standing_places(PLAN.cells, PLAN.zones)
    for place, zone in zip(places, PLAN.cells["zone"], strict=True):
        assert shapely.Polygon(PLAN.zones[zone]).contains(shapely.Point(place))
    assert np.hypot(*(places - PLAN.cells[["x", "y"]].to_numpy()).T).max() < 0.6


def test_ways_are_shortest_and_clear():
    routes = PLAN.routes
    walls = shapely.union_all([shapely.box(*wall) for wall in PLAN.walls])
    for end in range(1, len(routes.places)):
        way = shapely.LineString([routes.points[0], *routes.way(0, end)])
        assert way.distance(walls) > 0.2 and way.length == pytest.approx(routes.length[0, end])
        straight = shapely.LineString(routes.points[[0, end]])
        assert way.length >= straight.length - 1e-9
        if straight.distance(walls) > 0.3:
            assert way.length == pytest.approx(straight.length)
    assert len(routes.way(3, 3)) == 0


@settings(max_examples=6, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(
    aisles=some.integers(1, 5), width=some.floats(2.8, 4.0), length=some.floats(3.0, 8.0), cells=some.integers(1, 8),
    seed=some.integers(0, 99),
)  # fmt: skip
def test_stores_of_any_size_can_be_walked(aisles, width, length, cells, seed):
    plan = make_plan(aisles, aisle_width=width, shelf_length=length, cells=cells, checkouts=0, seed=seed)
    assert len(plan.cells) == 2 * aisles * cells and np.isfinite(plan.routes.length).all()
    shapes = [shapely.Polygon(zone) for zone in plan.zones.values()]
    assert shapely.union_all(shapes).area == pytest.approx(sum(shape.area for shape in shapes))
    day = simulate_store_day(plan, shoppers=25, hours=0.3, groups=0.6, staff=1, seed=seed)
    assert len(day.queue) == 0 and set(day.zone_visits["zone"]) <= set(plan.zones)
    assert is_free(day.tracks[["x", "y"]].to_numpy(), plan.walls, 0.0).all()
    step = day.ways.groupby("visit")[["time", "x", "y"]].diff().dropna()
    assert (np.hypot(step["x"], step["y"]) < 2.5 * step["time"]).all()


def test_a_second_door_is_used():
    doors = {**PLAN.doors, "side": ((2.1, 7.5), (2.1, 9.0))}
    plan = replace(PLAN, doors=doors, obstacles=moved(PLAN.obstacles, 4, x_low=0.0, y_low=7.4, x_high=2.1, y_high=7.5))
    day = simulate_store_day(plan, shoppers=60, hours=1, step=2.0, seed=2)
    assert set(day.crossings["door"]) == {"entrance", "side"}
    first = day.crossings.drop_duplicates("visit").merge(day.visitors[["visit", "door"]], on="visit")
    assert (first["direction"] == "in").all() and (first["door_x"] == first["door_y"]).all()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"aisles": 0}, "aisles is 0: 1 to 40"),
        ({"aisles": 1, "aisle_width": 2.2}, "a store 3.2 m wide has no room for the door, which needs 3.7 m"),
        ({"aisle_width": 1.0}, r"aisle_width is 1.0: 2 to 10"),
        ({"cells": 0}, "cells is 0"),
        ({"cells": 30}, "shelf_length is 3.4: 9 to 60"),
        ({"checkouts": 5}, "checkouts is 5: 0 to 2 have room in a front of 12 m"),
        ({"zone_depth": 0.2}, "zone_depth is 0.2"),
        ({"preference": {"price": -1.0}}, "needs 'none'"),
        ({"preference": {"prize": -1.0, "none": 0.0}}, "columns of cells, which are cell, zone"),
    ],
)
def test_sizes_that_cannot_be_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        make_plan(**wrong)


def moved(frame, row, **values):
    frame = frame.copy()
    for name, value in values.items():
        frame.loc[row, name] = value
    return frame


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"outline": (12.0, -1.0)}, "outline is"),
        ({"cells": PLAN.cells.drop(columns="price")}, "cells has no column price; it has cell, zone"),
        ({"cells": PLAN.cells.iloc[:0]}, "cells is empty"),
        ({"cells": moved(PLAN.cells, 1, cell="shelf 1, 1")}, "cell 'shelf 1, 1' is there twice"),
        ({"cells": moved(PLAN.cells, 1, zone="cellar")}, "cell 'shelf 1, 2' is in zone 'cellar'; zones are 'shelf 1'"),
        ({"cells": moved(PLAN.cells, 1, price=-2.0)}, "cell 'shelf 1, 2' has price -2: a price"),
        ({"obstacles": moved(PLAN.obstacles, 0, x_high=-1.0)}, "'shelving 1' is .* must have area"),
        ({"obstacles": moved(PLAN.obstacles, 2, x_high=13.0)}, "must have area, and lie in the outline"),
        ({"obstacles": moved(PLAN.obstacles, 1, x_low=2.4)}, "'cell shelf 2, 1' at .* nobody could stand there"),
        ({"obstacles": moved(PLAN.obstacles, 4, x_low=0.0, y_low=2.5, x_high=12.0, y_high=2.6)}, "slot 0"),
        ({"obstacles": moved(PLAN.obstacles, 4, x_low=0.0, y_low=3.4, x_high=12.0, y_high=3.8)}, "no way leads from"),
        ({"zones": {**PLAN.zones, "extra": [(0, 0), (2, 0), (2, 1)]}}, "'entrance' and 'extra' overlap by 0.64"),
        ({"zones": {**PLAN.zones, "extra": [(4, 0), (5, 1), (5, 0), (4, 1)]}}, "zone 'extra' is .* simple polygon"),
        ({"zones": {**PLAN.zones, "extra": [(11, 0), (13, 0), (13, 1)]}}, "inside of the outline"),
        ({"doors": {}}, "at least one door"),
        ({"doors": {"back": ((1, 1), (1.2, 1))}}, "door 'back' is .* 0.5 m apart"),
        ({"doors": {"back": ((1.2, 2.0), (3.2, 2.0))}}, "without passing its line .* put obstacles beside its ends"),
        ({"doors": {"back": ((3.2, 0.3), (1.2, 0.3))}}, "outside of the picture; move it in"),
        ({"queue": ()}, "checkouts need a queue of two points or more"),
        ({"queue_zone": "tail"}, "checkouts need a queue of two points or more in a zone 'tail'"),
    ],
)
def test_plans_that_cannot_be_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        replace(PLAN, **wrong)
