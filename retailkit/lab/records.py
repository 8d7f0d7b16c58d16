"""What earlier runs found, and the files that they keep. MLflow is the only record."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retailkit.lab import project, tracking

if TYPE_CHECKING:
    import pandas
    from mlflow import MlflowClient


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
        Columns run_id, study, notebook, status, started (UTC), minutes, answer, then ``param.*`` (text)
        and ``metric.*``. Empty, with the first seven, where nothing was run yet.
    """
    import pandas

    columns = ["run_id", "study", "notebook", "status", "started", "minutes", "answer"]
    file = tracking.database()
    if file and not file.exists():
        return pandas.DataFrame(columns=columns)
    client = tracking.open_database()
    names = {e.experiment_id: e.name for e in client.search_experiments() if study in (None, e.name)}
    rows = [_row(run, names) for run in tracking.runs_of(client, list(names), last)]
    return pandas.DataFrame(rows, columns=list(dict.fromkeys([*columns, *(name for row in rows for name in row)])))


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


def answer_of(run_id: str | None) -> str:
    """Return the answer sentence of a run, ``""`` where it has none."""
    return str(tracking.open_database().get_run(run_id).data.tags.get("answer", "")) if run_id else ""
