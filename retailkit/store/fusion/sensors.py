"""What devices tell, made ready for every method alike: checked, joined, and with a probability for each shopper.

scene = prepare(sensors_of(day))
scene.identity       # whose each piece of a track is, as far as faces and motion tell
scene.hands          # what cameras saw of hands, by piece of track
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.store.fusion.clocks import find_clocks, set_clocks
from retailkit.store.fusion.identity import Identity, find_identities
from retailkit.store.rfid.epc import decode_epcs
from retailkit.store.rfid.reads import check_reads
from retailkit.store.visits.crossings import find_crossings
from retailkit.store.visits.stitching import stitch_tracks
from retailkit.store.visits.tracks import check_tracks

_AT_DOOR = 2.5  # metres from the middle of a door's line within which tracks may begin and end
_BLINK = 0.7  # seconds without a row after which one track is joined to the next without a doubt
_SOON, _NEAR = 25.0, 3.5  # seconds and metres from where a track is lost to where it is found again
_WALK = 1.2  # metres per second that somebody unseen may have walked


class Sensors(NamedTuple):
    """What devices tell of a day, and what the store knows of itself; frames as `retailkit.simulate.radio` has them."""

    reads: pd.DataFrame
    tracks: pd.DataFrame
    hands: pd.DataFrame
    plates: pd.DataFrame
    planogram: pd.DataFrame
    products: pd.DataFrame
    antennas: pd.DataFrame
    zones: Any
    doors: Any
    entries: pd.DataFrame
    exits: pd.DataFrame


class Scene(NamedTuple):
    """A day made ready.

    Attributes
    ----------
    sensors : Sensors
        With reads checked, and times of all devices set to the cameras' clock.
    identity : Identity
        Pieces of tracks, and whose they are.
    hands : DataFrame
        piece (-1 where no track was near), time, cell, kind, probability.
    tags : DataFrame
        epc, product (empty where the code names none that is sold here), in the order of the reads' categories.
    problems : DataFrame
        what, count: what was set aside.
    clocks : DataFrame
        What is known of each device's clock, as `retailkit.store.fusion.clocks.find_clocks` tells it.
    """

    sensors: Sensors
    identity: Identity
    hands: pd.DataFrame
    tags: pd.DataFrame
    problems: pd.DataFrame
    clocks: pd.DataFrame


def sensors_of(day: Any) -> Sensors:
    """Take the sensors of a day that has reads, tracks, hands, plates and a store, and none of its truth."""
    store = day.store
    return Sensors(
        day.reads, day.tracks, day.hands, day.plates, store.planogram, store.products, store.antennas, store.zones,
        store.doors, store.entries, store.exits,
    )  # fmt: skip


def oracle_of(day: Any) -> Sensors:
    """Take the sensors of a simulated day as if cameras were perfect; plates, readers and clocks are as they are.

    Tracks are true, every face is known, and every hand is seen right, those that hide something too.
    """
    truth = day.truth
    passed = truth.day.crossings.sort_values("time").rename(columns={"visit": "shopper"})
    faces = [
        passed[passed["direction"] == way].drop_duplicates("shopper", keep=which)[["time", "shopper", "x", "y"]]
        for way, which in (("in", "first"), ("out", "last"))
    ]
    hands = truth.goods.hands.assign(probability=1.0)
    hands = hands.loc[hands["piece"] >= 0, ["visit", "time", "cell", "kind", "probability"]].sort_values("time")
    return sensors_of(day)._replace(tracks=truth.day.tracks, hands=hands, entries=faces[0], exits=faces[1])


def prepare(sensors: Sensors) -> Scene:
    """Check, clean and name what devices tell, and set their clocks.

    Parameters
    ----------
    sensors : Sensors

    Returns
    -------
    Scene

    Raises
    ------
    ValueError
        Reads or tracks lack a column, or one of them is not of numbers; a door is no line of two points.
    KeyError
        Another frame lacks a column.
    """
    reads, wrong_reads = check_reads(sensors.reads, sensors.antennas["antenna"])
    tracks, wrong_tracks = check_tracks(sensors.tracks)
    ways = stitch_tracks(tracks, gap=_BLINK).rename(columns={"piece": "key"})
    identity = find_identities(ways, sensors.entries, sensors.exits, find_follows(ways, sensors.doors))
    tags = name_products(reads["epc"].cat.categories, sensors.products)
    clocks = find_clocks(sensors._replace(reads=reads, tracks=tracks), tags)
    timed = set_clocks(sensors._replace(reads=reads), clocks)
    hands = timed.hands.assign(piece=_whose_hands(timed.hands, identity.ways))
    problems = [*_counted(wrong_reads, "read"), *_counted(wrong_tracks, "row of a track")]
    return Scene(
        timed,
        identity,
        hands[["piece", "time", "cell", "kind", "probability"]].reset_index(drop=True),
        tags,
        pd.DataFrame(problems, columns=["what", "count"]),
        clocks,
    )


def _counted(wrong: pd.DataFrame, what: str) -> list[tuple[str, int]]:
    return [(f"{what}: {problem}", int(count)) for problem, count in wrong["problem"].value_counts().items() if count]


def name_products(epcs: Any, products: pd.DataFrame) -> pd.DataFrame:
    """Say which product each tag is on: epc, product; empty where it is none of these."""
    codes = decode_epcs(epcs)
    sold = products.set_index("gtin")["product"]
    return pd.DataFrame({"epc": codes["epc"], "product": codes["gtin"].map(sold).fillna("").astype("str")})


def find_follows(ways: pd.DataFrame, doors: Any) -> pd.DataFrame:
    """Find tracks that end within the store, and those that begin there soon and near: visit, then, cost (metres)."""
    ends = _ends(ways)
    lines = [np.asarray(line, dtype=float).mean(axis=0) for line in doors.values()]
    left, came = (_near(ends[names], lines) for names in (["x_end", "y_end"], ["x", "y"]))
    passed = {visit for line in doors.values() for visit in find_crossings(ways, line)["visit"]}
    crossed = ends["visit"].isin(passed).to_numpy()
    return _follow(ends[~(left & crossed)], ends[~(came & crossed)])


def _near(places: pd.DataFrame, lines: list[NDArray[np.float64]]) -> NDArray[np.bool_]:
    away = [np.hypot(*(places.to_numpy() - middle).T) for middle in lines]
    return np.asarray(np.min(away, axis=0) < _AT_DOOR)


def _ends(ways: pd.DataFrame) -> pd.DataFrame:
    """Where and when each track begins and ends: a row for each visit."""
    first, last = (ways.drop_duplicates("visit", keep=which).set_index("visit") for which in ("first", "last"))
    return first[["time", "x", "y"]].join(last[["time", "x", "y"]].add_suffix("_end")).reset_index()


def _follow(ended: pd.DataFrame, begun: pd.DataFrame) -> pd.DataFrame:
    """Pair ends of tracks with all beginnings that follow soon and near."""
    wait = begun["time"].to_numpy()[None] - ended["time_end"].to_numpy()[:, None]
    away = np.hypot(*(begun[axis].to_numpy()[None] - ended[f"{axis}_end"].to_numpy()[:, None] for axis in ("x", "y")))
    possible = (wait > 0) & (wait < _SOON) & (away < np.minimum(_NEAR, 0.8 + _WALK * np.maximum(wait, 0)))
    one, other = np.nonzero(possible & (ended["visit"].to_numpy()[:, None] != begun["visit"].to_numpy()[None]))
    cost = (away + 0.15 * np.abs(wait))[one, other]
    names = {"visit": ended["visit"].to_numpy()[one], "then": begun["visit"].to_numpy()[other]}
    return pd.DataFrame({**names, "cost": cost})


def _whose_hands(hands: pd.DataFrame, ways: pd.DataFrame) -> NDArray[np.int64]:
    """The piece of a track that each hand belongs to: as the tracker named it, at that moment."""
    if not len(hands):
        return np.empty(0, dtype=np.int64)
    rows = hands[["visit", "time"]].reset_index().sort_values("time", kind="stable").rename(columns={"visit": "key"})
    known = ways[["key", "time", "piece"]].sort_values("time", kind="stable")
    rows["key"] = rows["key"].astype(known["key"].dtype)
    found = pd.merge_asof(rows, known, on="time", by="key", direction="nearest", tolerance=2.5)  # type: ignore[arg-type]
    return found.set_index("index")["piece"].reindex(hands.index).fillna(-1).to_numpy(dtype=np.int64)
