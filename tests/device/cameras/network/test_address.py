"""Addresses of cameras: what is one, what is kept out of it, and what the service needs for it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from device.cameras.network.address import address_of
from device.cameras.registry import camera_drop_in, camera_kind
from device.cameras.uri import parse_name, without_credentials
from device.cli import cli
from smear.errors import CameraError

SECRETS = [
    "http://lab:s3cret@192.0.2.20/video",
    "http://s3cret@192.0.2.20/video",
    "http://lab:s3cret/%40@192.0.2.20:8080/video",
    "http://lab:s3cret@more@192.0.2.20/video",
    "http://192.0.2.20/snapshot.cgi?user=lab&pwd=s3cret",
    "https://192.0.2.20/v?loginpas=s3cret&next=1",
    "http://192.0.2.20/v?access_token=s3cret",
    "rtsp://192.0.2.20/user=admin&password=s3cret&channel=1",
    "v4l2:rtsp://lab:s3cret@192.0.2.20/video",
]


@pytest.mark.parametrize("name", SECRETS)
def test_a_password_in_the_address_is_refused(name: str) -> None:
    assert "s3cret" not in without_credentials(name)
    with pytest.raises(CameraError, match="leave user name and password out") as caught:
        camera_kind(name)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("name", [SECRETS[0], SECRETS[4]])
def test_no_command_shows_it(name: str, tmp_path: Path) -> None:
    settings = tmp_path / "config.toml"
    settings.write_text(f"[camera]\nname = {json.dumps(name)}\n")
    where = ["--config", str(settings), "--data", str(tmp_path / "data")]
    for words in (
        ["config", "check"],
        ["config", "show"],
        ["cameras", "list"],
        ["cameras", "show", name],
        ["doctor"],
        ["doctor", "--camera", name],
        ["run", "--camera", name, "--display", "none", "--fields", "1"],
        ["capture", "--camera", name, str(tmp_path / "x.jpg")],
    ):
        plain = [] if name in words else where[:2]
        done = CliRunner().invoke(cli, [*words, *plain])
        assert done.exit_code != 0, words
        assert "s3cret" not in done.output, words


@pytest.mark.parametrize(
    "name",
    [
        "http://192.0.2.20/video?size=full",
        "http://192.0.2.20:8080/axis@1/video",
        "http://[2001:db8::1]:8080/a@b",
        "http://192.0.2.20/v?user={user}&pwd={password}",
        "files:/fields@home//s3cret",
        "v4l2:/dev/v4l/by-id/usb-Maker_Scope@1",
    ],
)
def test_a_name_without_a_password_stays_as_it_is(name: str) -> None:
    assert without_credentials(name) == name
    assert parse_name(name).text == name


@pytest.mark.parametrize(
    ("name", "host", "port", "path"),
    [
        ("http://192.0.2.20", "192.0.2.20", 80, "/"),
        ("https://scope.local/a b".replace(" ", "%20"), "scope.local", 443, "/a%20b"),
        ("rtsp://[2001:db8::1]:8554/live?x=1&y=2", "2001:db8::1", 8554, "/live?x=1&y=2"),
        ("http://scope:8080/größe", "scope", 8080, "/gr%C3%B6%C3%9Fe"),
    ],
)
def test_an_address_is_split_into_its_parts(name: str, host: str, port: int, path: str) -> None:
    address = address_of(parse_name(name))
    assert (address.host, address.port, address.path) == (host, port, path)


@pytest.mark.parametrize(
    "name", ["http:", "http://", "http:///video", "http://a:port/", "http://a/\r\nHost: b", "http://a/b c", "rtsp://[x"]
)
def test_what_is_no_address_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(CameraError, match="write it like") as caught:
        address_of(parse_name(name))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("host", "family"), [("192.0.2.20", "AF_INET"), ("[2001:db8::1]", "AF_INET6")])
def test_the_drop_in_opens_one_address(host: str, family: str) -> None:
    done = CliRunner().invoke(cli, ["cameras", "allow", f"rtsp://{host}:8554/live"])
    assert done.exit_code == 0
    assert done.output == (
        f"[Service]\nPrivateNetwork=no\nRestrictAddressFamilies={family}\nIPAddressAllow={host.strip('[]')}\n"
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("http://scope.local/video", "write a numeric address, not scope.local"),
        ("simulated:", "needs nothing"),
    ],
)
def test_no_drop_in_is_given_where_none_helps(name: str, said: str) -> None:
    with pytest.raises(CameraError, match=said):
        camera_drop_in(name)
