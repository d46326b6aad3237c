"""Decides whether a level may ship: its losses against float32 and its agreement with Keras, compared with limits."""

import tomllib
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from convert.verification.parity import Difference
from smear.bundle.manifest import Figure
from smear.errors import ConversionError, first_fault


class Limit(BaseModel):
    """The most that one level may lose."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    accuracy_loss: float = Field(default=0.005, ge=0, le=1)  # share of validation fields; half a point
    dice_loss: float = Field(default=0.01, ge=0, le=1)
    agreement: float = Field(default=0.98, ge=0, le=1)  # with Keras, of each model: share of best channels


class Limits(BaseModel):
    """The limits of every level; the defaults are the project's own (the float levels may lose less)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    float32: Limit = Limit(accuracy_loss=0.0, dice_loss=0.001, agreement=0.999)
    float16: Limit = Limit(accuracy_loss=0.002, dice_loss=0.002, agreement=0.995)
    dynamic: Limit = Limit()
    int8: Limit = Limit()
    int16x8: Limit = Limit()
    edgetpu: Limit = Limit()

    def of(self, level: str) -> Limit:
        """Return the limit of `level`."""
        limit: Limit = getattr(self, level)
        return limit


def read_limits(file: Path | None) -> Limits:
    """Return the limits in the TOML `file` ([int8] accuracy_loss = 0.005 ...), or the project's where it is None.

    Raises:
        ConversionError: the file cannot be read or holds other keys or values.
    """
    if file is None:
        return Limits()
    try:
        return Limits.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConversionError(f"limits {file}: cannot be read ({error}); give a TOML file") from error
    except ValidationError as error:
        raise ConversionError(f"limits {file}: {first_fault(error)}; correct it") from error


def rejection_reason(
    level: str,
    limit: Limit,
    reference: dict[str, Figure],
    figures: dict[str, Figure],
    differences: Iterable[Difference],
) -> str | None:
    """Return why `level` may not ship, with its figures; None if it may.

    `reference` holds the figures of float32, `figures` those of the level: "accuracy" and, where there are
    masks, "dice". Every runtime in `differences` counts: a file that does not run, or differs, is rejected.
    """
    reasons = []
    for name, allowed in (("accuracy", limit.accuracy_loss), ("dice", limit.dice_loss)):
        if name not in figures or name not in reference:
            continue
        loss = reference[name].value - figures[name].value
        if loss > allowed + 1e-9:  # shares are sums of floats
            reasons.append(f"{name} {figures[name].value:.4f} is {loss:.4f} below float32 (allowed {allowed:g})")
    for found in differences:
        if found.level != level:
            continue
        if found.fault:
            reasons.append(f"{found.role} does not run with {found.runtime}: {found.fault}")
        elif not found.agreement >= limit.agreement:
            reasons.append(
                f"{found.role} agrees with Keras in {found.agreement:.4f} with {found.runtime} "
                f"(needed {limit.agreement:g})"
            )
    return "; ".join(reasons) or None
