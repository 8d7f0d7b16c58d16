"""A simulated day as a store's data scientist gets it: what cameras saw, the floor plan, and, beside it, the truth."""

from typing import Any

from retailkit.simulate.visits.day import simulate_store_day
from retailkit.simulate.visits.observing import observe


def record_day(
    visits: int = 300,
    hours: float = 12,
    missed: float = 0.1,
    jitter: float = 0.15,
    broken: float = 0.1,
    swapped: float = 0.1,
    seed: int = 0,
) -> dict[str, Any]:
    """Simulate a day and let the cameras see it.

    Parameters
    ----------
    visits : int
        Shoppers that come on average.
    hours : float
        Opening hours.
    missed, jitter, broken, swapped : float
        The cameras' faults, as `observe` takes them.
    seed : int

    Returns
    -------
    dict
        The fields of `retailkit.datasets.stores.StoreRecording`; ``truth`` holds the simulator's frames by name.
    """
    day = simulate_store_day(shoppers=visits, hours=hours, seed=seed)
    seen = observe(day, missed=missed, jitter=jitter, broken=broken, swapped=swapped, seed=seed)
    watched = hours * 1200.0  # the first third
    begun = day.tracks.groupby("visit")["time"].min()
    frames = ("visitors", "crossings", "zone_visits", "hands", "funnel", "queue", "choices", "tracks")
    return {
        "tracks": seen.tracks,
        "hands": seen.hands,
        "zones": dict(day.plan.zones),
        "lines": dict(day.plan.doors),
        "cells": day.plan.cells,
        "checkouts": tuple(day.plan.checkouts["zone"]),
        "queue": day.plan.queue_zone,
        "groups": day.groups,
        "opens": 0.0,
        "closes": hours * 3600.0,
        "counted": tuple(begun[begun <= watched]),
        "counted_until": watched,
        "truth": {name: getattr(day, name) for name in frames},
    }
