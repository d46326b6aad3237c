"""A client that a generator made of our own document, against a server with TLS: what a stranger's program would do."""

import importlib
import json
import ssl
import subprocess
import sys

from device.actions.base import Role
from tests.device.store.review.signed import filled
from tests.web.test_serving import served
from web.certificate import own_certificate
from web.openapi import document


def test_a_generated_client_logs_in_by_token_lists_the_slides_and_shows_and_changes_one(tmp_path, monkeypatch):
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    (tmp_path / "openapi.json").write_text(json.dumps(document()))
    (tmp_path / "config.yml").write_text("post_hooks: []\n")
    command = (sys.executable, "-m", "openapi_python_client", "generate", "--path", "openapi.json", "--meta", "none",
               "--config", "config.yml", "--output-path", "generated_client")  # fmt: skip
    made = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    monkeypatch.syspath_prepend(tmp_path)
    client, listing, showing, renaming, body = (
        importlib.import_module(f"generated_client.{name}")
        for name in (
            "client",
            "api.default.slides_list",
            "api.default.slides_show",
            "api.default.slides_rename",
            "models",
        )
    )
    (tmp_path / "state").mkdir()
    certificate = own_certificate(tmp_path / "state")
    known = ssl.create_default_context(cafile=certificate[0])
    with served(filled(tmp_path / "data"), tmp_path / "state", certificate) as ((_, port), accounts):

        def logged_in(secret):
            return client.AuthenticatedClient(f"https://localhost:{port}", token=secret, verify_ssl=known)

        with logged_in(accounts.add_token("t", Role.OPERATOR, 1)) as api:
            slides = listing.sync(client=api, limit=2).to_dict()["slides"]
            assert [each["name"] for each in slides] == ["C-3", "B-2"]
            assert showing.sync(client=api, slide=str(slides[1]["id"])).to_dict()["fields_total"] == 2
            renaming.sync(client=api, body=body.SlidesRenameRename(slide="B-2", name="B-4"))
            assert showing.sync(client=api, slide="B-4").to_dict()["id"] == slides[1]["id"]
            assert "no slide 99" in showing.sync(client=api, slide="99").error
        with logged_in("wrong") as api:
            assert listing.sync(client=api).error == "log in, or send a token"
