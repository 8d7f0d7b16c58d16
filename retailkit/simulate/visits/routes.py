"""Ways through a store: the shortest that keep clear of its shelves."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import dijkstra

BODY = 0.25  # metres that the middle of a person keeps from a shelf
CLEARANCES = (0.5, 0.4, 0.26)  # metres, the roomiest that leads everywhere is taken


@dataclass(frozen=True)
class Routes:
    """Shortest ways between places.

    Attributes
    ----------
    places : (kind, name) -> number
    points : array (nodes, 2)
        Places first, then the corners that ways turn at; metres.
    length : array (places, nodes), metres
    before : array (places, nodes)
        The node before each on the way from a place.
    """

    places: Mapping[tuple[str, object], int]
    points: NDArray[np.float64]
    length: NDArray[np.float64]
    before: NDArray[np.int32]
    _known: dict[tuple[int, int], NDArray[np.float64]] = field(default_factory=dict, repr=False)

    def way(self, start: int, end: int) -> NDArray[np.float64]:
        """Give the corners of a way after its start, its end included: (corners, 2); none from a place to itself."""
        if (start, end) not in self._known:
            nodes = [end] if start != end else []
            while nodes and (node := int(self.before[start, nodes[-1]])) != start:
                nodes.append(node)
            self._known[start, end] = self.points[nodes[::-1]].reshape(-1, 2)
        return self._known[start, end]

    def number(self, kind: str, names: object) -> NDArray[np.intp]:
        """Numbers of places of one kind by their names."""
        return np.array([self.places[kind, name] for name in names], dtype=np.intp)  # type: ignore[attr-defined]


def find_routes(
    outline: tuple[float, float], walls: NDArray[np.float64], places: Mapping[tuple[str, object], NDArray[np.float64]]
) -> Routes:
    """Find the shortest ways that keep clear of obstacles (a visibility graph; Lozano-Pérez & Wesley 1979).

    Parameters
    ----------
    outline : (width, depth), metres
    walls : array (obstacles, 4)
        x_low, y_low, x_high, y_high.
    places : (kind, name) -> point

    Raises
    ------
    ValueError
        A place lies in an obstacle or outside, or cannot be reached.
    """
    stands = np.array(list(places.values()), dtype=float).reshape(-1, 2)
    names = list(places)
    for name, point in zip(names, stands, strict=True):
        if not ((point >= 0) & (point <= outline)).all() or not is_free(point[None], walls, BODY - 0.01)[0]:
            raise ValueError(
                f"the place for {' '.join(map(str, name)).strip()!r} at {point.round(2).tolist()} lies outside, or "
                f"less than {BODY} m from an obstacle: nobody could stand there"
            )
    for clearance in CLEARANCES:
        points = np.vstack([stands, _corners(outline, walls, clearance)])
        seen = _in_sight(points, walls)
        length, before = dijkstra(seen, directed=False, indices=np.arange(len(stands)), return_predecessors=True)
        if np.isfinite(length[:, : len(stands)]).all():
            return Routes({name: number for number, name in enumerate(names)}, points, length, before)
    lost = names[int(np.flatnonzero(~np.isfinite(length[0, : len(stands)]))[0])]
    raise ValueError(f"no way leads from {' '.join(map(str, names[0]))!r} to {' '.join(map(str, lost))!r}")


def is_free(points: NDArray[np.float64], walls: NDArray[np.float64], room: float) -> NDArray[np.bool_]:
    """Whether points keep at least `room` metres, in x or in y, from every obstacle: (points,)."""
    free = np.ones(len(points), dtype=bool)
    x, y = points[:, 0], points[:, 1]
    for x_low, y_low, x_high, y_high in walls:
        free &= (x <= x_low - room) | (x >= x_high + room) | (y <= y_low - room) | (y >= y_high + room)
    return free


def blocked(starts: NDArray[np.float64], ends: NDArray[np.float64], wall: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where straight lines enter and leave a rectangle, as shares of their length: (2, lines); nan where they miss it.

    The slab method (Kay & Kajiya 1986).
    """
    way = ends - starts
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = (wall[:2] - starts) / way, (wall[2:] - starts) / way
    inside = (starts > wall[:2]) & (starts < wall[2:])
    still = np.abs(way) < 1e-12
    first = np.where(still, np.where(inside, -np.inf, np.inf), np.minimum(low, high)).max(axis=-1)
    last = np.where(still, np.where(inside, np.inf, -np.inf), np.maximum(low, high)).min(axis=-1)
    first, last = np.maximum(first, 0), np.minimum(last, 1)
    return np.where(last - first > 1e-9, np.stack([first, last]), np.nan)


def _corners(outline: tuple[float, float], walls: NDArray[np.float64], clearance: float) -> NDArray[np.float64]:
    """Places to turn at: the corners of obstacles, `clearance` metres off in x and in y."""
    low, high = walls[:, :2] - clearance, walls[:, 2:] + clearance
    found = np.vstack([low, high, np.c_[low[:, 0], high[:, 1]], np.c_[high[:, 0], low[:, 1]]]).reshape(-1, 2)
    inside = ((found >= BODY) & (found <= np.array(outline) - BODY)).all(axis=1)
    return found[inside & is_free(found, walls, BODY)]


def _in_sight(points: NDArray[np.float64], walls: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of each two points that see one another past the obstacles, 0 for others: (points, points)."""
    one, other = np.triu_indices(len(points), 1)
    free = np.ones(len(one), dtype=bool)
    for wall in walls:
        grown = wall + (BODY - 0.02) * np.array([-1, -1, 1, 1])
        free &= np.isnan(blocked(points[one], points[other], grown)[0])
    seen = np.zeros((len(points), len(points)))
    seen[one[free], other[free]] = np.maximum(np.hypot(*(points[one[free]] - points[other[free]]).T), 1e-6)
    return seen + seen.T
