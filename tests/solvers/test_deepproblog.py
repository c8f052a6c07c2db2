"""DeepProbLog's exact engine."""

import copy
import importlib.util
import math
import sys
import types

import pytest
import torch

from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.solvers.deepproblog import DeepProbLog, load_without_prolog
from groundcheck.solvers.exact import Exact
from groundcheck.solvers.extras import Extra, MissingExtraError
from groundcheck.solvers.solver import UnsupportedProblemError

installed = pytest.mark.skipif(
    importlib.util.find_spec("deepproblog") is None, reason="the extra [deepproblog] is not installed"
)


@installed
@pytest.mark.parametrize("task", [Mapping(symbols=3), Sudoku(size=4)], ids=["mapping", "sudoku"])
def test_the_query_has_the_likelihood_of_rules_and_answer(task):
    puzzles = task.generate("train", 4, 0)
    shape = (4, len(task.problem.variables), task.problem.symbols)
    beliefs = torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    beliefs.requires_grad_()
    given = torch.from_numpy(puzzles.given)
    answer = torch.where(given, -1, torch.from_numpy(puzzles.solution.astype("int64")))
    found = []
    for solver in (Exact(task.problem), DeepProbLog(task.problem)):
        loss = solver.loss(beliefs, given, answer)
        [slope] = torch.autograd.grad(loss.sum(), beliefs)
        found.append((loss.detach(), slope))
    (expected, expected_slope), (loss, slope) = found
    assert torch.allclose(loss, expected, atol=1e-9)
    assert torch.allclose(slope, expected_slope, atol=1e-9)


@installed
def test_a_puzzle_is_compiled_once_and_reads_new_beliefs():
    solver = DeepProbLog(Mapping(symbols=3, bijection="identity").problem)
    given, answer = torch.tensor([[True, False]]), torch.tensor([[-1, 2]])
    losses = [
        solver.loss(torch.tensor([[[0.1, 0.9 - p, p], [0.0, 0.0, 0.0]]]), given, answer).item()
        for p in (0.25, 0.5)
    ]
    assert losses == pytest.approx([-math.log(0.25), -math.log(0.5)], abs=1e-6)


@installed
def test_a_query_without_an_answer_is_open():
    solver = DeepProbLog(Mapping(symbols=3, bijection="identity").problem)
    beliefs = torch.tensor([[[0.1, 0.7, 0.2], [0.0, 0.0, 0.0]]])
    loss = solver.loss(beliefs, torch.tensor([[True, False]]), torch.tensor([[-1, -1]]))
    assert loss.item() == pytest.approx(0, abs=1e-5)


@installed
def test_an_answer_that_no_world_has_costs_the_floor():
    solver = DeepProbLog(Mapping(symbols=2, bijection="identity").problem)
    beliefs = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]], requires_grad=True)
    loss = solver.loss(beliefs, torch.tensor([[True, False]]), torch.tensor([[-1, 1]]))
    assert loss.item() == pytest.approx(-math.log(1e-30), rel=1e-3)


@installed
def test_a_copy_asks_the_same_program():
    solver = DeepProbLog(Mapping(symbols=3).problem)
    beliefs = torch.rand(2, 2, 3, generator=torch.Generator().manual_seed(0))
    given, answer = torch.tensor([[True, False]]).expand(2, 2), torch.tensor([[-1, 0], [-1, 2]])
    assert torch.equal(
        solver.loss(beliefs, given, answer), copy.deepcopy(solver).loss(beliefs, given, answer)
    )


@installed
def test_nothing_is_printed_when_it_is_built(capfd):
    DeepProbLog(Mapping(symbols=2).problem)
    assert capfd.readouterr() == ("", "")


@installed
def test_too_many_worlds_are_refused_with_their_number():
    with pytest.raises(UnsupportedProblemError, match=r"at most 2,000.*81 variables"):
        DeepProbLog(Sudoku(size=9).problem)


def test_a_pyswip_that_finds_no_prolog_is_hidden(monkeypatch, tmp_path):
    (tmp_path / "pyswip.py").write_text("raise ImportError('no SWI-Prolog')\n")
    (tmp_path / "engines_of.py").write_text(
        "try:\n    import pyswip as approximate\nexcept ModuleNotFoundError:\n    approximate = None\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "pyswip", raising=False)
    loaded = load_without_prolog(Extra("engines_of", "DeepProbLog", "deepproblog"))
    monkeypatch.delitem(sys.modules, "engines_of")
    assert isinstance(loaded, types.ModuleType)
    assert loaded.approximate is None
    assert "pyswip" not in sys.modules


def test_a_package_that_is_missing_stays_missing():
    with pytest.raises(MissingExtraError, match="needs DeepProbLog"):
        load_without_prolog(Extra("no_such_package_of_anyone", "DeepProbLog", "deepproblog"))
