"""What a page about tag reads shows: which track wears the tag in each recording, and where each tag hangs."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from retailkit.datasets.fixture_walks import FixtureWalks
from retailkit.datasets.tables import InputTables
from retailkit.datasets.tagged_people import TaggedPeople
from retailkit.lab.intervals import Estimate, wilson
from retailkit.store.rfid.location_scores import compare_locators
from retailkit.store.rfid.speeds import radial_speed
from retailkit.store.rfid.whose import match_tags

_SURE = 0.01  # the greatest p at which chance is ruled out
_WIDTH = 0.5  # seconds over which speeds are averaged to be looked at


def as_input(name: str, recordings: Sequence[TaggedPeople] | FixtureWalks) -> InputTables:
    """Give the tables of a set of reads a digest, for `run.input`."""
    if isinstance(recordings, FixtureWalks):
        return InputTables(name, {"reads": recordings.reads, "fixtures": recordings.fixtures})
    tables = {f"{what} of {one.name}": getattr(one, what) for one in recordings for what in ("tracks", "reads")}
    return InputTables(name, tables)


def study_wearers(recordings: Sequence[TaggedPeople], draws: int = 999, seed: int = 0) -> pd.DataFrame:
    """Match the tags of each recording, the other recordings' tracks being chance.

    Parameters
    ----------
    recordings : list of TaggedPeople
    draws, seed : int
        As `match_tags` takes them.

    Returns
    -------
    DataFrame
        recording, tracks (how many), and what `match_tags` gives; value is the lead, so that it can be drawn.
    """
    parts = [
        match_tags(
            one.reads, one.tracks, one.antenna, [other.tracks for other in recordings if other is not one],
            draws=draws, seed=seed,
        ).assign(recording=one.name, tracks=one.tracks["visit"].nunique())
        for one in recordings
    ]  # fmt: skip
    table = pd.concat(parts, ignore_index=True)
    first = ["recording", "tag", "tracks", "visits", "gain", "lead", "low", "high", "p_shifts", "p_others"]
    return table[[*first, *table.columns.difference(first, sort=False)]].assign(value=table["lead"])


def count_consistent(wearers: pd.DataFrame) -> Estimate:
    """Count in how many recordings with several tracks one leads for sure, and chance is ruled out (Wilson 1927)."""
    several = wearers[wearers["tracks"] > 1]
    sure = (several["low"] > 0) & (several["p_shifts"] < _SURE) & (several["p_others"] < _SURE)
    if several.empty:
        return Estimate(np.nan, np.nan, np.nan, unit_name="recordings")
    return wilson(int(sure.sum()), len(several), unit_name="recordings")


def compare_speeds(one: TaggedPeople, wearers: pd.DataFrame) -> pd.DataFrame:
    """Lay a tag's speed and that of the track it fits side by side: seconds, speed (m/s), what (tag, track).

    The tag's is moved by the clock's offset, and turned and stretched to the track's, as both are free in the match.
    """
    [match] = wearers[wearers["recording"] == one.name].head(1).to_dict("records")
    track = one.tracks[one.tracks["visit"].isin(match["visits"])]
    moving = radial_speed(track, one.antenna)
    reads = one.reads[one.reads["epc"] == match["tag"]]
    time, told = reads["time"] + match["offset"], match["sign"] * reads["speed"]
    tag = pd.DataFrame({"seconds": time, "speed": told * moving["speed"].std() / told.std(), "what": "tag"})
    both = pd.concat([tag, pd.DataFrame({"seconds": moving["time"], "speed": moving["speed"], "what": "track"})])
    both["seconds"] = (both["seconds"] // _WIDTH + 0.5) * _WIDTH
    return both.groupby(["what", "seconds"]).agg(speed=("speed", "mean")).reset_index()


def study_fixtures(walks: FixtureWalks, folds: int = 5, seed: int = 0) -> pd.DataFrame:
    """Locate every tag without its label, on fixtures and on distinct positions, beside a baseline and a placebo.

    Returns
    -------
    DataFrame
        kind (fixtures, positions), and what `compare_locators` gives.
    """
    known = walks.fixtures.set_index("epc")["fixture"]
    kinds = {"fixtures": known, "positions": known.map(walks.positions)}
    parts = [compare_locators(walks.reads, labels, folds, seed).assign(kind=kind) for kind, labels in kinds.items()]
    table = pd.concat(parts, ignore_index=True)
    return table[["kind", *table.columns.drop("kind")]]
