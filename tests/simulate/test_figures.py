"""Drawn persons: the box agrees with the pixels, and the pose with the box."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retailkit.simulate.bodies import BAGS, HAIR, LOWER, PATTERNS, joints
from retailkit.simulate.figures import (
    Look,
    Pose,
    any_pose,
    crouching,
    draw_figure,
    make_look,
    reaching,
    standing,
    visible_box,
    walking,
)


def blank() -> np.ndarray:
    return np.full((300, 240, 3), (255, 0, 255), np.uint8)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    height=st.floats(30, 200),
    facing=st.floats(-360, 360),
    elevation=st.floats(0, 85),
)
def test_the_box_is_that_of_the_pixels_that_changed(seed, height, facing, elevation):
    rng = np.random.default_rng(seed)
    canvas, owner = blank(), np.zeros((300, 240), np.int32)
    feet = (rng.uniform(100, 140), rng.uniform(200, 220))
    drawn = draw_figure(canvas, feet, height, make_look(rng), any_pose(rng), facing, elevation, owner=owner, number=7)
    changed = (canvas != (255, 0, 255)).any(axis=2)
    assert changed[owner == 7].all()
    assert (drawn.box, drawn.pixels) == visible_box(owner, 7)
    rows, columns = np.nonzero(changed)
    edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    np.testing.assert_allclose(drawn.box, edges, atol=1)  # half covered pixels at the rim may go either way


@pytest.mark.parametrize("feet", [(-10.0, 200.0), (245.0, 200.0), (120.0, 330.0), (120.0, 20.0), (900.0, 900.0)])
def test_what_hangs_over_the_edge_is_clipped_and_its_box_is_not(feet):
    canvas, owner = blank(), np.zeros((300, 240), np.int32)
    drawn = draw_figure(canvas, feet, 120, facing=40, owner=owner, number=3)
    far = draw_figure(np.zeros((400, 400, 3), np.uint8), (feet[0] % 1 + 200, feet[1] % 1 + 300), 120, facing=40)
    moved = np.array(far.box) + [feet[0] - 200, feet[1] - 300] * 2
    np.testing.assert_array_equal(drawn.box, moved)
    assert drawn.pixels == far.pixels >= (owner == 3).sum()


def test_a_standing_person_is_as_high_as_asked_and_stands_on_the_foot_point():
    for facing in range(0, 360, 30):
        x1, y1, x2, y2 = draw_figure(blank(), (120, 250), 200, facing=facing).box
        assert y2 - y1 == pytest.approx(200, abs=8) and y2 == pytest.approx(250, abs=6)
        assert x1 < 120 < x2 and 30 < x2 - x1 < 80


def test_seen_from_above_a_person_is_lower():
    heights = [np.diff(draw_figure(blank(), (120, 250), 200, elevation=angle).box[1::2])[0] for angle in (0, 45, 80)]
    assert heights[0] > heights[1] > heights[2] > 30


def test_one_pose_one_picture_and_a_stride_opens_and_closes():
    pictures = [blank() for _ in range(3)]
    widths = []
    for picture, phase in zip(pictures, (0.0, 1.0, 0.25), strict=True):
        box = draw_figure(picture, (120, 250), 200, pose=walking(phase), facing=90).box
        widths.append(box[2] - box[0])
    np.testing.assert_array_equal(pictures[0], pictures[1])
    assert widths[0] > 1.2 * widths[2]


@pytest.mark.parametrize("make", [standing, crouching, lambda rng: walking(rng.random()), any_pose])
def test_limbs_keep_their_length_and_a_foot_stands_on_the_floor(make):
    rng = np.random.default_rng(0)
    for _ in range(20):
        at = joints(Look(), make(rng))
        for one, other in (
            ("hip_l", "knee_l"),
            ("knee_r", "ankle_r"),
            ("shoulder_r", "elbow_r"),
            ("elbow_l", "wrist_l"),
        ):
            straight = joints(Look(), Pose())
            assert np.linalg.norm(at[one] - at[other]) == pytest.approx(
                np.linalg.norm(straight[one] - straight[other]), rel=1e-6
            )
        assert min(at["ankle_l"][2], at["ankle_r"][2]) == pytest.approx(0.039)


def test_a_higher_shelf_is_reached_with_a_higher_hand():
    hands = [joints(Look(), reaching(height))["hand_r"][2] for height in (0.2, 0.5, 0.8, 1.1)]
    assert hands == sorted(hands) and hands[0] < 0.4 and hands[-1] > 0.9
    assert joints(Look(), reaching(0.8, right=False))["hand_l"][1] > 0.3


def test_looks_differ_and_every_kind_can_be_drawn():
    looks = [make_look(np.random.default_rng(seed)) for seed in range(60)]
    for name, kinds in (("lower", LOWER), ("hair_style", HAIR), ("pattern", PATTERNS), ("bag", BAGS)):
        assert {getattr(look, name) for look in looks} == set(kinds)
    pictures = []
    for look in looks[:20]:
        picture = blank()
        draw_figure(picture, (120, 250), 150, look)
        pictures.append(picture.tobytes())
    assert len(set(pictures)) == 20


def test_light_makes_a_figure_brighter():
    dark, bright = np.zeros((300, 240, 3), np.uint8), np.zeros((300, 240, 3), np.uint8)
    draw_figure(dark, (120, 250), 200, light=0.4)
    draw_figure(bright, (120, 250), 200, light=0.9)
    assert bright.sum() > 2 * dark.sum()


@pytest.mark.parametrize(("height", "elevation"), [(0, 0), (-5, 0), (float("nan"), 0), (50, 90), (50, -1)])
def test_impossible_figures_are_refused_by_value(height, elevation):
    with pytest.raises(ValueError, match="are needed"):
        draw_figure(blank(), (120, 250), height, elevation=elevation)
