"""Draw a person onto a picture, and say exactly where: for photographs and for the frames of a video.

    look = make_look(rng)                                                  # clothes, hair, build: once a person
    drawn = draw_figure(canvas, feet=(80, 150), height=120, look=look, pose=walking(0.25), facing=90)
    drawn.box                                                              # x1, y1, x2, y2 in pixels, exact

The skeleton of `bodies` is turned to where the person faces and seen from the camera's elevation; limbs, torso, head
and clothes are filled outlines around it, painted from the farthest to the nearest.
Faces are blank on purpose: nobody here can be identified, and no detector can learn to rely on a face.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from retailkit.simulate.bodies import (
    HEAD,
    Look,
    Pose,
    any_pose,
    crouching,
    joints,
    make_look,
    reaching,
    standing,
    walking,
)

__all__ = [
    "Drawn", "Look", "Pose", "any_pose", "crouching", "draw_figure", "make_look", "reaching", "standing",
    "visible_box", "walking",
]  # fmt: skip

SUBPIXELS = 4  # bits of a pixel's fraction in OpenCV's drawing


class Drawn(NamedTuple):
    """What was drawn: box of the whole figure, also where the canvas ends or others hide it, and its pixels."""

    box: tuple[float, float, float, float]
    pixels: int


class _Part(NamedTuple):
    """A filled outline: its depth, corners (n, 2) to the right and up in shares of the height, colour, is it cloth."""

    depth: float
    outline: np.ndarray
    colour: tuple[float, ...]
    cloth: bool = False


def draw_figure(
    canvas: np.ndarray,
    feet: tuple[float, float],
    height: float,
    look: Look | None = None,
    pose: Pose | None = None,
    facing: float = 0.0,
    elevation: float = 0.0,
    light: float = 1.0,
    owner: np.ndarray | None = None,
    number: int = 1,
) -> Drawn:
    """Paint a person onto a picture, in place, over whatever is there: draw the farthest first.

    >>> picture = np.full((200, 100, 3), 128, np.uint8)
    >>> draw_figure(picture, feet=(50, 180), height=150).box
    (27.0, 29.0, 73.0, 180.0)

    Parameters
    ----------
    canvas : array (rows, columns, 3) uint8
        RGB.
    feet : pair of float
        The foot point, x and y in pixels: the place on the floor below the middle of the body. It may lie outside.
    height : float
        Pixels from sole to crown of the person when standing straight and seen level, above 2.
    look, pose : Look, Pose
        See `make_look`, `walking`, `standing`, `reaching`, `crouching`.
    facing : float
        Degrees: 0 towards the camera, 90 to the picture's right, 180 away.
    elevation : float
        Degrees, 0 to 85: how far the camera looks down on the person.
    light : float
        1 as bright as the look's colours.
    owner : int array (rows, columns), optional
        Pixels that this person covers get `number`, so that the truth knows who hides whom.
    number : int

    Returns
    -------
    Drawn
        `box`: x1, y1, x2, y2 of the whole figure, pixel edges, not clipped to the canvas. `pixels`: how many it covers.

    Raises
    ------
    ValueError
        A height of 2 pixels or less, or an elevation outside 0 to 85.
    """
    if not height > 2 or not 0 <= elevation <= 85:
        raise ValueError(f"height={height!r}, elevation={elevation!r}: above 2 pixels and 0 to 85 degrees are needed")
    look = look or Look()
    parts = sorted(_dress(look, pose or Pose(), facing, elevation), key=lambda part: -part.depth)
    corners = np.concatenate([part.outline for part in parts]) * [height, -height] + feet
    left, top = (int(edge) for edge in np.floor(corners.min(axis=0)) - 1)
    wide, tall = (int(edge) for edge in np.ceil(corners.max(axis=0)) + 1 - (left, top))
    picture, mask = _fill(parts, look, (feet[0] - left, feet[1] - top), height, (wide, tall))
    covered = mask > 127
    _put(canvas, picture, mask, left, top, light)
    if owner is not None:
        rows, columns = _overlap(owner.shape, covered.shape, left, top)
        owner[rows.start + top : rows.stop + top, columns.start + left : columns.stop + left][
            covered[rows, columns]
        ] = number
    box, pixels = visible_box(covered, True)
    x1, y1, x2, y2 = box or (0.0, 0.0, 0.0, 0.0)
    return Drawn((x1 + left, y1 + top, x2 + left, y2 + top), pixels)


def visible_box(owner: np.ndarray, number: int) -> tuple[tuple[float, float, float, float] | None, int]:
    """Find the box (x1, y1, x2, y2) around what can be seen of a person, None if nothing, and how many pixels.

    >>> visible_box(np.array([[0, 2, 2], [0, 2, 0]]), 2)
    ((1.0, 0.0, 3.0, 2.0), 3)
    """
    seen = owner == number
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    if not len(rows):
        return None, 0
    box = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
    return box, int(seen.sum())


def _overlap(canvas: tuple[int, ...], patch: tuple[int, ...], left: int, top: int) -> tuple[slice, slice]:
    """Rows and columns of a patch that lie on the canvas when its corner is put at (left, top)."""
    rows = slice(min(patch[0], max(0, -top)), max(0, min(patch[0], canvas[0] - top)))
    columns = slice(min(patch[1], max(0, -left)), max(0, min(patch[1], canvas[1] - left)))
    return rows, columns


def _put(canvas: np.ndarray, picture: np.ndarray, mask: np.ndarray, left: int, top: int, light: float) -> None:
    """Blend a patch with its mask (0 to 255) into the canvas."""
    rows, columns = _overlap(canvas.shape, mask.shape, left, top)
    if rows.stop <= rows.start or columns.stop <= columns.start:
        return
    under = canvas[rows.start + top : rows.stop + top, columns.start + left : columns.stop + left]
    share = mask[rows, columns, None].astype(np.float32) / 255
    under[:] = np.clip(under * (1 - share) + picture[rows, columns] * (share * light), 0, 255)


def _fill(
    parts: list[_Part], look: Look, feet: tuple[float, float], height: float, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Paint the parts on a patch (columns, rows): picture (rows, columns, 3) and mask (rows, columns), both uint8."""
    fine = 4 if height < 60 else 3 if height < 160 else 2 if height < 400 else 1
    wide, tall = shape[0] * fine, shape[1] * fine
    picture, mask = np.zeros((tall, wide, 3), np.uint8), np.zeros((tall, wide), np.uint8)
    woven = _weave(look, tall, wide, height * fine) if look.pattern != "plain" else None
    for part in parts:
        points = part.outline * np.array([height, -height]) * fine + np.array(feet) * fine
        lit = points.mean(axis=0) + 0.78 * (points - points.mean(axis=0)) - 0.006 * height * fine
        tint = np.array(part.colour)
        cv2.fillPoly(picture, [_grid(points)], (tint * 0.8).tolist(), shift=SUBPIXELS)
        cv2.fillPoly(picture, [_grid(lit)], tint.tolist(), shift=SUBPIXELS)
        if part.cloth and woven is not None:
            stencil = np.zeros((tall, wide), np.uint8)
            cv2.copyTo(woven, cv2.fillPoly(stencil, [_grid(points)], 255, shift=SUBPIXELS), picture)
        cv2.fillPoly(mask, [_grid(points)], 255, shift=SUBPIXELS)
    folds = cv2.resize(look.folds, (wide, tall), interpolation=cv2.INTER_LINEAR)
    picture = np.asarray(cv2.multiply(picture, cv2.merge([folds] * 3), dtype=cv2.CV_8U))
    if fine == 1:
        return picture, mask
    return cv2.resize(picture, shape, interpolation=cv2.INTER_AREA), cv2.resize(
        mask, shape, interpolation=cv2.INTER_AREA
    )


def _grid(points: np.ndarray) -> np.ndarray:
    """Points as OpenCV draws them: whole numbers of a sixteenth of a pixel, whose centres lie at whole pixels."""
    return np.rint((points - 0.5) * 2**SUBPIXELS).astype(np.int32)


def _weave(look: Look, tall: int, wide: int, height: float) -> np.ndarray:
    """Make the cloth of the upper body: stripes, checks or a print of blotches."""
    rows, columns = np.arange(tall)[:, None] / height * 36, np.arange(wide)[None] / height * 36
    if look.pattern == "stripes":
        second = (rows % 2 < 1) & (columns >= 0)
    elif look.pattern == "checks":
        second = (rows % 2 < 1) ^ (columns % 2 < 1)
    else:
        second = cv2.resize(look.folds, (wide, tall), interpolation=cv2.INTER_CUBIC) > look.folds.mean() + 0.05
    return np.where(second[..., None], look.trim, look.top).astype(np.uint8)


def _dress(look: Look, pose: Pose, facing: float, elevation: float) -> list[_Part]:
    """All outlines of a figure of height 1 above its foot point, as the camera sees them."""
    turn, tilt = np.radians(facing), np.radians(elevation)
    left = np.array([np.cos(turn), np.sin(turn) * np.sin(tilt), np.sin(turn) * np.cos(tilt)])
    forward = np.array([np.sin(turn), -np.cos(turn) * np.sin(tilt), -np.cos(turn) * np.cos(tilt)])
    up = np.array([0.0, np.cos(tilt), -np.sin(tilt)])
    view = np.stack([left, forward, up])  # rows: what a step to the left, forward and up does across, up and deep
    at = {name: place @ view for name, place in joints(look, pose).items()}
    girth = look.build**0.7
    parts = [part for side in "lr" for part in _limbs(at, look, side, girth)]
    return [*parts, *_trunk(at, look, view, girth), *_head(at, look, view), *_bag(at, look, view)]


def _hull(
    spots: list[tuple[np.ndarray, float]], colour: tuple[float, ...], nearer: float = 0.0, cloth: bool = False
) -> _Part:
    """Wrap circles (centre across, up, deep; radius) tightly: a limb is two of them, a trunk six."""
    angles = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points = np.concatenate([place[:2] + radius * ring for place, radius in spots]).astype(np.float32)
    depth = float(np.mean([place[2] for place, _ in spots])) - nearer
    return _Part(depth, cv2.convexHull(points)[:, 0].astype(float), colour, cloth)


def _limbs(at: dict[str, np.ndarray], look: Look, side: str, girth: float) -> list[_Part]:
    """One leg and one arm."""
    hip, knee, ankle, toe = (at[f"{name}_{side}"] for name in ("hip", "knee", "ankle", "toe"))
    shoulder, elbow, wrist, hand = (at[f"{name}_{side}"] for name in ("shoulder", "elbow", "wrist", "hand"))
    long = look.lower in ("trousers", "coat")
    shin = look.bottom if long else look.skin
    forearm = look.top if look.sleeves else look.skin
    return [
        _hull([(ankle, 0.02), (toe, 0.016)], look.shoes),
        _hull([(knee, 0.034 * girth), (ankle, 0.024 if long else 0.019)], shin),
        _hull(
            [(hip, 0.056 * girth), (knee, 0.037 * girth)], look.bottom if look.lower != "skirt" else look.skin, -0.02
        ),
        _hull([(shoulder, 0.034 * girth), (elbow, 0.027 * girth)], look.top, cloth=True),
        _hull([(elbow, 0.024 * girth), (wrist, 0.018)], forearm, cloth=look.sleeves),
        _hull([(wrist, 0.015), (hand, 0.018)], look.skin, nearer=0.001),
    ]


def _trunk(at: dict[str, np.ndarray], look: Look, view: np.ndarray, girth: float) -> list[_Part]:
    """Torso and neck, and the skirt or coat below."""
    deep = 0.022 * girth * view[1]  # the body's depth, front to back
    belly = 0.55 * at["hip"] + 0.45 * at["chest"]
    ribs = [(at[f"shoulder_{side}"], 0.03 * girth) for side in "lr"]
    waist = [(at[f"hip_{side}"] + sign * deep, 0.052 * girth) for side in "lr" for sign in (-1, 1)]
    middle = [
        (place + sign * deep, 0.055 * girth) for place in (belly, at["chest"] - 0.05 * view[2]) for sign in (-1, 1)
    ]
    parts = [
        _hull([*ribs, *waist, *middle], look.top, nearer=0.02, cloth=True),
        _hull([(at["chest"], 0.034), (at["head"], 0.03)], look.skin, nearer=-0.005),
    ]
    if look.lower in ("skirt", "coat"):
        share = 0.9 if look.lower == "coat" else 0.75
        hem = [(at[f"hip_{side}"] + share * (at[f"knee_{side}"] - at[f"hip_{side}"]), 0.06 * girth) for side in "lr"]
        top = waist if look.lower == "skirt" else [*waist, *ribs]
        parts.append(_hull([*top, *hem], look.bottom if look.lower == "skirt" else look.top, nearer=0.05))
    return parts


def _head(at: dict[str, np.ndarray], look: Look, view: np.ndarray) -> list[_Part]:
    """Skull, a blank face on the side it looks to, hair or cap."""
    head, up, forward = at["head"], view[2], view[1]
    crown, chin = head + 0.016 * up, head - 0.014 * up + 0.008 * forward
    bald = look.hair_style == "bald"
    skull = _hull([(crown, HEAD), (chin, 0.8 * HEAD)], look.skin if bald else look.hair)
    face = _hull([(head + 0.018 * forward - 0.004 * up, 0.8 * HEAD), (chin + 0.016 * forward, 0.62 * HEAD)], look.skin)
    parts = [skull, face._replace(depth=skull.depth + 0.05 * forward[2] - 0.004)]  # towards the camera: in front
    if look.hair_style == "long":
        nape = at["chest"] - 0.03 * forward + 0.01 * up
        parts.append(_hull([(crown - 0.016 * forward, HEAD), (nape, 0.055)], look.hair, nearer=-0.3 * forward[2] * 0.1))
    if look.hair_style == "cap":
        brim = crown + 0.06 * forward + 0.01 * up
        parts.append(_hull([(crown + 0.012 * up, HEAD), (brim, 0.03)], look.trim, nearer=0.03))
    return parts


def _bag(at: dict[str, np.ndarray], look: Look, view: np.ndarray) -> list[_Part]:
    """What is carried."""
    left, forward, up = view
    if look.bag == "backpack":
        back = at["chest"] - 0.085 * forward
        return [_hull([(back - 0.03 * up, 0.05), (back - 0.17 * up, 0.065)], look.bag_colour)]
    if look.bag == "shoulder":
        hip = at["hip_l"] + 0.075 * left
        return [_hull([(hip + 0.03 * up, 0.035), (hip - 0.06 * up, 0.05)], look.bag_colour)]
    if look.bag == "basket":
        grip = at["hand_r"] - 0.02 * up
        rim = [(grip + 0.075 * a * forward + 0.05 * b * left - 0.02 * up, 0.006) for a in (-1, 1) for b in (-1, 1)]
        floor = [(grip + 0.06 * a * forward + 0.04 * b * left - 0.11 * up, 0.006) for a in (-1, 1) for b in (-1, 1)]
        return [_hull([*rim, *floor], look.bag_colour)]
    return []
