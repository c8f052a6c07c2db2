"""The public face of the solvers: the contract, what helps to keep it, and every solver by its name."""

from typing import TYPE_CHECKING

from ..datasets.exports import lazy_attributes

if TYPE_CHECKING:
    from .abductive import Abductive, Conditional
    from .ablkit import ABLkit
    from .acquired import Acquired
    from .adapters import LTN, ConvexRelaxation, PublicSATNet, from_callable, from_decorator
    from .attention import RecurrentTransformer, Transformer
    from .blackbox import IMLE, Blackbox
    from .catalogue import SOLVERS
    from .decision import MapSolver
    from .deepproblog import DeepProbLog
    from .exact import Exact
    from .extras import Extra, MissingExtraError
    from .fuzzy import Fuzzy, StraightThrough
    from .grounded_satnet import GroundedSATNet
    from .mixing.layer import MixingLayer
    from .neural import MLP
    from .perturbed import Perturbed
    from .pyepo import PyEPOBlackbox, PyEPOPerturbed, PyEPOSPOPlus
    from .rrn import RRN
    from .rules.clauses import Clauses, with_answer
    from .satnet import SATNet
    from .semantic import SemanticLoss
    from .solver import Solver, UnsupportedProblemError, answer_nll, hide_queries

__all__ = [
    "IMLE",
    "LTN",
    "MLP",
    "RRN",
    "SOLVERS",
    "ABLkit",
    "Abductive",
    "Acquired",
    "Blackbox",
    "Clauses",
    "Conditional",
    "ConvexRelaxation",
    "DeepProbLog",
    "Exact",
    "Extra",
    "Fuzzy",
    "GroundedSATNet",
    "MapSolver",
    "MissingExtraError",
    "MixingLayer",
    "Perturbed",
    "PublicSATNet",
    "PyEPOBlackbox",
    "PyEPOPerturbed",
    "PyEPOSPOPlus",
    "RecurrentTransformer",
    "SATNet",
    "SemanticLoss",
    "Solver",
    "StraightThrough",
    "Transformer",
    "UnsupportedProblemError",
    "answer_nll",
    "from_callable",
    "from_decorator",
    "hide_queries",
    "with_answer",
]

# On first use: the command line must answer `--help` without waiting for torch.
HOMES = {
    "ABLkit": "ablkit",
    "Acquired": "acquired",
    "Abductive": "abductive",
    "Blackbox": "blackbox",
    "Clauses": "rules.clauses",
    "Conditional": "abductive",
    "ConvexRelaxation": "adapters",
    "DeepProbLog": "deepproblog",
    "Exact": "exact",
    "Extra": "extras",
    "Fuzzy": "fuzzy",
    "GroundedSATNet": "grounded_satnet",
    "IMLE": "blackbox",
    "LTN": "adapters",
    "MLP": "neural",
    "MapSolver": "decision",
    "MissingExtraError": "extras",
    "MixingLayer": "mixing.layer",
    "Perturbed": "perturbed",
    "PublicSATNet": "adapters",
    "PyEPOBlackbox": "pyepo",
    "PyEPOPerturbed": "pyepo",
    "PyEPOSPOPlus": "pyepo",
    "RRN": "rrn",
    "RecurrentTransformer": "attention",
    "SATNet": "satnet",
    "SOLVERS": "catalogue",
    "SemanticLoss": "semantic",
    "Solver": "solver",
    "StraightThrough": "fuzzy",
    "Transformer": "attention",
    "UnsupportedProblemError": "solver",
    "answer_nll": "solver",
    "from_callable": "adapters",
    "from_decorator": "adapters",
    "hide_queries": "solver",
    "with_answer": "rules.clauses",
}
__getattr__ = lazy_attributes(__name__, HOMES)
