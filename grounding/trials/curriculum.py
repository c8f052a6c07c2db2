"""Puzzles made easier: some of what is asked for is given."""

from dataclasses import replace

import torch

from ...datasets.batch import Batch


def give_more(batch: Batch, share: float, generator: torch.Generator) -> Batch:
    """The puzzles with that share of their queries given, as symbols, and no longer asked for.

    Which they are is drawn for every row; a number that is not whole is rounded down, so that below 1 a query
    is left. What is given is the answer, which training sees in any case: no label of a given is opened.
    """
    asked = (batch.answer >= 0) & ~batch.given
    drawn = torch.rand(asked.shape, generator=generator).to(asked.device)
    rank = torch.where(asked, drawn, torch.inf).argsort(-1).argsort(-1)
    chosen = asked & (rank < (share * asked.sum(-1, keepdim=True)).floor())
    return replace(
        batch,
        symbols=torch.where(chosen, batch.answer, batch.symbols),
        given=batch.given | chosen,
        answer=torch.where(chosen, -1, batch.answer),
    )
