"""Times cut short: the curve is scipy's, means and medians are unbiased, and intervals hold what they say."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy import stats

from retailkit.lab.durations import Curve, time_until
from retailkit.lab.intervals import coverage


def censored(rng: np.random.Generator, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw exponential times of mean 10, and of those cut at another of mean 25 what is seen, and whether it ended."""
    times, cuts = rng.exponential(10, number), rng.exponential(25, number)
    return np.minimum(times, cuts), times <= cuts


@settings(max_examples=40, deadline=None)
@given(some.integers(0, 10_000))
def test_the_curve_and_its_spread_are_those_of_scipy(seed):
    rng = np.random.default_rng(seed)
    seconds, ended = censored(rng, int(rng.integers(3, 60)))
    seconds = np.ceil(seconds)  # with ties
    if not ended.any():
        return
    curve = Curve.of(seconds, ended, np.arange(len(seconds)))
    theirs = stats.ecdf(stats.CensoredData(uncensored=seconds[ended], right=seconds[~ended])).sf
    assert np.allclose(theirs.evaluate(curve.time), curve.still)
    inner = curve.still > 0
    variance = curve.still**2 * np.cumsum(curve.spread)  # Greenwood
    with warnings.catch_warnings(action="ignore"):  # theirs is undefined where nobody is left
        high = theirs.confidence_interval().high.evaluate(curve.time[inner])
    ours = curve.still[inner] + stats.norm.ppf(0.975) * np.sqrt(variance[inner])
    assert np.allclose(high, np.minimum(ours, 1))


@given(some.lists(some.floats(0.1, 1000), min_size=2, max_size=40))
def test_whole_times_have_their_plain_mean_and_median(seconds):
    mean, median = time_until(seconds, np.ones(len(seconds), dtype=bool), range(len(seconds)))
    assert mean.value == pytest.approx(np.mean(seconds)) and median.value == pytest.approx(np.median(seconds))
    assert mean.low <= mean.value + 1e-9 and median.low <= median.value <= median.high


def test_the_variance_is_that_of_the_bootstrap():
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(40), 3)
    seconds, cuts = np.repeat(rng.exponential(10, 40), 3) * rng.uniform(0.5, 1.5, 120), rng.exponential(25, 120)
    seen, ended = np.minimum(seconds, cuts), seconds <= cuts
    curve, replicates = Curve.of(seen, ended, groups), []
    for _ in range(400):
        drawn = np.concatenate([np.flatnonzero(groups == group) for group in rng.integers(0, 40, 40)])
        replicates.append(time_until(seen[drawn], ended[drawn], drawn, horizon=25)[0].value)
    mean = curve.mean(25, 0.95, "groups")
    assert mean.width / (2 * stats.t.ppf(0.975, 39)) == pytest.approx(np.std(replicates), rel=0.12)
    narrow = time_until(seen, ended, np.arange(120), horizon=25)[0]
    assert narrow.width < 0.8 * mean.width, "rows of one group resemble each other"


def test_a_horizon_restricts_the_mean():
    seconds, ended = np.array([2.0, 4.0, 9.0]), np.array([True, False, True])
    mean, _ = time_until(seconds, ended, range(3), horizon=5)
    assert mean.value == pytest.approx(2 + 3 * 2 / 3)
    assert time_until(seconds, ended, range(3))[0].value == pytest.approx(2 + 7 * 2 / 3)


def test_what_nobody_saw_the_end_of_has_no_bound():
    mean, median = time_until([3.0, 4.0, 5.0], [False, False, False], range(3))
    assert np.isnan(mean.value) and np.isnan(median.value)
    _, median = time_until([3.0, 4.0, 5.0, 6.0], [True, False, False, False], range(4))
    assert np.isinf(median.value) and np.isinf(median.high)
    assert all(np.isnan(estimate.value) for estimate in time_until([], [], []))
    assert np.isnan(time_until([3.0], [True], ["a"])[0].low)


def test_cut_times_are_unbiased_and_intervals_hold_the_truth():
    """600 samples of 80 exponential times of mean 10, of which 29 % are cut; mean until 30, and median."""
    rng = np.random.default_rng(0)
    samples = [time_until(*censored(rng, 80), range(80), horizon=30) for _ in range(600)]
    for place, truth in ((0, 10 * (1 - np.exp(-3))), (1, 10 * np.log(2))):
        estimates = [sample[place] for sample in samples]
        values = np.array([estimate.value for estimate in estimates])
        share, width = coverage(estimates, truth)
        print(f"{share} of 600 intervals hold {truth:.2f}; median width {width:.2f}")
        assert abs(values.mean() - truth) < 3 * values.std() / 600**0.5 + 0.01 * truth
        assert 0.92 <= share.value <= 0.98
    seen = [censored(rng, 80) for _ in range(600)]
    assert np.mean([seconds.mean() for seconds, _ in seen]) < 0.8 * 10, "taken as they are they would be too short"
    assert np.mean([seconds[ended].mean() for seconds, ended in seen]) < 0.8 * 10, "and without those that were cut"
