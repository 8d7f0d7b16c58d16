"""What the labelled boxes themselves say about how to train on them and how to look: how large, how crowded.

Both rules were found on persons and leave shelves as they were; see `retailkit.store.recipe` for what they are worth.
"""

import numpy as np
from numpy.typing import NDArray

from retailkit.datasets import ImageSet
from retailkit.store.match import CORNERS, box_iou

LARGE = 60  # pixels: a median box of this side is large enough to be found, and to be found tightly
SMALLEST_SHARE = 0.75  # of the size asked for: photographs are not shrunk further
TOUCHING, CROWDED = 0.1, 0.05  # boxes that overlap by this much touch; a set where this share does is crowded


def working_size(images: ImageSet, size: int) -> int:
    """Choose the long side at which photographs are learnt from and looked at: `size`, or less where things are large.

    Half as many pixels are twice as many photographs in the same minutes. On `persons_pennfudan` (median box 78 of
    256 pixels) 192 pixels are enough; on `shelf_gaps` (23 pixels) and `persons_coco` (26) nothing is given away.

    Parameters
    ----------
    images : ImageSet
        With at least one box.
    size : int
        The most, in pixels.

    Returns
    -------
    int
        A multiple of 32, not above `size` and not below three quarters of it, as nearly as multiples allow.
    """
    longer = images.photos.set_index("photo")[["width", "height"]].max(axis=1)
    boxes = images.boxes
    area = (boxes["x2"] - boxes["x1"]) * (boxes["y2"] - boxes["y1"])
    side = float(np.median(np.sqrt(area) / boxes["photo"].map(longer))) * size
    share = float(np.clip(LARGE / side, SMALLEST_SHARE, 1.0))
    return size if share == 1 else min(size, max(32, round(size * share / 32) * 32))


def suppression_overlap(images: ImageSet) -> float:
    """Choose from which overlap on two boxes of one class count as one: 0.6 where true boxes overlap, else 0.5.

    Persons stand before each other: of those in `persons_pennfudan` 19 % overlap another by 0.1 or more, of the
    stretches in `shelf_gaps` 0.1 %.
    """
    touching = [_touch(rows[CORNERS].to_numpy(np.float32)) for _, rows in images.boxes.groupby(["photo", "class_id"])]
    return 0.6 if np.concatenate(touching).mean() >= CROWDED else 0.5


def _touch(boxes: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which boxes overlap another."""
    overlap = box_iou(boxes, boxes)
    np.fill_diagonal(overlap, 0)
    return overlap.max(axis=1) >= TOUCHING
