"""A sweep against papermill's command line: the same eight notebooks, each importing the heavy libraries.

    python -m benchmarks.notebook_sweep --rounds 3

Both start from nothing in every round, in turn; a sweep also checks, records, renders and makes the gallery, which
papermill does not. The second sweep of the same grid is timed too: it runs nothing.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
from scipy import stats

from retailkit.lab import project
from retailkit.lab.intervals import Estimate

CELLS = ["import pandas\nimport seaborn\nimport mlflow\nfrom ultralytics import YOLO", "print(seed, YOLO.__name__)"]


def main() -> None:
    """Time all three, round by round, and print the ratio of the times with its interval over rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=8)
    options = parser.parse_args()
    if options.rounds < 2:
        parser.error(f"--rounds {options.rounds}: two or more are needed to see how much rounds differ")
    rows = [_round(options.runs) for _ in range(options.rounds)]
    table = pd.DataFrame(rows)
    print(table.round(1).to_string(index=False))
    print(f"a sweep is {_mean_ratio(table):.1f} times as fast as papermill", end="; ")
    print(f"the same sweep again took at most {table['again'].max():.1f} s")


def _mean_ratio(table: pd.DataFrame) -> Estimate:
    """Geometric mean of the rounds' ratios; Student's interval (1908) of their logarithms."""
    logs = np.log(table["papermill"] / table["sweep"])
    low, high = stats.t.interval(0.95, len(logs) - 1, logs.mean(), stats.sem(logs))
    return Estimate(*np.exp([logs.mean(), low, high]), units=len(logs), unit_name="rounds")


def _round(runs: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        for name in ("notebooks", "mlruns", "datasets"):
            (home / name).mkdir()
        path = home / "notebooks" / "heavy.ipynb"
        _write(path)
        (home / "grid.yaml").write_text(f"seed: {list(range(runs))}")
        environment = {**os.environ, "RETAILKIT_HOME": str(home)}
        papermill = sum(
            _timed(["papermill", str(path), str(home / f"out-{seed}.ipynb"), "-p", "seed", str(seed)], environment)
            for seed in range(runs)
        )
        sweep = ["retailkit", "sweep", str(path), "--grid", str(home / "grid.yaml")]
        first = _timed(sweep, environment, f"{runs} runs: {runs} finished")
        again = _timed(sweep, environment, f"{runs} runs: {runs} kept")
    return {"papermill": papermill, "sweep": first, "again": again, "ratio": papermill / first}


def _write(path: Path) -> None:
    v4 = nbformat.v4
    parameters = v4.new_code_cell("seed: int = 0", metadata={"tags": ["parameters"]})
    spec = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = v4.new_notebook(cells=[parameters, *map(v4.new_code_cell, CELLS)], metadata=spec)
    nbformat.write(notebook, path)


def _timed(command: list[str], environment: dict[str, str], wanted: str = "") -> float:
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", *command], env=environment, capture_output=True, text=True)
    if done.returncode or wanted not in done.stdout:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return time.perf_counter() - started


if __name__ == "__main__":
    project.quiet()
    main()
