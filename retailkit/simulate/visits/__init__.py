"""Shoppers in a store, by planogram and store plan, with exact truth.

    day = simulate_store_day(default_plan(), shoppers=600, seed=1)
    day.tracks, day.crossings, day.zone_visits, day.hands, day.funnel, day.queue, day.choices
    seen = observe(day, missed=0.1, hand_confused=0.1, seed=1)    # seen.tracks, seen.hands: what cameras make of it

Parties arrive by chance with rushes, walk from shelf to shelf past obstacles, stop, reach, take and return by a logit
that is known, stand in line, pay or give up. Staff fill shelves and sit at checkouts. Whatever is said of the day is
true of it exactly, and none of it was found by looking at tracks as an estimator would.
"""

from retailkit.simulate.visits.day import StoreDay, simulate_store_day, simulate_stores
from retailkit.simulate.visits.habits import Habits
from retailkit.simulate.visits.layout import default_plan, make_plan
from retailkit.simulate.visits.observing import Observed, observe
from retailkit.simulate.visits.plan import StorePlan

__all__ = [
    "Habits",
    "Observed",
    "StoreDay",
    "StorePlan",
    "default_plan",
    "make_plan",
    "observe",
    "simulate_store_day",
    "simulate_stores",
]
