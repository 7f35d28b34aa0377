"""What comes in about findings and samples."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from pydantic import model_validator

from lims.base.fields import Choice, Day, Text, Ui, WholeNumber
from lims.base.schemas import Schema
from lims.base.staff import Staff

SEVERITIES = {"observation": _l("Observation only"), "minor": _l("Minor"), "major": _l("Major")}
FINDING_STATES = {"open": _l("Open"), "answered": _l("Answered"), "closed": _l("Closed")}
DENIALS = {
    "permission": _l("Not allowed"),
    "sign-in": _l("Sign-in failed"),
    "signature": _l("Signature refused"),
    "key": _l("Key or token refused"),
    "more": _l("More, not listed one by one"),
}
#: Specimens of one sample.
MOST_SAMPLED = 100


class FindingEdit(Schema):
    """What an auditor may change while the finding is open."""

    subject: Annotated[str, Text(200), Ui(_l("What was found"))]
    description: Annotated[str | None, Text(4000, lines=True), Ui(_l("In detail"))] = None
    severity: Annotated[str, Choice(SEVERITIES), Ui(_l("Severity"))] = "minor"
    due_on: Annotated[date, Day(), Ui(_l("Answer due on"))]
    responsible_id: Annotated[int, Staff(), Ui(_l("Responsible"))]


class FindingIn(FindingEdit):
    """A new finding, about a record or about the laboratory as a whole."""

    about_record: Annotated[
        str | None, Text(60), Ui(_l("Kind of record"), help=_l("Filled in from the record's own page"))
    ] = None
    about_id: Annotated[int | None, WholeNumber(1, 2**31 - 1), Ui(_l("Its number"))] = None
    sample: Annotated[str | None, Text(200), Ui(_l("Audit sample"))] = None

    @model_validator(mode="after")
    def _both(self) -> FindingIn:
        if (self.about_record is None) != (self.about_id is None):
            raise ValueError(_("name the kind of record and its number, or neither"))
        return self


class AnswerIn(Schema):
    """The answer of the one who is responsible."""

    answer: Annotated[str, Text(4000, lines=True), Ui(_l("Answer"))]


class RemarkIn(Schema):
    """What the auditor says to the answer."""

    remark: Annotated[str, Text(2000, lines=True), Ui(_l("Remark"))]


class SampleIn(Schema):
    """n specimens of a period, drawn with a seed of those up to the newest: the same four give the same specimens."""

    first: Annotated[date, Day(), Ui(_l("Cast from"))]
    last: Annotated[date, Day(), Ui(_l("Cast until"))]
    size: Annotated[int, WholeNumber(1, MOST_SAMPLED), Ui(_l("Specimens"))] = 10
    seed: Annotated[int, WholeNumber(0, 2**31 - 1), Ui(_l("Seed"))]
    #: What is registered later, as cast in the period, is not drawn from: it would change the whole sample.
    newest: Annotated[
        int | None,
        WholeNumber(1, 10**18 - 1),
        Ui(_l("Up to specimen no."), help=_l("Blank: all that are registered now")),
    ] = None

    @model_validator(mode="after")
    def _order(self) -> SampleIn:
        if self.last < self.first:
            raise ValueError(_("the period ends before it begins"))
        return self
