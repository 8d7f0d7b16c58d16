"""What cameras can see: shelves and other people stand between."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.simulate.camera import together
from retailkit.simulate.visits.plan import StorePlan
from retailkit.simulate.visits.routes import blocked

CHEST, HEAD, WIDTH = (
    1.2,
    1.7,
    0.25,
)  # metres: height to be seen of a person, of who stands before it, and half its width
_GRID = 0.1  # metres between the places that sight is worked out for
_FAR = 3.0  # metres: who stands before somebody hides nobody beyond, since cameras look down


def hidden(tracks: pd.DataFrame, plan: StorePlan) -> NDArray[np.bool_]:
    """Whether each row of true tracks is hidden from every camera: (rows,).

    A camera sees somebody if the straight line from it to their chest passes above every obstacle, and above or beside
    everybody else.

    Raises
    ------
    ValueError
        The plan has no camera.
    """
    if not len(plan.cameras):
        raise ValueError("the plan has no cameras, so nobody would be seen; add some, or say occlusion=False")
    place = tracks[["x", "y"]].to_numpy(dtype=float)
    sight = _past_obstacles(place, plan)
    pairs = np.concatenate([rows := np.stack(together(tracks, _FAR)), rows[::-1]], axis=1)
    unseen = np.ones(len(place), dtype=bool)
    for camera, (x, y, z) in enumerate(plan.cameras[["x", "y", "z"]].to_numpy(dtype=float)):
        pairs = pairs[:, unseen[pairs[0]]]  # whom a camera before has seen is not hidden
        one, other = pairs[:, sight[pairs[0], camera]]
        sight[one[_stands_before(place[one], place[other], np.array([x, y]), z)], camera] = False
        unseen &= ~sight[:, camera]
    return unseen


def _past_obstacles(place: NDArray[np.float64], plan: StorePlan) -> NDArray[np.bool_]:
    """Whether each camera sees each place past the obstacles, from the middle of its square: (places, cameras)."""
    size = np.ceil(np.array(plan.outline) / _GRID).astype(int)
    middle = (np.indices(tuple(size)).reshape(2, -1).T + 0.5) * _GRID
    heights = plan.obstacles["height"].to_numpy(dtype=float)
    free = np.ones((len(middle), len(plan.cameras)), dtype=bool)
    for camera, (x, y, z) in enumerate(plan.cameras[["x", "y", "z"]].to_numpy(dtype=float)):
        eye = np.broadcast_to([x, y], middle.shape)
        for wall, height in zip(plan.walls, heights, strict=True):
            first, last = blocked(middle, eye, wall)
            lowest = CHEST + np.where(z > CHEST, first, last) * (z - CHEST)
            free[:, camera] &= ~(lowest < height)
    square = np.clip((place / _GRID).astype(int), 0, size - 1)
    return free[square[:, 0] * size[1] + square[:, 1]]


def _stands_before(
    seen: NDArray[np.float64], other: NDArray[np.float64], eye: NDArray[np.float64], height: float
) -> NDArray[np.bool_]:
    """Whether another stands between a camera and each person: (rows,)."""
    way = eye - seen
    length = np.maximum((way**2).sum(axis=1), 1e-9)
    share = ((other - seen) * way).sum(axis=1) / length
    beside = np.hypot(*(other - seen - share[:, None] * way).T)
    return (share > 0) & (share < 1) & (beside < WIDTH) & (CHEST + share * (height - CHEST) < HEAD)
