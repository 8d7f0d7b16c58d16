"""Label files of photographs: one line per box, checked one by one, nothing dropped in silence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Figures as YOLO tools write them. Python's float() would also take '1_0' and digits of other scripts.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
ROUNDING = 1e-3  # of the photograph's side: six printed decimals and tools that round to whole pixels stay within


class LabelProblem(ValueError):
    """What is wrong with a line of a label file, and the value that shows it."""

    def __init__(self, problem: str, value: str) -> None:
        super().__init__(f"{problem}: {value!r}")
        self.problem, self.value = problem, value


@dataclass(frozen=True)
class Box:
    """One box: class number, and its corners as shares (0 to 1) of the photograph's width and height."""

    class_id: int
    x1: float
    y1: float
    x2: float
    y2: float
    rounded: bool = False  # it stood out of the photograph by a rounding error and was cut to it


def parse_line(text: str, names: Sequence[str], width: int, height: int) -> Box:
    """Read one label line: class, centre x, centre y, width, height, all as shares of the photograph.

    >>> parse_line("1 0.5 0.5 0.2 0.4", ["empty", "disorganized"], 320, 320)
    Box(class_id=1, x1=0.4, y1=0.3, x2=0.6, y2=0.7, rounded=False)

    A box may stand out by 0.001 of the side or one pixel, whichever is more; it is cut to the photograph
    and marked ``rounded``. Everything else outside is a problem.

    Parameters
    ----------
    text : str
        The line.
    names : sequence of str
        Class names; the class number counts into them.
    width, height : int
        The photograph's size in pixels, as displayed.

    Raises
    ------
    LabelProblem
        With ``problem`` in words and the ``value`` that shows it.
    """
    parts = text.split()
    if len(parts) != 5:
        hint = "; an outline? boxes are needed" if len(parts) > 6 else ""
        raise LabelProblem(f"{len(parts)} columns instead of 5{hint}", text.strip()[:80])
    numbers = [_number(part) for part in parts]
    class_id = _class_number(parts[0], numbers[0], names)
    centre_x, centre_y, box_width, box_height = numbers[1:]
    if box_width <= 0 or box_height <= 0:
        raise LabelProblem("box without area", text.strip())
    x1, x2, cut_x = _within(centre_x, box_width, max(ROUNDING, 1 / width), text)
    y1, y2, cut_y = _within(centre_y, box_height, max(ROUNDING, 1 / height), text)
    return Box(class_id, x1, y1, x2, y2, cut_x or cut_y)


def _number(part: str) -> float:
    if re.fullmatch(r"[+-]?(nan|inf|infinity)", part, re.IGNORECASE):
        raise LabelProblem("not a finite number", part)
    if not _NUMBER.fullmatch(part):
        raise LabelProblem("not a number", part[:80])
    value = float(part)
    if value in (float("inf"), float("-inf")):  # '1e999'
        raise LabelProblem("not a finite number", part[:80])
    return value


def _class_number(part: str, value: float, names: Sequence[str]) -> int:
    if value != int(value):
        raise LabelProblem("class is no whole number", part)
    if not 0 <= value < len(names):
        known = ", ".join(f"{number} {name}" for number, name in enumerate(names))
        raise LabelProblem(f"class out of range (there are {known})", part)
    return int(value)


def _within(centre: float, length: float, tolerance: float, text: str) -> tuple[float, float, bool]:
    """The two ends of a box along one axis, cut to 0..1 where they stand out by no more than `tolerance`."""
    low, high = round(centre - length / 2, 12), round(centre + length / 2, 12)  # 0.3, not 0.29999999999999993
    if low < -tolerance or high > 1 + tolerance:
        raise LabelProblem("box outside the photo", text.strip()[:80])
    low_cut, high_cut = max(low, 0.0), min(high, 1.0)
    if high_cut <= low_cut:
        raise LabelProblem("box without area", text.strip()[:80])
    # Six printed decimals of centre and length put a full-width box at 1.0000005; that is no finding.
    return low_cut, high_cut, low < -2e-6 or high > 1 + 2e-6


@dataclass
class LabelFile:
    """What a label file holds: boxes with their line numbers, and problems (line, problem, value, drops photo)."""

    boxes: list[tuple[int, Box]]
    problems: list[tuple[int, str, str, bool]]


def read_labels(path: Path, names: Sequence[str], width: int, height: int) -> LabelFile:
    """Read a label file; a line said twice is listed and counted once, any other problem condemns the photo."""
    result = LabelFile([], [])
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        result.problems.append((0, "label file is not text", error.reason, True))
        return result
    except OSError as error:
        result.problems.append((0, "label file cannot be read", error.strerror or str(error), True))
        return result
    seen: set[Box] = set()
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        try:
            box = parse_line(text, names, width, height)
        except LabelProblem as problem:
            result.problems.append((number, problem.problem, problem.value, True))
            continue
        if box in seen:
            result.problems.append((number, "same line twice", text.strip(), False))
            continue
        seen.add(box)
        result.boxes.append((number, box))
    return result
