"""What a person should look at: the unsure first, and only where a look is cheaper than a mistake."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scored_days import PRODUCTS, a_day, guessing, knowing

from retailkit.store.fusion.attribution import attribute, charge_expected, charge_most_probable
from retailkit.store.fusion.review import (
    Costs,
    cost_day,
    decide,
    doubt_receipts,
    errors_after_review,
    fit_of_counts,
    review_curve,
    weigh_items,
)

KINDS = PRODUCTS["product"].tolist()


def told(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["item", "product", "shopper", "probability"])


def judged(seed: int = 0, days: int = 20, number: int = 50) -> pd.DataFrame:
    """Receipts of some days that are wrong as often as they are unsure."""
    rng = np.random.default_rng(seed)
    unsure = rng.beta(0.5, 4, days * number)
    wrong = rng.random(days * number) < unsure
    return pd.DataFrame({"day": np.repeat(np.arange(days), number), "unsure": unsure, "wrong": wrong})


def test_doubt_by_hand():
    truth = a_day(0)
    beliefs = told(("A", "tea", 0, 0.9), ("A", "tea", 1, 0.1), ("B", "rice", 0, 0.8), ("C", "soap", 2, 0.4))
    found = doubt_receipts(attribute(beliefs), truth).set_index("shopper")["unsure"]
    assert found.tolist() == pytest.approx([1 - 0.9 * 0.8, 0.1, 0.4, 0.0])


def test_doubt_of_a_count_by_hand():
    """One of three tins is charged: who left with none, two or three is charged wrongly, whichever tins they are."""
    truth = a_day(0)
    beliefs = told(("A", "tea", 0, 0.5), ("B", "tea", 0, 0.4), ("C", "tea", 0, 0.2), ("D", "rice", 0, 0.1))
    one = 0.5 * 0.6 * 0.8 + 0.5 * 0.4 * 0.8 + 0.5 * 0.6 * 0.2
    charged = pd.DataFrame({"shopper": [0, 1], "product": ["tea", "soap"], "quantity": [1, 1]})
    found = doubt_receipts(attribute(beliefs, receipts=charged), truth).set_index("shopper")["unsure"]
    assert found.tolist() == pytest.approx([1 - one * 0.9, 1.0, 0.0, 0.0])  # nobody believes in the soap


@settings(max_examples=30, deadline=None)
@given(shares=some.lists(some.floats(0, 1), min_size=1, max_size=6), quantity=some.integers(0, 7))
def test_counts_fit_as_often_as_enumeration_says(shares, quantity):
    beliefs = told(*((f"{number}", "tea", 1, share) for number, share in enumerate(shares)))
    charged = pd.DataFrame({"shopper": [1], "product": ["tea"], "quantity": [quantity]})
    exact = sum(
        np.prod([share if there else 1 - share for share, there in zip(shares, taken, strict=True)])
        for taken in product((0, 1), repeat=len(shares))
        if sum(taken) == quantity
    )
    [row] = fit_of_counts(beliefs, charged).to_dict("records")
    assert row["chance"] == pytest.approx(exact, abs=1e-12) and row["quantity"] == quantity


@pytest.mark.parametrize("charge", [charge_most_probable, charge_expected])
def test_doubt_is_of_receipts_however_they_are_written(charge):
    """Four like tins, each with chance 0.3: nothing by the most probable, one by the expected; doubts differ."""
    beliefs = told(*((f"{number}", "tea", 0, 0.3) for number in range(4)))
    quantity = {charge_most_probable: 0, charge_expected: 1}[charge]
    truth = a_day(0)
    found = doubt_receipts(attribute(beliefs, receipts=charge(beliefs)), truth).set_index("shopper")["unsure"]
    assert found[0] == pytest.approx(1 - [0.7**4, 4 * 0.3 * 0.7**3][quantity])


def test_costs_of_a_day_by_hand():
    truth = a_day(0)
    sold = pd.DataFrame([(0, "A", "tea", 0), (1, "B", "rice", 1), (2, "C", "soap", 2)],
                        columns=["piece", "epc", "product", "shopper"])  # fmt: skip
    beliefs = told(("A", "tea", 0, 1.0), ("B", "rice", 2, 0.99), ("C", "soap", 2, 0.6), ("D", "tea", 3, 0.01))
    found = attribute(beliefs)
    costs = cost_day(found, truth._replace(receipts=sold)).set_index("measure")
    # rice goes to the wrong shopper: 5 to mend, 1.25 lost; soap is looked at, and right either way
    assert costs["numerator"].to_dict() == pytest.approx({
        "cost as charged": 6.25, "cost decided": 6.75, "cost of overcharges": 5.0, "cost of losses": 1.25,
        "cost of reviews": 0.5, "items reviewed": 1.0,
    })  # fmt: skip
    assert (costs["denominator"] == len(truth.shoppers)).all()


def test_doubt_is_the_chance_of_a_mistake():
    """Where each item goes its way by the beliefs themselves, receipts are wrong as often as they are unsure."""
    rng, rows = np.random.default_rng(4), []
    truth = a_day(0)
    for _ in range(250):
        wide = rng.dirichlet(np.full(5, 0.3), 3)
        went = [int(rng.choice(5, p=one)) for one in wide]
        beliefs = told(*((f"{item}", KINDS[item], who, wide[item, who])
                         for item, who in product(range(3), range(4))))  # fmt: skip
        sold = [(n, f"{n}", KINDS[n], who) for n, who in enumerate(went) if who < 4]
        sold = pd.DataFrame(sold, columns=["piece", "epc", "product", "shopper"])
        rows.append(doubt_receipts(attribute(beliefs), truth._replace(receipts=sold)))
    every = pd.concat(rows)
    for part in (every[every["unsure"] < 0.2], every[every["unsure"] >= 0.2]):
        assert part["wrong"].mean() == pytest.approx(part["unsure"].mean(), abs=0.04)


def test_who_knows_everything_has_no_doubts():
    truth = a_day(5)
    found = doubt_receipts(knowing(truth), truth)
    assert found["shopper"].tolist() == truth.shoppers["shopper"].tolist()
    assert (found["unsure"] == 0).all() and not found["wrong"].any()


@settings(max_examples=25, deadline=None)
@given(seed=some.integers(0, 10_000))
def test_doubt_is_a_share_and_needs_no_order(seed):
    truth = a_day(seed)
    found = guessing(truth, seed)
    one = doubt_receipts(found, truth)
    other = doubt_receipts(found._replace(beliefs=found.beliefs.sample(frac=1, random_state=seed)), truth)
    assert one["unsure"].between(0, 1).all()
    np.testing.assert_allclose(one["unsure"], other["unsure"])


def test_a_review_curve_by_hand():
    receipts = pd.DataFrame({"day": [1, 1, 2, 2], "unsure": [0.9, 0.5, 0.5, 0.0], "wrong": [True, True, False, True]})
    found = review_curve(receipts, [0, 0.25, 0.5, 0.75, 1])
    # the half of the two at 0.5 that is reviewed mends half a mistake
    assert found["errors"].tolist() == pytest.approx([750, 500, 375, 250, 0])
    assert found["receipts"].tolist() == [4] * 5


def test_reviewing_the_unsure_beats_reviewing_at_random():
    receipts = judged()
    found = review_curve(receipts).set_index("share")
    assert (found["errors"].diff().dropna() <= 1e-9).all()
    assert found.loc[0.0, "errors"] == pytest.approx(1000 * receipts["wrong"].mean())
    assert found.loc[1.0, "errors"] == 0
    inner = found.iloc[1:-1]
    assert (inner["errors"] < (1 - inner.index) * found.loc[0.0, "errors"]).all()
    assert ((found["low"] <= found["errors"]) & (found["errors"] <= found["high"])).all()


def test_where_nothing_is_known_review_is_at_random():
    receipts = judged().assign(unsure=0.3)
    found = review_curve(receipts, [0.0, 0.3])["errors"]
    assert found[1] == pytest.approx(0.7 * found[0])


def test_errors_after_review_is_a_point_of_the_curve():
    receipts = judged(2)
    estimate, [row] = errors_after_review(receipts, 0.05), review_curve(receipts, [0.05]).to_dict("records")
    assert (estimate.value, estimate.low, estimate.high) == (row["errors"], row["low"], row["high"])
    assert (estimate.units, estimate.unit_name) == (20, "days")


def test_no_error_left_is_not_certain():
    estimate = errors_after_review(judged().assign(wrong=False))
    assert estimate.value == estimate.low == 0
    assert estimate.high > 0


@pytest.mark.parametrize("share", [-0.1, 1.5, np.nan])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ValueError, match="0 to 1 is needed"):
        review_curve(judged(), [share])


@pytest.mark.parametrize(
    ("rows", "costs", "decision"),
    [
        ([("A", "soap", 1, 0.95)], Costs(), "charge"),  # 0.05 · 5 = 0.25 against 0.5 and 3.8
        ([("A", "soap", 1, 0.85)], Costs(), "review"),  # 0.75
        ([("A", "soap", 1, 0.95), ("A", "soap", 2, 0.05)], Costs(), "charge"),  # 0.25 + 0.05 · 4 = 0.45
        ([("A", "soap", 1, 0.94), ("A", "soap", 2, 0.06)], Costs(), "review"),  # 0.54
        ([("A", "soap", 1, 0.12)], Costs(), "drop"),  # 0.48 may be lost
        ([("A", "soap", 1, 0.13)], Costs(), "review"),  # 0.52
        ([("A", "soap", 1, 0.6)], Costs(review=10.0), "charge"),  # 2.0 against 2.4
        ([("A", "soap", 1, 0.5)], Costs(review=10.0), "drop"),  # 2.5 against 2.0
        ([("A", "soap", 1, 0.5)], Costs(review=0.0), "review"),
        ([("A", "soap", 1, 0.9)], Costs(loss=0.0), "drop"),
        ([("A", "soap", 1, 0.01)], Costs(overcharge=0.0, review=1.0, loss=1.0), "charge"),
    ],
)
def test_the_cheapest_is_done(rows, costs, decision):
    assert weigh_items(told(*rows), PRODUCTS, costs)["decision"].tolist() == [decision]


@settings(max_examples=60, deadline=None)
@given(
    shares=some.lists(some.floats(0, 1), min_size=1, max_size=4),
    costs=some.builds(Costs, *(some.floats(0, 20) for _ in Costs._fields)),
    kind=some.sampled_from(PRODUCTS["product"].tolist()),
)
def test_no_other_decision_costs_less(shares, costs, kind):
    """Expected costs, summed over all that may have happened."""
    shares = np.array(shares) / max(sum(shares), 1)
    rows = told(*(("A", kind, who, share) for who, share in enumerate(shares)))
    price = PRODUCTS.set_index("product")["price"][kind]
    mean = {"review": costs.review, "drop": 0.0, "charge": 0.0}
    charged = int(np.argmax(shares))
    for who, share in enumerate([*shares, 1 - shares.sum()]):  # the last is nobody
        taken = who < len(shares)
        mean["drop"] += share * taken * costs.loss * price
        mean["charge"] += share * (who != charged) * (costs.overcharge + taken * costs.loss * price)
    [found] = weigh_items(rows, PRODUCTS, costs).to_dict("records")
    assert mean[found["decision"]] == pytest.approx(min(mean.values()), abs=1e-9)
    assert {name: found[name] for name in mean} == pytest.approx(mean)


def test_a_day_decided():
    beliefs = told(
        ("A", "tea", 1, 1.0), ("B", "tea", 1, 0.97), ("C", "rice", 2, 0.6), ("C", "rice", 1, 0.4),
        ("D", "soap", 2, 0.7), ("E", "tea", 3, 0.05),
    )  # fmt: skip
    receipts, review = decide(beliefs, PRODUCTS)
    assert receipts.to_dict("records") == [{"shopper": 1, "product": "tea", "quantity": 2}]
    assert review[["item", "shopper"]].values.tolist() == [["C", 2], ["D", 2]]
    items = weigh_items(beliefs, PRODUCTS)
    assert items["decision"].value_counts().to_dict() == {"charge": 2, "review": 2, "drop": 1}


def test_nothing_believed_is_nothing_charged():
    receipts, review = decide(told(), PRODUCTS)
    assert list(receipts) == ["shopper", "product", "quantity"]
    assert len(receipts) == len(review) == 0


@pytest.mark.parametrize(
    ("rows", "costs", "problem"),
    [
        ([("A", "gold", 1, 0.5)], Costs(), "product 'gold' has no price"),
        ([("A", "tea", 1, 0.5)], Costs(review=-1.0), "costs: review is -1.0; a number from 0 is needed"),
        ([("A", "tea", 1, 0.5)], Costs(loss=np.nan), "costs: loss is nan"),
        ([("A", "tea", 1, 1.5)], Costs(), "probability 1.5 of item 'A'"),
    ],
)
def test_what_cannot_be_weighed_is_refused(rows, costs, problem):
    with pytest.raises(ValueError, match=problem):
        decide(told(*rows), PRODUCTS, costs)
