"""Who may be in the store when, and what reads of one tag say of each of them.

Both are laid out by bins of time, one after the other, so that a bin costs what the people in it cost.
"""

import math
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

HOME, ELSEWHERE, LEFT, CARRIED = 0, 1, 2, 3  # states: gone with anybody; the shopper in column s is CARRIED + s


class Roster(NamedTuple):
    """Who may be in the store when.

    Attributes
    ----------
    first : array (bins + 1,)
        Where each bin's entries begin.
    who : array (entries,)
        Columns of shoppers, by bin.
    leave : array (shoppers,)
        The last bin of each.
    """

    first: NDArray[np.int64]
    who: NDArray[np.int64]
    leave: NDArray[np.int64]

    @classmethod
    def of(cls, come: NDArray[np.int64], leave: NDArray[np.int64], bins: int) -> "Roster":
        """Lay out stays from `come` to `leave` (bins, both included) by bin."""
        come, leave = np.maximum(come, 0), np.minimum(leave, bins - 1)
        length = np.maximum(leave - come + 1, 0)
        who = np.repeat(np.arange(len(come)), length)
        moment = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length) + np.repeat(come, length)
        order = np.argsort(moment, kind="stable")
        first = np.searchsorted(moment[order], np.arange(bins + 1))
        return cls(first.astype(np.int64), who[order].astype(np.int64), leave.astype(np.int64))

    def holds(self, bins: NDArray[np.int64], shoppers: int) -> NDArray[np.bool_]:
        """Say who may be in the store in some bins: (bins, shoppers)."""
        there = np.zeros((len(bins), shoppers), dtype=bool)
        for row, moment in enumerate(bins):
            there[row, self.who[self.first[moment] : self.first[moment + 1]]] = True
        return there


@numba.njit(cache=True)
def weigh_places(
    begin: int, lies: NDArray, other: NDArray, gone: NDArray, unknown: NDArray, floor_first: NDArray,
    floor_piece: NDArray, gains: NDArray, beliefs: NDArray, roster: Roster,
) -> tuple[NDArray, NDArray]:  # fmt: skip
    """Likelihoods of one tag's bins in each state, up to a factor in each bin.

    Parameters
    ----------
    begin : int
        The first bin.
    lies, other, gone, unknown : arrays (bins,)
        Log-likelihood of the tag's reads and silence where it lies at home or on another shelf, where its carrier has
        left, and where nobody knows where the carrier is.
    floor_first, floor_piece : arrays (all bins + 1,), (rows,)
        Pieces of tracks by bin.
    gains : array (rows of the floor from `begin` on,)
        The same if it was carried by the person of that piece.
    beliefs : array (pieces, shoppers + 1)
    roster : Roster

    Returns
    -------
    array (bins, 3)
        At home, on another shelf, gone.
    array (entries of the roster from `begin` on,)
        With each shopper: over the pieces of tracks that may be theirs.
    """
    bins = len(lies)
    base, entry = floor_first[begin], roster.first[begin]
    still = np.empty((bins, 3))
    carried = np.empty(roster.first[begin + bins] - entry)
    weight = np.empty(len(gains))
    for number in range(bins):
        low, high = floor_first[begin + number] - base, floor_first[begin + number + 1] - base
        top = max(lies[number], other[number], gone[number], unknown[number])
        for row in range(low, high):
            top = max(top, gains[row])
        for row in range(low, high):
            weight[row] = math.exp(gains[row] - top)
        still[number, HOME], still[number, ELSEWHERE] = math.exp(lies[number] - top), math.exp(other[number] - top)
        still[number, LEFT], lost = math.exp(gone[number] - top), math.exp(unknown[number] - top)
        for place in range(roster.first[begin + number], roster.first[begin + number + 1]):
            shopper, total, known = roster.who[place], 0.0, 0.0
            for row in range(low, high):
                share = beliefs[floor_piece[base + row], shopper]
                total += share * weight[row]
                known += share
            more = max(known, 1.0)  # of one person in two places at once
            carried[place - entry] = total / more + (1.0 - known / more) * lost
    return still, carried


@numba.njit(cache=True)
def learn_floor(
    begin: int, held: NDArray, roster: Roster, floor_first: NDArray, floor_piece: NDArray, gains: NDArray,
    unknown: NDArray, beliefs: NDArray, pieces: NDArray, weight: NDArray,
) -> None:  # fmt: skip
    """Add what one tag says: of pieces of tracks (log-likelihood for each shopper), and how much each row carried it.

    `pieces` (pieces, shoppers + 1) and `weight` (rows of the floor in these bins,) are added to.
    """
    base, entry = floor_first[begin], roster.first[begin]
    for number in range(len(unknown)):
        low, high = floor_first[begin + number] - base, floor_first[begin + number + 1] - base
        for place in range(roster.first[begin + number], roster.first[begin + number + 1]):
            carried, shopper = held[place - entry], roster.who[place]
            if carried < 0.02:
                continue
            for row in range(low, high):
                piece = floor_piece[base + row]
                pieces[piece, shopper] += carried * (gains[row] - unknown[number])
                weight[row] += carried * beliefs[piece, shopper]
