"""Boxes of people whom several cameras see at once, with truth: the WILDTRACK set's pictures.

boxes = read_cameras("tracks_wildtrack")               # camera, frame, time, visit, x1, y1, x2, y2
[square] = read_recordings("tracks_wildtrack")         # who is where on the floor at the same times
"""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from retailkit.datasets import places
from retailkit.datasets.catalogue import DataError

STEP = 0.5  # seconds between two annotated moments: 2 a second (Chavdarova et al. 2018)
EDGES = ("xmin", "ymin", "xmax", "ymax")


def read_cameras(name: str | Path) -> pd.DataFrame:
    """Read who is in which picture and where, from one JSON file for each moment.

    Parameters
    ----------
    name : str or Path
        A set below ``RETAILKIT_DATA``, or a folder of one's own.

    Returns
    -------
    DataFrame
        camera (from 0), frame (moments, from 0), time (seconds), visit, x1, y1, x2, y2 (pixels; may reach over the
        picture's edge), by camera, frame and visit.

    Raises
    ------
    DataError
        No such folder, no files, or one that is not what it should be; the message names it.

    Notes
    -----
    Those who annotated moved a standing cylinder on the floor until it fitted in all pictures, so boxes agree with
    places on the floor by construction, and everybody is of one height (Chavdarova et al. 2018).
    """
    home = places.place(name, places.card_of(name))
    files = sorted(home.glob("*.json"))
    if not files:
        raise DataError(f"{home} holds no *.json")
    rows: list[tuple[float, ...]] = []
    for moment, path in enumerate(files):
        try:
            for person in json.loads(path.read_text(encoding="utf-8")):
                seen = [view for view in person["views"] if view["xmax"] > view["xmin"]]
                visit = int(person["personID"])
                rows += [(int(view["viewNum"]), moment, visit, *(float(view[one]) for one in EDGES)) for view in seen]
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{path}: {type(error).__name__} {error}; a list of persons with views is needed"
            ) from error
    boxes = pd.DataFrame(rows, columns=["camera", "frame", "visit", "x1", "y1", "x2", "y2"])
    boxes.insert(2, "time", boxes["frame"] * STEP)
    return boxes.sort_values(["camera", "frame", "visit"]).reset_index(drop=True)
