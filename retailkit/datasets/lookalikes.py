"""Photographs that show the same: near-duplicates, mirrored ones too, found by perceptual hash.

Each photograph gets 512 bits: a 256-bit perceptual hash (signs of low cosine frequencies; Zauner, 2010) and a
256-bit difference hash (is a point brighter than its neighbour), so neither alone decides. Shelves look alike
in their lowest frequencies, which makes the usual 64-bit hashes merge different shelves. A pair closer than
`NEAR_BITS` is then confirmed by the correlation of its 32 × 32 thumbnails.

The limits were chosen on 999 photographs of five sets, looking at the pairs around them: unrelated
photographs differ in 247 bits (standard deviation 12). Up to 181 bits every pair with a correlation above 0.5
was one scene; pairs from 183 bits up were different scenes but for one shelf seen from two sides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

NEAR_BITS = 184
NEAR_CORRELATION = 0.5
SIDE = 64  # what a 16 × 16 perceptual hash reads
THUMBNAIL = 32
_BLOCK = 512  # rows compared at once: 512 × 12,000 distances are 12 MB
_CHUNK = 16_384  # thumbnails compared at once: 64 MB as 32-bit floats
_PAIR = {"first": int, "second": int, "bits": int, "mirrored": bool}


@dataclass(frozen=True)
class Prints:
    """Fingerprints of photographs.

    Attributes
    ----------
    bits, mirrored : array (photos, 8) of uint64
        The 512 bits of each photograph, and of its mirror image.
    thumbnails : array (photos, 1024) of uint8
        Grey 32 × 32 thumbnails, row by row.
    """

    bits: np.ndarray
    mirrored: np.ndarray
    thumbnails: np.ndarray

    def take(self, rows: Sequence[int] | np.ndarray) -> Prints:
        """Keep some photographs, in the order given."""
        index = np.asarray(rows, dtype=int)
        return Prints(self.bits[index], self.mirrored[index], self.thumbnails[index])

    @classmethod
    def stack(cls, rows: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Prints:
        """Put the fingerprints of single photographs together."""
        if not rows:
            return cls(np.empty((0, 8), "u8"), np.empty((0, 8), "u8"), np.empty((0, THUMBNAIL**2), "u1"))
        return cls(*(np.stack(column) for column in zip(*rows, strict=True)))

    @classmethod
    def join(cls, parts: Sequence[Prints]) -> Prints:
        """Put the fingerprints of several sets one after the other."""
        columns = zip(*((part.bits, part.mirrored, part.thumbnails) for part in parts), strict=True)
        return cls(*(np.concatenate(column) for column in columns))


def fingerprint(photo: Image.Image) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fingerprint one photograph: its bits, its mirror image's bits, its thumbnail (see `Prints`)."""
    grey = photo.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    thumbnail = np.asarray(grey.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX), np.uint8).ravel()
    return _bits(grey), _bits(ImageOps.mirror(grey)), thumbnail


def _bits(grey: Image.Image) -> np.ndarray:
    import imagehash

    both = (imagehash.phash(grey, hash_size=16).hash, imagehash.dhash(grey, hash_size=16).hash)
    return np.packbits(np.concatenate([part.ravel() for part in both])).view(np.uint64)


def pairs(one: Prints, other: Prints) -> pd.DataFrame:
    """Find every near-duplicate pair between two sets of photographs.

    Returns
    -------
    DataFrame
        first, second (row numbers), bits (of 512 that differ), mirrored (bool).
    """
    found = [table[_confirm(one, other, table)] for table in _candidates(one, other)]
    return pd.concat([pd.DataFrame(columns=list(_PAIR)).astype(_PAIR), *found], ignore_index=True)


def _candidates(one: Prints, other: Prints) -> Iterator[pd.DataFrame]:
    """Pairs whose bits are close, a block of rows at a time."""
    for start in range(0, len(one.bits), _BLOCK):
        bits = one.bits[start : start + _BLOCK]
        plain, mirrored = _distance(bits, other.bits), _distance(bits, other.mirrored)
        nearest = np.minimum(plain, mirrored)
        first, second = np.nonzero(nearest <= NEAR_BITS)
        flipped = mirrored[first, second] < plain[first, second]
        values = (start + first, second, nearest[first, second].astype(int), flipped)
        for low in range(0, len(first), _CHUNK):
            part = slice(low, low + _CHUNK)
            yield pd.DataFrame({name: column[part] for name, column in zip(_PAIR, values, strict=True)})


def _confirm(one: Prints, other: Prints, table: pd.DataFrame) -> np.ndarray:
    """Which candidate pairs also look alike as thumbnails."""
    pictures = other.thumbnails[table["second"]].reshape(-1, THUMBNAIL, THUMBNAIL)
    flipped = table["mirrored"].to_numpy()[:, None, None]
    pictures = np.where(flipped, pictures[:, :, ::-1], pictures)
    match = _correlation(one.thumbnails[table["first"]], pictures.reshape(-1, THUMBNAIL**2))
    # Two plain white or black photographs have no correlation to speak of, but the same bits.
    return (match >= NEAR_CORRELATION) | (table["bits"].to_numpy() == 0)


def _distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Count the differing bits of each pair; word by word, so memory stays at two bytes a pair."""
    total = np.zeros((len(one), len(other)), np.uint16)
    for word in range(one.shape[1]):
        total += np.bitwise_count(one[:, word, None] ^ other[None, :, word])
    return total


def _correlation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    a = one.astype(np.float32) - one.mean(axis=1, keepdims=True)
    b = other.astype(np.float32) - other.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.divide((a * b).sum(axis=1), norm, out=np.zeros(len(a)), where=norm > 0)


def groups(prints: Prints, labels: Sequence[str] | None = None) -> np.ndarray:
    """Number the groups of photographs that show the same; a photograph alone is a group of one.

    Near-duplicates of near-duplicates are in one group, and so are photographs with the same label.

    Parameters
    ----------
    prints : Prints
        Fingerprints of n photographs.
    labels : sequence of str, optional
        What is known beforehand, one per photograph: its video, its camera.

    Returns
    -------
    array (n,) of int
        Group numbers from 0, in order of first appearance.
    """
    count = len(prints.bits)
    group = np.arange(count) if labels is None else pd.factorize(np.asarray(labels, dtype=object))[0]
    for table in _candidates(prints, prints):
        # A video of thousands of frames has millions of pairs: look only at those that would join two groups.
        table = table[group[table["first"]] != group[table["second"]]]
        table = table[_confirm(prints, prints, table)]
        if len(table):
            edges = np.column_stack([group[table["first"]], group[table["second"]]])
            group = components(edges, count)[group]
    return pd.factorize(group)[0]


def components(edges: np.ndarray, count: int) -> np.ndarray:
    """Number the connected parts of a graph with `count` nodes, in order of first appearance."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(edges), bool), (edges[:, 0], edges[:, 1])), shape=(count, count))
    return pd.factorize(connected_components(graph, directed=False)[1])[0]
