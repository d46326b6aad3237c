"""Where backups are kept: a folder, or a bucket of S3. Names are relative paths; a file is there whole or not."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from device.cameras.uri import without_credentials
from smear.errors import StoreError, first_line
from smear.output_files import OutputFolder, printable

S3 = "s3://"
SCRATCH = ".snapshot-"  # begins the name of the folder in which the database is copied
_CHUNK = 1 << 20
_MODE = 0o600  # a data folder may hold passwords: only the owner of the backup reads it
_LEFT_AFTER_S = 86_400.0  # what a killed backup left unfinished is removed once it is so old


class Target:
    """A folder that holds backups."""

    def __init__(self, path: Path) -> None:
        if not path.is_dir():  # never made: it may lie on a disk that is not mounted
            raise StoreError(f"{printable(path)} is no folder; attach its disk, or make it, and try again")
        self.name = printable(path)
        self.scratch = path  # for a copy of the database while a backup is taken

    def files(self) -> dict[str, int]:
        """Return the bytes of each file, by name; what killed backups left is removed."""
        for each in [*self.scratch.glob(f"{SCRATCH}*"), *self.scratch.glob("objects/??/.*.part")]:
            with suppress(OSError):  # of another device, which has just finished
                if time.time() - each.stat().st_mtime > _LEFT_AFTER_S:
                    shutil.rmtree(each) if each.is_dir() else each.unlink()
        found = [*self.scratch.glob("*.json"), *self.scratch.glob("objects/??/[!.]*")]
        return {each.relative_to(self.scratch).as_posix(): each.stat().st_size for each in found}

    def write(self, name: str, content: bytes | Path) -> None:
        """Write a file; `content` is its content, or a file that does not change."""
        with OutputFolder(self.scratch) as folder, folder.writing(name, mode=_MODE) as out:
            if isinstance(content, bytes):
                out.write(content)
                return
            with content.open("rb") as source:
                shutil.copyfileobj(source, out, _CHUNK)

    def read(self, name: str) -> Iterator[bytes]:
        """Yield the content of a file, part by part.

        Raises:
            FileNotFoundError: there is none.
        """
        with (self.scratch / name).open("rb") as file:
            yield from iter(lambda: file.read(_CHUNK), b"")


class _Bucket(Target):
    """A path in a bucket; address and credentials come from where every client of S3 takes them."""

    def __init__(self, address: str) -> None:
        import s3fs  # here: a backup to a folder does without

        self.name = printable(address.rstrip("/"))
        if not self.name.startswith(S3):
            raise StoreError(f"{printable(address)} names no bucket; write s3://BUCKET/PATH")
        self.scratch = Path("/var/tmp")  # on a disk, where /tmp may be memory
        self._root = self.name.removeprefix(S3) + "/"
        # Listings are not remembered: another device may write into the same bucket.
        self._files: Any = s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)

    def files(self) -> dict[str, int]:
        with self._explained():
            found = self._files.find(self._root, detail=True)
        return {name.removeprefix(self._root): about["size"] for name, about in found.items()}

    def write(self, name: str, content: bytes | Path) -> None:
        with self._explained():
            if isinstance(content, bytes):
                self._files.pipe_file(self._root + name, content)
            else:
                self._files.put_file(str(content), self._root + name)

    def read(self, name: str) -> Iterator[bytes]:
        with self._explained(may_lack=True), self._files.open(self._root + name, "rb") as file:
            yield from iter(lambda: file.read(_CHUNK), b"")

    @contextmanager
    def _explained(self, may_lack: bool = False) -> Iterator[None]:
        from aiohttp import ClientError
        from botocore.exceptions import BotoCoreError

        try:
            yield
        except (OSError, BotoCoreError, ClientError, ValueError) as error:  # the last: AWS_ENDPOINT_URL is no address
            if may_lack and isinstance(error, FileNotFoundError):
                raise
            advice = "check the address, AWS_ENDPOINT_URL and the credentials"
            raise StoreError(f"{self.name}: {without_credentials(first_line(error))}; {advice}") from None


def open_target(where: str) -> Target:
    """Return the target at a folder or an s3:// address.

    Raises:
        StoreError: there is no such folder.
    """
    return _Bucket(where) if where.startswith(S3) else Target(Path(where))
