"""Identities that a tracker exchanged where two people passed, put right where their motion says so."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.store.visits.beats import BEAT, beat_of, beat_rows, take_beats
from retailkit.store.visits.ends import fit_ends
from retailkit.store.visits.tracks import first_rows, number_visits, take_rows

_TURN = 0.5  # metres per second: by how much a person's velocity changes of itself within that time
_SWAY = 0.05  # metres: by how much a person's place does
_ENOUGH = 200_000  # rows from which the camera's errors are read


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
    rows, visit = _sample(tracks)
    time, place = tracks["time"].to_numpy(float)[rows], [tracks[name].to_numpy(float)[rows] for name in ("x", "y")]
    steps = np.diff(time)[np.diff(visit) == 0]
    if not len(steps):
        return CameraError(BEAT, 0.0, 0.0)
    step = float(np.median(steps))
    due = np.maximum(np.round(steps / step), 1).sum()
    even = (visit[3:] == visit[:-3]) & (np.abs(time[3:] - time[:-3] - 3 * step) < step / 10)
    third = np.abs([(axis[3:] - 3 * axis[2:-1] + 3 * axis[1:-2] - axis[:-3])[even] for axis in place])
    jitter = float(np.median(third) / 0.6745 / np.sqrt(20)) if third.size else 0.0
    return CameraError(step, float(1 - len(steps) / due), jitter)


def _sample(tracks: pd.DataFrame) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows that tell of the camera, and of which visit they are: all, or a hundred stretches from one end to the other.

    The median of so many is sure to half a percent.
    """
    first, number = first_rows(tracks["visit"]), len(tracks)
    rows = np.arange(number)
    if number > _ENOUGH:
        starts = np.linspace(0, number - _ENOUGH // 100, 100).astype(np.intp)
        rows = (starts[:, None] + np.arange(_ENOUGH // 100)).ravel()
    visit = np.searchsorted(first, rows, side="right")
    return rows, visit + len(first) * (np.arange(len(rows)) // (_ENOUGH // 100) if number > _ENOUGH else 0)


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
    meetings = _find(tracks, near, sure)
    return _exchange(tracks, meetings[["one", "other", "time"]])


def find_meetings(tracks: pd.DataFrame, near: float = 0.9, doubtful: float | None = None) -> pd.DataFrame:
    """List when two came near each other, and how much their motion speaks for exchanged keys.

    Two who walk side by side may be exchanged again and again in one long meeting: `doubtful` lists every moment of it
    that speaks for an exchange by more than this, and more than those around it: the two beats before and after that
    have rows. Of some that follow each other and say the same, the first is listed.

    Parameters
    ----------
    tracks : DataFrame with visit, time (seconds), x, y (metres)
        As `untangle_tracks` takes it.
    near : float, metres
    doubtful : float, optional
        Log-likelihood ratio; by default only the moment of each meeting that speaks most for an exchange is listed.

    Returns
    -------
    DataFrame
        A row for each meeting, or each such moment of it, by time: one, other (visits), time (seconds, of the moment
        that speaks most for an exchange), gain (log-likelihood that they were exchanged then, over that they were not).
        Who meets somebody whose track begins or ends just there gives no evidence, and no row.
    """
    found = _find(tracks, near, -np.inf, np.inf if doubtful is None else doubtful)
    keys = tracks["visit"].array[first_rows(tracks["visit"])]
    return found.assign(one=keys.take(found["one"].to_numpy()), other=keys.take(found["other"].to_numpy()))


def _find(tracks: pd.DataFrame, near: float, sure: float, doubtful: float = np.inf) -> pd.DataFrame:
    beats = take_beats(tracks, beat_rows(tracks))
    one, other = close_pairs(beats, near)
    return _strongest(beats, one, other, _gain(beats, camera_error(beats), one, other), sure, doubtful)


def close_pairs(tracks: pd.DataFrame, near: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find rows of the same beat within `near` metres of each other: two arrays of positions.

    Rows are sorted by beat and x, and each is compared with the next ones until x is too far: linear in the rows where
    nobody crowds.
    """
    beat = beat_of(tracks["time"].to_numpy(float))
    x, y = tracks["x"].to_numpy(float), tracks["y"].to_numpy(float)
    order = np.argsort(beat * (np.ptp(x) + 1) + x) if len(x) else np.empty(0, np.intp)  # quicker than by two keys
    beat, x, y = beat[order], x[order], y[order]
    found: list[NDArray[np.intp]] = []
    left = np.flatnonzero((beat[1:] == beat[:-1]) & (x[1:] - x[:-1] < near))
    for ahead in range(1, len(order)):
        if not len(left):
            break
        close = left[np.hypot(x[left + ahead] - x[left], y[left + ahead] - y[left]) < near]
        found.append(np.stack([order[close], order[close + ahead]]))
        left = left[left + ahead + 1 < len(order)]
        left = left[(beat[left + ahead + 1] == beat[left]) & (x[left + ahead + 1] - x[left] < near)]
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
    ends = np.append(first_rows(tracks["visit"])[1:], len(tracks))
    follows = np.minimum(rows + 1, len(tracks) - 1)
    fitted = fit_ends(tracks, follows, 1, step, at)
    fitted[ends[np.searchsorted(ends, rows, side="right")] == rows + 1] = np.nan
    return fitted


def _strongest(
    tracks: pd.DataFrame, one: NDArray[np.intp], other: NDArray[np.intp], gain: NDArray[np.float64], sure: float,
    doubtful: float,
) -> pd.DataFrame:  # fmt: skip
    """The best beat of each meeting that speaks for an exchange: numbers of both visits, time (of its end), gain.

    And others that speak for one by more than `doubtful`, and as `_peaks` has it.
    """
    first = first_rows(tracks["visit"])
    ends = (beat_of(tracks["time"].to_numpy(float)[one]) + 1 - 1e-6) * BEAT
    one_visit, other_visit = (np.searchsorted(first, rows, side="right") - 1 for rows in (one, other))
    found = pd.DataFrame({"one": one_visit, "other": other_visit, "time": ends})
    found = found.assign(gain=gain).sort_values(["one", "other", "time"], kind="stable")
    fresh = found.groupby(["one", "other"])["time"].diff().fillna(np.inf) > 2.5 * BEAT
    found = found.assign(meeting=fresh.cumsum())[found["gain"] > sure]
    chosen = found.index.isin(found.groupby("meeting")["gain"].idxmax()) | (found["gain"] > doubtful) & _peaks(found)
    return found[chosen].sort_values("time", kind="stable", ignore_index=True)[["one", "other", "time", "gain"]]


def _peaks(found: pd.DataFrame) -> NDArray[np.bool_]:
    """Beats whose gain is the greatest of their meeting within two beats that have rows; the first of some alike."""
    gain, meeting = found["gain"].fillna(-np.inf), found["meeting"]
    before, after = (
        np.max([gain.groupby(meeting).shift(step).fillna(-np.inf) for step in steps], axis=0)
        for steps in ((1, 2), (-1, -2))
    )
    return np.asarray((gain > before) & (gain >= after))


def _exchange(tracks: pd.DataFrame, meetings: pd.DataFrame) -> pd.DataFrame:
    """Give the rows after each meeting the other's key, in the order of time."""
    if not len(meetings):
        return tracks.reset_index(drop=True)
    time, first = tracks["time"].to_numpy(float), first_rows(tracks["visit"])
    end, holder = np.append(first[1:], len(time)), np.arange(len(first))
    label = dict(zip(first.tolist(), holder.tolist(), strict=True))  # of the rows from here to the next
    for one, other, moment in meetings.itertuples(index=False):
        holder[[one, other]] = holder[[other, one]]
        for visit in (one, other):
            begin = int(first[visit] + np.searchsorted(time[first[visit] : end[visit]], moment, side="right"))
            if begin < end[visit]:
                label[begin] = holder[visit]
    pieces = np.sort(np.fromiter(label, dtype=np.intp))
    mine, length = np.array([label[row] for row in pieces.tolist()]), np.diff(pieces, append=len(time))
    keys = tracks["visit"].array[first]
    order = np.lexsort([time[pieces], number_visits(pd.Series(keys))[mine]])  # pieces of a key never overlap
    names = keys.take(np.repeat(mine[order], length[order]))
    rows = list(map(slice, pieces[order], (pieces + length)[order]))
    return take_rows(tracks, rows).assign(visit=names).reset_index(drop=True)
