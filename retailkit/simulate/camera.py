"""What a camera makes of true tracks: missed moments, jitter, identities broken or swapped where people pass."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

NEAR = 0.7  # metres: whom a tracker may take for one another


def degrade_tracks(
    tracks: pd.DataFrame,
    *,
    missed: float = 0.1,
    jitter: float = 0.2,
    broken: float = 0.25,
    swapped: float = 0.25,
    met: pd.DataFrame | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Spoil tracks at stated rates.

    Parameters
    ----------
    tracks : DataFrame with visit (whole numbers), time (seconds), x, y (metres)
        The truth.
    missed : float, 0 to 1
        Share of the moments that the camera does not see, each by itself.
    jitter : float, metres
        Standard deviation of the error of x and of y.
    broken, swapped : float, 0 to 1
        Of the times that two people meet, how often one or both get a new identity, and how often they exchange
        theirs.
    met : DataFrame, optional
        Who met when, by default what `meetings` finds within 0.7 m; for another distance, or to look once only.
    seed : int

    Returns
    -------
    DataFrame
        By visit and time: visit (as the tracker says), time, x, y, and person (the true visit).

    Raises
    ------
    ValueError
        A rate is outside 0 to 1, or `broken` and `swapped` are more than 1 together.
    """
    for name, rate in (("missed", missed), ("broken", broken), ("swapped", swapped), ("their sum", broken + swapped)):
        if not 0 <= rate <= 1:
            raise ValueError(f"{name} is {rate!r}: a rate from 0 to 1 is needed (broken and swapped together as well)")
    rng = np.random.default_rng(seed)
    seen = tracks.assign(person=tracks["visit"]).reset_index(drop=True)
    seen["visit"] = _mistaken(seen, meetings(seen) if met is None else met, broken, swapped, rng)
    seen[["x", "y"]] += rng.normal(0, jitter, (len(seen), 2))
    seen = seen[rng.random(len(seen)) >= missed]
    return seen.sort_values(["visit", "time"], kind="stable").reset_index(drop=True)


def meetings(tracks: pd.DataFrame, near: float = NEAR) -> pd.DataFrame:
    """Find when two people come within a distance of each other: one, other, time, a row for each approach."""
    first, second = together(tracks, near)
    visit, time = tracks["visit"].to_numpy(), tracks["time"].to_numpy()
    swap = visit[first] > visit[second]
    one, other = np.where(swap, visit[second], visit[first]), np.where(swap, visit[first], visit[second])
    found = pd.DataFrame({"one": one, "other": other, "time": time[first]}).sort_values(["one", "other", "time"])
    moments = np.unique(time)
    step = np.median(np.diff(moments)) if len(moments) > 1 else 1.0
    apart = found.groupby(["one", "other"])["time"].diff().fillna(np.inf) > 1.5 * step
    return found[apart].sort_values(["time", "one", "other"]).reset_index(drop=True)


def together(tracks: pd.DataFrame, near: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find all pairs of rows of one moment that are within a distance (metres) of each other: two arrays of rows.

    In order of time each row is compared with the next, the next but one and so on while these are of the same moment:
    as many rounds as there are people at once, each over whole arrays.
    """
    order = np.argsort(tracks["time"].to_numpy(), kind="stable")
    time, x, y = (tracks[name].to_numpy(dtype=float)[order] for name in ("time", "x", "y"))
    rows, pairs, shift = np.arange(len(time) - 1), [np.empty((2, 0), dtype=np.intp)], 1
    while len(rows := rows[time[rows] == time[rows + shift]]):
        close = rows[np.hypot(x[rows] - x[rows + shift], y[rows] - y[rows + shift]) <= near]
        pairs.append(np.stack([order[close], order[close + shift]]))
        shift += 1
        rows = rows[rows < len(time) - shift]
    first, second = np.concatenate(pairs, axis=1)
    return first, second


def _mistaken(
    tracks: pd.DataFrame, met: pd.DataFrame, broken: float, swapped: float, rng: np.random.Generator
) -> np.ndarray:
    """What a tracker calls each row: after a meeting some names are new, and some are exchanged."""
    person = tracks["person"].to_numpy()
    order = np.lexsort((tracks["time"].to_numpy(), person))
    time = tracks["time"].to_numpy()[order]
    who, first = np.unique(person[order], return_index=True)
    end = dict(zip(who, np.append(first[1:], len(person)), strict=True))
    start = dict(zip(who, first, strict=True))
    names, fresh = person[order], int(person.max(initial=0)) + 1
    for one, other, moment in met.itertuples(index=False):
        luck = rng.random()
        later = [
            slice(start[each] + np.searchsorted(time[start[each] : end[each]], moment, side="right"), end[each])
            for each in (one, other)
        ]
        if luck < broken:
            for rows in rng.permutation(2)[: rng.integers(1, 3)]:
                names[later[rows]] = fresh
                fresh += 1
        elif luck < broken + swapped and all(rows.start < rows.stop for rows in later):
            ones, others = names[later[0].start], names[later[1].start]
            names[later[0]], names[later[1]] = others, ones
    spoken = np.empty_like(names)
    spoken[order] = names
    return spoken
