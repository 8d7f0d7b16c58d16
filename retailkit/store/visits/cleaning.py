"""From a tracker's tracks to people's ways: broken ones joined, exchanged ones put right, jitter taken out."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.store.visits.beats import BEAT, beat_rows, take_beats
from retailkit.store.visits.smoothing import smooth_tracks
from retailkit.store.visits.stitching import stitch_tracks
from retailkit.store.visits.tracks import first_rows
from retailkit.store.visits.untangling import camera_error, untangle_tracks

STILL = 6.0  # seconds over which somebody who stands is averaged
SLOW = 0.35  # metres per second: below it, somebody stands or shuffles
_REACH = int(STILL / 2 / BEAT) + 1  # beats on each side that are near enough at most
_BLOCK = 4096  # beats at once: few enough for the processor's cache, and for sums that lose no digits


def clean_tracks(tracks: pd.DataFrame) -> pd.DataFrame:
    """Do all that tracks need before anything is counted: stitch, untangle, smooth, and hold still who stands.

    Parameters
    ----------
    tracks : DataFrame with visit, time (seconds), x, y (metres)
        By visit and time, as `check_tracks` gives it; further columns are carried along.

    Returns
    -------
    DataFrame
        The same rows by visit and time, with new visit, x and y; `piece` is the visit that the tracker said.
    """
    whole = untangle_tracks(stitch_tracks(tracks))
    stands, still, jitter = _hold_still(whole)
    smooth = smooth_tracks(whole, window_for(jitter), where=~stands)
    return smooth.assign(**{name: np.where(stands, still[name], smooth[name]) for name in still})


def describe_cleaning(raw: pd.DataFrame, clean: pd.DataFrame) -> pd.DataFrame:
    """Say what cleaning did: a row for each fact, columns what, before, after.

    Parameters
    ----------
    raw : DataFrame with visit, time, x, y
        As `clean_tracks` took it.
    clean : DataFrame
        As `clean_tracks` gave it.
    """
    before, after = camera_error(raw), camera_error(clean)
    moved = float((clean["visit"].to_numpy() != clean["piece"].to_numpy()).mean())
    facts = [
        ("keys", raw["visit"].nunique(), clean["visit"].nunique()),
        ("rows", len(raw), len(clean)),
        ("jitter of a place (metres)", round(before.jitter, 3), round(after.jitter, 3)),
        ("rows under another key (share)", 0.0, round(moved, 3)),
    ]
    return pd.DataFrame(facts, columns=["what", "before", "after"])


def window_for(jitter: float) -> float:
    """Seconds over which somebody who walks is smoothed: the more, the more a camera jitters.

    What a longer window takes of the jitter it adds by cutting corners; both are least together where the window grows
    as jitter to the power of 2/5 (Fan & Gijbels 1996, section 3.2). `jitter` is that of a beat, in metres.
    """
    return 1.7 * (jitter / 0.3) ** 0.4


def _hold_still(raw: pd.DataFrame) -> tuple[NDArray[np.bool_], dict[str, NDArray[np.float64]], float]:
    """Who stands at which row, and where: a line over `STILL` seconds, if it fits as well as jitter allows.

    Gives the jitter of beats (metres), too.

    Jitter makes somebody who stands near a line or an edge cross it again and again. The window grows where a longer
    one does not contradict the data (after Goldenshluger & Nemirovski 1997).
    """
    rows = beat_rows(raw)
    beats, ends = take_beats(raw, rows), np.append(rows, len(raw))
    steps = np.diff(beats["time"].to_numpy(float), prepend=0.0)
    steps[first_rows(beats["visit"])] = np.inf
    np.minimum(steps, STILL, out=steps)  # from visit to visit is too far
    jitter = max(camera_error(beats).jitter, 0.02)
    time, then = raw["time"].to_numpy(float), beats["time"].to_numpy(float)
    before = [beats[name].to_numpy(float) for name in ("x", "y")]
    stands, still = np.empty(len(raw), dtype=bool), {name: np.empty(len(raw)) for name in ("x", "y")}
    for start in range(0, len(beats), _BLOCK):
        low, high = max(start - _REACH, 0), min(start + _BLOCK, len(beats))
        part, core = slice(low, high + _REACH), slice(start - low, high - low)
        held, lines = _long_lines(np.cumsum(steps[part]), [place[part] for place in before], jitter)
        here, beat = slice(ends[start], ends[high]), np.repeat(np.arange(high - start), np.diff(ends[start : high + 1]))
        stands[here] = held[core][beat]
        away = time[here] - then[start:high][beat]
        for places, (place, slope) in zip(still.values(), lines, strict=True):
            places[here] = place[core][beat] + slope[core][beat] * away
    return stands, still, jitter


def _long_lines(
    time: NDArray, places: list[NDArray], jitter: float
) -> tuple[NDArray[np.bool_], list[tuple[NDArray[np.float64], NDArray[np.float64]]]]:
    """Lines over `STILL` seconds around each beat: whether somebody stands there; place and slope for each axis."""
    low, high = _window(time, STILL / 2 + 1e-6)
    number = (high - low).astype(float)
    middle = _sums(time, low, high) / number
    spread = np.maximum(_sums(time * time, low, high) - number * middle**2, 1e-9)
    squares, speeds, lines = np.zeros(len(time)), np.zeros(len(time)), []
    for place in places:
        base = place[0]
        mean = _sums(place - base, low, high) / number
        slope = (_sums((place - base) * time, low, high) - number * mean * middle) / spread
        squares += _sums((place - base) ** 2, low, high) - number * mean**2 - slope**2 * spread
        speeds += slope**2
        lines.append((base + mean + slope * (time - middle), slope))
    return (speeds < SLOW**2) & (number >= 6) & (squares < (1.5 * jitter) ** 2 * 2 * (number - 2)), lines


def _window(time: NDArray, half: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First beat, and the one after the last, within half a window of each."""
    low, high = np.arange(len(time)), np.arange(1, len(time) + 1)
    for step in range(1, _REACH + 1):
        near = time[step:] - time[:-step] <= half
        high[:-step] += near
        low[step:] -= near
    return low, high


def _sums(values: NDArray, low: NDArray[np.intp], high: NDArray[np.intp]) -> NDArray[np.float64]:
    total = np.concatenate([[0.0], np.cumsum(values)])
    return total[high] - total[low]
