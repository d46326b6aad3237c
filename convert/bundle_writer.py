"""Writes a bundle folder: model files, golden file, model card and manifest, complete or not at all."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from convert.export.features import channels
from convert.reporting import model_card
from convert.results import LevelResults, ModelFiles
from smear.bundle.files import sha256_of
from smear.bundle.folder import Bundle, load_bundle, write_manifest
from smear.bundle.levels import Level
from smear.bundle.manifest import Classifier, Manifest, ModelFile, Role, Segmenter
from smear.bundle.training_run import Run
from smear.classes import LABELS
from smear.inference.verification import GOLDEN
from smear.revision import git_revision


def write_bundle(
    run: Run, folder: Path, name: str, files: ModelFiles, golden: bytes, other: bool, results: LevelResults
) -> Bundle:
    """Write the bundle of `files` into the new folder `folder` and open it.

    `other` says that the classifier has one more output after the labels, for what is no cell of these classes.

    Raises:
        BundleError: what was written cannot be read back: a fault of the disk.
    """
    folder.mkdir(parents=True)
    for role, levels in files.items():
        for level, file in levels.items():
            shutil.copyfile(file, folder / file_name(role, level))
    (folder / GOLDEN).write_bytes(golden)
    manifest = _manifest(run, folder, name, files, other, results)
    text = model_card.write_card(manifest, results.differences, results.notes)
    (folder / model_card.FILE).write_text(text, encoding="utf-8")
    checksums = {file: sha256_of(folder / file) for file in (GOLDEN, model_card.FILE)}
    write_manifest(folder, manifest.model_copy(update={"files": checksums}))
    return load_bundle(folder)


def file_name(role: Role, level: Level) -> str:
    """Return the name of a model file in a bundle."""
    return f"{role}.{level}.tflite"


def _manifest(run: Run, folder: Path, name: str, files: ModelFiles, other: bool, results: LevelResults) -> Manifest:
    def entries(role: Role) -> dict[Level, ModelFile]:
        found: dict[Level, ModelFile] = {}
        for level in files[role]:
            path = folder / file_name(role, level)
            figures = results.figures[role].get(level, {})
            found[level] = ModelFile(file=path.name, sha256=sha256_of(path), bytes=path.stat().st_size, figures=figures)
        return found

    facts = run.facts
    shown_cells = facts.classifier.shown == "cells"
    features = channels(next(iter(files["classifier"].values())).read_bytes()) if shown_cells else 0
    segmenter = {name: value for name, value in facts.segmenter if name != "kept"}
    return Manifest(
        name=name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        labels=LABELS,
        input=facts.input,
        segmenter=Segmenter(levels=entries("segmenter"), **segmenter),
        classifier=Classifier(levels=entries("classifier"), other=other, features=features, **dict(facts.classifier)),
        training_data=facts.training_data,
        git_revision=git_revision(),
        left_out=results.left_out,
    )
