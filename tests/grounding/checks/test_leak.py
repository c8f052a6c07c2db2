"""Leaks in training and scoring, put there by hand."""

import os
from dataclasses import replace
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch

from groundcheck.datasets.batch import assemble
from groundcheck.datasets.images import Bank, Gallery, ImageSet, load_images
from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.grounding.checks import leak as leak_module
from groundcheck.grounding.checks.finding import Finding
from groundcheck.grounding.checks.leak import Setting, check_leaks, leak, relabelled
from groundcheck.grounding.measures.metrics import Scores, score
from groundcheck.grounding.perception.spec import PerceptionSpec
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training
from groundcheck.solvers.neural import MLP
from groundcheck.solvers.solver import answer_nll

SMALL = Mapping(symbols=3, bijection=(1, 2, 0))
DIGITS = load_images("digits")


class OverAllCells(MLP):
    def loss(self, beliefs, given, answer):
        return answer_nll(self(beliefs, given), answer)


class CountsLabels(MLP):
    """Its loss moves with the labels, its gradient does not."""

    def loss(self, beliefs, given, answer):
        return super().loss(beliefs, given, answer.masked_fill(given, -1)) + (answer * given).sum(1)


class AlwaysNan(MLP):
    def loss(self, beliefs, given, answer):
        return super().loss(beliefs, given, answer) * torch.nan


def found(name: str, solver: str | type = "mlp", task=SMALL, images: ImageSet = DIGITS) -> Finding:
    spec = SolverSpec(solver) if isinstance(solver, str) else SolverSpec.of(solver)
    [finding] = [f for f in check_leaks(spec, task, images, Training()) if f.check == f"leak/{name}"]
    return finding


LEAKY = replace(SMALL, supervision="leaky")


@pytest.mark.parametrize("task", [SMALL, Sudoku()], ids=lambda task: task.name)
def test_masked_labels_do_not_reach_training(task) -> None:
    finding = found("labels", OverAllCells, task)
    assert (finding.status, finding.figure, finding.bound) == ("pass", 0.0, 0.0)


def test_labels_in_the_answer_move_parameters_and_loss() -> None:
    finding = found("labels", OverAllCells, LEAKY)
    assert finding.status == "fail"
    assert finding.figure is not None
    assert 1e-4 < finding.figure < 0.1  # three steps of Adam at 1e-3
    assert finding.bound == 0.0


def test_a_loss_that_moves_alone_is_a_leak_too() -> None:
    finding = found("labels", CountsLabels, LEAKY)
    assert (finding.status, finding.figure, finding.bound) == ("fail", 0.0, 0.0)


def test_a_loss_that_is_never_a_number_leaks_nothing() -> None:
    assert found("labels", AlwaysNan, LEAKY).status == "pass"


class GivesUpOnWrongLabels(MLP):
    """Solves what keeps the rules of `SMALL`, and learns nothing from it."""

    def loss(self, beliefs, given, answer):
        kept = answer[:, 1] == (answer[:, 0] + 1) % 3
        return (0 * super().loss(beliefs, given, answer.masked_fill(given, -1))).where(kept, torch.nan)


def test_a_loss_that_is_a_number_for_the_true_labels_alone_is_a_leak() -> None:
    finding = found("labels", GivesUpOnWrongLabels, LEAKY)
    assert (finding.status, finding.figure) == ("fail", 0.0)
    assert "from 0 to nan" in finding.reason


def test_training_is_three_steps_twice_with_the_true_labels_and_once_with_others() -> None:
    class Counted(MLP):
        steps: ClassVar[list[int]] = []

        def loss(self, beliefs, given, answer):
            self.steps.append(len(beliefs))
            return super().loss(beliefs, given, answer)

    assert found("labels", Counted).status == "pass"
    assert len(Counted.steps) == 3 * 3


@pytest.mark.parametrize(("task", "status"), [(SMALL, "pass"), (LEAKY, "fail")], ids=["masked", "leaky"])
def test_a_solver_that_is_shared_by_all_starts_every_time_alike(task, status: str) -> None:
    built: list[OverAllCells] = []

    def cached(problem):
        if not built:
            built.append(OverAllCells(problem))
        return built[0]

    assert found("labels", cached, task).status == status
    assert len(built) == 1


class DrawsFromNumPy(MLP):
    def loss(self, beliefs, given, answer):
        return super().loss(beliefs, given, answer) * np.random.rand()  # noqa: NPY002


def test_every_global_generator_starts_alike() -> None:
    assert found("labels", DrawsFromNumPy).status == "pass"


class Unseeded(OverAllCells):
    size: ClassVar = 1e-3

    def loss(self, beliefs, given, answer):
        return super().loss(beliefs, given, answer) * (1 + self.size * int.from_bytes(os.urandom(2)) / 2**16)


def test_a_training_that_never_repeats_itself_is_held_against_its_own_noise() -> None:
    finding = found("labels", Unseeded)
    assert finding.status == "inconclusive"
    assert "does not repeat itself" in finding.reason
    finding = found("labels", Unseeded, LEAKY)
    assert finding.status == "fail"
    assert "further than with the same labels" in finding.reason


@pytest.mark.parametrize("task", [LEAKY, replace(Sudoku(), supervision="leaky")], ids=lambda task: task.name)
def test_what_is_put_in_place_of_the_labels_is_wrong_everywhere_and_nothing_else_moves(task) -> None:
    puzzles = task.generate("train", 24, 0)
    true, _ = assemble(task, puzzles, DIGITS.train)
    wrong = relabelled(task, puzzles, true, DIGITS)
    given = true.given
    assert (true.answer != wrong.answer)[given].all()
    assert (true.answer == wrong.answer)[~given].all()
    assert (wrong.answer >= 0).all()
    assert (wrong.answer < torch.tensor(task.problem.domains)).all()
    assert torch.equal(true.image, wrong.image)
    assert torch.equal(true.symbols, wrong.symbols)
    shifts = (wrong.answer - true.answer)[given] % torch.tensor(task.problem.domains).expand_as(given)[given]
    assert len(shifts.unique()) > 1  # not one renaming of the symbols, which a solver might absorb


def test_the_distance_of_two_trainings_is_that_of_their_farthest_parameters() -> None:
    def trained(*values: float, loss: float = 1.0):
        return leak_module._Trained(loss, (torch.tensor(values), torch.zeros(0)))

    assert trained(1, 2).distance(trained(1, 2)) == 0
    assert trained(1, 2).distance(trained(4, 2.5)) == pytest.approx(3)
    assert trained(torch.nan, 2).distance(trained(torch.nan, 2.5)) == pytest.approx(0.5)
    assert trained(1).same_as(trained(1))
    assert not trained(1).same_as(trained(2))
    assert not trained(1).same_as(trained(1, loss=2.0))
    assert trained(1, loss=torch.nan).same_as(trained(1, loss=torch.nan))
    assert not trained(1, loss=torch.nan).same_as(trained(1))


def with_pictures(bank: Bank, pictures: torch.Tensor) -> Bank:
    """A bank with some pictures more."""
    labels = np.concatenate([bank.labels, np.zeros(len(pictures), dtype=bank.labels.dtype)])
    return Bank(Gallery(torch.cat([bank.gallery.pictures, pictures])), labels)


@pytest.mark.parametrize(
    ("into", "out_of"),
    [("test", "train"), ("test", "validation"), ("validation", "train"), ("train", "test")],
)
def test_every_picture_that_is_in_two_parts_is_counted(into: str, out_of: str) -> None:
    copied = getattr(DIGITS, out_of).gallery.pictures[:3]
    images = replace(DIGITS, **{into: with_pictures(getattr(DIGITS, into), copied)})
    finding = found("images", images=images)
    assert (finding.status, finding.figure, finding.bound) == ("fail", 3.0, 0.0)
    assert found("images").figure == 0.0


def test_a_picture_twice_in_one_part_is_no_leak() -> None:
    images = replace(DIGITS, train=with_pictures(DIGITS.train, DIGITS.train.gallery.pictures[:3]))
    assert found("images", images=images).status == "pass"


@pytest.mark.parametrize("spoilt", ["task", "board", "cell", "unsolved"])
def test_an_echo_in_any_score_is_heard(spoilt: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One figure is taken over every cell, the others as they should be."""

    def scored(answers, given, solution, right) -> Scores:
        whole = score(answers, np.zeros_like(given), solution, right)
        return replace(score(answers, given, solution, right), **{spoilt: getattr(whole, spoilt)})

    monkeypatch.setattr(leak_module, "score", scored)
    finding = found("echo", task=Sudoku())
    assert (finding.status, finding.bound) == ("fail", 0.0)
    assert finding.figure is not None
    assert finding.figure > 0.05


def test_an_echo_that_is_heard_where_it_is_a_number_is_an_echo(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells without a number count as right, and every cell is scored."""

    def scored(answers, given, solution, right) -> Scores:
        known = np.where(np.isnan(answers), np.eye(answers.shape[-1])[solution], answers)
        return score(known, np.zeros_like(given), solution, right)

    monkeypatch.setattr(leak_module, "score", scored)
    assert found("echo", task=Sudoku()).status == "fail"


def test_scores_that_do_not_hear_an_echo_pass() -> None:
    for task in (SMALL, Sudoku()):
        finding = found("echo", task=task)
        assert (finding.status, finding.figure, finding.bound) == ("pass", 0.0, 0.0)


def test_ids_are_told_before_they_run_and_those_that_ran_are_left_out() -> None:
    heard: list[str] = []
    spec = SolverSpec("mlp")
    findings = list(
        check_leaks(spec, SMALL, DIGITS, Training(), known={"leak/labels": "error"}, starting=heard.append)
    )
    assert [f.id for f in findings] == ["leak/images/mapping", "leak/echo/mapping"]
    assert heard == ["leak/images", "leak/echo"]
    assert [c.id for c in leak.checks] == ["leak/labels", "leak/images", "leak/echo"]
    assert Setting(spec, SMALL, DIGITS, Training()).task == SMALL


class Pairs(leak_module._Start):
    """Trainings of which those with other labels are the farther ones on so many of all pairs."""

    def __init__(self, farther: int) -> None:
        self.farther, self.others, self.trained = farther, 0, []

    def train(self, examples):
        self.trained.append(examples)
        other = examples is self.wrong
        self.others += other
        size = (2.0 if self.others <= self.farther else 0.5) if other else 1.0
        first = len(self.trained) % 3 == 1
        return leak_module._Trained(0.0, (torch.tensor([0.0 if first else size]),))

    wrong = None


@pytest.mark.parametrize(("farther", "leaks"), [(12, True), (11, True), (10, False), (0, False)])
def test_eleven_of_twelve_pairs_have_to_agree(farther: int, leaks: bool) -> None:
    puzzles = SMALL.generate("train", 4, 0)
    true, _ = assemble(SMALL, puzzles, DIGITS.train)
    pairs = Pairs(farther)
    pairs.wrong = relabelled(SMALL, puzzles, true, DIGITS)
    chance = leak_module._chance_of_labels(pairs, true, pairs.wrong)
    assert (chance < leak_module.NOISE_ERROR) == leaks
    assert len(pairs.trained) == 36
    orders = {tuple(e is pairs.wrong for e in pairs.trained[n : n + 3]) for n in range(0, 36, 3)}
    assert orders == {(False, False, True), (False, True, False)}  # in a drawn order


def test_a_chance_of_the_bound_is_not_enough_for_a_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    for chance, status in ((leak_module.NOISE_ERROR, "inconclusive"), (0.004, "fail")):
        monkeypatch.setattr(leak_module, "_chance_of_labels", lambda *_, chance=chance: chance)
        assert found("labels", Unseeded, LEAKY).status == status


def test_which_states_are_the_same() -> None:
    one, other = torch.ones(2), torch.tensor([1.0, 2.0])
    same = leak_module._equal
    assert same({"a": one, "b": 3}, {"a": one.clone(), "b": 4})
    assert not same({"a": one}, {"a": other})
    assert not same({"a": one, "b": other}, {"a": one, "b": one})
    assert not same({"a": one}, {"b": one})


def test_the_losses_and_the_distance_of_a_leak_are_told() -> None:
    moved = found("labels", OverAllCells, LEAKY)
    assert "the training loss sees the labels of the givens" in moved.reason
    size = float(moved.reason.partition("moved by up to ")[2].partition(":")[0])
    assert size == pytest.approx(moved.figure, rel=0.05)


def test_pictures_in_either_part_add_up() -> None:
    copies = torch.cat([DIGITS.train.gallery.pictures[:2], DIGITS.validation.gallery.pictures[:3]])
    images = replace(DIGITS, test=with_pictures(DIGITS.test, copies))
    setting = Setting(SolverSpec("mlp"), SMALL, images, Training())
    assert leak["images"].run(setting).figure == 5.0


def test_an_echo_is_what_moves_and_not_what_is_scored() -> None:
    for task in (SMALL, Sudoku()):
        assert leak["echo"].run(Setting(SolverSpec("mlp"), task, DIGITS, Training())).figure == 0.0


def test_as_far_as_with_the_same_labels_is_not_farther() -> None:
    puzzles = SMALL.generate("train", 4, 0)
    true, _ = assemble(SMALL, puzzles, DIGITS.train)
    equal = SimpleNamespace(train=lambda _: leak_module._Trained(0.0, (torch.zeros(1),)))
    assert leak_module._chance_of_labels(equal, true, true) == 1.0  # type: ignore[arg-type]


def test_a_state_is_put_back_only_where_another_was_built(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[object] = []
    network = torch.nn.Linear(1, 1)
    network.load_state_dict = loaded.append  # type: ignore[method-assign, assignment]
    monkeypatch.setattr(leak_module, "build_network", lambda *_, **__: network)
    monkeypatch.setattr(
        leak_module, "train", lambda *_, after_epoch, **__: after_epoch(SimpleNamespace(loss=0.5))
    )
    monkeypatch.setattr(torch.nn.Module, "to", lambda self, _: self)
    start = leak_module._Start(SolverSpec("mlp"), SMALL, Training(), PerceptionSpec())
    examples, _ = assemble(SMALL, SMALL.generate("train", 4, 0), DIGITS.train)
    for turn, times in ((0, 0), (0, 0), (1, 1)):
        network.weight.data += turn
        assert start.train(examples).loss == 0.5
        assert len(loaded) == times


def test_a_training_that_moves_beyond_its_noise_leaks(monkeypatch: pytest.MonkeyPatch) -> None:
    size = iter([0.0, 1.0, 2.0] * 3)
    monkeypatch.setattr(
        leak_module._Start, "train", lambda *_: leak_module._Trained(0.0, (torch.tensor([next(size)]),))
    )
    for chance, status in ((leak_module.NOISE_ERROR, "inconclusive"), (0.004, "fail"), (0.5, "inconclusive")):
        monkeypatch.setattr(leak_module, "_chance_of_labels", lambda *_, chance=chance: chance)
        told = found("labels")
        assert (told.status, told.figure) == (status, 2.0)
