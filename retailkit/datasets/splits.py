"""Splits that test on nothing that was seen: whole groups of near-duplicates on one side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from retailkit.datasets import lookalikes
from retailkit.datasets.catalogue import DataError
from retailkit.datasets.photos import ImageSet, chance
from retailkit.datasets.reading import inspect_photo


def split(images: ImageSet, test: float = 0.3, seed: int = 0) -> tuple[ImageSet, ImageSet]:
    """Split into training and test photographs by whole groups, so that none is tested on what it learned.

    Groups are ordered by chance (seed and file names alone decide, not the order of files) and the first
    ones are tested on; then groups change sides while that brings photographs and boxes of every class closer to
    the share. A few new photographs therefore move few others.

    Parameters
    ----------
    images : ImageSet
    test : float
        Share of the photographs to test on, between 0 and 1.
    seed : int
        Another seed, another split.

    Returns
    -------
    tuple of ImageSet
        Training and test photographs; together all of them, no group on both sides.

    Raises
    ------
    DataError
        A share outside 0 to 1, or only one group, which cannot be split honestly.
    """
    if not 0 < test < 1:
        raise DataError(f"test is {test!r}; a share between 0 and 1 is needed, for example 0.3")
    photos = images.photos
    if photos["group"].nunique() < 2:
        raise DataError(
            f"all {len(photos)} photographs of {images.name} are one group (one scene or video): whatever is "
            "learned on a part was seen in the rest, so they cannot be split honestly"
        )
    order, content = _group_content(images, seed)
    tested = _balance(content, test)
    names = set(photos.loc[photos["group"].isin(order[tested]), "photo"])
    return images.subset(set(photos["photo"]) - names), images.subset(names)


def _group_content(images: ImageSet, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Groups in an order by chance; per group the share of all photographs, and of each class's boxes, it holds."""
    photos = images.photos.assign(chance=[chance(seed, photo) for photo in images.photos["photo"]])
    order = photos.groupby("group")["chance"].min().sort_values().index.to_numpy()
    group_of = photos.set_index("photo")["group"]
    counts = pd.crosstab(images.boxes["photo"].map(group_of), images.boxes["class_name"])
    counts = counts.reindex(order, fill_value=0)
    counts.insert(0, "photos", photos.groupby("group").size())
    return order, (counts / counts.sum()).to_numpy(float)


def _balance(content: np.ndarray, share: float) -> np.ndarray:
    """Choose rows whose sums come close to `share` in every column; bool, at least one row on either side."""
    tested = np.cumsum(content[:, 0]) <= share
    if not tested.any():
        tested[np.argmin(np.abs(content[:, 0] - share))] = True
    for _ in range(len(content)):
        total = content[tested].sum(axis=0)
        change = np.where(tested[:, None], -content, content)
        loss = ((total + change - share) ** 2).sum(axis=1)
        if tested.sum() == 1:
            loss[tested] = np.inf
        if (~tested).sum() == 1:
            loss[~tested] = np.inf
        now = ((total - share) ** 2).sum()
        # One in a hundred is close enough: every further change would make the split less stable.
        if np.abs(total - share).max() <= 0.01 or loss.min() >= now:
            break
        tested[np.argmin(loss)] ^= True
    return tested


def leakage(train: ImageSet, test: ImageSet) -> pd.DataFrame:
    """Find the test photographs that show what a training photograph shows, mirrored or not.

    Returns
    -------
    DataFrame
        One row per leaking test photograph: photo, twin (the closest training photograph), bits (of 512 that
        differ), mirrored. Its length is the number of leaks; 0 is what `split` promises.
    """
    found = lookalikes.pairs(_prints(test), _prints(train)).sort_values(["bits", "second"], kind="stable")
    found = found.drop_duplicates("first").sort_values("first", ignore_index=True)
    return pd.DataFrame({
        "photo": test.photos["photo"].to_numpy()[found["first"]],
        "twin": train.photos["photo"].to_numpy()[found["second"]],
        "bits": found["bits"],
        "mirrored": found["mirrored"],
    })  # fmt: skip


def describe_split(train: ImageSet, test: ImageSet, seed: int = 0) -> pd.DataFrame:
    """Tabulate what is on either side, and how many photographs have a twin on the training side.

    Parameters
    ----------
    train, test : ImageSet
        As `split` gives them.
    seed : int
        Draws the split photograph by photograph that the last row shows for comparison.

    Returns
    -------
    DataFrame
        A row for training, one for kept back, one for photographs kept back without regard to groups: photographs,
        groups, boxes of each class, and `twins in training`.
    """
    everything = sorted([*train.photos["photo"], *test.photos["photo"]], key=lambda photo: chance(seed, photo))
    careless = set(everything[: len(test)])
    sides = {"training": train, "kept back": test}
    rows = [_side(name, side, 0 if side is train else len(leakage(train, test))) for name, side in sides.items()]
    whole = pd.concat([train.photos, test.photos], ignore_index=True)
    alone = whole.loc[~whole["photo"].isin(careless), "group"]
    leaked = int(whole.loc[whole["photo"].isin(careless), "group"].isin(alone).sum())
    careless_row = {"side": "kept back, had groups been ignored", "photographs": len(careless)}
    rows.append(careless_row | {"twins in training": leaked})
    return pd.DataFrame(rows).convert_dtypes()


def _side(name: str, images: ImageSet, twins: int) -> dict[str, object]:
    facts = images.profile()
    boxes = {f"{label} boxes": facts[f"boxes_{label}"] for label in images.names}
    return {"side": name, "photographs": len(images), "groups": facts["groups"], **boxes, "twins in training": twins}


def _prints(images: ImageSet) -> lookalikes.Prints:
    if images.prints is not None:
        return images.prints
    return lookalikes.Prints.stack([inspect_photo(Path(path))[4] for path in images.photos["path"]])
