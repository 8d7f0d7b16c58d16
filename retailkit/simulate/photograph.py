"""The camera of the simulated shelf: where it turns, what it sees around, what its lens, sensor and file do."""

from __future__ import annotations

import cv2
import numpy as np


def turn(
    rng: np.random.Generator, width: int, height: int, foot: tuple[float, float], distance: float, size: int
) -> np.ndarray:
    """Turn the camera and frame the photo: the homography (3, 3) from the front plane's pixels to the photo's.

    A camera at `foot`, `distance` before the plane, that turns by a rotation R sees K R K⁻¹ of what it saw
    (Hartley & Zisserman 2004, section 8.4).
    """
    target = (width * rng.uniform(0.42, 0.58), height * rng.uniform(0.42, 0.58))
    yaw = np.arctan2(target[0] - foot[0], distance) * rng.uniform(0.3, 1.0)
    pitch = np.arctan2(target[1] - foot[1], distance) * rng.uniform(0.0, 1.0)
    rotation = cv2.Rodrigues(np.array([pitch, -yaw, 0.0]))[0] @ cv2.Rodrigues(np.array([0, 0, rng.normal(0, 0.025)]))[0]
    lens = np.array([[distance, 0, foot[0]], [0, distance, foot[1]], [0, 0, 1.0]])
    turned = lens @ rotation @ np.linalg.inv(lens)
    x1, y1, x2, y2 = hull(turned, (target[0] - height * 0.4, height * 0.05, target[0] + height * 0.4, height * 0.95))
    tall = (y2 - y1) * rng.uniform(0.6, 1.05)
    wide = tall * rng.uniform(0.8, 1.35)
    middle = np.array([(x1 + x2) / 2, (y1 + y2) / 2])
    frame = np.array([[size / wide, 0, size / 2], [0, size / tall, size / 2], [0, 0, 1.0]])
    frame[:2, 2] -= middle * [size / wide, size / tall]
    return frame @ turned


def hull(view: np.ndarray, rectangle: tuple[float, float, float, float]) -> np.ndarray:
    """Upright box (x1, y1, x2, y2) around a rectangle after a homography."""
    x1, y1, x2, y2 = rectangle
    corners = np.array([[x1, y1, 1], [x2, y1, 1], [x2, y2, 1], [x1, y2, 1]]) @ view.T
    points = corners[:, :2] / corners[:, 2:]
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def surroundings(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Paint what is around the shelving: ceiling with lamps, distant goods, floor; (height, width, 3) uint8."""
    full, height, width = (width, height), height // 2, width // 2  # it is out of focus: half the pixels will do
    room = np.empty((height, width, 3), np.uint8)
    room[:] = np.clip(rng.choice([30, 90, 160, 215]) + rng.uniform(-15, 15, 3), 0, 255)
    horizon = int(height * rng.uniform(0.1, 0.3))
    far = rng.uniform(10, 245, (6, 14, 3)).astype(np.float32)
    haze = cv2.resize(far, (width, horizon), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.5:
        room[:horizon] = haze * 0.6 + 40
    for _ in range(rng.integers(0, 5)):
        left, y = int(rng.integers(-20, width)), int(rng.integers(0, horizon))
        right, slope = left + int(rng.integers(20, width)), int(rng.integers(-10, 10))
        cv2.line(room, (left, y), (right, y + slope), (255, 255, 250), 2)
    ground = room[int(height * 0.75) :]
    ground[:] = np.clip(np.array([190, 180, 165]) * rng.uniform(0.3, 1.2) + rng.uniform(-15, 15, 3), 0, 255)
    for x in range(-width, 2 * width, 30):
        cv2.line(ground, (x, len(ground)), ((x + width) // 3, 0), (ground[0, 0] * 0.85).tolist(), 1)
    return cv2.resize(room, full)


def expose(canvas: np.ndarray, room: np.ndarray, view: np.ndarray, size: int) -> np.ndarray:
    """Put the turned shelf before the room: a photo (size, size, 3) uint8."""
    photo = cv2.resize(room, (size, size))
    return cv2.warpPerspective(canvas, view, (size, size), photo, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT)


def develop(rng: np.random.Generator, photo: np.ndarray) -> np.ndarray:
    """Lens, light and sensor: blur, uneven light, colour cast, automatic exposure, noise."""
    rows, columns = photo.shape[:2]
    lamp = rng.uniform(1 - rng.uniform(0, 0.5), 1.1, (3, 3, 1)) * rng.normal(1, 0.06, 3)
    field = cv2.resize(lamp.astype(np.float32), (columns, rows), interpolation=cv2.INTER_LINEAR)
    image = _expose_itself(rng, cv2.multiply(_lens(rng, photo), field, dtype=cv2.CV_8U))
    grain = rng.standard_normal((rows, columns), np.float32) * np.float32(rng.gamma(1.2, 3.0))
    return cv2.add(image, cv2.merge([grain, grain, grain]), dtype=cv2.CV_8U)


def _expose_itself(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Stretch tones as a telephone does: near black to near white, middle tones to the middle; seldom quite right."""
    dark, middle, bright = np.quantile(image[::6, ::6], [0.03, 0.5, 0.97])
    tones = np.clip((np.arange(256) - dark) / max(bright - dark, 30.0), 0, 1.15)
    centre = np.clip((middle - dark) / max(bright - dark, 30.0), 0.1, 0.9)
    tones = tones ** np.clip(np.log(rng.normal(0.43, 0.06)) / np.log(centre), 0.6, 1.6)
    black, white = rng.uniform(0, 35), rng.uniform(185, 250)
    return cv2.LUT(image, np.clip(black + tones * (white - black), 0, 255).astype(np.uint8))


def _lens(rng: np.random.Generator, photo: np.ndarray) -> np.ndarray:
    """Blur by focus, by motion, or by few pixels; sometimes the phone's sharpening instead."""
    rows, columns = photo.shape[:2]
    choice = rng.random()
    if choice < 0.22:
        return cv2.GaussianBlur(photo, (0, 0), rng.uniform(0.4, 1.4))
    if choice < 0.3:
        kernel = np.zeros((7, 7), np.float32)
        cv2.line(kernel, tuple(rng.integers(0, 7, 2).tolist()), (3, 3), 1.0, 1)
        return cv2.filter2D(photo, -1, kernel / kernel.sum())
    if choice < 0.42:
        share = rng.uniform(0.4, 0.9)
        small = (int(columns * share), int(rows * share))
        return cv2.resize(cv2.resize(photo, small, interpolation=cv2.INTER_AREA), (columns, rows))
    if choice < 0.72:
        return cv2.addWeighted(photo, 1.7, cv2.GaussianBlur(photo, (0, 0), 1.2), -0.7, 0)
    return photo
