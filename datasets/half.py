"""MNIST-Half: half of the digits, of which training identifies two."""

from dataclasses import dataclass
from typing import ClassVar

from .pair_sum import PairSum
from .task import Split


@dataclass(frozen=True, kw_only=True)
class Half(PairSum):
    """The sum of two of the digits 0 to 4: training pins 0 and 1 down, but not 2, 3 and 4.

    3 maps of the five digits into 0 … 4 fit all training sums, the true one included. Source: Marconato
    et al. 2024 (BEARS, arXiv:2402.12240), as in rsbench (Bortolotti et al. 2024, arXiv:2406.10368).
    """

    name: ClassVar[str] = "half"
    version: ClassVar[int] = 1
    source: ClassVar[str] = "Marconato et al. 2024, arXiv:2402.12240; rsbench, arXiv:2406.10368"
    sizes: ClassVar[dict[Split, int]] = {"train": 2940, "validation": 840, "test": 420, "ood": 1080}
    digits: ClassVar[int] = 5
    pairs: ClassVar[tuple[tuple[int, int], ...]] = ((0, 0), (0, 1), (2, 3), (2, 4))
