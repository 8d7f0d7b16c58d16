"""A shop window and those who pass it: who looks, how surely that is known, and whether body motion would tell.

    study = study_windows("tracks_ucy")
    study.shares          # looked towards the window, looked away from the way, by scene
    study.details         # the same share for other ideas of a look, and how much the marks merely repeat the way
    study.motion          # what a body's way tells of a look

Without a name all tables are empty, and the picture says how to name one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from retailkit.datasets import DataError
from retailkit.datasets.recordings import Recording, read_recordings
from retailkit.lab.clustered import clustered_share
from retailkit.lab.intervals import Estimate
from retailkit.lab.panels import said
from retailkit.lab.style import Chart
from retailkit.store.visits.gaze import find_gaze, find_looks, find_marks, median_deviation, share
from retailkit.store.visits.motion import describe_motion, score_motion
from retailkit.store.visits.windows import draw_window, find_window, read_windows

NOTHING = "No recording with marked heads was named: -p gaze tracks_ucy shows its shop window."
TOLERANCES = (5.0, 10.0, 15.0, 20.0)  # degrees
_ENDS = ["value", "low", "high"]
_DRAWN = 250  # marks in a picture
_REPETITIONS = 300  # of the bootstrap of an area under a curve, which takes seconds


@dataclass(frozen=True, eq=False)
class WindowStudy:
    """What the heads of those who pass shop windows say; each table has a row for each scene and figure.

    Attributes
    ----------
    pictures : tuple of Chart
        Each scene with its window and some of the marks; one that says why there is none, where there is none.
    shares : DataFrame
        scene, figure, value, low, high, visits: Wilson's interval, over visits.
    details : DataFrame
        scene, figure, value, low, high, visits: who looked towards the window for other ideas of how far beside it a
        head may point; the middle angle between head and way (degrees); and the share of marks that are the direction
        to the person's next mark.
    motion : DataFrame
        scene, target, predictor, value, low, high, positives: areas under curves.
    """

    pictures: tuple[Chart, ...]
    shares: pd.DataFrame
    details: pd.DataFrame
    motion: pd.DataFrame


def study_windows(name: str = "", scenes: Sequence[str] | None = None, *, motion: bool = True) -> WindowStudy:
    """Measure who looks at the shop windows that people have drawn (`datasets/shop_windows.csv`).

    Parameters
    ----------
    name : str
        A set of recordings with marked heads; nothing for none.
    scenes : list of str, optional
        By default all for which a window is drawn.
    motion : bool
        Whether to ask what body motion tells as well, which takes seconds for each scene.

    Raises
    ------
    DataError
        No such set or scene, or one without marked heads or a drawn window.
    """
    found = read_recordings(name, scenes) if name else []
    if name and scenes is None:
        drawn = set(read_windows()["scene"])
        known, found = ", ".join(one.name for one in found), [one for one in found if one.name in drawn]
        if not found:
            raise DataError(
                f"no window is drawn for the scenes of {name} ({known}); there are some for {sorted(drawn)}"
            )
    parts = [_study(one, motion) for one in found]
    frames = {key: pd.concat([part[key] for part in parts] or [_EMPTY[key]], ignore_index=True) for key in _EMPTY}
    pictures = tuple(_picture(one) for one in found) or (said(NOTHING),)
    return WindowStudy(pictures, **frames)


_EMPTY = {
    "shares": pd.DataFrame(columns=["scene", "figure", *_ENDS, "visits"]),
    "details": pd.DataFrame(columns=["scene", "figure", *_ENDS, "visits"]),
    "motion": pd.DataFrame(columns=["scene", "target", "predictor", *_ENDS, "positives"]),
}


def _study(scene: Recording, motion: bool) -> dict[str, pd.DataFrame]:
    window, gaze, marks = find_window(scene), find_gaze(scene), find_marks(scene)
    looks = find_looks(gaze, window)
    shares = {
        "looked towards the window, of those who came near": share(looks, "looked"),
        "looked away from their way, of all": share(looks, "looked_away", ""),
    }
    details = {
        f"looked, where {degrees:.0f} degrees beside the window count": share(
            find_looks(gaze, window, tolerance=degrees)
        )
        for degrees in TOLERANCES
    } | {
        "middle angle between head and way (degrees)": median_deviation(gaze),
        "marks that repeat the way (share)": clustered_share(marks["repeats"], marks["visit"], unit_name="visits"),
    }
    tables = {
        "shares": _table(shares),
        "details": _table(details),
        "motion": _motion(scene, window, looks) if motion else _EMPTY["motion"].drop(columns="scene"),
    }
    return {key: table.assign(scene=scene.name)[_EMPTY[key].columns] for key, table in tables.items()}


def _table(estimates: Mapping[str, Estimate]) -> pd.DataFrame:
    rows = [(name, one.value, one.low, one.high, one.units) for name, one in estimates.items()]
    return pd.DataFrame(rows, columns=["figure", *_ENDS, "visits"])


def _motion(scene: Recording, window: tuple, looks: pd.DataFrame) -> pd.DataFrame:
    """What body motion tells of looks; of those away from the way too, where there is more than one."""
    targets = {"looked": "looked towards the window", "looked_aside": "the same, but away from the way"}
    known = describe_motion(scene.tracks, window)
    tables = [
        score_motion(known, looks, scene.groups, column=column, repetitions=_REPETITIONS).assign(target=told)
        for column, told in targets.items()
        if 1 < looks.loc[looks["near"], column].sum() < looks["near"].sum()
    ]
    return pd.concat(tables, ignore_index=True) if tables else _EMPTY["motion"].drop(columns="scene")


def _picture(scene: Recording) -> Chart:
    return draw_window(scene, scene.gaze.sample(min(_DRAWN, len(scene.gaze)), random_state=1))
