"""The one place that imports torchvision."""

import importlib
import sys
from types import ModuleType

import torch

# Signatures of the two operators whose fake kernels torchvision registers when it is imported. They live in
# its compiled part, which does not load where a CUDA build of torchvision stands beside a CPU torch.
MISSING_OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[torch.library.Library] = []  # a library that is collected takes its operators with it


def import_torchvision() -> ModuleType:
    """The module torchvision, also where its CUDA build stands beside a CPU torch.

    There its import fails with `operator torchvision::nms does not exist`. On exactly that error the two
    operators are declared (without kernels: nothing here calls them) and the import is tried again; every
    other error is passed on.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "operator torchvision::nms does not exist" not in str(error) or _declared:
            raise
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]  # what the failed import left behind, half initialised
    library = torch.library.Library("torchvision", "DEF")
    for signature in MISSING_OPERATORS:
        library.define(signature)
    _declared.append(library)
    return importlib.import_module("torchvision")
