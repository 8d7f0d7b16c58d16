"""How well groups were found, where the truth is known: pairwise F1 with its interval, and two methods compared.

A pair is right where both people are of one true group. Identities are a tracker's, so each visit is first given to the
person who has most of its rows (`owners`). What is independent are the true groups (and those who walk alone): all
pairs of a group come and go together in the intervals; a pair across two of them counts half for each.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retailkit.lab.intervals import Estimate, crossed, resample

Groups = Iterable[Sequence[Hashable]]


def owners(tracks: pd.DataFrame, person: str = "person") -> dict[Hashable, Hashable]:
    """Give each visit to the person who has most of its rows (the smaller number where two have as many).

    >>> owners(pd.DataFrame({"visit": [7, 7, 7, 8], "person": [1, 2, 2, 1]}))
    {7: 2, 8: 1}
    """
    rows = tracks.groupby(["visit", person]).size().rename("rows").reset_index()
    most = rows.sort_values(["rows", person], ascending=[False, True], kind="stable").drop_duplicates("visit")
    return dict(sorted(zip(most["visit"].tolist(), most[person].tolist(), strict=True)))


def pairs_of(groups: Groups, owner: Mapping[Hashable, Hashable] | None = None) -> set[frozenset[Hashable]]:
    """Give all pairs within groups; with `owner`, of the people whose visits they are.

    >>> sorted(map(sorted, pairs_of([(1, 2), (3, 4, 5)], {1: "a", 2: "b", 3: "c", 4: "c", 5: "a"})))
    [['a', 'b'], ['a', 'c']]
    """
    called = [[member if owner is None else owner[member] for member in group] for group in groups]
    return {frozenset(pair) for group in called for pair in combinations(dict.fromkeys(group), 2)}


def score_pairs(found: set[frozenset[Hashable]], truth: Groups, people: Iterable[Hashable]) -> pd.DataFrame:
    """Count right, found and true pairs for each true group and each person who walks alone.

    Parameters
    ----------
    found : set of pairs of people, as `pairs_of` gives it
    truth : groups of people
    people : all of them

    Returns
    -------
    DataFrame
        unit (counted from 0; the same for the same truth and people), right, found, true.
    """
    truth = [tuple(group) for group in truth]
    true = pairs_of(truth)
    unit = _units(truth, people)
    counts = np.zeros((max(unit.values(), default=-1) + 1, 3))
    for column, pairs in enumerate((found & true, found, true)):
        for pair in pairs:
            for who in pair:
                counts[unit[who], column] += 0.5
    return pd.DataFrame(counts, columns=["right", "found", "true"]).rename_axis("unit").reset_index()


def _units(truth: Sequence[Sequence[Hashable]], people: Iterable[Hashable]) -> dict[Hashable, int]:
    """Groups that share somebody are one unit."""
    leader = {who: who for who in people}

    def top(who: Hashable) -> Hashable:
        while leader[who] != who:
            who = leader[who]
        return who

    for group in truth:
        for member in group:
            leader.setdefault(member, member)  # somebody whom the camera never saw
            leader[top(member)] = top(group[0])
    numbers: dict[Hashable, int] = {}
    return {who: numbers.setdefault(top(who), len(numbers)) for who in leader}


def pairwise_f1(
    scores: Sequence[pd.DataFrame], others: Sequence[pd.DataFrame] = (), repetitions: int = 1000, seed: int = 0
) -> Estimate:
    """Estimate the mean F1 over repeated recordings of the same people, or by how much one method is ahead of another.

    Parameters
    ----------
    scores : list of DataFrame, as `score_pairs` gives them
        One for each copy (each seed of a simulated camera), of the same people: two or more.
    others : list of DataFrame, optional
        Another method's on the same copies: the difference scores - others is estimated, on the same resamples.

    Raises
    ------
    ValueError
        Fewer than two copies, or copies of different people.
    """
    units = {len(score) for score in (*scores, *others)}
    if len(units) != 1 or (others and len(others) != len(scores)):
        raise ValueError(f"copies hold {sorted(units)} units each: they must be of the same people, and as many")
    number = units.pop()
    weights = np.vstack([np.ones(number), resample(np.arange(number), repetitions, seed)])
    figures = np.stack([_f1(score, weights) for score in scores])
    if len(others):  # a copy is as hard for both methods, so its two figures are paired
        figures = figures - np.stack([_f1(score, weights) for score in others])
    return crossed(figures[:, 0], figures[:, 1:], units=number, unit_name="groups of people")


def _f1(score: pd.DataFrame, weights: NDArray) -> NDArray[np.float64]:
    right, found, true = (weights @ score[name].to_numpy(float) for name in ("right", "found", "true"))
    return 2 * right / np.maximum(found + true, 1e-12)
