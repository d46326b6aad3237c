"""The slide's summary: shares with intervals over many fields, never one field's label."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.counting.share import share_of
from device.store.slide_summary import MIN_FIELDS, SlideTally, tally_of
from smear.site import SiteStatus
from tests.device.findings import OUT_OF_FOCUS, TOO_DARK, cell, finding


@pytest.mark.parametrize(
    ("n", "total", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662)],
)
def test_shares_have_wilson_intervals(n, total, low, high):
    """Values of Newcombe (1998), table I, for 81 / 263; the others by its formula 3."""
    share = share_of(n, total)
    assert (share.low, share.high) == pytest.approx((low, high), abs=1e-4)


def test_no_fields_leave_every_share_open():
    share = share_of(0, 0)
    assert (share.low, share.high) == (0.0, 1.0)
    assert SlideTally().leading() is None


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_the_share_lies_in_its_interval(n, more):
    share = share_of(n, n + more)
    assert 0 <= share.low <= share.share + 1e-9
    assert share.share - 1e-9 <= share.high <= 1


def test_one_field_never_names_the_slide():
    assert SlideTally().add(finding("Pro")).leading() is None


def test_a_class_leads_only_when_its_interval_is_clear_of_the_others():
    clear, mixed = SlideTally(), SlideTally()
    for number in range(2 * MIN_FIELDS):
        clear = clear.add(finding("Pre"))
        mixed = mixed.add(finding("Pre" if number % 2 else "Pro"))
    assert clear.leading() == "Pre"
    assert mixed.leading() is None


def test_refused_fields_count_by_code_and_not_by_label():
    refused = finding("Pre", (OUT_OF_FOCUS, TOO_DARK))
    tally = SlideTally().add(refused).add(finding("Early")).add(finding(None, cells=()))
    assert (tally.accepted, tally.refused, tally.empty, tally.total) == (1, 1, 1, 3)
    assert tally.refusals == {"out_of_focus": 1, "too_dark": 1}
    assert tally.labels == {"Early": 1}


def test_cells_are_counted_in_accepted_fields_alone():
    assert tally_of(finding("Pre", cells=(cell("Pre"), cell("Benign"), cell(None)))).cells == 3
    assert tally_of(finding("Pre", (TOO_DARK,))).cells == 0


def test_labels_for_which_a_site_certificate_held_are_counted_apart():
    checked = replace(finding("Pre"), site=SiteStatus("20260101T000000Z-00000000", ""))
    unchecked = replace(checked, site=SiteStatus())
    tally = SlideTally().add(checked).add(unchecked).add(finding("Pre"))
    assert (tally.accepted, tally.site_checked) == (3, 1)
