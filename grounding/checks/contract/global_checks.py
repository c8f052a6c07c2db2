"""The contract of a solver: it leaves alone what it shares with everybody else in the process."""

from ..registry import Registry, Result, failed, passed
from .global_state import global_state
from .subject import Subject, row_losses, run_forward

PART: Registry[Subject] = Registry("contract", place=15)


@PART.check("globals", needs=["shape", "device", "loss"], decides=True)
def check_globals(subject: Subject) -> Result:
    """Building, forward and loss leave the settings of the process alone: the default dtype and device, grad
    mode, threads, flags of determinism, how NumPy and warnings treat errors.

    A solver that turns gradients off leaves perception without any; one that sets the default dtype changes
    the initial weights of whatever is built after it. Two solvers in one process then hear of each other.

    Failure: the reason names what was changed, and by what.

    Remedy: Change settings only inside a context that puts them back (`torch.no_grad()`, `np.errstate`), and
    pass `dtype` and `device` where a tensor is made.
    """
    sample = subject.few
    before = global_state()
    solver = subject.build_freely(seed=11)
    calls = {
        "building it": lambda: None,
        "forward in evaluation": lambda: run_forward(solver.eval(), sample),
        "the loss in evaluation": lambda: row_losses(solver.eval(), sample),
        "the loss in training": lambda: row_losses(solver.train(), sample),
    }
    for name, call in calls.items():
        call()
        after = global_state()
        changed = [setting for setting, value in before.items() if value != after[setting]]
        if changed:
            was, now = before[changed[0]], after[changed[0]]
            return failed(f"{name} changed {', '.join(changed)} ({changed[0]} from {was} to {now})")
    return passed("the settings of the process are as they were")
