"""The actions by which level and bundle of the models are chosen at the screen."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from device.bundles import MODELS, activate, current_bundle, installed
from device.control.server import Answer
from device.model_pick import AUTO
from device.screen.choices import Choices, level_of
from device.settings import ModelSettings
from smear.bundle.folder import Bundle
from smear.bundle.manifest import read_manifest


class ModelActions:
    """Answers from the bundles that are installed; the session notices another choice by itself."""

    def __init__(
        self, settings: ModelSettings, data: Path, fixed: Collection[str], prove: Callable[[Bundle], object]
    ) -> None:
        """`fixed`: "bundle" and "level" where the command line says it; `prove` runs a bundle before it is used."""
        self._settings = settings
        self._data = data
        self._fixed = sorted({*fixed, *settings.model_fields_set} & {"bundle", "level"})
        self._prove = prove

    def answers(self) -> dict[str, Answer]:
        """Return every action with who answers it."""
        return {"models": self._models, "models choose": self._choose}

    def _models(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is chosen, what can be, and what of it cannot be chosen here."""
        models = self._data / MODELS
        used = self._settings.bundle or current_bundle(models)
        return {
            "level": level_of(self._settings, self._data),
            "levels": [AUTO, *read_manifest(used).segmenter.levels],
            "bundle": used.resolve().name,
            "bundles": [
                {"name": each.path.name, "made": each.created[:10], "damaged": each.fault is not None}
                for each in installed(models)
            ],
            "fixed": self._fixed,
        }

    def _choose(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Use another "level", or another "bundle" that is installed; it is loaded within seconds."""
        if "level" in request:
            Choices.read(self._data).model_copy(update={"level": request["level"]}).write(self._data)
        if "bundle" in request:
            key = self._settings.require_signature
            activate(self._data / MODELS, request["bundle"], prove=self._prove, public_key=key)
        return self._models(request)
