"""Shares and means over rows that hang together: rows of one visit, or household, come and go together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from retailkit.lab.intervals import Estimate


class Ratio(NamedTuple):
    """A ratio of two sums over rows, or a difference of two such ratios.

    Attributes
    ----------
    value : float
    influence : array (rows,)
        How much each row moves it.
    shift : array
        How far it moves with one standard error of each thing that was measured elsewhere.
    units : int
        Number of clusters behind it.
    """

    value: float
    influence: NDArray[np.float64]
    shift: NDArray[np.float64]
    units: int


def ratio(upper: ArrayLike, lower: ArrayLike, clusters: NDArray[np.intp], moved: ArrayLike = ()) -> Ratio:
    """Divide the sum of `upper` by that of `lower`.

    Parameters
    ----------
    upper, lower : arrays (rows,)
    clusters : array of int (rows,), from 0
        What is independent: visits, households.
    moved : array (things, 2, rows), optional
        How far `upper` and `lower` move with one standard error of each thing measured elsewhere.
    """
    above, below = np.asarray(upper, dtype=float), np.asarray(lower, dtype=float)
    units = int(np.count_nonzero(np.bincount(clusters, np.abs(below)))) if len(below) else 0
    steps = np.asarray(moved, dtype=float).reshape(-1, 2, len(below))
    total = below.sum()
    if not total > 0:
        return Ratio(np.nan, np.zeros(len(below)), np.zeros(len(steps)), units)
    value = float(above.sum() / total)
    shift = (steps[:, 0].sum(axis=1) - value * steps[:, 1].sum(axis=1)) / total
    return Ratio(value, (above - value * below) / total, shift, units)


def as_share(
    found: Ratio, clusters: NDArray[np.intp], level: float, seen: float = 1.0, unit: str = "visits"
) -> Estimate:
    """Give a share Wilson's (1927) interval for as many independent trials as would spread as much.

    The spread is that between clusters (Kish 1965; Dean & Pagano 2015), the quantile Student's.

    Parameters
    ----------
    found : Ratio
    clusters : array of int (rows,)
    level : float, 0 to 1
    seen : float, 0 to 1
        Share of the events that is seen at all: where nobody did it, so many of the clusters would have shown it.
    unit : str
        What a cluster is.
    """
    if found.units < 2 or np.isnan(found.value):
        return Estimate(found.value, np.nan, np.nan, level, found.units, unit)
    share = min(max(found.value, 0.0), 1.0)
    spread = variance(found, clusters)
    clear = share * (1 - share) > 1e-12 and spread > 0
    trials = share * (1 - share) / spread if clear else found.units * seen
    z2 = stats.t.ppf((1 + level) / 2, found.units - 1) ** 2
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = np.sqrt(z2 * share * (1 - share) / trials + z2**2 / (4 * trials**2)) / (1 + z2 / trials)
    low, high = min(max(middle - half, 0.0), share), max(min(middle + half, 1.0), share)
    return Estimate(share, float(low), float(high), level, found.units, unit)


def as_mean(found: Ratio, clusters: NDArray[np.intp], level: float, unit: str = "visits") -> Estimate:
    """Give a mean, or a difference, Student's interval; the arguments are those of `as_share`."""
    if found.units < 2 or np.isnan(found.value):
        return Estimate(found.value, np.nan, np.nan, level, found.units, unit)
    reach = float(stats.t.ppf((1 + level) / 2, found.units - 1) * np.sqrt(variance(found, clusters)))
    return Estimate(found.value, found.value - reach, found.value + reach, level, found.units, unit)


def variance(found: Ratio, clusters: NDArray[np.intp]) -> float:
    """Add the variance of what was measured elsewhere to that between clusters (linearised: Kish & Frankel 1974)."""
    between = (np.bincount(clusters, found.influence) ** 2).sum() * found.units / (found.units - 1)
    return float(between + found.shift @ found.shift)
