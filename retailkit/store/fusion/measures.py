"""Methods beside each other: ratios of sums over store-days, paired differences, and the gap to the oracle.

    summarise(table)                            # each arm's figures by stratum, with intervals
    compare(table, "ours")                      # ours less each other arm, on the same days
    close_gap(table, "ours")                    # (ours - best arm) / (oracle - best arm)

A table of sums has a row for each arm, stratum, day and measure: numerator and denominator, as
`retailkit.store.fusion.scoring.score_day` gives them. Days are what is independent: whole days are drawn anew (the
cluster bootstrap: Field & Welsh 2007), the same for all arms of a stratum.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from retailkit.datasets.tables import need_columns
from retailkit.lab.intervals import interval, paired, resample, student

COLUMNS = ["arm", "stratum", "day", "measure", "numerator", "denominator"]
COSTS = {
    "cost as charged",
    "cost decided",
    "cost of overcharges",
    "cost of losses",
    "cost of reviews",
    "items reviewed",
}
AMOUNTS = {"count error", "stock error", "overcharged value", "undercharged value", *COSTS}  # no shares; less is better
SIGNED = {"money error", "stock bias"}  # best at zero: neither more nor less is better
LESS_IS_BETTER = AMOUNTS | {"overcharged receipts"}
LEAST_GAP = 0.05  # between the oracle and the best arm: of less than 5 points no share is told


class _Days(NamedTuple):
    """One measure of one stratum: each arm's figure, the same on resampled days, and how many days there are."""

    value: pd.Series
    replicates: pd.DataFrame
    days: int


def summarise(table: pd.DataFrame, repetitions: int = 2000, seed: int = 0, level: float = 0.95) -> pd.DataFrame:
    """Give each arm's figures by stratum: the sum of numerators over that of denominators.

    Parameters
    ----------
    table : DataFrame with arm, stratum, day, measure, numerator, denominator
    repetitions, seed : int
        Of the bootstrap over days.
    level : float, 0 to 1

    Returns
    -------
    DataFrame
        measure, stratum, arm, value, low, high, days. nan where denominators sum to 0; one day has no low and high.

    Raises
    ------
    ValueError
        A column or a number is missing, a row is there twice, or an arm lacks a day that another has.
    """
    rows = []
    for (measure, stratum), part in _parts(table):
        days = _resampled(part, repetitions, seed)
        method = "percentile" if measure in AMOUNTS | SIGNED else "share"
        for arm, known in zip(days.value.index, days.replicates.to_numpy(), strict=True):
            found = interval(days.value[arm], known, level, method, days.days, "days")
            rows.append((measure, stratum, arm, found.value, found.low, found.high, days.days))
    return pd.DataFrame(rows, columns=["measure", "stratum", "arm", "value", "low", "high", "days"])


def _parts(table: pd.DataFrame) -> list[tuple[tuple[str, str], pd.DataFrame]]:
    """The rows of each measure and stratum, in the order of the table."""
    need_columns(table, COLUMNS, "the table")
    sums = table[["numerator", "denominator"]].to_numpy(float)
    if not (known := np.isfinite(sums).all(axis=1)).all():
        raise ValueError(f"the table: a sum is no number in {_words(table[~known])}")
    if (twice := table.duplicated(COLUMNS[:4])).any():
        raise ValueError(f"the table has more than one row of {_words(table[twice])}")
    parts = table.groupby(["measure", "stratum"], sort=False)
    return [((str(measure), str(stratum)), part) for (measure, stratum), part in parts]


def _words(rows: pd.DataFrame) -> str:
    return ", ".join(f"{name} {rows[name].tolist()[0]!r}" for name in COLUMNS[:4])


def _resampled(part: pd.DataFrame, repetitions: int, seed: int) -> _Days:
    """Ratios of sums of every arm, on the days and on days drawn anew, the same draws for all arms."""
    sides = [part.pivot(index="arm", columns="day", values=name) for name in ("numerator", "denominator")]
    if (gap := sides[0].isna().to_numpy()).any():
        row, column = np.argwhere(gap)[0]
        arm, day = sides[0].index.tolist()[row], sides[0].columns.tolist()[column]
        [measure, stratum] = part[["measure", "stratum"]].iloc[0]
        raise ValueError(
            f"arm {arm!r} has no row of {measure!r} in stratum {stratum!r} on day {day!r}, which another arm has: arms "
            "are compared on the same days"
        )
    drawn = resample(sides[0].columns.to_numpy(), repetitions, seed).astype(float)
    top, below = (side.to_numpy(float) for side in sides)
    arms = sides[0].index
    value = pd.Series(_over(top.sum(axis=1), below.sum(axis=1)), arms)
    return _Days(value, pd.DataFrame(_over(top @ drawn.T, below @ drawn.T), arms), len(sides[0].columns))


def _over(top: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(top, below, out=np.full(top.shape, np.nan), where=below != 0)


def compare(
    table: pd.DataFrame,
    ours: str,
    measure: str = "attribution",
    others: Sequence[str] | None = None,
    repetitions: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Compare one arm with each other, stratum by stratum, on the same days.

    Parameters
    ----------
    table, repetitions, seed, level
        As in `summarise`.
    ours : str
        The arm.
    measure : str
    others : list of str, by default all but ours and ``oracle``

    Returns
    -------
    DataFrame
        stratum, arm (the other), ours, theirs (figures), difference (ours less theirs), low, high, by_chance (how often
        days that differ as these do would put the difference as far from zero if there were none), holm (the same,
        corrected for all rows of the table), outcome (win, loss, or open where the interval holds zero) and
        outcome_by_holm. Where less is better a win is a difference below zero.

    Raises
    ------
    ValueError
        As in `summarise`; there is no such arm or measure, or it is one that is best at zero.

    Notes
    -----
    Student's paired comparison with the bootstrap's spread; Holm (1979) keeps the chance of any false win or loss in
    the whole table under 1 - level.
    """
    if measure in SIGNED:
        raise ValueError(f"{measure!r} is best at zero, so neither more nor less of it wins; see summarise")
    rows = []
    for stratum, days in _chosen(table, measure, repetitions, seed):
        _has(days, ours)
        for arm in _rivals(days, ours, others, ("oracle",)):
            pair = [(days.value[name], days.replicates.loc[name]) for name in (ours, arm)]
            found = paired(*pair[0], *pair[1], level, days.days, "days")
            chance = _by_chance(found.value, found.width / 2 / student(level, days.days), days.days)
            rows.append((stratum, arm, pair[0][0], pair[1][0], found.value, found.low, found.high, chance))
    columns = ["stratum", "arm", "ours", "theirs", "difference", "low", "high", "by_chance"]
    told = pd.DataFrame(rows, columns=columns).assign(holm=lambda rows: holm(rows["by_chance"]))
    better = np.sign(told["difference"]) * (-1 if measure in LESS_IS_BETTER else 1)
    sure = (told["low"] > 0) | (told["high"] < 0)
    return told.assign(outcome=_outcome(better, sure), outcome_by_holm=_outcome(better, told["holm"] < 1 - level))


def _chosen(table: pd.DataFrame, measure: str, repetitions: int, seed: int) -> list[tuple[str, _Days]]:
    found = [(stratum, part) for (name, stratum), part in _parts(table) if name == measure]
    if not found:
        raise ValueError(f"the table has no measure {measure!r}; it has {', '.join(table['measure'].unique())}")
    return [(stratum, _resampled(part, repetitions, seed)) for stratum, part in found]


def _has(days: _Days, arm: str) -> None:
    if arm not in days.value.index:
        raise ValueError(f"the table has no arm {arm!r}; it has {', '.join(map(str, days.value.index))}")


def _rivals(days: _Days, ours: str, others: Sequence[str] | None, apart: Sequence[str]) -> list[str]:
    for arm in others or ():
        _has(days, arm)
    rivals = [arm for arm in days.value.index if arm != ours and arm not in apart] if others is None else list(others)
    if not rivals:
        raise ValueError(f"there is no arm to compare {ours!r} with")
    return rivals


def _by_chance(difference: float, error: float, days: int) -> float:
    """Two-sided: nan of one day; 0 where every resample gives the same difference, 1 where that is none."""
    if not np.isfinite(error):
        return float("nan")
    if error == 0:
        return float(abs(difference) < 1e-12)
    return float(2 * stats.t.sf(abs(difference) / error, days - 1))


def _outcome(better: pd.Series, sure: pd.Series) -> NDArray[np.str_]:
    return np.where(sure & (better > 0), "win", np.where(sure & (better < 0), "loss", "open"))


def holm(chances: ArrayLike) -> NDArray[np.float64]:
    """Correct p-values for their number, step by step (Holm 1979); nan stays and does not count.

    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])

    Parameters
    ----------
    chances : array (tests,)
    """
    given = np.asarray(chances, dtype=float)
    order = np.argsort(given)[: np.isfinite(given).sum()]
    found = np.full(len(given), np.nan)
    found[order] = np.minimum(np.maximum.accumulate(given[order] * np.arange(len(order), 0, -1)), 1.0)
    return found


def tally(comparison: pd.DataFrame) -> pd.DataFrame:
    """Say of each stratum whether ours wins against every other arm, loses against any, or neither.

    To win, all intervals of a stratum must lie on the right side, so their number needs no correction (an
    intersection–union test: Berger 1982); to lose, one on the wrong side is enough.

    Parameters
    ----------
    comparison : DataFrame, from `compare`

    Returns
    -------
    DataFrame
        stratum, arms (how many ours was compared with), won, lost, outcome, outcome_by_holm.
    """
    rows = []
    for stratum, part in comparison.groupby("stratum", sort=False):
        outcomes = [_overall(part[name]) for name in ("outcome", "outcome_by_holm")]
        rows.append((stratum, len(part), *((part["outcome"] == name).sum() for name in ("win", "loss")), *outcomes))
    return pd.DataFrame(rows, columns=["stratum", "arms", "won", "lost", "outcome", "outcome_by_holm"])


def _overall(outcomes: pd.Series) -> str:
    if (outcomes == "loss").any():
        return "loss"
    return "win" if (outcomes == "win").all() else "open"


def close_gap(
    table: pd.DataFrame,
    ours: str,
    measure: str = "attribution",
    oracle: str = "oracle",
    others: Sequence[str] | None = None,
    repetitions: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Tell what share of the gap between the best other arm and the oracle ours closes.

    Parameters
    ----------
    table, repetitions, seed, level
        As in `summarise`.
    ours, oracle : str
        Arms.
    measure : str
        One of which more is better, a share.
    others : list of str, optional
        Among which the best is sought, anew in each resample of days; by default all but ours and the oracle.

    Returns
    -------
    DataFrame
        stratum, best (the arm), theirs, ours, oracle (figures), gap (oracle less theirs), closed = (ours - theirs) /
        gap, low, high, days, undefined (share of resamples in which the oracle does not lead, left out of the
        interval) and reason. Where the gap is at most 5 points, closed and its ends are nan and `reason` says so.

    Raises
    ------
    ValueError
        As in `compare`; the measure is no share, or less of it is better.
    """
    if measure in LESS_IS_BETTER | SIGNED:
        raise ValueError(f"{measure!r} is no share of which more is better; a gap to the oracle is told of such alone")
    found = _chosen(table, measure, repetitions, seed)
    return pd.DataFrame([{"stratum": stratum} | _gap(days, ours, oracle, others, level) for stratum, days in found])


def _gap(days: _Days, ours: str, oracle: str, others: Sequence[str] | None, level: float) -> dict[str, object]:
    for arm in (ours, oracle):
        _has(days, arm)
    rivals = _rivals(days, ours, others, (oracle,))
    best = rivals[int(np.argmax(days.value[rivals].fillna(-np.inf)))]
    value, known = days.value, days.replicates
    gap = float(value[oracle] - value[best])
    theirs = known.loc[rivals].max().to_numpy()
    wide = known.loc[oracle].to_numpy() - theirs
    led = wide > 1e-12
    shares = np.divide(known.loc[ours].to_numpy() - theirs, wide, out=np.full(len(wide), np.nan), where=led)
    reason = "" if gap > LEAST_GAP else f"the oracle is {100 * gap:.1f} points ahead of {best}; more than 5 are needed"
    reason = "nothing was counted: a denominator is 0" if np.isnan(gap) else reason
    share = np.nan if reason else float((value[ours] - value[best]) / gap)
    closed = interval(share, shares, level, "percentile", days.days, "days")  # nan without ends where there is no share
    return {
        "best": best, "theirs": value[best], "ours": value[ours], "oracle": value[oracle], "gap": gap,
        "closed": closed.value, "low": closed.low, "high": closed.high, "days": days.days,
        "undefined": float(1 - led.mean()), "reason": reason,
    }  # fmt: skip
