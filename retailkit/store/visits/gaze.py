"""Where heads point: who looks towards a shop window, and who looks away from the way they walk.

    gaze = find_gaze(recording)                        # a row for each moment: place and direction of the head
    looks = find_looks(gaze, find_window(recording))   # a row for each visit: near, looked, for how long
    share(looks, "looked")                             # with its Wilson interval

Heads are marked in a few recordings only, and `find_marks` shows that the marks of ``tracks_ucy`` mostly repeat the
direction of walking. Elsewhere `find_headings` stands in for `find_gaze`: the same verbs then tell **attention from
body motion**, and `motion.compare_looks` how far that is from what heads say.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from retailkit.datasets import DataError
from retailkit.datasets.recordings import Recording
from retailkit.datasets.splines import follow_splines, to_floor
from retailkit.lab.intervals import Estimate, interval, resample, wilson

Line = Sequence[Sequence[float]]
SLOW = 0.3  # metres per second: below it, a direction of walking is mostly jitter
AROUND = 0.9  # seconds before and after, in which a direction of walking explains that of a head: bends are no looks
SAME = 0.5  # degrees: a mark this near to the direction of the next one repeats it


def find_marks(recording: Recording) -> pd.DataFrame:
    """Compare each mark of a head with the direction to the person's next mark, in the picture.

    Returns
    -------
    DataFrame
        visit, time, deviation (degrees, 0 to 180), repeats (bool: to half a degree, the direction of walking); the last
        mark of each person is left out, as nothing follows it.

    Raises
    ------
    DataError
        The recording has no marks.
    """
    marks = _marked(recording)
    way = -marks.groupby("visit")[["x", "y"]].diff(-1)
    known = way["x"].notna() & (way.abs().sum(axis=1) > 0)
    deviation = _between(_picture_direction(marks["gaze"]), way["x"].to_numpy() + 1j * way["y"].to_numpy())
    table = marks[["visit", "time"]].assign(deviation=deviation, repeats=deviation < SAME)
    return table[known].reset_index(drop=True)


def _marked(recording: Recording) -> pd.DataFrame:
    if recording.gaze.empty or recording.homography is None:
        raise DataError(f"nobody marked heads in {recording.name}: find_headings tells where people walk instead")
    return recording.gaze


def _picture_direction(degrees: ArrayLike) -> NDArray[np.complex128]:
    """0 is up, 90 left; as x + iy with y upwards."""
    return np.asarray(1j * np.exp(1j * np.deg2rad(np.asarray(degrees, dtype=float))))


def _between(one: NDArray, other: NDArray) -> NDArray[np.float64]:
    """Angle between directions, degrees from 0 to 180."""
    return np.rad2deg(np.abs(np.angle(one * np.conj(other))))


def find_gaze(recording: Recording) -> pd.DataFrame:
    """Say for each moment where everybody stands and where their head points, on the floor.

    Between two marks the head turns evenly. A direction is brought to the floor by mapping where the person stands
    and a point one pixel ahead (the camera looks down at a slant, so angles on the floor are not those of the picture).

    Returns
    -------
    DataFrame
        visit, time, x, y (metres, as in the recording's tracks), gaze_x, gaze_y (a direction, of length 1), speed
        (metres per second), deviation (degrees from the direction of walking), turned (the least such angle within
        0.9 s, as a bend in the way is no turn of the head); both nan for those who stand.

    Raises
    ------
    DataError
        The recording has no marks.
    """
    _marked(recording)
    assert recording.homography is not None
    walked = follow_splines(recording.gaze)
    ahead = _picture_direction(walked["gaze"])
    x, y = walked["x"].to_numpy(), walked["y"].to_numpy()
    here = to_floor(recording.homography, recording.size, x, y)
    there = to_floor(recording.homography, recording.size, x + ahead.real, y + ahead.imag)
    frame = walked[["visit", "time"]].assign(x=here[:, 0], y=here[:, 1])
    return _directed(frame, (there - here) @ [1, 1j])


def find_headings(tracks: pd.DataFrame) -> pd.DataFrame:
    """Say for each moment where everybody walks, as `find_gaze` says where heads point; who stands keeps the last.

    Parameters
    ----------
    tracks : DataFrame with visit, time (seconds), x, y (metres)
        By visit and time; smoothed (`smooth_tracks`) where they come from a camera.

    Returns
    -------
    DataFrame
        As `find_gaze`; rows of those who never walk are left out, since nothing tells where they look.
    """
    velocity = _velocity(tracks)
    walking = pd.Series(np.where(np.abs(velocity) > SLOW, velocity, np.nan), index=tracks.index)
    parts = pd.DataFrame({"real": walking.to_numpy().real, "imag": walking.to_numpy().imag}, index=tracks.index)
    parts.loc[walking.isna()] = np.nan
    kept = parts.groupby(tracks["visit"]).ffill()
    kept = kept.fillna(parts.groupby(tracks["visit"]).bfill())
    known = kept["real"].notna()
    return _directed(
        tracks.loc[known, ["visit", "time", "x", "y"]], (kept["real"] + 1j * kept["imag"])[known].to_numpy()
    )


def _directed(frame: pd.DataFrame, direction: NDArray) -> pd.DataFrame:
    frame = frame.reset_index(drop=True)
    unit = direction / np.abs(direction)
    velocity = _velocity(frame)
    return frame.assign(
        gaze_x=unit.real,
        gaze_y=unit.imag,
        speed=np.abs(velocity),
        deviation=np.where(np.abs(velocity) > SLOW, _between(unit, velocity), np.nan),
        turned=_turned(frame, unit, velocity),
    )


def _velocity(tracks: pd.DataFrame) -> NDArray[np.complex128]:
    """From the row before to the row after of the same visit, metres per second, as x + iy."""
    rows = tracks.groupby("visit", sort=False)[["time", "x", "y"]]
    after, before = rows.shift(-1).fillna(tracks[["time", "x", "y"]]), rows.shift(1).fillna(tracks[["time", "x", "y"]])
    step = (after - before).to_numpy(float)
    seconds = np.where(step[:, 0] > 0, step[:, 0], 1.0)
    return np.asarray((step[:, 1] + 1j * step[:, 2]) / seconds)


def _turned(frame: pd.DataFrame, unit: NDArray, velocity: NDArray) -> NDArray[np.float64]:
    """The least angle to any direction of walking around each moment; nan where the person stands then."""
    time, visit, walks = frame["time"].to_numpy(), pd.factorize(frame["visit"])[0], np.abs(velocity) > SLOW
    found = np.where(walks, _between(unit, velocity), np.nan)
    for step in range(1, len(frame)):
        near = np.flatnonzero((visit[step:] == visit[:-step]) & (time[step:] - time[:-step] <= AROUND))
        if not len(near):
            break
        for row, other in ((near, near + step), (near + step, near)):
            angle = np.where(walks[row] & walks[other], _between(unit[row], velocity[other]), np.nan)
            found[row] = np.fmin(found[row], angle)
    return found


def find_looks(
    gaze: pd.DataFrame,
    window: Line,
    tolerance: float = 10.0,
    reach: float = 6.0,
    least: float = 0.8,
    away: float = 20.0,
) -> pd.DataFrame:
    """Say for each visit whether it came near a window, looked towards it, and looked away from its own way.

    Parameters
    ----------
    gaze : DataFrame
        As `find_gaze` or `find_headings` gives it.
    window : two points (x, y), metres
        The foot of the window; people look from the side on which most rows near it are.
    tolerance : float, degrees
        How far beside the window a head may point: eyes turn, and marks are made by hand.
    reach : float, metres
        How near is near.
    least : float, seconds
        Shorter looks do not count.
    away : float, degrees
        From all directions of walking around that moment: looking away from the path.

    Returns
    -------
    DataFrame
        visit; seconds_near, seconds_looking, seconds_away, seconds_aside (looking while away); and as yes or no: near,
        looked (only who was near can have), looked_away and looked_aside (for both, a moment is enough).

    Raises
    ------
    ValueError
        The window has no length, or an option is not above 0.
    """
    ends = ends_of(window)
    for name, value in (("tolerance", tolerance), ("reach", reach), ("least", least), ("away", away)):
        if not value > 0:
            raise ValueError(f"{name} is {value!r}: a figure above 0 is needed")
    place = gaze["x"].to_numpy() + 1j * gaze["y"].to_numpy()
    near = in_front(place, ends) & (distance(place, ends) < reach)
    off = _beside(place, gaze["gaze_x"].to_numpy() + 1j * gaze["gaze_y"].to_numpy(), ends)
    looking, turned = near & (off <= tolerance), gaze["turned"].to_numpy() > away
    moments = pd.DataFrame({"near": near, "looking": looking, "away": turned, "aside": looking & turned})
    seconds = moments.mul(seconds_each(gaze), axis=0).groupby(gaze["visit"].to_numpy()).sum()
    looks = seconds.add_prefix("seconds_").rename_axis("visit").reset_index()
    return looks.assign(
        near=looks["seconds_near"] > 0,
        looked=looks["seconds_looking"] > least - 1e-9,
        looked_away=looks["seconds_away"] > 0,
        looked_aside=looks["seconds_aside"] > 0,
    )


def ends_of(window: Line) -> NDArray[np.complex128]:
    """Check a line of two points, and give them as x + iy."""
    points = np.asarray(window, dtype=float)
    if points.shape != (2, 2) or not np.isfinite(points).all() or np.hypot(*(points[1] - points[0])) < 1e-9:
        raise ValueError(f"window is {window!r}: two different points (x, y) in metres are needed")
    return points @ [1, 1j]


def distance(place: NDArray, ends: NDArray) -> NDArray[np.float64]:
    """Give the distance of each place from the window, metres."""
    along = ends[1] - ends[0]
    share = np.clip(((place - ends[0]) * np.conj(along)).real / np.abs(along) ** 2, 0, 1)
    return np.abs(place - ends[0] - share * along)


def in_front(place: NDArray, ends: NDArray) -> NDArray[np.bool_]:
    """Tell who is on the side of most people who come within the window's own length of it."""
    side = ((place - ends[0]) * np.conj(ends[1] - ends[0])).imag
    around = distance(place, ends) <= np.abs(ends[1] - ends[0])
    return side * (np.median(side[around]) if around.any() else 1.0) > 0


def _beside(place: NDArray, direction: NDArray, ends: NDArray) -> NDArray[np.float64]:
    """How far a direction points beside the window, degrees; 0 where it meets it."""
    first, second = (np.angle((end - place) * np.conj(direction)) for end in ends)
    meets = (np.sign(first) != np.sign(second)) & (np.abs(first - second) < np.pi)
    return np.rad2deg(np.where(meets, 0.0, np.minimum(np.abs(first), np.abs(second))))


def seconds_each(gaze: pd.DataFrame) -> NDArray[np.float64]:
    """Say how long each row stands for: until the next of its visit; the last as long as most."""
    step = gaze.groupby("visit", sort=False)["time"].diff(-1).abs()
    return step.fillna(step.median() if step.notna().any() else 0.0).to_numpy()


def share(looks: pd.DataFrame, column: str = "looked", among: str = "near") -> Estimate:
    """Estimate a share of visits with its interval (Wilson 1927).

    >>> print(share(pd.DataFrame({"near": [True, True, True, False], "looked": [True, False, True, False]})))
    0.667 (95 % interval 0.208 to 0.939)

    Parameters
    ----------
    looks : DataFrame, as `find_looks` gives it
    column, among : str
        Whose share, and among whom ("" for all).
    """
    rows = looks[looks[among]] if among else looks
    if rows.empty:
        raise ValueError(f"no visit is {among}: there is nothing to take a share of")
    return wilson(int(rows[column].sum()), len(rows), unit_name="visits")


def median_deviation(gaze: pd.DataFrame, repetitions: int = 500, seed: int = 0) -> Estimate:
    """Estimate the middle angle between head and way, degrees, over all moments of walking (bootstrap by visit)."""
    walking = gaze[gaze["deviation"].notna()].sort_values("deviation")
    weights = np.vstack([np.ones(len(walking)), resample(walking["visit"], repetitions, seed)])
    passed = np.cumsum(weights, axis=1)
    middles = walking["deviation"].to_numpy()[(passed < passed[:, -1:] / 2).sum(axis=1)]
    return interval(middles[0], middles[1:], units=walking["visit"].nunique(), unit_name="visits")
