"""Local workers: results and errors come back, a killed worker fails its own task alone, nobody outlives the pool."""

import os
import signal
import sys
import time
from pickle import PicklingError

import psutil
import pytest

from retailkit.lab import kernels
from retailkit.lab.pool import WarmPool, WorkerDied

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are forks, which are safe on Linux")


@pytest.fixture
def pool(monkeypatch):
    monkeypatch.setenv(kernels.IMPORTS_VARIABLE, "json")
    with WarmPool(2) as made:
        yield made
    kernels.close_parent()


def test_results_and_errors_come_back(pool):
    assert list(pool.map(abs, [-3, 2, -1])) == [3, 2, 1]
    with pytest.raises(ValueError, match="invalid literal"):
        pool.submit(int, "three").result()
    with pytest.raises(PicklingError, match="lambda"):
        pool.submit(eval, "lambda: 1").result()


def test_workers_are_other_processes_and_used_again(pool):
    found = {pool.submit(os.getpid).result() for _ in range(6)}
    assert len(found) == 1 and os.getpid() not in found


def test_a_killed_worker_fails_its_own_task_alone(pool):
    slow = pool.submit(time.sleep, 30)
    victim = _worker_of(pool)
    other = pool.submit(abs, -3)
    assert other.result(20) == 3
    os.kill(victim, signal.SIGKILL)
    with pytest.raises(WorkerDied):
        slow.result(20)
    assert pool.submit(abs, -4).result(20) == 4


def test_a_worker_killed_while_the_parent_imports_is_noticed(tmp_path, monkeypatch):
    (tmp_path / "modules").mkdir()
    for name in ("needed", "late"):
        (tmp_path / "modules" / f"{name}.py").write_text("import time\ntime.sleep(1.5)")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "modules"), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv(kernels.IMPORTS_VARIABLE, "json,needed,late")
    monkeypatch.setattr(kernels, "WORKER_NEEDS", "needed")
    with WarmPool(2) as pool:
        tasks = [pool.submit(time.sleep, 30) for _ in range(2)]  # both ask before the parent is ready
        deadline = time.monotonic() + 20
        while len(pool._all) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        for worker in list(pool._all):
            os.kill(worker.process.pid, signal.SIGKILL)
            time.sleep(0.2)
        for task in tasks:
            with pytest.raises(WorkerDied):
                task.result(10)
    kernels.close_parent()


def _worker_of(pool) -> int:
    deadline = time.monotonic() + 10
    while not pool._all and time.monotonic() < deadline:
        time.sleep(0.01)
    return next(iter(pool._all)).process.pid


def test_nobody_outlives_the_pool(monkeypatch):
    monkeypatch.setenv(kernels.IMPORTS_VARIABLE, "json")
    with WarmPool(2) as pool:
        pids = {pool.submit(os.getpid).result()}
        pool.submit(time.sleep, 60)
        pids.add(_worker_of(pool))
        pool.shutdown(wait=False, cancel_futures=True)
    deadline = time.monotonic() + 10
    while any(map(psutil.pid_exists, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(psutil.pid_exists, pids))
    kernels.close_parent()


def test_where_forking_turns_out_unsafe_threads_do_the_work(pool, monkeypatch):
    def refuse(*arguments, **options):
        raise kernels.NoFork("importing something starts a thread")

    monkeypatch.setattr(kernels, "WarmProcess", refuse)
    assert pool.submit(os.getpid).result(20) == os.getpid()
