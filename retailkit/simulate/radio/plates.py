"""Shelves that weigh: what plates tell of pieces taken and put back, and what they mix up."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from retailkit.simulate.radio.goods import Goods

COLUMNS = ["time", "cell", "grams"]


@dataclass(frozen=True)
class Scales:
    """How well plates weigh; there is one below each cell.

    Attributes
    ----------
    noise : float, grams
        Standard deviation of a change of weight: two readings, and the vibration between them.
    least : float, grams
        Smaller changes are not told.
    missed : float, 0 to 1
        Share of changes that are not told whatever they weigh.
    settle : float, seconds
        Changes of one plate that follow each other sooner are told as one.
    late : float, seconds
        Mean time until a change is told (exponential).
    pieces : float
        Standard deviation of a piece's weight, as a share of its product's.
    """

    noise: float = 2.5
    least: float = 8.0
    missed: float = 0.02
    settle: float = 1.0
    late: float = 0.3
    pieces: float = 0.01


def weigh(goods: Goods, scales: Scales | None = None, seed: int = 0) -> pd.DataFrame:
    """Tell what plates tell of a day.

    Returns
    -------
    DataFrame
        By time: time (seconds), cell, grams (of the change: below 0 for what was taken).
    """
    scales, rng = scales or Scales(), np.random.default_rng([seed, 41])
    moved = goods.hands[goods.hands["piece"] >= 0]
    weight = goods.products.set_index("product")["weight"].reindex(moved["product"]).to_numpy(float)
    own = 1 + scales.pieces * np.random.default_rng([seed, 42]).normal(size=len(goods.pieces))
    sign = np.where(moved["kind"] == "take", -1.0, 1.0)
    changes = pd.DataFrame(
        {"time": moved["time"], "cell": moved["cell"], "grams": sign * weight * own[moved["piece"].to_numpy(int)]}
    ).sort_values(["cell", "time"], kind="stable")
    fresh = (changes.groupby("cell")["time"].diff().fillna(np.inf) > scales.settle).cumsum()
    told = changes.groupby(fresh.to_numpy()).agg(time=("time", "last"), cell=("cell", "first"), grams=("grams", "sum"))
    told["grams"] += rng.normal(0, scales.noise, len(told))
    told["time"] += rng.exponential(scales.late, len(told))
    heard = (told["grams"].abs() >= scales.least) & (rng.random(len(told)) >= scales.missed)
    told["grams"] = told["grams"].round(1)
    return told[heard].sort_values("time", kind="stable").reset_index(drop=True)[COLUMNS]
