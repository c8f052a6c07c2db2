"""Perceptions with a fault of a known size: the figure is that size, and the bound holds."""

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from groundcheck.datasets.images import load_images
from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding.checks.finding import Finding
from groundcheck.grounding.checks.perception import Reader, check_perception, perception, read_logits
from groundcheck.grounding.perception.spec import PerceptionSpec

IMAGES = torch.rand(12, 2, 3, 4, generator=torch.Generator().manual_seed(0))


class Known(nn.Module):
    """Logits of which the largest is 4 in absolute value, changed by `spoil`."""

    spoil: ClassVar[Callable[["Known", Tensor, Tensor], Any]] = staticmethod(
        lambda self, logits, images: logits
    )

    def __init__(self, image_shape: tuple[int, int, int], symbols: int) -> None:
        super().__init__()
        assert image_shape == IMAGES.shape[1:]
        self.weight = nn.Parameter(torch.ones(()))
        self.bias = nn.Parameter(torch.zeros(()))
        self.symbols = symbols
        self.calls = 0

    def forward(self, images: Tensor) -> Any:
        rows = images.flatten(1)[:, : self.symbols] - 4.0  # from −4 to −3
        logits = self.weight * torch.cat([rows[:, :-1], torch.full_like(rows[:, :1], 4.0)], 1) + self.bias
        return type(self).spoil(self, logits, images)


def found(
    check: str, spoil: Callable[..., Any] | None = None, images: Tensor = IMAGES, symbols: int = 5
) -> Finding:
    members = {"spoil": staticmethod(spoil)} if spoil else {}
    network = type("Spoilt", (Known,), members)
    return perception[check].run(Reader(PerceptionSpec.of(network), symbols, images))


def test_what_is_not_spoilt_passes_with_what_it_says() -> None:
    for check in perception.checks:
        assert found(check.id).status == "pass", check.id
    assert found("shape").reason == "(12, 5) logits of 2×3×4 images, and of a single one"
    assert found("gradient").reason == "a finite gradient reaches all of 2 parameters"
    assert found("logits").reason.endswith(" to 4")
    assert found("build").reason.endswith("was built for images 2×3×4")
    assert found("rows").figure == found("modes").figure == 0


@pytest.mark.parametrize(("size", "status"), [(0.9e-4, "pass"), (1.1e-4, "fail")])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda size, n: (n > 1) * size * torch.ones(n, 1),  # with others beside
        lambda size, n: size / 11 * torch.arange(n)[:, None],  # by its place
        lambda size, n: torch.where(torch.arange(n)[:, None] == 7, (n > 1) * size, 0.0),  # the eighth alone
        lambda size, n: torch.where(torch.arange(n)[:, None] % (n - 1 or 1) == 0, (n > 1) * size, 0.0),
    ],
    ids=["beside", "place", "eighth", "ends"],
)
def test_rows_move_relative_to_the_largest_logit(spoil: Callable, size: float, status: str) -> None:
    rows = found("rows", lambda _, logits, images: logits + 4 * spoil(size, len(images)))
    assert (rows.status, rows.bound) == (status, 1e-4)
    assert rows.figure == pytest.approx(size, rel=0.02)


@pytest.mark.parametrize(
    ("sums", "status"),
    [
        ([1.0], "fail"),
        ([1 + 0.8e-4], "fail"),
        ([1 + 1.2e-4], "pass"),
        ([1 - 1.2e-4], "pass"),
        ([1.0, 1.01], "pass"),
        ([1.0, 0.5], "pass"),
    ],
)
@pytest.mark.parametrize("logarithms", [False, True])
def test_what_adds_up_to_one_in_every_row_is_told(sums: list[float], status: str, logarithms: bool) -> None:
    def spoil(_: Known, logits: Tensor, images: Tensor) -> Tensor:
        share = logits.double().softmax(-1)
        row = torch.tensor([sums[min(n, len(sums) - 1)] for n in range(len(images))], dtype=torch.float64)
        share = share * row[:, None] + 0 * images.sum()
        return (share.log() if logarithms else share).to(images)

    logits = found("logits", spoil)
    assert logits.status == ("pass" if logarithms else status)
    logarithm = status == "fail" and logarithms
    assert ("logarithms of probabilities" in logits.reason) == logarithm


def test_a_sure_row_has_a_logarithm_of_zero() -> None:
    sure = found("logits", lambda _, logits, images: torch.log(torch.eye(5)[[0] * 12].clamp_min(1e-30)))
    assert "logarithms of probabilities" in sure.reason


def test_probabilities_below_zero_are_none() -> None:
    def spoil(_: Known, logits: Tensor, images: Tensor) -> Tensor:
        share = logits.softmax(-1)
        return torch.cat([share[:, :-1] - 0.3, share[:, -1:] + 1.2], -1)

    assert found("logits", spoil).status == "pass"
    above = found("logits", lambda _, logits, images: logits.softmax(-1).log() + 0.1)
    assert above.reason.startswith("from ")


def test_calls_that_differ_in_evaluation_are_measured_and_buffers_named() -> None:
    def drifts(network: Known, logits: Tensor, images: Tensor) -> Tensor:
        network.calls += 1
        return logits - (0.0 if network.training else 0.25 * network.calls)

    modes = found("modes", drifts)
    assert (modes.status, modes.figure, modes.bound) == ("fail", pytest.approx(0.25), 0.0)
    assert modes.reason == "logits differ by 0.25 from call to call, and nothing in it changes"

    def counts(network: Known, logits: Tensor, images: Tensor) -> Tensor:
        if not network.training:
            network.bias.data += 0.5
        return logits

    changed = found("modes", counts)
    assert (changed.status, changed.reason) == ("fail", "a call in evaluation changed bias")
    assert changed.figure == pytest.approx(0.5)
    restless = found("modes", lambda network, logits, images: logits * (1 + network.training * torch.rand(1)))
    assert restless.status == "pass"


def raising(when: Callable[[Known, Tensor], bool]) -> Callable[..., Tensor]:
    def spoil(network: Known, logits: Tensor, images: Tensor) -> Tensor:
        if when(network, images):
            raise ValueError("not like this")
        return logits

    return spoil


@pytest.mark.parametrize(
    ("check", "when", "said"),
    [
        (
            "shape",
            lambda n, x: len(x) == 1,
            "in evaluation on one image 2×3×4 it raised ValueError: not like",
        ),
        ("shape", lambda n, x: len(x) > 1, "in evaluation on 12 images 2×3×4 it raised ValueError: not like"),
        (
            "shape",
            lambda n, x: n.training,
            "in training on 12 images 2×3×4 it raised ValueError: not like this",
        ),
        ("dtype", lambda n, x: x.dtype == torch.float64, "on torch.float64 images it raised ValueError: not"),
    ],
)
def test_where_it_raises_is_told_with_its_traceback(check: str, when: Callable, said: str) -> None:
    told = found(check, raising(when))
    assert told.status == "fail"
    assert told.reason.startswith(said)
    assert "raise ValueError" in told.traceback


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda n, x, i: x[:, :4], "in evaluation it returned the shape (12, 4) for 12 images where"),
        (lambda n, x, i: x.squeeze(0), "in evaluation it returned the shape (5,) for one image where (1, 5)"),
        (lambda n, x, i: x.masked_fill(x > 3, torch.inf), "in evaluation it returned numbers that"),
        (
            lambda n, x, i: torch.where(torch.arange(12)[:, None] == 11, torch.nan, x) if n.training else x,
            "in training it returned numbers that are not finite",
        ),
        (
            lambda n, x, i: n.register_parameter("late", nn.Parameter(torch.ones(1))) or x,
            "its call made the parameter late, which no optimiser then trains",
        ),
    ],
)  # fmt: skip
def test_what_is_no_table_of_logits_is_told(spoil: Callable, said: str) -> None:
    told = found("shape", spoil)
    assert (told.status, told.reason.startswith(said)) == ("fail", True), told.reason


def test_the_two_dtypes_are_named() -> None:
    told = [found("dtype", lambda n, x, i, t=t: x.to(t)) for t in (torch.float32, torch.float64)]
    assert [t.reason for t in told] == [
        "it returned torch.float32 for torch.float64 images",
        "it returned torch.float64 for torch.float32 images",
    ]  # fmt: skip
    assert {t.status for t in told} == {"fail"}


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda n, x, i: x.detach(), "its logits are cut off from its parameters"),
        (lambda n, x, i: x.detach() * n.weight, "1 of 2 parameters get no gradient, bias among them"),
        (lambda n, x, i: x.detach() + n.bias * 0 + n.weight * 0, "every gradient is zero"),
        (lambda n, x, i: x + n.bias - n.bias.detach(), "pass"),
        (lambda n, x, i: x.detach() + n.weight * n.bias.detach(), "1 of 2 parameters get no gradient, bias"),
        (lambda n, x, i: x + (n.weight - 1).abs().sqrt(), "the gradient of weight is not finite"),
        (lambda n, x, i: x.detach() + torch.arange(5) * n.weight + 0 * n.bias, "pass"),  # one is not zero
    ],
)  # fmt: skip
def test_what_the_gradient_lacks_is_told(spoil: Callable, said: str) -> None:
    told = found("gradient", spoil)
    assert told.status == ("pass" if said == "pass" else "fail"), told.reason
    if said != "pass":
        assert told.reason.startswith(said)


def test_who_asks_for_no_gradient_learns_nothing() -> None:
    class Frozen(Known):
        def __init__(self, image_shape: tuple[int, int, int], symbols: int) -> None:
            super().__init__(image_shape, symbols)
            self.requires_grad_(False)

    frozen = perception["gradient"].run(Reader(PerceptionSpec.of(Frozen), 5, IMAGES))
    assert frozen.reason == "it has no parameter that asks for a gradient: nothing in it learns"

    class HalfFrozen(Known):
        def __init__(self, image_shape: tuple[int, int, int], symbols: int) -> None:
            super().__init__(image_shape, symbols)
            self.bias.requires_grad_(False)

    half = perception["gradient"].run(Reader(PerceptionSpec.of(HalfFrozen), 5, IMAGES))
    assert half.reason == "a finite gradient reaches all of 1 parameters"


def test_networks_are_for_one_check_alone_and_start_alike() -> None:
    class Drawn(Known):
        def __init__(self, image_shape: tuple[int, int, int], symbols: int) -> None:
            super().__init__(image_shape, symbols)
            self.weight = nn.Parameter(torch.rand(()))

    torch.manual_seed(5)
    before = torch.get_rng_state()
    readers = [Reader(PerceptionSpec.of(Drawn), 5, IMAGES) for _ in range(2)]
    one, other = (reader.network() for reader in readers)
    assert torch.equal(torch.get_rng_state(), before)
    assert one.weight == other.weight
    assert one is not readers[0].network()
    assert (one.training, readers[0].network(training=True).training) == (False, True)


def test_one_entry_of_a_gradient_that_is_no_number_is_enough() -> None:
    class Two(Known):
        def __init__(self, image_shape: tuple[int, int, int], symbols: int) -> None:
            super().__init__(image_shape, symbols)
            self.many = nn.Parameter(torch.tensor([1.0, 2.0]))

        def forward(self, images: Tensor) -> Tensor:
            return super().forward(images) * (self.many - 1).abs().sqrt().sum()

    told = perception["gradient"].run(Reader(PerceptionSpec.of(Two), 5, IMAGES))
    assert told.reason == "the gradient of many is not finite"


def test_perception_is_built_alike_whatever_was_drawn_before() -> None:
    class Drawn(Known):
        def __init__(self, image_shape: tuple[int, int, int], symbols: int) -> None:
            super().__init__(image_shape, symbols)
            self.weight.data = torch.rand(())

    weights: list[float] = []
    for seed in (1, 2):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            reader = Reader(PerceptionSpec.of(Drawn), 5, IMAGES)
            weights.append(reader.network().state_dict()["weight"].item())
    assert weights[0] == weights[1]


def test_logits_that_are_zero_together_move_by_what_they_are_alone() -> None:
    alone = found("rows", lambda _, logits, images: 0 * logits + (len(images) == 1))
    assert (alone.status, alone.figure) == ("fail", 1.0)


def test_a_factory_that_raises_is_told_with_its_own_traceback() -> None:
    def broken(image_shape: tuple[int, int, int], symbols: int) -> nn.Module:
        raise KeyError("width")

    told = perception["build"].run(Reader(PerceptionSpec.of(broken), 5, IMAGES))
    assert told.status == "fail"
    assert "KeyError: 'width'" in told.traceback
    assert "in broken" in told.traceback
    assert "direct cause" not in told.traceback


def test_images_are_taken_from_the_first_to_the_last() -> None:
    seen: list[Tensor] = []

    class Looks(Known):
        def __init__(self, image_shape: tuple[int, int, int], symbols: int) -> None:
            nn.Module.__init__(self)
            self.weight = nn.Parameter(torch.ones(symbols))

        def forward(self, images: Tensor) -> Tensor:
            seen.append(images)
            return images.mean((1, 2, 3))[:, None] * self.weight

    digits = load_images("digits")
    list(check_perception(PerceptionSpec.of(Looks), Mapping(symbols=3), digits, batch=6))
    largest = next(images for images in seen if len(images) > 1)
    pictures = digits.train.gallery.gather(torch.arange(len(digits.train.gallery)))
    assert len(largest) == 6
    assert torch.equal(largest[0], pictures[0])
    assert torch.equal(largest[-1], pictures[-1])


def test_logarithms_above_zero_in_one_entry_are_none() -> None:
    for largest, begins in ((-5e-5, "logarithms of probabilities"), (5e-5, "from ")):
        sure = torch.tensor([largest, *[-30.0] * 4])
        logits = found("logits", lambda n, logits, images, sure=sure: sure.expand(len(images), 5))
        assert logits.reason.startswith(begins)


def test_the_gradient_is_that_of_training() -> None:
    cut = found("gradient", lambda n, logits, images: logits.detach() if n.training else logits)
    assert cut.reason == "its logits are cut off from its parameters"


def test_a_probability_of_nothing_is_one_too() -> None:
    sure = torch.eye(5)[[0] * 12]
    assert found("logits", lambda n, logits, images: sure[: len(images)]).status == "fail"


def test_a_gradient_of_one_entry_reaches_a_parameter() -> None:
    class Two(Known):
        def __init__(self, image_shape: tuple[int, int, int], symbols: int) -> None:
            super().__init__(image_shape, symbols)
            del self.weight, self.bias
            self.many = nn.Parameter(torch.tensor([1.0, 2.0]))

        def forward(self, images: Tensor) -> Tensor:
            return images.flatten(1)[:, :5] * self.many[0] + 0 * self.many[1]

    assert perception["gradient"].run(Reader(PerceptionSpec.of(Two), 5, IMAGES)).status == "pass"


def test_two_images_are_images() -> None:
    told = found("shape", lambda n, x, i: x[:, :4], images=IMAGES[:2])
    assert "for 2 images where (2, 5) was expected" in told.reason


def test_eight_images_are_shown_one_by_one() -> None:
    sizes: list[int] = []
    assert found("rows", lambda n, x, i: (sizes.append(len(i)), x)[1]).status == "pass"
    assert sizes == [12, 12, *[1] * 8]


def test_a_call_draws_from_one_state_of_the_generator_whatever_was_drawn_before() -> None:
    figures = []
    for before in (1, 2):
        torch.manual_seed(before)
        figures.append(found("modes", lambda n, x, i: x + torch.rand(1)).figure)
    assert figures[0] == figures[1]


def test_logits_are_read_from_one_state_of_the_generator() -> None:
    draws: Any = nn.Dropout(0.5)
    read = []
    for before in (1, 2):
        torch.manual_seed(before)
        read.append(read_logits(draws, IMAGES))
    assert torch.equal(*read)
