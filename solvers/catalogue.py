"""The solvers that come with groundcheck; installed packages add theirs by entry point."""

from ..datasets.catalogue import Catalogue

SOLVERS = Catalogue(
    "solver",
    "groundcheck.solvers",
    {
        "mlp": "groundcheck.solvers.neural:MLP",
        "transformer": "groundcheck.solvers.attention:Transformer",
        "satnet": "groundcheck.solvers.satnet:SATNet",
        "recurrent-transformer": "groundcheck.solvers.attention:RecurrentTransformer",
        "rrn": "groundcheck.solvers.rrn:RRN",
        "grounded-satnet": "groundcheck.solvers.grounded_satnet:GroundedSATNet",
        "acquired": "groundcheck.solvers.acquired:Acquired",
        "e-npll": "groundcheck.solvers.npll:ENPLL",
        "exact": "groundcheck.solvers.exact:Exact",
        "conditional": "groundcheck.solvers.abductive:Conditional",
        "semantic-loss": "groundcheck.solvers.semantic:SemanticLoss",
        "fuzzy": "groundcheck.solvers.fuzzy:Fuzzy",
        "blackbox": "groundcheck.solvers.blackbox:Blackbox",
        "perturbed": "groundcheck.solvers.perturbed:Perturbed",
        "imle": "groundcheck.solvers.blackbox:IMLE",
        "abductive": "groundcheck.solvers.abductive:Abductive",
        "ltn": "groundcheck.solvers.adapters:LTN",
        "cvxpylayers": "groundcheck.solvers.adapters:ConvexRelaxation",
        "public-satnet": "groundcheck.solvers.adapters:PublicSATNet",
        "ablkit": "groundcheck.solvers.ablkit:ABLkit",
        "deepproblog": "groundcheck.solvers.deepproblog:DeepProbLog",
        "pyepo-spo-plus": "groundcheck.solvers.pyepo:PyEPOSPOPlus",
        "pyepo-perturbed": "groundcheck.solvers.pyepo:PyEPOPerturbed",
        "pyepo-blackbox": "groundcheck.solvers.pyepo:PyEPOBlackbox",
        "straight-through": "groundcheck.solvers.fuzzy:StraightThrough",
    },
)
