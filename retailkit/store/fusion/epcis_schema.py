"""EPCIS documents against GS1's schema: a table of what breaks it."""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from retailkit.lab.project import find_data

SCHEMA = "EPCIS-JSON-Schema.json"


def check_epcis(document: Any, schema: dict[str, Any] | Path | str | None = None) -> pd.DataFrame:
    """Check a document against GS1's JSON schema of EPCIS 2.0 (draft 7), forms of addresses and times included.

    Parameters
    ----------
    document : dict
        As `to_epcis` makes it, or any other that was read from JSON.
    schema : dict or path, optional
        GS1's schema; that of the data folder ``epcis``.

    Returns
    -------
    DataFrame
        A row for each problem: path (``$.epcisBody.eventList[3].bizStep``: events count from 0), value (of what is
        there), message. No rows: the document is valid.

    Raises
    ------
    FileNotFoundError
        The schema is not there; the message says where it is to be had.
    """
    from jsonschema import Draft7Validator

    rules = schema if isinstance(schema, dict) else _schema(schema)
    found = Draft7Validator(rules, format_checker=_forms()).iter_errors(document)
    rows = [(error.json_path, _short(error.instance), _message(error)) for error in found]
    return pd.DataFrame(rows, columns=["path", "value", "message"], dtype="str").drop_duplicates(ignore_index=True)


def _schema(path: Path | str | None) -> dict[str, Any]:
    folder = find_data("epcis")
    file = Path(path) if path is not None else folder / SCHEMA if folder else Path("epcis") / SCHEMA
    if not file.is_file():
        raise FileNotFoundError(
            f"'{file}' is not there: get {SCHEMA} from GS1 (https://ref.gs1.org/standards/epcis/artefacts, or JSON/ of "
            f"github.com/gs1/EPCIS) into a folder `epcis` below one of RETAILKIT_DATA, or name the file as `schema`"
        )
    return dict(json.loads(file.read_text(encoding="utf-8")))


def _forms() -> Any:
    """Checks of forms that do not depend on which packages happen to be there; without them any word is an address."""
    from jsonschema import FormatChecker

    forms = FormatChecker(formats=())
    forms.checks("uri")(lambda value: not isinstance(value, str) or is_uri(value))
    forms.checks("date-time")(lambda value: not isinstance(value, str) or _is_moment(value))
    return forms


def is_uri(value: str) -> bool:
    """Whether a scheme and only characters of addresses follow (RFC 3986, 2005)."""
    return (
        re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:([\w.~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+", value, re.A) is not None
    )


def _is_moment(value: str) -> bool:
    """Whether this is a date and time with its offset (RFC 3339, 2002)."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", value, re.A):
        return False
    try:
        datetime.fromisoformat(value.upper())
    except ValueError:
        return False
    return True


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 80 else text[:79] + "…"


def _message(error: Any) -> str:
    """What is wrong; of a choice, why nothing in it fits."""
    if "propertyNames" in error.absolute_schema_path:
        return f"{error.instance!r} is no field of EPCIS here, and has no prefix of one's own"
    if error.context:
        return " or ".join(dict.fromkeys(part.message[:200] for part in error.context))
    return str(error.message)[:200]
