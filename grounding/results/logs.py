"""The files that get what solvers print: in the run's folder, or in one that goes where nothing broke."""

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Logs:
    """One file for each trial and each inspection; `broke` marks those that somebody will want to read.

    Attributes:
        folder: Of a run; None: a temporary one is made when it is first needed.
    """

    folder: Path | None = None
    temporary: Path | None = None
    wanted: list[Path] = field(default_factory=list)

    def path(self, name: str) -> Path:
        """The file of that name, in a folder that is there."""
        if self.folder is not None:
            return self.folder / f"{_plain(name)}.log"
        if self.temporary is None:
            self.temporary = Path(tempfile.mkdtemp(prefix="groundcheck-printed-"))
        return self.temporary / f"{_plain(name)}.log"

    def ended(self, path: Path | None, *, broke: bool) -> None:
        """Hears that nothing more is printed there, and whether what printed it broke."""
        if path is None or not path.exists():
            return
        if not path.stat().st_size:
            path.unlink()
        elif broke:
            self.wanted.append(path)

    def close(self) -> Path | None:
        """What to name to the user: the file, or the folder of the files, of what broke; None: nothing.

        A temporary folder in which there is nothing of that goes.
        """
        if self.temporary is not None and not self.wanted:
            shutil.rmtree(self.temporary, ignore_errors=True)
        if not self.wanted:
            return None
        return self.wanted[0] if len(set(self.wanted)) == 1 else self.wanted[0].parent


def _plain(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "._-[]=," else "-" for letter in name)
