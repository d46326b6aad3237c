"""Fills a store with copies of its first field, faster than a camera could."""

import sqlite3
from contextlib import closing
from pathlib import Path

from device.store.database import DATABASE


def fill(folder: Path, records: int) -> None:
    """Copy the first recorded field of the store in `folder`, with its cells, until it holds `records` fields."""
    with closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as connection:
        present = connection.execute("SELECT count(*) FROM fields").fetchone()[0]
        if present >= records:
            return
        numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {records - present})"
        last = connection.execute("SELECT max(id) FROM fields").fetchone()[0]
        connection.execute("BEGIN IMMEDIATE")
        for table, key in (("fields", "id"), ("cells", "field_id")):
            names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            # Each copy is a second later than the one before, like the fields of a real slide.
            values = {key: f"{last} + n.i", "wall_time_s": "t.wall_time_s + n.i"}
            columns = ", ".join(values.get(name, f"t.{name}") for name in names)
            copies = f"SELECT {columns} FROM n, {table} t WHERE t.{key} = 1"
            connection.execute(f"INSERT INTO {table} ({', '.join(names)}) {numbers} {copies}")
        connection.execute("COMMIT")
