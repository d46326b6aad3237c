"""`smearscope slides report`, from the command line."""

import pytest
from click.testing import CliRunner

from device.cli import cli
from device.slide_report import printing
from device.slide_report.printing import PrintingError
from device.store import Store
from tests.device.findings import finding, frame


@pytest.fixture
def data(tmp_path):  # type: ignore[no-untyped-def]
    with Store.record(tmp_path / "data") as store:
        store.add_field(store.start_slide("A-17"), frame(1), finding("Pre"))
    return tmp_path / "data"


def run(data, *words):  # type: ignore[no-untyped-def]
    return CliRunner().invoke(cli, ["slides", "--data", str(data), "report", "A-17", *words])


def test_a_report_is_a_page_in_a_folder_or_a_file_of_its_own_name(data, tmp_path):
    for out, file in ((tmp_path, "slide-1.html"), (tmp_path / "a.HTML", "a.HTML")):
        assert run(data, "--out", str(out)).stdout.endswith(f"{file}\n")
        assert "<bdi>A-17</bdi>" in (tmp_path / file).read_text()


def test_a_pdf_is_printed_and_a_failure_leaves_the_old_one(data, tmp_path, monkeypatch):
    monkeypatch.setattr(printing, "print_page", lambda page: b"%PDF " + page[:15].encode())
    run(data, "--out", str(tmp_path / "a.pdf"))
    assert (tmp_path / "a.pdf").read_bytes() == b"%PDF <!doctype html>"

    def fail(page: str) -> bytes:
        raise PrintingError("no Chromium to print with")

    monkeypatch.setattr(printing, "print_page", fail)
    failed = run(data, "--out", str(tmp_path / "a.pdf"))
    assert (failed.exit_code, failed.stderr.splitlines()[-1]) == (1, "smearscope: no Chromium to print with")
    assert (tmp_path / "a.pdf").read_bytes() == b"%PDF <!doctype html>"


def test_nothing_is_written_over_a_link_or_under_another_ending(data, tmp_path):
    (tmp_path / "link.html").symlink_to(tmp_path / "elsewhere")
    assert "symbolic link" in run(data, "--out", str(tmp_path / "link.html")).stderr
    assert "ends in .html or .pdf" in run(data, "--out", str(tmp_path / "a.docx")).stderr
    assert not (tmp_path / "elsewhere").exists()
