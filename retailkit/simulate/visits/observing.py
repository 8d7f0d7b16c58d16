"""What cameras make of a day: moments missed or hidden, names broken or swapped, hands missed or misplaced."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.simulate.camera import degrade_tracks
from retailkit.simulate.visits.plan import StorePlan
from retailkit.simulate.visits.sight import hidden

if TYPE_CHECKING:
    from retailkit.simulate.visits.day import StoreDay

_REACH = 1.0  # metres between cells that may be taken for one another
_ONE_ACT = 2.5  # seconds: a take so soon after a reach is seen with it, right or wrong
_NAMED = 2.0  # seconds: a hand belongs to a track seen so recently
_SURE = 4.0  # how alike the probabilities of hand events are: the sum of the beta distribution's two parameters


class Observed(NamedTuple):
    """What cameras saw, with the truth beside it.

    Attributes
    ----------
    tracks : DataFrame
        By visit and time: visit (the tracker's name), time, x, y, person (the true visit).
    hands : DataFrame
        By time: visit (the tracker's name), time, cell, kind, probability (that just this happened there), person (the
        true visit), true_cell (empty where nothing happened).
    """

    tracks: pd.DataFrame
    hands: pd.DataFrame


def observe(
    day: "StoreDay",
    *,
    missed: float = 0.1,
    jitter: float = 0.15,
    broken: float = 0.1,
    swapped: float = 0.1,
    occlusion: bool = True,
    memory: float = 2.0,
    hand_missed: float = 0.1,
    hand_confused: float = 0.1,
    hand_false: float = 0.0,
    seed: int = 0,
) -> Observed:
    """Give what cameras make of a day.

    Parameters
    ----------
    day : StoreDay
    missed, jitter, broken, swapped
        As `degrade_tracks` takes them.
    occlusion : bool
        Whether shelves and other people hide people from the plan's cameras.
    memory : float, seconds
        Somebody unseen for longer gets a new name.
    hand_missed : float, 0 to 1
        Share of hand events not seen, beside those of people that no track is seen of within 2 s.
    hand_confused : float, 0 to 1
        Share of those seen that are put down to another cell within 1 m (or the nearest, where none is).
    hand_false : float
        Events seen where nothing happened, at somebody who stands at a shelf, for each true one seen.
    seed : int

    Returns
    -------
    Observed
        Probabilities are calibrated: of hand events with probability p, a share of p is true in all that is said.

    Raises
    ------
    ValueError
        A rate is outside of what is accepted, or the plan has no cameras to be hidden from.
    """
    for name, rate in (("hand_missed", hand_missed), ("hand_confused", hand_confused)):
        if not 0 <= rate <= 1:
            raise ValueError(f"{name} is {rate!r}: a rate from 0 to 1 is needed")
    if not (hand_false >= 0 and memory > 0):
        raise ValueError(f"hand_false is {hand_false!r} and memory {memory!r}: from 0 up, and above 0, is needed")
    tracks = day.tracks[~hidden(day.tracks, day.plan)] if occlusion else day.tracks
    seen = degrade_tracks(
        tracks.reset_index(drop=True), missed=missed, jitter=jitter, broken=broken, swapped=swapped, seed=seed
    )
    seen = _forget(seen, memory)
    rng = np.random.default_rng([seed, 1])
    hands = day.hands[rng.random(len(day.hands)) >= hand_missed]
    hands = _mistake(hands, hand_confused, hand_false, day.plan, rng)
    ghosts = _imagine(rng.poisson(hand_false * len(hands)), hand_confused, hand_false, day, rng)
    parts = [part for part in (hands, ghosts) if len(part)] or [hands]
    return Observed(seen, _name(pd.concat(parts), seen))


def _forget(seen: pd.DataFrame, memory: float) -> pd.DataFrame:
    """Give new names to those who were not seen for too long."""
    visit, time = seen["visit"].to_numpy(), seen["time"].to_numpy()
    long = np.append(False, (visit[1:] == visit[:-1]) & (np.diff(time) > memory))
    piece = np.cumsum(long)
    fresh = np.append(True, visit[1:] != visit[:-1])
    before = np.maximum.accumulate(np.where(fresh, piece, 0))  # pieces of earlier names
    names = np.where(piece > before, visit.max(initial=0) + piece, visit)
    return seen.assign(visit=names).sort_values(["visit", "time"], kind="stable").reset_index(drop=True)


def _scores(right: NDArray[np.bool_], confused: float, false: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Probabilities for events that are right or not, drawn so that they are calibrated.

    With a beta density f of probabilities p over all events, those of right events have a density as p f, and those of
    wrong ones as (1 - p) f: beta distributions again.
    """
    mean = (1 - confused) / (1 + false)
    if mean in (0, 1):
        return np.full(len(right), float(mean))
    one, other = _SURE * mean, _SURE * (1 - mean)
    return rng.beta(np.where(right, one + 1, one), np.where(right, other, other + 1))


def _mistake(
    hands: pd.DataFrame, confused: float, false: float, plan: StorePlan, rng: np.random.Generator
) -> pd.DataFrame:
    """Put some acts down to a cell nearby; a reach and its take go together."""
    hands = hands.sort_values(["visit", "time"], kind="stable").rename(columns={"cell": "true_cell"})
    same = (hands["visit"].diff() == 0) & (hands["true_cell"] == hands["true_cell"].shift())
    together = same & (hands["time"].diff() < _ONE_ACT) & (hands["kind"] == "take") & (hands["kind"].shift() == "reach")
    act = np.cumsum(~together.to_numpy()) - 1
    number = int(act.max(initial=-1)) + 1
    wrong = rng.random(number) < confused
    row = pd.Index(plan.cells["cell"]).get_indexer(pd.Index(hands["true_cell"]))
    near, count = _neighbours(plan)
    taken_for = near[row, (rng.random(number)[act] * count[row]).astype(int)]
    cell = plan.cells["cell"].to_numpy()[np.where(wrong[act], taken_for, row)]
    right = cell == hands["true_cell"].to_numpy()
    first = np.append(True, np.diff(act) > 0) if number else np.empty(0, dtype=bool)
    scores = _scores(right[first], confused if len(plan.cells) > 1 else 0.0, false, rng)
    return hands.assign(cell=cell, probability=scores[act], person=hands["visit"])


def _neighbours(plan: StorePlan) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Cells that each may be taken for: rows of cells, nearest first, and how many of them; itself if it is alone."""
    place = plan.cells[["x", "y"]].to_numpy(dtype=float)
    away = np.hypot(*(place[:, None] - place[None]).transpose(2, 0, 1))
    np.fill_diagonal(away, np.inf)
    count = np.maximum((away <= _REACH).sum(axis=1), 1)
    return np.argsort(away, axis=1, kind="stable")[:, : count.max()], count


def _imagine(number: int, confused: float, false: float, day: "StoreDay", rng: np.random.Generator) -> pd.DataFrame:
    """See hands where nothing happened: at people who stand before shelves."""
    stays = day.zone_visits
    stays = stays[stays["stopped"] & stays["zone"].isin(day.plan.shelf_zones)]
    if not number or not len(stays):
        return pd.DataFrame()
    weight = stays["dwell"].to_numpy() / stays["dwell"].sum()
    who = stays.iloc[rng.choice(len(stays), number, p=weight)]
    cells = day.plan.cells.groupby("zone")["cell"].agg(list)
    return pd.DataFrame(
        {
            "visit": who["visit"].to_numpy(), "person": who["visit"].to_numpy(), "true_cell": "",
            "time": who["enter"].to_numpy() + rng.random(number) * who["dwell"].to_numpy(),
            "cell": [cells[zone][rng.integers(len(cells[zone]))] for zone in who["zone"]],
            "kind": rng.choice(day.hands["kind"].to_numpy(), number) if len(day.hands) else "reach",
            "probability": _scores(np.zeros(number, dtype=bool), confused, false, rng),
        }
    )  # fmt: skip


def _name(hands: pd.DataFrame, seen: pd.DataFrame) -> pd.DataFrame:
    """Give each act the name of its person's track at the time; without one it is not seen."""
    names = seen[["time", "person", "visit"]].sort_values("time", kind="stable")
    hands = hands.drop(columns="visit").sort_values("time", kind="stable").astype({"person": names["person"].dtype})
    named = pd.merge_asof(hands, names, on="time", by="person", direction="nearest", tolerance=_NAMED)  # type: ignore[arg-type]
    named = named.dropna(subset=["visit"]).astype({"visit": names["visit"].dtype})
    return named[["visit", "time", "cell", "kind", "probability", "person", "true_cell"]].reset_index(drop=True)
