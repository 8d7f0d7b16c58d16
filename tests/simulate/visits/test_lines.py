"""Waits are those of queueing theory, and nobody overtakes."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import factorial

from retailkit.simulate.visits import Habits, default_plan, simulate_store_day
from retailkit.simulate.visits.lines import serve, stand_in_line


def test_a_case_worked_by_hand():
    """Two desks; the fourth gives up after 2 s, and the fifth is served in its stead."""
    told = serve(np.array([0.0, 1, 2, 3, 4]), np.array([10.0, 4, 5, 9, 1]), np.array([99.0, 99, 99, 2, 99]), 2)
    assert told["called"].tolist()[:3] == [0, 1, 5] and told["left"].tolist() == [10, 5, 10, 5, 11]
    assert np.isnan(told["called"][3]) and told["server"].tolist()[3] == -1


def erlang_c(load: float, servers: int) -> float:
    """Chance of having to wait in M/M/c (Erlang 1917)."""
    terms = load ** np.arange(servers) / factorial(np.arange(servers))
    last = load**servers / factorial(servers) / (1 - load / servers)
    return last / (terms.sum() + last)


@pytest.mark.parametrize(("servers", "load"), [(1, 0.7), (2, 1.5), (4, 3.0)])
def test_waits_are_those_of_erlang(servers, load):
    """Mean wait C(c, a) / (c mu - lambda); interval by means of 50 batches."""
    rng = np.random.default_rng(servers)
    number = 150_000
    arrival = np.cumsum(rng.exponential(1 / load, number))
    told = serve(arrival, rng.exponential(1, number), np.full(number, np.inf), servers)
    wait = told["called"].to_numpy() - arrival
    batches = wait.reshape(50, -1).mean(axis=1)
    error = batches.std(ddof=1) / np.sqrt(50)
    assert abs(wait.mean() - erlang_c(load, servers) / (servers - load)) < 4 * error < 0.3 * wait.mean()
    assert (wait > 1e-9).mean() == pytest.approx(erlang_c(load, servers), abs=0.02)


def test_abandonment_is_that_of_palm():
    """Share who give up in M/M/c+M: theta E[L] / lambda, from the stationary birth-death chain."""
    rng, number, servers, rate, impatience = np.random.default_rng(5), 150_000, 2, 2.4, 0.5
    arrival = np.cumsum(rng.exponential(1 / rate, number))
    told = serve(arrival, rng.exponential(1, number), rng.exponential(1 / impatience, number), servers)
    state = np.arange(1, 200)
    leaving = np.minimum(state, servers) + impatience * np.maximum(state - servers, 0)
    chance = np.concatenate([[1.0], np.cumprod(rate / leaving)])
    waiting = (chance / chance.sum()) @ np.maximum(np.arange(200) - servers, 0)
    assert (told["server"] < 0).mean() == pytest.approx(impatience * waiting / rate, abs=0.008)


@pytest.mark.parametrize(
    ("arrival", "servers", "says"), [([2.0, 1.0], 1, "must be sorted"), ([1.0, 2.0], 0, "servers is 0")]
)
def test_lines_that_cannot_be_are_refused(arrival, servers, says):
    with pytest.raises(ValueError, match=says):
        serve(np.array(arrival), np.ones(2), np.ones(2), servers)


def test_people_move_up_and_keep_their_order():
    plan = default_plan()
    arrival, gone = np.array([0.0, 5, 6, 7]), np.array([30.0, 60, 20, 90])
    knots, at, slot = stand_in_line(arrival, gone, arrival + 1, np.array([0, 1, 2, 3]), plan)
    last = knots[knots["customer"] == 3]
    where = np.interp([10, 25, 35, 65], last["time"], last["x"])
    np.testing.assert_allclose(where, plan.slots[[3, 2, 1, 0], 0], atol=0.01)
    assert slot.tolist() == [0, 0, 2, 0] and np.allclose(at[3], plan.slots[0])


@pytest.mark.slow
def test_the_line_of_a_day_waits_as_theory_says():
    """One desk, constant service, even arrivals, endless patience: M/D/1 (Pollaczek 1930), since shopping times that
    differ by chance leave a Poisson process one (Burke 1956, for as many servers as customers)."""
    habits = Habits(peaks=(), service=60.0, service_spread=0.0, patience=1e9, speed_spread=0.0)
    both = default_plan()
    plan = replace(both, checkouts=both.checkouts.iloc[:1])
    waits, rates = [], []
    for seed in range(10):
        day = simulate_store_day(plan, shoppers=450, hours=12, groups=0, staff=0, step=60.0, habits=habits, seed=seed)
        queue = day.queue.dropna(subset=["left"])
        queue = queue[queue["join"] > 2 * 3600]
        waits.append(queue["wait"].mean())
        rates.append(len(queue) / (10 * 3600))
    places = plan.routes.places
    service = 60 + plan.routes.length[places["slot", 0], places["checkout", "checkout 1"]] / habits.speed
    used = np.mean(rates) * service
    through = 3.5  # seconds that one who is called at once takes to walk through the zone
    expected = used * service / (2 * (1 - used)) + through
    assert 0.3 < used < 0.9
    assert abs(np.mean(waits) - expected) < 3.5 * np.std(waits, ddof=1) / np.sqrt(10) + 2
