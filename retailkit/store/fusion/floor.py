"""Who is in the store when and where, by half seconds, and what reads of one tag say of each of them."""

import math
from typing import NamedTuple

import numba
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from retailkit.store.fusion.identity import Identity
from retailkit.store.visits.tracks import spread

WIDTH = 0.5  # seconds of a bin
STEP, REACH = 0.5, 9.0  # metres: of a step of distance, and how far antennas may hear
_HEIGHT = 1.0  # metres at which things are carried
_STILL = 4  # bins after the end of a track in which what is carried is still heard at a door
_LOST = 120  # bins for which somebody lost in the middle of the store is thought to be there


class Floor(NamedTuple):
    """Pieces of tracks by half seconds: an entry for each bin in which the person of a piece is in the store.

    Attributes
    ----------
    first : array (bins + 1,)
        Where each bin's entries begin.
    piece : array (entries,)
    leave : array (pieces,)
        The first bin in which the person of each is not there any more, as that piece.
    seen : array (entries,)
        Whether a camera saw where; elsewhere step and place tell nothing.
    step : array (entries, antennas)
        Step of the distance to each antenna.
    place : array (entries, 2), metres
    """

    first: NDArray[np.int64]
    piece: NDArray[np.int64]
    leave: NDArray[np.int64]
    seen: NDArray[np.bool_]
    step: NDArray[np.int64]
    place: NDArray[np.float64]


def bin_of(time: ArrayLike, start: float) -> NDArray[np.int64]:
    """The bin that begins nearest to a time (seconds): where a piece of a track ends and the next begins."""
    return np.rint((np.asarray(time, dtype=float) - start) / WIDTH).astype(np.int64)


def lay_floor(identity: Identity, antennas: pd.DataFrame, start: float, bins: int) -> Floor:
    """Say who was where in each bin, and how far from each antenna."""
    pieces = identity.pieces
    come, leave = bin_of(pieces["begin"], start), bin_of(pieces["end"], start)
    last = ~pieces["visit"].duplicated(keep="last").to_numpy()
    leave = leave + np.where(last, np.where(pieces["lost"], _LOST, _STILL), 0)
    come, leave = come.clip(0, bins), leave.clip(0, bins)
    length = np.maximum(leave - come, 0)
    piece = np.repeat(np.arange(len(pieces)), length)
    number = spread(come, length)
    order = np.argsort(number, kind="stable")
    piece, number = piece[order], number[order]
    place, seen = _places(identity, piece, number, start, bins)
    hung = antennas[["x", "y", "z"]].to_numpy(float)
    body = np.column_stack([place, np.full(len(place), _HEIGHT)])
    away = np.sqrt(((body[:, None] - hung[None]) ** 2).sum(axis=2))
    step = np.minimum(away / STEP, REACH / STEP).astype(np.int64)
    first = np.searchsorted(number, np.arange(bins + 1)).astype(np.int64)
    return Floor(first, piece.astype(np.int64), leave.astype(np.int64), seen, step, place)


def _places(
    identity: Identity, piece: NDArray, number: NDArray, start: float, bins: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Where the tracks of some pieces were in some bins, in the mean: metres, and whether a camera saw it."""
    ways = identity.ways
    visit, names = pd.factorize(identity.pieces["visit"])
    when = ((ways["time"].to_numpy() - start) // WIDTH).astype(np.int64)
    inside = (when >= 0) & (when < bins)
    key = (names.get_indexer(pd.Index(ways["visit"])) * bins + when)[inside]
    found = np.unique(key)
    row = np.searchsorted(found, key)
    number_of = np.bincount(row, minlength=len(found))
    mean = np.column_stack([np.bincount(row, ways[axis].to_numpy()[inside], len(found)) / number_of for axis in "xy"])
    wanted = visit[piece] * bins + number
    at = np.searchsorted(found, wanted).clip(0, max(len(found) - 1, 0))
    seen = found[at] == wanted
    return np.where(seen[:, None], mean[at], 0.0), seen


@numba.njit(cache=True)
def weigh_places(
    begin: int, lies: NDArray, other: NDArray, gone: NDArray, unknown: NDArray, floor: Floor, gains: NDArray
) -> tuple[NDArray, NDArray]:
    """Likelihoods of one tag's bins in each state, up to a factor in each bin.

    Parameters
    ----------
    begin : int
        The first bin.
    lies, other, gone, unknown : arrays (bins,)
        Log-likelihood of the tag's reads and silence where it lies at home or on another shelf, where its carrier has
        left, and where no camera sees its carrier.
    floor : Floor
    gains : array (entries of the floor from `begin` on,)
        The same if it was carried by the person of that entry.

    Returns
    -------
    array (bins, 3)
        At home, on another shelf, gone.
    array (entries of the floor from `begin` on,)
        With each who is there.
    """
    bins, entry = len(lies), floor.first[begin]
    still = np.empty((bins, 3))
    carried = np.empty(floor.first[begin + bins] - entry)
    for number in range(bins):
        low, high = floor.first[begin + number] - entry, floor.first[begin + number + 1] - entry
        top = max(lies[number], other[number], gone[number])
        for place in range(low, high):
            carried[place] = gains[place] if floor.seen[entry + place] else unknown[number]
            top = max(top, carried[place])
        for place in range(low, high):
            carried[place] = math.exp(carried[place] - top)
        still[number, 0] = math.exp(lies[number] - top)
        still[number, 1] = math.exp(other[number] - top)
        still[number, 2] = math.exp(gone[number] - top)
    return still, carried
