"""What each operator counted on a slide: cells of accepted fields, by class."""

from collections.abc import Sequence

from device.counting.cell_classes import CellClass
from device.counting.differential import DifferentialCount, differential
from device.store.database import Database

# Only cells of accepted fields are classified, so no other is asked for here.
_OWN = "FROM classifications WHERE slide_id = ? AND operator = ?"
# The fields of a slide are in the order they were taken, and so are the cells in a field.
_TAKEN_UNTIL = """
SELECT (SELECT coalesce(sum(cell_count), 0) FROM fields WHERE slide_id = ?1 AND id < ?2 AND label IS NOT NULL)
    + (SELECT count(*) FROM cells WHERE field_id = ?2 AND number <= ?3) AS n
"""


class Counts:
    """Counts the classified cells of one open database."""

    def __init__(self, database: Database) -> None:
        self._rows = database.rows

    def operators(self, slide_id: int) -> list[str]:
        """Return who has classified cells of a slide, by name."""
        rows = self._rows(
            "SELECT DISTINCT operator FROM classifications WHERE slide_id = ? ORDER BY operator", slide_id
        )
        return [str(row["operator"]) for row in rows]

    def class_counts(self, slide_id: int, operator: str) -> dict[str, int]:
        """Return how many cells of accepted fields the operator gave each class."""
        rows = self._rows(f"SELECT cell_class AS name, count(*) AS n {_OWN} GROUP BY cell_class", slide_id, operator)
        return {str(row["name"]): row["n"] for row in rows}

    def classified(self, slide_id: int, operator: str) -> list[tuple[int, int, str]]:
        """Return field, number and class of each cell that the operator classified, in the order taken."""
        rows = self._rows(
            f"SELECT field_id, number, cell_class AS name {_OWN} ORDER BY field_id, number", slide_id, operator
        )
        return [(row["field_id"], row["number"], str(row["name"])) for row in rows]

    def passed_over(self, slide_id: int, operator: str) -> int:
        """Return how many cells the operator has not classified that were taken before the last one classified.

        A count is without bias if the cells are counted as they come, and not as they please.
        """
        last = self._rows(f"SELECT field_id, number {_OWN} ORDER BY 1 DESC, 2 DESC LIMIT 1", slide_id, operator)
        if not last:
            return 0
        taken = self._rows(_TAKEN_UNTIL, slide_id, last[0]["field_id"], last[0]["number"])[0]["n"]
        return int(taken) - sum(self.class_counts(slide_id, operator).values())

    def both_classified(self, slide_id: int, first: str, second: str) -> list[tuple[str, str]]:
        """Return, of each cell that both operators classified, the class that each gave it."""
        rows = self._rows(
            "SELECT a.cell_class AS first, b.cell_class AS second FROM classifications AS a JOIN classifications AS b"
            " USING (slide_id, field_id, number) WHERE slide_id = ? AND a.operator = ? AND b.operator = ?"
            " ORDER BY field_id, number", slide_id, first, second,
        )  # fmt: skip
        return [(str(row["first"]), str(row["second"])) for row in rows]

    def differential(
        self, slide_id: int, operator: str, classes: Sequence[CellClass], target: int
    ) -> DifferentialCount:
        """Return the count of one operator over the slide."""
        return differential(
            self.class_counts(slide_id, operator), classes, target, self.passed_over(slide_id, operator)
        )
