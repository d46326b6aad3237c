"""Settings of the whole process, made before the libraries that read them are imported."""

import os
import subprocess
import sys
import threading

import pytest

from device.system.process import quiet_native_stderr, set_process_defaults


def test_what_the_user_has_set_stands() -> None:
    environment = {"OPENCV_FOR_THREADS_NUM": "3", "SDL_VIDEODRIVER": "dummy"}
    set_process_defaults(environment)
    assert (environment["OPENCV_FOR_THREADS_NUM"], environment["SDL_VIDEODRIVER"]) == ("3", "dummy")
    assert environment["SDL_NO_SIGNAL_HANDLERS"] == "1"


@pytest.mark.parametrize(
    ("desktop", "acceleration"),
    [
        ({"DISPLAY": ":0"}, "0"),
        ({"WAYLAND_DISPLAY": "wayland-0"}, None),
        ({"DISPLAY": ":0", "WAYLAND_DISPLAY": "wayland-0", "SDL_VIDEODRIVER": "wayland"}, None),
    ],
)
def test_a_desktop_keeps_its_own_video_driver_and_x_needs_no_opengl(
    desktop: dict[str, str], acceleration: str | None
) -> None:
    environment = dict(desktop)
    set_process_defaults(environment)
    assert environment.get("SDL_VIDEODRIVER") == desktop.get("SDL_VIDEODRIVER")
    assert environment.get("SDL_FRAMEBUFFER_ACCELERATION") == acceleration


def test_a_machine_without_a_desktop_draws_on_the_whole_screen_by_the_gpu() -> None:
    environment: dict[str, str] = {}
    set_process_defaults(environment)
    assert environment["SDL_VIDEODRIVER"] == "kmsdrm"
    assert environment["SDL_FRAMEBUFFER_ACCELERATION"] == "opengles2"


def test_the_command_starts_with_one_opencv_thread() -> None:
    code = (
        "import sys; sys.argv = ['smearscope', '--version']\n"
        "from device.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "import cv2; print(cv2.getNumThreads())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "1"


def test_loading_a_pipeline_or_a_display_leaves_the_process_alone() -> None:
    code = (
        "import os; before = dict(os.environ)\n"
        "import cv2; threads = cv2.getNumThreads()\n"
        "from device.screen.displays import open_display\n"
        "from device.bundles import shipped_bundle\n"
        "from smear.bundle.folder import load_bundle\n"
        "from smear.inference.pipeline import Pipeline\n"
        "Pipeline(load_bundle(shipped_bundle()), threads=1).close()\n"
        "os.environ['SDL_VIDEODRIVER'] = before['SDL_VIDEODRIVER'] = 'dummy'\n"
        "open_display('window').close()\n"
        "changed = {k for k in {*before, *os.environ} if before.get(k) != os.environ.get(k)}\n"
        "print(cv2.getNumThreads() == threads, sorted(k for k in changed if k.startswith(('SDL', 'OPENCV'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True []"


def say(text: str) -> None:
    os.write(2, text.encode())


def test_native_lines_are_discarded_while_nobody_else_can_write(capfd, monkeypatch):
    monkeypatch.setattr(threading, "active_count", lambda: 1)  # tests before this one may have left one that waits
    with quiet_native_stderr():
        say("INFO: a delegate was created\n")
    say("after\n")
    assert capfd.readouterr().err == "after\n"


def test_nothing_is_discarded_beside_another_thread_or_in_a_service(capfd, monkeypatch):
    done = threading.Event()
    other = threading.Thread(target=done.wait)
    other.start()
    with quiet_native_stderr():
        say("beside another thread\n")
    done.set()
    other.join()
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/notify")
    with quiet_native_stderr():
        say("in a service\n")
    assert capfd.readouterr().err == "beside another thread\nin a service\n"


def test_a_closed_stderr_is_left_alone(tmp_path):
    program = (
        "import os, sys; from device.system.process import quiet_native_stderr; file = open(sys.argv[1], 'w')\n"
        "with quiet_native_stderr(): file.write('whole')\n"
        "file.close()"
    )
    command = 'exec "$0" -c "$1" "$2" 2>&-'
    subprocess.run(["sh", "-c", command, sys.executable, program, str(tmp_path / "out")], check=True)
    assert (tmp_path / "out").read_text() == "whole"
