"""Pixels become metres: marks that give no homography are refused, feet stand where they stand, and errors are told."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from retailkit.datasets import DataError
from retailkit.datasets.cameras import read_cameras
from retailkit.datasets.recordings import read_recordings
from retailkit.store.floor import (
    check_homography,
    check_line,
    fit_homography,
    homography_error,
    read_plan,
    to_floor,
    to_picture,
)

FOCAL, UP, PITCH, SIZE = 330.0, 3.0, np.radians(24), (384, 288)
MARKS = np.array([(-1.3, 3.4), (1.3, 3.4), (1.3, 6.0), (-1.3, 6.0), (-1.3, 9.5), (1.3, 9.5)])


def seen(places: np.ndarray, height: float = 0.0) -> np.ndarray:
    """Pixels of points `height` metres above the floor, by the pinhole camera's own equations."""
    x, y = np.asarray(places, float).T
    down = UP - height
    depth = y * np.cos(PITCH) + down * np.sin(PITCH)
    below = down * np.cos(PITCH) - y * np.sin(PITCH)
    return np.column_stack([SIZE[0] / 2 + FOCAL * x / depth, SIZE[1] / 2 + FOCAL * below / depth])


def standing(places: np.ndarray, tall: float | np.ndarray = 1.7) -> pd.DataFrame:
    """Boxes of people at places, one a frame."""
    feet, heads = seen(places), seen(places, tall)
    width = 0.3 * (feet[:, 1] - heads[:, 1])
    boxes = {"x1": feet[:, 0] - width, "y1": heads[:, 1], "x2": feet[:, 0] + width, "y2": feet[:, 1]}
    return pd.DataFrame({"frame": range(len(feet)), "visit": 1, **boxes})


def test_a_camera_s_own_homography_is_found_and_turned_round():
    matrix = fit_homography(seen(MARKS), MARKS)
    places = np.random.default_rng(0).uniform((-1.5, 3), (1.5, 12), (50, 2))
    assert np.allclose(to_picture(places, matrix), seen(places), atol=1e-6)
    walks, unseen = to_floor(standing(places), matrix, rate=5)
    assert np.allclose(walks[["x", "y"]], places, atol=1e-6) and unseen.empty
    assert walks["time"].tolist() == [frame / 5 for frame in range(50)]


@settings(max_examples=50, deadline=None)
@given(some.integers(0, 10_000))
def test_there_and_back_is_where_it_was(seed):
    rng = np.random.default_rng(seed)
    matrix = fit_homography(seen(MARKS), rng.normal(0, 5, 2) + MARKS * rng.uniform(0.5, 2, 2) * rng.choice([-1, 1], 2))
    pixels = rng.uniform((0, 60), SIZE, (20, 2))
    boxes = pd.DataFrame({"frame": 0, "visit": range(20), "x1": pixels[:, 0] - 5, "x2": pixels[:, 0] + 5})
    walks, _ = to_floor(boxes.assign(y1=pixels[:, 1] - 30, y2=pixels[:, 1]), matrix, rate=1)
    assert np.allclose(to_picture(walks[["x", "y"]], matrix), pixels, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda pixels, metres: (pixels[:3], metres[:3]), r"pixels has shape \(3, 2\): 4 or more marks"),
        (lambda pixels, metres: (pixels, metres[:5]), "there are 6 marks in pixels and 5 in metres"),
        (lambda pixels, metres: (pixels * [1, np.nan], metres), "pixels, mark 1 is not finite"),
        (lambda pixels, metres: (pixels, metres * [1, 0]), "metres: three marks of every four are on a line"),
        (lambda pixels, metres: (pixels * 0 + 7, metres), "pixels: three marks of every four are on a line, or at one"),
        (
            lambda pixels, metres: (pixels[[0, 1, 2, 0]], metres[[0, 1, 2, 0]]),
            "three marks of every four are on a line",
        ),
        (lambda pixels, metres: (pixels[[0, 1, 3, 2]], metres[:4]), "degenerate.*Are two marks exchanged"),
        (lambda pixels, metres: (pixels[[0, 1, 4, 5]], metres[:4]), "degenerate.*Are two marks exchanged"),
    ],
)
def test_marks_that_give_no_homography_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        fit_homography(*change(seen(MARKS), MARKS))


def test_three_of_four_on_a_line_are_refused_and_a_fifth_mends_it():
    metres = np.array([(0, 4), (1, 5), (2, 6), (2, 4.0)])
    with pytest.raises(ValueError, match="three marks of every four are on a line"):
        fit_homography(seen(metres), metres)
    more = np.vstack([metres, (0, 6.0)])
    assert np.allclose(to_picture(more, fit_homography(seen(more), more)), seen(more), atol=1e-5)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.eye(2), "3 by 3 finite numbers"),
        (np.full((3, 3), np.nan), "3 by 3 finite numbers"),
        (np.ones((3, 3)), "degenerate, it takes the floor to a line or a point"),
        ([[1, 0, 0], [0, 1, 0], [0, 0, 0]], "degenerate"),
        ([[1e-2, 0, 3], [2e-2, 0, 6], [0, 0, 1]], "degenerate"),
    ],
)
def test_what_is_no_homography_is_refused(matrix, message):
    for verb in (
        check_homography,
        lambda one: to_picture([(0, 0)], one),
        lambda one: to_floor(standing(MARKS), one, 5),
    ):
        with pytest.raises(ValueError, match=message):
            verb(matrix)


def test_beyond_the_horizon_and_below_the_picture_are_listed():
    matrix = fit_homography(seen(MARKS), MARKS)
    boxes = standing(MARKS)
    sky = boxes[:1].assign(y1=-60.0, y2=-20.0, visit=9)  # the horizon of this camera lies at row -3
    cut = boxes[1:2].assign(y2=288.0, visit=8)
    walks, unseen = to_floor(pd.concat([boxes, sky, cut], ignore_index=True), matrix, rate=5, height=288)
    assert len(walks) == 6 and unseen["row"].tolist() == [7, 8] and unseen["visit"].tolist() == [9, 8]
    assert unseen["problem"].tolist() == [
        "the feet are on or beyond the horizon",
        "cut by the picture's lower edge: the feet are not seen",
    ]


def test_the_error_is_what_a_blurred_foot_point_does():
    matrix = fit_homography(seen(MARKS), MARKS)
    rng = np.random.default_rng(1)
    for place in MARKS:
        boxes = standing(np.repeat([place], 4000, axis=0))
        shift = rng.normal(0, 2.0, (4000, 2))
        moved = boxes.assign(x1=boxes["x1"] + shift[:, 0], x2=boxes["x2"] + shift[:, 0], y2=boxes["y2"] + shift[:, 1])
        spread = np.linalg.svd(to_floor(moved, matrix, rate=1)[0][["x", "y"]].cov())[1][0] ** 0.5
        told = to_floor(boxes, matrix, rate=1, blur=2.0)[0]["error"].iloc[0]
        assert spread == pytest.approx(told, rel=0.08), place


def test_a_mark_left_out_is_foretold_as_well_as_others_are_known():
    rng = np.random.default_rng(2)
    exact = homography_error(seen(MARKS), MARKS)
    assert exact.value < 1e-6 and exact.units == 6
    errors = [homography_error(seen(MARKS) + rng.normal(0, 1, (6, 2)), MARKS) for _ in range(40)]
    assert all(one.low <= one.value <= one.high for one in errors)
    worse = [homography_error(seen(MARKS) + rng.normal(0, 3, (6, 2)), MARKS).value for _ in range(40)]
    assert np.median(worse) > 2 * np.median([one.value for one in errors]) > 0.05
    assert np.isnan(homography_error(seen(MARKS[:4]), MARKS[:4]).value), "with four marks there is none to spare"


def test_feet_and_not_middles():
    """People of different heights: the foot point is right for all, the middle of the box far off and by height."""
    matrix = fit_homography(seen(MARKS), MARKS)
    rng = np.random.default_rng(3)
    places = rng.uniform((-1.2, 3.4), (1.2, 9.5), (200, 2))
    boxes = standing(places, rng.uniform(1.1, 1.95, 200))
    feet, _ = to_floor(boxes, matrix, rate=1)
    middles, _ = to_floor(boxes.assign(y2=(boxes["y1"] + boxes["y2"]) / 2), matrix, rate=1)
    away = [np.hypot(*(table[["x", "y"]].to_numpy() - places).T) for table in (feet, middles)]
    assert away[0].max() < 1e-6 and np.median(away[1]) > 2


def test_feet_and_not_middles_on_seven_cameras(real_data):
    """WILDTRACK's boxes were made by moving a cylinder on the floor, so that feet fit by construction."""
    if not (real_data / "tracks_wildtrack").is_dir():
        pytest.skip("tracks_wildtrack is not among the real data")
    [square] = read_recordings("tracks_wildtrack")
    places = square.tracks
    known = read_cameras("tracks_wildtrack").merge(places, on=["visit", "time"])
    rng = np.random.default_rng(0)
    for camera, rows in known.groupby("camera"):
        feet = np.column_stack([(rows["x1"] + rows["x2"]) / 2, rows["y2"]])
        marks = rng.choice(len(rows), 12, replace=False)
        matrix = fit_homography(feet[marks], rows[["x", "y"]].to_numpy()[marks])
        high = rows.assign(y2=(rows["y1"] + rows["y2"]) / 2)
        off = []
        for table in (rows, high):
            walks, _ = to_floor(table, matrix)
            true = walks.merge(places, on=["visit", "time"], suffixes=("", "_true"))
            off.append(np.hypot(true["x"] - true["x_true"], true["y"] - true["y_true"]).median())
        print(f"camera {camera}: foot points {off[0]:.3f} m off, middles {off[1]:.1f} m (medians of {len(rows)} boxes)")
        assert off[0] < 0.1 and 3 < off[1] < 20


@pytest.mark.parametrize(
    ("line", "homography", "message"),
    [
        ([(10, 10), (400, 10)], False, r"its end \(400, 10\) lies outside of the picture of 384 by 288 pixels"),
        ([(10, -1), (20, 10)], False, r"its end \(10, -1\) lies outside"),
        ([(10, 10)], False, r"two points \(x, y\) are needed"),
        ([(10, np.nan), (20, 10)], False, r"two points \(x, y\) are needed"),
        ([(-1, 5), (8, 5)], True, r"its end \(8, 5\) m, in pixels \(\d+\.\d, \d+\.\d\), lies outside"),
        ([(-1, 5), (0, -30)], True, r"\(0\.0, -30\.0\) m lies behind the camera"),
    ],
)
def test_a_line_outside_the_picture_is_refused(line, homography, message):
    matrix = fit_homography(seen(MARKS), MARKS) if homography else None
    with pytest.raises(ValueError, match=message):
        check_line(line, *SIZE, matrix)


def test_a_line_in_the_picture_is_given_in_pixels():
    matrix = fit_homography(seen(MARKS), MARKS)
    assert np.allclose(check_line(MARKS[:2], *SIZE, matrix), seen(MARKS[:2]))


def test_a_plan_is_read_whole_or_refused(tmp_path):
    plan = {"pixels": seen(MARKS).tolist(), "metres": MARKS.tolist(), "line": [[1, 5], [-1, 5]], "note": "measured"}
    path = tmp_path / "film.plan.json"
    path.write_text(json.dumps(plan))
    read = read_plan(path, *SIZE)
    assert (read.line, read.zones, read.note) == (((1.0, 5.0), (-1.0, 5.0)), {}, "measured")
    assert np.allclose(read.homography(), fit_homography(seen(MARKS), MARKS))
    path.write_text(json.dumps({**plan, "line": [[9, 5], [-1, 5]]}))
    with pytest.raises(ValueError, match="lies outside of the picture"):
        read_plan(path, *SIZE)
    path.write_text(json.dumps({**plan, "zones": {"tea": [[0, 4], [1, 4]]}}))
    with pytest.raises(ValueError, match="zone 'tea' has 2 corners"):
        read_plan(path, *SIZE)
    path.write_text(json.dumps({"pixels": [[0, 0]]}))
    with pytest.raises(DataError, match=r"film\.plan\.json: KeyError 'metres'; pixels, metres and line are needed"):
        read_plan(path, *SIZE)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda boxes: boxes.drop(columns="visit"), {"rate": 5}, "tracks has no column visit"),
        (lambda boxes: boxes, {}, "rate is None: frames per second above 0 are needed"),
        (lambda boxes: boxes, {"rate": 0}, "rate is 0: frames per second above 0"),
        (lambda boxes: boxes.assign(y2=np.nan), {"rate": 5}, "row 1 of 6 holds a number that is not finite"),
    ],
)
def test_boxes_without_time_or_place_are_refused(change, options, message):
    with pytest.raises(ValueError, match=message):
        to_floor(change(standing(MARKS)), np.eye(3), **options)
