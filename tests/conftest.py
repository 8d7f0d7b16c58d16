"""Every test runs offline, quiet and in a project folder of its own."""

import os
from pathlib import Path

import pytest

for name, value in {
    "YOLO_OFFLINE": "1",
    "YOLO_AUTOINSTALL": "0",
    "YOLO_VERBOSE": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "MPLBACKEND": "agg",
}.items():
    os.environ.setdefault(name, value)


@pytest.fixture
def house(tmp_path, monkeypatch) -> Path:
    """An empty project folder that `retailkit.lab.project.root` finds."""
    for name in ("notebooks", "datasets", "mlruns", "gallery"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("RETAILKIT_HOME", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


@pytest.fixture
def real_data() -> Path:
    """The folder of real data, where there is one."""
    folder = os.environ.get("RETAILKIT_DATA", "")
    if not folder:
        pytest.skip("real data is absent: set RETAILKIT_DATA to its folder")
    return Path(folder.split(os.pathsep)[0])
