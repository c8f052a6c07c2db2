"""Strict reader of CNF files in DIMACS format."""

from collections.abc import Iterator
from pathlib import Path


class DimacsError(ValueError):
    """A CNF file that is not what it says; the message names the line and the reason."""


def read_dimacs(path: Path) -> tuple[int, list[list[int]]]:
    """Number of variables, and the clauses, of a CNF file. Raises `DimacsError`, or `OSError`.

    Comments (c …), one header (p cnf VARIABLES CLAUSES), then clauses of literals that end with 0 and may
    run over lines. A line "%" ends the file, as in SATLIB's. Source: DIMACS challenge 1993, Satisfiability
    suggested format.
    """
    try:
        text = path.read_text(encoding="ascii")
    except UnicodeDecodeError as error:
        raise DimacsError(f"{path}: not a text file (byte {error.start} is no ASCII)") from error
    return parse_dimacs(text, str(path))


def parse_dimacs(text: str, name: str) -> tuple[int, list[list[int]]]:  # noqa: PLR0912 - one per fault
    """As `read_dimacs`; `name` is for the message."""

    def refused(line: int, reason: str) -> DimacsError:
        return DimacsError(f"{name}, line {line}: {reason}")

    variables = announced = 0
    clauses: list[list[int]] = []
    clause: list[int] = []
    last = begun = 1
    for last, words in _lines(text):
        if words[0] == "p":
            if variables:
                raise refused(last, "a second header; there is one 'p cnf VARIABLES CLAUSES'")
            variables, announced = _header(words)
            if not variables:
                raise refused(last, f"the header is 'p cnf VARIABLES CLAUSES', not {' '.join(words)!r}")
            continue
        if not variables:
            raise refused(last, "a clause before the header 'p cnf VARIABLES CLAUSES'")
        for word in words:
            literal = _literal(word)
            if literal is None:
                raise refused(last, f"{word!r} is no literal: they are whole numbers")
            if abs(literal) > variables:
                raise refused(last, f"literal {literal}, but the header announces {variables} variables")
            begun = begun if clause else last
            if literal:
                clause.append(literal)
            elif clause:
                clauses.append(clause)
                clause = []
            else:
                raise refused(last, "an empty clause: nothing satisfies it")
    if not variables:
        raise refused(last, "the file ends without a header 'p cnf VARIABLES CLAUSES'")
    if clause:
        raise refused(begun, "this clause has no 0 at its end; the file may be truncated")
    if len(clauses) != announced:
        raise refused(last, f"the file ends after {len(clauses)} clauses; its header announces {announced}")
    return variables, clauses


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Lines with their numbers, as words; without comments and empty ones, up to a line "%"."""
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if words == ["%"]:
            return
        if words and words[0] != "c":
            yield number, words


def _header(words: list[str]) -> tuple[int, int]:
    """Variables and clauses; zeros where it is no header."""
    if len(words) != 4 or words[1] != "cnf" or not (words[2].isdecimal() and words[3].isdecimal()):
        return 0, 0
    return int(words[2]), int(words[3])


def _literal(word: str) -> int | None:
    return int(word) if word.removeprefix("-").isdecimal() else None
