"""UCY's and ETH's files become tidy tables; what is wrong in them is named with file and line."""

import pytest

from retailkit.datasets import DataError
from retailkit.datasets.recordings import read_recordings, read_splines

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
    assert south.tracks.empty and south.homography is None and south.groups == ()
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


def test_a_broken_spline_names_its_line(tmp_path):
    path = tmp_path / "annotation.vsp"
    path.write_text(SPLINES.replace("218.000000 -123.000000 25 90.000000", "218, -123"))
    with pytest.raises(DataError, match=r"annotation\.vsp, line 4: '218, -123' is no control point"):
        read_splines(path)
    path.write_text("0 - the number of splines\n")
    with pytest.raises(DataError, match="holds no control points"):
        read_splines(path)


def test_what_is_not_there_is_said(scenes, tmp_path):
    with pytest.raises(DataError, match="there is no folder 'tracks_none'"):
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
