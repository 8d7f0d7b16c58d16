"""Electronic Product Codes: what the number on a tag says of the product.

    decode_epcs(reads["epc"])      # a row for each different code: product (GTIN) and serial number, or what is wrong

The layout is GS1's (EPC Tag Data Standard 1.13, section 14). Codes of products (SGTIN-96, nearly all tags in shops) are
decoded all at once; every other scheme by `epcpy`.
"""

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_SGTIN_96 = 0x30
_DIGITS = 24  # hexadecimal, of 96 bits
_COMPANY_BITS = np.array([40, 37, 34, 30, 27, 24, 20])  # by partition
_COMPANY_DIGITS = 12 - np.arange(7)
_ITEM_DIGITS = 1 + np.arange(7)
_NOTHING: dict[str, Any] = {"scheme": "", "gtin": "", "serial": "", "filter": -1, "uri": ""}
COLUMNS = ["epc", "scheme", "gtin", "serial", "filter", "uri", "problem"]


def decode_epcs(epcs: Iterable[str]) -> pd.DataFrame:
    """Decode codes as readers tell them, each different one once.

    >>> told = decode_epcs(["3074257BF7194E4000001A85", "3074 257b F719 4E40 0000 1A85", "30742"])
    >>> told[["epc", "gtin", "serial", "problem"]].to_dict("records")[0]
    {'epc': '3074257BF7194E4000001A85', 'gtin': '80614141123458', 'serial': '6789', 'problem': ''}
    >>> told["problem"][1]
    '5 hexadecimal digits, 20 bits: 24 (96 bits) are needed'

    Parameters
    ----------
    epcs : strings
        Hexadecimal, in either case, with or without spaces. Only different ones cost time.

    Returns
    -------
    DataFrame
        A row for each code, in order of first appearance: epc (upper case, no spaces), scheme (``sgtin-96``,
        ``sscc-96``...; empty where it has none), gtin (14 digits), serial, filter (of products; -1 for others), uri
        (GS1's name of this very thing), problem (empty, or why the code says nothing).
    """
    codes = normalise_epcs(epcs).drop_duplicates(ignore_index=True)
    problem = code_problems(codes)
    good = problem == ""
    plain = good & (codes.str.len() == _DIGITS) & codes.str.startswith(f"{_SGTIN_96:02X}")
    wrong = pd.DataFrame({"epc": codes, "problem": problem}, dtype="str")[~good].assign(**_NOTHING)
    found = [_decode_products(codes[plain]), _decode_others(codes[good & ~plain]), wrong]
    return pd.concat([part[COLUMNS] for part in found if len(part) or len(codes) == 0]).sort_index()


def normalise_epcs(epcs: Iterable[str]) -> pd.Series:
    """Write codes alike: upper case, no spaces.

    >>> normalise_epcs(["30 aa", "30AA"]).tolist()
    ['30AA', '30AA']
    """
    told = epcs if isinstance(epcs, pd.Series) else pd.Series(epcs, dtype="object")
    codes, names = pd.factorize(told)
    different = pd.Series(np.append(np.asarray(names, dtype=object), ""), dtype="object")  # -1, the last: none told
    try:
        different = different.astype("str")
    except UnicodeEncodeError:  # half a character, which JSON can hold
        different = different.map(lambda name: str(name).encode("utf-8", "replace").decode()).astype("str")
    strange = ~different.str.fullmatch("[0-9A-Fa-f]*")
    alike = different.str.upper()
    alike[strange] = np.array(["".join(name.split()).upper() for name in different[strange]], dtype=object)
    return alike.take(codes).reset_index(drop=True)


def encode_products(gtin: Iterable[str], serial: Iterable[int], company_digits: int = 7, filter: int = 1) -> list[str]:
    """Write codes of products (SGTIN-96), as a label printer would.

    >>> encode_products(["80614141123458"], [6789], filter=3)
    ['3074257BF7194E4000001A85']

    Parameters
    ----------
    gtin : strings of 14 digits
        The last is the check digit and must be right.
    serial : whole numbers below 2^38
    company_digits : int, 6 to 12
        How many digits of the GTIN after the first name the company.
    filter : int, 0 to 7
        1: an item at the point of sale.

    Raises
    ------
    ValueError
        A GTIN is none, or a number is outside of what fits.
    """
    if not (6 <= company_digits <= 12 and 0 <= filter <= 7):
        raise ValueError(f"company_digits is {company_digits}, filter {filter}: 6 to 12 and 0 to 7 are needed")
    partition = 12 - company_digits
    start, found = _SGTIN_96 << 6 | filter << 3 | partition, []
    for name, number in zip(_checked_gtins(gtin), serial, strict=True):
        if number != int(number) or not 0 <= number < 1 << 38:
            raise ValueError(f"serial {number!r}: a whole number from 0 to 2^38 - 1 is needed")
        company, item = int(name[1 : 1 + company_digits]), int(name[0] + name[1 + company_digits : -1])
        bits = start << 44 | company << 44 - int(_COMPANY_BITS[partition]) | item
        found.append(f"{bits << 38 | int(number):024X}")
    return found


def _checked_gtins(gtin: Iterable[str]) -> list[str]:
    names = list(gtin)
    bodies = [int(name[:13]) if re.fullmatch("[0-9]{14}", name) else 0 for name in names]
    for name, right in zip(names, _gtins(np.array(bodies, dtype=np.int64)), strict=True):
        if name != right:
            raise ValueError(f"gtin {name!r}: 14 digits are needed, the last of which checks the others")
    return names


def code_problems(epcs: Iterable[str]) -> pd.Series:
    """Say for each code, upper case and without spaces, why it is none: empty where it is one."""
    codes = pd.Series(epcs, dtype="str")
    length = codes.str.len()
    fine = codes.str.fullmatch("[0-9A-F]+") & (length >= _DIGITS) & (length % 4 == 0)
    problems = pd.Series("", index=codes.index, dtype="str")
    problems[~fine] = np.array([_problem(epc) for epc in codes[~fine]], dtype=object)
    return problems


def _problem(epc: str) -> str:
    if not epc:
        return "no code"
    if wrong := epc.strip("0123456789ABCDEF"):
        return f"{wrong[0]!r} is no hexadecimal digit"
    return f"{len(epc)} hexadecimal digits, {4 * len(epc)} bits: {_DIGITS} (96 bits) are needed"


def _decode_products(epcs: pd.Series) -> pd.DataFrame:
    """Decode codes of 24 digits that begin with 30, all at once."""
    high, low = _words(epcs)
    serial = (high & np.uint64(63)) << np.uint64(32) | low
    both = (high >> np.uint64(6)) & np.uint64((1 << 44) - 1)
    partition = ((high >> np.uint64(50)) & np.uint64(7)).astype(int)
    known = partition.clip(max=6)
    shift = (44 - _COMPANY_BITS[known]).astype(np.uint64)
    company, item = (both >> shift).astype(np.int64), (both & ((np.uint64(1) << shift) - np.uint64(1))).astype(np.int64)
    problem = np.full(len(epcs), "", dtype=object)
    problem[item >= 10 ** _ITEM_DIGITS[known]] = "the item number has too many digits for its partition"
    problem[company >= 10 ** _COMPANY_DIGITS[known]] = "the company's number has too many digits for its partition"
    problem[partition == 7] = "partition 7 does not exist"
    good = problem == ""
    rest = 10 ** (_ITEM_DIGITS[known] - 1)
    body = np.where(good, item // rest * 10**12 + company * rest + item % rest, 0)  # the item's first digit leads
    table = pd.DataFrame({"epc": epcs, "scheme": "sgtin-96", "gtin": _gtins(body).set_axis(epcs.index)})
    table["serial"] = pd.Series(serial.astype(np.int64), index=epcs.index).astype("str")
    table["filter"] = ((high >> np.uint64(53)) & np.uint64(7)).astype(int)
    table["uri"] = _names(table, _COMPANY_DIGITS[known])
    table["problem"] = pd.Series(problem, index=epcs.index, dtype="str")
    return table if good.all() else table.assign(**{name: table[name].where(good, _NOTHING[name]) for name in _NOTHING})


def _gtins(body: NDArray[np.int64]) -> pd.Series:
    """Add the check digit (GS1 General Specifications, section 7.9): 13 digits in, 14 out."""
    odd, even = (sum(body // 10**place % 10 for place in range(first, 13, 2)) for first in (0, 1))
    return pd.Series(10**14 + body * 10 + -(3 * odd + even) % 10).astype("str").str.slice(1)


def _names(table: pd.DataFrame, company_digits: NDArray[np.int64]) -> pd.Series:
    """GS1's names of things (pure identities): company, item and serial number."""
    found = pd.Series("", index=table.index, dtype="str")
    for digits in np.unique(company_digits):
        rows = company_digits == digits
        gtin = table["gtin"][rows]
        company, item = gtin.str.slice(1, 1 + digits), gtin.str.slice(0, 1) + gtin.str.slice(1 + digits, 13)
        found[rows] = "urn:epc:id:sgtin:" + company + "." + item + "." + table["serial"][rows]
    return found


def _words(epcs: pd.Series) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The first 64 bits and the last 32 of codes of 24 hexadecimal digits."""
    first, second, third = np.frombuffer(bytes.fromhex(epcs.str.cat()), ">u4").reshape(-1, 3).T.astype(np.uint64)
    return first << np.uint64(32) | second, third


def _decode_others(epcs: pd.Series) -> pd.DataFrame:
    """Decode codes of other schemes than SGTIN-96, one by one."""
    told = pd.DataFrame([_decode_other(epc) for epc in epcs], columns=COLUMNS[1:], index=epcs.index)
    return told.astype({name: "str" for name in COLUMNS[1:] if name != "filter"} | {"filter": int}).assign(epc=epcs)


def _decode_other(epc: str) -> tuple[str, str, str, int, str, str]:
    """Scheme, gtin, serial, filter, uri and problem."""
    from epcpy.epc_schemes.sgtin import SGTIN
    from epcpy.utils.common import ConvertException, replace_uri_escapes
    from epcpy.utils.parsers import hex_to_tag_encodable

    try:
        tag = hex_to_tag_encodable(epc)
    except (ConvertException, ValueError, KeyError, IndexError, AttributeError) as error:
        return "", "", "", -1, "", f"header {epc[:2]}: {error}"
    scheme = tag.header_to_schemes()[f"{int(epc[:2], 16):08b}"].value
    if not isinstance(tag, SGTIN):
        return scheme, "", "", -1, tag.epc_uri, ""
    serial = replace_uri_escapes(tag.epc_uri.split(".", 2)[2])
    return scheme, tag.gtin(), serial, int(epc[2], 16) >> 1, tag.epc_uri, ""
