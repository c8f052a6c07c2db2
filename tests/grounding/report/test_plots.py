"""What is drawn where: the plane, the curves, calibration, confusion."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from groundcheck.grounding.bars import HIGH, bars, perfect_ceiling
from groundcheck.grounding.measures.report_samples import Calibration
from groundcheck.grounding.report.canvas import DARK, embedded
from groundcheck.grounding.report.figures import draw_board, draw_matrix, matrices, plots_of
from groundcheck.grounding.report.pictures import Matrix, lay_out
from groundcheck.grounding.report.plane import EDGE, miniature, plane
from groundcheck.grounding.report.plots import accuracies, losses, reliability, too_few

from .made import outcome, scores, task_report

CEILINGS = [outcome("ceiling", seed, 0.9, 0.9) for seed in range(3)]
SOLVER = [outcome("grounding", seed, 0.0, 0.0) for seed in range(3)]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_plane_has_room_below_zero_named_borders_and_the_mark_of_the_ceiling() -> None:
    found = plane(SOLVER, [], CEILINGS)
    assert found
    [axes] = found.figure.axes
    assert axes.get_xlim()[0] < -0.03
    assert axes.get_ylim()[0] < -0.03
    assert "high: 0.95 of the ceiling" in texts(found.figure)
    assert "high: 0.95 of the best possible" in texts(found.figure)
    assert {"GROUNDED", "SHORTCUT", "UNGROUNDED", "NOT\nREASONING"} <= set(texts(found.figure))
    assert "×3" in texts(found.figure)  # three seeds in one place
    marks = {c.get_label(): c.get_offsets().tolist() for c in axes.collections if c.get_label()[0] != "_"}
    assert marks["ceiling"] == [[1.0, 1.0]]
    assert marks["this solver"] == [[0.0, 0.0]] * 3
    assert found.against.startswith("relative to")


def test_points_beyond_the_edge_stay_on_the_plane() -> None:
    found = plane([outcome("grounding", 0, 1.0, 1.0)], [], [outcome("ceiling", 0, 0.5, 0.5)])
    assert found
    drawn = found.figure.axes[0].collections[-1].get_offsets()
    assert np.asarray(drawn).max() < EDGE


def test_without_a_ceiling_accuracies_are_held_against_reading_everything() -> None:
    found = plane([outcome("grounding", 0, 0.7, 0.4)], [], [])
    assert found
    assert found.against.startswith("held against reading everything right")
    assert {"GROUNDED", "high: 0.95"} <= set(texts(found.figure))
    labels = found.figure.axes[0].get_legend_handles_labels()[1]
    assert labels == ["this solver"]
    assert np.allclose(found.figure.axes[0].collections[-1].get_offsets(), [[0.4, 0.7]])


def test_a_ceiling_that_decides_nothing_draws_no_region() -> None:
    unfit = [outcome("ceiling", seed, 0.1, 0.1, guessed_aligned=0.33) for seed in range(3)]
    found = plane([outcome("grounding", 0, 0.7, 0.4)], [], unfit)
    assert found
    assert found.against == "held against nothing: the ceiling decides nothing"
    assert "GROUNDED" not in texts(found.figure)
    assert np.allclose(found.figure.axes[0].collections[-1].get_offsets(), [[0.4, 0.7]])
    assert found.figure.axes[0].get_xlabel() == "aligned grounding"


def test_no_plane_where_no_image_was_read() -> None:
    unread = outcome("grounding", 0, 0.7, None)
    assert plane([unread], [], []) is None
    assert plane([], [], CEILINGS) is None
    assert plane([outcome("grounding", 0, 0.0, 0.7, puzzles=0)], [], CEILINGS) is None  # images alone
    assert miniature([unread], CEILINGS) is None


def test_without_a_ceiling_the_plane_is_held_against_what_the_verdict_is() -> None:
    """A perception that reads everything; and no bar is below what the same seed reaches without logic."""
    subject, baseline = outcome("grounding", 0, 0.5, 0.8), outcome("baseline", 0, 1.0, 0.8, puzzles=100_000)
    found = plane([subject], [baseline], [])
    bar = bars(perfect_ceiling(subject), baseline, assumed=True)
    assert found
    assert bar
    assert bar.task > 0.99
    [point] = found.figure.axes[0].collections[-1].get_offsets()
    assert point.tolist() == pytest.approx([HIGH * 0.8 / bar.grounding, HIGH * 0.5 / bar.task])
    drawn = miniature([subject], [])
    assert drawn
    assert drawn.count("<circle") == 1


def test_miniature_shows_each_place_once() -> None:
    drawn = miniature(SOLVER, CEILINGS)
    assert drawn
    assert drawn.count("<circle") == 1
    assert drawn.count("<rect") == 4


def test_seeds_are_thin_their_mean_is_bold_and_the_ceiling_is_dashed() -> None:
    learned = [outcome("grounding", seed, 0.3 + 0.2 * seed, 0.5) for seed in range(3)]
    [axes] = accuracies(learned, CEILINGS).axes
    task = [line for line in axes.lines if line.get_color() == "#0072b2"]
    thin, bold = (
        [line for line in task if line.get_linewidth() < 1],
        [line for line in task if line.get_linewidth() > 2],
    )
    assert len(thin) == 3
    [mean] = bold
    assert mean.get_ydata()[-1] == pytest.approx(0.5)
    dashed = [line for line in axes.lines if line.is_dashed() and len(line.get_xdata()) == 2]
    assert [line.get_ydata()[0] for line in dashed] == [pytest.approx(0.9)] * 2


def test_many_seeds_are_a_band_and_one_point_can_be_seen() -> None:
    many = [outcome("grounding", seed, 0.5, 0.5) for seed in range(30)]
    [axes] = accuracies(many).axes
    assert len(axes.lines) == 3  # a mean of each
    assert len(axes.collections) == 3
    single = losses([outcome("grounding", 0, 0.5, 0.5, epochs=1)])
    assert single
    assert single.axes[0].lines[0].get_marker() == "o"


def test_bins_of_under_ten_images_show_no_accuracy() -> None:
    told = scores(0.5, 0.5).calibration
    assert told
    drawn = reliability([told]).axes[0].lines[-1]
    assert drawn.get_xdata().tolist() == pytest.approx([0.65, 0.97])
    assert drawn.get_ydata().tolist() == pytest.approx([0.5, 0.9])
    assert too_few([told]) == 3
    # Over four seeds the bin has twelve images.
    assert len(reliability([told] * 4).axes[0].lines[-1].get_xdata()) == 3
    assert too_few([told] * 4) == 0
    [*_, calibration] = plots_of(task_report([outcome("grounding", 0, 0.5, 0.5)]), None)
    assert calibration.caption.endswith("bins of under 10 images left out (3 images)")


def test_calibration_of_no_image_is_not_drawn() -> None:
    nothing = Calibration([0] * 10, [None] * 10, [None] * 10, 0.0)
    drawn = plots_of(task_report([outcome("grounding", 0, 0.5, 0.5, calibration=nothing)]), 3)
    assert [plot.name for plot in drawn] == ["plane", "curves", "symbols", "gradient", "loss"]


def test_confusion_is_in_percent_and_names_what_was_never_read() -> None:
    matrix = Matrix("before alignment", ["4", "7", "9"], [[1, 0, 299], [0, 50, 50], [0, 0, 0]])
    assert [matrix.percent(0, column) for column in range(3)] == ["<1", "", "100"]
    assert [matrix.percent(1, column) for column in range(3)] == ["", "50", "50"]
    assert matrix.remark == "never shown: 9"
    [before, after] = matrices(outcome("grounding", 0, 0.5, 0.5), None)
    assert before.remark == after.remark == "never read: 2"
    figure = draw_matrix(before)
    assert "never read: 2" in figure.axes[0].get_title(loc="left")
    assert figure.axes[0].get_aspect() == 1.0
    assert matrices(outcome("grounding", 0, 0.5, 0.5, confusion=None), None) == []


def test_long_names_stand_upright_over_a_confusion_matrix() -> None:
    for names, turned in ((["4", "7", "9"], 0), (["automobile", "cat", "dog"], 90)):
        drawn = draw_matrix(Matrix("before alignment", names, [[1, 0, 0], [0, 1, 0], [0, 0, 1]]))
        labels = drawn.axes[0].get_xticklabels()
        assert [(label.get_text(), label.get_rotation()) for label in labels] == [(n, turned) for n in names]


def test_a_board_is_drawn_with_its_errors() -> None:
    found = scores(0.5, 0.5)
    drawing = lay_out(None, found.boards[0], None)
    assert drawing.errors == 1
    words = texts(draw_board(drawing))
    assert words == ["0", "0", "1", "2"]  # the given and its reading; the answer and the truth


def test_every_colour_of_a_plot_has_one_for_dark_pages() -> None:
    task = task_report([*SOLVER, *CEILINGS])
    for plot in plots_of(task, 3):
        drawn = embedded(plot.figure)
        assert "#000000" not in drawn
        for light, dark in DARK.items():
            assert drawn.count(light) == drawn.count(f"light-dark({light}, {dark})")
