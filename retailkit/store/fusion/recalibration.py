"""Probabilities put right on days of which the truth is known: what was said against how often it was so.

    curves = fit_recalibration(days)            # pairs of what a method found and what truly happened
    recalibrate(found, curves)                  # the same method, as sure as it should be

A monotone curve keeps every order and changes no method's mind, only how sure it is (isotonic regression; Zadrozny &
Elkan 2002). There are four: of items with a tag and of things seen, as those are believed for other reasons, and of
each item's most probable shopper and the others, as a probability of 0.3 that is the best of many is another thing than
one that is beaten.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.datasets.tables import need_columns
from retailkit.store.fusion.attribution import BELIEFS, SEEN, Attribution, charge_expected, scale_down
from retailkit.store.fusion.calibration import label_beliefs, most_probable
from retailkit.store.fusion.truth import TrueDay

_LABELLED = ["day", "item", "probability", "true", "told"]
_KINDS = ["tag, first", "tag, other", "seen, first", "seen, other"]
_FEW = 30  # rows of a kind that a curve needs; with fewer all kinds are one
_SUREST = 0.998  # no curve says more than this, or less than 1 less this: no mistake in a few days is no certainty


@dataclass(frozen=True, eq=False)
class Curves:
    """Curves of the probability that is right by the one that was said.

    Attributes
    ----------
    knots : dict of str to array (2, knots)
        By kind of row, said (ascending) and true (not descending); straight between.
    """

    knots: dict[str, NDArray[np.float64]]


def fit_recalibration(days: Iterable[tuple[Attribution, TrueDay]]) -> Curves:
    """Learn curves from days of which it is known who left with what.

    Parameters
    ----------
    days : pairs of Attribution and TrueDay
        Of one method, which should not have learned from these days itself.

    Returns
    -------
    Curves

    Raises
    ------
    ValueError
        Nothing is believed of any day.
    """
    parts = [
        label_beliefs(found.beliefs, truth.receipts).assign(day=number) for number, (found, truth) in enumerate(days)
    ]
    return fit_curves(pd.concat(parts) if parts else _none())


def fit_curves(labelled: pd.DataFrame) -> Curves:
    """As `fit_recalibration`, of beliefs labelled by `label_beliefs`, of all days in one table.

    Parameters
    ----------
    labelled : DataFrame with day, item, probability, true, told
        The column day tells items of one name apart, which each day has anew.

    Raises
    ------
    ValueError
        A column is missing, or nothing is believed of any day.
    """
    need_columns(labelled, _LABELLED, "beliefs")
    rows = labelled[labelled["told"] & (labelled["probability"] > 0)]
    if not len(rows):
        raise ValueError("nothing is believed of any day; at least one row is needed to learn from")
    kinds = _kinds(rows)
    every = _isotonic(rows)
    parts = {kind: rows[kinds == kind] for kind in _KINDS}
    return Curves({kind: _isotonic(part) if len(part) >= _FEW else every for kind, part in parts.items()})


def recalibrate(found: Attribution, curves: Curves) -> Attribution:
    """Put beliefs right, and write receipts anew, by `charge_expected`.

    Parameters
    ----------
    found : Attribution
    curves : Curves

    Returns
    -------
    Attribution
        Probabilities of an item are scaled down where they sum to more than 1.
    """
    beliefs = correct(found.beliefs, curves)
    return Attribution(beliefs, found.events, charge_expected(beliefs))


def correct(beliefs: pd.DataFrame, curves: Curves) -> pd.DataFrame:
    """As `recalibrate`, of beliefs alone."""
    said, kinds = beliefs["probability"].to_numpy(float), _kinds(beliefs)
    right = said.copy()
    for kind, knots in curves.knots.items():
        right[kinds == kind] = np.interp(said[kinds == kind], *knots)
    return scale_down(beliefs[BELIEFS].assign(probability=right)).reset_index(drop=True)


def _none() -> pd.DataFrame:
    return pd.DataFrame({name: [] for name in _LABELLED}).astype({"told": bool})


def _kinds(rows: pd.DataFrame) -> NDArray[np.str_]:
    """Which curve is a row's."""
    seen = rows["item"].astype(str).str.startswith(SEEN).to_numpy()
    first = np.zeros(len(rows), dtype=bool)
    numbered = rows.reset_index(drop=True)
    first[most_probable(numbered).index] = True
    return np.asarray(_KINDS)[2 * seen + ~first]


def _isotonic(rows: pd.DataFrame) -> NDArray[np.float64]:
    from sklearn.isotonic import IsotonicRegression

    model = IsotonicRegression(y_min=1 - _SUREST, y_max=_SUREST)
    model.fit(rows["probability"].to_numpy(float), rows["true"].to_numpy(float))
    return np.stack([model.X_thresholds_, model.y_thresholds_])
