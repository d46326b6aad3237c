"""What is said of a store whose files belong to somebody else."""

import os
import re

import pytest

from device.store.database import LOCK, not_ours


@pytest.mark.parametrize(("owner", "said"), [
    (54321, "and its folder belong to 54321; run it as 54321"), (54322, "belongs to 54322, .*chown -R 54321: "),
])  # fmt: skip
@pytest.mark.skipif(os.geteuid() != 0, reason="giving a file to another user needs root")
def test_the_advice_names_who_can_help(tmp_path, monkeypatch, owner, said):
    (tmp_path / LOCK).touch()
    os.chown(tmp_path, 54321, 54321)
    os.chown(tmp_path / LOCK, owner, owner)
    monkeypatch.setattr(os, "access", lambda *_: False)  # as for a user who is not root
    found = not_ours(tmp_path / LOCK)
    assert found is not None
    assert re.search(said, found)
