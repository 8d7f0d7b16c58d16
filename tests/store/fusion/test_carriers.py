"""One tag followed: against plain matrices, state by state, and what acts are worth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from retailkit.store.fusion.carriers import CARRIED, ELSEWHERE, HANDED, HOME, RETURNED, UNSEEN, as_chances, follow_tag


def drift(present: np.ndarray) -> np.ndarray:
    """The step of one bin as a matrix: from row to column."""
    number = len(present)
    step = np.zeros((number + CARRIED, number + CARRIED))
    share = present / max(present.sum(), 1.0)
    for lies in (HOME, ELSEWHERE):
        step[lies, lies] = 1 - UNSEEN
        step[lies, CARRIED:] += UNSEEN * share
    for who in range(number):
        row = CARRIED + who
        step[row, row] += 1 - UNSEEN - HANDED * present[who]
        step[row, CARRIED:] += HANDED * share
        step[row, ELSEWHERE] += UNSEEN
    return step


def act(take: float, back: float, given_to: np.ndarray) -> np.ndarray:
    number = len(given_to)
    step = np.eye(number + CARRIED)
    for lies in (HOME, ELSEWHERE):
        step[lies, lies] = 1 - take
        step[lies, CARRIED:] = take * given_to
    for who in range(number):
        put = back * given_to[who]
        step[CARRIED + who, CARRIED + who] = 1 - put
        step[CARRIED + who, HOME], step[CARRIED + who, ELSEWHERE] = RETURNED * put, (1 - RETURNED) * put
    return step


def plain(seen: np.ndarray, acts: list[tuple[int, np.ndarray]], present: np.ndarray) -> tuple[np.ndarray, float]:
    """Marginals and log-likelihood by products of matrices."""
    steps = []
    for moment in range(len(seen)):
        step = np.eye(seen.shape[1])
        for when, matrix in acts:
            if when == moment:
                step = step @ matrix
        steps.append(step @ drift(present[moment]) @ np.diag(np.exp(seen[moment])))
    before = [np.eye(seen.shape[1])[HOME]]
    for step in steps:
        before.append(before[-1] @ step)
    after = [np.ones(seen.shape[1])]
    for step in steps[::-1]:
        after.append(step @ after[-1])
    both = np.array([one * other for one, other in zip(before[1:], after[::-1][1:], strict=True)])
    return both / both.sum(axis=1, keepdims=True), float(np.log(before[-1].sum()))


@settings(deadline=None, max_examples=40)
@given(some.integers(0, 10_000), some.integers(1, 4), some.integers(2, 7))
def test_marginals_are_those_of_plain_matrices(seed, shoppers, bins):
    rng = np.random.default_rng(seed)
    seen = rng.normal(0, 2, (bins, shoppers + CARRIED))
    present = (rng.random((bins, shoppers)) < 0.8).astype(float)
    when = np.sort(rng.integers(0, bins, 3))
    given_to = rng.dirichlet(np.ones(shoppers), 3)
    take, back = np.array([0.6, 0.0, 0.3]), np.array([0.0, 0.7, 0.0])
    acts = [(int(moment), act(take[row], back[row], given_to[row])) for row, moment in enumerate(when)]
    expected, _ = plain(seen, acts, present)
    found, odds = follow_tag(
        as_chances(seen[:, HOME], seen[:, ELSEWHERE], seen[:, CARRIED:]), when, take, back, given_to, present
    )
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert np.isfinite(odds).all() and found.sum(axis=1) == pytest.approx(1.0)


def test_odds_of_an_act_are_those_of_the_rest_of_the_day():
    """With one act, the odds say how much likelier all reads are if it moved the tag than if it did not."""
    rng = np.random.default_rng(1)
    seen, present = rng.normal(0, 1, (6, 3 + CARRIED)), np.ones((6, 3))
    given_to = np.array([[0.7, 0.2, 0.1]])
    moved, stayed = (plain(seen, [(2, act(take, 0.0, given_to[0]))], present)[1] for take in (1.0, 0.0))
    _, odds = follow_tag(
        as_chances(seen[:, HOME], seen[:, ELSEWHERE], seen[:, CARRIED:]), np.array([2]), np.array([0.4]),
        np.array([0.0]), given_to, present,
    )  # fmt: skip
    assert odds[0] == pytest.approx(moved - stayed, abs=1e-3), "but for what drifts unseen before"


def test_a_tag_that_is_heard_with_somebody_is_theirs():
    bins, shoppers = 40, 3
    carried = np.full((bins, shoppers), -2.0)
    carried[10:, 1] = 0.0
    lying = np.where(np.arange(bins) < 10, 0.0, -2.0)
    found, odds = follow_tag(
        as_chances(lying, lying - 1, carried), np.array([10]), np.array([0.5]), np.array([0.0]),
        np.full((1, shoppers), 1 / 3), np.ones((bins, shoppers)),
    )  # fmt: skip
    assert found[5, HOME] > 0.99 and found[-1, CARRIED + 1] > 0.99 and odds[0] > 10
