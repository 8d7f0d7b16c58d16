"""Broken tracks are joined where one person went on, and nowhere else."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as some
from walkers import straight

from retailkit.store.visits import stitch_tracks


def people(number: int, apart: float = 2.0) -> pd.DataFrame:
    """Walkers side by side, in both directions in turn."""
    ways = [((0, row * apart), (12, row * apart))[:: 1 if row % 2 else -1] for row in range(number)]
    return pd.concat([straight(*way, visit=visit) for visit, way in enumerate(ways)], ignore_index=True)


def test_pieces_of_one_way_are_joined():
    true = people(6)
    pieces = true.assign(person=true["visit"], visit=true["visit"] + 100 * (true["time"] // 2.5).astype(int))
    joined = stitch_tracks(pieces)
    assert (joined["visit"] == joined["person"]).all() and joined["piece"].nunique() == pieces["visit"].nunique()


def test_a_pause_is_bridged_up_to_its_limit():
    way = straight((0, 0), (12, 0))
    for pause, visits in ((2.0, 1), (4.0, 2)):
        pieces = way[(way["time"] < 4) | (way["time"] >= 4 + pause)].reset_index(drop=True)
        pieces["visit"] = (pieces["time"] >= 4).astype(int)
        assert stitch_tracks(pieces)["visit"].nunique() == visits


def test_who_begins_elsewhere_is_somebody_else():
    cases = (
        ((4, 0), (8, 0), 1),  # goes on
        ((4, 0), (4, 4), 1),  # turns aside
        ((4, 0), (0, 0), 2),  # comes back at full speed: who leaves by a door is not who comes in by it
        ((4, 2), (8, 2), 2),  # too far to the side
        ((8, 0), (12, 0), 2),  # too far ahead
    )
    for start, end, visits in cases:
        first, second = straight((0, 0), (4, 0), visit=0), straight(start, end, visit=1, begin=4.0)
        assert stitch_tracks(pd.concat([first, second], ignore_index=True))["visit"].nunique() == visits


def test_two_who_break_at_once_are_not_mixed_up():
    true = people(2, apart=0.8)
    pieces = true.assign(person=true["visit"], visit=np.where(true["time"] > 4, 10 - true["visit"], true["visit"]))
    joined = stitch_tracks(pieces)
    assert joined.groupby("person")["visit"].nunique().eq(1).all() and joined["visit"].nunique() == 2


@given(some.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_pieces_that_are_joined_never_overlap(seed):
    rng = np.random.default_rng(seed)
    tracks = pd.concat(
        [straight(*rng.uniform(0, 6, (2, 2)), visit=visit, begin=rng.uniform(0, 10)) for visit in range(8)],
        ignore_index=True,
    )
    joined = stitch_tracks(tracks)
    assert len(joined) == len(tracks) and not joined.duplicated(["visit", "time"]).any()
    spans = joined.groupby(["visit", "piece"])["time"].agg(["min", "max"]).sort_values(["visit", "min"])
    assert (spans["min"] > spans.groupby("visit")["max"].shift().fillna(-1)).all()


def test_nobody_and_one():
    empty = pd.DataFrame({"visit": [], "time": [], "x": [], "y": []}, dtype=float)
    assert stitch_tracks(empty).empty
    assert stitch_tracks(straight((0, 0), (3, 0)))["visit"].eq(1).all()
