"""Recordings of people with tags: read by name, on one clock, and every line is a row or in quarantine."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from retailkit.datasets import DataError, card
from retailkit.datasets.tagged_people import ANTENNA, read_tagged_people

TRACKS = """72057594037941243, 2016-02-05 19:14:04:562, 500.5, 249.25
72057594037941243, 2016-02-05 19:14:04:575, 499.5, 249.25
11, 2016-02-05 19:14:05:062, 100, 50
"""
READS = """0000 0000 001e,0.5,-5.75,0.08,2016-02-05 19:14:03:880
0000 0000 001E,-1.5,2,-0.25,2016-02-05 19:14:05:000
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    home = tmp_path / "data" / "tagged_toy"
    home.mkdir(parents=True)
    (home / "2-5-2016.txt").write_text(TRACKS)
    (home / "RFID_2-5-2016.txt").write_text(READS)
    (home / "README.txt").write_text("not a recording")
    monkeypatch.setenv("RETAILKIT_DATA", str(home.parent))
    return home


def test_a_recording_is_read_by_the_name_of_its_set(folder):
    [one] = read_tagged_people("tagged_toy")
    assert one.name == "2-5-2016" and one.antenna == ANTENNA == (4.5, 0.0) and one.quarantine.empty
    assert one.tracks["visit"].tolist() == [72057594037941243, 72057594037941243, 11]  # not by way of a float
    assert one.tracks[["time", "x", "y"]].values.tolist() == [
        [0.0, 5.005, 2.4925],
        [0.013, 4.995, 2.4925],
        [0.5, 1.0, 0.5],
    ]
    assert one.reads.to_dict("list") == {
        "time": [-0.682, 0.438],
        "epc": ["00000000001E"] * 2,
        "doppler": [0.5, -1.5],
        "speed": [0.08, -0.25],
        "reader_doppler": [-5.75, 2.0],
    }


@pytest.mark.parametrize(
    ("file", "line", "problem"),
    [
        ("2-5-2016.txt", "11, 2016-02-05 19:14:05:162, 100", "3 fields; 4 are needed: number, time, x, y"),
        ("2-5-2016.txt", "1.5, 2016-02-05 19:14:05:162, 100, 50", "'1.5' is no number of a track"),
        ("2-5-2016.txt", "11, 2016-02-05 19:14:05.162, 100, 50", "'2016-02-05 19:14:05.162' is no time; one like"),
        ("2-5-2016.txt", "11, 2016-02-30 19:14:05:162, 100, 50", "'2016-02-30 19:14:05:162' is no time"),
        ("2-5-2016.txt", "11, 2016-02-05 19:14:05:162, nan, 50", "'nan' is not x in centimetres; a number is needed"),
        ("2-5-2016.txt", "11, 2016-02-05 19:14:05:162, 100, far", "'far' is not y in centimetres"),
        ("2-5-2016.txt", "11, 2016-02-05 19:14:05:162, 450, 0", "'450, 0' is where the camera stands"),
        ("2-5-2016.txt", "11, 2016-02-05 19:14:05:062, 101, 50", "11 has a row at this time already"),
        ("RFID_2-5-2016.txt", "001E,1,1,1", "4 fields; 5 are needed: code"),
        ("RFID_2-5-2016.txt", "00 1G,1,1,1,2016-02-05 19:14:05:162", "'00 1G' is no code of a tag; hexadecimal"),
        ("RFID_2-5-2016.txt", "001E,inf,1,1,2016-02-05 19:14:05:162", "'inf' is not a frequency in Hz"),
        ("RFID_2-5-2016.txt", "001E,1,1,,2016-02-05 19:14:05:162", "'' is not a speed in m/s"),
        ("RFID_2-5-2016.txt", "001E,1,1,1,19:14:05:162", "'19:14:05:162' is no time"),
        ("RFID_2-5-2016.txt", "00000000001E,1,1,1,2016-02-05 19:14:05:000", "00000000001E has a row at this time"),
    ],
)
def test_a_wrong_line_is_set_aside_and_named(folder, file, line, problem):
    path = folder / file
    before = len(path.read_text().splitlines())
    path.write_text(path.read_text() + "\n" + line + "\n")
    [one] = read_tagged_people("tagged_toy")
    assert len(one.tracks) == 3 and len(one.reads) == 2
    [(where, number, told)] = one.quarantine.values.tolist()
    assert (where, number) == (file, before + 2) and problem in told


def test_rows_that_are_out_of_order_are_sorted(folder):
    path = folder / "RFID_2-5-2016.txt"
    path.write_text("\n".join(reversed(READS.splitlines())))
    [one] = read_tagged_people("tagged_toy")
    assert one.reads["time"].tolist() == [-0.682, 0.438] and one.quarantine.empty


def test_a_set_that_is_none_is_refused(folder, tmp_path):
    with pytest.raises(DataError, match=r"no recording '2-6-2016'; it has 2-5-2016"):
        read_tagged_people("tagged_toy", recordings=["2-6-2016"])
    (folder / "2-6-2016.txt").write_text(TRACKS)
    with pytest.raises(DataError, match=r"2-6-2016\.txt has no RFID_2-6-2016\.txt beside it"):
        read_tagged_people("tagged_toy")
    (folder / "2-6-2016.txt").rename(folder / "RFID_2-7-2016.txt")
    with pytest.raises(DataError, match=r"RFID_2-7-2016\.txt has no 2-7-2016\.txt beside it"):
        read_tagged_people("tagged_toy")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no recording"):
        read_tagged_people(tmp_path / "empty")
    with pytest.raises(DataError, match="is no folder"):
        read_tagged_people(tmp_path / "nowhere")


@pytest.mark.parametrize(("content", "words"), [("", ": it is empty"), ("1,2\n", "; line 1: 2 fields; 5 are needed")])
def test_a_file_without_a_good_line_is_refused(folder, content, words):
    (folder / "RFID_2-5-2016.txt").write_text(content)
    with pytest.raises(DataError, match=f"RFID_2-5-2016.txt holds no line that can be used{words}"):
        read_tagged_people("tagged_toy")


TIMES = ["2016-02-05 19:14:05:162", "2016-02-05 19:14:05:16"]
WORDS = some.sampled_from(["11", "12", "001E", "", "nan", "-1e400", "450", "0", "\x00", "é", *TIMES])
LINES = some.lists(some.lists(WORDS, max_size=6).map(",".join) | some.text(alphabet="0,:- aE\t", max_size=40))


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LINES, LINES)
def test_every_line_is_a_row_or_set_aside(folder, tracks, reads):
    for file, good, lines in (("2-5-2016.txt", TRACKS, tracks), ("RFID_2-5-2016.txt", READS, reads)):
        (folder / file).write_text(good + "\n".join(lines), encoding="utf-8")
    [one] = read_tagged_people("tagged_toy")
    written = 5 + sum(bool(line.strip()) for line in [*tracks, *reads])
    assert len(one.tracks) + len(one.reads) + len(one.quarantine) == written
    numbers = [one.tracks[["time", "x", "y"]], one.reads[["time", "doppler", "speed", "reader_doppler"]]]
    assert all(np.isfinite(table.to_numpy()).all() for table in numbers)
    assert one.reads["epc"].str.fullmatch("[0-9A-F]+").all()


def test_the_card_is_whole():
    known = card("rfid_kinect")
    assert known.kind == "reads" and not known.shareable and len(known.digest) == 64
    assert " @ " in known.source and "RETAILKIT_DATA" in known.obtain


def test_real_recordings_lose_no_line(real_data):
    home = real_data / "rfid_kinect"
    recordings = read_tagged_people("rfid_kinect")
    assert len(recordings) * 2 == len(list(home.glob("*.txt")))
    for one in recordings:
        files = [home / f"{one.name}.txt", home / f"RFID_{one.name}.txt"]
        lines = sum(bool(line.strip()) for path in files for line in path.read_text().splitlines())
        assert len(one.tracks) + len(one.reads) + len(one.quarantine) == lines
        assert len(one.quarantine) < 0.01 * lines
        assert one.tracks["time"].iloc[0] == 0 and abs(one.reads["time"].iloc[0]) < 60
        moved = one.reads[one.reads["doppler"].abs() > 0.1]
        assert (moved["speed"] / moved["doppler"]).between(0.155, 0.175).all()  # half a wavelength at 857 to 967 MHz
