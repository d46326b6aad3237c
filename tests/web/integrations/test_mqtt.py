"""What reaches a real broker: the device as Home Assistant finds it, its state, and that it is gone."""

import json
import queue
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from device.settings import MqttSettings
from smear.errors import SettingsError
from tests.device.faults import DEADLINE_S
from tests.web.test_serving import bench  # noqa: F401
from web.certificate import own_certificate
from web.integrations.home_assistant import discovery_json
from web.integrations.mqtt import _client_of

PASSWORD = "a secret of the broker"
needs_broker = pytest.mark.skipif(
    not shutil.which("mosquitto", path="/usr/sbin:/usr/bin"), reason="no MQTT broker; apt-get install mosquitto"
)


class Broker:
    """Mosquitto with TLS and a password, which may go away and come back."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.certificate, key = own_certificate(folder)
        with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
            self.port, self.port_of_web = one.getsockname()[1], other.getsockname()[1]
        subprocess.run(["mosquitto_passwd", "-c", "-b", folder / "users", "smearscope", PASSWORD], check=True)
        (folder / "mosquitto.conf").write_text(
            f"user root\nlistener {self.port} 127.0.0.1\ncertfile {self.certificate}\nkeyfile {key}\n"
            f"password_file {folder / 'users'}\n"
        )

    @contextmanager
    def running(self):
        """Run it, with a client that puts what is published into a queue."""
        with subprocess.Popen(
            ["mosquitto", "-c", self.folder / "mosquitto.conf"],
            env={"PATH": "/usr/sbin:/usr/bin"}, stderr=subprocess.DEVNULL,
        ) as process:  # fmt: skip
            heard = queue.Queue()
            client = Client(CallbackAPIVersion.VERSION2)
            client.on_connect = lambda *_: client.subscribe("#", qos=1)
            client.on_message = lambda _, __, message: heard.put((message.topic, message.payload.decode()))
            client.username_pw_set("smearscope", PASSWORD)
            client.tls_set(str(self.certificate))
            client.connect_async("localhost", self.port)
            client.loop_start()
            try:
                yield heard
            finally:
                client.disconnect()
                client.loop_stop()
                process.terminate()


@contextmanager
def web(folder, broker, tmp_path):
    """`smearscope web serve` of `folder`, as a process that publishes; what it writes goes to `said`."""
    secret = tmp_path / "mqtt-password"
    secret.write_text(PASSWORD + "\n")
    secret.chmod(0o600)
    (tmp_path / "config.toml").write_text(
        f'[mqtt]\nhost = "localhost"\nport = {broker.port}\nca_file = "{broker.certificate}"\nuser = "smearscope"\n'
        f'password_file = "{secret}"\ninterval_s = 1\n'
    )
    command = [
        *(sys.executable, "-m", "device", "web", "serve", "--port", str(broker.port_of_web), "--tls", "off"),
        *("--data", folder, "--state", tmp_path / "state", "--config", tmp_path / "config.toml"),
    ]
    with (tmp_path / "said").open("w") as said, subprocess.Popen(command, stdout=said, stderr=said) as process:
        try:
            yield process
        finally:
            process.kill()


def awaited(heard, end, wanted=lambda text: True):
    """The next message to a topic with that end that is as wanted; what comes before is let go."""
    while True:
        topic, text = heard.get(timeout=DEADLINE_S)
        if topic.endswith(end) and wanted(text):
            return text


@needs_broker
def test_home_assistant_finds_the_device_and_its_state_and_that_it_is_gone(bench, tmp_path):  # noqa: F811
    broker, device = Broker(tmp_path / "broker"), bench.recorder.store.store_id()
    started = bench.recorder.start_slide("MRS PATIENT")
    bench.fields(2)
    with broker.running() as heard, web(bench.folder, broker, tmp_path) as process:
        assert awaited(heard, f"smearscope/{device}/availability") == "online"
        found = json.loads(awaited(heard, f"homeassistant/device/smearscope_{device}/config"))
        assert found == discovery_json(device, f"smearscope/{device}/state", f"smearscope/{device}/availability")
        text = awaited(heard, "/state", lambda text: json.loads(text)["accepted"] > 0)
        state = json.loads(text)
        assert state.keys() == found["components"].keys()
        assert (state["slide"], state["label"], state["camera"], state["problem"]) == (started, "Pre", "ON", "OFF")
        assert "PATIENT" not in text
        bench.camera.plugged = False
        state = json.loads(awaited(heard, "/state", lambda text: json.loads(text)["problem"] == "ON"))
        assert (state["camera"], state["faults"]) == ("OFF", "camera")
        process.send_signal(signal.SIGKILL)
        assert awaited(heard, "/availability") == "offline"  # the last will


@needs_broker
def test_a_broker_that_goes_away_is_found_again_and_no_word_of_it_holds_the_password(bench, tmp_path):  # noqa: F811
    broker = Broker(tmp_path / "broker")
    with web(bench.folder, broker, tmp_path) as process:
        for _ in range(2):
            with broker.running() as heard:
                assert awaited(heard, "/availability", lambda text: text == "online")
                assert awaited(heard, "/state")
        with broker.running() as heard:
            awaited(heard, "/state")
            process.terminate()
            assert awaited(heard, "/availability", lambda text: text == "offline")
        process.wait(DEADLINE_S)
    said = (tmp_path / "said").read_text()
    assert "Traceback" not in said
    assert PASSWORD not in said


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [(b"x", 0o640, "others may read it"), (b"\xff", 0o600, "no UTF-8"), (None, 0, "is missing")],
)
def test_a_password_that_cannot_be_used_is_said_in_one_line(tmp_path, content, mode, said):
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
        path.chmod(mode)
    with pytest.raises(SettingsError, match=said) as caught:
        _client_of(MqttSettings(host="h", user="u", password_file=path))
    assert str(path) in str(caught.value)


def test_a_certificate_that_cannot_be_used_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"mqtt\.ca_file .*missing\.pem"):
        _client_of(MqttSettings(host="h", ca_file=tmp_path / "missing.pem"))
