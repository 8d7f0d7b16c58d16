"""Two people at the same moments: how far apart they walked, how alike, and for how long together."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.store.visits.tracks import first_rows
from retailkit.store.visits.untangling import BEAT, close_pairs

NEAR = 2.5  # metres: who is further apart is not together
WALKS = 0.35  # metres per second: slower is standing, and standing beside somebody tells little
ALIKE = 0.6  # metres per second: by how much the velocities of two who walk together differ at most
LEAST = 1.2  # seconds for which two must have been near each other to be described
_AROUND = 0.8  # seconds on each side over which a velocity is read
_BLOCK = 1_000_000  # rows of pairs at a time, which bounds the memory


@dataclass(frozen=True, eq=False)
class _Moments:
    """A row for each visit and beat, in that order; `first` are the first row of each visit, and the end of all."""

    first: NDArray[np.intp]
    visit: NDArray[np.intp]
    beat: NDArray[np.int64]
    time: NDArray[np.float64]
    place: NDArray[np.complex128]
    step: float

    @cached_property
    def velocity(self) -> NDArray[np.complex128]:
        """Metres per second, over some rows on each side."""
        row, around = np.arange(len(self.visit)), max(round(_AROUND / self.step), 1)
        before = np.maximum(row - around, self.first[self.visit])
        after = np.minimum(row + around, self.first[self.visit + 1] - 1)
        return (self.place[after] - self.place[before]) / np.maximum(self.time[after] - self.time[before], 1e-9)

    @cached_property
    def walks(self) -> NDArray[np.bool_]:
        return np.abs(self.velocity) > WALKS

    def together(self, here: NDArray, there: NDArray) -> NDArray[np.bool_]:
        """Whether the people of these rows walk with each other."""
        close = np.abs(self.place[here] - self.place[there]) < NEAR
        alike = np.abs(self.velocity[here] - self.velocity[there]) < ALIKE
        return close & alike & self.walks[here] & self.walks[there]

    def key(self, visit: NDArray, beat: NDArray) -> NDArray[np.int64]:
        """In the order of the rows."""
        return visit.astype(np.int64) * (self.beat.max(initial=0) + 2) + beat

    def span(self, visit: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """First and last time of visits, the last until its row has passed."""
        return self.time[self.first[visit]], self.time[self.first[visit + 1] - 1] + self.step


def describe_pairs(tracks: pd.DataFrame) -> pd.DataFrame:
    """Describe any two people who were near each other for 1.2 seconds or more.

    >>> walk = pd.DataFrame({"time": np.arange(0, 8, 0.4), "x": np.arange(0, 8, 0.4) * 1.25})
    >>> pairs = describe_pairs(pd.concat([walk.assign(visit=1, y=0.0), walk.assign(visit=2, y=0.8)]))
    >>> pairs.round(2).to_dict("records")
    [{'one': 1, 'other': 2, 'seconds': 8.0, 'distance': 0.8, 'difference': 0.0, 'overlap': 1.0}]

    Parameters
    ----------
    tracks : DataFrame with visit, time (seconds), x, y (metres)
        By visit and time, as `clean_tracks` gives it.

    Returns
    -------
    DataFrame
        one, other (visits); seconds (together: both walk, within 2.5 m, with velocities within 0.6 m/s of each other),
        distance (metres) and difference (of velocities, metres per second), both the middle over all moments when both
        walked, nan for two who never walked together; overlap (time in which both were there over that of either).
    """
    names = tracks["visit"].to_numpy()[first_rows(tracks["visit"])] if len(tracks) else np.empty(0)
    moments = _moments(tracks)
    one, other, together = _candidates(moments)
    begin, end = zip(moments.span(one), moments.span(other), strict=True)
    both = np.minimum(*end) - np.maximum(*begin)
    told = np.full((len(one), 3), [0.0, np.nan, np.nan])
    told[together] = _described(moments, one[together], other[together])
    return pd.DataFrame(
        {
            "one": names[one],
            "other": names[other],
            "seconds": told[:, 0] * both,
            "distance": told[:, 1],
            "difference": told[:, 2],
            "overlap": both / (np.maximum(*end) - np.minimum(*begin)),
        }
    )


def _moments(tracks: pd.DataFrame) -> _Moments:
    time = tracks["time"].to_numpy(float)
    place = tracks["x"].to_numpy(float) + 1j * tracks["y"].to_numpy(float)
    if not (np.isfinite(time).all() and np.isfinite(place).all()):
        raise ValueError("tracks hold rows without a place or time: check_tracks sets them aside")
    visit = np.repeat(
        np.arange(len(first_rows(tracks["visit"]))), np.diff(first_rows(tracks["visit"]), append=len(time))
    )
    beat = np.floor((time - time.min(initial=0)) / BEAT + 1e-6).astype(np.int64)
    kept = np.ones(len(time), dtype=bool)
    kept[1:] = (np.diff(visit) != 0) | (np.diff(beat) != 0)
    visit, time = visit[kept], time[kept]
    steps = np.diff(time)[np.diff(visit) == 0]
    first = np.searchsorted(visit, np.arange(visit.max(initial=-1) + 2))
    return _Moments(first, visit, beat[kept], time, place[kept], float(np.median(steps)) if len(steps) else BEAT)


def _candidates(moments: _Moments) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]:
    """Numbers of visits that were near each other for some moments, one before other; and who ever walked together."""
    middle = (moments.beat + 0.5) * BEAT
    rows = close_pairs(pd.DataFrame({"time": middle, "x": moments.place.real, "y": moments.place.imag}), NEAR)
    sides = np.sort([moments.visit[side] for side in rows], axis=0)
    number = len(moments.first)
    found, which, times = np.unique(sides[0] * np.int64(number) + sides[1], return_inverse=True, return_counts=True)
    together = np.bincount(which, moments.together(*rows), minlength=len(found)) > 0
    kept = times * moments.step > LEAST - moments.step / 2
    one, other = np.divmod(found[kept], number)
    return one.astype(np.intp), other.astype(np.intp), together[kept]


def _described(moments: _Moments, one: NDArray, other: NDArray) -> NDArray[np.float64]:
    """Share of common moments together, middle distance, middle difference of velocity: (pairs, 3), block by block."""
    keys = moments.key(moments.visit, moments.beat)
    low = np.searchsorted(keys, moments.key(one, moments.beat[moments.first[other]]))
    high = np.searchsorted(keys, moments.key(one, moments.beat[moments.first[other + 1] - 1]), side="right")
    cuts = np.flatnonzero(np.diff(np.cumsum(high - low) // _BLOCK)) + 1
    blocks = np.split(np.arange(len(one)), cuts)
    return np.concatenate([_block(moments, keys, other[these], low[these], high[these]) for these in blocks])


def _block(moments: _Moments, keys: NDArray, other: NDArray, low: NDArray, high: NDArray) -> NDArray[np.float64]:
    number = high - low
    pair = np.repeat(np.arange(len(other)), number)
    here = np.arange(len(pair)) - np.repeat(np.cumsum(number) - number - low, number)
    wanted = moments.key(other[pair], moments.beat[here])
    there = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    seen = keys[there] == wanted
    pair, here, there = pair[seen], here[seen], there[seen]
    distance = np.abs(moments.place[here] - moments.place[there])
    difference = np.abs(moments.velocity[here] - moments.velocity[there])
    both = moments.walks[here] & moments.walks[there]
    together = np.bincount(pair, moments.together(here, there), minlength=len(other))
    share = together / np.bincount(pair, minlength=len(other))
    middles = [_middles(pair[both], values[both], len(other)) for values in (distance, difference)]
    return np.column_stack([share, *middles])


def _middles(pair: NDArray, values: NDArray, number: int) -> NDArray[np.float64]:
    """Median of the values of each pair; every pair has some. Sorting one column of figures is fast."""
    far = values.max(initial=0.0) + 1
    ordered = np.sort(pair * far + values)
    count = np.bincount(pair, minlength=number)
    start = np.cumsum(count) - count
    return (ordered[start + (count - 1) // 2] + ordered[start + count // 2]) / 2 - np.arange(number) * far
