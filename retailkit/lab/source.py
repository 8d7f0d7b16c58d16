"""A notebook as its author wrote it: found, read and checked before anything runs.

notebook = read("10-shelf-detector")
notebook.check({"minutes": "4"})          # {'minutes': 4.0}
notebook.digest                           # of the cells as written, whatever was run
"""

import ast
import difflib
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retailkit.lab import parameters as typed
from retailkit.lab import project
from retailkit.lab.parameters import ParameterError

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Source:
    """A notebook's file and text.

    Attributes
    ----------
    path : Path
    text : str
        The file's JSON.
    """

    path: Path
    text: str

    @cached_property
    def cells(self) -> list[dict[str, Any]]:
        """The cells; `source` is one text in each."""
        try:
            cells = json.loads(self.text)["cells"]
            return [{**cell, "source": "".join(cell["source"])} for cell in cells]
        except (ValueError, KeyError, TypeError) as error:
            raise ParameterError(f"{self.path} is no notebook: {error!r}") from error

    @cached_property
    def code(self) -> list[str]:
        """Sources of the code cells."""
        return [cell["source"] for cell in self.cells if cell["cell_type"] == "code"]

    @cached_property
    def digest(self) -> str:
        """sha256 of what the author wrote: types and sources of the cells."""
        return digest((cell["cell_type"], cell["source"]) for cell in self.cells if is_written(cell))

    @cached_property
    def question(self) -> str:
        """The first title; empty where there is none."""
        prose = "\n".join(cell["source"] for cell in self.cells if cell["cell_type"] == "markdown")
        found = re.search(r"^# (.*)", prose, re.MULTILINE)
        return found[1] if found else ""

    @cached_property
    def study(self) -> str:
        """The study that the notebook records, as far as its text tells; else the file's name."""
        found = re.search(r"\bstart_run\(\s*([\"'])(.+?)\1", "\n".join(self.code))
        return found[2] if found else self.path.stem

    @cached_property
    def parameters(self) -> dict[str, typed.Parameter]:
        """The typed lines of the cell tagged ``parameters``, by name.

        Raises
        ------
        retailkit.lab.parameters.ParameterError
            There is no such cell, or it is no Python.
        """
        for cell in self.cells:
            if "parameters" in cell.get("metadata", {}).get("tags", []):
                try:
                    return {parameter.name: parameter for parameter in typed.declared(cell["source"])}
                except SyntaxError as error:
                    line = (error.text or "").strip()
                    where = f"{self.path}: line {error.lineno} of the parameters cell"
                    raise ParameterError(f"{where} is no Python ({error.msg}): {line!r}") from error
        raise ParameterError(f"{self.path} has no cell tagged 'parameters': give that tag to the cell that sets them")

    def check(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Read parameters, as the command line gives them, by the types that the notebook declares.

        Parameters
        ----------
        given : mapping
            Text or values by name: ``{"minutes": "4"}``.

        Returns
        -------
        dict
            ``{"minutes": 4.0}``

        Raises
        ------
        retailkit.lab.parameters.ParameterError
            A name that is not declared (the nearest is named), or a value that does not fit.
        """
        known = self.parameters if given else {}
        for name in given:
            if name not in known:
                raise typed.unknown(name, known, self.path.name)
        try:
            return {name: typed.fit(known[name], value) for name, value in given.items()}
        except typed.ParameterTypeError as error:
            raise typed.ParameterTypeError(f"{self.path.name}: {error}") from error

    def check_syntax(self) -> None:
        """Refuse a cell that is no Python, before anything before it has run for an hour.

        Raises
        ------
        retailkit.lab.parameters.ParameterError
            The message names the cell, the line and what is wrong.
        """
        for number, source in enumerate(self.code, start=1):
            if error := _syntax_error(source):
                line = (error.text or "").strip()
                where = f"{self.path}: code cell {number}, line {error.lineno}"
                raise ParameterError(f"{where} is no Python ({error.msg}): {line!r}")

    def defaults(self) -> dict[str, Any]:
        """Values of the parameters that a run gets where none is given; expressions stay text."""
        return {name: _default(parameter) for name, parameter in self.parameters.items()}


def read(notebook: str | Path) -> Source:
    """Read a notebook by its path, or by its bare name among the project's notebooks; see :func:`find_notebook`."""
    path = find_notebook(notebook)
    try:
        return Source(path, path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ParameterError(f"{path} is no notebook: {error!r}") from error


def digest(cells: Iterable[tuple[str, str]]) -> str:
    """Return the sha256 over types and sources of cells."""
    return hashlib.sha256(json.dumps([[kind, str(text)] for kind, text in cells]).encode()).hexdigest()


def is_written(cell: Any) -> bool:
    """Tell a cell that somebody wrote from papermill's banners and injected values."""
    tags = cell.get("metadata", {}).get("tags", [])
    return not any(tag.startswith(("injected-", "papermill-error")) for tag in tags)


def _syntax_error(source: str) -> SyntaxError | None:
    try:
        ast.parse(source)
    except SyntaxError as error:  # a magic, perhaps: IPython's reading of it decides
        from IPython.core.inputtransformer2 import TransformerManager

        try:
            compile(TransformerManager().transform_cell(source), "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        except SyntaxError:
            return error
    return None


def _default(parameter: typed.Parameter) -> Any:
    """A parameter's default as its type: ``minutes: float = 1`` is 1.0, as a given 1 is."""
    try:
        return typed.fit(parameter, ast.literal_eval(parameter.default))
    except (ValueError, SyntaxError, TypeError):
        return parameter.default


def find_notebook(name: str | Path) -> Path:
    """Find a notebook by its path, or by its bare name among the project's notebooks.

    Raises
    ------
    retailkit.lab.project.ProjectError
        There is none; the message names the nearest.
    """
    shelf = project.root() / "notebooks"
    for path in (Path(name), shelf / name, shelf / f"{name}.ipynb"):
        if path.is_file():
            return path.resolve()
    names = sorted(path.stem for path in shelf.glob("*.ipynb"))
    near = difflib.get_close_matches(Path(name).stem, names, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"'{shelf}' has {', '.join(names) or 'none'}"
    raise project.ProjectError(f"There is no notebook '{name}'; {hint}")


def list_notebooks() -> "pandas.DataFrame":
    """List the project's notebooks with the question that each asks: notebook, question."""
    import pandas

    paths = sorted((project.root() / "notebooks").glob("*.ipynb"))
    return pandas.DataFrame([(path.stem, read(path).question) for path in paths], columns=["notebook", "question"])


def parameters_of(notebook: str | Path) -> "pandas.DataFrame":
    """List a notebook's parameters: the typed lines of its cell tagged ``parameters``.

    Returns
    -------
    pandas.DataFrame
        Columns name, type, default (both as written) and help (the comment of the line).

    Raises
    ------
    retailkit.lab.parameters.ParameterError
        The file is no notebook, has no such cell, or the cell is no Python.
    """
    import pandas

    return pandas.DataFrame(list(read(notebook).parameters.values()), columns=["name", "type", "default", "help"])
