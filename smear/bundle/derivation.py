"""Another bundle made from one that is there: some of its files and facts changed, the rest copied."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from smear.bundle.files import sha256_of
from smear.bundle.folder import Bundle, load_bundle, write_manifest
from smear.bundle.manifest import Manifest


def derive(bundle: Bundle, out: Path, changed: Mapping[str, bytes], manifest: Manifest) -> Bundle:
    """Write `bundle` to the folder `out` with the files in `changed` replaced or added, and its facts by `manifest`.

    The checksums of the changed files are entered here. An existing `out` is replaced only when the new one is
    complete; it may be `bundle` itself. A signature does not survive a change, and is left out.

    Raises:
        BundleError: what was written does not hold; a fault of the disk.
    """
    with tempfile.TemporaryDirectory(prefix="smearscope-") as scratch:
        folder = Path(scratch, "bundle")
        folder.mkdir()
        for name in _names(bundle.manifest):
            shutil.copyfile(bundle.path / name, folder / name)
        for name, content in changed.items():
            (folder / name).write_bytes(content)
        write_manifest(folder, _with_checksums(manifest, folder, changed))
        load_bundle(folder)
        replace_bundle(folder, out)
    return load_bundle(out)


def _names(manifest: Manifest) -> list[str]:
    parts = (manifest.segmenter, manifest.classifier)
    return [*manifest.files, *(entry.file for part in parts for entry in part.levels.values())]


def _with_checksums(manifest: Manifest, folder: Path, changed: Mapping[str, bytes]) -> Manifest:
    updates: dict[str, object] = {}
    models = set()
    for role, part in (("segmenter", manifest.segmenter), ("classifier", manifest.classifier)):
        levels = dict(part.levels)
        for level, entry in part.levels.items():
            models.add(entry.file)
            if entry.file in changed:
                new = {"sha256": sha256_of(folder / entry.file), "bytes": len(changed[entry.file])}
                levels[level] = entry.model_copy(update=new)
        updates[role] = part.model_copy(update={"levels": levels})
    others = {name: sha256_of(folder / name) for name in changed if name not in models}
    return manifest.model_copy(update={**updates, "files": {**manifest.files, **others}})


def replace_bundle(folder: Path, out: Path) -> None:
    """Copy the finished bundle `folder` to `out`; an older bundle there is removed once the new one is complete."""
    part, old = out.with_name(f".{out.name}.part"), out.with_name(f".{out.name}.old")
    for leftover in (part, old):
        shutil.rmtree(leftover, ignore_errors=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(folder, part)  # a rename cannot cross file systems
    if out.exists():
        out.rename(old)
    part.rename(out)
    shutil.rmtree(old, ignore_errors=True)
