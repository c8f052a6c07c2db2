"""From an experiment to its cells: counted before they are made, and made one by one."""

import difflib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date, time
from itertools import accumulate
from math import prod
from pathlib import Path as FilePath
from typing import Any, Generic, TypeVar

from ...datasets.boards.task import FileBoards
from ...datasets.errors import UsageError
from ...datasets.image_source import ImageSource
from ...datasets.own_task import find_task, reference_of
from ...datasets.task import Setting, Task
from ..measures.figures import FIGURE
from ..perception.spec import PerceptionSpec
from ..results.experiment import Cell, Published
from ..results.terms import told
from ..suite.budget import Budget
from ..suite.settings import (
    PARTS,
    PERCEPTION,
    apply_perception_settings,
    apply_settings,
    apply_task_settings,
    setting_names,
    takes_setting,
)
from ..suite.suite import Suite, import_solver, plan_suite
from ..trials.budget import budget_for
from ..trials.roles import ROLE_NAMES
from ..trials.spec import SolverSpec
from ..trials.trial import Role
from .experiment import (
    UNTIL_DECIDED,
    Combination,
    Experiment,
    ImagesEntry,
    PerceptionEntry,
    SolverEntry,
    TaskEntry,
)
from .positions import Path

Thing = TypeVar("Thing", SolverSpec, Task, ImageSource, PerceptionSpec)
Spec = TypeVar("Spec", SolverSpec, PerceptionSpec)
NEEDED: tuple[Role, ...] = ("grounding", "ceiling")  # what a verdict rests on


@dataclass(frozen=True)
class Named(Generic[Thing]):
    """A thing, and what it is called in this experiment."""

    called: str
    thing: Thing


@dataclass(frozen=True)
class Block:
    """Cells of one solver on one task: the product of the settings that one of them knows.

    Attributes:
        combination: What the combination is called that they come from; "" where there are none.
        solver: Of all of them.
        task: Of all of them.
        images: Of all of them.
        perception: Of all of them.
        settings: The values of each setting that is known here, by name.
        said: Where each of these settings was said.
    """

    combination: str
    solver: Named[SolverSpec]
    task: Named[Task]
    images: Named[ImageSource]
    perception: Named[PerceptionSpec]
    settings: Mapping[str, tuple[Setting, ...]]
    said: Mapping[str, Path]

    def __len__(self) -> int:
        return prod(len(values) for values in self.settings.values())

    def chosen(self, number: int) -> dict[str, Setting]:
        """The settings of the cell of that number in this block; the last setting varies fastest."""
        found: dict[str, Setting] = {}
        for name, values in reversed(list(self.settings.items())):
            number, place = divmod(number, len(values))
            found[name] = values[place]
        return dict(reversed(list(found.items())))


@dataclass(frozen=True)
class Planned:
    """A cell, and the suite that decides it."""

    cell: Cell
    suite: Suite

    @property
    def lacking(self) -> str:
        """Which package is not installed here that its solver builds on; "" where nothing is missing."""
        extras = getattr(self.suite.spec.load(), "extras", ())
        return "; ".join(extra.message for extra in extras if not extra.installed)


@dataclass(frozen=True)
class Plan:
    """The cells of an experiment. Nothing is built before it is asked for: a product may have millions."""

    experiment: Experiment
    axes: dict[str, list[Setting]]
    blocks: list[Block]
    published: list[Published]
    ends: list[int] = field(default_factory=list)  # how many cells the blocks have up to each

    def __len__(self) -> int:
        return self.ends[-1]

    def __iter__(self) -> Iterator[Planned]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> Planned:
        """The cell of that number.

        Raises:
            UsageError: For settings that cannot be meant together.
        """
        if not 0 <= number < len(self):
            raise IndexError(number)
        place = bisect_right(self.ends, number)
        block = self.blocks[place]
        return self._planned(number, block, block.chosen(number - (self.ends[place] - len(block))))

    @property
    def seeds(self) -> tuple[int, int]:
        """How many seeds a cell has at least, where all goes well, and at most."""
        most = self.experiment.at_most
        return (min(2, most) if self.experiment.until_decided else most), most

    @property
    def at_most(self) -> int:
        """How many trials there are at most, counting those that cells share once for each."""
        return len(self) * len(self.experiment.roles) * self.experiment.at_most

    def _apart(self, chosen: Mapping[str, Setting]) -> dict[str, Setting]:
        """What tells a cell from others with its solver and its task."""
        axes = [axis for axis in self.axes if axis not in ("solver", "task")]
        return {axis: chosen[axis] for axis in axes if chosen.get(axis) not in (None, "")}

    def _planned(self, number: int, block: Block, settings: Mapping[str, Setting]) -> Planned:
        experiment = self.experiment
        varied: dict[str, Setting] = {
            "combination": block.combination,
            "solver": block.solver.called,
            "task": block.task.called,
            "images": block.images.called,
            "perception": block.perception.called,
        }
        try:
            suite = plan_suite(
                block.solver.thing,
                [block.task.thing],
                block.images.thing,
                Budget(experiment.at_most, settings=settings),
                block.perception.thing,
            )
        except UsageError as error:
            raise type(error)(experiment.origin.place(_blamed(block, settings)) + str(error)) from error
        roles = tuple(role for role in ROLE_NAMES if role in experiment.roles)
        suite = replace(suite, roles=roles, fixed=not experiment.until_decided)
        [run] = suite.runs
        run.label = block.task.called
        apart = [f"{axis}={told(value)}" for axis, value in self._apart(varied | dict(settings)).items()]
        run.heard_as = f"{run.label}[{','.join(apart)}]" if apart else run.label
        cell = Cell(
            number=number,
            varied={axis: (varied | dict(settings)).get(axis) for axis in self.axes},
            solver=suite.spec.name,
            options=dict(suite.spec.options),
            task=run.label,
            reference=reference_of(run.task),
            version=run.task.version,
            settings=run.task.settings,
            images=suite.images.name,
            perception=suite.perception.told,
            training=run.training.settings,
            seeds=suite.seeds,
            roles=list(dict.fromkeys(trial.role for _, trial in suite.trials_of(0))),
        )
        return Planned(cell, suite)


def plan_experiment(
    experiment: Experiment,
    *,
    puzzles: FilePath | None = None,
    data_root: FilePath | None = None,
    download: bool = False,
) -> Plan:
    """What an experiment will run; no cell is made yet.

    Args:
        experiment: From a file or from Python.
        puzzles: A file of boards, in place of the tasks.
        data_root: The folder that image files lie in; None for the environment's, or else the cache.
        download: Whether missing images are fetched.

    Raises:
        UsageError: For a solver, task, setting, image set, perception, role or published figure that cannot
            be meant, with the line where it stands.
    """
    return _Planner(experiment, puzzles, data_root, download).plan()


@dataclass(frozen=True)
class _Planner:
    experiment: Experiment
    puzzles: FilePath | None
    data_root: FilePath | None
    download: bool

    def plan(self) -> Plan:
        self._check()
        combinations = self.experiment.combination or [Combination()]
        named = _called(combinations) if self.experiment.combination else [""]
        blocks = [
            block
            for number, each in enumerate(combinations)
            for block in self._blocks(named[number], each, number)
        ]
        self._require_known(blocks)
        axes = self._axes(blocks, combinations, named)
        return Plan(
            self.experiment,
            axes,
            blocks,
            self._published(axes),
            list(accumulate(len(block) for block in blocks)),
        )

    def _check(self) -> None:
        """What can be told without looking at any solver or task."""
        experiment, refuse = self.experiment, self.experiment.origin.refuse
        if isinstance(experiment.seeds, str) and experiment.seeds != UNTIL_DECIDED:
            refuse(("seeds",), f'{experiment.seeds!r}: it is a number, or "{UNTIL_DECIDED}"')
        if experiment.max_seeds is not None and not experiment.until_decided:
            refuse(("max-seeds",), f'it stands beside seeds = "{UNTIL_DECIDED}"; seeds is {experiment.seeds}')
        for number, role in enumerate(experiment.roles):
            if role not in ROLE_NAMES:
                refuse(("roles", number), f"no role {role!r}: {_nearest(role, ROLE_NAMES)}")
        if lacking := [role for role in NEEDED if role not in experiment.roles]:
            refuse(("roles",), f"a verdict rests on {' and '.join(NEEDED)}: add {' and '.join(lacking)}")
        for path, settings in self._all_settings():
            for name, value in settings.items():
                if isinstance(value, date | time):
                    refuse((*path, name), f"{value} is a date, which no setting takes")
                if value == []:
                    refuse((*path, name), "no value: give one, or a list of several")

    def _all_settings(self) -> Iterator[tuple[Path, Mapping[str, Any]]]:
        yield ("settings",), self.experiment.settings
        for number, each in enumerate(self.experiment.combination):
            yield ("combination", number, "settings"), each.settings

    def _blocks(self, called: str, combination: Combination, number: int) -> Iterator[Block]:
        """The blocks of a combination, with what it has from the whole experiment."""
        whole, here = self.experiment, ("combination", number)
        solvers = self._solvers(self._said(combination.solver, (*here, "solver"), whole.solvers, "solvers"))
        if self.puzzles is not None:
            if combination.task:
                whole.origin.refuse(
                    (*here, "task"),
                    "boards of a file take the place of the tasks, and combinations name tasks",
                )
            tasks = [Named(self.puzzles.name, FileBoards(file=str(self.puzzles)))]
        else:
            tasks = self._tasks(self._said(combination.task, (*here, "task"), whole.tasks, "tasks"))
        images = self._images(self._said(combination.images, (*here, "images"), whole.images, "images"))
        perceptions = self._perceptions(
            self._said(combination.perception, (*here, "perception"), whole.perceptions, "perceptions")
        )
        values, said = self._values(combination, (*here, "settings"))
        for solver in solvers:
            for task in tasks:
                for source in images:
                    for perception in perceptions:
                        known: dict[str, tuple[Setting, ...]] = {}
                        for name, several in values.items():
                            with whole.origin.told(*said[name]):
                                if takes_setting(name, task.thing, solver.thing, perception.thing):
                                    known[name] = several
                        yield Block(called, solver, task, source, perception, known, said)

    def _said(self, here: Any, here_path: Path, whole: Any, key: str) -> list[tuple[Path, Any]]:
        """Entries with the place of each: the combination's own, else the whole experiment's."""
        entries, path = (here, here_path) if here else (whole, (key,))
        if not isinstance(entries, list):
            return [(path, entries)]
        if not entries:
            where = here_path[:2] if self.experiment.combination else (key,)
            self.experiment.origin.refuse(where, f"name what it runs: {key} = [...]")
        return [((*path, number), entry) for number, entry in enumerate(entries)]

    def _distinct(self, found: list[tuple[Path, Named[Thing]]]) -> list[Named[Thing]]:
        """Raises `UsageError` where two are called the same."""
        seen: set[str] = set()
        for path, each in found:
            if each.called in seen:
                self.experiment.origin.refuse(
                    path, f"{each.called!r} is there already: leave it out, or give it a name of its own"
                )
            seen.add(each.called)
        return [each for _, each in found]

    def _solvers(self, entries: list[tuple[Path, Any]]) -> list[Named[SolverSpec]]:
        def read(entry: Any) -> tuple[str, SolverSpec]:
            if isinstance(entry, SolverEntry):
                return entry.name, SolverSpec(entry.solver, entry.options)
            return "", SolverSpec.of(entry)

        return self._imported(entries, read, import_solver)

    def _perceptions(self, entries: list[tuple[Path, Any]]) -> list[Named[PerceptionSpec]]:
        def read(entry: Any) -> tuple[str, PerceptionSpec]:
            if isinstance(entry, PerceptionEntry):
                return entry.name, PerceptionSpec(entry.perception, entry.options)
            return "", PerceptionSpec.of(entry)

        return self._imported(entries, read, PerceptionSpec.load)

    def _imported(
        self,
        entries: list[tuple[Path, Any]],
        read: Callable[[Any], tuple[str, Spec]],
        load: Callable[[Spec], object],
    ) -> list[Named[Spec]]:
        """What entries name, after making sure that it can be imported."""
        found: list[tuple[Path, Named[Spec]]] = []
        for path, entry in entries:
            with self.experiment.origin.told(*path):
                called, spec = read(entry)
                load(spec)
                found.append((path, Named(called or _label(spec.name, spec.options), spec)))
        return self._distinct(found)

    def _tasks(self, entries: list[tuple[Path, Any]]) -> list[Named[Task]]:
        found: list[tuple[Path, Named[Task]]] = []
        for path, entry in entries:
            each = TaskEntry(task=entry) if isinstance(entry, str) else entry
            with self.experiment.origin.told(*path):
                if isinstance(each, Task):
                    usual = {f.name: f.default for f in fields(each)}
                    set_ = {n: v for n, v in each.settings.items() if n not in usual or v != usual[n]}
                    found.append((path, Named(_label(each.name, set_), each)))
                    continue
                if bool(each.task) == bool(each.puzzles):
                    raise UsageError("name a task, or a file of puzzles")
                settings = {name: _as_setting(value) for name, value in each.settings.items()}
                if each.puzzles:
                    file = FilePath(self.experiment.origin.file).parent / each.puzzles
                    task: Task = FileBoards(file=str(file))
                    told = file.name
                else:
                    task, told = find_task(each.task), ""
                task = apply_task_settings(settings, task)
                found.append((path, Named(each.name or _label(told or task.name, settings), task)))
        return self._distinct(found)

    def _images(self, entries: list[tuple[Path, Any]]) -> list[Named[ImageSource]]:
        found: list[tuple[Path, Named[ImageSource]]] = []
        for path, entry in entries:
            with self.experiment.origin.told(*path):
                if isinstance(entry, str | ImagesEntry):
                    each = ImagesEntry(images=entry) if isinstance(entry, str) else entry
                    classes = tuple(str(one) for one in each.classes)
                    source = ImageSource(
                        each.images, self.data_root, self.download, self.experiment.device, classes
                    )
                    called = each.name or each.images
                else:
                    source = ImageSource.of(entry)
                    called = source.name
                source.load()
            found.append((path, Named(called, source)))
        return self._distinct(found)

    def _values(
        self, combination: Combination, here: Path
    ) -> tuple[dict[str, tuple[Setting, ...]], dict[str, Path]]:
        """The values of every setting, and where they were said; a combination's take the place of others."""
        values: dict[str, tuple[Setting, ...]] = {}
        said: dict[str, Path] = {}
        for path, settings in ((("settings",), self.experiment.settings), (here, combination.settings)):
            for below, name, value in _flattened(settings):
                several = [_as_setting(each) for each in (value if isinstance(value, list) else [value])]
                said[name] = (*path, *below)
                for number, each in enumerate(several):
                    if each in several[:number]:
                        self.experiment.origin.refuse((*said[name], number), f"{each!r} is there already")
                values[name] = tuple(several)
        return values, said

    def _require_known(self, blocks: Sequence[Block]) -> None:
        """A setting that nobody knows is an error; one that only some know goes to those."""
        for name in dict.fromkeys(name for block in blocks for name in block.said):
            if not any(name in block.settings for block in blocks):
                known = sorted(set().union(*(setting_names(b.task.thing, b.solver.thing) for b in blocks)))
                said = next(block.said[name] for block in blocks if name in block.said)
                self.experiment.origin.refuse(
                    said,
                    f"unknown setting {name!r}: {_nearest(name.rpartition('.')[2], known)}; an option that "
                    "only the solver knows of is written solver.NAME",
                )

    def _axes(
        self, blocks: Sequence[Block], combinations: Sequence[Combination], named: Sequence[str]
    ) -> dict[str, list[Setting]]:
        """What varies, in the order of the file; solver and task in any case."""
        alike = len({tuple(_sets(each)) for each in combinations}) == 1
        told = [] if alike and not any(each.name for each in combinations) else named
        found: dict[str, list[Setting]] = {
            "combination": list(told),
            "solver": list(dict.fromkeys(block.solver.called for block in blocks)),
            "task": list(dict.fromkeys(block.task.called for block in blocks)),
            "images": list(dict.fromkeys(block.images.called for block in blocks)),
            "perception": list(dict.fromkeys(block.perception.called for block in blocks)),
        }
        for block in blocks:
            for name, values in block.settings.items():
                known = found.setdefault(name, [])
                known += [value for value in values if value not in known]
        return {
            axis: values for axis, values in found.items() if len(values) > 1 or axis in ("solver", "task")
        }

    def _published(self, axes: Mapping[str, list[Setting]]) -> list[Published]:
        origin = self.experiment.origin
        found: list[Published] = []
        for number, each in enumerate(self.experiment.published):
            here = ("published", number)
            if each.figure not in FIGURE:
                origin.refuse(
                    (*here, "figure"), f"no figure {each.figure!r}: {_nearest(each.figure, FIGURE)}"
                )
            where = {name: _as_setting(value) for name, value in each.where.items()}
            for axis, value in where.items():
                if axis not in axes:
                    origin.refuse(
                        (*here, "where", axis), f"nothing varies that is called so: {_nearest(axis, axes)}"
                    )
                if value not in axes[axis]:
                    known = [str(one) for one in axes[axis]]
                    origin.refuse(
                        (*here, "where", axis), f"no {axis} {value!r}: {_nearest(str(value), known)}"
                    )
            found.append(Published(where, each.figure, each.value, each.source, each.note))
        return found


def _blamed(block: Block, settings: Mapping[str, Setting]) -> Path:
    """Where the setting stands that is refused even alone; else the first one; () where nothing is set."""
    for name, value in settings.items():
        several = block.settings[name]
        path = (*block.said[name], several.index(value)) if len(several) > 1 else block.said[name]
        try:
            task = block.task.thing
            rest, _ = apply_perception_settings({name: value}, block.perception.thing)
            apply_settings(rest, [task], block.solver.thing, [budget_for(task)])
        except UsageError:
            return path
    return next((block.said[name] for name in settings), ())


def _called(combinations: Sequence[Combination]) -> list[str]:
    """What each combination is called."""
    names: list[str] = []
    for number, each in enumerate(combinations):
        named = [part for part in (each.solver, each.task, each.images, each.perception) if part]
        words = [part if isinstance(part, str) else _entry_name(part) for part in named]
        words += [f"{name}={_told(value)}" for _, name, value in _flattened(each.settings)]
        called = each.name or ", ".join(words) or f"combination {number + 1}"
        names.append(f"{called} ({number + 1})" if called in names else called)
    return names


def _entry_name(entry: Any) -> str:
    """What an entry of a combination is called in the name of that combination."""
    entries = entry if isinstance(entry, list) else [entry]
    return " and ".join(
        each if isinstance(each, str) else each.name or getattr(each, each.__struct_fields__[0])
        for each in entries
    )


def _sets(combination: Combination) -> list[str]:
    """The names of what a combination says."""
    parts = [part for part in ("solver", "task", "images", "perception") if getattr(combination, part)]
    return sorted([*parts, *(name for _, name, _ in _flattened(combination.settings))])


def _flattened(settings: Mapping[str, Any]) -> Iterator[tuple[Path, str, Any]]:
    """Settings with their path and name: solver.m stands in a table `solver` where it is not quoted."""
    for name, value in settings.items():
        if name in (*PARTS, PERCEPTION) and isinstance(value, dict):
            yield from (((name, inner), f"{name}.{inner}", each) for inner, each in value.items())
        else:
            yield (name,), name, value


def _as_setting(value: Any) -> Any:
    """A value as tasks and solvers take it: a sequence is a tuple."""
    return tuple(_as_setting(each) for each in value) if isinstance(value, list | tuple) else value


def _label(name: str, settings: Mapping[str, Any]) -> str:
    told = ",".join(f"{key}={_told(value)}" for key, value in settings.items())
    return f"{name}[{told}]" if told else name


def _told(value: Any) -> str:
    return " ".join(map(_told, value)) if isinstance(value, list | tuple) else str(value)


def _nearest(word: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
