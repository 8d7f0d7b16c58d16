"""Receipts: what is charged to whom, given how surely each left with what."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some

from retailkit.store.fusion.attribution import charge_expected


def beliefs(*rows: tuple[str, str, int, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["item", "product", "shopper", "probability"])


@pytest.mark.parametrize(
    ("rows", "charged"),
    [
        ([("a", "tea", 1, 0.6), ("b", "tea", 2, 0.6)], {(1, "tea"): 1, (2, "tea"): 1}),  # each is likelier than not
        ([("a", "tea", 1, 0.49), ("a", "tea", 2, 0.48)], {(1, "tea"): 1}),  # one is gone: the likelier has it
        ([("a", "tea", 1, 0.25), ("a", "tea", 2, 0.24), ("a", "tea", 3, 0.24)], {}),  # nobody is likely enough
        ([("a", "tea", 1, 0.4), ("a", "tea", 2, 0.3)], {}),  # it may as well lie on its shelf
        ([("a", "tea", 1, 0.45), ("b", "jam", 2, 0.45)], {}),  # two of one product would be one gone, but not of two
        ([("a", "tea", 1, 0.9), ("b", "tea", 1, 0.9), ("b", "tea", 2, 0.1)], {(1, "tea"): 2}),
        ([], {}),
    ],
)
def test_what_is_gone_is_charged_to_those_who_likeliest_have_it(rows, charged):
    found = charge_expected(beliefs(*rows).astype({"shopper": int, "probability": float}))
    assert found.set_index(["shopper", "product"])["quantity"].to_dict() == charged


@given(some.lists(some.tuples(some.integers(0, 5), some.integers(0, 3), some.floats(0, 1)), min_size=1, max_size=30))
def test_never_more_is_charged_than_rounding_does_or_than_is_expected_to_be_gone(told):
    said = beliefs(*((f"{number}", f"{kind}", who, sure) for number, (who, kind, sure) in enumerate(told)))
    charged = charge_expected(said).set_index(["shopper", "product"])["quantity"]
    expected = said.groupby(["shopper", "product"])["probability"].sum()
    rounded = np.floor(expected.round(9) + 0.5).astype(int)
    more = charged.reindex(expected.index, fill_value=0) - rounded
    rest = (expected - rounded).round(9)
    assert more.isin([0, 1]).all() and (rest[more == 1] >= 0.3).all()
    sums = pd.DataFrame({"gone": expected, "rounded": rounded, "all": rounded + more}).groupby("product").sum()
    gone = np.floor((sums["gone"] + 0.2).round(9))
    assert (sums["all"] <= np.maximum(sums["rounded"], gone)).all()
    uncharged = rest[(more == 0) & (rest >= 0.3)].groupby("product").size().reindex(sums.index, fill_value=0)
    assert ((sums["all"] >= gone) | (uncharged == 0)).all(), "nobody is passed over while something is missing"
