"""The solvers that come with groundcheck; installed packages add theirs by entry point."""

from ..datasets.catalogue import Catalogue

SOLVERS = Catalogue(
    "solver",
    "groundcheck.solvers",
    {
        "exact": "groundcheck.solvers.exact:Exact",
        "mlp": "groundcheck.solvers.neural:MLP",
        "satnet": "groundcheck.solvers.satnet:SATNet",
    },
)
