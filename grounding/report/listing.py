"""What there is: tasks, solvers and image sets, one line each."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ...datasets.catalogue import IMAGES, TASKS, Catalogue
from ...datasets.errors import UsageError
from ...solvers.catalogue import SOLVERS
from ..experiments.catalogue import about_shipped, shipped
from ..perception.catalogue import PERCEPTIONS
from .about import about

CATALOGUES = (
    ("Tasks", TASKS),
    ("Solvers", SOLVERS),
    ("Image sets", IMAGES),
    ("Perception", PERCEPTIONS),
)
# What is not in a catalogue, but named by where it lies.
ADDRESSES = {
    "Image sets": (
        ("folder:PATH", "Yours: a folder whose sub-folders are classes, of PNG or JPEG files."),
        ("arrays:FILE.npz", "Yours: images and labels in a file of NumPy arrays."),
        (
            "torchvision:NAME",
            "Those of torchvision: KMNIST, EMNIST?split=letters, QMNIST, USPS, SVHN, CIFAR10 …",
        ),
    ),
    "Perception": (("torchvision:NAME", "Any other image classifier of torchvision: mobilenet_v3_small …"),),
}


def print_listing(console: Console) -> None:
    """A table per catalogue; what cannot be imported is listed with the reason."""
    for heading, catalogue in CATALOGUES:
        table = Table(title=heading, title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True, style="bold")
        table.add_column(ratio=3)
        table.add_column(ratio=2, style="dim")
        for name in catalogue.entries():
            table.add_row(name, *_line(catalogue, name))
        for address, summary in ADDRESSES.get(heading, ()):
            table.add_row(address, summary, "")
        console.print(table)
        console.print()
    table = Table(
        title="Experiments", title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0)
    )
    table.add_column(no_wrap=True, style="bold")
    table.add_column()
    for name in shipped():
        table.add_row(name, escape(about_shipped(name)))
    console.print(table)


def _line(catalogue: Catalogue, name: str) -> tuple[str, str]:
    try:
        said = about(catalogue, name)
    except (ImportError, UsageError) as error:
        return f"[yellow]not available:[/] {escape(str(error))}", ""
    message = f" (rules {said.rules})" if said.rules else ""
    for extra in said.extras:
        message += "" if extra.installed else f" [yellow]skipped: {escape(extra.message)}[/]"
    return escape(said.summary) + message, escape(said.source)
