"""A thing's way through a day, and what a method believes of it while it happens: for people who look at a page.

story = tell_story(day)                 # the tag that was most in doubt
story.beliefs                           # who has it, asked again and again
minute = show_minute(day, story)        # where people walked then, and where its tag was heard
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from retailkit.store.fusion.attribution import Attribution
from retailkit.store.fusion.joint import fuse, fuse_scene
from retailkit.store.fusion.sensors import Sensors, prepare, sensors_of
from retailkit.store.fusion.truth import truth_of

NOBODY = "on a shelf, or unknown"
OTHERS = "somebody else"
_BEFORE, _AFTER = 20.0, 25.0  # seconds before a thing is taken, and after it has left, that are told
_TOLD = 3  # shoppers that are named; others are put together


class Story(NamedTuple):
    """One thing's day.

    Attributes
    ----------
    epc, product : str
    shopper : int
        Who truly left with it.
    taken, left : float, seconds
        When it was last taken from a shelf, and when that shopper left.
    beliefs : DataFrame
        seconds, who (``shopper N``, somebody else, or on a shelf), probability: what was believed at that moment by
        what had been sensed until then. Sums to 1 at each moment.
    acts : DataFrame
        seconds, what: what truly happened to it.
    """

    epc: str
    product: str
    shopper: int
    taken: float
    left: float
    beliefs: pd.DataFrame
    acts: pd.DataFrame


def until(sensors: Sensors, time: float) -> Sensors:
    """Take what devices had told until a moment (seconds)."""
    told = ("reads", "tracks", "hands", "plates", "entries", "exits")
    return sensors._replace(**{name: _before(getattr(sensors, name), time) for name in told})


def _before(frame: pd.DataFrame, time: float) -> pd.DataFrame:
    return frame[frame["time"] <= time].reset_index(drop=True)


def find_doubtful(found: Attribution, sold: pd.DataFrame) -> str:
    """Find the sold tag of which a method doubts most who left with it: the one whose second shopper is most probable.

    Raises
    ------
    ValueError
        No tag that was sold is believed of.
    """
    known = found.beliefs[found.beliefs["item"].isin(sold.loc[sold["epc"] != "", "epc"])]
    if not len(known):
        raise ValueError("no tag that was sold is believed of: there is no story to tell")
    ordered = known.sort_values("probability", ascending=False, kind="stable")
    second = ordered[ordered.groupby("item").cumcount() == 1]
    return str((second if len(second) else ordered)["item"].iloc[0])


def tell_story(day: Any, epc: str = "", steps: int = 12, method: Callable[[Sensors], Attribution] = fuse) -> Story:
    """Ask a method again and again, while a day goes on, who has a thing.

    Parameters
    ----------
    day : SensorDay
        With its truth.
    epc : str
        The thing's tag; by default that of `find_doubtful`, by ours.
    steps : int
        How often it is asked, evenly from shortly before it is taken until shortly after it has left.
    method : function of Sensors, giving an Attribution

    Returns
    -------
    Story

    Raises
    ------
    ValueError
        There is no such tag among what was sold.
    """
    sensors, truth = sensors_of(day), truth_of(day)
    epc = epc or find_doubtful(fuse_scene(prepare(sensors)), truth.receipts)
    sold = truth.receipts[truth.receipts["epc"] == epc]
    if not len(sold):
        raise ValueError(f"tag {epc!r} is none of the {len(truth.receipts)} things that were sold")
    [thing] = sold.to_dict("records")
    acts = _acts(truth.stays[truth.stays["piece"] == thing["piece"]])
    left = float(day.truth.day.visitors.set_index("visit")["last"][thing["shopper"]])
    acts.loc[len(acts)] = (left, "leaves the store")
    taken = float(acts.loc[acts["what"].str.startswith("taken"), "seconds"].iloc[-1])
    moments = np.linspace(acts["seconds"].iloc[0] - _BEFORE, left + _AFTER, steps)
    asked = [_asked(method(until(sensors, time)), epc, time) for time in moments]
    beliefs = _few(pd.concat(asked, ignore_index=True), int(thing["shopper"]))
    return Story(epc, str(thing["product"]), int(thing["shopper"]), taken, left, beliefs, acts)


def _acts(stays: pd.DataFrame) -> pd.DataFrame:
    """What truly happened to a piece, in words."""
    told, before = [], -1
    for start, visit in stays.loc[stays["start"] > 0, ["start", "visit"]].itertuples(index=False):
        words = "put back" if visit < 0 else f"taken by shopper {visit}" if before < 0 else f"handed to shopper {visit}"
        told.append((float(start), words))
        before = visit
    return pd.DataFrame(told, columns=["seconds", "what"])


def _asked(found: Attribution, epc: str, time: float) -> pd.DataFrame:
    known = found.beliefs.loc[found.beliefs["item"] == epc, ["shopper", "probability"]]
    return pd.concat([known, pd.DataFrame({"shopper": [-1], "probability": [1 - known["probability"].sum()]})]).assign(
        seconds=time
    )


def _few(beliefs: pd.DataFrame, shopper: int) -> pd.DataFrame:
    """Name the true shopper, and those most believed in; a row for each of them and each moment."""
    people = beliefs[beliefs["shopper"] >= 0].groupby("shopper")["probability"].sum().sort_values(ascending=False)
    named = [shopper, *(int(str(who)) for who in people.index if who != shopper)][:_TOLD]
    names = {-1: NOBODY, **{who: f"shopper {who}" for who in named}}
    who = beliefs["shopper"].map(names).fillna(OTHERS)
    wide = beliefs.assign(who=who).pivot_table(index="seconds", columns="who", values="probability", aggfunc="sum")
    order = [NOBODY, *(names[one] for one in named), OTHERS]
    wide = wide.reindex(columns=[name for name in order if name in wide]).fillna(0.0).clip(lower=0.0)
    return wide.reset_index().melt("seconds", var_name="who", value_name="probability")


class Minute(NamedTuple):
    """Where people walked in a stretch of time, and where one tag was heard.

    Attributes
    ----------
    ways : DataFrame
        way (a tracker's key), x, y (metres), what (who leaves with the thing, a companion, others).
    antennas : DataFrame
        x, y (metres), reads (of the tag).
    """

    ways: pd.DataFrame
    antennas: pd.DataFrame


def show_minute(day: Any, story: Story, start: float | None = None, seconds: float = 60.0) -> Minute:
    """Cut a stretch of time out of a day, by default from shortly before a thing is taken.

    Parameters
    ----------
    day : SensorDay
    story : Story
    start, seconds : float, seconds
        When it begins and how long it is.

    Returns
    -------
    Minute
    """
    begin = story.taken - _BEFORE if start is None else start
    rows = day.truth.tracks
    rows = rows[rows["time"].between(begin, begin + seconds)]
    people = day.truth.day.visitors.set_index("visit")["group"]
    party = people.index[people == people[story.shopper]]
    what = np.where(
        rows["person"] == story.shopper,
        f"shopper {story.shopper}, who leaves with it",
        np.where(rows["person"].isin(party), "their company", "others"),
    )
    ways = rows.assign(what=what).rename(columns={"visit": "way"})[["way", "x", "y", "what"]]
    first = ways["what"].map({"others": 2, "their company": 1}).fillna(0)
    ways = ways.loc[first.sort_values(kind="stable").index].reset_index(drop=True)
    reads = day.reads
    heard = reads[(reads["epc"].astype(str) == story.epc) & reads["time"].between(begin, begin + seconds)]
    number = heard["antenna"].value_counts()
    hung = day.store.antennas
    return Minute(ways, hung[["x", "y"]].assign(reads=number.reindex(hung["antenna"]).fillna(0).astype(int).to_numpy()))
