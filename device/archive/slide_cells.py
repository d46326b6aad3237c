"""The cells of a whole slide as GeoJSON for QuPath: each once, though two tiles may see it on their common border."""

import json
import math
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from device.archive.slide import MARGIN_UM, Tile, TileCell, TileResult
from device.archive.workers import Lost
from smear import RESEARCH_USE_ONLY
from smear.classes import FIELD_CLASSES
from smear.output_files import printable

_SPACE = uuid.UUID("3f6f8d1e-5c83-4d0b-9a0e-6f3a0c1f7b52")
"""Of the objects' identifiers: the same cell has the same one whenever the slide is examined."""


@dataclass(slots=True)
class SlideCells:
    """What was found in the tiles so far; of the cells only two rows of tiles are in memory."""

    tiles: Counter[str] = field(default_factory=Counter)  # by state
    faults: list[str] = field(default_factory=list)  # a sentence for each tile that could not be examined
    found: int = 0
    _near: dict[tuple[int, int], list[tuple[Tile, TileCell]]] = field(default_factory=dict)  # by square of `MARGIN_UM`

    def write(self, path: Path, results: Iterable[tuple[Tile, TileResult | Lost]], out: IO[bytes]) -> bool:
        """Write the collection as results come; return whether it is complete: Ctrl-C ends it where it is."""
        head = {"type": "FeatureCollection", "notice": RESEARCH_USE_ONLY, "image": printable(path)}
        out.write(json.dumps(head, allow_nan=False).encode()[:-1] + b', "features": [\n')
        try:
            for feature in self._features(results):
                text = json.dumps(feature, ensure_ascii=False, allow_nan=False)
                out.write(b",\n" * (self.found > 0) + text.encode())
                self.found += 1
            complete = True
        except KeyboardInterrupt:
            complete = False
        tail = {"tiles": dict(self.tiles), "complete": complete}
        out.write(b"\n], " + json.dumps(tail, allow_nan=False).encode()[1:] + b"\n")
        return complete

    def _features(self, results: Iterable[tuple[Tile, TileResult | Lost]]) -> Iterator[dict[str, Any]]:
        row = -math.inf
        for tile, result in results:
            edge = MARGIN_UM / tile.pixel_size_um * tile.scale
            if tile.core[1] > row:
                self._near = {square: cells for square, cells in self._near.items() if square[1] >= row // edge - 1}
                row = tile.core[1]
            if isinstance(result, Lost) or result.error:
                self.tiles["not examined"] += 1
                self.faults.append(result.reason if isinstance(result, Lost) else str(result.error))
                continue
            self.tiles.update(result.state)
            yield from (_feature(cell) for cell in result.cells if self._is_new(tile, cell, edge))

    def _is_new(self, tile: Tile, cell: TileCell, edge: float) -> bool:
        x, y = (int(value // edge) for value in cell.centre)
        around = [self._near.get((x + right, y + down), ()) for right in (-1, 0, 1) for down in (-1, 0, 1)]
        if any(other is not tile and _same(cell, seen) for cells in around for other, seen in cells):
            return False
        self._near.setdefault((x, y), []).append((tile, cell))
        return True


def _same(first: TileCell, second: TileCell) -> bool:
    """Tell whether two boxes share more than half of the smaller one, as those of two cells that touch never do."""
    shared = [
        max(0.0, min(first.box[side + 2], second.box[side + 2]) - max(first.box[side], second.box[side]))
        for side in (0, 1)
    ]
    least = min((box[2] - box[0]) * (box[3] - box[1]) for box in (first.box, second.box))
    return shared[0] * shared[1] > least / 2


def _feature(cell: TileCell) -> dict[str, Any]:
    properties: dict[str, Any] = {"objectType": "detection", "measurements": cell.measures}
    if cell.name is not None:
        colour = next(each.colour for each in FIELD_CLASSES if each.name == cell.name)
        properties["classification"] = {"name": cell.name, "color": list(colour)}
    return {
        "type": "Feature",
        "id": str(uuid.uuid5(_SPACE, repr(cell.centre))),
        "geometry": {"type": "Polygon", "coordinates": [[*cell.outline, cell.outline[0]]]},
        "properties": properties,
    }
