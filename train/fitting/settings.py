"""The settings of each kind of training run; needs no Keras, so that the command line can read them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SegmenterEpochs:
    """The epochs of each stage of the segmenter."""

    rough: int = 5  # on masks found by a threshold
    drawn: int = 4  # of the teacher, on masks drawn by hand
    student: int = 5  # of the student, on those and the teacher's pseudo-labels


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmenterSettings:
    """What a run of the segmenter fits, from what, and for how long."""

    data: Path  # root of the training data
    out: Path  # folder of the run
    model: str = "unet_light"
    weights: str = "imagenet"
    epochs: SegmenterEpochs = field(default_factory=SegmenterEpochs)
    cross_validate: bool = True
    resume: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierSettings:
    """What a run of a classifier fits, on which data, and for how long."""

    data: Path  # root of the training data
    fields: str  # folder of the classes, below `data`
    split: Path
    audit: Path | None = None
    fold: int = 0
    out: Path  # folder of the run, which holds its segmenter
    segmenter_from: Path | None = None  # bundle whose segmenter is kept; None: the one in `out`
    foreign_cells: bool = True  # cells of other laboratories teach what is none of the classes
    model: str = "smearnet"
    network: Mapping[str, object] = field(default_factory=dict)  # settings of the network other than its defaults
    epochs: int | None = None  # None: those of the network
    refit_epochs: int = 40  # on train and validation part together, once temperature and thresholds are fitted
    seed: int = 0
    resume: bool = False


@dataclass(frozen=True, slots=True)
class Budget:
    """The budget that all networks of a comparison share."""

    epochs: int = 3
    size: int = 96
    weights: str = "none"
    steps: int | None = None  # batches of an epoch, at most
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonSettings:
    """The networks to compare, on which splits, under which budget."""

    data: Path  # root of the training data
    fields: str  # folder of the classes, below `data`
    splits: Sequence[Path]
    audit: Path | None
    out: Path
    networks: Sequence[str]
    budget: Budget
    precision: str = "float32"
