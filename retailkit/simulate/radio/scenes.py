"""Scenes like those of real recordings, to see whether simulated reads look like real ones.

walk_past(places)         # somebody walks a store with a handheld reader (as in `rfid_detego`)
wear_tag(track)           # somebody with a tag walks before one antenna (as in `rfid_kinect`)
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.simulate.radio.inventory import CARRIED, LYING, TICK, Air, Antennas, People, Tags
from retailkit.simulate.radio.link import Surroundings
from retailkit.simulate.radio.reading import Answers, Radio, hear

# What the recordings say of their readers: a read every 15 to 17 ms while there are tags left, and S1 tags silent for
# 0.9 to 1.5 s (rfid_detego); a turn every 12 ms in which a worn tag
# answers two times of five, and the usual 50 channels of 0.2 s (rfid_kinect).
HANDHELD = Air(
    success=13.5e-3, empty=0.7e-3, collision=2.0e-3, dwell=0.5, pause=0.002, power=17.0, beam=150.0, quantum=1.0,
    hop=0.2, stamp=4e-3,
)  # fmt: skip
FIXED = Air(
    success=4e-3, empty=0.3e-3, collision=0.9e-3, dwell=0.2, pause=0.008, power=19.0, hop=0.2,
    channels=tuple(902.75 + 0.5 * step for step in range(50)),
)  # fmt: skip
STEP, SWING, SWINGS = 0.75, 30.0, 0.5  # metres per second; degrees to each side; swings per second
_REACH = 1.3  # metres from a fixture to where one walks past it


def walk_past(
    places: NDArray[np.float64], silent: float = 0.0, around: Surroundings | None = None, seed: int = 0
) -> pd.DataFrame:
    """Walk once past all tags with a reader in the hand, which swings to both sides.

    Parameters
    ----------
    places : array (tags, 3), metres
    silent : float, seconds
        For how long a tag that was read says nothing: 0 for session S0, about 1.2 for S1.
    around : Surroundings, optional
        By default a room around the tags.
    seed : int

    Returns
    -------
    DataFrame
        time (seconds), tag (row of `places`), antenna (1), channel, rssi (dBm), phase (radians).
    """
    rng = np.random.default_rng([seed, 61])
    low, high = places.min(axis=0), places.max(axis=0)
    shifted = places - np.array([low[0] - 2.0, low[1] - 2.0, 0.0])
    around = around or Surroundings(shade=2.0, flutter=2.5, reflection=0.1)
    around = replace(around, outline=tuple(np.maximum(high - low, 1.0)[:2] + 4.0))
    place, front = _swing(_round_trip(shifted, rng), rng)
    radio = Radio(replace(HANDHELD, quiet=silent), around)
    heard = hear(Antennas(place, front), _lie(shifted, rng), _NOBODY, radio, (0.0, place.shape[1] * TICK), [seed, 62])
    return _table(heard)


def wear_tag(track: pd.DataFrame, antenna: tuple[float, float] = (4.5, 0.0), seed: int = 0) -> pd.DataFrame:
    """Read the tag on somebody's chest from one antenna on the wall.

    Parameters
    ----------
    track : DataFrame with time (seconds from 0), x, y (metres, above 0)
    antenna : (x, y), metres
        It faces inwards, along y.
    seed : int

    Returns
    -------
    DataFrame
        As `walk_past` gives it, tag 0.
    """
    ticks = np.arange(0.0, track["time"].max(), TICK)
    x, y = (np.interp(ticks, track["time"], track[axis]) for axis in ("x", "y"))
    ahead = np.arctan2(np.gradient(y), np.gradient(x))
    people = People(np.array([0, len(ticks)]), np.array([0]), np.column_stack([x, y, ahead]))
    tag = Tags(np.array([0, 1]), np.array([-np.inf]), np.array([CARRIED]), np.array([[0.0, 0.15, 1.3]]), np.array([0]),
               np.zeros(1), np.zeros(1), np.zeros(1))  # fmt: skip
    poses = Antennas(np.array([[[*antenna, 1.3]]]), np.array([[[0.0, 1.0, 0.0]]]))
    room = Surroundings(outline=(float(x.max()) + 2.0, float(y.max()) + 2.0), reflection=0.3, flutter=7.0)
    return _table(hear(poses, tag, people, Radio(FIXED, room), (0.0, float(ticks[-1])), [seed, 63]))


_NOBODY = People(np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty((0, 3)))


def _lie(places: NDArray, rng: np.random.Generator) -> Tags:
    number = len(places)
    return Tags(
        np.arange(number + 1), np.full(number, -np.inf), np.full(number, LYING), places, np.full(number, -1),
        np.zeros(number), rng.normal(-2.0, 3.5, number), rng.uniform(0, 2 * np.pi, number),
    )  # fmt: skip


def _round_trip(places: NDArray, rng: np.random.Generator) -> NDArray[np.float64]:
    """Where one walks at every tick: to the nearest place not yet passed, and on (a greedy tour)."""
    cells = np.unique(np.round(places[:, :2] / 0.5) * 0.5, axis=0)
    here, left, stops = np.array([cells[:, 0].min(), cells[:, 1].min()]), cells.copy(), []
    while len(left):
        nearest = np.argmin(np.hypot(*(left - here).T))
        here, left = left[nearest], np.delete(left, nearest, axis=0)
        stops.append(here + rng.normal(0, 0.2, 2))
    knots = np.array(stops) + np.array([0.0, -_REACH])
    along = np.append(0.0, np.cumsum(np.hypot(*np.diff(knots, axis=0).T)))
    steps = np.arange(0.0, along[-1], STEP * TICK)
    return np.column_stack([np.interp(steps, along, axis) for axis in knots.T])


def _swing(way: NDArray[np.float64], rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """Places and fronts of a reader that swings about the way ahead, at the height of the chest: (1, ticks, 3) each."""
    number = len(way)
    step = np.gradient(way, axis=0)
    ahead = np.arctan2(step[:, 1], step[:, 0])
    side = np.radians(SWING) * np.sin(2 * np.pi * SWINGS * np.arange(number) * TICK + rng.uniform(0, 2 * np.pi))
    tilt = np.radians(rng.normal(0, 10, number))
    front = np.column_stack([np.cos(ahead + side) * np.cos(tilt), np.sin(ahead + side) * np.cos(tilt), np.sin(tilt)])
    return np.column_stack([way, np.full(number, 1.2)])[None], front[None]


def _table(heard: Answers) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "time": heard.time, "tag": heard.tag, "antenna": heard.antenna + 1, "channel": heard.channel,
            "rssi": heard.rssi, "phase": heard.phase,
        }
    )  # fmt: skip
    return table.sort_values("time", kind="stable", ignore_index=True)
