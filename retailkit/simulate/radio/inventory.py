"""Readers ask, tags answer: inventory rounds after EPC Gen2, slot by slot, all tags in the field sharing the air.

A reader gives each of its antennas a turn. In a turn it offers frames of 2^Q slots; each tag that is awake picks one.
A slot with one answer gives a read, with several a collision, and Q follows their number (the standard's Q algorithm;
EPC Radio-Frequency Identity Protocols Gen2, annex D). So whoever stands beside full shelves is read rarely.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from retailkit.simulate.radio.link import CHIP, LIGHT, bodies_between, field_parts, shade_at

TICK = 0.2  # seconds between the places of people, and of antennas that move
ABSENT, LYING, CARRIED = -1, 0, 1  # what a tag does in a stretch of time
_TOO_FAR = 14.0  # metres: no tag is woken from there
_FINE = 0.95  # share of answers whose checksum is right
_STEP = 0.3  # by which Q moves after a collision, or the other way after an empty slot
_MOST_Q = 10


@dataclass(frozen=True)
class Air:
    """How fast, how strong and on which channels a reader talks.

    Attributes
    ----------
    success, empty, collision : float, seconds
        Length of a slot. Dense-reader mode with Miller 4 at 250 kHz: 4.0, 0.3 and 0.9 milliseconds.
    dwell, pause : float, seconds
        The longest turn of an antenna, and the pause before the next.
    power : float, dBm
        Radiated to the antenna's front, against a sender to all sides (EIRP).
    beam : float, degrees
        Between the directions in which an antenna sends half as much.
    quiet : float, seconds
        For how long a tag that was read stays silent on average: 0 for session S0, 0.5 to 5 for S1, more for S2.
    channels : MHz
        Hopped through in an order drawn at random.
    hop : float, seconds
        On each channel.
    noise : float, dB
        Standard deviation of the strength told of one read about that of the next.
    phase_noise : float, radians
    quantum : float, dB
        Strengths are told in multiples of it.
    half_turns : bool
        Whether half of all phases are told turned by pi, as many readers do.
    stamp : float, seconds
        Standard deviation of the moment told about the true one.
    """

    success: float = 4.0e-3
    empty: float = 0.3e-3
    collision: float = 0.9e-3
    dwell: float = 0.25
    pause: float = 0.01
    power: float = 30.0
    beam: float = 70.0
    quiet: float = 0.0
    channels: tuple[float, ...] = tuple(920.625 + 0.25 * step for step in range(16))
    hop: float = 2.0
    noise: float = 0.4
    phase_noise: float = 0.1
    quantum: float = 0.5
    half_turns: bool = False
    stamp: float = 0.0


class Tags(NamedTuple):
    """What tags do: stretches of time by tag, `first[tag]` to `first[tag + 1]` being those of one."""

    first: NDArray[np.int64]  # (tags + 1,)
    start: NDArray[np.float64]  # (stretches,) seconds; each lasts until the next of its tag
    doing: NDArray[np.int64]  # ABSENT, LYING or CARRIED
    place: NDArray[np.float64]  # (stretches, 3): metres; carried: angle to the way ahead, metres from the body, height
    carrier: NDArray[np.int64]  # row of the people, -1 for none
    loss: NDArray[np.float64]  # dB: foil, a bag of one's own
    gain: NDArray[np.float64]  # (tags,) dB: the tag's own, and what its product does to it
    turn: NDArray[np.float64]  # (tags,) radians that a tag adds to the phase


class People(NamedTuple):
    """Where people are at whole ticks: `first[person]` is the row of its first tick, `begin[person]` that tick."""

    first: NDArray[np.int64]  # (people + 1,)
    begin: NDArray[np.int64]  # (people,)
    place: NDArray[np.float64]  # (rows, 3): x, y (metres), direction of walking (radians)


class Antennas(NamedTuple):
    """A reader's antennas, (antennas, ticks or 1, 3): places (metres) and directions of their fronts (of length 1)."""

    place: NDArray[np.float64]
    front: NDArray[np.float64]


@numba.njit(cache=True)
def _at(antennas: NDArray, antenna: int, tick: int) -> NDArray:
    return antennas[antenna, min(tick, antennas.shape[1] - 1)]


@numba.njit(cache=True)
def _person_at(people: People, person: int, time: float) -> tuple[bool, float, float, float]:
    """Whether somebody is there at a time, and where and which way."""
    step = time / TICK - people.begin[person]
    number = people.first[person + 1] - people.first[person]
    if step < 0 or step > number - 1:
        return False, 0.0, 0.0, 0.0
    low = min(int(step), max(number - 2, 0))
    share = min(step - low, 1.0)
    one = people.place[people.first[person] + low]
    other = people.place[people.first[person] + min(low + 1, number - 1)]
    return True, one[0] + share * (other[0] - one[0]), one[1] + share * (other[1] - one[1]), one[2]


@numba.njit(cache=True)
def _place_tag(tags: Tags, people: People, row: int, time: float, place: NDArray) -> tuple[bool, float]:
    """Write where a tag is in its stretch; say whether it is anywhere, and its side of the body (radians)."""
    if tags.doing[row] == ABSENT:
        return False, 0.0
    if tags.doing[row] == LYING:
        place[:] = tags.place[row]
        return True, 0.0
    there, x, y, ahead = _person_at(people, tags.carrier[row], time)
    side = ahead + tags.place[row, 0]
    place[0], place[1] = x + tags.place[row, 1] * math.cos(side), y + tags.place[row, 1] * math.sin(side)
    place[2] = tags.place[row, 2]
    return there, side


class World(NamedTuple):
    """All that a reader's waves meet, in the form in which loops want it."""

    tags: Tags
    people: People
    antennas: Antennas
    fields: NDArray[np.float64]  # (antennas, knots, knots) dB of shade
    waves: NDArray[np.float64]  # (channels,) metres
    room: NDArray[np.float64]  # width, depth, height (metres)
    settings: NDArray[np.float64]  # exponent, reflection, body (dB), flutter (dB), power (dBm), beam (radians)
    known: NDArray[
        np.float64
    ]  # (antennas, stretches, channels, 4) fields at tags that lie; nan where not yet worked out


@numba.njit(cache=True)
def _link(
    world: World, tag: int, row: int, time: float, antenna: int, channel: int, crowd: NDArray, place: NDArray
) -> tuple[float, float]:
    """Gain (dB, one way, the antenna's own left out) and phase of the way to a tag; nan where it is not there."""
    there, side = _place_tag(world.tags, world.people, row, time, place)
    tick = int(time / TICK)
    where = _at(world.antennas.place, antenna, tick)
    if not there or (place[0] - where[0]) ** 2 + (place[1] - where[1]) ** 2 > _TOO_FAR * _TOO_FAR:
        return math.nan, 0.0
    bodies = bodies_between(where, place, crowd, world.tags.carrier[row])
    lies = world.tags.doing[row] == LYING and bodies == 0 and world.antennas.place.shape[1] == 1
    if lies and not math.isnan(world.known[antenna, row, channel, 0]):
        return world.known[antenna, row, channel, 0], world.known[antenna, row, channel, 1]
    loss = shade_at(world.fields[antenna], place[0], place[1]) + 0.7 * world.settings[2] * bodies
    if world.tags.doing[row] == CARRIED:
        toward = math.atan2(where[1] - place[1], where[0] - place[0])
        loss += world.settings[2] * (1.0 - math.cos(side - toward)) / 2.0
    gain, phase = _gain(world, antenna, tick, channel, place, loss)
    gain += world.tags.gain[tag] - world.tags.loss[row]
    if lies:
        world.known[antenna, row, channel, 0], world.known[antenna, row, channel, 1] = gain, phase
    return gain, phase


@numba.njit(cache=True)
def _gain(world: World, antenna: int, tick: int, channel: int, place: NDArray, loss: float) -> tuple[float, float]:
    """Gain (dB) and phase of all ways together, `loss` (dB) being in the direct one."""
    where, front = _at(world.antennas.place, antenna, tick), _at(world.antennas.front, antenna, tick)
    wave = world.waves[channel]
    parts = field_parts(where, front, world.settings[5], place, wave, world.settings[0], world.room)
    left, back = 10.0 ** (-loss / 20.0), world.settings[1]
    real, imaginary = left * parts[0] + back * parts[2], left * parts[1] + back * parts[3]
    strength = max(math.sqrt(real * real + imaginary * imaginary), 1e-9) * wave / (4.0 * math.pi)
    return 20.0 * math.log10(strength), math.atan2(imaginary, real)


@numba.njit(cache=True)
def _see_crowd(people: People, time: float, crowd: NDArray) -> NDArray:
    """Rows x, y and number of those who are there."""
    present = 0
    for person in range(len(people.begin)):
        there, x, y, _ = _person_at(people, person, time)
        if there:
            crowd[present, 0], crowd[present, 1], crowd[present, 2] = x, y, person
            present += 1
    return crowd[:present]


@numba.njit(cache=True)
def _wake(
    world: World, time: float, antenna: int, channel: int, current: NDArray, silent: NDArray, crowd: NDArray,
    place: NDArray, awake: NDArray,
) -> int:  # fmt: skip
    """Find the tags that get enough power at the beginning of a turn: their number, and they themselves in `awake`."""
    first, start, found = world.tags.first, world.tags.start, 0
    for tag in range(len(world.tags.gain)):
        row = current[tag]
        while row + 1 < first[tag + 1] and start[row + 1] <= time:
            row += 1
        current[tag] = row
        if silent[tag] > time:
            continue
        gain, _ = _link(world, tag, row, time, antenna, channel, crowd, place)
        if gain + world.settings[4] + np.random.normal(0.0, world.settings[3]) > CHIP:  # never where it is nan
            awake[found] = tag
            found += 1
    return found


@numba.njit(cache=True)
def _offer(awake: NDArray, left: int, bits: int, slots: NDArray, filled: NDArray, alone: NDArray) -> None:
    """Let tags pick among 2^bits slots."""
    filled[: 1 << bits] = 0
    for one in range(left):
        slots[one] = np.random.randint(0, 1 << bits)
        filled[slots[one]] += 1
        alone[slots[one]] = one


@numba.njit(cache=True)
def take_inventory(
    seed: int, start: float, end: float, world: World, timing: NDArray, hops: NDArray, hop: float
) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Let one reader read from `start` to `end` (seconds).

    Parameters
    ----------
    timing : array
        success, empty, collision, dwell, pause, quiet (seconds).
    hops : array
        Channels in the order in which they are hopped through, `hop` seconds on each.

    Returns
    -------
    time (seconds), what (reads, 3: tag, antenna, channel), gain (dB, one way), phase (radians, one way)
    """
    np.random.seed(seed)
    success, empty, collision, dwell, pause, quiet = timing
    count, most = len(world.tags.gain), int((end - start) / success) + 16
    times, what = np.empty(most), np.empty((most, 3), dtype=np.int32)
    gains, phases, reads = np.empty(most), np.empty(most), 0
    current, silent = world.tags.first[:-1].copy(), np.full(count, -1.0)
    awake, slots = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
    alone, filled = np.empty(1 << _MOST_Q, dtype=np.int64), np.empty(1 << _MOST_Q, dtype=np.int64)
    antennas = world.antennas.place.shape[0]
    everybody, place, sizes = np.empty((len(world.people.begin), 3)), np.empty(3), np.full(antennas, 4.0)
    time, turn = start, 0
    while time < end:
        antenna, channel = turn % antennas, hops[int(time / hop) % len(hops)]
        turn += 1
        crowd = _see_crowd(world.people, time, everybody)
        left = _wake(world, time, antenna, channel, current, silent, crowd, place, awake)
        until, size = min(time + dwell, end), sizes[antenna]
        time += pause + empty  # whoever asks listens for a slot at least
        while time < until and left > 0:  # a frame
            bits = int(min(max(round(size), 0), _MOST_Q))
            _offer(awake, left, bits, slots, filled, alone)
            slot = 0
            while slot < 1 << bits and time < until and abs(round(size) - bits) < 1:
                if filled[slot] == 0:
                    time += empty
                    size = max(size - _STEP, 0.0)
                elif filled[slot] > 1:
                    time += collision
                    size = min(size + _STEP, float(_MOST_Q))
                else:
                    time += success
                    tag = awake[alone[slot]]
                    gain, phase = _link(world, tag, current[tag], time, antenna, channel, crowd, place)
                    if np.random.random() < _FINE and time < end and not math.isnan(gain):
                        times[reads], gains[reads], phases[reads] = time, gain, phase
                        what[reads, 0], what[reads, 1], what[reads, 2] = tag, antenna, channel
                        reads += 1
                        silent[tag] = time + (quiet * np.random.uniform(0.75, 1.25))
                        slots[alone[slot]] = -1  # has answered
                slot += 1
            kept = 0
            for one in range(left):
                if slots[one] >= 0:
                    awake[kept] = awake[one]
                    kept += 1
            left = kept
        sizes[antenna] = size
    return times[:reads], what[:reads], gains[:reads], phases[:reads]


def wavelengths(channels: tuple[float, ...]) -> NDArray[np.float64]:
    """Metres, of channels in MHz."""
    return LIGHT / (np.asarray(channels) * 1e6)
