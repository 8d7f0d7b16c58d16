"""From places to ways: routes past shelves, corners rounded, strides uneven, groups side by side."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter1d, uniform_filter1d

from retailkit.simulate.visits.plan import StorePlan
from retailkit.simulate.visits.routes import is_free

STRIDE = 0.4  # metres between the knots of a way
SHIFT = 1.5  # seconds between the small shifts of somebody who stands
WANDER, SWAY = 0.16, 0.05  # metres: how far ways stray from the shortest, and people from their group's way
ROOM = 0.2  # metres that the middle of a person keeps from a shelf in any case
POSE = ["along_x", "along_y", "lead"]
KNOTS = ["party", "time", "x", "y", *POSE, "still", "close"]
FASTEST = 2.1  # metres per second: whoever would need more to stay beside the others falls in behind
# Sideways and backwards, in spacings: pairs abreast, three in a V, four in a U (Moussaid et al. 2010, figure 4).
FORMATION = np.zeros((5, 4, 2))  # by size of the party and member
FORMATION[2, :2] = [(-0.5, 0), (0.5, 0)]
FORMATION[3, :3] = [(-0.9, 0), (0, -0.35), (0.9, 0)]
FORMATION[4] = [(-1.1, 0), (-0.4, -0.4), (0.4, -0.4), (1.1, 0)]


def walk(
    legs: pd.DataFrame, starts: NDArray[np.float64], speed: NDArray[np.float64], plan: StorePlan,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, NDArray[np.float64]]:  # fmt: skip
    """Walk from place to place.

    Parameters
    ----------
    legs : DataFrame
        By party and in order: party, come_from and go_to (numbers of places), hold (seconds at its end), along_x and
        along_y (how a group lines up there; nan: as it walked), lead (the member who stands there exactly; nan: none).
    starts : array (parties,), seconds
        When each begins, by number of party.
    speed : array (parties,), metres per second

    Returns
    -------
    knots : DataFrame
        By party and time: party, time, x, y, along_x, along_y, lead, still (bool: standing).
    arrival : array (legs,), seconds
        When the end of each leg is reached.
    """
    if not len(legs):
        return pd.DataFrame(columns=[*KNOTS], dtype=float), np.empty(0)
    vertices, end = _vertices(legs, plan)
    knots, index = _knots(vertices)
    base = knots[["x", "y"]].to_numpy()
    place = base + _stray(base, knots, plan, rng)
    seconds = _seconds(place, knots, speed, rng)
    began = np.maximum.accumulate(np.where(knots["first"], np.arange(len(knots)), 0))
    summed = np.cumsum(seconds)
    time = summed - summed[began] + starts[knots["party"]]
    knots = knots.assign(time=time, x=place[:, 0], y=place[:, 1]).drop(columns=["first", "pinned", "wait"])
    return knots, time[index[end]]


def _vertices(legs: pd.DataFrame, plan: StorePlan) -> tuple[pd.DataFrame, NDArray[np.intp]]:
    """Every corner of the ways, and which of them end a leg."""
    pairs = list(zip(legs["come_from"], legs["go_to"], strict=True))
    ways = [plan.routes.way(one, other) for one, other in pairs]
    first = np.flatnonzero(~legs["party"].duplicated())
    for row in first:  # a party's first leg brings its start with it
        ways[row] = np.vstack([plan.routes.points[pairs[row][0]], ways[row]])
    corners = np.array([len(way) for way in ways])
    stays = np.flatnonzero(corners == 0)  # no way to go: the place itself once more
    for row in stays:
        ways[row], corners[row] = plan.routes.points[[pairs[row][1]]], 1
    end = np.cumsum(corners) - 1
    leg = np.repeat(np.arange(len(legs)), corners)
    points = np.vstack(ways)
    vertices = pd.DataFrame({"party": legs["party"].to_numpy()[leg], "x": points[:, 0], "y": points[:, 1]})
    at_end = np.zeros(len(vertices), dtype=bool)
    at_end[end] = True
    for name in ("hold", *POSE):
        vertices[name] = np.where(at_end, legs[name].to_numpy()[leg], 0.0 if name == "hold" else np.nan)
    return vertices, end


def _knots(vertices: pd.DataFrame) -> tuple[pd.DataFrame, NDArray[np.intp]]:
    """Add knots every stride of a way and every shift of a stand; where each vertex went."""
    place, party = vertices[["x", "y"]].to_numpy(), vertices["party"].to_numpy()
    on = np.append(party[1:] == party[:-1], False)
    step = np.where(on[:, None], np.roll(place, -1, axis=0) - place, 0.0)
    strides = np.maximum(np.ceil(np.hypot(*step.T) / STRIDE).astype(int), 1)
    shifts = np.ceil(vertices["hold"].to_numpy() / SHIFT).astype(int)
    number = strides + shifts
    index = np.cumsum(number) - number
    vertex = np.repeat(np.arange(len(vertices)), number)
    inner = np.arange(len(vertex)) - index[vertex]  # 0 .. shifts: standing; beyond: on the way
    gone = np.maximum(inner - shifts[vertex], 0) / strides[vertex]
    where = place[vertex] + gone[:, None] * step[vertex]
    still = (inner > 0) & (inner <= shifts[vertex])
    first = np.zeros(len(vertex), dtype=bool)
    first[index[np.append(True, ~on[:-1])]] = True
    last = np.append(first[1:], True)
    stands = (shifts[vertex] > 0) & (inner <= shifts[vertex])
    return pd.DataFrame(
        {
            "party": party[vertex], "x": where[:, 0], "y": where[:, 1], "first": first,
            "pinned": stands | first | last, "still": still,
            "wait": np.where(still, (vertices["hold"].to_numpy() / np.maximum(shifts, 1))[vertex], 0.0),
            **{name: np.where(stands, vertices[name].to_numpy()[vertex], np.nan) for name in POSE},
        }
    ), index  # fmt: skip


def _stray(base: NDArray, knots: pd.DataFrame, plan: StorePlan, rng: np.random.Generator) -> NDArray[np.float64]:
    """Round the corners and leave the shortest way a little, where there is room; stands and ends stay: (knots, 2)."""
    party = knots["party"].to_numpy()
    smooth = base.copy()
    inner = np.flatnonzero((party[2:] == party[1:-1]) & (party[:-2] == party[1:-1])) + 1
    smooth[inner] = (base[inner - 1] + base[inner] + base[inner + 1]) / 3
    loose = ~knots["pinned"].to_numpy()
    weight = uniform_filter1d(loose.astype(float), 3) ** 2 * loose
    wish = (smooth - base) + WANDER * _slow_noise(len(base), rng, 9)
    return wish * (weight * _room(base, wish, plan))[:, None]


def _slow_noise(number: int, rng: np.random.Generator, window: int) -> NDArray[np.float64]:
    """Noise of variance 1 that changes over `window` knots: (number, 2)."""
    return uniform_filter1d(rng.standard_normal((number, 2)), window, axis=0) * np.sqrt(window)


def _room(base: NDArray, wish: NDArray, plan: StorePlan) -> NDArray[np.float64]:
    """How much of a wish can be had without walking into something, from 0 to 1, changing slowly along the way."""
    share, free = np.zeros(len(base)), np.ones(len(base), dtype=bool)
    for part in (0.25, 0.5, 0.75, 1.0):
        there = base + part * wish
        inside = ((there >= 0.05) & (there <= np.array(plan.outline) - 0.05)).all(axis=1)
        between = is_free((there[1:] + there[:-1]) / 2, plan.walls, ROOM)  # half-way to the next knot as well
        free &= inside & is_free(there, plan.walls, ROOM)
        free[1:] &= between
        free[:-1] &= between
        share[free] = part
    return uniform_filter1d(minimum_filter1d(share, 5), 5)


def _seconds(place: NDArray, knots: pd.DataFrame, speed: NDArray, rng: np.random.Generator) -> NDArray[np.float64]:
    """Time from the knot before to each knot; strides are uneven, and slower beside a stand."""
    way = np.append(0.0, np.hypot(*np.diff(place, axis=0).T))
    uneven = np.exp(0.06 * _slow_noise(len(place), rng, 3)[:, 0])
    slow = np.where(uniform_filter1d(knots["still"].to_numpy(float), 3) > 0, 0.6, 1.0)
    taken = way / (speed[knots["party"]] * np.clip(uneven, 0.8, 1.2) * slow)
    return np.where(knots["still"], knots["wait"], np.where(knots["first"], 0.0, taken))


def spread_out(
    knots: pd.DataFrame, size: NDArray[np.intp], spacing: float, plan: StorePlan, rng: np.random.Generator
) -> pd.DataFrame:
    """Give each member of a party a way of its own, side by side where there is room.

    Parameters
    ----------
    knots : DataFrame
        By party and time, as `walk` gives it, and close: how much of the spacing is kept, 0 to 1.
    size : array (parties,)

    Returns
    -------
    DataFrame
        By party, member and time: party, member, time, x, y.
    """
    if not len(knots):
        return pd.DataFrame(columns=["party", "member", "time", "x", "y"], dtype=float)
    party = knots["party"].to_numpy()
    side = _side(knots)
    rows = np.flatnonzero(np.append(True, party[1:] != party[:-1]))
    lengths = np.diff(np.append(rows, len(party)))
    copies = size[party[rows]]
    block = np.repeat(np.arange(len(rows)), copies)
    member = np.arange(len(block)) - np.repeat(np.cumsum(copies) - copies, copies)
    length = lengths[block]
    index = np.arange(length.sum()) + np.repeat(rows[block] - (np.cumsum(length) - length), length)
    offset = np.repeat(FORMATION[copies[block], member], length, axis=0) - _lead(knots, size)[index]
    offset *= spacing * uniform_filter1d(knots["close"].to_numpy(float), 7)[index][:, None]
    base, across = knots[["x", "y"]].to_numpy()[index], side[index]
    back = np.c_[across[:, 1], -across[:, 0]]
    wish = offset[:, :1] * across + offset[:, 1:] * back + SWAY * _slow_noise(len(index), rng, 5)
    frame = pd.DataFrame(
        {"party": party[index], "member": np.repeat(member, length), "time": knots["time"].to_numpy()[index]}
    )
    place = base + _keep_up(base, wish * _room(base, wish, plan)[:, None], frame)
    return frame.assign(x=place[:, 0], y=place[:, 1])


def _lead(knots: pd.DataFrame, size: NDArray[np.intp]) -> NDArray[np.float64]:
    """Where in its formation a party has the member whose hands are at work: that one stands in its middle's stead."""
    lead = knots["lead"].to_numpy(float)
    offset = FORMATION[size[knots["party"]], np.where(np.isnan(lead), 0, lead).astype(int)]
    return uniform_filter1d(np.where(np.isnan(lead)[:, None], 0.0, offset), 3, axis=0)


def _keep_up(base: NDArray, wish: NDArray, frame: pd.DataFrame) -> NDArray[np.float64]:
    """Draw people in towards their party's way where its turns are too quick for their place beside it."""
    on = (np.diff(frame["party"]) == 0) & (np.diff(frame["member"]) == 0)
    seconds = np.maximum(np.diff(frame["time"]), 1e-9)
    for _ in range(20):
        way = np.hypot(*np.diff(base + wish, axis=0).T)
        fast = np.append(False, on & (way > FASTEST * seconds))
        if not fast.any():
            break
        wish = wish * uniform_filter1d(minimum_filter1d(np.where(fast, 0.5, 1.0), 7), 5)[:, None]
    return wish


def _side(knots: pd.DataFrame) -> NDArray[np.float64]:
    """The direction in which a group lines up at each knot, which turns slowly and never flips: (knots, 2)."""
    step = np.diff(knots[["x", "y"]].to_numpy(), axis=0, append=0.0)
    party = knots["party"].to_numpy()
    on = np.append(party[1:] == party[:-1], False)
    length = np.hypot(*step.T)
    moving = on & (length > 0.02) & ~knots["still"].to_numpy()
    side = np.where(moving[:, None], np.c_[-step[:, 1], step[:, 0]] / np.maximum(length, 1e-9)[:, None], np.nan)
    posed = knots[POSE[:2]].to_numpy()
    side = np.where(np.isnan(posed), side, posed)
    side = pd.DataFrame(side).groupby(party).ffill().groupby(party).bfill().fillna(0.0).to_numpy()
    flips = np.where((side[1:] * side[:-1]).sum(axis=1) < 0, -1.0, 1.0)
    side = side * np.cumprod(np.append(1.0, flips))[:, None]
    side = uniform_filter1d(uniform_filter1d(side, 7, axis=0), 3, axis=0)
    return side / np.maximum(np.hypot(*side.T), 0.7)[:, None]  # shorter where it turns quickly
