"""Hysteresis: a label that comes and goes on the same field is no result, so it must come twice before it is given."""

from dataclasses import replace

from device.store.duplicate_fields import FieldTracker, View, describe
from smear.findings import Finding, Frame, Refusal, RefusalCode

AGREE = 2  # results in a row on the same field; the first look at a field needs no second
UNSTEADY = Refusal(RefusalCode.UNSTEADY, "not steady yet (the last results on this field differ): hold the stage still")
DOUBTS = frozenset({RefusalCode.UNCERTAIN, RefusalCode.OUT_OF_DISTRIBUTION, RefusalCode.NOT_THESE_CLASSES})
"""Refusals by which the network itself contradicts a label. A field out of focus or badly lit contradicts none: who
has just focused gets the label at once."""


class LabelHysteresis:
    """Remembers what was last concluded about the field in view."""

    def __init__(self) -> None:
        self.view: View | None = None  # of the newest frame, for whoever compares it with the fields of a slide
        self._field = FieldTracker(memory=1)
        self._known = False  # an opinion was given on the field in view
        self._label: str | None = None  # the last opinion, whether or not it was held back; None: it was doubt
        self._agreed = 0  # opinions in a row that said so

    def settle(self, frame: Frame, finding: Finding) -> Finding:
        """Return `finding`, refused as unsteady as long as it contradicts the last opinion on the same field.

        A refusal holds at once, since it protects.
        """
        self.view = view = describe(frame.image)
        if self._field.find(view) is None:
            self._known = False
        self._field = FieldTracker(memory=1)
        self._field.remember(view)
        codes = {refusal.code for refusal in finding.refusals}
        if finding.label is None and (not codes or codes - DOUBTS):
            return finding  # doubt about a field that is also blurred or dark is doubt about the picture
        if not self._known:
            self._known, self._label, self._agreed = True, finding.label, AGREE
            return finding
        self._agreed = self._agreed + 1 if finding.label == self._label else 1
        self._label = finding.label
        if finding.label is None or self._agreed >= AGREE:
            return finding
        return replace(finding, label=None, refusals=(*finding.refusals, UNSTEADY))
