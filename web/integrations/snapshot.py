"""The device and its newest slide at one moment, for programs that watch it."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from anyio.to_thread import run_sync

from device.actions.base import Role
from device.actions.registry import action_called
from device.control.protocol import ControlError
from device.store import FieldRecord, SlideRecord, Store
from device.store.retention import free_bytes_of
from device.system.health import Health, read_health
from smear.errors import StoreError
from web.site import Person, Site

_ITSELF = Person("smearscope-web", Role.VIEWER)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What may leave the device: the numbers of slides, never their names, which may be those of patients."""

    session: dict[str, Any] | None  # what the running device answers to `status`; None: it does not
    slide: SlideRecord | None
    field: FieldRecord | None  # the newest one of `slide`
    board: Health
    free_bytes: int  # of the disk of the data folder

    @property
    def camera_up(self) -> bool:
        """Whether the running device gets pictures."""
        return self.session is not None and self.session["camera_opened"] and not self.session["camera_lost"]


async def snapshot(site: Site) -> Snapshot:
    """Return how the device is now; a device that does not answer and records that cannot be read are left out."""
    session, slide, field = None, None, None
    with suppress(ControlError):
        session = await site.perform(action_called("status"), _ITSELF, {})
    with suppress(StoreError):
        slide, field = await site.read(_newest)
    free_bytes = free_bytes_of(site.data) if site.data.is_dir() else 0
    return Snapshot(session, slide, field, await run_sync(read_health), free_bytes)


def _newest(store: Store) -> tuple[SlideRecord | None, FieldRecord | None]:
    slide = next(iter(store.slides(1)), None)
    return slide, next(iter(store.latest_fields(slide.id, 1)), None) if slide else None
