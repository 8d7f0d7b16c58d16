"""Where the customers of a replayed case stand, and how they get there: through the door one at a time, never too fast.

people = People(plan, rng)
time = people.go(visit, cell, wish)     # acts before a plate, as soon after a wished moment as one can be there
people.walk()                           # visit, time, x, y: knots of everybody's way
"""

from collections import defaultdict
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.simulate.visits.plan import StorePlan, inwards
from retailkit.simulate.visits.routes import is_free

_PACE, _HASTE = 1.2, 1.8  # metres per second: as people walk, and as fast as they can be made to
_REACH, _STAY = 0.5, 0.3  # seconds from coming to stand until a hand is at work, and from then to going on
_ARM = 0.35  # metres from the front of a shelf at which one stands
_ASIDE = (0.0, 0.5, -0.5, 1.0, -1.0)  # metres along the shelf: one stands beside those who are there already
_APART, _MEANWHILE = 0.45, 4.0  # metres between two who stand within so many seconds of each other
_SAME_SPOT = 0.22  # metres: for less nobody takes a step
_SWAY = 0.12  # metres along the shelf by which nobody stands exactly before a plate
_NEXT = 2.0  # seconds between two who pass the door
_ROOM = 0.22  # metres that the middle of a person keeps from shelves
_DOOR_SIDE, _INSIDE = 0.25, 0.5  # metres along the door's line by which ways differ, and behind it where they part

Knot = tuple[float, NDArray[np.float64]]


class _Stop(NamedTuple):
    """When a hand was at work at which cell, and where its person stood."""

    time: float
    cell: int
    where: NDArray[np.float64]


class People:
    """Everybody in a case, by number of the visit."""

    def __init__(self, plan: StorePlan, rng: np.random.Generator) -> None:
        self.plan, self.rng = plan, rng
        cells = plan.cells
        self.front = cells[["front_x", "front_y"]].to_numpy(float)
        self.before = cells[["x", "y"]].to_numpy(float) + self.front * (cells[["depth"]].to_numpy(float) / 2 + _ARM)
        self.place = plan.routes.number("cell", cells["cell"])
        self.stops: defaultdict[int, list[_Stop]] = defaultdict(list)

    def go(self, visit: int, cell: int, wish: float) -> float:
        """Let somebody act before a plate as soon after a wished moment as they can be there; give that moment."""
        time, where = wish, self._stand(visit, cell, wish)
        if own := self.stops[visit]:
            last = own[-1]
            where = last.where if last.cell == cell or _between(where, last.where) < _SAME_SPOT else where
            time = max(wish, last.time + _STAY + _REACH + _between(where, last.where) / _HASTE)
        self.stops[visit].append(_Stop(time, cell, where))
        return time

    def _stand(self, visit: int, cell: int, time: float) -> NDArray[np.float64]:
        """Where one stands before a plate, beside those who stand there already."""
        along = np.array([-self.front[cell, 1], self.front[cell, 0]])
        sway = self.rng.normal(0, _SWAY)
        others = [stops[-1] for other, stops in self.stops.items() if other != visit and stops]
        there = [stop.where for stop in others if abs(stop.time - time) < _MEANWHILE]
        for aside in _ASIDE:
            where = self.before[cell] + (aside + sway) * along
            clear = is_free(where[None], self.plan.walls, _ROOM)[0]
            if clear and all(_between(where, place) >= _APART for place in there):
                return np.asarray(where)
        return np.asarray(self.before[cell])

    def walk(self) -> pd.DataFrame:
        """Give the knots of all ways, from outside of the door and back: visit, time, x, y by visit and time."""
        inner = {visit: self._inner(visit) for visit in sorted(self.stops)}
        parts = self._come(inner), inner, self._leave(inner)
        rows = [(visit, time, *where) for visit in inner for part in parts for time, where in part[visit]]
        table = pd.DataFrame(rows, columns=["visit", "time", "x", "y"])
        return table.drop_duplicates(["visit", "time"], ignore_index=True)

    def _door(self, visit: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Where somebody stands before the door and behind it: each has a side of their own.

        The first customer has the same one in every case and with every seed, and so has the second: it tells nobody
        apart within a case, and frozen replays hold it.
        """
        [(name, line)] = list(self.plan.doors.items())[:1]
        ends = np.asarray(line, dtype=float)
        along = (ends[1] - ends[0]) / _between(*ends)
        aside = np.random.default_rng([visit, 73]).uniform(-_DOOR_SIDE, _DOOR_SIDE) * along
        outside = self.plan.routes.points[self.plan.routes.places["door", name]]
        return outside + aside, ends.mean(axis=0) + _INSIDE * inwards(line) + aside

    def _come(self, inner: dict[int, list[Knot]]) -> dict[int, list[Knot]]:
        """Ways in: in time for the first act, and one at a time, whoever acts last coming last."""
        ways, soon = {}, np.inf
        for visit in sorted(inner, key=lambda each: -inner[each][0][0]):
            time, where = inner[visit][0]
            way = np.array([*self._door(visit), where])
            soon = min(time - _seconds(way)[-1], soon - _NEXT)
            ways[visit] = [(soon + after, place) for after, place in zip(_seconds(way), way, strict=True)]
        return ways

    def _leave(self, inner: dict[int, list[Knot]]) -> dict[int, list[Knot]]:
        """Ways out: after the last act, one at a time."""
        ways, late = {}, -np.inf
        for visit in sorted(inner, key=lambda each: inner[each][-1][0]):
            time, where = inner[visit][-1]
            way = np.array([where, *reversed(self._door(visit))])
            begin = max(time, late + _NEXT - _seconds(way)[-1])
            late = begin + _seconds(way)[-1]
            ways[visit] = [(begin + after, place) for after, place in zip(_seconds(way), way, strict=True)]
        return ways

    def _inner(self, visit: int) -> list[Knot]:
        """Knots of one way from the first stop to the last: standing there, walking on in time."""
        stops = self.stops[visit]
        knots = [(stops[0].time - _REACH, stops[0].where)]
        for one, other in pairwise(stops):
            corners = self.plan.routes.way(int(self.place[one.cell]), int(self.place[other.cell]))[:-1]
            way = np.vstack([one.where[None], corners, other.where[None]])
            after = _seconds(way)
            if after[-1] == 0:
                continue
            spare = other.time - one.time - _REACH - _STAY - after[-1]
            begin = one.time + _STAY + max(spare, 0.0) * self.rng.random()
            haste = min((other.time - _REACH - begin) / after[-1], 1.0)
            knots += [(begin + haste * moment, place) for moment, place in zip(after, way, strict=True)]
        return [*knots, (stops[-1].time + _STAY, stops[-1].where)]


def _between(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(np.hypot(*(one - other)))


def _seconds(way: NDArray[np.float64]) -> NDArray[np.float64]:
    """When each corner of a way is reached at an ordinary pace: (corners,)."""
    steps = np.diff(way, axis=0)
    return np.append(0.0, np.cumsum(np.hypot(steps[:, 0], steps[:, 1])) / _PACE)
