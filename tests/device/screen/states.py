"""Drawn states of the live page, for its tests and the contact sheet: nothing that renders may improve behind them."""

from dataclasses import replace

import cv2
import numpy as np

from device.counting.share import share_of
from device.screen.field_picture import Placement
from device.screen.layout import ScreenState
from device.screen.meters import FocusTrend
from device.screen.stage_tracker import Shift
from device.session.health_worker import BoardState
from device.system.health import Health
from smear.classes import LABELS
from smear.findings import CYTOPLASM, NUCLEUS, Cell, CellMask, Finding, Frame, Quality, Refusal, RefusalCode
from smear.site import SiteStatus


def make_frame(width: int = 640, height: int = 480) -> Frame:
    image = np.full((height, width, 3), (236, 232, 240), np.uint8)
    for number in range(60):
        centre = (number * 97 % width, number * 61 % height)
        cv2.circle(image, centre, 16, (205, 170, 196), -1, cv2.LINE_AA)
        cv2.circle(image, centre, 6, (226, 208, 224), -1, cv2.LINE_AA)
    for x, y in cell_centres(6, width, height):
        cv2.circle(image, (x, y), 26, (168, 140, 200), -1, cv2.LINE_AA)
        cv2.circle(image, (x, y), 20, (100, 60, 150), -1, cv2.LINE_AA)
    return Frame(image, "drawn", 0.25)


def cell_centres(count: int, width: int = 640, height: int = 480) -> list[tuple[int, int]]:
    return [((80 + number * 211) % width, (60 + number * 139) % height) for number in range(count)]


def make_mask(count: int) -> CellMask:
    values = np.zeros((480, 640), np.uint8)
    for centre in cell_centres(count):
        cv2.circle(values, centre, 27, CYTOPLASM, -1)
        cv2.circle(values, centre, 20, NUCLEUS, -1)
    return CellMask(values)


def make_cells(count: int, classified: bool = True) -> tuple[Cell, ...]:
    angles = np.linspace(0, 2 * np.pi, 160, endpoint=False)
    ring = 27 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    cells = []
    for number, (x, y) in enumerate(cell_centres(count)):
        probabilities = tuple(0.7 if each == number % 4 else 0.1 for each in range(4)) if classified else ()
        contour = np.rint(ring + np.array((x, y))).astype(np.int32)
        cells.append(Cell((x - 27, y - 27, 54, 54), (x, y), 2290, None, 0.8, 0.95, contour, False, probabilities))
    return tuple(cells)


def make_finding(label: str | None = "Pre", refusals: tuple[Refusal, ...] = (), cells: int = 6) -> Finding:
    probabilities = {"Benign": 0.02, "Early": 0.13, "Pre": 0.846, "Pro": 0.004} if cells else {}
    timing_ms = {"segment": 41.2, "cells": 3.1, "classify": 18.0}
    top, quality = "Pre" if cells else None, Quality(0.84, 0, 0.9, 0.1)
    return Finding(label, top, probabilities, refusals, make_cells(cells), make_mask(cells), quality, timing_ms)


REFUSALS = {
    "out-of-focus": (RefusalCode.OUT_OF_FOCUS, "out of focus (21% of the sharpness needed): turn the fine focus"),
    "scale": (
        RefusalCode.SCALE_DISAGREES,
        "red cells look as at 0.12 µm a pixel (0.1 to 0.13); as one whole field, which is assumed where no pixel size "
        "is given, it would be 0.35 µm: give the pixel size",
    ),
    "exposure": (
        RefusalCode.BAD_EXPOSURE,
        "over- or underexposed (93% of what should show detail is clipped): change the exposure",
    ),
    "light": (
        RefusalCode.LIGHT_CHANGED,
        "the light has changed since the calibration (colour differs by 21): run 'smearscope calibrate white' on an "
        "empty part of the slide",
    ),
    "model": (
        RefusalCode.INVALID_ANSWER,
        "the model's answer is not a number: choose another level or runtime, or install the bundle again",
    ),
    "site": (
        RefusalCode.SITE_NOT_CHECKED,
        "not checked at this site (no site certificate): run 'smearscope site check FOLDER' with labelled fields of "
        "this laboratory",
    ),
}
OTHER_REFUSALS = (
    "too dark (background at 21%): raise the lamp or the exposure",
    "no clear background (tinted by 23%): set the white balance, or check that this is a blood smear",
    "no white cell found away from the scale bar's corner: move the stage to another field",
    "cells are too crowded (71% of the field): move to a thinner part of the smear",
    "unlike the training data (score 12.3, at most 2.5; 100% of the cells): check stain, slide and magnification",
    "these look like mature or other cells (score 12.3, at most 2.5; 100% of the cells): nothing here that the four "
    "classes describe",
    "not certain enough (51%, at least 75% needed): look at more fields",
    "not steady yet (the last results on this field differ): hold the stage still",
    "red cells look as at 0.12 µm a pixel (0.1 to 0.13), not as at the 0.25 µm that was given: check the objective, "
    "and give or calibrate its pixel size",
)
COUNTS = {"Benign": 2, "Early": 4, "Pre": 30, "Pro": 2}


def moved(x: int, y: int) -> Frame:
    return Frame(np.roll(make_frame().image, (y, x), (0, 1)), "drawn", 0.25)


NORMAL = ScreenState(
    frame=make_frame(),
    finding=make_finding(),
    focus=FocusTrend((0.5, 0.7, 1.0, 0.9, 0.84)),
    fields_per_s=11.6,
    camera="picamera2:0",
    model="default · int8 · ai-edge-litert",
    slide="S-0042",
    board=BoardState(Health(51.2, 0), 21_400_000_000, clock_set=True),
    field_id=38,
    accepted=38,
    refused=4,
    shares={name: share_of(COUNTS[name], 38) for name in LABELS},
)
LOST = replace(NORMAL, frame=None, finding=None, field_id=None, fields_per_s=0.0)
STATES = {
    "labelled": NORMAL,
    **{
        f"refused-{name}": replace(NORMAL, finding=make_finding(None, (Refusal(*each),)))
        for name, each in REFUSALS.items()
    },
    "nothing-found": replace(NORMAL, finding=make_finding(None, (), cells=0)),
    "starting": ScreenState(camera="none", warnings=("examining the first field",)),
    "camera-lost": replace(LOST, warnings=("camera picamera2:0 was lost; check the ribbon cable",)),
    "disk-full": replace(
        NORMAL,
        warnings=(
            "cannot store the field: no space left on the device; delete records, or set store.folder to another disk",
        ),
    ),
    "stage-moved": replace(NORMAL, frame=moved(128, 48), placement=Placement(Shift(0.2, 0.1, 0.9))),
    "outlines-faded": replace(NORMAL, frame=moved(32, 0), placement=Placement(Shift(0.05, 0, 0.5), 0.4)),
    "field-before": replace(NORMAL, placement=None, finding=replace(make_finding(), site=SiteStatus())),
    "refused-before": replace(NORMAL, placement=None, finding=make_finding(None, (Refusal(*REFUSALS["scale"]),))),
    "nothing-before": replace(NORMAL, placement=None, finding=make_finding(None, (), cells=0)),
    "throttled": replace(NORMAL, board=BoardState(Health(84.6, 0xE000E), 21_400_000_000, clock_set=True)),
    "disk-nearly-full": replace(NORMAL, board=BoardState(Health(51.2, 0), 610_000_000, True, True)),
    "clock-not-set": replace(NORMAL, board=BoardState(Health(51.2, 0), 21_400_000_000, False, False)),
    "board-in-need": replace(NORMAL, board=BoardState(Health(84.6, 0x50005), 610_000_000, True, False)),
    "simulated": replace(NORMAL, simulated=True, camera="simulated:7", slide=None),
    "not-cleared": replace(
        NORMAL,
        finding=replace(make_finding(), site=SiteStatus()),
        not_cleared=True,
        simulated=True,
        warnings=(
            "quality control: not cleared today (the last quality control is out of date)",
            "this field is counted already: move the stage",
        ),
    ),
    "names": replace(NORMAL, slide="Müller-Großmann Ä 17 / Łódź Ωμέγα Кровь", qc="cleared"),
}
SIZES = [(480, 320), (800, 480), (1024, 600), (1280, 720), (1920, 1080), (480, 800)]
