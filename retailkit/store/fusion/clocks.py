"""Clocks of devices, set to the cameras': how much each is ahead and how much faster it runs, told by the day itself.

    clocks = find_clocks(sensors, tags)      # a row for each device, with intervals
    sensors = set_clocks(sensors, clocks)    # only what is surely off is moved

What two devices tell of one event lies as far apart as their clocks: a hand and the stop before its cell, a plate and
a hand, a tag whose strength changes and what was taken, goods loudest at the gate and the face that left. Which moment
belongs to which nobody says. So all that may belong together are compared: true pairs crowd at one difference, false
ones lie anywhere.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.store.fusion.moments import (
    Moments,
    by_cell,
    find_leavings,
    find_liftings,
    find_stops,
    gate_antennas,
    moments,
)

if TYPE_CHECKING:
    from retailkit.store.fusion.sensors import Sensors

COLUMNS = ["device", "moment", "offset", "low", "high", "drift", "low_drift", "high_drift", "events"]
_SEARCH = 8.0  # seconds by which clocks may be off
_FINE, _CROWD = 0.1, 1.0  # seconds: steps of the search, and how far true differences lie from their middle
_FASTEST, _USUAL = 200e-6, 50e-6  # the most that a clock may run fast, and the standard deviation of what crystals do
_FEWEST, _CLEAR = 2.5, 4.5  # pairs in a crowd, and by how many standard deviations they exceed what chance brings
_APART = 0.4  # seconds: standard deviation of moments of one event, both known
_DOUBT = 0.2  # seconds: what all pairs of two devices may have in common
_CLOSE = 0.05  # the same, of plates, whose delay counts too
_STANDS = 0.4  # seconds: as _DOUBT, of hands, which are not moved at any moment of a stop alike
_LEAD = 0.35  # seconds by which goods, carried in front, pass a gate before the face does (of tuning days)
_ROUNDS, _SURE = 8, 1.96  # of drawing a line, and standard deviations to either side in 95 %


class _Pairs(NamedTuple):
    """Moments of a device, seconds by which each is after one that may be the same, and how uncertain that is."""

    time: NDArray[np.float64]
    apart: NDArray[np.float64]
    width: NDArray[np.float64]


def find_clocks(sensors: "Sensors", tags: pd.DataFrame) -> pd.DataFrame:
    """Estimate each device's clock against the cameras'.

    Parameters
    ----------
    sensors : Sensors
        Reads and tracks checked.
    tags : DataFrame with product
        In the order of the reads' categories.

    Returns
    -------
    DataFrame
        device (hands, plates, "reader 1" and so on), moment (seconds: the middle of the day, for which offset is
        told), offset, low, high (seconds that the device is ahead of the cameras, its usual delay among them, with a
        95 % interval), drift, low_drift, high_drift (parts per million that it runs fast; drawn towards 0 as far as
        the day cannot tell), events (pairs that agree). Where a day cannot tell, offset and events are 0 and the
        interval is all that was searched.

    Raises
    ------
    KeyError
        A column is missing.
    """
    planogram, middle = sensors.planogram, float(np.nan_to_num(sensors.tracks["time"].agg(["min", "max"]).mean()))
    hands, plates = sensors.hands[sensors.hands["kind"] != "reach"], sensors.plates
    seen = by_cell(hands["time"], hands["cell"], hands["kind"] == "take", planogram)
    weighed = by_cell(plates["time"], plates["cell"], plates["grams"] < 0, planogram)
    clocks = {"hands": _fit(_by_stops(sensors), middle, _STANDS)}
    seen = seen._replace(time=_true(seen.time, clocks["hands"]))
    clocks["plates"] = _fit(_compare(weighed, seen), middle, _CLOSE)
    acts = weighed._replace(time=_true(weighed.time, clocks["plates"])) if clocks["plates"]["events"] else seen
    products = pd.Index(sensors.products["product"])
    sold = products.get_indexer(pd.Index(planogram["product"]))
    taken = (acts.what >= 0) & (acts.what % 2 == 1)
    takes = moments(acts.time[taken], sold[acts.what[taken] // 2])
    kind = products.get_indexer(pd.Index(tags["product"]))
    clocks |= _readers(sensors, takes, kind, middle)
    return pd.DataFrame([{"device": device, **clock} for device, clock in clocks.items()])[COLUMNS]


def set_clocks(sensors: "Sensors", clocks: pd.DataFrame) -> "Sensors":
    """Set times of all devices to the cameras', where the interval of what is to be changed does not reach 0.

    Parameters
    ----------
    sensors : Sensors
    clocks : DataFrame
        As `find_clocks` gives it.
    """
    known = {str(clock["device"]): clock for clock in clocks.to_dict("records")}
    hands, plates = (
        frame.assign(time=_true(frame["time"].to_numpy(float), known[name]))
        for name, frame in (("hands", sensors.hands), ("plates", sensors.plates))
    )
    return sensors._replace(reads=_set_reads(sensors.reads, sensors.antennas, known), hands=hands, plates=plates)


def _set_reads(reads: pd.DataFrame, antennas: pd.DataFrame, known: dict) -> pd.DataFrame:
    """Reads in true time, and by it."""
    if not any(_wrong(known[f"reader {reader}"]).any() for reader in antennas["reader"].unique()):
        return reads
    time, parts = reads["time"].to_numpy(float).copy(), []
    reader = antennas.set_index("antenna")["reader"].reindex(range(int(antennas["antenna"].max()) + 1))
    whose = reader.to_numpy()[reads["antenna"].to_numpy()]
    for one in antennas["reader"].unique():
        parts.append(np.flatnonzero(whose == one))
        time[parts[-1]] = _true(time[parts[-1]], known[f"reader {one}"])
    order = np.concatenate(parts)
    order = order[np.argsort(time[order], kind="stable")]
    return reads.assign(time=time).take(order).reset_index(drop=True)


def _wrong(clock: dict) -> NDArray[np.float64]:
    """Offset (seconds) and drift of a clock, each 0 where its interval reaches 0."""
    offset = clock["offset"] if clock["low"] > 0 or clock["high"] < 0 else 0.0
    drift = clock["drift"] * 1e-6 if clock["low_drift"] > 0 or clock["high_drift"] < 0 else 0.0
    return np.array([offset, drift])


def _true(time: NDArray[np.float64], clock: dict) -> NDArray[np.float64]:
    offset, drift = _wrong(clock)
    return np.asarray(time - offset - drift * (time - clock["moment"]))


def _by_stops(sensors: "Sensors") -> _Pairs:
    """Hands, and stops before their cells in the track that they were seen with."""
    stops, visit = find_stops(sensors.tracks, sensors.planogram)
    names, cells = pd.Index(visit).unique(), len(sensors.planogram)
    row = pd.Index(sensors.planogram["cell"]).get_indexer(pd.Index(sensors.hands["cell"]))
    whose = names.get_indexer(pd.Index(sensors.hands["visit"]))
    hands = moments(sensors.hands["time"], np.where((row >= 0) & (whose >= 0), whose * cells + row, -1))
    return _compare(hands, stops._replace(what=names.get_indexer(pd.Index(visit)) * cells + stops.what))


def _readers(sensors: "Sensors", takes: Moments, kind: NDArray, middle: float) -> dict[str, dict]:
    """Clocks of all readers: what was taken ceases to lie, and what left was loudest at the gate."""
    lifted, reader = find_liftings(sensors.reads, sensors.antennas)
    lifted = lifted._replace(what=kind[lifted.what])
    gates = gate_antennas(sensors.antennas, sensors.doors)
    faces = moments(sensors.exits["time"].to_numpy(float) - _LEAD, np.zeros(len(sensors.exits)))
    found = {}
    for number, name in enumerate(pd.unique(sensors.antennas["reader"])):
        mine = lifted.of(reader == number)
        left = find_leavings(sensors.reads, sensors.antennas[sensors.antennas["reader"] == name], gates)
        both = zip(_compare(mine, takes), _compare(left, faces), strict=True)
        found[f"reader {name}"] = _fit(_Pairs(*(np.concatenate(one) for one in both)), middle)
    return found


def _compare(one: Moments, other: Moments) -> _Pairs:
    """Pair all moments of the same that lie within the search."""
    one, other = one.of(one.what >= 0), other.of(other.what >= 0)
    both = np.concatenate([one.time, other.time])
    far, start = (np.ptp(both) + 3 * _SEARCH, both.min()) if len(both) else (1.0, 0.0)
    order = np.argsort(code := other.what * far + other.time - start)
    code, mine, most = code[order], one.what * far + one.time - start, _SEARCH + _CROWD
    low, high = np.searchsorted(code, mine - most), np.searchsorted(code, mine + most)
    rows = np.repeat(np.arange(len(mine)), high - low)
    columns = order[np.arange(len(rows)) + np.repeat(high - np.cumsum(high - low), high - low)]
    spread = np.sqrt(_APART**2 + (one.gap[rows] ** 2 + other.gap[columns] ** 2) / 12)
    return _Pairs(one.time[rows], one.time[rows] - other.time[columns], spread)


def _fit(pairs: _Pairs, middle: float, doubt: float = _DOUBT) -> dict[str, float]:
    """Find where differences crowd, and draw a line through the crowd."""
    far = pairs.time - middle
    begin = _crowd(pairs, far)
    if begin is None:
        return _clock(middle, 0.0, 0.0, _SEARCH, _FASTEST, 0)
    line, covariance = _line(pairs, far, np.array(begin))
    wide = _SURE * np.sqrt(np.diag(covariance) + np.array([doubt**2, 0.0]))
    near = np.abs(pairs.apart - line[0] - line[1] * far) < np.maximum(_CROWD, pairs.width)
    return _clock(middle, line[0], line[1], wide[0], wide[1], int(near.sum()))


def _clock(middle: float, offset: float, drift: float, wide: float, wide_drift: float, events: int) -> dict[str, float]:
    values = [offset, offset - wide, offset + wide, drift * 1e6, (drift - wide_drift) * 1e6, (drift + wide_drift) * 1e6]
    return dict(zip(COLUMNS[1:], [middle, *map(float, values), int(events)], strict=True))


def _crowd(pairs: _Pairs, far: NDArray[np.float64]) -> tuple[float, float] | None:
    """Offset and drift at which most differences lie, those known best counting most; None where chance may do it."""
    steps = int(np.ceil(_FASTEST * np.abs(far).max(initial=0.0) / (_CROWD / 2)))
    drifts: NDArray[np.float64] = np.linspace(-_FASTEST, _FASTEST, 2 * steps + 1) if steps else np.zeros(1)
    edges = np.arange(-_SEARCH - _CROWD, _SEARCH + _CROWD + _FINE, _FINE)
    crowd = float(np.clip(np.median(pairs.width), _CROWD, _SEARCH / 3)) if len(far) else _CROWD
    window = np.hanning(round(2 * crowd / _FINE) + 1)
    counts = [np.histogram(pairs.apart - drift * far, edges, weights=_APART / pairs.width)[0] for drift in drifts]
    crowds = np.array([np.convolve(count, window, "same") for count in counts])
    which, place = np.unravel_index(crowds.argmax(), crowds.shape)
    others = np.abs(np.arange(len(edges) - 1) - place) > 1.5 * crowd / _FINE
    usual = crowds[which][others].mean()
    clear = crowds[which, place] - usual > _CLEAR * np.sqrt(np.mean(window**2) / np.mean(window) * max(usual, 1.0))
    if crowds[which, place] < _FEWEST or not clear:
        return None
    return float(edges[place] + _FINE / 2), float(drifts[which])


def _line(
    pairs: _Pairs, far: NDArray[np.float64], line: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Offset and drift by a kernel that forgets what lies far, and their covariance (sandwich; Huber 1967)."""
    design = np.column_stack([np.ones(len(far)), far])
    prior = np.diag([0.0, _USUAL**-2])
    for _ in range(_ROUNDS):
        left = (pairs.apart - design @ line) / pairs.width
        weight = np.exp(-0.5 * left**2) / pairs.width**2
        squares = design.T @ (design * weight[:, None]) + prior
        line = np.linalg.solve(squares, design.T @ (weight * pairs.apart)).astype(np.float64)
    left = (pairs.apart - design @ line) / pairs.width
    weight = np.exp(-0.5 * left**2) / pairs.width**2
    score = design.T @ (design * ((weight * left * pairs.width) ** 2)[:, None]) + prior
    bread = np.linalg.inv(design.T @ (design * (weight * np.maximum(1 - left**2, 0.0))[:, None]) + prior)
    return line, bread @ score @ bread
