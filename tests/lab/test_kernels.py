"""Warm kernels: the same outputs as ordinary ones, and nothing left behind."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbclient
import nbformat
import psutil
import pytest

from retailkit.lab import kernels, warm

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm kernels are forks, which are safe on Linux")

CONFORMANCE = [
    "1 + 1",
    "1 + 1;",
    "import sys\nprint('out')\nprint('err', file=sys.stderr)",
    "from IPython.display import HTML, Markdown, Latex, JSON, display\ndisplay(HTML('<b>bold</b>'), Markdown('*it*'))",
    "JSON({'a': [1, 2]})",
    "shown = display('first', display_id='spot')",
    "shown.update('second')",
    "from IPython.display import clear_output\nprint('gone')\nclear_output(wait=True)\nprint('stays')",
    "import warnings\nwarnings.warn('mind the gap')\nwarnings.warn('old', DeprecationWarning)",
    "import os\nos.write(1, b'by descriptor\\n')\nsys.stdout.flush()",
    "os.system('echo by a shell')",
    "import subprocess\nsubprocess.run(['echo', 'by a process'], capture_output=True, text=True).stdout",
    "!echo by a magic",
    "%who_ls str",
    "from tqdm import tqdm\nfor _ in tqdm(range(3), ncols=40, bar_format='{l_bar}{bar}', mininterval=9): pass",
    "from tqdm.auto import tqdm as auto\nauto.__module__",
    "import pandas as pd\npd.DataFrame({'a': [1, 2]}).style.set_uuid('x').highlight_max()",
    "pd.DataFrame({'a': [1.5, 2]})",
    "import numpy as np\nnp.random.seed(3); np.random.rand(2)",
    "%matplotlib inline\nimport matplotlib.pyplot as plt\nfigure, axes = plt.subplots()\naxes.plot([1, 2]);",
    "import matplotlib\nmatplotlib.get_backend()",
    "import seaborn as sns\nsns.lineplot(x=[1, 2], y=[3, 4])",
    "import logging\nlogging.getLogger('shop').warning('by the log')",
    "async def later():\n    return 42\nawait later()",
    "import threading\nworker = threading.Thread(target=lambda: print('by a thread'))\nworker.start(); worker.join()",
    "__name__, sys.argv[1:2] == ['-f'], '' in sys.path, os.getcwd() == os.path.realpath('.')",
    "import mlflow, ultralytics, torch\ntorch.manual_seed(0)\ntorch.rand(2)",
    "import signal\n[str(signal.getsignal(number)).split(' at ')[0] for number in (signal.SIGTERM, signal.SIGCHLD)]",
    "os.getpgrp() == os.getpid(), threading.current_thread() is threading.main_thread()",
    "def _in():\n    raise ValueError('inside')\n_in()",
    "input('name? ')",
    "raise SystemExit(3)",
    "print('the end')",
]


def execute(sources, provisioner: bool, folder: Path, allow_errors: bool = True):
    """Run cells by nbclient, in an ordinary or a warm kernel."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    spec = {"kernelspec": {"name": "retailkit-warm" if provisioner else "python3", "display_name": "x"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=spec)
    client = nbclient.NotebookClient(
        notebook, timeout=120, allow_errors=allow_errors, kernel_name=spec["kernelspec"]["name"]
    )
    client.execute(cwd=str(folder))
    return [_comparable(cell.outputs) for cell in notebook.cells]


def _comparable(outputs):
    """Outputs without what differs from run to run: addresses, and how a stream was cut into pieces."""
    found = []
    for output in outputs:
        kept = {
            name: value for name, value in output.items() if name not in ("metadata", "execution_count", "traceback")
        }
        text = str(kept.get("text", ""))
        if found and found[-1].get("name") == kept.get("name") and kept["output_type"] == "stream":
            found[-1]["text"] += text
        else:
            found.append(kept)
    for output in found:
        if "text" in output:
            output["text"] = _tidy(output["text"])
        for mime, value in output.get("data", {}).items():
            output["data"][mime] = _tidy(value) if isinstance(value, str) else value
    return found


def _tidy(text: str) -> str:
    import re

    text = re.sub(r"/ipykernel_\d+/\d+\.py", "/ipykernel/cell.py", text)
    return re.sub(r" at 0x[0-9a-f]+", "", text).replace("\r", "\n").strip("\n")


@pytest.fixture(autouse=True)
def known_kernel_and_no_parent_left(tmp_path, monkeypatch):
    """The kernel is known by its name, as after installation; and every test starts a parent of its own."""
    shutil.copytree(Path(kernels.__file__).parent / "kernelspec", tmp_path / "jupyter" / "kernels" / "retailkit-warm")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    yield
    kernels.close_parent()


def test_the_conformance_notebook_has_the_same_outputs_in_both_kernels(tmp_path, monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)
    ordinary = execute(CONFORMANCE, False, tmp_path)
    forked = execute(CONFORMANCE, True, tmp_path)
    different = {CONFORMANCE[i]: (o, f) for i, (o, f) in enumerate(zip(ordinary, forked, strict=True)) if o != f}
    assert different == {}
    assert any("StdinNotImplementedError" in str(outputs) for outputs in ordinary), "input() is refused"


def test_a_package_sets_what_it_sets_when_the_notebook_imports_it(tmp_path):
    """ultralytics changes how numpy prints, for the whole process; it must not where nobody imports it."""
    cells = ["import numpy\nnumpy.array([0.5])", "import ultralytics\nnumpy.array([0.5])"]
    assert execute(cells, True, tmp_path) == execute(cells, False, tmp_path)
    [[alone]] = execute(["from ultralytics import YOLO\nYOLO.__name__"], True, tmp_path)
    assert alone["data"] == {"text/plain": "'YOLO'"}


def _used(parent: int) -> int:
    return psutil.Process(parent).memory_info().rss


@pytest.mark.slow
def test_200_kernels_in_a_row_leave_nothing_behind(tmp_path, monkeypatch):
    execute(["1"], True, tmp_path)
    parent, address = kernels._parent.process.pid, Path(kernels._parent.address)
    before, folder, temporary = _used(parent), address.parent, set(Path("/tmp").iterdir())
    for number in range(200):
        [[output]] = execute([f"print({number})"], True, tmp_path)
        assert output["text"] == str(number)
    assert psutil.Process(parent).children() == []
    assert list(folder.iterdir()) == [address], "every kernel's sockets are gone"
    assert _used(parent) - before < 2 * 2**20, "the parent's memory is flat"
    kernels.close_parent()
    assert not folder.exists() and not psutil.pid_exists(parent)
    assert {
        path.name for path in set(Path("/tmp").iterdir()) - temporary if path.name.startswith(("rk-", "k"))
    } == set()


def test_a_parent_has_one_thread_and_ends_with_its_owner(tmp_path):
    owner = (
        "import time, os\nfrom retailkit.lab import kernels\n"
        "fork = kernels.WarmProcess('ipykernel', ['--version-that-is-not'], dict(os.environ), '/')\n"
        "sleeper = kernels.WarmProcess('time:sleep', [], dict(os.environ), '/')\n"
        "print(kernels._parent.process.pid, len(os.listdir(f'/proc/{kernels._parent.process.pid}/task')), flush=True)\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", owner], stdout=subprocess.PIPE, text=True)
    parent, threads = map(int, process.stdout.readline().split())
    assert threads == 1
    process.kill()
    process.wait()
    assert _gone([parent])


def _gone(pids, patience: float = 10.0) -> bool:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids):
            return True
        time.sleep(0.05)
    return False


def test_a_fork_says_how_it_ended(monkeypatch, tmp_path):
    monkeypatch.setenv(kernels.IMPORTS_VARIABLE, "json")
    fork = kernels.WarmProcess("os:_exit", [], dict(os.environ), str(tmp_path))
    assert fork.wait(10) == 1, "a call that raises ends with 1"
    slow = kernels.WarmProcess("retailkit.lab.pool:serve_nothing", [], dict(os.environ), str(tmp_path))
    assert slow.wait(10) == 1


def test_a_kernel_that_is_killed_takes_its_children_along(tmp_path, monkeypatch):
    monkeypatch.setenv(kernels.IMPORTS_VARIABLE, "json")
    started = "import subprocess\nchild = subprocess.Popen(['sleep', '60']).pid\nprint(child)"
    [[output], *_] = execute([started], True, tmp_path)
    assert _gone([int(output["text"])])


def test_an_import_that_starts_a_thread_is_found_out(tmp_path, monkeypatch):
    (tmp_path / "threaded.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(9,), daemon=True).start()"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv(kernels.IMPORTS_VARIABLE, "json,threaded")
    with pytest.raises(kernels.NoFork, match="importing threaded starts a thread"):
        kernels.WarmProcess(warm.KERNEL, [], dict(os.environ), str(tmp_path))
    with pytest.warns(UserWarning, match="An ordinary kernel is started, since importing threaded starts a thread"):
        [[output]] = execute(["1 + 1"], True, tmp_path)
    assert output["data"] == {"text/plain": "2"}


def test_elsewhere_than_on_linux_kernels_are_ordinary(tmp_path, monkeypatch):
    monkeypatch.setattr(kernels.sys, "platform", "darwin")
    with pytest.warns(UserWarning, match="and this is darwin"):
        [[output]] = execute(["1 + 1"], True, tmp_path)
    assert output["data"] == {"text/plain": "2"}


def test_a_kernel_reads_retailkit_as_it_is_and_brings_none_of_it_along(tmp_path, monkeypatch):
    monkeypatch.setenv(kernels.IMPORTS_VARIABLE, "retailkit.lab.charts")
    found = execute(["import sys\n[name for name in sys.modules if name.startswith('retailkit')]"], True, tmp_path)
    assert found[0][0]["data"]["text/plain"] == "[]"
