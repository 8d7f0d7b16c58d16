"""What earlier runs found, and the files that they keep. MLflow is the only record."""

import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from retailkit.lab import freshness, notebook, project, tracking

if TYPE_CHECKING:
    import pandas
    from mlflow import MlflowClient

EVERY_STUDY = "every study"  # a query, as `freshness` remembers it; any other is a study's name
_ENDS = {"": "value", "_low": "low", "_high": "high"}  # of a metric's name, and what it is called in a table
SWEEP = "sweep"  # the kind of the run that holds a sweep together


def read_runs(study: str | None = None, last: int | None = None) -> "pandas.DataFrame":
    """Read what was found so far, newest run first.

    Parameters
    ----------
    study : str, optional
        One study; all by default.
    last : int, optional
        At most so many runs.

    Returns
    -------
    pandas.DataFrame
        Columns run_id, study, notebook, status, started (UTC), minutes, answer, sweep (id of the sweep's own run,
        empty outside of sweeps), then ``param.*`` (text) and ``metric.*``. Empty, with the first eight, where
        nothing was run yet. The sweeps' own runs are not among them.
    """
    import pandas

    columns = ["run_id", "study", "notebook", "status", "started", "minutes", "answer", "sweep"]
    file = tracking.database()
    if file and not file.exists():
        return pandas.DataFrame(columns=columns)
    client = tracking.open_database()
    names = {e.experiment_id: e.name for e in client.search_experiments() if study in (None, e.name)}
    runs = tracking.runs_of(client, list(names), last)
    query = study or EVERY_STUDY
    freshness.note_reads(query, finished_runs(query, notebook.name()) if last else _finished(runs, notebook.name()))
    rows = [_row(run, names) for run in runs if run.data.tags.get("kind") != SWEEP]
    return pandas.DataFrame(rows, columns=list(dict.fromkeys([*columns, *(name for row in rows for name in row)])))


def finished_runs(query: str, reader: str) -> list[str]:
    """List the runs that a notebook which reads a study (or all, `EVERY_STUDY`) would find, its own aside.

    What a run stands on is compared by these ids.
    """
    client = tracking.open_database()
    ids = [e.experiment_id for e in client.search_experiments() if query in (EVERY_STUDY, e.name)]
    return _finished(tracking.runs_of(client, ids, None), reader)


def reads_today(queries: set[str], reader: str) -> dict[str, str]:
    """Digest what each query of a notebook finds today, for `freshness.changed`."""
    return {query: freshness.ids_digest(finished_runs(query, reader)) for query in queries}


def changed_since(run: Any) -> list[str]:
    """List what a run stands on that is not as it was, the runs that it read among it."""
    then = freshness.from_text(run.data.tags.get(freshness.TAG, ""))
    now = reads_today(set(then.get("reads", {})), run.data.tags.get("notebook", ""))
    return freshness.changed(then, now)


def _finished(runs: list[Any], reader: str) -> list[str]:
    return [
        run.info.run_id
        for run in runs
        if run.info.status == "FINISHED"
        and run.data.tags.get("kind") != SWEEP
        and not (reader and run.data.tags.get("notebook") == reader)
    ]


def _row(run: Any, names: dict[str, str]) -> dict[str, Any]:
    import pandas

    ended = run.info.end_time
    return {
        "run_id": run.info.run_id,
        "study": names[run.info.experiment_id],
        "notebook": run.data.tags.get("notebook", ""),
        "status": run.info.status,
        "started": pandas.Timestamp(run.info.start_time, unit="ms", tz="UTC"),
        "minutes": (ended - run.info.start_time) / 60_000 if ended else float("nan"),
        "answer": run.data.tags.get("answer", ""),
        "sweep": run.data.tags.get("mlflow.parentRunId", ""),
        **{f"param.{name}": value for name, value in run.data.params.items()},
        **{f"metric.{name}": value for name, value in run.data.metrics.items()},
    }


def read_estimates(metric: str, study: str | None = None, last: int | None = None) -> "pandas.DataFrame":
    """Read one figure with its interval from every run that recorded it, newest first.

    Parameters
    ----------
    metric : str
        As it was recorded: ``"map50"``.
    study : str, optional
        One study; all by default.
    last : int, optional
        At most so many figures.

    Returns
    -------
    pandas.DataFrame
        Columns run_id, study, label (study, data and when), value, low, high.
    """
    import pandas

    columns = {f"metric.{metric}": "value", f"metric.{metric}_low": "low", f"metric.{metric}_high": "high"}
    runs = read_runs(study)
    if not set(columns) <= set(runs):
        return pandas.DataFrame(columns=["run_id", "study", "label", "value", "low", "high"])
    runs = runs.dropna(subset=list(columns)).rename(columns=columns).head(last or len(runs))
    data = runs["param.data"].fillna("") if "param.data" in runs else ""
    runs["label"] = runs["study"] + ", " + data + ", " + runs["started"].dt.strftime("%d %b %H:%M")
    return runs[["run_id", "study", "label", "value", "low", "high"]].reset_index(drop=True)


def read_curve(
    study: str, parameter: str, metrics: Sequence[str], same: Mapping[str, Any] | None = None
) -> "pandas.DataFrame":
    """Read figures of finished runs that differ in one parameter, as points of a curve for each figure.

    Parameters
    ----------
    study : str
    parameter : str
        Whose values, numbers, are the points. Of runs with the same value the newest counts.
    metrics : list of str
        As they were recorded, with intervals; a run that lacks one gives no point of it.
    same : mapping of str to values, optional
        What other parameters must be.

    Returns
    -------
    pandas.DataFrame
        Columns metric, point (the parameter's value), value, low, high, run_id, by metric and point; empty where
        nothing was run yet.
    """
    import pandas

    columns = ["metric", "point", "value", "low", "high", "run_id"]
    runs = read_runs(study)
    for name, wanted in (same or {}).items():
        runs = runs[runs[f"param.{name}"] == str(wanted)] if f"param.{name}" in runs else runs.iloc[:0]
    if f"param.{parameter}" not in runs:
        return pandas.DataFrame(columns=columns)
    runs = runs[runs["status"] == "FINISHED"]
    runs = runs.assign(point=runs[f"param.{parameter}"].astype(float)).drop_duplicates("point")
    parts = [
        runs.rename(columns={f"metric.{name}{end}": to for end, to in _ENDS.items()}).assign(metric=name)
        for name in metrics
        if {f"metric.{name}{end}" for end in _ENDS} <= set(runs)
    ]
    table = pandas.concat([part[columns] for part in parts]) if parts else pandas.DataFrame(columns=columns)
    return table.dropna(subset=["value"]).sort_values(["metric", "point"], kind="stable", ignore_index=True)


def artifact_path(run_id: str, name: str) -> Path:
    """Return a local path of a file or folder kept with a run, downloaded where the artifacts are remote.

    Parameters
    ----------
    run_id : str
    name : str
        As it was kept: ``"figures/curve.png"``; ``""`` is all of it.

    Raises
    ------
    FileNotFoundError
        The run keeps no such file; the message lists what it keeps.
    """
    base = tracking.local_path(_run(tracking.open_database(), run_id).info.artifact_uri)
    if base and (base / name).exists():
        return base / name
    if not base:
        import mlflow

        target = project.folder(".cache") / "artifacts" / run_id
        target.mkdir(parents=True, exist_ok=True)
        return Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=name, dst_path=str(target)))
    kept = sorted(path.relative_to(base).as_posix() for path in base.rglob("*") if path.is_file())
    raise FileNotFoundError(f"Run {run_id} keeps no '{name}'; it keeps {', '.join(kept) or 'nothing'}")


def attach(run_id: str, path: str | Path, folder: str = "", client: "MlflowClient | None" = None) -> None:
    """Keep a file, or a folder whole, with a run that may have ended.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"Cannot keep '{path}' with the run: there is no such file")
    client = client or tracking.open_database()
    _run(client, run_id)
    log = client.log_artifacts if path.is_dir() else client.log_artifact
    log(run_id, os.fspath(path), folder or None)


def _run(client: "MlflowClient", run_id: str) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_run(run_id)
    except MlflowException as error:
        place = tracking.redacted(tracking.uri())
        raise FileNotFoundError(f"There is no run '{run_id}' in {place}; retailkit ui shows those there are") from error


def settle(run_id: str, error: str = "") -> str:
    """Give a run whose notebook has ended its last status, and return it.

    A kernel that died leaves its run RUNNING; a cell that fails after the answer leaves it FINISHED.

    Parameters
    ----------
    run_id : str
    error : str
        What went wrong in the notebook, if anything.
    """
    client = tracking.open_database()
    status = str(client.get_run(run_id).info.status)
    wanted = "FAILED" if error else "KILLED" if status == "RUNNING" else status
    if wanted != status:
        client.set_terminated(run_id, wanted)
    return wanted


def this_process() -> str:
    """Name this process so that others can tell whether it lives: host, process id, time of start."""
    return f"{socket.gethostname()} {os.getpid()} {psutil.Process().create_time():.2f}"


def has_ended(process: str) -> bool:
    """Tell whether a process named by `this_process` has ended; one of another host is taken to live."""
    host, _, rest = process.partition(" ")
    number, _, started = rest.partition(" ")
    if host != socket.gethostname() or not number.isdigit():
        return False
    try:
        found = psutil.Process(int(number))
        return abs(found.create_time() - float(started)) > 1 or found.status() == psutil.STATUS_ZOMBIE
    except (psutil.Error, ValueError):
        return True


def settle_abandoned(client: "MlflowClient") -> int:
    """Mark runs as KILLED whose process was killed before it could say so; return their number."""
    lost = [
        run.info.run_id
        for run in tracking.every_run(client, "attributes.status = 'RUNNING'")
        if has_ended(run.data.tags.get("process", ""))
    ]
    for run_id in lost:
        client.set_terminated(run_id, "KILLED")
    return len(lost)


def answer_of(run_id: str | None) -> str:
    """Return the answer sentence of a run, ``""`` where it has none."""
    return str(tracking.open_database().get_run(run_id).data.tags.get("answer", "")) if run_id else ""
