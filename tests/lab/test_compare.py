"""Comparing runs: pairs that agree in all else, intervals that cover, a placebo that finds nothing."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from retailkit.lab import compare, runs
from retailkit.lab.compare import Comparison, compare_runs
from retailkit.lab.intervals import Estimate


def comparison(effect: float, pairs: int, rng: np.random.Generator, levels=("1", "2")) -> Comparison:
    luck = rng.normal(0, 1, pairs)
    rows = [
        {
            "run_id": "",
            "level": level,
            "pair": f"seed {pair}",
            "panel": "",
            "value": luck[pair] + place * effect + noise,
        }
        for place, level in enumerate(levels)
        for pair, noise in enumerate(rng.normal(0, 0.3, pairs))
    ]
    return Comparison("study", "score", "size", levels[0], pd.DataFrame(rows))


def test_the_interval_is_that_of_the_paired_t_test():
    made = comparison(0.5, 12, np.random.default_rng(3))
    row = made.table().iloc[0]
    wide = made.runs.pivot(index="pair", columns="level", values="value")
    known = stats.ttest_rel(wide["2"], wide["1"]).confidence_interval(0.95)
    assert (row["low"], row["high"]) == pytest.approx((known.low, known.high))
    assert row["difference"] == pytest.approx((wide["2"] - wide["1"]).mean()) and row["pairs"] == 12


def test_all_intervals_together_cover_95_of_100_times():
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(500):
        table = comparison(0.2, 8, rng, ("1", "2", "3", "4")).table()
        truth = 0.2 * np.arange(1, 4)
        covered += bool(((table["low"] <= truth) & (truth <= table["high"])).all())
    assert 0.93 <= covered / 500 <= 0.985


def test_the_placebo_knows_chance_from_an_effect():
    rng = np.random.default_rng(11)
    assert comparison(3.0, 10, rng).table()["by_chance"].item() == pytest.approx(2 / 2**10)
    nothing = [comparison(0.0, 8, rng).table()["by_chance"].item() for _ in range(300)]
    assert 0.02 <= np.mean(np.array(nothing) <= 0.05) <= 0.08
    assert comparison(3.0, 40, rng).table()["by_chance"].item() == pytest.approx(1 / 5000)


def test_runs_that_differ_in_one_parameter_are_paired(ready_house):
    for seed in (0, 1, 2):
        for size in (9, 10):
            run = runs.start_run("tiny", seed=seed, size=size, data="a")
            run.metrics({"loss": 1.0}, exact=True)
            run.metric("score", Estimate(size + seed / 10 + (seed == 1) / 100 * size, 0, 20))
            run.answer("It is 0.41 (95 % interval 0.36 to 0.46).")
    runs.start_run("tiny", seed=0, size=9, data="a").metric("score", Estimate(99, 0, 100))  # has no answer
    found = compare_runs()
    assert (found.study, found.metric, found.parameter, found.baseline) == ("tiny", "score", "size", "9")
    assert found.runs["pair"].tolist().count("seed 0") == 2 and len(found.runs) == 6
    row = found.table().iloc[0]
    assert (row["value_of_parameter"], row["pairs"], row["larger"]) == ("10", 3, 1.0)
    assert (
        found.summary()
        == "score of tiny, against size 9. size 10: +1.003 (95 % interval +0.989 to +1.018) over 3 pairs."
    )
    assert "2 at 9" not in found.chart().alt and "size" in found.chart().alt
    assert "Difference in score from size 9" in found.differences().alt
    assert compare_runs(parameter="seed", baseline="2").table()["value_of_parameter"].tolist() == ["0", "1"]


def test_one_pair_is_too_few(ready_house):
    for size in (1, 2):
        run = runs.start_run("tiny", size=size)
        run.metric("score", float(size), exact=True)
        run.finish()
    found = compare_runs("tiny")
    assert found.table()[["pairs", "difference"]].iloc[0].tolist() == [1, 1.0]
    assert found.table()["low"].isna().all() and "1 pair, too few for an interval" in found.summary()
    assert "Too few pairs" in found.differences().alt


def test_nothing_to_compare_is_said(house):
    found = compare_runs()
    assert not len(found.table()) and found.summary() == found.chart().alt == found.differences().alt == compare.NOTHING


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"study": "tinny"}, "No finished run has the study 'tinny'; did you mean 'tiny'?"),
        ({"metric": "scores"}, "the metric 'scores'; did you mean 'score'?"),
        ({"parameter": "sizes"}, "the parameter 'sizes'; did you mean 'size'?"),
        ({"baseline": "7"}, "the value of 'size' '7'; there is 1, 2"),
    ],
)
def test_what_no_run_has_is_quoted(ready_house, asked, message):
    for size in (1, 2):
        run = runs.start_run("tiny", size=size)
        run.metric("score", float(size), exact=True)
        run.finish()
    with pytest.raises(ValueError) as caught:
        compare_runs(**asked)
    assert message in str(caught.value)
