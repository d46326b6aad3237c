"""What the sections of the settings are made of, and the names in registries, which are imported only to list them."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from smear.errors import RuntimeUnavailableError


class Section(BaseModel):
    """One [section]: only known keys, and numbers that are finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)


def choice(default: str, text: str, usages: Callable[[], Sequence[str]], *, closed: bool = False) -> Any:
    """Return a field whose description lists what may be chosen, looked up when it is needed.

    `closed`: the value is one of `usages` as it stands; else it may go on, as in `files:PATH`.
    """

    def list_usages(schema: dict[str, Any]) -> None:
        found = list(usages())
        schema["description"] = f"{text}: {', '.join(found)}"
        schema["enum" if closed else "examples"] = found

    return Field(default=default, description=text, json_schema_extra=list_usages)


def _usages(module: str, registry: str) -> Callable[[], tuple[str, ...]]:
    return lambda: tuple(getattr(import_module(module), registry).usages())


camera_usages = _usages("device.cameras.registry", "CAMERAS")
display_usages = _usages("device.screen.displays", "DISPLAYS")
runtime_names = _usages("smear.inference.tflite", "RUNTIMES")


def known_runtime(name: str) -> str:
    """Return `name`, or raise ValueError where no runtime is called so."""
    from smear.inference.tflite import RUNTIMES

    try:
        RUNTIMES.find(name)
    except RuntimeUnavailableError as error:
        raise ValueError(str(error)) from error
    return name
