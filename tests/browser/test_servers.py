"""JupyterLab and MLflow in a browser: Run All ends with the answer on screen, and the run shows its curves."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import psutil
import pytest

from retailkit.lab.records import read_runs

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "10-shelf-detector.ipynb"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving(*command: str, home: Path, url: str):
    """Start a server, wait until it answers, and end it with all that it started."""
    environment = {**os.environ, "RETAILKIT_HOME": str(home), "JUPYTER_RUNTIME_DIR": str(home / "runtime")}
    with open(home / "server.txt", "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=home, env=environment)
    try:
        deadline = time.monotonic() + 90
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(url, timeout=2)
                break
            assert time.monotonic() < deadline and process.poll() is None, (home / "server.txt").read_text()[-2000:]
            time.sleep(0.2)
        yield
    finally:
        for other in psutil.Process(process.pid).children(recursive=True):
            other.kill()
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def home(shared_house) -> Path:
    """A project folder with the shelf notebook in a short setting."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source = re.sub(r"(?m)^minutes: float = [\d.]+", "minutes: float = 0.4", cell.source)
    nbformat.write(notebook, shared_house / "notebooks" / NOTEBOOK.name)
    return shared_house


def run_all(tab) -> None:
    """Choose Run All from the menu, the kernel too where JupyterLab asks for one, which it may do late."""
    chosen = tab.locator(".jp-Dialog button.jp-mod-accept")
    idle = tab.get_by_text("Python 3 (ipykernel) | Idle")
    for _ in range(2):
        idle.or_(chosen).first.wait_for(timeout=90_000)
        if chosen.count():
            chosen.first.click()
            idle.wait_for(timeout=90_000)
        tab.locator(".lm-MenuBar-itemLabel", has_text="Run").first.click()
        tab.locator(".lm-Menu-item[data-command='runmenu:run-all']").click()
        tab.wait_for_timeout(3000)
        if not chosen.count():
            return


def test_run_all_in_jupyterlab_ends_with_the_answer_on_screen(browser, home):
    port = free_port()
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--ip", "127.0.0.1", "--port", str(port)]
    command += ["--IdentityProvider.token=", "--ServerApp.root_dir=" + str(home / "notebooks"), "--allow-root"]
    command += ["--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    with serving(*command, home=home, url=f"http://127.0.0.1:{port}/lab"):
        tab = browser.new_page(viewport={"width": 1400, "height": 1000})
        tab.goto(f"http://127.0.0.1:{port}/lab/tree/{NOTEBOOK.name}?reset")
        tab.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=90_000)
        run_all(tab)
        deadline = time.monotonic() + 240
        while (runs := read_runs("shelf-detector")).empty or runs["status"].iloc[0] == "RUNNING":
            assert time.monotonic() < deadline
            time.sleep(1)
        assert runs["status"].iloc[0] == "FINISHED"
        tab.keyboard.press("Escape")
        answer = tab.locator(".jp-OutputArea-output", has_text=runs["answer"].iloc[0]).last
        answer.scroll_into_view_if_needed(timeout=60_000)
        assert answer.is_visible()
        tab.close()


def test_mlflow_shows_the_run_with_its_curves(browser, home):
    runs = read_runs("shelf-detector")
    if runs.empty:
        pytest.skip("needs the run of the test above")
    from retailkit.lab import tracking

    record = tracking.open_database().get_run(runs["run_id"].iloc[0])
    port = free_port()
    command = [sys.executable, "-m", "retailkit", "ui", "--port", str(port)]
    with serving(*command, home=home, url=f"http://127.0.0.1:{port}/health"):
        tab = browser.new_page(viewport={"width": 1400, "height": 1000})
        address = f"http://127.0.0.1:{port}/#/experiments/{record.info.experiment_id}/runs/{record.info.run_id}"
        tab.goto(f"{address}/model-metrics")
        tab.get_by_placeholder("Search metric charts").fill("detector.box", timeout=90_000)
        tab.get_by_text("detector.box", exact=True).first.wait_for(timeout=60_000)
        curve = tab.locator(".js-plotly-plot").first
        curve.wait_for(timeout=60_000)
        assert curve.is_visible()
        tab.close()
