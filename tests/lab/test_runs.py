"""A study is recorded as one run, in one database, below mlruns/ and nowhere else."""

import multiprocessing
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import mlflow
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from retailkit.lab import notebook, project, runs, tracking
from retailkit.lab.intervals import Estimate
from retailkit.lab.parameters import ParameterError
from retailkit.lab.runs import artifact_path, attach, read_runs, start_run

ESTIMATE = Estimate(0.41, 0.36, 0.46, level=0.95, units=40)


@pytest.fixture(autouse=True)
def nothing_left_open():
    yield
    if runs._current:
        runs._current.finish()


@pytest.fixture
def house(ready_house):
    """Nearly every test here starts from a database that is there."""
    return ready_house


@pytest.fixture
def fresh(house):
    """A project in which nothing was run yet."""
    (house / "mlruns" / "mlflow.db").unlink()
    return house


def dataset(digest: str = "d" * 64) -> SimpleNamespace:
    return SimpleNamespace(name="shelf gaps", digest=digest, source="datasets/gaps", profile=lambda: {"photos": 3})


def test_a_run_holds_parameters_figures_and_answer(house):
    run = start_run("gaps", seed=3, minutes=4.0)
    run.metric("map50", ESTIMATE)
    run.metric("photos", 12, exact=True)
    run.answer(f"The detector finds {ESTIMATE:.2f} of them.")
    row = read_runs("gaps").iloc[0]
    assert row["status"] == "FINISHED"
    assert row["answer"] == "The detector finds 0.41 (95 % interval 0.36 to 0.46) of them."
    assert (row["param.minutes"], row["param.seed"]) == ("4.0", "3")
    assert row[["metric.map50", "metric.map50_low", "metric.map50_high", "metric.photos"]].tolist() == [
        0.41,
        0.36,
        0.46,
        12,
    ]
    tags = mlflow.get_run(run.id).data.tags
    assert {"git_commit", "git_dirty", "retailkit_version", "seed", "study"} <= tags.keys()


def test_plain_mlflow_lands_in_the_run(house):
    run = start_run("plain")
    mlflow.log_metric("mine", 1.5)
    mlflow.log_text("hello", "mine.txt")
    run.finish()
    assert read_runs("plain")["metric.mine"].tolist() == [1.5]
    assert artifact_path(run.id, "mine.txt").read_text() == "hello"


def test_nothing_is_written_outside_the_project(house, tmp_path_factory, monkeypatch):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    run = start_run("tidy")
    run.show(pd.DataFrame({"a": [1, 2]}), "two rows")
    mlflow.log_text("hello", "mine.txt")
    run.finish()
    with mlflow.start_run():  # outside of any study, where MLflow follows the working directory
        mlflow.log_text("hello", "mine.txt")
    assert list(elsewhere.iterdir()) == []
    assert {path.name for path in house.iterdir()} <= {"notebooks", "datasets", "mlruns", "gallery", ".cache"}
    assert {path.name for path in (house / "mlruns").iterdir()} <= {"mlflow.db", "artifacts", ".lock"}
    assert (artifact_path(run.id, "tables/two-rows.csv")).read_text() == "a\n1\n2\n"


def test_a_chart_is_kept_with_its_sentence_and_given_back(house):
    chart = SimpleNamespace(png=lambda: b"\x89PNG", alt="Precision falls from 1 to 0.4.")
    run = start_run("charts")
    assert run.show(chart, "curve") is chart
    assert artifact_path(run.id, "figures/curve.png").read_bytes() == b"\x89PNG"
    assert artifact_path(run.id, "figures/curve.txt").read_text() == chart.alt


@pytest.mark.parametrize("thing", [SimpleNamespace(png=lambda: b"", alt=""), "text", 3])
def test_a_picture_without_a_sentence_is_refused(house, thing):
    with pytest.raises(TypeError, match=r"a chart of retailkit\.charts or a table is wanted"):
        start_run("charts").show(thing, "curve")


def test_inputs_keep_digest_and_context(house):
    run = start_run("inputs")
    run.input(dataset(), "train")
    run.input(dataset(), "test")  # the same photographs twice: MLflow alone would drop the second context
    run.input(dataset("e" * 64), "test")
    found = {(item.tags[0].value, item.dataset.digest) for item in mlflow.get_run(run.id).inputs.dataset_inputs}
    assert found == {("train", "d" * 36), ("test", "d" * 36), ("test", "e" * 36)}
    assert mlflow.get_run(run.id).data.tags["digest.train.shelf-gaps"] == "d" * 64


def test_a_figure_without_interval_is_refused(house):
    with pytest.raises(TypeError, match=r"metric 'map50' is a plain 0\.41"):
        start_run("refused").metric("map50", 0.41)


@pytest.mark.parametrize(
    "sentence",
    ["It works.", "It is 0.41.", "It is 0.41 (95 % sure).", "(95 % interval 0.1 to 0.2)", "0.4 (0.3 to 0.5)"],
)
def test_an_answer_without_interval_is_refused(house, sentence):
    with pytest.raises(ValueError, match="no figure with an interval"):
        start_run("refused").answer(sentence)


@pytest.mark.parametrize("form", ["", ".2f", ".1%"])
def test_an_estimate_as_it_prints_is_an_answer(house, form):
    run = start_run("answers")
    run.answer(f"It is {format(ESTIMATE, form)}, so buy it.")
    assert read_runs("answers")["status"].tolist() == ["FINISHED"]


def test_starting_again_kills_the_earlier_run(house):
    first, second = start_run("twice"), start_run("twice")
    second.finish()
    assert read_runs("twice").set_index("run_id")["status"].to_dict() == {first.id: "KILLED", second.id: "FINISHED"}


def test_a_run_of_the_users_own_is_not_ended(house):
    tracking.open_database()
    with mlflow.start_run() as own, pytest.raises(project.ProjectError, match=f"{own.info.run_id} is still open"):
        start_run("gaps")


def test_secrets_are_not_recorded(house):
    run = start_run("secrets", api_token="open sesame", minutes=1.0)  # no part of a commit's or a run's number
    assert mlflow.get_run(run.id).data.params == {"api_token": "(redacted)", "minutes": "1.0", "seed": "0"}
    assert "open sesame" not in str(run._passport())


def test_a_fresh_project_has_an_empty_frame_and_stays_fresh(fresh):
    frame = read_runs()
    assert (len(frame), list(frame)[:3]) == (0, ["run_id", "study", "notebook"])
    assert list((fresh / "mlruns").iterdir()) == []


def test_runs_are_read_newest_first(house):
    for seed in range(3):
        start_run("many", seed=seed).finish()
    assert read_runs("many", last=2)["param.seed"].tolist() == ["2", "1"]
    assert len(read_runs("another")) == 0


def test_a_file_that_is_not_kept_is_named_with_those_that_are(house):
    run = start_run("files")
    run.show(pd.DataFrame({"a": [1]}), "rows")
    with pytest.raises(FileNotFoundError, match=r"keeps no 'curve.png'; it keeps tables/rows.csv"):
        artifact_path(run.id, "curve.png")
    with pytest.raises(FileNotFoundError, match="Cannot keep '/no/file'"):
        attach(run.id, "/no/file")


def test_a_moved_project_finds_its_artifacts_and_writes_no_more_to_the_old_place(house, tmp_path_factory, monkeypatch):
    run = start_run("moved")
    run.show(pd.DataFrame({"a": [1]}), "rows")
    run.finish()
    new = tmp_path_factory.mktemp("new") / "house"
    shutil.move(house, new)
    monkeypatch.setenv("RETAILKIT_HOME", str(new))
    assert artifact_path(run.id, "tables/rows.csv").is_relative_to(new)
    again = start_run("moved")
    again.show(pd.DataFrame({"a": [1]}), "rows")
    again.finish()
    assert artifact_path(again.id, "tables/rows.csv").is_relative_to(new)
    assert not house.exists()


def test_another_database_is_respected(fresh, fresh_database, tmp_path_factory, monkeypatch):
    other = tmp_path_factory.mktemp("other")
    shutil.copyfile(fresh_database, other / "else.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{other}/else.db")
    run = start_run("elsewhere")
    run.show(pd.DataFrame({"a": [1]}), "rows")
    run.finish()
    assert artifact_path(run.id, "tables/rows.csv").is_relative_to(other / "artifacts" / "elsewhere")
    assert list((fresh / "mlruns").iterdir()) == []


def test_mlruns_that_cannot_be_written_is_one_clear_error(fresh):
    (fresh / "mlruns").rmdir()
    (fresh / "mlruns").write_text("")
    with pytest.raises(project.ProjectError, match="file stands in its place"):
        start_run("refused")


def test_a_database_that_is_none_is_named(fresh):
    (fresh / "mlruns" / "mlflow.db").write_text("not a database, but a shopping list that is long enough" * 100)
    with pytest.raises(project.ProjectError, match=r"Cannot open the tracking database 'sqlite:///.*mlflow.db'"):
        start_run("refused")


def test_a_deleted_study_is_named(house):
    run = start_run("gone")
    run.finish()
    mlflow.delete_experiment(mlflow.get_run(run.id).info.experiment_id)
    with pytest.raises(project.ProjectError, match="'gone' was deleted in MLflow"):
        start_run("gone")


def _one_run(home: str, barrier: object) -> None:
    os.environ["RETAILKIT_HOME"] = home
    barrier.wait()  # type: ignore[attr-defined]
    start_run("race").answer(f"It is {ESTIMATE}.")


@pytest.mark.slow
def test_four_processes_make_one_fresh_database(fresh):
    """MLflow alone fails here every time: 'table already exists', 'duplicate column name'."""
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(4)
    workers = [spawn.Process(target=_one_run, args=(str(fresh), barrier)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0, 0]
    assert read_runs("race")["status"].tolist() == ["FINISHED"] * 4


@pytest.mark.parametrize(("last_line", "status"), [("", "KILLED"), ("1 / 0", "FAILED")])
def test_a_script_that_ends_without_an_answer(house, last_line, status):
    script = f"import retailkit as rk\nrk.start_run('script')\n{last_line}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert read_runs("script")["status"].tolist() == [status]
    if status == "KILLED":
        assert (done.stdout, done.stderr) == ("", "")  # nothing of MLflow's, of alembic's or of git's


@pytest.fixture
def shell(house, monkeypatch):
    """An IPython shell in this process, as a kernel has it; what is shown lands in `shell.shown`."""
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell(config=config)
    shell.shown = []
    monkeypatch.setattr(notebook, "shell", lambda: shell)
    monkeypatch.setattr(notebook, "display", lambda bundle, line, text: shell.shown.append(bundle))
    monkeypatch.setattr(notebook, "_hook", None)
    return shell


PARAMETERS = "minutes: float = 1.0  # training time\ndata: str = 'simulated'\nseed: int = 0"
START = "import retailkit as rk\nrun = rk.start_run('cells', seed=seed, minutes=minutes, data=data)"


def cells(shell, *sources: str) -> Exception | None:
    """Run cells until one raises, and return what it raised."""
    for source in sources:
        result = shell.run_cell(source, store_history=True)
        if error := result.error_before_exec or result.error_in_exec:
            return error
    return None


def test_the_run_id_stays_in_the_notebook(shell):
    assert cells(shell, PARAMETERS, "# Parameters\nminutes = 4", START) is None
    [bundle] = shell.shown
    passport = bundle[runs.RUN_MIME]
    run = shell.user_ns["run"]
    assert (passport["run_id"], passport["study"], passport["seed"]) == (run.id, "cells", 0)
    assert run.parameters == {"minutes": 4.0, "data": "simulated"}
    assert cells(shell, f"run.answer('It is {ESTIMATE}.')") is None
    assert shell.shown[-1][runs.ANSWER_MIME]["run_id"] == run.id


@pytest.mark.parametrize(
    ("injected", "message"),
    [
        ("minuts = 4", "did you mean 'minutes'?"),
        ("minutes = 'four'", "parameter 'minutes' is 'four' (str): a float is wanted"),
        ("minutes = '4'", "parameter 'minutes' is '4' (str): a float is wanted"),
        ("data = 8", "parameter 'data' is 8 (int): a str is wanted"),
        ("seed = 1.5", "parameter 'seed' is 1.5 (float): an int is wanted"),
        ("seed = True", "parameter 'seed' is True (bool): an int is wanted"),
    ],
)
def test_what_papermill_lets_pass_is_caught(shell, injected, message):
    error = cells(shell, PARAMETERS, f"# Parameters\n{injected}\n", START)
    assert isinstance(error, ParameterError)
    assert message in str(error)
    assert len(read_runs()) == 0


def test_a_cell_that_raises_fails_the_run_at_once(shell):
    cells(shell, PARAMETERS, START)
    assert isinstance(cells(shell, "1 / 0"), ZeroDivisionError)
    assert read_runs("cells")["status"].tolist() == ["FAILED"]
    cells(shell, f"run.answer('It is {ESTIMATE}.')")  # mended, and run again in JupyterLab
    assert read_runs("cells")["status"].tolist() == ["FINISHED"]


def test_run_all_twice_in_one_kernel(shell):
    for _ in range(2):
        assert cells(shell, PARAMETERS, START) is None
    cells(shell, "1 / 0")
    assert sorted(read_runs("cells")["status"]) == ["FAILED", "KILLED"]
