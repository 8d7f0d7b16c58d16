"""A simulated film's truth is true: boxes, places, marks and counted frames agree with each other and the picture."""

import json

import cv2
import numpy as np
import pandas as pd
import pytest

from retailkit.simulate.film import (
    BEFORE,
    BEYOND,
    CAMERA,
    COUNTED,
    HALF,
    make_film,
    make_photos,
    read_truth,
    walk_aisle,
)
from retailkit.store.floor import to_floor
from retailkit.store.video import open_film, read_frames

CORNERS = ["x1", "y1", "x2", "y2"]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return make_film(tmp_path_factory.mktemp("films"), seconds=6, rate=5, shoppers=4, seed=3, progress=False)


def test_a_film_is_made_once_and_is_the_same_for_a_seed(path, tmp_path):
    home = path.parents[1]
    written = path.stat().st_mtime_ns
    assert make_film(home, seconds=6, rate=5, shoppers=4, seed=3) == path and path.stat().st_mtime_ns == written
    again = make_film(tmp_path, seconds=6, rate=5, shoppers=4, seed=3, progress=False)
    assert read_truth(again).equals(read_truth(path)) and again.read_bytes() == path.read_bytes()
    other = make_film(tmp_path, seconds=6, rate=5, shoppers=4, seed=4, progress=False)
    assert other.parent != again.parent and not read_truth(other).equals(read_truth(path))


def test_boxes_are_where_the_picture_changes(path):
    """Without its people the aisle is the same in all frames: what differs is in a box, and boxes hold what differs."""
    film, truth = open_film(path), read_truth(path)
    frames = np.stack(list(read_frames(film))).astype(np.int16)
    empty = np.median(frames, axis=0)
    for number in range(0, len(frames), 5):
        inside = np.zeros(empty.shape[:2], bool)
        boxes = truth[truth["frame"] == number].dropna(subset=["x1"])
        for x1, y1, x2, y2 in boxes[CORNERS].astype(int).itertuples(index=False):
            inside[max(y1 - 12, 0) : y2 + 14, max(x1 - 20, 0) : x2 + 20] = True  # with their shadows
        differs = cv2.blur(np.abs(frames[number] - empty).max(axis=2), (7, 7)) > 40
        assert (differs & ~inside).mean() < 0.004, f"frame {number}"


def test_feet_stand_where_the_truth_says(path):
    """Whole figures' lower edges, by marks read off to whole pixels: the plan takes them to the true places."""
    film = open_film(path)
    truth = read_truth(path).dropna(subset=["x1"])
    whole = truth[(truth["visible"] > 0.995) & (truth["y2"] < CAMERA.height - 1)]
    walks, unseen = to_floor(whole, film.plan.homography(), height=film.height)
    both = walks.merge(whole[["visit", "time", "x", "y"]], on=["visit", "time"], suffixes=("", "_true"))
    off = np.hypot(both["x"] - both["x_true"], both["y"] - both["y_true"])
    assert unseen.empty and len(both) > 30
    assert off.median() < 0.25 and off.max() < 1.0, "a foot put forward or a shoe's tip is some tens of centimetres"


def test_twenty_frames_are_counted_and_marks_are_on_the_floor(path):
    film, truth = open_film(path), read_truth(path)
    assert film.counted["frame"].nunique() == COUNTED
    some = film.counted.dropna(subset=["person"]).rename(columns={"person": "visit"})
    merged = some.merge(truth, on=["frame", "visit"], suffixes=("", "_true"))
    assert len(merged) == len(some)
    assert np.allclose(merged[CORNERS], merged[[f"{name}_true" for name in CORNERS]])
    assert film.shareable and film.least == 1 and "measured exactly" in film.plan.note
    plan = json.loads(path.with_suffix(".plan.json").read_text())
    exact = CAMERA.at(np.column_stack([plan["metres"], np.zeros(len(plan["metres"]))]))
    assert np.abs(exact - plan["pixels"]).max() <= 0.5


def test_shoppers_stay_in_the_aisle_and_walk_as_people_do():
    ways = pd.concat([walk_aisle(np.random.default_rng(seed), 20.0, 5).assign(seed=seed) for seed in range(40)])
    assert ways["x"].abs().max() < HALF and ways["y"].between(BEFORE, BEYOND).all()
    steps = ways.groupby(["seed", "visit"])[["time", "x", "y"]].diff().dropna()
    speed = np.hypot(steps["x"], steps["y"]) / steps["time"]
    moving = speed[np.hypot(steps["x"], steps["y"]) > 1e-9]
    assert (steps["time"] > 0).all() and moving.between(0.9, 1.4).all()
    assert (ways["stop"] != "").groupby([ways["seed"], ways["visit"]]).sum().between(1, 2).all()


def test_single_frames_to_train_on(tmp_path):
    make_photos(tmp_path / "some", photos=3, seed=1, progress=False)
    make_photos(tmp_path / "more", photos=5, seed=1, progress=False)
    for folder, ending in (("images", "jpg"), ("labels", "txt")):
        for number in (1, 2, 3):
            name = f"{folder}/aisle_{number:05d}.{ending}"
            assert (tmp_path / "some" / name).read_bytes() == (tmp_path / "more" / name).read_bytes()
    labels = [line for path in (tmp_path / "more" / "labels").iterdir() for line in path.read_text().splitlines()]
    assert len(labels) >= 5
    numbers = np.array([line.split() for line in labels], float)
    assert (numbers[:, 0] == 0).all() and ((numbers[:, 1:] > 0) & (numbers[:, 1:] <= 1)).all()


@pytest.mark.parametrize("wrong", [{"seconds": 1}, {"rate": 0}, {"shoppers": 0}])
def test_what_is_no_film_is_refused(tmp_path, wrong):
    with pytest.raises(ValueError, match="2 or more, above 0, 1 or more"):
        make_film(tmp_path, **wrong)
