"""Sensors of a store-day on disk: written once, read back whole or for some minutes, so that memory holds no more.

write_sensors(sensors, "days/monday")
hour = read_sensors("days/monday", 3600.0, 7200.0)
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.store.fusion.sensors import Sensors
from retailkit.store.rfid.clocks import clock_steps

TIMED = ("reads", "tracks", "hands", "plates", "entries", "exits")
_KNOWN = ("planogram", "products", "antennas")
_DRAWN = ("zones", "doors")
_ROWS = 100_000  # of a row group: some five minutes of a small store's reads
_SLACK = 1.0  # seconds by which reads of one bunch may be out of order


def write_sensors(sensors: Sensors, folder: Path | str) -> None:
    """Write what devices told of a day: a Parquet file for each table, in groups of rows that can be read alone.

    Parameters
    ----------
    sensors : Sensors
        Rows as they were recorded; reads need not be checked.
    folder : Path
        Made where it is not there.

    Raises
    ------
    ValueError
        A read has no time, or its clock steps by over a second and back, so that no part of the day would hold it:
        `check_reads` sets such aside.
    """
    time = sensors.reads["time"].to_numpy(float)
    wrong = np.flatnonzero(~np.isfinite(time)) if not np.isfinite(time).all() else clock_steps(time, _SLACK)
    if len(wrong):
        raise ValueError(
            f"time of read {wrong[0] + 1} is {time[wrong[0]]}: a moment near those around it is needed, since parts of "
            "a day are read by time; check_reads sets such aside"
        )
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    for name in (*TIMED, *_KNOWN):
        table: pd.DataFrame = getattr(sensors, name)
        table.to_parquet(place / f"{name}.parquet", index=False, row_group_size=_ROWS)
    drawn = {name: {str(key): np.asarray(at).tolist() for key, at in getattr(sensors, name).items()} for name in _DRAWN}
    (place / "plan.json").write_text(json.dumps(drawn))


def read_sensors(folder: Path | str, begin: float = -np.inf, end: float = np.inf) -> Sensors:
    """Read a day, or what devices told from one moment until before another by each one's clock.

    Parameters
    ----------
    folder : Path
        Where `write_sensors` wrote.
    begin, end : float, seconds
        Rows at `begin` are read, those at `end` are not.

    Raises
    ------
    FileNotFoundError
        There is no such day.
    """
    place = Path(folder)
    found = {name: _read(place / f"{name}.parquet", begin, end) for name in TIMED}
    found |= {name: pd.read_parquet(place / f"{name}.parquet") for name in _KNOWN}
    return Sensors(**found, **json.loads((place / "plan.json").read_text()))


def read_times(sensors: Sensors | Path | str, table: str) -> NDArray[np.float64]:
    """Read when each row of a table of a day was told, seconds: of frames, or of a folder."""
    if isinstance(sensors, Sensors):
        rows = getattr(sensors, table)
    else:
        rows = pd.read_parquet(Path(sensors) / f"{table}.parquet", columns=["time"], use_threads=False)
    times = rows["time"].to_numpy(float)
    return np.asarray(times[np.isfinite(times)])


def _read(path: Path, begin: float, end: float) -> pd.DataFrame:
    bounds = [("time", ">=", begin), ("time", "<", end)]
    asked = [bound for bound in bounds if np.isfinite(bound[2])]
    return pd.read_parquet(path, filters=asked or None, use_threads=False)
