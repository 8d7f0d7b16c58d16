"""How well antennas hear a tag that somebody carries, and one that lies: learned from the day itself, without a survey.

For every half second and every piece of a track there is a chance that an antenna reads a tag carried there, by the
distance between them, and a strength at which it would. A second without a read counts as much as one with: silence
under an antenna says that somebody else has it. Nothing is assumed of walls, bodies or power but that these depend on
distance; what differs from antenna to antenna is learned (curves of counts by distance, smoothed and drawn towards
that of all antennas, in the spirit of radio maps: Bahl & Padmanabhan 2000).
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.store.fusion.floor import REACH, STEP, Floor
from retailkit.store.rfid.presence import Presence
from retailkit.store.visits.tracks import spread

_PRIOR = 6.0  # bins that the curve of all antennas counts for in one antenna's own
_SPREAD, _TAIL = 6.0, 4.0  # dB of strengths about the curve, and degrees of freedom: shadows are no noise
_LEAST = 2e-4  # chance of a read that nothing explains
WORTH = 0.3  # of one bin's evidence: neighbouring bins share their shadows
_WEAK = 0.03  # of an ordinary chance: the weakest tag that is thought of


class Reads(NamedTuple):
    """Reads of all tags, one tag after the other.

    Attributes
    ----------
    bin, antenna, rssi : arrays (reads,)
        Antennas are columns; strengths are in dBm.
    first : array (tags + 1,)
        Where each tag's reads begin.
    """

    bin: NDArray[np.int64]
    antenna: NDArray[np.int64]
    rssi: NDArray[np.float64]
    first: NDArray[np.int64]

    @classmethod
    def of(cls, presence: Presence, tags: int) -> "Reads":
        table = presence.table
        first = np.searchsorted(table["epc"].cat.codes.to_numpy(), np.arange(tags + 1))
        antenna = np.searchsorted(presence.antennas, table["antenna"].to_numpy())
        return cls(table["bin"].to_numpy(), antenna, table["rssi"].to_numpy(float), first)

    def since(self, tag: int, begin: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Bins, antennas and strengths of a tag's reads from a bin on."""
        rows = np.arange(self.first[tag], self.first[tag + 1])
        rows = rows[self.bin[rows] >= begin]
        return self.bin[rows], self.antenna[rows], self.rssi[rows]


class Curves(NamedTuple):
    """Chance and strength of a read by antenna and step of distance: (antennas, steps) each."""

    chance: NDArray[np.float64]
    strength: NDArray[np.float64]


def first_guess(antennas: pd.DataFrame) -> Curves:
    """Curves to begin with: near is heard, far is not."""
    middle = (np.arange(int(REACH / STEP) + 1) + 0.5) * STEP
    chance = 0.25 * np.exp(-((middle / 2.2) ** 2)) + 0.004
    strength = -45.0 - 25.0 * np.log10(middle + 0.5)
    return Curves(np.tile(chance, (len(antennas), 1)), np.tile(strength, (len(antennas), 1)))


def learn_curves(
    heard: NDArray[np.float64], told: NDArray[np.float64], there: NDArray[np.float64], before: Curves
) -> Curves:
    """Learn from what was heard where: sums of reads, of their strengths, and of time, (antennas, steps) each."""
    everyone = (heard.sum(axis=0) + _PRIOR * before.chance.mean(axis=0)) / (there.sum(axis=0) + _PRIOR)
    chance = (heard + 4 * _PRIOR * everyone) / (there + 4 * _PRIOR)
    mean = (told.sum(axis=0) + 5 * before.strength.mean(axis=0)) / (heard.sum(axis=0) + 5)
    strength = (told + 5 * mean) / (heard + 5)
    return Curves(np.clip(_smoothed(chance), _LEAST, 0.95), strength)


def _smoothed(chance: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean along distance, a step's own counting twice."""
    padded = np.pad(chance, ((0, 0), (1, 1)), mode="edge")
    return (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4


def silence(floor: Floor, curves: Curves) -> NDArray[np.float64]:
    """Log-likelihood that no antenna reads a tag carried there: (rows,)."""
    antennas = np.arange(curves.chance.shape[0])
    return np.asarray(np.log1p(-curves.chance[antennas[None], floor.step]).sum(axis=1))


def read_gain(floor: Floor, curves: Curves, rows: NDArray[np.int64], antenna: NDArray, rssi: NDArray) -> NDArray:
    """What a read in a bin adds to that log-likelihood, for rows of the floor."""
    step = floor.step[rows, antenna]
    chance = curves.chance[antenna, step]
    return np.log(chance) - np.log1p(-chance) + student(rssi - curves.strength[antenna, step], _SPREAD)


def rows_of(floor: Floor, number: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each read with each row of the floor in its bin: rows, and the reads' places in `number`."""
    first = floor.first[number]
    length = floor.first[number + 1] - first
    return spread(first, length), np.repeat(np.arange(len(number)), length)


def heard_there(
    bins: int, number: NDArray, antenna: NDArray, rssi: NDArray, chance: NDArray, strength: NDArray, width: float
) -> NDArray[np.float64]:
    """Log-likelihood of a tag's bins in a place where each antenna has a chance and a strength."""
    quiet = np.log1p(-chance).sum()
    gain = np.log(chance[antenna]) - np.log1p(-chance[antenna]) + student(rssi - strength[antenna], width)
    return WORTH * (quiet + np.bincount(number, gain, bins))


def student(off: NDArray, spread: float) -> NDArray[np.float64]:
    """Log-density of Student's t, against the density of any strength at all (60 dB wide)."""
    density = -(_TAIL + 1) / 2 * np.log1p((off / spread) ** 2 / _TAIL)
    return np.asarray(density - np.log(spread * 2.67) + np.log(60.0))


class Lying(NamedTuple):
    """How tags are heard where they lie: (tags, antennas) each; and how well, against others: (tags,)."""

    chance: NDArray[np.float64]
    strength: NDArray[np.float64]
    worth: NDArray[np.float64]


def learn_lying(presence: Presence, home: NDArray[np.int64], until: NDArray[np.int64]) -> Lying:
    """Learn how each tag is heard at home, from the bins before the first in which it may have been moved.

    Parameters
    ----------
    presence : Presence
    home : array (tags,)
        Number of the product of each tag: tags that should lie together lend each other what a short time does not
        tell.
    until : array (tags,)
        Bins before this one are home.
    """
    tags, antennas = len(presence.tags), len(presence.antennas)
    table = presence.table
    tag, column = table["epc"].cat.codes.to_numpy(np.int64), np.searchsorted(presence.antennas, table["antenna"])
    early = table["bin"].to_numpy() < until[tag]
    place = tag[early] * antennas + column[early]
    heard = np.bincount(place, minlength=tags * antennas).reshape(tags, antennas).astype(float)
    told = np.bincount(place, table["rssi"].to_numpy(float)[early], tags * antennas).reshape(tags, antennas)
    cells = np.zeros((int(home.max(initial=0)) + 1, antennas))
    np.add.at(cells, home, heard)
    time = np.bincount(home, until, len(cells))
    common = (cells + 1e-3) / (time[:, None] + 1.0)
    chance = (heard + 20 * common[home]) / (until[:, None] + 20)
    usual = heard.sum() / max(until.sum(), 1)
    worth = np.clip((heard.sum(axis=1) + usual) / (until * usual + usual), _WEAK, 1.0) ** 0.7
    return Lying(np.clip(chance, _LEAST, 0.98), (told + 2 * -60.0) / (heard + 2), worth)
