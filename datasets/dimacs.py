"""Reader of CNF files in DIMACS format: strict with clauses, unless asked not to be with the header."""

import codecs
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from .errors import UsageError
from .packed import GZIP, foreign_format

WAY_OUT = "lenient=True (on the command line --lenient) reads the clauses as they stand"


class DimacsError(UsageError):
    """A CNF file that is not what it says; the message names the line and the reason."""


def read_dimacs(path: Path, *, lenient: bool = False) -> tuple[int, list[list[int]]]:
    """Number of variables, and the clauses, of a CNF file, gzipped or not.

    One header (p cnf VARIABLES CLAUSES), then clauses of literals that end with 0 and may run over lines. A
    line that begins with c is a comment and may hold any bytes. A line "%" ends the file, as in SATLIB's.
    Source: DIMACS challenge 1993, Satisfiability suggested format.

    Args:
        path: The file.
        lenient: Whether a file without a header, whose variables are then counted, and one with another
            number of clauses than its header announces are read all the same.

    Raises:
        DimacsError: For a file that is not what it says, with the line and the reason.
        OSError: For one that cannot be read.
    """
    content = path.read_bytes()
    if content.startswith(GZIP):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise DimacsError(f"{path} is a damaged or truncated .gz: {error}") from error
    if advice := foreign_format(content):
        raise DimacsError(f"{path} {advice}")
    return parse_dimacs(content.removeprefix(codecs.BOM_UTF8), str(path), lenient=lenient)


def parse_dimacs(  # noqa: PLR0912 - one per fault
    text: bytes, name: str, *, lenient: bool = False
) -> tuple[int, list[list[int]]]:
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
            if clauses or clause:
                raise refused(last, "a header after clauses; it stands before them")
            variables, announced = _header(words)
            if not variables:
                weighted = ": weights are not read, give the plain formula" if "wcnf" in words else ""
                raise refused(
                    last, f"the header is 'p cnf VARIABLES CLAUSES', not {' '.join(words)!a}{weighted}"
                )
            continue
        if not variables and not lenient:
            raise refused(last, f"a clause before the header 'p cnf VARIABLES CLAUSES'; {WAY_OUT}")
        for word in words:
            literal = _literal(word)
            if literal is None:
                raise refused(last, f"{word!a} is no literal: they are whole numbers")
            if variables and abs(literal) > variables:
                raise refused(last, f"literal {literal}, but the header announces {variables} variables")
            begun = begun if clause else last
            if literal:
                clause.append(literal)
            elif clause:
                clauses.append(clause)
                clause = []
            else:
                raise refused(last, "an empty clause: nothing satisfies it")
    if not variables and not (lenient and (clauses or clause)):
        raise refused(last, "the file ends without a header 'p cnf VARIABLES CLAUSES'")
    if clause:
        raise refused(begun, "this clause has no 0 at its end; the file may be truncated")
    if len(clauses) != announced and not lenient:
        raise refused(
            last, f"the file ends after {len(clauses)} clauses; its header announces {announced}; {WAY_OUT}"
        )
    return variables or max(abs(literal) for clause in clauses for literal in clause), clauses


def _lines(text: bytes) -> Iterator[tuple[int, list[str]]]:
    """Lines with their numbers, as words; without comments and empty ones, up to a line "%"."""
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if words == [b"%"]:
            return
        if words and not words[0].startswith(b"c"):
            yield number, [word.decode("latin-1") for word in words]


def _header(words: list[str]) -> tuple[int, int]:
    """Variables and clauses; zeros where it is no header."""
    if len(words) != 4 or words[1] != "cnf" or not (words[2].isdecimal() and words[3].isdecimal()):
        return 0, 0
    return int(words[2]), int(words[3])


def _literal(word: str) -> int | None:
    return int(word) if word.removeprefix("-").isdecimal() else None
