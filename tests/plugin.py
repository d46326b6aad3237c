"""A tiny distribution on disk, as another author would install it beside Smearscope."""

from collections.abc import Mapping
from pathlib import Path


def write_plugin(
    folder: Path, modules: Mapping[str, str], points: Mapping[str, Mapping[str, str]], name: str = "smearscope-extra"
) -> Path:
    """Write `modules` (name: source) and `points` (group: {name: "module:attribute"}) below `folder`, and return it.

    Put the folder on PYTHONPATH or sys.path, and the distribution counts as installed.
    """
    information = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    groups = ("".join([f"[{group}]\n", *(f"{n} = {value}\n" for n, value in p.items())]) for group, p in points.items())
    (information / "entry_points.txt").write_text("\n".join(groups))
    for module, source in modules.items():
        (folder / f"{module}.py").write_text(source)
    return folder
