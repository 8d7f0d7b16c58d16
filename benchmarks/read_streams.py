"""Reads of many days end to end, from what readers tell to who left with what: how long, in how much memory.

    python -m benchmarks.read_streams                            # up to 10 million reads; five minutes the first time
    python -m benchmarks.read_streams --reads 1.3 10 100         # the first time, 40 days are simulated

Days of two hours in the setting 'strangers' are simulated and written to disk, once; that, and reading them, is timed
apart. Each stretch of a day is checked, binned, made ready and fused by one of the worker processes, and the parent
joins those of a day. Beside seconds on the wall, which others on the machine prolong, stand seconds of work (of one
core, all processes together, reading left out), by stage; the slope is that of log-work on log-reads. Each size has
processes of its own in each round, so that the most memory that they ever held is that of this size; rounds differ in
where among the days they begin, and sizes share days. In the end plain pandas (`benchmarks.plain_reads`) gets the
first minutes of some days: the same numbers from the same reads (presence, how tags are heard where they lie, what each
bin says of shelf and carriers), and how many times as long it takes.
"""

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from tqdm import tqdm

from benchmarks import plain_reads
from benchmarks.plain_reads import Features
from retailkit.lab import project
from retailkit.lab.intervals import Estimate
from retailkit.simulate.radio import SETTINGS, sense_day
from retailkit.simulate.radio.goods import Habit
from retailkit.store.fusion import acts, following, hearing, sensors, stretches
from retailkit.store.fusion.disk import read_sensors, read_times, write_sensors
from retailkit.store.fusion.sensors import Scene, Sensors, prepare, sensors_of
from retailkit.store.fusion.stretches import Stretch, Told

HOURS, SHOPPERS = 2.0, 80.0  # of a day, and expected in each hour, as in 'strangers'
STAGES: dict[str, tuple[ModuleType, str]] = {
    "read": (stretches, "read_sensors"), "check": (sensors, "check_reads"), "prepare": (stretches, "prepare"),
    "presence": (following, "find_presence"), "fuse": (stretches, "fuse_scene"),
}  # fmt: skip
INSIDE = {"prepare": "check", "fuse": "presence"}  # stages within others


def main() -> None:
    """Simulate what is not there, print seconds and memory by size, the slope, stages, and plain pandas' times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reads", type=float, nargs="+", default=[1.3, 2.6, 5.2, 10.4], help="millions; sizes to time")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is timed")
    parser.add_argument("--once", type=float, default=50.0, help="millions from which a size is timed only once")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--plain", type=float, default=1800.0, help="seconds of a day that plain pandas gets; 0: none")
    parser.add_argument("--plain-days", type=int, default=4, help="days on which it is compared")
    parser.add_argument("--facings", type=int, default=8, help="pieces in a cell in the morning")
    parser.add_argument("--folder", help="where days are kept, by default below the project's .cache")
    options = parser.parse_args()
    home = Path(options.folder or project.folder(".cache") / "read-streams")
    days = make_days(options.workers, home, max(options.reads), options.plain_days, options.facings)
    jobs = [(day, stretch) for day in days for stretch in stretches.plan_stretches(day)]
    each = 1e-6 * sum(len(read_times(day, "reads")) for day in days) / len(jobs)
    sizes = sorted({max(round(size / each), 1) for size in options.reads})
    rows = []
    for turn in range(options.rounds):
        for size in sizes:
            if turn == 0 or size * each < options.once:
                first = turn * size % (len(jobs) - size + 1)
                with _pool(1) as parent:
                    told = parent.submit(time_jobs, jobs[first : first + size], options.workers).result()
                rows.append({"round": turn, **told})
                print(pd.Series(rows[-1]).round(3).to_dict(), flush=True)
    report(pd.DataFrame(rows), options.workers)
    if options.plain:
        compare(days[: options.plain_days], options.plain)


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))


def make_days(workers: int, home: Path, millions: float, least: int, facings: int) -> list[Path]:
    """Simulate and write as many days as hold so many reads, but for those that are there."""
    number = max(int(np.ceil(millions / (1.23 * (HOURS + 0.12)))), least)
    days = [home / f"strangers-{HOURS}h-{facings}-{1000 + day}" for day in range(number)]
    missing = [day for day in days if not day.exists()]
    began = time.perf_counter()
    with _pool(workers) as pool:
        done = pool.map(partial(make_day, facings=facings), missing)
        spent = list(tqdm(done, "days simulated", total=len(missing)))
    size = sum(path.stat().st_size for day in days for path in day.iterdir()) / 1e9
    print(f"{number} days, {size:.2f} GB; {len(missing)} simulated in {time.perf_counter() - began:.0f} s", end="")
    print(f" (writing {sum(spent):.1f} s)" if spent else "")
    return days


def make_day(day: Path, facings: int) -> float:
    """Simulate a day whose seed its folder's name ends with, and write it; seconds of writing."""
    setting = replace(SETTINGS["strangers"], hours=HOURS, shoppers=SHOPPERS * HOURS, goods=Habit(facings=facings))
    told = sensors_of(sense_day(setting, int(day.name.rsplit("-", 1)[1])))
    began, half = time.perf_counter(), day.with_suffix(".part")
    write_sensors(told, half)
    half.rename(day)
    return time.perf_counter() - began


def fuse_timed(job: tuple[Path, Stretch]) -> tuple[Told, dict[str, float]]:
    """Fuse a stretch, and say how long each stage took, and how much memory this process has ever held."""
    spent: dict[str, float] = dict.fromkeys(STAGES, 0.0)
    began = time.process_time()
    with _clocks(spent):
        told = stretches.fuse_stretch(*job)
    spent["work"] = time.process_time() - began - spent["read"]
    for outer, inner in INSIDE.items():
        spent[outer] -= spent[inner]
    times = read_times(job[0], "reads")
    spent["reads"] = float(((times >= job[1].begin) & (times < job[1].end)).sum())
    spent["process"] = float(multiprocessing.current_process().pid or 0)
    return told, {**spent, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6}


@contextmanager
def _clocks(spent: dict[str, float]) -> Iterator[None]:
    """Have the functions of all stages add their seconds of work to `spent`."""
    kept = {stage: getattr(*place) for stage, place in STAGES.items()}
    try:
        for stage, (module, name) in STAGES.items():
            setattr(module, name, _clocked(stage, kept[stage], spent))
        yield
    finally:
        for stage, (module, name) in STAGES.items():
            setattr(module, name, kept[stage])


def _clocked(stage: str, inner: Callable[..., Any], spent: dict[str, float]) -> Callable[..., Any]:
    def clocked(*given: Any, **named: Any) -> Any:
        began = time.process_time()
        try:
            return inner(*given, **named)
        finally:
            spent[stage] += time.process_time() - began

    return clocked


def time_jobs(jobs: list[tuple[Path, Stretch]], workers: int) -> dict[str, float]:
    """Fuse stretches by processes of its own, and join those of each day: seconds, reads, memory.

    What the parent does (it receives and joins what they found) is a stage, and work like any other.
    """
    with _pool(workers) as pool:
        list(pool.map(fuse_timed, jobs[:1] * 2 * workers))  # starts processes, loads what is compiled
        began, own = time.perf_counter(), time.process_time()
        spent = _fuse_and_join(pool, jobs)
        wall, join = time.perf_counter() - began, time.process_time() - own
    table = pd.DataFrame(spent)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6 + table.groupby("process")["memory"].max().sum()
    stages = {name: float(table[name].sum()) for name in STAGES}
    sums = {**stages, "join": join, "work": float(table["work"].sum()) + join}
    return {"reads": table["reads"].sum() / 1e6, "stretches": len(jobs), "wall": wall, **sums, "memory": memory}


def _fuse_and_join(pool: ProcessPoolExecutor, jobs: list[tuple[Path, Stretch]]) -> list[dict[str, float]]:
    spent, told = [], []
    for (_, stretch), (one, times) in zip(jobs, pool.map(fuse_timed, jobs), strict=True):
        spent.append(times)
        told.append(one)
        if np.isposinf(stretch.end):
            stretches.join_stretches(told)
            told = []
    if told:
        stretches.join_stretches(told)
    return spent


def report(rows: pd.DataFrame, workers: int) -> None:
    """Print what each size took, the slope of work, and stages."""
    print(f"\nseconds on {workers} cores by size (mean and Student's interval over rounds); GB of all processes")
    for number, same in rows.groupby("stretches"):
        told = {name: _mean(same[name]) for name in ("wall", "work")}
        print(f"{same['reads'].mean():8.2f} million, {number} stretches:", end=" ")
        print(", ".join(f"{name} {value:.1f}" for name, value in told.items()), f"memory {same['memory'].max():.2f}")
    if rows["stretches"].nunique() > 1:
        slope = find_slope(rows["reads"], rows["work"])
        print(f"log-log slope of work on reads: {slope:.3f}; runs share days, so the interval is not one over days")
    per = rows[[*STAGES, "join"]].div(rows["reads"], axis=0)
    print("\nseconds of one core per million reads, by stage")
    for name in per:
        print(f"{name:10s} {_mean(per[name]):.3f}")


def find_slope(reads: pd.Series, work: pd.Series) -> Estimate:
    """The slope of log-work on log-reads by least squares over all runs, with Student's interval.

    Runs reuse days, the larger ones those of the smaller: the interval tells how well these runs agree on one slope,
    and is too narrow for one of other days.
    """
    fit = stats.linregress(np.log(reads), np.log(work))
    half = stats.t.ppf(0.975, len(reads) - 2) * fit.stderr
    return Estimate(fit.slope, fit.slope - half, fit.slope + half, units=len(reads), unit_name="runs")


def _mean(values: pd.Series) -> Estimate:
    """The mean, with Student's interval (1908)."""
    few = len(values) < 2
    low, high = [np.nan] * 2 if few else stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
    return Estimate(float(values.mean()), float(low), float(high), units=len(values), unit_name="rounds")


class Case(NamedTuple):
    """A part of a day made ready, from which features are found."""

    scene: Scene
    acts: acts.Acts
    curves: hearing.Curves


def ready(told: Sensors) -> Case:
    """Make ready, and learn how antennas hear what is carried: neither is timed."""
    scene = prepare(told)
    found = acts.find_acts(scene)
    day, guess = following.Day.of(scene, found), hearing.first_guess(scene.sensors.antennas)
    return Case(scene, found, day.follow(scene.identity, guess, 0.06, 2)[1])


def features_of(case: Case) -> tuple[following.Day, list[tuple[int, np.ndarray, np.ndarray]]]:
    """What `fuse_scene` finds of reads: presence, how tags lie, and each moved tag's bins on its shelf and carried."""
    day = following.Day.of(case.scene, case.acts)
    quiet, weighed = hearing.silence(day.floor, case.curves), []
    for place, tag in enumerate(day.moved):
        begin = _begin(day, place)
        number, antenna, rssi = day.reads.since(tag, begin)
        lies, bins = (day.lying.chance[tag], day.lying.strength[tag]), day.presence.bins - begin
        shelf = hearing.heard_there(bins, number - begin, antenna, rssi, *lies, 5.0)
        carried = day.gains(tag, begin, number, antenna, rssi, case.curves, quiet, shelf)
        weighed.append((begin, shelf, carried))
    return day, weighed


def _begin(day: following.Day, place: int) -> int:
    return max(int(day.act_bin[day.able[place]].min()) - following.EARLY, 0)


def find_ours(case: Case) -> Features:
    """The same, in tables as plain pandas has them, to compare."""
    day, weighed = features_of(case)
    epcs, ears = np.array(day.presence.tags.astype(str)), day.presence.antennas
    bins, antennas = np.nonzero(day.presence.listening)
    share = day.presence.listening[bins, antennas]
    tags, columns = np.indices(day.lying.chance.shape)
    lying = {"epc": epcs[tags.ravel()], "antenna": ears[columns.ravel()], "chance": day.lying.chance.ravel()}
    places, seen = _places(day)
    shelves, people = [], []
    for tag, (begin, shelf, carried) in zip(day.moved, weighed, strict=True):
        rows = slice(day.floor.first[begin], None)
        shelves.append(pd.DataFrame({"epc": epcs[tag], "bin": begin + np.arange(len(shelf)), "told": shelf}))
        people.append(places.iloc[rows][["bin", "piece"]].assign(epc=epcs[tag], told=carried)[seen[rows]])
    return Features(
        day.presence.table.assign(epc=day.presence.table["epc"].astype(str)),
        pd.DataFrame({"bin": bins, "antenna": ears[antennas], "share": share}),
        pd.DataFrame({**lying, "strength": day.lying.strength.ravel()}),
        pd.concat(shelves, ignore_index=True),
        pd.concat(people, ignore_index=True),
    )


def _places(day: following.Day) -> tuple[pd.DataFrame, np.ndarray]:
    """Where everybody was in each bin: bin, piece, x, y; and whether that is known."""
    floor = day.floor
    bins = np.repeat(np.arange(day.presence.bins), np.diff(floor.first))
    places = pd.DataFrame({"bin": bins, "piece": floor.piece, "x": floor.place[:, 0], "y": floor.place[:, 1]})
    return places, floor.seen


def given(case: Case) -> dict[str, Any]:
    """What plain pandas is given beside reads: where tags should lie, from when they may have moved, and the curves."""
    day, antennas = following.Day.of(case.scene, case.acts), case.scene.sensors.antennas
    epcs, bins = day.presence.tags.astype(str), day.presence.bins
    begin, until = np.full(len(epcs), np.nan), np.full(len(epcs), bins)
    begin[day.moved] = [_begin(day, place) for place in range(len(day.moved))]
    until[day.moved] = [max(int(day.act_bin[rows].min()) - 2, 1) for rows in day.able]
    shelf = pd.factorize(case.scene.tags["product"])[0]
    tags = {"epc": epcs, "shelf": shelf, "until": until, "begin": begin, "x": day.home[:, 0], "y": day.home[:, 1]}
    ear, step = np.indices(case.curves.chance.shape)
    curves = {"antenna": antennas["antenna"].to_numpy()[ear.ravel()], "step": step.ravel(),
              "chance": case.curves.chance.ravel(), "strength": case.curves.strength.ravel()}  # fmt: skip
    places, seen = _places(day)
    return {
        "reads": case.scene.sensors.reads, "places": places[seen], "antennas": antennas,
        "tags": pd.DataFrame(tags), "curves": pd.DataFrame(curves), "start": day.presence.start, "bins": bins,
    }  # fmt: skip


def plainly(case: Case) -> Features:
    """What plain pandas finds."""
    return plain_reads.find_features(**given(case))


def compare(days: list[Path], seconds: float) -> None:
    """Time both on the first part of each day, in turn, and print how many times as long plain pandas takes."""
    ratios, reads, spent = [], [], []
    for day in days:
        case = ready(read_sensors(day, end=seconds))
        told = given(case)
        times = []
        for find in (partial(features_of, case), partial(plain_reads.find_features, **told)):
            began = time.process_time()
            find()
            times.append(time.process_time() - began)
        reads.append(len(told["reads"]) / 1e6)
        spent.append(times)
        ratios.append(np.log(times[1] / times[0]))
    middle = _mean(pd.Series(ratios))
    value, low, high = np.exp([middle.value, middle.low, middle.high]).tolist()
    told_ratio = Estimate(value, low, high, units=len(ratios), unit_name="days")
    ours, plain = (np.sum(spent, axis=0) / np.sum(reads)).tolist()
    print(
        f"\nfeatures of reads on the first {seconds:g} s of {len(days)} days, {np.mean(reads):.2f} million reads each:"
    )
    print(f"ours {ours:.2f} s of work a million, plain pandas {plain:.2f} s; times as long {told_ratio:.2f}")


if __name__ == "__main__":
    project.quiet()
    main()
