"""Prints results on a terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.reporting.comparison import Change, Comparison
from benchmarks.reporting.tables import pair_table
from benchmarks.schema import Result
from benchmarks.suites.following import Following
from benchmarks.suites.soak import GROWTH_MB, RESIDENT_MB, Soak
from benchmarks.suites.store_queries import Timing
from benchmarks.suites.viewers import CONNECTIONS, Viewers


def print_result(result: Result, console: Console) -> None:
    """Print the end-to-end table, the stages and every warning."""
    pairs = pair_table(result.pairs)
    table = Table(*pairs.head)
    for row in pairs.rows:
        table.add_row(*row)
    console.print(table)
    for each in result.stages:
        stages = ", ".join(f"{stage} {ms:.1f}" for stage, ms in each.stage_ms.items())
        console.print(
            f"{each.name}: {each.total_ms:.1f} ms ({stages}), bare invokes {each.invokes_ms:.1f}, "
            f"overhead {each.overhead:.0%} ({each.cpu_overhead:.0%} in processor time)",
            highlight=False,
        )
    _warn((*result.environment.warnings, *result.faults), console)


def print_comparison(comparison: Comparison, changes: Sequence[Change], console: Console) -> None:
    """Print `changes` of a comparison, what may make it invalid, and how many figures are worse."""
    table = Table("figure", "first", "second", "second / first", "")
    for change in changes:
        verdict = "WORSE" if change.regression else ""
        table.add_row(change.what, f"{change.old:.4g}", f"{change.new:.4g}", f"{change.ratio:.2f}", verdict)
    _warn(comparison.cautions, console)
    console.print(table if changes else "nothing changed")
    if comparison.missing:
        console.print(
            f"no longer measured: {len(comparison.missing)} figures, {'; '.join(comparison.missing[:3])}",
            style="yellow", markup=False,
        )  # fmt: skip
    console.print(f"{comparison.regressions} of {len(comparison.changes)} figures are worse")


def print_soak(soak: Soak, console: Console) -> None:
    """Print a line for each twentieth of the run, and what it says as a whole."""
    table = Table("fields", "minutes", "resident MB", "descriptors", "threads")
    for sample in soak.samples[:: max(1, len(soak.samples) // 20)]:
        table.add_row(
            str(sample.fields), f"{sample.seconds / 60:.1f}", f"{sample.rss_mb:.1f}", str(sample.descriptors),
            str(sample.threads),
        )  # fmt: skip
    console.print(table)
    last = soak.samples[-1]
    console.print(
        f"{last.fields} fields in {last.seconds / 60:.1f} min; after the first {soak.warm[0].fields} memory grew by "
        f"{soak.growth_mb:+.1f} MB (allowed < {GROWTH_MB:g}), descriptors by {soak.descriptors_gained:+d}; at most "
        f"{soak.peak_mb:.1f} MB resident (allowed {RESIDENT_MB:g})",
        highlight=False,
    )


def print_following(found: Sequence[Following], console: Console) -> None:
    """Print one line for each display, with inference held back and without a pause."""
    table = Table("display", "fields", "pictures/s", "longest ms", "field ms without", "with", "times as long")
    for each in found:
        ratio = f"{each.ratio.value:.3f} ({each.ratio.low:.3f} to {each.ratio.high:.3f})" if each.ratio else ""
        figures = (f"{value:.1f}" for value in (each.pictures_per_s, each.longest_ms, *each.inference_ms))
        table.add_row(each.display, "3 a second" if each.held else "no pause", *figures, ratio)
    console.print(table)


def print_viewers(found: Viewers, console: Console) -> None:
    """Print what two browsers saw, and what idle connections cost."""
    late = found.latency
    console.print(
        f"exposure to browser: p50 {late.p50_ms:.0f} ms, p95 {found.p95_ms:.0f} ms, p99 {late.p99_ms:.0f} ms; {late.n} "
        f"pictures in two browsers at {found.pictures_per_s:.1f} a second; web process {found.resident_mb:.0f} MB",
        highlight=False,
    )
    if found.idle is not None:
        idle = found.idle
        console.print(
            f"a field beside {CONNECTIONS} idle connections: {idle.value:.3f} ({idle.low:.3f} to {idle.high:.3f}) "
            f"times as long, {idle.rounds} rounds",
            highlight=False,
        )


def print_queries(timings: Sequence[Timing], console: Console) -> None:
    """Print one line for each query of each store."""
    table = Table("fields stored", "query", "n", "p50 ms", "p95 ms", "p95 of processor ms")
    for timing in timings:
        figures = (f"{value:.2f}" for value in (timing.p50_ms, timing.p95_ms, timing.cpu_p95_ms))
        table.add_row(str(timing.records), timing.what, str(timing.n), *figures)
    console.print(table)


def _warn(warnings: Sequence[str], console: Console) -> None:
    for warning in warnings:
        console.print(f"doubtful: {warning}", style="yellow", markup=False)
