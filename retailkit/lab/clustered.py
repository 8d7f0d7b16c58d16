"""Means, shares and rates where observations come in groups that may resemble each other, without resampling.

For tables of many cells: each figure's variance comes from the sums of its groups ("clusters"), in one pass over the
rows. `intervals.bootstrap` tells the same of any statistic, a thousand times slower.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from retailkit.lab.intervals import Estimate, group_codes

_SKEWED = 0.4  # of the mean: the most that is believed; without a limit some intervals are many times too wide


def skewed_ends(value: float, influence: NDArray, level: float = 0.95) -> tuple[float, float]:
    """Ends of the interval of a mean by its groups' influences, which sum to 0 and whose squares sum to its variance.

    The mean of a few long times among many short ones is more often too low than too high. Hall's (1992) cubic makes
    Student's statistic of such a sample nearly symmetric, and is inverted here. Skewness is believed up to a limit, as
    what a sample of a heavy tail says of it is mostly chance. On 4,000 samples each of 25 exponential, log-normal
    (spread 1) and mixed times its 95 % intervals held the mean in 94, 92 and 95 %, those without it in 91, 87 and 91 %.

    Parameters
    ----------
    value : float
        The mean.
    influence : array (groups,)
        What each group adds to it, against the mean: for a plain mean of n values, (its values - mean) / n.
    level : float, 0 to 1

    Returns
    -------
    low, high : float
        nan for fewer than two groups.
    """
    number = len(influence)
    error = float(np.sqrt((influence**2).sum() * number / (number - 1))) if number > 1 else np.nan
    if not error > 0:
        return (value, value) if error == 0 else (np.nan, np.nan)
    skew = (influence**3).sum() / (influence**2).sum() ** 1.5  # of the mean: a single time's over sqrt(number)
    skew, reach = float(np.clip(skew, -_SKEWED, _SKEWED)), _student(level, number)
    return value - error * _unbend(reach, skew), value - error * _unbend(-reach, skew)


def _student(level: float, units: float) -> float:
    """As `intervals.student`, of units that need not be whole, and fast, since tables ask for it a thousand times."""
    return float(special.stdtrit(units - 1, (1 + level) / 2))


def _unbend(reach: float, skew: float) -> float:
    return float(3 / skew * (np.cbrt(1 + skew * (reach - skew / 6)) - 1)) if abs(skew) > 1e-6 else reach


def clustered_mean(
    values: ArrayLike,
    groups: ArrayLike,
    weights: ArrayLike | None = None,
    level: float = 0.95,
    unit_name: str = "groups",
) -> Estimate:
    """Estimate a mean of values of which those of one group may resemble each other.

    >>> print(clustered_mean([4.0, 6.0, 5.0, 9.0], ["a", "a", "b", "c"]).value)
    6.0

    Parameters
    ----------
    values, groups : arrays (rows,)
    weights : array (rows,), optional
        How many each row stands for; rows of weight 0 are left out.
    level : float, 0 to 1
    unit_name : str
    """
    value, off, _ = _by_group(values, groups, weights)
    low, high = skewed_ends(value, off, level)
    return Estimate(value, low, high, level, len(off), unit_name)


def clustered_share(
    successes: ArrayLike,
    groups: ArrayLike,
    weights: ArrayLike | None = None,
    level: float = 0.95,
    unit_name: str = "groups",
) -> Estimate:
    """Estimate a share from yes-or-no trials of which those of one group may resemble each other.

    >>> print(clustered_share([1, 1, 0, 0] * 5, [1, 2, 3, 4] * 5))
    0.500 (95 % interval 0.150 to 0.850)

    Wilson (1927), by the number of independent trials that they are worth (Korn & Graubard 1998): all of them where
    rows of one group resemble each other no more than others, the number of groups where they are all alike; less where
    a few groups hold most rows.

    Parameters
    ----------
    successes, groups : arrays (rows,)
    weights : array (rows,), optional
        How many each row stands for; rows of weight 0 are left out.
    level : float, 0 to 1
    unit_name : str
    """
    share, off, size = _by_group(successes, groups, weights)
    if not len(size):
        return Estimate(np.nan, np.nan, np.nan, level, 0, unit_name)
    kept = np.ones(len(np.asarray(successes))) if weights is None else np.asarray(weights, dtype=float)
    rows = kept.sum() ** 2 / (kept**2).sum()
    variance = (off**2).sum() if 0 < share < 1 else 0.0
    trials = min(share * (1 - share) / variance, rows) if variance > 0 else float(len(size))
    fewer = size.sum() ** 2 / (size**2).sum()  # groups of one size that would tell as much
    short = _student(level, max(fewer, 2)) / _student(level, max(len(size), 2))
    return effective_wilson(share, trials / max(short, 1.0) ** 2, level, len(size), unit_name)


def _by_group(values: ArrayLike, groups: ArrayLike, weights: ArrayLike | None) -> tuple[float, NDArray, NDArray]:
    """Weighted mean, what each group adds to it against the mean, and the weight of each group."""
    value = np.asarray(values, dtype=float)
    weight = np.ones(len(value)) if weights is None else np.asarray(weights, dtype=float)
    if not weight.sum() > 0:
        return np.nan, np.empty(0), np.empty(0)
    codes, number = group_codes(np.asarray(groups)[weight > 0])
    value, weight = value[weight > 0], weight[weight > 0]
    mean = float((weight * value).sum() / weight.sum())
    off = np.bincount(codes, weight * (value - mean), minlength=number) / weight.sum()
    return mean, off, np.bincount(codes, weight, minlength=number)


def effective_wilson(share: float, trials: float, level: float, units: int, unit_name: str) -> Estimate:
    """Wilson's (1927) interval for a share that is worth a number of trials, which need not be whole."""
    z2 = special.ndtri((1 + level) / 2) ** 2
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = np.sqrt(z2 * (share * (1 - share) / trials + z2 / (4 * trials**2))) / (1 + z2 / trials)
    low, high = max(float(middle - half), 0.0), min(float(middle + half), 1.0)
    return Estimate(share, 0.0 if share == 0 else low, 1.0 if share == 1 else high, level, units, unit_name)


def rate_ends(total: ArrayLike, squares: ArrayLike, most: ArrayLike, level: float = 0.95) -> tuple[NDArray, NDArray]:
    """Ends of the interval of sums over groups that come by chance and each add an amount of their own.

    >>> low, high = rate_ends([10], [10], [1])  # ten arrivals that count 1 each: Garwood's (1936) Poisson interval
    >>> low.round(2), high.round(2)
    (array([4.8]), array([18.39]))

    Parameters
    ----------
    total, squares, most : arrays (sums,)
        Of the groups' amounts: sum, sum of squares, and the greatest; where nobody came, what one might have added.

    Returns
    -------
    low, high : arrays (sums,)

    Notes
    -----
    Gamma intervals for weighted sums of Poisson counts (Fay & Feuer 1997); they cover at least as often as they say.
    """
    y, v, m = (np.asarray(part, dtype=float) for part in (total, squares, most))
    tail = (1 - level) / 2
    scale = np.divide(v, y, out=np.zeros_like(y), where=y > 0)
    low = scale * stats.gamma.ppf(tail, np.divide(y, scale, out=np.ones_like(y), where=scale > 0))
    scale = (v + m**2) / np.maximum(y + m, 1e-300)
    high = scale * stats.gamma.ppf(1 - tail, (y + m) / np.maximum(scale, 1e-300))
    return low, high
