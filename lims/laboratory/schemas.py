"""What comes in about the laboratory."""

from __future__ import annotations

from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from lims.base.fields import Choice, Kind, Text, Ui, plain_text, wrong
from lims.base.schemas import Schema
from lims.base.words import LANGUAGES
from lims.trials.schemas import PlanAges

CODE_FAMILIES = {
    "gb": _l("Chinese codes: GB/T 50081, GB 50204, JGJ 55"),
    "astm": _l("American codes: ASTM C39, ACI 318"),
    "en": _l("European codes: EN 12390, EN 206"),
}


class TimeZone(Kind):
    """An IANA zone such as Asia/Shanghai."""

    def parse(self, value: Any) -> str:
        name = plain_text(value)
        try:
            if name not in available_timezones():
                raise ValueError
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            message = _(
                "“%(value)s” is not a time zone; accepted: a name such as Asia/Shanghai", value=name[:60]
            )
            raise wrong(message) from None
        return name


class LaboratoryIn(Schema):
    """The facts that stand on papers and decide how times and specimens are read."""

    name: Annotated[
        str, Text(200), Ui(_l("Name of the laboratory"), help=_l("Stands on certificates and trial sheets"))
    ]
    works: Annotated[str | None, Text(200), Ui(_l("Cement works"))] = None
    address: Annotated[str | None, Text(300), Ui(_l("Address"))] = None
    phone: Annotated[str | None, Text(60), Ui(_l("Telephone"))] = None
    accreditation_number: Annotated[
        str | None, Text(80), Ui(_l("Accreditation number"), help=_l("CMA, CNAS or other; blank if none"))
    ] = None
    timezone: Annotated[
        str, TimeZone(), Ui(_l("Time zone"), help=_l("Due times and papers follow this clock"))
    ]
    language: Annotated[
        str, Choice(LANGUAGES), Ui(_l("Language of new visitors"), help=_l("Each person may choose another"))
    ]
    code_family: Annotated[
        str,
        Choice(CODE_FAMILIES),
        Ui(_l("Codes used"), help=_l("Specimens and age windows that a new batch begins with")),
    ]
    plan_ages: Annotated[tuple[int, ...], PlanAges(), Ui(_l("Ages to test"), unit="d")]
