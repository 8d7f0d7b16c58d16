"""What really lies in each cell: what plates weigh, which tags leave with it, and where tags are heard to lie.

    cells = find_contents(scene)
    cells.query("verdict == 'wrong'")[["cell", "planned", "product", "probability"]]

Three witnesses that fail for different reasons. A weight tells products apart that differ by more than a plate's noise.
A tag that ceases to lie when something is taken names the product, if it has a tag that is heard. And tags that lie
side by side are heard alike, which tells the shelf, and not the cell.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, logsumexp

from retailkit.store.fusion.acts import PIECES, Acts, find_acts, weigh_likely
from retailkit.store.fusion.departures import Departures, find_departures, hear_bins
from retailkit.store.fusion.sensors import Scene
from retailkit.store.pairing import pair_up
from retailkit.store.rfid.presence import Presence

_PLANNED = 0.95  # that a cell has what it should, before anything is known
_STRAY, _HEAVIEST = 0.05, 2000.0  # share of changes that are something else, and grams they may have
_UNWEIGHED = 3.0  # grams by which a cell that nothing was taken from is taken to differ from any product
_ELSE = 0.15  # share of tags that leave from elsewhere than their product's cell, or when no plate told
_STEP, _STEPS = 0.5, 20  # metres of a step of the variogram, and their number
_HEARD = 3  # antennas that must hear both of two products for a comparison
_SURE = 0.9  # from where on a verdict is given
_STRICT = 0.5  # 1: each product has exactly its number of cells; 0: it may have any
_NOWHERE = 0.05  # cells that a product which is not in the plan may have
_ROUNDS = 50  # of scaling; it settles in about ten

CONTENTS = ["cell", "planned", "takes", "grams", "product", "probability", "wrong", "also", "verdict"]


def find_contents(
    scene: Scene, acts: Acts | None = None, left: Departures | None = None, presence: Presence | None = None
) -> pd.DataFrame:
    """Say for each cell of the planogram which product it probably has.

    Parameters
    ----------
    scene : Scene
    acts : Acts, optional
        As `find_acts` gives them.
    left : Departures, optional
        As `find_departures` gives them for the moments of `seen_takes(acts)`.
    presence : Presence, optional
        As `hear_bins` gives it.

    Returns
    -------
    DataFrame
        By cell of the planogram: cell, planned, takes (that its plate told, of however many pieces, by one hand), grams
        (their median; nan without any), product (the most probable), probability (of it), wrong (probability that it
        is another than the planned one, as it surely is where that is not among the products), also (others with a
        tenth of the probability or more, as products of like weight, whose tags are not heard, cannot be told apart),
        verdict (ok; wrong; cannot tell, as always where nothing was taken).

    Raises
    ------
    ValueError
        The reads lack a column, are of an antenna that the scene has not, or hold a time that is not finite.

    Notes
    -----
    Log-likelihoods of the three witnesses are added to a prior for the plan and drawn to as many cells as each product
    has in the plan by scaling with relaxed sums (Chizat et al. 2018): what surely lies elsewhere hardly lies here too.
    """
    acts = find_acts(scene) if acts is None else acts
    presence = hear_bins(scene) if presence is None else presence
    takes = seen_takes(acts)
    left = find_departures(scene, takes["time"], presence) if left is None else left
    plan, names = scene.sensors.planogram, pd.Index(scene.sensors.products["product"])
    planned = names.get_indexer(pd.Index(plan["product"]))
    cell, whole = pd.Index(plan["cell"]).get_indexer(pd.Index(takes["cell"])), _whole(takes)
    told = _prior(planned, len(names)) + _weighed(whole, plan["cell"], scene.sensors.products["weight"].to_numpy())
    told += _left_with(left, cell, len(plan), names) + _heard_there(scene, presence, planned, names)
    return _table(scene, whole, _share_out(told, np.bincount(planned[planned >= 0], minlength=len(names))), planned)


def seen_takes(acts: Acts) -> pd.DataFrame:
    """Rows of an acts table that are takes which a plate told."""
    table = acts.table
    return table[(table["sign"] < 0) & table["grams"].notna()]


def _whole(takes: pd.DataFrame) -> pd.DataFrame:
    """What plates weighed: a row for each change. How many pieces it was depends on the plan, which is in question.

    So do the parts of what two hands took, which are left out.
    """
    return takes[~takes["parted"]].assign(grams=takes["grams"] * takes["pieces"]).drop_duplicates(["time", "cell"])


def mend_planogram(scene: Scene, contents: pd.DataFrame, least: float = 0.5) -> Scene:
    """Put into the planogram what was found, where it is surely wrong.

    A cell that nobody can tell of, and whose product was found elsewhere, gets one that lost its cell.

    Parameters
    ----------
    scene : Scene
    contents : DataFrame
        As `find_contents` gives it.
    least : float, 0 to 1
        Probability of the product from which on it is put there.

    Returns
    -------
    Scene
        With another planogram; nothing else differs.

    Raises
    ------
    ValueError
        `least` is no probability.
    """
    if not 0 <= least <= 1:
        raise ValueError(f"least is {least!r}: a probability from 0 to 1 is needed")
    sure = contents[(contents["verdict"] == "wrong") & (contents["probability"] >= least)]
    plan, found = scene.sensors.planogram, dict(zip(sure["cell"], sure["product"], strict=True))
    found |= _left_over(scene, contents, found)
    known = zip(plan["cell"], plan["product"], strict=True)
    products = [found.get(cell, product) for cell, product in known]
    mended = plan.assign(product=pd.Series(products, plan.index, dtype=plan["product"].dtype))
    return scene._replace(sensors=scene.sensors._replace(planogram=mended))


def _left_over(scene: Scene, contents: pd.DataFrame, found: dict[str, str]) -> dict[str, str]:
    """Cells that nobody can tell of, whose product was found elsewhere: they have those that lost their cells.

    Paired by weight where something was taken.
    """
    known = zip(contents["cell"], contents["planned"], strict=True)
    now = pd.Series([found.get(cell, product) for cell, product in known], contents.index, dtype=object)
    more = now.value_counts().sub(contents["planned"].value_counts(), fill_value=0)
    open_cells = (contents["verdict"] == "cannot tell") & now.map(more).gt(0)
    lost = scene.sensors.products[scene.sensors.products["product"].map(more).fillna(0) < 0]
    grams = contents.loc[open_cells, "grams"].to_numpy()[:, None]
    cost = np.nan_to_num(np.abs(grams - lost["weight"].to_numpy()[None]), nan=_UNWEIGHED)
    rows, columns = pair_up(cost)
    return dict(zip(contents.loc[open_cells, "cell"].iloc[rows], lost["product"].iloc[columns], strict=True))


def _prior(planned: NDArray[np.intp], products: int) -> NDArray[np.float64]:
    prior = np.full((len(planned), products), np.log((1 - _PLANNED) / max(products - 1, 1)))
    known = np.flatnonzero(planned >= 0)
    prior[known, planned[known]] = np.log(_PLANNED)
    return prior


def _weighed(whole: pd.DataFrame, cells: pd.Series, weight: NDArray) -> NDArray[np.float64]:
    """What plates say: (cells, products). A share of changes is of something else, so that no single one decides."""
    usual = sum(PIECES.values()) * np.sqrt(2 * np.pi)
    density = weigh_likely(whole["grams"].abs().to_numpy(), weight.astype(float)).sum(axis=0) / usual
    rows, cell = (
        np.log((1 - _STRAY) * density + _STRAY / _HEAVIEST),
        pd.Index(cells).get_indexer(pd.Index(whole["cell"])),
    )
    total = np.zeros((len(cells), len(weight)))
    np.add.at(total, cell[cell >= 0], rows[cell >= 0])
    return total


def _left_with(left: Departures, cell: NDArray[np.intp], cells: int, names: pd.Index) -> NDArray[np.float64]:
    """What tags say that left: (cells, products). Each left at a take of its product's cell or, seldom, at another."""
    total = np.zeros((cells, len(names)))
    product = names.get_indexer(pd.Index(left.table["product"]))
    number = np.bincount(cell[cell >= 0], minlength=cells)
    for row in np.flatnonzero((product >= 0) & np.isfinite(left.score).any(axis=1)):
        chance = np.exp(left.score[row] - left.score[row].max())
        here = np.bincount(cell[cell >= 0], chance[cell >= 0], cells) / np.maximum(number, 1)
        total[:, product[row]] += np.log(_ELSE + (1 - _ELSE) * here / chance.mean())
    return total


def _heard_there(scene: Scene, presence: Presence, planned: NDArray[np.intp], names: pd.Index) -> NDArray[np.float64]:
    """What tags say that lie: (cells, products), from how alike two products are heard, by metres between their cells.

    The variogram (Matheron 1963) is learned from the plan, most of which is right; so is what this witness is worth.
    A cell that is to have a product which is not known teaches nothing.
    """
    alike, common = _unlike(_strengths(presence, scene, names))
    place, told = scene.sensors.planogram[["x", "y"]].to_numpy(float), np.zeros((len(planned), len(names)))
    known = np.flatnonzero(planned >= 0)
    kinds = planned[known]
    step = np.minimum(np.hypot(*(place[:, None] - place[known]).transpose(2, 0, 1)) // _STEP, _STEPS - 1).astype(int)
    free = np.maximum(common - 1, 0)[:, kinds]
    usable = (free[kinds] >= _HEARD - 1) & ~np.eye(len(known), dtype=bool)
    if not usable.any():
        return told
    variance = _variogram(alike[kinds][:, kinds][usable] / free[kinds][usable], step[known][usable])
    comparable = (common[:, kinds] >= _HEARD) & (np.arange(len(names))[:, None] != kinds)
    for here in range(len(planned)):
        spread = variance[step[here]]
        density = -0.5 * (free * np.log(spread) + alike[:, kinds] / spread)
        valid = comparable & (known != here)
        told[here] = np.where(valid, density, 0.0).sum(axis=1) / np.maximum(valid.sum(axis=1), 1)
    return log_softmax(_worth(told[known], kinds) * told, axis=0) + np.log(len(planned))


def _strengths(presence: Presence, scene: Scene, names: pd.Index) -> NDArray[np.float64]:
    """Median over a product's tags of how strongly each antenna hears them: (products, antennas), dBm, nan if never."""
    table = presence.table[["epc", "antenna", "rssi"]].groupby(["epc", "antenna"], observed=True)["rssi"].median()
    kinds = table.reset_index().merge(scene.tags, on="epc")
    wide = kinds.groupby(["product", "antenna"])["rssi"].median().unstack("antenna")
    return wide.reindex(index=names, columns=presence.antennas).to_numpy(float)


def _unlike(strength: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Squares by which two products are heard differently, a product's own loss aside, and over how many antennas."""
    apart = strength[:, None] - strength[None]
    common = np.isfinite(apart).sum(axis=2)
    filled = np.nan_to_num(apart)
    return np.maximum((filled**2).sum(axis=2) - filled.sum(axis=2) ** 2 / np.maximum(common, 1), 0.0), common


def _variogram(squares: NDArray[np.float64], step: NDArray[np.intp]) -> NDArray[np.float64]:
    """Median by step of distance, never falling; a step without a pair has that of the one before."""
    known = pd.Series(squares).groupby(step).median().reindex(range(_STEPS)).ffill().bfill().to_numpy(float)
    return np.maximum(np.maximum.accumulate(known), 1.0)


def _worth(told: NDArray[np.float64], planned: NDArray[np.intp]) -> float:
    """By how much to multiply, so that the plan is as probable as it is right: of each product over all cells."""

    def surprise(worth: float) -> float:
        share = np.exp(log_softmax(worth * told, axis=0)[np.arange(len(planned)), planned])
        return -float(np.log(_PLANNED * share + (1 - _PLANNED) / len(planned)).sum())

    search: Callable = minimize_scalar
    return float(search(surprise, bounds=(0.0, 20.0), method="bounded").x)


def _share_out(told: NDArray[np.float64], numbers: NDArray[np.intp]) -> NDArray[np.float64]:
    """Probability of each product in each cell: rows sum to 1, columns are drawn to a product's number of cells."""
    wanted = np.log(np.maximum(numbers, _NOWHERE))
    column = np.zeros(told.shape[1])
    for _ in range(_ROUNDS):
        row = -logsumexp(told + column, axis=1, keepdims=True)
        column = _STRICT * (wanted - logsumexp(told + row, axis=0))
    return np.exp(log_softmax(told + column, axis=1))


def _table(scene: Scene, whole: pd.DataFrame, share: NDArray[np.float64], planned: NDArray[np.intp]) -> pd.DataFrame:
    plan, names = scene.sensors.planogram, scene.sensors.products["product"].to_numpy()
    rows = np.arange(len(plan))
    best = share.argmax(axis=1)
    right = np.where(planned >= 0, share[rows, planned], 0.0)
    others = (share >= 0.1) & (np.arange(len(names))[None] != best[:, None])
    weighed = whole.assign(grams=whole["grams"].abs()).groupby("cell")["grams"]
    number = weighed.size().reindex(plan["cell"], fill_value=0).to_numpy()
    verdict = np.select(
        [number == 0, right >= _SURE, right <= 1 - _SURE], ["cannot tell", "ok", "wrong"], "cannot tell"
    )
    found = {
        "cell": plan["cell"].to_numpy(), "planned": plan["product"].to_numpy(), "takes": number,
        "grams": weighed.median().reindex(plan["cell"]).to_numpy(), "product": names[best],
        "probability": share[rows, best], "wrong": 1 - right, "also": [", ".join(names[row]) for row in others],
        "verdict": verdict,
    }  # fmt: skip
    return pd.DataFrame(found)[CONTENTS]
