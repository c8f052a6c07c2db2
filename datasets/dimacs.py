"""Strict reader of CNF files in DIMACS format."""

from pathlib import Path


class BadDimacs(ValueError):
    """A CNF file that is not what it says; the message names the line and the reason."""


def read_dimacs(path: Path) -> tuple[int, list[list[int]]]:
    """Number of variables, and the clauses, of a CNF file. Raises `BadDimacs`, or `OSError`.

    Comments (c …), one header (p cnf VARIABLES CLAUSES), then clauses of literals that end with 0 and may
    run over lines. A line "%" ends the file, as in SATLIB's. Source: DIMACS challenge 1993, Satisfiability
    suggested format.
    """
    try:
        text = path.read_text(encoding="ascii")
    except UnicodeDecodeError as error:
        raise BadDimacs(f"{path}: not a text file (byte {error.start} is no ASCII)") from error
    return parse_dimacs(text, str(path))


def parse_dimacs(text: str, name: str) -> tuple[int, list[list[int]]]:
    """As `read_dimacs`; `name` is for the message."""

    def refused(number: int, reason: str) -> BadDimacs:
        return BadDimacs(f"{name}, line {number}: {reason}")

    sizes: tuple[int, int] | None = None
    clauses: list[list[int]] = []
    clause: list[int] = []
    number = begun = 0
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if words == ["%"]:
            break
        if not words or words[0] == "c":
            continue
        if words[0] == "p":
            if sizes is not None:
                raise refused(number, "a second header; there is one 'p cnf VARIABLES CLAUSES'")
            sizes = _header(words)
            if sizes is None:
                raise refused(number, f"the header is 'p cnf VARIABLES CLAUSES', not {line.strip()!r}")
            continue
        if sizes is None:
            raise refused(number, "a clause before the header 'p cnf VARIABLES CLAUSES'")
        for word in words:
            if not word.lstrip("-").isdecimal() or word.count("-") > 1:
                raise refused(number, f"{word!r} is no literal: they are whole numbers")
            literal = int(word)
            if abs(literal) > sizes[0]:
                raise refused(number, f"literal {literal}, but the header announces {sizes[0]} variables")
            if literal:
                begun = begun if clause else number
                clause.append(literal)
                continue
            if not clause:
                raise refused(number, "an empty clause: nothing satisfies it")
            clauses.append(clause)
            clause = []
    if sizes is None:
        raise refused(max(number, 1), "the file ends without a header 'p cnf VARIABLES CLAUSES'")
    if clause:
        raise refused(begun, "this clause has no 0 at its end; the file may be truncated")
    if len(clauses) != sizes[1]:
        raise refused(number, f"the file ends after {len(clauses)} clauses; its header announces {sizes[1]}")
    return sizes[0], clauses


def _header(words: list[str]) -> tuple[int, int] | None:
    if len(words) != 4 or words[1] != "cnf" or not (words[2].isdecimal() and words[3].isdecimal()):
        return None
    variables, clauses = int(words[2]), int(words[3])
    return (variables, clauses) if variables and clauses else None
