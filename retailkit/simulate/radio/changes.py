"""One thing about a store-day made better or worse, all else and all chance as they were: for sweeps and upgrades.

change_setting(SETTINGS["pairs"], "untagged", 0.1)      # a tenth of the pieces has no tag that works
find_levels(SETTINGS["pairs"], "untagged", 0.1, 3)      # from what it is to that: 0.035, 0.0675, 0.1
choose_strata("pairs, queue", hours=0.15)               # days of nine minutes, as crowded
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from retailkit.simulate.radio.presets import SETTINGS
from retailkit.simulate.radio.reading import hang_antennas
from retailkit.simulate.radio.sensing import Setting
from retailkit.simulate.visits.layout import make_plan

_HANDS = 0.8  # hands that are not seen, of moments that are not, where a setting says nothing of either
_SKEW = 8.0  # seconds: no method here looks for clocks further off, so that more would tell nothing new
_DRIFT = 80 / 4.7  # parts per million more for each second more: from 20 at 0.3 seconds to 100 at 5


class Change(NamedTuple):
    """One thing that may be changed.

    Attributes
    ----------
    quantity : str
        What the value is, unit in brackets.
    own : function of a Setting
        Its value there.
    low, high : float
        The least and the greatest that is possible.
    make : function of a Setting and a value, giving a Setting
    """

    quantity: str
    own: Callable[[Setting], float]
    low: float
    high: float
    make: Callable[[Setting, float], Setting]


def change_setting(setting: Setting, change: str, value: float) -> Setting:
    """Change one thing of a setting; with its own value it stays as it is.

    Parameters
    ----------
    setting : Setting
    change : str
        One of `CHANGES`.
    value : float

    Returns
    -------
    Setting

    Raises
    ------
    ValueError
        There is no such change, or the value is impossible.
    """
    known = find_change(change)
    if not known.low <= value <= known.high:
        raise ValueError(f"{change} is {value!r}: {known.low:g} to {known.high:g} is needed ({known.quantity})")
    return setting if value == known.own(setting) else known.make(setting, value)


def find_change(change: str) -> Change:
    """Look a change up by its name."""
    known: Change = _of(CHANGES, change, "change")
    return known


def find_levels(setting: Setting, change: str, value: float, number: int = 3) -> list[float]:
    """Give values in even steps from a setting's own to another, both included; whole ones of what is counted.

    Raises
    ------
    ValueError
        There is no such change, or fewer than two values are asked for.
    """
    if number < 2:
        raise ValueError(f"{number} values from a setting's own to {value:g}: 2 or more are needed")
    steps = np.linspace(find_change(change).own(setting), value, number)
    if change == "dead antenna":
        steps = np.round(steps)
    return [float(step) for step in dict.fromkeys(steps.round(6))]


def list_changes(setting: Setting) -> pd.DataFrame:
    """List what may be changed: change, quantity, own (its value in a setting), low, high."""
    rows = [(name, one.quantity, one.own(setting), one.low, one.high) for name, one in CHANGES.items()]
    return pd.DataFrame(rows, columns=["change", "quantity", "own", "low", "high"])


def shorten(setting: Setting, hours: float) -> Setting:
    """Open the store for so many hours, with as many shoppers in each.

    Raises
    ------
    ValueError
        The store would not be open at all.
    """
    if not hours > 0:
        raise ValueError(f"hours is {hours!r}: more than 0 is needed")
    return replace(setting, hours=hours, shoppers=setting.shoppers * hours / setting.hours)


def choose_strata(names: str, hours: float) -> dict[str, Setting]:
    """Choose strata of the benchmark by their names, and how long their days are.

    >>> list(choose_strata("pairs, queue", hours=0.1))
    ['pairs', 'queue']

    Parameters
    ----------
    names : str
        With commas between them; ``all`` for all seven.
    hours : float
        0.5 is the benchmark's.

    Raises
    ------
    ValueError
        There is no such stratum, or no hour.
    """
    chosen = list(SETTINGS) if names.strip() == "all" else _listed(names)
    return {name: shorten(_of(SETTINGS, name, "stratum"), hours) for name in chosen}


def make_upgrades(names: str, settings: Mapping[str, Setting]) -> dict[str, dict[str, Setting]]:
    """Change all settings as upgrades do that a store may buy.

    Parameters
    ----------
    names : str
        Of `UPGRADES`, with commas between them; ``all`` for all.
    settings : mapping of strata to Settings

    Returns
    -------
    dict of upgrades to dicts of strata to Settings

    Raises
    ------
    ValueError
        There is no such upgrade.
    """
    chosen = list(UPGRADES) if names.strip() == "all" else _listed(names)
    return {
        name: {stratum: _of(UPGRADES, name, "upgrade")(setting) for stratum, setting in settings.items()}
        for name in chosen
    }


def _listed(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def _of(known: Mapping[str, Any], name: str, what: str) -> Any:
    if name not in known:
        raise ValueError(f"there is no {what} {name!r}; there is {', '.join(known)}")
    return known[name]


def _slow_down(setting: Setting, rate: float) -> Setting:
    air = setting.air
    times = {name: getattr(air, name) / rate for name in ("success", "empty", "collision")}
    return replace(setting, air=replace(air, **times))


def _hide(setting: Setting, missed: float) -> Setting:
    """Moments of tracks, and hands as many times as often as the setting has it."""
    own = setting.cameras.get("missed", 0.0)
    share = setting.cameras.get("hand_missed", 0.0) / own if own else _HANDS
    return replace(setting, cameras={**setting.cameras, "missed": missed, "hand_missed": min(share * missed, 1.0)})


def _mix_up(setting: Setting, times: float) -> Setting:
    more = {name: min(setting.cameras.get(name, 0.0) * times, 1.0) for name in ("broken", "swapped")}
    return replace(setting, cameras={**setting.cameras, **more})


def _silence(setting: Setting, number: float) -> Setting:
    """The door's antennas fail first: they hear what leaves."""
    plan = make_plan(setting.aisles, cells=setting.cells, checkouts=setting.checkouts)
    hung = hang_antennas(plan).sort_values(["reader", "antenna"], ascending=[False, True])["antenna"].tolist()
    if number != round(number) or number > len(hung):
        raise ValueError(f"dead antenna is {number!r}: a whole number from 0 to {len(hung)} is needed")
    return replace(setting, dead=tuple(hung[: int(number)]))


CHANGES = {
    "read rate": Change(
        "Speed of the readers (times what it is)", lambda _: 1.0, 0.01, 10.0, _slow_down
    ),
    "untagged": Change(
        "Pieces without a tag that works (share)", lambda one: one.goods.untagged, 0.0, 1.0,
        lambda one, value: replace(one, goods=replace(one.goods, untagged=value)),
    ),
    "body loss": Change(
        "What a body takes from a tag's signal (dB)", lambda one: one.around.body, 0.0, 60.0,
        lambda one, value: replace(one, around=replace(one.around, body=value)),
    ),
    "crowd": Change(
        "Shoppers (times as many)", lambda _: 1.0, 0.05, 10.0,
        lambda one, value: replace(one, shoppers=one.shoppers * value),
    ),
    "camera misses": Change(
        "Moments that cameras miss, and hands in proportion (share)",
        lambda one: one.cameras.get("missed", 0.0), 0.0, 0.95, _hide,
    ),
    "mix-ups": Change(
        "Tracks broken and exchanged (times as often)", lambda _: 1.0, 0.0, 10.0, _mix_up
    ),
    "clock skew": Change(
        "Clocks off by up to (seconds)", lambda one: one.skew, 0.0, _SKEW,
        lambda one, value: replace(one, skew=value, drift=max(one.drift + _DRIFT * (value - one.skew), 0.0)),
    ),
    "dead antenna": Change(
        "Antennas that are dead (count)", lambda one: float(len(one.dead)), 0.0, 99.0, _silence
    ),
    "wrong planogram": Change(
        "Cells with another product (share)", lambda one: one.moved, 0.0, 1.0,
        lambda one, value: replace(one, moved=value),
    ),
    "unknown faces": Change(
        "Faces unknown at the exit (share)", lambda one: one.unrecognised, 0.0, 1.0,
        lambda one, value: replace(one, unrecognised=value),
    ),
}  # fmt: skip
UPGRADES: dict[str, Callable[[Setting], Setting]] = {
    "every tag works": lambda one: change_setting(one, "untagged", 0.0),
    "every face known": lambda one: change_setting(one, "unknown faces", 0.0),
    "half the mix-ups": lambda one: change_setting(one, "mix-ups", 0.5),
    "half the camera misses": lambda one: change_setting(one, "camera misses", one.cameras.get("missed", 0.0) / 2),
    "readers twice as fast": lambda one: change_setting(one, "read rate", 2.0),
}
