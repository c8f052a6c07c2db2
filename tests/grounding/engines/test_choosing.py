"""From the name of an engine to the engine, and what is said where it cannot be had."""

import sys
from pathlib import Path

import pytest

from groundcheck.datasets.errors import UnknownNameError, UsageError
from groundcheck.grounding.engines.children import Limits
from groundcheck.grounding.engines.choosing import EngineOptions, engine_named, parse_options
from groundcheck.grounding.engines.engine import Engine
from groundcheck.grounding.engines.processes import Processes
from groundcheck.grounding.engines.ray import Ray, home_of
from groundcheck.grounding.engines.slurm import Slurm

OWN = """
class Own:
    name = "own"

    def open(self):
        raise RuntimeError("somewhere else")


def nothing():
    return 3
"""


def test_every_engine_hears_of_its_options(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the extra ray is not installed")
    pytest.importorskip("submitit", reason="the extra slurm is not installed")
    limits = Limits(60.0)
    assert engine_named("processes", EngineOptions(slots=3, limits=limits)) == Processes(3, None, limits)
    cluster = EngineOptions(address="head:6379", slots=4, gpus=0.25, carry=(tmp_path,), limits=limits)
    assert engine_named("ray", cluster) == Ray("head:6379", 4, 1, 0.25, limits, None, (tmp_path,))
    jobs = EngineOptions(slots=16, folder=tmp_path, partition="gpu", minutes=60, executor="local")
    wanted = Slurm(16, tmp_path, "gpu", 60, executor="local")
    assert engine_named("slurm", jobs) == wanted
    for name in ("processes", "ray", "slurm"):
        assert isinstance(engine_named(name), Engine)
        assert engine_named(name).name == name


def test_options_as_a_user_writes_them() -> None:
    words = ["address=head:6379", "gpus=0.25", "carry=a", "carry=b/c.py", "cpus=2"]
    wanted = EngineOptions(
        slots=3, address="head:6379", gpus=0.25, cpus=2.0, carry=(Path("a"), Path("b/c.py")), plugins=("m:S",)
    )
    assert parse_options(words, slots=3, plugins=["m:S"]) == wanted
    assert parse_options([]) == EngineOptions()
    for word, hint in (
        ("adress=head", "did you mean address=…"),
        ("address", "did you mean address=…"),
        ("zzz=3", "it is NAME=VALUE, of address, cpus"),
        ("minutes=long", "minutes is a number"),
    ):
        with pytest.raises(UsageError, match=f"--on {word}: {hint}"):
            parse_options([word])


def test_what_no_engine_is_called() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown engine 'slrum': did you mean slurm\?"):
        engine_named("slrum")


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("processes", EngineOptions(address="head:6379"), "address is for engine ray: leave it out"),
        ("processes", EngineOptions(cpus=2), "cpus is for engine ray or slurm"),
        ("ray", EngineOptions(partition="gpu"), "partition is for engine slurm"),
    ],
)
def test_an_option_of_another_engine(name: str, options: EngineOptions, words: str) -> None:
    with pytest.raises(UsageError, match=f"engine {name}: {words}"):
        engine_named(name, options)


@pytest.mark.parametrize(("name", "module"), [("ray", "ray"), ("slurm", "submitit")])
def test_an_engine_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, name: str, module: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=rf"engine {name} needs .*pip install 'groundcheck\[{name}\]'"):
        engine_named(name)


def test_an_engine_of_a_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_engine.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert engine_named("own_engine:Own").name == "own"
    assert engine_named(f"{tmp_path}/own_engine.py:Own").name == "own"
    with pytest.raises(UsageError, match="is of type int: it needs a name, and open"):
        engine_named("own_engine:nothing")
    with pytest.raises(UsageError, match="address is for engine ray"):
        engine_named("own_engine:Own", EngineOptions(address="head:6379"))


def test_the_working_directory_travels_where_something_of_a_users_lies_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_engine_2.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("own_engine_2.py:Own", f"{tmp_path}/own_engine_2.py:Own", "own_engine_2:Own"):
        assert home_of([name]) == tmp_path
    for name in ("satnet", "torch.nn:Linear", "/elsewhere/own.py:Own", "not_there:Own"):
        assert home_of([name]) is None
