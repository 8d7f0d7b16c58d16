"""An executed notebook as a list of blocks, each ready to be set on a page.

A block is a dict with its `kind` (prose, code, parameters, figure, html, text, messages, warning, answer, error)
and what that kind needs; everything marked as HTML in it is safe by then (`safe.safe_html`).
"""

import ast
import base64
import contextlib
import re
from collections.abc import Iterator
from typing import Any

from retailkit.lab import parameters, safe
from retailkit.lab.source import is_written

RUN_MIME = "application/vnd.retailkit.run+json"
ANSWER_MIME = "application/vnd.retailkit.answer+json"
_LONG = 40  # lines of print-out that a reader scrolls past without pain
_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/svg+xml")
Block = dict[str, Any]


def title_of(notebook: Any) -> str:
    """Return the notebook's H1, its question, as plain words; empty where there is none."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            source = re.sub(r"^```.*?^```", "", str(cell.source), flags=re.MULTILINE | re.DOTALL)
            if found := re.search(r"^#\s+(.+?)\s*#*\s*$", source, re.MULTILINE):
                return re.sub(r"[*_`]+|\[([^\]]*)\]\([^)]*\)", r"\1", found[1])
    return ""


def blocks(notebook: Any) -> list[Block]:
    """Turn the cells into blocks, in order; papermill's own cells (banners, injected values) leave none."""
    injected = _injected(notebook)
    found: list[Block] = []
    headed = False
    for number, cell in enumerate(filter(is_written, notebook.cells), start=1):
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "markdown":
            html, headed = _prose(cell, headed, number)
            found += [{"kind": "prose", "html": html}] if html.strip() else []
        elif cell.cell_type == "code" and str(cell.source).strip():
            found.append(_code(cell, tags, injected))
            found += _outputs(cell, number)
    return found


def source_of(notebook: Any) -> list[tuple[str, str]]:
    """List the type and source of each cell as its author wrote it, without what papermill added."""
    return [(cell.cell_type, str(cell.source)) for cell in notebook.cells if is_written(cell)]


def without_secrets(notebook: Any) -> Any:
    """Return a notebook in which no secret stands: not in injected parameters, outputs or tracebacks.

    Secret are the texts of parameters and environment variables whose name says so.
    """
    import nbformat

    given = [value for cell in notebook.cells if "parameters" in _tags_of(cell) for value in _secrets(cell.source)]
    secrets = {secret for secret in (*given, *safe.secrets_around()) if len(secret) >= safe.SHORTEST}
    return nbformat.from_dict(_scrubbed(notebook, secrets)) if secrets else notebook


def _scrubbed(value: Any, secrets: set[str]) -> Any:
    """The same lists and dicts, without secrets in their texts and numbers."""
    if isinstance(value, dict):
        return {name: _scrubbed(inside, secrets) for name, inside in value.items()}
    if isinstance(value, list):
        return [_scrubbed(inside, secrets) for inside in value]
    if isinstance(value, str):
        return safe.scrub(value, secrets)
    return "(redacted)" if str(value) in secrets else value


def _tags_of(cell: Any) -> str:
    return " ".join(cell.metadata.get("tags", []))


def _secrets(source: str) -> list[str]:
    """Texts that a cell gives to names that say secret."""
    found = []
    for name, value in _assignments(str(source)).items():
        with contextlib.suppress(ValueError, SyntaxError):
            found += safe.texts_of(ast.literal_eval(value)) if safe.SECRET.search(name) else []
    return found


def bundles(notebook: Any, mime: str) -> list[Any]:
    """List what the outputs hold under a MIME type: the run's passport, the answer."""
    return [
        output.data[mime]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if mime in output.get("data", {})
    ]


def parameter_rows(notebook: Any) -> list[dict[str, str]]:
    """List the parameters as run: name, value, default, help; values whose name says secret are redacted.

    Returns
    -------
    list of dict
        `value` is the injected one where papermill injected one, else the default.
    """
    injected = _injected(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", []):
            return _parameter_rows(str(cell.source), injected)
    return []


def _injected(notebook: Any) -> dict[str, str]:
    values: dict[str, str] = {}
    for cell in notebook.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            values |= _assignments(str(cell.source))
    return values


def _assignments(source: str) -> dict[str, str]:
    try:
        statements = ast.parse(source).body
    except SyntaxError:
        return {}
    found: dict[str, str] = {}
    for node in statements:
        if isinstance(node, ast.Assign):
            found |= {name.id: ast.unparse(node.value) for name in node.targets if isinstance(name, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            found[node.target.id] = ast.unparse(node.value)
    return found


def _parameter_rows(source: str, injected: dict[str, str]) -> list[dict[str, str]]:
    try:
        helps = {parameter.name: parameter.help for parameter in parameters.declared(source)}
    except SyntaxError:
        return []
    defaults = _assignments(source)
    return [
        {
            "name": name,
            "value": safe.redact(name, injected.get(name, defaults.get(name, ""))),
            "default": safe.redact(name, defaults.get(name, "")),
            "help": helps.get(name, ""),
        }
        for name in {**defaults, **injected}
    ]


def _prose(cell: Any, headed: bool, number: int) -> tuple[str, bool]:
    """Return a markdown cell as HTML without the first H1 (the page sets it); later H1s become H2s."""
    import bs4

    soup = bs4.BeautifulSoup(safe.safe_html(_markdown(str(cell.source), cell.get("attachments", {}))), "html.parser")
    for heading in soup.find_all("h1"):
        if headed:
            heading.name = "h2"
        else:
            heading.decompose()
        headed = True
    for place, heading in enumerate(soup.find_all(["h2", "h3"]), start=1):
        heading["id"] = f"part-{number}-{place}"
    return str(soup), headed


def _markdown(source: str, attachments: dict | None = None) -> str:
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    renderer = IPythonRenderer(escape=False, exclude_anchor_links=True, attachments=attachments or {})
    return str(MarkdownWithMath(renderer=renderer).render(source))


def _code(cell: Any, tags: list[str], injected: dict[str, str]) -> Block:
    if "parameters" in tags and (rows := _parameter_rows(str(cell.source), injected)):
        return {"kind": "parameters", "rows": rows}
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return {"kind": "code", "html": highlight(str(cell.source), PythonLexer(), HtmlFormatter(nowrap=True))}


def _outputs(cell: Any, number: int) -> list[Block]:
    """Order: what a cell says and shows, then its messages, folded."""
    found: list[Block] = []
    messages: list[str] = []
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            text = str(output.text)
            noise = output.name == "stderr" or safe.is_progress(text)
            found += [{"kind": "warning", "text": words} for words in safe.warnings_in(text) if noise]
            if noise or text.count("\n") > _LONG:
                messages.append(safe.tidy_text(text))
            elif safe.tidy_text(text):
                found.append({"kind": "text", "text": safe.tidy_text(text)})
        elif output.output_type == "error":
            found.append({"kind": "error", "cell": number, **failure(output)})
        else:
            shown = list(_shown(output, number, messages))
            found += [block | {"cover": "cover" in cell.metadata.get("tags", [])} for block in shown]
    text = "\n".join(message for message in messages if message.strip())
    if text:
        found.append({"kind": "messages", "text": text, "lines": text.count("\n") + 1})
    return found


def failure(output: Any) -> dict[str, str]:
    """Say an error output in words: `sentence`, and the traceback without colours."""
    name, value = str(output.get("ename", "Error")), safe.tidy_text(str(output.get("evalue", "")))
    return {"sentence": f"{name}: {value}", "traceback": safe.tidy_text("\n".join(output.get("traceback", [])))}


def _shown(output: Any, number: int, messages: list[str]) -> Iterator[Block]:
    """Choose the best of an output's forms; scripts and widgets have none that a page can keep."""
    data = output.data
    picture = next((kind for kind in _PICTURES if kind in data), None)
    plain = str(data.get("text/plain", ""))
    if RUN_MIME in data:  # told at the foot of the page
        return
    if ANSWER_MIME in data:
        yield {"kind": "answer", "sentence": str(data[ANSWER_MIME].get("answer", plain))}
    elif picture:
        yield _figure(picture, output, plain, number)
    elif "text/html" in data:
        yield {"kind": "html", "html": safe.safe_html(str(data["text/html"]))}
    elif "text/markdown" in data:
        yield {"kind": "html", "html": safe.safe_html(_markdown(str(data["text/markdown"])))}
    elif safe.is_progress(plain):
        messages.append(safe.tidy_text(plain))
    elif plain and "application/javascript" not in data:
        yield {"kind": "text", "text": safe.tidy_text(plain)}


def _figure(kind: str, output: Any, plain: str, number: int) -> Block:
    """Keep the alt sentence; matplotlib's '<Figure size …>' describes nothing."""
    described = output.metadata.get(kind, {})
    said = described.get("alt") or output.metadata.get("alt") or ("" if plain.startswith("<") else plain)
    content = str(output.data[kind])
    if kind == "image/svg+xml":
        content = base64.b64encode(content.encode()).decode()
    return {
        "kind": "figure",
        "src": f"data:{kind};base64,{re.sub(r'[^A-Za-z0-9+/=]', '', content)}",
        "alt": said or f"A picture without a description, from cell {number}",
        "width": described.get("width"),
    }
