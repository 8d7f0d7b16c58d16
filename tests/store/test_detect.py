"""A detector is trained, kept in a run, brought back, scored and exported; bad input says what is wrong."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageOps

import retailkit as rk
from retailkit.store import detect
from retailkit.store.detect import TooManyDetectionsWarning, load_detector, train_detector


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A project folder with twelve simulated photographs, and a run with a detector of two passes over them."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "mlruns").mkdir()
    (folder / "notebooks").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RETAILKIT_HOME", str(folder))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        images = rk.load("simulated_shelves", photos=12, seed=3)
        run = rk.start_run("tiny", seed=1)
        detector = train_detector(images, epochs=2, size=64, seed=1, run=run, progress=False)
        yield images, run, detector
        run.finish()


def test_weights_come_back_from_the_run(shop):
    images, run, detector = shop
    again = load_detector(run.id)
    assert again.weights.is_relative_to(detect.project.root())
    assert (again.names, again.size, again.recipe) == (images.names, 64, "small-data")
    assert again.confidence == detector.confidence
    pd.testing.assert_frame_equal(again.detect(images, 0.01), detector.detect(images, 0.01))


def test_boxes_are_tidy_and_inside_the_photograph(shop):
    images, _, detector = shop
    boxes = detector.detect(images, confidence=0.001)
    assert list(boxes.columns) == detect.BOXES and len(boxes)
    assert boxes["confidence"].between(0.001, 1).all()
    assert set(boxes["photo"]) <= set(images.photos["photo"]) and set(boxes["class_name"]) <= set(images.names)
    assert (boxes[["x1", "y1"]].to_numpy() >= 0).all() and (boxes["x2"] <= images.photos["width"].max()).all()


def test_same_average_precision_as_ultralytics_own_validation(shop, tmp_path):
    """The reference: `model.val()` on the same weights, photographs and overlap, each looked at once."""
    images, _, detector = shop
    detector = replace(detector, careful=False)
    data = images.write_yolo(tmp_path / "photos")
    theirs = detect._yolo(detector.weights).val(
        data=str(data), imgsz=64, conf=0.001, iou=detector.overlap, max_det=1000, rect=False, plots=False,
        verbose=False, workers=0, project=str(tmp_path), split="train",
    )  # fmt: skip
    ours = detector.score(images, repetitions=2)
    assert ours.estimate("ap50").value == pytest.approx(theirs.box.map50, abs=0.01)
    assert ours.estimate("ap").value == pytest.approx(theirs.box.map, abs=0.01)


def test_a_second_look_at_the_mirror_image_makes_left_and_right_equal(shop, tmp_path):
    """What is found on a mirror image is the mirror image of what is found."""
    images, _, detector = shop
    path = images.photos["path"].iloc[0]
    mirrored = tmp_path / "mirrored.png"
    straight = tmp_path / "straight.png"
    with Image.open(path) as photo:
        photo.save(straight)
        ImageOps.mirror(photo).save(mirrored)
        width = photo.width
    first, second = (detector.detect([file], confidence=0.001) for file in (straight, mirrored))
    turned = second.assign(x1=width - second["x2"], x2=width - second["x1"])
    order = ["confidence", "class_name", "x1", "y1"]
    for column in ("confidence", "x1", "y1", "x2", "y2"):
        np.testing.assert_allclose(first.sort_values(order)[column], turned.sort_values(order)[column], atol=0.01)


def test_training_goes_on_from_another_run(shop):
    images, run, _ = shop
    warm = train_detector(images, epochs=1, size=64, start=run.id, progress=False)
    cold = train_detector(images, epochs=1, size=64, progress=False)
    assert 0 < warm.losses()["loss"].sum() < cold.losses()["loss"].sum()


def test_max_det_reached_is_said_loudly(shop):
    images, _, detector = shop
    with pytest.warns(TooManyDetectionsWarning, match=r"reached max_det=3 .*Raise max_det"):
        detector.detect(images, confidence=0.0001, max_det=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error", TooManyDetectionsWarning)
        detector.detect(images, confidence=0.99)


def test_photographs_that_cannot_be_told_apart_are_refused(shop, tmp_path):
    _, _, detector = shop
    with pytest.raises(ValueError, match=r"one name: .*one.a\.jpg and .*two.a\.jpg"):
        detector.detect([tmp_path / "one" / "a.jpg", tmp_path / "two" / "a.jpg"])
    with pytest.raises(TypeError, match="is one path"):
        detector.detect(tmp_path / "a.jpg")


def test_batches_change_nothing(shop):
    images, _, detector = shop
    few, many = (detector.detect(images, confidence=0.001, batch=size) for size in (2, 12))
    pd.testing.assert_frame_equal(few, many, atol=1e-3)


def test_export_to_onnx_finds_the_same_boxes(shop, tmp_path):
    import onnxruntime

    _, _, detector = shop
    file = detector.export("onnx", tmp_path)
    session = onnxruntime.InferenceSession(str(file))
    photo = np.random.default_rng(0).random((1, 3, 64, 64), dtype=np.float32)
    theirs = session.run(None, {session.get_inputs()[0].name: photo})[0]
    ours = _raw(detector, photo)
    np.testing.assert_allclose(theirs, ours, rtol=1e-3, atol=1e-2)
    assert not list(detector.weights.parent.glob("*.onnx"))


def _raw(detector, photo):
    import torch

    model = detect._yolo(detector.weights).model.float().eval()
    with torch.no_grad():
        out = model(torch.from_numpy(photo))
    return (out[0] if isinstance(out, (tuple, list)) else out).numpy()


@pytest.mark.parametrize(
    "budget, error, words",
    [
        ({}, ValueError, "needs a budget"),
        ({"minutes": "four"}, TypeError, "'four'.*number above 0"),
        ({"minutes": True}, TypeError, "bool"),
        ({"minutes": 0}, ValueError, "minutes=0"),
        ({"epochs": -1}, ValueError, "epochs=-1"),
        ({"minutes": float("nan")}, ValueError, "nan"),
        ({"epochs": 1, "recipe": "smal-data"}, ValueError, "smal-data"),
    ],
)
def test_bad_budgets_and_recipes_are_refused(shop, budget, error, words):
    with pytest.raises(error, match=words):
        train_detector(shop[0], progress=False, **budget)


def test_nothing_to_learn_from_is_refused(shop):
    images = shop[0]
    bare = replace(images, boxes=images.boxes.iloc[:0])
    with pytest.raises(ValueError, match="12 photographs and 0 boxes"):
        train_detector(bare, epochs=1)


def test_photographs_set_aside_are_said_before_training(shop):
    images = shop[0]
    quarantine = pd.DataFrame({"file": ["a.txt", "a.txt"], "line": [1, 2], "problem": "box outside", "value": "1.5"})
    quarantine["set_aside"] = "photo"
    with pytest.warns(UserWarning, match="1 files of .* set aside"):
        detect._check_images(replace(images, quarantine=quarantine))


def test_a_run_without_a_detector_says_so(shop):
    _, run, _ = shop
    with pytest.raises(FileNotFoundError, match="nobody"):
        load_detector(run.id, name="nobody")
