"""How far each visit went with each product: by hand, against all that can happen, and against a day that is known."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hand_worlds import CELLS, act, make_stays, see
from hypothesis import given
from hypothesis import strategies as some

from retailkit.lab.intervals import Estimate
from retailkit.simulate.visits import simulate_store_day
from retailkit.store.visits.attention import find_funnel, name_hands, stage_values

SHELF = pd.DataFrame({"cell": ["t1", "t2", "r1"], "zone": ["tea", "tea", "rice"], "product": ["mild", "mild", "rice"]})
STAYS = pd.DataFrame(
    {"visit": [1, 1, 2], "zone": ["tea", "tea", "rice"], "dwell": [3.0, 20.0, 1.0], "stopped": [False, True, False]}
)


def events(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["visit", "time", "cell", "kind", "probability"])


def stages(funnel, visit: object = 1, **place: str) -> tuple[float, ...]:
    rows = funnel.exposures.set_index("visit").loc[[visit]]
    for name, value in place.items():
        rows = rows[rows[name] == value]
    return tuple(rows[["stopped", "reached", "took", "kept"]].iloc[0].round(9))


@pytest.mark.parametrize(
    ("hands", "expected"),
    [
        ([], (1, 0, 0, 0)),
        ([(1, 0, "t1", "reach", 1.0)], (1, 1, 0, 0)),
        ([(1, 0, "t1", "take", 1.0)], (1, 1, 1, 1)),
        ([(1, 0, "t1", "take", 1.0), (1, 9, "t1", "return", 1.0)], (1, 1, 1, 0)),
        ([(1, 0, "t1", "take", 1.0), (1, 5, "t1", "take", 1.0), (1, 9, "t1", "return", 1.0)], (1, 1, 1, 1)),
        ([(1, 0, "t1", "take", 0.7)], (1, 0.7, 0.7, 0.7)),
        ([(1, 0, "t1", "take", 0.7), (1, 9, "t1", "return", 0.5)], (1, 0.7, 0.7, 0.2)),
        ([(1, 0, "t1", "reach", 0.7), (1, 1, "t1", "take", 0.7)], (1, 0.7, 0.7, 0.7)),  # one movement
        ([(1, 0, "t1", "reach", 0.9), (1, 1, "t1", "take", 0.7)], (1, 0.9, 0.7, 0.7)),
        ([(1, 0, "t1", "reach", 0.7), (1, 9, "t1", "take", 0.7)], (1, 0.91, 0.7, 0.7)),  # two
        ([(1, 0, "t1", "take", 0.5), (1, 5, "t1", "take", 0.5)], (1, 0.75, 0.75, 0.75)),
    ],
)
def test_stages_of_one_visit_and_cell(hands, expected):
    assert stages(find_funnel(STAYS, events(*hands), SHELF), cell="t1") == expected


def test_exposure_is_all_that_lies_in_the_zones_that_a_visit_was_in():
    rows = find_funnel(STAYS, events(), SHELF).exposures
    assert rows[["visit", "cell", "dwell", "passed", "stopped"]].values.tolist() == [
        [1, "t1", 23.0, 1.0, 1.0],
        [1, "t2", 23.0, 1.0, 1.0],
        [2, "r1", 1.0, 1.0, 0.0],
    ]


def test_by_product_a_pack_in_the_products_other_cell_is_back():
    hands = events((1, 0, "t1", "take", 1.0), (1, 9, "t2", "return", 1.0))
    assert stages(find_funnel(STAYS, hands, SHELF, per="product")) == (1, 1, 1, 0)
    assert stages(find_funnel(STAYS, hands, SHELF), cell="t1") == (1, 1, 1, 1)
    zones = find_funnel(STAYS, hands, SHELF, per="zone").exposures
    assert zones["zone"].tolist() == ["tea", "rice"] and "product" not in zones


def test_a_threshold_decides():
    hands = events((1, 0, "t1", "take", 0.7), (1, 9, "t1", "return", 0.4))
    assert stages(find_funnel(STAYS, hands, SHELF, threshold=0.5), cell="t1") == (1, 1, 1, 1)
    assert stages(find_funnel(STAYS, hands, SHELF, threshold=0.4), cell="t1") == (1, 1, 1, 0)


def test_what_cannot_be_is_set_aside_and_told():
    hands = events(
        (1, 0, "t1", "take", 1.2), (1, 0, "x9", "take", 1.0), (1, 0, "t1", "grab", 1.0), (2, 0, "t1", "take", 1.0),
        (None, 0, "t1", "take", 1.0), (1, np.nan, "t1", "take", 1.0), (1, 5, "t2", "take", 1.0),
        (1, 6, "t1", "return", 1.0), (1, 7, "t1", "return", 1.0),
    )  # fmt: skip
    funnel = find_funnel(STAYS, hands, SHELF)
    assert funnel.quarantine["row"].tolist() == [1, 2, 3, 4, 5, 6, 8, 9]
    assert funnel.quarantine["problem"].tolist() == [
        "probability is no number from 0 to 1: 1.2",
        "there is no such cell",
        "kind is none of reach, take, return: grab",
        "this visit was never in the cell's zone",
        "no visit",
        "time is not a number",
        *["this visit puts back what it did not take: it fills shelves"] * 2,
    ]
    assert funnel.exposures["kept"].sum() == 1


def test_staff_are_left_out_with_their_hands():
    funnel = find_funnel(STAYS, events((1, 0, "t1", "return", 1.0)), SHELF, staff=[1])
    assert funnel.exposures["visit"].tolist() == [2] and funnel.quarantine.empty


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"per": "shelf"}, "per is 'shelf'"),
        ({"recall": 0.4}, "recall of 'reach' is 0.4; a share from 0.5 to 1"),
        ({"recall": {"grab": 0.9}}, "recall is given for 'grab'"),
        ({"threshold": 0.0}, "threshold is 0.0"),
        ({"cells": pd.concat([SHELF, SHELF[:1]])}, "cells: 't1' is listed twice"),
        ({"cells": SHELF.drop(columns="product"), "per": "product"}, "cells has no column product; it has cell, zone"),
        ({"zone_visits": STAYS.assign(dwell=[1.0, np.nan, 2.0])}, "zone_visits, row 2: dwell is nan"),
        ({"hands": pd.DataFrame({"visit": [1]})}, "hands has no column time, cell, kind, probability"),
    ],
)
def test_bad_input_is_refused(changes, message):
    given = {"zone_visits": STAYS, "hands": events(), "cells": SHELF} | changes
    with pytest.raises(ValueError, match=message):
        find_funnel(**given)


shares = some.floats(0.5, 1.0)


@given(takes=some.integers(0, 3), returns=some.integers(0, 3), take=shares, back=shares)
def test_on_average_missed_events_are_made_up_for_whatever_happened(takes, returns, take, back):
    """Go through all ways in which events can be missed, and weigh what is made of each by its probability."""
    returns = min(returns, takes)
    kinds, recall = ["take"] * takes + ["return"] * returns, {"reach": 1, "take": take, "return": back, "both": take}
    ways = list(product([True, False], repeat=len(kinds)))
    rows = [(way, kind) for way, seen in enumerate(ways) for kind, s in zip(kinds, seen, strict=True) if s]
    frame = pd.DataFrame(rows, columns=["exposure", "kind"]).assign(probability=1.0, joined=False)
    found = stage_values(frame, len(ways), recall)
    chance = [np.prod([recall[k] if s else 1 - recall[k] for k, s in zip(kinds, seen, strict=True)]) for seen in ways]
    assert chance @ found["took"] == pytest.approx(float(takes > 0), abs=1e-9)
    assert chance @ found["kept"] == pytest.approx(float(takes > returns), abs=1e-9)


@given(reach=shares, take=shares, luck=some.floats(0, 1))
def test_on_average_a_movement_counts_once_however_its_two_events_are_missed(reach, take, luck):
    low = max(reach + take - 1, 1e-3)
    both = low + luck * (min(reach, take) - low)  # from missed as far apart as can be to missed together
    recall = {"reach": reach, "take": take, "return": 1.0, "both": both}
    whole = pd.DataFrame({"exposure": 0, "kind": ["reach", "take"], "probability": 1.0, "joined": [True, False]})
    seen = [(both, whole), (reach - both, whole[:1].assign(joined=False)), (take - both, whole[1:])]
    assert sum(chance * stage_values(rows, 1, recall)["reached"][0] for chance, rows in seen) == pytest.approx(1)


def test_a_day_that_is_known_is_told_as_it_was():
    day = simulate_store_day(shoppers=40, hours=1, seed=4)
    staff = day.visitors.loc[day.visitors["kind"] == "staff", "visit"]
    found = find_funnel(day.zone_visits, day.hands, day.plan.cells, staff=staff)
    names = ["visit", "cell", "zone", "product", "passed", "stopped", "reached", "took", "kept"]
    same = found.exposures[names].astype(day.funnel.dtypes[names].to_dict())
    pd.testing.assert_frame_equal(same, day.funnel[names], check_dtype=False)
    assert found.quarantine.empty and found.exposures["took"].sum() > 20


def test_missed_and_unsure_events_leave_the_funnel_where_it_was():
    rng = np.random.default_rng(0)
    stays = make_stays(rng, 20_000)
    hands = act(rng, stays)
    recall = {"reach": 0.75, "take": 0.85, "return": 0.7}
    true = find_funnel(stays, hands, CELLS).exposures
    seen = see(rng, stays, hands, recall)
    naive, right = (find_funnel(stays, seen, CELLS, recall=share).exposures for share in (1.0, recall))
    for stage in ("reached", "took", "kept"):
        error = (right[stage] - true[stage]).groupby(true["visit"]).sum().std() * 20_000**0.5
        assert abs(right[stage].sum() - true[stage].sum()) < 4 * error
        assert true[stage].sum() - naive[stage].sum() > 10 * error


def test_a_recall_may_be_measured():
    recall = {"take": Estimate(0.8, 0.7, 0.9)}
    funnel = find_funnel(STAYS, events((1, 0, "t1", "take", 1.0)), SHELF, recall=recall)
    assert stages(funnel, cell="t1") == (1, 1.25, 1.25, 1.25)
    assert funnel.recall["reach"].width == 0 and funnel.recall["both"].value == 0.8


def test_hands_get_the_names_of_joined_tracks():
    tracks = pd.DataFrame({"visit": [1, 1, 1, 4], "piece": [1, 7, 7, 7], "time": [0.0, 1.0, 2.0, 3.0]})
    hands = events((7, 3.1, "t1", "take", 1.0), (7, 1.2, "t1", "reach", 1.0), (7, 9.0, "t1", "take", 1.0))
    named = name_hands(hands, tracks)
    assert named["visit"].tolist()[:2] == [4, 1] and named["visit"].isna().tolist() == [False, False, True]
    assert named.columns.tolist() == hands.columns.tolist()
    odd = events((7, np.nan, "t1", "take", 1.0), (None, 1.0, "t1", "take", 1.0), (9, 1.0, "t1", "take", 1.0))
    assert name_hands(odd, tracks)["visit"].isna().all()
