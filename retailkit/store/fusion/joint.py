"""Ours: each tag followed through the day, all bound together by acts at shelves and by whose tracks are whose.

1. Acts say when something left which cell, and at whose hand (`find_acts`).
2. Each tag that may have moved is followed: on its shelf, on another, or with somebody (`follow_tag`), by what
   antennas hear and do not hear of it, with curves learned from the day itself.
3. An act is one piece. Tags of one product that might be it argue until they agree (loopy belief propagation for data
   association; Williams & Lau 2014); what no tag answers for has none, or none that is heard.
4. Tags tell whose track is whose: what went into a meeting with the one and is heard with the other after it says that
   a tracker exchanged the two. So identities are believed anew, and all of it is done again.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.store.fusion import hearing
from retailkit.store.fusion.acts import Acts, as_events, find_acts
from retailkit.store.fusion.attribution import BELIEFS, SEEN, Attribution, attribute, charge_expected
from retailkit.store.fusion.following import Day
from retailkit.store.fusion.sensors import Scene, Sensors, prepare

_ROUNDS, _SWEEPS, _FINALLY = 3, 2, 4  # of learning; how often tags and acts argue in each, and at last
_NO_TAG, _USUAL = 0.06, 10.0  # that a piece has no tag that is ever heard, and acts that this is worth
_TRUST = 5.0  # the most that tags say of an exchange (log-odds): those in one hand share their shadows
_SEEN = 0.02  # beliefs below are not told
_BY_CHANCE = 0.02  # weight of what is put back having been taken unseen, against one shopper having taken it
_ALIKE = 0.05  # chance that two acts are of one product, from which the one may undo the other


@dataclass(frozen=True)
class Options:
    """What the method may use; all by default. For studies of what each part is worth."""

    plates: bool = True
    reads: bool = True
    relink: bool = True


def fuse(sensors: Sensors, options: Options | None = None) -> Attribution:
    """Say who left with what.

    Parameters
    ----------
    sensors : Sensors
    options : Options, optional

    Returns
    -------
    Attribution

    Raises
    ------
    ValueError, KeyError
        As in `prepare`: what devices tell lacks a column or holds what it should not.
    """
    return fuse_scene(prepare(sensors), options)


def fuse_scene(scene: Scene, options: Options | None = None) -> Attribution:
    """As `fuse`, of a day made ready."""
    chosen = options or Options()
    if not len(scene.identity.shoppers) or not len(scene.identity.pieces):  # nobody is known, or nobody was seen
        return attribute(pd.DataFrame(columns=BELIEFS))
    acts = find_acts(scene, chosen.plates)
    if not chosen.reads or not len(scene.sensors.reads) or not len(acts.table):
        return _tell(scene, acts, acts.tracks @ scene.identity.beliefs, [], np.zeros((0, 0)), np.ones(len(acts.table)))
    day, identity = Day.of(scene, acts), scene.identity
    curves, without = hearing.first_guess(scene.sensors.antennas), _NO_TAG
    for _ in range(_ROUNDS):
        argued, curves = day.follow(identity, curves, without, _SWEEPS)
        without = _share_without(acts, argued.unheard)
        if chosen.relink:
            identity = scene.identity.learn(argued.turned.clip(-_TRUST, _TRUST))
    found, _ = day.follow(identity, curves, without, _FINALLY)
    last = found.last @ identity.beliefs[:, :-1]
    return _tell(scene, acts, acts.tracks @ identity.beliefs, day.moved, last, found.unheard)


def _share_without(acts: Acts, unheard: NDArray[np.float64]) -> float:
    """Share of pieces that no tag answers for, by what the day tells and some acts' worth of what is usual."""
    real = np.where(acts.table["sign"] < 0, acts.table["real"], 0.0)
    return float((real @ unheard + _USUAL * _NO_TAG) / (real.sum() + _USUAL))


def _tell(scene: Scene, acts: Acts, people: NDArray, moved: list[int], last: NDArray, unheard: NDArray) -> Attribution:
    """Put beliefs of tags, and of things without one, into tables."""
    shoppers, names = scene.identity.shoppers, scene.sensors.products["product"].to_numpy()
    rows = []
    for tag, chances in zip(moved, last, strict=True):
        epc, product = scene.tags["epc"].iloc[tag], scene.tags["product"].iloc[tag]
        rows += [(epc, product, int(shoppers[who]), float(chances[who])) for who in np.flatnonzero(chances > _SEEN)]
    rows += _things_without_tags(acts, people[:, : len(shoppers)], unheard, shoppers, names)
    beliefs = pd.DataFrame(rows, columns=["item", "product", "shopper", "probability"])
    return attribute(beliefs, as_events(acts, people[:, : len(shoppers)], scene), charge_expected(beliefs))


def _things_without_tags(
    acts: Acts, people: NDArray, unheard: NDArray, shoppers: NDArray, names: NDArray
) -> list[tuple[str, str, int, float]]:
    """What was taken and no tag answers for: less what was put back."""
    product = acts.products.argmax(axis=1)
    kept = keep_takes(acts, people, unheard)
    return [
        (f"{SEEN}{act}", str(names[product[act]]), int(shoppers[who]), float(kept[act] * people[act, who]))
        for act in np.flatnonzero(kept > _SEEN)
        for who in np.flatnonzero(kept[act] * people[act] > _SEEN)
    ]


def keep_takes(acts: Acts, people: NDArray[np.float64], unheard: NDArray[np.float64]) -> NDArray[np.float64]:
    """Tell how probably each act was a take that nobody put back.

    What is put back was taken before, so earlier takes share it, by how alike the products and the shoppers are: where
    only one can have been, it was that one, however unsure it is whose hands these were.

    Parameters
    ----------
    acts : Acts
    people : array (acts, shoppers)
        Probability that it was each.
    unheard : array (acts,)
        Probability that no tag answers for it.

    Returns
    -------
    array (acts,)
        0 for what was put back.
    """
    sign, left = acts.table["sign"].to_numpy(), unheard * acts.table["real"].to_numpy()
    kept = np.where(sign < 0, left, 0.0)
    for back in np.flatnonzero(sign > 0):
        alike = acts.products @ acts.products[back]
        before = np.flatnonzero((sign < 0) & (alike > _ALIKE) & (np.arange(len(sign)) < back) & (kept > 0.01))
        same = (people[before] @ people[back]) * alike[before] * kept[before]
        kept[before] = np.maximum(kept[before] - left[back] * same / (same.sum() + _BY_CHANCE), 0.0)
    return kept
