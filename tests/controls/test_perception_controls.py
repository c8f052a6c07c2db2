"""Every broken perception is caught by the checks that were made for it, and by no other; sound ones pass."""

import gallery_perception as gallery
import numpy as np
import pytest

from groundcheck.datasets.image_set import ImageSet
from groundcheck.datasets.image_source import ImageSource
from groundcheck.datasets.images import load_images
from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.pictures import Pictures
from groundcheck.grounding.checks.contract.contract import contract
from groundcheck.grounding.checks.finding import Finding
from groundcheck.grounding.checks.perception import check_perception, perception
from groundcheck.grounding.engines.children import Limits
from groundcheck.grounding.engines.errands import examine
from groundcheck.grounding.engines.inspection import Inspection
from groundcheck.grounding.perception.spec import PerceptionSpec
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training

TASK = Mapping(symbols=4)


def colours() -> Pictures:
    pixels = np.random.default_rng(0).integers(0, 256, (160, 3, 6, 6), np.uint8)
    return Pictures(pixels, np.arange(160) % 4)


@pytest.fixture(scope="module")
def images() -> ImageSet:
    return load_images("colours", source=colours)


def failing(findings: list[Finding]) -> set[str]:
    return {f.check for f in findings if f.status in ("fail", "error")}


@pytest.mark.parametrize("network", gallery.GALLERY, ids=lambda network: network.__name__)
def test_a_broken_perception_is_caught_by_its_check_and_no_other(network: type, images: ImageSet) -> None:
    findings = list(check_perception(PerceptionSpec.of(network), TASK, images))
    assert failing(findings) == network.caught_by, [(f.check, f.status, f.reason) for f in findings]
    assert len(findings) == len(perception.checks)
    assert all(f.remedy for f in findings if f.status == "fail")
    assert not [f for f in findings if f.status == "error"]


@pytest.mark.parametrize("network", gallery.SOUND, ids=lambda network: network.__name__)
def test_a_sound_perception_passes_everything(network: type, images: ImageSet) -> None:
    findings = list(check_perception(PerceptionSpec.of(network), TASK, images))
    assert [f.status for f in findings] == ["pass"] * len(perception.checks), findings


@pytest.mark.parametrize("name", ["lenet", "mlp", "resnet18", "torchvision:shufflenet_v2_x0_5"])
def test_those_that_come_with_groundcheck_pass_on_digits(name: str) -> None:
    findings = list(check_perception(PerceptionSpec(name), TASK, load_images("digits"), batch=8))
    assert not failing(findings), [f for f in findings if f.status != "pass"]


def test_the_gallery_leaves_no_check_untried() -> None:
    caught = set().union(*(network.caught_by for network in gallery.GALLERY))
    assert caught == {check.id for check in perception.checks}


def test_what_cannot_be_trained_is_not_looked_at_for_leaks() -> None:
    spec = PerceptionSpec("gallery_perception:HasTooFewOutputs")
    inspection = Inspection(SolverSpec("mlp"), TASK, Training(), ImageSource(), perception=spec)
    found = list(inspection.findings(known=dict.fromkeys(_contract_ids(), "pass")))
    assert failing(found) == {"perception/shape"}
    assert not [f for f in found if f.family == "leak"]


def test_a_perception_that_ends_its_process_costs_one_check() -> None:
    spec = PerceptionSpec("gallery_perception:ExitsTheProcess")
    inspection = Inspection(SolverSpec("mlp"), TASK, Training(), ImageSource(), perception=spec)
    known = dict.fromkeys(_contract_ids(), "pass")
    found = {f.check: f for f in examine(inspection, Limits(60.0), known)}
    assert found["perception/shape"].status == "error"
    assert "exit status 3" in found["perception/shape"].reason
    assert found["perception/rows"].status == "skip"


def _contract_ids() -> list[str]:
    return [check.id for check in contract.checks]
