"""Label lines: what is read, what is refused, and that nothing else can happen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retailkit.datasets.labels import Box, LabelProblem, parse_line, read_labels

NAMES = ["empty", "disorganized"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("0 0.5 0.5 0.2 0.4", Box(0, 0.4, 0.3, 0.6, 0.7)),
        ("1 0.5 0.5 1 1", Box(1, 0, 0, 1, 1)),
        ("  1\t0.25 .25 1e-1 1E-1 ", Box(1, 0.2, 0.2, 0.3, 0.3)),
        ("1.0 0.5 0.5 0.2 0.4", Box(1, 0.4, 0.3, 0.6, 0.7)),  # tools that write all as decimals
        ("0 0.5005 0.5 1.0 1.0", Box(0, 0.0005, 0, 1, 1, rounded=True)),  # half a thousandth out: cut and marked
        ("0 0.4999997 0.5 1.0 1.0", Box(0, 0, 0, 0.9999997, 1)),  # the seventh decimal is no finding
    ],
)
def test_a_line_becomes_a_box(line, expected):
    box = parse_line(line, NAMES, 1000, 1000)
    assert (box.class_id, box.rounded) == (expected.class_id, expected.rounded)
    assert (box.x1, box.y1, box.x2, box.y2) == pytest.approx((expected.x1, expected.y1, expected.x2, expected.y2))


@pytest.mark.parametrize(
    ("line", "problem", "value"),
    [
        ("2 0.5 0.5 0.2 0.4", "class out of range", "2"),
        ("-1 0.5 0.5 0.2 0.4", "class out of range", "-1"),
        ("0.5 0.5 0.5 0.2 0.4", "class is no whole number", "0.5"),
        ("0 nan 0.5 0.2 0.4", "not a finite number", "nan"),
        ("0 0.5 0.5 inf 0.4", "not a finite number", "inf"),
        ("0 0.5 0.5 1e999 0.4", "not a finite number", "1e999"),
        ("0 0.5 half 0.2 0.4", "not a number", "half"),
        ("1_0 0.5 0.5 0.2 0.4", "not a number", "1_0"),
        ("٠ 0.5 0.5 0.2 0.4", "not a number", "٠"),
        ("0,5 0.5 0.5 0.2 0.4", "not a number", "0,5"),
        ("0 0.95 0.5 0.2 0.4", "box outside the photo", "0 0.95 0.5 0.2 0.4"),
        ("0 0.5 0.1 0.2 0.4", "box outside the photo", "0 0.5 0.1 0.2 0.4"),
        ("0 160 120 64 96", "box outside the photo", "0 160 120 64 96"),  # pixels, not shares
        ("0 0.5 0.5 0 0.4", "box without area", "0 0.5 0.5 0 0.4"),
        ("0 0.5 0.5 0.2 -0.4", "box without area", "0 0.5 0.5 0.2 -0.4"),
        ("0 1.0005 0.5 0.0004 0.4", "box without area", "0 1.0005 0.5 0.0004 0.4"),  # nothing left after the cut
        ("0 0.5 0.5 0.2", "4 columns instead of 5", "0 0.5 0.5 0.2"),
        ("0 0.5 0.5 0.2 0.4 0.9", "6 columns instead of 5", "0 0.5 0.5 0.2 0.4 0.9"),
        ("0 0.1 0.1 0.2 0.1 0.2 0.2", "an outline? boxes are needed", "0 0.1 0.1 0.2 0.1 0.2 0.2"),
    ],
)
def test_a_wrong_line_says_what_is_wrong(line, problem, value):
    with pytest.raises(LabelProblem) as caught:
        parse_line(line, NAMES, 1000, 1000)
    assert problem in caught.value.problem
    assert caught.value.value == value


def test_one_pixel_is_a_rounding_error_on_small_photographs_only():
    line = "0 0.995 0.5 0.02 0.4"  # ends at 1.005
    assert parse_line(line, NAMES, 100, 100).rounded
    with pytest.raises(LabelProblem, match="outside"):
        parse_line(line, NAMES, 1000, 1000)


@given(st.text(max_size=60) | st.lists(st.sampled_from(["0", "1", "-", "nan", "1e5", "0.5", "."])).map(" ".join))
def test_any_text_is_a_box_within_the_photo_or_a_problem(text):
    try:
        box = parse_line(text, NAMES, 640, 480)
    except LabelProblem as problem:
        assert problem.problem
    else:
        assert 0 <= box.x1 < box.x2 <= 1 and 0 <= box.y1 < box.y2 <= 1
        assert box.class_id in (0, 1)


shares = st.floats(0, 1).map(lambda value: round(value, 6))


@given(shares, shares, shares, shares)
def test_six_printed_decimals_come_back(x1, x2, y1, y2):
    (x1, x2), (y1, y2) = sorted((x1, x2)), sorted((y1, y2))
    if min(x2 - x1, y2 - y1) < 1e-5:
        return
    line = f"1 {(x1 + x2) / 2:.6f} {(y1 + y2) / 2:.6f} {x2 - x1:.6f} {y2 - y1:.6f}"
    box = parse_line(line, NAMES, 320, 320)
    assert (box.x1, box.y1, box.x2, box.y2) == pytest.approx((x1, y1, x2, y2), abs=2e-6)
    assert not box.rounded


def test_a_file_keeps_good_lines_and_numbers_the_bad_ones(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeff0 0.5 0.5 0.2 0.4\r\n\r\n7 0.5 0.5 0.2 0.4\r\n0 0.5 0.5 0.2 0.4\r\n".encode())
    content = read_labels(path, NAMES, 100, 100)
    assert [line for line, _ in content.boxes] == [1]
    assert [(line, problem.split(" (")[0], condemns) for line, problem, _, condemns in content.problems] == [
        (3, "class out of range", True),
        (4, "same line twice", False),
    ]


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xff\xfe0 0.5")
    (problem,) = read_labels(path, NAMES, 100, 100).problems
    assert problem[:2] == (0, "label file is not text") and problem[3]
