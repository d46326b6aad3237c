"""One result as a report, and its summary for a README."""

from collections.abc import Iterable

from benchmarks.reporting import tables
from benchmarks.schema import Pair, Peak, Result, Stages, Start, Step
from smear import RESEARCH_USE_ONLY
from train.reporting.page import Block, Heading, Table, Text

TITLE = "Speed, memory and accuracy of each level"
END_TO_END = (
    "Whole fields of 224 x 224 pixels, one thread. The variants took turns; ratios are medians of paired rounds. The "
    "naive loop resizes the field to each model's input and neither splits nor measures cells."
)
BARE = (
    "Random input in the type the model takes. Memory is what loading the model and running it once added; "
    "peak is the most that the process ever had. The engines at the end run the same float32 network, or quantize it "
    "themselves; all took turns."
)
SEGMENTATION = (
    "From a drawn field of 224 x 224 pixels to numbered cells, without classes; the programs took turns, on as many "
    "threads each. Where weights are random, the last step of the program works on what a perfect network would answer."
)
TRAINING = (
    "Forward, backward and update of one batch on all processors, without augmentation; the engines took turns. Keras "
    "as `smearscope train` runs it, PyTorch with channels last, as its manual advises; not compiled."
)
OPERATIONS = (
    "Each operation timed alone, at its fastest, beside the time that its multiply-adds would take at the speed of the "
    "matrix product."
)


def report(result: Result) -> list[Block]:
    """Return the whole report of `result`; what comes before its first heading is the introduction."""
    blocks = [
        *_heading(result), Text(RESEARCH_USE_ONLY, strong=True),
        Heading("End to end: both models on one field"), Text(END_TO_END), tables.pair_table(result.pairs),
        Heading("Bare inference"), Text(BARE), tables.variant_table(result.variants),
    ]  # fmt: skip
    if result.segmentation:
        blocks += [Heading("Segmentation"), Text(SEGMENTATION), tables.segmentation_table(result.segmentation)]
    if result.training:
        blocks += [Heading("One training step"), Text(TRAINING), tables.training_table(result.training)]
    if result.stages:
        blocks += [Heading("Stages of a frame"), *(block for each in result.stages for block in _stages(each))]
    if result.live:
        blocks += [Heading("From capture to screen"), tables.live_table(result.live)]
    if result.growth:
        blocks.append(Heading("Growth"))
    for each in result.growth:
        blocks += [Text(f"By {each.unit}, in ms:"), tables.growth_table(each)]
    if result.start:
        blocks += [Heading("Start"), Text(_start(result.start))]
    if result.peak and result.peak.invoke_ms:
        blocks += [Heading("Peak of the machine"), *_peak(result.peak)]
    return [
        *blocks,
        Heading("Environment"),
        tables.environment_table(result.environment),
        *map(Text, _duration(result)),
    ]


SUMMARY = ("models", "level", "runtime", "p50 ms", "p90 ms", "fields/s", "time, shipped = 1", "accuracy")
"""Columns that need no explanation."""


def summary(result: Result) -> list[Block]:
    """Return the short table of a README."""
    pairs = tables.pair_table(result.pairs)
    chosen = [pairs.head.index(name) for name in SUMMARY]
    return [*_heading(result), Table("", SUMMARY, [tuple(row[i] for i in chosen) for row in pairs.rows])]


def details(result: Result) -> list[Block]:
    """Return the tables and the few lines that the documentation shows."""
    blocks = [*_heading(result), tables.pair_table(result.pairs), *map(Text, _splits(result.pairs))]
    engines = tables.engine_table(result)
    if engines.rows:
        blocks += [Text("The bare networks in other engines, one thread, both models together:"), engines]
    if any(each.latency for each in result.segmentation):
        blocks += [Text(SEGMENTATION), tables.segmentation_table(result.segmentation)]
    lines = [*_training(result.training), *([_start(result.start)] if result.start else []), *_reached(result.peak)]
    if lines:
        blocks.append(Text(" ".join(lines)))
    return [*blocks, *map(Text, _duration(result))]


def _heading(result: Result) -> list[Block]:
    env = result.environment
    versions = ", ".join(f"{name} {version}" for name, version in env.versions.items() if "lite" in name)
    machine = f"{env.machine}, {env.cpu}, {env.cpus} processors; {versions}; {result.mode} run of {result.created}."
    blocks: list[Block] = [Text(machine)]
    if env.warnings:
        blocks.append(Text(f"These figures are doubtful: {'; '.join(env.warnings)}.", strong=True))
    if result.faults:
        blocks.append(Text(f"Not measured: {'; '.join(result.faults)}."))
    return blocks


def _duration(result: Result) -> list[str]:
    sentences = []
    if result.seconds:
        sentences.append(f"The run took {result.seconds / 60:.1f} minutes.")
    if result.left_out:
        sentences.append(f"A full run leaves out: {'; '.join(result.left_out)}.")
    return [" ".join(sentences)] if sentences else []


def _splits(pairs: Iterable[Pair]) -> list[str]:
    """Return on which fields the figures of each pair were measured: only those on the same fields can be compared."""
    splits: dict[str, None] = {}
    for pair in pairs:
        for name, title in (("accuracy", "Accuracy"), ("dice", "Dice")):
            if name in pair.figures:
                each = pair.figures[name]
                splits[f"{title} of {pair.name}: {each.split}, n = {each.n}"] = None
    return [f"{'; '.join(splits)}."] if splits else []


def _training(steps: Iterable[Step]) -> list[str]:
    times = [
        f"{s.engine} {s.latency.p50_ms:.0f} ms"
        + (f", {tables.ratio_text(s.ratio)} times as long" if s.ratio else "")
        for s in steps if s.latency
    ]  # fmt: skip
    first = next(iter(steps), None)
    if not times or first is None:
        return []
    return [f"One training step of {first.network}, batch {first.batch}: {'; '.join(times)}."]


def _reached(peak: Peak | None) -> list[str]:
    if peak is None or not peak.reached:
        return []
    shares = ", ".join(f"the {role} {share:.0%}" for role, share in peak.reached.items())
    return [
        f"A plain int8 matrix product reaches {peak.int8_gmacs:.0f} x 10^9 multiply-adds/s on one thread (float32 "
        f"{peak.float32_gmacs:.0f}); of that, at {peak.level}: {shares}."
    ]


def _stages(stages: Stages) -> tuple[Block, ...]:
    text = (
        f"{stages.name}: {stages.megapixels:.2f} megapixels, {stages.cells} cells found, {stages.segmenter_invokes} + "
        f"{stages.classifier_invokes} invokes, n = {stages.n}. Overhead over the bare invokes: {stages.overhead:.0%}; "
        f"{stages.cpu_overhead:.0%} in processor time ({stages.cpu_ms:.1f} against {stages.invokes_cpu_ms:.1f} ms), "
        "which other processes disturb less."
    )
    return Text(text), tables.stage_table(stages)


def _start(start: Start) -> str:
    first = _seconds(start.first_finding_s, start.first_finding_p90_s, start.first_finding_cpu_s)
    help_s = _seconds(start.help_s, start.help_p90_s, start.help_cpu_s)
    return f"From the command to the first finding {first}; to the help {help_s}; n = {start.n}."


def _seconds(median: float, p90: float | None, cpu: float | None) -> str:
    rest = "" if p90 is None or cpu is None else f" (p90 {p90:.2f}; of processor time {cpu:.2f})"
    return f"{median:.2f} s{rest}"


def _peak(peak: Peak) -> tuple[Block, ...]:
    fastest = (
        f"The fastest plain matrix product on one thread: {peak.int8_gmacs:.0f} x 10^9 multiply-adds/s in int8, "
        f"{peak.float32_gmacs:.0f} in float32."
    )
    return (
        Text(fastest),
        tables.product_table(peak.products),
        Text(OPERATIONS),
        tables.operation_table(peak),
    )
