"""One tracking database under ``mlruns/``, safe to open from many processes.

MLflow alone has three traps: two processes that make a fresh SQLite database together break it; artifacts
follow the working directory, not the database; and paths are stored absolute, so a project that was moved
loses its artifacts. Here creation is locked, and every location is put below ``mlruns/artifacts``.

Set ``MLFLOW_TRACKING_URI`` to use a server or another database instead; nothing else changes.
"""

import contextlib
import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlparse

from retailkit.lab import project

if TYPE_CHECKING:
    from mlflow import MlflowClient

_ours = ""  # the address that this process chose itself; MLflow copies it into the environment
_seen: tuple[int, str, int] | None = None  # process, address and file of the database that was last found in order


def uri() -> str:
    """Address of the tracking database: ``MLFLOW_TRACKING_URI``, else SQLite under ``mlruns/``."""
    given = os.environ.get("MLFLOW_TRACKING_URI", "")
    if given and given != _ours:
        return given
    return f"sqlite:///{(project.root() / 'mlruns' / 'mlflow.db').as_posix()}"


def database() -> Path | None:
    """File of the project's own database (there or not), None where another address is set."""
    path = project.root() / "mlruns" / "mlflow.db"
    return path if uri() == f"sqlite:///{path.as_posix()}" else None


def open_database() -> "MlflowClient":
    """Open the tracking database, made where absent, and make it MLflow's current one.

    Raises
    ------
    retailkit.lab.project.ProjectError
        ``mlruns/`` cannot be written, or the database cannot be opened.
    """
    global _ours, _seen
    project.quiet()
    address, file = uri(), database()
    if file:
        project.folder("mlruns/artifacts")
    import mlflow
    from filelock import FileLock
    from sqlalchemy.exc import SQLAlchemyError

    if file:
        _ours = address
    mlflow.set_tracking_uri(address)
    if file and _seen and _seen == _sight(address, file):
        return mlflow.MlflowClient(address)
    try:
        if not file:
            return _client(address)
        import mlflow.store.tracking.sqlalchemy_store  # half a second that others need not wait for

        with FileLock(project.folder("mlruns") / ".lock"):
            client = _client(address)
            _bring_home(file)
        _seen = _sight(address, file)
        return client
    except (mlflow.MlflowException, SQLAlchemyError, sqlite3.Error, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise project.ProjectError(f"Cannot open the tracking database '{redacted(address)}': {reason}") from error


def peek(tag: str, value: str) -> list[Any] | None:
    """Read the runs with a tag straight from the project's own database: milliseconds, without MLflow.

    Returns
    -------
    list
        Each with ``info.run_id``, ``info.status``, ``data.tags`` and ``data.metrics``, as MLflow's have; newest first.
        None where the record is elsewhere, or cannot be read this way.
    """
    file = database()
    if not file:
        return None
    if not file.exists():
        return []
    try:
        with contextlib.closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True, timeout=1)) as connection:
            return _peeked(connection, tag, value)
    except sqlite3.Error:  # another version's tables, or somebody is writing
        return None


def _peeked(connection: sqlite3.Connection, tag: str, value: str) -> list[Any]:
    asked = """SELECT r.run_uuid, r.status FROM runs r JOIN tags t ON t.run_uuid = r.run_uuid
               WHERE t.key = ? AND t.value = ? AND r.lifecycle_stage = 'active' ORDER BY r.start_time DESC"""
    found = {
        run_id: SimpleNamespace(
            info=SimpleNamespace(run_id=run_id, status=status), data=SimpleNamespace(tags={}, metrics={})
        )
        for run_id, status in connection.execute(asked, (tag, value))
    }
    nan = "CASE WHEN x.is_nan THEN NULL ELSE x.value END"  # MLflow writes 0 and a mark
    for table, kind, column in (("tags", "tags", "x.value"), ("latest_metrics", "metrics", nan)):
        text = f"SELECT x.run_uuid, x.key, {column} FROM {table} x JOIN tags t ON t.run_uuid = x.run_uuid "
        for run_id, name, content in connection.execute(text + "WHERE t.key = ? AND t.value = ?", (tag, value)):
            if run_id in found:
                getattr(found[run_id].data, kind)[name] = float("nan") if content is None else content
    return list(found.values())


@contextlib.contextmanager
def alone(what: str) -> Iterator[None]:
    """Let no other process do the same at the same time, where the record is the project's own database."""
    from filelock import FileLock

    with FileLock(project.folder("mlruns") / f".{what}.lock") if database() else contextlib.nullcontext():
        yield


def _sight(address: str, file: Path) -> tuple[int, str, int] | None:
    """What tells that a database is the one that this process saw in order; None where there is none."""
    return (os.getpid(), address, file.stat().st_ino) if file.exists() else None


def _client(address: str) -> "MlflowClient":
    """Connect, and ask something, which makes the tables where there are none."""
    import mlflow

    client = mlflow.MlflowClient(address)
    client.search_experiments(max_results=1)
    return client


def redacted(address: str) -> str:
    """The address without its password."""
    return re.sub(r"//[^/@]*@", "//", address)


def _bring_home(file: Path) -> None:
    """Point artifacts of a moved or copied project to where they lie now.

    MLflow's default experiment, whose artifacts would follow the working directory, comes along.
    """
    home = (file.parent / "artifacts").as_posix()
    with sqlite3.connect(file, timeout=60) as connection:
        for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri")):
            for (old,) in connection.execute(f"SELECT DISTINCT {column} FROM {table}").fetchall():
                before, found, tail = (old or "").rpartition("/mlruns/")
                new = f"{home}/{tail.removeprefix('artifacts/')}"
                here = not found or "://" in before or old == new
                if not here and (Path(new).exists() or not Path(old).exists()):
                    connection.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (new, old))
    connection.close()


def experiment(client: "MlflowClient", study: str) -> str:
    """Return the id of a study's experiment, made where absent with its artifacts beside the database.

    Raises
    ------
    retailkit.lab.project.ProjectError
        The study was deleted in MLflow.
    """
    import mlflow

    found = client.get_experiment_by_name(study)
    if not found:
        try:
            return client.create_experiment(study, artifact_location=_location(study))
        except mlflow.MlflowException:  # another process was first
            found = client.get_experiment_by_name(study)
            if not found:
                raise
    if found.lifecycle_stage != "active":
        raise project.ProjectError(f"The study '{study}' was deleted in MLflow: restore it there or rename it")
    return str(found.experiment_id)


def _location(study: str) -> str | None:
    """Where a new study's artifacts go; None leaves it to the server."""
    address = uri()
    if database():
        parent = project.folder("mlruns/artifacts")
    elif address.startswith("sqlite:///"):
        parent = Path(address.removeprefix("sqlite:///")).resolve().parent / "artifacts"
    elif re.match(r"(postgresql|mysql|mssql)\b", address):
        parent = project.folder("mlruns/artifacts")
    else:
        return None
    return (parent / re.sub(r"[^\w.-]+", "-", study)).as_posix()


def local_path(address: str) -> Path | None:
    """Folder of a local artifact address (plain path or ``file://``), None for a remote one."""
    parts = urlparse(address)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return None if parts.scheme else Path(address)


def every_run(client: "MlflowClient", where: str) -> list[Any]:
    """All runs of all studies, newest first, that fit a filter in MLflow's words."""
    return runs_of(client, [study.experiment_id for study in client.search_experiments()], None, where)


def runs_of(client: "MlflowClient", experiments: list[str], last: int | None, where: str = "") -> list[Any]:
    """Newest runs of some experiments, all of them where `last` is None; `where` is a filter in MLflow's words."""
    runs: list[Any] = []
    token = None
    while experiments and (last is None or len(runs) < last):
        size = min(1000, last - len(runs)) if last is not None else 1000
        page = client.search_runs(
            experiments,
            filter_string=where,
            max_results=size,
            order_by=["attributes.start_time DESC"],
            page_token=token,
        )
        runs += page
        token = page.token
        if not token:
            break
    return runs
