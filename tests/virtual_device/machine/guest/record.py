"""Record one field again and again, and tell each record's number when the store has acknowledged it.

usage: record.py FOLDER PICTURES PORT
"""

import sys
from dataclasses import replace
from itertools import count
from pathlib import Path

from device.cameras.registry import open_camera
from device.model_choice import open_processor
from device.settings import load_settings
from device.store import Store


def main(folder: str, pictures: str, port: str) -> None:
    frame = open_camera(f"files:{pictures}", pixel_size_um=0.25).read(5.0)
    finding = open_processor(load_settings(), Path(folder)).examine(frame)
    with Store.record(Path(folder)) as store, Path(port).open("wb", buffering=0) as told:
        slide = store.start_slide("until the power goes")
        for number in count():
            field = store.add_field(slide, replace(frame, sequence=number), finding)
            told.write(b"%d\n" % field)


main(*sys.argv[1:])
