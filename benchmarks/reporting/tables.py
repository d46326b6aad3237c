"""The tables of a report: rows of text for each part of a result."""

from collections.abc import Iterable

from benchmarks import schema
from train.reporting.page import Table

ROLES = ("segmenter", "classifier")
Row = tuple[str, ...]


def pair_table(pairs: Iterable[schema.Pair]) -> Table:
    """Return the table of both models end to end."""
    head = ("models", "level", "runtime", "p50 ms", "p90 ms", "p99 ms", "max ms", "fields/s", "n", "time, shipped = 1",
            "peak MB", "accuracy", "Dice", "calibration error")  # fmt: skip
    rows = []
    for p in pairs:
        name = f"{p.name} (reference)" if p.key.startswith("reference/") else p.name
        rows.append(
            (name, p.level, p.runtime, *_latency(p), ratio_text(p.ratio), number(p.peak_mb, 0), *_quality(p.figures))
        )
    return Table("", head, tuple(rows))


def variant_table(variants: Iterable[schema.Variant]) -> Table:
    """Return the table of the bare inference of each model."""
    head = ("model", "level", "runtime", "threads", "file kB", "init ms", "first ms", "p50 ms", "p90 ms", "p99 ms",
            "max ms", "per s", "n", "time, shipped = 1", "10^9 multiply-adds/s", "memory MB", "peak MB", "accuracy",
            "Dice", "calibration error")  # fmt: skip
    rows = []
    for v in variants:
        name = f"{v.role} (reference)" if v.pair == "reference" else v.role
        rows.append((
            name, v.level, v.runtime, str(v.threads), number(v.file_bytes / 1e3 or None, 0), number(v.init_ms),
            number(v.first_ms), *_latency(v), ratio_text(v.ratio), number(v.gmacs), number(v.rss_mb, 1),
            number(v.peak_mb, 0), *_quality(v.figures),
        ))  # fmt: skip
    return Table("", head, tuple(rows))


def engine_table(result: schema.Result) -> Table:
    """Return the table of the bundle's bare networks in each measured engine on one thread."""
    rows = []
    own = [v for v in result.variants if v.pair == "bundle" and v.threads == 1]
    for engine, level in dict.fromkeys((v.runtime, v.level) for v in own if v.role == "segmenter"):
        both = {v.role: v for v in own if (v.runtime, v.level) == (engine, level)}
        times = [number(each.latency.p50_ms) if each and each.latency else "-" for each in map(both.get, ROLES)]
        if times != ["-", "-"]:
            rows.append((engine, level, *times, ratio_text(both["segmenter"].ratio)))
    return Table(
        "", ("engine", "level", "segmenter, p50 ms", "classifier, p50 ms", "segmenter, shipped = 1"), tuple(rows)
    )


def training_table(steps: Iterable[schema.Step]) -> Table:
    """Return the table of one training step of the same network in each engine."""
    head = ("network", "engine", "version", "batch", "threads", "parameters", "first ms", "p50 ms", "p90 ms", "p99 ms",
            "max ms", "per s", "n", "time, Keras = 1", "peak MB")  # fmt: skip
    rows = tuple(
        (s.network, s.engine, s.version or "-", str(s.batch), str(s.threads), str(s.parameters or "-"),
         number(s.first_ms, 0), *_latency(s), ratio_text(s.ratio), number(s.peak_mb, 0))
        for s in steps
    )  # fmt: skip
    return Table("", head, rows)


def segmentation_table(rows: Iterable[schema.Segmentation]) -> Table:
    """Return the table of the programs that segment the same fields."""
    head = ("program", "version", "first ms", "p50 ms", "p90 ms", "p99 ms", "max ms", "fields/s", "n",
            "time, Smearscope = 1", "peak MB", "cells found of those drawn", "note")  # fmt: skip
    return Table("", head, tuple(
        (s.engine, s.version or "-", number(s.first_ms, 0), *_latency(s), ratio_text(s.ratio),
         number(s.peak_mb, 0), "-" if s.cells is None else f"{s.cells} of {s.cells_drawn}", s.weights or "-")
        for s in rows
    ))  # fmt: skip


def stage_table(stages: schema.Stages) -> Table:
    """Return the table of the stages of a frame, the bare inferences within them, and their total."""
    rows = [*stages.stage_ms.items(), ("bare invokes", stages.invokes_ms), ("total", stages.total_ms)]
    return Table(
        "",
        ("stage", "ms", "share of total"),
        tuple((name, f"{ms:.1f}", f"{ms / stages.total_ms:.0%}") for name, ms in rows),
    )


def live_table(live: Iterable[schema.Live]) -> Table:
    """Return the table of the times from capture to result and to screen."""
    head = ("camera", "megapixels", "to result, p50 / p90 ms", "to screen, p50 / p90 ms", "fields/s", "process MB",
            "stages, ms")  # fmt: skip
    rows = tuple(
        (each.camera, f"{each.megapixels:.2f}", f"{each.to_result.p50_ms:.0f} / {each.to_result.p90_ms:.0f}",
         f"{each.to_screen.p50_ms:.0f} / {each.to_screen.p90_ms:.0f}", f"{each.fields_per_s:.2f}", f"{each.rss_mb:.0f}",
         ", ".join(f"{stage} {ms:.1f}" for stage, ms in each.stage_ms.items()))
        for each in live
    )  # fmt: skip
    return Table("", head, rows)


def growth_table(growth: schema.Growth) -> Table:
    """Return the table of one growth curve, in milliseconds."""
    names = list(growth.points[0].values)
    rows = tuple((f"{point.at:g}", *(f"{point.values[name]:.1f}" for name in names)) for point in growth.points)
    return Table("", (growth.of, *names), rows)


def product_table(products: Iterable[schema.Product]) -> Table:
    """Return the table of plain matrix products."""
    rows = tuple(
        (p.engine, p.kind, f"{p.size} x {p.size} x {p.size}", number(p.gmacs or None, 0), p.fault) for p in products
    )
    return Table("", ("engine", "numbers", "size", "10^9 multiply-adds/s", "not measured because"), rows)


def operation_table(peak: schema.Peak) -> Table:
    """Return the table of operations, the slowest of each model first and its whole invoke last."""
    head = ("model", "operation", "count", "ms", "share of the invoke", "10^6 multiply-adds", "ms at the peak",
            "of the peak")  # fmt: skip
    return Table("", head, tuple(row for role in peak.invoke_ms for row in _operations(peak, role)))


def _operations(peak: schema.Peak, role: str) -> list[Row]:
    speed = peak.int8_gmacs if peak.level == "int8" else peak.float32_gmacs
    whole, own = peak.invoke_ms[role], [op for op in peak.operations if op.role == role]
    rows: list[Row] = [
        (role, op.operation, str(op.count), f"{op.ms:.3f}", f"{op.ms / whole:.0%}", f"{op.multiply_adds / 1e6:.1f}",
         f"{op.multiply_adds / speed / 1e6:.3f}", "-" if op.peak_share is None else f"{op.peak_share:.0%}")
        for op in own
    ]  # fmt: skip
    work = sum(op.multiply_adds for op in own)
    at_peak = f"{work / speed / 1e6:.3f}"
    reached = f"{peak.reached.get(role, 0):.0%}"
    name = f"the whole invoke at {peak.level}"
    return [*rows, (role, name, "1", f"{whole:.3f}", "100%", f"{work / 1e6:.1f}", at_peak, reached)]


def environment_table(env: schema.Environment) -> Table:
    """Return the table of the machine and software of a result."""
    facts = {
        "machine": env.machine, "CPU": f"{env.cpu}, {env.cpus} processors", "memory": f"{env.memory_mb} MB",
        "OS": f"{env.os}, kernel {env.kernel}", "Python": env.python,
        "versions": ", ".join(f"{name} {version}" for name, version in env.versions.items()),
        "bundle": f"{env.bundle} {env.bundle_sha256[:12]}", "revision": env.git_revision, "nice": str(env.nice),
        "other processes": f"kept {env.others_busy:.1f} processors busy over the whole run",
    }  # fmt: skip
    for when, board in (("before", env.before), ("after", env.after)):
        temperature = "no sensor" if board.temperature_c is None else f"{board.temperature_c:.0f} °C"
        throttled = "no throttle bits" if board.throttled is None else f"throttle bits {board.throttled:#x}"
        clock = f"{board.clock_mhz:.0f} MHz" if board.clock_mhz else "clock unknown"
        facts[when] = (
            f"{temperature}, {throttled}, governor {board.governor or 'unknown'}, {clock}, load {board.load_1min:.1f}, "
            f"others busy {board.others_busy:.1f} processors"
        )
    return Table("", ("", ""), tuple(facts.items()))


def _latency(row: schema.Timed) -> Row:
    if row.latency is None:
        return (row.fault or "not measured", "-", "-", "-", "-", "0")
    own = row.latency
    return (*(number(ms) for ms in (own.p50_ms, own.p90_ms, own.p99_ms, own.max_ms)), f"{own.per_s:.1f}", str(own.n))


def _quality(figures: dict[str, schema.Figure]) -> Row:
    return tuple(f"{figures[name].value:.3f}" if name in figures else "-" for name in ("accuracy", "dice", "ece"))


def ratio_text(ratio: schema.Ratio | None) -> str:
    """Return `ratio` with its interval, or "-"."""
    return "-" if ratio is None else f"{ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"


def number(value: float | None, digits: int = 2) -> str:
    """Return `value` with so many digits after the point, or "-"."""
    return "-" if value is None else f"{value:.{digits}f}"
