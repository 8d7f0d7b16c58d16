"""Counters of a line on the same tracks: ours, ultralytics' ObjectCounter and supervision's LineZone.

    RETAILKIT_DATA=... python -m benchmarks.line_counters --seeds 20

Real ways of people (`tracks_ucy`, `tracks_eth`) are spoilt as cameras and trackers spoil them, at stated rates, and
three lines a scene, drawn by rule, are counted by all. The truth is what passes those lines on the unspoilt tracks.
Peers run as they are, fed the foot points themselves in place of a box's middle or corners, which is kind to them:

- ultralytics counts an identity once, ever, at its first touch of the line, and calls right or down "in";
- supervision counts both ways; with `minimum_crossing_threshold=2` a place beyond the line must be seen twice.

Rows ending in "cleaned" show a peer on our cleaned tracks: what counting is worth apart from the tracks.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd

import retailkit as rk
from retailkit.datasets.by_rule import draw_gates
from retailkit.datasets.recordings import read_recordings
from retailkit.lab import project
from retailkit.lab.intervals import Estimate, student
from retailkit.simulate.camera import degrade_tracks, meetings
from retailkit.store.visits import check_tracks, find_crossings
from retailkit.store.visits.cleaning import clean_tracks
from retailkit.store.visits.counts import count_crossings

Line = Sequence[Sequence[float]]
Counts = dict[str, float]  # in, out, both
Counter = Callable[[pd.DataFrame, Sequence[Line]], Counts]
FOOT = 0.01  # metres: half the side of the box around a foot point
OURS = "retailkit"


def count_ours(tracks: pd.DataFrame, line: Line) -> Counts:
    """Count by `find_crossings`."""
    directions = find_crossings(tracks, line)["direction"]
    return {way: int((directions == way).sum()) for way in ("in", "out")}


def count_ultralytics(tracks: pd.DataFrame, line: Line) -> Counts:
    """Count by ultralytics' ObjectCounter: its own steps of `process`, without drawing on pictures."""
    counter = _object_counter(line)
    for visits, feet in _moments(tracks):
        for visit, (x, y) in zip(visits.tolist(), feet, strict=True):
            counter.store_tracking_history(visit, _tensor([x - FOOT, y - FOOT, x + FOOT, y + FOOT]))
            way = counter.track_history[visit]
            counter.count_objects(way[-1], visit, way[-2] if len(way) > 1 else None, 0)
    right = _right(line)
    tall = abs(line[0][0] - line[1][0]) < abs(line[0][1] - line[1][1])
    return _turned(counter.in_count, counter.out_count, right[0 if tall else 1] > 0)


def count_supervision(tracks: pd.DataFrame, line: Line, threshold: int = 1) -> Counts:
    """Count by supervision's LineZone, anchored at the foot point."""
    import supervision

    ends = [supervision.Point(*map(float, end)) for end in line]
    anchor = [supervision.Position.BOTTOM_CENTER]
    zone = supervision.LineZone(*ends, triggering_anchors=anchor, minimum_crossing_threshold=threshold)
    for visits, feet in _moments(tracks):
        boxes = np.column_stack([feet[:, 0] - FOOT, feet[:, 1] - 2 * FOOT, feet[:, 0] + FOOT, feet[:, 1]])
        zone.trigger(supervision.Detections(xyxy=boxes, tracker_id=visits))
    return _turned(zone.in_count, zone.out_count, True)


def _moments(tracks: pd.DataFrame) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Frames of the recording in order, those without anybody too: visits (numbered), feet (people, 2)."""
    ordered = tracks.sort_values("time", kind="stable")
    time, feet = ordered["time"].to_numpy(), ordered[["x", "y"]].to_numpy()
    visits = pd.factorize(ordered["visit"])[0] + 1
    step = np.diff(np.unique(time))
    frames = np.round((time - time[0]) / np.median(step) if len(step) else time * 0).astype(int)
    every = np.arange(frames[-1] + 1)
    for start, end in zip(*(np.searchsorted(frames, every, side) for side in ("left", "right")), strict=True):
        yield visits[start:end], feet[start:end]


def _right(line: Line) -> np.ndarray:
    """The direction that we call in: to the right, seen along the line."""
    along = np.subtract(line[1], line[0])
    return np.array([along[1], -along[0]])


def _turned(entered: int, left: int, same: bool) -> Counts:
    return {"in": entered, "out": left} if same else {"in": left, "out": entered}


def _object_counter(line: Line) -> Any:
    """A counter without a past."""
    from collections import defaultdict

    counter = copy(_blank_counter())
    counter.in_count = counter.out_count = 0
    counter.counted_ids, counter.track_history = set(), defaultdict(list)
    counter.classwise_count = defaultdict(lambda: {"IN": 0, "OUT": 0})
    counter.region = [tuple(map(float, end)) for end in line]
    counter.initialize_region()
    return counter


@cache
def _blank_counter() -> Any:
    project.quiet()
    from ultralytics.solutions import ObjectCounter

    return ObjectCounter(model="yolo11n.yaml", show=False, verbose=False)


def _tensor(values: list[float]) -> Any:
    import torch

    return torch.tensor(values, dtype=torch.float64)


def count_corrected(tracks: pd.DataFrame, lines: Sequence[Line]) -> Counts:
    """Count by `count_crossings`: the bias that the camera's faults leave is estimated and taken off."""
    named = {str(number): line for number, line in enumerate(lines)}
    table = count_crossings(tracks, named, repetitions=10, progress=False)
    value = table[table["line"] == "all"].set_index("direction")["value"]
    return {way: float(value[way]) for way in ("in", "out", "both")}


def each(count: Callable[[pd.DataFrame, Line], Counts], tracks: pd.DataFrame, lines: Sequence[Line]) -> Counts:
    """Count line by line, and add up."""
    counts = [count(tracks, line) for line in lines]
    total = {way: sum(one[way] for one in counts) for way in ("in", "out")}
    return total | {"both": sum(total.values())}


COUNTERS: dict[str, tuple[Counter, bool]] = {  # and whether it gets our cleaned tracks
    OURS: (partial(each, count_ours), True),
    "retailkit, bias taken off": (count_corrected, False),
    "ultralytics ObjectCounter": (partial(each, count_ultralytics), False),
    "supervision LineZone": (partial(each, count_supervision), False),
    "supervision LineZone, threshold 2": (partial(each, partial(count_supervision, threshold=2)), False),
    "ultralytics, cleaned": (partial(each, count_ultralytics), True),
    "supervision, threshold 2, cleaned": (partial(each, partial(count_supervision, threshold=2)), True),
}


def compare_counters(
    scenes: Mapping[str, pd.DataFrame],
    *,
    missed: float = 0.1,
    jitter: float = 0.2,
    broken: float = 0.25,
    swapped: float = 0.25,
    seeds: Sequence[int] = range(5),
    counters: Sequence[str] = tuple(COUNTERS),
    progress: bool = True,
) -> pd.DataFrame:
    """Count three lines of each scene on spoilt copies, and compare with what passes them on the true tracks.

    Parameters
    ----------
    scenes : dict of DataFrame with visit (whole numbers), time (seconds), x, y (metres)
        True tracks by the scene's name.
    missed, jitter, broken, swapped
        See `retailkit.simulate.camera.degrade_tracks`.
    seeds : whole numbers
        A spoilt copy each.
    counters : names out of `COUNTERS`

    Returns
    -------
    DataFrame
        scene, counter, direction ("in", "out", "both"), truth (crossings), counted (mean over the copies), bias (share
        of the truth), low, high (95 % interval of the bias over copies; it does not speak of other scenes), and spread
        (standard deviation of one copy's bias).
    """
    from tqdm import tqdm

    rows: list[dict[str, Any]] = []
    bar = tqdm(total=len(scenes) * len(seeds), desc="counting", delay=2, unit="copy", disable=not progress)
    for scene, true in scenes.items():
        tracks, _ = check_tracks(true)
        lines, met = list(draw_gates(tracks).values()), meetings(tracks)
        truth = each(count_ours, tracks, lines)
        spoil = partial(degrade_tracks, tracks, missed=missed, jitter=jitter, broken=broken, swapped=swapped, met=met)
        for seed in seeds:
            seen = spoil(seed=seed)
            checked, _ = check_tracks(seen)
            whole = clean_tracks(checked)
            for name in counters:
                count, cleaned = COUNTERS[name]
                counts = count(whole if cleaned else checked, lines)
                rows += [
                    {"scene": scene, "counter": name, "direction": way, "truth": truth[way], "counted": counts[way]}
                    for way in truth
                ]
            bar.update()
    bar.close()
    return _summary(pd.DataFrame(rows))


def _summary(rows: pd.DataFrame) -> pd.DataFrame:
    table = []
    for key, copies in rows.groupby(["scene", "counter", "direction"], sort=False):
        bias = (copies["counted"] / copies["truth"] - 1).to_numpy()
        number, spread = len(bias), bias.std(ddof=1) if len(bias) > 1 else np.nan
        reach = student(0.95, number) * spread / np.sqrt(number) if number > 1 else np.nan
        figure = Estimate(bias.mean(), bias.mean() - reach, bias.mean() + reach, units=number, unit_name="copies")
        facts = dict(zip(("scene", "counter", "direction"), key, strict=True))
        facts |= {"truth": int(copies["truth"].iloc[0]), "counted": copies["counted"].mean()}
        table.append(facts | {"bias": figure.value, "low": figure.low, "high": figure.high, "spread": spread})
    return pd.DataFrame(table)


CASES = {  # x (metres) of one identity, step by step; the line runs along x = 0
    "through": ([-1, -0.5, 0.5, 1], {"in": 1, "out": 0}),
    "in and back out": ([-1, -0.5, 0.5, 1, 1, 0.5, -0.5, -1], {"in": 1, "out": 1}),
    "in, out and in again": ([-1, -0.5, 0.5, 1, 0.5, -0.5, -1, -0.5, 0.5, 1], {"in": 2, "out": 1}),
    "a graze": ([-1, -0.3, 0.05, -0.3, -1], {"in": 0, "out": 0}),
    "a longer graze": ([-1, -0.3, 0.05, 0.1, 0.05, -0.3, -1], {"in": 0, "out": 0}),
    "through, dithering on the line": ([-1, -0.1, 0.1, -0.1, 0.1, 1, 2], {"in": 1, "out": 0}),
}


def compare_cases() -> pd.DataFrame:
    """Count ways that each counter should get right: case, counter, in, out, and whether that is so."""
    line = ((0.0, -2.0), (0.0, 2.0))
    rows = []
    for case, (places, truth) in CASES.items():
        way = pd.DataFrame({"visit": 1, "time": 0.2 * np.arange(len(places)), "x": places, "y": 0.0})
        for name, (count, cleaned) in COUNTERS.items():
            if name == OURS or not (cleaned or name.startswith(OURS)):
                counts = count(way, [line])
                rows.append({"case": case, "counter": name, **counts, "right": truth.items() <= counts.items()})
    return pd.DataFrame(rows)


def main() -> None:
    """Print the tables and put them into one MLflow run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=["tracks_ucy", "tracks_eth"], help="sets of recordings")
    parser.add_argument("--seeds", type=int, default=20, help="spoilt copies of each scene")
    parser.add_argument("--missed", type=float, default=0.1, help="share of moments not seen")
    parser.add_argument("--jitter", type=float, default=0.2, help="standard deviation of a place, metres")
    options = parser.parse_args()
    run = rk.start_run("benchmark-line-counters", **{**vars(options), "data": " ".join(options.data)})
    scenes = {scene.name: scene.tracks for name in options.data for scene in read_recordings(name)}
    spoilt = {"missed": options.missed, "jitter": options.jitter, "seeds": range(options.seeds)}
    table = compare_counters(scenes, **spoilt)
    perfect = compare_counters(scenes, missed=0, jitter=0, broken=0, swapped=0, seeds=[0])
    for name, frame in (("spoilt", table), ("perfect", perfect), ("cases", compare_cases())):
        print(f"\n{name}\n{run.show(frame, name).round(3).to_string(index=False)}")
    ours = table[(table["counter"] == OURS) & (table["direction"] == "both")]
    worst = ours.loc[ours["bias"].abs().idxmax()]
    figure = Estimate(worst["bias"], worst["low"], worst["high"], units=options.seeds, unit_name="copies")
    run.answer(f"Over {len(scenes)} scenes our count is off by {figure:.3f} at most, in {worst['scene']}.")


if __name__ == "__main__":
    main()
