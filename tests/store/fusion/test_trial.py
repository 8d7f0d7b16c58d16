"""Methods tried on days; the words and tables of pages; the story of one thing."""

import numpy as np
import pandas as pd
import pytest

from retailkit import fusion
from retailkit.simulate.radio import Setting, sense_day
from retailkit.store.fusion.lessons import check_apart, over_days
from retailkit.store.fusion.points import join_points, name_metric, read_points
from retailkit.store.fusion.story import find_doubtful, until
from retailkit.store.fusion.telling import POOLED, pool_strata, weigh_change
from retailkit.store.fusion.trial import join_trials
from retailkit.store.fusion.truth import check_beliefs

SMALL = Setting(
    shoppers=14.0, hours=0.12, aisles=2, cells=5, cameras={"missed": 0.1, "jitter": 0.1, "hand_confused": 0.1}
)
QUICK = {"vision only": fusion.ARMS["vision only"], "hands and plates": fusion.hands_and_plates}


@pytest.fixture(scope="module")
def day():
    return sense_day(SMALL, 1)


@pytest.fixture(scope="module")
def story(day):
    return fusion.tell_story(day, steps=5)


def sums(values: dict[str, list[float]], stratum: str = "pairs", measure: str = "attribution") -> pd.DataFrame:
    """A table of measures: a figure of each arm and day, of ten units."""
    rows = [
        (arm, stratum, day, measure, 10 * value, 10.0) for arm, days in values.items() for day, value in enumerate(days)
    ]
    return pd.DataFrame(rows, columns=["arm", "stratum", "day", "measure", "numerator", "denominator"])


def test_a_trial_scores_every_arm_and_the_oracle(day):
    tried = fusion.try_arms(day, fusion.Methods(QUICK), "small", 1)
    assert set(tried.measures["arm"]) == set(tried.receipts["arm"]) == {*QUICK, "oracle"}
    right = fusion.summarise(tried.measures.query("measure == 'attribution'")).set_index("arm")["value"]
    own = fusion.score_day(QUICK["vision only"](fusion.prepare(fusion.sensors_of(day))), fusion.truth_of(day))
    [row] = own.query("measure == 'attribution'").itertuples()
    assert right["vision only"] == pytest.approx(row.numerator / row.denominator)
    assert right["oracle"] >= right.max() - 1e-9
    assert set(tried.beliefs["day"]) == {"small 1"} and set(tried.health["what"]) >= {"dead antennas", "untagged"}


def test_reviews_that_cost_nothing_cost_nothing(day):
    free, dear = (
        fusion.try_arms(day, fusion.Methods(QUICK), oracle=None, costs=fusion.Costs(review=price)).measures
        for price in (0.0, 0.5)
    )
    assert free.query("measure == 'cost of reviews'")["numerator"].eq(0).all()
    assert dear.query("measure == 'cost of reviews'")["numerator"].gt(0).any()


def test_days_are_tried_in_order_and_processes_change_nothing():
    settings = {"small": SMALL}
    alone, together = (
        fusion.try_days(sense_day, settings, [1, 2], fusion.Methods(QUICK), oracle=None, workers=workers)
        for workers in (1, 2)
    )
    assert list(dict.fromkeys(alone.measures["day"])) == [1, 2]
    for one, other in zip(alone, together, strict=True):
        pd.testing.assert_frame_equal(one, other)


@pytest.mark.parametrize(
    ("settings", "seeds", "workers", "words"),
    [({}, [1], 1, "no seed|make no day"), ({"a": 1}, [], 1, "make no day"), ({"a": 1}, [1], 0, "workers is 0")],
)
def test_no_day_and_no_worker_are_refused(settings, seeds, workers, words):
    with pytest.raises(ValueError, match=words):
        over_days(str, settings, seeds, workers)


def test_what_is_tested_on_is_not_learned_from():
    check_apart(range(3), range(3, 5))
    with pytest.raises(ValueError, match="days 2 are tested on and learned from"):
        check_apart(range(3), range(2, 5))


def test_learned_methods_join_the_others():
    learned = fusion.learn_days(sense_day, {"small": SMALL}, [1, 2])
    methods = fusion.Methods(fusion.EVERY, learned)
    found = methods(fusion.prepare(fusion.sensors_of(sense_day(SMALL, 3))))
    assert set(found) == {"ours", "ours untaught", *fusion.RIVALS}
    for one in found.values():
        check_beliefs(one.beliefs)
    with pytest.raises(ValueError, match="1 days are given; 2 at least"):
        fusion.learn_days(sense_day, {"small": SMALL}, [1])


def test_without_hands_no_hand_is_seen(day):
    scene = fusion.prepare(fusion.sensors_of(day))
    blind = scene._replace(hands=scene.hands.iloc[:0])
    pd.testing.assert_frame_equal(fusion.ABLATIONS["without hands"](scene).beliefs, fusion.fuse_scene(blind).beliefs)


def test_strata_are_pooled_by_seed():
    both = pd.concat([sums({"ours": [0.2, 0.4]}, "pairs"), sums({"ours": [0.6, 0.8]}, "queue")])
    pooled = pool_strata(both)
    assert set(pooled["stratum"]) == {POOLED} and len(pooled) == 2
    assert (pooled["numerator"] / pooled["denominator"]).tolist() == pytest.approx([0.4, 0.6])


def test_words_say_where_ours_wins_where_nothing_is_proved_and_where_it_loses():
    measures = pd.concat(
        [
            sums({"ours": [0.9, 0.8, 0.9], "door": [0.5, 0.4, 0.5]}, "pairs"),
            sums({"ours": [0.9, 0.5, 0.7], "door": [0.5, 0.9, 0.7]}, "queue"),
            sums({"ours": [0.2, 0.3, 0.2], "door": [0.8, 0.9, 0.8]}, "swaps"),
        ]
    )
    told = " ".join(fusion.tell_outcomes(fusion.compare(measures, "ours"), "ours").split())
    assert "beats every other method in pairs." in told
    assert "In queue it is not proved to help: +0.000" in told
    assert "In swaps it does not help: -0.600" in told and "against door" in told
    nowhere = fusion.tell_outcomes(fusion.compare(measures.query("stratum == 'swaps'"), "ours"), "ours").replace(
        "\n", " "
    )
    assert "in no stratum" in nowhere


def test_upgrades_are_weighed_on_the_same_days():
    now, better, worse = (
        sums({"ours": costs}, measure="cost decided") for costs in ([3, 5, 4], [2, 4, 3], [4.1, 6, 5.2])
    )
    worth = fusion.weigh_upgrades(now, {"tags": better, "less": worse})
    pooled = worth[worth["stratum"] == POOLED].set_index("upgrade")
    assert pooled.loc["tags", ["value", "low", "high"]].tolist() == pytest.approx([1, 1, 1])
    told = fusion.tell_upgrades(worth)
    assert told.startswith("Tags: saves 1.00") and "Less: loses -1.10" in told
    with pytest.raises(ValueError, match="tags: there is no 'cost decided' of 'ours'"):
        fusion.weigh_upgrades(now, {"tags": better.assign(arm="x")})
    with pytest.raises(ValueError, match="same days"):
        fusion.weigh_upgrades(now, {"tags": better[better["day"] < 2]})


def test_a_change_costs_the_difference_and_nothing_where_nothing_changed():
    measures = pd.concat([sums({"ours": [0.9, 0.8]}, "0"), sums({"ours": [0.7, 0.6]}, "0.5")])
    assert weigh_change(measures, "0", "0.5")["value"].tolist() == pytest.approx([0.2])
    assert weigh_change(measures, "0", "0")[["value", "low", "high"]].to_numpy().tolist() == [[0, 0, 0]]


def test_lead_is_over_the_best_other_method():
    share, lead, best = fusion.tell_lead(
        sums({"ours": [0.9, 0.7], "a": [0.5, 0.5], "b": [0.6, 0.6]}), "ours", ["a", "b"]
    )
    assert best == "b" and (share.value, lead.value) == (pytest.approx(0.8), pytest.approx(0.2))


def test_who_costs_least_is_the_best_other_method():
    costs = sums({"ours": [3.0, 5.0, 4.1], "a": [3.1, 4.8, 4.1], "b": [7.0, 9.5, 8.0]}, measure="cost decided")
    figure, lead, best = fusion.tell_lead(costs, "ours", ["a", "b"], "cost decided")
    assert best == "a" and (figure.value, lead.value) == (pytest.approx(12.1 / 3), pytest.approx(0.1 / 3))
    worse = sums({"ours": [8.0, 9.0, 8.5], "a": [1.0, 2.0, 1.4], "b": [4.0, 5.0, 4.4]}, measure="cost decided")
    told = " ".join(
        fusion.tell_outcomes(
            fusion.compare(worse, "ours", "cost decided"), "ours", "cost", measure="cost decided"
        ).split()
    )
    assert told.index("against a") < told.index("against b"), "who is furthest ahead comes first"


def test_arms_are_picked_in_the_order_asked_for():
    table = pd.DataFrame({"stratum": ["q", "q", "p", "p"], "arm": ["a", "b", "a", "b"], "value": [1, 2, 3, 4]})
    assert fusion.pick_arms(table, ["b", "a", "c"])["value"].tolist() == [2, 1, 4, 3]


def test_points_of_this_page_count_before_earlier_ones():
    here = pd.DataFrame({"arm": ["RFID only"], "point": 0.1, "value": 0.5, "low": 0.4, "high": 0.6})
    past = pd.DataFrame(
        {"metric": name_metric("RFID only"), "point": [0.1, 0.0], "value": [0.9, 0.7], "low": 0, "high": 1}
    )
    here, past = here.set_index([[0]]), past.set_index([[0, 1]])  # rows of two tables may have the same number
    curve = join_points(here, read_points(past, ["RFID only"]))
    assert curve[["point", "value"]].to_numpy().tolist() == [[0.0, 0.7], [0.1, 0.5]]


def test_values_of_a_change_become_points_of_the_right_arm():
    figures = pd.DataFrame({"stratum": ["0.5", "0.5", "0", "0"], "arm": ["a", "b"] * 2, "value": [1, 2, 3, 4]})
    points = fusion.as_points(figures.assign(low=0, high=9), ["b", "a"])
    assert points[["arm", "point", "value"]].to_numpy().tolist() == [
        ["b", 0.5, 2], ["a", 0.5, 1], ["b", 0.0, 4], ["a", 0.0, 3]
    ]  # fmt: skip


def test_health_is_pooled_over_days_with_verdicts_counted():
    health = pd.DataFrame(
        {"stratum": "0", "day": [1, 2, 3], "what": "dead antennas", "value": [0.0, 0.5, np.nan], "of": [4, 4, 0],
         "verdict": ["ok", "dead: 7", "cannot tell"]}
    )  # fmt: skip
    [row] = fusion.summarise_health(health).to_dict("records")
    assert row["value"] == pytest.approx(0.25) and 0 <= row["low"] <= row["high"] <= 1
    assert all(f"{word} (1 d)" in row["verdicts"] for word in ("ok", "dead: 7", "cannot tell"))


def test_a_story_is_told_by_what_was_known_at_each_moment(day, story):
    sums = story.beliefs.groupby("seconds")["probability"].sum()
    assert len(sums) == 5 and sums.to_numpy() == pytest.approx(np.ones(5))
    first = story.beliefs[story.beliefs["seconds"] == sums.index[0]].set_index("who")["probability"]
    assert first[fusion.NOBODY] == pytest.approx(1.0)  # nobody had touched it yet
    assert story.acts["what"].iloc[-1] == "leaves the store"
    sold = day.truth.receipts.set_index("epc")["shopper"]
    assert sold[story.epc] == story.shopper and f"shopper {story.shopper}" in set(story.beliefs["who"])


def test_nothing_is_known_of_what_comes_later(day):
    sensors = until(fusion.sensors_of(day), 100.0)
    for name in ("reads", "tracks", "hands", "plates", "entries", "exits"):
        assert getattr(sensors, name)["time"].max() <= 100.0 or not len(getattr(sensors, name))
    assert sensors.products is day.store.products


def test_a_minute_shows_ways_and_reads_of_its_tag(day, story):
    minute = fusion.show_minute(day, story)
    begin = story.taken - 20
    reads = day.reads[(day.reads["epc"] == story.epc) & day.reads["time"].between(begin, begin + 60)]
    assert minute.antennas["reads"].sum() == len(reads)
    assert any(f"shopper {story.shopper}" in what for what in minute.ways["what"].unique())


def test_only_what_was_sold_and_believed_has_a_story(day):
    with pytest.raises(ValueError, match="'no tag' is none of"):
        fusion.tell_story(day, "no tag")
    nothing = fusion.fuse_scene(fusion.prepare(fusion.sensors_of(day)))
    with pytest.raises(ValueError, match="no story to tell"):
        find_doubtful(nothing._replace(beliefs=nothing.beliefs.iloc[:0]), day.truth.receipts)


def test_trials_are_joined(day):
    one = fusion.try_arms(day, fusion.Methods(QUICK), "a", 1, oracle=None)
    both = join_trials([one, one._replace(measures=one.measures.assign(stratum="b"))])
    assert len(both.measures) == 2 * len(one.measures)
