"""The perceptions that come with groundcheck; installed packages add theirs by entry point."""

from ...datasets.catalogue import Catalogue

PERCEPTIONS = Catalogue(
    "perception",
    "groundcheck.perceptions",
    {
        "lenet": "groundcheck.grounding.perception.lenet:LeNet",
        "mlp": "groundcheck.grounding.perception.mlp:MLP",
        "hashed": "groundcheck.grounding.perception.hashed:HashedMLP",
        "hypernetwork": "groundcheck.grounding.perception.hypernetwork:GeneratedMLP",
        "resnet18": "groundcheck.grounding.perception.torchvision_models:resnet18",
        "resnet34": "groundcheck.grounding.perception.torchvision_models:resnet34",
        "resnet50": "groundcheck.grounding.perception.torchvision_models:resnet50",
    },
)
