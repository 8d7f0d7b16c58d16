"""Boxes of several cameras are read as they were written, and a wrong file is named."""

import json

import pytest

from retailkit.datasets import DataError
from retailkit.datasets.cameras import read_cameras


def person(number: int, *views: tuple[int, int, int, int]) -> dict:
    names = ("xmin", "ymin", "xmax", "ymax")
    told = [{"viewNum": camera, **dict(zip(names, view, strict=True))} for camera, view in enumerate(views)]
    return {"personID": number, "positionID": 5, "views": told}


def test_a_box_for_each_camera_that_sees_somebody(tmp_path):
    unseen = (-1, -1, -1, -1)
    (tmp_path / "00000000.json").write_text(json.dumps([person(7, (10, 20, 30, 90), unseen)]))
    (tmp_path / "00000005.json").write_text(json.dumps([person(7, unseen, (-4, 5, 40, 80)), person(3, (1, 2, 3, 4))]))
    boxes = read_cameras(tmp_path)
    assert boxes.values.tolist() == [
        [0, 0, 0.0, 7, 10, 20, 30, 90],
        [0, 1, 0.5, 3, 1, 2, 3, 4],
        [1, 1, 0.5, 7, -4, 5, 40, 80],
    ]


def test_what_is_no_such_set_is_named(tmp_path):
    with pytest.raises(DataError, match="holds no"):
        read_cameras(tmp_path)
    (tmp_path / "00000000.json").write_text('[{"personID": 1}]')
    with pytest.raises(DataError, match=r"00000000\.json: KeyError 'views'; a list of persons with views"):
        read_cameras(tmp_path)


def test_the_square_is_seen_by_seven_cameras(real_data):
    if not (real_data / "tracks_wildtrack").is_dir():
        pytest.skip("tracks_wildtrack is not among the real data")
    boxes = read_cameras("tracks_wildtrack")
    assert boxes["camera"].nunique() == 7 and not boxes.duplicated(["camera", "frame", "visit"]).any()
    assert ((boxes["x2"] > boxes["x1"]) & (boxes["y2"] > boxes["y1"])).all()
