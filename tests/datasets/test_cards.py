"""Cards: the ones that retailkit brings are whole, and a wrong one says what is wrong with it."""

import pytest

from retailkit import datasets
from retailkit.datasets import DataError
from retailkit.datasets.catalogue import read_card

GOOD = """\
name: shop
title: A shop
kind: yolo
names: [empty, disorganized]
source: us
licence: ours
shareable: true
"""


@pytest.fixture
def card_with(tmp_path):
    def write(text, name="shop"):
        path = tmp_path / f"{name}.yaml"
        path.write_text(text)
        return path

    return write


def test_every_card_of_the_house_is_whole(house, monkeypatch):
    monkeypatch.delenv("RETAILKIT_DATA", raising=False)
    table = datasets.cards()
    real = {"shelf_gaps", "shelf_rows", "shelf_products", "persons_pennfudan", "persons_coco"}
    assert real <= set(table["name"])
    assert not table.set_index("name").loc[sorted(real), "shareable"].any()  # photographs made by others
    walkers = {"tracks_ucy", "tracks_eth", "tracks_wildtrack", "video"}
    assert walkers <= set(table["name"])
    for name in real | walkers:
        known = datasets.card(name)
        assert " @ " in known.source and known.licence and known.obtain and len(known.digest) == 64
        assert name in known.obtain and "RETAILKIT_DATA" in known.obtain


@pytest.mark.parametrize("kind", ["tracks", "video"])
def test_what_shows_no_boxes_needs_no_class_names(card_with, kind):
    text = GOOD.replace("kind: yolo", f"kind: {kind}").replace("names: [empty, disorganized]\n", "")
    assert read_card(card_with(text)).names == ()


def test_a_good_card(card_with):
    known = read_card(card_with(GOOD))
    assert (known.names, known.shareable, known.url) == (("empty", "disorganized"), True, "")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("name: ../shop", "small letters"),
        ("name: Shop", "small letters"),
        ("name: other", "the file is called shop.yaml"),
        ("kind: tables", "'tables'; accepted are yolo, simulated"),
        ("names: []", "names is empty"),
        ("names: [a, a]", "twice"),
        ("names: empty", "list is needed"),
        ("shareable: yes please", "bool is needed"),
        ("licence: 3", "str is needed"),
        ("url: https://example.org/a.zip", "needs a sha256 of 64"),
        ("url: file:///etc/passwd\nsha256: " + "a" * 64, "http or https"),
        ("inside: ../../etc", "a folder within the archive"),
        ("inside: /etc", "a folder within the archive"),
        ("kind: simulated", "retailkit.simulate.<module>:<function>"),
        ("kind: simulated\nsimulator: os:system", "retailkit.simulate.<module>:<function>"),
        ("group_by: '(['", "regular expression"),
        ("group_by: abc", "one bracket"),
        ("lisense: ours", "unknown field 'lisense': did you mean 'licence'?"),
        ("title: [", "no readable YAML"),
    ],
)
def test_a_wrong_card_says_what_is_wrong(card_with, line, words):
    fields = dict(part.split(":", 1) for part in [*GOOD.splitlines(), *line.splitlines()])
    path = card_with("\n".join(f"{key}:{value}" for key, value in fields.items()))
    with pytest.raises(DataError) as caught:
        read_card(path)
    assert words in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize("missing", ["title", "names", "source", "licence", "shareable"])
def test_a_missing_field_is_named(card_with, missing):
    text = "\n".join(line for line in GOOD.splitlines() if not line.startswith(missing))
    with pytest.raises(DataError, match=f"lacks {missing}"):
        read_card(card_with(text))


def test_a_card_that_is_no_table(card_with):
    with pytest.raises(DataError, match="'field: value' lines"):
        read_card(card_with("- a\n- b\n"))


def test_an_unknown_name_gets_the_nearest(house):
    with pytest.raises(DataError, match=r"no dataset 'shelf_gap'\. Did you mean 'shelf_gaps'\?"):
        datasets.card("shelf_gap")


def test_the_project_s_own_card_comes_first(house):
    (house / "datasets" / "shelf_gaps.yaml").write_text(GOOD.replace("shop", "shelf_gaps", 1))
    assert datasets.card("shelf_gaps").source == "us"
