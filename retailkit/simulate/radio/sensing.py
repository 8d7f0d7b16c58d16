"""A day as a store without cashiers sees it: cameras, hands, plates and readers, each by its own clock.

day = sense_day(SETTINGS["strangers"], seed=3)
day.reads, day.tracks, day.hands, day.plates      # what devices tell
day.store                                         # what the store knows of itself
day.truth                                         # who left with what
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.simulate.radio.goods import Goods, Habit, move_goods
from retailkit.simulate.radio.inventory import Air
from retailkit.simulate.radio.link import Surroundings
from retailkit.simulate.radio.plates import Scales, weigh
from retailkit.simulate.radio.reading import Radio, gtin_of, hang_antennas, name_tags, read_day
from retailkit.simulate.visits.day import StoreDay, simulate_store_day
from retailkit.simulate.visits.habits import Habits
from retailkit.simulate.visits.layout import make_plan
from retailkit.simulate.visits.plan import StorePlan

DEVICES = ("cameras", "hands", "plates", "reader 1", "reader 2")
_ENTRY = 0.15  # metres: how well the door knows where somebody stands


@dataclass(frozen=True)
class Setting:
    """Everything that decides what a day is like; frozen in `retailkit.simulate.radio.presets`.

    Attributes
    ----------
    shoppers, hours : float
        Persons expected, and how long the store is open; it is recorded until everybody has left.
    aisles, cells, checkouts : int
        Of the plan; with a checkout people wait in line before they leave.
    groups : float, 0 to 1
        Share of parties of two or more, of sizes as `habits` has them.
    habits : dict
        What differs from `Habits`.
    goods : Habit
    cameras : dict
        What `StoreDay.observe` takes.
    ghosts : float
        Tracks of nobody, per hour.
    scales : Scales
    air : Air
    around : Surroundings
    dead : tuple of int
        Antennas that send nothing.
    skew, drift : float, seconds and parts per million
        Each device's clock is off by up to this much (uniform).
    moved : float, 0 to 1
        Share of cells whose product is another than the planogram says.
    unrecognised : float, 0 to 1
        Share of shoppers whose face the door does not know when they leave; coming in, it opens to known ones only.
    """

    shoppers: float = 40.0
    hours: float = 0.5
    aisles: int = 3
    cells: int = 8
    checkouts: int = 0
    groups: float = 0.0
    habits: Mapping[str, Any] = field(default_factory=dict)
    goods: Habit = field(default_factory=Habit)
    cameras: Mapping[str, Any] = field(default_factory=dict)
    ghosts: float = 6.0
    scales: Scales = field(default_factory=Scales)
    air: Air = field(default_factory=Air)
    around: Surroundings = field(default_factory=Surroundings)
    dead: tuple[int, ...] = ()
    skew: float = 0.3
    drift: float = 20.0
    moved: float = 0.0
    unrecognised: float = 0.1


class Knowledge(NamedTuple):
    """What a store knows of itself.

    Attributes
    ----------
    planogram : DataFrame
        cell, zone, product, x, y, height (metres): what should lie where.
    products : DataFrame
        product, gtin, price, weight (grams).
    antennas : DataFrame
        antenna, reader, x, y, z (metres), front_x, front_y, front_z.
    zones, doors : dict
        Names to corners, and to two points, metres.
    entries, exits : DataFrame
        time (seconds), shopper, x, y (metres): who was recognised when passing the door's line inwards, and outwards.
    """

    planogram: pd.DataFrame
    products: pd.DataFrame
    antennas: pd.DataFrame
    zones: Mapping[str, Any]
    doors: Mapping[str, Any]
    entries: pd.DataFrame
    exits: pd.DataFrame


class Truth(NamedTuple):
    """What really happened, in true time.

    Attributes
    ----------
    receipts : DataFrame
        A row for each piece that left: piece, epc (empty without a tag), product, price, shopper, group (the party).
    goods : Goods
    tracks : DataFrame
        visit, time, x, y, person: as told, with the true person (-1 for nobody).
    clocks : DataFrame
        device, offset (seconds), drift (parts per million).
    day : StoreDay
    """

    receipts: pd.DataFrame
    goods: Goods
    tracks: pd.DataFrame
    clocks: pd.DataFrame
    day: StoreDay


class SensorDay(NamedTuple):
    """A day as devices tell it, each in the time of its own clock.

    Attributes
    ----------
    reads : DataFrame
        time, epc (a category), antenna, channel, rssi (dBm), phase (radians).
    tracks : DataFrame
        visit (the tracker's key), time, x, y (metres).
    hands : DataFrame
        visit (the tracker's key), time, cell, kind (reach, take, return), probability.
    plates : DataFrame
        time, cell, grams.
    store : Knowledge
    truth : Truth
    """

    reads: pd.DataFrame
    tracks: pd.DataFrame
    hands: pd.DataFrame
    plates: pd.DataFrame
    store: Knowledge
    truth: Truth


def sense_day(setting: Setting, seed: int = 0) -> SensorDay:
    """Simulate a day, and what every device makes of it.

    Parameters
    ----------
    setting : Setting
    seed : int
    """
    plan = make_plan(setting.aisles, cells=setting.cells, checkouts=setting.checkouts, preference=_TASTE, seed=17)
    habits = Habits(**{**_WAYS, **setting.habits})
    span = (0.0, setting.hours + _AFTER)
    day = simulate_store_day(
        plan, shoppers=setting.shoppers, hours=setting.hours, step=0.2, groups=setting.groups, staff=0, recording=span,
        habits=habits, seed=(53, seed),
    )  # fmt: skip
    goods = move_goods(day, setting.goods, seed)
    return tell_day(setting, day, goods, seed)


_TASTE = {"price": -0.3, "none": -1.5}
_WAYS = {"appeal": 0.6, "stop": 0.8, "put_back": 0.2}
_AFTER = 0.12  # hours in which the last ones leave


def tell_day(setting: Setting, day: StoreDay, goods: Goods, seed: int = 0) -> SensorDay:
    """Tell what every device makes of a day that is known, whoever made it.

    Parameters
    ----------
    setting : Setting
        What it says of shoppers and of the plan is not looked at.
    day : StoreDay
    goods : Goods
        What became of each piece in it.
    seed : int
    """
    plan, rng = day.plan, np.random.default_rng([seed, 51])
    clocks = _draw_clocks(setting, rng)
    antennas = hang_antennas(plan)
    around = Surroundings(**{**vars(setting.around), "outline": plan.outline})
    radio = Radio(setting.air, around, setting.dead)
    reads = read_day(day, goods, antennas, radio, setting.goods.hidden_loss, seed).drop(columns="piece")
    seen = day.observe(seed=seed, **setting.cameras)
    tracks = pd.concat([seen.tracks, _ghosts(setting, plan, day, seen.tracks, rng)], ignore_index=True)
    hands = _see_hands(seen.hands, goods)
    reader = reads["antenna"].map(antennas.set_index("antenna")["reader"]).to_numpy()
    for number in (1, 2):
        chosen = reader == number
        reads.loc[chosen, "time"] = _by(clocks, f"reader {number}", reads.loc[chosen, "time"].to_numpy())
    reads = reads.sort_values("time", kind="stable", ignore_index=True)
    plates = weigh(goods, setting.scales, seed)
    return SensorDay(
        reads,
        tracks[["visit", "time", "x", "y"]].assign(time=_by(clocks, "cameras", tracks["time"].to_numpy())),
        hands.assign(time=_by(clocks, "hands", hands["time"].to_numpy())),
        plates.assign(time=_by(clocks, "plates", plates["time"].to_numpy())),
        _know(setting, plan, day, goods, antennas, clocks, rng),
        Truth(_receipts(day, goods), goods, tracks, clocks, day),
    )


def _draw_clocks(setting: Setting, rng: np.random.Generator) -> pd.DataFrame:
    """Clocks of all devices; the cameras' is the one that others are compared with, and hands are seen by them."""
    offset = rng.uniform(-setting.skew, setting.skew, len(DEVICES))
    drift = rng.uniform(-setting.drift, setting.drift, len(DEVICES))
    offset[:2], drift[:2] = 0.0, 0.0
    return pd.DataFrame({"device": DEVICES, "offset": offset, "drift": drift})


def _by(clocks: pd.DataFrame, device: str, time: NDArray[np.float64]) -> NDArray[np.float64]:
    """Times as a device's clock shows them."""
    [clock] = clocks.loc[clocks["device"] == device, ["offset", "drift"]].to_numpy(float)
    return np.asarray(time * (1 + clock[1] * 1e-6) + clock[0])


def _ghosts(
    setting: Setting, plan: StorePlan, day: StoreDay, tracks: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    """Tracks of nobody: reflections and signs that a detector takes for people for some seconds."""
    number = rng.poisson(setting.ghosts * (day.recording[1] - day.recording[0]) / 3600)
    names, parts = int(tracks["visit"].max()) + 1, []
    for ghost in range(number):
        steps = int(rng.uniform(2, 8) / 0.2)
        begin = round(rng.uniform(*day.recording) / 0.2) * 0.2
        place = rng.uniform((0.5, 0.5), np.subtract(plan.outline, 0.5)) + rng.normal(0, 0.05, (steps, 2)).cumsum(axis=0)
        rows = {"visit": names + ghost, "time": begin + 0.2 * np.arange(steps), "x": place[:, 0], "y": place[:, 1]}
        parts.append(pd.DataFrame({**rows, "person": -1}))
    return pd.concat(parts, ignore_index=True) if parts else tracks.iloc[:0]


def _see_hands(hands: pd.DataFrame, goods: Goods) -> pd.DataFrame:
    """Hands as cameras see them: none where something was hidden, and where a misplaced thing really went."""
    names = ["person", "time"]
    truth = goods.hands.rename(columns={"visit": "person", "cell": "went"})
    known = hands.merge(truth[[*names, "kind", "went", "piece", "hidden"]], on=[*names, "kind"], how="left")
    known = known.drop_duplicates([*names, "kind", "cell"]).reset_index(drop=True)
    moved = known["went"].notna() & (known["cell"] == known["true_cell"])
    cell = known["cell"].where(~moved, known["went"])
    kept = ~known["hidden"].fillna(False).astype(bool)
    columns = ["visit", "time", "cell", "kind", "probability"]
    return known.assign(cell=cell)[kept].sort_values("time", kind="stable").reset_index(drop=True)[columns]


def _know(
    setting: Setting, plan: StorePlan, day: StoreDay, goods: Goods, antennas: pd.DataFrame, clocks: pd.DataFrame,
    rng: np.random.Generator,
) -> Knowledge:  # fmt: skip
    planogram = plan.cells[["cell", "zone", "product", "x", "y", "height"]].copy()
    wrong = np.flatnonzero(rng.random(len(planogram)) < setting.moved)
    planogram.loc[wrong, "product"] = planogram["product"].to_numpy()[np.roll(wrong, 1)]
    gtin = [gtin_of(number) for number in range(len(goods.products))]
    products = goods.products.assign(gtin=pd.array(gtin, dtype="str"))[["product", "gtin", "price", "weight"]]
    entries = _recognise(day, "in", "first", 0.0, clocks, rng)
    exits = _recognise(day, "out", "last", setting.unrecognised, clocks, rng)
    return Knowledge(planogram, products, antennas, plan.zones, plan.doors, entries, exits)


def _recognise(
    day: StoreDay,
    direction: str,
    which: Literal["first", "last"],
    missed: float,
    clocks: pd.DataFrame,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Faces at the door: who passed its line when, and about where."""
    passed = day.crossings[day.crossings["direction"] == direction].sort_values("time")
    passed = passed.drop_duplicates("visit", keep=which)
    passed = passed[rng.random(len(passed)) >= missed]
    place = passed[["x", "y"]].add(rng.normal(0, _ENTRY, (len(passed), 2)))
    time = _by(clocks, "cameras", passed["time"].to_numpy())
    return place.assign(time=time, shopper=passed["visit"])[["time", "shopper", "x", "y"]].reset_index(drop=True)


def _receipts(day: StoreDay, goods: Goods) -> pd.DataFrame:
    """What truly left, and with whom."""
    kept = goods.receipts.assign(epc=name_tags(goods).reindex(goods.receipts["piece"]).to_numpy())
    people = day.visitors.set_index("visit")["group"]
    kept = kept.merge(goods.products[["product", "price"]], on="product").rename(columns={"visit": "shopper"})
    kept = kept.assign(group=people.reindex(kept["shopper"]).to_numpy())
    return kept.sort_values("piece")[["piece", "epc", "product", "price", "shopper", "group"]].reset_index(drop=True)
