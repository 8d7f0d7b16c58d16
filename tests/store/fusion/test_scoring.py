"""Scores of a day: counted by hand, perfect where everything is known, and blind to what shoppers are called."""

from itertools import combinations, permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scored_days import PRODUCTS, a_day, guessing, knowing

from retailkit.store.fusion.attribution import EVENTS, Attribution, attribute
from retailkit.store.fusion.scoring import count_stock, judge_receipts, match_acts, score_day
from retailkit.store.fusion.truth import TrueDay, check_beliefs

ERRORS = ["count error", "money error", "overcharged value", "undercharged value", "overcharged receipts",
          "stock error", "stock bias"]  # fmt: skip


def ratios(found: Attribution, truth: TrueDay) -> pd.Series:
    sums = score_day(found, truth).set_index("measure")
    return sums["numerator"] / sums["denominator"]


def by_hand() -> tuple[Attribution, TrueDay]:
    """Ann (1) bought two teas and a rice, Ben (2) of her party a soap without a tag, Cem (3) nothing."""
    truth = TrueDay(
        pd.DataFrame({
            "piece": [0, 1, 4, 6], "epc": ["A0", "A1", "A4", ""], "product": ["tea", "tea", "rice", "soap"],
            "shopper": [1, 1, 1, 2],
        }),
        pd.DataFrame({"shopper": [1, 2, 3], "group": [7, 7, 8]}),
        PRODUCTS,
        pd.DataFrame(
            [(10.0, "c1", "take", "tea", 0), (12.0, "c1", "take", "tea", 1), (20.0, "c2", "take", "rice", 4),
             (30.0, "c3", "take", "soap", 6), (40.0, "c2", "take", "rice", 5), (45.0, "c1", "return", "rice", 5),
             (50.0, "c1", "reach", "tea", -1)],
            columns=["time", "cell", "kind", "product", "piece"],
        ),
        pd.DataFrame({
            "piece": range(8), "product": ["tea"] * 3 + ["rice"] * 3 + ["soap"] * 2,
            "cell": ["c1"] * 3 + ["c2"] * 3 + ["c3"] * 2,
        }),
        pd.DataFrame(
            [(piece, -np.inf, cell, -1) for piece, cell in enumerate(["c1"] * 3 + ["c2"] * 3 + ["c3"] * 2)]
            + [(0, 10.0, "", 1), (1, 12.0, "", 1), (4, 20.0, "", 1), (6, 30.0, "", 2), (5, 40.0, "", 3),
               (5, 45.0, "c1", -1)],
            columns=["piece", "start", "cell", "visit"],
        ),
    )  # fmt: skip
    found = Attribution(
        pd.DataFrame(
            [("A0", "tea", 1, 0.9), ("A0", "tea", 2, 0.1),  # right
             ("A1", "tea", 1, 0.4), ("A1", "tea", 2, 0.1),  # nobody is more probable
             ("A4", "rice", 1, 0.5), ("A4", "rice", 2, 0.5),  # undecided
             ("A7", "soap", 3, 1.0)],  # did not leave
            columns=["item", "product", "shopper", "probability"],
        ),
        pd.DataFrame(
            [(10.4, "take", "c1", "tea"), (13.5, "take", "c1", "tea"), (20.0, "take", "c1", "rice"),
             (31.0, "return", "c3", "soap"), (40.5, "take", "c2", "rice"), (49.0, "return", "c1", "rice")],
            columns=["time", "kind", "cell", "product"],
        ).assign(item="", shopper=1, probability=1.0)[EVENTS],
        pd.DataFrame({"shopper": [1, 1, 2, 3], "product": ["tea", "rice", "rice", "soap"], "quantity": [1, 1, 2, 1]}),
    )  # fmt: skip
    return found, truth


BY_HAND = {
    "attribution": (2, 4),  # a tea and a rice of Ann's
    "precision": (2, 5),
    "f1": (4, 9),
    "detection": (3, 4),  # a tea, a rice, and the soap, though on Cem's receipt
    "attribution of tagged": (1, 3),
    "receipts right": (0, 3),
    "jaccard": (2 / 3, 3),
    "count error": (1 + 1 + 1, 3),
    "money error": (3.75 + 2.5 + 4.0 - 10.25, 10.25),
    "overcharged value": (4.0, 10.25),
    "undercharged value": (2.5 + 1.5, 10.25),
    "overcharged receipts": (1, 3),
    "receipts of parties right": (0, 2),
    "act recall, 0.5 s": (2, 6),  # tea at 10, rice at 40
    "act precision, 0.5 s": (2, 6),
    "act f1, 0.5 s": (4, 12),
    "act recall, 1 s": (2, 6),
    "act recall, 2 s": (3, 6),  # and tea at 12
    "act recall, 5 s": (4, 6),  # and rice put back at 45
    # counted: c1 tea 3 - 2, rice -1 + 1; c2 rice 3 - 1; c3 soap 2 + 1. True: c1 tea 1, rice 1; c2 rice 1; c3 soap 1
    "stock exact": (0, 3),
    "stock error": (1 + 1 + 2, 3),
    "stock bias": (-1 + 1 + 2, 3),
}


@pytest.mark.parametrize("measure", BY_HAND)
def test_a_day_counted_by_hand(measure):
    sums = score_day(*by_hand()).set_index("measure").loc[measure]
    assert tuple(sums) == pytest.approx(BY_HAND[measure])


def test_each_measure_is_told_once():
    sums = score_day(*by_hand(), tolerances=[1.0])
    assert sums["measure"].is_unique
    assert list(sums) == ["measure", "numerator", "denominator"]
    assert len(sums) == 13 + 3 + 3


def test_receipts_one_by_one_and_merged():
    found, truth = by_hand()
    each = judge_receipts(found.receipts, truth)
    assert each["shopper"].tolist() == [1, 2, 3]
    assert each[["right", "found", "bought"]].values.tolist() == [[2, 2, 3], [0, 2, 1], [0, 1, 0]]
    assert each[["charged", "owed"]].values.tolist() == [[3.75, 6.25], [2.5, 4.0], [4.0, 0.0]]
    merged = judge_receipts(found.receipts, truth, merge=True)
    assert merged[["shopper", "right", "found", "bought"]].values.tolist() == [[7, 2, 4, 4], [8, 0, 1, 0]]


def test_who_of_a_party_took_it_matters_to_them_alone():
    found, truth = by_hand()
    swapped = truth.receipts.assign(shopper=truth.receipts["shopper"].map({1: 2, 2: 1}), quantity=1)
    score = ratios(found._replace(receipts=swapped[["shopper", "product", "quantity"]]), truth)
    assert score[["receipts right", "receipts of parties right"]].tolist() == pytest.approx([1 / 3, 1.0])
    assert score[["attribution", "detection", "money error"]].tolist() == [0.0, 1.0, 0.0]


@settings(max_examples=30, deadline=None)
@given(seed=some.integers(0, 10_000))
def test_who_knows_everything_scores_full(seed):
    truth = a_day(seed)
    score = score_day(knowing(truth), truth).set_index("measure")
    assert (score.loc[ERRORS, "numerator"] == 0).all()
    full = score.drop(index=ERRORS)
    assert (full["numerator"] == full["denominator"]).all()
    assert score.loc["receipts right", "denominator"] == 4


@settings(max_examples=30, deadline=None)
@given(seed=some.integers(0, 10_000))
def test_what_shoppers_are_called_changes_nothing(seed):
    truth = a_day(seed)
    found = guessing(truth, seed + 1)
    other = truth.shoppers["shopper"].map({0: 1, 1: 0, 2: 2, 3: 3}).to_dict()
    renamed = truth._replace(
        receipts=truth.receipts.assign(shopper=truth.receipts["shopper"].map(other)),
        shoppers=truth.shoppers.assign(shopper=truth.shoppers["shopper"].map(other)),
        stays=truth.stays.assign(visit=truth.stays["visit"].map(other | {-1: -1})),
    )
    told = Attribution(*(frame.assign(shopper=frame["shopper"].map(other)) for frame in found))
    pd.testing.assert_frame_equal(score_day(found, truth), score_day(told, renamed))


@settings(max_examples=30, deadline=None)
@given(seed=some.integers(0, 10_000))
def test_sums_fit_each_other(seed):
    truth = a_day(seed)
    sums = score_day(guessing(truth, seed), truth).set_index("measure")["numerator"]
    assert sums["attribution"] == sums["precision"] <= sums["detection"]
    assert sums["money error"] == pytest.approx(sums["overcharged value"] - sums["undercharged value"])
    recalls = [sums[f"act recall, {tolerance} s"] for tolerance in ("0.5", "1", "2", "5")]
    assert recalls == sorted(recalls)
    assert sums["receipts right"] <= sums["jaccard"]
    assert abs(sums["stock bias"]) <= sums["stock error"]


def test_a_worse_method_scores_less():
    truth = a_day(3, facings=20)
    known, guess = ratios(knowing(truth), truth), ratios(guessing(truth), truth)
    worse = ["attribution", "f1", "attribution of tagged", "receipts right", "jaccard", "act f1, 1 s", "stock exact"]
    assert (guess[worse] < known[worse]).all()


def test_a_method_without_acts_is_scored():
    truth = a_day(3)
    score = score_day(attribute(knowing(truth).beliefs), truth).set_index("measure")
    assert score.loc["attribution"].nunique() == 1
    assert score.loc[["act recall, 1 s", "act precision, 1 s"], "numerator"].tolist() == [0, 0]
    assert score.loc["act precision, 1 s", "denominator"] == 0


def test_nothing_told_and_nothing_bought():
    truth = a_day(3)
    silent = Attribution(*(frame.iloc[:0] for frame in knowing(truth)))
    score = score_day(silent, truth).set_index("measure")
    assert score.loc["attribution"].tolist() == [0, len(truth.receipts)]
    assert score.loc["precision"].tolist() == [0, 0]
    assert score.loc["undercharged value"].nunique() == 1
    nothing = score_day(silent, truth._replace(receipts=truth.receipts.iloc[:0])).set_index("measure")
    assert nothing.loc["receipts right"].tolist() == [4, 4]
    assert nothing.loc["money error"].tolist() == [0, 0]


def most_pairs(found: list[float], true: list[float], tolerance: float) -> int:
    """By trying all: the most of `found` that can each have a moment of `true` to themselves."""
    for number in range(min(len(found), len(true)), 0, -1):
        for some_found in combinations(found, number):
            for some_true in permutations(true, number):
                if all(abs(one - other) <= tolerance for one, other in zip(some_found, some_true, strict=True)):
                    return number
    return 0


MOMENTS = some.lists(some.integers(0, 12).map(lambda halves: halves / 2), max_size=4)


@settings(max_examples=200, deadline=None)
@given(found=MOMENTS, true=MOMENTS, tolerance=some.sampled_from([0.5, 1.0, 2.0]))
def test_acts_are_matched_as_by_trying_all(found, true, tolerance):
    frames = [pd.DataFrame({"time": times, "product": "tea", "cell": "a", "kind": "take"}) for times in (found, true)]
    assert match_acts(*frames, tolerance) == most_pairs(found, true, tolerance)


@pytest.mark.parametrize(
    ("change", "right"),
    [({}, 1), ({"product": "rice"}, 0), ({"cell": "b"}, 0), ({"kind": "return"}, 0), ({"time": 6.0}, 1),
     ({"time": 6.01}, 0)],
)  # fmt: skip
def test_an_act_is_right_in_all_it_says(change, right):
    true = pd.DataFrame({"time": [5.0], "product": "tea", "cell": "a", "kind": "take"})
    assert match_acts(true.assign(**change), true, 1.0) == right


def test_a_cell_that_is_not_there_is_counted():
    truth = a_day(0)
    events = pd.DataFrame({"time": [1.0], "kind": "return", "cell": "nowhere", "product": "tea"})
    stock = count_stock(events, truth).set_index("cell").loc["nowhere"]
    assert stock[["counted", "true"]].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("part", "change", "told"),
    [
        ("receipts", {"shopper": 99}, "receipts: shopper 99 is none of the 3 who came"),
        ("beliefs", {"shopper": range(90, 97)}, "beliefs: shopper 90 is none of the 3"),
        ("receipts", {"product": "gold"}, "product 'gold' has no price; 3 products have one"),
        ("receipts", {"quantity": 0.5}, "quantity is .*0.5"),
        ("beliefs", {"probability": 1.2}, "probability 1.2 of item 'A0'; 0 to 1 is needed"),
        ("beliefs", {"probability": np.nan}, "probability nan of item 'A0'"),
        ("beliefs", {"probability": 0.7}, "probabilities of item 'A0' sum to 1.4; 1 is the most"),
        ("beliefs", {"shopper": 1}, "item 'A0' has more than one row for shopper 1"),
        ("events", {"kind": "touch"}, "kind 'touch' is not take or return"),
    ],
)
def test_what_cannot_be_is_refused(part, change, told):
    found, truth = by_hand()
    with pytest.raises(ValueError, match=told):
        score_day(found._replace(**{part: getattr(found, part).assign(**change)}), truth)


@pytest.mark.parametrize("part", ["receipts", "beliefs", "events"])
def test_a_missing_column_is_named(part):
    found, truth = by_hand()
    with pytest.raises(ValueError, match=f"{part} has no column product; it has "):
        score_day(found._replace(**{part: getattr(found, part).drop(columns="product")}), truth)


@pytest.mark.parametrize(
    ("part", "change", "told"),
    [
        ("shoppers", lambda frame: frame.iloc[[0, 0]], "shopper 1 more than once"),
        ("shoppers", lambda frame: frame.iloc[:1], "truth.receipts: shopper 2 is none of the 1"),
        ("stays", lambda frame: frame.drop(columns="visit"), "truth.stays has no column visit"),
    ],
)
def test_a_truth_that_cannot_be_is_refused(part, change, told):
    found, truth = by_hand()
    with pytest.raises(ValueError, match=told):
        score_day(found, truth._replace(**{part: change(getattr(truth, part))}))


def test_rounding_of_probabilities_is_no_error():
    beliefs = pd.DataFrame({"item": "A", "product": "tea", "shopper": range(3), "probability": 1 / 3 + 1e-9})
    check_beliefs(beliefs)


def test_a_simulated_day_has_the_tables_that_are_scored():
    from retailkit.simulate.radio.goods import Habit, move_goods
    from retailkit.simulate.visits.day import simulate_store_day
    from retailkit.simulate.visits.layout import make_plan

    day = simulate_store_day(
        make_plan(2, cells=4, checkouts=0, seed=17), shoppers=10, hours=0.1, groups=0.5, staff=0, seed=3
    )
    goods = move_goods(day, Habit(misplaced=0.3, handed=0.3), 3)
    sold = goods.receipts.rename(columns={"visit": "shopper"})
    truth = TrueDay(
        sold.assign(epc="30" + sold["piece"].astype(str)),
        day.visitors.rename(columns={"visit": "shopper"})[["shopper", "group"]],
        goods.products, goods.hands.rename(columns={"visit": "shopper"}), goods.pieces, goods.stays,
    )  # fmt: skip
    assert len(sold) > 5
    score = score_day(knowing(truth), truth).set_index("measure")
    assert score.loc[["attribution", "stock exact", "act f1, 0.5 s"], "numerator"].gt(0).all()
    assert (score.loc[ERRORS, "numerator"] == 0).all()
    assert (score.drop(index=ERRORS)["numerator"] == score.drop(index=ERRORS)["denominator"]).all()
