"""Beats: what a fast camera sees within 0.4 s, as one row with the mean place.

Who was taken for whom, who walks together and who stands are questions of seconds. A camera with ten pictures a second
knows no more of them than one with two and a half, whatever it jitters: the mean of four pictures has half the jitter
of one, and costs a quarter of the time. At 0.4 s between rows, as in the recordings that all this was tuned on, beats
are the rows themselves.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.store.visits.tracks import COLUMNS, first_rows

BEAT = 0.4  # seconds
_BLOCK = 16384  # rows at once: what they need stays in the processor's cache


def beat_of(time: NDArray[np.float64]) -> NDArray[np.float64]:
    """Number of the beat of each moment, from 0 at 0 s."""
    return np.floor(time / BEAT + 1e-6)


def beat_rows(tracks: pd.DataFrame) -> NDArray[np.intp]:
    """The first row of each visit in each beat, of tracks by visit and time."""
    time, new = tracks["time"].to_numpy(float), np.zeros(len(tracks), dtype=bool)
    new[first_rows(tracks["visit"])] = True
    for start in range(0, len(time), _BLOCK):
        beat = beat_of(time[max(start - 1, 0) : start + _BLOCK])
        new[max(start, 1) : start + _BLOCK] |= beat[1:] != beat[:-1]
    return np.flatnonzero(new)


def take_beats(tracks: pd.DataFrame, rows: NDArray[np.intp] | None = None) -> pd.DataFrame:
    """Make one row of all that a visit has in a beat: their mean time and place, which belong together.

    >>> way = pd.DataFrame({"visit": 1, "time": [0.0, 0.1, 0.2, 0.3, 0.4], "x": [0.0, 0.1, 0.2, 0.3, 0.4], "y": 1.0})
    >>> take_beats(way).round(2).to_dict("list")
    {'visit': [1, 1], 'time': [0.15, 0.4], 'x': [0.15, 0.4], 'y': [1.0, 1.0]}

    Parameters
    ----------
    tracks : DataFrame with visit, time (seconds), x, y (metres)
        By visit and time; of further columns the first value is kept.
    rows : array (beats,), optional
        What `beat_rows` gives, where it is known.

    Returns
    -------
    DataFrame
        By visit and time; the index counts from 0.
    """
    rows = beat_rows(tracks) if rows is None else rows
    if len(rows) == len(tracks):
        return tracks.reset_index(drop=True)
    number = np.diff(rows, append=len(tracks))
    means = {name: np.add.reduceat(tracks[name].to_numpy(float), rows) / number for name in COLUMNS[1:]}
    return tracks.iloc[rows].assign(**means).reset_index(drop=True)
