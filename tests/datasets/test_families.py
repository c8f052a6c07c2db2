"""What every family of tasks promises, held against every family."""

import itertools
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pysat.solvers import Solver as SatSolver

from groundcheck.datasets.addition import Addition
from groundcheck.datasets.catalogue import TASKS
from groundcheck.datasets.certify import certify
from groundcheck.datasets.futoshiki import Futoshiki
from groundcheck.datasets.latin import Latin
from groundcheck.datasets.logic import Logic
from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.pair_sum import EvenOdd, Half
from groundcheck.datasets.parity import Parity
from groundcheck.datasets.queens import Queens
from groundcheck.datasets.search.visudo import corrupt
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.datasets.task import BLOCK, SPLITS, as_order, as_split, textual
from groundcheck.datasets.visudo import ViSudo

# Puzzles enough for splits that share no puzzle.
LARGE = [
    Sudoku(),
    Sudoku(size=4, givens="6:8", permuted=True),
    Sudoku(size=6, difficulty="singles"),
    Sudoku(size=9),
    Sudoku(size=9, givens="26:30", difficulty="search", seen="symbols"),
    Latin(),
    Latin(size=4, givens=8),
    Futoshiki(),
    Futoshiki(size=4, marks=0.6),
    Queens(),
    Queens(size=10),
    Addition(digits=2),
    Addition(digits=15),
    Parity(length=12),
    Parity(length=40),
    Logic(),
    ViSudo(),
    ViSudo(size=9),
    ViSudo(strategy="split").drawn(1),
    ViSudo(strategy="puzzle"),
    ViSudo(strategy="cell"),
    ViSudo(strategy="transfer").drawn(2),
]
# Few puzzles, but the ood split has others.
FEW = [
    Addition(),
    EvenOdd(),
    Half(),
    Parity(length=2),
    Parity(),
    Parity(length=7),
    Logic(variables=6, clauses=8),
    Logic(variables=11, clauses=30),
    Logic(variables=3, clauses=2, width=2),
]
# As many puzzles as symbols: the splits differ in their images alone, the ood split in how those lean.
TINY_TASK = [Mapping().drawn(0), Mapping(symbols=3, bijection="identity")]
ALL = [*LARGE, *FEW, *TINY_TASK]

tasks = st.sampled_from(ALL)
splits = st.sampled_from(SPLITS)
seeds = st.integers(0, 2**70)
quick = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def contents(puzzles) -> set[bytes]:
    """What is given of each puzzle."""
    return {row.tobytes() for row in np.where(puzzles.given, puzzles.solution, -1).astype(np.int8)}


def allowed(task, rows) -> list[bool]:
    """Whether the CNF admits each row."""
    problem = task.problem
    with SatSolver(name="minisat22", bootstrap_with=problem.rules) as solver:
        return [solver.solve(assumptions=problem.assumptions(row.tolist())) for row in rows]


def test_every_family_of_the_catalogue_is_held_to_this() -> None:
    ours = {name for name, entry in TASKS.entries().items() if entry.value.startswith("groundcheck.")}
    assert ours == {task.name for task in ALL}
    assert all(TASKS.load(task.name) is type(task) for task in ALL)


@quick
@given(task=tasks, split=splits, seed=seeds, size=st.integers(0, 40))
def test_the_same_three_give_the_same_puzzles(task, split, seed, size) -> None:
    first, second = (replace(task).generate(split, size, seed) for _ in range(2))
    assert len(first) == size
    assert np.array_equal(first.solution, second.solution)
    assert np.array_equal(first.given, second.given)
    assert np.array_equal(first.picture, second.picture)


@quick
@given(task=tasks, split=splits, seed=seeds)
def test_puzzles_keep_the_rules_and_say_what_is_shown(task, split, seed) -> None:
    puzzles = task.generate(split, 20, seed)
    assert task.verify(puzzles.solution).all()
    assert task.problem.legal[np.arange(puzzles.solution.shape[1]), puzzles.solution].all()
    assert (~puzzles.given).any(axis=1).all()
    shown = puzzles.picture >= 0
    assert shown.any(axis=1).all()
    assert not (shown & ~puzzles.given).any()
    hidden = [v for v in range(shown.shape[1]) if not shown[:, v].any() and puzzles.given[:, v].all()]
    assert set(hidden) <= set(task.layout.frameless)  # only marks are given without a picture


@quick
@given(task=tasks, split=splits, seed=seeds)
def test_every_puzzle_has_one_completion(task, split, seed) -> None:
    assert certify(task, task.generate(split, 15, seed)).holds


@quick
@given(task=tasks, seed=st.integers(0, 2**31), split=splits)
def test_seeds_and_splits_share_no_stream(task, seed, split) -> None:
    own = task.generate(split, 30, seed)
    draws = set(own.picture[own.picture >= 0].tolist())
    for other_split, other_seed in ((split, seed + 1), (SPLITS[(SPLITS.index(split) + 1) % 4], seed)):
        other = task.generate(other_split, 30, other_seed)
        again = set(other.picture[other.picture >= 0].tolist())
        assert len(draws & again) <= 1  # of 2³¹ pictures
        assert not np.array_equal(own.picture[1:], other.picture[:-1])


@quick
@given(task=st.sampled_from(LARGE), seeds=st.tuples(seeds, seeds, seeds, seeds))
def test_large_families_have_disjoint_splits_for_any_seeds(task, seeds) -> None:
    found = [contents(task.generate(split, 150, seed)) for split, seed in zip(SPLITS, seeds, strict=True)]
    assert all(found)
    for one, other in itertools.combinations(found, 2):
        assert not one & other


@pytest.mark.parametrize("task", FEW, ids=str)
def test_small_families_have_an_ood_split_of_other_puzzles(task) -> None:
    usual = set.union(*(contents(task.generate(split, 300, 0)) for split in SPLITS[:3]))
    unusual = contents(task.generate("ood", 300, 0))
    assert unusual
    assert not usual & unusual


@quick
@given(task=tasks, seed=seeds)
def test_verifier_and_rules_agree_on_right_and_wrong_rows(task, seed) -> None:
    rng = np.random.default_rng(seed)
    solution = task.generate("test", 4, seed).solution.astype(np.int64)
    domains = np.asarray(task.problem.domains)
    rows = [solution, rng.integers(domains, size=(4, len(domains)))]
    for changed in (1, 1, 2):
        wrong = solution.copy()
        for row in wrong:
            at = rng.choice(len(domains), size=changed, replace=False)
            row[at] = rng.integers(domains[at])
        rows.append(wrong)
    swapped = solution.copy()
    swapped[:, [0, 1]] = swapped[:, [1, 0]]
    rows.append(np.minimum(swapped, domains - 1))
    every = np.concatenate(rows)
    assert task.verify(every).tolist() == allowed(task, every)


@quick
@given(task=tasks, seed=seeds)
def test_models_of_the_rules_verify(task, seed) -> None:
    rng = np.random.default_rng(seed)
    problem = task.problem
    solution = task.generate("train", 1, seed).solution[0].astype(np.int64)
    opened = np.where(rng.random(len(solution)) < 0.5, solution, -1)
    with SatSolver(name="minisat22", bootstrap_with=problem.rules) as solver:
        for _ in range(8):
            if not solver.solve(assumptions=problem.assumptions(opened.tolist())):
                break
            model = problem.decode(solver.get_model())
            assert task.verify(model[None]).all()
            solver.add_clause([-literal for literal in problem.assumptions(model.tolist())])


@pytest.mark.parametrize(
    ("task", "count"),
    [
        (Mapping().drawn(0), 10),
        (Latin(size=3), 12),
        (Queens(size=7), 40),
        (Addition(), 100),
        (EvenOdd(), 100),
        (Half(), 25),
        (Parity(length=2), 4),
        (Parity(length=7), 128),
        (Logic(variables=6, clauses=8), 64),
    ],
    ids=str,
)
def test_verifier_accepts_exactly_the_models_of_the_rules(task, count) -> None:
    every = np.array(list(itertools.product(*map(range, task.problem.domains))))
    accepted = {tuple(row) for row in every[task.verify(every)].tolist()}
    models = {tuple(row.tolist()) for row in task.problem.solutions()}
    assert len(accepted) == count
    assert accepted == models


@pytest.mark.parametrize(
    ("task", "count"),
    [(Sudoku(), 288), (Sudoku(permuted=True), 288), (Latin(size=4), 576), (Queens(size=8), 92)],
    ids=str,
)
def test_the_rules_have_as_many_solutions_as_is_known(task, count) -> None:
    assert sum(1 for _ in task.problem.solutions()) == count


def test_verifiers_of_small_boards_accept_exactly_what_brute_force_finds() -> None:
    """Every board of four rows that hold each symbol once: 24⁴ of them."""
    rows = np.array(list(itertools.permutations(range(4))), dtype=np.int8)
    every = rows[np.array(list(itertools.product(range(24), repeat=4)))].reshape(-1, 16)
    square = every.reshape(-1, 4, 4)
    columns = np.array([len({*column}) == 4 for column in itertools.product(range(4), repeat=4)])
    code = np.array([64, 16, 4, 1])
    latin = columns[np.einsum("nrc,r->nc", square, code)].all(axis=1)
    blocks = square.reshape(-1, 2, 2, 2, 2).transpose(0, 1, 3, 2, 4).reshape(-1, 4, 4)
    right = latin & columns[blocks @ code].all(axis=1)
    assert (latin.sum(), right.sum()) == (576, 288)
    assert np.array_equal(Latin(size=4).verify(every), latin)
    assert np.array_equal(Sudoku().verify(every), right)
    labelled = [np.concatenate([every, np.full((len(every), 1), label, np.int8)], axis=1) for label in (0, 1)]
    assert np.array_equal(ViSudo().verify(labelled[1]), right)
    assert np.array_equal(ViSudo().verify(labelled[0]), ~right)


@quick
@given(seed=seeds, changed=st.integers(0, 3))
def test_the_9x9_verifier_agrees_with_sets(seed, changed) -> None:
    rng = np.random.default_rng(seed)
    board = Sudoku(size=9).generate("test", 1, seed).solution[0].copy()
    one, other = rng.integers(81, size=(2, changed))
    board[one], board[other] = board[other].copy(), board[one].copy()
    square = board.reshape(9, 9)
    lines = [*square, *square.T, *(square[r : r + 3, c : c + 3] for r in (0, 3, 6) for c in (0, 3, 6))]
    right = all({*line.ravel().tolist()} == {*range(9)} for line in lines)
    assert Sudoku(size=9).verify(board[None])[0] == right
    assert ViSudo(size=9).verify(np.append(board, np.int8(1))[None])[0] == right


def test_rules_of_addition_grow_with_the_digits_and_not_with_the_sums() -> None:
    sizes = [len(Addition(digits=digits).problem.rules.clauses) for digits in (5, 10, 15)]
    assert sizes[1] - sizes[0] == sizes[2] - sizes[1] < 3000


def test_sudoku_of_sixteen_symbols_is_certified_too() -> None:
    task = Sudoku(size=16)
    puzzles = task.generate("train", 5, 0)
    assert task.verify(puzzles.solution).all()
    assert certify(task, puzzles).holds
    assert max(task.classes) == 15


def test_blocks_make_up_the_whole() -> None:
    task = Sudoku()
    size = 2 * BLOCK + 10
    whole = task.generate("train", size, 5)
    parts = [task.block("train", size, 5, block) for block in range(3)]
    assert [len(part) for part in parts] == [BLOCK, BLOCK, 10]
    assert np.array_equal(whole.solution, np.concatenate([part.solution for part in parts]))
    assert not np.array_equal(parts[0].solution[:10], parts[2].solution)


def test_a_negative_size_or_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="size=-1"):
        Sudoku().generate("train", -1, 0)
    with pytest.raises(ValueError, match="seed -1"):
        Sudoku().generate("train", 1, -1)


def test_the_textual_control_has_the_same_puzzles() -> None:
    task = Sudoku()
    assert np.array_equal(
        task.generate("test", 20, 0).solution, textual(task).generate("test", 20, 0).solution
    )


@pytest.mark.parametrize("task", ALL, ids=str)
def test_the_layout_has_a_place_of_its_own_for_every_variable(task) -> None:
    layout = task.layout
    assert len(layout.places) == len(task.problem.variables) == len(set(layout.places))
    assert all(
        0 <= row <= layout.rows - 1 and 0 <= column <= layout.columns - 1 for row, column in layout.places
    )


# What the ood split of each family is about.


def test_grids_and_queens_have_fewer_givens_out_of_distribution() -> None:
    for task in (Sudoku(), Sudoku(size=9), Latin(), Queens(), Futoshiki()):
        usual = task.generate("train", 200, 0).given.sum(axis=1)
        assert task.generate("ood", 200, 0).given.sum(axis=1).max() < usual.min()


def test_ood_additions_put_digits_above_each_other_that_training_never_does() -> None:
    task = Addition(digits=3)
    train, ood = (task.generate(split, 2000, 0).solution for split in ("train", "ood"))
    pairs = [{*zip(s[:, :3].ravel().tolist(), s[:, 3:6].ravel().tolist(), strict=True)} for s in (train, ood)]
    assert len(pairs[0]) == 80
    assert len(pairs[1]) == 20
    assert not pairs[0] & pairs[1]


def test_ood_parity_chains_have_more_ones() -> None:
    task = Parity(length=20)
    assert task.generate("train", 500, 0).solution[:, :20].sum(axis=1).max() < 15
    assert task.generate("ood", 500, 0).solution[:, :20].sum(axis=1).min() >= 15


def test_ood_pairs_of_evenodd_are_all_the_others() -> None:
    task = EvenOdd()
    train, ood = (
        {*map(tuple, task.generate(split, 2000, 0).solution[:, :2].tolist())} for split in ("train", "ood")
    )
    assert len(train) == 16
    assert len(ood) == 84
    assert all(a % 2 == b % 2 for a, b in train)


def test_unsatisfied_formulas_are_near_misses_out_of_distribution() -> None:
    task = Logic()
    rows = task.generate("ood", 300, 0).solution
    broken = sum(
        ~(rows[:, np.abs(clause) - 1] == (np.array(clause) > 0)).any(axis=1) for clause in task.cnf[1]
    )
    assert 0.4 < (rows[:, -1] == 1).mean() < 0.6
    assert set(broken[rows[:, -1] == 0].tolist()) == {1}


def test_few_assignments_are_held_out_where_there_are_more_than_one_of_a_kind() -> None:
    task = Logic(variables=6, clauses=8)
    train, ood = (contents(task.generate(split, 2000, 0)) for split in ("train", "ood"))
    every = np.array(list(itertools.product((0, 1), repeat=6)))
    satisfied = np.all(
        [(every[:, np.abs(c) - 1] == (np.array(c) > 0)).any(axis=1) for c in task.cnf[1]], axis=0
    )
    assert not train & ood
    assert len(train | ood) == 64  # nothing is left out of both
    labels = task.generate("ood", 2000, 1).solution[:, -1]
    assert 0.4 < labels.mean() < 0.6
    shown = {row[:-1] for row in ood}
    right = {row.astype(np.int8).tobytes() for row in every[satisfied]}
    assert len(shown & right) == satisfied.sum() // 4
    assert contents(task.generate("ood", 50, 2**90)) <= ood


def test_the_only_assignment_of_its_kind_is_in_every_split(tmp_path) -> None:
    path = tmp_path / "rules.cnf"
    path.write_text("p cnf 2 2\n1 0\n2 0\n")  # (1, 1) satisfies both; (0, 0) breaks two
    rows = {split: Logic(file=str(path)).generate(split, 200, 0).solution for split in SPLITS}
    for found in rows.values():
        assert {*map(tuple, found[found[:, -1] == 1].tolist())} == {(1, 1, 1)}
    wrong = {split: {*map(tuple, found[found[:, -1] == 0].tolist())} for split, found in rows.items()}
    assert len(wrong["ood"]) == 1
    assert wrong["ood"] < {(0, 1, 0), (1, 0, 0)}  # a near miss
    assert wrong["train"] == wrong["test"] == {(0, 1, 0), (1, 0, 0), (0, 0, 0)} - wrong["ood"]


def test_boards_are_corrupted_by_the_recipe() -> None:
    """Half by replacing, half by swapping; at least one, each further one with chance 0.5, at most ten."""
    rng = np.random.default_rng(0)
    order = np.arange(81)
    state = rng.integers(0, 2**63, size=1).astype(np.uint64)
    for swap, cells in ((False, 1), (True, 2)):
        touched: list[int] = []
        for _ in range(4000):
            distinct = np.arange(81, dtype=np.int8)  # so that every swap shows
            corrupt(distinct, 9, np.arange(81), swap, 0.5, order, state)
            touched.append(int((distinct != np.arange(81)).sum()))
            assert not swap or {*distinct.tolist()} == {*range(81)}
        turns = np.bincount(np.array(touched) // cells, minlength=11)
        assert set(touched) <= {*range(cells, 10 * cells + 1, cells)}
        assert np.abs(turns[1:5] / 4000 - 0.5 ** np.arange(1, 5)).max() < 0.03
    boards = ViSudo(size=9).generate("train", 600, 0).solution
    wrong = boards[boards[:, -1] == 0][:, :-1]
    assert 0.4 < len(wrong) / 600 < 0.6
    counts = np.apply_along_axis(np.bincount, 1, wrong, minlength=9)
    assert 0.4 < (counts == 9).all(axis=1).mean() < 0.65  # swaps keep the symbols; so do few replacements


def test_wrong_boards_are_one_swap_from_a_right_one_out_of_distribution() -> None:
    task = ViSudo()
    boards = task.generate("ood", 60, 0).solution
    for board in boards[boards[:, -1] == 0]:
        swapped = np.tile(board, (120, 1))
        for row, (one, other) in zip(swapped, itertools.combinations(range(16), 2), strict=True):
            row[[one, other]] = row[[other, one]]
        swapped[:, -1] = 1
        assert task.verify(swapped).any()


def test_transfer_boards_show_classes_that_training_has_not() -> None:
    task = ViSudo(strategy="transfer").drawn(4)
    classes = np.asarray(task.classes)
    train, test = (
        {*classes[task.generate(s, 50, 0).solution[:, :-1]].ravel().tolist()} for s in ("train", "test")
    )
    assert len(train) == 4
    assert not train & test


# Settings that do not fit are refused in the user's words.


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Sudoku(size=5), "size=5: Sudoku comes in sizes 4, 6, 9, 16"),
        (lambda: Sudoku(givens="9:5"), "givens='9:5': say MIN:MAX with 4 ≤ MIN ≤ MAX ≤ 15"),
        (lambda: Sudoku(givens="few"), "givens='few' is no range"),
        (lambda: Sudoku(givens="5:6:7"), "givens='5:6:7'"),
        (lambda: Sudoku(size=9, givens=17), "givens=17"),
        (lambda: Sudoku(size=9, givens="31.5"), "givens='31.5' is no range"),
        (lambda: Sudoku(size=9, givens="-31:42"), "givens='-31:42' is no range"),
        (lambda: Futoshiki(givens=True), "givens=True is no range"),
        (lambda: Queens(givens=":"), "givens=':' is no range: say MIN:MAX with 2 ≤ MIN ≤ MAX ≤ 7"),
        (lambda: Latin(size=3, difficulty="search"), "singles solve every 3×3 puzzle"),
        (
            lambda: Latin(difficulty="search").generate("train", 1, 0),
            "in 10,000 attempts: allow other givens",
        ),
        (lambda: Futoshiki(marks=0.0, givens=1).generate("train", 1, 0), "allow more givens or more marks"),
        (lambda: Sudoku(difficulty="evil"), "difficulty='evil': it is any, singles, search"),
        (lambda: Sudoku(difficulty="search"), "singles solve every 4×4 puzzle"),
        (lambda: Sudoku(givens=4).generate("ood", 1, 0), "begin at 5 or more"),
        (lambda: Latin(size=2), "size=2: Latin squares come in sizes 3 to 12"),
        (lambda: Futoshiki(size=12), "size=12: futoshiki comes in sizes 3 to 9"),
        (lambda: Futoshiki(marks=2.0), "marks=2.0"),
        (lambda: Queens(size=4), "size=4: boards have 7 to 16 queens"),
        (lambda: Addition(digits=16), "digits=16: numbers have 1 to 15 digits"),
        (lambda: Parity(length=41), "length=41: parity takes 2 to 40 bits"),
        (lambda: Logic(width=0), "width=0"),
        (lambda: Logic(variables=3, clauses=200), "nothing satisfies random formula 0"),
        (
            lambda: Logic(variables=12, clauses=24, width=2),
            "assignments that satisfy it: 2 (train 1, validation 0, test 0, ood 1), but a split needs 16 d",
        ),
        (
            lambda: Logic(variables=12, clauses=1, width=12),
            "assignments that break a clause: 1 (train 0, validation 0, test 1, ood 0), but",
        ),
        (lambda: Logic(variables=0), "variables=0: at least 1"),
        (lambda: Logic(clauses=0), "clauses=0: at least 1"),
        (lambda: Logic(formula=-1), "formula=-1: at least 0"),
        (lambda: ViSudo(size=6), "size=6: boards are 4×4 or 9×9"),
        (lambda: ViSudo(strategy="hard"), "strategy='hard': it is simple, split, puzzle, cell, transfer"),
        (lambda: ViSudo(size=9, strategy="transfer"), "needs 18 classes"),
        (lambda: ViSudo(order=(1, 2)), "name each of 0 to 9 once"),
        (lambda: Mapping(symbols=2, bijection=(True, False)), "name each of 0 to 1 once"),
        (lambda: as_order(5, "bijection", 2), "bijection=5: name each of 0 to 1 once"),
        (lambda: as_order((0, 1.0), "bijection", 2), "bijection=(0, 1.0): name each of 0 to 1 once"),
        (lambda: as_split("exam"), "split 'exam': it is train, validation, test, ood"),
    ],
)
def test_settings_that_do_not_fit_are_refused(build, message) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        build()


def test_an_order_may_be_written_as_a_list() -> None:
    assert as_order([1, 0], "bijection", 2) == (1, 0)


def test_a_range_of_givens_may_be_written_in_any_way() -> None:
    ways = [Sudoku(givens=given) for given in ("6:8", (6, 8))]
    assert len({*ways}) == 1
    assert ways[0].settings["givens"] == (6, 8)
    assert Sudoku(givens=6) == Sudoku(givens="6") == Sudoku(givens=(6, 6))


def test_harder_puzzles_need_search() -> None:
    easy = Sudoku(size=9, givens="26:28", difficulty="singles").generate("train", 20, 0)
    hard = Sudoku(size=9, givens="26:28", difficulty="search").generate("train", 20, 0)
    assert not contents(easy) & contents(hard)


def test_a_permuted_sudoku_hides_the_grid() -> None:
    plain, permuted = Sudoku(), Sudoku(permuted=True)
    assert sorted(plain.problem.variables) == sorted(permuted.problem.variables)
    assert plain.problem.variables != permuted.problem.variables
    solution = permuted.generate("test", 50, 0).solution
    assert permuted.verify(solution).all()
    assert not plain.verify(solution).any()
    assert permuted.layout.places[0] != (0, 0) or permuted.layout.places[1] != (0, 1)


@pytest.mark.parametrize(("task", "count"), [(EvenOdd(), 36), (Half(), 3)], ids=str)
def test_training_sums_leave_as_many_readings_of_the_digits_as_documented(task, count) -> None:
    """Brute force over all maps of the digits; the digits of evenodd fall into two halves."""
    pairs = task.generate("train", 500, 0).solution[:, :2].astype(int)
    found = 1
    for half in (range(0, 10, 2), range(1, 10, 2)) if task.digits == 10 else (range(5),):
        digits = sorted(half)
        maps = np.array(list(itertools.product(range(task.digits), repeat=5)))
        for first, second in {tuple(pair) for pair in pairs.tolist() if pair[0] in half}:
            read = maps[:, digits.index(first)] + maps[:, digits.index(second)]
            maps = maps[read == first + second]
        found *= len(maps)
    assert found == count
