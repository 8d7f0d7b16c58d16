"""Which antennas are dead, and since when: what each hears, against what its neighbours say there is to hear.

    antennas = check_antennas(scene)
    antennas.query("verdict == 'dead'")[["antenna", "since"]]

An antenna with no tag near is silent too, and so are all when the store closes: then nobody can tell.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.lab.clustered import clustered_mean, clustered_share
from retailkit.store.fusion.departures import hear_bins
from retailkit.store.fusion.sensors import Scene
from retailkit.store.rfid.presence import Presence

_LONG = 30.0  # seconds that a dead antenna is silent at least
_LONGER = 3.0  # times as long as any silence of it before
_WORTH, _SURE = 0.3, 5.0  # of one read's evidence, and reads so counted that must be missing: chance e^-5
_WEAKER = 10.0  # times fewer reads than its neighbours that an antenna in a bad place may have
_METRE = 1.0  # metres of a step of distance between an antenna and where tags lie

ANTENNAS = [
    "antenna", "reader", "reads_per_minute", "low", "high", "share_heard", "share_low", "share_high", "expected",
    "since", "since_low", "since_high", "verdict",
]  # fmt: skip


def check_antennas(scene: Scene, presence: Presence | None = None) -> pd.DataFrame:
    """Tell which antennas are dead, and since when.

    Parameters
    ----------
    scene : Scene
    presence : Presence, optional
        As `hear_bins` gives it.

    Returns
    -------
    DataFrame
        By antenna: antenna, reader, reads_per_minute, low, high (95 % interval over minutes), share_heard (of seconds
        with a read), share_low, share_high, expected (reads per minute, from what the reader's other antennas hear of
        tags as far away as this one's are), since (seconds: from when on it is silent for good; nan where it is not),
        since_low, since_high (its last read, and when the next was due at the latest), verdict (ok; dead; cannot tell,
        where so little was to be heard that silence says nothing).

    Raises
    ------
    ValueError
        The reads lack a column, are of an antenna that the scene has not, or hold a time that is not finite.
    """
    presence = hear_bins(scene) if presence is None else presence
    counts = _counted(presence)
    expected = _expected(scene, presence, counts.sum(axis=0))
    minute = np.arange(presence.bins) // max(round(60 / presence.width), 1)
    rows = []
    for place, reader in enumerate(scene.sensors.antennas.set_index("antenna")["reader"].reindex(presence.antennas)):
        others = _others(scene, presence, place, counts.sum(axis=0))
        rate = clustered_mean(counts[:, place] * 60 / presence.width, minute)
        share = clustered_share(counts[:, place] > 0, minute)
        since, until, verdict = _silence(presence, counts[:, place], counts[:, others].sum(axis=1), expected[place])
        told = rate.value, rate.low, rate.high, share.value, share.low, share.high, expected[place]
        rows.append((int(presence.antennas[place]), reader, *told, (since + until) / 2, since, until, verdict))
    return pd.DataFrame(rows, columns=ANTENNAS)


def _counted(presence: Presence) -> NDArray[np.float64]:
    """Reads of each antenna in each bin: (bins, antennas)."""
    counts = np.zeros((presence.bins, len(presence.antennas)))
    column = np.searchsorted(presence.antennas, presence.table["antenna"].to_numpy())
    np.add.at(counts, (presence.table["bin"].to_numpy(), column), presence.table["reads"].to_numpy())
    return counts


def _others(scene: Scene, presence: Presence, place: int, total: NDArray) -> NDArray[np.intp]:
    """Antennas to compare one with: those of its reader that hear anything, or else all that do."""
    reader = scene.sensors.antennas.set_index("antenna")["reader"].reindex(presence.antennas).to_numpy()
    alive = (total > 0) & (np.arange(len(total)) != place)
    same = alive & (reader == reader[place])
    return np.flatnonzero(same if same.any() else alive)


def _expected(scene: Scene, presence: Presence, total: NDArray) -> NDArray[np.float64]:
    """Reads per minute that each antenna should have: by distance to all tags heard, as others of its reader hear them.

    Beyond the distances that those have it is 0, since nobody knows.
    """
    step, read = _distances(scene, presence), _read(presence)
    minutes = max(presence.bins * presence.width / 60, 1e-9)
    found = np.zeros(len(total))
    known = (step[:, 0] >= 0) & read.any(axis=1)
    for place in range(len(total)):
        others = _others(scene, presence, place, total)
        where = step[known][:, others].ravel()
        heard = np.bincount(where, read[known][:, others].ravel(), step.max(initial=0) + 1)
        number = np.bincount(where, minlength=len(heard))
        found[place] = (heard / np.maximum(number, 1))[step[known, place]].sum() / minutes
    return found


def _distances(scene: Scene, presence: Presence) -> NDArray[np.intp]:
    """Steps of distance from where each tag should lie to each antenna: (tags, antennas); -1 without a known place."""
    places = scene.sensors.planogram.drop_duplicates("product").set_index("product")[["x", "y", "height"]]
    lies = places.reindex(scene.tags["product"]).to_numpy(float)
    hung = scene.sensors.antennas.set_index("antenna")[["x", "y", "z"]].reindex(presence.antennas).to_numpy(float)
    away = np.sqrt(((lies[:, None] - hung[None]) ** 2).sum(axis=2))
    return np.asarray(np.where(np.isfinite(away), away / _METRE, -1).astype(np.intp))


def _read(presence: Presence) -> NDArray[np.float64]:
    """Reads of each tag by each antenna: (tags, antennas)."""
    read = np.zeros((len(presence.tags), len(presence.antennas)))
    column = np.searchsorted(presence.antennas, presence.table["antenna"].to_numpy())
    np.add.at(read, (presence.table["epc"].cat.codes.to_numpy(), column), presence.table["reads"].to_numpy())
    return read


def _silence(
    presence: Presence, own: NDArray[np.float64], others: NDArray[np.float64], expected: float
) -> tuple[float, float, str]:
    """From when an antenna is silent for good: last read, when the next was due at the latest, and the verdict."""
    heard = np.flatnonzero(own)
    last = int(heard[-1]) if len(heard) else -1
    gap = int(np.diff(heard, prepend=-1).max()) if len(heard) else 0
    silent = presence.bins - 1 - last
    if len(heard):
        missing = own.sum() * others[last + 1 :].sum() / max(others[: last + 1].sum(), 1)
    else:
        missing = expected / _WEAKER * presence.bins * presence.width / 60
    due = presence.start + presence.width * (last + 1)
    if silent * presence.width >= _LONG and silent > _LONGER * gap and _WORTH * missing > _SURE:
        return due, due + gap * presence.width, "dead"
    return np.nan, np.nan, "ok" if len(heard) else "cannot tell"
