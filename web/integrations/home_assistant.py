"""The device as Home Assistant finds it over MQTT: what it is, and its state as one JSON object."""

from typing import Any

from device.store.retention import MEGABYTE
from smear import RESEARCH_USE_ONLY, __version__
from web.integrations.snapshot import Snapshot

_COUNT = {"state_class": "measurement"}
_ENTITIES: dict[str, tuple[str, str, dict[str, str]]] = {  # by the key of `state_json`: kind, name, and more of it
    "running": ("binary_sensor", "Device", {"device_class": "running"}),
    "camera": ("binary_sensor", "Camera", {"device_class": "connectivity"}),
    "problem": ("binary_sensor", "Problem", {"device_class": "problem"}),
    "faults": ("sensor", "Parts that do not work", {}),
    "label": ("sensor", "The field resembles", {}),
    "refusals": ("sensor", "Why the field has no label", {}),
    "slide": ("sensor", "Slide", {}),
    "fields": ("sensor", "Fields of the slide", _COUNT),
    "accepted": ("sensor", "Accepted fields of the slide", _COUNT),
    "refused": ("sensor", "Refused fields of the slide", _COUNT),
    "examined": ("sensor", "Fields examined since the start", {"state_class": "total_increasing"}),
    "latency": ("sensor", "Time for a field", _COUNT | {"unit_of_measurement": "ms", "device_class": "duration"}),
    "temperature": ("sensor", "Temperature", _COUNT | {"unit_of_measurement": "°C", "device_class": "temperature"}),
    "free_disk": ("sensor", "Free disk", _COUNT | {"unit_of_measurement": "MB", "device_class": "data_size"}),
}


def state_json(now: Snapshot) -> dict[str, Any]:
    """Return what is published of a snapshot; None: nothing is known."""
    session, tally = now.session or {}, now.slide.tally if now.slide else None
    faults = list(session.get("faults", ()))
    found = {
        "running": _switch(now.session is not None),
        "camera": _switch(now.camera_up),
        "problem": _switch(bool(faults)),
        "faults": ", ".join(faults) or "none",
        "label": session.get("label"),
        "refusals": ", ".join(each["code"] for each in session.get("refusals", ())) or None,
        "slide": now.slide.id if now.slide else None,
        "examined": session.get("fields"),
        "latency": now.field.timing_ms.get("total") if now.field else None,
        "temperature": now.board.temperature_c,
        "free_disk": now.free_bytes // MEGABYTE,
    }
    counts = (tally.total, tally.accepted, tally.refused) if tally else (None, None, None)
    return found | dict(zip(("fields", "accepted", "refused"), counts, strict=True))


def discovery_json(device: str, state_topic: str, availability_topic: str) -> dict[str, Any]:
    """Return the device and its entities, for Home Assistant 2024.12 and later; `device` names the device's records."""
    return {
        "device": {
            "identifiers": [f"smearscope_{device}"], "name": "Smearscope", "manufacturer": "Smearscope",
            "model": RESEARCH_USE_ONLY, "sw_version": __version__, "serial_number": device,
        },
        "origin": {"name": "smearscope", "sw_version": __version__},
        "state_topic": state_topic,
        "availability_topic": availability_topic,
        "components": {
            key: {"platform": kind, "name": name, "unique_id": f"smearscope_{device}_{key}",
                  "value_template": f"{{{{ value_json.{key} }}}}", **more}
            for key, (kind, name, more) in _ENTITIES.items()
        },
    }  # fmt: skip


def _switch(on: bool) -> str:
    return "ON" if on else "OFF"
