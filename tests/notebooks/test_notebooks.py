"""Every notebook keeps the house rules and runs top to bottom in its quick setting."""

import ast
import re
from pathlib import Path
from statistics import median

import nbformat
import pytest

from retailkit.lab.execute import run_notebook
from retailkit.lab.runs import artifact_path, read_runs
from retailkit.store.detect import load_detector

HERE = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(HERE.glob("*.ipynb"))
READS_RUNS = ("00", "90")  # they have no answer of their own
SHORTER = {  # `make study` takes the defaults
    "10-shelf-detector": {"minutes": 0.6},
    "20-customer-detector": {"minutes": 0.2, "photos": 60, "size": 96},
    "30-rfid-vision-fusion": {"days": 2, "hours": 0.06, "learned": 2, "upgrades": "", "workers": 1},
    "31-fusion-robustness": {"days": 2, "hours": 0.06, "steps": 1, "workers": 1},
}
CLASSES = {"10-shelf-detector": {"empty", "disorganized"}, "20-customer-detector": {"person"}}


def cells(path: Path, kind: str) -> list:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def names(paths: list[Path]) -> list[str]:
    return [path.stem for path in paths]


@pytest.fixture(params=NOTEBOOKS, ids=names(NOTEBOOKS))
def notebook(request) -> Path:
    return request.param


def test_there_are_notebooks():
    assert {"00-start-here", "10-shelf-detector", "90-compare-runs"} <= set(names(NOTEBOOKS))


def test_no_outputs_are_stored(notebook):
    assert not any(cell.outputs or cell.execution_count for cell in cells(notebook, "code"))


def test_one_question_as_the_one_title(notebook):
    titles = [line for cell in cells(notebook, "markdown") for line in cell.source.split("\n") if line.startswith("# ")]
    assert len(titles) == 1
    assert cells(notebook, "markdown")[0].source.startswith(titles[0])


def test_parameters_are_typed_and_explained(notebook):
    tagged = [cell for cell in cells(notebook, "code") if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    lines = tagged[0].source.strip().split("\n")
    assert all(isinstance(node, ast.AnnAssign) for node in ast.parse(tagged[0].source).body)
    assert all(re.search(r"  # \w", line) for line in lines), "each parameter has a comment in words"


def test_size_is_that_of_notebooks_people_like(notebook):
    code, prose = cells(notebook, "code"), cells(notebook, "markdown")
    lengths = [sum(bool(line.strip()) for line in cell.source.split("\n")) for cell in code]
    assert len(code) + len(prose) <= 32
    assert 0.4 <= len(prose) / (len(code) + len(prose)) <= 0.6
    assert median(lengths) <= 4 and max(lengths) <= 15 and sum(lengths) <= 100


def test_a_notebook_chooses_calls_looks_and_says(notebook):
    banned = (ast.FunctionDef, ast.ClassDef, ast.For, ast.While, ast.If, ast.Lambda, ast.Try)
    for cell in cells(notebook, "code"):
        found = [type(node).__name__ for node in ast.walk(ast.parse(cell.source)) if isinstance(node, banned)]
        assert not found, f"{notebook.name}: {found} in {cell.source!r} belongs in the package"


def holds_what_a_study_holds(run_id: str, run, classes: set[str]) -> None:
    """Parameters, two inputs with their digests, the figure with both ends, the curves and the weights."""
    from retailkit.lab import tracking

    record = tracking.open_database().get_run(run_id)
    assert {"data", "minutes", "size", "seed"} <= set(record.data.params)
    digests = {entry.dataset.digest for entry in record.inputs.dataset_inputs}
    assert len(record.inputs.dataset_inputs) == len(digests) == 2
    assert run["metric.map50_low"] <= run["metric.map50"] <= run["metric.map50_high"]
    assert artifact_path(run_id, "figures/precision-recall.png").is_file()
    assert len(tracking.open_database().get_metric_history(run_id, "detector.box")) > 1
    assert set(load_detector(run_id).names) == classes


@pytest.mark.parametrize("path", [*NOTEBOOKS[1:], *NOTEBOOKS[:1]], ids=names([*NOTEBOOKS[1:], *NOTEBOOKS[:1]]))
def test_runs_top_to_bottom_in_its_quick_setting(path, shared_house):
    result = run_notebook(path, SHORTER.get(path.stem, {}), progress=False)
    assert result.status == "FINISHED", result.error
    run = read_runs().set_index("run_id").loc[result.run_id]
    assert Path(result.page).read_text().count("<h1") == 1
    assert artifact_path(result.run_id, f"notebook/{path.stem}.ipynb").is_file()
    if path.stem in CLASSES:
        holds_what_a_study_holds(result.run_id, run, CLASSES[path.stem])
    if not path.name.startswith(READS_RUNS):
        assert re.search(r"\d.*interval .*\d to .*\d", run["answer"])
