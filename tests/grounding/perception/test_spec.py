"""Which perception is meant, what it is built with, and what is refused before anything trains."""

import sys
from types import ModuleType

import pytest
import torch
from torch import nn

from groundcheck.datasets import vision
from groundcheck.datasets.errors import UnknownNameError, UsageError
from groundcheck.grounding.perception import torchvision_models
from groundcheck.grounding.perception.lenet import LeNet
from groundcheck.grounding.perception.mlp import MLP
from groundcheck.grounding.perception.spec import PerceptionBrokenError, PerceptionSpec

GREY = (1, 28, 28)


class Linear(nn.Module):
    def __init__(self, image_shape: tuple[int, int, int], symbols: int, width: int = 3) -> None:
        super().__init__()
        channels, height, width_ = image_shape
        self.layers = nn.Sequential(nn.Linear(channels * height * width_, width), nn.Linear(width, symbols))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layers(images.flatten(1))


class Lazy(nn.Module):
    def __init__(self, image_shape: tuple[int, int, int], symbols: int) -> None:
        super().__init__()
        self.layer = nn.LazyLinear(symbols)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layer(images.flatten(1))


@pytest.fixture(autouse=True)
def _module(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("some_perception")
    module.Linear, module.instance, module.number = Linear, Linear(GREY, 4), 3
    module.raising = lambda image_shape, symbols: 1 / 0
    module.nothing = lambda image_shape, symbols: None
    monkeypatch.setitem(sys.modules, "some_perception", module)


def test_a_name_a_callable_and_a_spec_are_a_perception() -> None:
    assert PerceptionSpec.of("lenet") == PerceptionSpec()
    assert PerceptionSpec().usual
    assert not PerceptionSpec("lenet", {"weights": "a"}).usual
    spec = PerceptionSpec.of(Linear)
    assert (spec.name, spec.ours, spec.portable) == ("Linear", False, True)
    assert not PerceptionSpec.of(lambda shape, symbols: nn.Identity()).portable
    assert PerceptionSpec.of(spec) is spec
    assert PerceptionSpec("torchvision:vgg11").ours
    assert not PerceptionSpec("some_perception:Linear").ours
    named = PerceptionSpec("some_perception:Linear", {"width": 5}).build((3, 8, 9), 4)
    assert named(torch.zeros(2, 3, 8, 9)).shape == (2, 4)
    assert named.layers[0].out_features == 5


@pytest.mark.parametrize(
    ("perception", "told"),
    [
        ("lenot", r"unknown perception 'lenot': did you mean lenet"),
        ("no_such_module:Net", "perception 'no_such_module:Net'"),
        ("some_perception:number", "is a int, not a callable"),
        ("some_perception:instance", "is a Linear, not a callable"),
        ("torchvision:resnet81", "torchvision has no model 'resnet81': did you mean resnet"),
    ],
)
def test_names_that_cannot_be_meant_are_refused(perception: str, told: str) -> None:
    with pytest.raises(UnknownNameError, match=told):
        PerceptionSpec(perception).try_on(GREY, 4)


def test_an_instance_is_told_to_be_a_class() -> None:
    with pytest.raises(UnknownNameError, match="the class itself, not an instance"):
        PerceptionSpec.of(Linear(GREY, 4))
    with pytest.raises(UnknownNameError, match="perception 3: name one"):
        PerceptionSpec.of(3)


def test_what_cannot_be_built_is_told_with_the_shape() -> None:
    with pytest.raises(PerceptionBrokenError, match="for images 3×8×8 and 4 symbols: ZeroDivisionError"):
        PerceptionSpec("some_perception:raising").build((3, 8, 8), 4)
    with pytest.raises(PerceptionBrokenError, match=r"returned a NoneType where an nn.Module"):
        PerceptionSpec("some_perception:nothing").build((3, 8, 8), 4)


def test_lazy_layers_have_their_shapes_once_it_is_built() -> None:
    network = PerceptionSpec.of(Lazy).build((3, 5, 6), 4)
    assert network.layer.weight.shape == (4, 90)


@pytest.mark.parametrize(
    ("name", "shape", "told"),
    [
        ("lenet", (1, 12, 40), "lenet reads images of 16 pixels a side or more, and these are 1×12×40"),
        ("resnet18", (4, 32, 32), "of 1 or 3 channels, and these are 4×32×32"),
        ("torchvision:alexnet", (3, 32, 32), r"'?torchvision:alexnet does not read images of 3×32×32 \("),
        ("torchvision:vit_b_16", (3, 32, 32), "does not read images of 3×32×32"),
    ],
)
def test_images_that_a_perception_does_not_read_are_told_before_training(
    name: str, shape: tuple[int, int, int], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=told):
        PerceptionSpec(name).try_on(shape, 4)


def test_trying_one_draws_no_number_that_training_would_draw() -> None:
    before = torch.get_rng_state()
    PerceptionSpec("mlp").try_on((3, 8, 8), 4)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 16, 16), (2, 45, 90), (3, 128, 64)])
def test_lenet_reads_images_of_any_size(shape: tuple[int, int, int]) -> None:
    network = LeNet(shape, 5)
    assert network(torch.rand(2, *shape)).shape == (2, 5)
    assert 50 <= network.layers[7].in_features <= 50 * 49


def test_lenet_on_grey_28_by_28_is_what_it_was() -> None:
    """Its parameters, drawn in the order of the plain layers, and their names in a state."""
    torch.manual_seed(3)
    network = LeNet(GREY, 7)
    torch.manual_seed(3)
    plain = nn.Sequential(
        nn.Conv2d(1, 20, 5), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(20, 50, 5), nn.MaxPool2d(2), nn.ReLU(),
        nn.Flatten(), nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 7),
    )  # fmt: skip
    assert [*network.state_dict()] == [f"layers.{name}" for name in plain.state_dict()]
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), plain.parameters(), strict=True))
    images = torch.rand(3, *GREY).contiguous(memory_format=torch.channels_last)
    assert torch.equal(network(images), plain.to(memory_format=torch.channels_last)(images))


def test_the_mlp_has_the_layers_that_are_asked_for() -> None:
    widths = [
        layer.out_features
        for layer in MLP((3, 4, 5), 6, hidden=7, layers=3).modules()
        if hasattr(layer, "out_features")
    ]
    assert widths == [7, 7, 7, 6]
    assert MLP((3, 4, 5), 6, layers=0)(torch.rand(2, 3, 4, 5)).shape == (2, 6)
    with pytest.raises(UsageError, match=r"perception mlp takes hidden of 1 .*: hidden=0, layers=2"):
        MLP((3, 4, 5), 6, hidden=0)


def test_a_resnet_begins_small_on_small_images_and_repeats_grey() -> None:
    small = PerceptionSpec("resnet18").build((1, 28, 28), 4).model
    large = PerceptionSpec("resnet18", {"stem": "imagenet"}).build((1, 28, 28), 4).model
    assert (small.conv1.kernel_size, large.conv1.kernel_size) == ((3, 3), (7, 7))
    assert isinstance(small.maxpool, nn.Identity)
    with pytest.raises(UsageError, match="vgg11 has no stem to choose"):
        PerceptionSpec("torchvision:vgg11", {"stem": "small"}).build((3, 32, 32), 4)


def test_images_are_normalised_on_request() -> None:
    network = torchvision_models.ThreeColours(nn.Flatten(), normalise=True)
    expected = [(0.5 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, (0.5 - 0.406) / 0.225]
    assert network(torch.full((1, 1, 1, 1), 0.5))[0].tolist() == pytest.approx(expected)


def test_where_torchvision_is_missing_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ImportError("No module named 'torchvision'")

    monkeypatch.setattr(torchvision_models, "import_torchvision", missing)
    with pytest.raises(UsageError, match="perception resnet18 is torchvision's, which is not installed"):
        PerceptionSpec("resnet18").try_on(GREY, 4)
    assert vision.import_torchvision  # which the other tests go through
