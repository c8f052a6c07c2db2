"""What every solver of the catalogue has to keep."""

import pytest

from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding.checks.contract.contract import check_contract
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.solvers.catalogue import SOLVERS

TINY_TASK = Mapping(symbols=3)
# Fewer steps of networks that answer after each: the contract is the same, and is checked sooner.
SHORT = {"recurrent-transformer": {"recurrences": 3, "width": 16}, "rrn": {"steps": 3, "width": 16}}
# The beartype that reads shapes in tests draws from `random` itself, so that this check means nothing here.
SEES_THE_TESTS = "contract/randomness"
# What packages do as they are, told in docs/solvers.md; it would be told if they no longer did.
KNOWN = {"pyepo-perturbed": {"contract/loss-rows", "contract/gradient-beliefs", "contract/gradient-training"}}


@pytest.mark.filterwarnings("ignore")  # of the packages that adapters stand on
@pytest.mark.parametrize("name", SOLVERS.ours)
def test_every_solver_keeps_the_contract(name):
    findings = list(check_contract(SolverSpec(name, SHORT.get(name, {})), TINY_TASK))
    if findings[0].status == "skip":
        pytest.skip(findings[0].reason)
    broken = [f for f in findings if f.status not in ("pass", "skip") and f.check != SEES_THE_TESTS]
    known = KNOWN.get(name, set())
    assert [f for f in broken if f.check not in known] == []
    assert {f.check for f in broken} == known


@pytest.mark.parametrize("name", SOLVERS.ours)
def test_every_docstring_tells_cost_and_paper(name):
    solver = SOLVERS.load(name)
    text = " ".join(solver.__doc__.split())
    assert "cost" in text.lower()
    assert "Source" in text
    assert "arXiv:" in text
    assert "arXiv:" in solver.source
