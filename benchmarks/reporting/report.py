"""One result as Markdown: the tables that the README, the HTML page and the terminal show."""

from collections.abc import Iterable, Sequence

from benchmarks.schema import Environment, Figure, Growth, Live, Pair, Peak, Ratio, Result, Stages, Step, Variant

Row = Sequence[str]
_ROLES = ("segmenter", "classifier")
TRAINING = (
    "Forward, backward and update of one batch on all processors, without augmentation; the engines took turns. Keras "
    "as `smearscope train` runs it, PyTorch with channels last, as its manual advises; not compiled."
)


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
        "Random input, in the type the model takes; memory is what loading it and answering once added to a process, "
        "and the most that the process ever had. The engines at the end run the same float32 network, or quantize it "
        "themselves; all took turns.",
        _table(*variant_table(result.variants)),
    ]
    if result.training:
        parts += ["## One training step", TRAINING, _table(*training_table(result.training))]
    if result.stages:
        parts += ["## Where a frame's time goes", *map(_stages, result.stages)]
    if result.live:
        parts += ["## From capture to screen", _table(*live_table(result.live))]
    if result.growth:
        parts += ["## How it grows", *map(_growth, result.growth)]
    if result.start:
        parts += ["## Start", *_started(result)]
    if result.peak and result.peak.invoke_ms:
        parts += ["## What the machine could do", *_peak(result.peak)]
    parts += _took(result)
    parts += ["## Environment", _table(*environment_table(result.environment))]
    return "\n\n".join(parts) + "\n"


def _heading(result: Result) -> list[str]:
    env = result.environment
    versions = ", ".join(f"{name} {version}" for name, version in env.versions.items() if "lite" in name)
    said = [f"{env.machine}, {env.cpu}, {env.cpus} processors; {versions}; {result.mode} run of {result.created}."]
    said += [f"**Take these figures with care:** {'; '.join(env.warnings)}."] if env.warnings else []
    said += [f"Not measured: {'; '.join(result.faults)}."] if result.faults else []
    return said


def _took(result: Result) -> list[str]:
    said = f"The run took {result.seconds / 60:.1f} minutes. " if result.seconds else ""
    said += f"A full run leaves out: {'; '.join(result.left_out)}." if result.left_out else ""
    return [said.strip()] if said else []


def summary(result: Result) -> str:
    """Return the short table of a README: each pair at each level, without the columns that need an explanation."""
    head = ("models", "level", "runtime", "p50 ms", "p90 ms", "fields/s", "time, shipped = 1", "accuracy")
    full_head, full_rows = pair_table(result.pairs)
    columns = [full_head.index(name) for name in head]
    return "\n\n".join([*_heading(result), _table(head, [[row[c] for c in columns] for row in full_rows])]) + "\n"


def short(result: Result) -> str:
    """Return the tables and the few lines that the documentation shows."""
    parts = [*_heading(result), _table(*pair_table(result.pairs)), *_judged(result.pairs)]
    engines = _engines(result)
    if engines:
        parts += [
            "The bare networks in other engines, one thread, both models together:",
            _table(("engine", "level", "segmenter, p50 ms", "classifier, p50 ms", "segmenter, shipped = 1"), engines),
        ]
    parts += [" ".join(said)] if (said := [*_trained(result.training), *_started(result), *_reached(result)]) else []
    return "\n\n".join([*parts, *_took(result)]) + "\n"


def _judged(pairs: Iterable[Pair]) -> list[str]:
    """Say on which fields the figures of each pair were measured: they can be compared on the same ones only."""
    said: dict[str, None] = {}
    for pair in pairs:
        for name, title in (("accuracy", "Accuracy"), ("dice", "Dice")):
            if name in pair.figures:
                each = pair.figures[name]
                said[f"{title} of {pair.name}: {each.split}, n = {each.n}"] = None
    return [f"{'; '.join(said)}."] if said else []


def _engines(result: Result) -> list[Row]:
    rows = []
    own = [v for v in result.variants if v.pair == "bundle" and v.threads == 1]
    for engine, level in dict.fromkeys((v.runtime, v.level) for v in own if v.role == "segmenter"):
        both = {v.role: v for v in own if (v.runtime, v.level) == (engine, level)}
        times = [_number(each.latency.p50_ms) if each and each.latency else "-" for each in map(both.get, _ROLES)]
        if times != ["-", "-"]:
            rows.append((engine, level, *times, _ratio(both["segmenter"].ratio)))
    return rows


def _trained(steps: Iterable[Step]) -> list[str]:
    told = [
        f"{s.engine} {s.latency.p50_ms:.0f} ms" + (f", {_ratio(s.ratio)} times as long" if s.ratio else "")
        for s in steps if s.latency
    ]  # fmt: skip
    first = next(iter(steps), None)
    return [f"One training step of {first.network}, batch {first.batch}: {'; '.join(told)}."] if told and first else []


def _reached(result: Result) -> list[str]:
    peak = result.peak
    if peak is None or not peak.reached:
        return []
    shares = ", ".join(f"the {role} {share:.0%}" for role, share in peak.reached.items())
    return [
        f"A plain int8 matrix product reaches {peak.int8_gmacs:.0f} x 10^9 multiply-adds/s on one thread (float32 "
        f"{peak.float32_gmacs:.0f}); of that, at {peak.level}: {shares}."
    ]


def pair_table(pairs: Iterable[Pair]) -> tuple[Row, list[Row]]:
    """Return head and rows: both models end to end."""
    head = ("models", "level", "runtime", "p50 ms", "p90 ms", "p99 ms", "max ms", "fields/s", "n", "time, shipped = 1",
            "peak MB", "accuracy", "Dice", "calibration error")  # fmt: skip
    rows = []
    for p in pairs:
        who = f"{p.name} (reference)" if p.key.startswith("reference/") else p.name
        rows.append(
            (who, p.level, p.runtime, *_latency(p), _ratio(p.ratio), _number(p.peak_mb, 0), *_quality(p.figures))
        )
    return head, rows


def variant_table(variants: Iterable[Variant]) -> tuple[Row, list[Row]]:
    """Return head and rows: the bare inference of each model."""
    head = ("model", "level", "runtime", "threads", "file kB", "init ms", "first ms", "p50 ms", "p90 ms", "p99 ms",
            "max ms", "per s", "n", "time, shipped = 1", "10^9 multiply-adds/s", "memory MB", "peak MB", "accuracy",
            "Dice", "calibration error")  # fmt: skip
    rows = []
    for v in variants:
        who = f"{v.role} (reference)" if v.pair == "reference" else v.role
        rows.append((
            who, v.level, v.runtime, str(v.threads), _number(v.file_bytes / 1e3 or None, 0), _number(v.init_ms),
            _number(v.first_ms), *_latency(v), _ratio(v.ratio), _number(v.gmacs), _number(v.rss_mb, 1),
            _number(v.peak_mb, 0), *_quality(v.figures),
        ))  # fmt: skip
    return head, rows


def training_table(steps: Iterable[Step]) -> tuple[Row, list[Row]]:
    """Return head and rows: one training step of the same network in each engine."""
    head = ("network", "engine", "version", "batch", "threads", "parameters", "first ms", "p50 ms", "p90 ms", "p99 ms",
            "max ms", "per s", "n", "time, Keras = 1", "peak MB")  # fmt: skip
    rows = [
        (s.network, s.engine, s.version or "-", str(s.batch), str(s.threads), str(s.parameters or "-"),
         _number(s.first_ms, 0), *_latency(s), _ratio(s.ratio), _number(s.peak_mb, 0))
        for s in steps
    ]  # fmt: skip
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
        "others": f"kept {env.others_busy:.1f} processors busy over the whole run",
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


def _started(result: Result) -> list[str]:
    if result.start is None:
        return []
    s = result.start
    first = _seconds(s.first_finding_s, s.first_finding_p90_s, s.first_finding_cpu_s)
    help_s = _seconds(s.help_s, s.help_p90_s, s.help_cpu_s)
    return [f"From the command to the first finding {first}; to the help {help_s}; n = {s.n}."]


def _seconds(median: float, p90: float | None, cpu: float | None) -> str:
    rest = "" if p90 is None or cpu is None else f" (p90 {p90:.2f}; of processor time {cpu:.2f})"
    return f"{median:.2f} s{rest}"


def _peak(peak: Peak) -> list[str]:
    products = [
        (p.engine, p.kind, f"{p.size} x {p.size} x {p.size}", _number(p.gmacs or None, 0), p.fault or "")
        for p in peak.products
    ]  # fmt: skip
    return [
        f"The fastest plain matrix product on one thread: {peak.int8_gmacs:.0f} x 10^9 multiply-adds/s in int8, "
        f"{peak.float32_gmacs:.0f} in float32.",
        _table(("engine", "numbers", "size", "10^9 multiply-adds/s", ""), products),
        "Where the rest goes: each operation timed alone, at its fastest, beside the time that its multiply-adds would "
        "take at the speed of the product.",
        _table(
            ("model", "operation", "count", "ms", "share of the invoke", "10^6 multiply-adds", "ms at the peak",
             "of the peak"),
            [row for role in peak.invoke_ms for row in _operations(peak, role)],
        ),
    ]  # fmt: skip


def _operations(peak: Peak, role: str) -> list[Row]:
    """Return the rows of one model, the longest operation first, and the whole invoke last."""
    speed = peak.int8_gmacs if peak.level == "int8" else peak.float32_gmacs
    whole, own = peak.invoke_ms[role], [op for op in peak.operations if op.role == role]
    rows = [
        (role, op.operation, str(op.count), f"{op.ms:.3f}", f"{op.ms / whole:.0%}", f"{op.multiply_adds / 1e6:.1f}",
         f"{op.multiply_adds / speed / 1e6:.3f}", "-" if op.peak_share is None else f"{op.peak_share:.0%}")
        for op in own
    ]  # fmt: skip
    work = sum(op.multiply_adds for op in own)
    ideal = f"{work / speed / 1e6:.3f}"
    return [
        *rows,
        (role, f"the whole invoke at {peak.level}", "1", f"{whole:.3f}", "100%", f"{work / 1e6:.1f}", ideal,
         f"{peak.reached.get(role, 0):.0%}"),
    ]  # fmt: skip


def _latency(row: Variant | Pair | Step) -> Row:
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
