"""How well a tracker keeps people apart: HOTA, IDF1 and MOTA against truth, each with its interval.

    truth = read_mot("MOT17-04/gt/gt.txt")
    score_identities(track_boxes(found), truth)["idf1"]        # on boxes, by overlap
    score_identities(to_floor(...), walkers, reach=1.0)        # on the floor plan, by distance

trackeval, the reference implementation of these figures, computes them; this room gives it tidy frames in place of
folders of text files, and says how sure they are.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.datasets import DataError
from retailkit.datasets.tables import need_columns
from retailkit.lab.intervals import Estimate, student
from retailkit.store.match import CORNERS, box_iou

METRICS = ("hota", "deta", "assa", "idf1", "mota", "switches")
_LOWEST = {"mota": -np.inf}  # a tracker that invents people is below nothing
_OF_HOTA = {"hota": "HOTA", "deta": "DetA", "assa": "AssA"}  # trackeval's names; means over 19 thresholds
_MOMENT = 1e-3  # seconds: two times that differ by less are one
_Data = dict[str, Any]  # what trackeval calls data: identities and similarities, moment by moment


def score_identities(
    found: pd.DataFrame,
    truth: pd.DataFrame,
    *,
    overlap: float = 0.5,
    reach: float = 1.0,
    stretches: int = 20,
    level: float = 0.95,
    metrics: Sequence[str] = METRICS,
    progress: bool = True,
) -> dict[str, Estimate]:
    """Score tracks against true ones, on boxes or on floor positions.

    >>> true = pd.DataFrame({"visit": 1, "time": [0.0, 1, 2, 3], "x": [0.0, 1, 2, 3], "y": 0.0})
    >>> broken = true.assign(visit=[7, 7, 8, 8])       # one person whose track broke in the middle
    >>> score = score_identities(broken, true, stretches=2)
    >>> score["idf1"].value, score["switches"].value, score["mota"].value
    (0.5, 1.0, 0.75)

    Parameters
    ----------
    found, truth : DataFrame
        Boxes (frame, visit, x1, y1, x2, y2 in pixels), or floor positions (visit, time in seconds, x, y in metres).
        With a column `sequence` the recordings are scored apart and put together as trackeval does.
    overlap : float, 0 to 1
        Boxes that overlap (intersection over union) at least so much may be one person, for IDF1 and MOTA.
    reach : float, metres
        Positions at most so far apart may be one person, for IDF1 and MOTA: similarity falls from 1 to 0 at twice
        this distance.
    stretches : int
        Stretches of time that are left out in turn for the intervals; each should be longer than a visit.
    level : float
    metrics : list of str
        Those wanted; without `hota`, `deta` and `assa` it takes a tenth of the time.
    progress : bool
        Show a bar where this takes over two seconds.

    Returns
    -------
    dict of Estimate
        `hota` and its parts `deta` (detection) and `assa` (association) (Luiten et al. 2021), `idf1` (Ristani et al.
        2016), `mota` and `switches`, the number of times that a person's identity changed (Bernardin & Stiefelhagen
        2008). Intervals by the jackknife over stretches of time (Kuensch 1989): drawing stretches afresh, as the
        bootstrap does, would cut identities at every seam and flatter the figures. Of one stretch there is no
        interval (nan).

    Raises
    ------
    ValueError
        A column is missing, a row has no identity or a number that is not finite, one visit is twice at one moment,
        there is no truth, or no such metric.
    """
    if not (0 < overlap < 1 and reach > 0 and stretches >= 1):
        raise ValueError(f"overlap={overlap}, reach={reach}, stretches={stretches}: 0 to 1, metres, a number from 1 up")
    if strange := sorted(set(metrics) - set(METRICS)):
        raise ValueError(f"there is no metric {', '.join(strange)}; there are {', '.join(METRICS)}")
    from tqdm import tqdm

    sequences = _sequences(found, truth, reach)
    limit = overlap if "x1" in truth else 0.5  # of similarity, which is 0.5 at `reach`
    parts = {name: _evaluate(data, limit, metrics) for name, data in sequences.items()}
    pieces = [(name, piece) for name, data in sequences.items() for piece in _pieces(data, stretches, sequences)]
    without = []
    for name, piece in tqdm(pieces, "scoring", delay=2, leave=False, unit="stretch", disable=not progress):
        rest = _without(sequences[name], piece)
        if rest["num_gt_dets"]:
            without.append(_combined(parts | {name: _evaluate(rest, limit, metrics)}))
    value, rows = _combined(parts), sum(data["num_gt_dets"] for data in sequences.values())
    return {name: _estimate(name, value, without, level, rows) for name in metrics}


def _sequences(found: pd.DataFrame, truth: pd.DataFrame, reach: float) -> dict[str, _Data]:
    """Both tables, recording by recording, as trackeval wants them."""
    places = CORNERS if "x1" in truth else ["x", "y"]
    moment = "frame" if "frame" in truth and "frame" in found else "time"
    if not len(truth):
        raise ValueError("truth has no rows: nothing to score against")
    tables = [_checked(frame, name, [moment, "visit", *places]) for frame, name in ((found, "found"), (truth, "truth"))]
    seen, true = ({str(name): rows for name, rows in table.groupby("sequence")} for table in tables)
    if strange := sorted(seen.keys() - true.keys()):
        raise ValueError(f"found has a sequence {strange[0]!r} that truth has not; it has {', '.join(true)}")
    return {name: _sequence(seen.get(name, tables[0][:0]), rows, moment, places, reach) for name, rows in true.items()}


def _checked(frame: pd.DataFrame, which: str, columns: list[str]) -> pd.DataFrame:
    need_columns(frame, columns, which)
    moment = columns[0]
    table = frame[columns].reset_index(drop=True)
    table["sequence"] = frame["sequence"].to_numpy() if "sequence" in frame else ""
    numbers = table[[name for name in columns if name != "visit"]].astype(float)
    nobody = table["visit"].isna() | table["visit"].isin([-1])
    wrong = [
        (~np.isfinite(numbers).all(axis=1), "holds a number that is not finite"),
        (nobody, "has no identity (visit is empty or -1): track it, or leave it out"),
    ]
    table[moment] = (numbers[moment] / (1 if moment == "frame" else _MOMENT)).round()
    wrong.append((table.duplicated(["sequence", moment, "visit"]), "is a second row of its visit at one moment"))
    for rows, problem in wrong:
        if rows.any():
            row = int(np.flatnonzero(rows)[0])
            raise ValueError(f"{which}, row {row + 1} {problem}: {frame.iloc[row][columns].to_dict()}")
    return table


def _sequence(found: pd.DataFrame, truth: pd.DataFrame, moment: str, places: list[str], reach: float) -> _Data:
    """Identities from 0 and similarities (true, found), moment by moment."""
    moments = np.union1d(found[moment], truth[moment])
    sides = []
    for table in (truth, found):
        table = table.sort_values(moment, kind="stable")
        cuts = np.searchsorted(table[moment], moments[1:])
        names, where = table["visit"].to_numpy(), table[places].to_numpy(dtype=float)
        sides.append((np.split(pd.factorize(names)[0], cuts), np.split(where, cuts)))
    (true_ids, true_places), (found_ids, found_places) = sides
    alike = [_similarity(one, other, reach) for one, other in zip(true_places, found_places, strict=True)]
    return _numbered(true_ids, found_ids, alike)


def _similarity(true: NDArray, found: NDArray, reach: float) -> NDArray[np.float64]:
    if true.shape[1] == 4:
        return box_iou(true.astype(np.float32), found.astype(np.float32)).astype(float)
    away = np.hypot(*(true[:, None] - found[None]).transpose(2, 0, 1))
    return np.clip(1 - away / (2 * reach), 0, None)


def _numbered(true_ids: list[NDArray], found_ids: list[NDArray], alike: list[NDArray]) -> _Data:
    """Number identities without gaps and count them: the dictionary that trackeval's metrics read."""
    (true, people), (seen, names) = (_renumber(ids) for ids in (true_ids, found_ids))
    return {
        "gt_ids": true, "tracker_ids": seen, "similarity_scores": alike, "num_timesteps": len(alike),
        "num_gt_ids": people, "num_tracker_ids": names,
        "num_gt_dets": sum(map(len, true)), "num_tracker_dets": sum(map(len, seen)),
    }  # fmt: skip


def _renumber(ids: list[NDArray]) -> tuple[list[NDArray[np.intp]], int]:
    names, codes = np.unique(np.concatenate(ids) if ids else np.empty(0, dtype=int), return_inverse=True)
    return np.split(codes, np.cumsum([len(one) for one in ids])[:-1]), len(names)


def _pieces(data: _Data, stretches: int, sequences: Mapping[str, _Data]) -> list[NDArray[np.intp]]:
    """Stretches of one recording, as positions of moments; each recording gets its share of them."""
    total = sum(one["num_timesteps"] for one in sequences.values())
    share = max(1, round(stretches * data["num_timesteps"] / total))
    return [piece for piece in np.array_split(np.arange(data["num_timesteps"]), share) if len(piece)]


def _without(data: _Data, piece: NDArray[np.intp]) -> _Data:
    kept = np.delete(np.arange(data["num_timesteps"]), piece)
    return _numbered(*([data[name][row] for row in kept] for name in ("gt_ids", "tracker_ids", "similarity_scores")))


def _evaluate(data: _Data, limit: float, metrics: Sequence[str]) -> dict[str, Any]:
    """What trackeval's families of metrics say of one recording."""
    from trackeval.metrics import CLEAR, HOTA, Identity

    settings = {"THRESHOLD": limit, "PRINT_CONFIG": False}
    families = {"identity": Identity(settings), "clear": CLEAR(settings)}
    if _OF_HOTA.keys() & set(metrics):
        families["hota"] = HOTA()
    return {name: (family, family.eval_sequence(data)) for name, family in families.items()}


def _combined(parts: Mapping[str, dict[str, Any]]) -> dict[str, float]:
    """Put recordings together, as trackeval does; switches as a share of the true rows."""
    total = {}
    for name, (family, _) in next(iter(parts.values())).items():
        total[name] = family.combine_sequences({key: part[name][1] for key, part in parts.items()})
    clear = total["clear"]
    known = _OF_HOTA if "hota" in total else {}
    figures = {name: float(np.mean(total["hota"][field])) for name, field in known.items()}
    switches = float(clear["IDSW"]) / max(clear["CLR_TP"] + clear["CLR_FN"], 1)
    return figures | {"idf1": float(total["identity"]["IDF1"]), "mota": float(clear["MOTA"]), "switches": switches}


def _estimate(name: str, value: dict[str, float], without: list[dict[str, float]], level: float, rows: int) -> Estimate:
    """The figure with its jackknife interval; switches become a number again."""
    scale, highest = (rows, np.inf) if name == "switches" else (1, 1.0)
    middle, number = value[name] * scale, len(without)
    if number < 2:
        return Estimate(middle, np.nan, np.nan, level, number, "stretches")
    left = np.array([one[name] for one in without]) * scale
    spread = np.sqrt((number - 1) / number * ((left - left.mean()) ** 2).sum())
    ends = middle + np.array([-1, 1]) * student(level, number) * spread
    low, high = np.clip(ends, _LOWEST.get(name, 0.0), highest)
    return Estimate(middle, float(low), float(high), level, number, "stretches")


def read_mot(path: Path | str) -> pd.DataFrame:
    """Read boxes in the format of the MOT challenge: frame, identity, left, top, width, height, confidence, ….

    Returns
    -------
    DataFrame
        frame, visit (-1: no identity, as in files of detections), x1, y1, x2, y2 (pixels), confidence (in files of
        truth 0 marks what is not to be scored), and where the file has them class_id and visibility (0 to 1).

    Raises
    ------
    DataError
        No rows, or a line that is not 6 or more numbers; the message names it.
    """
    path, rows = Path(path), []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = [float(word) for word in line.replace(",", " ").split()]
        except ValueError as error:
            raise DataError(f"{path}, line {number}: {error}") from error
        if len(row) < 6 or not np.isfinite(row[:6]).all() or row[0] % 1 or row[1] % 1:
            raise DataError(f"{path}, line {number}: {line!r}; frame, identity, left, top, width, height are needed")
        rows.append((*row, *[np.nan] * 9)[:9])
    if not rows:
        raise DataError(f"{path} holds no boxes")
    names = ["frame", "visit", "x1", "y1", "x2", "y2", "confidence", "class_id", "visibility"]
    boxes = pd.DataFrame(rows, columns=names).astype({"frame": int, "visit": int})
    boxes["x2"] += boxes["x1"]
    boxes["y2"] += boxes["y1"]
    boxes["confidence"] = boxes["confidence"].fillna(1.0)
    return boxes.dropna(axis="columns", how="all")


def write_mot(tracks: pd.DataFrame, path: Path | str) -> Path:
    """Write tracks of boxes in the format of the MOT challenge, for its tools; `read_mot` reads them back."""
    size = {"width": tracks["x2"] - tracks["x1"], "height": tracks["y2"] - tracks["y1"]}
    table = tracks[["frame", "visit", "x1", "y1"]].assign(**size)
    table["confidence"] = tracks.get("confidence", 1.0)
    table = table.sort_values(["frame", "visit"]).assign(x=-1, y=-1, z=-1)
    table.to_csv(path, header=False, index=False, float_format="%.10g")
    return Path(path)
