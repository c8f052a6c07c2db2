"""Where a driver and its workers meet: a folder on a disk that all of them see.

waiting/NUMBER           a trial that nobody took yet; whoever renames it has it, which only one can do
taken/NUMBER.WORKER      … and this is what it is called then
ended/NUMBER             what came of it; the first that is written counts
dropped/NUMBER           nobody wants it any more
begun/JOB                a worker of that job began
alive/WORKER             touched by that worker as long as it lives; it holds the job that it is of
clock                    touched by the driver
over                     there: the driver ended

Ages are differences between times that the file server set, on files that were touched a moment ago: nobody
looks at a clock of its own, so those of the machines may say what they like.
"""

import os
import pickle
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..trials.trial import Trial
from .nodes import Told

FOLDERS = ("waiting", "taken", "ended", "dropped", "begun", "alive")


@dataclass(frozen=True)
class Claim:
    """A trial that a worker took."""

    number: int
    worker: str
    path: Path


@dataclass(frozen=True)
class Exchange:
    """The folder, as both sides see it."""

    folder: Path

    def make(self) -> None:
        """Makes the folder."""
        for name in FOLDERS:
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.tick()

    # The driver

    def tick(self) -> None:
        """Says that the driver lives."""
        touch(self.folder / "clock")

    def offer(self, number: int, trial: Trial) -> None:
        """Lets workers take a trial."""
        write(self.folder / "waiting" / name_of(number), pickle.dumps(trial))

    def withdraw(self, number: int) -> None:
        """Nobody wants a trial any more, whether or not it was taken."""
        try:
            (self.folder / "waiting" / name_of(number)).unlink()
        except FileNotFoundError:
            touch(self.folder / "dropped" / name_of(number))

    def ended(self) -> Iterator[tuple[int, Told]]:
        """What came of trials since this was asked last."""
        for path in sorted((self.folder / "ended").iterdir()):
            if not path.name.startswith("."):
                told: Told = pickle.loads(path.read_bytes())
                path.unlink()
                yield int(path.name), told

    def claims(self) -> list[Claim]:
        """The trials that workers have."""
        found: list[Claim] = []
        for path in (self.folder / "taken").iterdir():
            number, _, worker = path.name.partition(".")
            found.append(Claim(int(number), worker, path))
        return found

    def jobs(self) -> dict[str, str]:
        """The job of each worker that began."""
        alive = (self.folder / "alive").iterdir()
        return {path.name: path.read_text() for path in alive if not path.name.startswith(".")}

    def began(self, job: str) -> bool:
        """Whether a worker of this job ever began."""
        return (self.folder / "begun" / job).exists()

    def silence(self, worker: str) -> float:
        """Seconds since a worker touched its file, as the file server saw it."""
        with suppress(FileNotFoundError):
            return changed(self.folder / "clock") - changed(self.folder / "alive" / worker)
        return float("inf")

    def release(self, claim: Claim) -> None:
        """Takes a trial away from a worker that is lost."""
        claim.path.unlink(missing_ok=True)

    def forget(self, worker: str) -> None:
        """A worker is lost."""
        (self.folder / "alive" / worker).unlink(missing_ok=True)

    def end(self) -> None:
        """Tells the workers that nothing more comes."""
        touch(self.folder / "over")

    # A worker

    def enter(self, job: str) -> str:
        """Says that a worker of a job lives, and what it is called: by another name in each of its lives."""
        touch(self.folder / "begun" / job)
        worker = uuid.uuid4().hex
        write(self.folder / "alive" / worker, job.encode())
        return worker

    def beat(self, worker: str) -> None:
        """Says that it still lives; one that was taken for lost stays so."""
        with suppress(FileNotFoundError):
            os.utime(self.folder / "alive" / worker)

    def take(self, worker: str) -> tuple[Claim, bytes] | None:
        """The trial that waits longest; None where none waits."""
        for path in sorted((self.folder / "waiting").iterdir()):
            if path.name.startswith("."):
                continue
            claim = Claim(int(path.name), worker, self.folder / "taken" / f"{path.name}.{worker}")
            with suppress(FileNotFoundError):  # another was faster
                path.rename(claim.path)
                return claim, claim.path.read_bytes()
        return None

    def unwanted(self, claim: Claim) -> bool:
        """Whether the trial need not be run to its end: dropped, given to another, or the driver ended."""
        dropped = self.folder / "dropped" / name_of(claim.number)
        return self.over or dropped.exists() or not claim.path.exists()

    def tell(self, claim: Claim, told: Told) -> None:
        """Says what came of a trial."""
        path = self.folder / "ended" / name_of(claim.number)
        partial = path.with_name(f".{claim.worker}")
        partial.write_bytes(pickle.dumps(told))
        with suppress(FileExistsError):  # another had been given it, and was faster
            os.link(partial, path)
        partial.unlink()
        claim.path.unlink(missing_ok=True)

    def leave(self, worker: str) -> None:
        """A worker ends."""
        (self.folder / "alive" / worker).unlink(missing_ok=True)

    @property
    def over(self) -> bool:
        """Whether the driver ended, in order or otherwise: then its folder may be gone as well."""
        return (self.folder / "over").exists() or not (self.folder / "clock").exists()

    def driver_silence(self, worker: str) -> float:
        """Seconds since the driver touched its file, as the file server saw it."""
        with suppress(FileNotFoundError):
            return changed(self.folder / "alive" / worker) - changed(self.folder / "clock")
        return 0.0


def name_of(number: int) -> str:
    """What the file of a trial is called: names stand in the order of numbers."""
    return f"{number:09d}"


def touch(path: Path) -> None:
    """Makes a file, or sets its time, by the clock of the file server."""
    path.touch()


def changed(path: Path) -> float:
    """When a file was touched, by the clock of the file server.

    It is opened, as a network file system looks at the server then, and otherwise may tell what it knew.
    """
    with path.open("rb") as file:
        return os.fstat(file.fileno()).st_mtime


def write(path: Path, content: bytes) -> None:
    """Writes a file that appears whole."""
    partial = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    partial.write_bytes(content)
    partial.rename(path)
