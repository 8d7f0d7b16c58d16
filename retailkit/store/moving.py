"""The baseline that needs no training: what moves is a person.

A camera that stands still sees the same shelves in most frames, so the middle value of each pixel over the film is the
store without people, and what differs from it is somebody. It boxes two who overlap as one, shadows as people, and
takes whoever stands still for most of the film for a shelf. A trained detector has to beat it.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.store.counted import PERSON
from retailkit.store.video import Film, read_frames

LOOKS = 25  # frames from which the empty store is made
_SURE = 4.0  # times the picture's own noise: less is not seen as a difference
_LEAST = 14.0  # of 255: less is never seen as a difference


def find_moving(film: Film, smallest: float = 0.004, progress: bool = True) -> pd.DataFrame:
    """Box whatever differs from the empty store.

    Parameters
    ----------
    film : Film
        Of a camera that stands still.
    smallest : float
        Share of the picture that a box's pixels must cover.
    progress : bool
        Show a bar where this takes over two seconds.

    Returns
    -------
    DataFrame
        As `retailkit.store.video.detect_video` gives it: frame, time (seconds), class_name, x1, y1, x2, y2 (pixels),
        confidence: the share of the box that differs.
    """
    from tqdm import tqdm

    chosen = np.unique(np.linspace(0, len(film.times) - 1, LOOKS).round().astype(int))
    sample = np.stack(list(read_frames(film, chosen.tolist())))
    empty = np.median(sample, axis=0).astype(np.float32)
    noise = float(np.median(np.abs(sample - empty))) * 1.4826  # a normal spread's, from the median (Hampel 1974)
    limit = max(_LEAST, _SURE * noise)
    frames = read_frames(film)
    shown = tqdm(frames, "watching", len(film.times), unit="frame", delay=2, leave=False, disable=not progress)
    rows = [
        (number, film.times[number], PERSON, *box)
        for number, picture in enumerate(shown)
        for box in _blobs(picture, empty, limit, smallest * film.width * film.height)
    ]
    return pd.DataFrame(rows, columns=["frame", "time", "class_name", "x1", "y1", "x2", "y2", "confidence"])


def _blobs(
    picture: NDArray[np.uint8], empty: NDArray[np.float32], limit: float, smallest: float
) -> list[tuple[float, float, float, float, float]]:
    """Boxes around what differs, with the share of each that does."""
    import cv2

    differs = np.abs(cv2.GaussianBlur(picture.astype(np.float32) - empty, (5, 5), 0)).max(axis=2) > limit
    across = max(3, picture.shape[1] // 60)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (across, 2 * across))  # a belt does not cut a person in two
    mask = cv2.morphologyEx(differs.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    number, _, facts, _ = cv2.connectedComponentsWithStats(mask)
    boxes = []
    for left, top, wide, tall, area in facts[1:number].astype(float):
        if area >= smallest:
            boxes.append((left, top, left + wide, top + tall, area / (wide * tall)))
    return boxes
