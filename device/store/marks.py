"""What a person says of records: to keep them, to look at them, and what they are."""

from device.store.database import Database
from device.store.review.sign_off import require_editable, require_never_signed
from device.store.rows import NONE_OF_THEM
from smear.classes import LABELS
from smear.errors import StoreError

_SLIDES = "SELECT id FROM slides WHERE id = ?1 OR id = (SELECT slide_id FROM fields WHERE id = ?2)"


class Marks:
    """Marks records of one open database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def set_keep(self, keep: bool, slide_id: int | None = None, field_id: int | None = None) -> None:
        """Mark a slide with all its fields, or one field, so that retention never removes it.

        Raises:
            StoreError: the mark was to be taken from a slide that was signed.
        """
        with self._database.transaction() as connection:
            for found in connection.execute(_SLIDES, (slide_id, field_id)).fetchall() if not keep else []:
                require_never_signed(connection, found["id"], "it stays marked to keep")
            if slide_id is not None:
                connection.execute("UPDATE slides SET keep = ? WHERE id = ?", (int(keep), slide_id))
                connection.execute("UPDATE fields SET keep = ? WHERE slide_id = ?", (int(keep), slide_id))
            if field_id is not None:
                connection.execute("UPDATE fields SET keep = ? WHERE id = ?", (int(keep), field_id))

    def set_review(self, field_id: int, wanted: bool, label: str | None = None) -> None:
        """Put a field into the review queue, or take it out with what a person said it is (`NONE_OF_THEM`: no class).

        Raises:
            StoreError: `label` is not a class, or the slide is signed.
        """
        if label not in {None, NONE_OF_THEM, *LABELS}:
            raise StoreError(f"{label!r} is not a class; choose one of {', '.join(LABELS)}")
        with self._database.transaction() as connection:
            for found in connection.execute(_SLIDES, (None, field_id)).fetchall():
                require_editable(connection, found["id"])
            connection.execute(
                "UPDATE fields SET review = ?, reviewed_label = coalesce(?, reviewed_label) WHERE id = ?",
                (int(wanted), label, field_id),
            )
