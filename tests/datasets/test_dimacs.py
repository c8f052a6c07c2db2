"""CNF files are read as they are, or refused with line and reason."""

import bz2
import gzip
import lzma

import numpy as np
import pytest

from groundcheck.datasets.dimacs import DimacsError, parse_dimacs, read_dimacs
from groundcheck.datasets.errors import UsageError
from groundcheck.datasets.logic import Logic

GOOD = b"c a comment\np cnf 4 3\n1 -2 0\n2 3\n-4 0 4 0\n"


def test_clauses_may_run_over_lines() -> None:
    assert parse_dimacs(GOOD, "f") == (4, [[1, -2], [2, 3, -4], [4]])


def test_a_percent_sign_ends_the_file_as_in_satlib() -> None:
    assert parse_dimacs(b"p cnf 2 1\n 1 2 0\n%\n0\n\n", "f") == (2, [[1, 2]])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 1: the file ends without a header"),
        ("c only a comment\n", "line 1: the file ends without a header"),
        ("1 2 0\n", "line 1: a clause before the header"),
        ("p cnf 2\n1 0\n", "line 1: the header is 'p cnf VARIABLES CLAUSES', not 'p cnf 2'"),
        (
            "p wcnf 2 1\n1 0\n",
            "line 1: the header is 'p cnf VARIABLES CLAUSES', not 'p wcnf 2 1': weights are not",
        ),
        ("p cnf 2 1\n1 \xff 0\n", r"line 2: '\xff' is no literal"),
        ("p cnf two 1\n1 0\n", "line 1: the header is"),
        ("p cnf 0 0\n", "line 1: the header is"),
        ("p cnf 2 1\np cnf 2 1\n1 0\n", "line 2: a second header"),
        ("p cnf 2 1\n1 x 0\n", "line 2: 'x' is no literal"),
        ("p cnf 2 1\n1 1.5 0\n", "line 2: '1.5' is no literal"),
        ("p cnf 2 1\n1 --2 0\n", "line 2: '--2' is no literal"),
        ("p cnf 2 1\nc\n1 3 0\n", "line 3: literal 3, but the header announces 2 variables"),
        ("p cnf 2 2\n1 0\n0\n", "line 3: an empty clause"),
        ("p cnf 2 2\n1 0\n2\n-1\n", "line 3: this clause has no 0 at its end"),
        ("p cnf 2 3\n1 0\n2 0\n", "line 3: the file ends after 2 clauses; its header announces 3"),
        ("p cnf 2 1\n1 0\n2 0\n", "line 3: the file ends after 2 clauses; its header announces 1"),
    ],
)
def test_a_malformed_file_is_refused_with_line_and_reason(text, reason) -> None:
    with pytest.raises(DimacsError) as refused:
        parse_dimacs(text.encode("latin-1"), "rules.cnf")
    assert str(refused.value).startswith(f"rules.cnf, {reason}")


def test_a_file_becomes_a_task(tmp_path) -> None:
    path = tmp_path / "rules.cnf"
    path.write_bytes(GOOD)
    task = Logic(file=str(path))
    assert task.problem.variables == ("x1", "x2", "x3", "x4", "satisfied")
    rows = np.concatenate([task.generate(split, 100, 0).solution for split in ("train", "ood")])
    true = {tuple(row) for row in rows[rows[:, -1] == 1][:, :4].tolist()}
    assert true == {(a, b, c, 1) for a in (0, 1) for b in (0, 1) for c in (0, 1) if (a or not b) and (b or c)}


CLAUSES = b"p cnf 4 3\n1 -2 0\n2 3\n-4 0 4 0\n"
READ = (4, [[1, -2], [2, 3, -4], [4]])


@pytest.mark.parametrize(
    "content",
    [
        b"c=====\nc---------- banner\n" + CLAUSES,
        b"cglued words 1 2 0\n  c indented\nc\n" + CLAUSES,
        "c author: Müller\n".encode() + CLAUSES,
        bytes([ord("c"), *(b for b in range(256) if b not in b"\r\n")]) + b"\n" + CLAUSES,
        b"c \x85 no line ends here \x1c nor here\r\n" + CLAUSES.replace(b"\n", b"\r\n"),
        CLAUSES.replace(b"3\n", b"3\nc \xff in between 5 0\n"),
        b"\xef\xbb\xbf" + CLAUSES,
        gzip.compress(b"\xef\xbb\xbfc packed\n" + CLAUSES, mtime=0),
    ],
)  # fmt: skip
def test_comments_may_hold_anything_and_files_may_be_packed(tmp_path, content) -> None:
    path = tmp_path / "rules.cnf"  # whatever its name says
    path.write_bytes(content)
    assert read_dimacs(path) == READ


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (gzip.compress(CLAUSES, mtime=0)[:-9], "is a damaged or truncated .gz"),
        (gzip.compress(CLAUSES, mtime=0)[:12] + b"junk", "is a damaged or truncated .gz"),
        (bz2.compress(CLAUSES), "packed with bzip2: unpack"),
        (lzma.compress(CLAUSES), "packed with xz: unpack"),
        (b"PK\x03\x04rest", "is a zip archive: unpack"),
        (CLAUSES.decode().encode("utf-16"), "UTF-16: save it"),
        (
            gzip.compress(b"rules.cnf".ljust(257, b"\0") + b"ustar\0", mtime=0),
            "tar archive: unpack it and name one",
        ),
    ],
)
def test_what_is_packed_otherwise_is_named(tmp_path, content, told) -> None:
    path = tmp_path / "rules.cnf.gz"
    path.write_bytes(content)
    with pytest.raises(DimacsError, match=f"rules.cnf.gz .*{told}") as refused:
        Logic(file=str(path))
    assert isinstance(refused.value, UsageError)


def test_a_file_that_is_not_there_is_refused(tmp_path) -> None:
    with pytest.raises(FileNotFoundError):
        Logic(file=str(tmp_path / "missing.cnf"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("p cnf 1 2\n1 0\n-1 0\n", "nothing satisfies"),
        ("p cnf 2 2\n1 -1 0\n2 1 -2 0\n", "everything satisfies"),
        ("p cnf 2 0\n", "everything satisfies"),
    ],
)
def test_a_file_that_nothing_or_everything_satisfies_is_refused(tmp_path, text, told) -> None:
    path = tmp_path / "rules.cnf"
    path.write_text(text)
    with pytest.raises(ValueError, match=told):
        Logic(file=str(path))


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (b"1 -2 0\n2 3\n-4 0 4 0\n", READ),
        (b"c no header\n1 2 0\n", (2, [[1, 2]])),
        (b"p cnf 5 7\n1 2 0\n", (5, [[1, 2]])),
        (b"p cnf 2 0\n1 2 0\n-1 0\n", (2, [[1, 2], [-1]])),
        (CLAUSES, READ),
    ],
)
def test_what_is_read_leniently(text, read) -> None:
    assert parse_dimacs(text, "f", lenient=True) == read


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"1 2 0\np cnf 2 1\n", "line 2: a header after clauses"),
        (b"p cnf 2 1\n1 3 0\n", "line 2: literal 3, but the header announces 2 variables"),
        (b"1 2\n", "line 1: this clause has no 0 at its end"),
        (b"p cnf two 1\n1 0\n", "line 1: the header is"),
        (b"c nothing\n", "the file ends without a header"),
        (b"1 x 0\n", "'x' is no literal"),
    ],
)
def test_what_is_refused_even_leniently(text, said) -> None:
    with pytest.raises(DimacsError, match=said):
        parse_dimacs(text, "f", lenient=True)


@pytest.mark.parametrize("text", ["1 2 0\n", "p cnf 2 2\n1 2 0\n"])
def test_the_way_out_is_told(tmp_path, text) -> None:
    path = tmp_path / "rules.cnf"
    path.write_text(text)
    with pytest.raises(DimacsError, match=r"lenient=True \(on the command line --lenient\)"):
        Logic(file=str(path))
    assert Logic(file=str(path), lenient=True).cnf == (2, [[1, 2]])
