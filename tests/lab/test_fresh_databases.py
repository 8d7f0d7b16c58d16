"""Many processes open a tracking database that is not there yet, at the same moment."""

import time

import pytest

from retailkit.lab.pool import WarmPool
from retailkit.lab.records import read_runs

WRITE = """
import os, time
os.environ["RETAILKIT_HOME"] = {home!r}
os.environ.pop("MLFLOW_TRACKING_URI", None)
import retailkit as rk
from retailkit.lab import runs
time.sleep(max(0, {moment!r} - time.time()))
run = runs.start_run("race", seed={seed})
for step in range(5):
    run.metric("step%d" % step, float(step), exact=True)
run.answer("It is 0.41 (95 % interval 0.36 to 0.46).")
"""


@pytest.mark.slow
def test_eight_processes_open_a_fresh_database_twenty_times(tmp_path, shared_parent, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with WarmPool(8) as pool:
        for number in range(20):
            house = tmp_path / str(number)
            (house / "mlruns").mkdir(parents=True)
            monkeypatch.setenv("RETAILKIT_HOME", str(house))
            moment = time.time() + 1.5
            codes = [WRITE.format(home=str(house), moment=moment, seed=seed) for seed in range(8)]
            for done in [pool.submit(exec, code, {}) for code in codes]:
                done.result(120)
            found = read_runs("race")
            assert found["status"].tolist() == ["FINISHED"] * 8
            assert sorted(found["param.seed"]) == [str(seed) for seed in range(8)]
            assert found[[f"metric.step{step}" for step in range(5)]].notna().all(axis=None)
