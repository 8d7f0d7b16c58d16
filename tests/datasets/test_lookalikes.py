"""Near-duplicates: found under the changes that photographs go through, and only then."""

import io

import numpy as np
import pytest
from photo_folders import scene
from PIL import Image, ImageEnhance, ImageOps

from retailkit.datasets.lookalikes import NEAR_BITS, Prints, components, fingerprint, groups, pairs


def saved(picture, quality):
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return Image.open(stream)


CHANGES = {
    "the same": lambda picture: picture,
    "mirrored": ImageOps.mirror,
    "smaller": lambda picture: picture.resize((64, 48)),
    "badly compressed": lambda picture: saved(picture, 20),
    "darker": lambda picture: ImageEnhance.Brightness(picture).enhance(0.6),
    "less contrast": lambda picture: ImageEnhance.Contrast(picture).enhance(0.6),
    "grey": lambda picture: picture.convert("L"),
    "mirrored, darker, smaller": lambda picture: ImageEnhance.Brightness(ImageOps.mirror(picture)).enhance(0.7),
    "cut a little": lambda picture: picture.crop((1, 1, 95, 71)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found(change):
    original, other = scene(1), scene(2)
    prints = Prints.stack([fingerprint(one) for one in (original, other, CHANGES[change](original))])
    assert groups(prints).tolist() == [0, 1, 0]
    (pair,) = [row for row in pairs(prints, prints).itertuples() if row.first < row.second]
    assert pair.mirrored == ("mirrored" in change)
    assert pair.bits <= NEAR_BITS


def test_different_scenes_stay_apart():
    prints = Prints.stack([fingerprint(scene(seed)) for seed in range(150)])
    assert len(np.unique(groups(prints))) == 150


def test_the_bits_are_those_of_imagehash():
    import imagehash

    grey = scene(3).convert("L").resize((64, 64), Image.Resampling.BOX)
    one, two = (fingerprint(picture)[0] for picture in (grey, ImageEnhance.Contrast(grey).enhance(0.2)))
    again = [imagehash.phash(grey, 16), imagehash.dhash(grey, 16)]
    dull = ImageEnhance.Contrast(grey).enhance(0.2)
    expected = again[0] - imagehash.phash(dull, 16) + (again[1] - imagehash.dhash(dull, 16))
    assert int(np.bitwise_count(one ^ two).sum()) == expected > 0


def test_known_labels_join_what_does_not_look_alike():
    prints = Prints.stack([fingerprint(scene(seed)) for seed in (1, 2, 1, 3)])
    assert groups(prints, ["a", "a", "b", "c"]).tolist() == [0, 0, 0, 1]


def test_plain_photographs_are_alike_but_not_like_others():
    white, black = Image.new("L", (90, 90), 255), Image.new("L", (90, 90), 255)
    prints = Prints.stack([fingerprint(one) for one in (white, black, scene(1))])
    assert groups(prints).tolist() == [0, 0, 1]


def test_a_long_still_video_is_one_group():
    one = fingerprint(scene(1))
    prints = Prints.stack([one] * 600 + [fingerprint(scene(2))])
    assert groups(prints).tolist() == [0] * 600 + [1]


def test_nothing_and_one():
    assert groups(Prints.stack([])).tolist() == []
    assert len(pairs(Prints.stack([]), Prints.stack([fingerprint(scene(1))]))) == 0
    assert components(np.array([[0, 2], [2, 3]]), 5).tolist() == [0, 1, 0, 0, 2]
