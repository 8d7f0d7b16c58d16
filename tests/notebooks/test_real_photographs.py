"""The study on real photographs by plain papermill, and what simulated shelves teach about real ones."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import retailkit as rk
from retailkit.__main__ import main
from retailkit.lab.runs import artifact_path, read_runs

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "10-shelf-detector.ipynb"
QUICK = {"data": "shelf_gaps", "photos": 40, "minutes": 0.1, "size": 96}


@pytest.mark.slow
def test_plain_papermill_then_render_from_another_folder(real_data, ready_house, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    given = [word for name, value in QUICK.items() for word in ("-p", name, str(value))]
    command = [sys.executable, "-m", "papermill", str(NOTEBOOK), "out.ipynb", *given, "--no-progress-bar"]
    subprocess.run(command, cwd=elsewhere, check=True, env={**os.environ, "RETAILKIT_DATA": str(real_data.resolve())})
    monkeypatch.chdir(elsewhere)
    assert main(["render", "out.ipynb"]) == 0
    runs = read_runs()
    assert list(runs["status"]) == ["FINISHED"] and list(runs["param.data"]) == ["shelf_gaps"]
    assert artifact_path(runs["run_id"][0], "page/out.html").is_file()
    assert [path.name for path in elsewhere.iterdir()] == ["out.ipynb"]


@pytest.mark.slow
def test_a_detector_that_saw_simulated_shelves_alone_finds_real_gaps(real_data, ready_house):
    detector = rk.train_detector(rk.load("simulated_shelves", photos=300), minutes=2, progress=False)
    found = detector.score(rk.load("shelf_gaps")).estimate("ap50", "empty")
    print(f"trained on simulated shelves alone, AP50 of real empty stretches is {found}")
    assert found.value >= 0.10
