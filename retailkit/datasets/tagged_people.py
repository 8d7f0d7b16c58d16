"""People who walk with tags on them, seen by a depth camera and heard by a reader: the set `rfid_kinect`.

[one, *others] = read_tagged_people("rfid_kinect")
one.tracks        # visit, time (s), x, y (m): where the camera saw whom
one.reads         # time (s), epc, doppler (Hz), speed (m/s), reader_doppler (Hz): what the reader heard
one.antenna       # x, y (m)
one.quarantine    # file, line, problem

Nobody wrote down who wore which tag, so a method that names one can be called consistent, not right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from retailkit.datasets import places
from retailkit.datasets.catalogue import DataError

ANTENNA = (4.5, 0.0)  # metres: the camera stands there too
_READS = "RFID_"  # begins the name of a recording's file of reads
_CLOCK = re.compile(r"(\d{4})-(\d\d?)-(\d\d?) (\d\d?):(\d\d?):(\d\d?):(\d{3})")
_TRACKS, _ANSWERS = ["visit", "time", "x", "y"], ["epc", "time", "doppler", "speed", "reader_doppler"]
_QUARANTINE = ["file", "line", "problem"]


@dataclass(frozen=True, eq=False)
class TaggedPeople:
    """One recording.

    Attributes
    ----------
    name : str
        Of its file of tracks, without the ending.
    tracks : DataFrame
        visit (the number in the file), time (seconds from the first row of the file of tracks), x, y (metres), by
        visit in order of appearance and time.
    reads : DataFrame
        time (seconds from the same moment, by the reader's clock, which may differ), epc (text without spaces, upper
        case), doppler (Hz, from differences of phase), speed (metres per second, as told), reader_doppler (Hz, as the
        reader itself tells it, which at walking speed is noise), by time.
    antenna : (x, y)
        Metres, in the frame of `tracks`.
    quarantine : DataFrame
        Columns file, line, problem: what was set aside.
    """

    name: str
    tracks: pd.DataFrame
    reads: pd.DataFrame
    antenna: tuple[float, float] = ANTENNA
    quarantine: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=_QUARANTINE))


def read_tagged_people(
    name: str | Path = "rfid_kinect", recordings: Sequence[str] | None = None, seed: int = 0
) -> list[TaggedPeople]:
    """Read the recordings of a set by its name below ``RETAILKIT_DATA``, or of a folder of one's own.

    A recording is two files: ``NAME.txt`` (a line for each person and picture: number of the track, time, x and y in
    centimetres) and ``RFID_NAME.txt`` (a line for each answer of a tag: code, Doppler frequency from phase, the
    reader's own, radial speed, time), where NAME begins with a figure. Times look like ``2016-02-05 19:14:04:562``.

    Parameters
    ----------
    name : str or Path
        A set, or the folder itself.
    recordings : list of str, optional
        Names of recordings; by default all, by name.
    seed : int
        Of a simulated set.

    Raises
    ------
    DataError
        No such set or recording, a file without its partner, or a file without one good line. Single lines that
        cannot be used are set aside in the recording's quarantine.
    """
    known = places.card_of(name)
    if known and known.simulator:
        made: list[TaggedPeople] = places.simulate(known, seed=seed)
        return made
    home = places.place(name, known)
    stems = [path.stem for path in sorted(home.glob("*.txt"))]
    found = sorted({stem.removeprefix(_READS) for stem in stems if re.match(rf"({_READS})?\d", stem)})
    if strange := [stem for stem in recordings or () if stem not in found]:
        raise DataError(f"{home} has no recording '{strange[0]}'; it has {', '.join(found) or 'none'}")
    if not found:
        raise DataError(f"{home} holds no recording: no pair of files NAME.txt and {_READS}NAME.txt")
    return [_read(home, stem) for stem in (recordings or found)]


def _read(home: Path, name: str) -> TaggedPeople:
    paths = home / f"{name}.txt", home / f"{_READS}{name}.txt"
    for path, partner in (paths, paths[::-1]):
        if not path.is_file():
            raise DataError(f"{partner} has no {path.name} beside it; a recording is both")
    (seen, wrong), (heard, unread) = _lines(paths[0], _position), _lines(paths[1], _answer)
    tracks, reads = pd.DataFrame(seen, columns=_TRACKS), pd.DataFrame(heard, columns=_ANSWERS)
    start = tracks["time"].iloc[0]
    for table in (tracks, reads):
        table["time"] = np.round(table["time"] - start, 3)
    order = tracks["visit"].map({visit: place for place, visit in enumerate(tracks["visit"].unique())})
    tracks = tracks.assign(order=order).sort_values(["order", "time"], kind="stable", ignore_index=True)
    return TaggedPeople(
        name,
        tracks[_TRACKS],
        reads[["time", "epc", *_ANSWERS[2:]]].sort_values("time", kind="stable", ignore_index=True),
        quarantine=pd.DataFrame([*wrong, *unread], columns=_QUARANTINE),
    )


def _lines(path: Path, parse: Callable[[list[str]], tuple]) -> tuple[list[tuple], list[tuple[str, int, str]]]:
    """Rows of a file, and those of its lines that are none; two rows with the same name and time are one too many."""
    good: dict[tuple, tuple] = {}
    wrong = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig", errors="replace").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = parse([word.strip() for word in line.split(",")])
            if good.setdefault(row[:2], row) is not row:
                raise ValueError(f"{row[0]} has a row at this time already; one is needed")
        except ValueError as error:
            wrong.append((path.name, number, str(error)))
    if not good:
        first = f"; line {wrong[0][1]}: {wrong[0][2]}" if wrong else ": it is empty"
        raise DataError(f"{path} holds no line that can be used{first}")
    return list(good.values()), wrong


def _position(words: list[str]) -> tuple[int, float, float, float]:
    """Visit, time, x, y of a line of tracks."""
    visit, when, x, y = _split(words, "number, time, x, y")
    if not re.fullmatch(r"\d{1,18}", visit):
        raise ValueError(f"{visit!r} is no number of a track; a whole number is needed")
    place = _number(x, "x in centimetres") / 100, _number(y, "y in centimetres") / 100
    if np.hypot(place[0] - ANTENNA[0], place[1] - ANTENNA[1]) < 0.01:
        raise ValueError(f"'{x}, {y}' is where the camera stands: it writes this where it has lost the person")
    return int(visit), _seconds(when), *place


def _answer(words: list[str]) -> tuple[str, float, float, float, float]:
    """Code, time, Doppler frequency, speed and the reader's Doppler frequency of a line of reads."""
    code, doppler, told, speed, when = _split(words, "code, Doppler frequency, reader's, speed, time")
    epc = "".join(code.split()).upper()
    if not re.fullmatch(r"[0-9A-F]+", epc):
        raise ValueError(f"{code!r} is no code of a tag; hexadecimal figures are needed")
    frequency, velocity = _number(doppler, "a frequency in Hz"), _number(speed, "a speed in m/s")
    return epc, _seconds(when), frequency, velocity, _number(told, "a frequency in Hz")


def _split(words: list[str], wanted: str) -> Any:
    if len(words) != len(wanted.split(", ")):
        raise ValueError(f"{len(words)} fields; {len(wanted.split(', '))} are needed: {wanted}")
    return words


def _number(word: str, wanted: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise ValueError(f"{word!r} is not {wanted}; a number is needed")
    return value


def _seconds(word: str) -> float:
    """Seconds since 1970 of a time as the files write it; the clock's zone is not told and does not matter."""
    found = _CLOCK.fullmatch(word)
    try:
        year, month, day, hour, minute, second, thousandth = map(int, found.groups() if found else ())
        moment = datetime(year, month, day, hour, minute, second, 1000 * thousandth)
    except ValueError as error:
        raise ValueError(f"{word!r} is no time; one like '2016-02-05 19:14:04:562' is needed") from error
    return (moment - datetime(1970, 1, 1)).total_seconds()
