"""Bodies: what stays of a drawn person (`Look`), what changes (`Pose`), and where the joints are.

    look = make_look(np.random.default_rng(0))
    joints(look, walking(0.25))["head"]                    # metres are shares of the height: left, forward, up

Lengths of limbs are shares of the body's height after Winter (2009, Biomechanics and Motor Control, figure 4.1).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

THIGH, SHIN, ANKLE, TORSO, UPPER_ARM, FOREARM = 0.245, 0.246, 0.039, 0.288, 0.186, 0.146
SHOULDER, HIP, NECK, HEAD = 0.105, 0.052, 0.045, 0.058  # half widths, the neck's length, the head's radius
FOOT, HAND = 0.10, 0.05
LOWER = ("trousers", "trousers", "trousers", "shorts", "skirt", "coat")
HAIR = ("short", "short", "long", "bald", "cap")
PATTERNS = ("plain", "plain", "plain", "stripes", "checks", "print")
BAGS = ("none", "none", "none", "backpack", "shoulder", "basket")


@dataclass(frozen=True, eq=False)
class Look:
    """What stays of a person from frame to frame; colours are RGB, 0 to 255.

    Attributes
    ----------
    height : float
        Metres from sole to crown.
    build : float
        Girth, 1 is average.
    folds : array (9, 5)
        Light and shade of the clothes.
    """

    height: float = 1.72
    build: float = 1.0
    skin: tuple[float, ...] = (200.0, 150.0, 120.0)
    hair: tuple[float, ...] = (60.0, 40.0, 25.0)
    top: tuple[float, ...] = (60.0, 90.0, 160.0)
    trim: tuple[float, ...] = (230.0, 230.0, 230.0)
    bottom: tuple[float, ...] = (50.0, 50.0, 70.0)
    shoes: tuple[float, ...] = (30.0, 30.0, 30.0)
    bag_colour: tuple[float, ...] = (120.0, 60.0, 40.0)
    hair_style: str = "short"
    lower: str = "trousers"
    pattern: str = "plain"
    bag: str = "none"
    sleeves: bool = True
    folds: np.ndarray = field(default_factory=lambda: np.ones((9, 5), np.float32), repr=False)


@dataclass(frozen=True)
class Pose:
    """Angles in degrees; pairs are left and right. All zero: standing straight, arms down.

    Attributes
    ----------
    thighs, knees : pair
        Thigh forward of the vertical, and how far the knee is bent.
    arms, elbows, spread : pair
        Upper arm forward of the vertical, how far the elbow is bent, upper arm away from the side.
    lean, nod : float
        Torso forward of the vertical, head forward of the torso.
    """

    thighs: tuple[float, float] = (0.0, 0.0)
    knees: tuple[float, float] = (0.0, 0.0)
    arms: tuple[float, float] = (0.0, 0.0)
    elbows: tuple[float, float] = (8.0, 8.0)
    spread: tuple[float, float] = (7.0, 7.0)
    lean: float = 0.0
    nod: float = 0.0


def make_look(rng: np.random.Generator) -> Look:
    """Dress a person: any height from child to tall, any colours."""
    child = rng.random() < 0.08
    tone = rng.uniform(0.3, 1.0)
    hairs = np.array([[25, 20, 18], [60, 40, 25], [110, 75, 40], [190, 160, 100], [150, 150, 150], [215, 215, 212]])
    colours = [_cloth_colour(rng) for _ in range(4)]
    return Look(
        height=float(rng.uniform(0.95, 1.45) if child else np.clip(rng.normal(1.70, 0.09), 1.45, 2.0)),
        build=float(np.clip(rng.normal(1.05, 0.15), 0.8, 1.6)),
        skin=_triple(np.array([235, 190, 165]) * tone),
        hair=_triple(hairs[rng.integers(len(hairs))] + rng.uniform(-10, 10, 3)),
        top=colours[0],
        trim=colours[1],
        bottom=colours[2] if rng.random() < 0.5 else _triple(np.array([45, 50, 75]) * rng.uniform(0.4, 2.2)),
        shoes=_triple(rng.choice([25, 60, 120, 235]) + rng.uniform(-15, 15, 3)),
        bag_colour=colours[3],
        hair_style=str(rng.choice(HAIR)),
        lower=str(rng.choice(LOWER)),
        pattern=str(rng.choice(PATTERNS)),
        bag=str(rng.choice(BAGS)),
        sleeves=bool(rng.random() < 0.65),
        folds=rng.uniform(0.75, 1.15, (9, 5)).astype(np.float32),
    )


def standing(rng: np.random.Generator) -> Pose:
    """Stand about: weight on one leg, arms down, folded or holding something."""
    bend = float(rng.uniform(0, 25))
    arms = [(0, 8), (10, 70), (25, 95), (35, 110)]
    left, right = (arms[number] for number in rng.integers(0, 4, 2))
    return Pose(
        thighs=(bend / 2, 0.0),
        knees=(bend, 0.0),
        arms=(float(left[0]), float(right[0])),
        elbows=(float(left[1]), float(right[1])),
        spread=(float(rng.uniform(4, 18)), float(rng.uniform(4, 18))),
        lean=float(rng.uniform(-3, 8)),
        nod=float(rng.uniform(-5, 35)),
    )


def walking(phase: float, pace: float = 1.0) -> Pose:
    """Walk: one gait cycle as `phase` goes from 0 to 1 (left heel strikes at 0), `pace` 1 a normal stride."""
    swing = np.cos(2 * np.pi * np.array([phase, phase + 0.5]))
    lift = np.clip(np.sin(2 * np.pi * np.array([phase + 0.45, phase + 0.95])), 0, 1)
    return Pose(
        thighs=_pair(24 * pace * swing + 2),
        knees=_pair(6 + 52 * pace * lift),
        arms=_pair(-20 * pace * swing),
        elbows=_pair(15 + 12 * pace * (1 - swing)),
        lean=3.0,
    )


def reaching(height: float, right: bool = True) -> Pose:
    """Reach for a shelf in front at a height given as a share of the own one: bent down (0.2) to stretched up (1.1)."""
    bent = float(np.clip(0.6 - height, 0, 0.5))
    lean, arm = 6 + 100 * bent, float(np.clip(90 * height + 5, 30, 150))
    arms = (8.0, arm) if right else (arm, 8.0)
    crouch = 90 * max(0.0, bent - 0.2)
    legs = (crouch + 4, crouch)
    return Pose(legs, (2 * crouch + 4, 2 * crouch), arms, (12.0, 12.0), (6.0, 6.0), lean, 15.0)


def crouching(rng: np.random.Generator) -> Pose:
    """Squat before a low shelf."""
    deep = float(rng.uniform(70, 105))
    legs, knees = (deep, deep * 0.8), (deep * 1.45, deep * 1.6)
    return Pose(legs, knees, (55.0, 70.0), (25.0, 30.0), (8.0, 8.0), float(rng.uniform(10, 30)), 10.0)


def any_pose(rng: np.random.Generator) -> Pose:
    """One of all poses, as often as in a store: half walk, a quarter stand, the others reach or squat."""
    choice = rng.random()
    if choice < 0.5:
        return walking(float(rng.random()), float(rng.uniform(0.5, 1.2)))
    if choice < 0.78:
        return standing(rng)
    if choice < 0.95:
        return reaching(float(rng.uniform(0.2, 1.05)), bool(rng.random() < 0.5))
    return crouching(rng)


def joints(look: Look, pose: Pose) -> dict[str, np.ndarray]:
    """Place the joints of a body of height 1 above its foot point.

    Parameters
    ----------
    look : Look
        Its build widens the shoulders.
    pose : Pose

    Returns
    -------
    dict of arrays (3,)
        hip, chest, head, and of each side (`_l`, `_r`) hip, knee, ankle, toe, shoulder, elbow, wrist, hand:
        to the body's left, forward and up, in shares of the height. The lower foot stands at 0.
    """
    found: dict[str, np.ndarray] = {"hip": np.zeros(3)}
    trunk = _toward(180 - pose.lean)
    found["chest"] = found["hip"] + TORSO * trunk
    found["neck"] = found["chest"] + NECK * _toward(180 - 0.7 * pose.lean)
    found["head"] = found["neck"] + 1.25 * HEAD * _toward(180 - 0.4 * pose.lean - pose.nod)
    for number, (side, sign) in enumerate((("l", 1.0), ("r", -1.0))):
        found |= {f"{name}_{side}": place for name, place in _leg(pose, number, sign).items()}
        arm = _arm(pose, number, sign, found["chest"], look.build)
        found |= {f"{name}_{side}": place for name, place in arm.items()}
    ground = min(found["ankle_l"][2], found["ankle_r"][2]) - ANKLE
    return {name: place - [0, 0, ground] for name, place in found.items()}


def _toward(angle: float, aside: float = 0.0, sign: float = 1.0) -> np.ndarray:
    """Unit vector (left, forward, up) at an angle in degrees forward of straight down, and some degrees aside."""
    swing, out = np.radians(angle), np.radians(aside)
    return np.array([sign * np.sin(out), np.sin(swing) * np.cos(out), -np.cos(swing) * np.cos(out)])


def _leg(pose: Pose, number: int, sign: float) -> dict[str, np.ndarray]:
    hip = np.array([sign * HIP, 0.0, 0.0])
    knee = hip + THIGH * _toward(pose.thighs[number], 3, sign)
    ankle = knee + SHIN * _toward(pose.thighs[number] - pose.knees[number])
    tip = np.radians(np.clip((pose.knees[number] - pose.thighs[number]) * 0.6, 0, 70))  # the heel lifts behind
    toe = ankle + np.array([0, FOOT * np.cos(tip), -FOOT * np.sin(tip) - 0.5 * ANKLE * np.cos(tip)])
    return {"hip": hip, "knee": knee, "ankle": ankle, "toe": toe}


def _arm(pose: Pose, number: int, sign: float, chest: np.ndarray, build: float) -> dict[str, np.ndarray]:
    shoulder = chest + np.array([sign * SHOULDER * build**0.5, 0, -0.01])
    upper = pose.arms[number]
    elbow = shoulder + UPPER_ARM * _toward(upper, pose.spread[number], sign)
    wrist = elbow + FOREARM * _toward(upper + pose.elbows[number], pose.spread[number] * 0.3, sign)
    return {"shoulder": shoulder, "elbow": elbow, "wrist": wrist,
            "hand": wrist + HAND * _toward(upper + pose.elbows[number])}  # fmt: skip


def _cloth_colour(rng: np.random.Generator) -> tuple[float, ...]:
    """A colour that people wear: often dark, grey or white, sometimes bright."""
    grey = rng.uniform(15, 240)
    return _triple(grey + rng.uniform(-1, 1, 3) * rng.choice([8, 40, 110]))


def _triple(colour: np.ndarray) -> tuple[float, ...]:
    return tuple(np.clip(colour, 5, 250).tolist())


def _pair(values: np.ndarray) -> tuple[float, float]:
    return float(values[0]), float(values[1])
