"""Message passing between the variables of a problem."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from ..datasets.errors import UsageError
from ..datasets.problem import Problem
from .neural import Stepwise, masked_softmax
from .solver import Beliefs, Given, hide_queries


class RRN(Stepwise):
    """Recurrent relational network: every variable sends every other a message, over and over.

    x_v = mlp(beliefs, given, position); then `steps` times m_v = Σ_{u ≠ v} f(h_u, h_v) and h_v ← LSTM([x_v,
    m_v]), with one MLP f for all edges. A linear map reads the answer off h_v after each step, and the loss
    is the mean over the steps.

    A solver that learns its rules is not told which variables share one, so the graph is the complete one
    over the problem's variables: which neighbours matter must be read off the position embeddings. Palm et
    al. give Sudoku's own graph (20 neighbours per cell), and with it part of the rules.

    Cost per row and step: variables² · width² multiplications. The paper's sizes are width 96, 32 steps,
    three hidden layers in f; f has two here, of which the first is computed per variable and the last after
    the sum. Source: Palm, Paquet, Winther 2018, NeurIPS, arXiv:1711.08028.

    Args:
        problem: Variables and their symbols; rules are not looked at.
        width: Numbers of a variable's state, 32 to 128.
        steps: Rounds of messages, 8 to 32.
    """

    source: ClassVar[str] = "Palm, Paquet, Winther 2018, arXiv:1711.08028"

    legal: Tensor

    def __init__(self, problem: Problem, width: int = 64, steps: int = 16) -> None:
        super().__init__(problem)
        if width < 1 or steps < 1:
            raise UsageError(f"width={width}, steps={steps}: each takes 1 or more")
        self.steps = steps
        self.register_buffer("legal", torch.from_numpy(problem.legal), persistent=False)
        variables = len(problem.variables)
        self.position = nn.Parameter(torch.randn(variables, width) / width**0.5)
        self.embed = nn.Sequential(
            nn.Linear(problem.symbols + 1 + width, width), nn.ReLU(), nn.Linear(width, width)
        )
        self.sent = nn.Linear(width, width)  # first layer of f, its half for the sender
        self.received = nn.Linear(width, width, bias=False)  # and its half for the receiver
        self.between = nn.Linear(width, width)
        self.message = nn.Linear(width, width)
        self.update = nn.LSTMCell(2 * width, width)
        self.read = nn.Linear(width, problem.symbols)

    def completions(self, beliefs: Beliefs, given: Given) -> list[Beliefs]:
        """What would be answered after each step of messages: beliefs, (batch, variables, symbols) each."""
        batch, variables, _ = beliefs.shape
        position = self.position.expand(batch, -1, -1)
        flags = given.unsqueeze(-1).to(beliefs.dtype)
        x = self.embed(torch.cat([hide_queries(beliefs, given), flags, position], dim=-1))
        hidden, cell = x.flatten(0, 1), torch.zeros_like(x).flatten(0, 1)
        others = 1 - torch.eye(variables, dtype=x.dtype, device=x.device)
        completions: list[Beliefs] = []
        for _ in range(self.steps):
            h = hidden.view_as(x)
            edges = (self.sent(h).unsqueeze(1) + self.received(h).unsqueeze(2)).relu()
            edges = self.between(edges).relu()  # batch, receiver, sender, width
            summed = torch.einsum("brsw,rs->brw", edges, others) / max(variables - 1, 1)
            inward = torch.cat([x, self.message(summed)], dim=-1).flatten(0, 1)
            hidden, cell = self.update(inward, (hidden, cell))
            completions.append(masked_softmax(self.read(hidden.view_as(x)), beliefs, given, self.legal))
        return completions
