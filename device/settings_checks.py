"""What is wrong with well-written settings: names nobody provides, a bundle that cannot be used, a small disk."""

import shutil
from pathlib import Path

from device.bundles import MODELS, current_bundle
from device.cameras.registry import camera_details, camera_kind
from device.data_folder import find_data_folder
from device.exports.hl7 import require_ready
from device.model_pick import read_pick, resolved
from device.screen.displays import display_kind
from device.settings import Settings
from device.settings_faults import Fault, line_of
from device.store.retention import MEGABYTE
from smear.bundle.signing import load_signed_bundle
from smear.errors import CameraError, SmearscopeError

BUNDLE, LEVEL, KEY = ("model", "bundle"), ("model", "level"), ("model", "require_signature")
FREE, HL7 = ("store", "min_free_mb"), ("laboratory", "hl7_folder")


def check_on_machine(settings: Settings, text: str) -> list[Fault]:
    """Return what of `settings`, written as `text`, cannot work on this machine."""
    data = find_data_folder(settings)
    faults = [*unknown_names(settings, text), *_of_size(settings, text), *_of_bundle(settings, text, data)]
    faults += _of_laboratory(settings, text)
    if data is not None:
        faults += _of_disk(settings, text, data)
    return sorted(faults, key=lambda fault: (fault.line or 0, fault.text))


def unknown_names(settings: Settings, text: str) -> list[Fault]:
    """Return a fault for each camera or display in `settings` of which there is no kind; `text` is their file.

    Apart from `parse_settings`, so that a command which opens neither does not depend on a plugin for it.
    """
    faults = []
    for where, name, find in (
        (("camera", "name"), settings.camera.name, camera_kind),
        (("display", "name"), settings.display.name, display_kind),
    ):
        try:
            find(name)
        except SmearscopeError as error:
            faults.append(Fault(line_of(text, where), f"{'.'.join(where)}: {error}"))
    return faults


def _of_laboratory(settings: Settings, text: str) -> list[Fault]:
    folder = settings.laboratory.hl7_folder
    try:
        if folder is not None:
            require_ready(folder)
    except SmearscopeError as error:
        return [Fault(line_of(text, HL7), f"{'.'.join(HL7)}: {error}")]
    return []


def _of_size(settings: Settings, text: str) -> list[Fault]:
    """The size asked of the camera, where it is attached and tells its sizes; it is not opened for pictures."""
    size = settings.camera.size
    try:
        formats = camera_details(settings.camera.name).formats if size else ()
    except CameraError:
        return []  # not attached now, or of a kind that `unknown_names` names
    known = [each for each in formats if each.sizes or each.steps]
    if size is None or not known or any(each.offers(size) for each in known):
        return []
    name = settings.camera.name
    fault = f"camera.width: {name} does not offer {size[0]}x{size[1]}; 'smearscope cameras show {name}' lists its sizes"
    return [Fault(line_of(text, ("camera", "width")), fault)]


def _of_bundle(settings: Settings, text: str, data: Path | None) -> list[Fault]:
    """The bundle that would be used: there, whole, signed where that is asked for, and with the level."""
    where = BUNDLE if settings.model.bundle is not None else KEY
    try:
        if settings.model.bundle is None and data is None:
            return []
        path = settings.model.bundle or current_bundle((data or Path()) / MODELS)
        bundle = load_signed_bundle(path, settings.model.require_signature)
        where = LEVEL
        level, _ = resolved(settings.model.level, 1, read_pick(data, bundle.sha256))
        bundle.model("segmenter", level)
        bundle.model("classifier", level)
    except SmearscopeError as error:
        return [Fault(line_of(text, where), f"{'.'.join(where)}: {error}")]
    return []


def _of_disk(settings: Settings, text: str, data: Path) -> list[Fault]:
    existing = next((folder for folder in (data, *data.absolute().parents) if folder.is_dir()), Path("/"))
    whole = shutil.disk_usage(existing).total / MEGABYTE
    if settings.store.min_free_mb < whole:
        return []
    return [
        Fault(
            line_of(text, FREE),
            f"store.min_free_mb: {settings.store.min_free_mb} MB cannot stay free on a disk of {whole:.0f} MB in all; "
            "lower it, or set store.folder to another disk",
        )
    ]
