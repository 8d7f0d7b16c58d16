"""A store's floor as its camera sees it: where the camera hangs, what stands about, and what that hides.

    camera = hang_camera(rng, width=320, height=240)
    blocks = furnish(rng, camera)                       # gondolas bay by bay, stacks of cartons, pillars
    picture = paint_room(rng, camera, blocks)
    camera.at([[0.5, 4.0, 0.0]])                        # pixels of a point on the floor, metres

Coordinates are metres: x to the camera's right, y away from it along the floor, z up from the floor; the camera hangs
at (0, 0, `camera.up`). It is a pinhole that looks down by `camera.pitch` (Hartley & Zisserman 2004, section 6.1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np

NEAREST = 0.4  # metres: what is nearer to the camera is not drawn
FARTHEST = 16.0  # metres: the wall at the end of the store
FACES = ((0, 1), (1, 2), (2, 3), (3, 0))  # neighbouring corners of a block's base


@dataclass(frozen=True)
class Camera:
    """A camera: picture size and focal length in pixels, height above the floor in metres, pitch in degrees."""

    width: int = 320
    height: int = 240
    focal: float = 300.0
    up: float = 2.6
    pitch: float = 18.0

    def view(self, points: np.ndarray) -> np.ndarray:
        """Turn points (n, 3) in metres into the camera's own: right, down, away."""
        sine, cosine = math.sin(math.radians(self.pitch)), math.cos(math.radians(self.pitch))
        axes = np.array([[1.0, 0.0, 0.0], [0.0, -sine, cosine], [0.0, -cosine, -sine]])  # of x, y and z
        return (np.asarray(points, float) - [0.0, 0.0, self.up]) @ axes

    def at(self, points: np.ndarray) -> np.ndarray:
        """Pixels (n, 2) of points (n, 3) in metres; meaningless for those behind the camera."""
        seen = self.view(points)
        return self.focal * seen[:, :2] / seen[:, 2:] + [self.width / 2, self.height / 2]

    def elevation(self, x: float, y: float, z: float = 0.9) -> float:
        """How far the camera looks down on a point: degrees."""
        return float(np.degrees(np.arctan2(self.up - z, np.hypot(x, y))))


@dataclass(frozen=True, eq=False)
class Block:
    """Something box-shaped on the floor: a bay of a gondola, cartons, a pillar.

    Attributes
    ----------
    base : array (4, 2)
        Corners on the floor, metres, counter-clockwise seen from above.
    tall : float
        Metres.
    colour : array (3,)
        RGB of its sides and top.
    goods : array (rows, columns, 3) uint8, optional
        What its two long sides show.
    """

    base: np.ndarray
    tall: float
    colour: np.ndarray
    goods: np.ndarray | None = field(default=None, repr=False)

    def corners(self) -> np.ndarray:
        """Its eight corners (8, 3), the base first."""
        corners = np.zeros((8, 3))
        corners[:4, :2] = corners[4:, :2] = self.base
        corners[4:, 2] = self.tall
        return corners

    def holds(self, x: float, y: float, margin: float = 0.0) -> bool:
        """Whether a spot on the floor lies within, or nearer than `margin` metres."""
        return bool((self._outside(x, y) < margin).all())

    def can_hide(self, x: float, y: float) -> bool:
        """Whether it may stand between the camera and a spot: no side of it faces both."""
        return not ((self._outside(x, y) > 0) & (self._outside(0.0, 0.0) > 0)).any()

    def _outside(self, x: float, y: float) -> np.ndarray:
        """How far a spot lies outside of each of the four sides, metres."""
        edges = self.base[[1, 2, 3, 0]] - self.base
        normals = edges[:, ::-1] * [1, -1] / np.hypot(*edges.T)[:, None]
        return ((np.array([x, y]) - self.base) * normals).sum(axis=1)


def hang_camera(rng: np.random.Generator, width: int, height: int) -> Camera:
    """Hang a camera at the ceiling, on a shelf or at eye level, looking at the floor some metres away."""
    up = rng.uniform(1.5, 3.6)
    pitch = np.degrees(np.arctan2(up - 0.9, rng.uniform(3.0, 9.0)))
    return Camera(width, height, float(max(width, height) * rng.uniform(0.7, 1.3)), float(up), float(pitch))


def furnish(rng: np.random.Generator, camera: Camera) -> list[Block]:
    """Set up gondolas in rows, bay by bay, and some odd blocks; the farthest first."""
    yaw = np.radians(rng.choice([0.0, 90.0]) + rng.uniform(-30, 30))
    along, across = np.array([np.sin(yaw), np.cos(yaw)]), np.array([np.cos(yaw), -np.sin(yaw)])
    aisle, tall, deep = rng.uniform(2.4, 4.5), rng.uniform(1.2, 2.1), rng.uniform(0.5, 1.0)
    tint = rng.choice([60.0, 150.0, 225.0]) + rng.uniform(-15, 15, 3)
    shift, goods = rng.uniform(0.3, 0.7) * aisle, [_goods(rng, tall) for _ in range(3)]
    blocks = []
    for row in range(-4, 5):
        first, last = np.sort(rng.uniform(-12, 14, 2))
        for step in np.arange(first, last if rng.random() < 0.75 else first):
            centre = (row * aisle + shift) * across + step * along
            base = _rectangle(centre, along * 0.5, across * deep / 2)
            blocks.append(Block(base, tall, tint, goods[int(rng.integers(len(goods)))]))
    for _ in range(int(rng.integers(0, 5))):
        centre, side = np.array([rng.uniform(-4, 4), rng.uniform(2.5, 11)]), rng.uniform(0.12, 0.35)
        colour = np.array([150, 110, 70]) * rng.uniform(0.6, 1.4) if rng.random() < 0.6 else rng.uniform(30, 230, 3)
        base = _rectangle(centre, along * side, across * side * rng.uniform(0.6, 1.2))
        blocks.append(Block(base, float(rng.uniform(0.5, 2.4)), colour))
    seen = [block for block in blocks if _in_view(camera, block)]
    return sorted(seen, key=lambda block: -float(np.hypot(*block.base.mean(axis=0))))


def paint_room(rng: np.random.Generator, camera: Camera, blocks: list[Block]) -> np.ndarray:
    """Paint floor, walls, lamps and every block: an RGB picture (height, width, 3) uint8 without people."""
    canvas = np.empty((camera.height, camera.width, 3), np.uint8)
    canvas[:] = np.clip(rng.choice([120, 190, 225]) + rng.uniform(-20, 20, 3), 0, 255)
    _paint_lamps(rng, camera, canvas)
    _paint_floor(rng, camera, canvas)
    for block in blocks:
        _paint_block(camera, canvas, block)
    return canvas


def outline(camera: Camera, block: Block) -> np.ndarray:
    """Corners (n, 2) of a block as the camera sees it, whole pixels."""
    return cv2.convexHull(np.rint(camera.at(block.corners())).astype(np.int32))[:, 0]


def hidden(camera: Camera, blocks: list[Block], x: float, y: float) -> np.ndarray:
    """Where blocks hide what stands at a spot of the floor: bool (height, width)."""
    mask = np.zeros((camera.height, camera.width), np.uint8)
    for block in blocks:
        if block.can_hide(x, y):
            cv2.fillConvexPoly(mask, outline(camera, block), 1)
    return mask.astype(bool)


def _rectangle(centre: np.ndarray, along: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Corners around a centre, counter-clockwise, where `across` lies clockwise of `along`; both are half sides."""
    return centre + np.array([-along - across, across - along, along + across, along - across])


def _in_view(camera: Camera, block: Block) -> bool:
    corners = block.corners()
    if camera.view(corners)[:, 2].min() < NEAREST or block.holds(0.0, 0.0, 0.6) or block.base[:, 1].max() > FARTHEST:
        return False
    low, high = camera.at(corners).min(axis=0), camera.at(corners).max(axis=0)
    return bool((high > 0).all() and (low < [camera.width, camera.height]).all())


def _paint_floor(rng: np.random.Generator, camera: Camera, canvas: np.ndarray) -> None:
    """Fill the floor up to the far wall and rule its tiles."""
    top = int(np.clip(camera.at(np.array([[0.0, FARTHEST, 0.0]]))[0, 1], 0, camera.height))
    tint = np.array([190, 182, 170]) * rng.uniform(0.35, 1.2) + rng.uniform(-12, 12, 3)
    fall = np.linspace(0.8, 1.05, max(1, camera.height - top))[:, None, None]
    canvas[top:] = np.clip(tint * fall, 0, 255)
    line, step = np.clip(tint * rng.choice([0.8, 0.9, 1.08]), 0, 255).tolist(), rng.choice([0.4, 0.6, 1.2])
    reach, near = np.arange(-12, 12, step), max(0.8, camera.up * 0.4)
    ends = [([x, near, 0.0], [x, FARTHEST, 0.0]) for x in reach]
    ends += [([-12.0, y, 0.0], [12.0, y, 0.0]) for y in np.arange(near, FARTHEST, step)]
    for pair in np.array(ends):
        one, other = np.clip(camera.at(pair), -9999, 9999).round().astype(int)
        cv2.line(canvas, one.tolist(), other.tolist(), line, 1, cv2.LINE_AA)


def _paint_lamps(rng: np.random.Generator, camera: Camera, canvas: np.ndarray) -> None:
    """Hang rows of lamps below the ceiling."""
    ceiling = camera.up + rng.uniform(0.4, 2.5)
    for x in rng.uniform(-6, 6, rng.integers(0, 5)):
        for y in range(3, int(FARTHEST), 3):
            corners = np.array(
                [[x, y, ceiling], [x + 0.25, y, ceiling], [x + 0.25, y + 1.4, ceiling], [x, y + 1.4, ceiling]]
            )
            cv2.fillConvexPoly(canvas, np.rint(camera.at(corners)).astype(np.int32), (252, 252, 245))


def _paint_block(camera: Camera, canvas: np.ndarray, block: Block) -> None:
    """Paint the sides that face the camera, then the top if it is seen."""
    corners, facing = block.corners(), block._outside(0.0, 0.0) > 0
    for number, (left, right) in enumerate(FACES):
        if facing[number]:
            quad = camera.at(corners[[left + 4, right + 4, right, left]])
            if block.goods is not None and number % 2 == 1:
                _hang(canvas, block.goods, quad)
            else:
                cv2.fillConvexPoly(canvas, np.rint(quad).astype(np.int32), (block.colour * 0.75).clip(0, 255).tolist())
    if camera.up > block.tall:
        top = np.rint(camera.at(corners[4:])).astype(np.int32)
        cv2.fillConvexPoly(canvas, top, (block.colour * 0.95).clip(0, 255).tolist())


def _hang(canvas: np.ndarray, picture: np.ndarray, quad: np.ndarray) -> None:
    """Warp a picture onto a quadrangle (top left, top right, bottom right, bottom left)."""
    low = np.maximum(np.floor(quad.min(axis=0)), 0).astype(int)
    high = np.minimum(np.ceil(quad.max(axis=0)), canvas.shape[1::-1]).astype(int)
    if (high <= low).any():
        return
    rows, columns = picture.shape[:2]
    source = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float32)
    warp = cv2.getPerspectiveTransform(source, (quad - low).astype(np.float32))
    patch = canvas[low[1] : high[1], low[0] : high[0]]
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    patch[:] = cv2.warpPerspective(picture, warp, size, patch.copy(), cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT)


def _goods(rng: np.random.Generator, tall: float) -> np.ndarray:
    """Paint a bay's front, one metre wide: boards of goods in blocks of a colour."""
    rows, columns = int(90 * tall), 90
    front = np.full((rows, columns, 3), rng.uniform(30, 90), np.uint8)
    for floor in np.linspace(rows, 0, int(rng.integers(3, 7)), endpoint=False):
        clear, x = rows / 6 * rng.uniform(0.6, 0.95), 1
        while x < columns - 4:
            wide, tint = int(rng.integers(5, 16)), rng.uniform(20, 245, 3)
            for _ in range(int(rng.integers(1, 5))):
                _paint_article(front, x, floor - 4, wide, clear, tint)
                x += wide + 1
        cv2.rectangle(front, (0, int(floor) - 4), (columns, int(floor)), (205, 205, 200), -1)
    return front


def _paint_article(front: np.ndarray, x: int, floor: float, wide: int, tall: float, tint: np.ndarray) -> None:
    """Paint one article with a label on it."""
    top, bottom = int(floor - tall), int(floor)
    cv2.rectangle(front, (x, top), (x + wide, bottom), (tint * 0.7).tolist(), -1)
    cv2.rectangle(front, (x, top), (x + wide - 2, bottom - 1), tint.tolist(), -1)
    middle = (top + bottom) // 2
    cv2.rectangle(front, (x + 1, middle - 2), (x + wide - 3, middle + 2), (255 - tint).tolist(), -1)
