"""The funnel's shares and their intervals, and what stands beside them: dwell, a placebo, how well hands are seen."""

import numpy as np
import pandas as pd
import pytest
from hand_worlds import CELLS, act, make_stays, see

from retailkit.lab.intervals import Estimate, coverage, wilson
from retailkit.simulate.visits import simulate_store_day
from retailkit.store.visits.attention import STAGES, find_funnel, name_hands
from retailkit.store.visits.cleaning import clean_tracks
from retailkit.store.visits.interest import (
    funnel_table,
    interest_table,
    placebo_hands,
    recall_of,
    score_hands,
    stop_effect,
)
from retailkit.store.visits.zones import find_zone_visits

RECALL = {"reach": 0.8, "take": 0.85, "return": 0.75}


@pytest.fixture(scope="module")
def day():
    rng = np.random.default_rng(5)
    stays = make_stays(rng, 300)
    return stays, act(rng, stays)


def simple(visits: int, stopped: int, took: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """One exposure a visit, so that shares are those of independent trials."""
    stays = pd.DataFrame({"visit": range(visits), "zone": "tea", "dwell": 5.0, "stopped": np.arange(visits) < stopped})
    hands = pd.DataFrame({"visit": range(took), "time": 1.0, "cell": "t1", "kind": "take", "probability": 1.0})
    return stays, hands, pd.DataFrame({"cell": ["t1"], "zone": ["tea"], "product": ["mild"]})


def test_with_one_exposure_a_visit_intervals_are_wilsons():
    table = funnel_table(find_funnel(*simple(1000, 400, 100))).set_index("stage")
    assert table["count"].to_dict() == {"passed": 1000, "stopped": 400, "reached": 100, "took": 100, "kept": 100}
    for stage, number, steps in (("stopped", 400, 1000), ("took", 100, 100), ("reached", 100, 400)):
        share, step = wilson(number, 1000), wilson(number, steps)
        assert table.loc[stage, ["value", "low", "high"]].tolist() == pytest.approx(
            [share.value, share.low, share.high], abs=2e-4
        )
        assert table.loc[stage, "step"] == step.value
    assert table.loc["reached", ["step_low", "step_high"]].tolist() == pytest.approx(
        [wilson(100, 400).low, wilson(100, 400).high], abs=3e-4
    )


def test_a_reach_in_passing_is_no_step_from_a_stop():
    table = funnel_table(find_funnel(*simple(100, 20, 30))).set_index("stage")
    assert table.loc["reached", "count"] == 30 and table.loc["reached", "step"] == 1.0
    assert table.loc["reached", "value"] == 0.3


def test_nobody_and_everybody_have_intervals_and_one_visit_has_none():
    table = funnel_table(find_funnel(*simple(50, 50, 0))).set_index("stage")
    assert table.loc["took", "value"] == 0 < table.loc["took", "high"] < 0.1
    assert table.loc["stopped", "value"] == 1 > table.loc["stopped", "low"] > 0.9
    stays, hands, cells = simple(50, 50, 0)
    missed = funnel_table(find_funnel(stays, hands, cells, recall=0.5)).set_index("stage")
    assert missed.loc["took", "high"] > 1.8 * table.loc["took", "high"], "twice as many might have, unseen"
    alone = funnel_table(find_funnel(*simple(1, 1, 1))).set_index("stage")
    assert alone.loc["took", "value"] == 1 and np.isnan(alone.loc["took", "low"])


def test_who_comes_together_counts_once(day):
    funnel = find_funnel(*day, CELLS)
    pairs = [(visit, visit + 1) for visit in range(0, 300, 2)]
    alone, paired = funnel_table(funnel), funnel_table(funnel, groups=pairs)
    assert alone["visits"].iloc[0] == 300 and paired["visits"].iloc[0] == 150
    np.testing.assert_allclose(alone["value"], paired["value"])


def test_by_product_tables_add_up(day):
    funnel = find_funnel(*day, CELLS, per="product")
    whole, parts = funnel_table(funnel), funnel_table(funnel, by="product")
    sums = parts.groupby("stage", sort=False)["count"].sum()
    np.testing.assert_allclose(sums.reindex(whole["stage"]), whole["count"])
    assert parts.columns[0] == "product" and (parts["low"] <= parts["value"]).all()
    interest = interest_table(funnel)
    shares = interest[interest["measure"] == "dwell share"]
    assert shares["value"].sum() == pytest.approx(1)
    with pytest.raises(ValueError, match="by is 'brand'; the exposures have visit, product"):
        funnel_table(funnel, by="brand")


def test_put_back_is_what_is_not_kept(day):
    rows = interest_table(find_funnel(*day, CELLS), by=None).set_index("measure")
    assert rows.loc["put back", "value"] == pytest.approx(1 - rows.loc["kept", "value"] / rows.loc["took", "value"])
    assert 0.2 < rows.loc["put back", "low"] < rows.loc["put back", "high"] < 0.4


def test_dwell_tells_no_two_products_of_a_zone_apart_but_keeping_does():
    rng = np.random.default_rng(8)
    stays = make_stays(rng, 5_000)
    rows = interest_table(find_funnel(stays, act(rng, stays), CELLS), by="cell").set_index(["cell", "measure"])
    dwell, kept = rows.xs("dwell", level="measure"), rows.xs("kept", level="measure")
    assert dwell.loc[["tea-0", "tea-1", "tea-2"], "value"].nunique() == 1
    assert kept.loc["tea-0", "low"] > kept.loc["tea-1", "high"] and kept.loc["tea-1", "low"] > kept.loc["tea-2", "high"]


def test_stopping_goes_with_keeping_and_the_placebo_shows_none(day):
    stays, hands = day
    effect = stop_effect(find_funnel(stays, hands, CELLS))
    funnels = [find_funnel(stays, placebo_hands(hands, stays["visit"], seed), CELLS) for seed in range(8)]
    chance = [stop_effect(funnel) for funnel in funnels]
    assert effect.low > 0.1
    assert sum(one.low <= 0 <= one.high for one in chance) >= 6
    assert abs(np.mean([one.value for one in chance])) < effect.value / 10
    with pytest.raises(ValueError, match="50 of 50 exposures had a stop"):
        stop_effect(find_funnel(*simple(50, 50, 3)))


def test_a_placebo_gives_nobody_their_own_hands(day):
    stays, hands = day
    dealt = placebo_hands(hands, stays["visit"], seed=3)
    assert (dealt["visit"].to_numpy() != hands["visit"].to_numpy()).all()
    sizes = [frame.groupby("visit").size().sort_values().tolist() for frame in (hands, dealt)]
    assert sizes[0] == sizes[1], "a visit's events stay together"
    with pytest.raises(ValueError, match="1 visits: at least 2"):
        placebo_hands(hands, [1, 1])


def test_a_measured_recall_widens_intervals(day):
    known, measured = (
        funnel_table(find_funnel(*day, CELLS, recall=share)).set_index("stage")
        for share in (0.8, Estimate(0.8, 0.65, 0.92))
    )
    width = [(table["high"] - table["low"]).drop("passed") for table in (known, measured)]
    assert width[0]["stopped"] == width[1]["stopped"]
    assert (width[1][["reached", "took", "kept"]] > 1.15 * width[0][["reached", "took", "kept"]]).all()


def test_hands_are_scored_against_labels():
    columns = ["visit", "time", "cell", "kind", "probability"]
    labelled = [
        (1, 0.0, "a", "reach", 1),
        (1, 1.0, "a", "take", 1),
        (1, 9.0, "a", "return", 1),
        (2, 5.0, "b", "take", 1),
    ]
    seen = [
        (1, 0.5, "a", "reach", 0.9),
        (1, 1.5, "a", "take", 0.8),
        (2, 8.0, "b", "take", 0.4),
        (2, 5.0, "c", "take", 0.2),
    ]
    scores = score_hands(pd.DataFrame(seen, columns=columns), pd.DataFrame(labelled, columns=columns))
    rows = scores.set_index(["kind", "measure"])
    assert rows.loc[("take", "recall"), ["value", "events"]].tolist() == [0.5, 2]  # too late, and another cell
    assert rows.loc[("take", "precision"), ["value", "events"]].tolist() == [pytest.approx(1 / 3), 3]
    assert rows.loc[("take", "claimed"), "value"] == pytest.approx(1.4 / 3)
    assert rows.loc[("both", "recall"), ["value", "events"]].tolist() == [1.0, 1]
    assert np.isnan(rows.loc[("return", "precision"), "value"]) and rows.loc[("return", "recall"), "value"] == 0
    recall = {kind: share.value for kind, share in recall_of(scores, least=1).items()}
    assert recall == {"reach": 1, "take": 0.5, "return": 0, "both": 1}
    few = {kind: share.value for kind, share in recall_of(scores).items()}
    assert few == {"reach": 0.5, "take": 0.5, "return": 0.5, "both": 1}, "two of four, whatever they are"
    with pytest.raises(ValueError, match="labelled has no rows"):
        score_hands(pd.DataFrame(seen, columns=columns), pd.DataFrame(labelled, columns=columns)[:0])


def report(found: dict[str, list[Estimate]], truth: pd.DataFrame) -> pd.DataFrame:
    """Bias, and the share of intervals that hold the truth, for each stage; printed for the record."""
    rows = []
    for name, estimates in found.items():
        true = float(truth.loc[name])
        share, width = coverage(estimates, true)
        bias = np.mean([one.value for one in estimates]) - true
        error = np.std([one.value for one in estimates]) / len(estimates) ** 0.5
        rows.append((name, true, bias, error, share.value, share.low, share.high, width, len(estimates)))
    columns = ["stage", "truth", "bias", "error", "coverage", "low", "high", "width", "repetitions"]
    table = pd.DataFrame(rows, columns=columns).set_index("stage")
    print(table.round(4).to_string())
    return table


def stage_estimates(funnel, groups=()) -> dict[str, Estimate]:
    table = funnel_table(funnel, groups=groups).set_index("stage")
    shares = {stage: Estimate(*table.loc[stage, ["value", "low", "high"]]) for stage in STAGES[1:]}
    steps = table.loc["kept", ["step", "step_low", "step_high"]]
    return shares | {"kept of taken": Estimate(*steps)}


def stage_truth(funnel) -> pd.Series:
    table = funnel_table(funnel).set_index("stage")
    return pd.concat([table["value"], pd.Series({"kept of taken": table.loc["kept", "step"]})])


def collected(rounds: list[dict[str, Estimate]]) -> dict[str, list[Estimate]]:
    return {name: [found[name] for found in rounds] for name in rounds[0]}


@pytest.mark.slow
@pytest.mark.parametrize("watched", ["all", "missed"])
def test_the_funnel_is_unbiased_and_its_intervals_hold(watched):
    """500 days of 80 visits; with missed hands, 200 more visits are labelled to learn the recall from."""
    rng = np.random.default_rng(0)
    many = make_stays(rng, 100_000)
    truth = stage_truth(find_funnel(many, act(rng, many), CELLS))
    rounds = []
    for _ in range(500):
        stays = make_stays(rng, 80)
        hands, recall = act(rng, stays), 1.0
        if watched == "missed":
            other = make_stays(rng, 200)
            labelled = act(rng, other)
            recall = recall_of(score_hands(see(rng, other, labelled, RECALL), labelled))
            hands = see(rng, stays, hands, RECALL)
        rounds.append(stage_estimates(find_funnel(stays, hands, CELLS, recall=recall)))
    table = report(collected(rounds), truth)
    assert (table["bias"].abs() < 4 * table["error"] + 0.005 * table["truth"]).all()
    assert table["coverage"].between(0.92, 0.98).all()


@pytest.fixture(scope="module")
def population():
    """Simulated days of some 2,500 parties: their stays, and their hands as they were and as cameras saw them."""
    frames: dict[str, list[pd.DataFrame]] = {"stays": [], "hands": [], "seen": [], "who": []}
    for number in range(6):
        day = simulate_store_day(shoppers=600, hours=12, seed=(11, number))
        who = day.visitors[day.visitors["kind"] == "shopper"]
        seen = day.observe(missed=0.0, jitter=0.05, broken=0.0, swapped=0.0, hand_missed=0.15, seed=number).hands
        parts = {"stays": day.zone_visits, "hands": day.hands, "seen": seen.assign(visit=seen["person"]), "who": who}
        for name, frame in parts.items():
            kept = frame[frame["visit"].isin(who["visit"])]
            frames[name].append(kept.assign(visit=kept["visit"].astype(int) + 1_000_000 * number))
            if name == "who":
                frames[name][-1]["group"] += 1_000_000 * number
    return day.plan.cells, {name: pd.concat(parts, ignore_index=True) for name, parts in frames.items()}


@pytest.mark.slow
@pytest.mark.parametrize("watched", ["hands", "seen"])
def test_on_simulated_days_too(population, watched):
    """500 samples of 80 parties; cameras miss 15 % of hand events and put 10 % of them down to a cell nearby."""
    cells, frames = population
    truth = stage_truth(find_funnel(frames["stays"], frames["hands"], cells))
    party = frames["who"].set_index("visit")["group"]
    rows = {name: frame.groupby(party.reindex(frame["visit"]).to_numpy()).indices for name, frame in frames.items()}
    rng, names, rounds = np.random.default_rng(0), party.unique(), []
    for _ in range(500):
        drawn = rng.permutation(names)[:230]
        sample, other = (
            {
                name: frames[name].iloc[np.concatenate([rows[name].get(p, []) for p in part]).astype(int)]
                for name in frames
            }
            for part in (drawn[:80], drawn[80:])
        )
        recall = recall_of(score_hands(other["seen"], other["hands"])) if watched == "seen" else 1.0
        funnel = find_funnel(sample["stays"], sample[watched], cells, recall=recall)
        rounds.append(stage_estimates(funnel, [part["visit"].tolist() for _, part in sample["who"].groupby("group")]))
    table = report(collected(rounds), truth)
    assert (table["bias"].abs() < 4 * table["error"] + 0.015 * table["truth"]).all()
    assert table["coverage"].between(0.92, 0.98).all()


@pytest.fixture(scope="module")
def watched():
    """Two simulated days as cameras saw them, tracks cleaned: stays and hands of shoppers, and whose party each is."""
    frames: dict[str, list[pd.DataFrame]] = {"stays": [], "hands": [], "true stays": [], "true hands": [], "who": []}
    cells = None
    for number in range(2):
        day = simulate_store_day(shoppers=600, hours=12, seed=(31, number))
        seen, cells = day.observe(seed=number), day.plan.cells
        ways = clean_tracks(seen.tracks)
        zones = {name: day.plan.zones[name] for name in day.plan.shelf_zones}
        person = ways.groupby("visit")["person"].agg(lambda rows: rows.mode().iloc[0])
        people = day.visitors[day.visitors["kind"] == "shopper"].set_index("visit")["group"]
        owner = person.map(people).dropna().astype(int)
        hands = name_hands(seen.hands, ways)
        parts = {
            "stays": find_zone_visits(ways, zones),
            "hands": hands,
            "true stays": day.zone_visits,
            "true hands": day.hands,
        }
        for name, frame in parts.items():
            party = people if name.startswith("true") else owner
            kept = frame[frame["visit"].isin(party.index)]
            found = kept.assign(party=party.reindex(kept["visit"]).to_numpy() + 1_000_000 * number)
            frames[name].append(found.assign(visit=kept["visit"].astype(int) + 1_000_000 * number))
        seen_by, true = (frame[frame["visit"].isin(people.index)] for frame in (
            seen.hands.assign(visit=seen.hands["person"]), day.hands
        ))  # fmt: skip
        frames["who"].append(score_hands(seen_by, true))
    scores = frames.pop("who")[0]
    return cells, recall_of(scores), {name: pd.concat(parts, ignore_index=True) for name, parts in frames.items()}


@pytest.mark.slow
def test_from_what_cameras_saw_of_tracks_and_hands_too(watched):
    """500 samples of 80 parties, all from what the cameras saw; who stopped is for `find_zone_visits` to tell.

    Keys that break between a take and what comes of it hide some that were kept: 5.8 % are told as 5.4 %.
    """
    cells, recall, frames = watched
    truth = stage_truth(find_funnel(frames["true stays"], frames["true hands"], cells))
    rows = {name: frames[name].groupby("party").indices for name in ("stays", "hands")}
    rng, names, rounds = np.random.default_rng(0), frames["true stays"]["party"].unique(), []
    for _ in range(500):
        drawn = rng.permutation(names)[:80]
        stays, hands = (
            frames[name].iloc[np.concatenate([rows[name].get(p, []) for p in drawn]).astype(int)] for name in rows
        )
        groups = [part.unique().tolist() for _, part in stays.groupby("party")["visit"]]
        rounds.append(stage_estimates(find_funnel(stays, hands, cells, recall=recall), groups))
    table = report(collected(rounds), truth).drop("stopped")
    assert (table["bias"].abs() < 0.05 * table["truth"]).drop("kept").all()
    assert abs(table.loc["kept", "bias"]) < 0.08 * table.loc["kept", "truth"]
    assert table["coverage"].between(0.92, 0.98).all()
