"""How many passed a line, and how sure that is: the count with an interval for what the camera does to it."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from retailkit.lab.intervals import student
from retailkit.store.visits.cleaning import clean_tracks
from retailkit.store.visits.crossings import Line, find_crossings
from retailkit.store.visits.tracks import first_rows
from retailkit.store.visits.untangling import CameraError, camera_error, close_pairs

DIRECTIONS = ("in", "out", "both")
_SPELL = 1.0  # seconds apart after which two people meet anew


def count_crossings(
    tracks: pd.DataFrame,
    lines: dict[str, Line],
    *,
    repetitions: int = 20,
    level: float = 0.95,
    seed: int = 0,
    progress: bool = True,
) -> pd.DataFrame:
    """Count who passed lines in each direction, with an interval for the camera's errors.

    A camera that misses moments misses the ends of ways, and with them crossings: each end of a way that was heading
    for a line adds the chance that the moments needed to pass it were all missed. How much the count may be off is
    found by spoiling the cleaned ways again, as much as the camera spoilt them (moments missed and jitter as the tracks
    themselves show them, identities broken as often as had to be joined, and as many exchanged), and by cleaning
    and counting again (parametric bootstrap; Efron & Tibshirani 1993, section 6.5).

    Parameters
    ----------
    tracks : DataFrame with visit, time (seconds), x, y (metres)
        By visit and time, as `check_tracks` gives it and before any cleaning.
    lines : dict
        Name and two points (x, y), metres, of each line.
    repetitions : int
        How often the ways are spoilt again, at least 2.
    level : float
        How often the intervals should hold the truth.
    seed : int
    progress : bool
        Show a bar.

    Returns
    -------
    DataFrame
        Columns line ('all' is their sum), direction ('in', 'out', 'both'), found (as counted), value (with what the
        ends of ways add), low, high. The interval speaks of this recording: how many truly passed then, and not on
        other days.

    Raises
    ------
    ValueError
        Fewer than 2 repetitions, or no line.
    """
    if repetitions < 2:
        raise ValueError(f"repetitions is {repetitions!r}: 2 or more are needed to see how much they differ")
    if not lines:
        raise ValueError("lines is empty: a name and two points (x, y) are needed, such as {'door': ((0, 0), (2, 0))}")
    again = SpoiltAgain(tracks)
    found, unseen = _counts(again.clean, lines, again.error)
    rounds = tqdm(range(repetitions), desc="counting again", disable=not progress, leave=False)
    repeated = np.array([sum(_counts(clean_tracks(again(seed + number)), lines, again.error)) for number in rounds])
    value = found + unseen
    lost = _counts(again.ways, lines, again.error)[0] - repeated.mean(axis=0)
    # by chance; half of what is lost on average, since taking it off would add more noise than it removes; and a
    # count is a whole number
    error = np.sqrt(repeated.var(axis=0, ddof=1) * (1 + 1 / repetitions) + lost**2 / 4 + 1 / 12)
    reach = student(level, repetitions) * error
    names = pd.MultiIndex.from_product([[*lines, "all"], DIRECTIONS], names=["line", "direction"])
    table = pd.DataFrame({"found": found.astype(int), "value": value}, index=names)
    return table.assign(low=np.maximum(value - reach, 0), high=value + reach).reset_index()


def _counts(
    tracks: pd.DataFrame, lines: dict[str, Line], error: CameraError
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Crossings seen, and those expected beyond the ends of ways: in, out, both; for each line and for all."""
    seen, unseen = np.zeros((2, len(lines) + 1, 3))
    for number, line in enumerate(lines.values()):
        ways = find_crossings(tracks, line)["direction"].to_numpy()
        seen[number, :2] = (ways == "in").sum(), (ways == "out").sum()
        unseen[number, :2] = beyond_the_ends(tracks, line, error)
    for table in (seen, unseen):
        table[-1] = table.sum(axis=0)
        table[:, 2] = table[:, :2].sum(axis=1)
    return seen.ravel(), unseen.ravel()


def beyond_the_ends(tracks: pd.DataFrame, line: Line, error: CameraError, band: float = 0.3) -> tuple[float, float]:
    """Expect how many crossings were missed since the first or last moments of a way were.

    An end that is on its way to the far side of a line needs k more moments to get there at its speed. That at
    least k moments were missed after a last seen one has the chance p^k, p being the share missed.

    Parameters
    ----------
    tracks, line, band
        As in `find_crossings`.
    error : CameraError

    Returns
    -------
    tuple of float
        Expected crossings inwards and outwards.
    """
    points = np.asarray(line, dtype=float)
    length = np.hypot(*(points[1] - points[0]))
    along = (points[1] - points[0]) / length
    x, y = (tracks[name].to_numpy(float) - start for name, start in zip(("x", "y"), points[0], strict=True))
    distance = x * along[1] - y * along[0]  # right of the line is above 0
    within = (x * along[0] + y * along[1] >= 0) & (x * along[0] + y * along[1] <= length)
    first = first_rows(tracks["visit"])
    last = np.append(first[1:], len(x)) - 1
    inwards = outwards = 0.0
    for tip, inner, reversed_ in (
        (last, np.maximum(last - 3, first), False),
        (first, np.minimum(first + 3, last), True),
    ):
        heading, chance = _heading(distance, tracks["time"].to_numpy(float), tip, inner, error, band)
        chance = np.where(within[tip], chance, 0.0)
        forward = heading > 0
        inwards += chance[forward != reversed_].sum()
        outwards += chance[forward == reversed_].sum()
    return inwards, outwards


def _heading(
    distance: NDArray, time: NDArray, tip: NDArray[np.intp], inner: NDArray[np.intp], error: CameraError, band: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Speed away from the inner rows (metres per second, towards the right above 0), and the chance to have crossed."""
    seconds = np.maximum(np.abs(time[tip] - time[inner]), 1e-9)
    speed = (distance[tip] - distance[inner]) / seconds
    came_from = np.sign(distance[inner]) != np.sign(speed)  # from the other side, so that it can still cross
    beyond = distance[tip] * np.sign(speed)
    ahead = band - beyond
    moments = np.ceil(np.maximum(ahead, 0) / np.maximum(np.abs(speed) * error.step, 1e-9))
    able = came_from & (np.abs(speed) > 0.1) & (ahead > 0) & (tip != inner)
    return speed, np.where(able, error.missed ** np.maximum(moments, 1), 0.0)


class SpoiltAgain:
    """Cleaned ways, to be spoilt once more as much as the camera had spoilt them: ``SpoiltAgain(tracks)(seed)``.

    Attributes
    ----------
    clean : DataFrame
        The cleaned tracks.
    ways : DataFrame
        visit, time, x, y: the cleaned ways with every moment filled in, taken as the truth of the repetitions.
    error : CameraError
    broken : float
        Identities broken per meeting.
    """

    def __init__(self, tracks: pd.DataFrame) -> None:
        self.error: CameraError = camera_error(tracks)
        self.clean = clean_tracks(tracks)
        self.ways = fill_gaps(self.clean, self.error.step)
        self._met = _meetings(self.ways)
        pieces = self.clean.groupby("visit")["piece"].nunique().sub(1).sum()
        self.broken = float(min(pieces / max(1.5 * len(self._met), 1), 0.5))

    def __call__(self, seed: int) -> pd.DataFrame:
        """Give tracks as the camera might have seen them: visit, time, x, y."""
        rng = np.random.default_rng([seed, 4])
        seen = self.ways.assign(visit=self._mistaken(rng))
        seen[["x", "y"]] += rng.normal(0, self.error.jitter, (len(seen), 2))
        seen = seen[rng.random(len(seen)) >= self.error.missed]
        return seen.sort_values(["visit", "time"], kind="stable").reset_index(drop=True)

    def _mistaken(self, rng: np.random.Generator) -> NDArray[np.intp]:
        """Keys after each meeting: some new, some exchanged."""
        visit, time = self.ways["visit"].to_numpy(), self.ways["time"].to_numpy()
        start = np.append(first_rows(self.ways["visit"]), len(visit))
        label, holder, fresh = visit.copy(), np.arange(len(start) - 1), len(start) - 1
        for one, other, moment in self._met.itertuples(index=False):
            luck = rng.random()
            if luck >= 2 * self.broken:
                continue
            if luck < self.broken:  # one or both are taken for somebody new
                for who in rng.permutation([one, other])[: rng.integers(1, 3)]:
                    holder[who], fresh = fresh, fresh + 1
            else:
                holder[[one, other]] = holder[[other, one]]
            for who in (one, other):
                rest = slice(
                    start[who] + np.searchsorted(time[start[who] : start[who + 1]], moment, "right"), start[who + 1]
                )
                label[rest] = holder[who]
        return label


def fill_gaps(tracks: pd.DataFrame, step: float) -> pd.DataFrame:
    """Give every visit a row each `step` seconds from its first to its last, places between by straight lines.

    Returns
    -------
    DataFrame
        visit (numbered from 0), time, x, y.
    """
    time, first = tracks["time"].to_numpy(float), first_rows(tracks["visit"])
    last = np.append(first[1:], len(time)) - 1
    number = np.round((time[last] - time[first]) / step).astype(int) + 1
    visit = np.repeat(np.arange(len(first)), number)
    moment = time[first][visit] + step * (np.arange(len(visit)) - np.repeat(np.cumsum(number) - number, number))
    far = np.ptp(time) + 10 * step + 1
    known = time + far * np.repeat(np.arange(len(first)), np.diff(first, append=len(time)))
    places = {name: np.interp(moment + far * visit, known, tracks[name].to_numpy(float)) for name in ("x", "y")}
    return pd.DataFrame({"visit": visit, "time": moment, **places})


def _meetings(ways: pd.DataFrame, near: float = 0.7) -> pd.DataFrame:
    """When any two came near each other: one, other, time; by time."""
    one, other = close_pairs(ways, near)
    visit, time = ways["visit"].to_numpy(), ways["time"].to_numpy()
    found = pd.DataFrame({"one": visit[one], "other": visit[other], "time": time[one]})
    found = found.sort_values(["one", "other", "time"], kind="stable")
    fresh = found.groupby(["one", "other"])["time"].diff().fillna(np.inf) > _SPELL
    return found[fresh].sort_values("time", kind="stable")
