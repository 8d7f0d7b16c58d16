"""One warm parent for all sweeps of the tests, so that its imports are paid for once."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from notebook_files import tiny

from retailkit.lab import kernels, project, sweep

LIGHT = "numpy,pandas,mlflow,mlflow.store.tracking.sqlalchemy_store,ipykernel.kernelapp,matplotlib.pyplot"


@pytest.fixture(scope="session")
def light_parent() -> Iterator[str]:
    """Address of a parent without torch and ultralytics, which small notebooks do not need."""
    if sys.platform != "linux":
        pytest.skip("warm kernels are forks, which are safe on Linux")
    project.spare_grammar()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(kernels.IMPORTS_VARIABLE, LIGHT)
        made = kernels._Parent()
    yield made.address
    made.close()


@pytest.fixture
def shared_parent(light_parent, monkeypatch) -> None:
    """Let sweeps use it."""
    assert os.path.exists(os.path.dirname(light_parent))
    monkeypatch.setenv(kernels.ADDRESS_VARIABLE, light_parent)


@pytest.fixture(scope="session")
def four_runs(light_parent, tmp_path_factory) -> tuple[Path, pd.DataFrame]:
    """A project with a sweep of four runs, and the sweep's frame."""
    home = tmp_path_factory.mktemp("swept")
    for name in ("notebooks", "datasets", "mlruns", "gallery"):
        (home / name).mkdir()
    (home / "constraints.txt").write_text("pandas==3\n")
    tiny(home / "notebooks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RETAILKIT_HOME", str(home))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv(kernels.ADDRESS_VARIABLE, light_parent)
        frame = sweep.sweep("10-tiny", {"seed": [0, 1], "size": [1, 2]}, progress=False, workers=2)
    return home, frame


@pytest.fixture
def swept(four_runs, shared_parent, tmp_path, monkeypatch) -> Path:
    """A copy of that project: a copied project finds its artifacts."""
    home = tmp_path / "copy"
    shutil.copytree(four_runs[0], home)
    monkeypatch.setenv("RETAILKIT_HOME", str(home))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return home


@pytest.fixture
def first(four_runs, swept) -> pd.DataFrame:
    """The frame of that sweep."""
    return four_runs[1].copy()
