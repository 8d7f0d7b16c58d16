"""What a camera's faults do to counts of people: real ways, spoilt at stated rates, a hundred times each.

    RETAILKIT_DATA=... python -m benchmarks.camera_faults --seeds 100 --workers 2

Every scene of `tracks_ucy` and `tracks_eth` (or of the sets named) is spoilt: moments missed, places jittered,
identities broken or swapped where two pass within 0.7 m. Lines and zones are drawn by rule, before anything is looked
at: three lines across the main direction of walking, and 2 x 3 boxes between the 10 % and 90 % quantiles of places.
The truth is what the unspoilt ways say by the same definitions, written down anew: crossings in plain pandas
(`benchmarks.plain_visits`), stays by plain geometry (`benchmarks.zone_truth`).

Three figures of each copy:

- crossings of the three lines together (`count_crossings`): bias, and how often the interval holds the truth;
- different people in the last two thirds (`count_visitors`), the factor learned on the first third;
- dwell in the boxes, of stays whose truth is whole: median absolute error as a share of the best constant guess's, on
  the stays that were found (`ratio`), and on all that are no graze, those not found being told as 0 s (`with_lost`).
"""

import argparse
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

import retailkit as rk
from benchmarks import plain_visits
from benchmarks.zone_truth import match, true_zone_visits, with_person
from retailkit.datasets.recordings import read_recordings
from retailkit.lab.intervals import Estimate, student, wilson
from retailkit.simulate.camera import degrade_tracks, meetings
from retailkit.store.visits import (
    check_tracks,
    clean_tracks,
    count_crossings,
    count_visitors,
    find_zone_visits,
    first_seen,
    learn_visitors,
)

FAULTS = (  # share of moments missed, jitter in metres, share of meetings that break and swap identities
    (0.05, 0.1, 0.25, 0.25),
    (0.1, 0.2, 0.25, 0.25),
    (0.2, 0.3, 0.25, 0.25),
    (0.1, 0.2, 0.4, 0.25),
)
MANY = 0.25  # raw identities over-count by this much or more: there a correction has to show what it is worth
Job = tuple[str, str, int, int, int]  # set, scene, number of the faults, seed, repetitions


@cache
def scene_of(name: str, scene: str) -> dict[str, Any]:
    """A scene's true ways, what is drawn on its floor, and what is true there."""
    store = rk.load_store(f"{name}/{scene}")
    tracks, _ = check_tracks(store.tracks[["visit", "time", "x", "y"]])
    stays = true_zone_visits(tracks, store.zones, bridged=2.0)
    return {
        "tracks": tracks, "met": meetings(tracks), "lines": store.lines, "zones": store.zones,
        "came": first_seen(tracks).to_numpy(), "third": store.counted_until, "stays": stays[stays["whole"]],
        "passed": sum(len(plain_visits.crossings(tracks, line)) for line in store.lines.values()),
    }  # fmt: skip


def one_copy(job: Job) -> dict[str, Any]:
    """Spoil a scene once, and put what we say beside the truth."""
    name, scene, faults, seed, repetitions = job
    true = scene_of(name, scene)
    missed, jitter, broken, swapped = FAULTS[faults]
    rates = {"missed": missed, "jitter": jitter, "broken": broken, "swapped": swapped}
    seen = degrade_tracks(true["tracks"], **rates, met=true["met"], seed=seed)
    row = {"scene": scene, **rates, "seed": seed}
    row |= _crossings(true, seen.drop(columns="person"), repetitions, seed)
    ways = clean_tracks(seen)
    return row | _visitors(true, seen, ways) | _dwell(true, ways)


def _crossings(true: dict[str, Any], seen: pd.DataFrame, repetitions: int, seed: int) -> dict[str, float]:
    table = count_crossings(seen, true["lines"], repetitions=repetitions, seed=seed, progress=False)
    (found,) = table[(table["line"] == "all") & (table["direction"] == "both")].itertuples()
    return {"passed": true["passed"], "value": found.value, "low": found.low, "high": found.high}


def _visitors(true: dict[str, Any], seen: pd.DataFrame, ways: pd.DataFrame) -> dict[str, float]:
    came, third = true["came"], true["third"]
    people = count_visitors(ways, learn_visitors(ways, came[came <= third], until=third), since=third)
    told = {"people": (came > third).sum(), "keys": (first_seen(seen) > third).sum(), "visitors": people.value}
    return told | {"fewest": people.low, "most": people.high}


def _dwell(true: dict[str, Any], ways: pd.DataFrame) -> dict[str, float]:
    found = match(with_person(find_zone_visits(ways, true["zones"]), ways), true["stays"])
    error = (found["dwell_seen"] - found["dwell"]).abs()
    seen, real = error.notna(), (found["depth"] >= 0.3) | (found["dwell"] >= 2.0)
    told = {"ratio": error.median() / _guess(found["dwell"][seen]), "lost": 1 - seen[real].mean()}
    return told | {"with_lost": error.fillna(found["dwell"])[real].median() / _guess(found["dwell"][real])}


def _guess(dwell: pd.Series) -> float:
    """Median absolute error of telling each stay as the middle one."""
    return float((dwell - dwell.median()).abs().median())


def summaries(copies: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Tables of crossings (each scene and rate, and pooled), of visitors and of dwell: figures with 95 % intervals.

    All intervals speak of other copies of these scenes, which are independent; not of other scenes.
    """
    copies = copies.assign(
        bias=copies["value"] / copies["passed"] - 1,
        held=copies["passed"].between(copies["low"], copies["high"]),
        over=copies["keys"] / copies["people"] - 1,
        off=copies["visitors"] / copies["people"] - 1,
        counted=copies["people"].between(copies["fewest"], copies["most"]),
        width=(copies["high"] - copies["low"]) / copies["passed"],
    )
    by = ["scene", "missed", "jitter", "broken"]
    cells = [(dict(zip(by, key, strict=True)), rows) for key, rows in copies.groupby(by, sort=False)]
    pooled = [({"scene": scene}, rows) for scene, rows in copies.groupby("scene", sort=False)]
    everything = [({"scene": "all"}, copies)]
    return {
        "crossings": pd.DataFrame(
            facts | {"passed": rows.groupby("scene")["passed"].first().sum()} | _mean("bias", rows["bias"])
            | _share("held", rows["held"]) | {"width": rows["width"].median(), "copies": len(rows)}
            for facts, rows in [*cells, *pooled, *everything]
        ),
        "visitors": pd.DataFrame(
            facts | {"keys too many": rows["over"].mean()} | _mean("off", rows["off"])
            | {"worst": rows["off"].abs().max()} | _share("held", rows["counted"]) | {"copies": len(rows)}
            for facts, rows in cells
        ),
        "dwell": pd.DataFrame(
            facts | _mean("ratio", rows["ratio"]) | _mean("with_lost", rows["with_lost"])
            | {"lost": rows["lost"].mean(), "copies": len(rows)}
            for facts, rows in cells
        ),
    }  # fmt: skip


def _mean(name: str, values: pd.Series) -> dict[str, float]:
    """Mean over copies with Student's interval."""
    reach = student(0.95, len(values)) * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return {name: values.mean(), f"{name}_low": values.mean() - reach, f"{name}_high": values.mean() + reach}


def _share(name: str, values: pd.Series) -> dict[str, float]:
    found = wilson(int(values.sum()), len(values))
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def answer(tables: dict[str, pd.DataFrame]) -> str:
    """What the tables say, in a few lines."""
    passed, people, dwell = (tables[name] for name in ("crossings", "visitors", "dwell"))
    pooled = passed[passed["missed"].isna() & (passed["scene"] != "all")]
    worst, held = pooled.loc[pooled["bias"].abs().idxmax()], passed.iloc[-1]
    bias = Estimate(worst["bias"], worst["bias_low"], worst["bias_high"])
    share = Estimate(held["held"], held["held_low"], held["held_high"])
    many = people[people["keys too many"] >= MANY]
    off = f"within {many['off'].abs().max():.3f} in the {len(many)} cells" if len(many) else "in none of the cells"
    return (
        f"Crossings pooled by scene are off by at most {bias:.4f} of the truth ({worst['scene']}), and {share:.3f} of "
        f"{held['copies']} intervals hold it; mean visitors are {off} where identities over-count by {MANY:.0%}; dwell "
        f"errs by at most {dwell['ratio'].max():.2f} of a guess's."
    )


def spoil_and_count(jobs: Sequence[Job], workers: int) -> Iterator[dict[str, Any]]:
    """A row for each copy, in order."""
    with ProcessPoolExecutor(workers) as pool:
        yield from tqdm(pool.map(one_copy, jobs, chunksize=4), "copies", total=len(jobs), unit="copy")


def main() -> None:
    """Print the tables and put them into one MLflow run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=["tracks_ucy", "tracks_eth"], help="sets of recordings")
    parser.add_argument("--seeds", type=int, default=100, help="spoilt copies of each scene at each rate")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--repetitions", type=int, default=10, help="how often cleaned ways are spoilt again")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    run = rk.start_run("benchmark-camera-faults", **{**vars(options), "data": " ".join(options.data)})
    scenes = [(name, scene.name) for name in options.data for scene in read_recordings(name) if len(scene.tracks)]
    seeds = range(options.first, options.first + options.seeds)
    jobs = [
        (*scene, faults, seed, options.repetitions)
        for scene in scenes for faults in range(len(FAULTS)) for seed in seeds
    ]  # fmt: skip
    tables = summaries(pd.DataFrame(spoil_and_count(jobs, options.workers)))
    for name, table in tables.items():
        print(f"\n{name}\n{run.show(table, name).round(4).to_string(index=False)}")
    print(answer(tables))
    run.answer(answer(tables))


if __name__ == "__main__":
    main()
