"""Lines: who waited, who gave up, how long the line was; against queueing theory and a line simulated by hand."""

import numpy as np
import pandas as pd
import pytest

from retailkit.lab.intervals import Estimate, coverage
from retailkit.store.visits.queues import COLUMNS, describe_queue, find_queue, queue_length


def stays_of(*rows) -> pd.DataFrame:
    """Rows of visit, zone, enter, leave, and perhaps stopped and censored."""
    full = [(*row, *(True, "")[len(row) - 4 :]) for row in rows]
    return pd.DataFrame(full, columns=["visit", "zone", "enter", "leave", "stopped", "censored"])


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([(1, "line", 0, 30), (1, "desk", 31, 90)], [("desk", 0, 30, 90, 30, False, "")]),
        ([(1, "line", 0, 3, False), (1, "desk", 4, 90)], [("desk", 0, 3, 90, 3, False, "")]),  # no line, served at once
        ([(1, "line", 0, 30)], [("", 0, None, 30, 30, True, "")]),  # gave up
        ([(1, "line", 0, 3, False)], []),  # walked through
        ([(1, "line", 0, 30), (1, "milk", 40, 60), (1, "desk", 70, 90)], [("", 0, None, 30, 30, True, "")]),
        ([(1, "line", 0, 30), (1, "desk", 60, 90)], [("", 0, None, 30, 30, True, "")]),  # too late to have come from it
        ([(1, "line", 0, 30), (2, "desk", 60, 90)], [("", 0, None, 30, 30, True, "")]),  # somebody else
        ([(1, "line", 0, 30), (2, "desk", 31, 90)], [("desk", 0, 30, 90, 30, False, "")]),  # the tracker's new name
        ([(1, "line", 0, 30), (1, "line", 36, 60), (1, "desk", 61, 90)], [("desk", 0, 60, 90, 60, False, "")]),
        (
            [(1, "line", 0, 30), (1, "line", 50, 60), (1, "desk", 61, 90)],
            [("", 0, None, 30, 30, True, ""), ("desk", 50, 60, 90, 10, False, "")],
        ),
        (
            [(1, "line", 0, 40), (2, "desk", -99, 30), (2, "line", 38, 70), (2, "desk", 71, 90)],
            [("desk", 0, 70, 90, 70, False, "")],
        ),  # exchanged with somebody who had just paid and walked past
        ([(1, "line", 0, 30, True, "end")], [("", 0, None, None, 30, False, "end")]),
        ([(1, "line", 0, 30, True, "start"), (1, "desk", 31, 90)], [("desk", 0, 30, 90, 30, False, "start")]),
        ([(1, "line", 0, 30), (1, "desk", 31, 90, True, "end")], [("desk", 0, 30, None, 30, False, "")]),
    ],
)
def test_who_stood_in_line(rows, told):
    found = find_queue(stays_of(*rows, (9, "desk", 500, 501)), "line", ["desk"])
    assert list(found.columns) == COLUMNS
    columns = ["service", "join", "served", "left", "wait", "abandoned", "censored"]
    rounded = found[columns].astype(object).where(found[columns].notna(), None)
    assert list(rounded.itertuples(index=False, name=None)) == told


def test_spells_end_where_nobody_waits():
    stays = stays_of((1, "line", 0, 10), (2, "line", 8, 20), (3, "line", 21, 25), (9, "desk", 99, 100))
    assert find_queue(stays, "line", "desk")["spell"].tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"service": "line"}, "zone 'line' is given as queue and as service"),
        ({"walk": -1}, "walk is -1"),
    ],
)
def test_what_is_no_queue_is_refused(change, message):
    stays = stays_of((1, "line", 0, 10), (1, "desk", 11, 20))
    with pytest.raises(ValueError, match=message):
        find_queue(**{"zone_visits": stays, "queue": "line", "service": "desk", **change})
    with pytest.raises(ValueError, match="no column censored"):
        find_queue(stays.drop(columns="censored"), "line", "desk")
    with pytest.raises(ValueError, match="every is 0"):
        queue_length(find_queue(stays, "line", "desk"), every=0)


def test_length_times_time_is_what_was_waited():
    """Little (1961), exactly: each second of waiting is in one period."""
    rng = np.random.default_rng(0)
    join = np.sort(rng.uniform(0, 9000, 200))
    queue = pd.DataFrame({"join": join, "wait": rng.exponential(60, 200), "spell": np.arange(200) // 9})
    length = queue_length(queue, every=600)
    assert (length["length"] * 600).sum() == pytest.approx(queue["wait"].sum())
    there = (queue["join"].to_numpy() <= join[:, None]) & (join[:, None] < (queue["join"] + queue["wait"]).to_numpy())
    assert length["longest"].max() == there.sum(axis=1).max()
    assert (length["low"] <= length["length"]).all() and (length["length"] <= length["high"]).all()
    assert queue_length(queue[:0]).empty


def test_a_period_in_which_nobody_comes_keeps_those_who_wait():
    queue = pd.DataFrame({"join": [10.0], "wait": [200.0], "spell": [0]})
    assert queue_length(queue, every=60)[["length", "longest"]].round(3).values.tolist() == [
        [0.833, 1], [1, 1], [1, 1], [0.5, 1],
    ]  # fmt: skip


def line(rng: np.random.Generator, hours: float, gap: float = 50.0, service: float = 35.0, patience: float = 240.0):
    """Draw stays of a line with one desk, first come first served, from which people go when they lose patience."""
    arrival = np.cumsum(rng.exponential(gap, int(1.5 * hours * 3600 / gap)))
    arrival, free, rows = arrival[arrival < hours * 3600], 0.0, []
    for visit, (join, work, limit) in enumerate(
        zip(arrival, rng.exponential(service, len(arrival)), rng.exponential(patience, len(arrival)), strict=True)
    ):
        start = max(join, free)
        if start - join > limit:
            rows.append((visit, "line", join, join + limit))
            continue
        free = start + work
        rows += [(visit, "line", join, start), (visit, "desk", start + 1, free)]
    return stays_of(*rows)


def cut(stays: pd.DataFrame, rng: np.random.Generator, mean: float = 200.0) -> pd.DataFrame:
    """Lose a track after an exponential time in line; what comes afterwards is another visit."""
    lost = rng.exponential(mean, len(stays))
    broken = (stays["zone"] == "line").to_numpy() & (lost < stays["leave"] - stays["enter"]).to_numpy()
    first = stays[broken].assign(leave=stays["enter"] + lost, censored="end")
    rest = stays[broken].assign(enter=stays["enter"] + lost, censored="start", visit=stays["visit"] + 1_000_000)
    moved = stays["visit"].isin(stays["visit"][broken]) & (stays["zone"] == "desk")
    others = stays[~broken].assign(visit=stays["visit"].where(~moved, stays["visit"] + 1_000_000))
    return pd.concat([first, rest, others], ignore_index=True)


def told_of(days: int, seed: int, lost: bool) -> tuple[pd.DataFrame, dict[str, float]]:
    """What is told of each of many days of 8 hours, and the mean over all days, every wait seen whole."""
    rng = np.random.default_rng(seed)
    stays = [line(rng, 8) for _ in range(days)]
    everybody = pd.concat([find_queue(day, "line", "desk") for day in stays])
    seen = [find_queue(cut(day, rng) if lost else day, "line", "desk") for day in stays]
    served = everybody["wait"][~everybody["abandoned"]]
    return pd.concat(map(describe_queue, seen)), {
        "mean wait": everybody["wait"].mean(), "median wait": everybody["wait"].median(),
        "mean wait of those served": served.mean(), "share abandoned": everybody["abandoned"].mean(),
    }  # fmt: skip


@pytest.mark.parametrize("lost", [False, True], ids=["whole", "lost by trackers"])
def test_waits_are_unbiased(lost):
    told, truth = told_of(30, 0, lost)
    for quantity, rows in told.groupby("quantity"):
        assert abs(rows["value"].mean() - truth[quantity]) < 4 * rows["value"].std() / 30**0.5 + 0.01


def test_those_seen_whole_waited_less():
    rng = np.random.default_rng(0)
    day = line(rng, 100)
    whole, seen = find_queue(day, "line", "desk"), find_queue(cut(day, rng), "line", "desk")
    told = describe_queue(seen).set_index("quantity")["value"]
    for quantity, column in (("mean wait", "wait"), ("share abandoned", "abandoned")):
        naive, true = seen[seen["censored"] == ""][column].mean(), whole[column].mean()
        assert naive < 0.9 * true and abs(told[quantity] - true) < 0.5 * (true - naive)


@pytest.mark.slow
@pytest.mark.parametrize("lost", [False, True], ids=["whole", "lost by trackers"])
def test_waits_are_held(lost):
    """500 days in a line with impatient customers; the truth is the mean over all of them."""
    told, truth = told_of(500, 1, lost)
    held(told, truth, "lost" if lost else "whole")


def held(told: pd.DataFrame, truth: dict[str, float], name: str) -> None:
    for quantity, true in truth.items():
        rows = told[told["quantity"] == quantity]
        share, width = coverage([Estimate(*row) for row in rows[["value", "low", "high"]].to_numpy()], true)
        error = rows["value"].std() / len(rows) ** 0.5
        print(f"{name}, {quantity} {true:.3f}: mean {rows['value'].mean():.3f}, {share}, median width {width:.3f}")
        assert abs(rows["value"].mean() - true) < 3 * error + 0.02 * true, quantity
        assert 0.92 <= share.value <= 0.98, quantity


def test_a_store_without_a_line_has_nobody_waiting():
    stays = pd.DataFrame(
        {"visit": [1], "zone": ["bay"], "enter": [0.0], "leave": [9.0], "stopped": True, "censored": ""}
    )
    queue = find_queue(stays, "", ())
    assert queue.empty and describe_queue(queue).empty
