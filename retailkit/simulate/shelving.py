"""What stands where: bays, boards, facings of goods; then some are sold and some are disarranged.

Lengths are pixels on the shelf's front plane, as seen by a camera that looks straight at it. `Scene.at` says where
that camera sees a point behind the front plane: it moves toward the foot of the camera's axis by
`distance / (distance + depth)`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from retailkit.simulate import photograph
from retailkit.simulate.products import STACKED, Product, assortment

DISORDERS = ["back", "back", "back", "askew", "toppled", "low", "odd"]


@dataclass
class Slot:
    """One facing's place on a board: what belongs there and what has become of it."""

    left: float
    right: float
    product: Product
    pile: int = 1
    state: str = "full"  # full, empty, or one of DISORDERS
    depth: float = 0.0  # how far goods are pushed back, as a share of the board
    open: bool = False  # whether its side can be seen


@dataclass
class Cell:
    """One board of one bay: `top` is the underside of the board above, `floor` the surface that goods stand on."""

    left: float
    right: float
    top: float
    floor: float
    roof: bool = True  # False on top of the shelving, where one looks into the room
    deep: int = 1  # rows of goods painted behind a closed front
    slots: list[Slot] = field(default_factory=list)  # from left to right


@dataclass(frozen=True)
class Scene:
    """Everything that is the same all over one photograph."""

    width: int
    height: int
    foot: tuple[float, float]  # where the camera's axis meets the front plane
    distance: float  # from camera to front plane, pixels
    depth: float  # of the boards
    fixture: tuple[float, float, float, float]  # left, top, right, bottom of the shelving
    board: np.ndarray
    lip: float  # height of a board's front edge
    wall: np.ndarray  # back wall's picture, (height, width, 3) uint8
    gloom: float  # light deep inside, 0 to 1
    view: np.ndarray  # homography (3, 3) from the front plane to the photo
    window: np.ndarray  # left, top, right, bottom of what the photo shows of the front plane

    def scale(self, depth: float) -> float:
        """How much smaller things look at a depth behind the front plane."""
        return self.distance / (self.distance + depth)

    def at(self, x: float, y: float, depth: float) -> tuple[float, float]:
        """Where the point (x, y) at a depth is seen."""
        shrink = self.scale(depth)
        return self.foot[0] + (x - self.foot[0]) * shrink, self.foot[1] + (y - self.foot[1]) * shrink

    def light(self, depth: float) -> float:
        """Light that reaches a depth: 1 in front, `gloom` at the back."""
        return float(1 - (1 - self.gloom) * min(1.0, depth / self.depth) ** 0.7)


def set_scene(rng: np.random.Generator, size: int) -> Scene:
    """Choose camera, shelving and light."""
    height = round(size * 1.3)
    width = round(height * rng.choice([1.1, 1.4, 2.0], p=[0.45, 0.35, 0.2]))
    aside = rng.uniform(-0.3, 0.1) if width > 1.8 * height else rng.uniform(0.2, 0.8)
    foot = ((aside if rng.random() < 0.5 else 1 - aside) * width, height * rng.uniform(0.1, 0.75))
    top = height * rng.uniform(0.05, 0.25) if rng.random() < 0.4 else -1.0
    bottom = height * rng.uniform(0.78, 0.96) if rng.random() < 0.45 else height + 1.0
    left = width * rng.uniform(0.03, 0.2) if rng.random() < 0.12 else -1.0
    right = width * rng.uniform(0.8, 0.97) if rng.random() < 0.12 else width + 1.0
    distance = height * rng.uniform(0.8, 1.7)
    view = photograph.turn(rng, width, height, foot, distance, size)
    board = _board_colour(rng)
    gloom = float(rng.choice([rng.uniform(0.03, 0.2), rng.uniform(0.15, 0.6), rng.uniform(0.5, 0.95)]))
    return Scene(
        width=width,
        height=height,
        foot=foot,
        distance=distance,
        depth=height * rng.uniform(0.12, 0.28),
        fixture=(left, top, right, bottom),
        board=board,
        lip=height * rng.uniform(0.012, 0.035),
        wall=_back_wall(rng, height, width),
        gloom=gloom,
        view=view,
        window=photograph.hull(np.linalg.inv(view), (0, 0, size, size)),
    )


def _board_colour(rng: np.random.Generator) -> np.ndarray:
    kinds = np.array([[232, 230, 224], [190, 190, 188], [205, 195, 170], [35, 35, 38], [120, 120, 122], [150, 110, 70]])
    tint = kinds[rng.choice(6, p=[0.38, 0.2, 0.14, 0.14, 0.1, 0.04])] + rng.uniform(-14, 14, 3)
    return np.clip(tint, 5, 250)


def _back_wall(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Paint the wall behind the goods: plain, pegboard with holes, slats or wire mesh."""
    grounds = [[225, 222, 212], [200, 190, 165], [130, 130, 130], [70, 70, 72], [25, 25, 28], [150, 125, 95]]
    ground = np.array(grounds[rng.choice(6, p=[0.25, 0.2, 0.15, 0.15, 0.2, 0.05])]) + rng.integers(-10, 11, 3)
    wall = np.tile(ground.astype(np.uint8), (height, width, 1))
    pattern, step = rng.choice(["plain", "peg", "peg", "slat", "mesh"]), int(rng.integers(5, 16))
    mark = rng.uniform(0.3, 0.8)
    if pattern == "peg":
        wall[::step, ::step] = wall[0, 0] * mark
        if step > 8:
            wall[1::step, ::step] = wall[::step, 1::step] = wall[0, 0]
    elif pattern == "slat":
        wall[:: 2 * step] = wall[1 :: 2 * step] = wall[0, 0] * mark
    elif pattern == "mesh":
        wall[::step] = wall[:, ::step] = rng.uniform(90, 230)
    return wall


def build(rng: np.random.Generator, scene: Scene) -> list[Cell]:
    """Build the shelving and fill it: all boards in view, fully stocked and in order."""
    left, top, right, bottom = scene.window
    cells = [
        cell
        for cell in _bays(rng, scene)
        if cell.right > left and cell.left < right and cell.floor + scene.lip > top and cell.top < bottom
    ]
    _stock(rng, scene, cells)
    return cells


def _bays(rng: np.random.Generator, scene: Scene) -> list[Cell]:
    """Divide the shelving into bays and each bay into boards; neighbouring bays often share their heights."""
    left, top, right, bottom = scene.fixture
    rows = int(rng.choice([2, 3, 4, 5, 6, 7, 8, 9], p=[0.03, 0.07, 0.1, 0.15, 0.19, 0.19, 0.15, 0.12]))
    wide = scene.height * rng.uniform(0.7, 1.5)
    edges = np.append(np.arange(left - rng.uniform(0, 0.9 if left < 0 else 0) * wide, right - 0.15 * wide, wide), right)
    floors = _floors(rng, rows, top, bottom)
    cells = []
    roofed = rng.random() < 0.6
    for x1, x2 in pairwise(edges):
        if rng.random() < 0.3:
            floors = _floors(rng, max(2, rows + int(rng.integers(-1, 2))), top, bottom)
        tops = np.append(top, floors[:-1] + scene.lip)
        roofs = [roofed, *[True] * (len(floors) - 1)]
        cells += [Cell(x1, x2, y1, y2, roof) for y1, y2, roof in zip(tops, floors, roofs, strict=True)]
    return cells


def _floors(rng: np.random.Generator, rows: int, top: float, bottom: float) -> np.ndarray:
    """Heights of the boards; the lowest stands a little above the floor, or below the picture's edge."""
    shares = rng.uniform(0.75, 1.25, rows).cumsum()
    return top + (bottom - top) * shares / shares[-1] * 0.97


def _stock(rng: np.random.Generator, scene: Scene, cells: list[Cell]) -> None:
    """Fill every board with blocks of facings from one assortment; neighbours on a board are often of one kind."""
    clear = float(np.median([cell.floor - cell.top for cell in cells] or [4.0]))
    goods = assortment(rng, round(clear), round(scene.height * 0.3))
    roomy = rng.choice([0.0, 0.03, 0.08])
    for cell in cells:
        cell.deep = int(rng.integers(0, 2))
        x, now = max(cell.left + 2, scene.window[0] - clear * rng.random()), int(rng.integers(len(goods)))
        while x < min(cell.right - 4, scene.window[2]):
            now = now if rng.random() < 0.5 else int(rng.integers(len(goods)))
            product, pile = _fitted(rng, goods[now], cell.floor - cell.top)
            if x + product.width > cell.right:  # the narrowest goods fill what is left, as any shelf manager would
                product, pile = _fitted(rng, min(goods, key=lambda article: article.width), cell.floor - cell.top)
            room = int((cell.right - x) / (product.width * (1 + roomy) + 1))
            for _ in range(min(room, int(rng.integers(1, 8)))):
                cell.slots.append(Slot(x, x + product.width, product, pile))
                x += product.width * (1 + roomy * rng.random()) + 1
            x += 1 if room else product.width


def _fitted(rng: np.random.Generator, article: Product, clear: float) -> tuple[Product, int]:
    """Size an article to a board's clear height, and say how many are piled up."""
    pile = int(rng.integers(2, 5)) if article.kind in STACKED and rng.random() < 0.35 else 1
    height = clear * rng.uniform(0.62, 0.95) / pile
    return article.resized(height / article.height).flavour(rng), pile


def disturb(rng: np.random.Generator, cells: list[Cell], states: list[str], mean: float) -> None:
    """Empty or disarrange some stretches: now few, now many, each a run of facings on one board."""
    places = [(cell.slots, start) for cell in cells for start in range(len(cell.slots))]
    number = int(rng.negative_binomial(1.3, 1.3 / (1.3 + mean))) if mean > 0 else 0
    wide = rng.uniform(0.5, 2.5)
    for choice in rng.permutation(len(places))[:number]:
        board, start = places[choice]
        state = str(rng.choice(states))
        reach = board[start].left + wide * (board[start].product.height * board[start].pile) * rng.gamma(1.5, 0.35)
        for slot in board[start:]:
            if slot is not board[start] and slot.right > reach:
                break
            if slot.state == "full":
                slot.state = "back" if state == "low" and slot.pile == 1 else state
                slot.depth = rng.uniform(0.25, 0.75)
