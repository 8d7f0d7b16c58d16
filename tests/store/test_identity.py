"""Identities are scored as their papers say: by hand, against an own calculation, and with intervals that hold."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linear_sum_assignment

from retailkit.datasets import DataError
from retailkit.lab.intervals import coverage
from retailkit.store.identity import METRICS, read_mot, score_identities, write_mot
from retailkit.store.match import box_iou

BOX = ["x1", "y1", "x2", "y2"]


def walkers(number: int = 4, frames: int = 60, seed: int = 0) -> pd.DataFrame:
    """People on wandering ways, as boxes and as places."""
    rng = np.random.default_rng(seed)
    visit, frame = np.divmod(np.arange(number * frames), frames)
    x = 3.0 * visit + np.cumsum(rng.normal(0, 0.1, (number, frames)), axis=1).ravel()
    y = np.cumsum(rng.normal(0, 0.1, (number, frames)), axis=1).ravel()
    tracks = pd.DataFrame({"visit": visit, "frame": frame, "time": frame / 5, "x": x, "y": y})
    left, top = 40 * x, 40 * y
    return tracks.assign(x1=left, y1=top, x2=left + 20, y2=top + 50)


def spoilt(true: pd.DataFrame, seed: int = 0, missed: float = 0.15) -> pd.DataFrame:
    """Boxes shaken, some missed, and identities that change every twenty frames or so."""
    rng = np.random.default_rng(seed)
    changes = rng.random(len(true)) < 0.05
    piece = changes.cumsum() * 100
    found = true.assign(visit=true["visit"] + piece)
    found[BOX] += rng.normal(0, 2, (len(true), 4))
    found[["x", "y"]] += rng.normal(0, 0.2, (len(true), 2))
    return found[rng.random(len(true)) >= missed].reset_index(drop=True)


def idf1(found: pd.DataFrame, true: pd.DataFrame, alike) -> float:
    """IDF1 after Ristani et al. (2016), written down anew: the best pairing of whole identities."""
    people, names = true["visit"].unique(), found["visit"].unique()
    hits = np.zeros((len(people), len(names)))
    for row, person in enumerate(people):
        for column, name in enumerate(names):
            both = true[true["visit"] == person].merge(found[found["visit"] == name], on="frame", suffixes=("", "_f"))
            hits[row, column] = alike(both).sum() if len(both) else 0
    rows, columns = linear_sum_assignment(-hits)
    return 2 * hits[rows, columns].sum() / (len(true) + len(found))


def overlaps(both: pd.DataFrame) -> np.ndarray:
    one, other = (both[[name + end for name in BOX]].to_numpy(np.float32) for end in ("", "_f"))
    return np.diag(box_iou(one, other)) >= 0.5


def near(both: pd.DataFrame) -> np.ndarray:
    return np.hypot(both["x"] - both["x_f"], both["y"] - both["y_f"]).to_numpy() <= 1.0


def test_by_hand():
    """Six frames, two people. One is called 1 throughout; the other 2, then 3 from the fourth frame on, and is missed
    once; a false box makes a seventh identity. 11 of 12 true rows are hit: IDTP = 6 + 3 = 9, so IDF1 = 18 / (12 + 12).
    """
    place = {"visit": [1] * 6 + [2] * 6, "frame": [*range(6)] * 2, "x1": [0.0] * 6 + [100.0] * 6}
    true = pd.DataFrame(place).assign(y1=0.0, x2=lambda rows: rows["x1"] + 10, y2=20.0)
    found = true.assign(visit=[1] * 6 + [2, 2, 2, 3, 3, 3]).drop(index=10)
    false = pd.DataFrame({"visit": [7], "frame": [0], "x1": [300.0], "y1": 0.0, "x2": 310.0, "y2": 20.0})
    score = score_identities(pd.concat([found, false]), true, stretches=1)
    assert score["idf1"].value == pytest.approx(18 / 24)
    assert score["mota"].value == pytest.approx(1 - (1 + 1 + 1) / 12), "one missed, one false, one switch"
    assert score["switches"].value == 1
    assert score["deta"].value == pytest.approx(11 / 13), "hits / (hits + missed + false)"
    shares = [6 * 6 / 6, 3 * 3 / 6, 2 * 2 / 6]  # each hit counts its own pair's overlap in time
    assert score["assa"].value == pytest.approx(sum(shares) / 11)
    assert score["hota"].value == pytest.approx(np.sqrt(11 / 13 * sum(shares) / 11))


@pytest.mark.parametrize("seed", range(3))
def test_idf1_is_that_of_its_paper(seed):
    true = walkers(seed=seed)
    found = spoilt(true, seed)
    boxes, places = ["visit", "frame", *BOX], ["visit", "frame", "x", "y"]
    on_boxes = score_identities(found[boxes], true[boxes], stretches=1)["idf1"].value
    on_floor = score_identities(found[places], true[places], stretches=1)["idf1"].value
    assert on_boxes == pytest.approx(idf1(found, true, overlaps))
    assert on_floor == pytest.approx(idf1(found, true, near))


def test_the_truth_itself_is_perfect_and_another_s_is_not():
    true = walkers()
    score = score_identities(true, true)
    assert all(score[name].value == 1 for name in METRICS[:-1]) and score["switches"].value == 0
    elsewhere = score_identities(true.assign(x1=true["x1"] + 500, x2=true["x2"] + 500), true)
    assert elsewhere["idf1"].value == 0 and elsewhere["mota"].value == -1
    nobody = score_identities(true[:0], true)
    assert nobody["hota"].value == 0 and nobody["mota"].value == 0


def test_how_visits_are_called_and_rows_are_ordered_does_not_matter():
    true = walkers()
    found = spoilt(true)
    named = found.assign(visit=[f"n{visit}" for visit in found["visit"]]).sample(frac=1, random_state=1)
    one, other = (score_identities(table, true, stretches=5) for table in (named, found))
    assert all(one[name].row() == pytest.approx(other[name].row()) for name in METRICS)


def test_fewer_metrics_are_the_same_ones():
    true = walkers()
    found = spoilt(true)
    some = score_identities(found, true, stretches=5, metrics=["idf1", "mota"])
    assert some == {name: score_identities(found, true, stretches=5)[name] for name in ("idf1", "mota")}
    with pytest.raises(ValueError, match="there is no metric motp; there are hota"):
        score_identities(found, true, metrics=["motp"])


def test_recordings_are_put_together_and_not_mixed_up():
    parts = [walkers(seed=seed).assign(sequence=f"s{seed}") for seed in range(3)]
    found = [spoilt(part, seed) for seed, part in enumerate(parts)]
    whole = score_identities(pd.concat(found), pd.concat(parts), stretches=6)
    alone = [score_identities(*pair, stretches=1)["idf1"].value for pair in zip(found, parts, strict=True)]
    assert min(alone) <= whole["idf1"].value <= max(alone)
    assert whole["idf1"].units == 6 and whole["idf1"].unit_name == "stretches"
    unnamed = score_identities(parts[0].assign(sequence="s0"), pd.concat(parts))
    assert unnamed["idf1"].value == pytest.approx(2 * 240 / (240 + 720)), "two recordings where nobody was found"


@pytest.mark.slow
def test_intervals_hold_what_long_recordings_say():
    """People who come and go, 500 recordings: how often the interval holds the value over all of them.

    HOTA takes nine times as long, and is asked of 100 of them.
    """
    recordings = [_coming_and_going(seed) for seed in range(500)]
    named = [[table.assign(sequence=str(place)) for table in pair] for place, pair in enumerate(recordings)]
    whole = score_identities(*(pd.concat(side) for side in zip(*named, strict=True)), stretches=1, progress=False)
    for names, number, least, most in ((("idf1", "mota"), 500, 0.92, 0.98), (("hota", "assa"), 100, 0.88, 1.0)):
        scores = [score_identities(*pair, stretches=8, metrics=names, progress=False) for pair in recordings[:number]]
        for name in names:
            held, width = coverage([score[name] for score in scores], whole[name].value)
            print(f"{name}: {whole[name].value:.3f}, held by {held} of {number} intervals, median width {width:.3f}")
            assert least <= held.value <= most and held.high > 0.95


def _coming_and_going(seed: int, visits: int = 24, stay: int = 8) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Visits of eight moments, two at a time, one pair after the other; some lose their name once, and some rows."""
    rng = np.random.default_rng(seed)
    visit, moment = np.divmod(np.arange(visits * stay), stay)
    true = pd.DataFrame({"visit": visit, "frame": stay * (visit // 2) + moment, "y": 0.0})
    true["x"] = 100.0 * (visit % 2) + rng.normal(0, 1, len(true))
    lost, cut = rng.random(visits) < 0.4, rng.integers(2, stay - 1, visits)
    later = lost[visit] & (moment >= cut[visit])
    found = true.assign(visit=np.where(later, visit + 1000, visit))
    return found[rng.random(len(found)) > 0.1], true


@pytest.mark.parametrize(
    ("found", "true", "message"),
    [
        (lambda one: one.assign(visit=-1), lambda one: one, r"found, row 1 has no identity \(visit is empty or -1\)"),
        (lambda one: one.assign(x1=np.inf), lambda one: one, "found, row 1 holds a number that is not finite"),
        (lambda one: one, lambda one: pd.concat([one, one]), "truth, row 241 is a second row of its visit"),
        (lambda one: one, lambda one: one[:0], "truth has no rows"),
        (lambda one: one.drop(columns="visit"), lambda one: one, "found has no column visit"),
        (lambda one: one.assign(sequence="a"), lambda one: one.assign(sequence="b"), "sequence 'a' that truth has not"),
    ],
)
def test_what_cannot_be_scored_is_refused(found, true, message):
    with pytest.raises(ValueError, match=message):
        score_identities(found(walkers()), true(walkers()))


def test_files_of_the_mot_challenge_come_back_as_they_went(tmp_path):
    tracks = walkers().assign(frame=lambda rows: rows["frame"] + 1, confidence=0.5)
    back = read_mot(write_mot(tracks, tmp_path / "gt.txt"))
    wanted = tracks.sort_values(["frame", "visit"])[["frame", "visit", *BOX, "confidence"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(back[wanted.columns], wanted, check_dtype=False, rtol=1e-6)


def test_a_line_of_a_mot_file_that_is_none_is_named(tmp_path):
    (tmp_path / "det.txt").write_text("1,-1,10,20,5,10,0.9\n2,-1,ten,20,5,10,0.9\n")
    with pytest.raises(DataError, match=r"det\.txt, line 2: could not convert string to float: 'ten'"):
        read_mot(tmp_path / "det.txt")
    (tmp_path / "det.txt").write_text("1,-1,10,20,5,10,0.9\n2,-1,10,20\n")
    with pytest.raises(DataError, match=r"line 2: .* frame, identity, left, top, width, height are needed"):
        read_mot(tmp_path / "det.txt")
    (tmp_path / "det.txt").write_text("1,-1,10,20,5,10\n")
    boxes = read_mot(tmp_path / "det.txt")
    assert boxes.to_dict("records") == [
        {"frame": 1, "visit": -1, "x1": 10.0, "y1": 20.0, "x2": 15.0, "y2": 30.0, "confidence": 1.0}
    ]
