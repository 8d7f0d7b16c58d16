"""Scores of groups: pairs of people, by those whom visits belong to, with intervals over groups of people."""

import pandas as pd
import pytest

from retailkit.store.visits.group_scores import owners, pairs_of, pairwise_f1, score_pairs

TRUTH = [(1, 2), (3, 4, 5)]
PEOPLE = range(1, 8)


@pytest.mark.parametrize(
    ("found", "f1"),
    [
        ([(1, 2), (3, 4, 5)], 1.0),
        ([(1, 2)], 2 / 5),  # 1 right of 1 found and 4 true
        ([(1, 2, 3)], 2 / 7),
        ([(6, 7)], 0.0),
        ([], 0.0),
    ],
)
def test_f1_is_that_of_pairs(found, f1):
    score = score_pairs(pairs_of(found), TRUTH, PEOPLE)
    assert len(score) == 4  # two groups and two people alone
    assert score["true"].sum() == 4 and score["found"].sum() == len(pairs_of(found))
    assert pairwise_f1([score, score]).value == pytest.approx(f1)


def test_groups_that_share_somebody_are_one_unit():
    assert len(score_pairs(set(), [(1, 2), (2, 3), (4, 5)], range(1, 7))) == 3
    assert len(score_pairs(set(), [(1, 9)], [1, 2])) == 2  # 9 was never seen


def test_a_visit_is_whose_rows_it_has():
    rows = pd.DataFrame({"visit": list("aaabbc"), "person": [1, 1, 2, 3, 2, 2]})
    assert owners(rows) == {"a": 1, "b": 2, "c": 2}
    assert pairs_of([("a", "b"), ("b", "c")], owners(rows)) == {frozenset({1, 2})}


def test_a_method_is_not_ahead_of_itself():
    scores = [score_pairs(pairs_of(found), TRUTH, PEOPLE) for found in ([(1, 2)], [(3, 4)], [(3, 4, 5)])]
    none = pairwise_f1(scores, scores)
    assert (none.value, none.low, none.high) == (0, 0, 0)
    better = [score_pairs(pairs_of(TRUTH), TRUTH, PEOPLE)] * 3
    ahead = pairwise_f1(better, scores)
    assert ahead.value == pytest.approx(1 - pairwise_f1(scores).value) and ahead.low < ahead.value < ahead.high


def test_copies_of_other_people_are_refused():
    one, other = score_pairs(set(), TRUTH, PEOPLE), score_pairs(set(), TRUTH, range(1, 20))
    with pytest.raises(ValueError, match=r"copies hold \[4, 16\] units each"):
        pairwise_f1([one, other])
