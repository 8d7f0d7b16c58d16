"""A store's plan: walls, shelves, zones, doors, cells, checkouts, cameras, and what shoppers like."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from retailkit.datasets.tables import need_columns
from retailkit.simulate.visits.routes import BODY, Routes, find_routes

Point = Sequence[float]
OUTSIDE = 2.0  # metres before a door's line, where people come into the picture: a counter has to see both sides
SPACING = 0.8  # metres from one to the next in a line
_SAME = 1e-6  # square metres of overlap that rounding may leave

OBSTACLE_COLUMNS = ["obstacle", "x_low", "y_low", "x_high", "y_high", "height"]
CELL_COLUMNS = ["cell", "zone", "product", "x", "y", "price"]
CHECKOUT_COLUMNS = ["checkout", "zone", "x", "y", "staff_x", "staff_y"]
CAMERA_COLUMNS = ["camera", "x", "y", "z"]


def _no(columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=object if place == 0 else float) for place, name in enumerate(columns)})


@dataclass(frozen=True, eq=False)
class StorePlan:
    """A store on its floor plan, in metres; checked when it is made.

    Attributes
    ----------
    outline : (width, depth), metres
        The floor is 0 to width in x and 0 to depth in y.
    obstacles : DataFrame
        Columns obstacle, x_low, y_low, x_high, y_high, height (metres): shelves, counters, gates.
    zones : name -> polygon (metres)
        They may touch and must not overlap.
    doors : name -> line of two points
        Seen from the first point to the second, "in" is from left to right. The first door is the entrance.
    cells : DataFrame
        Columns cell, zone, product, x, y (metres, where it lies), price, and any further attributes.
    checkouts : DataFrame
        Columns checkout, zone, x, y (where the customer stands), staff_x, staff_y (where the cashier does). May be
        empty: a store without cashiers.
    queue : points from the head of the one line to its tail
    queue_zone : str
        The zone that the line stands in.
    staff_place : point, optional
        Where staff are between two tasks.
    cameras : DataFrame
        Columns camera, x, y, z (metres).
    preference : name -> coefficient
        Of the logit by which shoppers choose: names of columns of `cells`, and ``none``, the utility of taking nothing.

    Raises
    ------
    ValueError
        Something of it cannot be; the message names what, and what would be accepted.
    """

    outline: tuple[float, float]
    obstacles: pd.DataFrame
    zones: Mapping[str, Sequence[Point]]
    doors: Mapping[str, Sequence[Point]]
    cells: pd.DataFrame
    checkouts: pd.DataFrame = field(default_factory=lambda: _no(CHECKOUT_COLUMNS))
    queue: Sequence[Point] = ()
    queue_zone: str = "queue"
    staff_place: Point | None = None
    cameras: pd.DataFrame = field(default_factory=lambda: _no(CAMERA_COLUMNS))
    preference: Mapping[str, float] = field(default_factory=lambda: {"price": -0.5, "none": 0.0})

    def __post_init__(self) -> None:
        _check_frames(self)
        _check_zones(self)
        _check_doors(self)
        _check_names(self)
        _check_ways_in(self)

    @property
    def entrance(self) -> Sequence[Point]:
        """The line of the first door."""
        return next(iter(self.doors.values()))

    @cached_property
    def shelf_zones(self) -> list[str]:
        """Zones that have cells, in the order of `zones`."""
        with_cells = set(self.cells["zone"])
        return [name for name in self.zones if name in with_cells]

    @cached_property
    def walls(self) -> NDArray[np.float64]:
        """Obstacles as (number, 4): x_low, y_low, x_high, y_high."""
        return self.obstacles[OBSTACLE_COLUMNS[1:5]].to_numpy(dtype=float).reshape(-1, 4)

    @cached_property
    def slots(self) -> NDArray[np.float64]:
        """Places in the line, from its head: (number, 2)."""
        if not len(self.queue):
            return np.empty((0, 2))
        line = shapely.LineString(self.queue)
        steps = np.arange(0, line.length + 1e-9, SPACING)
        return shapely.get_coordinates(shapely.line_interpolate_point(line, steps))

    @cached_property
    def routes(self) -> Routes:
        """The shortest ways between all places that people go to; each is named by a kind and a name."""
        return find_routes(self.outline, self.walls, _places(self))


def standing_places(cells: pd.DataFrame, zones: Mapping[str, Sequence[Point]]) -> NDArray[np.float64]:
    """Where one stands to reach into each cell: the nearest place that is well inside its zone, (cells, 2)."""
    inner = {name: _well_inside(shapely.Polygon(zones[name])) for name in cells["zone"].unique()}
    near = [
        shapely.get_coordinates(shapely.shortest_line(inner[zone], shapely.Point(x, y)))[0]
        for zone, x, y in cells[["zone", "x", "y"]].itertuples(index=False)
    ]
    return np.array(near, dtype=float).reshape(-1, 2)


def _well_inside(zone: shapely.Polygon, margin: float = 0.4) -> shapely.Geometry:
    inner = zone.buffer(-margin)
    return inner if not inner.is_empty else shapely.Point(zone.representative_point())


def inwards(line: Sequence[Point] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the direction in which a line is passed when somebody comes in, of length 1: (2,)."""
    along = np.subtract(line[1], line[0]).astype(float)
    return np.array([along[1], -along[0]]) / np.hypot(*along)


def _places(plan: StorePlan) -> dict[tuple[str, object], NDArray[np.float64]]:
    """Every place that somebody may go to."""
    places: dict[tuple[str, object], NDArray[np.float64]] = {}
    for name, line in plan.doors.items():
        places["door", name] = np.mean(line, axis=0) - OUTSIDE * inwards(line)
    for cell, place in zip(plan.cells["cell"], standing_places(plan.cells, plan.zones), strict=True):
        places["cell", cell] = place
    for name in plan.shelf_zones:
        places["zone", name] = shapely.get_coordinates(shapely.Polygon(plan.zones[name]).representative_point())[0]
    for number, place in enumerate(plan.slots):
        places["slot", number] = place
    for checkout, _, x, y, staff_x, staff_y in plan.checkouts[CHECKOUT_COLUMNS].itertuples(index=False):
        places["checkout", checkout] = np.array([x, y], dtype=float)
        places["cashier", checkout] = np.array([staff_x, staff_y], dtype=float)
    if plan.staff_place is not None:
        places["staff", ""] = np.asarray(plan.staff_place, dtype=float)
    return places


def _check_frames(plan: StorePlan) -> None:
    if len(plan.outline) != 2 or not all(np.isfinite(side) and side > 0 for side in plan.outline):
        raise ValueError(f"outline is {plan.outline!r}: width and depth in metres above 0 are needed")
    for what, columns in (
        ("obstacles", OBSTACLE_COLUMNS), ("cells", CELL_COLUMNS),
        ("checkouts", CHECKOUT_COLUMNS), ("cameras", CAMERA_COLUMNS),
    ):  # fmt: skip
        frame = getattr(plan, what)
        need_columns(frame, columns, what)
        if len(again := frame[columns[0]][frame[columns[0]].duplicated()]):
            raise ValueError(f"{what}: {columns[0]} {again.iloc[0]!r} is there twice; names must differ")
    low, high = plan.walls[:, :2], plan.walls[:, 2:]
    wrong = ((high <= low) | (low < -1e-9) | (high > np.array(plan.outline) + 1e-9)).any(axis=1)
    if wrong.any():
        row = plan.obstacles[wrong].iloc[0]
        raise ValueError(
            f"obstacle {row['obstacle']!r} is {row.tolist()[1:]}: it must have area, and lie in the outline"
        )


def _check_zones(plan: StorePlan) -> None:
    floor = shapely.box(0, 0, *plan.outline).buffer(1e-6)
    shapes = {name: shapely.Polygon(points) for name, points in plan.zones.items()}
    for name, shape in shapes.items():
        if not shape.is_valid or shape.area < _SAME or not floor.covers(shape):
            told = list(plan.zones[name])
            raise ValueError(f"zone {name!r} is {told}: a simple polygon with area, inside of the outline, is needed")
    names = list(shapes)
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            if (area := shapes[one].intersection(shapes[other]).area) > _SAME:
                raise ValueError(f"zones {one!r} and {other!r} overlap by {area:.3f} m²; they may only touch")


def _check_doors(plan: StorePlan) -> None:
    if not plan.doors:
        raise ValueError("doors is empty: at least one door, name -> line of two points, is needed")
    for name, line in plan.doors.items():
        points = np.asarray(line, dtype=float)
        if points.shape != (2, 2) or not np.hypot(*(points[1] - points[0])) > 2 * BODY:
            raise ValueError(f"door {name!r} is {line!r}: a line of two points, over {2 * BODY} m apart, is needed")
        outside = points.mean(axis=0) - OUTSIDE * inwards(points)
        if not ((outside >= 0) & (outside <= plan.outline)).all():
            raise ValueError(
                f"door {name!r} is {line!r}: {OUTSIDE} m before it, at {outside.round(2).tolist()}, is outside of "
                "the picture; move it in (or swap its points: in is from left to right)"
            )


def _check_ways_in(plan: StorePlan) -> None:
    """Whoever comes in by a door must pass its line."""
    for name, line in plan.doors.items():
        door, bar = plan.routes.places["door", name], shapely.LineString(np.asarray(line, dtype=float))
        for place, number in plan.routes.places.items():
            way = [plan.routes.points[door], *plan.routes.way(door, number)]
            if number != door and not shapely.LineString(way).intersects(bar):
                told = " ".join(map(str, place)).strip()
                raise ValueError(
                    f"door {name!r}: one gets from outside of it to {told!r} without passing its line {line!r}; "
                    "put obstacles beside its ends, or swap its points (in is from left to right)"
                )


def _check_names(plan: StorePlan) -> None:
    """Zones, attributes and the queue that others speak of must be there."""
    for what, frame in (("cell", plan.cells), ("checkout", plan.checkouts)):
        lost = frame[~frame["zone"].isin(list(plan.zones))]
        if len(lost):
            told = ", ".join(map(repr, plan.zones))
            raise ValueError(f"{what} {lost[what].iloc[0]!r} is in zone {lost['zone'].iloc[0]!r}; zones are {told}")
    if len(plan.cells) == 0:
        raise ValueError("cells is empty: at least one shelf cell is needed")
    if not (plan.cells["price"].to_numpy(float) > 0).all():
        wrong = plan.cells[~(plan.cells["price"] > 0)].iloc[0]
        raise ValueError(f"cell {wrong['cell']!r} has price {wrong['price']:g}: a price above 0 is needed")
    unknown = [name for name in plan.preference if name != "none" and name not in plan.cells]
    if unknown or "none" not in plan.preference:
        raise ValueError(
            f"preference is {dict(plan.preference)}: it needs 'none' and columns of cells, which are "
            f"{', '.join(map(str, plan.cells))}"
        )
    if len(plan.checkouts) and (plan.queue_zone not in plan.zones or len(plan.queue) < 2):
        raise ValueError(
            f"checkouts need a queue of two points or more in a zone {plan.queue_zone!r}; got {plan.queue}"
        )
