"""Sweeps: every run once, whatever breaks on the way, and the same command resumes."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import psutil
import pytest
from notebook_files import ANSWER, MEASURE, START, tiny, write

from retailkit.lab import attempt, freshness, records, sweep, tracking
from retailkit.lab.execute import run_notebook
from retailkit.lab.parameters import ParameterError
from retailkit.lab.project import ProjectError
from retailkit.lab.records import artifact_path, read_runs

pytestmark = pytest.mark.usefixtures("shared_parent")
COMPARE = Path(__file__).resolve().parents[2] / "notebooks" / "90-compare-runs.ipynb"


def go(notebook, grid, **options):
    return sweep.sweep(notebook, grid, **{"progress": False, "workers": 2, **options})


def children() -> list:
    """MLflow's record of all runs but the sweeps' own."""
    client = tracking.open_database()
    ids = [experiment.experiment_id for experiment in client.search_experiments()]
    return [run for run in tracking.runs_of(client, ids, None) if run.data.tags.get("kind") != records.SWEEP]


def leads() -> list:
    client = tracking.open_database()
    ids = [experiment.experiment_id for experiment in client.search_experiments()]
    return [run for run in tracking.runs_of(client, ids, None) if run.data.tags.get("kind") == records.SWEEP]


def finished_once() -> bool:
    """No key has two finished runs."""
    keys = Counter(run.data.tags[attempt.KEY] for run in children() if run.info.status == "FINISHED")
    return bool(keys) and max(keys.values()) == 1


class TestAGoodSweep:
    def test_the_frame_is_tidy_and_in_the_grids_order(self, first):
        assert first[["seed", "size"]].values.tolist() == [[0, 1], [0, 2], [1, 1], [1, 2]]
        assert set(first["status"]) == {"finished"} and first["run_id"].is_unique
        assert first["metric.score"].tolist() == [1.0, 2.0, 1.1, 2.1]
        assert first["answer"][3] == "It is 2.100 (95 % interval 1.000 to 3.000)."

    def test_each_run_keeps_page_notebook_and_log(self, first):
        for run_id in first["run_id"]:
            assert "How tiny is tiny?" in artifact_path(run_id, "page/10-tiny.html").read_text()
            assert artifact_path(run_id, "notebook/10-tiny.ipynb").is_file()
            assert artifact_path(run_id, "log/log.txt").is_file()

    def test_one_parent_holds_them_with_the_totals(self, first):
        [lead] = leads()
        assert {run.data.tags["mlflow.parentRunId"] for run in children()} == {lead.info.run_id}
        assert lead.info.status == "FINISHED"
        assert {name: lead.data.metrics[name] for name in ("runs", "runs_finished", "runs_failed")} == {
            "runs": 4,
            "runs_finished": 4,
            "runs_failed": 0,
        }
        assert set(read_runs()["sweep"]) == {lead.info.run_id}

    def test_the_same_again_runs_nothing(self, first):
        again = go("10-tiny", {"size": [1, 2], "seed": [0, 1]})
        assert set(again["status"]) == {"kept"} and set(again["run_id"]) == set(first["run_id"])
        assert len(children()) == 4 and len(leads()) == 1

    def test_a_larger_grid_runs_what_is_new(self, first):
        more = go("10-tiny", {"seed": [0, 1], "size": [1, 2, 3]})
        assert more["status"].tolist().count("kept") == 4 and len(children()) == 6 and finished_once()

    def test_a_changed_notebook_runs_again_and_back_again_not(self, first, swept):
        before = (swept / "notebooks" / "10-tiny.ipynb").read_text()
        tiny(swept / "notebooks", "2 + 2")
        assert set(go("10-tiny", {"seed": [0]})["status"]) == {"finished"}
        (swept / "notebooks" / "10-tiny.ipynb").write_text(before)
        assert set(go("10-tiny", {"seed": [0]})["status"]) == {"kept"}

    def test_changed_pins_run_again_unless_finished_runs_are_kept(self, first, swept):
        (swept / "constraints.txt").write_text("pandas==9\n")
        assert set(go("10-tiny", {"seed": [0]}, keep_finished=True)["status"]) == {"kept"}
        assert set(go("10-tiny", {"seed": [0]})["status"]) == {"finished"} and finished_once()


def test_failures_are_kept_with_page_and_error_and_stop_nobody(ready_house):
    path = tiny(ready_house / "notebooks", "print('so far')\n1 / (size - 2)")
    frame = go(path, {"size": [1, 2, 3]})
    assert frame["status"].tolist() == ["finished", "failed", "finished"]
    assert frame["error"][1] == "cell 4: ZeroDivisionError: division by zero"
    assert "ZeroDivisionError" in artifact_path(frame["run_id"][1], "page/10-tiny.html").read_text()
    assert "so far" in artifact_path(frame["run_id"][1], "log/log.txt").read_text()
    assert leads()[0].info.status == "FAILED" and leads()[0].data.metrics["runs_failed"] == 1
    again = go(path, {"size": [1, 2, 3]})
    assert again["status"].tolist() == ["kept", "failed", "kept"] and finished_once()


def test_a_notebook_without_a_run_of_its_own_is_recorded(ready_house):
    path = write(ready_house, "20-plain.ipynb", "print(seed)")
    frame = go(path, {"seed": [3, 4]})
    assert set(frame["status"]) == {"finished"}
    assert read_runs("20-plain")["param.seed"].tolist() in (["4", "3"], ["3", "4"])
    assert set(go(path, {"seed": [3, 4]})["status"]) == {"kept"}


def test_a_notebook_that_fails_before_its_run_is_recorded_too(ready_house):
    frame = go(write(ready_house, "20-early.ipynb", "import no_such_module", START), {"seed": [3]})
    assert frame["status"].item() == "failed" and "no_such_module" in frame["error"].item()
    assert "no_such_module" in artifact_path(frame["run_id"].item(), "page/20-early.html").read_text()


DIES_ONCE = """
from pathlib import Path
first = Path("{marker}")
if not first.exists():
    first.touch()
    import os, signal
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kernel_that_dies_is_given_a_second_chance(ready_house):
    frame = go(tiny(ready_house, DIES_ONCE.format(marker=ready_house / "died")), {"seed": [0]})
    assert (frame["status"].item(), frame["attempts"].item()) == ("finished", 2)
    assert Counter(run.info.status for run in children()) == {"FINISHED": 1, "KILLED": 1}


def test_a_kernel_over_its_limit_of_memory_is_ended(ready_house):
    path = tiny(
        ready_house, "hoard = bytearray(600 * 2**20) if size == 2 else 0\nimport time\ntime.sleep(2 * (size == 2))"
    )
    frame = go(path, {"size": [1, 2]}, megabytes=400)
    assert frame["status"].tolist() == ["finished", "failed"]
    assert "its limit is 400 MB" in frame["error"][1] and frame["attempts"][1] == 2
    assert Counter(run.info.status for run in children()) == {"FINISHED": 1, "KILLED": 1, "FAILED": 1}
    again = go(path, {"size": [1, 2]}, megabytes=2000)
    assert again["status"].tolist() == ["kept", "finished"] and finished_once()


def test_a_notebook_that_never_ends_is_ended(ready_house):
    frame = go(tiny(ready_house, "import time\nwhile size == 2: time.sleep(0.1)"), {"size": [1, 2]}, minutes=0.15)
    assert frame["status"].tolist() == ["finished", "failed"]
    assert "longer than its limit of 0.15 minutes" in frame["error"][1] and frame["attempts"][1] == 1


def test_exit_is_told_from_a_crash(ready_house):
    frame = go(tiny(ready_house, "import os\nos._exit(0) if size == 2 else exit()"), {"size": [1, 2]})
    assert set(frame["status"]) == {"failed"}
    assert frame["error"].str.contains("a cell ended the kernel").all()


def test_100_mb_of_print_are_cut_and_said(ready_house):
    path = write(ready_house, "30-loud.ipynb", "for _ in range(1000): print('x' * 100_000)\nprint('end')")
    frame = go(path, {"seed": [0]})
    assert frame["status"].item() == "finished"
    kept = artifact_path(frame["run_id"].item(), "notebook/30-loud.ipynb")
    text = nbformat.read(kept, 4).cells[-1].outputs[0].text
    assert len(text) < 600_000 and "500,000 characters are kept" in text


@pytest.mark.parametrize(
    ("cells", "parameters", "grid", "message"),
    [
        (["pass"], None, {"seed": [1]}, "has no cell tagged 'parameters'"),
        (["x = = 1"], "seed: int = 0", {"seed": [1]}, "code cell 2, line 1 is no Python"),
        (["%matplotlib inline\n!ls\nawait f()\nx = ("], "seed: int = 0", {"seed": [1]}, "code cell 2"),
        (["pass"], "seed: int = 0", {"sede": [1]}, "did you mean 'seed'?"),
    ],
)
def test_what_cannot_run_is_refused_before_anything_does(house, cells, parameters, grid, message):
    path = write(house, "a.ipynb", *cells, parameters=parameters)
    with pytest.raises(ParameterError, match=r".*") as caught:
        go(path, grid)
    assert message in str(caught.value)
    assert not (house / "mlruns" / "mlflow.db").exists()


def test_magics_and_awaits_are_python_enough(ready_house):
    path = write(ready_house, "a.ipynb", "%matplotlib inline\nimport asyncio\nawait asyncio.sleep(0)\n!true")
    assert go(path, {"seed": [1]})["status"].item() == "finished"


def test_secrets_are_in_nothing_that_is_kept(ready_house):
    path = write(
        ready_house,
        "a.ipynb",
        "print(api_key, tokens, password)",
        "raise ValueError(api_key, tokens, password)",
        parameters="api_key: str = ''\ntokens: list[str] = []\npassword: int = 0",
    )
    frame = go(path, [{"api_key": "sesame-4711", "tokens": ["open-0815"], "password": 20011031}])
    kept = [file for file in artifact_path(frame["run_id"].item(), "").rglob("*") if file.is_file()]
    told = str(children()) + frame["error"].item()
    for secret in ("sesame-4711", "open-0815", "20011031"):
        assert len(kept) >= 3 and all(secret.encode() not in file.read_bytes() for file in kept)
        assert secret not in told


def test_what_a_killed_attempt_left_on_the_disk_is_removed(ready_house):
    cache = ready_house / ".cache"
    for process, alive in ((os.getpid(), True), (2**22 + 1, False)):
        (cache / f"{attempt._scratch_name(process)}x").mkdir(parents=True)
        assert psutil.pid_exists(process) == alive
    attempt.tidy()
    assert [path.name for path in cache.glob("sweep-*")] == [f"{attempt._scratch_name(os.getpid())}x"]


def test_a_notebook_that_reads_runs_is_run_again_when_there_are_more(ready_house):
    record = 'rk.start_run("first").answer("It is 0.41 (95 % interval 0.36 to 0.46).")'
    count = 'run.metric("n", len(rk.read_runs("first")), exact=True)'
    path = write(ready_house, "reader.ipynb", START, count, ANSWER)
    maker = write(ready_house, "maker.ipynb", "import retailkit as rk", record)
    go(maker, {"seed": [0]})
    assert go(path, {"seed": [0]})["metric.n"].item() == 1
    assert go(path, {"seed": [0]})["status"].item() == "kept"
    go(maker, {"seed": [1]})
    again = go(path, {"seed": [0]})
    assert again["status"].item() == "finished" and again["metric.n"].item() == 2


def test_a_file_that_a_default_names_counts(ready_house):
    table = ready_house / "stores.csv"
    table.write_text("store\n1\n")
    path = write(ready_house, "a.ipynb", "open(stores).read()", parameters=f"seed: int = 0\nstores: str = '{table}'")
    go(path, {"seed": [0]})
    assert go(path, {"seed": [0]})["status"].item() == "kept"
    table.write_text("store\n2\n")
    assert go(path, {"seed": [0]})["status"].item() == "finished"


def test_an_abandoned_attempt_that_goes_on_finishes_nothing(first, swept):
    client = tracking.open_database()
    run_id = first["run_id"][0]
    run = client.get_run(run_id)
    task = attempt.Task("", "", {}, run.data.tags[attempt.ATTEMPT], "", "tiny")
    twin = client.create_run(run.info.experiment_id, tags={freshness.TAG: run.data.tags[freshness.TAG]}).info.run_id
    client.set_terminated(twin, "FINISHED")
    heir = attempt._seal(client, twin, task, {})
    assert heir.run_id == run_id and client.get_run(twin).info.status == "KILLED"
    client.set_tag(run_id, attempt.ABANDONED, "true")
    assert attempt._seal(client, run_id, task, {}).status == "failed"
    assert client.get_run(run_id).info.status == "KILLED"


def test_two_sweeps_that_overlap_finish_no_key_twice(ready_house):
    path = tiny(ready_house, "import time\ntime.sleep(1)")
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other, ThreadPoolExecutor(2) as both:
        grids = (([0, 1], one), ([1, 0, 2], other))
        frames = [both.submit(go, path, {"seed": seeds}, executor=place) for seeds, place in grids]
        assert all(set(frame.result()["status"]) <= {"finished", "kept"} for frame in frames)
    assert finished_once() and sum(run.info.status == "FINISHED" for run in children()) == 3


def test_a_sweep_whose_last_runs_another_made_is_concluded(first, swept):
    client = tracking.open_database()
    [lead] = leads()
    client.set_terminated(lead.info.run_id, "KILLED")
    client.set_tag(lead.info.run_id, "process", "")
    assert set(go("10-tiny", {"size": [1, 2], "seed": [0, 1]})["status"]) == {"kept"}
    [lead] = leads()
    assert lead.info.status == "FINISHED" and lead.data.metrics["runs_kept"] == 4


def test_any_executor_does(ready_house):
    with ThreadPoolExecutor(2) as executor:
        frame = go(tiny(ready_house), {"seed": [0, 1]}, executor=executor, warm=False)
    assert set(frame["status"]) == {"finished"} and finished_once()


def test_an_executor_that_gives_up_is_a_failure_of_its_run(ready_house):
    class Broken(ThreadPoolExecutor):
        def submit(self, call, task):
            return super().submit(call, task) if task.parameters["seed"] else super().submit(int, "no worker left")

    with Broken(1) as executor:
        frame = go(tiny(ready_house), {"seed": [0, 1]}, executor=executor)
    assert frame["status"].tolist() == ["failed", "finished"] and "no worker left" in frame["error"][0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scheduler": "tcp://127.0.0.1:1"}, "cannot share the record"),
        ({"workers": 0}, "workers is 0: a whole number above 0"),
        ({"scheduler": "tcp://x:1", "executor": ThreadPoolExecutor(1)}, "not both"),
    ],
)
def test_places_that_cannot_work_are_refused(ready_house, options, message):
    with pytest.raises(ProjectError, match=message):
        go(tiny(ready_house), {"seed": [0]}, **options)


def test_a_sweep_that_is_under_way_is_not_started_twice(ready_house):
    path = tiny(ready_house, "1 / seed")
    go(path, {"seed": [0]})
    client = tracking.open_database()
    [lead] = leads()
    other = subprocess.Popen(["sleep", "60"])
    started = psutil.Process(other.pid).create_time()
    client.update_run(lead.info.run_id, status="RUNNING")
    client.set_tag(lead.info.run_id, "process", f"{os.uname().nodename} {other.pid} {started:.2f}")
    with pytest.raises(ProjectError, match="This sweep is under way"):
        go(path, {"seed": [0]})
    other.kill()
    other.wait()
    assert go(path, {"seed": [0]})["status"].item() == "failed"


SLOW = "import time\ntime.sleep(0.3)"


def command(house: Path, notebook: Path, *more: str) -> list[str]:
    grid = house / "grid.yaml"
    grid.write_text("{seed: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], size: [1, 2]}")
    return [sys.executable, "-m", "retailkit", "sweep", str(notebook), "--grid", str(grid), "--workers", "2", *more]


def _finished() -> int:
    return sum(run.info.status == "FINISHED" and attempt.KEY in run.data.tags for run in children())


@pytest.mark.slow
@pytest.mark.parametrize(
    "number",
    [signal.SIGKILL, signal.SIGINT, signal.SIGTERM],
    ids=["killed", "interrupted", "terminated"],
)
def test_a_sweep_that_is_stopped_half_way_resumes(ready_house, number):
    path = tiny(ready_house, SLOW)
    asked = command(ready_house, path)
    process = subprocess.Popen(asked, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while _finished() < 8 and time.monotonic() < deadline:
        time.sleep(0.1)
    below = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    process.wait(60)
    psutil.wait_procs(below, timeout=10)
    assert not [orphan for orphan in below if orphan.is_running()], "nothing goes on without the sweep"
    before = _finished()
    assert 8 <= before < 20
    done = subprocess.run(asked, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"20 runs: {20 - before} finished, {before} kept" in done.stdout
    statuses = Counter(run.info.status for run in children())
    assert statuses["FINISHED"] == 20 and set(statuses) <= {"FINISHED", "KILLED"} and finished_once()
    [lead] = leads()
    assert lead.info.status == "FINISHED" and lead.data.metrics["runs"] == 20
    assert lead.data.metrics["runs_finished"] + lead.data.metrics["runs_kept"] == 20


def test_the_command_line_says_how_it_went(ready_house):
    path = tiny(ready_house, "1 / (size - 1)")
    done = subprocess.run(command(ready_house, path, "--where", "seed < 2"), capture_output=True, text=True)
    assert done.returncode == 1
    assert "4 runs: 2 finished, 2 failed" in done.stdout and "ZeroDivisionError" in done.stderr
    assert (ready_house / "gallery" / "index.html").is_file()
    refused = subprocess.run(command(ready_house, path, "--where", "sead < 2"), capture_output=True, text=True)
    assert refused.returncode == 2 and "cannot be worked out" in refused.stderr


@pytest.mark.slow
def test_400_runs_stay_small(ready_house):
    path = write(ready_house, "10-tiny.ipynb", START, MEASURE, ANSWER)
    told = "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    # not ru_maxrss: on Linux a process inherits it from the one that started it
    code = f"import sys\nfrom retailkit.__main__ import main\ncode = main(sys.argv[1:])\n{told}\nsys.exit(code)"
    asked = [sys.executable, "-c", code, "sweep", str(path), "--grid", str(ready_house / "grid.yaml")]
    (ready_house / "grid.yaml").write_text(f"{{seed: {list(range(40))}, size: {list(range(1, 11))}}}")
    done = subprocess.run(asked, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "400 runs: 400 finished" in done.stdout
    peak = int(done.stdout.rpartition("VmHWM:")[2].split()[0]) / 1024
    assert peak < 600, f"the driver took {peak:.0f} MB"
    result = run_notebook(COMPARE, {"study": "tiny", "parameter": "size"}, progress=False)
    print(f"the driver took {peak:.0f} MB at most, 90-compare-runs {result.seconds:.0f} s")
    assert result.status == "FINISHED" and "over 40 pairs" in result.page.read_text()
