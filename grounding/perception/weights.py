"""Weights for perception from a file that a user names: read as numbers alone, and never fetched."""

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...datasets.errors import UnusableFileError, UsageError
from ...datasets.pictures import told_shape

SAFETENSORS = ".safetensors"
PREFIXES = ("model.", "module.", "layers.")  # around a state, as wrappers put them there


def digest_of(path: str) -> str:
    """SHA-256 of a file. Raises `UnusableFileError` where it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UnusableFileError(f"the file of weights {path} cannot be read: {error.strerror}") from error


def load_weights(module: nn.Module, path: str, name: str) -> None:
    """Puts the weights of a file into a module; its last layer starts anew where outputs differ in number.

    The file is a state that torch saved, read with `weights_only`, or a .safetensors file. Names may lack the
    prefix of a wrapper, or have one.

    Raises:
        UsageError: For weights of another network, naming what does not fit.
        UnusableFileError: For a file that cannot be read.
    """
    state = _read(path)
    wanted = module.state_dict()
    own = _renamed(state, wanted)
    last = _last_layer(module)
    fresh = {key for key in wanted if last and key.rpartition(".")[0] == last}
    skipped = {key for key in fresh if key not in own or own[key].shape[1:] != wanted[key].shape[1:]}
    skipped |= {key for key in fresh & own.keys() if own[key].shape != wanted[key].shape}
    missing = sorted(wanted.keys() - own.keys() - fresh)
    other = sorted(own.keys() - wanted.keys())
    unlike = [k for k in wanted if k in own and k not in fresh and own[k].shape != wanted[k].shape]
    if missing or other or unlike:
        told = [
            *(
                f"{k} is {told_shape(own[k].shape)} and should be {told_shape(wanted[k].shape)}"
                for k in unlike
            ),
            *(f"{k} is missing" for k in missing),
            *(f"{k} has no place" for k in other),
        ]
        more = f", and {len(told) - 2} more" if len(told) > 2 else ""
        raise UsageError(
            f"the weights in {path} are not of perception {name}: {'; '.join(told[:2])}{more}; build the "
            f"network "
            "they were trained in (--set perception.stem=imagenet for torchvision's ResNets)"
        )
    module.load_state_dict({**wanted, **{key: own[key] for key in wanted if key not in skipped}})


def _read(path: str) -> dict[str, Tensor]:
    if not Path(path).is_file():
        raise UnusableFileError(
            f"the file of weights {path} is not there: nothing is downloaded, name a file"
        )
    if path.endswith(SAFETENSORS):
        try:
            from safetensors.torch import load_file  # noqa: PLC0415
        except ImportError as error:
            raise UsageError(
                f"{path} is read by safetensors, which is not installed: pip install "
                f"'groundcheck[safetensors]'"
            ) from error
        try:
            return dict(load_file(path))
        except Exception as error:  # its own error type is compiled
            raise UsageError(f"{path} is no safetensors file, or damaged: {error}") from error
    try:
        loaded: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise UsageError(
            f"{path} is no state of weights alone, or damaged: save it with torch.save(model.state_dict(), …)"
        ) from error
    if isinstance(loaded, Mapping) and isinstance(loaded.get("state_dict"), Mapping):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, Mapping) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise UsageError(f"{path} holds no state_dict: save it with torch.save(model.state_dict(), …)")
    return {str(key): value for key, value in loaded.items()}


def _renamed(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state under the names wanted, where a prefix is all that differs."""
    best = dict(state)
    for prefix in PREFIXES:
        added = {f"{prefix}{key}": value for key, value in state.items()}
        taken = {key.removeprefix(prefix): value for key, value in state.items()}
        best = max(best, added, taken, key=lambda found: len(found.keys() & wanted.keys()))
    return best


def _last_layer(module: nn.Module) -> str:
    """The name of the last layer that has parameters."""
    owners = [
        name for name, part in module.named_modules() if any(True for _ in part.parameters(recurse=False))
    ]
    return owners[-1] if owners else ""
