"""Our recipe against ultralytics' own defaults: the same photographs, the same minutes, in turn.

    python -m benchmarks.shelf_detector --data shelf_gaps --minutes 4 --seeds 3

Run it on an otherwise idle machine: training is a race against the clock. Each seed trains both, one after the other,
so that a slow hour hurts both. Scored on photographs kept back by near-duplicate group; intervals over groups and
seeds. The row `defaults, looking twice` scores the peer's weights the way ours look at a photograph (overlap 0.5,
mirror image averaged), so that what training wins and what looking wins stand apart. Ours also uses every idle core,
which ultralytics does not on a small machine. With --pretrain, a row `simulated only` is a detector that never saw
a photograph of the data, and a row `pre-trained` goes on from it; its `minutes` count those of pre-training.
"""

import argparse
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pandas as pd

import retailkit as rk
from retailkit.store.detect import LOOKS, Detector
from retailkit.store.score import Score

PEER = "ultralytics' defaults"
SHARED_LOOK = "defaults, looking twice"
OURS = "retailkit's recipe"


def main() -> None:
    """Train both, seed by seed, print the table and put everything into one MLflow run."""
    options = _options()
    run = rk.start_run("benchmark-shelf-detector", **vars(options))
    train, test = rk.split(rk.load(options.data))
    run.input(train, "train")
    run.input(test, "test")
    print(f"{len(train.photos)} photographs to learn from, {len(test.photos)} kept back in {_groups(test)} groups")
    scores: dict[str, list[Score]] = {}
    minutes: dict[str, float] = {}
    for arm, detector in _detectors(train, options, run):
        scores.setdefault(arm, []).append(detector.score(test))
        minutes[arm] = detector.minutes + (options.pretrain if arm == "pre-trained" else 0)
        if arm == PEER:  # how much of the lead is in looking, not in training
            scores.setdefault(SHARED_LOOK, []).append(replace(detector, **LOOKS["small-data"]).score(test))
            minutes[SHARED_LOOK] = detector.minutes
        figure, load = scores[arm][-1].estimate("ap50"), os.getloadavg()[0]
        print(f"{arm:<24} {detector.minutes:5.2f} min  mAP50 {figure}  load {load:.1f}", flush=True)
    table = _table(scores, minutes)
    run.show(table, "benchmark")
    print(table.to_string(index=False))
    difference = rk.compare_scores(scores[OURS], scores[PEER], "ap50")
    run.metric("map50_difference", difference)
    run.metric("map50_difference_looking_alike", rk.compare_scores(scores[OURS], scores[SHARED_LOOK], "ap50"))
    ratio = rk.mean_score(scores[OURS]).value / rk.mean_score(scores[PEER]).value
    print(f"difference of the means: {difference}, ratio {ratio:.2f}, run {run.id}")
    run.answer(
        f"In {options.minutes:g} minutes the recipe is ahead by {difference} mAP50, {ratio:.2f} times the defaults."
    )


def _data() -> str:
    """The real photographs that the project's own figures are measured on, where they are at hand."""
    return "shelf_gaps" if rk.datasets.find("shelf_gaps") else "simulated_shelves"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=_data(), help="a dataset's name or folder")
    parser.add_argument("--minutes", type=float, default=4.0, help="training time of each detector")
    parser.add_argument("--seeds", type=int, default=3, help="training runs of each")
    parser.add_argument("--size", type=int, default=256, help="long side of a photograph, pixels")
    parser.add_argument("--pretrain", type=float, default=0.0, help="minutes on simulated shelves; 0 leaves them out")
    parser.add_argument("--simulated", type=int, default=2000, help="simulated photographs to pre-train on")
    options = parser.parse_args()
    if options.seeds < 2:
        parser.error(f"--seeds {options.seeds}: two or more are needed to see how much seeds differ")
    return options


def _detectors(train: Any, options: argparse.Namespace, run: Any) -> Iterator[tuple[str, Detector]]:
    """Train one detector after the other, peers next to each other in time."""
    simulated = _pretrained(options, run) if options.pretrain else None
    if simulated:
        yield "simulated only", simulated
    for seed in range(options.seeds):
        budget = {"minutes": options.minutes, "size": options.size, "seed": seed, "run": run}
        yield PEER, rk.train_detector(train, recipe="stock", name=f"stock-{seed}", **budget)
        yield OURS, rk.train_detector(train, name=f"small-data-{seed}", **budget)
        if simulated:
            yield "pre-trained", rk.train_detector(train, start=simulated, name=f"pretrained-{seed}", **budget)


def _pretrained(options: argparse.Namespace, run: Any) -> Detector:
    shelves = rk.load("simulated_shelves", photos=options.simulated, seed=0)
    return rk.train_detector(shelves, minutes=options.pretrain, size=options.size, run=run, name="simulated")


def _table(scores: dict[str, list[Score]], minutes: dict[str, float]) -> pd.DataFrame:
    """One row per detector, metric and class; a single training run has an interval over groups alone."""
    rows = []
    for arm, trained in scores.items():
        for metric, name in (("ap50", "all"), ("ap", "all"), *(("ap50", name) for name in trained[0].matches.names)):
            several = len(trained) > 1
            figure = rk.mean_score(trained, metric, name) if several else trained[0].estimate(metric, name)
            facts = {"detector": arm, "minutes": round(minutes[arm], 2), "seeds": len(trained), "metric": metric}
            rows.append({**facts, "class": name, "value": figure.value, "low": figure.low, "high": figure.high})
    return pd.DataFrame(rows).round(3)


def _groups(images: Any) -> int:
    return int(images.photos["group"].nunique())


if __name__ == "__main__":
    main()
