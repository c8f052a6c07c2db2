"""An experiment as a file: what it says, and what it cannot mean, told by key and line."""

from pathlib import Path

import pytest

from groundcheck.datasets.errors import UnknownNameError, UsageError
from groundcheck.grounding.experiments.catalogue import shipped
from groundcheck.grounding.experiments.experiment import SolverEntry
from groundcheck.grounding.experiments.file import find_experiment, parse_experiment

from .tiny import written


def test_what_a_file_says() -> None:
    text = 'solvers = ["mlp", { solver = "satnet", options = { aux = 50 } }]\ntasks = "mapping"\nseeds = 3\n'
    found = parse_experiment(text, "sweep.toml", "sweep")
    assert found.solvers == ["mlp", SolverEntry(solver="satnet", options={"aux": 50})]
    assert (found.name, found.tasks, found.images) == ("sweep", "mapping", "digits")
    assert (found.until_decided, found.at_most) == (False, 3)
    decided = parse_experiment("max-seeds = 4", "sweep.toml", "sweep")
    assert (decided.until_decided, decided.at_most) == (True, 4)
    assert parse_experiment('name = "a sweep"', "sweep.toml", "sweep").name == "a sweep"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('\nsolver = "mlp"', "line 2: solver: unknown key: did you mean solvers?"),
        ("sedes = 3", "line 1: sedes: unknown key: did you mean seeds?"),
        ("qqq = 3", "line 1: qqq: unknown key: known are name, about, solvers, tasks, images"),
        ("solvers = 3", "line 1: solvers: text or a table or a list is expected, not 3"),
        ('solvers = [\n"mlp",\n3]', "line 3: solvers[1]: text or a table is expected, not 3"),
        (
            'solvers = [\n"mlp",\n{ solver = "satnet", opts = { aux = 5 } }]',
            "line 3: solvers[1].opts: unknown key: did you mean options?",
        ),
        ("tasks = [{ task = 'sudoku', setting.size = 9 }]", "line 1: tasks[0].setting: unknown key"),
        ("perceptions = [{ weights = 'a' }]", "line 1: perceptions[0].weights: unknown key: known are"),
        ("seeds = 0", "line 1: seeds: 0: it takes at least 1"),
        ("seeds = true", "line 1: seeds: a whole number or text is expected, not True"),
        ("max-seeds = 1.5", "line 1: max-seeds: a whole number is expected, not 1.5"),
        ("settings = [1]", "line 1: settings: a table is expected, not [1]"),
        ("roles = 'ceiling'", "line 1: roles: a list is expected, not 'ceiling'"),
        ("[combination]\nsolver = 'mlp'", "line 1: combination: each begins with a line [[combination]]"),
        ("[[combination]]\n[combination.seting]\naux = 1", "line 2: combination[0].seting: unknown key"),
        (
            '[[published]]\nfigure = "task"\nvalue = 0.5\nsource = "a"\n\n[[published]]\nfigure = "task"\n'
            'value = 72.1\nsource = "a"',
            "line 8: published[1].value: 72.1 is no fraction between 0 and 1: 72.1 % is written 0.721",
        ),
        ('[[published]]\nfigure = "task"\nvalue = 0.7', "line 1: published[0]: source is missing"),
        ("origin = 3", "line 1: origin: unknown key"),
        ("solvers = [", "is no TOML: Invalid value (at end of document)"),
    ],
)
def test_what_does_not_fit_is_told_by_its_line(text: str, told: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_experiment(text, "sweep.toml", "sweep")
    assert str(raised.value).startswith(f"sweep.toml{' ' if 'no TOML' in told else ', '}{told}")


def test_files_and_names(tmp_path: Path) -> None:
    assert find_experiment(str(written(tmp_path))).name == "tiny"
    with pytest.raises(UsageError, match=r"nowhere.toml cannot be read: No such file or directory"):
        find_experiment("nowhere.toml")
    with pytest.raises(UnknownNameError, match=r"no experiment 'solver': .* did you mean solvers"):
        find_experiment("solver")
    with pytest.raises(UnknownNameError, match="these ship with the package: half-evenodd, mapping-conf"):
        find_experiment("qqq")
    (tmp_path / "latin.toml").write_bytes('name = "é"'.encode("latin-1"))
    with pytest.raises(UsageError, match="it is not written in UTF-8"):
        find_experiment(str(tmp_path / "latin.toml"))


def test_those_that_ship_can_be_read() -> None:
    assert shipped() == [
        "half-evenodd", "mapping-configurations", "solvers", "visual-sudoku", "visual-sudoku-9x9",
    ]  # fmt: skip
    for name in shipped():
        found = find_experiment(name)
        assert found.name == name
        assert found.about.endswith((".", "?"))
        assert all(each.source for each in found.published)
