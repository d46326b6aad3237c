"""All settings of the device: one TOML file, checked as a whole, with defaults that work without one."""

import difflib
import json
import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from device.store.retention import MEGABYTE, Retention
from smear.bundle.manifest import Level
from smear.errors import SettingsError
from smear.inference.quality_gate import Limits

SYSTEM_FILE = Path("/etc/smearscope/config.toml")
SERVICE_DATA = Path("/var/lib/smearscope")
CONFIG_VARIABLE = "SMEARSCOPE_CONFIG"
DATA_VARIABLE = "SMEARSCOPE_DATA_DIR"
_LIMITS = Limits()
RuntimeName = Literal["auto", "ai-edge-litert", "tflite-runtime"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class CameraSettings(_Section):
    """Where fields come from."""

    name: str = Field(
        default="auto", description="auto, picamera2:[index], v4l2:/dev/video0, files:PATH or simulated:[seed]"
    )
    timeout_s: float = Field(default=5.0, gt=0, le=60, description="no frame for this long: the camera is lost")
    pixel_size_um: float | None = Field(
        default=None, gt=0, le=10, description="edge of one pixel on the slide, if known"
    )
    width: int | None = Field(
        default=None, ge=224, le=8192, description="asked of the camera; its own choice when left out"
    )
    height: int | None = Field(default=None, ge=224, le=8192, description="as width")


class DisplaySettings(_Section):
    """Where results are shown."""

    name: str = Field(default="auto", description="auto, window, kmsdrm, png:PATH or none")


class ModelSettings(_Section):
    """What looks at the fields."""

    bundle: Path | None = Field(
        default=None, description="folder of the model bundle; the one that ships when left out"
    )
    require_signature: Path | None = Field(
        default=None, description="public key; only bundles signed by its owner are used"
    )
    level: Level = Field(default="int8", description="how the weights are stored")
    runtime: RuntimeName = Field(
        default="auto", description="what runs them; auto: ai-edge-litert, else tflite-runtime"
    )
    threads: int = Field(default=1, ge=1, le=64, description="of one inference; a Pi 4 and 5 have four cores")
    delegate: str = Field(default="libedgetpu.so.1", description="library of the accelerator, for level edgetpu")
    cpu_fallback: bool = Field(
        default=False, description="level edgetpu without its accelerator: go on with int8 on the CPU, and say so"
    )


class GateSettings(_Section):
    """What a field must keep to be labelled; the defaults are those of `smear.inference.quality_gate`."""

    min_focus: float = Field(default=_LIMITS.min_focus, ge=0, description="least sharpness at the rims of cells")
    max_clipped: float = Field(default=_LIMITS.max_clipped, ge=0, le=1, description="share of over- or underexposed")
    min_brightness: float = Field(default=_LIMITS.min_brightness, ge=0, le=1, description="of the glass")
    min_cells: int = Field(default=_LIMITS.min_cells, ge=1, description="fewer leukocytes carry no label")
    max_cell_share: float = Field(default=_LIMITS.max_cell_share, ge=0, le=1, description="of the field")
    max_glass_tint: float = Field(
        default=_LIMITS.max_glass_tint, ge=0, le=1, description="a stained smear has clear glass"
    )

    def limits(self) -> Limits:
        """Return what the gate needs of this."""
        return Limits(**self.model_dump())


class SlideSettings(_Section):
    """When a field counts."""

    count_once: bool = Field(default=True, description="a field seen again is not counted again")
    review_doubtful: bool = Field(default=True, description="put doubtful and strange fields into the review queue")


class StoreSettings(_Section):
    """Where and how long records are kept."""

    folder: Path | None = Field(
        default=None, description="data folder; see 'smearscope config show' for the one in use"
    )
    min_free_mb: int = Field(default=500, ge=0, description="megabytes of the disk that are always left free")
    remove_oldest: bool = Field(default=True, description="give up the oldest unmarked photographs when room is short")
    max_age_days: float | None = Field(default=None, gt=0, description="forget unmarked records that are older")
    busy_timeout_s: float = Field(default=5.0, ge=0, le=60, description="how long to wait for a locked database")

    def retention(self) -> Retention:
        """Return what the store needs of this."""
        return Retention(self.min_free_mb * MEGABYTE, self.max_age_days, self.remove_oldest)


class Settings(_Section):
    """The whole file; each attribute is one [section]."""

    camera: CameraSettings = CameraSettings()
    display: DisplaySettings = DisplaySettings()
    model: ModelSettings = ModelSettings()
    gate: GateSettings = GateSettings()
    slide: SlideSettings = SlideSettings()
    store: StoreSettings = StoreSettings()


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in the file."""

    line: int | None
    text: str


def settings_file(given: Path | None = None) -> Path | None:
    """Return the file to read: `given`, $SMEARSCOPE_CONFIG, /etc/smearscope/config.toml, or None for the defaults."""
    if given is not None:
        return given
    if named := os.environ.get(CONFIG_VARIABLE):
        return Path(named)
    return SYSTEM_FILE if SYSTEM_FILE.exists() else None


def load_settings(given: Path | None = None) -> Settings:
    """Read the settings, or return the defaults where there is no file.

    Raises:
        SettingsError: the file cannot be read or holds faults; all of them are named.
    """
    path = settings_file(given)
    if path is None:
        return Settings()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(
            f"settings {path}: no such file; make it, or leave out --config and ${CONFIG_VARIABLE}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"settings {path}: cannot be read ({error}); it must be a UTF-8 text file") from error
    found = parse_settings(text)
    if isinstance(found, Settings):
        return found
    told = "; ".join(f"line {fault.line}: {fault.text}" if fault.line else fault.text for fault in found)
    raise SettingsError(f"settings {path}: {told}; correct it and run 'smearscope config check'")


def parse_settings(text: str) -> Settings | list[Fault]:
    """Return the settings that TOML `text` holds, or everything that is wrong with it, by line."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = re.search(r"at line (\d+)", str(error))
        return [Fault(int(match[1]) if match else None, f"not TOML: {error}")]
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        lines = _lines(text)
        faults = [Fault(_line_of(lines, fault["loc"]), _told(fault)) for fault in error.errors()]
        return sorted(faults, key=lambda fault: (fault.line or 0, fault.text))


def data_folder(settings: Settings, given: Path | None = None) -> Path:
    """Return the data folder: --data, $SMEARSCOPE_DATA_DIR, the settings, the service's own, or the user's."""
    if given is not None:
        return given
    if named := os.environ.get(DATA_VARIABLE):
        return Path(named)
    if settings.store.folder is not None:
        return settings.store.folder
    if state := os.environ.get("STATE_DIRECTORY"):  # systemd's, for a unit with StateDirectory=
        return Path(state.split(":", 1)[0])
    if os.access(SERVICE_DATA, os.W_OK):  # this user may look after the service's records
        return SERVICE_DATA
    home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    return home / "smearscope"


def to_toml(settings: Settings) -> str:
    """Return the settings as a file that reads back to the same, each key with what it means."""
    parts = []
    for section, model in Settings.model_fields.items():
        parts.append(f"[{section}]")
        values = getattr(settings, section)
        for key, info in type(values).model_fields.items():
            value = getattr(values, key)
            shown = f"# {key} =" if value is None else f"{key} = {_toml(value)}"
            parts.append(f"{shown}  # {info.description}")
        parts.append("")
        assert model.annotation is type(values)
    return "\n".join(parts)


def _toml(value: object) -> str:
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)


def _told(fault: ErrorDetails) -> str:
    """Say one of pydantic's faults in a sentence with what is allowed."""
    where = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return _unknown(tuple(str(part) for part in fault["loc"]))
    allowed = _allowed(tuple(str(part) for part in fault["loc"]))
    given = json.dumps(fault["input"], default=str)
    return f"{where} = {given} is not allowed; {allowed or fault['msg']}"


def _unknown(where: tuple[str, ...]) -> str:
    """Name the nearest key of the same section, or the section that the key belongs to."""
    *section, key = where
    known = list(_fields(section[0]) if section else Settings.model_fields)
    place = f"[{section[0]}]" if section else "the file"
    if close := difflib.get_close_matches(key, known, 1, 0.6):
        return f"{'.'.join(where)} is not known; did you mean {close[0]!r}?"
    homes = [name for name in Settings.model_fields if key in _fields(name)]
    if homes and (not section or homes[0] != section[0]):
        return f"{'.'.join(where)} is not known; {key!r} belongs into [{homes[0]}]"
    return f"{'.'.join(where)} is not known; {place} takes {', '.join(known)}"


def _fields(section: str) -> dict[str, Any]:
    info = Settings.model_fields.get(section)
    kind = info.annotation if info else None
    return dict(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else {}


def _allowed(where: tuple[str, ...]) -> str:
    """Return what the key at `where` takes, in words."""
    if len(where) == 1:
        return f"write a section [{where[0]}] with keys in it"
    info = _fields(where[0]).get(where[1])
    if info is None:
        return ""
    kinds = (
        [info.annotation] if get_origin(info.annotation) is Literal else get_args(info.annotation) or [info.annotation]
    )
    kind = kinds[0]
    if get_origin(kind) is Literal:
        return f"allowed: {', '.join(get_args(kind))}"
    words = {int: "a whole number", float: "a number", bool: "true or false"}.get(kind, "a text in quotes")
    signs = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    bounds = [f"{said} {getattr(m, sign):g}" for m in info.metadata for sign, said in signs.items() if hasattr(m, sign)]
    return f"allowed: {' '.join([words, ' and '.join(bounds)]).strip()}"


_TABLE = re.compile(r"^\s*\[\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"^\s*([\w\-.\"' ]+?)\s*=")


def _lines(text: str) -> dict[tuple[str, ...], int]:
    """Return the line of each table and key; tomllib keeps none. First seen wins, as a second one is no TOML."""
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if match := _TABLE.match(line):
            table = _path(match[1])
            lines.setdefault(table, number)
        elif match := _KEY.match(line):
            lines.setdefault(table + _path(match[1]), number)
    return lines


def _path(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def _line_of(lines: dict[tuple[str, ...], int], where: tuple[int | str, ...]) -> int | None:
    path = tuple(str(part) for part in where)
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path)
