"""What the code can know of the notebook that it runs in, if it runs in one.

The same calls work in JupyterLab, under papermill, in a test and in a script, where they find nothing to do.
"""

import ast
import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from retailkit.lab import parameters

NOTEBOOK_VARIABLE = "RETAILKIT_NOTEBOOK"  # set by `retailkit run` and `sweep` for the kernel
TAGS_VARIABLE = "RETAILKIT_RUN_TAGS"  # set by `retailkit sweep`: JSON, for the run that the notebook starts

_hook: Callable[[Any], None] | None = None


def shell() -> Any:
    """IPython's shell, or None outside of IPython."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def name() -> str:
    """File name of the notebook, ``""`` where it cannot be known (a kernel under plain papermill)."""
    found = os.environ.get(NOTEBOOK_VARIABLE, "")
    if not found and shell():
        found = os.environ.get("JPY_SESSION_NAME", "")  # set by Jupyter's server
        found = found or shell().user_ns.get("__vsc_ipynb_file__", "")
    return Path(found).name if found.endswith(".ipynb") else ""


def given_tags() -> dict[str, str]:
    """Tags that whoever runs the notebook wants its run to have."""
    return {str(name): str(value) for name, value in json.loads(os.environ.get(TAGS_VARIABLE) or "{}").items()}


def display(bundle: dict[str, Any], line: str, text: str) -> None:
    """Show one line, with data beside it that stays inside the executed notebook.

    Parameters
    ----------
    bundle : dict
        By MIME type; readers that do not know the type show `line`.
    line : str
        HTML, with everything in it escaped already.
    text : str
        The same as plain text.
    """
    if shell():
        from IPython.display import display as show

        show({**bundle, "text/html": line, "text/plain": text}, raw=True)


def round_tables(digits: int = 3) -> None:
    """Show tables with as many digits as mean something; what is recorded keeps all of them."""
    if shell():
        import pandas

        pandas.set_option("display.float_format", f"{{:.{digits}f}}".format)  # never 2.199e-05


def on_failure(call: Callable[[], None]) -> None:
    """Call back whenever a cell raises; a later `call` takes the place of the earlier."""
    global _hook
    events = shell() and shell().events
    if not events:
        return
    if _hook:
        with contextlib.suppress(ValueError):
            events.unregister("post_run_cell", _hook)

    def _hook_now(result: Any) -> None:
        if not result.success:
            call()

    _hook = _hook_now
    events.register("post_run_cell", _hook)


def check(given: dict[str, Any]) -> dict[str, Any]:
    """Check parameters against what the notebook's cells declare, and return them as the declared types.

    Outside of IPython nothing is declared, and they come back as they are. The cell that papermill injects
    begins with ``# Parameters``: a name in it that no earlier cell declares is refused (papermill only
    warns of it), and so is a value of the wrong type.

    Parameters
    ----------
    given : dict
        Value by name.

    Raises
    ------
    retailkit.lab.parameters.ParameterError
        An unknown name in the injected cell, or a value that does not fit its type.
    """
    if not shell():
        return given
    known: dict[str, parameters.Parameter] = {}
    for source in _cells():
        if source.startswith("# Parameters\n"):
            _check_injected(source, known)
        known |= {parameter.name: parameter for parameter in parameters.declared(source)}
    return {
        name: parameters.fit(known[name], _not_text(known[name], value)) if name in known else value
        for name, value in given.items()
    }


def _cells() -> Iterator[str]:
    """Cells executed so far that are Python, in order."""
    for source in shell().user_ns.get("In", []):
        with contextlib.suppress(SyntaxError, ValueError):
            ast.parse(source)
            yield source


def _check_injected(source: str, known: dict[str, parameters.Parameter]) -> None:
    for injected in parameters.assigned(source):
        if injected not in known:
            raise parameters.unknown(injected, known, name() or "the notebook")
        value = shell().user_ns.get(injected)
        parameters.fit(known[injected], _not_text(known[injected], value))


def _not_text(parameter: parameters.Parameter, value: Any) -> Any:
    """In a running notebook values have types: text for a number is a mistake, not something to read."""
    if isinstance(value, str) and not parameters.takes_text(parameter):
        raise parameters.misfit(parameter, value)
    return value
