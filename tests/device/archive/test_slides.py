"""Whole slides: cells where they are in level-0 pixels, each once, and nothing on empty glass."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from shapely.geometry import shape

from device.archive.examiner import Examiner
from device.cli import INTERRUPTED, cli
from smear.synthetic import render

pytest.importorskip("openslide", reason="OpenSlide is missing: pip install 'smearscope[slides]'")
tifffile = pytest.importorskip("tifffile", reason="tifffile is missing: pip install 'smearscope[device]'")

UM, SIDE = 0.25, 1900
CORE = 152 / UM  # of a tile
ON_BORDERS = [(300, 300), (CORE, 300), (CORE, CORE), (300, 2 * CORE), (SIDE - 80, CORE + 40)]
Analyze = Callable[..., Result]


def cell() -> np.ndarray:
    """A drawn cell in the middle of a square of 128 pixels, the rest glass."""
    drawn = render("Pre", 3, (256, 256), UM, cells=1)
    inside = drawn.mask.cell
    top, left = (int(values.mean()) for values in np.nonzero(inside))
    image = np.where(inside[..., np.newaxis], drawn.image, np.uint8(240))
    return np.roll(image, (64 - top, 64 - left), (0, 1))[:128, :128]


def write_slide(path: Path, image: np.ndarray, um: float | None = UM) -> Path:
    with tifffile.TiffWriter(path) as tiff:
        for step in (1, 4, 16):
            known = {} if um is None else {"resolution": (1e4 / um / step,) * 2, "resolutionunit": "CENTIMETER"}
            tiff.write(
                image[::step, ::step], tile=(256, 256), photometric="rgb", compression="deflate",
                subfiletype=int(step > 1), metadata=None, **known,
            )  # fmt: skip
    return path


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    image, patch = np.full((SIDE, SIDE, 3), 240, np.uint8), cell()
    for x, y in ON_BORDERS:
        left, top = int(x) - 64, int(y) - 64
        image[top : top + 128, left : left + 128] = patch
    return write_slide(tmp_path / "slide.tif", image)


@pytest.fixture
def analyze(tiny_bundle: Path, tmp_path: Path) -> Analyze:
    options = ["--bundle", str(tiny_bundle), "--level", "float32", "--data", str(tmp_path / "store")]
    return lambda *arguments: CliRunner().invoke(cli, ["analyze", *options, *map(str, arguments)])


@pytest.mark.parametrize("workers", [1, 2])
def test_each_cell_is_found_once_where_it_is_also_on_the_border_of_tiles(
    analyze: Analyze, slide: Path, tmp_path: Path, workers: int
) -> None:
    result = analyze(slide, "--out", tmp_path / "cells.geojson", "--workers", workers)
    assert result.exit_code == 0, result.stderr
    found = json.loads((tmp_path / "cells.geojson").read_text())
    assert found["complete"]
    assert found["tiles"]["no tissue"] > 0
    polygons = [shape(feature["geometry"]) for feature in found["features"]]
    assert all(polygon.is_valid for polygon in polygons)
    centres = [(polygon.centroid.x, polygon.centroid.y) for polygon in polygons]
    for wanted in ON_BORDERS:
        assert sum(math.dist(wanted, centre) < 30 for centre in centres) == 1
    assert len(centres) == len(ON_BORDERS)
    areas = [feature["properties"]["measurements"]["Area µm^2"] for feature in found["features"]]
    assert areas == pytest.approx([polygon.area * UM**2 for polygon in polygons], rel=0.15)


@pytest.mark.parametrize("examined", [0, 3])
def test_ctrl_c_leaves_the_cells_so_far_if_any_and_says_that_there_are_more(
    analyze: Analyze, slide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, examined: int
) -> None:
    tiles, met = Examiner.tiles, []

    def interrupted(self: Examiner, tasks: list) -> list:
        met.extend(tasks)
        if len(met) > examined:
            raise KeyboardInterrupt
        return tiles(self, tasks)

    monkeypatch.setattr(Examiner, "tiles", interrupted)
    assert analyze(slide, "--out", tmp_path / "cells.geojson").exit_code == INTERRUPTED
    assert (tmp_path / "cells.geojson").exists() == (examined > 0)
    if not examined:
        return
    found = json.loads((tmp_path / "cells.geojson").read_text())
    assert not found["complete"]
    assert 0 < len(found["features"]) < len(ON_BORDERS)


@pytest.mark.parametrize("fault", ["no pixel size", "a pixel of 1 nm", "a pixel of 1 m", "no slide", "there already"])
def test_what_cannot_be_examined_is_one_line(analyze: Analyze, slide: Path, tmp_path: Path, fault: str) -> None:
    out = tmp_path / "cells.geojson"
    if "pixel" in fault:
        um = {"no pixel size": None, "a pixel of 1 nm": 0.001, "a pixel of 1 m": 1e6}[fault]
        write_slide(slide, np.full((600, 600, 3), 240, np.uint8), um)
    elif fault == "no slide":
        slide.write_bytes(b"no slide")
    else:
        out.write_text("mine")
    result = analyze(slide, "--out", out)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    said = {"no slide": "check the file", "there already": "choose another name"}
    assert said.get(fault, "give --pixel-size-um") in result.stderr
    assert out.exists() == (fault == "there already")


def test_a_slide_is_one_file_and_has_no_manifest(analyze: Analyze, slide: Path, tmp_path: Path) -> None:
    for wrong in ([slide, slide], [tmp_path], [slide, "--resume"], [slide, "--masks", tmp_path / "masks"]):
        assert analyze(*wrong, "--out", tmp_path / "cells.geojson").exit_code == 2
