"""Recordings of people walking, with truth: the UCY and ETH sets as tidy tables in metres and seconds.

[scene] = read_recordings("tracks_ucy", scenes=["zara01"])
scene.tracks        # visit, time (s), x, y (m)
scene.groups        # who walks together
scene.gaze          # visit, time (s), gaze (degrees), where heads were marked
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.datasets.catalogue import DataError
from retailkit.lab import project

STEP = 0.4  # seconds between two rows of these sets' tables (Pellegrini et al. 2009)
RATE = 25.0  # frames per second of the UCY films, by which their splines count (Lerner et al. 2007)
_POINT = re.compile(r"^\s*(-?[\d.]+)\s+(-?[\d.]+)\s+(\d+)\s+(-?[\d.]+)")
_NO_GAZE = pd.DataFrame(columns=["visit", "time", "x", "y", "gaze"], dtype=float)


@dataclass(frozen=True, eq=False)
class Recording:
    """One scene.

    Attributes
    ----------
    name : str
        Of its folder.
    tracks : DataFrame
        visit (the number in the file), time (seconds from the first row), x, y (metres).
    groups : tuple of tuples of int
        Visits that walk together; empty where nobody wrote it down.
    gaze : DataFrame
        visit (place in the file), time, x, y (pixels from the middle of the picture, y upwards), gaze (degrees: 0 is
        up, 90 left); one row for each control point, empty where heads were not marked.
    picture : Path or None
        A photograph of the scene.
    homography : array (3, 3) or None
        From the picture's pixels to metres.
    """

    name: str
    tracks: pd.DataFrame
    groups: tuple[tuple[int, ...], ...]
    gaze: pd.DataFrame
    picture: Path | None
    homography: NDArray[np.float64] | None


def read_recordings(name: str | Path, scenes: Sequence[str] | None = None) -> list[Recording]:
    """Read the scenes of a set by its name below ``RETAILKIT_DATA``, or of a folder of one's own.

    Parameters
    ----------
    name : str or Path
        A set, a folder that holds a folder for each scene.
    scenes : list of str, optional
        Names of folders; by default all that hold tracks.

    Raises
    ------
    DataError
        No such set or scene, or a file that is not what it should be; the message names file and line.
    """
    home = Path(name) if isinstance(name, Path) or "/" in str(name) else project.find_data(str(name))
    if home is None or not home.is_dir():
        raise DataError(f"there is no folder '{name}'; looked in RETAILKIT_DATA and {project.root() / 'datasets'}")
    found = {path.name: path for path in sorted(home.iterdir()) if _holds_tracks(path)}
    if strange := [scene for scene in scenes or () if scene not in found]:
        raise DataError(f"{home} has no scene '{strange[0]}'; it has {', '.join(found) or 'none'}")
    if not found:
        raise DataError(f"{home} holds no folder with an obsmat.txt or annotation.vsp")
    return [_read(found[scene]) for scene in (scenes or found)]


def _holds_tracks(folder: Path) -> bool:
    return (folder / "obsmat.txt").is_file() or (folder / "annotation.vsp").is_file()


def _read(folder: Path) -> Recording:
    gaze = read_splines(folder / "annotation.vsp") if (folder / "annotation.vsp").is_file() else _NO_GAZE
    matrix = folder / "H.txt"
    homography = _numbers(matrix, 3) if matrix.is_file() else None
    table = folder / "obsmat.txt"
    tracks = read_table(table) if table.is_file() else pd.DataFrame(columns=["visit", "time", "x", "y"], dtype=float)
    picture = folder / "reference.png"
    groups = _read_groups(folder / "groups.txt")
    return Recording(folder.name, tracks, groups, gaze, picture if picture.is_file() else None, homography)


def read_table(path: Path) -> pd.DataFrame:
    """Read an ``obsmat.txt``: frame, visit, x, height, y and three speeds a row; rows are 0.4 s apart.

    Returns
    -------
    DataFrame
        visit, time (seconds from the first row), x, y (metres), by visit and time.
    """
    rows = _numbers(path, 8)
    frames = pd.Series(np.unique(rows[:, 0])).diff()
    step = float(frames.mode().iloc[0]) if len(frames) > 1 else 1.0
    tracks = pd.DataFrame(
        {
            "visit": rows[:, 1].astype(int),
            "time": np.round((rows[:, 0] - rows[:, 0].min()) / step * STEP, 6),
            "x": rows[:, 2],
            "y": rows[:, 4],
        }
    )
    return tracks.sort_values(["visit", "time"], kind="stable").reset_index(drop=True)


def _numbers(path: Path, columns: int) -> NDArray[np.float64]:
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = [float(word) for word in line.split()]
        except ValueError as error:
            raise DataError(f"{path}, line {number}: {error}") from error
        if len(row) != columns:
            raise DataError(f"{path}, line {number}: {len(row)} numbers; {columns} are needed")
        rows.append(row)
    if not rows:
        raise DataError(f"{path} is empty")
    return np.array(rows)


def _read_groups(path: Path) -> tuple[tuple[int, ...], ...]:
    if not path.is_file():
        return ()
    lines = path.read_text(encoding="utf-8").splitlines()
    return tuple(tuple(int(word) for word in line.split()) for line in lines if len(line.split()) > 1)


def read_splines(path: Path) -> pd.DataFrame:
    """Read an ``annotation.vsp``: for each person the control points of a spline, with the direction of the head.

    Returns
    -------
    DataFrame
        visit (from 1, in the file's order), time (seconds), x, y (pixels from the middle), gaze (degrees, 0 is up and
        90 left).
    """
    rows: list[tuple[float, ...]] = []
    visit = left = 0
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines()[1:], start=2):
        if "control points" in line.lower():
            visit, left = visit + 1, int(line.split()[0])
        elif left and (point := _POINT.match(line)):
            x, y, frame, gaze = map(float, point.groups())
            rows.append((visit, frame / RATE, x, y, gaze))
            left -= 1
        elif left:
            raise DataError(f"{path}, line {number}: {line.strip()!r} is no control point 'x y frame degrees'")
    if not rows:
        raise DataError(f"{path} holds no control points")
    return pd.DataFrame(rows, columns=_NO_GAZE.columns).astype({"visit": int})
