"""One thing about a day changed: the value asked for, nothing else, and the same chance."""

from dataclasses import replace

import pytest

from retailkit.simulate.radio import SETTINGS, sense_day
from retailkit.simulate.radio.changes import (
    CHANGES,
    UPGRADES,
    change_setting,
    choose_strata,
    find_levels,
    list_changes,
    make_upgrades,
)

VALUES = {"read rate": 0.5, "untagged": 0.4, "body loss": 20.0, "crowd": 2.0, "camera misses": 0.3, "mix-ups": 3.0,
          "clock skew": 5.0, "dead antenna": 2.0, "wrong planogram": 0.2, "unknown faces": 0.5}  # fmt: skip
TIMES = {"read rate", "crowd", "mix-ups"}  # what is told as a multiple of what it is


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("stratum", ["pairs", "swaps"])
def test_own_value_changes_nothing_and_another_what_it_says(change, stratum):
    setting = SETTINGS[stratum]
    known = CHANGES[change]
    assert change_setting(setting, change, known.own(setting)) == setting
    changed = change_setting(setting, change, VALUES[change])
    assert changed != setting
    if change not in TIMES:
        assert known.own(changed) == pytest.approx(VALUES[change])


def test_five_seconds_of_skew_come_with_a_hundred_parts_per_million():
    changed = change_setting(SETTINGS["pairs"], "clock skew", 5.0)
    assert (changed.skew, changed.drift) == (5.0, pytest.approx(100.0))
    assert change_setting(changed, "clock skew", 0.3).drift == pytest.approx(SETTINGS["pairs"].drift)


def test_hands_are_missed_in_proportion_to_moments():
    changed = change_setting(SETTINGS["pairs"], "camera misses", 0.2)
    assert changed.cameras["hand_missed"] == pytest.approx(0.16)


def test_the_doors_antennas_die_first():
    setting = replace(SETTINGS["strangers"], hours=0.02, shoppers=3.0)
    hung = sense_day(setting, 7).store.antennas.set_index("antenna")["reader"]
    dead = change_setting(setting, "dead antenna", 3.0).dead
    assert set(hung[list(dead)]) == {2}


@pytest.mark.parametrize(
    ("change", "value", "words"),
    [
        ("untagged", 1.5, "untagged is 1.5: 0 to 1"),
        ("luck", 1, "no change 'luck'"),
        ("dead antenna", 1.5, "whole number"),
        ("dead antenna", 50, "from 0 to"),
        ("clock skew", 9, "clock skew is 9: 0 to 8"),
    ],
)
def test_impossible_changes_are_refused(change, value, words):
    with pytest.raises(ValueError, match=words):
        change_setting(SETTINGS["pairs"], change, value)


def test_levels_lead_from_own_to_the_value():
    assert find_levels(SETTINGS["pairs"], "untagged", 0.235, 3) == [0.035, 0.135, 0.235]
    assert find_levels(SETTINGS["pairs"], "dead antenna", 2, 5) == [0.0, 1.0, 2.0]
    assert find_levels(SETTINGS["pairs"], "untagged", 0.035, 3) == [0.035]
    with pytest.raises(ValueError, match="2 or more"):
        find_levels(SETTINGS["pairs"], "untagged", 0.1, 1)


def test_strata_are_chosen_by_name_and_stay_as_crowded():
    chosen = choose_strata(" pairs,queue ", 0.25)
    assert list(chosen) == ["pairs", "queue"]
    assert chosen["pairs"].shoppers / 0.25 == SETTINGS["pairs"].shoppers / SETTINGS["pairs"].hours
    assert choose_strata("all", 0.5) == SETTINGS
    with pytest.raises(ValueError, match="no stratum 'pears'"):
        choose_strata("pears", 0.5)
    with pytest.raises(ValueError, match="hours is 0"):
        choose_strata("pairs", 0)


def test_upgrades_make_each_setting_better():
    made = make_upgrades("all", SETTINGS)
    assert set(made) == set(UPGRADES)
    assert all(list(settings) == list(SETTINGS) for settings in made.values())
    assert all(setting.goods.untagged == 0 for setting in made["every tag works"].values())
    assert list(make_upgrades("", SETTINGS)) == []
    with pytest.raises(ValueError, match="no upgrade 'gold'"):
        make_upgrades("gold", SETTINGS)


def test_all_changes_are_listed_with_their_units():
    listed = list_changes(SETTINGS["pairs"])
    assert list(listed["change"]) == list(CHANGES)
    assert listed["quantity"].str.contains("(", regex=False).all()


def test_the_same_day_goes_on_with_fewer_tags():
    """Tags that work in the better store are those that worked in the worse one, and some more."""
    [setting] = choose_strata("strangers", 0.04).values()
    worse = sense_day(change_setting(setting, "untagged", 0.5), 3).truth.receipts
    better = sense_day(change_setting(setting, "untagged", 0.1), 3).truth.receipts
    assert worse[["piece", "shopper"]].equals(better[["piece", "shopper"]])
    assert ((worse["epc"] == "") | (worse["epc"] == better["epc"])).all()
    assert (better["epc"] != "").sum() > (worse["epc"] != "").sum()
