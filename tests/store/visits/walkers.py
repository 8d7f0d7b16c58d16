"""Walkers for tests."""

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
