"""Real walkers with truth, spoilt as a camera would; and the plain distance rule, tuned on perfect tracks."""

from functools import cache
from itertools import product

import numpy as np
import pandas as pd

from retailkit.datasets.recordings import Recording
from retailkit.simulate.camera import degrade_tracks, meetings
from retailkit.store.visits import check_tracks, clean_tracks, smooth_tracks, untangle_tracks
from retailkit.store.visits.group_scores import owners, pairs_of, score_pairs
from retailkit.store.visits.groups import find_groups, learn_weights, members
from retailkit.store.visits.pairs import describe_pairs

LEVELS = {"little": (0.05, 0.1), "some": (0.1, 0.2), "much": (0.2, 0.3)}  # missed, jitter (metres)
METRES, SHARES = (0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5), (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95)
LEAST = (1, 5, 8, 12)  # moments
_MET: dict[str, pd.DataFrame] = {}


def spoil(scene: Recording, level: str, seed: int, whole: bool = False) -> pd.DataFrame:
    """Tracks that were spoilt, untangled and smoothed (and, where `whole`, stitched), with the column person."""
    if scene.name not in _MET:
        _MET[scene.name] = meetings(scene.tracks)
    missed, jitter = LEVELS[level]
    seen = degrade_tracks(scene.tracks, missed=missed, jitter=jitter, met=_MET[scene.name], seed=seed)
    kept, _ = check_tracks(seen)
    return clean_tracks(kept) if whole else smooth_tracks(untangle_tracks(kept))


def score(found: set[frozenset], scene: Recording) -> pd.DataFrame:
    """Right, found and true pairs of each group of people."""
    return score_pairs(found, scene.groups, pd.unique(scene.tracks["visit"]).tolist())


def ours(tracks: pd.DataFrame, scene: Recording, **options) -> pd.DataFrame:
    groups, _ = find_groups(tracks, **options)
    return score(pairs_of(members(groups), owners(tracks)), scene)


@cache
def labelled_pairs(scene: Recording, seed: int) -> pd.DataFrame:
    """Pairs of copies of a scene, at all levels and by both ways of cleaning, with the truth."""
    tables, true = [], pairs_of(scene.groups)
    for level, whole in product(LEVELS, (False, True)):
        tracks = spoil(scene, level, seed, whole)
        owner, pairs = owners(tracks), describe_pairs(tracks)
        one, other = pairs["one"].map(owner), pairs["other"].map(owner)
        told = [frozenset(pair) in true for pair in zip(one, other, strict=True)]
        tables.append(pairs.assign(scene=scene.name, told=told)[(one != other).to_numpy()])
    return pd.concat(tables, ignore_index=True)


def learn(scenes: list[Recording], seeds: range) -> dict:
    """Options for `find_groups`, learned on copies of some scenes."""
    table = pd.concat([labelled_pairs(scene, seed) for scene, seed in product(scenes, seeds)], ignore_index=True)
    weights, common = learn_weights(table, table["told"].to_numpy(), table["scene"].to_numpy())
    return {"weights": weights, "common": common}


def near_shares(tracks: pd.DataFrame) -> pd.DataFrame:
    """For each two visits the number of common moments, and in how many they were within each of METRES."""
    rows = tracks.assign(moment=np.round(tracks["time"], 3))[["visit", "moment", "x", "y"]]
    both = rows.merge(rows, on="moment", suffixes=("", "_other"))
    both = both[both["visit"] < both["visit_other"]]
    away = np.hypot(both["x"] - both["x_other"], both["y"] - both["y_other"])
    counts = pd.DataFrame({"moments": 1, **{metres: away <= metres for metres in METRES}})
    return counts.groupby([both["visit"], both["visit_other"]]).sum()


def distance_rule(tracks: pd.DataFrame, scene: Recording, metres: float, share: float, least: int) -> pd.DataFrame:
    """Pairs within some metres of each other for a share of the moments in common, and for some at least."""
    owner, counts = owners(tracks), near_shares(tracks)
    linked = counts.index[_near(counts, metres, share, least)]
    return score(pairs_of(linked.tolist(), owner), scene)


def _near(counts: pd.DataFrame, metres: float, share: float, least: int) -> pd.Series:
    return (counts[metres] >= share * counts["moments"]) & (counts[metres] >= least)


@cache
def tuned_rule(scene: Recording) -> tuple[float, tuple[float, float, int]]:
    """Best F1 of the distance rule on the perfect tracks of this very scene, and its options: all that it can be."""
    counts, true = near_shares(scene.tracks), pairs_of(scene.groups)
    tried = []
    for options in product(METRES, SHARES, LEAST):
        linked = {frozenset(pair) for pair in counts.index[_near(counts, *options)]}
        tried.append((2 * len(linked & true) / max(len(linked) + len(true), 1), options))
    return max(tried)


def pooled(scores: list[pd.DataFrame]) -> pd.DataFrame:
    """Several scenes as one."""
    return pd.concat(scores, ignore_index=True).assign(unit=lambda rows: range(len(rows)))
