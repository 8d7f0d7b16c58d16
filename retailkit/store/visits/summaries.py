"""What a worker does with one store-day: read its tracks, make its tables, write them, and say how that went."""

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

import retailkit
from retailkit.datasets.tables import read_table
from retailkit.store.visits.day import TABLES, day_tables
from retailkit.store.visits.layout import Layout
from retailkit.store.visits.tracks import COLUMNS

Source = pd.DataFrame | str | Path | Callable[[], pd.DataFrame]
DAYS = "days"  # the table with a row for each store-day, written last: what has one is complete
SECONDS = "seconds"  # how long each of the other tables took
FACTS = ("store", "day", "points", "set_aside", "visits", "seconds", "reading", "memory", "problem")


@dataclass(frozen=True, eq=False)
class Task:
    """A store-day, where its tracks are, and where its tables go."""

    store: Any
    day: Any
    source: Source
    layout: Layout
    folder: Path

    @property
    def name(self) -> str:
        """Of its files; no two store-days share one."""
        return "__".join(quote(str(part), safe="").replace("_", "%5F") for part in (self.store, self.day))

    @property
    def stands_on(self) -> str:
        """Digest of what the tables depend on, as it is now."""
        facts = [retailkit.__version__, self.layout.as_text()]
        if isinstance(self.source, str | Path):
            facts.append(str(Path(self.source).absolute()))
            with contextlib.suppress(OSError):
                facts += [str(os.stat(self.source).st_size), str(os.stat(self.source).st_mtime_ns)]
        return hashlib.sha256("\n".join(facts).encode()).hexdigest()

    def row(self, **facts: Any) -> dict[str, Any]:
        """A row of the table of store-days."""
        nothing = dict.fromkeys(FACTS, 0)
        return {**nothing, "store": self.store, "day": self.day, "problem": "", **facts}

    def done(self) -> dict[str, Any] | None:
        """The row of an earlier call, where it went well and stood on the same."""
        try:
            row = pd.read_parquet(self.path(DAYS)).iloc[0].to_dict()
        except (OSError, ValueError, IndexError):  # none, or one that a crash of the machine left empty
            return None
        whole = row.get("stands_on") == self.stands_on and row.get("problem") == ""
        return {str(name): value for name, value in row.items()} if whole else None

    def path(self, table: str) -> Path:
        return self.folder / table / f"{self.name}.parquet"

    def write(self, name: str, table: pd.DataFrame) -> None:
        """Write a table that has rows, all of it or nothing."""
        if not len(table):
            return
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        named = table.assign(store=[self.store] * len(table), day=[self.day] * len(table))
        partial = path.with_suffix(f".{os.getpid()}.partial")
        named[["store", "day", *table.columns.drop(["store", "day"], errors="ignore")]].to_parquet(partial, index=False)
        partial.replace(path)

    def clear(self) -> None:
        """Take away all tables of this store-day, so that those of two calls are never mixed."""
        for name in (DAYS, *TABLES, SECONDS):
            self.path(name).unlink(missing_ok=True)

    def close(self, **facts: Any) -> dict[str, Any]:
        """Write the row that says how it went, and give it; what cannot be written is told there."""
        row = self.row(**facts)
        try:
            self.write(DAYS, pd.DataFrame([row]))
        except Exception as error:
            row["problem"] = "; ".join(filter(None, [row["problem"], in_words(error)]))
        return row


def work(task: Task) -> dict[str, Any]:
    """Summarise one store-day, write its tables, and give its row; what fails is told there.

    Where tracks cannot be read, the tables of an earlier call stay as they are.
    """
    started, stands_on = time.perf_counter(), task.stands_on  # before it is read: a later change makes it stale
    try:
        tracks = _read(task.source)
    except Exception as error:
        return task.row(problem=in_words(error), seconds=time.perf_counter() - started)
    facts = {"points": len(tracks), "reading": time.perf_counter() - started, "stands_on": stands_on}
    making = day_tables(tracks, task.layout)
    del tracks  # whoever makes the tables lets go of it early
    problems: list[str] = []
    try:
        task.clear()
        tables, problems = _collect(making)
        facts |= {"set_aside": len(tables.get("quarantine", ())), "visits": len(tables.get("visits", ()))}
        for name, table in tables.items():
            task.write(name, table)
    except Exception as error:
        problems.append(in_words(error))
    return task.close(**facts, memory=_peak(), problem="; ".join(problems), seconds=time.perf_counter() - started)


def _collect(making: Iterator[tuple[str, pd.DataFrame | Exception]]) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Tables by name, with how long each took, and what failed."""
    tables: dict[str, pd.DataFrame] = {}
    problems, seconds = [], {}
    begun = time.perf_counter()
    for name, table in making:
        if isinstance(table, Exception):
            problems.append(f"{name}: {in_words(table)}")
        else:
            tables[name] = table
        seconds[name], begun = time.perf_counter() - begun, time.perf_counter()
    tables[SECONDS] = pd.DataFrame({"table": list(seconds), "seconds": list(seconds.values())})
    return tables, problems


def _read(source: Source) -> pd.DataFrame:
    if isinstance(source, pd.DataFrame):
        return source
    if callable(source):
        return source()
    tracks = read_table(Path(source), COLUMNS)
    return tracks if len(tracks) else tracks.astype({name: float for name in COLUMNS[1:] if name in tracks})


def in_words(error: BaseException) -> str:
    """One line that names an error."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]


def _peak() -> float:
    """Most memory that this process has held so far, megabytes; 0 where the system does not say."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0
