"""A trial: one training run from a seed, the unit that a suite repeats and a record keeps."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ...datasets.image_source import ImageSource
from ...datasets.task import Task
from ...solvers.rules.acquisition import Rule
from ..measures.beyond import Beyond
from ..measures.interface import InterfaceRecord
from ..measures.interventions import Interventions
from ..measures.metrics import Scores
from ..perception.spec import PerceptionSpec
from .evaluation import Evaluation
from .origin import all_ours
from .spec import SolverSpec
from .training import Training

Role = Literal["grounding", "baseline", "ceiling", "reasoning"]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Everything that decides the outcome of one training run.

    Args:
        task: What is solved.
        solver: What solves it.
        role: What is compared: the solver end to end ("grounding"), the same network without logic
            ("baseline"), perception trained with the labels of its images ("ceiling"), or the solver fed the
            true symbols ("reasoning").
        seed: Of puzzles, weights and order.
        training: The budget.
        images: What the givens are shown with, and where networks run.
        perception: What reads the images, of the solver and of what it is compared with.
        validation_puzzles: How many puzzles the learning curve is measured on.
        test_puzzles: How many puzzles are scored.
        threads: Of torch.
        evaluation: What is measured beyond the test set; it never changes training.
        beside: The solver that a baseline is compared with. The baseline gets the pretraining and the
            learning rates that this one recommends, so that neither counts as logic.
        trace: A file that gets one JSON line per epoch; it decides nothing.
        log: A file that gets what the solver prints; None: it is printed as ever. It decides nothing.
        checkpoint: A folder of this trial's own, named by all that decides its outcome. It gets what the
            trial goes on from where it is interrupted and run again; None: it then begins anew. It decides
            nothing.
        called: What the task is called beside others of its name, as `sudoku[size=9]`; it decides nothing.
    """

    task: Task
    solver: SolverSpec
    role: Role
    seed: int
    training: Training
    images: ImageSource = field(default_factory=ImageSource)
    perception: PerceptionSpec = field(default_factory=PerceptionSpec)
    validation_puzzles: int = 100
    test_puzzles: int = 300
    threads: int = 1
    evaluation: Evaluation = field(default_factory=Evaluation)
    beside: SolverSpec | None = None
    trace: Path | None = field(default=None, compare=False)
    log: Path | None = field(default=None, compare=False)
    checkpoint: Path | None = field(default=None, compare=False)
    called: str = field(default="", compare=False)

    @property
    def label(self) -> str:
        """How progress lines and reports call it."""
        return f"{self.role}/{self.task_label} {self.solver.name} seed {self.seed}"

    @property
    def task_label(self) -> str:
        """What the task is called in this run."""
        return self.called or self.task.name

    @property
    def ours(self) -> bool:
        """Whether it runs no code from outside; a ceiling trains no solver."""
        solvers = (self.solver, *(() if self.beside is None else (self.beside,)))
        return all_ours(() if self.role == "ceiling" else solvers, self.perception, self.images, self.task)


@dataclass(frozen=True)
class Point:
    """One epoch of a learning curve; accuracies are on validation puzzles and images.

    Epoch 0 is before training; it has neither a loss nor a gradient.
    """

    epoch: int
    loss: float | None  # None also where every row was left unsolved
    skipped: float
    task: float
    raw: float | None
    aligned: float | None
    symbols_used: int | None
    gradient: float | None = None  # norm of the loss's gradient towards the beliefs, mean per row
    no_gradient: float = 0.0  # fraction of steps on images that brought perception no gradient, or a zero one
    interface: InterfaceRecord | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of one trial.

    Attributes:
        role: As in `Trial`.
        task: Name of the task.
        solver: Name of the solver.
        seed: As in `Trial`.
        scores: Accuracies of the trained network; None where the trial broke.
        curve: One point before training, and one after each epoch.
        error: A traceback where the trial broke, else None.
        seconds: How long it took.
        interventions: What changed inputs did to the trained network, where images were seen.
        path: Which of its implementations computed the solver, where it says so.
        rules: The rules that the solver learned, where it can tell them (`learned_rules`).
        beyond: What was measured beyond the test set, where that was asked.
    """

    role: Role
    task: str
    solver: str
    seed: int
    scores: Scores | None = None
    curve: list[Point] = field(default_factory=list)
    error: str | None = None
    seconds: float = 0.0
    interventions: Interventions | None = None
    path: str | None = None
    rules: list[Rule] | None = None
    beyond: Beyond | None = None

    @property
    def no_gradient(self) -> float:
        """Fraction of all training steps that brought perception no gradient."""
        trained = [point.no_gradient for point in self.curve if point.epoch > 0]
        return sum(trained) / len(trained) if trained else 0.0


def gradients_lost(share: float, *, awaits_evidence: bool = False) -> str:
    """What to say where in a share of the training steps no gradient reached perception.

    `awaits_evidence`: The solver declares that it needs evidence before it listens to beliefs.
    """
    lost = f"no gradient reached perception in {share:.1%} of the training steps"
    if awaits_evidence:
        return f"{lost}: the solver declares that it needs evidence first"
    return f"{lost}: look whether the solver switches gradients off, detaches beliefs or saturates"
