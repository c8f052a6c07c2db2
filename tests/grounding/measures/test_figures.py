"""Figures: where they are shown, what they are measured from, how they are told."""

from groundcheck.grounding.measures import figures
from groundcheck.grounding.measures.figures import FIGURES, Figure, Place, figures_at
from groundcheck.grounding.measures.metrics import Scores


def test_gain_follows_what_is_better() -> None:
    task, unsolved = figures.FIGURE["task"], figures.FIGURE["unsolved"]
    assert task.gain(0.25, 0.75) == 0.5
    assert unsolved.gain(0.25, 0.75) == -0.5


def test_places_hold_those_before_them() -> None:
    assert [f.name for f in figures_at(Place.RANKING)] == ["task", "aligned"]
    assert [f.name for f in figures_at(Place.VERDICTS)] == ["task", "raw", "aligned"]
    assert figures_at(Place.RECORD) == FIGURES


def test_a_figure_is_a_field_of_the_scores_or_measured_from_them() -> None:
    scores = Scores(0.5, 0.4, 0.6, 0.0, 0.7, 3, raw=0.1, aligned=0.2, collapse=0.3)
    assert [figures.FIGURE[name].value(scores) for name in ("task", "raw", "collapse")] == [0.5, 0.1, 0.3]
    lost = Figure("lost", "lost", "lost", "images", "read otherwise", measure=lambda s: s.aligned - s.raw)
    assert lost.value(scores) == 0.1
    assert (lost.text(0.25), lost.text(None), lost.place) == ("0.250", "–", Place.MEANS)


def test_places_come_in_the_order_in_which_more_is_shown() -> None:
    shown = [len(figures_at(place)) for place in Place]
    assert shown == sorted(shown)
    assert [place.name for place in sorted(Place)] == ["RANKING", "VERDICTS", "MEANS", "TRIALS", "RECORD"]
