"""How a notebook is executed: papermill's own engine, with a log of its own, limits, and a cap on what it prints.

Imported by `retailkit.lab.execute` when a notebook runs, since papermill takes a second.
"""

import contextlib
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from typing import IO, Any

import psutil
from nbclient.exceptions import CellControlSignal
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError

from retailkit.lab import warm

NAME = "retailkit"
MOST_PRINTED = 500_000  # characters of one stream in one cell that are kept
_PACE = 0.25  # seconds between two looks at a kernel
FAILURES = (PapermillExecutionError, CellControlSignal, RuntimeError)  # a cell raised; took too long; the kernel died


class Watch:
    """Ends a kernel that takes too long or too much memory, and keeps its log.

    Parameters
    ----------
    minutes, megabytes : float, optional
        Limits of the whole run; memory is what the kernel and the processes it started have for themselves, with
        their share of what they have in common with others.
    log : Path, optional
        Where what the cells print goes.

    Attributes
    ----------
    reason : str
        Why the kernel was ended; empty where it was not.
    out_of_time : bool
        Whether that was the limit of time.
    code : int or None
        How the kernel's process ended, where that could be asked.
    """

    def __init__(self, minutes: float | None = None, megabytes: float | None = None, log: Path | None = None) -> None:
        self.minutes, self.megabytes = minutes, megabytes
        self.reason, self.out_of_time = "", False
        self.code: int | None = None
        self._log: IO[str] | None = log.open("a", encoding="utf-8") if log else None
        self._over = threading.Event()

    def begin(self, pid: int | None) -> None:
        """Watch a kernel's process from now on."""
        if pid and (self.minutes or self.megabytes):
            threading.Thread(target=self._look, args=(pid, time.monotonic()), daemon=True).start()

    def end(self) -> None:
        """Watch no longer."""
        self._over.set()
        if self._log:
            self._log.close()

    def write(self, text: str) -> None:
        """Write to the log, if there is one."""
        if self._log and not self._log.closed:
            self._log.write(text)
            self._log.flush()

    def _look(self, pid: int, started: float) -> None:
        while not self._over.wait(_PACE):
            if self.minutes and time.monotonic() - started > 60 * self.minutes:
                self.out_of_time = True
                self.reason = f"it took longer than its limit of {self.minutes:g} minutes"
            elif self.megabytes and (used := memory(pid)) > self.megabytes:
                self.reason = f"it used {used:.0f} MB of memory, and its limit is {self.megabytes:g} MB"
            if self.reason:
                warm.kill_group(pid)
                return


def memory(pid: int) -> float:
    """Measure the memory of a process and all that it started, in megabytes: each page divided by its users."""
    total = 0
    with contextlib.suppress(psutil.Error):
        kernel = psutil.Process(pid)
        for process in (kernel, *kernel.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                known = process.memory_full_info()
                total += getattr(known, "pss", 0) or known.rss
    return total / 2**20


class _Client(PapermillNotebookClient):
    """nbclient, watched."""

    def __init__(self, *given: Any, watch: Watch, **options: Any) -> None:
        super().__init__(*given, **options)
        self.watch = watch
        self.process: Any = None
        self.printed: Counter[tuple[int, str]] = Counter()  # characters, by cell and stream

    def start_new_kernel(self, **options: Any) -> None:
        super().start_new_kernel(**options)
        provisioner = self.km.provisioner
        self.process = getattr(provisioner, "process", None)
        self.watch.begin(getattr(provisioner, "pid", None))

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        if msg["msg_type"] == "stream":
            msg["content"]["text"] = self._kept(msg["content"], cell_index)
            if not msg["content"]["text"]:
                return None
        return super().process_message(msg, cell, cell_index)

    def _kept(self, content: dict[str, Any], cell_index: int) -> str:
        """Log what is printed, and drop what goes beyond the cap, saying so once."""
        place = (cell_index, content["name"])
        before = self.printed[place]
        self.printed[place] = after = before + len(content["text"])
        kept = str(content["text"][: max(0, MOST_PRINTED - before)])
        if before < MOST_PRINTED < after:
            kept += f"\n[More was printed: of each stream of a cell {MOST_PRINTED:,} characters are kept.]\n"
        self.watch.write(kept)
        return kept

    def ended(self) -> int | None:
        """Return how the kernel's process ended; None where it runs, or that cannot be told."""
        poll = getattr(self.process, "poll", None)
        return poll() if poll else None


class Engine(NBClientEngine):
    """papermill's engine, with a `Watch`."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        *,
        watch: Watch,
        kernel_manager_class: type,
        start_timeout: float = 60,
        **options: Any,
    ) -> Any:
        """Execute the notebook; the watch ends with it."""
        client = _Client(
            nb_man,
            watch=watch,
            kernel_name=kernel_name,
            kernel_manager_class=kernel_manager_class,
            startup_timeout=start_timeout,
            timeout=None,
        )
        try:
            return client.execute()
        except RuntimeError:
            watch.code = client.ended()
            raise
        finally:
            watch.end()


def explain(error: Exception, watch: Watch) -> str:
    """Say in one line what went wrong."""
    if watch.reason:
        return f"KernelKilled: {watch.reason}"
    if isinstance(error, PapermillExecutionError):
        return f"cell {error.exec_count}: {error.ename}: {error.evalue}"
    return f"{type(error).__name__}: {_end(watch.code) or error}"


def _end(code: int | None) -> str:
    if code is None:
        return ""
    if code < 0:
        return f"the kernel was ended by {signal.Signals(-code).name}, from outside or by a fault in compiled code"
    return f"a cell ended the kernel with exit code {code} (exit(), quit() or os._exit)"


papermill_engines.register(NAME, Engine)
