"""ultralytics' trackers on the same boxes of real people, whose identities are known.

    RETAILKIT_DATA=... python -m benchmarks.trackers --cameras 3

Boxes of `tracks_wildtrack` (seven cameras over a square, two moments a second) are spoilt at stated, seeded rates: some
are missed, edges shake, confidences differ. Each tracker gets the same ones. Two moments a second is slow for trackers
made for video: who walks fast moves by more than the own width. Intervals are over stretches of time (jackknife), and
speak of this square.
"""

import argparse
from collections.abc import Sequence

import numpy as np
import pandas as pd

import retailkit as rk
from retailkit.datasets.cameras import read_cameras
from retailkit.store.identity import score_identities
from retailkit.store.tracking import TRACKERS, track_boxes

SIZE = (1920, 1080)  # pixels of WILDTRACK's pictures


def spoil_boxes(boxes: pd.DataFrame, missed: float = 0.1, jitter: float = 0.04, seed: int = 0) -> pd.DataFrame:
    """Miss boxes at random and shake the others.

    Parameters
    ----------
    boxes : DataFrame with frame, visit, x1, y1, x2, y2 (pixels)
    missed : float, 0 to 1
        Share of the boxes left out.
    jitter : float
        Standard deviation of each edge, as a share of the box's width or height.
    seed : int

    Returns
    -------
    DataFrame
        Without visit, with person (the true visit) and confidence (0.3 to 0.95), clipped to the picture.
    """
    rng = np.random.default_rng(seed)
    seen = boxes[rng.random(len(boxes)) >= missed].rename(columns={"visit": "person"}).reset_index(drop=True)
    size = [seen["x2"] - seen["x1"], seen["y2"] - seen["y1"]]
    for edge, side in (("x1", 0), ("y1", 1), ("x2", 0), ("y2", 1)):
        seen[edge] = (seen[edge] + rng.normal(0, jitter, len(seen)) * size[side]).clip(0, SIZE[side])
    seen["confidence"] = rng.uniform(0.3, 0.95, len(seen))
    return seen[(seen["x2"] > seen["x1"] + 2) & (seen["y2"] > seen["y1"] + 2)].reset_index(drop=True)


def compare_trackers(
    boxes: pd.DataFrame,
    trackers: Sequence[str] = TRACKERS,
    *,
    missed: float = 0.1,
    jitter: float = 0.04,
    stretches: int = 12,
    seed: int = 0,
    **settings: float,
) -> pd.DataFrame:
    """Track the same spoilt boxes with each tracker, and score identities against the truth.

    Parameters
    ----------
    boxes : DataFrame with camera, frame, visit, x1, y1, x2, y2
        As `read_cameras` gives it; each camera is a recording.
    **settings
        Of the trackers; see `track_boxes`.

    Returns
    -------
    DataFrame
        tracker, metric, value, low, high, and identities (found, as a multiple of the people there were).
    """
    seen = spoil_boxes(boxes, missed, jitter, seed)
    truth = boxes.assign(sequence=boxes["camera"].astype(str))
    rows = []
    for name in trackers:
        tracks = [
            track_boxes(one, name, progress=False, **settings).assign(sequence=str(camera))
            for camera, one in seen.groupby("camera")
        ]
        found = pd.concat(tracks)
        names, people = (table.groupby("sequence")["visit"].nunique().sum() for table in (found, truth))
        score = score_identities(found, truth, stretches=stretches, progress=False)
        for metric in ("hota", "idf1", "mota", "switches"):
            row = {"tracker": name, "metric": metric, **score[metric].row(), "identities": names / people}
            rows.append({key: row[key] for key in ("tracker", "metric", "value", "low", "high", "identities")})
    return pd.DataFrame(rows)


def main() -> None:
    """Print the table and put it into one MLflow run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cameras", type=int, default=2, help="how many of the cameras, from the first")
    parser.add_argument("--missed", type=float, default=0.1, help="share of boxes not seen")
    parser.add_argument("--jitter", type=float, default=0.04, help="of each edge, share of the box")
    parser.add_argument("--stretches", type=int, default=12, help="for the intervals")
    options = parser.parse_args()
    run = rk.start_run("benchmark-trackers", **vars(options))
    boxes = read_cameras("tracks_wildtrack")
    boxes = boxes[boxes["camera"] < options.cameras]
    spoilt = {"missed": options.missed, "jitter": options.jitter, "stretches": options.stretches}
    table = compare_trackers(boxes, **spoilt, new_track_thresh=0.4, track_high_thresh=0.4)
    print(run.show(table, "trackers").round(3).to_string(index=False))
    run.finish()


if __name__ == "__main__":
    main()
