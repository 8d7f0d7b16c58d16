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

from retailkit.datasets.tables import need_columns
from retailkit.lab.intervals import Estimate

STAGES = ("passed", "stopped", "reached", "took", "kept")
KINDS = ("reach", "take", "return")
PAIR, BOTH = ("reach", "take"), "both"  # one movement, and the share of such movements that is seen whole
LOWEST_RECALL = 0.5  # below it more is missed than seen, and correcting for it would blow up chance
FILLS = 2  # put back more than taken: one may be a take that was missed
TOGETHER = 2.5  # seconds: a take so soon after a reach is one movement
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
        What the stages rest on; see `stage_values`.
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
    together: float = TOGETHER,
    staff: Iterable[object] = (),
) -> Funnel:
    """Find how far each visit went with each cell, product or zone that it was exposed to.

    A visit is exposed to all that lies in a zone that it was in. It *stopped* where one of its stays in that zone
    counts as a stop, *reached* with at least one reach or take, *took* with at least one take, and *kept* what it took
    more often than it put back. An event of probability 0.7 counts 0.7, so that stages hold expected
    values. A reach and the take right after it are one movement, right or wrong as one; for a second movement to the
    same place events are taken to be wrong independently of each other.

    Missed events are made up for: where a share r of the events is seen, one of probability p counts p / r. Of m true
    events k are seen, and the mean of (1 − 1/r)^k is 0^m (binomial thinning; Rényi 1956), so that 1 − Π(1 − p / r) is
    right on average, however often somebody reached. Kept are takes less returns, and one where that is more. Who
    puts back two more than were taken somewhere fills shelves: what such a visit puts back beyond takes is set aside.

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
        Share of the true hand events that `hands` holds at the right cell; `score_hands` measures it. An Estimate's
        uncertainty goes into every interval. The key ``both`` is the share of movements, a reach and a take, of which
        both are seen: by default the product of the two shares.
    threshold : float, optional
        Take events at least so probable as certain, and leave out the others: simpler, and biased unless right and
        wrong calls happen to cancel.
    together : float, seconds
        A take at most so long after a reach is one movement with it.
    staff : visits
        Left out, with their hand events: who fills shelves is no shopper.

    Raises
    ------
    ValueError
        A column is missing, a cell is listed twice, dwell or stopped is unknown, a recall lies below 0.5 or above 1,
        or `per` or `threshold` is not what it can be.
    """
    _check_frames(zone_visits, cells, per)
    shares, staff = _check_recall(recall), set(staff)
    good, quarantine = _check_hands(hands, cells)
    good, zone_visits = (frame[~frame["visit"].isin(staff)] for frame in (good, zone_visits))
    if threshold is not None:
        if not 0 < threshold <= 1:
            raise ValueError(f"threshold is {threshold!r}; a probability above 0, up to 1, is needed")
        good = good[good["probability"] >= threshold].assign(probability=1.0)
    exposures = _exposures(zone_visits, cells, per)
    place = pd.Series(cells[per].to_numpy(), index=cells["cell"].to_numpy())
    keys = pd.MultiIndex.from_arrays([good["visit"], place.reindex(good["cell"])])
    events = good.assign(exposure=pd.MultiIndex.from_frame(exposures[["visit", per]]).get_indexer(keys))
    problem = _implausible(events)
    wrong = events.assign(problem=problem)[problem != ""]
    quarantine = pd.concat([quarantine, wrong[quarantine.columns]]).sort_values("row").reset_index(drop=True)
    events = _movements(events[problem == ""], together)
    values = {kind: share.value for kind, share in shares.items()}
    staged = exposures.assign(**stage_values(events, len(exposures), values))
    return Funnel(staged, per, quarantine, shares, events)


def name_hands(hands: pd.DataFrame, tracks: pd.DataFrame, within: float = 2.0) -> pd.DataFrame:
    """Give hand events the visits that their tracks have since these were joined and untangled.

    Parameters
    ----------
    hands : DataFrame with visit, time (seconds)
        With the names of the tracker.
    tracks : DataFrame with visit, time (seconds), piece
        As `clean_tracks` gives it: piece is the tracker's name.
    within : float, seconds
        How far the nearest moment of the track may be; without one the visit is nan, which `find_funnel` sets aside.
    """
    need_columns(tracks, ["visit", "time", "piece"], "tracks")
    names = tracks[["time", "piece", "visit"]].sort_values("time", kind="stable")
    rows = hands.assign(row=np.arange(len(hands))).rename(columns={"visit": "piece"})
    known = rows[rows["piece"].isin(names["piece"]) & np.isfinite(rows["time"].to_numpy(dtype=float))]
    known = known.astype({"piece": names["piece"].dtype}).sort_values("time", kind="stable")
    found = pd.merge_asof(known, names, on="time", by="piece", direction="nearest", tolerance=within)  # type: ignore[arg-type]
    return hands.assign(visit=found.set_index("row")["visit"].reindex(rows["row"]).to_numpy()).reset_index(drop=True)


def _check_frames(zone_visits: pd.DataFrame, cells: pd.DataFrame, per: str) -> None:
    if per not in ("cell", "product", "zone"):
        raise ValueError(f"per is {per!r}; 'cell', 'product' or 'zone' is accepted")
    need_columns(zone_visits, ["visit", "zone", "dwell", "stopped"], "zone_visits")
    need_columns(cells, list(dict.fromkeys(["cell", "zone", per])), "cells")
    if (twice := cells["cell"].duplicated()).any():
        raise ValueError(f"cells: {cells.loc[twice, 'cell'].iloc[0]!r} is listed twice; a row for each cell is needed")
    for name in ("dwell", "stopped"):
        if (bad := ~np.isfinite(zone_visits[name].to_numpy(dtype=float))).any():
            row = int(np.flatnonzero(bad)[0])
            raise ValueError(f"zone_visits, row {row + 1}: {name} is {zone_visits[name].iloc[row]}; it must be known")


def _check_recall(recall: Recall) -> dict[str, Estimate]:
    given = dict(recall) if isinstance(recall, Mapping) else dict.fromkeys(KINDS, recall)
    if strange := set(given) - {*KINDS, BOTH}:
        raise ValueError(f"recall is given for {sorted(map(str, strange))[0]!r}; {', '.join(KINDS)}, {BOTH} are known")
    shares = {kind: given.get(kind, 1.0) for kind in KINDS}
    found = {kind: s if isinstance(s, Estimate) else Estimate(float(s), s, s) for kind, s in shares.items()}
    whole = given.get(BOTH, found[PAIR[0]].value * found[PAIR[1]].value)
    found[BOTH] = whole if isinstance(whole, Estimate) else Estimate(whole, whole, whole)
    for kind, share in found.items():
        if not LOWEST_RECALL ** (1 + (kind == BOTH)) <= share.value <= 1:
            raise ValueError(f"recall of {kind!r} is {share.value!r}; a share from {LOWEST_RECALL} to 1 is needed")
    return found


def _check_hands(hands: pd.DataFrame, cells: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Usable hand events with their row, and those set aside with what is wrong about them."""
    need_columns(hands, ["visit", "time", "cell", "kind", "probability"], "hands")
    frame = hands.reset_index(drop=True).assign(row=np.arange(1, len(hands) + 1))
    problem = np.full(len(frame), "", dtype=object)
    probability = frame["probability"].to_numpy(dtype=float)
    for name, bad in (
        ("probability", ~((probability >= 0) & (probability <= 1))),
        ("kind", ~frame["kind"].isin(KINDS)),
    ):
        wanted = "no number from 0 to 1" if name == "probability" else f"none of {', '.join(KINDS)}"
        problem[bad] = [f"{name} is {wanted}: {value}" for value in frame.loc[bad, name]]
    problem[~frame["cell"].isin(cells["cell"])] = "there is no such cell"
    problem[~np.isfinite(frame["time"].to_numpy(dtype=float))] = "time is not a number"
    problem[frame["visit"].isna()] = "no visit"
    good = problem == ""
    wrong = frame[~good].assign(problem=problem[~good])
    return frame[good], wrong[["row", "visit", "time", "cell", "problem"]]


def _exposures(zone_visits: pd.DataFrame, cells: pd.DataFrame, per: str) -> pd.DataFrame:
    """A row for each visit and thing in a zone that it was in: visit, per, zone, product, dwell, passed, stopped."""
    order = ("cell", "product", "zone")
    told = [name for name in order[order.index(per) :] if name in cells]
    stays = _summed(zone_visits[["visit", "zone", "dwell", "stopped"]], "zone")
    rows = stays.merge(cells[told].drop_duplicates(), on="zone", how="inner")
    rows = _summed(rows, per)[["visit", *told, "dwell", "stopped"]]
    return rows.assign(passed=1.0)


def _summed(rows: pd.DataFrame, place: str) -> pd.DataFrame:
    """One row for each visit and place, in this order: seconds summed up, stopped where it ever was."""
    code = rows.groupby(["visit", place], sort=True).ngroup().to_numpy()
    number = int(code.max(initial=-1)) + 1
    first, stopped = np.zeros(number, dtype=np.intp), np.zeros(number)
    first[code[::-1]] = np.arange(len(rows))[::-1]
    np.maximum.at(stopped, code, rows["stopped"].to_numpy(dtype=float))
    dwell = np.bincount(code, rows["dwell"].to_numpy(dtype=float), minlength=number)
    return rows.iloc[first].assign(dwell=dwell, stopped=stopped).reset_index(drop=True)


def _implausible(events: pd.DataFrame) -> NDArray[np.object_]:
    """What speaks against each hand event: it is out of the visit's reach, or fills the shelf, as staff do."""
    problem = np.full(len(events), "", dtype=object)
    row, kind = events["exposure"].to_numpy(dtype=np.intp) + 1, events["kind"].to_numpy()
    filled = np.bincount(row, (kind == "return") * 1.0 - (kind == "take"))[row]
    fills = events["visit"].isin(events["visit"][(filled >= FILLS) & (row > 0)]).to_numpy()
    problem[fills & (filled > 0) & (kind == "return")] = "this visit puts back what it did not take: it fills shelves"
    problem[row == 0] = "this visit was never in the cell's zone"
    return problem


def _movements(events: pd.DataFrame, together: float) -> pd.DataFrame:
    """Hand events by exposure and time, with `joined` for each reach whose take comes next and soon."""
    events = events.iloc[np.lexsort([events[name].to_numpy() for name in ("row", "time", "exposure")])]
    time, kind = events["time"].to_numpy(dtype=float), events["kind"].to_numpy()
    same = np.ones(max(len(events) - 1, 0), dtype=bool)
    for name in ("exposure", "cell"):
        same &= events[name].to_numpy()[1:] == events[name].to_numpy()[:-1]
    soon = same & (np.diff(time) <= together) & (kind[:-1] == "reach") & (kind[1:] == "take")
    joined = np.append(soon, np.zeros(min(len(events), 1), dtype=bool))
    return events[["exposure", "kind", "probability"]].assign(joined=joined).reset_index(drop=True)


def stage_values(events: pd.DataFrame, number: int, recall: Mapping[str, float]) -> dict[str, NDArray[np.float64]]:
    """Give the expected reached, took and kept of each exposure, missed events made up for.

    Parameters
    ----------
    events : DataFrame
        exposure (its row, from 0), kind, probability, and joined: whether a reach and the take in the next row are one
        movement. By exposure and time.
    number : int
        Of exposures.
    recall : share seen of each kind
    """
    row, kind = events["exposure"].to_numpy(dtype=np.intp), events["kind"].to_numpy()
    weight = events["probability"].to_numpy(dtype=float) / np.array([recall[one] for one in kind], dtype=float)
    untouched, untaken = np.ones((2, number))
    taken, step = kind == "take", np.select([kind == "take", kind == "return"], [1, -1], 0)
    moved, into = step != 0, step >= 0
    np.multiply.at(untouched, row[into], 1 - _movement_weights(events, weight, recall)[into])
    np.multiply.at(untaken, row[taken], 1 - weight[taken])
    net = np.bincount(row, step * weight, minlength=number)
    more = _beyond_one(row[moved], step[moved], weight[moved], number)
    return {"reached": 1 - untouched, "took": 1 - untaken, "kept": net - more}


def _movement_weights(events: pd.DataFrame, weight: NDArray, recall: Mapping[str, float]) -> NDArray[np.float64]:
    """The weight of each event as a sign of a movement; a joined reach speaks for its take as well.

    A movement of a reach and a take counts 1 on average if a share `both` of them is seen whole, and one of which only
    a part is seen counts as that part alone: (reach − both) / reach + (take − both) / take + both · w = 1. Of the two
    events the less probable is real only if the other is.
    """
    found = weight.copy()
    first = np.flatnonzero(events["joined"].to_numpy(dtype=bool))
    pair = events["probability"].to_numpy(dtype=float)[[first, first + 1]]
    low = pair.min(axis=0)
    whole = 1 / recall["reach"] + 1 / recall["take"] - 1 / recall["both"]
    rest = (pair[0] - low) / recall["reach"] + (pair[1] - low) / recall["take"]
    found[first], found[first + 1] = low * whole + rest, 0.0
    return found


def _beyond_one(row: NDArray, step: NDArray, weight: NDArray, number: int) -> NDArray[np.float64]:
    """How many more than one are kept, on average (Poisson's binomial distribution, event after event)."""
    beyond = np.zeros(number)
    order = np.argsort(row, kind="stable")
    row, step, weight = row[order], step[order], weight[order]
    names, start, length = np.unique(row, return_index=True, return_counts=True)
    most = int(length.max(initial=0))
    chance = np.zeros((len(names), 2 * most + 1))
    chance[:, most] = 1.0  # nothing in hand
    for place in range(most):
        here = np.flatnonzero(length > place)
        event = start[here] + place
        w, before = weight[event, None], chance[here]
        moved = np.where(step[event, None] > 0, np.roll(before, 1, axis=1), np.roll(before, -1, axis=1))
        chance[here] = (1 - w) * before + w * moved
    beyond[names] = chance[:, most + 1 :] @ np.arange(most)
    return beyond
