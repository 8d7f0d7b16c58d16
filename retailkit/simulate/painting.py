"""Paint a shelf as a camera sees it that looks straight at it: what is farthest from its axis first.

That order is exact: a ray from the camera only moves away from the axis on its way in, so goods nearer to the axis
hide those farther off, and never the other way round.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from retailkit.simulate.products import OUTLINES, colour, draw_product
from retailkit.simulate.shelving import Cell, Scene, Slot


def paint(rng: np.random.Generator, scene: Scene, cells: list[Cell], canvas: np.ndarray) -> np.ndarray:
    """Paint the shelving, farthest from the camera's foot point first, then what hangs in front of it."""
    away = [abs((c.left + c.right) / 2 - scene.foot[0]) + abs((c.top + c.floor) / 2 - scene.foot[1]) for c in cells]
    lip = _lip_style(rng, scene)
    for number in np.argsort(away)[::-1]:
        cell = cells[number]
        _paint_inside(rng, scene, canvas, cell)
        _open_sides(cell.slots)
        for slot in sorted(cell.slots, key=lambda slot: -abs((slot.left + slot.right) / 2 - scene.foot[0])):
            _paint_slot(rng, scene, canvas, cell, slot)
        _paint_lip(rng, scene, canvas, cell, lip)
    _paint_uprights(rng, scene, canvas, cells)
    _paint_signs(rng, scene, canvas, cells)
    return canvas


def _open_sides(slots: list[Slot]) -> None:
    """Mark the facings that stand beside a hole, whose goods behind can be seen from the side."""
    for one, other in pairwise(slots):
        level = one.product.height * one.pile == other.product.height * other.pile
        if not (level and one.state == other.state == "full"):
            one.open = other.open = True


def _fill(canvas: np.ndarray, x1: float, y1: float, x2: float, y2: float, tint: np.ndarray) -> None:
    """Fill a rectangle, clipped; `tint` is a colour or one colour per row."""
    top, bottom = max(0, round(y1)), min(canvas.shape[0], round(y2))
    left, right = max(0, round(x1)), min(canvas.shape[1], round(x2))
    if bottom > top and right > left:
        if tint.ndim > 1:
            rows = np.linspace(0, len(tint) - 1, max(1, round(y2) - round(y1))).astype(int)
            tint = tint[rows[top - round(y1) : bottom - round(y1)], None]
        canvas[top:bottom, left:right] = np.clip(tint, 0, 255)


def _paint_inside(rng: np.random.Generator, scene: Scene, canvas: np.ndarray, cell: Cell) -> None:
    """Paint back wall, the board that goods stand on and the underside of the board above."""
    x1, y1 = scene.at(cell.left, cell.top, scene.depth)
    x2, y2 = scene.at(cell.right, cell.floor, scene.depth)
    dim = np.linspace(scene.gloom * rng.uniform(0.4, 0.9), scene.gloom, 16)
    if cell.roof:
        _fill(canvas, cell.left, cell.top, cell.right, cell.floor, dim[:, None] * scene.board)
    top, bottom = max(0, round(y1)), min(scene.height, round(y2))
    left = round(max(0, scene.window[0], min(x1, cell.left)))
    right = round(min(scene.width, scene.window[2], max(x2, cell.right)))
    if cell.roof and bottom > top and right > left:
        shade = np.linspace(dim[0], dim[-1], bottom - top, dtype=np.float32)[:, None, None]
        canvas[top:bottom, left:right] = scene.wall[top:bottom, left:right] * shade
    fall = np.array([scene.light(scene.depth * share) for share in np.linspace(1, 0, 12)])
    if y2 < cell.floor:
        _fill(canvas, cell.left, y2, cell.right, cell.floor, fall[:, None] * scene.board)
        if rng.random() < 0.4:
            _paint_seams(rng, scene, canvas, cell)
    if cell.roof and y1 > cell.top:
        _fill(canvas, cell.left, cell.top, cell.right, y1, fall[::-1, None] * scene.board * 0.6)


def _paint_seams(rng: np.random.Generator, scene: Scene, canvas: np.ndarray, cell: Cell) -> None:
    """Draw dividers or wires that run from front to back on a board."""
    tint = (scene.board * rng.choice([0.35, 0.7, 1.15])).clip(0, 255).tolist()
    for x in np.arange(cell.left, cell.right, scene.height * rng.choice([0.02, 0.12, 0.3])):
        _line(canvas, (x, cell.floor), scene.at(x, cell.floor, scene.depth), tint)


def _line(canvas: np.ndarray, start: tuple[float, float], end: tuple[float, float], tint: list[float]) -> None:
    cv2.line(canvas, (round(start[0]), round(start[1])), (round(end[0]), round(end[1])), tint, 1)


def _paint_slot(rng: np.random.Generator, scene: Scene, canvas: np.ndarray, cell: Cell, slot: Slot) -> None:
    """Paint one facing: the goods behind, its sides, then its front, or what disorder made of it."""
    if slot.state == "empty":
        return
    start = slot.depth * scene.depth if slot.state == "back" else 0.0
    pile = max(1, slot.pile // 2) if slot.state == "low" else slot.pile
    step = scene.depth * 0.3
    if slot.product.kind in ("box", "carton"):
        _paint_block(scene, canvas, cell.floor, slot, pile, start)
    else:
        for row in range(3 if slot.open else cell.deep, 0, -1):
            _paint_pile(scene, canvas, cell.floor, slot, pile, start + row * step)
    if slot.state not in STRAY:
        _paint_pile(scene, canvas, cell.floor, slot, pile, start)
    else:
        _paint_pile(scene, canvas, cell.floor, slot, pile, step)
        STRAY[slot.state](rng, canvas, cell.floor, slot)


def _paint_block(scene: Scene, canvas: np.ndarray, floor: float, slot: Slot, pile: int, start: float) -> None:
    """Paint side and top of a block of boxes that reaches to the back wall."""
    tall, tint = slot.product.height * pile, np.array(slot.product.flank)
    edge = slot.right if scene.foot[0] > slot.right else slot.left
    ends = np.linspace(scene.depth * 0.95, start, 4 if slot.open else 2)
    for far, near in pairwise(ends):
        tone = tint * scene.light((far + near) / 2)
        if slot.open:
            side = [(edge, floor, far), (edge, floor, near), (edge, floor - tall, near), (edge, floor - tall, far)]
            _face(scene, canvas, side, tone * 0.85)
        if scene.foot[1] < floor - tall:
            rim = [(slot.left, far), (slot.right, far), (slot.right, near), (slot.left, near)]
            _face(scene, canvas, [(x, floor - tall, depth) for x, depth in rim], tone)


def _face(scene: Scene, canvas: np.ndarray, corners: list[tuple[float, float, float]], tint: np.ndarray) -> None:
    seen = np.array([scene.at(*corner) for corner in corners])
    cv2.fillConvexPoly(canvas, np.rint(seen).astype(np.int32), tint.tolist())


def _paint_pile(scene: Scene, canvas: np.ndarray, floor: float, slot: Slot, pile: int, depth: float) -> None:
    """Paint the fronts of a pile at a depth."""
    picture, mask = slot.product.seen(scene.scale(depth), scene.light(depth), pile)
    x, y = scene.at(slot.left, floor, depth)
    paste(canvas, picture, mask, round(x), round(y) - picture.shape[0])


def paste(canvas: np.ndarray, picture: np.ndarray, mask: np.ndarray, left: int, top: int) -> None:
    """Copy a masked picture onto a canvas, clipped at its edges."""
    x1, y1 = max(0, left), max(0, top)
    x2 = min(canvas.shape[1], left + picture.shape[1])
    y2 = min(canvas.shape[0], top + picture.shape[0])
    if x2 > x1 and y2 > y1:
        cut = np.s_[y1 - top : y2 - top, x1 - left : x2 - left]
        cv2.copyTo(picture[cut], mask[cut], canvas[y1:y2, x1:x2])


def _paint_askew(rng: np.random.Generator, canvas: np.ndarray, floor: float, slot: Slot) -> None:
    """Paint a facing that leans."""
    shape = (slot.product.width, slot.product.height)
    lean = float(rng.choice([-1, 1]) * rng.uniform(8, 25))
    turn = cv2.getRotationMatrix2D((shape[0] / 2, shape[1]), lean, 0.92)
    picture, mask = (cv2.warpAffine(layer, turn, shape) for layer in (slot.product.picture, slot.product.mask))
    paste(canvas, picture, mask, round(slot.left), round(floor) - shape[1])


def _paint_toppled(rng: np.random.Generator, canvas: np.ndarray, floor: float, slot: Slot) -> None:
    """Paint a facing that lies on its side, as long as its place is wide."""
    long = max(2, round(slot.right - slot.left))
    high = max(2, round(min(slot.product.width, slot.product.height * rng.uniform(0.3, 0.6))))
    layers = (np.ascontiguousarray(np.rot90(layer)) for layer in (slot.product.picture, slot.product.mask))
    picture, mask = (cv2.resize(layer, (long, high)) for layer in layers)
    paste(canvas, picture, mask, round(slot.left), round(floor) - high)


def _paint_odd(rng: np.random.Generator, canvas: np.ndarray, floor: float, slot: Slot) -> None:
    """Paint an article that does not belong there."""
    kind = str(rng.choice(list(OUTLINES)))
    height = int(slot.product.height * slot.pile * rng.uniform(0.5, 0.95))
    brand = np.stack([colour(rng), colour(rng), colour(rng)])
    stray = draw_product(rng, kind, int((slot.right - slot.left) * rng.uniform(0.6, 1.0)), height, brand)
    paste(canvas, stray.picture, stray.mask, round(slot.left), round(floor) - stray.height)


STRAY = {"askew": _paint_askew, "toppled": _paint_toppled, "odd": _paint_odd}


@dataclass(frozen=True)
class LipStyle:
    """How the boards' front edges and their price tags look."""

    edge: np.ndarray
    tag: np.ndarray
    often: float
    tall: float


def _lip_style(rng: np.random.Generator, scene: Scene) -> LipStyle:
    edge = scene.board if rng.random() < 0.6 else colour(rng)
    tags = np.array([[245, 245, 240], [250, 215, 40], [255, 240, 150], [235, 60, 50], [225, 232, 240]])
    tag = tags[rng.choice(5, p=[0.5, 0.25, 0.1, 0.05, 0.1])]
    return LipStyle(edge, tag, float(rng.uniform(0.1, 1.0)), float(scene.lip * rng.uniform(0.6, 1.6)))


def _paint_lip(rng: np.random.Generator, scene: Scene, canvas: np.ndarray, cell: Cell, style: LipStyle) -> None:
    """Paint a board's front edge with the price tags on it, some of which hang over."""
    glow = np.array([1.05, 1.0, 0.95, 0.8])[:, None]
    _fill(canvas, cell.left, cell.floor, cell.right, cell.floor + scene.lip, glow * style.edge)
    _fill(canvas, cell.left, cell.floor + scene.lip, cell.right, cell.floor + scene.lip + 2, style.edge * 0.3)
    for slot, before in zip(cell.slots, [None, *cell.slots], strict=False):
        if (before and before.product is slot.product) or rng.random() > style.often:
            continue
        x = slot.left + rng.uniform(0, 0.5) * (slot.right - slot.left)
        wide = style.tall * rng.uniform(1.2, 2.2)
        _fill(canvas, x, cell.floor + 1, x + wide, cell.floor + 1 + style.tall, style.tag.astype(float))
        y1, y2 = cell.floor + style.tall * 0.4, cell.floor + style.tall * 0.75
        _fill(canvas, x + 1, y1, x + wide * 0.6, y2, np.full(3, 30.0))


def _paint_uprights(rng: np.random.Generator, scene: Scene, canvas: np.ndarray, cells: list[Cell]) -> None:
    """Paint the posts between bays."""
    if rng.random() < 0.6:
        wide, tint = scene.height * rng.uniform(0.004, 0.018), scene.board * rng.uniform(0.3, 1.0)
        for x in {cell.left for cell in cells}:
            _fill(canvas, x - wide / 2, scene.fixture[1], x + wide / 2, scene.fixture[3], tint)


def _paint_signs(rng: np.random.Generator, scene: Scene, canvas: np.ndarray, cells: list[Cell]) -> None:
    """Hang offers from some boards: a card with a price on it."""
    if not cells or rng.random() > 0.35:
        return
    tint, tall = colour(rng, 0.9), scene.height * rng.uniform(0.03, 0.08)
    for number in rng.integers(0, len(cells), rng.integers(1, 10)):
        x, y = rng.uniform(cells[number].left, cells[number].right), cells[number].floor
        wide = tall * rng.uniform(0.7, 1.5)
        _fill(canvas, x, y, x + wide, y + tall, tint)
        _fill(canvas, x + 1, y + tall * 0.3, x + wide - 1, y + tall - 1, np.full(3, 245.0))
        text = f"{rng.integers(1, 20)}.{rng.integers(10, 99)}"
        where = (round(x + 2), round(y + tall * 0.85))
        cv2.putText(canvas, text, where, cv2.FONT_HERSHEY_DUPLEX, wide / 90, (20, 20, 20), 1)
