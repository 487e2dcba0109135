"""Figures: whole files of the stated size whose captions say what a reader must know; nothing global is changed."""

from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from bitface.adapters import figures
from bitface.adapters.canonical_mesh import read_canonical_mesh
from bitface.adapters.figures.explanation import landmark_shares
from bitface.adapters.figures.study import best_by_time
from bitface.adapters.figures.style import STATE_MARKS
from bitface.evaluation.curves import Reliability, RocCurve
from bitface.evaluation.intervals import Interval
from bitface.explain.attributions import Attribution, summarise
from bitface.figure_ports import (
    DriftPanel,
    FindingRow,
    ForestRow,
    LatencyRow,
    Overview,
    ReductionCurve,
    ReductionPoint,
    TradePoint,
)

EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
BINS = np.linspace(0.1, 0.9, 5)
ROWS = tuple(
    ForestRow(group=group, label=label, value=0.7, lo=0.6, hi=0.8, people=40, state=state)
    for group, label, state in (("age", "18-29", "PASS"), ("age", "30-44", "FAIL"), ("gender", "other", "INSUFFICIENT"))
)
FINDINGS = tuple(
    FindingRow(name=f"disparity/gender:{k}", words=f"gap to all others, gender {k}", figure="0.059", state="FAIL")
    for k in range(8)
)
TIMES = (
    LatencyRow(name="one-bit", p50_ms=0.3, p95_ms=0.4, size_bytes=92_000, is_ours=True),
    LatencyRow(name="float twin", p50_ms=0.9, p95_ms=1.4, size_bytes=1_140_000, is_ours=False),
)


@pytest.fixture(scope="module")
def mesh(landmarker_file):
    return read_canonical_mesh(landmarker_file)


@pytest.fixture(scope="module")
def summary():
    values = np.random.default_rng(0).normal(size=(4, 7, 478))
    differences = values.sum(axis=2) * 2
    return summarise(
        Attribution(
            method="integrated gradients",
            gradient="straight-through",
            steps=np.array([50]),
            baseline="mean landmarks of training people",
            emotions=EMOTIONS,
            values=values,
            outside=np.zeros(values.shape[:2]),
            differences=differences,
        )
    )


def confusion(path, emotions=EMOTIONS):
    return figures.confusion_figure(np.eye(len(emotions), dtype=np.int64) * 9, emotions, path)


def reliability(path, emotions=EMOTIONS):
    curve = Reliability(
        mean_score=BINS,
        share=BINS,
        lo=BINS - 0.1,
        hi=BINS + 0.1,
        samples=np.full(5, 10),
        expected_calibration_error=0.03,
    )
    after = replace(curve, share=curve.share**2, expected_calibration_error=0.01)
    return figures.reliability_figure(dict.fromkeys(emotions, curve), dict.fromkeys(emotions, after), path)


def coverage(path):
    return figures.coverage_figure(ROWS, 0.9, "calibrated on 27 people of split test", path)


def units(path):
    return figures.unit_figure(ROWS, "the facial actions that moved them", path)


def roc(path, emotions=EMOTIONS):
    curve = RocCurve(false_positive_rate=BINS, true_positive_rate=np.sqrt(BINS), at_threshold=(0.1, 0.6))
    area = Interval(value=0.9, lo=0.85, hi=0.94, n=840, persons=120)
    return figures.roc_figure(dict.fromkeys(emotions, curve), dict.fromkeys(emotions, area), path)


def slices(path):
    return figures.slice_figure(ROWS, 0.6, "Accuracy", path)


def latency(path):
    return figures.latency_figure(TIMES, 2.0, path)


def trade(path):
    points = [TradePoint(name=f"model {n}", ms=0.1 * n, values=[0.8 + 0.02 * n, 0.9]) for n in (1, 2, 3)]
    return figures.trade_figure(points, "accuracy", "Accuracy of one-bit models over the time of a still.", path)


def drift(path):
    panels = [DriftPanel(name=f"geometry/nose_{n}", distance=0.5, reference=BINS, current=BINS + n) for n in (1, 2, 3)]
    caption = "204 faces against 46 people: what lies farthest apart."
    return figures.drift_figure(panels, ("46 people", "204 faces"), "New faces differ", caption, path)


def reduction(path):
    curves = [
        ReductionCurve(name=name, counts=[256, 32], values=[0.85, low])
        for name, low in (("at random", 0.8), ("spread evenly", 0.7))
    ]
    trained = [
        ReductionPoint(name="all 478", count=478, values=[0.9, 0.92], is_best=True),
        ReductionPoint(name="32 greedy", count=32, values=[0.88], is_best=True),
        ReductionPoint(name="32 random", count=32, values=[0.86], is_best=False),
    ]
    caption = "Screened on the left and trained on the right, out of fold on so many people."
    return figures.reduction_figure(curves, trained, 0.86, "Accuracy", caption, path)


def assert_is_a_whole_picture(path):
    with Image.open(path) as image:
        image.load()
        assert image.format == "PNG"
        assert image.width == 1080
        assert 500 < image.height < 2400
        pixels = np.asarray(image.convert("L"))
    assert pixels.min() < 60 < 200 < pixels.max()
    # Nothing is cut off: a frame of the page stays white.
    edge = np.concatenate([pixels[:6].ravel(), pixels[-6:].ravel(), pixels[:, :6].ravel(), pixels[:, -6:].ravel()])
    assert edge.min() == 255


def test_times_by_the_clock_are_not_held_against_a_budget_of_processor_time_in_silence(tmp_path):
    caption = figures.caption_of(latency(tmp_path / "figure.png"))[1]
    assert "by the clock" in caption and "asks of processor time" in caption


@pytest.mark.parametrize("draw", [confusion, reliability, coverage, units, roc, slices, latency, trade, drift])
def test_a_figure_is_whole_and_says_what_it_shows(tmp_path, draw):
    """1,080 pixels wide, with dark and light in it, a white margin, a title and a caption."""
    path = draw(tmp_path / "folder" / "figure.png")
    assert_is_a_whole_picture(path)
    title, caption = figures.caption_of(path)
    assert title
    assert len(caption) > 40


def overview(summary, findings, shown):
    return Overview(
        title="A title",
        outcome="8 required cells do not pass: 8 fail" if findings else "every required cell passes",
        findings=findings,
        groups=ROWS,
        metric="accuracy",
        floor=0.6,
        latency=TIMES,
        summary=summary,
        shown=shown,
    )


def test_explanations_are_drawn_on_the_mesh_with_their_provenance(tmp_path, mesh, summary):
    """Method, steps, baseline, gap and, for straight-through maps, that they do not add up: under each picture of a map."""
    drawn = [
        figures.attribution_figure(summary, mesh, tmp_path / "maps.png"),
        figures.landmark_ranking_figure(summary, mesh, tmp_path / "ranking.png"),
        figures.overview_figure(overview(summary, FINDINGS, ("happiness", "fear")), mesh, tmp_path / "overview.png"),
    ]
    for path in drawn:
        assert_is_a_whole_picture(path)
        caption = figures.caption_of(path)[1].lower()
        for words in (
            "integrated gradients, 50 steps",
            "baseline: mean landmarks of training people",
            "median 50.0%",
            "approximate, not additive",
        ):
            assert words in caption, path.name


def test_the_overview_names_every_required_cell_that_does_not_pass_and_says_so_where_all_do(tmp_path, mesh, summary):
    words = {}
    for name, findings in (("open", FINDINGS), ("all pass", ())):
        path = figures.overview_figure(overview(summary, findings, ("happiness",)), mesh, tmp_path / "overview.png")
        words[name] = figures.caption_of(path)[1]
    assert all(f"{row.name} FAIL" in words["open"] for row in FINDINGS)
    assert "Every required cell passes." in words["all pass"] and "FAIL" not in words["all pass"]


@pytest.mark.filterwarnings("error:Glyph")
@pytest.mark.parametrize(
    "words", [("日本", "한국", "हिन्दी"), ("50% $x_1$", "ไทย", "x" * 300), (r"$\frac{1}$", r"$\frac{", "$^$")]
)
def test_words_of_any_script_are_drawn_without_a_box(tmp_path, words):
    """Slices are named as people write them; what the font lacks stands in Latin letters."""
    rows = [replace(row, label=word) for row, word in zip(ROWS, words, strict=True)]
    assert_is_a_whole_picture(figures.slice_figure(rows, 0.6, "accuracy", tmp_path / "slices.png"))


def test_what_the_font_has_stays_as_it_is_and_the_rest_is_romanised():
    assert figures.drawable("Öst-Ελλάς, белый") == "Öst-Ελλάς, белый"
    assert figures.drawable("東アジア 日本").isascii() and figures.drawable("日本") == "RiBen"


def test_the_line_of_a_trade_joins_only_what_is_better_than_all_that_is_faster():
    points = [
        TradePoint(name=name, ms=ms, values=values)
        for name, ms, values in (("a", 1, [0.5, 0.7]), ("b", 2, [0.6]), ("c", 3, [0.8]), ("d", 4, [0.7]))
    ]
    assert [point.name for point in best_by_time(points)] == ["a", "c"]


def test_what_nets_rest_on_is_drawn_on_the_mesh(tmp_path, mesh):
    """The picture of the study, from importances alone."""
    importance = np.random.default_rng(1).random((7, 478))
    assert_is_a_whole_picture(figures.importance_figure(importance, mesh, "A caption.", tmp_path / "figure.png"))


def test_the_same_figures_give_the_same_bytes(tmp_path):
    """No time, no program version: a picture can be compared by its digest."""
    first, second = (slices(tmp_path / f"{name}.png").read_bytes() for name in ("a", "b"))
    assert first == second


def test_the_style_stays_inside_the_figure(tmp_path):
    """Another program's settings are not ours to change."""
    before = dict(mpl.rcParams)
    confusion(tmp_path / "figure.png")
    assert dict(mpl.rcParams) == before


def test_an_emotion_without_samples_has_no_percentages(tmp_path):
    """0 of 0 is not 0 percent, and no division warns."""
    counts = np.zeros((7, 7), dtype=np.int64)
    counts[0, 0] = 3
    assert_is_a_whole_picture(figures.confusion_figure(counts, EMOTIONS, tmp_path / "figure.png"))


def test_the_caption_names_the_floor_of_the_gate(tmp_path):
    """A line without a name would be a guess."""
    assert "0.60" in figures.caption_of(slices(tmp_path / "figure.png"))[1]


def test_shares_of_a_map_add_up_to_a_hundred_percent():
    """3 of 4 parts on one landmark is 75 %; a map of zeros stays one of zeros."""
    values = np.zeros((2, 478))
    values[0, 1], values[0, 2] = 3.0, 1.0
    shares = landmark_shares(values)
    assert shares[0, 1] == pytest.approx(75)
    assert shares[0].sum() == pytest.approx(100)
    assert not shares[1].any()


def test_words_of_any_length_stay_on_the_page(tmp_path):
    """Long titles wrap; the page grows, and the edge stays white."""
    rows = (
        ForestRow(group="a rather long heading", label="a rather long label", value=0.5, lo=0.2, hi=1.0, people=123456),
    )
    assert_is_a_whole_picture(
        figures.slice_figure(rows, None, "Some metric with a rather long name " * 3, tmp_path / "f.png")
    )


def right_edge_of_ink(path):
    """How far right the picture's body is used, 0 to 1: below the title, above the caption."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("L"))
    body = pixels[int(0.2 * len(pixels)) : int(0.6 * len(pixels))]
    return np.flatnonzero((body < 200).any(axis=0)).max() / pixels.shape[1]


@pytest.mark.parametrize("count", [2, 3, 4, 7])
@pytest.mark.parametrize("draw", [reliability, roc])
def test_panels_of_few_emotions_fill_the_page(tmp_path, draw, count):
    path = draw(tmp_path / "figure.png", EMOTIONS[:count])
    assert_is_a_whole_picture(path)
    assert right_edge_of_ink(path) > 0.85


@pytest.mark.parametrize("count", [2, 3, 4, 7])
def test_faces_of_few_emotions_fill_the_page(tmp_path, mesh, count):
    values = np.random.default_rng(2).normal(size=(count, 478))
    path = figures.region_figure(values, EMOTIONS[:count], "Mean over faces.", mesh, tmp_path / "regions.png")
    assert right_edge_of_ink(path) > 0.85


def drawn_axes(monkeypatch, draw, path):
    """The axes of a figure as it was saved."""
    kept = []
    save = FigureCanvasAgg.print_png
    keeping = lambda canvas, *a, **k: (kept.append(canvas.figure), save(canvas, *a, **k))  # noqa: E731
    monkeypatch.setattr(FigureCanvasAgg, "print_png", keeping)
    draw(path)
    return kept[0].axes


@pytest.mark.parametrize("draw", [reliability, roc])
def test_both_axes_of_a_grid_have_numbers(tmp_path, monkeypatch, draw):
    """A panel that hides its labels shares its axis with those that show them."""
    axes = drawn_axes(monkeypatch, draw, tmp_path / "figure.png")
    assert [one.get_text() for one in axes[0].get_yticklabels()] == ["0", "0.5", "1"]
    assert [one.get_text() for one in axes[-1].get_xticklabels()] == ["0", "0.5", "1"]


def test_the_calibration_error_stands_above_the_panel_and_not_on_the_data(tmp_path, monkeypatch):
    panel = drawn_axes(monkeypatch, reliability, tmp_path / "figure.png")[0]
    assert panel.get_title(loc="left") == "ECE 0.01"
    assert [one.get_text() for one in panel.texts] == ["anger"] and panel.texts[0].xy == (0, 1)


def test_a_few_names_of_emotions_stand_level(tmp_path, monkeypatch):
    for count, angle in ((2, 0), (3, 0), (7, 40)):
        with monkeypatch.context() as patch:
            (axes,) = drawn_axes(patch, lambda path, n=count: confusion(path, EMOTIONS[:n]), tmp_path / "figure.png")
        assert {one.get_rotation() for one in axes.get_xticklabels()} == {angle}


def test_a_limit_has_no_colour_of_a_verdict(tmp_path, monkeypatch):
    """Orange was both the floor and a FAIL."""
    (axes,) = drawn_axes(monkeypatch, slices, tmp_path / "figure.png")
    (limit,) = [line for line in axes.lines if list(line.get_xdata()) == [0.6, 0.6]]
    assert limit.get_color() not in {colour for colour, _ in STATE_MARKS.values()} and limit.is_dashed()


def test_a_row_says_what_failed_how_many_people_it_has_and_that_nobody_has_it(tmp_path, monkeypatch):
    rows = (
        replace(ROWS[1], remark="gap", people=48),
        replace(ROWS[0], label="other", people=1),
        ForestRow(
            group="age",
            label="60+",
            value=None,
            lo=None,
            hi=None,
            people=0,
            state="INSUFFICIENT",
            remark="no one was judged",
        ),
    )
    path = tmp_path / "figure.png"
    (axes,) = drawn_axes(monkeypatch, lambda to: figures.slice_figure(rows, 0.6, "accuracy", to), path)
    words = [one.get_text().strip() for one in axes.texts]
    assert {"gap", "48 people", "1 person", "no one was judged", "0 people"} <= set(words)
    assert [one.get_text() for one in axes.get_yticklabels()] == ["30-44", "other", "60+"]
    caption = figures.caption_of(path)[1]
    assert caption.startswith("Accuracy") and "which of them" in caption and "orange" not in caption


def test_the_overview_says_how_many_cells_do_not_pass(tmp_path, mesh, summary):
    path = figures.overview_figure(overview(summary, FINDINGS, ("happiness",)), mesh, tmp_path / "overview.png")
    assert "8 required cells do not pass: 8 fail." in figures.caption_of(path)[1]
