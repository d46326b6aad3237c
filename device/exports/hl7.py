"""A signed count as an HL7 message for a laboratory information system: ORU^R01, version 2.5.1, from what was signed.

There is no segment about a patient: no field of a slide holds one. The laboratory's system finds the order by the
slide's name, which stands in OBR-2 and OBR-3. Classes have the names of the laboratory's settings, and no LOINC code.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from device.exports.base import FileFormat, SlideSource, iso_time
from device.reporting.tables import SIMULATED
from device.store.review.statement import DAMAGED, Signature
from smear.errors import SettingsError, StoreError
from smear.output_files import OutputFolder, printable

if TYPE_CHECKING:
    from hl7apy.core import Group, Message

VERSION = "2.5.1"
LOCAL, UNITS = "L", "UCUM"  # coding systems, of HL7 table 0396
FINAL, CORRECTED = "F", "C"  # result status, HL7 table 0085
PRODUCTION, TRAINING = "P", "T"  # processing, HL7 table 0103
_ESCAPES = str.maketrans({sign: f"\\{letter}\\" for sign, letter in zip("\\|^&~", "EFSTR", strict=True)})

Result = tuple[str, str, str, str, str]  # code, name, value, unit, note


def write_hl7(source: SlideSource, out: IO[bytes]) -> None:
    """Write the message of what was signed last of a slide.

    Raises:
        SettingsError: hl7apy is not installed.
        StoreError: the slide was never signed.
    """
    if not source.counted.signatures:
        raise StoreError(f"slide {source.slide.id} was never signed, and nothing else is sent; 'slides sign' it first")
    out.write(oru_message(source.counted.signatures[-1]))


def write_message(signature: Signature, folder: Path) -> Path:
    """Write the message of a signed result into `folder`, whole or not at all, and return where it is.

    Raises:
        SettingsError: hl7apy is not installed.
        StoreError: the folder is missing or cannot be written.
    """
    message = oru_message(signature)
    name = f"{_id(signature)}.hl7"
    with OutputFolder(folder) as out:
        out.write(name, message)
    return folder / name


def require_ready(folder: Path) -> None:
    """Refuse now what `write_message` would refuse.

    Raises:
        SettingsError: hl7apy is not installed.
        StoreError: the folder is missing.
    """
    _new_message()
    OutputFolder(folder).close()


def oru_message(signature: Signature) -> bytes:
    """Return the message of a signed result in UTF-8: each class by number, per cent and interval, or per 100.

    Raises:
        SettingsError: hl7apy is not installed.
        StoreError: the statement is damaged, or a text in it is longer than HL7 allows.
    """
    if not signature.intact:
        raise StoreError(f"slide {signature.slide_id}: {DAMAGED}; nothing is sent of it")
    message = _new_message()
    from hl7apy.exceptions import HL7apyException

    try:
        _fill(message, signature)
        message.validate()
    except HL7apyException as error:
        raise StoreError(f"slide {signature.slide_id}: HL7 does not allow it ({printable(str(error))})") from error
    return bytes(message.to_er7(), "utf-8") + b"\r"


def _fill(message: "Message", signature: Signature) -> None:
    said, when = signature.said(), _time(signature.wall_time_s)
    slide = said["records"]["slide"]
    header = message.msh
    header.msh_3 = "smearscope"
    header.msh_4 = said["store"]
    header.msh_7 = when
    header.msh_9 = "ORU^R01^ORU_R01"
    header.msh_10 = f"{said['store']}{signature.slide_id:06d}{signature.version:02d}"[-20:]
    header.msh_11 = TRAINING if slide["simulated"] else PRODUCTION
    header.msh_18 = "UNICODE UTF-8"
    order = message.add_group("ORU_R01_PATIENT_RESULT").add_group("ORU_R01_ORDER_OBSERVATION")
    request = order.add_segment("OBR")
    request.obr_1 = "1"
    request.obr_2 = _text(slide["name"])
    request.obr_3 = f"{_text(slide['name'])}^{_id(signature)}"
    request.obr_4 = f"DIFF^Differential leukocyte count^{LOCAL}"
    request.obr_7 = _time(slide["started_s"])
    request.obr_22 = when
    request.obr_25 = CORRECTED if signature.version > 1 else FINAL
    for number, text in enumerate(_notes(said), 1):
        _note(order, number, text)
    for number, result in enumerate(_results(said, signature.sha256), 1):
        _observation(order, number, result, signature, when)


def _new_message() -> "Message":
    try:
        from hl7apy.consts import VALIDATION_LEVEL
        from hl7apy.core import Message
    except ImportError:
        raise SettingsError(
            "HL7 messages need the package 'hl7apy'; install it with: pip install 'smearscope[hl7]'"
        ) from None
    return Message("ORU_R01", version=VERSION, validation_level=VALIDATION_LEVEL.STRICT)


def _results(said: dict[str, Any], sha256: str) -> Iterator[Result]:
    count = said["records"]["count"]
    yield "LEUKOCYTES", "leukocytes counted", str(count["leukocytes"]), "{cells}", ""
    for each in count["classes"]:
        share, name = each["share"], each["name"]
        number = f"{each['n']} of {count['leukocytes']} leukocytes"
        if share is not None:
            low, high = 100 * share["low"], 100 * share["high"]
            yield name, name, f"{100 * share['share']:.1f}", "%", f"{number}; 95 % interval {low:.1f} to {high:.1f} %"
        elif each["per_100"] is not None:
            beside = f"{each['n']} beside {count['leukocytes']} leukocytes"
            yield name, name, f"{each['per_100']:.1f}", "/100{WBCs}", beside
    yield "STATEMENT", "sha256 of the signed statement", sha256, "", ""


def _notes(said: dict[str, Any]) -> Iterator[str]:
    yield said["notice"]
    records, conceded = said["records"], said["concessions"]
    slide = records["slide"]
    if slide["simulated"]:
        yield SIMULATED
    if records["not_checked"]:
        yield f"field labels: {records['not_checked']}"
    if slide["fields_qc_not_cleared"]:
        yield f"quality control not cleared: {slide['fields_qc_not_cleared']} of {slide['fields_total']} fields"
    yield from records["count"]["shortfalls"]
    for what in ("short", "passed_over"):
        if conceded[what]:
            yield f"{what.replace('_', ' ')}: {conceded[what]}"
    for what in ("specimen", "stain", "note"):
        if slide[what]:
            yield f"{what}: {slide[what]}"


def _observation(order: "Group", number: int, result: Result, signature: Signature, when: str) -> None:
    code, name, value, unit, note = result
    group = order.add_group("ORU_R01_OBSERVATION")
    found = group.add_segment("OBX")
    found.obx_1 = str(number)
    found.obx_2 = "NM" if unit else "ST"
    found.obx_3 = f"{_text(code)}^{_text(name)}^{LOCAL}"
    found.obx_5 = value  # digits, or those of a checksum: nothing to escape
    if unit:
        found.obx_6 = f"{unit}^^{UNITS}"
    found.obx_11 = CORRECTED if signature.version > 1 else FINAL
    found.obx_14 = when
    found.obx_16 = _text(signature.operator)
    if note:
        _note(group, 1, note)


def _note(group: "Group", number: int, text: str) -> None:
    note = group.add_segment("NTE")
    note.nte_1 = str(number)
    note.nte_3 = _text(text)


def _text(value: str) -> str:
    """Return `value` as it stands in a message: separators are escaped, control characters are none any more."""
    return printable(value).translate(_ESCAPES)


def _id(signature: Signature) -> str:
    store = re.sub("[^0-9a-f]", "", signature.said()["store"])  # it becomes part of a file's name
    return f"{store}-{signature.slide_id:06d}-v{signature.version}"


def _time(unix_s: float) -> str:
    return re.sub("[-:T]", "", iso_time(unix_s)).replace("Z", "+0000")


FORMAT = FileFormat(
    name="hl7", help="a signed count as a message to a laboratory system (ORU^R01)", suffix="hl7", write=write_hl7
)
