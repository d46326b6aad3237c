"""All settings of the device: one TOML file, checked as a whole, with defaults that work without one."""

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, ValidationError, ValidationInfo, field_validator

from device.cameras.uri import PlainName
from device.counting.cell_classes import DEFAULT_CLASSES, DEFAULT_TARGET, CellClass, checked_classes
from device.model_pick import CHOICES, LevelChoice, ThreadsChoice
from device.quality_control.measurements import QcTest
from device.settings_faults import Fault, faults_of
from device.settings_sections import Section, camera_usages, choice, display_usages, known_runtime, runtime_names
from device.site.agreement import Demands
from device.store.retention import MEGABYTE, Retention
from device.user_paths import UserPath, expand_given
from smear.bundle.files import MISSING, FileFault, read_file
from smear.errors import SettingsError
from smear.inference.quality_gate import Limits

SYSTEM_FILE = Path("/etc/smearscope/config.toml")
CONFIG_VARIABLE = "SMEARSCOPE_CONFIG"
_MAX_BYTES = 100_000  # of the file; with every key and its description it has 3,000
_LIMITS = Limits()


MqttTopic = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,40}$")]


class CameraSettings(Section):
    """Where fields come from."""

    name: PlainName = choice("auto", "camera to open", camera_usages)
    timeout_s: float = Field(
        default=5.0, gt=0, le=60, description="without a frame for this long the camera counts as lost"
    )
    pixel_size_um: float | None = Field(
        default=None, ge=0.01, le=10, description="edge of one pixel on the slide, if known"
    )
    width: int | None = Field(
        default=None, ge=224, le=8192, description="requested from the camera; its own choice when left out"
    )
    height: int | None = Field(
        default=None, ge=224, le=8192, description="as `width`; give both or neither", validate_default=True
    )

    @field_validator("height")
    @classmethod
    def _with_width(cls, height: int | None, info: ValidationInfo) -> int | None:
        if "width" in info.data and (height is None) != (info.data["width"] is None):
            raise ValueError("camera.width and camera.height belong together: give both, or neither")
        return height

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height to ask the camera for; None: its own choice."""
        return (self.width, self.height) if self.width and self.height else None


class DisplaySettings(Section):
    """Where results are shown."""

    name: str = choice("auto", "display to open", display_usages)
    theme: Literal["dark", "light", "contrast"] = Field(default="dark", description="colours; contrast: for weak eyes")
    language: Literal["en", "de", "es", "fr", "id"] = Field(default="en", description="language of the screen")
    rotation: Literal[0, 90, 180, 270] = Field(default=0, description="degrees clockwise that the picture is turned")


class ModelSettings(Section):
    """The models, and what runs them."""

    bundle: UserPath | None = Field(
        default=None, description="folder of the model bundle; the installed one when left out"
    )
    require_signature: UserPath | None = Field(
        default=None, description="public key file; only bundles signed with its private key are used"
    )
    level: LevelChoice = choice(
        "int8", "how the weights are stored; auto is what 'smearscope bench pick' found", lambda: CHOICES, closed=True
    )
    runtime: Annotated[str, AfterValidator(known_runtime)] = choice(
        "auto", "what runs the models", runtime_names, closed=True
    )
    threads: ThreadsChoice = Field(default=1, description="threads of one inference, or auto; a Pi has four cores")
    delegate: str = Field(default="libedgetpu.so.1", description="library of the accelerator, for level edgetpu")
    cpu_fallback: bool = Field(
        default=False,
        description="level edgetpu without its accelerator: continue with int8 on the CPU, with a warning",
    )


class GateSettings(Section):
    """What a field must meet to be labelled; the defaults are those of `smear.inference.quality_gate`."""

    min_focus: float = Field(
        default=_LIMITS.min_focus, ge=0, le=10, description="least sharpness at the borders of cells"
    )
    max_clipped: float = Field(
        default=_LIMITS.max_clipped, ge=0, le=1, description="largest share of over- or underexposed pixels"
    )
    min_brightness: float = Field(default=_LIMITS.min_brightness, ge=0, le=1, description="of the glass background")
    min_cells: int = Field(
        default=_LIMITS.min_cells, ge=1, le=1000, description="a field with fewer leukocytes gets no label"
    )
    max_cell_share: float = Field(
        default=_LIMITS.max_cell_share, ge=0, le=1, description="largest share of the field covered by cells"
    )
    max_glass_tint: float = Field(
        default=_LIMITS.max_glass_tint, ge=0, le=1, description="a stained smear has a clear background"
    )
    max_scale_ratio: float = Field(
        default=_LIMITS.max_scale_ratio,
        gt=1,
        le=100,
        description="between the scale given and the one that red cells show",
    )

    def limits(self) -> Limits:
        """Return these settings as the limits of the quality gate."""
        return Limits(**self.model_dump())


class CellSettings(Section):
    """How a person classifies and counts cells."""

    classes: Annotated[tuple[CellClass, ...], AfterValidator(checked_classes)] = Field(
        default=DEFAULT_CLASSES,
        description="classes of cells: name, key, role (leukocyte, beside, artefact or unidentified) and, "
        "if it is an example of a class of fields, teaches",
    )
    target: int = Field(default=DEFAULT_TARGET, ge=1, le=10_000, description="leukocytes to count on a slide")


class SlideSettings(Section):
    """Which fields are counted and reviewed."""

    count_once: bool = Field(default=True, description="count a field that is seen again only once")
    review_doubtful: bool = Field(default=True, description="queue doubtful and out-of-distribution fields for review")


class SiteSettings(Section):
    """What a check of the site must reach, and what holds without one."""

    required: bool = Field(default=False, description="refuse every field while no site certificate holds")
    valid_days: float = Field(default=180.0, gt=0, le=3650, description="how long a site certificate holds")
    # A bar to be shown at a site, not a claim: with 20 fields a kind the intervals are 0.1 to 0.2 wide.
    min_agreement: float = Field(default=0.9, ge=0, le=1, description="least agreement with the labels of the site")
    min_sensitivity: float = Field(default=0.9, ge=0, le=1, description="least sensitivity for blasts at the site")
    min_specificity: float = Field(default=0.95, ge=0, le=1, description="least specificity for blasts at the site")

    def demands(self) -> Demands:
        """Return these settings as the demands on a site check."""
        return Demands(self.min_agreement, self.min_sensitivity, self.min_specificity)


class LaboratorySettings(Section):
    """The laboratory's own systems."""

    hl7_folder: UserPath | None = Field(
        default=None, description="folder that gets an HL7 message of each signed slide; needs the extra hl7"
    )


class MqttSettings(Section):
    """The MQTT broker that the web publishes the device's state to, as that of Home Assistant."""

    host: str | None = Field(default=None, description="name or address of the broker; none is used when left out")
    port: int = Field(default=8883, ge=1, le=65535, description="1883 is usual without TLS")
    tls: bool = Field(default=True, description="without it the password is sent as it is")
    ca_file: UserPath | None = Field(
        default=None, description="certificate of the broker's authority; those of the system when left out"
    )
    user: str | None = Field(default=None, description="name to log in with")
    password_file: UserPath | None = Field(default=None, description="its password, in a file of mode 0600")
    interval_s: float = Field(default=10.0, ge=1, le=3600, description="between two states")
    topic: MqttTopic = Field(default="smearscope", description="what the topics begin with")
    discovery: MqttTopic = Field(default="homeassistant", description="prefix that Home Assistant looks for devices by")


class QcSettings(Section):
    """The quality control of the day."""

    required: bool = Field(default=False, description="mark every record until the quality control of the day is done")
    tests: tuple[QcTest, ...] = Field(
        default=tuple(QcTest), min_length=1, description=f"what it consists of: {', '.join(QcTest)}"
    )
    valid_hours: float | None = Field(
        default=None, gt=0, le=168, description="how long it holds from its start; until midnight when left out"
    )
    min_recall: float = Field(
        default=0.95, ge=0, le=1, description="least share of cells that is found in the location test"
    )


class StoreSettings(Section):
    """Where records are kept, and for how long."""

    folder: UserPath | None = Field(
        default=None, description="data folder; see 'smearscope config show' for the one in use"
    )
    min_free_mb: int = Field(
        default=500, ge=0, le=10_000_000, description="megabytes of the disk that always stay free"
    )
    remove_oldest: bool = Field(default=True, description="delete the oldest unmarked photographs when room is short")
    max_age_days: float | None = Field(
        default=None, gt=0, le=36_500, description="delete unmarked records that are older"
    )
    busy_timeout_s: float = Field(default=5.0, ge=0, le=60, description="how long to wait for a locked database")

    def retention(self) -> Retention:
        """Return these settings as the retention policy of the store."""
        return Retention(self.min_free_mb * MEGABYTE, self.max_age_days, self.remove_oldest)


class Settings(Section):
    """The whole file; each attribute is one [section]."""

    camera: CameraSettings = CameraSettings()
    display: DisplaySettings = DisplaySettings()
    model: ModelSettings = ModelSettings()
    gate: GateSettings = GateSettings()
    slide: SlideSettings = SlideSettings()
    cells: CellSettings = CellSettings()
    site: SiteSettings = SiteSettings()
    laboratory: LaboratorySettings = LaboratorySettings()
    mqtt: MqttSettings = MqttSettings()
    qc: QcSettings = QcSettings()
    store: StoreSettings = StoreSettings()


def settings_file(given: Path | None = None) -> Path | None:
    """Return the file to read: `given`, $SMEARSCOPE_CONFIG, /etc/smearscope/config.toml, or None for the defaults."""
    if given is not None:
        return expand_given(given, "--config")
    if named := os.environ.get(CONFIG_VARIABLE):
        return expand_given(Path(named), f"${CONFIG_VARIABLE}")
    return SYSTEM_FILE if SYSTEM_FILE.exists() else None


def load_settings(given: Path | None = None) -> Settings:
    """Read the settings, or return the defaults where there is no file.

    Raises:
        SettingsError: the file cannot be read or holds faults; all of them are named.
    """
    path = settings_file(given)
    if path is None:
        return Settings()
    text = read_settings_file(path)
    found = parse_settings(text)
    if isinstance(found, Settings):
        return found
    faults = "; ".join(f"line {fault.line}: {fault.text}" if fault.line else fault.text for fault in found)
    raise SettingsError(f"settings {path}: {faults}; correct it and run 'smearscope config check'")


def read_settings_file(path: Path) -> str:
    """Return the text of the settings file at `path`.

    Raises:
        SettingsError: it is missing, no regular file, too large or not UTF-8.
    """
    try:
        return read_file(path, _MAX_BYTES, follow=True).decode("utf-8-sig")  # as programs on Windows write it
    except FileFault as error:
        if str(error) == MISSING:
            raise SettingsError(
                f"settings {path}: no such file; make it, or leave out --config and ${CONFIG_VARIABLE}"
            ) from None
        raise SettingsError(f"settings {path}: {error}; it must be a UTF-8 text file") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"settings {path}: cannot be read ({error}); it must be a UTF-8 text file") from error


def parse_settings(text: str) -> Settings | list[Fault]:
    """Return the settings in TOML `text`, or everything that is wrong with it, by line."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = re.search(r"at line (\d+)", str(error))
        return [Fault(int(match[1]) if match else None, f"not TOML: {error}")]
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits, or lists in lists without end
        return [Fault(None, f"not TOML that can be read: {error}")]
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        return faults_of(error, text, Settings)
