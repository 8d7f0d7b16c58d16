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
        """Of its files."""
        return f"{quote(str(self.store), safe='')}__{quote(str(self.day), safe='')}"

    @property
    def stands_on(self) -> str:
        """Digest of what the tables depend on."""
        facts = [retailkit.__version__, self.layout.as_text()]
        if isinstance(self.source, str | Path):
            with contextlib.suppress(OSError):
                facts += [str(os.stat(self.source).st_size), str(os.stat(self.source).st_mtime_ns)]
        return hashlib.sha256("\n".join(facts).encode()).hexdigest()

    def row(self, **facts: Any) -> dict[str, Any]:
        """A row of the table of store-days."""
        nothing = dict.fromkeys(FACTS, 0)
        return {**nothing, "store": self.store, "day": self.day, "problem": "", "stands_on": self.stands_on, **facts}

    def done(self) -> dict[str, Any] | None:
        """The row of an earlier call, where it went well and stood on the same."""
        if not self.path(DAYS).is_file():
            return None
        row = pd.read_parquet(self.path(DAYS)).iloc[0].to_dict()
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
        partial = path.with_suffix(f".{os.getpid()}.partial")
        named = table.assign(store=self.store, day=self.day)
        named[["store", "day", *table.columns.drop(["store", "day"], errors="ignore")]].to_parquet(partial, index=False)
        partial.replace(path)


def work(task: Task) -> dict[str, Any]:
    """Summarise one store-day, write its tables, and give its row; what fails is told there."""
    started = time.perf_counter()
    problems: list[str] = []
    facts: dict[str, Any] = {}
    try:
        for name in (DAYS, *TABLES, SECONDS):
            task.path(name).unlink(missing_ok=True)
        tracks = _read(task.source)
        facts |= {"points": len(tracks), "reading": time.perf_counter() - started}
        making = day_tables(tracks, task.layout)
        del tracks  # whoever makes the tables lets go of it early
        tables, problems = _collect(making)
        facts |= {"set_aside": len(tables.get("quarantine", ())), "visits": len(tables.get("visits", ()))}
        for name, table in tables.items():
            task.write(name, table)
    except Exception as error:
        problems.append(in_words(error))
    facts |= {"memory": _peak(), "problem": "; ".join(problems), "seconds": time.perf_counter() - started}
    row = task.row(**facts)
    with contextlib.suppress(OSError):  # a full disk is told by the row that goes back
        task.write(DAYS, pd.DataFrame([row]))
    return row


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
    path = Path(source)
    if path.suffix == ".csv":
        return pd.read_csv(path, usecols=COLUMNS)
    if path.suffix == ".parquet":
        return pd.read_parquet(path, columns=COLUMNS, use_threads=False)  # the other cores have their own store-days
    if path.suffix in (".feather", ".arrow"):
        return pd.read_feather(path, columns=COLUMNS, use_threads=False)
    raise ValueError(f"{path}: tracks are read from .parquet, .feather, .arrow and .csv")


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
