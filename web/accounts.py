"""Who may use the web: users with passwords, and tokens for programs, in one file that only their owner reads."""

import hashlib
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from pydantic import BaseModel, ConfigDict, ValidationError

from device.actions.base import Role
from device.system.clock import Clock, SystemClock
from smear.errors import SmearscopeError
from smear.output_files import OutputFolder, printable

FILE = "accounts.json"
MIN_PASSWORD, MAX_PASSWORD = 12, 200  # characters; the upper one bounds what is hashed for a stranger
MAX_DAYS = 366  # of a token
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # those that nobody confuses on a screen
# Argon2id with 19 MiB, 2 passes, 1 lane: OWASP's password storage cheat sheet. Four lanes of 64 MiB, the library's own
# default, would take a third of the service's memory.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


class AccountError(SmearscopeError):
    """An account cannot be made, changed or read."""


class _Stored(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class User(_Stored):
    """A person."""

    name: str
    role: Role
    password: str  # Argon2id, with its salt and costs


class Token(_Stored):
    """What a program shows in place of a password, until it ends."""

    name: str
    role: Role
    sha256: str  # of the secret, which is random and so needs no salt
    ends_s: float


class _File(_Stored):
    users: tuple[User, ...] = ()
    tokens: tuple[Token, ...] = ()


class Accounts:
    """The accounts in one folder; what a command changes there holds for the next request of a running server."""

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self._folder = folder
        self._clock = clock or SystemClock()
        self._read: tuple[tuple[int, int], _File] | None = None

    def users(self) -> tuple[User, ...]:
        """Return all users."""
        return self._file().users

    def tokens(self) -> tuple[Token, ...]:
        """Return all tokens, ended ones included."""
        return self._file().tokens

    def login(self, name: str, password: str) -> User | None:
        """Return the user of that name and password; None takes as long where there is no such user."""
        user = next((each for each in self.users() if each.name == name), None)
        try:
            _HASHER.verify(user.password if user else _NOBODY, password[:MAX_PASSWORD])
        except VerificationError:
            return None
        return user

    def bearer(self, secret: str) -> Token | None:
        """Return the token with that secret, unless it has ended."""
        found, now_s = _sha256(secret), self._clock.wall_s()
        return next(
            (each for each in self.tokens() if secrets.compare_digest(each.sha256, found) and now_s < each.ends_s), None
        )

    def add_user(self, name: str, role: Role, password: str) -> None:
        """Add a user.

        Raises:
            AccountError: the name is taken or cannot be used, or the password is too short.
        """
        user = User(name=_checked(name), role=role, password=_hashed(password))
        self._change(lambda file: _added(file, "users", user))

    def change_user(self, name: str, *, role: Role | None = None, password: str | None = None) -> None:
        """Give a user another role or password, which ends the user's sessions.

        Raises:
            AccountError: there is no such user, no admin would be left, or the password is too short.
        """
        new = ({} if role is None else {"role": role}) | ({} if password is None else {"password": _hashed(password)})
        self._change(lambda file: _with_admin(_replaced(file, name, lambda user: user.model_copy(update=new))))

    def remove_user(self, name: str) -> None:
        """Remove a user, which ends the user's sessions.

        Raises:
            AccountError: there is no such user, or no admin would be left.
        """
        self._change(lambda file: _with_admin(_removed(file, "users", name)))

    def add_token(self, name: str, role: Role, days: int) -> str:
        """Add a token and return its secret, which is kept nowhere.

        Raises:
            AccountError: the name is taken or cannot be used.
        """
        secret = secrets.token_urlsafe(32)
        ends_s = self._clock.wall_s() + min(days, MAX_DAYS) * 24 * 3600
        token = Token(name=_checked(name), role=role, sha256=_sha256(secret), ends_s=ends_s)
        self._change(lambda file: _added(file, "tokens", token))
        return secret

    def remove_token(self, name: str) -> None:
        """Remove a token.

        Raises:
            AccountError: there is none of that name.
        """
        self._change(lambda file: _removed(file, "tokens", name))

    def _file(self) -> _File:
        path = self._folder / FILE
        try:
            about = path.stat()
            key = about.st_ino, about.st_mtime_ns
            if self._read is None or self._read[0] != key:
                self._read = key, _File.model_validate_json(path.read_bytes())
            return self._read[1]
        except FileNotFoundError:
            return _File()
        except (OSError, ValidationError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is damaged"
            raise AccountError(f"{printable(path)}: {reason}; run this as its owner or with sudo") from error

    def _change(self, change: Callable[[_File], _File]) -> None:
        """Change the file, while no other process does."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder = OutputFolder(self._folder)
        except (OSError, SmearscopeError) as error:
            raise AccountError(
                f"{printable(self._folder)}: cannot be changed by this user; run this with sudo"
            ) from error
        with folder, folder.alone():
            write_owned(self._folder, FILE, change(self._file()).model_dump_json().encode())


def write_owned(folder: Path, name: str, content: bytes) -> None:
    """Write a file that only the owner of `folder` may read, whoever writes it."""
    owner = folder.stat()
    with OutputFolder(folder) as out:
        out.write(name, content, mode=0o600)
    if os.geteuid() == 0:
        os.chown(folder / name, owner.st_uid, owner.st_gid)


def first_password() -> str:
    """Return a password of 79 random bits that can be copied from a screen by hand."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))


def _hashed(password: str) -> str:
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise AccountError(f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters; choose another one")
    return _HASHER.hash(password)


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise AccountError("a name has 1 to 32 letters, digits, . _ and -, and begins with a letter or digit")
    return name


def _added(file: _File, kind: str, new: User | Token) -> _File:
    known = getattr(file, kind)
    if new.name in {each.name for each in known}:
        raise AccountError(f"{new.name} is there already; remove it first, or choose another name")
    return file.model_copy(update={kind: (*known, new)})


def _removed(file: _File, kind: str, name: str) -> _File:
    known = getattr(file, kind)
    if name not in {each.name for each in known}:
        raise AccountError(f"there is no {printable(name)!r}; 'smearscope web {kind[:-1]} list' shows what there is")
    return file.model_copy(update={kind: tuple(each for each in known if each.name != name)})


def _replaced(file: _File, name: str, change: Callable[[User], User]) -> _File:
    _removed(file, "users", name)
    return file.model_copy(update={"users": tuple(change(each) if each.name == name else each for each in file.users)})


def _with_admin(file: _File) -> _File:
    if not any(each.role is Role.ADMIN for each in file.users):
        raise AccountError("the last admin stays; make another one first: smearscope web user add NAME --role admin")
    return file


_NOBODY = _HASHER.hash(first_password())
