"""The revision is that of the package, wherever the command is typed."""

import subprocess
from pathlib import Path

import pytest

from smear.revision import git_revision


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "a.txt").write_text("a")
    git(folder, "add", "a.txt")
    git(folder, "commit", "-qm", "one")
    return folder


def test_a_clean_checkout_is_its_commit(checkout: Path) -> None:
    assert git_revision(checkout) == git(checkout, "rev-parse", "HEAD")


def test_a_changed_file_is_noted(checkout: Path) -> None:
    (checkout / "a.txt").write_text("b")
    assert git_revision(checkout) == git(checkout, "rev-parse", "HEAD") + "+changes"


def test_outside_a_checkout_it_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_revision(tmp_path) == "unknown"


def test_the_callers_folder_does_not_matter(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = git_revision()
    monkeypatch.chdir(checkout)
    assert git_revision() == before != git(checkout, "rev-parse", "HEAD")
