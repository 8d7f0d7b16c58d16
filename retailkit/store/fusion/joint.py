"""Ours: each tag followed through the day, all bound together by acts at shelves and by whose tracks are whose.

1. Acts say when something left which cell, and at whose hand (`find_acts`).
2. Each tag that may have moved is followed: on its shelf, on another, or with a shopper (`follow_tag`), by what
   antennas hear and do not hear of it, with curves learned from the day itself.
3. An act is one piece. Tags of one product that might be it argue until they agree (loopy belief propagation for data
   association; Williams & Lau 2014); what no tag answers for has none, or none that is heard.
4. Tags tell whose track is whose: who carries three of them past an exchange of keys is known by them. So identities
   are believed anew, and all of it is done again.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.store.fusion import hearing
from retailkit.store.fusion.acts import Acts, as_events, find_acts
from retailkit.store.fusion.attribution import Attribution, attribute, charge_expected
from retailkit.store.fusion.hearing import WIDTH, Curves, Floor, Lying, Reads
from retailkit.store.fusion.identity import Identity
from retailkit.store.fusion.roster import Roster
from retailkit.store.fusion.sensors import Scene, Sensors, prepare
from retailkit.store.rfid.presence import Presence, find_presence

_ROUNDS, _SWEEPS = 3, 4
_NO_TAG = 0.12  # that a piece has no tag that is ever heard
_LIKELY = 0.02  # products less likely than this are not thought of for an act
_EARLY = 6  # bins before its first act from which a tag is followed
_STILL = 4  # bins after a face at the exit in which what is carried is still heard
_TRUST = 0.15  # how much of a tag's evidence counts for whose a track is: tags in one hand share their shadows
_UNKNOWN, _GONE = 0.03, 2e-4  # chance of a read of somebody out of sight, and of somebody who has left
_FAR = -58.0  # dBm: strength of such a read
_SETTLED = 0.005  # change of what is said to a tag that is worth following it again
_SEEN = 0.02  # beliefs below are not told
_HAND = 1.3  # metres from a shelf within which a tag in a hand is heard as on it


@dataclass(frozen=True)
class Options:
    """What the method may use; all by default. For studies of what each part is worth."""

    plates: bool = True
    reads: bool = True
    relink: bool = True


def fuse(sensors: Sensors, options: Options | None = None) -> Attribution:
    """Say who left with what.

    Parameters
    ----------
    sensors : Sensors
    options : Options, optional

    Returns
    -------
    Attribution
    """
    return fuse_scene(prepare(sensors), options)


def fuse_scene(scene: Scene, options: Options | None = None) -> Attribution:
    """As `fuse`, of a day made ready."""
    chosen = options or Options()
    acts = find_acts(scene, chosen.plates)
    if not chosen.reads:
        return _tell(scene, acts, acts.tracks @ scene.identity.beliefs, [], np.zeros((0, 0)), np.ones(len(acts.table)))
    day = _Day.of(scene, acts)
    identity, curves = scene.identity, hearing.first_guess(scene.sensors.antennas)
    for number in range(_ROUNDS):
        found = day.follow(identity, curves)
        if number + 1 < _ROUNDS:
            curves = found.curves
            identity = scene.identity.learn(_TRUST * found.pieces) if chosen.relink else identity
    return _tell(scene, acts, acts.tracks @ identity.beliefs, day.moved, found.last, found.unheard)


class _Found(NamedTuple):
    """What one round of following found."""

    last: NDArray[np.float64]  # (moved tags, shoppers): who left with each
    unheard: NDArray[np.float64]  # (acts,): that no tag answers for it
    pieces: NDArray[np.float64]  # (pieces, shoppers + 1): what tags say of whose they are
    curves: Curves


class _Evidence(NamedTuple):
    """What reads say of one tag from a bin on."""

    begin: int
    still: NDArray[np.float64]  # likelihoods at home, on another shelf, gone: (bins, 3)
    carried: NDArray[np.float64]  # likelihoods with each shopper: (entries of the roster,)
    gains: NDArray[np.float64]  # of each row of the floor, if it was carried there
    unknown: NDArray[np.float64]  # (bins,): if it was with somebody out of sight


@dataclass(eq=False)
class _Day:
    """What does not change from round to round."""

    scene: Scene
    acts: Acts
    presence: Presence
    reads: Reads
    floor: Floor
    lying: Lying
    moved: list[int]  # tags that may have moved
    able: list[NDArray[np.int64]]  # acts that may have moved each
    likely: NDArray[np.float64]  # (acts, tags): that the act was of the tag's product, and real
    act_bin: NDArray[np.int64]
    home: NDArray[np.float64]  # (tags, 2) metres: where each should lie

    @classmethod
    def of(cls, scene: Scene, acts: Acts) -> "_Day":
        start = float(np.floor(min(scene.identity.ways["time"].min(), scene.sensors.reads["time"].min())))
        end = float(max(scene.identity.ways["time"].max(), scene.sensors.reads["time"].max())) + 1.0
        presence = find_presence(scene.sensors.reads, WIDTH, start, end, scene.sensors.antennas["antenna"])
        floor = hearing.lay_floor(scene.identity, scene.sensors.antennas, start, presence.bins)
        products = pd.Index(scene.sensors.products["product"])
        kind = products.get_indexer(pd.Index(scene.tags["product"]))
        likely = np.where(kind[None] >= 0, acts.products[:, kind], 0.0) * acts.table["real"].to_numpy()[:, None]
        act_bin = ((acts.table["time"].to_numpy() - start) // WIDTH).astype(np.int64).clip(0, presence.bins - 1)
        takes = acts.table["sign"].to_numpy() < 0
        moved = np.flatnonzero((likely[takes] > _LIKELY).any(axis=0))
        able = [np.flatnonzero(likely[:, tag] > _LIKELY) for tag in moved]
        until = np.full(len(kind), presence.bins)
        until[moved] = [max(int(act_bin[rows].min()) - 2, 1) for rows in able]
        home = pd.factorize(scene.tags["product"])[0].astype(np.int64)
        lying = hearing.learn_lying(presence, home, until)
        places = scene.sensors.planogram.drop_duplicates("product").set_index("product")[["x", "y"]]
        where = places.reindex(scene.tags["product"]).fillna(-99.0).to_numpy(float)
        reads = Reads.of(presence, len(kind))
        return cls(scene, acts, presence, reads, floor, lying, moved.tolist(), able, likely, act_bin, where)

    def follow(self, identity: Identity, curves: Curves) -> _Found:
        """Follow all tags with these beliefs and curves; acts and tags argue in sweeps."""
        from retailkit.store.fusion import carriers

        roster = self._stay(identity)
        there = roster.holds(self.act_bin, len(identity.shoppers))
        people = np.where(there, self.acts.tracks @ identity.beliefs[:, :-1], 0.0)
        people = people / np.maximum(people.sum(axis=1, keepdims=True), 1e-12)
        still = hearing.silence(self.floor, curves)
        evidence = [self._evidence(place, identity, curves, still, roster) for place in range(len(self.moved))]
        prior = np.zeros_like(self.likely)
        for tag, rows in zip(self.moved, self.able, strict=True):
            prior[rows, tag] = self.likely[rows, tag]
        count = np.maximum(prior.sum(axis=1, keepdims=True), 1e-9)
        sure = self.acts.table["real"].to_numpy()[:, None] * self.acts.table["pieces"].to_numpy()[:, None]
        share = np.where((prior > 0) & there.any(axis=1, keepdims=True), (1 - _NO_TAG) * sure * prior / count, 0.0)
        free = np.maximum(1 - share.sum(axis=1), _NO_TAG)
        ratio = np.ones_like(share)
        held: list[NDArray[np.float64]] = [np.empty(0)] * len(self.moved)
        last = np.zeros((len(self.moved), len(identity.shoppers)))
        said = np.full_like(share, np.nan)
        for _ in range(_SWEEPS):
            used = share * ratio
            message = share / np.maximum(free[:, None] + used.sum(axis=1, keepdims=True) - used, 1e-12)
            weight = message / (1 + message)
            for place, (tag, rows) in enumerate(zip(self.moved, self.able, strict=True)):
                if np.abs(weight[rows, tag] - said[rows, tag]).max() < _SETTLED:  # nothing new was said to this tag
                    continue
                begin, seen, carried, *_ = evidence[place]
                take = np.where(self.acts.table["sign"].to_numpy()[rows] < 0, weight[rows, tag], 0.0)
                back = np.where(take > 0, 0.0, np.minimum(weight[rows, tag] * 8, 0.95))
                _, with_whom, last[place], odds = carriers.follow_tag(
                    seen, carried, begin, roster, self.act_bin[rows] - begin, take, back, people[rows]
                )
                old = np.log(ratio[rows, tag]) if len(held[place]) else odds
                ratio[rows, tag] = np.exp((old + odds).clip(-24, 24) / 2)
                held[place], said[rows, tag] = with_whom, weight[rows, tag]
        used = share * ratio
        unheard = free / (free + used.sum(axis=1))
        return _Found(last, unheard, *self._learn(held, evidence, identity, curves, roster))

    def _stay(self, identity: Identity) -> Roster:
        """When each shopper may be in the store."""
        shoppers, bins = len(identity.shoppers), self.presence.bins
        share = identity.beliefs[:, :-1]
        start = self.presence.start
        begin = ((identity.pieces["begin"].to_numpy() - start) // WIDTH).astype(np.int64)
        end = ((identity.pieces["end"].to_numpy() - start) // WIDTH).astype(np.int64)
        leave, come = np.full(shoppers, bins), np.zeros(shoppers, dtype=np.int64)
        for column in range(shoppers):
            mine = share[:, column] > 0.3
            if mine.any():
                leave[column], come[column] = end[mine].max() + 2, begin[mine].min()
        for faces, ends, after in ((self.scene.sensors.exits, leave, _STILL), (self.scene.sensors.entries, come, 0)):
            columns = np.searchsorted(identity.shoppers, faces["shopper"].to_numpy())
            ends[columns] = ((faces["time"].to_numpy() - start) // WIDTH).astype(np.int64) + after
        return Roster.of(come, leave, bins)

    def _evidence(self, place: int, identity: Identity, curves: Curves, still: NDArray, roster: Roster) -> _Evidence:
        """What reads say of a tag that may have moved, from shortly before its first act."""
        from retailkit.store.fusion.roster import weigh_places

        tag, bins = self.moved[place], self.presence.bins
        begin = max(int(self.act_bin[self.able[place]].min()) - _EARLY, 0)
        number, antenna, rssi = self.reads.since(tag, begin)
        chance, strength = self.lying.chance[tag], self.lying.strength[tag]

        def where(chance: NDArray, strength: NDArray, spread: float) -> NDArray[np.float64]:
            return hearing.heard_there(bins - begin, number - begin, antenna, rssi, chance, strength, spread)

        lies, other = where(chance, strength, 5.0), where(np.maximum(0.6 * chance, 0.02), strength, 9.0)
        far = np.full(len(chance), _FAR)
        unknown, gone = (where(np.full(len(chance), level), far, 10.0) for level in (_UNKNOWN, _GONE))
        gains = self._gains(tag, begin, number, antenna, rssi, curves, still, lies)
        floor, beliefs = self.floor, identity.beliefs
        seen, carried = weigh_places(
            begin, lies, other, gone, unknown, floor.first, floor.piece, gains, beliefs, roster
        )
        return _Evidence(begin, seen, carried, gains, unknown)

    def _gains(
        self, tag: int, begin: int, number: NDArray, antenna: NDArray, rssi: NDArray, curves: Curves, still: NDArray,
        lies: NDArray,
    ) -> NDArray[np.float64]:  # fmt: skip
        """Log-likelihood of a tag's reads and silence in each row of the floor, if it was carried there.

        In a hand before its own shelf it is heard as on it.
        """
        floor, worth = self.floor, self.lying.worth[tag]
        base, last = floor.first[begin], floor.first[-1]
        rows, read = hearing.rows_of(floor, number)
        told = hearing.read_gain(floor, curves, rows, antenna[read], rssi[read]) + np.log(worth)
        gains = hearing.WORTH * (worth * still[base:last] + np.bincount(rows - base, told, last - base))
        near = np.hypot(*(floor.place[base:last] - self.home[tag]).T) < _HAND
        at_home = lies[floor.bin[base:last] - begin]
        return np.asarray(np.where(near, np.logaddexp(gains, at_home) - np.log(2), gains))

    def _learn(
        self, held: list[NDArray], evidence: list[_Evidence], identity: Identity, curves: Curves, roster: Roster
    ) -> tuple[NDArray[np.float64], Curves]:
        """What all tags together say of pieces of tracks and of how antennas hear."""
        from retailkit.store.fusion.roster import learn_floor

        floor, (antennas, steps) = self.floor, curves.chance.shape
        heard, told, there = (np.zeros((antennas, steps)) for _ in range(3))
        pieces = np.zeros_like(identity.beliefs)
        for tag, carried, (begin, _, _, gains, unknown) in zip(self.moved, held, evidence, strict=True):
            weight, base = np.zeros(len(gains)), floor.first[begin]
            learn_floor(
                begin, carried, roster, floor.first, floor.piece, gains, unknown, identity.beliefs, pieces, weight
            )
            near = np.flatnonzero(weight > 0.5)
            for ear in range(antennas):
                there[ear] += np.bincount(floor.step[base + near, ear], weight[near], steps)
            number, antenna, rssi = self.reads.since(tag, begin)
            rows, read = hearing.rows_of(floor, number)
            kept = weight[rows - base] > 0.5
            rows, read = rows[kept], read[kept]
            cell = antenna[read], floor.step[rows, antenna[read]]
            np.add.at(heard, cell, weight[rows - base])
            np.add.at(told, cell, weight[rows - base] * rssi[read])
        return pieces, hearing.learn_curves(heard, told, there, curves)


def _tell(scene: Scene, acts: Acts, people: NDArray, moved: list[int], last: NDArray, unheard: NDArray) -> Attribution:
    """Put beliefs of tags, and of things without one, into tables."""
    shoppers, names = scene.identity.shoppers, scene.sensors.products["product"].to_numpy()
    rows = []
    for tag, chances in zip(moved, last, strict=True):
        epc, product = scene.tags["epc"].iloc[tag], scene.tags["product"].iloc[tag]
        rows += [(epc, product, int(shoppers[who]), float(chances[who])) for who in np.flatnonzero(chances > _SEEN)]
    rows += _things_without_tags(acts, people[:, : len(shoppers)], unheard, shoppers, names)
    beliefs = pd.DataFrame(rows, columns=["item", "product", "shopper", "probability"])
    return attribute(beliefs, as_events(acts, people[:, : len(shoppers)], scene), charge_expected(beliefs))


def _things_without_tags(
    acts: Acts, people: NDArray, unheard: NDArray, shoppers: NDArray, names: NDArray
) -> list[tuple[str, str, int, float]]:
    """What was taken and no tag answers for: less what was put back."""
    sign, product = acts.table["sign"].to_numpy(), acts.products.argmax(axis=1)
    left = unheard * acts.table["real"].to_numpy()
    kept = np.where(sign < 0, left, 0.0)
    for back in np.flatnonzero(sign > 0):
        before = np.flatnonzero((sign < 0) & (product == product[back]) & (np.arange(len(sign)) < back) & (kept > 0.01))
        if len(before):
            same = (people[before] * people[back]).sum(axis=1) * kept[before]
            best = before[same.argmax()]
            kept[best] *= 1 - min(left[back] * (people[best] * people[back]).sum() / max(kept[best], 1e-9), 1.0)
    return [
        (f"seen {act}", str(names[product[act]]), int(shoppers[who]), float(kept[act] * people[act, who]))
        for act in np.flatnonzero(kept > _SEEN)
        for who in np.flatnonzero(kept[act] * people[act] > _SEEN)
    ]
