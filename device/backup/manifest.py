"""What one backup holds: each file with its checksum, and the moment that the records show."""

import hashlib
import re
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from device.backup.targets import Target
from smear.errors import StoreError, first_fault

_PART = r"[^/.\x00][^/\x00]*"  # of a path: it leads nowhere else, and names no hidden file
_Path = Annotated[str, StringConstraints(pattern=rf"^{_PART}(/{_PART})*$")]
_NAME = re.compile(r"([0-9]{8}T[0-9]{6}Z-([0-9a-f]{8})-[0-9a-f]{8})\.json", re.ASCII)


class Entry(NamedTuple):
    """One file of a backup."""

    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    bytes: Annotated[int, Field(ge=0)]
    mode: Annotated[int, Field(ge=0, le=0o777)] = 0o640  # who may read it: a password file stays one

    @property
    def object(self) -> str:
        """Where its content is in the target: files of the same content share it."""
        return f"objects/{self.sha256[:2]}/{self.sha256}"


class Manifest(BaseModel):
    """One backup. It is written last, so that all that it names is there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["smearscope backup"] = "smearscope backup"
    schema_version: int = Field(default=1, ge=1, le=1)
    smearscope: str  # version that made it
    device: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}$")]  # as in the names of exported files
    moment: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
    files: dict[_Path, Entry]  # by the path below the data folder
    links: dict[_Path, Annotated[str, StringConstraints(pattern=rf"^{_PART}$")]]  # each to a name in its own folder
    missing: tuple[str, ...]  # photographs that records name and that the device had lost


def write_manifest(target: Target, manifest: Manifest) -> str:
    """Write `manifest`; return the backup's id: its moment, device and the beginning of the manifest's checksum."""
    data = manifest.model_dump_json().encode()
    backup = f"{re.sub('[-:]', '', manifest.moment)}-{manifest.device}-{hashlib.sha256(data).hexdigest()[:8]}"
    target.write(f"{backup}.json", data)
    return backup


def backup_ids(target: Target, device: str | None = None) -> list[str]:
    """Return the ids of the backups in `target`, newest first; only of `device`, where it is given."""
    found = [match for name in target.files() if (match := _NAME.fullmatch(name))]
    return sorted((match[1] for match in found if device in {None, match[2]}), reverse=True)


def read_manifest(target: Target, backup: str) -> Manifest:
    """Return the backup with this id.

    Raises:
        StoreError: its manifest is damaged, or of another program.
    """
    where, data = f"{target.name}: {backup}.json", b"".join(target.read(f"{backup}.json"))
    if not backup.endswith(hashlib.sha256(data).hexdigest()[:8]):
        raise StoreError(f"{where} is damaged, it does not match the checksum in its name; take another backup")
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        fault = first_fault(error)
        raise StoreError(f"{where} is none that this smearscope reads ({fault}); upgrade, or take another") from error


def chosen_backup(target: Target, start: str | None) -> str:
    """Return the id that begins with `start`; without it the newest, where all are of one device.

    Raises:
        StoreError: there is none, or several may be meant.
    """
    everything = backup_ids(target)
    found = [each for each in everything if each.startswith(start or "")]
    if not everything:
        raise StoreError(f"{target.name} holds no backup of smearscope; give the DEST of 'smearscope backup'")
    if not found or len(found if start else {each.split("-")[1] for each in found}) > 1:
        raise StoreError(f"which backup in {target.name}? give --backup one of {', '.join(found or everything)}")
    return found[0]
