"""Local worker processes as a `concurrent.futures.Executor`: forks of the warm parent.

    with WarmPool(workers=2) as pool:
        pool.submit(abs, -3).result()      # 3, worked out by another process

It differs from `ProcessPoolExecutor` where that matters here: a worker starts with everything imported, a
worker that dies fails its own task alone, and none outlives the process that made the pool.
"""

import concurrent.futures
import contextlib
import os
import pickle
import queue
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

from retailkit.lab import kernels, project

_LENGTH = struct.Struct("!Q")


class WorkerDied(RuntimeError):
    """The process that worked on a task was killed."""


class WarmPool(concurrent.futures.Executor):
    """Worker processes that take one task after the other; threads of this process where no fork is to be had.

    Parameters
    ----------
    workers : int
        How many work at the same time.

    Raises
    ------
    retailkit.lab.kernels.NoFork
        This system cannot fork safely.
    """

    def __init__(self, workers: int) -> None:
        kernels.start_parent()
        self._threads = concurrent.futures.ThreadPoolExecutor(workers, thread_name_prefix="warm-pool")
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._all: set[_Worker] = set()
        self._lock = threading.Lock()

    def submit(self, call: Callable[..., Any], /, *given: Any, **named: Any) -> "concurrent.futures.Future[Any]":
        """Have a worker call something; what it raises is raised by the future, `WorkerDied` where it was killed."""
        return self._threads.submit(self._work, (call, given, named))

    def _work(self, task: tuple[Any, ...]) -> Any:
        try:
            worker = self._idle.get_nowait()
        except queue.Empty:
            try:
                worker = _Worker()
            except kernels.NoFork:  # found out late: some import has started a thread
                call, given, named = task
                return call(*given, **named)
            with self._lock:
                self._all.add(worker)
        try:
            went_well, found = worker.ask(task)
        except (OSError, EOFError) as error:
            worker.end()
            with self._lock:
                self._all.discard(worker)
            raise WorkerDied(f"the worker process {worker.process.pid} ended with {worker.process.wait(5)}") from error
        self._idle.put(worker)
        if went_well:
            return found
        raise found

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the workers: after their tasks, or at once where the others are cancelled and nobody waits."""
        if not wait and cancel_futures:
            self.kill()
        self._threads.shutdown(wait=wait, cancel_futures=cancel_futures)
        if wait:
            self.kill()

    def kill(self) -> None:
        """End the workers, whatever they do."""
        with self._lock:
            while self._all:
                self._all.pop().end()


class _Worker:
    """One worker, seen from the pool."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        environment = {**os.environ, kernels.ADDRESS_VARIABLE: kernels.start_parent()}
        with theirs:
            self.process = kernels.WarmProcess(
                f"{__name__}:serve", [], environment, os.getcwd(), theirs.fileno(), after=kernels.WORKER_NEEDS
            )
        self._line = ours

    def ask(self, task: tuple[Any, ...]) -> tuple[bool, Any]:
        """Hand a task over and wait for what comes of it."""
        _send(self._line, pickle.dumps(task))
        went_well, found = pickle.loads(_receive(self._line))
        return went_well, found

    def end(self) -> None:
        """End the process, which takes its kernels along."""
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        self._line.close()
        with contextlib.suppress(OSError):
            self.process.kill()


def serve(channel: int) -> None:
    """Be a worker: take tasks until the pool ends."""
    project.spare_grammar()
    with socket.socket(fileno=channel) as line:
        while True:
            try:
                call, given, named = pickle.loads(_receive(line))
            except (EOFError, ConnectionError):
                return
            _send(line, _outcome(call, given, named))


def _outcome(call: Callable[..., Any], given: Any, named: Any) -> bytes:
    """Call, and pickle what comes of it; what cannot be pickled is told in words."""
    try:
        return pickle.dumps((True, call(*given, **named)))
    except Exception as error:
        try:
            content = pickle.dumps((False, error))
            pickle.loads(content)
        except Exception:
            content = pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))
        return content


def _send(line: socket.socket, content: bytes) -> None:
    line.sendall(_LENGTH.pack(len(content)) + content)


def _receive(line: socket.socket) -> bytes:
    """Read one message.

    Raises
    ------
    EOFError
        The other side has ended.
    """
    (length,) = _LENGTH.unpack(_exactly(line, _LENGTH.size))
    return _exactly(line, length)


def _exactly(line: socket.socket, length: int) -> bytes:
    content = bytearray()
    while len(content) < length:
        part = line.recv(min(length - len(content), 2**20))
        if not part:
            raise EOFError("the other process has ended")
        content += part
    return bytes(content)
