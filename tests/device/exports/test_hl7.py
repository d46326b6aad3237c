"""The HL7 message of a signed count, read by a reader of its own: HL7 2.5.1, chapter 2.7, escape sequences."""

import re
import sys

import pytest

from device.counting.cell_classes import DEFAULT_CLASSES
from device.exports.hl7 import oru_message, require_ready, write_message
from device.store import Store
from device.system.clock import ManualClock
from smear.errors import SettingsError, StoreError
from tests.device.store.review.signed import signed

pytest.importorskip("hl7apy", reason="needs smearscope[hl7]")
NAMES = ["A-17", "|" * 40, "a|b^c~d\\e&f", "\\F\\|", "=HYPERLINK(1)", "<b>Müller</b>", "^^^|||~~~"]


def read(message: bytes) -> list[list[list[str]]]:
    """Return the components of every field of every segment, without their escapes."""
    signs = dict(zip("EFSTR", "\\|^&~", strict=True))

    def unescaped(text: str) -> str:
        return re.sub(r"\\([EFSTR])\\", lambda found: signs[found[1]], text)

    return [
        [list(map(unescaped, field.split("^"))) for field in segment.split("|")]
        for segment in message.decode("utf-8").removesuffix("\r").split("\r")
    ]


@pytest.fixture
def store(tmp_path):  # type: ignore[no-untyped-def]
    with Store.record(tmp_path / "data", clock=ManualClock(wall_s=1_700_000_000.0)) as opened:
        yield opened


def test_a_message_says_every_class_by_number_per_cent_and_interval(store):
    segments = read(oru_message(signed(store)))
    assert [segment[0][0] for segment in segments[:3]] == ["MSH", "OBR", "NTE"]
    assert segments[0][8] == ["ORU", "R01", "ORU_R01"]
    assert "PID" not in {segment[0][0] for segment in segments}
    assert segments[1][22] == ["20231114221320.000+0000"]
    results = {each[3][0]: (each[5][0], each[6][0], after[3][0] if after[0][0] == "NTE" else "")
               for each, after in zip(segments, [*segments[1:], [["end"]]], strict=True)
               if each[0][0] == "OBX"}  # fmt: skip
    assert results["LEUKOCYTES"] == ("3", "{cells}", "")
    assert results["blast"] == ("100.0", "%", "3 of 3 leukocytes; 95 % interval 43.9 to 100.0 %")
    assert results["smudge cell"] == ("33.3", "/100{WBCs}", "1 beside 3 leukocytes")
    assert results["STATEMENT"][0] == store.signatures(1)[0].sha256
    assert [segment[3][0] for segment in segments[2:6]] == [
        "Research use only: not a medical device, not for diagnosis.",
        "field labels: not checked at this site",
        "3 of 200 leukocytes",
        "short: few cells",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_with_separators_stays_one_value(store, name):
    plain = [[len(field) for field in segment] for segment in read(oru_message(signed(store)))]
    segments = read(oru_message(signed(store, name, name, name)))
    observed = {segment[3][0]: segment for segment in segments if segment[0][0] == "OBX"}
    assert segments[1][2] == [name]
    assert observed[name][16] == [name]
    shapes = [[len(field) for field in segment] for segment in segments]
    assert all(shape in plain for shape in shapes[1:])  # no segment, field or component more


def test_a_simulated_slide_is_sent_for_training_alone(store):
    assert read(oru_message(signed(store)))[0][10] == ["P"]
    segments = read(oru_message(signed(store, simulated=True)))
    assert segments[0][10] == ["T"]
    assert segments[3][3] == ["SIMULATED microscope: drawn cells, no patient's."]


def test_a_text_that_hl7_has_no_room_for_is_named_and_nothing_is_written(store, tmp_path):
    with pytest.raises(StoreError, match=r"slide 1: HL7 does not allow it \(.*exceed the max length: 199"):
        write_message(signed(store, "|" * 80), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_an_amended_result_is_sent_as_a_correction(store):
    signature = signed(store)
    store.amend(1, "bob", "recount")
    again = store.sign(1, "ann", DEFAULT_CLASSES, 3)
    first, second = (read(oru_message(each)) for each in (signature, again))
    assert (first[1][25], second[1][25]) == (["F"], ["C"])
    assert first[0][9] != second[0][9]  # the control id: MSH counts its separator as a field


def test_a_message_is_written_whole_under_a_name_of_store_slide_and_version(store, tmp_path):
    signature = signed(store, "../../etc/x")
    assert write_message(signature, tmp_path) == tmp_path / f"{store.store_id()}-000001-v1.hl7"
    assert (tmp_path / f"{store.store_id()}-000001-v1.hl7").read_bytes() == oru_message(signature)


def test_what_is_missing_is_said_before_anything_is_signed(tmp_path, monkeypatch):
    with pytest.raises(StoreError, match="none"):
        require_ready(tmp_path / "none")
    monkeypatch.setitem(sys.modules, "hl7apy.core", None)
    with pytest.raises(SettingsError, match=r"pip install 'smearscope\[hl7\]'"):
        require_ready(tmp_path)
