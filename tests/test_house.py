"""The rules of the house, read from the source."""

import ast
import doctest
import importlib
from pathlib import Path

import numpy
import pandas
import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "retailkit"
MODULES = sorted(PACKAGE.rglob("*.py"))
WINGS = {"lab", "store", "members", "simulate"}
HEAVY = {"torch", "torchvision", "ultralytics", "mlflow", "sklearn", "seaborn", "matplotlib", "papermill", "splink"}
# Subclasses of torch's, ultralytics' and papermill's classes need those at the top; others import them in a function.
BACK_ROOMS = {"lab/engine.py", "store/muon.py", "store/predicting.py", "store/training.py"}
# What a module outside of the wings, such as datasets.py, may import: lab, and its like.
ALLOWED = {
    "lab": {"lab"},
    "store": {"lab", "store", "datasets"},
    "members": {"lab", "members", "datasets"},
    "simulate": {"lab", "simulate", "datasets"},
    "datasets": {"lab", "datasets"},
}


def names(node: ast.AST) -> list[str]:
    """Dotted names that an import statement brings in."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def wing(path: Path) -> str:
    """The wing of a module; what lies beside datasets.py is its."""
    first = path.relative_to(PACKAGE).parts[0]
    return first if first in WINGS else "datasets"


def is_module(room: str) -> bool:
    """Whether a name below retailkit is a module or a folder of them, not a verb."""
    return (PACKAGE / f"{room}.py").exists() or (PACKAGE / room).is_dir()


def rooms(path: Path) -> set[str]:
    """Wings that a module imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        for name in names(node):
            room = name.split(".")[1] if name.startswith("retailkit.") else ""
            if room:
                found.add(room if room in WINGS else "datasets" if is_module(room) else "")
    return found - {""}


def at_top(tree: ast.Module) -> set[str]:
    """Packages imported when the module is; under TYPE_CHECKING nothing is."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Try | ast.With) or (isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.dump(node)):
            found |= at_top(ast.Module(node.body, []))
        found |= {name.split(".")[0] for name in names(node)}
    return found


def show(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


WITH_DOORS = [path for path in MODULES if show(path) not in ("__init__.py", "__main__.py")]


@pytest.mark.parametrize("path", WITH_DOORS, ids=show)
def test_wings_keep_apart(path):
    """An estimator that shares code with the world that makes its data proves nothing."""
    assert rooms(path) <= ALLOWED[wing(path)]


@pytest.mark.parametrize("path", [path for path in MODULES if show(path) not in BACK_ROOMS], ids=show)
def test_heavy_imports_wait_for_their_function(path):
    tree = ast.parse(path.read_text())
    assert at_top(tree) & HEAVY == set()
    behind = {name.removesuffix(".py").replace("/", ".") for name in BACK_ROOMS}
    assert not {f"retailkit.{name}" for name in behind} & {name for node in tree.body for name in names(node)}


@pytest.mark.parametrize("path", MODULES, ids=show)
def test_modules_and_functions_are_short(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    long = {
        node.name: node.end_lineno - node.body[0].end_lineno
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - (node.body[0].end_lineno or 0) > 60
    }
    assert long == {}


@pytest.mark.parametrize("path", MODULES, ids=show)
def test_public_functions_say_what_they_do(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree)
    silent = [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


def test_the_rules_can_be_broken(tmp_path):
    """The readers above see what they look for."""
    source = "try:\n    import torch.nn\nexcept ImportError:\n    pass\nfrom retailkit import store\n"
    assert at_top(ast.parse(source)) & HEAVY == {"torch"}
    module = tmp_path / "module.py"
    module.write_text(
        source + "def f():\n    from retailkit.datasets.cards import card\n    import retailkit.simulate\n"
    )
    assert rooms(module) == {"store", "datasets", "simulate"}


WITH_EXAMPLES = [path for path in MODULES if ">>> " in path.read_text()]


def test_back_rooms_have_no_examples():
    """Importing one loads ultralytics, which settles for good where its settings and fonts are."""
    assert not {show(path) for path in WITH_EXAMPLES} & BACK_ROOMS


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: path.stem)
def test_examples_in_docstrings_are_true(path):
    name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    # ultralytics and a page's run set others, for the whole process
    with numpy.printoptions(formatter={}, linewidth=75), pandas.option_context("display.float_format", None):
        assert doctest.testmod(importlib.import_module(name)).failed == 0
