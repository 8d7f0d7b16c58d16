"""What a method's day is worth beside the truth: attribution, receipts, money, acts at the shelf, stock.

    truth = TrueDay(receipts, shoppers, products, hands, pieces, stays)
    sums = score_day(found, truth)              # measure, numerator, denominator
    judge_receipts(found.receipts, truth)       # a row for each shopper

A measure is a numerator over a denominator, so that days add up: see `retailkit.store.fusion.measures` for ratios of
sums with intervals.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from retailkit.datasets.receipts import score_receipts
from retailkit.datasets.tables import need_columns
from retailkit.store.fusion.attribution import EVENTS, RECEIPTS, Attribution
from retailkit.store.fusion.truth import TrueDay, check_beliefs, check_came, check_truth

TOLERANCES = (0.5, 1.0, 2.0, 5.0)  # seconds between an act and what is told of it
_CENT = 0.005  # money less than this apart is the same


def score_day(found: Attribution, truth: TrueDay, tolerances: Sequence[float] = TOLERANCES) -> pd.DataFrame:
    """Score what a method tells of a store-day.

    Parameters
    ----------
    found : Attribution
    truth : TrueDay
    tolerances : floats, seconds
        How far an act may be from what is told of it.

    Returns
    -------
    DataFrame
        measure, numerator, denominator; a row for each of

        - ``attribution``: units sold that stand on the right shopper's receipt, of all sold; ``precision``: of all
          charged; ``f1`` of both, the AutoCheckout competition's rule; ``detection``: units sold that stand on
          anybody's receipt (attribution over detection is the share right among those found).
        - ``attribution of tagged``: pieces sold with a tag whose most probable shopper by `beliefs` is the right one.
          Where nobody, or somebody else, is as probable, it is not right.
        - ``receipts right``: receipts without any mistake, empty ones too; ``receipts of parties right``: the same
          after receipts of those who pay together are merged; ``jaccard``: units right over units charged or bought,
          a mean over receipts (1 where both are empty); ``count error``: units too many or too few, per receipt.
        - ``money error``: charged less owed, of what is owed by all; ``overcharged value`` and ``undercharged value``:
          its two sides, receipt by receipt; ``overcharged receipts``: those that charge more than is owed.
        - ``act recall, 1 s``, ``act precision, 1 s``, ``act f1, 1 s`` and so on: takes and returns, one to one, of the
          same product, cell and kind within the tolerance.
        - ``stock exact``: cells of which every product's count is right in the evening, by the morning's stock less
          takes plus returns; ``stock error`` and ``stock bias``: absolute and signed pieces, per cell.

    Raises
    ------
    ValueError
        A column is missing, a shopper never came, a product has no price, or a probability is impossible.
    """
    check_truth(truth)
    check_beliefs(found.beliefs)
    check_came(found.beliefs, truth, "beliefs")
    acts = truth.hands[truth.hands["kind"].isin(["take", "return"])]
    each = judge_receipts(found.receipts, truth)
    rows = [
        *_units(found.receipts, truth),
        ("attribution of tagged", *_tagged(found.beliefs, truth.receipts)),
        *_receipts(each),
        ("receipts of parties right", *_right(judge_receipts(found.receipts, truth, merge=True))),
        *_acts(found.events, acts, tolerances),
        *_stock(count_stock(found.events, truth)),
    ]
    sums = pd.DataFrame(rows, columns=["measure", "numerator", "denominator"])
    return sums.astype({"numerator": float, "denominator": float})


def judge_receipts(receipts: pd.DataFrame, truth: TrueDay, merge: bool = False) -> pd.DataFrame:
    """Compare each shopper's receipt with what they left with.

    Parameters
    ----------
    receipts : DataFrame with shopper, product, quantity
    truth : TrueDay
    merge : bool
        Merge the receipts of those who pay together; `shopper` is then their group.

    Returns
    -------
    DataFrame
        A row for each who came, in the order of `truth.shoppers`: shopper, right, found, bought (units), charged,
        owed (money), wrong (whether anything is).
    """
    need_columns(receipts, RECEIPTS, "receipts")
    check_came(receipts, truth, "receipts")
    people = truth.shoppers.set_index("shopper")["group"] if merge else truth.shoppers["shopper"]
    sides = [receipts[RECEIPTS], truth.receipts.assign(quantity=1)[RECEIPTS]]
    if merge:
        sides = [side.assign(shopper=side["shopper"].map(people).to_numpy()) for side in sides]
    names = people.drop_duplicates().to_numpy()
    told, true = (side.assign(case=side["shopper"], customer="") for side in sides)
    units = score_receipts(told, true, map(str, names))
    charged, owed = (_money(side, truth.products).reindex(names, fill_value=0.0).to_numpy() for side in sides)
    units = units.assign(shopper=names, charged=charged, owed=owed)
    wrong = (units["right"] < units["found"]) | (units["right"] < units["bought"])
    return units[["shopper", "right", "found", "bought", "charged", "owed"]].assign(wrong=wrong)


def _money(receipts: pd.DataFrame, products: pd.DataFrame) -> pd.Series:
    """Sum of each shopper's receipt."""
    price = products.set_index("product")["price"].reindex(receipts["product"])
    if price.isna().any():
        raise ValueError(
            f"receipts: product {price.index[price.isna()][0]!r} has no price; {len(products)} products have one"
        )
    worth = pd.Series(price.to_numpy(float) * receipts["quantity"].to_numpy(float), receipts.index)
    return worth.groupby(receipts["shopper"]).sum().round(6)  # no dust of adding in another order


Row = tuple[str, float, float]


def _units(receipts: pd.DataFrame, truth: TrueDay) -> list[Row]:
    """Units of the whole day, by the competition's rule, and whoever the receipt is of."""
    sides = [receipts[RECEIPTS], truth.receipts.assign(quantity=1)[RECEIPTS]]
    told, true = (side.assign(case="day", customer=side["shopper"]) for side in sides)
    [right, found, bought] = score_receipts(told, true, ["day"])[["right", "found", "bought"]].iloc[0]
    anybody = score_receipts(told.assign(customer=""), true.assign(customer=""), ["day"])["right"].iloc[0]
    return [
        ("attribution", right, bought),
        ("precision", right, found),
        ("f1", 2 * right, found + bought),
        ("detection", anybody, bought),
    ]


def _tagged(beliefs: pd.DataFrame, sold: pd.DataFrame) -> tuple[float, float]:
    """How many pieces sold with a tag have the right shopper as their most probable, and how many there are."""
    sold = sold[sold["epc"] != ""]
    told = beliefs.assign(item=beliefs["item"].astype(str), said=beliefs["probability"].astype(float))
    told = told.merge(sold[["epc", "shopper"]].rename(columns={"epc": "item", "shopper": "true"}), on="item")
    theirs = told["shopper"] == told["true"]
    right = told["said"].where(theirs, 0.0).groupby(told["item"]).sum()
    other = told["said"].where(~theirs, 0.0).groupby(told["item"]).max()
    nobody = 1 - told["said"].groupby(told["item"]).sum()
    return float((right > np.maximum(other, nobody)).sum()), len(sold)


def _right(each: pd.DataFrame) -> tuple[float, float]:
    return float((~each["wrong"]).sum()), len(each)


def _receipts(each: pd.DataFrame) -> list[Row]:
    number, sales = len(each), float(each["owed"].sum())
    either = (each["found"] + each["bought"] - each["right"]).to_numpy(float)
    alike = np.divide(each["right"].to_numpy(float), either, out=np.ones(number), where=either > 0)
    over = (each["charged"] - each["owed"]).to_numpy(float)
    return [
        ("receipts right", *_right(each)),
        ("jaccard", alike.sum(), number),
        ("count error", (each["found"] - each["bought"]).abs().sum(), number),
        ("money error", over.sum(), sales),
        ("overcharged value", over.clip(min=0).sum(), sales),
        ("undercharged value", -over.clip(max=0).sum(), sales),
        ("overcharged receipts", (over > _CENT).sum(), number),
    ]


def match_acts(found: pd.DataFrame, true: pd.DataFrame, tolerance: float) -> int:
    """Count acts told rightly: same product, cell and kind, at most `tolerance` seconds apart, each used once.

    >>> true = pd.DataFrame({"time": [1.0, 2.0], "product": "tea", "cell": "a", "kind": "take"})
    >>> match_acts(true.assign(time=[2.5, 9.0]), true, 1.0)
    1

    Parameters
    ----------
    found, true : DataFrames with time (seconds), product, cell, kind
    tolerance : float, seconds

    Notes
    -----
    The most pairs there can be, by assignment (Kuhn 1955).
    """
    return sum(_pairs(gaps, tolerance) for gaps in _gaps(found, true))


def _gaps(found: pd.DataFrame, true: pd.DataFrame) -> Iterator[NDArray[np.float64]]:
    """Seconds between each act told and each true one of the same product, cell and kind: an array for each such."""
    sides = []
    for frame in (found, true):
        keys = list(zip(*(frame[name].astype(str) for name in ("product", "cell", "kind")), strict=True))
        sides.append(frame["time"].astype(float).groupby(pd.Series(keys, frame.index, dtype=object)))
    told = {key: times.to_numpy() for key, times in sides[0]}
    for key, times in sides[1]:
        if key in told:
            yield np.abs(told[key][:, None] - times.to_numpy()[None])


def _pairs(gaps: NDArray[np.float64], tolerance: float) -> int:
    near = gaps <= tolerance
    return int(near[linear_sum_assignment(near, maximize=True)].sum())


def _acts(events: pd.DataFrame, acts: pd.DataFrame, tolerances: Sequence[float]) -> Iterator[Row]:
    need_columns(events, EVENTS[:4], "events")
    gaps, found, true = list(_gaps(events, acts)), len(events), len(acts)
    for tolerance in tolerances:
        right = sum(_pairs(each, tolerance) for each in gaps)
        yield f"act recall, {tolerance:g} s", right, true
        yield f"act precision, {tolerance:g} s", right, found
        yield f"act f1, {tolerance:g} s", 2 * right, found + true


def count_stock(events: pd.DataFrame, truth: TrueDay) -> pd.DataFrame:
    """Count what lies in each cell in the evening: by the morning's stock and the acts told, and truly.

    Returns
    -------
    DataFrame
        cell, product, counted (may be below zero, where more was told to be taken than lay there), true. A cell that
        the store does not have, named by an event, has rows too.
    """
    need_columns(events, EVENTS[:4], "events")
    morning = truth.pieces.groupby(["cell", "product"]).size()
    sign = events["kind"].map({"take": -1, "return": 1})
    if sign.isna().any():
        raise ValueError(f"events: kind {events['kind'][sign.isna()].iloc[0]!r} is not take or return")
    moved = sign.astype(int).groupby([events["cell"].astype(str), events["product"].astype(str)]).sum()
    last = truth.stays.sort_values("start", kind="stable").drop_duplicates("piece", keep="last")
    left = last[last["visit"] < 0][["piece", "cell"]].merge(truth.pieces[["piece", "product"]], on="piece")
    parts = {"morning": morning, "moved": moved, "true": left.groupby(["cell", "product"]).size()}
    every = pd.concat([part.rename_axis(["cell", "product"]) for part in parts.values()], axis=1, keys=parts)
    every = every.fillna(0).astype(int).reset_index()
    return every.assign(counted=every["morning"] + every["moved"])[["cell", "product", "counted", "true"]]


def _stock(counts: pd.DataFrame) -> list[Row]:
    off = counts["counted"] - counts["true"]
    exact = off.eq(0).groupby(counts["cell"]).all()
    return [
        ("stock exact", exact.sum(), len(exact)),
        ("stock error", off.abs().sum(), len(exact)),
        ("stock bias", off.sum(), len(exact)),
    ]
