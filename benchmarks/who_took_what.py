"""Who took what: every method on the same simulated store-days, by stratum, beside the oracle.

    python -m benchmarks.who_took_what --days 20 --tuning 10 --workers 2

The settings are those of `retailkit.simulate.radio.presets`, frozen before there was a method; days are seeds from 0
up, which no method was tuned on. What learns (early fusion, late fusion, ours learned, and the curves that put every
method's probabilities right) learns once, from days with seeds from 1000 up, all strata together, as no store knows its
own. The oracle is our method with true tracks, every face known, and every hand seen right: what is left is what tags
cannot tell. Intervals are over store-days; differences are paired.
"""

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple

import pandas as pd
from tqdm import tqdm

import retailkit as rk
from retailkit.simulate.radio import SETTINGS, sense_day
from retailkit.store.fusion import early, late
from retailkit.store.fusion.arms import ARMS
from retailkit.store.fusion.attribution import Attribution
from retailkit.store.fusion.calibration import calibrate, label_beliefs, most_probable, reliability
from retailkit.store.fusion.joint import fuse_scene
from retailkit.store.fusion.measures import COSTS, close_gap, compare, summarise
from retailkit.store.fusion.recalibration import Curves, fit_curves, recalibrate
from retailkit.store.fusion.review import cost_day, doubt_receipts, errors_after_review, review_curve
from retailkit.store.fusion.scoring import score_day
from retailkit.store.fusion.sensors import Scene, oracle_of, prepare, sensors_of
from retailkit.store.fusion.truth import truth_of

TOLD = ["attribution", "precision", "f1", "attribution of tagged", "receipts right", "receipts of parties right"]
RIVALS = [*ARMS, "early fusion", "late fusion"]
OURS = ["ours", "ours calibrated", "ours learned"]
REVIEWED = 0.05  # of receipts
_FIRST = 1000  # seed of the first tuning day
_FOLDS = 2  # of tuning days: curves are fitted on what models say of days they did not learn from


class Lesson(NamedTuple):
    """What one tuning day teaches."""

    name: str
    candidates: pd.DataFrame  # with what ours says of each
    units: pd.DataFrame
    sold: pd.DataFrame
    labelled: dict[str, pd.DataFrame]  # beliefs of methods that do not learn


class Learned(NamedTuple):
    """What was learned from all of them."""

    early: early.EarlyFusion
    late: late.LateFusion
    ours: early.EarlyFusion
    curves: dict[str, Curves]


_learned: Learned | None = None


def _take(learned: Learned) -> None:
    global _learned
    _learned = learned


def study_day(job: tuple[str, int]) -> Lesson:
    """Label what methods that learn need of one tuning day, and what the others say of it."""
    day = sense_day(SETTINGS[job[0]], job[1])
    scene, truth = prepare(sensors_of(day)), truth_of(day)
    found = {name: arm(scene) for name, arm in {**ARMS, "ours": fuse_scene}.items()}
    labelled = {name: label_beliefs(one.beliefs, truth.receipts) for name, one in found.items()}
    candidates = early.label_candidates(scene, truth, lambda _: found["ours"])
    return Lesson(f"{job[0]} {job[1]}", candidates, late.label_units(scene, truth), truth.receipts, labelled)


def learn(lessons: list[Lesson], curves: bool = True) -> Learned:
    """Fit models to all tuning days, and curves to what they say of days that they did not learn from."""
    known = [(one.candidates, one.sold) for one in lessons]
    weights = late.learn_late([one.units for one in lessons])
    models = Learned(early.learn_early(known), weights, early.learn_early(known, fuse_scene), {})
    if not curves:
        return models
    labelled = [rows.assign(arm=arm, day=one.name) for one in lessons for arm, rows in one.labelled.items()]
    every = pd.concat([*labelled, *_unseen(lessons)])
    return models._replace(curves={str(arm): fit_curves(rows) for arm, rows in every.groupby("arm")})


def _unseen(lessons: list[Lesson]) -> Iterator[pd.DataFrame]:
    """Beliefs of methods that learn, of days that they did not learn from, with what is true of them."""
    for fold in tqdm(range(_FOLDS), "learning"):
        models = learn([one for number, one in enumerate(lessons) if number % _FOLDS != fold], curves=False)
        for one in lessons[fold::_FOLDS]:
            said = {
                "early fusion": models.early.believe(one.candidates), "late fusion": models.late.believe(one.units),
                "ours learned": models.ours.believe(one.candidates),
            }  # fmt: skip
            for arm, beliefs in said.items():
                yield label_beliefs(beliefs, one.sold).assign(arm=arm, day=one.name)


def find_all(scene: Scene, learned: Learned) -> dict[str, Attribution]:
    """What every method finds in one scene."""
    found = {name: arm(scene) for name, arm in {**ARMS, "ours": fuse_scene}.items()}
    found |= {"early fusion": learned.early(scene), "late fusion": learned.late(scene)}
    found["ours learned"] = replace(learned.ours, arm=lambda _: found["ours"])(scene)
    put = {f"{name} calibrated": recalibrate(one, learned.curves[name]) for name, one in found.items()}
    return {**found, **put}


def score_setting(job: tuple[str, int]) -> dict[str, pd.DataFrame]:
    """All methods on one day: their measures, beliefs with what is true of them, and receipts by doubt."""
    assert _learned is not None
    stratum, seed = job
    day = sense_day(SETTINGS[stratum], seed)
    scene, truth = prepare(sensors_of(day)), truth_of(day)
    found = {**find_all(scene, _learned), "oracle": fuse_scene(prepare(oracle_of(day)))}
    rows: dict[str, list[pd.DataFrame]] = {"measures": [], "beliefs": [], "receipts": []}
    for arm, one in found.items():
        sums = pd.concat([score_day(one, truth), cost_day(one, truth)])
        rows["measures"].append(sums.assign(arm=arm, stratum=stratum, day=seed))
        marks = {"arm": arm, "stratum": stratum, "day": f"{stratum} {seed}"}
        rows["beliefs"].append(label_beliefs(one.beliefs, truth.receipts).assign(**marks))
        rows["receipts"].append(doubt_receipts(one, truth).assign(**marks))
    return {name: pd.concat(parts) for name, parts in rows.items()}


def by_stratum(rows: pd.DataFrame, figure: Any) -> pd.DataFrame:
    """A figure of each arm, over all strata and in each."""
    every = pd.concat([rows.assign(among="all"), rows.assign(among=rows["stratum"])])
    parts = every.groupby(["arm", "among"], sort=False)
    return pd.concat([figure(part).assign(arm=arm, stratum=among) for (arm, among), part in parts])


def _errors(part: pd.DataFrame) -> pd.DataFrame:
    looked = {share: errors_after_review(part, share) for share in (0.0, REVIEWED)}
    rows = [(share, one.value, one.low, one.high) for share, one in looked.items()]
    return pd.DataFrame(rows, columns=["reviewed", "errors per 1000", "low", "high"])


def main() -> None:
    """Print the tables and put them into one MLflow run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=20, help="store-days in each stratum")
    parser.add_argument("--first", type=int, default=0, help="the first seed; 1000 to 1009 are for tuning")
    parser.add_argument("--tuning", type=int, default=10, help="store-days in each stratum to learn from")
    parser.add_argument("--strata", nargs="+", default=list(SETTINGS))
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    if options.first + options.days > _FIRST and options.first < _FIRST + options.tuning:
        parser.error(f"days {options.first} to {options.first + options.days - 1} are among those learned from")
    run = rk.start_run("benchmark-who-took-what", **{**vars(options), "strata": ", ".join(options.strata)})
    lessons = [(stratum, _FIRST + day) for day in range(options.tuning) for stratum in SETTINGS]
    jobs = [(stratum, options.first + day) for stratum in options.strata for day in range(options.days)]
    with ProcessPoolExecutor(options.workers) as pool:
        studied = list(tqdm(pool.map(study_day, lessons), "tuning days", total=len(lessons), mininterval=20))
    learned = learn(studied)
    with ProcessPoolExecutor(options.workers, initializer=_take, initargs=(learned,)) as pool:
        done = list(tqdm(pool.map(score_setting, jobs), "store-days", total=len(jobs), mininterval=20))
    table, beliefs, receipts = (
        pd.concat([day[name] for day in done], ignore_index=True) for name in ("measures", "beliefs", "receipts")
    )
    ours = beliefs[beliefs["arm"] == "ours calibrated"]
    few = table["arm"].isin([*RIVALS, *OURS, "oracle"])
    for name, result in {
        "measures": summarise(table[few & table["measure"].isin(TOLD)]),
        "differences": compare(table, "ours", others=RIVALS),
        "differences of ours learned": compare(table, "ours learned", others=[*RIVALS, "ours"]),
        "gap": close_gap(table, "ours", others=RIVALS),
        "calibration": by_stratum(beliefs, calibrate),
        "calibration of the most probable": by_stratum(most_probable_of(beliefs), calibrate),
        "reliability of ours": reliability(ours),
        "errors": by_stratum(receipts, _errors),
        "review of ours": review_curve(receipts[receipts["arm"] == "ours calibrated"]),
        "money": summarise(table[table["measure"].isin(COSTS)]),
    }.items():
        print(f"\n{name}\n{run.show(result, name.replace(' ', '-')).round(3).to_string(index=False)}")
    run.finish()


def most_probable_of(beliefs: pd.DataFrame) -> pd.DataFrame:
    """As `most_probable`, of each arm."""
    return pd.concat([most_probable(part) for _, part in beliefs.groupby("arm", sort=False)])


if __name__ == "__main__":
    main()
