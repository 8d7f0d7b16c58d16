"""A chart says what it shows: labels on its axes, figures in its alt sentence, a dot where the value is."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from retailkit.lab import charts
from retailkit.lab.style import canvas


@pytest.fixture
def scores() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "label": ["disorganized", "empty", "all"],
            "value": [0.28, 0.41, 0.345],
            "low": [0.21, 0.36, 0.30],
            "high": [0.36, 0.46, 0.39],
        }
    )


@pytest.fixture
def shelves(tmp_path) -> SimpleNamespace:
    """Three photographs, two with boxes, as an image set gives them."""
    rng = np.random.default_rng(0)
    photos = []
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        Image.fromarray(rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)).save(tmp_path / name)
        photos.append({"photo": name, "path": str(tmp_path / name), "width": 80, "height": 60})
    boxes = pd.DataFrame(
        [("a.jpg", "empty", 5, 5, 25, 20), ("a.jpg", "disorganized", 30, 5, 60, 20), ("b.jpg", "empty", 1, 2, 30, 40)],
        columns=["photo", "class_name", "x1", "y1", "x2", "y2"],
    )
    return SimpleNamespace(photos=pd.DataFrame(photos), boxes=boxes, card=SimpleNamespace(shareable=True))


class TestChart:
    @pytest.mark.parametrize("alt", ["", "   \n"])
    def test_without_a_sentence_there_is_no_chart(self, alt):
        figure, axes = canvas(2)
        axes.axis("off")
        with pytest.raises(ValueError, match="alternative text"):
            charts.Chart(figure, alt)

    @pytest.mark.parametrize(
        ("labels", "missing"), [({"xlabel": "minutes"}, "vertical"), ({"ylabel": "loss"}, "horizontal")]
    )
    def test_an_axis_with_numbers_needs_a_label(self, labels, missing):
        figure, axes = canvas(2)
        axes.plot([0, 1], [1, 2])
        axes.set(**labels)
        with pytest.raises(ValueError, match=f"the {missing} axis .* no label"):
            charts.Chart(figure, "A line.")

    def test_logarithmic_axes_count_as_numbers(self):
        figure, axes = canvas(2)
        axes.plot([1, 1000], [1, 2])
        axes.set(xscale="log", ylabel="loss")
        with pytest.raises(ValueError, match="the horizontal axis"):
            charts.Chart(figure, "A line.")

    def test_axes_switched_off_need_none(self):
        figure, axes = canvas(2)
        axes.plot([0, 1], [1, 2])
        axes.axis("off")
        assert charts.Chart(figure, "A line.").alt == "A line."

    def test_picture_and_sentence_travel_together(self, scores):
        chart = charts.estimates(scores, "Average precision (0 to 1)")
        data, metadata = chart._repr_mimebundle_()
        assert data["text/plain"] == metadata["image/png"]["alt"] == chart.alt
        assert chart.png().startswith(b"\x89PNG")

    def test_no_figure_stays_with_pyplot(self, scores):
        from matplotlib import pyplot

        before = pyplot.get_fignums()
        charts.estimates(scores, "Average precision (0 to 1)").png()
        assert pyplot.get_fignums() == before

    def test_drawing_leaves_the_settings_alone(self, scores):
        import matplotlib

        before = dict(matplotlib.rcParams)
        charts.estimates(scores, "Average precision (0 to 1)").png()
        assert dict(matplotlib.rcParams) == before

    def test_save_writes_a_picture(self, scores, tmp_path):
        path = charts.estimates(scores, "Average precision (0 to 1)").save(tmp_path / "scores.png")
        assert Image.open(path).size[0] > 1000


class TestEstimates:
    def test_one_dot_per_row_at_its_value_largest_on_top(self, scores):
        axes = charts.estimates(scores, "Average precision (0 to 1)").figure.axes[0]
        dots = sorted(zip(axes.lines[0].get_ydata(), axes.lines[0].get_xdata(), strict=True))
        assert [x for _, x in dots] == [0.41, 0.345, 0.28]
        assert [text.get_text() for text in axes.get_yticklabels()] == ["empty", "all", "disorganized"]
        assert axes.yaxis_inverted()

    def test_bars_span_the_intervals(self, scores):
        axes = charts.estimates(scores, "Average precision (0 to 1)").figure.axes[0]
        spans = {tuple(round(float(x), 6) for x in segment[:, 0]) for segment in axes.collections[0].get_segments()}
        assert spans == set(zip(scores["low"], scores["high"], strict=True))

    def test_values_are_printed_and_said(self, scores):
        chart = charts.estimates(scores, "Average precision (0 to 1)")
        assert "0.41  (0.36 to 0.46)" in {text.get_text() for text in chart.figure.axes[0].texts}
        assert chart.alt.startswith("Average precision is 0.28 (0.21 to 0.36) for disorganized; 0.41 (0.36 to 0.46)")
        assert "95 % interval" in chart.alt

    def test_colour_and_shape_differ_by_hue(self, scores):
        both = pd.concat([scores.assign(recipe="ours"), scores.assign(recipe="stock")])
        first, second = charts.estimates(both, "Precision (0 to 1)", hue="recipe").figure.axes[0].lines
        assert first.get_color() != second.get_color()
        assert first.get_marker() != second.get_marker()

    def test_a_mapping_of_estimates_will_do(self):
        estimate = SimpleNamespace(value=0.1, low=-0.05, high=0.2)
        chart = charts.estimates({"ours minus stock": estimate}, "Difference (0 to 1)", reference=0)
        assert "0.10 (-0.05 to 0.20) for ours minus stock" in chart.alt

    def test_own_words_win(self, scores):
        assert charts.estimates(scores, "Precision (0 to 1)", alt="Gaps are found best.").alt == "Gaps are found best."

    def test_a_value_outside_its_interval_is_refused(self, scores):
        scores.loc[1, "value"] = 0.9
        with pytest.raises(ValueError, match=r"0\.9 of 'empty' lies outside its interval 0\.36 to 0\.46"):
            charts.estimates(scores, "Precision (0 to 1)")

    def test_a_missing_column_is_named(self, scores):
        with pytest.raises(ValueError, match="no column 'low'"):
            charts.estimates(scores.drop(columns="low"), "Precision (0 to 1)")

    def test_nothing_to_draw_is_said(self, scores):
        with pytest.raises(ValueError, match="no rows"):
            charts.estimates(scores.head(0), "Precision (0 to 1)")


class TestCurves:
    @pytest.fixture
    def curve(self) -> pd.DataFrame:
        recall = np.linspace(0, 1, 21)
        rows = [
            pd.DataFrame({"recall": recall, "precision": top * (1 - recall), "class": name})
            for name, top in (("empty", 1.0), ("disorganized", 0.5))
        ]
        frame = pd.concat(rows, ignore_index=True)
        return frame.assign(low=frame["precision"] - 0.1, high=frame["precision"] + 0.1)

    def test_each_curve_is_named_on_itself(self, curve):
        axes = charts.band(curve, "recall", "precision", hue="class").figure.axes[0]
        for text, drawn in zip(axes.texts, axes.lines, strict=True):
            assert text.get_color() == drawn.get_color()
            assert text.xy[1] == pytest.approx(np.interp(text.xy[0], drawn.get_xdata(), drawn.get_ydata()))
        assert {text.get_text() for text in axes.texts} == {"empty", "disorganized"}
        assert axes.lines[0].get_linestyle() != axes.lines[1].get_linestyle()

    def test_the_sentence_holds_the_figures_and_the_band(self, curve):
        alt = charts.band(curve, "recall", "precision", hue="class", ylabel="Precision (share)").alt
        assert "Precision of empty is 1 (0.9 to 1.1) at recall 0, 0.5 (0.4 to 0.6) at recall 0.5 and" in alt
        assert alt.endswith("Brackets give the 95 % band.")

    def test_a_line_is_drawn_in_the_order_of_x(self):
        history = pd.DataFrame({"minutes": [2.0, 0.0, 1.0], "loss": [1.0, 3.0, 2.0]})
        chart = charts.line(
            history, "minutes", "loss", xlabel="Training time (minutes)", ylabel="Loss (lower is better)"
        )
        assert list(chart.figure.axes[0].lines[0].get_ydata()) == [3, 2, 1]
        assert chart.alt.startswith("Loss is 3 at training time 0 minutes, 2 at training time 1 minutes")


def test_histogram_gives_each_whole_number_its_bar():
    counts = pd.DataFrame({"boxes": [0, 0, 1, 3, 3, 3]})
    chart = charts.histogram(counts, "boxes", xlabel="Boxes in a photograph (count)")
    assert [bar.get_height() for bar in chart.figure.axes[0].patches] == [2, 1, 0, 3]
    assert chart.alt == "Boxes in a photograph: middle value 2, from 0 to 3, over 6 photographs."


def test_bars_start_at_zero_and_carry_their_count():
    chart = charts.bars(
        pd.DataFrame({"class": ["empty", "full"], "boxes": [2410, 805]}), "class", "boxes", "Boxes (count)"
    )
    assert [(bar.get_x(), bar.get_width()) for bar in chart.figure.axes[0].patches] == [(0, 2410), (0, 805)]
    assert chart.alt == "Boxes: 2,410 empty; 805 full."


class TestPhotoSheet:
    def test_an_image_set_brings_its_own_boxes(self, shelves):
        chart = charts.photo_sheet(shelves)
        drawn = [len(axes.patches) for axes in chart.figure.axes]
        assert drawn == [2, 1, 0]
        assert "3 photographs with 3 labelled boxes (solid)" in chart.alt
        assert "a.jpg: 2 labelled" in chart.alt

    def test_truth_and_found_differ_by_colour_and_line(self, shelves):
        found = shelves.boxes.assign(confidence=[0.9, 0.1, 0.8])
        axes = charts.photo_sheet(shelves, found=found, confidence=0.25).figure.axes[0]
        truth, other = axes.patches[0], axes.patches[-1]
        assert len(axes.patches) == 3, "the box found with confidence 0.1 isn't drawn"
        assert truth.get_edgecolor() != other.get_edgecolor()
        assert truth.get_linestyle() != other.get_linestyle()

    def test_captions_count_misses(self, shelves):
        worst = shelves.photos.assign(missed=[2, 0, 0], false=[1, 0, 4])
        alt = charts.photo_sheet(worst, shelves.boxes, shareable=True).alt
        assert "a.jpg: 2 missed, 1 false; b.jpg: 0 missed, 0 false; c.jpg: 0 missed, 4 false" in alt

    @pytest.mark.parametrize(
        ("shareable", "pictures", "photographs", "internal"),
        [
            (True, None, 3, False),
            (True, False, 0, False),
            (False, None, 0, False),
            (False, True, 3, True),
            (False, False, 0, False),
            (None, None, 0, False),
        ],
    )
    def test_photographs_leave_the_house_only_with_leave(self, shelves, shareable, pictures, photographs, internal):
        chart = charts.photo_sheet(shelves.photos, shelves.boxes, shareable=shareable, pictures=pictures)
        assert sum(len(axes.images) for axes in chart.figure.axes) == photographs
        assert any("internal" in text.get_text() for text in chart.figure.texts) == internal
        assert ("Internal" in chart.alt) == internal

    def test_the_card_decides(self, shelves):
        shelves.card.shareable = False
        assert not any(axes.images for axes in charts.photo_sheet(shelves).figure.axes)

    def test_more_photographs_than_fit_are_counted(self, shelves):
        assert charts.photo_sheet(shelves, limit=2).alt.startswith("2 of 3 photographs")

    def test_no_photographs_is_said(self, shelves):
        with pytest.raises(ValueError, match="no photographs"):
            charts.photo_sheet(shelves.photos.head(0))
