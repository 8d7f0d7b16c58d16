"""How much of what is taken has no tag: plates tell what was taken, and tags that cease to lie answer for it, or not.

    tags, share = check_tags(mended)            # with a planogram that is right
    share_untagged(pd.concat(tables))           # several days tell more

A tag that is there and hardly heard is not the same as none: the chance of it is taken off, and where it is great
nobody can tell.
"""

from typing import Any

import numpy as np
import pandas as pd

from retailkit.lab.intervals import Estimate, interval, resample, wilson
from retailkit.store.fusion.acts import Acts, find_acts
from retailkit.store.fusion.departures import Departures, find_departures, hear_bins
from retailkit.store.fusion.planogram import seen_takes
from retailkit.store.fusion.sensors import Scene
from retailkit.store.pairing import pair_up
from retailkit.store.rfid.presence import Presence

_DROP = 12.0  # log-likelihood by which a take may explain a tag's going worse than the best moment does
_UNHEARD = 0.5  # chance from which on a tag of a product is too seldom heard to tell whether it has one
_JUDGED = 20  # seconds with a read in a day, below which it is not seen that a tag left
USUAL = 0.05  # share of things without a tag that is usual (Auburn RFID Lab: 3.5 %)

UNTAGGED = ["product", "taken", "left", "unheard", "share", "low", "high", "verdict"]


def check_tags(
    scene: Scene, acts: Acts | None = None, left: Departures | None = None, presence: Presence | None = None
) -> tuple[pd.DataFrame, Estimate]:
    """Tell the share of what was taken that has no tag, by product and in all.

    Parameters
    ----------
    scene : Scene
        With a planogram that is right (`mend_planogram`).
    acts : Acts, optional
        As `find_acts` gives them.
    left : Departures, optional
        As `find_departures` gives them for the moments of `seen_takes(acts)`.
    presence : Presence, optional
        As `hear_bins` gives it.

    Returns
    -------
    DataFrame
        By product of which something was taken: product, taken (pieces that plates told, less those put back), left
        (tags of it that left at such a take), unheard (chance that a tag of it is heard too
        seldom to tell that it left), share (of things
        without a tag), low, high (95 % interval), verdict (ok; untagged, if the interval lies above 5 %; cannot tell).
    Estimate
        The share in all products that can be judged; its interval is over products.

    Notes
    -----
    What is missing is either untagged or has a tag that is hardly heard: of pieces taken a share of u + (1 - u) q has
    no tag that is seen to leave, for a product whose tags are heard too seldom with chance q. That is the share of a
    product's tags that are, with those never heard as Chao (1984) estimates their number from those heard once and
    twice, drawn a little to that of all products.
    What plates did not tell of things put back is counted as missing: on tuning days of some 100 things the share is 2
    percentage points too high (95 % interval 1 to 3), and would be 7 without what is taken off for weak tags.
    """
    presence = hear_bins(scene) if presence is None else presence
    acts = find_acts(scene) if acts is None else acts
    takes = seen_takes(acts)
    left = find_departures(scene, takes["time"], presence) if left is None else left
    table = _balance(scene, acts, _leavers(scene, acts, takes, left))
    table["unheard"] = _unheard(scene, presence, left).reindex(table["product"]).fillna(1.0).to_numpy()
    rows = [_judged(row) for row in table.itertuples()]
    found = table.join(pd.DataFrame(rows, columns=["share", "low", "high", "verdict"], index=table.index))
    return found[UNTAGGED], share_untagged(found)


def _leavers(scene: Scene, acts: Acts, takes: pd.DataFrame, left: Departures) -> pd.Series:
    """Products of tags that left when one of it was taken, each take answering for one tag."""
    names = scene.sensors.products["product"].to_numpy()
    product = names[acts.products[takes.index].argmax(axis=1)]
    if not len(left.table) or not len(takes):
        return left.table["product"].iloc[:0]
    drop = left.table["best"].to_numpy()[:, None] - left.score
    same = left.table["product"].to_numpy()[:, None] == product[None]
    rows, _ = pair_up(np.where(same & (drop <= _DROP), drop, np.inf))
    return left.table["product"].iloc[rows]


def _balance(scene: Scene, acts: Acts, leavers: pd.Series) -> pd.DataFrame:
    """Pieces taken, and tags that left, by product."""
    told = acts.table[acts.table["grams"].notna()]
    product = scene.sensors.products["product"].to_numpy()[acts.products[told.index].argmax(axis=1)]
    taken = (-told["sign"]).groupby(product).sum()
    table = pd.DataFrame({"taken": taken, "left": leavers.value_counts()}).fillna(0).astype(int)
    return table.rename_axis("product").reset_index()


def _unheard(scene: Scene, presence: Presence, left: Departures) -> pd.Series:
    """Chance by product that a tag of it is heard too seldom to tell whether it left; no row where none is heard."""
    bins = presence.table[["epc", "bin"]].drop_duplicates().groupby("epc", observed=True).size().rename("bins")
    tags = bins.reset_index().merge(scene.tags[scene.tags["product"] != ""], on="epc")
    tags["seldom"] = (tags["bins"] < _JUDGED) & ~tags["epc"].isin(left.table["epc"])
    tags = tags.assign(once=tags["bins"] == 1, twice=tags["bins"] == 2, heard=True)
    number = tags.groupby("product")[["heard", "seldom", "once", "twice"]].sum()
    never = number["once"] * (number["once"] - 1) / (2 * (number["twice"] + 1))
    usual = (number["seldom"] + never).sum() / max((number["heard"] + never).sum(), 1)
    return (number["seldom"] + never + usual) / (number["heard"] + never + 1)


def _judged(row: Any) -> tuple[float, float, float, str]:
    """Share without a tag, its interval and the verdict for one product."""
    if row.taken < 1 or row.unheard > _UNHEARD:
        return np.nan, np.nan, np.nan, "cannot tell"
    missing = wilson(max(row.taken - row.left, 0), row.taken)
    share, low, high = (float(np.clip((end - row.unheard) / (1 - row.unheard), 0, 1)) for end in
                        (missing.value, missing.low, missing.high))  # fmt: skip
    return share, low, high, "untagged" if low > USUAL else "ok"


def share_untagged(table: pd.DataFrame) -> Estimate:
    """Tell the share without a tag in all products that can be judged, of one day, or of several put together.

    Parameters
    ----------
    table : DataFrame
        As `check_tags` gives it; those of several days under each other tell more.

    Returns
    -------
    Estimate
        With a 95 % interval over products.
    """
    table = table[table["verdict"] != "cannot tell"]
    if not len(table):
        return Estimate(np.nan, np.nan, np.nan, units=0, unit_name="products")
    taken, left, unheard = (table[name].to_numpy(float) for name in ("taken", "left", "unheard"))
    parts = np.column_stack([taken - left - taken * unheard, taken * (1 - unheard)])
    above, below = (resample(table["product"]) @ parts).T
    drawn = np.clip(above / np.maximum(below, 1e-9), 0, 1)
    value = float(np.clip(parts[:, 0].sum() / max(parts[:, 1].sum(), 1e-9), 0, 1))
    return interval(value, drawn, units=table["product"].nunique(), unit_name="products")
