"""Whose track is it? Faces at the door, what motion says where two people met, and what else is learned on the way.

A tracker may exchange two people wherever they come near each other. So tracks are cut there, and each piece has a
probability for each shopper. What is known at the door goes forward and backward along the pieces: at a meeting the two
that go on are the two that came, in one order or the other (sum-product belief propagation; Pearl 1988, with loops as
in Murphy, Weiss & Jordan 1999).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.store.pairing import pair_up
from retailkit.store.visits.untangling import find_meetings

_RATE = -1.9  # log-odds that a tracker exchanges two who meet: one in eight
_BOLD = 0.4  # how far motion is believed: its errors are not as independent as the formula has it
_SURE = 0.97  # that a face is known for the right one
_SWEEPS = 6
_TRUSTED = 1.2  # metres between where a face was known and the track


@dataclass(eq=False)
class Identity:
    """Pieces of tracks, and whose they are.

    Attributes
    ----------
    ways : DataFrame
        visit, time, x, y and piece (a number, by visit and time).
    pieces : DataFrame
        piece, visit, begin, end (seconds).
    shoppers : array (shoppers,)
    beliefs : array (pieces, shoppers + 1)
        Probability that a piece is each shopper's; the last column is nobody known.
    meetings : DataFrame
        time, before_one, before_other, after_one, after_other (pieces), odds (log, that they were exchanged).
    evidence : array (pieces, shoppers + 1)
        Log-likelihood of what was learned of each piece by itself.
    """

    ways: pd.DataFrame
    pieces: pd.DataFrame
    shoppers: NDArray[np.int64]
    beliefs: NDArray[np.float64]
    meetings: pd.DataFrame
    evidence: NDArray[np.float64]

    def learn(self, evidence: NDArray[np.float64]) -> "Identity":
        """Believe anew, with more evidence of pieces (log-likelihoods)."""
        beliefs = _propagate(self.evidence + evidence, self.meetings)
        return Identity(self.ways, self.pieces, self.shoppers, beliefs, self.meetings, self.evidence)

    def likely(self) -> NDArray[np.int64]:
        """The most probable shopper of each piece, -1 for nobody known."""
        return np.append(self.shoppers, -1)[self.beliefs.argmax(axis=1)]


def find_identities(
    ways: pd.DataFrame, entries: pd.DataFrame, exits: pd.DataFrame, follows: dict[Any, Any]
) -> Identity:
    """Cut tracks where people met, and say whose each piece is.

    Parameters
    ----------
    ways : DataFrame with visit, time, x, y
        Joined where they broke, not yet put right.
    entries, exits : DataFrame with time, shopper, x, y
        Faces known at the door.
    follows : dict of visit to visit
        Tracks that go on as another after somebody was out of sight.

    Returns
    -------
    Identity
    """
    shoppers = np.union1d(entries["shopper"].to_numpy(), exits["shopper"].to_numpy()).astype(np.int64)
    met = find_meetings(ways)
    ways, pieces = _cut(ways, met)
    meetings = _join(pieces, met, follows)
    evidence = np.zeros((len(pieces), len(shoppers) + 1))
    evidence[:, -1] = -3.0
    for faces in (entries, exits):
        for piece, shopper in _recognise(ways, pieces, faces):
            known = np.full(len(shoppers) + 1, np.log((1 - _SURE) / len(shoppers)))
            known[np.searchsorted(shoppers, shopper)] = np.log(_SURE)
            evidence[piece] += known
    return Identity(ways, pieces, shoppers, _propagate(evidence, meetings), meetings, evidence)


def _cut(ways: pd.DataFrame, met: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Number the pieces of tracks between meetings."""
    cuts = pd.concat([met[["one", "time"]].set_axis(["visit", "time"], axis=1),
                      met[["other", "time"]].set_axis(["visit", "time"], axis=1)])  # fmt: skip
    moments = {visit: np.unique(rows["time"]) for visit, rows in cuts.groupby("visit")}
    number, parts = 0, []
    for visit, way in ways.groupby("visit", sort=False):
        inner = np.searchsorted(moments.get(visit, np.empty(0)), way["time"].to_numpy(), side="left")
        _, inner = np.unique(inner, return_inverse=True)
        parts.append(number + inner)
        number += int(inner.max()) + 1
    ways = ways.assign(piece=np.concatenate(parts) if parts else np.empty(0, dtype=int))
    pieces = ways.groupby("piece").agg(visit=("visit", "first"), begin=("time", "min"), end=("time", "max"))
    return ways, pieces.reset_index()


def _join(pieces: pd.DataFrame, met: pd.DataFrame, follows: dict[Any, Any]) -> pd.DataFrame:
    """Pieces before and after each meeting; where one track alone goes on, `other` is -1."""
    by_visit = dict(iter(pieces.groupby("visit")))
    met_at: dict[tuple[Any, float], tuple[int, int]] = {}

    def around(visit: Any, time: float) -> tuple[int, int]:
        if (visit, time) not in met_at:
            rows = by_visit[visit]
            before, after = rows[rows["end"] <= time + 1e-9], rows[rows["begin"] > time]
            met_at[visit, time] = (
                int(before["piece"].iloc[-1]) if len(before) else -1, int(after["piece"].iloc[0]) if len(after) else -1
            )  # fmt: skip
        return met_at[visit, time]

    rows = []
    for one, other, time, gain in met[["one", "other", "time", "gain"]].itertuples(index=False):
        (a, c), (b, d) = around(one, time), around(other, time)
        if min(a, b, c, d) >= 0:
            rows.append((time, a, b, c, d, _RATE + _BOLD * float(np.nan_to_num(gain))))
    columns = ["time", "before_one", "before_other", "after_one", "after_other", "odds"]
    table = pd.DataFrame(rows, columns=columns)
    linked = set(zip(table["before_one"], table["after_one"], strict=True))
    linked |= set(zip(table["before_other"], table["after_other"], strict=True))
    alone = [
        (one["end"], int(one["piece"]), -1, int(two["piece"]), -1, 0.0)
        for rows_of in by_visit.values()
        for one, two in zip(rows_of.to_dict("records")[:-1], rows_of.to_dict("records")[1:], strict=True)
        if (int(one["piece"]), int(two["piece"])) not in linked
    ]
    for one, other in follows.items():
        last, first = by_visit[one].iloc[-1], by_visit[other].iloc[0]
        alone.append((float(last["end"]), int(last["piece"]), -1, int(first["piece"]), -1, 0.0))
    both = [table, pd.DataFrame(alone, columns=columns)]
    return pd.concat([part for part in both if len(part)] or both[:1], ignore_index=True).sort_values(
        "time", kind="stable", ignore_index=True
    )


def _recognise(ways: pd.DataFrame, pieces: pd.DataFrame, faces: pd.DataFrame) -> list[tuple[int, int]]:
    """Pair faces at the door with the pieces of tracks that were there: piece, shopper."""
    cost = np.full((len(faces), len(pieces)), np.inf)
    times = faces["time"].to_numpy()
    groups = dict(iter(ways.groupby("piece")))
    for piece, begin, last in pieces[["piece", "begin", "end"]].itertuples(index=False):
        near = np.flatnonzero((times >= begin - 1.0) & (times <= last + 1.0))
        if len(near):
            way = groups[piece]
            place = [np.interp(times[near], way["time"], way[axis]) for axis in ("x", "y")]
            away = np.hypot(*(faces[axis].to_numpy()[near] - at for axis, at in zip("xy", place, strict=True)))
            outside = np.maximum(begin - times[near], 0) + np.maximum(times[near] - last, 0)
            cost[near, int(piece)] = np.where(away < _TRUSTED, away + 0.3 * outside, np.inf)
    rows, columns = pair_up(cost)
    return list(zip(columns.tolist(), faces["shopper"].to_numpy()[rows].tolist(), strict=True))


def _normal(values: NDArray[np.float64]) -> NDArray[np.float64]:
    total = values.sum()
    return values / total if total > 0 else np.full(len(values), 1.0 / len(values))


def _propagate(evidence: NDArray[np.float64], meetings: pd.DataFrame) -> NDArray[np.float64]:
    """Beliefs of pieces: what each knows itself, times what comes from before and from after."""
    own = np.exp(evidence - evidence.max(axis=1, keepdims=True))
    before, after = np.ones_like(own), np.ones_like(own)  # messages into each piece from its past and its future
    columns = ["before_one", "before_other", "after_one", "after_other", "odds"]
    rows = [(*map(int, row[:4]), 1 / (1 + np.exp(-row[4]))) for row in meetings[columns].to_numpy()]
    for _ in range(_SWEEPS):
        for a, b, c, d, p in rows:
            if b < 0:
                before[c] = _normal(own[a] * before[a])
                continue
            into = [_normal(own[piece] * before[piece]) for piece in (a, b)]
            back = [_normal(own[piece] * after[piece]) for piece in (c, d)]
            before[c], before[d] = _pass(into, back, p), _pass(into[::-1], back[::-1], p)
        for a, b, c, d, p in reversed(rows):
            if b < 0:
                after[a] = _normal(own[c] * after[c])
                continue
            into = [_normal(own[piece] * before[piece]) for piece in (a, b)]
            back = [_normal(own[piece] * after[piece]) for piece in (c, d)]
            after[a], after[b] = _pass(back, into, p), _pass(back[::-1], into[::-1], p)
    beliefs = own * before * after
    return np.asarray(beliefs / np.maximum(beliefs.sum(axis=1, keepdims=True), 1e-300))


def _pass(into: list[NDArray], back: list[NDArray], p: float) -> NDArray[np.float64]:
    """Message to the first of two pieces beyond a meeting: it is the first before, or with chance p the second.

    The two are two people: whoever goes on as the one does not go on as the other, but for nobody known.
    """
    same = into[1] * back[1]
    swap = into[0] * back[1]
    others_same, others_swap = same.sum() - same, swap.sum() - swap
    others_same[-1], others_swap[-1] = same.sum(), swap.sum()
    return _normal((1 - p) * into[0] * others_same + p * into[1] * others_swap)
