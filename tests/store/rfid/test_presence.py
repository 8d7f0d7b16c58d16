"""Presence: each read is in one bin, as pandas counts them, and silence is told apart from a reader that is off."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from retailkit.store.rfid.presence import find_presence, order_by

READS = some.lists(
    some.fixed_dictionaries(
        {
            "time": some.integers(-3000, 8000).map(lambda milliseconds: milliseconds / 1000),
            "epc": some.sampled_from("abcd"),
            "antenna": some.integers(0, 3),
            "rssi": some.one_of(some.floats(-80, -30), some.just(np.nan)),
        }
    ),
    min_size=1,
    max_size=30,
)


def reads_of(rows) -> pd.DataFrame:
    """A reads frame by time, of tags a to d, of which some may be unread."""
    table = pd.DataFrame(rows, columns=["time", "epc", "antenna", "rssi"]).sort_values("time", kind="stable")
    return table.astype({"epc": pd.CategoricalDtype(list("abcd")), "rssi": float}).reset_index(drop=True)


def at_random(reads: int, tags: int, antennas: int, seconds: float, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, tags, reads)
    return pd.DataFrame(
        {
            "time": np.sort(rng.uniform(0, seconds, reads)),
            "epc": pd.Categorical.from_codes(codes, [f"{tag:05d}" for tag in range(tags)]),
            "antenna": rng.integers(1, antennas + 1, reads),
            "rssi": rng.normal(-60, 5, reads),
        }
    )


def by_pandas(reads: pd.DataFrame, start: float, bin: float) -> pd.DataFrame:
    """The same counts, the plain way."""
    table = reads.assign(bin=np.floor((reads["time"] - start) / bin).astype(int))
    groups = table.groupby(["epc", "antenna", "bin"], observed=True)["rssi"]
    return groups.agg(reads="size", rssi="mean", strongest="max").reset_index()


def same(presence, reads: pd.DataFrame) -> bool:
    expected = by_pandas(reads, presence.start, presence.width)
    pd.testing.assert_frame_equal(presence.table, expected, check_dtype=False, rtol=1e-5)
    return True


@settings(deadline=None)
@given(READS, some.sampled_from([0.1, 0.3, 0.5, 1.0, 20.0]))
def test_counts_are_those_of_pandas(rows, bin):
    reads = reads_of(rows)
    presence = find_presence(reads, bin=bin)
    assert same(presence, reads)
    assert presence.outside == 0 and presence.table["reads"].sum() == len(reads)
    assert presence.table["bin"].between(0, presence.bins - 1).all()
    assert presence.table["bin"].min() <= 1 and presence.table["bin"].max() == presence.bins - 1  # none too many


@settings(deadline=None)
@given(READS, some.randoms())
def test_the_order_of_rows_does_not_matter(rows, shuffle):
    reads = reads_of(rows)
    presence = find_presence(reads)
    places = list(range(len(reads)))
    shuffle.shuffle(places)
    again = find_presence(reads.iloc[places])
    pd.testing.assert_frame_equal(again.table, presence.table, rtol=1e-6)
    np.testing.assert_array_equal(again.listening, presence.listening)


@settings(deadline=None)
@given(READS, some.floats(-2, 3), some.floats(0.1, 5))
def test_what_lies_outside_is_counted(rows, start, seconds):
    reads = reads_of(rows)
    presence = find_presence(reads, start=start, end=start + seconds)
    assert presence.table["reads"].sum() + presence.outside == len(reads)
    assert presence.start == start and presence.bins * 0.5 >= seconds - 1e-5
    last = start + presence.bins * 0.5
    assert presence.outside == pytest.approx((~reads["time"].between(start, last, inclusive="left")).sum(), abs=1)


@settings(deadline=None)
@given(READS)
def test_spread_out_it_is_the_same(rows):
    presence = find_presence(reads_of(rows), antennas=range(5))
    for tag in "abcd":
        dense = presence.dense(tag)
        assert all(part.shape == (presence.bins, 5) for part in dense)
        own = presence.table[presence.table["epc"] == tag]
        assert dense.reads.sum() == own["reads"].sum() and (dense.reads > 0).sum() == len(own)
        for row in own.itertuples():
            told = [part[row.bin, row.antenna] for part in dense]
            np.testing.assert_array_equal(told, [row.reads, row.rssi, row.strongest])
        assert np.isnan(dense.rssi[dense.reads == 0]).all() and np.isnan(dense.strongest[dense.reads == 0]).all()


def test_a_tag_is_silent_while_its_antenna_listens():
    times = np.arange(0.05, 3, 0.1)  # antenna 1 hears b all the time; a is away in the middle; antenna 2 stops at 1 s
    there = times[(times < 1) | (times > 2)]
    rows = [(time, "b", 1, -60.0) for time in times] + [(time, "a", 1, -50.0) for time in there]
    rows += [(time, "d", 2, -70.0) for time in times[times < 1]]
    presence = find_presence(reads_of(rows), antennas=[1, 2, 3])
    assert presence.dense("a").reads[:, 0].tolist() == [5, 5, 0, 0, 5, 5]
    assert presence.dense("c").reads.sum() == 0  # never read, but there
    np.testing.assert_allclose(presence.listening, [[1, 1, 0]] * 2 + [[1, 0, 0]] * 4)
    assert presence.silent == [3]
    assert presence.times.tolist() == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]


def test_an_antenna_that_takes_turns_listens_in_part():
    rng = np.random.default_rng(3)
    times = np.sort(rng.uniform(0, 60, 12_000))
    turn = np.floor(times / 0.2).astype(int) % 2  # two antennas in turn, 0.2 s each
    presence = find_presence(
        reads_of([(time, "a", one, -60.0) for time, one in zip(times, turn, strict=True)]), bin=0.4
    )
    np.testing.assert_allclose(presence.listening.mean(axis=0), [0.5, 0.5], atol=0.13)  # a part may straddle two turns
    assert presence.listening.max() <= 0.6 + 1e-6


def test_the_least_number_of_bins_is_where_clocks_meet():
    early, late = (find_presence(reads_of([(time, "a", 1, -60.0)])) for time in (1_450_000_000.3, 1_450_000_007.9))
    assert (late.start - early.start) % 0.5 == 0 and early.bins == late.bins == 1


@pytest.mark.parametrize(("tags", "antennas"), [(3, 2), (300, 8), (20_000, 16)])  # the last beyond 16 bits
def test_many_tags(tags, antennas):
    reads = at_random(20_000, tags, antennas, 30)
    assert same(find_presence(reads), reads)


@settings(deadline=None)
@given(some.lists(some.integers(0, 2**40)), some.sampled_from([np.int64, np.uint64]))
def test_whole_numbers_are_sorted_and_ties_keep_their_order(numbers, kind):
    key = np.array(numbers, dtype=kind)
    np.testing.assert_array_equal(order_by(key), np.argsort(key, kind="stable"))


ONE = reads_of([(1.0, "a", 1, -60.0)])


@pytest.mark.parametrize(
    ("reads", "settings", "message"),
    [
        (ONE.drop(columns="rssi"), {}, "no column rssi; they have time, epc, antenna"),
        (ONE.assign(time=np.nan), {}, "time of row 1 is nan; check_reads"),
        (ONE.assign(epc=pd.Categorical([None], list("ab"))), {}, "epc of row 1 is nan"),
        (ONE, {"bin": 0}, "bin is 0: a number of seconds above 0"),
        (ONE, {"bin": np.nan}, "bin is nan"),
        (ONE, {"antennas": [2, 3]}, "antenna 1 is none of 2, 3"),
        (ONE, {"start": 5.0}, "there are -7 bins of 0.5 s"),
        (ONE, {"start": 5.0, "end": 5.0}, "there are 0 bins"),
        (ONE, {"start": -1e9}, "2000000003 bins of 0.5 s for 1 antennas: 1 to 200000000"),
    ],
)
def test_what_cannot_be_binned_is_refused(reads, settings, message):
    with pytest.raises(ValueError, match=message):
        find_presence(reads, **settings)


def test_unknown_tags_are_refused():
    with pytest.raises(ValueError, match="tag 'x' is none of the 4"):
        find_presence(ONE).dense("x")


def test_no_reads_fill_no_bins():
    none = ONE.iloc[:0]
    assert find_presence(none).bins == 0 and not len(find_presence(none).table)
    presence = find_presence(none, start=0, end=10, antennas=[1, 2])
    assert presence.dense("a").reads.shape == (20, 2) and presence.silent == [1, 2]


def test_memory_stays_within_a_few_times_the_reads():
    import tracemalloc

    reads = at_random(300_000, 500, 8, 1500)
    tracemalloc.start()
    presence = find_presence(reads)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert presence.table["reads"].sum() == len(reads)
    assert peak < 5 * reads.memory_usage().sum()


def test_the_real_walks(real_data):
    raw = pd.read_csv(real_data / "rfid_detego" / "dataset.csv")
    walk = raw[raw["experiment_nr"] == raw["experiment_nr"].iloc[0]].astype({"epc": "category"})
    reads = walk.assign(time=walk["milliseconds"] / 1000, antenna=1).sort_values("time", kind="stable")
    presence = find_presence(reads)
    assert same(presence, reads[["time", "epc", "antenna", "rssi"]])
    walking = presence.listening[:, 0] > 0
    assert walking.mean() > 0.9  # a handheld reader hears something nearly all the time
