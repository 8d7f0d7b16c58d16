"""Choice sets from what visits came by and kept, and what is refused of them."""

import numpy as np
import pandas as pd
import pytest

from retailkit.store.visits.attention import find_funnel
from retailkit.store.visits.choice_sets import arrange, find_choices

SHELF = pd.DataFrame(
    {
        "cell": ["t1", "t2", "r1"], "zone": ["tea", "tea", "rice"], "product": ["mild", "strong", "rice"],
        "x": 0.0, "y": 0.0, "price": [2.0, 3.0, 1.0],
    }
)  # fmt: skip
STAYS = pd.DataFrame(
    {"visit": [1, 1, 2, 3], "zone": ["tea", "rice", "tea", "tea"], "dwell": 9.0, "stopped": [True, False, True, False]}
)
HANDS = pd.DataFrame(
    [(1, "t1", "take"), (1, "t2", "take"), (2, "t2", "take"), (2, "t1", "take"), (2, "t1", "return")],
    columns=["visit", "cell", "kind"],
).assign(time=np.arange(5) * 10.0, probability=1.0)


def choices(**changes: object) -> pd.DataFrame:
    """Three situations of two or three teas."""
    frame = pd.DataFrame(
        {
            "situation": [1, 1, 1, 2, 2, 3, 3], "alternative": ["a", "b", "c", "a", "b", "b", "c"],
            "chosen": [1, 0, 0, 0, 1, 0, 1], "price": [1.0, 2.0, 3.0, 2.5, 1.5, 2.0, 2.2],
            "colour": ["red", "green", "red", "green", "red", "red", "green"], "home": [1, 1, 1, 1, 1, 2, 2],
        }
    )  # fmt: skip
    return frame.assign(**changes)


def test_a_set_is_what_a_visit_came_by_and_each_thing_kept_is_a_choice():
    found = find_choices(find_funnel(STAYS, HANDS, SHELF, per="product"), SHELF)
    told = found.groupby("situation")[["visit", "alternative", "chosen", "price"]].apply(
        lambda rows: rows.values.tolist()
    )
    assert told.tolist() == [
        [[1, "rice", 0, 1.0]],  # nothing kept of the rice
        [[1, "mild", 1, 2.0], [1, "strong", 0, 3.0]],  # two teas kept: two choices from the same set
        [[1, "mild", 0, 2.0], [1, "strong", 1, 3.0]],
        [[2, "mild", 0, 2.0], [2, "strong", 1, 3.0]],  # put back is not kept
        [[3, "mild", 0, 2.0], [3, "strong", 0, 3.0]],
    ]
    assert "cell" not in found and "x" not in found


def test_a_set_may_be_of_what_one_stopped_at_or_of_the_whole_visit():
    funnel = find_funnel(STAYS, HANDS, SHELF, per="product")
    assert set(find_choices(funnel, SHELF, among="stopped")["visit"]) == {1, 2}
    whole = find_choices(funnel, SHELF, situation=["visit"])
    assert whole.groupby("situation").size().tolist() == [3, 3, 2, 2]


def test_a_product_has_one_price():
    shelf = SHELF.assign(product=["mild", "mild", "rice"])
    with pytest.raises(ValueError, match=r"product 'mild' has several attributes.*2\.0.*3\.0"):
        find_choices(find_funnel(STAYS, HANDS, shelf, per="product"), shelf)
    with pytest.raises(ValueError, match="among is 'seen'"):
        find_choices(find_funnel(STAYS, HANDS, SHELF, per="product"), SHELF, among="seen")


def test_sets_are_laid_out_with_what_is_not_available():
    sets = arrange(choices(), ["price", "colour"], cluster="home", base={"colour": "red"})
    assert sets.names == ("price", "colour green") and len(sets) == 3
    assert sets.available.tolist() == [[True, True, True], [True, True, False], [True, True, False]]
    assert sets.chosen.tolist() == [0, 1, 1] and sets.clusters.tolist() == [0, 0, 1]
    assert sets.attributes[1, :2].tolist() == [[2.5, 1.0], [1.5, 0.0]]
    assert sets.alternatives[2].tolist() == ["b", "c", None]


def test_the_order_of_rows_does_not_matter():
    one = arrange(choices(), ["price"])
    other = arrange(choices().sample(frac=1, random_state=3), ["price"])
    assert sorted(one.attributes[np.arange(3), one.chosen, 0]) == sorted(
        other.attributes[np.arange(3), other.chosen, 0]
    )


def test_taking_nothing_joins_every_set():
    frame = choices(chosen=[1, 0, 0, 0, 0, 0, 1])
    sets = arrange(frame, ["price", "alternative"], outside="none")
    assert sets.names == ("price", "b", "c", "none")
    assert sets.alternatives[1].tolist() == ["a", "b", "none", None] and sets.chosen.tolist() == [0, 2, 1]
    assert sets.attributes[1, 2].tolist() == [0, 0, 0, 1]


def test_a_set_of_one_is_dropped_and_counted():
    lonely = pd.concat(
        [choices(), pd.DataFrame({"situation": [9], "alternative": ["a"], "chosen": [1], "price": [1.0]})]
    )
    sets = arrange(lonely, ["price"])
    assert len(sets) == 3
    assert sets.dropped.values.tolist() == [["only one alternative", 1]]
    with pytest.raises(ValueError, match="none of the 1 situations has two alternatives"):
        arrange(lonely[-1:], ["price"])


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"chosen": [0, 0, 0, 0, 1, 0, 1]}, {}, "situation 1: none of its 3 alternatives is chosen.*outside='none'"),
        ({"chosen": [1, 1, 0, 0, 1, 0, 1]}, {}, "situation 1: 2 of its 3 alternatives are chosen"),
        ({"chosen": [2, 0, 0, 0, 1, 0, 1]}, {}, "row 1: chosen is 2; 0 or 1 is needed"),
        ({"price": [1, 2, np.nan, 1, 2, 1, 2]}, {}, "row 3: price is missing"),
        ({"price": [1, 2, np.inf, 1, 2, 1, 2]}, {}, "row 3: price is inf; a finite number"),
        ({"alternative": ["a", "b", "b", "a", "b", "b", "c"]}, {}, "situation 1 holds 'b' twice"),
        ({"home": [1, 2, 1, 1, 1, 2, 2]}, {"cluster": "home"}, "situation 1 has several values of 'home'"),
        ({}, {"cluster": "house"}, "choices has no column house; it has situation"),
        ({}, {"outside": "a"}, "outside is 'a', but"),
        ({}, {"base": {"price": 9.0}}, "base of 'price' is 9.0; it has 1.0"),
        ({}, {"base": {"size": "L"}}, "base names 'size', which is none of the attributes price"),
    ],
)
def test_bad_choices_are_refused(changes, options, message):
    with pytest.raises(ValueError, match=message):
        arrange(choices(**changes), ["price"], **options)


def test_nothing_is_no_choice():
    with pytest.raises(ValueError, match="7 rows and 0 attributes"):
        arrange(choices(), [])
    with pytest.raises(ValueError, match="0 rows and 1 attributes"):
        arrange(choices()[:0], ["price"])
