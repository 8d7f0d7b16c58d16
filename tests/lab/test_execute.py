"""Notebooks run with checked parameters, and leave themselves and their page with their run."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from retailkit.lab.execute import run_notebook
from retailkit.lab.parameters import ParameterError, ParameterTypeError
from retailkit.lab.project import ProjectError
from retailkit.lab.runs import artifact_path, read_runs
from retailkit.lab.source import find_notebook, parameters_of, read

PARAMETERS = 'minutes: float = 1.0  # training time\nphotos: "int | None" = None\nlist_of: list[str] = ["a"]\nplain = 3'
START = 'import retailkit as rk\nrun = rk.start_run("tiny", minutes=minutes)'
LOOK = "import os, sys\nprint(os.getcwd(), sys.executable, run.parameters)"
ANSWER = 'run.answer("It is 0.41 (95 % interval 0.36 to 0.46).")'


def write(folder: Path, name: str, *sources: str, parameters: str = PARAMETERS) -> Path:
    """Write a notebook: a title, the parameters cell, and these cells."""
    v4 = nbformat.v4
    cells = [v4.new_markdown_cell("# How tiny is tiny?")]
    cells.append(v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    cells += [v4.new_code_cell(source) for source in sources]
    path = folder / name
    nbformat.write(v4.new_notebook(cells=cells), path)  # no kernel named: the running Python is taken
    return path


def test_a_good_notebook_keeps_itself_and_its_page(ready_house, tmp_path_factory, monkeypatch):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    write(ready_house / "notebooks", "10-tiny.ipynb", START, LOOK, ANSWER)
    result = run_notebook("10-tiny", {"minutes": "4"}, output=elsewhere / "out.ipynb", progress=False)
    assert (result.status, result.error) == ("FINISHED", "")
    row = read_runs().iloc[0]
    assert (row["run_id"], row["notebook"], row["param.minutes"]) == (result.run_id, "10-tiny.ipynb", "4.0")
    assert "How tiny is tiny?" in result.page.read_text()
    assert result.page == artifact_path(result.run_id, "page/10-tiny.html")
    printed = nbformat.read(artifact_path(result.run_id, "notebook/10-tiny.ipynb"), 4).cells[4].outputs[0].text
    assert printed.split()[:2] == [str(elsewhere), sys.executable]
    assert [path.name for path in elsewhere.iterdir()] == ["out.ipynb"]
    assert list((ready_house / ".cache").glob("run-*")) == []


def test_a_failing_notebook_leaves_its_page_and_a_failed_run(ready_house):
    path = write(ready_house, "20-broken.ipynb", START, "1 / 0", ANSWER)
    result = run_notebook(path, progress=False)
    assert (result.status, result.error) == ("FAILED", "cell 3: ZeroDivisionError: division by zero")
    assert read_runs()["status"].tolist() == ["FAILED"]
    assert "division by zero" in result.page.read_text()


@pytest.mark.parametrize(
    ("last", "status", "error"),
    [("pass", "KILLED", "without run.answer"), ("import os; os._exit(3)", "FAILED", "DeadKernelError")],
)
def test_a_notebook_that_ends_before_its_answer(ready_house, last, status, error):
    path = write(ready_house, "30-open.ipynb", START, last)
    result = run_notebook(path, progress=False)
    assert result.status == status == read_runs()["status"].item()
    assert error in result.error


def test_a_notebook_that_fails_before_its_run_leaves_its_page_too(house):
    path = write(house, "40-early.ipynb", "import no_such_module", START)
    result = run_notebook(path, progress=False)
    assert (result.run_id, result.status) == (None, "FAILED")
    assert result.page == house / "gallery" / "unrecorded" / "40-early.html"
    assert "no_such_module" in result.page.read_text()


def test_plain_papermill_with_a_typo_fails(ready_house, tmp_path):
    path = write(ready_house, "50-typo.ipynb", START)
    command = [sys.executable, "-m", "papermill", str(path), str(tmp_path / "out.ipynb"), "-p", "minuts", "4"]
    done = subprocess.run([*command, "-k", "python3", "-l", "python"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode != 0
    assert "has no parameter 'minuts'; did you mean 'minutes'?" in done.stderr


def test_parameters_are_a_tidy_frame(house):
    frame = parameters_of(write(house, "a.ipynb"))
    assert list(frame) == ["name", "type", "default", "help"]
    assert frame.iloc[0].tolist() == ["minutes", "float", "1.0", "training time"]
    assert frame["name"].tolist() == ["minutes", "photos", "list_of"]


def test_parameters_are_read_by_their_types(house):
    path = write(house, "a.ipynb")
    given = {"minutes": "4", "photos": "none", "list_of": '["b"]'}
    assert read(path).check(given) == {"minutes": 4.0, "photos": None, "list_of": ["b"]}


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"minuts": "4"}, ParameterError, "a.ipynb has no parameter 'minuts'; did you mean 'minutes'?"),
        ({"minutes": "four"}, ParameterTypeError, "a.ipynb: parameter 'minutes' is 'four' (str): a float is wanted"),
        ({"photos": "1.5"}, ParameterTypeError, "parameter 'photos' is '1.5' (str): None or an int is wanted"),
        ({"plain": "4"}, ParameterError, "It has minutes, photos, list_of"),
    ],
)
def test_bad_parameters_are_refused_before_anything_runs(house, given, kind, message):
    path = write(house, "a.ipynb", START)
    with pytest.raises(kind) as caught:
        run_notebook(path, given, progress=False)
    assert message in str(caught.value)
    assert list((house / "mlruns").iterdir()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not a notebook", "a.ipynb is no notebook"),
        ('{"cells": []}', "has no cell tagged 'parameters'"),
        ("[]", "a.ipynb is no notebook"),
    ],
)
def test_a_file_that_is_no_notebook_is_named(house, text, message):
    (house / "a.ipynb").write_text(text)
    with pytest.raises(ParameterError, match=message):
        parameters_of(house / "a.ipynb")


def test_a_parameters_cell_that_is_no_python_is_quoted(house):
    path = write(house, "a.ipynb", parameters="minutes: float = 1.0\nphotos: int =")
    with pytest.raises(ParameterError, match=r"line 2 of the parameters cell is no Python .*'photos: int ='"):
        parameters_of(path)


def test_a_notebook_is_found_by_its_bare_name(house):
    path = write(house / "notebooks", "10-tiny.ipynb")
    assert find_notebook("10-tiny") == find_notebook("10-tiny.ipynb") == find_notebook(path) == path
    with pytest.raises(ProjectError, match="no notebook '10-tinny'; did you mean '10-tiny'"):
        find_notebook("10-tinny")


def test_an_output_without_a_folder_is_refused(house):
    path = write(house, "a.ipynb", START)
    with pytest.raises(ProjectError, match="create it first"):
        run_notebook(path, output=os.path.join(house, "none", "out.ipynb"))
