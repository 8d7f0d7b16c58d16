"""Early fusion: gradient boosting over all that may be told of an item and a shopper, learned on known days.

    early = fit_early(days)                     # pairs of a scene and what truly happened
    early(scene)                                # an Attribution, as every method gives it

No physics and no day-long inference: acts, reads and tracks become columns (`retailkit.store.fusion.candidates`), and
trees weigh them (histogram gradient boosting; Ke et al. 2017, as scikit-learn has it). It is to be beaten, so it knows
of each pair what it has against its rivals: the other shoppers of the item and the other items of the shopper. And as
trees that judge eight like tins one by one lose count of them, a second model says how many units of a product a
shopper left with, from the same columns and what the first one said (stacked generalisation; Wolpert 1992); its sum is
what the items' probabilities are scaled to.

With `arm` a method's beliefs are columns too, and what comes out is that method corrected by all else that is known.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.store.fusion.attribution import BELIEFS, Attribution, attribute, charge_expected, scale_down
from retailkit.store.fusion.calibration import label_beliefs
from retailkit.store.fusion.candidates import FEATURES, Candidates, find_candidates
from retailkit.store.fusion.sensors import Scene
from retailkit.store.fusion.truth import TrueDay

_TOLD = 0.02  # beliefs below are not told, as with every method
_FOLDS = 3  # of days, so that the second model learns from what the first says of days it has not seen
_MOST = 3  # units of a product that a shopper may be told to have left with
_STEEP = 5.0  # at most so many times more probable does the count make an item
_TREES = {
    "max_iter": 300, "learning_rate": 0.03, "max_leaf_nodes": 15, "min_samples_leaf": 40, "l2_regularization": 1.0,
    "max_features": 0.3,
}  # fmt: skip
_PAIR = ["own", "company", "back", "crowd", "closest", "window", "known", "takes", "backs", "gone", "tags", "surplus"]
HINT, _HINTED = ["hint", "hint_count"], ["hint_count"]  # what a given method says of the item, and of such units
_COUNTS = ["unit", "said", "most", "second", "without", "others", "lead", *_PAIR]


@dataclass(frozen=True, eq=False)
class EarlyFusion:
    """A fitted model, called on a scene.

    Attributes
    ----------
    arm : function of a Scene, or None
        A method whose beliefs are columns too.
    items : HistGradientBoostingClassifier
        Whether a candidate's item left with its shopper.
    units : HistGradientBoostingClassifier
        Whether a shopper left with so many units of a product at least.
    """

    arm: Callable[[Scene], Attribution] | None
    items: Any
    units: Any

    def __call__(self, scene: Scene, candidates: Candidates | None = None) -> Attribution:
        """Say who left with what: probabilities of an item are scaled down where they sum to more than 1.

        Candidates of the scene may be given, where more than one model asks for them.
        """
        found = find_candidates(scene) if candidates is None else candidates
        beliefs = self.believe(_hinted(found.table, self.arm(scene)) if self.arm else found.table)
        return attribute(beliefs, found.events, charge_expected(beliefs))

    def believe(self, table: pd.DataFrame) -> pd.DataFrame:
        """Beliefs of candidates."""
        columns, counts = _columns(self.arm)
        table = table.assign(probability=_chances(self.items, table, columns))
        units = _units(table)
        told = _chances(self.units, units, counts)
        count = units.assign(count=told).groupby(["product", "shopper"])["count"].sum()
        sums = table.groupby(["product", "shopper"])["probability"].sum()
        scale = (count / sums.clip(lower=1e-6)).clip(upper=_STEEP).rename("scale")
        scaled = table.join(scale, on=["product", "shopper"])
        return share_out(scaled.assign(probability=(scaled["probability"] * scaled["scale"]).clip(upper=1.0)))


def _hinted(table: pd.DataFrame, found: Attribution) -> pd.DataFrame:
    """Add what a method says of each candidate, and of all units of the product with that shopper."""
    said = found.beliefs.set_index(["item", "shopper"])["probability"]
    sums = found.beliefs.groupby(["product", "shopper"])["probability"].sum()
    values = [
        side.reindex(pd.MultiIndex.from_frame(table[list(side.index.names)])).fillna(0.0).to_numpy()
        for side in (said, sums)
    ]
    return table.assign(**dict(zip(HINT, values, strict=True)))


def _chances(model: Any, table: pd.DataFrame, columns: list[str]) -> NDArray[np.float64]:
    from threadpoolctl import threadpool_limits

    if not len(table):
        return np.empty(0)
    with threadpool_limits(1):
        return np.asarray(model.predict_proba(table[columns].to_numpy(float))[:, 1])


def _columns(arm: object) -> tuple[list[str], list[str]]:
    """Columns of both models."""
    return (FEATURES + HINT, _COUNTS + _HINTED) if arm else (FEATURES, _COUNTS)


def _units(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of shopper, product and unit (from 1), with what is told of them all."""
    tagged = table["seen"] == 0
    table = table.assign(tag=table["probability"].where(tagged, 0.0), other=table["probability"].where(~tagged, 0.0))
    table = table.sort_values("tag", ascending=False, kind="stable")
    keys, first = ["product", "shopper"], [name for name in _PAIR + _HINTED if name in table]
    pairs = table.groupby(keys, as_index=False).agg(
        said=("tag", "sum"),
        most=("tag", "first"),
        without=("other", "sum"),
        **{name: (name, "first") for name in first},
    )
    second = table[table.groupby(keys).cumcount() == 1].set_index(keys)["tag"]
    pairs["second"] = second.reindex(pd.MultiIndex.from_frame(pairs[keys])).fillna(0.0).to_numpy()
    both = pairs["said"] + pairs["without"]
    pairs["others"] = both.groupby(pairs["product"]).transform("sum") - both
    pairs["lead"] = both / both.groupby(pairs["product"]).transform("max").clip(lower=1e-9)
    every = pd.concat([pairs.assign(unit=number) for number in range(1, _MOST + 1)])
    room = every[["own", "company", "said"]].max(axis=1) + 1.5
    return every[(every["unit"] == 1) | (every["unit"] < room)].reset_index(drop=True)


def fit_early(
    days: Iterable[tuple[Scene, TrueDay]], arm: Callable[[Scene], Attribution] | None = None, seed: int = 0
) -> EarlyFusion:
    """Learn from days of which it is known who left with what.

    Parameters
    ----------
    days : pairs of Scene and TrueDay
    arm : function of a Scene, giving an Attribution; optional
        A method whose beliefs are columns too.
    seed : int

    Returns
    -------
    EarlyFusion

    Raises
    ------
    ValueError
        There is no candidate, or all of them are true, or none.
    """
    return learn_early([(label_candidates(scene, truth, arm), truth.receipts) for scene, truth in days], arm, seed)


def label_candidates(scene: Scene, truth: TrueDay, arm: Callable[[Scene], Attribution] | None = None) -> pd.DataFrame:
    """Find candidates of a day and say of each whether it was so: item, product, shopper, true and all columns."""
    table = find_candidates(scene).table
    known = label_beliefs(table[["item", "product", "shopper", "probability"]], truth.receipts)
    so = pd.MultiIndex.from_frame(known.loc[known["true"], ["item", "shopper"]])
    labelled = table.assign(true=pd.MultiIndex.from_frame(table[["item", "shopper"]]).isin(so))
    return _hinted(labelled, arm(scene)) if arm else labelled


def learn_early(
    labelled: Sequence[tuple[pd.DataFrame, pd.DataFrame]],
    arm: Callable[[Scene], Attribution] | None = None,
    seed: int = 0,
    days: Sequence[Hashable] | None = None,
) -> EarlyFusion:
    """As `fit_early`, of candidates that were labelled before: a table, and what was sold, for each day.

    Tables with the same entry in `days` are of one day, and are kept apart from others together.
    """
    rows = [table for table, _ in labelled]
    right, number = sum(int(table["true"].sum()) for table in rows), sum(map(len, rows))
    if not 0 < right < number:
        raise ValueError(
            f"{number} candidates of {len(rows)} days, {right} of them true; both kinds are needed to learn"
        )
    (columns, counts), units = _columns(arm), []
    group, names = pd.factorize(pd.Series(list(range(len(rows)) if days is None else days)))
    for fold in range(min(_FOLDS, len(names))):
        apart = group % _FOLDS == fold
        kept = [table for table, out in zip(rows, apart, strict=True) if not out] or rows
        model = _fit(kept, columns, seed)
        for number in np.flatnonzero(apart).tolist():
            table, sold = labelled[number]
            told = _units(table.assign(probability=_chances(model, table, columns)))
            units.append(told.assign(true=told["unit"].to_numpy() <= count_bought(told, sold)))
    return EarlyFusion(arm, _fit(rows, columns, seed), _fit(units, counts, seed))


def _fit(tables: Sequence[pd.DataFrame], columns: list[str], seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    rows = pd.concat(tables, ignore_index=True)
    model = HistGradientBoostingClassifier(random_state=seed, early_stopping=False, **_TREES)
    with threadpool_limits(1):  # threads that wait for each other on shared processors take ten times as long
        return model.fit(rows[columns].to_numpy(float), rows["true"].to_numpy(bool))


def count_bought(rows: pd.DataFrame, sold: pd.DataFrame) -> NDArray[np.int64]:
    """Count units of the product that the shopper of each row left with."""
    number = sold.groupby(["product", "shopper"]).size()
    return np.asarray(number.reindex(pd.MultiIndex.from_frame(rows[["product", "shopper"]])).fillna(0), dtype=np.int64)


def share_out(beliefs: pd.DataFrame) -> pd.DataFrame:
    """Scale an item's probabilities down where they sum to more than 1, and leave out what is all but impossible."""
    shared = scale_down(beliefs)
    told = shared[shared["probability"] > _TOLD].reset_index(drop=True)
    return told[BELIEFS].astype({"probability": float})
