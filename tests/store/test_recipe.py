"""Both recipes train, keep their budget, repeat under a seed, and leave the photographs' folder alone."""

import hashlib
import math
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
import yaml

from retailkit.lab import project
from retailkit.store import recipe
from retailkit.store.recipe import RECIPES, train


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """A data.yaml of seven drawn photographs with boxes of two classes; one shows nothing.

    The photographs and labels are links, as those of a real set are; the folder they point to must stay as it is.
    """
    source, linked = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("linked")
    generator = np.random.default_rng(0)
    for part in ("images", "labels"):
        (source / part).mkdir()
        (linked / part).mkdir()
    for number in range(7):
        picture = generator.integers(90, 110, (64, 80, 3), dtype=np.uint8)
        lines = []
        for kind, colour in enumerate([(0, 0, 255), (255, 0, 0)] if number else []):
            left, top = (int(value) for value in generator.integers(5, 30, 2))
            cv2.rectangle(picture, (left, top), (left + 24, top + 20), colour, -1)
            lines.append(f"{kind} {(left + 12) / 80} {(top + 10) / 64} {24 / 80} {20 / 64}")
        cv2.imwrite(str(source / "images" / f"{number}.jpg"), picture)
        (source / "labels" / f"{number}.txt").write_text("\n".join(lines))
    for file in source.glob("*/*"):
        (linked / file.relative_to(source)).symlink_to(file)
    names = {0: "empty", 1: "disorganized"}
    data = {"path": str(linked), "train": "images", "val": "images", "names": names, "source": str(source)}
    (linked / "data.yaml").write_text(yaml.safe_dump(data))
    return linked / "data.yaml"


def load(weights: Path):
    project.quiet()
    from ultralytics import YOLO

    return YOLO(weights)


def parameters(weights: Path) -> np.ndarray:
    return np.concatenate([value.float().numpy().ravel() for value in load(weights).model.state_dict().values()])


def fingerprint(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_same_seed_same_weights_other_seed_other_weights(house, photos, tmp_path):
    first, again, other = (
        parameters(train(photos, folder=tmp_path / str(run), epochs=2, size=64, seed=seed, progress=False)[0])
        for run, seed in enumerate([3, 3, 4])
    )
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other, atol=1e-3)


@pytest.mark.parametrize("name", RECIPES)
def test_weights_load_with_their_names_and_the_source_stays_untouched(house, photos, tmp_path, name, capsys):
    source = Path(yaml.safe_load(photos.read_text())["source"])
    before = fingerprint(source)
    weights, curve = train(photos, folder=tmp_path / "out", recipe=name, epochs=2, size=64, progress=False)
    assert fingerprint(source) == before
    assert load(weights).names == {0: "empty", 1: "disorganized"}
    assert list(curve["epoch"]) == [1, 2] and list(curve["photos"]) == [7, 14]
    assert (curve[["box", "cls", "dfl"]] > 0).all(axis=None) and curve["minutes"].is_monotonic_increasing
    assert capsys.readouterr() == ("", "")
    assert [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()] == ["args.yaml", "last.pt"]


def test_norms_are_those_of_the_averaged_weights(house, photos, tmp_path):
    """After two steps a running figure would still be near its start; measured anew it is that of the photographs."""
    weights, _ = train(photos, folder=tmp_path / "out", epochs=2, size=64, progress=False)
    model = load(weights).model.float()
    folder = Path(yaml.safe_load(photos.read_text())["source"]) / "images"
    pictures = [cv2.resize(cv2.imread(str(path)), (64, 51))[..., ::-1].copy() for path in sorted(folder.iterdir())]
    padded = [cv2.copyMakeBorder(one, 6, 7, 0, 0, cv2.BORDER_CONSTANT, value=(114, 114, 114)) for one in pictures]
    stem = model.model[0]
    seen = stem.conv(torch.from_numpy(np.stack(padded).transpose(0, 3, 1, 2)).float() / 255)
    mean, deviation = seen.mean(dim=(0, 2, 3)), seen.std(dim=(0, 2, 3))
    assert ((stem.bn.running_mean - mean).abs() < 0.3 * deviation).all()
    assert (stem.bn.running_var.sqrt() / deviation - 1).abs().max() < 0.5
    assert stem.bn.momentum == 0.03


def test_minutes_end_training_and_the_learning_rate_with_it(house, photos, tmp_path, monkeypatch):
    project.quiet()
    clock = SimpleNamespace(time=count(start=1e9, step=0.05).__next__)  # a twentieth of a second at every look
    for module in ("retailkit.store.recipe", "retailkit.store.training", "ultralytics.engine.trainer"):
        monkeypatch.setattr(f"{module}.time", clock)
    _, curve = train(photos, folder=tmp_path / "out", minutes=0.1, size=64, progress=False)
    assert len(curve) > 3 and curve["minutes"].iloc[-1] == pytest.approx(0.1, abs=0.01)
    assert curve["rate"].iloc[-1] < 0.05 * curve["rate"].max()


def test_epochs_cap_the_minutes(house, photos, tmp_path):
    _, curve = train(photos, folder=tmp_path / "out", minutes=5, epochs=1, size=64, progress=False)
    assert len(curve) == 1


def test_training_goes_on_from_weights_with_other_classes(house, photos, tmp_path):
    start, _ = train(photos, folder=tmp_path / "start", epochs=1, size=64, progress=False)
    one_class = yaml.safe_load(photos.read_text()) | {"names": {0: "gap", 1: "mess", 2: "person"}}
    data = photos.with_name("three.yaml")
    data.write_text(yaml.safe_dump(one_class))
    weights, _ = train(data, folder=tmp_path / "on", model=str(start), epochs=1, size=64, progress=False)
    stem, later = (load(path).model.state_dict()["model.0.conv.weight"].float() for path in (start, weights))
    assert load(weights).names[2] == "person"
    assert np.corrcoef(stem.ravel(), later.ravel())[0, 1] > 0.95


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"recipe": "smal-data", "epochs": 1}, ValueError, "smal-data.*small-data, stock"),
        ({}, ValueError, "minutes, epochs"),
        ({"minutes": 0}, ValueError, "minutes=0"),
        ({"epochs": -1}, ValueError, "epochs=-1"),
        ({"minutes": math.nan}, ValueError, "minutes=nan"),
        ({"epochs": 1, "model": "absent.pt"}, FileNotFoundError, "absent.pt"),
    ],
)
def test_what_cannot_work_is_refused_before_training(photos, tmp_path, settings, error, words):
    with pytest.raises(error, match=words):
        train(photos, folder=tmp_path / "out", **settings)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("busy", "threads"), [([0.0, 0.0], 2), ([100.0, 5.0], 1), ([90.0, 95.0], 1), ([10.0, 20.0], 2)]
)
def test_threads_are_the_idle_cores(monkeypatch, busy, threads):
    monkeypatch.setattr("psutil.cpu_percent", lambda interval, percpu: busy)
    monkeypatch.setattr(recipe.os, "sched_getaffinity", lambda process: {0, 1}, raising=False)
    assert recipe.idle_cores() == threads


def test_photographs_grow_and_the_rate_falls_over_the_budget():
    from retailkit.store.training import learning_rate, stage_size

    shares = np.linspace(0, 1, 101)
    sizes = [stage_size(share, 256) for share in shares]
    assert sizes == sorted(sizes) and sizes[0] < 256 and sizes[-1] == 256
    assert all(stage_size(share, 64) == 64 for share in shares)  # smaller ones leave nothing for the coarse layers
    rates = [learning_rate(share) for share in shares]
    assert max(rates) == pytest.approx(1, abs=0.02) and rates[0] < 0.1 and rates[-1] < 0.02
