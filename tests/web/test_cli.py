"""`smearscope web` from the command line: off until enabled, accounts, and what it needs."""

import os
import re
import socket
import stat
import sys
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from device.cli import cli
from web import certificate
from web.accounts import FILE, Accounts
from web.cli import UNIT


@pytest.fixture
def state(tmp_path, monkeypatch):
    folder = tmp_path / "state"
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setattr("web.cli.SERVICE_STATE", folder)
    monkeypatch.setattr("web.cli.DROP_IN", tmp_path / "drop-in")
    monkeypatch.setattr("web.integrations.avahi.SERVICES", tmp_path / "avahi")
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def systemctl(tmp_path, monkeypatch):
    """A systemctl that notes what it was asked for."""
    asked = tmp_path / "asked"
    asked.touch()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/systemctl").write_text(f'#!/bin/sh\necho "$@" >> {asked}\n')
    (tmp_path / "bin/systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return lambda: asked.read_text().splitlines()


def web(*words, code=0, given=None):
    result = CliRunner().invoke(cli, ["web", *words], input=given, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def test_enabling_makes_the_first_password_once_and_opens_only_what_was_asked_for(state, systemctl, tmp_path):
    said = web("enable").output
    password = re.search(r"first user is admin, with the password (\S+) ", said)[1]
    assert Accounts(state).login("admin", password).role == "admin"
    assert '"$argon2id$' in (state / FILE).read_text()
    assert certificate.fingerprint(state / "certificate.pem") in said
    text = (tmp_path / "drop-in/listen.conf").read_text()
    assert "SMEARSCOPE_WEB_LISTEN=127.0.0.1 SMEARSCOPE_WEB_PORT=8443\nSocketBindAllow=tcp:8443\n" in text
    assert "IPAddressAllow" not in text
    assert systemctl()[-2:] == [f"enable --quiet {UNIT}", f"restart {UNIT}"]
    again = web("enable", "--listen", "0.0.0.0", "--port", "9443").output
    assert "password" not in again
    assert "IPAddressAllow=10.0.0.0/8" in (tmp_path / "drop-in/listen.conf").read_text()
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in state.iterdir()} == {
        FILE: 0o600, "certificate.pem": 0o600, "key.pem": 0o600
    }  # fmt: skip
    assert "off" in web("disable").output
    assert systemctl()[-1] == f"disable --quiet --now {UNIT}"
    assert "users        admin (admin)" in web("status").output


def test_the_service_serves_the_folder_that_the_settings_of_the_device_name(state, tmp_path, monkeypatch):
    (config := tmp_path / "config.toml").write_text(f'[store]\nfolder = "{tmp_path / "disk"}"\n')
    monkeypatch.setattr("device.data_folder.SYSTEM_FILE", config)
    monkeypatch.delenv("SMEARSCOPE_DATA_DIR", raising=False)
    unit = (Path(__file__).parents[2] / "systemd" / UNIT).read_text()
    assert "SMEARSCOPE_DATA_DIR" not in unit
    monkeypatch.setenv("STATE_DIRECTORY", str(state))  # as systemd does
    web("user", "add", "ada", "--role", "admin", given="a long password\n")
    served = []
    monkeypatch.setattr(
        "web.server.server_of",
        lambda app, where: SimpleNamespace(run=lambda: served.append(app.state.site)),
    )
    web("serve", "--tls", "off")
    assert [(each.data, each.of_service) for each in served] == [(tmp_path / "disk", True)]
    monkeypatch.setenv("SMEARSCOPE_DATA_DIR", str(tmp_path / "other"))
    web("serve", "--tls", "off")
    assert (served[1].data, served[1].of_service) == (tmp_path / "other", False)


def test_the_local_network_is_told_where_the_pages_are_while_they_are_for_it(state, systemctl, tmp_path, monkeypatch):
    announced = tmp_path / "avahi/smearscope.service"
    web("enable", "--listen", "::")
    assert not announced.exists()  # no Avahi here
    announced.parent.mkdir()
    assert f"https://{socket.gethostname()}.local:9443/" in web("enable", "--listen", "::", "--port", "9443").output
    assert ElementTree.parse(announced).findtext("service/port") == "9443"
    web("enable")
    assert not announced.exists()
    web("enable", "--listen", "0.0.0.0")
    assert announced.exists()
    web("disable")
    assert not announced.exists()
    (tmp_path / "config.toml").write_text('[mqtt]\nhost = "broker"\n')
    monkeypatch.setenv("SMEARSCOPE_CONFIG", str(tmp_path / "config.toml"))
    web("enable")
    assert "IPAddressAllow=10.0.0.0/8" in (tmp_path / "drop-in/listen.conf").read_text()


def test_accounts_are_added_changed_and_removed(state):
    long = "a long password\n"
    web("user", "add", "ada", "--role", "admin", given=long)
    web("user", "add", "olga", given=long)
    web("user", "role", "olga", "operator")
    web("user", "password", "olga", given="another password\n")
    assert web("user", "list").output.split() == ["ada", "admin", "olga", "operator"]
    assert Accounts(state).login("olga", "another password").name == "olga"
    web("user", "remove", "olga")
    assert Accounts(state).login("olga", "another password") is None
    secret = web("token", "add", "lims", "--days", "1").output.strip()
    assert secret not in (state / FILE).read_text()
    assert Accounts(state).bearer(secret).name == "lims"
    assert web("token", "list").output.startswith("lims")
    web("token", "remove", "lims")
    assert Accounts(state).bearer(secret) is None


@pytest.mark.parametrize(
    ("words", "given", "said"),
    [
        (("user", "add", "bob"), "short\n", "a password has 12 to 200 characters"),
        (("user", "add", "ada"), "a long password\n", "ada is there already"),
        (("user", "add", "a b"), "a long password\n", "a name has 1 to 32 letters"),
        (("user", "remove", "eve"), "", "there is no 'eve'; 'smearscope web user list'"),
        (("user", "remove", "ada"), "", "the last admin stays"),
        (("user", "role", "ada", "viewer"), "", "the last admin stays"),
        (("token", "remove", "x"), "", "there is no 'x'; 'smearscope web token list'"),
        (("serve", "--tls", "off", "--listen", "0.0.0.0"), "", "passwords would be read on the way"),
        (("enable", "--listen", "localhost"), "", "--listen 'localhost' is no address"),
    ],
)
def test_what_cannot_be_done_with_accounts_is_said_in_one_line(state, words, given, said):
    web("user", "add", "ada", "--role", "admin", given="a long password\n")
    error = web(*words, code=1, given=given).stderr.splitlines()[-1]
    assert error.startswith("smearscope: ")
    assert said in error


def test_a_damaged_file_of_accounts_lets_nobody_in_and_is_named(state):
    (state / FILE).write_text("{")
    assert f"{state / FILE}: it is damaged" in web("user", "list", code=1).stderr


def test_a_service_without_users_prints_no_password_into_the_journal(state, monkeypatch):
    monkeypatch.setenv("INVOCATION_ID", "1")
    assert "run: sudo smearscope web enable" in web("serve", code=1).stderr


def test_without_the_extra_one_line_says_what_to_install(monkeypatch):
    for name in [each for each in sys.modules if each.split(".")[0] in {"web", "argon2"}]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "argon2", None)
    error = web("status", code=1).stderr
    assert (
        error == "smearscope: 'web' needs the Python package 'argon2'; install it with: pip install 'smearscope[web]'\n"
    )
