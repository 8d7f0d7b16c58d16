"""Keys that mean nothing, and tables that give nobody away."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy.optimize import linprog

from retailkit.store.visits.privacy import new_keys, suppress


def people(number: int = 50) -> pd.DataFrame:
    return pd.DataFrame({"visit": np.repeat(np.arange(number), 3), "time": np.tile([0.0, 1.0, 2.0], number)})


def test_every_visit_has_one_new_key_in_all_frames():
    tracks = people().assign(piece=lambda rows: rows["visit"] % 7)
    hands = pd.DataFrame({"visit": [3, 3, 40], "time": [1.0, 2.0, 0.5], "kind": "reach"})
    keyed, reached = new_keys(tracks.assign(old=tracks["visit"]), hands.assign(old=hands["visit"]))
    assert keyed.groupby("old")["visit"].nunique().eq(1).all() and keyed["visit"].nunique() == 50
    both = keyed.drop_duplicates("old").set_index("old")["visit"]
    assert (reached["visit"] == reached["old"].map(both)).all()
    assert not keyed["visit"].isin(range(50)).any() and not keyed["piece"].isin(range(50)).any()


def test_rows_come_by_key_and_nothing_tells_who_came_first():
    keyed = new_keys(people(400).assign(old=lambda rows: rows["visit"]))[0]
    assert keyed["visit"].is_monotonic_increasing and keyed.index.equals(pd.RangeIndex(1200))
    order = keyed.drop_duplicates("visit")["old"].to_numpy()
    assert abs(np.corrcoef(order, np.arange(400))[0, 1]) < 0.25  # five standard errors


def test_two_days_have_no_key_in_common():
    first, second = (new_keys(people())[0]["visit"] for _ in range(2))
    assert not set(first) & set(second)


def test_names_of_any_kind_and_none():
    named = pd.DataFrame({"visit": ["anna", None, "anna", "otto"], "time": range(4)})
    keyed = new_keys(named.assign(old=named["visit"]))[0]
    assert keyed["visit"].isna().sum() == 1 and keyed["visit"].nunique() == 2
    assert new_keys(people()[:0])[0].empty and new_keys() == []


def cells(*counts: float, **columns: object) -> pd.DataFrame:
    return pd.DataFrame({"zone": [f"zone {number}" for number in range(len(counts))], "visits": counts, **columns})


@pytest.mark.parametrize(
    ("counts", "totals", "hidden"),
    [
        ((40, 25, 3), [()], [False, True, True]),
        ((40, 25, 3), [], [False, False, True]),
        ((40, 25, 11), [()], [False, False, False]),
        ((40, 25, 3, 9), [()], [False, False, True, True]),  # together 12: neither is known
        ((40, 25, 3, 4), [()], [False, True, True, True]),  # together 7: that both are few would show
        ((40, 25, 0), [()], [False, True, True]),
        ((40, 25, np.nan), [()], [False, True, True]),
    ],
)
def test_cells_of_a_few_are_blank(counts, totals, hidden):
    shown, note = suppress(cells(*counts, share=0.5), totals=totals)
    assert shown["visits"].isna().tolist() == hidden == shown["share"].isna().tolist()
    assert shown["suppressed"].tolist() == hidden and note.startswith(f"{sum(hidden)} of {len(counts)} cells")
    assert shown["zone"].tolist() == cells(*counts)["zone"].tolist()


def test_a_total_that_gives_its_only_cell_away_is_named():
    shown, note = suppress(cells(4), totals=[(), "zone"])
    assert shown["visits"].isna().all()
    assert note.endswith("Leave out the totals over all cells, by zone: they give blanked cells away.")


def test_what_names_a_cell_stays():
    heat = pd.DataFrame({"x": [0.5, 1.5], "y": 0.5, "seconds": [9.0, 90.0], "visits": [3, 30]})
    shown, _ = suppress(heat, keep=["x", "y"], totals=[])
    assert shown[["x", "y"]].equals(heat[["x", "y"]]) and shown["seconds"].isna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": "people"}, "the table has no column 'people'; it has zone, visits"),
        ({"totals": ["aisle"]}, "the table has no column 'aisle'"),
        ({"least": 1}, "least is 1"),
        ({"count": "zone"}, "zone holds 'zone 0': numbers of people"),
    ],
)
def test_what_is_no_table_of_people_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        suppress(cells(40, 25), **options)


@settings(max_examples=40, deadline=None)
@given(some.integers(0, 10_000))
def test_no_blanked_cell_can_be_worked_out(seed):
    """An attacker with all totals solves for the most that each blanked cell may hold."""
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(2, 6, 2)
    names = [(f"r{row}", f"c{column}") for row in range(rows) for column in range(columns)]
    table = pd.DataFrame(names, columns=["a", "b"])
    table["visits"] = rng.choice([0, 3, 8, 12, 40, 200], len(table), p=[0.05, 0.1, 0.05, 0.2, 0.3, 0.3])
    shown, note = suppress(table, totals=["a", "b", ()])
    blank = shown["visits"].isna().to_numpy()
    assert (table["visits"][~blank] >= 11).all()
    if not blank.any() or "Leave out" in note:
        return
    known = [(table[name] == value).to_numpy() for name in ("a", "b") for value in table[name].unique()]
    matrix = np.array([row[blank] for row in known], dtype=float)
    total = np.array([table["visits"][row & blank].sum() for row in known])
    for place in range(blank.sum()):
        most = -linprog(-np.eye(blank.sum())[place], A_eq=matrix, b_eq=total).fun
        assert most >= 11 - 1e-6, "for all that anybody knows it may be no cell of few"
