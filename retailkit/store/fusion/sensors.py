"""What devices tell, made ready for every method alike: checked, cleaned, and by shopper.

    scene = prepare(sensors_of(day))
    scene.paths          # shopper, time, x, y: who was where
    scene.hands          # what cameras saw of hands, by shopper

A track's key says nothing of who it is. Shoppers are known at the door, where they are recognised; their tracks follow.
Where a track ends among the shelves, the one that begins soon and near it is taken for the same person.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from retailkit.store.rfid.epc import decode_epcs
from retailkit.store.rfid.reads import check_reads
from retailkit.store.visits.cleaning import clean_tracks
from retailkit.store.visits.crossings import find_crossings
from retailkit.store.visits.tracks import check_tracks

NOBODY = -1
_AT_DOOR = 1.2  # metres between where somebody is recognised and their track
_SOON, _NEAR = 25.0, 3.5  # seconds and metres from where a track is lost to where it is found again
_WALK = 1.2  # metres per second that somebody unseen may have walked
_FAR = 1e6


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


class Scene(NamedTuple):
    """A day made ready.

    Attributes
    ----------
    sensors : Sensors
        With reads checked and tracks cleaned.
    shoppers : DataFrame
        shopper, enter, leave (seconds; nan where nobody saw them leave).
    paths : DataFrame
        shopper, time, x, y by shopper and time: the tracks of each, one after the other.
    hands : DataFrame
        shopper (-1 where the track is nobody's), time, cell, kind, probability.
    tags : DataFrame
        epc, product (empty where the code names none that is sold here).
    problems : DataFrame
        what, count: what was set aside.
    """

    sensors: Sensors
    shoppers: pd.DataFrame
    paths: pd.DataFrame
    hands: pd.DataFrame
    tags: pd.DataFrame
    problems: pd.DataFrame


def sensors_of(day: Any) -> Sensors:
    """Take the sensors of a day that has reads, tracks, hands, plates and a store, and none of its truth."""
    store = day.store
    return Sensors(
        day.reads, day.tracks, day.hands, day.plates, store.planogram, store.products, store.antennas, store.zones,
        store.doors, store.entries,
    )  # fmt: skip


def prepare(sensors: Sensors) -> Scene:
    """Check, clean and name what devices tell.

    Parameters
    ----------
    sensors : Sensors

    Returns
    -------
    Scene
    """
    reads, wrong_reads = check_reads(sensors.reads, sensors.antennas["antenna"])
    tracks, wrong_tracks = check_tracks(sensors.tracks)
    ways = clean_tracks(tracks)
    owner = name_tracks(ways, sensors.entries, sensors.doors)
    ways = ways.assign(shopper=ways["visit"].map(owner).fillna(NOBODY).astype(int))
    paths = ways[ways["shopper"] != NOBODY].sort_values(["shopper", "time"], kind="stable", ignore_index=True)
    paths = paths.drop_duplicates(["shopper", "time"], ignore_index=True)
    hands = sensors.hands.assign(shopper=_whose_hands(sensors.hands, ways))
    problems = [*_counted(wrong_reads, "read"), *_counted(wrong_tracks, "row of a track")]
    return Scene(
        sensors._replace(reads=reads, tracks=ways),
        _describe_shoppers(sensors, paths),
        paths[["shopper", "time", "x", "y"]],
        hands[["shopper", "time", "cell", "kind", "probability"]].reset_index(drop=True),
        name_products(reads["epc"].cat.categories, sensors.products),
        pd.DataFrame(problems, columns=["what", "count"]),
    )


def _counted(wrong: pd.DataFrame, what: str) -> list[tuple[str, int]]:
    return [(f"{what}: {problem}", int(count)) for problem, count in wrong["problem"].value_counts().items() if count]


def name_products(epcs: Any, products: pd.DataFrame) -> pd.DataFrame:
    """Say which product each tag is on: epc, product; empty where it is none of these."""
    codes = decode_epcs(epcs)
    sold = products.set_index("gtin")["product"]
    return pd.DataFrame({"epc": codes["epc"], "product": codes["gtin"].map(sold).fillna("").astype("str")})


def name_tracks(ways: pd.DataFrame, entries: pd.DataFrame, doors: Any) -> dict[Any, int]:
    """Say whose each track is: those recognised at the door, and what follows where they were lost.

    Parameters
    ----------
    ways : DataFrame with visit, time, x, y
        Cleaned.
    entries : DataFrame with time, shopper, x, y
        Who was recognised where.
    doors : dict of name to line

    Returns
    -------
    dict of visit to shopper
    """
    ends = _ends(ways)
    owner = _recognise(ways, entries)
    left = {visit for line in doors.values() for visit in _left(ways, line)}
    follows = _follow(ends[~ends["visit"].isin(left)], ends[~ends["visit"].isin(owner)])
    for _ in range(len(follows)):  # a chain of pieces takes its owner from the first
        new = {other: owner[one] for one, other in follows.items() if one in owner and other not in owner}
        if not new:
            break
        owner |= new
    return owner


def _ends(ways: pd.DataFrame) -> pd.DataFrame:
    """Where and when each track begins and ends: a row for each visit."""
    first, last = (ways.drop_duplicates("visit", keep=which).set_index("visit") for which in ("first", "last"))
    return first[["time", "x", "y"]].join(last[["time", "x", "y"]], rsuffix="_end").reset_index()


def _recognise(ways: pd.DataFrame, entries: pd.DataFrame) -> dict[Any, int]:
    """Give each entry the track that was nearest then, one each."""
    if not len(entries) or not len(ways):
        return {}
    visits = ways["visit"].drop_duplicates().to_numpy()
    cost = np.full((len(entries), len(visits)), _FAR)
    for column, (_, way) in enumerate(ways.groupby("visit", sort=False)):
        time = way["time"].to_numpy()
        near = (entries["time"] >= time[0] - 1.0) & (entries["time"] <= time[-1] + 1.0)
        moment = entries.loc[near, "time"]
        away = np.hypot(*(entries.loc[near, axis] - np.interp(moment, time, way[axis]) for axis in ("x", "y")))
        cost[near.to_numpy(), column] = np.where(away < _AT_DOOR, away, _FAR)
    one, other = linear_sum_assignment(cost)
    kept = cost[one, other] < _FAR
    return dict(zip(visits[other[kept]].tolist(), entries["shopper"].to_numpy()[one[kept]].tolist(), strict=True))


def _left(ways: pd.DataFrame, line: Any) -> set[Any]:
    """Tracks that passed a door's line outwards last."""
    passed = find_crossings(ways, line).drop_duplicates("visit", keep="last")
    return set(passed.loc[passed["direction"] == "out", "visit"])


def _follow(ended: pd.DataFrame, begun: pd.DataFrame) -> dict[Any, Any]:
    """Pair ends of tracks with beginnings that follow soon and near: visit to visit."""
    wait = begun["time"].to_numpy()[None] - ended["time_end"].to_numpy()[:, None]
    away = np.hypot(*(begun[axis].to_numpy()[None] - ended[f"{axis}_end"].to_numpy()[:, None] for axis in ("x", "y")))
    possible = (wait > -0.5) & (wait < _SOON) & (away < np.minimum(_NEAR, 0.8 + _WALK * np.maximum(wait, 0)))
    possible &= ended["visit"].to_numpy()[:, None] != begun["visit"].to_numpy()[None]
    cost = np.where(possible, away + 0.15 * np.abs(wait), _FAR)
    one, other = linear_sum_assignment(cost)
    kept = cost[one, other] < _FAR
    names = ended["visit"].to_numpy()[one[kept]].tolist(), begun["visit"].to_numpy()[other[kept]].tolist()
    return dict(zip(*names, strict=True))


def _whose_hands(hands: pd.DataFrame, ways: pd.DataFrame) -> NDArray[np.int64]:
    """The shopper of each hand: of the piece of a track, as the tracker named it, at that moment."""
    if not len(hands):
        return np.empty(0, dtype=np.int64)
    rows = hands[["visit", "time"]].reset_index().sort_values("time", kind="stable").rename(columns={"visit": "piece"})
    known = ways[["piece", "time", "shopper"]].sort_values("time", kind="stable")
    rows["piece"] = rows["piece"].astype(known["piece"].dtype)
    found = pd.merge_asof(rows, known, on="time", by="piece", direction="nearest", tolerance=2.5)
    return found.set_index("index")["shopper"].reindex(hands.index).fillna(NOBODY).to_numpy(dtype=np.int64)


def _describe_shoppers(sensors: Sensors, paths: pd.DataFrame) -> pd.DataFrame:
    known = sensors.entries[["shopper", "time"]].rename(columns={"time": "enter"}).drop_duplicates("shopper")
    out = pd.concat([find_crossings(_as_visits(paths), line) for line in sensors.doors.values()])
    last = out[out["direction"] == "out"].groupby("visit")["time"].max()
    return known.assign(leave=known["shopper"].map(last)).reset_index(drop=True)


def _as_visits(paths: pd.DataFrame) -> pd.DataFrame:
    return paths.drop(columns="visit", errors="ignore").rename(columns={"shopper": "visit"})
