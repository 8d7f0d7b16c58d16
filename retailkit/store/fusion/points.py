"""Figures of methods as points of curves: from one run, from many, and under the names that runs record.

points = as_points(summarise(measures), arms)                   # strata are values of a change
join_points(points, read_points(rk.read_curve(...), arms))      # and what other runs of a sweep found
"""

from collections.abc import Sequence

import pandas as pd

_POINT = ["arm", "point", "value", "low", "high"]


def pick_arms(table: pd.DataFrame, arms: Sequence[str]) -> pd.DataFrame:
    """Keep rows of some arms, in their order within each stratum.

    Parameters
    ----------
    table : DataFrame with stratum, arm
    arms : list of str
        Those that the table lacks are passed over.
    """
    place = {name: number for number, name in enumerate(arms)}
    strata = {name: number for number, name in enumerate(table["stratum"].unique())}
    kept = table[table["arm"].isin(arms)].reset_index(drop=True)
    order = kept["stratum"].map(strata) * len(place) + kept["arm"].map(place)
    return kept.loc[order.sort_values(kind="stable").index].reset_index(drop=True)


def name_metric(arm: str) -> str:
    """Name an arm's figure as runs record it.

    >>> name_metric("RFID only")
    'rfid_only'
    """
    return arm.lower().replace(" ", "_")


def read_points(curve: pd.DataFrame, arms: Sequence[str]) -> pd.DataFrame:
    """Give figures that `rk.read_curve` read the names of their arms: arm, point, value, low, high."""
    names = {name_metric(arm): arm for arm in arms}
    return curve.assign(arm=curve["metric"].map(names))[_POINT]


def as_points(figures: pd.DataFrame, arms: Sequence[str]) -> pd.DataFrame:
    """Take figures of which strata are values of a change as points of curves: arm, point, value, low, high."""
    picked = pick_arms(figures, arms)
    return picked.assign(point=picked["stratum"].astype(float))[_POINT]


def join_points(first: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Put points of curves together: arm, point, value, low, high; where both have one, the first's counts."""
    every = pd.concat([first[_POINT], others[_POINT]] if len(others) else [first[_POINT]])
    ordered = every.drop_duplicates(["arm", "point"]).sort_values("point", kind="stable")
    return pick_arms(ordered.assign(stratum=""), list(first["arm"].unique()))[_POINT]
