"""Open a store as the next start does, and print as JSON what is in it. usage: recorded.py FOLDER"""

import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from device.store import Store
from device.store.database import DATABASE
from smear.images import read_image


def main(folder: str) -> None:
    with closing(sqlite3.connect(Path(folder) / DATABASE)) as database:
        integrity = database.execute("PRAGMA integrity_check").fetchone()[0]
    with Store.record(Path(folder)) as store:
        (slide,) = store.slides()
        records = list(store.all_fields(slide.id))
        # Damaged or missing, a photograph ends this with an error that names it.
        shapes = {read_image(path).shape for record in records if (path := store.image_path(record))}
        found = {
            "integrity": integrity,
            "notices": store.notices,
            "fields": [record.id for record in records],
            "counted": slide.tally.total,
            "photographs": sum(store.image_path(record) is not None for record in records),
            "shapes": sorted(shapes),
        }
    sys.stdout.write(json.dumps(found))


main(*sys.argv[1:])
