"""Pieces on shelves: each is in one place at a time, and what is told of hands is what happened."""

import numpy as np
import pandas as pd
import pytest

from retailkit.simulate.radio import Habit, Scales, move_goods, weigh
from retailkit.simulate.visits import Habits, simulate_store_day
from retailkit.simulate.visits.layout import make_plan

SAFE = Habit(facings=60, untagged=0.0, misplaced=0.0)


@pytest.fixture(scope="module")
def day():
    plan = make_plan(3, checkouts=0, cells=6, preference={"price": -0.3, "none": -1.5})
    habits = Habits(put_back=0.3, sizes=(0.6, 0.3, 0.1))
    return simulate_store_day(
        plan, shoppers=60, hours=0.5, recording=(0, 0.7), staff=0, groups=0.7, habits=habits, seed=4
    )


def test_what_is_kept_is_what_the_day_says(day):
    goods = move_goods(day, SAFE, 1)
    found = goods.receipts.groupby(["visit", "product"]).size()
    counts = day.hands.pivot_table(
        index=["visit", "product"], columns="kind", values="time", aggfunc="count", fill_value=0
    )
    kept = counts["take"] - counts["return"]
    assert found.to_dict() == kept[kept > 0].to_dict() and found.sum() > 60


@pytest.mark.parametrize("seed", range(3))
def test_each_piece_is_in_one_place_at_a_time(day, seed):
    goods = move_goods(day, Habit(facings=3, handed=0.5, concealed=0.4, misplaced=0.4), seed)
    stays = goods.stays
    assert set(stays["piece"]) == set(goods.pieces["piece"])
    assert ((stays["visit"] >= 0) == (stays["cell"] == "")).all(), "it lies or it is carried"
    assert (stays.groupby("piece")["start"].diff().dropna() > 0).all()
    taken = goods.hands[goods.hands["kind"] == "take"]
    before = stays.assign(before=stays.groupby("piece")["cell"].shift()).merge(
        taken, left_on=["piece", "start"], right_on=["piece", "time"], suffixes=("", "_hand")
    )
    assert len(before) == len(taken) and (before["before"] == before["cell_hand"]).all(), "taken from where it lay"


def test_pieces_change_hands_within_parties_only(day):
    goods = move_goods(day, Habit(facings=60, handed=1.0), 2)
    party = day.visitors.set_index("visit")["group"]
    carried = goods.stays[goods.stays["visit"] >= 0]
    before = carried.groupby("piece")["visit"].shift()
    # a carried stretch that follows another carried stretch of the same piece, with none on a shelf between
    on_shelf = (goods.stays["visit"] < 0).groupby(goods.stays["piece"]).cumsum()[carried.index]
    same = on_shelf == on_shelf.groupby(carried["piece"]).shift()
    given = carried[same & before.notna()]
    assert len(given) > 10
    assert (party.reindex(given["visit"]).to_numpy() == party.reindex(before[given.index]).to_numpy()).all()


def test_what_is_hidden_leaves_and_its_last_take_is_unseen(day):
    goods = move_goods(day, Habit(facings=60, concealed=0.5), 3)
    hidden = goods.stays.loc[goods.stays["hidden"], "piece"].unique()
    share = len(hidden) / len(goods.receipts)
    assert set(hidden) <= set(goods.receipts["piece"]) and 0.35 < share < 0.65
    takes = goods.hands[goods.hands["hidden"]]
    assert set(takes["piece"]) == set(hidden) and takes["piece"].is_unique
    last = goods.hands[goods.hands["kind"] == "take"].groupby("piece")["time"].max()
    assert (takes.set_index("piece")["time"] == last.reindex(takes["piece"])).all()


def test_shares_are_those_asked(day):
    goods = move_goods(day, Habit(facings=60, untagged=0.2, metal=0.2, liquid=0.3), 5)
    assert goods.pieces["tagged"].mean() == pytest.approx(0.8, abs=0.03)
    losses = goods.products["loss"].value_counts(normalize=True)
    assert set(losses.index) <= {0.0, -6.0, -20.0} and losses[0.0] == pytest.approx(0.5, abs=0.2)
    weight = np.sort(goods.products["weight"])
    crowded = np.mean([np.abs(np.delete(weight, row) - weight[row]).min() <= 5 for row in range(len(weight))])
    assert crowded > 0.5, "most products have another of nearly their weight"


def test_plates_without_noise_tell_what_left(day):
    goods = move_goods(day, SAFE, 1)
    exact = Scales(noise=0.0, missed=0.0, pieces=0.0, late=1e-9, least=0.0)
    told = weigh(goods, exact, 1).groupby("cell")["grams"].sum()
    left = goods.receipts.merge(goods.products, on="product").merge(goods.pieces[["piece", "cell"]], on="piece")
    true = left.groupby("cell")["weight"].sum()
    pd.testing.assert_series_equal(-told[told != 0].round(1), true.round(1), check_names=False, atol=0.2)
    assert len(weigh(goods, Scales(missed=1.0), 1)) == 0
