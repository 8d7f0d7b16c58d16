"""Words and tables of a page about methods: where ours helps and where it does not, and what is worth its money.

pool_strata(measures)                       # all strata as one, by seed
tell_outcomes(compare(measures, "ours"), "ours")
worth = weigh_upgrades(now, {"every piece tagged": then})       # saved per receipt, paired by day
tell_upgrades(worth)
"""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from retailkit.lab.intervals import Estimate
from retailkit.store.fusion.calibration import most_probable, reliability
from retailkit.store.fusion.measures import LESS_IS_BETTER, compare, summarise, tally
from retailkit.store.fusion.review import review_curve
from retailkit.store.visits.oracle import as_estimate

POOLED = "all strata"
NOW = "as it is"
_WIDE = 84  # letters in a line of a page
_NAMED = 3  # methods that ours does not beat in a stratum, those furthest ahead first


def pool_strata(measures: pd.DataFrame) -> pd.DataFrame:
    """Add sums of all strata up, seed by seed: strata of one seed share their shoppers, so they are one cluster.

    Parameters
    ----------
    measures : DataFrame with arm, stratum, day, measure, numerator, denominator

    Returns
    -------
    DataFrame
        The same columns, of one stratum, ``all strata``.
    """
    sums = measures.groupby(["arm", "day", "measure"], sort=False, as_index=False)[["numerator", "denominator"]].sum()
    return sums.assign(stratum=POOLED)


def by_seed(rows: pd.DataFrame) -> pd.DataFrame:
    """Name days by their seed alone, and no more by stratum and seed, so that strata of one seed are one cluster.

    Parameters
    ----------
    rows : DataFrame with day (as `try_arms` names it), and perhaps item
        Beliefs or receipts of a `Trial`.

    Returns
    -------
    DataFrame
        The same; items carry the day's full name.
    """
    named = rows.assign(item=rows["day"] + " " + rows["item"].astype(str)) if "item" in rows else rows
    return named.assign(day=rows["day"].str.rsplit(" ", n=1).str[-1])


def tell_outcomes(
    comparison: pd.DataFrame, ours: str, what: str = "units of goods given to the right shopper",
    measure: str = "attribution",
) -> str:  # fmt: skip
    """Say in words in which strata a method wins, in which nothing is proved, and in which it loses.

    >>> rows = pd.DataFrame({"stratum": ["pairs"], "arm": "RFID only", "difference": 0.3, "low": 0.2, "high": 0.4,
    ...                      "outcome": "win", "outcome_by_holm": "win"})
    >>> print(tell_outcomes(rows, "ours", "units of goods"))
    By units of goods, ours beats every other method in pairs.

    Parameters
    ----------
    comparison : DataFrame
        From `compare`.
    ours : str
        What to call the method.
    what : str
        What was compared, in words.
    measure : str
        What was compared, by its name: of costs and faults less is better, and who has less is ahead.

    Returns
    -------
    str
        A sentence for each outcome, each on lines of its own. Where ours does not win, the methods that it does not
        beat are named, three at most, each with the difference and its interval.
    """
    overall = tally(comparison).set_index("stratum")["outcome"]
    won = [str(name) for name in overall.index[overall == "win"]]
    said = [f"By {what}, {ours} beats every other method in {_list(won) if won else 'no stratum'}."]
    for outcome, words in (("open", "is not proved to help"), ("loss", "does not help")):
        for stratum in overall.index[overall == outcome]:
            part = comparison[(comparison["stratum"] == stratum) & (comparison["outcome"] == outcome)]
            nearest = [
                _against(row)
                for row in part.sort_values("difference", ascending=measure not in LESS_IS_BETTER).to_dict("records")
            ]
            more = [f"{len(nearest) - _NAMED} more"] if len(nearest) > _NAMED else []
            said.append(f"In {stratum} it {words}: {_list([*nearest[:_NAMED], *more])}.")
    return "\n".join(textwrap.fill(sentence, _WIDE) for sentence in said)


def _against(row: dict[Any, Any]) -> str:
    return f"{_estimate(row, 'difference'):+.3f} against {row['arm']}"


def _estimate(row: dict[Any, Any], value: str) -> Estimate:
    return Estimate(float(row[value]), float(row["low"]), float(row["high"]))


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + f" and {names[-1]}" if len(names) > 1 else names[0]


def weigh_upgrades(
    now: pd.DataFrame, upgrades: Mapping[str, pd.DataFrame], arm: str = "ours", measure: str = "cost decided"
) -> pd.DataFrame:
    """Tell what each change of a store would save, per receipt, on the same days.

    Parameters
    ----------
    now : DataFrame
        Measures of the store as it is.
    upgrades : mapping of names to DataFrames
        Measures of the same strata and seeds in the changed store.
    arm : str
        Whose receipts are written.
    measure : str
        An amount of which less is better.

    Returns
    -------
    DataFrame
        upgrade, stratum, value (saved per receipt), low, high, cost_now, cost_then; all strata pooled come last.

    Raises
    ------
    ValueError
        As in `compare`: an upgrade lacks a day, or there is no such arm.
    """
    worlds = {NOW: now, **upgrades}
    rows = []
    for name, measures in worlds.items():
        ours = measures[(measures["arm"] == arm) & (measures["measure"] == measure)]
        if not len(ours):
            raise ValueError(
                f"{name}: there is no {measure!r} of {arm!r}; there are {measures['arm'].unique().tolist()}"
            )
        rows += [ours.assign(arm=name), pool_strata(ours).assign(arm=name)]
    found = compare(pd.concat(rows), NOW, measure)
    names = {"arm": "upgrade", "difference": "value", "ours": "cost_now", "theirs": "cost_then"}
    return found.rename(columns=names)[["upgrade", "stratum", "value", "low", "high", "cost_now", "cost_then"]]


def tell_upgrades(worth: pd.DataFrame, stratum: str = POOLED) -> str:
    """Say in words which change saves money for sure, which loses some, and of which neither is proved; best first.

    >>> worth = pd.DataFrame({"upgrade": ["every piece tagged"], "stratum": "all strata", "value": [0.12],
    ...                       "low": [0.05], "high": [0.19]})
    >>> print(tell_upgrades(worth))
    Every piece tagged: saves 0.12 (95 % interval 0.05 to 0.19) per receipt.

    Parameters
    ----------
    worth : DataFrame
        From `weigh_upgrades`.
    stratum : str
    """
    rows = worth[worth["stratum"] == stratum].sort_values("value", ascending=False)
    said = []
    for row in rows.to_dict("records"):
        words = "saves" if row["low"] > 0 else "loses" if row["high"] < 0 else "not proved to save or lose,"
        said.append(f"{str(row['upgrade']).capitalize()}: {words} {_estimate(row, 'value'):.2f} per receipt.")
    return "\n".join(textwrap.fill(sentence, _WIDE) for sentence in said)


def weigh_change(measures: pd.DataFrame, own: str, value: str, seed: int = 0) -> pd.DataFrame:
    """Tell how much of its attribution each method loses by one change, on the same days.

    Parameters
    ----------
    measures : DataFrame with arm, stratum, day, measure, numerator, denominator
        Where a stratum is a value of the change, as text.
    own, value : str
        The store as it is, and as it is changed.
    seed : int
        Of the bootstrap.

    Returns
    -------
    DataFrame
        arm, value (lost, a share), low, high. Exactly 0 where both are the same.
    """
    turned = measures.rename(columns={"arm": "stratum", "stratum": "arm"})
    if own == value:
        return pd.DataFrame({"arm": turned["stratum"].unique(), "value": 0.0, "low": 0.0, "high": 0.0})
    found = compare(turned, own, others=[value], seed=seed)
    return found.drop(columns="arm").rename(columns={"stratum": "arm", "difference": "value"})[
        ["arm", "value", "low", "high"]
    ]


def summarise_health(health: pd.DataFrame) -> pd.DataFrame:
    """Tell what was noticed of devices, tags and plan over days.

    Parameters
    ----------
    health : DataFrame with stratum, day, what, value, of, verdict
        From `try_days`.

    Returns
    -------
    DataFrame
        stratum, what, value (share of all that could be judged), low, high (by days), verdicts (with the number of
        days).
    """
    sums = health.assign(arm="", measure=health["what"], denominator=health["of"].where(health["value"].notna(), 0.0))
    sums["numerator"] = (health["value"] * health["of"]).fillna(0.0)
    found = summarise(sums).rename(columns={"measure": "what"})
    verdicts = health.groupby(["stratum", "what"])["verdict"].agg(_counted).rename("verdicts")
    joined = found.join(verdicts, on=["stratum", "what"])
    order = joined["stratum"].map({name: place for place, name in enumerate(health["stratum"].unique())})
    columns = ["stratum", "what", "value", "low", "high", "verdicts"]
    return joined.loc[order.sort_values(kind="stable").index, columns].reset_index(drop=True)


def _counted(verdicts: pd.Series) -> str:
    return ", ".join(f"{verdict} ({days} d)" for verdict, days in verdicts.value_counts().items())


def tell_lead(
    measures: pd.DataFrame, ours: str, rivals: Sequence[str], measure: str = "attribution", seed: int = 0
) -> tuple[Estimate, Estimate, str]:
    """Give a method's figure over all strata, by how much it differs from the best other one's, and which that is.

    Parameters
    ----------
    measures : DataFrame with arm, stratum, day, measure, numerator, denominator
    ours : str
    rivals : list of str
        The best of them by the same days, which makes the lead rather too small.
    measure : str
    seed : int
        Of the bootstrap.

    Returns
    -------
    figure, lead : Estimate
        The lead is ours less theirs: below zero is better where less is.
    best : str
    """
    pooled = pool_strata(measures[measures["measure"] == measure])
    told = summarise(pooled[pooled["arm"] == ours], seed=seed)
    against = compare(pooled, ours, measure, rivals, seed=seed)
    best = against.sort_values("theirs", ascending=measure in LESS_IS_BETTER, kind="stable").iloc[:1]
    figures = as_estimate(told), as_estimate(best.rename(columns={"difference": "value"}))
    return (*figures, str(best["arm"].iloc[0]))


def reliability_of(labelled: pd.DataFrame, bins: int = 10) -> pd.DataFrame:
    """As `reliability`, of each arm: with a column arm."""
    parts = [reliability(part, bins).assign(arm=arm) for arm, part in labelled.groupby("arm", sort=False)]
    return pd.concat(parts, ignore_index=True)


def most_probable_of(labelled: pd.DataFrame) -> pd.DataFrame:
    """As `most_probable`, of each arm."""
    return pd.concat([most_probable(part) for _, part in labelled.groupby("arm", sort=False)])


def review_curves(
    receipts: Mapping[str, pd.DataFrame], shares: Sequence[float] | None = None, seed: int = 0
) -> pd.DataFrame:
    """As `review_curve`, of each arm's receipts: with a column arm."""
    parts = [review_curve(rows, shares, seed=seed).assign(arm=arm) for arm, rows in receipts.items()]
    return pd.concat(parts, ignore_index=True)
