"""Labelled events of AutoCheckout replayed through simulated sensors: real acts, plates and weights, no real stream.

    cases = read_checkouts()
    names, left_out = list_replayable(cases)
    replay = replay_case(cases, "BASELINE-1", seed=0)
    replay.day                       # as `sense_day` gives it: reads, tracks, hands, plates, store, truth
    replay.receipts(found)           # case, customer, product, quantity: for the competition's rule

The people, what they took from where, when, and the receipts are the data's; how they walked, and all that devices
tell, is simulated. `NOISE` is how badly devices do it: one level for all of them, set once so that plates, whoever
stands nearest and a basket for each scored on BASELINE about what the competition's winner did there, and kept since. A
test holds its digest. No case is held out: who took what and when are the same with every seed, and both the level and
the methods were made with these cases in view. Seeds draw anew what is simulated, and no more.
"""

import hashlib
import zlib
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from retailkit.datasets.checkouts import CheckoutCases
from retailkit.simulate.radio.checkout_acts import Acts, act_out, put_in_order
from retailkit.simulate.radio.checkout_store import furnish, price_of, weight_of
from retailkit.simulate.radio.goods import Goods, Habit, draw_materials
from retailkit.simulate.radio.plates import Scales
from retailkit.simulate.radio.sensing import SensorDay, Setting, tell_day
from retailkit.simulate.visits.day import StoreDay
from retailkit.simulate.visits.plan import StorePlan
from retailkit.simulate.visits.truth import cross_lines, stay_in_zones

_STEP = 0.2  # seconds between the moments of true tracks
_QUIET = 25.0  # seconds that are recorded after everybody has left
_GRASP = 0.4  # seconds from a reach to its take
_PROBLEMS = ["case", "kind", "problem", "outcome", "events"]
_DAY = ["visit", "time", "cell", "kind", "probability", "product"]


@dataclass(frozen=True)
class Noise:
    """How badly devices see a replayed case.

    Attributes
    ----------
    setting : Setting
        Cameras, scales, clocks, faces, wrong rows of the planogram, tags and readers; the rest is not looked at.
    strayed : float, 0 to 1
        Share of changes of weight that the plate beside tells: things stand across two.
    merged : float, seconds
        Changes of plates of one shelf that follow each other sooner are told as one, by the one that changed more: a
        shelf hangs in one frame and swings as a whole.
    """

    setting: Setting = field(default_factory=Setting)
    strayed: float = 0.0
    merged: float = 0.0


def noise_at(level: float) -> Noise:
    """Noise of all devices scaled by one level; at 1 cameras and scales are those of the benchmark's strangers.

    Parameters
    ----------
    level : float, from 0
        0: cameras and plates tell exactly what happened. Tags and readers do not depend on it.

    Raises
    ------
    ValueError
        The level is below 0.

    Notes
    -----
    The kinds follow what the winner reported of that store (AutoCheckout-CMU, 2020): plates told nearly no event that
    was none, but events that overlapped were told as one (splitting them gave 5.6 points of F1), and things lay where
    the planogram did not have them (following them gave 6.7). The mixture is an assumption, made before the level was
    sought; only the level was fitted.
    """
    if not level >= 0:
        raise ValueError(f"level is {level!r}: a number from 0 is needed")
    share = {"missed": 0.1, "broken": 0.1, "swapped": 0.1, "hand_missed": 0.08, "hand_confused": 0.12}
    cameras = {name: min(rate * level, 0.45) for name, rate in share.items()}
    cameras |= {"jitter": 0.12 * level, "hand_false": 0.03 * level}
    scales = Scales(
        noise=2.5 * level, missed=min(0.02 * level, 1.0), settle=1.0 * level, late=0.3 * level, pieces=0.01 * level
    )
    setting = Setting(
        cameras=cameras, scales=scales, ghosts=6.0 * level, skew=0.3 * level, drift=20.0 * level,
        moved=min(0.04 * level, 1.0), unrecognised=min(0.05 * level, 1.0), goods=Habit(),
    )  # fmt: skip
    return Noise(setting, strayed=min(0.05 * level, 1.0), merged=0.5 * level)


# Set when plates and baskets (`benchmarks.checkout_arms`) scored 0.852 on the 14 cases of BASELINE in 24 replays each;
# the winner had 0.844. Since then acts are found better where things are put back, and the level was left: in 10
# replays (seeds 1000 to 1009) plates and whoever is nearest score 0.850 (standard error over seeds 0.008), plates and
# baskets 0.817 (0.010); in the first six of them 0.846 (0.013) and 0.825 (0.008).
LEVEL = 0.65
NOISE = noise_at(LEVEL)


def digest() -> str:
    """Digest of the frozen noise, down to every default: another one means other figures."""
    return hashlib.sha256(repr(NOISE).encode()).hexdigest()


class Replay(NamedTuple):
    """A case as devices tell it.

    Attributes
    ----------
    case : str
    customers : tuple of str
        By number of the shopper.
    acts : Acts
    day : SensorDay
    """

    case: str
    customers: tuple[str, ...]
    acts: Acts
    day: SensorDay

    def receipts(self, found: pd.DataFrame) -> pd.DataFrame:
        """Name the customers of receipts: shopper, product, quantity become case, customer, product, quantity."""
        names = [self.customers[shopper] for shopper in found["shopper"].tolist()]
        told = found.assign(case=self.case, customer=pd.array(names, dtype="str"))
        return told[["case", "customer", "product", "quantity"]].reset_index(drop=True)


def list_replayable(cases: CheckoutCases) -> tuple[list[str], pd.DataFrame]:
    """Say which cases can be replayed and scored, and what of the others and of their events cannot, and why.

    Returns
    -------
    list of str
        Cases whose events tell the receipts.
    DataFrame
        case, kind, problem, outcome (left out; or what is assumed), events: a row for each problem of a case.
    """
    table, lost = cases.cases, cases.quarantine
    good = _complete(cases)
    short = table[~table["case"].isin(good)]
    why = np.where(short["events"] > 0, "its events do not tell the receipts", "no events are known")
    whole = short.assign(problem=why, outcome="left out")[["case", "problem", "outcome", "events"]]
    rows = [(case, *problem) for case in good for problem in _assumptions(cases, case)]
    assumed = pd.DataFrame(rows, columns=whole.columns)
    lost = lost[lost["outcome"].eq("set aside") & lost["event"].gt(0)]
    parts = lost.groupby(["case", "problem"]).agg(events=("event", "nunique")).reset_index().assign(outcome="left out")
    told = pd.concat([whole, parts, assumed], ignore_index=True)
    return good, told.assign(kind=told["case"].map(table.set_index("case")["kind"]))[_PROBLEMS]


def _complete(cases: CheckoutCases) -> list[str]:
    return cases.cases.loc[cases.cases["complete"] & cases.cases["events"].gt(0), "case"].tolist()


def _assumptions(cases: CheckoutCases, case: str) -> list[tuple[str, str, int]]:
    """What is assumed of the events of a case that is replayed: problem, outcome, events."""
    events = cases.events[cases.events["case"] == case]
    told = cases.products.set_index("product").reindex(events["product"])
    lacking = events["time"].isna().to_numpy()
    late = put_in_order(events)["event"].to_numpy() != events["event"].to_numpy()
    dirty = {
        ("no time", "kept: spread evenly between the others, in the file's order"): lacking,
        ("a product without weight", "kept: the median weight"): told["weight"].isna().to_numpy(),
        ("a product without price", "kept: the median price"): told["price"].isna().to_numpy(),
        ("a place that is not in the plan", "kept: the nearest plate"): events["x"].isna().to_numpy(),
        ("put back before it was taken", "kept: put back right afterwards"): late & ~lacking.any(),
    }
    found = [(*words, int(events.loc[rows, "event"].nunique())) for words, rows in dirty.items()]
    return [row for row in found if row[2]]


def replay_case(cases: CheckoutCases, case: str, noise: Noise | None = None, seed: int = 0) -> Replay:
    """Replay one case.

    Parameters
    ----------
    cases : CheckoutCases
    case : str
        One that `list_replayable` names.
    noise : Noise, optional
        By default the frozen one, `NOISE`.
    seed : int
        What is drawn depends on it and on the case's name, not on which other cases there are.

    Raises
    ------
    ValueError
        The case is none that can be replayed.
    """
    if case not in (names := _complete(cases)):
        raise ValueError(f"case {case!r} cannot be replayed; these {len(names)} can: {', '.join(names)}")
    noise, own = noise or NOISE, zlib.crc32(f"{case} {seed}".encode())
    rng = np.random.default_rng([own, 71])
    plan = furnish(cases, case)
    acts = act_out(cases.events[cases.events["case"] == case], plan, rng)
    goods = _goods(acts, cases, noise.setting.goods, rng)
    day = tell_day(noise.setting, _day(acts, plan), goods, own)
    return Replay(case, acts.customers, acts, day._replace(plates=_mix_up(day.plates, plan, noise, rng)))


def _goods(acts: Acts, cases: CheckoutCases, habit: Habit, rng: np.random.Generator) -> Goods:
    """Pieces and what becomes of them, with tags drawn as on any simulated day."""
    names = pd.Index(acts.pieces["product"].unique())
    products = pd.DataFrame(
        {
            "product": names, "price": price_of(cases).reindex(names).to_numpy(),
            "weight": weight_of(cases).reindex(names).to_numpy(), **draw_materials(len(names), habit, rng),
        }
    )  # fmt: skip
    loss = products.set_index("product")["loss"].reindex(acts.pieces["product"]).to_numpy()
    gain = loss + rng.normal(0, habit.spread, len(loss))
    pieces = acts.pieces.assign(tagged=rng.random(len(loss)) >= habit.untagged, gain=gain)
    moves = acts.table.rename(columns={"time": "start"})[["piece", "start", "cell", "visit", "kind"]]
    taken = moves["kind"].eq("take")
    moves = moves.assign(cell=moves["cell"].where(~taken, ""), visit=moves["visit"].where(taken, -1))
    stays = pd.concat([pieces[["piece", "cell"]].assign(start=-np.inf, visit=-1), moves.drop(columns="kind")])
    stays = stays.sort_values(["piece", "start"], kind="stable", ignore_index=True).assign(hidden=False)
    hands = pd.concat([acts.table, _reaches(acts.table).assign(piece=-1)]).sort_values("time", kind="stable")
    hands = hands[["visit", "time", "cell", "kind", "product", "piece"]].reset_index(drop=True).assign(hidden=False)
    return Goods(products, pieces, stays[["piece", "start", "cell", "visit", "hidden"]], hands)


def _reaches(table: pd.DataFrame) -> pd.DataFrame:
    """The reach before each take."""
    takes = table[table["kind"] == "take"].drop_duplicates(["visit", "time"])
    return takes.assign(time=takes["time"] - _GRASP, kind="reach")


def _day(acts: Acts, plan: StorePlan) -> StoreDay:
    """The case as a store's day, with all that is true of it; several pieces of one event are one act of a hand."""
    ways = acts.ways
    ends = ways.groupby("visit")["time"].agg(["min", "max"])
    recording = (0.0, float(np.ceil(ends["max"].max() + _QUIET)))
    passed = cross_lines(ways, plan.doors)
    times = passed.groupby("visit")["time"]
    visitors = pd.DataFrame({"visit": ends.index, "kind": "shopper", "role": "", "group": ends.index, "size": 1})
    visitors = visitors.assign(
        door=next(iter(plan.doors)), enter=times.first(), leave=times.last(), first=ends["min"], last=ends["max"],
        censored="",
    )  # fmt: skip
    once = acts.table.drop_duplicates(["visit", "time"])
    hands = pd.concat([once, _reaches(once)]).assign(probability=1.0)
    stays = stay_in_zones(ways, plan.zones)
    empty = pd.DataFrame()
    day = StoreDay(
        plan, recording, empty, ways, visitors.reset_index(drop=True), passed, stays.assign(stopped=True),
        hands.sort_values(["visit", "time"], kind="stable")[_DAY].reset_index(drop=True), empty, empty, (), empty,
    )  # fmt: skip
    return replace(day, tracks=_tracks(day, ends))


def _tracks(day: StoreDay, ends: pd.DataFrame) -> pd.DataFrame:
    low, high = np.ceil(ends["min"] / _STEP).astype(int), np.floor(ends["max"] / _STEP).astype(int)
    parts = [
        pd.DataFrame({"visit": visit, "time": _STEP * np.arange(one, two + 1)})
        for visit, one, two in zip(ends.index, low, high, strict=True)
    ]
    return day.place(pd.concat(parts, ignore_index=True)).dropna(subset=["x"]).reset_index(drop=True)


def _mix_up(plates: pd.DataFrame, plan: StorePlan, noise: Noise, rng: np.random.Generator) -> pd.DataFrame:
    """Let plates of one shelf disturb each other: what is told too soon after another is added to it, some strays."""
    cells = plan.cells.set_index("cell")[["gondola", "shelf", "plate"]]
    shelf = cells.groupby(["gondola", "shelf"]).ngroup().reindex(plates["cell"]).to_numpy()
    table = plates.assign(shelf=shelf).sort_values(["shelf", "time"], kind="stable", ignore_index=True)
    apart = table.groupby("shelf")["time"].diff().fillna(np.inf) > noise.merged
    table = table.assign(group=apart.cumsum(), size=table["grams"].abs())
    most = table.sort_values("size", kind="stable").drop_duplicates("group", keep="last").set_index("group")
    told = table.groupby("group").agg(time=("time", "last"), grams=("grams", "sum")).assign(cell=most["cell"])
    told = told[told["grams"].abs() >= noise.setting.scales.least]
    side = rng.choice([-1, 1], len(told)) * (rng.random(len(told)) < noise.strayed)
    names = {(*where,): cell for cell, *where in cells.itertuples()}
    beside = cells.reindex(told["cell"]).assign(plate=lambda rows: rows["plate"] + side).itertuples(index=False)
    strayed = [names.get((*where,), cell) for cell, where in zip(told["cell"], beside, strict=True)]
    told = told.assign(cell=pd.array(strayed, dtype="str"), grams=told["grams"].round(1))
    return told.sort_values("time", kind="stable")[["time", "cell", "grams"]].reset_index(drop=True)
