"""The command line: ``retailkit study | run | sweep | render | gallery | data | ui`` (or ``python -m retailkit``).

Exit code 0: all went well. 1: a notebook or a check failed. 2: something asked for is not there or not right.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retailkit.lab import project
from retailkit.lab.parameters import ParameterError
from retailkit.lab.project import ProjectError

if TYPE_CHECKING:
    from retailkit.lab.execute import Result


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, and return the exit code."""
    given = _parser().parse_args(arguments)
    project.spare_grammar()
    try:
        return int(given.call(given))
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if not isinstance(error, _known_errors()):
            raise
        print(f"retailkit: {error}", file=sys.stderr)
        return 2


def _known_errors() -> tuple[type[Exception], ...]:
    from retailkit.datasets.catalogue import DataError  # here, since it takes pandas along

    return (ProjectError, ParameterError, DataError)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("retailkit", description="What works, by how much, and how sure we are.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    study = commands.add_parser("study", help="run every notebook in its quick setting, then make the gallery")
    study.set_defaults(call=_study)

    run = commands.add_parser("run", help="run one notebook, and keep it and its page with its run")
    run.add_argument("notebook", help="a path, or a bare name such as 10-shelf-detector")
    run.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), dest="parameters")
    run.add_argument("-o", "--output", help="write the executed notebook here as well")
    run.set_defaults(call=_run)

    _add_sweep(commands)

    render = commands.add_parser("render", help="attach an executed notebook and its page to the run named inside")
    render.add_argument("notebook", help="what papermill or JupyterLab left, OUT.ipynb; or the id of a run")
    render.add_argument("-o", "--output", help="write the page here as well, one HTML file that can be sent")
    render.set_defaults(call=_render)

    gallery = commands.add_parser("gallery", help="make the index of pages")
    gallery.add_argument("--check", action="store_true", help="fail where a page's code or data is no longer today's")
    gallery.add_argument("--zip", metavar="FILE", help="put index, pages and pictures into one file")
    gallery.set_defaults(call=_gallery)

    data = commands.add_parser("data", help="datasets: list them, check one, download one")
    data.add_argument("action", choices=("list", "check", "get"))
    data.add_argument("name", nargs="?", help="the dataset, for check and get")
    data.set_defaults(call=_data)

    ui = commands.add_parser("ui", help="MLflow's pages of all runs, on this machine only")
    ui.add_argument("--port", type=int, default=5000)
    ui.set_defaults(call=_ui)
    return parser


def _add_sweep(commands: Any) -> None:
    sweep = commands.add_parser("sweep", help="run a notebook over a grid of parameters; what is finished is kept")
    sweep.add_argument("notebook", help="a path, or a bare name such as 10-shelf-detector")
    sweep.add_argument(
        "--grid", required=True, help="YAML with product, zip, rows or csv; or a CSV, a run for each row"
    )
    sweep.add_argument("--where", default="", help="only the runs for which this holds: 'seed < 2'")
    sweep.add_argument("--workers", type=int, help="runs at the same time; by default one for each core")
    sweep.add_argument("--scheduler", default="", help="address of a Dask scheduler: tcp://127.0.0.1:8786")
    sweep.add_argument("--minutes", type=float, help="limit of time for each run; by default 12 hours")
    sweep.add_argument("--megabytes", type=float, help="limit of memory for each run; by default none")
    sweep.add_argument("--keep-finished", action="store_true", help="keep finished runs even where their code changed")
    sweep.add_argument("--cold", action="store_true", help="an ordinary kernel for each run")
    sweep.add_argument("--yes", action="store_true", help="more than 10,000 runs are meant")
    sweep.set_defaults(call=_sweep)


def _run(given: argparse.Namespace) -> int:
    from retailkit.lab.execute import run_notebook

    return _report(run_notebook(given.notebook, dict(given.parameters), given.output))


def _report(result: "Result") -> int:
    """Print the answer, the run and the page of one notebook."""
    from retailkit.lab.records import answer_of

    if result.error:
        print(f"{result.output.name} failed after {result.seconds:.0f} s: {result.error}", file=sys.stderr)
    if answer := answer_of(result.run_id):
        print(answer)
    print(f"run   {result.run_id or 'none was started'}")
    if result.page:
        print(f"page  {result.page}")
    return 1 if result.error else 0


def _sweep(given: argparse.Namespace) -> int:
    from retailkit.lab import sweep as sweeps

    frame = sweeps.sweep(
        given.notebook,
        Path(given.grid),
        where=given.where,
        workers=given.workers,
        scheduler=given.scheduler,
        minutes=given.minutes or sweeps.LONGEST,
        megabytes=given.megabytes,
        keep_finished=given.keep_finished,
        warm=not given.cold,
        yes=given.yes,
    )
    counts = frame["status"].value_counts()
    told = [f"{counts[status]} {status}" for status in ("finished", "kept", "failed") if status in counts]
    print(f"{len(frame)} runs: {', '.join(told)}")
    failed = frame[frame["status"] == "failed"]
    for place, row in zip(failed.index, failed.to_dict("records"), strict=True):
        print(f"run {place + 1} ({row['run_id'] or 'not recorded'}): {row['error']}", file=sys.stderr)
    if set(counts.index) != {"kept"}:
        _make_gallery()
    return 1 if len(failed) else 0


def _study(given: argparse.Namespace) -> int:
    """Run all notebooks: those numbered 90 and 00 last, since they read what the others found."""
    from retailkit.lab.execute import run_notebook

    notebooks = sorted((project.root() / "notebooks").glob("*.ipynb"))
    if not notebooks:
        raise ProjectError(f"There are no notebooks in '{project.root() / 'notebooks'}'")
    notebooks.sort(key=lambda path: (path.name.startswith("00"), path.name.startswith("9")))
    failed = []
    for number, path in enumerate(notebooks, start=1):
        print(f"\n[{number} of {len(notebooks)}] {path.stem}", flush=True)
        try:
            code = _report(run_notebook(path))
        except (ProjectError, ParameterError) as error:
            print(f"retailkit: {error}", file=sys.stderr)
            code = 2
        if code:
            failed.append(path.stem)
    _make_gallery()
    if failed:
        print(f"{len(failed)} of {len(notebooks)} notebooks failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _render(given: argparse.Namespace) -> int:
    from retailkit.lab import render
    from retailkit.lab.records import artifact_path

    path = Path(given.notebook)
    try:
        if path.is_file():
            run_id, name = render.attach(path), f"page/{path.stem}.html"
        elif path.suffix == ".ipynb":
            raise ProjectError(f"There is no notebook '{path}'")
        else:
            run_id, name = given.notebook, "page"
        page = artifact_path(run_id, name)
    except (ValueError, FileNotFoundError) as error:
        raise ParameterError(str(error)) from error
    page = page if page.is_file() else max(page.glob("*.html"), key=lambda found: found.stat().st_mtime)
    if given.output:
        page = Path(shutil.copyfile(page, given.output))
    print(f"run   {run_id}\npage  {page}")
    return 0


def _gallery(given: argparse.Namespace) -> int:
    from retailkit.lab import gallery

    if given.check:
        return _check_gallery()
    if given.zip:
        print(f"The gallery is in {gallery.pack(given.zip).resolve()}")
        return 0
    return _make_gallery()


def _make_gallery() -> int:
    from retailkit.lab import gallery

    print(f"The gallery is at {gallery.gallery().resolve().as_uri()}")
    return 0


def _check_gallery() -> int:
    from retailkit.lab import gallery

    found = gallery.check()
    for row in found.itertuples():
        print(f"{row.page} (run {row.run_id}): {row.problem}", file=sys.stderr)
    stale = found["page"].nunique()
    print(f"{stale} pages are no longer today's" if stale else "Every page still stands")
    return 1 if stale else 0


def _data(given: argparse.Namespace) -> int:
    from retailkit import datasets

    if given.action == "list":
        print(datasets.cards().to_string(index=False))
        return 0
    if not given.name:
        raise ParameterError(f"retailkit data {given.action} wants the dataset's name; `retailkit data list` has them")
    call = datasets.check if given.action == "check" else datasets.get
    print(call(given.name))
    return 0


def _ui(given: argparse.Namespace) -> int:
    from retailkit.lab import tracking

    address = tracking.uri()
    if address.startswith(("http://", "https://")):
        print(f"Runs are kept by the server at {address}")
        return 0
    tracking.open_database()  # made under its lock, not by the server's workers
    home = project.folder("mlruns")
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(given.port)]
    command += ["--workers", "1", "--backend-store-uri", address]
    command += ["--artifacts-destination", str(home / "artifacts")]
    # The job runner is a process of 260 MB for features that are not used here.
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    print(f"MLflow is at http://127.0.0.1:{given.port} (Ctrl-C ends it)", flush=True)
    return subprocess.call(command, env=environment, cwd=home)


if __name__ == "__main__":
    sys.exit(main())
