"""Photographs of a simulated store's customers, with the exact box of what can be seen of each.

    photo = draw_photo(np.random.default_rng(0))             # photo.image, photo.boxes
    make_photos("my_customers", photos=200, seed=0)          # images/, labels/, data.yaml

`aisles` hangs the camera and furnishes the floor, `figures` draws the persons, `photograph` adds lens, light and
sensor. What the truth says: the box around the pixels that show a person, as people draw it: what a shelf, another
person or the edge of the photograph hides is not in it. A person of whom less than 15 % is seen, or who is lower than
3 % of the photograph's longer side, has no box. Some photographs show nobody, so that false alarms can be counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from retailkit.datasets.photos import label_text
from retailkit.simulate import aisles, figures, photograph
from retailkit.simulate.aisles import Block, Camera
from retailkit.simulate.figures import Look, Pose

COLUMNS = ["person", "x1", "y1", "x2", "y2", "visible"]
SMALLEST = 0.03  # share of the photo's longer side: lower persons have no box
VISIBLE = 0.15  # share of a person's pixels that must be seen
SHAPES = ((4, 3), (4, 3), (16, 9), (1, 1), (3, 4))


@dataclass(frozen=True)
class Person:
    """Somebody on the floor: x, y in metres, facing in degrees of the camera's view, look and pose."""

    x: float
    y: float
    facing: float = 0.0
    look: Look = field(default_factory=Look)
    pose: Pose = field(default_factory=Pose)


@dataclass(frozen=True)
class Photo:
    """A photograph and its truth: `image` (rows, columns, 3) uint8 RGB; `boxes`: person, x1, y1, x2, y2, visible."""

    image: np.ndarray
    boxes: pd.DataFrame


def draw_photo(rng: np.random.Generator, size: int = 320, persons: float = 3.5, empty: float = 0.2) -> Photo:
    """Draw one photograph of a store with its customers.

    >>> photo = draw_photo(np.random.default_rng(1))
    >>> photo.image.shape, len(photo.boxes)
    ((180, 320, 3), 5)

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of every choice.
    size : int
        Longer side of the photograph in pixels, at least 64.
    persons : float
        Mean number of persons who are there, where anybody is; some are hidden or out of view.
    empty : float
        Share of the photographs that show nobody.

    Returns
    -------
    Photo
        The picture and the boxes of what is seen, in pixels.
    """
    if size < 64 or not persons >= 1 or not 0 <= empty <= 1:
        raise ValueError(f"size={size}, persons={persons}, empty={empty}: 64 or more, 1 or more, and 0 to 1 are needed")
    across, down = SHAPES[int(rng.integers(len(SHAPES)))]
    width, height = (round(size * side / max(across, down)) for side in (across, down))
    camera = aisles.hang_camera(rng, width, height)
    blocks = aisles.furnish(rng, camera)
    canvas = aisles.paint_room(rng, camera, blocks)
    number = 0 if rng.random() < empty else 1 + int(rng.poisson(persons - 1))
    boxes = paint_people(canvas, camera, blocks, _crowd(rng, camera, blocks, number), float(rng.uniform(0.6, 1.0)))
    return Photo(photograph.develop(rng, canvas), boxes)


def paint_people(
    canvas: np.ndarray, camera: Camera, blocks: Sequence[Block], people: Sequence[Person], light: float = 1.0
) -> pd.DataFrame:
    """Paint persons into a room, behind whatever stands before them, and say what can be seen of each.

    Parameters
    ----------
    canvas : array (height, width, 3) uint8
        The room as `aisles.paint_room` gives it; painted on in place.
    camera, blocks
        From `aisles.hang_camera` and `aisles.furnish`.
    people : sequence of Person
    light : float

    Returns
    -------
    DataFrame
        person (position in `people`), x1, y1, x2, y2 (pixels), visible (share of the person's pixels), for those seen
        well enough to be boxed.
    """
    owner = np.full(canvas.shape[:2], -1, np.int32)
    pixels: dict[int, int] = {}
    for number in sorted(range(len(people)), key=lambda number: -np.hypot(people[number].x, people[number].y)):
        before, owned = canvas.copy(), owner.copy()
        pixels[number] = _paint_person(canvas, camera, people[number], light, owner, number)
        behind = aisles.hidden(camera, list(blocks), people[number].x, people[number].y)
        canvas[behind], owner[behind] = before[behind], owned[behind]
    rows = [_seen(owner, number, pixels[number]) for number in sorted(pixels)]
    return pd.DataFrame([row for row in rows if row], columns=COLUMNS)


def make_photos(
    folder: str | Path,
    photos: int = 200,
    seed: int = 0,
    size: int = 320,
    persons: float = 3.5,
    empty: float = 0.2,
    progress: bool = True,
) -> None:
    """Fill a folder with photographs and YOLO labels: `images/`, `labels/`, `data.yaml`.

    Photo i depends on (seed, i) alone: asking for more photos keeps those there were.

    Parameters
    ----------
    folder : path
        Made when missing.
    photos, seed, size : int
        How many, which, and their longer side in pixels.
    persons, empty : float
        See `draw_photo`.
    progress : bool
        Show a bar when it takes longer than two seconds.
    """
    folder = Path(folder)
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for index in tqdm(range(1, photos + 1), "drawing customers", delay=2, disable=not progress, unit="photo"):
        rng = np.random.default_rng((seed, index))
        photo = draw_photo(rng, size, persons, empty)
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(45, 96))]
        cv2.imwrite(str(folder / f"images/customers_{index:05d}.jpg"), photo.image[..., ::-1], quality)
        height, width = photo.image.shape[:2]
        text = label_text(photo.boxes.assign(class_id=0), width, height)
        (folder / f"labels/customers_{index:05d}.txt").write_text(text)
    (folder / "data.yaml").write_text("path: .\ntrain: images\nval: images\nnames:\n  0: person\n")


def _crowd(rng: np.random.Generator, camera: Camera, blocks: Sequence[Block], number: int) -> list[Person]:
    """Put persons on free floor in view, a third of them beside somebody who is there."""
    people: list[Person] = []
    for _ in range(40 * number):
        if len(people) == number:
            break
        away = float(np.exp(rng.uniform(np.log(1.6), np.log(12))))
        x, y = rng.uniform(-0.65, 0.65) * away * camera.width / camera.focal, away
        if people and rng.random() < 0.35:
            x, y = people[-1].x + rng.normal(0, 0.6), people[-1].y + rng.normal(0, 0.5)
        waist = camera.at(np.array([[x, y, 1.0]]))[0] if y > 0.8 else np.array([-1.0, -1.0])
        inside = bool((waist > 0).all() and (waist < [camera.width, camera.height]).all())
        free = inside and not any(block.holds(x, y, 0.25) for block in blocks)
        if free and all(np.hypot(x - one.x, y - one.y) > 0.35 for one in people):
            look, pose = figures.make_look(rng), figures.any_pose(rng)
            people.append(Person(float(x), float(y), float(rng.uniform(0, 360)), look, pose))
    return people


def _paint_person(
    canvas: np.ndarray, camera: Camera, person: Person, light: float, owner: np.ndarray, number: int
) -> int:
    """Paint a person and the shadow below; return how many pixels the whole figure has."""
    spots = np.array([[person.x, person.y, 0.0], [person.x, person.y, person.look.height]])
    elevation = min(camera.elevation(person.x, person.y), 80.0)
    (foot, head), depth = camera.at(spots), float(camera.view(spots)[:, 2].min())
    if depth < aisles.NEAREST:
        return 0
    height = float(np.linalg.norm(foot - head) / np.cos(np.radians(elevation)))
    _shade(canvas, foot, 0.28 * camera.focal / depth, np.sin(np.radians(elevation)))
    pose = (person.look, person.pose, person.facing, elevation, light)
    return figures.draw_figure(canvas, (foot[0], foot[1]), max(height, 3.0), *pose, owner, number).pixels


def _shade(canvas: np.ndarray, foot: np.ndarray, radius: float, flat: float) -> None:
    """Darken the floor below somebody."""
    centre, axes = np.rint(foot).astype(int), (max(1, round(radius)), max(1, round(radius * flat)))
    low = np.maximum(centre - axes, 0)
    high = np.minimum(centre + axes + 1, canvas.shape[1::-1])
    if (high <= low).any():
        return
    patch = canvas[low[1] : high[1], low[0] : high[0]]
    shadow = np.zeros(patch.shape[:2], np.uint8)
    cv2.ellipse(shadow, (centre - low).tolist(), axes, 0, 0, 360, 1, -1)
    patch[shadow > 0] = patch[shadow > 0] * 0.72


def _seen(owner: np.ndarray, number: int, pixels: int) -> tuple[float, ...] | None:
    """A row of the truth, or None for somebody who cannot be seen well enough."""
    box, seen = figures.visible_box(owner, number)
    if box is None or seen < VISIBLE * pixels or box[3] - box[1] < SMALLEST * max(owner.shape):
        return None
    return (number, *box, seen / pixels)
