"""Where people go: from zone to zone, over the floor, along which ways, and when.

    zone_flow(zone_visits)              # from which zone to which, with shares
    common_paths(zone_visits)           # zones most often visited in a row
    heat_map(tracks, cell=0.5)          # person-seconds on each piece of floor
    peak_hours(crossings, period=3600)  # arrivals by time of day

Every figure counts people, so people are the units: what one of them does over and over is one person's habit. Where it
is known who walks together, the group is one.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.datasets.tables import need_columns
from retailkit.lab.clustered import clustered_share, rate_ends
from retailkit.store.visits.dwell import Groups, party_of
from retailkit.store.visits.zones import way_of

IN, OUT = "(in)", "(out)"  # before the first zone and after the last
DAY = 86_400.0  # seconds
_MOST_CELLS = 4_000_000


def zone_flow(zone_visits: pd.DataFrame, groups: Groups = (), level: float = 0.95) -> pd.DataFrame:
    """Count where people go next from each zone.

    >>> stays = pd.DataFrame({"visit": [1, 1, 2, 3], "zone": ["milk", "tea", "milk", "milk"], "enter": [0, 9, 2, 5]})
    >>> zone_flow(stays)[["start", "end", "count", "share"]].round(2)
      start    end  count  share
    0  (in)   milk      3   1.00
    1  milk  (out)      2   0.67
    2  milk    tea      1   0.33
    3   tea  (out)      1   1.00

    Parameters
    ----------
    zone_visits : DataFrame with visit, zone, enter
        As `find_zone_visits` gives it.
    groups : tuple of tuples of visits, optional
        Who walks together; they stop and leave together, so each group then counts as one independent unit. Without it,
        intervals are too narrow where people come in groups.
    level : float, 0 to 1

    Returns
    -------
    DataFrame
        A row for each pair that occurs, by start and then the most frequent: start, end (zones; ``(in)`` and ``(out)``
        stand for before the first and after the last of a visit), count, visits (people who did so), share (of all that
        goes on from `start`), low, high (Wilson 1927, allowing for people who go the same way again and again; see
        `clustered_share`).

    Raises
    ------
    ValueError
        A column is missing.
    """
    ways = _in_order(zone_visits)
    first = ~ways["visit"].duplicated()
    last = ~ways["visit"].duplicated(keep="last")
    steps = pd.concat(
        [
            pd.DataFrame({"visit": ways["visit"][first], "start": IN, "end": ways["zone"][first]}),
            pd.DataFrame(
                {"visit": ways["visit"], "start": ways["zone"], "end": ways["zone"].shift(-1).mask(last, OUT)}
            ),
        ],
        ignore_index=True,
    )
    steps["unit"] = party_of(steps["visit"], groups)
    steps["code"], ends = pd.factorize(steps["end"])
    rows = []
    for start, there in steps.groupby("start", sort=True):
        code, unit, visit = (there[name].to_numpy() for name in ("code", "unit", "visit"))
        for end in np.unique(code):
            went = code == end
            share = clustered_share(went, unit, level=level)
            rows.append((start, ends[end], went.sum(), len(set(visit[went])), share.value, share.low, share.high))
    found = pd.DataFrame(rows, columns=["start", "end", "count", "visits", "share", "low", "high"])
    return found.sort_values(["start", "count", "end"], ascending=[True, False, True]).reset_index(drop=True)


def common_paths(
    zone_visits: pd.DataFrame, steps: int = 3, top: int = 10, *, groups: Groups = (), level: float = 0.95
) -> pd.DataFrame:
    """Find which zones are most often visited in a row.

    Parameters
    ----------
    zone_visits : DataFrame with visit, zone, enter
    steps : int
        Zones in a row.
    top : int
        How many paths to give.
    groups : tuple of tuples of visits, optional
        As `zone_flow` takes it.
    level : float, 0 to 1

    Returns
    -------
    DataFrame
        path (zones joined by ``>``), visits (people who went it at least once), share (of all people with a zone
        visit), low, high (Wilson 1927): the most frequent first.

    Raises
    ------
    ValueError
        A column is missing, or `steps` is below 2, or `top` below 1.
    """
    if steps < 2 or top < 1:
        raise ValueError(f"steps is {steps!r} and top {top!r}: two zones in a row and one path at least are needed")
    ways = _in_order(zone_visits)
    path = ways["zone"]
    for step in range(1, steps):
        path = path + " > " + ways["zone"].shift(-step)
    whole = (ways["visit"] == ways["visit"].shift(-(steps - 1))).to_numpy()
    went = pd.DataFrame({"visit": ways["visit"], "path": path})[whole].drop_duplicates()
    people = pd.Series(ways["visit"].unique())
    unit, rows = party_of(people, groups), []
    counts = (
        went.groupby("path").size().reset_index(name="number").sort_values(["number", "path"], ascending=[False, True])
    )
    for name, number in counts.head(top).itertuples(index=False):
        share = clustered_share(people.isin(went["visit"][went["path"] == name]), unit, level=level)
        rows.append((name, number, share.value, share.low, share.high))
    return pd.DataFrame(rows, columns=["path", "visits", "share", "low", "high"])


def _in_order(zone_visits: pd.DataFrame) -> pd.DataFrame:
    need_columns(zone_visits, ("visit", "zone", "enter"), "zone_visits")
    ways = zone_visits[["visit", "zone", "enter"]].sort_values(["visit", "enter"], kind="stable")
    return ways.assign(zone=ways["zone"].astype(str)).reset_index(drop=True)


def heat_map(
    tracks: pd.DataFrame,
    cell: float = 0.5,
    extent: tuple[float, float, float, float] | None = None,
    *,
    groups: Groups = (),
    level: float = 0.95,
) -> pd.DataFrame:
    """Say how long people were on each piece of floor.

    >>> way = pd.DataFrame({"visit": 1, "time": [0.0, 1.0, 2.0, 3.0], "x": [0.1, 0.2, 0.6, 0.7], "y": 0.3})
    >>> heat_map(way)[["x", "y", "seconds", "density", "visits"]]
          x     y  seconds  density  visits
    0  0.25  0.25      1.5      6.0       1
    1  0.75  0.25      1.5      6.0       1

    Parameters
    ----------
    tracks : DataFrame with visit, time (seconds), x, y (metres)
        By visit and time. Each row stands for half the time to its neighbours.
    cell : float, metres
        Side of the squares; their edges are whole multiples of it.
    extent : (left, low, right, high), metres, optional
        Part of the floor, by default where anybody was; what is outside is left out, and squares in it where nobody was
        are given with 0.
    groups : tuple of tuples of visits, optional
        As `zone_flow` takes it.
    level : float, 0 to 1

    Returns
    -------
    DataFrame
        By y and x: x, y (middle of a square), seconds (person-seconds), density (person-seconds per m2), low, high
        (ends for the density on other such days, as far as it is chance who comes; `rate_ends`), visits (people who
        were there). Without an extent, squares where nobody was are left out.

    Raises
    ------
    ValueError
        The tracks are not as `check_tracks` gives them, the cell is not above 0, the extent has no area, or it has over
        four million cells.
    """
    if not cell > 0:
        raise ValueError(f"cell is {cell!r}: metres above 0 are needed")
    way = way_of(tracks)
    x, y, time, leap = way.x, way.y, way.time, way.leap
    west, south, across, up = _grid(x, y, cell, extent)
    half = np.where(leap, 0.0, np.diff(time) / 2)
    seconds = np.append(half, 0.0) + np.append(0.0, half)[: len(time)] if len(time) else time
    column, row = np.floor(x / cell).astype(np.int64) - west, np.floor(y / cell).astype(np.int64) - south
    inside = (column >= 0) & (column < across) & (row >= 0) & (row < up)
    place = np.where(inside, row * across + column, -1)
    begins = np.flatnonzero(np.append(True, leap)[: len(time)])
    person = np.append(0, np.cumsum(leap))[: len(time)]
    sums = _by_place(place, person, party_of(tracks["visit"].iloc[begins], groups), seconds, across * up)
    shown = np.arange(across * up) if extent is not None else np.flatnonzero(sums["visits"])
    area = cell**2
    total, squares, most = (sums[name][shown] for name in ("total", "squares", "most"))
    typical = seconds.sum() / max(leap.sum() + 1, 1) / max((sums["visits"] > 0).sum(), 1)
    low, high = rate_ends(total / area, squares / area**2, np.where(most > 0, most, typical) / area, level)
    return pd.DataFrame(
        {
            "x": (shown % across + west + 0.5) * cell,
            "y": (shown // across + south + 0.5) * cell,
            "seconds": total, "density": total / area, "low": low, "high": high, "visits": sums["visits"][shown],
        }
    )  # fmt: skip


def _grid(
    x: NDArray, y: NDArray, cell: float, extent: tuple[float, float, float, float] | None
) -> tuple[int, int, int, int]:
    """First column and row, and how many of both."""
    if extent is None and not len(x):
        return 0, 0, 0, 0
    if extent is None:
        (west, east), (south, north) = ((int(np.floor(end / cell)) for end in (v.min(), v.max())) for v in (x, y))
        across, up = east - west + 1, north - south + 1
    else:
        left, low, right, high = extent
        if not (np.isfinite(extent).all() and left < right and low < high):
            raise ValueError(f"extent is {extent!r}: (left, low, right, high) in metres, with an area, is needed")
        west, south = int(np.floor(left / cell + 1e-9)), int(np.floor(low / cell + 1e-9))
        across, up = int(np.ceil(right / cell - 1e-9)) - west, int(np.ceil(high / cell - 1e-9)) - south
    if across * up > _MOST_CELLS:
        raise ValueError(f"cells of {cell:g} m are {across} x {up}, over four million: are x and y in metres?")
    return west, south, across, up


def _by_place(place: NDArray, person: NDArray, unit: NDArray, seconds: NDArray, number: int) -> dict[str, NDArray]:
    """Sums over units of their seconds at each place, of squares, the most of one, and how many people."""
    names = ("total", "squares", "most", "visits")
    if not len(place):
        return {name: np.zeros(number, dtype=int if name == "visits" else float) for name in names}
    runs = np.flatnonzero(np.append(True, (np.diff(place) != 0) | (np.diff(person) != 0)))  # few against rows
    spent, where, who = np.add.reduceat(seconds, runs), place[runs], person[runs]
    kept = where >= 0
    people = np.unique(who[kept] * number + where[kept]) % max(number, 1)
    both, which = np.unique(unit[who[kept]] * number + where[kept], return_inverse=True)
    spent, where = np.bincount(which, spent[kept], minlength=len(both)), both % max(number, 1)
    most = np.zeros(number)
    np.maximum.at(most, where, spent)
    return {
        "total": np.bincount(where, spent, number), "squares": np.bincount(where, spent**2, number),
        "most": most, "visits": np.bincount(people, minlength=number),
    }  # fmt: skip


def peak_hours(
    arrivals: pd.DataFrame,
    period: float = 3600.0,
    *,
    days: int | None = None,
    party: float = 3.0,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Say how many people come by time of day, and which time is the busiest.

    >>> came = pd.DataFrame({"visit": range(6), "time": [30_000, 31_000, 36_100, 36_200, 36_300, 36_400]})
    >>> peak_hours(came)[["start", "count", "arrivals", "busiest"]].round(2)
         start  count  arrivals  busiest
    0  28800.0      2       2.0     0.21
    1  32400.0      0       0.0     0.01
    2  36000.0      4       4.0     0.79

    Parameters
    ----------
    arrivals : DataFrame with time (seconds), and visit or direction
        Crossings (those with direction ``in`` count) or tracks (the first row of each visit counts). Time runs on over
        midnight: 86,400 s are a day.
    period : float, seconds
        A day must hold a whole number of them.
    days : int, optional
        How many days were watched, by default those with an arrival.
    party : float, seconds
        People who follow one another within this time are taken to have come together: one decision, not several.
    level : float, 0 to 1
    seed : int
        Of the chance that `busiest` is found by.

    Returns
    -------
    DataFrame
        A row for each period from the first to the last with an arrival: start (seconds since midnight), count (over
        all days), parties, arrivals (people per day), low, high (of the mean day), busiest (chance that this period's
        mean is the greatest).

    Raises
    ------
    ValueError
        A column is missing, the period does not divide a day, or fewer days than have arrivals.

    Notes
    -----
    Parties come as a Poisson process (`rate_ends`; Garwood's interval of 1936 where all are of one). Where there are
    several days, and they differ by more than that, all variances are greater by as much (quasi-Poisson; McCullagh &
    Nelder 1989).
    """
    need_columns(arrivals, ("time",), "arrivals")
    if not period > 0 or abs(DAY / period - round(DAY / period)) > 1e-9:
        raise ValueError(f"period is {period!r}: seconds that divide a day of {DAY:g} s are needed")
    number, (begin, size) = round(DAY / period), _parties(_moments(arrivals), party)
    slot = np.floor(begin / period).astype(int)
    seen, day = np.unique(slot // number, return_inverse=True)
    watched = max(len(seen), 1) if days is None else days
    if watched < len(seen):
        raise ValueError(f"days is {days}, but there are arrivals on {len(seen)} days")
    first, last = ((slot % number).min(), (slot % number).max()) if len(slot) else (0, -1)
    table = np.zeros((3, watched, last - first + 1))  # of each day and period: people, sum of squares, parties
    for part, amount in zip(table, (size, size**2, np.ones(len(size))), strict=True):
        np.add.at(part, (day, slot % number - first), amount)
    count, squares, parties = table.sum(axis=1)
    spread = _spread(table[0], squares / watched)
    unit = np.full(len(count), size.max(initial=1.0) * spread)
    low, high = rate_ends(count, squares * spread, unit, level=level)
    return pd.DataFrame(
        {
            "start": np.arange(first, last + 1) * period, "count": count.astype(int), "parties": parties.astype(int),
            "arrivals": count / watched, "low": low / watched, "high": high / watched,
            "busiest": _busiest(count, squares * spread, seed),
        }
    )  # fmt: skip


def _moments(arrivals: pd.DataFrame) -> NDArray[np.float64]:
    if "direction" in arrivals:
        return arrivals["time"][arrivals["direction"] == "in"].to_numpy(float)
    need_columns(arrivals, ("visit",), "arrivals")
    return arrivals.groupby("visit", sort=False)["time"].min().to_numpy(float)


def _parties(time: NDArray[np.float64], gap: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """When parties came, and how many people each is."""
    time = np.sort(time)
    first = np.flatnonzero(np.diff(time, prepend=-np.inf) > gap)
    return time[first], np.diff(np.append(first, len(time))).astype(float)


def _spread(table: NDArray[np.float64], variance: NDArray[np.float64]) -> float:
    """How many times the variance between days is that of a Poisson process, over all periods; 1 where it is less."""
    busy = variance > 0
    freedom = (len(table) - 1) * busy.sum()
    off = (table - table.mean(axis=0))[:, busy] ** 2
    return max(1.0, float((off / variance[busy]).sum() / freedom)) if freedom else 1.0


def _busiest(count: NDArray[np.float64], squares: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Chance that each period's mean is the greatest, by 4,000 draws."""
    if not len(count):
        return count
    scale = np.where(count > 0, squares / np.maximum(count, 1e-300), 1.0)
    draws = np.random.default_rng(seed).gamma(count / scale + 0.5, size=(4000, len(count))) * scale
    return np.bincount(draws.argmax(axis=1), minlength=len(count)) / 4000
