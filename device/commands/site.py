"""`smearscope site`: show that the labels are right on fields of this laboratory, and for how long that holds."""

import json
import sys
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from device.cameras.calibration import Calibration, Corrector, ProfileStore
from device.commands.options import FiniteRange, config_option, data_option, model_options, settings_and_data
from device.model_choice import ModelChoice, bundle_path, open_processor
from device.settings import Settings
from device.site import certificate as certificates
from device.site.agreement import (
    MIN_FIELDS,
    NORMAL,
    CheckedField,
    counts_of,
    figures_of,
    kind_of,
    missing_of,
    refusals_of,
    shortfalls,
)
from device.site.certificate import SiteCertificate
from device.system.clock import SystemClock
from smear import RESEARCH_USE_ONLY
from smear.bundle.folder import load_bundle
from smear.classes import meant_by
from smear.errors import ImageError, StoreError
from smear.findings import Frame
from smear.images import digest_of, look_through, read_field, write_atomic
from smear.output_files import printable
from smear.progress import progress
from smear.site import CHECK_SITE, NOT_CHECKED

if TYPE_CHECKING:
    from smear.inference.frame_processor import FrameProcessor

NOT_SHOWN = 3  # exit code: all was measured, and the site does not agree well enough


@dataclass(slots=True)
class Labelled:
    """The pictures below the folder, by what a person says they are."""

    pictures: list[tuple[Path, str]] = field(default_factory=list)  # with their kind
    notes: list[str] = field(default_factory=list)


@click.group()
def command() -> None:
    """Check the labels on fields of this laboratory; without a certificate each label says that it was not."""


@command.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--stain", default="", help="Name of the stain, for the certificate.")
@click.option(
    "--pixel-size-um",
    type=FiniteRange(0.01, 10),
    help="Edge of one pixel on the slide.  [default: the file's own, or the calibrated one for its size]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("site.html"),
    show_default=True,
    help="The report, one HTML page.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
@model_options
@data_option
@config_option
def check(
    folder: Path,
    stain: str,
    pixel_size_um: float | None,
    out: Path,
    as_json: bool,
    choice: ModelChoice,
    data_path: Path | None,
    config_path: Path | None,
) -> None:
    """Compare the labels with a person's on the fields in FOLDER, and store a dated certificate.

    FOLDER has the sub-folders Benign, Early, Pre and Pro as far as the laboratory has such slides, and one of normal
    blood; fields in a sub-folder of any other name belong to none of the classes. At least 20 fields with cells of
    each kind are needed. Use photographs of this microscope: they are examined as they are, without a calibration.

    Exit code 3 and no certificate where the figures fall short of the settings in [site].
    """
    settings, data = settings_and_data(config_path, data_path)
    known = ProfileStore(data).in_use()
    open_gate = settings.model_copy(update={"site": settings.site.model_copy(update={"required": False})})
    processor = open_processor(open_gate, data, choice)
    try:
        labelled = _labelled(folder, processor.pipeline.bundle.fitted_fields())
        fields = _examined(labelled, processor, known, pixel_size_um)
        draft = _draft(processor, known, stain, fields)
    finally:
        processor.close()
    missing = missing_of(fields)
    if missing:
        notes = "".join(f" ({note})" for note in labelled.notes)
        raise ImageError(f"{printable(folder)}: too little to check a site; add {'; '.join(missing)}{notes}")
    short = shortfalls(draft.figures, settings.site.demands())
    result = _stored(draft, short, settings, data)
    _write_report(result, fields, short, labelled.notes, out)
    _say(result, short, labelled.notes, out, as_json)
    if short:
        sys.exit(NOT_SHOWN)


@command.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@data_option
@config_option
def show(as_json: bool, data_path: Path | None, config_path: Path | None) -> None:
    """Show the certificate and whether it holds for the bundle and the calibration in use."""
    settings, data = settings_and_data(config_path, data_path)
    found = certificates.load(data)
    bundle = load_bundle(bundle_path(settings, data, None))
    status = certificates.status_of(found, bundle.sha256, ProfileStore(data).in_use().profile, SystemClock().wall_s())
    if as_json:
        whole = {"checked": status.checked, "warning": status.warning}
        content = found.model_dump(mode="json") if found else None
        click.echo(
            json.dumps(
                whole | {"certificate": content, "notice": RESEARCH_USE_ONLY}, ensure_ascii=False, allow_nan=False
            )
        )
        return
    if found is None:
        click.echo(f"no site certificate: every label is marked {NOT_CHECKED!r}; {CHECK_SITE}")
        return
    click.echo("the certificate holds" if status.checked else status.warning)
    for line in _lines(found):
        click.echo(line)


@command.command()
@data_option
@config_option
def revoke(data_path: Path | None, config_path: Path | None) -> None:
    """Remove the certificate; from the next field on every label is marked as not checked."""
    _, data = settings_and_data(config_path, data_path)
    click.echo("the site certificate is revoked" if certificates.revoke(data) else "there is no site certificate")


def _labelled(folder: Path, fitted: Collection[str] = ()) -> Labelled:
    """Return the pictures in the sub-folders of `folder`, each content once, and none with a sha256 of `fitted`.

    Raises:
        ImageError: `folder` or one below it cannot be opened, or holds no sub-folder; a name is nearly that of a class.
    """
    try:
        subfolders = sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))
    except OSError as error:
        raise ImageError(
            f"{printable(folder)}: cannot be opened ({error.strerror}); give a folder of fields"
        ) from error
    if not subfolders:
        raise ImageError(
            f"{printable(folder)}: no sub-folder with labelled fields; make Benign, Early, Pre, Pro and {NORMAL} "
            f"with at least {MIN_FIELDS} fields each of those that the laboratory has"
        )
    found, seen, skipped = Labelled(), {}, Counter[str]()
    for subfolder in subfolders:
        kind, below = _kind_of(subfolder), look_through(subfolder)
        if below.unreadable:
            raise ImageError(below.unreadable[0])
        for path in below.pictures:
            digest = digest_of(path)
            if digest in fitted:
                skipped["were left out, since the bundle was adapted to them"] += 1
            elif digest not in seen:
                seen[digest] = kind
                found.pictures.append((path, kind))
            elif seen[digest] == kind:
                skipped["are copies of others and were counted once"] += 1
            else:
                raise ImageError(f"{printable(path)}: the same file lies in another class too; keep one of them")
    found.notes += [f"{count} files {why}" for why, count in skipped.items()]
    return found


def _kind_of(folder: Path) -> str:
    kind = kind_of(folder.name)
    meant = meant_by(folder.name) if kind == NORMAL else None
    if meant:
        raise ImageError(f"{printable(folder)}: is that {meant}? Rename it, or it would count as {NORMAL}")
    return kind


def _examined(
    labelled: Labelled, processor: "FrameProcessor", known: Calibration, pixel_size_um: float | None
) -> list[CheckedField]:
    corrector, fields, unread = Corrector(known), [], 0
    for path, kind in progress(labelled.pictures, "examining"):
        name = printable(path)
        try:
            picture = read_field(path)
            frame = Frame(picture.image, name, pixel_size_um or picture.pixel_size_um)
            if frame.pixel_size_um is None and corrector.fits(frame):
                frame = Frame(picture.image, name, known.pixel_size_um)
            finding = processor.examine(frame)
        except ImageError as error:
            unread += 1
            click.echo(f"smearscope: {' '.join(str(error).split())}", err=True)
            continue
        codes = tuple(str(refusal.code) for refusal in finding.refusals)
        fields.append(CheckedField(name, kind, finding.label, len(finding.cells), codes))
    if unread:
        labelled.notes.append(f"{unread} pictures could not be examined and are in no figure")
    return fields


def _draft(
    processor: "FrameProcessor", known: Calibration, stain: str, fields: Sequence[CheckedField]
) -> SiteCertificate:
    now, profile, bundle = datetime.now(UTC), known.profile, processor.pipeline.bundle
    return SiteCertificate(
        created=now,
        valid_until=now,
        profile=profile.id,
        objective=profile.objective,
        pixel_size_um=profile.pixel_size_um,
        stain=printable(stain),
        bundle=bundle.manifest.name,
        bundle_sha256=bundle.sha256,
        level=processor.pipeline.level,
        fields=counts_of(fields),
        figures=figures_of(fields),
        refusals=refusals_of(fields),
    )


def _stored(draft: SiteCertificate, short: Sequence[str], settings: Settings, data: Path) -> SiteCertificate:
    """Issue the certificate; where the figures fall short, revoke the one of the same bundle and camera instead."""
    if not short:
        return certificates.issue(draft, data, SystemClock().wall_s(), settings.site.valid_days)
    known = certificates.load(data)
    if (
        known is not None
        and known.bundle_sha256 == draft.bundle_sha256
        and known.camera_profile.fits(draft.camera_profile)
    ):
        certificates.revoke(data)
    return draft


def _write_report(
    result: SiteCertificate, fields: Sequence[CheckedField], short: Sequence[str], notes: Sequence[str], out: Path
) -> None:
    from device.site.report import page

    try:
        write_atomic(out, page(result, fields, short, notes).encode())
    except OSError as error:
        raise StoreError(f"cannot write {printable(out)}: {error.strerror}; choose another file with --out") from error


def _say(result: SiteCertificate, short: Sequence[str], notes: Sequence[str], out: Path, as_json: bool) -> None:
    if as_json:
        whole: dict[str, Any] = {"passed": not short, "shortfalls": list(short), "report": printable(out)}
        whole |= {"certificate": result.model_dump(mode="json"), "notes": list(notes), "notice": RESEARCH_USE_ONLY}
        click.echo(json.dumps(whole, ensure_ascii=False, allow_nan=False))
        return
    for line in _lines(result):
        click.echo(line)
    for note in notes:
        click.echo(f"note: {note}")
    click.echo(f"wrote {printable(out)}")
    click.echo(f"no certificate: {'; '.join(short)}" if short else "the labels are checked at this site")
    click.echo(RESEARCH_USE_ONLY)


def _lines(found: SiteCertificate) -> list[str]:
    until = f"{found.id}, valid until {found.valid_until:%Y-%m-%d}" if found.id else "none"
    scale = f"{found.pixel_size_um:.4f} µm a pixel" if found.pixel_size_um else "no calibrated scale"
    return [
        f"certificate: {until}",
        f"camera: {found.profile}, {found.objective or scale}",
        f"stain: {found.stain or 'not stated'}",
        f"bundle: {found.bundle} {found.bundle_sha256[:12]}, level {found.level}",
        "fields with cells: " + ", ".join(f"{n} {kind}" for kind, n in found.fields.items()),
        *(f"{name.replace('_', ' ')}: {share}" for name, share in found.figures.items()),
        *(f"refused, {code}: {share}" for code, share in found.refusals.items()),
    ]
