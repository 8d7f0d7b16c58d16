"""What is wrong with a store's devices, tags and plan, told from a day itself: as such, and not absorbed.

    health = check_store(scene)
    health.summary                              # antennas, untagged things, wrong cells: how many, how sure, in words
    scene = mend_planogram(scene, health.planogram)

Every verdict may be "cannot tell": an antenna with no tag near, a product whose tags nobody hears, a cell that nothing
was taken from.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from retailkit.lab.intervals import Estimate
from retailkit.store.fusion.acts import find_acts
from retailkit.store.fusion.antennas import check_antennas
from retailkit.store.fusion.departures import find_departures, hear_bins
from retailkit.store.fusion.planogram import find_contents, mend_planogram, seen_takes
from retailkit.store.fusion.sensors import Scene
from retailkit.store.fusion.untagged import USUAL, check_tags

_SLACK = 1.0  # seconds by which a clock may be off: what is compared lies as far apart by itself

SUMMARY = ["what", "value", "low", "high", "of", "cannot_tell", "verdict"]


class StoreHealth(NamedTuple):
    """What is wrong, as far as a day tells.

    Attributes
    ----------
    summary : DataFrame
        what (dead antennas, untagged, wrong cells, clocks off), value (a share), low, high (its 95 % interval; nan of
        antennas, cells and clocks, all of which are judged one by one and none is drawn from others), of (antennas,
        things, cells or clocks that could be judged), cannot_tell (that could not), verdict.
    antennas : DataFrame
        As `check_antennas` gives it.
    untagged : DataFrame
        As `check_tags` gives it.
    planogram : DataFrame
        As `find_contents` gives it.
    clocks : DataFrame
        Those of the scene, with offset_first and offset_last (seconds, when the day begins and ends), and a verdict
        (ok; off, if the 95 % interval of either lies beyond a second; cannot tell).
    """

    summary: pd.DataFrame
    antennas: pd.DataFrame
    untagged: pd.DataFrame
    planogram: pd.DataFrame
    clocks: pd.DataFrame


def check_store(scene: Scene) -> StoreHealth:
    """Tell which antennas are dead, how much has no tag, and which cells have another product than planned.

    Parameters
    ----------
    scene : Scene

    Returns
    -------
    StoreHealth
    """
    presence, acts = hear_bins(scene), find_acts(scene)
    left = find_departures(scene, seen_takes(acts)["time"], presence)
    contents = find_contents(scene, acts, left, presence)
    mended = mend_planogram(scene, contents)
    antennas = check_antennas(mended, presence)
    tags, share = check_tags(mended, presence=presence)  # where the plan was wrong, other things were taken
    clocks = _judge_clocks(scene.clocks, scene.sensors.tracks["time"])
    rows = [_dead(antennas), _without_tag(tags, share), _wrong(contents), _off(clocks)]
    return StoreHealth(pd.DataFrame(rows, columns=SUMMARY), antennas, tags, contents, clocks)


def _dead(antennas: pd.DataFrame) -> tuple[Any, ...]:
    dead, unknown = (antennas["verdict"] == word for word in ("dead", "cannot tell"))
    names = ", ".join(
        f"{row.antenna}" + (f" since {row.since:.0f} s" if row.reads_per_minute else "")
        for row in antennas[dead].itertuples()
    )
    return _told("dead antennas", dead[~unknown], unknown, f"dead: {names}" if names else "ok")


def _wrong(contents: pd.DataFrame) -> tuple[Any, ...]:
    wrong, unknown = (contents["verdict"] == word for word in ("wrong", "cannot tell"))
    names = ", ".join(f"{row.cell} has {row.product}" for row in contents[wrong].itertuples())
    return _told("wrong cells", wrong[~unknown], unknown, f"wrong: {names}" if names else "ok")


def _judge_clocks(clocks: pd.DataFrame, time: pd.Series) -> pd.DataFrame:
    """Judge each where the day begins and where it ends; offset and drift, told for its middle, err independently."""
    ends, off = {}, np.zeros(len(clocks), dtype=bool)
    for name, moment in (("offset_first", time.min()), ("offset_last", time.max())):
        far = 1e-6 * np.nan_to_num(moment - clocks["moment"].to_numpy(float))
        ends[name] = clocks["offset"] + far * clocks["drift"]
        wide = np.hypot(clocks["high"] - clocks["low"], far * (clocks["high_drift"] - clocks["low_drift"])) / 2
        off |= (ends[name].abs() - wide > _SLACK).to_numpy()
    verdict = np.select([clocks["events"] == 0, off], ["cannot tell", "off"], "ok")
    return clocks.assign(**ends, verdict=verdict)


def _off(clocks: pd.DataFrame) -> tuple[Any, ...]:
    off, unknown = (clocks["verdict"] == word for word in ("off", "cannot tell"))
    names = ", ".join(
        f"{row.device} by {row.offset_first:.1f} s at first and {row.offset_last:.1f} s at last"
        for row in clocks[off].itertuples()
    )
    return _told("clocks off", off[~unknown], unknown, f"off: {names}" if names else "ok")


def _told(what: str, judged: pd.Series, unknown: pd.Series, verdict: str) -> tuple[Any, ...]:
    if not len(judged):
        return what, np.nan, np.nan, np.nan, 0, int(unknown.sum()), "cannot tell"
    return what, float(judged.mean()), np.nan, np.nan, len(judged), int(unknown.sum()), verdict


def _without_tag(tags: pd.DataFrame, share: Estimate) -> tuple[Any, ...]:
    known = tags["verdict"] != "cannot tell"
    verdict = "untagged" if share.low > USUAL else "ok" if share.high < 2 * USUAL else "cannot tell"
    numbers = int(tags.loc[known, "taken"].sum()), int(tags.loc[~known, "taken"].sum())
    return "untagged", share.value, share.low, share.high, *numbers, verdict
