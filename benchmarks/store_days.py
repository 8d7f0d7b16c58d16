"""A day of many stores, 1,000 visits each at ten pictures a second, from tracks to all tables: points per second.

    python -m benchmarks.store_days --stores 4 --workers 2          # two minutes
    python -m benchmarks.store_days --stores 400 --workers 2        # the day of a chain

A few days are simulated and seen through a camera (a tenth of the moments missed, 0.1 m of jitter, tracks that break),
written to disk in the order of time, and used in turn: each store's visits get new random keys, so that no two
store-days are the same to the machine. Reading and giving keys is timed apart. Beside it stands plain pandas
(`benchmarks.plain_visits`) on the first visits of one of these days: the same answers, and how much longer they take.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks import plain_visits
from retailkit.lab import project
from retailkit.lab.intervals import Estimate
from retailkit.simulate.visits import StoreDay, simulate_store_day
from retailkit.store.visits.beats import take_beats
from retailkit.store.visits.cleaning import clean_tracks
from retailkit.store.visits.crossings import find_crossings
from retailkit.store.visits.days import read_days, summarise_days
from retailkit.store.visits.flow import heat_map, peak_hours, zone_flow
from retailkit.store.visits.layout import Layout
from retailkit.store.visits.occupancy import find_occupancy
from retailkit.store.visits.pairs import describe_pairs
from retailkit.store.visits.queues import find_queue, queue_length
from retailkit.store.visits.smoothing import smooth_tracks
from retailkit.store.visits.tracks import check_tracks
from retailkit.store.visits.zones import find_zone_visits

Table = Callable[[], pd.DataFrame]
STEP = 0.1  # seconds between pictures
BREAKS = 1 / 200  # per second: how often a track breaks, as two of three visits do once


def main() -> None:
    """Summarise, print points per second, seconds by table, memory early and late; compare with plain pandas."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stores", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--visits", type=int, default=1000, help="shoppers in a store and day")
    parser.add_argument("--missed", type=float, default=0.1, help="share of the moments that the camera misses")
    parser.add_argument("--jitter", type=float, default=0.1, help="metres")
    parser.add_argument("--base", type=int, default=2, help="different days that are simulated")
    parser.add_argument("--sample", type=int, default=60, help="visits that plain pandas gets; 0 for none of it")
    parser.add_argument("--rounds", type=int, default=3, help="how often it is compared with plain pandas")
    parser.add_argument("--folder", help="where base days are kept for another time, by default nowhere")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(options.folder or scratch)
        home.mkdir(parents=True, exist_ok=True)
        layout, paths = _base_days(home, options)
        days = [
            (store, "day", partial(read_store, paths[store % len(paths)], store)) for store in range(options.stores)
        ]
        began = time.perf_counter()
        told = summarise_days(days, layout, Path(scratch) / "summary", workers=options.workers, again=True)
        _report(told, time.perf_counter() - began, options.workers, Path(scratch) / "summary")
        if options.sample:
            _compare(paths[0], layout, options.sample, options.rounds)


def _base_days(home: Path, options: argparse.Namespace) -> tuple[Layout, list[Path]]:
    """Simulate the base days and write them as a camera would: in the order of time."""
    paths, drawing = [], None
    began = time.perf_counter()
    for number in range(options.base):
        path = home / f"day-{options.visits}-{options.missed}-{options.jitter}-{number}.feather"
        if drawing is None or not path.exists():
            day = simulate_store_day(shoppers=options.visits, step=STEP, seed=number)
            drawing = draw(day)
            if not path.exists():
                seen = see(day.tracks, options.missed, options.jitter, number)
                seen.to_feather(path, compression="uncompressed")
        paths.append(path)
    print(f"base days: {options.base} simulated and written in {time.perf_counter() - began:.0f} s")
    assert drawing is not None
    return drawing, paths


def draw(day: StoreDay) -> Layout:
    """The lines and zones of a simulated store."""
    plan = day.plan
    zones = {name: [tuple(point) for point in points] for name, points in plan.zones.items()}
    service = sorted(plan.checkouts["zone"])
    return Layout(lines=plan.doors, zones=zones, queue=plan.queue_zone, service=service)


def see(tracks: pd.DataFrame, missed: float, jitter: float, seed: int) -> pd.DataFrame:
    """Spoil true tracks: moments missed, jitter, and tracks that break in two; rows in the order of time."""
    rng = np.random.default_rng(seed)
    breaks = (rng.random(len(tracks)) < BREAKS * STEP) | (tracks["visit"].diff() != 0).to_numpy()
    seen = tracks.assign(visit=np.cumsum(breaks))
    seen[["x", "y"]] += rng.normal(0, jitter, (len(seen), 2))
    seen = seen[rng.random(len(seen)) >= missed]
    return seen.sort_values("time", kind="stable").reset_index(drop=True)[["visit", "time", "x", "y"]]


def read_store(path: Path, store: int) -> pd.DataFrame:
    """Read a base day as that of another store: each visit has a new random key of 62 bits."""
    tracks = pd.read_feather(path, use_threads=False)
    keys = np.random.default_rng(store).integers(0, 2**62, int(tracks["visit"].max()) + 1)
    return tracks.assign(visit=keys[tracks["visit"]])


def _report(told: pd.DataFrame, wall: float, workers: int, folder: Path) -> None:
    if (told["problem"] != "").any():
        raise SystemExit(f"store-days failed:\n{told.loc[told['problem'] != '', ['store', 'problem']]}")
    points, work = told["points"].sum(), (told["seconds"] - told["reading"]).sum()
    speed = told["points"] / (told["seconds"] - told["reading"]) * workers / 1e6
    print(f"{len(told)} store-days, {points / 1e6:.1f} million points, {told['visits'].mean():.0f} visits each")
    print(f"to all tables: {points / work * workers / 1e6:.2f} million points/s on {workers} cores", end="")
    print(f" (store-days from {speed.min():.2f} to {speed.max():.2f})")
    print(
        f"with reading, new keys and the start of processes: {points / wall / 1e6:.2f} million points/s, {wall:.0f} s"
    )
    seconds = read_days(folder, "seconds").groupby("table", sort=False)["seconds"].sum()
    steps = pd.concat([pd.Series({"reading, keys": told["reading"].sum()}), seconds])
    print((steps / points * 1e9).round(0).astype(int).rename("ns a point and core").to_string())
    early, late = told["memory"].iloc[: max(len(told) // 4, 1)].max(), told["memory"].max()
    print(f"most memory of a worker: {early:.0f} MB in the first quarter, {late:.0f} MB in all")
    print(f"tables on disk: {sum(path.stat().st_size for path in folder.rglob('*.parquet')) / 1e6:.1f} MB")


def _compare(path: Path, layout: Layout, visits: int, rounds: int) -> None:
    """Time both on the first visits of a day, in turn, and print how many times as long plain pandas takes."""
    tracks = read_store(path, 0)
    tracks = tracks[tracks["visit"].isin(tracks["visit"].drop_duplicates().iloc[:visits])].reset_index(drop=True)
    rows = [one_round(tracks, layout) for _ in range(rounds)]
    table = pd.DataFrame([{name: plain / ours for name, (ours, plain) in row.items()} for row in rows])
    print(
        f"\nplain pandas on {visits} visits, {len(tracks):,} points: the same answers; times as long, {rounds} rounds"
    )
    for name in table:
        print(f"  {name:12s} {_ratio(table[name]):.1f}")


def _ratio(ratios: pd.Series) -> Estimate:
    """Geometric mean with Student's interval (1908) of the logarithms."""
    logs = np.log(ratios)
    low, high = stats.t.interval(0.95, len(logs) - 1, logs.mean(), stats.sem(logs)) if len(logs) > 1 else [np.nan] * 2
    return Estimate(*np.exp([logs.mean(), low, high]), units=len(logs), unit_name="rounds")


def one_round(tracks: pd.DataFrame, layout: Layout) -> dict[str, tuple[float, float]]:
    """Seconds that we and plain pandas take for each table, after a look that the answers are the same."""
    found: dict[str, tuple[float, float]] = {}
    for name, ours, plain, columns in contests(tracks, layout):
        seconds, answers = [], []
        for work in (ours, plain):
            began = time.perf_counter()
            answers.append(work())
            seconds.append(time.perf_counter() - began)
        check_same(name, *answers, columns.split())
        found[name] = (seconds[0], seconds[1])
    return {**found, "all of these": tuple(np.sum(list(found.values()), axis=0))}


def contests(tracks: pd.DataFrame, layout: Layout) -> Iterator[tuple[str, Table, Table, str]]:
    """Name, ours, plain pandas', and the columns that have to agree.

    How tracks are joined and put right (`clean_tracks`) has no plain peer: both sides get its ways, and its smoothing
    alone is compared. Plain pandas is spared all intervals.
    """
    plain, queue, service = plain_visits, [str(layout.queue)], list(layout.service)
    yield "check", lambda: check_tracks(tracks)[1], lambda: plain.check(tracks)[1], "row visit time problem"
    good = check_tracks(tracks)[0]
    yield "smoothing", lambda: smooth_tracks(good), lambda: plain.smooth(good), "visit time x y"
    ways = clean_tracks(good)
    beats = take_beats(ways)
    (line,) = layout.lines.values()
    passed, stays = find_crossings(ways, line), find_zone_visits(ways, layout.zones)
    yield "crossings", lambda: find_crossings(ways, line), lambda: plain.crossings(ways, line), "visit time x direction"
    columns = "visit zone enter leave dwell again censored"
    yield (
        "zone visits",
        lambda: find_zone_visits(ways, layout.zones),
        lambda: plain.zone_visits(ways, layout.zones),
        columns,
    )
    yield "groups", lambda: describe_pairs(beats), lambda: plain.pairs(beats), "one other seconds distance overlap"
    yield "flow", lambda: zone_flow(stays), lambda: plain.flow(stays), "start end count visits share"
    yield "heat map", lambda: heat_map(beats), lambda: plain.heat(beats), "x y seconds visits"
    yield "peak hours", lambda: peak_hours(passed), lambda: plain.hours(passed), "start count"
    day = (np.floor(passed["time"].min() / 3600) * 3600, np.ceil(passed["time"].max() / 3600) * 3600)
    inside = partial(find_occupancy, passed, *day, missed=layout.missed, after=None)
    yield "occupancy", inside, lambda: plain.inside(passed, *day), "time counted"
    waits = find_queue(stays, queue, service)
    yield (
        "queue",
        lambda: find_queue(stays, queue, service),
        lambda: plain.queue(stays, queue, service),
        "visit join wait",
    )
    yield "waiting", lambda: queue_length(waits), lambda: plain.waiting(waits), "time length longest"


def check_same(name: str, ours: pd.DataFrame, plain: pd.DataFrame, columns: list[str]) -> None:
    """Raise AssertionError unless both tables say the same, to the micrometre and microsecond."""
    by = [column for column in columns if column in ("visit", "start", "end", "one", "other", "y", "x", "time", "row")]
    both = [table[columns].sort_values(by, ignore_index=True) for table in (ours, plain)]
    pd.testing.assert_frame_equal(*both, check_dtype=False, rtol=0, atol=1e-6, obj=name)


if __name__ == "__main__":
    project.quiet()
    main()
