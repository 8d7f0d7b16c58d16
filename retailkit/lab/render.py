"""An executed notebook as one page that can be sent: offline, accessible, with its origin at the foot.

    write("out.ipynb")            # out.html beside it
    attach("out.ipynb")           # the notebook and its page, kept with the run named inside
    gallery()                     # gallery/index.html over the pages of all runs

A page is one file. It holds no script and fetches nothing: its own content security policy forbids both.
"""

import base64
import io
import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any

from retailkit.lab import cells, project, provenance
from retailkit.lab.gallery import gallery
from retailkit.lab.template import emphasised, template

__all__ = ["attach", "cover", "gallery", "page", "write"]

_COVER_WIDTH = 760  # pixels: sharp at the size that a card has on a page


class Opened:
    """A notebook as it may be shown: read once, without secrets, cut into blocks once.

    Parameters
    ----------
    notebook : path or nbformat.NotebookNode

    Attributes
    ----------
    name : str
    digest : str
        Of its source as written, with what was a secret.
    node : nbformat.NotebookNode
    """

    def __init__(self, notebook: Any) -> None:
        self.name, written = _read(notebook)
        self.digest = provenance.digest(written)
        self.node = cells.without_secrets(written)

    @cached_property
    def blocks(self) -> list[cells.Block]:
        """What stands on the page."""
        return cells.blocks(self.node)

    @cached_property
    def title(self) -> str:
        """The question, else the name."""
        return cells.title_of(self.node) or self.name

    @cached_property
    def cover(self) -> tuple[bytes, str] | None:
        """The picture that stands for it; see :func:`cover`."""
        found = self.blocks
        if tagged := [block for block in found if block["kind"] == "figure" and block["cover"]]:
            found = tagged
        answered = next((place for place, block in enumerate(found) if block["kind"] == "answer"), len(found))
        figures = [block for block in found[:answered] if block["kind"] == "figure"]
        figures = figures or [block for block in found if block["kind"] == "figure"]
        figures = [block for block in figures if not block["src"].startswith("data:image/svg")]
        return (_small(figures[-1]["src"]), figures[-1]["alt"]) if figures else None


def page(notebook: Any, run: dict[str, Any] | None = None) -> str:
    """Render an executed notebook as one self-contained page.

    Parameters
    ----------
    notebook : path, nbformat.NotebookNode or Opened
        Executed, by papermill, JupyterLab or `retailkit run`. A failed one makes a page too: it opens with the error.
    run : dict, optional
        What is known of the run, as `provenance.facts` gives it; by default looked up in MLflow by the run id
        inside the notebook, or taken from the notebook where MLflow can't be reached.

    Returns
    -------
    str
        HTML with exactly one H1, the notebook's question (its file's name where it has none).
    """
    opened = notebook if isinstance(notebook, Opened) else Opened(notebook)
    run = provenance.facts(opened.node) if run is None else run
    picture = opened.cover
    return template("page.html.j2").render(
        title=opened.title,
        name=opened.name,
        run=run,
        blocks=opened.blocks,
        answer=emphasised(run["answer"]) if run["answer"] else "",
        picture=_data_uri(picture[0]) if picture and run["answer"] else "",
        picture_alt=picture[1] if picture else "",
        error=next((block for block in opened.blocks if block["kind"] == "error"), None),
        executed=any(cell.get("outputs") or cell.get("execution_count") for cell in opened.node.cells),
        contents=_contents(opened.blocks),
    )


def write(notebook: str | Path, target: str | Path | None = None) -> Path:
    """Render an executed notebook's page beside it (or to `target`) and return where it is."""
    notebook = Path(notebook)
    target = Path(target) if target else notebook.with_suffix(".html")
    target.write_text(page(notebook), encoding="utf-8")
    return target


def attach(notebook: str | Path, run_id: str = "") -> str:
    """Keep an executed notebook and its page with the run that is named inside it.

    Needed after plain papermill or Run All in JupyterLab; `retailkit run` does it by itself. Done again,
    it replaces what was kept before. Values of parameters and environment variables whose name says that they
    are secret are not in what is kept.

    Parameters
    ----------
    notebook : str or Path
    run_id : str
        The run to keep them with, where the notebook started none itself.

    Returns
    -------
    str
        The run's id. The run then keeps ``notebook/NAME.ipynb``, ``page/NAME.html``, and the picture that
        stands for it in the gallery, ``page/cover.png`` with its sentence ``page/cover.txt``.

    Raises
    ------
    ValueError
        The file is no notebook, or no run was started in it.
    """
    import nbformat

    from retailkit.lab import records, tracking

    notebook = Path(notebook)
    opened = Opened(notebook)
    run_id = run_id or str(provenance.passport(opened.node).get("run_id", ""))
    if not run_id:
        raise ValueError(
            f"{notebook} names no run: execute all of it first, with a cell that calls rk.start_run(...), and save it"
        )
    facts = provenance.facts(opened.node, run_id)
    with tempfile.TemporaryDirectory() as scratch:
        folder, kept = Path(scratch, "page"), Path(scratch, notebook.name)
        folder.mkdir()
        (folder / f"{opened.name}.html").write_text(page(opened, facts), encoding="utf-8")
        if opened.cover:
            (folder / "cover.png").write_bytes(opened.cover[0])
            (folder / "cover.txt").write_text(opened.cover[1], encoding="utf-8")
        records.attach(run_id, folder, "page")
        nbformat.write(opened.node, kept)
        records.attach(run_id, kept, "notebook")
    _tag(tracking.open_database(), run_id, opened, facts["notebook"] or notebook.name)
    return run_id


def _tag(client: Any, run_id: str, opened: Opened, file: str) -> None:
    """Write beside the run what the gallery shows of the notebook, and which it was."""
    client.set_tag(run_id, provenance.DIGEST, opened.digest)
    client.set_tag(run_id, "title", opened.title)
    if not client.get_run(run_id).data.tags.get("notebook"):
        client.set_tag(run_id, "notebook", file)
    written = Path(opened.node.metadata.get("papermill", {}).get("input_path") or "?")
    if written.is_file():
        client.set_tag(run_id, provenance.FILE, project.place(written))
    failures = [block["sentence"] for block in opened.blocks if block["kind"] == "error"]
    if failures:
        client.set_tag(run_id, "error", failures[0][:500])


def cover(notebook: Any) -> tuple[bytes, str] | None:
    """Choose the picture that stands for a notebook, as a small PNG with its alt sentence; None without pictures.

    It is the picture of the cell tagged ``cover``, else the last one before the answer, else the last.
    """
    return Opened(notebook).cover


def _small(source: str) -> bytes:
    from PIL import Image

    drawn = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) as picture:
        small = picture.convert("RGB")
        small.thumbnail((_COVER_WIDTH, 4 * _COVER_WIDTH), Image.Resampling.LANCZOS)
        small.quantize(128).save(drawn, format="png", optimize=True)
    return drawn.getvalue()


def _data_uri(picture: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


def _read(notebook: Any) -> tuple[str, Any]:
    """Return a notebook's name and content; refuse what is no notebook, in words."""
    import nbformat

    if not isinstance(notebook, str | Path):
        return str(notebook.metadata.get("title", "notebook")), notebook
    path = Path(notebook)
    try:
        return path.stem, nbformat.read(path, as_version=4)
    # JSON of another shape fails in any of these ways
    except (ValueError, TypeError, AttributeError, KeyError, nbformat.ValidationError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise ValueError(f"{path} is no Jupyter notebook: {reason}") from error


def _contents(found: list[cells.Block]) -> list[tuple[str, str]]:
    """List id and words of the second-level headings, for pages long enough to need a list."""
    import bs4

    heads = [
        (str(heading["id"]), heading.get_text(" ", strip=True))
        for block in found
        if block["kind"] == "prose"
        for heading in bs4.BeautifulSoup(block["html"], "html.parser").find_all("h2")
    ]
    return heads if len(heads) >= 3 else []
