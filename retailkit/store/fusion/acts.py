"""Acts at shelves: what plates weighed and what cameras saw of hands, brought together.

A plate knows where and how much, and not who. A camera knows who, and roughly where. An act is what both tell of one
hand: when, in which cell, whether something was taken or put back, which product it may be, and who it may have been.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.store.fusion.sensors import Scene
from retailkit.store.pairing import pair_up

_APART = 1.2  # metres between the cell that a camera names and the one that a plate does
_LATE = 2.0  # seconds between both, after their clocks are set to each other
_NOISE, _OWN = 3.0, 0.012  # grams of a plate's noise, and share of a weight by which pieces differ
PIECES = {1: 1.0, 2: 0.04, 3: 0.004}  # how usual it is that so many pieces move at once, of one alone
_PLANNED = 0.97  # that a thing is what should be there, or what was held
_OWN_PLACE, _BY_CHANCE = 0.9, 0.02  # share of what is put back in its own place; weight of what nobody seems to hold
_FRESH, _SOONER = 30.0, 3.0  # seconds for which what was just taken is likelier put back, and how much
_LYING = 4.0  # how many of its own pieces a cell has for one that does not belong there
_SEEN = 0.35  # that an act is real which only a camera saw: plates miss few, cameras make some up
_REACH = 0.55  # metres: the farther somebody stands from a cell, the less likely was it them
_ANYBODY = 0.02  # weight of those who are farther, so that nobody is ruled out
_TOGETHER = 0.1  # how usual it is that what two hands took was weighed as one, where a second was seen
_RIGHT_HAND = 0.93  # that a hand seen is that of the track it was seen with


class Acts(NamedTuple):
    """Acts at shelves, in time of the cameras' clock.

    Attributes
    ----------
    table : DataFrame
        A row for each thing that moved: act (its number), time, cell, sign (-1 taken, 1 put back), real (probability
        that it happened), hand (row of the scene's hands, -1 where none was seen), grams (nan where no plate told),
        pieces (how many moved together, this one included), parted (whether the grams are a part of what a plate
        weighed, by the plan's weights, since two hands took at once).
    products : array (acts, products)
        Probability of each product, in the order of the store's products.
    tracks : array (acts, pieces of tracks)
        Probability that it was the person of each piece of a track.
    """

    table: pd.DataFrame
    products: NDArray[np.float64]
    tracks: NDArray[np.float64]


def find_acts(scene: Scene, plates: bool = True) -> Acts:
    """Bring plates and hands together.

    Parameters
    ----------
    scene : Scene
    plates : bool
        Whether there are any; without them acts are what cameras saw.

    Returns
    -------
    Acts
    """
    hands = scene.hands[scene.hands["kind"] != "reach"].reset_index().rename(columns={"index": "hand"})
    weighed = scene.sensors.plates if plates else scene.sensors.plates.iloc[:0]
    pairs = _pair(weighed, hands, scene.sensors.planogram)
    table = _part_takes(_table(weighed.reset_index(drop=True), hands, *pairs), hands, scene)
    tracks = _who(table, scene)
    products, pieces = _which(table, tracks @ scene.identity.beliefs[:, :-1], scene)
    rows = np.repeat(np.arange(len(table)), pieces)
    each = table.iloc[rows].assign(
        act=np.arange(len(rows)), pieces=pieces[rows], grams=table["grams"].iloc[rows] / pieces[rows]
    )
    return Acts(each.reset_index(drop=True), products[rows], tracks[rows])


def as_events(acts: Acts, people: NDArray[np.float64], scene: Scene) -> pd.DataFrame:
    """Tell acts as events: the likeliest product, and whom of the shoppers it was most likely.

    Parameters
    ----------
    acts : Acts
    people : array (acts, shoppers)
        Probability that it was each.
    scene : Scene

    Returns
    -------
    DataFrame
        As `Attribution.events`; no item, since a plate or a hand names none.
    """
    shoppers, names = scene.identity.shoppers, scene.sensors.products["product"].to_numpy()
    return acts.table.assign(
        kind=np.where(acts.table["sign"] < 0, "take", "return"), product=names[acts.products.argmax(axis=1)], item="",
        shopper=shoppers[people.argmax(axis=1)] if people.size else np.empty(0, shoppers.dtype),
        probability=acts.table["real"],
    )  # fmt: skip


def _cell_places(planogram: pd.DataFrame, cells: pd.Series) -> NDArray[np.float64]:
    return planogram.set_index("cell")[["x", "y"]].reindex(cells).to_numpy(float)


def _pair(
    weighed: pd.DataFrame, hands: pd.DataFrame, planogram: pd.DataFrame
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of plates and hands that are one act: near in time and place, and of one sign."""
    wait, away = _gaps(weighed, hands, planogram)
    same = (weighed["grams"].to_numpy() < 0)[:, None] == (hands["kind"] == "take").to_numpy()[None]
    return pair_up(np.where(same & (wait < _LATE) & (away < _APART), wait + 1.5 * away, np.inf))


def _gaps(
    one: pd.DataFrame, other: pd.DataFrame, planogram: pd.DataFrame
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Seconds between rows of two tables, and metres between their cells: (rows of one, rows of the other) each."""
    wait = np.abs(one["time"].to_numpy()[:, None] - other["time"].to_numpy()[None])
    place, there = _cell_places(planogram, one["cell"]), _cell_places(planogram, other["cell"])
    return wait, np.hypot(*(place[:, None] - there[None]).transpose(2, 0, 1))


def _table(
    weighed: pd.DataFrame, hands: pd.DataFrame, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> pd.DataFrame:
    hand = np.full(len(weighed), -1)
    hand[rows] = hands["hand"].to_numpy()[columns]
    told = weighed.assign(sign=np.sign(weighed["grams"]).astype(int), real=1.0, hand=hand)
    only = hands[~hands["hand"].isin(hand)]
    seen = pd.DataFrame(
        {"time": only["time"], "cell": only["cell"], "grams": np.nan, "sign": np.where(only["kind"] == "take", -1, 1),
         "real": (_SEEN if len(weighed) else 1.0) * only["probability"], "hand": only["hand"]}
    )  # fmt: skip
    parts = [part for part in (told, seen) if len(part)] or [told]
    table = pd.concat(parts, ignore_index=True).sort_values("time", kind="stable", ignore_index=True)
    return table.assign(act=np.arange(len(table)))[["act", "time", "cell", "sign", "real", "hand", "grams"]]


def _part_takes(table: pd.DataFrame, hands: pd.DataFrame, scene: Scene) -> pd.DataFrame:
    """Part what a plate weighed as one into two takes, where a second hand was seen for which there is no weight."""
    parted, settled = table.assign(parted=False), set[int]()
    for part in _ways_to_part(table, hands, scene):
        if not settled & {part.row, part.other}:
            settled |= {part.row, part.other}
            for row, cell, grams in zip((part.row, part.other), part.cells, part.grams, strict=True):
                parted.loc[row, ["cell", "grams", "real", "parted"]] = cell, grams, 1.0, True
    return parted


class _Part(NamedTuple):
    """How a weight may be parted: rows of the take and of the other hand's; cells; grams; odds against one hand."""

    row: int
    other: int
    cells: tuple[str, str]
    grams: tuple[float, float]
    odds: float


def _ways_to_part(table: pd.DataFrame, hands: pd.DataFrame, scene: Scene) -> list[_Part]:
    """Ways in which what should lie where both hands were explains a weight better than what one hand may have taken.

    One of the two took from the cell that the plate is of. Likelier ones come first.
    """
    plan = scene.sensors.planogram
    weights = scene.sensors.products.drop_duplicates("product").set_index("product")["weight"].astype(float)
    usual = dict(zip(plan["cell"], weights.reindex(plan["product"]), strict=True))
    planned = dict(zip(plan["cell"], plan["product"], strict=True))
    seen = dict(zip(hands["hand"], hands["cell"], strict=True))
    cell, hand, grams = (table[name].tolist() for name in ("cell", "hand", "grams"))
    found = []
    for row, other in _near_takes(table, plan):
        alone = _alone(-grams[row], planned.get(cell[row], ""), weights)
        for cells in ((cell[row], cell[other]), (cell[row], cell[row]), (seen[hand[row]], cell[row])):
            one, two = (usual.get(place, np.nan) for place in cells)
            off = (grams[row] + one + two) / 2
            odds = _TOGETHER * _both(-grams[row], one, two) / alone
            found.append(_Part(row, other, cells, (off - one, off - two), odds))
    return sorted((part for part in found if part.odds > 1), key=lambda part: -part.odds)


def _near_takes(table: pd.DataFrame, plan: pd.DataFrame) -> list[tuple[int, int]]:
    """Rows of takes that a plate told, with a hand, each with rows of takes near it that only a camera saw."""
    told, take = table["grams"].notna().to_numpy(), (table["sign"] < 0).to_numpy()
    rows, others = np.flatnonzero(take & told & (table["hand"] >= 0).to_numpy()), np.flatnonzero(take & ~told)
    wait, away = _gaps(table.iloc[rows], table.iloc[others], plan)
    return [(int(rows[one]), int(others[two])) for one, two in np.argwhere((wait < _LATE) & (away < _APART))]


def _alone(grams: float, planned: str, weights: pd.Series) -> float:
    """Density of a weight that one hand took from a cell."""
    prior = np.full(len(weights), (1 - _PLANNED) / len(weights)) + _PLANNED * (weights.index == planned)
    return float(prior / prior.sum() @ weigh_likely(np.array([grams]), weights.to_numpy(float)).sum(axis=0)[0])


def _both(grams: float, one: float, other: float) -> float:
    """Density of the weight of two things, as in `weigh_likely`."""
    spread = np.sqrt(_NOISE**2 + (_OWN * one) ** 2 + (_OWN * other) ** 2)
    return float(np.exp(-0.5 * ((grams - one - other) / spread) ** 2) / spread)


def _which(
    table: pd.DataFrame, people: NDArray[np.float64], scene: Scene
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Probability of each product for each act, and the number of pieces: what should be there, and the weight if told.

    What is put back is something that those hold whose hand it was, and mostly in its own place; where it is not, it
    lies there from then on.
    """
    products = scene.sensors.products
    home = scene.sensors.planogram.set_index("cell")["product"].reindex(table["cell"]).to_numpy()
    own = (home[:, None] == products["product"].to_numpy()[None]).astype(float)
    each = weigh_likely(table["grams"].abs().to_numpy(), products["weight"].to_numpy(float))
    told = ~np.isnan(table["grams"].to_numpy())
    likely = np.where(told[:, None], each.max(axis=0) + 1e-12, 1.0)
    found, pieces = np.empty_like(likely), np.ones(len(table), dtype=np.int64)
    strange: dict[str, NDArray[np.float64]] = {}  # what was put down in each cell that does not belong there
    held = np.zeros((people.shape[1], len(products)))
    fresh, last = held.copy(), -np.inf
    columns = (table[name].tolist() for name in ("time", "cell", "sign", "real"))
    for act, (time, cell, sign, real) in enumerate(zip(*columns, strict=True)):
        lies = strange.setdefault(cell, np.zeros(len(products)))
        fresh, last = fresh * np.exp((last - time) / _FRESH), time
        mine = people[act] @ (held + _SOONER * fresh)
        there = own[act] if sign < 0 else mine * np.where(own[act] > 0, _OWN_PLACE, 1 - _OWN_PLACE)
        there = there + lies / _LYING if sign < 0 else there + own[act] * _BY_CHANCE
        prior = _PLANNED * there / max(there.sum(), 1e-12) + (1 - _PLANNED) / len(products)
        found[act] = prior * likely[act] / (prior @ likely[act])
        if told[act]:
            pieces[act] = each[:, act, found[act].argmax()].argmax() + 1
        moved = real * pieces[act] * found[act]
        held, fresh = (np.maximum(hand - sign * people[act][:, None] * moved, 0.0) for hand in (held, fresh))
        strange[cell] = np.maximum(lies + sign * moved * (own[act] == 0), 0.0)
    return found, pieces


def weigh_likely(grams: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Tell how likely a weight is, if it is one, two, or three pieces of each product.

    Parameters
    ----------
    grams : array (acts,)
        Told by plates, above 0.
    weight : array (products,), grams

    Returns
    -------
    array (3, acts, products)
        Density per gram of a normal error, without its constant, times how usual so many pieces are (`PIECES`).
    """
    found = []
    for number, usual in PIECES.items():
        spread = np.sqrt(_NOISE**2 + number * (_OWN * weight) ** 2)
        off = (grams[:, None] - number * weight) / spread
        found.append(usual * np.exp(-0.5 * np.minimum(off**2, 60.0)) / spread)
    return np.stack(found)


def _who(table: pd.DataFrame, scene: Scene) -> NDArray[np.float64]:
    """Probability of each piece of a track for each act: whose hand was seen, and who stood near."""
    place = _cell_places(scene.sensors.planogram, table["cell"])
    away = distances(scene, table["time"].to_numpy(), place)
    near = np.exp(-0.5 * (np.maximum(away - 0.5, 0.0) / _REACH) ** 2) + _ANYBODY * (away < 4.0)
    hands = scene.hands["piece"].reindex(table["hand"]).fillna(-1).to_numpy(int)
    seen = np.zeros_like(near)
    known = np.flatnonzero(hands >= 0)
    seen[known, hands[known]] = 1.0
    close = near / np.maximum(near.sum(axis=1, keepdims=True), 1e-12)
    sure = np.where(hands >= 0, _RIGHT_HAND, 0.0)[:, None]
    return np.asarray(sure * seen + (1 - sure) * close)


def distances(scene: Scene, time: NDArray[np.float64], place: NDArray[np.float64]) -> NDArray[np.float64]:
    """Metres from the person of each piece of a track at some times to places: (times, pieces), inf where not there."""
    found = np.full((len(time), len(scene.identity.pieces)), np.inf)
    order = np.argsort(time, kind="stable")
    for piece, way in scene.identity.ways.groupby("piece", sort=False):
        moments = way["time"].to_numpy()
        low, high = np.searchsorted(time[order], [moments[0] - 0.6, moments[-1] + 0.6])
        rows = order[low:high]
        if len(rows):
            x, y = (np.interp(time[rows], moments, way[axis]) for axis in ("x", "y"))
            found[rows, int(str(piece))] = np.hypot(x - place[rows, 0], y - place[rows, 1])
    return found
