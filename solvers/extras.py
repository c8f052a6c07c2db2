"""Optional dependencies: imported where they are used, and missed in the user's words."""

import importlib
import importlib.util
from dataclasses import dataclass
from typing import Any


class MissingExtraError(ImportError):
    """An optional dependency is not installed; what needs it is skipped, and this is the reason."""


@dataclass(frozen=True)
class Extra:
    """A package that some solvers build on.

    Args:
        module: What is imported.
        package: What the package is called.
        name: The extra of groundcheck that brings it.
    """

    module: str
    package: str
    name: str

    @property
    def installed(self) -> bool:
        """Whether it can be found; it is not imported."""
        return importlib.util.find_spec(self.module.partition(".")[0]) is not None

    @property
    def message(self) -> str:
        """What to say where it is missing."""
        return f"needs {self.package}, which is not installed: pip install 'groundcheck[{self.name}]'"

    def load(self) -> Any:
        """Imports the module.

        Raises:
            MissingExtraError: Where it is not installed.
        """
        try:
            return importlib.import_module(self.module)
        except ImportError as error:
            raise MissingExtraError(f"this {self.message}") from error
