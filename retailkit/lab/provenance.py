"""Where a page comes from: the run, the code, the data and the parameters behind an executed notebook."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from retailkit.lab import cells, project, safe, source, tracking
from retailkit.lab.cells import ANSWER_MIME, RUN_MIME

FILE = "notebook_file"  # a run's tag: where it lies, from the project's folder on where it lies within
DIGEST = "notebook_digest"  # a run's tag: which notebook, as its author wrote it


def passport(notebook: Any) -> dict[str, Any]:
    """Return what the run wrote into the notebook about itself; empty where no run was started.

    Where a notebook started several, the last counts: it holds the answer.
    """
    found = cells.bundles(notebook, RUN_MIME)
    return dict(found[-1]) if found else {}


def facts(notebook: Any, run_id: str = "") -> dict[str, Any]:
    """Gather everything that a page says of its origin.

    MLflow is asked first; where it can't be reached, what the notebook itself holds must do.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
    run_id : str
        The run that it belongs to; by default the one that it names itself.

    Returns
    -------
    dict
        run_id, study, status, answer, started (datetime or None), minutes, seed, commit, dirty, packages,
        data (list of name, context, digest), parameters (rows), notebook (its file, where
        known), notebook_digest, recorded (MLflow was reached).
    """
    known = _from_notebook(notebook)
    known["run_id"] = run_id or known["run_id"]
    if known["run_id"]:
        known |= _from_mlflow(known["run_id"])
    return known


def _from_notebook(notebook: Any) -> dict[str, Any]:
    told = passport(notebook)
    code = told.get("code") or {}
    answers = [bundle for bundle in cells.bundles(notebook, ANSWER_MIME) if isinstance(bundle, dict)]
    papermill = notebook.metadata.get("papermill", {})
    rows = cells.parameter_rows(notebook) or [
        {"name": name, "value": safe.redact(name, repr(value)), "default": "", "help": ""}
        for name, value in (told.get("parameters") or {}).items()
    ]
    return {
        "run_id": str(told.get("run_id", "")),
        "study": str(told.get("study", "")),
        "seed": told.get("seed"),
        "commit": str(code.get("commit") or ""),
        "dirty": bool(code.get("dirty")),
        "version": str(code.get("version") or ""),
        "packages": code.get("packages") or project.packages(),
        "packages_recorded": bool(code.get("packages")),
        "answer": str(answers[-1].get("answer", "")) if answers else "",
        "started": _time(papermill.get("start_time")),
        "minutes": (papermill.get("duration") or 0) / 60 or None,
        "status": "",
        "data": [],
        "parameters": rows,
        "notebook": Path(papermill.get("input_path") or "").name,
        "notebook_digest": digest(notebook),
        "recorded": False,
    }


def digest(notebook: Any) -> str:
    """Return the sha256 of what the author wrote: cell types and sources, no outputs, no injected values."""
    return source.digest(cells.source_of(notebook))


def _time(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found and found.tzinfo is None else found


def _from_mlflow(run_id: str) -> dict[str, Any]:
    from mlflow.exceptions import MlflowException

    try:
        run = tracking.open_database().get_run(run_id)
    except (MlflowException, OSError):  # another machine's run, or a server that is down
        return {}
    started, ended = run.info.start_time, run.info.end_time
    found: dict[str, Any] = {
        "recorded": True,
        "status": run.info.status,
        "started": datetime.fromtimestamp(started / 1000, tz=UTC),
        "data": _data(run),
    }
    if ended:
        found["minutes"] = (ended - started) / 60_000
    if run.data.tags.get("answer"):
        found["answer"] = run.data.tags["answer"]
    return found


def _data(run: Any) -> list[dict[str, str]]:
    """List the inputs, with the full digest where the run has it as a tag (MLflow keeps 36 characters)."""
    whole = {value[:36]: value for name, value in run.data.tags.items() if name.startswith("digest.")}
    rows = []
    for given in run.inputs.dataset_inputs if run.inputs else []:
        context = next((tag.value for tag in given.tags if tag.key == "mlflow.data.context"), "")
        short = given.dataset.digest
        name = given.dataset.name.removesuffix(f" ({context})")
        rows.append({"name": name, "context": context, "digest": whole.get(short, short)})
    return rows
