"""A store's shelves as weighing plates, and its cameras, in one frame of metres (AutoCheckout's ``store_meta``).

plan = read_plan(Path("autocheckout/store_meta"))
plan.plates          # gondola, shelf, plate, x, y, z, width, depth, front_x, front_y
plan.cameras         # camera, depth, x, y, z, look_x, look_y

A gondola stands in the store, a shelf hangs on its gondola, a plate lies on its shelf: each has a place and a turn in
the frame of the one before. x runs along the long wall, y towards it, z is the height above the floor.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.datasets.catalogue import DataError

INCH = 0.0254  # metres: cameras were measured in inches, shelves in metres


@dataclass(frozen=True, eq=False)
class CheckoutPlan:
    """Where plates lie and cameras hang.

    Attributes
    ----------
    plates : DataFrame
        gondola, shelf, plate (whole numbers from 1), x, y, z (the middle of its surface, metres), width (along the
        shelf), depth (metres), front_x, front_y (a step of one metre from the shelf to whoever stands before it).
    cameras : DataFrame
        camera (its number in the file), depth (whether it measures that), x, y, z, look_x, look_y (where on the floor
        it looks), metres.
    """

    plates: pd.DataFrame
    cameras: pd.DataFrame


def read_json(path: Path, key: str, kind: type = list) -> Any:
    """Read what stands under a key of a JSON file.

    Raises
    ------
    DataError
        There is no such file or key, it is no JSON, or a list (or another kind) is needed.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: no readable JSON: {error}") from error
    found = content.get(key) if isinstance(content, dict) else None
    if not isinstance(found, kind):
        raise DataError(f"{path}: '{key}' is {str(found)[:60]!r}; a {kind.__name__} is needed")
    return found


def read_plan(folder: Path) -> CheckoutPlan:
    """Read Gondolas.json, Shelves.json, Plates.json and calibration.json.

    Raises
    ------
    DataError
        A file is missing or not what it should be, a shelf hangs on no gondola, or something is tilted.
    """
    gondolas = _parts(folder / "Gondolas.json", "gondolas")
    shelves = _parts(folder / "Shelves.json", "shelves")
    rows = []
    for key, part in _parts(folder / "Plates.json", "plates").items():
        if key[:1] not in gondolas or key[:2] not in shelves:
            raise DataError(
                f"{folder / 'Plates.json'}: plate {key[-1]} lies on shelf {key[1]} of gondola {key[0]}: none"
            )
        width, depth = float(part["dim_x"]), float(part["dim_y"])
        middle, front = np.array([width / 2, depth / 2, 0.0]), np.array([0.0, -1.0, 0.0])
        for frame in (part, shelves[key[:2]], gondolas[key[:1]]):
            turn, shift = _pose(frame, f"{folder}: {key}")
            middle, front = turn @ middle + shift, turn @ front
        rows.append((*key, *middle, width, depth, *front[:2]))
    columns = ["gondola", "shelf", "plate", "x", "y", "z", "width", "depth", "front_x", "front_y"]
    plates = pd.DataFrame(rows, columns=columns).sort_values(columns[:3], ignore_index=True)
    return CheckoutPlan(plates.round(4), _cameras(folder / "calibration.json"))


def _parts(path: Path, key: str) -> dict[tuple[int, ...], dict[str, Any]]:
    """Coordinates of each part by its numbers: (gondola,), (gondola, shelf) or (gondola, shelf, plate)."""
    found = {}
    for number, one in enumerate(read_json(path, key), 1):
        try:
            found[_numbers(one["id"])] = one["coordinates"]
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path}, entry {number} of '{key}': {error!r}; id and coordinates are needed") from error
    return found


def _numbers(told: dict[str, Any]) -> tuple[int, ...]:
    if "plate_index" in told:
        return (*_numbers(told["shelf_id"]), int(told["plate_index"]))
    if "shelf_index" in told:
        return (*_numbers(told["gondola_id"]), int(told["shelf_index"]))
    return (int(told["id"]),)


def _pose(part: dict[str, Any], where: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Turn (3, 3) and shift (3,) from a part's frame to that of what it stands on; a turn is about z, in radians."""
    moved = part.get("transform", {})
    turn, shift = ([float(moved.get(what, {}).get(axis, 0)) for axis in "xyz"] for what in ("rotation", "translation"))
    if turn[0] or turn[1]:
        raise DataError(f"{where} is tilted by {turn[:2]} radians; only turns about z are read")
    cos, sin = np.cos(turn[2]), np.sin(turn[2])
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]), np.array(shift)


def _cameras(path: Path) -> pd.DataFrame:
    """Tw leads from the camera's frame to the store's: its last column is where the camera hangs."""
    rows = []
    for name, one in read_json(path, "cameras", dict).items():
        try:
            place = [INCH * float(row[3]) for row in one["Tw"][:3]]
            rows.append(
                (name.removesuffix("-depth"), "-depth" in name, *place, *(INCH * v for v in one["look_at"][:2]))
            )
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise DataError(f"{path}: camera {name}: {error!r}; Tw (4 by 4) and look_at are needed") from error
    return pd.DataFrame(rows, columns=["camera", "depth", "x", "y", "z", "look_x", "look_y"]).round(4)
