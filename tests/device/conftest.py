"""Fixtures that several folders of the device's tests share."""

from collections.abc import Iterator

import pytest


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An address of S3, served on this machine."""
    server = pytest.importorskip("moto.server", reason="moto is not installed: pip install 'smearscope[dev]'")
    import s3fs

    running = server.ThreadedMotoServer(port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    for name, value in (("ENDPOINT_URL", f"http://{host}:{port}"), ("ACCESS_KEY_ID", "k"), ("SECRET_ACCESS_KEY", "s"),
                        ("DEFAULT_REGION", "us-east-1")):  # fmt: skip
        monkeypatch.setenv(f"AWS_{name}", value)
    s3fs.S3FileSystem.clear_instance_cache()  # of another test's server
    s3fs.S3FileSystem(skip_instance_cache=True).makedirs("laboratory", exist_ok=True)
    yield "s3://laboratory/scope"
    running.stop()
