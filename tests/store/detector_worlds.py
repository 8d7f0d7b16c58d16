"""A statistical world of photographs and a detector, where the truth costs nothing: no pictures, only verdicts."""

import numpy as np

from retailkit.store.match import IOUS, Matches


def chance(odds: np.ndarray) -> np.ndarray:
    """Turn log-odds into probabilities."""
    return 1 / (1 + np.exp(-odds))


def detector_world(
    rng: np.random.Generator,
    groups: int,
    largest: int = 1,
    skill: float = 0.5,
    strays: float = 6.0,
    rates: tuple[float, ...] = (4.0, 3.0),
    twin: bool = False,
    levels: int = len(IOUS),
) -> tuple[Matches, Matches, np.ndarray]:
    """Photograph shelves, let a detector look, and look again: (matches, a second look, group of each photograph).

    A group's photographs show the same shelf: the same truths, equally hard to see. Hard photographs have
    fewer hits, at lower confidence and poorer overlap, and more strays.

    Parameters
    ----------
    groups, largest : int
        Number of near-duplicate groups, of 1 to `largest` photographs.
    skill : float
        Log-odds by which hits stand out.
    strays : float
        Mean number of false detections per photograph.
    rates : floats
        Mean number of truths of each class per photograph.
    twin : bool
        Whether the second look is taken (else it is the first again).
    levels : int
        Number of overlaps, from 0.5 up: few are quicker.
    """
    group = np.repeat(np.arange(groups), rng.integers(1, largest + 1, groups))
    hardness = rng.normal(0, 0.7, groups)[group]
    truths = np.stack([rng.poisson(rate * rng.gamma(2, 0.5, groups))[group] for rate in rates], axis=1)
    looks = [_look(rng, truths, hardness, skill, strays, IOUS[:levels]) for _ in range(1 + twin)]
    return looks[0], looks[-1], group


def _look(
    rng: np.random.Generator, truths: np.ndarray, hardness: np.ndarray, skill: float, strays: float, ious: np.ndarray
) -> Matches:
    photos, labels, confidences, overlaps = [], [], [], []
    for label, number in enumerate(truths.T):
        true = np.repeat(np.arange(len(number)), number)
        hit = true[rng.random(len(true)) < chance(0.5 + 1.5 * skill - hardness[true])]
        odds = rng.normal(skill - 1 - 0.7 * hardness[hit], 1.2)
        false = np.repeat(np.arange(len(number)), rng.poisson(strays / truths.shape[1] * np.exp(0.4 * hardness)))
        photos += [hit, false]
        labels += [np.full(len(hit) + len(false), label)]
        confidences += [chance(odds), chance(rng.normal(-2.5, 1.2, len(false)))]
        overlaps += [rng.beta(6, 2, len(hit)) - 0.1 * (hardness[hit] > 0), np.zeros(len(false))]
    correct = np.concatenate(overlaps)[:, None] >= ious
    names = [f"{photo:06}" for photo in range(len(truths))]
    classes = [f"class {label}" for label in range(truths.shape[1])]
    return Matches(
        names,
        classes,
        ious,
        np.concatenate(photos),
        np.concatenate(labels),
        np.concatenate(confidences),
        correct,
        truths,
    )


def pick(matches: Matches, photos: np.ndarray) -> Matches:
    """Take some photographs (positions, ascending) out of many."""
    order = np.argsort(matches.photo, kind="stable")
    starts, ends = (np.searchsorted(matches.photo[order], photos, side=side) for side in ("left", "right"))
    rows = np.concatenate([order[start:end] for start, end in zip(starts, ends, strict=True)])
    return Matches(
        [matches.photos[photo] for photo in photos],
        matches.names,
        matches.ious,
        np.repeat(np.arange(len(photos)), ends - starts),
        matches.label[rows],
        matches.confidence[rows],
        matches.correct[rows],
        matches.truths[photos],
    )
