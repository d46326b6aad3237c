"""Measures every level under every runtime: the bare inference of each model, and both end to end on one field."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks import schema
from benchmarks.interleaved import ROOT, Effort, Measured, Spec, measure, row_values
from benchmarks.peers.networks import plan_peers
from benchmarks.progress import OnProgress
from benchmarks.suites.operations import multiply_adds
from smear.bundle.folder import Bundle
from smear.bundle.levels import LEVELS, level_spec
from smear.bundle.manifest import Classifier, Figure, Role, Segmenter
from smear.inference.tflite import RUNTIMES

ROLES: tuple[Role, ...] = ("segmenter", "classifier")
Owner = Literal["bundle", "reference"]
FIGURES = ("accuracy", "macro_f1", "dice", "ece")
# By a full run without --levels and --runtimes. Each of these variants is so slow that it would take its whole minute,
# or as fast as another: float16 is computed in float32.
LEFT_OUT = (
    "int8 and float16 under runtimes other than the first (--runtimes)",
    "more threads than one under runtimes other than the first (--threads)",
    "the naive loop over the reference (in --quick)",
    "int16x8, forty times as slow, which leaves the other variants a cold cache (--levels)",
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured."""

    bundle: Bundle
    reference: Bundle | None
    levels: tuple[str, ...]  # in the bundle
    runtimes: dict[str, Path]  # name -> interpreter of an environment that has it
    threads: tuple[int, ...]
    frames: Path  # .npy of whole fields, uint8 (n, H, W, 3)
    refused: dict[str, str] = field(default_factory=dict)  # runtime -> why it cannot be measured
    brief: bool = False  # leave out `LEFT_OUT`, which takes long and shows little
    scratch: Path = Path()  # folder for temporary files


def levels_of(bundle: Bundle) -> tuple[str, ...]:
    """Return the levels that a bundle has for both models and that run on a CPU."""
    manifest = bundle.manifest
    return tuple(
        level for level in LEVELS
        if level in manifest.segmenter.levels
        and level in manifest.classifier.levels
        and not level_spec(level).needs_delegate
    )  # fmt: skip


def figures_of(bundle: Bundle, level: str, roles: Iterable[Role] = ROLES) -> dict[str, schema.Figure]:
    """Return accuracy, Dice and calibration error of `level` from the bundle's manifest."""
    stated: dict[str, Figure] = {}
    for role in roles:
        part: Segmenter | Classifier = getattr(bundle.manifest, role)
        entry = next((file for name, file in part.levels.items() if name == level), None)
        stated |= part.figures | (entry.figures if entry else {})
    return {
        name: schema.Figure(**stated[name].model_dump(exclude={"background_only"}))
        for name in FIGURES if name in stated
    }  # fmt: skip


def measure_variants(plan: Plan, effort: Effort, on_progress: OnProgress) -> list[schema.Variant]:
    """Measure the bare inference of each model at each level, runtime and number of threads, and in other engines.

    All files of one model take turns, then those of the other; ratios are to `base_level` under the first runtime.
    """
    fields = np.load(plan.frames)
    rows = [_missing(runtime, fault) for runtime, fault in plan.refused.items()]
    for role in reversed(ROLES):
        variants: list[tuple[Spec | None, dict[str, Any]]] = [*_bare(plan, role)]
        variants += plan_peers(plan.bundle, role, fields, plan.threads[0], plan.scratch)
        found = measure([spec for spec, _ in variants if spec], effort, on_progress)
        to = "/".join(("bundle", role, base_level(plan.levels), next(iter(plan.runtimes)), str(plan.threads[0])))
        rows = [_variant(facts, found, to) for _, facts in variants] + rows
    return rows


def _bare(plan: Plan, role: Role) -> Iterable[tuple[Spec, dict[str, Any]]]:
    for owner, bundle, levels in _owners(plan):
        for level in levels:
            for runtime, python in runtimes_for(plan, owner, level).items():
                many = owner == "bundle" and (not plan.brief or runtime == next(iter(plan.runtimes)))
                for threads in plan.threads if many else plan.threads[:1]:
                    path = bundle.model(role, level)
                    key = "/".join((owner, role, level, runtime, str(threads)))
                    request = {"path": str(path), "module": RUNTIMES.find(runtime).module, "threads": threads}
                    facts = {
                        "key": key, "pair": owner, "role": role, "level": level, "runtime": runtime,
                        "threads": threads, "file_bytes": path.stat().st_size,
                        "multiply_adds": multiply_adds(path), "figures": figures_of(bundle, level, (role,)),
                    }  # fmt: skip
                    yield Spec(key, "tflite", request, python), facts


def _owners(plan: Plan) -> Iterable[tuple[Owner, Bundle, Sequence[str]]]:
    yield "bundle", plan.bundle, plan.levels
    if plan.reference is not None:
        # The two levels that others are compared with are enough.
        present = levels_of(plan.reference)
        yield "reference", plan.reference, [level for level in ("float32", "int8") if level in present]


def runtimes_for(plan: Plan, owner: Owner, level: str) -> dict[str, Path]:
    """Return the runtimes to measure `level` of `owner` under: all for the bundle, one for the slow reference.

    The reference runs float32 as its authors would, on the older runtime where there is one; int8 on the newest.
    """
    if len(plan.runtimes) == 1 or (owner == "bundle" and (not plan.brief or level == "float32")):
        return plan.runtimes
    if owner == "bundle":
        return dict([next(iter(plan.runtimes.items()))])
    runtime = list(plan.runtimes)[-1 if level == "float32" else 0]
    return {runtime: plan.runtimes[runtime]}


def _variant(facts: dict[str, Any], found: dict[str, Measured], to: str) -> schema.Variant:
    if facts["key"] not in found:
        return schema.Variant(**facts)
    row = schema.Variant(**facts | row_values(found, facts["key"], to))
    if not (row.latency and row.multiply_adds):
        return row
    return row.model_copy(update={"gmacs": row.multiply_adds / row.latency.p50_ms / 1e6})


def _missing(runtime: str, fault: str) -> schema.Variant:
    return schema.Variant(
        key=f"bundle/-/-/{runtime}/1", pair="bundle", role="-", level="-", runtime=runtime, threads=1, fault=fault
    )


def measure_pairs(plan: Plan, effort: Effort, on_progress: OnProgress) -> list[schema.Pair]:
    """Measure both models end to end on whole fields, the naive loop beside them, all in turn.

    Every ratio is to the bundle's int8 (else its first level) on the first runtime with one thread.
    """
    pairs = [
        _pipeline(plan, owner, bundle, level, runtime, python)
        for owner, bundle, levels in _owners(plan)
        for level in levels
        for runtime, python in runtimes_for(plan, owner, level).items()
    ]
    runtime, python = next(iter(plan.runtimes.items()))
    pairs += [
        _naive(plan, owner, bundle, level, runtime, python)
        for owner, bundle, levels in _owners(plan)
        for level in ("float32", "int8")
        if level in levels and (owner == "bundle" or not plan.brief)
    ]
    found = measure([spec for spec, _ in pairs], effort, on_progress)
    to = f"bundle/pipeline/{base_level(plan.levels)}/{runtime}/1"
    return [schema.Pair(**facts, **row_values(found, spec.key, to)) for spec, facts in pairs]


def base_level(levels: Sequence[str]) -> str:
    """Return the level that everything is compared with: int8 if it is there, else the first."""
    return "int8" if "int8" in levels else levels[0]


def _pipeline(
    plan: Plan, owner: Owner, bundle: Bundle, level: str, runtime: str, python: Path
) -> tuple[Spec, dict[str, Any]]:
    key = f"{owner}/pipeline/{level}/{runtime}/1"
    request = {
        "path": str(bundle.path), "level": level, "runtime": runtime, "threads": 1, "root": str(ROOT),
        "frames": str(plan.frames), "pixel_size_um": None,
    }  # fmt: skip
    facts = {"key": key, "name": _names(bundle), "level": level, "runtime": runtime, "threads": 1}
    return Spec(key, "pipeline", request, python), facts | {"figures": figures_of(bundle, level)}


def _naive(
    plan: Plan, owner: Owner, bundle: Bundle, level: str, runtime: str, python: Path
) -> tuple[Spec, dict[str, Any]]:
    key = f"{owner}/naive/{level}/{runtime}/1"
    request = {
        "paths": [str(bundle.model(role, level)) for role in ROLES], "module": RUNTIMES.find(runtime).module,
        "threads": 1, "frames": str(plan.frames),
    }  # fmt: skip
    name = f"naive loop, {_names(bundle)}"
    return Spec(key, "naive", request, python), {
        "key": key, "name": name, "level": level, "runtime": runtime, "threads": 1,
    }  # fmt: skip


def _names(bundle: Bundle) -> str:
    return f"{bundle.manifest.segmenter.name} + {bundle.manifest.classifier.name}"
