"""Boxes become visits, by every tracker of ultralytics, and nobody is made up."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from retailkit.store.tracking import TRACKERS, NoTrackStartsWarning, track_boxes

BOX = ["x1", "y1", "x2", "y2"]


def people(number: int = 3, frames: int = 20, apart: float = 60.0, confidence: float = 0.9) -> pd.DataFrame:
    """People who walk to the right side by side, each in every frame; the true one is in `person`."""
    person, frame = np.divmod(np.arange(number * frames), frames)
    left, top = 10 + 4.0 * frame, 20 + apart * person
    boxes = {"frame": frame, "x1": left, "y1": top, "x2": left + 20, "y2": top + 50, "confidence": confidence}
    return pd.DataFrame({**boxes, "person": person})


@pytest.mark.parametrize("tracker", TRACKERS)
def test_each_person_is_one_visit(tracker):
    tracks = track_boxes(people().sample(frac=1, random_state=0), tracker)
    assert tracks.groupby("person")["visit"].nunique().eq(1).all() and tracks["visit"].nunique() == 3
    assert len(tracks) >= 3 * 18, "a track may take a frame or two to be believed"
    assert tracks[["visit", "frame"]].equals(tracks[["visit", "frame"]].sort_values(["visit", "frame"]))


@pytest.mark.parametrize("tracker", TRACKERS)
def test_boxes_are_those_given_and_keep_their_index(tracker):
    boxes = people().assign(time=lambda rows: rows["frame"] / 10)
    boxes.index = boxes.index + 1000
    tracks = track_boxes(boxes, tracker)
    assert tracks.drop(columns="visit").equals(boxes.loc[tracks.index])
    assert len(boxes.drop(index=tracks.index)) + len(tracks) == len(boxes)


@pytest.mark.parametrize("tracker", TRACKERS)
def test_a_call_knows_nothing_of_the_one_before(tracker):
    first, second = (track_boxes(people(), tracker) for _ in range(2))
    assert first.equals(second) and first["visit"].min() == 1
    elsewhere = track_boxes(people(1).assign(frame=lambda rows: rows["frame"] + 500), tracker)
    assert elsewhere["visit"].unique().tolist() == [1]


@pytest.mark.parametrize("tracker", TRACKERS)
def test_what_is_seen_once_is_nobody(tracker):
    boxes = people(1)
    flash = pd.DataFrame({"frame": [9], "x1": [300.0], "y1": 20.0, "x2": 330.0, "y2": 90.0, "confidence": 0.95})
    tracks = track_boxes(pd.concat([boxes, flash], ignore_index=True), tracker)
    assert tracks["visit"].unique().tolist() == [1] and tracks["person"].notna().all()


@pytest.mark.parametrize("tracker", TRACKERS)
def test_nobody_gives_no_tracks(tracker):
    assert track_boxes(people()[:0], tracker).columns.tolist()[:2] == ["frame", "visit"]


def test_a_track_ages_in_frames_without_boxes():
    """Gone for fifty frames and back at the same place: another visit, unless the tracker is told to wait."""
    boxes = people(1, frames=60).query("frame < 5 or frame >= 55").assign(x1=10.0, x2=30.0)
    assert track_boxes(boxes)["visit"].nunique() == 2
    assert track_boxes(boxes, track_buffer=60)["visit"].nunique() == 1
    close = boxes.assign(frame=np.where(boxes["frame"] < 5, boxes["frame"], boxes["frame"] - 50))
    assert track_boxes(close)["visit"].nunique() == 1
    spread = close.assign(frame=10 * close["frame"])
    assert track_boxes(spread, frames=range(0, 100, 10))["visit"].nunique() == 1


def test_doubtful_boxes_start_no_track_with_tracktrack_and_that_is_said():
    doubtful = people(confidence=0.5)
    said = r"tracktrack starts a track at confidence 0\.7.*highest of 60 boxes is 0\.50"
    with pytest.warns(NoTrackStartsWarning, match=said):
        assert track_boxes(doubtful, "tracktrack").empty
    settings = {"new_track_thresh": 0.4, "track_high_thresh": 0.3}
    assert track_boxes(doubtful, "tracktrack", **settings)["visit"].nunique() == 3
    assert track_boxes(doubtful, "bytetrack")["visit"].nunique() == 3


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda boxes: boxes, {"tracker": "sort"}, "tracker is 'sort'; there are bytetrack, botsort, ocsort"),
        (lambda boxes: boxes, {"patience": 3}, "bytetrack has no setting patience; it has .*track_buffer"),
        (lambda boxes: boxes.drop(columns="y2"), {}, "boxes has no column y2; it has frame"),
        (lambda boxes: boxes.assign(x1=np.nan), {}, "row 1 of 60 holds a number that is not finite"),
        (lambda boxes: boxes.assign(x2=boxes["x1"]), {}, "row 1 of 60 has no area"),
        (lambda boxes: boxes.assign(frame=boxes["frame"] + 0.5), {}, "row 1 of 60 has a frame that is no whole number"),
        (lambda boxes: boxes.assign(confidence=7.0), {}, "row 1 of 60 has a confidence outside 0 to 1"),
        (lambda boxes: boxes.assign(class_name=["person", "cart"] * 30), {}, r"several classes \(cart, person\)"),
        (lambda boxes: boxes, {"frames": range(3)}, "boxes on frame 3, which is not among the 3 frames given"),
    ],
)
def test_what_cannot_be_tracked_is_refused(change, options, message):
    with pytest.raises(ValueError, match=message):
        track_boxes(change(people()), **options)


@settings(max_examples=20, deadline=None)
@given(some.integers(0, 10_000), some.sampled_from(TRACKERS))
def test_no_box_has_two_visits_and_no_visit_two_boxes_in_a_frame(seed, tracker):
    rng = np.random.default_rng(seed)
    number = int(rng.integers(0, 120))
    boxes = pd.DataFrame({"frame": rng.integers(0, 15, number), "confidence": rng.uniform(0, 1, number)})
    boxes[["x1", "y1"]] = rng.uniform(0, 200, (number, 2))
    boxes["x2"], boxes["y2"] = boxes["x1"] + rng.uniform(1, 40, number), boxes["y1"] + rng.uniform(1, 90, number)
    tracks = track_boxes(boxes.assign(confidence=boxes["confidence"].clip(0.0, 0.99)), tracker)
    assert tracks.index.is_unique and not tracks.duplicated(["frame", "visit"]).any()
    assert (tracks["visit"] >= 1).all() and tracks[BOX].equals(boxes.loc[tracks.index, BOX])
