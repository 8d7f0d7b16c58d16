"""Times of which some were cut short: Kaplan–Meier curves, means and medians, with intervals by groups.

Something still going on when it was lost from sight lasted longer than what was seen. Leaving it out, or taking it as
it is, makes times too short. Kaplan and Meier (1958) count it as long as it is seen.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retailkit.lab.clustered import skewed_ends
from retailkit.lab.intervals import Estimate, group_codes, student


def time_until(
    seconds: ArrayLike,
    ended: ArrayLike,
    groups: ArrayLike,
    horizon: float | None = None,
    level: float = 0.95,
    unit_name: str = "groups",
) -> tuple[Estimate, Estimate]:
    """Estimate the mean and the median of times of which some were cut short.

    >>> mean, median = time_until([4, 5, 6, 7, 8], [True, True, True, True, False], range(5))
    >>> round(mean.value, 9), median.value
    (6.0, 6.0)

    Parameters
    ----------
    seconds : array (rows,)
    ended : bool array (rows,)
        Whether the end was seen; otherwise it came later, and when does not depend on when it was lost.
    groups : array (rows,)
        What is independent: rows of one group (a person, a busy spell) may resemble each other.
    horizon : float, seconds, optional
        Times are cut here for the mean; by default the longest is taken as ended (Efron 1967).
    level : float, 0 to 1
    unit_name : str

    Returns
    -------
    mean, median : Estimate
        nan without a row. The median's upper end is inf where nothing bounds it.

    Notes
    -----
    Mean: area under the curve; its variance sums each group's influence on it (the infinitesimal jackknife: Efron
    1982), and the ends allow for skewness (Johnson 1978). Median: the ends are where the curve's band passes one half
    (Brookmeyer & Crowley 1982).
    """
    curve = Curve.of(seconds, ended, groups)
    if not len(curve.time):
        nothing = Estimate(np.nan, np.nan, np.nan, level, curve.groups, unit_name)
        return nothing, nothing
    return curve.mean(horizon, level, unit_name), curve.median(level, unit_name)


@dataclass(frozen=True, eq=False)
class Curve:
    """A Kaplan–Meier curve, and what is needed for its intervals."""

    time: NDArray  # at which something ended, upwards
    still: NDArray  # share that goes on after it
    spread: NDArray  # d / (n (n - d)): Greenwood's sum before it is summed up
    hit: NDArray  # 1 / (n - d); 0 where nobody is left
    place: NDArray[np.intp]  # of each row: how many of `time` are not after its own
    seconds: NDArray
    ended: NDArray[np.bool_]
    codes: NDArray[np.intp]  # group of each row
    groups: int

    @classmethod
    def of(cls, seconds: ArrayLike, ended: ArrayLike, groups: ArrayLike) -> "Curve":
        length, over = np.asarray(seconds, dtype=float), np.asarray(ended, dtype=bool)
        codes, number = group_codes(groups) if len(length) else (np.empty(0, dtype=np.intp), 0)
        time, events = np.unique(length[over], return_counts=True)
        risk = len(length) - np.searchsorted(np.sort(length), time)
        left = risk - events
        hit = np.divide(1.0, left, out=np.zeros(len(time)), where=left > 0)
        place = np.searchsorted(time, length, side="right")
        still = np.cumprod(left / np.maximum(risk, 1))
        return cls(time, still, events / np.maximum(risk, 1) * hit, hit, place, length, over, codes, number)

    def _by_group(self, weight: NDArray) -> NDArray:
        """Influence of each group on sum over time of weight * d log(still)."""
        lasting = np.append(0.0, np.cumsum(weight * self.spread))[self.place]
        ending = np.where(self.ended, (weight * self.hit)[(self.place - 1).clip(0)], 0.0)
        return np.bincount(self.codes, weights=lasting - ending, minlength=self.groups)

    def mean(self, horizon: float | None, level: float, unit_name: str) -> Estimate:
        until = float(self.seconds.max()) if horizon is None else horizon
        edges = np.append(self.time.clip(max=until), until)
        area = np.append(1.0, self.still) * np.diff(edges, prepend=0.0)
        value = float(area.sum())
        influence = self._by_group(area[::-1].cumsum()[::-1][1:])
        low, high = skewed_ends(value, influence, level)
        return Estimate(value, max(low, 0.0), high, level, self.groups, unit_name)

    def band(self, level: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        middle = (self.time <= self._quantile()).astype(float)
        plain = (middle * self.spread).sum()
        more = max(1.0, (self._by_group(middle) ** 2).sum() / plain) if plain > 0 else 1.0  # Kish's design effect
        share = self.still.clip(1e-9, 1 - 1e-9)
        odds = np.log(share / (1 - share))
        reach = student(level, self.groups) * np.sqrt(more * np.cumsum(self.spread)) / (1 - share)
        low, high = 1 / (1 + np.exp(-(odds - reach))), 1 / (1 + np.exp(-(odds + reach)))
        over = self.still <= 0
        return np.where(over, 0.0, low), np.where(over, high[~over].min(initial=1.0), high)

    def _quantile(self) -> float:
        below = np.flatnonzero(self.still <= 0.5 + 1e-12)
        if not len(below):
            return np.inf
        level = self.still[below[0]] > 0.5 - 1e-12 and len(below) > 1  # one half for a while: the middle of it
        return float(self.time[below[: 1 + level]].mean())

    def median(self, level: float, unit_name: str) -> Estimate:
        low, high = self.band(level)
        first, last = np.flatnonzero(low <= 0.5), np.flatnonzero((high < 0.5) | (self.still <= 0))
        value = self._quantile()
        ends = [float(self.time[found[0]]) if len(found) else np.inf for found in (first, last)]
        if self.groups < 2:
            ends = [np.nan, np.nan]
        return Estimate(value, min(ends[0], value), ends[1], level, self.groups, unit_name)
