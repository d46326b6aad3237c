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

_VERSION_6 = """
ALTER TABLE slides ADD COLUMN operator TEXT NOT NULL DEFAULT '';
ALTER TABLE slides ADD COLUMN stain TEXT NOT NULL DEFAULT '';
ALTER TABLE slides ADD COLUMN specimen TEXT NOT NULL DEFAULT ''; -- blood, marrow, ...
ALTER TABLE slides ADD COLUMN note TEXT NOT NULL DEFAULT '';
ALTER TABLE slides ADD COLUMN version INTEGER NOT NULL DEFAULT 1; -- an amendment of a signed slide begins the next one
ALTER TABLE fields ADD COLUMN qc TEXT; -- quality control of the day: 'cleared' or 'not cleared'; NULL: not asked for
ALTER TABLE cells ADD COLUMN slide_id INTEGER; -- that of the field, so that a gallery is one look-up
ALTER TABLE cells ADD COLUMN accepted INTEGER NOT NULL DEFAULT 0; -- 1: the field carries a label
ALTER TABLE cells ADD COLUMN opinion TEXT; -- the network's best class of the cell; not calibrated, orders the gallery
ALTER TABLE cells ADD COLUMN opinion_p REAL;
ALTER TABLE cells ADD COLUMN nucleus_hue REAL; -- degrees; NULL: unknown
ALTER TABLE cells ADD COLUMN cytoplasm_hue REAL;
ALTER TABLE cells ADD COLUMN contour BLOB; -- see device.store.contours; NULL: recorded before version 6
ALTER TABLE cells ADD COLUMN cell_class TEXT; -- what a person called it last; NULL: nobody did
UPDATE OR IGNORE cells SET -- a cell that lost its field to a damaged disk keeps no other from being migrated
    (slide_id, accepted) = (SELECT slide_id, label IS NOT NULL FROM fields WHERE fields.id = cells.field_id),
    opinion_p = max(p_benign, p_early, p_pre, p_pro),
    opinion = CASE max(p_benign, p_early, p_pre, p_pro)
        WHEN p_benign THEN 'Benign' WHEN p_early THEN 'Early' WHEN p_pre THEN 'Pre' WHEN p_pro THEN 'Pro' END;
-- `accepted` is in them as well, since SQLite else reads the row to compare it once more
CREATE INDEX cells_in_order ON cells (slide_id, cell_class, field_id, number, accepted) WHERE accepted = 1;
CREATE INDEX cells_by_opinion ON cells (slide_id, cell_class, opinion, opinion_p DESC, field_id, number, accepted)
    WHERE accepted = 1;
-- kind 'bundle': a look at every field of a slide would take longer the longer the slide is
INSERT INTO slide_counts SELECT slide_id, 'bundle', bundle_sha256, count(*) FROM fields
    WHERE bundle_sha256 != '' GROUP BY slide_id, bundle_sha256;
CREATE TABLE classifications ( -- what each operator calls a cell now; how it came to that is in `events`
    slide_id INTEGER NOT NULL,
    operator TEXT NOT NULL,
    field_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    cell_class TEXT NOT NULL,
    PRIMARY KEY (slide_id, operator, field_id, number),
    FOREIGN KEY (field_id, number) REFERENCES cells (field_id, number) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX classifications_by_cell ON classifications (field_id, number);
CREATE TABLE events ( -- the audit trail: who did what to which record, and when; nothing in it changes
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    wall_time_s REAL NOT NULL,
    operator TEXT NOT NULL,
    action TEXT NOT NULL,
    slide_id INTEGER NOT NULL, -- no reference: the trail outlives the slide
    field_id INTEGER,
    number INTEGER, -- of the cell in the field
    old TEXT,
    new TEXT,
    reason TEXT NOT NULL DEFAULT '',
    undoes INTEGER -- the event that this one takes back
);
CREATE INDEX events_by_slide ON events (slide_id, id);
CREATE INDEX events_by_cell ON events (field_id, number, id) WHERE number IS NOT NULL;
CREATE UNIQUE INDEX events_undone ON events (undoes) WHERE undoes IS NOT NULL;
CREATE TABLE signatures ( -- signed results; each stands by itself and outlives its slide
    slide_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    operator TEXT NOT NULL,
    wall_time_s REAL NOT NULL,
    statement TEXT NOT NULL, -- JSON: what was signed
    sha256 TEXT NOT NULL, -- of the statement
    PRIMARY KEY (slide_id, version)
) WITHOUT ROWID;
CREATE TRIGGER events_never_change BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'the audit trail never changes'); END;
CREATE TRIGGER events_never_go BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'the audit trail never changes'); END;
CREATE TRIGGER signatures_never_change BEFORE UPDATE ON signatures
BEGIN SELECT RAISE(ABORT, 'a signed result never changes'); END;
CREATE TRIGGER signatures_never_go BEFORE DELETE ON signatures
BEGIN SELECT RAISE(ABORT, 'a signed result never changes'); END;
CREATE TABLE qc_runs ( -- each quality control that was begun
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    wall_time_s REAL NOT NULL,
    monotonic_s REAL NOT NULL,
    boot_id TEXT NOT NULL,
    clock_synced INTEGER NOT NULL,
    operator TEXT NOT NULL
);
CREATE TABLE qc_measurements (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run INTEGER NOT NULL REFERENCES qc_runs (id),
    wall_time_s REAL NOT NULL,
    monotonic_s REAL NOT NULL,
    boot_id TEXT NOT NULL,
    clock_synced INTEGER NOT NULL,
    operator TEXT NOT NULL,
    measure TEXT NOT NULL, -- as in device.quality_control.measurements
    lot TEXT NOT NULL, -- of the control slide
    value REAL NOT NULL,
    mean REAL, sd REAL, -- expected, as they held at that time; NULL: the test has limits, or no mean is known yet
    passed INTEGER NOT NULL,
    rules TEXT NOT NULL, -- Westgard rules that were broken, separated by spaces
    details TEXT NOT NULL, -- JSON object
    slide_id INTEGER, -- the slide that was read, if one was
    reason TEXT NOT NULL -- what was done after the one before had failed
);
CREATE INDEX qc_by_measure ON qc_measurements (measure, lot, id);
CREATE INDEX qc_by_run ON qc_measurements (run, id);
CREATE TRIGGER qc_never_changes BEFORE UPDATE ON qc_measurements
BEGIN SELECT RAISE(ABORT, 'a quality control never changes'); END;
CREATE TRIGGER qc_never_goes BEFORE DELETE ON qc_measurements
BEGIN SELECT RAISE(ABORT, 'a quality control never changes'); END;
CREATE TRIGGER qc_runs_never_change BEFORE UPDATE ON qc_runs
BEGIN SELECT RAISE(ABORT, 'a quality control never changes'); END;
CREATE TRIGGER qc_runs_never_go BEFORE DELETE ON qc_runs
BEGIN SELECT RAISE(ABORT, 'a quality control never changes'); END;
"""

Migration = str | Callable[[sqlite3.Connection], None]

MIGRATIONS: tuple[Migration, ...] = (_VERSION_1, _VERSION_2, code_refusals, _VERSION_4, _VERSION_5, _VERSION_6)
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
