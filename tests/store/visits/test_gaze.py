"""Gaze: directions come to the floor, looks are seen and told from bends; attention from motion with its error."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from walkers import straight, walk

from retailkit.datasets import DataError
from retailkit.datasets.recordings import Recording, read_recordings
from retailkit.store.visits.gaze import find_gaze, find_headings, find_looks, find_marks, median_deviation, share
from retailkit.store.visits.motion import area_under_curve, compare_looks, describe_motion, score_motion
from retailkit.store.visits.windows import COLUMNS, draw_window, find_window, read_windows

WINDOW = ((4.0, 3.0), (8.0, 3.0))  # beside a street along the x axis
NOTHING = pd.DataFrame(columns=["visit", "time", "x", "y", "gaze"], dtype=float)


def scene(marks: list[tuple[float, ...]], tilt: float = 1.0) -> Recording:
    """Seen from above at a hundredth of a metre a pixel, `tilt` times that across."""
    gaze = pd.DataFrame(marks, columns=["visit", "time", "x", "y", "gaze"]).astype({"visit": int})
    homography = np.array([[0, 0.01, -3.6], [-0.01 * tilt, 0, 2.88 * tilt], [0, 0, 1.0]])
    return Recording("toy", pd.DataFrame(), (), gaze, None, homography)


ALONG = [(1, 0, 0, 0, -90), (1, 4, 400, 0, -90)]  # to the right, eyes ahead


def test_eyes_ahead_deviate_by_nothing():
    gaze = find_gaze(scene(ALONG))
    assert gaze[["x", "y"]].iloc[-1].tolist() == pytest.approx([4, 0])
    assert gaze["gaze_x"].to_numpy() == pytest.approx(1) and gaze["deviation"].max() < 1e-6
    assert gaze["speed"].to_numpy() == pytest.approx(1)


@pytest.mark.parametrize(("degrees", "way"), [(0, (0, 1)), (90, (-1, 0)), (180, (0, -1)), (-90, (1, 0)), (45, (-1, 1))])
def test_zero_is_up_and_ninety_left(degrees, way):
    gaze = find_gaze(scene([(1, 0, 0, 0, degrees), (1, 1, 100, 0, degrees)])).iloc[0]
    assert (gaze["gaze_x"], gaze["gaze_y"]) == pytest.approx(tuple(np.array(way) / np.hypot(*way)))


def test_a_slanted_camera_changes_angles():
    slanted = find_gaze(scene([(1, 0, 0, 0, -45), (1, 1, 100, 0, -45)], tilt=3.0)).iloc[0]
    assert slanted["gaze_y"] / slanted["gaze_x"] == pytest.approx(3)


def test_a_head_turns_the_short_way():
    gaze = find_gaze(scene([(1, 0, 0, 0, 170), (1, 0.8, 80, 0, -170)]))
    assert gaze["gaze_y"].max() < -0.98


def test_a_bend_is_no_look_and_a_turned_head_is():
    bend = [(1, 0, 0, 0, -90), (1, 2, 200, 0, 0), (1, 4, 200, 200, 0)]
    turned = [(2, 0, 0, 0, -90), (2, 2, 200, 0, 0), (2, 4, 400, 0, -90)]
    looks = find_looks(find_gaze(scene(bend + turned)), WINDOW, away=50).set_index("visit")
    assert not looks.loc[1, "looked_away"] and looks.loc[2, "looked_away"]


@pytest.mark.parametrize(
    ("degrees", "looked"), [(0, True), (-90, False), (180, False), (90, False), (-70, False), (-20, True)]
)
def test_who_looks_at_a_window_is_found(degrees, looked):
    """Past it from its middle on: straight at it, along the street, away from it."""
    marks = [(1, 0, 600, 100, degrees), (1, 2, 800, 100, degrees), *((2, t, 100 * t, 0, -90) for t in range(12))]
    found = find_looks(find_gaze(scene(marks)), WINDOW).set_index("visit")
    assert found.loc[1, "near"] and found.loc[1, "looked"] == looked
    assert found.loc[1, "seconds_near"] == pytest.approx(2.4)


def test_tolerance_and_length_of_a_look():
    """From (6, 1) the far end of the window lies 45 degrees to the right of straight ahead."""
    others = [(2, t, 100 * t, 0, -90) for t in range(9)]
    gaze = find_gaze(scene([(1, 0, 600, 100, -60), (1, 0.4, 600, 101, -60), *others]))
    for tolerance, least, looked in ((14, 0.4, False), (16, 0.4, True), (16, 1.2, False)):
        looks = find_looks(gaze, WINDOW, tolerance=tolerance, least=least).set_index("visit")
        assert looks.loc[1, "looked"] == looked, (tolerance, least)


@pytest.mark.parametrize(
    ("window", "options", "message"),
    [
        (((0, 0), (0, 0)), {}, "two different points"),
        (((0, 0), (np.nan, 0)), {}, "two different points"),
        (WINDOW, {"tolerance": 0}, "tolerance is 0: a figure above 0"),
        (WINDOW, {"reach": -1}, "reach is -1"),
    ],
)
def test_what_is_no_window_is_refused(window, options, message):
    with pytest.raises(ValueError, match=message):
        find_looks(find_gaze(scene(ALONG)), window, **options)


def test_without_marks_there_is_no_gaze():
    with pytest.raises(DataError, match="nobody marked heads in toy: find_headings"):
        find_gaze(Recording("toy", pd.DataFrame(), (), NOTHING, None, np.eye(3)))


def test_marks_that_repeat_the_way_are_counted():
    marks = find_marks(scene([(1, 0, 0, 0, -90), (1, 1, 100, 0, -60), (1, 2, 200, 100, 0), (1, 3, 200, 200, 0)]))
    assert marks["deviation"].tolist() == pytest.approx([0, 15, 0], abs=1e-6)
    assert marks["repeats"].tolist() == [True, False, True]


def test_a_heading_is_kept_while_standing():
    stops = walk((0, 0), (0.5, 0), (1, 0), *[(1, 0)] * 10)
    headings = find_headings(stops)
    assert headings["gaze_x"].to_numpy() == pytest.approx(1) and len(headings) == len(stops)
    assert find_headings(walk(*[(1, 1)] * 5)).empty  # nothing tells where they look


def test_shares_have_wilson_s_interval():
    looks = pd.DataFrame({"near": [True] * 10 + [False], "looked": [True] * 9 + [False] * 2})
    assert str(share(looks)) == "0.900 (95 % interval 0.596 to 0.982)"
    with pytest.raises(ValueError, match="no visit is near"):
        share(looks.assign(near=False))


def passers(seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """People of whom a third veers towards the window; who does looks at it."""
    rng = np.random.default_rng(seed)
    ways, looked = [], rng.random(90) < 0.35
    for visit, veers in enumerate(looked):
        y = rng.uniform(-1, 1)
        points = [(-2, y), (6, 2.6), (14, y)] if veers else [(-2, y), (14, y)]
        way = pd.concat([straight(a, b, visit=visit) for a, b in pairwise(points)])
        ways.append(way.assign(time=np.arange(len(way)) * 0.4))
    return pd.concat(ways, ignore_index=True), pd.DataFrame({"visit": range(90), "near": True, "looked": looked})


def test_motion_tells_who_veers_and_the_placebo_tells_nothing():
    tracks, looks = passers()
    motion = describe_motion(tracks, WINDOW)
    assert len(motion) == 90 and (motion["nearest"] < 6).all()
    table = score_motion(motion, looks, [(0, 1), (2, 3)]).set_index("predictor")
    assert table.loc["all", "low"] > 0.9 and table.loc["all", "positives"] == looks["looked"].sum()
    placebo = table.loc["placebo: another visit's motion"]
    assert placebo["low"] < 0.5 < placebo["high"]
    with pytest.raises(ValueError, match="0 of 90 visits are 'looked'"):
        score_motion(motion, looks.assign(looked=False))


def test_the_area_is_sklearn_s():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(1)
    answer = rng.random(80) < 0.3
    table = pd.DataFrame({"answer": answer, "score": (rng.normal(answer, 1)).round(1), "group": np.arange(80)})
    found = area_under_curve(table)
    assert found.value == pytest.approx(roc_auc_score(answer, table["score"]))
    assert found.low < found.value < found.high


def test_guessed_looks_are_compared_over_those_near():
    looks = pd.DataFrame({"visit": range(5), "near": [True] * 4 + [False], "looked": [True, True, False, False, True]})
    table = compare_looks(looks.assign(looked=[True, False, False, True, False]), looks).set_index("what")
    assert table["value"].tolist() == [0.5, 0.5, 0.5] and table["visits"].tolist() == [2, 2, 4]


def test_a_window_nobody_drew_is_said():
    with pytest.raises(DataError, match="nobody has drawn a window 'shop' for toy; there are: shop in zara01"):
        find_window(scene(ALONG))
    flat = pd.DataFrame([("toy", "shop", "pane", 0, 0, 0)], columns=COLUMNS)
    with pytest.raises(DataError, match="has no foot of two points"):
        find_window(scene(ALONG), windows=flat)


def test_windows_that_cannot_be_read_are_refused(tmp_path):
    path = tmp_path / "windows.csv"
    path.write_text("scene,window\nzara01,shop\n")
    with pytest.raises(DataError, match="has no column part, column, row, raised"):
        read_windows(path)
    with pytest.raises(DataError, match="is no table of windows"):
        read_windows(tmp_path / "none.csv")


def test_a_foot_comes_to_the_floor_and_the_outline_is_drawn_without_the_picture():
    rows = [
        ("toy", "shop", "pane", 700, 10, 0),
        ("toy", "shop", "pane", 720, 10, 0),
        ("toy", "shop", "pane", 720, 30, 0),
    ]
    rows += [("toy", "shop", "foot", 460, 188, 0), ("toy", "shop", "foot", 560, 188, 0)]
    windows = pd.DataFrame(rows, columns=COLUMNS)
    assert np.array(find_window(scene(ALONG), windows=windows)) == pytest.approx(np.array([(1, 1), (2, 1)]))
    raised = find_window(scene(ALONG), windows=windows.assign(raised=50))  # people are marked on their heads
    assert np.array(raised) == pytest.approx(np.array([(1, 1.5), (2, 1.5)]))
    marks = scene(ALONG).gaze.assign(looks=[True, False])
    chart = draw_window(scene(ALONG), marks, windows=windows)
    assert "1 panes outlined" in chart.alt and "2 arrows show where heads pointed, 1 of them" in chart.alt
    assert not chart.photographs and chart.png().startswith(b"\x89PNG")


@pytest.fixture(scope="module")
def zaras():
    try:
        found = [one for one in read_recordings("tracks_ucy") if one.name in ("zara01", "zara02") and len(one.gaze)]
    except DataError:
        found = []
    if not found:
        pytest.skip("real data is absent: set RETAILKIT_DATA to a folder with tracks_ucy")
    return found


def test_the_marks_of_zara_mostly_repeat_the_way(zaras):
    for one in zaras:
        gaze, marks = find_gaze(one), find_marks(one)
        assert marks["repeats"].mean() > 0.6
        middle = median_deviation(gaze)
        assert 2 <= middle.low < middle.high <= 3.5
        looks = find_looks(gaze, find_window(one))
        by_heading = find_looks(find_headings(one.tracks), find_window(one))
        print(
            f"{one.name}: {share(looks)} look towards the window, {share(looks, 'looked_away', '')} away from the way"
        )
        assert share(looks).low > 0.1 and share(looks, "looked_away", "").high < 0.2
        assert compare_looks(by_heading, looks).set_index("what").loc["alike", "low"] > 0.85


def test_zara_s_window_lies_beside_the_street(zaras):
    for one in zaras:
        (x1, y1), (x2, y2) = find_window(one)
        assert np.hypot(x2 - x1, y2 - y1) == pytest.approx(7.1, abs=0.1)  # metres
        assert (x1, x2) == pytest.approx((1.45, 1.45), abs=0.1)  # one wall, whether feet or heads were marked
        nobody = one.tracks[one.tracks["y"].between(y1, y2) & (one.tracks["x"] > max(x1, x2) + 0.3)]
        assert len(nobody) < 0.01 * len(one.tracks)  # behind the glass


def test_the_window_is_shown_on_the_picture(zaras):
    chart = draw_window(zaras[0], zaras[0].gaze[:20])
    assert chart.photographs and "on a photograph of the street; 20 arrows" in chart.alt
    assert not draw_window(zaras[0], pictures=False).photographs
