"""Methods that learn from known days: they learn what is there, and nothing that is not."""

import pickle

import numpy as np
import pandas as pd
import pytest

from retailkit.simulate.radio import Setting, sense_day
from retailkit.store.fusion import early, late
from retailkit.store.fusion.arms import hands_and_plates
from retailkit.store.fusion.candidates import FEATURES, find_candidates
from retailkit.store.fusion.scoring import score_day
from retailkit.store.fusion.sensors import prepare, sensors_of
from retailkit.store.fusion.taught import teach, teach_labelled
from retailkit.store.fusion.truth import check_beliefs, truth_of
from retailkit.store.fusion.whereabouts import find_whereabouts

SMALL = Setting(
    shoppers=14.0, hours=0.12, aisles=2, cells=5, cameras={"missed": 0.1, "jitter": 0.1, "hand_confused": 0.1}
)


def share(found, truth, measure: str = "attribution") -> float:
    [row] = score_day(found, truth).query("measure == @measure").itertuples()
    return row.numerator / row.denominator


def shuffled(labelled, seed: int = 0):
    """The same days with truths dealt anew among candidates."""
    rng = np.random.default_rng(seed)
    return [
        (
            table.assign(true=rng.permutation(table["true"])),
            sold.assign(
                shopper=rng.choice(table["shopper"], len(sold)), product=rng.choice(table["product"], len(sold))
            ),
        )
        for table, sold in labelled
    ]


@pytest.fixture(scope="module")
def days():
    simulated = [sense_day(SMALL, seed) for seed in (1, 2, 3)]
    return [(prepare(sensors_of(day)), truth_of(day)) for day in simulated]


@pytest.fixture(scope="module")
def labelled(days):
    return [(early.label_candidates(scene, truth), truth.receipts) for scene, truth in days[:2]]


@pytest.fixture(scope="module")
def models(days, labelled):
    return {
        "early": early.learn_early(labelled),
        "late": late.fit_late(days[:2]),
        "hinted": early.fit_early(days[:2], hands_and_plates),
        "taught": teach(days[:2], hands_and_plates),
    }


def test_nearly_all_that_left_is_among_the_candidates(labelled):
    right, sold = (sum(values) for values in zip(*((t["true"].sum(), len(s)) for t, s in labelled), strict=True))
    assert right > 0.95 * sold
    for table, _ in labelled:
        assert not table.duplicated(["item", "shopper"]).any() and table.groupby("item")["true"].sum().max() <= 1
        check_beliefs(table)


@pytest.mark.parametrize("name", ["early", "late", "hinted", "taught"])
def test_beliefs_can_be_and_models_travel(days, models, name):
    scene, truth = days[2]
    found = models[name](scene)
    check_beliefs(found.beliefs)
    assert set(found.beliefs["shopper"]) <= set(truth.shoppers["shopper"])
    again = pickle.loads(pickle.dumps(models[name]))(scene)
    pd.testing.assert_frame_equal(found.beliefs, again.beliefs)
    assert share(found, truth) > 0.5  # one of some dozen shoppers by chance


def test_one_day_cannot_be_checked_by_another(labelled):
    with pytest.raises(ValueError, match="1 days are given; 2 at least are needed"):
        teach_labelled(labelled, days=["monday", "monday"])


def test_labels_dealt_anew_teach_nothing(days, labelled, models):
    """The placebo: who learned from them names nobody better than chance."""
    scene, truth = days[2]
    placebo = early.learn_early(shuffled(labelled))
    assert share(placebo(scene), truth) < 0.25 < share(models["early"](scene), truth)
    units = [late.label_units(*day) for day in days[:2]]
    rng = np.random.default_rng(1)
    odds = late.learn_late([rows.assign(true=rng.permutation(rows["true"])) for rows in units]).weights
    real = late.learn_late(units).weights
    assert np.abs(odds[:2]).max() < 0.4 * real[:2].max()


def test_the_same_seed_is_the_same_model(days, labelled, models):
    again = early.learn_early(labelled)
    pd.testing.assert_frame_equal(again(days[2][0]).beliefs, models["early"](days[2][0]).beliefs)


def test_order_of_reads_of_one_moment_does_not_matter(days):
    scene = days[2][0]
    mixed = scene.sensors.reads.sample(frac=1, random_state=0)
    table = find_candidates(scene._replace(sensors=scene.sensors._replace(reads=mixed))).table
    pd.testing.assert_frame_equal(table, find_candidates(scene).table)
    assert np.isfinite(table.loc[table["seen"] == 0, ["near", "after", "last_after_exit", "silent"]].to_numpy()).all()
    assert set(FEATURES) <= set(table) and len(FEATURES) == len(set(FEATURES))


def test_whereabouts_are_probabilities_and_nobody_is_their_own_company(days):
    where = find_whereabouts(days[0][0])
    assert (where.there >= 0).all() and (where.near <= where.there[..., None] + 1e-9).all()
    assert (np.diag(where.company) == 0).all() and where.company.max() <= 1
    assert (where.exits >= 0).all() and (where.exits < where.there.shape[1]).all()


def test_units_meet_by_rank_and_none_is_lost():
    rows = ["item", "product", "shopper", "probability"]
    radio = pd.DataFrame([("A", "tea", 1, 0.4), ("B", "tea", 1, 0.9), ("B", "tea", 2, 0.1)], columns=rows)
    eyes = pd.DataFrame([("seen 0", "tea", 1, 0.7), ("seen 5", "rice", 2, 0.6)], columns=rows)
    found = late.join_units(radio, eyes).set_index(["product", "shopper", "unit"])
    assert found.loc[("tea", 1, 1)].tolist() == ["B", 0.9, 0.7]
    assert found["item"].to_dict() == {
        ("rice", 2, 1): "seen 5",
        ("tea", 1, 1): "B",
        ("tea", 1, 2): "A",
        ("tea", 2, 1): "B",
    }
    assert found["radio"].isna().sum() == 1 and found["eyes"].isna().sum() == 2


def test_weights_believe_whoever_is_right(days):
    """Where the door is always right and eyes are dice, the door has the weight."""
    rng = np.random.default_rng(0)
    true = rng.random(2000) < 0.3
    units = pd.DataFrame({"radio": np.where(true, 0.9, 0.1), "eyes": rng.random(2000), "true": true})
    weights = late.learn_late([units]).weights
    assert weights[0] > 1.0 and abs(weights[1]) < 0.2 * weights[0]


def test_sums_are_shared_out():
    told = pd.DataFrame(
        {"item": ["A", "A", "B"], "product": "tea", "shopper": [1, 2, 1], "probability": [0.9, 0.6, 0.3]}
    )
    assert early.share_out(told)["probability"].tolist() == pytest.approx([0.6, 0.4, 0.3])


@pytest.mark.parametrize("learn", [early.learn_early, late.learn_late])
def test_without_both_kinds_nothing_is_learned(learn):
    with pytest.raises(ValueError, match="0 of them true; both kinds are needed to learn"):
        learn([])


def test_early_fusion_hears(days, models):
    """Each tag's reads under the code of another product's tag: fewer tags are told right."""
    scene, truth = days[2]
    codes = scene.sensors.reads["epc"].cat.categories
    turned = scene.sensors.reads["epc"].cat.rename_categories(dict(zip(codes, np.roll(codes, 40), strict=True)))
    reads = scene.sensors.reads.assign(epc=turned.cat.reorder_categories(codes))
    deaf = models["early"](scene._replace(sensors=scene.sensors._replace(reads=reads)))
    right = share(models["early"](scene), truth, "attribution of tagged")
    assert share(deaf, truth, "attribution of tagged") < right - 0.2
