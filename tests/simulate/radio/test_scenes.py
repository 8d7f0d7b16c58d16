"""Simulated reads beside real ones: moments, repeats, strengths, and what phase tells of somebody who walks."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from retailkit.datasets.fixture_walks import read_fixture_walks
from retailkit.datasets.tagged_people import read_tagged_people
from retailkit.simulate.radio import walk_past, wear_tag

WAVE = 299.792458 / 915.0


def hang(walks, seed: int = 0) -> np.ndarray:
    """Places of tags: around their fixtures, at heights of clothes."""
    rng = np.random.default_rng(seed)
    known = walks.fixtures.merge(walks.places, on="fixture")
    number = len(known)
    return np.column_stack(
        [known["x"] + rng.uniform(-0.3, 0.3, number), known["y"] + rng.uniform(-0.15, 0.15, number),
         rng.uniform(0.4, 1.7, number)]
    )  # fmt: skip


def shape_of(reads: pd.DataFrame, name: str) -> dict[str, np.ndarray]:
    """What is compared: logarithms of seconds to the next read, of any tag and of the same; strengths; their spread."""
    reads = reads.sort_values("time")
    again = reads.groupby(name)["time"].diff().dropna()
    return {
        "next read": np.log(np.diff(reads["time"]).clip(1e-3)), "same tag again": np.log(again.clip(1e-3)),
        "strength": reads["rssi"].to_numpy(float), "spread": reads.groupby(name)["rssi"].std().dropna().to_numpy(),
    }  # fmt: skip


@pytest.mark.parametrize(("session", "silent"), [("S0", 0.0), ("S1", 1.2)])
def test_a_walk_with_a_reader_reads_like_a_real_one(real_data, session, silent):
    """`rfid_detego`: Kolmogorov and Smirnov's distance of moments; strengths told in decibels."""
    walks = read_fixture_walks("rfid_detego")
    real = walks.reads[walks.reads["session"] == session]
    found = shape_of(walk_past(hang(walks), silent, seed=1), "tag")
    each = [shape_of(rows, "epc") for _, rows in real.groupby("walk")]
    true = {name: np.concatenate([one[name] for one in each]) for name in found}
    apart = {name: stats.ks_2samp(found[name], true[name]).statistic for name in found}
    between = {
        name: max(stats.ks_2samp(one[name], true[name]).statistic for one in each) for name in found
    }  # how far single real walks are from all of them
    for name in found:
        middles = np.median(found[name]), np.median(true[name])
        print(f"{session} {name}: distance {apart[name]:.2f} (a real walk: {between[name]:.2f}), medians {middles}")
    assert apart["next read"] < 0.3 and apart["same tag again"] < 0.2
    assert abs(np.exp(np.median(found["next read"]) - np.median(true["next read"])) - 1) < 0.15
    assert abs(np.median(found["strength"]) - np.median(true["strength"])) < 8
    assert abs(np.mean(found["spread"]) - np.mean(true["spread"])) < 4.5


def speeds(reads: pd.DataFrame) -> pd.DataFrame:
    """Radial speed between reads of one channel that follow each other soon: phase by plain arithmetic."""
    parts = []
    for _, rows in reads.groupby("channel"):
        step, turn = np.diff(rows["time"]), np.diff(rows["phase"])
        turn = (turn + np.pi) % (2 * np.pi) - np.pi
        parts.append(
            pd.DataFrame({"time": rows["time"].to_numpy()[1:], "step": step, "speed": turn * WAVE / (4 * np.pi) / step})
        )
    table = pd.concat(parts)
    return table[table["step"] < 0.2].sort_values("time")


def radial(track: pd.DataFrame, antenna: tuple[float, float], time: np.ndarray) -> np.ndarray:
    """Radial speed of a track, smoothed over 0.8 s."""
    grid = np.arange(track["time"].min(), track["time"].max(), 0.05)
    away = np.hypot(
        *(np.interp(grid, track["time"], track[axis]) - place for axis, place in zip("xy", antenna, strict=True))
    )
    window = np.hanning(17) / np.hanning(17).sum()
    smooth = np.convolve(np.pad(away, 8, mode="edge"), window, "valid")
    return np.interp(time, grid, np.gradient(smooth, 0.05))


def test_a_worn_tag_reads_like_a_real_one(real_data):
    """`rfid_kinect`: seconds from read to read, and how well phase tells the speed of the longest track.

    Told speeds are a third of the true ones there, and nobody knows why; so correlations are compared, not slopes.
    """
    rows = []
    for recording in read_tagged_people("rfid_kinect"):
        longest = recording.tracks["visit"].value_counts().index[0]
        track = recording.tracks[recording.tracks["visit"] == longest]
        moved = track.assign(time=track["time"] - track["time"].min())
        found = wear_tag(moved, recording.antenna, seed=1)
        told = speeds(found)
        right = np.corrcoef(radial(moved, recording.antenna, told["time"].to_numpy()), told["speed"])[0, 1]
        steps = [np.log(np.diff(one["time"]).clip(1e-3)) for one in (found, recording.reads.sort_values("time"))]
        rows.append(
            (recording.name, stats.ks_2samp(*steps).statistic, *(np.exp(np.median(step)) for step in steps), right)
        )
    table = pd.DataFrame(rows, columns=["recording", "distance", "simulated", "real", "correlation"])
    print(table.round(3).to_string(index=False))
    assert table["distance"].median() < 0.25
    assert (table["simulated"] / table["real"] - 1).abs().median() < 0.3
    assert table["correlation"].between(0.4, 0.95).all(), "real ones: 0.66 to 0.84"


def test_phase_noise_is_that_of_the_literature():
    """Of a tag that does not move: told twice on one channel, phases differ by 0.1 rad times root 2."""
    still = pd.DataFrame({"time": [0.0, 40.0], "x": [4.0, 4.0], "y": [2.0, 2.0]})
    reads = wear_tag(still, seed=2)
    turn = reads.groupby("channel")["phase"].diff().dropna().to_numpy()
    turn = (turn + np.pi) % (2 * np.pi) - np.pi
    assert len(turn) > 300 and np.std(turn) == pytest.approx(0.1 * np.sqrt(2), rel=0.15)
