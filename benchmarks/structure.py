"""How the code is built: floors of a folder by its imports, drawn; lengths of files and functions, counted.

    python benchmarks/structure.py [--root CHECKOUT] [--folder grounding] [-o PICTURE.svg]

A floor holds what imports only from the floors below it; files of a folder count one by one, its subfolders
as one each. Imports that run back up, in a ring, are drawn red. Prints the median, 95th percentile and
maximum of lines per file and per function, and the functions of more than 80 lines that are not compiled.
"""

import argparse
import ast
from collections import defaultdict
from pathlib import Path
from statistics import median

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

PARTS = ("datasets", "solvers", "grounding")
LONGEST = 80  # lines of a function that is read as a whole


def modules(root: Path) -> dict[str, Path]:
    """Every file with code, by its dotted name."""
    found = (path for part in PARTS for path in sorted((root / part).rglob("*.py")))
    return {".".join(p.relative_to(root).with_suffix("").parts): p for p in found if p.name != "__init__.py"}


def imports(root: Path) -> dict[str, set[str]]:
    """What each module imports of the others, wherever in it the import stands."""
    known = modules(root)
    edges: dict[str, set[str]] = {}
    for name, path in known.items():
        package = name.split(".")[:-1]
        found: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                base = [*package[: len(package) - node.level + 1], *filter(None, [node.module])]
                found |= {".".join(base), *(".".join([*base, alias.name]) for alias in node.names)}
        edges[name] = found & known.keys() - {name}
    return edges


def rooms(edges: dict[str, set[str]], folder: str) -> dict[str, set[str]]:
    """Imports between the files and subfolders of a folder, each subfolder taken as one."""
    inside: dict[str, set[str]] = defaultdict(set)
    for name, others in edges.items():
        if name.startswith(f"{folder}."):
            own = name.removeprefix(f"{folder}.").split(".")[0]
            within = (
                o.removeprefix(f"{folder}.").split(".")[0] for o in others if o.startswith(f"{folder}.")
            )
            inside[own] |= {o for o in within if o != own}
    return dict(inside)


def reachable(edges: dict[str, set[str]], start: str) -> set[str]:
    """What a room rests on, directly or not."""
    seen: set[str] = set()
    todo = [start]
    while todo:
        for other in edges[todo.pop()] - seen:
            seen.add(other)
            todo.append(other)
    return seen


def floors(edges: dict[str, set[str]]) -> dict[str, int]:
    """The floor of each room, counted from 0; rooms in a ring share one."""
    below = {name: reachable(edges, name) for name in edges}
    ring = {name: {o for o in below[name] if name in below[o]} | {name} for name in edges}
    level: dict[str, int] = {}
    for name in sorted(edges, key=lambda n: len(below[n] - ring[n])):
        resting = {o for member in ring[name] for o in edges[member]} - ring[name]
        level[name] = 1 + max((level[o] for o in resting), default=-1)
    return level


def draw(edges: dict[str, set[str]], title: str, path: Path) -> None:
    """A box per room on its floor, an arrow per import; those that run back up red."""
    # Text stays text, which is smaller, and the same code gives the same file.
    mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "rooms"}
    level = floors(edges)
    by_floor: dict[int, list[str]] = defaultdict(list)
    for name in sorted(level):
        by_floor[level[name]].append(name)
    widest = max(len(names) for names in by_floor.values())
    place = {
        name: ((n + 0.5) * widest / len(names), floor)
        for floor, names in by_floor.items()
        for n, name in enumerate(names)
    }
    figure, axes = plt.subplots(figsize=(max(6, 1.3 * widest), 1.0 * len(by_floor) + 1))
    for name, others in edges.items():
        for other in others:
            back = level[other] >= level[name]
            style = {"arrowstyle": "->", "color": "crimson" if back else "0.7", "shrinkA": 9, "shrinkB": 9}
            axes.annotate("", xy=place[other], xytext=place[name], zorder=1, arrowprops=style)
    for name, (x, y) in place.items():
        axes.text(
            x,
            y,
            name,
            ha="center",
            va="center",
            fontsize=8,
            zorder=2,
            bbox={"boxstyle": "round", "fc": "white", "ec": "0.3"},
        )
    axes.set(xlim=(0, widest), ylim=(-0.6, max(by_floor) + 0.6), title=title)
    axes.set_axis_off()
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})


def lengths(root: Path) -> list[str]:
    """Lines per file and per function, as printed."""
    files, functions, long = [], [], []
    for name, path in modules(root).items():
        text = path.read_text()
        files.append(text.count("\n"))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                functions.append(lines)
                if lines > LONGEST and "numba" not in text:
                    long.append(f"{name}.{node.name} {lines}")
    rows = []
    for kind, values in (("files", sorted(files)), ("functions", sorted(functions))):
        top = values[int(0.95 * len(values))]
        rows.append(
            f"{len(values)} {kind}: median {median(values):g}, 95 % {top}, longest {values[-1]} lines"
        )
    return [*rows, f"functions over {LONGEST} lines, compiled ones aside: {', '.join(long) or 'none'}"]


def main() -> None:
    """Prints and draws."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--root", type=Path, default=Path(__file__).parents[1])
    asked.add_argument("--folder", default="grounding")
    asked.add_argument("-o", "--output", type=Path)
    given = asked.parse_args()
    edges = rooms(imports(given.root), given.folder)
    level = floors(edges)
    arrows = [(a, b) for a, others in edges.items() for b in others]
    back = sorted(f"{a} → {b}" for a, b in arrows if level[b] >= level[a])
    print(f"{given.folder}/: {len(edges)} rooms on {max(level.values()) + 1} floors, {len(arrows)} arrows")
    print(f"in a ring: {', '.join(back) or 'none'}")
    print(*lengths(given.root), sep="\n")
    if given.output:
        draw(edges, f"{given.folder}/: what imports what", given.output)


if __name__ == "__main__":
    main()
