"""Whose track is it? Faces at the door, what motion says where two people met, and what else is learned on the way.

A tracker may exchange two people wherever they come near each other. So tracks are cut there, and each piece has a
probability for each shopper: at a meeting the two that go on are the two that came, in one order or the other; and
who is found again in the middle of the store is one of those who were lost there (see `whoiswho`).
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit

from retailkit.store.fusion.whoiswho import End, Event, Link, Meeting, Start, name_pieces
from retailkit.store.visits.untangling import find_meetings

_RATE = -2.4  # log-odds that a tracker exchanges two who meet: one in twelve
_BOLD = 0.42  # how far motion is believed: its errors are not as independent as the formula has it
_SURE = 0.97  # that a face is known for the right one
_DOUBTFUL = 2.0  # log-likelihood ratio from which a moment of a long meeting is one by itself
_PLAIN = -10.0  # log-likelihood ratio of motion below which nobody was exchanged
_NOBODY = -3.0  # log-odds that a piece is nobody's who is known
_ELSEWHERE = -7.0  # log-likelihood of a piece of somebody who has left, or not come yet
_NEW = -2.0  # that it begins in the middle of the store with nobody who was lost there
_STRAY = 0.5  # metres from what is expected by which a link is worth e times less
_KEPT = 25.0  # seconds for which somebody lost is thought of
_SLACK = 3.0  # seconds by which a face and a track may be apart
_SIDES = ["before_one", "before_other", "after_one", "after_other"]
_FACE, _STRANGE = 0.22, 1e-4  # metres by which a face and its track differ; weight of a face without a track
_TRUSTED = 1.2  # metres between where a face was known and the track


@dataclass(eq=False)
class Identity:
    """Pieces of tracks, and whose they are.

    Attributes
    ----------
    ways : DataFrame
        visit, time, x, y and piece (a number, by visit and time).
    pieces : DataFrame
        piece, visit, begin, end (seconds), lost (whether the track ends in the middle of the store).
    shoppers : array (shoppers,)
    beliefs : array (pieces, shoppers + 1)
        Probability that a piece is each shopper's; the last column is nobody known.
    events : list of Start, Meeting, Link, End
        What joins pieces to each other.
    turns : list of arrays
        How likely each is of what may have happened in an event, as `name_pieces` tells it.
    evidence : array (pieces, shoppers + 1)
        Log-likelihood of what faces say of each piece.
    """

    ways: pd.DataFrame
    pieces: pd.DataFrame
    shoppers: NDArray[np.int64]
    beliefs: NDArray[np.float64]
    events: list[Event]
    turns: list[NDArray[np.float64]]
    evidence: NDArray[np.float64]

    def learn(self, odds: NDArray[np.float64]) -> "Identity":
        """Believe anew, with more evidence of meetings: log-odds by event that the two were exchanged."""
        events = [
            event._replace(swapped=float(expit(logit(event.swapped) + told))) if isinstance(event, Meeting) else event
            for event, told in zip(self.events, odds, strict=True)
        ]
        beliefs, turns = name_pieces(events, self.evidence)
        return replace(self, beliefs=beliefs, turns=turns)

    def moves(self) -> pd.DataFrame:
        """How people go on from one piece as another: event (its number), time, one, other, then, others, chance.

        Of a meeting the chance is that the two are exchanged; where somebody lost may go on, other and others are -1
        and it is the chance that they do, if they have not before.
        """
        rows: list[tuple[int, int, int, int, int, float]] = []
        left: dict[int, float] = {}
        for number, (event, happened) in enumerate(zip(self.events, self.turns, strict=True)):
            if isinstance(event, Meeting):
                rows.append((number, *event[:4], float(happened[-1]) if len(happened) > 1 else 0.0))
            elif isinstance(event, Link):
                for piece, chance in zip(event.ended, happened, strict=False):
                    before = left.get(piece, 1.0)
                    rows.append((number, piece, -1, event.piece, -1, min(float(chance) / max(before, 1e-9), 1.0)))
                    left[piece] = max(before - float(chance), 0.0)
        table = pd.DataFrame(rows, columns=["event", "one", "other", "then", "others", "chance"])
        return table.assign(time=self.pieces["begin"].reindex(table["then"]).to_numpy())

    def likely(self) -> NDArray[np.int64]:
        """The most probable shopper of each piece, -1 for nobody known."""
        return np.append(self.shoppers, -1)[self.beliefs.argmax(axis=1)]


def find_identities(ways: pd.DataFrame, entries: pd.DataFrame, exits: pd.DataFrame, follows: pd.DataFrame) -> Identity:
    """Cut tracks where people met, and say whose each piece is.

    Parameters
    ----------
    ways : DataFrame with visit, time, x, y
        Joined where they broke for a moment, not yet put right.
    entries, exits : DataFrame with time, shopper, x, y
        Faces known at the door.
    follows : DataFrame with visit, then, cost
        Tracks that may go on as another after somebody was out of sight, and how far from what is expected (metres).

    Returns
    -------
    Identity
    """
    shoppers = np.union1d(entries["shopper"].to_numpy(), exits["shopper"].to_numpy()).astype(np.int64)
    ways, pieces, meetings = _cut(ways, _doubtful(find_meetings(ways, doubtful=_DOUBTFUL)))
    evidence = np.zeros((len(pieces), len(shoppers) + 1))
    evidence[:, -1] = _NOBODY
    for faces in (entries, exits):
        evidence += _recognise(ways, pieces, faces, shoppers)
    stays = _stays(shoppers, entries, exits)
    begin, end = (pieces[[name]].to_numpy() for name in ("begin", "end"))
    evidence[:, :-1] += np.where((begin > stays[:, 1]) | (end < stays[:, 0]), _ELSEWHERE, 0.0)
    events = _order(pieces, meetings, follows, stays)
    pieces["lost"] = pieces["visit"].isin(follows["visit"])
    beliefs, turns = name_pieces(events, evidence)
    return Identity(ways, pieces, shoppers, beliefs, events, turns, evidence)


def _doubtful(met: pd.DataFrame) -> pd.DataFrame:
    """Meetings in which two may have been exchanged: of the others, each one would add a doubt of one in a thousand."""
    return met[met["gain"].fillna(0.0) > _PLAIN]


def _stays(shoppers: NDArray[np.int64], entries: pd.DataFrame, exits: pd.DataFrame) -> NDArray[np.float64]:
    """From when until when each shopper may be in the store (seconds), as far as faces tell: (shoppers, 2)."""
    stays = np.tile([-np.inf, np.inf], (len(shoppers), 1))
    for column, faces in enumerate((entries, exits)):
        stays[np.searchsorted(shoppers, faces["shopper"].to_numpy()), column] = faces["time"].to_numpy()
    return stays + np.array([-_SLACK, _SLACK])


def _order(
    pieces: pd.DataFrame, meetings: pd.DataFrame, follows: pd.DataFrame, stays: NDArray[np.float64]
) -> list[Event]:
    """What happens to pieces, by time."""
    first, last = (pieces.drop_duplicates("visit", keep=which).set_index("visit") for which in ("first", "last"))
    may = dict(iter(follows.groupby("then")))
    waits = set(follows["visit"])
    found: list[tuple[float, int, Event]] = []
    for visit, piece, begin in first[["piece", "begin"]].itertuples():
        there = (stays[:, 0] <= begin) & (begin <= stays[:, 1])
        prior = np.append(np.where(there, -np.log(max(there.sum(), 1)), -np.inf), 0.0)
        if visit in may:
            ended = last["piece"].reindex(may[visit]["visit"]).to_list()
            link = Link(piece, ended, (-may[visit]["cost"] / _STRAY).to_list(), prior + _NEW)
            found.append((begin, 1, link))
        else:
            found.append((begin, 0, Start(piece, prior)))
    for visit, piece, end in last[["piece", "end"]].itertuples():
        found.append((end + (_KEPT if visit in waits else 0.0), 3, End(piece)))
    for time, one, other, then, others, odds in meetings.itertuples(index=False):
        found.append((time, 2, Meeting(int(one), int(other), int(then), int(others), float(expit(odds)))))
    return [event for _, _, event in sorted(found, key=lambda each: each[:2])]


def _cut(ways: pd.DataFrame, met: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Number the pieces of tracks between meetings: ways with them, pieces, and which go on as which at each meeting.

    Who meets two at once has a piece without a row between the two meetings.
    """
    met = met.sort_values("time", kind="stable", ignore_index=True)
    each = pd.concat([met[[side, "time"]].set_axis(["visit", "time"], axis=1) for side in ("one", "other")])
    each = each.assign(meeting=each.index).sort_values(["meeting"], kind="stable")
    rank = each.groupby("visit").cumcount()
    ends = ways.groupby("visit", sort=False)["time"].agg(["min", "max"])
    number = each.groupby("visit").size().reindex(ends.index).fillna(0).astype(int) + 1
    base = number.cumsum() - number
    before = (each["visit"].map(base) + rank).to_numpy().reshape(-1, 2)
    cuts = {visit: rows.to_numpy() for visit, rows in each.groupby("visit")["time"]}
    inner = [
        np.searchsorted(cuts.get(visit, np.empty(0)), rows.to_numpy(), side="left")
        for visit, rows in ways.groupby("visit", sort=False)["time"]
    ]
    piece = np.concatenate(inner) if inner else np.empty(0, dtype=int)
    pieces = pd.DataFrame({"visit": np.repeat(ends.index.to_numpy(), number)})
    bounds = [np.concatenate([[first], cuts.get(visit, []), [last]]) for visit, first, last in ends.itertuples()]
    pieces["begin"] = np.concatenate([times[:-1] for times in bounds]) if bounds else np.empty(0)
    pieces["end"] = np.concatenate([times[1:] for times in bounds]) if bounds else np.empty(0)
    odds = _RATE + _BOLD * met["gain"].fillna(0.0).to_numpy()
    table = pd.DataFrame(np.column_stack([before, before + 1]), columns=_SIDES)
    table = table.assign(time=met["time"], odds=odds)[["time", *_SIDES, "odds"]]
    ways = ways.assign(piece=piece + ways["visit"].map(base).to_numpy())
    return ways, pieces.rename_axis("piece").reset_index(), table


def _recognise(
    ways: pd.DataFrame, pieces: pd.DataFrame, faces: pd.DataFrame, shoppers: NDArray[np.int64]
) -> NDArray[np.float64]:
    """What faces at the door say of the pieces of tracks that were there: log-likelihoods (pieces, shoppers + 1).

    A face is one track's, and a track has one face: where two pass the door together, shares of each (a matrix scaled
    to have both; Sinkhorn 1964).
    """
    times, groups = faces["time"].to_numpy(), dict(iter(ways.groupby("piece")))
    near = np.zeros((len(faces), len(pieces)))
    for piece, begin, last in pieces[["piece", "begin", "end"]].itertuples(index=False):
        rows = np.flatnonzero((times >= begin - 1.0) & (times <= last + 1.0))
        if len(rows) and piece in groups:
            way = groups[piece]
            place = [np.interp(times[rows], way["time"], way[axis]) for axis in ("x", "y")]
            away = np.hypot(*(faces[axis].to_numpy()[rows] - at for axis, at in zip("xy", place, strict=True)))
            outside = np.maximum(begin - times[rows], 0) + np.maximum(times[rows] - last, 0)
            near[rows, int(piece)] = np.exp(-0.5 * (np.hypot(away, outside) / _FACE) ** 2) * (away < _TRUSTED)
    visit = pd.factorize(pieces["visit"])[0]
    best = np.zeros((len(faces), visit.max(initial=-1) + 1))
    np.maximum.at(best.T, visit, near.T)
    share = np.where(near == best[:, visit], near, 0.0)  # of one track the piece at that moment
    for _ in range(20):
        share /= np.maximum(share.sum(axis=1, keepdims=True), _STRANGE)
        share /= np.maximum(share.sum(axis=0, keepdims=True), 1.0)
    told = np.zeros((len(pieces), len(shoppers) + 1))
    np.add.at(told.T, np.searchsorted(shoppers, faces["shopper"].to_numpy()), _SURE * share)
    return np.asarray(np.log(told + (1 - told.sum(axis=1, keepdims=True)) / max(len(shoppers), 1)))
