"""Image sets in idx files (LeCun's MNIST format), recognised by their content."""

import gzip
import hashlib
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from .errors import DataUnavailableError, UsageError
from .pictures import SIDE, Pictures
from .vision import import_torchvision

DATA_ROOT_VARIABLE = "GROUNDCHECK_DATA"
GZIP = b"\x1f\x8b"  # how a gzipped file begins
KINDS: dict[int, str] = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


@dataclass(frozen=True)
class IdxImages:
    """An image set in idx files, by preference in torchvision's layout: `<root>/<folder>/raw/<file>`.

    A file is recognised by the MD5 of its content, gzipped or not, whoever packed it. It may lie in `raw`, in
    `folder` or in the root itself, have a dot for the dash before "idx" (as 7-zip unpacks MNIST), or lie in a
    folder of its own name (as Kaggle delivers it). The first file that fits counts. A set may come without a
    test pair; labels may be of any whole-number type.

    Args:
        folder: Where the files lie below the root; also the name of the set's class in torchvision.datasets.
        md5: For each file, by its name without .gz: the published MD5 of the .gz, and the MD5 of its content.
            Files with "train" in their name are the training part, those with "label" hold labels.
        summary: One sentence on the set.
        source: Where it comes from.
        label_column: Which column to take of labels that have several (QMNIST).
    """

    folder: str
    md5: dict[str, tuple[str, str]]
    summary: str
    source: str
    label_column: int | None = None

    def __call__(self, root: Path, *, download: bool) -> Pictures:
        """Reads the files.

        Args:
            root: The folder that they are looked for in.
            download: Whether to fetch them where one is missing or damaged.

        Raises:
            DataUnavailableError: Naming what is missing or damaged.
        """
        parts = self._parts()
        raw = root / self.folder / "raw"
        found = {name: self._find(root, name) for name in self.md5}
        if download and not all(isinstance(content, bytes) for content in found.values()):
            self._download(root)
            found = {name: self._find(root, name) for name in self.md5}
        contents: dict[str, bytes] = {}
        for name, content in found.items():
            if not isinstance(content, bytes):
                raise DataUnavailableError(self._lacking(raw, found))
            contents[name] = content
        arrays = {name: parse_idx(content, raw / name) for name, content in contents.items()}
        images = [self._pictures(arrays, pair[0], raw) for pair in parts]
        labels = [self._labels(arrays, pair, raw) for pair in parts]
        test = np.arange(sum(map(len, images))) >= len(images[0]) if len(parts) > 1 else None
        return Pictures(np.concatenate(images), np.concatenate(labels).astype(np.int64), test, draw="overall")

    def _parts(self) -> list[tuple[str, str]]:
        """Names of pictures and labels: the training pair, then the test pair if there is one."""
        roles: dict[tuple[bool, bool], list[str]] = {}
        for name in self.md5:
            word = name.lower()
            roles.setdefault((word.find("train") < 0, "label" in word), []).append(name)
        pairs = [(roles.get((t, False), []), roles.get((t, True), [])) for t in (False, True)]
        pairs = [pair for pair in pairs if pair != ([], [])]
        sizes = [len(names) for pair in pairs for names in pair]
        if not roles.get((False, False)) or set(sizes) != {1}:
            raise UsageError(
                f"the idx image set {self.folder} names the files {', '.join(self.md5) or 'none'}: name one "
                "of pictures and one of labels ('label' in its name) with 'train' in their names, and at "
                "most one such pair without"
            )
        return [(pictures, labels) for [pictures], [labels] in pairs]

    def _pictures(self, arrays: dict[str, np.ndarray], name: str, raw: Path) -> Shaped[np.ndarray, "n 28 28"]:
        pictures = arrays[name]
        if pictures.ndim != 3 or pictures.shape[1:] != (SIDE, SIDE):
            raise DataUnavailableError(
                f"{raw}: {name} holds pictures {pictures.shape}; they should be (n, {SIDE}, {SIDE})"
            )
        return pictures

    def _labels(self, arrays: dict[str, np.ndarray], pair: tuple[str, str], raw: Path) -> np.ndarray:
        pictures, labels = (arrays[name] for name in pair)
        if labels.ndim == 2 and self.label_column is not None and self.label_column < labels.shape[1]:
            labels = labels[:, self.label_column]
        if labels.shape != pictures.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
            columns = "; say which with label_column" if labels.ndim == 2 else ""
            raise DataUnavailableError(
                f"{raw}: {pair[1]} holds {labels.dtype} labels {labels.shape} for {len(pictures):,} pictures "
                f"({pair[0]}); they should be whole numbers, one per picture{columns}"
            )
        return labels

    def _find(self, root: Path, name: str) -> bytes | list[str]:
        """The content of a file, unpacked, or what is wrong with each file that could have been it."""
        faults: list[str] = []
        for path in self._places(root, name):
            if not path.is_file():
                continue
            content = path.read_bytes()
            packed, published = hashlib.md5(content, usedforsecurity=False).hexdigest(), self.md5[name]
            try:
                unpacked = gzip.decompress(content) if content.startswith(GZIP) else content
            except (OSError, EOFError, zlib.error) as error:
                faults.append(
                    f"{path} is not the published file: it is damaged or truncated ({len(content):,} bytes: "
                    f"{error})"
                )
                continue
            inside = hashlib.md5(unpacked, usedforsecurity=False).hexdigest()
            if inside == published[1] or packed == published[0]:
                return unpacked
            faults.append(
                f"{path} is not the published file: the MD5 of its content is {inside}, expected "
                f"{published[1]} ({len(unpacked):,} bytes; truncated, damaged, or another file)"
            )
        return faults

    def _places(self, root: Path, name: str) -> Iterator[Path]:
        """Where a file may lie, and as what: torchvision's layout first."""
        for folder in (root / self.folder / "raw", root / self.folder, root):
            for spelling in dict.fromkeys((name, name.replace("-idx", ".idx"))):
                for within in (folder, folder / name, folder / spelling):
                    yield within / f"{spelling}.gz"
                    yield within / spelling

    def _lacking(self, raw: Path, found: dict[str, bytes | list[str]]) -> str:
        """What is wrong, in one sentence: files that are no good first, else those that are missing."""
        faults = [fault for fault in found.values() if isinstance(fault, list)]
        if wrong := [sentence for fault in faults for sentence in fault]:
            more = f", and {len(wrong) - 1} more are no good" if len(wrong) > 1 else ""
            return f"{wrong[0]}{more}: put the published file in its place, by hand or with --download"
        missing = [name for name, content in found.items() if content == []]
        return (
            f"{raw} lacks {', '.join(missing)} (packed as .gz or not): point --data-root (or "
            f"{DATA_ROOT_VARIABLE}) to a folder that has {self.folder}/raw with these files, "
            "or let them be downloaded with --download"
        )

    def _download(self, root: Path) -> None:
        """Fetches the files to a folder beside, then moves them into place over what was no good."""
        raw = root / self.folder / "raw"
        try:
            source = getattr(import_torchvision().datasets, self.folder, None)
            if source is None:
                raise DataUnavailableError(
                    f"torchvision has no image set {self.folder} to download: copy its files to {raw} by hand"
                )
            raw.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=raw, prefix=".download-") as fresh:
                for train in (True, False):
                    source(fresh, train=train, download=True)
                for name in self.md5:
                    packed = Path(fresh) / self.folder / "raw" / f"{name}.gz"
                    if packed.is_file():
                        packed.replace(raw / packed.name)
        except DataUnavailableError:
            raise
        except (ImportError, OSError, RuntimeError, TypeError) as error:
            raise DataUnavailableError(
                f"torchvision could not download {self.folder} to {root}: {error}. Try again later, or copy "
                f"its files to {raw} by hand"
            ) from error


def parse_idx(content: bytes, path: Path) -> Shaped[np.ndarray, "..."]:
    """The array in an idx file of any of the format's six types; `path` is for the message."""
    kind = KINDS.get(content[2]) if len(content) >= 4 and content[:2] == b"\x00\x00" else None
    if kind is None:
        raise DataUnavailableError(f"{path} is no idx file: it begins with {content[:4].hex(' ')!r}")
    rank, item = content[3], np.dtype(kind)
    start = 4 + 4 * rank
    if len(content) < start:
        raise DataUnavailableError(f"{path} ends within its header, after {len(content)} bytes")
    shape = tuple(int(size) for size in np.frombuffer(content[4:start], dtype=">u4"))
    if len(content) - start != item.itemsize * int(np.prod(shape, dtype=object)):
        raise DataUnavailableError(
            f"{path} announces the shape {shape} of {item.name} but holds {len(content) - start:,} bytes "
            "after its header"
        )
    return (
        np.frombuffer(content, dtype=item, offset=start)
        .reshape(shape)
        .astype(item.newbyteorder("="), copy=False)
    )


mnist = IdxImages(
    folder="MNIST",
    md5={
        "train-images-idx3-ubyte": ("f68b3c2dcbeaaa9fbdd348bbdeb94873", "6bbc9ace898e44ae57da46a324031adb"),
        "train-labels-idx1-ubyte": ("d53e105ee54ea40749a09fcbcd1e9432", "a25bea736e30d166cdddb491f175f624"),
        "t10k-images-idx3-ubyte": ("9fb629c4189551a2d022fa330f9573f3", "2646ac647ad5339dbf082846283269ea"),
        "t10k-labels-idx1-ubyte": ("ec29112dd5afa0611ce80d1b7f02629c", "27ae3e4e09519cfbb04c329615203637"),
    },
    summary="70,000 handwritten digits, from idx files under the data root.",
    source="LeCun, Cortes & Burges 1998",
)
fashion = IdxImages(
    folder="FashionMNIST",
    md5={
        "train-images-idx3-ubyte": ("8d4fb7e6c68d591d4c3dfef9ec88bf0d", "f4a8712d7a061bf5bd6d2ca38dc4d50a"),
        "train-labels-idx1-ubyte": ("25c81989df183df01b3e8a0aad5dffbe", "9018921c3c673c538a1fc5bad174d6f9"),
        "t10k-images-idx3-ubyte": ("bef4ecab320f06d8554ea6380940ec79", "8181f5470baa50b63fa0f6fddb340f0a"),
        "t10k-labels-idx1-ubyte": ("bb300cfdad3c16e7a12a480ee83cd310", "15d484375f8d13e6eb1aabb0c3f46965"),
    },
    summary="70,000 pictures of clothes in ten classes, from idx files under the data root.",
    source="Xiao et al. 2017, arXiv:1708.07747",
)
