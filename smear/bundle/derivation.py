"""Another bundle made from one that is there: some of its files and facts changed, the rest copied."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from smear.bundle.files import sha256_of
from smear.bundle.folder import Bundle, load_bundle, write_manifest
from smear.bundle.manifest import Manifest
from smear.output_files import OutputFolder, sync_folder

_LETTERS = 100  # of a bundle's name, in that of the folder beside it: a name can have 255 bytes


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
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name[:_LETTERS]}.", dir=out.parent) as beside:
        part, old = Path(beside, "part"), Path(beside, "old")
        with OutputFolder(part, create=True) as copy:  # a rename cannot cross file systems
            for file in sorted(folder.iterdir()):
                copy.write(file.name, file.read_bytes())
        if os.path.lexists(out):
            out.rename(old)
        part.rename(out)
    sync_folder(out.parent)
