"""The solvers that come with groundcheck; installed packages add theirs by entry point."""

from ..datasets.catalogue import Catalogue

SOLVERS = Catalogue(
    "solver",
    "groundcheck.solvers",
    {
        "exact": "groundcheck.solvers.exact:Exact",
        "transformer": "groundcheck.solvers.attention:Transformer",
        "recurrent-transformer": "groundcheck.solvers.attention:RecurrentTransformer",
        "rrn": "groundcheck.solvers.rrn:RRN",
        "semantic-loss": "groundcheck.solvers.semantic:SemanticLoss",
        "mlp": "groundcheck.solvers.neural:MLP",
        "satnet": "groundcheck.solvers.satnet:SATNet",
    },
)
