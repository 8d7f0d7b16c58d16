"""From passing a shelf to keeping what lay on it: how far each visit went with each product, and how sure that is.

    funnel = find_funnel(zone_visits, hands, cells, per="product")
    funnel.exposures                           # visit, product, zone, dwell, passed, stopped, reached, took, kept
    funnel.quarantine                          # hand events that cannot be

Interest is what people did. Nobody's face is looked at, and nothing is guessed about anybody's feelings. What these
exposures add up to, with intervals, is in `interest`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.lab.intervals import Estimate

STAGES = ("passed", "stopped", "reached", "took", "kept")
KINDS = ("reach", "take", "return")
LOWEST_RECALL = 0.5  # below it more is missed than seen, and correcting for it would blow up chance
Recall = float | Estimate | Mapping[str, float | Estimate]


@dataclass(frozen=True, eq=False)
class Funnel:
    """How far each visit went with each thing that it was exposed to.

    Attributes
    ----------
    exposures : DataFrame
        A row for each visit and cell (or product, or zone) that it came by: visit, the place (`per` and what is known
        of it: zone, product), dwell (seconds in the zone, all its stays together), and passed, stopped, reached, took
        and kept. These are 0 or 1 where all was seen and certain, else expected values: right on average, and with a
        recall below 1 also above 1 or below 0 for a single visit.
    per : str
        What a row is of: ``cell``, ``product`` or ``zone``.
    quarantine : DataFrame
        Hand events set aside: row (from 1), visit, time, cell, problem.
    recall : dict of Estimate
        For each kind of hand event, the share that is seen.
    events : DataFrame
        What the stages rest on: exposure (its row), kind, probability.
    """

    exposures: pd.DataFrame
    per: str
    quarantine: pd.DataFrame
    recall: dict[str, Estimate]
    events: pd.DataFrame


def find_funnel(
    zone_visits: pd.DataFrame,
    hands: pd.DataFrame,
    cells: pd.DataFrame,
    *,
    per: str = "cell",
    recall: Recall = 1.0,
    threshold: float | None = None,
) -> Funnel:
    """Find how far each visit went with each cell, product or zone that it was exposed to.

    A visit is exposed to all that lies in a zone that it was in. It *stopped* where one of its stays in that zone
    counts as a stop, *reached* with at least one hand event of any kind, *took* with at least one take, and *kept*
    what it took more often than it put back. An event of probability 0.7 counts 0.7: stages hold the probability
    that they were gone through, given that events are wrong independently of each other.

    Missed events are made up for: where a share r of the events is seen, each by itself, an event of probability p
    counts as one of probability p / r. For any number m of true and k of seen events the mean of (1 − 1/r)^k is 0^m
    (generating function of binomial thinning; Rényi 1956), so every stage is right on average whatever m is.

    >>> stays = pd.DataFrame({"visit": ["a", "b"], "zone": "tea", "dwell": [20.0, 3.0], "stopped": [True, False]})
    >>> shelf = pd.DataFrame({"cell": ["t1"], "zone": ["tea"], "product": ["assam"]})
    >>> events = [("a", 4.0, "t1", "take", 1.0), ("a", 9.0, "t1", "return", 0.6)]
    >>> hands = pd.DataFrame(events, columns=["visit", "time", "cell", "kind", "probability"])
    >>> find_funnel(stays, hands, shelf).exposures[["visit", "stopped", "reached", "took", "kept"]]
      visit  stopped  reached  took  kept
    0     a      1.0      1.0   1.0   0.4
    1     b      0.0      0.0   0.0   0.0

    Parameters
    ----------
    zone_visits : DataFrame with visit, zone, dwell (seconds), stopped
        A row for each stay in a zone, as `find_zone_visits` gives it.
    hands : DataFrame with visit, time (seconds), cell, kind (reach, take or return), probability (0 to 1)
        The probability is that of the event being real: see `score_hands`.
    cells : DataFrame with cell, zone, and, for ``per="product"``, product
    per : {"cell", "product", "zone"}
        What a visit is exposed to. By product, a pack put back into the product's second cell is back.
    recall : float, Estimate, or one for each kind
        Share of the true hand events that `hands` holds; `score_hands` measures it. An Estimate's uncertainty goes
        into every interval.
    threshold : float, optional
        Take events at least so probable as certain, and leave out the others: simpler, and biased unless right and
        wrong calls happen to cancel.

    Raises
    ------
    ValueError
        A column is missing, a cell is listed twice, dwell or stopped is unknown, a recall lies below 0.5 or above 1,
        or `per` or `threshold` is not what it can be.
    """
    _check_frames(zone_visits, cells, per)
    shares = _check_recall(recall)
    good, quarantine = _check_hands(hands, cells)
    if threshold is not None:
        if not 0 < threshold <= 1:
            raise ValueError(f"threshold is {threshold!r}; a probability above 0, up to 1, is needed")
        good = good[good["probability"] >= threshold].assign(probability=1.0)
    exposures = _exposures(zone_visits, cells, per)
    place = pd.Series(cells[per].to_numpy(), index=cells["cell"].to_numpy())
    keys = pd.MultiIndex.from_arrays([good["visit"], place.reindex(good["cell"])])
    rows = pd.MultiIndex.from_frame(exposures[["visit", per]]).get_indexer(keys)
    events = good.assign(exposure=rows)
    unplaced = events[rows < 0].assign(problem="this visit was never in the cell's zone")
    quarantine = pd.concat([quarantine, unplaced[quarantine.columns]]).sort_values("row").reset_index(drop=True)
    events = events.loc[rows >= 0, ["exposure", "kind", "probability"]]
    values = {kind: share.value for kind, share in shares.items()}
    staged = exposures.assign(**stage_values(events, len(exposures), values))
    return Funnel(staged, per, quarantine, shares, events)


def _check_frames(zone_visits: pd.DataFrame, cells: pd.DataFrame, per: str) -> None:
    if per not in ("cell", "product", "zone"):
        raise ValueError(f"per is {per!r}; 'cell', 'product' or 'zone' is accepted")
    _need(zone_visits, "zone_visits", ["visit", "zone", "dwell", "stopped"])
    _need(cells, "cells", list(dict.fromkeys(["cell", "zone", per])))
    if (twice := cells["cell"].duplicated()).any():
        raise ValueError(f"cells: {cells.loc[twice, 'cell'].iloc[0]!r} is listed twice; a row for each cell is needed")
    for name in ("dwell", "stopped"):
        if (bad := ~np.isfinite(zone_visits[name].to_numpy(dtype=float))).any():
            row = int(np.flatnonzero(bad)[0])
            raise ValueError(f"zone_visits, row {row + 1}: {name} is {zone_visits[name].iloc[row]!r}; it must be known")


def _need(frame: pd.DataFrame, name: str, columns: Iterable[str]) -> None:
    if missing := [column for column in columns if column not in frame]:
        raise ValueError(f"{name} has no column {', '.join(missing)}; it has {', '.join(map(str, frame))}")


def _check_recall(recall: Recall) -> dict[str, Estimate]:
    given = dict(recall) if isinstance(recall, Mapping) else dict.fromkeys(KINDS, recall)
    if strange := set(given) - set(KINDS):
        raise ValueError(f"recall is given for {sorted(map(str, strange))[0]!r}; kinds are {', '.join(KINDS)}")
    shares = {kind: given.get(kind, 1.0) for kind in KINDS}
    found = {kind: s if isinstance(s, Estimate) else Estimate(float(s), s, s) for kind, s in shares.items()}
    for kind, share in found.items():
        if not LOWEST_RECALL <= share.value <= 1:
            raise ValueError(f"recall of {kind!r} is {share.value!r}; a share from {LOWEST_RECALL} to 1 is needed")
    return found


def _check_hands(hands: pd.DataFrame, cells: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Usable hand events with their row, and those set aside with what is wrong about them."""
    _need(hands, "hands", ["visit", "time", "cell", "kind", "probability"])
    frame = hands.reset_index(drop=True).assign(row=np.arange(1, len(hands) + 1))
    problem = pd.Series("", index=frame.index)
    probability = frame["probability"].astype(float)
    problem[~probability.between(0, 1)] = "probability is no number from 0 to 1: " + probability.astype(str)
    problem[~frame["kind"].isin(KINDS)] = "kind is none of reach, take, return: " + frame["kind"].astype(str)
    problem[~frame["cell"].isin(cells["cell"])] = "there is no such cell"
    problem[frame["visit"].isna()] = "no visit"
    wrong = frame.assign(problem=problem).loc[problem != "", ["row", "visit", "time", "cell", "problem"]]
    return frame[problem == ""], wrong


def _exposures(zone_visits: pd.DataFrame, cells: pd.DataFrame, per: str) -> pd.DataFrame:
    """A row for each visit and thing in a zone that it was in: visit, per, zone, product, dwell, passed, stopped."""
    stays = zone_visits[["visit", "zone", "dwell", "stopped"]].astype({"dwell": float, "stopped": float})
    stays = stays.groupby(["visit", "zone"], sort=True, as_index=False).agg(
        dwell=("dwell", "sum"), stopped=("stopped", "max")
    )
    told = [name for name in ("cell", "product", "zone")[("cell", "product", "zone").index(per) :] if name in cells]
    rows = stays.merge(cells[told].drop_duplicates(), on="zone", how="inner")
    rules = {**dict.fromkeys(told[1:], "first"), "dwell": "sum", "stopped": "max"}
    return rows.groupby(["visit", per], sort=True, as_index=False).agg(rules).assign(passed=1.0)


def stage_values(events: pd.DataFrame, number: int, recall: Mapping[str, float]) -> dict[str, NDArray[np.float64]]:
    """Give the expected reached, took and kept of each exposure, missed events made up for.

    Parameters
    ----------
    events : DataFrame with exposure (row, from 0), kind, probability
    number : int
        Of exposures.
    recall : share seen of each kind
    """
    weight = (events["probability"] / events["kind"].map(recall)).to_numpy(dtype=float)
    row, kind = events["exposure"].to_numpy(), events["kind"].to_numpy()
    never = np.ones((2, number))
    np.multiply.at(never[0], row, 1 - weight)
    taken = kind == "take"
    np.multiply.at(never[1], row[taken], 1 - weight[taken])
    step = np.select([taken, kind == "return"], [1, -1], 0)
    moved = step != 0
    return {
        "reached": 1 - never[0],
        "took": 1 - never[1],
        "kept": _above_zero(row[moved], step[moved], weight[moved], number),
    }


def _above_zero(row: NDArray, step: NDArray, weight: NDArray, number: int) -> NDArray[np.float64]:
    """Probability that more was taken than put back (Poisson's binomial distribution, event after event)."""
    above = np.zeros(number)
    if not len(row):
        return above
    order = np.argsort(row, kind="stable")
    row, step, weight = row[order], step[order], weight[order]
    names, start, length = np.unique(row, return_index=True, return_counts=True)
    most = int(length.max())
    chance = np.zeros((len(names), 2 * most + 1))
    chance[:, most] = 1.0  # nothing in hand
    for place in range(most):
        here = np.flatnonzero(length > place)
        event = start[here] + place
        w, before = weight[event, None], chance[here]
        moved = np.where(step[event, None] > 0, np.roll(before, 1, axis=1), np.roll(before, -1, axis=1))
        chance[here] = (1 - w) * before + w * moved
    above[names] = chance[:, most + 1 :].sum(axis=1)
    return above
