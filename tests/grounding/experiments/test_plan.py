"""From an experiment to its cells: products, combinations, and what cannot be meant."""

import time
from pathlib import Path

import pytest

from groundcheck.datasets.catalogue import TASKS
from groundcheck.datasets.errors import UsageError
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.grounding.experiments.experiment import Experiment
from groundcheck.grounding.experiments.file import find_experiment, parse_experiment
from groundcheck.grounding.experiments.plan import Plan, plan_experiment
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.solvers.catalogue import SOLVERS

HEAD = 'solvers = ["mlp", "satnet"]\ntasks = "mapping"\n'


def plan(text: str) -> Plan:
    return plan_experiment(parse_experiment(text, "sweep.toml", "sweep"))


def test_the_product_goes_to_whoever_knows_a_setting() -> None:
    text = HEAD + "seeds = 2\n[settings]\nsolver.aux = [5, 10]\nepochs = [1, 2]\nbatch = 16\n"
    found = plan(text)
    assert found.axes == {
        "solver": ["mlp", "satnet"], "task": ["mapping"], "solver.aux": [5, 10], "epochs": [1, 2],
    }  # fmt: skip
    cells = [each.cell for each in found]
    assert [(c.solver, c.options, c.training["epochs"]) for c in cells] == [
        ("mlp", {}, 1), ("mlp", {}, 2),
        ("satnet", {"aux": 5}, 1), ("satnet", {"aux": 5}, 2),
        ("satnet", {"aux": 10}, 1), ("satnet", {"aux": 10}, 2),
    ]  # fmt: skip
    assert {c.training["batch"] for c in cells} == {16}
    assert cells[0].varied == {"solver": "mlp", "task": "mapping", "solver.aux": None, "epochs": 1}
    assert [c.number for c in cells] == list(range(6))
    assert "baseline" not in cells[0].roles  # it is the baseline itself
    assert found.at_most == 6 * 4 * 2


def test_entries_with_settings_and_names() -> None:
    text = """
solvers = [{ solver = "satnet", options = { aux = 5 } }, { solver = "satnet", name = "as it is" }]
tasks = [{ task = "sudoku", settings = { size = 4, givens = [6, 8] } }, { task = "sudoku", name = "other" }]
perceptions = [{ perception = "mlp", options = { hidden = 8 }, name = "small" }, "lenet"]
"""
    found = plan(text)
    assert found.axes["solver"] == ["satnet[aux=5]", "as it is"]
    assert found.axes["task"] == ["sudoku[size=4,givens=6 8]", "other"]
    assert found.axes["perception"] == ["small", "lenet"]
    [first, *_] = found
    assert first.cell.settings["givens"] == (6, 8)
    assert (first.cell.perception, first.cell.task) == ("mlp (hidden=8)", "sudoku[size=4,givens=6 8]")
    assert first.suite.runs[0].label == first.cell.task


def test_one_value_that_is_a_sequence_is_a_list_in_a_list() -> None:
    [each] = plan('solvers = "mlp"\ntasks = "mapping"\n[settings]\nbijection = [[1, 0]]\nsymbols = 2\n')
    assert each.cell.settings["bijection"] == (1, 0)


def test_combinations_have_the_rest_from_the_whole() -> None:
    text = """
tasks = "mapping"
settings = { epochs = 3 }
[[combination]]
name = "naive"
solver = "satnet"
[[combination]]
name = "configured"
solver = "satnet"
settings = { aux = [20, 50], epochs = 5 }
[[combination]]
solver = "mlp"
[[published]]
where = { combination = "naive" }
figure = "task"
value = 0.1
source = "a paper"
"""
    found = plan(text)
    cells = [each.cell for each in found]
    assert [c.varied["combination"] for c in cells] == ["naive", "configured", "configured", "mlp"]
    assert [c.training["epochs"] for c in cells] == [3, 5, 5, 3]
    assert [c.options for c in cells] == [{}, {"aux": 20}, {"aux": 50}, {}]
    assert found.published[0].where == {"combination": "naive"}
    alike = 'tasks = "mapping"\n' + "".join(
        f'[[combination]]\nsolver = "satnet"\nsettings = {{ aux = {aux} }}\n' for aux in (5, 10)
    )
    assert plan(alike).axes == {"solver": ["satnet"], "task": ["mapping"], "aux": [5, 10]}


def test_seeds_and_roles() -> None:
    decided = plan(HEAD + 'max-seeds = 5\nroles = ["ceiling", "grounding"]')
    assert decided.seeds == (2, 5)
    [first, *_] = decided
    assert (first.suite.fixed, first.suite.seeds, first.suite.roles) == (False, 5, ("grounding", "ceiling"))
    [first, *_] = plan(HEAD + "seeds = 10")
    assert (first.suite.fixed, first.suite.seeds) == (True, 10)
    assert first.suite.next_seeds(first.suite.runs[0]) == range(10)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('tasks = "mapping"', "sweep.toml: solvers: name what it runs: solvers = [...]"),
        (
            'solvers = ["mlp",\n"satnt"]\ntasks = "mapping"',
            "line 2: solvers[1]: unknown solver 'satnt': did you",
        ),
        ('solvers = "mlp"\ntasks = ["mapping", "mapping"]', "line 2: tasks[1]: 'mapping' is there already"),
        ('solvers = "mlp"\ntasks = "mappin"', "line 2: tasks: unknown task 'mappin': did you mean mapping"),
        ('solvers = "mlp"\ntasks = [{ name = "a" }]', "line 2: tasks[0]: name a task, or a file of puzzles"),
        (
            'solvers = "mlp"\ntasks = [{ task = "sudoku", settings = { sise = 9 } }]',
            "line 2: tasks[0]: sudoku has no setting 'sise'",
        ),
        (HEAD + 'images = "mnst"', "line 3: images: unknown image set 'mnst': did you mean mnist"),
        (HEAD + 'perceptions = "lnet"', "line 3: perceptions: unknown perception 'lnet': did you mean lenet"),
        (HEAD + "[settings]\naxu = [1, 2]", "line 4: settings.axu: unknown setting 'axu': did you mean aux"),
        (HEAD + "[settings]\nbad.aux = 1", "line 4: settings.bad: unknown setting 'bad'"),
        (HEAD + "[settings]\naux = [5,\n'ten']", "line 5: settings.aux[1]: aux='ten': it is a whole number"),
        (
            HEAD + "[settings]\nepochs = [1, 0]",
            "line 4: settings.epochs[1]: epochs=0: it is a whole number of",
        ),
        (HEAD + "[settings]\nepochs = []", "line 4: settings.epochs: no value: give one"),
        (HEAD + "[settings]\nepochs = [2, 2]", "line 4: settings.epochs[1]: 2 is there already"),
        (HEAD + "[settings]\nepochs = 2026-11-27", "line 4: settings.epochs: 2026-11-27 is a date"),
        (HEAD + 'seeds = "until"', "line 3: seeds: 'until': it is a number, or \"until decided\""),
        (HEAD + "seeds = 2\nmax-seeds = 3", 'line 4: max-seeds: it stands beside seeds = "until decided"'),
        (HEAD + 'roles = ["grounding"]', "line 3: roles: a verdict rests on grounding and ceiling: add ceil"),
        (HEAD + 'roles = ["celing"]', "line 3: roles[0]: no role 'celing': did you mean ceiling?"),
        (
            HEAD + '[[published]]\nwhere = { solver = "mpl" }\nfigure = "task"\nvalue = 1\nsource = "a"',
            "line 4: published[0].where.solver: no solver 'mpl': did you mean mlp?",
        ),
        (
            HEAD + '[[published]]\nwhere = { sover = "mlp" }\nfigure = "task"\nvalue = 1\nsource = "a"',
            "line 4: published[0].where.sover: nothing varies that is called so: did you mean solver?",
        ),
        (
            HEAD + '[[published]]\nfigure = "tsk"\nvalue = 1\nsource = "a"',
            "line 4: published[0].figure: no figure 'tsk': did you mean task?",
        ),
        (
            'tasks = "mapping"\n[[combination]]\nsolver = "mlp"\n[[combination]]\nsettings = { aux = 1 }',
            "line 4: combination[1]: name what it runs: solvers = [...]",
        ),
    ],
)
def test_what_cannot_be_meant_is_told_by_its_line(text: str, told: str) -> None:
    with pytest.raises(UsageError) as raised:
        list(plan(text))
    assert str(raised.value).removeprefix("sweep.toml, ").startswith(told)


def test_a_million_trials_are_counted_without_making_them() -> None:
    values = [list(range(1, 1 + count)) for count in (100, 100, 25)]
    text = 'solvers = "satnet"\ntasks = "mapping"\nseeds = 1\n[settings]\nm = {}\naux = {}\nepochs = {}\n'
    began = time.process_time()
    found = plan(text.format(*values))
    assert (len(found), found.at_most) == (250_000, 1_000_000)
    assert found[0].cell.options == {"m": 1, "aux": 1}
    assert found[249_999].cell.varied == {
        "solver": "satnet", "task": "mapping", "m": 100, "aux": 100, "epochs": 25,
    }  # fmt: skip
    assert found[26].cell.varied["aux"] == 2
    with pytest.raises(IndexError):
        _ = found[250_000]
    assert time.process_time() - began < 5


def test_boards_of_a_file_take_the_place_of_the_tasks(boards: Path) -> None:
    experiment = parse_experiment('solvers = "mlp"\ntasks = ["mapping", "sudoku"]', "sweep.toml", "sweep")
    [each] = plan_experiment(experiment, puzzles=boards)
    assert (each.cell.task, each.cell.reference) == (
        "boards.csv",
        "groundcheck.datasets.boards.task:FileBoards",
    )
    named = parse_experiment('solvers = "mlp"\n[[combination]]\ntask = "mapping"', "sweep.toml", "sweep")
    with pytest.raises(UsageError, match=r"line 3: combination\[0\].task: boards of a file take the place"):
        plan_experiment(named, puzzles=boards)


def test_a_file_names_boards_that_lie_beside_it(boards: Path) -> None:
    file = boards.parent / "sweep.toml"
    file.write_text('solvers = "mlp"\ntasks = ["mapping", { puzzles = "boards.csv", name = "mine" }]\n')
    found = plan_experiment(find_experiment(str(file)))
    assert found.axes["task"] == ["mapping", "mine"]


def test_from_python() -> None:
    found = plan_experiment(
        Experiment(
            solvers=[SolverSpec("satnet", {"aux": 5}), "mlp"],
            tasks=[Sudoku(size=4)],
            settings={"epochs": [1, 2]},
        )
    )
    assert found.axes == {"solver": ["satnet[aux=5]", "mlp"], "task": ["sudoku"], "epochs": [1, 2]}
    with pytest.raises(UsageError, match=r"^settings\.axu: unknown setting 'axu'"):
        plan_experiment(Experiment(solvers=["satnet"], tasks=["mapping"], settings={"axu": 5}))


def test_the_matrix_has_every_solver_of_the_catalogue() -> None:
    assert set(find_experiment("solvers").solvers) == set(SOLVERS.ours)
    assert {"mapping", "sudoku"} <= set(TASKS.ours)


def test_a_solver_of_a_users_own_with_options(tmp_path: Path) -> None:
    (tmp_path / "mine_in_experiments.py").write_text(
        "from groundcheck.solvers.neural import MLP\n"
        "class Mine(MLP):\n"
        "    def __init__(self, problem, *, wide: int = 8):\n"
        "        super().__init__(problem, hidden=wide)\n"
    )
    named = f"{tmp_path / 'mine_in_experiments.py'}:Mine"
    text = (
        f'solvers = {{ solver = "{named}", options = {{ wide = 16 }}, name = "mine" }}\ntasks = "mapping"\n'
    )
    found = parse_experiment(text, "sweep.toml", "sweep")
    assert found.named == [named]
    [each] = plan_experiment(found)
    assert (each.cell.solver, each.cell.options, each.cell.varied["solver"]) == (named, {"wide": 16}, "mine")
    with pytest.raises(UsageError, match=r"line 2: solvers: .*mine_in_experiments.py:Other"):
        plan_experiment(parse_experiment("\n" + text.replace(":Mine", ":Other"), "sweep.toml", "sweep"))
