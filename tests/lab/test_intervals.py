"""Intervals: against scipy, and against the truth of worlds where it is known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from retailkit.lab.intervals import (
    Estimate,
    bootstrap,
    coverage,
    crossed,
    interval,
    paired,
    resample,
    wilson,
)


def mean_replicates(sample: np.ndarray, groups: np.ndarray, repetitions: int, seed: int) -> np.ndarray:
    """Bootstrap the mean of each resample."""
    weights = resample(groups, repetitions, seed)
    return weights @ sample / weights.sum(axis=1)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("", "0.412 (95 % interval 0.380 to 0.447)"),
        (".2f", "0.41 (95 % interval 0.38 to 0.45)"),
        ("+.1%", "+41.2% (95 % interval +38.0% to +44.7%)"),
    ],
)
def test_estimate_reads_as_a_sentence(spec, text):
    assert format(Estimate(0.4123, 0.38, 0.4471), spec) == text


def test_estimate_says_its_level():
    assert "99.5 % interval" in str(Estimate(0.4, 0.3, 0.5, level=0.995))


def test_estimate_row_is_tidy():
    row = Estimate(0.4, 0.3, 0.5, units=12, unit_name="groups").row()
    assert row == {"value": 0.4, "low": 0.3, "high": 0.5, "level": 0.95, "units": 12, "unit_name": "groups"}


class TestResample:
    def test_rows_of_a_group_come_together(self):
        weights = resample(["b", "a", "b", "c"], 200, seed=3)
        assert (weights[:, 0] == weights[:, 2]).all()
        assert weights.dtype == np.float32

    def test_each_resample_draws_as_many_groups_as_there_are(self):
        weights = resample(["b", "a", "b", "c"], 200, seed=3)
        assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()

    def test_counts_have_the_multinomial_spread(self):
        weights = resample(np.arange(50), 20_000, seed=0)
        assert weights.mean() == pytest.approx(1, abs=1e-6)
        assert weights.var() == pytest.approx(1 - 1 / 50, rel=0.01)

    @given(st.lists(st.integers(0, 5), min_size=1, max_size=12), st.randoms())
    @settings(deadline=None)
    def test_order_of_rows_does_not_matter(self, groups, random):
        order = list(range(len(groups)))
        random.shuffle(order)
        shuffled = resample([groups[i] for i in order], 5, seed=1)
        np.testing.assert_array_equal(shuffled, resample(groups, 5, seed=1)[:, order])

    @pytest.mark.parametrize("groups", [[], ["a", None]])
    def test_rows_without_a_group_are_an_error(self, groups):
        with pytest.raises(ValueError, match="every row needs a group"):
            resample(groups)


class TestInterval:
    def test_percentile_is_scipys_but_for_the_widening(self):
        sample = np.random.default_rng(0).exponential(size=400)
        ours = interval(sample.mean(), mean_replicates(sample, np.arange(400), 20_000, 1))
        peer = stats.bootstrap([sample], np.mean, n_resamples=20_000, method="percentile", rng=2).confidence_interval
        assert (ours.low, ours.high) == pytest.approx(peer, abs=0.1 * ours.width / 2)

    def test_normal_with_few_units_is_the_t_interval(self):
        sample = np.random.default_rng(0).normal(size=8)
        replicates = mean_replicates(sample, np.arange(8), 200_000, 1)
        ours = interval(sample.mean(), replicates, method="normal", units=8)
        peer = stats.ttest_1samp(sample, 0).confidence_interval(0.95)
        assert (ours.low, ours.high) == pytest.approx((peer.low, peer.high), abs=0.01)

    def test_percentile_reaches_further_where_units_are_few(self):
        replicates = np.random.default_rng(0).normal(size=4000)
        assert interval(0, replicates, units=5).width > 1.3 * interval(0, replicates).width

    @given(
        value=st.floats(0, 1),
        spread=st.floats(0, 0.5),
        level=st.floats(0.5, 0.99),
        units=st.integers(2, 100),
        seed=st.integers(0, 99),
    )
    @settings(deadline=None)
    def test_a_share_and_its_interval_stay_between_0_and_1(self, value, spread, level, units, seed):
        replicates = np.clip(np.random.default_rng(seed).normal(value, spread, 50), 0, 1)
        estimate = interval(value, replicates, level, "share", units)
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1

    @pytest.mark.parametrize(("value", "low", "high"), [(0.0, 0.0, 0.161), (1.0, 0.839, 1.0)])
    def test_a_share_without_exception_is_not_certain(self, value, low, high):
        estimate = interval(value, np.full(100, value), method="share", units=20)
        assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=5e-4)

    def test_undefined_replicates_are_left_out(self):
        clean = np.random.default_rng(0).normal(size=100)
        assert interval(0, [*clean, np.nan, np.inf]) == interval(0, clean)

    @pytest.mark.parametrize("value, replicates", [(np.nan, [1, 2, 3]), (1.0, [np.nan, np.nan]), (1.0, [])])
    def test_undefined_figures_have_no_interval(self, value, replicates):
        estimate = interval(value, replicates)
        assert np.isnan(estimate.low) and np.isnan(estimate.high)

    def test_one_unit_alone_has_no_interval(self):
        assert np.isnan(interval(0.5, [0.5, 0.5, 0.5], method="share", units=1).low)

    def test_unknown_method_is_named(self):
        with pytest.raises(ValueError, match="'bca' is not one of percentile, normal, share"):
            interval(0.5, [0.4, 0.6], method="bca")

    def test_share_outside_0_to_1_is_named(self):
        with pytest.raises(ValueError, match=r"between 0 and 1, but the value is 41\.2"):
            interval(41.2, [40, 42], method="share")


class TestBootstrap:
    def frame(self, seed: int, groups: int = 30) -> pd.DataFrame:
        """Visits of days; the day shifts all its visits."""
        rng = np.random.default_rng(seed)
        day = np.repeat(np.arange(groups), rng.integers(1, 6, groups))
        return pd.DataFrame({"day": day, "minutes": rng.normal(0, 1, groups)[day] + rng.normal(0, 0.3, len(day))})

    def test_any_statistic_of_a_frame(self):
        frame = self.frame(0)
        estimate = bootstrap(frame, lambda rows: rows["minutes"].median(), by="day", repetitions=200)
        assert estimate.value == frame["minutes"].median()
        assert estimate.low < estimate.value < estimate.high
        assert (estimate.units, estimate.unit_name) == (30, "day")

    def test_agrees_with_the_weighted_mean(self):
        frame = self.frame(0)
        slow = bootstrap(frame, lambda rows: rows["minutes"].mean(), by="day", repetitions=300, seed=4)
        fast = mean_replicates(frame["minutes"].to_numpy(), frame["day"].to_numpy(), 300, 4)
        expected = interval(slow.value, fast, units=30, unit_name="day")
        assert (slow.low, slow.high) == pytest.approx((expected.low, expected.high), abs=1e-6)

    def test_rows_alone_would_claim_too_much(self):
        frame = self.frame(0, groups=60)
        by_day = bootstrap(frame, lambda rows: rows["minutes"].mean(), by="day", repetitions=300)
        by_row = bootstrap(frame, lambda rows: rows["minutes"].mean(), by=None, repetitions=300)
        assert by_row.width < 0.8 * by_day.width
        assert by_row.units == len(frame)

    def test_unknown_column_is_named(self):
        with pytest.raises(ValueError, match="no column 'store' to resample by; there are day, minutes"):
            bootstrap(self.frame(0), len, by="store")


class TestWilson:
    @pytest.mark.parametrize("successes, trials", [(0, 10), (1, 10), (9, 10), (10, 10), (470, 500), (1, 1)])
    @pytest.mark.parametrize("level", [0.9, 0.95])
    def test_is_scipys(self, successes, trials, level):
        peer = stats.binomtest(successes, trials).proportion_ci(level, method="wilson")
        ours = wilson(successes, trials, level)
        assert (ours.value, ours.low, ours.high) == pytest.approx((successes / trials, peer.low, peer.high), abs=1e-9)

    @pytest.mark.parametrize("successes, trials", [(3, 2), (-1, 2), (0, 0)])
    def test_impossible_counts_are_quoted(self, successes, trials):
        with pytest.raises(ValueError, match=f"{successes} successes in {trials} trials"):
            wilson(successes, trials)


def test_coverage_counts_and_measures():
    estimates = [Estimate(1, 0, 2), Estimate(3, 2, 6), Estimate(np.nan, np.nan, np.nan), Estimate(1, 1, 3)]
    share, width = coverage(estimates, 1)
    assert share.value == 0.5
    assert (share.units, share.unit_name) == (4, "repetitions")
    assert width == 2


class TestPaired:
    def test_what_strikes_both_cancels(self):
        rng = np.random.default_rng(0)
        unit = rng.normal(0, 1, 60)
        weights = resample(np.arange(60), 1000) / 60
        first, second = (unit + rng.normal(shift, 0.1, 60) for shift in (0.2, 0.0))
        estimate = paired(first.mean(), weights @ first, second.mean(), weights @ second, units=60)
        apart = interval(first.mean(), weights @ first, units=60)
        assert 0.1 < estimate.low < 0.2 < estimate.high < 0.3
        assert estimate.width < apart.width / 4

    def test_compared_with_itself_nothing_is_left(self):
        replicates = np.random.default_rng(0).normal(size=100)
        estimate = paired(0.3, replicates, 0.3, replicates, units=20)
        assert (estimate.value, estimate.low, estimate.high) == (0, 0, 0)


class TestCrossed:
    """A world of units x seeds: figure = unit + seed + both together."""

    def estimate(self, rng, seeds: int, units: int, seed_spread: float, truth: float = 0.1) -> Estimate:
        unit = rng.normal(0, 1, units)
        weights = resample(np.arange(units), 200, int(rng.integers(1 << 30))) / units
        sides = []
        for shift in (truth, 0.0):
            seed = rng.normal(0, seed_spread, (seeds, 1))
            figures = shift + unit + seed + rng.normal(0, 0.5, (seeds, units))
            sides += [figures.mean(axis=1), figures @ weights.T]
        return crossed(*sides, units=units)

    @pytest.mark.parametrize("seeds, seed_spread", [(3, 0.0), (3, 0.2), (3, 1.0), (5, 0.2)])
    def test_holds_the_truth_of_both_methods(self, seeds, seed_spread):
        rng = np.random.default_rng(1)
        estimates = [self.estimate(rng, seeds, 40, seed_spread) for _ in range(600)]
        share, width = coverage(estimates, 0.1)
        print(f"seeds {seeds}, spread {seed_spread}: coverage {share}, median width {width:.3f}")
        assert share.value >= 0.92

    def test_more_seeds_or_calmer_seeds_narrow_it(self):
        rng = np.random.default_rng(2)
        wide, calm, many = (self.estimate(rng, *world).width for world in [(3, 50, 1.0), (3, 50, 0.05), (30, 50, 1.0)])
        assert calm < wide and many < wide

    def test_a_mean_over_seeds_alone(self):
        figures = np.array([0.4, 0.5, 0.6])
        estimate = crossed(figures, np.tile(figures[:, None], (1, 50)), units=10_000)
        peer = stats.ttest_1samp(figures, 0).confidence_interval(0.95)
        assert (estimate.low, estimate.high) == pytest.approx((peer.low, peer.high), abs=1e-6)

    def test_one_seed_is_not_enough(self):
        with pytest.raises(ValueError, match="two or more seeds on each side, not 1 and 3"):
            crossed([0.4], [[0.4, 0.4]], [0.3, 0.3, 0.2], [[0.3, 0.3]] * 3)
