"""Charts on a plan: how much happens where, ways between places, and the outlines of areas.

    heat     squares, darker the more there is
    paths    ways from one area to another, wider the more there is

Plans are in metres, and a metre is as long upwards as across.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.lab.style import GRID, INK, PALETTE, QUIET, WIDTH, Chart, canvas, need, style

Outlines = Mapping[str, Sequence[Sequence[float]]]
_TALLEST = 8.0  # inches
_WIDEST = 9.0  # points: of the most frequent way
_SHADES = "Blues"  # one hue, light to dark: read by lightness alone


def heat(
    data: pd.DataFrame,
    outlines: Outlines | None = None,
    *,
    value: str = "density",
    quantity: str = "Person-seconds per m²",
    title: str = "",
    alt: str | None = None,
) -> Chart:
    """Draw how much happens where, in shades that count by tenfold where one square would make all others pale.

    >>> squares = pd.DataFrame({"x": [0.25, 0.75], "y": 0.25, "density": [4.0, 60.0]})
    >>> heat(squares).alt
    'Person-seconds per m² on a plan of 1.0 x 0.5 m: most, 60, at x 0.75, y 0.25 m; 4 to 60 over 2 squares.'

    Parameters
    ----------
    data : DataFrame with x, y (metres, middles of squares) and the column `value`
        Where the value is nan, a square is hatched: it is not to be shown. Where there is no row, nothing is drawn.
    outlines : mapping of names to corners (x, y), metres, optional
        Areas to draw and name.
    value, quantity : str
        Column, and what is said of it.
    title : str
    alt : str, optional
        Alternative text in place of the one made from the data.

    Raises
    ------
    ValueError
        A column is missing, no value is known, or the squares do not lie on a grid.
    """
    need(data, ["x", "y", value])
    if not data[value].notna().any():
        raise ValueError(f"{value} holds no number: nothing to draw")
    side, (left, right, low, high), table, hidden = _squares(data, value)
    with style():
        figure, axes = plan_axes(left, right, low, high, outlines or {}, share=0.74)
        where = {"extent": (left, right, low, high), "origin": "lower", "interpolation": "nearest", "zorder": 1}
        drawn = axes.imshow(table, cmap=_shades(), norm=_scale(table), **where)
        _hatch(axes, hidden, left, low, side)
        _outline(axes, outlines or {})
        bar = figure.colorbar(drawn, ax=axes, shrink=0.8, pad=0.02)
        bar.set_label(quantity)
        bar.outline.set_visible(False)  # type: ignore[operator]
        axes.set_title(title)
    return Chart(figure, alt or _heat_sentence(data, value, quantity, right - left, high - low, int(hidden.sum())))


def paths(
    data: pd.DataFrame,
    outlines: Outlines,
    *,
    value: str = "count",
    quantity: str = "People",
    title: str = "",
    least: float = 0.0,
    alt: str | None = None,
) -> Chart:
    """Draw ways from one area to another as arrows, wider the more there is.

    >>> ways = pd.DataFrame({"start": ["a", "b"], "end": ["b", "a"], "count": [30, 12]})
    >>> room = {"a": [(0, 0), (1, 0), (1, 1), (0, 1)], "b": [(3, 0), (4, 0), (4, 1), (3, 1)]}
    >>> paths(ways, room).alt
    'People between 2 areas on a plan of 4.0 x 1.0 m: 30 from a to b, 12 from b to a.'

    Parameters
    ----------
    data : DataFrame with start, end (names of areas) and the column `value`
        Rows from or to what is no area are not drawn, nor those whose value is nan; the sentence says how many.
    outlines : mapping of names to corners (x, y), metres
    value, quantity : str
        Column, and what is said of it.
    title : str
    least : float
        Smaller values are not drawn.
    alt : str, optional
        Alternative text in place of the one made from the data.

    Raises
    ------
    ValueError
        A column is missing, there are no areas, or no row is left to draw.
    """
    need(data, ["start", "end", value])
    if not outlines:
        raise ValueError("outlines is empty: areas are needed to draw ways between them")
    known = data[data["start"].isin(list(outlines)) & data["end"].isin(list(outlines)) & (data["start"] != data["end"])]
    shown = known[known[value] >= max(least, 1e-12)].sort_values(value)
    if not len(shown):
        raise ValueError(f"no way between {', '.join(outlines)} has a {value} of {least:g} or more: nothing to draw")
    corners = np.concatenate([np.asarray(points, dtype=float) for points in outlines.values()])
    (left, low), (right, high) = corners.min(axis=0), corners.max(axis=0)
    middles = {name: _middle(np.asarray(points, dtype=float)) for name, points in outlines.items()}
    with style():
        figure, axes = plan_axes(left, right, low, high, outlines)
        _outline(axes, outlines)
        for start, end, amount in shown[["start", "end", value]].itertuples(index=False):
            _arrow(axes, middles[start], middles[end], float(amount / shown[value].max()))
        axes.set_title(title)
    return Chart(figure, alt or _paths_sentence(shown, value, quantity, len(outlines), right - left, high - low, data))


def _squares(
    data: pd.DataFrame, value: str
) -> tuple[float, tuple[float, float, float, float], NDArray[np.float64], NDArray[np.bool_]]:
    """Side of the squares, edges of the plan, values as (rows, columns), and which are not to be shown."""
    x, y = data["x"].to_numpy(float), data["y"].to_numpy(float)
    steps = np.concatenate([np.diff(np.unique(axis.round(6))) for axis in (x, y)])
    side = float(steps.min()) if len(steps) else 1.0
    column, row = np.rint((x - x.min()) / side).astype(int), np.rint((y - y.min()) / side).astype(int)
    off = np.abs(column * side + x.min() - x).max() + np.abs(row * side + y.min() - y).max()
    if off > 1e-3 * side or pd.Series(list(zip(column, row, strict=True))).duplicated().any():
        raise ValueError(f"x and y are no middles of squares on a grid of {side:g} m, one row each")
    table = np.full((row.max() + 1, column.max() + 1), np.nan)
    table[row, column] = data[value].to_numpy(float)
    hidden = np.zeros(table.shape, dtype=bool)
    hidden[row, column] = data[value].isna()
    left, low = x.min() - side / 2, y.min() - side / 2
    return side, (left, left + side * table.shape[1], low, low + side * table.shape[0]), table, hidden


def _shades() -> Any:
    """The shades without the palest, which would look like nothing."""
    import matplotlib

    return matplotlib.colors.ListedColormap(matplotlib.colormaps[_SHADES](np.linspace(0.12, 1, 256)))


def _scale(table: NDArray[np.float64]) -> Any:
    """Logarithmic where the greatest value is over twenty times the middle one; the palest shade is 1/1000 of it."""
    from matplotlib.colors import LogNorm, Normalize

    most = float(np.nanmax(table))
    known = table[table > 0]
    if most <= 0 or most <= 20 * np.median(known):
        return Normalize(min(0.0, float(np.nanmin(table))), max(most, 1e-12))
    return LogNorm(max(float(known.min()), most / 1000), most, clip=True)


def _hatch(axes: Any, hidden: NDArray[np.bool_], left: float, low: float, side: float) -> None:
    from matplotlib.collections import PolyCollection

    row, column = np.nonzero(hidden)
    corner = np.stack([left + column * side, low + row * side], axis=1)
    square = np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) * side
    axes.add_collection(
        PolyCollection(
            list(corner[:, None] + square), hatch="//////", facecolor="none", edgecolor=GRID, linewidth=0, zorder=1.5
        )
    )


def plan_axes(
    left: float, right: float, low: float, high: float, outlines: Outlines, share: float = 0.9
) -> tuple[Any, Any]:
    """Empty axes in metres around a plan and its areas."""
    corners = [np.asarray(points, dtype=float) for points in outlines.values()]
    for points in corners:
        left, right = min(left, points[:, 0].min()), max(right, points[:, 0].max())
        low, high = min(low, points[:, 1].min()), max(high, points[:, 1].max())
    room = 0.03 * max(right - left, high - low)
    up = (high - low + 2 * room) / (right - left + 2 * room)
    figure, axes = canvas(height=min(_TALLEST, 1.0 + WIDTH * share * up))
    axes.set(xlim=(left - room, right + room), ylim=(low - room, high + room), xlabel="x (metres)", ylabel="y (metres)")
    axes.set_aspect("equal")
    axes.grid(False)
    return figure, axes


def _outline(axes: Any, outlines: Outlines) -> None:
    """Draw areas, each with its name inside."""
    from matplotlib.patheffects import withStroke

    for name, corners in outlines.items():
        points = np.asarray(corners, dtype=float)
        around = np.concatenate([points, points[:1]])
        axes.plot(around[:, 0], around[:, 1], color=INK, linewidth=1.1, zorder=3)
        x, y = _middle(points)
        halo = [withStroke(linewidth=2.5, foreground="white")]
        upright = np.ptp(points[:, 1]) > 1.6 * np.ptp(points[:, 0])
        axes.text(x, y, name, ha="center", va="center", fontsize=8, color=INK, path_effects=halo, zorder=6,
                  rotation=90 if upright else 0)  # fmt: skip


def _middle(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """A place well inside of an area."""
    import shapely

    area = shapely.Polygon(points)
    return shapely.get_coordinates(area.centroid if area.covers(area.centroid) else area.representative_point())[0]


def _arrow(axes: Any, start: NDArray, end: NDArray, share: float) -> None:
    from matplotlib.patches import FancyArrowPatch

    width = 0.6 + (_WIDEST - 0.6) * share
    axes.add_patch(
        FancyArrowPatch(
            tuple(start), tuple(end), connectionstyle="arc3,rad=0.18", shrinkA=7, shrinkB=9, zorder=4,
            arrowstyle=f"simple,tail_width={width},head_width={width * 1.8 + 3},head_length={width + 5}",
            color=PALETTE[0] if share > 0.5 else QUIET, alpha=0.35 + 0.4 * share, linewidth=0,
        )
    )  # fmt: skip


def _heat_sentence(data: pd.DataFrame, value: str, quantity: str, across: float, up: float, hidden: int) -> str:
    most = data.iloc[int(np.nanargmax(data[value].to_numpy(float)))]
    said = (
        f"{quantity} on a plan of {across:.1f} x {up:.1f} m: most, {most[value]:,.3g}, at x {most['x']:g}, "
        f"y {most['y']:g} m; {data[value].min():,.3g} to {most[value]:,.3g} over {data[value].notna().sum():,} squares"
    )
    return f"{said}; {hidden:,} more are hatched, since they may not be shown." if hidden else f"{said}."


def _paths_sentence(
    shown: pd.DataFrame, value: str, quantity: str, areas: int, across: float, up: float, data: pd.DataFrame
) -> str:
    parts = [f"{row[value]:,.4g} from {row['start']} to {row['end']}" for _, row in shown[::-1].head(5).iterrows()]
    left = len(data) - len(shown)
    said = f"{quantity} between {areas} areas on a plan of {across:.1f} x {up:.1f} m: {', '.join(parts)}"
    said += f", and {len(shown) - 5} less frequent ways" if len(shown) > 5 else ""
    return f"{said}; {left} more in the table are not drawn." if left else f"{said}."
