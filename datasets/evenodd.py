"""MNIST-EvenOdd: even digits are only seen with even ones, odd ones with odd ones."""

from dataclasses import dataclass
from typing import ClassVar

from .pair_sum import PairSum
from .task import Split


@dataclass(frozen=True, kw_only=True)
class EvenOdd(PairSum):
    """The sum of two digits, trained on eight pairs that leave the digits unidentified.

    36 maps of the ten digits into 0 … 9 fit all training sums, the true one included: 6 for the even
    digits times 6 for the odd ones. Source: Marconato et al. 2023 (arXiv:2305.19951), as in rsbench
    (Bortolotti et al. 2024, arXiv:2406.10368).
    """

    name: ClassVar[str] = "evenodd"
    version: ClassVar[int] = 1
    source: ClassVar[str] = "Marconato et al. 2023, arXiv:2305.19951; rsbench, arXiv:2406.10368"
    sizes: ClassVar[dict[Split, int]] = {"train": 6720, "validation": 1920, "test": 960, "ood": 5040}
    digits: ClassVar[int] = 10
    pairs: ClassVar[tuple[tuple[int, int], ...]] = (
        (0, 6), (2, 8), (4, 6), (4, 8), (1, 5), (3, 7), (1, 9), (3, 9),
    )  # fmt: skip
