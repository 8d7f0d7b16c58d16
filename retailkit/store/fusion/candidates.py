"""Who may have left with what, and what speaks for it, in columns: for methods that learn from examples.

    found = find_candidates(scene)
    found.table[["item", "product", "shopper", *FEATURES]]

An item is a tag that is heard at all, or a thing that was seen taken (``seen N``, N its act). A shopper is a candidate
for a tag if they, or somebody who walked with them, may have taken such a product, or if the tag was last heard when
they passed the door.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.store.fusion.acts import Acts, as_events, find_acts
from retailkit.store.fusion.attribution import SEEN
from retailkit.store.fusion.moments import gate_antennas
from retailkit.store.fusion.sensors import Scene
from retailkit.store.fusion.whereabouts import Whereabouts, find_whereabouts

_LEAST = 0.03  # expected takes of a product by a shopper, or their company, from which they are a candidate
_LENT = 0.5  # weight of a companion's take
_LOUD, _WAIT = 6, 8  # seconds: the end of a tag's reads at the door, and from there to a face that leaves
_BEFORE, _AFTER = 60, 3  # seconds before a take in which a tag is heard at home, and after an exit
_STEP = 5  # seconds in which reads are counted to compare them with distances
_ITEM = ["agrees", "near", "contrast", "door", "beside_door", "taken", "own"]  # told against the item's other shoppers
_SHOPPER = ["agrees", "near", "contrast", "door", "dropped"]  # told against the shopper's other tags of the product

_ACTS = ["own", "company", "taken", "back", "certain", "pieces"]
_READS = ["reads", "near", "contrast", "metres", "agrees", "near_rate", "far_rate", "silent_near", "dropped", "after",
          "last_after_exit", "door", "door_reads", "beside_door", "silent"]  # fmt: skip
_CROWD = ["crowd", "closest", "window", "known"]
_PRODUCT = ["takes", "backs", "gone", "tags", "surplus", "candidates", "seen"]
FEATURES = [*_ACTS, *_READS, *_CROWD, *_PRODUCT, *(f"{name}_of_item" for name in _ITEM),
            *(f"{name}_of_shopper" for name in _SHOPPER)]  # fmt: skip


class Candidates(NamedTuple):
    """Candidates of a day.

    Attributes
    ----------
    table : DataFrame
        item, product, shopper, probability (a first guess from acts alone; sums to at most 1), and `FEATURES`.
    events : DataFrame
        Acts, as `Attribution.events`.
    """

    table: pd.DataFrame
    events: pd.DataFrame


class _Takes(NamedTuple):
    """What acts say by product and shopper, both as numbers."""

    own: NDArray[np.float64]  # (products, shoppers): expected takes
    company: NDArray[np.float64]  # by those who walked with them
    back: NDArray[np.float64]  # expected returns
    begin: NDArray[np.int64]  # second of the likeliest take
    takes: NDArray[np.float64]  # (products,)
    backs: NDArray[np.float64]

    @classmethod
    def of(cls, acts: Acts, people: NDArray[np.float64], where: Whereabouts) -> "_Takes":
        sign, amount = acts.table["sign"].to_numpy(), acts.table["real"].to_numpy()
        took, gave = (acts.products * (amount * (sign == way))[:, None] for way in (-1, 1))
        lent = people @ where.company.T
        moment = (acts.table["time"].to_numpy() - where.start).astype(int)
        both = people + _LENT * lent
        begin = np.zeros((acts.products.shape[1], people.shape[1]), dtype=np.int64)
        for product in np.flatnonzero(took.max(axis=0, initial=0) > 0):
            begin[product] = moment[(took[:, product, None] * both).argmax(axis=0)]
        sums = took.sum(axis=0), gave.sum(axis=0)
        return cls(took.T @ people, took.T @ lent, gave.T @ people, begin, *sums)


def find_candidates(scene: Scene) -> Candidates:
    """Find items and shoppers who may have left with them.

    Parameters
    ----------
    scene : Scene

    Returns
    -------
    Candidates
    """
    acts, where = find_acts(scene), find_whereabouts(scene)
    people = (acts.tracks @ scene.identity.beliefs)[:, :-1]
    takes = _Takes.of(acts, people, where)
    tags = _tags(scene, takes, where)
    seen = _seen(scene, acts, people, takes)
    table = pd.concat([part for part in (tags, seen) if len(part)] or [tags], ignore_index=True)
    table = _with_products(table, scene, takes, where)
    table = table.assign(
        **{f"{name}_of_item": _lead(table, ["item"], name) for name in _ITEM},
        **{f"{name}_of_shopper": _lead(table, ["product", "shopper", "seen"], name) for name in _SHOPPER},
    )
    keys = ["item", "product", "shopper", "probability"]
    return Candidates(table[[*keys, *FEATURES]], as_events(acts, people, scene))


def _lead(table: pd.DataFrame, groups: list[str], name: str) -> NDArray[np.float64]:
    """How far each is above the greatest of the others in its group; nan where it is alone."""
    ordered = table[[*groups, name]].sort_values(name, ascending=False, kind="stable")
    best = ordered.groupby(groups, observed=True)[name].transform("max").reindex(table.index).to_numpy(float)
    rank = ordered.groupby(groups, observed=True).cumcount().reindex(table.index).to_numpy()
    second = table[name].where(rank == 1).groupby([table[key] for key in groups]).transform("max").to_numpy(float)
    return np.asarray(table[name].to_numpy(float) - np.where(rank == 0, second, best))


def _with_products(table: pd.DataFrame, scene: Scene, takes: _Takes, where: Whereabouts) -> pd.DataFrame:
    """Add what concerns a product or a shopper as a whole."""
    number = table["kind"].to_numpy(int)
    who = table["who"].to_numpy(int)
    first = table.drop_duplicates("item")
    tagged = first[first["seen"] == 0]
    products = len(scene.sensors.products)
    gone = np.bincount(tagged["kind"].astype(int), tagged["silent"] > 20, minlength=products)
    tags = np.bincount(tagged["kind"].astype(int), minlength=products)
    left = takes.takes - takes.backs
    begin = table["begin"].to_numpy(int)
    beliefs = scene.identity.beliefs[:, :-1]
    sure = (beliefs**2).sum(axis=0) / np.maximum(beliefs.sum(axis=0), 1e-9)
    return table.assign(
        own=takes.own[number, who], company=takes.company[number, who], back=takes.back[number, who],
        crowd=where.there.sum(axis=0)[begin], closest=where.company.max(axis=1, initial=0)[who],
        window=where.exits[who] - begin, known=sure[who], takes=takes.takes[number], backs=takes.backs[number],
        gone=gone[number], tags=tags[number], surplus=left[number] - gone[number],
        candidates=table.groupby("item")["shopper"].transform("size"),
    )  # fmt: skip


def _seen(scene: Scene, acts: Acts, people: NDArray[np.float64], takes: _Takes) -> pd.DataFrame:
    """Things seen taken, of which no tag may have been heard."""
    names = scene.sensors.products["product"].to_numpy()
    kind, table = acts.products.argmax(axis=1), acts.table
    act, who = np.nonzero((people > _LEAST) & (table["sign"].to_numpy() < 0)[:, None])
    taken = table["real"].to_numpy()[act] * people[act, who]
    return pd.DataFrame({
        "item": [f"{SEEN}{number}" for number in act], "product": names[kind[act]],
        "shopper": scene.identity.shoppers[who], "probability": taken, "kind": kind[act], "who": who,
        "begin": takes.begin[kind[act], who], "taken": taken, "certain": acts.products.max(axis=1)[act],
        "pieces": table["pieces"].to_numpy()[act], "seen": 1.0,
        **dict.fromkeys(_READS, np.nan),
    })  # fmt: skip


def _tags(scene: Scene, takes: _Takes, where: Whereabouts) -> pd.DataFrame:
    """Tags that are heard, with what their reads say of each candidate."""
    reads = scene.sensors.reads
    order = np.argsort(reads["epc"].cat.codes.to_numpy(), kind="stable")
    bounds = np.searchsorted(reads["epc"].cat.codes.to_numpy()[order], np.arange(len(scene.tags) + 1))
    antenna = pd.Index(scene.sensors.antennas["antenna"]).get_indexer(pd.Index(reads["antenna"]))[order]
    moment = ((reads["time"].to_numpy() - where.start).astype(int))[order]
    rssi = reads["rssi"].to_numpy(float)[order]
    kinds = pd.Index(scene.sensors.products["product"]).get_indexer(pd.Index(scene.tags["product"]))
    cells = scene.sensors.planogram.drop_duplicates("product").set_index("product")[["x", "y"]]
    homes = cells.reindex(scene.sensors.products["product"]).to_numpy(float)
    hung = scene.sensors.antennas[["x", "y"]].to_numpy(float)
    gates = _gates(scene)
    score, rows = takes.own + _LENT * takes.company, []
    for tag in np.flatnonzero(kinds >= 0):
        part, kind = slice(bounds[tag], bounds[tag + 1]), kinds[tag]
        sound = _Sound.of(moment[part], antenna[part], rssi[part], where.there.shape[1], len(hung), gates)
        who = np.flatnonzero((score[kind] > _LEAST) | sound.passed(where.exits))
        away = np.hypot(*(hung - homes[kind]).T)
        rows += [
            (scene.tags["epc"].iloc[tag], scene.tags["product"].iloc[tag], scene.identity.shoppers[one],
             1 / len(who), kind, one, *sound.against(int(one), takes.begin[kind, one], where, away))
            for one in who
        ]  # fmt: skip
    columns = ["item", "product", "shopper", "probability", "kind", "who", "begin", *_READS]
    found = pd.DataFrame(rows, columns=columns)
    return found.assign(taken=takes.own[found["kind"].astype(int), found["who"].astype(int)],
                        certain=np.nan, pieces=np.nan, seen=0.0)  # fmt: skip


def _gates(scene: Scene) -> NDArray[np.bool_]:
    """Which antennas hang beside a door, not above anything."""
    hung = scene.sensors.antennas
    return np.asarray(hung["antenna"].isin(gate_antennas(hung, scene.sensors.doors)))


class _Sound(NamedTuple):
    """What is heard of one tag, by seconds and antennas."""

    reads: NDArray[np.float64]
    power: NDArray[np.float64]  # sum of amplitudes, as of -60 dBm
    loudest: NDArray[np.float64]  # (seconds,) dBm at the door, -99 where silent
    last: int

    @classmethod
    def of(
        cls, moment: NDArray, antenna: NDArray, rssi: NDArray, seconds: int, antennas: int, gates: NDArray[np.bool_]
    ) -> "_Sound":
        reads, power, loudest = np.zeros((seconds, antennas)), np.zeros((seconds, antennas)), np.full(seconds, -99.0)
        np.add.at(reads, (moment, antenna), 1.0)
        np.add.at(power, (moment, antenna), 10 ** ((rssi + 60) / 20))
        at_door = gates[antenna]
        np.maximum.at(loudest, moment[at_door], rssi[at_door])
        return cls(reads, power, loudest, int(moment.max()) if len(moment) else 0)

    def passed(self, exits: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Who left when the tag was loudest at the door, at the end of its reads."""
        end = slice(max(self.last - _LOUD, 0), self.last + 1)
        if self.loudest[end].max() <= -99 or len(self.reads) - self.last < 20:
            return np.zeros(len(exits), dtype=bool)
        return np.abs(exits - (end.start + self.loudest[end].argmax())) <= _WAIT

    def against(self, who: int, begin: int, where: Whereabouts, home: NDArray[np.float64]) -> tuple[float, ...]:
        """The bin of the take, and the columns of `_READS` for one shopper."""
        leaves = int(where.exits[who])
        begin = min(int(begin), max(leaves - 1, 0))
        carried = slice(begin, leaves + 1)
        reads, power, near = self.reads[carried], self.power[carried], where.near[who, carried]
        away, total = np.nan_to_num(where.away[who, carried], nan=6.0), max(power.sum(), 1e-9)
        metres = (power * away).sum() / total if total > 1e-6 else np.nan
        far = np.maximum(where.there[who, carried, None] - near, 0)
        mine = int(self.reads[:begin].sum(axis=0).argmax())
        before, kept = self.reads[max(begin - _BEFORE, 0) : begin, mine], reads[:_BEFORE, mine]
        dropped = (before.mean() if len(before) else 0.0) - (kept.mean() if len(kept) else 0.0)
        door = self.loudest[max(leaves - _WAIT, 0) : leaves + _AFTER + 1]
        return (
            begin, reads.sum(), (reads * near).sum() / max(reads.sum(), 1e-9),
            (power.sum(axis=0) * home).sum() / total - metres, metres, _agreement(reads, away),
            (reads * near).sum() / max(near.sum(), 1e-3), (reads * far).sum() / max(far.sum(), 1e-3),
            ((reads == 0) * near).sum() / max(near.sum(), 1e-3), dropped,
            self.reads[leaves + _AFTER :].sum(), self.last - leaves, door.max(), (door > -99).sum(),
            -abs(max(leaves - _WAIT, 0) + int(door.argmax()) - leaves) if door.max() > -99 else np.nan,
            len(self.reads) - self.last,
        )  # fmt: skip


def _agreement(reads: NDArray[np.float64], away: NDArray[np.float64]) -> float:
    """Correlation of how often antennas heard it with how near they were, in steps of seconds."""
    steps = len(reads) // _STEP
    if steps < 2:
        return np.nan
    shape = (steps, _STEP, reads.shape[1])
    heard = np.log1p(reads[: steps * _STEP].reshape(shape).sum(axis=1)).ravel()
    near = -np.log(away[: steps * _STEP].reshape(shape).mean(axis=1) + 0.5).ravel()
    heard, near = heard - heard.mean(), near - near.mean()
    return float((heard * near).sum() / max(np.sqrt((heard**2).sum() * (near**2).sum()), 1e-9))
