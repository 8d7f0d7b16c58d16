"""Lines and zones drawn by rule on a scene of people's ways, before anybody looks at what is counted there."""

from typing import Any

import numpy as np
import pandas as pd

Point = tuple[float, float]


def draw_gates(tracks: pd.DataFrame) -> dict[str, tuple[Point, Point]]:
    """Draw three lines across the main direction of walking, where a quarter, half and three quarters are passed."""
    ways = tracks.groupby("visit")[["x", "y"]].diff().dropna().to_numpy()
    along = np.linalg.eigh(ways.T @ ways)[1][:, 1]
    across = np.array([-along[1], along[0]])
    places = tracks[["x", "y"]].to_numpy()
    low, high = (places @ across).min() - 1, (places @ across).max() + 1
    middles = np.quantile(places @ along, [0.25, 0.5, 0.75])
    ends = [(middle * along + low * across, middle * along + high * across) for middle in middles]
    return {f"gate {number}": (as_point(one), as_point(two)) for number, (one, two) in enumerate(ends, start=1)}


def draw_boxes(tracks: pd.DataFrame) -> dict[str, list[Point]]:
    """Draw six boxes that touch, between the 10 % and 90 % quantiles of places: three along the longer side."""
    sides = [np.quantile(tracks[axis], [0.1, 0.9]) for axis in ("x", "y")]
    number = (3, 2) if np.ptp(sides[0]) >= np.ptp(sides[1]) else (2, 3)
    x, y = (np.linspace(side[0], side[1], count + 1) for side, count in zip(sides, number, strict=True))
    corners = ((0, 0), (1, 0), (1, 1), (0, 1))
    return {
        f"box {column + 1}.{row + 1}": [(float(x[column + right]), float(y[row + up])) for right, up in corners]
        for column in range(number[0])
        for row in range(number[1])
    }


def as_point(values: Any) -> Point:
    """Take two numbers for a place: x, y in metres."""
    x, y = values
    return float(x), float(y)
