"""Who took what, told as GS1's EPCIS 2.0: a document that any trading partner's software can read.

    document = to_epcis(events, receipts, products, store="https://shop.example/stores/12", opened=opened, key=key)
    check_epcis(document)                      # a row for each breach of GS1's schema; none is wanted
    write_epcis("day.jsonld", document)
    read_epcis("day.jsonld")                   # the events again

What happens is told in words of GS1's Core Business Vocabulary (CBV 2.0, GS1 2022), which this choice follows:

| it is | event | step | disposition | where it is found afterwards |
|---|---|---|---|---|
| a take | ObjectEvent, OBSERVE | picking: selecting things to fill an order | in_progress | the store |
| a return | ObjectEvent, OBSERVE | stocking: making a thing available | sellable_accessible | the cell |
| a line of a receipt | TransactionEvent, ADD | retail_selling | retail_sold | not told: it left |

`removing` would be wrong for a take: it is for parts of a machine. A take says in_progress, which GS1 lets one leave
out, so that the thing is no longer found as sellable_accessible. Things are named by GS1 Digital Link, the form in
which CBV compares names: with a serial number where the tag told it (epcList), else by product and quantity
(quantityList). The probability is told as ``retailkit:posterior``; prices have no place in EPCIS.
"""

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from retailkit.store.fusion.epcis_files import COLUMNS, STEPS, read_epcis, write_epcis
from retailkit.store.fusion.epcis_names import event_id, visit_key
from retailkit.store.fusion.epcis_schema import check_epcis, is_uri
from retailkit.store.rfid.epc import decode_epcs, normalise_epcs

__all__ = ["check_epcis", "event_id", "read_epcis", "to_epcis", "visit_key", "write_epcis"]
_CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
_CLASS = "https://id.gs1.org/01/"
_NAME = "urn:epcglobal:cbv:mda#descriptionShort"
_LONGEST = 366 * 86400.0  # seconds: more is no time since the store opened, but one since 1970
_NOBODY = -1
_SLACK = 1e-6  # what rounding may add to a sum of probabilities


def to_epcis(
    events: pd.DataFrame,
    receipts: pd.DataFrame,
    products: pd.DataFrame,
    *,
    store: str,
    opened: datetime,
    key: bytes,
    created: datetime | None = None,
) -> dict[str, Any]:
    """Tell takes, returns and receipts as an EPCIS 2.0 document.

    Its events have an identity that follows from what they say (`event_id`), so that a repository that is sent the
    same day twice keeps it once. Shoppers are told by `visit_key` and nothing else.

    Parameters
    ----------
    events : DataFrame with time, kind (take, return), cell, product, item, shopper, probability
        Time is in seconds since `opened`. Item is the tag's code in hexadecimal, or ``seen N`` for a thing of which no
        tag was heard. A shopper that is missing or -1 is nobody known, and a probability that is missing is not told.
    receipts : DataFrame with shopper, product, quantity
        A row for each line. Where there are the columns item, time or probability, they are told; a line without a time
        is of the moment of the shopper's last event.
    products : DataFrame with product, gtin (14 digits)
    store : str
        Address of the store at its owner's web domain, as ``https://shop.example/stores/12``. Names of cells and
        receipts go below it, and retailkit's terms below the domain.
    opened : datetime with a time zone
        What second 0 is. Each event tells the zone's offset of its own moment.
    key : bytes, 16 or more
        The store's secret for `visit_key`. It is not told.
    created : datetime with a time zone, optional
        When the document was made; now.

    Returns
    -------
    dict
        An EPCISDocument, ready for JSON: events in the order of the frame, then receipts. Times are to a millisecond.

    Raises
    ------
    ValueError
        A value is none that can be told, a tag is not of the product that it stands beside, two events say the same, or
        nobody knows when a receipt was made. Table, row (from 1) and value are quoted.
    """
    shop = _Shop(store, opened, key)
    classes = _classes(products)
    _check_events(events, classes)
    handled = list(_handled(events, classes, shop))
    again = pd.Series([event["eventID"] for event in handled], dtype="str").duplicated()
    _refuse("events", events["item"], again, "a row before tells the same of it, in the same millisecond")
    elements = [{"id": uri, "attributes": [{"id": _NAME, "attribute": name}]} for name, uri in classes.items()]
    named = {"type": "urn:epcglobal:epcis:vtype:EPCClass", "vocabularyElementList": elements}
    return {
        "@context": [_CONTEXT, {"retailkit": shop.terms}],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": _zoned("created", created or datetime.now(UTC)).isoformat(timespec="milliseconds"),
        "retailkit:opened": opened.isoformat(),
        "epcisHeader": {"epcisMasterData": {"vocabularyList": [named]}},
        "epcisBody": {"eventList": [*handled, *_sold(receipts, events, classes, shop)]},
    }


@dataclass(frozen=True)
class _Shop:
    uri: str
    opened: datetime
    key: bytes

    def __post_init__(self) -> None:
        if not is_uri(self.uri) or not re.fullmatch(r"https?://[^/?#]+(/[^?#]*[^/?#])?", self.uri):
            raise ValueError(f"store {self.uri!r}: an address like https://shop.example/stores/12 is needed")
        _zoned("opened", self.opened)

    @property
    def terms(self) -> str:
        return "{0.scheme}://{0.netloc}/retailkit#".format(urlsplit(self.uri))

    def when(self, seconds: float) -> dict[str, str]:
        # through UTC: adding to a local time would skip over the hour when clocks change
        moment = self.opened.astimezone(UTC) + timedelta(seconds=seconds, microseconds=500)
        told = moment.astimezone(self.opened.tzinfo).isoformat(timespec="milliseconds")
        return {"eventTime": told, "eventTimeZoneOffset": told[-6:]}

    def visits(self, shoppers: pd.Series) -> pd.Series:
        """Keys of visits, missing for nobody known."""
        different = {one: visit_key(one, store=self.uri, opened=self.opened, key=self.key) for one in shoppers.unique()}
        return shoppers.map(lambda one: None if pd.isna(one) or one == _NOBODY else different[one]).astype("str")

    def told(self, event: dict[str, Any], visit: Any, probability: Any) -> dict[str, Any]:
        if not pd.isna(visit):
            event["retailkit:visit"] = f"{self.uri}/visits/{visit}"
        if not pd.isna(probability):
            event["retailkit:posterior"] = min(float(probability), 1.0)
        return event | {"eventID": event_id(event, self.terms)}


def _zoned(name: str, moment: datetime) -> datetime:
    offset = moment.utcoffset()
    if offset is None or offset % timedelta(minutes=1) or abs(offset) > timedelta(hours=14):
        raise ValueError(
            f"{name} {moment}: a time zone is needed, in whole minutes, as in tzinfo=ZoneInfo('Europe/Paris')"
        )
    return moment


def _classes(products: pd.DataFrame) -> dict[Hashable, str]:
    """GS1's names of products."""
    _need("products", products, ["product", "gtin"])
    gtin = products["gtin"].astype("str")
    digits = [re.fullmatch("[0-9]{14}", str(name)) is not None and _checks(str(name)) for name in gtin]
    _refuse(
        "products", products["gtin"], ~np.array(digits, dtype=bool), "14 digits are needed, the last checks the others"
    )
    for name in ("gtin", "product"):
        _refuse("products", products[name], products[name].duplicated(), "the same as in a row before")
    return dict(zip(products["product"].tolist(), (_CLASS + gtin).tolist(), strict=True))


def _checks(gtin: str) -> bool:
    """Whether the last digit is right (GS1 General Specifications, section 7.9)."""
    return (3 * sum(map(int, gtin[::2])) + sum(map(int, gtin[1::2]))) % 10 == 0


def _check_events(events: pd.DataFrame, classes: dict[Hashable, str]) -> None:
    _need("events", events, COLUMNS)
    _refuse("events", events["kind"], ~events["kind"].isin(STEPS), f"{' or '.join(STEPS)} is needed")
    cell = events["cell"]
    _refuse("events", cell, cell.isna() | (cell.astype("str").str.strip() == ""), "the name of a cell is needed")
    _refuse("events", events["item"], events["item"].isna(), "a tag's code or `seen N` is needed")
    _check_times("events", events["time"])
    _check_probabilities("events", events["probability"])


def _check_times(table: str, time: pd.Series) -> None:
    wrong = ~(pd.to_numeric(time, errors="coerce").abs() <= _LONGEST)
    _refuse(table, time, wrong, "seconds since the store opened are needed, within a year")


def _check_probabilities(table: str, probability: pd.Series) -> None:
    number = pd.to_numeric(probability, errors="coerce")
    _refuse(table, probability, probability.notna() & ~number.between(0, 1 + _SLACK), "0 to 1, or nothing, is needed")


def _need(table: str, frame: pd.DataFrame, columns: list[str]) -> None:
    if missing := [name for name in columns if name not in frame]:
        raise ValueError(f"{table} has no {' and '.join(missing)}; it has {', '.join(map(str, frame)) or 'no columns'}")


def _refuse(table: str, values: pd.Series, wrong: ArrayLike, wanted: str) -> None:
    """Quote the first value that is wrong."""
    if (places := np.flatnonzero(np.asarray(wrong, dtype=bool))).size:
        value = values.tolist()[places[0]]
        raise ValueError(f"{table}, row {places[0] + 1}: {values.name or 'event'} {value!r}: {wanted}")


def _things(
    table: str, product: pd.Series, item: pd.Series, quantity: pd.Series, classes: dict[Hashable, str]
) -> list[dict[str, Any]]:
    """Name what each row is about: by its tag, or by its product and how many."""
    _refuse(table, product, ~product.isin(list(classes)), "no such product in the table of products")
    unheard = item.isna().to_numpy() | item.astype("str").str.fullmatch(r"seen \d+").to_numpy(
        dtype=bool, na_value=False
    )
    codes = normalise_epcs(item.where(~unheard, None))
    told = decode_epcs(codes[~unheard]).set_index("epc").reindex(codes.to_numpy())
    wrong = ~unheard & (told["gtin"].fillna("") == "").to_numpy()
    _refuse(table, item, wrong, "the code of a product's tag (SGTIN), or `seen N` where none was heard, is needed")
    kind = pd.Series([classes[name] for name in product.tolist()], dtype="str")
    tagged = (_CLASS + told["gtin"]).to_numpy()
    _refuse(table, item, ~unheard & (tagged != kind.to_numpy()), "the tag is of another product than the row")
    _refuse(table, quantity, ~unheard & (quantity != 1).to_numpy(), "a tag is on one thing")
    return [
        {"quantityList": [{"epcClass": name, "quantity": int(count)}]}
        if alone
        else {"epcList": [f"{name}/21/{quote(serial, safe='')}"]}
        for name, alone, serial, count in zip(kind, unheard, told["serial"], quantity.tolist(), strict=True)
    ]


def _handled(events: pd.DataFrame, classes: dict[Hashable, str], shop: _Shop) -> Iterable[dict[str, Any]]:
    """Takes and returns."""
    one = pd.Series(1, index=events.index)
    things = _things("events", events["product"], events["item"], one, classes)
    told = events.assign(visit=shop.visits(events["shopper"]))
    columns = [told[name].tolist() for name in ("time", "kind", "cell", "item", "visit", "probability")]
    for thing, time, kind, cell, item, visit, probability in zip(things, *columns, strict=True):
        step, state = STEPS[kind]
        place = f"{shop.uri}/cells/{quote(str(cell), safe='')}"
        event = {"type": "ObjectEvent", **shop.when(float(time)), **thing, "action": "OBSERVE", "bizStep": step}
        event |= {"disposition": state, "readPoint": {"id": place}}
        event |= {"bizLocation": {"id": place if kind == "return" else shop.uri}, "retailkit:item": _raw(item, thing)}
        yield shop.told(event, visit, probability)


def _raw(item: str, thing: dict[str, Any]) -> str:
    """A tag's code as it was read, whose filter a Digital Link does not tell (EPC Tag Data Standard, section 12)."""
    code = "".join(str(item).split()).upper()
    return f"urn:epc:raw:{4 * len(code)}.x{code}" if "epcList" in thing else str(item)


def _sold(
    receipts: pd.DataFrame, events: pd.DataFrame, classes: dict[Hashable, str], shop: _Shop
) -> Iterable[dict[str, Any]]:
    """Lines of receipts, numbered within each."""
    _need("receipts", receipts, ["shopper", "product", "quantity"])
    lines = receipts.reindex(columns=["shopper", "product", "quantity", "item", "time", "probability"])
    visit = shop.visits(lines["shopper"])
    _refuse("receipts", lines["shopper"], visit.isna(), "a shopper is needed")
    count = pd.to_numeric(lines["quantity"], errors="coerce")
    _refuse("receipts", lines["quantity"], ~((count >= 1) & (count % 1 == 0)), "a whole number from 1 is needed")
    last = events["time"].groupby(shop.visits(events["shopper"])).max()
    time = lines["time"].where(lines["time"].notna(), visit.map(last))
    _refuse("receipts", lines["shopper"], time.isna(), "no event tells when they left; a column `time` is needed")
    _check_times("receipts", time)
    _check_probabilities("receipts", lines["probability"])
    things = _things("receipts", lines["product"], lines["item"], count, classes)
    columns = (column.tolist() for column in (time, visit, lines["probability"], visit.groupby(visit).cumcount() + 1))
    for thing, moment, key, probability, line in zip(things, *columns, strict=True):
        receipt = {"type": "inv", "bizTransaction": f"{shop.uri}/receipts/{key}"}
        event = {"type": "TransactionEvent", **shop.when(float(moment)), "bizTransactionList": [receipt], **thing}
        event |= {"action": "ADD", "bizStep": "retail_selling", "disposition": "retail_sold"}
        event |= {"readPoint": {"id": shop.uri}, "retailkit:line": line}
        yield shop.told(event, key, probability)
