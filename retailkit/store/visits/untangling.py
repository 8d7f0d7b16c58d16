"""Identities that a tracker exchanged where two people passed, put right where their motion says so."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.store.visits.ends import fit_ends

BEAT = 0.4  # seconds: how often two tracks are compared, whatever the camera's rate
_TURN = 0.5  # metres per second: by how much a person's velocity changes of itself within that time
_SWAY = 0.05  # metres: by how much a person's place does


@dataclass(frozen=True)
class CameraError:
    """How well a camera sees: `step` (seconds between moments), `missed` (share of them), `jitter` (metres)."""

    step: float
    missed: float
    jitter: float


def camera_error(tracks: pd.DataFrame) -> CameraError:
    """Read from tracks themselves how many moments the camera missed, and by how much its places are off.

    A walk is smooth, so third differences of places are almost all jitter: their variance is 20 times its own
    (difference-based estimation of noise; Hall, Kay & Titterington 1990), taken from the median (Rousseeuw &
    Croux 1993), which those who turn on their heels do not move. Missed are the moments between the second and the
    last but one of a visit that have no row.

    Parameters
    ----------
    tracks : DataFrame with visit, time (seconds), x, y (metres)
        By visit and time, as `check_tracks` gives it, before any smoothing.

    Returns
    -------
    CameraError
        Zero where there are too few rows to tell.
    """
    time = tracks["time"].to_numpy(float)
    codes = pd.factorize(tracks["visit"])[0]
    steps = np.diff(time)[np.diff(codes) == 0]
    if not len(steps):
        return CameraError(BEAT, 0.0, 0.0)
    step = float(np.median(steps))
    due = np.maximum(np.round(steps / step), 1).sum()
    apart = codes[3:] == codes[:-3]
    even = apart & (np.abs(time[3:] - time[:-3] - 3 * step) < step / 10)
    place = tracks[["x", "y"]].to_numpy(float)
    third = (place[3:] - 3 * place[2:-1] + 3 * place[1:-2] - place[:-3])[even]
    jitter = float(np.median(np.abs(third)) / 0.6745 / np.sqrt(20)) if len(third) else 0.0
    return CameraError(step, float(1 - len(steps) / due), jitter)


def untangle_tracks(tracks: pd.DataFrame, near: float = 0.9, sure: float = 3.0) -> pd.DataFrame:
    """Exchange identities back where two tracks meet and each goes on as the other came.

    At every moment of a meeting, the ways before and after it are set together as they are and exchanged. The sums of
    squared differences in place and velocity, each in units of its own error, are the log-likelihoods of both
    readings; the tracks are exchanged where that favours it by more than `sure`. Two who walk side by side give no
    evidence, and stay as they are; who comes from ahead does.

    Parameters
    ----------
    tracks : DataFrame with visit, time (seconds), x, y (metres)
        By visit and time, not smoothed; best after `stitch_tracks`.
    near : float, metres
        Whom a tracker may take for one another.
    sure : float
        Log-likelihood ratio from which tracks are exchanged; 3 is twenty to one.

    Returns
    -------
    DataFrame
        The same rows by visit and time, some of a visit now under another's key.
    """
    error = camera_error(tracks)
    rows = _beats(tracks)
    one, other = close_pairs(tracks.iloc[rows], near)
    one, other = rows[one], rows[other]
    gain = _gain(tracks, error, one, other)
    meetings = _strongest(tracks, one, other, gain, sure)
    visit = _exchange(tracks, meetings)
    order = np.lexsort([tracks["time"].to_numpy(), pd.factorize(visit, sort=True)[0]])
    return tracks.assign(visit=visit).iloc[order].reset_index(drop=True)


def _beats(tracks: pd.DataFrame) -> NDArray[np.intp]:
    """The first row of each visit in each beat."""
    beat = np.floor(tracks["time"].to_numpy(float) / BEAT + 1e-6).astype(np.int64)
    codes = pd.factorize(tracks["visit"])[0]
    new = np.ones(len(tracks), dtype=bool)
    new[1:] = (np.diff(beat) != 0) | (np.diff(codes) != 0)
    return np.flatnonzero(new)


def close_pairs(tracks: pd.DataFrame, near: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find rows of the same beat within `near` metres of each other: two arrays of positions.

    Rows are sorted by beat and x, and each is compared with the next ones until x is too far: linear in the rows where
    nobody crowds.
    """
    beat = np.floor(tracks["time"].to_numpy(float) / BEAT + 1e-6).astype(np.int64)
    x, y = tracks["x"].to_numpy(float), tracks["y"].to_numpy(float)
    order = np.lexsort([x, beat])
    beat, x, y = beat[order], x[order], y[order]
    found: list[NDArray[np.intp]] = []
    left = np.arange(len(order) - 1)
    for ahead in range(1, len(order)):
        left = left[left + ahead < len(order)]
        left = left[(beat[left + ahead] == beat[left]) & (x[left + ahead] - x[left] < near)]
        if not len(left):
            break
        close = left[np.hypot(x[left + ahead] - x[left], y[left + ahead] - y[left]) < near]
        found.append(np.stack([order[close], order[close + ahead]]))
    pairs = np.concatenate(found, axis=1) if found else np.empty((2, 0), dtype=np.intp)
    pairs.sort(axis=0)
    return pairs[0], pairs[1]


def _gain(
    tracks: pd.DataFrame, error: CameraError, one: NDArray[np.intp], other: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Log-likelihood that each pair was exchanged after these rows, over that it was not; nan where nobody can tell."""
    at = tracks["time"].to_numpy(float)[one] + error.step / 2
    before = [fit_ends(tracks, rows, -1, error.step, at) for rows in (one, other)]
    after = [_next(tracks, rows, error.step, at) for rows in (one, other)]
    noise = max(error.jitter, 0.02) ** 2

    def misfit(early: int, late: int) -> NDArray[np.float64]:
        first, second = before[early], after[late]
        places = (first[:, :2] - second[:, :2]) ** 2 / (noise * (first[:, [4]] + second[:, [4]]) + _SWAY**2)
        speeds = (first[:, 2:4] - second[:, 2:4]) ** 2 / (noise * (first[:, [5]] + second[:, [5]]) + _TURN**2)
        return np.asarray((places + speeds).sum(axis=1))

    return (misfit(0, 0) + misfit(1, 1) - misfit(0, 1) - misfit(1, 0)) / 2


def _next(tracks: pd.DataFrame, rows: NDArray[np.intp], step: float, at: NDArray) -> NDArray[np.float64]:
    """Lines fitted to what follows each row of its visit; nan where nothing does."""
    codes = pd.factorize(tracks["visit"])[0]
    follows = np.minimum(rows + 1, len(codes) - 1)
    fitted = fit_ends(tracks, follows, 1, step, at)
    fitted[(follows == rows) | (codes[follows] != codes[rows])] = np.nan
    return fitted


def _strongest(
    tracks: pd.DataFrame, one: NDArray[np.intp], other: NDArray[np.intp], gain: NDArray[np.float64], sure: float
) -> pd.DataFrame:
    """The best moment of each meeting that speaks for an exchange: one, other (codes of visits), time; by time."""
    codes = pd.factorize(tracks["visit"])[0]
    found = pd.DataFrame({"one": codes[one], "other": codes[other], "time": tracks["time"].to_numpy()[one]})
    found = found.assign(gain=gain).sort_values(["one", "other", "time"], kind="stable")
    fresh = found.groupby(["one", "other"])["time"].diff().fillna(np.inf) > 2.5 * BEAT
    found = found.assign(meeting=fresh.cumsum())[found["gain"] > sure]
    best = found.loc[found.groupby("meeting")["gain"].idxmax()]
    return best.sort_values("time", kind="stable")[["one", "other", "time"]]


def _exchange(tracks: pd.DataFrame, meetings: pd.DataFrame) -> NDArray:
    """Keys of all rows after the exchanges, made in the order of time."""
    codes, names = pd.factorize(tracks["visit"])
    time = tracks["time"].to_numpy(float)
    start = np.searchsorted(codes, np.arange(len(names) + 1))
    holder, label = np.arange(len(names)), codes.copy()
    for one, other, moment in meetings.itertuples(index=False):
        holder[[one, other]] = holder[[other, one]]
        for visit in (one, other):
            end = start[visit + 1]
            label[start[visit] + np.searchsorted(time[start[visit] : end], moment, side="right") : end] = holder[visit]
    return np.asarray(names)[label]
