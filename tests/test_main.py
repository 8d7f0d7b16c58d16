"""The command line: exit codes, and one clear line where something is wrong."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from socket import socket

import pytest

from retailkit.__main__ import main
from retailkit.lab import execute
from retailkit.lab.execute import Result
from retailkit.lab.runs import start_run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "no-such"], "There is no notebook 'no-such'"),
        (["run", "10-tiny", "-p", "minuts", "4"], "did you mean 'minutes'?"),
        (["run", "10-tiny", "-p", "minutes", "four"], "parameter 'minutes' is 'four' (str): a float is wanted"),
        (["render", "none.ipynb"], "There is no notebook 'none.ipynb'"),
        (["render", "notebooks/10-tiny.ipynb"], "names no run"),
        (["study"], None),
        (["data", "check"], "wants the dataset's name"),
        (["data", "check", "no_such_data"], "no_such_data"),
        (["data", "get", "no_such_data"], "no_such_data"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(house, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(house)
    if message:
        notebook(house / "notebooks" / "10-tiny.ipynb")
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("retailkit: ")
    assert (message or "There are no notebooks in") in error
    assert "Traceback" not in error


def notebook(path: Path) -> None:
    cell = {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": "minutes: float = 1.0"}
    cell |= {"outputs": [], "execution_count": None, "id": "first"}
    path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))


def test_an_error_that_is_ours_to_mend_is_not_hidden(house, monkeypatch):
    monkeypatch.setattr(execute, "run_notebook", lambda *given: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["run", "x"])


def result(error: str = "") -> Result:
    return Result(None, Path("a.ipynb"), Path("a.html"), "FAILED" if error else "FINISHED", 1.0, error)


@pytest.mark.parametrize(("error", "code"), [("", 0), ("cell 3: ZeroDivisionError: division by zero", 1)])
def test_run_hands_over_its_parameters_and_tells_how_it_went(house, monkeypatch, capsys, error, code):
    asked = []
    monkeypatch.setattr(execute, "run_notebook", lambda *given: asked.append(given) or result(error))
    assert main(["run", "10-tiny", "-p", "minutes", "4", "-p", "data", "gaps", "-o", "out.ipynb"]) == code
    assert asked == [("10-tiny", {"minutes": "4", "data": "gaps"}, "out.ipynb")]
    printed = capsys.readouterr()
    assert "a.html" in printed.out
    assert error in printed.err


def test_run_prints_the_answer(ready_house, monkeypatch, capsys):
    run = start_run("tiny")
    run.answer("It is 0.41 (95 % interval 0.36 to 0.46).")
    done = Result(run.id, Path("a.ipynb"), Path("a.html"), "FINISHED", 1.0, "")
    monkeypatch.setattr(execute, "run_notebook", lambda *given: done)
    assert main(["run", "10-tiny"]) == 0
    out = capsys.readouterr().out
    assert "It is 0.41 (95 % interval 0.36 to 0.46)." in out
    assert run.id in out


@pytest.mark.parametrize(("broken", "code"), [("", 0), ("10-first", 1)])
def test_study_runs_all_in_order_and_makes_the_gallery(house, monkeypatch, capsys, broken, code):
    for name in ("20-second", "00-start-here", "10-first"):
        notebook(house / "notebooks" / f"{name}.ipynb")
    ran = []

    def run(path: Path) -> Result:
        ran.append(path.stem)
        return result("broken" if path.stem == broken else "")

    monkeypatch.setattr(execute, "run_notebook", run)
    assert main(["study"]) == code
    assert ran == ["10-first", "20-second", "00-start-here"]  # 00 reads what the others found
    printed = capsys.readouterr()
    assert (house / "gallery" / "index.html").as_uri() in printed.out
    assert (house / "gallery" / "index.html").is_file()
    assert (broken in printed.err) if broken else printed.err == ""


def test_data_list_names_the_cards(house, capsys):
    assert main(["data", "list"]) == 0
    assert "simulated_shelves" in capsys.readouterr().out


def test_no_command_shows_the_commands(capsys):
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2
    assert "usage: retailkit" in capsys.readouterr().err


def free_port() -> int:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.slow
def test_ui_shows_the_projects_runs_on_this_machine_only(ready_house, tmp_path_factory):
    start_run("seen").finish()
    port, elsewhere = free_port(), tmp_path_factory.mktemp("elsewhere")
    command = [sys.executable, "-m", "retailkit", "ui", "--port", str(port)]
    with subprocess.Popen(command, cwd=elsewhere, start_new_session=True) as server:
        try:
            assert "seen" in answer_of(f"http://127.0.0.1:{port}/ajax-api/2.0/mlflow/experiments/get-by-name?"
                                       "experiment_name=seen")  # fmt: skip
            listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
            assert f"0100007F:{port:04X}" in listening  # 127.0.0.1
            assert f"00000000:{port:04X}" not in listening
        finally:
            os.killpg(server.pid, signal.SIGTERM)
    assert list(elsewhere.iterdir()) == []


def answer_of(address: str) -> str:
    for _ in range(120):
        try:
            return urllib.request.urlopen(address, timeout=5).read().decode()
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.5)
    raise TimeoutError(address)
