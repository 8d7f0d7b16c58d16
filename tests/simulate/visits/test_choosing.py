"""What is chosen follows the logit that the plan states."""

import numpy as np
import pytest
from scipy import optimize, stats

from retailkit.lab.intervals import wilson
from retailkit.simulate.visits import default_plan, make_plan, simulate_store_day
from retailkit.simulate.visits.choosing import draw_choices, utilities

ATTRIBUTES = ["price", "feature", "facing", "none"]


@pytest.fixture(scope="module")
def long_day():
    return simulate_store_day(shoppers=1500, hours=24, staff=0, step=60.0, seed=8)


@pytest.fixture(scope="module")
def choices(long_day):
    return long_day.choices


def test_every_situation_offers_the_zone_and_nothing_and_one_is_chosen(choices):
    plan, rows = default_plan(), choices.groupby("situation")
    assert (rows["chosen"].sum() == 1).all() and (rows.size() == 6).all()
    offered = choices[choices["cell"] != "none"].merge(plan.cells, on="cell")
    assert (offered["zone_x"] == offered["zone_y"]).all() and (offered["price_x"] == offered["price_y"]).all()
    assert (choices[choices["cell"] == "none"][ATTRIBUTES].drop_duplicates().to_numpy() == [0, 0, 0, 1]).all()


def test_frequencies_are_those_of_the_logit(choices):
    """By each zone, chi-square over its cells and nothing."""
    preference = default_plan().preference
    for _, rows in choices.groupby("zone"):
        utility = rows[ATTRIBUTES].to_numpy() @ [preference[name] for name in ATTRIBUTES]
        weight = np.exp(utility).reshape(-1, 6)
        expected = (weight / weight.sum(axis=1, keepdims=True)).sum(axis=0)
        assert stats.chisquare(rows["chosen"].to_numpy().reshape(-1, 6).sum(axis=0), expected).pvalue > 0.001


def test_the_coefficients_are_recovered(choices):
    """By maximum likelihood, each within 3.5 standard errors of the plan's."""
    table = choices[ATTRIBUTES].to_numpy().reshape(-1, 6, 4)
    chosen = table[choices["chosen"].to_numpy().reshape(-1, 6)]

    def loss(weights):
        utility = table @ weights
        return np.log(np.exp(utility).sum(axis=1)).sum() - (chosen @ weights).sum()

    fit = optimize.minimize(loss, np.zeros(4))
    share = np.exp(table @ fit.x)
    share /= share.sum(axis=1, keepdims=True)
    mean = np.einsum("sa,sak->sk", share, table)
    information = np.einsum("sa,sak,sal->kl", share, table, table) - mean.T @ mean
    truth = np.array([default_plan().preference[name] for name in ATTRIBUTES])
    assert (np.abs(fit.x - truth) < 3.5 * np.sqrt(np.diag(np.linalg.inv(information)))).all()
    assert np.abs(fit.x).min() > 0.1  # and tells them from nothing


def test_zones_may_have_different_numbers_of_cells():
    plan = make_plan(1, cells=3, checkouts=0)
    short = type(plan)(
        plan.outline, plan.obstacles, plan.zones, plan.doors, plan.cells.iloc[:4], preference={"none": 0.0}
    )
    drawn = draw_choices(np.repeat([0, 1], 4000), short, np.random.default_rng(0))
    assert set(drawn[:4000]) == {-1, 0, 1, 2} and set(drawn[4000:]) == {-1, 3}
    some = wilson(int((drawn[4000:] == 3).sum()), 4000, level=0.999)
    assert some.low < 0.5 < some.high and (utilities(short) == 0).all()


def test_put_backs_have_their_rate(long_day):
    hands = long_day.hands
    takes, returns = (int((hands["kind"] == kind).sum()) for kind in ("take", "return"))
    share = wilson(returns, takes, level=0.999)
    assert share.low < 0.12 < share.high
