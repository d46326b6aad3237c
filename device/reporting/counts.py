"""Counts, states and signatures of slides in a terminal."""

from collections.abc import Mapping

from rich.box import SIMPLE
from rich.console import Group
from rich.table import Table
from rich.text import Text

from device.counting.agreement import Agreement
from device.counting.cell_classes import Role
from device.counting.differential import ClassCount, DifferentialCount
from device.reporting.tables import local_time
from device.store.review.sign_off import Counted, Verification
from device.store.review.statement import Signature
from smear import RESEARCH_USE_ONLY


def classified_lines(totals: Mapping[str, int]) -> list[str]:
    """Say how many cells people called what last, whoever it was."""
    if not totals:
        return []
    return [f"cells classified by a person: {', '.join(f'{n} {name}' for name, n in totals.items())}"]


def state_lines(counted: Counted) -> list[str]:
    """Say how far the work on a slide is, who counted what, and who signed."""
    lines = [f"state: {counted.state}"]
    lines += [f"counted by {name}, {_count_text(count)}" for name, count in counted.counts.items()]
    lines += [f"{signature_text(each)}, sha256 {each.sha256}" for each in counted.signatures]
    return lines


def signature_text(signature: Signature) -> str:
    """Say who signed which version when."""
    return f"version {signature.version} signed by {signature.operator} on {local_time(signature.wall_time_s)}"


def count_report(counts: Mapping[str, DifferentialCount]) -> Group:
    """Show the counts of operators one below the other, with what each lacks."""
    parts = [part for operator, count in counts.items()
             for part in (_count_table(operator, count), Text(_conclusion(count)))]  # fmt: skip
    return Group(*parts, Text(RESEARCH_USE_ONLY))


def agreement_report(first: str, second: str, found: Agreement) -> Group:
    """Show how far two operators agree on the cells that both classified."""
    table = Table(box=SIMPLE, title=Text(f"rows: {first}; columns: {second}"), title_justify="left")
    table.add_column("class", overflow="fold")
    for number in range(1, len(found.classes) + 1):
        table.add_column(str(number), justify="right")
    for number, (name, row) in enumerate(zip(found.classes, found.confusion, strict=True), 1):
        table.add_row(Text(f"{number} {name}"), *map(str, row))
    agreed = found.agreed
    lines = [f"both classified {agreed.total} cells"]
    if agreed.total:
        lines.append(f"agreement: {agreed.share:.1%} ({agreed.low:.1%} to {agreed.high:.1%})")
        lines.append(
            "Cohen's kappa: not defined, since both gave all cells one class"
            if found.kappa is None
            else f"Cohen's kappa: {found.kappa:.2f} ({found.kappa_low:.2f} to {found.kappa_high:.2f})"
        )
    return Group(*([table] if agreed.total else []), *map(Text, lines))


def verification_line(found: Verification) -> str:
    """Say whether a signed result is what was signed."""
    if found.faults:
        return f"{signature_text(found.signature)}: DOES NOT HOLD: {'; '.join(found.faults)}"
    holds = "and the records agree" if found.compared else "not compared: the slide was amended or deleted since"
    return f"{signature_text(found.signature)}: holds, {holds}"


def _count_text(count: DifferentialCount) -> str:
    if count.shortfalls:
        return f"not complete: {', '.join(count.shortfalls)}"
    return f"complete: {count.leukocytes} of {count.target} leukocytes"


def _count_table(operator: str, count: DifferentialCount) -> Table:
    table = Table(box=SIMPLE, title=Text(f"counted by {operator}"), title_justify="left")
    for title in ("class", "cells", "per cent", "95 % interval"):
        table.add_column(title, justify="left" if title == "class" else "right", overflow="fold")
    for each in sorted(count.classes, key=lambda each: each.share is None):
        table.add_row(Text(each.name), str(each.n), *_share_texts(each))
    table.add_section()
    table.add_row("leukocytes", str(count.leukocytes), f"of {count.target}", "")
    return table


def _share_texts(each: ClassCount) -> tuple[str, str]:
    if each.share is not None and each.share.total:
        return f"{each.share.share:.1%}", f"{each.share.low:.1%} to {each.share.high:.1%}"
    if each.per_100 is not None:
        return f"{each.per_100:.1f}", "per 100 leukocytes"
    return "-", "not counted" if each.role is Role.ARTEFACT else ""


def _conclusion(count: DifferentialCount) -> str:
    return "Not complete: " + "; ".join(count.shortfalls) if count.shortfalls else "The count is complete."
