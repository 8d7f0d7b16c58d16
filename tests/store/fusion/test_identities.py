"""Whose track is it: faces at both ends, motion where two meet, and what else is learned."""

import numpy as np
import pandas as pd
import pytest

from retailkit.store.fusion.identity import find_identities
from retailkit.store.fusion.whoiswho import Meeting

TIME = np.arange(0, 20, 0.2)
NONE = pd.DataFrame({"visit": [], "then": [], "cost": []}).astype({"visit": int, "then": int})


def way(visit: int, start: tuple[float, float], end: tuple[float, float]) -> pd.DataFrame:
    share = TIME / TIME[-1]
    return pd.DataFrame(
        {
            "visit": visit,
            "time": TIME,
            "x": start[0] + share * (end[0] - start[0]),
            "y": start[1] + share * (end[1] - start[1]),
        }
    )


def faces(time: float, *known: tuple[int, float, float]) -> pd.DataFrame:
    return pd.DataFrame([(time, *one) for one in known], columns=["time", "shopper", "x", "y"])


def crossing(exchanged: bool, seed: int = 0) -> pd.DataFrame:
    """Shopper 7 goes from left to right, shopper 9 from right to left, 0.3 m apart; keys 1 and 2, perhaps exchanged."""
    rng = np.random.default_rng(seed)
    rows = pd.concat([way(1, (0.0, 0.0), (10.0, 0.0)), way(2, (10.0, 0.3), (0.0, 0.3))], ignore_index=True)
    if exchanged:
        late = rows["time"] > 10.0
        rows.loc[late, "visit"] = 3 - rows.loc[late, "visit"]
    rows[["x", "y"]] += rng.normal(0, 0.05, (len(rows), 2))
    return rows.sort_values(["visit", "time"], kind="stable", ignore_index=True)


@pytest.mark.parametrize("exchanged", [False, True])
@pytest.mark.parametrize("seen_out", [False, True])
def test_people_who_pass_keep_their_names(exchanged, seen_out):
    entries = faces(0.0, (7, 0.0, 0.0), (9, 10.0, 0.3))
    exits = faces(TIME[-1], (7, 10.0, 0.0), (9, 0.0, 0.3)) if seen_out else faces(0.0).iloc[:0]
    found = find_identities(crossing(exchanged), entries, exits, NONE)
    assert found.beliefs.sum(axis=1) == pytest.approx(1.0)
    rows = found.ways.assign(shopper=found.likely()[found.ways["piece"]])
    true = np.where((rows["visit"] == 1) != (exchanged & (rows["time"] > 10.0)), 7, 9)
    assert (rows["shopper"] == true).mean() > 0.97


def test_a_track_that_goes_on_under_another_key_takes_the_name_along():
    rows = pd.concat([way(1, (0.0, 0.0), (5.0, 0.0)), way(2, (5.0, 0.0), (9.0, 0.0)).assign(time=TIME + 25)])
    follows = pd.DataFrame({"visit": [1], "then": [2], "cost": [0.3]})
    found = find_identities(rows.reset_index(drop=True), faces(0.0, (4, 0.0, 0.0)), faces(0.0).iloc[:0], follows)
    assert found.likely().tolist() == [4, 4] and found.beliefs.min(axis=0)[0] > 0.9


def test_of_two_who_were_lost_the_nearer_one_is_found_and_both_are_never_one():
    """Two are lost, two are found: each nearer to one; the exit of one of them settles both."""
    before = [way(1, (0.0, 0.0), (5.0, 0.0)), way(2, (0.0, 4.0), (5.0, 4.0))]
    after = [
        way(3, (5.0, 1.0), (9.0, 1.0)).assign(time=TIME + 25),
        way(4, (5.0, 3.0), (9.0, 3.0)).assign(time=TIME + 25),
    ]
    rows = pd.concat(before + after, ignore_index=True)
    follows = pd.DataFrame({"visit": [1, 1, 2, 2], "then": [3, 4, 3, 4], "cost": [1.0, 1.2, 1.2, 1.0]})
    entries = faces(0.0, (7, 0.0, 0.0), (9, 0.0, 4.0))
    open_end = find_identities(rows, entries, faces(0.0).iloc[:0], follows)
    assert open_end.likely().tolist() == [7, 9, 7, 9] and open_end.beliefs[2].max() < 0.8
    seen = find_identities(rows, entries, faces(TIME[-1] + 25, (9, 9.0, 1.0)), follows)
    assert seen.likely().tolist() == [7, 9, 9, 7] and seen.beliefs[2:].max(axis=1).min() > 0.8


def test_two_faces_at_once_are_shared_out():
    """Two pass the door together: each face is that of the nearer one, and no face is both's."""
    rows = pd.concat([way(1, (0.0, 0.0), (0.0, 4.0)), way(2, (0.6, 0.0), (0.6, 4.0))], ignore_index=True)
    found = find_identities(rows, faces(0.0, (7, 0.2, 0.0), (9, 0.5, 0.0)), faces(0.0).iloc[:0], NONE)
    first = found.pieces.drop_duplicates("visit").index
    assert found.likely()[first].tolist() == [7, 9]


def test_what_is_learned_of_a_meeting_goes_on_to_both():
    """Two who walk side by side, exchanged or not: nobody can tell, until something is heard of one."""
    rows = pd.concat([way(1, (0.0, 0.0), (10.0, 0.0)), way(2, (0.0, 0.4), (10.0, 0.4))], ignore_index=True)
    rows[["x", "y"]] += np.random.default_rng(0).normal(0, 0.15, (len(rows), 2))
    found = find_identities(rows, faces(0.0, (7, 0.0, 0.0), (9, 0.0, 0.4)), faces(0.0).iloc[:0], NONE)
    met = [number for number, event in enumerate(found.events) if isinstance(event, Meeting)]
    assert met, "side by side is a meeting"
    odds = np.zeros(len(found.events))
    odds[met[-1]] = 30.0
    learned = found.learn(odds)
    last = found.pieces.drop_duplicates("visit", keep="last").index
    assert found.likely()[last].tolist() == [7, 9] and learned.likely()[last].tolist() == [9, 7]
