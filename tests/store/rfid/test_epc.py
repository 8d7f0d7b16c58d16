"""Codes on tags: every one is told, as GS1's standard and another library have it, or why not."""

import pandas as pd
import pytest
from epcpy import hex_to_tag_encodable
from epcpy.epc_schemes.sgtin import SGTIN, SGTINFilterValue
from epcpy.utils.common import ConvertException
from hypothesis import example, given, settings
from hypothesis import strategies as some

from retailkit.store.rfid import decode_epcs, encode_products, normalise_epcs
from retailkit.store.rfid.epc import code_problems

STANDARD = "3074257BF7194E4000001A85"  # the example of GS1's Tag Data Standard
ITEMS = some.integers(0, (1 << 88) - 1).map(lambda bits: f"30{bits:022X}")
HEX = some.text("0123456789ABCDEF", min_size=24, max_size=24)


def partitioned(bits: int, partition: int) -> str:
    """A code of products of a partition: at random, seven in eight have too many digits."""
    return f"{0x30 << 88 | bits & ~(7 << 82) | partition << 82:024X}"


def fitting(company: int, item: int, serial: int, filter: int, partition: int) -> str:
    """A code of products whose numbers fit."""
    bits = (40, 37, 34, 30, 27, 24, 20)[partition]
    both = company % 10 ** (12 - partition) << 44 - bits | item % 10 ** (1 + partition)
    return f"{((0x30 << 3 | filter) << 3 | partition) << 82 | both << 38 | serial:024X}"


FITTING = some.builds(
    fitting,
    some.integers(0, 10**12),
    some.integers(0, 10**7),
    some.integers(0, (1 << 38) - 1),
    some.integers(0, 7),
    some.integers(0, 6),
)


def test_the_example_of_the_standard():
    [row] = decode_epcs([STANDARD]).to_dict("records")
    assert row == {
        "epc": STANDARD, "scheme": "sgtin-96", "gtin": "80614141123458", "serial": "6789", "filter": 3,
        "uri": "urn:epc:id:sgtin:0614141.812345.6789", "problem": "",
    }  # fmt: skip
    assert encode_products(["80614141123458"], [6789], filter=3) == [STANDARD]


def agrees(epc: str) -> bool:
    """Whether a code is told as epcpy tells it, and refused where epcpy refuses it; true where it is one."""
    row = decode_epcs([epc]).iloc[0]
    try:
        tag = SGTIN.from_hex(epc)
    except (ConvertException, KeyError):  # KeyError: partition 7
        assert row["problem"] and (row["gtin"], row["uri"], row["filter"]) == ("", "", -1)
        return False
    assert (row["gtin"], row["uri"], row["problem"]) == (tag.gtin(), tag.epc_uri, "")
    assert row["serial"] == tag.epc_uri.rsplit(".", 1)[1]
    filter = SGTINFilterValue(str(row["filter"]))
    assert tag.hex(binary_coding_scheme=SGTIN.BinaryCodingScheme.SGTIN_96, filter_value=filter) == epc
    return True


@settings(deadline=None, max_examples=100)
@given(some.one_of(ITEMS, some.builds(partitioned, some.integers(0, (1 << 88) - 1), some.integers(0, 7))))
def test_any_bits_are_told_as_another_library_tells_them(epc):
    agrees(epc)


@settings(deadline=None)
@given(FITTING)
@example(fitting(10**12 - 1, 9, (1 << 38) - 1, 7, 0))
@example(fitting(0, 0, 0, 0, 6))
def test_every_code_whose_numbers_fit_is_told(epc):
    assert agrees(epc)


@settings(deadline=None)
@given(FITTING)
def test_codes_are_written_back(epc):
    [row] = decode_epcs([epc]).to_dict("records")
    company = len(row["uri"].split(":")[-1].split(".")[0])
    told = encode_products([row["gtin"]], [int(row["serial"])], company_digits=company, filter=row["filter"])
    assert told == [epc]


@settings(deadline=None)
@given(some.lists(some.tuples(some.integers(0, 10**12 - 1), some.integers(0, (1 << 38) - 1)), max_size=5),
       some.integers(6, 12), some.integers(0, 7))  # fmt: skip
def test_products_are_written_as_another_library_writes_them(products, digits, filter):
    tags = [
        SGTIN.from_gtin_plus_serial(SGTIN(f"urn:epc:id:sgtin:{number:012d}.1.1").gtin(), str(serial), digits)
        for number, serial in products
    ]
    told = encode_products([tag.gtin() for tag in tags], [serial for _, serial in products], digits, filter)
    kind = {
        "binary_coding_scheme": SGTIN.BinaryCodingScheme.SGTIN_96,
        "filter_value": SGTINFilterValue(str(filter)),
    }
    assert told == [tag.hex(**kind) for tag in tags]


@settings(deadline=None, max_examples=50)
@given(some.lists(some.one_of(some.text(max_size=30), HEX, FITTING, some.none(), some.just("30\ud800")), max_size=8))
def test_nothing_is_dropped_and_no_code_breaks_it(told):
    table = decode_epcs(told)
    assert table["epc"].tolist() == list(dict.fromkeys(normalise_epcs(told)))
    assert ((table["problem"] == "") == (table["scheme"] != "")).all()
    assert ((table["problem"] == "") == (table["uri"] != "")).all()
    assert table.index.tolist() == list(range(len(table)))
    assert table.dtypes.equals(decode_epcs([STANDARD]).dtypes)


@settings(deadline=None, max_examples=25)
@given(some.lists(some.one_of(some.text("0123456789ABCDEFabcdef \t", max_size=30), FITTING), max_size=8))
def test_a_code_is_told_the_same_in_any_company(told):
    apart = [decode_epcs([epc]).iloc[0] for epc in dict.fromkeys(normalise_epcs(told))]
    assert decode_epcs(told).to_dict("records") == [dict(row) for row in apart]


@settings(deadline=None)
@given(some.lists(some.one_of(some.text(), some.none(), some.integers()), max_size=6))
def test_codes_are_written_alike(told):
    expected = ["" if epc is None else "".join(str(epc).split()).upper() for epc in told]
    assert normalise_epcs(told).tolist() == expected
    assert normalise_epcs(expected).tolist() == expected


@pytest.mark.parametrize(
    ("epc", "problem"),
    [
        ("", "no code"),
        ("30XY", "'X' is no hexadecimal digit"),
        ("3074257BF7194E4000001A8", "23 hexadecimal digits, 92 bits: 24 (96 bits) are needed"),
        ("3074257BF7194E4000001A85A", "25 hexadecimal digits, 100 bits: 24 (96 bits) are needed"),
        ("301C257BF7194E4000001A85", "partition 7 does not exist"),
        ("3003FFFFFFFFFE4000001A85", "the company's number has too many digits for its partition"),
        ("307400000FFFFFC000001A85", "the item number has too many digits for its partition"),
        ("E2801160600002054CC2096F", "header E2: Unknown header"),
        ("3" * 48, "header 33: "),
    ],
)
def test_what_is_no_code_says_why(epc, problem):
    [row] = decode_epcs([epc]).to_dict("records")
    assert row["problem"].startswith(problem)
    assert (row["scheme"], row["gtin"], row["serial"], row["filter"], row["uri"]) == ("", "", "", -1, "")
    assert row["problem"] == problem or problem.endswith(" ")


@pytest.mark.parametrize(
    ("uri", "scheme", "epc"),
    [
        ("urn:epc:id:sscc:0614141.1234567890", "sscc-96", "3174257BF4499602D2000000"),
        ("urn:epc:id:gid:1.2.3", "gid-96", "350000001000002000000003"),
        ("urn:epc:id:sgtin:0614141.812345.6789", "sgtin-96", STANDARD + "00000000"),  # a longer memory
    ],
)
def test_other_schemes(uri, scheme, epc):
    [row] = decode_epcs([epc]).to_dict("records")
    assert (row["scheme"], row["uri"], row["problem"]) == (scheme, uri, "")


def test_serials_of_letters():
    tag = SGTIN("urn:epc:id:sgtin:0614141.812345.32a%2Fb.c")
    kind = {"binary_coding_scheme": SGTIN.BinaryCodingScheme.SGTIN_198, "filter_value": SGTINFilterValue.INNER_PACK}
    [row] = decode_epcs([tag.hex(**kind)]).to_dict("records")
    assert row["serial"] == "32a/b.c" and row["uri"] == tag.epc_uri
    assert (row["scheme"], row["gtin"], row["filter"]) == ("sgtin-198", "80614141123458", 4)


@settings(deadline=None)
@given(some.integers(0x2C, 0x41).map("{:02X}".format), some.integers(0, (1 << 200) - 1))
def test_codes_of_other_schemes_are_told_as_epcpy_tells_them(header, bits):
    epc = f"{header}{bits:050X}"
    [row] = decode_epcs([epc]).to_dict("records")
    try:
        assert row["uri"] == hex_to_tag_encodable(epc).epc_uri
    except Exception as error:  # whatever it raises must have become a sentence
        assert not isinstance(error, AssertionError)
        assert row["problem"].startswith(f"header {header}: ")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"gtin": ["80614141123459"]}, "gtin '80614141123459': 14 digits"),
        ({"gtin": ["٨٠٦١٤١٤١١٢٣٤٥٨"]}, "14 digits"),
        ({"gtin": ["0614141123452"]}, "14 digits"),
        ({"serial": [1 << 38]}, "serial 274877906944: a whole number from 0"),
        ({"serial": [1.5]}, "serial 1.5"),
        ({"serial": [-1]}, "serial -1"),
        ({"company_digits": 5}, "company_digits is 5"),
        ({"filter": 8}, "filter 8"),
        ({"serial": [1, 2]}, "longer"),
    ],
)
def test_what_does_not_fit_is_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        encode_products(**({"gtin": ["80614141123458"], "serial": [1]} | changed))


def test_many_codes_at_once():
    told = encode_products(["80614141123458"] * 20_000, range(20_000))
    table = decode_epcs(pd.Series([*told, *told[:50]], dtype="category"))
    assert table["serial"].tolist() == [str(number) for number in range(20_000)]
    assert (code_problems(table["epc"]) == "").all() and table["gtin"].eq("80614141123458").all()
