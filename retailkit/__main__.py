"""The command line: ``retailkit study | run | render | gallery | data | ui`` (or ``python -m retailkit``).

Exit code 0: all went well. 1: a notebook or a check failed. 2: something asked for is not there or not right.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from retailkit.lab.parameters import ParameterError
from retailkit.lab.project import ProjectError

if TYPE_CHECKING:
    from retailkit.lab.execute import Result


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, and return the exit code."""
    given = _parser().parse_args(arguments)
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

    render = commands.add_parser("render", help="attach an executed notebook and its page to the run named inside")
    render.add_argument("notebook", help="what papermill or JupyterLab left: OUT.ipynb")
    render.set_defaults(call=_render)

    gallery = commands.add_parser("gallery", help="make the index of pages")
    gallery.set_defaults(call=_gallery)

    data = commands.add_parser("data", help="datasets: list them, check one, download one")
    data.add_argument("action", choices=("list", "check", "get"))
    data.add_argument("name", nargs="?", help="the dataset, for check and get")
    data.set_defaults(call=_data)

    ui = commands.add_parser("ui", help="MLflow's pages of all runs, on this machine only")
    ui.add_argument("--port", type=int, default=5000)
    ui.set_defaults(call=_ui)
    return parser


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


def _study(given: argparse.Namespace) -> int:
    """Run all notebooks: those numbered 00 last, since they read what the others found."""
    from retailkit.lab import project
    from retailkit.lab.execute import run_notebook

    notebooks = sorted((project.root() / "notebooks").glob("*.ipynb"))
    if not notebooks:
        raise ProjectError(f"There are no notebooks in '{project.root() / 'notebooks'}'")
    notebooks.sort(key=lambda path: path.name.startswith("00"))
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
    _gallery(given)
    if failed:
        print(f"{len(failed)} of {len(notebooks)} notebooks failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _render(given: argparse.Namespace) -> int:
    from retailkit.lab import render
    from retailkit.lab.records import artifact_path

    path = Path(given.notebook)
    if not path.is_file():
        raise ProjectError(f"There is no notebook '{path}'")
    try:
        run_id = render.attach(path)
    except (ValueError, FileNotFoundError) as error:
        raise ParameterError(str(error)) from error
    print(f"run   {run_id}\npage  {artifact_path(run_id, f'page/{path.stem}.html')}")
    return 0


def _gallery(given: argparse.Namespace) -> int:
    from retailkit.lab import render

    print(f"The gallery is at {Path(render.gallery()).resolve().as_uri()}")
    return 0


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
    from retailkit.lab import project, tracking

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
