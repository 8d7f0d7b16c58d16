"""What was found, beside what is true, where somebody knows it: the oracle's column of a table."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from retailkit.datasets.stores import StoreRecording
from retailkit.lab.intervals import Estimate


def beside_truth(found: Mapping[str, Estimate], store: StoreRecording) -> pd.DataFrame:
    """Set figures beside the truth of a recording; nan where nobody knows it.

    Parameters
    ----------
    found : dict of Estimate
        By names of `truths`, such as 'ways in'; other names have no truth.
    store : StoreRecording

    Returns
    -------
    DataFrame
        Columns figure, value, low, high, truth, and held: whether the interval holds it, empty where nobody knows.
    """
    known = truths(store)
    rows = [
        {"figure": name, "value": one.value, "low": one.low, "high": one.high, "truth": known.get(name, np.nan)}
        for name, one in found.items()
    ]
    table = pd.DataFrame(rows)
    inside = (table["low"] <= table["truth"]) & (table["truth"] <= table["high"])
    return table.assign(held=np.where(table["truth"].isna(), "", np.where(inside, "yes", "no")))


def truths(store: StoreRecording) -> dict[str, float]:
    """Work out the figures of a day from the truth of its recording; empty where there is none.

    Returns
    -------
    dict
        Ways in and out through the first line's door, people after the watched beginning, most inside at once, mean
        wait (seconds) and share who gave up of those who pay.
    """
    known = store.truth
    if not known:
        return {}
    crossings, visitors, queue = known["crossings"], known["visitors"], known["queue"]
    directions = crossings["direction"].value_counts()
    begun = known["tracks"].groupby("visit")["time"].min()
    shoppers = visitors.loc[visitors["kind"] == "shopper", "visit"]
    steps = crossings.sort_values("time")["direction"].map({"in": 1, "out": -1}).cumsum()
    payers = queue[queue["payer"] & (queue["censored"] == "")]
    return {
        "ways in": float(directions.get("in", 0)),
        "ways out": float(directions.get("out", 0)),
        "people after the watched beginning": float((begun > store.counted_until).sum()),
        "shoppers": float(len(shoppers)),
        "most inside at once": float(max(steps.max(), 0)) if len(steps) else 0.0,
        "mean wait": float(payers["wait"].mean()),
        "share who gave up": float(payers["abandoned"].mean()),
    }


def as_estimate(table: pd.DataFrame, **where: object) -> Estimate:
    """Take one row of a table of figures as an estimate; nan where no row is like that.

    >>> waits = pd.DataFrame({"quantity": ["mean wait"], "value": [20.0], "low": [12.0], "high": [31.0]})
    >>> print(f"{as_estimate(waits, quantity='mean wait'):.0f}")
    20 (95 % interval 12 to 31)

    Parameters
    ----------
    table : DataFrame with value, low, high
        Where it has them, level, units and unit_name as well.
    **where
        Columns and what they must say.

    Raises
    ------
    ValueError
        Several rows are like that.
    """
    rows = table
    for column, wanted in where.items():
        rows = rows[rows[column] == wanted]
    if len(rows) > 1:
        raise ValueError(f"{len(rows)} rows are {where}; one is needed")
    if not len(rows):
        return Estimate(np.nan, np.nan, np.nan)
    row = rows.iloc[0]
    value, low, high = (float(row[name]) for name in ("value", "low", "high"))
    units, kind = int(row.get("units", 0)), str(row.get("unit_name", "units"))
    return Estimate(value, low, high, float(row.get("level", 0.95)), units, kind)
