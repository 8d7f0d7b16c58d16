"""Names in EPCIS documents: of a visit, so that nobody is known by it, and of an event, by what it says."""

import hashlib
import hmac
from collections.abc import Hashable
from datetime import UTC, datetime
from typing import Any

import numpy as np

_VOCABULARY = {"bizStep": "BizStep", "disposition": "Disp"}
_LEAST_KEY = 16  # bytes


def visit_key(shopper: Hashable, *, store: str, opened: datetime, key: bytes) -> str:
    """Name a visit so that only who holds the key can tell whose it was (HMAC-SHA-256, RFC 2104, 1997; 128 bits).

    The same shopper has another name in another store or on another day.

    >>> from datetime import UTC, datetime
    >>> visit_key(7, store="https://shop.example/stores/12", opened=datetime(2026, 3, 2, 8, tzinfo=UTC), key=b"k" * 16)
    '0873d35243d213db4dd28923660255f9'

    Parameters
    ----------
    shopper : number or str
        As in the frames; 7 and 7.0 are the same.
    store, opened, key
        As in `to_epcis`.

    Raises
    ------
    ValueError
        The key is too short to keep anything secret.
    """
    if len(key) < _LEAST_KEY:
        raise ValueError(f"key of {len(key)} bytes: {_LEAST_KEY} or more are needed, as secrets.token_bytes(32) makes")
    name = int(shopper) if isinstance(shopper, float | np.floating) and float(shopper).is_integer() else shopper
    message = f"{store}\n{opened.astimezone(UTC).isoformat()}\n{name}".encode()
    return hmac.new(key, message, hashlib.sha256).hexdigest()[:32]


def event_id(event: dict[str, Any], terms: str) -> str:
    """Name an event by what it says: the event hash of CBV 2.0 (GS1 2022), for the events of `to_epcis`.

    Any party can compute it again from the event alone, told in XML or JSON; a UUID would be known to us only. All
    fields count but eventID; prefixes are written out, times in UTC, fields in the standard's order.

    Parameters
    ----------
    event : dict
    terms : str
        What the prefix ``retailkit`` stands for.

    Returns
    -------
    str
        ``ni:///sha-256;...?ver=CBV2.0`` (RFC 6920, 2013).
    """
    moment = datetime.fromisoformat(event["eventTime"]).astimezone(UTC)
    told = [f"eventType={event['type']}", f"eventTime={moment.isoformat(timespec='milliseconds')[:-6]}Z"]
    told.append(f"eventTimeZoneOffset={event['eventTimeZoneOffset']}")
    told += [f"epcListepc={uri}" for uri in event.get("epcList", ())]
    for part in event.get("quantityList", ()):
        told.append(f"quantityListquantityElementepcClass={part['epcClass']}quantity={part['quantity']}")
    told.append(f"action={event['action']}")
    told += [f"{name}=https://ref.gs1.org/cbv/{kind}-{event[name]}" for name, kind in _VOCABULARY.items()]
    told += [f"{name}id={event[name]['id']}" for name in ("readPoint", "bizLocation") if name in event]
    for part in event.get("bizTransactionList", ()):
        told.append(f"bizTransactionListtype=https://ref.gs1.org/cbv/BTT-{part['type']}")
        told.append(f"bizTransaction={part['bizTransaction']}")
    ours = {name.partition(":")[2]: value for name, value in event.items() if name.startswith("retailkit:")}
    told += sorted(f"{{{terms}}}{name}={_plain(value)}" for name, value in ours.items())
    return f"ni:///sha-256;{hashlib.sha256(''.join(told).encode()).hexdigest()}?ver=CBV2.0"


def _plain(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
