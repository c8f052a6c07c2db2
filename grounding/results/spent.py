"""What a run cost, and what it need not run again."""

from dataclasses import dataclass

from ..measures.counts import count_of


@dataclass(frozen=True)
class Spent:
    """What a run cost: it says nothing of what was found.

    Attributes:
        wall_seconds: From the first check to the last trial.
        processor_seconds: Of all processes that took part; None where trials ran on other machines.
        slots: Trials that could run at once.
        trials: How many trials were taken over, those of an earlier part of the run aside.
        cached_trials: How many of them came from the cache.
        checks: How many checks ended.
        cached_checks: How many of them came from the cache.
    """

    wall_seconds: float = 0.0
    processor_seconds: float | None = None
    slots: int = 1
    trials: int = 0
    cached_trials: int = 0
    checks: int = 0
    cached_checks: int = 0

    @property
    def busy(self) -> float | None:
        """Processor time as a share of the time of the cores that trials could run on; None: not known."""
        if self.processor_seconds is None or not self.wall_seconds:
            return None
        return self.processor_seconds / (self.slots * self.wall_seconds)

    @property
    def sentence(self) -> str:
        """In a line; "" where there is nothing to say."""
        parts: list[str] = []
        cached = [
            f"{part} of {count_of(whole, kind)}"
            for part, whole, kind in (
                (self.cached_trials, self.trials, "trial"),
                (self.cached_checks, self.checks, "check"),
            )
            if part
        ]
        if cached:
            parts.append(f"{' and '.join(cached)} came from the cache")
        if self.busy is not None and self.slots > 1:
            parts.append(f"used {self.busy:.0%} of {self.slots} cores for {self.wall_seconds:.0f} s")
        return "; ".join(parts)
