"""Calibration profiles on disk: one file for each camera and objective, written whole or not at all, one at a time."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from device.cameras.calibration.profile import DEFAULT_OBJECTIVE, OBJECTIVE_PATTERN, Calibration, OpticalSetup
from smear.bundle.files import MISSING, FileFault, read_file
from smear.errors import SettingsError, first_fault
from smear.output_files import OutputFolder, printable

FOLDER = "calibration"
IN_USE = "objective-in-use"  # holds the name of one
MAX_BYTES = 1_000_000  # a flat field takes 40 kB
_REMEDY = "remove it and calibrate again"

Change = Callable[[Calibration], Calibration]


class ProfileStore:
    """The profiles below one data folder."""

    def __init__(self, data: Path) -> None:
        self.folder = data / FOLDER

    def read(self) -> tuple[list[Calibration], list[str]]:
        """Return the profiles, newest first, and a sentence for each file that cannot be read."""
        profiles, faults = [], []
        for path in sorted(self.folder.glob("*.json")):
            try:
                found = _read_profile(path)
            except SettingsError as error:
                faults.append(str(error))
                continue
            if found is not None:
                profiles.append(found)
        return sorted(profiles, key=lambda each: (each.created, each.id), reverse=True), faults

    def find(self, setup: OpticalSetup) -> Calibration | None:
        """Return the profile that may be applied to `setup`: the newest, if several may; None: there is none."""
        fitting = [each for each in self.read()[0] if not each.pending and not each.misfits(setup)]
        return fitting[0] if fitting else None

    def in_use(self) -> Calibration:
        """Return the newest profile of the objective in use, for who opens no camera; an empty one if there is none.

        Raises:
            SettingsError: a profile is damaged, and might be the one.
        """
        found, faults = self.read()
        if faults:
            raise SettingsError(faults[0])
        objective = self.objective()
        return next((each for each in found if each.objective == objective and not each.pending), Calibration())

    def update(self, setup: OpticalSetup, change: Change, wall_s: float) -> Calibration:
        """Change the profile of `setup`, or begin one, and return it as written, with its date and a new id.

        Nobody else writes between the reading of the old one and the writing of the new one.

        Raises:
            StoreError: the folder cannot be written.
        """
        with self._alone() as folder:
            known = self._own(setup)
            begun = Calibration() if known is None else known
            made = change(begun.assigned_to(setup)).dated(wall_s)
            folder.write(made.file_name, _bytes(made))
            if known is not None and known.file_name != made.file_name:
                self._remove(known)
        return made

    def bind(self, setup: OpticalSetup, wall_s: float) -> list[str]:
        """Give typed scales that wait for a camera to `setup`, which is open; return what was done, in sentences.

        Raises:
            StoreError: the folder cannot be written.
        """
        waiting = [each for each in self.read()[0] if each.pending and not each.misfits(setup)]
        if not waiting or not setup.camera or setup.size is None:
            return []
        newest = waiting[0]
        self.update(setup, lambda known: known.model_copy(update={"pixel_size_um": newest.pixel_size_um}), wall_s)
        self.remove(waiting)
        return [f"the typed scale of {newest.pixel_size_um:g} µm belongs to {setup.describe()} from now on"]

    def remove(self, profiles: list[Calibration]) -> None:
        """Delete the files of `profiles`.

        Raises:
            StoreError: the folder cannot be written.
        """
        with self._alone():
            for each in profiles:
                self._remove(each)

    def named(self, start: str) -> Calibration:
        """Return the profile whose id is `start` or begins with it.

        Raises:
            SettingsError: there is none, or more than one.
        """
        found = [each for each in self.read()[0] if start and each.id.startswith(start)]
        if len(found) != 1:
            what = "no calibration has" if not found else f"{len(found)} calibrations have"
            raise SettingsError(f"{what} an id that begins with {start!r}; 'smearscope calibrate list' shows them")
        return found[0]

    def reset(self, start: str | None) -> list[Calibration]:
        """Delete the profile named by `start`, see `named`; all where it is None. Return what was deleted.

        Raises:
            SettingsError: no single profile is named so.
            StoreError: the folder cannot be written.
        """
        removed = self.read()[0] if start is None else [self.named(start)]
        self.remove(removed)
        return removed

    def objective(self) -> str:
        """Return the objective that was chosen with `use_objective`; at first the default one."""
        try:
            name = (self.folder / IN_USE).read_text(encoding="utf-8")[:100].strip()
        except (OSError, UnicodeDecodeError):
            return DEFAULT_OBJECTIVE
        return name if re.fullmatch(OBJECTIVE_PATTERN, name) else DEFAULT_OBJECTIVE

    def use_objective(self, name: str) -> None:
        """Remember `name` as the objective that is in the light path.

        Raises:
            StoreError: the folder cannot be written.
        """
        with self._alone() as folder:
            folder.write(IN_USE, f"{name}\n".encode())

    def _own(self, setup: OpticalSetup) -> Calibration | None:
        """Return the profile that a measurement with `setup` renews; what waits for a camera renews only its like."""
        profiles = self.read()[0]
        exact = [each for each in profiles if _same(each.setup, setup)]
        if exact or not setup.camera or setup.size is None:
            return exact[0] if exact else None
        return next((each for each in profiles if not each.pending and not each.misfits(setup)), None)

    def _remove(self, profile: Calibration) -> None:
        for path in self.folder.glob("*.json"):
            try:
                found = _read_profile(path)
            except SettingsError:
                continue
            if found is not None and found.id == profile.id and found.setup == profile.setup:
                path.unlink(missing_ok=True)

    @contextmanager
    def _alone(self) -> Iterator[OutputFolder]:
        """Open the folder for writing, for one process at a time."""
        with OutputFolder(self.folder, create=True) as folder, folder.alone():
            yield folder


def _same(one: OpticalSetup, other: OpticalSetup) -> bool:
    return replace(one, opened_as="") == replace(other, opened_as="")


def _bytes(profile: Calibration) -> bytes:
    return (profile.model_dump_json(indent=1) + "\n").encode()


def _read_profile(path: Path) -> Calibration | None:
    """Return the profile in `path`; None where there is no such file.

    Raises:
        SettingsError: it is damaged, or no regular file.
    """
    try:
        text = read_file(path, MAX_BYTES)
    except FileFault as error:
        if str(error) == MISSING:
            return None
        raise SettingsError(f"{printable(path)}: {error}; {_REMEDY}") from error
    try:
        return Calibration.model_validate_json(text)
    except ValidationError as error:
        fault = printable(first_fault(error, "content"))
        raise SettingsError(f"{printable(path)}: {fault}; {_REMEDY}") from error
