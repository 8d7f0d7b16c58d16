"""Executed notebooks, written by hand: what papermill or JupyterLab would have left behind."""

import base64
import io
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from retailkit.lab.cells import ANSWER_MIME, RUN_MIME

ANSWER = "Gaps are found with an average precision of 0.41 (95 % interval 0.36 to 0.46)."


def picture(colour: str = "white") -> str:
    """A small PNG as a notebook holds it."""
    drawn = io.BytesIO()
    Image.new("RGB", (900, 400), colour).save(drawn, format="png")
    return base64.b64encode(drawn.getvalue()).decode()


def shown(data: dict[str, Any], **metadata: Any) -> Any:
    return new_output("display_data", data=data, metadata=metadata)


def printed(text: str, name: str = "stdout") -> Any:
    return new_output("stream", text=text, name=name)


def code(source: str, *outputs: Any, tags: tuple[str, ...] = ()) -> Any:
    return new_code_cell(source, outputs=list(outputs), execution_count=1, metadata={"tags": list(tags)})


def figure(alt: str, colour: str = "white") -> Any:
    return shown({"image/png": picture(colour), "text/plain": alt}, **{"image/png": {"alt": alt, "width": 720}})


def passport(run_id: str) -> Any:
    told = {
        "run_id": run_id,
        "study": "shelf-detector",
        "parameters": {"minutes": 4.0},
        "seed": 8,
        "code": {"commit": "0123456789abcdef", "dirty": True, "version": "0.1.0"},
    }
    return shown({RUN_MIME: told, "text/html": "<p>a run</p>", "text/plain": "a run"})


def answer(sentence: str = ANSWER) -> Any:
    return shown({ANSWER_MIME: {"answer": sentence}, "text/html": "<p>said</p>", "text/plain": sentence})


def study(*cells: Any, run_id: str = "0" * 32) -> Any:
    """A whole executed notebook: question, parameters, run, figure, `cells`, answer."""
    return new_notebook(
        cells=[
            new_markdown_cell("# Where does it *miss*?\n\nStaff refill from its alarms.\n\n# A second big heading"),
            code("minutes: float = 1.0  # training time\napi_key: str = 'hunter2'", tags=("parameters",)),
            code("# Parameters\nminutes = 4.0\n", tags=("injected-parameters",)),
            code("run = rk.start_run('shelf-detector', minutes=minutes)", passport(run_id)),
            code("charts.photo_sheet(photos)", figure("Six photographs with 12 boxes.")),
            *cells,
            code("run.answer(...)", answer()),
        ]
    )


def failed() -> Any:
    """A notebook as papermill leaves it when a cell raises."""
    error = new_output(
        "error", ename="ValueError", evalue="photo <b>7</b> is broken", traceback=["\x1b[31mValueError\x1b[0m: line 3"]
    )
    made = study(code("train()", error))
    banner = new_markdown_cell("<span>An Exception was encountered</span>")
    banner.metadata["tags"] = ["papermill-error-cell-tag"]
    made.cells = [banner, *made.cells[:-1]]
    return made


def save(notebook: Any, path: Any) -> Any:
    nbformat.write(notebook, path)
    return path
