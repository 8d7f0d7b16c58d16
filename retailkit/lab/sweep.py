"""Sweeps: one notebook over a grid of parameters, in parallel, never twice the same, resumed where it stopped.

    frame = sweep("10-shelf-detector", {"seed": [0, 1, 2], "size": [160, 256]})
    frame[["seed", "size", "status", "answer"]]

A run is done when its notebook, its parameters and all that it stands on (data, imported modules of retailkit, runs
that it read, pinned packages) are as they are today: it is kept, not run again. So the same command resumes after a
crash, and a second one runs nothing.
"""

import concurrent.futures
import contextlib
import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retailkit.lab import attempt, freshness, grid, kernels, project, provenance, records, tracking
from retailkit.lab.attempt import Outcome, Task
from retailkit.lab.pool import WarmPool, WorkerDied
from retailkit.lab.source import Source, read

if TYPE_CHECKING:
    import pandas
    from mlflow import MlflowClient

LONGEST = 12 * 60.0  # minutes after which a run is ended, unless another limit is given
_PATIENCE = 0.5  # seconds between two looks at the bar
_ANSWERING = 10  # seconds that a scheduler has to answer


def sweep(
    notebook: str | Path,
    parameters: Any,
    *,
    where: str = "",
    workers: int | None = None,
    executor: concurrent.futures.Executor | None = None,
    scheduler: str = "",
    minutes: float | None = LONGEST,
    megabytes: float | None = None,
    keep_finished: bool = False,
    warm: bool = True,
    yes: bool = False,
    progress: bool = True,
) -> "pandas.DataFrame":
    """Run a notebook once for each row of a grid.

    Parameters
    ----------
    notebook : str or Path
        A path, or the bare name of one of the project's notebooks.
    parameters : path, mapping, list of mappings or pandas.DataFrame
        The grid; see :mod:`retailkit.lab.grid`.
    where : str
        Only the runs for which this holds: ``"seed < 2"``.
    workers : int, optional
        Runs at the same time on this machine, by default one for each core.
    executor : concurrent.futures.Executor, optional
        Who works instead of local processes. It is left open.
    scheduler : str
        Address of a Dask scheduler, ``tcp://…``; the record must then be an MLflow server.
    minutes, megabytes : float, optional
        Limits of time and memory for each run.
    keep_finished : bool
        Keep finished runs even where what they stand on has changed.
    warm : bool
        Take kernels that have the heavy libraries imported.
    yes : bool
        A grid of more than 10,000 runs is meant.
    progress : bool
        Show a bar.

    Returns
    -------
    pandas.DataFrame
        A row for each run, in the grid's order: its parameters, status (``finished``, ``kept`` where it was finished
        earlier, ``failed``), run_id, answer, error, seconds, attempts, and the figures that it recorded as
        ``metric.*``.

    Raises
    ------
    retailkit.lab.parameters.ParameterError
        The grid does not fit the notebook, or the notebook is no Python. Nothing has run then.
    retailkit.lab.project.ProjectError
        No such notebook, nowhere to record, nobody at the scheduler's address, or the same sweep is under way.
    """
    source = read(notebook)
    rows = grid.expand(parameters, source, many=yes, where=where)
    source.check_syntax()
    if executor and scheduler:
        raise project.ProjectError("Either an executor or a scheduler's address is wanted, not both")
    local = not (executor or scheduler)
    workers = _workers(workers)
    if scheduler:
        _refuse_shared_file()
    project.folder("mlruns/artifacts")
    threads = max(1, _cores() // workers) if local else None
    tasks = _tasks(source, rows, warm=warm, minutes=minutes, megabytes=megabytes, threads=threads)
    done = _finished(source, keep_finished)
    left = [task for task in tasks if task.key not in done]
    outcomes = {task.key: replace(done[task.key], status="kept") for task in tasks if task.key in done}
    if left and local and warm:
        _start_early()  # it imports while the record is opened
    if left or _is_open(tasks):
        attempt.tidy()
        with contextlib.ExitStack() as stack:
            cluster = stack.enter_context(_cluster(scheduler)) if scheduler and left else None
            lead = stack.enter_context(_Lead(tracking.open_database(), source, tasks))
            if left:
                place = stack.enter_context(_workplace(executor, cluster, workers))
                left = [replace(task, sweep=lead.id) for task in left]
                outcomes |= _work(left, place, len(outcomes), progress)
            lead.conclude(list(outcomes.values()))
    return _frame(rows, [outcomes[task.key] for task in tasks])


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _workers(asked: int | None) -> int:
    if asked is not None and (isinstance(asked, bool) or not isinstance(asked, int) or asked < 1):
        raise project.ProjectError(f"workers is {asked!r}: a whole number above 0 is wanted")
    return asked or _cores()


def _start_early() -> None:
    with contextlib.suppress(kernels.NoFork):
        kernels.start_parent()


def _tasks(source: Source, rows: list[grid.Row], **limits: Any) -> list[Task]:
    address = "" if tracking.database() else tracking.uri()
    defaults = source.defaults()
    return [
        Task(
            notebook=str(source.path),
            text=source.text,
            parameters=row,
            key=freshness.key(source.digest, {**defaults, **row}),
            sweep="",
            study=source.study,
            tracking_uri=address,
            **limits,
        )
        for row in rows
    ]


def _finished(source: Source, keep: bool) -> dict[str, Outcome]:
    """Runs of this very notebook that stand, by key of what was asked."""
    found = tracking.peek(provenance.DIGEST, source.digest)
    if found is None:
        asked = f"attributes.status = 'FINISHED' and tags.{provenance.DIGEST} = '{source.digest}'"
        found = tracking.every_run(tracking.open_database(), asked)
    runs = [run for run in found if run.data.tags.get(attempt.KEY) and run.info.status == "FINISHED"]
    facts = {text: freshness.from_text(text) for text in {run.data.tags.get(freshness.TAG, "") for run in runs}}
    reads = records.reads_today(
        {query for known in facts.values() for query in known.get("reads", {})}, source.path.name
    )
    stands = {text: keep or not freshness.changed(known, reads) for text, known in facts.items()}
    return {
        run.data.tags[attempt.ATTEMPT]: attempt.outcome(run.data.tags[attempt.ATTEMPT], run)
        for run in reversed(runs)
        if stands[run.data.tags.get(freshness.TAG, "")]
    }


def _name(tasks: list[Task]) -> str:
    return hashlib.sha256("".join(sorted(task.key for task in tasks)).encode()).hexdigest()[:32]


def _is_open(tasks: list[Task]) -> bool:
    """Tell whether this sweep was begun and never concluded, though all its runs are finished by now."""
    found = tracking.peek("sweep", _name(tasks))
    if found is None:
        found = tracking.every_run(tracking.open_database(), f"tags.sweep = '{_name(tasks)}'")
    return bool(found) and found[0].info.status != "FINISHED"


class _Lead:
    """The sweep's own run, which its runs are children of; the same grid finds the same one again."""

    def __init__(self, client: "MlflowClient", source: Source, tasks: list[Task]) -> None:
        self.client, self.total = client, len(tasks)
        with tracking.alone("sweep"):
            self._open(client, source, tasks)

    def _open(self, client: "MlflowClient", source: Source, tasks: list[Task]) -> None:
        name = _name(tasks)
        experiment = tracking.experiment(client, source.study)
        found = client.search_runs([experiment], f"tags.kind = '{records.SWEEP}' and tags.sweep = '{name}'")
        records.settle_abandoned(client)
        if found:
            self.id = str(found[0].info.run_id)
            self._refuse_twice(found[0])
            client.set_tag(self.id, "process", records.this_process())
            client.update_run(self.id, status="RUNNING")
        else:
            tags = {"kind": records.SWEEP, "sweep": name, "notebook": source.path.name, "study": source.study}
            tags |= {"process": records.this_process()}
            title = f"sweep of {source.path.stem}, {len(tasks)} runs"
            self.id = str(client.create_run(experiment, run_name=title, tags=tags).info.run_id)

    def _refuse_twice(self, run: Any) -> None:
        process = run.data.tags.get("process", "")
        if run.info.status == "RUNNING" and process != records.this_process() and not records.has_ended(process):
            host, _, rest = process.partition(" ")
            raise project.ProjectError(
                f"This sweep is under way (run {self.id}, process {rest.partition(' ')[0]} on {host}): wait for it or "
                "end it. If it is gone for good, mark that run as killed in MLflow"
            )

    def __enter__(self) -> "_Lead":
        return self

    def conclude(self, outcomes: list[Outcome]) -> None:
        """Record how many went how."""
        for status in ("finished", "kept", "failed"):
            self.client.log_metric(self.id, f"runs_{status}", sum(outcome.status == status for outcome in outcomes))
        self.client.log_metric(self.id, "runs", self.total)
        failed = any(outcome.status == "failed" for outcome in outcomes)
        self.client.set_terminated(self.id, "FAILED" if failed else "FINISHED")

    def __exit__(self, kind: type[BaseException] | None, *trouble: object) -> None:
        """Stopped: no run of this sweep goes on."""
        if kind:
            asked = f"attributes.status = 'RUNNING' and tags.`mlflow.parentRunId` = '{self.id}'"
            for run in tracking.every_run(self.client, asked):
                self.client.set_tag(run.info.run_id, attempt.ABANDONED, "true")
                self.client.set_terminated(run.info.run_id, "KILLED")
            self.client.set_terminated(self.id, "KILLED")


@dataclass(frozen=True)
class _Place:
    """Where work is done."""

    executor: concurrent.futures.Executor
    workers: int


@contextlib.contextmanager
def _workplace(executor: Any, cluster: Any, workers: int) -> Iterator[_Place]:
    """Open the executor that was asked for; a local one is ended at once where the sweep is stopped."""
    if executor:
        yield _Place(executor, workers)
        return
    if cluster:
        with cluster:  # closed, and its work cancelled, before the runs are settled
            yield _Place(cluster.get_executor(retries=2), sum(cluster.nthreads().values()) or 1)
        return
    pool = _local(workers)
    try:
        yield _Place(pool, workers)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    else:
        pool.shutdown()
    finally:
        kernels.close_parent()


def _local(workers: int) -> concurrent.futures.Executor:
    try:
        return WarmPool(workers)
    except kernels.NoFork:
        return concurrent.futures.ThreadPoolExecutor(workers)  # the kernels are processes all the same


def _refuse_shared_file() -> None:
    address = tracking.uri()
    if not address.startswith(("http://", "https://")):
        raise project.ProjectError(
            f"The workers of a cluster cannot share the record at '{tracking.redacted(address)}': start "
            "`mlflow server` where all of them reach it, and set MLFLOW_TRACKING_URI to its http:// address"
        )


def _cluster(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise project.ProjectError("A scheduler wants Dask: pip install 'retailkit[cluster]'") from error
    try:
        return Client(address, timeout=_ANSWERING, set_as_default=False)
    except (OSError, ValueError) as error:
        raise project.ProjectError(
            f"Nobody answers at '{address}' ({type(error).__name__}): start a scheduler there, "
            "with `dask scheduler --host tcp://127.0.0.1 --port 8786`"
        ) from error


def _work(tasks: list[Task], place: _Place, before: int, progress: bool) -> dict[str, Outcome]:
    """Have all tasks done, whatever becomes of each; a task whose worker was killed is given to another, once."""
    given = {place.executor.submit(attempt.attempt, task): task for task in tasks}
    outcomes: dict[str, Outcome] = {}
    again: set[str] = set()
    with _Bar(len(tasks) + before, before, place.workers, progress) as bar:
        while given:
            ended, _ = concurrent.futures.wait(given, _PATIENCE, concurrent.futures.FIRST_COMPLETED)
            for future in ended:
                task = given.pop(future)
                outcome = _came_of(future, task)
                if outcome is None and task.key not in again:
                    again.add(task.key)
                    given[place.executor.submit(attempt.attempt, task)] = task
                    continue
                outcomes[task.key] = outcome or Outcome(
                    task.key, "failed", "", "its worker was killed twice", attempts=2
                )
            bar.show(outcomes.values(), len(given))
    return outcomes


def _came_of(future: Any, task: Task) -> Outcome | None:
    try:
        return future.result()  # type: ignore[no-any-return]
    except WorkerDied:
        return None
    except Exception as error:  # what an executor raises for a task that it gave up
        return Outcome(task.key, "failed", "", f"{type(error).__name__}: {error}")


class _Bar:
    """One line: runs done, failed, running, and the time left."""

    def __init__(self, total: int, before: int, workers: int, progress: bool) -> None:
        from tqdm import tqdm

        self.before, self.workers = before, workers
        shape = "{desc}: {n_fmt} of {total_fmt} |{bar}| {elapsed} gone, {remaining} left{postfix}"
        self.bar = tqdm(total=total, initial=before, desc="sweep", bar_format=shape, disable=not progress)
        self.looked = 0.0

    def __enter__(self) -> "_Bar":
        return self

    def show(self, outcomes: Any, left: int) -> None:
        """Bring the line up to date."""
        failed = sum(outcome.status == "failed" for outcome in outcomes)
        self.bar.set_postfix_str(f"{failed} failed, {min(left, self.workers)} running", refresh=False)
        self.bar.n = self.before + len(outcomes)
        if time.monotonic() - self.looked > _PATIENCE / 2 or not left:
            self.looked = time.monotonic()
            self.bar.refresh()

    def __exit__(self, *trouble: object) -> None:
        self.bar.close()


def _frame(rows: list[grid.Row], outcomes: list[Outcome]) -> "pandas.DataFrame":
    import pandas

    told = ("status", "run_id", "answer", "error", "seconds", "attempts")
    return pandas.DataFrame(
        [
            {
                **row,
                **{name: getattr(outcome, name) for name in told},
                **{f"metric.{name}": value for name, value in outcome.metrics.items()},
            }
            for row, outcome in zip(rows, outcomes, strict=True)
        ]
    )
