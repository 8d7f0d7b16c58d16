"""Speeds towards a reader's antenna, those of tracks and those that tags tell, side by side on one grid.

The working parts of `retailkit.store.rfid.whose`: `radial_speed`, the grid (`align`), and sums over its bins from which
correlations and gains of any set of tracks follow by adding up.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from retailkit.datasets.tables import need_columns

STEP, SMOOTH, GAP = 0.05, 0.8, 0.5  # seconds: of a track's speeds; of the window over them; a track unseen for longer
BIN, FULL = 0.25, 3  # seconds of reads of which the median is taken; reads that make a full bin
TICK = 0.1  # seconds: steps of the search for the clock's offset
LEAST = 5.0  # independent observations: fewer tell nothing
_LAGS = 8  # bins over which speeds resemble themselves: 2 s


def radial_speed(tracks: pd.DataFrame, antenna: ArrayLike) -> pd.DataFrame:
    """Say how fast the way from the antenna to each visit grows.

    >>> walk = pd.DataFrame({"visit": 1, "time": np.arange(0, 2, 0.1), "x": 0.0, "y": 1 + np.arange(0, 2, 0.1)})
    >>> radial_speed(walk, (0, 0))["speed"].round(3).unique()
    array([1.])

    Parameters
    ----------
    tracks : DataFrame with visit, time (seconds), x, y (metres)
    antenna : (x, y), metres

    Returns
    -------
    DataFrame
        visit, time (every 0.05 s), speed (metres per second, above 0 away from the antenna). The way is smoothed by a
        Hann window of 0.8 s first. Where a visit is unseen for over 0.5 s it begins anew, and stretches shorter than
        the window tell no speed.

    Raises
    ------
    ValueError
        A column is missing, or the antenna is no place.
    """
    need("tracks", tracks, ["visit", "time", "x", "y"])
    place = np.asarray(antenna, dtype=float)
    if place.shape != (2,) or not np.isfinite(place).all():
        raise ValueError(f"antenna is {antenna!r}; a place (x, y) in metres is needed")
    way = np.hypot(tracks["x"] - place[0], tracks["y"] - place[1])
    told = [pd.DataFrame({"visit": [], "time": [], "speed": []}).astype({"visit": tracks["visit"].dtype})]
    for visit, rows in tracks.assign(way=way).groupby("visit", sort=False):
        rows = rows.sort_values("time", kind="stable")
        for _, run in rows.groupby((rows["time"].diff() > GAP).cumsum()):
            time, speed = _speeds(run["time"].to_numpy(float), run["way"].to_numpy(float))
            told.append(pd.DataFrame({"visit": visit, "time": time, "speed": speed}))
    return pd.concat([part for part in told[1:] if len(part)] or told[:1], ignore_index=True)


def _speeds(time: NDArray, way: NDArray) -> tuple[NDArray, NDArray]:
    grid = np.arange(time[0], time[-1] + 1e-9, STEP)
    window = np.hanning(round(SMOOTH / STEP) + 3)[1:-1]
    if len(grid) < len(window):
        return np.empty(0), np.empty(0)
    padded = np.pad(np.interp(grid, time, way), len(window) // 2, mode="reflect", reflect_type="odd")
    return grid, np.gradient(np.convolve(padded, window / window.sum(), "valid"), STEP)


def need(what: str, frame: pd.DataFrame, columns: list[str]) -> None:
    """Refuse a frame without a column, without rows, or with a number that is none.

    Raises
    ------
    ValueError
        Naming the frame, the column and the row.
    """
    need_columns(frame, columns, what)
    if frame.empty:
        raise ValueError(f"{what} has no rows; at least one is needed")
    for name in columns:
        if name in ("visit", "epc"):
            if len(wrong := np.flatnonzero(frame[name].isna())):
                raise ValueError(f"{what}, row {wrong[0]}: {name} is missing; a name is needed")
        else:
            value = frame[name].to_numpy(dtype=float)
            if len(wrong := np.flatnonzero(~np.isfinite(value))):
                raise ValueError(f"{what}, row {wrong[0]}: {name} is {value[wrong[0]]}; a finite number is needed")


@dataclass(frozen=True, eq=False)
class Scene:
    """Reads and tracks on one grid: T tags, P visits, n bins, O offsets of the reader's clock."""

    tags: list[str]
    visits: list
    reads: list[tuple[NDArray, NDArray]]  # of each tag: times since the first read, speeds
    offsets: NDArray  # (O,) seconds to be added to the reader's clock
    bins: NDArray  # (n,) their middles by the reader's clock
    weight: NDArray  # (T, n) 1 for a full bin
    value: NDArray  # (T, n) median speed told, metres per second
    ends: NDArray  # (P, 2) first and last moment of a visit
    seen: NDArray  # (P, n, O) 1 where the visit is seen
    speed: NDArray  # (P, n, O) its radial speed, 0 where unseen
    alike: NDArray  # (T, P) bins that are worth one independent one

    @property
    def span(self) -> float:
        """Seconds of reads."""
        return len(self.bins) * BIN


def align(reads: pd.DataFrame, tracks: pd.DataFrame, antenna: ArrayLike, search: float, around: float | None) -> Scene:
    """Lay reads and tracks side by side; the arguments are those of `whose.match_tags`.

    Raises
    ------
    ValueError
        A column is missing, a number is none, or no visit is seen long enough to tell a speed.
    """
    need("reads", reads, ["time", "epc", "speed"])
    if not 0 <= search < np.inf:
        raise ValueError(f"search is {search!r}; seconds, 0 or more, are needed")
    told = radial_speed(tracks, antenna)
    if told.empty:
        raise ValueError(f"tracks: no visit is seen for {SMOOTH:g} s without a break, so none tells a speed")
    start, end = float(reads["time"].min()), float(reads["time"].max())
    middle = _around(start, end, told["time"]) if around is None else around
    ticks = round(search / TICK)
    offsets = middle + TICK * np.arange(-ticks, ticks + 1)
    bins = start + BIN * (np.arange(int((end - start) / BIN) + 1) + 0.5)
    tags = {str(tag): rows for tag, rows in reads.groupby("epc", observed=True)}
    heard = [(rows["time"].to_numpy(float) - start, rows["speed"].to_numpy(float)) for rows in tags.values()]
    weight, value = (np.concatenate(part) for part in zip(*(bin_reads(*one, len(bins)) for one in heard), strict=True))
    known = {
        visit: (rows["time"].to_numpy(), rows["speed"].to_numpy()) for visit, rows in told.groupby("visit", sort=False)
    }
    at = bins[:, None] + offsets
    seen = np.stack([_is_seen(at, time) for time, _ in known.values()])
    speed = np.stack([np.interp(at, *one) for one in known.values()]) * seen
    ends = np.array([(time[0], time[-1]) for time, _ in known.values()])
    alike = np.array([[likeness(w, v, own) for _, own in known.values()] for w, v in zip(weight, value, strict=True)])
    return Scene(list(tags), list(known), heard, offsets, bins, weight, value, ends, seen, speed, alike)


def _around(start: float, end: float, seen: pd.Series) -> float:
    """The least shift of the reader's clock by which one of the two recordings lies within the other, seconds."""
    low, high = sorted((float(seen.min()) - start, float(seen.max()) - end))
    return float(np.clip(0.0, low, high))


def bin_reads(time: NDArray, speed: NDArray, number: int) -> tuple[NDArray, NDArray]:
    """Put reads into bins: their weights, 1 for three reads or more, and median speeds, each (rows, number).

    Phase turns round every quarter of a wavelength, so after a pause a read may tell any speed: a median does not mind.

    Parameters
    ----------
    time : array (reads,) or (rows, reads), seconds since the first bin begins
    speed : array (reads,)
    number : int
        Of bins.
    """
    time = np.atleast_2d(time)
    rows = len(time)
    place = (np.minimum((time / BIN).astype(int), number - 1) + number * np.arange(rows)[:, None]).ravel()
    told = np.tile(speed, rows)
    told = told[np.lexsort((told, place))]
    count = np.bincount(place, minlength=rows * number)
    first = np.cumsum(count) - count
    middle = [np.minimum(first + half, len(told) - 1) for half in (np.maximum(count - 1, 0) // 2, count // 2)]
    value = np.where(count > 0, (told[middle[0]] + told[middle[1]]) / 2, 0.0)
    return (np.minimum(count, FULL) / FULL).reshape(rows, -1), value.reshape(rows, -1)


def _is_seen(at: NDArray, time: NDArray) -> NDArray:
    """1 where moments lie within a visit, and not where it was out of sight."""
    after = np.clip(np.searchsorted(time, at), 1, len(time) - 1)
    near = (time[after] - time[after - 1] < GAP) & (at >= time[0]) & (at <= time[-1])
    return near.astype(float)


def likeness(weight: NDArray, value: NDArray, speed: NDArray) -> float:
    """Bins that tell as much as an independent one: 1 + 2 sum of the products of autocorrelations (Bartlett 1946)."""
    known = weight > 0
    off = np.where(known, value - value[known].mean(), 0.0) if known.any() else np.zeros(len(value))
    own = speed - speed.mean()
    total = 1.0
    for lag in range(1, _LAGS + 1):
        far = lag * round(BIN / STEP)
        both = (known[lag:] & known[:-lag]).sum()
        if both and far < len(own) and off.any() and own.any():
            told = (off[lag:] * off[:-lag]).sum() / both / (off[known] ** 2).mean()
            total += 2 * told * (own[far:] * own[:-far]).mean() / (own**2).mean()
    return max(total, 1.0)


def pair_sums(weight: NDArray, value: NDArray, seen: NDArray, speed: NDArray) -> NDArray:
    """What a weighted correlation needs, (6, R, C): rows of reads (R, n) against columns of speeds (n, C)."""
    first = weight * value
    second = first * value
    return np.stack([weight @ seen, first @ seen, second @ seen, weight @ speed, weight @ speed**2, first @ speed])


def add_worth(sums: NDArray, alike: float | NDArray) -> NDArray:
    """Add a seventh sum: how many independent observations the bins are worth."""
    return np.concatenate([sums, sums[:1] / alike])


def correlate(sums: NDArray) -> NDArray:
    """Weighted correlations from sums (7, ...)."""
    w, x, xx, y, yy, xy, _ = sums
    w = np.maximum(w, 1e-12)
    spread = (xx - x * x / w) * (yy - y * y / w)
    return np.clip((xy - x * y / w) / np.sqrt(np.maximum(spread, 1e-18)), -1, 1)


def signed_gain(sums: NDArray) -> NDArray:
    """Log-likelihood that a line through the speeds gains over none, with the sign of its slope."""
    r, worth = correlate(sums), sums[6]
    gain = -worth / 2 * np.log1p(-np.minimum(r * r, 1 - 1e-9))
    return np.where(worth >= LEAST, np.sign(r) * gain, 0.0)


def scene_sums(scene: Scene) -> NDArray:
    """Sums of every visit with every tag at every offset, (P, 7, T, O); those of a set of visits are their sum."""
    pieces = zip(scene.seen, scene.speed, scene.alike.T, strict=True)
    return np.stack([add_worth(pair_sums(scene.weight, scene.value, *one), alike[:, None]) for *one, alike in pieces])


def tag_sums(scene: Scene, tag: int, weight: NDArray, value: NDArray) -> NDArray:
    """Sums (P, 7, rows, O) of rows of weights and values (rows, n) in place of a tag's own."""
    pieces = zip(scene.seen, scene.speed, scene.alike[tag], strict=True)
    return np.stack([add_worth(pair_sums(weight, value, *one), alike) for *one, alike in pieces])
