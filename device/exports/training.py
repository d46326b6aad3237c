"""Reviewed fields as a folder that `smearscope train` reads."""

from pathlib import PurePath

from device.exports.base import FolderFormat, Step, device_id, field_name, no_step
from device.store.store import Store
from smear.classes import LABELS
from smear.output_files import OutputFolder


def write_training_folder(
    store: Store, folder: OutputFolder, slide_id: int | None = None, step: Step = no_step
) -> dict[str, int]:
    """Copy reviewed photographs to Original/<class> in `folder`, as `smearscope train` reads it.

    `slide_id` names the slide; None: all of them. Fields of simulated slides go to simulated/Original/<class>, since no
    network should learn from them by accident. A name holds the device, the slide and the field: several devices can
    export to one folder, and an audit knows whose slide a field is. Returns how many each class got; fields reviewed
    as none of the classes are left out.
    """
    written = dict.fromkeys(LABELS, 0)
    simulated: dict[int, bool] = {}  # by slide
    with store.snapshot():
        device = device_id(store)
        for record in store.reviewed():
            if not record.reviewed_label or slide_id not in {None, record.slide_id}:
                continue
            if (photograph := store.photographs.read(record.image)) is None:
                continue
            if record.slide_id not in simulated:
                simulated[record.slide_id] = store.slide(record.slide_id).simulated
            top = PurePath("simulated") if simulated[record.slide_id] else PurePath()
            name = f"{field_name(device, record)}.jpg"
            for label in LABELS:
                if label != record.reviewed_label:
                    folder.remove(top / "Original" / label / name)  # a person has corrected the answer
            folder.write(top / "Original" / record.reviewed_label / name, photograph)
            written[record.reviewed_label] += 1
            step()
    return written


FORMAT = FolderFormat(
    name="training",
    help="reviewed fields of the slide named, or of all, as a folder that 'smearscope train' reads",
    folder="reviewed",
    write=write_training_folder,
)
