"""Days as devices see them: clocks, ghosts, what is unseen; and settings that do not change."""

from dataclasses import replace

import numpy as np
import pytest

from retailkit.simulate.radio import SETTINGS, TUNING, Habit, Setting, sense_day
from retailkit.simulate.radio.presets import digest
from retailkit.store.rfid import check_reads, decode_epcs

FROZEN = "fdb4a4a3ff9b441168012d88850adf3429352952e58670d4b5f00056be0cdd59"
SMALL = Setting(
    shoppers=12.0, hours=0.1, aisles=2, cells=5, cameras={"hand_false": 0.1}, skew=5.0, drift=100.0, ghosts=60.0
)


@pytest.fixture(scope="module")
def day():
    return sense_day(SMALL, seed=1)


def test_the_benchmark_is_frozen():
    assert digest() == FROZEN, "another setting is another benchmark: figures told before would not be comparable"


def test_reads_pass_the_door_and_tell_products(day):
    kept, wrong = check_reads(day.reads, antennas=day.store.antennas["antenna"])
    assert len(wrong) == 0 and len(kept) == len(day.reads) > 10_000
    codes = decode_epcs(kept["epc"].cat.categories)
    assert (codes["problem"] == "").all() and set(codes["gtin"]) <= set(day.store.products["gtin"])
    assert day.reads["phase"].between(0, 2 * np.pi).all() and day.reads["rssi"].between(-95, -10).all()


def test_clocks_are_off_by_what_the_truth_says(day):
    clock = day.truth.clocks.set_index("device").loc["plates"]
    hands = day.truth.goods.hands
    moved = np.sort(hands.loc[hands["piece"] >= 0, "time"].to_numpy())
    true = (day.plates["time"].to_numpy() - clock["offset"]) / (1 + clock["drift"] * 1e-6)
    nearest = np.abs(true[:, None] - moved[None]).min(axis=1)
    assert np.median(nearest) < 0.5 and abs(clock["offset"]) <= 5
    assert (day.truth.clocks.query("device in ['cameras', 'hands']")[["offset", "drift"]] == 0).all().all()


def test_ghosts_are_nobody_and_entries_are_shoppers(day):
    people = day.truth.tracks.groupby("visit")["person"].agg(set)
    ghosts = people[people == {-1}]
    assert len(ghosts) > 2 and not any(-1 in names and len(names) > 1 for names in people)
    entered = day.truth.day.crossings.query("direction == 'in'")
    assert set(day.store.entries["shopper"]) == set(entered["visit"])
    left = day.truth.day.crossings.query("direction == 'out'")
    assert set(day.store.exits["shopper"]) <= set(left["visit"]) and day.store.exits["shopper"].is_unique
    assert list(day.tracks) == ["visit", "time", "x", "y"], "no truth among what a method sees"


def test_what_is_hidden_is_not_seen_and_what_has_no_tag_is_not_read():
    day = sense_day(replace(SMALL, goods=Habit(concealed=1.0, untagged=0.5), cameras={"hand_missed": 0.0}), seed=2)
    hidden = day.truth.goods.hands.query("hidden")
    seen = day.hands[(day.hands["kind"] == "take")]
    assert len(hidden) > 5 and not set(np.round(hidden["time"], 6)) & set(np.round(seen["time"], 6))
    receipts = day.truth.receipts
    assert (receipts["epc"] == "").mean() == pytest.approx(0.5, abs=0.25)
    assert set(receipts.loc[receipts["epc"] != "", "epc"]) <= set(day.reads["epc"].cat.categories)


def test_a_dead_antenna_and_a_wrong_planogram(day):
    other = sense_day(replace(SMALL, dead=(2,), moved=0.5), seed=1)
    assert 2 in set(day.reads["antenna"]) and 2 not in set(other.reads["antenna"])
    true = other.truth.day.plan.cells.set_index("cell")["product"]
    told = other.store.planogram.set_index("cell")["product"]
    assert 0.2 < (true != told).mean() < 0.8 and sorted(true) == sorted(told)
    same = day.store.planogram.set_index("cell")["product"]
    assert (same == day.truth.day.plan.cells.set_index("cell")["product"]).all()


def by_the_door(day) -> tuple[int, int]:
    """Give each tag to whoever passed the door's line when it was heard best there at last: right ones, and all."""
    out = day.truth.day.crossings.query("direction == 'out'").drop_duplicates("visit", keep="last")
    gate = day.store.antennas.query("reader == 2")["antenna"].to_numpy()[:2]
    receipts = day.truth.receipts.query("epc != ''")
    reads = day.reads[day.reads["antenna"].isin(gate) & day.reads["epc"].isin(receipts["epc"])]
    reads = reads.assign(epc=reads["epc"].astype("str"))
    late = reads[reads["time"] > reads.groupby("epc")["time"].transform("max") - 6]
    best = receipts["epc"].map(late.sort_values("rssi").groupby("epc")["time"].last())
    nearest = np.abs(best.fillna(-1e9).to_numpy()[:, None] - out["time"].to_numpy()[None]).argmin(axis=1)
    right = (out["visit"].to_numpy()[nearest] == receipts["shopper"]) & best.notna()
    return int(right.sum()), len(receipts)


@pytest.mark.slow
def test_reads_alone_do_not_tell_whose_a_thing_is_where_it_is_hard():
    """In the hardest stratum the door gives 35 to 50 % to the right person (42 % in the best published study)."""
    counts = [by_the_door(sense_day(SETTINGS["hand-overs"], seed)) for seed in TUNING]
    share = sum(right for right, _ in counts) / sum(total for _, total in counts)
    print(f"the door alone: {share:.3f} of {sum(total for _, total in counts)} tags in {len(counts)} days")
    assert 0.35 <= share <= 0.5
