"""The model bundle: one checksummed folder that a device trusts, or refuses with the name of the bad file."""

import json
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from smear.bundle.files import MAX_TEXT_BYTES, MISSING, FileFault, read_file
from smear.bundle.levels import Level
from smear.bundle.ranges import Count, Density, Edge, Name, PixelSize, Probability, Score, Sha256, Temperature
from smear.classes import LABELS
from smear.errors import BundleError, first_fault
from smear.output_files import printable

SCHEMA_VERSION = 2  # of 1, everything can still be read: it has no detector
MANIFEST = "manifest.json"
CHECKSUM = "manifest.json.sha256"  # of MANIFEST, as sha256sum writes and checks it: the manifest cannot hold its own
SIGNATURE = "manifest.sig"  # detached Ed25519 signature of MANIFEST; checked by who requires one
Role = Literal["segmenter", "classifier"]
Shown = Literal["field", "cells", "crops"]
"""What a classifier sees: the whole field, the cells on neutral ground, or one crop a cell, pooled."""

MEND = "re-run 'smearscope convert' or 'smearscope model rollback'"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)


class Figure(_Strict):
    """One measured value with what it takes to believe it."""

    value: float
    split: str  # name of the split, or "cross-validated"
    n: Count  # pictures it was measured on
    low: float | None = None  # bounds of the 95 % bootstrap interval
    high: float | None = None
    background_only: float | None = None  # the same measure for a model that sees no cell


class ModelFile(_Strict):
    """One converted model."""

    file: Name
    sha256: Sha256
    bytes: Count
    figures: dict[str, Figure] = {}  # accuracy, macro_f1, ece, refusal_rate, dice, agreement, max_difference ...


class Segmenter(_Strict):
    """The model that paints each pixel background, cytoplasm or nucleus (three channels, in this order)."""

    name: str
    output: Literal["logits", "probabilities"]
    levels: dict[Level, ModelFile]
    figures: dict[str, Figure] = {}  # of the trained model before any conversion


class Detector(_Strict):
    """When a field's cells are of none of the four classes; its arrays lie in `file`, see `smear.inference.detection`.

    Every limit is a conformal quantile over fields of the validation part: a field with a higher score is refused.
    """

    file: Name
    limit: Score  # of the score of a field with more than `few_cells` cells
    limit_few: Score  # of one with so few: the fewer the cells, the wider the doubt
    few_cells: int = Field(ge=0, le=1000)
    cell_limit: Score  # of a single cell's score
    max_other_cells: Probability  # share of a field's cells that may be above `cell_limit`
    sources: tuple[str, ...] = ()  # the laboratories whose cells taught it what is none of the classes
    figures: dict[str, Figure] = {}


class Classifier(_Strict):
    """The model that says which class is seen, and when it may say so."""

    name: str
    shown: Shown
    input_size: Edge  # of its input in model pixels
    output: Literal["logits", "probabilities"]
    other: bool = False  # one more output after the labels: a body that is no cell of these classes
    temperature: Temperature  # divides the pooled logits; fitted on the validation split
    abstain_below: Probability  # refuse a label whose calibrated probability is lower
    stain: tuple[Density, Density] | None = None  # mean of red and green to which the cells shown are stained first
    ood_above: Probability | None = None  # refuse a field with a higher share of "other"; None: not so
    features: int = Field(default=0, ge=0, le=4096)  # channels of a feature map that follow the logits
    few_cells_temperature: tuple[Temperature, ...] = ()  # of fields with 1, 2, ... cells, in place of `temperature`
    detector: Detector | None = None
    levels: dict[Level, ModelFile]
    figures: dict[str, Figure] = {}  # of the trained model before any conversion

    def temperature_for(self, cells: int) -> float:
        """Return the temperature for a field with so many `cells`: the fewer, the wider the doubt."""
        fewer = 0 < cells <= len(self.few_cells_temperature)
        return self.few_cells_temperature[cells - 1] if fewer else self.temperature

    @property
    def answers(self) -> int:
        """How many logits it gives; features follow them."""
        return len(LABELS) + self.other

    @model_validator(mode="after")
    def _stained_cells_alone(self) -> Self:
        if self.stain is not None and self.shown != "cells":
            raise ValueError(f'stain is for a classifier that is shown "cells", not "{self.shown}"')
        return self

    @model_validator(mode="after")
    def _detector_reads_features(self) -> Self:
        if self.features and self.shown != "cells":
            raise ValueError(f'features are those of a classifier that is shown "cells", not "{self.shown}"')
        if self.detector is not None and not self.features:
            raise ValueError("a detector needs a classifier with features")
        return self


class InputScale(_Strict):
    """What both models were made for."""

    size: Edge
    pixel_size_um: PixelSize
    scaling: Literal["0..1"] = "0..1"


class TrainingData(_Strict):
    """What the weights came from."""

    fingerprint: str  # sha256 over the sorted sha256 of every training picture
    n: Count
    split: str
    sources: tuple[str, ...] = ()


class Manifest(_Strict):
    """`manifest.json`: everything about a bundle that is not in its model files."""

    schema_version: int = Field(default=SCHEMA_VERSION, ge=1)
    name: Name
    created: str  # ISO 8601, UTC
    labels: tuple[str, ...]
    input: InputScale
    segmenter: Segmenter
    classifier: Classifier
    training_data: TrainingData
    git_revision: str
    left_out: dict[str, str] = {}  # level -> why it is not in the bundle
    files: dict[Name, Sha256] = {}  # other files (golden.npz, MODEL_CARD.md, ...) -> sha256


def read_manifest(path: Path) -> Manifest:
    """Read and validate `path`/manifest.json alone.

    Raises:
        BundleError: it is missing, not valid, or of a newer schema.
    """
    return parse_manifest(path, manifest_bytes(path))


def manifest_bytes(path: Path) -> bytes:
    """Return `path`/manifest.json as it is: what is parsed, compared with its checksum and with its signature.

    Raises:
        BundleError: it is missing, no regular file or far too large.
    """
    try:
        return read_file(path / MANIFEST, MAX_TEXT_BYTES)
    except FileFault as error:
        if str(error) == MISSING:
            raise BundleError(
                f"bundle {path}: no {MANIFEST}; give the folder of a bundle, or make one with 'smearscope convert'"
            ) from None
        raise BundleError(f"bundle {path}: {MANIFEST} {error}; install the bundle again") from error


def parse_manifest(path: Path, content: bytes) -> Manifest:
    """Return what the manifest `content` of the bundle at `path` says.

    Raises:
        BundleError: it is not valid, or of a newer schema.
    """
    try:
        raw = json.loads(content.decode())
    except (ValueError, RecursionError) as error:
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
        fault = printable(first_fault(error))
        raise BundleError(f"bundle {path}: {MANIFEST}: {fault}; install the bundle again") from error
    if manifest.labels != LABELS:
        raise BundleError(
            f"bundle {path}: {MANIFEST}: labels {list(manifest.labels)} are not {list(LABELS)}, in this order; "
            "install a bundle made for these classes"
        )
    return manifest
