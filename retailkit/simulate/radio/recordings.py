"""Recordings like the real ones, of any seed, so that pages about tag reads run without a download."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.datasets.fixture_walks import FixtureWalks
from retailkit.datasets.tagged_people import ANTENNA, TaggedPeople
from retailkit.simulate.radio.link import LIGHT
from retailkit.simulate.radio.scenes import FIXED, walk_past, wear_tag

_FAR = 0.2  # seconds between two reads of a channel that are compared, at most
_WORN = "000000000000000000000001"
_FIXTURES, _HANGING, _WALKS = 12, 16, ("S0", "S1", "S1", "S0")


def make_tagged_people(seed: int = 0) -> list[TaggedPeople]:
    """Record three rooms with one tag: alone, with somebody who comes late, and with two who come and go.

    The first track wears the tag; clocks differ by up to 2 s.
    """
    rng = np.random.default_rng([seed, 71])
    return [_record(f"recording {number + 1}", others, rng, seed + number) for number, others in enumerate((0, 1, 2))]


def _record(name: str, others: int, rng: np.random.Generator, seed: int) -> TaggedPeople:
    wearer = _stroll(45.0, rng)
    parts = [wearer.assign(visit=1)]
    for other in range(others):
        begin = rng.uniform(5.0, 20.0)
        way = _stroll(rng.uniform(15.0, 22.0), rng)
        parts.append(way.assign(visit=other + 2, time=way["time"] + begin))
    reads = _speeds(wear_tag(wearer, ANTENNA, seed=seed)).assign(epc=_WORN, reader_doppler=np.nan)
    reads["time"] = (reads["time"] + rng.uniform(-2.0, 2.0)).round(3)
    return TaggedPeople(name, pd.concat(parts, ignore_index=True)[["visit", "time", "x", "y"]], reads[
        ["time", "epc", "doppler", "speed", "reader_doppler"]
    ])  # fmt: skip


def _stroll(seconds: float, rng: np.random.Generator) -> pd.DataFrame:
    """Walk from place to place before the antenna, with pauses; the camera's noise is a centimetre."""
    time, knots, places = 0.0, [0.0], [rng.uniform((3.2, 1.5), (5.8, 4.2))]
    while time < seconds:
        there = rng.uniform((3.2, 1.2), (5.8, 4.4))
        time += np.hypot(*(there - places[-1])) / rng.uniform(0.6, 1.1)
        knots.append(time)
        places.append(there)
        time += rng.exponential(0.8)
        knots.append(time)
        places.append(there)
    moments = np.arange(0.0, seconds, 1 / 30)
    x, y = (np.interp(moments, knots, axis) + rng.normal(0, 0.01, len(moments)) for axis in np.array(places).T)
    return pd.DataFrame({"time": moments.round(3), "x": x, "y": y})


def _speeds(reads: pd.DataFrame) -> pd.DataFrame:
    """Doppler frequency (Hz) and speed (m/s, above 0 where the way shrinks) between reads of one channel."""
    parts = []
    for channel, rows in reads.groupby("channel"):
        step, turn = np.diff(rows["time"]), np.diff(rows["phase"])
        turn = (turn + np.pi) % (2 * np.pi) - np.pi
        doppler = -turn / (2 * np.pi) / np.maximum(step, 1e-3)
        wave = LIGHT / (FIXED.channels[int(str(channel))] * 1e6)
        part = pd.DataFrame({"time": rows["time"].to_numpy()[1:], "doppler": doppler, "speed": doppler * wave / 2})
        parts.append(part[step < _FAR])
    return pd.concat(parts).sort_values("time", kind="stable", ignore_index=True)


def make_fixture_walks(seed: int = 0) -> FixtureWalks:
    """Walk four times past twelve fixtures with sixteen tags each, two of the fixtures back to back."""
    rng = np.random.default_rng([seed, 72])
    spots = np.column_stack([np.tile([0.7, 2.3, 3.9, 5.5], 3), np.repeat([0.6, 2.4, 4.2], 4)])
    spots[1] = spots[0]
    tags = np.repeat(np.arange(_FIXTURES), _HANGING)
    places = _hang(spots[tags], rng)
    parts = []
    for number, session in enumerate(_WALKS):
        reads = walk_past(places, 0.0 if session == "S0" else 1.2, seed=1000 * seed + number)
        parts.append(reads.assign(walk=number + 1, session=session, epc=reads["tag"].astype("str")))
    names = pd.Series(np.arange(len(tags)), dtype="int64").astype("str")
    return FixtureWalks(
        "simulated_fixture_walks",
        pd.concat(parts, ignore_index=True)[["walk", "time", "epc", "rssi", "session"]],
        pd.DataFrame({"epc": names, "fixture": tags + 1}),
        pd.DataFrame({"fixture": np.arange(1, _FIXTURES + 1), "x": spots[:, 0], "y": spots[:, 1]}),
        pd.DataFrame(columns=["file", "line", "problem"]),
    )


def _hang(spots: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    off = np.column_stack([rng.uniform(-0.3, 0.3, len(spots)), rng.uniform(-0.15, 0.15, len(spots))])
    return np.column_stack([spots + off, rng.uniform(0.4, 1.7, len(spots))])
