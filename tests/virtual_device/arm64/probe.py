"""Import everything the device runs on, prove a bundle by its golden outputs, and print as JSON what was found.

usage: probe.py BUNDLE
"""

import importlib
import importlib.metadata
import json
import os
import platform
import sys
from pathlib import Path

MODULES = ("PIL", "ai_edge_litert.interpreter", "click", "cryptography", "cv2", "numpy", "psutil", "pydantic", "pygame")


def main(bundle: str) -> None:
    os.environ["PYGAME_HIDE_SUPPORT_PROMPT"] = "1"
    for name in (*MODULES, "rich", "device.cli", "device.commands.run", "smear.imaging.cell_detection"):
        importlib.import_module(name)
    from smear.bundle.folder import load_bundle
    from smear.inference.verification import golden_faults, models

    loaded = load_bundle(Path(bundle))
    found = {
        "machine": platform.machine(),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "installed": len({each.name for each in importlib.metadata.distributions(path=sys.path[1:2])}),
        "models": len(models(loaded.manifest)),
        "faults": golden_faults(loaded),
    }
    sys.stdout.write(json.dumps(found))


main(*sys.argv[1:])
