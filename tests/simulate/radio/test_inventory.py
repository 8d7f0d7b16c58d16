"""Inventory rounds: rates as the standard's arithmetic says, power that decides who is heard, phases that tell ways."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from retailkit.simulate.radio.inventory import CARRIED, LYING, TICK, Air, Antennas, People, Tags
from retailkit.simulate.radio.link import Surroundings
from retailkit.simulate.radio.reading import Answers, Radio, hear

NOBODY = People(np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty((0, 3)))
CLEAR = Surroundings(reflection=0.0, shade=0.0, flutter=0.0, outline=(10.0, 10.0))
PLAIN = Air(dwell=60.0, pause=0.0, noise=0.0, phase_noise=0.0, channels=(915.0,), hop=1e6)
ABOVE = Antennas(np.array([[[5.0, 5.0, 2.8]]]), np.array([[[0.0, 0.0, -1.0]]]))


def lying(number: int, gain: float = 0.0, spread: float = 0.5) -> Tags:
    rng = np.random.default_rng(0)
    places = np.column_stack([5 + rng.uniform(-spread, spread, (number, 2)), np.ones(number)])
    return Tags(np.arange(number + 1), np.full(number, -np.inf), np.full(number, LYING), places, np.full(number, -1),
                np.zeros(number), np.full(number, gain), np.zeros(number))  # fmt: skip


def listen(tags: Tags, air: Air = PLAIN, around: Surroundings = CLEAR, seconds: float = 60.0, seed: int = 0) -> Answers:
    return hear(ABOVE, tags, NOBODY, Radio(air, around), (0.0, seconds), seed)


@pytest.mark.parametrize(("tags", "each"), [(10, 17.0), (50, 3.7), (200, 0.93)])
def test_tags_share_the_air_as_the_standards_algorithm_lets_them(tags, each):
    """Reads a second and tag of all that answer in each of many turns, with slots of 4.0, 0.3 and 0.9 ms.

    Figures of an independent simulation of the Q algorithm; a fifth is allowed for how Q is chosen and for checksums.
    """
    long = 1.2 * tags / 170  # time enough for each to be read once
    heard = listen(lying(tags), replace(PLAIN, dwell=long))
    rate = len(heard.time) / 60 / tags
    print(f"{tags} tags: {rate:.2f} reads a second each, {each} expected")
    assert rate == pytest.approx(each, rel=0.2)


def test_a_tag_that_gets_too_little_power_is_never_read():
    heard = [len(np.unique(listen(lying(20, gain), seconds=20).tag)) for gain in (0.0, -25.0)]
    assert heard == [20, 0]


def test_strength_is_that_of_both_ways():
    """At 1.8 m below: 30 dBm, twice the loss of free space, 8 dB at the tag, 6 dB of the antenna's ear."""
    heard = listen(lying(1, spread=0.0), seconds=5)
    loss = 20 * np.log10(4 * np.pi * 1.8 / (299.792458 / 915.0))
    assert heard.rssi[0] == pytest.approx(30 - 2 * loss - 8 + 6, abs=0.25)


def test_a_session_keeps_tags_silent():
    heard = listen(lying(5), replace(PLAIN, quiet=1.2, dwell=0.2), seconds=30)
    gaps = pd.Series(heard.time).groupby(heard.tag).diff().dropna()
    assert 0.9 <= gaps.min() < 1.0 and gaps.median() == pytest.approx(1.3, abs=0.15)


def test_phase_tells_the_way_there_and_back():
    """Somebody walks away with a tag at 1 m/s: phase grows by 4 pi for each wavelength."""
    ticks = np.arange(0, 5, TICK)
    people = People(
        np.array([0, len(ticks)]), np.array([0]), np.column_stack([2 + ticks, np.full(len(ticks), 5.0), 0 * ticks])
    )
    tag = Tags(np.array([0, 1]), np.array([-np.inf]), np.array([CARRIED]), np.array([[np.pi, 0.2, 1.0]]), np.array([0]),
               np.zeros(1), np.zeros(1), np.zeros(1))  # fmt: skip
    wall = Antennas(np.array([[[0.5, 5.0, 1.0]]]), np.array([[[1.0, 0.0, 0.0]]]))
    heard = hear(wall, tag, people, Radio(replace(PLAIN, dwell=0.01, power=36.0), CLEAR), (0.0, 4.5), 0)
    turned = np.unwrap(heard.phase)
    speed = np.polyfit(heard.time, turned, 1)[0] * (299.792458 / 915.0) / (4 * np.pi)
    assert len(heard.time) > 100 and speed == pytest.approx(1.0, abs=0.01)


def test_the_same_seed_gives_the_same_reads_and_another_others():
    one, same, other = (listen(lying(30), seconds=5, seed=seed) for seed in (1, 1, 2))
    assert all((first == second).all() for first, second in zip(one, same, strict=True))
    assert not np.array_equal(one.time, other.time)
    assert (np.diff(one.time) >= PLAIN.success - 1e-9).all(), "one answer at a time"
