"""The gallery: one index over the pages of all runs, opened from the file system; searched, filtered and sorted there.

It is made from MLflow's runs and what they keep, and from nothing else.

    gallery()                     # gallery/index.html
    check()                       # what has changed since: a row for each page that is no longer today's
    pack("for-the-board.zip")     # all of it in one file
"""

import base64
import hashlib
import os
import re
import shutil
import tempfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retailkit.lab import attempt, freshness, project, provenance, records, safe, source, tracking
from retailkit.lab.template import script, template

if TYPE_CHECKING:
    import pandas

STATUS = {
    "FINISHED": "",
    "FAILED": "failed",
    "KILLED": "stopped before an answer",
    "RUNNING": "still running",
    "SCHEDULED": "not started",
}
Card = dict[str, Any]


def gallery(folder: str | Path | None = None, last: int = 2000) -> Path:
    """Make the gallery from the newest runs and return its index.

    One card for a notebook and its parameters: the newest run of them; earlier ones are folded beneath it.
    Pages are copied to ``pages/`` beside the index, so that the folder can be passed on as a whole.

    Parameters
    ----------
    folder : path, optional
        By default ``gallery/`` in the project.
    last : int
        At most so many runs are looked at.

    Returns
    -------
    Path
        ``index.html``, complete at every moment: it is put in place in one move.
    """
    return _made(folder, last)[0]


def _made(folder: str | Path | None, last: int | None) -> tuple[Path, list[list[Card]]]:
    """Make the gallery; return its index and its cards, those of one notebook and parameters together."""
    folder = Path(folder) if folder else project.folder("gallery")
    for name in ("pages", "covers"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    today = _Today()
    cards = [_card(run, study, folder, today) for run, study in _runs(last)]
    groups = _grouped(cards)
    facts = {"groups": list(groups.values()), "runs": len(cards), "made": datetime.now(tz=UTC)}
    notebooks = sorted({card["notebook"] for card in cards})
    seal = base64.b64encode(hashlib.sha256(script("gallery.js").encode()).digest()).decode()
    html = template("gallery.html.j2").render(**facts, notebooks=notebooks, script=script("gallery.js"), seal=seal)
    _put(folder / "index.html", html.encode())
    return folder / "index.html", list(groups.values())


def _grouped(cards: list[Card]) -> dict[tuple, list[Card]]:
    """Cards by question, newest first; a run killed before its question was recorded lies beneath one that finished."""
    finished: dict[str, tuple] = {}
    for card in filter(lambda card: card["finished"], cards):
        finished.setdefault(card["attempt"], card["group"])
    groups: dict[tuple, list[Card]] = {}
    for card in cards:
        other = finished.get(card["attempt"]) if card["attempt"] and not card["finished"] else None
        groups.setdefault(other or card["group"], []).append(card)
    return {group: sorted(found, key=lambda card: card["group"] != group) for group, found in groups.items()}


def check(folder: str | Path | None = None) -> "pandas.DataFrame":
    """List the pages of the gallery that are no longer today's, or broken.

    Of each question and its parameters the newest finished run is looked at.

    Returns
    -------
    pandas.DataFrame
        Columns page, run_id, problem; empty where every page still stands.
    """
    import pandas

    index, groups = _made(folder, None)
    rows = []
    for card in filter(None, map(_newest_finished, groups)):
        problems = [f"{what} has changed" for what in card["changed"]] + _broken(index.parent, card["page"])
        rows += [(card["page"] or card["title"], card["run_id"], problem) for problem in problems]
    return pandas.DataFrame(rows, columns=["page", "run_id", "problem"])


def _newest_finished(cards: list[Card]) -> Card | None:
    return next((card for card in cards if card["finished"]), None)


def _broken(folder: Path, page: str) -> list[str]:
    if not page:
        return ["the run keeps no page"]
    text = (folder / page).read_text(encoding="utf-8", errors="replace")
    return [] if text.rstrip().endswith("</html>") and "<h1>" in text else ["the page is broken off: render it again"]


def pack(target: str | Path, folder: str | Path | None = None) -> Path:
    """Make the gallery and put it into one zip file: index, pages and pictures, and nothing else.

    Raises
    ------
    retailkit.lab.project.ProjectError
        The file's folder does not exist.
    """
    target = Path(target)
    if not target.resolve().parent.is_dir():
        raise project.ProjectError(f"The folder of '{target}' does not exist: create it first")
    home = gallery(folder).parent
    index = (home / "index.html").read_text(encoding="utf-8")
    wanted = ["index.html", *sorted(set(re.findall(r'(?:href|src)="((?:pages|covers)/[^"]+)"', index)))]
    scratch = target.with_name(f"{target.name}.part")
    with zipfile.ZipFile(scratch, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in wanted:
            archive.write(home / name, f"gallery/{name}")
    scratch.replace(target)
    return target


class _Today:
    """What things are like now, looked up once for all cards."""

    def __init__(self) -> None:
        self._facts: dict[tuple[str, str], list[str]] = {}
        self._notebooks: dict[Path, str | None] = {}

    def changed(self, run: Any) -> list[str]:
        """What a run stands on that is not as it was."""
        tags = run.data.tags
        name, text = tags.get("notebook", ""), tags.get(freshness.TAG, "")
        if (name, text) not in self._facts:
            self._facts[name, text] = records.changed_since(run)
        return self._notebook(name, tags) + self._facts[name, text]

    def _notebook(self, name: str, tags: dict[str, str]) -> list[str]:
        """The notebook, if it is not as it was or not there any more; one whose place is not known is let be."""
        digest, file = tags.get(provenance.DIGEST), tags.get(provenance.FILE)
        if not digest or not name:
            return []
        path = project.root() / (file or f"notebooks/{name}")
        found = self._digest(path)
        if found is None:
            return [f"{name} (it is gone)"] if file else []
        return [name] * (found != digest)

    def _digest(self, path: Path) -> str | None:
        """Digest of a notebook, None where there is none."""
        if path not in self._notebooks:
            try:
                self._notebooks[path] = source.read(path).digest if path.is_file() else None
            except source.ParameterError:
                self._notebooks[path] = ""
        return self._notebooks[path]


def _runs(last: int | None) -> list[tuple[Any, str]]:
    """List runs, newest first, with their study; a fresh project has none, and none is made by asking."""
    file = tracking.database()
    if file and not file.exists():
        return []
    client = tracking.open_database()
    records.settle_abandoned(client)
    studies = {experiment.experiment_id: experiment.name for experiment in client.search_experiments()}
    found = tracking.runs_of(client, list(studies), last)
    return [(run, studies[run.info.experiment_id]) for run in found if run.data.tags.get("kind") != records.SWEEP]


def _card(run: Any, study: str, folder: Path, today: _Today) -> Card:
    tags, params = run.data.tags, run.data.params
    notebook = tags.get("notebook", "")
    name = f"{_file_name(Path(notebook).stem or study)}-{run.info.run_id[:8]}"
    ended, status = run.info.end_time, run.info.status
    page = folder / "pages" / f"{name}.html"
    there = page.exists() and tags.get("key") and not tracking.local_path(run.info.artifact_uri)  # fetched already
    kept = None if there else _kept(run)
    parameters = {key: safe.redact(key, value) for key, value in params.items()}
    changed = today.changed(run) if status == "FINISHED" else []
    minutes = (ended - run.info.start_time) / 60_000 if ended else None
    return {
        "group": (study, tags.get("title") or notebook, tuple(sorted(params.items()))),
        "attempt": tags.get(attempt.ATTEMPT, ""),
        "run_id": run.info.run_id,
        "study": study,
        "title": tags.get("title") or notebook or study,
        "answer": tags.get("answer", ""),
        "error": tags.get("error", "") if status in ("FAILED", "KILLED") else "",
        "status": STATUS.get(status, status.lower()),
        "failed": status == "FAILED",
        "finished": status == "FINISHED",
        "changed": changed,
        "state": "changed" if changed else "today" if status == "FINISHED" else "failed",
        "notebook": Path(notebook).stem or study,
        "started": datetime.fromtimestamp(run.info.start_time / 1000, tz=UTC),
        "minutes": minutes,
        "parameters": parameters,
        "page": f"pages/{page.name}" if there else _copy_page(kept, page),
        **_picture(kept, folder / "covers", name),
    }


def _file_name(words: str) -> str:
    return re.sub(r"[^\w.-]+", "-", words).strip("-.") or "run"


def _kept(run: Any) -> Path | None:
    """Return the folder with a run's page and cover, downloaded where artifacts are remote; None without one."""
    local = tracking.local_path(run.info.artifact_uri)
    if local:
        return local if local.is_dir() else None
    from retailkit.lab import records

    try:
        return records.artifact_path(run.info.run_id, "page").parent
    except Exception:  # MLflow raises what its storage raises; a run without a page is no failure of the gallery
        return None


def _copy_page(kept: Path | None, target: Path) -> str:
    """Copy a run's page into the gallery and return the link; empty where the run keeps none."""
    pages = sorted((kept / "page").glob("*.html"), key=lambda path: path.stat().st_mtime_ns) if kept else []
    if not pages:
        return ""
    _copy(pages[-1], target)
    return f"pages/{target.name}"


def _picture(kept: Path | None, covers: Path, name: str) -> dict[str, str]:
    """Place the cover, else the first figure that the run keeps, beside the index; return its link and alt sentence."""
    target, words = covers / f"{name}.png", covers / f"{name}.txt"
    found = [kept / "page" / "cover.png", *sorted((kept / "figures").glob("*.png"))] if kept else []
    for file in found:
        if file.is_file() and file.with_suffix(".txt").is_file():
            _copy(file, target)
            _copy(file.with_suffix(".txt"), words)
            break
    if not (target.is_file() and words.is_file()):
        return {"picture": "", "alt": ""}
    return {"picture": f"covers/{target.name}", "alt": words.read_text(encoding="utf-8")}


def _copy(file: Path, target: Path) -> None:
    """Copy a file in one move, unless the same one lies there."""
    made, there = file.stat(), target.stat() if target.exists() else None
    if not there or (made.st_size, made.st_mtime_ns) != (there.st_size, there.st_mtime_ns):
        scratch = target.with_suffix(f".{os.getpid()}.part")
        shutil.copy2(file, scratch)
        scratch.replace(target)


def _put(target: Path, content: bytes) -> None:
    """Write a file in one move, so that a reader never sees half of it."""
    with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".part", delete=False) as scratch:
        scratch.write(content)
    os.chmod(scratch.name, 0o644)
    os.replace(scratch.name, target)
