"""What trials amount to, from trials whose figures are known."""

from dataclasses import replace

import pytest

from groundcheck.grounding.checks.finding import Finding
from groundcheck.grounding.checks.trained import Trained, check_trained
from groundcheck.grounding.measures.interventions import Intervention, Interventions
from groundcheck.grounding.measures.metrics import Scores
from groundcheck.grounding.trials.trial import Outcome, Point, Role
from groundcheck.grounding.verdict import Judgement, Verdict


def outcome(role: Role, task: float, aligned: float | None = 0.9, *, seed: int = 0) -> Outcome:
    scores = Scores(
        task=task, board=task, cell=task, unsolved=0.0, read=1.0, puzzles=100, aligned=aligned,
    )  # fmt: skip
    return Outcome(role, "mapping", "some", seed, scores)


def judgement(verdict: Verdict, grounded: int = 3, seeds: int = 4) -> Judgement:
    return Judgement(verdict, grounded, seeds - grounded, seeds, (0.3, 0.95), "told why", "do that")


BROKEN = Outcome("grounding", "mapping", "some", 0, error="Traceback\nValueError: boom")
GOOD = [
    outcome("grounding", 0.8),
    outcome("reasoning", 1.0, None),
    outcome("baseline", 0.3),
    outcome("ceiling", 0.9),
]


def found(
    outcomes: list[Outcome], verdict: Verdict = "GROUNDED", *, symbols_only: bool = False, seeds: int = 4
) -> dict[str, Finding]:
    trained = Trained(judgement(verdict, min(3, seeds), seeds), outcomes, symbols_only)
    return {f.check: f for f in check_trained(trained, "mapping")}


def test_what_is_sound_passes_with_its_figures() -> None:
    checks = found(GOOD)
    assert {name: f.status for name, f in checks.items()} == {
        "grounding": "pass", "reasoning": "pass", "baseline": "pass", "ceiling": "pass",
        "bypass/shuffle": "skip", "bypass/permute": "skip", "bypass/corrupt": "skip",
        "bypass/symbols": "skip", "bypass/copy": "skip", "brought": "skip",
    }  # fmt: skip
    assert (checks["grounding"].figure, checks["grounding"].interval) == (0.75, (0.3, 0.95))
    assert checks["grounding"].reason == "GROUNDED: told why"
    assert (checks["reasoning"].figure, checks["reasoning"].bound) == (1.0, pytest.approx(0.76))
    assert (checks["baseline"].figure, checks["baseline"].bound) == (pytest.approx(0.5), 0.0)
    assert (checks["ceiling"].figure, checks["ceiling"].bound) == (0.9, 0.5)


def test_a_task_shows_images_unless_it_is_said_otherwise() -> None:
    grounding, *_ = check_trained(Trained(judgement("GROUNDED"), GOOD), "mapping")
    assert (grounding.id, grounding.status) == ("grounding/mapping", "pass")


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        ("SHORTCUT", "fail"), ("NOT REASONING", "fail"), ("UNGROUNDED", "fail"), ("LEAKY", "fail"),
        ("INCONCLUSIVE", "inconclusive"), ("ERROR", "error"),
    ],
)  # fmt: skip
def test_the_verdict_is_the_finding(verdict: Verdict, status: str) -> None:
    grounding = found(GOOD, verdict)["grounding"]
    assert grounding.status == status
    assert "told why" in grounding.reason
    if status in ("fail", "inconclusive"):
        assert (grounding.figure, grounding.interval) == (0.75, (0.3, 0.95))


def test_without_seeds_there_is_no_share() -> None:
    assert found(GOOD, "INCONCLUSIVE", seeds=0)["grounding"].figure is None


@pytest.mark.parametrize(
    ("end_to_end", "on_symbols", "bound", "status"),
    [
        (0.8, 0.76, 0.76, "pass"),
        (0.8, 0.75, 0.76, "fail"),
        (1.0, 0.95, 0.95, "pass"),
        (1.0, 0.94, 0.95, "fail"),
    ],
)
def test_reasoning_is_held_against_what_is_reached_end_to_end(
    end_to_end: float, on_symbols: float, bound: float, status: str
) -> None:
    outcomes = [outcome("grounding", end_to_end), outcome("reasoning", on_symbols, None)]
    reasoning = found(outcomes)["reasoning"]
    assert (reasoning.status, reasoning.figure, reasoning.bound) == (status, on_symbols, pytest.approx(bound))


def test_means_are_taken_over_seeds() -> None:
    outcomes = [outcome(role, task, seed=seed) for seed, task in enumerate((0.2, 0.6)) for role in
                ("grounding", "reasoning", "baseline", "ceiling")]  # fmt: skip
    outcomes[3] = replace(outcomes[3], scores=None, error="boom")
    checks = found(outcomes)
    assert checks["reasoning"].figure == pytest.approx(0.4)
    assert checks["ceiling"].figure == pytest.approx(0.9)
    baseline = checks["baseline"]
    assert (baseline.status, baseline.figure, baseline.bound) == ("inconclusive", 0.0, 0.0)


@pytest.mark.parametrize(("read", "status"), [(0.5, "pass"), (0.49, "inconclusive"), (None, "inconclusive")])
def test_a_ceiling_that_reads_little_says_little(read: float | None, status: str) -> None:
    ceiling = found([outcome("ceiling", 0.9, read)])["ceiling"]
    assert (ceiling.status, ceiling.figure, ceiling.bound) == (status, read or 0.0, 0.5)


def test_seen_as_symbols_reasoning_alone_is_asked_for() -> None:
    checks = found([outcome("reasoning", 0.95, None)], symbols_only=True)
    assert (checks["reasoning"].status, checks["reasoning"].bound) == ("pass", 0.95)
    assert checks["grounding"].status == "skip"
    assert found([outcome("reasoning", 0.94, None)], symbols_only=True)["reasoning"].status == "fail"


def test_a_role_that_broke_on_every_seed_is_an_error_and_one_that_did_not_run_a_skip() -> None:
    checks = found([BROKEN, replace(BROKEN, seed=1)])
    assert checks["baseline"].status == "skip"
    checks = found([BROKEN, outcome("baseline", 0.3)])
    assert checks["baseline"].status == "error"
    assert checks["baseline"].reason == "RuntimeError: all of 1 trials broke: ValueError: boom"


def test_interventions_are_those_of_the_trials_that_have_them() -> None:
    left = Intervention(100, 90)
    met = replace(GOOD[0], interventions=Interventions(0.9, 0.0, left, left, left))
    assert found([met, *GOOD[1:]])["bypass/shuffle"].status == "fail"


def start(task: float, seeds: int = 3, chance: float = 0.25, *, rules_given: bool = False) -> Finding:
    """Of trials on true symbols that answered so much before their first step."""
    quiet = Intervention(0, 0)
    met = replace(GOOD[0], interventions=Interventions(0.8, chance, quiet, quiet, quiet))
    point = Point(0, None, 0.0, task, None, None, None)
    begun = [replace(GOOD[1], seed=seed, curve=[point, replace(point, task=1.0)]) for seed in range(seeds)]
    subject = Trained(judgement("GROUNDED"), [met, *begun], rules_given=rules_given)
    [finding] = [f for f in check_trained(subject, "mapping") if f.check == "brought"]
    return finding


def test_rules_that_are_there_before_the_first_step_were_brought_along() -> None:
    """A quarter of all pairs share their answer, so that no guess is right more than half the time."""
    assert (start(0.75).status, start(0.76).status) == ("pass", "fail")
    assert start(1.0).bound == 0.75
    assert (start(1.0, seeds=2).status, start(0.5, seeds=2).status) == ("inconclusive", "pass")
    assert start(1.0, rules_given=True).status == "skip"


def guessing(found: Outcome, guessed: float) -> Outcome:
    """The same, where a guess is known to answer so many, and every fifth image shows one symbol."""
    scores = found.scores and replace(
        found.scores, guessed_task=guessed, guessed_read=0.0, guessed_aligned=0.2, images=100
    )
    return replace(found, scores=scores)


def test_a_bound_that_a_guess_reaches_is_no_bound() -> None:
    """As measured on Sudoku: 0.020 from true symbols, held against 0.95 of 0.002 end to end."""
    outcomes = [outcome("grounding", 0.01), outcome("reasoning", 0.02, None)]
    held = found([guessing(o, 0.0) for o in outcomes])["reasoning"]
    assert (held.status, held.bound) == ("fail", 0.95)
    assert "(guessing 0.00)" in held.reason
    better = [guessing(outcome("grounding", 0.55), 0.5), guessing(outcome("reasoning", 0.75, None), 0.5)]
    assert found(better)["reasoning"].status == "inconclusive"
    assert "no more than a guess, which is no bound" in found(better)["reasoning"].reason
    better[1] = guessing(outcome("reasoning", 0.95, None), 0.5)
    assert found(better)["reasoning"].status == "pass"
    parity = [guessing(outcome("grounding", 0.7), 0.5), guessing(outcome("reasoning", 0.6, None), 0.5)]
    assert found(parity)["reasoning"].status == "fail"  # 0.95 of 0.7
    assert found([guessing(o, 0.1) for o in GOOD])["reasoning"].status == "pass"
    symbols = found([guessing(outcome("reasoning", 0.96, None), 0.97)], symbols_only=True)["reasoning"]
    assert symbols.status == "fail"  # a guess answers as many


def test_a_baseline_is_beaten_by_more_than_the_draw() -> None:
    close = [outcome("grounding", 0.35), outcome("baseline", 0.3)]
    assert found(close)["baseline"].status == "inconclusive"
    far = found([outcome("grounding", 0.6), outcome("baseline", 0.3)])["baseline"]
    assert (far.status, far.figure) == ("pass", pytest.approx(0.3))
    guess = [guessing(outcome("grounding", 0.6), 0.55), guessing(outcome("baseline", 0.1), 0.55)]
    held = found(guess)["baseline"]
    assert (held.status, held.figure) == ("inconclusive", pytest.approx(0.05))
    assert "no more than a guess" in held.remedy


def test_the_remedy_of_a_baseline_knows_which_is_better() -> None:
    below = found([outcome("grounding", 0.1), outcome("baseline", 0.6)])["baseline"]
    assert below.status == "inconclusive"
    assert "fewer than a network without logic" in below.remedy
    alike = found([outcome("grounding", 0.9), outcome("baseline", 0.9)])["baseline"]
    assert alike.remedy == "Take a task on which the baseline fails."


def test_a_ceiling_at_chance_is_inconclusive_and_says_why() -> None:
    two = replace(guessing(outcome("ceiling", 0.9, 0.55), 0.0).scores, guessed_aligned=0.5)
    held = found([replace(outcome("ceiling", 0.9), scores=two)])["ceiling"]
    assert held.status == "inconclusive"
    assert "on 1 seed the ceiling reads 0.55 of the images" in held.reason
    assert found([guessing(outcome("ceiling", 0.9, 0.9), 0.1)])["ceiling"].status == "pass"
