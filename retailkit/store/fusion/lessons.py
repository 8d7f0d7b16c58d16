"""What methods that learn take from tuning days: early and late fusion, ours, and the oracle.

    learned = learn_days(sense_day, SETTINGS, range(1000, 1010))
    learned.add(scene, {"ours untaught": fuse_scene(scene)})    # with ours, and early and late fusion

All strata are learned from together, as no store knows its own.
"""

import multiprocessing
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, TypeVar

import pandas as pd
from tqdm import tqdm

from retailkit.store.fusion import early, late
from retailkit.store.fusion.attribution import Attribution
from retailkit.store.fusion.calibration import label_beliefs
from retailkit.store.fusion.candidates import find_candidates
from retailkit.store.fusion.joint import fuse_scene
from retailkit.store.fusion.recalibration import Curves, fit_curves, recalibrate
from retailkit.store.fusion.sensors import Scene, oracle_of, prepare, sensors_of
from retailkit.store.fusion.taught import Taught, teach_labelled
from retailkit.store.fusion.truth import truth_of

UNTAUGHT = "ours untaught"
Result = TypeVar("Result")


class Lesson(NamedTuple):
    """What one tuning day teaches.

    Attributes
    ----------
    candidates, oracle : DataFrame
        Labelled, with what ours says of each; and the same as the oracle sees the day.
    units : DataFrame
        Of late fusion, labelled.
    sold : DataFrame
        What truly left.
    day : int
        The seed: strata of one seed share chance, and may share shoppers, so that they are one day.
    """

    candidates: pd.DataFrame
    oracle: pd.DataFrame
    units: pd.DataFrame
    sold: pd.DataFrame
    day: int


class Learned(NamedTuple):
    """What was learned from all tuning days.

    Attributes
    ----------
    early : Taught
        Early fusion, and the curves that put it right.
    late : LateFusion
    late_curves : Curves
    ours, oracle : Taught
        Called on a scene; the oracle on one of `oracle_of`.
    """

    early: Taught
    late: late.LateFusion
    late_curves: Curves
    ours: Taught
    oracle: Taught

    def add(self, scene: Scene, found: Mapping[str, Attribution]) -> dict[str, Attribution]:
        """Add methods that learn to what others found, early and late fusion twice: as they are, and put right."""
        untaught = found[UNTAUGHT] if UNTAUGHT in found else fuse_scene(scene)
        candidates = find_candidates(scene)
        both = {"early fusion": self.early.model(scene, candidates), "late fusion": self.late(scene)}
        put = {
            "early fusion calibrated": recalibrate(both["early fusion"], self.early.curves),
            "late fusion calibrated": recalibrate(both["late fusion"], self.late_curves),
        }
        ours = replace(self.ours.model, arm=lambda _: untaught)(scene, candidates)
        return {**found, **both, **put, "ours": recalibrate(ours, self.ours.curves)}


def check_apart(tested: Iterable[int], tuning: Iterable[int]) -> None:
    """Raise a ValueError where a seed is among those to be tested on and those learned from."""
    if both := sorted(set(tested) & set(tuning)):
        raise ValueError(f"days {', '.join(map(str, both))} are tested on and learned from; keep them apart")


def study_day(day: Any, seed: int) -> Lesson:
    """Label what methods that learn need of one tuning day, simulated with a seed."""
    scene, perfect, truth = prepare(sensors_of(day)), prepare(oracle_of(day)), truth_of(day)
    candidates, seen = (early.label_candidates(one, truth, fuse_scene) for one in (scene, perfect))
    return Lesson(candidates, seen, late.label_units(scene, truth), truth.receipts, seed)


def learn(lessons: Sequence[Lesson]) -> Learned:
    """Teach all methods that learn.

    Parameters
    ----------
    lessons : list of Lesson
        Of two days or more, so that some can be kept apart.

    Returns
    -------
    Learned

    Raises
    ------
    ValueError
        There are too few days, or nothing to learn from.
    """
    days = [one.day for one in lessons]
    known = [(one.candidates, one.sold) for one in lessons]
    ours, oracle = (
        teach_labelled(tables, days=days) for tables in (known, [(one.oracle, one.sold) for one in lessons])
    )
    said = []
    for day in sorted(set(days)):
        weights = late.learn_late([one.units for one in lessons if one.day != day])
        said += [
            label_beliefs(weights.believe(one.units), one.sold).assign(day=number)
            for number, one in enumerate(lessons)
            if one.day == day
        ]
    alone = teach_labelled(known, None, days)
    return Learned(alone, late.learn_late([one.units for one in lessons]), fit_curves(pd.concat(said)), ours, oracle)


def learn_days(
    sense: Callable[[Any, int], Any],
    settings: Mapping[str, Any],
    seeds: Iterable[int],
    *,
    workers: int = 1,
    progress: bool = False,
) -> Learned:
    """Simulate tuning days and learn from them.

    Parameters
    ----------
    sense : function of a setting and a seed, giving a SensorDay
    settings : mapping of strata to settings
    seeds : ints
    workers : int
        Processes; 1 works in this one.
    progress : bool
        Show bars.

    Returns
    -------
    Learned

    Raises
    ------
    ValueError
        As in `learn`; there is no day, or there are fewer than one worker.
    """
    return learn(over_days(partial(_study_one, sense), settings, seeds, workers, progress))


def _study_one(sense: Callable[[Any, int], Any], job: tuple[str, Any, int]) -> Lesson:
    return study_day(sense(job[1], job[2]), job[2])


def over_days(
    work: Callable[[tuple[str, Any, int]], Result],
    settings: Mapping[str, Any],
    seeds: Iterable[int],
    workers: int = 1,
    progress: bool = False,
) -> list[Result]:
    """Do something for each stratum, setting and seed, in that order of seeds and then strata; see `try_days`."""
    jobs = [(stratum, setting, int(seed)) for seed in seeds for stratum, setting in settings.items()]
    if not jobs:
        raise ValueError(f"{len(settings)} strata and no seed make no day; one of each is needed at least")
    if workers < 1:
        raise ValueError(f"workers is {workers!r}: 1 or more are needed")
    bar = partial(tqdm, desc="store-days", total=len(jobs), disable=not progress)
    if workers == 1:
        return list(bar(map(work, jobs)))
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        return list(bar(pool.map(work, jobs)))
