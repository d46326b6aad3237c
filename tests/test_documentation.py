"""The documentation is complete, its links lead somewhere, and the site builds."""

import contextlib
import dataclasses
import json
import re
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from device.cameras.registry import CAMERAS
from device.cli import cli
from device.counting.cell_classes import DEFAULT_CLASSES
from device.exports.documents import slide_json
from device.exports.registry import EXPORTS, export_slide
from device.screen.displays import DISPLAYS
from device.settings import Settings
from device.store import Store
from device.store.review.audit_trail import Action, Event
from smear.classes import FIELD_CLASSES
from smear.findings import RefusalCode
from smear.inference.tflite import RUNTIMES
from smear.registry import Registry, Spec
from tests.device.findings import finding, frame

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(
    page for folder in ("", ".github", "benchmarks/reference", "docs", "models", "systemd")
    for page in (ROOT / folder).glob("**/*.md" if folder else "*.md")
)  # fmt: skip
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(smearscope [^`]+)`")
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


def shown_commands(text: str) -> Iterator[list[str]]:
    """Every call of `smearscope` that a page shows, as words; what a shell adds to it is left out."""
    lines = [line for block in BLOCK.findall(text) for line in block.replace("\\\n", " ").splitlines()]
    for line in [*lines, *(" ".join(inline.split()) for inline in INLINE.findall(text))]:
        words = shlex.split(line, comments=True)
        starts = [place for place, word in enumerate(words) if word == "smearscope" or word.endswith("/bin/smearscope")]
        if starts and not {"git", "usermod", "systemctl"} & set(words):
            words = words[starts[-1] + 1 :]
            ends = [place for place, word in enumerate(words) if word in {">", "|", "..."}]
            yield words[: ends[0] if ends else None]


def parse(words: list[str], command: click.Command = cli, name: str = "smearscope") -> None:
    """Parse a command line without running it.

    Raises:
        click.NoSuchOption: there is no such command or option.
    """
    context = click.Context(command, info_name=name)
    names = command.list_commands(context) if isinstance(command, click.Group) else []
    if name == "convert" and words and words[0] not in names:
        words = ["run", *words]  # which may be left out
    _, rest, _ = command.make_parser(context).parse_args(list(words))
    if isinstance(command, click.Group) and rest:
        found = command.get_command(context, rest[0])
        if found is None:
            raise click.NoSuchOption(rest[0], message=f"no command {rest[0]!r} in {name!r}")
        parse(rest[1:], found, rest[0])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_that_a_page_shows_exists_with_its_options(page: Path) -> None:
    wrong = []
    for words in shown_commands(page.read_text(encoding="utf-8")):
        try:
            with contextlib.suppress(click.BadOptionUsage):  # a sentence may name an option without its value
                parse(words)
        except click.NoSuchOption as error:
            wrong.append((" ".join(words), error.message))
    assert wrong == []


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


@pytest.mark.parametrize(
    ("registry", "name"), [(CAMERAS, "kinds"), (DISPLAYS, "kinds"), (RUNTIMES, "kinds"), (EXPORTS, "exports")]
)
def test_every_built_in_kind_is_in_the_reference(site: Path, registry: Registry[Spec], name: str) -> None:
    page = (site / "reference" / f"{name}.html").read_text(encoding="utf-8")
    assert [usage for usage in registry.usages() if f"<code>{usage}</code>" not in page] == []


def test_every_refusal_code_is_in_the_reference() -> None:
    page = (DOCS / "reference" / "refusals.md").read_text(encoding="utf-8")
    assert [code.value for code in RefusalCode if f"| `{code.value}` |" not in page] == []


def test_every_column_and_key_of_an_export_is_in_the_reference(tmp_path: Path) -> None:
    with Store.record(tmp_path) as store:
        slide = store.start_slide("a slide")
        store.add_field(slide, frame(), finding("Pre"))
        with (tmp_path / "slide.zip").open("wb") as out:
            export_slide(store, slide, "zip", out)
        store.classify("ann", [(1, 0)], "blast")
        counted = store.counted(store.slide(slide), DEFAULT_CLASSES, 1)
        keys = {*slide_json(store, store.slide(slide), counted), *next(iter(store.all_fields(slide))).to_json()}
        keys |= {*counted.counts["ann"].to_json(), *counted.counts["ann"].to_json()["classes"][0]}
    keys |= {*Action, *(each.name for each in dataclasses.fields(Event))}
    with zipfile.ZipFile(tmp_path / "slide.zip") as archive:
        for name in ("fields.csv", "cells.csv"):
            keys.update(archive.read(name).decode().splitlines()[0].split(","))
        keys.update(json.loads(archive.read("manifest.json")))
    page = (DOCS / "reference" / "records.md").read_text(encoding="utf-8")
    assert [key for key in sorted(keys) if f"`{key}`" not in page] == []


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


def test_the_readme_and_the_model_card_say_the_same_of_the_bundle_that_ships() -> None:
    card, readme = ((ROOT / name).read_text(encoding="utf-8") for name in ("models/default/MODEL_CARD.md", "README.md"))
    own = card.partition("*Our own test fields, with the detector*")[2]  # with all that refuses today
    row = r"^\| {} \| ([0-9.]+)(?: \(([0-9.]+) to ([0-9.]+)\))? \| (\d+) \|$"
    found = [re.search(row.format(name), own, re.MULTILINE) for name in (
        "accuracy, refused or not", "labelled", "right, of the labelled")]  # fmt: skip
    (accuracy, _, _, n), (labelled, low, high, _), (right, least, most, given) = (
        each.groups() for each in found if each is not None
    )
    assert card.index("## Other laboratories") == card.index("## ")  # they lead
    assert f"| accuracy of the class, int8, through the device's pipeline | {n} | {float(accuracy):.3f} |" in readme
    refused, from_, to = (f"{1 - float(share):.3f}" for share in (labelled, high, low))
    assert (
        f"| {n}; {given} | {refused}; {float(right):.3f} | "
        f"{from_} to {to}; {float(least):.3f} to {float(most):.3f} |" in readme
    )
