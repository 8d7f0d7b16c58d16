"""Ours, taught by days of which it is known who left with what: corrected by all else, and as sure as it is right.

    ours = teach(days)                          # pairs of a scene and what truly happened
    ours(scene)                                 # an Attribution, as every method gives it

Following tags (`joint`) needs no day with known receipts, and does not know what such a day tells: how often a thing
without a tag leaves, how much a quiet tag means, when two in a crowd are hopeless. So its beliefs become columns beside
all others of early fusion, whose trees correct them (stacked generalisation; Wolpert 1992), and curves learned on days
that the trees did not see put the probabilities right.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from retailkit.store.fusion.attribution import Attribution
from retailkit.store.fusion.calibration import label_beliefs
from retailkit.store.fusion.early import EarlyFusion, label_candidates, learn_early
from retailkit.store.fusion.joint import fuse_scene
from retailkit.store.fusion.recalibration import Curves, fit_curves, recalibrate
from retailkit.store.fusion.sensors import Scene
from retailkit.store.fusion.truth import TrueDay

_FOLDS = 5  # of days: curves are fitted on what trees say of days they did not learn from

Labelled = Sequence[tuple[pd.DataFrame, pd.DataFrame]]  # of each day its candidates and what was sold


@dataclass(frozen=True, eq=False)
class Taught:
    """A method with what it was taught, called on a scene.

    Attributes
    ----------
    model : EarlyFusion
    curves : Curves
    """

    model: EarlyFusion
    curves: Curves

    def __call__(self, scene: Scene) -> Attribution:
        """Say who left with what."""
        return recalibrate(self.model(scene), self.curves)


def teach(days: Iterable[tuple[Scene, TrueDay]], arm: Callable[[Scene], Attribution] | None = fuse_scene) -> Taught:
    """Learn from days of which it is known who left with what.

    Parameters
    ----------
    days : pairs of Scene and TrueDay, of two days at least
    arm : function of a Scene, giving an Attribution; or None
        The method to be taught: by default ours. With None the trees have nothing but early fusion's columns.

    Returns
    -------
    Taught

    Raises
    ------
    ValueError
        There are fewer than two days, or as in `fit_early`.
    """
    return teach_labelled([(label_candidates(scene, truth, arm), truth.receipts) for scene, truth in days], arm)


def teach_labelled(
    labelled: Labelled,
    arm: Callable[[Scene], Attribution] | None = fuse_scene,
    days: Sequence[Hashable] | None = None,
) -> Taught:
    """As `teach`, of candidates that were labelled before: a table, and what was sold, for each day.

    Tables with the same entry in `days` are of one day (as a day simulated twice with other habits): they are learned
    from together, or not at all. By default each is a day of its own.
    """
    group, names = pd.factorize(pd.Series(list(range(len(labelled)) if days is None else days)))
    if len(names) < 2:
        raise ValueError(f"{len(names)} days are given; 2 at least are needed, to check the one by the other")
    unseen, folds = [], min(_FOLDS, len(names))
    for fold in range(folds):
        kept = np.flatnonzero(group % folds != fold).tolist()
        model = learn_early([labelled[number] for number in kept], arm, days=group[kept].tolist())
        for number in np.flatnonzero(group % folds == fold).tolist():
            candidates, sold = labelled[number]
            unseen.append(label_beliefs(model.believe(candidates), sold).assign(day=number))
    return Taught(learn_early(labelled, arm, days=group.tolist()), fit_curves(pd.concat(unseen)))
