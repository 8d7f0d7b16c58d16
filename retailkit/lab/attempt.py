"""One run of a sweep: executed by a worker, recorded with its page, exactly once.

A worker may be killed at any moment, and another take its place. So each attempt first looks what earlier ones
left: a finished run is taken as it is, anything else of the same key is marked KILLED. A run counts as finished
only when its page is kept and its key is written, which is the last thing that an attempt does.
"""

import hashlib
import os
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from retailkit.lab import freshness, project, safe, tracking
from retailkit.lab.source import Source

if TYPE_CHECKING:
    from mlflow import MlflowClient

ATTEMPT, KEY = "attempt", "key"  # a run's tags: what was asked for, and what came of it
ABANDONED = "abandoned"  # tag of a run that another took the place of: it must not finish, should it go on
_READERS = re.compile(r"\b(read_runs|read_estimates|compare_runs)\b")


@dataclass(frozen=True)
class Task:
    """What a worker needs to know of one run.

    Attributes
    ----------
    notebook, text : str
        File and content of the notebook: a worker on another machine may not have it.
    parameters : dict
        Those given, checked.
    key : str
        Of the notebook and all its parameters, defaults included.
    sweep : str
        Id of the sweep's own run.
    study : str
        Where a run is recorded that the notebook did not start itself.
    minutes, megabytes : float or None
        Limits.
    threads : int or None
        How many the numeric libraries of a kernel may use, where the machine is shared by several.
    warm : bool
        Take a warm kernel.
    tracking_uri : str
        Empty for the project's own database.
    """

    notebook: str
    text: str
    parameters: dict[str, Any]
    key: str
    sweep: str
    study: str
    minutes: float | None = None
    megabytes: float | None = None
    threads: int | None = None
    warm: bool = True
    tracking_uri: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came of a task; `status` is ``finished`` or ``failed``."""

    key: str
    status: str
    run_id: str
    error: str = ""
    answer: str = ""
    seconds: float = 0.0
    attempts: int = 1
    metrics: dict[str, float] = field(default_factory=dict)


def attempt(task: Task) -> Outcome:
    """Do a task: at most twice, where the kernel dies; what goes wrong is in the outcome, never raised."""
    started = time.monotonic()
    if task.tracking_uri:
        os.environ["MLFLOW_TRACKING_URI"] = task.tracking_uri
    try:
        client = tracking.open_database()
        if found := settle_earlier(client, task):
            return found
        came, died = _once(client, task)
        if died:
            client.set_terminated(came.run_id, "KILLED")
            came = replace(_once(client, task)[0], attempts=2)
        return replace(came, seconds=time.monotonic() - started)
    except Exception as error:  # the record cannot be reached, or the disk is full: this run's failure, not the sweep's
        return Outcome(task.key, "failed", "", f"{type(error).__name__}: {error}", seconds=time.monotonic() - started)


def settle_earlier(client: "MlflowClient", task: Task) -> Outcome | None:
    """Return what an earlier attempt finished in this sweep; mark those that were abandoned."""
    from retailkit.lab import records

    asked = f"tags.{ATTEMPT} = '{task.key}' and tags.`mlflow.parentRunId` = '{task.sweep}'"
    found = None
    for run in tracking.every_run(client, asked):
        if run.data.tags.get(KEY) and run.info.status == "FINISHED":
            if not records.changed_since(run):
                found = outcome(task.key, run)
        elif run.info.status in ("RUNNING", "FINISHED"):
            client.set_tag(run.info.run_id, ABANDONED, "true")
            client.set_terminated(run.info.run_id, "KILLED")
    return found


def outcome(key: str, run: Any) -> Outcome:
    """What a finished run says."""
    return Outcome(key, "finished", run.info.run_id, answer=run.data.tags.get("answer", ""), metrics=run.data.metrics)


def _once(client: "MlflowClient", task: Task) -> tuple[Outcome, bool]:
    """Execute, keep what came of it, and tell whether the kernel died."""
    import nbformat

    from retailkit.lab import engine, execute, provenance, records, render

    source = Source(Path(task.notebook), task.text)
    secrets = safe.secrets_among(task.parameters)
    tags = {"mlflow.parentRunId": task.sweep, ATTEMPT: task.key, provenance.DIGEST: source.digest}
    values = {**source.defaults(), **task.parameters}
    modules = freshness.every_module() if "retailkit" in task.text else []
    began = freshness.stands_on(values, modules)
    with tempfile.TemporaryDirectory(prefix=_scratch_name(os.getpid()), dir=project.folder(".cache")) as scratch:
        executed, log = Path(scratch, source.path.name), Path(scratch, "log.txt")
        watch = engine.Watch(task.minutes, task.megabytes, log)
        ending = execute.execute(
            source, executed, task.parameters, tags=tags, warm=task.warm, threads=task.threads, watch=watch
        )
        run_id = str(provenance.passport(nbformat.read(executed, as_version=4)).get("run_id", ""))
        stood = freshness.since(began, values, modules)
        if run_id:
            _, error = execute.settle(run_id, ending.error)
        else:
            error = ending.error
            run_id = _record(client, task, tags, source, error)
            if not error and not _READERS.search(task.text):  # else nobody knows which runs it read
                client.set_tag(run_id, freshness.TAG, freshness.to_text(stood))
        render.attach(executed, run_id)
        log.write_text(safe.scrub(log.read_text(encoding="utf-8"), secrets), encoding="utf-8")
        records.attach(run_id, log, "log")
    if error:
        error = safe.scrub(error, secrets)
        client.set_tag(run_id, "error", error[:500])
        return Outcome(task.key, "failed", run_id, error), ending.died and not watch.out_of_time
    return _seal(client, run_id, task, stood["data"]), False


def _scratch_name(process: int) -> str:
    return f"sweep-{socket.gethostname()}-{process}-"


def tidy() -> None:
    """Remove what attempts of this machine left on the disk that were killed: unscrubbed notebooks among it."""
    for place in project.folder(".cache").glob(f"sweep-{socket.gethostname()}-*"):
        process = place.name.removeprefix(f"sweep-{socket.gethostname()}-").partition("-")[0]
        if process.isdigit() and not psutil.pid_exists(int(process)):
            shutil.rmtree(place, ignore_errors=True)


def _record(client: "MlflowClient", task: Task, tags: Mapping[str, str], source: Source, error: str) -> str:
    """Record a run for a notebook that started none itself."""
    from mlflow.entities import Param, RunTag

    from retailkit.lab import records, runs

    known = {**tags, "study": task.study, "notebook": source.path.name, "process": records.this_process()}
    run = client.create_run(tracking.experiment(client, task.study), run_name=source.path.stem, tags=known)
    values = {**source.defaults(), **task.parameters}
    client.log_batch(
        run.info.run_id,
        params=[Param(name, str(runs.recorded(name, value))) for name, value in values.items()],
        tags=[RunTag("seed", str(values["seed"]))] if "seed" in values else [],
    )
    client.set_terminated(run.info.run_id, "FAILED" if error else "FINISHED")
    return str(run.info.run_id)


def _seal(client: "MlflowClient", run_id: str, task: Task, data: Mapping[str, Any]) -> Outcome:
    """Write the key of what came of a task, last of all: its page is kept by now.

    Where another attempt was declared the heir, or has sealed the same already, this one is given up.
    """
    stood = freshness.from_text(client.get_run(run_id).data.tags.get(freshness.TAG, ""))
    if "unknown" not in stood:
        stood["data"] = {**data, **stood.get("data", {})}
        client.set_tag(run_id, freshness.TAG, freshness.to_text(stood))
    key = hashlib.sha256(f"{task.key}{freshness.to_text(stood)}".encode()).hexdigest()[:32]
    with tracking.alone("seal"):
        run = client.get_run(run_id)
        others = tracking.every_run(client, f"attributes.status = 'FINISHED' and tags.{KEY} = '{key}'")
        others = [] if "unknown" in stood else [other for other in others if other.info.run_id != run_id]
        if run.data.tags.get(ABANDONED) or others:
            client.set_terminated(run_id, "KILLED")
            if others:
                return outcome(task.key, others[0])
            return Outcome(task.key, "failed", run_id, "another attempt has taken its place")
        client.set_tag(run_id, KEY, key)
    return outcome(task.key, run)
