"""Plans to begin with: a small store with aisles, two checkouts, a line before them, and a staff area."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.simulate.visits.plan import StorePlan

WALL, GONDOLA = 0.5, 1.0  # metres: depth of shelves on the wall, and of those with two sides
FRONT, BACK = 4.0, 1.6  # metres before and behind the aisles
DOOR = (1.2, 3.2, 2.2)  # metres: x of both ends of the door's line, and its y; before it people are seen coming
PREFERENCE = {"price": -0.6, "feature": 0.8, "facing": 0.3, "none": 0.4}


def default_plan() -> StorePlan:
    """Give a small store: 12 x 9 m, six shelf zones of five cells, two checkouts, a staff area.

    >>> plan = default_plan()
    >>> plan.outline, len(plan.cells), plan.shelf_zones[:3]
    ((12.0, 9.0), 30, ['shelf 1', 'shelf 2', 'shelf 3'])
    """
    return make_plan()


def make_plan(
    aisles: int = 3,
    *,
    aisle_width: float = 3.0,
    shelf_length: float = 3.4,
    cells: int = 5,
    checkouts: int = 2,
    zone_depth: float = 1.0,
    preference: dict[str, float] | None = None,
    seed: int = 0,
) -> StorePlan:
    """Make a store with parallel aisles between shelves, each side of an aisle a zone.

    Parameters
    ----------
    aisles : int, 1 to 40
    aisle_width : float, metres
        At least 1.2, and at least `zone_depth` twice.
    shelf_length : float, metres
        At least 0.3 a cell.
    cells : int
        On each side of each aisle.
    checkouts : int, 0 to as many as the front has room for
        0: a store without cashiers, which one just leaves.
    zone_depth : float, metres
        How far the zone before a shelf reaches into the aisle, at least 0.8.
    preference : name -> coefficient, optional
        Of the logit by which shoppers choose; by default of price, feature, facing, and none.
    seed : int
        Prices (0.8 to 6), features (a fifth of the cells is advertised), facings (1 to 4).

    Raises
    ------
    ValueError
        A number is outside of what is accepted.
    """
    _check_size(aisles, aisle_width, shelf_length, cells, zone_depth)
    width = 2 * WALL + aisles * aisle_width + (aisles - 1) * GONDOLA
    if width < DOOR[1] + 0.5:
        raise ValueError(
            f"aisles is {aisles!r} and aisle_width {aisle_width!r}: a store {width:g} m wide has no room for the door, "
            f"which needs {DOOR[1] + 0.5:g} m"
        )
    depth = FRONT + shelf_length + BACK
    low = WALL + np.arange(aisles) * (aisle_width + GONDOLA)  # where each aisle begins
    zones, planogram = _shelf_zones(low, aisle_width, shelf_length, zone_depth, cells, seed)
    desks, counters = _checkouts(checkouts, width)
    shelves = _shelves(low, aisle_width, shelf_length)
    zones |= {"entrance": _box(DOOR[0], 0, DOOR[1], DOOR[2])}
    zones |= {f"checkout {number + 1}": _box(x - 1, 1, x, 2) for number, x in enumerate(counters[:, 0])}
    head, tail = 5.4, width - 0.6
    zones |= {"queue": _box(head - 0.6, 2.3, tail + 0.3, 3.3)} if checkouts else {}
    zones |= {"staff area": _box(width - 1.8, depth - 1.1, width - 0.2, depth - 0.2)}
    return StorePlan(
        outline=(float(width), float(depth)),
        obstacles=_obstacles(shelves, counters),
        zones=zones,
        doors={"entrance": ((DOOR[1], DOOR[2]), (DOOR[0], DOOR[2]))},
        cells=planogram,
        checkouts=desks,
        queue=((head, 2.8), (tail, 2.8)) if checkouts else (),
        staff_place=(width - 0.9, depth - 0.6),
        cameras=_cameras(low, aisle_width, depth),
        preference=dict(preference or PREFERENCE),
    )


def _check_size(aisles: int, aisle_width: float, shelf_length: float, cells: int, zone_depth: float) -> None:
    for name, value, low, high in (
        ("aisles", aisles, 1, 40), ("cells", cells, 1, 40), ("zone_depth", zone_depth, 0.8, 3.0),
        ("aisle_width", aisle_width, max(1.2, 2 * zone_depth), 10.0),
        ("shelf_length", shelf_length, max(0.3 * cells, 1.0), 60.0),
    ):  # fmt: skip
        if not low <= value <= high:
            raise ValueError(f"{name} is {value!r}: {low:g} to {high:g} is accepted")


def _box(x_low: float, y_low: float, x_high: float, y_high: float) -> list[tuple[float, float]]:
    return [(x_low, y_low), (x_high, y_low), (x_high, y_high), (x_low, y_high)]


def _shelf_zones(
    low: NDArray, aisle_width: float, length: float, depth: float, cells: int, seed: int
) -> tuple[dict[str, list[tuple[float, float]]], pd.DataFrame]:
    """Both sides of each aisle: the zones, and the cells on the shelf's edge."""
    rng = np.random.default_rng(seed)
    sides = [(x, x + depth, x) for x in low], [(x + aisle_width - depth, x + aisle_width, x + aisle_width) for x in low]
    pairs = [side for both in zip(*sides, strict=True) for side in both]
    zones = {f"shelf {number + 1}": _box(one, FRONT, two, FRONT + length) for number, (one, two, _) in enumerate(pairs)}
    places = FRONT + (np.arange(cells) + 0.5) * length / cells
    rows = [(zone, edge, y) for zone, (_, _, edge) in zip(zones, pairs, strict=True) for y in places]
    planogram = pd.DataFrame(rows, columns=["zone", "x", "y"])
    number = len(planogram)
    planogram.insert(0, "cell", [f"{zone}, {place + 1}" for zone in zones for place in range(cells)])
    planogram.insert(2, "product", [f"product {place + 1}" for place in range(number)])
    return zones, planogram.assign(
        height=rng.choice([0.4, 0.9, 1.3], number),
        price=np.round(rng.uniform(0.8, 6.0, number), 2),
        feature=(rng.random(number) < 0.2).astype(float),
        facing=rng.integers(1, 5, number).astype(float),
    )


def _checkouts(number: int, width: float) -> tuple[pd.DataFrame, NDArray]:
    """Counters along the front: the frame of checkouts, and where each counter begins, (number, 1)."""
    most = max(int((width - 6.0 - 1.7) // 2.6) + 1, 0)
    if not 0 <= number <= most:
        raise ValueError(f"checkouts is {number!r}: 0 to {most} have room in a front of {width:g} m")
    x = 6.0 + 2.6 * np.arange(number)
    names = [f"checkout {place + 1}" for place in range(number)]
    desks = pd.DataFrame({"checkout": pd.Series(names, dtype="str"), "zone": pd.Series(names, dtype="str")})
    desks = desks.assign(x=x - 0.5, y=1.5, staff_x=x + 1.1, staff_y=1.5)
    return desks, x[:, None]


def _shelves(low: NDArray, aisle_width: float, length: float) -> list[tuple[float, float, float, float, float]]:
    top, right = FRONT + length, low[-1] + aisle_width
    inner = [(x + aisle_width, FRONT, x + aisle_width + GONDOLA, top, 1.5) for x in low[:-1]]
    return [(0.0, FRONT, WALL, top, 2.0), *inner, (right, FRONT, right + WALL, top, 2.0)]


def _obstacles(shelves: list[tuple[float, float, float, float, float]], counters: NDArray) -> pd.DataFrame:
    # beyond the line as well, so that nobody slips round its end
    gates = [(x, 0.0, x + 0.1, DOOR[2] + 0.6, 1.5) for x in (DOOR[0] - 0.1, DOOR[1])]
    desks = [(x, 1.0, x + 0.6, 2.0, 0.9) for x in counters[:, 0]]
    kinds = (("shelving", shelves), ("counter", desks), ("gate", gates))
    rows = [(f"{kind} {number + 1}", *row) for kind, rows in kinds for number, row in enumerate(rows)]
    return pd.DataFrame(rows, columns=["obstacle", "x_low", "y_low", "x_high", "y_high", "height"])


def _cameras(low: NDArray, aisle_width: float, depth: float) -> pd.DataFrame:
    """One above each end of each aisle, and two over the front, 3 m up."""
    x = np.concatenate([low + aisle_width / 2] * 2)
    y = np.repeat([FRONT - 0.5, depth - 0.3], len(low))
    front = [(DOOR[0], 0.2), (low[-1] + aisle_width, 0.2)]
    places = np.vstack([np.c_[x, y], front])
    names = [f"camera {number + 1}" for number in range(len(places))]
    return pd.DataFrame({"camera": names, "x": places[:, 0], "y": places[:, 1], "z": 3.0})
