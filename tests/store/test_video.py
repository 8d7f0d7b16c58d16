"""Films are read whole and let go, looked at frame by frame, and judged on frames that somebody counted."""

import json
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from retailkit.datasets import DataError
from retailkit.store import counted, filmed, video
from retailkit.store.floor import Plan
from retailkit.store.moving import find_moving

GIF = "video/store-aisle-detection.gif"
WIDTH, HEIGHT, FRAMES = 120, 90, 24
PLAN = Plan(((0, 0), (120, 0), (120, 90), (0, 90)), ((0, 0), (12, 0), (12, 9), (0, 9)), ((6, 1), (6, 8)))


def box(frame: int) -> tuple[float, float, float, float]:
    """Somebody of 12 by 40 pixels who walks to the right."""
    left = 5 + 4.0 * frame
    return left, 30.0, left + 12, 70.0


def pictures(frames: int = FRAMES) -> list[np.ndarray]:
    """A store with a pattern of goods, and somebody in blue."""
    rng = np.random.default_rng(0)
    room = rng.integers(90, 160, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    made = []
    for frame in range(frames):
        left, top, right, bottom = map(int, box(frame))
        picture = room.copy()
        picture[top:bottom, left:right] = (20, 40, 230)
        made.append(picture)
    return made


def write(path: Path, frames: Iterable[np.ndarray]) -> Path:
    """Write frames as AVI, 8 a second."""
    import cv2

    film = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 8, (WIDTH, HEIGHT))
    for picture in frames:
        film.write(picture[..., ::-1])
    film.release()
    return path


@pytest.fixture
def gif(tmp_path):
    path = tmp_path / "walk.gif"
    frames = [Image.fromarray(picture) for picture in pictures()]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=[100, 60] * (FRAMES // 2), loop=0)
    return path


@pytest.fixture
def avi(tmp_path):
    return write(tmp_path / "walk.avi", pictures())


class Blue:
    """A detector that boxes what is blue: as `Detector.watch` does it, without weights."""

    confidence = 0.5

    def watch(self, frames, confidence=None, batch=16):
        for picture in frames:
            blue = (picture[..., 2].astype(int) - picture[..., 0]) > 90
            rows, columns = np.flatnonzero(blue.any(axis=1)), np.flatnonzero(blue.any(axis=0))
            where = [(columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)] if len(rows) else []
            found = pd.DataFrame(where, columns=["x1", "y1", "x2", "y2"], dtype=float)
            yield found.assign(photo="image0.jpg", class_name="person", confidence=0.9)


def by_hand(frames=range(0, FRAMES, 4)) -> pd.DataFrame:
    rows = [(frame, 1, *box(frame)) for frame in frames]
    return pd.DataFrame(rows, columns=["frame", "person", "x1", "y1", "x2", "y2"])


def test_a_gif_has_its_own_times(gif):
    film = video.open_film(gif)
    assert (film.name, film.width, film.height, len(film.times)) == ("walk.gif", WIDTH, HEIGHT, FRAMES)
    assert np.allclose(film.times[:4], [0, 0.1, 0.16, 0.26]) and film.seconds == pytest.approx(1.92, abs=0.05)
    assert film.profile()["frames"] == FRAMES and len(film.digest) == 64
    assert not film.shareable and film.least == 11, "nobody has said that it may be shown"


def test_other_films_have_their_rate(avi):
    film = video.open_film(avi)
    assert np.allclose(film.times, np.arange(FRAMES) / 8) and (film.width, film.height) == (WIDTH, HEIGHT)


@pytest.mark.parametrize("name", ["gif", "avi"])
def test_frames_come_in_order_and_in_their_colours(name, request):
    film = video.open_film(request.getfixturevalue(name))
    for number, (read, made) in enumerate(zip(video.read_frames(film), pictures(), strict=True)):
        assert read.shape == made.shape and read.dtype == np.uint8
        left, top, right, bottom = map(int, box(number))
        inside = read[top + 3 : bottom - 3, left + 3 : right - 3].reshape(-1, 3).mean(axis=0)
        assert np.allclose(inside, (20, 40, 230), atol=25), f"frame {number}: {inside}"
    some = list(video.read_frames(film, [5, 2]))
    assert len(some) == 2 and np.array_equal(some[0], list(video.read_frames(film))[2])


def test_a_long_film_takes_no_more_memory_than_a_short_one(tmp_path):
    peaks = []
    for number in (20, 200):
        opened = video.open_film(write(tmp_path / f"{number}.avi", [pictures(1)[0]] * number))
        tracemalloc.start()
        assert sum(1 for _ in video.read_frames(opened)) == number
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 2 * WIDTH * HEIGHT * 3


def test_boxes_have_their_frame_and_time(gif):
    film = video.open_film(gif)
    found = video.detect_video(film, Blue())
    assert found.columns.tolist() == ["frame", "time", "x1", "y1", "x2", "y2", "class_name", "confidence"]
    assert found["frame"].tolist() == list(range(FRAMES)) and np.allclose(found["time"], film.times)
    assert np.allclose(found[["x1", "y1", "x2", "y2"]], [box(frame) for frame in range(FRAMES)], atol=1)
    people = video.count_people(film, found[found["frame"] != 3])
    assert people["people"].tolist() == [1, 1, 1, 0] + [1] * (FRAMES - 4)


def test_counts_side_by_side(gif):
    film = video.open_film(gif)
    nobody = pd.DataFrame({"frame": [1], "person": [None]})
    hand = pd.concat([by_hand([0, 4]), nobody], ignore_index=True)
    table = video.compare_counts(film, detector=video.detect_video(film, Blue()), by_hand=hand)
    assert table.groupby("who", sort=False)["people"].apply(list).to_dict() == {
        "detector": [1] * FRAMES, "by hand": [1, 0, 1],
    }  # fmt: skip


def test_what_is_missed_and_what_is_false_is_scored(gif):
    film = video.open_film(gif)
    found = video.detect_video(film, Blue())
    hand = by_hand()
    perfect = counted.score_frames(found, hand, 0.5, times=film.times, stretch=0.4)
    assert perfect.estimate("recall").value == 1 and counted.false_boxes(perfect).value == 0
    far = found[found["frame"] == 8].assign(x1=80.0, x2=100.0)
    poorer = pd.concat([found[found["frame"] != 4], far, far.assign(confidence=0.3)])
    score = counted.score_frames(poorer, hand, 0.5, times=film.times, stretch=0.4)
    recall, false = score.estimate("recall"), counted.false_boxes(score)
    assert recall.value == pytest.approx(5 / 6) and recall.low < recall.value < recall.high
    assert false.value == pytest.approx(1 / 6) and recall.units == false.units == 5
    unsure = counted.score_frames(poorer, hand, 0.2, times=film.times, stretch=0.4)
    assert counted.false_boxes(unsure).value == pytest.approx(2 / 6)
    placebo = score.placebo().estimate("recall").value
    assert placebo == 0, "who walks is elsewhere in other frames"


def test_who_is_who_on_counted_frames(gif):
    found = video.detect_video(video.open_film(gif), Blue())
    table = counted.score_trackers(found, by_hand(), ["bytetrack", "ocsort"])
    assert table["tracker"].unique().tolist() == ["bytetrack", "ocsort"]
    assert (table.query("metric == 'idf1'")["value"] > 0.8).all()


@pytest.mark.parametrize("name", ["gif", "avi"])
def test_what_moves_is_a_person(name, request):
    film = video.open_film(request.getfixturevalue(name))
    score = counted.score_frames(find_moving(film), by_hand(), 0.0, times=film.times, stretch=0.4)
    assert score.estimate("recall").value == 1 and counted.false_boxes(score).value == 0


def test_who_stands_still_does_not_move(tmp_path):
    path = write(tmp_path / "still.avi", [pictures()[10]] * 8 + [pictures()[11]])
    assert find_moving(video.open_film(path)).query("frame < 8").empty


def test_frames_are_shown_from_memory(gif, tmp_path):
    from retailkit.lab.charts import photo_sheet

    film = video.open_film(gif)
    frames = video.show_frames(film, [8, 0, 8])
    assert frames["photo"].tolist() == ["frame-000000", "frame-000008"]
    sheet = photo_sheet(frames, counted.as_photos(by_hand()), shareable=False)
    assert "drawn as boxes alone" in sheet.alt and "2 labelled boxes" in sheet.alt
    assert "drawn as boxes" not in photo_sheet(frames, counted.as_photos(by_hand()), shareable=True).alt
    assert sorted(path.name for path in tmp_path.iterdir()) == ["walk.gif"], "nothing is written"


def test_what_lies_beside_a_film_is_read(gif):
    film = video.open_film(gif)
    with pytest.raises(DataError, match=r"nobody has written down frames counted by hand for walk\.gif: put walk\."):
        assert film.counted is None
    by_hand().to_csv(gif.with_name("walk.counted.csv"), index=False)
    plan = {"pixels": PLAN.pixels, "metres": PLAN.metres, "line": PLAN.line, "licence": "CC0", "shareable": True}
    gif.with_name("walk.plan.json").write_text(json.dumps(plan))
    film = video.open_film(gif)
    assert len(film.counted) == 6 and film.plan == PLAN
    assert film.shareable and film.licence == "CC0" and film.least == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("frame,person,x1,y1,x2\n0,1,2,3,4\n", "has no column y2"),
        ("frame,person,x1,y1,x2,y2\n0,1,5,5,4,9\n", "line 2: its box has no area"),
        ("frame,person,x1,y1,x2,y2\n0,1,2,3,4,9\n99,1,2,3,4,9\n", "line 3: the film has no such frame"),
    ],
)
def test_a_wrong_count_is_named(gif, content, message):
    gif.with_name("walk.counted.csv").write_text(content)
    with pytest.raises(DataError, match=message):
        assert video.open_film(gif).counted is None


def test_what_is_no_film_is_refused(tmp_path, gif):
    with pytest.raises(DataError, match=r"there is no film 'nowhere/film\.gif'"):
        video.open_film("nowhere/film.gif")
    for name in ("text.gif", "text.avi"):
        (tmp_path / name).write_text("no film")
        with pytest.raises(DataError, match="text"):
            video.open_film(tmp_path / name)
    with pytest.raises(DataError, match=r"walk\.gif has no frame 24: it has 24, from 0"):
        list(video.read_frames(gif, [3, 24]))


def test_a_page_about_nobody_is_a_page():
    nobody = pd.DataFrame({"visit": pd.Series(dtype=int), "time": [], "x": [], "y": []}, dtype=float)
    assert filmed.count_ways(nobody, PLAN).empty
    assert "does not tell" in filmed.draw_ways(filmed.count_ways(nobody, PLAN)).alt
    assert "nothing to draw" in filmed.draw_floor(nobody, PLAN).alt
    unseen = pd.DataFrame({"problem": ["the feet are not seen"] * 3})
    table = filmed.describe_floor(nobody.assign(error=[]), unseen, PLAN)
    assert table["count"].tolist() == [0, 4, 3]


def test_few_people_are_hidden_where_a_film_may_not_be_shown():
    time = np.arange(0, 6, 0.2)
    way = pd.DataFrame({"visit": 1, "time": time, "x": 3 + time, "y": 4.5, "error": 0.1})
    assert "none is shown" in filmed.draw_floor(way, PLAN, least=11).alt
    assert "Person-seconds" in filmed.draw_floor(way, PLAN, least=1).alt
    ways = filmed.count_ways(way, PLAN).set_index("direction")
    assert ways.loc["out", "value"] + ways.loc["in", "value"] == pytest.approx(1, abs=0.5)
    assert "Passed the line" in filmed.draw_ways(ways.reset_index()).alt
    table = pd.DataFrame({"zone": ["a", "b"], "visits": [3, 30], "value": [1.0, 2.0]})
    assert filmed.hide_few(table, 11)["value"].isna().tolist() == [True, False]
    assert filmed.hide_few(table, 1).equals(table)


def test_the_aisle_of_the_real_film_is_as_counted(real_data):
    if not (real_data / GIF).is_file():
        pytest.skip(f"{GIF} is not among the real data")
    film = video.open_film(GIF)
    assert film.shareable and film.licence == "CC BY 4.0" and len(film.times) == 67
    assert film.counted["frame"].nunique() == 20 and len(film.counted) == 56
    assert film.counted.groupby("frame").size().tolist() == [2] * 4 + [3] * 16
    assert "guess" in film.plan.note
