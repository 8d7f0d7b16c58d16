"""What reads say of each tag, in plain pandas: what one writes first, with groupby and merge.

A peer for speed (`benchmarks.read_streams`), and a second opinion on numbers (`tests/store/fusion/test_plainly.py`).
Definitions are those of `retailkit.store.fusion.hearing`, written down anew. It is spared what has no plain peer: whose
a track is, and who took what.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

WIDTH, STEP, FARTHEST = 0.5, 0.5, 18  # seconds of a bin, metres of a step of distance, and the last step
COUNTS, LEAST = 0.3, 2e-4  # how much of a bin's evidence counts; chance of a read that nothing explains
HAND = 1.3  # metres from its shelf within which a thing in a hand is heard as on it
HEIGHT = 1.0  # metres at which it is carried


class Features(NamedTuple):
    """What reads say of tags.

    Attributes
    ----------
    presence : DataFrame
        epc, antenna, bin, reads, rssi, strongest: bins with a read; all others are silent.
    listening : DataFrame
        bin, antenna, share of the bin in which the antenna heard anything.
    lying : DataFrame
        epc, antenna, chance, strength: how each tag is heard where it lies.
    shelf : DataFrame
        epc, bin, told: log-likelihood that a tag which may have moved is on its shelf; all bins from its `begin` on.
    carried : DataFrame
        epc, bin, piece, told: that the person of that piece of a track carries it.
    """

    presence: pd.DataFrame
    listening: pd.DataFrame
    lying: pd.DataFrame
    shelf: pd.DataFrame
    carried: pd.DataFrame


def find_features(
    reads: pd.DataFrame,
    places: pd.DataFrame,
    antennas: pd.DataFrame,
    tags: pd.DataFrame,
    curves: pd.DataFrame,
    start: float,
    bins: int,
) -> Features:
    """Find all of them.

    Parameters
    ----------
    reads : DataFrame with time, epc, antenna, rssi
    places : DataFrame with bin, piece, x, y
        Where the person of each piece of a track was.
    antennas : DataFrame with antenna, x, y, z
    tags : DataFrame
        epc, shelf (its number), until (bins before it are at home), begin (the first bin that counts; nan where the tag
        cannot have moved), x, y (metres, of its shelf).
    curves : DataFrame with antenna, step, chance, strength
        How a tag is heard that is carried so far away.
    start : float, seconds
    bins : int
    """
    binned = reads.assign(bin=((reads["time"] - start) // WIDTH).astype(int), epc=reads["epc"].astype(str))
    presence = count(binned)
    lying, worth = learn_lying(presence, antennas, tags)
    moved = tags.dropna(subset="begin").merge(worth, on="epc")
    shelf = weigh_shelf(presence, lying, moved, bins)
    carried = weigh_people(presence, places, antennas, moved, curves, shelf)
    return Features(presence, listen(binned, start), lying, shelf, carried)


def count(binned: pd.DataFrame) -> pd.DataFrame:
    """Reads by tag, antenna and bin."""
    groups = binned.groupby(["epc", "antenna", "bin"])["rssi"]
    return groups.agg(reads="size", rssi="mean", strongest="max").reset_index()


def listen(binned: pd.DataFrame, start: float) -> pd.DataFrame:
    """The share of fifths of a bin in which an antenna heard anything."""
    part = (((binned["time"] - start) / WIDTH - binned["bin"]) * 5).astype(int)
    heard = binned.assign(part=part)[["bin", "antenna", "part"]].drop_duplicates()
    return (heard.groupby(["bin", "antenna"]).size() / 5).rename("share").reset_index()


def learn_lying(
    presence: pd.DataFrame, antennas: pd.DataFrame, tags: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Chance and strength of a read at home by tag and antenna; and how well each tag is heard, against others."""
    early = presence.merge(tags[["epc", "until"]], on="epc")
    early = early[early["bin"] < early["until"]]
    sums = early.groupby(["epc", "antenna"])["rssi"].agg(heard="size", told="sum").reset_index()
    every = tags.merge(antennas[["antenna"]], how="cross").merge(sums, on=["epc", "antenna"], how="left")
    every[["heard", "told"]] = every[["heard", "told"]].fillna(0.0)
    cells = every.groupby(["shelf", "antenna"], as_index=False)["heard"].sum().rename(columns={"heard": "together"})
    time = tags.groupby("shelf", as_index=False)["until"].sum().rename(columns={"until": "bins"})
    every = every.merge(cells, on=["shelf", "antenna"]).merge(time, on="shelf")
    common = (every["together"] + 1e-3) / (every["bins"] + 1.0)
    chance = (every["heard"] + 20 * common) / (every["until"] + 20)
    lying = every.assign(chance=chance.clip(LEAST, 0.98), strength=(every["told"] - 120.0) / (every["heard"] + 2))
    usual = every["heard"].sum() / tags["until"].sum()
    each = every.groupby("epc").agg(heard=("heard", "sum"), until=("until", "first"))
    worth = ((each["heard"] + usual) / (each["until"] * usual + usual)).clip(0.03, 1.0) ** 0.7
    return lying[["epc", "antenna", "chance", "strength"]], worth.rename("worth").reset_index()


def student(off: pd.Series, spread: float) -> pd.Series:
    """Log-density of Student's t of four degrees, against any strength at all."""
    return -2.5 * np.log1p((off / spread) ** 2 / 4) - np.log(spread * 2.67) + np.log(60.0)


def weigh_shelf(presence: pd.DataFrame, lying: pd.DataFrame, moved: pd.DataFrame, bins: int) -> pd.DataFrame:
    """Log-likelihood of each bin of each moved tag on its shelf: reads, and silence."""
    read = presence.merge(moved[["epc", "begin"]], on="epc").query("bin >= begin")
    read = read.merge(lying, on=["epc", "antenna"])
    told = np.log(read["chance"]) - np.log1p(-read["chance"]) + student(read["rssi"] - read["strength"], 5.0)
    gain = read.assign(gain=told).groupby(["epc", "bin"], as_index=False)["gain"].sum()
    quiet = lying.assign(quiet=np.log1p(-lying["chance"])).groupby("epc", as_index=False)["quiet"].sum()
    every = moved[["epc", "begin"]].merge(pd.DataFrame({"bin": range(bins)}), how="cross").query("bin >= begin")
    every = every.merge(quiet, on="epc").merge(gain, on=["epc", "bin"], how="left")
    return every.assign(told=COUNTS * (every["quiet"] + every["gain"].fillna(0.0)))[["epc", "bin", "told"]]


def find_steps(places: pd.DataFrame, antennas: pd.DataFrame) -> pd.DataFrame:
    """The step of distance of each person in each bin to each antenna."""
    away = places.merge(antennas[["antenna", "x", "y", "z"]], how="cross", suffixes=("", "_antenna"))
    square = (away["x"] - away["x_antenna"]) ** 2 + (away["y"] - away["y_antenna"]) ** 2 + (HEIGHT - away["z"]) ** 2
    step = np.minimum(np.sqrt(square) / STEP, FARTHEST).astype(int)
    return away.assign(step=step)[["bin", "piece", "antenna", "step"]]


def weigh_people(
    presence: pd.DataFrame,
    places: pd.DataFrame,
    antennas: pd.DataFrame,
    moved: pd.DataFrame,
    curves: pd.DataFrame,
    shelf: pd.DataFrame,
) -> pd.DataFrame:
    """Log-likelihood of each bin of each moved tag with each person who was there: reads, and silence."""
    away = find_steps(places, antennas).merge(curves, on=["antenna", "step"])
    silence = away.assign(silence=np.log1p(-away["chance"])).groupby(["bin", "piece"], as_index=False)["silence"].sum()
    read = presence.merge(moved[["epc", "begin", "worth"]], on="epc").query("bin >= begin")
    read = read.merge(away, on=["bin", "antenna"])
    told = np.log(read["chance"]) - np.log1p(-read["chance"]) + student(read["rssi"] - read["strength"], 6.0)
    read = read.assign(gain=told + np.log(read["worth"]))
    gain = read.groupby(["epc", "bin", "piece"], as_index=False)["gain"].sum()
    every = moved.merge(places.merge(silence, on=["bin", "piece"]), how="cross", suffixes=("_home", ""))
    every = every[every["bin"] >= every["begin"]].merge(gain, on=["epc", "bin", "piece"], how="left")
    told = COUNTS * (every["worth"] * every["silence"] + every["gain"].fillna(0.0))
    every = every.assign(told=told).merge(shelf, on=["epc", "bin"], suffixes=("", "_shelf"))
    near = np.hypot(every["x"] - every["x_home"], every["y"] - every["y_home"]) < HAND
    mixed = np.logaddexp(every["told"], every["told_shelf"]) - np.log(2)
    return every.assign(told=every["told"].where(~near, mixed))[["epc", "bin", "piece", "told"]]
