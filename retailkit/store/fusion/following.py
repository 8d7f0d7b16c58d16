"""A day's tags, each followed by what reads say of it; tags and acts argue which tag each act moved.

A tag is with the person of a piece of a track. So tags also say who was exchanged with whom where two met: what was
with the one is now heard with the other.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.store.fusion import hearing
from retailkit.store.fusion.acts import Acts
from retailkit.store.fusion.floor import WIDTH, Floor, bin_of, lay_floor
from retailkit.store.fusion.hearing import Curves, Lying, Reads
from retailkit.store.fusion.identity import Identity
from retailkit.store.fusion.sensors import Scene
from retailkit.store.rfid.presence import Presence, find_presence

if TYPE_CHECKING:
    from retailkit.store.fusion.carriers import Moves

_LIKELY = 0.02  # products less likely than this are not thought of for an act
EARLY = 6  # bins before its first act from which a tag is followed
_UNKNOWN, _GONE = 0.03, 2e-4  # chance of a read of somebody out of sight, and of somebody who has left
_FAR = -58.0  # dBm: strength of such a read
_CALLED, _SUREST = 8.0, 0.95  # a put-back is of what somebody holds: so much likelier than of any tag, at most so sure
_SETTLED = 0.005  # change of what is said to a tag that is worth following it again
_HAND = 1.3  # metres from a shelf within which a tag in a hand is heard as on it


class Evidence(NamedTuple):
    """What reads say of one tag from a bin on."""

    begin: int
    still: NDArray[np.float64]  # likelihoods at home, on another shelf, gone: (bins, 3)
    carried: NDArray[np.float64]  # likelihoods with each who is there: (entries of the floor,)


class Argued(NamedTuple):
    """What tags and acts agree on."""

    last: NDArray[np.float64]  # (moved tags, pieces): who left with each
    unheard: NDArray[np.float64]  # (acts,): that no tag answers for it
    held: list[NDArray[np.float64]]  # of each moved tag, that each who is there has it: (entries of the floor,)
    turned: NDArray[np.float64]  # (moves,): what tags say of an exchange (log-odds)


@dataclass(eq=False)
class Day:
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
    near: list[NDArray[np.intp]]  # entries of the floor within reach of it

    @classmethod
    def of(cls, scene: Scene, acts: Acts) -> "Day":
        start = float(np.floor(min(scene.identity.ways["time"].min(), scene.sensors.reads["time"].min())))
        end = float(max(scene.identity.ways["time"].max(), scene.sensors.reads["time"].max())) + 1.0
        presence = find_presence(scene.sensors.reads, WIDTH, start, end, scene.sensors.antennas["antenna"])
        floor = lay_floor(scene.identity, scene.sensors.antennas, start, presence.bins)
        products = pd.Index(scene.sensors.products["product"])
        kind = products.get_indexer(pd.Index(scene.tags["product"]))
        likely = np.where(kind[None] >= 0, acts.products[:, kind], 0.0) * acts.table["real"].to_numpy()[:, None]
        act_bin = ((acts.table["time"].to_numpy() - start) // WIDTH).astype(np.int64).clip(0, presence.bins - 1)
        takes = acts.table["sign"].to_numpy() < 0
        moved = np.flatnonzero((likely[takes] > _LIKELY).any(axis=0))
        able = [np.flatnonzero(likely[:, tag] > _LIKELY) for tag in moved]
        until = np.full(len(kind), presence.bins)
        until[moved] = [max(int(act_bin[rows].min()) - 2, 1) for rows in able]
        shelf_of = pd.factorize(scene.tags["product"])[0].astype(np.int64)
        lying = hearing.learn_lying(presence, shelf_of, until)
        places = scene.sensors.planogram.drop_duplicates("product").set_index("product")[["x", "y"]]
        where = places.reindex(scene.tags["product"]).fillna(-99.0).to_numpy(float)
        reads = Reads.of(presence, len(kind))
        shelves, shelf = np.unique(where, axis=0, return_inverse=True)
        reach = [np.flatnonzero((np.hypot(*(floor.place - place).T) < _HAND) & floor.seen) for place in shelves]
        near = [reach[number] for number in shelf.ravel()]
        return cls(scene, acts, presence, reads, floor, lying, moved.tolist(), able, likely, act_bin, where, near)

    def follow(self, identity: Identity, curves: Curves, without: float, sweeps: int) -> tuple[Argued, Curves]:
        """Follow all tags.

        Parameters
        ----------
        identity : Identity
        curves : Curves
        without : float
            Share of pieces that have no tag that is ever heard.
        sweeps : int
            How often acts and tags argue.

        Returns
        -------
        Argued
            `turned` by events of the identity.
        Curves
            As this tells them.
        """
        from retailkit.store.fusion.carriers import Moves

        table = identity.moves()
        pieces = table[["one", "other", "then", "others"]].to_numpy(np.int64)
        moves = Moves(bin_of(table["time"], self.presence.start), pieces, table["chance"].to_numpy(float))
        evidence = self.weigh(curves)
        given = [self._there(act) for act in range(len(self.act_bin))]
        argued = self._argue(moves, evidence, given, without, sweeps)
        told = np.bincount(table["event"], argued.turned, len(identity.events)).astype(float)
        return argued._replace(turned=told), self._learn(argued.held, evidence, curves)

    def _argue(
        self, moves: "Moves", evidence: list[Evidence], given: list[NDArray[np.float64]],
        without: float, sweeps: int,
    ) -> Argued:  # fmt: skip
        """Let acts and tags argue in sweeps which tag each act moved, and with whom."""
        from retailkit.store.fusion.carriers import follow_tag

        table = self.acts.table
        may = np.isin(np.arange(self.likely.shape[1]), self.moved)
        prior = np.where((self.likely > _LIKELY) & may, self.likely, 0.0)
        count = np.maximum(prior.sum(axis=1, keepdims=True), 1e-9)
        sure = table["real"].to_numpy()[:, None]
        somebody = np.array([whose.sum() > 0.5 for whose in given], dtype=bool)[:, None]
        share = np.where((prior > 0) & somebody, (1 - without) * sure * prior / count, 0.0)
        free = np.maximum(1 - share.sum(axis=1), without)
        ratio, said = np.ones_like(share), np.full_like(share, np.nan)
        held: list[NDArray[np.float64]] = [np.empty(0)] * len(self.moved)
        last, turned = np.zeros((len(self.moved), len(self.floor.leave))), np.zeros((len(self.moved), len(moves.bin)))
        takes = table["sign"].to_numpy() < 0
        for _ in range(sweeps):
            used = share * ratio
            message = share / np.maximum(free[:, None] + used.sum(axis=1, keepdims=True) - used, 1e-12)
            weight = message / (1 + message)
            for place, (tag, rows) in enumerate(zip(self.moved, self.able, strict=True)):
                told = weight[rows, tag]
                if np.abs(told - said[rows, tag]).max() < _SETTLED:  # nothing new was said to this tag
                    continue
                begin, still, carried = evidence[place]
                take = np.where(takes[rows], told, 0.0)
                back = np.where(takes[rows], 0.0, np.minimum(told * _CALLED, _SUREST))
                whose = [given[act] for act in rows]
                first = np.cumsum([0, *map(len, whose[:-1])])
                _, with_whom, last[place], odds, turned[place] = follow_tag(
                    still, carried, begin, self.floor, moves, self.act_bin[rows] - begin, take, back,
                    np.concatenate(whose), first,
                )  # fmt: skip
                old = np.log(ratio[rows, tag]) if len(held[place]) else odds
                ratio[rows, tag] = np.exp((old + odds).clip(-24, 24) / 2)
                held[place], said[rows, tag] = with_whom, told
        unheard = free / (free + (share * ratio).sum(axis=1))
        return Argued(last, unheard, held, turned.sum(axis=0))

    def weigh(self, curves: Curves) -> list[Evidence]:
        """What reads say of each tag that may have moved."""
        still = hearing.silence(self.floor, curves)
        return [self._evidence(place, curves, still) for place in range(len(self.moved))]

    def _there(self, act: int) -> NDArray[np.float64]:
        """Whose hand an act was, of those who are on the floor: the entries of its bin."""
        low, high = self.floor.first[self.act_bin[act]], self.floor.first[self.act_bin[act] + 1]
        visit = self.scene.identity.pieces["visit"].to_numpy()
        weight = pd.Series(self.acts.tracks[act]).groupby(visit).sum().reindex(visit[self.floor.piece[low:high]])
        found = weight.to_numpy()
        return np.asarray(found / max(found.sum(), 1e-12))

    def _evidence(self, place: int, curves: Curves, still: NDArray) -> Evidence:
        """What reads say of a tag that may have moved, from shortly before its first act."""
        from retailkit.store.fusion.floor import weigh_places

        tag, bins = self.moved[place], self.presence.bins
        begin = max(int(self.act_bin[self.able[place]].min()) - EARLY, 0)
        number, antenna, rssi = self.reads.since(tag, begin)
        chance, strength = self.lying.chance[tag], self.lying.strength[tag]

        def where(chance: NDArray, strength: NDArray, spread: float) -> NDArray[np.float64]:
            return hearing.heard_there(bins - begin, number - begin, antenna, rssi, chance, strength, spread)

        lies, other = where(chance, strength, 5.0), where(np.maximum(0.6 * chance, 0.02), strength, 9.0)
        far = np.full(len(chance), _FAR)
        unknown, gone = (where(np.full(len(chance), level), far, 10.0) for level in (_UNKNOWN, _GONE))
        gains = self.gains(tag, begin, number, antenna, rssi, curves, still, lies)
        seen, carried = weigh_places(begin, lies, other, gone, unknown, self.floor, gains)
        return Evidence(begin, seen, carried)

    def gains(
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
        near = self.near[tag]
        near = near[np.searchsorted(near, base) :]
        at_home = lies[np.searchsorted(floor.first, near, side="right") - 1 - begin]
        gains[near - base] = np.logaddexp(gains[near - base], at_home) - np.log(2)
        return np.asarray(gains)

    def _learn(self, held: list[NDArray], evidence: list[Evidence], curves: Curves) -> Curves:
        """What all tags together say of how antennas hear."""
        floor, (antennas, steps) = self.floor, curves.chance.shape
        heard, told, there = (np.zeros((antennas, steps)) for _ in range(3))
        for tag, weight, (begin, *_) in zip(self.moved, held, evidence, strict=True):
            base = floor.first[begin]
            weight = np.where(floor.seen[base : base + len(weight)], weight, 0.0)
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
        return hearing.learn_curves(heard, told, there, curves)
