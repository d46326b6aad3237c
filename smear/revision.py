"""The revision of the source tree that Smearscope runs from."""

import subprocess
from pathlib import Path

TIMEOUT_S = 10  # a git that waits for a lock or a network drive must not hold up training or conversion


def git_revision(folder: Path = Path(__file__).parent) -> str:
    """Return the commit of the checkout around `folder`, "+changes" added if it has any, or "unknown" without one.

    The folder of this package is asked, not the caller's working directory, which may be in another repository.
    """
    try:
        head, changes = (
            subprocess.run(
                ["git", *command], cwd=folder, capture_output=True, text=True, check=True, timeout=TIMEOUT_S
            ).stdout.strip()
            for command in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return head + ("+changes" if changes else "")
