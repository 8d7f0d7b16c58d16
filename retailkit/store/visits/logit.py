"""The conditional logit's arithmetic: probabilities, the fit by xlogit, whether there is one, and its robust errors.

The likelihood is concave (McFadden 1974), so that Newton's steps from anywhere near arrive at the one best answer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from retailkit.store.visits.choice_sets import ChoiceSets

Floats = NDArray[np.float64]
_FLAT = 1e-9  # of the information's largest eigenvalue: below it, nothing tells a direction of the coefficients
_GAIN = 1e-5  # log-likelihood that the last Newton step brings at most: it squares, so that none is left to gain
_STEPS = 60


def probabilities(sets: ChoiceSets, coefficients: Floats) -> Floats:
    """Probability of each alternative, 0 where there is none: (situations, places)."""
    utility = np.where(sets.available, sets.attributes @ coefficients, -np.inf)
    weight = np.exp(utility - utility.max(axis=1, keepdims=True))
    return weight / weight.sum(axis=1, keepdims=True)


def log_chances(sets: ChoiceSets, chance: Floats) -> Floats:
    """Logarithm of the probability of what was seen to be chosen: (situations,)."""
    return np.log(np.maximum(np.einsum("np,np->n", sets.seen, chance), 1e-300))


def slopes(sets: ChoiceSets, chance: Floats) -> tuple[Floats, Floats, Floats]:
    """How log-likelihoods change with the coefficients.

    Returns
    -------
    gradient : array (situations, coefficients)
    about : array (situations, places, coefficients)
        Attributes about their expected values.
    after : array (situations, places)
        Probability of each alternative once it is known what was seen.
    """
    joint = sets.seen * chance
    after = joint / np.maximum(joint.sum(axis=1, keepdims=True), 1e-300)
    about = sets.attributes - np.einsum("np,npk->nk", chance, sets.attributes)[:, None, :]
    return np.einsum("np,npk->nk", after, about), about, after


def information(about: Floats, weight: Floats) -> Floats:
    """Fisher's information: `weight` is each alternative's probability, times what its situation counts."""
    flat = about.reshape(-1, about.shape[-1])
    return flat.T @ (flat * weight.reshape(-1, 1))


def curvature(sets: ChoiceSets, chance: Floats, count: Floats) -> tuple[Floats, Floats]:
    """Sum the gradient, and how the log-likelihood bends: by what would be known, less what errors hide (Louis 1982).

    Where it bends the wrong way, far from the top, what would be known stands for it.
    """
    gradient, about, after = slopes(sets, chance)
    full = information(about, chance * count[:, None])
    hidden = information(about - gradient[:, None, :], after * count[:, None])
    bent = full - hidden
    certain = np.linalg.eigvalsh(bent)[0] > 1e-12 * np.trace(full)
    return count @ gradient, bent if certain else full


def climb(sets: ChoiceSets, start: Floats, weights: Floats | None = None) -> Floats:
    """Go uphill from a start by Newton's method to the coefficients of the greatest likelihood.

    Parameters
    ----------
    weights : array (situations,), optional
        How often each situation counts: what a resample drew, or a fold leaves.

    Raises
    ------
    ValueError
        There is no greatest likelihood within reach.
    """
    count = np.ones(len(sets)) if weights is None else weights
    best = start
    chance = probabilities(sets, best)
    height = count @ log_chances(sets, chance)
    for _ in range(_STEPS):
        uphill, bend = curvature(sets, chance, count)
        step = np.linalg.lstsq(bend, uphill, rcond=None)[0]
        if uphill @ step < _GAIN:
            return best + step
        for _ in range(30):
            chance = probabilities(sets, best + step)
            reached = count @ log_chances(sets, chance)
            if reached >= height:
                break
            step = step / 2
        best, height = best + step, reached
    raise ValueError(
        "the fit does not settle: some attribute tells nearly all choices apart; leave it out or join values"
    )


def fit(sets: ChoiceSets) -> Floats:
    """Fit the coefficients by xlogit, in units of each attribute's spread; then to the last digit.

    Raises
    ------
    ValueError
        An attribute's coefficient cannot be told, or would be infinite.
    """
    from xlogit import MultinomialLogit

    spread = check_identified(sets)
    check_separated(sets, spread)
    situations, places, number = sets.attributes.shape
    picked = np.zeros((situations, places))
    picked[np.arange(situations), sets.chosen] = 1.0
    model = MultinomialLogit()
    model.fit(
        (sets.attributes / spread).reshape(-1, number),
        picked.ravel(),
        varnames=list(sets.names),
        alts=np.tile(np.arange(places), situations),
        ids=np.repeat(np.arange(situations), places),
        avail=sets.available.astype(float).ravel(),
        skip_std_errs=True,
        verbose=0,
    )
    return climb(sets, model.coeff_ / spread)


def check_identified(sets: ChoiceSets) -> Floats:
    """Refuse attributes whose coefficients no choice could tell; give each attribute's spread within sets.

    A coefficient is told by what differs within sets. The information where all alternatives are equally likely has a
    direction without any exactly where there is none at all.
    """
    equal = sets.available / sets.available.sum(axis=1, keepdims=True)
    _, about, _ = slopes(sets, equal)
    spread = np.sqrt((about**2 * equal[..., None]).sum(axis=(0, 1)) / len(sets))
    size = np.abs(sets.attributes).max(axis=(0, 1))
    for name, flat in zip(sets.names, spread <= 1e-9 * np.maximum(size, 1e-300), strict=True):
        if flat:
            raise ValueError(
                f"{name!r} is the same for all alternatives of every set, so that no choice tells what it is worth; "
                "leave it out"
            )
    values, vectors = np.linalg.eigh(information(about / spread, equal))
    if values[0] < _FLAT * values[-1]:
        tied = [name for name, part in zip(sets.names, np.abs(vectors[:, 0]), strict=True) if part > 0.05]
        raise ValueError(
            f"{', '.join(map(repr, tied))} always go together within sets, so that their coefficients cannot be told "
            "apart; leave one of them out"
        )
    return spread


def check_separated(sets: ChoiceSets, spread: Floats) -> None:
    """Refuse choices that some mix of attributes foretells without fail: its coefficient would be infinite.

    That is so exactly if a mix never speaks for an alternative that was passed over (Albert & Anderson 1984); the
    linear programme looks for one (Konis 2007).
    """
    own = sets.attributes[np.arange(len(sets)), sets.chosen]
    others = sets.available.copy()
    others[np.arange(len(sets)), sets.chosen] = False
    ahead = ((own[:, None, :] - sets.attributes) / spread)[others]
    ahead = np.unique(ahead.round(12), axis=0)
    found = linprog(-ahead.sum(axis=0), A_ub=-ahead, b_ub=np.zeros(len(ahead)), bounds=(-1, 1), method="highs")
    if found.status == 0 and -found.fun > 1e-6:
        mix = [name for name, part in zip(sets.names, np.abs(found.x), strict=True) if part > 1e-6]
        raise ValueError(
            f"{', '.join(map(repr, mix))} foretell without fail what is passed over (perfect separation), "
            "so that no finite coefficient fits best; leave out what is never or always chosen, or join it with another"
        )


def robust_covariance(sets: ChoiceSets, coefficients: Floats) -> Floats:
    """Covariance of the coefficients from the spread of clusters' gradients (Liang & Zeger 1986), G / (G − 1) times."""
    chance = probabilities(sets, coefficients)
    gradient, _, _ = slopes(sets, chance)
    number = int(sets.clusters.max()) + 1
    summed = np.zeros((number, gradient.shape[1]))
    np.add.at(summed, sets.clusters, gradient)
    bread = np.linalg.inv(curvature(sets, chance, np.ones(len(sets)))[1])
    return bread @ (summed.T @ summed) @ bread * number / max(number - 1, 1)
