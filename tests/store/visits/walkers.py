"""Walkers and gates for tests."""

import numpy as np
import pandas as pd


def walk(*points: tuple[float, float], visit: object = 1, start: float = 0.0, step: float = 0.4) -> pd.DataFrame:
    """Walk from point to point, one moment each."""
    x, y = np.array(points, dtype=float).T
    return pd.DataFrame({"visit": visit, "time": start + step * np.arange(len(x)), "x": x, "y": y})


def straight(start, end, speed: float = 1.2, visit: object = 1, begin: float = 0.0, step: float = 0.4) -> pd.DataFrame:
    """Walk straight on at one speed (metres per second)."""
    start, end = np.array(start, float), np.array(end, float)
    moments = np.arange(0, np.hypot(*(end - start)) / speed, step)
    places = start + moments[:, None] * speed * (end - start) / np.hypot(*(end - start))
    return pd.DataFrame({"visit": visit, "time": begin + moments, "x": places[:, 0], "y": places[:, 1]})


def gates(tracks: pd.DataFrame) -> list[tuple[tuple[float, float], tuple[float, float]]]:
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
