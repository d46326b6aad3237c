"""The model bundle: one checksummed folder that a device trusts, or refuses with the name of the bad file."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from smear.bundle.levels import Level
from smear.classes import LABELS
from smear.errors import BundleError
from smear.images import write_atomic

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
CHECKSUM = "manifest.json.sha256"  # of MANIFEST, as sha256sum writes and checks it: the manifest cannot hold its own
SIGNATURE = "manifest.sig"  # detached Ed25519 signature of MANIFEST; checked by who requires one
Role = Literal["segmenter", "classifier"]
Shown = Literal["field", "cells", "crops"]
"""What a classifier sees: the whole field, the cells on neutral ground, or one crop a cell, pooled."""

MEND = "re-run 'smearscope convert' or 'smearscope model rollback'"


Density = Annotated[float, Field(gt=0)]
"""Optical density, natural logarithm."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Figure(_Strict):
    """One measured value with what it takes to believe it."""

    value: float
    split: str  # name of the split, or "cross-validated"
    n: int  # pictures it was measured on
    low: float | None = None  # bounds of the 95 % bootstrap interval
    high: float | None = None
    background_only: float | None = None  # the same measure for a model that sees no cell


class ModelFile(_Strict):
    """One converted model."""

    file: str
    sha256: str
    bytes: int
    figures: dict[str, Figure] = {}  # accuracy, macro_f1, ece, refusal_rate, dice, agreement, max_difference ...


class Segmenter(_Strict):
    """The model that paints each pixel background, cytoplasm or nucleus (three channels, in this order)."""

    name: str
    output: Literal["logits", "probabilities"]
    levels: dict[Level, ModelFile]
    figures: dict[str, Figure] = {}  # of the trained model before any conversion


class Classifier(_Strict):
    """The model that says which class is seen, and when it may say so."""

    name: str
    shown: Shown
    input_size: int  # edge of its input in model pixels
    output: Literal["logits", "probabilities"]
    other: bool = False  # one more output after the labels: a body that is no cell of these classes
    temperature: float = Field(gt=0)  # divides the pooled logits; fitted on the validation split
    abstain_below: float = Field(ge=0, le=1)  # refuse a label whose calibrated probability is lower
    stain: tuple[Density, Density] | None = None  # mean of red and green to which the cells shown are stained first
    ood_above: float | None = None  # refuse a field whose out-of-distribution score is higher; None: not fitted
    levels: dict[Level, ModelFile]
    figures: dict[str, Figure] = {}  # of the trained model before any conversion

    @model_validator(mode="after")
    def _stained_cells_alone(self) -> Self:
        if self.stain is not None and self.shown != "cells":
            raise ValueError(f'stain is for a classifier that is shown "cells", not "{self.shown}"')
        return self


class InputScale(_Strict):
    """What both models were made for."""

    size: int
    pixel_size_um: float = Field(gt=0)
    scaling: Literal["0..1"] = "0..1"


class TrainingData(_Strict):
    """What the weights came from."""

    fingerprint: str  # sha256 over the sorted sha256 of every training picture
    n: int
    split: str
    sources: tuple[str, ...] = ()


class Manifest(_Strict):
    """`manifest.json`: everything about a bundle that is not in its model files."""

    schema_version: int = SCHEMA_VERSION
    name: str
    created: str  # ISO 8601, UTC
    labels: tuple[str, ...]
    input: InputScale
    segmenter: Segmenter
    classifier: Classifier
    training_data: TrainingData
    git_revision: str
    left_out: dict[str, str] = {}  # level -> why it is not in the bundle
    files: dict[str, str] = {}  # other files (golden.npz, MODEL_CARD.md, ...) -> sha256


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
        part = self.manifest.segmenter if role == "segmenter" else self.manifest.classifier
        found = next((entry for name, entry in part.levels.items() if name == level), None)
        if found is None:
            why = self.manifest.left_out.get(level)
            have = ", ".join(part.levels)
            raise BundleError(
                f"bundle {self.path}: no {role} at level {level!r}"
                + (f" ({why})" if why else "")
                + f"; choose one of {have}"
            )
        return self.path / found.file


def sha256_of(path: Path) -> str:
    """Return the hexadecimal sha256 of the file at `path`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_manifest(path: Path) -> Manifest:
    """Read and validate `path`/manifest.json alone.

    Raises:
        BundleError: it is missing, not valid, or of a newer schema.
    """
    file = path / MANIFEST
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BundleError(
            f"bundle {path}: no {MANIFEST}; give the folder of a bundle, or make one with 'smearscope convert'"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"bundle {path}: {MANIFEST} cannot be read ({error}); install the bundle again") from error
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise BundleError(
            f"bundle {path}: schema {version} is newer than this smearscope reads ({SCHEMA_VERSION}); "
            "upgrade smearscope, or install an older bundle"
        )
    try:
        manifest = Manifest.model_validate_json(json.dumps(raw))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BundleError(f"bundle {path}: {MANIFEST}: {where}: {first['msg']}; install the bundle again") from error
    if manifest.labels != LABELS:
        raise BundleError(
            f"bundle {path}: {MANIFEST}: labels {list(manifest.labels)} are not {list(LABELS)}, in this order; "
            "install a bundle made for these classes"
        )
    return manifest


def find_faults(path: Path, manifest: Manifest) -> list[str]:
    """Return what is wrong with the files of the bundle at `path`, each starting with the file's name."""
    expected = dict(manifest.files)
    for part in (manifest.segmenter, manifest.classifier):
        expected |= {entry.file: entry.sha256 for entry in part.levels.values()}
    faults = _manifest_faults(path)
    for name, sha256 in expected.items():
        file = path / name
        if file.name != name or not file.is_file():
            faults.append(f"{name} is missing")
        elif sha256_of(file) != sha256:
            faults.append(f"{name} does not match its checksum")
    extra = {p.name for p in path.iterdir()} - set(expected) - {MANIFEST, CHECKSUM, SIGNATURE}
    return faults + [f"{name} does not belong to it" for name in sorted(extra)]


def _manifest_faults(path: Path) -> list[str]:
    try:
        stated = (path / CHECKSUM).read_bytes()
    except OSError:
        return [f"{CHECKSUM} is missing"]
    return [] if stated == _checksum_line(path) else [f"{MANIFEST} does not match its checksum in {CHECKSUM}"]


def _checksum_line(path: Path) -> bytes:
    return f"{sha256_of(path / MANIFEST)}  {MANIFEST}\n".encode()


def load_bundle(path: Path) -> Bundle:
    """Open the bundle at `path` and check every file in it against its sha256.

    Raises:
        BundleError: something is missing, altered or extra; the message names the file.
    """
    manifest = read_manifest(path)
    faults = find_faults(path, manifest)
    if faults:
        raise BundleError(f"bundle {path}: {'; '.join(faults)}; {MEND}")
    return Bundle(path, manifest, sha256_of(path / MANIFEST))


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write `manifest` and its checksum into the folder `path`, each atomically."""
    write_atomic(path / MANIFEST, (manifest.model_dump_json(indent=2) + "\n").encode())
    write_atomic(path / CHECKSUM, _checksum_line(path))
