"""One tag followed: against plain matrices, state by state, and what acts are worth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from retailkit.store.fusion.carriers import HANDED, RETURNED, UNSEEN, follow_tag
from retailkit.store.fusion.roster import CARRIED, ELSEWHERE, HOME, LEFT, Roster, weigh_places


def drift(there: np.ndarray) -> np.ndarray:
    """The step of one bin as a matrix, from row to column; each who left keeps a state of their own."""
    number, present = len(there), there.astype(float)
    step = np.eye(number + CARRIED)
    if there.any():
        share = present / present.sum()
        for lies in (HOME, ELSEWHERE):
            step[lies, lies] = 1 - UNSEEN
            step[lies, CARRIED:] += UNSEEN * share
        for who in np.flatnonzero(there):
            row = CARRIED + who
            step[row, row] = 1 - UNSEEN - HANDED
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


def stays(rng: np.random.Generator, shoppers: int, bins: int) -> tuple[Roster, np.ndarray]:
    come = rng.integers(0, bins, shoppers)
    leave = np.minimum(come + rng.integers(0, bins + 2, shoppers), bins + 1)
    moments = np.arange(bins)[:, None]
    return Roster.of(come, leave, bins), (moments >= come) & (moments <= leave)


def chances(seen: np.ndarray, there: np.ndarray, leave: np.ndarray) -> np.ndarray:
    """Log-likelihoods as the model has them: whoever has left is heard as anybody who has."""
    gone = np.arange(len(seen))[:, None] > leave
    return np.hstack([seen[:, :CARRIED], np.where(gone, seen[:, [LEFT]], seen[:, CARRIED:])])


@settings(deadline=None, max_examples=60)
@given(some.integers(0, 10_000), some.integers(1, 4), some.integers(2, 9))
def test_marginals_are_those_of_plain_matrices(seed, shoppers, bins):
    rng = np.random.default_rng(seed)
    seen = rng.normal(0, 2, (bins, shoppers + CARRIED))
    roster, there = stays(rng, shoppers, bins)
    when = np.sort(rng.integers(0, bins, 3))
    given_to = rng.dirichlet(np.ones(shoppers), 3) * there[when]
    given_to /= np.maximum(given_to.sum(axis=1, keepdims=True), 1e-12)
    some_there = there[when].any(axis=1)
    take, back = np.array([0.6, 0.0, 0.3]) * some_there, np.array([0.0, 0.7, 0.0]) * some_there
    acts = [(int(moment), act(take[row], back[row], given_to[row])) for row, moment in enumerate(when)]
    expected, _ = plain(chances(seen, there, roster.leave), acts, there)
    rest, held, last, odds = follow_tag(
        np.exp(seen[:, :CARRIED]), np.exp(seen[:, CARRIED:])[there], 0, roster, when, take, back, given_to
    )
    np.testing.assert_allclose(rest[:, :LEFT], expected[:, :LEFT], atol=1e-9)
    np.testing.assert_allclose(held, expected[:, CARRIED:][there], atol=1e-9)
    np.testing.assert_allclose(rest[:, LEFT], np.where(~there, expected[:, CARRIED:], 0).sum(axis=1), atol=1e-9)
    np.testing.assert_allclose(last, expected[-1, CARRIED:], atol=1e-9)
    assert np.isfinite(odds).all()


def test_odds_of_an_act_are_those_of_the_rest_of_the_day():
    """With one act, the odds say how much likelier all reads are if it moved the tag than if it did not."""
    rng = np.random.default_rng(1)
    seen, there = rng.normal(0, 1, (6, 3 + CARRIED)), np.ones((6, 3), dtype=bool)
    roster = Roster.of(np.zeros(3, dtype=int), np.full(3, 9), 6)
    given_to = np.array([[0.7, 0.2, 0.1]])
    moved, stayed = (plain(seen, [(2, act(take, 0.0, given_to[0]))], there)[1] for take in (1.0, 0.0))
    *_, odds = follow_tag(
        np.exp(seen[:, :CARRIED]), np.exp(seen[:, CARRIED:]).ravel(), 0, roster, np.array([2]), np.array([0.4]),
        np.array([0.0]), given_to,
    )  # fmt: skip
    assert odds[0] == pytest.approx(moved - stayed, abs=1e-3), "but for what drifts unseen before"


def test_a_tag_that_is_heard_with_somebody_is_theirs():
    bins, shoppers = 40, 3
    carried = np.full((bins, shoppers), -2.0)
    carried[10:, 1] = 0.0
    lying = np.where(np.arange(bins) < 10, 0.0, -2.0)
    still = np.exp(np.column_stack([lying, lying - 1, np.full(bins, -9.0)]))
    roster = Roster.of(np.zeros(shoppers, dtype=int), np.full(shoppers, bins), bins)
    rest, _, last, odds = follow_tag(
        still, np.exp(carried).ravel(), 0, roster, np.array([10]), np.array([0.5]), np.array([0.0]),
        np.full((1, shoppers), 1 / 3),
    )  # fmt: skip
    assert rest[5, HOME] > 0.99 and last[1] > 0.99 and odds[0] > 10


def test_places_are_weighed_by_whose_tracks_are_there():
    """One bin, two pieces of tracks, three shoppers: one on either piece, one half, one out of sight."""
    beliefs = np.array([[0.9, 0.0, 0.0, 0.1], [0.0, 0.5, 0.0, 0.5]])
    roster = Roster.of(np.zeros(3, dtype=int), np.zeros(3, dtype=int), 1)
    of_one = [np.array([value]) for value in (-1.0, -2.0, -3.0, -4.0)]
    still, carried = weigh_places(
        0, *of_one, np.array([0, 2]), np.array([0, 1]), np.array([0.5, -0.5]), beliefs, roster
    )
    unknown = np.exp(-4.0)
    expected = [0.9 * np.exp(0.5) + 0.1 * unknown, 0.5 * np.exp(-0.5) + 0.5 * unknown, unknown]
    np.testing.assert_allclose(carried / still[0, HOME], np.array(expected) / np.exp(-1.0))
    np.testing.assert_allclose(still[0] / still[0, HOME], np.exp([0.0, -1.0, -2.0]))
