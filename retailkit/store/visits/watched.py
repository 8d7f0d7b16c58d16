"""What somebody who watched the beginning wrote down, and what it says of the rest.

noted = find_queue(watched_stays(store), store.queue, store.checkouts)
correct_watched(describe_queue, queue, noted, until=store.counted_until)
"""

import numpy as np
import pandas as pd

from retailkit.datasets.stores import StoreRecording
from retailkit.lab.rectified import LEAST_BLOCKS, Describe, rectify
from retailkit.store.visits.zones import find_zone_visits

_STARTS = ("join", "enter", "time")


def watched_stays(store: StoreRecording) -> pd.DataFrame:
    """Visits of shoppers to zones as somebody notes them who watches the beginning of a recording.

    Returns
    -------
    DataFrame
        As `find_zone_visits` gives it, from the true ways of those who entered a zone until `store.counted_until`; no
        rows where nobody knows them.
    """
    if "tracks" not in store.truth:
        nobody = pd.DataFrame({"visit": [], "time": [], "x": [], "y": []})
        return find_zone_visits(nobody, store.zones)
    tracks, visitors = store.truth["tracks"], store.truth["visitors"]
    shoppers = visitors.loc[visitors["kind"] == "shopper", "visit"]
    stays = find_zone_visits(tracks[tracks["visit"].isin(shoppers)].reset_index(drop=True), store.zones)
    return stays[stays["enter"] <= store.counted_until].reset_index(drop=True)


def correct_watched(
    describe: Describe, found: pd.DataFrame, noted: pd.DataFrame, until: float, blocks: int = 12, level: float = 0.95
) -> pd.DataFrame:
    """Correct figures of the time that nobody watched by what was noted before it, with `rectify`.

    Parameters
    ----------
    describe : function
        Such as `describe_queue`.
    found : DataFrame with join, enter or time (seconds)
        What cameras saw of the whole recording, such as the table of `find_queue`.
    noted : DataFrame
        The same as somebody noted it who watched until then.
    until : float, seconds
    blocks : int
        Parts of the watched time, each taken as independent of the others.
    level : float, 0 to 1

    Returns
    -------
    DataFrame
        As `rectify` gives it. No rows where something was noted in fewer than 5 blocks: nobody watched, or for too
        short a time.

    Raises
    ------
    ValueError
        The tables have no column that says when something began.
    """
    start = next((name for name in _STARTS if name in found and name in noted), None)
    if start is None:
        raise ValueError(
            f"found and noted have none of {', '.join(_STARTS)} in common; found has {', '.join(map(str, found))}"
        )
    early, noted = found[found[start] <= until], noted[noted[start] <= until]
    begin = min(early[start].min(), noted[start].min())
    edges = np.linspace(begin, until, blocks + 1)[1:-1] if len(early) and len(noted) else np.empty(0)
    labelled, truth = (rows.assign(block=np.searchsorted(edges, rows[start])) for rows in (early, noted))
    if truth["block"].nunique() < LEAST_BLOCKS:
        return pd.DataFrame(columns=["quantity", "value", "low", "high", "as_seen", "shift", "shift_low", "shift_high"])
    return rectify(describe, found[found[start] > until], labelled, truth, level=level)
