"""The house style, and `Chart`: a figure that carries the sentence that says what it shows."""

import base64
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Okabe and Ito (2008), "Color universal design": eight colours told apart by people with any common colour blindness.
# The yellow is left out (too pale on white) and the order is ours: neighbours differ in lightness too.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
INK, QUIET, GRID = "#1f2933", "#5f6b76", "#e4e7eb"
LINES = ("-", (0, (5, 1.6)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)), (0, (3, 1)), (0, (8, 2)), (0, (2, 2)))
MARKERS = ("o", "s", "D", "^", "v", "P", "X")
DOTS_PER_INCH = 160
_NUMBER = re.compile(r"[-−+]?[\d.,]+(e[-+]?\d+)?\s*%?|\$.*\$")  # as matplotlib writes it, powers of ten included
_ACROSS = 3  # panels side by side
WIDTH = 7.2  # inches: 720 pixels on a page, at twice the screen's resolution for sharp text


@contextmanager
def style() -> Iterator[None]:
    """Draw what is inside in the house style: a quiet grid, colours for everybody, a white card behind.

    >>> with style():
    ...     figure, axes = canvas(height=3)

    The card stays white on a dark page, since photographs and light grids read badly when inverted.
    """
    import matplotlib
    import seaborn
    from cycler import cycler

    ours: Any = {
        "font.family": "DejaVu Sans",  # comes with matplotlib: the same picture on every machine
        "figure.facecolor": "white",
        "savefig.facecolor": "white",
        "axes.edgecolor": GRID,
        "grid.color": GRID,
        "grid.linewidth": 0.8,
        "text.color": INK,
        "axes.labelcolor": QUIET,
        "xtick.color": QUIET,
        "ytick.color": QUIET,
        "axes.titlelocation": "left",
        "axes.titleweight": "bold",
        "axes.titlesize": 11,
        "axes.labelsize": 9.5,
        "xtick.labelsize": 9,
        "ytick.labelsize": 9,
        "legend.fontsize": 9,
        "legend.frameon": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.prop_cycle": cycler(color=PALETTE),
    }
    with matplotlib.rc_context(), seaborn.axes_style("whitegrid", rc=ours):
        matplotlib.rcParams.update(ours)
        yield


def canvas(height: float, width: float = WIDTH, **options: Any) -> tuple[Any, Any]:
    """Return an empty figure and its axes, `width` by `height` inches.

    It stays unknown to pyplot, so that Jupyter doesn't draw it twice and a long sweep doesn't pile figures up.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.09, h_pad=0.09)  # type: ignore[union-attr, call-arg]  # inches
    return figure, figure.subplots(**options)


def need(frame: Any, columns: list[str]) -> None:
    """Raise a ValueError where a frame lacks a column, or has no rows."""
    if missing := [name for name in columns if name not in frame]:
        raise ValueError(f"the frame has no column {missing[0]!r}; it has {', '.join(map(str, frame))}")
    if not len(frame):
        raise ValueError("the frame has no rows: nothing to draw")


def panel_grid(number: int, tall: float, more: float) -> tuple[Any, list[Any], int]:
    """Return a figure with panels that share their axes: it, the panels, and how many of them are side by side.

    Parameters
    ----------
    number : int
        Of panels.
    tall, more : float, inches
        Height of each row of panels, and what the figure has besides.
    """
    across = min(_ACROSS, number)
    down = -(-number // across)
    figure, grid = canvas(more + down * tall, nrows=down, ncols=across, sharex=True, sharey=True, squeeze=False)
    for place, axes in enumerate(grid.flat):
        axes.set_visible(place < number)
    return figure, list(grid.flat[:number]), across


class Chart:
    """A figure with its alternative text: shown in a notebook, both travel together.

    >>> Chart(figure, "Loss falls from 2.1 to 0.8 in 4 minutes.")  # doctest: +SKIP
    Chart('Loss falls from 2.1 to 0.8 in 4 minutes.')

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Every axis with numbers on it must say what they are, units included.
    alt : str
        One or two sentences for those who can't see the picture: what it shows, with its figures.
    photographs : bool
        The picture is mostly photographs: stored with 256 colours, a third of the size.

    Raises
    ------
    ValueError
        The alternative text is empty, or an axis has numbers and no label.
    """

    def __init__(self, figure: Any, alt: str, photographs: bool = False) -> None:
        self.alt = " ".join(str(alt).split())
        if not self.alt:
            raise ValueError(f"alt={alt!r}: a chart needs alternative text, a sentence that says what it shows")
        for axes in figure.axes:
            _check_labels(axes)
        self.figure = figure
        self.photographs = photographs
        self._png = b""

    def png(self) -> bytes:
        """Return the picture as the bytes of a PNG file (drawn once)."""
        if not self._png:
            drawn = io.BytesIO()
            with style():
                self.figure.savefig(drawn, format="png", dpi=DOTS_PER_INCH, metadata={"Description": self.alt})
            self._png = _fewer_colours(drawn) if self.photographs else drawn.getvalue()
        return self._png

    def save(self, path: str | Path) -> Path:
        """Write the picture to `path` (a PNG file) and return it."""
        path = Path(path)
        path.write_bytes(self.png())
        return path

    def __repr__(self) -> str:
        return f"Chart({self.alt!r})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        picture = base64.b64encode(self.png()).decode("ascii")
        width = round(self.figure.get_size_inches()[0] * 100)
        return {"image/png": picture, "text/plain": self.alt}, {"image/png": {"alt": self.alt, "width": width}}


def _check_labels(axes: Any) -> None:
    if not (axes.axison and axes.get_visible()):
        return
    for name, axis in (("horizontal", axes.xaxis), ("vertical", axes.yaxis)):
        ticks = [tick.get_text() for tick in axis.get_ticklabels() if tick.get_text()]
        numbered = axis.get_visible() and any(_NUMBER.fullmatch(tick) for tick in ticks)
        if numbered and not axis.get_label_text().strip():
            chart = axes.get_title("left") or axes.get_title() or "the chart"
            raise ValueError(
                f"the {name} axis of {chart!r} has numbers and no label: "
                "say what it shows and in which unit, or switch the axis off"
            )


def _fewer_colours(drawn: io.BytesIO) -> bytes:
    from PIL import Image

    smaller = io.BytesIO()
    Image.open(drawn).convert("RGB").quantize(256).save(smaller, format="png", optimize=True)
    return smaller.getvalue()
