"""What is in a folder that holds no photographs with boxes: recordings of people who walk, films, and tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from retailkit.datasets.catalogue import Card
from retailkit.datasets.photos import walk
from retailkit.datasets.reading import digest
from retailkit.datasets.recordings import Recording, read_recordings

TEXTS = frozenset({".txt", ".vsp", ".json"})  # pictures beside the tracks and plans made from them do not count
FILMS = frozenset({".gif", ".mp4", ".avi", ".mov", ".mkv"})
READS, RECEIPTS = frozenset({".txt", ".csv", ".npy"}), frozenset({".json", ".md"})
_KINDS = {"tracks": TEXTS, "video": FILMS, "reads": READS, "receipts": RECEIPTS}


def describe(card: Card, folder: Path) -> str:
    """Say what a folder of tracks, films or tables holds, as text to print; nothing is written.

    Raises
    ------
    DataError
        Of tracks: nothing to read, or a file that is not what it should be; the message names file and line.
    """
    found = digest(folder, _KINDS[card.kind])
    table = {"tracks": _recordings, "video": _films}.get(card.kind, _files)(folder)
    facts = {"folder": folder, "licence": card.licence, card.kind: len(table), "digest": found}
    lines = [f"{key:24}{value}" for key, value in facts.items()]
    if card.digest and card.digest != found:
        lines.append(f"This copy of {card.name} is not the one of its card (digest {found[:12]}).")
    return "\n".join([*lines, *(f"Note: {quirk}" for quirk in card.quirks), "", table.to_string(index=False)])


def _recordings(folder: Path) -> pd.DataFrame:
    return pd.DataFrame([_facts(scene) for scene in read_recordings(folder)])


def _facts(scene: Recording) -> dict[str, object]:
    time = scene.tracks["time"]
    steps = scene.tracks.groupby("visit")["time"].diff()
    return {
        "scene": scene.name,
        "visits": scene.tracks["visit"].nunique(),
        "rows": len(scene.tracks),
        "minutes": round(float(np.ptp(time)) / 60, 1) if len(time) else 0.0,
        "step (s)": steps.median(),
        "groups": len(scene.groups),
        "gaze": "yes" if len(scene.gaze) else "no",
        "set aside": len(scene.quarantine),
        "metres": scene.calibration,
    }


def _files(folder: Path) -> pd.DataFrame:
    """Tables of tag reads and receipts: each is read by a verb of its own, and told here by name and size."""
    paths = [path for path in walk(folder) if path.suffix.lower() in READS | RECEIPTS]
    rows = [(path.relative_to(folder).as_posix(), path.stat().st_size / 1e6) for path in paths]
    return pd.DataFrame(rows, columns=["file", "megabytes"]).round({"megabytes": 2})


def _films(folder: Path) -> pd.DataFrame:
    paths = [path for path in walk(folder) if path.suffix.lower() in FILMS]
    rows = [(path.relative_to(folder).as_posix(), path.stat().st_size / 1e6, *_pictures(path)) for path in paths]
    return pd.DataFrame(rows, columns=["film", "megabytes", "width", "height", "frames"]).round({"megabytes": 1})


def _pictures(path: Path) -> tuple[int, int, int]:
    """Width, height and number of pictures."""
    import cv2  # here, since it takes a tenth of a second

    film = cv2.VideoCapture(str(path))
    sizes = [int(film.get(what)) for what in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)]
    frames = 0
    while film.grab():  # what the head of the file says is a guess
        frames += 1
    film.release()
    return sizes[0], sizes[1], frames
