"""Checks of a solver's contract that need no training."""

from collections.abc import Iterator

import numpy as np
import torch

from ...datasets.task import Task
from ..building import SolverSpec
from .finding import Finding

ROWS = 8  # random beliefs a contract check looks at


def check_contract(spec: SolverSpec, task: Task) -> Iterator[Finding]:
    """`contract/build` and `contract/output`: it is built, and returns beliefs of the right form.

    The output must have the shape of the beliefs, their dtype, and values in [0, 1]; NaN only marks a row
    as unsolved, and these rows, random but legal beliefs about the givens of real puzzles, can be solved.
    """
    problem = task.problem
    with torch.random.fork_rng():
        torch.manual_seed(0)
        try:
            solver = spec.build(problem)
        except Exception as error:
            yield Finding(
                f"contract/build/{task.name}",
                "fail",
                str(error),
                "The factory takes a Problem and its options.",
            )
            return
        yield Finding(f"contract/build/{task.name}", "pass", f"{spec.name} was built")
        puzzles = task.generate("validation", ROWS, 0)
        given = torch.from_numpy(puzzles.given)
        rng = np.random.default_rng(0)
        drawn = rng.dirichlet(np.ones(problem.symbols), size=given.shape).astype(np.float32) * problem.legal
        beliefs = torch.from_numpy(drawn / drawn.sum(-1, keepdims=True))
        yield _output(solver, f"contract/output/{task.name}", beliefs, given)


def _output(solver: torch.nn.Module, check: str, beliefs: torch.Tensor, given: torch.Tensor) -> Finding:
    remedy = "Return a tensor of the beliefs' shape and dtype with values in [0, 1]; NaN marks unsolved rows."
    solver.eval()
    try:
        with torch.no_grad():
            completion = solver(beliefs.clone(), given.clone())
    except Exception as error:
        return Finding(check, "fail", f"forward raised {type(error).__name__}: {error}", remedy)
    if not isinstance(completion, torch.Tensor):
        return Finding(check, "fail", f"forward returned a {type(completion).__name__}, not a tensor", remedy)
    if completion.shape != beliefs.shape:
        came, fits = tuple(completion.shape), tuple(beliefs.shape)
        return Finding(check, "fail", f"forward returned the shape {came} where {fits} was expected", remedy)
    if completion.dtype != beliefs.dtype:
        return Finding(check, "fail", f"forward returned {completion.dtype} for {beliefs.dtype}", remedy)
    at_queries = completion[~given]
    if at_queries.isnan().any():
        rows = int(completion.isnan().flatten(1).any(1).sum())
        return Finding(check, "fail", f"forward returned NaN in {rows} of {len(given)} rows", remedy)
    low, high = float(at_queries.min()), float(at_queries.max())
    if low < 0 or high > 1:
        return Finding(check, "fail", f"forward returned values from {low:.3g} to {high:.3g}", remedy)
    return Finding(check, "pass", "shape, dtype and values fit")
