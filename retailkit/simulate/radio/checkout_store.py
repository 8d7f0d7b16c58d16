"""AutoCheckout's store as a simulated one: its plates are cells, and there is a door.

    plan = furnish(read_checkouts(), "BASELINE-1")
    plan.cells       # cell, zone, product, x, y, height, price, gondola, shelf, plate, front_x, front_y, depth

What the data does not tell is assumed: the door is at the end of the aisle where x is least, plates that nobody took
anything from hold what the next ones hold, and things lie where they were taken in the recording nearest in time (for a
case without times, where they were taken most often).
"""

from functools import lru_cache
from itertools import pairwise

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from retailkit.datasets.checkouts import CheckoutCases
from retailkit.simulate.radio.checkout_acts import one_plate_each
from retailkit.simulate.visits.plan import CAMERA_COLUMNS, OBSTACLE_COLUMNS, OUTSIDE, StorePlan

_AISLE = 1.6  # metres from the front of a shelf in which people walk: cameras hang that far from each other
_STRIP = 1.2  # metres along the aisle that make a zone, which has an antenna above
_LOBBY, _WIDE = 0.8, 0.6  # metres from the door to the aisle, and half of the door's width
_EDGE, _WALL = 0.5, 0.1  # metres of room beyond everything, and of a wall's thickness
_ABOVE = 0.3  # metres from the highest plate to the top of its gondola


@lru_cache(maxsize=128)
def furnish(cases: CheckoutCases, case: str) -> StorePlan:
    """Lay out the store as it was in one case.

    Parameters
    ----------
    cases : CheckoutCases
    case : str

    Returns
    -------
    StorePlan
        Its cells are plates, with gondola, shelf, plate, height, depth (metres), front_x and front_y besides.

    Raises
    ------
    ValueError
        There is no such case, or nothing was ever taken from a plate.
    """
    if case not in set(cases.cases["case"]):
        raise ValueError(f"there is no case {case!r}; see `list_replayable` for those that can be used")
    [began] = cases.cases.loc[cases.cases["case"] == case, "began"]
    plates = cases.plan.plates
    boxes = _boxes(plates)
    aisle = _aisle(plates)
    door = aisle[0, 0] - _LOBBY, aisle[:, 1].mean()
    low = np.minimum(aisle[0], boxes[["x_low", "y_low"]].min().to_numpy()) - _EDGE
    low[0] = door[0] - OUTSIDE - _EDGE
    high = np.maximum(aisle[1], boxes[["x_high", "y_high"]].max().to_numpy()) + _EDGE
    strips = _strips(aisle - low)
    cells = _cells(cases, began).assign(x=lambda rows: rows["x"] - low[0], y=lambda rows: rows["y"] - low[1])
    obstacles = pd.concat([boxes, _walls(door, low, high)], ignore_index=True)
    for axis, shift in zip("xy", low, strict=True):
        obstacles[[f"{axis}_low", f"{axis}_high"]] -= shift
    x, y = (np.array(door) - low).tolist()
    return StorePlan(
        outline=(float(high[0] - low[0]), float(high[1] - low[1])),
        obstacles=obstacles[OBSTACLE_COLUMNS],
        zones=strips,
        doors={"entrance": ((x, y - _WIDE), (x, y + _WIDE))},
        cells=cells.assign(zone=_nearest_zone(cells, strips)),
        cameras=_cameras(cases.plan.cameras, low),
    )


def _corners(plates: pd.DataFrame, ahead: float = 0.0) -> NDArray[np.float64]:
    """Corners of plates, drawn out to the front by some metres: (plates, 4, 2)."""
    middle, front = plates[["x", "y"]].to_numpy(float), plates[["front_x", "front_y"]].to_numpy(float)
    along = np.column_stack([-front[:, 1], front[:, 0]]) * plates[["width"]].to_numpy(float) / 2
    deep = front * plates[["depth"]].to_numpy(float) / 2
    sides = (deep + ahead * front, -deep) if not ahead else (deep + ahead * front, deep)
    return np.stack([middle + side + turn * along for side in sides for turn in (1, -1)], axis=1)


def _boxes(plates: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for gondola, part in plates.groupby("gondola"):
        corners = _corners(part).reshape(-1, 2)
        rows.append((f"gondola {gondola}", *corners.min(axis=0), *corners.max(axis=0), part["z"].max() + _ABOVE))
    return pd.DataFrame(rows, columns=OBSTACLE_COLUMNS)


def _aisle(plates: pd.DataFrame) -> NDArray[np.float64]:
    """The floor before all shelves: its lowest and highest corner, (2, 2)."""
    corners = _corners(plates, _AISLE).reshape(-1, 2)
    return np.stack([corners.min(axis=0), corners.max(axis=0)])


def _strips(aisle: NDArray[np.float64]) -> dict[str, list[tuple[float, float]]]:
    (x_low, y_low), (x_high, y_high) = aisle.tolist()
    edges = np.linspace(x_low, x_high, max(round((x_high - x_low) / _STRIP), 1) + 1).tolist()
    return {
        f"aisle {number}": [(one, y_low), (two, y_low), (two, y_high), (one, y_high)]
        for number, (one, two) in enumerate(pairwise(edges), 1)
    }


def _nearest_zone(cells: pd.DataFrame, zones: dict[str, list[tuple[float, float]]]) -> list[str]:
    shapes = {name: shapely.Polygon(corners) for name, corners in zones.items()}
    places = shapely.points(cells[["x", "y"]].to_numpy(float))
    away = np.stack([shapely.distance(shape, places) for shape in shapes.values()])
    return [list(shapes)[row] for row in away.argmin(axis=0)]


def _walls(door: tuple[float, float], low: NDArray[np.float64], high: NDArray[np.float64]) -> pd.DataFrame:
    """Walls at both sides of the door, so that nobody gets in beside it."""
    x, y = door
    rows = [
        ("wall 1", x - _WALL / 2, low[1], x + _WALL / 2, y - _WIDE, 2.0),
        ("wall 2", x - _WALL / 2, y + _WIDE, x + _WALL / 2, high[1], 2.0),
    ]
    return pd.DataFrame(rows, columns=OBSTACLE_COLUMNS)


def _cameras(cameras: pd.DataFrame, low: NDArray[np.float64]) -> pd.DataFrame:
    colour = cameras[~cameras["depth"]]
    names = "camera " + colour["camera"].astype("str")
    table = colour.assign(x=colour["x"] - low[0], y=colour["y"] - low[1], camera=names)
    return table[CAMERA_COLUMNS].reset_index(drop=True)


def _cells(cases: CheckoutCases, began: pd.Timestamp) -> pd.DataFrame:
    """Plates of all shelves of which something is known, with what lay on them at the time of a case."""
    key = ["gondola", "shelf", "plate"]
    away = pd.concat([(cases.places[end] - began).abs() for end in ("first", "last")], axis=1).min(axis=1)
    near = cases.places.assign(away=away).sort_values(["away", "taken"], ascending=[True, False], kind="stable")
    known = pd.concat([_told_apart(cases.events, began), near]).drop_duplicates(key)[[*key, "product"]]
    if known.empty:
        raise ValueError("no product was ever taken from a plate, so the store's shelves would be empty")
    plates = cases.plan.plates.merge(known, on=key, how="left")
    shelf = plates.groupby(key[:2])["product"]
    before, behind = shelf.ffill(), shelf.bfill()
    plates["product"] = plates["product"].fillna(_nearer(plates, before, behind))
    plates = plates[plates["product"].notna()].rename(columns={"z": "height"}).reset_index(drop=True)
    price = price_of(cases).reindex(plates["product"]).to_numpy()
    names = [f"gondola {one}, shelf {two}, plate {three}" for one, two, three in plates[key].itertuples(index=False)]
    columns = ["cell", "product", "x", "y", "height", "price", *key, "front_x", "front_y", "depth"]
    return plates.assign(cell=names, price=price)[columns]


def _told_apart(events: pd.DataFrame, began: pd.Timestamp) -> pd.DataFrame:
    """Plates of events that name one for each of several products: gondola, shelf, plate, product, nearest in time."""
    alone = one_plate_each(events)
    alone = alone[alone["sign"].gt(0) & alone["plates"].ne(events["plates"])]
    table = alone.assign(away=(alone["clock"] - began).abs()).explode("plates").rename(columns={"plates": "plate"})
    table = table.sort_values("away", kind="stable").astype({"plate": int})
    return table[["gondola", "shelf", "plate", "product"]]


def _nearer(plates: pd.DataFrame, before: pd.Series, behind: pd.Series) -> pd.Series:
    """Of the last known product before a plate and the first behind it the one that is fewer plates away."""
    number = plates["plate"].where(plates["product"].notna())
    shelves = number.groupby([plates["gondola"], plates["shelf"]])
    back, ahead = plates["plate"] - shelves.ffill(), shelves.bfill() - plates["plate"]
    return before.where(back.fillna(np.inf) <= ahead.fillna(np.inf), behind)


def price_of(cases: CheckoutCases) -> pd.Series:
    """Price by product; where nobody wrote it down, the median of the others, or 1."""
    price = cases.products.set_index("product")["price"]
    return price.fillna(price.median()).fillna(1.0)


def weight_of(cases: CheckoutCases) -> pd.Series:
    """Weight (grams) by product; where nobody wrote it down, the median of the others, or 100."""
    weight = cases.products.set_index("product")["weight"]
    return weight.fillna(weight.median()).fillna(100.0)
