"""Many stores and days, one after the other, in little memory: from tracks to tables in files.

    days = summarise_days(((store, day, path) for ...), layout, "summary", workers=2)
    days[days["problem"] != ""]             # store-days that could not be summarised, and why
    read_days("summary", "zone_visits")     # one table of all of them, with columns store and day

Whoever runs this from a script does so below ``if __name__ == "__main__":``, since its workers are new processes.
"""

import multiprocessing
from collections.abc import Generator, Iterable, Iterator, Mapping, Sized
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from retailkit.store.visits.day import TABLES
from retailkit.store.visits.layout import Layout
from retailkit.store.visits.summaries import DAYS, FACTS, SECONDS, Source, Task, in_words, work

_AHEAD = 1  # store-days that wait beside those that are worked on
_ENDED = "its process was ended: was memory short?"
_NOT_BEGUN = "not begun, since the executor broke before"


def summarise_days(
    days: Iterable[tuple[Any, Any, Source]],
    layout: Layout | Mapping[Any, Layout],
    folder: str | Path,
    *,
    workers: int = 1,
    executor: Executor | None = None,
    again: bool = False,
    progress: bool = True,
) -> pd.DataFrame:
    """Make all tables of many stores and days, and write each store-day's to a file of its own.

    No more store-days are held in memory than are worked on. One that fails costs the others nothing, and a second
    call goes on where the first was stopped.

    Parameters
    ----------
    days : iterable of (store, day, tracks)
        Tracks as recorded (visit, time, x, y): a path (Parquet, Feather or CSV), which its worker reads; a function
        without arguments that gives a DataFrame there; or a DataFrame, which has to be sent to the worker.
    layout : Layout, or mapping of stores to Layouts
    folder : path
        Tables are written below it as ``zone_visits/STORE__DAY.parquet``; nothing else there is touched.
    workers : int
        Processes; 1 works in this one. An executor is handed so many store-days at once, and one that waits.
    executor : concurrent.futures.Executor, optional
        Who works instead, such as a Dask client's; it is left open, and must see the same folder.
    again : bool
        Work on store-days anew that are there already.
    progress : bool
        Show a bar.

    Returns
    -------
    DataFrame
        A row for each store-day, in the order in which they ended: store, day, points (rows read), set_aside (rows),
        visits, seconds (of work), reading (of these, for reading), memory (most that its process has held so far,
        megabytes), problem (what failed: all of it or ``table: why``, else nothing), kept (it was there already).

    Raises
    ------
    ValueError
        Fewer than one worker.
    OSError
        The folder cannot be written.

    Notes
    -----
    A store-day is kept where its layout, the version of retailkit and, of a path, size and time of change are as they
    were. A frame or function is trusted to be what it was. One with a problem is worked on again.
    """
    if workers < 1:
        raise ValueError(f"workers is {workers!r}: 1 or more are needed")
    place = Path(folder)
    (place / DAYS).mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    tasks = _tasks(days, layout, place, again, rows)
    if executor is not None:
        worked = _with_executor(executor, tasks, workers + _AHEAD)
    else:
        worked = map(work, tasks) if workers == 1 else _with_pools(tasks, workers)
    total = len(days) if isinstance(days, Sized) else None
    with tqdm(desc="store-days", total=total, disable=not progress) as bar:
        for row in worked:
            rows.append(row)
            bar.update(len(rows) - bar.n)
        bar.update(len(rows) - bar.n)
    table = pd.DataFrame([{"kept": False} | row for row in rows], columns=[*FACTS, "kept"])
    return table.astype({"kept": bool})


def read_days(folder: str | Path, table: str) -> pd.DataFrame:
    """Read one table of all store-days: columns store, day, and the table's own.

    Parameters
    ----------
    folder : path
        Where `summarise_days` wrote.
    table : str
        One of those that `summarise_day` makes, ``days`` (a row for each store-day that could be read), or ``seconds``
        (how long each table took). Store-days that were cut off half-way are left out.

    Raises
    ------
    ValueError
        There is no such table.
    """
    names = (*TABLES, DAYS, SECONDS)
    if table not in names:
        raise ValueError(f"there is no table {table!r}; there are {', '.join(names)}")
    paths = sorted((Path(folder) / table).glob("*.parquet"))
    parts = [pd.read_parquet(path) for path in paths if (Path(folder) / DAYS / path.name).is_file()]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["store", "day"])


def _tasks(
    days: Iterable[tuple[Any, Any, Source]],
    layout: Layout | Mapping[Any, Layout],
    folder: Path,
    again: bool,
    rows: list[dict[str, Any]],
) -> Iterator[Task]:
    """What is to be done; of what is not, there is a row at once."""
    seen = set()
    for store, day, source in days:
        drawn = layout if isinstance(layout, Layout) else layout.get(store)
        task = Task(store, day, source, drawn or Layout(), folder)
        if drawn is None:
            rows.append(task.row(problem=f"there is no layout of store {store!r}"))
        elif task.name in seen:
            rows.append(task.row(problem=f"store {store!r} and day {day!r} were given before: this one is left out"))
        elif not again and (done := task.done()):
            rows.append(done | {"kept": True})
        else:
            yield task
        seen.add(task.name)


def _on(executor: Executor, tasks: Iterator[Task], ahead: int) -> Generator[dict[str, Any], None, list[Task]]:
    """Give rows as they are ready, few tasks being handed out at a time; return those lost with their process."""
    waiting: dict[Future[dict[str, Any]], Task] = {}
    lost: list[Task] = []
    while True:
        while not lost and len(waiting) < ahead and (task := next(tasks, None)):
            try:
                waiting[executor.submit(work, task)] = task
            except BrokenExecutor:
                lost.append(task)
        if not waiting:
            return lost
        for future in wait(waiting, return_when=FIRST_COMPLETED).done:
            task = waiting.pop(future)
            try:
                yield future.result()
            except BrokenExecutor:
                lost.append(task)
            except Exception as error:  # such as a function that cannot be sent to another process
                yield task.row(problem=in_words(error))


def _with_executor(executor: Executor, tasks: Iterator[Task], ahead: int) -> Iterator[dict[str, Any]]:
    """Where the executor breaks, whatever was under way is lost, and what comes after is told as not begun."""
    for task in (yield from _on(executor, tasks, ahead)):
        task.clear()  # whatever half of it was written
        yield task.close(problem=_ENDED)
    for task in tasks:
        yield task.row(problem=_NOT_BEGUN)


def _with_pools(tasks: Iterator[Task], workers: int) -> Iterator[dict[str, Any]]:
    """Work in processes of our own: when one dies, what was lost is tried alone, and a new pool goes on."""
    lost: list[Task] = []
    while True:
        for task in lost:
            with _pool(1) as pool:
                yield from _with_executor(pool, iter([task]), 1)
        with _pool(workers) as pool:
            lost = yield from _on(pool, tasks, workers + _AHEAD)
        if not lost:
            return


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
