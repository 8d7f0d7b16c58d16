"""The way from an antenna to a tag: free space, antenna patterns, bodies in between, shade."""

import numpy as np
import pytest

from retailkit.simulate.radio.link import Surroundings, bodies_between, draw_shade, field_parts, pattern, shade_at

HUGE = np.array([1e6, 1e6, 1e6])
DOWN = np.array([0.0, 0.0, -1.0])
WAVE = 0.3276


@pytest.mark.parametrize("distance", [0.5, 1.0, 3.0, 7.0])
def test_the_direct_way_is_that_of_free_space(distance):
    antenna = np.array([5e5, 5e5, 5e5])
    tag = antenna - np.array([0.0, 0.0, distance])
    real, imaginary, other, _ = field_parts(antenna, DOWN, 1.2, tag, WAVE, 2.0, HUGE)
    assert np.hypot(real, imaginary) == pytest.approx(1 / distance)
    turn = np.angle(complex(real, imaginary) * np.exp(2j * np.pi * distance / WAVE))
    assert abs(turn) < 1e-6 and abs(other) < 1e-3, "walls are far away"


def test_a_floor_sends_a_second_wave_of_the_longer_way():
    """One wall near: the sum of reflections is that of the image below the floor, turned round."""
    antenna, tag = np.array([5e5, 5e5, 2.0]), np.array([5e5 + 3.0, 5e5, 1.0])
    _, _, real, imaginary = field_parts(antenna, np.array([1.0, 0.0, 0.0]), 9.0, tag, WAVE, 2.0, HUGE)
    way = np.hypot(3.0, 3.0)
    gain = 10 ** (pattern(3.0 / way, 9.0) / 20)
    assert complex(real, imaginary) == pytest.approx(-gain / way * np.exp(-2j * np.pi * way / WAVE), abs=1e-4)


def test_an_antenna_sends_half_as_much_at_half_its_beam():
    beam = np.radians(70)
    assert pattern(1.0, beam) == 0 and pattern(np.cos(beam / 2), beam) == pytest.approx(-3.0)
    assert pattern(-1.0, beam) == -14, "its back"


@pytest.mark.parametrize(
    ("people", "carrier", "number"),
    [
        ([(3.0, 0.1, 0)], -1, 1),
        ([(3.0, 0.1, 0)], 0, 0),  # the carrier's own body is reckoned elsewhere
        ([(3.0, 0.4, 0)], -1, 0),  # beside the way
        ([(5.0, 0.0, 0)], -1, 0),  # behind the tag
        ([(1.0, 0.0, 0)], -1, 0),  # below an antenna on the ceiling
        ([(2.6, 0.0, 0), (3.0, 0.0, 1), (3.4, 0.1, 2)], -1, 2),  # two at most
    ],
)
def test_people_in_the_way_are_counted(people, carrier, number):
    antenna, tag = np.array([0.0, 0.0, 2.8]), np.array([4.0, 0.0, 1.0])
    assert bodies_between(antenna, tag, np.array(people, dtype=float), carrier) == number


def test_shade_is_as_strong_and_as_slow_as_asked():
    around = Surroundings(shade=4.0, shade_length=1.5, outline=(60.0, 60.0))
    fields = draw_shade(around, 3, np.random.default_rng(0))
    assert fields.std() == pytest.approx(4.0, rel=0.01)
    near, far = (np.corrcoef(fields[0][:-step].ravel(), fields[0][step:].ravel())[0, 1] for step in (2, 20))
    assert near > 0.9 and abs(far) < 0.1, "alike half a metre on, not five metres on"
    assert np.corrcoef(fields[0].ravel(), fields[1].ravel())[0, 1] < 0.1, "each antenna has its own"
    assert shade_at(fields[0], 2.0, 3.0) == pytest.approx(fields[0][8, 12])
