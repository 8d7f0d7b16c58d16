"""What boxes say about size and overlap: tables of cases, and the sets that the rules were made for."""

from dataclasses import replace

import pandas as pd
import pytest

import retailkit as rk
from retailkit.datasets import ImageSet
from retailkit.store.fitting import suppression_overlap, working_size


def images_with(boxes: list[tuple], width: int = 640, height: int = 480) -> ImageSet:
    columns = ["photo", "class_id", "x1", "y1", "x2", "y2"]
    frame = pd.DataFrame(boxes, columns=columns).assign(class_name="person", label_file="", line=1)
    names = sorted({box[0] for box in boxes})
    photos = pd.DataFrame({"photo": names, "path": names, "width": width, "height": height, "group": range(len(names))})
    return ImageSet("drawn", None, None, ("person",), photos, frame, pd.DataFrame({"set_aside": []}))


@pytest.mark.parametrize(
    ("side", "size", "expected"),  # side of the one box in a photograph of 640 pixels
    [(50, 256, 256), (150, 256, 256), (170, 256, 224), (200, 256, 192), (400, 256, 192), (600, 96, 64), (50, 64, 64),
     (400, 64, 64), (400, 32, 32), (400, 640, 480), (300, 100, 100)],
)  # fmt: skip
def test_photographs_are_shrunk_where_boxes_stay_large(side, size, expected):
    assert working_size(images_with([("a", 0, 10, 10, 10 + side, 10 + side)]), size) == expected


def test_the_median_box_decides_whatever_the_photographs_shape():
    boxes = [("a", 0, 0, 0, 20, 20), ("a", 0, 100, 0, 300, 200), ("b", 0, 100, 0, 300, 200)]
    assert working_size(images_with(boxes), 256) == 192
    assert working_size(images_with(boxes, 480, 640), 256) == 192
    assert working_size(images_with([*boxes, boxes[0], boxes[0]]), 256) == 256


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([("a", 0, 0, 0, 10, 10), ("a", 0, 5, 0, 15, 10)], 0.6),
        ([("a", 0, 0, 0, 10, 10), ("a", 0, 9.5, 0, 19, 10)], 0.5),
        ([("a", 0, 0, 0, 10, 10), ("b", 0, 0, 0, 10, 10)], 0.5),  # not in one photograph
        ([("a", 0, 0, 0, 10, 10), ("a", 1, 0, 0, 10, 10)], 0.5),  # not of one class
        ([("a", 0, 0, 0, 10, 10)], 0.5),
    ],
)
def test_boxes_that_overlap_in_truth_may_overlap_when_found(boxes, expected):
    assert suppression_overlap(images_with(boxes)) == expected


@pytest.mark.parametrize(
    ("name", "size", "overlap"),
    [("persons_pennfudan", 192, 0.6), ("persons_coco", 256, 0.6), ("shelf_gaps", 256, 0.5)],
)
def test_real_sets_get_what_was_measured_to_be_best(real_data, name, size, overlap):
    images = rk.load(name)
    assert (working_size(images, 256), suppression_overlap(images)) == (size, overlap)


def test_simulated_shelves_are_as_shelves(house):
    images = rk.load("simulated_shelves", photos=20, size=160)
    assert (working_size(images, 256), suppression_overlap(images)) == (256, 0.5)
    bare = replace(images, boxes=images.boxes.head(1))
    assert suppression_overlap(bare) == 0.5
