"""Recordings of people walking, with truth: the UCY, ETH and WILDTRACK sets as tidy tables in metres and seconds.

[scene] = read_recordings("tracks_ucy", scenes=["zara01"])
scene.tracks        # visit, time (s), x, y (m)
scene.groups        # who walks together
scene.gaze          # visit, time (s), gaze (degrees), where heads were marked
scene.calibration   # where the metres come from, a sentence for the page
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.datasets import places, splines
from retailkit.datasets.catalogue import DataError
from retailkit.datasets.splines import STEP, read_splines

__all__ = ["Recording", "read_recordings", "read_splines", "read_table"]
_NO_GAZE = pd.DataFrame(columns=splines.COLUMNS, dtype=float)
_NOTHING_WRONG = pd.DataFrame(columns=["file", "line", "problem"])


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
        visit, time (as in `tracks`), x, y (pixels from the middle of the picture, y upwards), gaze (degrees in the
        picture: 0 is up, 90 left); one row for each control point, empty where heads were not marked.
    picture : Path or None
        A photograph of the scene.
    homography : array (3, 3) or None
        From (row, column, 1) of the picture, pixels from its top left corner, to the metres of `tracks`.
    size : (width, height)
        Of the picture, pixels.
    calibration : str
        Where the metres come from and how well they are known.
    quarantine : DataFrame
        Columns file, line, problem: what was set aside.
    """

    name: str
    tracks: pd.DataFrame
    groups: tuple[tuple[int, ...], ...]
    gaze: pd.DataFrame
    picture: Path | None
    homography: NDArray[np.float64] | None
    size: tuple[int, int] = splines.SIZE
    calibration: str = ""
    quarantine: pd.DataFrame = field(default_factory=_NOTHING_WRONG.copy)


def read_recordings(name: str | Path, scenes: Sequence[str] | None = None) -> list[Recording]:
    """Read the scenes of a set by its name below ``RETAILKIT_DATA``, or of a folder of one's own.

    A scene is a folder with ``obsmat.txt`` (tracks in metres), ``annotation.vsp`` (splines in pixels), or both. Where
    there are splines alone, tracks are read off them every 0.4 s and brought to metres by ``H.txt``; without that
    file too, the scale is guessed from how fast people walk, and `calibration` says so.

    Parameters
    ----------
    name : str or Path
        A set, a folder that holds a folder for each scene (WILDTRACK's frames lie in the set's folder itself).
    scenes : list of str, optional
        Names of folders; by default all that hold tracks.

    Raises
    ------
    DataError
        No such set or scene, or a file that is not what it should be; the message names file and line.
    """
    home = places.place(name, places.card_of(name))
    found = {path.name: path for path in [home, *sorted(home.iterdir())] if _holds_tracks(path)}
    if strange := [scene for scene in scenes or () if scene not in found]:
        raise DataError(f"{home} has no scene '{strange[0]}'; it has {', '.join(found) or 'none'}")
    if not found:
        raise DataError(f"{home} holds no folder with an obsmat.txt or annotation.vsp, and no WILDTRACK frames")
    return [_read(found[scene]) for scene in (scenes or found)]


def _holds_tracks(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("obsmat.txt", "annotation.vsp")) or bool(_frames(folder))


def _frames(folder: Path) -> list[Path]:
    """WILDTRACK's files: 00000000.json, 00000005.json, ..."""
    return sorted(path for path in folder.glob("*.json") if path.stem.isdigit()) if folder.is_dir() else []


def _read(folder: Path) -> Recording:
    if frames := _frames(folder):
        told = "WILDTRACK's grid of 2.5 cm on the floor, marked in seven cameras at once"
        return Recording(folder.name, _read_frames(frames), (), _NO_GAZE, None, None, calibration=told)
    table, marks, matrix = (folder / name for name in ("obsmat.txt", "annotation.vsp", "H.txt"))
    size = _size(folder / "reference.png")
    homography = _numbers(matrix, 3) if matrix.is_file() else None
    if homography is not None and homography.shape != (3, 3):
        raise DataError(f"{matrix} has {len(homography)} rows; a homography has 3")
    points, wrong = read_splines(marks) if marks.is_file() else (_NO_GAZE, _NOTHING_WRONG)
    points = points.assign(time=np.round(points["time"] - points["time"].min(), 6))  # on the clock of the tracks
    tracks = read_table(table) if table.is_file() else None
    tracks, homography, told = _calibrate(tracks, points, homography, size)
    picture = folder / "reference.png"
    return Recording(
        folder.name, tracks, _read_groups(folder / "groups.txt"), points, picture if picture.is_file() else None,
        homography, size, told, wrong,
    )  # fmt: skip


def _calibrate(
    tracks: pd.DataFrame | None, points: pd.DataFrame, homography: NDArray | None, size: tuple[int, int]
) -> tuple[pd.DataFrame, NDArray[np.float64] | None, str]:
    """Tracks in metres, the homography that leads to them, and a sentence on where they come from."""
    if tracks is None:
        told = "splines brought to metres by H.txt"
        if homography is None:
            homography = splines.by_walking_speed(points, size)
            told = (
                f"no H.txt: the scale is guessed from how fast people walk ({splines.WALKING} m/s in the middle), as "
                "if seen from straight above; lengths may be off by a tenth and more"
            )
        walked = splines.follow_splines(points)
        x, y = splines.to_floor(homography, size, walked["x"], walked["y"]).T
        return walked[["visit", "time"]].assign(x=x, y=y), homography, told
    if points.empty:
        return tracks, homography, "obsmat.txt"
    fitted, residual = splines.fit_homography(homography, size, splines.follow_splines(points), tracks)
    if fitted is None:
        return tracks, homography, f"obsmat.txt; the splines do not fit it ({residual:.2f} m apart in the middle)"
    return tracks, fitted, f"obsmat.txt; the splines meet it to {residual:.3f} m in the middle"


def _size(picture: Path) -> tuple[int, int]:
    if not picture.is_file():
        return splines.SIZE
    from PIL import Image

    with Image.open(picture) as image:
        return image.size


def read_table(path: Path) -> pd.DataFrame:
    """Read an ``obsmat.txt``: frame, visit, x, height, y and three speeds a row.

    The length of a frame is read from way and speed of each step; where nobody moves, rows are 0.4 s apart.

    Returns
    -------
    DataFrame
        visit, time (seconds from the first row), x, y (metres), by visit and time.
    """
    rows = _numbers(path, 8)
    rows = rows[np.lexsort((rows[:, 0], rows[:, 1]))]
    return pd.DataFrame(
        {
            "visit": rows[:, 1].astype(int),
            "time": np.round((rows[:, 0] - rows[:, 0].min()) * _frame_length(rows), 6),
            "x": rows[:, 2],
            "y": rows[:, 4],
        }
    )


def _frame_length(rows: NDArray) -> float:
    """Seconds of a frame, from way and speed of those who walk; to the nearest hundredth of a row's step."""
    frames = pd.Series(np.unique(rows[:, 0])).diff()
    step = float(frames.mode().iloc[0]) if len(frames) > 1 else 1.0
    way, speed = np.hypot(*np.diff(rows[:, [2, 4]], axis=0).T), np.hypot(rows[:, 5], rows[:, 7])
    same = (np.diff(rows[:, 1]) == 0) & (np.diff(rows[:, 0]) > 0) & (speed[1:] > 0.5) & (way > 0.1)
    if same.sum() < 20:
        return STEP / step
    seconds = np.median(way[same] / speed[1:][same] / np.diff(rows[:, 0])[same]) * step
    return float(STEP if abs(seconds / STEP - 1) < 0.1 else round(seconds, 2)) / step


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
    """Each line a group; whoever stands on a line twice is there once."""
    if not path.is_file():
        return ()
    groups = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            members = tuple(dict.fromkeys(int(word) for word in line.split()))
        except ValueError as error:
            raise DataError(f"{path}, line {number}: {line.strip()!r} is no list of whole numbers") from error
        if len(members) > 1:
            groups.append(members)
    return tuple(groups)


GRID, CELL, CORNER = 480, 0.025, (-3.0, -9.0)  # WILDTRACK: cells in a row, metres of a cell, its first (x, y)
FRAMES_PER_SECOND = 10.0  # by which its files are numbered; every fifth was marked (Chavdarova et al. 2018)


def _read_frames(paths: Sequence[Path]) -> pd.DataFrame:
    rows = []
    for path in paths:
        try:
            people = [(one["personID"], one["positionID"]) for one in json.loads(path.read_text(encoding="utf-8"))]
            rows += [(int(who), int(path.stem), int(where)) for who, where in people]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: no list of people with personID and positionID ({error!r})") from error
    visit, frame, cell = np.array(rows or np.empty((0, 3)), dtype=int).T
    tracks = pd.DataFrame(
        {
            "visit": visit,
            "time": (frame - frame.min(initial=int(paths[0].stem))) / FRAMES_PER_SECOND,
            "x": CORNER[0] + CELL * (cell % GRID),
            "y": CORNER[1] + CELL * (cell // GRID),
        }
    )
    return tracks.sort_values(["visit", "time"], kind="stable").reset_index(drop=True)
