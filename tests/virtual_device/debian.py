"""The Debian 13 root that stands in for a Pi's system: built once, and again only when what goes into it changes."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

SUITE = "trixie"
PYTHON = "3.13"  # of that suite
PACKAGES = (
    "dbus,kmod,libcamera-ipa,procps,python3,python3-jsonschema,python3-libcamera,python3-numpy,python3-pil,python3-prctl,"
    "python3-venv,sqlite3,systemd,systemd-sysv,udev"
)
SCREEN = "libegl1,libgbm1,libgl1-mesa-dri,libgles2,qemu-guest-agent"
"""Mesa, which a Pi with a screen has too, and what runs commands in a machine; a container uses neither."""
OPTIONS = (
    '--aptopt=Apt::Install-Recommends "false"',
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
)
HERE = Path(__file__).parent
PROJECT = HERE.parent.parent
PICAMERA2 = HERE / "picamera2.txt"
GUEST = HERE / "guest"
SITE = "usr/local/lib/python3.13/dist-packages"  # where Debian's Python looks for what apt did not bring
TOOLS = {"mmdebstrap": "mmdebstrap", "systemd-nspawn": "systemd-container", "cc": "gcc", "dpkg-deb": "dpkg"}
"""Command -> Debian package that brings it."""


def missing() -> str:
    """Say why no root can be built here, and what to do; empty when it can."""
    if os.geteuid() != 0:
        return "the virtual device needs root, for chroot and containers; run: sudo make test-device"
    lacking = sorted(package for command, package in TOOLS.items() if shutil.which(command) is None)
    if lacking:
        return f"the virtual device needs: apt install --no-install-recommends {' '.join(lacking)}"
    if "overlay" not in Path("/proc/filesystems").read_text(encoding="ascii"):
        return "the virtual device needs a kernel with overlayfs; run: modprobe overlay"
    return ""


def cache() -> Path:
    """Return the folder of what is kept between runs: SMEARSCOPE_CACHE, else below the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("SMEARSCOPE_CACHE") or Path(home) / "smearscope") / "virtual-device"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def system_root(*, screen: bool = False) -> Path:
    """Return Debian 13 with the real picamera2 on libcamera's virtual cameras, but without Smearscope.

    The folder is shared between runs: copy it before changing anything in it.
    """
    packages, name = (f"{PACKAGES},{SCREEN}", "screen-") if screen else (PACKAGES, "")
    files = [PICAMERA2, *sorted(file for file in GUEST.rglob("*.*") if "__pycache__" not in file.parts)]

    def build(root: Path) -> None:
        plain = kept(f"{name}debian", [SUITE, packages, *OPTIONS], [], lambda part: _bootstrap(part, packages))
        _add_cameras(plain, root)

    return kept(f"{name}system", [SUITE, packages, *OPTIONS], files, build)


def wheels(python: str = PYTHON, machine: str = "") -> Path:
    """Return the project's pins as wheels for this Python and machine, with the project's own of this work tree."""
    script = PROJECT / "systemd" / "wheels.sh"
    pins = [PROJECT / "requirements" / f"{name}.txt" for name in ("build", "device", "screen", "sign", "web")]
    machine = machine or os.uname().machine
    name = "wheels" if machine == os.uname().machine else f"{machine}-{python}-wheels"

    def collect(folder: Path) -> None:
        run([script, folder, python, machine])

    folder = kept(name, [python, machine], [script, *pins], collect)
    collect(folder)  # the project's own may be of another work tree; the others are not fetched again
    return folder


def run(command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    """Run `command`; a failure carries the end of what it printed."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        told = f"{done.stdout[-2000:]}{done.stderr[-4000:]}"
        raise RuntimeError(f"{' '.join(map(str, command))}: exit {done.returncode}\n{told}")
    return done


def kept(name: str, words: list[str], files: list[Path], build: Callable[[Path], None]) -> Path:
    """Return the cached folder for this content; built under a lock, and named in one step, when it is not there."""
    digest = hashlib.sha256("\0".join(words).encode())
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    folder = cache() / f"{name}-{digest.hexdigest()[:16]}"
    with (cache() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            for left in cache().glob(f"{name}-*"):  # half-built, or of older content: a root weighs 300 MB
                shutil.rmtree(left)
            part = folder.with_suffix(".part")
            build(part)
            part.rename(folder)
    return folder


def bootstrap(root: Path, suite: str, packages: str, *options: str) -> None:
    """Fill the empty folder `root` with a Debian of these packages from the machine's own mirror."""
    run(["mmdebstrap", "--quiet", "--mode=root", f"--include={packages}", *OPTIONS, *options, suite, root, _mirror()])


def _bootstrap(root: Path, packages: str) -> None:
    bootstrap(root, SUITE, packages, "--variant=minbase")
    (root / "etc/hostname").write_text("virtual-smearscope\n", encoding="ascii")
    (root / "etc/machine-id").write_text("", encoding="ascii")  # each boot gets its own


def _add_cameras(debian: Path, root: Path) -> None:
    run(["cp", "-a", "--reflink=auto", debian, root])
    site = root / SITE
    pip = ["python3", "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps", "--no-compile"]
    platforms = [f"--platform=manylinux{glibc}_{os.uname().machine}" for glibc in ("_2_28", "_2_17", "2014")]
    wanted = [f"--python-version={PYTHON}", *platforms, "--only-binary=:all:", f"--requirement={PICAMERA2}"]
    run([*pip, f"--target={site}", *wanted])
    for metadata in site.glob("picamera2-*.dist-info"):
        shutil.rmtree(metadata)  # it names what is stubbed below, and pip would call that a conflict
    shutil.copytree(GUEST / "pidng", site / "pidng")
    for module in ("pykms.py", "virtual_libcamera.py"):
        shutil.copy(GUEST / module, site)
    with (site / "picamera2" / "__init__.py").open("a", encoding="utf-8") as file:
        file.write("\nimport virtual_libcamera\n")
    cameras = root / "usr/share/libcamera/pipeline/virtual/virtual.yaml"
    cameras.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(GUEST / "virtual.yaml", cameras)
    library = root / "usr/local/lib/fakedma.so"
    run(["cc", "-O1", "-Wall", "-shared", "-fPIC", "-o", library, GUEST / "fakedma.c", "-ldl"])


def _mirror() -> str:
    """Return the Debian mirror of this machine's own apt settings."""
    query = [
        "apt-get",
        "indextargets",
        "--format",
        "$(SITE)",
        "Identifier: Packages",
        "Label: Debian",
        "Component: main",
    ]
    sites = run(query).stdout.split()
    if not sites:
        raise RuntimeError("this machine's apt knows no Debian mirror; run: apt-get update")
    return sites[0]
