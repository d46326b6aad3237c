"""picamera2 passes the suite of every kind of camera: the unmodified one, on libcamera's virtual cameras."""

from pathlib import Path

from tests.virtual_device import container, contract

PYTHON = "/opt/smearscope/current/bin/python"


def test_picamera2_passes_the_suite_of_every_kind_of_camera(device: Path, tmp_path: Path) -> None:
    contract.furnish(tmp_path / "suite")
    done = container.run_in(device, contract.command(PYTHON, "/mnt", "Picamera2"), binds={tmp_path / "suite": "/mnt"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\n10 passed" in done.stdout, done.stdout
