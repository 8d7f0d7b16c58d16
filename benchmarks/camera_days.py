"""Dwell and waits of days of twelve hours: how often intervals hold the truth, without error and as cameras see.

    python -m benchmarks.camera_days                # cameras: a tenth missed, 0.2 m, a fifth of the meetings mistaken
    python -m benchmarks.camera_days --perfect      # true tracks

Short days are simulated; 500 long ones are made of eight of them each. The truth is the simulator's, all days together.
Intervals of `dwell_times` and `describe_queue` speak of other shoppers, not of what the camera does: here is how much
that matters, and what `rectify` makes of it with six hours more in which somebody wrote down what happened.
"""

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

import retailkit as rk
from benchmarks.zone_truth import with_person
from retailkit.lab.intervals import Estimate, coverage
from retailkit.lab.rectified import rectify
from retailkit.simulate.visits import Habits, StoreDay, simulate_store_day
from retailkit.store.visits import check_tracks, clean_tracks, describe_queue, dwell_times, find_queue, find_zone_visits

COLUMNS = ["quantity", "value", "low", "high"]
DESKS = ["checkout 1", "checkout 2"]
TOGETHER = 8  # short days in a long one
LABELLED = 4  # short days in a labelled stretch
TABLES = ("stays", "queue", "true stays", "true queue")
BLOCK = 600.0  # seconds


def day_of(seed: int, shoppers: float = 150, hours: float = 3) -> StoreDay:
    """Draw a day with service slow enough for lines."""
    habits = Habits(service=100)
    return simulate_store_day(
        seed=(41, seed), shoppers=shoppers, hours=hours, recording=(0, hours + 0.5), habits=habits
    )


def zones_of(day: StoreDay, observed: int | None, missed: float = 0.1, jitter: float = 0.2) -> pd.DataFrame:
    """Visits to zones with their true person, from true tracks, or from those that cameras see under a seed."""
    if observed is None:
        found = find_zone_visits(day.tracks, day.plan.zones)
        return found.assign(person=found["visit"])
    seen = day.observe(missed=missed, jitter=jitter, seed=observed).tracks
    tracks = clean_tracks(check_tracks(seen)[0])
    return with_person(find_zone_visits(tracks, day.plan.zones), tracks)


def shelves(zone_visits: pd.DataFrame) -> pd.DataFrame:
    return zone_visits[zone_visits["zone"].str.startswith("shelf")].assign(zone="shelves")


def told_of(stays: pd.DataFrame, queue: pd.DataFrame, groups) -> pd.DataFrame:
    return pd.concat([dwell_times(shelves(stays), groups, horizon=120), describe_queue(queue)])[COLUMNS]


def corrected(seen: dict[str, pd.DataFrame], labelled: dict[str, pd.DataFrame], groups) -> pd.DataFrame:
    """As `told_of`, put right by a stretch of which the truth was written down."""
    describes = {
        "stays": lambda rows: dwell_times(shelves(rows), groups, horizon=120),
        "queue": describe_queue,
    }
    tables = [
        rectify(describe, seen[name], labelled[name], labelled[f"true {name}"]) for name, describe in describes.items()
    ]
    return pd.concat(tables)[COLUMNS]


def as_defined(stays: pd.DataFrame) -> pd.DataFrame:
    """True stays under the definitions of `find_zone_visits`: who is back within 2 s has not left, a graze is none."""
    stays = stays.sort_values(["visit", "zone", "enter"], kind="stable")
    before = stays.groupby(["visit", "zone"])["leave"].shift()
    number = (~(stays["enter"] - before < 2.0)).cumsum()
    whole = stays.groupby(number.to_numpy()).agg(
        visit=("visit", "first"), zone=("zone", "first"), enter=("enter", "min"), leave=("leave", "max"),
        stopped=("stopped", "any"), depth=("depth", "max"), censored=("censored", "last"),
    ).assign(dwell=lambda rows: rows["leave"] - rows["enter"])  # fmt: skip
    whole = whole[(whole["depth"] >= 0.3) | (whole["dwell"] >= 2.0)]
    return whole.assign(again=whole.groupby(["visit", "zone"]).cumcount())


def one_day(seed: int, observed: bool) -> dict[str, Any]:
    """A short day: stays and queue as found, parties by found visit, true stays and the queue of the true tracks."""
    day = day_of(seed, shoppers=75, hours=1.5)
    shoppers = day.visitors["visit"][day.visitors["kind"] == "shopper"]
    exact = zones_of(day, None)
    found = zones_of(day, seed) if observed else exact
    stays, true = found[found["person"].isin(shoppers)], day.zone_visits[day.zone_visits["visit"].isin(shoppers)]
    names = stays.drop_duplicates("visit").groupby("person")["visit"].agg(list)
    parties = [[visit for person in party for visit in names.get(person, [])] for party in day.groups]
    queue, lined = (find_queue(zone_visits, "queue", DESKS) for zone_visits in (found, exact))
    return {
        "stays": _of_day(stays, "visit", "enter", seed), "queue": _of_day(queue, "spell", "join", seed),
        "groups": [tuple(f"{seed}-{visit}" for visit in party) for party in parties if len(party) > 1],
        "true stays": _of_day(as_defined(true), "visit", "enter", seed),
        "true queue": _of_day(lined, "spell", "join", seed),
    }  # fmt: skip


def _of_day(rows: pd.DataFrame, name: str, start: str, seed: int) -> pd.DataFrame:
    """Names of rows that mean something beside other days, and the stretch of the day that each began in."""
    names, blocks = ([f"{seed}-{one}" for one in values] for values in (rows[name], rows[start] // BLOCK))
    return rows.assign(**{name: names, "block": blocks})


def compare_days(
    *, observed: bool, days: int = 240, samples: int = 500, workers: int = 1, labelled: int = 0
) -> pd.DataFrame:
    """Put what long days say beside the truth, as they were seen and, with short days that are labelled, corrected.

    Returns
    -------
    DataFrame
        told (as seen, corrected), quantity, truth, bias (share of the truth), held (share of the intervals that hold
        it) with held_low and held_high, width (median of the intervals), samples.
    """
    short = _short_days(days, observed, workers)
    true = told_of(*_together(short, ("true stays", "true queue")).values(), ()).set_index("quantity")["value"]
    rng, told = np.random.default_rng(0), []
    for _ in tqdm(range(samples), "long days", delay=2, leave=False):
        chosen = [short[number] for number in rng.choice(days, TOGETHER + labelled, replace=False)]
        seen, groups = _together(chosen[:TOGETHER]), [party for day in chosen[:TOGETHER] for party in day["groups"]]
        told.append(told_of(seen["stays"], seen["queue"], groups).assign(told="as seen"))
        if labelled:
            told.append(corrected(seen, _together(chosen[TOGETHER:]), groups).assign(told="corrected"))
    return pd.DataFrame(
        {"told": how, **_summary(quantity, true[quantity], rows)}
        for (how, quantity), rows in pd.concat(told).groupby(["told", "quantity"])
    )


def _together(days: list[dict[str, Any]], names: Sequence[str] = TABLES) -> dict[str, pd.DataFrame]:
    return {name: pd.concat([day[name] for day in days], ignore_index=True) for name in names}


def _short_days(days: int, observed: bool, workers: int) -> list[dict[str, Any]]:
    work = partial(one_day, observed=observed)
    if workers == 1:
        return [work(seed) for seed in tqdm(range(days), "days", delay=2, leave=False)]
    with ProcessPoolExecutor(workers) as pool:
        return list(tqdm(pool.map(work, range(days), chunksize=5), "days", total=days, leave=False))


def _summary(quantity: str, truth: float, rows: pd.DataFrame) -> dict[str, Any]:
    share, width = coverage([Estimate(*row) for row in rows[["value", "low", "high"]].to_numpy()], truth)
    held = {"held": share.value, "held_low": share.low, "held_high": share.high, "width": width, "samples": len(rows)}
    return {"quantity": quantity, "truth": truth, "bias": rows["value"].mean() / truth - 1, **held}


def main() -> None:
    """Print the table and put it into one MLflow run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--perfect", action="store_true", help="true tracks in place of what cameras see")
    parser.add_argument("--days", type=int, default=240, help="short days that are simulated")
    parser.add_argument("--samples", type=int, default=500, help="long days made of them")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    run = rk.start_run("benchmark-camera-days", **vars(options))
    table = compare_days(
        observed=not options.perfect,
        days=options.days,
        samples=options.samples,
        workers=options.workers,
        labelled=0 if options.perfect else LABELLED,
    )
    print(run.show(table, "days").round(3).to_string(index=False))
    run.finish()


if __name__ == "__main__":
    main()
