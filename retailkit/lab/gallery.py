"""The gallery: one plain index over the pages of all runs, opened from the file system.

It is made from MLflow's runs and what they keep, and from nothing else.
"""

import base64
import os
import re
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from retailkit.lab import project, safe, tracking
from retailkit.lab.template import template

STATUS = {
    "FINISHED": "",
    "FAILED": "failed",
    "KILLED": "stopped before an answer",
    "RUNNING": "still running",
    "SCHEDULED": "not started",
}
Card = dict[str, Any]


def gallery(folder: str | Path | None = None, last: int = 500) -> Path:
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
    folder = Path(folder) if folder else project.folder("gallery")
    (folder / "pages").mkdir(parents=True, exist_ok=True)
    cards = [_card(run, study, folder) for run, study in _runs(last)]
    groups: dict[tuple, list[Card]] = {}
    for card in cards:
        groups.setdefault(card["group"], []).append(card)
    made = datetime.now(tz=UTC)
    html = template("gallery.html.j2").render(groups=list(groups.values()), runs=len(cards), made=made)
    _put(folder / "index.html", html.encode())
    return folder / "index.html"


def _runs(last: int) -> list[tuple[Any, str]]:
    """List runs, newest first, with their study; a fresh project has none, and none is made by asking."""
    file = tracking.database()
    if file and not file.exists():
        return []
    client = tracking.open_database()
    studies = {experiment.experiment_id: experiment.name for experiment in client.search_experiments()}
    return [(run, studies[run.info.experiment_id]) for run in tracking.runs_of(client, list(studies), last)]


def _card(run: Any, study: str, folder: Path) -> Card:
    tags, params = run.data.tags, run.data.params
    notebook = tags.get("notebook", "")
    name = f"{_file_name(Path(notebook).stem or study)}-{run.info.run_id[:8]}"
    ended = run.info.end_time
    kept = _kept(run)
    return {
        "group": (study, tags.get("title") or notebook, tuple(sorted(params.items()))),
        "run_id": run.info.run_id,
        "study": study,
        "title": tags.get("title") or notebook or study,
        "answer": tags.get("answer", ""),
        "error": tags.get("error", "") if run.info.status == "FAILED" else "",
        "status": STATUS.get(run.info.status, run.info.status.lower()),
        "failed": run.info.status == "FAILED",
        "started": datetime.fromtimestamp(run.info.start_time / 1000, tz=UTC),
        "minutes": (ended - run.info.start_time) / 60_000 if ended else None,
        "parameters": {key: safe.redact(key, value) for key, value in params.items()},
        "page": _copy_page(kept, folder / "pages" / f"{name}.html"),
        **_picture(kept),
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
    made, there = pages[-1].stat(), target.stat() if target.exists() else None
    if not there or (made.st_size, made.st_mtime_ns) != (there.st_size, there.st_mtime_ns):
        scratch = target.with_suffix(f".{os.getpid()}.part")
        shutil.copy2(pages[-1], scratch)
        scratch.replace(target)
    return f"pages/{target.name}"


def _picture(kept: Path | None) -> dict[str, str]:
    """Return the cover, embedded, with its alt sentence; else the first figure that the run keeps."""
    found = [kept / "page" / "cover.png", *sorted((kept / "figures").glob("*.png"))] if kept else []
    for file in found:
        words = file.with_suffix(".txt")
        if file.is_file() and words.is_file():
            source = f"data:image/png;base64,{base64.b64encode(file.read_bytes()).decode()}"
            return {"picture": source, "alt": words.read_text(encoding="utf-8")}
    return {"picture": "", "alt": ""}


def _put(target: Path, content: bytes) -> None:
    """Write a file in one move, so that a reader never sees half of it."""
    with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".part", delete=False) as scratch:
        scratch.write(content)
    os.chmod(scratch.name, 0o644)
    os.replace(scratch.name, target)
