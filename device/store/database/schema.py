"""The tables of the store, and how an older database becomes the newest: forward only, in one transaction."""

import sqlite3
from collections.abc import Callable

from device.store.database.refusal_codes import code_refusals
from smear.errors import StoreError

_VERSION_1 = """
CREATE TABLE slides (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice: it names the folder of photographs
    name TEXT NOT NULL,
    started_s REAL NOT NULL, -- Unix time
    ended_s REAL, -- NULL while the slide is open
    simulated INTEGER NOT NULL
);
CREATE TABLE slide_counts ( -- kept beside the fields, so that a summary of a million fields is one look-up
    slide_id INTEGER NOT NULL REFERENCES slides (id) ON DELETE CASCADE,
    kind TEXT NOT NULL, -- 'label', 'refusal' or 'count'
    name TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (slide_id, kind, name)
) WITHOUT ROWID;
CREATE TABLE fields (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    slide_id INTEGER NOT NULL REFERENCES slides (id) ON DELETE CASCADE,
    wall_time_s REAL NOT NULL,
    monotonic_s REAL NOT NULL,
    source TEXT NOT NULL,
    pixel_size_um REAL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    label TEXT, -- NULL: refused or nothing found
    top TEXT,
    p_benign REAL, p_early REAL, p_pre REAL, p_pro REAL, -- NULL: no cell found
    refusals TEXT NOT NULL, -- JSON list; from version 3 on of objects with code and advice
    cell_count INTEGER NOT NULL,
    focus REAL NOT NULL, clipped REAL NOT NULL, brightness REAL NOT NULL, cell_share REAL NOT NULL,
    colour_drift REAL NOT NULL, ood_score REAL,
    timing_ms TEXT NOT NULL, -- JSON object by stage
    bundle_sha256 TEXT NOT NULL,
    level TEXT NOT NULL,
    runtime TEXT NOT NULL,
    image TEXT -- path below the data folder; NULL once retention removed the photograph
);
CREATE INDEX fields_by_slide ON fields (slide_id, id);
CREATE TABLE cells (
    field_id INTEGER NOT NULL REFERENCES fields (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    x INTEGER NOT NULL, y INTEGER NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL,
    area_px REAL NOT NULL, area_um2 REAL,
    nc_ratio REAL NOT NULL, circularity REAL NOT NULL, touches_edge INTEGER NOT NULL,
    p_benign REAL, p_early REAL, p_pre REAL, p_pro REAL, -- NULL: the classifier saw the field, not the cell
    PRIMARY KEY (field_id, number)
) WITHOUT ROWID;
"""

_VERSION_2 = """
ALTER TABLE fields ADD COLUMN calibration_id TEXT;
ALTER TABLE fields ADD COLUMN boot_id TEXT NOT NULL DEFAULT '';
ALTER TABLE fields ADD COLUMN clock_synced INTEGER; -- NULL: the system would not say
ALTER TABLE fields ADD COLUMN throttled INTEGER; -- bits of the Pi's get_throttled; NULL elsewhere
ALTER TABLE fields ADD COLUMN temperature_c REAL;
ALTER TABLE fields ADD COLUMN review INTEGER NOT NULL DEFAULT 0; -- 1: a person should look
ALTER TABLE fields ADD COLUMN reviewed_label TEXT; -- what the person said; '' for 'none of the classes'
ALTER TABLE fields ADD COLUMN keep INTEGER NOT NULL DEFAULT 0; -- 1: retention never removes it
ALTER TABLE slides ADD COLUMN keep INTEGER NOT NULL DEFAULT 0;
CREATE INDEX fields_to_review ON fields (id) WHERE review = 1;
CREATE INDEX fields_reviewed ON fields (id) WHERE reviewed_label IS NOT NULL;
CREATE INDEX fields_with_image ON fields (id) WHERE image IS NOT NULL AND keep = 0 AND review = 0;
CREATE INDEX fields_by_time ON fields (wall_time_s);
CREATE TABLE doomed (image TEXT PRIMARY KEY) WITHOUT ROWID; -- photographs to unlink; the record is gone already
"""

_VERSION_4 = """
CREATE TABLE store_identity (id TEXT NOT NULL); -- names exported files, so that those of two devices never collide
INSERT INTO store_identity VALUES (lower(hex(randomblob(4))));
CREATE INDEX fields_reviewed_by_slide ON fields (slide_id, reviewed_label) WHERE reviewed_label IS NOT NULL;
DELETE FROM slide_counts WHERE kind = 'count' AND name IN ('blasts', 'cells_classified'); -- not calibrated, and gone
"""

_VERSION_5 = """
ALTER TABLE fields ADD COLUMN site_certificate TEXT; -- NULL: the label was not checked at the site
"""

Migration = str | Callable[[sqlite3.Connection], None]

MIGRATIONS: tuple[Migration, ...] = (_VERSION_1, _VERSION_2, code_refusals, _VERSION_4, _VERSION_5)
"""MIGRATIONS[n] brings a database of version n to n + 1; an entry is never changed once released."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the database to the newest version, or leave it exactly as it was.

    Raises:
        StoreError: it was written by a newer smearscope.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == len(MIGRATIONS):
        return
    if version > len(MIGRATIONS):
        raise StoreError(
            f"the store has schema {version}, newer than this smearscope knows ({len(MIGRATIONS)}); "
            "upgrade smearscope, or give another folder with --data"
        )
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have migrated while this one waited for the lock.
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        for migration in MIGRATIONS[version:]:
            if callable(migration):
                migration(connection)
                continue
            for statement in _statements(migration):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> list[str]:
    """Split a script; `executescript` would commit before it starts, which a migration must not."""
    statements, part = [], ""
    for line in script.splitlines(keepends=True):
        part += line
        if sqlite3.complete_statement(part):
            statements.append(part)
            part = ""
    return statements
