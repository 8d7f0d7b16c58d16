"""Small multiples of estimates: methods as rows, cases as panels, a reference as a line with its band in each.

dot_panels(figures, "Units given to the right shopper (share)", label="arm", panel="stratum", reference="oracle")
"""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from retailkit.lab.style import INK, MARKERS, PALETTE, QUIET, Chart, need, panel_grid, style

_ROW = 0.26  # inches


def dot_panels(
    data: pd.DataFrame,
    quantity: str,
    *,
    label: str = "label",
    panel: str = "panel",
    reference: str = "",
    strong: Sequence[str] = (),
    level: float = 0.95,
    alt: str | None = None,
) -> Chart:
    """Draw estimates with their intervals, a row for each method and a panel for each case.

    >>> rows = pd.DataFrame({"arm": ["ours", "oracle"], "stratum": "pairs", "value": [0.7, 0.9], "low": [0.6, 0.8],
    ...                      "high": [0.8, 1.0]})
    >>> dot_panels(rows, "Right (share)", label="arm", panel="stratum", reference="oracle").alt
    'Right in pairs: ours 0.70 (0.60 to 0.80); oracle, a line, 0.90 (0.80 to 1.00). Brackets give the 95 % interval.'

    Parameters
    ----------
    data : DataFrame with value, low, high and the columns `label` and `panel`
        Rows in the order in which they are to be drawn, from the top.
    quantity : str
        What is estimated, unit in brackets.
    label, panel : str
        Columns.
    reference : str
        The label that is drawn as a line with a band, not as a row; none by default.
    strong : list of str
        Labels that are drawn in the first colour; all others are quiet.
    level : float
        Confidence of the intervals.
    alt : str, optional
        Alternative text in place of the one made from the data.

    Raises
    ------
    ValueError
        A column is missing, or there are no rows.
    """
    need(data, [label, panel, "value", "low", "high"])
    names = [name for name in dict.fromkeys(data[label]) if name != reference]
    cases = [(str(name), part.set_index(label)) for name, part in data.groupby(panel, sort=False)]
    with style():
        figure, grid, across = panel_grid(len(cases), tall=0.4 + _ROW * len(names), more=0.7)
        for place, (axes, case) in enumerate(zip(grid, cases, strict=True)):
            _draw(axes, *case, names, reference, strong)
            axes.xaxis.set_tick_params(labelbottom=place >= len(cases) - across)
        _limits(grid[0], data)
        for axes in grid[-across:]:
            axes.set_xlabel(textwrap.fill(quantity, 60 // across))
    return Chart(figure, alt or _sentence(cases, quantity, reference, level))


def _draw(axes: Any, case: str, rows: pd.DataFrame, names: list[str], reference: str, strong: Sequence[str]) -> None:
    if reference in rows.index:
        line = rows.loc[reference]
        axes.axvspan(line["low"], line["high"], color=PALETTE[2], alpha=0.13, linewidth=0, zorder=0)
        axes.axvline(line["value"], color=PALETTE[2], linewidth=1.6, linestyle=(0, (5, 1.6)), zorder=1)
    for height, name in enumerate(names):
        if name in rows.index:
            colour, marker = (PALETTE[0], MARKERS[0]) if name in strong else (QUIET, MARKERS[1])
            row = rows.loc[name]
            axes.hlines(height, row["low"], row["high"], color=colour, linewidth=2.2, alpha=0.5, zorder=2)
            axes.plot(row["value"], height, marker, color=colour, markersize=5.5, zorder=3)
    axes.set_yticks(range(len(names)), names, color=INK)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.set_title(case)


def _limits(axes: Any, data: pd.DataFrame) -> None:
    ends = data[["low", "high", "value"]].to_numpy(float)
    low, high = np.nanmin(ends), np.nanmax(ends)
    axes.set_xlim(low - 0.04 * (high - low), high + 0.04 * (high - low))


def _sentence(cases: list[tuple[str, pd.DataFrame]], quantity: str, reference: str, level: float) -> str:
    told = []
    for case, rows in cases:
        parts = [
            f"{name}{', a line,' * (name == reference)} {row['value']:.2f} ({row['low']:.2f} to {row['high']:.2f})"
            for name, row in rows.iterrows()
        ]
        told.append(f"{quantity.split(' (')[0].strip()} in {case}: {'; '.join(parts)}.")
    return f"{' '.join(told)} Brackets give the {level * 100:g} % interval."
