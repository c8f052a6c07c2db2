"""The contract between what decides which trials run and what runs them."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from ..trials.trial import Outcome, Trial


@runtime_checkable
class Running(Protocol):
    """An engine that is open: it takes trials, and tells their outcomes in the order in which they end."""

    @property
    def slots(self) -> int:
        """How many trials run at once, 1 or more; more may be submitted, and wait in the order in which they
        came.
        """
        ...

    def submit(self, number: int, trial: Trial) -> None:
        """Takes a trial, under a number that no other has. It returns at once."""
        ...

    def drop(self, numbers: Iterable[int]) -> None:
        """Nobody wants these any more: those that wait do not begin, those that run are ended, where the
        engine can; an outcome that still comes of one is no error, and whoever hears it leaves it out.
        """
        ...

    def hear(self, seconds: float | None = None) -> list[tuple[int, Outcome]]:
        """Outcomes that came since, by number, each told once; waits for the first, at most so many seconds.

        What a trial does to its process (it dies, hangs, takes too much memory) is an outcome with an
        `error`; what the engine does to a trial (a node is lost) is not: the trial runs again.
        """
        ...


@runtime_checkable
class Engine(Protocol):
    """Where trials run: the processes of this machine, or a cluster.

    Which engine runs a trial, on which machine, and what runs beside it changes nothing of its outcome but
    the seconds.
    """

    @property
    def name(self) -> str:
        """What it is called on the command line: "processes", "ray", "slurm"."""
        ...

    def open(self) -> AbstractContextManager[Running]:
        """Starts what it needs, and ends it with the context, with every trial that is still running.

        Raises:
            UsageError: Where it cannot be reached: which address, and what to start.
        """
        ...
