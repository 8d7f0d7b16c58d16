"""The tidy frames of truth, from what parties did and where their ways led."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.simulate.visits.choosing import NOTHING
from retailkit.simulate.visits.plan import StorePlan
from retailkit.simulate.visits.trips import Trips
from retailkit.simulate.visits.truth import stay_in_zones

STOOD = 0.5  # seconds on purpose that make a stop


def find_zone_truth(ways: pd.DataFrame, people: pd.DataFrame, trips: Trips, plan: StorePlan) -> pd.DataFrame:
    """Find every stay in every zone, and whether the party stood there on purpose."""
    stays = stay_in_zones(ways, plan.zones)
    party = people["party"].to_numpy()[stays["visit"].to_numpy(int)]
    stood = _stood(party, stays["enter"].to_numpy(), stays["leave"].to_numpy(), trips.stands) >= STOOD
    stays.insert(5, "stopped", stood)
    return stays


def _stood(party: NDArray, enter: NDArray, leave: NDArray, stands: pd.DataFrame) -> NDArray[np.float64]:
    """Seconds that parties stood on purpose between two times each; stands of a party do not overlap."""
    far = 1e7  # seconds: further than any day, so that parties lie apart on one axis
    start = (stands["party"] * far + stands["start"]).to_numpy(float)
    length = (stands["end"] - stands["start"]).to_numpy(float)
    summed = np.append(0.0, np.cumsum(length))

    def until(moment: NDArray) -> NDArray:
        row = np.searchsorted(start, moment, side="right")
        last = np.maximum(row - 1, 0)
        over = np.maximum(length[last] - (moment - start[last]), 0) if len(start) else 0.0
        return summed[row] - np.where(row > 0, over, 0)

    return until(party * far + leave) - until(party * far + enter)


def _visits(rows: pd.DataFrame, people: pd.DataFrame) -> NDArray[np.intp]:
    """The visit of each row's party and member, -1 for those outside of the recording."""
    known = people.set_index(["party", "member"])["visit"]
    return known.reindex(pd.MultiIndex.from_frame(rows[["party", "member"]])).fillna(-1).to_numpy(int)


def _within(rows: pd.DataFrame, visit: NDArray, recording: tuple[float, float]) -> NDArray[np.bool_]:
    return (visit >= 0) & rows["time"].between(*recording).to_numpy(bool)


def find_hands(people: pd.DataFrame, trips: Trips, recording: tuple[float, float]) -> pd.DataFrame:
    """List what hands did within the recording: visit, time, cell, kind, probability, product."""
    visit = _visits(trips.acts, people)
    hands = trips.acts.assign(visit=visit, probability=1.0)[_within(trips.acts, visit, recording)]
    columns = ["visit", "time", "cell", "kind", "probability", "product"]
    return hands.sort_values(["visit", "time"], kind="stable")[columns].reset_index(drop=True)


def find_funnel(
    stays: pd.DataFrame, hands: pd.DataFrame, visitors: pd.DataFrame, trips: Trips, plan: StorePlan
) -> pd.DataFrame:
    """Follow each shopper and each cell of the zones it was in: passed, stopped, reached, took, kept, bought."""
    shoppers = visitors["visit"][visitors["kind"] == "shopper"]
    seen = stays[stays["visit"].isin(shoppers)].groupby(["visit", "zone"], as_index=False)["stopped"].max()
    funnel = seen.merge(plan.cells[["cell", "zone", "product"]], on="zone")
    funnel.insert(3, "passed", True)
    counts = hands.pivot_table(index=["visit", "cell"], columns="kind", values="time", aggfunc="count", fill_value=0)
    counts = counts.reindex(columns=["reach", "take", "return"], fill_value=0)
    counts = counts.reindex(pd.MultiIndex.from_frame(funnel[["visit", "cell"]]), fill_value=0).reset_index(drop=True)
    party = visitors.set_index("visit")["group"]
    unpaid = trips.line["party"][trips.line["checkout"] == ""]
    kept = counts["take"] > counts["return"]
    funnel = funnel.assign(
        reached=counts["reach"] > 0, took=counts["take"] > 0, kept=kept,
        bought=kept & ~funnel["visit"].map(party).isin(unpaid),
    )  # fmt: skip
    columns = ["visit", "cell", "zone", "product", "passed", "stopped", "reached", "took", "kept", "bought"]
    return funnel[columns].sort_values(["visit", "cell"], kind="stable").reset_index(drop=True)


def find_choices(people: pd.DataFrame, trips: Trips, plan: StorePlan, recording: tuple[float, float]) -> pd.DataFrame:
    """List every choice at a shelf with all that could be chosen, nothing included."""
    visit = _visits(trips.choices, people)
    made = trips.choices.assign(visit=visit)[_within(trips.choices, visit, recording)]
    made = made.sort_values(["visit", "time"], kind="stable").reset_index(drop=True)
    names = [name for name in plan.preference if name != NOTHING]
    options = plan.cells[["cell", "zone", "product", *[name for name in names if name != "zone"]]]
    options = options.assign(**{NOTHING: 0.0}, row=np.arange(len(options)))
    nothing = pd.DataFrame({"zone": plan.shelf_zones, "cell": NOTHING, "product": NOTHING, "row": -1, NOTHING: 1.0})
    options = pd.concat([options, nothing.assign(**dict.fromkeys(names, 0.0))], ignore_index=True)
    zone = np.array(plan.shelf_zones, dtype=object)[made["zone"].to_numpy(int)]
    made = made.assign(situation=np.arange(len(made)), zone=zone)[["situation", "visit", "time", "zone", "chosen"]]
    full = made.merge(options, on="zone").sort_values(["situation", "row"], kind="stable").reset_index(drop=True)
    full["chosen"] = full["chosen"] == full["row"]
    columns = ["situation", "visit", "time", "zone", "cell", "product", *names, NOTHING, "chosen"]
    return full[columns]


def find_queue(stays: pd.DataFrame, people: pd.DataFrame, trips: Trips, plan: StorePlan, until: float) -> pd.DataFrame:
    """Tell of everybody in the line when they joined, were served and left, by where their ways cut zones' edges.

    `until` (seconds) is the recording's end.
    """
    waits = stays[stays["zone"] == plan.queue_zone].merge(people[["visit", "party"]], on="visit")
    waits = _longest_overlap(waits.merge(trips.line, on="party"), "reached", "gone")
    desks = plan.checkouts[["checkout", "zone"]].rename(columns={"zone": "desk"})
    paid = waits[["visit", "checkout", "called", "left"]].merge(desks, on="checkout")
    paid = paid.merge(stays, on="visit").query("zone == desk")
    from_desk = _longest_overlap(paid, "called", "left").set_index("visit")["leave"]
    waits = waits.assign(from_desk=waits["visit"].map(from_desk).to_numpy(dtype=float))
    return _queue_frame(waits, until)


def _longest_overlap(stays: pd.DataFrame, start: str, end: str) -> pd.DataFrame:
    """Of each visit's stays the one that has most of the time between two columns."""
    shared = stays[["leave", end]].min(axis=1) - stays[["enter", start]].max(axis=1)
    stays = stays.assign(shared=shared)[shared >= 0].sort_values(["visit", "shared"], kind="stable")
    return stays.drop_duplicates("visit", keep="last")


def _queue_frame(waits: pd.DataFrame, until: float) -> pd.DataFrame:
    over, pays = (waits["leave"] < until).to_numpy(bool), (waits["checkout"] != "").to_numpy(bool)
    served, gone = np.where(over & pays, waits["leave"], np.nan), np.where(over & ~pays, waits["leave"], np.nan)
    left = np.where(waits["from_desk"] < until, waits["from_desk"], gone)
    frame = pd.DataFrame(
        {
            "visit": waits["visit"], "checkout": waits["checkout"].where(over & pays, ""),
            "join": waits["enter"], "served": served, "left": left, "wait": waits["leave"] - waits["enter"],
            "abandoned": over & ~pays, "payer": ~waits["party"].duplicated(), "censored": waits["censored"],
        }
    )  # fmt: skip
    return frame.sort_values(["join", "visit"], kind="stable").reset_index(drop=True)
