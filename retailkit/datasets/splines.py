"""UCY's splines: where people stood in the picture and where their heads pointed, and the way from there to metres.

A file ``annotation.vsp`` says how many splines there are, then for each how many control points, then those points: x
and y (pixels from the middle of the picture, y upwards), frame (25 a second) and the direction of the head (degrees in
the picture: 0 is up, 90 left). What stands behind `` - `` is a comment (Lerner, Chrysanthou & Lischinski 2007).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from retailkit.datasets.catalogue import DataError

RATE = 25.0  # frames per second of the UCY films
STEP = 0.4  # seconds between two rows of the sets' tables (Pellegrini et al. 2009)
SIZE = (720, 576)  # width and height of the UCY films, pixels
WALKING = 1.3  # metres per second: how fast people walk where they are free to (Weidmann 1993: 1.34)
AGREES = 0.3  # metres: paths that lie further apart than this (in the middle) are not those of the same people
COLUMNS = ["visit", "time", "x", "y", "gaze"]
_COMMENT = re.compile(r"(?:^|\s)-\s")
_END = (0, "")  # in place of a line, where there is none


def read_splines(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read an ``annotation.vsp``: for each person the control points of a spline, with the direction of the head.

    Returns
    -------
    points : DataFrame
        visit (from 1, in the file's order), time (seconds of the film), x, y (pixels from the middle), gaze (degrees,
        0 is up and 90 left), by visit and time.
    quarantine : DataFrame
        Columns file, line, problem: points whose frame does not come after the one before, and lines after the last
        spline.

    Raises
    ------
    DataError
        A line that is no control point, or a spline or file that ends too soon; the message names file and line.
    """
    lines = _lines(path)
    promised, _ = _count(path, next(lines, _END), "the number of splines")
    rows: list[tuple[float, ...]] = []
    aside: list[tuple[int, str]] = []
    for visit in range(1, promised + 1):
        points, head = _count(path, next(lines, _END), f"the length of spline {visit} of {promised}")
        before = -np.inf
        for point in range(1, points + 1):
            number, line = next(lines, _END)
            place = f"point {point} of {points} of spline {visit}, begun on line {head}"
            x, y, frame, gaze = _point(path, number, line, place)
            if frame > before:
                rows.append((visit, frame / RATE, x, y, gaze))
                before = frame
            else:
                aside.append((number, f"frame {frame:g} does not come after frame {before:g}"))
    aside += [(number, f"{line!r} stands after the last spline") for number, line in lines]
    if not rows:
        raise DataError(f"{path} holds no control points")
    quarantine = pd.DataFrame([(path.name, *row) for row in aside], columns=["file", "line", "problem"])
    return pd.DataFrame(rows, columns=COLUMNS).astype({"visit": int}), quarantine


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number and content of the lines that say something."""
    text = path.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        if content := _COMMENT.split(line)[0].strip():
            yield number, content


def _count(path: Path, line: tuple[int, str], what: str) -> tuple[int, int]:
    number, content = line
    if not content:
        raise DataError(f"{path} ends where {what} should stand: the file is cut off")
    if not content.isdigit():
        raise DataError(f"{path}, line {number}: {content!r} is not {what}, a whole number")
    return int(content), number


def _point(path: Path, number: int, content: str, place: str) -> tuple[float, ...]:
    if not content:
        raise DataError(f"{path} ends where {place}, should stand: the file is cut off")
    try:
        values = tuple(map(float, content.split()))
    except ValueError:
        values = ()
    if len(values) != 4 or not np.isfinite(values).all():
        raise DataError(f"{path}, line {number}: {content!r} is no control point 'x y frame degrees' ({place})")
    return values


def follow_splines(points: pd.DataFrame, step: float = STEP) -> pd.DataFrame:
    """Walk along the splines: where everybody is at each moment, straight on between two control points.

    Straight, and not along a curve, since that is how the tables that come with zara01 and zara02 were made: a line
    meets them to a tenth of a millimetre, a cubic spline misses them by 2 to 3 cm in the middle and 14 m at most.

    Parameters
    ----------
    points : DataFrame
        Control points, as `read_splines` gives them.
    step : float, seconds
        Everybody is looked at at the same moments, counted from the first control point of the file.

    Returns
    -------
    DataFrame
        visit, time (seconds from the first control point), x, y (pixels from the middle), gaze (degrees, unwound: may
        be above 360 or below 0); nobody who was there between two moments only.
    """
    start = points["time"].min()
    ways = [_follow(one[COLUMNS].to_numpy(float), start, step) for _, one in points.groupby("visit", sort=True)]
    return pd.DataFrame(np.concatenate(ways), columns=COLUMNS).astype({"visit": int})


def _follow(points: NDArray, start: float, step: float) -> NDArray[np.float64]:
    """One spline's rows visit, time, x, y, gaze at the common moments."""
    visit, time, x, y, gaze = points.T
    seconds, slack = time - start, 1e-6
    moments = np.arange(np.ceil(seconds[0] / step - slack), np.floor(seconds[-1] / step + slack) + 1) * step
    turned = np.unwrap(gaze, period=360.0)
    ways = [np.interp(moments, seconds, values) for values in (x, y, turned)]
    return np.column_stack([np.full(len(moments), visit[0]), np.round(moments, 6), *ways])


def to_floor(homography: NDArray, size: tuple[int, int], x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    """Map points of the picture to the floor.

    Parameters
    ----------
    homography : array (3, 3)
        From (row, column, 1), pixels from the top left corner, to metres: so the sets' ``H.txt`` are meant.
    size : (width, height), pixels
    x, y : arrays (points,), pixels from the middle, y upwards

    Returns
    -------
    array (points, 2), metres
    """
    width, height = size
    pixels = np.stack(np.broadcast_arrays(height / 2 - np.asarray(y, float), width / 2 + np.asarray(x, float)), axis=-1)
    mapped = np.concatenate([pixels, np.ones((*pixels.shape[:-1], 1))], axis=-1) @ homography.T
    return mapped[..., :2] / mapped[..., 2:]


def by_walking_speed(points: pd.DataFrame, size: tuple[int, int], speed: float = WALKING) -> NDArray[np.float64]:
    """Guess a homography where none was measured: as if seen from straight above, by how fast people walk.

    The middle of the speeds of those who walk (above 0.4 of the middle of all) becomes `speed`. On zara01 and zara02,
    whose true scale is known, it is 2 % off in the mean of both directions, and 8 and 10 % in each, as the camera
    looks down at a slant.

    Raises
    ------
    DataError
        Nobody moves.
    """
    steps = points.groupby("visit")[["time", "x", "y"]].diff().dropna()
    pace = np.hypot(steps["x"], steps["y"]) / steps["time"]
    walking = pace[pace > 0.4 * pace.median()]
    if not len(walking) or not walking.median() > 0:
        raise DataError("nobody moves in this scene, so nothing tells its scale: an H.txt is needed")
    scale = speed / walking.median()
    width, height = size
    return np.array([[0, scale, -scale * width / 2], [-scale, 0, scale * height / 2], [0, 0, 1]])


def fit_homography(
    homography: NDArray | None, size: tuple[int, int], walked: pd.DataFrame, tracks: pd.DataFrame
) -> tuple[NDArray[np.float64] | None, float]:
    """Make pixels and metres of one scene meet: the file's homography moved to the table's origin, or a new one.

    Parameters
    ----------
    homography : array (3, 3) or None
        Of ``H.txt``; its origin may be another than the table's.
    walked, tracks : DataFrame
        The same people in pixels (`follow_splines`) and in metres (``obsmat.txt``).

    Returns
    -------
    homography : array (3, 3) or None
        None where pixels and metres do not belong together.
    residual : float, metres
        The middle of the distances that are left.
    """
    both = walked.merge(tracks, on=["visit", "time"], suffixes=("_picture", ""))
    place, x, y = both[["x", "y"]].to_numpy(float), both["x_picture"].to_numpy(), both["y_picture"].to_numpy()
    if len(both) < 20:
        return None, np.nan
    tried = (
        [] if homography is None else [_moved(homography, np.median(place - to_floor(homography, size, x, y), axis=0))]
    )
    tried.append(_least_squares(np.column_stack([size[1] / 2 - y, size[0] / 2 + x]), place))
    for matrix in tried:
        residual = float(np.median(np.hypot(*(place - to_floor(matrix, size, x, y)).T)))
        if residual < AGREES:
            return matrix, residual
    return None, residual


def _moved(homography: NDArray, shift: NDArray) -> NDArray[np.float64]:
    return np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1]]) @ homography


def _least_squares(pixels: NDArray, place: NDArray) -> NDArray[np.float64]:
    import cv2  # here, since it takes a tenth of a second

    matrix, _ = cv2.findHomography(pixels, place, method=0)
    return np.full((3, 3), np.nan) if matrix is None else np.asarray(matrix, dtype=float)
