"""Two image sets as one: to train on both, without a photograph of one standing beside its twin in the other."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pandas as pd

from retailkit.datasets import lookalikes
from retailkit.datasets.catalogue import Card, DataError
from retailkit.datasets.photos import ImageSet


def join(first: ImageSet, second: ImageSet) -> ImageSet:
    """Put two image sets together.

    >>> both = join(load("persons_pennfudan"), load("persons_coco"))               # doctest: +SKIP
    >>> train, test = split(both)                                                  # doctest: +SKIP

    Classes of the same name are one class. Photographs that show the same, also where one is of the first set and the
    other of the second, are one group, so `split` keeps them on one side. What was set aside in either stays listed.

    Parameters
    ----------
    first, second : ImageSet
        No photograph of the one may have the name of one of the other: names tell photographs apart in every result.

    Returns
    -------
    ImageSet
        Photographs of the first, then of the second; its page may show photographs if both sets' may.

    Raises
    ------
    DataError
        Two photographs with one name, or a set without fingerprints, whose twins could not be found.
    """
    sets = (first, second)
    _refuse_same_names(first, second)
    for images in sets:
        if images.prints is None:
            raise DataError(f"{images.name} has no fingerprints to find twins by: read it with load()")
    names = tuple(dict.fromkeys([*first.names, *second.names]))
    photos = pd.concat([images.photos for images in sets], ignore_index=True)
    prints = lookalikes.Prints.join([images.prints for images in sets if images.prints is not None])
    labels = [f"{number} {group}" for number, images in enumerate(sets) for group in images.photos["group"]]
    boxes = pd.concat([images.boxes for images in sets], ignore_index=True)
    return ImageSet(
        name=f"{first.name}+{second.name}",
        folder=first.folder,
        card=_card(first, second, names),
        names=names,
        photos=photos.assign(group=lookalikes.groups(prints, labels)),
        boxes=boxes.assign(class_id=boxes["class_name"].map(names.index)),
        quarantine=pd.concat([images.quarantine for images in sets], ignore_index=True),
        digest=hashlib.sha256("\n".join(images.digest for images in sets).encode()).hexdigest(),
        note=" ".join(images.note for images in sets if images.note),
        prints=prints,
    )


def _refuse_same_names(first: ImageSet, second: ImageSet) -> None:
    """`a.jpg` and `a.png` would share the label file `a.txt`."""
    stems = [images.photos["photo"].str.rpartition(".")[0].str.casefold() for images in (first, second)]
    shared = first.photos["photo"][stems[0].isin(stems[1])]
    if len(shared):
        raise DataError(
            f"{first.name} and {second.name} both have a photograph '{shared.iloc[0]}' "
            f"({len(shared)} names in all): rename those of one set, and their label files"
        )


def _card(first: ImageSet, second: ImageSet, names: tuple[str, ...]) -> Card | None:
    """A card that says what both say; None where one has none, which shares nothing."""
    one, other = first.card, second.card
    if one is None or other is None:
        return None
    return replace(
        one,
        name=f"{one.name}+{other.name}",
        title=f"{one.title}; {other.title}",
        source=f"{one.source}; {other.source}",
        licence=f"{one.licence}; {other.licence}",
        shareable=one.shareable and other.shareable,
        names=names,
        digest="",
        quirks=one.quirks + other.quirks,
    )
