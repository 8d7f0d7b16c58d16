"""What lies on the shelves, piece by piece, and what becomes of each piece in a day: who carried it, where it ended.

`simulate/visits` says whose hand took what kind of product from which cell. Here every take gets a piece of its own,
with a tag or without, and what the day does not tell happens: things put back into the wrong cell, handed to a
companion, or hidden in a bag.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.simulate.visits.day import StoreDay
from retailkit.simulate.visits.plan import StorePlan

_NEAR = 1.2  # metres between a cell and the one that something is put back into by mistake
_TOGETHER = 1.5  # metres between companions who hand each other something
_MATERIALS = {
    "metal": -20.0,
    "liquid": -6.0,
    "dry": 0.0,
}  # dB that a product takes from its tag (Griffin & Durgin 2006)


@dataclass(frozen=True)
class Habit:
    """What happens to goods, beyond what hands do.

    Attributes
    ----------
    facings : int
        Pieces in each cell in the morning.
    untagged : float, 0 to 1
        Share of pieces without a tag that works (Auburn RFID Lab: 3.5 %, in the worst store 23 %).
    misplaced : float, 0 to 1
        Share of things put back that end in another cell nearby.
    handed : float, 0 to 1
        Chance that a piece changes hands within a party that has not yet left.
    concealed : float, 0 to 1
        Share of pieces kept that go into a bag or a coat: no camera sees the hand, and the tag is heard less.
    hidden_loss : float, dB
        What the bag takes, one way.
    spread : float, dB
        Standard deviation of tags of one product.
    metal, liquid : float, 0 to 1
        Shares of products that weaken their tags by 20 and 6 dB.
    """

    facings: int = 8
    untagged: float = 0.035
    misplaced: float = 0.1
    handed: float = 0.0
    concealed: float = 0.0
    hidden_loss: float = 10.0
    spread: float = 3.0
    metal: float = 0.05
    liquid: float = 0.25


class Goods(NamedTuple):
    """Pieces and their day.

    Attributes
    ----------
    products : DataFrame
        product, price, weight (grams), material, loss (dB that it takes from a tag).
    pieces : DataFrame
        piece, product, cell (where it lay in the morning), tagged, gain (dB of its tag, product included).
    stays : DataFrame
        A row for each stretch of time by piece and start: piece, start (seconds), cell (where it lies, empty while
        carried), visit (who carries it, -1 while it lies), hidden. The last stretch of what was taken home is carried.
    hands : DataFrame
        As the day tells them, with the piece and the cell where it really ended: visit, time, cell, kind, product,
        piece (-1 for a touch), hidden.
    """

    products: pd.DataFrame
    pieces: pd.DataFrame
    stays: pd.DataFrame
    hands: pd.DataFrame

    @property
    def receipts(self) -> pd.DataFrame:
        """What each visit left with: piece, product, visit."""
        last = self.stays.drop_duplicates("piece", keep="last")
        kept = last[last["visit"] >= 0]
        return kept.merge(self.pieces[["piece", "product"]], on="piece")[["piece", "product", "visit"]]


def draw_products(plan: StorePlan, habit: Habit, rng: np.random.Generator) -> pd.DataFrame:
    """Give each product of a plan a weight and a material.

    Weights crowd as in AutoCheckout's shop, where three of four products have another within 5 g: most lie near one of
    a few sizes of package.
    """
    found = plan.cells.drop_duplicates("product")[["product", "price"]].reset_index(drop=True)
    sizes = np.array([28.0, 43.0, 62.0, 142.0, 200.0, 255.0, 330.0, 500.0, 1000.0])
    weight = rng.choice(sizes, len(found)) * (1 + rng.normal(0, 0.03, len(found)))
    return found.assign(weight=weight.round(1), **draw_materials(len(found), habit, rng))


def draw_materials(number: int, habit: Habit, rng: np.random.Generator) -> dict[str, Any]:
    """Draw what some products are of: the columns material, and loss (dB that it takes from a tag)."""
    kinds, shares = ["metal", "liquid", "dry"], [habit.metal, habit.liquid, 1 - habit.metal - habit.liquid]
    material = rng.choice(kinds, number, p=shares)
    return {"material": pd.array(material, dtype="str"), "loss": np.array([_MATERIALS[kind] for kind in material])}


def move_goods(day: StoreDay, habit: Habit | None = None, seed: int = 0) -> Goods:
    """Let a day's hands move pieces.

    Parameters
    ----------
    day : StoreDay
    habit : Habit, optional
    seed : int

    Notes
    -----
    A take gets the piece that lay in the cell longest; where none is left the hand comes back empty, as a touch. Staff
    who fill a shelf bring a piece without a tag's history: it appears then.
    """
    habit, rng = habit or Habit(), np.random.default_rng([seed, 11])
    products = draw_products(day.plan, habit, np.random.default_rng([seed, 12]))
    pieces = _draw_pieces(day.plan, products, habit, rng)
    shelves = {str(cell): rows["piece"].tolist() for cell, rows in pieces.groupby("cell", sort=False)}
    hands, stays = _follow_hands(day, shelves, habit, rng)
    stays = pd.concat([pieces[["piece", "cell"]].assign(start=-np.inf, visit=-1), stays], ignore_index=True)
    stays = _hand_over(_sorted(stays), day, habit, rng)
    return Goods(products, pieces, *_hide(stays, hands, habit, rng))


def _draw_pieces(plan: StorePlan, products: pd.DataFrame, habit: Habit, rng: np.random.Generator) -> pd.DataFrame:
    cells = plan.cells.loc[plan.cells.index.repeat(habit.facings), ["cell", "product"]].reset_index(drop=True)
    loss = products.set_index("product")["loss"].reindex(cells["product"]).to_numpy()
    gain = loss + rng.normal(0, habit.spread, len(cells))
    tagged = rng.random(len(cells)) >= habit.untagged
    return cells.assign(piece=np.arange(len(cells)), tagged=tagged, gain=gain)


def _neighbours(plan: StorePlan) -> dict[str, list[str]]:
    """Cells that something may be put back into by mistake: near, and of the same shelf."""
    place, names = plan.cells[["x", "y"]].to_numpy(float), plan.cells["cell"].to_numpy()
    near = np.hypot(*(place[:, None] - place[None]).transpose(2, 0, 1)) <= _NEAR
    near &= plan.cells["zone"].to_numpy()[:, None] == plan.cells["zone"].to_numpy()[None]
    np.fill_diagonal(near, False)
    return {name: list(names[row]) for name, row in zip(names, near, strict=True)}


def _follow_hands(
    day: StoreDay, shelves: dict[str, list[int]], habit: Habit, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give takes and returns their pieces, in order of time."""
    near = _neighbours(day.plan)
    carried: dict[tuple[int, str], list[int]] = {}
    acts, moves = [], []
    ordered = day.hands.sort_values("time", kind="stable")
    columns = (ordered[name].tolist() for name in ("visit", "time", "cell", "kind", "product"))
    for visit, time, cell, kind, product in zip(*columns, strict=True):
        piece, own = -1, carried.setdefault((visit, product), [])
        if kind == "take" and shelves[cell]:
            piece = shelves[cell].pop(0)
            own.append(piece)
            moves.append((piece, time, "", visit))
        elif kind == "return" and own:
            piece = own.pop()
            if near[cell] and rng.random() < habit.misplaced:
                cell = near[cell][rng.integers(len(near[cell]))]
            shelves[cell].append(piece)
            moves.append((piece, time, cell, -1))
        elif kind != "reach":
            kind = "reach"  # an empty shelf, or an empty hand
        acts.append((visit, time, cell, kind, product, piece))
    hands = pd.DataFrame(acts, columns=["visit", "time", "cell", "kind", "product", "piece"])
    return hands, pd.DataFrame(moves, columns=["piece", "start", "cell", "visit"])


def _sorted(stays: pd.DataFrame) -> pd.DataFrame:
    return stays.sort_values(["piece", "start"], kind="stable").reset_index(drop=True)


def _hand_over(stays: pd.DataFrame, day: StoreDay, habit: Habit, rng: np.random.Generator) -> pd.DataFrame:
    """Let some pieces go to a companion, at a moment when both are near each other."""
    companions = {visit: [other for other in party if other != visit] for party in day.groups for visit in party}
    last = stays.drop_duplicates("piece", keep="last")
    last = last[last["visit"].isin(list(companions))]
    leaves = day.visitors.set_index("visit")["last"].to_dict()
    given = []
    for piece, start, visit in zip(*(last[name].tolist() for name in ("piece", "start", "visit")), strict=True):
        if rng.random() >= habit.handed:
            continue
        other = companions[visit][rng.integers(len(companions[visit]))]
        times = np.arange(start + 2.0, min(leaves[visit], leaves[other]) - 6.0, 0.5)
        near = _apart(day, visit, other, times) < _TOGETHER
        if near.any():
            given.append((piece, float(rng.choice(times[near])), "", other))
    more = pd.DataFrame(given, columns=["piece", "start", "cell", "visit"])
    return _sorted(pd.concat([stays, more], ignore_index=True)) if given else stays


def _apart(day: StoreDay, one: int, other: int, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Metres between two visits at some times; nan where one is not there."""
    places = [day.place(pd.DataFrame({"visit": visit, "time": times}))[["x", "y"]].to_numpy() for visit in (one, other)]
    return np.asarray(np.hypot(*(places[0] - places[1]).T))


def _hide(
    stays: pd.DataFrame, hands: pd.DataFrame, habit: Habit, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Conceal some of what is carried home: from its last take on, the hand of that take included."""
    last = stays.drop_duplicates("piece", keep="last")
    kept = last.loc[last["visit"] >= 0, "piece"].to_numpy()
    chosen = kept[rng.random(len(kept)) < habit.concealed]
    on_shelf = (stays["visit"] < 0).groupby(stays["piece"]).cumsum()
    final = on_shelf == on_shelf.groupby(stays["piece"]).transform("max")
    hidden = stays["piece"].isin(chosen) & final & (stays["visit"] >= 0)
    taken = hands["kind"].eq("take") & hands["piece"].isin(chosen)
    late = taken & ~hands[taken].duplicated("piece", keep="last").reindex(hands.index, fill_value=True)
    return stays.assign(hidden=hidden), hands.assign(hidden=late)
