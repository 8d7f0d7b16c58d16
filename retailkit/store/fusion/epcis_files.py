"""EPCIS documents as files: written an event in each line, and read back as a frame of events."""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pandas as pd

COLUMNS = ["time", "kind", "cell", "product", "item", "shopper", "probability"]
STEPS = {"take": ("picking", "in_progress"), "return": ("stocking", "sellable_accessible")}  # and dispositions
_KINDS = {step: kind for kind, (step, _) in STEPS.items()}


def write_epcis(path: Path | str, document: dict[str, Any]) -> Path:
    """Write a document as JSON in UTF-8, an event in each line, without holding the text of all of them."""
    path = Path(path)
    body = document["epcisBody"]
    head = json.dumps({**document, "epcisBody": {**body, "eventList": []}}, ensure_ascii=False, allow_nan=False)
    before, after = head.rsplit('"eventList": []', 1)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'{before}"eventList": [')
        for number, event in enumerate(body["eventList"]):
            file.write(",\n" if number else "\n")
            file.write(json.dumps(event, ensure_ascii=False, allow_nan=False))
        file.write(f"\n]{after}\n")
    return path


def read_epcis(path: Path | str) -> pd.DataFrame:
    """Read the takes and returns of a document that `write_epcis` wrote; sales (TransactionEvents) are left aside.

    Returns
    -------
    DataFrame
        time (seconds, to a millisecond), kind, cell (text), product, item, shopper (the visit's key, missing for nobody
        known) and probability, in the order of the document.

    Raises
    ------
    ValueError
        The file is no such document. The number of the event (from 1) is told.
    """
    path = Path(path)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        opened = datetime.fromisoformat(document["retailkit:opened"])
        [named] = document["epcisHeader"]["epcisMasterData"]["vocabularyList"]
        products = {one["id"]: one["attributes"][0]["attribute"] for one in named["vocabularyElementList"]}
        events = list(enumerate(document["epcisBody"]["eventList"], 1))
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise ValueError(f"{path}: {error!r}; an EPCIS document that write_epcis wrote is needed") from error
    rows = [_row(path, number, event, opened, products) for number, event in events if not _is_sale(event)]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"time": float, "probability": float})


def _is_sale(event: Any) -> bool:
    return isinstance(event, dict) and event.get("type") == "TransactionEvent"


def _row(path: Path, number: int, event: Any, opened: datetime, products: dict[str, Any]) -> tuple[Any, ...]:
    try:
        time = (datetime.fromisoformat(event["eventTime"]) - opened).total_seconds()
        kind = event["epcList"][0].split("/21/")[0] if "epcList" in event else event["quantityList"][0]["epcClass"]
        cell = unquote(event["readPoint"]["id"].rsplit("/cells/", 1)[1])
        item = re.sub(r"^urn:epc:raw:\d+\.x", "", event["retailkit:item"])
        visit = event["retailkit:visit"].rsplit("/", 1)[1] if "retailkit:visit" in event else None
        told = float(event.get("retailkit:posterior", np.nan))
        return time, _KINDS[event["bizStep"]], cell, products[kind], item, visit, told
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise ValueError(f"{path}, event {number}: {error!r}; a take or return by write_epcis is needed") from error
