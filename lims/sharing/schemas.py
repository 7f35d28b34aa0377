"""What comes in about share links and from their readers."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from lims.base.fields import (
    Choice,
    Kind,
    Quantity,
    Reference,
    Text,
    Ui,
    WholeNumber,
    plain_text,
    whole_text,
    wrong,
)
from lims.base.schemas import Schema
from lims.base.words import LANGUAGES
from lims.mixes.schemas import COMPONENT_KINDS, Mass
from lims.sharing.redaction import SHAREABLE

ANSWER_KINDS = {
    "question": _l("A question"),
    "trial": _l("A trial with our materials, please"),
    "accept": _l("We go ahead with this"),
}
ANSWER_STATES = {"open": _l("Open"), "answered": _l("Answered")}
#: Mixes beside the trial itself.
MOST_NEAR = 5
#: Of all languages together: each sheet takes those of its own.
MOST_CARDS = 60
SHORTEST_PASSWORD = 6


class Shareable(Kind):
    """Some of SHAREABLE, separated by commas."""

    def parse(self, value: Any) -> tuple[str, ...]:
        parts = value if isinstance(value, list | tuple) else plain_text(value).split(",")
        names = tuple(dict.fromkeys(plain_text(part) for part in parts if plain_text(part)))
        unknown = [name for name in names if name not in SHAREABLE]
        if unknown or not names:
            message = _(
                "“%(value)s” cannot be shared; accepted: %(what)s",
                value=", ".join(unknown)[:60],
                what=", ".join(SHAREABLE),
            )
            raise wrong(message)
        return names

    def json_schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "string", "enum": list(SHAREABLE)}}


class Keys(Kind):
    """Ids of other records, as a list or separated by commas; the service checks what they name."""

    def __init__(self, most: int) -> None:
        self.most = most

    def parse(self, value: Any) -> tuple[int, ...]:
        parts = value if isinstance(value, list | tuple) else plain_text(value).split(",")
        texts = [plain_text(part) for part in parts if plain_text(part)]
        odd = [text for text in texts if not text.isdecimal() or not 0 < len(text) <= 18 or int(text) == 0]
        if odd or len(texts) > self.most:
            message = _(
                "“%(value)s” is not accepted; accepted: up to %(most)s ids",
                value=", ".join(odd or texts)[:60],
                most=self.most,
            )
            raise wrong(message)
        return tuple(dict.fromkeys(int(text) for text in texts))

    def text(self, value: Any) -> str:
        return value if isinstance(value, str) else ",".join(map(str, value or ()))

    def json_schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "integer"}, "maxItems": self.most}


class Password(Kind):
    """A word that the reader is told on another way; guesses are limited, so it may be short."""

    widget = "password"

    def parse(self, value: Any) -> str:
        text = whole_text(value)
        if not SHORTEST_PASSWORD <= len(text) <= 200:
            message = _(
                "has %(n)s characters; accepted: %(low)s to %(high)s",
                n=len(text),
                low=SHORTEST_PASSWORD,
                high=200,
            )
            raise wrong(message)
        return text


class ShareLinkIn(Schema):
    trial_id: Annotated[int, Reference("trials"), Ui(_l("Trial"))]
    mix_design_id: Annotated[int | None, Reference("mix-designs"), Ui(_l("Mix"))] = None
    near_ids: Annotated[tuple[int, ...], Keys(MOST_NEAR), Ui(_l("Mixes beside it"))] = ()
    customer_id: Annotated[int | None, Reference("customers"), Ui(_l("For"))] = None
    name: Annotated[str, Text(200), Ui(_l("Note for yourself"), help=_l("Who gets it"))]
    note: Annotated[str | None, Text(1000, lines=True), Ui(_l("Message"), help=_l("Stands on the sheet"))] = (
        None
    )
    shows: Annotated[tuple[str, ...], Shareable(), Ui(_l("Shows"), help=_l("Separated by commas"))] = tuple(
        SHAREABLE
    )
    card_ids: Annotated[tuple[int, ...], Keys(MOST_CARDS), Ui(_l("Cards of advice"))] = ()
    compared_with_id: Annotated[
        int | None, Reference("cement-products"), Ui(_l("Compare our cement with"))
    ] = None
    language: Annotated[str, Choice(LANGUAGES), Ui(_l("Language of the sheet"))] = "en"
    days: Annotated[int, WholeNumber(1, 365), Ui(_l("Valid for"), unit="d")] = 30
    password: Annotated[
        str | None, Password(), Ui(_l("Password"), help=_l("Leave blank: the link alone opens the sheet"))
    ] = None


class WantedIn(Schema):
    """What a prospect looks for: narrows and orders the trials that may be shared."""

    customer_id: Annotated[int | None, Reference("customers"), Ui(_l("For"))] = None
    trial_id: Annotated[int | None, Reference("trials"), Ui(_l("The customer's own trial"))] = None
    region_id: Annotated[int | None, Reference("regions"), Ui(_l("Region"))] = None
    cement_product_id: Annotated[int | None, Reference("cement-products"), Ui(_l("Cement"))] = None
    aggregate_source_id: Annotated[int | None, Reference("aggregate-sources"), Ui(_l("Aggregate"))] = None
    grade_mpa: Annotated[
        Decimal | None, Quantity(places=1, above=0, maximum=200, unit="MPa"), Ui(_l("Grade strength"))
    ] = None
    cement_kg_m3: Annotated[Mass, Ui(COMPONENT_KINDS["cement"])] = None
    slag_kg_m3: Annotated[Mass, Ui(COMPONENT_KINDS["slag"])] = None
    fly_ash_kg_m3: Annotated[Mass, Ui(COMPONENT_KINDS["fly_ash"])] = None
    water_kg_m3: Annotated[Mass, Ui(COMPONENT_KINDS["water"])] = None
    coarse_aggregate_kg_m3: Annotated[Mass, Ui(COMPONENT_KINDS["coarse_aggregate"])] = None
    fine_aggregate_kg_m3: Annotated[Mass, Ui(COMPONENT_KINDS["fine_aggregate"])] = None


class AnswerIn(Schema):
    """What a reader of the sheet sends back."""

    kind: Annotated[str, Choice(ANSWER_KINDS), Ui(_l("Your answer"))]
    name: Annotated[str, Text(120), Ui(_l("Your name"))]
    company: Annotated[str | None, Text(200), Ui(_l("Company"))] = None
    contact: Annotated[str, Text(200), Ui(_l("Phone or e-mail"))]
    message: Annotated[str | None, Text(2000, lines=True), Ui(_l("Message"))] = None


def masses_of(wanted: Mapping[str, Any]) -> dict[str, float]:
    """kg/m³ as the features of a composition read them."""
    return {
        name: float(value or 0)
        for name, value in wanted.items()
        if name.endswith("_kg_m3") and (value is not None or name in {"slag_kg_m3", "fly_ash_kg_m3"})
    }
