"""How many different people came: identities corrected by a factor learnt where somebody counted people."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from retailkit.lab.intervals import Estimate, student

_LEAST_BLOCKS = 5
_PER_BLOCK = 4  # people in a block, on average, so that a block's ratio means something


@dataclass(frozen=True, eq=False)
class VisitorFactor:
    """People per identity, learnt on a labelled stretch.

    Attributes
    ----------
    factor : Estimate
        With its 95 % interval; units are blocks of time.
    spread : float
        Variance of the number of people in a block about factor times identities, per identity.
    """

    factor: Estimate
    spread: float

    def __str__(self) -> str:
        return f"{self.factor:.3f} people per identity, from {self.factor.units} stretches of the labelled recording"


def first_seen(tracks: pd.DataFrame) -> pd.Series:
    """Find when each visit begins: seconds, by visit."""
    return tracks.groupby("visit", sort=False)["time"].min()


def learn_visitors(tracks: pd.DataFrame, people: ArrayLike, until: float, level: float = 0.95) -> VisitorFactor:
    """Learn how many people stand behind an identity, from a stretch in which somebody counted people.

    Broken tracks make two identities of one person, wrong joins one of two. Both happen as often in the rest of the
    recording, by the same camera in the same light, as in its labelled beginning. The factor is a ratio of sums over
    blocks of time, and its error is that of a ratio estimator (Cochran 1977, section 6.5).

    Parameters
    ----------
    tracks : DataFrame with visit, time (seconds)
        The whole recording, after `clean_tracks`: the fewer mistakes are left, the steadier is the factor.
    people : array (people,)
        When each person came into view for the first time in the labelled stretch, seconds.
    until : float, seconds
        End of the labelled stretch; it begins with the recording.
    level : float

    Raises
    ------
    ValueError
        Somebody came after the stretch, or there are too few people or identities to learn from.
    """
    moments = np.asarray(people, dtype=float)
    if not np.isfinite(moments).all() or (moments > until).any():
        wrong = float(moments[~(moments <= until)][0])
        raise ValueError(f"people: {wrong!r} is not a moment of the labelled stretch, which ends at {until:g} s")
    begun = first_seen(tracks)
    begun = begun[begun <= until]
    blocks = len(moments) // _PER_BLOCK
    if blocks < _LEAST_BLOCKS or not len(begun):
        raise ValueError(
            f"{len(moments)} people and {len(begun)} identities up to {until:g} s: at least "
            f"{_LEAST_BLOCKS * _PER_BLOCK} people and one identity are needed; label a longer stretch"
        )
    edges = np.linspace(min(moments.min(), float(begun.min())), until, min(blocks, 60) + 1)
    true, named = np.histogram(moments, edges)[0], np.histogram(begun, edges)[0]
    return _ratio(true, named, level)


def _ratio(true: NDArray[np.int_], named: NDArray[np.int_], level: float) -> VisitorFactor:
    blocks, factor = len(true), true.sum() / named.sum()
    residual = true - factor * named
    # a mistake that was not seen may still come: as if one track more had been broken and one more joined
    # (in the spirit of Agresti & Coull 1998)
    variance = (residual**2).sum() * blocks / (blocks - 1) + 2
    error = np.sqrt(variance) / named.sum()
    reach = student(level, blocks) * error
    estimate = Estimate(float(factor), float(max(factor - reach, 0)), float(factor + reach), level, blocks, "blocks")
    return VisitorFactor(estimate, float(variance / named.sum()))


def count_visitors(tracks: pd.DataFrame, learnt: VisitorFactor, since: float = -np.inf) -> Estimate:
    """Count the people behind the identities that began after a moment, with an interval.

    It holds what is unknown of the factor, and how much another stretch of this length would differ by chance.

    >>> learnt = VisitorFactor(Estimate(0.8, 0.75, 0.85, units=20), spread=0.1)
    >>> tracks = pd.DataFrame({"visit": range(50), "time": 10.0})
    >>> print(f"{count_visitors(tracks, learnt):.1f}")
    40.0 (95 % interval 34.7 to 45.3)

    Parameters
    ----------
    tracks : DataFrame with visit, time (seconds)
        After `clean_tracks`, as when the factor was learnt.
    learnt : VisitorFactor
    since : float, seconds
        Identities that began before are left out.

    Returns
    -------
    Estimate
        Number of people; units are identities.
    """
    named = int((first_seen(tracks) > since).sum())
    factor = learnt.factor
    reach = student(factor.level, factor.units)
    error = factor.width / 2 / reach
    half = reach * np.sqrt((named * error) ** 2 + named * learnt.spread)
    value = named * factor.value
    return Estimate(value, max(value - half, 0.0), value + half, factor.level, named, "identities")


def visitor_table(tracks: pd.DataFrame, learnt: VisitorFactor, edges: Sequence[float]) -> pd.DataFrame:
    """Count visitors between moments: a row for each stretch with start, end, identities, value, low, high.

    Parameters
    ----------
    tracks, learnt
        As in `count_visitors`.
    edges : list of float, seconds
        Ends of the stretches, rising.
    """
    begun = first_seen(tracks)
    rows = []
    for start, end in pairwise(edges):
        inside = begun[begun.between(start, end, inclusive="left")]
        found = count_visitors(tracks[tracks["visit"].isin(inside.index)], learnt)
        rows.append(
            {"start": start, "end": end, "identities": len(inside)}
            | {name: getattr(found, name) for name in ("value", "low", "high")}
        )
    return pd.DataFrame(rows)
