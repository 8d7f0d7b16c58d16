"""Whose track is it: faces at both ends, motion where two meet, and what else is learned."""

import numpy as np
import pandas as pd
import pytest

from retailkit.store.fusion.identity import find_identities

TIME = np.arange(0, 20, 0.2)


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
    found = find_identities(crossing(exchanged), entries, exits, {})
    assert found.beliefs.sum(axis=1) == pytest.approx(1.0)
    rows = found.ways.assign(shopper=found.likely()[found.ways["piece"]])
    true = np.where((rows["visit"] == 1) != (exchanged & (rows["time"] > 10.0)), 7, 9)
    assert (rows["shopper"] == true).mean() > 0.97


def test_a_track_that_goes_on_under_another_key_takes_the_name_along():
    rows = pd.concat([way(1, (0.0, 0.0), (5.0, 0.0)), way(2, (5.0, 0.0), (9.0, 0.0)).assign(time=TIME + 25)])
    found = find_identities(rows.reset_index(drop=True), faces(0.0, (4, 0.0, 0.0)), faces(0.0).iloc[:0], {1: 2})
    assert found.likely().tolist() == [4, 4] and found.beliefs.min(axis=0)[0] > 0.9


def test_what_is_learned_of_a_piece_goes_on_to_others():
    """Two who walk side by side, exchanged or not: nobody can tell, until something is heard of one."""
    rows = pd.concat([way(1, (0.0, 0.0), (10.0, 0.0)), way(2, (0.0, 0.4), (10.0, 0.4))], ignore_index=True)
    rows[["x", "y"]] += np.random.default_rng(0).normal(0, 0.15, (len(rows), 2))
    found = find_identities(rows, faces(0.0, (7, 0.0, 0.0), (9, 0.0, 0.4)), faces(0.0).iloc[:0], {})
    last = found.pieces.index[(found.pieces["visit"] == 1)][-1]
    evidence = np.zeros_like(found.beliefs)
    evidence[last, np.searchsorted(found.shoppers, 9)] = 30.0
    learned = found.learn(evidence)
    other = found.pieces.index[(found.pieces["visit"] == 2)][-1]
    assert learned.likely()[last] == 9 and learned.likely()[other] == 7
    assert found.beliefs[last, 0] > 0.5, "before, the key was believed"
