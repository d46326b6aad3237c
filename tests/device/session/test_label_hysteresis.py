"""Hysteresis: a new field is labelled at once, a label that flickers is not given."""

from device.session.label_hysteresis import UNSTEADY, settle
from tests.device.findings import finding

REFUSED = finding(None, ("out of focus: turn the fine focus",))


def shown(*findings):
    """What is said of one field after another result on it."""
    outcome, said = None, []
    for found in findings:
        settled, outcome = settle(outcome, found)
        said.append(settled.label)
    return said


def test_a_new_field_is_labelled_at_once():
    assert shown(finding("Pre")) == ["Pre"]


def test_a_refusal_holds_at_once():
    assert shown(finding("Pre"), REFUSED) == ["Pre", None]


def test_after_a_refusal_the_label_must_come_twice():
    assert shown(REFUSED, finding("Pre"), finding("Pre"), finding("Pre")) == [None, None, "Pre", "Pre"]


def test_a_label_that_flickers_around_the_threshold_is_never_given():
    assert shown(REFUSED, *[finding("Pre"), REFUSED] * 5) == [None] * 11


def test_another_class_on_the_same_field_must_come_twice():
    assert shown(finding("Pre"), finding("Early"), finding("Early")) == ["Pre", None, "Early"]
    settled, _ = settle(settle(None, finding("Pre"))[1], finding("Early"))
    assert settled.refusals == (UNSTEADY,)
