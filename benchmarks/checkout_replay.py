"""AutoCheckout's labelled events, replayed through simulated sensors, by the competition's rule.

    python -m benchmarks.checkout_replay --seeds 5 --workers 2
    python -m benchmarks.checkout_replay --find-level --seeds 12        # searches the level anew

Who took what, where and when is the data's; walking and everything that devices tell is simulated, with the frozen
noise of `retailkit.simulate.radio.replay`: real sensors were the winner's, ours are simulated, so the two are beside
each other and not a like-for-like comparison. F1 is that of a case (product and customer right), averaged over replay
seeds, then over cases; intervals draw cases anew. "nearest track" and "plates and baskets" are plain baselines of
cameras and weight; by the latter the noise was set, when it scored on BASELINE about what the winner did there. Since
acts are found better the former does so, and a test holds it to that. --find-level repeats the search with methods as
they are now, and need not find the frozen level.

No case is held out: who took what and when are the same with every seed, and the methods and the level were made with
these cases in view. Other seeds tell of other noise and not of other customers.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache, partial

import numpy as np
import pandas as pd
from tqdm import tqdm

import retailkit as rk
from benchmarks.checkout_arms import one_takes_all, plain_baskets
from retailkit.datasets.checkouts import CheckoutCases, average_f1, read_checkouts, score_receipts
from retailkit.simulate.radio.replay import LEVEL, Noise, Replay, list_replayable, noise_at, replay_case
from retailkit.store.fusion.arms import ARMS
from retailkit.store.fusion.joint import Options, fuse_scene
from retailkit.store.fusion.measures import compare, summarise
from retailkit.store.fusion.sensors import Scene, oracle_of, prepare, sensors_of

PLAIN, WINNER = "plates and baskets", "winner (real sensors; ours are simulated)"
OURS = ("ours, cameras and weight", "ours, RFID added")
TARGET, SLACK = 0.844, 0.02  # the winner's mean F1 of BASELINE, and how near "nearest track" has to come (a test)
_NOT_HELD_OUT = (
    "No case is held out: seeds draw devices and walks anew, while who took what and when are the same, and the "
    "methods and the level were made with these cases in view."
)
TUNING = 1000  # first replay seed that the level was found on; figures are told of others


@cache
def load(data: str) -> CheckoutCases:
    """The cases, once in each process."""
    return read_checkouts(data)


def arms_of(replay: Replay, scene: Scene) -> dict[str, Callable[[], pd.DataFrame]]:
    """What each method charges: a function that gives receipts (shopper, product, quantity)."""
    return {
        "one takes all": partial(one_takes_all, scene),
        PLAIN: partial(plain_baskets, scene),
        "nearest track": lambda: ARMS["nearest track"](scene).receipts,
        "vision only": lambda: ARMS["vision only"](scene).receipts,
        OURS[0]: lambda: fuse_scene(scene, Options(reads=False)).receipts,
        OURS[1]: lambda: fuse_scene(scene).receipts,
        "oracle": lambda: fuse_scene(prepare(oracle_of(replay.day))).receipts,
    }


def score_case(job: tuple[str, str, int]) -> list[tuple[str, str, int, float]]:
    """All methods on one replay of one case: arm, case, seed, F1."""
    data, case, seed = job
    cases = load(data)
    replay = replay_case(cases, case, seed=seed)
    arms = arms_of(replay, prepare(sensors_of(replay.day)))
    return [(arm, case, seed, f1_of(cases, replay, charge())) for arm, charge in arms.items()]


def f1_of(cases: CheckoutCases, replay: Replay, found: pd.DataFrame) -> float:
    """F1 of a case by the competition's rule."""
    true = cases.true[cases.true["case"] == replay.case]
    return float(score_receipts(replay.receipts(found), true, [replay.case])["f1"].iloc[0])


def tabulate(scores: pd.DataFrame, cases: CheckoutCases) -> pd.DataFrame:
    """Mean F1 over seeds by arm and case, in every stratum that the case belongs to, as sums for `measures`."""
    each = scores.groupby(["arm", "case"], sort=False)["f1"].mean().reset_index(name="numerator")
    facts = cases.cases.set_index("case").loc[each["case"].unique(), ["kind", "customers", "f1"]]
    parts = [
        _stratum(name, each[each["case"].isin(chosen)], facts["f1"].reindex(chosen))
        for name, chosen in _strata(facts)
        if len(chosen)
    ]
    return pd.concat(parts, ignore_index=True).assign(measure="f1", denominator=1.0).rename(columns={"case": "day"})


def _strata(facts: pd.DataFrame) -> Iterator[tuple[str, pd.Index]]:
    several = facts["customers"] > 1
    for kind in ("BASELINE", "TEAM"):
        yield kind, facts.index[facts["kind"] == kind]
    yield "all", facts.index
    yield "all, one customer", facts.index[~several]
    yield "all, several customers", facts.index[several]
    yield "BASELINE, several customers", facts.index[several & (facts["kind"] == "BASELINE")]


def _stratum(name: str, rows: pd.DataFrame, winner: pd.Series) -> pd.DataFrame:
    """The rows of one stratum, with the winner's where it answered all of these cases."""
    told = pd.DataFrame({"arm": WINNER, "case": winner.index, "numerator": winner.to_numpy()})
    return pd.concat([rows, told] if winner.notna().all() else [rows], ignore_index=True).assign(stratum=name)


def deafened(noise: Noise) -> Noise:
    """The same noise with readers that say next to nothing: for methods that do not listen to them."""
    return replace(noise, setting=replace(noise.setting, air=replace(noise.setting.air, pause=1e4)))


def plain_f1(
    cases: CheckoutCases, level: float, names: Iterable[str], seeds: Iterable[int],
    plain: Callable[[Scene], pd.DataFrame] = plain_baskets,
) -> float:  # fmt: skip
    """Mean F1 of a plain baseline over cases and seeds at a level of noise."""
    noise, seeds = deafened(noise_at(level)), list(seeds)
    scores = []
    for case in names:
        for seed in seeds:
            replay = replay_case(cases, case, noise, seed)
            scores.append(f1_of(cases, replay, plain(prepare(sensors_of(replay.day)))))
    return float(np.mean(scores))


def baseline_of(cases: CheckoutCases) -> list[str]:
    """Cases of BASELINE that can be replayed."""
    table = cases.cases.set_index("case")
    return [case for case in list_replayable(cases)[0] if table.at[case, "kind"] == "BASELINE"]


def find_level(cases: CheckoutCases, seeds: Iterable[int], steps: int = 6) -> pd.DataFrame:
    """Halve the span of levels, 0 to 2, until plates and baskets score the winner's figure: level, f1.

    All levels are tried on the same seeds. The last row is the level found, rounded to a twentieth.
    """
    names, seeds = baseline_of(cases), list(seeds)
    low, high, rows = 0.0, 2.0, []
    for _ in tqdm(range(steps), "levels"):
        middle = (low + high) / 2
        rows.append((middle, plain_f1(cases, middle, names, seeds)))
        low, high = (middle, high) if rows[-1][1] > TARGET else (low, middle)
    found = round((low + high) / 2 * 20) / 20
    return pd.DataFrame([*rows, (found, plain_f1(cases, found, names, seeds))], columns=["level", "f1"])


def main() -> None:
    """Print the tables and put them into one MLflow run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="autocheckout", help="name of the set, or a folder with other cases")
    parser.add_argument("--seeds", type=int, default=5, help="replays of each case")
    parser.add_argument("--first", type=int, default=100, help="the first seed; 0 to 11 were looked at while building, "
                        f"and the level was found on {TUNING} and on")  # fmt: skip
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--find-level", action="store_true", help="search the level of noise anew, and only that")
    options = parser.parse_args()
    cases = load(options.data)
    if options.find_level:
        print(find_level(cases, range(TUNING, TUNING + options.seeds)).round(3).to_string(index=False))
        return
    run = rk.start_run("benchmark-checkout-replay", **vars(options), level=LEVEL)
    names, problems = list_replayable(cases)
    jobs = [(options.data, case, options.first + seed) for case in names for seed in range(options.seeds)]
    with ProcessPoolExecutor(options.workers) as pool:
        done = list(tqdm(pool.map(score_case, jobs), "replays", total=len(jobs), mininterval=20))
    scores = pd.DataFrame([row for rows in done for row in rows], columns=["arm", "case", "seed", "f1"])
    table = tabulate(scores, cases)
    counted = problems.groupby(["problem", "outcome"]).agg(cases=("case", "nunique"), events=("events", "sum"))
    by_case = scores.pivot_table(index="case", columns="arm", values="f1", sort=False).reset_index()
    by_case = by_case.merge(
        cases.cases[["case", "kind", "customers", "f1"]].rename(columns={"f1": "winner"}), on="case"
    )
    winner = [(kind, average_f1(cases.cases, None if kind == "all" else kind)) for kind in ("BASELINE", "TEAM", "all")
              if kind == "all" or (cases.cases["kind"].eq(kind) & cases.cases["f1"].notna()).any()]  # fmt: skip
    for name, result in {
        "left out and assumed": counted.reset_index(), "f1 by case": by_case, "f1": summarise(table),
        **{f"differences of {ours}": compare(table, ours, "f1") for ours in OURS},
        "the winner on all of its cases (real sensors; ours are simulated)": pd.DataFrame(
            [{"kind": kind, **figure.row()} for kind, figure in winner]
        ),
    }.items():  # fmt: skip
        told = run.show(result, name.partition(" (")[0].replace(" ", "-").replace(",", ""))
        print(f"\n{name}\n{told.round(3).to_string(index=False)}")
    print(f"\n{_NOT_HELD_OUT}")
    run.finish()


if __name__ == "__main__":
    main()
