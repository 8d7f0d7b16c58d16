"""How well probabilities of who left with what fit what happened: calibration, by store-days.

labelled = label_beliefs(found.beliefs, truth.receipts)     # was it so? a frame for each day
calibrate(labelled_days)                                    # Brier, log-loss, expected calibration error
reliability(most_probable(labelled_days))                   # for a chart
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from retailkit.lab.clustered import clustered_share
from retailkit.lab.intervals import Estimate, group_codes, interval, resample
from retailkit.store.fusion.attribution import SEEN
from retailkit.store.fusion.truth import check_beliefs

FLOOR = 1e-6  # log-loss takes no probability for nearer to 0 or 1 than this: one certain mistake would be infinite


def label_beliefs(beliefs: pd.DataFrame, sold: pd.DataFrame) -> pd.DataFrame:
    """Say of each item and shopper whether that piece truly left with that shopper.

    A tag's code names its piece. An item without one (``seen N``) may stand for any piece of its product that was sold
    to that shopper and has no row under a code of its own; each piece and each item are used once, so that the sum of
    probabilities of what is labelled true is the greatest.

    Parameters
    ----------
    beliefs : DataFrame with item, product, shopper, probability
    sold : DataFrame with piece, epc (empty where it has no tag), product, shopper
        What truly left; codes that are not in it did not leave.

    Returns
    -------
    DataFrame
        item, product, shopper, probability, true, told. Where an item's true shopper has no row, one is added with
        probability 0. Sold pieces of which the beliefs have no item at all have a row too, with probability 0 and told
        False: they count as missed, not as ill calibrated.

    Raises
    ------
    ValueError
        A probability is impossible.
    """
    check_beliefs(beliefs)
    rows = beliefs[["item", "product", "shopper", "probability"]].astype({"item": str, "probability": float})
    sold = sold.reset_index(drop=True)
    heard = sold["epc"].isin(rows["item"]) & (sold["epc"] != "")
    seen = rows[rows["item"].str.startswith(SEEN)]
    items = sold["epc"].where(heard).to_dict() | _match_seen(seen, sold[~heard])
    item = pd.Series(items, dtype=object).reindex(sold.index)
    truth = sold[["product", "shopper"]].assign(
        item=item.fillna("piece " + sold["piece"].astype(str)), told=item.notna(), true=True
    )
    both = rows.merge(truth, on=["item", "shopper"], how="outer", suffixes=("", "_sold"))
    return pd.DataFrame(
        {
            "item": both["item"],
            "product": both["product"].fillna(both["product_sold"]),
            "shopper": both["shopper"],
            "probability": both["probability"].fillna(0.0),
            "true": both["true"].eq(True),
            "told": ~both["told"].eq(False),
        }
    )


def _match_seen(seen: pd.DataFrame, sold: pd.DataFrame) -> dict[object, str]:
    """Items for sold pieces: by the pieces' index, each item once, the sum of probabilities greatest."""
    names, codes = np.unique(seen["item"].to_numpy(dtype=str), return_inverse=True)
    piece = sold.reset_index(names="row").assign(column=np.arange(len(sold)))
    pairs = seen.assign(line=codes).merge(piece[["column", "product", "shopper"]], on=["product", "shopper"])
    said = np.zeros((len(names), len(sold)))
    said[pairs["line"], pairs["column"]] = pairs["probability"]
    lines, columns = linear_sum_assignment(said, maximize=True)
    used = said[lines, columns] > 0
    return dict(zip(piece["row"].to_numpy()[columns[used]].tolist(), names[lines[used]].tolist(), strict=True))


def most_probable(labelled: pd.DataFrame) -> pd.DataFrame:
    """Keep of each item of each day the row of its most probable shopper.

    Most pairs of item and shopper are rightly told to be all but impossible, and make any figure over all pairs look
    good; over these rows it says whether what is charged is as sure as it claims.
    """
    keys = [name for name in ("day", "item") if name in labelled]
    ordered = labelled.sort_values("probability", ascending=False, kind="stable")
    return ordered.drop_duplicates(keys).sort_index()


def calibrate(
    labelled: pd.DataFrame, bins: int = 10, repetitions: int = 2000, seed: int = 0, level: float = 0.95
) -> pd.DataFrame:
    """Measure how well probabilities fit what happened, with intervals over store-days.

    Parameters
    ----------
    labelled : DataFrame with day, probability, true, told
        From `label_beliefs`, a store-day in each `day`; rows that are not told are counted, not measured.
    bins : int
        Of about as many rows each; fewer where many rows have the same probability.
    repetitions, seed : int
        Of the bootstrap over days.
    level : float, 0 to 1

    Returns
    -------
    DataFrame
        measure, value, low, high, rows, missed (sold pieces of which nothing is told), days, chance; a row for each of
        ``brier`` (Brier 1950), ``log-loss`` (nats; probabilities no nearer to 0 or 1 than `FLOOR`) and ``expected
        calibration error`` (Naeini, Cooper & Hauskrecht 2015, here with bins of equal mass). `chance` is the error that
        probabilities would show that are right, by chance alone; nan for the other two.

    Raises
    ------
    ValueError
        There is no row that is told.

    Notes
    -----
    Chance alone makes the calibration error of a sample too large, and absolute values forbid the usual corrections.
    Its low end is the value less what the bins' gaps differ on resamples from those of the sample (absolute values,
    summed): by the triangle inequality the error is no further away. Its high end is the value and Student's t times
    the spread of resamples. The value is too large itself, so such intervals are rather too wide: of 500 samples of 20
    days with a true error of 0, 0.022, 0.040 and 0.101 they held it in 99, 100, 100 and 97 %.
    """
    told, missed = labelled[labelled["told"]], int((~labelled["told"]).sum())
    codes, days = group_codes(told["day"])
    said, true = told["probability"].to_numpy(float), told["true"].to_numpy(float)
    drawn = resample(np.arange(days), repetitions, seed).astype(float)
    sure = np.clip(said, FLOOR, 1 - FLOOR)
    losses = {"brier": (said - true) ** 2, "log-loss": -np.log(np.where(true > 0, sure, 1 - sure))}
    number = np.bincount(codes, minlength=days)
    found = {}
    for name, loss in losses.items():
        known = drawn @ np.bincount(codes, loss, minlength=days) / (drawn @ number)
        found[name] = interval(float(loss.mean()), known, level, "percentile", days, "days")
    off = np.zeros((days, bins))
    np.add.at(off, (codes, _bin(said, bins)), true - said)
    found["expected calibration error"], chance = _gap(off, number, drawn, level)
    rows = [(name, one.value, one.low, one.high, len(said), missed, days) for name, one in found.items()]
    columns = ["measure", "value", "low", "high", "rows", "missed", "days"]
    return pd.DataFrame(rows, columns=columns).assign(chance=[np.nan, np.nan, chance])


def _gap(
    off: NDArray[np.float64], number: NDArray[np.intp], drawn: NDArray[np.float64], level: float
) -> tuple[Estimate, float]:
    """Sum of absolute gaps of bins, over all rows, and what chance makes of it; `off` has days and bins."""
    days, gaps = len(off), off.sum(axis=0) / number.sum()
    again = drawn @ off / (drawn @ number)[:, None]
    value, noise = float(np.abs(gaps).sum()), np.abs(again - gaps).sum(axis=1)
    most = interval(0.0, noise, level, "percentile", days).high
    high = interval(value, np.abs(again).sum(axis=1), level, "normal", days).high
    low = float(np.clip(value - most, 0, None))  # nan stays
    return Estimate(value, low, high, level, days, "days"), float(noise.mean())


def _bin(said: NDArray[np.float64], bins: int) -> NDArray[np.intp]:
    """Bins of equal mass; what is equally probable is in one."""
    inner = np.quantile(said, np.arange(1, bins) / bins)
    return np.searchsorted(np.unique(inner), said, side="left")


def reliability(labelled: pd.DataFrame, bins: int = 10, level: float = 0.95) -> pd.DataFrame:
    """Tabulate what was said against what was true, for a chart.

    Parameters
    ----------
    labelled, bins, level
        As in `calibrate`.

    Returns
    -------
    DataFrame
        bin (from 1), said (mean probability), true (share), low, high (of `true`, by days:
        `retailkit.lab.clustered.clustered_share`), rows. Rows that are not told are left out.
    """
    told = labelled[labelled["told"]]
    number = _bin(told["probability"].to_numpy(float), bins)
    rows = []
    for place, part in told.groupby(number):
        share = clustered_share(part["true"].to_numpy(float), part["day"], level=level, unit_name="days")
        rows.append((place, part["probability"].mean(), share.value, share.low, share.high, len(part)))
    found = pd.DataFrame(rows, columns=["bin", "said", "true", "low", "high", "rows"])
    return found.assign(bin=np.arange(1, len(found) + 1))
