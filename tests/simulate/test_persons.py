"""Simulated customers: the truth agrees with what is seen, and the scene with its geometry."""

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retailkit.simulate import aisles, persons
from retailkit.simulate.aisles import Block, Camera
from retailkit.simulate.persons import Person, draw_photo, make_photos, paint_people

SQUARE = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])


def block(x: float, y: float, tall: float = 2.0, wide: float = 1.0) -> Block:
    return Block(SQUARE * [wide, 1] + [x, y], tall, np.array([200.0, 20.0, 20.0]))


def floor(camera: Camera) -> np.ndarray:
    return np.full((camera.height, camera.width, 3), 128, np.uint8)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), size=st.sampled_from([96, 160, 320]))
def test_boxes_lie_in_the_photo_and_are_large_enough_to_see(seed, size):
    photo = draw_photo(np.random.default_rng(seed), size, persons=6, empty=0)
    rows, columns = photo.image.shape[:2]
    assert max(rows, columns) == size and photo.image.dtype == np.uint8
    boxes = photo.boxes
    assert boxes[["x1", "y1"]].ge(0).all(axis=None) and boxes["x2"].le(columns).all() and boxes["y2"].le(rows).all()
    assert (boxes["y2"] - boxes["y1"]).ge(persons.SMALLEST * size).all() and boxes["x2"].gt(boxes["x1"]).all()
    assert boxes["visible"].between(persons.VISIBLE, 1).all()


def test_one_seed_gives_one_picture_and_another_seed_another():
    first, again, other = (draw_photo(np.random.default_rng(seed)) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first.image, again.image)
    pd.testing.assert_frame_equal(first.boxes, again.boxes)
    assert first.image.shape != other.image.shape or (first.image != other.image).mean() > 0.5


def test_some_photos_show_nobody_and_more_persons_are_more_boxes():
    counts = {
        (mean, empty): [len(draw_photo(np.random.default_rng(seed), 96, mean, empty).boxes) for seed in range(16)]
        for mean, empty in ((2, 0.0), (7, 0.0), (7, 1.0), (7, 0.5))
    }
    assert sum(counts[7, 0.0]) > 1.5 * sum(counts[2, 0.0])
    assert sum(counts[7, 1.0]) == 0
    assert 3 < sum(count == 0 for count in counts[7, 0.5]) < 13


@pytest.mark.parametrize("spot", [(0.0, 3.0), (1.2, 4.0), (-1.5, 6.0), (0.3, 9.0)])
def test_a_person_stands_where_the_camera_sees_the_spot_and_is_as_tall_as_it_should_be(spot):
    camera = Camera(640, 480, 500.0, 1.7, 10.0)
    canvas = floor(camera)
    truth = paint_people(canvas, camera, [], [Person(*spot)]).iloc[0]
    foot, head = camera.at(np.array([[*spot, 0.0], [*spot, 1.72]]))
    tall = foot[1] - head[1]
    assert truth["y2"] == pytest.approx(foot[1], abs=0.06 * tall) and truth["y1"] == pytest.approx(
        head[1], abs=0.06 * tall
    )
    assert truth["x1"] < foot[0] < truth["x2"] and truth["visible"] == 1


def test_who_stands_behind_a_shelf_is_hidden_and_who_stands_before_it_is_not():
    camera, shelf = Camera(320, 240, 300.0, 1.6, 8.0), block(0.0, 4.0, tall=1.1)
    crowd = {"before": Person(0.0, 3.0), "behind": Person(0.0, 5.2), "beside": Person(1.2, 4.0)}
    seen = {name: paint_people(floor(camera), camera, [shelf], [who]) for name, who in crowd.items()}
    alone = {name: paint_people(floor(camera), camera, [], [who]) for name, who in crowd.items()}
    for name in ("before", "beside"):
        pd.testing.assert_frame_equal(seen[name], alone[name])
    assert seen["behind"]["visible"].iloc[0] < 0.6
    assert seen["behind"]["y2"].iloc[0] < alone["behind"]["y2"].iloc[0] - 10
    wall = block(0.0, 4.0, tall=2.5, wide=6.0)
    assert paint_people(floor(camera), camera, [wall], [crowd["behind"]]).empty


def test_the_nearer_of_two_hides_the_farther_whatever_their_order():
    camera, near, far = Camera(), Person(0.0, 4.0), Person(0.12, 5.0, facing=90)
    both = paint_people(floor(camera), camera, [], [near, far]).set_index("person")
    turned = paint_people(floor(camera), camera, [], [far, near]).set_index("person")
    assert both.loc[0, "visible"] == 1 and both.loc[1, "visible"] < 0.7
    np.testing.assert_array_equal(both.loc[1], turned.loc[0])


def test_boxes_hold_the_persons_pixels_and_the_room_behind_stays_as_it_was():
    rng = np.random.default_rng(3)
    camera = aisles.hang_camera(rng, 320, 240)
    blocks = aisles.furnish(rng, camera)
    room = aisles.paint_room(rng, camera, blocks)
    canvas = room.copy()
    truth = paint_people(canvas, camera, blocks, persons._crowd(rng, camera, blocks, 4))
    changed = (np.abs(canvas.astype(int) - room) > 0).any(axis=2)
    for row in truth.itertuples():
        inside = changed[int(row.y1) : int(row.y2), int(row.x1) : int(row.x2)]
        assert inside[:2].any() and inside[-2:].any() and inside[:, :2].any() and inside[:, -2:].any()
        changed[int(row.y1) - 1 : int(row.y2) + 1, int(row.x1) - 1 : int(row.x2) + 1] = False
    assert len(truth) and changed.mean() < 0.05  # what is left are shadows and the hardly visible


def test_the_camera_is_a_pinhole():
    camera = Camera(320, 240, 300.0, 2.0, 30.0)
    ahead = np.array([[0.0, 2.0 / np.tan(np.radians(30)), 0.0]])
    np.testing.assert_allclose(camera.at(ahead), [[160, 120]], atol=1e-9)
    near, far = camera.at(np.array([[1.0, 3.0, 0.0], [1.0, 6.0, 0.0]])) - [160, 120]
    assert near[0] > far[0] > 0 and near[1] > far[1]
    assert camera.elevation(0, 2.0, 0.0) == pytest.approx(45)


@pytest.mark.parametrize(
    ("spot", "hides"), [((0, 6), True), ((0, 3), False), ((2, 3.4), False), ((0.4, 9), True), ((-3, 3.6), True)]
)
def test_a_block_hides_only_what_no_side_of_it_shares_with_the_camera(spot, hides):
    assert block(0, 4).can_hide(*spot) == hides


def test_blocks_stand_apart_from_the_camera_and_people_apart_from_blocks():
    for seed in range(12):
        rng = np.random.default_rng(seed)
        camera = aisles.hang_camera(rng, 320, 240)
        blocks = aisles.furnish(rng, camera)
        assert not any(one.holds(0, 0, 0.5) for one in blocks)
        people = persons._crowd(rng, camera, blocks, 5)
        assert not any(one.holds(who.x, who.y, 0.2) for one in blocks for who in people)


def test_photos_on_disk_say_what_was_drawn_and_do_not_depend_on_their_number(tmp_path):
    make_photos(tmp_path / "few", photos=3, seed=7, size=128, empty=0, progress=False)
    make_photos(tmp_path / "many", photos=5, seed=7, size=128, empty=0, progress=False)
    assert len(list((tmp_path / "many/images").iterdir())) == 5
    for path in sorted((tmp_path / "few").rglob("customers_*")):
        assert path.read_bytes() == (tmp_path / "many" / path.relative_to(tmp_path / "few")).read_bytes()
    photo = draw_photo(np.random.default_rng((7, 1)), 128, empty=0)
    lines = (tmp_path / "few/labels/customers_00001.txt").read_text().splitlines()
    shares = np.array([line.split() for line in lines], float).reshape(-1, 5)
    rows, columns = photo.image.shape[:2]
    assert len(shares) == len(photo.boxes) > 0
    np.testing.assert_allclose((shares[:, 1] - shares[:, 3] / 2) * columns, photo.boxes["x1"], atol=1e-3)
    np.testing.assert_allclose((shares[:, 2] + shares[:, 4] / 2) * rows, photo.boxes["y2"], atol=1e-3)
    stored = cv2.imread(str(tmp_path / "few/images/customers_00001.jpg"))[..., ::-1].astype(int)
    assert np.abs(stored - photo.image).mean() < 15


@pytest.mark.parametrize("wrong", [{"size": 10}, {"persons": 0.5}, {"empty": -0.5}, {"empty": 1.5}])
def test_impossible_wishes_are_refused_by_value(wrong):
    with pytest.raises(ValueError, match=str(next(iter(wrong.values())))):
        draw_photo(np.random.default_rng(0), **wrong)
