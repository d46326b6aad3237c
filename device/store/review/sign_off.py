"""Signed results: a signed slide is read-only until it is amended."""

import sqlite3

from smear.errors import StoreError


def require_editable(connection: sqlite3.Connection, slide_id: int) -> None:
    """Let a transaction go on that changes what was said of a slide.

    Raises:
        StoreError: there is no such slide, or its present version is signed.
    """
    row = connection.execute(
        "SELECT signatures.version AS signed FROM slides LEFT JOIN signatures"
        " ON slide_id = id AND signatures.version = slides.version WHERE id = ?",
        (slide_id,),
    ).fetchone()
    if row is None:
        raise StoreError(f"no slide {slide_id}; 'smearscope slides list' shows what there is")
    if row["signed"] is not None:
        raise StoreError(f"slide {slide_id} is signed and cannot change; 'smearscope slides amend {slide_id}' first")
