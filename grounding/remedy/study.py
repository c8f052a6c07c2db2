"""The search itself, on Optuna: what is tried next, what is given up, and how much each axis matters."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.pruners import PercentilePruner
from optuna.samplers import TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from optuna.trial import Trial as Suggestion

from .axes import Axis, Changes

optuna.logging.set_verbosity(optuna.logging.ERROR)

USUAL = "as it is"
STEPS = 10  # of a training at which its curve is held against others
PATIENCE = 4  # of these in which none is given up
COMPARED = 8  # configurations that come to their end before one is given up
WORST = 25.0  # per cent of the others that one has to be below at a step
WARMTH = 0.1  # of a score: what a change by so much is worth where changes are drawn
ATTEMPTS = 200  # to draw a combination that was not tried before


class SmallChanges(TPESampler):
    """The tree-structured Parzen estimator, of whose proposals so many changes are kept.

    Which is drawn, the likelier the better a change did alone. Sources: Bergstra et al. 2011, *Algorithms for
    hyper-parameter optimization*; Watanabe 2023, arXiv:2304.11127.

    Args:
        seed: Of all that is drawn.
        axes: What may be changed.
    """

    def __init__(self, seed: int, axes: Sequence[Axis]) -> None:
        super().__init__(seed=seed, multivariate=True, n_startup_trials=1)
        self.axes = {axis.name: axis for axis in axes}
        self.drawn = np.random.default_rng(seed)
        self.size = 0  # how many changes are kept
        self.alone: dict[tuple[str, str], float] = {}  # what a change did alone, over doing nothing
        self.known: set[frozenset[tuple[str, str]]] = set()

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As Optuna calls it."""
        proposed = super().sample_relative(study, trial, search_space)
        changed = {name: value for name, value in proposed.items() if value != USUAL}
        return dict.fromkeys(self.axes, USUAL) | self.keep(changed)

    def keep(self, changed: Mapping[str, str]) -> dict[str, str]:
        """So many of the changes proposed, filled up with others, that were not tried together before."""
        chosen: dict[str, str] = {}
        for _ in range(ATTEMPTS):
            chosen = self._drawn(dict(changed))
            if frozenset(chosen.items()) not in self.known:
                break
            changed = {}
        return chosen

    def _drawn(self, changed: dict[str, str]) -> dict[str, str]:
        chosen: dict[str, str] = {}
        while len(chosen) < self.size:
            pool = [(n, v) for n, v in changed.items() if self._fits(n, chosen)]
            if not pool:
                pool = [
                    (axis.name, str(value))
                    for axis in self.axes.values()
                    for value in axis.values
                    if self._fits(axis.name, chosen)
                ]
            if not pool:
                break
            weight = np.exp(np.array([self.alone.get(pair, 0.0) for pair in pool]) / WARMTH)
            name, value = pool[int(self.drawn.choice(len(pool), p=weight / weight.sum()))]
            chosen[name] = value
        return chosen

    def _fits(self, name: str, chosen: Mapping[str, str]) -> bool:
        needs = self.axes[name].needs
        return name not in chosen and (not needs or needs in chosen or needs not in self.axes)


class Search:
    """Asks for configurations of a size, and hears how they did.

    Args:
        axes: What may be changed.
        seed: Of all that is drawn: the same answers bring the same questions.
    """

    def __init__(self, axes: Sequence[Axis], seed: int) -> None:
        self.axes = {axis.name: axis for axis in axes}
        self.seed = seed
        self.sampler = SmallChanges(seed, axes)
        self.study = optuna.create_study(
            direction="maximize",
            sampler=self.sampler,
            pruner=PercentilePruner(WORST, n_startup_trials=COMPARED, n_warmup_steps=PATIENCE),
        )
        self.distributions: dict[str, BaseDistribution] = {
            axis.name: CategoricalDistribution([USUAL, *map(str, axis.values)]) for axis in axes
        }
        self.usual = 0.0

    def ask_for(self, changes: Changes) -> "Asked":
        """This configuration."""
        told = {name: str(value) for name, value in changes.items()}
        self.study.enqueue_trial({name: told.get(name, USUAL) for name in self.axes})
        return self._asked()

    def ask(self, size: int) -> "Asked | None":
        """A configuration with so many changes; None where all there are were tried."""
        self.sampler.size = size
        asked = self._asked()
        if asked is None or len(asked.changes) != size:
            return None
        return asked

    def _asked(self) -> Any:
        trial = self.study.ask(self.distributions)
        told = {name: value for name, value in trial.params.items() if value != USUAL}
        known = frozenset(told.items())
        if known in self.sampler.known:
            self.study.tell(trial, state=TrialState.FAIL)
            return None
        self.sampler.known.add(known)
        values = {name: {str(v): v for v in axis.values} for name, axis in self.axes.items()}
        return Asked(trial, {name: values[name][value] for name, value in told.items()}, self)

    def importances(self) -> dict[str, float]:
        """Shares of the variance of scores, by axis; empty where scores do not tell. Source: Hutter, Hoos,
        Leyton-Brown 2014, *An efficient approach for assessing hyperparameter importance* (fANOVA).
        """
        ended = [t.value for t in self.study.get_trials(states=(TrialState.COMPLETE,)) if t.value is not None]
        if len(ended) < 4 or max(ended) - min(ended) < 1e-9:
            return {}
        found = get_param_importances(self.study, evaluator=FanovaImportanceEvaluator(seed=self.seed))
        return {name: float(share) for name, share in found.items()}


class Asked:
    """A configuration that is to be tried.

    Attributes:
        changes: The settings that differ.
    """

    def __init__(self, trial: Suggestion, changes: dict[str, Any], search: Search) -> None:
        self.trial, self.changes, self.search = trial, changes, search
        self.reported = 0

    def stops(self, curve: Sequence[float], epochs: int) -> int | None:
        """The epoch after which it is given up, from its curve so far; None: not yet.

        What it says depends on the curve up to that epoch alone, and on configurations that were told before.

        Args:
            curve: Scores on validation puzzles, after epoch 0, 1, …
            epochs: How many there will be.
        """
        for epoch in range(1, min(len(curve), epochs)):
            step = STEPS * epoch // epochs
            if step <= self.reported:
                continue
            self.reported = step
            self.trial.report(curve[epoch], step)
            if self.trial.should_prune():
                return epoch
        return None

    def tell(self, score: float, *, stopped: bool) -> None:
        """How it did."""
        study = self.search.study
        if stopped:
            study.tell(self.trial, state=TrialState.PRUNED)
            return
        study.tell(self.trial, score)
        if not self.changes:
            self.search.usual = score
        if len(self.changes) == 1:
            [(name, value)] = self.changes.items()
            self.search.sampler.alone[name, str(value)] = score - self.search.usual

    def withdraw(self) -> None:
        """It cannot be tried."""
        self.search.study.tell(self.trial, state=TrialState.FAIL)
