"""Pairs that cost least, where most may not be pairs at all: ends and beginnings of tracks, plates and hands, faces."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

_FAR = 1e6  # cost of a pair that may not be: any that may is better than none


def pair_up(cost: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pair rows with columns, each at most once: as many as may be, and of these the ones that cost least (Kuhn 1955).

    >>> rows, columns = pair_up(np.array([[1.0, np.inf], [0.5, np.inf]]))
    >>> rows.tolist(), columns.tolist()
    ([1], [0])

    Parameters
    ----------
    cost : array (rows, columns)
        Below a million; inf for what may not be a pair.

    Returns
    -------
    rows, columns : arrays (pairs,)
        By row.
    """
    rows, columns = linear_sum_assignment(np.where(np.isfinite(cost), cost, _FAR))
    allowed = np.isfinite(cost[rows, columns])
    return rows[allowed], columns[allowed]
