"""The epochs, minutes and curves of a training run, from its log files."""

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
    if not file.stat().st_size:
        return {}
    # Keras writes NA where it did not measure, which is read as NaN.
    table = np.atleast_1d(np.genfromtxt(file, delimiter=",", names=True, deletechars="", encoding="utf-8"))
    names = [name for name in table.dtype.names or () if name != "epoch"]
    return {name: table[name] for name in names if np.isfinite(table[name]).any()}


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
