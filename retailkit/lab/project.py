"""Where things live, and how a study starts: quiet, offline, seeded.

Everything that retailkit writes lies below one project folder, found from any working directory:

    >>> root()                                                                    # doctest: +SKIP
    PosixPath('/home/ada/retailkit')
    >>> folder("mlruns")                                                          # doctest: +SKIP
    PosixPath('/home/ada/retailkit/mlruns')
"""

import contextlib
import errno
import importlib.metadata
import importlib.util
import json
import logging
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

SPARE_BYTES = 64 * 2**20  # a database, a few pictures and a set of weights; less than that fails half-way

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")

QUIET_ENVIRONMENT = {
    "YOLO_OFFLINE": "1",  # otherwise ultralytics asks one.one.one.one and dns.google at import
    "YOLO_AUTOINSTALL": "0",  # otherwise it calls pip when it misses a package
    "YOLO_VERBOSE": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",  # otherwise MLflow asks config.mlflow-telemetry.io
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",  # 'creating initial database tables', 'experiment does not exist'
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",  # no warning where git is absent
}


class ProjectError(OSError):
    """The project folder is missing, full, or cannot be written."""


def root() -> Path:
    """Find the project folder, from any working directory.

    ``RETAILKIT_HOME`` wins. Otherwise the nearest folder at or above the working directory that holds a
    ``notebooks/`` and a ``pyproject.toml`` or ``mlruns/README.md`` naming retailkit; otherwise the checkout
    that the package is installed from; otherwise the working directory.

    Raises
    ------
    ProjectError
        ``RETAILKIT_HOME`` names a folder that does not exist.
    """
    if home := os.environ.get("RETAILKIT_HOME"):
        path = Path(home).expanduser().resolve()
        if not path.is_dir():
            raise ProjectError(f"RETAILKIT_HOME is '{home}', which is no folder: create it or unset the variable")
        return path
    here = Path.cwd()
    for candidate in (here, *here.parents):
        if _is_project(candidate):
            return candidate
    checkout = Path(__file__).resolve().parents[2]
    return checkout if _is_project(checkout) else here


def place(path: Path) -> str:
    """Write a path as it is found again after the project was moved: from the project's folder on, if it is inside."""
    full = path.resolve()
    return full.relative_to(root()).as_posix() if full.is_relative_to(root()) else full.as_posix()


def _is_project(path: Path) -> bool:
    """Both marks are ours: many a project has notebooks/ and mlruns/, and many may depend on retailkit."""
    return (path / "notebooks").is_dir() and (
        _names_retailkit(path / "mlruns" / "README.md") or _names_retailkit(path / "pyproject.toml")
    )


def _names_retailkit(file: Path) -> bool:
    try:
        return "retailkit" in file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def folder(name: str) -> Path:
    """Return a folder of the project, made on demand and really writable.

    Permission bits say little to the root user or on a network disk, so a file is written and removed.

    Parameters
    ----------
    name : str
        Path below the project folder, such as ``"mlruns"`` or ``"mlruns/artifacts"``.

    Raises
    ------
    ProjectError
        The folder cannot be made or written, or its disk is full.
    """
    path = root() / name
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path) as probe:
            probe.write(b"retailkit")
        free = shutil.disk_usage(path).free
    except OSError as error:
        raise ProjectError(_cannot_write(path, error)) from error
    if free < SPARE_BYTES:
        raise ProjectError(
            f"The disk of '{path}' is full ({free / 2**20:.0f} MB left): "
            f"free at least {SPARE_BYTES // 2**20} MB, or set RETAILKIT_HOME to a folder on another disk"
        )
    return path


def _cannot_write(path: Path, error: OSError) -> str:
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return f"'{path}' should be a folder, and a file stands in its place: move that file away"
    reason = error.strerror or str(error)
    return f"Cannot write in '{path}' ({reason}): make it writable, or set RETAILKIT_HOME to a folder that is"


def find_data(name: str) -> Path | None:
    """Find the folder of a dataset: in the folders of ``RETAILKIT_DATA`` first, then in the project; None if absent."""
    listed = [_listed(part) for part in os.environ.get("RETAILKIT_DATA", "").split(os.pathsep) if part]
    for place in (*listed, root() / "datasets"):
        if (place / name).is_dir():
            return (place / name).resolve()
    return None


def _listed(part: str) -> Path:
    """A folder of ``RETAILKIT_DATA``; a relative one is meant from the working directory, else from the project."""
    path = Path(part).expanduser()
    return path if path.is_absolute() or path.is_dir() else root() / path


def quiet() -> None:
    """Keep ultralytics and MLflow quiet and off the network; call it before either is imported.

    Variables that are set already are left alone. ultralytics' settings and fonts go to ``.cache/`` of the
    project, never to the user's own configuration, and its integrations are off: its MLflow callback
    would move later runs to another experiment (ultralytics issue 22921).
    """
    for name, value in QUIET_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if "YOLO_CONFIG_DIR" not in os.environ:
        os.environ["YOLO_CONFIG_DIR"] = str(folder(".cache"))
    warnings.filterwarnings("ignore", message="IProgress not found")  # tqdm shows a text bar just as well
    logging.getLogger("alembic").setLevel(logging.WARNING)  # one line for each table of a fresh database
    settings = Path(os.environ["YOLO_CONFIG_DIR"]).expanduser() / "Ultralytics"
    try:
        settings.mkdir(parents=True, exist_ok=True)
        _write_settings(settings)
        _place_fonts(settings)
    except OSError as error:
        raise ProjectError(_cannot_write(settings, error)) from error


def _write_settings(path: Path) -> None:
    """Write ultralytics' settings whole, because a partial file is reset with a warning."""
    switches = ("sync", "clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb", "vscode_msg")
    settings = {
        "settings_version": "0.0.8",
        "datasets_dir": str(path / "datasets"),
        "weights_dir": str(path / "weights"),
        "runs_dir": str(path / "runs"),
        "uuid": "0" * 64,  # names no machine
        "api_key": "",
        "openai_api_key": "",
        **dict.fromkeys((*switches, "openvino_msg"), False),
    }
    target = path / "settings.json"
    if not target.exists():
        _write_whole(target, json.dumps(settings, indent=2).encode())


def _place_fonts(path: Path) -> None:
    """Put a font where ultralytics looks first; otherwise each training asks the network for Arial.ttf."""
    names = [name for name in ("Arial.ttf", "Arial.Unicode.ttf") if not (path / name).exists()]
    matplotlib = importlib.util.find_spec("matplotlib") if names else None
    if matplotlib and matplotlib.origin:
        font = Path(matplotlib.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        for name in names:
            _write_whole(path / name, font.read_bytes())


def _write_whole(target: Path, content: bytes) -> None:
    """Write a file in one step, so that another process sees all of it or nothing."""
    handle, scratch = tempfile.mkstemp(dir=target.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    os.replace(scratch, target)


def spare_grammar() -> None:
    """In a process of our own: leave out three seconds of import that only check international web addresses.

    nbformat imports jsonschema, which builds a grammar for them if it can (RFC 3987); no notebook holds one.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


def seed_everything(seed: int) -> None:
    """Seed the random numbers of Python and numpy, and of torch where it is imported already.

    torch is not imported for it (that takes a second); training passes its own seed on.

    Parameters
    ----------
    seed : int
        0 to 4,294,967,295, the range that numpy takes.

    Raises
    ------
    ValueError
        The seed is no whole number, or out of range.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ValueError(f"seed is {seed!r}: a whole number from 0 to {2**32 - 1} is wanted")
    import numpy

    random.seed(seed)
    numpy.random.seed(seed)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(seed)


def code_version() -> dict[str, str | bool]:
    """Say which code runs: git commit, whether files differ from it, and the package's version.

    The commit is the project folder's, or else that of the checkout that the package is installed from.

    Returns
    -------
    dict
        ``commit`` (``"unknown"`` without git), ``dirty`` and ``version``.
    """
    place = root()
    commit = _git(place, "rev-parse", "HEAD")
    if not commit:
        place = Path(__file__).parent
        commit = _git(place, "rev-parse", "HEAD")
    return {
        "commit": commit or "unknown",
        "dirty": bool(commit and _git(place, "status", "--porcelain")),
        "version": importlib.metadata.version("retailkit"),
    }


def packages() -> dict[str, str]:
    """List the versions of Python and of the packages that results depend on most."""
    found = {"Python": platform.python_version()}
    for name in ("numpy", "pandas", "torch", "ultralytics", "mlflow"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _git(place: Path, *arguments: str) -> str:
    command = ["git", "-C", str(place), *arguments]
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}  # looking must not write the index
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, env=environment)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
