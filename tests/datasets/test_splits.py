"""Splits: no group on both sides, the share kept, the same for the same photographs, and few moves for new ones."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from photo_folders import make_folder
from PIL import Image, ImageOps

from retailkit.datasets import DataError, ImageSet, describe_split, leakage, load, split
from retailkit.datasets.photos import BOXES, QUARANTINE


def image_set(groups, boxes, order=None):
    """An image set without files: photo k is in groups[k] and has boxes[k] = (empty, disorganized) boxes."""
    names = [f"photo_{number:05}.jpg" for number in range(len(groups))]
    photos = pd.DataFrame(
        {"photo": names, "path": names, "label_path": names, "width": 10, "height": 10, "group": groups}
    )
    rows = [
        (name, number, ("empty", "disorganized")[number], 0.0, 0.0, 5.0, 5.0, "", 1)
        for name, counts in zip(names, boxes, strict=True)
        for number in (0, 1)
        for _ in range(counts[number])
    ]
    if order is not None:
        photos = photos.iloc[order].reset_index(drop=True)
    return ImageSet(
        "made",
        Path("made"),
        None,
        ("empty", "disorganized"),
        photos,
        pd.DataFrame(rows, columns=BOXES),
        pd.DataFrame(columns=QUARANTINE),
    )


def random_set(photos, seed, order=None, largest=5):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, largest + 1, photos)
    return image_set(np.repeat(np.arange(photos), sizes)[:photos], rng.poisson([3, 4], (photos, 2)), order)


@settings(max_examples=60, deadline=None)
@given(
    groups=st.lists(st.integers(0, 12), min_size=2, max_size=60),
    test=st.floats(0.05, 0.95),
    seed=st.integers(0, 5),
    boxes=st.integers(0, 3),
)
def test_no_group_is_on_both_sides(groups, test, seed, boxes):
    images = image_set(groups, [(boxes, number % 3) for number in range(len(groups))])
    if len(set(groups)) == 1:
        with pytest.raises(DataError, match="are one group"):
            split(images, test, seed)
        return
    train, tested = split(images, test, seed)
    assert not set(train.photos["group"]) & set(tested.photos["group"])
    assert len(train) and len(tested)
    assert sorted([*train.photos["photo"], *tested.photos["photo"]]) == sorted(images.photos["photo"])
    assert len(train.boxes) + len(tested.boxes) == len(images.boxes)
    assert set(tested.boxes["photo"]) <= set(tested.photos["photo"])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("test", [0.1, 0.3, 0.5])
def test_photographs_and_boxes_of_each_class_keep_the_share(seed, test):
    images = random_set(400, seed)
    _, tested = split(images, test, seed)
    shares = {
        key: tested.profile()[key] / images.profile()[key] for key in ("photos", "boxes_empty", "boxes_disorganized")
    }
    assert shares == pytest.approx(dict.fromkeys(shares, test), abs=0.015)


def test_a_rare_class_is_on_both_sides_in_proportion():
    images = image_set(range(200), [(5, int(number < 20)) for number in range(200)])
    _, tested = split(images, 0.3)
    assert tested.profile()["boxes_disorganized"] == 6


def test_the_order_of_files_changes_nothing_and_the_seed_does():
    shuffled = np.random.default_rng(0).permutation(300)
    sides = [
        set(split(random_set(300, 1, order), 0.3, seed)[1].photos["photo"])
        for order, seed in ((None, 0), (shuffled, 0), (None, 1))
    ]
    assert sides[0] == sides[1] != sides[2]


def test_new_photographs_move_few_others():
    rng = np.random.default_rng(0)
    boxes = rng.poisson([3, 4], (520, 2))
    before = set(split(image_set(range(500), boxes[:500]), 0.3)[1].photos["photo"])
    after = set(split(image_set(range(520), boxes), 0.3)[1].photos["photo"])
    old = {f"photo_{number:05}.jpg" for number in range(500)}
    assert len(before ^ (after & old)) <= 25  # independent splits would differ in 210


@pytest.mark.parametrize("test", [0, 1, -0.1, 30])
def test_a_share_that_is_none_is_quoted(test):
    with pytest.raises(DataError, match=f"test is {test}; a share between 0 and 1"):
        split(random_set(10, 0), test)


def test_two_groups_of_very_different_size():
    train, tested = split(image_set([0] * 9 + [1], [(1, 1)] * 10), 0.3)
    assert (len(train), len(tested)) == (9, 1)


def test_copies_leak_in_a_random_split_and_never_in_ours(house, tmp_path):
    folder = make_folder(tmp_path / "shop", photos=12)
    for number in range(6):  # every second photograph comes back mirrored
        picture = Image.open(folder / "images" / f"scene_{number:03}.jpg")
        ImageOps.mirror(picture).save(folder / "images" / f"copy_{number:03}.jpg", quality=80)
        (folder / "labels" / f"copy_{number:03}.txt").write_text("0 0.5 0.5 0.2 0.4\n")
    images = load(folder)
    assert images.photos["group"].nunique() == 12
    copies = images.subset(photo for photo in images.photos["photo"] if photo.startswith("copy"))
    originals = images.subset(photo for photo in images.photos["photo"] if photo.startswith("scene"))
    leaks = leakage(originals, copies)
    assert leaks["photo"].tolist() == [f"copy_{number:03}.jpg" for number in range(6)]
    assert leaks["twin"].tolist() == [f"scene_{number:03}.jpg" for number in range(6)]
    assert leaks["mirrored"].all()
    for seed in range(5):
        assert len(leakage(*split(images, 0.4, seed))) == 0


def test_a_card_s_rule_keeps_a_video_together(house, tmp_path):
    make_folder(house / "datasets" / "film", photos=6)
    (house / "datasets" / "film.yaml").write_text(
        "name: film\ntitle: t\nkind: yolo\nnames: [empty, disorganized]\nsource: us\nlicence: ours\nshareable: true\n"
        "group_by: '^(scene_00)[0-3]$'\n"
    )
    assert load("film").photos["group"].tolist() == [0, 0, 0, 0, 1, 2]


def test_the_published_split_of_shelf_gaps_leaks_and_ours_does_not(real_data, house):
    images = load("shelf_gaps")
    train, test = (
        images.subset(photo for photo in images.photos["photo"] if photo.startswith(side)) for side in ("train", "test")
    )
    leaks = leakage(train, test)
    assert 0.1 < len(leaks) / len(test) < 0.3 and leaks["mirrored"].any()
    assert images.photos["group"].value_counts().max() <= 10  # no chain of look-alike shelves
    for seed in range(3):
        assert len(leakage(*split(images, 0.3, seed))) == 0


def test_one_video_cannot_be_split(real_data, house):
    with pytest.raises(DataError, match="all 25 photographs of shelf_products are one group"):
        split(load("shelf_products"))


def test_description_counts_both_sides_and_the_leak_of_a_careless_split(real_data):
    images = load("shelf_gaps")
    train, test = split(images)
    table = describe_split(train, test).set_index("side")
    assert table["photographs"].iloc[:2].sum() == len(images)
    assert table["empty boxes"].iloc[:2].sum() == (images.boxes["class_name"] == "empty").sum()
    assert table.loc["kept back", "twins in training"] == 0
    assert table.loc["kept back, had groups been ignored", "twins in training"] > 0


def test_counts_keep_photographs_without_boxes(tmp_path):
    images = load(make_folder(tmp_path / "set"))
    counts = images.counts()
    assert len(counts) == len(images) * len(images.names)
    assert counts["boxes"].sum() == len(images.boxes)
