"""AutoCheckout: who took what from which plates in a store without a cashier, and what the winner's system charged.

    cases = read_checkouts()
    cases.events                                        # who took what, from where, when
    score_receipts(cases.winner, cases.true)            # the competition's rule
    average_f1(cases.cases, "BASELINE")                 # what the server told the winner, with an interval

The streams of the real sensors are not in the set: what is measured on these events is measured with simulated ones.
Parts: `checkout_events` (what the labels say), `checkout_plan` (where things stand), `receipts` (what was charged, and
the rule).
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from retailkit.datasets import places
from retailkit.datasets.checkout_events import Quarantine, check_events, read_events
from retailkit.datasets.checkout_plan import CheckoutPlan, read_plan
from retailkit.datasets.reading import digest
from retailkit.datasets.receipts import read_feedback, score_receipts
from retailkit.lab.intervals import Estimate, bootstrap

__all__ = ["CheckoutCases", "average_f1", "count_problems", "read_checkouts", "score_receipts"]
_KINDS = {"BASELINE": r"BASELINE-\d+", "TEAM": r"TEAM-\d+-DAY-\d+-TEST-\d+"}
_CASES = [
    "case", "kind", "began", "lead", "seconds", "events", "customers", "notes", "complete", "f1", "entries",
]  # fmt: skip
_EVENTS = [
    "case", "event", "time", "clock", "customer", "product", "quantity", "sign",
    "gondola", "shelf", "plates", "x", "y", "z",
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class CheckoutCases:
    """The competition's cases as tidy tables.

    Attributes
    ----------
    cases : DataFrame
        case, kind (BASELINE, TEAM: as the competition named them; other: recordings before it, and its benchmarks),
        began (the clock of the first event), lead (seconds from the start of the recording to it, nan where nobody
        wrote the start down), seconds (the recording's length, or else from first to last event), events, customers
        (who took or put back something), notes (remarks of those who labelled, not read), complete (whether the events
        tell the receipts for sure), f1 and entries (what the server told the winner, and how often).
    events : DataFrame
        case, event (its place in the file, from 1), time (seconds from the first event of the case; nan where it is
        unknown), clock, customer, product (barcode), quantity, sign (1 taken, -1 put back), gondola, shelf, plates (a
        tuple), x, y, z (the middle of the plates, metres; nan where there are no such plates). A row for each product
        of an event, by case and time; what happened in one second stands as in the file.
    products : DataFrame
        product, name, weight (grams, nan where it is 0 or blank), price (nan likewise), gondola, shelf, plates (where
        it was taken most often; 0 and no plates where nothing was).
    places : DataFrame
        product, gondola, shelf, plate, taken (events), first, last (clock). Goods that were taken from a shelf to which
        somebody had put them back before are not counted. Things were moved between the recordings.
    plan : CheckoutPlan
    winner : DataFrame
        case, f1, customer, product, quantity: the receipts that the winner's system sent in, of all its cases.
    true : DataFrame
        case, customer, product, quantity: what is left of the events, of complete cases.
    quarantine : DataFrame
        case, event (0: the case itself), problem, told (what the file says), outcome (repaired and how, kept, or set
        aside).
    digest : str
        Of the folder's content.
    """

    cases: pd.DataFrame
    events: pd.DataFrame
    products: pd.DataFrame
    places: pd.DataFrame
    plan: CheckoutPlan
    winner: pd.DataFrame
    true: pd.DataFrame
    quarantine: pd.DataFrame
    digest: str = ""


def read_checkouts(name: str | Path = "autocheckout") -> CheckoutCases:
    """Read the set by its name below ``RETAILKIT_DATA``, or from a folder of one's own.

    The folder holds ``ground_truth.json``, ``results.md`` and ``store_meta``. A case of the one belongs to the case of
    the other that has its name; customers' numbers and barcodes are brought to one form, so that receipts meet.

    Raises
    ------
    DataError
        No such folder or file, or one that is not what it should be.
    """
    home = places.place(name, places.card_of(name))
    plan = read_plan(home / "store_meta")
    winner, entries, feedback = read_feedback(home / "results.md")
    told, raw = read_events(home / "ground_truth.json")
    wrong = Quarantine()
    raw = check_events(raw, plan, wrong)
    doubtful = raw["product"].eq("") | raw["customer"].eq("") | raw["sign"].eq(0)
    events = _timed(raw[~doubtful], wrong)
    net = events.assign(quantity=events["sign"] * events["quantity"])
    net = net.groupby(["case", "customer", "product"], sort=False)["quantity"].sum().reset_index()
    known = set(net["case"]) - _unsure(raw[doubtful]) - set(net.loc[net["quantity"] < 0, "case"])
    true = net[net["case"].isin(known) & (net["quantity"] > 0)].reset_index(drop=True)
    where = _places(events)
    tables = (_cases(told, events, known, entries, wrong), events[_EVENTS], _products(raw, where, wrong), where)
    problems = pd.concat([wrong.table(), feedback], ignore_index=True)
    return CheckoutCases(*tables, plan, winner, true, problems, digest(home, {".json", ".md"}))


def count_problems(quarantine: pd.DataFrame) -> pd.DataFrame:
    """Count what was wrong: problem, outcome (without its how), rows, cases; most frequent first."""
    short = quarantine.assign(outcome=quarantine["outcome"].str.partition(":")[0])
    counted = short.groupby(["problem", "outcome"]).agg(rows=("case", "size"), cases=("case", "nunique"))
    return counted.sort_values("rows", ascending=False, kind="stable").reset_index()


def average_f1(
    cases: pd.DataFrame, kind: str | None = None, repeats: bool = False, level: float = 0.95, seed: int = 0
) -> Estimate:
    """Average the F1 that the server told, with a bootstrap interval by case.

    Parameters
    ----------
    cases : DataFrame with case, kind, f1, entries
        As in `CheckoutCases`; cases without F1 do not count.
    kind : {"BASELINE", "TEAM", "other"}, optional
    repeats : bool
        Whether a case that was told three times counts thrice, as in the average at the end of the server's answers.
    level : float
    seed : int

    Raises
    ------
    ValueError
        No case of this kind has an F1.
    """
    scored = cases[cases["f1"].notna() & (cases["kind"].eq(kind) if kind else True)]
    if scored.empty:
        raise ValueError(f"no case of kind {kind!r} has an f1; there are {', '.join(sorted(set(cases['kind'])))}")
    scored = scored.assign(weight=scored["entries"] if repeats else 1)
    return bootstrap(
        scored, lambda rows: float(np.average(rows["f1"], weights=rows["weight"])), "case", seed=seed, level=level
    )


def _timed(frame: pd.DataFrame, wrong: Quarantine) -> pd.DataFrame:
    """Events in the order of cases and time, with seconds; what nobody held and yet put back is told."""
    frame = frame.assign(order=pd.factorize(frame["case"])[0])
    frame = frame.sort_values(["order", "clock", "event"], kind="stable", ignore_index=True)
    first = frame.groupby("case")["clock"].transform("min")
    frame["time"] = (frame["clock"] - first).dt.total_seconds()
    held = (frame["sign"] * frame["quantity"]).groupby([frame[key] for key in ("case", "customer", "product")]).cumsum()
    early = frame[(held < 0) & (frame["sign"] < 0)]
    wrong.tell(early, "put back by a customer who had not taken it", early["product"], "kept")
    return frame


def _unsure(doubtful: pd.DataFrame) -> set[str]:
    """Cases whose receipts hang on events of which customer or product is unknown.

    An unknown product that its customer puts back leaves the receipt as it was.
    """
    named = doubtful["customer"].ne("") & doubtful["quantity"].gt(0) & doubtful["sign"].ne(0)
    left = (
        (doubtful["sign"] * doubtful["quantity"])[named]
        .groupby([doubtful[key] for key in ("case", "customer", "barcode")])
        .sum()
    )
    return set(doubtful.loc[~named, "case"]) | set(left[left != 0].index.get_level_values("case"))


def _places(events: pd.DataFrame) -> pd.DataFrame:
    """Where goods were taken from, leaving out what had been put there before."""
    shelf = ["case", "product", "gondola", "shelf"]
    before = events["sign"].lt(0).groupby([events[key] for key in shelf]).cumsum()
    taken = events[events["sign"].gt(0) & before.eq(0)].explode("plates").rename(columns={"plates": "plate"})
    taken = taken[taken["plate"].notna()].astype({"plate": int})
    where = taken.groupby(["product", *shelf[2:], "plate"])["clock"].agg(["size", "min", "max"]).reset_index()
    return where.rename(columns={"size": "taken", "min": "first", "max": "last"})


def _products(raw: pd.DataFrame, where: pd.DataFrame, wrong: Quarantine) -> pd.DataFrame:
    """One row for each product; where events disagree, what most cases say, and of equals the largest."""
    known = raw[raw["product"].ne("")].round({"weight": 2})
    table = pd.DataFrame({fact: _most_told(known, fact) for fact in ("name", "weight", "price")})
    for fact in ("weight", "price"):
        kept = known["product"].map(table[fact])
        other = known[known[fact].notna() & known[fact].ne(kept)]
        told = [
            f"{value:g}, not {of:g}: {code}"
            for value, of, code in zip(other[fact], kept[other.index], other["product"], strict=True)
        ]
        wrong.tell(other, f"a {fact} that other cases tell otherwise", told, "repaired: what most cases say")
    shelves = where.groupby(["product", "gondola", "shelf"]).agg(taken=("taken", "sum"), plates=("plate", tuple))
    shelves = shelves.reset_index().sort_values("taken", kind="stable").drop_duplicates("product", keep="last")
    table = table.rename_axis("product").reset_index().merge(shelves.drop(columns="taken"), "left", "product")
    plates = [told if isinstance(told, tuple) else () for told in table["plates"]]
    table["plates"] = pd.Series(plates, index=table.index, dtype=object)
    return table.fillna({"gondola": 0, "shelf": 0}).astype({"gondola": int, "shelf": int})


def _most_told(known: pd.DataFrame, fact: str) -> pd.Series:
    votes = known.groupby(["product", fact])["case"].nunique().reset_index()
    most = votes.sort_values(["case", fact]).drop_duplicates("product", keep="last").set_index("product")[fact]
    return most.reindex(sorted(set(known["product"])))


def _cases(
    told: pd.DataFrame, events: pd.DataFrame, known: set[str], entries: pd.DataFrame, wrong: Quarantine
) -> pd.DataFrame:
    """One row for each case of either file, in their order."""
    by_case = events.groupby("case").agg(
        began=("clock", "min"), ended=("clock", "max"), events=("event", "nunique"), customers=("customer", "nunique")
    )
    table = told.join(by_case, on="case")
    wrong.tell(twice := table[table["case"].ne(table["name"])], "a case whose name is a second time there",
               twice["name"], "repaired: " + twice["case"])  # fmt: skip
    wrong.tell(none := table[table["events"].isna()], "a case without events that can be used", none["range"], "kept")
    table = _bounds(table, wrong).set_index("case")
    answers = entries.set_index("case")[["f1", "entries"]]
    table = table.reindex([*table.index, *answers.index.difference(table.index, sort=False)]).join(answers)
    counts = dict.fromkeys(("events", "customers", "notes", "entries"), 0)
    table = table.fillna(counts).astype(dict.fromkeys(counts, int)).rename_axis("case").reset_index()
    table["complete"] = table["case"].isin(known)
    table["kind"] = table["case"].map(_kind)
    return table[_CASES]


def _kind(case: str) -> str:
    return next((kind for kind, form in _KINDS.items() if re.fullmatch(form, case)), "other")


def _bounds(table: pd.DataFrame, wrong: Quarantine) -> pd.DataFrame:
    """Add lead and seconds, from the range that was written down (a day's times) and the moments of events."""
    told = table["range"].str.extract(r"^\s*(\d\d:\d\d:\d\d)\s*-\s*(\d\d:\d\d:\d\d)\s*$")
    start, end = (pd.to_timedelta(told[side], errors="coerce").dt.total_seconds() for side in (0, 1))
    length = (end - start).where(end > start)
    acted = (table["ended"] - table["began"]).dt.total_seconds()
    lead = (table["began"] - table["began"].dt.normalize()).dt.total_seconds() - start
    outside = table[(lead < 0) | (lead + acted > length)]
    wrong.tell(outside, "events outside of the recording", outside["range"], "kept")
    return table.assign(lead=lead, seconds=length.fillna(acted))
