"""Weights from a file that a user names: what is taken, what starts anew, and what is refused."""

import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from groundcheck.datasets.errors import UnusableFileError, UsageError
from groundcheck.grounding.perception.lenet import LeNet
from groundcheck.grounding.perception.mlp import MLP
from groundcheck.grounding.perception.spec import PerceptionSpec
from groundcheck.grounding.perception.weights import digest_of

SHAPE = (1, 16, 16)


def saved(path: Path, content: object) -> dict[str, str]:
    torch.save(content, path)
    return {"weights": str(path)}


@pytest.mark.parametrize("wrap", ["", "module.", "layers."])
def test_weights_are_those_of_the_file_whatever_wrapped_them(tmp_path: Path, wrap: str) -> None:
    state = LeNet(SHAPE, 4).state_dict()
    written = {f"{wrap}{key}" if wrap != "layers." else key.removeprefix(wrap): v for key, v in state.items()}
    network = PerceptionSpec("lenet", saved(tmp_path / "w.pt", written)).build(SHAPE, 4)
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    nested = PerceptionSpec("lenet", saved(tmp_path / "n.pt", {"state_dict": written, "epoch": 3}))
    assert torch.equal(next(nested.build(SHAPE, 4).parameters()), next(iter(state.values())))


def test_a_last_layer_of_other_outputs_starts_anew(tmp_path: Path) -> None:
    state = MLP(SHAPE, 1000, hidden=8).state_dict()
    spec = PerceptionSpec("mlp", {"hidden": 8, **saved(tmp_path / "w.pt", state)})
    torch.manual_seed(0)
    network = spec.build(SHAPE, 4)
    torch.manual_seed(0)
    fresh = MLP(SHAPE, 4, hidden=8)
    found = network.state_dict()
    assert torch.equal(found["layers.1.weight"], state["layers.1.weight"])
    assert torch.equal(found["layers.5.weight"], fresh.state_dict()["layers.5.weight"])
    del state["layers.5.weight"], state["layers.5.bias"]
    headless = PerceptionSpec("mlp", {"hidden": 8, **saved(tmp_path / "h.pt", state)})
    assert headless.build(SHAPE, 4).layers[-1].out_features == 4


def test_weights_of_another_network_are_refused_with_what_does_not_fit(tmp_path: Path) -> None:
    state = MLP(SHAPE, 4, hidden=9).state_dict()
    spec = PerceptionSpec("mlp", {"hidden": 8, **saved(tmp_path / "w.pt", state)})
    with pytest.raises(UsageError, match=r"perception mlp: layers.1.weight is 9×256 and should be 8×256"):
        spec.try_on(SHAPE, 4)
    spec = PerceptionSpec("lenet", saved(tmp_path / "v.pt", {"conv.weight": torch.zeros(2)}))
    with pytest.raises(UsageError, match=r"layers.0.bias is missing; layers.0.weight is missing, and"):
        spec.try_on(SHAPE, 4)


def test_files_that_are_no_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableFileError, match="is not there: nothing is downloaded, name a file"):
        PerceptionSpec("mlp", {"weights": str(tmp_path / "none.pt")}).try_on(SHAPE, 4)
    with pytest.raises(UsageError, match="no state of weights alone, or damaged"):
        PerceptionSpec("mlp", saved(tmp_path / "whole.pt", nn.Linear(2, 2))).try_on(SHAPE, 4)
    with pytest.raises(UsageError, match=r"holds no state_dict: save it with torch\.save"):
        PerceptionSpec("mlp", saved(tmp_path / "list.pt", [1, 2])).try_on(SHAPE, 4)
    (tmp_path / "text.pt").write_text("no weights")
    with pytest.raises(UsageError, match="no state of weights alone, or damaged"):
        PerceptionSpec("mlp", {"weights": str(tmp_path / "text.pt")}).try_on(SHAPE, 4)


class Runs:
    """What would run code when it is read."""

    def __reduce__(self) -> tuple:
        return Path.touch, (Path("was_run"),)


def test_nothing_in_a_file_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("evil.pt").write_bytes(pickle.dumps(Runs(), protocol=2))
    with pytest.raises(UsageError, match="no state of weights alone"):
        PerceptionSpec("mlp", {"weights": "evil.pt"}).try_on(SHAPE, 4)
    assert not Path("was_run").exists()


def test_safetensors_are_read_where_the_package_is_installed(tmp_path: Path) -> None:
    torch_format = pytest.importorskip("safetensors.torch", reason="safetensors is not installed")
    state = MLP(SHAPE, 4, hidden=8).state_dict()
    torch_format.save_file(state, tmp_path / "w.safetensors")
    spec = PerceptionSpec("mlp", {"hidden": 8, "weights": str(tmp_path / "w.safetensors")})
    assert torch.equal(spec.build(SHAPE, 4).layers[1].weight, state["layers.1.weight"])
    (tmp_path / "bad.safetensors").write_text("no weights")
    with pytest.raises(UsageError, match="is no safetensors file, or damaged"):
        PerceptionSpec("mlp", {"weights": str(tmp_path / "bad.safetensors")}).try_on(SHAPE, 4)


def test_where_safetensors_is_missing_that_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "safetensors.torch", None)
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"")
    with pytest.raises(UsageError, match=r"pip install 'groundcheck\[safetensors\]'"):
        PerceptionSpec("mlp", {"weights": str(path)}).try_on(SHAPE, 4)


def test_the_content_of_the_file_is_part_of_the_record(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    spec = PerceptionSpec("mlp", saved(path, MLP(SHAPE, 4).state_dict()))
    first = spec.record
    assert first == {
        "name": "mlp",
        "options": {"weights": str(path)},
        "files": {"weights": digest_of(str(path))},
    }
    saved(path, MLP(SHAPE, 4).state_dict())
    assert spec.record["files"] != first["files"]
    with pytest.raises(UnusableFileError, match="cannot be read"):
        digest_of(str(tmp_path))
