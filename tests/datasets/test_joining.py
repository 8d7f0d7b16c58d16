"""Two image sets as one: classes by name, twins in one group, nothing lost from the quarantine."""

import shutil

import pytest
from photo_folders import make_folder, scene

import retailkit as rk
from retailkit.datasets import DataError


@pytest.fixture
def sets(house, tmp_path):
    """Six photographs, and four more whose classes come in another order; one is a mirrored twin of the first set's."""
    one = make_folder(tmp_path / "one")
    other = make_folder(tmp_path / "other", photos=4, names=["disorganized", "torn"])
    for number in range(4):
        for part, end in (("images", "jpg"), ("labels", "txt")):
            shutil.move(other / part / f"scene_{number:03}.{end}", other / part / f"other_{number}.{end}")
        scene(100 + number).save(other / "images" / f"other_{number}.jpg", quality=92)
    scene(2).transpose(0).save(other / "images" / "other_1.jpg", quality=92)  # 0: left and right exchanged
    (other / "labels" / "other_3.txt").write_text("0 0.5 0.5 nan 0.4\n")
    return rk.load(one), rk.load(other)


def test_everything_of_both_is_there(sets):
    both = rk.datasets.join(*sets)
    assert list(both.photos["photo"]) == [*sets[0].photos["photo"], *sets[1].photos["photo"]]
    assert len(both.boxes) == len(sets[0].boxes) + len(sets[1].boxes)
    assert len(both.quarantine) == len(sets[1].quarantine) > 0 and "other_3.txt" in both.quarantine["file"].iloc[0]
    assert both.note == " ".join(images.note for images in sets if images.note)
    assert both.digest not in {images.digest for images in sets} and not both.shareable


def test_classes_of_one_name_are_one_class(sets):
    both = rk.datasets.join(*sets)
    assert both.names == ("empty", "disorganized", "torn")
    assert (both.boxes["class_id"].map(dict(enumerate(both.names))) == both.boxes["class_name"]).all()
    joined = both.counts().groupby("class_name")["boxes"].sum()
    apart = sum(
        images.counts().groupby("class_name")["boxes"].sum().reindex(both.names, fill_value=0) for images in sets
    )
    assert joined.reindex(both.names).equals(apart.reindex(both.names))


def test_twins_across_the_sets_are_one_group_and_stay_on_one_side(sets):
    both = rk.datasets.join(*sets)
    group = both.photos.set_index("photo")["group"]
    assert group["other_1.jpg"] == group["scene_002.jpg"]
    assert both.photos["group"].nunique() == len(both) - 1
    for seed in range(5):
        train, test = rk.split(both, test=0.4, seed=seed)
        assert len(rk.leakage(train, test)) == 0
        assert ("other_1.jpg" in set(test.photos["photo"])) == ("scene_002.jpg" in set(test.photos["photo"]))


def test_a_joined_set_is_written_out_whole_and_never_into_either_source(sets, tmp_path):
    both = rk.datasets.join(*sets)
    data = both.write_yolo(tmp_path / "out")
    assert len(list((data.parent / "images").iterdir())) == len(list((data.parent / "labels").iterdir())) == len(both)
    for source in ("one", "other"):
        with pytest.raises(DataError, match="nothing is written there"):
            both.write_yolo(tmp_path / source / "images" / "here")


def test_one_name_for_two_photographs_is_refused(sets):
    with pytest.raises(DataError, match=r"both have a photograph 'scene_000\.jpg' \(6 names"):
        rk.datasets.join(sets[0], sets[0])


def test_cards_are_put_together(house):
    images = [rk.load("simulated_persons", photos=3, seed=seed, size=64) for seed in (1, 2)]
    shelves = rk.load("simulated_shelves", photos=3, size=64)
    both = rk.datasets.join(images[0], shelves)
    assert both.shareable and both.card.name == "simulated_persons+simulated_shelves"
    assert both.names == ("person", "empty", "disorganized")
    assert all(words in both.source for words in ("simulate.persons", "simulate.shelves"))
    with pytest.raises(DataError, match="customers_00001"):
        rk.datasets.join(*images)


def test_several_sets_are_loaded_by_name_with_a_plus_between(house):
    both = rk.load("simulated_persons+simulated_shelves", photos=3, size=64)
    apart = [rk.load(name, photos=3, size=64) for name in ("simulated_persons", "simulated_shelves")]
    assert both.digest == rk.datasets.join(*apart).digest and len(both) == 6
    with pytest.raises(DataError, match="simulated_cats"):
        rk.load("simulated_persons+simulated_cats")
