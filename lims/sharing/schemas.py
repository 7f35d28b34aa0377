"""What comes in about share links."""

from __future__ import annotations

from typing import Annotated, Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from pydantic_core import PydanticCustomError

from lims.base.fields import Kind, Reference, Text, Ui, WholeNumber, plain_text
from lims.base.schemas import Schema

#: What a link may show. Prices, other customers and unreleased results are not on the list.
SHAREABLE = {
    "mix": _l("Mix proportions"),
    "strengths": _l("Released strengths"),
    "forecast": _l("Forecast"),
    "curve": _l("Strength curve"),
}


class Shareable(Kind):
    """Some of SHAREABLE, separated by commas."""

    def parse(self, value: Any) -> tuple[str, ...]:
        parts = value if isinstance(value, list | tuple) else plain_text(value).split(",")
        names = tuple(dict.fromkeys(plain_text(part) for part in parts if plain_text(part)))
        unknown = [name for name in names if name not in SHAREABLE]
        if unknown or not names:
            message = _(
                "“%(value)s” cannot be shared; accepted: %(what)s",
                value=", ".join(unknown),
                what=", ".join(SHAREABLE),
            )
            raise PydanticCustomError("lims", "{message}", {"message": message})
        return names

    def json_schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "string", "enum": list(SHAREABLE)}}


class ShareLinkIn(Schema):
    trial_id: Annotated[int, Reference("trials"), Ui(_l("Trial"))]
    customer_id: Annotated[int | None, Reference("customers"), Ui(_l("For"))] = None
    name: Annotated[str, Text(200), Ui(_l("Note"), help=_l("For yourself: who gets it"))]
    shows: Annotated[
        tuple[str, ...], Shareable(), Ui(_l("Shows"), help=_l("mix, strengths, forecast, curve"))
    ] = ("strengths", "forecast", "curve")
    days: Annotated[int, WholeNumber(1, 365), Ui(_l("Valid for"), unit="d")] = 30
