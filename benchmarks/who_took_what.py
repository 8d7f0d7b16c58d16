"""Who took what: every method on the same simulated store-days, by stratum, beside the oracle.

    python -m benchmarks.who_took_what --days 20 --workers 2

The settings are those of `retailkit.simulate.radio.presets`, frozen before there was a method; days are seeds from 0
up, which no method was tuned on. The oracle is our method with true tracks, every face known, and every hand seen
right: what is left is what tags cannot tell. Intervals are over store-days; differences are paired.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import pandas as pd
from tqdm import tqdm

import retailkit as rk
from retailkit.simulate.radio import SETTINGS, sense_day
from retailkit.store.fusion.arms import ARMS
from retailkit.store.fusion.calibration import calibrate, label_beliefs, most_probable
from retailkit.store.fusion.joint import fuse_scene
from retailkit.store.fusion.measures import close_gap, compare, summarise
from retailkit.store.fusion.scoring import score_day
from retailkit.store.fusion.sensors import oracle_of, prepare, sensors_of
from retailkit.store.fusion.truth import truth_of

TOLD = ["attribution", "precision", "f1", "attribution of tagged", "receipts right", "receipts of parties right"]


def score_setting(job: tuple[str, int]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All methods on one day: their measures, and our beliefs with what is true of them."""
    stratum, seed = job
    day = sense_day(SETTINGS[stratum], seed)
    scene, truth = prepare(sensors_of(day)), truth_of(day)
    arms = {name: partial(arm, scene) for name, arm in ARMS.items()}
    arms |= {"ours": partial(fuse_scene, scene), "oracle": lambda: fuse_scene(prepare(oracle_of(day)))}
    tables, labelled = [], pd.DataFrame()
    for name, arm in arms.items():
        found = arm()
        tables.append(score_day(found, truth).assign(arm=name, stratum=stratum, day=seed))
        if name == "ours":
            labelled = label_beliefs(found.beliefs, truth.receipts).assign(stratum=stratum, day=f"{stratum} {seed}")
    return pd.concat(tables), labelled


def main() -> None:
    """Print the tables and put them into one MLflow run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=20, help="store-days in each stratum")
    parser.add_argument("--first", type=int, default=0, help="the first seed; 1000 to 1009 are for tuning")
    parser.add_argument("--strata", nargs="+", default=list(SETTINGS))
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    run = rk.start_run("benchmark-who-took-what", **{**vars(options), "strata": ", ".join(options.strata)})
    jobs = [(stratum, options.first + day) for stratum in options.strata for day in range(options.days)]
    with ProcessPoolExecutor(options.workers) as pool:
        done = list(tqdm(pool.map(score_setting, jobs), "store-days", total=len(jobs), mininterval=20))
    table = pd.concat([measures for measures, _ in done], ignore_index=True)
    beliefs = pd.concat([rows for _, rows in done], ignore_index=True)
    told = summarise(table[table["measure"].isin(TOLD)])
    for name, result in {
        "measures": told, "differences": compare(table, "ours"), "gap": close_gap(table, "ours"),
        "calibration": calibrate(beliefs), "calibration of the most probable": calibrate(most_probable(beliefs)),
    }.items():  # fmt: skip
        print(f"\n{name}\n{run.show(result, name.replace(' ', '-')).round(3).to_string(index=False)}")
    run.finish()


if __name__ == "__main__":
    main()
