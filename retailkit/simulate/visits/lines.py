"""The line before the checkouts: who is served when, who gives up, and where everybody stands meanwhile."""

import heapq

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.simulate.visits.plan import StorePlan

CREEP = 0.7  # metres per second: how fast people move up in a line
REACTION = 0.6  # seconds until they do


def serve(
    arrival: NDArray[np.float64], service: NDArray[np.float64], patience: NDArray[np.float64], servers: int
) -> pd.DataFrame:
    """Serve one line at several desks, first come first served; who waits longer than their patience gives up.

    With exponential times between arrivals and of service this is the M/M/c queue (Erlang 1917), and with exponential
    patience M/M/c+M (Palm 1957).

    >>> serve(np.array([0.0, 1.0, 2.0]), np.full(3, 10.0), np.array([99.0, 99.0, 5.0]), 1).to_dict("list")
    {'called': [0.0, 10.0, nan], 'left': [10.0, 20.0, 7.0], 'server': [0, 0, -1]}

    Parameters
    ----------
    arrival : array (customers,), seconds
        Sorted.
    service, patience : arrays (customers,), seconds
    servers : int

    Returns
    -------
    DataFrame
        A row for each customer: called (seconds; nan for those who gave up), left (seconds; out of the desk, or out of
        the line), server (-1 for those who gave up).
    """
    if len(arrival) and (np.diff(arrival) < 0).any():
        raise ValueError("arrival must be sorted: customers are served in the order in which they come")
    if servers < 1:
        raise ValueError(f"servers is {servers!r}: one desk at least is needed")
    free = [(-np.inf, desk) for desk in range(servers)]
    heapq.heapify(free)
    called, left, server = np.full(len(arrival), np.nan), arrival + patience, np.full(len(arrival), -1)
    for who, came in enumerate(arrival):
        start = max(came, free[0][0])
        if start - came > patience[who]:
            continue
        desk = heapq.heappop(free)[1]
        called[who], left[who], server[who] = start, start + service[who], desk
        heapq.heappush(free, (left[who], desk))
    return pd.DataFrame({"called": called, "left": left, "server": server})


def stand_in_line(
    arrival: NDArray[np.float64], gone: NDArray[np.float64], reached: NDArray[np.float64],
    first: NDArray[np.intp], plan: StorePlan,
) -> tuple[pd.DataFrame, NDArray[np.float64], NDArray[np.intp]]:  # fmt: skip
    """Move everybody up in the line as those before them go.

    Parameters
    ----------
    arrival, gone : arrays (customers,), seconds
        When each counts as in the line, sorted, and when each is called or gives up.
    reached : array (customers,), seconds
        When each really comes to the place in line that it walked to.
    first : array (customers,)
        Number of that place.

    Returns
    -------
    knots : DataFrame
        customer, time, x, y: from where the walk ended to where the place in line is left.
    at : array (customers, 2), metres
        Where each stands when it goes.
    slot : array (customers,)
        Number of the place in line next to there.
    """
    knots, at, slots = [], np.empty((len(arrival), 2)), np.empty(len(arrival), dtype=np.intp)
    line = plan.slots
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    for who in range(len(arrival)):
        before = gone[:who][gone[:who] > reached[who]]
        ups = np.sort(before[before < gone[who]]) + REACTION
        target = np.minimum(len(before) - 1 - np.arange(len(ups)), len(line) - 1)
        target = np.r_[min(len(before), len(line) - 1), target]
        times = np.r_[reached[who], ups]
        path = _follow(along[first[who]], times, along[target], max(gone[who], reached[who]))
        where = np.stack([np.interp(path[:, 1], along, line[:, axis]) for axis in (0, 1)], axis=1)
        at[who], slots[who] = where[-1], np.argmin(np.abs(along - path[-1, 1]))
        knots.append(np.c_[np.full(len(path), who), path[:, 0], where])
    table = np.vstack(knots) if knots else np.empty((0, 4))
    frame = pd.DataFrame(table, columns=["customer", "time", "x", "y"]).astype({"customer": int})
    return frame, at, slots


def _follow(
    position: float, times: NDArray[np.float64], targets: NDArray[np.float64], end: float
) -> NDArray[np.float64]:
    """Follow targets along a line at the speed of a queue, until `end`: (knots, 2), time and position."""
    path = [(times[0], position)]
    for number, target in enumerate(targets):
        start = path[-1][0]
        until = min(times[number + 1] if number + 1 < len(times) else end, end)
        arrives = start + abs(target - position) / CREEP
        if arrives < until:
            path += [(arrives, target), (until, target)]
            position = target
        elif until > start:
            position += np.sign(target - position) * CREEP * (until - start)
            path.append((until, position))
    return np.array(path)
