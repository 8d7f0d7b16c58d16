"""What the page of tag reads says, on simulated recordings whose truth is known."""

import numpy as np
import pytest

from retailkit.datasets import check
from retailkit.datasets.fixture_walks import read_fixture_walks
from retailkit.datasets.tagged_people import read_tagged_people
from retailkit.store import rfid


@pytest.fixture(scope="module")
def recordings():
    return read_tagged_people("simulated_tagged_people", seed=7)


def test_the_wearer_is_found_and_told(recordings):
    """Track 1 wears the tag in each recording of five seeds; with one track nobody is behind."""
    named, told = 0, 0
    for seed in range(5):
        wearers = rfid.study_wearers(read_tagged_people("simulated_tagged_people", seed=seed), draws=19, seed=0)
        assert wearers.loc[wearers["tracks"] == 1, "lead"].isna().all()
        named += sum(visits == (1,) for visits in wearers["visits"])
        told += len(wearers)
    assert told == 15 and named >= 13
    consistent = rfid.count_consistent(wearers)
    assert consistent.value == 0, "with 19 draws p is never below 0.01"


def test_speeds_are_laid_over_each_other(recordings):
    wearers = rfid.study_wearers(recordings, draws=19)
    both = rfid.compare_speeds(recordings[2], wearers).pivot(index="seconds", columns="what", values="speed").dropna()
    assert len(both) > 30 and np.corrcoef(both["tag"], both["track"])[0, 1] > 0.5


def test_tags_hang_where_they_are_found():
    walks = read_fixture_walks("simulated_fixture_walks", seed=3)
    found = rfid.study_fixtures(walks).set_index(["kind", "method"])
    assert found.loc[("positions", "read density"), "value"] > 0.85
    assert (found["value"].xs("positions") >= found["value"].xs("fixtures") - 0.03).all(), "two share a place"
    placebo = found.loc[("fixtures", "shuffled labels")]
    assert placebo["low"] < 1 / 12 < placebo["high"]


def test_inputs_have_a_digest_of_their_rows(recordings):
    one, same = (rfid.as_input("reads", read_tagged_people("simulated_tagged_people", seed=seed)) for seed in (7, 7))
    other = rfid.as_input("reads", read_tagged_people("simulated_tagged_people", seed=8))
    assert one.digest == same.digest != other.digest and sum(one.profile().values()) > 3000
    walks = rfid.as_input("walks", read_fixture_walks("simulated_fixture_walks", seed=7))
    assert set(walks.profile()) == {"reads", "fixtures"}


@pytest.mark.parametrize("name", ["simulated_tagged_people", "simulated_fixture_walks"])
def test_simulated_sets_say_what_they_are(name):
    assert "simulated" in check(name)
