"""Cells in a terminal: a gallery as a table, and all that is known of one cell."""

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from device.reporting.events import event_line
from device.reporting.tables import local_time
from device.store import CellRecord, FieldRecord, SlideRecord
from device.store.review.audit_trail import Event

OPINION = "opinion: the network's, not calibrated; it sorts the cells and counts nothing"


def cell_table(cells: Sequence[CellRecord], slide: SlideRecord) -> Table:
    """List cells, a line each in 80 columns."""
    scaled = any(cell.area_um2 is not None for cell in cells)
    table = Table(box=SIMPLE, padding=0, show_edge=False, title=Text(f"Slide {slide.id}: {slide.name}"),
                  title_justify="left")  # fmt: skip
    left = {"cell", "class", "opinion", "cut"}
    for title in ("cell", "class", "opinion", "p", "µm²" if scaled else "px", "N:C", "circ.", "nuc.°", "cyt.°", "cut"):
        table.add_column(title, justify="left" if title in left else "right", no_wrap=title != "class", overflow="fold")
    for cell in cells:
        table.add_row(
            cell.name,
            Text(cell.cell_class or "-"),
            cell.opinion or "-",
            _rounded(cell.opinion_p, 2),
            _rounded(cell.area_um2 if scaled else cell.area_px, 0),
            f"{cell.nc_ratio:.2f}",
            f"{cell.circularity:.2f}",
            _rounded(cell.nucleus_hue, 0),
            _rounded(cell.cytoplasm_hue, 0),
            "edge" if cell.touches_edge else "",
        )
    return table


def cell_lines(
    cell: CellRecord, field: FieldRecord, slide: SlideRecord, said: Mapping[str, str], events: Sequence[Event]
) -> list[str]:
    """Say all that is known of a cell; `said` is what each operator calls it, `events` is its audit trail."""
    return [
        f"cell {cell.name} of slide {slide.id} ({slide.name}), taken {local_time(field.wall_time_s)}",
        f"class: {cell.cell_class or 'not classified'}"
        + (f" ({', '.join(f'{operator}: {name}' for operator, name in said.items())})" if said else ""),
        measures_text(cell),
        f"place: {_place_text(cell, field)}" + (", cut by the edge of the field" if cell.touches_edge else ""),
        f"hue in degrees: nucleus {_rounded(cell.nucleus_hue, 0)}, cytoplasm {_rounded(cell.cytoplasm_hue, 0)}",
        *([] if cell.accepted else ["its field carries no label: the cell is not counted and cannot be classified"]),
        OPINION,
        *map(event_line, events),
    ]


def measures_text(cell: CellRecord) -> str:
    """Say in a line what a person sorts by: size, nucleus, form, and the network's opinion."""
    area = f"{cell.area_px:.0f} px" if cell.area_um2 is None else f"{cell.area_um2:.0f} µm²"
    opinion = f"opinion {cell.opinion} {cell.opinion_p:.2f}" if cell.opinion and cell.opinion_p is not None else ""
    return ", ".join(part for part in (
        f"area {area}", f"N:C {cell.nc_ratio:.2f}", f"circularity {cell.circularity:.2f}", opinion
    ) if part)  # fmt: skip


def _place_text(cell: CellRecord, field: FieldRecord) -> str:
    x, y, width, height = cell.bbox
    text = f"x {x}, y {y}, {width} x {height} px"
    if field.pixel_size_um:
        text += f" ({width * field.pixel_size_um:.1f} x {height * field.pixel_size_um:.1f} µm)"
    return text


def _rounded(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
