"""`smearscope web`: the viewer in a browser, off until it is enabled, and who may use it."""

import functools
import ipaddress
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from device.actions.base import Role
from device.commands.options import config_option, data_option, settings_and_data
from device.control.client import ask
from device.control.protocol import ControlError
from device.data_folder import DATA_VARIABLE, SERVICE_DATA, service_data
from device.settings import load_settings
from device.system.memory import share_one_heap
from smear.errors import SettingsError
from smear.output_files import OutputFolder, printable
from web.accounts import MIN_PASSWORD, Accounts, first_password
from web.certificate import CERTIFICATE, fingerprint, own_certificate
from web.integrations import avahi

UNIT = "smearscope-web.service"
SERVICE_STATE = Path(f"{SERVICE_DATA}-web")
DROP_IN = Path(f"/etc/systemd/system/{UNIT}.d")
PORT = 8443
_LARGE_BYTES = 128 * 1024  # glibc's own: photographs and what the login hashes are given back at once
# What a unit that listens or publishes beyond this machine may talk to: addresses that no router passes on.
_LOCAL = "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 169.254.0.0/16 fc00::/7 fe80::/10"


def _state_folder(given: Path | None) -> Path:
    """Return where accounts and certificate are: --state, the unit's, or the user's own."""
    if given is not None:
        return given
    if named := os.environ.get("STATE_DIRECTORY"):
        return Path(named.split(":", 1)[0])
    if SERVICE_STATE.is_dir():
        return SERVICE_STATE
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "smearscope-web"


def _address(given: str) -> str:
    try:
        return str(ipaddress.ip_address(given))
    except ValueError:
        raise SettingsError(f"--listen {printable(given)!r} is no address; write numbers, as 127.0.0.1 or ::") from None


state_option = click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    callback=lambda ctx, param, given: _state_folder(given),
    help=f"Folder of accounts and certificate.  [default: {SERVICE_STATE}, or ~/.local/share/smearscope-web]",
)
listen_option = click.option(
    "--listen", metavar="ADDRESS", default="127.0.0.1", envvar="SMEARSCOPE_WEB_LISTEN", show_default=True,
    callback=lambda ctx, param, given: _address(given),
    help="Address to listen on; 0.0.0.0 or :: for the local network.",
)  # fmt: skip
port_option = click.option(
    "--port", type=click.IntRange(1, 65535), default=PORT, envvar="SMEARSCOPE_WEB_PORT", show_default=True
)
role_option = click.option(
    "--role", type=click.Choice([str(each) for each in Role]), default="viewer", show_default=True,
    help="What it may do.",
)  # fmt: skip


def _accounts(function: Callable[..., None]) -> Callable[..., Any]:
    """Give a command the accounts in --state."""

    @functools.wraps(function)
    def opened(*, state: Path, **values: Any) -> None:
        function(Accounts(state), **values)

    return state_option(opened)


@click.group()
def command() -> None:
    """Serve the device's pages and its API in a browser; closed by default."""


@command.command()
@listen_option
@port_option
@click.option("--tls", type=click.Choice(("own", "proxy", "off")), default="own", show_default=True,
              help="Own certificate; a proxy on this machine ends TLS; or none, for this machine alone.")  # fmt: skip
@click.option("--host", "hosts", multiple=True, metavar="NAME", help="Another name that browsers may call this by.")
@state_option
@data_option
@config_option
def serve(
    listen: str, port: int, tls: str, hosts: tuple[str, ...], state: Path, data_path: Path | None,
    config_path: Path | None,
) -> None:  # fmt: skip
    """Serve until Ctrl-C."""
    share_one_heap(_LARGE_BYTES)
    from web.app import create_app  # here: the other commands need no server
    from web.server import Listening, server_of
    from web.site import Site

    if "STATE_DIRECTORY" in os.environ and DATA_VARIABLE not in os.environ:  # the unit's, of accounts alone
        data_path = data_path or service_data()
    settings, data = settings_and_data(config_path, data_path)
    if tls != "own" and not ipaddress.ip_address(listen).is_loopback:
        raise SettingsError("without TLS of its own it listens on 127.0.0.1 alone: passwords would be read on the way")
    accounts = Accounts(state)
    _first_admin(accounts, data, printed="INVOCATION_ID" not in os.environ)
    certificate = own_certificate(state) if tls == "own" else None
    site = Site(data, settings, accounts, secure=tls != "off", config=config_path)
    site.about = {"address": _url("https" if certificate else "http", listen, port)}
    if certificate:
        site.about["fingerprint"] = fingerprint(certificate[0])
        click.echo(f"SHA-256 of the certificate: {site.about['fingerprint']}")
    site.say_where()
    click.echo(f"{site.about['address']}   (Ctrl-C ends it)")
    server_of(create_app(site, (*hosts, listen)), Listening(listen, port, certificate, tls == "proxy")).run()


@command.command()
@listen_option
@port_option
def enable(listen: str, port: int) -> None:
    """Start the service now and at each boot; the first time, print the password of its first user."""
    address = ipaddress.ip_address(listen)
    _systemctl("is-enabled", "--quiet", "smearscope.service", advice="install the device first: systemd/install.sh")
    if not SERVICE_STATE.is_dir():
        raise SettingsError(f"{SERVICE_STATE} is missing; run systemd/install.sh again")
    own_certificate(SERVICE_STATE)
    _first_admin(Accounts(SERVICE_STATE), service_data(), printed=True)
    beyond = not address.is_loopback or load_settings().mqtt.host is not None
    lines = ["[Service]", f"Environment=SMEARSCOPE_WEB_LISTEN={address} SMEARSCOPE_WEB_PORT={port}",
             f"SocketBindAllow=tcp:{port}", *([f"IPAddressAllow={_LOCAL}"] if beyond else [])]  # fmt: skip
    with OutputFolder(DROP_IN, create=True) as folder:
        folder.write("listen.conf", "\n".join([*lines, ""]).encode(), mode=0o644)
    _systemctl("daemon-reload")
    _systemctl("enable", "--quiet", UNIT)
    _systemctl("restart", UNIT)
    if address.is_loopback:
        avahi.withdraw()
    elif avahi.announce(port):
        click.echo(f"name         https://{socket.gethostname()}.local:{port}/")
    _say_where(SERVICE_STATE, str(address), port)


@command.command()
def disable() -> None:
    """Stop the service, now and at each boot; accounts and certificate stay."""
    _systemctl("disable", "--quiet", "--now", UNIT)
    avahi.withdraw()
    click.echo("the web is off")


@command.command()
@listen_option
@port_option
@state_option
def status(listen: str, port: int, state: Path) -> None:
    """Say whether the service runs, where, and by which fingerprint a browser recognises it."""
    shown = subprocess.run(
        ["systemctl", "show", UNIT, "--property=ActiveState,UnitFileState,Environment"],
        capture_output=True, text=True, check=False,
    ).stdout if Path("/run/systemd/system").is_dir() else ""  # fmt: skip
    about = dict(line.partition("=")[::2] for line in shown.splitlines())
    settings = dict(each.partition("=")[::2] for each in about.get("Environment", "").split())
    active = about.get("ActiveState", "inactive")
    click.echo(f"service      {active}, {about.get('UnitFileState') or 'not installed'}")
    _say_where(state, settings.get("SMEARSCOPE_WEB_LISTEN", listen), int(settings.get("SMEARSCOPE_WEB_PORT", port)))
    click.echo(f"users        {', '.join(f'{each.name} ({each.role})' for each in Accounts(state).users()) or 'none'}")


@command.group()
def user() -> None:
    """People who log in with a password."""


@user.command(name="add")
@click.argument("name")
@role_option
@_accounts
def add_user(accounts: Accounts, name: str, role: str) -> None:
    """Add the user NAME; the password is asked for, or read from standard input."""
    accounts.add_user(name, Role(role), _password())
    click.echo(f"{name} is {role}")


@user.command(name="list")
@_accounts
def list_users(accounts: Accounts) -> None:
    """List the users."""
    for each in accounts.users():
        click.echo(f"{each.name:32} {each.role}")


@user.command(name="remove")
@click.argument("name")
@_accounts
def remove_user(accounts: Accounts, name: str) -> None:
    """Remove the user NAME; a session of theirs ends."""
    accounts.remove_user(name)
    click.echo(f"{name} is removed")


@user.command()
@click.argument("name")
@_accounts
def password(accounts: Accounts, name: str) -> None:
    """Give the user NAME another password; sessions of theirs end."""
    accounts.change_user(name, password=_password())
    click.echo(f"{name} has another password")


@user.command(name="role")
@click.argument("name")
@click.argument("role", type=click.Choice([str(each) for each in Role]))
@_accounts
def change_role(accounts: Accounts, name: str, role: str) -> None:
    """Give the user NAME another role; sessions of theirs end."""
    accounts.change_user(name, role=Role(role))
    click.echo(f"{name} is {role}")


@command.group()
def token() -> None:
    """Tokens for programs that use the API."""


@token.command(name="add")
@click.argument("name")
@role_option
@click.option("--days", type=click.IntRange(1, 366), default=90, show_default=True, help="When it ends.")
@_accounts
def add_token(accounts: Accounts, name: str, role: str, days: int) -> None:
    """Add the token NAME and print it, once."""
    click.echo(accounts.add_token(name, Role(role), days))


@token.command(name="list")
@_accounts
def list_tokens(accounts: Accounts) -> None:
    """List the tokens and when each ends."""
    for each in accounts.tokens():
        click.echo(f"{each.name:32} {each.role:9} until {datetime.fromtimestamp(each.ends_s, UTC):%Y-%m-%d %H:%M} UTC")


@token.command(name="remove")
@click.argument("name")
@_accounts
def remove_token(accounts: Accounts, name: str) -> None:
    """Remove the token NAME."""
    accounts.remove_token(name)
    click.echo(f"{name} is removed")


def _first_admin(accounts: Accounts, data: Path, printed: bool) -> None:
    """Make the first user where there is none, print the password and have the device show it: it is kept nowhere."""
    if accounts.users():
        return
    if not printed:  # it would stay in the journal
        raise SettingsError("nobody may log in yet; run: sudo smearscope web enable")
    made = first_password()
    accounts.add_user("admin", Role.ADMIN, made)
    click.echo(f"The first user is admin, with the password {made}   (shown this once)")
    with suppress(ControlError):  # no device is running that could
        ask(data, "web is", only=data != service_data(), password=made)


def _password() -> str:
    prompt = f"Password, at least {MIN_PASSWORD} characters"
    return str(click.prompt(prompt, hide_input=True, confirmation_prompt=sys.stdin.isatty(), err=True))


def _say_where(state: Path, listen: str, port: int) -> None:
    click.echo(f"address      {_url('https', listen, port)}")
    if (certificate := state / CERTIFICATE).is_file():
        click.echo(f"certificate  SHA-256 {fingerprint(certificate)}")


def _url(scheme: str, listen: str, port: int) -> str:
    name = socket.gethostname() if ipaddress.ip_address(listen).is_unspecified else listen  # a browser needs one
    return f"{scheme}://{f'[{name}]' if ':' in name else name}:{port}/"


def _systemctl(*words: str, advice: str = "see 'journalctl -u smearscope-web'; run this with sudo") -> None:
    try:
        done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise SettingsError("there is no systemd here; on a desktop: smearscope web serve") from None
    if done.returncode:
        reason = printable(" ".join(done.stderr.split()))
        raise SettingsError(f"systemctl {' '.join(words)}: {reason or 'failed'}; {advice}")
