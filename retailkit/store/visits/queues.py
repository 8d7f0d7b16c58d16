"""The line before the checkouts: who waited how long, who gave up, and how long the line was.

    queue = find_queue(zone_visits, queue="queue", service=["checkout 1", "checkout 2"])
    describe_queue(queue)         # mean and median wait, share who gave up, mean length, with intervals
    queue_length(queue)           # how many stood there, by time

Waits of people in one line are no independent figures: who comes while it is long waits long too. What is nearly
independent are spells, from when the line is no longer empty until it is again (Crane & Iglehart 1975), so intervals
rest on these.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.datasets.tables import need_columns
from retailkit.lab.clustered import clustered_mean, clustered_share, rate_ends
from retailkit.lab.durations import time_until

_NEEDED = ("visit", "zone", "enter", "leave", "stopped", "censored")
COLUMNS = ["visit", "service", "join", "served", "left", "wait", "abandoned", "censored", "spell"]
_CUT = ["", "start", "end", "both"]
_DESCRIBED = ["quantity", "value", "low", "high", "level", "units", "unit_name", "count", "of"]


def find_queue(
    zone_visits: pd.DataFrame, queue: str | Sequence[str], service: str | Sequence[str], walk: float = 15.0
) -> pd.DataFrame:
    """Find who stood in line: when they joined, were served or gave up, and left.

    >>> stays = pd.DataFrame({"visit": [1, 1, 2], "zone": ["line", "desk", "line"], "enter": [0.0, 31.0, 4.0],
    ...                       "leave": [30.0, 90.0, 50.0], "stopped": True, "censored": ""})
    >>> find_queue(stays, "line", "desk")[["visit", "join", "served", "left", "wait", "abandoned"]]
       visit  join  served  left  wait  abandoned
    0      1   0.0    30.0  90.0  30.0      False
    1      2   4.0     NaN  50.0  46.0       True

    Parameters
    ----------
    zone_visits : DataFrame with visit, zone, enter, leave (seconds), stopped, censored
        As `find_zone_visits` gives it.
    queue : zone or zones where people wait; empty for a store without a line, in which nobody waits
    service : zone or zones where they are served
    walk : float, seconds
        Served are those who are next seen where one is served, within this time after they left the line; who is next
        seen in the line again has stayed in it. Trackers exchange people just there. So whoever left the line for
        elsewhere, or was lost in it, is taken to be the one who within this time is served without having stood in
        line, or stands in line having been served just before.

    Returns
    -------
    DataFrame
        A row for each stay in line, by join: visit; service (the zone, empty for none); join, when the line was
        entered; served, when it was left for service, else nan; left, when the place of service was left, or the line
        without service; wait, from join to served, or to left for those who gave up; abandoned; censored (``start``,
        ``end``, ``both``: the track does not show all of the wait); spell, the number of the time without a break in
        which somebody stood there. Who passed the line's zone without a stop, and was not served next, was not in line.

    Raises
    ------
    ValueError
        A column is missing, a zone is both, or `walk` is below 0.
    """
    lines, desks = _names(queue), _names(service)
    _check(zone_visits, lines, desks, walk)
    stays = zone_visits.sort_values(["visit", "enter"], kind="stable").reset_index(drop=True)
    waits, serves = (stays["zone"].isin(names).to_numpy() for names in (lines, desks))
    after = _follow(stays, waits, serves, walk)
    head, tail, stood = _chains(stays["stopped"].to_numpy(bool), waits, after)
    desk = after[tail]
    kept = stood | (desk >= 0)
    return _table(stays, head[kept], tail[kept], desk[kept])


def _follow(stays: pd.DataFrame, waits: NDArray[np.bool_], serves: NDArray[np.bool_], walk: float) -> NDArray[np.intp]:
    """Row of the stay, in line or at a desk, that each stay in line led to; -1 for none."""
    after = np.full(len(stays), -1)
    visit, enter, leave = (stays[name].to_numpy() for name in ("visit", "enter", "leave"))
    stopped = stays["stopped"].to_numpy(bool)
    soon = (visit[1:] == visit[:-1]) & (enter[1:] - leave[:-1] <= walk)
    on = np.flatnonzero(soon & waits[:-1] & (serves[1:] | (waits & stopped)[1:] & stopped[:-1]))
    after[on] = on + 1
    lost = np.flatnonzero(waits & stopped & (after < 0))
    from_line, from_desk = np.append(False, soon & waits[:-1]), np.append(False, soon & serves[:-1])
    strange = np.flatnonzero(stopped & np.where(waits, from_desk, serves & ~from_line & ~from_desk))
    earliest = np.where(waits[strange], -walk, 0.0)  # who passes the line is in its zone before the exchange
    for one, other in _nearest(leave[lost], enter[strange], leave[strange], earliest, walk):
        after[lost[one]] = strange[other]
    return after


def _nearest(left: NDArray, came: NDArray, gone: NDArray, earliest: NDArray, walk: float) -> list[tuple[int, int]]:
    """Pair each who left with one who came at about the same time and went later, those closest in time first."""
    gap = came - left[:, None]
    one, other = np.nonzero((gap >= earliest) & (gap <= walk) & (gone > left[:, None]))
    pairs: dict[int, int] = {}
    for pair in np.argsort(np.abs(gap[one, other]), kind="stable"):
        if one[pair] not in pairs and other[pair] not in pairs.values():
            pairs[int(one[pair])] = int(other[pair])
    return list(pairs.items())


def _chains(
    stopped: NDArray[np.bool_], waits: NDArray[np.bool_], after: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]:
    """First and last row of stays in line that are one, and whether anybody stood in any of them."""
    on = (after >= 0) & waits[after]  # the next is in line, too
    head = np.flatnonzero(waits & ~np.isin(np.arange(len(after)), after[on]))
    tail, stood = head.copy(), stopped[head]
    for _ in range(len(after)):
        more = on[tail]
        if not more.any():
            break
        tail = np.where(more, after[tail], tail)
        stood = stood | stopped[tail]
    return head, tail, stood


def _table(stays: pd.DataFrame, head: NDArray[np.intp], tail: NDArray[np.intp], desk: NDArray[np.intp]) -> pd.DataFrame:
    first, last, at_desk, served = stays.iloc[head], stays.iloc[tail], stays.iloc[desk], desk >= 0
    unseen = first["censored"].isin(["start", "both"]).to_numpy()
    lost = ~_ends(last) & ~served  # who was served is not lost
    leave, gone = last["leave"].to_numpy(float), at_desk["leave"].where(_ends(at_desk)).to_numpy(float)
    abandoned = ~served & ~lost
    found = pd.DataFrame(
        {
            "visit": first["visit"].to_numpy(),
            "service": pd.array(np.where(served, at_desk["zone"], ""), dtype="str"),
            "join": first["enter"].to_numpy(float),
            "served": np.where(served, leave, np.nan),
            "left": np.where(served, gone, np.where(abandoned, leave, np.nan)),
            "wait": leave - first["enter"].to_numpy(float),
            "abandoned": abandoned,
            "censored": pd.array(np.array(_CUT)[unseen + 2 * lost], dtype="str"),
        }
    )
    found = found.sort_values("join", kind="stable").reset_index(drop=True)
    return found.assign(spell=_spells(found))


def _ends(stays: pd.DataFrame) -> NDArray[np.bool_]:
    return ~stays["censored"].isin(["end", "both"]).to_numpy()


def _names(zones: str | Sequence[str]) -> list[str]:
    return [name for name in ([zones] if isinstance(zones, str) else zones) if name]


def _check(zone_visits: pd.DataFrame, lines: list[str], desks: list[str], walk: float) -> None:
    need_columns(zone_visits, _NEEDED, "zone_visits")
    if both := set(lines) & set(desks):
        raise ValueError(f"zone {min(both)!r} is given as queue and as service: one or the other is needed")
    if not walk >= 0:
        raise ValueError(f"walk is {walk!r}: seconds from 0 up are needed")


def _spells(queue: pd.DataFrame) -> NDArray[np.intp]:
    """Number the times in which somebody stood in line; rows by join."""
    if not len(queue):
        return np.empty(0, dtype=np.intp)
    ends = np.maximum.accumulate((queue["join"] + queue["wait"]).to_numpy())
    return np.append(0, np.cumsum(queue["join"].to_numpy()[1:] > ends[:-1])).astype(np.intp)


def describe_queue(queue: pd.DataFrame, by: str = "spell", level: float = 0.95) -> pd.DataFrame:
    """Say how long people waited, and how many gave up.

    Parameters
    ----------
    queue : DataFrame
        As `find_queue` gives it.
    by : str
        Column that names what is independent: the spells of a line, or days where there are many.
    level : float, 0 to 1

    Returns
    -------
    DataFrame
        quantity: ``mean wait``, ``median wait`` (seconds until served or given up), ``mean wait of those served``, and
        ``share abandoned``; value, low, high, level, units, unit_name; count (rows that it rests on) and of (rows).
        No rows where nobody waited.

    Notes
    -----
    The intervals speak of other spells as seen here. Exchanged identities look like people who give up: on simulated
    days 8.5 % did where 5.9 % had, and the interval of a day of 600 shoppers held the truth in 64 % of 500 days. With
    six hours of notes for `rectify` it was 6.0 %, held in 96 % (`python -m benchmarks.camera_days`). Long waits are
    rare: with some 35 spells the mean's interval held the truth in 82 % of 400 simulated days, with 280 in 94 %.

    Waits cut short count as long as they were seen. Of those whose end is known, each stands for the ones like it that
    were cut: weighted by one over the share of waits of that length still seen (Robins & Rotnitzky 1992). Waits with an
    unknown beginning are left out.
    """
    if not len(queue):
        return pd.DataFrame(columns=_DESCRIBED)
    begun = queue[queue["censored"].isin(["", "end"])]
    ended = (begun["censored"] == "").to_numpy()
    names = f"{by}s"
    mean, median = time_until(begun["wait"], ended, begun[by], None, level, names)
    weight = _seen_weights(begun["wait"].to_numpy(), ended)
    lost, groups = begun["abandoned"].to_numpy(float), begun[by]
    served = clustered_mean(begun["wait"], groups, weight * (1 - lost), level, names)
    share = clustered_share(lost, groups, weight, level, names)
    counts = [int(ended.sum()), int(ended.sum()), int((ended & (lost == 0)).sum()), int(ended.sum())]
    quantities = ["mean wait", "median wait", "mean wait of those served", "share abandoned"]
    rows = [
        {"quantity": quantity, **estimate.row(), "count": count, "of": len(queue)}
        for quantity, estimate, count in zip(quantities, (mean, median, served, share), counts, strict=True)
    ]
    return pd.DataFrame(rows)


def _seen_weights(wait: NDArray[np.float64], ended: NDArray[np.bool_]) -> NDArray[np.float64]:
    """One over the share of waits not yet cut at this one's end (Kaplan–Meier of the cuts); 0 for those cut."""
    cuts, number = np.unique(wait[~ended], return_counts=True)
    risk = len(wait) - np.searchsorted(np.sort(wait), cuts)
    seen = np.append(1.0, np.cumprod(1 - number / np.maximum(risk, 1)))
    return np.where(ended, 1 / np.maximum(seen[np.searchsorted(cuts, wait)], 1e-9), 0.0)


def queue_length(queue: pd.DataFrame, every: float = 900.0, level: float = 0.95) -> pd.DataFrame:
    """Say how long the line was, by time.

    >>> queue = pd.DataFrame({"join": [0.0, 20.0], "wait": [60.0, 40.0], "spell": [0, 0]})
    >>> queue_length(queue, every=30)[["time", "length", "longest"]]
       time    length  longest
    0   0.0  1.333333        2
    1  30.0  2.000000        2

    Parameters
    ----------
    queue : DataFrame
        As `find_queue` gives it; a wait of which a part was seen counts for that part.
    every : float, seconds
        Length of the periods; they begin at whole multiples.
    level : float, 0 to 1

    Returns
    -------
    DataFrame
        A row for each period between the first and the last in which somebody waited: time (its beginning), length
        (people, mean over the period), low, high (for such a period on other days, by the spells in it; see
        `rate_ends`), longest, spells.

    Raises
    ------
    ValueError
        The period is not above 0.
    """
    every = float(every)
    if not every > 0:
        raise ValueError(f"every is {every!r}: seconds above 0 are needed")
    columns = ["time", "length", "low", "high", "longest", "spells"]
    if not len(queue):
        return pd.DataFrame(columns=columns, dtype=float)
    areas = _areas(queue, every)
    periods = np.arange(areas.index.get_level_values("period").min(), areas.index.get_level_values("period").max() + 1)
    sums = (areas / every).groupby("period").agg(
        total="sum", squares=lambda part: (part**2).sum(), most="max", spells="size"
    )  # fmt: skip
    sums = sums.reindex(periods).fillna({"total": 0.0, "squares": 0.0, "most": areas.mean() / every, "spells": 0})
    low, high = rate_ends(sums["total"], sums["squares"], sums["most"], level)
    table = {"time": periods * every, "length": sums["total"].to_numpy(), "low": low, "high": high}
    return pd.DataFrame({**table, "longest": _longest(queue, every, periods), "spells": sums["spells"].to_numpy(int)})


def _areas(queue: pd.DataFrame, every: float) -> pd.Series:
    """Person-seconds of each spell in each period."""
    join, end = queue["join"].to_numpy(float), (queue["join"] + queue["wait"]).to_numpy(float)
    first, last = np.floor(join / every).astype(int), np.floor(end / every).astype(int)
    number = last - first + 1
    row = np.repeat(np.arange(len(queue)), number)
    period = np.arange(number.sum()) + np.repeat(first - (np.cumsum(number) - number), number)
    seconds = np.minimum(end[row], (period + 1) * every) - np.maximum(join[row], period * every)
    pieces = pd.DataFrame({"period": period, "spell": queue["spell"].to_numpy()[row], "seconds": seconds})
    return pieces[seconds > 0].groupby(["period", "spell"])["seconds"].sum()


def _longest(queue: pd.DataFrame, every: float, periods: NDArray[np.intp]) -> NDArray[np.intp]:
    """The most who stood in line at once, in each period."""
    time = np.concatenate([queue["join"] + queue["wait"], queue["join"]])  # at the same moment, out before in
    order = np.argsort(time, kind="stable")
    time, length = time[order], np.cumsum(np.repeat([-1, 1], len(queue))[order])
    begin = np.searchsorted(time, periods * every)  # changes before a period begins
    at_begin = np.append(0, length)[begin]
    inner = pd.Series(length).groupby(np.floor(time / every).astype(int)).max().reindex(periods).fillna(0).to_numpy(int)
    return np.maximum(at_begin, inner)
