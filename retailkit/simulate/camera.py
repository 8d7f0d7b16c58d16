"""What a camera makes of true tracks: missed moments, jitter, identities broken or swapped where people pass."""

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

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
    pairs = [
        (*sorted((rows["visit"].iloc[one], rows["visit"].iloc[other])), time)
        for time, rows in tracks.groupby("time")
        for one, other in cKDTree(rows[["x", "y"]].to_numpy()).query_pairs(near)
    ]
    found = pd.DataFrame(pairs, columns=["one", "other", "time"]).sort_values(["one", "other", "time"])
    step = np.median(np.diff(np.unique(tracks["time"]))) if tracks["time"].nunique() > 1 else 1.0
    apart = found.groupby(["one", "other"])["time"].diff().fillna(np.inf) > 1.5 * step
    return found[apart].sort_values(["time", "one", "other"]).reset_index(drop=True)


def _mistaken(
    tracks: pd.DataFrame, met: pd.DataFrame, broken: float, swapped: float, rng: np.random.Generator
) -> np.ndarray:
    """What a tracker calls each row: after a meeting some names are new, and some are exchanged."""
    person, time = tracks["person"].to_numpy(), tracks["time"].to_numpy()
    names = person.copy()
    fresh = int(person.max(initial=0)) + 1
    for one, other, moment in met.itertuples(index=False):
        luck, ones = rng.random(), [np.flatnonzero((person == who) & (time > moment)) for who in (one, other)]
        if luck < broken:
            for rows in rng.permutation(2)[: rng.integers(1, 3)]:
                names[ones[rows]] = fresh
                fresh += 1
        elif luck < broken + swapped and all(map(len, ones)):
            first, second = names[ones[0][0]], names[ones[1][0]]
            names[ones[0]], names[ones[1]] = second, first
    return names
