"""This folder is the package groundcheck; its parts are groundcheck.datasets, .solvers and .grounding."""

__version__ = "0.1.0"

if __name__ == "groundcheck":  # a test runner may load a checkout's folder under another name
    from . import datasets
    from .datasets.exports import HOMES, lazy_attributes

    # A folder without an __init__.py has no other place to say where its names are found.
    datasets.__getattr__ = lazy_attributes("groundcheck.datasets", HOMES)  # pyright: ignore
    del HOMES, lazy_attributes
