"""On which fixture a tag hangs: read off walks through the store in which the fixtures of other tags are known.

    probabilities = locate_tags(reads, known)              # a row for each other tag, a column for each fixture
    locate = read_density(reads)                           # the same, prepared to be used time and again

A tag that hangs beside another answers at the same moments of a walk, and as strongly. So the known tags of a fixture
say when and how strongly a tag of that fixture is read, walk by walk, and each read of an unknown tag is held against
that. Nothing need be known of the way of the reader or of the signal. `reads` has columns walk, time (seconds), epc and
rssi (dBm); `known` gives the fixture, or the place, of tags by their epc.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, sparse, special
from scipy.spatial import distance

from retailkit.datasets.tables import need_columns

Locator = Callable[[pd.Series, pd.Index], pd.DataFrame]  # known places and tags to place: (tags, places) probabilities
_CUT = 3.0  # standard deviations after which a read says nothing of another
_LEAST = 1e-12


@dataclass(frozen=True)
class Reach:
    """How near two reads must be for one to stand for the other.

    Attributes
    ----------
    seconds, decibels : float
        Standard deviations of the Gaussian kernel.
    background : float, 0 to 1
        Share of reads that come from anywhere: a reflection, a tag that was moved.
    """

    seconds: float = 0.15
    decibels: float = 4.0
    background: float = 0.1


REACHES = tuple(Reach(seconds, decibels) for seconds in (0.1, 0.15, 0.25) for decibels in (3.0, 4.0, 6.0))


@dataclass(frozen=True, eq=False)
class _Walk:
    """The reads of one walk: the tag of each (its number), nearness (reads, reads), and tags by reads (0 or 1)."""

    tag: NDArray[np.intp]
    near: sparse.csr_matrix
    of: sparse.csr_matrix


def locate_tags(
    reads: pd.DataFrame,
    known: pd.Series,
    tags: Sequence[str] | pd.Index | None = None,
    reaches: Sequence[Reach] = REACHES,
) -> pd.DataFrame:
    """Say how probable each place is for each tag, from where other tags are known to be.

    >>> reads = pd.DataFrame({"walk": 1, "time": [0.0, 0.1, 5.0, 5.1, 0.05], "epc": list("abcdx"), "rssi": -60.0})
    >>> known = pd.Series({"a": "door", "b": "door", "c": "wall", "d": "wall"})
    >>> locate_tags(reads, known).idxmax(axis=1)["x"]
    'door'

    Parameters
    ----------
    reads : DataFrame with walk, time (seconds), epc, rssi (dBm)
    known : Series
        Place of each known tag; index epc.
    tags : epcs, optional
        Whom to place; by default all that were read and are not known. A tag that was never read may be anywhere.
    reaches : list of Reach
        That by which the known tags are found best, each without itself, is taken.

    Returns
    -------
    DataFrame (tags, places)
        Probabilities, each row summing to 1; ``attrs`` hold the reach and the temper that were taken.

    Raises
    ------
    ValueError
        A tag is known twice, known and asked for, or fewer than two places are known.

    Notes
    -----
    Each read of a tag is a draw from the density, over time and rssi, of the reads of its fixture in that walk. The
    density is a kernel estimate (Parzen 1962). Log densities are summed over the reads of a tag as if they were
    independent (naive Bayes), and, as they are not, multiplied by one factor, the temper, that makes the known tags
    most likely, each without itself (temperature scaling: Guo, Pleiss, Sun & Weinberger 2017). Places are equally
    likely beforehand, and a tag that hangs at none of them is given one all the same. Time and memory grow with the
    pairs of reads that are within three standard deviations of each other in time.
    """
    wanted = pd.Index(reads["epc"].unique()).difference(known.index, sort=False) if tags is None else pd.Index(tags)
    return read_density(reads, reaches)(known, wanted)


def read_density(reads: pd.DataFrame, reaches: Sequence[Reach] = REACHES) -> Locator:
    """Prepare walks once, to locate with `locate_tags`' method time and again.

    Parameters
    ----------
    reads, reaches
        As in `locate_tags`.

    Returns
    -------
    function of known (Series) and tags (Index)
        What `locate_tags` returns.

    Raises
    ------
    ValueError
        A column is missing, or a time or rssi is no number.
    """
    _check_reads(reads)
    codes, names = pd.factorize(reads["epc"])
    epcs = pd.Index(names)
    prepared = [(reach, _near(reads, codes, len(epcs), reach)) for reach in reaches]

    def locate(known: pd.Series, tags: pd.Index) -> pd.DataFrame:
        places = _check_known(known, tags)
        number = _numbers(places, known, epcs)
        fits = [(_fit(walks, number, len(places), reach.background), reach) for reach, walks in prepared]
        (_, temper, scores), reach = min(fits, key=lambda fit: fit[0][0])
        asked = np.vstack([scores, np.zeros(len(places))])[epcs.get_indexer(tags)]  # the last row: never read
        found = pd.DataFrame(special.softmax(temper * asked, axis=1), index=tags, columns=places)
        found.attrs = {"reach": reach, "temper": temper}
        return found

    return locate


def _numbers(places: pd.Index, known: pd.Series, epcs: pd.Index) -> NDArray[np.intp]:
    """Number of the place of each tag that was read; -1 where it is not known."""
    number = np.append(places.get_indexer(pd.Index(known)), -1)
    return number[known.index.get_indexer(epcs)]


def _check_reads(reads: pd.DataFrame) -> None:
    need_columns(reads, ("walk", "time", "epc", "rssi"), "reads")
    wrong = reads[~np.isfinite(reads[["time", "rssi"]]).all(axis=1)]
    if len(wrong):
        raise ValueError(
            f"reads: row {wrong.index[0]} has time {wrong['time'].iloc[0]} and rssi {wrong['rssi'].iloc[0]}"
        )


def _check_known(known: pd.Series, tags: pd.Index) -> pd.Index:
    """Check what is known, and give its places in order."""
    if known.index.has_duplicates:
        raise ValueError(f"known: tag {known.index[known.index.duplicated()][0]!r} stands there twice; once is needed")
    if len(both := tags.intersection(known.index)):
        raise ValueError(f"tags: the place of {both[0]!r} is known; ask for others")
    places = pd.Index(sorted(known.dropna().unique()), name=known.name or "place")
    if len(places) < 2:
        raise ValueError(f"known: {len(places)} places; two or more are needed to tell one from another")
    return places


def _near(reads: pd.DataFrame, codes: NDArray[np.intp], tags: int, reach: Reach) -> list[_Walk]:
    """How near each read of a walk is to each other tag's reads in time and strength, 0 to 1."""
    walks = []
    for found in reads.groupby("walk").indices.values():
        rows = np.asarray(found)
        rows = rows[np.argsort(reads["time"].to_numpy()[rows], kind="stable")]
        time, rssi, tag = (column[rows] for column in (reads["time"].to_numpy(), reads["rssi"].to_numpy(), codes))
        one, other = _pairs(time, tag, _CUT * reach.seconds)
        apart = ((time[one] - time[other]) / reach.seconds) ** 2 + ((rssi[one] - rssi[other]) / reach.decibels) ** 2
        size = len(rows)
        near = sparse.csr_matrix((np.exp(-apart / 2), (one, other)), shape=(size, size))
        of = sparse.csr_matrix((np.ones(size), (tag, np.arange(size))), shape=(tags, size))
        walks.append(_Walk(tag, near, of))
    return walks


def _pairs(time: NDArray, tag: NDArray, most: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs of reads of different tags within a time of each other, both ways round."""
    first, last = np.searchsorted(time, time - most), np.searchsorted(time, time + most, side="right")
    many = last - first
    one = np.repeat(np.arange(len(time)), many)
    other = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many - first, many)
    apart = tag[one] != tag[other]
    return one[apart], other[apart]


def _fit(walks: list[_Walk], number: NDArray, places: int, background: float) -> tuple[float, float, NDArray]:
    """Log loss over the known tags, each without itself; the temper that makes it least; and scores (tags, places)."""
    scores = sum((_scores(walk, number, places, background) for walk in walks), np.zeros((len(number), places)))
    told = np.flatnonzero(number >= 0)
    if not len(told):
        raise ValueError("known: none of these tags was ever read, so nothing says how their places sound")

    def loss(log: float) -> float:
        chances = special.log_softmax(np.exp(log) * scores[told], axis=1)
        return float(-chances[np.arange(len(told)), number[told]].mean())

    best = optimize.minimize_scalar(loss, bounds=(-6, 3), method="bounded")
    return float(best.fun), float(np.exp(best.x)), scores


def _scores(walk: _Walk, number: NDArray, places: int, background: float) -> NDArray[np.float64]:
    """Log density of each tag's reads at each place (tags, places): by the other tags' reads only."""
    mine = number[walk.tag]
    at = sparse.csr_matrix(
        (np.ones((mine >= 0).sum()), (np.flatnonzero(mine >= 0), mine[mine >= 0])), (len(mine), places)
    )
    own = (walk.of @ at).toarray()[walk.tag]
    others = np.asarray(at.sum(axis=0)) - own
    density = (walk.near @ at).toarray() / np.maximum(others, 1)
    anywhere = np.asarray(walk.near.sum(axis=1)).reshape(-1, 1) / len(mine)
    return walk.of @ np.log((1 - background) * density + background * anywhere + _LEAST)


def nearest_neighbour(reads: pd.DataFrame) -> Locator:
    """Prepare the baseline: a tag is where the known tag is whose walks look most alike (Cover & Hart 1967).

    They are alike where the moments of the strongest reads differ little: seconds, summed over the walks. A tag that
    was not read in a walk is given the mean moment of the others. The nearest one's place gets probability 1; a tag
    that was never read may be anywhere.

    Parameters
    ----------
    reads : DataFrame with walk, time (seconds), epc, rssi (dBm)

    Returns
    -------
    function of known (Series) and tags (Index)
        As that of `read_density`.
    """
    _check_reads(reads)
    strongest = reads.sort_values("rssi", kind="stable").drop_duplicates(["epc", "walk"], keep="last")
    times = strongest.pivot(index="epc", columns="walk", values="time")
    times = times.fillna(times.mean())

    def locate(known: pd.Series, tags: pd.Index) -> pd.DataFrame:
        places = _check_known(known, tags)
        given = known[known.index.isin(times.index)]
        apart = distance.cdist(times.reindex(tags), times.reindex(given.index), "cityblock")
        nearest = np.nan_to_num(apart, nan=np.inf).argmin(axis=1)
        chances = np.eye(len(places))[places.get_indexer(pd.Index(given))[nearest]]
        chances[~tags.isin(times.index)] = 1 / len(places)
        return pd.DataFrame(chances, index=tags, columns=places)

    return locate
