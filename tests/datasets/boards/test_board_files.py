"""Every format that boards go round in is read into the same boards; what is none is refused by its line."""

import bz2
import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import one_hot

from groundcheck.datasets.boards import kept
from groundcheck.datasets.boards.kept import open_file, proved_boards
from groundcheck.datasets.boards.text import TextBoards, character_table
from groundcheck.datasets.errors import DataUnavailableError, UsageError
from groundcheck.datasets.latin import Latin
from groundcheck.datasets.storage import generate_set
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.datasets.task import Puzzles

from .conftest import SIGNS, lines_of_boards, make_puzzles

SEVENTEEN = Path(__file__).parent.parent / "search" / "seventeen.txt"


def as_text(style: str, puzzles: Puzzles) -> bytes:
    """A file in one of the ways that people write them."""
    rows = lines_of_boards(puzzles, SIGNS[9], "." if style in ("dots", "radcliffe") else "0")
    head, form = {
        "zeros": ("", "{0}"),
        "dots": ("# a comment\n\n", "{0}"),
        "counted": (f"{len(rows)}\n", "{0}"),
        "quizzes": ("quizzes,solutions\n", "{0},{1}"),
        "puzzle": ("puzzle,solution\n", "{0},{1}"),
        "radcliffe": ("id,puzzle,solution,clues,difficulty\n", "{2},{0},{1},30,1.5"),
        "headless": ("", "{0},{1}"),
        "semicolons": ("Solution;Puzzle\n", "{1};{0}"),
        "quoted": ('"quizzes","solutions"\n', '"{0}","{1}"'),
        "alone": ("puzzle\n", "{0}"),
        "beside": ("", "{0} {1}"),
        "rated": ("", "{0} # 7.2"),
    }[style]
    lines = [form.format(*row, number) for number, row in enumerate(rows)]
    return (head + "\n".join(lines) + "\n").encode()


STYLES = [
    "zeros", "dots", "counted", "quizzes", "puzzle", "radcliffe", "headless", "semicolons", "quoted", "alone",
    "beside", "rated",
]  # fmt: skip


@pytest.mark.parametrize("style", STYLES)
def test_the_ways_in_which_boards_are_written(style: str, nine: Puzzles, tmp_path: Path) -> None:
    path = tmp_path / "boards.txt"
    content = as_text(style, nine)
    for bytes_ in (
        content,
        content.replace(b"\n", b"\r\n"),
        content.rstrip(b"\n"),
        b"\xef\xbb\xbf" + content,
        gzip.compress(content, mtime=0),
    ):
        path.write_bytes(bytes_)
        [chunk] = TextBoards(path).chunks()
        assert np.array_equal(chunk.puzzle, np.where(nine.given, nine.solution, -1))
        assert chunk.solution is None or np.array_equal(chunk.solution, nine.solution)
    boards = proved_boards(path)
    assert np.array_equal(boards.solution, nine.solution)
    assert np.array_equal(boards.given, nine.given)
    assert boards.task == Sudoku(size=9)
    assert boards.givens == (nine.given.sum(1).min(), nine.given.sum(1).max())


@pytest.mark.parametrize("size", [4, 6, 16])
def test_other_sizes(size: int, tmp_path: Path) -> None:
    puzzles = make_puzzles(size, 12)
    path = tmp_path / "boards.txt"
    path.write_text("\n".join(row for row, _ in lines_of_boards(puzzles, SIGNS[size])))
    boards = proved_boards(path)
    assert boards.task == Sudoku(size=size)
    assert np.array_equal(boards.solution, puzzles.solution)


@pytest.mark.parametrize(
    ("signs", "blank"),
    [
        ("123456789ABCDEFG", "0"), ("123456789abcdefg", "."), ("0123456789ABCDEF", "."),
        ("ABCDEFGHIJKLMNOP", "0"),
    ],
)  # fmt: skip
def test_the_ways_to_write_sixteen_symbols(signs: str, blank: str, tmp_path: Path) -> None:
    puzzles = make_puzzles(16, 12)
    path = tmp_path / "boards.csv"
    rows = [f"{quiz},{solution}" for quiz, solution in lines_of_boards(puzzles, signs, blank)]
    path.write_text("\n".join(["puzzle,solution", *rows]))
    assert np.array_equal(proved_boards(path).solution, puzzles.solution)


def test_a_table_of_characters_knows_what_is_open_and_what_is_none() -> None:
    table = character_table(9, b"0123456789")
    assert [int(table[ord(sign)]) for sign in "0.*_-19A"] == [-1, -1, -1, -1, -1, 0, 8, -2]
    assert int(character_table(4, b"12345")[ord("5")]) == -2
    assert int(character_table(16, b".0F")[ord("0")]) == 0


def test_the_lists_of_seventeen_clues(tmp_path: Path) -> None:
    boards = proved_boards(SEVENTEEN)
    assert (boards.givens, boards.grids) == ((17, 17), len(boards))
    text = SEVENTEEN.read_text()
    counted = tmp_path / "all_17_clue_sudokus.txt"
    counted.write_text(f"{len(boards)}\n{text}")
    assert np.array_equal(proved_boards(counted).solution, boards.solution)


def save_tensors(folder: Path, puzzles: Puzzles, *, legacy: bool = False, apart: bool = True) -> Path:
    """As SATNet's: features are zero where a cell is open."""
    labels = one_hot(torch.from_numpy(puzzles.solution).long(), 9).view(-1, 9, 9, 9).float()
    features = labels * torch.from_numpy(puzzles.given).view(-1, 9, 9, 1)
    save = {"_use_new_zipfile_serialization": not legacy}
    folder.mkdir(exist_ok=True)
    if not apart:
        torch.save({"features": features, "labels": labels}, folder / "both.pt", **save)
        return folder / "both.pt"
    torch.save(features, folder / "features.pt", **save)
    torch.save(labels, folder / "labels.pt", **save)
    return folder


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("apart", [False, True])
def test_tensors_of_satnet(legacy: bool, apart: bool, nine: Puzzles, tmp_path: Path) -> None:
    place = save_tensors(tmp_path / "sudoku", nine, legacy=legacy, apart=apart)
    for path in (place, place / "features.pt") if apart else (place,):
        boards = proved_boards(path)
        assert np.array_equal(boards.solution, nine.solution)
        assert np.array_equal(boards.given, nine.given)


class Evil:
    """What a pickle may do when it is read."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("was-run"),)


def test_tensors_are_never_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(Evil(), "evil.pt")
    with pytest.raises(UsageError, match=r"evil\.pt is no file of tensors alone"):
        proved_boards(Path("evil.pt"))
    assert not Path("was-run").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            torch.zeros(3, 81),
            r"its features are a tensor of \(3, 81\): a tensor \(boards, size, size, size\)",
        ),
        ({"labels": torch.zeros(3, 9, 9, 9)}, "its features are a NoneType"),
        (torch.full((2, 9, 9, 9), 0.5), "board 1: its features are not one-hot"),
        (torch.full((2, 9, 9, 9), torch.nan), "board 1: its features are not one-hot"),
        (torch.zeros(0, 9, 9, 9), "holds no boards"),
        (
            {"features": torch.zeros(2, 9, 9, 9), "labels": torch.zeros(3, 9, 9, 9)},
            "features and labels have shapes",
        ),
    ],
)
def test_tensors_that_are_no_boards(content: object, said: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "features.pt")
    with pytest.raises(UsageError, match=said):
        proved_boards(tmp_path / "features.pt")


@pytest.mark.parametrize(
    "task", [Sudoku(permuted=True), Latin(), Sudoku(size=9)], ids=["permuted", "latin", "9"]
)
def test_sets_of_our_own(task: Sudoku, tmp_path: Path) -> None:
    folder = generate_set(task, "train", 50, 3, tmp_path / "set")
    boards, puzzles = proved_boards(folder), task.generate("train", 50, 3)
    assert boards.task == task
    assert np.array_equal(boards.solution, puzzles.solution)
    assert np.array_equal(boards.given, puzzles.given)


def test_a_set_that_was_altered_is_refused(tmp_path: Path) -> None:
    folder = generate_set(Sudoku(), "train", 50, 3, tmp_path / "set")
    content = bytearray((folder / "given.npy").read_bytes())
    content[-1] ^= 1
    (folder / "given.npy").write_bytes(content)
    with pytest.raises(DataUnavailableError, match="was altered"):
        proved_boards(folder)


UNIQUE = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"  # Wikipedia's
SOLVED = "534678912672195348198342567859761423426853791713924856961537284287419635345286179"
SWAPPED = SOLVED.translate(str.maketrans("12", "21"))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([UNIQUE, "5" + UNIQUE[1:4] + "5" + UNIQUE[5:]], "line 2: it has no solution"),
        ([UNIQUE, "", UNIQUE[:40] + "." * 41],
         r"line 3: it has two solutions or more: r\dc\d may be \d or \d"),
        (["." * 81], "line 1: no cell is given"),
        ([SOLVED], "line 1: no cell is open: there is nothing to ask"),
        ([UNIQUE, UNIQUE[:-1]], "line 2: 80 characters, where the boards of this file have 81"),
        ([UNIQUE, "x" + UNIQUE[1:]],
         "line 2: 'x' in row 1, column 1 is neither one of 123456789 nor an open"),
        (["puzzle,solution", f"{UNIQUE},{SOLVED}", f"{UNIQUE},{SWAPPED}"],
         "line 3: the solution beside it is not that of the board: r1c8 is 2 there, and has to be 1"),
        (["puzzle,solution", f"{UNIQUE},{UNIQUE}"], "line 2: the solution .*: r1c3 is left open there"),
        (["puzzle,solution", f"{UNIQUE},{SOLVED}", UNIQUE], "line 3: it has 1 columns"),
        (["a,b", f"{UNIQUE},{SOLVED}"], "line 1: none of the columns a, b is called puzzle"),
        (["530070000"], "line 1: 9 characters are no board: one has 16, 36, 81, 256"),
        (["puzzle", "530070000"], "line 2: 9 characters are no board"),
        (["Grid 01", "003020600"], "line 1: 4 characters are no board"),
        (["# nothing", ""], "holds no boards"),
        ([UNIQUE, "1" * 70_000], "line 2: this line is too long"),
    ],
)  # fmt: skip
def test_what_is_no_board_is_refused_by_its_line(lines: list[str], said: str, tmp_path: Path) -> None:
    path = tmp_path / "boards.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(UsageError, match=rf"^{re.escape(str(path))}.*{said}"):
        proved_boards(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (bz2.compress(SOLVED.encode()), "is packed with bzip2: unpack it first"),
        (b"PK\x03\x04rest", "is a zip archive: unpack it first"),
        (gzip.compress((UNIQUE + "\n").encode() * 50, mtime=0)[:-9], "is a damaged or truncated .gz"),
        (bytes(range(256)) * 4, "line 1: "),
    ],
)
def test_files_that_hold_no_text(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "boards.csv"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        proved_boards(path)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no file .*nowhere.csv: name one with boards"):
        open_file(tmp_path / "nowhere.csv")
    with pytest.raises(UsageError, match=r"is a folder without header.json"):
        open_file(tmp_path)


def test_a_board_of_sixteen_that_search_does_not_settle_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("groundcheck.datasets.boards.proof.PATIENCE", 0)
    path = tmp_path / "boards.txt"
    path.write_text("1" + "0" * 255)
    with pytest.raises(UsageError, match="line 1: whether it has one solution is not settled within 0"):
        proved_boards(path)


def test_a_file_is_proved_once_and_another_content_anew(
    kaggle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[int] = []
    first = proved_boards(kaggle, heard.append)
    assert heard == [400]
    assert isinstance(first.solution, np.memmap)
    with monkeypatch.context() as patched:
        patched.setattr(kept, "prove", lambda *_: pytest.fail("proved again"))
        assert proved_boards(kaggle).digest == first.digest
    lines = kaggle.read_text().splitlines(keepends=True)
    kaggle.write_text("".join(lines[:-1]))
    assert (len(proved_boards(kaggle)), proved_boards(kaggle).digest != first.digest) == (399, True)


@pytest.mark.parametrize("name", ["header.json", "solution.int8"])
def test_what_is_kept_and_damaged_is_proved_again(kaggle: Path, name: str) -> None:
    boards = proved_boards(kaggle)
    [folder] = kept._folder().iterdir()
    (folder / name).write_bytes(b"{}")
    kept._read.cache_clear()
    assert np.array_equal(proved_boards(kaggle).given, boards.given)


def test_a_long_file_is_read_in_chunks(
    nine: Puzzles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks that end in the middle of a line, and chunks of a few boards."""
    monkeypatch.setattr("groundcheck.datasets.boards.text.CHUNK", 7)
    monkeypatch.setattr("groundcheck.datasets.boards.text.BLOCK", 100)
    path = tmp_path / "boards.csv"
    path.write_bytes(as_text("quizzes", nine))
    sizes: list[int] = []
    proved = kept.prove

    def prove(file: object, task: object, chunk: kept.Any) -> np.ndarray:
        sizes.append(len(chunk))
        return proved(file, task, chunk)  # pyright: ignore

    monkeypatch.setattr(kept, "prove", prove)
    assert np.array_equal(proved_boards(path).solution, nine.solution)
    assert set(sizes) == {7, 400 % 7}


def test_where_no_cache_can_be_written_a_folder_of_the_process_serves(
    kaggle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not Path("/proc/self").exists():
        pytest.skip("needs a /proc, which refuses new folders to root as well")
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    assert len(proved_boards(kaggle)) == 400


def test_of_many_files_those_used_last_are_kept(kaggle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "KEPT_FILES", 2)
    text = kaggle.read_text().splitlines(keepends=True)

    def folders() -> Iterator[Path]:
        return kept._folder().iterdir()

    for count in (100, 200, 300):
        kaggle.write_text("".join(text[: 1 + count]))
        proved_boards(kaggle)
    assert len(list(folders())) == 2
