"""Who is who among people whose tracks may have been exchanged: all of those at once, forward and backward in time.

Two who meet again and again may be exchanged at each meeting. What is unsure of the one is unsure of the other in the
same way, so beliefs of each by itself, passed on at every meeting, would grow surer and surer of nothing. Here people
who have met form a group, and a group has beliefs of all its members together: of ways to give them names. A meeting
brings two groups together, an exit takes a member out; in between the ways are few. It is the forward-backward
algorithm (Baum et al. 1970) over permutations, of which a group keeps those that are not hopeless (as trackers of many
hypotheses do; Reid 1979).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

_MANY, _FEW, _EVER = 128, 32, 1024  # ways from which a group parts, into groups of how many; and that are weighed
_HOPELESS, _DOUBT = 1e-6, 2e-3  # of the likeliest way: what is not worth keeping; of whose a name is, to go apart


class Start(NamedTuple):
    """A piece begins that may be anybody of some: log-prior (shoppers + 1,), -inf for who it cannot be."""

    piece: int
    prior: NDArray[np.float64]


class Meeting(NamedTuple):
    """Pieces `one` and `other` go on as `then` and `others`, or with a chance the other way round."""

    one: int
    other: int
    then: int
    others: int
    swapped: float


class Link(NamedTuple):
    """A piece begins that may go on one of those that ended (log-weights), or be somebody new, as `Start` has it."""

    piece: int
    ended: Sequence[int]
    weights: Sequence[float]
    prior: NDArray[np.float64]


class End(NamedTuple):
    """A piece ends, and nothing goes on from it any more."""

    piece: int


Event = Start | Meeting | Link | End


@dataclass(eq=False)
class _Group:
    members: tuple[int, ...]  # pieces
    ways: NDArray[np.int64]  # (ways, members): the shopper of each
    chance: NDArray[np.float64]  # (ways,): by what came before
    later: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))  # and by what came after


class _Step(NamedTuple):
    """How ways of groups became ways of others: rows, by what way of each group they come from and lead to."""

    before: list[_Group]
    after: list[_Group]
    source: list[NDArray[np.int64]]
    target: list[NDArray[np.int64]]  # -1 where it was hopeless
    weight: NDArray[np.float64]
    branch: NDArray[np.int64]  # which of what may have happened each row is


def name_pieces(
    events: Sequence[Event], evidence: NDArray[np.float64]
) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
    """Say whose each piece of a track is.

    Parameters
    ----------
    events : list of Start, Meeting, Link, End
        By time. Every piece begins in one of the first three; what ended stays in mind until its `End`.
    evidence : array (pieces, shoppers + 1)
        Log-likelihood of what is known of each piece by itself; the last column is nobody known.

    Returns
    -------
    array (pieces, shoppers + 1)
        Probabilities. Two pieces of one time are never the same shopper's, if they have met.
    list of arrays
        For each event the probability of what may have happened: of a meeting that none and that both were exchanged,
        of a link that the piece goes on each that ended, and that it is somebody new; elsewhere 1.
    """
    known = np.column_stack([evidence, np.zeros(len(evidence))])  # a last column for what has gone on as another
    at: dict[int, _Group] = {}
    steps = [_happen(event, at, known) for event in events]
    beliefs, turns = np.zeros_like(evidence), []
    for step in reversed(steps):
        turns.append(_look_back(step))
        _tell(step, beliefs)
    return beliefs / np.maximum(beliefs.sum(axis=1, keepdims=True), 1e-300), turns[::-1]


def _begin(event: Start, at: dict[int, _Group], known: NDArray) -> _Step:
    ways, prior = _anybody(event.prior)
    return _step(at, [], [], (event.piece,), ways, prior + known[event.piece, ways[:, 0]])


def _anybody(prior: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    possible = np.flatnonzero(np.isfinite(prior))
    return possible[:, None], prior[possible]


def _meet(event: Meeting, at: dict[int, _Group], known: NDArray) -> _Step:
    groups, source, members, ways = _together(at, [event.one, event.other], known.shape[1] - 2)
    one, other = members.index(event.one), members.index(event.other)
    swapped = ways.copy()
    swapped[:, [one, other]] = ways[:, [other, one]]
    names = list(members)
    names[one], names[other] = event.then, event.others
    weight = np.repeat(np.log([max(1 - event.swapped, 1e-12), max(event.swapped, 1e-12)]), len(ways))
    both = np.concatenate([ways, swapped])
    weight += known[event.then, both[:, one]] + known[event.others, both[:, other]]
    source = [np.tile(rows, 2) for rows in source]
    return _step(at, groups, source, tuple(names), both, weight, np.repeat([0, 1], len(ways)))


def _link(event: Link, at: dict[int, _Group], known: NDArray) -> _Step:
    ended = [piece for piece in event.ended if piece in at]
    weights = dict(zip(event.ended, event.weights, strict=True))
    taken = known.shape[1] - 1
    if not ended:
        begun = _begin(Start(event.piece, event.prior), at, known)
        return begun._replace(branch=np.full(len(begun.weight), len(event.ended)))
    groups, source, members, ways = _together(at, ended, taken - 1)
    rows, found, weight, branch = [], [], [], []
    for piece in ended:
        column = members.index(piece)
        free = np.flatnonzero(ways[:, column] != taken)
        then = np.column_stack([ways[free], ways[free, column]])
        then[:, column] = taken
        rows.append(free)
        found.append(then)
        weight.append(np.full(len(free), weights[piece]))
        branch.append(np.full(len(free), list(event.ended).index(piece)))
    fresh, prior = _anybody(event.prior)
    again = np.repeat(np.arange(len(ways)), len(fresh))
    rows.append(again)
    found.append(np.column_stack([ways[again], np.tile(fresh[:, 0], len(ways))]))
    weight.append(np.tile(prior, len(ways)))
    branch.append(np.full(len(again), len(event.ended)))
    all_rows, then = np.concatenate(rows), np.concatenate(found)
    told = np.concatenate(weight) + known[event.piece, then[:, -1]]
    kept = _distinct(then, taken - 1)
    source = [rows[all_rows[kept]] for rows in source]
    happened = np.concatenate(branch)[kept]
    return _step(at, groups, source, (*members, event.piece), then[kept], told[kept], happened)


def _end(event: End, at: dict[int, _Group], known: NDArray) -> _Step:
    group = at[event.piece]
    column = group.members.index(event.piece)
    left = tuple(piece for piece in group.members if piece != event.piece)
    ways = np.delete(group.ways, column, axis=1)
    return _step(at, [group], [np.arange(len(ways))], left, ways, np.zeros(len(ways)))


def _happen(event: Event, at: dict[int, _Group], known: NDArray) -> _Step:
    match event:
        case Start():
            return _begin(event, at, known)
        case Meeting():
            return _meet(event, at, known)
        case Link():
            return _link(event, at, known)
        case End():
            return _end(event, at, known)


def _together(
    at: dict[int, _Group], pieces: list[int], shoppers: int
) -> tuple[list[_Group], list[NDArray[np.int64]], tuple[int, ...], NDArray[np.int64]]:
    """All ways of the groups of some pieces together: groups, rows in each, members, ways."""
    groups = list({id(at[piece]): at[piece] for piece in pieces}.values())
    source = [np.arange(len(groups[0].ways))]
    ways, members = groups[0].ways, groups[0].members
    chance = groups[0].chance
    for group in groups[1:]:
        likely = _greatest(np.outer(chance, group.chance).ravel(), _EVER)
        one, other = np.divmod(likely, len(group.ways))
        both = np.column_stack([ways[one], group.ways[other]])
        kept = _distinct(both, shoppers)
        one, other = one[kept], other[kept]
        ways, members, chance = both[kept], members + group.members, chance[one] * group.chance[other]
        source = [rows[one] for rows in source] + [other]
    return groups, source, members, ways


def _distinct(ways: NDArray[np.int64], shoppers: int) -> NDArray[np.bool_]:
    """Ways in which nobody is two people; whoever is not known, or has gone on as another, may be.

    All, where faces were mistaken so that there is none.
    """
    ordered = np.sort(ways, axis=1)
    kept = ~((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] < shoppers)).any(axis=1)
    return np.asarray(kept if kept.any() else ~kept)


def _step(
    at: dict[int, _Group], before: list[_Group], source: list[NDArray[np.int64]], members: tuple[int, ...],
    ways: NDArray[np.int64], weight: NDArray[np.float64], branch: NDArray[np.int64] | None = None,
) -> _Step:  # fmt: skip
    """Put rows that are the same way together, and keep the likeliest."""
    branch = np.zeros(len(weight), dtype=np.int64) if branch is None else branch
    told = weight.copy()
    for group, rows in zip(before, source, strict=True):
        told += np.log(group.chance[rows])
        for piece in group.members:
            at.pop(piece, None)
    if not members:
        return _Step(before, [], source, [], weight, branch)
    first, target = _alike(ways)
    chance = np.bincount(target, np.exp(told - told.max())).astype(float)
    kept = chance > _HOPELESS * chance.max()
    kept &= np.isin(np.arange(len(chance)), _greatest(chance, 16 * _EVER))
    place = np.where(kept, np.cumsum(kept) - 1, -1)
    target = place[target]
    parts = _apart(_Group(members, ways[first[kept]], chance[kept] / chance[kept].sum()))
    for group, _ in parts:
        at.update(dict.fromkeys(group.members, group))
    targets = [np.where(target >= 0, rows[np.maximum(target, 0)], -1) for _, rows in parts]
    return _Step(before, [group for group, _ in parts], source, targets, weight, branch)


def _greatest(values: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    """Places of the greatest, in order of place."""
    if len(values) <= most:
        return np.arange(len(values))
    return np.sort(np.argpartition(-values, most)[:most])


@cache
def _mix(members: int) -> NDArray[np.int64]:
    """Numbers that tell ways apart by one sum each, another for each member: (members,)."""
    return np.random.default_rng(5).integers(1, 2**62, members) | 1


def _alike(ways: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The first row of each way, and which of these each row is."""
    _, first, number = np.unique(ways @ _mix(ways.shape[1]), return_index=True, return_inverse=True)
    return first, number


def _apart(group: _Group) -> list[tuple[_Group, NDArray[np.int64]]]:
    """Let members go apart of whom there is no doubt: groups, and what way of each a way becomes.

    Where there are too many ways, those part who tell least of each other (Boyen & Koller 1998): what is believed of
    each stays as it is.
    """
    if len(group.members) == 1:
        return [(group, np.arange(len(group.ways)))]
    if len(group.ways) <= _MANY:
        doubt = [1 - np.bincount(names, group.chance).max() for names in group.ways.T]
        unsure = np.flatnonzero(np.array(doubt) > _DOUBT)
        return _parts(group, unsure[:-1], unsure[1:])
    tree = minimum_spanning_tree(-_shared(group)).tocoo()
    order = np.argsort(tree.data)  # who tell most of each other first
    for kept in range(len(order) - 1, -1, -1):
        parts = _parts(group, tree.row[order[:kept]], tree.col[order[:kept]])
        if all(len(part.ways) <= _FEW for part, _ in parts):
            break
    return parts


def _shared(group: _Group) -> NDArray[np.float64]:
    """Mutual information (nats) of each two members' names: (members, members), the diagonal 0."""
    names = [np.unique(column, return_inverse=True)[1] for column in group.ways.T]
    return _mutual(np.column_stack(names), group.chance, max(int(column.max()) for column in names) + 1)


@numba.njit(cache=True)
def _mutual(names: NDArray, chance: NDArray, most: int) -> NDArray:
    ways, members = names.shape
    both = np.zeros((members, members, most, most))
    for way in range(ways):
        for one in range(members):
            for other in range(one + 1):
                both[one, other, names[way, one], names[way, other]] += chance[way]
    shared = np.zeros((members, members))
    for one in range(members):
        for other in range(one):
            told = 1e-12
            for a in range(most):
                for b in range(most):
                    joint = both[one, other, a, b]
                    if joint > 0:
                        told += joint * math.log(joint / (both[one, one, a, a] * both[other, other, b, b]))
            shared[one, other] = shared[other, one] = told
    return shared


def _parts(group: _Group, one: NDArray, other: NDArray) -> list[tuple[_Group, NDArray[np.int64]]]:
    """Parts of a group that some pairs of members hold together."""
    number = len(group.members)
    links = coo_array((np.ones(len(one)), (one, other)), shape=(number, number))
    parts, label = connected_components(links, directed=False)
    found = []
    for part in range(parts):
        columns = np.flatnonzero(label == part)
        ways = group.ways[:, columns]
        first, rows = _alike(ways)
        members = tuple(group.members[column] for column in columns)
        found.append((_Group(members, ways[first], np.bincount(rows, group.chance).astype(float)), rows))
    return found


def _look_back(step: _Step) -> NDArray[np.float64]:
    """Give the groups before a step what is known from after it; say how likely each is of what may have happened."""
    told = np.exp(step.weight - step.weight.max(initial=-np.inf))
    for group, target in zip(step.after, step.target, strict=True):
        if not len(group.later):
            group.later = np.ones(len(group.ways))
        told = np.where(target >= 0, told * group.later[target], 0.0)
    for place, group in enumerate(step.before):
        others = [
            other.chance[rows] for other, rows in zip(step.before, step.source, strict=True) if other is not group
        ]
        found = np.bincount(step.source[place], told * np.prod(others, axis=0), len(group.ways))
        group.later = found / max(found.max(), 1e-300)
    for group, rows in zip(step.before, step.source, strict=True):
        told = told * group.chance[rows]
    happened = np.bincount(step.branch, told)
    return np.asarray(happened / max(happened.sum(), 1e-300))


def _tell(step: _Step, beliefs: NDArray[np.float64]) -> None:
    """Whose the pieces are that began in a step."""
    old = {piece for before in step.before for piece in before.members}
    for group in step.after:
        both = group.chance * group.later
        for column, piece in enumerate(group.members):
            if piece not in old:
                beliefs[piece] = np.bincount(group.ways[:, column], both, beliefs.shape[1] + 1)[: beliefs.shape[1]]
