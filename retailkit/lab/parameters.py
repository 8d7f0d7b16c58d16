"""Parameters of a notebook: what it declares, and whether what it is given fits.

A parameter is one typed line of the cell tagged ``parameters``:

    >>> [parameter] = declared("minutes: float = 1.0  # training time")
    >>> parameter
    Parameter(name='minutes', type='float', default='1.0', help='training time')
    >>> fit(parameter, "4")
    4.0
    >>> fit(parameter, "four")
    Traceback (most recent call last):
    retailkit.lab.parameters.ParameterTypeError: parameter 'minutes' is 'four' (str): a float is wanted
"""

import ast
import difflib
import io
import json
import tokenize
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


class ParameterError(ValueError):
    """A parameter that the notebook does not declare, or a value that does not fit."""


class ParameterTypeError(ParameterError, TypeError):
    """A parameter's value is of the wrong type."""


@dataclass(frozen=True)
class Parameter:
    """One typed line of the parameters cell; `type` and `default` are its text."""

    name: str
    type: str
    default: str
    help: str


def declared(source: str) -> list[Parameter]:
    """List the typed assignments at the top level of a cell.

    Parameters
    ----------
    source : str
        The text of one code cell; lines that are IPython magics are passed over.

    Raises
    ------
    SyntaxError
        The cell is no Python.
    """
    comments = _comments(source)
    return [
        Parameter(
            node.target.id,
            ast.unparse(node.annotation).strip("'\""),
            ast.unparse(node.value) if node.value else "",
            comments.get(node.end_lineno or 0, ""),
        )
        for node in ast.parse(_without_magics(source)).body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    ]


def assigned(source: str) -> list[str]:
    """List the names that a cell assigns at its top level, typed or not."""
    names = [parameter.name for parameter in declared(source)]
    for node in ast.parse(_without_magics(source)).body:
        if isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return names


def _without_magics(source: str) -> str:
    if source.lstrip().startswith("%%"):
        return ""
    lines = source.splitlines()
    return "\n".join("pass" if line.startswith(("%", "!")) else line for line in lines)


def _comments(source: str) -> dict[int, str]:
    """Comment of each line, by line number from 1."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(_without_magics(source)).readline))
    except tokenize.TokenError:
        return {}
    return {t.start[0]: t.string.lstrip("# ") for t in tokens if t.type == tokenize.COMMENT}


def unknown(name: str, known: Iterable[str], where: str) -> ParameterError:
    """Make the error for a name that is not declared, with the nearest that is.

    >>> unknown("minuts", ["seed", "minutes"], "10-shelf-detector.ipynb")
    ParameterError("10-shelf-detector.ipynb has no parameter 'minuts'; did you mean 'minutes'? It has seed, minutes")
    """
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else "."
    listed = f" It has {', '.join(names)}" if names else " It declares none"
    return ParameterError(f"{where} has no parameter '{name}'{hint}{listed}")


def fit(parameter: Parameter, value: Any) -> Any:
    """Return a value as the parameter's type, or refuse it.

    Text, as the command line gives it, is read: ``"4"`` as 4.0 for a float, ``"true"`` for a bool, JSON
    for a list or dict. Values of Python pass where they are of the type; a whole number passes for a
    float, and a bool is no number. Types other than these are not checked.

    Raises
    ------
    ParameterTypeError
        The value does not fit.
    """
    if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0:
        value = value.item()
    kinds = _kinds(parameter.type)
    if not kinds <= _READERS.keys():
        return value
    for kind in sorted(kinds, key=_ORDER.index):
        try:
            return _as(kind, value)
        except ValueError:
            continue
    raise misfit(parameter, value)


def misfit(parameter: Parameter, value: Any) -> ParameterTypeError:
    """Make the error for a value of the wrong type."""
    wanted = " or ".join(_words(parameter.type))
    shown = f"parameter '{parameter.name}' is {value!r} ({type(value).__name__})"
    return ParameterTypeError(f"{shown}: {wanted} is wanted")


def takes_text(parameter: Parameter) -> bool:
    """Whether text is a value of the parameter's type, or its type is one that is not checked."""
    kinds = _kinds(parameter.type)
    return "str" in kinds or not kinds <= _READERS.keys()


def _kinds(text: str) -> set[str]:
    """``"float | None"`` and ``"Optional[float]"`` are float and None; ``"list[str]"`` is list."""
    try:
        node = ast.parse(text, mode="eval").body
    except SyntaxError:
        return {text}
    return _kinds_of(node)


def _kinds_of(node: ast.expr) -> set[str]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _kinds_of(node.left) | _kinds_of(node.right)
    if isinstance(node, ast.Subscript):
        outer = ast.unparse(node.value).rpartition(".")[2]
        return _kinds_of(node.slice) | {"None"} if outer == "Optional" else {outer.lower()}
    return {ast.unparse(node)}


def _words(text: str) -> list[str]:
    kinds = sorted(_kinds(text), key=_ORDER.index)
    return [kind if kind == "None" else f"{'an' if kind == 'int' else 'a'} {kind}" for kind in kinds]


def _as(kind: str, value: Any) -> Any:
    if isinstance(value, str) and kind != "str":
        value = _READERS[kind](value.strip())
    if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    right = value is None if kind == "None" else type(value).__name__ == kind
    if not right:
        raise ValueError
    return value


def _read_bool(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


def _read_none(text: str) -> None:
    return {"none": None, "null": None}[text.lower()]


def _read_collection(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return ast.literal_eval(text)


def _reader(read: Any) -> Any:
    """Turn every way in which reading can fail into ValueError."""

    def checked(text: str) -> Any:
        try:
            return read(text)
        except (ValueError, KeyError, SyntaxError, OverflowError, MemoryError) as error:
            raise ValueError(text) from error

    return checked


# Tried in this order: what is read most strictly first, text last, since anything is text.
_READERS = {
    "None": _reader(_read_none),
    "bool": _reader(_read_bool),
    "int": _reader(int),
    "float": _reader(float),
    "list": _reader(_read_collection),
    "dict": _reader(_read_collection),
    "str": _reader(str),
}
_ORDER = list(_READERS)
