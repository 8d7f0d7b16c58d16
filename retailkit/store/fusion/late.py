"""Late fusion: what the door believes and what cameras and plates believe, weighed by what known days teach.

    late = fit_late(days)                       # pairs of a scene and what truly happened
    late(scene)                                 # an Attribution, as every method gives it

The door speaks of tags, and cameras and plates of things seen, so they meet where both can be counted: in units of a
product that a shopper left with. The most probable tag of the product with that shopper goes with the surest unit seen,
the second with the second, and so on; what one has more of stands alone. A unit's log-odds are a weighted sum of both
methods' log-odds (the logarithmic opinion pool; Genest & Zidek 1986), by logistic regression on whether the shopper
left with so many. Where one says nothing of a unit, a constant stands for its log-odds and the other has a weight of
its own, as it means something that no tag left or that no hand was seen. Of what neither speaks nothing is told.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit

from retailkit.store.fusion.arms import hands_and_plates, rfid_only
from retailkit.store.fusion.attribution import BELIEFS, Attribution, attribute, charge_expected
from retailkit.store.fusion.early import count_bought, share_out
from retailkit.store.fusion.sensors import Scene
from retailkit.store.fusion.truth import TrueDay

_SUREST = 0.995  # probabilities nearer to 0 or 1 than this are taken as if they were not
_SIDES = ["radio", "eyes"]
_LOOSE = 100.0  # inverse of the penalty: there are thousands of rows for seven numbers


@dataclass(frozen=True, eq=False)
class LateFusion:
    """Fitted weights, called on a scene.

    Attributes
    ----------
    weights : array (6,)
        Of the log-odds of the door and of cameras and plates; what is added where the one, or the other, says nothing;
        and what its silence adds to the weight of the other, in the same order.
    bias : float
    """

    weights: NDArray[np.float64]
    bias: float

    def __call__(self, scene: Scene) -> Attribution:
        """Say who left with what: probabilities of an item are scaled down where they sum to more than 1."""
        radio, eyes = rfid_only(scene), hands_and_plates(scene)
        beliefs = self.believe(join_units(radio.beliefs, eyes.beliefs))
        return attribute(beliefs, eyes.events, charge_expected(beliefs))

    def believe(self, units: pd.DataFrame) -> pd.DataFrame:
        """Beliefs of units that were joined."""
        odds = _columns(units) @ self.weights + self.bias
        return share_out(units.assign(probability=expit(odds)))


def join_units(radio: pd.DataFrame, eyes: pd.DataFrame) -> pd.DataFrame:
    """Bring beliefs about tags and about things seen together, unit by unit.

    >>> radio = pd.DataFrame({"item": ["A"], "product": "tea", "shopper": 1, "probability": [0.7]})
    >>> eyes = pd.DataFrame({"item": ["seen 1", "seen 2"], "product": "tea", "shopper": 1, "probability": [0.4, 0.9]})
    >>> join_units(radio, eyes)[["item", "unit", "radio", "eyes"]].values.tolist()
    [['A', 1, 0.7, 0.9], ['seen 1', 2, nan, 0.4]]

    Parameters
    ----------
    radio, eyes : DataFrame with item, product, shopper, probability

    Returns
    -------
    DataFrame
        product, shopper, unit (from 1), item (the tag, or else the thing seen), radio, eyes (probabilities; nan where
        one says nothing).
    """
    keys = ["product", "shopper", "unit"]
    sides = [_ranked(beliefs, name) for beliefs, name in zip((radio, eyes), _SIDES, strict=True)]
    both = sides[0].merge(sides[1], on=keys, how="outer", suffixes=("", "_seen"))
    both = both.assign(item=both["item"].fillna(both["item_seen"]))
    return both[[*keys, "item", *_SIDES]].sort_values(keys, kind="stable", ignore_index=True)


def _ranked(beliefs: pd.DataFrame, name: str) -> pd.DataFrame:
    ordered = beliefs[BELIEFS].sort_values("probability", ascending=False, kind="stable")
    unit = ordered.groupby(["product", "shopper"]).cumcount() + 1
    typed = ordered.assign(unit=unit).astype({"item": object, "product": object, "shopper": int, "probability": float})
    return typed.rename(columns={"probability": name})


def _columns(units: pd.DataFrame) -> NDArray[np.float64]:
    said = units[_SIDES].to_numpy(float)
    sure = np.clip(said, 1 - _SUREST, _SUREST)
    silent = np.isnan(said)
    odds = np.where(silent, 0.0, logit(sure))
    return np.column_stack([odds, silent, odds[:, ::-1] * silent])


def fit_late(days: Iterable[tuple[Scene, TrueDay]]) -> LateFusion:
    """Learn weights from days of which it is known who left with what.

    Parameters
    ----------
    days : pairs of Scene and TrueDay

    Returns
    -------
    LateFusion

    Raises
    ------
    ValueError
        There is no unit, or all of them are true, or none.
    """
    return learn_late([label_units(scene, truth) for scene, truth in days])


def label_units(scene: Scene, truth: TrueDay) -> pd.DataFrame:
    """Join what both methods say of a day, and say of each unit whether the shopper left with so many: `true`."""
    units = join_units(rfid_only(scene).beliefs, hands_and_plates(scene).beliefs)
    return units.assign(true=units["unit"].to_numpy() <= count_bought(units, truth.receipts))


def learn_late(labelled: Sequence[pd.DataFrame]) -> LateFusion:
    """As `fit_late`, of units that were labelled before."""
    from sklearn.linear_model import LogisticRegression

    right, number = sum(int(rows["true"].sum()) for rows in labelled), sum(map(len, labelled))
    if not 0 < right < number:
        raise ValueError(
            f"{number} units of {len(labelled)} days, {right} of them true; both kinds are needed to learn"
        )
    rows = pd.concat(labelled, ignore_index=True)
    model = LogisticRegression(C=_LOOSE, max_iter=500).fit(_columns(rows), rows["true"].to_numpy(bool))
    return LateFusion(model.coef_[0], float(model.intercept_[0]))
