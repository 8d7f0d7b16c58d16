"""A store that reads tags, weighs shelves and watches hands, with the truth of who left with what.

day = sense_day(SETTINGS["pairs"], seed=0)
day.reads, day.tracks, day.hands, day.plates, day.store     # what a method may see
day.truth.receipts                                          # what it is to find
"""

from retailkit.simulate.radio.goods import Goods, Habit, move_goods
from retailkit.simulate.radio.inventory import Air
from retailkit.simulate.radio.link import Surroundings
from retailkit.simulate.radio.plates import Scales, weigh
from retailkit.simulate.radio.presets import DAYS, SETTINGS, TUNING
from retailkit.simulate.radio.reading import Radio, hang_antennas, read_day
from retailkit.simulate.radio.scenes import walk_past, wear_tag
from retailkit.simulate.radio.sensing import Knowledge, SensorDay, Setting, Truth, sense_day

__all__ = [
    "DAYS",
    "SETTINGS",
    "TUNING",
    "Air",
    "Goods",
    "Habit",
    "Knowledge",
    "Radio",
    "Scales",
    "SensorDay",
    "Setting",
    "Surroundings",
    "Truth",
    "hang_antennas",
    "move_goods",
    "read_day",
    "sense_day",
    "walk_past",
    "wear_tag",
    "weigh",
]
