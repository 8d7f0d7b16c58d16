"""Datasets: what is wrong is listed and set aside, what is right comes out as it went in, the source stays as it is."""

import os
import re
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from photo_folders import NAMES, make_folder, scene, snapshot
from PIL import Image

from retailkit import datasets
from retailkit.datasets import DataError, load
from retailkit.lab import project

CARD = """\
name: shop
title: A shop
kind: yolo
names: [empty, disorganized]
source: us
licence: ours
shareable: true
"""


@pytest.fixture
def shop(house, tmp_path, monkeypatch):
    """A folder of six correct photographs, nine boxes, in RETAILKIT_DATA."""
    monkeypatch.setenv("RETAILKIT_DATA", str(tmp_path / "data"))
    return make_folder(tmp_path / "data" / "shop")


def test_photographs_and_boxes_come_in_pixels(shop):
    images = load(shop)
    assert images.names == tuple(NAMES)
    assert images.photos["photo"].tolist() == [f"scene_{number:03}.jpg" for number in range(6)]
    assert set(zip(images.photos["width"], images.photos["height"], strict=True)) == {(96, 72)}
    assert images.photos["group"].nunique() == 6
    second = images.boxes[images.boxes["photo"] == "scene_001.jpg"]
    assert second["class_name"].tolist() == NAMES and second["line"].tolist() == [1, 2]
    assert second[["x1", "y1", "x2", "y2"]].to_numpy() == pytest.approx(
        np.array([[38.4, 21.6, 57.6, 50.4], [19.2, 14.4, 28.8, 21.6]])
    )
    assert second["label_file"].unique().tolist() == ["labels/scene_001.txt"]
    assert images.quarantine.empty and images.note == ""
    assert images.profile()["photos"] == 6 and images.profile()["boxes_disorganized"] == 3


def test_a_folder_in_the_data_path_needs_no_card(shop):
    assert load("shop").digest == load(shop).digest == load(str(shop)).digest


def truncate(shop):
    path = shop / "images" / "scene_002.jpg"
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def label(text):
    return lambda shop: (shop / "labels" / "scene_002.txt").write_bytes(text.encode("latin-1"))


def save(name, picture, **options):
    return lambda shop: picture.save(shop / "images" / name, **options)


SPOILED = {
    "truncated JPEG": (truncate, "images/scene_002.jpg", 0, "photo cannot be read", "truncated"),
    "empty file": (
        lambda shop: (shop / "images" / "scene_002.jpg").write_bytes(b""),
        "images/scene_002.jpg", 0, "photo cannot be read", "cannot identify",
    ),
    "text named .jpg": (
        lambda shop: (shop / "images" / "scene_002.jpg").write_text("<html>not found</html>"),
        "images/scene_002.jpg", 0, "photo cannot be read", "cannot identify",
    ),
    "tiny photo": (
        lambda shop: scene(2, (9, 40)).save(shop / "images" / "scene_002.jpg"),
        "images/scene_002.jpg", 0, "photo under 10 pixels", "9 × 40",
    ),
    "class out of range": (
        label("0 0.5 0.5 0.2 0.4\n2 0.5 0.5 0.2 0.4"),
        "labels/scene_002.txt", 2, "class out of range (there are 0 empty, 1 disorganized)", "2",
    ),
    "NaN": (label("0 0.5 NaN 0.2 0.4"), "labels/scene_002.txt", 1, "not a finite number", "NaN"),
    "box outside": (label("\n\n0 0.95 0.5 0.2 0.4"), "labels/scene_002.txt", 3, "box outside the photo", "0 0.95"),
    "unparsable": (label("shelf 0.5 0.5 0.2 0.4"), "labels/scene_002.txt", 1, "not a number", "shelf"),
    "too few columns": (label("0 0.5 0.5"), "labels/scene_002.txt", 1, "3 columns instead of 5", "0 0.5 0.5"),
    "no area": (label("0 0.5 0.5 0 0.4"), "labels/scene_002.txt", 1, "box without area", "0 0.5 0.5 0 0.4"),
    "not text": (label("\xff\xfe\x00"), "labels/scene_002.txt", 0, "label file is not text", "byte"),
    "no label file": (
        lambda shop: (shop / "labels" / "scene_002.txt").unlink(),
        "images/scene_002.jpg", 0, "photo without label file", "labels/scene_002.txt",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SPOILED)
def test_a_spoiled_photograph_is_set_aside_whole_and_listed(shop, case):
    spoil, file, line, problem, value = SPOILED[case]
    spoil(shop)
    images = load("shop")
    (row,) = images.quarantine.itertuples()
    assert (row.file, row.line, row.problem, row.set_aside) == (file, line, problem, "photo")
    assert value in row.value and str(shop) not in row.value
    assert len(images) == 5 and "scene_002.jpg" not in set(images.boxes["photo"])
    assert images.profile()["photos_set_aside"] == 1
    assert "1 of 6 photographs were set aside" in images.note
    with pytest.raises(DataError, match=f"1 problems(.|\n)*{re.escape(file)}"):
        load("shop", bad="raise")


def test_a_line_said_twice_is_taken_once_and_counted(shop):
    label("0 0.5 0.5 0.2 0.4\n0 0.5 0.5 0.2 0.4\n")(shop)
    images = load("shop")
    (row,) = images.quarantine.itertuples()
    assert (row.file, row.line, row.problem, row.set_aside) == ("labels/scene_002.txt", 2, "same line twice", "line")
    assert len(images) == 6 and (images.boxes["photo"] == "scene_002.jpg").sum() == 1


def test_files_that_belong_to_no_photograph_are_listed(shop):
    (shop / "images" / "notes.md").write_text("hello")
    (shop / "labels" / "gone.txt").write_text("0 0.5 0.5 0.2 0.4")
    (shop / "labels" / "classes.txt").write_text("empty\ndisorganized")
    (shop / "images" / ".DS_Store").write_text("")
    (shop / "labels.cache").write_text("")
    images = load("shop")
    assert sorted(zip(images.quarantine["file"], images.quarantine["problem"], strict=True)) == [
        ("images/notes.md", "not a photograph"),
        ("labels/gone.txt", "label file without photo"),
    ]
    assert len(images) == 6 and images.note == ""


def test_a_box_out_by_a_rounding_error_is_cut_and_said(shop):
    label("0 0.9005 0.5 0.2 0.4")(shop)
    images = load("shop")
    assert images.quarantine.empty
    assert images.boxes.set_index("photo").loc["scene_002.jpg", "x2"] == 96
    assert images.note == "1 boxes stood out of their photograph by a rounding error and were cut to it."


def test_an_empty_label_file_is_a_scene_with_nothing_in_it(shop):
    label("")(shop)
    images = load("shop")
    assert len(images) == 6 and images.quarantine.empty
    assert images.profile()["photos_without_boxes"] == 1


def upright(shop):
    """As a phone writes it: lying pixels, and a word that it was held upright."""
    exif = Image.Exif()
    exif[274] = 6
    scene(2, (96, 72)).save(shop / "images" / "scene_002.jpg", exif=exif)


def replaced(name, picture, **options):
    def spoil(shop):
        (shop / "images" / "scene_002.jpg").unlink()
        picture.save(shop / "images" / name, **options)

    return spoil


@pytest.mark.parametrize(
    ("change", "photo", "size"),
    [
        (upright, "scene_002.jpg", (72, 96)),
        (save("scene_002.jpg", scene(2).convert("L")), "scene_002.jpg", (96, 72)),
        (save("scene_002.jpg", scene(2).convert("CMYK")), "scene_002.jpg", (96, 72)),
        (replaced("scene_002.JPG", scene(2), format="JPEG"), "scene_002.JPG", (96, 72)),
        (replaced("scene_002.png", scene(2).convert("RGBA")), "scene_002.png", (96, 72)),
        (replaced("scene_002.png", scene(2).convert("P")), "scene_002.png", (96, 72)),
        (replaced("scene_002.webp", scene(2)), "scene_002.webp", (96, 72)),
    ],
    ids=["turned", "grey", "CMYK", "upper case", "transparent", "palette", "webp"],
)
def test_unusual_photographs_are_read_as_displayed_and_as_ultralytics_does(shop, tmp_path, change, photo, size):
    change(shop)
    images = load("shop")
    row = images.photos.set_index("photo").loc[photo]
    assert (row["width"], row["height"]) == size and images.quarantine.empty
    project.quiet()
    from ultralytics.data.utils import check_image

    images.write_yolo(tmp_path / "laid out")
    message, (height, width) = check_image(str(tmp_path / "laid out" / "images" / photo))
    assert (message, width, height) == ("", *size)


def remove(part):
    return lambda shop: shutil.rmtree(shop / part)


def empty_folder(shop):
    for path in (shop / "images").iterdir():
        path.unlink()


def same_name(shop):
    scene(9).save(shop / "images" / "scene_002.png")


def same_name_below(shop):
    for part in ("images", "labels"):
        (shop / part / "more").mkdir()
    scene(9).save(shop / "images" / "more" / "scene_002.jpg")
    (shop / "labels" / "more" / "scene_002.txt").write_text("")


def all_spoiled(shop):
    for path in (shop / "labels").iterdir():
        path.write_text("9 0.5 0.5 0.2 0.4")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (empty_folder, r"images holds no photograph \(\.bmp, \.jpeg"),
        (remove("images"), "has no folder 'images'"),
        (remove("labels"), "has no folder 'labels'"),
        (same_name, r"two photographs with one name: .*scene_002\.jpg and .*scene_002\.png"),
        (same_name_below, r"two photographs with one name: .*more/scene_002\.jpg and .*scene_002\.jpg"),
        (all_spoiled, r"can be used; the first problem: labels/scene_000\.txt, line 1: class out of range .* \(9\)"),
        (lambda shop: (shop / "data.yaml").unlink(), "does not say the class names"),
        (lambda shop: (shop / "data.yaml").write_text("names: 3"), "names is 3; a list"),
        (lambda shop: (shop / "data.yaml").write_text("nc: 2"), "does not say the class names"),
        (shutil.rmtree, "no dataset 'shop'"),
    ],
)
def test_what_cannot_be_used_at_all_is_an_error(shop, spoil, words):
    spoil(shop)
    with pytest.raises(DataError, match=words):
        load("shop")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"bad": "ignore"}, "bad is 'ignore'; 'quarantine' or 'raise'"),
        ({"photos": 0}, "photos is 0"),
        ({"photos": 2.5}, "photos is 2.5"),
        ({"size": 320}, "shop is not simulated and takes no size"),
    ],
)
def test_wrong_arguments_are_quoted(shop, arguments, words):
    with pytest.raises(DataError, match=words):
        load("shop", **arguments)


def test_photographs_in_folders_below(shop):
    for part in ("images", "labels"):
        (shop / part / "monday").mkdir()
        for path in list((shop / part).glob("scene_00[0-2]*")):
            path.rename(shop / part / "monday" / path.name)
    images = load("shop")
    assert len(images) == 6 and len(images.boxes) == 9
    assert "labels/monday/scene_001.txt" in set(images.boxes["label_file"])


def test_names_as_a_numbered_table(shop):
    (shop / "data.yaml").write_text("names:\n  1: disorganized\n  0: empty\n")
    assert load("shop").names == ("empty", "disorganized")


def test_a_sample_is_drawn_by_seed_and_is_a_part(shop):
    images = load("shop")
    one, again, other = (load("shop", photos=3, seed=seed) for seed in (1, 1, 2))
    assert one.photos.equals(again.photos) and one.digest == again.digest
    assert set(one.photos["photo"]) != set(other.photos["photo"]) and one.digest != other.digest
    assert set(one.boxes["photo"]) <= set(one.photos["photo"])
    assert images.sample(6).digest == images.digest
    with pytest.raises(DataError, match="cannot draw 7 of the 6"):
        images.sample(7)
    with pytest.raises(DataError, match=r"no photograph 'gone\.jpg'"):
        images.subset(["gone.jpg"])


def test_the_digest_covers_content_and_nothing_else(shop, tmp_path):
    before = datasets.digest(shop)
    for name in ("labels.cache", "images/.DS_Store", "data.yaml"):
        (shop / name).write_text("changed")
    os.utime(shop / "images" / "scene_000.jpg", (0, 0))
    shutil.copytree(shop, tmp_path / "elsewhere")
    assert datasets.digest(shop) == datasets.digest(tmp_path / "elsewhere") == before
    label("")(shop)
    assert datasets.digest(shop) != before
    (tmp_path / "elsewhere" / "images" / "scene_000.jpg").rename(tmp_path / "elsewhere" / "images" / "other.jpg")
    assert datasets.digest(tmp_path / "elsewhere") != before


def test_a_copy_that_is_not_the_card_s_is_said(shop, house):
    (house / "datasets" / "shop.yaml").write_text(CARD + f"digest: {datasets.digest(shop)}\n")
    assert load("shop").note == ""
    label("")(shop)
    assert load("shop").note.startswith("This copy of shop is not the one of its card")


def test_fingerprints_are_remembered_outside_the_data_folder(shop, house, monkeypatch):
    before = snapshot(shop)
    first = load("shop")
    assert snapshot(shop) == before
    (kept,) = (house / ".cache" / "photos").iterdir()
    monkeypatch.setattr("retailkit.datasets.reading.inspect_photo", lambda path: pytest.fail("read again"))
    again = load("shop")
    pd.testing.assert_frame_equal(first.photos, again.photos)
    monkeypatch.undo()
    kept.write_bytes(b"damaged")
    monkeypatch.setenv("RETAILKIT_DATA", str(shop.parent))
    monkeypatch.setenv("RETAILKIT_HOME", str(house))
    pd.testing.assert_frame_equal(first.photos, load("shop").photos)


def test_ultralytics_reads_the_layout_and_leaves_the_source_alone(shop, tmp_path):
    """Its scan writes a cache and repairs JPEGs with bytes after the end mark: both must stay in the private folder."""
    path = shop / "images" / "scene_003.jpg"
    path.write_bytes(path.read_bytes() + b"\0\0")
    label("")(shop)
    before = snapshot(shop)
    images = load("shop")
    file = images.write_yolo(tmp_path / "laid out")
    project.quiet()
    from ultralytics.data.dataset import YOLODataset
    from ultralytics.data.utils import check_det_dataset

    data = check_det_dataset(str(file))
    scan = YOLODataset(img_path=data["train"], data=data, imgsz=64, augment=False)
    assert data["names"] == dict(enumerate(NAMES))
    assert (tmp_path / "laid out" / "labels.cache").is_file()
    assert snapshot(shop) == before
    read = {os.path.basename(entry["im_file"]): entry for entry in scan.labels}
    for photo, rows in images.boxes.groupby("photo"):
        centre = (rows[["x1", "y1"]].to_numpy() + rows[["x2", "y2"]].to_numpy()) / 2
        assert read[photo]["bboxes"][:, :2] == pytest.approx(centre / [96, 72], abs=1e-6)
        assert read[photo]["cls"].ravel().tolist() == rows["class_id"].tolist()
    assert len(read["scene_002.jpg"]["bboxes"]) == 0 and len(read) == 6


def test_the_layout_holds_no_more_than_the_set(shop, tmp_path):
    truncate(shop)
    part = load("shop").subset(["scene_001.jpg", "scene_004.jpg"])
    file = part.write_yolo(tmp_path / "laid out")
    assert sorted(path.name for path in (file.parent / "images").iterdir()) == ["scene_001.jpg", "scene_004.jpg"]
    content = yaml.safe_load(file.read_text())
    assert content["path"] == str(tmp_path / "laid out") and content["names"] == {0: "empty", 1: "disorganized"}
    again = load(file.parent)
    pd.testing.assert_frame_equal(
        again.boxes.drop(columns="line"), part.boxes.drop(columns="line"), check_exact=False, atol=1e-5
    )


def test_photographs_are_copied_where_links_are_impossible(shop, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr("pathlib.Path.symlink_to", refuse)
    file = load("shop").write_yolo(tmp_path / "laid out")
    copies = list((file.parent / "images").iterdir())
    assert len(copies) == 6 and not any(path.is_symlink() for path in copies)


def test_nothing_is_laid_out_in_the_source_or_over_other_files(shop, tmp_path):
    images = load("shop")
    with pytest.raises(DataError, match="nothing is written there"):
        images.write_yolo(shop / "training")
    with pytest.raises(DataError, match="is not empty"):
        images.write_yolo(tmp_path / "data")


def test_the_check_counts_and_lists(shop):
    truncate(shop)
    text = datasets.check("shop")
    assert "photos set aside        1" in text and "images/scene_002.jpg" in text and datasets.digest(shop) in text


# ---- simulated sets: a simulator of the test's own stands in for the house's


@pytest.fixture
def simulated(house, monkeypatch):
    import retailkit.simulate

    calls = []

    def make_photos(folder, photos=4, seed=0, *, size=96):
        calls.append((photos, seed, size))
        make_folder(folder, photos)

    module = type(os)("retailkit.simulate.toy")
    module.__file__ = retailkit.simulate.__file__
    module.make_photos = make_photos
    monkeypatch.setitem(sys.modules, "retailkit.simulate.toy", module)
    (house / "datasets" / "toy.yaml").write_text(
        "name: toy\ntitle: t\nkind: simulated\nnames: [empty, disorganized]\nsource: simulated\nlicence: free\n"
        "shareable: true\nsimulator: retailkit.simulate.toy:make_photos\n"
    )
    return calls


def test_simulated_photographs_are_made_once_per_options(simulated, house):
    one, again = load("toy", photos=5), load("toy", photos=5)
    assert simulated == [(5, 0, 96)]
    assert len(one) == 5 and one.digest == again.digest and one.shareable and one.photos["group"].nunique() == 5
    assert one.folder.parent == house / "datasets" / "toy"
    load("toy"), load("toy", photos=5, seed=1), load("toy", photos=5, size=64)
    assert simulated[1:] == [(4, 0, 96), (5, 1, 96), (5, 0, 64)]
    assert load("toy", photos=4, size=96).folder == load("toy").folder  # said or not, the default is the default
    assert len(simulated) == 4
    assert all(not path.name.startswith(".") for path in one.folder.parent.iterdir())
    assert one.folder.stat().st_mode & 0o055  # others may read it


def test_a_simulator_that_breaks_leaves_nothing(simulated, house, monkeypatch):
    toy = sys.modules["retailkit.simulate.toy"]
    monkeypatch.setattr(toy, "make_photos", lambda folder, photos=4, seed=0: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        load("toy")
    assert list((house / "datasets" / "toy").iterdir()) == []


def test_two_that_make_the_same_at_once(simulated, house, monkeypatch):
    """The slower one finds the other's photographs in place when it is done, and takes them."""
    monkeypatch.setattr("pathlib.Path.rename", overtaken_rename)
    images = load("toy")
    assert len(images) == 4
    assert [path.name for path in (house / "datasets" / "toy").iterdir()] == [images.folder.name]


def overtaken_rename(path, target):
    shutil.copytree(path, target)
    os.rename(path, target)


def test_an_unknown_option_of_the_simulator_gets_the_nearest(simulated):
    with pytest.raises(DataError, match="takes no 'siez': did you mean 'size'"):
        load("toy", siez=3)
    with pytest.raises(DataError, match="made on first use"):
        datasets.get("toy")


def test_data_that_is_nowhere_says_how_to_get_it(house, monkeypatch):
    monkeypatch.delenv("RETAILKIT_DATA", raising=False)
    with pytest.raises(DataError, match=r"shelf_gaps is not on this machine: Take .* \(not set\)"):
        load("shelf_gaps")
    (house / "datasets" / "shop.yaml").write_text(CARD + f"url: https://example.org/a.zip\nsha256: {'a' * 64}\n")
    with pytest.raises(DataError, match="`retailkit data get shop` fetches it"):
        load("shop")


# ---- the real sets


@pytest.mark.parametrize("name", ["shelf_gaps", "shelf_rows", "shelf_products", "persons_pennfudan", "persons_coco"])
def test_real_sets_are_read_whole(real_data, house, name):
    images = load(name)
    labels = sorted((real_data / name / "labels").glob("*.txt"))
    lines = sum(bool(line.strip()) for path in labels for line in path.read_text().splitlines())
    aside = images.quarantine["set_aside"] == "line"
    assert len(images) == len(labels) and len(images.boxes) + aside.sum() == lines
    assert set(images.boxes["class_name"]) == set(images.names)
