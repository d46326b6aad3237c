"""The address of a camera in the network, who may use it, and what the service must be allowed to reach it."""

import netrc
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import quote, urlsplit

from device.cameras.uri import CameraName
from smear.errors import CameraError

DEFAULT_PORTS = {"http": 80, "https": 443, "rtsp": 554}
OF_THE_SERVICE = Path("/etc/smearscope/cameras.netrc")
_OF_OTHERS = 0o077


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a camera asks for before it gives pictures; never part of a text that anybody reads."""

    user: str
    password: str

    def __repr__(self) -> str:
        return "Credentials(...)"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a camera is; `path` is as it is requested, with its query."""

    name: str  # as the camera is called; free of credentials, see `device.cameras.uri.parse_name`
    scheme: str
    host: str
    port: int
    path: str

    def requested(self, credentials: Credentials | None) -> str:
        """Return the path with what stands for `{user}` and `{password}` in it.

        Raises:
            CameraError: it asks for credentials, and there are none.
        """
        if "{user}" not in self.path and "{password}" not in self.path:
            return self.path
        if credentials is None:
            raise CameraError(f"camera {self.name}: {no_credentials(self.host)}")
        named = self.path.replace("{user}", quote(credentials.user, safe=""))
        return named.replace("{password}", quote(credentials.password, safe=""))


def address_of(name: CameraName) -> Address:
    """Return the address that the camera's name is.

    Raises:
        CameraError: it is none.
    """
    example = f"{name.kind}://192.0.2.20/video"
    try:
        parts = urlsplit(name.text)
        host, port = parts.hostname or "", parts.port or DEFAULT_PORTS[name.kind]
        host.encode("idna")
    except ValueError:
        host, port = "", 0
    if not host or not name.text.isprintable() or " " in name.text:
        raise CameraError(f"camera {name.text!r} is no address; write it like {example}")
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~{}") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii():
        raise CameraError(f"camera {name.text!r}: write what follows `?` in ASCII, with %XX for other letters")
    return Address(name.text, name.kind, host, port, path)


def credentials_files() -> tuple[Path, Path]:
    """Return where credentials are looked for: the service's file, then that of this user."""
    return OF_THE_SERVICE, Path.home() / ".config/smearscope/cameras.netrc"


def no_credentials(host: str) -> str:
    """Return what to do where a camera asks for credentials that nobody has written down."""
    files = " or ".join(map(str, credentials_files()))
    return (
        f"asks for a user name and password; write `machine {host} login NAME password PASSWORD` to {files}, mode 600"
    )


def credentials_for(address: Address) -> Credentials | None:
    """Return the credentials for `address` from the first file that exists; None: there are none.

    The file is in the format of netrc; a `machine` is a host, or a host and its port as `192.0.2.20:8080`.

    Raises:
        CameraError: others than its owner may read the file, or it is no such file.
    """
    for path in credentials_files():
        try:
            if path.stat().st_mode & _OF_OTHERS:
                raise CameraError(f"camera {address.name}: {path} may be read by others; `chmod 600 {path}`")
            machines = netrc.netrc(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise CameraError(
                f"camera {address.name}: {path} cannot be read ({error.strerror}); it must belong to the user that "
                "opens the camera: `smearscope`, for the service"
            ) from None
        except (netrc.NetrcParseError, ValueError) as error:  # whose text may be the password itself
            line = getattr(error, "lineno", None)
            raise CameraError(
                f"camera {address.name}: {path}{f', line {line}' if line else ''} is not understood; write "
                "`machine HOST login NAME password PASSWORD`"
            ) from None
        found = machines.authenticators(f"{address.host}:{address.port}") or machines.authenticators(address.host)
        return Credentials(found[0] or "", found[2] or "") if found else None
    return None


def drop_in(name: CameraName) -> str:
    """Return the settings of systemd with which the service reaches this camera, and nothing else in the network.

    Raises:
        CameraError: the address has a name in place of numbers, which the service could ask nobody for.
    """
    return numeric_drop_in(name, address_of(name).host)


def numeric_drop_in(name: CameraName, host: str) -> str:
    """Return the same for the camera at `host`."""
    try:
        number = ip_address(host)
    except ValueError:
        raise CameraError(
            f"camera {name.text}: the service may ask no name server; write a numeric address, not "
            f"{host or 'none'} (`getent hosts NAME`)"
        ) from None
    return (
        "[Service]\n"
        "PrivateNetwork=no\n"
        f"RestrictAddressFamilies={'AF_INET' if number.version == 4 else 'AF_INET6'}\n"
        f"IPAddressAllow={number}\n"
    )
