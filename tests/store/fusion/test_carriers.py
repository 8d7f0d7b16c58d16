"""One tag followed: against plain matrices, state by state, and what acts are worth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from retailkit.store.fusion.carriers import CARRIED, ELSEWHERE, HANDED, HOME, LEFT, RETURNED, UNSEEN, Moves, follow_tag
from retailkit.store.fusion.floor import Floor, weigh_places

NOBODY_MOVES = Moves(np.empty(0, np.int64), np.empty((0, 4), np.int64), np.empty(0))


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


def floor_of(come: np.ndarray, leave: np.ndarray, bins: int) -> tuple[Floor, np.ndarray]:
    """A floor where people come in some bins and are gone in others: with it, who is there (bins, people)."""
    moments = np.arange(bins)[:, None]
    there = (moments >= come) & (moments < leave)
    number, who = np.nonzero(there)
    first = np.searchsorted(number, np.arange(bins + 1)).astype(np.int64)
    floor = Floor(
        first, who.astype(np.int64), leave.astype(np.int64), np.ones(len(who), bool), np.zeros((len(who), 1), np.int64),
        np.zeros((len(who), 2)),
    )  # fmt: skip
    return floor, there


def stays(rng: np.random.Generator, people: int, bins: int) -> tuple[Floor, np.ndarray]:
    come = rng.integers(0, bins, people)
    return floor_of(come, np.minimum(come + 1 + rng.integers(0, bins + 2, people), bins + 2), bins)


def whose(given_to: np.ndarray, there: np.ndarray, when: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hands of acts as the method takes them: of those who are there in each act's bin, one after the other."""
    parts = [row[there[moment]] for row, moment in zip(given_to, when, strict=True)]
    return np.concatenate(parts), np.cumsum([0, *map(len, parts[:-1])])


def chances(seen: np.ndarray, there: np.ndarray, leave: np.ndarray) -> np.ndarray:
    """Log-likelihoods as the model has them: whoever has left is heard as anybody who has."""
    gone = np.arange(len(seen))[:, None] >= leave
    return np.hstack([seen[:, :CARRIED], np.where(gone, seen[:, [LEFT]], seen[:, CARRIED:])])


@settings(deadline=None, max_examples=60)
@given(some.integers(0, 10_000), some.integers(1, 4), some.integers(2, 9))
def test_marginals_are_those_of_plain_matrices(seed, shoppers, bins):
    rng = np.random.default_rng(seed)
    seen = rng.normal(0, 2, (bins, shoppers + CARRIED))
    floor, there = stays(rng, shoppers, bins)
    when = np.sort(rng.integers(0, bins, 3))
    given_to = rng.dirichlet(np.ones(shoppers), 3) * there[when]
    given_to /= np.maximum(given_to.sum(axis=1, keepdims=True), 1e-12)
    some_there = there[when].any(axis=1)
    take, back = np.array([0.6, 0.0, 0.3]) * some_there, np.array([0.0, 0.7, 0.0]) * some_there
    acts = [(int(moment), act(take[row], back[row], given_to[row])) for row, moment in enumerate(when)]
    expected, _ = plain(chances(seen, there, floor.leave), acts, there)
    rest, held, last, odds, _ = follow_tag(
        np.exp(seen[:, :CARRIED]), np.exp(seen[:, CARRIED:])[there], 0, floor, NOBODY_MOVES, when, take, back,
        *whose(given_to, there, when),
    )  # fmt: skip
    np.testing.assert_allclose(rest[:, :LEFT], expected[:, :LEFT], atol=1e-9)
    np.testing.assert_allclose(held, expected[:, CARRIED:][there], atol=1e-9)
    np.testing.assert_allclose(rest[:, LEFT], np.where(~there, expected[:, CARRIED:], 0).sum(axis=1), atol=1e-9)
    np.testing.assert_allclose(last, expected[-1, CARRIED:], atol=1e-9)
    assert np.isfinite(odds).all()


def test_odds_of_an_act_are_those_of_the_rest_of_the_day():
    """With one act, the odds say how much likelier all reads are if it moved the tag than if it did not."""
    rng = np.random.default_rng(1)
    seen, when = rng.normal(0, 1, (6, 3 + CARRIED)), np.array([2])
    floor, there = floor_of(np.zeros(3, dtype=int), np.full(3, 9), 6)
    given_to = np.array([[0.7, 0.2, 0.1]])
    moved, stayed = (plain(seen, [(2, act(take, 0.0, given_to[0]))], there)[1] for take in (1.0, 0.0))
    found = follow_tag(
        np.exp(seen[:, :CARRIED]), np.exp(seen[:, CARRIED:]).ravel(), 0, floor, NOBODY_MOVES, when, np.array([0.4]),
        np.array([0.0]), *whose(given_to, there, when),
    )  # fmt: skip
    assert found.acts[0] == pytest.approx(moved - stayed, abs=1e-3), "but for what drifts unseen before"


def exchange(one: int, other: int, then: int, others: int, chance: float, people: int) -> np.ndarray:
    """The step of two who go on as two others."""
    step = np.eye(people + CARRIED)
    for source, straight, turned in ((one, then, others), (other, others, then)):
        step[CARRIED + source] = 0.0
        step[CARRIED + source, CARRIED + straight] = 1 - chance
        step[CARRIED + source, CARRIED + turned] = chance
    return step


@settings(deadline=None, max_examples=40)
@given(some.integers(0, 10_000), some.floats(0.01, 0.99))
def test_where_two_meet_the_tag_goes_on_with_the_one_or_the_other(seed, chance):
    """Pieces 0 and 1 go on as 2 and 3 in bin 3, in one order or the other; the odds are those of plain matrices."""
    rng = np.random.default_rng(seed)
    bins, people = 7, 4
    seen, when, given_to = rng.normal(0, 2, (bins, people + CARRIED)), np.array([1]), np.array([[0.6, 0.4, 0.0, 0.0]])
    floor, there = floor_of(np.array([0, 0, 3, 3]), np.array([3, 3, 9, 9]), bins)
    moves = Moves(np.array([3]), np.array([[0, 1, 2, 3]]), np.array([chance]))
    take = act(0.8, 0.0, given_to[0])
    say = [plain(seen, [(1, take), (3, exchange(0, 1, 2, 3, p, people))], there) for p in (chance, 1.0, 0.0)]
    found = follow_tag(
        np.exp(seen[:, :CARRIED]), np.exp(seen[:, CARRIED:])[there], 0, floor, moves, when, np.array([0.8]),
        np.array([0.0]), *whose(given_to, there, when),
    )  # fmt: skip
    np.testing.assert_allclose(found.held, say[0][0][:, CARRIED:][there], atol=1e-9)
    assert found.moves[0] == pytest.approx(say[1][1] - say[2][1], abs=1e-6)
    np.testing.assert_allclose(found.last[2:], say[0][0][-1, CARRIED + 2 :], atol=1e-9)


def test_who_was_lost_may_go_on_as_another():
    bins, when = 6, np.array([0])
    floor, there = floor_of(np.array([0, 3]), np.array([5, 9]), bins)
    moves = Moves(np.array([3]), np.array([[0, -1, 1, -1]]), np.array([0.7]))
    found = follow_tag(
        np.ones((bins, CARRIED)) * 1e-9, np.ones(int(there.sum())), 0, floor, moves, when, np.array([1.0]),
        np.array([0.0]), np.array([1.0]), np.array([0]),
    )  # fmt: skip
    assert found.last[1] == pytest.approx(1.0, abs=1e-3) and found.held[there.sum() - 1] > 0.99, "nobody else is left"
    shares = dict(zip(zip(*np.nonzero(there), strict=True), found.held, strict=True))
    assert shares[2, 0] == pytest.approx(1.0, abs=1e-3)


def test_a_tag_that_is_heard_with_somebody_is_theirs():
    bins, people, when = 40, 3, np.array([10])
    carried = np.full((bins, people), -2.0)
    carried[10:, 1] = 0.0
    lying = np.where(np.arange(bins) < 10, 0.0, -2.0)
    still = np.exp(np.column_stack([lying, lying - 1, np.full(bins, -9.0)]))
    floor, there = floor_of(np.zeros(people, dtype=int), np.full(people, bins + 1), bins)
    found = follow_tag(
        still, np.exp(carried).ravel(), 0, floor, NOBODY_MOVES, when, np.array([0.5]), np.array([0.0]),
        *whose(np.full((1, people), 1 / 3), there, when),
    )  # fmt: skip
    assert found.rest[5, HOME] > 0.99 and found.last[1] > 0.99 and found.acts[0] > 10


def test_places_are_weighed_by_what_is_heard_there():
    """One bin, three people, one of whom no camera sees."""
    floor, _ = floor_of(np.zeros(3, dtype=int), np.full(3, 2), 1)
    floor = floor._replace(seen=np.array([True, True, False]))
    lies, other, gone, unknown = (np.array([value]) for value in (-1.0, -2.0, -3.0, -4.0))
    still, carried = weigh_places(0, lies, other, gone, unknown, floor, np.array([0.5, -0.5, 9.0]))
    np.testing.assert_allclose(carried / still[0, HOME], np.exp(np.array([0.5, -0.5, -4.0]) + 1.0))
    np.testing.assert_allclose(still[0] / still[0, HOME], np.exp([0.0, -1.0, -2.0]))
