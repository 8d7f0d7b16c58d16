"""The warm parent: one process that imports the heavy libraries once, and forks whoever needs them.

    python -m retailkit.lab.warm SOCKET MODULE ...        # its standard input is its lifeline: closed, it ends

It does no tensor work, opens no database and starts no thread, so that a fork of it is a process as good as new.
Whoever wants a fork connects to SOCKET, sends one line of JSON with the file descriptors of its standard output
and error, and is told the process id, and later how the process ended. A connection that is closed before that
kills the fork and what it started: an owner that dies leaves no orphan. Used by `retailkit.lab.kernels`.
"""

import array
import atexit
import contextlib
import ctypes
import gc
import importlib
import importlib.abc
import importlib.machinery
import json
import os
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

KERNEL = "ipykernel"  # the call that makes a fork an ordinary kernel
LONGEST = 4 * 2**20  # bytes of a request: the environment is most of it
NOT_HERE = ("polars",)  # starts a thread when imported: a fork that needs it imports it itself
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux's prctl

Body = Callable[[], int]


def main(arguments: list[str]) -> int:
    """Listen, import, then fork on request until the lifeline closes; in a fork, become what was asked for."""
    address, modules = arguments[0], arguments[1:]
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # Ctrl-C is the owner's affair, who closes the lifeline
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(f"{address}~")
        listener.listen(64)
        os.rename(f"{address}~", address)  # there only once somebody answers
        body = _Parent(listener, address, modules).serve()
    if body:
        _leave(body())
    return 0


def _import(name: str) -> str:
    """Import what can be imported; say if that started a thread, after which forking is not safe."""
    before = _settings()
    sys.modules.update(dict.fromkeys(NOT_HERE))  # type: ignore[arg-type]
    with contextlib.suppress(Exception):  # it is missing or broken: the notebook that needs it will say so
        importlib.import_module(name)
    for absent in NOT_HERE:
        if sys.modules.get(absent) is None:
            sys.modules.pop(absent, None)
    after = _settings()
    if any((set_by := _difference(before, after)).values()):
        _postponed.setdefault(name.partition(".")[0], []).append(set_by)
        _set(_difference(after, before))
    return f"importing {name} starts a thread" if threads() > 1 else ""


def _leave(code: int) -> NoReturn:
    """End a fork as a process ends, its exit handlers run, but for taking apart what it shares with the parent.

    That would copy each page of it, which takes most of a second.
    """
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # waits for the threads that are no daemons
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    finally:
        os._exit(code)


Settings = dict[str, dict[str, Any]]
_postponed: dict[str, list[Settings]] = {}  # by package: what its import set for the whole process


def _settings() -> Settings:
    """What an import may set for the whole process, and would not in a notebook that does not import it."""
    numpy = sys.modules.get("numpy")
    return {"environment": dict(os.environ), "numpy": numpy.get_printoptions() if numpy else {}}


def _difference(before: Settings, after: Settings) -> Settings:
    return {
        kind: {name: value for name, value in values.items() if before[kind] and before[kind].get(name) != value}
        for kind, values in after.items()
    }


def _set(settings: Settings) -> None:
    os.environ.update(settings["environment"])
    if settings["numpy"]:
        importlib.import_module("numpy").set_printoptions(**settings["numpy"])


class _Postponed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Hands an imported package out when the notebook imports it, and sets then what its import set."""

    def __init__(self) -> None:
        self.kept = {name: sys.modules.pop(name) for name in _postponed if name in sys.modules}
        self.specs = {name: module.__spec__ for name, module in self.kept.items()}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Find a package that was kept back."""
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if name in self.kept else None

    def create_module(self, spec: Any) -> Any:
        """Hand it out."""
        return self.kept.pop(spec.name)

    def exec_module(self, module: Any) -> None:
        """Set what it sets."""
        module.__spec__ = self.specs[module.__name__]
        for settings in _postponed[module.__name__]:
            _set(settings)


def threads() -> int:
    """Count this process's threads, those of compiled libraries included where the system tells."""
    with contextlib.suppress(OSError):
        return len(os.listdir("/proc/self/task"))
    return len(sys._current_frames())


class _Parent:
    """The loop: connections in, forks out."""

    def __init__(self, listener: socket.socket, address: str, modules: list[str]) -> None:
        self.listener, self.address, self.modules = listener, address, modules
        self.trouble, self.ended = "", False
        self.waiting: list[tuple[socket.socket, dict[str, Any], list[int]]] = []
        self.children: dict[int, socket.socket] = {}
        self.bell, ringer = socket.socketpair()
        self.ringer = ringer
        for end in (self.bell, ringer, listener):
            end.setblocking(False)

    def serve(self) -> Body | None:
        """Return what a fork has to do, in the fork; None in the parent, at its end."""
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self.ringer.fileno(), warn_on_full_buffer=False)
        with selectors.DefaultSelector() as selector:
            for source in (sys.stdin, self.listener, self.bell):
                selector.register(source, selectors.EVENT_READ)
            while not self.ended:
                if body := self._grow(selector) or self._heed(selector):
                    return body
        return None

    def _heed(self, selector: Any) -> Body | None:
        """Take what has come in: the owner's end, a fork's end, a connection, a request."""
        for key, _ in selector.select(0 if self.modules or self.waiting else None):
            if key.fileobj is sys.stdin:
                self._end()
                return None
            if key.fileobj is self.bell:
                self._reap(selector)
            elif key.fileobj is self.listener:
                selector.register(self.listener.accept()[0], selectors.EVENT_READ)
            elif body := self._hear(key.fileobj, selector):
                return body
        return None

    def _grow(self, selector: Any) -> Body | None:
        """Import one more module; after the last, serve those who waited."""
        if self.modules:
            self.trouble = self.trouble or _import(self.modules.pop(0))
            if not self.modules:
                gc.collect()
                gc.freeze()  # the collector must not touch, and so copy, what forks share
        for request in [request for request in self.waiting if not self._must_wait(request[1])]:
            self.waiting.remove(request)
            if body := self._fork(*request, selector):
                return body
        return None

    def _must_wait(self, request: dict[str, Any]) -> bool:
        """Whether modules that the fork needs are still to come."""
        return bool(self.modules) and (not request.get("after") or request["after"] in self.modules)

    def _hear(self, connection: Any, selector: Any) -> Body | None:
        """A request, or the end of an owner."""
        selector.unregister(connection)
        if owned := [pid for pid, owner in self.children.items() if owner is connection]:
            kill_group(owned[0])  # the connection is closed when the fork has been reaped
            return None
        request, descriptors = receive(connection)
        if request is None:
            _close(connection, *descriptors)
        elif self._must_wait(request):
            self.waiting.append((connection, request, descriptors))
        else:
            return self._fork(connection, request, descriptors, selector)
        return None

    def _fork(self, connection: socket.socket, request: Any, descriptors: list[int], selector: Any) -> Body | None:
        if self.trouble:
            tell(connection, {"error": self.trouble})
            _close(connection, *descriptors)
            return None
        me = os.getpid()
        if pid := os.fork():
            _close(None, *descriptors)
            self.children[pid] = connection
            tell(connection, {"pid": pid})
            selector.register(connection, selectors.EVENT_READ)
            return None
        self._forget(connection)
        return lambda: become(request, descriptors, me)

    def _forget(self, connection: socket.socket) -> None:
        """In the fork: let go of everything that is the parent's."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _close(connection, *(end.detach() for end in (self.bell, self.ringer, *self.children.values())))
        for other, _, descriptors in self.waiting:  # or nobody would see the end of whom they are meant for
            _close(other, *descriptors)
        self.children.clear()
        self.waiting.clear()

    def _reap(self, selector: Any) -> None:
        with contextlib.suppress(BlockingIOError):
            self.bell.recv(4096)
        while self.children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            kill_group(pid)  # what it started and left behind
            connection = self.children.pop(pid)
            with contextlib.suppress(KeyError):
                selector.unregister(connection)
            tell(connection, {"code": os.waitstatus_to_exitcode(status)})
            _close(connection)

    def _end(self) -> None:
        self.ended = True
        for pid in self.children:
            kill_group(pid)
        for pid in self.children:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
        shutil.rmtree(os.path.dirname(self.address), ignore_errors=True)  # the kernels' sockets lie there too


def become(request: dict[str, Any], descriptors: list[int], parent: int) -> int:
    """In a fork: take over the caller's environment, folder and output, and run what was asked for.

    Parameters
    ----------
    request : dict
        ``after`` (the last module that the fork needs; empty for all), ``env``, ``cwd``, ``call`` (`KERNEL` or
        ``"module:function"``) and its ``arguments`` (texts).
    descriptors : list of int
        Standard output and standard error; further ones are handed to the call after the arguments.
    parent : int
        Process id of the warm parent, with which the fork dies.
    """
    os.setsid()
    _die_with(parent)
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    for target, descriptor in zip((1, 2), descriptors, strict=False):
        os.dup2(descriptor, target)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request["env"])
    if request["call"] == KERNEL:
        os.environ["JPY_PARENT_PID"] = str(parent)  # as a kernel's starter does
    os.chdir(request["cwd"])
    _refresh()
    try:
        _call(request["call"])(*request["arguments"], *descriptors[2:])
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _call(name: str) -> Callable[..., None]:
    """Find what to run: a kernel, which brings no module of ours along, or ``"module:function"``."""
    if name == KERNEL:
        return _run_kernel
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)  # type: ignore[no-any-return]


def _refresh() -> None:
    """Undo what a new process would not have inherited: names, randomness, times, threads, our own old source."""
    time.tzset()
    tempfile.tempdir = None
    stale = [name for name in sys.modules if name.partition(".")[0] == "retailkit"]  # it is read as it is today
    for name in (*stale, "tqdm.auto", "tqdm.autonotebook"):  # those two look for a notebook when imported
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, _Postponed())
    if mlflow := sys.modules.get("mlflow.data"):
        mlflow.__dict__["__getattr__"] = _from_polars
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()
    if torch := sys.modules.get("torch"):
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or cores or 1))


def _from_polars(name: str) -> Any:
    """Give mlflow.data what it would have had if polars had been there when it was imported."""
    if name != "from_polars":
        raise AttributeError(f"module 'mlflow.data' has no attribute '{name}'")
    return importlib.import_module("mlflow.data.polars_dataset").from_polars


def _run_kernel(*arguments: str) -> None:
    """Be an ordinary ipykernel."""
    from ipykernel.kernelapp import IPKernelApp

    sys.argv = ["ipykernel_launcher.py", *arguments]
    IPKernelApp.launch_instance(argv=[*arguments, f"--IPKernelApp.parent_handle={os.getppid()}"])


def _die_with(parent: int) -> None:
    """Linux ends us when the parent dies; elsewhere the closed connection has to do."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def kill_group(pid: int) -> None:
    """Kill a process and all of its group, if they are there."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def receive(connection: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """Read one line of JSON and the file descriptors that come with it; None at the end of the connection."""
    heard, descriptors = b"", []
    connection.settimeout(10)
    with contextlib.suppress(OSError):
        while not heard.endswith(b"\n") and len(heard) < LONGEST:
            part, ancillary, _, _ = connection.recvmsg(65536, socket.CMSG_SPACE(3 * 4))
            for _, _, data in ancillary:
                found = array.array("i")
                found.frombytes(data[: len(data) - len(data) % found.itemsize])
                descriptors += list(found)
            if not part:
                return None, descriptors
            heard += part
    connection.settimeout(None)
    return (json.loads(heard) if heard.endswith(b"\n") else None), descriptors


def tell(connection: socket.socket, news: dict[str, Any]) -> None:
    """Send one line of JSON, if anybody listens still."""
    with contextlib.suppress(OSError):
        connection.sendall(json.dumps(news).encode() + b"\n")


def _close(connection: socket.socket | None, *descriptors: int) -> None:
    if connection:
        connection.close()
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)


if __name__ == "__main__":
    sys.path = [place for place in sys.path if place not in ("", os.getcwd())]
    sys.exit(main(sys.argv[1:]))
