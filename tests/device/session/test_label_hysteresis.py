"""Hysteresis: a new field is labelled at once, a label that flickers is not given."""

from device.session.label_hysteresis import UNSTEADY, LabelHysteresis
from smear.findings import Finding, Frame
from tests.device.faults import picture
from tests.device.findings import OUT_OF_FOCUS, UNCERTAIN, finding

DOUBTED = finding(None, (UNCERTAIN,))
BLURRED = finding(None, (OUT_OF_FOCUS,))
FIELD, ANOTHER = Frame(picture(1), "test:"), Frame(picture(2), "test:")


def labels(*findings: Finding, hysteresis: LabelHysteresis | None = None) -> list[str | None]:
    """The labels given of one field after one result after another."""
    settling = hysteresis or LabelHysteresis()
    return [settling.settle(FIELD, found).label for found in findings]


def test_a_new_field_is_labelled_at_once():
    assert labels(finding("Pre")) == ["Pre"]


def test_a_refusal_holds_at_once():
    assert labels(finding("Pre"), DOUBTED) == ["Pre", None]


def test_after_doubt_the_label_must_come_twice():
    assert labels(DOUBTED, finding("Pre"), finding("Pre"), finding("Pre")) == [None, None, "Pre", "Pre"]


def test_a_field_that_was_out_of_focus_is_labelled_as_soon_as_it_is_sharp():
    assert labels(BLURRED, BLURRED, finding("Pre"), BLURRED, finding("Pre")) == [None, None, "Pre", None, "Pre"]


def test_focusing_in_between_does_not_hide_a_contradiction():
    assert labels(finding("Pre"), BLURRED, finding("Early"), finding("Early")) == ["Pre", None, None, "Early"]


def test_a_label_that_flickers_around_the_threshold_is_never_given():
    assert labels(DOUBTED, *[finding("Pre"), DOUBTED] * 5) == [None] * 11


def test_another_class_on_the_same_field_must_come_twice():
    hysteresis = LabelHysteresis()
    assert labels(finding("Pre"), hysteresis=hysteresis) == ["Pre"]
    assert hysteresis.settle(FIELD, finding("Early")).refusals == (UNSTEADY,)
    assert hysteresis.settle(FIELD, finding("Early")).label == "Early"


def test_another_field_may_have_another_label_at_once():
    hysteresis = LabelHysteresis()
    assert labels(finding("Pre"), hysteresis=hysteresis) == ["Pre"]
    assert hysteresis.settle(ANOTHER, finding("Early")).label == "Early"
