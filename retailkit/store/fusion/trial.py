"""Methods tried on store-days whose truth is known: one day, or many, by several processes.

    methods = Methods(EVERY, learn_days(sense_day, SETTINGS, range(1000, 1010)))
    try_arms(day, methods, "pairs", 1000)                       # measures, labelled beliefs, receipts by doubt
    try_days(sense_day, SETTINGS, range(1000, 1003), methods)   # the same of several strata and seeds

Whatever simulates days is handed in: nothing here knows it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import pandas as pd

from retailkit.datasets.tables import InputTables
from retailkit.store.fusion.arms import ARMS
from retailkit.store.fusion.attribution import Attribution
from retailkit.store.fusion.calibration import label_beliefs
from retailkit.store.fusion.health import check_store
from retailkit.store.fusion.joint import Options, fuse_scene
from retailkit.store.fusion.lessons import UNTAUGHT, Learned, over_days
from retailkit.store.fusion.review import Costs, cost_day, doubt_receipts
from retailkit.store.fusion.scoring import score_day
from retailkit.store.fusion.sensors import Scene, oracle_of, prepare, sensors_of
from retailkit.store.fusion.truth import truth_of

RIVALS = [*(f"{when} fusion{put}" for put in (" calibrated", "") for when in ("early", "late")), *ARMS]
Arm = Callable[[Scene], Attribution]


def without_hands(scene: Scene) -> Attribution:
    """Ours untaught, where cameras see people and none of their hands."""
    return fuse_scene(scene._replace(hands=scene.hands.iloc[:0]))


EVERY: dict[str, Arm] = {**ARMS, UNTAUGHT: fuse_scene}  # that need no tuning day
ABLATIONS: dict[str, Arm] = {
    "without plates": partial(fuse_scene, options=Options(plates=False)),
    "without tags": partial(fuse_scene, options=Options(reads=False)),
    "without hands": without_hands,
    "without relinking": partial(fuse_scene, options=Options(relink=False)),
}


@dataclass(frozen=True, eq=False)
class Methods:
    """Methods by their names, called on a scene: what each finds.

    Attributes
    ----------
    arms : mapping of names to functions of a Scene
    learned : Learned, optional
        Adds those that learn.
    """

    arms: Mapping[str, Arm]
    learned: Learned | None = None

    def __call__(self, scene: Scene) -> dict[str, Attribution]:
        """Find who left with what, by every method."""
        found = {name: arm(scene) for name, arm in self.arms.items()}
        return self.learned.add(scene, found) if self.learned else found


class Trial(NamedTuple):
    """What methods were worth on store-days.

    Attributes
    ----------
    measures : DataFrame
        arm, stratum, day (the seed), measure, numerator, denominator; see `score_day` and `cost_day`.
    beliefs : DataFrame
        Of `label_beliefs`, with arm, stratum, day (stratum and seed).
    receipts : DataFrame
        Of `doubt_receipts`, with arm, stratum, day (stratum and seed).
    health : DataFrame
        Of `check_store`: what was noticed of devices, tags and plan; with stratum, day (the seed).
    """

    measures: pd.DataFrame
    beliefs: pd.DataFrame
    receipts: pd.DataFrame
    health: pd.DataFrame


def try_arms(
    day: Any, methods: Callable[[Scene], Mapping[str, Attribution]], stratum: str = "", seed: int = 0,
    oracle: Arm | None = fuse_scene, costs: Costs | None = None,
) -> Trial:  # fmt: skip
    """Try methods on one day.

    Parameters
    ----------
    day : SensorDay
        With its truth.
    methods : function of a Scene, giving Attributions by name
        Such as `Methods`.
    stratum, seed : str, int
        The day's name.
    oracle : function of a Scene, giving an Attribution; or None
        Ours, by default untaught, called on the day with perfect cameras (`oracle_of`).
    costs : Costs, optional

    Returns
    -------
    Trial
    """
    scene, truth = prepare(sensors_of(day)), truth_of(day)
    found = dict(methods(scene))
    if oracle:
        found["oracle"] = oracle(prepare(oracle_of(day)))
    measures, beliefs, receipts = [], [], []
    for arm, one in found.items():
        sums = pd.concat([score_day(one, truth), cost_day(one, truth, costs)])
        measures.append(sums.assign(arm=arm, stratum=stratum, day=seed))
        marks = {"arm": arm, "stratum": stratum, "day": f"{stratum} {seed}"}
        beliefs.append(label_beliefs(one.beliefs, truth.receipts).assign(**marks))
        receipts.append(doubt_receipts(one, truth).assign(**marks))
    health = check_store(scene).summary.assign(stratum=stratum, day=seed)
    return Trial(_joined(measures), _joined(beliefs), _joined(receipts), health)


def _joined(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True)


def as_input(name: str, trial: Trial) -> InputTables:
    """Give what was tried a digest, for `run.input`: what truly left, day by day."""
    sold = trial.beliefs.loc[trial.beliefs["true"], ["stratum", "day", "item", "product", "shopper"]]
    return InputTables(name, {"sold": sold.drop_duplicates().astype({"shopper": int})}, "simulated")


def join_trials(trials: Iterable[Trial]) -> Trial:
    """Put trials of several days into one."""
    return Trial(*(_joined(parts) for parts in zip(*trials, strict=True)))


def try_days(
    sense: Callable[[Any, int], Any],
    settings: Mapping[str, Any],
    seeds: Iterable[int],
    methods: Callable[[Scene], Mapping[str, Attribution]],
    *,
    oracle: Arm | None = fuse_scene,
    costs: Costs | None = None,
    workers: int = 1,
    progress: bool = False,
) -> Trial:
    """Simulate a day for each setting and seed, and try methods on it.

    Parameters
    ----------
    sense : function of a setting and a seed, giving a SensorDay
    settings : mapping of strata to settings
    seeds : ints
    methods, oracle, costs
        As in `try_arms`.
    workers : int
        Processes; 1 works in this one.
    progress : bool
        Show a bar.

    Returns
    -------
    Trial

    Raises
    ------
    ValueError
        There is no day, or there are fewer than one worker.
    """
    work = partial(_try_one, sense, methods, oracle, costs)
    return join_trials(over_days(work, settings, seeds, workers, progress))


def _try_one(
    sense: Callable[[Any, int], Any], methods: Any, oracle: Arm | None, costs: Costs | None, job: tuple[str, Any, int]
) -> Trial:
    stratum, setting, seed = job
    return try_arms(sense(setting, seed), methods, stratum, seed, oracle, costs)
