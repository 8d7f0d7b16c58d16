"""From the picture to the floor plan: pixels become metres by a homography, and people stand where their feet are.

    homography = fit_homography(pixels, metres)                 # marks on the floor, measured with a tape
    homography_error(pixels, metres)                            # how far off a mark is that was left out, in metres
    walks, unseen = to_floor(tracks, homography, rate=10)       # visit, time, x, y; what has no place is listed

A homography holds for one plane (Hartley & Zisserman 2004). That plane is the floor, so it is asked about the foot
point, the middle of a box's lower edge. Asked about the middle of the same boxes, a metre above the floor, it answers
with places 3 to 16 m further away on the seven cameras of WILDTRACK, where foot points are 0.02 to 0.05 m off (medians;
tests/store/test_floor.py).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from retailkit.datasets import DataError
from retailkit.datasets.tables import need_columns
from retailkit.lab.intervals import Estimate, interval
from retailkit.store.tracking import check_boxes
from retailkit.store.visits.zones import check_zones

_ON_LINE = 0.02  # of a triangle's longest side: three marks that deviate less from a line are on one
_WORST = 1e4  # condition of a homography between normalised points; store cameras have 2 to 100
Line = tuple[tuple[float, float], tuple[float, float]]
_EDGE = 1.0  # pixels: a box that ends so near to the picture's lower edge is cut by it


@dataclass(frozen=True)
class Plan:
    """Where a film's picture lies on the floor plan.

    Attributes
    ----------
    pixels, metres : tuples of (x, y)
        Marks on the floor, in the picture and on the plan.
    line : two points, metres
        Who passes it is counted.
    zones : dict
        Name to corners (x, y) in metres.
    note : str
        Where the metres come from.
    """

    pixels: tuple[tuple[float, float], ...]
    metres: tuple[tuple[float, float], ...]
    line: Line
    zones: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    note: str = ""

    def homography(self) -> NDArray[np.float64]:
        """From pixels to metres; see `fit_homography`."""
        return fit_homography(self.pixels, self.metres)


def read_plan(path: Path | str, width: float, height: float) -> Plan:
    """Read where a picture lies on the floor plan, and check that its line is in the picture.

    Raises
    ------
    DataError
        Not a JSON object with pixels, metres and line.
    ValueError
        Marks that give no homography, a line outside of the picture, or zones that `check_zones` refuses.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        marks = [tuple((float(x), float(y)) for x, y in content[name]) for name in ("pixels", "metres", "line")]
        zones = {str(name): [(float(x), float(y)) for x, y in ends] for name, ends in content.get("zones", {}).items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: {type(error).__name__} {error}; pixels, metres and line are needed") from error
    plan = Plan(marks[0], marks[1], (marks[2][0], marks[2][-1]), zones, str(content.get("note", "")))
    check_line(marks[2], width, height, plan.homography())
    if zones:
        check_zones(zones)
    return plan


def fit_homography(pixels: ArrayLike, metres: ArrayLike) -> NDArray[np.float64]:
    """Find the homography that takes the picture's pixels to metres on the floor plan, from marks known in both.

    >>> fit_homography([(0, 0), (100, 0), (100, 50), (0, 50)], [(0, 0), (4, 0), (4, 2), (0, 2)]).round(2) + 0
    array([[0.04, 0.  , 0.  ],
           [0.  , 0.04, 0.  ],
           [0.  , 0.  , 1.  ]])

    Parameters
    ----------
    pixels, metres : arrays (marks, 2)
        The same 4 or more marks on the floor, in the picture (x to the right, y down) and on the plan.

    Returns
    -------
    array (3, 3)
        For column vectors (x, y, 1), by least squares in metres (`cv2.findHomography`); its third row is above 0 on
        the marks' side of the horizon.

    Raises
    ------
    ValueError
        Fewer than 4 marks, a number that is not finite, marks on a line, or in an order that no camera can see.
    """
    import cv2

    seen, real = _marks(pixels, metres)
    _check_spread(seen, "pixels")
    _check_spread(real, "metres")
    found, _ = cv2.findHomography(seen, real, 0)
    matrix = np.full((3, 3), np.nan) if found is None else found.astype(float)
    if not np.isfinite(matrix).all():
        raise ValueError(f"no homography takes these pixels to these metres:\n{np.hstack([seen, real])}")
    inside, outside = _normaliser(seen), _normaliser(real)
    condition = np.linalg.cond(outside @ matrix @ np.linalg.inv(inside))
    depth = _ahead(matrix, seen)
    if condition > _WORST or not ((depth > 0).all() or (depth < 0).all()):
        raise ValueError(
            "the homography is degenerate: it folds the floor or squeezes it into a line (condition "
            f"{condition:.3g}). Are two marks exchanged, or pixels and metres in different orders?\n"
            f"pixels {seen.tolist()}, metres {real.tolist()}"
        )
    matrix = matrix * np.sign(depth[0])
    return np.asarray(matrix / np.abs(matrix[2, 2]) if abs(matrix[2, 2]) > 1e-12 else matrix)


def homography_error(pixels: ArrayLike, metres: ArrayLike, seed: int = 0, level: float = 0.95) -> Estimate:
    """Estimate how far off, in metres, a place on the floor is: each mark in turn is left out and foretold.

    Parameters
    ----------
    pixels, metres : arrays (marks, 2)
        As in `fit_homography`; with 4 marks there is none to spare and the error is unknown (nan).

    Returns
    -------
    Estimate
        Root of the mean squared distance of marks left out (metres), with an interval over marks (bootstrap). It speaks
        of places between the marks; beyond them errors grow. A mark without which the rest is on a line is kept in.
    """
    seen, real = _marks(pixels, metres)
    squares = []
    for mark in range(len(seen)):
        others = np.arange(len(seen)) != mark
        try:
            matrix = fit_homography(seen[others], real[others])
        except ValueError:
            continue
        squares.append(((_through(matrix, seen[mark : mark + 1]) - real[mark]) ** 2).sum())
    if len(squares) < 2:
        return Estimate(np.nan, np.nan, np.nan, level, len(squares), "marks")
    drawn = np.random.default_rng(seed).choice(squares, (2000, len(squares))).mean(axis=1)
    return interval(np.sqrt(np.mean(squares)), np.sqrt(drawn), level, units=len(squares), unit_name="marks")


def to_floor(
    tracks: pd.DataFrame,
    homography: ArrayLike,
    rate: float | None = None,
    *,
    height: float | None = None,
    blur: float = 2.0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Put boxes on the floor plan by their foot points.

    Parameters
    ----------
    tracks : DataFrame with visit, frame, x1, y1, x2, y2 (pixels), and time (seconds) where frames are not evenly spaced
        As `track_boxes` gives it.
    homography : array (3, 3)
        From pixels to metres, as `fit_homography` gives it.
    rate : float, frames per second
        Needed where tracks has no time.
    height : float, pixels
        Of the picture: a box that ends at its lower edge is cut, and nobody sees the feet.
    blur : float, pixels
        Standard deviation of the foot point in the picture.

    Returns
    -------
    tracks : DataFrame
        visit, time (seconds), x, y (metres), by visit and time, and error: by how many metres `blur` pixels shift this
        place, in the worst direction.
    quarantine : DataFrame
        Columns row (from 1, as given), visit, time, problem: feet beyond the horizon, or not seen.

    Raises
    ------
    ValueError
        No such columns or homography, no time, or a row that holds no box.
    """
    matrix = check_homography(homography)
    frame = check_boxes(tracks, ["frame", "x1", "y1", "x2", "y2"])
    need_columns(tracks, ["visit"], "tracks")
    if "time" not in tracks and not (rate and rate > 0):
        raise ValueError(f"rate is {rate!r}: frames per second above 0 are needed where tracks has no time")
    time = tracks["time"].to_numpy(dtype=float) if "time" in tracks else frame["frame"].to_numpy() / float(rate or 1)
    feet = np.column_stack([(frame["x1"] + frame["x2"]) / 2, frame["y2"]])
    depth = _ahead(matrix, feet)
    problem = np.full(len(frame), "", dtype=object)
    if height is not None:
        problem[frame["y2"].to_numpy() >= height - _EDGE] = "cut by the picture's lower edge: the feet are not seen"
    problem[depth <= 1e-6 * np.abs(matrix[2]).max()] = "the feet are on or beyond the horizon"
    good = problem == ""
    places = _through(matrix, feet[good])
    walks = pd.DataFrame({"visit": tracks["visit"].to_numpy()[good], "time": time[good], "x": places[:, 0]})
    walks = walks.assign(y=places[:, 1], error=blur * _stretch(matrix, feet[good], places))
    rows = np.flatnonzero(~good)
    wrong = {"row": rows + 1, "visit": tracks["visit"].to_numpy()[rows], "time": time[rows], "problem": problem[rows]}
    return walks.sort_values(["visit", "time"], kind="stable").reset_index(drop=True), pd.DataFrame(wrong)


def to_picture(points: ArrayLike, homography: ArrayLike) -> NDArray[np.float64]:
    """Take points on the floor plan (metres) into the picture (pixels): arrays (points, 2)."""
    inverse = np.linalg.inv(check_homography(homography)).astype(float)
    places = np.asarray(points, dtype=float).reshape(-1, 2)
    if not np.isfinite(places).all():
        raise ValueError(f"points are {points!r}: finite metres are needed")
    return _through(inverse, places)


def check_line(
    line: Sequence[Sequence[float]], width: float, height: float, homography: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Refuse a line that the camera does not see; give its two points in pixels.

    >>> check_line([(20, 100), (400, 100)], width=480, height=270)
    array([[ 20., 100.],
           [400., 100.]])

    Parameters
    ----------
    line : two points (x, y)
        Pixels, or metres where a homography from pixels to metres is given.
    width, height : float, pixels
        Of the picture.

    Raises
    ------
    ValueError
        An end lies outside of the picture: nobody seen there could be counted.
    """
    ends = np.asarray(line, dtype=float)
    if ends.shape != (2, 2) or not np.isfinite(ends).all():
        raise ValueError(f"line is {line!r}: two points (x, y) are needed")
    if homography is None:
        seen = ends
    else:
        seen = to_picture(ends, homography)
        behind = _ahead(check_homography(homography), seen) <= 0
        if behind.any():
            raise ValueError(f"line: {tuple(ends[behind][0].tolist())} m lies behind the camera")
    outside = ((seen < 0) | (seen > [width, height])).any(axis=1)
    if outside.any():
        given, told = ends[outside][0].tolist(), seen[outside][0].round(1).tolist()
        where = f"({given[0]:g}, {given[1]:g})" + ("" if homography is None else f" m, in pixels {tuple(told)},")
        raise ValueError(f"line: its end {where} lies outside of the picture of {width:g} by {height:g} pixels")
    return seen


def check_homography(homography: ArrayLike) -> NDArray[np.float64]:
    """Refuse what is no homography: not 3 by 3, not finite, or without an inverse; give it as numbers."""
    matrix = np.asarray(homography, dtype=float)
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all():
        raise ValueError(f"homography is {homography!r}: 3 by 3 finite numbers are needed")
    even = matrix / np.maximum(np.abs(matrix).max(axis=0), 1e-300)
    even = even / np.maximum(np.abs(even).max(axis=1, keepdims=True), 1e-300)
    if not np.linalg.cond(even) < 1e9:
        raise ValueError(f"homography is degenerate, it takes the floor to a line or a point: {matrix.tolist()}")
    return matrix


def _marks(pixels: ArrayLike, metres: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    seen, real = np.asarray(pixels, dtype=float), np.asarray(metres, dtype=float)
    for name, marks in (("pixels", seen), ("metres", real)):
        if marks.ndim != 2 or marks.shape[1] != 2 or len(marks) < 4:
            raise ValueError(f"{name} has shape {marks.shape}: 4 or more marks (x, y) are needed")
        if not (finite := np.isfinite(marks).all(axis=1)).all():
            raise ValueError(f"{name}, mark {int(np.flatnonzero(~finite)[0]) + 1} is not finite: {marks[~finite][0]}")
    if len(seen) != len(real):
        raise ValueError(f"there are {len(seen)} marks in pixels and {len(real)} in metres: one of each is needed")
    return seen, real


def _check_spread(marks: NDArray[np.float64], name: str) -> None:
    """Refuse marks of which no four are such that no three of them are on a line."""
    from itertools import combinations

    few = marks if len(marks) <= 12 else marks[_outermost(marks)]
    for four in combinations(range(len(few)), 4):
        if all(not _on_line(few[list(three)]) for three in combinations(four, 3)):
            return
    told = marks.tolist() if len(marks) < 7 else f"{len(marks)} marks"
    raise ValueError(f"{name}: three marks of every four are on a line, or at one place ({told}); spread them out")


def _outermost(marks: NDArray[np.float64]) -> NDArray[np.intp]:
    """Up to 12 marks, the furthest out in 12 directions."""
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    scaled = (marks - marks.mean(axis=0)) / np.maximum(marks.std(axis=0), 1e-12)
    return np.unique((scaled @ np.stack([np.cos(angles), np.sin(angles)])).argmax(axis=0))


def _on_line(three: NDArray[np.float64]) -> bool:
    sides = three - np.roll(three, 1, axis=0)
    longest = np.hypot(*sides.T).max()
    return bool(abs(sides[0, 0] * sides[1, 1] - sides[0, 1] * sides[1, 0]) <= _ON_LINE * longest**2)


def _normaliser(marks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move marks to the middle and scale them to a mean distance of 1 (Hartley 1997)."""
    middle = marks.mean(axis=0)
    scale = 1 / np.hypot(*(marks - middle).T).mean()
    return np.array([[scale, 0, -scale * middle[0]], [0, scale, -scale * middle[1]], [0, 0, 1]])


def _ahead(matrix: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Above 0 on the floor before the camera, 0 on the horizon."""
    return points @ matrix[2, :2] + matrix[2, 2]


def _through(matrix: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    return (points @ matrix[:2, :2].T + matrix[:2, 2]) / _ahead(matrix, points)[:, None]


def _stretch(matrix: NDArray[np.float64], points: NDArray, places: NDArray) -> NDArray[np.float64]:
    """Metres that a step of one pixel is worth at each point, in the worst direction: the Jacobian's largest value."""
    slopes = (matrix[None, :2, :2] - places[:, :, None] * matrix[2, :2]) / _ahead(matrix, points)[:, None, None]
    return np.linalg.norm(slopes, ord=2, axis=(1, 2)) if len(points) else np.empty(0)
