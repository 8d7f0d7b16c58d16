"""What a person should look at: receipts by how unsure they are, and decisions by what mistakes cost.

doubt_receipts(found, truth)                    # shopper, unsure, wrong: a frame for each day
review_curve(receipts_of_days)                  # share reviewed against errors left
receipts, review = decide(found.beliefs, products)      # charge, review or drop
cost_day(found, truth)                          # what that costs, and what no review costs
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.lab.intervals import Estimate, group_codes, interval, resample
from retailkit.store.fusion.attribution import Attribution, as_receipts
from retailkit.store.fusion.calibration import label_beliefs, most_probable
from retailkit.store.fusion.scoring import judge_receipts
from retailkit.store.fusion.truth import TrueDay, check_beliefs


def doubt_receipts(found: Attribution, truth: TrueDay) -> pd.DataFrame:
    """Say of each receipt how unsure it is, by the beliefs alone, and whether it is wrong.

    Unsure is 1 less the product, over products, of the probability that the shopper left with as many as are charged
    (`fit_of_counts`), nothing charged being a count too: so an empty receipt is doubtful where something may have left
    with that shopper after all.

    Parameters
    ----------
    found : Attribution
        With receipts written in whatever way.
    truth : TrueDay

    Returns
    -------
    DataFrame
        shopper, unsure (0 to 1), wrong, for all who came.
    """
    check_beliefs(found.beliefs)
    exact = fit_of_counts(found.beliefs, found.receipts).groupby("shopper")["chance"].prod()
    judged = judge_receipts(found.receipts, truth)
    unsure = 1 - exact.reindex(judged["shopper"]).fillna(1.0).to_numpy(float)
    return judged[["shopper", "wrong"]].assign(unsure=unsure.clip(0, 1))[["shopper", "unsure", "wrong"]]


def fit_of_counts(beliefs: pd.DataFrame, receipts: pd.DataFrame) -> pd.DataFrame:
    """Give the probability that a shopper left with exactly as many of a product as the receipt says.

    >>> beliefs = pd.DataFrame({"item": list("ab"), "product": "tea", "shopper": 1, "probability": [0.5, 0.8]})
    >>> receipts = pd.DataFrame({"shopper": [1], "product": ["tea"], "quantity": [1]})
    >>> fit_of_counts(beliefs, receipts)["chance"].round(3).tolist()
    [0.5]

    Parameters
    ----------
    beliefs : DataFrame with item, product, shopper, probability
    receipts : DataFrame with shopper, product, quantity

    Returns
    -------
    DataFrame
        shopper, product, quantity (0 where nothing is charged), chance; for all that are believed or charged.

    Notes
    -----
    The number of items is Poisson-binomial if each goes its way by itself (Poisson 1837): sums of independent trials
    with probabilities of their own, told exactly by convolution.
    """
    keys = ["shopper", "product"]
    said = beliefs.astype({"probability": float}).groupby(keys)["probability"].agg(list)
    charged = receipts.groupby(keys)["quantity"].sum()
    every = said.index.union(charged.index)
    number = charged.reindex(every).fillna(0).astype(int)
    chances = [
        float(_count(np.clip(one, 0, 1))[quantity]) if 0 <= quantity <= len(one) else 0.0
        for one, quantity in zip((said.get(key, []) for key in every), number, strict=True)
    ]
    return number.rename("quantity").to_frame().assign(chance=chances).rename_axis(keys).reset_index()


def _count(chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability of each number of things that happen, of independent ones with these probabilities."""
    known = np.ones(1)
    for chance in chances:
        known = np.convolve(known, [1 - chance, chance])
    return known


def review_curve(
    receipts: pd.DataFrame,
    shares: Sequence[float] | None = None,
    repetitions: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Tell how many wrong receipts are left after a person has looked at the most unsure ones.

    What is reviewed becomes right. Of receipts that are equally unsure a part is reviewed at random.

    Parameters
    ----------
    receipts : DataFrame with day, unsure, wrong
        From `doubt_receipts`, of all days.
    shares : floats, 0 to 1
        Of receipts that are reviewed; by default 0 to 1 by 0.05.
    repetitions, seed, level
        As in `calibrate`; each resample of days is sorted anew.

    Returns
    -------
    DataFrame
        share, errors (wrong receipts per 1,000), low, high, receipts, days.

    Raises
    ------
    ValueError
        There is no receipt, or a share is not from 0 to 1.

    Notes
    -----
    The risk-coverage curve of El-Yaniv & Wiener (2010), told by what is reviewed and of all receipts.
    """
    given = np.linspace(0, 1, 21) if shares is None else np.asarray(shares, dtype=float)
    if (wrong := given[~((given >= 0) & (given <= 1))]).size:
        raise ValueError(f"a share of receipts is {wrong.tolist()[0]!r}; 0 to 1 is needed")
    codes, days = group_codes(receipts["day"])
    level_of, unsure = pd.factorize(-receipts["unsure"].to_numpy(float).round(12), sort=True)
    each = np.zeros((2, days, len(unsure)))
    np.add.at(each[0], (codes, level_of), 1.0)
    np.add.at(each[1], (codes, level_of), receipts["wrong"].to_numpy(float))
    drawn = resample(np.arange(days), repetitions, seed).astype(float)
    value = _left(each[0].sum(axis=0), each[1].sum(axis=0), given)
    known = np.array([_left(weight @ each[0], weight @ each[1], given) for weight in drawn])
    rows = []
    for place, share in enumerate(given):
        one = interval(value[place], known[:, place], level, "share", days, "days")
        ends = (one.value, one.low, one.high) if share < 1 else (0.0, 0.0, 0.0)  # what is reviewed is right
        rows.append((float(share), *(1000 * end for end in ends), len(receipts), days))
    return pd.DataFrame(rows, columns=["share", "errors", "low", "high", "receipts", "days"])


def _left(number: NDArray[np.float64], wrong: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of receipts that are still wrong, of receipts in blocks, the most unsure first."""
    reviewed = np.concatenate([[0.0], number.cumsum()]) / number.sum()
    mended = np.concatenate([[0.0], wrong.cumsum()]) / number.sum()
    return np.asarray(np.maximum(mended[-1] - np.interp(shares, reviewed, mended), 0.0))


def errors_after_review(
    receipts: pd.DataFrame, share: float = 0.05, repetitions: int = 2000, seed: int = 0, level: float = 0.95
) -> Estimate:
    """Estimate how many receipts per 1,000 are wrong after a share of all, the most unsure, is reviewed.

    Parameters
    ----------
    receipts, repetitions, seed, level
        As in `review_curve`.
    share : float, 0 to 1

    Returns
    -------
    Estimate
        Wrong receipts per 1,000; units are days.
    """
    [row] = review_curve(receipts, [share], repetitions, seed, level).to_dict("records")
    return Estimate(row["errors"], row["low"], row["high"], level, row["days"], "days")


class Costs(NamedTuple):
    """What mistakes and reviews cost. The defaults are round numbers to begin with, not measured: set your own.

    Attributes
    ----------
    overcharge : float, money
        Of each thing charged to somebody who did not take it, beside giving the money back: a clerk's time, and what
        a customer who does not come again would have brought.
    loss : float
        Of each thing that leaves without being charged, as a share of its price.
    review : float, money
        Of a person's looking at one thing: about two minutes of a clerk.
    """

    overcharge: float = 5.0
    loss: float = 1.0
    review: float = 0.5


def weigh_items(beliefs: pd.DataFrame, products: pd.DataFrame, costs: Costs | None = None) -> pd.DataFrame:
    """Find for each item what costs least: to charge its most probable shopper, to have it reviewed, or to drop it.

    With probability p of the most probable shopper and q that anybody left with it, charging costs
    (1 - p) · overcharge + (q - p) · loss · price, dropping q · loss · price, and a review, after which all is right,
    its price. Where the costs are the same, dropping comes before reviewing, and that before charging.

    Parameters
    ----------
    beliefs : DataFrame with item, product, shopper, probability
    products : DataFrame with product, price
    costs : Costs, optional

    Returns
    -------
    DataFrame
        item, product, shopper (the most probable), probability, price, drop, review, charge (expected costs), decision.

    Raises
    ------
    ValueError
        A probability is impossible, a cost is below zero, or a product has no price.

    Notes
    -----
    The rule of least expected cost with the option to reject, here to review (Chow 1970).
    """
    costs = costs or Costs()
    if below := [name for name, cost in costs._asdict().items() if not 0 <= cost < np.inf]:
        raise ValueError(f"costs: {below[0]} is {getattr(costs, below[0])!r}; a number from 0 is needed")
    check_beliefs(beliefs)
    top = most_probable(beliefs.astype({"item": str, "probability": float}).reset_index(drop=True))
    price = products.set_index("product")["price"].reindex(top["product"]).to_numpy(float)
    if (unknown := np.isnan(price)).any():
        raise ValueError(f"beliefs: product {top['product'][unknown].iloc[0]!r} has no price")
    anybody = beliefs["probability"].astype(float).groupby(beliefs["item"].astype(str)).sum()
    took, p = anybody.reindex(top["item"]).clip(upper=1.0).to_numpy(), top["probability"].to_numpy()
    expected = {
        "drop": took * costs.loss * price,
        "review": np.full(len(top), costs.review),
        "charge": (1 - p) * costs.overcharge + np.maximum(took - p, 0) * costs.loss * price,
    }
    least = np.argmin(np.stack(list(expected.values())), axis=0)
    return top.assign(price=price, **expected, decision=np.array(list(expected))[least]).reset_index(drop=True)


def decide(
    beliefs: pd.DataFrame, products: pd.DataFrame, costs: Costs | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write receipts of what is sure enough, and list what a person should look at.

    >>> beliefs = pd.DataFrame({"item": ["a", "b", "c"], "product": "tea", "shopper": 1, "probability": [1, 0.6, 0.1]})
    >>> receipts, review = decide(beliefs, pd.DataFrame({"product": ["tea"], "price": [3.0]}))
    >>> receipts.values.tolist(), review["item"].tolist()
    ([[1, 'tea', 1]], ['b'])

    Parameters
    ----------
    beliefs, products, costs
        As in `weigh_items`, which tells what was dropped too.

    Returns
    -------
    receipts : DataFrame
        shopper, product, quantity.
    review : DataFrame
        The rows of `weigh_items` to be reviewed, the least sure first.
    """
    items = weigh_items(beliefs, products, costs)
    receipts = as_receipts(items[items["decision"] == "charge"])
    review = items[items["decision"] == "review"].sort_values("probability", kind="stable", ignore_index=True)
    return receipts, review


def cost_day(found: Attribution, truth: TrueDay, costs: Costs | None = None) -> pd.DataFrame:
    """Tell what a store-day cost, in money: as charged without any review, and as decided by `decide`.

    What is reviewed becomes right: the item goes onto the receipt of whoever left with it, or onto none.

    Parameters
    ----------
    found : Attribution
    truth : TrueDay
    costs : Costs, optional

    Returns
    -------
    DataFrame
        measure, numerator (money; a number of items for ``items reviewed``), denominator (receipts); a row for each of
        ``cost as charged``, ``cost decided``, of which ``cost of overcharges``, ``cost of losses`` and ``cost of
        reviews`` are the parts, and ``items reviewed``.
    """
    costs = costs or Costs()
    receipts, review = decide(found.beliefs, truth.products, costs)
    known = label_beliefs(found.beliefs, truth.receipts)
    mended = as_receipts(known[known["true"] & known["item"].isin(review["item"])])
    over, lost = _mistakes(pd.concat([receipts, mended]), truth, costs)
    rows = {
        "cost as charged": sum(_mistakes(found.receipts, truth, costs)),
        "cost decided": over + lost + costs.review * len(review),
        "cost of overcharges": over,
        "cost of losses": lost,
        "cost of reviews": costs.review * len(review),
        "items reviewed": float(len(review)),
    }
    return pd.DataFrame(rows.items(), columns=["measure", "numerator"]).assign(denominator=float(len(truth.shoppers)))


def _mistakes(receipts: pd.DataFrame, truth: TrueDay, costs: Costs) -> tuple[float, float]:
    """Money that units too many, and too few, on receipts cost."""
    keys = ["shopper", "product"]
    sides = receipts.groupby(keys)["quantity"].sum(), truth.receipts.groupby(keys).size()
    more = sides[0].sub(sides[1], fill_value=0).rename("more").reset_index()
    price = truth.products.set_index("product")["price"].reindex(more["product"]).to_numpy(float)
    units = more["more"].to_numpy(float)
    over, lost = np.maximum(units, 0).sum() * costs.overcharge, (np.maximum(-units, 0) * price).sum() * costs.loss
    return float(over), float(lost)
