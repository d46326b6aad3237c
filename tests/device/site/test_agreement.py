"""The figures of a site check: what counts as agreement, what is missing, and what falls short."""

import pytest

from device.site.agreement import (
    NORMAL,
    CheckedField,
    Demands,
    answers_of,
    figures_of,
    kind_of,
    missing_of,
    refusals_of,
    shortfalls,
)

DEMANDS = Demands(agreement=0.9, sensitivity=0.9, specificity=0.95)


def fields(kind: str, *labels: str | None, cells: int = 3, refusals: tuple[str, ...] = ("uncertain",)):  # type: ignore[no-untyped-def]
    return [CheckedField(f"{kind}/{number}.png", kind, label, cells, () if label else refusals)
            for number, label in enumerate(labels)]  # fmt: skip


def good_site() -> list[CheckedField]:
    return [*fields("Benign", *["Benign"] * 20), *fields("Pre", *["Pre"] * 20), *fields(NORMAL, *[None] * 20)]


def test_a_site_that_agrees_reaches_every_demand() -> None:
    figures = figures_of(good_site())
    assert missing_of(good_site()) == []
    assert shortfalls(figures, DEMANDS) == []
    assert str(figures["specificity"]) == "100.0% (91.2% to 100.0%; 40 of 40)"


def test_a_blast_taken_for_another_blast_disagrees_but_is_detected() -> None:
    figures = figures_of(fields("Pre", "Pro", "Pre"))
    assert (figures["agreement"].n, figures["sensitivity"].n) == (1, 2)


def test_any_label_of_normal_blood_disagrees_and_a_refusal_does_not() -> None:
    figures = figures_of(fields(NORMAL, "Benign", "Pro", None, None))
    assert (figures["agreement"].n, figures["agreement"].of) == (0, 2)
    assert (figures["specificity"].n, figures["specificity"].of) == (3, 4)
    assert (figures["normal_called_blasts"].n, figures["normal_called_blasts"].of) == (1, 4)


def test_a_refused_blast_is_missed_where_refusals_count_and_only_there() -> None:
    figures = figures_of(fields("Early", "Early", None))
    assert (figures["sensitivity"].of, figures["detected"].of) == (1, 2)


def test_refusals_are_counted_by_code_over_all_fields() -> None:
    shares = refusals_of([*fields("Pre", "Pre"), *fields(NORMAL, None, refusals=("uncertain", "too_dark"))])
    assert {code: (share.n, share.of) for code, share in shares.items()} == {"uncertain": (1, 2), "too_dark": (1, 2)}


def test_the_answers_are_tabled_by_kind() -> None:
    assert answers_of(fields("Pre", "Pre", None)) == {
        "Pre": {"Benign": 0, "Early": 0, "Pre": 1, "Pro": 0, "refused": 1}
    }


@pytest.mark.parametrize(("left_out", "said"), [
    ("Pre", "fields of blasts, in a sub-folder Early or Pre or Pro"),
    (NORMAL, "20 fields of normal blood, in a sub-folder Normal"),
])  # fmt: skip
def test_a_check_needs_blasts_and_normal_blood(left_out: str, said: str) -> None:
    assert said in missing_of([each for each in good_site() if each.kind != left_out])[0]


def test_fields_without_a_cell_do_not_count_towards_the_twenty() -> None:
    short = [each for each in good_site() if each.kind != NORMAL] + fields(NORMAL, *[None] * 20, cells=0)
    assert missing_of(short) == ["20 more of Normal with cells (there are 0)"]


def test_what_falls_short_is_named_with_its_setting() -> None:
    poor = [*good_site(), *fields(NORMAL, *["Pro"] * 10)]
    assert shortfalls(figures_of(poor), DEMANDS) == [
        "agreement 80.0% is below 90.0% (setting site.min_agreement)",
        "specificity 80.0% is below 95.0% (setting site.min_specificity)",
    ]


def test_a_site_where_all_is_refused_shows_nothing() -> None:
    refused = [*fields("Pre", *[None] * 20), *fields(NORMAL, *[None] * 20)]
    assert shortfalls(figures_of(refused), DEMANDS)[0] == "agreement was not measured: no field got a label"


@pytest.mark.parametrize(("folder", "kind"), [("benign", "Benign"), ("PRO", "Pro"), ("Normal", NORMAL), ("x", NORMAL)])
def test_a_folder_of_a_class_is_known_in_any_case(folder: str, kind: str) -> None:
    assert kind_of(folder) == kind
