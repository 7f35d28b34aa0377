"""What comes in about reports: the filters of a summary or a chart, and what a certificate is asked for."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from pydantic import model_validator

from lims.base.display import day_begins
from lims.base.fields import Choice, Day, Flag, Quantity, Reference, Text, Ui, WholeNumber
from lims.base.schemas import Schema

#: What results are put together by, in tables and charts.
DIMENSIONS = {
    "grade": _l("Grade"),
    "region": _l("Region"),
    "customer": _l("Customer"),
    "cement": _l("Cement"),
    "mix": _l("Mix"),
    "lot": _l("Cement lot"),
}
#: Acceptance is by sets of this age.
ACCEPTANCE_DAYS = 28


class SummaryFilters(Schema):
    """Which results a summary is about; what is blank does not narrow it."""

    since: Annotated[date | None, Day(), Ui(_l("Tested from"))] = None
    until: Annotated[date | None, Day(), Ui(_l("Tested until"))] = None
    grade_mpa: Annotated[
        Decimal | None, Quantity(places=1, above=0, maximum=200, unit="MPa"), Ui(_l("Grade"))
    ] = None
    region_id: Annotated[int | None, Reference("regions"), Ui(_l("Region"))] = None
    customer_id: Annotated[int | None, Reference("customers"), Ui(_l("Customer"))] = None
    cement_product_id: Annotated[int | None, Reference("cement-products"), Ui(_l("Cement"))] = None
    age_days: Annotated[int | None, WholeNumber(1, 3650), Ui(_l("Age"), unit="d")] = None
    released: Annotated[bool, Flag(), Ui(_l("Only released results"))] = True

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.since is not None and self.until is not None and self.until < self.since:
            raise ValueError(_("the period ends before it begins"))
        return self

    def instants(self, zone: ZoneInfo) -> tuple[datetime | None, datetime | None]:
        """The period by the laboratory's clock: from, and up to but not including."""
        return (
            day_begins(self.since, zone) if self.since else None,
            day_begins(self.until + timedelta(days=1), zone) if self.until else None,
        )


class ChartFilters(SummaryFilters):
    """A summary's filters and the one series that a control chart shows."""

    by: Annotated[
        str, Choice({name: DIMENSIONS[name] for name in ("grade", "mix", "lot")}), Ui(_l("Series"))
    ] = "grade"
    #: The name of the grade, mix or lot; the one with most results when blank.
    of: Annotated[
        str | None, Text(120), Ui(_l("Of"), help=_l("Its name or code; blank: the one with most results"))
    ] = None
    target_mpa: Annotated[
        Decimal | None,
        Quantity(places=1, above=0, maximum=300, unit="MPa"),
        Ui(_l("Target of the cumulative sums")),
    ] = None


class CertificateIn(Schema):
    """What a certificate is about: a whole batch, or one set."""

    batch_id: Annotated[int | None, Reference("batches"), Ui(_l("Batch"))] = None
    specimen_set_id: Annotated[int | None, Reference("specimen-sets"), Ui(_l("Set"))] = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.batch_id is None) == (self.specimen_set_id is None):
            raise ValueError(_("accepted: either batch_id or specimen_set_id"))
        return self


class ReissueIn(Schema):
    reason: Annotated[str, Text(400), Ui(_l("Reason"))]
