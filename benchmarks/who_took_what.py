"""Who took what: every method on the same simulated store-days, by stratum, beside the oracle.

    python -m benchmarks.who_took_what --days 20 --first 20 --tuning 6

The settings are those of `retailkit.simulate.radio.presets`, frozen before there was a method; days are seeds from 0
up, which no method was tuned on. Each was looked at once: 0 to 19 with an earlier method, 20 to 39 with the present
one; what comes after belongs on days from 40 up. What learns (early fusion, late fusion, ours) learns once, from days
with seeds from 1000 up, all strata together, as no store knows its own. Early and late fusion stand here twice, as they
are and with their probabilities put right: ours has to beat both. "ours untaught" is the same without a single known
receipt. The oracle is ours with true tracks, every face known, and every hand seen right, taught with days of that
kind; its plates and clocks are as they are, so it is what better cameras could bring, and no bound. Intervals are over
store-days, those of all strata over seeds; differences are paired. All days are of one plan of a store, and constants
of ours were chosen on tuning days of the same simulator: another store may differ by more than the intervals say.
"""

import argparse
from typing import Any

import pandas as pd

import retailkit as rk
from retailkit.simulate.radio import SETTINGS, sense_day
from retailkit.store.fusion.calibration import calibrate, reliability
from retailkit.store.fusion.lessons import check_apart, learn_days
from retailkit.store.fusion.measures import COSTS, close_gap, compare, summarise, tally
from retailkit.store.fusion.review import errors_after_review, review_curve
from retailkit.store.fusion.telling import by_seed, most_probable_of
from retailkit.store.fusion.trial import EVERY, RIVALS, Methods, try_days

TOLD = ["attribution", "precision", "f1", "attribution of tagged", "receipts right", "receipts of parties right"]
REVIEWED = 0.05  # of receipts
_FIRST = 1000  # seed of the first tuning day


def by_stratum(rows: pd.DataFrame, figure: Any) -> pd.DataFrame:
    """A figure of each arm, over all strata and in each; days of one seed are one, as strata share its chance."""
    rows = by_seed(rows)
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
    seeds = range(options.first, options.first + options.days)
    tuning = range(_FIRST, _FIRST + options.tuning)
    check_apart(seeds, tuning)
    run = rk.start_run("benchmark-who-took-what", **{**vars(options), "strata": ", ".join(options.strata)})
    strata = {name: SETTINGS[name] for name in options.strata}
    learned = learn_days(sense_day, SETTINGS, tuning, workers=options.workers, progress=True)
    methods = Methods(EVERY, learned)
    table, beliefs, receipts, _ = try_days(
        sense_day, strata, seeds, methods, oracle=learned.oracle, workers=options.workers, progress=True
    )
    ours = by_seed(beliefs[beliefs["arm"] == "ours"])
    against = compare(table, "ours", others=RIVALS)
    for name, result in {
        "measures": summarise(table[table["measure"].isin(TOLD)]),
        "differences": against,
        "strata": tally(against),
        "what teaching is worth": compare(table, "ours", others=["ours untaught"]),
        "gap": close_gap(table, "ours", others=RIVALS),
        "calibration": by_stratum(beliefs, calibrate),
        "calibration of the most probable": by_stratum(most_probable_of(beliefs), calibrate),
        "reliability of ours": reliability(ours),
        "errors": by_stratum(receipts, _errors),
        "review of ours": review_curve(by_seed(receipts[receipts["arm"] == "ours"])),
        "money": summarise(table[table["measure"].isin(COSTS)]),
    }.items():
        print(f"\n{name}\n{run.show(result, name.replace(' ', '-')).round(3).to_string(index=False)}")
    run.finish()


if __name__ == "__main__":
    main()
