"""Small notebooks, written by tests."""

from pathlib import Path

import nbformat

PARAMETERS = "seed: int = 0  # of what is drawn\nsize: int = 1  # how much"
START = 'import retailkit as rk\nrun = rk.start_run("tiny", seed=seed, size=size)'
MEASURE = 'run.metric("score", rk.Estimate(size + seed / 10, size - 1, size + 1))'
ANSWER = 'run.answer(f"It is {rk.Estimate(size + seed / 10, size - 1, size + 1)}.")'


def write(folder: Path, name: str, *sources: str, parameters: str | None = PARAMETERS) -> Path:
    """Write a notebook: a title, the parameters cell (if any), and these cells."""
    v4 = nbformat.v4
    made = [v4.new_markdown_cell("# How tiny is tiny?")]
    if parameters is not None:
        made.append(v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    made += [v4.new_code_cell(source) for source in sources]
    for number, cell in enumerate(made):
        cell["id"] = f"cell-{number}"
    path = folder / name
    nbformat.write(v4.new_notebook(cells=made), path)
    return path


def tiny(folder: Path, *before: str, name: str = "10-tiny.ipynb") -> Path:
    """Write a notebook that records a figure and answers, after these cells."""
    return write(folder, name, START, *before, MEASURE, ANSWER)
