"""One warm parent for all sweeps of the tests, so that its imports are paid for once."""

import os
import sys
from collections.abc import Iterator

import pytest

from retailkit.lab import kernels, project

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
