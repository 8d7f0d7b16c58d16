"""Run a notebook with checked parameters, and keep it and its page with its run.

result = run_notebook("10-shelf-detector", {"minutes": "4"})
result.status, result.page         # 'FINISHED', PosixPath('.../mlruns/artifacts/.../page/10-shelf-detector.html')
"""

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retailkit.lab import notebook as inside
from retailkit.lab import project
from retailkit.lab.source import Source, read

if TYPE_CHECKING:
    from retailkit.lab.engine import Watch


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


@dataclass(frozen=True)
class Ending:
    """How the execution of a notebook ended: in words (empty where it went well), and whether its kernel died."""

    error: str = ""
    died: bool = False


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
        See :func:`retailkit.lab.source.Source.check`.
    retailkit.lab.project.ProjectError
        No such notebook; ``mlruns/`` or the output's folder cannot be written.
    """
    source = read(notebook)
    values = source.check(parameters or {})
    project.quiet()
    project.folder("mlruns/artifacts")
    target = Path(output).resolve() if output else None
    if target and not target.parent.is_dir():
        raise project.ProjectError(f"The folder of the output '{output}' does not exist: create it first")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="run-", dir=project.folder(".cache")) as scratch:
        executed = Path(scratch) / source.path.name
        ending = execute(source, executed, values, progress=progress)
        if target:
            shutil.copyfile(executed, target)
        return _keep(executed, target, ending.error, started)


def execute(
    source: Source,
    executed: Path,
    values: Mapping[str, Any],
    *,
    tags: Mapping[str, str] | None = None,
    warm: bool = False,
    threads: int | None = None,
    watch: "Watch | None" = None,
    progress: bool = False,
) -> Ending:
    """Execute a notebook in a kernel of this Python, and write what it became, however it ended.

    Parameters
    ----------
    source : Source
    executed : Path
        Where the executed notebook goes.
    values : mapping
        Parameters, checked.
    tags : mapping, optional
        For the run that the notebook starts.
    warm : bool
        Take a warm kernel, where there is one to be had.
    threads : int, optional
        How many the numeric libraries may use, unless the environment says otherwise; by default as many as they like.
    watch : Watch, optional
        Limits and log.
    progress : bool
        Show a bar that counts cells.
    """
    import nbformat
    import papermill

    from retailkit.lab import engine

    watch = watch or engine.Watch()
    given = executed.with_name(f".given-{source.path.name}")
    given.write_text(source.text, encoding="utf-8")
    try:
        papermill.execute_notebook(
            str(given),
            str(executed),
            parameters=dict(values),
            engine_name=engine.NAME,
            kernel_name="python3",
            language="python",
            progress_bar=progress,
            kernel_manager_class=_kernel_class(source.path.name, tags or {}, warm, threads),
            watch=watch,
        )
    except engine.FAILURES as error:
        told = engine.explain(error, watch)
        died = isinstance(error, RuntimeError)
        node = nbformat.read(executed, as_version=4) if executed.exists() else nbformat.read(given, as_version=4)
        _sign(node, source, executed, told if died else "")
        return Ending(told, died)
    finally:
        given.unlink()
    _sign(nbformat.read(executed, as_version=4), source, executed)
    return Ending()


def _sign(node: Any, source: Source, executed: Path, error: str = "") -> None:
    """Write into the executed notebook which it was, and where its kernel died."""
    import nbformat

    node.metadata.setdefault("papermill", {})["input_path"] = str(source.path)
    if error:
        begun = [
            cell for cell in node.cells if cell.metadata.get("papermill", {}).get("status") not in (None, "pending")
        ]
        place = begun[-1] if begun else next((cell for cell in node.cells if cell.cell_type == "code"), None)
        if place and place.cell_type == "code":
            name, _, words = error.partition(": ")
            place.outputs.append(nbformat.v4.new_output("error", ename=name, evalue=words, traceback=[error]))
    nbformat.write(node, executed)


def _kernel_class(name: str, tags: Mapping[str, str], warm: bool, threads: int | None) -> type:
    """A kernel of this Python: a 'python3' installed for the user may be another one."""
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    spec = KernelSpec(
        argv=[sys.executable, "-m", "ipykernel_launcher", "--log-level=40", "-f", "{connection_file}"],
        display_name="Python 3",
        language="python",
        env={
            inside.NOTEBOOK_VARIABLE: name,
            inside.TAGS_VARIABLE: json.dumps(dict(tags)),
            "RETAILKIT_HOME": str(project.root()),
            **({} if threads is None else {name: os.environ.get(name, str(threads)) for name in project.THREADS}),
        },
        metadata={"kernel_provisioner": {"provisioner_name": "retailkit-warm"}} if warm else {},
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
    status, error = settle(run_id, error)
    render.attach(executed)
    output = records.artifact_path(run_id, f"notebook/{executed.name}")
    page = records.artifact_path(run_id, f"page/{executed.stem}.html")
    return Result(run_id, target or output, page, status, time.monotonic() - started, error)


def settle(run_id: str, error: str) -> tuple[str, str]:
    """Give a run its last status, and say what went wrong if it never came to an end."""
    from retailkit.lab import records

    status = records.settle(run_id, error)
    if status == "KILLED" and not error:
        error = "the notebook ended without run.answer(...) or run.finish()"
    return status, error
