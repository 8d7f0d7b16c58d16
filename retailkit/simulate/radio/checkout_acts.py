"""Labelled events as acts of people in a store: who stands where when, and which piece goes from where to whom.

    acts = act_out(cases.events.query("case == 'BASELINE-1'"), plan, rng)
    acts.table, acts.pieces, acts.ways

Labels have whole seconds, and hands of one person follow each other sooner than anybody walks. So the moment within a
second is drawn; who could not have come so fast acts later; what was put back is taken from there only afterwards;
several things of one event are taken one after another.
"""

from collections import defaultdict
from typing import NamedTuple

import numpy as np
import pandas as pd

from retailkit.simulate.radio.checkout_people import People
from retailkit.simulate.visits.plan import StorePlan

_FACINGS = 2  # pieces on each plate when a case begins
_LEAD = 15.0  # seconds from the start of a recording until the first customer comes
_AFTER = 0.5  # seconds after which something that was put back can be taken again
_NEXT_HAND = 1.2  # seconds that a hand may take longer than it must for the next thing of the same event
_EVEN = 5.0  # seconds between events of a case of which no time is known


class Acts(NamedTuple):
    """What people did in a case.

    Attributes
    ----------
    table : DataFrame
        A row for each piece by time: visit (the customer's number, from 0), time (seconds of the recording), cell,
        kind (take, return), product, piece, event (its number in the case), late (seconds after its label).
    pieces : DataFrame
        What lay there at first: piece, product, cell.
    ways : DataFrame
        visit, time, x, y: knots of everybody's way, from outside of the door and back.
    customers : tuple of str
        By number of the visit.
    """

    table: pd.DataFrame
    pieces: pd.DataFrame
    ways: pd.DataFrame
    customers: tuple[str, ...]


def act_out(events: pd.DataFrame, plan: StorePlan, rng: np.random.Generator) -> Acts:
    """Act out the events of one case.

    Parameters
    ----------
    events : DataFrame
        Of one case, as in `CheckoutCases.events`.
    plan : StorePlan
        As `furnish` lays it out.
    rng : Generator
        Draws moments within seconds, plates among those that were told, and where exactly people stand.
    """
    events = one_plate_each(events)
    customers = tuple(dict.fromkeys(events["customer"]))
    visits = {customer: number for number, customer in enumerate(customers)}
    stock, people = _Stock(plan, rng), People(plan, rng)
    rows = []
    facts = ["customer", "product", "sign", "quantity", "gondola", "shelf", "plates", "moment", "event"]
    ordered = (put_in_order(events, rng)[name].tolist() for name in facts)
    for customer, product, sign, quantity, gondola, shelf, plates, label, event in zip(*ordered, strict=True):
        visit, take, told, moment = visits[customer], sign > 0, (gondola, shelf, plates), label
        for number in range(quantity):
            moment += rng.uniform(0, _NEXT_HAND) if number else 0.0
            cell, since = stock.find(product, told) if take else (stock.nearest(told), -np.inf)
            moment = time = people.go(visit, cell, max(moment, since + _AFTER))
            piece = stock.take(product, cell, visit) if take else stock.put(product, cell, visit, time)
            kind = "take" if take else "return"
            rows.append((visit, time, stock.names[cell], kind, product, piece, event, time - label))
    columns = ["visit", "time", "cell", "kind", "product", "piece", "event", "late"]
    table = pd.DataFrame(rows, columns=columns)
    ways = people.walk()
    shift = _LEAD - ways["time"].min()
    table["time"], ways["time"] = table["time"] + shift, ways["time"] + shift
    return Acts(table.sort_values("time", kind="stable", ignore_index=True), stock.table(), ways, customers)


def one_plate_each(events: pd.DataFrame) -> pd.DataFrame:
    """Give each product of an event its own plate where it names as many plates as products, in their order.

    >>> events = pd.DataFrame({"case": "A", "event": 1, "product": ["tea", "cola"], "plates": [(3, 5), (3, 5)]})
    >>> one_plate_each(events)["plates"].tolist()
    [(3,), (5,)]
    """
    each = events.groupby(["case", "event"])["product"]
    place, number = each.cumcount(), each.transform("size")
    plates = [
        told[row : row + 1] if len(told) == size > 1 else told
        for told, row, size in zip(events["plates"], place, number, strict=True)
    ]
    return events.assign(plates=pd.Series(plates, index=events.index, dtype=object))


def put_in_order(events: pd.DataFrame, rng: np.random.Generator | None = None) -> pd.DataFrame:
    """Give each event of a case its moment (seconds): within its labelled second, and in the order of events.

    Where times lack, the file's order stands and these events are spread evenly between the others; where a thing is
    put back before its customer takes it, it is put back right afterwards.
    """
    lacking = bool(events["time"].isna().any())
    known = events.sort_values(["event"] if lacking else ["time", "event"], kind="stable", ignore_index=True)
    second = known["time"].interpolate(limit_direction="both").cummax()
    second = second if second.notna().all() else pd.Series(_EVEN * np.arange(len(known)))
    within = rng.random(len(known)) if rng else np.zeros(len(known))
    each = known.assign(moment=second)
    each["moment"] += pd.Series(within).groupby([each["moment"], each["event"]]).transform("first")
    together = each.groupby(each["moment"] // 1)["moment"].transform(lambda moments: np.sort(moments))
    return _hold_first(each.assign(moment=together))


def _hold_first(events: pd.DataFrame) -> pd.DataFrame:
    """Let nobody put back what they do not hold: such events wait until it is taken."""
    held: defaultdict[tuple[str, str], int] = defaultdict(int)
    waiting: defaultdict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    order: list[int] = []
    moments: list[float] = events["moment"].to_numpy(float).tolist()
    facts = (events[name].tolist() for name in ("customer", "product", "sign", "quantity"))
    for row, (customer, product, sign, quantity) in enumerate(zip(*facts, strict=True)):
        key = customer, product
        if sign < 0 and held[key] < quantity:
            waiting[key].append((row, quantity))
            continue
        held[key] += sign * quantity
        order.append(row)
        while waiting[key] and held[key] >= waiting[key][0][1]:
            late, number = waiting[key].pop(0)
            held[key] -= number
            moments[late] = max(moments[late], moments[row])
            order.append(late)
    return events.assign(moment=moments).iloc[order].reset_index(drop=True)


class _Stock:
    """Which piece lies on which plate, or is in whose hands."""

    def __init__(self, plan: StorePlan, rng: np.random.Generator) -> None:
        cells = plan.cells
        self.rng, self.names = rng, cells["cell"].tolist()
        numbers = cells[["gondola", "shelf", "plate"]].to_numpy(int).tolist()
        self.spot = {(gondola, shelf, plate): row for row, (gondola, shelf, plate) in enumerate(numbers)}
        self.shelf = cells[["gondola", "shelf"]].to_numpy(int)
        self.plate = cells["plate"].to_numpy(int)
        self.there: list[tuple[str, int]] = []  # of each piece: product, and the cell of the morning
        self.lies: defaultdict[tuple[int, str], list[tuple[int, float]]] = defaultdict(list)
        self.held: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
        for row, product in enumerate(cells["product"]):
            for _ in range(_FACINGS):
                self._add(str(product), row)

    def _add(self, product: str, cell: int) -> None:
        self.lies[cell, product].append((len(self.there), -np.inf))
        self.there.append((product, cell))

    def _told(self, told: tuple[int, int, tuple[int, ...]]) -> list[int]:
        """Cells of the plates that an event names; else the nearest plate of that shelf, or of the gondola."""
        gondola, shelf, plates = told
        if found := [self.spot[gondola, shelf, plate] for plate in plates if (gondola, shelf, plate) in self.spot]:
            return found
        away = 1000 * (self.shelf[:, 0] != gondola) + 30 * np.abs(self.shelf[:, 1] - shelf)
        return [int(np.argmin(away + np.abs(self.plate - np.mean(plates))))]

    def nearest(self, told: tuple[int, int, tuple[int, ...]]) -> int:
        """One of the plates that an event names."""
        return int(self.rng.choice(self._told(told)))

    def find(self, product: str, told: tuple[int, int, tuple[int, ...]]) -> tuple[int, float]:
        """A plate on which such a thing lies, and since when; if on none of those told, one of them gets it."""
        cells = self._told(told)
        full = [cell for cell in cells if self.lies[cell, product]]
        same = (self.shelf == self.shelf[cells[0]]).all(axis=1)
        full = full or [int(cell) for cell in np.flatnonzero(same) if self._put_there(int(cell), product)]
        cell = int(self.rng.choice(full)) if full else self.nearest(told)
        if not full:
            self._add(product, cell)
        return cell, max(since for _, since in self.lies[cell, product])

    def _put_there(self, cell: int, product: str) -> bool:
        """Whether somebody put such a thing there during the case."""
        return any(np.isfinite(since) for _, since in self.lies[cell, product])

    def take(self, product: str, cell: int, visit: int) -> int:
        if not self.lies[cell, product]:
            self._add(product, cell)
        piece, _ = self.lies[cell, product].pop()
        self.held[visit, product].append(piece)
        return piece

    def put(self, product: str, cell: int, visit: int, time: float) -> int:
        piece = self.held[visit, product].pop()
        self.lies[cell, product].append((piece, time))
        return piece

    def table(self) -> pd.DataFrame:
        """Pieces where they lay at first."""
        rows = [(piece, product, self.names[cell]) for piece, (product, cell) in enumerate(self.there)]
        return pd.DataFrame(rows, columns=["piece", "product", "cell"])
