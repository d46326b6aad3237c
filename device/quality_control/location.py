"""The location test: a person looks for the cells that the device missed.

As in section 3.1 of the CellaVision DM1200 user's manual: about 200 cells are located, a person counts on the same
pictures those that were not, and the share that was located has a lower limit.
"""

from device.quality_control.measurements import RECALL, QcMeasurement
from smear.errors import StoreError
from smear.metrics import wilson_interval

MIN_CELLS = 200


def location_test(found: int, missed: int, min_recall: float) -> QcMeasurement:
    """Return the share of cells that were found, with its 95 % Wilson interval.

    Raises:
        StoreError: too few cells were looked at.
    """
    if found < 0 or missed < 0 or found + missed < MIN_CELLS:
        raise StoreError(
            f"a location test needs at least {MIN_CELLS} cells, found and missed together, not {found + missed}; "
            "look at more fields"
        )
    recall = found / (found + missed)
    low, high = wilson_interval(found, found + missed)
    about = {"found": found, "missed": missed, "low": round(low, 4), "high": round(high, 4), "limit": min_recall}
    return QcMeasurement(RECALL, recall, recall >= min_recall, details=about)
