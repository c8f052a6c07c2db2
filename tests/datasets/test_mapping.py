import numpy as np
import pytest

from groundcheck.datasets.mapping import Mapping


def test_the_bijection_is_drawn_from_the_seed_unless_it_is_fixed() -> None:
    drawn = {Mapping().drawn(seed).bijection for seed in range(5)}
    assert len(drawn) == 5
    assert Mapping().drawn(3) == Mapping().drawn(3)
    assert Mapping(bijection="identity").drawn(3).bijection == "identity"


def test_solutions_of_the_rules_are_the_pairs_of_the_bijection() -> None:
    task = Mapping(symbols=5).drawn(1)
    found = sorted(tuple(solution.tolist()) for solution in task.problem.solutions())
    assert found == list(enumerate(task.bijection))


def test_puzzles_keep_the_rules_and_the_verifier_refuses_every_other_output() -> None:
    task = Mapping(symbols=4).drawn(2)
    puzzles = task.generate("train", 50, 0)
    assert task.verify(puzzles.solution).all()
    every = np.array([(a, b) for a in range(4) for b in range(4)])
    assert task.verify(every).sum() == 4
    assert puzzles.given[:, 0].all()
    assert not puzzles.given[:, 1].any()


def test_splits_and_seeds_share_no_stream() -> None:
    task = Mapping(bijection="identity")
    drawn = [
        tuple(task.generate(split, 40, seed).picture[:, 0].tolist())
        for split in ("train", "validation", "test")
        for seed in (0, 1)
    ]
    assert len(set(drawn)) == 6
    assert not set(drawn[0]) & set(drawn[1])
    assert drawn[0][1:] != drawn[1][:-1]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"symbols": 11}, "2 to 10"),
        ({"symbols": 3, "bijection": (0, 1)}, "name each of 0 to 2 once"),
        ({"bijection": "random"}, "identity"),
        ({"seen": "letters"}, "images or symbols"),
        ({"supervision": "some"}, "masked or leaky"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Mapping(**settings)
