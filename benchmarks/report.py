"""One result as Markdown: the tables that the README, the HTML page and the terminal show."""

from collections.abc import Iterable, Sequence

from benchmarks.schema import Environment, Figure, Growth, Live, Pair, Peak, Ratio, Result, Stages, Variant

Row = Sequence[str]


def markdown(result: Result) -> str:
    """Return the whole report."""
    parts = [
        "# What each level costs and gives",
        *_heading(result),
        "## Both models, frame in and finding out",
        "Whole fields of 224 x 224 pixels, one thread; the variants took turns, ratios are medians of paired rounds. "
        "The naive loop shrinks the field to each model's input and neither parts nor measures cells.",
        _table(*pair_table(result.pairs)),
        "## Bare inference",
        "Random input, in the type the model takes; memory is what loading it and answering once added to a process.",
        _table(*variant_table(result.variants)),
    ]
    if result.stages:
        parts += ["## Where a frame's time goes", *map(_stages, result.stages)]
    if result.live:
        parts += ["## From capture to screen", _table(*live_table(result.live))]
    if result.growth:
        parts += ["## How it grows", *map(_growth, result.growth)]
    if result.start:
        parts += ["## Start", _start(result)]
    if result.peak:
        parts += ["## What the machine could do", *_peak(result.peak)]
    parts += ["## Environment", _table(*environment_table(result.environment))]
    return "\n\n".join(parts) + "\n"


def _heading(result: Result) -> list[str]:
    env = result.environment
    versions = ", ".join(f"{name} {version}" for name, version in env.versions.items() if "lite" in name)
    said = [f"{env.machine}, {env.cpu}, {env.cpus} processors; {versions}; {result.mode} run of {result.created}."]
    said += [f"**Take these figures with care:** {'; '.join(env.warnings)}."] if env.warnings else []
    said += [f"Not measured: {'; '.join(result.faults)}."] if result.faults else []
    return said


def short(result: Result) -> str:
    """Return the one table and the one paragraph that a README shows."""
    return "\n\n".join([*_heading(result), _table(*pair_table(result.pairs))]) + "\n"


def pair_table(pairs: Iterable[Pair]) -> tuple[Row, list[Row]]:
    """Return head and rows: both models end to end."""
    head = ("models", "level", "runtime", "p50 ms", "p90 ms", "p99 ms", "max ms", "fields/s", "n", "time, shipped = 1",
            "accuracy", "Dice", "calibration error")  # fmt: skip
    rows = []
    for p in pairs:
        who = f"{p.name} (reference)" if p.key.startswith("reference/") else p.name
        rows.append((who, p.level, p.runtime, *_latency(p), _ratio(p.ratio), *_quality(p.figures)))
    return head, rows


def variant_table(variants: Iterable[Variant]) -> tuple[Row, list[Row]]:
    """Return head and rows: the bare inference of each model."""
    head = ("model", "level", "runtime", "threads", "file kB", "init ms", "first ms", "p50 ms", "p90 ms", "p99 ms",
            "max ms", "per s", "n", "10^9 multiply-adds/s", "memory MB", "accuracy", "Dice",
            "calibration error")  # fmt: skip
    rows = []
    for v in variants:
        who = f"{v.role} (reference)" if v.pair == "reference" else v.role
        rows.append((
            who, v.level, v.runtime, str(v.threads), _number(v.file_bytes / 1e3 or None, 0), _number(v.init_ms),
            _number(v.first_ms), *_latency(v), _number(v.gmacs), _number(v.rss_mb, 1), *_quality(v.figures),
        ))  # fmt: skip
    return head, rows


def live_table(live: Iterable[Live]) -> tuple[Row, list[Row]]:
    """Return head and rows: capture to result and to screen."""
    head = (
        "camera",
        "megapixels",
        "to result, p50 / p90 ms",
        "to screen, p50 / p90 ms",
        "fields/s",
        "process MB",
        "stages, ms",
    )
    rows = [
        (each.camera, f"{each.megapixels:.2f}", f"{each.to_result.p50_ms:.0f} / {each.to_result.p90_ms:.0f}",
         f"{each.to_screen.p50_ms:.0f} / {each.to_screen.p90_ms:.0f}", f"{each.fields_per_s:.2f}", f"{each.rss_mb:.0f}",
         ", ".join(f"{stage} {ms:.1f}" for stage, ms in each.stage_ms.items()))
        for each in live
    ]  # fmt: skip
    return head, rows


def environment_table(env: Environment) -> tuple[Row, list[Row]]:
    """Return head and rows: where it was measured."""
    facts = {
        "machine": env.machine, "CPU": f"{env.cpu}, {env.cpus} processors", "memory": f"{env.memory_mb} MB",
        "OS": f"{env.os}, kernel {env.kernel}", "Python": env.python,
        "versions": ", ".join(f"{name} {version}" for name, version in env.versions.items()),
        "bundle": f"{env.bundle} {env.bundle_sha256[:12]}", "revision": env.git_revision, "nice": str(env.nice),
    }  # fmt: skip
    for when, board in (("before", env.before), ("after", env.after)):
        temperature = "no sensor" if board.temperature_c is None else f"{board.temperature_c:.0f} degrees C"
        throttled = "no throttle bits" if board.throttled is None else f"throttle bits {board.throttled:#x}"
        clock = f"{board.clock_mhz:.0f} MHz" if board.clock_mhz else "clock unknown"
        facts[when] = (
            f"{temperature}, {throttled}, governor {board.governor or 'unknown'}, {clock}, load {board.load_1min:.1f}, "
            f"others busy {board.others_busy:.1f} processors"
        )
    return ("", ""), list(facts.items())


def _stages(each: Stages) -> str:
    rows = [(stage, f"{ms:.1f}", f"{ms / each.total_ms:.0%}") for stage, ms in each.stage_ms.items()]
    rows.append(("bare invokes", f"{each.invokes_ms:.1f}", f"{each.invokes_ms / each.total_ms:.0%}"))
    rows.append(("total", f"{each.total_ms:.1f}", "100%"))
    said = (
        f"{each.name}: {each.megapixels:.2f} megapixels, {each.cells} cells found, {each.segmenter_invokes} + "
        f"{each.classifier_invokes} invokes, n = {each.n}. Overhead over the bare invokes: **{each.overhead:.0%}**; "
        f"{each.cpu_overhead:.0%} in processor time ({each.cpu_ms:.1f} against {each.invokes_cpu_ms:.1f} ms), which "
        "other processes disturb less."
    )
    return f"{said}\n\n{_table(('stage', 'ms', 'share of total'), rows)}"


def _growth(each: Growth) -> str:
    names = list(each.points[0].values)
    rows = [(f"{point.at:g}", *(f"{point.values[name]:.1f}" for name in names)) for point in each.points]
    return f"By {each.unit}, in ms:\n\n{_table((each.of, *names), rows)}"


def _start(result: Result) -> str:
    assert result.start is not None
    first, help_s = result.start.first_finding_s, result.start.help_s
    return (
        f"From the command to the first finding {first:.2f} s, to the help {help_s:.2f} s (median of {result.start.n})."
    )


def _peak(peak: Peak) -> list[str]:
    reached = ", ".join(f"the {role} reaches {share:.0%} of it" for role, share in peak.reached.items())
    rows = [
        (op.role, op.operation, str(op.count), f"{op.ms:.2f}", f"{op.multiply_adds / 1e6:.1f}",
         "-" if op.peak_share is None else f"{op.peak_share:.0%}")
        for op in peak.operations
    ]  # fmt: skip
    return [
        f"A plain matrix product on one thread: {peak.int8_gmacs:.1f} x 10^9 multiply-adds/s in int8, "
        f"{peak.float32_gmacs:.1f} in float32. At {peak.level} {reached or 'nothing was measured'}.",
        "Each operation timed alone, so without what a runtime saves by joining them:",
        _table(("model", "operation", "count", "ms", "10^6 multiply-adds", "of the peak"), rows),
    ]


def _latency(row: Variant | Pair) -> Row:
    if row.latency is None:
        return (row.fault or "not measured", "-", "-", "-", "-", "0")
    own = row.latency
    return (*(_number(ms) for ms in (own.p50_ms, own.p90_ms, own.p99_ms, own.max_ms)), f"{own.per_s:.1f}", str(own.n))


def _ratio(ratio: Ratio | None) -> str:
    return "-" if ratio is None else f"{ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"


def _quality(figures: dict[str, Figure]) -> Row:
    return tuple(f"{figures[name].value:.3f}" if name in figures else "-" for name in ("accuracy", "dice", "ece"))


def _number(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _table(head: Row, rows: Iterable[Row]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "/") for cell in line) + " |" for line in lines)
