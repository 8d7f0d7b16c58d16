"""Simulated shelves: the truth agrees with the picture, and the picture with its seed."""

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retailkit.simulate import painting, photograph, shelves, shelving
from retailkit.simulate.products import OUTLINES, Product, draw_product
from retailkit.simulate.shelves import CLASSES, draw_shelf, make_photos

SEEDS = range(8)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32), size=st.sampled_from([96, 160, 320]))
def test_boxes_lie_in_the_photo_and_are_large_enough_to_see(seed, size):
    shelf = draw_shelf(np.random.default_rng(seed), size, gaps=12, disorder=12)
    boxes = shelf.boxes
    assert shelf.image.shape == (size, size, 3) and shelf.image.dtype == np.uint8
    assert boxes["class_name"].isin(CLASSES).all()
    assert boxes[["x1", "y1"]].ge(0).all(axis=None) and boxes[["x2", "y2"]].le(size).all(axis=None)
    assert (boxes["x2"] - boxes["x1"]).ge(shelves.SMALLEST * size).all()
    assert (boxes["y2"] - boxes["y1"]).ge(shelves.SMALLEST * size).all()


def test_one_seed_gives_one_picture_and_another_seed_another():
    first, again, other = (draw_shelf(np.random.default_rng(seed)) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first.image, again.image)
    pd.testing.assert_frame_equal(first.boxes, again.boxes)
    assert (first.image != other.image).mean() > 0.5


@pytest.mark.parametrize(
    ("gaps", "disorder", "expected"),
    [(0, 0, set()), (40, 0, {"empty"}), (0, 40, {"disorganized"}), (40, 40, set(CLASSES))],
)
def test_only_what_was_asked_for_is_there(gaps, disorder, expected):
    found = [draw_shelf(np.random.default_rng(seed), 160, gaps, disorder).boxes for seed in SEEDS]
    assert set(pd.concat(found)["class_name"]) == expected


def test_more_gaps_are_more_boxes():
    counts = [sum(len(draw_shelf(np.random.default_rng(s), 160, gaps, 0).boxes) for s in SEEDS) for gaps in (1, 30)]
    assert counts[1] > 4 * counts[0]


def bare_scene(foot=(150.0, 40.0)) -> shelving.Scene:
    """A white fixture, 300 by 200 pixels, dark inside."""
    wall = np.full((200, 300, 3), 60, np.uint8)
    board, frame = np.full(3, 220.0), (0.0, 0.0, 300.0, 200.0)
    return shelving.Scene(300, 200, foot, 400.0, 60.0, frame, board, 5.0, wall, 0.3, np.eye(3), np.array(frame))


def board_of(states: list[str]) -> shelving.Cell:
    """One board with six red boxes of 40 by 70 pixels in the given states."""
    red = np.empty((70, 40, 3), np.uint8)
    red[:] = (220, 20, 20)
    product = Product("box", red, np.full((70, 40), 255, np.uint8), (150.0, 10.0, 10.0))
    slots = [shelving.Slot(20 + 42 * i, 60 + 42 * i, product, 1, state) for i, state in enumerate(states)]
    return shelving.Cell(0, 300, 50, 150, slots=slots)


def painted(scene: shelving.Scene, cell: shelving.Cell) -> np.ndarray:
    canvas = np.full((200, 300, 3), 128, np.uint8)
    return painting.paint(np.random.default_rng(0), scene, [cell], canvas).astype(int)


@pytest.mark.parametrize("foot", [(150.0, 40.0), (10.0, 100.0), (400.0, 190.0)])
def test_a_gap_shows_no_front_of_goods_and_a_full_facing_nothing_else(foot):
    states = ["full", "empty", "empty", "full", "full", "full"]
    canvas = painted(bare_scene(foot), board_of(states))
    red = (canvas[..., 0] > 200) & (canvas[..., 1] < 40)
    assert not red[80:150, 62:144].any()  # from the first facing's right edge to the fourth's left edge
    assert red[82:149, 20:60].mean() > 0.95 and red[82:149, 146:186].mean() > 0.95


def test_goods_pushed_back_look_smaller_and_darker():
    cell = board_of(["full", "full", "back", "full", "full", "full"])
    cell.slots[2].depth = 0.8
    canvas = painted(bare_scene(), cell)
    place = canvas[80:150, 104:144]
    assert place[..., 0].mean() < 0.8 * canvas[80:150, 146:186, 0].mean()


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["full"] * 6, []),
        (["full", "empty", "empty", "full", "empty", "full"], [("empty", 62, 144), ("empty", 188, 228)]),
        (["empty"] * 6, [("empty", 20, 270)]),
        (["full", "back", "empty", "full", "full", "full"], [("disorganized", 62, 102), ("empty", 104, 144)]),
        (["full", "full", "full", "full", "low", "askew"], [("disorganized", 188, 228), ("disorganized", 230, 270)]),
    ],
)
def test_neighbouring_facings_in_one_state_are_one_stretch(states, expected):
    found = [(name, left, right) for name, (left, _, right, _) in shelves._stretches(board_of(states))]
    assert found == expected


def test_truth_goes_through_the_camera_as_the_picture_does():
    """A white rectangle warped by the camera fills the hull that the truth gives it."""
    for seed in SEEDS:
        view = photograph.turn(np.random.default_rng(seed), 420, 400, (200.0, 150.0), 500.0, 320)
        rectangle = (170.0, 160.0, 230.0, 240.0)
        canvas = np.zeros((400, 420, 3), np.uint8)
        canvas[160:240, 170:230] = 255
        rows, columns = np.nonzero(photograph.expose(canvas, canvas * 0, view, 320)[..., 0] > 127)
        found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(found, photograph.hull(view, rectangle), atol=2.5)


@pytest.mark.parametrize("kind", OUTLINES)
def test_every_kind_of_goods_has_its_outline(kind):
    brand = np.array([[200.0, 30, 30], [250, 250, 250], [20, 20, 90]])
    product = draw_product(np.random.default_rng(1), kind, 60, 100, brand)
    widths = (product.mask > 0).sum(axis=1)
    assert product.picture.shape == (100, 60, 3) and widths.max() >= 57 and widths.min() >= 6
    assert (widths == 60).all() == (kind in ("box", "tin"))


def test_photos_on_disk_say_what_was_drawn_and_do_not_depend_on_their_number(tmp_path):
    make_photos(tmp_path / "few", photos=3, seed=7, size=128, gaps=10, progress=False)
    make_photos(tmp_path / "many", photos=5, seed=7, size=128, gaps=10, progress=False)
    assert len(list((tmp_path / "many/images").iterdir())) == 5
    for path in sorted((tmp_path / "few").rglob("shelf_*")):
        assert path.read_bytes() == (tmp_path / "many" / path.relative_to(tmp_path / "few")).read_bytes()
    shelf = draw_shelf(np.random.default_rng((7, 2)), 128, gaps=10)
    lines = (tmp_path / "few/labels/shelf_00002.txt").read_text().splitlines()
    shares = np.array([line.split() for line in lines], float).reshape(-1, 5)
    assert [CLASSES[int(number)] for number in shares[:, 0]] == list(shelf.boxes["class_name"])
    np.testing.assert_allclose((shares[:, 1] - shares[:, 3] / 2) * 128, shelf.boxes["x1"], atol=1e-3)
    photo = cv2.imread(str(tmp_path / "few/images/shelf_00002.jpg"))[..., ::-1].astype(int)
    assert np.abs(photo - shelf.image).mean() < 15


@pytest.mark.parametrize("wrong", [{"size": 10}, {"gaps": -1}, {"disorder": -0.5}])
def test_impossible_wishes_are_refused_by_value(wrong):
    with pytest.raises(ValueError, match=str(next(iter(wrong.values())))):
        draw_shelf(np.random.default_rng(0), **wrong)
