"""The benchmark's settings. They were fixed before there was any method to be measured by them, and do not change.

A test holds their digest. Whoever wants another world makes a `Setting` of their own (`dataclasses.replace`).
"""

import hashlib
from dataclasses import replace

from retailkit.simulate.radio.goods import Habit
from retailkit.simulate.radio.sensing import Setting

DAYS = 20  # store-days in each stratum, with seeds 0 to 19
TUNING = tuple(range(1000, 1010))  # seeds of days that methods may be tuned on
_CAMERAS = {"missed": 0.1, "jitter": 0.12, "broken": 0.1, "swapped": 0.1, "hand_missed": 0.08, "hand_confused": 0.12,
            "hand_false": 0.03}  # fmt: skip
_STRANGERS = Setting(cameras=_CAMERAS)
_PAIRS = replace(_STRANGERS, shoppers=60.0, groups=1.0, habits={"sizes": (1.0, 0.0, 0.0)})
_RUSH = {"peaks": ((0.5, 0.06, 40.0),), "service": 5.0, "patience": 3000.0}

SETTINGS = {
    # Everybody comes alone; the store is as full as a small one is on a good day.
    "strangers": _STRANGERS,
    # Everybody comes with somebody, walks beside them, and pays alone.
    "pairs": _PAIRS,
    # A rush, and one gate that lets out a person every few seconds: a line waits where the door's antennas hear it.
    "queue": replace(_STRANGERS, shoppers=60.0, checkouts=1, habits=_RUSH),
    # A crowd in which the tracker exchanges or loses half of those who meet.
    "swaps": replace(_STRANGERS, shoppers=120.0, cameras={**_CAMERAS, "broken": 0.25, "swapped": 0.25, "missed": 0.2}),
    # Families who give each other what they took.
    "hand-overs": replace(_PAIRS, habits={"sizes": (0.5, 0.3, 0.2)}, goods=Habit(handed=0.5)),
    # A third of what leaves goes into a bag unseen, where its tag is heard less.
    "concealed": replace(_STRANGERS, goods=Habit(concealed=0.33)),
    # Nearly a quarter of the pieces have no tag that works, as in the worst audited store.
    "untagged": replace(_STRANGERS, goods=Habit(untagged=0.233)),
}


def digest() -> str:
    """Digest of all settings, down to every default: another one means another benchmark."""
    return hashlib.sha256(repr(sorted(SETTINGS.items())).encode()).hexdigest()
