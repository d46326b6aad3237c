"""A bundle on disk: every file of it checked against the manifest before it is used."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from smear.bundle.files import MAX_TEXT_BYTES, FileFault, check_files, inside, read_file
from smear.bundle.manifest import (
    CHECKSUM,
    MANIFEST,
    MEND,
    SIGNATURE,
    Manifest,
    ModelFile,
    Role,
    manifest_bytes,
    parse_manifest,
)
from smear.errors import BundleError
from smear.output_files import printable, write_atomic

FITTED = "fitted_fields.txt"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle on disk."""

    path: Path
    manifest: Manifest
    sha256: str  # of manifest.json, which holds the checksum of everything else

    def model(self, role: Role, level: str) -> Path:
        """Return the path of the model for `role` at `level`.

        Raises:
            BundleError: the bundle does not carry that level.
        """
        return self.path / self._entry(role, level).file

    def read_model(self, role: Role, level: str) -> bytes:
        """Return the content of the model for `role` at `level`; see `read`.

        Raises:
            BundleError: the bundle does not carry that level, or the file was altered since.
        """
        return self.read(self._entry(role, level).file)

    def read(self, name: str) -> bytes:
        """Return the content of the file `name`, one of `checksums`: the bytes that have its checksum, and no others.

        Raises:
            BundleError: it is not in the manifest, or was altered since.
        """
        if name not in self.checksums:
            raise BundleError(f"{name} is not in the manifest")
        try:
            content = read_file(self.path / inside(name))
            if hashlib.sha256(content).hexdigest() != self.checksums[name]:
                raise FileFault("does not match its checksum")
        except FileFault as error:
            raise BundleError(f"bundle {self.path}: {printable(name)} {error}; {MEND}") from error
        return content

    def fitted_fields(self) -> frozenset[str]:
        """Return the sha256 of every picture that the bundle was adapted to; they show nothing of how good it is."""
        return frozenset(self.read(FITTED).decode().split()) if FITTED in self.checksums else frozenset()

    @property
    def checksums(self) -> dict[str, str]:
        """The sha256 of every file but the manifest's own, by name."""
        return _checksums(self.manifest)

    def _entry(self, role: Role, level: str) -> ModelFile:
        part = self.manifest.segmenter if role == "segmenter" else self.manifest.classifier
        found = next((entry for name, entry in part.levels.items() if name == level), None)
        if found is not None:
            return found
        why = self.manifest.left_out.get(level)
        have = ", ".join(part.levels)
        raise BundleError(
            f"bundle {self.path}: no {role} at level {level!r}"
            + (f" ({why})" if why else "")
            + f"; choose one of {have}"
        )


def find_faults(path: Path, manifest: Manifest, content: bytes | None = None) -> list[str]:
    """Return what is wrong with the files of the bundle at `path`, each starting with the file's name.

    `content` is its manifest.json, where that was read already.
    """
    faults = _manifest_faults(path, manifest_bytes(path) if content is None else content)
    return faults + check_files(path, _checksums(manifest), known=(MANIFEST, CHECKSUM, SIGNATURE))


def _checksums(manifest: Manifest) -> dict[str, str]:
    models = [*manifest.segmenter.levels.values(), *manifest.classifier.levels.values()]
    return manifest.files | {entry.file: entry.sha256 for entry in models}


def _manifest_faults(path: Path, content: bytes) -> list[str]:
    try:
        stated = read_file(path / CHECKSUM, MAX_TEXT_BYTES)
    except FileFault as error:
        return [f"{CHECKSUM} {error}"]
    return [] if stated == _checksum_line(content) else [f"{MANIFEST} does not match its checksum in {CHECKSUM}"]


def _checksum_line(content: bytes) -> bytes:
    return f"{hashlib.sha256(content).hexdigest()}  {MANIFEST}\n".encode()


def open_manifest(path: Path, content: bytes | None = None) -> Bundle:
    """Return the bundle at `path` by its manifest alone, read once; `load_bundle` looks at the other files too.

    `content` is its manifest.json, where that was read already.

    Raises:
        BundleError: see `read_manifest`.
    """
    content = manifest_bytes(path) if content is None else content
    return Bundle(path, parse_manifest(path, content), hashlib.sha256(content).hexdigest())


def load_bundle(path: Path, content: bytes | None = None) -> Bundle:
    """Open the bundle at `path` and check every file in it against its sha256.

    `content` is its manifest.json, where that was read already.

    Raises:
        BundleError: something is missing, altered or extra; the message names the file.
    """
    content = manifest_bytes(path) if content is None else content
    bundle = open_manifest(path, content)
    faults = find_faults(path, bundle.manifest, content)
    if faults:
        raise BundleError(f"bundle {path}: {'; '.join(faults)}; {MEND}")
    return bundle


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write `manifest` and its checksum into the folder `path`, each atomically."""
    content = (manifest.model_dump_json(indent=2) + "\n").encode()
    write_atomic(path / MANIFEST, content)
    write_atomic(path / CHECKSUM, _checksum_line(content))
