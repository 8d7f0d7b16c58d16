"""How much a tag's reads gain by chance: turned on the circle of their recording, or with tracks of another.

The working parts of `retailkit.store.rfid.whose` that say what its gains are worth. Every draw takes the best of all
sets of tracks, offsets and signs, as was done with the data.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from retailkit.store.rfid.speeds import (
    BIN,
    SMOOTH,
    STEP,
    Scene,
    bin_reads,
    likeness,
    pair_sums,
    radial_speed,
    signed_gain,
    tag_sums,
)

_APART = (np.sqrt(5) - 1) / 2  # of a circle between those that stand in for two visits: never the same place
_TILE = 10.0  # seconds: shorter tracks of other recordings repeat themselves too soon
_AT_ONCE = 4_000_000  # speeds in memory
_SHORT = 2.0  # seconds of turns: with less room the draws would be one


def p_value(gain: float, chance: NDArray) -> float:
    """Share of draws, the data counted as one, that gain as much; nan without draws (Davison & Hinkley 1997, 4.2).

    >>> p_value(3.0, np.array([1.0, 2.0, 3.5]))
    0.5
    """
    return float((1 + (chance >= gain).sum()) / (1 + len(chance))) if len(chance) else np.nan


def best_gains(sums: NDArray, sets: Sequence[tuple[int, ...]]) -> NDArray:
    """Greatest gain over sets and offsets: sums (P, 7, rows, O) to (rows,)."""
    best = np.zeros(sums.shape[2])
    for one in sets:
        np.maximum(best, np.abs(signed_gain(sums[list(one)].sum(axis=0))).max(axis=-1), out=best)
    return best


def turned_gains(scene: Scene, sets: list[tuple[int, ...]], tag: int, search: float, draws: int) -> NDArray:
    """Best gains of a tag whose reads are turned on their circle, forwards and then backwards, (2 draws,)."""
    guard = 2 * search + SMOOTH + BIN  # the true offset may lie at one end of the search, the turned one at the other
    if scene.span < 2 * guard + _SHORT:
        return np.empty(0)
    time, speed = scene.reads[tag]
    turns = np.linspace(guard, scene.span - guard, draws)[:, None]
    rounds = np.linspace(0, scene.span, draws, endpoint=False)[:, None]
    rows = [bin_reads(way % scene.span, speed, len(scene.bins)) for way in (turns + time, rounds - time)]
    return np.concatenate([best_gains(tag_sums(scene, tag, *one), sets) for one in rows])


def foreign_speeds(others: Sequence[pd.DataFrame], antenna: ArrayLike) -> list[NDArray]:
    """Radial speeds of tracks of other recordings, forwards and backwards."""
    told = [radial_speed(one, antenna) for one in others]
    runs = [rows["speed"].to_numpy() for one in told for _, rows in one.groupby("visit", sort=False)]
    long = [speed for speed in runs if len(speed) * STEP >= _TILE]
    return long + [speed[::-1] for speed in long]


def strange_gains(scene: Scene, sets: list[tuple[int, ...]], foreign: list[NDArray], draws: int) -> NDArray:
    """Best gains of each tag with tracks of other recordings, (T, draws or a few more)."""
    tags = list(zip(scene.weight, scene.value, strict=True))
    alike = np.array([[likeness(*tag, speed) for tag in tags] for speed in foreign])
    gains = [np.empty((len(tags), 0))]
    for k in range(len(foreign)):
        own = (k + np.arange(len(scene.visits))) % len(foreign)  # another one for each visit
        sums = np.stack([_strange_sums(scene, p, foreign[one], -(-draws // len(foreign))) for p, one in enumerate(own)])
        worth = sums[:, :1] / alike[own][:, None, :, None, None]
        full = np.concatenate([sums, worth], axis=1)  # (P, 7, T, draws, O)
        gains.append(np.stack([best_gains(full[:, :, t], sets) for t in range(len(tags))]))
    return np.concatenate(gains, axis=1)


def _strange_sums(scene: Scene, visit: int, speed: NDArray, draws: int) -> NDArray:
    """Sums (6, T, draws, O) of a track that stands in for a visit, turned on its own circle."""
    turns = (np.linspace(0, len(speed), draws, endpoint=False) + visit * _APART * len(speed)).astype(int)
    place = np.round((scene.bins[:, None] + scene.offsets - scene.ends[visit, 0]) / STEP).astype(int)
    parts = np.array_split(turns, -(-draws * place.size // _AT_ONCE))
    return np.concatenate(
        [_some_sums(scene, visit, speed, place[:, None, :] + part[:, None]) for part in parts], axis=2
    )


def _some_sums(scene: Scene, visit: int, speed: NDArray, place: NDArray) -> NDArray:
    """Those of some turns: places (n, draws, O) on the circle."""
    shown = np.broadcast_to(scene.seen[visit][:, None, :], place.shape).reshape(len(place), -1)
    told = speed[place % len(speed)].reshape(len(place), -1) * shown
    return pair_sums(scene.weight, scene.value, shown, told).reshape(6, len(scene.tags), place.shape[1], -1)
