"""Staff told from customers by what they do: a guess, and the signs that it rests on."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.datasets.tables import need_columns
from retailkit.store.visits.zones import way_of

WEIGHTS = {"in_area": 0.9, "long": 0.8, "apart": 0.7, "returns": 0.3}
_CELL = 0.5  # metres: side of the squares by which places are told apart
_RARE = 0.03  # share of visits: where fewer go, customers do not
_LEAST = 10.0  # seconds: a shorter track says nothing of where somebody is


def guess_staff(
    tracks: pd.DataFrame,
    zone_visits: pd.DataFrame,
    areas: Sequence[str] = (),
    *,
    weights: Mapping[str, float] = WEIGHTS,
) -> pd.DataFrame:
    """Guess from behaviour who is staff; no face, no clothes, no name.

    Each sign that is there has a stated weight: how often somebody with this sign alone would be staff. Together they
    make 1 - (1 - first) (1 - second) ...: with two signs of 0.8 and 0.7, 0.94. The weights are a judgement and no
    calibration; `tests/store/visits/test_staff.py` says how well the guess does on simulated days.

    Parameters
    ----------
    tracks : DataFrame with visit, time (seconds), x, y (metres)
        By visit and time.
    zone_visits : DataFrame with visit, zone, dwell, again
        Of the same tracks, as `find_zone_visits` gives it.
    areas : list of zones, optional
        Where customers have no business.
    weights : mapping of signs to weights, 0 to 1
        ``in_area``: 3 s or more, and a tenth of the time that it is seen, in one of the areas. ``long``: seen more than
        three times as long as three quarters of all visits are. ``apart``: half of the time or more at places (squares
        of 0.5 m) where under 3 % of visits ever are. ``returns``: came back to one zone three times or more
        (which customers do as well).

    Returns
    -------
    DataFrame
        By visit: visit, present (seconds), in_area, long, apart, returns (bool), probability, and staff (probability of
        one half or more).

    Raises
    ------
    ValueError
        The tracks are not as `check_tracks` gives them, a column is missing, `areas` is no list, or a weight is unknown
        or outside 0 to 1.
    """
    _check(zone_visits, areas, weights)
    way = way_of(tracks)
    first = np.append(len(way.visit) > 0, way.leap)[: len(way.visit)]
    visits, codes = way.visit[first], np.cumsum(first) - 1
    seconds = _seconds(tracks, codes)
    present = np.bincount(codes, seconds, len(visits))
    inside = zone_visits[zone_visits["zone"].isin(list(areas))].groupby("visit")["dwell"].sum()
    stayed = inside.reindex(visits).fillna(0).to_numpy(float)
    back = zone_visits.groupby("visit")["again"].max().reindex(visits).fillna(0).to_numpy(float)
    apart = np.bincount(codes, seconds * (_share_there(tracks, codes, len(visits)) < _RARE), len(visits))
    usual = np.quantile(present, 0.75) if len(visits) else 0.0
    signs = {
        "in_area": (stayed >= 3) & (stayed >= 0.1 * present),
        "long": present > 3 * usual,
        "apart": (apart >= 0.5 * present) & (present >= _LEAST),
        "returns": back >= 3,
    }
    doubt = np.ones(len(visits))
    for name, there in signs.items():
        doubt = doubt * np.where(there, 1 - weights.get(name, 0.0), 1.0)
    found = pd.DataFrame({"visit": visits, "present": present, **signs})
    return found.assign(probability=1 - doubt, staff=1 - doubt >= 0.5)


def _check(zone_visits: pd.DataFrame, areas: Sequence[str], weights: Mapping[str, float]) -> None:
    need_columns(zone_visits, ("visit", "zone", "dwell", "again"), "zone_visits")
    if isinstance(areas, str):
        raise ValueError(f"areas is {areas!r}: a list of zones is needed, as [{areas!r}]")
    for name, weight in weights.items():
        if name not in WEIGHTS or not 0 <= weight <= 1:
            raise ValueError(f"the weight of {name!r} is {weight!r}: 0 to 1 is needed, for {', '.join(WEIGHTS)}")


def _seconds(tracks: pd.DataFrame, codes: NDArray[np.intp]) -> NDArray[np.float64]:
    """How long each row stands for: until the next of its visit."""
    step = np.diff(tracks["time"].to_numpy(float), append=0.0)
    return np.where(np.append(np.diff(codes), 1)[: len(step)] == 0, step, 0.0)


def _share_there(tracks: pd.DataFrame, codes: NDArray[np.intp], visits: int) -> NDArray[np.float64]:
    """Share of visits that were ever in the square where each row is."""
    if not len(tracks):
        return np.empty(0)
    column, row = (np.floor(tracks[axis].to_numpy(float) / _CELL).astype(np.int64) for axis in ("x", "y"))
    square = (row - row.min()) * (np.ptp(column) + 1) + column - column.min()
    runs = np.flatnonzero(np.diff(square, prepend=-1) | np.diff(codes, prepend=-1))
    pairs = pd.DataFrame({"square": square[runs], "visit": codes[runs]}).drop_duplicates()
    counts = np.bincount(pairs["square"], minlength=int(square.max()) + 1)
    return counts[square] / visits
