"""Interventions on answers that are known: followed by the rules, remembered, or never given."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest
import torch

from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.problem import Problem, make_problem
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.datasets.task import Task
from groundcheck.grounding.checks.bypass import Grounded, bypass
from groundcheck.grounding.checks.finding import Finding
from groundcheck.grounding.measures.interventions import (
    Intervention,
    Interventions,
    follow_symbols,
    intervene,
    names_of,
)
from groundcheck.solvers.exact import Exact

SMALL = Mapping(symbols=3, bijection=(1, 2, 0))
BOARD = Sudoku()


class Asked:
    """Puzzles of a task as a perception that names symbol t `names[t]` believes them."""

    def __init__(self, task: Task, puzzles: int = 20, names: tuple[int, ...] = ()) -> None:
        drawn = task.generate("test", puzzles, 0)
        self.problem, self.given, self.solution = task.problem, drawn.given, drawn.solution.astype(np.int64)
        self.shown = drawn.picture >= 0
        self.names = np.array(names or range(len(task.classes)))
        self.exact = Exact(task.problem)
        read = np.where(self.shown, self.names[self.solution % len(self.names)], self.solution)
        hot = 0.97 * np.eye(task.problem.symbols)[read] + 0.03 / task.problem.symbols
        uniform = np.full_like(hot, 1 / task.problem.symbols)
        self.beliefs = torch.from_numpy(np.where(self.given[..., None], hot, uniform)).float()

    def reasoned(self, beliefs: torch.Tensor) -> np.ndarray:
        """The rules' answer, once every symbol is called by its true name."""
        turned = beliefs.clone()
        turned[..., : len(self.names)] = beliefs[..., torch.from_numpy(self.names)]
        return self.exact(torch.where(torch.from_numpy(self.shown)[..., None], turned, beliefs),
                          torch.from_numpy(self.given)).numpy()  # fmt: skip

    def remembered(self, beliefs: torch.Tensor) -> np.ndarray:
        return np.eye(self.problem.symbols)[self.solution]

    def intervened(self, answer) -> Interventions:
        relabelling = np.argsort(self.names)
        return intervene(
            self.problem, self.beliefs, self.given, self.shown, self.solution, relabelling.tolist(), answer
        )


@pytest.mark.parametrize(
    "asked", [Asked(SMALL), Asked(SMALL, names=(2, 1, 0)), Asked(BOARD), Asked(BOARD, names=(1, 3, 0, 2))]
)
def test_answers_that_come_through_the_solver_follow_every_renaming(asked: Asked) -> None:
    found = asked.intervened(asked.reasoned)
    rows = len(asked.given)
    assert found.plain == 1.0
    assert (found.permute.kept, found.permute.puzzles) == (0, rows)
    assert (found.permute.followed, found.permute.determined) == (rows, rows)
    assert found.shuffle.kept == 0
    assert found.shuffle.puzzles >= 5
    assert found.corrupt.kept < found.corrupt.puzzles  # exact rules may outvote one given, not every time
    for left in (found.shuffle, found.corrupt):
        assert left.followed == left.determined


def test_answers_that_are_remembered_stay_and_follow_nothing() -> None:
    asked = Asked(BOARD)
    found = asked.intervened(asked.remembered)
    rows = len(asked.given)
    assert found.plain == 1.0
    assert (found.permute.kept, found.permute.followed) == (rows, 0)
    for left in (found.shuffle, found.corrupt):
        assert left.kept == left.puzzles > 0


def test_what_a_renaming_leaves_true_may_stay() -> None:
    """A board with no image: nothing is renamed, so that no answer must go."""
    asked = Asked(SMALL)
    asked.shown = np.zeros_like(asked.shown)
    found = asked.intervened(asked.remembered)
    assert (found.permute.puzzles, found.corrupt.puzzles) == (0, 0)
    assert found.permute.followed == found.permute.determined == len(asked.given)


def test_a_symbol_that_a_variable_does_not_take_makes_the_old_answer_wrong() -> None:
    """c = a + b modulo 3, where a is never 2: renamed, the a that were 1 are 2, which no rule allows."""
    names, domains = ("a", "b", "c"), (2, 3, 3)
    frame = Problem(names, domains)
    solution = np.array([(a, b, (a + b) % 3) for a in range(2) for b in range(3)])
    clauses = [
        [-literal for literal in frame.assumptions(world)]
        for world in np.argwhere(np.ones(domains)).tolist()
        if world not in solution.tolist()
    ]
    given = np.array([[True, True, False]] * 6)
    remembered = np.eye(3)[solution]
    found = intervene(
        make_problem(names, domains, clauses), torch.from_numpy(remembered), given, given, solution,
        range(3), lambda _: remembered,
    )  # fmt: skip
    assert (found.permute.puzzles, found.permute.kept) == (6, 6)
    assert (found.permute.determined, found.permute.followed) == (3, 0)  # where a was 0 and is 1


def test_beliefs_that_carry_a_gradient_are_intervened_on_as_well() -> None:
    asked = Asked(SMALL)
    plain = asked.intervened(asked.remembered)
    asked.beliefs.requires_grad_()
    assert asked.intervened(asked.remembered) == plain


def test_a_single_given_is_corrupted() -> None:
    """All but one given of every board still say what they said."""
    asked, seen = Asked(BOARD), []

    def answer(beliefs: torch.Tensor) -> np.ndarray:
        seen.append(beliefs)
        return asked.reasoned(beliefs)

    asked.intervened(answer)
    plain, shuffle, permute, corrupt = seen
    changed = (plain != corrupt).any(-1)
    assert (changed.sum(1) == 1).all()
    assert (asked.shown[changed.numpy()]).all()
    assert (((plain != permute).any(-1).numpy()) == asked.shown).all()
    assert torch.equal(shuffle, plain.roll(1, 0))


def test_a_row_that_is_not_solved_was_not_right_and_follows_nothing() -> None:
    asked = Asked(SMALL)
    dead = lambda beliefs: np.full(beliefs.shape, np.nan)  # noqa: E731
    found = asked.intervened(dead)
    assert (found.plain, found.permute.kept, found.permute.followed) == (0.0, 0, 0)
    assert found.permute.determined == len(asked.given)


def test_chance_is_the_share_that_another_puzzle_s_answer_answers() -> None:
    asked = Asked(SMALL, puzzles=60)
    answers = asked.solution[:, 1]
    assert asked.intervened(asked.reasoned).chance == np.mean(answers == np.roll(answers, 1))


def test_chance_falls_where_no_two_boards_are_alike() -> None:
    assert Asked(BOARD, puzzles=5).intervened(Asked(BOARD, puzzles=5).remembered).chance == 0.0


def test_a_record_is_read_as_it_was_written_and_one_of_before_as_well() -> None:
    found = Interventions(0.9, 0.1, *(Intervention(10, n, 8, 7) for n in (1, 2, 3)))
    record = msgspec.to_builtins(found)
    assert msgspec.convert(record, Interventions) == found
    for name in ("shuffle", "permute", "corrupt"):
        record[name] = {"puzzles": 10, "kept": 1}
    del record["symbols"], record["handed"]
    assert msgspec.convert(record, Interventions).permute == Intervention(10, 1, 0, 0)


def judged(name: str, kept: int, puzzles: int = 100, *, plain: float = 0.9, chance: float = 0.1) -> Finding:
    quiet = Intervention(0, 0)
    seed = Interventions(plain, chance, quiet, quiet, quiet)
    [found] = [
        f
        for f in bypass.run(Grounded([replace(seed, **{name: Intervention(puzzles, kept, 50, 20)})]))
        if f.check == f"bypass/{name}"
    ]
    return found


@pytest.mark.parametrize(("name", "most"), [("shuffle", 50), ("permute", 50), ("corrupt", 82)])
def test_half_of_what_is_above_chance_may_stay_and_nine_tenths_after_one_given(name: str, most: int) -> None:
    """0.1 + 0.5 · 0.8 and 0.1 + 0.9 · 0.8 of 100 puzzles."""
    found = judged(name, most)
    assert (found.status, found.figure, found.bound) == ("pass", most / 100, pytest.approx(most / 100))
    assert judged(name, most + 1).status == "fail"
    assert found.interval is not None
    assert found.interval[0] < most / 100 < found.interval[1]
    assert "0.40 of 50 follow the rules to their one new answer" in found.reason


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"puzzles": 9}, "answers of only 9 puzzles wrong"),
        ({"plain": 0.2}, "nothing to lose"),
        ({"plain": 0.15}, "nothing to lose"),
    ],
)
def test_where_an_intervention_says_nothing_it_is_skipped(options: dict, told: str) -> None:
    found = judged("permute", 5, **options)
    assert found.status == "skip"
    assert told in found.reason


def test_ten_puzzles_and_a_little_over_chance_are_enough() -> None:
    assert judged("permute", 10, 10).status == "fail"
    assert judged("permute", 100, plain=0.21).status == "fail"


def test_seeds_are_judged_together() -> None:
    quiet = Intervention(0, 0)
    seeds = [Interventions(p, c, quiet, Intervention(100, k, 10, 10), quiet) for p, c, k in
             ((1.0, 0.0, 90), (0.6, 0.2, 0))]  # fmt: skip
    [found] = [f for f in bypass.run(Grounded(seeds)) if f.check == "bypass/permute"]
    assert (found.status, found.figure, found.bound) == ("pass", 0.45, pytest.approx(0.1 + 0.5 * 0.7))


def copied(*seeds: list[int], rules_given: bool = False) -> Finding:
    quiet = Intervention(0, 0)
    found = [Interventions(0.9, 0.1, quiet, quiet, quiet, handed=handed) for handed in seeds]
    [finding] = [f for f in bypass.run(Grounded(found, rules_given)) if f.check == "bypass/copy"]
    return finding


def test_a_reading_that_is_handed_on_fails_where_names_are_free() -> None:
    finding = copied(list(range(10)))
    assert (finding.status, finding.bound) == ("fail", 0.001)
    assert "10 of 10 names" in finding.reason
    assert copied([1, 0, 2, 4, 3, 6, 7, 5, 9, 8]).status == "pass"
    assert copied([0, 1], [0, 1]).status == "inconclusive"
    given = copied(list(range(10)), rules_given=True)
    assert (given.status, "raw grounding decides" in given.reason) == ("skip", True)
    assert "on no seed" in copied([0] * 10).reason
    quiet = Interventions(0.9, 0.1, *[Intervention(0, 0)] * 3)
    [none] = [f for f in bypass.run(Grounded([quiet])) if f.check == "bypass/copy"]
    assert (none.status, "no query is a renaming" in none.reason) == ("skip", True)


def on_symbols(followed: int, determined: int = 100, *, plain: float = 0.9) -> Finding:
    quiet = Intervention(0, 0)
    seed = Interventions(plain, 0.1, quiet, quiet, quiet, Intervention(0, 0, determined, followed))
    [finding] = [f for f in bypass.run(Grounded([seed])) if f.check == "bypass/symbols"]
    return finding


def test_answers_have_to_come_from_true_symbols_too() -> None:
    """0.1 + 0.8 · 0.8 = 0.74; of 100, Wilson's interval of 0.66 ends at 0.745, that of 0.65 at 0.736."""
    assert on_symbols(90).status == "pass"
    assert on_symbols(90).bound == pytest.approx(0.74)
    assert (on_symbols(66).status, on_symbols(65).status) == ("pass", "fail")
    assert (on_symbols(0, 9).status, on_symbols(0, 10).status) == ("skip", "fail")
    assert on_symbols(0, plain=0.2).status == "skip"


@pytest.mark.parametrize("names", [(0, 1, 2), (2, 0, 1)])
def test_puzzles_that_are_answered_from_true_symbols_are_counted_where_they_are_determined(names) -> None:
    asked = Asked(SMALL, names=names)
    found = follow_symbols(asked.problem, asked.given, asked.solution, asked.reasoned(asked.beliefs))
    assert found == Intervention(0, 0, 20, 20)
    wrong = np.eye(3)[(asked.solution + 1) % 3]
    assert follow_symbols(asked.problem, asked.given, asked.solution, wrong) == Intervention(0, 0, 20, 0)
    assert names_of(np.argsort(names).tolist()).tolist() == list(names)


@pytest.mark.parametrize(("place", "name"), [(1, "shuffle"), (2, "permute"), (3, "corrupt")])
def test_which_answers_must_go_is_what_every_board_there_is_says(place: int, name: str) -> None:
    """Of the beliefs of the board before, only what both have as givens is known to be handed over."""
    asked, seen = Asked(BOARD, puzzles=12), []

    def answer(beliefs: torch.Tensor) -> np.ndarray:
        seen.append(beliefs.argmax(-1).numpy())
        return asked.remembered(beliefs)

    intervened = asked.intervened(answer)
    worlds = np.array([world.tolist() for world in BOARD.problem.solutions()])
    known = asked.given & (np.roll(asked.given, 1, axis=0) if name == "shuffle" else True)
    must_go = determined = 0
    for row in range(12):
        fits = (worlds[:, known[row]] == seen[place][row][known[row]]).all(1)
        query = ~asked.given[row]
        must_go += not (fits & (worlds[:, query] == asked.solution[row][query]).all(1)).any()
        determined += len(np.unique(worlds[fits][:, query], axis=0)) == 1
    found = getattr(intervened, name)
    assert (found.puzzles, found.determined) == (must_go, determined)
