"""Grids: which parameters a sweep gives to each run.

    product:                    # every combination
      seed: [0, 1, 2]
      size: [160, 256]
    zip:                        # side by side
      data: [shelf_gaps, shelf_rows]
      minutes: [4, 6]
    rows:                       # exactly these
      - {photos: 100}
      - {photos: 200}
    csv: stores.csv             # a run for each row; columns are parameters, an empty cell leaves the default

Sections multiply: the grid above has 6 × 2 × 2 runs for each row of the file. A mapping without these words is a
product. In Python a grid may also be a list of dicts or a data frame.
"""

import csv
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retailkit.lab.parameters import ParameterError, ParameterTypeError
from retailkit.lab.source import Source

SECTIONS = ("product", "zip", "rows", "csv")
MANY = 10_000  # runs that nobody asks for by accident
Row = dict[str, Any]


Placed = tuple[Row, str]  # parameters, and where they were written


@dataclass(frozen=True)
class Part:
    """One section: how many rows it has, and how to write them out once that number is known to be meant."""

    size: int
    write: Callable[[], list[Placed]]


def expand(grid: Any, source: Source, *, many: bool = False, where: str = "") -> list[Row]:
    """Return the parameters of each run, checked against what the notebook declares.

    Parameters
    ----------
    grid : path, mapping, sequence of mappings or pandas.DataFrame
        See the head of this module; a path is a YAML file, or a CSV file with a run for each row.
    source : Source
        The notebook.
    many : bool
        Over `MANY` runs are meant.
    where : str
        Keep only the runs for which this expression over parameters holds: ``"seed < 2 and size == 256"``.

    Raises
    ------
    retailkit.lab.parameters.ParameterError
        An unknown name, a value of the wrong type, a run that is given twice, an empty grid, or too many runs.
    """
    parts = list(_parts(grid, Path.cwd()))
    number = math.prod(part.size for part in parts) if parts else 0
    if not number:
        raise ParameterError(f"The grid is empty: it wants at least one run, with {_example(source)}")
    if number > MANY and not many:
        raise ParameterError(f"The grid has {number:,} runs; say --yes (or yes=True) if you mean that")
    written = [part.write() for part in parts]
    for row, place in itertools.chain(*written):
        _check(row, place, source)
    runs = [_merged(chosen) for chosen in itertools.product(*written)]
    rows = [source.check(run) for run, _ in runs]
    kept = _chosen(rows, where, source) if where else range(len(rows))
    _refuse_twins([rows[i] for i in kept], [runs[i][1] for i in kept], source)
    return [rows[i] for i in kept]


def _example(source: Source) -> str:
    names = list(source.parameters)
    return f"values for {', '.join(names)}" if names else "parameters; but this notebook declares none"


def _parts(grid: Any, base: Path) -> Iterator[Part]:
    if isinstance(grid, str | Path):
        yield from _from_file(Path(grid))
    elif isinstance(grid, Mapping):
        yield from _from_mapping(grid, base)
    elif hasattr(grid, "to_dict") and hasattr(grid, "columns"):
        yield _rows([_without_gaps(row) for row in grid.to_dict("records")], "row")
    elif isinstance(grid, Sequence):
        yield _rows(list(grid), "row")
    elif grid is not None:
        raise ParameterError(f"The grid is a {type(grid).__name__}: a mapping, a list of mappings or a file is wanted")


def _from_file(path: Path) -> Iterator[Part]:
    import yaml

    if not path.is_file():
        raise ParameterError(f"There is no grid '{path}'")
    if path.suffix.lower() == ".csv":
        yield _from_csv(path)
        return
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParameterError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    if content is not None and not isinstance(content, Mapping | list):
        raise ParameterError(f"{path} holds {content!r}: a mapping of parameters to lists is wanted")
    yield from _parts(content, path.parent) if not isinstance(content, Mapping) else _from_mapping(content, path.parent)


def _from_mapping(grid: Mapping[str, Any], base: Path) -> Iterator[Part]:
    if not grid:
        return
    sections = dict(grid) if set(grid) <= set(SECTIONS) else {"product": grid}
    for name, content in sections.items():
        if name == "csv":
            yield _from_csv(base / str(content))
        elif name == "rows":
            yield _rows(_list(content, "rows"), "row")
        else:
            yield _combined(name, content)


def _combined(name: str, content: Any) -> Part:
    if not isinstance(content, Mapping):
        raise ParameterError(f"'{name}' of the grid is {content!r}: a mapping of parameters to lists is wanted")
    columns = {parameter: _list(values, parameter) for parameter, values in content.items()}
    if name == "zip":
        lengths = {parameter: len(values) for parameter, values in columns.items()}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{parameter} has {length}" for parameter, length in lengths.items())
            raise ParameterError(f"'zip' of the grid wants lists of one length, and {told}")
        return Part(
            min(lengths.values(), default=0), lambda: _named(columns, zip(*columns.values(), strict=True), name)
        )
    size = math.prod(map(len, columns.values())) if columns else 0
    return Part(size, lambda: _named(columns, itertools.product(*columns.values()), name))


def _named(columns: Mapping[str, Any], rows: Iterable[tuple[Any, ...]], section: str) -> list[Placed]:
    return [(dict(zip(columns, row, strict=True)), f"'{section}' of the grid") for row in rows]


def _list(values: Any, name: str) -> list[Any]:
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise ParameterError(f"'{name}' of the grid is {values!r}: a list is wanted, as [{values!r}]")
    return list(values)


def _rows(rows: list[Any], word: str) -> Part:
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, Mapping):
            raise ParameterError(f"{word} {number} of the grid is {row!r}: a mapping of parameters to values is wanted")
    placed = [(dict(row), f"{word} {number} of the grid") for number, row in enumerate(rows, start=1)]
    return Part(len(placed), lambda: placed)


def _from_csv(path: Path) -> Part:
    """A run for each row of a table; what its cells mean, the notebook's types say."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = list(csv.reader(file))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ParameterError(f"The grid's table '{path}' cannot be read: {reason}") from error
    head, *body = table or [[]]
    if len(set(head)) != len(head):
        raise ParameterError(f"{path} names a column twice: {', '.join(head)}")
    placed: list[Placed] = []
    for line, cells in enumerate(body, start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(head):
            raise ParameterError(f"{path}, line {line}, has {len(cells)} cells; the head has {len(head)}")
        row = {name: cell for name, cell in zip(head, cells, strict=True) if cell != ""}
        placed.append((row, f"{path}, line {line}"))
    return Part(len(placed), lambda: placed)


def _without_gaps(row: Mapping[Any, Any]) -> Row:
    """A missing value of a data frame leaves the default."""
    return {str(name): value for name, value in row.items() if not (isinstance(value, float) and math.isnan(value))}


def _check(row: Row, place: str, source: Source) -> None:
    """Check each section by itself, so that the error can say where the bad value stands."""
    try:
        source.check(row)
    except ParameterTypeError as error:
        raise ParameterTypeError(f"{place}: {error}") from error
    except ParameterError as error:
        raise ParameterError(f"{place}: {error}") from error


def _merged(chosen: Sequence[Placed]) -> Placed:
    run: Row = {}
    for row, where in chosen:
        if twice := set(row) & set(run):
            raise ParameterError(f"{where} sets '{min(twice)}', which another section of the grid sets too")
        run |= row
    return run, " and ".join(where for _, where in chosen)


def _chosen(rows: list[Row], where: str, source: Source) -> list[int]:
    import pandas

    defaults = source.defaults()
    frame = pandas.DataFrame([{**defaults, **row} for row in rows])
    try:
        kept = frame.query(where).index.tolist()
    except Exception as error:  # pandas raises what the expression raises
        told = f"{type(error).__name__}: {error}"
        raise ParameterError(
            f"--where {where!r} cannot be worked out over {', '.join(map(str, frame))}: {told}"
        ) from error
    if not kept:
        raise ParameterError(f"--where {where!r} leaves none of the grid's {len(rows)} runs")
    return [int(place) for place in kept]


def _refuse_twins(rows: list[Row], places: list[str], source: Source) -> None:
    """Two runs with the same values, defaults included, are a mistake in the grid."""
    first: dict[str, str] = {}
    defaults = source.defaults()
    for row, where in zip(rows, places, strict=True):
        values = repr(sorted({**defaults, **row}.items(), key=lambda item: item[0]))
        if values in first:
            told = ", ".join(f"{name}={value!r}" for name, value in row.items()) or "the defaults"
            raise ParameterError(f"The grid has a run twice: {told} ({first[values]}, and {where})")
        first[values] = where
