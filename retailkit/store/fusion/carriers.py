"""Who carried a tag when: forward and backward over its day (Baum et al. 1970), all in one star.

A tag lies on its shelf, lies on another, is with a shopper who may be in the store, or has left with one. It changes
hands at acts, which the caller weighs, and now and then without one being seen. From every state there is one step to
every other through the middle of the star, and whoever has left has left for good: so a bin costs what the shoppers
who are in the store cost, however many came before.
"""

import math

import numba
import numpy as np
from numpy.typing import NDArray

from retailkit.store.fusion.roster import CARRIED, ELSEWHERE, HOME, LEFT, Roster

UNSEEN = 2e-6  # chance in a bin that a thing is taken or put back without an act
HANDED = 2e-4  # chance in a bin that it changes hands
RETURNED = 0.85  # share of what is put back that ends where it was
_TINY = 1e-200  # below which a scale is taken into what it scales


@numba.njit(cache=True)
def _drift(state: NDArray, present: NDArray) -> None:
    """What happens in a bin without being seen."""
    held = 0.0
    for shopper in present:
        held += state[CARRIED + shopper]
    pool = (held * HANDED + (state[HOME] + state[ELSEWHERE]) * UNSEEN) / max(len(present), 1)
    if len(present):
        state[HOME] *= 1 - UNSEEN
        state[ELSEWHERE] = state[ELSEWHERE] * (1 - UNSEEN) + held * UNSEEN
    for shopper in present:
        state[CARRIED + shopper] = state[CARRIED + shopper] * (1 - UNSEEN - HANDED) + pool


@numba.njit(cache=True)
def _drift_back(later: NDArray, present: NDArray) -> None:
    """The step of `_drift`, backwards."""
    pool = 0.0
    for shopper in present:
        pool += later[CARRIED + shopper] / len(present)
    for shopper in present:
        own = (1 - UNSEEN - HANDED) * later[CARRIED + shopper]
        later[CARRIED + shopper] = own + HANDED * pool + UNSEEN * later[ELSEWHERE]
    if len(present):
        later[HOME] = (1 - UNSEEN) * later[HOME] + UNSEEN * pool
        later[ELSEWHERE] = (1 - UNSEEN) * later[ELSEWHERE] + UNSEEN * pool


@numba.njit(cache=True)
def _act(state: NDArray, take: float, back: float, given: NDArray, present: NDArray) -> None:
    """What an act does."""
    taken = (state[HOME] + state[ELSEWHERE]) * take
    state[HOME] *= 1 - take
    state[ELSEWHERE] *= 1 - take
    for shopper in present:
        put = state[CARRIED + shopper] * back * given[shopper]
        state[CARRIED + shopper] += taken * given[shopper] - put
        state[HOME] += RETURNED * put
        state[ELSEWHERE] += (1 - RETURNED) * put


@numba.njit(cache=True)
def _act_back(later: NDArray, take: float, back: float, given: NDArray, present: NDArray) -> None:
    """The step of `_act`, backwards."""
    taken, lies = 0.0, RETURNED * later[HOME] + (1 - RETURNED) * later[ELSEWHERE]
    for shopper in present:
        taken += given[shopper] * later[CARRIED + shopper]
        put = back * given[shopper]
        later[CARRIED + shopper] = (1 - put) * later[CARRIED + shopper] + put * lies
    later[HOME] = (1 - take) * later[HOME] + take * taken
    later[ELSEWHERE] = (1 - take) * later[ELSEWHERE] + take * taken


@numba.njit(cache=True)
def _odds(before: NDArray, later: NDArray, taken: bool, given: NDArray, present: NDArray) -> float:
    """Log-likelihood of the rest of the day with the tag moved by an act, over that with it where it was."""
    gone = before[LEFT] * later[LEFT]
    lay, held = before[HOME] + before[ELSEWHERE], 0.0
    resting = before[HOME] * later[HOME] + before[ELSEWHERE] * later[ELSEWHERE]
    lies = RETURNED * later[HOME] + (1 - RETURNED) * later[ELSEWHERE]
    moved = gone if taken else gone + resting
    for shopper in present:
        kept = before[CARRIED + shopper] * later[CARRIED + shopper]
        held += kept
        if taken:
            moved += lay * given[shopper] * later[CARRIED + shopper] + kept
        else:
            moved += before[CARRIED + shopper] * given[shopper] * lies + (1 - given[shopper]) * kept
    return math.log(max(moved, 1e-300)) - math.log(max(gone + resting + held, 1e-300))


@numba.njit(cache=True)
def follow_tag(
    still: NDArray, carried: NDArray, begin: int, roster: Roster, acts: NDArray, take: NDArray, back: NDArray,
    given: NDArray,
) -> tuple[NDArray, NDArray, NDArray, NDArray]:  # fmt: skip
    """Follow one tag through its bins.

    Parameters
    ----------
    still, carried : arrays (bins, 3), (entries of the roster from `begin` on,)
        Likelihoods, as `weigh_places` gives them.
    begin : int
        The first bin.
    roster : Roster
    acts : array (acts,)
        Bin in which each happened, from 0 at `begin`, rising; it lies between that bin and the one before.
    take, back : arrays (acts,)
        Chance that this tag was taken, or put back, in it.
    given : array (acts, shoppers)
        Whose hand it was; of those who are in the store.

    Returns
    -------
    array (bins, 3)
        Probability that the tag is at home, on another shelf, gone.
    array (entries of the roster from `begin` on,)
        Probability that each shopper has it.
    array (shoppers,)
        Probability that it has left with each, or is with them at the end.
    array (acts,)
        Log of the likelihood with the tag moved in this act, over that with it not moved.
    """
    bins, entry = len(still), roster.first[begin]
    shoppers = len(roster.leave)
    rest, held, last = np.empty((bins, 3)), np.empty(len(carried)), np.zeros(shoppers)
    before = np.zeros((len(acts), shoppers + CARRIED))
    state = np.zeros(shoppers + CARRIED)
    state[HOME], scale, act = 1.0, 1.0, 0  # what each who left has is last * scale
    present = roster.who[entry:entry]
    for number in range(bins):
        for shopper in present:
            if roster.leave[shopper] < begin + number:
                state[LEFT] += state[CARRIED + shopper]
                last[shopper] = state[CARRIED + shopper] / scale
                state[CARRIED + shopper] = 0.0
        low, high = roster.first[begin + number], roster.first[begin + number + 1]
        present = roster.who[low:high]
        while act < len(acts) and acts[act] <= number:
            before[act] = state
            _act(state, take[act], back[act], given[act], present)
            act += 1
        _drift(state, present)
        state[:CARRIED] *= still[number]
        total = state[HOME] + state[ELSEWHERE] + state[LEFT]
        for place in range(low, high):
            state[CARRIED + roster.who[place]] *= carried[place - entry]
            total += state[CARRIED + roster.who[place]]
        state[:CARRIED] /= max(total, 1e-300)
        scale *= still[number, LEFT] / max(total, 1e-300)
        if scale < _TINY or scale > 1 / _TINY:
            last *= scale
            scale = 1.0
        rest[number] = state[:CARRIED]
        for place in range(low, high):
            state[CARRIED + roster.who[place]] /= max(total, 1e-300)
            held[place - entry] = state[CARRIED + roster.who[place]]
    last *= scale
    for shopper in present:
        last[shopper] = state[CARRIED + shopper]
    odds = _look_back(still, carried, begin, roster, acts, take, back, given, before, rest, held)
    return rest, held, last / max(last.sum() + state[HOME] + state[ELSEWHERE], 1e-300), odds


@numba.njit(cache=True)
def _look_back(
    still: NDArray, carried: NDArray, begin: int, roster: Roster, acts: NDArray, take: NDArray, back: NDArray,
    given: NDArray, before: NDArray, rest: NDArray, held: NDArray,
) -> NDArray:  # fmt: skip
    """Weigh what was found forward (`rest` and `held`, changed in place) with what came later; the odds of acts."""
    bins, entry = len(still), roster.first[begin]
    later, odds, act = np.ones(len(roster.leave) + CARRIED), np.zeros(len(acts)), len(acts) - 1
    for number in range(bins - 1, -1, -1):
        low, high = roster.first[begin + number], roster.first[begin + number + 1]
        present = roster.who[low:high]
        rest[number] *= later[:CARRIED]
        total = rest[number].sum()
        for place in range(low, high):
            shopper = roster.who[place]
            if roster.leave[shopper] == begin + number:
                later[CARRIED + shopper] = later[LEFT]
            held[place - entry] *= later[CARRIED + shopper]
            total += held[place - entry]
        rest[number] /= max(total, 1e-300)
        later[:CARRIED] *= still[number]
        top = max(later[HOME], later[ELSEWHERE], later[LEFT])
        for place in range(low, high):
            held[place - entry] /= max(total, 1e-300)
            later[CARRIED + roster.who[place]] *= carried[place - entry]
            top = max(top, later[CARRIED + roster.who[place]])
        _drift_back(later, present)
        while act >= 0 and acts[act] == number:
            odds[act] = _odds(before[act], later, take[act] > 0, given[act], present)
            _act_back(later, take[act], back[act], given[act], present)
            act -= 1
        later[:CARRIED] /= max(top, 1e-300)
        for shopper in present:
            later[CARRIED + shopper] /= max(top, 1e-300)
    return odds
