"""Receipts: what a system charged to whom, beside what they took, by the rule of the AutoCheckout competition.

    receipts, entries, wrong = read_feedback(Path("autocheckout/results.md"))
    score_receipts(receipts, true)                # case, right, found, bought, precision, recall, f1

A receipts frame has a row for each product on each customer's final receipt: case, customer, product, quantity.
"""

import ast
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from retailkit.datasets.catalogue import DataError
from retailkit.datasets.tables import need_columns

COLUMNS = ["case", "customer", "product", "quantity"]
PROBLEMS = ["case", "event", "problem", "told", "outcome"]
_ENTRY = re.compile(r"^=+ *Receive feedbacks? for (.+?) *=+ *$", re.MULTILINE)


def read_barcode(told: object) -> str:
    """Bring a barcode to one form: UPC-E, with or without its first and last digit, becomes the UPC-A it stands for.

    >>> read_barcode("01201303"), read_barcode("120130"), read_barcode("90162909"), read_barcode("UNKOWN")
    ('012000000133', '012000000133', '90162909', '')

    Parameters
    ----------
    told : str or int

    Returns
    -------
    str
        8 (EAN-8), 12 (UPC-A), 13 (EAN-13) or 14 digits; empty where it is no barcode.

    Notes
    -----
    How zeros are left out of UPC-E, and the check digit: GS1 General Specifications, sections 5.2.2.4 and 7.9.
    """
    text = str(told).strip()
    if not re.fullmatch(r"[0-9]{6,8}|[0-9]{12,14}", text):
        return ""
    if len(text) in (6, 7) or (text[0] == "0" and len(text) == 8):
        return _expand(text)
    return text


def _expand(text: str) -> str:
    """Fill in the zeros of UPC-E; empty where its first or last digit cannot be."""
    system, core, check = {6: ("0", text, ""), 7: (text[0], text[1:], ""), 8: (text[0], text[1:7], text[7:])}[len(text)]
    last = core[5]
    if last in "012":
        body = core[:2] + last + "0000" + core[2:5]
    elif last == "3":
        body = core[:3] + "00000" + core[3:5]
    elif last == "4":
        body = core[:4] + "00000" + core[4]
    else:
        body = core[:5] + "0000" + last
    whole = system + body
    digit = str(-sum(int(one) * (3 if place % 2 == 0 else 1) for place, one in enumerate(whole)) % 10)
    return whole + digit if system in "01" and check in ("", digit) else ""


def read_customer(told: object) -> str:
    """Bring a customer's number to one form: 64 bits without a sign; empty where there is none.

    >>> read_customer("-3727613894310139972"), read_customer(17), read_customer(None)
    ('14719130179399411644', '17', '')
    """
    text = "" if told is None else str(told).strip()
    return str(int(text) % 2**64) if re.fullmatch(r"[+-]?[0-9]+", text) else text


def read_feedback(path: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Read what the competition's server answered to each receipt that was sent in.

    Returns
    -------
    receipts : DataFrame
        case, f1, customer, product, quantity; a customer with nothing has no row.
    entries : DataFrame
        case, f1, customers (that have a receipt, empty ones too), entries (how often it stands in the file).
    quarantine : DataFrame
        case, event (0), problem, told, outcome: barcodes that were brought to one form, cases told several times (the
        last counts), text that is no entry.

    Raises
    ------
    DataError
        No such file, or an entry that is not what it should be; the message names its line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: no readable text: {error}") from error
    heads = list(_ENTRY.finditer(text))
    begin, *ends = [*(head.start() for head in heads), len(text)]
    before = text[:begin].strip()
    wrong: list[tuple[Any, ...]] = [("", 0, "text that is no entry", before[:80], "set aside")] if before else []
    found: dict[str, list[dict[str, Any]]] = {}
    for head, end in zip(heads, ends, strict=True):
        where = f"{path}, line {text.count(chr(10), 0, head.start()) + 1}"
        answer, rest = _answer(text[head.end() : end], where)
        found.setdefault(answer["name"], []).append(answer)
        if rest:
            wrong.append((answer["name"], 0, "text that is no entry", rest[:80], "set aside"))
    rows, entries = [], []
    for case, answers in found.items():
        if len(answers) > 1:
            told = ", ".join(f"F1 {one['f1_score']:.3f}" for one in answers)
            wrong.append((case, 0, "an entry told several times", told, "the last counts"))
        rows += _lines(answers[-1], wrong)
        entries.append((case, answers[-1]["f1_score"], len(answers[-1]["receipts"]), len(answers)))
    receipts = pd.DataFrame(rows, columns=["case", "f1", *COLUMNS[1:]])
    receipts = receipts.groupby(["case", "f1", "customer", "product"], sort=False)["quantity"].sum().reset_index()
    return receipts, pd.DataFrame(entries, columns=["case", "f1", "customers", "entries"]), _problems(wrong)


def _answer(text: str, where: str) -> tuple[dict[str, Any], str]:
    """The dictionary that the text begins with, and what stands behind it."""
    body, brace, rest = text.rpartition("}")
    try:
        answer = ast.literal_eval((body + brace).strip())
        answer["f1_score"], answer["name"] = float(answer["f1_score"]), str(answer["name"])
        for receipt in answer["receipts"]:
            receipt["target_id"] = read_customer(receipt["target_id"])
            receipt["products"] = [(str(one["barcode"]), int(one["quantity"])) for one in receipt["products"]]
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError, RecursionError) as error:
        raise DataError(
            f"{where}: no answer with f1_score, name and receipts ({error!r}); it begins {text.strip()[:60]!r}"
        ) from error
    return answer, rest.strip()


def _lines(answer: dict[str, Any], wrong: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    rows = []
    for receipt in answer["receipts"]:
        for told, quantity in receipt["products"]:
            product = read_barcode(told)
            if product != told:
                what = "a short barcode" if product else "an unknown product"
                wrong.append((answer["name"], 0, what, told, f"repaired: {product}" if product else "kept"))
            rows.append((answer["name"], answer["f1_score"], receipt["target_id"], product or told, quantity))
    return rows


def _problems(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=PROBLEMS).astype({"event": int})


def score_receipts(found: pd.DataFrame, true: pd.DataFrame, cases: Iterable[str] | None = None) -> pd.DataFrame:
    """Score receipts by the competition's rule: each unit counts, and is right with the right customer only.

    >>> true = pd.DataFrame({"case": "A", "customer": ["ann", "ben"], "product": ["tea", "tea"], "quantity": [2, 1]})
    >>> found = pd.DataFrame({"case": "A", "customer": ["ann"], "product": ["tea"], "quantity": [3]})
    >>> score_receipts(found, true)[["right", "found", "bought", "f1"]].values.tolist()
    [[2.0, 3.0, 3.0, 0.6666666666666666]]

    Parameters
    ----------
    found, true : DataFrame with case, customer, product, quantity (whole numbers from 0)
        What was charged and what was taken. Rows of one customer and product add up; other columns are left aside.
    cases : list of str, optional
        Which to score, in this order; by default all that either frame has. A case of neither has empty receipts.

    Returns
    -------
    DataFrame
        case, right, found, bought (units), precision = right / found (1 where nothing was found), recall =
        right / bought (1 where nothing was bought), f1 = 2 right / (found + bought) (1 where both are empty, as the
        competition's server has it).

    Raises
    ------
    ValueError
        A column is missing, or a quantity is no whole number from 0.

    Notes
    -----
    F1 after van Rijsbergen (1979), chapter 7; the rule after the AutoCheckout competition (CPS-IoT Week 2020).
    """
    sums = [_units(frame, name) for frame, name in ((found, "found"), (true, "true"))]
    both = pd.concat(sums, axis=1, keys=["found", "bought"]).fillna(0).astype(int)
    units = both.assign(right=both.min(axis=1)).groupby(level="case", sort=False).sum()
    named = pd.Index(units.index if cases is None else list(dict.fromkeys(map(str, cases))), name="case")
    units = units.reindex(named, fill_value=0)[["right", "found", "bought"]]
    right, charged, bought = (units[name].to_numpy(dtype=float) for name in units)
    ratios = {"precision": (right, charged), "recall": (right, bought), "f1": (2 * right, charged + bought)}
    shares = {name: np.divide(top, of, out=np.ones(len(of)), where=of > 0) for name, (top, of) in ratios.items()}
    return units.assign(**shares).reset_index()


def _units(frame: pd.DataFrame, name: str) -> pd.Series:
    """Units by case, customer and product, all three as text."""
    need_columns(frame, COLUMNS, name)
    quantity = pd.to_numeric(frame["quantity"], errors="coerce")
    if (bad := ~(quantity.ge(0) & quantity.mod(1).eq(0))).any():
        row = frame[bad].iloc[0]
        raise ValueError(
            f"{name}: quantity is {row['quantity']!r} for product {row['product']!r} of case {row['case']!r}; "
            "a whole number from 0 is needed"
        )
    keys = [frame[column].astype(str) for column in COLUMNS[:3]]
    return quantity.groupby(keys, sort=False).sum()
