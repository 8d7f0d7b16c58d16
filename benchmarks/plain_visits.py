"""The tables of a store's day in plain pandas: what one writes first, row by row and visit by visit.

A peer for speed (`benchmarks.store_days`), and a second opinion on the answers (`tests/store/visits/test_plainly.py`).
Definitions are those of `retailkit.store.visits`, written down anew; intervals are left out.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pandas as pd
import shapely

DAY_START = pd.Timestamp(0)


def check(tracks: pd.DataFrame, fastest: float = 10.0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """As `check_tracks`: good rows by visit and time, and the others with what is wrong."""
    frame = tracks.reset_index(drop=True)
    problem = pd.Series("", index=frame.index, dtype=object)
    for name in ("y", "x", "time"):
        problem[~np.isfinite(frame[name])] = f"{name} is not a number"
    problem[frame["visit"].isna()] = "no visit"
    for _, rows in frame[problem == ""].groupby("visit", sort=False):
        seen: set[float] = set()
        latest, last = -np.inf, None
        for row, time, x, y in rows[["time", "x", "y"]].itertuples():
            if time in seen:
                problem[row] = "a second row of this visit and time"
            elif time < latest:
                problem[row] = f"the clock steps back by {latest - time:.3f} s"
            elif last and np.hypot(x - last[1], y - last[2]) > fastest * (time - last[0]):
                way, seconds = np.hypot(x - last[1], y - last[2]), time - last[0]
                problem[row] = f"moved {way:.1f} m in {seconds:.3f} s, faster than {fastest:g} m/s"
            else:
                last = (time, x, y)
            seen.add(time)
            latest = max(latest, time)
    wrong = frame.loc[problem != "", ["visit", "time"]].assign(problem=problem[problem != ""].astype("str"))
    wrong.insert(0, "row", wrong.index + 1)
    kept = frame[problem == ""].sort_values(["visit", "time"], kind="stable")
    return kept.reset_index(drop=True), wrong.reset_index(drop=True)


def smooth(tracks: pd.DataFrame, window: float = 1.7) -> pd.DataFrame:
    """As `smooth_tracks`: least-squares lines over a rolling window of time, from rolling sums."""
    begin = tracks.groupby("visit")["time"].transform("min")
    base = tracks.groupby("visit")[["x", "y"]].transform("first")
    seconds = tracks["time"] - begin
    sums = pd.DataFrame({"visit": tracks["visit"], "one": 1.0, "t": seconds, "tt": seconds**2})
    for name in ("x", "y"):
        sums[name] = tracks[name] - base[name]
        sums[f"t{name}"] = sums[name] * seconds
    sums.index = DAY_START + pd.to_timedelta(seconds.round(6), unit="s")
    rolled = sums.groupby("visit").rolling(pd.Timedelta(seconds=window), center=True, closed="both").sum()
    number, first, second = (rolled[name].to_numpy() for name in ("one", "t", "tt"))
    spread = number * second - first**2
    moving = spread > 1e-6
    found = {}
    for name in ("x", "y"):
        total, tilted = rolled[name].to_numpy(), rolled[f"t{name}"].to_numpy()
        slope = np.where(moving, (number * tilted - first * total) / np.where(moving, spread, 1), 0)
        found[name] = base[name].to_numpy() + total / number + slope * (seconds.to_numpy() - first / number)
    return tracks.assign(**found)


def crossings(tracks: pd.DataFrame, line: tuple, band: float = 0.3) -> pd.DataFrame:
    """As `find_crossings`."""
    start, end = np.asarray(line, dtype=float)
    length = np.hypot(*(end - start))
    along = (end - start) / length
    frame = tracks.assign(off=(tracks["x"] - start[0]) * along[1] - (tracks["y"] - start[1]) * along[0])
    rows = []
    for visit, way in frame.groupby("visit", sort=False):
        off = way["off"].to_numpy()
        clear = np.flatnonzero((np.abs(off) >= band) & (off != 0))
        for before, after in pairwise(clear):
            if (off[before] > 0) == (off[after] > 0):
                continue
            last = max(row for row in range(before, after) if np.sign(off[row]) == np.sign(off[before]))
            share = off[last] / (off[last] - off[last + 1])
            here, there = way[["time", "x", "y"]].to_numpy()[[last, last + 1]]
            time, x, y = here + share * (there - here)
            if 0 <= (x - start[0]) * along[0] + (y - start[1]) * along[1] <= length:
                rows.append((visit, time, x, y, "in" if off[after] > 0 else "out"))
    return pd.DataFrame(rows, columns=["visit", "time", "x", "y", "direction"])


def zone_visits(tracks: pd.DataFrame, zones: dict, gap: float = 2.0, margin: float = 0.3) -> pd.DataFrame:
    """As `find_zone_visits`, one visit after the other."""
    shapes = {name: shapely.Polygon(points) for name, points in zones.items()}
    zone = pd.Series("", index=tracks.index, dtype=object)
    for name, shape in shapes.items():
        zone[shapely.contains_xy(shape, tracks["x"], tracks["y"])] = name
    rows = []
    for visit, way in tracks.assign(zone=zone).groupby("visit", sort=False):
        rows += [(visit, *stay) for stay in _stays(way, shapes, gap, margin)]
    found = pd.DataFrame(rows, columns=["visit", "zone", "enter", "leave", "stopped", "censored"])
    found["dwell"] = found["leave"] - found["enter"]
    found["again"] = found.groupby(["visit", "zone"], sort=False).cumcount()
    return found


def _stays(way: pd.DataFrame, shapes: dict, gap: float, margin: float) -> Iterator[tuple]:
    time, place = way["time"].to_numpy(), way[["x", "y"]].to_numpy()
    zone = way["zone"].to_numpy()
    cuts = [0, *(np.flatnonzero(zone[1:] != zone[:-1]) + 1), len(zone)]
    runs = []
    for first, after in pairwise(cuts):
        name = zone[first]
        begin, end = time[0], time[-1]
        if first > 0:
            begin = _edge(shapes[name or zone[first - 1]], time, place, first - 1)
        if after < len(zone):
            end = _edge(shapes[name or zone[after]], time, place, after - 1)
        depth = _depth(shapes[name], place[max(first - 1, 0) : after + 1]) if name and end - begin < gap else 0
        sure = end - begin >= gap or depth >= margin or (not name and (first == 0 or after == len(zone)))
        runs.append((name, first, after - 1, begin, end, sure))
    states: list[list[int]] = []  # numbers of the first and the last run
    for number, run in enumerate(runs):
        if run[5] and (not states or runs[states[-1][0]][0] != run[0]):
            states.append([number, number])
        elif states and runs[states[-1][0]][0] == run[0]:
            states[-1][1] = number
    barrier = -1
    for head, last in states:
        first = min(number for number in range(barrier + 1, head + 1) if runs[number][0] == runs[head][0])
        barrier = last
        if runs[head][0]:
            opens, closes = runs[first][1] == 0, runs[last][2] == len(zone) - 1
            seen = {(0, 0): "", (1, 0): "start", (0, 1): "end", (1, 1): "both"}[(opens, closes)]
            here = slice(runs[first][1], runs[last][2] + 1)
            yield runs[head][0], runs[first][3], runs[last][4], _stopped(time[here], place[here]), seen


def _depth(shape: shapely.Polygon, way: np.ndarray) -> float:
    """How far a way comes into a zone, looked at four times a step."""
    looks = [one + share * (other - one) for one, other in pairwise(way) for share in (0, 0.25, 0.5, 0.75)]
    within = [point for point in map(shapely.Point, [*looks, way[-1]]) if shape.contains(point)]
    return max((shape.exterior.distance(point) for point in within), default=0.0)


def _edge(shape: shapely.Polygon, time: np.ndarray, place: np.ndarray, row: int) -> float:
    """When the step from one row to the next passes the edge of a zone, seen from inside."""
    inside, outside = (row, row + 1) if shapely.contains_xy(shape, *place[row]) else (row + 1, row)
    cut = shapely.LineString(place[[inside, outside]]).intersection(shape.exterior)
    away = shapely.distance(shapely.Point(place[inside]), cut)
    share = away / np.hypot(*(place[outside] - place[inside]))
    return float(time[inside] + share * (time[outside] - time[inside]))


def _stopped(time: np.ndarray, place: np.ndarray, slow: float = 0.3, stop: float = 3.0) -> bool:
    for row in range(len(time)):
        later = [np.searchsorted(time, time[row] + share * stop - 1e-6) for share in (0.5, 1.0)]
        if later[1] >= len(time):
            return False
        if all(np.hypot(*(place[at] - place[row])) <= slow * stop for at in later):
            return True
    return False


def pairs(tracks: pd.DataFrame, near: float = 2.5, alike: float = 0.6, walks: float = 0.35) -> pd.DataFrame:
    """As `describe_pairs`, of tracks with a row a beat of 0.4 s at most: everybody with everybody at the same beat."""
    frame = tracks[["visit", "time", "x", "y"]].copy()
    frame["beat"] = np.floor(frame["time"] / 0.4 + 1e-6).astype(int)
    frame = frame.drop_duplicates(["visit", "beat"])
    by_visit = frame.groupby("visit")
    for name in ("x", "y", "time"):
        shifted = [by_visit[name].shift(-step) for step in (2, 1, 0)]
        earlier = [by_visit[name].shift(step) for step in (2, 1, 0)]
        frame[f"d{name}"] = shifted[0].fillna(shifted[1]).fillna(shifted[2]) - earlier[0].fillna(earlier[1]).fillna(
            earlier[2]
        )
    frame["vx"], frame["vy"] = (frame[f"d{name}"] / frame["dtime"].clip(lower=1e-9) for name in ("x", "y"))
    frame["walks"] = np.hypot(frame["vx"], frame["vy"]) > walks
    both = frame.merge(frame, on="beat", suffixes=("", "_other"))
    both = both[both["visit"] < both["visit_other"]]
    both["distance"] = np.hypot(both["x"] - both["x_other"], both["y"] - both["y_other"])
    both["difference"] = np.hypot(both["vx"] - both["vx_other"], both["vy"] - both["vy_other"])
    both["walk"] = both["walks"] & both["walks_other"]
    both["together"] = both["walk"] & (both["distance"] < near) & (both["difference"] < alike)
    by_pair = both.groupby(["visit", "visit_other"])
    walking = both[both["walk"]].groupby(["visit", "visit_other"])[["distance", "difference"]].median()
    table = by_pair.agg(share=("together", "mean"), close=("distance", lambda values: (values < near).sum()))
    table = table[table["close"] >= 3].join(walking)
    table.loc[table["share"] == 0, ["distance", "difference"]] = np.nan
    span = frame.groupby("visit")["time"].agg(["min", "max"])
    span["max"] += frame.groupby("visit")["time"].diff().median()
    one, other = (span.loc[table.index.get_level_values(level)].reset_index(drop=True) for level in (0, 1))
    common = np.minimum(one["max"], other["max"]) - np.maximum(one["min"], other["min"])
    either = np.maximum(one["max"], other["max"]) - np.minimum(one["min"], other["min"])
    table["seconds"], table["overlap"] = table["share"].to_numpy() * common.to_numpy(), (common / either).to_numpy()
    return table.rename_axis(["one", "other"]).reset_index()


def flow(stays: pd.DataFrame) -> pd.DataFrame:
    """As `zone_flow`: counts and shares."""
    stays = stays.sort_values(["visit", "enter"], kind="stable")
    after = stays.groupby("visit")["zone"].shift(-1).fillna("(out)")
    first = stays.drop_duplicates("visit")
    steps = pd.concat(
        [
            pd.DataFrame({"visit": stays["visit"], "start": stays["zone"], "end": after}),
            pd.DataFrame({"visit": first["visit"], "start": "(in)", "end": first["zone"]}),
        ]
    )
    table = steps.groupby(["start", "end"]).agg(count=("visit", "size"), visits=("visit", "nunique")).reset_index()
    table["share"] = table["count"] / table.groupby("start")["count"].transform("sum")
    return table


def heat(tracks: pd.DataFrame, cell: float = 0.5) -> pd.DataFrame:
    """As `heat_map`: seconds and visits on each square."""
    step = tracks.groupby("visit")["time"].diff().div(2)
    seconds = step.fillna(0) + step.groupby(tracks["visit"]).shift(-1).fillna(0)
    frame = pd.DataFrame({"visit": tracks["visit"], "seconds": seconds})
    for name in ("x", "y"):
        frame[name] = (np.floor(tracks[name] / cell) + 0.5) * cell
    table = frame.groupby(["y", "x"]).agg(seconds=("seconds", "sum"), visits=("visit", "nunique"))
    return table.reset_index()


def hours(found: pd.DataFrame) -> pd.DataFrame:
    """As `peak_hours`: how many came in each hour."""
    came = found[found["direction"] == "in"]["time"] // 3600 * 3600
    counts = came.value_counts().sort_index()
    counts = counts.reindex(np.arange(counts.index.min(), counts.index.max() + 1, 3600.0), fill_value=0)
    return counts.rename_axis("start").reset_index(name="count")


def inside(found: pd.DataFrame, opens: float, closes: float) -> pd.DataFrame:
    """As `find_occupancy`: in minus out, at the end of each minute."""
    change = found["direction"].map({"in": 1, "out": -1}).to_numpy()
    minute = np.minimum((found["time"] - opens) // 60, (closes - opens) // 60 - 1)
    net = pd.Series(change).groupby(minute.to_numpy()).sum().reindex(np.arange((closes - opens) // 60), fill_value=0)
    return pd.DataFrame({"time": opens + (net.index + 1) * 60, "counted": net.cumsum().to_numpy()})


def queue(stays: pd.DataFrame, lines: list[str], desks: list[str], walk: float = 15.0) -> pd.DataFrame:
    """As `find_queue`: who waited from when to when, and who gave up."""
    rows = []
    for visit, way in stays.sort_values(["visit", "enter"], kind="stable").groupby("visit"):
        listed = list(way.itertuples(index=False))
        for stay, after in zip(listed, [*listed[1:], None], strict=True):
            known = stay.censored in ("", "start")
            served = known and after is not None and after.zone in desks and after.enter - stay.leave <= walk
            if stay.zone in lines and (served or stay.stopped):
                service = after.zone if served and after is not None else ""
                rows.append((visit, service, stay.enter, stay.leave - stay.enter, known and not served))
    table = pd.DataFrame(rows, columns=["visit", "service", "join", "wait", "abandoned"])
    return table.sort_values("join", kind="stable").reset_index(drop=True)


def waiting(waits: pd.DataFrame, every: float = 900.0) -> pd.DataFrame:
    """As `queue_length`: mean length of the line in each period, and the longest."""
    leave = waits["join"] + waits["wait"]
    rows = []
    for period in range(int(waits["join"].min() // every), int(leave.max() // every) + 1):
        begin, end = period * every, (period + 1) * every
        stood = (np.minimum(leave, end) - np.maximum(waits["join"], begin)).clip(lower=0).sum() / every
        moments = [begin, *waits["join"][waits["join"].between(begin, end, inclusive="left")]]
        most = max(((waits["join"] <= moment) & (leave > moment)).sum() for moment in moments)
        rows.append((begin, stood, most))
    return pd.DataFrame(rows, columns=["time", "length", "longest"])
