"""Our recipe against ultralytics' own defaults on photographs of people: the same photographs and minutes, in turn.

    python -m benchmarks.customer_detector --minutes 4 --seeds 3           # persons_pennfudan
    python -m benchmarks.customer_detector --minutes 4 --seeds 3 --both    # trained on persons_coco too, scored on it

Run it on an otherwise idle machine: training is a race against the clock. Each seed trains every arm, one after the
other, so that a slow hour hurts all. Scored on photographs kept back by near-duplicate group; intervals over groups and
seeds. `a third` is our recipe with a third of the minutes. `defaults, looking alike` scores the peer's weights the way
ours look at a photograph, so that what training wins and what looking wins stand apart. Every difference is paired:
both sides on the same photographs and the same resamples of them.

With --both, each set is split by itself, both training parts are joined, and persons_coco's kept-back photographs are
scored; half of them show nobody, so alarms on those are counted as well. There is no third then.
"""

import argparse
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pandas as pd

import retailkit as rk
from retailkit.datasets import ImageSet
from retailkit.store.detect import LOOKS, Detector
from retailkit.store.fitting import suppression_overlap
from retailkit.store.score import Score
from retailkit.store.sizes import false_alarms

PEER = "ultralytics' defaults"
SHARED_LOOK = "defaults, looking alike"
OURS = "retailkit's recipe"
SOONER = "retailkit's recipe, a third"
METRICS = {"ap50": "mAP50", "ap": "mAP50-95"}


def main() -> None:
    """Train every arm seed by seed, print the tables and put everything into one MLflow run."""
    options = _options()
    run = rk.start_run("benchmark-customer-detector", **vars(options))
    train, test = _photos(options)
    run.input(train, "train")
    run.input(test, "test")
    groups = test.photos["group"].nunique()
    print(f"{len(train)} photographs to learn from, {len(test)} of {test.name} kept back in {groups} groups")
    scores: dict[str, list[Score]] = {}
    minutes: dict[str, float] = {}
    for arm, detector in _detectors(train, options, run):
        minutes[arm] = detector.minutes
        scores.setdefault(arm, []).append(detector.score(test))
        if arm == PEER:
            minutes[SHARED_LOOK] = detector.minutes
            look = LOOKS[options.recipe] | {"overlap": suppression_overlap(train)}
            scores.setdefault(SHARED_LOOK, []).append(replace(detector, **look).score(test))
        _report(arm, detector, scores[arm][-1])
    table, differences = _table(scores, minutes), _differences(scores)
    print(run.show(table, "benchmark").to_string(index=False))
    print(run.show(differences, "differences").to_string(index=False))
    ahead = rk.compare_scores(scores[OURS], scores[PEER], "ap")
    run.metrics({f"{METRICS[metric]}_ours": rk.mean_score(scores[OURS], metric) for metric in METRICS})
    run.metric("mAP50-95_difference", ahead)
    print(f"run {run.id}")
    run.answer(f"In {options.minutes:g} minutes on {train.name} the recipe is ahead by {ahead} mAP50-95.")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="persons_pennfudan", help="a dataset's name or folder")
    parser.add_argument("--minutes", type=float, default=4.0, help="training time of each detector")
    parser.add_argument("--seeds", type=int, default=3, help="training runs of each arm")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--size", type=int, default=256, help="long side of a photograph in training, pixels")
    parser.add_argument("--recipe", default="small-data", help="ours, as `train_detector` names it")
    parser.add_argument("--split", type=int, default=0, help="seed of the split")
    parser.add_argument("--both", action="store_true", help="train on --data and persons_coco, score on the latter")
    options = parser.parse_args()
    if options.seeds < 2:
        parser.error(f"--seeds {options.seeds}: two or more are needed to see how much seeds differ")
    return options


def _photos(options: argparse.Namespace) -> tuple[ImageSet, ImageSet]:
    """What is learned from and what is kept back."""
    train, test = rk.split(rk.load(options.data), seed=options.split)
    if not options.both:
        return train, test
    more, test = rk.split(rk.load("persons_coco"), seed=options.split)
    train = rk.datasets.join(train, more)
    if twins := len(rk.leakage(train, test)):
        raise SystemExit(f"{twins} of the kept-back photographs have a twin among those to learn from: split otherwise")
    return train, test


def _detectors(train: ImageSet, options: argparse.Namespace, run: Any) -> Iterator[tuple[str, Detector]]:
    """Train one detector after the other, peers next to each other in time."""
    for seed in range(options.first, options.first + options.seeds):
        budget = {"minutes": options.minutes, "size": options.size, "seed": seed, "run": run}
        yield PEER, rk.train_detector(train, recipe="stock", name=f"stock-{seed}", **budget)
        yield OURS, rk.train_detector(train, recipe=options.recipe, name=f"ours-{seed}", **budget)
        if options.both:
            continue
        budget["minutes"] = options.minutes / 3
        yield SOONER, rk.train_detector(train, recipe=options.recipe, name=f"sooner-{seed}", **budget)


def _report(arm: str, detector: Detector, score: Score) -> None:
    figures = ", ".join(f"{name} {score.estimate(metric)}" for metric, name in METRICS.items())
    seen, load = int(detector.curve["photos"].iloc[-1]), os.getloadavg()[0]
    print(f"{arm:<28}{detector.minutes:5.2f} min {seen:>6} photographs  {figures}  load {load:.1f}", flush=True)


def _table(scores: dict[str, list[Score]], minutes: dict[str, float]) -> pd.DataFrame:
    """A row for each arm and metric: the mean over seeds with its interval; alarms where nobody is, seed by seed."""
    rows = []
    for arm, trained in scores.items():
        facts = {"detector": arm, "minutes": round(minutes[arm], 2), "seeds": len(trained)}
        for metric, name in METRICS.items():
            rows.append(facts | {"figure": name} | _ends(rk.mean_score(trained, metric)))
        for number, score in enumerate(trained):
            if (alarms := false_alarms(score)).units:
                rows.append(facts | {"figure": f"alarms per empty photo, seed {number}", **_ends(alarms)})
    return pd.DataFrame(rows)


def _differences(scores: dict[str, list[Score]]) -> pd.DataFrame:
    """What ours is ahead of the defaults by, paired; and whether a third of the minutes is enough for their figure."""
    pairs = [(OURS, PEER), (OURS, SHARED_LOOK), *([(SOONER, PEER)] if SOONER in scores else [])]
    return pd.DataFrame(
        {"difference": f"{first} − {second}", "figure": name}
        | _ends(rk.compare_scores(scores[first], scores[second], metric))
        for first, second in pairs
        for metric, name in METRICS.items()
    )


def _ends(estimate: Any) -> dict[str, float]:
    return {key: round(getattr(estimate, key), 3) for key in ("value", "low", "high")}


if __name__ == "__main__":
    main()
