"""The results of an archive as one table, a row a picture: Parquet, JSON lines or CSV with the same columns."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import IO, Any

from device.exports.base import text_stream
from device.exports.tables import without_formulas
from smear.classes import LABELS

Row = dict[str, Any]
_ROWS_AT_ONCE = 1000  # of a Parquet file, which come to 2 MB
_QUALITY = ("focus", "clipped", "brightness", "cell_share", "colour_drift", "ood_score")
_SCALE = {  # the keys of `scale` in JSON
    "pixel_size_um": "pixel_size_um", "given": "pixel_size_given", "red_cells": "red_cells",
    "red_cells_um": "red_cells_um", "low_um": "red_cells_low_um", "high_um": "red_cells_high_um",
    "sure": "red_cells_sure",
}  # fmt: skip
_CELL = {
    "x": "int32", "y": "int32", "width": "int32", "height": "int32", "area_px": "float64", "area_um2": "float64",
    "nc_ratio": "float64",
}  # fmt: skip
COLUMNS: dict[str, str] = {
    "image": "string", "sha256": "string", "label": "string", "top": "string", "refusals": "string",
    "refusal_codes": "string", **dict.fromkeys((f"p_{label}" for label in LABELS), "float64"), "cell_count": "int32",
    "cells": "cells", **dict.fromkeys(_QUALITY, "float64"),
    **{new: {"given": "bool", "sure": "bool", "red_cells": "int32"}.get(old, "float64") for old, new in _SCALE.items()},
    "total_ms": "float64", "bundle_sha256": "string", "level": "string", "runtime": "string",
    "site_checked": "bool", "site_certificate": "string", "notes": "string", "error": "string",
}  # fmt: skip
"""Names and Arrow's types, the cells' apart."""


def row_of(name: str, sha256: str | None, line: str) -> Row:
    """Return the columns of the picture `name` from its line of JSON."""
    found = json.loads(line)
    site, cells = found["site"] or {}, [_cell(cell) for cell in found["cells"]]
    scale = {_SCALE[key]: value for key, value in (found["scale"] or {}).items()}
    values = found | found["quality"] | scale | {
        "image": name,
        "sha256": sha256,
        "refusals": "; ".join(refusal["advice"] for refusal in found["refusals"]),
        "refusal_codes": " ".join(refusal["code"] for refusal in found["refusals"]),
        **{f"p_{label}": found["probabilities"].get(label) for label in LABELS},
        "cell_count": len(cells),
        "cells": cells,
        "total_ms": found["timing_ms"].get("total"),
        "site_checked": site.get("checked"),
        "site_certificate": site.get("certificate"),
        "notes": "; ".join(found.get("notes", ())),
    }  # fmt: skip
    return {column: values.get(column) for column in COLUMNS}


def _cell(cell: dict[str, Any]) -> dict[str, Any]:
    values = cell | dict(zip(("x", "y", "width", "height"), cell["bbox"], strict=True))
    return {name: values.get(name) for name in _CELL}


def write_jsonl(rows: Iterable[Row], out: IO[bytes]) -> None:
    """Write an object a line."""
    for row in rows:
        out.write(json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n")


def write_csv(rows: Iterable[Row], out: IO[bytes]) -> None:
    """Write a line each under a header; `cells` are JSON."""
    with text_stream(out) as text:
        writer = csv.DictWriter(text, COLUMNS)
        writer.writeheader()
        for row in rows:
            writer.writerow(without_formulas(row | {"cells": json.dumps(row["cells"], allow_nan=False)}))


def write_parquet(rows: Iterable[Row], out: IO[bytes]) -> None:
    """Write a table; `cells` are lists of structures."""
    arrow, parquet = _arrow()
    cells = arrow.list_(arrow.struct([(name, arrow.type_for_alias(kind)) for name, kind in _CELL.items()]))
    fields = [(name, cells if kind == "cells" else arrow.type_for_alias(kind)) for name, kind in COLUMNS.items()]
    schema = arrow.schema(fields)
    with parquet.ParquetWriter(out, schema) as writer:
        for some in _batches(rows):
            writer.write_batch(arrow.RecordBatch.from_pylist(some, schema=schema))


WRITERS: dict[str, Callable[[Iterable[Row], IO[bytes]], None]] = {
    ".parquet": write_parquet, ".jsonl": write_jsonl, ".csv": write_csv,
}  # fmt: skip


def require_writer(suffix: str) -> None:
    """Refuse before any work a format for which a package is missing.

    Raises:
        ModuleNotFoundError: it is.
    """
    if suffix == ".parquet":
        _arrow()


def _arrow() -> Any:
    import pyarrow  # here: an extra of its own, 50 MB
    import pyarrow.parquet

    return pyarrow, pyarrow.parquet


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    rest = iter(rows)
    while some := list(islice(rest, _ROWS_AT_ONCE)):
        yield some
