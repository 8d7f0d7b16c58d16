"""One list of dependencies, set-up without surprises, and OpenCV without libGL."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def canonical(requirement: str) -> str:
    """The package that a requirement asks for, as indexes spell it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=~! ;]", requirement.strip())[0]).lower()


def test_conda_defers_to_pyproject():
    packages = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert packages == ["python=3.11", "pip", {"pip": ["-c constraints.txt", "-e .[test]"]}]


def test_constraints_name_no_host():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert [line for line in lines if re.search(r"://| @ |^-|^git\+", line)] == []


def test_constraints_pin_every_dependency():
    pinned = {canonical(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    extras = [name for names in PROJECT["optional-dependencies"].values() for name in names]
    assert {canonical(name) for name in [*PROJECT["dependencies"], *extras]} <= pinned


# Packages that a declared one is built on, and hands out: naming them again would only pin the pair apart.
BUILT_ON = {
    "ipython": "ipykernel",
    "jupyter_client": "ipykernel",
    "nbclient": "papermill",
    "SQLAlchemy": "mlflow",
    "cycler": "matplotlib",
    "MarkupSafe": "jinja2",
    "pyarrow": "mlflow",
}


def imported_packages() -> set[str]:
    """Top names of everything that the package imports, inside functions too."""
    found = set()
    for path in (ROOT / "retailkit").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add((node.module or "").split(".")[0])
    return found - set(sys.stdlib_module_names) - {"retailkit"}


def test_every_package_that_is_imported_is_declared():
    """What only came along with another package may leave with it."""
    declared = {canonical(name) for name in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["cluster"]]}
    homes = metadata.packages_distributions()
    asked = {name: {canonical(BUILT_ON.get(home, home)) for home in homes[name]} for name in imported_packages()}
    assert [name for name, packages in asked.items() if not packages & declared] == []


def test_python_is_the_one_that_is_promised():
    assert PROJECT["requires-python"] == ">=3.11"
    assert PROJECT["scripts"]["retailkit"] == "retailkit.__main__:main"


def test_servers_of_the_makefile_stay_on_this_machine():
    text = (ROOT / "Makefile").read_text()
    assert "jupyter lab --ip 127.0.0.1" in text
    assert "0.0.0.0" not in text


def test_the_headless_opencv_is_the_only_one():
    installed = {canonical(found.name) for found in metadata.distributions() if found.name}
    assert "opencv-python-headless" in installed
    assert installed & {"opencv-python", "opencv-contrib-python"} == set()


def import_cv2_without(library: str, folder: Path) -> int:
    """Import cv2 where a broken file stands in place of a system library; return the exit code."""
    (folder / library).write_text("")
    environment = {**os.environ, "LD_LIBRARY_PATH": str(folder)}
    return subprocess.run([sys.executable, "-c", "import cv2"], env=environment, capture_output=True).returncode


@pytest.mark.skipif(sys.platform != "linux", reason="hides a library by LD_LIBRARY_PATH, as Linux has it")
@pytest.mark.parametrize("library", ["libGL.so.1", "libgthread-2.0.so.0", "libSM.so.6"])
def test_opencv_needs_no_screen(tmp_path, library):
    assert import_cv2_without(library, tmp_path) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="hides a library by LD_LIBRARY_PATH, as Linux has it")
def test_hiding_a_library_works(tmp_path):
    """The test above can fail: a library that cv2 does need is hidden the same way."""
    assert import_cv2_without("libstdc++.so.6", tmp_path) != 0
