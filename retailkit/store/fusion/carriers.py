"""Who carried a tag when: forward and backward over its day (Baum et al. 1970), all in one star.

A tag lies on its shelf, lies on another, is with the person of a piece of a track, or has left with one. It changes
hands at acts, which the caller weighs, and now and then without one being seen. From every state there is one step to
every other through the middle of the star. Where two may have been exchanged, what is with the one goes on with the one
or with the other. Whoever has left has left for good: so a bin costs what the people who are in the store cost.
"""

import math
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from retailkit.store.fusion.floor import Floor

HOME, ELSEWHERE, LEFT, CARRIED = 0, 1, 2, 3  # states: gone with anybody; with the person of piece p: CARRIED + p
UNSEEN = 2e-6  # chance in a bin that a thing is taken or put back without an act
HANDED = 2e-4  # chance in a bin that it changes hands
RETURNED = 0.85  # share of what is put back that ends where it was
_TINY = 1e-200  # below which a scale is taken into what it scales
_compiled = numba.njit(cache=True, error_model="numpy")  # nothing is divided by 0: looking out for it costs a quarter


class Moves(NamedTuple):
    """How people go on from one piece of a track as another: by bin, at whose beginning it happens.

    Attributes
    ----------
    bin : array (moves,)
    pieces : array (moves, 4)
        One and other, and as what they go on; other and the last are -1 where one may go on, or may not.
    chance : array (moves,)
        That the two are exchanged; that the one does go on.
    """

    bin: NDArray[np.int64]
    pieces: NDArray[np.int64]
    chance: NDArray[np.float64]


class Followed(NamedTuple):
    """What following one tag tells.

    Attributes
    ----------
    rest : array (bins, 3)
        Probability that it is at home, on another shelf, gone.
    held : array (entries of the floor from its first bin on,)
        Probability that it is with each person who is there.
    last : array (pieces,)
        Probability that it has left with each, or is there at the end.
    acts : array (acts,)
        Log of the likelihood with the tag moved in this act, over that with it not moved.
    moves : array (moves,)
        The same with two exchanged, over that with them not exchanged.
    """

    rest: NDArray[np.float64]
    held: NDArray[np.float64]
    last: NDArray[np.float64]
    acts: NDArray[np.float64]
    moves: NDArray[np.float64]


@_compiled
def _drift(state: NDArray, present: NDArray) -> None:
    """What happens in a bin without being seen."""
    held = 0.0
    for piece in present:
        held += state[CARRIED + piece]
    pool = (held * HANDED + (state[HOME] + state[ELSEWHERE]) * UNSEEN) / max(len(present), 1)
    if len(present):
        state[HOME] *= 1 - UNSEEN
        state[ELSEWHERE] = state[ELSEWHERE] * (1 - UNSEEN) + held * UNSEEN
    for piece in present:
        state[CARRIED + piece] = state[CARRIED + piece] * (1 - UNSEEN - HANDED) + pool


@_compiled
def _drift_back(later: NDArray, present: NDArray) -> None:
    """The step of `_drift`, backwards."""
    pool = 0.0
    for piece in present:
        pool += later[CARRIED + piece] / len(present)
    for piece in present:
        own = (1 - UNSEEN - HANDED) * later[CARRIED + piece]
        later[CARRIED + piece] = own + HANDED * pool + UNSEEN * later[ELSEWHERE]
    if len(present):
        later[HOME] = (1 - UNSEEN) * later[HOME] + UNSEEN * pool
        later[ELSEWHERE] = (1 - UNSEEN) * later[ELSEWHERE] + UNSEEN * pool


@_compiled
def _act(state: NDArray, take: float, back: float, given: NDArray, present: NDArray) -> None:
    """What an act does."""
    taken = (state[HOME] + state[ELSEWHERE]) * take
    state[HOME] *= 1 - take
    state[ELSEWHERE] *= 1 - take
    for place, piece in enumerate(present):
        put = state[CARRIED + piece] * back * given[place]
        state[CARRIED + piece] += taken * given[place] - put
        state[HOME] += RETURNED * put
        state[ELSEWHERE] += (1 - RETURNED) * put


@_compiled
def _act_back(later: NDArray, take: float, back: float, given: NDArray, present: NDArray) -> None:
    """The step of `_act`, backwards."""
    taken, lies = 0.0, RETURNED * later[HOME] + (1 - RETURNED) * later[ELSEWHERE]
    for place, piece in enumerate(present):
        taken += given[place] * later[CARRIED + piece]
        put = back * given[place]
        later[CARRIED + piece] = (1 - put) * later[CARRIED + piece] + put * lies
    later[HOME] = (1 - take) * later[HOME] + take * taken
    later[ELSEWHERE] = (1 - take) * later[ELSEWHERE] + take * taken


@_compiled
def _odds(before: NDArray, later: NDArray, taken: bool, given: NDArray, present: NDArray) -> float:
    """Log-likelihood of the rest of the day with the tag moved by an act, over that with it where it was."""
    gone = before[LEFT] * later[LEFT]
    lay, held = before[HOME] + before[ELSEWHERE], 0.0
    resting = before[HOME] * later[HOME] + before[ELSEWHERE] * later[ELSEWHERE]
    lies = RETURNED * later[HOME] + (1 - RETURNED) * later[ELSEWHERE]
    moved = gone if taken else gone + resting
    for place, piece in enumerate(present):
        had = before[CARRIED + place]
        kept = had * later[CARRIED + piece]
        held += kept
        if taken:
            moved += lay * given[place] * later[CARRIED + piece] + kept
        else:
            moved += had * given[place] * lies + (1 - given[place]) * kept
    return math.log(max(moved, 1e-300)) - math.log(max(gone + resting + held, 1e-300))


@_compiled
def _move(state: NDArray, one: int, other: int, then: int, others: int, chance: float) -> None:
    """People go on as other pieces."""
    if other < 0:
        gone_on = chance * state[CARRIED + one]
        state[CARRIED + then] += gone_on
        state[CARRIED + one] -= gone_on
        return
    a, b = state[CARRIED + one], state[CARRIED + other]
    state[CARRIED + one] = state[CARRIED + other] = 0.0
    state[CARRIED + then] = (1 - chance) * a + chance * b
    state[CARRIED + others] = chance * a + (1 - chance) * b


@_compiled
def _move_back(
    later: NDArray, a: float, b: float, one: int, other: int, then: int, others: int, chance: float, whole: float
) -> float:
    """The step of `_move`, backwards; a and b were with the two, and `whole` is the likelihood of all. Gives odds."""
    c = later[CARRIED + then]
    if other < 0:
        later[CARRIED + one] = chance * c + (1 - chance) * later[CARRIED + one]
        return 0.0
    d = later[CARRIED + others]
    later[CARRIED + one] = (1 - chance) * c + chance * d
    later[CARRIED + other] = chance * c + (1 - chance) * d
    rest = whole - a * later[CARRIED + one] - b * later[CARRIED + other]
    straight, exchanged = a * c + b * d, a * d + b * c
    if straight + exchanged < 1e-6 * whole:
        return 0.0
    rest = max(rest, 1e-12 * whole)
    return math.log(rest + exchanged) - math.log(rest + straight)


@_compiled
def _weigh(state: NDArray, still: NDArray, carried: NDArray, present: NDArray) -> float:
    """Weigh states by likelihoods, and bring their sum, which it gives, to 1."""
    total = 0.0
    for place in range(CARRIED):
        state[place] *= still[place]
        total += state[place]
    for place, piece in enumerate(present):
        state[CARRIED + piece] *= carried[place]
        total += state[CARRIED + piece]
    total = max(total, 1e-300)
    for place in range(CARRIED):
        state[place] /= total
    for piece in present:
        state[CARRIED + piece] /= total
    return total


@_compiled
def follow_tag(
    still: NDArray, carried: NDArray, begin: int, floor: Floor, moves: Moves, acts: NDArray, take: NDArray,
    back: NDArray, given: NDArray, given_first: NDArray,
) -> Followed:  # fmt: skip
    """Follow one tag through its bins.

    Parameters
    ----------
    still, carried : arrays (bins, 3), (entries of the floor from `begin` on,)
        Likelihoods at home, on another shelf, and gone; and with each who is there, as `weigh_places` gives them.
    begin : int
        The first bin.
    floor : Floor
        Who is there in which bin.
    moves : Moves
    acts : array (acts,)
        Bin in which each happened, from 0 at `begin`, rising; it lies between that bin and the one before.
    take, back : arrays (acts,)
        Chance that this tag was taken, or put back, in it.
    given, given_first : arrays (entries of the floor in the acts' bins,), (acts,)
        Whose hand it was, of those who are there; and where each act's entries begin.
    """
    bins, entry, pieces = len(still), floor.first[begin], len(floor.leave)
    rest, held, last = np.empty((bins, 3)), np.empty(len(carried)), np.zeros(pieces)
    most = 0
    for act in range(len(acts)):
        most = max(most, floor.first[begin + acts[act] + 1] - floor.first[begin + acts[act]])
    before, were = np.zeros((len(acts), most + CARRIED)), np.zeros((len(moves.bin), 2))
    norm = np.ones(bins)
    state = np.zeros(pieces + CARRIED)
    state[HOME], scale, act = 1.0, 1.0, 0  # what each who left has is last * scale
    move = np.searchsorted(moves.bin, begin)
    first_move = move
    present = floor.piece[entry:entry]
    for number in range(bins):
        while move < len(moves.bin) and moves.bin[move] <= begin + number:
            one, other, then, others = moves.pieces[move]
            were[move, 0] = state[CARRIED + one]
            were[move, 1] = state[CARRIED + other] if other >= 0 else 0.0
            _move(state, one, other, then, others, moves.chance[move])
            move += 1
        for piece in present:
            if floor.leave[piece] <= begin + number:
                state[LEFT] += state[CARRIED + piece]
                last[piece] = state[CARRIED + piece] / scale
                state[CARRIED + piece] = 0.0
        low, high = floor.first[begin + number], floor.first[begin + number + 1]
        present = floor.piece[low:high]
        while act < len(acts) and acts[act] <= number:
            before[act, :CARRIED] = state[:CARRIED]
            for place in range(high - low):
                before[act, CARRIED + place] = state[CARRIED + present[place]]
            whose = given[given_first[act] : given_first[act] + high - low]
            _act(state, take[act], back[act], whose, present)
            act += 1
        _drift(state, present)
        norm[number] = _weigh(state, still[number], carried[low - entry : high - entry], present)
        scale *= still[number, LEFT] / norm[number]
        if scale < _TINY or scale > 1 / _TINY:
            last *= scale
            scale = 1.0
        rest[number] = state[:CARRIED]
        for place in range(low, high):
            held[place - entry] = state[CARRIED + floor.piece[place]]
    last *= scale
    for piece in present:
        last[piece] = state[CARRIED + piece]
    last /= max(last.sum() + state[HOME] + state[ELSEWHERE], 1e-300)
    given_by = (acts, take, back, given, given_first)
    passed = (int(first_move), int(move))
    odds, turned = _look_back(
        still, carried, begin, floor, moves, passed, given_by, before, were, norm, rest, held
    )  # fmt: skip
    return Followed(rest, held, last, odds, turned)


@_compiled
def _look_back(
    still: NDArray, carried: NDArray, begin: int, floor: Floor, moves: Moves, passed: tuple[int, int],
    given_by: tuple[NDArray, NDArray, NDArray, NDArray, NDArray], before: NDArray, were: NDArray, norm: NDArray,
    rest: NDArray, held: NDArray,
) -> tuple[NDArray, NDArray]:  # fmt: skip
    """Weigh what was found forward (`rest` and `held`, changed in place) with what came later; the odds."""
    bins, entry = len(still), floor.first[begin]
    (first_move, move), (acts, take, back, given, given_first) = passed, given_by
    later = np.ones(len(floor.leave) + CARRIED)
    odds, turned, act, move = np.zeros(len(acts)), np.zeros(len(moves.bin)), len(acts) - 1, move - 1
    for number in range(bins - 1, -1, -1):
        low, high = floor.first[begin + number], floor.first[begin + number + 1]
        present = floor.piece[low:high]
        total = 0.0
        for place in range(CARRIED):
            rest[number, place] *= later[place]
            total += rest[number, place]
        for place in range(low, high):
            held[place - entry] *= later[CARRIED + floor.piece[place]]
            total += held[place - entry]
        rest[number] /= max(total, 1e-300)
        held[low - entry : high - entry] /= max(total, 1e-300)
        sum_later = _weigh(later, still[number], carried[low - entry : high - entry], present)
        _drift_back(later, present)
        while act >= 0 and acts[act] == number:
            whose = given[given_first[act] : given_first[act] + high - low]
            odds[act] = _odds(before[act], later, take[act] > 0, whose, present)
            _act_back(later, take[act], back[act], whose, present)
            act -= 1
        if number > 0:
            for place in range(floor.first[begin + number - 1], low):
                if floor.leave[floor.piece[place]] <= begin + number:
                    later[CARRIED + floor.piece[place]] = later[LEFT]
        whole = total * norm[number] / sum_later
        while move >= first_move and moves.bin[move] == begin + number:
            one, other, then, others = moves.pieces[move]
            turned[move] = _move_back(
                later, were[move, 0], were[move, 1], one, other, then, others, moves.chance[move], whole
            )
            move -= 1
    return odds, turned
