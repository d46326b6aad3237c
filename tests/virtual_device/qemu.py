"""A machine under QEMU: power, screen, a finger on it, and commands inside it through the guest agent."""

import base64
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np

from smear.images import read_image
from tests.virtual_device import container, tools

SCREEN = (800, 480)  # of the Pi's 7 inch touch screen
TOUCH_STEPS = 0x7FFF  # a touch screen's range, whatever the picture's
FINGER_S = 0.3  # the finger stays down for so long; a slow machine reads its input late
BOOT_S = 1200.0  # until the agent answers; 25 s on an idle machine, 200 s beside eight busy processes
# No KVM: where it can be had, it is another kernel's. The processor has what NumPy is built for and nothing that is
# slow to emulate, such as AVX. Its clock counts instructions, one a nanosecond: however busy the host is, the guest
# sees a computer about as fast as a Pi, and no deadline of the service passes because others have the processor.
MACHINE = ["-machine", "q35", "-cpu", "Nehalem", "-smp", "1", "-m", "2048"]
CLOCK = ["-accel", "tcg,thread=single,tb-size=512", "-icount", "shift=0"]
RUN_S = 1800.0  # of one command; importing NumPy and OpenCV takes an idle machine half a minute at first
KERNEL = "root=/dev/vda rw console=ttyS0 quiet loglevel=4 mitigations=off audit=0 systemd.show_status=0"


class Machine:
    """One boot of the machine whose disk is the file `disk`; `folder` gets its sockets and its console's text."""

    def __init__(self, tools_root: Path, disk: Path, folder: Path, kernel_words: str = "") -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self.told = folder / "told"  # what the guest writes to /dev/virtio-ports/told, line by line
        command = _command(tools_root, disk, folder, f"{KERNEL} {kernel_words}")
        with (folder / "qemu.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=os.environ | {"QEMU_MODULE_DIR": str(tools_root / "usr/lib/x86_64-linux-gnu/qemu")},
            )
        try:
            self._monitor = _Dialogue(folder / "monitor", self._story)
            self._monitor.ask("qmp_capabilities")
            self._agent = _Dialogue(folder / "agent", self._story, greets=False)
            self._agent.ask("guest-ping", limit_s=BOOT_S)
        except BaseException:
            self.cut_power()
            raise

    def cut_power(self) -> None:
        """Kill QEMU: what the guest has not given to its disk is gone; safe to call twice."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def run(self, *command: str, timeout_s: float = RUN_S) -> subprocess.CompletedProcess[str]:
        """Run `command` as root in the machine."""
        words: dict[str, Any] = {"path": command[0], "arg": command[1:], "capture-output": True}
        process = self._agent.ask("guest-exec", **words)["pid"]
        found: dict[str, Any] = {}

        def ended() -> bool:
            found.update(self._agent.ask("guest-exec-status", pid=process))
            return bool(found["exited"])

        container.until(ended, timeout_s, lambda: f"{' '.join(command)} goes on and on\n{self._story()}")
        out, err = (base64.b64decode(found.get(f"{kind}-data", "")).decode() for kind in ("out", "err"))
        return subprocess.CompletedProcess(command, found.get("exitcode", -found.get("signal", 0)), out, err)

    def out(self, *command: str) -> str:
        """Return what `command` printed; AssertionError when it fails."""
        done = self.run(*command)
        assert done.returncode == 0, f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def journal(self) -> str:
        """Return what the service and systemd said of it, for messages of failed tests."""
        return self.run(
            "journalctl", "--unit=smearscope", "--no-pager", "--output=short-monotonic", "--lines=60"
        ).stdout

    def screen(self) -> np.ndarray:
        """Return what a person would see, RGB uint8."""
        picture = self._folder / "screen.png"
        self._monitor.ask("screendump", filename=str(picture), format="png")
        return read_image(picture)

    def tap(self, x: int, y: int) -> None:
        """Put a finger on this pixel of the touch screen, and take it off."""
        places = [("data", "x", x * TOUCH_STEPS // SCREEN[0]), ("data", "y", y * TOUCH_STEPS // SCREEN[1])]
        for number, steps in ((1, [("begin", "x", 0), *places]), (-1, [("end", "x", 0)])):
            finger = [
                {"type": "mtt", "data": {"type": each, "slot": 0, "tracking-id": number, "axis": axis, "value": value}}
                for each, axis, value in steps
            ]
            self._input(*finger, {"type": "btn", "data": {"down": number > 0, "button": "touch"}})
            time.sleep(FINGER_S)

    def _input(self, *events: dict[str, Any]) -> None:
        self._monitor.ask("input-send-event", events=list(events))

    def _story(self) -> str:
        files = (self._folder / name for name in ("qemu.log", "console"))
        return "\n".join(file.read_text(errors="replace")[-3000:] for file in files if file.exists())


class _Dialogue:
    """Questions and answers, one JSON object a line: QEMU's monitor and its guest agent speak alike."""

    def __init__(self, path: Path, story: Any, *, greets: bool = True) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._story = story
        container.until(lambda: self._connected(path), 30.0, story)
        self._lines = self._socket.makefile("rb")
        if greets:
            self._lines.readline()

    def _connected(self, path: Path) -> bool:
        try:
            self._socket.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True

    def ask(self, question: str, limit_s: float = 60.0, **arguments: Any) -> Any:
        """Return the answer; AssertionError when there is none within `limit_s`, or it is an error."""
        text = {"execute": question, "arguments": arguments} if arguments else {"execute": question}
        self._socket.settimeout(limit_s)
        try:
            self._socket.sendall(json.dumps(text).encode() + b"\n")
            while "return" not in (answer := json.loads(self._lines.readline() or b'{"error": "closed"}')):
                assert "error" not in answer, f"{question}: {answer['error']}\n{self._story()}"
        except TimeoutError:
            raise AssertionError(f"{question}: no answer within {limit_s:.0f} s\n{self._story()}") from None
        return answer["return"]


def _command(tools_root: Path, disk: Path, folder: Path, kernel_words: str) -> list[str]:
    """Return the whole command; it ends with this process."""
    libraries = tools_root / "usr/lib/x86_64-linux-gnu"
    boot = tools_root / "boot"
    command: list[str | Path] = ["setpriv", "--pdeathsig=KILL"]
    # The tools' QEMU with the tools' own libraries, beside the host's.
    command += [tools_root / "lib64/ld-linux-x86-64.so.2", "--library-path", f"{libraries}:{libraries}/pulseaudio"]
    command += [tools_root / "usr/bin/qemu-system-x86_64", *MACHINE, *CLOCK]
    command += ["-nodefaults", "-no-user-config", "-display", "none"]
    for share in ("qemu", "seabios"):
        command += ["-L", tools_root / "usr/share" / share]
    command += ["-kernel", tools.only(boot, "vmlinuz-*"), "-initrd", tools.only(boot, "initrd.img-*")]
    command += ["-append", kernel_words, "-nic", "none"]
    command += ["-drive", f"if=virtio,format=raw,cache=writeback,file={disk}"]
    command += ["-device", f"virtio-gpu-pci,xres={SCREEN[0]},yres={SCREEN[1]}"]
    command += ["-device", "virtio-multitouch-pci", "-device", "virtio-rng-pci", "-device", "virtio-serial-pci"]
    command += ["-chardev", f"socket,id=agent,server=on,wait=off,path={folder / 'agent'}"]
    command += ["-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"]
    command += ["-chardev", f"file,id=told,path={folder / 'told'}", "-device", "virtserialport,chardev=told,name=told"]
    command += ["-chardev", f"file,id=console,path={folder / 'console'}", "-serial", "chardev:console"]
    command += ["-qmp", f"unix:{folder / 'monitor'},server=on,wait=off"]
    return [str(word) for word in command]
