"""Tags are matched with whom they move like: parts against references, the whole on people of known truth."""

from itertools import pairwise, product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import linear_sum_assignment

from retailkit.datasets.tagged_people import read_tagged_people
from retailkit.store.rfid import speeds, whose
from retailkit.store.rfid.chance import best_gains, turned_gains
from retailkit.store.rfid.whose import match_tags, radial_speed, score_tracks

ANTENNA = (4.5, 0.0)
WAVE = 0.328  # metres


def walkers(seed: int, people: int, seconds: float = 45) -> pd.DataFrame:
    """People who wander before the antenna, thirty times a second."""
    time = np.arange(0, seconds, 1 / 30)
    place = gaussian_filter1d(np.random.default_rng(seed).normal(size=(people, 2, len(time))), 36, axis=2)
    place /= place.std(axis=2, keepdims=True)
    paths = [
        pd.DataFrame({"visit": p, "time": time, "x": 4.5 + x / 2, "y": 2.8 + 0.7 * y}) for p, (x, y) in enumerate(place)
    ]
    return pd.concat(paths, ignore_index=True)


def reads_of(path: pd.DataFrame, epc: str = "A", ahead: float = 1.2, seed: int = 0, rate: float = 12) -> pd.DataFrame:
    """What a reader whose clock is behind says of a tag: differences of noisy phase, which turns round."""
    rng = np.random.default_rng(seed)
    first, last = path["time"].min(), path["time"].max()
    time = np.sort(rng.uniform(first, last, int(rate * (last - first))))
    way = np.interp(time, path["time"], np.hypot(path["x"] - ANTENNA[0], path["y"] - ANTENNA[1]))
    phase = 4 * np.pi * way / WAVE + rng.normal(0, 0.1, len(time))
    turn = (np.diff(phase) + np.pi) % (2 * np.pi) - np.pi
    speed = np.clip(-turn / np.diff(time) * WAVE / (8 * np.pi), -0.8, 0.8) + rng.normal(0, 0.15, len(turn))
    return pd.DataFrame({"time": time[1:] - ahead, "epc": epc, "speed": speed})


def broken(tracks: pd.DataFrame, pieces: int, seed: int) -> pd.DataFrame:
    """Every visit under several numbers, one after the other; `who` is the true one."""
    rng, parts = np.random.default_rng(seed), []
    for visit, rows in tracks.groupby("visit"):
        cuts = np.sort(rng.uniform(3, rows["time"].max() - 3, pieces - 1))
        parts.append(rows.assign(who=visit, visit=100 * (visit + 1) + np.searchsorted(cuts, rows["time"])))
    return pd.concat(parts, ignore_index=True)


# radial speed


def test_a_walk_on_a_circle_keeps_its_distance():
    time = np.arange(0, 5, 1 / 30)
    circle = pd.DataFrame({"visit": "a", "time": time, "x": 4.5 + 2 * np.cos(time), "y": 2 * np.sin(time)})
    assert radial_speed(circle, ANTENNA)["speed"].abs().max() < 1e-3


def test_a_swing_is_told_as_its_derivative():
    time = np.arange(0, 20, 1 / 30)
    swing = pd.DataFrame({"visit": 7, "time": time, "x": 4.5, "y": 3 + np.sin(time)})
    told = radial_speed(swing, ANTENNA)
    inner = told[told["time"].between(1, 19)]
    smoothed = inner["speed"] / np.cos(inner["time"])
    clear = np.abs(np.cos(inner["time"])) > 0.2
    assert smoothed[clear].between(0.96, 1.0).all()  # the window takes a part of the swing, and moves nothing


def test_a_visit_begins_anew_where_it_was_out_of_sight():
    time = np.concatenate([np.arange(0, 2, 0.05), np.arange(6, 8, 0.05), [10, 10.1]])
    jump = pd.DataFrame({"visit": 1, "time": time, "x": 4.5, "y": np.where(time < 4, 1 + time, 9 - time)})
    told = radial_speed(jump.sample(frac=1, random_state=0), ANTENNA)
    assert told["speed"][told["time"] < 3].round(6).unique().tolist() == [1.0]
    assert told["speed"][told["time"] > 3].round(6).unique().tolist() == [-1.0]
    assert not told["time"].between(2.1, 5.9).any() and told["time"].max() < 9  # two rows tell no speed


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"antenna": (1, 2, 3)}, r"antenna is \(1, 2, 3\); a place"),
        ({"antenna": (np.nan, 0)}, "a place"),
        ({"search": -1.0}, "search is -1.0; seconds, 0 or more"),
        ({"pieces": 0}, "pieces is 0; 1 or more"),
        ({"draws": 0}, "draws is 0"),
        ({"tracks": walkers(1, 1).drop(columns="x")}, "tracks has no column x; it has visit, time, y"),
        ({"tracks": walkers(1, 1).iloc[:0]}, "tracks has no rows"),
        ({"tracks": walkers(1, 1).iloc[:10]}, "no visit is seen for 0.8 s"),
        ({"tracks": walkers(1, 1).assign(y=np.inf)}, "tracks, row 0: y is inf; a finite number"),
        ({"reads": reads_of(walkers(1, 1)).rename(columns={"epc": "tag"})}, "reads has no column epc"),
        ({"reads": reads_of(walkers(1, 1)).assign(speed=np.nan)}, "reads, row 0: speed is nan"),
        ({"reads": reads_of(walkers(1, 1)).assign(epc=None)}, "reads, row 0: epc is missing"),
    ],
)
def test_what_cannot_be_compared_is_refused(change, words):
    arguments = {"reads": reads_of(walkers(1, 1)), "tracks": walkers(1, 1), "antenna": ANTENNA, "draws": 9} | change
    with pytest.raises(ValueError, match=words):
        match_tags(**arguments)


# the parts against references


def test_bins_hold_the_median_of_their_reads():
    rng = np.random.default_rng(3)
    time, speed = rng.uniform(0, 10, (3, 90)), rng.normal(size=90)
    weight, value = speeds.bin_reads(time, speed, 40)
    for row in range(3):
        groups = pd.Series(speed).groupby((time[row] // 0.25).astype(int))
        assert value[row, groups.median().index] == pytest.approx(groups.median().to_numpy())
        assert weight[row].sum() == pytest.approx(np.minimum(groups.size(), 3).sum() / 3)
        assert (weight[row] > 0).sum() == len(groups)


def test_gains_are_those_of_weighted_regression():
    rng = np.random.default_rng(4)
    weight, told, true = rng.choice([0, 1 / 3, 1], 200), rng.normal(size=200), rng.normal(size=200)
    told += 0.5 * true
    sums = speeds.add_worth(speeds.pair_sums(weight[None], told[None], np.ones((200, 1)), true[:, None]), 2.0)[:, 0, 0]
    covariance = np.cov(told, true, aweights=weight)
    assert speeds.correlate(sums) == pytest.approx(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))
    root = np.sqrt(weight)
    left = [
        np.linalg.lstsq(root[:, None] * columns, root * told, rcond=None)[1][0]
        for columns in (np.ones((200, 1)), np.column_stack([np.ones(200), true]))
    ]
    assert speeds.signed_gain(sums) == pytest.approx(weight.sum() / 2 / 2 * np.log(left[0] / left[1]))


@pytest.mark.parametrize(("memory", "worth"), [(0.0, 1.0), (0.5, 5 / 3), (0.7, 1.49 / 0.51)])
def test_what_a_bin_is_worth_follows_bartlett(memory, worth):
    """Of two processes of first order, n is worth n (1 - a b) / (1 + a b)."""
    rng = np.random.default_rng(5)
    noise, series = rng.normal(size=(2, 20000)), np.zeros((2, 20000))
    for i in range(1, 20000):
        series[:, i] = memory * series[:, i - 1] + noise[:, i]
    found = speeds.likeness(np.ones(20000), series[0], np.repeat(series[1], 5))
    assert found == pytest.approx(worth, rel=0.1)


GAINS = some.lists(some.integers(0, 20), min_size=12, max_size=12)


@given(GAINS, GAINS)
@settings(deadline=None, max_examples=40)
def test_single_tracks_are_shared_out_as_an_assignment(first, second):
    gains = np.array([first, second], dtype=float)
    total, found = whose._share(gains, [(p,) for p in range(12)], 12)
    rows, columns = linear_sum_assignment(-gains)
    assert total == pytest.approx(gains[rows, columns].sum())
    assert found[0] != found[1] or found == [(), ()]


@given(some.lists(some.tuples(some.floats(0, 20), some.floats(1, 9)), min_size=1, max_size=5), some.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_sets_are_shared_out_as_well_as_by_trying_all(stays, seed):
    ends = np.array([(start, start + length) for start, length in stays])
    sets = whose._sets(ends, 3)
    signed = np.random.default_rng(seed).normal(0, 5, (2, len(sets), 4))
    chosen, at = whose._assign(signed, sets, len(ends))
    rows = [None, *range(len(sets))]
    pairs = [(a, b) for a, b in product(rows, rows) if None in (a, b) or not set(sets[a]) & set(sets[b])]

    def total(pair: tuple, offset: int, sign: int) -> float:
        return sum(max(sign * signed[t, s, offset], 0) for t, s in enumerate(pair) if s is not None)

    best = max(total(pair, offset, sign) for pair, offset, sign in product(pairs, range(4), (1, -1)))
    mine = tuple(sets.index(one) if one else None for one in chosen)
    assert mine in pairs
    assert max(total(mine, at, sign) for sign in (1, -1)) == pytest.approx(best)


@given(some.lists(some.tuples(some.floats(0, 20), some.floats(1, 9)), min_size=1, max_size=7))
@settings(deadline=None, max_examples=40)
def test_sets_hold_no_two_tracks_that_are_seen_at_once(stays):
    ends = np.array([(start, start + length) for start, length in stays])
    sets = whose._sets(ends, 8)
    assert len(set(sets)) == len(sets) and {(p,) for p in range(len(ends))} <= set(sets)
    for one in sets:
        for before, after in pairwise(one):
            assert ends[before, 1] <= ends[after, 0] + whose.OVERLAP


def test_too_many_sets_are_refused():
    ends = np.column_stack([np.arange(30.0), np.arange(30.0) + 1])
    with pytest.raises(ValueError, match=r"30 tracks, of which up to 8 .* over 2048 sets; .* pieces to 7 or less"):
        whose._sets(ends, 8)
    assert len(whose._sets(ends, 1)) == 30


def test_shares_of_bins_add_up_to_the_gain():
    tracks = broken(walkers(6, 2), 3, seed=6)
    scene = speeds.align(reads_of(walkers(6, 2).query("visit == 0")), tracks, ANTENNA, 1.0, 1.0)
    sums = speeds.scene_sums(scene)
    for one in [(0,), (0, 1, 2), (0, 4)]:
        gains = speeds.signed_gain(sums[list(one)].sum(axis=0))[0]
        assert whose._shares(scene, 0, one, 5).sum() == pytest.approx(abs(gains[5]), rel=1e-6)


def test_reads_are_turned_further_than_the_search_can_undo():
    """Without a guard the null would hold the truth itself."""
    path = walkers(7, 1)
    scene = speeds.align(reads_of(path), path, ANTENNA, 3.0, 0.0)
    sets = whose._sets(scene.ends, 1)
    truth = best_gains(speeds.scene_sums(scene)[:, :, 0][:, :, None], sets)[0]
    assert turned_gains(scene, sets, 0, 3.0, 400).max() < 0.8 * truth
    assert turned_gains(scene, sets, 0, 0.0, 400).max() > 0.8 * truth  # the search undoes what is turned less
    assert turned_gains(scene, sets, 0, 30.0, 400).size == 0


# people of known truth


def test_the_one_who_wears_the_tag_is_found():
    tracks = walkers(8, 3)
    [row] = match_tags(
        reads_of(tracks.query("visit == 1")), tracks, ANTENNA, [walkers(s, 1) for s in range(20, 24)]
    ).to_dict("records")
    assert row["visits"] == (1,) and row["sign"] == -1 and row["offset"] == pytest.approx(1.2, abs=0.2)
    assert row["covered"] > 0.95 and row["correlation"] < -0.5 and row["lead"] > row["low"] > 0
    assert row["rival"] in [(0,), (2,)] and row["p_shifts"] < 0.01 and row["p_others"] < 0.01


def test_scale_and_sign_of_the_speed_do_not_matter():
    tracks = walkers(8, 2)
    reads = reads_of(tracks.query("visit == 1"))
    plain = match_tags(reads, tracks, ANTENNA, draws=99)
    other = match_tags(reads.assign(speed=-3 * reads["speed"] + 1), tracks, ANTENNA, draws=99)
    same = ["visits", "gain", "offset", "n", "lead", "low", "high", "p_shifts"]
    pd.testing.assert_frame_equal(plain[same], other[same])
    assert plain["sign"].item() == -other["sign"].item()


def test_one_table_holds_every_tag_with_every_visit():
    tracks = walkers(9, 2)
    short = tracks.iloc[:9].assign(visit=5)
    reads = pd.concat([reads_of(tracks[tracks["visit"] == v], f"E{v}", seed=v) for v in (0, 1)])
    table = score_tracks(reads, pd.concat([tracks, short]), ANTENNA)
    assert table.groupby("tag")["visit"].first().to_dict() == {"E0": 0, "E1": 1}
    assert table.groupby("tag")["visit"].last().to_dict() == {"E0": 5, "E1": 5}  # too short to tell a speed
    assert len(table) == 6 and (table.query("visit == 5")[["gain", "n", "covered"]] == 0).all(axis=None)


def test_a_clock_that_is_far_off_is_found_where_both_recorded_the_same_stretch():
    tracks = walkers(10, 1)
    reads = reads_of(tracks, ahead=16.0)
    assert match_tags(reads, tracks, ANTENNA, draws=99)["offset"].item() == pytest.approx(16, abs=0.1)
    near = match_tags(reads, tracks, ANTENNA, around=0.0, draws=99)
    assert abs(near["offset"].item()) <= 3 and near["p_shifts"].item() > 0.01


def test_two_broken_people_with_two_tags_are_put_together():
    right, named, reach = 0, 0, []
    for seed in range(8):
        whole = walkers(100 + seed, 2)
        reads = pd.concat([reads_of(whole[whole["visit"] == v], f"E{v}", seed=seed + v) for v in (0, 1)])
        tracks = broken(whole, 4, seed)
        found = match_tags(reads, tracks, ANTENNA, draws=9)
        who = tracks.groupby("visit")["who"].first()
        assert found["offset"].nunique() == found["sign"].nunique() == 1
        assert not set(found["visits"][0]) & set(found["visits"][1])
        for person, row in found.iterrows():
            named += len(row["visits"])
            right += sum(who[visit] == person for visit in row["visits"])
            reach.append(row["covered"])
    assert right / named > 0.95 and np.mean(reach) > 0.85


def test_two_tags_share_one_clock_even_where_each_alone_would_not():
    whole = walkers(11, 2)
    reads = pd.concat([reads_of(whole[whole["visit"] == v], f"E{v}", ahead=2.0 * v, seed=v) for v in (0, 1)])
    alone = score_tracks(reads, whole, ANTENNA).groupby("tag")["offset"].first()
    assert abs(alone["E1"] - alone["E0"]) > 1.5
    assert match_tags(reads, whole, ANTENNA, draws=9)["offset"].nunique() == 1


def test_a_tag_on_nobody_is_seldom_consistent():
    """Both kinds of chance, and a lead, are asked for; a p below 0.01 alone comes more often than one in a hundred."""
    rows = []
    for seed in range(40):
        people = walkers(200 + seed, 3)
        reads = reads_of(people.query("visit == 2"), seed=seed)
        others = [walkers(1000 + 10 * seed + s, 1) for s in range(3)]
        rows.append(match_tags(reads, people.query("visit < 2"), ANTENNA, others, draws=199))
    table = pd.concat(rows)
    firm = (table["p_shifts"] < 0.01) & (table["p_others"] < 0.01) & (table["low"] > 0)
    assert firm.mean() <= 0.05
    assert table[["p_shifts", "p_others"]].median().between(0.25, 0.75).all()
    worn = match_tags(reads_of(walkers(8, 3).query("visit == 1")), walkers(8, 3), ANTENNA, draws=199)
    assert (table["gain"] < worn["gain"].item()).mean() > 0.95


def test_what_is_too_short_has_no_chance_to_compare_with():
    tracks = walkers(12, 2).query("time < 10")
    row = match_tags(reads_of(tracks.query("visit == 0")), tracks, ANTENNA, [tracks.query("time < 5")], draws=9).iloc[0]
    assert np.isnan(row["p_shifts"]) and np.isnan(row["p_others"])
    lonely = match_tags(pd.DataFrame({"time": [1.0], "epc": "A", "speed": 0.1}), tracks, ANTENNA, draws=9).iloc[0]
    assert lonely["visits"] == () and lonely["gain"] == 0 and np.isnan(lonely["lead"])


# real tags: consistency, since nobody wrote down who wore them


GIVEN = ["2-5-2016_19-14-02", "2-5-2016_23-12-34", "2-7-2016_16-21-33", "2-8-2016_20-42-32", "2-8-2016_21-27-06"]


@pytest.fixture
def recordings(real_data):
    return {one.name: one for one in read_tagged_people("rfid_kinect")}


@pytest.mark.parametrize("name", GIVEN)
def test_a_real_tag_moves_like_the_person_who_was_there_all_the_time(recordings, name):
    if name not in recordings:
        pytest.skip(f"{name} is absent")
    one = recordings.pop(name)
    row = match_tags(one.reads, one.tracks, one.antenna, [other.tracks for other in recordings.values()]).iloc[0]
    length = one.tracks.groupby("visit", sort=False)["time"].agg(np.ptp)
    assert row["visits"] == (length.idxmax(),) and row["covered"] > 0.98 and row["correlation"] < -0.6
    assert row["p_shifts"] < 0.01 and row["p_others"] < 0.01
    assert row["low"] > 0 or len(length) == 1
    if len(length) > 1:
        assert row["rival"] and row["lead"] > row["low"]


def test_every_real_tag_has_a_row_and_no_track_two(recordings):
    for one in recordings.values():
        found = match_tags(one.reads, one.tracks, one.antenna, draws=9)
        assert set(found["tag"]) == set(one.reads["epc"])
        taken = [visit for visits in found["visits"] for visit in visits]
        assert len(taken) == len(set(taken)) and set(taken) <= set(one.tracks["visit"])


def test_tags_are_seldom_consistent_with_people_of_another_recording(recordings):
    """The placebo: reads of one recording with tracks of another."""
    firm = []
    for reads, tracks in product([recordings[name] for name in GIVEN if name in recordings], repeat=2):
        if reads is not tracks:
            late = reads.reads.assign(time=reads.reads["time"] - reads.reads["time"].iloc[0] + 1)
            others = [other.tracks for other in recordings.values() if other is not tracks]
            row = match_tags(late, tracks.tracks, tracks.antenna, others, draws=299).iloc[0]
            firm.append(row["p_shifts"] < 0.01 and row["p_others"] < 0.01 and not row["low"] <= 0)
    assert np.mean(firm) <= 0.1
