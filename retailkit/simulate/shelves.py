"""Photographs of simulated shelves, with the exact box of every gap and every disorder.

    shelf = draw_shelf(np.random.default_rng(0))      # shelf.image, shelf.boxes
    make_photos("my_shelves", photos=200, seed=0)     # images/, labels/, data.yaml

Four steps, each a module: `shelving` builds bays, boards and goods, then takes some away (`products` draws the
goods); `painting` paints them as a camera sees them that looks straight at the shelf; `photograph` turns the
camera, which is one homography, and adds light, lens and sensor. The truth goes through the same homography.

What the truth says: `empty` is a stretch without goods, as wide and as high as the goods that belong there;
`disorganized` is a stretch whose goods are pushed back, askew, toppled, mixed up or too low a pile.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from retailkit.simulate import painting, photograph, shelving
from retailkit.simulate.shelving import Cell, Scene

CLASSES = ["empty", "disorganized"]
COLUMNS = ["class_name", "x1", "y1", "x2", "y2"]
SMALLEST = 0.022  # share of the photo: what is narrower or lower is too small to be boxed
VISIBLE = 0.5  # share of a stretch that must lie inside the photo


@dataclass(frozen=True)
class Shelf:
    """A photograph and its truth: `image` (size, size, 3) uint8 RGB; `boxes` frame class_name, x1, y1, x2, y2."""

    image: np.ndarray
    boxes: pd.DataFrame


def draw_shelf(rng: np.random.Generator, size: int = 320, gaps: float = 5.0, disorder: float = 4.5) -> Shelf:
    """Draw one photograph of a shelf with its truth.

    >>> shelf = draw_shelf(np.random.default_rng(0))
    >>> shelf.image.shape
    (320, 320, 3)

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of every choice.
    size : int
        Side of the square photograph in pixels, at least 64.
    gaps, disorder : float
        Mean number of empty and of disorganized stretches; the photo may cut or hide a few.

    Returns
    -------
    Shelf
        The picture and its boxes in pixels, clipped to the photograph.
    """
    if size < 64 or gaps < 0 or disorder < 0:
        raise ValueError(f"size={size}, gaps={gaps}, disorder={disorder}: size must be 64 or more, rates 0 or more")
    scene = shelving.set_scene(rng, size)
    cells = shelving.build(rng, scene)
    shelving.disturb(rng, cells, ["empty"], gaps)
    shelving.disturb(rng, cells, shelving.DISORDERS, disorder)
    room = photograph.surroundings(rng, scene.height, scene.width)
    canvas = painting.paint(rng, scene, cells, room.copy())
    image = photograph.develop(rng, photograph.expose(canvas, room, scene.view, size))
    return Shelf(image, _truth(scene, cells, size))


def make_photos(
    folder: str | Path,
    photos: int = 200,
    seed: int = 0,
    size: int = 320,
    gaps: float = 5.0,
    disorder: float = 4.5,
    progress: bool = True,
) -> None:
    """Fill a folder with photographs and YOLO labels: `images/`, `labels/`, `data.yaml`.

    Photo i depends on (seed, i) alone: asking for more photos keeps those there were.

    Parameters
    ----------
    folder : path
        Made when missing.
    photos, seed, size : int
        How many, which, and their side in pixels.
    gaps, disorder : float
        See `draw_shelf`.
    progress : bool
        Show a bar when it takes longer than two seconds.
    """
    folder = Path(folder)
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for index in tqdm(range(1, photos + 1), "drawing shelves", delay=2, disable=not progress, unit="photo"):
        rng = np.random.default_rng((seed, index))
        shelf = draw_shelf(rng, size, gaps, disorder)
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(45, 96))]
        cv2.imwrite(str(folder / f"images/shelf_{index:05d}.jpg"), shelf.image[..., ::-1], quality)
        (folder / f"labels/shelf_{index:05d}.txt").write_text(yolo_lines(shelf.boxes, size))
    names = "".join(f"  {number}: {name}\n" for number, name in enumerate(CLASSES))
    (folder / "data.yaml").write_text(f"path: .\ntrain: images\nval: images\nnames:\n{names}")


def yolo_lines(boxes: pd.DataFrame, size: int) -> str:
    """Write boxes as YOLO text: class, centre x, centre y, width, height, as shares of the photo."""
    rows = []
    for name, x1, y1, x2, y2 in boxes.itertuples(index=False):
        shares = ((x1 + x2) / 2 / size, (y1 + y2) / 2 / size, (x2 - x1) / size, (y2 - y1) / size)
        rows.append(f"{CLASSES.index(name)} " + " ".join(f"{share:.6f}" for share in shares) + "\n")
    return "".join(rows)


def _truth(scene: Scene, cells: list[Cell], size: int) -> pd.DataFrame:
    """Boxes of all stretches as the photo shows them: hull of the turned rectangle, clipped to the photo."""
    rows = []
    for cell in cells:
        for name, stretch in _stretches(cell):
            hull = photograph.hull(scene.view, stretch)
            x1, y1, x2, y2 = np.clip(hull, 0, size)
            whole = (hull[2] - hull[0]) * (hull[3] - hull[1])
            seen = (x2 - x1) * (y2 - y1)
            if min(x2 - x1, y2 - y1) >= SMALLEST * size and seen >= VISIBLE * whole:
                rows.append((name, x1, y1, x2, y2))
    corners = np.array([row[1:] for row in rows], float).reshape(-1, 4)
    return pd.DataFrame({"class_name": [row[0] for row in rows], **dict(zip(COLUMNS[1:], corners.T, strict=True))})


def _stretches(cell: Cell) -> list[tuple[str, tuple[float, float, float, float]]]:
    """Join neighbouring facings of one state into stretches on the front plane: name, (left, top, right, bottom)."""
    slots, found = cell.slots, []
    start = 0
    for end in range(1, len(slots) + 1):
        if end == len(slots) or slots[end].state != slots[start].state:
            run, state = slots[start:end], slots[start].state
            if state != "full":
                tall = max(slot.product.height * slot.pile for slot in run)
                name = "empty" if state == "empty" else "disorganized"
                found.append((name, (run[0].left, cell.floor - tall, run[-1].right, cell.floor)))
            start = end
    return found
