"""Publishing the device's state to an MQTT broker, where the settings name one."""

import asyncio
import json
import logging
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device.settings import MqttSettings
from smear.bundle.files import FileFault, read_file
from smear.errors import SettingsError, SmearscopeError
from smear.output_files import printable
from web.integrations.home_assistant import discovery_json, state_json
from web.integrations.snapshot import snapshot
from web.site import Site

if TYPE_CHECKING:
    from paho.mqtt.client import Client

LONGEST_WAIT_S = 120  # between two tries to connect; it begins with one second and doubles
_PASSWORD_BYTES = 1000
_log = logging.getLogger(__name__)


class Publisher:
    """One connection to the broker, which paho's thread keeps; what is published is retained."""

    def __init__(self, site: Site) -> None:
        """Read what is needed to connect.

        Raises:
            SettingsError: the password or the certificate of the broker cannot be used.
        """
        self._site, self._settings = site, site.settings.mqtt
        self._client = _client_of(self._settings)
        self._connected = asyncio.Event()

    async def run(self) -> None:
        """Publish until cancelled; the last thing that is said is that nobody is there any more."""
        client, settings, loop = self._client, self._settings, asyncio.get_running_loop()
        device = await self._device()
        state, availability = (f"{settings.topic}/{device}/{each}" for each in ("state", "availability"))
        discovery = json.dumps(discovery_json(device, state, availability), allow_nan=False)

        def connected(_: "Client", data: object, flags: object, reason: Any, properties: object) -> None:
            if reason.is_failure:
                return _log.warning("mqtt: %s refuses: %s; see [mqtt] in the settings", settings.host, reason)
            client.publish(availability, "online", qos=1, retain=True)
            client.publish(f"{settings.discovery}/device/smearscope_{device}/config", discovery, qos=1, retain=True)
            loop.call_soon_threadsafe(self._connected.set)

        client.on_connect = connected
        client.will_set(availability, "offline", qos=1, retain=True)
        client.connect_async(str(settings.host), settings.port)
        client.loop_start()
        try:
            while True:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._connected.wait(), settings.interval_s)
                self._connected.clear()
                if client.is_connected():
                    now = state_json(await snapshot(self._site))
                    client.publish(state, json.dumps(now, allow_nan=False), qos=1, retain=True)
        finally:
            client.publish(availability, "offline", qos=1, retain=True)  # an end that is said has no last will
            client.disconnect()
            await asyncio.to_thread(client.loop_stop)

    async def _device(self) -> str:
        """Return what tells this device from others, as soon as it has records."""
        while True:
            with suppress(SmearscopeError):
                return await self._site.read(lambda store: store.store_id())
            await asyncio.sleep(self._settings.interval_s)


def _client_of(settings: MqttSettings) -> "Client":
    from paho.mqtt.client import Client  # here: most servers publish nothing
    from paho.mqtt.enums import CallbackAPIVersion

    client = Client(CallbackAPIVersion.VERSION2)
    client.reconnect_delay_set(max_delay=LONGEST_WAIT_S)
    client.on_connect_fail = lambda *_: _log.warning("mqtt: %s cannot be reached; it is tried again", settings.host)
    if settings.user is not None:
        password = None if settings.password_file is None else _password(settings.password_file)
        client.username_pw_set(settings.user, password)
    if settings.tls:
        try:
            client.tls_set(ca_certs=None if settings.ca_file is None else str(settings.ca_file))
        except OSError as error:
            where = printable(settings.ca_file or "")
            raise SettingsError(f"mqtt.ca_file {where}: {error}; name a PEM file of the broker's authority") from error
    return client


def _password(path: Path) -> str:
    """Return the password in a file that nobody but its owner may read; no message holds it."""
    try:
        content = read_file(path, _PASSWORD_BYTES).decode()
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise FileFault("others may read it")
    except (FileFault, OSError, UnicodeDecodeError) as error:
        reason = "it is no UTF-8 text" if isinstance(error, UnicodeDecodeError) else error
        advice = f"'sudo install -m 600 -o smearscope-web FILE {printable(path)}' puts it there"
        raise SettingsError(f"mqtt.password_file {printable(path)}: {reason}; {advice}") from None
    return content.rstrip("\r\n")
