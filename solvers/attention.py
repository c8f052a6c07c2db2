"""Attention over the variables of a problem: once through its layers, or round and round."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ..datasets.errors import UsageError
from ..datasets.problem import Problem
from .neural import Stepwise, masked_softmax
from .solver import Beliefs, Given, hide_queries

Tokens = Float[Tensor, "batch variables width"]


class _Block(nn.Module):
    """x + attention(norm x), then x + mlp(norm x): the pre-norm block of GPT-2, without its causal mask."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width)
        self.merge = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tokens) -> Tokens:
        heads = self.project(self.before_attention(x)).unflatten(-1, (3, self.heads, -1))
        query, key, value = heads.permute(2, 0, 3, 1, 4)  # each (batch, heads, variables, width/heads)
        seen = functional.scaled_dot_product_attention(query, key, value)
        x = x + self.merge(seen.transpose(1, 2).flatten(2))
        return x + self.mlp(self.before_mlp(x))


class Transformer(Stepwise):
    """Attention over variables; no logic, and no notion of a rule.

    x ← x + attention(norm x), x ← x + mlp(norm x), `layers` times; y = softmax(W norm x), one per query. A
    variable's token is a linear map of its beliefs (zero at a query) and of whether it is given, plus a
    learned embedding of its position; blocks of attention and MLP mix the tokens; a linear map and a softmax
    read every query's symbol off its token. The beliefs at the givens are handed through.

    Cost per row and block: about variables · width · (12 · width + 2 · variables) multiplications. Source:
    Vaswani et al. 2017, arXiv:1706.03762.

    Args:
        problem: Variables and their symbols; rules are not looked at.
        layers: Blocks one after the other, 2 to 6.
        recurrences: How often all of them are passed, with the same weights.
        heads: Of attention, 4 to 8.
        width: Numbers per token, a multiple of `heads`; 64 to 256.
    """

    source: ClassVar[str] = "Vaswani et al. 2017, arXiv:1706.03762"
    learning_rate: ClassVar[float] = 6e-4

    legal: Tensor

    def __init__(
        self, problem: Problem, layers: int = 3, recurrences: int = 1, heads: int = 4, width: int = 128
    ) -> None:
        super().__init__(problem)
        if min(layers, recurrences, heads, width) < 1:
            raise UsageError(
                f"layers={layers}, recurrences={recurrences}, heads={heads}, width={width}: "
                "each takes 1 or more"
            )
        if width % heads:
            raise UsageError(f"width={width} does not divide into heads={heads}: take a multiple of it")
        self.recurrences = recurrences
        self.register_buffer("legal", torch.from_numpy(problem.legal), persistent=False)
        self.embed = nn.Linear(problem.symbols + 1, width)
        self.position = nn.Parameter(0.02 * torch.randn(len(problem.variables), width))
        self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.read = nn.Linear(width, problem.symbols, bias=False)

    def completions(self, beliefs: Beliefs, given: Given) -> list[Beliefs]:
        """What would be answered after each recurrence: beliefs, (batch, variables, symbols) each."""
        seen = torch.cat([hide_queries(beliefs, given), given.unsqueeze(-1).to(beliefs.dtype)], dim=-1)
        x = self.embed(seen) + self.position
        completions: list[Beliefs] = []
        for _ in range(self.recurrences):
            for block in self.blocks:
                x = block(x)
            completions.append(masked_softmax(self.read(self.norm(x)), beliefs, given, self.legal))
        return completions


class RecurrentTransformer(Transformer):
    """One block of attention, passed 32 times with the same weights, and asked for its answer every time.

    x ← block(x), 32 times; the loss is the mean over the passes of the negative log-likelihood of the answer.
    L1R32H4 with width 128 is the paper's for Sudoku (batch 16, rate 6e-4, dropout 0.1, AdamW with weight
    decay 0.1, 500 epochs). Three things differ here. There is no dropout, so that rows are repeatable.
    Weights start as torch's linear layers do, not at std 0.02, which learns small tasks sooner. And an image
    passes as beliefs over the symbols, like in any other solver, where the paper's network for visual Sudoku
    hands the block a 128-wide embedding of it: nothing in that is a symbol, so that solved boards say nothing
    about grounding.

    Cost: 32 times that of one block, in memory as well. Source: Yang, Ishay, Lee 2023, ICLR,
    arXiv:2307.04895.

    Args:
        problem: Variables and their symbols; rules are not looked at.
        layers: Blocks of a pass.
        recurrences: Passes, 8 to 64.
        heads: Of attention.
        width: Numbers per token, a multiple of `heads`.
    """

    source: ClassVar[str] = "Yang, Ishay, Lee 2023, arXiv:2307.04895"

    def __init__(
        self, problem: Problem, layers: int = 1, recurrences: int = 32, heads: int = 4, width: int = 128
    ) -> None:
        super().__init__(problem, layers, recurrences, heads, width)
