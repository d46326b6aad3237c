"""Tables of runs: approaches with mean and spread over seeds and folds, and networks side by side."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from smear.errors import TrainingError


@dataclass(frozen=True, slots=True)
class Spread:
    """One approach on one split, over all its runs: none is left out or picked."""

    approach: str
    split: str
    runs: int
    macro_f1: tuple[float, float, float, float]  # mean, standard deviation, minimum, maximum
    accuracy: tuple[float, float, float, float]
    epochs: str
    n: str
    remark: str


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a JSON file (a list, or an object with "rows") or of a CSV, or of every such file in a folder.

    Raises:
        TrainingError: a file is none of these.
    """
    if path.is_dir():
        return [row for file in sorted(path.iterdir()) if file.suffix in {".json", ".csv"} for row in read_rows(file)]
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".csv":
            return list(csv.DictReader(text.splitlines()))
        found = json.loads(text)
        rows = found["rows"] if isinstance(found, dict) else found
        return [dict(row) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f'{path}: no table of runs ({error}); give JSON {{"rows": [...]}} or CSV') from error


def spreads(rows: Sequence[dict[str, Any]]) -> list[Spread]:
    """Return mean and spread of each approach on each split, in the order of their first row.

    A row holds approach, split, macro_f1, accuracy, and if known fold, seed, epochs, n and remark.

    Raises:
        TrainingError: a row lacks a required column.
    """
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        try:
            found.setdefault((str(row["approach"]), str(row["split"])), []).append(
                {**row, "macro_f1": float(row["macro_f1"]), "accuracy": float(row["accuracy"])}
            )
        except (KeyError, ValueError, TypeError) as error:
            raise TrainingError(
                f"a run in the table of approaches lacks {error}; give approach, split, accuracy and macro_f1"
            ) from error
    return [
        Spread(
            approach,
            split,
            len(runs),
            _spread([run["macro_f1"] for run in runs]),
            _spread([run["accuracy"] for run in runs]),
            _range([run.get("epochs") for run in runs]),
            _range([run.get("n") for run in runs]),
            "; ".join(dict.fromkeys(str(run["remark"]) for run in runs if run.get("remark"))),
        )
        for (approach, split), runs in found.items()
    ]


def _spread(values: Sequence[float]) -> tuple[float, float, float, float]:
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return float(np.mean(values)), deviation, float(min(values)), float(max(values))


def _range(values: Sequence[Any]) -> str:
    known = sorted({int(float(value)) for value in values if value not in (None, "")})
    if not known:
        return "-"
    return str(known[0]) if len(known) == 1 else f"{known[0]} to {known[-1]}"
