"""Reads at the door: each row is kept or set aside with a reason, once; what is kept is in order and stays so."""

import csv
import json
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from retailkit.store.rfid import check_reads, count_problems, encode_products, read_llrp
from retailkit.store.rfid.clocks import _compiled_patience, _longest_rise, _patience
from retailkit.store.rfid.reads import COLUMNS

TAGS = encode_products(["80614141123458"] * 3, range(3), filter=3)
IMPINJ = {
    "AntennaID": 2, "ChannelIndex": 7, "EPC-96": TAGS[0], "FirstSeenTimestampUTC": 1_450_000_000_250_000,
    "LastSeenTimestampUTC": 1_450_000_000_250_000, "ImpinjPeakRSSI": -6850, "ImpinjRFPhaseAngle": 2624,
    "ImpinjRFDopplerFrequency": 3984, "PeakRSSI": -68, "TagSeenCount": 1,
}  # fmt: skip
READ = {
    "time": 1_450_000_000.25,
    "epc": TAGS[0],
    "antenna": 2,
    "channel": 7,
    "rssi": -68.5,
    "phase": 2624 * np.pi / 2048,
}
STRANGE = [np.nan, np.inf, -np.inf, -1.0, 0.5, 1e9, -1e300]


def recorded(times, epc=TAGS[0], antenna=1, **others) -> pd.DataFrame:
    """Reads at moments, all of one tag and antenna where nothing else is told."""
    return pd.DataFrame({"time": times, "epc": epc, "antenna": antenna, **others})


def problems(wrong: pd.DataFrame) -> dict[int, str]:
    return dict(zip(wrong["row"], wrong["problem"].astype(str), strict=True))


# --- files


def written(tmp_path, rows, form) -> pd.DataFrame:
    """What is read of records that were written in one form."""
    path = tmp_path / f"reads.{form.split()[0]}"
    if form == "csv":
        pd.DataFrame(rows).to_csv(path, index=False)
    else:
        lines = [json.dumps(row) for row in rows]
        path.write_text(f"[{', '.join(lines)}]" if form == "json array" else "\n".join(lines) + "\n\n")
    return read_llrp(path)


@pytest.mark.parametrize("form", ["csv", "json array", "json lines"])
@pytest.mark.parametrize("row", [IMPINJ, READ], ids=["a reader's names", "ours"])
def test_a_record_is_read_in_our_units(tmp_path, row, form):
    told = written(tmp_path, [row, row], form)
    assert list(told) == COLUMNS and len(told) == 2
    [record, _] = told.to_dict("records")
    assert record == pytest.approx(READ)
    reads, wrong = check_reads(told)
    assert len(reads) == 1 and problems(wrong) == {2: "a second read of this tag, antenna and moment"}


@pytest.mark.parametrize("form", ["csv", "json array", "json lines"])
def test_what_a_file_does_not_tell_is_unknown(tmp_path, form):
    rows = [{"EPC": TAGS[0], "FirstSeenTimestampUTC": 2_000_000}, {"EPC": TAGS[1], "FirstSeenTimestampUTC": 1_000_000}]
    reads, wrong = check_reads(written(tmp_path, rows, form).iloc[::-1])
    assert reads["time"].tolist() == [1.0, 2.0] and not len(wrong)
    assert reads[["antenna", "channel"]].eq(0).all(axis=None) and reads[["rssi", "phase"]].isna().all(axis=None)


def test_the_coarser_name_stands_in_where_the_finer_is_missing(tmp_path):
    rows = [{name: value for name, value in IMPINJ.items() if name != "ImpinjPeakRSSI"}, IMPINJ]
    assert written(tmp_path, rows, "json lines")["rssi"].tolist() == [-68.0, -68.5]


@pytest.mark.parametrize("form", ["csv", "json array"])
def test_words_in_place_of_numbers_are_set_aside_and_quoted(tmp_path, form):
    rows = [IMPINJ, *({**IMPINJ, name: "loud"} for name in ("PeakRSSI", "ImpinjPeakRSSI", "AntennaID", "ChannelIndex"))]
    rows += [{**IMPINJ, "FirstSeenTimestampUTC": "noon"}, {**IMPINJ, "ImpinjRFPhaseAngle": "loud"}]
    rows[1]["FirstSeenTimestampUTC"] += 1  # its PeakRSSI is not needed
    reads, wrong = check_reads(written(tmp_path, rows, form))
    assert len(reads) == 2
    names = {3: "rssi 'loud'", 4: "antenna 'loud'", 5: "channel 'loud'", 6: "time 'noon'", 7: "phase 'loud'"}
    assert problems(wrong) == {row: f"{name} is no number" for row, name in names.items()}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "epc,antenna\n30,1\n", "no column for time; it has epc, antenna. Known names are EPC-96"),
        ("a.csv", "", "a.csv: No columns"),
        ("a.csv", "time,epc\n1,30,7\n", "a.csv: .*as many values in each row"),
        ("a.csv", "time,epc\n1,30\n2,30,7,8\n", "a.csv: .*line 3"),
        ("a.json", '[{"time": 1}', "a.json: .*a JSON array, or a JSON object in each line"),
        ("a.json", '{"time": 1, "epc": "30"}\n{"time": 2,\n', "line 2"),
        ("a.json", '[{"time": 1, "epc": "30"}, 7]', "record 2: '7' is no object"),
        ("a.json", "7", "record 1: '7' is no object"),
        ("a.json", "[" * 100_000, "a.json: "),
        ("a.json", "[]", "no column for time and epc"),
    ],
)
def test_files_that_are_none_say_so(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        read_llrp(tmp_path / name)


def test_letters_of_another_code_page_are_refused(tmp_path):
    for name in ("a.csv", "a.json"):
        (tmp_path / name).write_bytes(b"time,epc\n1,30\xff\n")
        with pytest.raises(ValueError, match=name):
            read_llrp(tmp_path / name)


ANYTHING = some.one_of(
    some.none(), some.booleans(), some.floats(), some.integers(), some.text(max_size=8), some.just("\ud800"),
    some.lists(some.integers(), max_size=2), some.dictionaries(some.text(max_size=2), some.integers(), max_size=2),
    some.just(10**400), some.sampled_from(TAGS),
)  # fmt: skip


@settings(deadline=None, max_examples=50)
@given(some.lists(some.dictionaries(some.sampled_from([*IMPINJ, *READ, "other"]), ANYTHING), min_size=1, max_size=6),
       some.booleans())  # fmt: skip
def test_no_record_breaks_the_reader_and_none_is_lost(tmp_path_factory, rows, array):
    path = tmp_path_factory.mktemp("records") / "reads.json"
    lines = [json.dumps(row) for row in [{**IMPINJ, **rows[0]}, *rows]]
    path.write_text(f"[{','.join(lines)}]" if array else "\n".join(lines))
    each_row_is_told_once(read_llrp(path))


CELLS = some.one_of(some.sampled_from(["", "1", "-60", "nan", "inf", "1e400", *TAGS]), some.text(max_size=6))


@settings(deadline=None, max_examples=40)
@given(some.lists(some.lists(CELLS, min_size=5, max_size=5), min_size=1, max_size=6))
def test_no_cell_of_a_table_breaks_the_reader_and_none_is_lost(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("tables") / "reads.csv"
    table = pd.DataFrame(
        [["9", TAGS[0], "1", "2", "-60"], *rows], columns=["time", "epc", "AntennaID", "phase", "rssi"]
    )
    table.to_csv(path, index=False, quoting=csv.QUOTE_ALL)
    told = read_llrp(path)
    assert len(told) == len(table)
    each_row_is_told_once(told)


@settings(deadline=None, max_examples=60)
@given(some.text(max_size=60).map(lambda text: f"time,epc\n{text}"), some.sampled_from(["a.csv", "a.json"]))
def test_any_text_is_read_or_refused_by_name(tmp_path_factory, text, name):
    path = tmp_path_factory.mktemp("texts") / name
    path.write_bytes(text.encode())
    try:
        told = read_llrp(path)
    except ValueError as error:
        assert str(path) in str(error)
    else:
        each_row_is_told_once(told)


# --- checks


def each_row_is_told_once(raw: pd.DataFrame, **limits) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Check reads, and that what the function promises holds."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reads, wrong = check_reads(raw, **limits)
    assert len(reads) + len(wrong) == len(raw)
    assert wrong["row"].is_unique and wrong["row"].is_monotonic_increasing and wrong["row"].between(1, len(raw)).all()
    assert reads["time"].is_monotonic_increasing and np.isfinite(reads["time"]).all()
    assert not reads.duplicated(["time", "epc", "antenna"]).any() and wrong["problem"].notna().all()
    assert list(reads) == COLUMNS and reads[["epc", "antenna", "channel"]].notna().all(axis=None)
    assert ((reads["phase"] >= 0) & (reads["phase"] < np.float32(2 * np.pi)) | reads["phase"].isna()).all()
    assert count_problems(wrong)["reads"].sum() == len(wrong)
    again, nothing = check_reads(reads, **limits)
    pd.testing.assert_frame_equal(again, reads)
    assert not len(nothing)
    return reads, wrong


def one_of_many(usual, *strange):
    """Mostly what is usual."""
    return some.one_of(usual, usual, usual, some.sampled_from(strange))


RAW = some.lists(
    some.fixed_dictionaries(
        {
            "time": one_of_many(some.floats(0, 5), *STRANGE),
            "epc": one_of_many(some.sampled_from(TAGS), None, "", "30XY", "31XA", TAGS[0].lower(), f" {TAGS[1]}", "30"),
            "antenna": one_of_many(some.integers(1, 3), *STRANGE),
            "channel": one_of_many(some.integers(1, 50), *STRANGE),
            "rssi": one_of_many(some.floats(-80, -30), *STRANGE),
            "phase": one_of_many(some.floats(0, 7), *STRANGE),
        }
    ),
    max_size=20,
)


@settings(deadline=None, max_examples=80)
@given(RAW, some.booleans(), some.one_of(some.none(), some.sets(some.integers(1, 3), min_size=1)))
def test_each_read_is_kept_or_set_aside_once(rows, as_category, antennas):
    raw = pd.DataFrame(rows, columns=COLUMNS).astype({name: float for name in COLUMNS if name != "epc"})
    reads, wrong = each_row_is_told_once(raw.astype({"epc": "category"}) if as_category else raw, antennas=antennas)
    # rows that are kept are those that were recorded, but for how codes and phases are written
    left = raw.drop(index=wrong["row"] - 1).sort_values("time", kind="stable")
    assert reads["time"].tolist() == left["time"].tolist()
    assert reads["epc"].tolist() == ["".join(epc.split()).upper() for epc in left["epc"]]
    np.testing.assert_allclose(reads["rssi"], left["rssi"], rtol=1e-6)
    assert antennas is None or set(reads["antenna"]) <= antennas


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"time": np.nan}, "no time"),
        ({"time": np.inf}, "no time"),
        ({"epc": None}, "no code"),
        ({"epc": ""}, "no code"),
        ({"epc": "30XY"}, "'X' is no hexadecimal digit"),
        ({"epc": TAGS[0][:-1]}, "23 hexadecimal digits, 92 bits: 24 (96 bits) are needed"),
        ({"antenna": 9}, "antenna 9: there are 1, 2"),
        ({"antenna": np.nan}, "no antenna"),
        ({"antenna": 1.5}, "antenna is no whole number from 0 to 32767"),
        ({"antenna": 65537}, "antenna is no whole number from 0 to 32767"),
        ({"antenna": np.inf}, "antenna is no whole number from 0 to 32767"),
        ({"channel": -1}, "channel is no whole number from 0 to 32767"),
        ({"rssi": 3.0}, "an rssi outside of -110 to 0 dBm"),
        ({"rssi": -111.0}, "an rssi outside of -110 to 0 dBm"),
        ({"rssi": np.inf}, "an rssi outside of -110 to 0 dBm"),
        ({"phase": -np.inf}, "a phase without end"),
        ({"rssi": np.nan, "phase": np.nan, "channel": np.nan}, ""),
        ({"rssi": -110.0, "epc": TAGS[0].lower()}, ""),
        ({"rssi": 0.0, "epc": TAGS[0][:4] + " " + TAGS[0][4:]}, ""),
    ],
)
@pytest.mark.parametrize("as_category", [False, True])
def test_one_strange_read_among_good_ones(changed, problem, as_category):
    raw = pd.DataFrame([READ | {"time": float(second), **(changed if second == 3 else {})} for second in range(6)])
    raw = raw.assign(time=raw["time"].where(raw.index != 3, changed.get("time", 3.0)))
    reads, wrong = each_row_is_told_once(raw.astype({"epc": "category"}) if as_category else raw, antennas=[1, 2])
    assert problems(wrong) == ({4: problem} if problem else {})
    assert set(reads["epc"].cat.categories) == {TAGS[0]}


def test_phases_lie_within_one_turn():
    told = [-1e-20, np.nextafter(2 * np.pi, 0), 2 * np.pi, -np.pi / 2, 7.0, np.nan]
    reads, _ = each_row_is_told_once(recorded(np.arange(6.0), phase=told))
    np.testing.assert_allclose(reads["phase"], [0, 0, 0, 1.5 * np.pi, 7 - 2 * np.pi, np.nan], rtol=1e-6)


def test_codes_that_are_wrong_alike_are_one_problem():
    raw = recorded(np.arange(4.0), epc=["30XY", "31XA", "30XY", TAGS[0]])
    told = count_problems(each_row_is_told_once(raw)[1]).to_dict("records")
    assert told == [{"problem": "'X' is no hexadecimal digit", "reads": 3, "tags": 2, "first_row": 1}]


@pytest.mark.parametrize(
    ("jumps", "out"),
    [
        ({}, []),
        ({5: +0.9, 6: -0.9}, []),  # a bunch in any order
        ({50: +1e6}, [50]),
        ({50: -1e6}, [50]),
        ({0: +1e6}, [0]),
        ({0: -1e6}, []),  # nothing tells that it is wrong
        ({10: +1e6, 90: -1e6}, [10, 90]),
        ({10: -1e6, 90: +1e6}, [10, 90]),
        ({10: +30.0, 11: +30.0, 40: -20.0, 80: +1e9}, [10, 11, 40, 80]),
    ],
)
def test_clocks_that_step_and_come_back(jumps, out):
    times = np.arange(100.0)
    for row, jump in jumps.items():
        times[row] += jump
    reads, wrong = each_row_is_told_once(recorded(times))
    assert problems(wrong) == {row + 1: "the clock steps by over 1 s and back" for row in out}
    assert len(reads) == 100 - len(out)


def test_a_clock_that_is_set_back_for_good_costs_what_overlaps():
    times = np.concatenate([np.arange(0, 100.0), np.arange(60.5, 160)])
    assert len(each_row_is_told_once(recorded(times))[1]) == pytest.approx(40, abs=3)


@settings(deadline=None)
@given(some.lists(some.integers(0, 8), max_size=10))
def test_the_longest_rise_is_the_longest(values):
    told = np.array(values, dtype=float)
    rows = _longest_rise(told)
    assert (np.diff(rows) > 0).all() and (np.diff(told[rows]) >= 0).all()
    longest = [0] * len(values)
    for row, value in enumerate(values):  # the plain way, by all pairs
        longest[row] = 1 + max((longest[before] for before in range(row) if values[before] <= value), default=0)
    assert len(rows) == max(longest, default=0)


def test_the_compiled_rise_is_the_same():
    values = np.random.default_rng(0).normal(size=500).cumsum()
    np.testing.assert_array_equal(_compiled_patience()(values), _patience(values))


def test_repeats_are_those_of_pandas():
    rng = np.random.default_rng(1)
    raw = recorded(rng.integers(0, 300, 2000) / 1000, rng.choice(TAGS, 2000), rng.integers(1, 3, 2000))
    reads, wrong = each_row_is_told_once(raw)
    again = raw.duplicated(["time", "epc", "antenna"])
    assert wrong["row"].tolist() == (np.flatnonzero(again) + 1).tolist() and len(reads) == (~again).sum()
    assert set(wrong["problem"]) == {"a second read of this tag, antenna and moment"}


def test_another_antenna_at_the_same_moment_is_no_repeat():
    assert len(each_row_is_told_once(recorded([1.0, 1.0], antenna=[1, 2]))[0]) == 2


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (recorded([1.0]).drop(columns="epc"), "no column epc; they have time, antenna"),
        (recorded(pd.to_datetime(["2026-01-01"])), "time holds datetime64.*numbers are needed"),
    ],
)
def test_frames_that_are_none_are_refused(raw, message):
    with pytest.raises(ValueError, match=message):
        check_reads(raw)


def test_no_reads_are_no_problem():
    reads, wrong = each_row_is_told_once(recorded(np.empty(0), epc=pd.Series(dtype="str")))
    assert len(reads) == len(wrong) == 0


def many(reads: int) -> pd.DataFrame:
    """Reads of one tag on one antenna, 200 a second."""
    epc = pd.Categorical.from_codes(np.zeros(reads, dtype=np.int8), TAGS[:1])
    small = {"antenna": np.ones(reads, np.int16), "channel": np.ones(reads, np.int16)}
    return pd.DataFrame({"time": np.arange(reads) / 200, "epc": epc, **small, "rssi": np.full(reads, -60, np.float32)})


@pytest.mark.parametrize("reads", [100_000, pytest.param(10_000_000, marks=pytest.mark.slow)])
def test_very_many_reads_of_one_tag(reads):
    import tracemalloc

    raw = many(reads)
    raw.loc[[10, reads // 2], "time"] += [1e6, -1e6]
    tracemalloc.start()
    kept, wrong = check_reads(raw, antennas=[1])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(kept) == reads - 2 and wrong["row"].tolist() == [11, reads // 2 + 1]
    if reads > 1_000_000:  # beside which the compiler's memory is nothing
        assert peak < 5 * kept.memory_usage().sum()


def test_the_real_reads_are_in_order(real_data):
    raw = pd.read_csv(real_data / "rfid_detego" / "dataset.csv", nrows=5000)
    names = pd.Series(encode_products(["80614141123458"] * 5000, range(5000)))
    epc = raw["epc"].astype("category").cat.codes.map(names)
    reads, wrong = each_row_is_told_once(recorded(raw["milliseconds"] / 1000, epc, rssi=raw["rssi"]))
    assert len(wrong) < 50 and set(wrong["problem"]) <= {"a second read of this tag, antenna and moment"}
    assert reads["rssi"].between(-90, -30).all()
