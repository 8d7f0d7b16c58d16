"""Where a way was and how fast, just before or after a moment: lines fitted to a second or two of it."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

LOOK = 1.4  # seconds that a line is fitted to: long enough to know the speed, short enough not to turn


def fit_ends(
    tracks: pd.DataFrame, rows: NDArray[np.intp], side: int, step: float, at: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Fit lines to the moments that end (side -1) or begin (side 1) with given rows, and read them there.

    Parameters
    ----------
    tracks : DataFrame with visit, time (seconds), x, y (metres)
        By visit and time.
    rows : array (ends,)
        Positions of rows; -1 and len(tracks) stand for none.
    side : int
        -1: the row and those before it; 1: the row and those after it; of the same visit.
    step : float, seconds
        Between two moments of the camera.
    at : array (ends,), optional
        Moments at which the lines are read; by default those of the rows.

    Returns
    -------
    array (ends, 6)
        x, y, their speeds (metres per second), and the variances of a place and of a speed, in units of the variance
        of one row's place. A single row stands still, with a speed that nobody knows (infinite variance).
    """
    time, codes = tracks["time"].to_numpy(float), pd.factorize(tracks["visit"])[0]
    reach = int(np.ceil(LOOK / step))
    known = np.clip(rows, 0, max(len(time) - 1, 0))
    moments = time[known] if at is None else at
    near = rows[:, None] + side * np.arange(reach + 1)
    valid = (near >= 0) & (near < len(time)) & ((rows >= 0) & (rows < len(time)))[:, None]
    near = np.clip(near, 0, len(time) - 1)
    seconds = time[near] - moments[:, None]
    weight = (
        valid & (codes[near] == codes[known][:, None]) & (np.abs(time[near] - time[known][:, None]) <= LOOK)
    ) * 1.0
    number = np.maximum(weight.sum(axis=1), 1)
    middle = (weight * seconds).sum(axis=1) / number
    spread = (weight * (seconds - middle[:, None]) ** 2).sum(axis=1)
    moving = spread > 1e-9
    divisor = np.where(moving, spread, 1.0)
    result = np.empty((len(rows), 6))
    for column, name in enumerate(("x", "y")):
        place = tracks[name].to_numpy(float)[near]
        mean = (weight * place).sum(axis=1) / number
        speed = (weight * place * (seconds - middle[:, None])).sum(axis=1) / divisor
        result[:, column], result[:, 2 + column] = mean - speed * middle, speed
    result[:, 4] = 1 / number + np.where(moving, middle**2 / divisor, 0)
    result[:, 5] = np.where(moving, 1 / divisor, np.inf)
    return result
