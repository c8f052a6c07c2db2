"""The contract of perception: a network that reads images, tried on some of them without training it."""

import copy
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ...datasets.image_set import ImageSet
from ...datasets.task import Task
from ..perception.spec import PerceptionSpec
from ..trials.training import Training
from .contract.global_state import each_with_kept_state
from .finding import Finding, Status
from .registry import FailCheckError, Measurement, Registry, Result, failed, passed

ROUNDING = 1e-4  # as of solvers: a product of another size adds up in another order
SURE = 1e-4  # how near to 1 the logits of every image add up where they are no logits


@dataclass
class Reader:
    """A perception under examination, and the images that it is tried on: some that training shows it."""

    spec: PerceptionSpec
    symbols: int
    images: Float[Tensor, "images channels height width"]

    @cached_property
    def _built(self) -> nn.Module:
        _, *shape = self.images.shape
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return self.spec.build((shape[0], shape[1], shape[2]), self.symbols).to(self.images.device)

    def network(self, *, training: bool = False) -> nn.Module:
        """One that nothing else uses: what a check does to it, no other check sees."""
        return copy.deepcopy(self._built).train(training)


perception: Registry[Reader] = Registry("perception", place=45)


def check_perception(
    spec: PerceptionSpec,
    task: Task,
    images: ImageSet,
    *,
    batch: int = Training.batch,
    label: str | None = None,
    known: Mapping[str, Status] | None = None,
    starting: Callable[[str], None] = lambda _: None,
) -> Iterator[Finding]:
    """Every check of a perception on images of a set, without training; `known` are those that ran already.

    `batch` is how many images it is shown at once; `label` is what the task is called beside others of its
    name.
    """
    gallery = images.train.gallery
    rows = torch.linspace(0, len(gallery) - 1, min(batch, len(gallery))).long().to(gallery.pictures.device)
    reader = Reader(spec, len(task.drawn(seed=0).classes), gallery.gather(rows))
    running = perception.run(reader, label or task.name, known=known, starting=starting)
    yield from each_with_kept_state(running)


def read_logits(network: nn.Module, images: Tensor) -> Tensor:
    """Logits of copies of the images, from one state of the global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return network(images.clone())


@perception.check("build", decides=True)
def check_build(reader: Reader) -> Result:
    """Perception can be built for the shape of the images and the number of symbols.

    Failure: the factory raised, or returned something else than an `nn.Module`, or the file of weights is of
    another network.

    Remedy: The factory takes `(image_shape, symbols)`, where `image_shape` is (channels, height, width), and
    its options; try it by hand with the shape that the reason names.
    """
    try:
        reader.network()
    except Exception as error:
        raised = "".join(traceback.format_exception(error.__cause__ or error))
        raise FailCheckError(str(error), traceback=raised) from error
    return passed(f"{reader.spec.told} was built for images {_told(reader.images)}")


@perception.check("shape", needs=["build"], decides=True)
def check_shape(reader: Reader) -> Result:
    """It returns one tensor (images, symbols) of finite logits, of many images and of one, and in training.

    Failure: the network raised, or returned another form, numbers that are not finite, or made a parameter
    while it was called.

    Remedy: Return one tensor (images, symbols), without a second head and without dropping the axis of the
    images; scale the images where the network wants larger ones (`folder:PATH?size=…`).
    """
    for images, training in ((reader.images, False), (reader.images[:1], False), (reader.images, True)):
        network = reader.network(training=training)
        built = {name for name, _ in network.named_parameters()}
        mode = "in training" if training else "in evaluation"
        asked = f"{len(images)} images" if len(images) > 1 else "one image"
        try:
            with torch.no_grad():
                logits: Any = read_logits(network, images)
        except Exception as error:
            raised = f"{mode} on {asked} {_told(images)} it raised {type(error).__name__}: {error}"
            raise FailCheckError(raised, traceback=traceback.format_exc()) from error
        if not isinstance(logits, Tensor):
            return failed(f"{mode} it returned a {type(logits).__name__}, not a tensor")
        came, fits = tuple(logits.shape), (len(images), reader.symbols)
        if came != fits:
            return failed(f"{mode} it returned the shape {came} for {asked} where {fits} was expected")
        if not bool(logits.isfinite().all()):
            return failed(f"{mode} it returned numbers that are not finite")
        if late := sorted({name for name, _ in network.named_parameters()} - built):
            return failed(f"its call made the parameter {late[0]}, which no optimiser then trains")
    return passed(f"{tuple(logits.shape)} logits of {_told(reader.images)} images, and of a single one")


@perception.check("logits", needs=["shape"], decides=True)
def check_logits(reader: Reader) -> Result:
    """It returns logits, and not the probabilities that the harness makes of them.

    Probabilities that go through a softmax once more end between 0.1 and 0.23 for ten symbols: no belief can
    become sure, and no gradient grows.

    Failure: every row is between 0 and 1 and adds up to 1.

    Remedy: Take the softmax off the last layer.
    """
    with torch.no_grad():
        logits = read_logits(reader.network(), reader.images).double()
    sums = logits.sum(1)
    if bool((logits >= 0).all()) and float((sums - 1).abs().max()) < SURE:
        return failed("every row is between 0 and 1 and adds up to 1: these are probabilities")
    if bool((logits <= 0).all()) and float((logits.exp().sum(1) - 1).abs().max()) < SURE:
        return passed("logarithms of probabilities, which are logits as well")
    return passed(f"from {float(logits.min()):.3g} to {float(logits.max()):.3g}")


@perception.check("rows", needs=["shape"], at_most=ROUNDING)
def check_rows(reader: Reader) -> Measurement:
    """What is read on an image does not depend on the others that are shown with it, in evaluation.

    Failure: the figure is the largest change of a logit when images are reversed or shown one by one, as a
    share of the largest logit. Accuracy then depends on how the test images were cut into batches.

    Remedy: Look for statistics over the batch that `eval()` does not freeze, and for a reshape that mixes
    the axis of the images with others.
    """
    with torch.no_grad():
        network = reader.network()
        together = read_logits(network, reader.images)
        reverse = read_logits(network, reader.images.flip(0)).flip(0)
        single = torch.cat([read_logits(network, image[None]) for image in reader.images[:8]])
    size = float(together.abs().max()) or 1.0
    moved = max(
        float((together - reverse).abs().max()), float((together[: len(single)] - single).abs().max())
    )
    return Measurement(
        moved / size, f"logits move by {moved / size:.2g} of the largest with other images beside"
    )


@perception.check("modes", needs=["shape"], at_most=0.0)
def check_modes(reader: Reader) -> Measurement:
    """After `eval()` it draws no random numbers and changes nothing in itself, whatever it does in training.

    Failure: the figure is the largest difference of a logit between two calls, or of a buffer before and
    after. What is scored is then not what was trained.

    Remedy: Use nn.Dropout and nn.BatchNorm2d, which heed `eval()`, in place of their functional forms
    without `training=self.training`.
    """
    network = reader.network()
    before = copy.deepcopy(network.state_dict())
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        first, second = network(reader.images.clone()), network(reader.images.clone())
    moved = float((first - second).abs().max())
    changed = [
        name
        for name, value in network.state_dict().items()
        if isinstance(value, Tensor) and not torch.equal(value, before[name])
    ]
    if changed:
        raise FailCheckError(f"a call in evaluation changed {changed[0]}", moved)
    return Measurement(moved, f"logits differ by {moved:.2g} from call to call, and nothing in it changes")


@perception.check("dtype", needs=["shape"], decides=True)
def check_dtype(reader: Reader) -> Result:
    """Logits have the dtype of the images: float32 in and out, float64 in and out.

    Failure: the names of the two dtypes, or what the network raised.

    Remedy: Register constants as buffers, and cast nothing inside.
    """
    with torch.no_grad():
        for images, network in (
            (reader.images, reader.network()),
            (reader.images.double(), reader.network().double()),
        ):
            try:
                came = read_logits(network, images).dtype
            except Exception as error:
                raised = f"on {images.dtype} images it raised {type(error).__name__}: {error}"
                raise FailCheckError(raised, traceback=traceback.format_exc()) from error
            if came != images.dtype:
                return failed(f"it returned {came} for {images.dtype} images")
    return passed("float32 in and out, float64 in and out")


@perception.check("gradient", needs=["shape"], decides=True)
def check_gradient(reader: Reader) -> Result:
    """In training a finite gradient reaches every parameter that asks for one.

    Failure: some parameter gets no gradient, or one that is not finite, or all of them get zeros. Perception
    then learns nothing, or not with all of itself.

    Remedy: Look for `detach()`, `no_grad()`, a conversion to NumPy or an argmax; give parameters that are to
    stay as they are `requires_grad=False`.
    """
    network = reader.network(training=True)
    own = {name: p for name, p in network.named_parameters() if p.requires_grad}
    if not own:
        return failed("it has no parameter that asks for a gradient: nothing in it learns")
    labels = torch.arange(len(reader.images), device=reader.images.device) % reader.symbols
    logits = read_logits(network, reader.images)
    if not logits.requires_grad:
        return failed("its logits are cut off from its parameters")
    nn.functional.cross_entropy(logits, labels).backward()
    without = sorted(name for name, p in own.items() if p.grad is None)
    if without:
        return failed(f"{len(without)} of {len(own)} parameters get no gradient, {without[0]} among them")
    wrong = sorted(name for name, p in own.items() if p.grad is not None and not p.grad.isfinite().all())
    if wrong:
        return failed(f"the gradient of {wrong[0]} is not finite")
    if not any(p.grad is not None and bool(p.grad.any()) for p in own.values()):
        return failed("every gradient is zero")
    return passed(f"a finite gradient reaches all of {len(own)} parameters")


def _told(images: Tensor) -> str:
    return "×".join(map(str, images.shape[1:]))
