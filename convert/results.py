"""What a conversion knows of its levels, while it works and at its end."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from convert.export.edgetpu import Prediction
from convert.verification.parity import Difference
from smear.bundle.folder import Bundle
from smear.bundle.levels import Level
from smear.bundle.manifest import Figure, Role

ModelFiles = Mapping[Role, Mapping[Level, Path]]


@dataclass(slots=True)
class LevelResults:
    """What was measured of the levels, and which of them do not ship."""

    figures: dict[Role, dict[Level, dict[str, Figure]]] = field(
        default_factory=lambda: {"segmenter": {}, "classifier": {}}
    )
    left_out: dict[str, str] = field(default_factory=dict)  # level -> why it is not in the bundle
    differences: Sequence[Difference] = ()
    notes: list[str] = field(default_factory=list)  # what else a reader of the figures should know

    def reject(self, level: Level, reason: str, keep: bool) -> None:
        """Leave `level` out, or with `keep` only note that it is outside its limits."""
        if keep:
            self.notes.append(f"{level} is outside its limits, which a reference need not keep: {reason}")
        else:
            self.left_out[level] = reason

    def replace(self, newer: "LevelResults", levels: Collection[Level]) -> None:
        """Replace what is known of `levels` by what is in `newer`."""
        for role, known in self.figures.items():
            known |= {level: newer.figures[role][level] for level in levels}
        self.differences = [one for one in self.differences if one.level not in levels] + [*newer.differences]
        self.left_out = {level: why for level, why in self.left_out.items() if level not in levels} | newer.left_out


@dataclass(frozen=True, slots=True)
class Conversion:
    """A finished conversion."""

    bundle: Bundle
    differences: tuple[Difference, ...]
    predictions: dict[Role, Prediction]  # of the int8 files
    notes: tuple[str, ...] = ()
