"""A store that reads tags, weighs shelves and watches hands, with the truth of who left with what.

day = sense_day(SETTINGS["pairs"], seed=0)
day.reads, day.tracks, day.hands, day.plates, day.store     # what a method may see
day.truth.receipts                                          # what it is to find
replay_case(read_checkouts(), "BASELINE-1").day             # labelled acts of a real store in place of simulated ones
"""

from retailkit.simulate.radio.goods import Goods, Habit, move_goods
from retailkit.simulate.radio.inventory import Air
from retailkit.simulate.radio.link import Surroundings
from retailkit.simulate.radio.plates import Scales, weigh
from retailkit.simulate.radio.presets import DAYS, SETTINGS, TUNING
from retailkit.simulate.radio.reading import Radio, hang_antennas, read_day
from retailkit.simulate.radio.replay import NOISE, Noise, Replay, list_replayable, noise_at, replay_case
from retailkit.simulate.radio.scenes import walk_past, wear_tag
from retailkit.simulate.radio.sensing import Knowledge, SensorDay, Setting, Truth, sense_day, tell_day

__all__ = [
    "DAYS",
    "NOISE",
    "SETTINGS",
    "TUNING",
    "Air",
    "Goods",
    "Habit",
    "Knowledge",
    "Noise",
    "Radio",
    "Replay",
    "Scales",
    "SensorDay",
    "Setting",
    "Surroundings",
    "Truth",
    "hang_antennas",
    "list_replayable",
    "move_goods",
    "noise_at",
    "read_day",
    "replay_case",
    "sense_day",
    "tell_day",
    "walk_past",
    "wear_tag",
    "weigh",
]
