"""A file of results with its manifest: begun, gone on with, and written whole whenever a run ends."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from device.archive.examiner import Examiner, Job, PictureResult, PictureTask
from device.archive.manifest import ENDING, Manifest
from device.archive.result_file import WRITERS, require_writer, row_of
from device.archive.workers import Lost, Workers, in_order
from device.model_choice import bundle_path, use_of
from device.site.watch import SiteWatch
from smear import __version__
from smear.bundle.signing import load_signed_bundle
from smear.errors import StoreError
from smear.inference.overlay import site_json
from smear.output_files import OutputFolder, printable


class ResultTable:
    """One row for each picture, whichever run examined it."""

    def __init__(self, out: Path, settings: dict[str, Any], resume: bool) -> None:
        """Begin the table `out`, or go on with it to `resume`; `settings` are all that results depend on.

        Raises:
            StoreError: it is there already, or was not made with a manifest.
            ModuleNotFoundError: a package for this format is missing.
        """
        require_writer(out.suffix)
        manifest = out.with_name(out.name + ENDING)
        with OutputFolder(out.parent) as folder:
            folder.check(out.name)
        for path in (out, manifest):
            if path.exists() and not resume:
                raise StoreError(f"{printable(path)} is there already; go on with --resume, or choose another name")
        if out.exists() and not manifest.exists():
            raise StoreError(f"{printable(out)} was made without its {manifest.name}; choose another name")
        self._out, self._resume = out, resume
        self.manifest = Manifest(manifest, settings)

    def __enter__(self) -> "ResultTable":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write the file, complete or with what is done by Ctrl-C; after any other fault the manifest keeps it."""
        try:
            if kind is None:
                self.manifest.forget_others()
            if kind is None or (issubclass(kind, KeyboardInterrupt) and not self.manifest.is_empty()):
                self._write()
        finally:
            self.manifest.close(keep=self._out.exists())

    def missing(
        self, workers: Workers, tasks: Iterable[PictureTask], reused: Callable[[PictureResult], None]
    ) -> Iterator[PictureTask]:
        """Yield what has no result yet, by its content; give `reused` each result that there is."""
        if not self._resume:
            yield from tasks
            return
        for task, sha256 in in_order(workers, Examiner.digests, tasks):
            found = None if isinstance(sha256, Lost) else self.manifest.reuse(task, sha256)
            if found is None:
                yield task
            else:
                reused(found)

    def _write(self) -> None:
        rows = (row_of(*found) for found in self.manifest.rows())
        with OutputFolder(self._out.parent) as folder, folder.writing(self._out.name) as file:
            WRITERS[self._out.suffix](rows, file)


def result_settings(job: Job) -> dict[str, Any]:
    """Return all that the results of `job` depend on, as JSON types."""
    settings, choice = job.settings, job.choice
    bundle = load_signed_bundle(bundle_path(settings, job.data, choice.bundle), settings.model.require_signature)
    return {
        "version": __version__,
        "bundle": bundle.sha256,
        "level": use_of(settings, job.data, bundle.sha256, choice).level,
        "runtime": choice.runtime or settings.model.runtime,
        "gate": settings.gate.model_dump(mode="json"),
        "site": [settings.site.required, site_json(SiteWatch(job.data, bundle.sha256).status(None))],
        "pixel_size_um": job.pixel_size_um,
        "outputs": [str(folder and folder.absolute()) for folder in (job.masks, job.overlays)],
    }
