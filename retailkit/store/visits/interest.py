"""What held shoppers: the funnel's shares with their intervals, dwell beside keeping, put-backs, what stopping adds.

funnel_table(funnel)                       # passed, stopped, reached, took, kept
interest_table(funnel, by="product")       # dwell, stop, keep and put back of each product
stop_effect(funnel)                        # how much oftener those who stopped keep something
find_funnel(zone_visits, placebo_hands(hands, visits), cells)     # and what chance alone would show
score_hands(hands, labelled)               # how many hand events are seen, and whether they are real
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from retailkit.lab.intervals import Estimate, wilson
from retailkit.store.visits.attention import BOTH, KINDS, LOWEST_RECALL, PAIR, STAGES, TOGETHER, Funnel, stage_values
from retailkit.store.visits.ratios import Ratio, as_mean, as_share, ratio

Groups = Sequence[Sequence[object]]
_Event = tuple[Any, str, float, str]


def funnel_table(funnel: Funnel, by: str | None = None, *, groups: Groups = (), level: float = 0.95) -> pd.DataFrame:
    """Give each stage's count, its share of all exposures, and its share of the stage before.

    Intervals are Wilson's (1927) for as many independent trials as would spread as much as the visits do (Kish 1965;
    Dean & Pagano 2015), with Student's t where visits are few: exposures of one visit hang together. They speak of
    shoppers like these. Events that are unsure or missed make the values of visits spread as far as they make them
    err, so that this uncertainty is within; that of a measured recall is added to it (delta method).

    Parameters
    ----------
    funnel : Funnel
    by : str, optional
        Column of its exposures, such as ``product`` or ``zone``: a funnel for each of its values.
    groups : sequence of sequences of visits
        Who came together: a group counts as one visitor where intervals are made.
    level : float, 0 to 1

    Returns
    -------
    DataFrame
        Columns `by`, stage, count (expected), value, low, high (share of all exposures); step, step_low, step_high
        (share of the exposures that went through the stage before); visits (or groups) behind it.
    """
    rows = []
    for name, part in _parts(funnel, by, groups):
        for before, stage in zip(("passed", *STAGES[:-1]), STAGES, strict=True):
            share, step = part.share(stage, "passed", level), part.share(stage, before, level)
            told = {"stage": stage, "count": part.total(stage), **_ends(share)}
            told |= {"step": step.value, "step_low": step.low, "step_high": step.high, "visits": share.units}
            rows.append(({by: name} if by else {}) | told)
    return pd.DataFrame(rows)


def interest_table(
    funnel: Funnel, by: str | None = "product", *, groups: Groups = (), level: float = 0.95
) -> pd.DataFrame:
    """Set what is often called interest, how long people stand somewhere, beside what they did.

    Parameters
    ----------
    funnel, by, groups, level
        As in `funnel_table`.

    Returns
    -------
    DataFrame
        A row for each `by` and measure: `by`, measure, value, low, high, visits. The measures are ``dwell`` (mean
        seconds of an exposure); ``dwell share`` (of everybody's seconds: what a heat map shows, without regard to how
        many came by); ``stopped``, ``reached``, ``took``, ``kept``, of those who came by; and ``put back``, of those
        who took.
    """
    rows = []
    for name, part in _parts(funnel, by, groups):
        kept = part.share("kept", "took", level)
        figures = {
            "dwell": as_mean(part.ratio("dwell", "passed"), part.clusters, level),
            "dwell share": part.share("dwell", "dwell", level, all_below=True),
            **{stage: part.share(stage, "passed", level) for stage in STAGES[1:]},
            "put back": Estimate(1 - kept.value, 1 - kept.high, 1 - kept.low, level, kept.units, "visits"),
        }
        for measure, e in figures.items():
            rows.append(({by: name} if by else {}) | {"measure": measure, **_ends(e), "visits": e.units})
    return pd.DataFrame(rows)


def stop_effect(funnel: Funnel, stage: str = "kept", *, groups: Groups = (), level: float = 0.95) -> Estimate:
    """Estimate how much oftener a stage is reached after a stop than in passing: a difference of two shares.

    It is no cause: who wants something stops for it. For a placebo (see `placebo_hands`) it is near zero.

    Parameters
    ----------
    funnel, groups, level
        As in `funnel_table`.
    stage : {"reached", "took", "kept"}

    Raises
    ------
    ValueError
        Nobody stopped, or everybody did.
    """
    [(_, part)] = _parts(funnel, None, groups)
    stopped = part.values["stopped"]
    if not 0 < stopped.sum() < len(stopped):
        raise ValueError(f"{stopped.sum():g} of {len(stopped)} exposures had a stop; both kinds are needed")
    after, passing = (replace(part, here=here).ratio(stage, "passed") for here in (stopped, 1 - stopped))
    units = int(part.clusters.max()) + 1
    apart = (after.influence - passing.influence, after.shift - passing.shift)
    return as_mean(Ratio(after.value - passing.value, *apart, units), part.clusters, level)


def placebo_hands(hands: pd.DataFrame, visits: Sequence[object] | pd.Series, seed: int = 0) -> pd.DataFrame:
    """Give each visit the hand events of another one, drawn at random: what is left of an effect is chance.

    >>> hands = pd.DataFrame({"visit": ["a"], "time": [3.0], "cell": ["t1"], "kind": ["take"], "probability": [1.0]})
    >>> placebo_hands(hands, visits=["a", "b"])["visit"].tolist()
    ['b']

    Parameters
    ----------
    hands : DataFrame with visit
    visits : all visits of the day, also those without an event; each may stand there several times
    seed : int

    Raises
    ------
    ValueError
        There are fewer than two visits, so that there is no other.
    """
    names = pd.unique(pd.Series(visits))
    if len(names) < 2:
        raise ValueError(f"{len(names)} visits: at least 2 are needed, to give one the events of another")
    order = np.random.default_rng(seed).permutation(len(names))
    other = pd.Series(names[np.roll(order, 1)], index=names[order])
    return hands.assign(visit=other.reindex(hands["visit"]).to_numpy())


def score_hands(hands: pd.DataFrame, labelled: pd.DataFrame, within: float = 2.0, level: float = 0.95) -> pd.DataFrame:
    """Compare hand events with those that people labelled in a stretch of the recording.

    An event is found where one of the same visit, cell and kind lies within a time; each serves once.

    Parameters
    ----------
    hands, labelled : DataFrames with visit, time (seconds), cell, kind; `hands` also with probability
        Of the same stretch.
    within : float, seconds
    level : float, 0 to 1

    Returns
    -------
    DataFrame
        A row for each kind and measure: kind, measure, value, low, high, events. The measures are ``recall``, the share
        of labelled events that were found (`recall_of` makes of it what `find_funnel` asks for); ``precision``, the
        share of found events that are real; and ``claimed``, their mean probability, which should lie within the
        interval of the precision. Kind ``both`` is a reach and a take that are one movement; ``all`` is any.

    Raises
    ------
    ValueError
        Nothing is labelled.
    """
    if not len(labelled):
        raise ValueError("labelled has no rows; hand events that people saw are needed")
    seen_events, true_events = _events(hands), _events(labelled)
    found = _pairs(seen_events, true_events, within)
    found[BOTH] = _pairs(_whole(seen_events), _whole(true_events), within)["take"]
    rows = []
    for kind in (*KINDS, BOTH, "all"):
        kinds = KINDS if kind == "all" else (kind,)
        true, seen, both = (sum(found[one][place] for one in kinds) for place in range(3))
        figures = {"recall": _share_of(both, true, level)}
        if kind in KINDS:
            claimed = float(hands.loc[hands["kind"] == kind, "probability"].mean())
            figures["precision"] = _share_of(both, seen, level)
            figures["claimed"] = Estimate(claimed, claimed, claimed, level, seen)
        rows += [{"kind": kind, "measure": what, **_ends(e), "events": e.units} for what, e in figures.items()]
    return pd.DataFrame(rows)


def recall_of(scores: pd.DataFrame, least: int = 30, level: float = 0.95) -> dict[str, Estimate]:
    """Give the recalls that `score_hands` found as `find_funnel` takes them.

    Parameters
    ----------
    scores : DataFrame
        As `score_hands` gives it; where it is empty, no recall is known.
    least : int
        A kind of which fewer events were labelled takes the recall of all kinds together, as if it were seen alike.
    """
    rows = scores[scores["measure"] == "recall"]
    seen = {
        str(kind): Estimate(value, low, high, level, int(events), "events")
        for kind, value, low, high, events in rows[["kind", "value", "low", "high", "events"]].to_numpy()
    }
    if not seen:
        return {}
    found = {kind: seen[kind] if seen[kind].units >= least else seen["all"] for kind in KINDS}
    return found | ({BOTH: seen[BOTH]} if seen[BOTH].units else {})


def unsure_takes(hands: pd.DataFrame) -> float:
    """Give the share of takes that were put down to a wrong cell, as their probabilities have it."""
    return 1 - float(hands.loc[hands["kind"] == "take", "probability"].mean())


def _events(hands: pd.DataFrame) -> list[_Event]:
    """Hand events of kinds that are known: (visit, cell, time, kind), in this order."""
    known = hands[hands["kind"].isin(KINDS)]
    return sorted(zip(*(known[name].tolist() for name in ("visit", "cell", "time", "kind")), strict=True))


def _whole(events: list[_Event]) -> list[_Event]:
    """Movements of which both events are there: the takes that come soon after a reach."""
    hands = [event for event in events if event[3] in PAIR]
    return [
        after
        for before, after in pairwise(hands)
        if before[:2] == after[:2] and (before[3], after[3]) == PAIR and after[2] - before[2] <= TOGETHER
    ]


def _pairs(seen: list[_Event], true: list[_Event], within: float) -> dict[str, tuple[int, int, int]]:
    """Number of events labelled, seen, and in both lists, by kind.

    Events of one visit, cell and kind are paired in order of time, each with the first that is near enough.
    """
    left: dict[tuple, list[float]] = {}
    for visit, cell, time, kind in seen:
        left.setdefault((visit, cell, kind), []).append(time)
    both = dict.fromkeys(KINDS, 0)
    for visit, cell, time, kind in true:
        times = left.get((visit, cell, kind), [])
        near = [other for other in times if abs(other - time) <= within]
        if near:
            times.remove(near[0])
            both[kind] += 1
    number = [Counter(event[3] for event in events) for events in (true, seen)]
    return {kind: (number[0][kind], number[1][kind], both[kind]) for kind in KINDS}


def _share_of(found: int, number: int, level: float) -> Estimate:
    return wilson(found, number, level, "events") if number else Estimate(np.nan, np.nan, np.nan, level, 0, "events")


def _ends(estimate: Estimate) -> dict[str, float]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}


@dataclass(frozen=True, eq=False)
class _Part:
    """Some of a funnel's exposures, as weights of all of them."""

    values: dict[str, NDArray[np.float64]]
    moved: list[dict[str, NDArray[np.float64]]]  # by one standard error of each measured recall
    clusters: NDArray[np.intp]
    here: NDArray[np.float64]
    seen: float  # the lowest recall

    def total(self, stage: str) -> float:
        return max(float(self.values[stage] @ self.here), 0.0)

    def ratio(self, upper: str, lower: str, all_below: bool = False) -> Ratio:
        below = np.ones_like(self.here) if all_below else self.here
        above = self.here * self.values["stopped"] if lower == "stopped" else self.here  # a reach in passing: no step
        moved = [(step[upper] * above, step[lower] * below) for step in self.moved]
        return ratio(self.values[upper] * above, self.values[lower] * below, self.clusters, moved)

    def share(self, upper: str, lower: str, level: float, all_below: bool = False) -> Estimate:
        found = self.ratio(upper, lower, all_below)
        if upper == lower and not all_below:
            return Estimate(found.value, found.value, found.value, level, found.units, "visits")
        return as_share(found, self.clusters, level, self.seen)


def _parts(funnel: Funnel, by: str | None, groups: Groups) -> Iterator[tuple[object, _Part]]:
    """The whole funnel, or a part of it for each value of a column."""
    frame = funnel.exposures
    if by is not None and by not in frame:
        raise ValueError(f"by is {by!r}; the exposures have {', '.join(map(str, frame))}")
    if not len(frame):
        raise ValueError("the funnel has no exposures: no visit was in a zone with a cell")
    values = {name: frame[name].to_numpy(dtype=float) for name in ("dwell", *STAGES)}
    first = {visit: group[0] for group in groups for visit in group}
    clusters = pd.factorize(frame["visit"].map(lambda visit: first.get(visit, visit)))[0]
    moved, seen = _moved(funnel, values), min(share.value for share in funnel.recall.values())
    for name in [None] if by is None else list(pd.unique(frame[by])):
        here = np.ones(len(frame)) if by is None else (frame[by] == name).to_numpy().astype(float)
        yield name, _Part(values, moved, clusters, here, seen)


def _moved(funnel: Funnel, values: dict[str, NDArray[np.float64]]) -> list[dict[str, NDArray[np.float64]]]:
    """How far each measured recall's standard error moves every exposure's values; one for several kinds moves all."""
    recall, found = {kind: share.value for kind, share in funnel.recall.items()}, []
    whole = recall[PAIR[0]] * recall[PAIR[1]]
    derived = funnel.recall[BOTH].width == 0 and np.isclose(recall[BOTH], whole)
    for share in dict.fromkeys(share for share in funnel.recall.values() if share.width > 0):
        error = share.width / 2 / stats.norm.ppf((1 + share.level) / 2)
        low, high = max(share.value - error, LOWEST_RECALL**2), min(share.value + error, 1.0)
        ends = []
        for end in (low, high):
            there = recall | {kind: end for kind, other in funnel.recall.items() if other == share}
            there |= {BOTH: there[PAIR[0]] * there[PAIR[1]]} if derived else {}
            ends.append(stage_values(funnel.events, len(funnel.exposures), there))
        slope = {stage: (ends[1][stage] - ends[0][stage]) / (high - low) * error for stage in ends[0]}
        found.append({name: slope.get(name, np.zeros(len(array))) for name, array in values.items()})
    return found
