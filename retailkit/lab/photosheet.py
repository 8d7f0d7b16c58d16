"""Photographs side by side, with the labelled boxes and those that a detector found."""

from typing import Any

import pandas as pd

from retailkit.lab.style import INK, WIDTH, Chart, canvas, style

TRUTH: dict[str, Any] = {"color": "#56B4E9", "linestyle": "-"}  # sky blue, solid: the labels
FOUND: dict[str, Any] = {"color": "#E69F00", "linestyle": (0, (3.2, 1.6))}  # orange, dashed: what the detector found
LONG_SIDE = 420  # pixels kept of a photograph: more than the page shows, and a sheet stays under a megabyte
CORNERS = ["x1", "y1", "x2", "y2"]


def photo_sheet(
    photos: Any,
    truth: pd.DataFrame | None = None,
    found: pd.DataFrame | None = None,
    *,
    columns: int = 3,
    limit: int = 12,
    confidence: float = 0.0,
    shareable: bool | None = None,
    pictures: bool | None = None,
    title: str = "",
    alt: str | None = None,
) -> Chart:
    """Draw photographs in a grid, labelled boxes solid in blue, the detector's dashed in orange.

    >>> photo_sheet(shelves.sample(6))                             # doctest: +SKIP
    >>> photo_sheet(score.photos().head(6), test.boxes, found)     # doctest: +SKIP

    Parameters
    ----------
    photos : DataFrame or image set
        A row per photograph, drawn in this order: `photo` (its name), `path`, and where known `width` and `height`
        (pixels), `missed` and `false` (boxes, for the caption) or a ready `caption`.
        An image set brings its own photographs, boxes and leave to share them.
    truth, found : DataFrame, optional
        Boxes in pixels: `photo`, `class_name`, `x1`, `y1`, `x2`, `y2`; `found` also `confidence`.
    columns, limit : int
        Photographs in a row, and in all; the rest is counted in the alt sentence.
    confidence : float
        Boxes found with less confidence aren't drawn.
    shareable : bool, optional
        May the photographs leave the house? Default: what the image set's card says, else no.
    pictures : bool, optional
        True draws the photographs in any case, stamped 'internal' where they may not leave the house;
        False draws boxes alone. Default: photographs where they are shareable.

    Raises
    ------
    ValueError
        No photographs, or a column is missing.
    """
    photos, truth, shareable = _unpack(photos, truth, shareable)
    shown = photos.head(limit)
    show = shareable if pictures is None else pictures
    internal = show and not shareable
    names = _class_names(truth, found)
    rows = -(-len(shown) // columns)
    with style():
        tall = 0.45 + 0.28 * bool(title or internal) + rows * (_tallness(shown) * WIDTH / columns + 0.22)
        figure, grid = canvas(tall, nrows=rows, ncols=columns, squeeze=False)
        for axes in grid.flat:
            axes.axis("off")
        captions = []
        for axes, photo in zip(grid.flat, shown.to_dict("records"), strict=False):
            boxes = [_boxes_of(truth, photo["photo"], 0), _boxes_of(found, photo["photo"], confidence)]
            captions.append(_caption(photo, *boxes))
            _draw_photo(axes, photo, show)
            for drawn, look in zip(boxes, (TRUTH, FOUND), strict=True):
                _draw_boxes(axes, drawn, look, names)
            axes.set_title(captions[-1], fontsize=8.5, fontweight="normal", color=INK, loc="left", pad=4)
        _legend(figure, truth is not None, found is not None, names)
        if title or internal:
            figure.suptitle(title or " ", x=0.01, ha="left", fontsize=11, fontweight="bold")
        if internal:
            _stamp(figure)
    said = alt or _sentence(photos, shown, captions, truth, found, confidence, show)
    if internal:
        said += " Internal: these photographs may not be passed on."
    return Chart(figure, said, photographs=show)


def _unpack(photos: Any, truth: Any, shareable: bool | None) -> tuple[pd.DataFrame, pd.DataFrame | None, bool]:
    if not isinstance(photos, pd.DataFrame):
        images, photos = photos, photos.photos
        truth = images.boxes if truth is None else truth
        if shareable is None:
            shareable = bool(getattr(images.card, "shareable", False))
    missing = [column for column in ("photo", "path") if column not in photos.columns]
    if missing:
        raise ValueError(
            f"the frame of photographs has no column {missing[0]!r}: it has {', '.join(map(str, photos.columns))}"
        )
    if not len(photos):
        raise ValueError("no photographs to draw: the frame has no rows")
    return photos, truth, bool(shareable)


def _class_names(*boxes: pd.DataFrame | None) -> dict[str, str]:
    """Name each class by a letter where letters differ, else by a number: the tags on the boxes."""
    names = sorted({str(name) for frame in boxes if frame is not None for name in frame["class_name"]})
    if len(names) < 2:
        return {}
    letters = [name[:1] for name in names]
    tags = letters if len(set(letters)) == len(names) else [str(number + 1) for number in range(len(names))]
    return dict(zip(names, tags, strict=True))


def _tallness(photos: pd.DataFrame) -> float:
    if {"width", "height"} <= set(photos.columns):
        return float((photos["height"] / photos["width"]).median())
    width, height = _size(photos.iloc[0].to_dict())
    return height / width


def _size(photo: dict) -> tuple[float, float]:
    from PIL import Image, ImageOps

    if "width" in photo and "height" in photo:
        return float(photo["width"]), float(photo["height"])
    with Image.open(photo["path"]) as picture:
        return ImageOps.exif_transpose(picture).size


def _boxes_of(boxes: pd.DataFrame | None, photo: str, confidence: float) -> pd.DataFrame:
    if boxes is None:
        return pd.DataFrame(columns=["photo", "class_name", *CORNERS])
    mine = boxes[boxes["photo"] == photo]
    return mine[mine["confidence"] >= confidence] if "confidence" in mine.columns else mine


def _caption(photo: dict, truth: pd.DataFrame, found: pd.DataFrame) -> str:
    if isinstance(photo.get("caption"), str):
        return photo["caption"]
    name = str(photo["photo"])
    name = name if len(name) <= 22 else f"{name[:10]}…{name[-10:]}"
    if "missed" in photo and "false" in photo:
        return f"{name}: {photo['missed']:.0f} missed, {photo['false']:.0f} false"
    counts = [f"{len(truth)} labelled"] + ([f"{len(found)} found"] if len(found) else [])
    return f"{name}: {', '.join(counts)}"


def _draw_photo(axes: Any, photo: dict, show: bool) -> None:
    from matplotlib.patches import Rectangle
    from PIL import Image, ImageOps

    width, height = _size(photo)
    axes.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
    if not show:
        axes.add_patch(Rectangle((0, 0), width, height, facecolor="#3b4650", linewidth=0))
        return
    with Image.open(photo["path"]) as stored:
        picture = ImageOps.exif_transpose(stored).convert("RGB")  # as displayed, as its boxes are
        picture.thumbnail((LONG_SIDE, LONG_SIDE))
        axes.imshow(picture, extent=(0, width, height, 0), interpolation="antialiased")


def _draw_boxes(axes: Any, boxes: pd.DataFrame, look: dict, names: dict[str, str]) -> None:
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2.8, foreground="black", alpha=0.55)]  # seen on bright packets and dark gaps alike
    for name, x1, y1, x2, y2 in boxes[["class_name", *CORNERS]].itertuples(index=False):
        axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, linewidth=1.5, path_effects=halo, **look))
        if names:
            dashed = look is FOUND  # the two tags of one place stand in opposite corners
            axes.annotate(
                names[str(name)], (x2, y2) if dashed else (x1, y1), fontsize=6.5, color="black", clip_on=True,
                xytext=(-1, 1) if dashed else (1, -1), textcoords="offset points",
                ha="right" if dashed else "left", va="bottom" if dashed else "top",
                bbox={"boxstyle": "square,pad=0.12", "facecolor": look["color"], "linewidth": 0},
            )  # fmt: skip


def _legend(figure: Any, truth: bool, found: bool, names: dict[str, str]) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], linewidth=2, label="labelled", **TRUTH)] * truth
    handles += [Line2D([], [], linewidth=2, label="found by the detector", **FOUND)] * found
    if names:
        handles.append(Line2D([], [], linestyle="", label=", ".join(f"{tag} = {name}" for name, tag in names.items())))
    if handles:
        figure.legend(handles=handles, loc="outside lower left", ncols=4, handlelength=2.4, columnspacing=1.6)


def _stamp(figure: Any) -> None:
    figure.text(0.99, 0.988, "internal – photographs not to be passed on", ha="right", va="top", fontsize=8.5,
                color="white", bbox={"boxstyle": "round,pad=0.35", "facecolor": "#b42318", "linewidth": 0})  # fmt: skip


def _sentence(
    photos: pd.DataFrame,
    shown: pd.DataFrame,
    captions: list[str],
    truth: pd.DataFrame | None,
    found: pd.DataFrame | None,
    confidence: float,
    show: bool,
) -> str:
    kinds = "photographs" if show else "photographs, drawn as boxes alone"
    of = f" of {len(photos)}" if len(photos) > len(shown) else ""
    counts = []
    for boxes, words in ((truth, "labelled boxes (solid)"), (found, "found by the detector (dashed)")):
        if boxes is not None:
            number = sum(len(_boxes_of(boxes, name, confidence)) for name in shown["photo"])
            counts.append(f"{number} {words}")
    tally = f" with {' and '.join(counts)}" if counts else ""
    return f"{len(shown)}{of} {kinds}{tally}. {'; '.join(captions)}."
