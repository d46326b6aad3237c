"""Every level under every runtime: the bare inference of each model, and both models end to end on one field."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks import schema
from benchmarks.interleaved import Effort, Measured, Say, Spec, latency_of, measure, ratio_of
from benchmarks.suites.operations import multiply_adds
from benchmarks.suites.peers import plan_peers
from smear.bundle.levels import LEVELS, level_spec
from smear.bundle.manifest import Bundle, Classifier, Role, Segmenter

ROLES: tuple[Role, ...] = ("segmenter", "classifier")
Owner = Literal["bundle", "reference"]
ROOT = Path(__file__).parents[2]
FIGURES = ("accuracy", "macro_f1", "dice", "ece")
# Of a full run that names neither levels nor runtimes. Each of these variants is so slow that it would take the whole
# minute, or is as fast as its neighbour: float16 is computed in float32.
LEFT_OUT = (
    "int8 and float16 under runtimes other than the first (--runtimes)",
    "more threads than one under runtimes other than the first (--threads)",
    "the naive loop over the reference (in --quick)",
    "int16x8, forty times as slow, which would leave every other turn a cold cache (--levels)",
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be measured."""

    bundle: Bundle
    reference: Bundle | None
    levels: tuple[str, ...]  # in the bundle
    runtimes: dict[str, Path]  # name -> interpreter that has it
    threads: tuple[int, ...]
    frames: Path  # .npy of whole fields, uint8 (n, H, W, 3)
    refused: dict[str, str] = field(default_factory=dict)  # runtime -> why it cannot be measured
    brief: bool = False  # leave out `LEFT_OUT`: what takes a full run's time and tells little
    scratch: Path = Path()  # folder for files that are made


def levels_of(bundle: Bundle) -> tuple[str, ...]:
    """Return the levels that a bundle has for both models and a processor can run."""
    manifest = bundle.manifest
    return tuple(
        level for level in LEVELS
        if level in manifest.segmenter.levels
        and level in manifest.classifier.levels
        and not level_spec(level).needs_delegate
    )  # fmt: skip


def figures_of(bundle: Bundle, level: str, roles: Iterable[Role] = ROLES) -> dict[str, schema.Figure]:
    """Return accuracy, Dice and calibration error of `level`, as the bundle's manifest has them."""
    found: dict[str, schema.Figure] = {}
    for role in roles:
        part: Segmenter | Classifier = getattr(bundle.manifest, role)
        entry = next((file for name, file in part.levels.items() if name == level), None)
        stated = part.figures | (entry.figures if entry else {})
        for name in FIGURES:
            if name in stated:
                each = stated[name]
                found[name] = schema.Figure(
                    value=each.value, split=each.split, n=each.n, low=each.low, high=each.high
                )  # fmt: skip
    return found


def measure_variants(wanted: Wanted, effort: Effort, say: Say) -> list[schema.Variant]:
    """Measure the bare inference of each model at each level, runtime and number of threads, and in other engines.

    All files of one model take turns, then those of the other; ratios are to `base_level` under the first runtime.
    """
    fields = np.load(wanted.frames)
    rows = [_missing(wanted, runtime, why) for runtime, why in wanted.refused.items()]
    for role in reversed(ROLES):
        plan = list(_plan(wanted, role))
        plan += plan_peers(wanted.bundle, role, fields, wanted.threads[0], wanted.scratch)
        found = measure([spec for spec, _ in plan if spec], effort, say)
        to = "/".join(("bundle", role, base_level(wanted.levels), next(iter(wanted.runtimes)), str(wanted.threads[0])))
        rows = [_variant(facts, found.get(facts["key"]), found.get(to), to) for _, facts in plan] + rows
    return rows


def _plan(wanted: Wanted, role: Role) -> Iterable[tuple[Spec, dict[str, Any]]]:
    for owner, bundle, levels in _owners(wanted):
        for level in levels:
            for runtime, python in _held_under(wanted, owner, level).items():
                many = owner == "bundle" and (not wanted.brief or runtime == next(iter(wanted.runtimes)))
                for threads in wanted.threads if many else wanted.threads[:1]:
                    path = bundle.model(role, level)
                    key = "/".join((owner, role, level, runtime, str(threads)))
                    ask = {"path": str(path), "runtime": runtime, "threads": threads}
                    facts = {
                        "key": key, "pair": owner, "role": role, "level": level, "runtime": runtime,
                        "threads": threads, "file_bytes": path.stat().st_size,
                        "multiply_adds": multiply_adds(path), "figures": figures_of(bundle, level, (role,)),
                    }  # fmt: skip
                    yield Spec(key, "tflite", ask, python), facts


def _owners(wanted: Wanted) -> Iterable[tuple[Owner, Bundle, Sequence[str]]]:
    yield "bundle", wanted.bundle, wanted.levels
    if wanted.reference is not None:
        # The reference needs no more than the two rows that others are held against.
        have = levels_of(wanted.reference)
        yield "reference", wanted.reference, [level for level in ("float32", "int8") if level in have]


def _held_under(wanted: Wanted, owner: Owner, level: str) -> dict[str, Path]:
    """Return the runtimes of one row: all for the bundle, and for the slow reference the one it is held against.

    Its float32 as its authors would run it, on the older runtime where there is one; its int8 on the newest.
    """
    if len(wanted.runtimes) == 1 or (owner == "bundle" and (not wanted.brief or level == "float32")):
        return wanted.runtimes
    if owner == "bundle":
        return dict([next(iter(wanted.runtimes.items()))])
    old_fashioned = level == "float32"
    runtime = list(wanted.runtimes)[-1 if old_fashioned else 0]
    return {runtime: wanted.runtimes[runtime]}


def _variant(facts: dict[str, Any], got: Measured | None, base: Measured | None, to: str) -> schema.Variant:
    if got is None:
        return schema.Variant(**facts)
    latency = latency_of(got.times) if len(got.times) else None
    count = facts.get("multiply_adds")
    ratio = ratio_of(got, base, to) if base is not None and facts["key"] != to else None
    return schema.Variant(**facts | {
        **got.opened, "latency": latency, "ratio": ratio, "fault": got.fault,
        "gmacs": count / latency.p50_ms / 1e6 if latency and count else None,
    })  # fmt: skip


def _missing(wanted: Wanted, runtime: str, why: str) -> schema.Variant:
    return schema.Variant(
        key=f"bundle/-/-/{runtime}/1", pair="bundle", role="-", level="-", runtime=runtime, threads=1, fault=why
    )


def measure_pairs(wanted: Wanted, effort: Effort, say: Say) -> list[schema.Pair]:
    """Measure both models end to end on whole fields, the naive loop beside them, all in turn.

    Every ratio is to the bundle's int8 (else its first level) on the first runtime with one thread.
    """
    plan: list[tuple[Spec, dict[str, Any]]] = []
    for owner, bundle, levels in _owners(wanted):
        for level in levels:
            for runtime, python in _held_under(wanted, owner, level).items():
                plan.append(_pipeline(wanted, owner, bundle, level, runtime, python))
    runtime, python = next(iter(wanted.runtimes.items()))
    for owner, bundle, levels in _owners(wanted):
        if owner == "bundle" or not wanted.brief:
            plan += [_naive(wanted, owner, bundle, level, runtime, python) for level in levels if level == "float32"]
    found = measure([spec for spec, _ in plan], effort, say)
    base = base_level(wanted.levels)
    to = f"bundle/pipeline/{base}/{runtime}/1"
    rows = []
    for spec, facts in plan:
        got = found[spec.key]
        latency = latency_of(got.times) if len(got.times) else None
        ratio = ratio_of(got, found[to], to) if spec.key != to and to in found else None
        rows.append(schema.Pair(**facts, **got.opened, latency=latency, ratio=ratio, fault=got.fault))
    return rows


def base_level(levels: Sequence[str]) -> str:
    """Return the level that everything is compared with: int8 where there is one."""
    return "int8" if "int8" in levels else levels[0]


def _pipeline(
    wanted: Wanted, owner: Owner, bundle: Bundle, level: str, runtime: str, python: Path
) -> tuple[Spec, dict[str, Any]]:
    key = f"{owner}/pipeline/{level}/{runtime}/1"
    ask = {
        "path": str(bundle.path), "level": level, "runtime": runtime, "threads": 1, "root": str(ROOT),
        "frames": str(wanted.frames), "pixel_size_um": None,
    }  # fmt: skip
    name = f"{bundle.manifest.segmenter.name} + {bundle.manifest.classifier.name}"
    facts = {"key": key, "name": name, "level": level, "runtime": runtime, "threads": 1}
    return Spec(key, "pipeline", ask, python), facts | {"figures": figures_of(bundle, level)}


def _naive(
    wanted: Wanted, owner: Owner, bundle: Bundle, level: str, runtime: str, python: Path
) -> tuple[Spec, dict[str, Any]]:
    key = f"{owner}/naive/{level}/{runtime}/1"
    ask = {
        "paths": [str(bundle.model(role, level)) for role in ROLES], "runtime": runtime, "threads": 1,
        "frames": str(wanted.frames),
    }  # fmt: skip
    name = f"naive loop, {bundle.manifest.segmenter.name} + {bundle.manifest.classifier.name}"
    facts = {"key": key, "name": name, "level": level, "runtime": runtime, "threads": 1}
    return Spec(key, "naive", ask, python), facts


def write_fields(path: Path, images: Sequence[np.ndarray]) -> Path:
    """Write whole fields of one size where workers read them."""
    np.save(path, np.stack(images))
    return path
