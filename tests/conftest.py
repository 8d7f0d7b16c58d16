"""Every test runs offline, quiet and in a project folder of its own."""

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

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

# No test may look anything up on the network, and neither may the kernels that it starts.
GUARD = Path(__file__).parent / "guard"
_record = tempfile.NamedTemporaryFile(prefix="lookups-", suffix=".txt")  # noqa: SIM115
os.environ["RETAILKIT_LOOKUPS"] = _record.name
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(GUARD), os.environ.get("PYTHONPATH")]))
_spec = importlib.util.spec_from_file_location("network_guard", GUARD / "sitecustomize.py")
network_guard = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(network_guard)


@pytest.fixture
def lookups() -> Path:
    """The file in which refused look-ups are recorded, one a line."""
    return Path(_record.name)


@pytest.fixture(autouse=True)
def no_network() -> Iterator[None]:
    """Fail the test whose code, or whose kernel's, looked anything up: a library may have hidden the error."""
    before = Path(_record.name).stat().st_size
    yield
    with open(_record.name, encoding="utf-8") as file:
        file.seek(before)
        found = file.read()
    assert not found, f"this test looked for the network:\n{found}"


@pytest.fixture
def house(tmp_path, monkeypatch) -> Path:
    """An empty project folder that `retailkit.lab.project.root` finds."""
    for name in ("notebooks", "datasets", "mlruns", "gallery"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("RETAILKIT_HOME", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


@pytest.fixture(scope="module")
def shared_house(tmp_path_factory) -> Iterator[Path]:
    """One project folder for all tests of a module."""
    home = tmp_path_factory.mktemp("house")
    for name in ("notebooks", "datasets", "mlruns", "gallery"):
        (home / name).mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RETAILKIT_HOME", str(home))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield home


@pytest.fixture(scope="session")
def fresh_database(tmp_path_factory) -> Path:
    """A tracking database without runs: making one takes MLflow seconds, a copy takes none."""
    from retailkit.lab import tracking

    home = tmp_path_factory.mktemp("fresh")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RETAILKIT_HOME", str(home))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        tracking.open_database()
    return home / "mlruns" / "mlflow.db"


@pytest.fixture
def ready_house(house, fresh_database) -> Path:
    """A project folder whose tracking database is there already."""
    shutil.copyfile(fresh_database, house / "mlruns" / "mlflow.db")
    return house


@pytest.fixture
def real_data() -> Path:
    """The folder of real data, where there is one."""
    folder = os.environ.get("RETAILKIT_DATA", "")
    if not folder:
        pytest.skip("real data is absent: set RETAILKIT_DATA to its folder")
    return Path(folder.split(os.pathsep)[0])


@pytest.fixture
def nanostore(real_data: Path) -> Any:
    """The real cases of AutoCheckout's store, read once."""
    return _read_checkouts(real_data / "autocheckout")


@cache
def _read_checkouts(folder: Path) -> Any:
    from retailkit.datasets.checkouts import read_checkouts

    return read_checkouts(folder)
