"""Lines and zones drawn by rule on a scene of real ways, before anybody looks at what is counted there."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

Line = Sequence[Sequence[float]]


def gates(tracks: pd.DataFrame) -> list[Line]:
    """Draw three lines across the main direction of walking, where a quarter, half and three quarters are passed."""
    ways = tracks.groupby("visit")[["x", "y"]].diff().dropna().to_numpy()
    _, axes = np.linalg.eigh(ways.T @ ways)
    along = axes[:, 1]
    across = np.array([-along[1], along[0]])
    places = tracks[["x", "y"]].to_numpy()
    low, high = (places @ across).min() - 1, (places @ across).max() + 1
    middles = np.quantile(places @ along, [0.25, 0.5, 0.75])
    return [(tuple(middle * along + low * across), tuple(middle * along + high * across)) for middle in middles]


def boxes(tracks: pd.DataFrame) -> dict[str, list[tuple[float, float]]]:
    """Draw 2 x 3 boxes that touch, between the 10 % and 90 % quantiles of places: three along the longer side."""
    sides = [np.quantile(tracks[axis], [0.1, 0.9]) for axis in ("x", "y")]
    number = (3, 2) if np.ptp(sides[0]) >= np.ptp(sides[1]) else (2, 3)
    x, y = (np.linspace(*side, count + 1) for side, count in zip(sides, number, strict=True))
    return {
        f"box {column + 1}.{row + 1}": [(x[column], y[row]), (x[column + 1], y[row]), (x[column + 1], y[row + 1]),
                                        (x[column], y[row + 1])]
        for column in range(number[0]) for row in range(number[1])
    }  # fmt: skip
