"""Readers in a store: where their antennas hang, and what they read in a day."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.simulate.radio.goods import Goods
from retailkit.simulate.radio.inventory import (
    CARRIED,
    LYING,
    TICK,
    Air,
    Antennas,
    People,
    Tags,
    World,
    take_inventory,
    wavelengths,
)
from retailkit.simulate.radio.link import MODULATION, Surroundings, draw_shade
from retailkit.simulate.visits.day import StoreDay
from retailkit.simulate.visits.plan import StorePlan, inwards

ANTENNA_COLUMNS = ["antenna", "reader", "x", "y", "z", "front_x", "front_y", "front_z"]
_AHEAD = 0.6  # seconds over which the way ahead is looked at
_FAINTEST, _LOUDEST = -90.0, -20.0  # dBm: what a reader can hear, and what its ear saturates at
_EAR = 6.0  # dB: gain of an antenna that listens
_TURN = 2 * np.pi / 2048  # radians: phases are told in multiples of it
_FRONT = ("front_x", "front_y", "front_z")


@dataclass(frozen=True)
class Radio:
    """Readers' settings, and the surroundings that their waves meet.

    Attributes
    ----------
    air : Air
    around : Surroundings
        Its outline is the plan's.
    dead : tuple of int
        Antennas that send nothing.
    """

    air: Air = field(default_factory=Air)
    around: Surroundings = field(default_factory=Surroundings)
    dead: tuple[int, ...] = ()


def hang_antennas(plan: StorePlan) -> pd.DataFrame:
    """Hang antennas: two above each shelf zone's aisle, a pair in the gate of each door, one inside of it.

    Returns
    -------
    DataFrame
        antenna (from 1), reader (1: shelves, 2: doors), x, y, z (metres), front_x, front_y, front_z (of length 1).
    """
    rows: list[tuple[int, float, float, float, float, float, float]] = []
    middles = pd.DataFrame({"zone": plan.shelf_zones, "corners": [plan.zones[zone] for zone in plan.shelf_zones]})
    for corners in middles["corners"]:
        x, y = np.mean(corners, axis=0)
        rows.append((1, x, y, 2.8, 0.0, 0.0, -1.0))
    for line in plan.doors.values():
        ends, ahead = np.asarray(line, dtype=float), inwards(line)
        along = (ends[1] - ends[0]) / np.hypot(*(ends[1] - ends[0]))
        rows += [(2, *ends[0], 1.0, *along, 0.0), (2, *ends[1], 1.0, *-along, 0.0)]
        rows.append((2, *(ends.mean(axis=0) + 1.5 * ahead), 2.8, 0.0, 0.0, -1.0))
    table = pd.DataFrame(rows, columns=ANTENNA_COLUMNS[1:])
    table.insert(0, "antenna", np.arange(1, len(table) + 1))
    return table


def name_tags(goods: Goods) -> pd.Series:
    """Codes of the tags (SGTIN-96) by piece, empty where there is none."""
    number = {product: place for place, product in enumerate(goods.products["product"])}
    codes = [
        product_code(number[product], piece) if tagged else ""
        for product, piece, tagged in goods.pieces[["product", "piece", "tagged"]].itertuples(index=False)
    ]
    return pd.Series(codes, index=goods.pieces["piece"], dtype="str")


def product_code(product: int, serial: int) -> str:
    """The code of a piece: header 30, filter 1, partition 5, company 4000000 of 7 digits, item, serial number.

    >>> product_code(3, 17)
    '3034F424000000C000000011'
    """
    return f"{((0x30 << 6 | 1 << 3 | 5) << 44 | 4_000_000 << 20 | product) << 38 | serial:024X}"


def gtin_of(product: int) -> str:
    """The product's number (GTIN-14) that `product_code` writes.

    >>> gtin_of(3)
    '04000000000037'
    """
    digits = f"0{4_000_000:07d}{product:05d}"
    check = -sum(int(digit) * (3, 1)[place % 2] for place, digit in enumerate(digits)) % 10
    return f"{digits}{check}"


def people_of(day: StoreDay) -> People:
    """Where everybody is at every tick, and the way they go."""
    begin = np.ceil(day.visitors["first"].to_numpy() / TICK).astype(np.int64)
    number = np.maximum(np.floor(day.visitors["last"].to_numpy() / TICK).astype(np.int64) - begin + 1, 1)
    first = np.append(0, np.cumsum(number)).astype(np.int64)
    time = (np.arange(first[-1]) + np.repeat(begin - first[:-1], number)) * TICK
    visit = np.repeat(day.visitors["visit"].to_numpy(), number)
    places = [
        day.place(pd.DataFrame({"visit": visit, "time": time + shift}))[["x", "y"]].to_numpy()
        for shift in (0.0, _AHEAD, -_AHEAD)
    ]
    here, soon, before = places
    step = np.where(np.isnan(soon), here, soon) - np.where(np.isnan(before), here, before)
    ahead = np.arctan2(step[:, 1], step[:, 0])
    moving = np.hypot(*step.T) > 0.05
    ahead = _carry_on(ahead, moving, first)
    known = pd.DataFrame({"visit": visit, "x": here[:, 0], "y": here[:, 1]}).groupby("visit").ffill().bfill()
    return People(first, begin, np.column_stack([known["x"], known["y"], ahead]))


def _carry_on(ahead: NDArray, moving: NDArray[np.bool_], first: NDArray[np.int64]) -> NDArray[np.float64]:
    """Who stands faces the way that they came."""
    rows = np.arange(len(ahead))
    fresh = np.zeros(len(ahead), dtype=bool)
    fresh[first[:-1]] = True
    last = np.maximum.accumulate(np.where(moving | fresh, rows, 0))
    return np.asarray(ahead[last])


def tags_of(goods: Goods, day: StoreDay, radio_loss: float, seed: int) -> Tags:
    """What every tagged piece does, stretch by stretch; tags are numbered in the order of pieces."""
    rng = np.random.default_rng([seed, 21])
    tagged = goods.pieces[goods.pieces["tagged"]]
    stays = goods.stays[goods.stays["piece"].isin(tagged["piece"])]
    tag = pd.Index(tagged["piece"]).get_indexer(pd.Index(stays["piece"]))
    row = pd.Index(day.plan.cells["cell"]).get_indexer(pd.Index(stays["cell"]))
    lying = (stays["visit"] < 0).to_numpy()
    places = np.column_stack(
        [
            rng.choice([0.0, 0.9, -0.9], len(stays)),
            rng.uniform(0.25, 0.4, len(stays)),
            rng.uniform(0.6, 1.2, len(stays)),
        ]
    )  # in both hands, or in a bag at a side
    cells = day.plan.cells.reindex(columns=["x", "y", "height"]).fillna({"height": 1.0}).to_numpy(float)
    deep = rng.uniform(-0.12, 0.12, (len(stays), 2))
    places[lying] = cells[row[lying]] + np.column_stack([deep[lying], rng.uniform(0.0, 0.15, lying.sum())])
    first = np.searchsorted(tag, np.arange(len(tagged) + 1)).astype(np.int64)
    return Tags(
        first,
        stays["start"].to_numpy(float),
        np.where(lying, LYING, CARRIED).astype(np.int64),
        places,
        stays["visit"].to_numpy(np.int64),
        np.where(stays["hidden"], radio_loss, 0.0),
        tagged["gain"].to_numpy(float),
        rng.uniform(0, 2 * np.pi, len(tagged)),
    )


class Answers(NamedTuple):
    """What one reader hears: time (seconds), tag and antenna (rows), channel (from 0), rssi (dBm), phase (radians)."""

    time: NDArray[np.float64]
    tag: NDArray[np.int64]
    antenna: NDArray[np.int64]
    channel: NDArray[np.int64]
    rssi: NDArray[np.float64]
    phase: NDArray[np.float64]


def hear(
    antennas: Antennas, tags: Tags, people: People, radio: Radio, span: tuple[float, float], seed: int | Sequence[int]
) -> Answers:
    """Let one reader read from `span[0]` to `span[1]` (seconds), its antennas taking turns."""
    air, around = radio.air, radio.around
    rng = np.random.default_rng(seed)
    number, channels = len(antennas.place), len(air.channels)
    settings = [around.exponent, around.reflection, around.body, around.flutter, air.power, np.radians(air.beam)]
    world = World(
        tags, people, antennas, draw_shade(around, number, rng), wavelengths(air.channels),
        np.array([*around.outline, around.height]), np.array(settings),
        np.full((number, len(tags.start) if antennas.place.shape[1] == 1 else 0, channels, 2), np.nan),
    )  # fmt: skip
    timing = np.array([air.success, air.empty, air.collision, air.dwell, air.pause, air.quiet])
    hops = np.concatenate([rng.permutation(channels) for _ in range(64)])
    time, what, gain, turn = take_inventory(int(rng.integers(2**31)), *span, world, timing, hops, air.hop)
    tag, antenna, channel = what.T.astype(np.int64)
    rssi = np.minimum(air.power + 2 * gain - MODULATION + _EAR + rng.normal(0, air.noise, len(gain)), _LOUDEST)
    offsets = rng.uniform(0, 2 * np.pi, (number, channels))  # of cables, and of the reader
    phase = offsets[antenna, channel] + tags.turn[tag] - 2 * turn + rng.normal(0, air.phase_noise, len(turn))
    phase += np.pi * rng.integers(0, 2, len(phase)) if air.half_turns else 0.0
    phase = _rounded(phase, _TURN) % (2 * np.pi)
    time = np.maximum(time + rng.normal(0, air.stamp, len(time)), span[0]) if air.stamp > 0 else time
    heard, rssi = rssi >= _FAINTEST, _rounded(rssi, air.quantum)
    return Answers(time[heard], tag[heard], antenna[heard], channel[heard], rssi[heard], phase[heard])


def _rounded(values: NDArray, unit: float) -> NDArray[np.float64]:
    return np.asarray(np.round(values / unit) * unit)


def read_day(
    day: StoreDay,
    goods: Goods,
    antennas: pd.DataFrame,
    radio: Radio | None = None,
    hidden_loss: float = 10.0,
    seed: int = 0,
) -> pd.DataFrame:
    """Read all tags of a store's day.

    Parameters
    ----------
    day : StoreDay
    goods : Goods
    antennas : DataFrame
        As `hang_antennas` gives it.
    radio : Radio, optional
    hidden_loss : float, dB
        Of what is concealed.
    seed : int

    Returns
    -------
    DataFrame
        A reads frame by time: time (seconds, of the day), epc (a category), antenna, channel, rssi (dBm), phase
        (radians); and piece, the truth.
    """
    radio = radio or Radio(around=Surroundings(outline=day.plan.outline))
    tags, people = tags_of(goods, day, hidden_loss, seed), people_of(day)
    codes = name_tags(goods)
    codes = codes[codes != ""]
    parts = []
    for reader, rows in antennas[~antennas["antenna"].isin(radio.dead)].groupby("reader"):
        place, front = (rows[list(names)].to_numpy(float)[:, None] for names in (("x", "y", "z"), _FRONT))
        heard = hear(Antennas(place, front), tags, people, radio, day.recording, [seed, 31, int(str(reader))])
        parts.append(
            pd.DataFrame(
                {
                    "time": heard.time, "tag": heard.tag.astype(np.int32),
                    "antenna": rows["antenna"].to_numpy(np.int16)[heard.antenna],
                    "channel": heard.channel.astype(np.int16), "rssi": heard.rssi.astype(np.float32),
                    "phase": heard.phase.astype(np.float32),
                }
            )
        )  # fmt: skip
    reads = pd.concat(parts, ignore_index=True).sort_values("time", kind="stable", ignore_index=True)
    epc = pd.Categorical.from_codes(reads["tag"].to_numpy(), categories=pd.Index(codes.to_numpy(), dtype="str"))
    piece = codes.index.to_numpy()[reads["tag"].to_numpy()]
    return reads.assign(epc=epc, piece=piece)[["time", "epc", "antenna", "channel", "rssi", "phase", "piece"]]
