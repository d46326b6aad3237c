"""The epochs, minutes and curves of a training run, from its log files."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

EPOCHS = "epochs.csv"


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """One stage of fitting."""

    name: str  # its folder, below the run's
    epochs: int
    minutes: float | None  # None: there is no TensorBoard log
    curves: dict[str, NDArray[np.float64]]  # column of epochs.csv -> (epochs,), NaN where it was not measured


def stages(run: Path) -> list[Stage]:
    """Return every stage below the folder `run`, by name."""
    found = []
    for file in sorted(run.rglob(EPOCHS)):
        curves = _curves(file)
        if curves:
            name = file.parent.relative_to(run).as_posix()
            epochs = len(next(iter(curves.values())))
            found.append(Stage(run.name if name == "." else name, epochs, _minutes(file.parent), curves))
    return found


def _curves(file: Path) -> dict[str, NDArray[np.float64]]:
    with file.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    names = [name for name in (rows[0] if rows else {}) if name and name != "epoch"]
    curves = {name: np.array([_number(row[name]) for row in rows]) for name in names}
    return {name: values for name, values in curves.items() if np.isfinite(values).any()}


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:  # Keras writes NA where it did not measure
        return float("nan")


def _minutes(folder: Path) -> float | None:
    """Return the minutes that the TensorBoard logs of `folder` cover, resumed parts added up."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    seconds = [0.0]
    for log in sorted((folder / "tensorboard").rglob("events.out.tfevents.*")):
        if "validation" in log.parts:
            continue  # covers the same time as the log of training
        times = [event.wall_time for event in EventFileLoader(str(log)).Load()]
        seconds.append(max(times) - min(times) if times else 0.0)
    return sum(seconds) / 60.0 if len(seconds) > 1 else None
