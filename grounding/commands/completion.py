"""What a shell offers after TAB: names of tasks, solvers and experiments."""


def solver_names(incomplete: str) -> list[str]:
    """Solvers that begin like this."""
    from ...solvers.catalogue import SOLVERS  # noqa: PLC0415

    return [name for name in SOLVERS.entries() if name.startswith(incomplete)]


def task_names(incomplete: str) -> list[str]:
    """Tasks that begin like this."""
    from ...datasets.catalogue import TASKS  # noqa: PLC0415

    return [name for name in TASKS.entries() if name.startswith(incomplete)]


def experiment_names(incomplete: str) -> list[str]:
    """Experiments that ship with the package and begin like this."""
    from ..experiments.catalogue import shipped  # noqa: PLC0415

    return [name for name in shipped() if name.startswith(incomplete)]
