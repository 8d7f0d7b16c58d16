"""Shop windows drawn by hand on a picture of the scene, and their place on the floor.

They stand in ``datasets/shop_windows.csv``: scene, window, part, column, row, raised (all pixels, from the top left
corner). Panes are outlines of the glass; ``foot`` is where the wall beneath it meets the pavement, two points. The foot
alone is used to measure, since a homography knows nothing but the floor. ``raised`` says by how many pixels people are
marked above their feet: beside ``reference.png``, marks of zara01 stand on feet and those of zara02 on heads.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from retailkit.datasets import DataError, card
from retailkit.datasets.recordings import Recording
from retailkit.datasets.splines import to_floor
from retailkit.lab import project
from retailkit.lab.style import PALETTE, Chart, canvas, style

FILE = "shop_windows.csv"
COLUMNS = ["scene", "window", "part", "column", "row", "raised"]
Line = tuple[tuple[float, float], tuple[float, float]]


def read_windows(path: Path | None = None) -> pd.DataFrame:
    """Read the windows that people have drawn: the project's own file first, then the one that retailkit brings.

    Returns
    -------
    DataFrame
        scene, window, part, column, row, raised.

    Raises
    ------
    DataError
        No such file, or a column is missing.
    """
    places = [project.root() / "datasets" / FILE, Path(__file__).resolve().parents[3] / "datasets" / FILE]
    path = path or next((place for place in places if place.is_file()), places[0])
    try:
        windows = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is no table of windows: {error}") from error
    if missing := [name for name in COLUMNS if name not in windows]:
        raise DataError(f"{path} has no column {', '.join(missing)}; it needs {', '.join(COLUMNS)}")
    return windows


def find_window(recording: Recording, window: str = "shop", windows: pd.DataFrame | None = None) -> Line:
    """Give the foot of a window on the floor plan: two points (x, y), metres.

    Raises
    ------
    DataError
        Nobody has drawn this window for the scene, or the scene has no homography.
    """
    windows = read_windows() if windows is None else windows
    foot = _parts(recording, window, windows, ["column", "row", "raised"]).get("foot")
    if foot is None or len(foot) != 2:
        raise DataError(f"window '{window}' of {recording.name} has no foot of two points in {FILE}")
    if recording.homography is None:
        raise DataError(f"{recording.name} has no homography: its picture cannot be brought to the floor")
    width, height = recording.size
    column, row = foot[:, 0], foot[:, 1] - foot[:, 2]  # where somebody who stands there is marked
    first, second = to_floor(recording.homography, recording.size, column - width / 2, height / 2 - row)
    return (float(first[0]), float(first[1])), (float(second[0]), float(second[1]))


def _parts(
    recording: Recording, window: str, windows: pd.DataFrame, columns: Sequence[str] = ("column", "row")
) -> dict[str, np.ndarray]:
    mine = windows[(windows["scene"] == recording.name) & (windows["window"] == window)]
    if mine.empty:
        drawn = ", ".join(sorted({f"{one.window} in {one.scene}" for one in windows.itertuples()}))
        raise DataError(f"nobody has drawn a window '{window}' for {recording.name}; there are: {drawn}")
    return {str(part): rows[list(columns)].to_numpy(float) for part, rows in mine.groupby("part", sort=False)}


def draw_window(
    recording: Recording,
    marks: pd.DataFrame | None = None,
    window: str = "shop",
    windows: pd.DataFrame | None = None,
    pictures: bool | None = None,
) -> Chart:
    """Show the window as it was drawn, on the picture of the scene where that may be shown.

    Parameters
    ----------
    recording : Recording
    marks : DataFrame with x, y (pixels from the middle), gaze (degrees) and, where known, looks (bool)
        Directions of heads to draw as arrows, such as some rows of ``recording.gaze``.
    pictures : bool, optional
        Show the photograph; by default where the card of ``tracks_ucy`` says that it may be shared.
    """
    parts = _parts(recording, window, read_windows() if windows is None else windows)
    allowed = card("tracks_ucy").shareable if pictures is None else pictures
    picture = recording.picture if allowed else None
    with style():
        figure, axes = canvas(height=5.9)
        if picture:
            import matplotlib.image

            axes.imshow(matplotlib.image.imread(picture))
        for part, points in parts.items():
            closed = points if part == "foot" else np.vstack([points, points[:1]])
            axes.plot(*closed.T, color=PALETTE[1 if part == "foot" else 4], linewidth=4 if part == "foot" else 2)
            axes.annotate(part, points[0], color=PALETTE[1], fontweight="bold", xytext=(2, -11),
                          textcoords="offset points")  # fmt: skip
        if marks is not None:
            _arrows(axes, marks, recording.size)
        axes.set(xlim=(0, recording.size[0]), ylim=(recording.size[1], 0), aspect="equal")
        axes.set_axis_off()
        credit = "; picture: Lerner, Chrysanthou & Lischinski (2007)" if picture else ""
        axes.set_title(f"{recording.name}: the shop window, drawn by hand{credit}", fontsize=9.5)
    return Chart(figure, _sentence(recording, parts, marks, bool(picture)), photographs=bool(picture))


def _arrows(axes: object, marks: pd.DataFrame, size: tuple[int, int]) -> None:
    angle = np.deg2rad(marks["gaze"].to_numpy(float))
    looks = marks["looks"].to_numpy(bool) if "looks" in marks else np.zeros(len(marks), dtype=bool)
    column, row = size[0] / 2 + marks["x"].to_numpy(float), size[1] / 2 - marks["y"].to_numpy(float)
    for these, colour in ((~looks, PALETTE[0]), (looks, PALETTE[1])):
        axes.quiver(  # type: ignore[attr-defined]
            column[these], row[these], -np.sin(angle[these]), -np.cos(angle[these]), angles="xy", color=colour,
            scale=34, width=0.0025, alpha=0.8,
        )  # fmt: skip


def _sentence(recording: Recording, parts: dict[str, np.ndarray], marks: pd.DataFrame | None, shown: bool) -> str:
    low, high = parts["foot"][:, 0].min(), parts["foot"][:, 0].max()
    told = f"The shop window of {recording.name}, {len(parts) - 1} panes outlined, its foot a line from column "
    told += f"{low:.0f} to {high:.0f} of {recording.size[0]}" + (", on a photograph of the street" if shown else "")
    if marks is None:
        return told + "."
    looks = int(marks["looks"].sum()) if "looks" in marks else 0
    return told + f"; {len(marks)} arrows show where heads pointed, {looks} of them towards the window."
