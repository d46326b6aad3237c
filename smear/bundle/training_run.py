"""The folder of a training run: two Keras models, and `run.json` as training writes it and conversion reads it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_serializer, field_validator

from smear.bundle.files import sha256_of
from smear.bundle.levels import Level
from smear.bundle.manifest import Figure, InputScale, ModelFile, Shown, TrainingData
from smear.bundle.ranges import Density, Edge, Probability, Sha256, Temperature
from smear.classes import LABELS
from smear.errors import ConversionError, first_fault
from smear.images import write_atomic

RUN_FILE = "run.json"
KEPT = "segmenter"  # folder of the files of a segmenter that was kept
MODEL_FILES = {"segmenter": "segmenter.keras", "classifier": "classifier.keras"}


class _Facts(BaseModel):  # other versions may note more
    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=(), allow_inf_nan=False)


class KeptSegmenter(_Facts):
    """A segmenter that was taken over from a bundle: its converted files lie in `KEPT`, in the folder of the run."""

    bundle_sha256: Sha256  # of the bundle it came from
    levels: dict[Level, ModelFile]


class TrainedSegmenter(_Facts):
    """The segmenter of a run."""

    name: str
    output: Literal["logits", "probabilities"]
    figures: dict[str, Figure] = {}
    kept: KeptSegmenter | None = None  # None: it was trained in this run


class TrainedClassifier(_Facts):
    """The classifier of a run, with the temperature and the thresholds that were fitted for it."""

    name: str
    shown: Shown
    input_size: Edge
    output: Literal["logits", "probabilities"]
    temperature: Temperature
    abstain_below: Probability
    stain: tuple[Density, Density] | None = None
    ood_above: Probability | None = None
    figures: dict[str, Figure] = {}


class Picture(_Facts):
    """One labelled picture of a split; `path` is relative to the data root."""

    path: str
    label: str = ""
    session: str = ""  # stain session, where the split knows one

    @field_validator("label")
    @classmethod
    def _known(cls, value: str) -> str:
        if value and value not in LABELS:
            raise ValueError(f"{value!r} is not one of {', '.join(LABELS)}")
        return value


class RunFile(_Facts):
    """`run.json`: the one schema of it."""

    segmenter: TrainedSegmenter
    classifier: TrainedClassifier
    input: InputScale
    training_data: TrainingData
    train_images: tuple[Picture, ...] = Field(min_length=1)
    validation_images: tuple[Picture, ...] = Field(min_length=1)
    seed: int
    calibration: dict[str, float] = {}  # what was fitted on the validation part, and the calibration error around it
    git_revision: str = "unknown"

    @field_validator("train_images", "validation_images", mode="before")
    @classmethod
    def _pictures(cls, value: Any) -> Any:
        """Accept a bare path as a picture whose class is the folder it lies in, as the data set is laid out."""
        if not isinstance(value, list):
            return value
        return [_bare(entry) if isinstance(entry, str) else entry for entry in value]

    @field_validator("validation_images")
    @classmethod
    def _labelled(cls, value: tuple[Picture, ...]) -> tuple[Picture, ...]:
        for picture in value:
            if not picture.label:
                raise ValueError(f"{picture.path} has no label")
        return value

    @field_serializer("train_images", "validation_images")
    def _bare_where_possible(self, pictures: tuple[Picture, ...]) -> list[str | dict[str, str]]:
        return [picture.path if _bare(picture.path) == picture.model_dump() else picture.model_dump()
                for picture in pictures]  # fmt: skip


def _bare(path: str) -> dict[str, str]:
    folder = Path(path).parent.name
    return {"path": path, "label": folder if folder in LABELS else "", "session": ""}


@dataclass(frozen=True, slots=True)
class Run:
    """A training run on disk that may be converted."""

    path: Path
    facts: RunFile

    def model(self, role: str) -> Path:
        """Return the path of the Keras model for `role`."""
        return self.path / MODEL_FILES[role]

    def kept(self, level: Level) -> Path:
        """Return the path of the kept segmenter at `level`.

        Raises:
            ConversionError: the bundle that it was taken from lacks that level.
        """
        known = self.facts.segmenter.kept
        if known is None or level not in known.levels:
            have = ", ".join(known.levels) if known else "none"
            raise ConversionError(
                f"{self.path}: the segmenter was kept from a bundle, which has no level {level}; give --levels {have}"
            )
        return self.path / KEPT / known.levels[level].file


def write_run(folder: Path, facts: RunFile) -> None:
    """Write `facts` to `folder`/run.json, whole or not at all; the two Keras models lie beside it."""
    write_atomic(folder / RUN_FILE, (facts.model_dump_json(indent=2) + "\n").encode())


def read_facts(path: Path) -> RunFile:
    """Return what `run.json` of the training run at `path` states; its models need not be there.

    Raises:
        ConversionError: there is no `run.json`, or it holds a wrong value.
    """
    file = path / RUN_FILE
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConversionError(f"{path}: no {RUN_FILE}; give the folder that 'smearscope train' wrote") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ConversionError(f"{file}: cannot be read ({error}); train again or restore the file") from error
    try:
        return RunFile.model_validate(raw)
    except ValidationError as error:
        raise ConversionError(f"{file}: {first_fault(error)}; correct it or train again") from error


def read_run(path: Path) -> Run:
    """Open the training run at `path`.

    Raises:
        ConversionError: it is not a run folder, a file of it is missing, or `run.json` holds a wrong value.
    """
    facts = read_facts(path)
    shared = {p.path for p in facts.train_images} & {p.path for p in facts.validation_images}
    if shared:
        raise ConversionError(
            f"{path / RUN_FILE}: {min(shared)} is in both parts; figures on it would prove nothing: split again"
        )
    kept = facts.segmenter.kept
    for role, name in MODEL_FILES.items():
        if not (path / name).is_file() and (role != "segmenter" or kept is None):
            raise ConversionError(f"{path}: no {name}; let the training run finish first")
    for entry in kept.levels.values() if kept else ():
        file = path / KEPT / entry.file
        if not file.is_file() or sha256_of(file) != entry.sha256:
            raise ConversionError(f"{file}: missing or changed; run 'smearscope train classifier' again")
    return Run(path, facts)


def find_picture(data: Path, picture: Picture) -> Path:
    """Return where `picture` lies below the data root `data`.

    Raises:
        ConversionError: it is not there.
    """
    found = data / picture.path
    if not found.is_file():
        raise ConversionError(f"{found}: no such picture; point --data at the folder the run was trained on")
    return found
