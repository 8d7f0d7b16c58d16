"""How people behave in the simulated store: every number that is not the store's."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

RATES = ("appeal", "stop", "come_back", "touch", "put_back")


@dataclass(frozen=True)
class Habits:
    """How people behave, with values as found where a source is given and plausible ones elsewhere.

    Attributes
    ----------
    speed, speed_spread : float, metres per second
        Of one alone; mean and standard deviation between people. In a store people walk more slowly than on the street
        (1.34 m/s; Weidmann 1993).
    slower : float, metres per second
        Lost with each further member of a group: 0.04 to 0.08 (Moussaid et al. 2010, figure 2).
    spacing : float, metres
        Between neighbours in a group, side by side (Moussaid et al. 2010: 0.8). Turns and gates draw them in: the
        median of pairs that walk is about 0.66 in the default store.
    sizes : shares of groups of 2, 3, 4
    peaks : (share of the day, width as a share of the day, height) of each rush
        Height as a multiple of the arrivals between rushes.
    appeal : float, 0 to 1
        Chance that a party sets out to see a shelf zone (one at least).
    stop : float, 0 to 1
        Chance that it stops in a zone that it set out to see, rather than walk through.
    come_back : float, 0 to 1
        Chance that it returns to one of them in the end, and stops.
    dwell, dwell_spread : float
        Median of an intended stop, seconds, and the standard deviation of its logarithm. A stop is longer where hands
        need the time.
    touch : float, 0 to 1
        Chance of each of two occasions in a stop to reach for something without taking it.
    put_back : float, 0 to 1
        Chance that what was taken is returned in the same stop.
    service, service_spread : float
        Median time at the checkout, seconds, and the standard deviation of its logarithm; spread 0 is constant.
    patience : float, seconds
        Mean time after which somebody in the line gives up (exponential, as in Palm 1957).
    turnover : float, seconds
        Mean length of a staff's task; breaks are as long.
    """

    speed: float = 1.1
    speed_spread: float = 0.14
    slower: float = 0.06
    spacing: float = 0.8
    sizes: Sequence[float] = (0.7, 0.2, 0.1)
    peaks: Sequence[tuple[float, float, float]] = ((0.3, 0.07, 1.5), (0.75, 0.1, 2.5))
    appeal: float = 0.5
    stop: float = 0.65
    come_back: float = 0.12
    dwell: float = 16.0
    dwell_spread: float = 0.9
    touch: float = 0.2
    put_back: float = 0.12
    service: float = 70.0
    service_spread: float = 0.5
    patience: float = 300.0
    turnover: float = 240.0

    def __post_init__(self) -> None:
        for name in [item.name for item in fields(self)]:
            value = getattr(self, name)
            if name in RATES and not 0 <= value <= 1:
                raise ValueError(f"{name} is {value!r}: a rate from 0 to 1 is needed")
            if isinstance(value, float | int) and not value >= 0:
                raise ValueError(f"{name} is {value!r}: a number from 0 up is needed")
        if not 0.5 <= self.speed <= 1.6 or not self.speed_spread <= 0.3:
            raise ValueError(
                f"speed is {self.speed!r} with spread {self.speed_spread!r}: people walk at 0.5 to 1.6 m/s in a store, "
                "and differ by up to 0.3"
            )
        if len(self.sizes) != 3 or min(self.sizes) < 0 or not sum(self.sizes) > 0:
            raise ValueError(f"sizes is {self.sizes!r}: three shares from 0 up, of groups of 2, 3 and 4, are needed")
