"""Nothing looks anything up on the network: shown in a Python whose sockets are closed."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

GUARD = Path(__file__).parent / "guard"
SILENCED = ("YOLO_", "MLFLOW_", "DO_NOT_TRACK", "GIT_PYTHON", "PYTEST_")


def guarded(script: str, home: Path) -> tuple[subprocess.CompletedProcess, str]:
    """Run a script with closed sockets and none of the tests' own silencing; return it and the look-ups."""
    record = home / "lookups.txt"
    record.touch()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(SILENCED)}
    environment |= {"RETAILKIT_HOME": str(home), "PYTHONPATH": str(GUARD), "RETAILKIT_LOOKUPS": str(record)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    return done, record.read_text()


STUDY = """
import retailkit as rk
run = rk.start_run("offline", seed=1)
import mlflow, ultralytics
from ultralytics.utils.checks import check_font
assert check_font("Arial.ttf").is_relative_to(rk.render.gallery().parents[1])
model = ultralytics.YOLO("yolo11n.yaml", verbose=False)
mlflow.log_metric("plain", 1.0)
run.finish()
"""


def test_a_study_looks_nothing_up(ready_house):
    done, lookups = guarded(STUDY, ready_house)
    assert done.returncode == 0, done.stderr
    assert lookups == ""


def test_what_the_quiet_start_is_for(ready_house):
    """ultralytics alone does look up: so the guard sees it, and the test above can fail."""
    done, lookups = guarded("import ultralytics.utils", ready_house)
    assert done.returncode == 0, done.stderr
    assert "one.one.one.one" in lookups


@pytest.mark.parametrize(
    "look_up",
    [
        lambda: socket.create_connection(("example.com", 80)),
        lambda: socket.getaddrinfo("example.com", 80),
        lambda: socket.gethostbyname("example.com"),
        lambda: socket.socket().connect(("192.0.2.1", 80)),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(("192.0.2.1", 53)),
    ],
)
def test_the_guard_refuses_and_records(lookups, look_up):
    before = lookups.read_text()
    try:
        with pytest.raises(socket.gaierror, match="the tests have no network"):
            look_up()
        assert lookups.read_text() != before
    finally:
        lookups.write_text(before)


def test_this_machine_and_nobodys_names_are_let_be(lookups):
    before = lookups.read_text()
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(("localhost", server.getsockname()[1])).close()
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("data.invalid", 443)
    assert lookups.read_text() == before
