"""Opens a camera with the calibration profile that belongs to it, and says why where none is applied."""

from collections.abc import Callable, Mapping
from typing import Any

from device.cameras.base import Camera, CameraIdentity, grant_of
from device.cameras.calibration.correction import Corrector
from device.cameras.calibration.profile import NONE, Calibration, OpticalSetup
from device.cameras.calibration.profile_store import ProfileStore
from device.cameras.registry import ControlsOf, camera_identity, camera_kind
from smear.errors import StoreError

Say = Callable[[str], None]
"""Tells a person something, in one sentence."""


def open_calibrated(
    open_source: Callable[[ControlsOf], Camera], profiles: ProfileStore, objective: str, wall_s: float, say: Say
) -> tuple[Camera, Corrector]:
    """Open a camera with the fixed settings of its profile; return it with what corrects its frames.

    `open_source` is given the settings of any camera that it may open. What the camera does not grant, and a profile
    that is not applied, are said.

    Raises:
        CameraError: it cannot be opened.
    """
    used: Mapping[str, Any] = {}

    def controls_of(identity: CameraIdentity) -> Mapping[str, Any]:
        nonlocal used
        setup = OpticalSetup(identity.name, identity.serial, objective=objective)
        used = (profiles.find(setup) or NONE).controls
        return used

    camera = open_source(controls_of)
    corrector, events = corrector_for(camera, profiles, objective, wall_s)
    wanted = corrector.calibration.controls
    if camera_kind(camera.name).takes_controls and wanted != used:  # its size or pixel format fits another profile
        camera.close()
        camera = open_source(lambda identity: wanted)
        corrector, _ = corrector_for(camera, profiles, objective, wall_s)
    for text in (*events, *corrector.notes):
        say(text)
    return camera, corrector


def corrector_for(
    camera: Camera, profiles: ProfileStore, objective: str, wall_s: float
) -> tuple[Corrector, tuple[str, ...]]:
    """Return what corrects the frames of the open `camera`, and what was done for it, in sentences."""
    setup = setup_of(camera, objective)
    notes = [*grant_of(camera).differences]
    events: list[str] = []
    try:
        events += profiles.bind(setup, wall_s)
    except StoreError as error:  # of a card that is read-only or full: what is stored already still applies
        notes.append(str(error))
    found, faults = profiles.read()
    applied = profiles.find(setup)
    if applied is None and any(not each.pending for each in found):
        notes.append(_not_applied(found, setup))
    return Corrector(applied or NONE, setup, (*notes, *faults)), tuple(events)


def setup_of(camera: Camera, objective: str) -> OpticalSetup:
    """Return how the open `camera` is set up."""
    identity = camera_identity(camera.name) or CameraIdentity(camera.name)
    granted = grant_of(camera)
    return OpticalSetup(
        identity.name, identity.serial, granted.size, granted.pixel_format or None, objective, camera.name
    )


def _not_applied(found: list[Calibration], setup: OpticalSetup) -> str:
    nearest = min((each for each in found if not each.pending), key=lambda each: len(each.misfits(setup)))
    return (
        f"calibration {nearest.id} is not applied, it is for {'; '.join(nearest.misfits(setup))}: "
        "calibrate again, or see 'smearscope calibrate list'"
    )
