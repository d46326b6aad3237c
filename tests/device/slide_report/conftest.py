"""A slide with everything that a report may hold, and names as hostile as the store takes them."""

from pathlib import Path

import pytest

from device.counting.cell_classes import DEFAULT_CLASSES, CellClass
from device.quality_control.measurements import QcMeasurement
from device.quality_control.westgard import Rule
from device.settings import CellSettings, Settings
from device.store import Store
from device.store.review.sign_off import Concessions
from device.system.clock import ManualClock
from tests.device.findings import OUT_OF_FOCUS, TOO_DARK, UNCERTAIN, finding, frame

NAME = "</title></style><script>hacked=1</script><img src=x onerror=hacked=1>"
OPERATOR = "<b onclick=hacked=1>Ann</b>\"'}@import"
LOT = "<i>lot</i>"
LONG = "W" * 40
CLASS = "<svg onload=hacked=1>{{ 7 * 7 }}"
SETTINGS = Settings(cells=CellSettings(classes=(CellClass(CLASS, "9"), *DEFAULT_CLASSES), target=25))
ACCEPTED, REFUSED = 14, 3


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data folder of slide 1: accepted fields of two cells, refused ones, a count by two operators, signed."""
    with Store.record(tmp_path / "data", clock=ManualClock(wall_s=1_700_000_000.0)) as store:
        for value in (12.0, 12.5, 16.9):
            known = QcMeasurement("slide.cells", value, value < 16, LOT, 12.0, 1.5, (Rule.ONE_3S,) * (value > 16))
            store.add_qc(OPERATOR, [known], begin=True)
        slide = store.start_slide(NAME, simulated=True)
        for n in range(ACCEPTED):
            store.add_field(slide, frame(n), finding("Pre" if n % 3 else "Pro"))
        for n, why in enumerate(((OUT_OF_FOCUS,), (TOO_DARK, UNCERTAIN), (UNCERTAIN,))):
            store.add_field(slide, frame(ACCEPTED + n), finding(None, why), review=n == 2)
        store.end_slide(slide)
        store.set_review(2, wanted=False, label="Early")
        cells = [(cell.field_id, cell.number) for cell in store.browse(slide)]
        store.classify(OPERATOR, cells[:20], "blast")
        store.classify(OPERATOR, cells[17:18], "unidentified")
        store.classify(OPERATOR, cells[18:20], CLASS)
        store.classify(LONG, cells[:10], "lymphocyte")
        why = Concessions(unidentified=True, short="hypocellular <u>marrow</u>")
        store.sign(slide, OPERATOR, SETTINGS.cells.classes, SETTINGS.cells.target, why)
    return tmp_path / "data"
