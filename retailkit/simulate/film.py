"""A film of shoppers in an aisle, as the store's camera sees them, with the exact truth of every frame.

    path = make_film(seconds=20, seed=1)      # film.avi, and beside it:
    #   film.plan.json     marks on the floor in pixels and metres, a line and zones on the floor plan
    #   film.counted.csv   twenty frames with the box of everybody in them, as a person with a mouse would draw it
    #   film.truth.csv     who is where in every frame: metres, and the box of what can be seen

`aisles` and `persons` paint it. Nobody real is in it, so it may be kept; its truth is what a real film never has.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from retailkit.datasets.photos import label_text
from retailkit.lab import project
from retailkit.simulate import aisles, figures
from retailkit.simulate.aisles import Block, Camera
from retailkit.simulate.persons import Person, paint_people

CAMERA = Camera(width=384, height=288, focal=430.0, up=3.0, pitch=27.0)
HALF = 1.4  # metres from the middle of the aisle to its shelves
LINE = ((HALF, 4.2), (-HALF, 4.2))  # who goes into the aisle passes it from left to right, seen along it
ZONES = {
    "left shelf": [(-HALF, 5.0), (-0.3, 5.0), (-0.3, 8.0), (-HALF, 8.0)],
    "right shelf": [(0.3, 5.0), (HALF, 5.0), (HALF, 8.0), (0.3, 8.0)],
}
MARKS = [(-1.3, 3.4), (1.3, 3.4), (1.3, 6.0), (-1.3, 6.0), (-1.3, 9.5), (1.3, 9.5)]  # metres
BEFORE, BEYOND = 1.8, 11.0  # metres: where shoppers come from, unseen below the camera, and the aisle's far end
PACE, STEP = 1.15, 1.35  # metres per second, metres in two steps
COUNTED = 20  # frames


class _Scene(NamedTuple):
    """What stays the same from frame to frame."""

    room: np.ndarray
    ways: pd.DataFrame
    looks: dict[int, figures.Look]
    poses: dict[int, figures.Pose]


def make_film(
    folder: str | Path | None = None,
    seconds: float = 20.0,
    rate: float = 6.0,
    shoppers: int = 5,
    seed: int = 0,
    progress: bool = True,
) -> Path:
    """Make a film, once for each seed and length, and give its path.

    Parameters
    ----------
    folder : path, optional
        Where it goes, into a folder of its own; the project's ``datasets/simulated_film`` if not given.
    seconds, rate : float
        Length, and frames per second.
    shoppers : int
        How many come in the course of it.
    seed : int
        The same seed, the same film.
    progress : bool
        Show a bar where this takes over two seconds.

    Returns
    -------
    Path
        Of ``film.avi``; the files named at the top of this module lie beside it.

    Raises
    ------
    ValueError
        Less than two seconds, a rate that is not above 0, or nobody.
    """
    if not (seconds >= 2 and rate > 0 and shoppers >= 1):
        raise ValueError(f"seconds={seconds!r}, rate={rate!r}, shoppers={shoppers!r}: 2 or more, above 0, 1 or more")
    home = Path(folder) if folder else project.folder("datasets") / "simulated_film"
    wanted = json.dumps([seconds, rate, shoppers, seed, _code()])
    target = home / hashlib.sha256(wanted.encode()).hexdigest()[:16]
    if not target.is_dir():  # it got its name when it was complete
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=home, ignore_cleanup_errors=True) as scratch:
            work = Path(scratch) / "film"
            work.mkdir()
            _write(work, np.random.default_rng(seed), np.arange(0, seconds, 1 / rate), rate, shoppers, progress)
            work.rename(target)
    return target / "film.avi"


def make_photos(folder: str | Path, photos: int = 100, seed: int = 0, progress: bool = True) -> None:
    """Fill a folder with single frames of other films by the same camera, and YOLO labels, to train a detector on.

    Photo i depends on (seed, i) alone; each has its own people, and eight in a row have their goods in common.

    Parameters
    ----------
    folder : path
        Made when missing.
    photos, seed : int
        How many, and which.
    progress : bool
        Show a bar when it takes longer than two seconds.
    """
    folder = Path(folder)
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for index in tqdm(range(1, photos + 1), "drawing an aisle", delay=2, disable=not progress, unit="photo"):
        rng = np.random.default_rng((seed, index))
        room = _room(seed, index // 8)
        picture, people = _draw(rng, _set_scene(rng, walk_aisle(rng, 24.0, 6), room), float(rng.uniform(2, 22)))
        cv2.imwrite(str(folder / f"images/aisle_{index:05d}.jpg"), picture)
        text = label_text(people.dropna(subset=["x1"]).assign(class_id=0), CAMERA.width, CAMERA.height)
        (folder / f"labels/aisle_{index:05d}.txt").write_text(text)
    (folder / "data.yaml").write_text("path: .\ntrain: images\nval: images\nnames:\n  0: person\n")


def walk_aisle(rng: np.random.Generator, seconds: float, shoppers: int) -> pd.DataFrame:
    """Send shoppers through the aisle: where each turns, in metres and seconds.

    Most come in below the camera, some from the far end; each stops at one or two places before a shelf and leaves on
    either side.

    Returns
    -------
    DataFrame
        visit (from 1), time (seconds), x, y (metres), and stop: the shelf in reach from here until the next row,
        ``left`` or ``right``, or nothing.
    """
    rows: list[tuple[Any, ...]] = []
    for visit, begin in enumerate(np.sort(rng.uniform(-3, max(seconds - 6, 0), shoppers)), start=1):
        gate = BEFORE if rng.random() < 0.75 else BEYOND
        place, time = np.array([rng.uniform(-0.7, 0.7), gate]), float(begin)
        rows.append((visit, time, *place, ""))
        for _ in range(int(rng.integers(1, 3))):
            side = rng.choice([-1.0, 1.0])
            aim = np.array([side * rng.uniform(0.75, 1.0), rng.uniform(5.3, 7.7)])
            time += float(np.hypot(*(aim - place)) / (PACE * rng.uniform(0.85, 1.15)))
            rows.append((visit, time, *aim, "right" if side > 0 else "left"))
            time, place = time + float(rng.uniform(2.0, 5.0)), aim
            rows.append((visit, time, *place, ""))
        leave = np.array([rng.uniform(-0.7, 0.7), BEFORE if rng.random() < 0.6 else BEYOND])
        rows.append((visit, time + float(np.hypot(*(leave - place)) / PACE), *leave, ""))
    return pd.DataFrame(rows, columns=["visit", "time", "x", "y", "stop"])


def read_truth(film: str | Path) -> pd.DataFrame:
    """Read who is where in every frame of a simulated film.

    Returns
    -------
    DataFrame
        frame, time (seconds), visit, x, y (metres), x1, y1, x2, y2 (pixels of what is seen; nan where too little is),
        visible (share of the person's pixels).
    """
    return pd.read_csv(Path(film).with_suffix(".truth.csv"))


def _code() -> str:
    """Digest of this folder's source: another version makes another film."""
    total = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        total.update(path.read_bytes())
    return total.hexdigest()


def _write(work: Path, rng: np.random.Generator, times: np.ndarray, rate: float, shoppers: int, progress: bool) -> None:
    """Draw all frames into a film, and its truth beside it."""
    room = aisles.paint_room(rng, CAMERA, _shelves(rng))
    scene = _set_scene(rng, walk_aisle(rng, float(times[-1]), shoppers), room)
    size = (CAMERA.width, CAMERA.height)
    film = cv2.VideoWriter(str(work / "film.avi"), cv2.VideoWriter.fourcc(*"MJPG"), rate, size)
    truth = []
    bar = tqdm(times, "drawing a film", delay=2, leave=False, unit="frame", disable=not progress)
    for frame, time in enumerate(bar):
        picture, people = _draw(rng, scene, float(time))
        film.write(picture)
        truth.append(people.assign(frame=frame, time=time))
    film.release()
    _write_truth(work, pd.concat(truth, ignore_index=True), len(times))


@lru_cache(maxsize=2)
def _room(*seed: int) -> np.ndarray:
    """An aisle without people; painting its goods takes longer than painting people."""
    rng = np.random.default_rng(seed)
    return aisles.paint_room(rng, CAMERA, _shelves(rng))


def _set_scene(rng: np.random.Generator, ways: pd.DataFrame, room: np.ndarray) -> _Scene:
    """Dress everybody."""
    looks = {int(visit): figures.make_look(rng) for visit in ways["visit"].unique()}
    return _Scene(room, ways, looks, {int(row): figures.standing(rng) for row in ways.index})


def _draw(rng: np.random.Generator, scene: _Scene, time: float) -> tuple[np.ndarray, pd.DataFrame]:
    """One frame, BGR, and who is in it: visit, x, y (metres), x1, y1, x2, y2 (pixels, nan for whom nobody sees)."""
    there = _there(scene.ways, time)
    canvas = scene.room.copy()
    people = [_person(one, scene.looks, scene.poses) for one in there]
    boxes = paint_people(canvas, CAMERA, [], people, light=0.85).set_index("person")  # no shelf stands before them
    grain = rng.normal(0, 3, canvas.shape[:2])[..., None]
    places = pd.DataFrame(there, columns=["visit", "x", "y"])
    return np.clip(canvas[..., ::-1] + grain, 0, 255).astype(np.uint8), places.join(boxes)


def _write_truth(work: Path, table: pd.DataFrame, frames: int) -> None:
    corners = ["x1", "y1", "x2", "y2"]
    table = table[["frame", "time", "visit", "x", "y", *corners, "visible"]].round(4)
    table.to_csv(work / "film.truth.csv", index=False)
    chosen = np.unique(np.round(np.linspace(0, frames - 1, COUNTED)).astype(int))
    seen = table.dropna(subset=["x1"]).rename(columns={"visit": "person"})
    counted = pd.DataFrame({"frame": chosen}).merge(seen[["frame", "person", *corners]], how="left")
    counted.astype({"person": "Int64"}).to_csv(work / "film.counted.csv", index=False)
    pixels = CAMERA.at(np.column_stack([MARKS, np.zeros(len(MARKS))])).round()  # as read off a screen
    plan = {
        "pixels": pixels.tolist(), "metres": MARKS, "line": LINE, "zones": ZONES,
        "note": "The marks on the floor were measured exactly and read off the picture to whole pixels.",
        "licence": "AGPL-3.0-or-later", "shareable": True,
    }  # fmt: skip
    (work / "film.plan.json").write_text(json.dumps(plan, indent=1))


def _shelves(rng: np.random.Generator) -> list[Block]:
    """Gondolas on both sides of the aisle, bay by bay, the farthest first."""
    goods = [aisles._goods(rng, 1.7) for _ in range(4)]
    blocks = []
    for y in np.arange(11.5, 3.4, -1.0):
        for side in (-1.0, 1.0):
            base = aisles._rectangle(np.array([side * (HALF + 0.35), y]), np.array([0, 0.5]), np.array([0.35, 0]))
            blocks.append(Block(base, 1.7, np.array([190.0, 190.0, 185.0]), goods[int(rng.integers(len(goods)))]))
    return blocks


def _there(ways: pd.DataFrame, time: float) -> list[dict[str, Any]]:
    """Who is in the aisle at a time: visit, x, y, where they turn to, how far they have walked, and what they do."""
    found = []
    for visit, way in ways.groupby("visit"):
        moments, places = way["time"].to_numpy(), way[["x", "y"]].to_numpy()
        if moments[0] <= time < moments[-1]:
            row = int(np.searchsorted(moments, time, side="right")) - 1
            step, since = places[row + 1] - places[row], time - moments[row]
            share = since / (moments[row + 1] - moments[row])
            walked = np.hypot(*np.diff(places[: row + 1], axis=0).T).sum() + share * np.hypot(*step)
            x, y = places[row] + share * step
            facts = {"visit": visit, "x": x, "y": y, "walked": walked, "since": since, "stop": way["stop"].iloc[row]}
            found.append(facts | {"facing": np.degrees(np.arctan2(step[0], -step[1])), "row": way.index[row]})
    return found


def _person(one: dict[str, Any], looks: dict[int, figures.Look], poses: dict[int, figures.Pose]) -> Person:
    """Walking on, or before a shelf: reaching every other second."""
    if not one["stop"]:
        pose, facing = figures.walking(one["walked"] / STEP % 1.0), one["facing"]
    else:
        facing = 90.0 if one["stop"] == "right" else -90.0
        pose = figures.reaching(0.8) if int(one["since"]) % 2 else poses[one["row"]]
    return Person(one["x"], one["y"], facing, looks[one["visit"]], pose)
