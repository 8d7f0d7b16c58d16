"""Goods to put on a simulated shelf: boxes, bottles, cans, bags, jars and more, each with printed artwork.

A product is a small picture and a mask. Its outline comes from `OUTLINES`: how wide the product is at which
height. Its print is colour fields, a logo, a picture and lines of text, all invented: no real brand is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

# (height from the top, half-width), both as shares of the product's own height and width.
OUTLINES: dict[str, list[tuple[float, float]]] = {
    "box": [(0.0, 0.50), (1.0, 0.50)],
    "carton": [(0.0, 0.30), (0.13, 0.50), (1.0, 0.50)],
    "bottle": [(0.0, 0.17), (0.10, 0.17), (0.22, 0.22), (0.36, 0.47), (0.42, 0.50), (0.97, 0.50), (1.0, 0.45)],
    "shampoo": [(0.0, 0.30), (0.16, 0.30), (0.17, 0.40), (0.27, 0.50), (0.80, 0.48), (1.0, 0.42)],
    "pump": [(0.0, 0.35), (0.05, 0.35), (0.06, 0.07), (0.20, 0.07), (0.21, 0.24), (0.32, 0.50), (1.0, 0.48)],
    "jug": [(0.0, 0.20), (0.12, 0.20), (0.20, 0.34), (0.34, 0.49), (0.95, 0.50), (1.0, 0.47)],
    "can": [(0.0, 0.42), (0.06, 0.50), (0.94, 0.50), (1.0, 0.42)],
    "tin": [(0.0, 0.50), (1.0, 0.50)],
    "aerosol": [(0.0, 0.33), (0.17, 0.33), (0.18, 0.44), (0.24, 0.50), (1.0, 0.50)],
    "jar": [(0.0, 0.46), (0.18, 0.46), (0.19, 0.40), (0.26, 0.50), (0.96, 0.50), (1.0, 0.46)],
    "tub": [(0.0, 0.50), (0.12, 0.50), (0.13, 0.47), (1.0, 0.38)],
    "tube": [(0.0, 0.50), (0.05, 0.50), (0.75, 0.40), (0.76, 0.30), (1.0, 0.30)],
    "bag": [(0.0, 0.46), (0.07, 0.44), (0.20, 0.49), (0.50, 0.50), (0.85, 0.49), (0.95, 0.44), (1.0, 0.46)],
    "pouch": [(0.0, 0.42), (0.10, 0.42), (0.45, 0.46), (0.90, 0.50), (1.0, 0.47)],
}
ROUND = {"bottle", "shampoo", "pump", "jug", "can", "tin", "aerosol", "jar", "tub", "tube"}
CAPPED = {"bottle": 0.11, "shampoo": 0.17, "pump": 0.21, "jug": 0.12, "aerosol": 0.18, "jar": 0.18, "tub": 0.12}
STACKED = {"box", "can", "tin", "tub", "jar", "carton"}
# Width over height, lowest and highest.
PROPORTIONS: dict[str, tuple[float, float]] = {
    "box": (0.40, 2.6), "carton": (0.38, 0.62), "bottle": (0.26, 0.40), "shampoo": (0.32, 0.55),
    "pump": (0.34, 0.50), "jug": (0.50, 0.75), "can": (0.48, 0.70), "tin": (0.70, 1.3), "aerosol": (0.25, 0.36),
    "jar": (0.55, 0.95), "tub": (0.80, 1.8), "tube": (0.26, 0.42), "bag": (0.60, 0.95), "pouch": (0.55, 0.90),
}  # fmt: skip
LETTERS = np.array(list("AEIOUBCDLMNRST"))


@dataclass(frozen=True)
class Product:
    """One article, seen from the front, at the size it has on the shelf's front plane."""

    kind: str
    picture: np.ndarray  # (height, width, 3) uint8
    mask: np.ndarray  # (height, width) uint8, 255 on the product
    flank: tuple[float, float, float]  # colour of its side
    _seen: dict[tuple[float, float, int], tuple[np.ndarray, np.ndarray]] = field(default_factory=dict, repr=False)

    @property
    def width(self) -> int:
        return int(self.picture.shape[1])

    @property
    def height(self) -> int:
        return int(self.picture.shape[0])

    def resized(self, scale: float) -> Product:
        """The same article, larger or smaller."""
        shape = (max(3, round(self.width * scale)), max(4, round(self.height * scale)))
        picture = cv2.resize(self.picture, shape, interpolation=cv2.INTER_AREA)
        return Product(self.kind, picture, cv2.resize(self.mask, shape, interpolation=cv2.INTER_NEAREST), self.flank)

    def flavour(self, rng: np.random.Generator) -> Product:
        """The same pack in other colours, one time in three: red, green and blue change places."""
        if rng.random() < 0.67:
            return self
        order = rng.permutation(3)
        red, green, blue = (self.flank[channel] for channel in order)
        return Product(self.kind, np.ascontiguousarray(self.picture[..., order]), self.mask, (red, green, blue))

    def seen(self, scale: float, light: float, pile: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Picture and mask of a pile, shrunk by `scale` and dimmed by `light` (0 to 1), remembered."""
        key = (round(scale, 2), round(light, 1), pile)
        if key not in self._seen and key[:2] == (1.0, 1.0):
            self._seen[key] = (np.tile(self.picture, (pile, 1, 1)), np.tile(self.mask, (pile, 1)))
        elif key not in self._seen:
            shape = (max(2, round(self.width * key[0])), max(2, round(self.height * key[0])))
            picture = cv2.resize(self.picture, shape, interpolation=cv2.INTER_AREA)
            mask = cv2.resize(self.mask, shape, interpolation=cv2.INTER_NEAREST)
            picture = cv2.convertScaleAbs(picture, alpha=key[1])
            self._seen[key] = (np.tile(picture, (pile, 1, 1)), np.tile(mask, (pile, 1)))
        return self._seen[key]


def assortment(rng: np.random.Generator, height: int, widest: int) -> list[Product]:
    """Draw the articles of one shelf: few kinds, few brands, one to three articles of each.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of every choice.
    height, widest : int
        Height to draw at and greatest width, pixels.
    """
    weight = np.array([3.0 if kind == "box" else 1.0 for kind in OUTLINES])
    kinds = rng.choice(list(OUTLINES), rng.integers(1, 6), p=weight / weight.sum())
    goods = []
    slim = rng.uniform(0.7, 1.3)
    for _ in range(rng.integers(4, 9)):
        brand, kind = np.stack([colour(rng), colour(rng), colour(rng)]), str(rng.choice(kinds))
        for _ in range(rng.integers(1, 3)):
            low, high = PROPORTIONS[kind]
            width = np.clip(height * slim * (low + (high - low) * rng.beta(1.3, 2)), 5, widest)
            shades = np.clip(brand + rng.normal(0, 12, (3, 3)), 0, 255)
            goods.append(draw_product(rng, kind, int(width), height, shades[rng.permutation(3)]))
    return goods


def colour(rng: np.random.Generator, vivid: float = 0.65) -> np.ndarray:
    """Draw a colour of packaging: white, black or grey one time in three, otherwise more or less saturated."""
    if rng.random() < 0.38:
        return rng.choice([18, 40, 110, 200, 235, 243, 247]) + rng.uniform(-8, 8, 3)
    hue = rng.choice([0, 2, 5, 12, 20, 25, 30, 45, 60, 75, 98, 105, 110, 115, 120, 140, 165, 177]) + rng.integers(-4, 5)
    saturation, value = 255 * rng.beta(4 * vivid + 0.5, 1.6), 255 * rng.beta(4, 1.3)
    pixel = np.array([[[hue % 180, saturation, value]]], np.uint8)
    return cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0].astype(float)


def draw_product(rng: np.random.Generator, kind: str, width: int, height: int, brand: np.ndarray) -> Product:
    """Draw one article of a kind in its brand's colours.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of every choice.
    kind : str
        A key of `OUTLINES`.
    width, height : int
        Size in pixels.
    brand : array (3, 3)
        Ground, second and ink colour, 0 to 255.
    """
    width, height = max(3, width), max(4, height)
    picture = _print(rng, width, height, brand)
    across = (np.arange(width) + 0.5) / width - 0.5
    levels, halves = np.array(OUTLINES[kind]).T
    half = np.interp((np.arange(height) + 0.5) / height, levels, halves)
    if kind in ("bag", "pouch"):
        half = half + 0.02 * np.sin(np.arange(height) * rng.uniform(0.2, 0.8))
    cap = round(CAPPED.get(kind, 0.0) * height)
    picture[:cap] = brand[rng.integers(3)] if rng.random() < 0.7 else 240
    picture = picture * _shading(rng, kind, across, half)[..., None]
    mask = (np.abs(across) <= half[:, None]).astype(np.uint8) * 255
    side = brand[0] * rng.uniform(0.6, 0.9)
    return Product(kind, np.clip(picture, 0, 255).astype(np.uint8), mask, (side[0], side[1], side[2]))


def _print(rng: np.random.Generator, width: int, height: int, brand: np.ndarray) -> np.ndarray:
    """Print the artwork: ground, colour fields, a logo, a picture, lines of text."""
    ground, second, ink = brand
    if abs(ground.mean() - ink.mean()) < 70:  # print is meant to be read
        ink = np.full(3, 15.0) if ground.mean() > 128 else np.full(3, 245.0)
    art = np.empty((height, width, 3), np.uint8)
    art[:] = ground.clip(0, 255)
    for _ in range(rng.integers(0, 4)):
        top, tall = rng.random(), rng.uniform(0.05, 0.45)
        art[int(top * height) : int((top + tall) * height) + 1] = second if rng.random() < 0.6 else colour(rng)
    if rng.random() < 0.25:
        start = rng.integers(0, width)
        art[:, start : start + max(1, width // 4)] = second
    for _ in range(rng.integers(0, 3)):
        centre = (int(width * rng.uniform(0.25, 0.75)), int(height * rng.uniform(0.25, 0.8)))
        axes = (max(1, int(width * rng.uniform(0.15, 0.45))), max(1, int(height * rng.uniform(0.06, 0.25))))
        cv2.ellipse(art, centre, axes, rng.uniform(0, 180), 0, 360, colour(rng).tolist(), -1)
    if rng.random() < 0.4:
        _photograph(rng, art)
    _text(rng, art, ink)
    return art


def _photograph(rng: np.random.Generator, art: np.ndarray) -> None:
    """Put a blurred picture of something on part of the pack."""
    height, width = art.shape[:2]
    top, left = int(height * rng.uniform(0.3, 0.7)), int(width * rng.uniform(0, 0.4))
    room = art[top : top + max(2, height // 3), left : left + max(2, int(width * 0.6))]
    blobs = rng.uniform(0, 255, (5, 4, 3)).astype(np.float32) * 0.7 + colour(rng).astype(np.float32) * 0.3
    blend = cv2.resize(blobs, (room.shape[1], room.shape[0]), interpolation=cv2.INTER_CUBIC)
    room[:] = blend.clip(0, 255)


def _text(rng: np.random.Generator, art: np.ndarray, ink: np.ndarray) -> None:
    """Write a brand name, as letters where there is room and as a bar where not, and a few lines below it."""
    height, width = art.shape[:2]
    base = int(height * rng.uniform(0.25, 0.6))
    if width >= 16:
        word = "".join(rng.choice(LETTERS, rng.integers(3, 7)))
        scale = width * rng.uniform(0.7, 0.95) / (18.0 * len(word))
        thick = max(1, round(scale * 3))
        cv2.putText(art, word, (int(width * 0.08), base), int(rng.integers(0, 5)), scale, ink.tolist(), thick)
    else:
        art[base : base + max(1, height // 9), width // 6 : -(width // 6) or None] = ink
    for line in range(rng.integers(1, 6)):
        row = base + int(height * (0.08 + 0.07 * line))
        end = int(width * rng.uniform(0.4, 0.9))
        art[row : row + max(1, height // 40), width // 8 : end] = ink * 0.85 + 15


def _shading(rng: np.random.Generator, kind: str, across: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Light on the surface, (height, width): round goods fall off to their sides, bags glint, boxes are flat."""
    tall, wide = len(half), len(across)
    if kind in ROUND:
        bend = np.clip(across[None] / half[:, None], -1, 1)
        gleam = 0.35 * np.exp(-(((bend + rng.uniform(-0.6, 0.6)) / 0.12) ** 2)) * rng.random()
        return rng.uniform(0.35, 0.6) + 0.55 * np.sqrt(1 - bend**2) + gleam
    if kind in ("bag", "pouch"):
        folds = rng.normal(1, 0.22, (5, 4)).astype(np.float32)
        return cv2.resize(folds, (wide, tall), interpolation=cv2.INTER_CUBIC)
    slope = np.linspace(rng.uniform(0.9, 1.1), rng.uniform(0.8, 1.0), tall)
    edge = np.ones(wide)
    edge[[0, -1]] = rng.uniform(0.6, 0.95)  # the pack's edges keep neighbours apart
    return slope[:, None] * edge
