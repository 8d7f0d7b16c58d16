"""Staff by what they do: signs one by one, and how good the guess is on simulated days, beside the longest presence."""

import numpy as np
import pandas as pd
import pytest
from walkers import straight, walk

from retailkit.lab.intervals import Estimate, bootstrap
from retailkit.simulate.visits import simulate_store_day
from retailkit.store.visits.cleaning import clean_tracks
from retailkit.store.visits.staff import WEIGHTS, guess_staff
from retailkit.store.visits.zones import find_zone_visits

ZONES = {"milk": [(0, 0), (4, 0), (4, 2), (0, 2)], "office": [(6, 6), (9, 6), (9, 9), (6, 9)]}


def shop(*others: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Forty customers who walk through, and others."""
    customers = [straight((-2, 1), (6, 1), visit=visit, begin=30 * visit) for visit in range(40)]
    tracks = pd.concat([*customers, *others], ignore_index=True)
    return tracks, find_zone_visits(tracks, ZONES)


def there(place: tuple[float, float], seconds: float, visit: int) -> pd.DataFrame:
    return walk(*[place] * int(seconds / 0.4), visit=visit)


@pytest.mark.parametrize(
    ("other", "signs", "probability"),
    [
        (there((7, 7), 8.0, 99), ["in_area"], 0.9),
        (there((7, 7), 60.0, 99), ["in_area", "long", "apart"], 1 - 0.1 * 0.2 * 0.3),
        (there((1, 1), 60.0, 99), ["long"], 0.8),
        (there((1, 8), 15.0, 99), ["apart"], 0.7),
        (straight((-2, 1), (6, 1), visit=99), [], 0.0),
    ],
)
def test_each_sign_is_seen_and_weighs_as_stated(other, signs, probability):
    guess = guess_staff(*shop(other), ["office"]).set_index("visit").loc[99]
    assert [name for name in WEIGHTS if guess[name]] == signs
    assert guess["probability"] == pytest.approx(probability) and guess["staff"] == (probability >= 0.5)


def test_customers_are_none():
    guess = guess_staff(*shop(there((7, 7), 60.0, 99)), ["office"])
    assert guess["staff"].sum() == 1 and len(guess) == 41 and guess["visit"].is_unique


@pytest.mark.parametrize(
    ("areas", "weights", "message"),
    [
        ("office", WEIGHTS, r"areas is 'office': a list of zones is needed, as \['office'\]"),
        ([], {"tie": 0.5}, "the weight of 'tie' is 0.5"),
        ([], {"long": 1.5}, "the weight of 'long' is 1.5"),
    ],
)
def test_what_is_no_area_or_weight_is_refused(areas, weights, message):
    with pytest.raises(ValueError, match=message):
        guess_staff(*shop(), areas, weights=weights)


def scored(seed: int, areas: list[str], shoppers: float = 120, hours: float = 3) -> pd.DataFrame:
    """A row for each track of an observed day: its seconds, whether it is of staff, and whether it is said to be."""
    day = simulate_store_day(seed=(77, seed), shoppers=shoppers, hours=hours, step=0.4)
    tracks = clean_tracks(day.observe(seed=seed).tracks)
    guess = guess_staff(tracks, find_zone_visits(tracks, day.plan.zones), areas)
    person = tracks.groupby("visit")["person"].agg(lambda people: people.mode().iloc[0]).reindex(guess["visit"])
    truth = person.isin(day.visitors["visit"][day.visitors["kind"] == "staff"]).to_numpy()
    longest = guess["present"].rank(ascending=False) <= truth.sum()  # as many as there are: more than anybody knows
    return guess.assign(truth=truth, longest=longest, day=seed)


def precision(rows: pd.DataFrame, said: str, seconds: bool = False) -> float:
    weight = rows["present"] if seconds else np.ones(len(rows))
    return float((weight * (rows[said] & rows["truth"])).sum() / max((weight * rows[said]).sum(), 1e-9))


def recall(rows: pd.DataFrame, said: str, seconds: bool = False) -> float:
    weight = rows["present"] if seconds else np.ones(len(rows))
    return float((weight * (rows[said] & rows["truth"])).sum() / max((weight * rows["truth"]).sum(), 1e-9))


def test_the_guess_is_better_than_the_longest_presence():
    rows = scored(0, ["staff area"])
    for score in (precision, recall):
        assert score(rows, "staff") > score(rows, "longest") and score(rows, "staff") > 0.6


@pytest.mark.slow
@pytest.mark.parametrize("areas", [["staff area"], []], ids=["area known", "no area"])
def test_precision_and_recall_on_simulated_days(areas):
    """Ten days as cameras see them, intervals over days; tracks and, in brackets, seconds."""
    rows = pd.concat([scored(seed, areas) for seed in range(1, 11)])

    def told(score, said: str, seconds: bool) -> Estimate:
        return bootstrap(rows, lambda part: score(part, said, seconds), by="day", repetitions=200)

    for score in (precision, recall):
        for said in ("staff", "longest"):
            print(f"{score.__name__} {said}: {told(score, said, False):.2f} [{told(score, said, True):.2f} of seconds]")
    assert precision(rows, "staff") > precision(rows, "longest") and precision(rows, "staff", True) > 0.9
    assert recall(rows, "staff", True) > 0.85 and (not areas or recall(rows, "staff") > recall(rows, "longest"))
