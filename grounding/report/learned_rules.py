"""Learned rules: in words for the terminal, as DIMACS, and as a picture."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from statistics import median

import matplotlib as mpl
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from rich.console import Console
from rich.markup import escape

from ...datasets.problem import Problem
from ...solvers.rules.acquisition import Rule, as_clauses
from ..measures.acquired_rules import (
    SOLUTIONS,
    RulesComparison,
    all_different,
    assignment_in_words,
    clause_in_words,
    in_words,
    mentions_auxiliary,
)
from ..measures.counts import count_of

SHOWN = 40  # sentences that are printed unless all are asked for
COLOURS = ("#ffffff", "#2f7fe8", "#dd6a1c", "#8c959f")  # none, learned, superfluous, missing


def summarise_rules(rules: Sequence[Rule]) -> str:
    """How many rules of which kind, and what they rest on."""
    if not rules:
        return "no rule was found"
    kinds = {
        kind: [r for r in rules if r.kind == kind]
        for kind in ("equal", "less", "greater", "difference", "pair")
    }
    told = {"equal": "≠", "less": "≥", "greater": "≤", "difference": "difference", "pair": "pairs of symbols"}
    parts = ", ".join(f"{len(found):,} {told[kind]}" for kind, found in kinds.items() if found)
    learned = f"{count_of(len(rules), 'rule')} ({parts})"
    if not counted(rules):
        return f"{learned}; the solver does not tell how often answers bear them out"
    support = [rule.expected for rule in rules]
    broken = sum(rule.broken for rule in rules)
    return (
        f"{learned}; independent answers would have broken each "
        f"{min(support):.1f} times or more, {median(support):.1f} in the median; broken "
        f"{count_of(broken, 'time')} in all"
    )


def counted(rules: Sequence[Rule]) -> bool:
    """Whether any of them says how often chance would have broken it: costs that were learned do not."""
    return any(rule.expected for rule in rules)


def summarise_comparison(problem: Problem, found: RulesComparison) -> Iterator[str]:
    """Whether the rules are those of the task, and what is missing or superfluous."""
    if found.equivalent:
        yield "equivalent to the rules of the task: both allow the same assignments (by SAT)"
        return
    if found.superfluous:
        yield (
            f"superfluous: {len(found.superfluous):,} of the learned rules forbid what the task allows, "
            f"such as {'; '.join(rule.written(problem) for rule in found.superfluous[:3])}"
        )
    if found.missing:
        yield (
            f"missing: {len(found.missing):,} clauses of the task do not follow from them, such as "
            f"{'; '.join(clause_in_words(problem, clause) for clause in sorted(found.missing, key=len)[:3])}"
        )
    if found.forbidden:
        yield (
            f"{'elsewhere weaker' if found.superfluous else 'weaker'} than the task: what was learned allows "
            f"{assignment_in_words(problem, found.forbidden)}, which the task forbids"
        )
    auxiliary = sum(mentions_auxiliary(problem, clause) for clause in found.undecided)
    if beyond := len(found.undecided) - auxiliary:
        yield f"not decided: {count_of(beyond, 'clause')} of the task (by SAT, within its limit)"
    if auxiliary and not found.forbidden:
        tried = f"; of at most {SOLUTIONS} solutions of what was learned none was seen to break them"
        yield (
            f"not decided: {count_of(auxiliary, 'clause')} of the task with auxiliary variables"
            f"{'' if found.missing else tried}"
        )


def print_rules(
    console: Console, problem: Problem, rules: Sequence[Rule], found: RulesComparison | None, *, whole: bool
) -> None:
    """What was learned, with its support, and how it compares with the task."""
    sentences = in_words(problem, rules)
    shown = list(sentences if whole else islice(sentences, SHOWN))
    for sentence in shown:
        console.print(f"  {escape(sentence)}", highlight=False, soft_wrap=True)
    if rest := sum(1 for _ in sentences):
        console.print(f"  … and {rest:,} more (--all prints them)", highlight=False)
    console.print(escape(summarise_rules(rules)), highlight=False)
    for line in summarise_comparison(problem, found) if found else ():
        console.print(escape(line), highlight=False)


def write_dimacs(path: Path, problem: Problem, rules: Sequence[Rule]) -> None:
    """The learned rules as DIMACS; literals are numbered as in the task's problem, and comments name them.

    Each clause stands behind its rule, the rule's support, and how often it was broken. That a variable takes
    exactly one symbol is not written: it is no rule that was learned.
    """
    clauses = sum(1 for _ in as_clauses(problem, rules))
    with path.open("w", encoding="utf-8") as file:
        for variable, name in enumerate(problem.variables):
            symbols = range(problem.domains[variable])
            named = " ".join(f"{problem.literal(variable, symbol)}={symbol}" for symbol in symbols)
            file.write(f"c {name}: {named}\n")
        file.write(f"p cnf {problem.indicators} {clauses}\n")
        written: set[tuple[int, ...]] = set()
        for rule in rules:
            support = f" (expected {rule.expected:.1f}, broken {rule.broken})" if rule.expected else ""
            file.write(f"c {rule.written(problem)}{support}\n")
            for clause in as_clauses(problem, [rule]):
                if tuple(clause) not in written:
                    written.add(tuple(clause))
                    file.write(f"{' '.join(map(str, clause))} 0\n")


def draw_rules(path: Path, problem: Problem, rules: Sequence[Rule], found: RulesComparison | None) -> None:
    """A picture, as PDF, PNG or SVG by the name: which pairs of variables learned rules join, and what is
    superfluous or missing; and, where that is told, how often each rule was to be expected if variables were
    independent.
    """
    size = len(problem.variables)
    pairs = np.zeros((size, size), dtype=int)
    for colour, joined in (
        (3, _joined(problem, found.missing if found else [])),
        (1, [(rule.first, rule.second) for rule in rules]),
        (2, [(rule.first, rule.second) for rule in (found.superfluous if found else [])]),
    ):
        for first, second in joined:
            pairs[first, second] = pairs[second, first] = colour
    with mpl.rc_context({"font.size": 8, "svg.hashsalt": "groundcheck"}):
        told = counted(rules) or not rules
        figure = Figure(figsize=(7.2 if told else 4.2, 3.8), layout="constrained")
        widths = (1.15, 1) if told else (1,)
        matrix, *supports = figure.subplots(1, len(widths), width_ratios=widths, squeeze=False)[0]
        matrix.imshow(pairs, cmap=ListedColormap(COLOURS), vmin=0, vmax=3, interpolation="nearest")
        step = max(1, round(size / 9))
        matrix.set_xticks(range(0, size, step), problem.variables[::step], rotation=90)
        matrix.set_yticks(range(0, size, step), problem.variables[::step])
        groups = len(all_different(rules))
        matrix.set_title(
            f"{len(rules):,} rules, {groups} groups all different" if groups else f"{len(rules):,} rules"
        )
        names = ("learned", "superfluous", "missing")
        for number, name in enumerate(names, 1):
            if (pairs == number).any():
                matrix.plot([], [], "s", color=COLOURS[number], label=name)
        if rules:
            matrix.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3, frameon=False)
        for support in supports:
            support.hist([rule.expected for rule in rules], bins=30, color=COLOURS[1])
            support.set_title("how often chance would have broken each")
            support.set_xlabel("expected, of independent answers")
            support.set_ylabel("rules")
            support.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)


def _joined(problem: Problem, clauses: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """The pairs of variables that clauses of two literals join."""
    places = [[problem.meaning(literal)[0] for literal in clause] for clause in clauses if len(clause) == 2]
    return [(min(pair), max(pair)) for pair in places]
