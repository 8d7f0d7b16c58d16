"""Which person wears which tag: the speed that a tag's phase tells against the speeds of tracks to the antenna.

    for one in read_tagged_people("rfid_kinect"):
        match_tags(one.reads, one.tracks, one.antenna)

Phase tells how fast the way from antenna to tag grows (Nikitin et al. 2010), and so does a track; a person and the tag
that he wears agree, whatever the room does to signal strength (velocity matching: Li, Zhang, Marsic & Burd 2017).
Where nobody wrote down who wore a tag, this is consistency of two sensors, never accuracy.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from retailkit.lab.intervals import interval, resample
from retailkit.store.rfid.chance import foreign_speeds, p_value, strange_gains, turned_gains
from retailkit.store.rfid.speeds import (
    BIN,
    LEAST,
    Scene,
    align,
    correlate,
    pair_sums,
    radial_speed,
    scene_sums,
    signed_gain,
)

__all__ = ["match_tags", "radial_speed", "score_tracks"]
BLOCK, REPETITIONS = 2.0, 4000  # seconds of the stretches that are resampled; how often
OVERLAP = 0.5  # seconds that two pieces of one identity may be seen at once: cameras let go of a lost one late
_MOST_SETS = 2048  # of tracks that may be one person


def score_tracks(
    reads: pd.DataFrame, tracks: pd.DataFrame, antenna: ArrayLike, search: float = 3.0, around: float | None = None
) -> pd.DataFrame:
    """Compare every tag with every visit, each pair on its own.

    Parameters
    ----------
    reads, tracks, antenna, search, around
        As in `match_tags`.

    Returns
    -------
    DataFrame
        A row for each tag and visit, best first: tag, visit, gain, correlation, offset, n and covered, as in
        `match_tags`. A visit that is too short to tell a speed gains 0 and covers 0.
    """
    scene = align(reads, tracks, antenna, search, around)
    sums, rows = scene_sums(scene), []
    for t, tag in enumerate(scene.tags):
        for p, visit in enumerate(scene.visits):
            best = int(np.abs(signed_gain(sums[p, :, t])).argmax())
            rows.append({"tag": tag, "visit": visit} | _facts(scene, sums, t, (p,), best))
        unseen = tracks.loc[~tracks["visit"].isin(scene.visits), "visit"].unique()
        rows += [{"tag": tag, "visit": visit} | _NOTHING for visit in unseen]
    table = pd.DataFrame(rows).sort_values(["tag", "gain"], ascending=[True, False], kind="stable", ignore_index=True)
    return table[["tag", "visit", "gain", "correlation", "offset", "n", "covered"]]


_NOTHING = {"gain": 0.0, "correlation": np.nan, "offset": np.nan, "sign": 0, "n": 0.0, "covered": 0.0}


def _facts(scene: Scene, sums: NDArray, tag: int, pieces: tuple[int, ...], at: int) -> dict:
    if not pieces:
        return _NOTHING
    both = sums[list(pieces), :, tag, at].sum(axis=0)
    seen = scene.seen[list(pieces), :, at].max(axis=0)
    time = scene.reads[tag][0]
    heard = np.bincount(np.minimum((time / BIN).astype(int), len(seen) - 1), minlength=len(seen))
    signed = float(signed_gain(both))
    return {
        "gain": abs(signed), "correlation": float(correlate(both)), "offset": round(float(scene.offsets[at]), 3),
        "sign": int(np.sign(signed)), "n": float(both[6]), "covered": float((heard * seen).sum() / len(time)),
    }  # fmt: skip


def match_tags(
    reads: pd.DataFrame,
    tracks: pd.DataFrame,
    antenna: ArrayLike,
    others: Sequence[pd.DataFrame] = (),
    search: float = 3.0,
    around: float | None = None,
    pieces: int = 8,
    draws: int = 999,
    seed: int = 0,
) -> pd.DataFrame:
    """Say for each tag which tracks its phase is consistent with, how far they lead, and how often chance does as well.

    The gain of tracks is the log-likelihood, in nats, that a straight line from their radial speed to the speed told
    gains over no line: -n / 2 log(1 - r²) with r the correlation over bins of 0.25 s in which both are known, weighted
    by the reads in a bin up to three. n is what these bins are worth as independent ones (Bartlett 1946). The line's
    slope is free, since readers tell a part of the true speed, and so is the reader's clock, within a search: one
    offset and one sign of the slope for all tags. No track is given to two tags.

    Cameras lose people and find them again under another number, so a tag may be explained by several tracks that
    are never seen at once (for over 0.5 s). Which ones is found by search over all such sets, and for several tags by
    a whole-number program: the sets with the greatest total gain of which no two share a track.

    Parameters
    ----------
    reads : DataFrame with time (seconds), epc, speed (metres per second, as told, of either sign)
    tracks : DataFrame with visit, time (seconds), x, y (metres)
    antenna : (x, y), metres
    others : list of DataFrame, as `tracks`
        Tracks of other recordings, on which no tag of these was.
    search : float, seconds
        How far the reader's clock may be off, to each side of `around`.
    around : float, optional, seconds
        By default the least shift by which one of the two recordings lies within the other: 0 where the clocks agree.
    pieces : int
        At most so many tracks to a tag; 1 where identities are whole.
    draws : int
        At least so many of each kind of chance.
    seed : int
        Of the bootstrap.

    Returns
    -------
    DataFrame
        A row for each tag:

        tag, visits : the tracks, a tuple by time, empty where none is left
        gain, correlation, n : as above
        offset, sign : seconds to be added to the reader's clock; of the line's slope
        covered : share of the tag's reads that fell while these tracks were seen
        rival, lead : the best of all sets without these tracks, and the gain over the rival's, each at its own best
            offset
        low, high : the lead's 95 % interval; nan without a rival
        p_shifts, p_others : how often chance gains as much

    Notes
    -----
    The interval resamples stretches of 2 s, lines and noise as fitted to all (as Vuong's 1989 test of two models that
    do not hold each other). A rival is the best in each resample anew.

    p is (1 + draws that gain as much) / (1 + draws) (Davison & Hinkley 1997, section 4.2), and a draw takes the best of
    all sets, offsets and signs, as was done with the data. For `p_shifts` the tag's reads are turned on the circle of
    their own recording, by more than the search can undo, and as often backwards. For `p_others` every track gives
    way to one of another recording, forwards or backwards, that begins at the same moment, is turned on a circle of its
    own, and is seen while the true one is. Both are nan where recordings are too short for it, or there are no others.

    Draws of one recording resemble each other, and people who pace up and down are alike: in 200 simulated recordings
    of 45 s a tag that nobody wore had a p_shifts below 0.01 in 7 %, a p_others in 3 %, and both, with a lead
    above 0 over each rival, in 2 %. So ask for all three, and read them as orders of magnitude.

    Raises
    ------
    ValueError
        A column is missing or a table empty, an argument is out of range, or tracks form too many sets.
    """
    for name, value in (("pieces", pieces), ("draws", draws)):
        if value < 1:
            raise ValueError(f"{name} is {value!r}; 1 or more is needed")
    scene = align(reads, tracks, antenna, search, around)
    sets, sums = _sets(scene.ends, pieces), scene_sums(scene)
    signed = np.stack([signed_gain(sums[list(one)].sum(axis=0)) for one in sets], axis=1)  # (T, S, O)
    chosen, at = _assign(signed, sets, len(scene.visits))
    foreign = foreign_speeds(others, antenna)
    strange = strange_gains(scene, sets, foreign, draws)
    rows = []
    for t, tag in enumerate(scene.tags):
        facts = _facts(scene, sums, t, chosen[t], at)
        turned = turned_gains(scene, sets, t, search, draws)
        rows.append(
            {"tag": tag, "visits": tuple(scene.visits[p] for p in chosen[t])} | facts
            | _lead(scene, sets, t, chosen[t], signed[t], seed)
            | {"p_shifts": p_value(facts["gain"], turned), "p_others": p_value(facts["gain"], strange[t])}
        )  # fmt: skip
    return pd.DataFrame(rows)


def _sets(ends: NDArray, pieces: int) -> list[tuple[int, ...]]:
    """All sets of tracks that one person may have left behind, each by time."""
    found: list[tuple[int, ...]] = [()]
    for p in np.argsort(ends[:, 0], kind="stable"):
        fits = [
            one
            for one in found
            if len(one) < pieces and ends[list(one), 1].max(initial=-np.inf) <= ends[p, 0] + OVERLAP
        ]
        found += [(*one, int(p)) for one in fits]
        if len(found) > _MOST_SETS + len(ends):
            raise ValueError(
                f"{len(ends)} tracks, of which up to {pieces} may be one person's, form over {_MOST_SETS} sets; clean "
                f"or join tracks first, look at a shorter time, or set pieces to {max(pieces - 1, 1)} or less"
            )
    return found[1:]


def _assign(signed: NDArray, sets: list[tuple[int, ...]], tracks: int) -> tuple[list[tuple[int, ...]], int]:
    """Sets of tracks for each tag, and the offset, with the greatest total gain under one offset and one sign."""
    gains = np.concatenate([np.maximum(signed, 0), np.maximum(-signed, 0)], axis=2)
    most = gains.max(axis=1).sum(axis=0)  # as if tags could share
    best, at = -1.0, 0
    chosen: list[tuple[int, ...]] = [()] * len(signed)
    for place in np.argsort(-most, kind="stable"):
        if most[place] <= best:
            break
        total, found = _share(gains[:, :, place], sets, tracks)
        if total > best:
            best, chosen, at = total, found, int(place) % signed.shape[2]
    return chosen, at


def _share(gains: NDArray, sets: list[tuple[int, ...]], tracks: int) -> tuple[float, list[tuple[int, ...]]]:
    """Weighted set packing: no two tags share a track."""
    from scipy.optimize import LinearConstraint, milp

    tag, which = np.nonzero(gains > 0)
    found: list[tuple[int, ...]] = [()] * len(gains)
    if not len(tag):
        return 0.0, found
    holds = np.zeros((tracks, len(sets)))
    for s, one in enumerate(sets):
        holds[list(one), s] = 1
    rows = np.concatenate([tag == np.arange(len(gains))[:, None], holds[:, which]])
    answer = milp(
        -gains[tag, which], constraints=LinearConstraint(rows, ub=1), integrality=np.ones(len(tag)), bounds=(0, 1)
    )
    for place in np.flatnonzero(answer.x > 0.5):
        found[tag[place]] = sets[which[place]]
    return float(-answer.fun), found


def _lead(
    scene: Scene, sets: list[tuple[int, ...]], tag: int, mine: tuple[int, ...], signed: NDArray, seed: int
) -> dict:
    """The best set without any of these tracks, and the lead over it with its interval; clocks are free for both."""
    free = [one for one in sets if not set(one) & set(mine)]
    if not mine or not free:
        return {"rival": (), "lead": np.nan, "low": np.nan, "high": np.nan}
    places = dict(zip(sets, np.abs(signed).argmax(axis=1), strict=True))
    own, *theirs = (_shares(scene, tag, one, places[one]) for one in (mine, *free))
    rival = int(np.sum(theirs, axis=1).argmax())
    heard = scene.weight[tag] > 0
    blocks = ((scene.bins - scene.bins[0]) // BLOCK).astype(int)[heard]
    counts = resample(blocks, REPETITIONS, seed)
    leads = counts @ own[heard] - (counts @ np.transpose(theirs)[heard]).max(axis=1)
    found = interval(own.sum() - theirs[rival].sum(), leads, units=len(np.unique(blocks)))
    visits = tuple(scene.visits[p] for p in free[rival])
    return {"rival": visits, "lead": found.value, "low": found.low, "high": found.high}


def _shares(scene: Scene, tag: int, pieces: tuple[int, ...], at: int) -> NDArray:
    """What each bin (n,) adds to the gain of a set of tracks, its line and noise as fitted to all bins."""
    weight, value = scene.weight[tag], scene.value[tag]
    each = [pair_sums(weight[None], value[None], scene.seen[p][:, [at]], scene.speed[p][:, [at]]) for p in pieces]
    w, x, xx, y, yy, xy = np.sum(each, axis=0)[:, 0, 0]
    worth = sum(one[0, 0, 0] / scene.alike[tag, p] for p, one in zip(pieces, each, strict=True))
    if worth < LEAST:
        return np.zeros(len(weight))
    slope = (xy - x * y / w) / max(yy - y * y / w, 1e-12)
    plain = max((xx - x * x / w) / w, 1e-12)
    left = max(plain - slope * (xy - x * y / w) / w, 1e-12)
    total = np.zeros(len(weight))
    for p in pieces:
        off = value - x / w - slope * (scene.speed[p][:, at] - y / w)
        share = np.log(plain / left) + (value - x / w) ** 2 / plain - off**2 / left
        total += worth / w * weight * scene.seen[p][:, at] / 2 * share
    return total
