"""This folder is the package groundcheck; its parts are groundcheck.datasets, .solvers and .grounding."""
