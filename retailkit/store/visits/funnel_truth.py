"""What is known besides: hands that somebody watched, to learn from, and the true funnel beside the one found.

recall = recall_of(watch_hands(store))             # how many hand events the cameras see
beside_true_funnel(funnel_table(funnel), store)    # the oracle's columns
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from retailkit.datasets.stores import StoreRecording
from retailkit.lab.intervals import interval
from retailkit.store.visits.attention import Funnel, find_funnel
from retailkit.store.visits.choice_sets import find_choices
from retailkit.store.visits.interest import funnel_table, interest_table, score_hands
from retailkit.store.visits.preference import Preference, fit_preference

_SCORES = ["kind", "measure", "value", "low", "high", "events"]


def watch_hands(store: StoreRecording) -> pd.DataFrame:
    """Score the hand events of the watched beginning of a recording, where somebody wrote down what hands did.

    Returns
    -------
    DataFrame
        As `score_hands` gives it; empty where nobody did, so that `recall_of` takes all events for seen.
    """
    if "hands" not in store.truth or not store.counted_until:
        return pd.DataFrame(columns=_SCORES)
    seen = store.hands.assign(visit=store.hands["person"])  # who watches sees people, whatever trackers call them
    early = [frame[frame["time"] <= store.counted_until] for frame in (seen, _shoppers(store, store.truth["hands"]))]
    return score_hands(_shoppers(store, early[0]), early[1])


def true_funnel(store: StoreRecording, per: str = "cell") -> Funnel | None:
    """Find the funnel from what really happened; None where nobody knows."""
    if "zone_visits" not in store.truth:
        return None
    stays, hands = (_shoppers(store, store.truth[name]) for name in ("zone_visits", "hands"))
    return find_funnel(stays, hands, store.cells, per=per)


def beside_true_funnel(table: pd.DataFrame, store: StoreRecording, per: str = "cell") -> pd.DataFrame:
    """Set a table of `funnel_table` or `interest_table` beside what is true.

    Parameters
    ----------
    table : DataFrame
        Of a funnel of this recording.
    store : StoreRecording
    per : str
        What that funnel was found per.

    Returns
    -------
    DataFrame
        The same rows with truth, nan where nobody knows it, and held: whether the interval holds it, empty where
        nobody knows.
    """
    keys = [name for name in ("product", "zone", "cell", "stage", "measure") if name in table]
    funnel = true_funnel(store, per)
    if funnel is None:
        return table.assign(truth=np.nan, held="")
    by = next((name for name in keys if name not in ("stage", "measure")), None)
    known = interest_table(funnel, by) if "measure" in keys else funnel_table(funnel, by)
    found = table.merge(known[[*keys, "value"]].rename(columns={"value": "truth"}), on=keys, how="left")
    inside = (found["low"] <= found["truth"]) & (found["truth"] <= found["high"])
    return found.assign(held=np.where(found["truth"].isna() | found["low"].isna(), "", np.where(inside, "yes", "no")))


def rank_agreement(table: pd.DataFrame, repetitions: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Say how well each measure ranks things by what is true of their keeping (Spearman 1904).

    Parameters
    ----------
    table : DataFrame
        As `beside_true_funnel` makes it of an `interest_table`.
    repetitions, seed
        Of the bootstrap, which draws products (or zones, or cells) anew.

    Returns
    -------
    DataFrame
        measure, value, low, high: rank correlation with the true share kept; empty where nobody knows the truth.
    """
    by = next(name for name in ("product", "zone", "cell") if name in table)
    wide = table.pivot(index=by, columns="measure", values="value")
    known = table[table["measure"] == "kept"].set_index(by)["truth"].reindex(wide.index).to_numpy()
    picked = np.random.default_rng(seed).integers(
        len(known), size=(repetitions, len(known))
    )  # the same for all measures
    rows = []
    for measure in ("dwell", "dwell share", "stopped", "reached", "kept") if np.isfinite(known).all() else ():
        found = wide[measure].to_numpy()
        [value] = _spearman(found[None], known[None])
        one = interval(value, _spearman(found[picked], known[picked]), units=len(known), unit_name=by)
        rows.append({"measure": measure, "value": one.value, "low": one.low, "high": one.high})
    return pd.DataFrame(rows, columns=["measure", "value", "low", "high"])


def _spearman(one: NDArray, other: NDArray) -> NDArray[np.float64]:
    """Rank correlation of each row of one with that of the other; nan where all of a row is alike."""
    ranks = [rankdata(values, axis=1) - (values.shape[1] + 1) / 2 for values in (one, other)]
    size = np.sqrt(np.prod([(part**2).sum(axis=1) for part in ranks], axis=0))
    return np.divide((ranks[0] * ranks[1]).sum(axis=1), size, out=np.full(len(one), np.nan), where=size > 0)


def beside_true_preference(preference: Preference, store: StoreRecording, per: str = "product") -> pd.DataFrame:
    """Set coefficients beside those of the same fit to what really happened: what a perfect camera would have told.

    Parameters
    ----------
    preference : Preference
    store : StoreRecording
    per : str
        What its choice sets were found per.

    Returns
    -------
    DataFrame
        As `Preference.table` gives it, with truth and held; nan and empty where nobody knows, or where the choices were
        others than this store's.
    """
    table, funnel = preference.table(), true_funnel(store, per)
    names = list(preference.coefficients.index)
    if funnel is None or not set(names) <= set(store.cells):
        return table.assign(truth=np.nan, held="")
    choices = find_choices(funnel, store.cells, nothing=False)
    known = fit_preference(choices, names, cluster="visit").coefficients
    found = table.assign(truth=table["attribute"].map(known.to_dict()))
    inside = (found["low"] <= found["truth"]) & (found["truth"] <= found["high"])
    return found.assign(held=np.where(inside, "yes", "no"))


def _shoppers(store: StoreRecording, frame: pd.DataFrame) -> pd.DataFrame:
    visitors = store.truth["visitors"]
    return frame[frame["visit"].isin(visitors.loc[visitors["kind"] == "shopper", "visit"])]
