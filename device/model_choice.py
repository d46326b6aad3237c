"""Which bundle, level, runtime and threads are used: what was asked for at the start, else what the settings say."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from device.model_pick import AUTO, read_pick, resolved
from device.settings import Settings
from device.system.process import quiet_native_stderr
from smear.bundle.levels import Level, level_spec

if TYPE_CHECKING:
    from smear.bundle.folder import Bundle
    from smear.inference.frame_processor import FrameProcessor, Hysteresis, SiteCheck
    from smear.inference.proof import Use
    from smear.inference.runtime import Runtime


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """What was asked for at the start, as on the command line; None: what the settings say."""

    bundle: Path | None = None
    level: Level | None = None
    runtime: str | None = None
    threads: int | None = None


NO_CHOICE = ModelChoice()


def open_processor(
    settings: Settings,
    data: Path | None,
    choice: ModelChoice = NO_CHOICE,
    wrap: "Callable[[str, Runtime], Runtime]" = lambda role, model: model,
    hysteresis: "Hysteresis | None" = None,
    path: Path | None = None,
    prove: "Callable[[Bundle], object] | None" = None,
    site: "SiteCheck | None" = None,
) -> "FrameProcessor":
    """Open what `choice` asks for, and the settings where it asks for nothing.

    `path` is the folder of the bundle, where that was looked up already; `prove` runs it before this process does.
    `site` is asked in place of the certificate in `data`.

    `wrap` may put something between the pipeline and each of its models; `hysteresis` is for a live camera.
    """
    # Here, so that commands which only look into the store start without an inference runtime.
    from device.site.watch import SiteWatch
    from device.system.memory import share_one_heap
    from smear.bundle.signing import load_signed_bundle
    from smear.imaging.pixel_size import SteadyScale, estimate_pixel_size
    from smear.inference.frame_processor import FrameProcessor
    from smear.inference.pipeline import Pipeline

    bundle = load_signed_bundle(path or bundle_path(settings, data, choice.bundle), settings.model.require_signature)
    if prove is not None:
        prove(bundle)
    use = use_of(settings, data, bundle.sha256, choice)
    with quiet_native_stderr():
        pipeline = Pipeline(bundle, use.level, use.runtime, use.threads, wrap, use.delegate)
    limits = replace(settings.gate.limits(), require_site=settings.site.required)
    share_one_heap()
    site = site or SiteWatch(data, pipeline.bundle.sha256)
    estimate_scale = estimate_pixel_size if hysteresis is None else SteadyScale().estimate
    return FrameProcessor(pipeline, limits, hysteresis=hysteresis, site=site, estimate_scale=estimate_scale)


def use_of(settings: Settings, data: Path | None, bundle_sha256: str, choice: ModelChoice = NO_CHOICE) -> "Use":
    """Return how this device runs a bundle: as asked for, as set, or as it was picked."""
    from smear.inference.proof import Use

    level, threads = choice.level or settings.model.level, choice.threads or settings.model.threads
    level, threads = resolved(level, threads, read_pick(data, bundle_sha256) if AUTO in (level, threads) else None)
    return Use(
        level=level,
        runtime=choice.runtime or settings.model.runtime,
        threads=threads,
        delegate=settings.model.delegate if level_spec(level).needs_delegate else None,
        cpu_fallback=settings.model.cpu_fallback,
    )


def bundle_path(settings: Settings, data: Path | None, bundle: Path | None) -> Path:
    """Return the folder of the bundle in use: the one named, the settings' one, or the current one.

    Without a data folder, as for a user without a home, it is the one that ships.
    """
    from device.bundles import MODELS, current_bundle, shipped_bundle

    if found := bundle or settings.model.bundle:
        return found
    return shipped_bundle() if data is None else current_bundle(data / MODELS)
