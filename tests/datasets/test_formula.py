"""Assignments of a formula are counted before they are drawn, and found by SAT where a walk finds none."""

import itertools

import numpy as np
import pytest

from groundcheck.datasets import logic
from groundcheck.datasets.errors import UsageError
from groundcheck.datasets.formula import (
    BROKEN,
    MIN_DISTINCT,
    ONE_BROKEN,
    SATISFIED,
    Formula,
    Sampler,
    as_bits,
    count_distinct,
)
from groundcheck.datasets.logic import Logic
from groundcheck.datasets.search.splits import shares
from groundcheck.datasets.task import SPLITS

KINDS = (SATISFIED, ONE_BROKEN, BROKEN)


def random_formula(seed: int, variables: int = 7, clauses: int = 9) -> Formula:
    """With a clause twice, a tautology and a repeated literal among them."""
    rng = np.random.default_rng(seed)
    drawn = [
        tuple(((1 + rng.choice(variables, 3, replace=False)) * rng.choice((-1, 1), 3)).tolist())
        for _ in range(clauses)
    ]
    return Formula(variables, (*drawn, drawn[0], (1, -1), (2, 2, 3)))


def table(formula: Formula) -> tuple[np.ndarray, np.ndarray]:
    """All assignments, and how many clauses each breaks."""
    bits = np.array(list(itertools.product((0, 1), repeat=formula.variables)), dtype=np.int8)
    held = [(bits[:, np.abs(c) - 1] == (np.array(c) > 0)).any(axis=1) for c in formula.clauses]
    return bits, (~np.array(held)).sum(axis=0)


def fits(kind: int, broken: np.ndarray) -> np.ndarray:
    return broken > 0 if kind == BROKEN else broken == kind


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_every_assignment_of_a_kind_is_counted_once(kind: int, seed: int) -> None:
    formula = random_formula(seed)
    bits, broken = table(formula)
    wanted = bits[fits(kind, broken)]
    found = [tuple(as_bits(model).tolist()) for model in formula.assignments(kind)]
    assert sorted(found) == sorted(map(tuple, wanted.tolist()))
    counts = count_distinct(formula, kind, SPLITS)
    true = dict(zip(SPLITS, np.bincount(shares(wanted), minlength=4).tolist(), strict=True))
    if any(count < MIN_DISTINCT for count in true.values()):
        assert counts == true
        assert formula.shortage(kind, SPLITS) is not None
    else:
        assert all(MIN_DISTINCT <= counts[split] <= true[split] for split in SPLITS)
        assert formula.shortage(kind, SPLITS) is None


def test_counting_ends_when_the_splits_asked_for_have_enough() -> None:
    formula = Formula(200, ((1, 2, 3),))
    for kind in KINDS:
        counts = count_distinct(formula, kind, ("test",))
        assert counts["test"] == MIN_DISTINCT
        assert sum(counts.values()) < 20 * MIN_DISTINCT


@pytest.mark.parametrize("kind", KINDS)
def test_drawn_by_sat_is_what_was_asked_for_the_same_for_the_same_seed(kind: int) -> None:
    formula = random_formula(1)
    bits, broken = table(formula)
    code = 2 ** np.arange(formula.variables)
    breaks = dict(zip((bits @ code).tolist(), broken.tolist(), strict=True))
    drawn: list[np.ndarray] = []
    for _ in range(2):
        with Sampler(formula) as sampler:
            drawn.append(np.array([sampler.draw(kind, "test", seed) for seed in range(60)]))
    assert np.array_equal(*drawn)
    assert set(shares(drawn[0]).tolist()) == {SPLITS.index("test")}
    assert fits(kind, np.array([breaks[row] for row in (drawn[0] @ code).tolist()])).all()
    there = bits[fits(kind, broken)]
    there = there[shares(there) == SPLITS.index("test")]
    assert len(np.unique(drawn[0], axis=0)) > len(there) / 2  # not the same one over and over


def test_a_draw_of_what_is_not_there_ends() -> None:
    with Sampler(Formula(2, ((1,), (2,)))) as sampler:
        share = SPLITS[shares(np.ones((1, 2), np.int8))[0]]
        assert sampler.draw(SATISFIED, share, 0).tolist() == [1, 1]
        other = SPLITS[(SPLITS.index(share) + 1) % 4]
        with pytest.raises(ValueError, match="no assignment of this kind"):
            sampler.draw(SATISFIED, other, 0)


def parity_rules(variables: int, equations: int) -> str:
    """Random exclusive ors of three variables: a walk gets lost, SAT eliminates."""
    rng = np.random.default_rng(0)
    clauses: list[str] = []
    for _ in range(equations):
        names = 1 + rng.choice(variables, 3, replace=False)
        signs = [sign for sign in itertools.product((1, -1), repeat=3) if np.prod(sign) > 0]
        clauses += [" ".join(map(str, names * sign)) + " 0" for sign in signs]
    return f"p cnf {variables} {len(clauses)}\n" + "\n".join(clauses) + "\n"


@pytest.mark.parametrize("split", ["train", "ood"])
def test_models_are_drawn_by_sat_where_the_walk_finds_none(tmp_path, monkeypatch, split) -> None:
    path = tmp_path / "parity.cnf"
    path.write_text(parity_rules(48, 36))
    monkeypatch.setattr(logic, "BUDGET", 2_000_000)
    drawn: list[int] = []

    class Counting(Sampler):
        def draw(self, *asked):
            drawn.append(asked[0])
            return super().draw(*asked)

    monkeypatch.setattr(logic, "Sampler", Counting)
    task = Logic(file=str(path))
    puzzles = task.generate(split, 60, 0)
    assert np.array_equal(puzzles.solution, Logic(file=str(path)).generate(split, 60, 0).solution)
    assert SATISFIED in drawn  # the walk gave up
    assert task.verify(puzzles.solution).all()
    assert (shares(puzzles.solution[:, :-1]) == SPLITS.index(split)).all()
    right = puzzles.solution[puzzles.solution[:, -1] == 1]
    assert len(right) > 20
    assert len(np.unique(right, axis=0)) > len(right) / 2
    if split == "ood":
        wrong = puzzles.solution[puzzles.solution[:, -1] == 0]
        held = [(wrong[:, np.abs(c) - 1] == (np.array(c) > 0)).any(axis=1) for c in task.cnf[1]]
        assert set((~np.array(held)).sum(axis=0).tolist()) == {1}


def test_few_models_are_refused_by_that_reason_before_anything_is_drawn(tmp_path, monkeypatch) -> None:
    path = tmp_path / "few.cnf"  # x1 … x17 hold: 2³ models
    path.write_text("p cnf 20 17\n" + "\n".join(f"{v} 0" for v in range(1, 18)) + "\n")
    monkeypatch.setattr(logic, "make_assignments", lambda *_: pytest.fail("nothing may be drawn"))
    with pytest.raises(
        UsageError, match=r"few.cnf: assignments that satisfy it: 8 \(train \d, .*different ones"
    ):
        Logic(file=str(path))


def test_a_split_is_asked_for_its_own_kind_of_assignments(tmp_path) -> None:
    """Every clause stands twice: nothing breaks exactly one, which the ood split alone needs."""
    path = tmp_path / "twice.cnf"
    path.write_text("p cnf 12 2\n1 2 3 0\n1 2 3 0\n")
    task = Logic(file=str(path))
    assert len(task.generate("train", 40, 0)) == 40
    with pytest.raises(
        UsageError, match=r"that break exactly one clause: 0 \(train 0, .*more clauses, or shorter"
    ):
        task.generate("ood", 40, 0)
