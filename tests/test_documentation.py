"""The documentation is complete, its links lead somewhere, and the site builds."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from device.cameras.registry import CAMERAS
from device.cli import cli
from device.screen.displays import DISPLAYS
from device.settings import Settings
from smear import findings
from smear.classes import FIELD_CLASSES
from smear.inference.tflite import RUNTIMES
from smear.registry import Registry, Spec

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(
    page for folder in ("", ".github", "benchmarks/reference", "docs", "models", "systemd")
    for page in (ROOT / folder).glob("**/*.md" if folder else "*.md")
)  # fmt: skip
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole site, built with every warning an error."""
    pytest.importorskip("mkdocs_click", reason="MkDocs is not installed: pip install 'smearscope[docs]'")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder


def commands(group: click.Command, words: tuple[str, ...] = ("smearscope",)) -> Iterator[tuple[str, ...]]:
    """Every command below `group`, as the words one types."""
    yield words
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            yield from commands(command, (*words, name))


def test_every_command_is_in_the_reference(site: Path) -> None:
    page = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    assert [words for words in commands(cli) if f'id="{"-".join(words)}"' not in page] == []


def test_every_option_is_in_the_reference(site: Path) -> None:
    page = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    for option in ("--camera", "--display", "--overlays", "--division-um", "--refit-epochs", "--finetune-steps"):
        assert option in page


def test_every_setting_is_in_the_reference(site: Path) -> None:
    page = (site / "reference" / "settings.html").read_text(encoding="utf-8")
    for section, kind in Settings().model_dump().items():
        assert f"[{section}]" in page
        assert [key for key in kind if f"<code>{key}</code>" not in page] == []


@pytest.mark.parametrize("registry", [CAMERAS, DISPLAYS, RUNTIMES], ids=lambda registry: registry.what)
def test_every_built_in_kind_is_in_the_reference(site: Path, registry: Registry[Spec]) -> None:
    page = (site / "reference" / "kinds.html").read_text(encoding="utf-8")
    assert [usage for usage in registry.usages() if f"<code>{usage}</code>" not in page] == []


def test_every_refusal_code_is_in_the_reference() -> None:
    codes = getattr(findings, "RefusalCode", None)
    if codes is None:
        pytest.skip("this version has no refusal codes yet")
    page = (DOCS / "reference" / "refusals.md").read_text(encoding="utf-8")
    assert [code.value for code in codes if f"| `{code.value}` |" not in page] == []


def test_every_class_is_in_the_reference_with_its_colour(site: Path) -> None:
    page = (site / "reference" / "colours.html").read_text(encoding="utf-8")
    assert [each.name for each in FIELD_CLASSES if f"rgb{each.colour}" not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    links = LINK.findall(CODE.sub("", page.read_text(encoding="utf-8")))
    dead = [
        link for link in links
        if "://" not in link and not link.startswith(("#", "mailto:"))
        and not (page.parent / link.split("#")[0]).exists()
    ]  # fmt: skip
    assert dead == []


def test_the_site_fetches_nothing_from_elsewhere(site: Path) -> None:
    fetched = re.compile(
        r'<(?:script|img|iframe)[^>]+src="(?:https?:)?//|<link[^>]+href="https?://[^"]+\.(?:css|woff2?)'
    )
    assert [page.name for page in site.glob("**/*.html") if fetched.search(page.read_text(encoding="utf-8"))] == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 200
