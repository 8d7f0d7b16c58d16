"""How many are inside, all day long: in minus out, told apart from what the counter missed."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

BIN = 60.0  # seconds between two figures
_RATE_OVER = 1800.0  # seconds over which the rate of crossings is averaged, to say when missed ones are likely


def find_occupancy(
    crossings: pd.DataFrame,
    opens: float,
    closes: float,
    *,
    missed: float | tuple[float, float] = 0.05,
    before: int = 0,
    after: int | None = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Estimate how many are inside in each minute, with an interval, from crossings of which some were missed.

    In minus out drifts: after n crossings, a share p of which was missed, its error is about sqrt(n p), and it may say
    that fewer than nobody is inside. What is known besides holds it: nobody can leave who is not inside, and how many
    there are before opening and after closing. Missed crossings come as often as the seen ones suggest (a Poisson
    process, thinned); of all ways in which they can have come, those that contradict what is known are ruled out
    by a pass forward and one backward over the day (Baum et al. 1970).

    >>> seen = pd.DataFrame({"time": [60.0, 90.0, 600.0], "direction": ["in", "in", "out"]})  # one way out was missed
    >>> day = find_occupancy(seen, opens=0, closes=3600, missed=0.1)
    >>> day[["counted", "value"]].iloc[-1].to_dict()
    {'counted': 1.0, 'value': 0.0}

    Parameters
    ----------
    crossings : DataFrame with time (seconds), direction ('in' or 'out')
        Of all doors; other columns are not looked at.
    opens, closes : float, seconds
        Between them the day lies.
    missed : float, or two of them
        Share of the crossings that the counter misses, from 0 to below 1; two where ways in and out differ.
    before, after : int
        How many are inside at `opens` and at `closes`; `after` is None where nobody knows.
    level : float
        How often the interval should hold the truth.

    Returns
    -------
    DataFrame
        A row a minute: time (seconds), counted (in minus out, plus `before`), value (posterior mean), low, high
        (posterior quantiles).

    Raises
    ------
    ValueError
        A direction is neither in nor out, a crossing lies outside the day, `missed` is no share, or so many crossings
        of one direction are missing that `missed` cannot explain it.
    """
    shares = _shares(missed)
    _check(crossings, opens, closes)
    edges = np.append(np.arange(opens, closes - 1e-9, BIN), closes)
    seen = np.stack([_per_bin(crossings, way, edges) for way in ("in", "out")])
    net = seen[0] - seen[1]
    counted = before + np.cumsum(net)
    unseen = _rates(seen, edges) * (shares / (1 - shares))[:, None]
    top = _most(counted, unseen, before, after)
    posterior = _smooth(net, unseen, before, after, top)
    if posterior is None:
        raise ValueError(
            f"{int(seen[0].sum())} in and {int(seen[1].sum())} out cannot be reconciled with {before} inside at first "
            f"and {after} at last where {missed!r} are missed: give a larger share, or after=None"
        )
    tail = (1 - level) / 2
    total = np.cumsum(posterior, axis=1)
    return pd.DataFrame(
        {
            "time": edges[1:],
            "counted": counted,
            "value": (posterior * np.arange(top + 1)).sum(axis=1),
            "low": (total < tail).sum(axis=1),
            "high": (total < 1 - tail).sum(axis=1),
        }
    )


def _shares(missed: float | Sequence[float]) -> NDArray[np.float64]:
    shares = np.broadcast_to(np.asarray(missed, dtype=float), (2,))
    if not ((shares >= 0) & (shares < 1)).all():
        raise ValueError(f"missed is {missed!r}: a share from 0 to below 1 is needed, or two (in, out)")
    return shares


def _check(crossings: pd.DataFrame, opens: float, closes: float) -> None:
    if not closes > opens:
        raise ValueError(f"the day is from {opens!r} to {closes!r}: closing must come after opening (seconds)")
    if strange := set(crossings["direction"]) - {"in", "out"}:
        raise ValueError(f"direction is {sorted(map(str, strange))[0]!r}: 'in' and 'out' are accepted")
    outside = crossings[~crossings["time"].between(opens, closes)]
    if len(outside):
        raise ValueError(
            f"{len(outside)} crossings lie outside of {opens:g} to {closes:g} s, the first at "
            f"{outside['time'].iloc[0]:g} s: is time in seconds?"
        )


def _per_bin(crossings: pd.DataFrame, way: str, edges: NDArray) -> NDArray[np.int_]:
    return np.histogram(crossings.loc[crossings["direction"] == way, "time"], edges)[0]


def _rates(seen: NDArray[np.int_], edges: NDArray) -> NDArray[np.float64]:
    """Crossings per bin as a running mean of half an hour, more where all leave at once: (2, bins)."""
    width = min(int(_RATE_OVER / BIN) | 1, seen.shape[1])
    number = np.convolve(np.ones(seen.shape[1]), np.ones(width), "same")
    means = np.stack([np.convolve(row, np.ones(width), "same") / number for row in seen])
    return np.maximum(np.maximum(means, seen / 4), 0.01 * seen.mean())  # at no time is a missed one out of the question


def _most(counted: NDArray, unseen: NDArray, before: int, after: int | None) -> int:
    """How many inside are thought of: all who were counted and, generously, those missed."""
    total = unseen.sum()
    slack = 10 + 6 * np.sqrt(total) + total
    return int(max(counted.max(initial=0), before, after or 0) + slack - min(counted.min(initial=0), 0))


def _smooth(
    net: NDArray[np.int_], unseen: NDArray, before: int, after: int | None, top: int
) -> NDArray[np.float64] | None:
    """Probability of each number inside at the end of each bin: (bins, top + 1); None where nothing fits."""
    kernels = _missed_net(unseen)
    forward = np.zeros((len(net), top + 1))
    belief = np.zeros(top + 1)
    belief[before] = 1
    for number, (step, kernel) in enumerate(zip(net, kernels, strict=True)):
        belief = _move(belief, step, kernel)
        if not belief.sum() > 0:
            return None
        belief = forward[number] = belief / belief.sum()
    known = np.ones(top + 1) if after is None else np.eye(top + 1)[after]
    posterior = np.zeros_like(forward)
    for number in range(len(net) - 1, -1, -1):
        both = forward[number] * known
        if not both.sum() > 0:
            return None
        posterior[number] = both / both.sum()
        known = _move(known, -net[number], kernels[number][::-1])
        known /= max(known.sum(), 1e-300)
    return posterior


def _missed_net(rates: NDArray) -> NDArray[np.float64]:
    """Chances of -n to n more missed ways in than out in each bin, at Poisson rates: (bins, 2 n + 1)."""
    most = int(rates.max() + 6 * np.sqrt(rates.max()) + 3)
    number = np.arange(most + 1)
    ways_in, ways_out = (stats.poisson.pmf(number, rate[:, None]) for rate in rates)
    chances = np.zeros((rates.shape[1], 2 * most + 1))
    for more in number:
        chances[:, most - more : 2 * most + 1 - more] += ways_in * ways_out[:, [more]]
    return chances


def _move(belief: NDArray, step: int, kernel: NDArray) -> NDArray[np.float64]:
    """Shift the number inside by what was seen, and spread it by what may have been missed; nobody below zero."""
    spread = np.convolve(belief, kernel)
    first = step - len(kernel) // 2  # the number inside that the first entry stands for
    moved = np.zeros_like(belief)
    kept = slice(max(first, 0), min(first + len(spread), len(belief)))
    if kept.start < kept.stop:
        moved[kept] = spread[kept.start - first : kept.stop - first]
    return moved
