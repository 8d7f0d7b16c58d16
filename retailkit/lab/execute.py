"""Run a notebook with checked parameters, and keep it and its page with its run.

result = run_notebook("10-shelf-detector", {"minutes": "4"})
result.status, result.page         # 'FINISHED', PosixPath('.../mlruns/artifacts/.../page/10-shelf-detector.html')
"""

import difflib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retailkit.lab import notebook as inside
from retailkit.lab import parameters as typed
from retailkit.lab import project
from retailkit.lab.parameters import ParameterError

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Result:
    """How one notebook went.

    Attributes
    ----------
    run_id : str or None
        None where it ended before `start_run`.
    output : Path
        The executed notebook.
    page : Path or None
    status : str
        ``FINISHED``, ``FAILED`` or ``KILLED``.
    seconds : float
    error : str
        Empty where it went well.
    """

    run_id: str | None
    output: Path
    page: Path | None
    status: str
    seconds: float
    error: str


def find_notebook(name: str | Path) -> Path:
    """Find a notebook by its path, or by its bare name among the project's notebooks.

    Raises
    ------
    retailkit.lab.project.ProjectError
        There is none; the message names the nearest.
    """
    shelf = project.root() / "notebooks"
    for path in (Path(name), shelf / name, shelf / f"{name}.ipynb"):
        if path.is_file():
            return path.resolve()
    names = sorted(path.stem for path in shelf.glob("*.ipynb"))
    near = difflib.get_close_matches(Path(name).stem, names, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"'{shelf}' has {', '.join(names) or 'none'}"
    raise project.ProjectError(f"There is no notebook '{name}'; {hint}")


def list_notebooks() -> "pandas.DataFrame":
    """List the project's notebooks with the question that each asks: notebook, question."""
    import pandas

    paths = sorted((project.root() / "notebooks").glob("*.ipynb"))
    return pandas.DataFrame([(path.stem, _question(path)) for path in paths], columns=["notebook", "question"])


def _question(path: Path) -> str:
    """The first title in a notebook."""
    lines = [
        line for cell in _cells(path) if cell["cell_type"] == "markdown" for line in "".join(cell["source"]).split("\n")
    ]
    return next((line.removeprefix("# ") for line in lines if line.startswith("# ")), "")


def parameters_of(notebook: str | Path) -> "pandas.DataFrame":
    """List a notebook's parameters: the typed lines of its cell tagged ``parameters``.

    Returns
    -------
    pandas.DataFrame
        Columns name, type, default (both as written) and help (the comment of the line).

    Raises
    ------
    retailkit.lab.parameters.ParameterError
        The file is no notebook, has no such cell, or the cell is no Python.
    """
    import pandas

    return pandas.DataFrame(_declared(find_notebook(notebook)), columns=["name", "type", "default", "help"])


def _declared(path: Path) -> list[typed.Parameter]:
    for cell in _cells(path):
        if "parameters" in cell.get("metadata", {}).get("tags", []):
            source = "".join(cell["source"])
            try:
                return typed.declared(source)
            except SyntaxError as error:
                line = (error.text or "").strip()
                raise ParameterError(
                    f"{path}: line {error.lineno} of the parameters cell is no Python ({error.msg}): {line!r}"
                ) from error
    raise ParameterError(f"{path} has no cell tagged 'parameters': give that tag to the cell that sets them")


def _cells(path: Path) -> list[dict[str, Any]]:
    try:
        return list(json.loads(path.read_text(encoding="utf-8"))["cells"])
    except (ValueError, KeyError, TypeError) as error:
        raise ParameterError(f"{path} is no notebook: {error!r}") from error


def check_parameters(notebook: str | Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Read parameters, as the command line gives them, by the types that the notebook declares.

    Parameters
    ----------
    notebook : str or Path
    given : mapping
        Text or values by name: ``{"minutes": "4"}``.

    Returns
    -------
    dict
        ``{"minutes": 4.0}``

    Raises
    ------
    retailkit.lab.parameters.ParameterError
        A name that is not declared (the nearest is named), or a value that does not fit.
    """
    path = find_notebook(notebook)
    known = {parameter.name: parameter for parameter in _declared(path)}
    for name in given:
        if name not in known:
            raise typed.unknown(name, known, path.name)
    try:
        return {name: typed.fit(known[name], value) for name, value in given.items()}
    except typed.ParameterTypeError as error:
        raise typed.ParameterTypeError(f"{path.name}: {error}") from error


def run_notebook(
    notebook: str | Path,
    parameters: Mapping[str, Any] | None = None,
    output: str | Path | None = None,
    progress: bool = True,
) -> Result:
    """Run a notebook by papermill, and keep the executed notebook and its page with its run.

    The kernel is this very Python, in the current working directory. A notebook that fails still leaves
    its page, and its run is FAILED.

    Parameters
    ----------
    notebook : str or Path
        A path, or the bare name of one of the project's notebooks.
    parameters : mapping, optional
        Text or values by name; checked before anything runs.
    output : str or Path, optional
        Where a copy of the executed notebook goes as well.
    progress : bool
        Show a bar that counts cells.

    Raises
    ------
    retailkit.lab.parameters.ParameterError
        See :func:`check_parameters`.
    retailkit.lab.project.ProjectError
        No such notebook; ``mlruns/`` or the output's folder cannot be written.
    """
    path = find_notebook(notebook)
    values = check_parameters(path, parameters) if parameters else {}
    project.quiet()
    project.folder("mlruns/artifacts")
    target = Path(output).resolve() if output else None
    if target and not target.parent.is_dir():
        raise project.ProjectError(f"The folder of the output '{output}' does not exist: create it first")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="run-", dir=project.folder(".cache")) as scratch:
        executed = Path(scratch) / path.name
        error = _papermill(path, executed, values, progress)
        if target:
            shutil.copyfile(executed, target)
        return _keep(executed, target, error, started)


def _papermill(path: Path, executed: Path, values: dict[str, Any], progress: bool) -> str:
    """Execute, and return what went wrong in one line."""
    import papermill
    from nbclient.exceptions import CellControlSignal
    from papermill.exceptions import PapermillExecutionError

    try:
        papermill.execute_notebook(
            str(path),
            str(executed),
            parameters=values,
            kernel_name="python3",
            language="python",
            progress_bar=progress,
            kernel_manager_class=_kernel_class(path),
        )
    except PapermillExecutionError as error:
        return f"cell {error.exec_count}: {error.ename}: {error.evalue}"
    except (CellControlSignal, RuntimeError) as error:  # a cell took too long, or the kernel died
        return f"{type(error).__name__}: {error}"
    return ""


def _kernel_class(path: Path) -> type:
    """A kernel of this Python: a 'python3' installed for the user may be another one."""
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    spec = KernelSpec(
        argv=[sys.executable, "-m", "ipykernel_launcher", "--log-level=40", "-f", "{connection_file}"],
        display_name="Python 3",
        language="python",
        env={inside.NOTEBOOK_VARIABLE: path.name, "RETAILKIT_HOME": str(project.root())},
    )

    class ThisPython(AsyncKernelManager):
        @property
        def kernel_spec(self) -> KernelSpec:
            return spec

    return ThisPython


def _keep(executed: Path, target: Path | None, error: str, started: float) -> Result:
    """Attach the executed notebook and its page to the run named inside; without a run, leave them in gallery/."""
    import nbformat

    from retailkit.lab import provenance, records, render

    run_id = provenance.passport(nbformat.read(executed, as_version=4)).get("run_id")
    if not run_id:
        place = project.folder("gallery/unrecorded")
        page = render.write(executed, place / f"{executed.stem}.html")
        kept = target or Path(shutil.copyfile(executed, place / executed.name))
        return Result(None, kept, page, "FAILED" if error else "FINISHED", time.monotonic() - started, error)
    status = records.settle(run_id, error)
    if status == "KILLED" and not error:
        error = "the notebook ended without run.answer(...) or run.finish()"
    render.attach(executed)
    output = records.artifact_path(run_id, f"notebook/{executed.name}")
    page = records.artifact_path(run_id, f"page/{executed.stem}.html")
    return Result(run_id, target or output, page, status, time.monotonic() - started, error)
