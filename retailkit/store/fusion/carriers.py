"""Who carried a tag when: forward and backward over its day (Baum et al. 1970), all in one star.

A tag lies on its shelf, lies on another, or is with a shopper, who may be gone. It changes hands at acts, which the
caller weighs, and now and then without one being seen. From every state there is one step to every other through the
middle of the star, so the cost is linear in the number of shoppers.
"""

import math

import numba
import numpy as np
from numpy.typing import NDArray

HOME, ELSEWHERE, CARRIED = 0, 1, 2  # states: the shopper in column s is CARRIED + s
UNSEEN = 2e-6  # chance in a bin that a thing is taken or put back without an act
HANDED = 2e-4  # chance in a bin that it changes hands
RETURNED = 0.85  # share of what is put back that ends where it was


@numba.njit(cache=True)
def mix_evidence(
    begin: int, last: int, floor_first: NDArray, floor_piece: NDArray, gains: NDArray, beliefs: NDArray,
    unknown: NDArray, leave: NDArray, gone: NDArray, out: NDArray,
) -> None:  # fmt: skip
    """Log-likelihood of one tag's bins for each shopper: over the pieces of tracks that may be theirs.

    Parameters
    ----------
    begin, last : int
        Bins from `begin` to before `last`.
    gains : array (rows of the floor in these bins,)
        Log-likelihood of the tag's reads and silence, if it was carried there.
    unknown, gone : arrays (bins,)
        The same where nobody knows where the shopper is, and where they have left.
    leave : array (shoppers,)
        Bin after which each has left.
    out : array (bins, shoppers)
    """
    shoppers = beliefs.shape[1] - 1
    base_row = floor_first[begin]
    for number in range(last - begin):
        moment = begin + number
        low, high = floor_first[moment] - base_row, floor_first[moment + 1] - base_row
        top = max(unknown[number], gone[number])
        for row in range(low, high):
            top = max(top, gains[row])
        lost = math.exp(unknown[number] - top)
        total, known = np.zeros(shoppers), np.zeros(shoppers)
        for row in range(low, high):
            weight, share = math.exp(gains[row] - top), beliefs[floor_piece[base_row + row]]
            for shopper in range(shoppers):
                total[shopper] += share[shopper] * weight
                known[shopper] += share[shopper]
        for shopper in range(shoppers):
            if moment > leave[shopper]:
                out[number, shopper] = gone[number]
                continue
            more = max(known[shopper], 1.0)  # of one person in two places at once
            mixed = total[shopper] / more + (1.0 - known[shopper] / more) * lost
            out[number, shopper] = top + math.log(mixed + 1e-300)


@numba.njit(cache=True)
def _drift(state: NDArray, present: NDArray) -> NDArray:
    """What happens in a bin without being seen."""
    carried = state[CARRIED:]
    share, held = 1.0 / max(present.sum(), 1.0), carried.sum()
    new = np.empty_like(state)
    new[HOME] = state[HOME] * (1 - UNSEEN)
    new[ELSEWHERE] = state[ELSEWHERE] * (1 - UNSEEN) + held * UNSEEN
    pool = share * (held * HANDED + (state[HOME] + state[ELSEWHERE]) * UNSEEN)
    for shopper in range(len(carried)):
        new[CARRIED + shopper] = carried[shopper] * (1 - UNSEEN - HANDED * present[shopper]) + present[shopper] * pool
    return new


@numba.njit(cache=True)
def _act(state: NDArray, take: float, back: float, given: NDArray) -> NDArray:
    """What an act does."""
    new = state.copy()
    taken = (state[HOME] + state[ELSEWHERE]) * take
    new[HOME] *= 1 - take
    new[ELSEWHERE] *= 1 - take
    for shopper in range(len(given)):
        put = state[CARRIED + shopper] * back * given[shopper]
        new[CARRIED + shopper] += taken * given[shopper] - put
        new[HOME] += RETURNED * put
        new[ELSEWHERE] += (1 - RETURNED) * put
    return new


@numba.njit(cache=True)
def as_chances(lying: NDArray, elsewhere: NDArray, carried: NDArray) -> NDArray:
    """Likelihoods of each state in each bin, the greatest being 1, from their logarithms: (bins, shoppers + 2)."""
    bins, shoppers = carried.shape
    seen = np.empty((bins, shoppers + CARRIED))
    for moment in range(bins):
        top = max(lying[moment], elsewhere[moment], carried[moment].max())
        seen[moment, HOME] = math.exp(lying[moment] - top)
        seen[moment, ELSEWHERE] = math.exp(elsewhere[moment] - top)
        for shopper in range(shoppers):
            seen[moment, CARRIED + shopper] = math.exp(carried[moment, shopper] - top)
    return seen


@numba.njit(cache=True)
def follow_tag(
    seen: NDArray, acts: NDArray, take: NDArray, back: NDArray, given: NDArray, present: NDArray
) -> tuple[NDArray, NDArray]:
    """Follow one tag through its bins.

    Parameters
    ----------
    seen : array (bins, shoppers + 2)
        Likelihood of its reads in each state, as `as_chances` gives it.
    acts : array (acts,)
        Bin in which each happened, rising; it lies between that bin and the one before.
    take, back : arrays (acts,)
        Chance that this tag was taken, or put back, in it.
    given : array (acts, shoppers)
        Whose hand it was.
    present : array (bins, shoppers)
        1 where somebody may be in the store, else 0.

    Returns
    -------
    array (bins, shoppers + 2)
        Probability of each state in each bin.
    array (acts,)
        Log of the likelihood with the tag moved in this act, over that with it not moved.
    """
    bins, states = seen.shape
    forward = np.empty((bins, states))
    state = np.zeros(states)
    state[HOME] = 1.0
    before = np.empty((len(acts), states))
    act = 0
    for moment in range(bins):
        while act < len(acts) and acts[act] <= moment:
            before[act] = state
            state = _act(state, take[act], back[act], given[act])
            act += 1
        state = _drift(state, present[moment]) * seen[moment]
        state /= max(state.sum(), 1e-300)
        forward[moment] = state
    later = np.ones(states)
    odds = np.zeros(len(acts))
    act = len(acts) - 1
    for moment in range(bins - 1, -1, -1):
        state = forward[moment] * later
        forward[moment] = state / max(state.sum(), 1e-300)
        later = later * seen[moment]
        later = _drift_back(later, present[moment])
        while act >= 0 and acts[act] == moment:
            odds[act] = _odds(before[act], later, take[act] > 0, given[act])
            later = _act_back(later, take[act], back[act], given[act])
            act -= 1
        later /= max(later.max(), 1e-300)
    return forward, odds


@numba.njit(cache=True)
def _odds(before: NDArray, later: NDArray, taken: bool, given: NDArray) -> float:
    """Log-likelihood of the rest of the day with the tag moved by an act, over that with it where it was."""
    stayed = (before * later).sum()
    moved = 0.0
    if taken:
        lies = before[HOME] + before[ELSEWHERE]
        for shopper in range(len(given)):
            moved += (
                lies * given[shopper] * later[CARRIED + shopper] + before[CARRIED + shopper] * later[CARRIED + shopper]
            )
    else:
        moved = before[HOME] * later[HOME] + before[ELSEWHERE] * later[ELSEWHERE]
        lies = RETURNED * later[HOME] + (1 - RETURNED) * later[ELSEWHERE]
        for shopper in range(len(given)):
            held = before[CARRIED + shopper]
            moved += held * (given[shopper] * lies + (1 - given[shopper]) * later[CARRIED + shopper])
    return math.log(max(moved, 1e-300)) - math.log(max(stayed, 1e-300))


@numba.njit(cache=True)
def _drift_back(later: NDArray, present: NDArray) -> NDArray:
    """The step of `_drift`, backwards."""
    new = np.empty_like(later)
    there, pool = max(present.sum(), 1.0), 0.0
    for shopper in range(len(present)):
        pool += present[shopper] / there * later[CARRIED + shopper]
    new[HOME] = (1 - UNSEEN) * later[HOME] + UNSEEN * pool
    new[ELSEWHERE] = (1 - UNSEEN) * later[ELSEWHERE] + UNSEEN * pool
    for shopper in range(len(present)):
        gives = HANDED * present[shopper]
        own = (1 - UNSEEN - gives) * later[CARRIED + shopper]
        new[CARRIED + shopper] = own + HANDED * pool + UNSEEN * later[ELSEWHERE]
    return new


@numba.njit(cache=True)
def _act_back(later: NDArray, take: float, back: float, given: NDArray) -> NDArray:
    """The step of `_act`, backwards."""
    new = later.copy()
    taken, lies = 0.0, RETURNED * later[HOME] + (1 - RETURNED) * later[ELSEWHERE]
    for shopper in range(len(given)):
        taken += given[shopper] * later[CARRIED + shopper]
        put = back * given[shopper]
        new[CARRIED + shopper] = (1 - put) * later[CARRIED + shopper] + put * lies
    new[HOME] = (1 - take) * later[HOME] + take * taken
    new[ELSEWHERE] = (1 - take) * later[ELSEWHERE] + take * taken
    return new


@numba.njit(cache=True)
def learn_floor(
    begin: int, states: NDArray, floor_first: NDArray, floor_piece: NDArray, gains: NDArray, unknown: NDArray,
    beliefs: NDArray, leave: NDArray, pieces: NDArray, weight: NDArray,
) -> None:  # fmt: skip
    """Add what one tag says: of pieces of tracks (log-likelihood for each shopper), and how much each row carried it.

    `pieces` (pieces, shoppers + 1) and `weight` (rows of the floor in these bins,) are added to.
    """
    shoppers = states.shape[1] - CARRIED
    base = floor_first[begin]
    for number in range(len(states)):
        moment = begin + number
        low, high = floor_first[moment] - base, floor_first[moment + 1] - base
        for shopper in range(shoppers):
            carried = states[number, CARRIED + shopper]
            if carried < 0.02 or moment > leave[shopper]:
                continue
            for row in range(low, high):
                piece = floor_piece[base + row]
                pieces[piece, shopper] += carried * (gains[row] - unknown[number])
                weight[row] += carried * beliefs[piece, shopper]
