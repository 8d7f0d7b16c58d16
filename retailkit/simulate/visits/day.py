"""A day in a simulated store, with everything that is true of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from retailkit.simulate.visits.habits import Habits
from retailkit.simulate.visits.layout import default_plan
from retailkit.simulate.visits.observing import Observed, observe
from retailkit.simulate.visits.parties import draw_parties
from retailkit.simulate.visits.plan import StorePlan
from retailkit.simulate.visits.staff import draw_staff
from retailkit.simulate.visits.tables import find_choices, find_funnel, find_hands, find_queue, find_zone_truth
from retailkit.simulate.visits.trips import Trips, make_shoppers, make_staff
from retailkit.simulate.visits.truth import cross_lines
from retailkit.simulate.visits.walking import spread_out


@dataclass(frozen=True, eq=False)
class StoreDay:
    """What happened in a store, exactly; times are seconds since it opened, places metres on its floor plan.

    All but `tracks` is true in continuous time: it does not depend on how often a camera looks (`step`).

    Attributes
    ----------
    plan : StorePlan
    recording : (start, end), seconds
        What is outside of it is in no frame; who is in the store at its ends is cut off.
    tracks : DataFrame
        visit, time, x, y by visit and time: the true place of everybody at every whole multiple of `step`.
    ways : DataFrame
        visit, time, x, y: the knots of the true ways; between two of them people walk straight and steadily.
    visitors : DataFrame
        visit, kind (shopper, staff), role (cashier, filler), group (number of the party), size (of the party), door,
        enter and leave (when the door's line is passed first and last; true times, even outside of the recording),
        first, last (what the recording shows), censored (``start``, ``end``, ``both``: cut off by the recording).
    crossings : DataFrame
        visit, time, x, y, direction, door: whenever the true way passes a door's line.
    zone_visits : DataFrame
        visit, zone, enter, leave, dwell, stopped, again, censored, depth. Times are those at which the true way cuts
        the zone's edge, one back within 2 s has not left, and a stay both under 2 s and under 0.3 m deep is a graze and
        not here. ``stopped`` is a label of behaviour and not of speed: the party stood there on purpose for half a
        second or longer (at a shelf, in the line, at the checkout, staff at a task). Within a stop people may step
        along the shelf.
    hands : DataFrame
        visit, time, cell, kind (reach, take, return), probability (1), product. A touch is a reach alone; a take
        follows a reach. Staff who fill a shelf ``return`` to it without having taken.
    funnel : DataFrame
        A row for each shopper and each cell of each zone it visited: visit, cell, zone, product, passed (True), stopped
        (in the zone), reached, took, kept (more takes than returns), bought (kept, and the party did not give up in the
        line; it may pay after the recording).
    queue : DataFrame
        A row for each member of a party that stood in line: visit, checkout, join (the way enters the queue zone),
        served (it leaves the queue zone for the checkout), left (it leaves the checkout's zone, or the queue zone when
        giving up), wait (served - join, or left - join for those who gave up, or what the recording has of it),
        abandoned, payer (one in each party), censored (``start``, ``end``, ``both``: the recording cuts the wait). What
        comes after the recording is nan, or empty. Who is called at once only walks through the zone (a companion
        beside it has no row).
    groups : tuple of tuples
        Visits that came together, two or more.
    choices : DataFrame
        situation, visit, time, zone, cell (``none`` for taking nothing), product, the attributes in
        `plan.preference` (with none = 1 in the row of nothing), chosen. One situation for each stop at a shelf zone.
    """

    plan: StorePlan
    recording: tuple[float, float]
    tracks: pd.DataFrame
    ways: pd.DataFrame
    visitors: pd.DataFrame
    crossings: pd.DataFrame
    zone_visits: pd.DataFrame
    hands: pd.DataFrame
    funnel: pd.DataFrame
    queue: pd.DataFrame
    groups: tuple[tuple[int, ...], ...]
    choices: pd.DataFrame

    def inside(self, time: float) -> int:
        """How many have passed the door's line in, and not yet out, at a time (seconds)."""
        return int(((self.visitors["enter"] <= time) & ~(self.visitors["leave"] <= time)).sum())

    def place(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Say where people truly were at any times: rows of visit and time (seconds) get x and y (metres).

        Where a visit was not in the recording they are nan. For sensors that look at moments of their own.
        """
        return _place(self.ways, rows)

    def observe(self, **faults: Any) -> Observed:
        """Give what cameras make of this day; see `retailkit.simulate.visits.observe`."""
        return observe(self, **faults)


def simulate_store_day(
    plan: StorePlan | None = None,
    *,
    shoppers: float = 600.0,
    hours: float = 12.0,
    step: float = 0.4,
    groups: float = 0.3,
    staff: int = 3,
    recording: tuple[float, float] | None = None,
    habits: Habits | None = None,
    seed: int | tuple[int, ...] = 0,
) -> StoreDay:
    """Simulate a day in a store, and say everything that is true of it.

    >>> day = simulate_store_day(shoppers=20, hours=1, seed=7)
    >>> day.crossings.groupby("direction").size().to_dict()
    {'in': 28, 'out': 27}

    Parameters
    ----------
    plan : StorePlan, optional
        By default `default_plan()`.
    shoppers : float
        Persons expected in the day; how many come is chance (Poisson, by parties).
    hours : float
        The store is open from 0 to this.
    step : float, seconds
        Between the moments of `tracks`; 0.1 for 10 pictures a second.
    groups : float, 0 to 1
        Share of parties that are of two to four.
    staff : int
        The first sit at the checkouts if there are enough for all of them, the others fill shelves.
    recording : (from, to), hours, optional
        By default from opening to closing: whoever is still inside is cut off. Give an end after closing to see
        everybody leave.
    habits : Habits, optional
        How people behave.
    seed : int or several
        (study, store) gives each store a day of its own, whatever order they are simulated in.

    Raises
    ------
    ValueError
        A number is outside of what is accepted.
    """
    plan, habits = plan or default_plan(), habits or Habits()
    start, end = _check_day(shoppers, hours, step, groups, staff, recording)
    seeds = np.random.SeedSequence(seed).spawn(9)
    rng = np.random.default_rng(seeds[0])
    came = make_shoppers(draw_parties(shoppers, groups, hours * 3600, plan, habits, rng), plan, habits, seeds[1:5])
    parts = [came]
    if staff:
        crew = draw_staff(staff, plan, habits, np.random.default_rng(seeds[5]))
        parts.append(make_staff(crew, hours * 3600, plan, habits, seeds[6:8]))
    trips = _together(parts)
    size = trips.parties["size"].to_numpy()
    members = spread_out(trips.knots, size, habits.spacing, plan, np.random.default_rng(seeds[8]))
    return _tell(plan, trips, members, (start, end), step)


def simulate_stores(number: int, *, seed: int = 0, **settings: Any) -> Iterator[tuple[int, StoreDay]]:
    """Simulate one day of many stores, one after another; each day depends on `seed` and its store's number only.

    Parameters
    ----------
    number : int
    seed : int
    settings
        As `simulate_store_day` takes them.

    Yields
    ------
    (store, StoreDay)
    """
    for store in range(number):
        yield store, simulate_store_day(seed=(seed, store), **settings)


def _check_day(
    shoppers: float, hours: float, step: float, groups: float, staff: int, recording: tuple[float, float] | None
) -> tuple[float, float]:
    for name, value, low, high in (
        ("shoppers", shoppers, 0.0, 1e6), ("hours", hours, 0.01, 24.0), ("step", step, 0.01, 60.0),
        ("groups", groups, 0.0, 1.0), ("staff", staff, 0, 1000),
    ):  # fmt: skip
        if not low <= value <= high:
            raise ValueError(f"{name} is {value!r}: {low:g} to {high:g} is accepted")
    start, end = recording or (0.0, hours)
    if not 0 <= start < end:
        raise ValueError(f"recording is {recording!r}: two times in hours since opening, the first before the second")
    return start * 3600, end * 3600


def _together(parts: list[Trips]) -> Trips:
    """Shoppers and staff in one, numbered on."""
    before, frames = 0, []
    for part in parts:
        names = ("parties", "knots", "stands", "acts", "choices", "line")
        frames.append([getattr(part, name).assign(party=lambda rows, n=before: rows["party"] + n) for name in names])
        before += len(part.parties)
    joined = [
        pd.concat([frame for frame in same if len(frame)] or [same[0]], ignore_index=True)
        for same in zip(*frames, strict=True)
    ]
    return Trips(*joined)


def _tell(
    plan: StorePlan, trips: Trips, members: pd.DataFrame, recording: tuple[float, float], step: float
) -> StoreDay:
    """Say everything that is true of trips within a recording."""
    everybody = members.groupby(["party", "member"], sort=False).ngroup().to_numpy()
    full = pd.DataFrame({"visit": everybody, **members[["time", "x", "y"]]})
    people = members[["party", "member"]][~pd.Series(everybody).duplicated().to_numpy()].reset_index(drop=True)
    passed = cross_lines(full, plan.doors).groupby("visit")["time"]
    people = people.assign(enter=passed.first(), leave=passed.last())
    cut = _clip(full, *recording)
    seen = np.unique(cut["visit"])
    order = seen[np.argsort(cut.groupby("visit")["time"].first().to_numpy(), kind="stable")]
    number = np.full(len(people), -1)
    number[order] = np.arange(len(order))  # visits count from 0 in the order in which they come into the recording
    ways = cut.assign(visit=number[cut["visit"]]).sort_values(["visit", "time"], kind="stable").reset_index(drop=True)
    people = people.assign(visit=number)[number >= 0].sort_values("visit").reset_index(drop=True)
    full_ends = full.groupby("visit")["time"].agg(["first", "last"]).loc[order].reset_index(drop=True)
    visitors = _visitors(people, trips, ways, full_ends)
    stays = find_zone_truth(ways, people, trips, plan)
    hands = find_hands(people, trips, recording)
    return StoreDay(
        plan=plan,
        recording=recording,
        tracks=_sample(ways, step),
        ways=ways,
        visitors=visitors,
        crossings=cross_lines(ways, plan.doors),
        zone_visits=stays,
        hands=hands,
        funnel=find_funnel(stays, hands, visitors, trips, plan),
        queue=find_queue(stays, people, trips, plan, recording[1]),
        groups=tuple(tuple(map(int, rows)) for _, rows in visitors.groupby("group")["visit"] if len(rows) > 1),
        choices=find_choices(people, trips, plan, recording),
    )


def _clip(ways: pd.DataFrame, start: float, end: float) -> pd.DataFrame:
    """What lies in the recording, with a knot where it cuts a way."""
    visit, time, place = ways["visit"].to_numpy(), ways["time"].to_numpy(), ways[["x", "y"]].to_numpy()
    parts = [ways[(time >= start) & (time <= end)]]
    for moment in (start, end):
        row = np.flatnonzero((visit[1:] == visit[:-1]) & (time[:-1] < moment) & (time[1:] > moment))
        share = (moment - time[row]) / (time[row + 1] - time[row])
        where = place[row] + share[:, None] * (place[row + 1] - place[row])
        parts.append(pd.DataFrame({"visit": visit[row], "time": moment, "x": where[:, 0], "y": where[:, 1]}))
    kept = pd.concat(parts).sort_values(["visit", "time"], kind="stable").reset_index(drop=True)
    return kept[kept.groupby("visit")["visit"].transform("size") > 1].reset_index(drop=True)


def _visitors(people: pd.DataFrame, trips: Trips, ways: pd.DataFrame, full: pd.DataFrame) -> pd.DataFrame:
    party = trips.parties.set_index("party").loc[people["party"]].reset_index(drop=True)
    shown = ways.groupby("visit")["time"].agg(["first", "last"])
    late, early = shown["first"] > full["first"], shown["last"] < full["last"]
    return pd.DataFrame(
        {
            "visit": people["visit"], "kind": party["kind"], "role": party["role"], "group": people["party"],
            "size": party["size"], "door": party["door"], "enter": people["enter"], "leave": people["leave"],
            "first": shown["first"], "last": shown["last"],
            "censored": np.select([late & early, late, early], ["both", "start", "end"], ""),
        }
    )  # fmt: skip


def _sample(ways: pd.DataFrame, step: float) -> pd.DataFrame:
    """Where everybody is at every whole multiple of the step."""
    ends = ways.groupby("visit")["time"].agg(["first", "last"])
    low = np.ceil(ends["first"].to_numpy() / step - 1e-9).astype(int)
    high = np.floor(ends["last"].to_numpy() / step + 1e-9).astype(int)
    number = np.maximum(high - low + 1, 0)
    tick = np.arange(number.sum()) + np.repeat(low - (np.cumsum(number) - number), number)
    rows = pd.DataFrame({"visit": np.repeat(ends.index.to_numpy(), number), "time": tick * step})
    return _place(ways, rows)


def _place(ways: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Add x and y, nan outside of a visit's way, to rows of visit and time."""
    if not len(ways) or not len(rows):
        return rows.assign(x=np.full(len(rows), np.nan), y=np.nan)
    visit, time = ways["visit"].to_numpy(), ways["time"].to_numpy()
    far = 2 * (np.abs(time).max() + np.abs(rows["time"]).max() + 1)  # visits lie apart on one axis
    who, moment = rows["visit"].to_numpy(), rows["time"].to_numpy(dtype=float)
    step = np.clip(np.searchsorted(visit * far + time, who * far + moment, side="right") - 1, 0, len(ways) - 2)
    for shift in (1, -1):  # the sum above is rounded, and the last knot begins no step
        ahead = visit[step] < who if shift > 0 else (visit[step + 1] > who) | (time[step] > moment)
        step = np.clip(step + shift * ahead, 0, len(ways) - 2)
    share = (moment - time[step]) / np.where(visit[step] == visit[step + 1], time[step + 1] - time[step], 1.0)
    known = (visit[step] == who) & (visit[step + 1] == who) & (share >= -1e-6) & (share <= 1 + 1e-6)
    place = {axis: ways[axis].to_numpy() for axis in ("x", "y")}
    return rows.assign(
        **{axis: np.where(known, at[step] + share * (at[step + 1] - at[step]), np.nan) for axis, at in place.items()}
    )
