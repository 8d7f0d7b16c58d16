"""Who comes, when, with whom, and to which shelves: arrivals, groups, and the zones that each party sets out to see."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.simulate.visits.habits import Habits
from retailkit.simulate.visits.plan import StorePlan

_GRID = 2001  # points at which the rate of arrivals is summed up


def arrival_rate(share: NDArray[np.float64], habits: Habits) -> NDArray[np.float64]:
    """Give the rate of arrivals at shares of the day, 1 where there is no rush; the scale is the caller's."""
    rushes = [height * np.exp(-0.5 * ((share - middle) / width) ** 2) for middle, width, height in habits.peaks]
    return 1 + np.sum(rushes, axis=0) if rushes else np.ones_like(share)


def draw_arrivals(number: float, seconds: float, habits: Habits, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw the arrivals of an inhomogeneous Poisson process, `number` expected in all: sorted, seconds.

    By inversion of the summed rate (Çinlar 1975).
    """
    share = np.linspace(0, 1, _GRID)
    rate = arrival_rate(share, habits)
    summed = np.concatenate([[0], np.cumsum((rate[1:] + rate[:-1]) / 2)])
    return seconds * np.interp(np.sort(rng.random(rng.poisson(number))) * summed[-1], summed, share)


def draw_parties(
    shoppers: float, groups: float, seconds: float, plan: StorePlan, habits: Habits, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw parties of one to four: party, kind, role, size, arrival (seconds), speed (m/s), door.

    Parameters
    ----------
    shoppers : float
        Persons expected.
    groups : float, 0 to 1
        Share of parties that are of two or more.
    """
    shares = np.asarray(habits.sizes, dtype=float) / sum(habits.sizes)
    mean = 1 + groups * float(shares @ [1, 2, 3])
    arrival = draw_arrivals(shoppers / mean, seconds, habits, rng)
    size = np.where(rng.random(len(arrival)) < groups, rng.choice([2, 3, 4], len(arrival), p=shares), 1)
    speed = rng.normal(habits.speed, habits.speed_spread, len(arrival)) - habits.slower * (size - 1)
    return pd.DataFrame(
        {
            "party": np.arange(len(arrival)),
            "kind": "shopper",
            "role": "",
            "size": size,
            "arrival": arrival,
            "speed": np.clip(speed, 0.55, 1.6),
            "door": rng.choice(list(plan.doors), len(arrival)),
        }
    )


def draw_aims(parties: pd.DataFrame, plan: StorePlan, habits: Habits, rng: np.random.Generator) -> pd.DataFrame:
    """Draw the zones that each party sets out to see, in order: party, zone (its number), stop (bool).

    The order is by way from the entrance, with chance in it; some return to one of them in the end.
    """
    number, zones = len(parties), len(plan.shelf_zones)
    wanted = rng.random((number, zones)) < habits.appeal
    wanted[np.arange(number), rng.integers(0, zones, number)] = True
    door = plan.routes.number("door", plan.doors)[0]
    away = plan.routes.length[door, plan.routes.number("zone", plan.shelf_zones)]
    order = np.where(wanted, away + rng.normal(0, 2.0, (number, zones)), np.inf)
    ranked = np.argsort(order, axis=1)
    party, rank = np.nonzero(np.take_along_axis(wanted, ranked, axis=1))
    aims = pd.DataFrame({"party": party, "zone": ranked[party, rank], "stop": rng.random(len(party)) < habits.stop})
    back = aims.groupby("party").sample(1, random_state=rng)
    back = back[rng.random(len(back)) < habits.come_back].assign(stop=True)
    return pd.concat([aims, back]).sort_values("party", kind="stable").reset_index(drop=True)
