"""Long days: fused in stretches that overlap, so that memory stays flat and cost grows with the day, not its square.

    found = fuse_long(sensors, workers=2)          # frames, or the folder that write_sensors wrote

A stretch has a core, and a margin before and after in which it looks at what led to it and what came of it. Whoever
leaves within its core is its own: only what it says of them counts, and of a tag only what the surer stretch says. So
nothing is charged twice. Forgotten is what somebody took longer before the core than the margin reaches back.
"""

from collections.abc import Iterable
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.store.fusion.attribution import BELIEFS, EVENTS, SEEN, Attribution, attribute, charge_expected
from retailkit.store.fusion.disk import TIMED, read_sensors, read_times
from retailkit.store.fusion.joint import Options, fuse_scene
from retailkit.store.fusion.sensors import Scene, Sensors, prepare
from retailkit.store.rfid.reads import check_reads

CORE, BEFORE, AFTER = 3600.0, 600.0, 120.0  # seconds: see `fuse_long`
_LATE = 15.0  # seconds before somebody leaves in which the door may have heard what they carry for the last time
_LOST = 60.0  # seconds after which somebody who is not seen has left
_LIKELY = 0.3  # belief from which a piece of a track tells when somebody was seen last


class Stretch(NamedTuple):
    """A part of a day, seconds: whoever leaves from `begin` to `end`, by what is told from `first` to `last`."""

    begin: float
    end: float
    first: float
    last: float


class Told(NamedTuple):
    """What one stretch says, of its own shoppers and others.

    Attributes
    ----------
    stretch : Stretch
    found : Attribution
    left : DataFrame
        shopper, time (seconds, when they left or were seen last), sure (whether the door knew their face then).
    """

    stretch: Stretch
    found: Attribution
    left: pd.DataFrame


def fuse_long(
    sensors: Sensors | Path | str,
    options: Options | None = None,
    workers: int = 1,
    core: float = CORE,
    before: float = BEFORE,
    after: float = AFTER,
) -> Attribution:
    """Say who left with what on a day of any length, as `retailkit.store.fusion.joint.fuse` does on a short one.

    Parameters
    ----------
    sensors : Sensors, or Path
        Or the folder of a day that `write_sensors` wrote: then only what is fused at a time is in memory.
    options : Options, optional
    workers : int
        Processes; whoever asks for more than one does so below ``if __name__ == "__main__":``.
    core : float, seconds
        Of a stretch. The shorter, the less memory; the longer, the less is looked at twice.
    before, after : float, seconds
        Margins: before, as long as nearly everybody stays, and tags lie long enough for it to be learned how they are
        heard there; after, as long as it takes to hear that something is still on its shelf.

    Returns
    -------
    Attribution
        Of a day shorter than one and a half cores, what `fuse` gives. Otherwise things without a tag have names of
        their own in each stretch, and of two stretches that both give a tag away the surer one is believed.

    Raises
    ------
    ValueError
        There is no worker, a core is not above 0, or a margin below it.
    """
    if workers < 1:
        raise ValueError(f"workers is {workers!r}: 1 or more are needed")
    stretches = plan_stretches(sensors, core, before, after)
    if isinstance(sensors, Sensors) and len(stretches) > 1:
        sensors = sensors._replace(reads=check_reads(sensors.reads, sensors.antennas["antenna"])[0])
    if workers == 1 or len(stretches) == 1:
        return join_stretches(fuse_stretch(sensors, stretch, options) for stretch in stretches)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return join_stretches(_hand_out(pool, sensors, stretches, options))


def _hand_out(
    pool: Executor, sensors: Sensors | Path | str, stretches: list[Stretch], options: Options | None
) -> Iterable[Told]:
    """Have stretches fused elsewhere: of frames only their part is sent."""
    if not isinstance(sensors, Sensors):
        return pool.map(partial(fuse_stretch, sensors, options=options), stretches)
    parts = (cut_sensors(sensors, stretch) for stretch in stretches)
    return pool.map(partial(fuse_stretch, options=options), parts, stretches)


def plan_stretches(
    sensors: Sensors | Path | str, core: float = CORE, before: float = BEFORE, after: float = AFTER
) -> list[Stretch]:
    """Divide a day into stretches of about equal cores; the first and the last are open at their ends.

    Where one ends and another begins, plates and hands are at rest: an act is wholly in one of them.

    Parameters
    ----------
    sensors : Sensors, or Path
        As `fuse_long` takes them.
    core, before, after : float, seconds
    """
    if not (core > 0 and before >= 0 and after >= 0):
        raise ValueError(f"core, before and after are {core:g}, {before:g} and {after:g} s: above 0, and 0 or more")
    times = {name: read_times(sensors, name) for name in ("reads", "tracks", "hands", "plates")}
    told = [one for one in (times["reads"], times["tracks"]) if len(one)]
    begin, end = (float(choose(map(choose, told), default=0.0)) for choose in (min, max))
    number = max(round((end - begin) / core), 1)
    acts = np.sort(np.concatenate([times["hands"], times["plates"]]))
    inner = [_at_rest(acts, begin + (end - begin) * part / number, core / 20) for part in range(1, number)]
    bounds = [-np.inf, *inner, np.inf]
    return [Stretch(low, high, low - before, high + after) for low, high in pairwise(bounds)]


def _at_rest(acts: NDArray[np.float64], about: float, slack: float) -> float:
    """The middle of the longest time without an act, around some moment."""
    inside = acts[(acts > about - slack) & (acts < about + slack)]
    edges = np.concatenate([[about - slack], inside, [about + slack]])
    longest = int(np.diff(edges).argmax())
    return float(edges[longest : longest + 2].mean())


def cut_sensors(sensors: Sensors, stretch: Stretch) -> Sensors:
    """Take what a stretch looks at, margins included."""
    if not _is_part(stretch):
        return sensors
    cut = {}
    for name in TIMED:
        table = getattr(sensors, name)
        cut[name] = table[(table["time"] >= stretch.first) & (table["time"] < stretch.last)]
    return sensors._replace(**cut)


def fuse_stretch(sensors: Sensors | Path | str, stretch: Stretch, options: Options | None = None) -> Told:
    """Fuse one stretch.

    Parameters
    ----------
    sensors : Sensors, or Path
        All of the day, the stretch's part, or the folder of the day.
    stretch : Stretch
    options : Options, optional
    """
    part = cut_sensors(sensors, stretch) if isinstance(sensors, Sensors) else read_sensors(sensors, *stretch[2:])
    chosen = options or Options()
    if _is_part(stretch):
        part = part._replace(reads=_there(part.reads, stretch.begin - _LATE))
        chosen = chosen if len(part.reads) else replace(chosen, reads=False)
        if part.tracks.empty or (part.entries.empty and part.exits.empty):
            return _nobody(stretch, part)
    scene = prepare(part)
    return Told(stretch, fuse_scene(scene, chosen), _find_left(scene))


def _is_part(stretch: Stretch) -> bool:
    return bool(np.isfinite(stretch.first) or np.isfinite(stretch.last))


def _there(reads: pd.DataFrame, since: float) -> pd.DataFrame:
    """Reads of tags that some antenna heard since a moment: others have left before, and nobody has them now."""
    epc = reads["epc"].astype("category")
    heard = epc[(reads["time"] >= since).to_numpy()].cat.remove_unused_categories().cat.categories
    kept = epc.isin(heard).to_numpy()
    return reads[kept].assign(epc=epc[kept].cat.remove_unused_categories())


def _nobody(stretch: Stretch, part: Sensors) -> Told:
    """A stretch in which nobody was seen, or nobody known: whoever the door knew left with nothing."""
    faces = pd.concat([part.entries.assign(sure=False), part.exits.assign(sure=True)])
    left = faces.sort_values(["sure", "time"]).drop_duplicates("shopper", keep="last")
    return Told(stretch, attribute(pd.DataFrame(columns=BELIEFS)), left[["shopper", "time", "sure"]])


def _find_left(scene: Scene) -> pd.DataFrame:
    """When each shopper left: by their face at the exit, else when tracks that may be theirs were seen last."""
    identity, faces = scene.identity, scene.sensors
    left = pd.DataFrame({"shopper": identity.shoppers})
    came, went = (left["shopper"].map(told.groupby("shopper")["time"].max()) for told in (faces.entries, faces.exits))
    begin, end = (identity.pieces[name].to_numpy(float) for name in ("begin", "end"))
    likely = identity.beliefs[:, :-1] > _LIKELY
    seen = [_seen_last(begin[mine], end[mine]) for mine in likely.T]
    time = np.where(went.notna(), went, np.fmax(seen, came))
    return left.assign(time=time, sure=went.notna())


def _seen_last(begin: NDArray[np.float64], end: NDArray[np.float64]) -> float:
    """The end of pieces of a track that follow each other: what comes much later is a reflection, or somebody else."""
    if not len(begin):
        return float("nan")
    order = np.argsort(begin, kind="stable")
    reached = np.maximum.accumulate(end[order])
    gaps = np.flatnonzero(begin[order][1:] - reached[:-1] > _LOST)
    return float(reached[gaps[0] if len(gaps) else -1])


def join_stretches(told: Iterable[Told]) -> Attribution:
    """Put together what stretches of a day say, in their order: each shopper is told of by the one they left in.

    >>> join_stretches([]).receipts.empty
    True

    Parameters
    ----------
    told : iterable of Told
        As `fuse_stretch` gives them.
    """
    parts = list(told)
    if len(parts) == 1:
        return parts[0].found
    owners, acts, beliefs, events = find_owners(parts), 0, [], []
    for number, (stretch, found, _) in enumerate(parts):
        own = found.beliefs[found.beliefs["shopper"].map(owners) == number]
        beliefs.append(own.assign(item=_renumbered(own["item"], acts), stretch=number))
        events.append(found.events[_within(found.events["time"], stretch)])
        acts += len(found.events)
    said = _surest(_stacked(beliefs, [*BELIEFS, "stretch"]))
    return attribute(said, _stacked(events, EVENTS), charge_expected(said))


def _surest(beliefs: pd.DataFrame) -> pd.DataFrame:
    """Of a tag that two stretches give away, what the surer one says, or of two as sure the later one."""
    total = beliefs.groupby(["item", "stretch"]).agg(probability=("probability", "sum")).reset_index()
    best = total.sort_values(["probability", "stretch"]).drop_duplicates("item", keep="last").set_index("item")
    kept = beliefs["stretch"].to_numpy() == best["stretch"].reindex(beliefs["item"]).to_numpy()
    return beliefs[kept].reset_index(drop=True)[BELIEFS]


def find_owners(parts: list[Told]) -> pd.Series:
    """Say in which stretch each shopper left: its number by shopper.

    Where no face told it, several stretches may think that it was in theirs: the last of them is believed; or none
    does, and the one that saw them last is.
    """
    tables = [
        told.left.assign(own=_within(told.left["time"], told.stretch), stretch=number)
        for number, told in enumerate(parts)
    ]
    left = _stacked(tables, ["shopper", "time", "sure", "own", "stretch"])
    ranked = left.sort_values(["sure", "own", "time", "stretch"], kind="stable")
    return ranked.drop_duplicates("shopper", keep="last").set_index("shopper")["stretch"].sort_index()


def _within(time: pd.Series, stretch: Stretch) -> pd.Series:
    return (time >= stretch.begin) & (time < stretch.end)


def _stacked(tables: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    full = [table[columns] for table in tables if len(table)]
    return pd.concat(full, ignore_index=True) if full else pd.DataFrame(columns=columns)


def _renumbered(items: pd.Series, acts: int) -> pd.Series:
    """Names of things without a tag, by the number of their act, which those of stretches before go ahead of."""
    seen = items.str.startswith(SEEN)
    numbers = items[seen].str.removeprefix(SEEN).astype(int) + acts
    return items.where(~seen, SEEN + numbers.reindex(items.index).astype("Int64").astype("str"))
