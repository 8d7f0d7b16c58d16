"""Charts of the house: each verb takes a tidy frame and returns a `Chart`, a figure with its own alt sentence.

    estimates     dots with interval bars, the values printed beside them
    band          curves with a band of confidence, named where they run
    line          curves without a band (what was measured once: a loss over time)
    histogram     how often each count occurs
    bars          counts by name
    panels        small multiples: dots of every run, pairs joined
    photo_sheet   photographs with the labelled boxes and those found by a detector
    heat, paths   how much happens where on a plan, and the ways between its areas
    dot_panels    estimates of methods, a panel for each case, a reference as a line in each
    ways          lines on a plan, and spots, larger the more happened there
    stacked       shares of one whole over time, moments marked

Colours are those of Okabe and Ito (2008), told apart by people with any common colour blindness; shapes and line styles
differ as well, so that nothing rests on colour alone.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from retailkit.lab.dots import dot_panels
from retailkit.lab.floorplan import heat, paths
from retailkit.lab.panels import panels, said
from retailkit.lab.photosheet import photo_sheet
from retailkit.lab.style import INK, LINES, MARKERS, PALETTE, QUIET, Chart, canvas, need, style
from retailkit.lab.traces import stacked, ways

__all__ = [
    "PALETTE", "Chart", "band", "bars", "dot_panels", "estimates", "heat", "histogram", "line", "panels", "paths",
    "photo_sheet", "stacked", "style", "ways",
]  # fmt: skip

_ROOM = 0.08  # of the picture's height, that a curve's name takes


def estimates(
    data: pd.DataFrame | Mapping[str, Any],
    quantity: str,
    *,
    label: str = "label",
    hue: str | None = None,
    title: str = "",
    reference: float | None = None,
    sort: bool = True,
    digits: int = 2,
    level: float = 0.95,
    empty: str = "",
    alt: str | None = None,
) -> Chart:
    """Draw estimates as dots with their intervals as bars, largest on top, each value printed at the right.

    >>> from retailkit.lab.intervals import Estimate
    >>> estimates({"empty": Estimate(0.41, 0.36, 0.46)}, "Average precision at IoU 0.5 (0 to 1)").alt
    'Average precision at IoU 0.5 is 0.41 (0.36 to 0.46) for empty. Brackets give the 95 % interval.'

    Parameters
    ----------
    data : DataFrame or mapping
        A row per estimate with the columns `label`, value, low, high and, where asked, `hue`;
        or a mapping of names to estimates (anything with the attributes value, low and high).
    quantity : str
        What is estimated, unit in brackets: the horizontal axis' label.
    label, hue : str
        Columns that name the row and, within a row, the colour and shape.
    reference : float, optional
        A value to compare with (0 for a difference): drawn as a thin line.
    sort : bool
        Largest on top; else in the order given.
    level : float
        Confidence of the intervals, said in the alt sentence.
    empty : str
        A sentence to show where there are no rows; without it that is an error.
    alt : str, optional
        Alternative text in place of the one made from the data.

    Raises
    ------
    ValueError
        A column is missing, there are no rows, or an estimate lies outside its own interval.
    """
    if empty and not len(data):
        return said(empty)
    frame = _estimate_frame(data, label, hue)
    order = frame.groupby(label, sort=False)["value"].max()
    names = list(order.sort_values(ascending=False).index if sort else order.index)
    kinds = list(dict.fromkeys(frame[hue])) if hue else [""]
    with style():
        figure, axes = canvas(height=1.0 + 0.36 * len(names) * (1 + 0.45 * (len(kinds) - 1)) + 0.25 * bool(title))
        for number, kind in enumerate(kinds):
            rows = frame[frame[hue] == kind] if hue else frame
            heights = rows[label].map(names.index) + 0.6 * ((number + 0.5) / len(kinds) - 0.5)
            _dots(axes, rows, heights, number, str(kind), digits)
        if reference is not None:
            axes.axvline(reference, color=QUIET, linewidth=1, zorder=1)
        axes.set(xlabel=quantity, ylim=(len(names) - 0.4, -0.6), title=title)
        axes.set_yticks(range(len(names)), [str(name) for name in names], color=INK)
        axes.set_ylabel("" if label == "label" else label.replace("_", " "))
        axes.grid(axis="y", visible=False)
        if hue:
            axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(kinds), borderaxespad=0.2)
    return Chart(figure, alt or _estimates_sentence(frame, quantity, label, hue, digits, level))


def _estimate_frame(data: pd.DataFrame | Mapping[str, Any], label: str, hue: str | None) -> pd.DataFrame:
    if not isinstance(data, pd.DataFrame):
        data = pd.DataFrame(
            [{label: name, "value": e.value, "low": e.low, "high": e.high} for name, e in data.items()],
            columns=[label, "value", "low", "high"],
        )
    need(data, [label, "value", "low", "high", *([hue] if hue else [])])
    outside = data[(data["value"] < data["low"]) | (data["value"] > data["high"])]
    if len(outside):
        row = outside.iloc[0]
        raise ValueError(
            f"the estimate {row['value']} of {row[label]!r} lies outside its interval {row['low']} to {row['high']}"
        )
    return data


def _dots(axes: Any, rows: pd.DataFrame, heights: pd.Series, number: int, name: str, digits: int) -> None:
    colour = PALETTE[number % len(PALETTE)]
    axes.hlines(heights, rows["low"], rows["high"], color=colour, linewidth=2.2, alpha=0.55, zorder=2)
    marker = MARKERS[number % len(MARKERS)]
    axes.plot(rows["value"], heights, marker, color=colour, markersize=6.5, label=name, zorder=3)
    for (_, row), height in zip(rows.iterrows(), heights, strict=True):
        place = {"xycoords": ("axes fraction", "data"), "va": "center", "fontsize": 9}
        axes.annotate(_figure(row, digits, " "), (1.02, height), color=colour if name else INK, **place)


def _figure(row: Any, digits: int, gap: str) -> str:
    """A figure with its interval in brackets, or the word for one that nothing tells."""
    if pd.isna(row["value"]):
        return "undefined"
    return f"{row['value']:.{digits}f} {gap}({row['low']:.{digits}f} to {row['high']:.{digits}f})"


def _estimates_sentence(
    frame: pd.DataFrame, quantity: str, label: str, hue: str | None, digits: int, level: float
) -> str:
    parts = [
        f"{_figure(row, digits, '')} for {row[label]}" + (f", {row[hue]}" if hue else "") for _, row in frame.iterrows()
    ]
    return f"{_bare(quantity)} is {'; '.join(parts)}. Brackets give the {level * 100:g} % interval."


def _bare(quantity: str) -> str:
    return quantity.split(" (")[0].strip()


def _unit(quantity: str) -> str:
    """Return ' minutes' for 'Training time (minutes)', and nothing for an explanation of several words."""
    inside = quantity.partition("(")[2].partition(")")[0].strip()
    return f" {inside}" if inside and " " not in inside else ""


def band(
    frame: pd.DataFrame,
    x: str,
    y: str,
    *,
    low: str = "low",
    high: str = "high",
    hue: str | None = None,
    xlabel: str = "",
    ylabel: str = "",
    title: str = "",
    level: float = 0.95,
    shares: bool = False,
    diagonal: bool = False,
    alt: str | None = None,
) -> Chart:
    """Draw curves with a band of confidence around each, named on the curve itself.

    >>> band(score.curve(), "recall", "precision", hue="class", xlabel="Recall (share of gaps found)",
    ...      ylabel="Precision (share of alarms that are right)")  # doctest: +SKIP

    Parameters
    ----------
    frame : DataFrame
        Tidy: a row per point with the columns `x`, `y`, `low`, `high` and, where there are several curves, `hue`.
    xlabel, ylabel : str
        Axis labels with units; the columns' names where left out.
    level : float
        Confidence of the band, said in the alt sentence.
    shares : bool
        Both axes are shares and run from 0 to 1, so that pages can be compared.
    diagonal : bool
        Draw a thin line where both axes say the same: what is said, and what is true.
    """
    need(frame, [x, y, low, high, *([hue] if hue else [])])
    figure = _curves(frame, x, y, (low, high), hue, xlabel or x, ylabel or y, title)
    if shares:
        figure.axes[0].set(xlim=(0, 1), ylim=(0, 1))
    if diagonal:
        figure.axes[0].axline((0, 0), slope=1, color=QUIET, linewidth=1, linestyle=(0, (1, 2)), zorder=1)
    said = _curves_sentence(frame, x, y, (low, high), hue, xlabel or x, ylabel or y)
    return Chart(figure, alt or f"{said} Brackets give the {level * 100:g} % band.")


def line(
    frame: pd.DataFrame,
    x: str,
    y: str,
    *,
    hue: str | None = None,
    xlabel: str = "",
    ylabel: str = "",
    title: str = "",
    alt: str | None = None,
) -> Chart:
    """Draw curves of what was measured once, as a loss over minutes of training; estimates belong in `band`.

    >>> line(history, "minutes", "loss",  # doctest: +SKIP
    ...      xlabel="Training time (minutes)", ylabel="Loss (lower is better)").alt
    'Loss is 3.1 at training time 0 minutes, 1.4 at training time 2 minutes and 1.1 at training time 4 minutes.'
    """
    need(frame, [x, y, *([hue] if hue else [])])
    figure = _curves(frame, x, y, None, hue, xlabel or x, ylabel or y, title)
    return Chart(figure, alt or _curves_sentence(frame, x, y, None, hue, xlabel or x, ylabel or y))


def _curves(
    frame: pd.DataFrame,
    x: str,
    y: str,
    edges: tuple[str, str] | None,
    hue: str | None,
    xlabel: str,
    ylabel: str,
    title: str,
) -> Any:
    curves = _by_hue(frame, x, hue)
    with style():
        figure, axes = canvas(height=3.8)
        for number, (_, rows) in enumerate(curves):
            colour = PALETTE[number % len(PALETTE)]
            axes.plot(rows[x], rows[y], color=colour, linestyle=LINES[number % len(LINES)], linewidth=2)
            if edges:
                axes.fill_between(rows[x], rows[edges[0]], rows[edges[1]], color=colour, alpha=0.16, linewidth=0)
        axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
        axes.set_ylim(bottom=min(0, float(frame[y].min())))
        if len(curves) > 1:
            _name_curves(axes, curves, x, y)
    return figure


def _by_hue(frame: pd.DataFrame, x: str, hue: str | None) -> list[tuple[str, pd.DataFrame]]:
    ordered = frame.sort_values(x, kind="stable")
    if hue is None:
        return [("", ordered)]
    return [(str(name), ordered[ordered[hue] == name]) for name in dict.fromkeys(frame[hue])]


def _name_curves(axes: Any, curves: list[tuple[str, pd.DataFrame]], x: str, y: str) -> None:
    """Write each curve's name where the curves are farthest apart; haloed, so that bands don't hide it."""
    from matplotlib.patheffects import withStroke

    start = max(rows[x].min() for _, rows in curves)
    end = min(rows[x].max() for _, rows in curves)
    places = np.linspace(start + 0.1 * (end - start), start + 0.85 * (end - start), 60)
    heights = np.array([np.interp(places, rows[x], rows[y]) for _, rows in curves])
    gaps = np.diff(np.sort(heights, axis=0), axis=0).min(axis=0)
    best = int(np.argmax(gaps))
    lowest = int(np.argmin(heights[:, best]))
    room = _ROOM * float(np.ptp(axes.get_ylim()))
    for number, (name, rows) in enumerate(curves):
        apart = heights[:, best] - heights[number, best]
        crowded = bool(((apart > 0) & (apart < room)).any() and not ((apart < 0) & (apart > -1.5 * room)).any())
        below = number == lowest or crowded  # two names above two near curves would lie on each other
        falls = float(rows[y].iloc[-1]) < float(rows[y].iloc[0])
        axes.annotate(
            name,
            (places[best], heights[number, best]),
            xytext=(0, -5 if below else 5),
            textcoords="offset points",
            # on the side that the curve bends away from, unless the name would leave the picture
            ha="right" if below == falls and best > 18 else "left",
            va="top" if below else "bottom",
            color=PALETTE[number % len(PALETTE)],
            fontweight="bold",
            fontsize=9.5,
            path_effects=[withStroke(linewidth=3, foreground="white")],
        )


def _curves_sentence(
    frame: pd.DataFrame, x: str, y: str, edges: tuple[str, str] | None, hue: str | None, xlabel: str, ylabel: str
) -> str:
    sentences = []
    for name, rows in _by_hue(frame, x, hue):
        ends = [rows.iloc[place] for place in sorted({0, len(rows) // 2, len(rows) - 1})]
        parts = []
        for row in ends:
            between = f" ({row[edges[0]]:.3g} to {row[edges[1]]:.3g})" if edges else ""
            parts.append(f"{row[y]:.3g}{between} at {_bare(xlabel).lower()} {row[x]:.3g}{_unit(xlabel)}")
        said = ", ".join(parts[:-1]) + f" and {parts[-1]}" if len(parts) > 1 else parts[0]
        sentences.append(f"{_bare(ylabel)}{' of ' + name if name else ''} is {said}.")
    return " ".join(sentences)


def histogram(
    frame: pd.DataFrame,
    x: str,
    *,
    hue: str | None = None,
    xlabel: str = "",
    counted: str = "photographs",
    title: str = "",
    alt: str | None = None,
) -> Chart:
    """Draw how often each value of `x` occurs; whole numbers get a bar each.

    >>> histogram(counts, "boxes", hue="class", xlabel="Boxes in a photograph").alt  # doctest: +SKIP
    'Boxes in a photograph for empty: middle value 3, from 0 to 17, over 200 photographs.'

    Parameters
    ----------
    frame : DataFrame
        A row per thing counted (a photograph, or a photograph and class).
    counted : str
        What a row is, in the plural: the vertical axis' label.
    """
    import seaborn

    need(frame, [x, *([hue] if hue else [])])
    whole = bool((frame[x] % 1 == 0).all()) and frame[x].max() - frame[x].min() <= 60
    with style():
        figure, axes = canvas(height=3.2)
        kinds = len(set(frame[hue])) if hue else 0
        seaborn.histplot(
            frame, x=x, hue=hue, discrete=whole or None, multiple="dodge", shrink=0.85, ax=axes, alpha=0.9,
            color=PALETTE[0], palette=list(PALETTE[:kinds]) if hue else None, linewidth=0,
        )  # fmt: skip
        axes.set(xlabel=xlabel or x, ylabel=f"Number of {counted}", title=title)
        if hue:
            axes.get_legend().set_title("")
        axes.grid(axis="x", visible=False)
    parts = [
        f"{_bare(xlabel or x)}{f' for {name}' if name else ''}: middle value {rows[x].median():g}, "
        f"from {rows[x].min():g} to {rows[x].max():g}, over {len(rows):,} {counted}."
        for name, rows in _by_hue(frame, x, hue)
    ]
    return Chart(figure, alt or " ".join(parts))


def bars(
    frame: pd.DataFrame, label: str, value: str, quantity: str, *, title: str = "", alt: str | None = None
) -> Chart:
    """Draw counts as bars from zero, each with its figure; what is estimated belongs in `estimates`.

    >>> bars(counts, "class", "boxes", "Boxes drawn by people (count)").alt  # doctest: +SKIP
    'Boxes drawn by people: 2,410 empty; 805 disorganized.'
    """
    need(frame, [label, value])
    with style():
        figure, axes = canvas(height=0.9 + 0.36 * len(frame))
        drawn = axes.barh(frame[label].astype(str), frame[value], color=PALETTE[0], height=0.62)
        axes.bar_label(drawn, labels=[f"{count:,g}" for count in frame[value]], padding=4, fontsize=9)
        axes.set(xlabel=quantity, ylabel=label.replace("_", " "), title=title)
        axes.margins(x=0.09)
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
    parts = [f"{count:,g} {name}" for name, count in zip(frame[label], frame[value], strict=True)]
    return Chart(figure, alt or f"{_bare(quantity)}: {'; '.join(parts)}.")
