"""Electronic Product Codes: what the number on a tag says of the product.

    decode_epcs(reads["epc"])      # a row for each different code: product (GTIN) and serial number, or what is wrong

The layout is GS1's (EPC Tag Data Standard 1.13, section 14). Codes of products (SGTIN-96, nearly all tags in shops) are
decoded all at once; every other scheme by `epcpy`.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_SGTIN_96 = 0x30
_DIGITS = 24  # hexadecimal, of 96 bits
_COMPANY_BITS = np.array([40, 37, 34, 30, 27, 24, 20])  # by partition
_COMPANY_DIGITS = 12 - np.arange(7)
_ITEM_DIGITS = 1 + np.arange(7)
_HEX = np.full(256, 255, dtype=np.uint8)
_HEX[np.frombuffer(b"0123456789ABCDEF", np.uint8)] = np.arange(16)
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
        ``sscc-96``...; empty where it has none), gtin (14 digits), serial, filter (-1 where the scheme has none), uri
        (GS1's name of this very thing), problem (empty, or why the code says nothing).
    """
    codes = pd.Index(pd.unique(normalise_epcs(epcs)))
    table = pd.DataFrame({"epc": codes.astype("str"), "scheme": "", "gtin": "", "serial": "", "filter": -1, "uri": ""})
    table["problem"] = code_problems(table["epc"])
    plain = table.index[(table["problem"] == "") & (table["epc"].str.slice(0, 2) == f"{_SGTIN_96:02X}")
                        & (table["epc"].str.len() == _DIGITS)]  # fmt: skip
    fields = _decode_products(table["epc"].to_numpy(object)[plain])
    table.loc[plain, fields.columns] = fields.to_numpy(object)
    others = table.index[(table["problem"] == "")].difference(plain)
    names = ["scheme", "gtin", "serial", "uri", "problem"]
    told = [_decode_other(str(epc)) for epc in table["epc"].loc[others]]
    table.loc[others, names] = pd.DataFrame(told, columns=names, index=others)
    return table[COLUMNS]


def normalise_epcs(epcs: Iterable[str]) -> pd.Series:
    """Write codes alike: upper case, no spaces.

    >>> normalise_epcs(["30 aa", "30AA"]).tolist()
    ['30AA', '30AA']
    """
    told = pd.Series(epcs, dtype="object") if not isinstance(epcs, pd.Series) else epcs.reset_index(drop=True)
    codes, names = pd.factorize(told, use_na_sentinel=False)
    alike = pd.Series(["" if pd.isna(name) else "".join(str(name).split()).upper() for name in names], dtype="str")
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
    found = []
    for name, number in zip(gtin, serial, strict=True):
        if len(name) != 14 or not name.isdecimal() or int(name[-1]) != _check_digit(int(name[:-1])):
            raise ValueError(f"gtin {name!r}: 14 digits are needed, the last of which checks the others")
        if not 0 <= number < 1 << 38:
            raise ValueError(f"serial {number!r}: 0 to 2^38 - 1 is needed")
        company, item = int(name[1 : 1 + company_digits]), int(name[0] + name[1 + company_digits : -1])
        bits = (_SGTIN_96 << 6 | filter << 3 | partition) << 44
        bits |= company << 44 - int(_COMPANY_BITS[partition]) | item
        found.append(f"{bits << 38 | int(number):024X}")
    return found


def _check_digit(number: int) -> int:
    """The digit that makes a GTIN's weighted sum a multiple of ten (GS1 General Specifications, section 7.9)."""
    digits = f"{number:013d}"
    return -sum(int(digit) * (3, 1)[place % 2] for place, digit in enumerate(digits)) % 10


def code_problems(epcs: Iterable[str]) -> list[str]:
    """Say for each code, upper case and without spaces, why it is none: empty where it is one."""
    problems = []
    for epc in epcs:
        if not epc:
            problems.append("no code")
        elif wrong := epc.strip("0123456789ABCDEF"):
            problems.append(f"{wrong[0]!r} is no hexadecimal digit")
        elif len(epc) < _DIGITS or len(epc) % 4:
            problems.append(f"{len(epc)} hexadecimal digits, {4 * len(epc)} bits: {_DIGITS} (96 bits) are needed")
        else:
            problems.append("")
    return problems


def _decode_products(epcs: NDArray) -> pd.DataFrame:
    """Decode codes of 24 digits that begin with 30, all at once."""
    high, low = _words(epcs)
    serial = (high & np.uint64(63)) << np.uint64(32) | low
    both = (high >> np.uint64(6)) & np.uint64((1 << 44) - 1)
    partition = ((high >> np.uint64(50)) & np.uint64(7)).astype(int)
    known = partition.clip(max=6)
    shift = (44 - _COMPANY_BITS[known]).astype(np.uint64)
    company, item = (both >> shift).astype(np.int64), (both & ((np.uint64(1) << shift) - np.uint64(1))).astype(np.int64)
    company_digits, item_digits = _COMPANY_DIGITS[known], _ITEM_DIGITS[known]
    problem = np.full(len(epcs), "", dtype=object)
    problem[item >= 10**item_digits] = "the item number has too many digits for its partition"
    problem[company >= 10**company_digits] = "the company's number has too many digits for its partition"
    problem[partition == 7] = "partition 7 does not exist"
    rest = 10 ** (item_digits - 1)
    body = item // rest * 10**12 + company * rest + item % rest  # the item's first digit leads
    digits = body[:, None] // 10 ** np.arange(12, -1, -1) % 10
    check = -(digits * np.array([3, 1] * 6 + [3])).sum(axis=1) % 10
    good = problem == ""
    uris = [
        f"urn:epc:id:sgtin:{one:0{width}d}.{other:0{places}d}.{number}" if fine else ""
        for one, width, other, places, number, fine in zip(
            company, company_digits, item, item_digits, serial, good, strict=True
        )
    ]
    return pd.DataFrame(
        {
            "scheme": np.where(good, "sgtin-96", ""),
            "gtin": [f"{number:014d}" if fine else "" for number, fine in zip(body * 10 + check, good, strict=True)],
            "serial": [str(number) if fine else "" for number, fine in zip(serial, good, strict=True)],
            "filter": np.where(good, (high >> np.uint64(53)) & np.uint64(7), -1).astype(int),
            "uri": uris,
            "problem": problem,
        }
    )


def _words(epcs: NDArray) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The first 64 bits and the last 32 of codes of 24 hexadecimal digits."""
    letters = np.frombuffer("".join(epcs).encode("ascii"), np.uint8).reshape(-1, _DIGITS)
    nibbles = _HEX[letters].astype(np.uint64)

    def word(first: int, last: int) -> NDArray[np.uint64]:
        shifts = np.arange(4 * (last - first - 1), -1, -4, dtype=np.uint64)
        return (nibbles[:, first:last] << shifts).sum(axis=1, dtype=np.uint64)

    return word(0, 16), word(16, _DIGITS)


def _decode_other(epc: str) -> tuple[str, str, str, str, str]:
    """Scheme, gtin, serial, uri and problem of a code of another scheme than SGTIN-96."""
    from epcpy.epc_schemes.sgtin import SGTIN
    from epcpy.utils.common import ConvertException
    from epcpy.utils.parsers import hex_to_tag_encodable

    try:
        tag = hex_to_tag_encodable(epc)
        scheme = tag.tag_uri().split(":")[3]
        serial = tag.epc_uri.rsplit(".", 1)[1] if isinstance(tag, SGTIN) else ""
        return scheme, tag.gtin() if isinstance(tag, SGTIN) else "", serial, tag.epc_uri, ""
    except (ConvertException, ValueError, KeyError, IndexError, AttributeError) as error:
        return "", "", "", "", f"header {epc[:2]}: {error}"
