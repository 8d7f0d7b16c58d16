"""A sweep on a Dask cluster, recorded by an MLflow server: a killed worker costs time, never a run."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path

import psutil
import pytest
from notebook_files import tiny

from retailkit.lab import attempt, kernels, records, sweep, tracking
from retailkit.lab.project import ProjectError

distributed = pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
POSTGRES = Path("/usr/lib/postgresql/15/bin")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(*command: str, **options):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    try:
        yield process
    finally:
        below = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        for other in below:
            with contextlib.suppress(psutil.Error):
                other.kill()
        process.kill()
        process.wait()


def wait_for(ready, patience: float = 60) -> None:
    deadline = time.monotonic() + patience
    while not ready():
        assert time.monotonic() < deadline, "it did not start"
        time.sleep(0.1)


def answers(url: str) -> bool:
    with contextlib.suppress(OSError):
        return urllib.request.urlopen(url, timeout=1).status == 200
    return False


@contextlib.contextmanager
def server(store: str, home: Path):
    port = free_port()
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", store, "--artifacts-destination", str(home / "kept")]
    with running(*command, env=environment, cwd=home):
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/health"), 180)  # it makes its tables first
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def cluster(workers: int, home: Path):
    address = f"tcp://127.0.0.1:{free_port()}"
    scheduler = [sys.executable, "-m", "dask", "scheduler", "--host", address.rpartition(":")[0], "--port"]
    scheduler += [address.rpartition(":")[2], "--no-dashboard"]
    worker = [
        sys.executable,
        "-m",
        "dask",
        "worker",
        address,
        "--host",
        "127.0.0.1",
        "--nthreads",
        "1",
        "--no-dashboard",
    ]
    worker += ["--no-nanny", "--local-directory", str(home)]
    with contextlib.ExitStack() as stack:
        stack.enter_context(running(*scheduler, cwd=home))
        found = [stack.enter_context(running(*worker, cwd=home)) for _ in range(workers)]
        with distributed.Client(address, timeout=60) as client:
            client.wait_for_workers(workers, timeout=60)
        yield address, found


def forty_runs(house: Path, store: str, monkeypatch) -> None:
    """40 runs, one of three workers killed on the way."""
    monkeypatch.setenv(kernels.IMPORTS_VARIABLE, "numpy,pandas,mlflow,ipykernel.kernelapp,ipykernel.ipkernel")
    path = tiny(house / "notebooks", "import time\ntime.sleep(0.2)")
    with server(store, house) as url, cluster(3, house) as (address, workers):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
        asked = [sys.executable, "-m", "retailkit", "sweep", str(path), "--grid", str(house / "grid.yaml")]
        (house / "grid.yaml").write_text(f"{{seed: {list(range(20))}, size: [1, 2]}}")
        process = subprocess.Popen(
            [*asked, "--scheduler", address], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        wait_for(lambda: len(finished()) >= 5, 120)
        workers[0].send_signal(signal.SIGKILL)
        out, err = process.communicate(timeout=400)
        assert process.returncode == 0, err[-3000:]
        assert "40 runs: 40 finished" in out
        keys = Counter(run.data.tags[attempt.KEY] for run in finished())
        assert len(keys) == 40 and set(keys.values()) == {1}
        assert all(records.artifact_path(run.info.run_id, "page/10-tiny.html").is_file() for run in finished())
        assert {run.info.status for run in every_run()} <= {"FINISHED", "KILLED"}
        assert (house / "gallery" / "index.html").read_text().count("<article") == 40
        again = sweep.sweep(path, house / "grid.yaml", scheduler=address, progress=False)
        assert set(again["status"]) == {"kept"}


def every_run() -> list:
    client = tracking.open_database()
    ids = [experiment.experiment_id for experiment in client.search_experiments()]
    return [run for run in tracking.runs_of(client, ids, None) if run.data.tags.get("kind") != records.SWEEP]


def finished() -> list:
    return [run for run in every_run() if run.info.status == "FINISHED" and attempt.KEY in run.data.tags]


@pytest.mark.slow
def test_forty_runs_with_a_server_on_sqlite(house, monkeypatch):
    forty_runs(house, f"sqlite:///{house}/server.db", monkeypatch)


@pytest.fixture
def postgres(tmp_path):
    """A PostgreSQL server of one's own, on a socket in a folder, gone afterwards."""
    if not (POSTGRES / "initdb").exists():
        pytest.skip("PostgreSQL is absent: make browser")
    data, port = tmp_path / "database", free_port()
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    data.mkdir()
    for folder in (tmp_path, *tmp_path.parents):
        with contextlib.suppress(PermissionError):
            folder.chmod(folder.stat().st_mode | 0o011)
    if user:
        shutil.chown(data, "postgres")
    make = [*user, str(POSTGRES / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync"]
    subprocess.run(make, check=True, capture_output=True, cwd="/")
    serve = [*user, str(POSTGRES / "postgres"), "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", str(data)]
    with running(*serve, cwd="/"):
        address = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        wait_for(lambda: connects(address))
        yield address


def connects(address: str) -> bool:
    import psycopg

    with contextlib.suppress(psycopg.OperationalError):
        psycopg.connect(address).close()
        return True
    return False


@pytest.mark.slow
@pytest.mark.database
def test_forty_runs_with_a_server_on_postgresql(house, postgres, monkeypatch):
    forty_runs(house, postgres, monkeypatch)


def test_a_scheduler_that_nobody_answers_at(house, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setattr(sweep, "_ANSWERING", 1)
    with pytest.raises(ProjectError, match=r"Nobody answers at 'tcp://127\.0\.0\.1:9'.*dask scheduler"):
        sweep._cluster("tcp://127.0.0.1:9")


def test_a_shared_sqlite_file_is_refused_with_a_sentence(house):
    with pytest.raises(ProjectError, match=r"cannot share the record at 'sqlite:.*start `mlflow server`"):
        sweep.sweep(tiny(house / "notebooks"), {"seed": [0]}, scheduler="tcp://127.0.0.1:9", progress=False)
