"""The result of one benchmark run, as it is written as JSON and as every report reads it."""

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from smear.errors import SmearscopeError, first_fault

SCHEMA_VERSION = 4  # results of earlier versions can still be read


class BenchmarkError(SmearscopeError):
    """A measurement cannot be taken, or a result cannot be read."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Board(_Strict):
    """The state of the machine at one moment."""

    temperature_c: float | None = None
    throttled: int | None = None  # bits of the firmware's get_throttled
    governor: str = ""
    clock_mhz: float | None = None
    load_1min: float = 0.0
    others_busy: float = 0.0  # processors that other processes keep busy, of `cpus`


class Environment(_Strict):
    """Where and with what a result was measured."""

    machine: str  # board or product name
    cpu: str
    cpus: int
    memory_mb: int
    os: str
    kernel: str
    python: str
    versions: dict[str, str]  # of runtimes and libraries
    git_revision: str
    bundle: str
    bundle_sha256: str
    before: Board
    after: Board
    others_busy: float = 0.0  # processors that other processes kept busy over the whole run
    nice: int = 0
    warnings: tuple[str, ...] = ()  # what makes the figures doubtful: load, throttling, a powersaving governor


class Latency(_Strict):
    """The distribution of one repeated step."""

    n: int
    min_ms: float | None = None
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    per_s: float  # steps a second over all of them


class Ratio(_Strict):
    """How many times as long as `to` it takes: median over paired rounds, with a 95 % bootstrap interval."""

    to: str
    value: float
    low: float
    high: float
    rounds: int


class Figure(_Strict):
    """One quality figure from the bundle's manifest."""

    value: float
    split: str
    n: int
    low: float | None = None
    high: float | None = None


class Timed(_Strict):
    """What was measured in turn with others."""

    key: str  # the same in every run, for comparison
    init_ms: float | None = None
    first_ms: float | None = None  # including compilation
    rss_mb: float | None = None  # resident memory added by loading it and running it once
    peak_mb: float | None = None  # the most that its whole process ever had resident, Python and libraries included
    latency: Latency | None = None
    ratio: Ratio | None = None  # to the bundle's own at its best CPU level on one thread, to Keras, or to Smearscope
    fault: str = ""  # why it was not measured


class Variant(Timed):
    """One model file under one runtime: the bare inference."""

    pair: str  # "bundle" or "reference"
    role: str
    level: str
    runtime: str
    threads: int
    file_bytes: int = 0
    multiply_adds: int | None = None  # of one inference, read from the file; None: not a TFLite file
    gmacs: float | None = None  # 1e9 multiply-adds a second, at the median
    figures: dict[str, Figure] = {}


class Pair(Timed):
    """Both models end to end on one whole field, from frame to finding."""

    name: str
    level: str
    runtime: str
    threads: int
    figures: dict[str, Figure] = {}


class Stages(_Strict):
    """The time of each stage of a frame; medians in milliseconds."""

    name: str
    megapixels: float
    cells: int  # found
    segmenter_invokes: int
    classifier_invokes: int
    stage_ms: dict[str, float]  # in their order; the invokes of the models are within "segment" and "classify"
    invokes_ms: float  # the bare invokes of both models
    total_ms: float  # from frame to finding
    overhead: float  # (total - invokes) / invokes
    cpu_ms: float  # processor time from frame to finding, all threads, which other processes disturb least
    invokes_cpu_ms: float
    cpu_overhead: float
    n: int


class Live(_Strict):
    """From the capture of a frame to its result and to the screen, with the store in between."""

    camera: str
    megapixels: float
    to_result: Latency
    to_screen: Latency
    fields_per_s: float  # one after the other, capture included
    stage_ms: dict[str, float]
    rss_mb: float  # of the whole process


class Point(_Strict):
    """One point of a growth curve."""

    at: float
    values: dict[str, float]  # milliseconds by what was timed


class Growth(_Strict):
    """How times grow with one thing."""

    of: Literal["cells", "megapixels", "records"]
    unit: str
    points: tuple[Point, ...]


class Start(_Strict):
    """Seconds of whole processes with files in the cache: medians of `n`; load disturbs processor time less."""

    help_s: float
    help_p90_s: float | None = None
    help_cpu_s: float | None = None
    first_finding_s: float
    first_finding_p90_s: float | None = None
    first_finding_cpu_s: float | None = None
    n: int


class Step(Timed):
    """One training step of one network: forward, backward and update of one batch."""

    network: str
    engine: str  # "Keras" or "PyTorch"
    batch: int
    threads: int
    parameters: int | None = None  # as the engine counts them
    version: str = ""


class Segmentation(Timed):
    """One program from a field to an image of numbered cells."""

    engine: str
    version: str = ""
    weights: str = ""  # what is to be said of a network's weights; "": they are its own, or there is no network
    cells: int | None = None  # found in all fields together; None: its weights are random
    cells_drawn: int  # in all fields together


class Operation(_Strict):
    """All operations of one kind in one model, each timed alone."""

    role: str
    operation: str
    count: int
    ms: float  # of the fastest of several invokes of each
    multiply_adds: int
    peak_share: float | None  # of the matrix product's speed at this level; None: it has no multiply-adds


class Product(_Strict):
    """One plain matrix product: the speed of an engine that does nothing else."""

    engine: str
    kind: Literal["int8", "float32"]
    size: int  # rows, columns and depth
    gmacs: float  # 1e9 multiply-adds a second, at the fastest
    fault: str = ""


class Peak(_Strict):
    """The arithmetic speed of this machine on one thread, and the share of it that the models reach."""

    int8_gmacs: float  # the fastest of `products`
    float32_gmacs: float
    level: str  # of the operations below
    reached: dict[str, float]  # role -> share of the peak of its level, at the fastest invoke
    invoke_ms: dict[str, float] = {}  # role -> the fastest bare invoke
    operations: tuple[Operation, ...]
    products: tuple[Product, ...] = ()


class Instructions(_Strict):
    """How many instructions one model executes a field on an emulated processor, whose time is no measure."""

    key: str  # owner, role and level
    processor: str
    millions: float


class Result(_Strict):
    """One benchmark run."""

    schema_version: int = SCHEMA_VERSION
    created: str  # ISO 8601, UTC
    mode: Literal["quick", "full"]
    environment: Environment
    variants: tuple[Variant, ...] = ()
    pairs: tuple[Pair, ...] = ()
    stages: tuple[Stages, ...] = ()
    live: tuple[Live, ...] = ()
    growth: tuple[Growth, ...] = ()
    training: tuple[Step, ...] = ()
    segmentation: tuple[Segmentation, ...] = ()
    instructions: tuple[Instructions, ...] = ()
    start: Start | None = None
    peak: Peak | None = None
    left_out: tuple[str, ...] = ()  # what this mode measures only on demand
    seconds: float | None = None  # of the whole run
    faults: tuple[str, ...] = ()  # parts that could not be measured, and why


def read_result(path: Path) -> Result:
    """Read `path`, a result.json or the folder that holds one.

    Raises:
        BenchmarkError: it is missing, damaged or of a newer schema.
    """
    file = path / "result.json" if path.is_dir() else path
    try:
        content = json.loads(file.read_bytes())
        # Checked first: otherwise a field of a newer schema would be reported as a fault of the file.
        version = content.get("schema_version") if isinstance(content, dict) else None
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise BenchmarkError(f"{file}: schema {version} is newer than {SCHEMA_VERSION}; upgrade smearscope")
        return Result.model_validate(content, strict=False)
    except OSError as error:
        raise BenchmarkError(f"{file}: {error.strerror}; give a result.json or the --out folder of a run") from error
    except ValidationError as error:
        raise BenchmarkError(f"{file}: {first_fault(error, 'JSON')}; measure again with 'smearscope bench'") from error
    except ValueError as error:
        raise BenchmarkError(f"{file}: JSON: {error}; measure again with 'smearscope bench'") from error
