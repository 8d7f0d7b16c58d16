"""Which tags left for good, and when: each tag's own way of being heard where it lies, against any other.

    left = find_departures(scene, takes["time"])
    left.table          # a row for each tag that is gone: epc, product, last, best
    left.score          # (tags, takes): how well each take explains when the tag ceased to lie

No planogram is asked, so that what tags tell can be held against it.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from retailkit.store.fusion.sensors import Scene
from retailkit.store.rfid.presence import Dense, Presence, find_presence

_BIN = 1.0  # seconds
_WORTH = 0.3  # of one bin's evidence: neighbouring bins share their shadows
_SURE = 5.0  # heard bins that are missing at the end, already tempered: chance e^-5 that a tag which lies is so silent
_FEW = 3  # heard bins: fewer tell no rate
_EARLY = 0.4  # of a tag's time until it is heard last: there it lies, to begin with
_STILL, _ANY = 4.0, 10.0  # dB by which strengths of a tag that lies, and of one that is carried, differ from its mean
_HELD = 0.5  # chance that an antenna hears a carried tag, against a lying one
_STRAY = 0.03  # chance that an antenna hears a carried tag which it did not hear lying


class Departures(NamedTuple):
    """Tags that are gone at the end.

    Attributes
    ----------
    table : DataFrame
        epc, product, last (seconds: heard for the last time), best (log-likelihood of the best moment of all).
    score : array (tags, moments)
        Log-likelihood, up to a constant of each tag, that it ceased to lie at each of the moments asked about; -inf
        where it was heard for the last time before.
    """

    table: pd.DataFrame
    score: NDArray[np.float64]


def hear_bins(scene: Scene) -> Presence:
    """Count a scene's reads in bins of a second, for all antennas that hang."""
    return find_presence(scene.sensors.reads, _BIN, antennas=scene.sensors.antennas["antenna"])


def find_departures(scene: Scene, moments: ArrayLike, presence: Presence | None = None) -> Departures:
    """Find tags that are gone, and how well each of some moments explains it.

    Parameters
    ----------
    scene : Scene
    moments : array (moments,), seconds
        When things were taken.
    presence : Presence, optional
        As `hear_bins` gives it.

    Returns
    -------
    Departures

    Notes
    -----
    A tag is gone where the silence since its last read is longer than its own rate lets chance explain. A change point
    (Hinkley 1970) is looked for before: until then each antenna hears it as often and as strongly as at first, and from
    then on as one hears what is carried.
    """
    presence = hear_bins(scene) if presence is None else presence
    bins = ((np.asarray(moments, dtype=float) - presence.start) // presence.width).astype(int)
    rows, scores = [], []
    for epc, product in scene.tags[["epc", "product"]].itertuples(index=False):
        dense = presence.dense(epc)
        gone = _gone(dense)
        if gone < 0:
            continue
        path = _change(dense, gone)
        rows.append((epc, product, presence.start + presence.width * (gone + 1), float(path.max())))
        scores.append(np.where(bins <= gone + 1, path[np.clip(bins, 0, gone + 1)], -np.inf))
    table = pd.DataFrame(rows, columns=["epc", "product", "last", "best"])
    return Departures(table, np.array(scores).reshape(len(rows), len(bins)))


def _gone(dense: Dense) -> int:
    """The last bin in which a tag that is gone was heard; -1 where it is not gone, or where nobody can tell."""
    heard = np.flatnonzero(dense.reads.any(axis=1))
    if len(heard) < _FEW:
        return -1
    missing = len(heard) / (heard[-1] + 1 - heard[0]) * (len(dense.reads) - 1 - heard[-1])
    return int(heard[-1]) if _WORTH * missing > _SURE else -1


def _change(dense: Dense, gone: int) -> NDArray[np.float64]:
    """Log-likelihood that a tag lay until each bin, from 0 to one past the last; learned twice, from what it found."""
    until = max(int(_EARLY * gone), 1)
    path = np.zeros(gone + 2)
    for _ in range(2):
        chance, strength = _lying(dense, until)
        heard, rssi = dense.reads[: gone + 1] > 0, dense.rssi[: gone + 1]
        held = np.maximum(_HELD * chance, _STRAY)
        off = np.where(heard, np.nan_to_num(rssi - strength), 0.0)
        told = np.log(chance / held) + np.log(_ANY / _STILL) - 0.5 * off**2 * (1 / _STILL**2 - 1 / _ANY**2)
        quiet = np.log1p(-chance) - np.log1p(-held)
        path = _WORTH * np.append(0.0, np.where(heard, told, quiet).sum(axis=1).cumsum())
        until = max(int(path.argmax()), 1)
    return path


def _lying(dense: Dense, until: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Chance that each antenna hears a tag which lies, and its strength (dBm; all it ever was where it is unknown)."""
    heard = (dense.reads[:until] > 0).sum(axis=0)
    known = np.where(np.isfinite(dense.rssi[:until]), dense.rssi[:until], 0.0).sum(axis=0)
    ever = float(np.nanmean(dense.rssi)) if np.isfinite(dense.rssi).any() else -60.0
    return np.clip((heard + 0.1) / (until + 10.0), 1e-4, 0.98), (known + ever) / (heard + 1.0)
