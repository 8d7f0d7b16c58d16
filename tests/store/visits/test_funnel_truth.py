"""What is known besides stands beside what was found; where nobody knows, columns stay empty and nothing fails."""

import numpy as np
import pandas as pd
import pytest

from retailkit.datasets.stores import StoreRecording, load_store
from retailkit.store.visits.attention import find_funnel, name_hands
from retailkit.store.visits.choice_sets import find_choices
from retailkit.store.visits.cleaning import clean_tracks
from retailkit.store.visits.funnel_truth import (
    beside_true_funnel,
    beside_true_preference,
    rank_agreement,
    true_funnel,
    watch_hands,
)
from retailkit.store.visits.interest import funnel_table, interest_table, recall_of, unsure_takes
from retailkit.store.visits.preference import fit_preference
from retailkit.store.visits.staff import guess_staff
from retailkit.store.visits.zones import find_zone_visits


@pytest.fixture(scope="module")
def store() -> StoreRecording:
    return load_store("simulated_store", seed=5, simulated={"visits": 260, "hours": 4})


@pytest.fixture(scope="module")
def found(store):
    ways = clean_tracks(store.tracks)
    stays = find_zone_visits(ways, store.zones)
    staff = guess_staff(ways, stays).query("staff")["visit"]
    recall = recall_of(watch_hands(store))
    return find_funnel(stays, name_hands(store.hands, ways), store.cells, per="product", recall=recall, staff=staff)


def unknown(store: StoreRecording) -> StoreRecording:
    return StoreRecording(store.name, store.source, store.tracks, store.zones, store.lines, store.hands, store.cells)


def test_the_true_funnel_is_that_of_the_simulator(store):
    table = funnel_table(true_funnel(store)).set_index("stage")
    for stage in ("stopped", "reached", "took", "kept"):
        assert table.loc[stage, "count"] == store.truth["funnel"][stage].sum()


def test_from_what_cameras_saw_the_funnel_comes_close_to_the_truth(store, found):
    table = beside_true_funnel(funnel_table(found, groups=store.groups), store, per="product").set_index("stage")
    off = (table["value"] / table["truth"] - 1).abs()
    assert (off[["reached", "took", "kept"]] < 0.2).all()
    assert (table.loc[["reached", "took", "kept"], "held"] == "yes").all()


def test_keeping_ranks_products_and_dwell_does_not(store, found):
    interest = beside_true_funnel(interest_table(found, groups=store.groups), store, per="product")
    ranks = rank_agreement(interest).set_index("measure")
    assert ranks.loc["kept", "low"] > ranks.loc["dwell share", "high"]
    assert ranks.loc["kept", "value"] > 0.7


def test_hands_that_somebody_watched_tell_the_recall(store):
    rows = watch_hands(store).set_index(["kind", "measure"])
    early = store.truth["hands"][store.truth["hands"]["time"] <= store.counted_until]
    assert rows.loc[("take", "recall"), "events"] == (early["kind"] == "take").sum()
    assert 0.6 < rows.loc[("all", "recall"), "value"] < 0.95


def test_preferences_beside_those_of_a_perfect_camera(store, found):
    choices = find_choices(found, store.cells, nothing=False)
    fitted = fit_preference(choices, ["price", "facing"], cluster="visit", mistaken=unsure_takes(store.hands))
    table = beside_true_preference(fitted, store)
    assert table["truth"].notna().all() and set(table["held"]) <= {"yes", "no"}
    assert ((table["value"] - table["truth"]).abs() < 3 * table["error"]).all()
    others = choices.rename(columns={"facing": "sugar"})
    assert beside_true_preference(fit_preference(others, ["sugar"]), store)["truth"].isna().all()


def test_where_nobody_knows_columns_stay_empty(store, found):
    real = unknown(store)
    assert true_funnel(real) is None
    scores = watch_hands(real)
    assert scores.empty and recall_of(scores) == {}
    table = beside_true_funnel(interest_table(found), real, per="product")
    assert table["truth"].isna().all() and (table["held"] == "").all()
    assert rank_agreement(table).empty and rank_agreement(table).columns.tolist() == ["measure", "value", "low", "high"]
    fitted = fit_preference(find_choices(found, store.cells, nothing=False), ["price"])
    assert beside_true_preference(fitted, real)["truth"].isna().all()


def test_ranks_of_a_known_order():
    names = [f"product {number}" for number in range(12)]
    frames = [
        pd.DataFrame({"product": names, "measure": measure, "value": value, "truth": np.arange(12) / 100})
        for measure, value in (
            ("kept", np.arange(12) ** 2.0), ("reached", -np.arange(12.0)), ("dwell", 5.0), ("stopped", 1.0),
            ("dwell share", [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8]),
        )
    ]  # fmt: skip
    ranks = rank_agreement(pd.concat(frames)).set_index("measure")
    assert ranks.loc["kept", ["value", "low", "high"]].tolist() == [pytest.approx(1)] * 3
    assert ranks.loc["reached", "value"] == pytest.approx(-1) and np.isnan(ranks.loc["dwell", "value"])
    true = pd.Series(range(12)).corr(pd.Series([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8]), method="spearman")
    assert ranks.loc["dwell share", "value"] == pytest.approx(true)
    assert ranks.loc["dwell share", "low"] < true < ranks.loc["dwell share", "high"]
