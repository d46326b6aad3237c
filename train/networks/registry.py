"""Every network by name: what it is for, what it is shown, its settings and how it is built.

Another distribution adds its own by an entry point of the group "smearscope.networks" that names a `NetworkSpec`.
Nothing here imports Keras before a network is built.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from smear.bundle.manifest import Shown
from smear.errors import TrainingError
from smear.imaging.masking import CROP_SIZE
from smear.imaging.resampling import FIELD_SIZE
from smear.registry import Registry, Spec

if TYPE_CHECKING:
    import keras

GROUP = "smearscope.networks"
Task = Literal["segmentation", "classification"]
Weights = Literal["imagenet", "none"]
FIELD_EPOCHS, CELL_EPOCHS, MASKED_EPOCHS = 30, 16, 40  # of a classifier that is shown fields, crops or all cells


class NetworkSettings(BaseModel):
    """The settings that every network has; one with more declares a subclass."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int = Field(FIELD_SIZE, gt=0, description="edge of the input in pixels")
    weights: Weights = Field("none", description="what training starts from: ImageNet weights, or random ones")


class CropSettings(NetworkSettings):
    """The settings of `cellnet`."""

    size: int = Field(CROP_SIZE, gt=0, description="edge of the input in pixels")
    dropout: float = Field(0.2, ge=0, lt=1, description="share of features that dropout sets to 0")


class DropoutSettings(NetworkSettings):
    """The settings of a network with dropout."""

    dropout: float = Field(0.3, ge=0, lt=1, description="share of features that dropout sets to 0")


class PublishedDropoutSettings(NetworkSettings):
    """The settings of the paper's network as published."""

    dropout: float = Field(0.8, ge=0, lt=1, description="share of features that dropout sets to 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSpec(Spec):
    """One network: what it is for, what it is shown, its settings and how it is built.

    `build` takes the settings and returns a Keras model called `name`, whose input is float (n, size, size, 3) in 0..1.
    Its output depends on what it is for:

    - segmentation: (n, h, w, 3) of background, cytoplasm and nucleus, on the input's grid or a coarser one; logits, or
      probabilities if its last layer is a softmax.
    - classification, shown "field": probabilities (n, 4) in the order of `smear.classes.LABELS`.
    - classification, shown "crops": logits (n, 5) of one cell; the fifth is "none of these classes".
    - classification, shown "cells": a map of such logits (n, h, w, 5) of a field whose background is masked out.
    """

    task: Task
    shown: Shown = "field"
    build: Callable[[Any], Any]
    settings: type[NetworkSettings] = NetworkSettings
    smallest_px: int = 32  # edge of the smallest input it can take
    pretrained: bool = False  # whether ImageNet weights exist for it
    epochs: int = FIELD_EPOCHS  # of 'train classifier', unless given

    @property
    def comparable(self) -> bool:
        """Whether it can be compared with others as a classifier of whole fields."""
        return self.task == "classification" and self.shown != "crops"

    def create(self, given: Mapping[str, object] | None = None) -> "keras.Model":
        """Return a new model with the settings `given`; the others keep their defaults.

        Raises:
            TrainingError: a setting is unknown or has a wrong value, the input is too small, or the model that was
                built has another name.
        """
        given = dict(given or {})
        if not self.pretrained:
            given.pop("weights", None)
        try:
            settings = self.settings.model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            known = ", ".join(self.settings.model_fields)
            raise TrainingError(
                f"network {self.name}: setting {where}: {first['msg']}; its settings are {known}"
            ) from error
        if settings.size < self.smallest_px:
            raise TrainingError(
                f"network {self.name} needs an input of {self.smallest_px} pixels or more, not {settings.size}; "
                "give a larger --size"
            )
        model = self.build(settings)
        if model.name != self.name:
            raise TrainingError(f"network {self.name} calls its model {model.name!r}; give both the same name")
        return model


def _own(function: str, settings: NetworkSettings, **given: str) -> "keras.Model":
    """Build one of `train.networks.architectures`, whose parameters are the settings."""
    from train.networks import architectures
    from train.networks.backbone import load_imagenet

    model = getattr(architectures, function)(**settings.model_dump(exclude={"weights"}), **given)
    if settings.weights == "imagenet":
        load_imagenet(model)
    return model


def _vit(settings: NetworkSettings) -> "keras.Model":
    from train.networks.vision_transformer import vit

    return vit(settings.size)


def _published(name: str, settings: NetworkSettings) -> "keras.Model":
    from train.networks.published import published

    return published(name, settings.size, settings.weights)


def _application(name: str, text: str, smallest_px: int = 32) -> NetworkSpec:
    return NetworkSpec(
        name=name, help=text, task="classification", build=partial(_published, name), pretrained=True,
        smallest_px=smallest_px,
    )  # fmt: skip


BUILT_IN = (
    NetworkSpec(
        name="unet_light", help="our segmenter for the device: a U-Net on EfficientNet-Lite0, on half the grid",
        task="segmentation", build=partial(_own, "unet_light"), pretrained=True,
    ),
    NetworkSpec(name="unet", help="the paper's U-Net as published", task="segmentation", build=partial(_own, "unet")),
    NetworkSpec(
        name="paper_cnn", help="the paper's custom CNN with a dropout that trains, see docs/decisions/0006",
        task="classification", build=partial(_own, "paper_cnn"), settings=DropoutSettings,
    ),
    NetworkSpec(
        name="paper_cnn_literal", help="the paper's custom CNN with its published dropout of 0.8",
        task="classification", build=partial(_own, "paper_cnn", name="paper_cnn_literal"),
        settings=PublishedDropoutSettings,
    ),
    _application("MobileNetV2", "compared in the paper: Sandler et al. 2018"),
    NetworkSpec(
        name="smearnet", help="our classifier for the device: all cells of a field, on a neutral background",
        task="classification", shown="cells", build=partial(_own, "smearnet"), settings=DropoutSettings,
        pretrained=True, epochs=MASKED_EPOCHS,
    ),
    NetworkSpec(
        name="cellnet", help="a small classifier of one cell at a time, to compare with",
        task="classification", shown="crops", build=partial(_own, "cellnet"), settings=CropSettings, epochs=CELL_EPOCHS,
    ),
    NetworkSpec(
        name="vit", help="a small vision transformer: Dosovitskiy et al. 2021, half as deep as ViT-Ti/16",
        task="classification", build=_vit,
    ),
    _application("NASNetMobile", "compared in the paper: Zoph et al. 2018"),
    _application("InceptionV3", "compared in the paper: Szegedy et al. 2016", smallest_px=75),
    _application("ResNet50", "compared in the paper: He et al. 2016"),
    _application("DenseNet201", "named in the paper: Huang et al. 2017"),
)  # fmt: skip
"""Cheapest first among the classifiers, so that a comparison that is cut short has scored most of them."""

NETWORKS = Registry(GROUP, NetworkSpec, BUILT_IN, what="network", error=TrainingError)


def segmenters() -> tuple[NetworkSpec, ...]:
    """Return the networks for segmentation."""
    return tuple(spec for spec in NETWORKS.all() if spec.task == "segmentation")


def classifiers() -> tuple[NetworkSpec, ...]:
    """Return the networks for classification."""
    return tuple(spec for spec in NETWORKS.all() if spec.task == "classification")


def comparable() -> tuple[NetworkSpec, ...]:
    """Return the networks that can be compared as classifiers of whole fields."""
    return tuple(spec for spec in NETWORKS.all() if spec.comparable)
