"""Whole trips of parties: in by the door, from shelf to shelf, through the line, and out, with the times of acts."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.simulate.visits.choosing import draw_stands
from retailkit.simulate.visits.habits import Habits
from retailkit.simulate.visits.lines import CREEP, serve, stand_in_line
from retailkit.simulate.visits.parties import draw_aims
from retailkit.simulate.visits.plan import StorePlan
from retailkit.simulate.visits.staff import draw_fillings, draw_tasks
from retailkit.simulate.visits.walking import KNOTS, walk

_SHORTEST = 4.0  # seconds at a checkout, at least
_CLOSE = 0.35  # of their spacing is what groups keep in a line
_SOON = 0.1  # seconds: a knot so soon after another is left out


@dataclass(frozen=True, eq=False)
class Trips:
    """What parties did, as drawn: the frames that all truth is made from.

    Attributes
    ----------
    parties : DataFrame
        party, kind, role, size, arrival, speed, door.
    knots : DataFrame
        By party and time: the way of each party's middle.
    stands : DataFrame
        party, start, end: every time that somebody stood on purpose (shelves, checkout, staff's posts).
    acts : DataFrame
        party, stop, time, cell, product, kind, member: what hands did.
    choices : DataFrame
        stop, party, member, zone (number), chosen (row of cells, -1 for nothing), time.
    line : DataFrame
        party, reached, called, gone, left, checkout: who was in the line.
    """

    parties: pd.DataFrame
    knots: pd.DataFrame
    stands: pd.DataFrame
    acts: pd.DataFrame
    choices: pd.DataFrame
    line: pd.DataFrame


def make_shoppers(parties: pd.DataFrame, plan: StorePlan, habits: Habits, seeds: list[np.random.SeedSequence]) -> Trips:
    """Send parties of shoppers through the store; each kind of chance has a seed of its own."""
    aims_rng, choice_rng, walk_rng, line_rng = map(np.random.default_rng, seeds)
    stands = draw_stands(draw_aims(parties, plan, habits, aims_rng), plan, habits, choice_rng)
    stands = stands.assign(member=_deciders(parties, stands, choice_rng))
    speed = parties["speed"].to_numpy()
    legs = _shelf_legs(parties, stands, plan)
    knots, arrival = walk(legs, parties["arrival"].to_numpy(), speed, plan, walk_rng)
    stands = stands.assign(came=arrival)
    last = ~stands["party"].duplicated(keep="last").to_numpy()
    end = (stands["came"] + stands["hold"]).to_numpy()[last]
    place = legs["go_to"].to_numpy()[last]
    kept = stands["take"].notna() & stands["give_back"].isna()
    buys = np.isin(np.arange(len(parties)), stands["party"][kept]) & bool(len(plan.checkouts))
    out = plan.routes.number("door", parties["door"])
    line_knots, line = _through_line(np.flatnonzero(buys), end, place, speed, out, plan, habits, line_rng)
    leaving = _legs(np.flatnonzero(~buys), place[~buys], out[~buys])
    leave_knots, _ = walk(leaving, end, speed, plan, walk_rng)
    still = pd.DataFrame({"party": stands["party"], "start": arrival, "end": arrival + stands["hold"]})
    served = line[line["checkout"] != ""]
    paying = pd.DataFrame({"party": served["party"], "start": served["called"], "end": served["left"]})
    waiting = pd.DataFrame({"party": line["party"], "start": line["reached"], "end": line["gone"]})
    every = [still[stands["hold"] > 0], waiting, paying]
    return Trips(
        parties,
        _in_order([knots, *line_knots, leave_knots]),
        pd.concat(every).sort_values(["party", "start"], kind="stable").reset_index(drop=True),
        _acts(stands, plan),
        _choices(stands),
        line,
    )


def make_staff(
    staff: pd.DataFrame, seconds: float, plan: StorePlan, habits: Habits, seeds: list[np.random.SeedSequence]
) -> Trips:
    """Send staff to their posts and tasks until the store closes."""
    task_rng, walk_rng = map(np.random.default_rng, seeds)
    tasks = draw_tasks(staff, seconds, plan, habits, task_rng)
    door = plan.routes.number("door", staff["door"])[tasks["party"]]
    first = ~tasks["party"].duplicated().to_numpy()
    start = np.where(first, door, np.roll(tasks["place"], 1))
    legs = _legs(tasks["party"].to_numpy(), start, tasks["place"].to_numpy(), tasks["hold"].to_numpy())
    knots, arrival = walk(legs, staff["arrival"].to_numpy(), staff["speed"].to_numpy(), plan, walk_rng)
    stands = pd.DataFrame({"party": tasks["party"], "start": arrival, "end": arrival + tasks["hold"]})
    acts = draw_fillings(tasks, arrival, plan, task_rng).assign(stop=-1, member=0)
    none = _choices(_NO_STANDS)
    return Trips(staff, _in_order([knots]), stands[tasks["hold"] > 0].reset_index(drop=True), acts, none, _NO_LINE)


_NO_STANDS = pd.DataFrame(
    columns=["aim", "party", "member", "zone", "cell", "hold", "take", "came", "chosen"]
).astype({"hold": float, "take": float, "came": float, "chosen": bool, "cell": int})  # fmt: skip
_NO_LINE = pd.DataFrame({name: pd.Series(dtype=float) for name in ("party", "reached", "called", "gone", "left")})
_NO_LINE["checkout"] = pd.Series(dtype="str")


def _legs(party: NDArray, come_from: NDArray, go_to: NDArray, hold: NDArray | float = 0.0) -> pd.DataFrame:
    legs = pd.DataFrame({"party": party, "come_from": come_from, "go_to": go_to, "hold": hold})
    return legs.assign(along_x=np.nan, along_y=np.nan, lead=np.nan)


def _shelf_legs(parties: pd.DataFrame, stands: pd.DataFrame, plan: StorePlan) -> pd.DataFrame:
    """From the door to the first stand, and from each to the next; groups line up along the shelf."""
    routes, party = plan.routes, stands["party"].to_numpy()
    cells = routes.number("cell", plan.cells["cell"])
    zones = routes.number("zone", plan.shelf_zones)
    cell = stands["cell"].to_numpy()
    place = np.where(cell >= 0, cells[cell], zones[stands["zone"]])
    door = routes.number("door", parties["door"])[party]
    start = np.where(~stands["party"].duplicated(), door, np.roll(place, 1))
    ahead = plan.cells[["x", "y"]].to_numpy()[cell] - routes.points[place]
    along = np.c_[-ahead[:, 1], ahead[:, 0]] / np.maximum(np.hypot(*ahead.T), 1e-9)[:, None]
    along[cell < 0] = np.nan
    legs = _legs(party, start, place, stands["hold"].to_numpy())
    return legs.assign(along_x=along[:, 0], along_y=along[:, 1], lead=stands["member"].where(cell >= 0))


def _deciders(parties: pd.DataFrame, stands: pd.DataFrame, rng: np.random.Generator) -> NDArray[np.intp]:
    """Whose hands are at work at each stop: anybody alone or of two, somebody in the middle of more."""
    size = parties["size"].to_numpy()[stands["party"]]
    luck = rng.integers(0, 2, int(stands["aim"].max()) + 1 if len(stands) else 0)[stands["aim"]]
    return np.select([size == 1, size == 3], [0, 1], np.where(size == 4, 1 + luck, luck))


def _through_line(
    who: NDArray[np.intp], end: NDArray, place: NDArray, speed: NDArray, out: NDArray, plan: StorePlan,
    habits: Habits, rng: np.random.Generator,
) -> tuple[list[pd.DataFrame], pd.DataFrame]:  # fmt: skip
    """Walk to the line, wait, pay or give up, and leave."""
    if not len(who):
        return [], _NO_LINE
    routes, slots = plan.routes, plan.routes.number("slot", range(len(plan.slots)))
    desks = routes.number("checkout", plan.checkouts["checkout"])
    joins = end[who] + routes.length[place[who], slots[0]] / speed[who]
    who, joins = who[np.argsort(joins)], np.sort(joins)
    hold = habits.service * np.exp(habits.service_spread * rng.standard_normal(len(who)))
    hold = np.maximum(hold, _SHORTEST)
    over = routes.length[slots[0], desks].mean() / speed[who]
    done = serve(joins, hold + over, rng.exponential(habits.patience, len(who)), len(desks))
    gone = done["called"].fillna(done["left"]).to_numpy()
    ahead = np.array([(gone[:row] > joins[row]).sum() for row in range(len(who))])
    first = np.minimum(ahead, len(slots) - 1)
    walked, reached = walk(_legs(who, place[who], slots[first]), end, speed, plan, rng)
    waited, at, slot = stand_in_line(joins, gone, reached, first, plan)
    gone = np.maximum(gone, reached)
    start = np.zeros(len(end))
    start[who] = gone + np.hypot(*(at - plan.slots[slot]).T) / CREEP
    paid = done["server"].to_numpy() >= 0
    go_to = np.where(paid, desks[done["server"]], out[who])
    legs = pd.concat(
        [_legs(who, slots[slot], go_to, np.where(paid, hold, 0.0)), _legs(who[paid], go_to[paid], out[who[paid]])]
    )
    legs = legs.sort_values("party", kind="stable").reset_index(drop=True)
    left, arrival = walk(legs, start, speed, plan, rng)
    at_desk = pd.Series(who).map(pd.Series(arrival, legs["party"])[~legs["party"].duplicated().to_numpy()]).to_numpy()
    names = np.append(plan.checkouts["checkout"].to_numpy(dtype=object), "")
    line = pd.DataFrame(
        {
            "party": who, "reached": reached, "called": np.where(paid, at_desk, np.nan), "gone": gone,
            "left": np.where(paid, at_desk + hold, gone), "checkout": names[done["server"]],
        }
    )  # fmt: skip
    waited = waited.assign(party=who[waited["customer"]], still=True)
    until = left["party"].map(line.set_index("party")["left"])
    left["close"] = np.where(left["time"] < until, _CLOSE, 1.0)
    return [walked, waited.assign(close=_CLOSE), left], line


def _in_order(knots: list[pd.DataFrame]) -> pd.DataFrame:
    """All stretches of each party's way, one after another; where one ends the next begins."""
    parts = [part.reindex(columns=KNOTS) for part in knots]
    frame = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    frame = frame.sort_values(["party", "time"], kind="stable")
    soon = (frame["party"].diff() == 0) & (frame["time"].diff() < _SOON)
    return frame[~soon].fillna({"close": 1.0}).astype({"still": bool}).reset_index(drop=True)


def _acts(stands: pd.DataFrame, plan: StorePlan) -> pd.DataFrame:
    """What hands did, in order of time."""
    parts = []
    for kind, name in (("reach", "reach"), ("take", "take"), ("return", "give_back")):
        rows = stands[stands[name].notna()]
        parts.append(
            plan.cells[["cell", "product"]].iloc[rows["cell"]].reset_index(drop=True).assign(
                party=rows["party"].to_numpy(), stop=rows["aim"].to_numpy(), member=rows["member"].to_numpy(),
                time=(rows["came"] + rows[name]).to_numpy(), kind=kind,
            )
        )  # fmt: skip
    return pd.concat(parts).sort_values(["party", "time"], kind="stable").reset_index(drop=True)


def _choices(stands: pd.DataFrame) -> pd.DataFrame:
    """One row for each stop: what was chosen from its zone, and when that was settled."""
    took = stands[stands["chosen"].to_numpy(bool) & stands["take"].notna()].set_index("aim")["cell"]
    stops = stands[stands["hold"] > 0].groupby("aim", as_index=False).last()
    settled = stops["came"] + stops["take"].fillna(stops["hold"])
    chosen = stops["aim"].map(took).fillna(-1).astype(int)
    return pd.DataFrame(
        {
            "stop": stops["aim"], "party": stops["party"], "member": stops["member"], "zone": stops["zone"],
            "chosen": chosen, "time": settled,
        }
    )  # fmt: skip
