"""A store's recording: tracks and hands that cameras saw, on a floor plan with doors and zones.

store = load_store("simulated_store", visits=300, seed=7)      # or a folder of one's own, or a scene of a recording
store.tracks, store.hands        # as a tracker gave them
store.lines, store.zones         # doors to count at, areas to dwell in
store.truth["zone_visits"]       # what really happened, where somebody knows it
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from retailkit.datasets import places
from retailkit.datasets.by_rule import Point, as_point, draw_boxes, draw_gates
from retailkit.datasets.catalogue import Card, DataError, card_files
from retailkit.datasets.recordings import read_recordings
from retailkit.datasets.tables import need_columns, read_table

PLAN = "plan.json"


@dataclass(frozen=True, eq=False)
class StoreRecording:
    """What is known of a store and of one recording in it.

    Attributes
    ----------
    name, source : str
        Of the set, and where it lies.
    tracks : DataFrame
        visit, time (seconds), x, y (metres), as the tracker gave them; further columns are kept.
    zones : dict
        Name to corners (x, y), metres.
    lines : dict
        Name to two points; seen from the first, ``in`` is from its left to its right. The first is the entrance.
    hands : DataFrame
        visit, time, cell, kind (reach, take, return), probability; empty where nobody watched hands.
    cells : DataFrame
        cell, zone, product, x, y, price and further attributes of what lies on the shelves; may be empty.
    queue : str
        The zone where people stand in line; empty where there is none.
    checkouts : tuple of str
        Zones where they are served.
    groups : tuple of tuples
        Who came together, where somebody wrote it down.
    opens, closes : float, seconds
        Between which the recording lies.
    counted : array of float, seconds
        When each person came into view for the first time, noted by somebody who watched the beginning; may be empty.
    counted_until : float, seconds
        Until when somebody watched.
    truth : dict
        What really happened, by name of frame; empty for a real store.
    shareable : bool
    note : str
        A sentence for the page.
    """

    name: str
    source: str
    tracks: pd.DataFrame
    zones: dict[str, list[Point]]
    lines: dict[str, tuple[Point, Point]]
    hands: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=["visit", "time", "cell", "kind", "probability"])
    )
    cells: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["cell", "zone", "product", "x", "y"]))
    queue: str = ""
    checkouts: tuple[str, ...] = ()
    groups: tuple[tuple[Any, ...], ...] = ()
    opens: float = 0.0
    closes: float = 0.0
    counted: tuple[float, ...] = ()
    counted_until: float = 0.0
    truth: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    shareable: bool = False
    note: str = ""
    folder: Path | None = None

    @property
    def digest(self) -> str:
        """Digest of tracks, hands and plan."""
        total = hashlib.sha256(json.dumps([self.zones, self.lines], sort_keys=True, default=float).encode())
        for frame in (self.tracks, self.hands):
            total.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
        return total.hexdigest()

    def profile(self) -> dict[str, Any]:
        """Give what a record of the data should say: visits, rows, hours, zones, lines."""
        hours = (self.closes - self.opens) / 3600
        return {
            "visits": int(self.tracks["visit"].nunique()), "rows": len(self.tracks), "hours": round(hours, 2),
            "zones": len(self.zones), "lines": len(self.lines), "hands": len(self.hands),
        }  # fmt: skip


def load_store(
    name: str | Path = "simulated_store", *, seed: int = 0, simulated: Mapping[str, Any] | None = None
) -> StoreRecording:
    """Load a store's recording by name.

    Parameters
    ----------
    name : str or Path
        ``simulated_store``; a scene such as ``tracks_eth/seq_hotel``, which gets three gates and six boxes by rule; or
        a folder with ``tracks.csv`` (or ``.parquet``), ``plan.json`` and, where there are any, ``hands.csv``,
        ``cells.csv`` and ``counted.csv`` (time: when each person came into view, noted by somebody who watched the
        beginning). The plan is an object with ``lines`` and ``zones`` (names to points in metres) and, optional,
        ``queue``, ``checkouts``, ``opens``, ``closes`` and ``counted_until`` (seconds).
    seed : int
        Of a simulated day.
    simulated : dict, optional
        Settings of the simulator, such as ``{"visits": 300}``; a real recording is what it is, and does not look at
        them.

    Raises
    ------
    DataError
        No such set, or a file that is not what it should be.
    """
    known = places.card_of(name) if "/" not in str(name) else None
    if known and known.simulator and known.kind == "tracks":
        return _simulate(known, seed, dict(simulated or {}))
    first, _, scene = str(name).partition("/")
    if not isinstance(name, Path) and scene and first in card_files():
        return _from_recording(first, scene)
    folder = places.place(name, known)
    if not (folder / PLAN).is_file():
        raise DataError(f"{folder} has no {PLAN}: lines and zones (names to points in metres) are needed")
    return _read(folder)


def _simulate(known: Card, seed: int, options: dict[str, Any]) -> StoreRecording:
    made = places.simulate(known, seed=seed, **options)
    return StoreRecording(known.name, known.simulator, shareable=known.shareable, **made)


def _from_recording(name: str, scene: str) -> StoreRecording:
    [found] = read_recordings(name, [scene])
    tracks = found.tracks
    return StoreRecording(
        f"{name}/{scene}", f"{name}/{scene}", tracks, draw_boxes(tracks), draw_gates(tracks), groups=found.groups,
        opens=float(tracks["time"].min()), closes=float(tracks["time"].max()), **_first_third(tracks),
        note=f"Gates and boxes of {scene} are drawn by rule: nobody knows what stood there.",
    )  # fmt: skip


def _first_third(tracks: pd.DataFrame) -> dict[str, Any]:
    """The first third of a recording whose tracks are the truth, as if somebody had watched it."""
    until = float(tracks["time"].min() + np.ptp(tracks["time"]) / 3)
    begun = tracks.groupby("visit")["time"].min()
    return {"counted": tuple(begun[begun <= until]), "counted_until": until}


def _read(folder: Path) -> StoreRecording:
    plan = _plan(folder / PLAN)
    tracks = _table(folder, "tracks", ("visit", "time", "x", "y"))
    if tracks is None:
        raise DataError(f"{folder} has neither tracks.csv nor tracks.parquet")
    more: dict[str, Any] = {
        name: table
        for name, columns in {
            "hands": ("visit", "time", "cell", "kind", "probability"), "cells": ("cell", "zone", "product", "x", "y"),
        }.items()
        if (table := _table(folder, name, columns)) is not None
    }  # fmt: skip
    if (counted := _table(folder, "counted", ("time",))) is not None:
        plan |= {"counted": tuple(counted["time"].astype(float))}
    opens = float(plan.pop("opens", tracks["time"].min()))
    closes = float(plan.pop("closes", tracks["time"].max()))
    return StoreRecording(folder.name, str(folder), tracks, opens=opens, closes=closes, folder=folder, **plan, **more)


def _plan(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        lines = {str(name): (as_point(ends[0]), as_point(ends[1])) for name, ends in content["lines"].items()}
        zones = {str(name): [as_point(corner) for corner in corners] for name, corners in content["zones"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise DataError(
            f"{path}: {type(error).__name__} {error}; an object with lines and zones is needed, such as "
            '{"lines": {"door": [[0, 0], [2, 0]]}, "zones": {"bay": [[0, 1], [2, 1], [2, 3]]}}'
        ) from error
    kept = {name: content[name] for name in ("opens", "closes", "queue", "counted_until") if name in content}
    return {"lines": lines, "zones": zones, **kept, "checkouts": tuple(map(str, content.get("checkouts", ())))}


def _table(folder: Path, name: str, columns: tuple[str, ...]) -> pd.DataFrame | None:
    for path in (folder / f"{name}.parquet", folder / f"{name}.csv"):
        if path.is_file():
            table = read_table(path)
            need_columns(table, columns, path, error=DataError)
            return table
    return None
