"""The project folder is found and checked, and a start is quiet and seeded."""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from retailkit.lab import project
from retailkit.lab.project import ProjectError

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A working directory in no project, and no RETAILKIT_HOME."""
    monkeypatch.delenv("RETAILKIT_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_home_variable_wins(house, monkeypatch):
    monkeypatch.chdir("/")
    assert project.root() == house


def test_home_that_is_no_folder_is_quoted(monkeypatch):
    monkeypatch.setenv("RETAILKIT_HOME", "/no/such/place")
    with pytest.raises(ProjectError, match="'/no/such/place', which is no folder"):
        project.root()


@pytest.mark.parametrize("marker", ["pyproject", "folders"])
def test_root_is_found_from_below(nowhere, monkeypatch, marker):
    (nowhere / "notebooks").mkdir()
    if marker == "pyproject":
        (nowhere / "pyproject.toml").write_text('[project]\nname = "retailkit"\n')
    else:
        (nowhere / "mlruns").mkdir()
        (nowhere / "mlruns" / "README.md").write_text("Runs of retailkit.")
    deep = nowhere / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert project.root() == nowhere


def test_folders_of_a_project_that_is_not_ours_are_left_alone(nowhere):
    (nowhere / "notebooks").mkdir()
    (nowhere / "mlruns").mkdir()
    assert project.root() == CHECKOUT


def test_root_elsewhere_is_the_checkout(nowhere):
    (nowhere / "pyproject.toml").write_text('[project]\nname = "another"\n')
    assert project.root() == CHECKOUT


def test_folder_is_made_on_demand(house):
    (house / "gallery").rmdir()
    assert project.folder("gallery") == house / "gallery"
    assert list((house / "gallery").iterdir()) == []


def test_file_in_place_of_the_folder(house):
    (house / "mlruns").rmdir()
    (house / "mlruns").write_text("")
    with pytest.raises(ProjectError, match=r"mlruns.*a file stands in its place: move that file away"):
        project.folder("mlruns")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs /proc, which nobody can write")
def test_folder_that_nobody_can_write(monkeypatch):
    monkeypatch.setenv("RETAILKIT_HOME", "/proc")  # refuses the root user too, unlike permission bits
    with pytest.raises(ProjectError, match=r"Cannot write in '/proc/mlruns' \(.+\): make it writable, or set"):
        project.folder("mlruns")


def test_full_disk(house, monkeypatch):
    full = shutil.disk_usage(house)._replace(free=5 * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    with pytest.raises(ProjectError, match=r"is full \(5 MB left\): free at least 64 MB"):
        project.folder("mlruns")


def test_quiet_keeps_ultralytics_in_the_project(house, monkeypatch):
    for name in (*project.QUIET_ENVIRONMENT, "YOLO_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "environ", os.environ.copy())  # what quiet() sets stays in this test
    project.quiet()
    settings = house / ".cache" / "Ultralytics"
    assert os.environ["YOLO_CONFIG_DIR"] == str(house / ".cache")
    assert os.environ["YOLO_OFFLINE"] == "1"
    assert json.loads((settings / "settings.json").read_text())["mlflow"] is False
    assert {"Arial.ttf", "Arial.Unicode.ttf"} <= {path.name for path in settings.iterdir()}


def test_quiet_leaves_what_the_user_chose(house, monkeypatch):
    monkeypatch.setattr(os, "environ", {**os.environ, "YOLO_VERBOSE": "true", "YOLO_CONFIG_DIR": str(house / "mine")})
    project.quiet()
    assert os.environ["YOLO_VERBOSE"] == "true"
    assert (house / "mine" / "Ultralytics" / "Arial.ttf").is_file()


def test_same_seed_same_numbers():
    def draw() -> tuple[float, float]:
        project.seed_everything(7)
        return random.random(), float(np.random.random())

    assert draw() == draw()


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, True, "7"])
def test_seed_that_is_none(seed):
    with pytest.raises(ValueError, match=f"seed is {seed!r}: a whole number"):
        project.seed_everything(seed)


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=Test", "-c", "user.email=test@example.invalid"]
    command = ["git", "-C", str(folder), *who, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_code_version_tells_changes(house):
    git(house, "init", "-q")
    git(house, "commit", "-q", "--allow-empty", "-m", "first")
    clean = project.code_version()
    (house / "new.py").write_text("")
    assert (clean["commit"], clean["dirty"]) == (git(house, "rev-parse", "HEAD"), False)
    assert project.code_version()["dirty"] is True


def test_code_version_without_git(house, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert project.code_version()["commit"] == "unknown"


def test_import_is_light():
    """`import retailkit` under 0.1 s: the best of five, and none of the heavy packages."""
    script = (
        "import sys, time; start = time.perf_counter(); import retailkit; took = time.perf_counter() - start;"
        "heavy = {'numpy', 'pandas', 'torch', 'mlflow', 'ultralytics', 'seaborn', 'matplotlib', 'sklearn'};"
        "print(took, *sorted(heavy & set(sys.modules)))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PYTHONPATH"] = str(CHECKOUT)
    seconds = []
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
        took, *heavy = done.stdout.split()
        assert heavy == []
        seconds.append(float(took))
    assert min(seconds) < 0.1
