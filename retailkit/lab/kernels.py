"""Warm kernels: the heavy libraries are imported once, and every notebook gets a fork of that process.

A fork is a real ipykernel with a process of its own, ready in a fraction of the time and memory. It is reached
through jupyter_client's own extension point, so that papermill, nbclient and JupyterLab can all use it:

    papermill --kernel retailkit-warm in.ipynb out.ipynb

Where there is no fork to be had (Windows, macOS, a library that starts a thread when imported), the provisioner
starts an ordinary kernel instead.
"""

import asyncio
import atexit
import contextlib
import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path
from typing import Any

from jupyter_client.provisioning import LocalProvisioner

from retailkit.lab import project, warm

ADDRESS_VARIABLE = "RETAILKIT_WARM_PARENT"  # socket of a warm parent that somebody else keeps
IMPORTS_VARIABLE = "RETAILKIT_WARM_IMPORTS"  # modules, by commas, in place of those below
WORKER_NEEDS = "mlflow.store.tracking.sqlalchemy_store"  # of those below; what follows is for notebooks
IMPORTS = (
    "numpy", "pandas", "mlflow", "filelock", "alembic.command", "sqlalchemy.dialects.sqlite",
    "mlflow.store.tracking.sqlalchemy_workspace_store", "mlflow.store.tracking.sqlalchemy_store",
    "ipykernel.kernelapp", "ipykernel.ipkernel", "ipykernel.zmqshell", "ipykernel.debugger", "IPython.core.completer",
    "git", "matplotlib.pyplot", "scipy.stats", "seaborn", "torch", "ultralytics", "ultralytics.models.yolo",
)  # fmt: skip
_ALLOCATORS = ("JE_ARROW_MALLOC_CONF", "_RJEM_MALLOC_CONF")  # of pyarrow and polars: they may tidy up in a thread
_LAUNCHER = ["-m", "ipykernel_launcher"]
_INLINE = "module://matplotlib_inline.backend_inline"  # what a kernel tells matplotlib, before it is imported


class NoFork(RuntimeError):
    """There is no fork to be had here; the message says why."""


class WarmProcess:
    """A fork of the warm parent, handled as `subprocess.Popen` is."""

    stdin = stdout = stderr = None

    def __init__(
        self, call: str, arguments: list[str], env: dict[str, str], cwd: str, *channels: int, after: str = ""
    ) -> None:
        self.args = [call, *arguments]
        self.returncode: int | None = None
        self._heard = b""
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        request = {"call": call, "arguments": arguments, "env": env, "cwd": cwd, "after": after}
        try:
            self._line.connect(parent_address())
            _send(self._line, request, [1, 2, *channels])
            told = self._news(None)
        except OSError as error:
            self._line.close()
            raise NoFork(f"the warm parent does not answer ({error})") from error
        if "pid" not in told:
            self._line.close()
            raise NoFork(told.get("error") or "the warm parent has ended")
        self.pid = int(told["pid"])

    def _news(self, patience: float | None) -> dict[str, Any]:
        """Return the next line from the parent; empty where none came in time; an end where the parent is gone."""
        self._line.settimeout(patience)
        try:
            while b"\n" not in self._heard:
                part = self._line.recv(4096)
                if not part:
                    return {"code": -signal.SIGKILL}  # forks die with their parent
                self._heard += part
        except (BlockingIOError, TimeoutError):
            return {}
        except OSError:
            return {"code": -signal.SIGKILL}
        line, _, self._heard = self._heard.partition(b"\n")
        return dict(json.loads(line))

    def poll(self) -> int | None:
        """Return how the process ended: its exit code, a signal as a negative number; None while it runs."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end.

        Raises
        ------
        subprocess.TimeoutExpired
            It runs still after `timeout` seconds.
        """
        code = self._look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def _look(self, patience: float | None) -> int | None:
        if self.returncode is None and (told := self._news(patience)):
            self.returncode = int(told["code"])
            self._line.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal to the process, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


def _send(line: socket.socket, request: dict[str, Any], descriptors: list[int]) -> None:
    content = json.dumps(request).encode() + b"\n"
    sent = socket.send_fds(line, [content[:1024]], descriptors)
    line.sendall(content[sent:])


class _Parent:
    """The warm parent of this process: started when first needed, ended with the process."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.folder = _short_folder()
        self.address = str(self.folder / "parent")
        environment = {**os.environ, **dict.fromkeys(project.THREADS, "1")}  # threads must not be there to fork
        environment |= dict.fromkeys(_ALLOCATORS, "background_thread:false")
        environment.setdefault("MPLBACKEND", _INLINE)
        named = os.environ.get(IMPORTS_VARIABLE)
        modules = [name for name in named.split(",") if name] if named is not None else list(IMPORTS)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "retailkit.lab.warm", self.address, *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
        atexit.register(self.close)

    def close(self) -> None:
        """Close the lifeline, and wait until the parent and its forks have ended."""
        if os.getpid() != self.owner or not self.process.stdin:
            return
        atexit.unregister(self.close)
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


_parent: _Parent | None = None
_lock = threading.Lock()


def start_parent() -> str:
    """Start this process's warm parent, if it has none, and return its address without waiting for its imports.

    Raises
    ------
    NoFork
        This system cannot fork safely.
    """
    global _parent
    if shared := os.environ.get(ADDRESS_VARIABLE):
        return shared
    if sys.platform != "linux":
        raise NoFork(f"forks of a process with compiled libraries are safe on Linux, and this is {sys.platform}")
    with _lock:
        if not _parent or _parent.owner != os.getpid() or _parent.process.poll() is not None:
            if _parent:
                _parent.close()
            _parent = _Parent()
        return _parent.address


def parent_address(patience: float = 30) -> str:
    """Return the address of a warm parent that listens (it may still be importing).

    Raises
    ------
    NoFork
        See :func:`start_parent`; or it did not get as far as listening in `patience` seconds.
    """
    address = start_parent()
    deadline = time.monotonic() + patience
    while not Path(address).exists():
        ended = _parent and _parent.address == address and _parent.process.poll() is not None
        if ended or time.monotonic() > deadline:
            raise NoFork("the warm parent did not start")
        time.sleep(0.01)
    return address


def close_parent() -> None:
    """End this process's warm parent and all its forks."""
    global _parent
    with _lock:
        if _parent:
            _parent.close()
        _parent = None


def _short_folder() -> Path:
    """Make a folder of one's own with a name short enough for sockets, which may have 107 letters."""
    usual = tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix="rk-", dir=usual if len(usual) < 60 else "/tmp"))


class WarmProvisioner(LocalProvisioner):
    """Kernels forked from a warm parent, reached over sockets in the file system, not over ports."""

    _folder: Path | None = None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Give the kernel sockets in a folder of its own: no port to race for, nothing on the network."""
        if self.parent and self.parent.transport == "tcp" and not self.has_process and sys.platform == "linux":
            self._folder = Path(tempfile.mkdtemp(prefix="k", dir=Path(start_parent()).parent))  # the parent tidies up
            self.parent.transport, self.parent.ip = "ipc", str(self._folder / "kernel")
            self.parent.cache_ports = False
        return await super().pre_launch(**kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Fork a kernel; start an ordinary one where there is no fork to be had, and warn once why."""
        if cmd[1:3] != _LAUNCHER or Path(cmd[0]).resolve() != Path(sys.executable).resolve():
            return await super().launch_kernel(cmd, **kwargs)
        env, cwd = dict(kwargs.get("env") or os.environ), str(kwargs.get("cwd") or os.getcwd())
        env.pop(ADDRESS_VARIABLE, None)
        try:
            fork: Any = functools.partial(WarmProcess, warm.KERNEL, cmd[3:], env, cwd)
            self.process = await asyncio.get_running_loop().run_in_executor(None, fork)
        except NoFork as reason:
            warnings.warn(f"An ordinary kernel is started, since {reason}", stacklevel=2)
            return await super().launch_kernel(cmd, **kwargs)
        self.pid = self.pgid = self.process.pid  # type: ignore[union-attr]
        return self.connection_info

    async def cleanup(self, restart: bool = False) -> None:
        """Remove the kernel's sockets."""
        await super().cleanup(restart=restart)
        if self._folder and not restart:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
