"""Tracks at the door: what cannot be is set aside, and jitter is taken out without shortening the way."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

COLUMNS = ["visit", "time", "x", "y"]
FASTEST = 10.0  # metres per second: nobody runs faster through a shop
_MOST_NEIGHBOURS = 50  # moments on each side that smoothing looks at: more cost time and mean a wrong unit


def check_tracks(tracks: pd.DataFrame, fastest: float = FASTEST) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Set aside what cannot be: rows without a place or time, twice the same moment, clocks that step back, jumps.

    >>> raw = pd.DataFrame({"visit": [1, 1, 1], "time": [0.0, 0.4, 0.8], "x": [0.0, 40.0, 0.8], "y": [0.0, 0.0, 0.0]})
    >>> tracks, wrong = check_tracks(raw)
    >>> wrong["problem"].tolist()
    ['moved 40.0 m in 0.400 s, faster than 10 m/s']

    Parameters
    ----------
    tracks : DataFrame with visit, time (seconds), x, y (metres)
        In the order in which it was recorded; further columns are carried along.
    fastest : float, metres per second
        A row that could not be reached at this speed from the last good one of its visit is a jump.

    Returns
    -------
    tracks : DataFrame
        What is left, by visit and time; the index counts from 0.
    quarantine : DataFrame
        Columns row (from 1, as recorded), visit, time, problem.

    Raises
    ------
    ValueError
        A column is missing, or is not of numbers.
    """
    _check_columns(tracks)
    frame = tracks.reset_index(drop=True)
    problem = np.full(len(frame), "", dtype=object)
    for name in reversed(COLUMNS[1:]):
        problem[~np.isfinite(frame[name].to_numpy(dtype=float))] = f"{name} is not a number"
    problem[frame["visit"].isna().to_numpy()] = "no visit"
    _find_repeats(frame, problem)
    _find_jumps(frame, problem, fastest)
    good = problem == ""
    wrong = frame.loc[~good, ["visit", "time"]]
    table = pd.DataFrame({"row": wrong.index + 1, **wrong, "problem": problem[~good]})
    kept = frame[good].sort_values(["visit", "time"], kind="stable")
    return kept.reset_index(drop=True), table.reset_index(drop=True)


def _check_columns(tracks: pd.DataFrame) -> None:
    if missing := [name for name in COLUMNS if name not in tracks]:
        raise ValueError(f"tracks has no column {', '.join(missing)}; it has {', '.join(map(str, tracks))}")
    for name in COLUMNS[1:]:
        if not pd.api.types.is_numeric_dtype(tracks[name]):
            raise ValueError(f"tracks: {name} holds {tracks[name].dtype}; numbers are needed")


def _find_repeats(frame: pd.DataFrame, problem: NDArray[np.object_]) -> None:
    """Mark moments that a visit has had already, and clocks that step back."""
    good = frame[problem == ""]
    problem[good.index[good.duplicated(["visit", "time"])]] = "a second row of this visit and time"
    good = frame[problem == ""]
    back = (good.groupby("visit", sort=False)["time"].cummax() - good["time"]).to_numpy()
    for row, seconds in zip(good.index[back > 0], back[back > 0], strict=True):
        problem[row] = f"the clock steps back by {seconds:.3f} s"


def _find_jumps(frame: pd.DataFrame, problem: NDArray[np.object_], fastest: float) -> None:
    """Mark jumps, the first of each visit in every round, since the next is judged from the row before it."""
    while True:
        good = frame[problem == ""].sort_values(["visit", "time"], kind="stable")
        visit = good["visit"].to_numpy()
        way = np.hypot(np.diff(good["x"].to_numpy(float)), np.diff(good["y"].to_numpy(float)))
        seconds = np.diff(good["time"].to_numpy(float))
        jumps = np.flatnonzero((visit[1:] == visit[:-1]) & (way > fastest * seconds))
        if not len(jumps):
            return
        first = jumps[~pd.Series(visit[jumps]).duplicated().to_numpy()]
        for place in first:
            told = f"moved {way[place]:.1f} m in {seconds[place]:.3f} s, faster than {fastest:g} m/s"
            problem[good.index[place + 1]] = told


def smooth_tracks(tracks: pd.DataFrame, window: float = 1.7) -> pd.DataFrame:
    """Take jitter out: each place becomes that of a straight line fitted to the moments around it.

    A line, and not a mean, since a mean would pull both ends of a way inwards (local linear regression; Fan 1992).

    Parameters
    ----------
    tracks : DataFrame with visit, time (seconds), x, y (metres)
        By visit and time, as `check_tracks` gives it.
    window : float, seconds
        Length of the stretch that a line is fitted to, half of it on each side.

    Returns
    -------
    DataFrame
        The same rows with new x and y; a row without neighbours stays as it is.

    Raises
    ------
    ValueError
        The window is not above 0, or holds over 100 moments.
    """
    if not window > 0:
        raise ValueError(f"window is {window!r}: seconds above 0 are needed")
    time = tracks["time"].to_numpy(dtype=float)
    codes = pd.factorize(tracks["visit"])[0]
    reach = _neighbours(time, codes, window / 2)
    x, y = _fitted(time, codes, tracks[["x", "y"]].to_numpy(dtype=float), reach, window / 2).T
    return tracks.assign(x=x, y=y)


def _neighbours(time: NDArray, codes: NDArray, half: float) -> int:
    """How many rows on each side may lie within half a window."""
    steps = np.diff(time)[np.diff(codes) == 0]
    if not len(steps):
        return 0
    reach = int(np.ceil(half / max(np.quantile(steps, 0.05), 1e-9)))
    if reach > _MOST_NEIGHBOURS:
        raise ValueError(
            f"a window of {2 * half:g} s holds over {2 * _MOST_NEIGHBOURS} moments of these tracks, which have one "
            f"every {np.median(steps):.4g} s: is time in seconds?"
        )
    return reach


def _fitted(time: NDArray, codes: NDArray, place: NDArray, reach: int, half: float) -> NDArray[np.float64]:
    """Value at each moment of the least-squares line through its neighbours: (rows, 2), as `place`."""
    number, first, second = np.ones((3, len(time), 1)) * np.array([1, 0, 0])[:, None, None]
    total, tilted = np.zeros((2, *place.shape))  # of the way from here to the neighbours, alone and times seconds
    for step in range(1, reach + 1):
        here = np.flatnonzero((codes[step:] == codes[:-step]) & (time[step:] - time[:-step] <= half))
        for row, other in ((here, here + step), (here + step, here)):
            seconds = (time[other] - time[row])[:, None]
            number[row] += 1
            first[row] += seconds
            second[row] += seconds**2
            total[row] += place[other] - place[row]
            tilted[row] += (place[other] - place[row]) * seconds
    spread = number * second - first**2
    fit = spread > 1e-9
    return place + np.where(fit, (second * total - first * tilted) / np.where(fit, spread, 1.0), total / number)
