"""Writing a bundle folder: model files, golden file, card and manifest, whole or not at all."""

import shutil
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from convert.export.edgetpu import Prediction
from convert.reporting import model_card
from convert.verification.parity import Difference
from smear.bundle.manifest import (
    Bundle,
    Classifier,
    Figure,
    Level,
    Manifest,
    ModelFile,
    Role,
    Segmenter,
    load_bundle,
    sha256_of,
    write_manifest,
)
from smear.bundle.training_run import Run
from smear.classes import LABELS
from smear.inference.verification import GOLDEN

Files = Mapping[Role, Mapping[Level, Path]]


@dataclass(slots=True)
class Proven:
    """What is known of the levels once they were measured."""

    figures: dict[Role, dict[Level, dict[str, Figure]]] = field(
        default_factory=lambda: {"segmenter": {}, "classifier": {}}
    )
    left_out: dict[str, str] = field(default_factory=dict)
    differences: Sequence[Difference] = ()
    notes: list[str] = field(default_factory=list)  # what a reader of the figures should know besides

    def refuse(self, level: Level, why: str, shipped: bool) -> None:
        """Leave `level` out, or only note that it is outside its limits where it is `shipped` all the same."""
        if shipped:
            self.notes.append(f"{level} is outside its limits, which a reference need not keep: {why}")
        else:
            self.left_out[level] = why

    def replace(self, again: "Proven", levels: Collection[Level]) -> None:
        """Take what `again` proved of `levels` for what was known of them."""
        for role, known in self.figures.items():
            known |= {level: again.figures[role][level] for level in levels}
        self.differences = [one for one in self.differences if one.level not in levels] + [*again.differences]
        self.left_out = {level: why for level, why in self.left_out.items() if level not in levels} | again.left_out


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a conversion."""

    bundle: Bundle
    differences: tuple[Difference, ...]
    predictions: dict[Role, Prediction]  # of the int8 files
    notes: tuple[str, ...] = ()


def stage(run: Run, folder: Path, name: str, files: Files, golden: bytes, other: bool, proven: Proven) -> Bundle:
    """Write the bundle of `files` into the new folder `folder` and open it.

    Raises:
        BundleError: what was written does not hold; a fault of the disk.
    """
    folder.mkdir(parents=True)
    for role, levels in files.items():
        for level, file in levels.items():
            shutil.copyfile(file, folder / file_name(role, level))
    (folder / GOLDEN).write_bytes(golden)
    manifest = _manifest(run, folder, name, files, other, proven)
    text = model_card.write_card(manifest, proven.differences, proven.notes)
    (folder / model_card.FILE).write_text(text, encoding="utf-8")
    others = {other_file: sha256_of(folder / other_file) for other_file in (GOLDEN, model_card.FILE)}
    write_manifest(folder, manifest.model_copy(update={"files": others}))
    return load_bundle(folder)


def file_name(role: Role, level: Level) -> str:
    """Return the name of a model file in a bundle."""
    return f"{role}.{level}.tflite"


def _manifest(run: Run, folder: Path, name: str, files: Files, other: bool, proven: Proven) -> Manifest:
    def entries(role: Role) -> dict[Level, ModelFile]:
        found: dict[Level, ModelFile] = {}
        for level in files[role]:
            path = folder / file_name(role, level)
            figures = proven.figures[role].get(level, {})
            found[level] = ModelFile(file=path.name, sha256=sha256_of(path), bytes=path.stat().st_size, figures=figures)
        return found

    facts = run.facts
    return Manifest(
        name=name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        labels=LABELS,
        input=facts.input,
        segmenter=Segmenter(levels=entries("segmenter"), **dict(facts.segmenter)),
        classifier=Classifier(levels=entries("classifier"), other=other, **dict(facts.classifier)),
        training_data=facts.training_data,
        git_revision=git_revision(),
        left_out=proven.left_out,
    )


def git_revision() -> str:
    """Return the revision of the checkout this runs from, "+changes" when it has any, or "unknown"."""
    here = Path(__file__).parent
    try:
        told = [
            subprocess.run(["git", *command], cwd=here, capture_output=True, text=True, check=True, timeout=10).stdout
            for command in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        ]
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return told[0].strip() + ("+changes" if told[1].strip() else "")


def put_in_place(folder: Path, out: Path) -> None:
    """Move the finished bundle `folder` to `out`; what lay there is removed only after the new one is whole."""
    part, old = out.with_name(f".{out.name}.part"), out.with_name(f".{out.name}.old")
    for left in (part, old):
        shutil.rmtree(left, ignore_errors=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(folder, part)  # a rename cannot cross file systems
    if out.exists():
        out.rename(old)
    part.rename(out)
    shutil.rmtree(old, ignore_errors=True)
