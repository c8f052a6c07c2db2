"""What is read of a source is what the thing itself says."""

import inspect
import sys
from pathlib import Path

import pytest

from groundcheck.datasets.catalogue import IMAGES, TASKS, Catalogue
from groundcheck.datasets.errors import UnknownNameError
from groundcheck.grounding.experiments.catalogue import about_shipped, shipped
from groundcheck.grounding.experiments.file import find_experiment
from groundcheck.grounding.perception.catalogue import PERCEPTIONS
from groundcheck.grounding.report import about as reading
from groundcheck.grounding.report.about import About, about
from groundcheck.solvers.catalogue import SOLVERS
from groundcheck.solvers.extras import Extra

OURS = [(catalogue, name) for catalogue in (TASKS, SOLVERS, IMAGES, PERCEPTIONS) for name in catalogue.ours]


@pytest.mark.parametrize(("catalogue", "name"), OURS, ids=lambda each: getattr(each, "kind", each))
def test_what_is_read_of_ours_is_what_it_says_when_it_is_imported(
    catalogue: Catalogue, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    thing = catalogue.load(name)
    doc = " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split())
    expected = About(
        getattr(thing, "summary", doc),
        getattr(thing, "rules", ""),
        getattr(thing, "source", ""),
        getattr(thing, "extras", ()),
    )
    monkeypatch.setattr(Catalogue, "load", None)  # nothing of ours has to be imported
    assert about(catalogue, name) == expected


def test_what_experiments_are_about_is_what_their_files_say() -> None:
    assert [about_shipped(name) for name in shipped()] == [find_experiment(name).about for name in shipped()]


def written_in(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    (folder / "a_zoo.py").write_text(text)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "a_zoo", raising=False)
    reading._source_of.cache_clear()
    return Catalogue("solver", "groundcheck.none", {"one": "a_zoo:One"})


INHERITED = """
class Base:
    rules = "given"
    source: str = "a paper"

class One(Base):
    'Said.'
"""
CONSTANT = """
PAPER = "a paper"

class One:
    '''Said.

    More.'''

    rules = "given"
    source = PAPER
"""
INSTANCE = """
class Kind:
    'Other.'
    rules = "given"

    def __init__(self, **said):
        vars(self).update(said)

One = Kind(summary="Said.", source="a paper")
"""


@pytest.mark.parametrize("text", [INHERITED, CONSTANT, INSTANCE], ids=["inherited", "constant", "instance"])
def test_attributes_are_read_wherever_they_stand(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert about(written_in(tmp_path, text, monkeypatch), "one") == About("Said.", "given", "a paper")
    assert "a_zoo" not in sys.modules


COMPUTED = """
class One:
    'Said.'
    source = "A paper".lower()
"""
PROPERTY = """
class Kind:
    summary = "Said."

    @property
    def source(self):
        return "a paper"

One = Kind()
"""
BY_POSITION = """
class Kind:
    source = "a paper"

    def __init__(self, summary):
        self.summary = summary

One = Kind("Said.")
"""
FUNCTION = """
def One():
    'Said.'

One.source = "a paper"
"""


@pytest.mark.parametrize(
    "text",
    [COMPUTED, PROPERTY, BY_POSITION, FUNCTION],
    ids=["computed", "property", "by position", "function"],
)
def test_what_is_no_literal_is_imported(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert about(written_in(tmp_path, text, monkeypatch), "one") == About("Said.", "", "a paper")
    assert sys.modules.pop("a_zoo")


def test_extras_are_read_with_what_they_lack() -> None:
    [extra] = about(SOLVERS, "deepproblog").extras
    assert extra == Extra("deepproblog.model", "DeepProbLog", "deepproblog")


def test_a_name_that_nothing_has() -> None:
    with pytest.raises(UnknownNameError, match="did you mean satnet"):
        about(SOLVERS, "satnett")
