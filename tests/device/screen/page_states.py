"""Drawn states of every page but the live one, whose states are in `states`: each has golden pictures."""

from dataclasses import replace

from device.actions.settings import FILE_SAYS
from device.counting.differential import differential
from device.exports.base import FileFormat
from device.exports.registry import EXPORTS
from device.screen.layout import ScreenState
from device.screen.navigation.composition import compose
from device.screen.navigation.page import Notice, Page
from device.screen.pages.cells.cell import CellPage
from device.screen.pages.cells.gallery import GalleryPage
from device.screen.pages.cells.review import ReviewPage
from device.screen.pages.cells.sign import CountPage
from device.screen.pages.export import ExportPage
from device.screen.pages.help import help_of
from device.screen.pages.history import HistoryPage
from device.screen.pages.live import LivePage
from device.screen.pages.lock import LockPage, PinPage
from device.screen.pages.menu import MenuPage
from device.screen.pages.new_slide import NewSlidePage
from device.screen.pages.shutdown import ASKED
from device.screen.pages.slide import OpenSlidePage, asked_to_end
from device.screen.pages.summary import SummaryPage
from device.screen.pages.typed import TypedPage
from device.screen.pages.upkeep.browser import BrowserPage
from device.screen.pages.upkeep.calibration import CalibrationPage
from device.screen.pages.upkeep.models import ModelsPage
from device.screen.pages.upkeep.objective import ObjectivePage
from device.screen.pages.upkeep.quality_control import QualityControlPage
from device.screen.pages.upkeep.screen_settings import SettingsPage
from device.settings import CellSettings
from device.store.records import SlideRecord
from device.store.slide_summary import SlideTally
from smear.inference.overlay import UNCLASSIFIED, draw_outlines
from tests.device.screen.states import COUNTS, NORMAL, OTHER_REFUSALS, make_cells, make_frame

TYPED = {"name": "S-0043", "operator": "Anna Berger", "specimen": "blood"}
FORMATS = [(each.name, each.help) for each in EXPORTS.all() if isinstance(each, FileFormat)]
TALLY = SlideTally(
    COUNTS, {"out_of_focus": 3, "too_crowded": 1, "uncertain": 1, "unsteady": 1}, 5, 1, cells=212, site_checked=38
)
SLIDE = SlideRecord(
    42, "S-0042", 1_790_000_000.0, 1_790_000_900.0, False, False, TALLY, "Anna Berger", specimen="blood"
)
COUNT = differential({"lymphocyte": 61, "blast": 32, "segmented neutrophil": 7}, CellSettings().classes, 100)
SUMMARY = {**SLIDE.to_json(), "waiting": 0, "state": "counted", "counts": {"Anna Berger": COUNT.to_json()}}
DOUBTFUL = {
    **replace(
        SLIDE,
        tally=replace(TALLY, labels={"Pre": 5, "Benign": 2}, site_checked=0, not_cleared=12),
        simulated=True,
        bundles=("a" * 64, "b" * 64),
    ).to_json(),
    "waiting": 3,
    "state": "open",
    "counts": {},
}
SLIDES = [
    {**SUMMARY, "name": f"S-{number:04d}", "when": "2026-07-14 09:31", "picture": make_frame().image[::8, ::8]}
    for number in range(42, 18, -1)
]
SLIDES[1] |= {"picture": None, "leading": None, "ended_s": None}
CLASSES = [(each.name, each.key) for each in CellSettings().classes]
PICTURE = make_frame().image[:120, 20:140].copy()
draw_outlines(PICTURE, [(make_cells(1)[0].contour - (20, 0), UNCLASSIFIED)], least=2)
CELLS = [{"name": f"12.{number}", "picture": PICTURE if number != 3 else None} for number in range(11)]
CELL = {
    "name": "12.3", "picture": PICTURE, "area_um2": 96.4, "area_px": 1840.0, "nc_ratio": 0.83, "circularity": 0.91,
    "touches_edge": True, "opinion": "Pre", "said": {"Anna Berger": "lymphocyte", "Jan Novák": "blast"},
}  # fmt: skip
ONE = {"id": 42, "name": "S-0042"}
PARTIAL = differential({"lymphocyte": 31, "blast": 2, "smudge cell": 3, "artefact": 1, "unidentified": 2},
                       CellSettings().classes, 100).to_json()  # fmt: skip
FIELD = {"id": 612, "slide_name": "S-0042", "label": None, "picture": make_frame().image,
         "refusals": [{"code": "uncertain", "advice": OTHER_REFUSALS[6]}]}  # fmt: skip
NO_SLIDE = replace(NORMAL, slide=None)
UNCALIBRATED = {
    "white": None,
    "flat": False,
    "pixel_size_um": None,
    "best_focus": None,
    "objective": "40x",
    "warnings": [],
}
CALIBRATED = UNCALIBRATED | {"white": (1.0, 1.0432, 1.2108), "flat": True, "pixel_size_um": 0.2431, "best_focus": 0.8}
NOT_APPLIED = (
    "calibration 20260714T093100Z-1a2b3c4d is not applied, it is for size 1920x1080, not 640x480: calibrate "
    "again, or see 'smearscope calibrate list'"
)
OTHER_CAMERA = {"warnings": [NOT_APPLIED]}
NOT_DONE = {"count": 0, "passed": False, "failed": [], "excuse": False}
QC = {
    "required": True, "cleared": False, "begun": "2026-07-14 08:05", "operator": "Anna Berger",
    "tests": [
        {**NOT_DONE, "name": "location", "count": 1, "passed": True},
        {**NOT_DONE, "name": "slide", "count": 6, "failed": ["cells", "accepted fields", "background brightness"]},
        {**NOT_DONE, "name": "calibration"},
    ],
    "slides": [{"id": 43, "name": "S-0043", "fields": 24}, {"id": 42, "name": "S-0042", "fields": 1}],
}  # fmt: skip
NO_QC = {"required": False, "cleared": False, "begun": "", "operator": "", "slides": [],
         "tests": [{**NOT_DONE, "name": each} for each in ("location", "slide", "calibration")]}  # fmt: skip
CLEARED = QC | {"cleared": True, "required": False, "tests": QC["tests"][:1]}
SCREEN = {"theme": "dark", "fixed": [], "language": "en", "brightness": 0.6, "pin": True, "lock_after_min": 15}
WEB = {"address": "https://smearscope.local:8443/", "password": "h7kp-2mxa-9wcd-rt4e",
       "fingerprint": ":".join(f"{each:02X}" for each in range(3, 256, 8))}  # fmt: skip
MODELS = {
    "level": "int8", "levels": ["auto", "float32", "float16", "dynamic", "int8", "int16x8"],
    "fixed": {"level": "", "bundle": ""}, "bundle": "default-0123456789ab",
    "bundles": [{"name": f"default-{each}", "created": "2026-07-14T09:31", "fault": fault}
                for each, fault in (("0123456789ab", None), ("ba9876543210", None), ("0f0f0f0f0f0f", "no manifest"))],
}  # fmt: skip
FIXED = {"level": "the device was started with --level, which comes first", "bundle": FILE_SAYS}


def calibrating(page: CalibrationPage, live: ScreenState = NORMAL) -> tuple[Page, ScreenState]:
    """Return the page after it looked at the picture."""
    return page.fed(live), live


PAGES: dict[str, tuple[Page, ScreenState]] = {
    "frozen": (LivePage(outlines=False, held=NORMAL), NORMAL),
    "menu": (MenuPage(), NORMAL),
    "new-slide": (NewSlidePage(TYPED), NO_SLIDE),
    "open-slide": (OpenSlidePage(), NORMAL),
    "end-slide": (asked_to_end(NORMAL), NORMAL),
    "summary": (SummaryPage(SUMMARY), NO_SLIDE),
    "summary-doubtful": (SummaryPage(DOUBTFUL, ended_now=True), NO_SLIDE),
    "history": (HistoryPage(SLIDES), NORMAL),
    "gallery": (GalleryPage(ONE, "Anna Berger", CELLS, CLASSES, PARTIAL, at=4), NORMAL),
    "cell": (CellPage(CELL, zoom=2, centre=(0.5, 0.4)), NORMAL),
    "count": (CountPage(ONE, "Anna Berger", PARTIAL), NO_SLIDE),
    "review": (ReviewPage(FIELD), NORMAL),
    "calibrate": calibrating(CalibrationPage(UNCALIBRATED)),
    "calibrate-scale": calibrating(CalibrationPage(CALIBRATED, at=2)),
    "qc": (QualityControlPage(QC), NORMAL),
    "settings": (SettingsPage(SCREEN), NORMAL),
    "models": (ModelsPage(MODELS), NORMAL),
    "browser": (BrowserPage(WEB), NORMAL),
    "locked": (LockPage(), NORMAL),
    "unlocking": (LockPage("123"), NORMAL),
    "pin": (PinPage("1234"), NORMAL),
    "objective": (ObjectivePage({"in use": "40x", "names": ["40x", "100x oil", "10x"]}), NORMAL),
    "shutdown": (ASKED, NORMAL),
    "export": (
        ExportPage(
            SUMMARY | {"megabytes": 38.4}, [{"path": "/media/KINGSTON", "label": "KINGSTON (14.2 GB free)"}], FORMATS
        ),
        NORMAL,
    ),
    "export-no-stick": (ExportPage(SUMMARY | {"megabytes": 38.4}, [], FORMATS), NORMAL),
    "help": (help_of(LivePage(), compose(LivePage(), NORMAL).controls), NORMAL),
}
EMPTY: dict[str, tuple[Page, ScreenState]] = {
    "browser-off": (BrowserPage({}), NORMAL),
    "gallery-empty": (GalleryPage(ONE, "Anna Berger", [], CLASSES), NORMAL),
    "cell-gone": (CellPage({**CELL, "picture": None, "area_um2": None, "said": {}, "opinion": None}), NORMAL),
    "count-complete": (CountPage(ONE, "Anna Berger", COUNT.to_json(), 2), NO_SLIDE),
    "review-labelled": (ReviewPage({**FIELD, "label": "Pre", "picture": None}), NORMAL),
    "summary-signed": (
        SummaryPage(
            {
                **SUMMARY,
                "state": "signed",
                "version": 2,
                "signatures": [{"operator": "Anna Berger", "wall_time_s": 1_790_000_999.0}],
            }
        ),
        NO_SLIDE,
    ),
    "review-empty": (ReviewPage(None), NORMAL),
    "sign-why": (TypedPage("The count is not complete. Why is it signed all the same?", "Reason", Notice), NO_SLIDE),
    "calibrate-warned": calibrating(CalibrationPage(UNCALIBRATED | OTHER_CAMERA), replace(NORMAL, frame=None)),
    "calibrate-flat": calibrating(CalibrationPage(CALIBRATED | OTHER_CAMERA, at=1)),
    "calibrate-focus": calibrating(CalibrationPage(CALIBRATED | OTHER_CAMERA, at=3)),
    "qc-nothing": (QualityControlPage(NO_QC), NORMAL),
    "qc-cleared": (QualityControlPage(CLEARED, at=1), NORMAL),
    "settings-fixed": (
        SettingsPage(SCREEN | {"fixed": ["language", "theme"], "brightness": None, "pin": False}),
        NO_SLIDE,
    ),
    "settings-button": (SettingsPage(SCREEN | {"lock_after_min": 0}), NO_SLIDE),
    "models-fixed": (ModelsPage(MODELS | {"fixed": FIXED}, first=3), NORMAL),
    "models-shipped": (ModelsPage(MODELS | {"bundles": [], "bundle": "default"}, first=5), NORMAL),
    "pin-again": (PinPage("12", first="1234"), NORMAL),
    "history": (HistoryPage([]), NORMAL),
    "history-end": (HistoryPage(SLIDES[:7], "export", first=5), NORMAL),
    "new-slide": (NewSlidePage({"name": "", "operator": "", "specimen": ""}, capitals=False), NO_SLIDE),
    "new-slide-long": (NewSlidePage(dict.fromkeys(TYPED, "Müller-Großmann 17 / Łódź " * 3), at="operator"), NO_SLIDE),
}
"""More states, whose texts are tested and which have no pictures."""
