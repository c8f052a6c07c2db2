"""The ids of the checks of a suite, in the order in which they run, for who may not wait for torch.

The registries are where a check is made; a test holds this list against them.
"""

UNTRAINED = (
    "contract/build",
    "contract/shape",
    "contract/dtype",
    "contract/device",
    "contract/range",
    "contract/finite",
    "contract/loss",
    "contract/deterministic",
    "contract/seed",
    "contract/rows",
    "contract/queries",
    "contract/listens",
    "contract/inputs",
    "contract/randomness",
    "contract/modes",
    "contract/state",
    "contract/loss-rows",
    "contract/posterior",
    "contract/equivariance",
    "contract/untrained",
    "contract/reach",
    "contract/saturated",
    "contract/descends",
    "contract/gradient-beliefs",
    "contract/gradient-parameters",
    "contract/gradient-settings",
    "contract/surrogate",
    "leak/labels",
    "leak/images",
    "leak/echo",
    "identifiable",
)
TRAINED = (
    "grounding",
    "reasoning",
    "baseline",
    "ceiling",
    "bypass/shuffle",
    "bypass/permute",
    "bypass/corrupt",
)
NAMES = (*UNTRAINED, *TRAINED)
