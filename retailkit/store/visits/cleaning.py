"""From a tracker's tracks to people's ways: broken ones joined, exchanged ones put right, jitter taken out."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.store.visits.beats import beat_rows, take_beats
from retailkit.store.visits.stitching import stitch_tracks
from retailkit.store.visits.tracks import first_rows, smooth_tracks, spread
from retailkit.store.visits.untangling import camera_error, untangle_tracks

STILL = 6.0  # seconds over which somebody who stands is averaged
SLOW = 0.35  # metres per second: below it, somebody stands or shuffles


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
    return _steady(whole, smooth_tracks(whole))


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


def _steady(raw: pd.DataFrame, smooth: pd.DataFrame) -> pd.DataFrame:
    """Give those who stand the longer mean: a line over `STILL` seconds, where it fits them as well as jitter allows.

    Jitter makes somebody who stands near a line or an edge cross it again and again. The window grows where a longer
    one does not contradict the data (after Goldenshluger & Nemirovski 1997).
    """
    rows = beat_rows(raw)
    beats = take_beats(raw, rows)
    stands, places, slopes = _long_lines(beats)
    number = np.diff(rows, append=len(raw))[stands]
    here = spread(rows[stands], number)
    away = raw["time"].to_numpy(float)[here] - np.repeat(beats["time"].to_numpy(float)[stands], number)
    steady = {}
    for name, place, slope in zip(("x", "y"), places, slopes, strict=True):
        steady[name] = smooth[name].to_numpy(float, copy=True)
        steady[name][here] = np.repeat(place[stands], number) + np.repeat(slope[stands], number) * away
    return smooth.assign(**steady)


def _long_lines(beats: pd.DataFrame) -> tuple[NDArray[np.bool_], list[NDArray], list[NDArray]]:
    """Lines over `STILL` seconds around each beat: whether they hold there; x and y on them; their slopes."""
    time, first = beats["time"].to_numpy(float), first_rows(beats["visit"])
    visit = np.repeat(np.arange(len(first)), np.diff(first, append=len(time)))
    low, high = _window(time, visit, STILL / 2)
    number = (high - low).astype(float)
    seconds = time - time[first][visit]
    middle = _sums(seconds, low, high) / number
    spreads = np.maximum(_sums(seconds * seconds, low, high) - number * middle**2, 1e-9)
    squares, speeds, places, slopes = np.zeros(len(time)), np.zeros(len(time)), [], []
    for name in ("x", "y"):
        place = beats[name].to_numpy(float)
        base = place[first][visit]
        place = place - base
        mean = _sums(place, low, high) / number
        slope = (_sums(place * seconds, low, high) - number * mean * middle) / spreads
        squares += _sums(place * place, low, high) - number * mean**2 - slope**2 * spreads
        speeds += slope**2
        places.append(base + mean + slope * (seconds - middle))
        slopes.append(slope)
    jitter = max(camera_error(beats).jitter, 0.02)
    stands = (speeds < SLOW**2) & (number >= 6) & (squares < (1.5 * jitter) ** 2 * 2 * (number - 2))
    return stands, places, slopes


def _window(time: NDArray, visit: NDArray, half: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First row, and the one after the last, within half a window of each row and of its visit."""
    if not len(time):
        return np.empty(0, np.intp), np.empty(0, np.intp)
    key = time - time.min() + visit * (np.ptp(time) + 2 * half + 1)
    return np.searchsorted(key, key - half - 1e-6), np.searchsorted(key, key + half + 1e-6, side="right")


def _sums(values: NDArray, low: NDArray[np.intp], high: NDArray[np.intp]) -> NDArray[np.float64]:
    total = np.concatenate([[0.0], np.cumsum(values)])
    return total[high] - total[low]
