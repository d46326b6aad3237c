"""The scripts that install the service, each run in a folder of its own with stand-ins for Python and systemd."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).parents[2] / "systemd"
PYTHON = """#!/bin/sh
# Stands in for Python: makes a "virtual environment" of two files, and "installs" one more into it.
case "$*" in
  *"-m venv"*)
    for last; do :; done
    mkdir -p "$last/bin" && cp "$0" "$last/bin/python"
    printf '#!/bin/sh\n' > "$last/bin/smearscope" && chmod +x "$last/bin/smearscope" ;;
  *"-m pip"*) mkdir -p "$(dirname "$0")/../lib" && touch "$(dirname "$0")/../lib/installed.py" ;;
esac
"""


def script(folder: Path, path: Path, text: str) -> Path:
    """Write `text` to `path` as a script that knows /opt and /usr below `folder` alone."""
    for top in ("/opt/", "/usr/"):
        text = text.replace(top, f"{folder}{top}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.mark.skipif(shutil.which("bash") is None, reason="the scripts need bash")
def test_the_services_user_can_run_what_was_installed_whatever_the_umask_of_root(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    script(tmp_path, tools / "python3", PYTHON)
    make = script(tmp_path, tmp_path / "make-venv.sh", (SYSTEMD / "make-venv.sh").read_text())
    make.write_text(make.read_text().replace("prefix=/opt", f"prefix={tmp_path}/opt"))
    (tmp_path / "source").mkdir()
    environment = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}"}
    command = ["bash", "-c", 'umask 077; exec bash "$@"', "-", make, tmp_path / "source", tmp_path / "source"]
    subprocess.run(command, env=environment, check=True)
    closed = {
        str(path.relative_to(tmp_path)): oct(path.stat().st_mode)
        for path in (tmp_path / "opt").rglob("*")
        if not path.is_symlink() and path.stat().st_mode & 0o004 == 0
    }
    assert (tmp_path / "opt/smearscope/current/lib/installed.py").is_file()
    assert closed == {}


@pytest.mark.parametrize(
    ("environment_of", "words", "built"),
    [
        ("(3, 13)", "configure", ["venv", "activate restart"]),
        ("(3, 13)", "triggered /usr/bin/python3", []),
        ("(3, 11)", "triggered /usr/bin/python3", ["venv", "activate restart"]),
        ("", "triggered /usr/bin/python3", ["venv", "activate restart"]),  # its modules are not found any more
        ("(3, 13)", "abort-upgrade", []),
    ],
)
def test_the_package_builds_its_environment_anew_for_another_python(
    tmp_path: Path, environment_of: str, words: str, built: list[str]
) -> None:
    log = tmp_path / "log"
    log.touch()
    for name, text in {
        "tools/python3": "echo '(3, 13)'",
        "opt/smearscope/current/bin/python": f"echo '{environment_of}'" if environment_of else "exit 1",
        "usr/lib/smearscope/make-venv.sh": f"echo venv >> {log}",
        "usr/lib/smearscope/activate.sh": f'echo "activate $2" >> {log}',
    }.items():
        script(tmp_path, tmp_path / name, f"#!/bin/sh\n{text}\n")
    (tmp_path / "usr/share/smearscope/wheels").mkdir(parents=True)
    (tmp_path / "usr/share/smearscope/wheels/smearscope-1-py3-none-any.whl").touch()
    postinst = tmp_path / "postinst"
    postinst.write_text(
        (SYSTEMD / "debian/postinst")
        .read_text()
        .replace("/opt/", f"{tmp_path}/opt/")
        .replace("/usr/", f"{tmp_path}/usr/")
    )
    environment = os.environ | {"PATH": f"{tmp_path / 'tools'}:{os.environ['PATH']}"}
    subprocess.run(["sh", postinst, *words.split()], env=environment, check=True)
    assert log.read_text().splitlines() == built


def test_the_package_asks_to_be_told_of_another_python() -> None:
    assert "interest-noawait /usr/bin/python3" in (SYSTEMD / "debian/triggers").read_text().splitlines()
    assert "debian/triggers" in (SYSTEMD / "build-deb.sh").read_text()
