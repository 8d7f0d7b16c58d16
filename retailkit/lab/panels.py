"""Small multiples: one picture for each value of a parameter, all with the same axes."""

from typing import Any

import pandas as pd

from retailkit.lab.style import INK, PALETTE, QUIET, Chart, canvas, panel_grid, style


def panels(
    data: pd.DataFrame,
    x: str,
    y: str,
    line: str,
    panel: str | None = None,
    *,
    x_name: str = "",
    y_name: str = "",
    panel_name: str = "",
    order: list[str] | None = None,
    alt: str | None = None,
) -> Chart:
    """Draw dots over named values, those of one `line` joined, the mean of each value as a bar.

    Parameters
    ----------
    data : pandas.DataFrame
        A row per dot.
    x, y, line : str
        Columns: the value's name, what was measured, and what belongs together.
    panel : str, optional
        Column; a picture for each of its values.
    x_name, y_name, panel_name : str
        What is written at the axes and above the panels; by default the columns' names.
    order : list of str, optional
        Of the values on the x axis.
    alt : str, optional
        Alternative text in place of the one made from the data.

    Raises
    ------
    ValueError
        There are no rows.
    """
    if not len(data):
        raise ValueError("the frame has no rows: nothing to draw")
    order = order or list(dict.fromkeys(data[x]))
    groups: list[tuple[str, pd.DataFrame]] = [("", data)]
    if panel:
        groups = [(str(name), part) for name, part in data.groupby(panel, sort=False)]
    with style():
        figure, grid, across = panel_grid(len(groups), tall=2.6, more=0.6)
        for place, (axes, (name, rows)) in enumerate(zip(grid, groups, strict=True)):
            _draw(axes, rows, x, y, line, order)
            axes.set_title(f"{panel_name or panel} {name}" if panel else "")
            axes.set_xlabel((x_name or x) if place >= len(groups) - across else "")
            axes.set_ylabel((y_name or y) if place % across == 0 else "")
            axes.xaxis.set_tick_params(labelbottom=place >= len(groups) - across)
    return Chart(figure, alt or _sentence(data, x, y, x_name or x, y_name or y, len(groups), order))


def _draw(axes: Any, rows: pd.DataFrame, x: str, y: str, line: str, order: list[str]) -> None:
    places = rows.assign(place=rows[x].map(order.index)).sort_values("place")
    many = places[line].nunique() > 30
    for _, together in places.groupby(line, sort=False):
        axes.plot(
            together["place"], together[y], "-", color=QUIET, linewidth=0.7, alpha=0.15 if many else 0.45, zorder=1
        )
    axes.plot(places["place"], places[y], "o", color=PALETTE[0], markersize=4, alpha=0.35 if many else 0.8, zorder=2)
    means = places.groupby("place")[y].mean()
    axes.hlines(means, means.index - 0.28, means.index + 0.28, color=INK, linewidth=2, zorder=3)
    axes.set_xticks(range(len(order)), order)
    axes.set_xlim(-0.6, len(order) - 0.4)


def _sentence(rows: pd.DataFrame, x: str, y: str, x_name: str, y_name: str, number: int, order: list[str]) -> str:
    means = rows.groupby(x)[y].mean()
    told = ", ".join(f"{means[name]:.3g} at {name}" for name in order if name in means)
    shape = f"{number} panels of dots" if number > 1 else "Dots"
    return f"{shape}, one for each run, over {x_name}. The mean of {y_name} is {told}."


def said(sentence: str) -> Chart:
    """A chart of nothing but the reason why there is none."""
    with style():
        figure, axes = canvas(height=0.9)
        axes.set_axis_off()
        axes.text(0.5, 0.5, sentence, ha="center", va="center", color=INK)
    return Chart(figure, sentence)
