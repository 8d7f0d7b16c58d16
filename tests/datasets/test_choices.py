"""Tables of choices are read from R and from CSV, under names that do not matter."""

import pandas as pd
import pytest

from retailkit.datasets import DataError, check
from retailkit.datasets.choices import read_choices

ROWS = pd.DataFrame(
    {
        "id": [1.0, 1.0, 2.0, 2.0], "obsID": [1.0, 1.0, 2.0, 2.0], "alt": [1.0, 2.0, 1.0, 2.0],
        "choice": [1.0, 0.0, 0.0, 1.0], "price": [8.1, 6.1, 7.5, 6.0], "brand": ["a", "b", "a", "b"],
    }
)  # fmt: skip


@pytest.fixture
def shop(tmp_path, monkeypatch):
    folder = tmp_path / "data" / "tea_choices"
    folder.mkdir(parents=True)
    monkeypatch.setenv("RETAILKIT_DATA", str(folder.parent))
    return folder


def write_rda(path, **tables):
    rdata = pytest.importorskip("rdata")
    rdata.write_rda(path, {name: table.astype({"brand": object}) for name, table in tables.items()})


@pytest.mark.parametrize("kind", ["csv", "rda"])
def test_a_table_is_read_by_its_name(shop, kind):
    ROWS.to_csv(shop / "tea.csv", index=False) if kind == "csv" else write_rda(shop / "tea.rda", tea=ROWS)
    table = read_choices("tea_choices")
    assert table.choices.columns.tolist() == ["situation", "household", "alternative", "chosen", "price"]
    assert table.choices.iloc[0].tolist() == [1, 1, "a", 1, 8.1] and table.choices["chosen"].dtype == int
    assert table.profile() == {"situations": 2, "alternatives": 2, "households": 2}
    assert (table.name, table.cluster, table.attributes) == ("tea_choices", "household", ["price", "alternative"])
    assert len(table.digest) == 64


def test_ones_own_names_are_kept(shop):
    own = ROWS.rename(columns={"obsID": "situation", "brand": "alternative", "choice": "chosen"}).drop(columns="id")
    own[:3].to_csv(shop / "tea.csv", index=False)
    table = read_choices(shop)
    assert table.cluster is None and table.profile()["households"] == 0
    assert table.attributes == ["price"], "an alternative that is not in every set has no constant of its own"


def test_what_is_at_hand_serves_where_nothing_is_named():
    kept = pd.DataFrame(
        {"situation": [1, 1], "visit": [5, 5], "alternative": ["a", "b"], "chosen": [1, 0], "price": 1.0}
    )
    table = read_choices("", otherwise=kept, mistaken=0.1)
    assert table.choices is kept and table.name == "this store" and table.mistaken == 0.1
    assert (table.cluster, table.attributes) == ("visit", ["price", "alternative"])
    assert table.digest == read_choices("", otherwise=kept.copy()).digest


def test_what_is_no_table_of_choices_is_refused(shop):
    with pytest.raises(DataError, match=r"holds 0 tables \(.rda, .csv\); one is needed"):
        read_choices("tea_choices")
    ROWS.drop(columns=["choice"]).to_csv(shop / "tea.csv", index=False)
    with pytest.raises(DataError, match=r"tea\.csv has no column chosen; it has household, situation"):
        read_choices("tea_choices")
    (shop / "tea.csv").write_text("")
    with pytest.raises(DataError, match=r"tea\.csv is no table that can be read"):
        read_choices("tea_choices")
    (shop / "tea.csv").rename(shop / "tea.rda").write_text("not R at all")
    with pytest.raises(DataError, match=r"tea\.rda is no file of R's that can be read"):
        read_choices("tea_choices")
    write_rda(shop / "tea.rda", one=ROWS, other=ROWS)
    with pytest.raises(DataError, match="holds 2 tables; one is needed"):
        read_choices("tea_choices")
    with pytest.raises(DataError, match="there is no dataset 'coffee_choices'"):
        read_choices("coffee_choices")


def test_yogurt_as_its_card_says(real_data):
    table = read_choices("yogurt")
    assert table.profile() == {"situations": 2412, "alternatives": 4, "households": 100}
    assert table.attributes == ["price", "feat", "alternative"]
    assert "households              100" in check("yogurt")
