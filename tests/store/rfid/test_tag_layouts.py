"""Tags that answer at the same moments come to lie side by side, in centimetres once a few are known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some
from scipy.spatial import distance, procrustes

from retailkit.datasets.fixture_walks import read_tag_layouts
from retailkit.store.rfid.layout import (
    METHODS,
    align,
    nearness,
    place_tags,
    scale_distances,
    score_layouts,
    summarise_layouts,
)


def a_room(tags=24, rounds=2, seed=0):
    """Tags on a ring of 2 m; the reader walks round it and hears each tag when it is near."""
    rng = np.random.default_rng(seed)
    angle = 2 * np.pi * np.arange(tags) / tags
    places = pd.DataFrame({"setup": "ring", "tag": np.arange(tags), "x": 2 * np.cos(angle), "y": 2 * np.sin(angle)})
    time = (np.arange(rounds)[:, None] * tags + np.arange(tags) + 0.5).ravel()
    heard = np.repeat(time, 8) + rng.normal(0, 1.0, 8 * len(time))
    reads = pd.DataFrame({"time": heard, "tag": np.repeat(np.tile(np.arange(tags), rounds), 8)})
    return reads.assign(experiment=seed, setup="ring", motion="walking"), places


def test_a_plan_has_the_distances_that_were_given():
    points = np.random.default_rng(1).normal(size=(30, 2))
    found = scale_distances(distance.squareform(distance.pdist(points)))
    assert procrustes(points, found)[2] < 1e-12


def test_majorising_makes_the_fit_better():
    points = np.random.default_rng(2).normal(size=(30, 2))
    wanted = np.sqrt(distance.squareform(distance.pdist(points)))
    stress = [
        ((distance.squareform(distance.pdist(scale_distances(wanted, n))) - wanted) ** 2).sum() for n in (0, 9, 99)
    ]
    assert stress[0] > stress[1] > stress[2]


@given(
    some.floats(0, 6.3), some.floats(0.1, 10), some.booleans(), some.floats(-5, 5), some.integers(3, 12)
)  # fmt: skip
def test_aligning_undoes_any_turn_stretch_and_mirror(turn, stretch, mirror, shift, known):
    points = np.random.default_rng(3).normal(size=(12, 2))
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * [1, -1 if mirror else 1]
    there = stretch * points @ matrix + shift
    anchors = np.arange(known)
    assert align(points, anchors, there[anchors]) == pytest.approx(there, abs=1e-8)


def test_tags_that_were_not_told_have_no_say_in_the_alignment():
    points, there = np.random.default_rng(4).normal(size=(2, 8, 2))
    anchors = np.arange(4)
    one = align(points, anchors, there[:4])
    assert align(np.vstack([points[:4], points[4:] + 100]), anchors, there[:4])[:4] == pytest.approx(one[:4])


def test_nearness_is_a_cosine():
    reads, _ = a_room()
    table = nearness(reads, 0.3)
    assert np.diag(table) == pytest.approx(1) and (table.to_numpy() >= 0).all()
    assert (table.to_numpy() == table.to_numpy().T).all() and np.linalg.eigvalsh(table).min() > -1e-9
    assert table.loc[0, 1] > table.loc[0, 3] > table.loc[0, 12]


def test_tags_are_placed_by_a_few_anchors():
    reads, places = a_room()
    anchors = places[places["tag"].isin([0, 5, 11, 17])]
    both = place_tags(reads, anchors).merge(places, on="tag", suffixes=("", "_true"))
    assert len(both) == 20 and not set(both["tag"]) & {0, 5, 11, 17}
    assert np.hypot(both["x"] - both["x_true"], both["y"] - both["y_true"]).mean() < 0.6


def test_known_tags_that_were_not_read_do_no_harm():
    reads, places = a_room()
    anchors = places[places["tag"] < 5]
    unread = pd.concat([anchors, pd.DataFrame({"setup": ["ring"], "tag": [77], "x": [9.0], "y": [9.0]})])
    pd.testing.assert_frame_equal(place_tags(reads, anchors), place_tags(reads, unread))


@pytest.mark.parametrize(
    ("tags", "method", "message"),
    [
        ([0, 1], "corrected", "2 anchors were read; 3 or more are needed"),
        ([0, 1, 2, 2], "corrected", "tag 2 stands there twice"),
        ([0, 1, 2], "guess", "method 'guess' is not one of corrected, scaling, nearest anchor, centre, random"),
    ],
)
def test_what_cannot_be_used_is_refused(tags, method, message):
    reads, places = a_room()
    with pytest.raises(ValueError, match=message):
        place_tags(reads, places.iloc[tags], method)
    with pytest.raises(ValueError, match="anchors is 24; experiment 0 with 24 tags takes 3 to 23"):
        score_layouts(reads, places, anchors=24)


def test_errors_stand_beside_those_without_a_model():
    rooms = [a_room(seed=seed) for seed in range(5)]
    reads = pd.concat([reads[reads["tag"] != seed] for seed, (reads, _) in enumerate(rooms)])
    errors = score_layouts(reads, rooms[0][1], anchors=6)
    assert len(errors) == 5 * len(METHODS) and (errors["tags"] == 17).all() and (errors["unread"] == 1).all()
    table = summarise_layouts(errors).set_index("method")
    assert (table["low"] < table["value"]).all() and (table["experiments"] == 5).all()
    assert table.loc[["corrected", "scaling", "nearest anchor"], "ahead_low"].min() > 50
    assert table.loc["centre", "ahead"] == 0 and table.loc["centre", "value"] == pytest.approx(200, rel=0.2)
    assert table.loc["random", "ahead_high"] < 0


def test_without_what_the_moments_tell_nothing_is_gained():
    """A placebo: reads dealt to the tags anew."""
    rooms = [a_room(seed=seed) for seed in range(5)]
    reads = pd.concat([reads.assign(tag=reads["tag"].sample(frac=1, random_state=1).to_numpy()) for reads, _ in rooms])
    table = summarise_layouts(score_layouts(reads, rooms[0][1], anchors=6)).set_index("method")
    assert table.loc["scaling", "ahead"] < 20 and table.loc["nearest anchor", "ahead"] < 20


def test_real_tags_are_nearer_their_place_than_without_a_model(real_data):
    layouts = read_tag_layouts("rfid_detego")
    table = summarise_layouts(score_layouts(layouts.reads, layouts.places))
    ours = table[table["method"] == "corrected"]
    assert (ours["ahead_low"] > 50).all() and (ours["value"] < 80).all()
