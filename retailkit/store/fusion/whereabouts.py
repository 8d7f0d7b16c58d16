"""Where each shopper probably was, second by second: how near to each antenna, and to whom.

where = find_whereabouts(scene)
where.near[shopper, second, antenna]        # probability that they were there and within two metres of it
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.store.fusion.sensors import Scene

NEAR = 2.0  # metres from an antenna that count as near
_TOGETHER = 1.5  # metres between two who walk together
_BELIEVED = 0.02  # pieces of tracks that are less probably somebody's are left out
_THERE = 0.3  # probability of being in sight from which a place is told


class Whereabouts(NamedTuple):
    """Where shoppers were, in bins of a second.

    Attributes
    ----------
    start : float
        Seconds, of the first bin.
    there : array (shoppers, seconds)
        Probability of being in sight.
    near : array (shoppers, seconds, antennas)
        Probability of being in sight and near.
    away : array (shoppers, seconds, antennas)
        Metres, the mean by probability; nan out of sight.
    exits : array (shoppers,)
        Bin in which each left: by the face at the exit, or else when last seen.
    company : array (shoppers, shoppers)
        Share of the first's time in sight that the second was with them; 0 for oneself.
    """

    start: float
    there: NDArray[np.float64]
    near: NDArray[np.float64]
    away: NDArray[np.float64]
    exits: NDArray[np.int64]
    company: NDArray[np.float64]


def find_whereabouts(scene: Scene) -> Whereabouts:
    """Tell where shoppers were, by the tracks and whose they probably are.

    Parameters
    ----------
    scene : Scene

    Returns
    -------
    Whereabouts
    """
    ways, reads = scene.identity.ways, scene.sensors.reads["time"]
    start = float(np.floor(min(ways["time"].min(), reads.min())))
    seconds = int(max(ways["time"].max(), reads.max()) - start) + 1
    steps = ways.assign(bin=(ways["time"] - start).astype(int)).groupby(["piece", "bin"])[["x", "y"]].mean()
    piece, moment = (steps.index.get_level_values(name).to_numpy() for name in ("piece", "bin"))
    beliefs = scene.identity.beliefs[piece, :-1]
    row, who = np.nonzero(beliefs > _BELIEVED)
    weight, when = beliefs[row, who], moment[row]
    hung = scene.sensors.antennas[["x", "y"]].to_numpy(float)
    metres = np.hypot(*(steps.to_numpy()[row][:, None] - hung[None]).transpose(2, 0, 1))
    size = (len(scene.identity.shoppers), seconds)
    there, near, away, place = np.zeros(size), *(np.zeros((*size, len(hung))) for _ in range(2)), np.zeros((*size, 2))
    for total, values in (
        (there, weight), (near, weight[:, None] * (metres < NEAR)), (away, weight[:, None] * metres),
        (place, weight[:, None] * steps.to_numpy()[row]),
    ):  # fmt: skip
        np.add.at(total, (who, when), values)
    seen = np.where(there > _THERE, there, np.nan)[..., None]
    return Whereabouts(start, there, near, away / seen, _exits(scene, there, start), _company(place / seen))


def _exits(scene: Scene, there: NDArray[np.float64], start: float) -> NDArray[np.int64]:
    seen = there > _THERE
    last = np.where(seen.any(axis=1), there.shape[1] - 1 - seen[:, ::-1].argmax(axis=1), there.shape[1] - 1)
    left = scene.sensors.exits.groupby("shopper")["time"].max().reindex(scene.identity.shoppers)
    known = ((left - start) // 1).fillna(pd.Series(last, left.index)).to_numpy()
    return np.asarray(known.clip(0, there.shape[1] - 1), dtype=np.int64)


def _company(place: NDArray[np.float64]) -> NDArray[np.float64]:
    """Who walked with whom; `place` has shoppers, seconds and x, y, nan out of sight."""
    found = np.zeros((len(place), len(place)))
    for who, way in enumerate(place):
        mine = np.flatnonzero(~np.isnan(way[:, 0]))
        if len(mine):
            apart = np.hypot(*(place[:, mine] - way[mine]).transpose(2, 0, 1))
            found[who] = (apart < _TOGETHER).sum(axis=1) / len(mine)
    np.fill_diagonal(found, 0.0)
    return found
