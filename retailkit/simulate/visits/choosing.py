"""What shoppers reach for, take, return and keep: a logit over the cells of the zone that they stopped at."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.simulate.visits.habits import Habits
from retailkit.simulate.visits.plan import StorePlan

NOTHING = "none"  # the cell of those who take nothing
_TOUCH, _TAKE, _RETURN = 3.0, 5.0, 6.0  # seconds that each needs at least


def utilities(plan: StorePlan) -> NDArray[np.float64]:
    """Utility of each cell, without chance: (cells,)."""
    names = [name for name in plan.preference if name != NOTHING]
    weights = np.array([plan.preference[name] for name in names], dtype=float)
    return plan.cells[names].to_numpy(dtype=float) @ weights if names else np.zeros(len(plan.cells))


def draw_choices(zones: NDArray[np.intp], plan: StorePlan, rng: np.random.Generator) -> NDArray[np.intp]:
    """Draw what is chosen at each stop from the cells of its zone: the cell's row in the plan, -1 for nothing.

    The greatest sum of utility and a Gumbel error is chosen, which is the multinomial logit (McFadden 1974).

    Parameters
    ----------
    zones : array (stops,)
        Numbers of `plan.shelf_zones`.
    """
    cells, utility = _by_zone(plan)
    options = np.c_[utility[zones], np.full(len(zones), plan.preference[NOTHING])]
    best = np.argmax(options + rng.gumbel(size=options.shape), axis=1)
    return np.c_[cells[zones], np.full(len(zones), -1)][np.arange(len(zones)), best]


def _by_zone(plan: StorePlan) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Rows of the cells of each shelf zone and their utilities: (zones, most cells); -inf where there are fewer."""
    rows = [np.flatnonzero(plan.cells["zone"] == name) for name in plan.shelf_zones]
    most = max(map(len, rows))
    cells = np.array([np.pad(row, (0, most - len(row)), constant_values=-1) for row in rows])
    return cells, np.where(cells >= 0, utilities(plan)[cells], -np.inf)


def draw_stands(aims: pd.DataFrame, plan: StorePlan, habits: Habits, rng: np.random.Generator) -> pd.DataFrame:
    """Turn aims into the places where people stand, and what their hands do there.

    A stop is up to two reaches for nothing, then the choice; where nothing at all is reached for, it is a look from
    some cell's place.

    Returns
    -------
    DataFrame
        In order: party, aim (row of `aims`), zone, cell (row in the plan, -1 where one walks through), hold (seconds),
        reach, take, give_back (seconds after one came to stand; nan where not), chosen (bool: the stand of the choice).
    """
    stops = np.flatnonzero(aims["stop"])
    zone = aims["zone"].to_numpy()[stops]
    cells, utility = _by_zone(plan)
    touch = rng.random((len(stops), 2)) < habits.touch
    liked = [np.argmax(utility[zone] + rng.gumbel(size=(len(stops), cells.shape[1])), axis=1) for _ in range(3)]
    touched, looked = np.c_[cells[zone, liked[0]], cells[zone, liked[1]]], cells[zone, liked[2]]
    chosen = draw_choices(zone, plan, rng)
    returned = (chosen >= 0) & (rng.random(len(stops)) < habits.put_back)
    idle = (chosen < 0) & ~touch.any(axis=1)
    needs = np.c_[touch * _TOUCH, idle * 1.0 + (chosen >= 0) * _TAKE + returned * _RETURN]
    here = np.c_[touch, idle | (chosen >= 0)]
    dwell = np.maximum(habits.dwell * np.exp(habits.dwell_spread * rng.standard_normal(len(stops))), needs.sum(axis=1))
    shares = rng.dirichlet(np.ones(3), len(stops)) * here
    hold = needs + (dwell - needs.sum(axis=1))[:, None] * shares / shares.sum(axis=1, keepdims=True)
    row, place = np.nonzero(here)
    cell = np.c_[touched, np.where(chosen >= 0, chosen, looked)][row, place]
    taken, back = (place == 2) & (chosen[row] >= 0), (place == 2) & returned[row]
    stands = pd.DataFrame({"aim": stops[row], "cell": cell, "hold": hold[row, place], "chosen": place == 2})
    stands = _hands(stands, place < 2, taken, back, rng)
    passes = np.flatnonzero(~aims["stop"])
    through = pd.DataFrame({"aim": passes, "cell": -1, "hold": 0.0, "chosen": False})
    stands = pd.concat([stands, through]).sort_values("aim", kind="stable").reset_index(drop=True)
    return stands.assign(party=aims["party"].to_numpy()[stands["aim"]], zone=aims["zone"].to_numpy()[stands["aim"]])


def _hands(
    stands: pd.DataFrame, touch: NDArray, taken: NDArray, back: NDArray, rng: np.random.Generator
) -> pd.DataFrame:
    """Add when hands reach, take and give back, so that each finds its time within the hold."""
    hold = stands["hold"].to_numpy()
    luck, grasp = rng.uniform(0.2, 0.8, len(stands)), rng.uniform(0.6, 1.4, len(stands))
    reach = 0.5 + luck * (hold - np.where(back, _RETURN + 2.5, np.where(taken, 2.5, 1.0)))
    take = reach + grasp
    give = take + rng.uniform(0.3, 1.0, len(stands)) * np.maximum(hold - 0.5 - take, 0)
    return stands.assign(
        reach=np.where(touch | taken, reach, np.nan),
        take=np.where(taken, take, np.nan),
        give_back=np.where(back, give, np.nan),
    )
