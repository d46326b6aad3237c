"""What a person says of records: to keep them, to look at them, and what they are."""

from device.store.database import Database
from device.store.rows import NONE_OF_THEM
from smear.classes import LABELS
from smear.errors import StoreError


class Marks:
    """Marks records of one open database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def set_keep(self, keep: bool, slide_id: int | None = None, field_id: int | None = None) -> None:
        """Mark a slide with all its fields, or one field, so that retention never removes it."""
        with self._database.transaction() as connection:
            if slide_id is not None:
                connection.execute("UPDATE slides SET keep = ? WHERE id = ?", (int(keep), slide_id))
                connection.execute("UPDATE fields SET keep = ? WHERE slide_id = ?", (int(keep), slide_id))
            if field_id is not None:
                connection.execute("UPDATE fields SET keep = ? WHERE id = ?", (int(keep), field_id))

    def set_review(self, field_id: int, wanted: bool, label: str | None = None) -> None:
        """Put a field into the review queue, or take it out with what a person said it is (`NONE_OF_THEM`: no class).

        Raises:
            StoreError: `label` is not a class.
        """
        if label not in {None, NONE_OF_THEM, *LABELS}:
            raise StoreError(f"{label!r} is not a class; choose one of {', '.join(LABELS)}")
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE fields SET review = ?, reviewed_label = coalesce(?, reviewed_label) WHERE id = ?",
                (int(wanted), label, field_id),
            )
