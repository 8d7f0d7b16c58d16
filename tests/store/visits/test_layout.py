"""What is drawn on a floor plan: refused where it cannot be, and told apart by what it says."""

from dataclasses import replace

import pytest

from retailkit.store.visits.layout import Layout

DOOR = ((0.0, 0.0), (2.0, 0.0))
LINE = [(0.0, 0.0), (4.0, 0.0), (4.0, 1.0)]


@pytest.mark.parametrize(
    ("drawing", "message"),
    [
        ({"lines": {"door": ((1, 1), (1, 1))}}, "its two points are one"),
        ({"zones": {"milk": [(0, 0), (1, 1)]}}, "milk"),
        ({"lines": {"door": DOOR}, "doors": ["gate"]}, "doors is 'gate', which is no line of this layout; it has door"),
        ({"zones": {"line": LINE}, "queue": "queue"}, "queue is 'queue', which is no zone of this layout; it has line"),
        ({"zones": {"line": LINE}, "queue": "line", "service": ["line", "till"]}, "service is 'till'"),
        ({"service": "till"}, "it has none"),
        ({"zones": {"line": LINE}, "queue": "line", "service": "line"}, "zone 'line' is in queue and in service"),
        ({"opens": 9.0, "closes": 9.0}, "opens is 9.0 and closes 9.0"),
        ({"missed": 1.0}, "missed is 1.0: a share from 0 to below 1"),
        ({"cell": -0.5}, "cell is -0.5: metres above 0"),
    ],
)
def test_what_cannot_be_is_refused(drawing, message):
    with pytest.raises(ValueError, match=message):
        Layout(**drawing)


def test_the_same_drawing_is_the_same_text():
    one = Layout(lines={"door": DOOR}, zones={"line": LINE}, queue="line")
    other = Layout(lines={"door": [[0, 0], [2, 0]]}, zones={"line": tuple(LINE)}, queue="line")
    assert one.as_text() == other.as_text()


@pytest.mark.parametrize(
    "change",
    [
        {"lines": {"door": DOOR[::-1]}},
        {"lines": {"gate": DOOR}},
        {"zones": {"line": [*LINE[:2], (4.0, 1.1)]}},
        {"queue": ()},
        {"doors": []},
        {"opens": 0.0},
        {"missed": 0.1},
        {"cell": 1.0},
    ],
    ids=str,
)
def test_another_drawing_is_another_text(change):
    layout = Layout(lines={"door": DOOR}, zones={"line": LINE}, queue="line")
    assert replace(layout, **change).as_text() != layout.as_text()
