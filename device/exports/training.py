"""Reviewed fields as a folder that `smearscope train` reads."""

from pathlib import PurePath

from device.exports.base import Step
from device.store.store import Store
from smear.classes import LABELS
from smear.output_files import OutputFolder


def write_training_folder(store: Store, folder: OutputFolder, step: Step = lambda: None) -> dict[str, int]:
    """Copy every reviewed photograph to Original/<class> in `folder`, as `smearscope train` reads it.

    Fields of simulated slides go to simulated/Original/<class>, since no network should learn from them by accident.
    A name holds the store's id, the slide and the field: stores of several devices can be written to one folder.
    Returns how many each class got; fields reviewed as none of the classes are left out.
    """
    written = dict.fromkeys(LABELS, 0)
    simulated: dict[int, bool] = {}  # by slide
    with store.snapshot():
        for record in store.reviewed():
            photograph = store.photographs.read(record.image) if record.reviewed_label else None
            if photograph is None or not record.reviewed_label:
                continue
            if record.slide_id not in simulated:
                simulated[record.slide_id] = store.slide(record.slide_id).simulated
            top = PurePath("simulated") if simulated[record.slide_id] else PurePath()
            name = f"{store.store_id()}-{record.slide_id:06d}-{record.id:08d}.jpg"
            for label in LABELS:
                if label != record.reviewed_label:
                    folder.remove(top / "Original" / label / name)  # a person has corrected the answer
            folder.write(top / "Original" / record.reviewed_label / name, photograph)
            written[record.reviewed_label] += 1
            step()
    return written
