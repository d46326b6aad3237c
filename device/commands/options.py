"""Options that several commands share, and opening what they name."""

import functools
import getpass
import json
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from device.cameras.calibration.profile import DEFAULT_OBJECTIVE, OBJECTIVE_PATTERN
from device.data_folder import DATA_VARIABLE, data_folder
from device.model_choice import ModelChoice
from device.settings import CONFIG_VARIABLE, Settings, load_settings
from device.settings_changes import changes_in, with_changes
from device.settings_sections import camera_usages, display_usages, runtime_names
from device.store import Store
from device.store.names import LAST_NUMBER, checked_operator
from device.store.records import SlideDetails
from smear.bundle.levels import LEVELS, Level
from smear.errors import StoreError

if TYPE_CHECKING:
    from device.cameras.base import Camera
    from device.cameras.registry import ControlsOf

F = TypeVar("F", bound=Callable[..., Any])
Usages = Callable[[], Sequence[str]]

config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"Settings file.  [default: ${CONFIG_VARIABLE} or /etc/smearscope/config.toml]",
)
data_option = click.option(
    "--data",
    "data_path",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"Data folder.  [default: ${DATA_VARIABLE}, the settings, or ~/.local/share/smearscope]",
)


def json_text(value: object) -> str:
    """Return what --json prints of `value`: a line."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


FIELD = click.IntRange(1, LAST_NUMBER)
OPERATOR_VARIABLE = "SMEARSCOPE_OPERATOR"


def _operator(ctx: click.Context, param: click.Parameter, name: str | None) -> str:
    """Return who is at work: `name`, or the login name."""
    if name is None:
        try:
            name = getpass.getuser()
        except (KeyError, OSError):
            raise click.BadParameter(f"this user has no login name; give one, or set ${OPERATOR_VARIABLE}") from None
    try:
        return checked_operator(name)
    except StoreError as error:
        raise click.BadParameter(str(error)) from None


operator_option = click.option(
    "--operator",
    metavar="NAME",
    envvar=OPERATOR_VARIABLE,
    callback=_operator,
    help=f"Who does this, for the audit trail.  [default: ${OPERATOR_VARIABLE}, or the login name]",
)


def details_options(command: F) -> Callable[..., Any]:
    """Add --stain, --specimen and --note; `command` gets what is said of a slide as one `details`."""

    @functools.wraps(command)
    def packed(*values: Any, operator: str, stain: str, specimen: str, note: str, **others: Any) -> Any:
        try:
            details = SlideDetails(operator, stain, specimen, note).checked()
        except StoreError as error:
            raise click.UsageError(str(error)) from None
        return command(*values, details=details, **others)

    added: Callable[..., Any] = packed
    for name, meaning in (("note", "A line about it"), ("specimen", "Blood, marrow, ..."), ("stain", "Its stain")):
        added = click.option(f"--{name}", metavar="TEXT", default="", help=f"{meaning}.")(added)
    return added


class FiniteRange(click.FloatRange):
    """A number on the command line: inside its bounds, and one at all, which click's own comparison lets pass."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return `value` as a number; see `click.ParamType`."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is no finite number", param, ctx)
        return number


class NameOption(click.Option):
    """An option that takes one of the names that `usages` returns; its help lists them, looked up only when shown."""

    def __init__(self, names: Sequence[str], *, usages: Usages, default: str | None = None, **attributes: Any) -> None:
        super().__init__(names, metavar="NAME", default=default, **attributes)
        self._usages, self._default_words = usages, default or "auto"

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the option and its help; see `click.Option`."""
        self.help = f"{', '.join(self._usages())}.  [default: {self._default_words}]"
        return super().get_help_record(ctx)


camera_option = click.option("--camera", cls=NameOption, usages=camera_usages)
objective_option = click.option(
    "--objective",
    metavar="NAME",
    callback=lambda ctx, param, name: checked_objective(name),
    help=f"Objective in the light path.  [default: the one of 'calibrate use'; at first {DEFAULT_OBJECTIVE}]",
)
display_option = click.option("--display", cls=NameOption, usages=display_usages)


def checked_objective(name: str | None) -> str | None:
    """Return `name`, or refuse it where it cannot be the name of an objective.

    Raises:
        click.BadParameter: it cannot.
    """
    if name is not None and not re.fullmatch(OBJECTIVE_PATTERN, name):
        raise click.BadParameter("give 1 to 40 letters, digits, spaces and . _ + -, as in 40x")
    return name


def model_options(command: F) -> Callable[..., Any]:
    """Add the options that choose bundle, level, runtime and threads; `command` gets them as one `choice`."""

    @functools.wraps(command)
    def packed(
        *values: Any, bundle: Path | None, level: Level | None, runtime: str | None, threads: int | None, **others: Any
    ) -> Any:
        return command(*values, choice=ModelChoice(bundle, level, runtime, threads), **others)

    added: Callable[..., Any] = packed
    for option in (
        click.option("--threads", type=click.IntRange(1, 64), help="Threads of one inference.  [default: 1]"),
        click.option("--runtime", cls=NameOption, usages=runtime_names),
        click.option("--level", type=click.Choice(LEVELS), help="How the weights are stored.  [default: int8]"),
        click.option(
            "--bundle",
            type=click.Path(path_type=Path, file_okay=False),
            help="Folder of a model bundle.  [default: the installed one]",
        ),
    ):
        added = option(added)
    return added


def settings_and_data(config: Path | None, data: Path | None) -> tuple[Settings, Path]:
    """Return the settings, those changed in the browser included, and the data folder for `--config` and `--data`."""
    settings = load_settings(config)
    folder = data_folder(settings, data)
    return with_changes(settings, changes_in(folder)), folder


def with_store_and_settings(function: Callable[..., None]) -> Callable[..., Any]:
    """Give a command the store that --data names, here or at its group, opened while it runs, and the settings.

    Its group keeps what it was given itself, data folder and settings file, as `Context.obj`.
    """

    @functools.wraps(function)
    def opened(*, data_path: Path | None, config_path: Path | None, **values: Any) -> None:
        group_data, group_config = click.get_current_context().obj
        settings, data = settings_and_data(config_path or group_config, data_path or group_data)
        with Store.read(data, settings.store.busy_timeout_s) as store:
            function(store, settings, **values)

    return data_option(config_option(opened))


def with_store(function: Callable[..., None]) -> Callable[..., Any]:
    """Give a command the store that --data names, as `with_store_and_settings` does."""

    @functools.wraps(function)
    def without_settings(store: Store, _: Settings, **values: Any) -> None:
        function(store, **values)

    return with_store_and_settings(without_settings)


def open_source(settings: Settings, camera: str | None, controls: "ControlsOf") -> "Camera":
    """Open the camera that `--camera` or the settings name, with the fixed `controls` of its calibration."""
    from device.cameras.registry import open_camera

    wanted = settings.camera
    return open_camera(camera or wanted.name, pixel_size_um=wanted.pixel_size_um, size=wanted.size, controls=controls)


def settle(source: "Camera", settings: Settings) -> None:
    """Drop the frames of a camera that was just opened, in which its exposure and white balance still move."""
    from device.cameras.registry import camera_kind

    for _ in range(camera_kind(source.name).settle_frames):
        source.read(settings.camera.timeout_s)
