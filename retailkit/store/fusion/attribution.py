"""What every method gives: who left with what, how surely, and by which acts."""

from typing import NamedTuple

import numpy as np
import pandas as pd

BELIEFS = ["item", "product", "shopper", "probability"]
EVENTS = ["time", "kind", "cell", "product", "item", "shopper", "probability"]
RECEIPTS = ["shopper", "product", "quantity"]
SEEN = "seen "  # how names of things begin of which no tag was heard


class Attribution(NamedTuple):
    """Who took what, as one method tells it.

    Attributes
    ----------
    beliefs : DataFrame
        item (the tag's code, or ``seen N`` for a thing of which no tag was heard), product, shopper, probability (that
        this shopper left with it). The sum over shoppers is at most 1: the rest is that nobody did.
    events : DataFrame
        time (seconds, the cameras' clock), kind (take, return), cell, product, item, shopper, probability.
    receipts : DataFrame
        shopper, product, quantity.
    """

    beliefs: pd.DataFrame
    events: pd.DataFrame
    receipts: pd.DataFrame


def scale_down(beliefs: pd.DataFrame) -> pd.DataFrame:
    """Scale an item's probabilities down where they sum to more than 1."""
    total = beliefs.groupby("item")["probability"].transform("sum")
    return beliefs.assign(probability=beliefs["probability"] / np.maximum(total, 1.0))


def charge_most_probable(beliefs: pd.DataFrame, least: float = 0.5) -> pd.DataFrame:
    """Write receipts: each item to its most probable shopper, if that is more probable than `least`.

    >>> beliefs = pd.DataFrame({"item": ["a", "a", "b"], "product": "tea", "shopper": [1, 2, 2],
    ...                         "probability": [0.7, 0.2, 0.4]})
    >>> charge_most_probable(beliefs).to_dict("records")
    [{'shopper': 1, 'product': 'tea', 'quantity': 1}]

    Parameters
    ----------
    beliefs : DataFrame with item, product, shopper, probability
    least : float, 0 to 1

    Returns
    -------
    DataFrame
        shopper, product, quantity.
    """
    ordered = beliefs.sort_values("probability", ascending=False, kind="stable").drop_duplicates("item")
    return as_receipts(ordered[ordered["probability"] > least])


def as_receipts(charged: pd.DataFrame) -> pd.DataFrame:
    """Count items that are charged, a row for each, into receipts."""
    return charged.groupby(["shopper", "product"], as_index=False).agg(quantity=("item", "size"))


def charge_expected(beliefs: pd.DataFrame, least: float = 0.3, sure: float = 0.8) -> pd.DataFrame:
    """Write receipts: of each product as many as a shopper is expected to have, rounded, and what surely left besides.

    Which of eight equal tins somebody took need not be known to charge for one. And what surely left with one of two is
    charged to the likelier of them, not to nobody.

    >>> beliefs = pd.DataFrame({"item": list("abc"), "product": "tea", "shopper": 1, "probability": [0.3, 0.3, 0.2]})
    >>> charge_expected(beliefs).to_dict("records")
    [{'shopper': 1, 'product': 'tea', 'quantity': 1}]
    >>> beliefs = pd.DataFrame({"item": "a", "product": "tea", "shopper": [1, 2], "probability": [0.48, 0.46]})
    >>> charge_expected(beliefs).to_dict("records")
    [{'shopper': 1, 'product': 'tea', 'quantity': 1}]

    Parameters
    ----------
    beliefs : DataFrame with item, product, shopper, probability
    least : float, 0 to 1
        The smallest remainder for which one more than the rounded number is charged.
    sure : float, 0 to 1
        How much of one more must be gone, by the expectations of all shoppers.

    Returns
    -------
    DataFrame
        shopper, product, quantity.

    Notes
    -----
    Where rounding charges fewer of a product than are gone, both summed over shoppers, the largest remainders are
    charged too, as in Hamilton's method (Balinski & Young 1982), which here only adds. Of equal ones the shopper with
    the lower number comes first.
    """
    expected = beliefs.groupby(["shopper", "product"]).agg(quantity=("probability", "sum")).round(9).reset_index()
    rounded = np.floor(expected["quantity"] + 0.5)
    rest, kind = expected["quantity"] - rounded, expected["product"]
    gone = np.floor((expected["quantity"].groupby(kind).transform("sum") + 1 - sure).round(9))
    missing = gone - rounded.groupby(kind).transform("sum")
    next_best = rest.groupby(kind).rank(ascending=False, method="first") <= missing
    charged = expected.assign(quantity=(rounded + (next_best & (rest >= least))).astype(int))
    return charged[charged["quantity"] > 0].reset_index(drop=True)


def attribute(
    beliefs: pd.DataFrame, events: pd.DataFrame | None = None, receipts: pd.DataFrame | None = None
) -> Attribution:
    """Put beliefs and acts together with receipts, by default those of `charge_most_probable`."""
    acts = pd.DataFrame(columns=EVENTS) if events is None else events[EVENTS].reset_index(drop=True)
    charged = charge_most_probable(beliefs) if receipts is None else receipts
    return Attribution(beliefs[BELIEFS].reset_index(drop=True), acts, charged)
