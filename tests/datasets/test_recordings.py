"""UCY's and ETH's files become tidy tables; what is wrong in them is named with file and line."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from retailkit.datasets import DataError, card, check, load
from retailkit.datasets.recordings import read_recordings, read_splines
from retailkit.datasets.splines import follow_splines, to_floor

TABLE = "10 1 0.0 0 2.0 0 0 0\n10 2 5.0 0 1.0 0 0 0\n\n16 1 0.5 0 2.5 0 0 0\n22 1 1.0 0 3.0 0 0 0\n"
SPLINES = """2 - the number of splines
2 - Num of control points
279.000000 -123.000000 0 87.397438 - (2D point, m_id)
218.000000 -123.000000 25 90.000000
1 - Num of control points
1.0 2.0 50 -10.0 - (2D point, m_id)
"""


@pytest.fixture
def scenes(tmp_path, monkeypatch):
    home = tmp_path / "data" / "tracks_toy"
    for scene in ("north", "south"):
        (home / scene).mkdir(parents=True)
    (home / "north" / "obsmat.txt").write_text(TABLE)
    (home / "north" / "groups.txt").write_text("1 2\n\n3\n")
    (home / "north" / "H.txt").write_text("1 0 0\n0 1 0\n0 0 1\n")
    (home / "south" / "annotation.vsp").write_text(SPLINES)
    (home / "empty").mkdir()
    monkeypatch.setenv("RETAILKIT_DATA", str(home.parent))
    return home


def test_a_set_is_read_by_its_name(scenes):
    north, south = read_recordings("tracks_toy")
    assert north.tracks.values.tolist() == [[1, 0, 0, 2], [1, 0.4, 0.5, 2.5], [1, 0.8, 1, 3], [2, 0, 5, 1]]
    assert north.groups == ((1, 2),) and north.homography.shape == (3, 3) and north.gaze.empty
    assert south.groups == () and "guessed from how fast people walk" in south.calibration
    assert south.gaze.values.tolist() == [[1, 0, 279, -123, 87.397438], [1, 1, 218, -123, 90], [2, 2, 1, 2, -10]]
    assert [scene.name for scene in read_recordings(scenes, scenes=["south"])] == ["south"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1 2 3\n", r"obsmat\.txt, line 1: 3 numbers; 8 are needed"),
        (TABLE + "x 1 1 1 1 1 1 1\n", r"obsmat\.txt, line 6: could not convert string to float: 'x'"),
        ("\n", r"obsmat\.txt is empty"),
    ],
)
def test_a_broken_table_names_its_line(scenes, content, message):
    (scenes / "north" / "obsmat.txt").write_text(content)
    with pytest.raises(DataError, match=message):
        read_recordings("tracks_toy")


LINES = SPLINES.splitlines()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            SPLINES.replace("218.000000 -123.000000 25 90.000000", "218, -123"),
            r"line 4: '218, -123' is no control point",
        ),
        ("0 - the number of splines\n", "holds no control points"),
        ("", "ends where the number of splines should stand"),
        ("\n".join(LINES[:1]), "ends where the length of spline 1 of 2 should stand"),
        ("\n".join(LINES[:3]), r"ends where point 2 of 2 of spline 1, begun on line 2, should stand: the file is cut"),
        ("\n".join(LINES[:4]), "ends where the length of spline 2 of 2 should stand"),
        ("\n".join(LINES[:3] + LINES[4:]), r"line 4: '1' is no control point .* \(point 2 of 2 of spline 1, begun on"),
        (SPLINES.replace("1 - Num", "one - Num"), r"line 5: 'one' is not the length of spline 2 of 2"),
        (SPLINES.replace("-10.0", "nan"), r"line 6: '1.0 2.0 50 nan' is no control point"),
    ],
)
def test_a_broken_spline_names_its_line(tmp_path, content, message):
    path = tmp_path / "annotation.vsp"
    path.write_text(content)
    with pytest.raises(DataError, match=rf"annotation\.vsp.*{message}"):
        read_splines(path)


@given(some.integers(0, len(SPLINES)))
def test_no_file_is_cut_off_in_silence(end):
    """Cut anywhere: the whole file, an error, or a comment or a figure's last digits that are missing."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "annotation.vsp"
        path.write_text(SPLINES[:end])
        try:
            points, _ = read_splines(path)
        except DataError:
            return
        assert len(points) == 3 and end >= SPLINES.index("50 -1")


def test_clocks_that_stand_still_are_set_aside(tmp_path):
    path = tmp_path / "annotation.vsp"
    path.write_text(SPLINES.replace("25 90", "0 90") + "0 - the number of obstacles\n")
    points, wrong = read_splines(path)
    assert points["visit"].tolist() == [1, 2]
    assert wrong[["line", "problem"]].values.tolist() == [
        [4, "frame 0 does not come after frame 0"],
        [7, "'0' stands after the last spline"],
    ]


def test_what_is_not_there_is_said(scenes, tmp_path):
    with pytest.raises(DataError, match="there is no dataset 'tracks_none'"):
        read_recordings("tracks_none")
    with pytest.raises(DataError, match="has no scene 'west'; it has north, south"):
        read_recordings("tracks_toy", scenes=["west"])
    with pytest.raises(DataError, match=r"holds no folder with an obsmat\.txt"):
        read_recordings(tmp_path)


def test_the_real_sets(real_data):
    scenes = [scene for name in ("tracks_ucy", "tracks_eth") for scene in read_recordings(real_data / name)]
    assert any(len(scene.tracks) for scene in scenes) and any(len(scene.gaze) for scene in scenes)
    for scene in scenes:  # a folder may hold the splines alone
        steps = scene.tracks.groupby("visit")["time"].diff().dropna()
        assert not len(steps) or steps.median() == pytest.approx(0.4)


def test_splines_alone_give_the_tracks_of_the_table(real_data, tmp_path):
    """zara01 and zara02 have both: the same people at the same moments, to a millimetre."""
    for name in ("zara01", "zara02"):
        if not (real_data / "tracks_ucy" / name / "obsmat.txt").is_file():
            pytest.skip(f"{name} is not among the real data")
        (tmp_path / name).mkdir()
        for file in ("annotation.vsp", "H.txt", "reference.png"):
            shutil.copy(real_data / "tracks_ucy" / name / file, tmp_path / name / file)
        [both], [alone] = read_recordings(real_data / "tracks_ucy", [name]), read_recordings(tmp_path, [name])
        assert alone.tracks[["visit", "time"]].equals(both.tracks[["visit", "time"]])
        off = (alone.tracks - both.tracks)[["x", "y"]]
        assert (off - off.median()).abs().max().max() < 0.001  # zara02's H.txt has another origin
        (tmp_path / name / "H.txt").unlink()
        [guessed] = read_recordings(tmp_path, [name])
        assert "guessed" in guessed.calibration
        way = [
            np.hypot(*scene.tracks.groupby("visit")[["x", "y"]].diff().dropna().T.values) for scene in (both, guessed)
        ]
        assert way[1].sum() / way[0].sum() == pytest.approx(1, abs=0.12)


def test_pixels_lead_to_the_place_of_the_table(real_data):
    for scene in read_recordings(real_data / "tracks_ucy"):
        if "meet" in scene.calibration:
            walked = follow_splines(scene.gaze)
            off = to_floor(scene.homography, scene.size, walked["x"], walked["y"]) - scene.tracks[["x", "y"]].to_numpy()
            assert np.hypot(*off.T).max() < 0.001


@pytest.mark.parametrize("seconds", [0.2, 0.4, 0.8, 1.0])
def test_the_length_of_a_step_is_read_from_the_speeds(scenes, seconds):
    rows = [f"{10 * frame} 1 {1.2 * seconds * frame} 0 0 1.2 0 0" for frame in range(30)]
    (scenes / "north" / "obsmat.txt").write_text("\n".join(rows))
    (scenes / "north" / "groups.txt").unlink()
    [north] = read_recordings("tracks_toy", ["north"])
    assert north.tracks["time"].diff().dropna().to_numpy() == pytest.approx(seconds)


def test_groups_that_are_no_numbers_are_refused(scenes):
    (scenes / "north" / "groups.txt").write_text("1 2 2\n3 x\n")
    with pytest.raises(DataError, match=r"groups\.txt, line 2: '3 x' is no list of whole numbers"):
        read_recordings("tracks_toy")


def test_wildtrack_s_frames_are_one_scene(tmp_path):
    (tmp_path / "00000010.json").write_text('[{"personID": 7, "positionID": 482}, {"personID": 3, "positionID": 0}]')
    (tmp_path / "00000015.json").write_text('[{"personID": 7, "positionID": 483}]')
    [scene] = read_recordings(tmp_path)
    assert scene.tracks.values.tolist() == [[3, 0, -3, -9], [7, 0, -2.95, -8.975], [7, 0.5, -2.925, -8.975]]
    (tmp_path / "00000020.json").write_text("[7]")
    with pytest.raises(DataError, match=r"00000020\.json: no list of people"):
        read_recordings(tmp_path)


@pytest.mark.parametrize("name", ["tracks_ucy", "tracks_eth", "tracks_wildtrack", "video"])
def test_the_command_line_shows_what_is_there(real_data, name):
    if not (real_data / name).is_dir():
        pytest.skip(f"{name} is not among the real data")
    before = sorted((path, path.stat().st_mtime_ns) for path in (real_data / name).rglob("*"))
    told = check(name)
    assert card(name).licence in told and "digest" in told
    assert before == sorted((path, path.stat().st_mtime_ns) for path in (real_data / name).rglob("*"))


def test_tracks_are_no_photographs():
    with pytest.raises(DataError, match=r"tracks_ucy holds no photographs with boxes but tracks: .*read_recordings"):
        load("tracks_ucy")
