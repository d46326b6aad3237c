"""Makes docs/pictures with the product itself, from synthetic smears: run `python docs/make_pictures.py`."""

import random
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageOps

from device.quality_control.chart import svg
from device.quality_control.levey_jennings import chart_of
from device.quality_control.measurements import QcMeasurement, judged
from device.screen.field_picture import NUCLEUS_COLOUR
from device.system.clock import Moment
from smear.classes import FIELD_CLASSES
from smear.images import write_image
from smear.synthetic import red_cells_only, render

PICTURES = Path(__file__).parent / "pictures"
SLIDE = ("--slide", "17")
SHAPE, PIXEL_SIZE_UM = (480, 640), 0.25  # what the simulated microscope shows
SCREENS = Path(__file__).parents[1] / "tests/device/screen/golden"
SHEET_COLUMNS, TILE = 4, (300, 190)
COLOURS = 256  # of each PNG: half the size of full colour, and no difference to be seen


def main() -> None:
    """Write every picture anew; look at them before you commit them."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        write_image(_ready(work / "out-of-focus/field.png"), render("Pre", 2, SHAPE, 0.25, defocus_um=3.5).image)
        write_image(_ready(work / "no-cells/field.png"), red_cells_only(4, SHAPE, PIXEL_SIZE_UM).image)
        write_image(_ready(work / "smears/benign.png"), render("Benign", 4, SHAPE, PIXEL_SIZE_UM).image)
        (work / "config.toml").write_text(f"[camera]\npixel_size_um = {PIXEL_SIZE_UM}\n")
        simulated = ("--camera", "simulated:7?class=Early", "--fields", "14", "--display", "png:screen.png")
        _run(work, "run", *SLIDE, *simulated)
        for name in ("out-of-focus", "no-cells"):
            _run(work, "run", *SLIDE, "--camera", f"files:{name}", "--display", f"png:screen-{name}.png")
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
    (PICTURES / "levey-jennings.svg").write_text(_levey_jennings(), encoding="utf-8")
    _contact_sheet(sorted(SCREENS.glob("*.png"))).save(PICTURES / "screens.png", optimize=True)
    pages = sorted(SCREENS.glob("pages/*-800x480-dark.png"))
    _contact_sheet(pages).save(PICTURES / "screens-pages.png", optimize=True)


def _contact_sheet(files: list[Path]) -> Image.Image:
    """Return every golden picture of the screen, small, side by side."""
    rows = -(-len(files) // SHEET_COLUMNS)
    sheet = Image.new("RGB", (SHEET_COLUMNS * TILE[0], rows * TILE[1]), "white")
    for number, file in enumerate(files):
        with Image.open(file) as picture:
            small = ImageOps.contain(picture.convert("RGB"), (TILE[0] - 8, TILE[1] - 8), Image.Resampling.LANCZOS)
        sheet.paste(small, (number % SHEET_COLUMNS * TILE[0] + 4, number // SHEET_COLUMNS * TILE[1] + 4))
    return _with_few_colours(sheet)


def _levey_jennings() -> str:
    """Return the chart of a control slide with one run far off, and a shift at the end."""
    rng, lot, runs = random.Random(4), "MGG-2026-07", list[QcMeasurement]()
    for day in range(48):
        value = 1.005 if day == 30 else rng.gauss(0.905, 0.004) if day > 42 else rng.gauss(0.93, 0.02)
        at = Moment(wall_s=1_790_000_000.0 + day * 86_400)
        runs.append(replace(judged("slide.focus", value, lot, runs), operator="anna", at=at))
    return svg(chart_of("slide.focus", lot, runs, len(runs)))


def _run(work: Path, command: str, *arguments: str) -> None:
    words = [sys.executable, "-m", "device", command, "--config", "config.toml", "--data", f"data-{command}"]
    subprocess.run([*words, *arguments], cwd=work, check=True)


def _ready(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    return path


def _keep(made: Path, kept: Path) -> None:
    """Save a small copy."""
    with Image.open(made) as picture:
        small = picture if picture.mode == "L" else _with_few_colours(picture.convert("RGB"))
        small.save(kept, optimize=True)


def _with_few_colours(picture: Image.Image) -> Image.Image:
    """Return `picture` with a palette that has the colours of classes and nuclei, however few pixels show them."""
    taught = Image.new("RGB", (picture.width, 2 * picture.height))
    taught.paste(picture)
    colours = [*(each.colour for each in FIELD_CLASSES), NUCLEUS_COLOUR]
    for column, colour in enumerate(colours):
        left = column * picture.width // len(colours)
        taught.paste(colour, (left, picture.height, taught.width, taught.height))
    palette = taught.quantize(COLOURS, dither=Image.Dither.NONE)
    return picture.quantize(palette=palette, dither=Image.Dither.NONE)


if __name__ == "__main__":
    main()
