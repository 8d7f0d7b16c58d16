"""Who took what, told as EPCIS 2.0: valid by GS1's schema, named as GS1's hash has it, and read back as it was."""

import copy
import json
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from epcpy.epc_schemes.sgtin import SGTIN, SGTINFilterValue
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from retailkit.store.fusion.epcis import check_epcis, event_id, read_epcis, to_epcis, visit_key, write_epcis
from retailkit.store.rfid import encode_products

STORE = "https://shop.example/stores/12"
TERMS = "https://shop.example/retailkit#"
BERLIN = datetime(2026, 3, 29, 1, 30, tzinfo=ZoneInfo("Europe/Berlin"))  # half an hour before clocks go forward
KEY = b"k" * 16
SOAP, TEA = "80614141123458", "04006381333931"
TAG = encode_products([SOAP], [6789], filter=3)[0]
PRODUCTS = pd.DataFrame({"product": ["soap", "tea"], "gtin": [SOAP, TEA], "price": [1.0, 2.0]})
EVENTS = pd.DataFrame(
    {
        "time": [10.0004, 3605.25, 3700.0, 3700.0],
        "kind": ["take", "return", "take", "take"],
        "cell": ["A 1/ü", "A2", "A2", "A2"],
        "product": ["soap", "soap", "tea", "tea"],
        "item": [TAG, TAG, "seen 3", "seen 4"],
        "shopper": [7, 7, -1, 8],
        "probability": [0.93, 1.0, np.nan, np.nan],
    }
)
RECEIPTS = pd.DataFrame({"shopper": [7.0, 8.0], "product": ["soap", "tea"], "quantity": [1, 2], "item": [TAG, None]})
# of EVENTS and RECEIPTS, computed by another implementation: epcis-event-hash-generator 1.9.3
HASHES = [
    "d805681b7eacdc8682356b87eeda3a3b4381af6def49a7885b1957f1e632b78a",
    "a9a8fb6e28a76850f396e89f8a3dab0aad113be4c4a0b280c7f3522a80386342",
    "b3f8e5552c4faf4037b8114b3cf3886081654d26151447e57724c6d60090cbe7",
    "ef30f2986601736727a7af93296c5c366aa6e1b814503b77906343c59a192bd5",
    "983512514f12b31026101424d61abdf34ccfa1603848f5e661b0b21941484e98",
    "721bfd98f2acbeeb1424225555db8b474d8a77eb82f74283911a66b1825814cf",
]


def told(events=EVENTS, receipts=RECEIPTS, products=PRODUCTS, store=STORE, opened=BERLIN, key=KEY, **more):
    return to_epcis(events, receipts, products, store=store, opened=opened, key=key, **more)


def listed(document) -> list[dict]:
    return document["epcisBody"]["eventList"]


@pytest.fixture(scope="module")
def valid() -> dict:
    return told(created=datetime(2026, 3, 30, tzinfo=UTC))


def test_each_kind_is_told_in_words_of_the_standard(valid):
    take, back, unheard, _, sale, plain = listed(valid)
    assert [one["type"] for one in listed(valid)] == ["ObjectEvent"] * 4 + ["TransactionEvent"] * 2
    assert [one["bizStep"] for one in (take, back, sale)] == ["picking", "stocking", "retail_selling"]
    assert [one["disposition"] for one in (take, back, sale)] == ["in_progress", "sellable_accessible", "retail_sold"]
    assert [one["action"] for one in (take, back, sale)] == ["OBSERVE", "OBSERVE", "ADD"]
    assert take["epcList"] == sale["epcList"] == [f"https://id.gs1.org/01/{SOAP}/21/6789"]
    assert unheard["quantityList"] == [{"epcClass": f"https://id.gs1.org/01/{TEA}", "quantity": 1}]
    assert plain["quantityList"] == [{"epcClass": f"https://id.gs1.org/01/{TEA}", "quantity": 2}]
    assert take["readPoint"] == {"id": f"{STORE}/cells/A%201%2F%C3%BC"} and take["bizLocation"] == {"id": STORE}
    assert back["readPoint"] == back["bizLocation"] == {"id": f"{STORE}/cells/A2"}
    assert "bizLocation" not in sale and sale["eventTime"] == back["eventTime"]
    [receipt] = sale["bizTransactionList"]
    visit = take["retailkit:visit"].removeprefix(f"{STORE}/visits/")
    assert receipt == {"type": "inv", "bizTransaction": f"{STORE}/receipts/{visit}"}
    assert take["retailkit:posterior"] == 0.93 and "retailkit:posterior" not in unheard
    assert "retailkit:visit" not in unheard
    assert valid["@context"][1] == {"retailkit": TERMS}


def test_events_are_valid_by_the_schema_of_gs1(valid, real_data):
    assert check_epcis(valid).empty
    assert check_epcis(told(EVENTS[:0], RECEIPTS[:0])).empty
    assert check_epcis(valid, real_data / "epcis" / "EPCIS-JSON-Schema.json").empty


def test_events_have_the_names_of_the_standard(valid):
    assert [one["eventID"] for one in listed(valid)] == [f"ni:///sha-256;{name}?ver=CBV2.0" for name in HASHES]


def test_a_name_follows_from_all_that_is_told(valid):
    again = json.loads(json.dumps(listed(valid)))
    assert [event_id(one, TERMS) for one in again] == [one["eventID"] for one in listed(valid)]
    for event in again:
        for name in set(event) - {"eventID"}:
            other = event | {name: changed(event[name])}
            assert event_id(other, TERMS) != event["eventID"], name


def changed(value):
    if isinstance(value, dict):
        return {name: changed(one) for name, one in value.items()}
    if isinstance(value, list):
        return [changed(one) for one in value]
    if isinstance(value, str) and value.startswith("2026"):
        return value.replace("2026", "2027")
    return value + "1" if isinstance(value, str) else value / 2


BREACHES = {  # event, what is done to it, where the problem is, what is said of it
    "no such step": (1, {"bizStep": "walking"}, ".bizStep", "'walking' is not"),
    "no such disposition": (0, {"disposition": "eaten"}, ".disposition", "'eaten' is not"),
    "no such action": (0, {"action": "TAKE"}, ".action", "'TAKE' is not one of"),
    "no offset": (2, {"eventTimeZoneOffset": "Z"}, ".eventTimeZoneOffset", "'Z' does not match"),
    "no time zone": (2, {"eventTime": "2026-03-29T01:30:10"}, ".eventTime", "is not a 'date-time'"),
    "no such day": (2, {"eventTime": "2026-02-30T01:30:10Z"}, ".eventTime", "is not a 'date-time'"),
    "a name that is no address": (0, {"epcList": ["a bar of soap"]}, ".epcList[0]", "'a bar of soap' is not a 'uri'"),
    "a field misspelt": (3, {"bizstep": "picking"}, "", "'bizstep' is no field of EPCIS"),
    "nothing that it is about": (2, {"quantityList": []}, "", "should be non-empty"),
    "a quantity in words": (5, {"quantityList": [{"epcClass": "urn:x:y", "quantity": "two"}]},
                            ".quantityList[0].quantity", "'two' is not of type 'number'"),
    "no receipt": (4, {"bizTransactionList": []}, ".bizTransactionList", "should be non-empty"),
}  # fmt: skip


@pytest.mark.parametrize("name", BREACHES)
def test_a_breach_of_the_schema_is_found_where_it_is(name, valid, real_data):
    number, change, where, message = BREACHES[name]
    broken = copy.deepcopy(valid)
    listed(broken)[number] |= change
    problems = check_epcis(broken)
    there = problems[problems["path"] == f"$.epcisBody.eventList[{number}]{where}"]
    assert there["message"].str.contains(message, regex=False).any(), problems.to_string()
    assert problems["path"].str.startswith(f"$.epcisBody.eventList[{number}]").all()
    assert (problems["value"].str.len() <= 80).all()


def test_what_is_missing_is_found(valid, real_data):
    for name in ("@context", "schemaVersion", "creationDate", "epcisBody"):
        problems = check_epcis({key: value for key, value in valid.items() if key != name})
        assert problems["path"].tolist() == ["$"] and name in problems["message"][0]
    assert check_epcis([1])["message"].tolist() == ["[1] is not of type 'object'"]


@pytest.mark.parametrize(
    "form, value, fine",
    [
        ("uri", "https://shop.example/a?b#c", True),
        ("uri", "urn:epc:id:sgtin:0614141.812345.6789", True),
        ("uri", "ni:///sha-256;00?ver=CBV2.0", True),
        ("uri", "retailkit:visit", True),
        ("uri", "visit", False),
        ("uri", "urn:a b", False),
        ("uri", "urn:%zz", False),
        ("uri", "urn:ü", False),
        ("uri", "urn:", False),
        ("date-time", "2026-03-29T01:30:10.000+01:00", True),
        ("date-time", "2026-03-29t01:30:10z", True),
        ("date-time", "2026-03-29 01:30:10Z", False),
        ("date-time", "2026-03-29", False),
        ("date-time", "2026-13-29T01:30:10Z", False),
    ],
)
def test_forms_are_checked(form, value, fine):
    assert check_epcis(value, {"type": "string", "format": form}).empty == fine


def test_a_schema_that_is_absent(house, monkeypatch, valid):
    monkeypatch.delenv("RETAILKIT_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match=r"EPCIS-JSON-Schema.json from GS1 .*RETAILKIT_DATA"):
        check_epcis(valid)
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json"):
        check_epcis(valid, "nowhere.json")


def expected(events, opened=BERLIN):
    """What is read back: times to a millisecond, keys in place of shoppers."""
    keys = [
        None if one in (-1, None) else visit_key(one, store=STORE, opened=opened, key=KEY) for one in events["shopper"]
    ]
    return events.assign(shopper=keys, time=events["time"].astype(float), item=events["item"].str.upper().where(
        ~events["item"].str.startswith("seen"), events["item"]))  # fmt: skip


def check_same(found, wanted):
    for name in ("kind", "cell", "product", "item", "shopper"):
        plain = [[None if pd.isna(one) else one for one in frame[name]] for frame in (found, wanted)]
        assert plain[0] == plain[1], name
    np.testing.assert_allclose(found["time"], wanted["time"], atol=0.000501)
    np.testing.assert_array_equal(found["probability"], wanted["probability"])


def test_events_are_read_back(valid, tmp_path):
    found = read_epcis(write_epcis(tmp_path / "day.jsonld", valid))
    check_same(found, expected(EVENTS))
    assert json.loads((tmp_path / "day.jsonld").read_text(encoding="utf-8")) == valid


def test_numbers_of_products_are_read_back(tmp_path):
    numbers = PRODUCTS.assign(product=[0, 1])
    events, receipts = (
        frame.assign(product=frame["product"].map({"soap": 0, "tea": 1})) for frame in (EVENTS, RECEIPTS)
    )
    found = read_epcis(write_epcis(tmp_path / "day.jsonld", told(events, receipts, numbers)))
    assert found["product"].tolist() == [0, 0, 1, 1]


CELLS = some.text(min_size=1, max_size=8).filter(lambda name: name.strip() and name.isprintable())
SHARES = some.one_of(some.none(), some.floats(0, 1))
ROWS = some.tuples(
    some.floats(-86400, 86400), some.sampled_from(["take", "return"]), CELLS, some.booleans(), some.booleans(),
    some.integers(-1, 5), SHARES,
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=some.lists(ROWS, max_size=6), hours=some.integers(-14 * 4, 14 * 4))
def test_any_small_day_is_valid_and_read_back(rows, hours, tmp_path, real_data):
    """Every item is of its own, as in a store."""
    opened = datetime(2026, 5, 4, 8, tzinfo=timezone(timedelta(minutes=15 * hours)))
    events = pd.DataFrame(rows, columns=["time", "kind", "cell", "soap", "tagged", "shopper", "probability"])
    events = events.assign(product=np.where(events.pop("soap").astype(bool), "soap", "tea"))
    gtin = events["product"].map({"soap": SOAP, "tea": TEA})
    tags = pd.Series(encode_products(gtin, range(len(events))), dtype=object)
    tagged = events.pop("tagged").astype(bool)
    events["item"] = tags.where(tagged, pd.Series([f"seen {n}" for n in range(len(events))], dtype=object)).astype(
        "str"
    )
    events["probability"] = events["probability"].astype(float)
    receipts = events[events["shopper"] >= 0][["shopper", "product", "item"]].assign(quantity=1)
    document = told(events, receipts, opened=opened)
    problems = check_epcis(document)
    assert problems.empty, problems.to_string()
    names = [one["eventID"] for one in listed(document)]
    assert len(set(names)) == len(names) == len(events) + len(receipts)
    check_same(read_epcis(write_epcis(tmp_path / "day.jsonld", document)), expected(events, opened))


@pytest.mark.parametrize(
    "opened, seconds, when",
    [
        (BERLIN, 0, "2026-03-29T01:30:00.000+01:00"),
        (BERLIN, 1799.9994, "2026-03-29T01:59:59.999+01:00"),
        (BERLIN, 1799.9996, "2026-03-29T03:00:00.000+02:00"),  # clocks go forward
        (datetime(2026, 10, 25, 2, tzinfo=ZoneInfo("Europe/Berlin")), 3600, "2026-10-25T02:00:00.000+01:00"),  # back
        (datetime(2026, 7, 1, 8, tzinfo=ZoneInfo("America/New_York")), 0.5, "2026-07-01T08:00:00.500-04:00"),
        (datetime(2026, 7, 1, 8, tzinfo=ZoneInfo("Asia/Kathmandu")), -1, "2026-07-01T07:59:59.000+05:45"),
        (datetime(2026, 7, 1, 8, tzinfo=UTC), 86400, "2026-07-02T08:00:00.000+00:00"),
    ],
)
def test_times_have_the_offset_of_their_own_moment(opened, seconds, when, tmp_path):
    document = told(EVENTS[:1].assign(time=seconds), RECEIPTS[:0], opened=opened)
    [event] = listed(document)
    assert (event["eventTime"], event["eventTimeZoneOffset"]) == (when, when[-6:])
    [time] = read_epcis(write_epcis(tmp_path / "day.jsonld", document))["time"]
    assert time == pytest.approx(seconds, abs=0.000501)


def test_a_sale_is_of_the_last_event_or_of_its_own_time():
    own = told(receipts=RECEIPTS.assign(time=[np.nan, 4000.0]))
    assert [one["eventTime"] for one in listed(own)[4:]] == [
        "2026-03-29T03:30:05.250+02:00",
        "2026-03-29T03:36:40.000+02:00",
    ]


def test_receipts_without_events_have_times_of_their_own(tmp_path, real_data):
    document = told(pd.DataFrame(columns=list(EVENTS)), RECEIPTS.assign(time=60.0, probability=[0.8, None]))
    assert [one["eventTime"] for one in listed(document)] == ["2026-03-29T01:31:00.000+01:00"] * 2
    assert [one.get("retailkit:posterior") for one in listed(document)] == [0.8, None]
    assert check_epcis(document).empty
    assert read_epcis(write_epcis(tmp_path / "day.jsonld", document)).empty


def test_categories_and_other_indices_are_told_alike(valid):
    events = EVENTS.astype(dict.fromkeys(("kind", "cell", "product", "item"), "category")).set_index(EVENTS.index + 9)
    assert listed(told(events, RECEIPTS.set_index(pd.Index(["x", "x"])))) == listed(valid)


def test_what_rounding_adds_is_no_certainty_beyond_certainty():
    sums = EVENTS.assign(probability=1 + 1e-9)
    assert [one["retailkit:posterior"] for one in listed(told(sums))[:4]] == [1.0] * 4


def test_lines_of_a_receipt_that_say_the_same_are_two():
    twice = pd.DataFrame({"shopper": [8, 8, 7], "product": "tea", "quantity": 1})
    sales = listed(told(receipts=twice))[4:]
    assert [one["retailkit:line"] for one in sales] == [1, 2, 1]
    assert len({one["eventID"] for one in sales}) == 3


def test_nobody_is_named():
    names = {7: "Ada Lovelace", 8: "+49 170 1234567", -1: None}
    document = told(EVENTS.assign(shopper=EVENTS["shopper"].map(names)), RECEIPTS.assign(shopper=[names[7], names[8]]))
    text = json.dumps(document)
    assert not any(part in text for part in ("Ada", "Lovelace", "+49", "%2B49", "1234567"))
    keys = [one.get("retailkit:visit") for one in listed(document)]
    assert keys[0] == keys[1] == keys[4] and keys[3] == keys[5] != keys[0] and keys[2] is None
    assert {name for one in listed(document) for name in one if ":" in name} == {
        "retailkit:item", "retailkit:visit", "retailkit:posterior", "retailkit:line",
    }  # fmt: skip


def test_a_key_is_of_one_visit():
    first = visit_key(7, store=STORE, opened=BERLIN, key=KEY)
    assert first == visit_key(7.0, store=STORE, opened=BERLIN.astimezone(UTC), key=KEY)
    others = [
        visit_key(8, store=STORE, opened=BERLIN, key=KEY),
        visit_key(7, store=STORE + "3", opened=BERLIN, key=KEY),
        visit_key(7, store=STORE, opened=BERLIN + timedelta(days=1), key=KEY),
        visit_key(7, store=STORE, opened=BERLIN, key=KEY[:-1] + b"l"),
    ]
    assert len({first, *others}) == 5
    with pytest.raises(ValueError, match="key of 5 bytes: 16 or more"):
        visit_key(7, store=STORE, opened=BERLIN, key=b"12345")


def test_long_tags_have_serial_numbers_with_letters(tmp_path, real_data):
    tag = SGTIN("urn:epc:id:sgtin:0614141.812345.32a%2Fb")
    code = tag.hex(binary_coding_scheme=SGTIN.BinaryCodingScheme.SGTIN_198, filter_value=SGTINFilterValue.POS_ITEM)
    document = told(EVENTS[:1].assign(item=code.lower()), RECEIPTS[:0])
    assert listed(document)[0]["epcList"] == [f"https://id.gs1.org/01/{SOAP}/21/32a%2Fb"]
    assert check_epcis(document).empty
    assert read_epcis(write_epcis(tmp_path / "day.jsonld", document))["item"].tolist() == [code.upper()]


SSCC = "3174257BF4499602D2000000"
WRONG = {
    "no kind": ("events", {"kind": "steal"}, "events, row 1: kind 'steal': take or return"),
    "no time": ("events", {"time": np.nan}, "events, row 1: time nan: seconds"),
    "a time since 1970": ("events", {"time": 1.7e9}, r"time 1700000000.0: seconds since the store opened"),
    "no cell": ("events", {"cell": " "}, "events, row 1: cell ' '"),
    "too sure": ("events", {"probability": 1.5}, "events, row 1: probability 1.5: 0 to 1"),
    "no product": ("events", {"product": "beer"}, "events, row 1: product 'beer': no such product"),
    "no code": ("events", {"item": "30XY"}, "events, row 1: item '30XY': the code of a product's tag"),
    "no item": ("events", {"item": None}, "events, row 1: item (None|nan): a tag's code"),
    "a pallet's tag": ("events", {"item": SSCC}, f"item '{SSCC}': the code of a product's tag"),
    "another product's tag": ("events", {"product": "tea"}, f"item '{TAG}': the tag is of another product"),
    "twice": ("events", {"time": 10.0, "kind": "take", "cell": "A2", "product": "tea", "item": "seen 3", "shopper": 1,
                         "probability": 0.5}, "events, row 2: item 'seen 3': a row before tells the same"),
    "nobody pays": ("receipts", {"shopper": -1}, "receipts, row 1: shopper -1"),
    "half": ("receipts", {"quantity": 0.5}, "receipts, row 1: quantity 0.5: a whole number from 1"),
    "none": ("receipts", {"quantity": 0}, "receipts, row 1: quantity 0: a whole number from 1"),
    "two with one tag": ("receipts", {"quantity": 2}, "receipts, row 1: quantity 2: a tag is on one thing"),
    "not there": ("receipts", {"shopper": 99}, "receipts, row 1: shopper 99: no event tells when they left"),
    "not sold here": ("receipts", {"product": "beer"}, "receipts, row 1: product 'beer': no such product"),
    "short": ("products", {"gtin": "4006381333931"}, "products, row 1: gtin '4006381333931': 14 digits"),
    "check digit": ("products", {"gtin": "80614141123459"}, "products, row 1: gtin '80614141123459': 14 digits"),
    "the same twice": ("products", {"gtin": SOAP}, f"products, row 2: gtin '{SOAP}': the same as in a row before"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_told_is_quoted(name):
    table, change, message = WRONG[name]
    frames = {"events": EVENTS, "receipts": RECEIPTS, "products": PRODUCTS}
    whole = name in ("twice", "the same twice")
    frame = frames[table].astype(object) if not whole else frames[table].assign(**change)
    if not whole:
        for column, value in change.items():
            frame.loc[0, column] = value
    with pytest.raises(ValueError, match=message):
        told(**frames | {table: frame})


@pytest.mark.parametrize(
    "change, message",
    [
        ({"events": EVENTS.drop(columns="cell")}, "events has no cell; it has time, kind"),
        ({"receipts": pd.DataFrame()}, "receipts has no shopper and product and quantity; it has no columns"),
        ({"store": "shop 12"}, "store 'shop 12': an address like https"),
        ({"store": "urn:shop:12"}, "store 'urn:shop:12'"),
        ({"store": STORE + "/"}, "stores/12/': an address"),
        ({"store": STORE + "?a=1"}, "an address"),
        ({"opened": datetime(2026, 3, 29)}, "opened 2026-03-29 00:00:00: a time zone is needed"),
        ({"opened": datetime(1890, 1, 1, tzinfo=ZoneInfo("Europe/Berlin"))}, "in whole minutes"),
        ({"created": datetime(2026, 3, 29)}, "created 2026-03-29 00:00:00: a time zone"),
        ({"key": b"short"}, "key of 5 bytes"),
    ],
)
def test_what_is_needed_is_said(change, message):
    with pytest.raises(ValueError, match=message):
        told(**change)


def test_files_that_are_no_documents(tmp_path, valid):
    file = tmp_path / "day.jsonld"
    for text in ("", "[1]", "{}", '{"retailkit:opened": 5}'):
        file.write_text(text)
        with pytest.raises(ValueError, match=r"day\.jsonld: .*an EPCIS document that write_epcis wrote is needed"):
            read_epcis(file)
    foreign = copy.deepcopy(valid)
    listed(foreign)[1]["bizStep"] = "shipping"
    with pytest.raises(ValueError, match=r"day\.jsonld, event 2: KeyError.'shipping'"):
        read_epcis(write_epcis(file, foreign))
    listed(foreign)[1] = "a return"
    with pytest.raises(ValueError, match=r"day\.jsonld, event 2"):
        read_epcis(write_epcis(file, foreign))


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=5) | some.just("picking"),
    lambda part: some.lists(part, max_size=2) | some.dictionaries(some.text(max_size=5), part, max_size=2),
    max_leaves=4,
)
PLACES = [(), ("retailkit:opened",), ("epcisHeader",), ("epcisHeader", "epcisMasterData", "vocabularyList")]
PLACES += [("epcisHeader", "epcisMasterData", "vocabularyList", 0, "vocabularyElementList", 0), ("epcisBody",)]
PLACES += [("epcisBody", "eventList"), *(("epcisBody", "eventList", 0, name) for name in listed(told())[0])]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=some.sampled_from(PLACES), what=JSON)
def test_a_file_with_anything_in_it_is_read_or_refused(where, what, tmp_path, valid):
    document = {"all": copy.deepcopy(valid)}
    part, last = document, "all"
    for name in where:
        part, last = part[last], name
    part[last] = what
    file = tmp_path / "day.jsonld"
    file.write_text(json.dumps(document["all"]))
    try:
        found = read_epcis(file)
    except ValueError as error:
        assert "day.jsonld" in str(error) and "write_epcis" in str(error)
    else:
        assert set(found["kind"]) <= {"take", "return"} and found["time"].dtype == float


def test_numbers_that_json_has_not_are_not_written(tmp_path, valid):
    broken = copy.deepcopy(valid)
    listed(broken)[0]["retailkit:posterior"] = np.nan
    with pytest.raises(ValueError, match="JSON compliant"):
        write_epcis(tmp_path / "day.jsonld", broken)


def test_ten_thousand_events_are_a_line_each(tmp_path):
    number = np.arange(10_000)
    events = pd.DataFrame(
        {"time": number * 4.0, "kind": "take", "cell": "A1", "product": "soap", "shopper": number // 5}
    )
    events = events.assign(item=encode_products([SOAP] * len(number), number), probability=0.9)
    receipts = events[["shopper", "product", "item"]].assign(quantity=1)
    document = told(events, receipts)
    file = write_epcis(tmp_path / "day.jsonld", document)
    lines = file.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 20_002 and json.loads(lines[1].rstrip(",")) == listed(document)[0]
    found = read_epcis(file)
    assert len(found) == 10_000 and found["shopper"].nunique() == 2_000
    assert len({one["eventID"] for one in listed(document)}) == 20_000
