"""What a recorded slide measures of the microscope: as a control of its lot, and against the calibration in force."""

from collections.abc import Iterable, Sequence
from statistics import fmean

from device.cameras.calibration import Calibration
from device.quality_control.measurements import QcMeasurement
from device.store.records import FieldRecord
from smear.errors import StoreError
from smear.imaging.field_quality import brightness_of
from smear.inference.quality_gate import MIN_RELATIVE_FOCUS, WARN_DRIFT

MIN_FIELDS = 10  # distinct ones: the cells of fewer differ more between two places than between two days
LIGHT_TOLERANCE = 0.1  # a tenth of the light: where the live screen begins to warn, see `WARN_DRIFT`


def slide_measures(fields: Sequence[FieldRecord], cell_areas_um2: Iterable[float]) -> dict[str, float]:
    """Return the measures of a control slide by name.

    `cell_areas_um2` are those of whole cells in its accepted fields; without any, as on a camera whose scale is
    unknown, the area is left out, and so is the colour drift where no white was calibrated. The focus is that of
    fields with cells.

    Raises:
        StoreError: it has too few fields, or none with cells.
    """
    if len(fields) < MIN_FIELDS:
        raise StoreError(f"the slide has {len(fields)} fields, and {MIN_FIELDS} are needed; record more of it")
    areas, drifts = list(cell_areas_um2), [each.colour_drift for each in fields]
    return {
        "slide.cells": fmean(each.cell_count for each in fields),
        **({"slide.cell_area": fmean(areas)} if areas else {}),
        "slide.accepted": fmean(each.label is not None for each in fields),
        "slide.focus": _mean_focus(fields),
        "slide.brightness": fmean(each.brightness for each in fields),
        **({"slide.colour_drift": fmean(drifts)} if any(drifts) else {}),
    }


def calibration_test(fields: Sequence[FieldRecord], known: Calibration) -> list[QcMeasurement]:
    """Return focus, light and white balance of a slide's `fields` against the calibration `known`.

    Raises:
        StoreError: a part was not calibrated, or the fields were not recorded under this calibration.
    """
    if not known.id:
        raise StoreError(
            "no calibration is in force; run 'smearscope calibrate white' and 'smearscope calibrate focus'"
        )
    for part, value in (("white", known.glass), ("focus", known.best_focus)):
        if value is None:
            raise StoreError(f"the calibration in force has no {part}; run 'smearscope calibrate {part}'")
    assert known.glass is not None
    under = [each for each in fields if each.calibration_id == known.id]
    if len(under) < MIN_FIELDS:
        raise StoreError(
            f"{len(under)} of {len(fields)} fields were recorded under the calibration in force ({known.id}), and "
            f"{MIN_FIELDS} are needed; record a slide with it"
        )
    light = fmean(each.brightness for each in under) / brightness_of(known.glass)
    drift, focus = fmean(each.colour_drift for each in under), _mean_focus(under)
    about = {"calibration": known.id, "fields": len(under)}
    within = {"low": 1 - LIGHT_TOLERANCE, "high": 1 + LIGHT_TOLERANCE}
    return [
        QcMeasurement(
            "calibration.focus", focus, focus >= MIN_RELATIVE_FOCUS, details=about | {"limit": MIN_RELATIVE_FOCUS}
        ),
        QcMeasurement("calibration.light", light, within["low"] <= light <= within["high"], details=about | within),
        QcMeasurement("calibration.white", drift, drift <= WARN_DRIFT, details=about | {"limit": WARN_DRIFT}),
    ]


def _mean_focus(fields: Sequence[FieldRecord]) -> float:
    with_cells = [each.focus for each in fields if each.cell_count]
    if not with_cells:
        raise StoreError("no field of the slide has a cell; record another slide")
    return fmean(with_cells)
