"""Makes docs/report.html, of a slide of drawn fields, with the product itself, and pictures of it on paper and a phone.

Run `python docs/make_report.py`; it needs Chromium and pdftoppm (Debian's poppler-utils).
"""

import random
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from device.quality_control.measurements import ESTABLISHED_AFTER, judged
from device.settings import Settings
from device.slide_report.printing import find_browser, print_page
from device.slide_report.report import slide_report
from device.store import Store
from device.system.clock import ManualClock
from smear.images import write_image
from smear.synthetic import render

DOCS = Path(__file__).parent
PAGE = DOCS / "report.html"
SHAPE, PIXEL_SIZE_UM = (480, 640), 0.25
SLIDE, OPERATOR = "Drawn marrow 17", "A. Amini"
COUNTED = {"blast": 10, "hematogone": 2, "lymphocyte": 3, "segmented neutrophil": 1, "smudge cell": 1}
BEGUN_S, DAY_S = 1_790_000_000.0, 86_400
PHONE = {"width": 375, "height": 720}
COLOURS = 160  # of each picture: the classes keep theirs


def main() -> None:
    """Write the page and its pictures anew; look at them before you commit them."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        _record(work)
        PAGE.write_text(_report(work / "data"), encoding="utf-8")
        (work / "report.pdf").write_bytes(print_page(PAGE.read_text(encoding="utf-8")))
        subprocess.run(["pdftoppm", "-png", "-r", "80", "-l", "1", "report.pdf", "page"], cwd=work, check=True)
        with sync_playwright() as playwright:
            phone = playwright.chromium.launch(executable_path=find_browser()).new_page(viewport=PHONE)
            phone.goto(PAGE.as_uri())
            phone.screenshot(path=work / "phone.png")
        _keep(next(work.glob("page-*1.png")), "report-a4")
        _keep(work / "phone.png", "report-phone")


def _record(work: Path) -> None:
    """Record some weeks of quality control, and a slide of three good fields and a blurred one."""
    clock, drawn = ManualClock(wall_s=BEGUN_S), random.Random(17)
    with Store.record(work / "data", clock=clock) as store:
        for _ in range(ESTABLISHED_AFTER + 5):
            clock.advance(DAY_S)
            cells = judged("slide.cells", drawn.gauss(14.2, 1.1), "MGG-2026-07", store.qc("slide.cells"))
            store.add_qc(OPERATOR, [cells], begin=True)
    (work / "slide").mkdir()
    for seed in range(3):
        write_image(work / f"slide/{seed}.png", render("Pre", 11 + seed, SHAPE, PIXEL_SIZE_UM).image)
    write_image(work / "slide/3.png", render("Pre", 2, SHAPE, PIXEL_SIZE_UM, defocus_um=3.5).image)
    (work / "config.toml").write_text(f"[camera]\npixel_size_um = {PIXEL_SIZE_UM}\n")
    words = ["--config", "config.toml", "--data", "data", "--camera", "files:slide", "--display", "none"]
    subprocess.run([sys.executable, "-m", "device", "run", *words, "--slide", SLIDE], cwd=work, check=True)


def _report(data: Path) -> str:
    """Count the slide, sign it and return its report."""
    settings = Settings.model_validate({"cells": {"target": sum(COUNTED.values()) - COUNTED["smudge cell"]}})
    with Store.read(data) as store:
        slide = store.slide_called(SLIDE).id
        store.edit_slide(slide, OPERATOR, stain="May-Grünwald-Giemsa", specimen="marrow", slide_operator=OPERATOR)
        cells = [(cell.field_id, cell.number) for cell in store.browse(slide, limit=sum(COUNTED.values()))]
        for name, n in COUNTED.items():
            store.classify(OPERATOR, [cells.pop(0) for _ in range(n)], name)
        store.sign(slide, OPERATOR, settings.cells.classes, settings.cells.target)
        return slide_report(store, slide, settings)


def _keep(made: Path, name: str) -> None:
    with Image.open(made) as picture:
        small = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        small.save(DOCS / f"pictures/{name}.png", optimize=True)


if __name__ == "__main__":
    main()
