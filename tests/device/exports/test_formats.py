"""Each format, opened by a reader that is not ours."""

import csv
import io
import json
import re
import xml.etree.ElementTree
from datetime import UTC, datetime

import geojson
import numpy as np
import pytest
import roifile
import shapely
import tifffile
from PIL import Image
from pycocotools.coco import COCO

from device.counting.cell_classes import DEFAULT_CLASSES
from device.counting.class_colours import class_colours
from tests.device.exports.conftest import DISCS, HOSTILE, PIXEL_SIZE_UM, SHAPE, disc, iou

FIELD = "000001-00000001"
WITH_CONTOUR = range(3)
BLAST = class_colours(DEFAULT_CLASSES)["blast"]
TAKEN = datetime.fromtimestamp(1_700_000_000.25, UTC)


def inside(polygon: shapely.Polygon) -> np.ndarray:
    """The pixels whose centres lie in a polygon."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
    return shapely.contains_xy(polygon, x, y)


def test_qupath_gets_valid_objects_with_class_colour_and_measures(unpacked, device):
    folder = unpacked("geojson")
    collection = geojson.loads((folder / f"{device}-{FIELD}.geojson").read_text())
    assert collection.errors() == []
    assert [each["properties"]["name"] for each in collection.features] == ["1.0", "1.1", "1.2", "1.3"]
    assert len({each["id"] for each in collection.features}) == 4
    for number in WITH_CONTOUR:
        polygon = shapely.geometry.shape(collection.features[number].geometry)
        assert polygon.is_valid
        assert polygon.area == disc(number).sum()
        assert iou(inside(polygon), disc(number)) == 1
    first, second, third, old = (each["properties"] for each in collection.features)
    assert first["objectType"] == "detection"
    assert first["classification"] == {"name": "blast", "color": list(BLAST)}
    assert second["classification"] == {"name": "=../gone/b"}  # no class of the settings: QuPath gives it a colour
    assert "classification" not in third
    assert first["measurements"]["Area µm^2"] == disc(0).sum() * PIXEL_SIZE_UM**2
    assert (first["metadata"]["outline"], old["metadata"]["outline"]) == ("contour", "box")
    assert (folder / collection["image"]).is_file()
    assert collection["pixel_size_um"] == PIXEL_SIZE_UM
    assert collection["site_certificate"] == "not checked at this site"


def test_imagej_gets_rois_with_class_and_colour(unpacked, device):
    folder = unpacked("imagej")
    rois = roifile.roiread(folder / f"{device}-{FIELD}.zip")
    assert [roi.name for roi in rois] == ["1.0 blast", "1.1 =../gone/b", "1.2 unclassified", "1.3 unclassified (box)"]
    for number in WITH_CONTOUR:
        assert iou(inside(shapely.Polygon(rois[number].coordinates())), disc(number)) == 1
    assert tuple(rois[0].stroke_color[1:]) == BLAST
    assert rois[0].roitype == roifile.ROI_TYPE.TRACED
    assert (folder / f"{device}-{FIELD}.jpg").is_file()


def test_ome_tiff_holds_the_photograph_and_the_labels_to_scale(unpacked, device, data):
    with tifffile.TiffFile(unpacked("ome-tiff") / f"{device}-{FIELD}.ome.tif") as tiff:
        photograph, labels = (series.asarray() for series in tiff.series)
        assert {page.resolution for page in tiff.pages} == {(10_000 / PIXEL_SIZE_UM, 10_000 / PIXEL_SIZE_UM)}
        assert {page.resolutionunit for page in tiff.pages} == {tifffile.RESUNIT.CENTIMETER}
        root = xml.etree.ElementTree.fromstring(tiff.ome_metadata)
    (jpeg,) = (data / "photographs").rglob("*.jpg")
    assert np.abs(photograph.astype(int) - np.asarray(Image.open(jpeg))).max() <= 3  # of two decoders
    assert labels.dtype == np.uint16
    assert [iou(labels == number + 1, disc(number)) for number in WITH_CONTOUR] == [1, 1, 1]
    assert set(np.unique(labels)) == {0, 1, 2, 3, 4}
    for pixels in root.iterfind(".//{*}Pixels"):
        assert float(pixels.attrib["PhysicalSizeX"]) == float(pixels.attrib["PhysicalSizeY"]) == PIXEL_SIZE_UM
        assert pixels.attrib.get("PhysicalSizeXUnit", "µm") == "µm"
    assert {each.text for each in root.iterfind(".//{*}AcquisitionDate")} == {"2023-11-14T22:13:20.250Z"}


def test_coco_masks_are_the_cells_and_every_class_of_the_settings_is_a_category(unpacked, device, capsys):
    folder = unpacked("coco")
    coco = COCO(folder / "annotations/instances_default.json")
    names = [each["name"] for each in coco.loadCats(coco.getCatIds())]
    assert names == [*(each.name for each in DEFAULT_CLASSES), "unclassified", "=../gone/b"]
    cells = coco.loadAnns(coco.getAnnIds(imgIds=[1]))
    assert [coco.cats[each["category_id"]]["name"] for each in cells] == [
        "blast", "=../gone/b", "unclassified", "unclassified",
    ]  # fmt: skip
    for number in WITH_CONTOUR:
        assert iou(coco.annToMask(cells[number]) > 0, disc(number)) == 1
        assert cells[number]["area"] == disc(number).sum()
    assert [each["attributes"]["outline"] for each in cells] == ["contour", "contour", "contour", "box"]
    (image,) = coco.loadImgs([1])
    assert (image["height"], image["width"]) == SHAPE
    assert (folder / "images" / image["file_name"]).is_file()
    assert image["file_name"] == f"{device}-{FIELD}.jpg"


def test_ecotaxa_gets_a_crop_of_each_cell_and_a_table_with_types(unpacked, device):
    folder = unpacked("ecotaxa")
    (table,) = folder.glob("ecotaxa*.tsv")
    types, *rows = csv.DictReader(table.open(encoding="latin-1"), delimiter="\t")
    assert set(types.values()) == {"[t]", "[f]"}
    assert [row["object_id"] for row in rows] == [f"{device}-{FIELD}-{number:04d}" for number in range(4)]
    for row, ((x, y), radius) in zip(rows, DISCS, strict=True):
        with Image.open(folder / row["img_file_name"]) as crop:
            assert crop.width > 2 * radius
        assert [float(row[name]) for name, kind in types.items() if kind == "[f]" and row[name]]
        assert float(row["object_x"]) <= x - radius + 2
        assert float(row["object_y"]) <= y - radius + 2
    assert [row["object_annotation_category"] for row in rows] == ["blast", "'=../gone/b", "", ""]
    assert [row["object_annotation_status"] for row in rows] == ["validated", "validated", "", ""]
    assert [row["object_annotation_person_name"] for row in rows] == [f"'{HOSTILE}", "ann", "", ""]
    assert all(re.fullmatch(r"20\d{6}", row["object_annotation_date"]) for row in rows[:2])
    assert all(re.fullmatch(r"\d{6}", row["object_annotation_time"]) for row in rows[:2])
    assert (rows[0]["object_date"], rows[0]["object_time"]) == ("20231114", "221320")
    assert {rows[0][f"sample_{what}"] for what in ("name", "operator", "stain", "specimen")} == {f"'{HOSTILE}"}
    assert rows[3]["object_outline"] == "box"
    assert {row["process_site_certificate"] for row in rows} == {"not checked at this site"}


def test_csv_has_iso_times_the_name_of_the_slide_and_the_device(exported, device):
    (row,) = csv.DictReader(io.StringIO(exported("csv").decode()))
    assert datetime.fromisoformat(row["time"]) == TAKEN
    assert (row["device"], row["slide"]) == (device, f"'{HOSTILE}")


def test_the_tables_of_a_zip_name_its_photographs(unpacked, device):
    folder = unpacked("zip")
    (row,) = csv.DictReader((folder / "fields.csv").open())
    assert row["image"] == f"photographs/{device}-{FIELD}.jpg"
    assert (folder / row["image"]).is_file()
    cells = list(csv.DictReader((folder / "cells.csv").open()))
    assert [cell["outline"] for cell in cells] == ["contour", "contour", "contour", "box"]
    assert cells[1]["cell_class"] == "'=../gone/b"


def test_json_has_iso_times_and_the_device(exported, device):
    whole = json.loads(exported("json"))
    assert whole["device"] == device
    assert datetime.fromisoformat(whole["fields"][0]["time"]) == TAKEN
    assert whole["started"].endswith("Z")


@pytest.mark.parametrize("name", ["geojson", "imagej", "ome-tiff", "coco", "ecotaxa", "zip"])
def test_a_cell_without_a_contour_is_its_box_and_the_manifest_says_so(unpacked, name):
    manifest = json.loads((unpacked(name) / "manifest.json").read_text())
    assert manifest["cells_as_boxes"] == 1
    assert manifest["class_colours"]["blast"] == list(BLAST)
