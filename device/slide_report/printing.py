"""A page as PDF, printed by the Chromium of this machine: without a network, in its own profile, and never as root.

The page is our own: it runs no script and loads nothing. Chromium's sandbox stays on all the same. As root Chromium
would ask to do without it; it is started as the user `nobody` instead.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from smear.errors import SmearscopeError

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT_S = 120.0  # a page of 2 MB takes 3 s on a desktop; a Pi 4 starts Chromium ten times as slowly
_ROOT, _NOBODY = 0, "nobody"
_OPTIONS = (
    "--headless", "--no-pdf-header-footer", "--generate-pdf-document-outline", "--disable-gpu", "--no-first-run",
    "--disable-extensions", "--disable-sync", "--disable-component-update", "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9",
)  # fmt: skip
_ADVICE = "write the page with --out FILE.html and print it from a browser"
_NOISE = "dbus"  # a machine without a desktop has no message bus, and Chromium says so many times


class PrintingError(SmearscopeError):
    """A page could not be printed."""


def find_browser() -> str | None:
    """Return the path of the Chromium to print with; None: there is none on this machine."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def print_page(html: str, timeout_s: float = TIMEOUT_S) -> bytes:
    """Return `html` as PDF.

    Raises:
        PrintingError: there is no Chromium, or it failed or took longer than `timeout_s`.
    """
    browser = find_browser()
    if browser is None:
        raise PrintingError(f"no Chromium to print with: 'sudo apt install chromium', or {_ADVICE}")
    user = pwd.getpwnam(_NOBODY) if os.geteuid() == _ROOT else None
    with tempfile.TemporaryDirectory(prefix="smearscope-print-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        page, pdf = folder / "report.html", folder / "report.pdf"
        page.write_text(html, encoding="utf-8")
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
            page.chmod(0o644)
        command = [browser, *_OPTIONS, f"--user-data-dir={folder}/profile", f"--print-to-pdf={pdf}", page.as_uri()]
        _run(command, folder, user, timeout_s)
        try:
            return pdf.read_bytes()
        except OSError as error:
            raise PrintingError(f"{browser} wrote no PDF; {_ADVICE}") from error


def _run(command: Sequence[str], folder: Path, user: pwd.struct_passwd | None, timeout_s: float) -> None:
    """Run Chromium with `folder` as its home, and end it and its children where it takes too long."""
    environment = {"HOME": str(folder), "TMPDIR": str(folder), "PATH": os.environ.get("PATH", os.defpath)}
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,  # so that its renderers can be ended with it
            user=None if user is None else user.pw_uid,
            group=None if user is None else user.pw_gid,
            extra_groups=None if user is None else (),
        )
    except OSError as error:
        raise PrintingError(f"{command[0]} cannot be started ({error.strerror}); {_ADVICE}") from error
    try:
        _, said = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise PrintingError(f"{command[0]} took longer than {timeout_s:.0f} s to print; {_ADVICE}") from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, 9)
            process.communicate()
    if process.returncode:
        lines = [line.strip() for line in said.decode(errors="replace").splitlines() if _NOISE not in line]
        said_of_sandbox = [line for line in lines if "sandbox" in line.lower()]
        why = next((line for line in [*said_of_sandbox, *reversed(lines)] if line), f"exit code {process.returncode}")
        raise PrintingError(f"{command[0]} cannot print ({why}); {_ADVICE}")
