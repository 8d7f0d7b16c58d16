"""Who is who: against all that may have happened, one by one."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from retailkit.store.fusion import whoiswho
from retailkit.store.fusion.whoiswho import End, Link, Meeting, Start, name_pieces

PEOPLE = 3


def random_day(rng: np.random.Generator, meetings: int) -> tuple[list, np.ndarray]:
    """Three come, each known by a face more or less; all meet, some again, and some are known when they leave."""
    prior = np.append(np.full(PEOPLE, -np.log(PEOPLE)), -np.inf)
    events: list = [Start(piece, prior) for piece in range(PEOPLE)]
    now, pieces = list(range(PEOPLE)), PEOPLE
    for pair in [(0, 1), (1, 2), *(rng.choice(PEOPLE, 2, replace=False) for _ in range(meetings))]:
        one, other = pair
        events.append(Meeting(now[one], now[other], pieces, pieces + 1, float(rng.uniform(0.02, 0.6))))
        now[one], now[other], pieces = pieces, pieces + 1, pieces + 2
    evidence = np.zeros((pieces, PEOPLE + 1))
    evidence[:PEOPLE, :PEOPLE] = 3 * np.eye(PEOPLE)
    evidence[np.array(now), :PEOPLE] += rng.normal(0, 2, (PEOPLE, PEOPLE))
    return events + [End(piece) for piece in now], evidence


def one_by_one(events: list, evidence: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Beliefs of pieces, and chances of exchanges, by going through all ways to name and all exchanges."""
    meetings = [event for event in events if isinstance(event, Meeting)]
    beliefs, exchanged, total = np.zeros_like(evidence), np.zeros(len(meetings)), 0.0
    for names in permutations(range(PEOPLE)):
        for turned in product((0, 1), repeat=len(meetings)):
            who, weight = dict(enumerate(names)), 0.0
            for event, turn in zip(meetings, turned, strict=True):
                pair = (who[event.one], who[event.other])
                who[event.then], who[event.others] = pair[::-1] if turn else pair
                weight += np.log(event.swapped if turn else 1 - event.swapped)
            weight += sum(evidence[piece, name] for piece, name in who.items())
            chance = np.exp(weight)
            total += chance
            for piece, name in who.items():
                beliefs[piece, name] += chance
            exchanged += chance * np.array(turned)
    return beliefs / total, exchanged / total


@settings(deadline=None, max_examples=40)
@given(some.integers(0, 10_000), some.integers(0, 4))
def test_beliefs_are_those_of_all_that_may_have_happened(seed, meetings):
    events, evidence = random_day(np.random.default_rng(seed), meetings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(whoiswho, "_DOUBT", 0.0)
        patch.setattr(whoiswho, "_HOPELESS", 0.0)
        found, turns = name_pieces(events, evidence)
    beliefs, exchanged = one_by_one(events, evidence)
    np.testing.assert_allclose(found, beliefs, atol=1e-9)
    told = [turn[1] for turn, event in zip(turns, events, strict=True) if isinstance(event, Meeting)]
    np.testing.assert_allclose(told, exchanged, atol=1e-9)


@settings(deadline=None, max_examples=20)
@given(some.integers(0, 10_000))
def test_what_is_left_out_is_little(seed):
    events, evidence = random_day(np.random.default_rng(seed), 4)
    found, _ = name_pieces(events, evidence)
    np.testing.assert_allclose(found, one_by_one(events, evidence)[0], atol=0.03)


def test_two_who_meet_again_and_again_are_not_known_ever_better():
    """Ten meetings, in each an exchange with a chance of one in five: after that nobody knows who is who."""
    prior = np.array([-np.log(2)] * 2 + [-np.inf])
    events = [Start(0, prior), Start(1, prior)]
    events += [Meeting(2 * turn, 2 * turn + 1, 2 * turn + 2, 2 * turn + 3, 0.2) for turn in range(10)]
    evidence = np.zeros((22, 3))
    evidence[0, 0] = evidence[1, 1] = 8.0
    beliefs, _ = name_pieces([*events, End(20), End(21)], evidence)
    np.testing.assert_allclose(beliefs[20, :2], [0.5, 0.5], atol=0.01)
    np.testing.assert_allclose(beliefs[2, 0], 0.8, atol=0.01)


def test_too_many_ways_part_and_beliefs_stay():
    """Twelve people in one crowd: more ways than anybody can keep, and every belief is still one."""
    rng = np.random.default_rng(3)
    people, prior = 12, np.append(np.full(12, -np.log(12)), -9.0)
    events, evidence = [Start(piece, prior) for piece in range(people)], []
    now, pieces = list(range(people)), people
    for _ in range(80):
        one, other = rng.choice(people, 2, replace=False)
        events.append(Meeting(now[one], now[other], pieces, pieces + 1, 0.1))
        now[one], now[other], pieces = pieces, pieces + 1, pieces + 2
    evidence = np.zeros((pieces, people + 1))
    evidence[np.arange(people), np.arange(people)] = 6.0
    beliefs, _ = name_pieces([*events, *map(End, now)], evidence)
    np.testing.assert_allclose(beliefs.sum(axis=1), 1.0)
    sums = beliefs[np.array(now), :people].sum(axis=0)
    assert np.abs(sums - 1).max() < 0.35, "everybody is somewhere, about once"


def test_ways_of_a_large_group_are_told_apart():
    """Two of seventy exchanged, whichever they are: no two of these ways are one."""
    ways = np.tile(np.arange(70), (70, 1))
    for other in range(1, 70):
        ways[other, [0, other]] = ways[other, [other, 0]]
    first, number = whoiswho._alike(np.concatenate([ways, ways]))
    assert len(first) == 70 and (number[:70] == number[70:]).all()


def test_who_was_lost_may_go_on_or_be_new():
    prior = np.array([-np.log(2)] * 2 + [-np.inf])
    start = np.array([0.0, -np.inf, -np.inf])
    events = [Start(0, start), Link(1, [0], [np.log(0.6)], prior + np.log(0.4)), End(0), End(1)]
    beliefs, turns = name_pieces(events, np.zeros((2, 3)))
    # it goes on, or is the other one: somebody new cannot be the first, who is lost and not found
    assert beliefs[1, 0] == pytest.approx(0.6 / 0.8) and beliefs[1, 1] == pytest.approx(0.2 / 0.8)
    assert turns[1].tolist() == pytest.approx([0.6 / 0.8, 0.2 / 0.8])
