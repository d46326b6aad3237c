"""The plain facts of a slide for its report, as pairs of a title and a text."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from device.cameras.calibration import Calibration, ProfileStore
from device.settings import Settings
from device.site.certificate import SiteCertificate
from device.site.certificate import load as load_certificate
from device.slide_report.field_digest import FieldDigest
from device.store import SlideRecord
from smear.errors import SettingsError

Facts = list[tuple[str, str]]
_SETTINGS = ("cells.target", "slide.count_once", "site.required", "site.valid_days")  # beside those of the gate


def moment(unix_s: float | None) -> str:
    """Return a moment to the minute with its offset from UTC; a dash where there is none, or no calendar has it."""
    if unix_s is None:
        return "–"
    try:
        return datetime.fromtimestamp(unix_s).astimezone().isoformat(" ", "minutes")
    except (OverflowError, ValueError, OSError):
        return "–"


def slide_facts(slide: SlideRecord, fields: FieldDigest, store_id: str) -> Facts:
    """Return what is known of the slide itself."""
    scales = [f"{size:.4g} µm" if size else "unknown" for size in fields.pixel_sizes]
    sizes = [f"{width} × {height} pixels" for width, height in fields.sizes]
    sources = list(fields.sources)
    return [
        ("operator", slide.operator or "not stated"),
        ("stain", slide.stain or "not stated"),
        ("specimen", slide.specimen or "not stated"),
        *([("note", slide.note)] if slide.note else []),
        ("recorded", f"{moment(slide.started_s)} to {moment(slide.ended_s)}"),
        ("fields taken", f"{moment(fields.first_s)} to {moment(fields.last_s)}" if fields.fields else "none"),
        ("taken from", sources[0] if len(sources) == 1 else f"{len(sources)} files or cameras"),
        ("frames", few(sizes)),
        ("pixel size", few(scales)),
        ("data store", store_id),
    ]


def few(texts: Sequence[str], most: int = 3) -> str:
    """Return the first of `texts`, and how many more there are."""
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def circumstances(fields: FieldDigest) -> Facts:
    """Return what was unusual about the device while the fields were taken."""
    found = {
        "clock not set by a time server": fields.unsynced,
        "board short of power or too hot": fields.throttled,
        "photograph removed to make room": fields.removed,
    }
    facts = [(title, f"{n} of {fields.fields} fields") for title, n in found.items() if n]
    return facts + ([("hottest processor", f"{fields.hottest_c:.0f} °C")] if fields.hottest_c is not None else [])


def calibrations_of(data: Path, fields: FieldDigest) -> Iterator[tuple[str | None, int, Facts]]:
    """Yield each calibration profile that fields were taken with, how many, and what it holds if it is still there."""
    known = {each.id: each for each in ProfileStore(data).read()[0]}
    for profile_id, n in fields.calibrations.most_common():
        yield profile_id, n, _profile(known[profile_id]) if profile_id in known else []


def _profile(known: Calibration) -> Facts:
    glass = "–" if known.glass is None else "RGB " + ", ".join(f"{tone:.0f}" for tone in known.glass)
    return [
        ("made", known.created),
        ("for", known.setup.describe()),
        ("pixel size", f"{known.pixel_size_um:.4g} µm" if known.pixel_size_um else "not calibrated"),
        ("best focus", f"{known.best_focus:.3g}" if known.best_focus else "not calibrated"),
        ("clear background", glass if known.white else "not calibrated"),
        ("flat field", "measured" if known.flat else "not measured"),
    ]


def certificates_of(data: Path, fields: FieldDigest) -> Iterator[tuple[str | None, int, SiteCertificate | None]]:
    """Yield each site certificate that held for accepted fields, for how many, and itself if it is still there."""
    try:
        known = load_certificate(data)
    except SettingsError:  # a damaged one: the records still name the one that held
        known = None
    for certificate_id, n in fields.certificates.most_common():
        yield certificate_id, n, known if known is not None and known.id == certificate_id else None


def settings_facts(settings: Settings) -> Facts:
    """Return the settings that decide what is labelled, counted and accepted."""
    values = {f"gate.{name}": value for name, value in settings.gate.model_dump().items()}
    whole = settings.model_dump()
    for path in _SETTINGS:
        section, key = path.split(".")
        values[path] = whole[section][key]
    return [(name, str(value).lower() if isinstance(value, bool) else f"{value:g}") for name, value in values.items()]
