"""How many small errors in the checks and the scoring the tests notice: mutation analysis of grounding/.

    python benchmarks/mutation.py [--module verdict checks.finding] [--sample 90 --seed 3] [--again] [--list]

Each mutant is one module with one change: a comparison, an operator, a number, a status or verdict, a `not`,
a condition, a statement that is left out. It counts as killed where a test fails, or where it takes three
times the processor time that its tests take otherwise. Left alone are what tells nothing of what is found:
annotations, decorators, messages, seeds of random draws, and numbers below 1e-20 that guard a division.

The usual tools (mutmut, cosmic-ray) start Python and import torch for every mutant, which here takes longer
than the tests. This script collects the tests once and forks; a fork gets the code of the mutated function in
place of its own, wherever the function is held, so that no name that was imported elsewhere escapes it. A
change outside of functions (a constant, a default, a field) needs an import of its own: there the fork
imports `groundcheck.grounding` and the tests anew. Of the tests run those that enter the mutated function,
first those that killed its other mutants, until one fails.

Results go to a file of JSON lines, by the text of the function, so that a run goes on where it was broken
off. `--again` tries survivors again, after the tests were strengthened. A score is that of a sample which the
tests were not written for: `--sample` draws one by `--seed`, and `--unseen` leaves out what other logs know.
Source: DeMillo, Lipton, Sayward
1978, *Hints on test data selection*, IEEE Computer 11(4).
"""

import argparse
import ast
import gc
import hashlib
import importlib
import importlib.machinery
import importlib.util
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from types import CodeType, FunctionType

import pytest

ROOT = Path(__file__).parents[1]
ALONE = ("bars", "remedies", "verdict")  # modules of grounding that lie in no folder
SCOPE = [
    *sorted((ROOT / "grounding" / "checks").rglob("*.py")),
    *sorted((ROOT / "grounding" / "measures").glob("*.py")),
    *(ROOT / "grounding" / f"{name}.py" for name in (*ALONE, "results/accounting")),
]
TESTS = [
    *(
        str(path.relative_to(ROOT))
        for folder in ("controls", "grounding/checks", "grounding/measures")
        for path in sorted((ROOT / "tests" / folder).rglob("test_*.py"))
    ),
    *(
        str(path.relative_to(ROOT))
        for name in ALONE
        for path in sorted((ROOT / "tests" / "grounding").glob(f"test_{name}*.py"))
    ),
    "tests/grounding/results/test_accounting.py",
    "tests/grounding/trials/test_beyond.py",
]
IN_OTHER_PROCESSES = ("deadly", "in_a_process")  # tests whose subject runs where no mutant is
LONGEST = 1.5  # processor seconds of a test: those that take longer are left out, which only spares mutants
PATIENCE, SLACK = 3, 5.0  # times the processor seconds of the tests, and seconds more
MEMORY = 6 * 2**30  # bytes that a mutant may use

Change = tuple[ast.AST, str, str, Callable[[], None]]  # where, before, after, how

COMPARISONS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
OPERATORS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
NAMES = {
    "min": "max", "max": "min", "any": "all", "all": "any", "passed": "failed", "failed": "passed",
    "isfinite": "isnan", "argmax": "argmin", "clamp_min": "clamp_max",
}  # fmt: skip
WORDS = {
    "pass": "fail", "fail": "pass", "inconclusive": "pass", "skip": "pass", "error": "pass",
    "GROUNDED": "SHORTCUT", "SHORTCUT": "GROUNDED", "NOT REASONING": "GROUNDED", "UNGROUNDED": "GROUNDED",
    "LEAKY": "GROUNDED", "ERROR": "GROUNDED", "INCONCLUSIVE": "GROUNDED", "accept": "reject",
    "reject": "accept", "undecided": "accept", "given": "learned", "learned": "given",
}  # fmt: skip
SEEDED = {"manual_seed", "default_rng", "seed", "fork_rng"}
TYPES = {"Literal", "Callable", "Float", "Int", "Bool", "ClassVar", "Registry", "Check", "TypeVar"}


def changes(tree: ast.Module) -> Iterator[Change]:
    """Every mutant of a module, in the order of its text; each change is made in place."""
    yield from _inside(tree)


def _inside(node: ast.AST) -> Iterator[Change]:
    seeds = _seeds_of(node) if isinstance(node, ast.arguments) else ()
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases", "type_comment"):
            continue
        children = value if isinstance(value, list) else [value]
        for place, child in enumerate(children):
            if not isinstance(child, ast.AST) or child in seeds or _left_alone(child):
                continue

            def put(new: ast.AST, place: int = place, value: object = value, name: str = name) -> None:
                if isinstance(value, list):
                    value[place] = new
                else:
                    setattr(node, name, new)

            yield from _of(child, put)
            yield from _inside(child)


def _seeds_of(arguments: ast.arguments) -> list[ast.AST | None]:
    """Defaults of what is called a seed: another draw."""
    placed = [*arguments.posonlyargs, *arguments.args]
    late = placed[len(placed) - len(arguments.defaults) :]
    pairs = [
        *zip(late, arguments.defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    return [default for argument, default in pairs if argument.arg == "seed"]


def _left_alone(node: ast.AST) -> bool:
    """What is text, or type, or a random draw."""
    match node:
        case ast.JoinedStr() | ast.Import() | ast.ImportFrom() | ast.Assert():
            return True
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in SEEDED or name in TYPES
        case ast.keyword(arg=name):
            return name in ("strict", "seed")
        case ast.Subscript(value=ast.Name(id=name)):
            return name in TYPES
        case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
            return True
    return False


def _of(node: ast.AST, put: Callable[[ast.AST], None]) -> Iterator[Change]:  # noqa: PLR0912 - a table
    """The changes of one node; `put` puts another in its place."""

    def becomes(new: ast.AST) -> Change:
        before = ast.unparse(node)
        return node, before, ast.unparse(ast.fix_missing_locations(new)), lambda: put(new)

    match node:
        case ast.Compare(left=left, ops=ops, comparators=right):
            for place, operator in enumerate(ops):
                swapped = [*ops[:place], COMPARISONS[type(operator)](), *ops[place + 1 :]]
                yield becomes(ast.Compare(left, swapped, right))
        case ast.BoolOp(op=operator, values=values):
            yield becomes(ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values))
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert(), operand=operand):
            yield becomes(operand)
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in OPERATORS:
            yield becomes(ast.BinOp(left, OPERATORS[type(operator)](), right))
        case ast.IfExp(test=test, body=body, orelse=other):
            yield becomes(ast.IfExp(ast.UnaryOp(ast.Not(), test), body, other))
        case ast.Constant(value=bool(truth)):
            yield becomes(ast.Constant(not truth))
        case ast.Constant(value=int(number)):
            yield becomes(ast.Constant(2 * number if number >= 10 else number + 1))
        case ast.Constant(value=float(number)) if number == 0 or number > 1e-20:
            yield becomes(ast.Constant(2 * number or 1.0))
        case ast.Constant(value=str(word)) if word in WORDS:
            yield becomes(ast.Constant(WORDS[word]))
        case ast.Name(id=name, ctx=ast.Load()) if name in NAMES:
            yield becomes(ast.Name(NAMES[name], ast.Load()))
        case ast.Attribute(value=value, attr=name) if name in NAMES:
            yield becomes(ast.Attribute(value, NAMES[name], ast.Load()))
        case ast.If(test=ast.Name() | ast.Attribute() | ast.Call() as test):
            negated = ast.UnaryOp(ast.Not(), test)
            told = ast.unparse(test)
            yield test, f"if {told}", f"if not {told}", lambda: setattr(node, "test", negated)
        case ast.Continue():
            yield becomes(ast.Break())
        case ast.Break():
            yield becomes(ast.Continue())
        case ast.AugAssign() | ast.Raise() | ast.Expr(value=ast.Call() | ast.YieldFrom()):
            yield node, ast.unparse(node), "pass", lambda: put(ast.Pass())


@dataclass(frozen=True)
class Mutant:
    """One change of one module."""

    module: str
    number: int  # among the changes of its module
    function: str  # qualified name of the innermost function or class around it, or <module>
    line: int
    before: str
    after: str
    key: str  # the same while the text of the function is
    entered: tuple[str, ...]  # functions whose tests are asked: its own, or those that name a constant
    constants: tuple[str, ...]  # or its class: tests that name one are asked as well

    @property
    def told(self) -> str:
        """For a list."""
        path = f"grounding/{self.module.removeprefix('groundcheck.grounding.').replace('.', '/')}.py"
        return f"{path}:{self.line} ({self.function}) {_short(self.before)} → {_short(self.after)}"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 70 else f"{text[:67]}…"


def module_of(path: Path) -> str:
    """Its dotted name."""
    return ".".join(("groundcheck", *path.relative_to(ROOT).with_suffix("").parts))


def mutants_of(path: Path) -> list[Mutant]:
    """Every mutant of a file."""
    tree = ast.parse(path.read_text())
    around = dict(_places(tree, ("<module>", tree)))
    found: list[Mutant] = []
    seen: Counter[str] = Counter()
    for number, (node, before, after, _) in enumerate(changes(tree)):
        name, home = around[id(node)]
        what = f"{path.stem}\n{ast.unparse(home)}\n{before}\n{after}"
        seen[what] += 1
        key = hashlib.sha256(f"{what}\n{seen[what]}".encode()).hexdigest()[:16]
        constants: tuple[str, ...] = ()
        if name == "<module>":
            constants = tuple(sorted(_assigned(home)))
        elif isinstance(home, ast.ClassDef):
            constants = (home.name,)  # a default of a field: a class that is made runs no function of ours
        entered = (name,) if name != "<module>" else _users(constants, around.values())
        line = getattr(node, "lineno", 0)
        found.append(Mutant(module_of(path), number, name, line, before, after, key, entered, constants))
    return found


def _places(node: ast.AST, home: tuple[str, ast.AST]) -> Iterator[tuple[int, tuple[str, ast.AST]]]:
    """Every node with the function or class around it, or else the statement of the module."""
    yield id(node), home
    for child in ast.iter_child_nodes(node):
        inner = home
        if isinstance(child, ast.FunctionDef | ast.ClassDef):
            inner = (child.name if home[0] == "<module>" else f"{home[0]}.{child.name}", child)
        elif isinstance(node, ast.Module):
            inner = ("<module>", child)
        yield from _places(child, inner)


def _assigned(statement: ast.AST) -> set[str]:
    """What a statement of the module assigns to."""
    return {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _users(constants: Collection[str], places: Iterable[tuple[str, ast.AST]]) -> tuple[str, ...]:
    """The functions that name one of these."""
    return tuple(
        name
        for name, home in dict(places).items()
        if name != "<module>" and any(isinstance(n, ast.Name) and n.id in constants for n in ast.walk(home))
    )


def mutate(number: int) -> Callable[[ast.Module], None]:
    """Makes one of the changes of a module."""

    def change(tree: ast.Module) -> None:
        _, _, _, how = list(changes(tree))[number]
        how()

    return change


def instrument(tree: ast.Module) -> None:
    """Lets every function say that it was entered, in the module's `_entered`."""
    around = dict(_places(tree, ("<module>", tree)))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            name = around[id(node)][0]
            node.body.insert(
                int(ast.get_docstring(node) is not None), *ast.parse(f"_entered.add({name!r})").body
            )
    start = next(n for n, statement in enumerate(tree.body) if not isinstance(statement, ast.Expr))
    made = "_entered = __import__('sys').modules['__main__'].Entered(__name__)"
    tree.body.insert(start, *ast.parse(made).body)


class Entered(set[str]):
    """Functions of a module that were entered, in processes that were forked from this one as well."""

    home = 0  # the process that asks
    told = -1  # the file that forks write to

    def __init__(self, module: str) -> None:
        super().__init__()
        self.module = module

    def add(self, name: str) -> None:
        """A function was entered."""
        if os.getpid() != self.home and name not in self:
            os.write(self.told, f"{self.module} {name}\n".encode())
        super().add(name)


class Loader(importlib.machinery.SourceFileLoader):
    """Loads a module whose tree was worked on first."""

    def __init__(self, name: str, path: str, work: Callable[[ast.Module], None]) -> None:
        super().__init__(name, path)
        self.work = work

    def get_code(self, fullname: str) -> object:  # noqa: ARG002
        """Compiled from the changed tree; what was compiled before is not looked at."""
        tree = ast.parse(Path(self.path).read_text())
        self.work(tree)
        return compile(ast.fix_missing_locations(tree), self.path, "exec")


class Finder:
    """Comes before all other finders, for some modules."""

    def __init__(self, modules: Iterable[str], work: Callable[[ast.Module], None]) -> None:
        self.paths = {module_of(path): path for path in SCOPE if module_of(path) in modules}
        self.work = work

    def find_spec(self, name: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        """The module's spec, with our loader."""
        if name not in self.paths:
            return None
        loader = Loader(name, str(self.paths[name]), self.work)
        return importlib.util.spec_from_file_location(name, self.paths[name], loader=loader)


def load_anew(modules: Iterable[str], work: Callable[[ast.Module], None]) -> None:
    """Forgets `groundcheck.grounding`, which is imported again with some of its modules worked on."""
    for name in [name for name in sys.modules if name.startswith("groundcheck.grounding")]:
        del sys.modules[name]
    sys.meta_path.insert(0, Finder(modules, work))


def swapped_codes(before: CodeType, after: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    """The code of every function, nested ones too, in a module and in its mutant."""
    inner = [[part for part in code.co_consts if isinstance(part, CodeType)] for code in (before, after)]
    if len(inner[0]) == len(inner[1]):
        for pair in zip(*inner, strict=True):
            yield pair
            yield from swapped_codes(*pair)


def outside_of_functions(tree: ast.Module) -> str:
    """What importing the module runs."""
    bare = ast.parse(ast.unparse(tree))
    for node in ast.walk(bare):
        if isinstance(node, ast.FunctionDef):
            node.body = [ast.Pass()]
    return ast.dump(bare)


def patch(mutant: "Mutant", functions: list[FunctionType]) -> bool:
    """Puts the mutant's code into functions of this process; False where the change is in none's body."""
    path = next(path for path in SCOPE if module_of(path) == mutant.module)
    plain, changed = ast.parse(path.read_text()), ast.parse(path.read_text())
    mutate(mutant.number)(changed)
    ast.fix_missing_locations(changed)
    if outside_of_functions(plain) != outside_of_functions(changed):
        return False
    codes = [compile(tree, str(path), "exec", dont_inherit=True) for tree in (plain, changed)]
    swapped = {old: new for old, new in swapped_codes(*codes) if old != new}
    held = [f for f in functions if f.__module__ == mutant.module and f.__code__ in swapped]
    if any(len(f.__code__.co_freevars) != len(swapped[f.__code__].co_freevars) for f in held):
        return False
    for function in held:
        function.__code__ = swapped[function.__code__]
    return bool(held)


class Chosen:
    """Runs the chosen tests alone, in their order, and remembers which one failed."""

    def __init__(self, nodes: list[str]) -> None:
        self.place = {node: number for number, node in enumerate(nodes)}
        self.failed = ""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Deselects and sorts."""
        items[:] = sorted(
            (item for item in items if item.nodeid in self.place), key=lambda item: self.place[item.nodeid]
        )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Hears of failures."""
        if report.failed and not self.failed:
            self.failed = report.nodeid


class Collected:
    """Every test, collected once, of which forks run those that they are asked to."""

    def __init__(self, work: Callable[["Collected"], None]) -> None:
        self.work = work
        self.before = set(sys.modules)
        self.items: dict[str, pytest.Item] = {}
        self.functions: list[FunctionType] = []
        self.failed = ""

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """In place of running them: does the work."""
        self.items = {item.nodeid: item for item in session.items}
        modules = {module_of(path) for path in SCOPE}
        self.functions = [f for f in gc.get_objects() if type(f) is FunctionType and f.__module__ in modules]
        gc.freeze()  # forks share what they never collect
        self.work(self)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Hears of failures."""
        if report.failed and not self.failed:
            self.failed = report.nodeid
            print(report.longreprtext)

    def run(self, nodes: list[str]) -> str:
        """The first of some tests that fails; "" where all pass."""
        chosen = [self.items[node] for node in nodes]
        for item, following in zip(chosen, [*chosen[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self.failed:
                break
        return self.failed

    def forget(self) -> None:
        """Everything that was imported since, the tests among it."""
        for name in set(sys.modules) - self.before:
            if name.startswith(("groundcheck.grounding", "tests.")) or "tests" in str(
                getattr(sys.modules[name], "__file__", "")
            ):
                del sys.modules[name]


class Watched:
    """Remembers of every test which functions it enters, and its processor seconds, fixtures among them."""

    def __init__(self) -> None:
        self.modules = {module_of(path) for path in SCOPE}
        self.entered: dict[str, dict[str, list[str]]] = {}
        self.seconds: dict[str, float] = {}
        self.fixtures: dict[object, float] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leaves out those that run in other processes."""
        items[:] = [item for item in items if not any(part in item.name for part in IN_OTHER_PROCESSES)]

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: object) -> Iterator[None]:
        """Watches one fixture: a fork that runs a test has to set up what it asks for."""
        with ended_after(LONGEST) as seconds:
            result = yield
        self.fixtures[fixturedef] = seconds()
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Function) -> Iterator[None]:
        """Watches one test."""
        sets = {name: sys.modules[name]._entered for name in self.modules if name in sys.modules}
        for entered in sets.values():
            entered.clear()
        os.ftruncate(Entered.told, 0)
        with ended_after(LONGEST) as seconds:
            result = yield
        asked = {one for known in item._fixtureinfo.name2fixturedefs.values() for one in known}
        self.seconds[item.nodeid] = seconds() + sum(self.fixtures.get(one, 0.0) for one in asked)
        for line in os.pread(Entered.told, os.fstat(Entered.told).st_size, 0).decode().splitlines():
            module, _, name = line.partition(" ")
            sets[module].add(name)
        self.entered[item.nodeid] = {name: sorted(entered) for name, entered in sets.items() if entered}
        return result


@contextmanager
def ended_after(limit: float) -> Iterator[Callable[[], float]]:
    """Skips the test that runs once it took so many processor seconds; gives how many it took so far."""

    def end(*_: object) -> None:
        pytest.skip(f"takes more than {limit:g} s")

    begin = time.process_time()
    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, limit, 0.5)
    try:
        yield lambda: time.process_time() - begin
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def prepare() -> None:
    """Imports what no mutant is in, and compiles kernels, so that forks find it done."""
    sys.path.remove(
        str(Path(__file__).parent)
    )  # `import satnet` does not mean what stands beside this script
    for name in (
        "matplotlib.pyplot", "numba", "pysat.solvers", "pysat.formula", "rich.table",
        "scipy.optimize", "scipy.stats", "sklearn.cluster", "sklearn.datasets", "sklearn.decomposition",
        "torch._dynamo", "typer.testing", "groundcheck.datasets.catalogue", "groundcheck.solvers.catalogue",
    ):  # fmt: skip
        importlib.import_module(name)
    import torch  # noqa: PLC0415

    from groundcheck.datasets.catalogue import TASKS  # noqa: PLC0415
    from groundcheck.datasets.images import load_images  # noqa: PLC0415
    from groundcheck.solvers.catalogue import SOLVERS  # noqa: PLC0415

    torch.set_num_threads(1)
    load_images("digits")
    for name in ("sudoku", "mapping", "half", "visudo", "latin"):
        TASKS.load(name)().drawn(0).generate("train", 8, 0)  # compiles
    task = TASKS.load("sudoku")()
    for name in ("exact", "satnet", "mlp"):
        for dtype in (torch.float32, torch.float64):
            solver = SOLVERS.load(name)(task.problem).to(dtype)
            given = torch.zeros(2, 16, dtype=torch.bool)
            given[:, :5] = True
            beliefs = torch.full((2, 16, 4), 0.25, dtype=dtype, requires_grad=True)
            solver(beliefs, given).sum().backward()
    for part in ("controls", "grounding"):
        sys.path.insert(0, str(ROOT / "tests" / part))


def in_a_fork(work: Callable[[], str], cpu_seconds: float) -> tuple[str, str]:
    """What `work` says, and its output; `timeout` where it takes longer than that, `crash` where it dies."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as said:
        child = os.fork()
        if child == 0:
            os.setsid()
            resource.setrlimit(resource.RLIMIT_CPU, (int(cpu_seconds) + 1, int(cpu_seconds) + 2))
            resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            try:
                said.write(work())
                said.flush()
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(0)
        deadline = time.monotonic() + 20 * cpu_seconds
        late = False
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            if not late and time.monotonic() > deadline:
                os.killpg(child, signal.SIGKILL)
                late = True
            time.sleep(0.01)
        said.seek(0)
        output.seek(0)
        return ("timeout" if late else said.read() or "crash"), output.read()


def pytest_says(plugin: object, files: list[str], *more: str) -> int:
    """Runs pytest in this process."""
    arguments = [
        *more,
        "-q",
        "-x",
        "-s",
        "--noconftest",
        "-p",
        "no:cacheprovider",
        "--tb=line",
        f"--rootdir={ROOT}",
    ]
    return int(pytest.main([*arguments, f"-c{ROOT / 'pyproject.toml'}", *files], [plugin]))


def watch(path: Path) -> dict[str, dict[str, object]]:
    """Which functions each test enters; tests of files that did not change are taken from `path`."""
    files = sorted(
        file
        for name in TESTS
        for file in ([ROOT / name] if name.endswith(".py") else (ROOT / name).glob("test_*.py"))
        if file.exists()
    )
    known = json.loads(path.read_text()) if path.exists() else {}
    found: dict[str, dict[str, object]] = {}
    around = b"".join(file.read_bytes() for file in sorted((ROOT / "tests/controls").glob("[gs]*.py")))
    for file in files:
        name = str(file.relative_to(ROOT))
        digest = hashlib.sha256(file.read_bytes() + (around if "controls" in name else b"")).hexdigest()
        if known.get(name, {}).get("digest") == digest:
            found[name] = known[name]
            continue

        def work(file: Path = file) -> str:
            watched = Watched()
            Entered.home = os.getpid()
            Entered.told = os.open(path.with_suffix(".entered"), os.O_RDWR | os.O_CREAT | os.O_APPEND)
            load_anew(watched.modules, instrument)
            # A test that is ended may be ended where an exception cannot be raised.
            code = pytest_says(watched, [str(file)], "-pno:unraisableexception")
            return json.dumps({"code": code, "seconds": watched.seconds, "entered": watched.entered})

        said, output = in_a_fork(work, 600)
        if said in ("timeout", "crash") or json.loads(said)["code"] not in (0, 5):
            raise SystemExit(f"{name} does not pass without a mutant:\n{output[-3000:]}")
        found[name] = {**json.loads(said), "digest": digest}
        print(f"watched {name}", flush=True)
        path.write_text(json.dumps({**known, **found}))
    return found


class Tests:
    """Which tests a mutant is put to, and in which order."""

    def __init__(self, watched: dict[str, dict[str, object]]) -> None:
        self.seconds: dict[str, float] = {}
        self.entered: dict[str, dict[str, list[str]]] = {}
        for part in watched.values():
            self.seconds |= part["seconds"]  # type: ignore[arg-type]
            self.entered |= part["entered"]  # type: ignore[arg-type]
        self.entered = {node: names for node, names in self.entered.items() if self.seconds[node] <= LONGEST}
        self.text = {name: (ROOT / name).read_text() for name in watched}
        self.kills: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)

    def of(self, mutant: Mutant, cap: float) -> list[str]:
        """Those that enter its function (of a class: any of it), or else its module, of so many processor
        seconds together; killers first, then those that are named after the module, then short ones.
        """
        inside = [
            node for node, entered in self.entered.items()
            if any(
                name == own or name.startswith(f"{own}.")
                for name in entered.get(mutant.module, ())
                for own in mutant.entered
            )
        ]  # fmt: skip
        naming = {
            node for node in self.entered
            if any(name in self.text[node.partition("::")[0]] for name in mutant.constants)
        }  # fmt: skip
        nodes = inside
        if not inside or mutant.constants:
            nodes = [n for n, entered in self.entered.items() if mutant.module in entered or n in naming]
        near, wide = self.kills[mutant.module, mutant.function], self.kills[mutant.module, ""]
        stem = mutant.module.rpartition(".")[2]
        asked = {*inside, *naming}
        nodes.sort(
            key=lambda n: (
                -near[n],
                n not in asked,
                -wide[n],
                n not in naming,
                f"/test_{stem}" not in n,
                self.seconds[n],
                n,
            )
        )
        spent = accumulate(self.seconds[node] for node in nodes)
        return [node for node, seconds in zip(nodes, spent, strict=True) if seconds <= cap]

    def keep(self, collected: Iterable[str]) -> None:
        """Forgets those that are not collected: their names were others where they were watched."""
        self.entered = {node: self.entered[node] for node in collected if node in self.entered}

    def learn(self, mutant: Mutant, test: str) -> None:
        """That a test killed it."""
        self.kills[mutant.module, mutant.function][test] += 1
        self.kills[mutant.module, ""][test] += 1


def attempt(
    mutant: Mutant | None, nodes: list[str], seconds: float, collected: Collected
) -> tuple[str, str, str]:
    """Runs tests on a mutant, or on none: `killed`, `survived`, `timeout` or `crash`; which test killed it;
    output.
    """

    def work() -> str:
        if mutant is None or patch(mutant, collected.functions):
            failed = collected.run(nodes)
            return f"{'killed' if failed else 'survived'} {failed}"
        collected.forget()
        load_anew([mutant.module], mutate(mutant.number))
        chosen = Chosen(nodes)
        code = pytest_says(chosen, sorted({str(ROOT / node.partition("::")[0]) for node in nodes}))
        return f"{'survived' if code == 0 else 'killed'} {chosen.failed}"

    said, output = in_a_fork(work, PATIENCE * seconds + SLACK)
    status, _, test = said.partition(" ")
    return status, test, output


def run(
    mutants: list[Mutant], tests: Tests, log: Path, collected: Collected, *, again: bool, cap: float
) -> None:
    """Tries every mutant that the log does not know, in their order; the log gets a line for each."""
    known = read_log(log)
    for mutant in mutants:
        if (line := known.get(mutant.key)) and line["status"] == "killed" and line["test"] in tests.seconds:
            tests.learn(mutant, line["test"])
    open_ = [m for m in mutants if m.key not in known or (again and known[m.key]["status"] == "survived")]
    for number, mutant in enumerate(open_, 1):
        nodes = tests.of(mutant, cap)
        begin = time.monotonic()
        status, test = "survived", ""
        if nodes:
            status, test, _ = attempt(mutant, nodes, sum(tests.seconds[n] for n in nodes), collected)
        if status == "killed" and test:
            tests.learn(mutant, test)
        line = {**asdict(mutant), "status": status, "test": test, "seconds": time.monotonic() - begin}
        with log.open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(f"{number}/{len(open_)} {line['seconds']:.1f} s {status} {mutant.told} {test}", flush=True)


def drawn(mutants: list[Mutant], seed: int, size: int | None, unseen: list[Path]) -> list[Mutant]:
    """So many of them, or all, in the random order of a seed: broken off anywhere, it is a random sample.

    What the logs `unseen` know is left out, and what they know of a function whose text was another then.
    """
    seen = {key: line for log in unseen for key, line in read_log(log).items()}
    keys = {m.key for m in mutants}
    gone = {
        tuple(line[part] for part in ("module", "function", "before", "after"))
        for key, line in seen.items()
        if key not in keys
    }
    left = [
        m for m in mutants
        if m.key not in seen and (m.module, m.function, m.before, m.after) not in gone
    ]  # fmt: skip
    order = {m: hashlib.sha256(f"{seed} {m.key}".encode()).digest() for m in left}
    return sorted(order, key=order.__getitem__)[:size]


def read_log(log: Path) -> dict[str, dict[str, str]]:
    """The last line of every mutant, by key."""
    lines = log.read_text().splitlines() if log.exists() else []
    return {line["key"]: line for line in map(json.loads, lines)}


def report(mutants: list[Mutant], log: Path) -> None:
    """Shares by module, and every survivor."""
    from groundcheck.grounding.measures.statistics import wilson_interval  # noqa: PLC0415

    known = read_log(log)
    tried = [m for m in mutants if m.key in known]
    for module in [*sorted({m.module for m in mutants}), ""]:
        of = [m for m in tried if m.module == module or not module]
        killed = sum(known[m.key]["status"] != "survived" for m in of)
        low, high = wilson_interval(killed, len(of))
        total = sum(m.module == module or not module for m in mutants)
        name = module.removeprefix("groundcheck.grounding.") or "all"
        share = f"{killed / max(1, len(of)):.3f}, 95 % {low:.3f} to {high:.3f}"
        print(f"{name:22} {killed:4} of {len(of):4} killed ({share}); {total} mutants")
    print()
    for mutant in tried:
        if known[mutant.key]["status"] == "survived":
            print(f"survived {mutant.told}")


def main() -> None:
    """Parses, watches, tries, reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--module", nargs="+", help="modules of grounding, as checks.form")
    parser.add_argument("--sample", type=int, help="so many of the mutants, drawn at random")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--unseen", type=Path, nargs="+", default=[], help="logs whose mutants are not drawn")
    parser.add_argument("--again", action="store_true", help="try survivors again")
    parser.add_argument(
        "--cap", type=float, default=float("inf"), help="processor seconds of tests per mutant, at most"
    )
    parser.add_argument("--list", action="store_true", help="report on the log and try nothing")
    parser.add_argument("--log", type=Path, default=Path("mutants.jsonl"))
    options = parser.parse_args()
    log: Path = options.log.absolute()
    chosen = [f"groundcheck.grounding.{name}" for name in options.module or ()]
    mutants = [m for path in SCOPE if not chosen or module_of(path) in chosen for m in mutants_of(path)]
    mutants = drawn(mutants, options.seed, options.sample, [path.absolute() for path in options.unseen])
    if not options.list:
        os.chdir(ROOT)
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        prepare()
        tests = Tests(watch(log.with_suffix(".tests.json")))

        def work(collected: Collected) -> None:
            tests.keep(collected.items)
            run(mutants, tests, log, collected, again=options.again, cap=options.cap)
            known = read_log(log)
            killers = {known[m.key]["test"] for m in mutants if m.key in known} & tests.seconds.keys()
            seconds = sum(tests.seconds[test] for test in killers)
            status, _, output = attempt(None, sorted(killers), seconds, collected)
            if status != "survived":
                raise SystemExit(f"tests that killed fail without a mutant too ({status}):\n{output[-3000:]}")

        pytest_says(Collected(work), [file for file in TESTS if (ROOT / file).exists()])
    report(mutants, log)


if __name__ == "__main__":
    main()
