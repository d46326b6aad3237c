"""Makes docs/pictures with the product itself, from synthetic smears: run `python docs/make_pictures.py`."""

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from smear.images import write_image
from smear.synthetic import red_cells_only, render

PICTURES = Path(__file__).parent / "pictures"
SHAPE, PIXEL_SIZE_UM = (480, 640), 0.25  # what the simulated microscope shows
COLOURS = 160  # of each PNG: half the size of full colour, and no difference to be seen


def main() -> None:
    """Write every picture anew; look at them before you commit them."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        write_image(_ready(work / "out-of-focus/field.png"), render("Pre", 2, SHAPE, 0.25, defocus_um=3.5).image)
        write_image(_ready(work / "no-cells/field.png"), red_cells_only(4, SHAPE, PIXEL_SIZE_UM).image)
        write_image(_ready(work / "smears/benign.png"), render("Benign", 3, SHAPE, PIXEL_SIZE_UM).image)
        (work / "config.toml").write_text(f"[camera]\npixel_size_um = {PIXEL_SIZE_UM}\n")
        _run(work, "run", "--camera", "simulated:7?class=Early", "--fields", "14", "--display", "png:screen.png")
        for name in ("out-of-focus", "no-cells"):
            _run(work, "run", "--camera", f"files:{name}", "--display", f"png:screen-{name}.png")
        scale = ("--pixel-size-um", str(PIXEL_SIZE_UM))
        _run(work, "analyze", "smears", *scale, "--overlays", "overlay", "--masks", "mask")
        for made, name in (
            ("screen.png", "screen"),
            ("screen-out-of-focus.png", "screen-out-of-focus"),
            ("screen-no-cells.png", "screen-no-cells"),
            ("overlay/benign.png", "overlay"),
            ("mask/benign.png", "mask"),
        ):
            _keep(work / made, PICTURES / f"{name}.png")


def _run(work: Path, command: str, *arguments: str) -> None:
    words = [sys.executable, "-m", "device", command, "--config", "config.toml", "--data", f"data-{command}"]
    subprocess.run([*words, *arguments], cwd=work, check=True)


def _ready(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    return path


def _keep(made: Path, kept: Path) -> None:
    """Save a small copy."""
    with Image.open(made) as picture:
        small = picture if picture.mode == "L" else picture.quantize(COLOURS, dither=Image.Dither.NONE)
        small.save(kept, optimize=True)


if __name__ == "__main__":
    main()
