"""Every write about retests of cement and objections to its quality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from lims.aftersales.complaints import PartOfComplaint, require_open_complaint
from lims.aftersales.models import (
    Complaint,
    Objection,
    Retest,
)
from lims.aftersales.schemas import (
    OBJECTION_STATES,
    ObjectionEdit,
    ObjectionIn,
    ObjectionTestIn,
    RetestIn,
    SamplingIn,
    VerdictIn,
)
from lims.base.actor import Actor
from lims.base.database import current_session, locked_row, transaction
from lims.base.display import show_day
from lims.base.numbering import next_code
from lims.base.problems import refuse
from lims.base.schemas import Schema
from lims.base.services import RecordService, require_past
from lims.customers.regions import seen_through, seen_within
from lims.materials.models import CementTest


class RetestService(PartOfComplaint[Retest]):
    record = Retest
    schema = RetestIn
    search_columns = ("cement_lot.code", "remarks")
    filter_columns = ("cement_lot_id", "complaint_id", "outcome")
    order_columns = ("ordered_on", "finished_on", "outcome")
    shown_relations = ("cement_lot", "complaint", "cement_test")
    default_order = "-ordered_on"

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return seen_within(Retest.complaint_id, Complaint, seen_through(Complaint.customer_id))

    def changeable(self, record: Retest) -> bool:
        return super().changeable(record) and self._decided_by(record) is None

    def require_free(self, record: Retest) -> None:
        super().require_free(record)
        code = self._decided_by(record)
        if code is not None:
            raise refuse("", _("is fixed: objection %(code)s was decided by it", code=code), record.title)

    def _decided_by(self, record: Retest) -> str | None:
        """The objection that was decided by it."""
        decided = select(Objection.code).where(
            Objection.retest_id == record.id, Objection.verdict.is_not(None)
        )
        return current_session().scalar(decided.order_by(Objection.id).limit(1))

    def check(self, record: Retest) -> None:
        """A test at our bench is of the same lot, and gives its strength where none was typed."""
        require_open_complaint(record.complaint_id)
        if record.finished_on is not None:
            require_past("finished_on", record.finished_on)
        if record.cement_test_id is None:
            return
        with current_session().no_autoflush:
            test = current_session().get(CementTest, record.cement_test_id)
        if test is None:
            return
        if test.cement_lot_id != record.cement_lot_id:
            raise refuse("cement_test_id", _("is of another lot"), record.cement_test_id)
        if test.age_days == 28 and record.strength_28d_mpa is None:
            record.strength_28d_mpa = test.strength_mpa
        if test.age_days == 3 and record.strength_3d_mpa is None:
            record.strength_3d_mpa = test.strength_mpa


class ObjectionService(RecordService[Objection]):
    record = Objection
    schema = ObjectionIn
    edit_schema = ObjectionEdit
    search_columns = ("code", "claim", "customer.name", "cement_lot.code")
    filter_columns = ("customer_id", "complaint_id", "cement_lot_id", "verdict")
    order_columns = ("raised_on", "code", "decided_on")
    shown_relations = ("customer", "complaint", "cement_lot", "retest")
    default_order = "-raised_on"

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return seen_through(Objection.customer_id)

    def check(self, record: Objection) -> None:
        require_past("raised_on", record.raised_on)

    def before_add(self, record: Objection, values: ObjectionIn, actor: Actor) -> None:
        self.check(record)
        self._require_same_customer(record)
        if not record.code:
            year = values.raised_on.year % 100
            record.code = next_code(current_session(), Objection.code, f"objection-{year}", f"O{year:02d}-")

    def changeable(self, record: Objection) -> bool:
        return record.verdict is None

    def before_edit(self, record: Objection, values: Any, actor: Actor) -> None:
        self._require_undecided(record)

    def sample(
        self, objection_id: int, data: Mapping[str, Any] | Schema, actor: Actor, opened: str | None = None
    ) -> Objection:
        """Both parties have sampled the lot again and sealed a part. Raises: NotFound, Refused."""
        values = SamplingIn.as_read(data)
        with transaction(actor, "sampled together") as session:
            record = self._undecided(session, objection_id, opened)
            if record.retest_id is not None:
                raise refuse("state", _("is tested; the sample cannot be another one"), record.code)
            require_past("sampled_on", values.sampled_on)
            if values.sampled_on < record.raised_on:
                raise refuse("sampled_on", _("lies before the objection"), values.sampled_on)
            for name, value in values.values().items():
                setattr(record, name, value)
            self._flush(session, record)
        return record

    def test(
        self, objection_id: int, data: Mapping[str, Any] | Schema, actor: Actor, opened: str | None = None
    ) -> Objection:
        """The joint sample was tested. Raises: NotFound, Refused."""
        values = ObjectionTestIn.as_read(data)
        with transaction(actor, "tested again") as session:
            record = self._undecided(session, objection_id, opened)
            if record.sampled_on is None:
                raise refuse("sampled_on", _("is missing: sample the lot together first"), record.code)
            retest = session.get(Retest, values.retest_id)
            if (
                retest is None
                or retest.retired_at is not None
                or retest.cement_lot_id != record.cement_lot_id
            ):
                raise refuse("retest_id", _("is not a retest of this lot"), values.retest_id)
            _require_of_sample(record, retest)
            record.retest_id, record.tested_at_place = retest.id, values.tested_at_place
            self._flush(session, record)
        return record

    def decide(
        self, objection_id: int, data: Mapping[str, Any] | Schema, actor: Actor, opened: str | None = None
    ) -> Objection:
        """The verdict, once the retest has an outcome. Raises: NotFound, Refused."""
        values = VerdictIn.as_read(data)
        with transaction(actor, "objection decided") as session:
            record = self._undecided(session, objection_id, opened)
            # Held: it is fixed from now on (RetestService), and as it is now it was not read before.
            retest = locked_row(Retest, record.retest_id or 0)
            if retest is None or retest.retired_at is not None or retest.outcome == "open":
                raise refuse("retest_id", _("needs a finished retest of the joint sample"), record.code)
            _require_of_sample(record, retest)
            require_past("decided_on", values.decided_on)
            if retest.finished_on is not None and values.decided_on < retest.finished_on:
                raise refuse("decided_on", _("lies before the end of the retest"), values.decided_on)
            if values.verdict == "rejected" and retest.outcome == "failed":
                raise refuse("verdict", _("contradicts the retest, which failed"), values.verdict)
            for name, value in values.values().items():
                setattr(record, name, value)
            self._flush(session, record)
        return record

    def _undecided(self, session: Session, objection_id: int, opened: str | None) -> Objection:
        """The record, held. A form says in which state it was `opened`: it does not do again, otherwise, what another did
        meanwhile."""
        record = self.locked(session, objection_id)
        self._require_undecided(record)
        if opened not in (None, record.state):
            raise refuse(
                "state", _("is “%(state)s” meanwhile", state=OBJECTION_STATES[record.state]), record.code
            )
        return record

    def _require_undecided(self, record: Objection) -> None:
        if record.verdict is not None:
            raise refuse("state", _("is decided and fixed"), record.code)

    def _require_same_customer(self, record: Objection) -> None:
        if record.complaint_id is None:
            return
        complaint = current_session().get(Complaint, record.complaint_id)
        if complaint is not None and complaint.customer_id != record.customer_id:
            raise refuse("complaint_id", _("is of another customer"), complaint.code)


def _require_of_sample(record: Objection, retest: Retest) -> None:
    """What was finished before both parties sampled was of another sample. Raises: Refused."""
    if record.sampled_on and retest.finished_on and retest.finished_on < record.sampled_on:
        raise refuse(
            "retest_id",
            _("was finished on %(day)s, before the joint sample was taken", day=show_day(retest.finished_on)),
            retest.title,
        )
