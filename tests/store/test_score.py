"""Scores: against ultralytics, against a slow exact bootstrap, and against what must not matter."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from detector_worlds import detector_world, pick
from hypothesis import given, settings
from hypothesis import strategies as st

from retailkit.lab import project
from retailkit.lab.intervals import coverage
from retailkit.store.average_precision import METRICS, measure
from retailkit.store.score import Score, choose_confidence, compare_scores, match, mean_score, score_boxes

NAMES = ["empty", "disorganized"]
CORNERS = ["x1", "y1", "x2", "y2"]
COLUMNS = ["photo", "class_name", *CORNERS]


def boxes(*rows: tuple) -> pd.DataFrame:
    """Tabulate (photo, class, x1, y1, x2, y2[, confidence])."""
    return pd.DataFrame(rows, columns=[*COLUMNS, "confidence"][: len(rows[0])])


def shelves(seed: int, photos: int = 20, jitter: float = 5.0, ties: bool = False) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make truth and detections: most truths found roughly, some twice, some as the other class, and strays."""
    rng = np.random.default_rng(seed)
    number = 8 * photos
    truth = pd.DataFrame({"photo": [f"{i:03}.jpg" for i in rng.integers(0, photos, number)]})
    truth["class_name"] = rng.choice(NAMES, number, p=[0.7, 0.3])
    truth[["x1", "y1"]] = rng.uniform(0, 200, (number, 2))
    truth["x2"], truth["y2"] = (truth[side] + rng.uniform(15, 70, number) for side in ("x1", "y1"))
    found = pd.concat([truth.sample(frac=share, random_state=seed) for share in (0.8, 0.5)])
    found[CORNERS] += rng.normal(0, jitter, (len(found), 4))
    found["confidence"] = rng.uniform(0.2, 1, len(found))
    stray = found.sample(frac=0.4, random_state=seed).assign(confidence=lambda rows: rows["confidence"] * 0.7)
    stray[CORNERS] += rng.normal(0, 40, (len(stray), 1))
    stray["class_name"] = rng.choice(NAMES, len(stray))
    found = pd.concat([found, stray], ignore_index=True)
    if ties:
        found["confidence"] = found["confidence"].round(1)
    return truth, found


def listed(photos: int, size: int = 1) -> pd.DataFrame:
    """List photographs in near-duplicate groups of a size."""
    return pd.DataFrame({"photo": [f"{i:03}.jpg" for i in range(photos)], "group": [i // size for i in range(photos)]})


def score_of(world: int, photos: int = 20, size: int = 1, **options) -> Score:
    truth, found = shelves(world, photos)
    return score_boxes(truth, found, listed(photos, size), NAMES, **{"repetitions": 100, **options})


def ultralytics_metrics(truth: pd.DataFrame, found: pd.DataFrame):
    """Score as ultralytics' own validator does, photograph by photograph."""
    import torch
    from ultralytics.models.yolo.detect import DetectionValidator

    validator = DetectionValidator()
    metrics = validator.metrics
    metrics.names = dict(enumerate(NAMES))
    for photo in sorted({*truth["photo"], *found["photo"]}):
        true = truth[truth["photo"] == photo]
        seen = found[found["photo"] == photo].sort_values("confidence", ascending=False)
        true_labels, labels = (
            torch.tensor([NAMES.index(name) for name in frame["class_name"]]) for frame in (true, seen)
        )
        true_boxes, seen_boxes = (torch.tensor(frame[CORNERS].to_numpy(np.float32)) for frame in (true, seen))
        verdict = validator._process_batch(
            {"cls": labels, "bboxes": seen_boxes}, {"cls": true_labels, "bboxes": true_boxes}
        )
        metrics.update_stats({
            **verdict, "target_cls": true_labels.numpy(), "target_img": np.unique(true_labels), "im_name": photo,
            "conf": seen["confidence"].to_numpy(), "pred_cls": labels.numpy(),
        })  # fmt: skip
    metrics.process()
    return metrics


class TestAgainstUltralytics:
    @pytest.fixture(autouse=True)
    def in_the_project(self):
        """Whoever imports ultralytics first settles, for the whole process, where its settings and fonts are."""
        project.quiet()

    @pytest.mark.parametrize("seed", range(8))
    @pytest.mark.parametrize("photos, jitter", [(3, 2.0), (20, 5.0), (60, 9.0)])
    def test_same_average_precision(self, seed, photos, jitter):
        truth, found = shelves(seed, photos, jitter)
        score = score_boxes(truth, found, listed(photos), NAMES)
        box = ultralytics_metrics(truth, found).box
        assert score.values["ap"] == pytest.approx([box.map, *box.ap], abs=1e-12)
        assert score.values["ap50"] == pytest.approx([box.map50, *box.ap50], abs=1e-12)
        assert score.values["ap75"] == pytest.approx([box.map75, *box.all_ap[:, 5]], abs=1e-12)

    def test_a_class_without_truth_is_left_out_of_the_mean(self):
        truth, found = shelves(0)
        truth = truth[truth["class_name"] == "empty"]
        score = score_boxes(truth, found, listed(20), NAMES)
        assert score.values["ap50"][0] == pytest.approx(ultralytics_metrics(truth, found).box.map50, abs=1e-12)
        assert np.isnan(score.values["ap50"][2]) and np.isnan(score.estimate("ap50", "disorganized").high)

    @pytest.mark.parametrize("truths", [7, 25, 29, 57, 100, 101])
    def test_same_where_recall_falls_on_the_grid(self, truths):
        """0.29 and 29 / 100 differ in the last bit: ultralytics' reading of the curve depends on it, so does ours."""
        from ultralytics.utils.metrics import ap_per_class

        rng = np.random.default_rng(truths)
        rows = [(f"{i:03}.jpg", "empty", 0, 0, 10, 10) for i in range(truths)]
        found = boxes(*[(*row, confidence) for row, confidence in zip(rows, rng.random(truths), strict=True)])
        found["x2"] = np.where(rng.random(truths) < 0.7, 10, 2)
        matches = match(boxes(*rows), found, ["empty"])
        labels = np.zeros(truths, int)
        peer = ap_per_class(matches.correct, matches.confidence, labels, labels)[5]
        assert measure(matches, np.ones((1, truths)), 0.25)["ap"][0, 1] == pytest.approx(peer.mean(), abs=1e-12)


class TestMatch:
    @pytest.mark.parametrize(
        "found, hits",
        [
            ([(0, 0, 10, 10, 0.9)], [10]),  # the truth itself: a hit at all ten overlaps
            ([(0, 0, 10, 8, 0.9)], [7]),  # overlap 0.80: 0.50 to 0.80
            ([(0, 0, 10, 4, 0.9)], [0]),
            ([(0, 0, 10, 8, 0.9), (0, 0, 10, 10, 0.8)], [7, 3]),  # the first takes what it can
            ([(0, 0, 10, 8, 0.8), (0, 0, 10, 10, 0.9)], [0, 10]),  # listed the other way round
            ([(20, 0, 30, 10, 0.9), (0, 0, 10, 10, 0.1)], [10, 10]),
        ],
    )
    def test_verdicts(self, found, hits):
        truth = boxes(("a", "empty", 0, 0, 10, 10), ("a", "empty", 20, 0, 30, 10))
        matches = match(truth, boxes(*[("a", "empty", *box) for box in found]), NAMES)
        order = np.argsort([-box[-1] for box in found])
        assert matches.correct.sum(axis=1).tolist() == [hits[i] for i in order]

    @pytest.mark.parametrize(("photo", "label"), [("b", "empty"), ("a", "disorganized")])
    def test_only_the_same_class_in_the_same_photograph_counts(self, photo, label):
        matches = match(boxes(("a", "empty", 0, 0, 9, 9)), boxes((photo, label, 0, 0, 9, 9, 0.9)), NAMES)
        assert not matches.correct.any()

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"class_name": "full"}, "found: class_name 'full' is not among empty, disorganized"),
            ({"photo": "z.jpg"}, "found: photo 'z.jpg' is not among a"),
            ({"x1": np.nan}, r"found: row 0 \(a\) holds a number that is not finite"),
            ({"confidence": np.inf}, "row 0"),
        ],
    )
    def test_bad_boxes_are_named(self, change, words):
        truth = boxes(("a", "empty", 0, 0, 9, 9))
        with pytest.raises(ValueError, match=words):
            match(truth, truth.assign(confidence=0.9, **{}).assign(**change), NAMES, ["a"])

    def test_a_missing_column_is_named(self):
        truth = boxes(("a", "empty", 0, 0, 9, 9))
        with pytest.raises(ValueError, match="found: no column confidence; there are photo, class_name"):
            match(truth, truth, NAMES)


class TestBootstrap:
    @pytest.mark.parametrize("size", [1, 4])
    def test_weights_are_the_same_as_copies_of_photographs(self, size):
        """Each replicate equals the score of a frame in which drawn photographs are really repeated."""
        truth, found = shelves(3)
        score = score_boxes(truth, found, listed(20, size), NAMES, repetitions=25)
        for repetition, counts in enumerate(score.weights.astype(int)):
            drawn = [
                (photo, f"{photo}-{copy}")
                for photo, count in zip(score.matches.photos, counts, strict=True)
                for copy in range(count)
            ]
            again = [
                pd.concat([frame[frame["photo"] == photo].assign(photo=name) for photo, name in drawn])
                for frame in (truth, found)
            ]
            photos = pd.DataFrame({"photo": [name for _, name in drawn]}).assign(group=0)
            slow = score_boxes(*again, photos, NAMES)
            for metric in METRICS:
                assert score.replicates[metric][repetition] == pytest.approx(slow.values[metric], abs=1e-6), metric

    def test_blocks_change_nothing(self, monkeypatch):
        whole = score_of(1).replicates["ap"]
        monkeypatch.setattr("retailkit.store.average_precision.BLOCK", 1000)
        np.testing.assert_array_equal(score_of(1).replicates["ap"], whole)

    def test_near_duplicates_widen_the_interval(self):
        """Every photograph four times says no more than once."""
        truth, found = shelves(2)
        once = score_boxes(truth, found, listed(20), NAMES).estimate("ap50")
        many = [[frame.assign(photo=f"{copy}-" + frame["photo"]) for copy in range(4)] for frame in (truth, found)]
        photos = pd.concat(
            [listed(20).assign(photo=lambda rows, copy=copy: f"{copy}-" + rows["photo"]) for copy in range(4)]
        )
        grouped = score_boxes(pd.concat(many[0]), pd.concat(many[1]), photos, NAMES).estimate("ap50")
        naive = score_boxes(pd.concat(many[0]), pd.concat(many[1]), photos.assign(group=photos["photo"]), NAMES)
        assert (grouped.value, grouped.units) == (pytest.approx(once.value), 20)
        assert grouped.width == pytest.approx(once.width, rel=1e-3)
        assert naive.estimate("ap50").width < 0.7 * grouped.width


class TestInvariants:
    @given(seed=st.integers(0, 10_000), ties=st.booleans())
    @settings(max_examples=25, deadline=None)
    def test_order_of_rows_and_photographs_does_not_matter(self, seed, ties):
        truth, found = shelves(seed, 8, ties=ties)
        plain = score_boxes(truth, found, listed(8, 2), NAMES, repetitions=10)
        mixed = score_boxes(*(frame.sample(frac=1, random_state=seed) for frame in (truth, found, listed(8, 2))), NAMES,
                            repetitions=10)  # fmt: skip
        for metric in METRICS:
            np.testing.assert_allclose(mixed.values[metric], plain.values[metric], atol=1e-12)
            np.testing.assert_allclose(mixed.replicates[metric], plain.replicates[metric], atol=1e-6)

    @given(seed=st.integers(0, 10_000), ties=st.booleans())
    @settings(max_examples=25, deadline=None)
    def test_doubling_every_photograph_changes_nothing(self, seed, ties):
        truth, found = shelves(seed, 6, ties=ties)
        twice = [
            pd.concat([frame, frame.assign(photo="again-" + frame["photo"])]) for frame in (truth, found, listed(6))
        ]
        once = score_boxes(truth, found, listed(6), NAMES)
        for metric, values in score_boxes(*twice, NAMES).values.items():
            assert values == pytest.approx(once.values[metric], abs=1e-12, nan_ok=True), metric

    @given(seed=st.integers(0, 10_000), photos=st.integers(1, 10))
    @settings(max_examples=25, deadline=None)
    def test_shares_lie_between_0_and_1_and_inside_their_interval(self, seed, photos):
        table = score_of(seed, photos, repetitions=20).table()
        shares = table[~table["metric"].str.startswith("count")].dropna()
        assert shares["value"].between(0, 1).all()
        assert (shares["low"] <= shares["value"]).all() and (shares["value"] <= shares["high"]).all()

    def test_a_perfect_detector(self):
        truth, _ = shelves(0)
        values = score_boxes(truth, truth.assign(confidence=0.9), listed(20), NAMES).values
        assert values["ap"] == pytest.approx([0.995] * 3)  # 1 but for the last of 101 recalls, as ultralytics has it
        assert values["recall"].tolist() == [1, 1, 1] and values["count_error"].tolist() == [0, 0, 0]

    def test_a_detector_that_finds_nothing(self):
        truth, found = shelves(0)
        score = score_boxes(truth, found.iloc[:0], listed(20), NAMES)
        assert score.values["ap"].tolist() == [0, 0, 0]
        assert 0.1 < score.estimate("ap50").high < 0.2  # 20 photographs without a hit don't prove that there is none
        assert np.isnan(score.values["precision"]).all()
        assert score.values["count_bias"][0] == pytest.approx(-len(truth) / 20)


class TestFigures:
    def two_photos(self, confidence: float) -> Score:
        truth = boxes(("a", "empty", 0, 0, 9, 9), ("a", "empty", 20, 0, 29, 9), ("b", "disorganized", 0, 0, 9, 9))
        found = boxes(
            ("a", "empty", 0, 0, 9, 9, 0.9), ("a", "empty", 50, 0, 59, 9, 0.8), ("a", "empty", 20, 0, 29, 9, 0.3),
            ("b", "disorganized", 0, 0, 9, 9, 0.6), ("c", "empty", 0, 0, 9, 9, 0.7),
        )  # fmt: skip
        photos = pd.DataFrame({"photo": ["a", "b", "c"], "group": ["g", "g", "h"]})
        return score_boxes(truth, found, photos, NAMES, confidence=confidence)

    @pytest.mark.parametrize(
        ("confidence", "metric", "expected"),  # expected: all, empty, disorganized
        [
            (0.5, "precision", [2 / 3, 1 / 3, 1]),
            (0.5, "recall", [3 / 4, 1 / 2, 1]),
            (0.5, "count_error", [1 / 3, 1 / 3, 0]),
            (0.5, "count_bias", [1 / 3, 1 / 3, 0]),
            (0.3, "recall", [1, 1, 1]),
            (0.3, "count_error", [2 / 3, 2 / 3, 0]),
            (0.65, "count_error", [2 / 3, 1 / 3, 1 / 3]),
            (0.65, "count_bias", [0, 1 / 3, -1 / 3]),
            (0.95, "recall", [0, 0, 0]),
        ],
    )
    def test_at_a_confidence(self, confidence, metric, expected):
        assert self.two_photos(confidence).values[metric] == pytest.approx(expected)

    def test_photos_with_most_mistakes_first(self):
        rows = self.two_photos(0.5).photos()
        assert rows.values.tolist() == [["a", "g", 2, 2, 1, 1, 1], ["c", "h", 0, 1, 0, 0, 1], ["b", "g", 1, 1, 1, 0, 0]]
        assert rows.columns.tolist() == ["photo", "group", "truths", "found", "hits", "missed", "false"]

    def test_table_is_tidy_and_complete(self):
        table = score_of(0).table()
        assert len(table) == 3 * len(METRICS) and table.columns.tolist()[:5] == [
            "class",
            "metric",
            "value",
            "low",
            "high",
        ]
        assert table["class"].unique().tolist() == ["all", *NAMES]

    def test_area_under_the_curve_is_ap50(self):
        score = score_of(0)
        for name, line in score.curve().groupby("class"):
            assert np.trapezoid(line["precision"], line["recall"]) == pytest.approx(score.estimate("ap50", name).value)
            assert (line["low"] <= line["high"]).all() and line["precision"].is_monotonic_decreasing

    @pytest.mark.parametrize(
        ("metric", "name", "words"),
        [("map", "all", "'map' is not one of ap, ap50"), ("ap50", "full", "'full' is not one of all, empty")],
    )
    def test_unknown_names_are_quoted(self, metric, name, words):
        with pytest.raises(ValueError, match=words):
            score_of(0).estimate(metric, name)

    def test_a_photograph_listed_twice_is_named(self):
        truth, found = shelves(0)
        with pytest.raises(ValueError, match=r"'004\.jpg' is listed twice"):
            score_boxes(truth, found, pd.concat([listed(20), listed(5).tail(1)]), NAMES)


class TestChooseConfidence:
    @pytest.mark.parametrize("by", ["f1", "count"])
    def test_finds_where_strays_end(self, by):
        truth = boxes(*[(f"{i}", "empty", 0, 0, 9, 9) for i in range(10)])
        found = pd.concat([truth.assign(confidence=0.62), truth.assign(x1=50, x2=59, confidence=0.41)])
        photos = pd.DataFrame({"photo": [f"{i}" for i in range(10)], "group": range(10)})
        assert choose_confidence(score_boxes(truth, found, photos, NAMES), by) == 0.62

    def test_unknown_aim_is_quoted(self):
        with pytest.raises(ValueError, match="by='f2'"):
            choose_confidence(score_of(0), "f2")


class TestPlacebo:
    def test_no_photograph_is_judged_on_boxes_of_its_own_group(self):
        score = score_of(0)
        placebo = score.placebo(seed=1)
        assert len(placebo.found) == len(score.found)
        group = dict(zip(score.matches.photos, score.groups, strict=True))
        moved = zip(score.found["photo"], placebo.found["photo"], strict=True)
        assert all(group[before] != group[after] for before, after in moved)
        assert placebo.estimate("ap50").value < 0.5 * score.estimate("ap50").value

    def test_another_seed_gives_another_pairing(self):
        score = score_of(0)
        assert list(score.placebo(seed=1).found["photo"]) != list(score.placebo(seed=2).found["photo"])

    def test_without_strangers_nothing_is_claimed(self):
        score = score_of(0)
        alone = replace(score, groups=np.array(["one"] * len(score.groups), dtype=object))
        assert np.isnan(alone.placebo().estimate("ap50").value)


class TestCompare:
    def test_a_score_with_itself_differs_by_nothing(self):
        score = score_of(0)
        estimate = compare_scores(score, score)
        assert (estimate.value, estimate.low, estimate.high) == (0, 0, 0)

    def test_a_better_detector_is_ahead(self):
        truth, found = shelves(0, 40)
        good, poor = (
            score_boxes(truth, found.sample(frac=share, random_state=1), listed(40), NAMES) for share in (1, 0.8)
        )
        ahead, behind = compare_scores(good, poor), compare_scores(poor, good)
        assert 0 < ahead.low < ahead.value == good.estimate().value - poor.estimate().value
        assert (behind.low, behind.high) == pytest.approx((-ahead.high, -ahead.low))
        assert ahead.width < good.estimate().width

    def test_over_training_seeds_the_interval_is_wider(self):
        truth, found = shelves(0, 40)
        good, poor = (
            [
                score_boxes(truth, found.sample(frac=share, random_state=seed), listed(40), NAMES, repetitions=200)
                for seed in range(3)
            ]
            for share in (0.9, 0.6)
        )
        over_seeds = compare_scores(good, poor)
        assert over_seeds.value == pytest.approx(mean_score(good).value - mean_score(poor).value)
        assert over_seeds.low > 0
        assert over_seeds.width > compare_scores(good[0], poor[0]).width / 2

    @pytest.mark.parametrize("other", [{"photos": 21}, {"size": 2}, {"seed": 1}, {"repetitions": 99}])
    def test_scores_of_other_photographs_are_refused(self, other):
        with pytest.raises(ValueError, match="scores differ in their photographs, groups, repetitions or seed"):
            compare_scores(score_of(0), score_of(0, **other))

    @pytest.mark.slow
    def test_two_detectors_of_one_quality_differ_by_nothing_92_to_98_times_in_100(self):
        """A placebo: the same world's detector run twice, so the true difference is zero."""
        rng = np.random.default_rng(5)
        matches, twin, _ = detector_world(rng, 20_000, twin=True)
        estimates = []
        for _ in range(500):
            photos = np.sort(rng.choice(20_000, 80, replace=False))
            first, second = (Score(pick(m, photos), np.arange(80), repetitions=200) for m in (matches, twin))
            estimates.append(compare_scores(first, second))
        share, width = coverage(estimates, 0)
        print(f"placebo: coverage {share}, median width {width:.3f}, repetitions 500")
        assert 0.92 <= share.value <= 0.98
