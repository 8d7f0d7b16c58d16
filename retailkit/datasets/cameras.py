"""People seen by several cameras at once, with truth: the WILDTRACK set as two tidy tables.

places, boxes = read_cameras("tracks_wildtrack")
places              # visit, time (s), x, y (m): who is where on the floor
boxes               # camera, frame, visit, x1, y1, x2, y2 (pixels): and in which pictures
"""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from retailkit.datasets.catalogue import DataError
from retailkit.lab import project

STEP = 0.5  # seconds between two annotated moments: 2 a second (Chavdarova et al. 2018)
_ACROSS, _CELL = 480, 0.025  # cells in a row of the floor grid, and their side in metres
_ORIGIN = (-3.0, -9.0)  # metres: the corner of cell 0
CORNERS = {"x1": "xmin", "y1": "ymin", "x2": "xmax", "y2": "ymax"}


def read_cameras(name: str | Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read who is where and in which picture, from one JSON file for each moment.

    Parameters
    ----------
    name : str or Path
        A set below ``RETAILKIT_DATA``, or a folder of one's own.

    Returns
    -------
    places : DataFrame
        visit, time (seconds from the first moment), x, y (metres), by visit and time.
    boxes : DataFrame
        camera (from 0), frame (moments, from 0), visit, x1, y1, x2, y2 (pixels, may reach over the picture's edge).

    Raises
    ------
    DataError
        No such folder, no files, or one that is not what it should be; the message names it.

    Notes
    -----
    A person's place is a cell of a grid of 2.5 cm over 12 by 36 m. Those who annotated moved a standing cylinder on the
    floor until it fitted in all pictures, so boxes and places agree by construction (Chavdarova et al. 2018).
    """
    home = Path(name) if isinstance(name, Path) or "/" in str(name) else project.find_data(str(name))
    if home is None or not home.is_dir():
        raise DataError(f"there is no folder '{name}'; looked in RETAILKIT_DATA and {project.root() / 'datasets'}")
    files = sorted(home.glob("*.json"))
    if not files:
        raise DataError(f"{home} holds no *.json")
    where, seen = [], []
    for moment, path in enumerate(files):
        try:
            for person in json.loads(path.read_text(encoding="utf-8")):
                visit, cell = int(person["personID"]), int(person["positionID"])
                x, y = _ORIGIN[0] + _CELL * (cell % _ACROSS), _ORIGIN[1] + _CELL * (cell // _ACROSS)
                where.append((visit, moment * STEP, x, y))
                seen += [
                    (int(view["viewNum"]), moment, visit, *(float(view[CORNERS[edge]]) for edge in CORNERS))
                    for view in person["views"]
                    if view["xmax"] > view["xmin"]
                ]
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{path}: {type(error).__name__} {error}; a list of persons with views is needed"
            ) from error
    places = pd.DataFrame(where, columns=["visit", "time", "x", "y"]).sort_values(["visit", "time"])
    boxes = pd.DataFrame(seen, columns=["camera", "frame", "visit", *CORNERS])
    return places.reset_index(drop=True), boxes.sort_values(["camera", "frame", "visit"]).reset_index(drop=True)
