"""The way from an antenna to a tag and back: loss over distance, walls that reflect, shelves and bodies that shade.

A passive tag answers only if enough power reaches its chip: the forward way is what fails first in shops, not the
reader's ear. So a tag that is not read is mostly one that was not woken.
"""

import math
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

LIGHT = 299_792_458.0  # metres per second
CHIP = -18.0  # dBm that wake a tag; data sheets of chips of 2015 to 2020 say -17 to -22
MODULATION = 8.0  # dB between what a tag receives and what it sends back
_FLOOR = -14.0  # dB: what an antenna still sends to its back, against its front
_BODY = 0.25  # metres: half the width of somebody who stands in the way
_TALL = 1.7  # metres
_FEW = 2  # bodies in the way that count: others hide behind them
_RASTER = 0.25  # metres between the knots of the fields of shade


@dataclass(frozen=True)
class Surroundings:
    """What the way through the air is like.

    Attributes
    ----------
    exponent : float
        Of the loss over distance, one way: 2 in free space, 1.8 to 2.4 in shops.
    reflection : float, 0 to 1
        Share of the field that floor, ceiling and walls send back.
    shade, shade_length : float, dB and metres
        Standard deviation and length over which the slow differences from place to place are alike (Gudmundson 1991):
        what shelves and goods do, for each antenna.
    body : float, dB
        What somebody in the way takes; up to this also for a tag worn on the side turned away from the antenna.
    flutter : float, dB
        Standard deviation of what changes from one turn of an antenna to the next: doors, hands, other goods.
    outline : (width, depth), metres
        Of the room, whose four walls reflect.
    height : float, metres
        Of the ceiling.
    """

    exponent: float = 2.0
    reflection: float = 0.35
    shade: float = 4.0
    shade_length: float = 1.5
    body: float = 12.0
    flutter: float = 1.0
    outline: tuple[float, float] = (12.0, 9.0)
    height: float = 3.2


def draw_shade(around: Surroundings, antennas: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw a field of shade for each antenna: (antennas, knots along x, knots along y), dB, knots every 0.25 m."""
    from scipy.ndimage import gaussian_filter

    size = tuple(math.ceil(side / _RASTER) + 2 for side in around.outline)
    rough = rng.normal(size=(antennas, *size))
    width = (
        around.shade_length / _RASTER / math.sqrt(2)
    )  # smoothed noise is alike over the smoother's width times root 2
    smooth = np.stack([gaussian_filter(field, width, mode="wrap") for field in rough])
    return np.asarray(smooth / smooth.std(axis=(1, 2), keepdims=True) * around.shade)


@numba.njit(cache=True)
def shade_at(field: NDArray, x: float, y: float) -> float:
    """Read a field of shade between its knots."""
    column = min(max(x / _RASTER, 0.0), field.shape[0] - 1.001)
    row = min(max(y / _RASTER, 0.0), field.shape[1] - 1.001)
    i, j = int(column), int(row)
    a, b = column - i, row - j
    return (field[i, j] * (1 - a) + field[i + 1, j] * a) * (1 - b) + (
        field[i, j + 1] * (1 - a) + field[i + 1, j + 1] * a
    ) * b


@numba.njit(cache=True)
def pattern(cosine: float, beam: float) -> float:
    """Gain (dB) of an antenna at an angle from its front: parabolic, down to what its back still sends.

    `beam` is the angle (radians) between the directions of half power (3GPP TR 36.814, table A.2.1.1-2).
    """
    angle = math.acos(min(max(cosine, -1.0), 1.0))
    return max(-12.0 * (angle / beam) ** 2, _FLOOR)


@numba.njit(cache=True)
def bodies_between(antenna: NDArray, tag: NDArray, people: NDArray, carrier: int) -> int:
    """Count people (rows of x, y and number; two at most) who stand in the way, the carrier left out."""
    found = 0
    dx, dy = antenna[0] - tag[0], antenna[1] - tag[1]
    flat = dx * dx + dy * dy
    if flat < 1e-6:
        return 0
    for person in range(people.shape[0]):
        if people[person, 2] == carrier:
            continue
        away_x, away_y = people[person, 0] - tag[0], people[person, 1] - tag[1]
        share = (away_x * dx + away_y * dy) / flat
        if share <= 0.0 or share >= 1.0:
            continue
        off = (away_x - share * dx) ** 2 + (away_y - share * dy) ** 2
        if off < _BODY * _BODY and tag[2] + share * (antenna[2] - tag[2]) < _TALL:
            found += 1
            if found == _FEW:
                break
    return found


@numba.njit(cache=True)
def field_parts(
    antenna: NDArray, front: NDArray, beam: float, tag: NDArray, wave: float, exponent: float, room: NDArray
) -> tuple[float, float, float, float]:
    """Field at a tag, against 1 m of free space: the direct way, and the sum of six reflections of full strength.

    Real and imaginary part of each. The first-order images of floor, ceiling and four walls (Rappaport 2002, section
    4.6); `room` is width, depth, height (metres).
    """
    direct_real = direct_imaginary = real = imaginary = 0.0
    for image in range(7):
        x, y, z = antenna[0], antenna[1], antenna[2]
        facing_x, facing_y, facing_z = front[0], front[1], front[2]
        if image == 1:
            z, facing_z = -z, -facing_z
        elif image == 2:
            z, facing_z = 2 * room[2] - z, -facing_z
        elif image == 3:
            x, facing_x = -x, -facing_x
        elif image == 4:
            x, facing_x = 2 * room[0] - x, -facing_x
        elif image == 5:
            y, facing_y = -y, -facing_y
        elif image == 6:
            y, facing_y = 2 * room[1] - y, -facing_y
        dx, dy, dz = tag[0] - x, tag[1] - y, tag[2] - z
        distance = max(math.sqrt(dx * dx + dy * dy + dz * dz), 0.1)
        cosine = (dx * facing_x + dy * facing_y + dz * facing_z) / distance
        amplitude = 10.0 ** (pattern(cosine, beam) / 20.0) * distance ** (-exponent / 2.0)
        turn = -2.0 * math.pi * distance / wave
        if image == 0:
            direct_real, direct_imaginary = amplitude * math.cos(turn), amplitude * math.sin(turn)
        else:  # a reflection turns the field round
            real -= amplitude * math.cos(turn)
            imaginary -= amplitude * math.sin(turn)
    return direct_real, direct_imaginary, real, imaginary
