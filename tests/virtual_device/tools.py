"""QEMU, and a kernel with its modules for the machine it runs: Debian 13's, whatever this machine has itself."""

import platform
import shutil
from pathlib import Path

from tests.virtual_device import debian

X86 = "x86_64"
PACKAGES = (
    "dkms,gcc,initramfs-tools,kmod,libc6-dev,linux-headers-amd64,linux-image-amd64,make,qemu-system-x86,seabios,"
    "v4l2loopback-dkms,zstd"
)
# Of the initial RAM disk: what is needed to find the root. Each MiB unpacked costs time; udev loads the rest.
SMALL = r"MODULES=list\nCOMPRESS=zstd\nRUNSIZE=20%%\n"
MODULES = r"virtio_pci\nvirtio_blk\next4\ncrc32c_generic\n"
PREPARE = (
    '--essential-hook=mkdir -p "$1/etc/initramfs-tools/conf.d"; '
    f'printf "{SMALL}" > "$1/etc/initramfs-tools/conf.d/small"; printf "{MODULES}" > "$1/etc/initramfs-tools/modules"'
)


def missing() -> str:
    """Say why no machine can be run here, beside what `debian.missing` says; empty when it can."""
    if platform.machine() != X86:
        return f"the machine layer boots an {X86} kernel with {X86} tools, and this is {platform.machine()}"
    if shutil.which("mke2fs") is None:
        return "the machine layer needs: apt install e2fsprogs"
    return ""


def root() -> Path:
    """Return the Debian with QEMU, /boot/vmlinuz-*, /boot/initrd.img-* and the modules, v4l2loopback among them."""

    def build(folder: Path) -> None:
        debian.bootstrap(folder, debian.SUITE, PACKAGES, "--variant=minbase", PREPARE)

    return debian.kept("tools", [PACKAGES, PREPARE, *debian.OPTIONS], [], build)


def only(folder: Path, pattern: str) -> Path:
    """Return the one file in `folder` that matches; there is one kernel."""
    (found,) = folder.glob(pattern)
    return found
