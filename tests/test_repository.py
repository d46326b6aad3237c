"""The repository keeps its promises: pins for every extra, a light device, small files, no paths of a machine."""

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

from smear import __version__

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
MAX_FILE_BYTES = 4_000_000
MAX_BUNDLE_BYTES = 15_000_000
# Spelled in parts, so that this file does not hold what it looks for.
REGISTRY_HOSTS = (
    "pypi." + "org",
    "pythonhosted." + "org",
    "piwheels." + "org",
    "registry.npmjs." + "org",
    "deb.debian." + "org",
)
EXAMPLE_USERS = "(?!(?:pi|user|x|you)/)"
MACHINE_PATHS = re.compile(
    rf"(?<![\w./~-])(/wo[r]k/|/ro[o]t/|/(?:home|Users)/{EXAMPLE_USERS}\w+/|/opt/(?:pypi|wheels))"
)


@cache
def tracked_files() -> list[Path]:
    """Every file that git holds; without git (an unpacked release) there is nothing to judge."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("not a git work tree: the tracked files cannot be listed")
    return [path for name in listed.decode().split("\0") if name and (path := ROOT / name).is_file()]


def texts() -> dict[str, str]:
    """Tracked text files by their name; pictures and models are not text."""
    found = {}
    for path in tracked_files():
        data = path.read_bytes()
        if b"\0" not in data:
            found[path.relative_to(ROOT).as_posix()] = data.decode("utf-8", errors="replace")
    return found


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def wanted(extra: str | None) -> set[str]:
    """The packages an extra asks for by name, its own and those of the extras it includes."""
    names = set()
    for line in PROJECT["dependencies"] if extra is None else EXTRAS[extra]:
        name, included = re.match(r"([\w.-]+)(?:\[([\w,-]+)\])?", line).groups()
        if normalized(name) != "smearscope":
            names.add(normalized(name))
        else:
            names.update(*(wanted(part) for part in included.split(",")))
    return names


def pins(name: str) -> dict[str, set[str]]:
    """Pinned versions by package in requirements/NAME.txt."""
    found: dict[str, set[str]] = {}
    for package, version in re.findall(
        r"^([\w.-]+)(?:\[[\w,-]+\])?==([^\s;\\]+)", (ROOT / f"requirements/{name}.txt").read_text(), re.MULTILINE
    ):
        found.setdefault(normalized(package), set()).add(version)
    return found


def test_no_tracked_file_names_a_package_registry():
    named = [(file, host) for file, text in texts().items() for host in REGISTRY_HOSTS if host in text]
    assert named == []


def test_no_tracked_file_holds_a_path_of_somebodys_machine():
    found = {file: hits for file, text in texts().items() if (hits := MACHINE_PATHS.findall(text))}
    assert found == {}


def test_no_tracked_file_is_large():
    large = {path.name: path.stat().st_size for path in tracked_files() if path.stat().st_size > MAX_FILE_BYTES}
    assert large == {}


def test_the_bundles_that_ship_are_small():
    shipped = [path for path in tracked_files() if path.is_relative_to(ROOT / "models")]
    assert sum(path.stat().st_size for path in shipped) < MAX_BUNDLE_BYTES


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_pins_of_an_extra_cover_what_it_asks_for(extra):
    missing = (wanted(None) | wanted(extra)) - pins(extra).keys()
    assert missing == set(), f"run 'make pins': requirements/{extra}.txt lacks {sorted(missing)}"


@pytest.mark.parametrize("name", [*EXTRAS, "build", "torch", "scikit-image", "stardist", "cellpose"])
def test_every_pin_has_a_hash_and_no_address(name):
    text = (ROOT / f"requirements/{name}.txt").read_text()
    entries = re.split(r"^(?=[\w.-]+(?:\[[\w,-]+\])?==)", text, flags=re.MULTILINE)[1:]
    assert entries
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert not re.search(r"://|--find-links|index-url", text)


@pytest.mark.parametrize("extra", [extra for extra in EXTRAS if extra not in {"dev", "tflite"}])
def test_every_extra_is_pinned_to_the_versions_that_the_tests_run_with(extra):
    tested = pins("dev")
    other = {name: found for name, found in pins(extra).items() if name in tested and not found <= tested[name]}
    assert other == {}


def test_every_package_of_an_extra_is_used_by_a_room():
    source = "\n".join(text for path, text in texts().items() if path.endswith(".py") and "tests/" not in path)
    modules: dict[str, set[str]] = {}
    for module, owners in importlib.metadata.packages_distributions().items():
        for owner in owners:
            modules.setdefault(normalized(owner), set()).add(module)
    libraries = {"openslide-bin"}  # of openslide-python
    asked = {name for extra in EXTRAS.keys() - {"dev", "docs", "tflite"} for name in wanted(extra)} - libraries
    used = {name for name in asked for module in modules.get(name, ()) if re.search(rf"\b{module}\b", source)}
    assert (asked & modules.keys()) - used == set()


def test_both_training_extras_differ_in_tensorflow_alone():
    def rest(extra):
        return [line for line in EXTRAS[extra] if not line.startswith("tensorflow")]

    assert rest("train") == rest("train-gpu")


@pytest.mark.parametrize("heavy", ["tensorflow", "keras", "matplotlib", "pygame", "picamera2"])
@pytest.mark.parametrize("module", ["device", "device.cli"])
def test_importing_the_device_stays_light(module, heavy):
    program = f"import sys, {module}; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def test_one_version_stands_in_the_project_the_package_and_the_changelog():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[(\d[^\]]*)\]", changelog, re.MULTILINE)
    assert newest is not None
    assert PROJECT["version"] == __version__ == newest.group(1)


def test_the_readme_says_research_use_only_and_its_pictures_exist():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "research use only" in readme.lower()
    assert [name for name in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", readme) if not (ROOT / name).is_file()] == []
