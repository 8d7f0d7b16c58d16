"""Charts of something that moves: ways on a plan, and shares that change with time.

ways         lines on a plan, and spots that are larger the more happened there
stacked      shares of one whole over time, with moments marked
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.lab.floorplan import Outlines, plan_axes
from retailkit.lab.style import INK, PALETTE, QUIET, Chart, canvas, need, style

_LARGEST = 380.0  # points squared: of the spot where most happened
_ROOM = 0.035  # of the time shown, that marks' words need at least between them


def ways(
    data: pd.DataFrame,
    spots: pd.DataFrame,
    outlines: Outlines | None = None,
    *,
    value: str = "count",
    spot: str = "spots",
    legend: tuple[str, str] = ("some", "none"),
    quiet: str = "others",
    title: str = "",
    alt: str | None = None,
) -> Chart:
    """Draw lines on a plan, a colour for each kind, and spots, larger the more happened there.

    >>> walked = pd.DataFrame({"way": [1, 1], "x": [0.0, 4.0], "y": [0.0, 3.0], "what": "others"})
    >>> ways(walked, pd.DataFrame({"x": [2.0], "y": [1.0], "count": [7]}), value="count", spot="antennas").alt
    '1 ways on a plan of 4.0 x 3.0 m: 1 others. Of 1 antennas 1 have a count above 0; the most is 7, at x 2.0, y 1.0 m.'

    Parameters
    ----------
    data : DataFrame with way, x, y (metres), what
        Rows of one way in order; `what` is its kind. Kinds get their colours in the order of the rows.
    spots : DataFrame with x, y (metres) and the column `value`
        Where the value is 0, a spot is hollow.
    outlines : mapping of names to corners, metres, optional
    value, spot : str
        The column, and what a spot is, in the plural.
    legend : two str
        What to call spots with some, and those without any.
    quiet : str
        The kind that is drawn in grey, below the others.
    title : str
    alt : str, optional
        Alternative text in place of the one made from the data.

    Raises
    ------
    ValueError
        A column is missing, or there are no rows.
    """
    need(data, ["way", "x", "y", "what"])
    need(spots, ["x", "y", value])
    colours = iter(PALETTE)
    kinds = {kind: QUIET if kind == quiet else next(colours) for kind in data["what"].unique()}
    corners = pd.concat([data[["x", "y"]], spots[["x", "y"]]])
    (left, low), (right, high) = corners.min(), corners.max()
    with style():
        figure, axes = plan_axes(left, right, low, high, outlines or {})
        _areas(axes, outlines or {})
        for kind, colour in kinds.items():
            _lines(axes, data[data["what"] == kind], str(kind), colour)
        _spots(axes, spots[["x", "y", value]].to_numpy(float), legend)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=3)
        axes.set_title(title)
    return Chart(figure, alt or _ways_sentence(data, spots, value, spot, right - left, high - low))


def _lines(axes: Any, rows: pd.DataFrame, kind: str, colour: str) -> None:
    quiet = colour == QUIET
    for number, (_, way) in enumerate(rows.groupby("way", sort=False)):
        axes.plot(way["x"], way["y"], color=colour, linewidth=0.8 if quiet else 1.7, alpha=0.4 if quiet else 0.9,
                  zorder=4 if quiet else 5, label=kind if number == 0 else None, solid_capstyle="round")  # fmt: skip
        axes.plot(way["x"].iloc[-1:], way["y"].iloc[-1:], "o", color=colour, markersize=3 if quiet else 5, zorder=5)


def _areas(axes: Any, outlines: Outlines) -> None:
    """Outlines with their names at the upper edge, where they leave the middle free."""
    for name, corners in outlines.items():
        points = np.asarray(corners, dtype=float)
        axes.fill(*points.T, facecolor="#f3f5f7", edgecolor=QUIET, linewidth=0.9, zorder=0.5)
        x, y = points[:, 0].mean(), points[:, 1].max()
        axes.annotate(name, (x, y), xytext=(0, 3), textcoords="offset points", ha="center", fontsize=8, color=QUIET)


def _spots(axes: Any, spots: NDArray[np.float64], legend: tuple[str, str]) -> None:
    """Triangles at x and y, larger the more the third column says."""
    from matplotlib.patheffects import withStroke

    filled = spots[:, 2] > 0
    size = 40 + _LARGEST * spots[filled, 2] / max(spots[:, 2].max(), 1e-12)
    common = {"marker": "^", "edgecolors": INK, "linewidths": 1.0, "zorder": 6}
    axes.scatter(*spots[filled, :2].T, s=size, color=PALETTE[5], alpha=0.8, label=legend[0], **common)
    axes.scatter(*spots[~filled, :2].T, s=34, facecolors="white", label=legend[1], **common)
    halo = [withStroke(linewidth=2.5, foreground="white")]
    for (x, y, count), area in zip(spots[filled], size, strict=True):
        axes.annotate(f"{count:,.0f}", (x, y), xytext=(0.5 * np.sqrt(area) + 2, 0), textcoords="offset points",
                      va="center", fontsize=9, fontweight="bold", color=INK, path_effects=halo, zorder=8)  # fmt: skip


def _ways_sentence(data: pd.DataFrame, spots: pd.DataFrame, value: str, name: str, across: float, up: float) -> str:
    kinds = data.drop_duplicates("way")["what"].value_counts()
    most = spots.iloc[int(spots[value].to_numpy().argmax())]
    return (
        f"{data['way'].nunique()} ways on a plan of {across:.1f} x {up:.1f} m: "
        f"{', '.join(f'{number} {kind}' for kind, number in kinds.items())}. Of {len(spots)} {name} "
        f"{(spots[value] > 0).sum()} have a {value} above 0; the most is {most[value]:,.0f}, at x {most['x']:.1f}, "
        f"y {most['y']:.1f} m."
    )


def stacked(
    data: pd.DataFrame,
    x: str,
    y: str,
    hue: str,
    marks: pd.DataFrame | None = None,
    *,
    quiet: str = "",
    xlabel: str = "",
    ylabel: str = "",
    title: str = "",
    alt: str | None = None,
) -> Chart:
    """Draw shares of one whole over time, one above the other, with moments marked by a line and words.

    >>> said = pd.DataFrame({"seconds": [0, 1] * 2, "who": ["shelf"] * 2 + ["Ann"] * 2, "share": [1, 0.2, 0, 0.8]})
    >>> stacked(said, "seconds", "share", "who", xlabel="Time (seconds)", ylabel="Belief (share)").alt
    'Belief: shelf 1.00 at first and 0.20 at last; Ann 0.00 at first and 0.80 at last.'

    Parameters
    ----------
    data : DataFrame
        A row for each moment `x` and kind `hue`, its share in `y`; kinds are stacked in the order of the rows.
    marks : DataFrame with the column `x` and what, optional
    quiet : str
        The kind that is drawn in grey.
    xlabel, ylabel, title : str
    alt : str, optional
        Alternative text in place of the one made from the data.

    Raises
    ------
    ValueError
        A column is missing, there are no rows, or shares of a moment do not sum to 1.
    """
    need(data, [x, y, hue])
    wide = data.pivot(index=x, columns=hue, values=y)[list(dict.fromkeys(data[hue]))]
    if (off := (wide.sum(axis=1) - 1).abs() > 1e-6).any():
        moment = wide.index[off][0]
        raise ValueError(f"shares at {x} {moment:g} sum to {wide.loc[moment].sum():.4g}; 1 is needed")
    colours = iter(PALETTE)
    with style():
        figure, axes = canvas(height=3.6)
        below = np.zeros(len(wide))
        for name in wide:
            colour = "#cbd2d9" if name == quiet else next(colours)
            axes.fill_between(wide.index, below, below + wide[name], color=colour, alpha=0.85, linewidth=0, label=name)
            below = below + wide[name].to_numpy()
        axes.set(xlabel=xlabel or x, ylabel=ylabel or y, ylim=(0, 1), xlim=(wide.index.min(), wide.index.max()))
        axes.set_title(title)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=min(len(wide.columns), 4))
        if marks is not None:
            _mark(axes, marks, x)
    ends = (f"{name} {wide[name].iloc[0]:.2f} at first and {wide[name].iloc[-1]:.2f} at last" for name in wide)
    return Chart(figure, alt or f"{(ylabel or y).split(' (')[0]}: {'; '.join(ends)}.")


def _mark(axes: Any, marks: pd.DataFrame, x: str) -> None:
    """Lines with words above the picture; words that would run into each other are put on a second row."""
    left, right = axes.get_xlim()
    free = [left - 1e9, left - 1e9]
    for moment, what in marks[[x, "what"]].sort_values(x).itertuples(index=False):
        axes.axvline(moment, color=INK, linewidth=1.1, linestyle=(0, (3, 2)), zorder=5)
        row = int(moment < free[0])
        free[row] = moment + (right - left) * (_ROOM + 0.011 * len(what))
        axes.annotate(what, (moment, 1.01 + 0.06 * row), xycoords=("data", "axes fraction"), fontsize=8.5, color=INK)
