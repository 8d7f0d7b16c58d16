"""Events as people labelled them in films of AutoCheckout's store: read, brought to one form, and what is wrong told.

A first table has what the file says, a second what it means: `read_events`, then `check_events`. Whatever had to be
repaired, or cannot be, goes to a `Quarantine`.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pandas.api.typing import NaTType

from retailkit.datasets.catalogue import DataError
from retailkit.datasets.checkout_plan import CheckoutPlan, read_json
from retailkit.datasets.receipts import PROBLEMS, read_barcode, read_customer

_STAMPS = {  # how a moment is written, and what it is called
    r"(?P<Y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d)_(?P<t>\d\d-\d\d-\d\d)": "",
    r"(?P<m>\d\d)_(?P<d>\d\d)_(?P<Y>\d{4})_(?P<t>\d\d:\d\d:\d\d)": "a time that begins with the month",
}
_TYPES = {"case": "str", "event": "int64", "name": "str"}  # said, since a table may be empty
_RAW = _TYPES | {
    "id": "str", "sign": "int64", "told": "object", "target": "object", "position": "str", "at": "object",
    "barcode": "str", "weight": "float64", "price": "float64", "quantity": "int64",
}  # fmt: skip
_OFFSET = re.compile(r"(?:(\d+):)?(\d+):(\d\d(?:\.\d+)?)\s*\+\s*(.+)")


class Quarantine:
    """Collects what was wrong."""

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []

    def tell(self, rows: pd.DataFrame, problem: str, told: ArrayLike, outcome: ArrayLike) -> None:
        """Add a row for each of a frame's; told and outcome are one for all, or one for each."""
        texts = (np.broadcast_to(np.asarray(one, dtype=object), len(rows)) for one in (told, outcome))
        self.rows += zip(rows["case"], rows["event"], [problem] * len(rows), *texts, strict=True)

    def table(self) -> pd.DataFrame:
        """All of them, each once."""
        return pd.DataFrame(self.rows, columns=PROBLEMS).astype({"event": int}).drop_duplicates(ignore_index=True)


def read_moment(told: object) -> tuple[pd.Timestamp | NaTType, str]:
    """Read a moment as those who labelled wrote it, and say what had to be repaired ('' where nothing had).

    >>> for told in ("4:00 + 2019-11-07_02-41-17", "11_07_2019_03:08:19", " + "):
    ...     print(*read_moment(told))
    2019-11-07 02:45:17 an offset into a film
    2019-11-07 03:08:19 a time that begins with the month
    NaT no time
    """
    text = str(told).strip()
    offset = _OFFSET.fullmatch(text)
    hours, minutes, seconds, stamp = offset.groups() if offset else (0, 0, 0, text)
    for pattern, name in _STAMPS.items():
        if found := re.fullmatch(pattern, stamp):
            try:
                moment = pd.Timestamp(f"{found['Y']}-{found['m']}-{found['d']} {found['t'].replace('-', ':')}")
                late = pd.Timedelta(hours=int(hours or 0), minutes=int(minutes), seconds=float(seconds))
                return moment + late, "an offset into a film" if offset else name
            except (ValueError, OverflowError):  # no such day or hour, or one that is too far away
                break
    return pd.NaT, "no time"


def read_events(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read what the file says, as it says it.

    Returns
    -------
    cases : DataFrame
        case (the second of one name has ' (2)' behind it), name, event (0), range, notes (how many).
    events : DataFrame
        A row for each product of each event, or one with quantity 0: case, event (its place, from 1), id, sign (0 where
        it is neither taken nor put back), told (the moment), target, position (as text), at (gondola, shelf, plates; 0
        where that is no number), barcode, name, weight, price (nan where 0 or blank), quantity.

    Raises
    ------
    DataError
        No readable file, a case without a name or a list of events, or numbers that are none.
    """
    told: list[dict[str, Any]] = []
    rows = []
    for number, one in enumerate(read_json(path, "lists"), 1):
        if not isinstance(one, dict) or not isinstance(one.get("events"), list) or not one.get("dataset"):
            raise DataError(f"{path}, entry {number} of 'lists': {str(one)[:60]!r}; dataset and events are needed")
        name, again = str(one["dataset"]), sum(str(one["dataset"]) == before["name"] for before in told)
        case = f"{name} ({again + 1})" if again else name
        notes = int(bool(one.get("note")))
        for event, content in enumerate(one["events"], 1):
            try:
                seen = content.get("observation") or {}
                notes += bool(seen.get("note") or seen.get("todo"))
                rows += [{"case": case, "event": event} | row for row in _units(content, seen)]
            except (TypeError, ValueError, AttributeError) as error:
                raise DataError(f"{path}, case {case}, event {event}: {str(content)[:60]!r}: {error}") from error
        told.append({"case": case, "name": name, "event": 0, "range": str(one.get("range") or ""), "notes": notes})
    cases = pd.DataFrame(told, columns=["case", "name", "event", "range", "notes"]).astype(_TYPES | {"range": "str"})
    return cases, pd.DataFrame(rows, columns=list(_RAW)).astype(_RAW)


def _units(content: dict[str, Any], seen: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """One row for each product of an event; one without a product where there is none."""
    position, goods = seen.get("position") or {}, seen.get("products") or []
    plates = position.get("plates") or []
    plates = plates if isinstance(plates, list) else [plates]
    at = (_whole(position.get("gondola")), _whole(position.get("shelf")), tuple(map(_whole, plates)))
    sign = {"0": 1, "1": -1}.get(str(content.get("putback")), 0)
    head = {
        "id": str(content.get("eventID")), "sign": sign, "told": seen.get("time"), "target": seen.get("target_id"),
        "position": str(position), "at": at, "barcode": "", "name": "", "quantity": 0,
    }  # fmt: skip
    codes = [str(one.get("id") or "") for one in goods]
    for barcode, one in dict(zip(codes, goods, strict=True)).items():
        numbers = {what: float(one.get(what) or np.nan) for what in ("weight", "price")}
        name = str(one.get("name") or "")
        yield head | {"barcode": barcode, "name": name, "quantity": codes.count(barcode)} | numbers
    if not goods:
        yield head


def _whole(told: object) -> int:
    """A number of a gondola, shelf or plate; 0 where it is none."""
    return int(str(told)) if re.fullmatch(r"[0-9]{1,9}", str(told)) else 0


def check_events(raw: pd.DataFrame, plan: CheckoutPlan, wrong: Quarantine) -> pd.DataFrame:
    """Bring customers, barcodes, moments and plates to one form.

    Parameters
    ----------
    raw : DataFrame
        As `read_events` gives it.
    plan : CheckoutPlan
    wrong : Quarantine
        Gets what was repaired, and what is unknown.

    Returns
    -------
    DataFrame
        With the columns customer, product (both empty where unknown), clock (NaT where unknown), gondola, shelf (0
        where unknown), plates, x, y, z.
    """
    moments = [read_moment(told) for told in raw["told"]]
    frame = raw.assign(
        customer=raw["target"].map(read_customer).astype(str),
        product=raw["barcode"].map(read_barcode).astype(str),
        clock=pd.Series([moment for moment, _ in moments], index=raw.index, dtype="datetime64[ns]"),
        how=pd.Series([how for _, how in moments], index=raw.index, dtype=str),
    )
    for how in sorted(set(frame["how"]) - {""}):
        rows = frame[frame["how"] == how]
        stamps = rows["clock"].dt.strftime("repaired: %Y-%m-%d %H:%M:%S").fillna("kept")
        wrong.tell(rows, how, rows["told"].map(repr), stamps)
    _tell_names(frame, wrong)
    return _put(frame, plan, wrong)


def _tell_names(frame: pd.DataFrame, wrong: Quarantine) -> None:
    """What is unknown or was repaired of customers, products and numbers of events."""
    kinds = {
        "no customer": (frame["customer"].eq(""), "target", "set aside"),
        "neither taken nor put back": (frame["sign"].eq(0), "id", "set aside"),
        "no product": (frame["quantity"].eq(0), "barcode", "set aside"),
        "an unknown product": (frame["quantity"].gt(0) & frame["product"].eq(""), "barcode", "set aside"),
        "no weight": (frame["product"].ne("") & frame["weight"].isna(), "barcode", "kept"),
        "no price": (frame["product"].ne("") & frame["price"].isna(), "barcode", "kept"),
    }
    for problem, (found, column, outcome) in kinds.items():
        rows = frame[found]
        wrong.tell(rows, problem, rows[column].map(repr), outcome)
    short = frame[frame["product"].ne("") & frame["product"].ne(frame["barcode"])]
    wrong.tell(short, "a short barcode", short["barcode"], "repaired: " + short["product"])
    signed = frame[frame["target"].astype(str).str.startswith("-")].drop_duplicates(["case", "target"])
    wrong.tell(signed.assign(event=0), "a signed customer number", signed["target"], "repaired: " + signed["customer"])
    told = frame.drop_duplicates(["case", "event"])
    odd = told[~told["id"].str.fullmatch(r"\d+") | told.duplicated(["case", "id"])]
    wrong.tell(
        odd, "an event number that is broken or a second time there", odd["id"], "repaired: numbered by its place"
    )


def _put(frame: pd.DataFrame, plan: CheckoutPlan, wrong: Quarantine) -> pd.DataFrame:
    """Find the plates of each event in the plan; a plate beyond the end of its shelf is the shelf's last."""
    shelves: dict[tuple[int, int], dict[int, NDArray[np.float64]]] = {}
    for gondola, shelf, plate, *middle in plan.plates[["gondola", "shelf", "plate", "x", "y", "z"]].to_numpy().tolist():
        shelves.setdefault((int(gondola), int(shelf)), {})[int(plate)] = np.array(middle)
    spots = [_spot(at, shelves.get(at[:2], {})) for at in frame["at"].tolist()]
    columns = ["gondola", "shelf", "plates", "x", "y", "z", "misplaced", "outcome"]
    frame = frame.join(pd.DataFrame(spots, columns=columns, index=frame.index))
    for how in sorted(set(frame["misplaced"]) - {""}):
        rows = frame[frame["misplaced"] == how]
        wrong.tell(rows, how, rows["position"], rows["outcome"])
    return frame.drop(columns=["misplaced", "outcome", "how"])


def _spot(at: tuple[int, int, tuple[int, ...]], known: dict[int, NDArray[np.float64]]) -> tuple[Any, ...]:
    """Gondola, shelf, plates, the middle of the plates, what was wrong, and what was done about it."""
    gondola, shelf, told = at
    if not known or not any(told):
        return gondola, shelf, told, np.nan, np.nan, np.nan, "a place that is not in the plan", "kept"
    ends = min(known), max(known)
    plates = tuple(dict.fromkeys(int(np.clip(plate, *ends)) for plate in told if plate))
    how = "" if set(told) <= set(known) else "a plate that its shelf has not"
    middle = np.mean([known[plate] for plate in plates], axis=0)
    return gondola, shelf, plates, *middle, how, f"repaired: plates {plates}"
