"""Staff: cashiers who stay behind their counters, and others who fill shelves, for as long as the store is open."""

import numpy as np
import pandas as pd

from retailkit.simulate.visits.habits import Habits
from retailkit.simulate.visits.plan import StorePlan

_BREAK = 7200.0  # seconds between a cashier's breaks
_EACH = 8.0  # seconds that it takes to put one thing onto a shelf


def draw_staff(number: int, plan: StorePlan, habits: Habits, rng: np.random.Generator) -> pd.DataFrame:
    """Draw staff as parties of one; the first of them sit at checkouts, the others fill shelves."""
    desks = len(plan.checkouts) if len(plan.checkouts) <= number else 0
    return pd.DataFrame(
        {
            "party": np.arange(number),
            "kind": "staff",
            "role": ["cashier"] * desks + ["filler"] * (number - desks),
            "size": 1,
            "arrival": rng.uniform(0, 240, number),
            "speed": np.clip(rng.normal(habits.speed + 0.1, habits.speed_spread, number), 0.7, 1.6),
            "door": next(iter(plan.doors)),
        }
    )


def draw_tasks(
    staff: pd.DataFrame, seconds: float, plan: StorePlan, habits: Habits, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw where staff stand in turn, and for how long: party, place (number), cell (row in the plan, or -1), hold.

    The last row of each leads out of the door.
    """
    tables = []
    for party, role, arrival, door in staff[["party", "role", "arrival", "door"]].to_numpy(dtype=object):
        draw = _draw_cashier if role == "cashier" else _draw_filler
        tasks = [*draw(party, seconds - arrival, plan, habits, rng), (plan.routes.places["door", door], -1, 0.0)]
        tables.append(pd.DataFrame(tasks, columns=["place", "cell", "hold"]).assign(party=party))
    return pd.concat(tables, ignore_index=True)


def _rest(plan: StorePlan) -> int:
    """Where staff go for a break: the staff area, or else the first shelf."""
    places = plan.routes.places
    return places["staff", ""] if plan.staff_place is not None else places["zone", plan.shelf_zones[0]]


def _draw_cashier(
    desk: int, seconds: float, plan: StorePlan, habits: Habits, rng: np.random.Generator
) -> list[tuple[int, int, float]]:
    post = plan.routes.places["cashier", plan.checkouts["checkout"].iloc[desk]]
    tasks, left = [], seconds - 60.0
    while left > 0:
        shift, pause = min(left, rng.uniform(0.8, 1.2) * _BREAK), rng.uniform(400, 900)
        tasks += [(post, -1, shift), (_rest(plan), -1, pause)]
        left -= shift + pause + 30
    return tasks[:-1]


def _draw_filler(
    _: int, seconds: float, plan: StorePlan, habits: Habits, rng: np.random.Generator
) -> list[tuple[int, int, float]]:
    cells = plan.routes.number("cell", plan.cells["cell"])
    tasks, left = [], seconds - 60.0
    while left > 0:
        pause, cell = rng.exponential(habits.turnover) + 20, int(rng.integers(len(cells)))
        tasks.append((_rest(plan), -1, min(pause, left)))
        for _ in range(rng.integers(1, 4)):
            work = rng.exponential(habits.turnover) + 20
            tasks.append((int(cells[cell]), cell, work))
            left -= work + 10
            cell = (cell + 1) % len(cells)
        left -= pause
    return tasks


def draw_fillings(tasks: pd.DataFrame, arrival: np.ndarray, plan: StorePlan, rng: np.random.Generator) -> pd.DataFrame:
    """Draw when staff put things onto shelves: party, time, cell, product, kind (``return``)."""
    number = np.where(tasks["cell"] >= 0, tasks["hold"] // _EACH, 0).astype(int)
    row = np.repeat(np.arange(len(tasks)), number)
    inner = np.arange(len(row)) - np.repeat(np.cumsum(number) - number, number)
    time = arrival[row] + (inner + rng.uniform(0.2, 0.8, len(row))) * _EACH
    cell = tasks["cell"].to_numpy()[row]
    names = plan.cells[["cell", "product"]].iloc[cell].reset_index(drop=True)
    return names.assign(party=tasks["party"].to_numpy()[row], time=time, kind="return")
