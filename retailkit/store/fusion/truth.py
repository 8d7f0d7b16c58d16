"""What really happened on a store-day, and checks of it and of what a method believes."""

from typing import Any, NamedTuple

import pandas as pd

from retailkit.datasets.tables import need_columns
from retailkit.store.fusion.attribution import BELIEFS

_SLACK = 1e-6  # what rounding may add to a sum of probabilities
_NEEDED = {
    "receipts": ["piece", "epc", "product", "shopper"],
    "shoppers": ["shopper", "group"],
    "products": ["product", "price"],
    "hands": ["time", "cell", "kind", "product", "piece"],
    "pieces": ["piece", "product", "cell"],
    "stays": ["piece", "start", "cell", "visit"],
}


class TrueDay(NamedTuple):
    """What really happened on a store-day.

    Attributes
    ----------
    receipts : DataFrame
        A row for each piece that left: piece, epc (empty where it has no tag), product, shopper.
    shoppers : DataFrame
        Everybody who came, those who bought nothing too: shopper, group (the party that pays together).
    products : DataFrame
        product, price.
    hands : DataFrame
        time (seconds), cell, kind (reach, take, return), product, piece (-1 for a touch).
    pieces : DataFrame
        What lay in the store in the morning: piece, product, cell.
    stays : DataFrame
        A row for each stretch of a piece's day: piece, start (seconds), cell, visit (who carries it; -1 while it lies).
    """

    receipts: pd.DataFrame
    shoppers: pd.DataFrame
    products: pd.DataFrame
    hands: pd.DataFrame
    pieces: pd.DataFrame
    stays: pd.DataFrame


def truth_of(day: Any) -> TrueDay:
    """Take the truth of a simulated day, as `retailkit.simulate.radio.sense_day` gives it."""
    truth, goods = day.truth, day.truth.goods
    people = truth.day.visitors.rename(columns={"visit": "shopper"})[["shopper", "group"]]
    return TrueDay(truth.receipts, people, goods.products, goods.hands, goods.pieces, goods.stays)


def check_truth(truth: TrueDay) -> None:
    """Raise a ValueError where a table of the truth lacks a column, or names a shopper who never came."""
    for name, columns in _NEEDED.items():
        need_columns(getattr(truth, name), columns, f"truth.{name}")
    if (twice := truth.shoppers["shopper"].duplicated()).any():
        raise ValueError(
            f"truth.shoppers names shopper {truth.shoppers['shopper'][twice].tolist()[0]!r} more than once"
        )
    check_came(truth.receipts, truth, "truth.receipts")


def check_beliefs(beliefs: pd.DataFrame) -> None:
    """Raise a ValueError where probabilities are impossible, or an item is told twice of one shopper."""
    need_columns(beliefs, BELIEFS, "beliefs")
    said = beliefs["probability"].astype(float)
    if (wrong := ~said.between(0, 1 + _SLACK)).any():
        row = beliefs[wrong].iloc[:1].to_dict("records")[0]
        raise ValueError(f"beliefs: probability {row['probability']!r} of item {row['item']!r}; 0 to 1 is needed")
    if (twice := beliefs.duplicated(["item", "shopper"])).any():
        row = beliefs[twice].iloc[:1].to_dict("records")[0]
        raise ValueError(f"beliefs: item {row['item']!r} has more than one row for shopper {row['shopper']!r}")
    sums = said.groupby(beliefs["item"].astype(str)).sum()
    if len(sums) and sums.max() > 1 + _SLACK:
        raise ValueError(
            f"beliefs: probabilities of item {sums.idxmax()!r} sum to {sums.max():.6g}; 1 is the most, the rest is "
            "that nobody left with it"
        )


def check_came(frame: pd.DataFrame, truth: TrueDay, name: str) -> None:
    """Raise a ValueError where a frame names a shopper who never came."""
    if (strange := ~frame["shopper"].isin(truth.shoppers["shopper"])).any():
        who = frame["shopper"][strange].tolist()[0]
        raise ValueError(f"{name}: shopper {who!r} is none of the {len(truth.shoppers)} who came")
